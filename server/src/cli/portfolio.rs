//! `mltrainer portfolio`: what is held, weights, plans and risk. No order is sent anywhere.

use super::out::{Table, figure, json, say};
use super::run::{assignment, parameters};
use super::{Failure, Format, Global};
use chrono::NaiveDate;
use clap::{Args, Subcommand, ValueEnum};
use mltrainer_services::Services;
use mltrainer_types::portfolio::{
    Attribution, CostBasis, Holdings, HoldingsRequest, OptimiseRequest, Optimised, Plan,
    PlanRequest, PortfolioRisk, RiskRequest, Transaction, TransactionKind, TransactionRequest,
    WhatIf, WhatIfRequest, WhatIfSide, pairs, sectors, weights,
};
use rust_decimal::Decimal;
use std::process::ExitCode;

/// Who acts, in the audit chain.
const ACTOR: &str = "cli";

/// `mltrainer portfolio`.
#[derive(Debug, Subcommand)]
pub(super) enum Portfolio {
    /// Records a purchase, sale, deposit, withdrawal, dividend, split or reversal
    Add(Add),
    /// Lists recorded transactions, newest first
    Transactions {
        /// Cursor of the next page, as the last page printed it
        #[arg(long)]
        cursor: Option<String>,
    },
    /// What is held: cost, value, profit, time-weighted return, attribution
    Holdings(HoldingsArgs),
    /// Weights by a method under constraints, with frontier and a check on days not seen
    #[command(alias = "optimize")]
    Optimise(Box<Optimise>),
    /// Risk before and after a change of weights
    WhatIf(WhatIfArgs),
    /// Trades from what is held to weights, spread over days
    Plan(PlanArgs),
    /// Value at risk, expected shortfall, betas, concentration, crises replayed
    Risk(RiskArgs),
}

/// Span and origin of prices.
#[derive(Debug, Args)]
struct Span {
    /// Approved origin of the prices; wherever a symbol is found when absent
    #[arg(long)]
    source: Option<String>,
    /// First day, YYYY-MM-DD
    #[arg(long)]
    start: Option<NaiveDate>,
    /// Last day, YYYY-MM-DD
    #[arg(long)]
    end: Option<NaiveDate>,
}

/// What is recorded.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum KindArg {
    Buy,
    Sell,
    Deposit,
    Withdrawal,
    Dividend,
    Split,
    Reversal,
}

impl From<KindArg> for TransactionKind {
    fn from(k: KindArg) -> Self {
        match k {
            KindArg::Buy => Self::Buy,
            KindArg::Sell => Self::Sell,
            KindArg::Deposit => Self::Deposit,
            KindArg::Withdrawal => Self::Withdrawal,
            KindArg::Dividend => Self::Dividend,
            KindArg::Split => Self::Split,
            KindArg::Reversal => Self::Reversal,
        }
    }
}

/// `NEW:OLD` shares.
fn ratio(text: &str) -> Result<(u32, u32), String> {
    let read = || {
        let (new, old) = text.split_once(':')?;
        Some((new.trim().parse().ok()?, old.trim().parse().ok()?))
    };
    read().ok_or_else(|| "a ratio is written NEW:OLD, as in 2:1".to_owned())
}

