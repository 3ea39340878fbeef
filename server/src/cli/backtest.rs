//! `mltrainer backtest`: tests a strategy, or looks at what was tested.

use super::optimise::{self, Optimise};
use super::out::{Table, figure, json, say};
use super::run::{assignment, parameters};
use super::{Failure, Format, Global};
use chrono::NaiveDate;
use clap::{Args, Subcommand};
use mltrainer_app::{measures, report};
use mltrainer_services::{Format as Export, Services};
use mltrainer_types::backtest::{BacktestRequest, BacktestView, StrategyCheckRequest};
use mltrainer_types::strategy::CostSpec;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Who acts, in the audit chain.
pub(super) const ACTOR: &str = "cli";

/// Commission when `--commission` is absent.
const RATE: f64 = 0.0005;

const EXAMPLES: &str = "Examples:
  mltrainer backtest --symbols AAPL
  mltrainer backtest --symbols AAPL --strategy sma_crossover --set fast=20 --set slow=100 --commission 0.001
  mltrainer backtest --symbols AAPL,MSFT,IBM --strategy pullback.json --start 2005-01-01 --report report.html --trades trades.csv
  mltrainer backtest optimise --symbols AAPL --strategy sma_crossover --search fast=5..50 --search slow=20..200
  mltrainer backtest strategies
  mltrainer backtest check pullback.json";

/// `mltrainer backtest`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(super) struct Backtest {
    #[command(subcommand)]
    look: Option<Look>,
    #[command(flatten)]
    run: Run,
}

/// What can be looked at.
#[derive(Debug, Subcommand)]
enum Look {
    /// Lists back tests, newest first
    List {
        /// Cursor of the next page, as the last page printed it
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Shows a back test
    Show {
        /// Id
        id: String,
        #[command(flatten)]
        files: Files,
    },
    /// Searches the parameters of a strategy on windows of the past and tests the best on the next
    Optimise(Box<Optimise>),
    /// Lists the ready-made strategies with their parameters
    Strategies,
    /// Reads a strategy without running it and says where it is wrong
    Check {
        /// File of a strategy, or the id of a ready-made one
        strategy: String,
    },
}

/// Files that a result is written into.
#[derive(Debug, Args)]
struct Files {
    /// Write the result as an HTML file that needs nothing else
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write the trades; the name ends with .csv or .parquet
    #[arg(long, value_name = "FILE")]
    trades: Option<PathBuf>,
    /// Write every fill with its explanation; the name ends with .csv or .parquet
    #[arg(long, value_name = "FILE")]
    fills: Option<PathBuf>,
    /// Write equity, benchmark, drawdown and exposure by day; the name ends with .csv or .parquet
    #[arg(long, value_name = "FILE")]
    equity: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    test: Test,
    #[command(flatten)]
    files: Files,
}

/// What is tested, and how.
#[derive(Debug, Args)]
pub(super) struct Test {
    /// Symbols or ids of data sets, with commas; absent: the universe of the strategy
    #[arg(long, value_delimiter = ',')]
    symbols: Vec<String>,
    /// File of a strategy as JSON, or the id of a ready-made one [default: sma_crossover]
    #[arg(long, value_name = "FILE|ID")]
    strategy: Option<String>,
    /// A parameter of a ready-made strategy, for example fast=10
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
    /// Approved origin of the data; wherever the symbol is found when absent
    #[arg(long)]
    source: Option<String>,
    /// First day, YYYY-MM-DD; nothing before it is read
    #[arg(long)]
    start: Option<NaiveDate>,
    /// Last day, YYYY-MM-DD
    #[arg(long)]
    end: Option<NaiveDate>,
    /// Cash at the start [default: 10000]
    #[arg(long, value_name = "AMOUNT")]
    cash: Option<f64>,
    /// Commission as a share of the traded value [default: 0.0005]
    #[arg(long, value_name = "SHARE")]
    commission: Option<f64>,
    /// Commission for each share
    #[arg(long, value_name = "AMOUNT")]
    commission_per_share: Option<f64>,
    /// Commission for each fill
    #[arg(long, value_name = "AMOUNT")]
    commission_per_trade: Option<f64>,
    /// Least commission of a fill
    #[arg(long, value_name = "AMOUNT")]
    commission_minimum: Option<f64>,
    /// Distance of ask and bid as a share of the price; a fill pays half of it
    #[arg(long, value_name = "SHARE")]
    spread: Option<f64>,
    /// Further distance from the quote as a share of the price
    #[arg(long, value_name = "SHARE")]
    slippage: Option<f64>,
    /// Slippage by the square of an order's share of the bar's volume, times this
    #[arg(long, value_name = "FACTOR")]
    volume_impact: Option<f64>,
    /// Largest share of a bar's volume that an order may take
    #[arg(long, value_name = "SHARE")]
    volume_limit: Option<f64>,
    /// Fee of a year on short positions
    #[arg(long, value_name = "RATE")]
    borrow_rate: Option<f64>,
    /// Interest of a year on cash
    #[arg(long, value_name = "RATE")]
    cash_rate: Option<f64>,
    /// Interest of a year on credit
    #[arg(long, value_name = "RATE")]
    margin_rate: Option<f64>,
    /// Fractions of shares trade too
    #[arg(long)]
    fractional: bool,
    /// Close what is open at the last close
    #[arg(long)]
    finalize: bool,
    /// Symbol or data set to compare with [default: the symbols held in equal parts]
    #[arg(long, value_name = "SYMBOL")]
    benchmark: Option<String>,
    /// Bars of a year [default: 252]
    #[arg(long, value_name = "N")]
    periods_per_year: Option<f64>,
    /// Seed of the resampling [default: 1]
    #[arg(long)]
    seed: Option<u64>,
}

impl Files {
    fn tables(&self) -> impl Iterator<Item = (&'static str, &'static str, &Path)> {
        [
            ("--trades", "trades", &self.trades),
            ("--fills", "fills", &self.fills),
            ("--equity", "equity", &self.equity),
        ]
        .into_iter()
        .filter_map(|(option, table, path)| Some((option, table, path.as_deref()?)))
    }