/// `mltrainer portfolio add`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mltrainer portfolio add deposit --date 2011-01-03 --amount 10000\n  mltrainer portfolio add buy --date 2011-01-03 --symbol AAPL --shares 10 --price 329.57 --fees 1\n  mltrainer portfolio add split --date 2005-02-28 --symbol AAPL --ratio 2:1\n  mltrainer portfolio add reversal --date 2011-01-04 --of 2"
)]
pub(super) struct Add {
    /// What it is
    #[arg(value_enum)]
    kind: KindArg,
    /// Day on which it took effect, YYYY-MM-DD
    #[arg(long)]
    date: NaiveDate,
    /// Symbol of the share
    #[arg(long)]
    symbol: Option<String>,
    /// Shares bought or sold
    #[arg(long, allow_negative_numbers = true)]
    shares: Option<Decimal>,
    /// Price of one share
    #[arg(long, allow_negative_numbers = true)]
    price: Option<Decimal>,
    /// Commission and taxes of a purchase or sale
    #[arg(long, allow_negative_numbers = true)]
    fees: Option<Decimal>,
    /// Cash of a deposit, withdrawal or dividend
    #[arg(long, allow_negative_numbers = true)]
    amount: Option<Decimal>,
    /// New shares for old ones, as in 2:1
    #[arg(long, value_parser = ratio, value_name = "NEW:OLD")]
    ratio: Option<(u32, u32)>,
    /// Number of the transaction that a reversal takes back
    #[arg(long, value_name = "NUMBER")]
    of: Option<i64>,
    /// A word of your own
    #[arg(long)]
    note: Option<String>,
    /// The same key records one transaction only, however often it is given
    #[arg(long)]
    key: Option<String>,
}

impl Add {
    fn request(&self) -> TransactionRequest {
        TransactionRequest {
            kind: self.kind.into(),
            date: self.date,
            symbol: self.symbol.clone(),
            shares: self.shares,
            price: self.price,
            fees: self.fees,
            amount: self.amount,
            new_shares: self.ratio.map(|r| r.0),
            for_old: self.ratio.map(|r| r.1),
            reverses: self.of,
            note: self.note.clone(),
        }
    }
}

/// How the cost of shares sold is found.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum BasisArg {
    Fifo,
    Average,
}

/// `mltrainer portfolio holdings`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mltrainer portfolio holdings --benchmark SPX\n  mltrainer portfolio holdings --sectors AAPL:tech,IBM:tech,KO_ADJ:food --benchmark-weights IBM:0.5,KO_ADJ:0.5"
)]
pub(super) struct HoldingsArgs {
    /// Day of the valuation; the last close when absent
    #[arg(long)]
    as_of: Option<NaiveDate>,
    /// How the cost of shares sold is found
    #[arg(long, value_enum, default_value_t = BasisArg::Fifo)]
    basis: BasisArg,
    /// Symbol to compare with
    #[arg(long)]
    benchmark: Option<String>,
    /// Sectors, SYMBOL:SECTOR with commas: attribution is by sector
    #[arg(long, default_value = "")]
    sectors: String,
    /// Weights of the benchmark, SYMBOL:WEIGHT with commas; the symbols of the sectors in equal parts when absent
    #[arg(long, default_value = "")]
    benchmark_weights: String,
    /// Approved origin of the prices; wherever a symbol is found when absent
    #[arg(long)]
    source: Option<String>,
}

/// `mltrainer portfolio optimise`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mltrainer portfolio optimise\n  mltrainer portfolio optimise --symbols KO_ADJ,XOM_ADJ,JNJ_ADJ --method max_sharpe --set max_weight=0.5 --set covariance=ledoit_wolf\n  mltrainer portfolio optimise --set sectors=KO_ADJ:food,PEP_ADJ:food --set sector_caps=food:0.1\n\nConstraints and estimates are the parameters of the method: mltrainer catalogue min_variance"
)]
pub(super) struct Optimise {
    /// Symbols, with commas; the bundled shares when absent
    #[arg(long, value_delimiter = ',')]
    symbols: Vec<String>,
    /// Method: an entry of the family portfolio [default: min_variance]
    #[arg(long)]
    method: Option<String>,
    /// A parameter of the method: constraints, covariance, expected returns
    #[arg(long, value_parser = assignment, value_name = "KEY=VALUE")]
    set: Vec<(String, String)>,
    /// Points of the efficient frontier, 0 for none [default: 20]
    #[arg(long, value_name = "N")]
    frontier_points: Option<u32>,
    /// Share of the days kept back for the check, 0 for no check [default: 0.3]
    #[arg(long, value_name = "SHARE")]
    test_share: Option<f64>,
    /// Cost of trading in the check, basis points [default: 10]
    #[arg(long, value_name = "BPS")]
    cost: Option<f64>,
    /// Days after which the check goes back to its weights, 0 for never [default: 21]
    #[arg(long, value_name = "DAYS")]
    rebalance: Option<u32>,
    #[command(flatten)]
    span: Span,
}

/// `mltrainer portfolio what-if`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mltrainer portfolio what-if --change AAPL:-0.1,IBM:0.1\n  mltrainer portfolio what-if --current KO_ADJ:1 --target KO_ADJ:0.5,XOM_ADJ:0.5"
)]
pub(super) struct WhatIfArgs {
    /// Weights now, SYMBOL:WEIGHT with commas; those of the holdings when absent
    #[arg(long, default_value = "")]
    current: String,
    /// Weights after
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    target: String,
    /// Changes of weights, in place of the weights after
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    change: String,
    /// Confidence of the tail figures [default: 0.95]
    #[arg(long)]
    confidence: Option<f64>,
    /// Symbol of the market for betas [default: SPX where there are enough days]
    #[arg(long)]
    market: Option<String>,
    /// Cost of trading, basis points [default: 10]
    #[arg(long, value_name = "BPS")]
    cost: Option<f64>,
    #[command(flatten)]
    span: Span,
}

/// `mltrainer portfolio plan`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mltrainer portfolio plan --target KO_ADJ:0.5,XOM_ADJ:0.4 --cash 10000 --days 5\n  mltrainer portfolio plan --target AAPL:0.6,IBM:0.4 --cost 5 --commission 1"
)]
pub(super) struct PlanArgs {
    /// Weights to reach, SYMBOL:WEIGHT with commas; what is missing to 1 stays in cash
    #[arg(long)]
    target: String,
    /// Shares held now, SYMBOL:SHARES with commas, in place of the recorded holdings
    #[arg(long, default_value = "")]
    current: String,
    /// Cash now, in place of the recorded one
    #[arg(long, allow_negative_numbers = true)]
    cash: Option<Decimal>,
    /// Days over which the trades are spread [default: 5]
    #[arg(long)]
    days: Option<u32>,
    /// Trade fractions of shares too
    #[arg(long)]
    fractional: bool,
    /// Cost of trading, basis points [default: 10]
    #[arg(long, value_name = "BPS")]
    cost: Option<f64>,
    /// Commission of each trade [default: 0]
    #[arg(long, allow_negative_numbers = true)]
    commission: Option<Decimal>,
    /// A weight that is off by less is left alone [default: 0]
    #[arg(long)]
    band: Option<f64>,
    /// Falls of the value at which to look again, with commas [default: 0.05,0.1,0.2]
    #[arg(long, value_delimiter = ',')]
    alarms: Vec<f64>,
    /// Day of the prices; the last close when absent
    #[arg(long)]
    as_of: Option<NaiveDate>,
    /// Approved origin of the prices; wherever a symbol is found when absent
    #[arg(long)]
    source: Option<String>,
}

/// `mltrainer portfolio risk`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mltrainer portfolio risk\n  mltrainer portfolio risk --weights KO_ADJ:0.5,XOM_ADJ:0.5 --confidence 0.99 --horizon 10"
)]
pub(super) struct RiskArgs {
    /// Weights, SYMBOL:WEIGHT with commas; those of the holdings when absent
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    weights: String,
    /// Confidence of the tail figures [default: 0.95]
    #[arg(long)]
    confidence: Option<f64>,
    /// Days that the loss is over [default: 1]
    #[arg(long)]
    horizon: Option<u32>,
    /// Symbol of the market for betas [default: SPX where there are enough days]
    #[arg(long)]
    market: Option<String>,
    /// Crises of your own: NAME:FIRST,LAST, several with semicolons
    #[arg(long)]
    crises: Option<String>,
    #[command(flatten)]
    span: Span,
}