    /// Names that say no format are refused before anything is computed.
    fn check(&self) -> Result<(), Failure> {
        for (option, _, path) in self.tables() {
            ending(option, path)?;
        }
        Ok(())
    }
}

/// `csv` or `parquet`, as a file's name ends.
fn ending(option: &str, path: &Path) -> Result<&'static str, Failure> {
    match Export::of_name(&path.to_string_lossy()) {
        Some(Export::Csv) => Ok("csv"),
        Some(Export::Parquet) => Ok("parquet"),
        None => Err(Failure::new(
            2,
            format!(
                "{option} {}: the name must end with .csv or .parquet",
                path.display()
            ),
        )),
    }
}

/// The text of a file, or the id of a ready-made strategy.
fn strategy(named: &str) -> Result<Value, Failure> {
    let path = Path::new(named);
    let is_file = path.extension().is_some() || named.contains(['/', '\\']) || path.is_file();
    if !is_file {
        return Ok(Value::from(named));
    }
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::new(3, format!("{named} cannot be read: {e}")))?;
    if !text.trim_start().starts_with('{') {
        return Err(Failure::new(
            2,
            format!("{named} holds no strategy: it is a JSON object, see docs/strategies.md"),
        ));
    }
    Ok(Value::from(text))
}

impl Test {
    fn costs(&self) -> Option<CostSpec> {
        let given = [
            self.commission,
            self.commission_per_share,
            self.commission_per_trade,
            self.commission_minimum,
            self.spread,
            self.slippage,
            self.volume_impact,
            self.volume_limit,
            self.borrow_rate,
            self.cash_rate,
            self.margin_rate,
        ];
        if given.iter().all(Option::is_none) {
            return None;
        }
        Some(CostSpec {
            rate: self.commission.unwrap_or(RATE),
            per_share: self.commission_per_share.unwrap_or_default(),
            per_trade: self.commission_per_trade.unwrap_or_default(),
            minimum: self.commission_minimum.unwrap_or_default(),
            spread: self.spread.unwrap_or_default(),
            slippage: self.slippage.unwrap_or_default(),
            volume_impact: self.volume_impact,
            volume_limit: self.volume_limit,
            borrow_rate: self.borrow_rate.unwrap_or_default(),
            cash_rate: self.cash_rate.unwrap_or_default(),
            margin_rate: self.margin_rate.unwrap_or_default(),
        })
    }

    pub(super) fn request(self) -> Result<BacktestRequest, Failure> {
        let costs = self.costs();
        Ok(BacktestRequest {
            strategy: self.strategy.as_deref().map_or(Ok(Value::Null), strategy)?,
            params: parameters(self.set).map_err(|e| Failure::new(2, e))?,
            symbols: self.symbols,
            source: self.source,
            start: self.start,
            end: self.end,
            cash: self.cash,
            whole_shares: self.fractional.then_some(false),
            costs,
            benchmark: self.benchmark,
            finalize: self.finalize,
            periods_per_year: self.periods_per_year,
            seed: self.seed,
        })
    }
}

impl Run {
    fn request(self) -> Result<(BacktestRequest, Files), Failure> {
        Ok((self.test.request()?, self.files))
    }
}

impl Backtest {
    pub(super) async fn execute(self, global: &Global) -> Result<ExitCode, Failure> {
        let as_json = global.format(&[Format::Table, Format::Json])? == Format::Json;
        // What the command line names is read before a database is opened.
        if let Some(Look::Show { files, .. }) = &self.look {
            files.check()?;
        }
        self.run.files.check()?;
        let job = match self.look {
            None => Job::Run(Box::new(self.run.request()?)),
            Some(Look::Check { strategy: named }) => Job::Check(strategy(&named)?),
            Some(Look::Optimise(wanted)) => Job::Optimise(Box::new(wanted.asked()?)),
            Some(look) => Job::Look(look),
        };
        global
            .with(async |open| job.done(&open.services, as_json).await)
            .await
    }
}

enum Job {
    Run(Box<(BacktestRequest, Files)>),
    Check(Value),
    Optimise(Box<optimise::Asked>),
    Look(Look),
}