/// A list of pairs; what cannot be read is bad usage.
fn read<T>(flag: &str, result: Result<T, String>) -> Result<T, Failure> {
    result.map_err(|e| Failure::new(2, format!("{flag}: {e}")))
}

impl Portfolio {
    pub(super) async fn execute(self, global: &Global) -> Result<ExitCode, Failure> {
        let as_json = global.format(&[Format::Table, Format::Json])? == Format::Json;
        let done = global
            .with(async |open| self.run(&open.services, as_json).await)
            .await;
        done.map(|()| ExitCode::SUCCESS)
    }

    async fn run(self, services: &Services, as_json: bool) -> Result<(), Failure> {
        match self {
            Self::Add(add) => {
                let made = services
                    .add_transaction(ACTOR, add.request(), add.key.as_deref())
                    .await?;
                if as_json {
                    json(&made)
                } else {
                    say(&format!("Recorded: {}", line(&made)))
                }
            }
            Self::Transactions { cursor } => {
                let page = services.transactions(cursor.as_deref()).await?;
                if as_json {
                    return json(&page);
                }
                let heading = ["number", "date", "what", "recorded"];
                let mut table = Table::new(&heading);
                for t in &page.items {
                    table.row([
                        t.id.to_string(),
                        t.date.to_string(),
                        words(t),
                        t.recorded_at.format("%Y-%m-%d %H:%M").to_string(),
                    ]);
                }
                say(&table.text())?;
                match page.next {
                    Some(next) => say(&format!(
                        "more: mltrainer portfolio transactions --cursor {next}"
                    )),
                    None => Ok(()),
                }
            }
            Self::Holdings(args) => {
                let request = HoldingsRequest {
                    as_of: args.as_of,
                    basis: match args.basis {
                        BasisArg::Fifo => CostBasis::Fifo,
                        BasisArg::Average => CostBasis::Average,
                    },
                    benchmark: args.benchmark,
                    sectors: read("--sectors", sectors(&args.sectors))?,
                    benchmark_weights: read(
                        "--benchmark-weights",
                        weights(&args.benchmark_weights),
                    )?,
                    source: args.source,
                };
                let found = services.holdings(&request).await?;
                if as_json {
                    json(&found)
                } else {
                    say(&holdings(&found))
                }
            }
            Self::Optimise(args) => {
                let found = services.optimise(&args.request()?).await?;
                if as_json {
                    json(&found)
                } else {
                    say(&optimised(&found))
                }
            }
            Self::WhatIf(args) => {
                let request = WhatIfRequest {
                    current: read("--current", weights(&args.current))?,
                    target: read("--target", weights(&args.target))?,
                    change: read("--change", weights(&args.change))?,
                    source: args.span.source,
                    start: args.span.start,
                    end: args.span.end,
                    confidence: args.confidence,
                    market: args.market,
                    cost_bps: args.cost,
                };
                let found = services.what_if(&request).await?;
                if as_json {
                    json(&found)
                } else {
                    say(&what_if(&found))
                }
            }
            Self::Plan(args) => {
                let request = PlanRequest {
                    target: read("--target", weights(&args.target))?,
                    current: read(
                        "--current",
                        pairs(&args.current, |v| v.parse::<Decimal>().ok()),
                    )?,
                    cash: args.cash,
                    days: args.days,
                    whole_shares: Some(!args.fractional),
                    cost_bps: args.cost,
                    commission: args.commission,
                    band: args.band,
                    alarms: args.alarms,
                    as_of: args.as_of,
                    source: args.source,
                };
                let found = services.plan(&request).await?;
                if as_json {
                    json(&found)
                } else {
                    say(&plan(&found))
                }
            }
            Self::Risk(args) => {
                let request = RiskRequest {
                    weights: read("--weights", weights(&args.weights))?,
                    source: args.span.source,
                    start: args.span.start,
                    end: args.span.end,
                    confidence: args.confidence,
                    horizon: args.horizon,
                    market: args.market,
                    crises: args.crises,
                };
                let found = services.portfolio_risk(&request).await?;
                if as_json {
                    json(&found)
                } else {
                    say(&risk(&found))
                }
            }
        }
    }
}

impl Optimise {
    fn request(self) -> Result<OptimiseRequest, Failure> {
        Ok(OptimiseRequest {
            symbols: self.symbols,
            source: self.span.source,
            start: self.span.start,
            end: self.span.end,
            method: self.method,
            params: parameters(self.set).map_err(|e| Failure::new(2, e))?,
            frontier_points: self.frontier_points,
            test_share: self.test_share,
            cost_bps: self.cost,
            rebalance_days: self.rebalance,
        })
    }
}

/// A transaction in words.
fn words(t: &Transaction) -> String {
    let text = |x: Option<Decimal>| x.unwrap_or_default().to_string();
    let symbol = t.symbol.as_deref().unwrap_or_default();
    let kind = t.kind.as_str();
    let what = match t.kind {
        TransactionKind::Buy | TransactionKind::Sell => {
            let fees = t.fees.filter(|f| !f.is_zero());
            let fees = fees.map(|f| format!(", fees {f}")).unwrap_or_default();
            format!(
                "{kind} {} {symbol} at {}{fees}",
                text(t.shares),
                text(t.price)
            )
        }
        TransactionKind::Deposit | TransactionKind::Withdrawal => {
            format!("{kind} {}", text(t.amount))
        }
        TransactionKind::Dividend => format!("{kind} {} of {symbol}", text(t.amount)),
        TransactionKind::Split => format!(
            "{kind} {symbol} {} for {}",
            t.new_shares.unwrap_or_default(),
            t.for_old.unwrap_or_default()
        ),
        TransactionKind::Reversal => format!("{kind} of {}", t.reverses.unwrap_or_default()),
    };
    match &t.note {
        Some(note) => format!("{what} ({note})"),
        None => what,
    }
}

fn line(t: &Transaction) -> String {
    format!("{} {} {}", t.id, t.date, words(t))
}

fn percent(x: Option<f64>) -> String {
    x.map_or_else(|| "-".to_owned(), |x| format!("{:.2}%", 100.0 * x))
}

fn cents(x: Option<Decimal>) -> String {
    x.map_or_else(|| "-".to_owned(), |x| format!("{:.2}", x.round_dp(2)))
}

fn with_notes(mut text: String, notes: &[String]) -> String {
    for note in notes {
        text.push_str(&format!("\n{note}"));
    }
    text
}