impl Job {
    async fn done(self, services: &Services, as_json: bool) -> Result<ExitCode, Failure> {
        match self {
            Self::Run(job) => {
                let (request, files) = *job;
                let made = services.run_backtest(ACTOR, request, None).await?;
                write(services, &made, &files).await?;
                print(&made, as_json)?;
            }
            Self::Check(strategy) => return check(services, strategy, as_json),
            Self::Optimise(asked) => optimise::done(services, *asked, as_json).await?,
            Self::Look(Look::Show { id, files }) => {
                let found = services.backtest(&id).await?;
                write(services, &found, &files).await?;
                print(&found, as_json)?;
            }
            Self::Look(Look::List { cursor }) => list(services, cursor, as_json).await?,
            Self::Look(_) => strategies(services, as_json)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn check(services: &Services, strategy: Value, as_json: bool) -> Result<ExitCode, Failure> {
    let found = services.check_strategy(&StrategyCheckRequest {
        strategy,
        params: Map::new(),
    });
    if as_json {
        json(&found)?;
    } else if found.valid {
        say("the strategy can be tested")?;
    }
    match found.errors.first() {
        None => Ok(ExitCode::SUCCESS),
        Some(_) if as_json => Ok(ExitCode::from(2)),
        Some(f) => {
            let place = match (f.line, f.column) {
                (Some(line), Some(column)) => format!("line {line}, column {column}: "),
                (_, Some(column)) => format!("column {column}: "),
                _ => String::new(),
            };
            let near = if f.suggestions.is_empty() {
                String::new()
            } else {
                format!("; did you mean {}?", f.suggestions.join(" or "))
            };
            let field = if f.field.is_empty() {
                String::new()
            } else {
                format!("{}: ", f.field)
            };
            Err(Failure::new(2, format!("{field}{place}{}{near}", f.reason)))
        }
    }
}

fn strategies(services: &Services, as_json: bool) -> Result<(), Failure> {
    let all = services.ready_made();
    if as_json {
        return json(&all);
    }
    let mut table = Table::new(&["id", "parameters", "what"]);
    for s in &all {
        let params: Vec<String> = s
            .params
            .iter()
            .map(|p| format!("{}={}", p.name, p.default))
            .collect();
        table.row([s.id.clone(), params.join(" "), s.about.clone()]);
    }
    say(&table.text())
}

async fn list(services: &Services, cursor: Option<String>, as_json: bool) -> Result<(), Failure> {
    let page = services.backtests(cursor.as_deref()).await?;
    if as_json {
        return json(&page);
    }
    let heading = [
        "id", "strategy", "symbols", "return", "held", "Sharpe", "fall", "trades", "edge", "made",
    ];
    let mut table = Table::new(&heading);
    for b in &page.items {
        table.row([
            b.id.to_string(),
            b.name.clone(),
            b.symbols.join(","),
            figure(b.total_return),
            figure(b.benchmark_return),
            figure(b.sharpe_ratio),
            figure(b.max_drawdown),
            b.trades.to_string(),
            if b.found_edge { "yes" } else { "no" }.to_owned(),
            b.created_at.format("%Y-%m-%d %H:%M").to_string(),
        ]);
    }
    say(&table.text())?;
    match page.next {
        Some(next) => say(&format!("more: mltrainer backtest list --cursor {next}")),
        None => Ok(()),
    }
}

async fn write(services: &Services, made: &BacktestView, files: &Files) -> Result<(), Failure> {
    let put = |path: &Path, bytes: &[u8]| {
        std::fs::write(path, bytes)
            .map_err(|e| Failure::new(1, format!("{} cannot be written: {e}", path.display())))
    };
    for (option, table, path) in files.tables() {
        let name = format!("{table}.{}", ending(option, path)?);
        put(
            path,
            &services.backtest_file(made.id.as_str(), &name).await?,
        )?;
    }
    if let Some(path) = &files.report {
        let bars = services.backtest_bars(made).await?;
        put(path, report::html(made, &bars).as_bytes())?;
    }
    Ok(())
}

fn print(v: &BacktestView, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return json(v);
    }
    let names: Vec<&str> = v.spec.symbols.iter().map(|s| s.symbol.as_str()).collect();
    let span = v.dates.first().zip(v.dates.last());
    let mut text = format!(
        "Back test {}: {} on {}{}\n\n{}\n",
        v.id,
        v.spec.strategy.name,
        names.join(", "),
        span.map_or_else(String::new, |(a, b)| format!(", {a} to {b}")),
        v.verdict.text
    );
    for f in &v.findings {
        text.push_str(&format!("  {}: {}\n", f.severity.as_str(), f.sentence));
    }
    let mut table = Table::new(&["", "strategy", v.benchmark_name.as_str()]);
    for row in measures::rows(v) {
        table.row([row.name.to_owned(), row.own, row.benchmark]);
    }
    text.push_str(&format!("\n{}\n\n", table.text()));
    let mut table = Table::new(&["times the costs", "return", "paid"]);
    for c in &v.costs {
        table.row([c.factor.to_string(), figure(c.total_return), figure(c.paid)]);
    }
    text.push_str(&format!(
        "{}\n\nResult SHA-256 {}",
        table.text(),
        v.result_sha256
    ));
    say(&text)
}