fn holdings(h: &Holdings) -> String {
    let Some(as_of) = h.as_of else {
        return "Nothing is recorded yet. Begin with a deposit:\n  mltrainer portfolio add deposit --date 2011-01-03 --amount 10000".to_owned();
    };
    let mut table = Table::new(&[
        "symbol",
        "shares",
        "cost",
        "price",
        "of",
        "value",
        "weight",
        "unrealised",
        "realised",
        "dividends",
    ]);
    for row in &h.holdings {
        table.row([
            row.symbol.clone(),
            row.shares.to_string(),
            cents(Some(row.cost)),
            row.price
                .map_or_else(|| "-".to_owned(), |p| p.round_dp(4).to_string()),
            row.price_date
                .map_or_else(|| "-".to_owned(), |d| d.to_string()),
            cents(row.value),
            percent(row.weight),
            cents(row.unrealised),
            cents(Some(row.realised)),
            cents(Some(row.dividends)),
        ]);
    }
    let mut text = format!(
        "Value {} on {as_of} (cash {}), paid in {}, cost by {}: realised {}, unrealised {}, dividends {}, fees {}\n",
        cents(Some(h.value)),
        cents(Some(h.cash)),
        cents(Some(h.paid_in)),
        h.basis.as_str(),
        cents(Some(h.realised)),
        cents(Some(h.unrealised)),
        cents(Some(h.dividends)),
        cents(Some(h.fees))
    );
    text.push_str(&format!("\n{}\n", table.text()));
    if let Some(p) = &h.performance {
        text.push_str(&format!(
            "\nTime-weighted return {} from {} to {} ({} a year), volatility {}, largest fall {}\n",
            percent(Some(p.time_weighted_return)),
            p.start,
            p.end,
            percent(p.annual_return),
            percent(p.volatility),
            percent(Some(p.max_drawdown))
        ));
        if let Some(b) = &p.benchmark {
            text.push_str(&format!(
                "Benchmark {} {}, above it {}, beta {}, tracking error {}\n",
                b.name,
                percent(Some(b.total_return)),
                percent(Some(b.excess_return)),
                figure(b.beta),
                percent(b.tracking_error)
            ));
        }
    }
    match &h.attribution {
        Some(Attribution::Asset { contributions, .. }) => {
            let mut table = Table::new(&["symbol", "added to the return"]);
            for (symbol, part) in contributions {
                table.row([symbol.clone(), percent(Some(*part))]);
            }
            text.push_str(&format!("\n{}\n", table.text()));
        }
        Some(Attribution::Sector { sectors, total }) => {
            let mut table = Table::new(&[
                "sector",
                "weight",
                "benchmark",
                "allocation",
                "selection",
                "interaction",
            ]);
            for s in sectors {
                let cells = [
                    s.weight,
                    s.benchmark_weight,
                    s.allocation,
                    s.selection,
                    s.interaction,
                ];
                let cells = cells.map(|x| percent(Some(x)));
                table.row(std::iter::once(s.sector.clone()).chain(cells));
            }
            text.push_str(&format!(
                "\n{}\nAll effects together {}\n",
                table.text(),
                percent(Some(*total))
            ));
        }
        None => {}
    }
    if !h.due_actions.is_empty() {
        text.push_str("\nIn the data and not recorded; if your statement has them too:\n");
        for due in &h.due_actions {
            text.push_str(&format!("  {}\n", command(due)));
        }
    }
    with_notes(text.trim_end().to_owned(), &h.notes)
}

/// The command that records a split or a dividend.
fn command(t: &TransactionRequest) -> String {
    let mut text = format!(
        "mltrainer portfolio add {} --date {} --symbol {}",
        t.kind.as_str(),
        t.date,
        t.symbol.as_deref().unwrap_or_default()
    );
    if let Some(amount) = t.amount {
        text.push_str(&format!(" --amount {amount}"));
    }
    if let (Some(new), Some(old)) = (t.new_shares, t.for_old) {
        text.push_str(&format!(" --ratio {new}:{old}"));
    }
    text
}

fn optimised(o: &Optimised) -> String {
    let mut table = Table::new(&[
        "symbol",
        "weight",
        "share of risk",
        "expected return",
        "volatility",
    ]);
    for row in o.weights.iter().filter(|w| w.weight.abs() > 5e-5) {
        table.row([
            row.symbol.clone(),
            percent(Some(row.weight)),
            percent(row.risk_contribution),
            percent(row.expected_return),
            percent(row.volatility),
        ]);
    }
    let mut text = format!(
        "{} of {} shares over {} days, {} to {}\nExpected return {} a year, volatility {}, Sharpe ratio {}, {} positions\n\n{}\n",
        o.title,
        o.weights.len(),
        o.days,
        o.start,
        o.end,
        percent(Some(o.expected_return)),
        percent(Some(o.volatility)),
        figure(o.sharpe_ratio),
        o.positions,
        table.text()
    );
    if !o.sector_weights.is_empty() {
        let each: Vec<String> = o
            .sector_weights
            .iter()
            .map(|(s, w)| format!("{s} {}", percent(Some(*w))))
            .collect();
        text.push_str(&format!("\nSectors: {}\n", each.join(", ")));
    }
    if let Some(f) = &o.frontier {
        let mut table = Table::new(&["frontier: volatility", "expected return", "Sharpe"]);
        for p in &f.points {
            table.row([
                percent(Some(p.volatility)),
                percent(Some(p.expected_return)),
                figure(p.sharpe_ratio),
            ]);
        }
        text.push_str(&format!("\n{}\n", table.text()));
    }
    if let Some(t) = &o.out_of_sample {
        text.push_str(&format!(
            "\nCheck: weights from {} to {}, held from {} to {}\n{}\n",
            t.train_start, t.train_end, t.test_start, t.test_end, t.finding
        ));
    }
    with_notes(text.trim_end().to_owned(), &o.notes)
}

fn what_if(w: &WhatIf) -> String {
    let mut table = Table::new(&["", "before", "after"]);
    type Figure = fn(&WhatIfSide) -> String;
    let rows: [(&str, Figure); 9] = [
        ("mean return a year", |s| percent(Some(s.mean_return))),
        ("volatility", |s| percent(Some(s.volatility))),
        ("Sharpe ratio", |s| figure(s.sharpe_ratio)),
        ("largest fall", |s| percent(Some(s.max_drawdown))),
        ("value at risk, a day", |s| percent(s.value_at_risk)),
        ("expected shortfall, a day", |s| {
            percent(s.conditional_value_at_risk)
        }),
        ("beta", |s| figure(s.beta)),
        ("concentration", |s| figure(Some(s.concentration))),
        ("worst crisis", |s| {
            match (&s.worst_crisis_name, s.worst_crisis) {
                (Some(name), r) => format!("{} {name}", percent(r)),
                _ => "-".to_owned(),
            }
        }),
    ];
    for (name, of) in rows {
        table.row([name.to_owned(), of(&w.before), of(&w.after)]);
    }
    for (symbol, before) in &w.before.weights {
        let after = w.after.weights.get(symbol).copied();
        table.row([symbol.clone(), percent(Some(*before)), percent(after)]);
    }
    table.row([
        "cash".to_owned(),
        percent(Some(w.before.cash_weight)),
        percent(Some(w.after.cash_weight)),
    ]);
    let text = format!(
        "{} days, {} to {}; beta against {}\n\n{}\n\nTurnover {}, cost {}",
        w.days,
        w.start,
        w.end,
        w.market,
        table.text(),
        percent(Some(w.turnover)),
        percent(Some(w.cost))
    );
    with_notes(text, &w.notes)
}

fn plan(p: &Plan) -> String {
    let price = |x: Option<Decimal>| x.map_or_else(|| "-".to_owned(), |x| cents(Some(x)));
    let mut positions = Table::new(&[
        "symbol", "price", "of", "shares", "after", "weight", "target", "after", "below", "above",
    ]);
    for row in &p.positions {
        positions.row([
            row.symbol.clone(),
            row.price.round_dp(4).to_string(),
            row.price_date.to_string(),
            row.shares_before.to_string(),
            row.shares_after.to_string(),
            percent(Some(row.weight_before)),
            percent(Some(row.weight_target)),
            percent(Some(row.weight_after)),
            price(row.rebalance_below),
            price(row.rebalance_above),
        ]);
    }
    let mut trades = Table::new(&["day", "side", "symbol", "shares", "value", "cost"]);
    for t in &p.trades {
        trades.row([
            t.day.to_string(),
            t.side.clone(),
            t.symbol.clone(),
            t.shares.to_string(),
            cents(Some(t.value)),
            cents(Some(t.cost)),
        ]);
    }
    let alarms: Vec<String> = p
        .alarms
        .iter()
        .map(|a| format!("{:.0} % at {}", 100.0 * a.drawdown, cents(Some(a.value))))
        .collect();
    let text = format!(
        "Value {}, cash {} to {}; {} traded, cost {}\n\n{}\n\n{}\n\nLook again when the value has fallen: {}; or a price is below or above what stands beside it, where the weight is off",
        cents(Some(p.value)),
        cents(Some(p.cash_before)),
        cents(Some(p.cash_after)),
        cents(Some(p.traded)),
        cents(Some(p.cost)),
        positions.text(),
        trades.text(),
        alarms.join(", ")
    );
    with_notes(text, &p.notes)
}

fn risk(r: &PortfolioRisk) -> String {
    let mut tails = Table::new(&["method", "value at risk", "expected shortfall", "in money"]);
    for t in &r.tails {
        tails.row([
            t.method.clone(),
            percent(t.value_at_risk),
            percent(t.conditional_value_at_risk),
            cents(t.value_at_risk_amount),
        ]);
    }
    let mut assets = Table::new(&["symbol", "weight", "share of risk", "volatility", "beta"]);
    for a in &r.assets {
        assets.row([
            a.symbol.clone(),
            percent(Some(a.weight)),
            percent(a.risk_contribution),
            percent(a.volatility),
            figure(a.beta),
        ]);
    }
    let mut crises = Table::new(&[
        "crisis",
        "from",
        "to",
        "return",
        "largest fall",
        "worst day",
        "days to recover",
    ]);
    for c in r.crises.iter().filter(|c| c.covered) {
        crises.row([
            c.name.clone(),
            c.from.to_string(),
            c.to.to_string(),
            percent(c.total_return),
            percent(c.max_drawdown),
            percent(c.worst_day_return),
            c.days_to_recover
                .map_or_else(|| "-".to_owned(), |d| format!("{d:.0}")),
        ]);
    }
    let missing: Vec<&str> = r
        .crises
        .iter()
        .filter(|c| !c.covered)
        .map(|c| c.name.as_str())
        .collect();
    let mut shocks = Table::new(&["market", "portfolio"]);
    for s in &r.shocks {
        shocks.row([percent(Some(s.market)), percent(Some(s.portfolio))]);
    }
    let mut text = format!(
        "{} days, {} to {}; {:.0} % over {} day(s)\nVolatility {} a year, largest fall {}, beta {} against {}, concentration {}, cash {}\n\n{}\n\n{}\n\n{}\n",
        r.days,
        r.start,
        r.end,
        100.0 * r.confidence,
        r.horizon,
        percent(Some(r.volatility)),
        percent(Some(r.max_drawdown)),
        figure(r.beta),
        r.market,
        figure(Some(r.concentration)),
        percent(Some(r.cash_weight)),
        tails.text(),
        assets.text(),
        crises.text()
    );
    if !missing.is_empty() {
        text.push_str(&format!("Outside the data: {}\n", missing.join(", ")));
    }
    text.push_str(&format!("\n{}\n", shocks.text()));
    if let Some(c) = &r.check {
        text.push_str(&format!(
            "\nPast historical values at risk were exceeded on {} of {} days, {:.1} expected (Kupiec p {}, zone {})\n",
            c.exceedances,
            c.days,
            c.expected,
            figure(c.kupiec_p_value),
            c.traffic_light.as_deref().unwrap_or("-")
        ));
    }
    with_notes(text.trim_end().to_owned(), &r.notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_is_a_command() {
        let mut t = TransactionRequest::new(TransactionKind::Split, "2005-02-28".parse().unwrap());
        t.symbol = Some("AAPL".into());
        (t.new_shares, t.for_old) = (Some(2), Some(1));
        assert_eq!(
            command(&t),
            "mltrainer portfolio add split --date 2005-02-28 --symbol AAPL --ratio 2:1"
        );
    }

    #[test]
    fn ratios_are_read() {
        assert_eq!(ratio("7:1"), Ok((7, 1)));
        assert!(ratio("7").is_err() && ratio("a:1").is_err() && ratio("-1:2").is_err());
    }
}
