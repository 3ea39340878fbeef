//! What is held, weights by a method of the catalogue with their check, and risk. The whole state is in the address:
//!
//! `/portfolio?run=1&symbols=KO_ADJ,XOM_ADJ&method=max_sharpe&max_weight=0.6&covariance=ledoit_wolf`
//!
//! - `run`: the weights are computed; without it the form waits;
//! - `symbols`, `method`, `start`, `end`, `test_share`, `cost`, `rebalance`: what is optimised, and its check;
//! - `covariance`, `expected_returns`, `views`, `min_weight`, `max_weight`, `max_positions`, `long_only`, `sectors`,
//!   `sector_caps`, `current_weights`, `max_turnover` and `more` (NAME=VALUE apart by semicolons): parameters of the
//!   method;
//! - `benchmark`, `basis`, `groups` (SYMBOL:SECTOR) and `group_weights`: how the holdings are told;
//! - `weights`, `confidence`: whose risk is told, SYMBOL:WEIGHT apart by commas; else that of the weights computed,
//!   else that of the holdings;
//! - `change`, `before`: changes of weights to look at, and the weights before where it is not what is held;
//! - `days`: days over which the plan spreads its trades.
//!
//! A transaction is sent to the server and leads back here.

use crate::charts::{self, LinePlot, Part, Plot};
use crate::drawing::Drawing;
use crate::error::PageError;
use crate::islands::chart::Chart;
use crate::query::{self, Link, segment};
use crate::server::{plain_form, reader, refuse, set_status, writer};
use crate::ui;
use crate::{format, words};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;
use mltrainer_services::{ServiceError, Services};
use mltrainer_types::data::DatasetKind;
use mltrainer_types::portfolio::{
    Attribution, CostBasis, Crisis, Holding, Holdings, HoldingsPerformance, HoldingsRequest,
    OptimiseRequest, Optimised, OutOfSample, Plan, PlanRequest, PortfolioRisk, RiskRequest,
    Transaction, TransactionKind, TransactionRequest, WhatIf, WhatIfRequest, WhatIfSide, sectors,
    weights,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Transactions listed on the page, the latest.
const LISTED: usize = 12;

/// A weight that is shown.
const SEEN: f64 = 5e-5;

/// Fields of the form, as they are named in the address; those of the method's parameters last.
const FIELDS: [&str; 19] = [
    "symbols",
    "method",
    "start",
    "end",
    "test_share",
    "cost",
    "rebalance",
    "more",
    "covariance",
    "expected_returns",
    "views",
    "min_weight",
    "max_weight",
    "max_positions",
    "long_only",
    "sectors",
    "sector_caps",
    "current_weights",
    "max_turnover",
];

/// Where the parameters of the method begin in [`FIELDS`].
const PARAMS: usize = 8;

/// What the address asks for, as it was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    pairs: Vec<(String, String)>,
}

impl Asked {
    /// From the pairs of an address.
    #[must_use]
    pub fn read(pairs: &[(String, String)]) -> Self {
        Self {
            pairs: pairs.to_vec(),
        }
    }

    fn get(&self, name: &str) -> &str {
        query::get(&self.pairs, name)
    }

    /// Whether weights are asked for.
    #[must_use]
    pub fn runs(&self) -> bool {
        !self.get("run").is_empty()
    }

    /// What is to be optimised.
    ///
    /// # Errors
    /// A field whose text is not of its kind.
    pub fn optimise(&self) -> Result<OptimiseRequest, PageError> {
        let mut params = Map::new();
        for name in &FIELDS[PARAMS..] {
            let text = self.get(name);
            if !text.is_empty() {
                params.insert((*name).to_owned(), Value::from(text));
            }
        }
        for part in self
            .get("more")
            .split(';')
            .map(str::trim)
            .filter(|p| !p.is_empty())
        {
            let pair = part.split_once('=').map(|(n, v)| (n.trim(), v.trim()));
            let Some((name, value)) = pair.filter(|(n, v)| !n.is_empty() && !v.is_empty()) else {
                return Err(PageError::field(
                    "more",
                    &format!(
                        "\"{part}\" is no parameter: write NAME=VALUE, several with semicolons between"
                    ),
                ));
            };
            if params.insert(name.to_owned(), Value::from(value)).is_some() {
                return Err(PageError::field("more", &format!("{name} is given twice")));
            }
        }
        let share: Option<f64> =
            PageError::parse("test_share", self.get("test_share"), "a number of percent")?;
        Ok(OptimiseRequest {
            symbols: query::list(self.get("symbols")),
            source: None,
            start: PageError::parse("start", self.get("start"), "a day; write it as 2004-12-31")?,
            end: PageError::parse("end", self.get("end"), "a day; write it as 2012-12-31")?,
            method: Some(self.get("method").to_owned()).filter(|m| !m.is_empty()),
            params,
            frontier_points: None,
            test_share: share.map(|s| s / 100.0),
            cost_bps: PageError::parse("cost", self.get("cost"), "a number of basis points")?,
            rebalance_days: PageError::parse(
                "rebalance",
                self.get("rebalance"),
                "a whole number of days",
            )?,
        })
    }

    /// How the holdings are told.
    ///
    /// # Errors
    /// A field whose pairs cannot be read.
    fn holdings(&self) -> Result<HoldingsRequest, PageError> {
        let wrong = |field: &'static str| move |e: String| PageError::field(field, &e);
        Ok(HoldingsRequest {
            basis: if self.get("basis") == "average" {
                CostBasis::Average
            } else {
                CostBasis::Fifo
            },
            benchmark: Some(self.get("benchmark").to_owned()).filter(|b| !b.is_empty()),
            sectors: sectors(self.get("groups")).map_err(wrong("groups"))?,
            benchmark_weights: weights(self.get("group_weights"))
                .map_err(wrong("group_weights"))?,
            ..HoldingsRequest::default()
        })
    }

    /// The change of weights to look at, if there is one.
    ///
    /// # Errors
    /// A field whose pairs cannot be read.
    fn what_if(&self) -> Result<Option<WhatIfRequest>, PageError> {
        let read = |field: &str| weights(self.get(field)).map_err(|e| PageError::field(field, &e));
        let (current, change) = (read("before")?, read("change")?);
        if change.is_empty() && current.is_empty() {
            return Ok(None);
        }
        if change.is_empty() {
            return Err(PageError::field(
                "change",
                "Name the changes of weights, as AAPL:-0.1,IBM:0.1",
            ));
        }
        Ok(Some(WhatIfRequest {
            current,
            change,
            ..WhatIfRequest::default()
        }))
    }
}

/// What stands in the address for one look only: the fields of a refused transaction, and what came of one.
fn is_message(name: &str) -> bool {
    TEXTS.contains(&name) || ["error", "field", "recorded", "kind"].contains(&name)
}

/// The fields of a transaction, as they are typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TransactionForm {
    /// What it is.
    pub kind: String,
    /// Day.
    pub date: String,
    /// Symbol.
    pub symbol: String,
    /// Shares.
    pub shares: String,
    /// Price.
    pub price: String,
    /// Fees.
    pub fees: String,
    /// Cash.
    pub amount: String,
    /// New shares for old ones.
    pub ratio: String,
    /// Number of what is taken back.
    pub of: String,
    /// A word.
    pub note: String,
}

/// The texts of the form, beside the kind.
const TEXTS: [&str; 9] = [
    "date", "symbol", "shares", "price", "fees", "amount", "ratio", "of", "note",
];

impl TransactionForm {
    fn text(&self, name: &str) -> &str {
        match name {
            "date" => &self.date,
            "symbol" => &self.symbol,
            "shares" => &self.shares,
            "price" => &self.price,
            "fees" => &self.fees,
            "amount" => &self.amount,
            "ratio" => &self.ratio,
            "of" => &self.of,
            _ => &self.note,
        }
    }

    fn from_query(pairs: &[(String, String)]) -> Self {
        let get = |name: &str| query::get(pairs, name).to_owned();
        Self {
            kind: get("kind"),
            date: get("date"),
            symbol: get("symbol"),
            shares: get("shares"),
            price: get("price"),
            fees: get("fees"),
            amount: get("amount"),
            ratio: get("ratio"),
            of: get("of"),
            note: get("note"),
        }
    }

    /// The transaction that the fields describe. What it may be is the services' affair.
    ///
    /// # Errors
    /// A field whose text is not of its kind.
    pub fn request(&self) -> Result<TransactionRequest, PageError> {
        let kind = TransactionKind::parse(self.kind.trim())
            .ok_or_else(|| PageError::field("kind", "Choose what is to be recorded"))?;
        let date = PageError::parse("date", &self.date, "a day; write it as 2011-01-03")?
            .ok_or_else(|| PageError::field("date", "Name the day on which it took effect"))?;
        let amount = "a decimal number; write it as 329.57";
        let some = |text: &str| Some(text.trim().to_owned()).filter(|t| !t.is_empty());
        let mut r = TransactionRequest::new(kind, date);
        r.symbol = some(&self.symbol);
        r.shares = PageError::parse("shares", &self.shares, amount)?;
        r.price = PageError::parse("price", &self.price, amount)?;
        r.fees = PageError::parse("fees", &self.fees, amount)?;
        r.amount = PageError::parse("amount", &self.amount, amount)?;
        if let Some(text) = some(&self.ratio) {
            let parts = text
                .split_once(':')
                .and_then(|(new, old)| Some((new.trim().parse().ok()?, old.trim().parse().ok()?)));
            let (new, old) = parts.ok_or_else(|| {
                PageError::field(
                    "ratio",
                    &format!("\"{text}\" is no ratio; write new shares for old ones as 2:1"),
                )
            })?;
            (r.new_shares, r.for_old) = (Some(new), Some(old));
        }
        r.reverses = PageError::parse("of", &self.of, "the number of a transaction")?;
        r.note = some(&self.note);
        Ok(r)
    }

    /// The address that brings the form back with what was typed and what is wrong.
    #[must_use]
    pub fn back(&self, error: &PageError) -> String {
        let link = TEXTS
            .iter()
            .fold(Link::to("/portfolio").with("kind", &self.kind), |l, n| {
                l.with(n, self.text(n))
            });
        let field = match error.field.as_deref() {
            Some("new_shares" | "for_old") => "ratio",
            Some("reverses") => "of",
            other => other.unwrap_or_default(),
        };
        let link = link.with("error", &error.detail).with("field", field);
        format!("{}#record", link.build())
    }
}

/// Records a transaction and leads back to what is held.
#[server(prefix = "/api/pages", endpoint = "add_transaction")]
pub(crate) async fn add_transaction(
    #[server(default)] form: TransactionForm,
) -> Result<i64, PageError> {
    let (services, actor) = writer()?;
    let made = match form.request() {
        Ok(request) => services
            .add_transaction(actor.0, request, None)
            .await
            .map_err(|e| refuse(&e)),
        Err(error) => {
            set_status(error.status);
            Err(error)
        }
    };
    match made {
        Ok(made) => {
            leptos_axum::redirect(&format!("/portfolio?recorded={}#holdings", made.id));
            Ok(made.id)
        }
        // Without script the form comes back as it was, with what is wrong.
        Err(error) if plain_form() => {
            leptos_axum::redirect(&form.back(&error));
            Err(error)
        }
        Err(error) => Err(error),
    }
}

/// Where transactions are sent.
const ADD: &str = "/api/pages/add_transaction";

/// Everything on the page.
#[derive(Debug, Clone)]
pub struct PortfolioPage {
    asked: Asked,
    holdings: Result<Holdings, PageError>,
    transactions: Vec<Transaction>,
    methods: Vec<(String, String)>,
    symbols: Vec<(String, String)>,
    optimised: Option<Result<Optimised, PageError>>,
    risk: Option<Result<PortfolioRisk, PageError>>,
    /// What the change that is asked for would mean.
    asked_change: Option<Result<WhatIf, PageError>>,
    /// What the change to the weights computed would mean, and the trades to get there.
    change: Option<(Result<WhatIf, PageError>, Result<Plan, PageError>)>,
}

/// An error of a part of the page: the page itself is well.
fn said(e: ServiceError) -> PageError {
    let problem = e.problem();
    let field = problem.field.map(|f| match f.strip_prefix("params.") {
        Some(name) => name.to_owned(),
        None => f,
    });
    let field = field.map(|f| match f.as_str() {
        "cost_bps" => "cost".to_owned(),
        "rebalance_days" => "rebalance".to_owned(),
        "benchmark_weights" => "group_weights".to_owned(),
        "current" => "before".to_owned(),
        // A parameter that has no field of its own was written among the further ones.
        name if FIELDS.contains(&name) || OWN.contains(&name) => f,
        _ => "more".to_owned(),
    });
    // Weights are sought, not fitted: what conflicts is told as such.
    let sought = problem.detail.strip_prefix("the fit failed: ");
    let (title, detail) = match sought {
        Some(detail) => ("No weights were found", detail),
        None => (problem.title.as_str(), problem.detail.as_str()),
    };
    PageError {
        field,
        suggestions: problem.suggestions,
        ..PageError::new(problem.status, title, detail)
    }
}

/// Fields of the other parts.
const OWN: [&str; 6] = [
    "benchmark",
    "weights",
    "confidence",
    "days",
    "target",
    "change",
];

async fn portfolio(pairs: Vec<(String, String)>) -> Result<PortfolioPage, PageError> {
    let services = reader()?;
    let asked = Asked::read(&pairs);
    let holdings = match asked.holdings() {
        Ok(request) => services.holdings(&request).await.map_err(said),
        Err(e) => Err(e),
    };
    let transactions = services.transactions(None).await.map_err(|e| refuse(&e))?;
    let sets = services.datasets().await.map_err(|e| refuse(&e))?;
    let symbols = sets
        .iter()
        .filter(|s| s.kind != DatasetKind::Series)
        .flat_map(|s| {
            let span = format!("{} to {}", format::day(s.first), format::day(s.last));
            s.symbols
                .iter()
                .map(move |symbol| (symbol.clone(), span.clone()))
        })
        .collect();
    let optimised = if asked.runs() {
        Some(match asked.optimise() {
            Ok(request) => services.optimise(&request).await.map_err(said),
            Err(e) => Err(e),
        })
    } else {
        None
    };
    let risk = risk(
        &services,
        &asked,
        optimised.as_ref(),
        holdings.as_ref().ok(),
    )
    .await;
    let change = change(
        &services,
        &asked,
        optimised.as_ref(),
        holdings.as_ref().ok(),
    )
    .await;
    let asked_change = match asked.what_if() {
        Ok(None) => None,
        Ok(Some(request)) => Some(services.what_if(&request).await.map_err(|e| {
            // A change that does not fit is told beside the changes.
            let e = said(e);
            let field = e.field.clone().map(|f| match f.as_str() {
                "target" | "more" | "symbols" => "change".to_owned(),
                _ => f,
            });
            PageError { field, ..e }
        })),
        Err(e) => Some(Err(e)),
    };
    let faults = [
        asked_change.as_ref().and_then(|c| c.as_ref().err()),
        holdings.as_ref().err(),
        optimised.as_ref().and_then(|o| o.as_ref().err()),
        risk.as_ref().and_then(|r| r.as_ref().err()),
    ];
    if let Some(e) = faults.into_iter().flatten().next() {
        set_status(e.status);
    }
    Ok(PortfolioPage {
        methods: services.portfolio_methods(),
        asked,
        holdings,
        transactions: transactions.items,
        symbols,
        optimised,
        risk,
        asked_change,
        change,
    })
}

/// The weights computed, without those that are nothing.
fn computed(o: &Optimised) -> std::collections::BTreeMap<String, f64> {
    let held = o.weights.iter().filter(|w| w.weight.abs() > 1e-6);
    held.map(|w| (w.symbol.clone(), w.weight)).collect()
}

fn is_held(h: &Holdings) -> bool {
    h.holdings.iter().any(|h| h.weight.is_some_and(|w| w > 0.0))
}

async fn risk(
    services: &Services,
    asked: &Asked,
    optimised: Option<&Result<Optimised, PageError>>,
    holdings: Option<&Holdings>,
) -> Option<Result<PortfolioRisk, PageError>> {
    let confidence =
        match PageError::parse("confidence", asked.get("confidence"), "a number of percent") {
            Ok(percent) => percent.map(|p: f64| p / 100.0),
            Err(e) => return Some(Err(e)),
        };
    let mut request = RiskRequest {
        confidence,
        ..RiskRequest::default()
    };
    if !asked.get("weights").is_empty() {
        match weights(asked.get("weights")) {
            Ok(map) => request.weights = map,
            Err(e) => return Some(Err(PageError::field("weights", &e))),
        }
    } else if let Some(Ok(o)) = optimised {
        request.weights = computed(o);
        (request.start, request.end) = (Some(o.start), Some(o.end));
    } else if !holdings.is_some_and(is_held) {
        return None;
    }
    Some(services.portfolio_risk(&request).await.map_err(said))
}

async fn change(
    services: &Services,
    asked: &Asked,
    optimised: Option<&Result<Optimised, PageError>>,
    holdings: Option<&Holdings>,
) -> Option<(Result<WhatIf, PageError>, Result<Plan, PageError>)> {
    let Some(Ok(o)) = optimised else { return None };
    let something = holdings.is_some_and(|h| is_held(h) || h.cash > Default::default());
    if !something {
        return None;
    }
    let target = computed(o);
    let compared = services
        .what_if(&WhatIfRequest {
            target: target.clone(),
            ..WhatIfRequest::default()
        })
        .await
        .map_err(said);
    let plan = match PageError::parse("days", asked.get("days"), "a whole number of days") {
        Ok(days) => services
            .plan(&PlanRequest {
                target,
                days,
                ..PlanRequest::default()
            })
            .await
            .map_err(said),
        Err(e) => Err(e),
    };
    Some((compared, plan))
}

/// The page.
#[component]
pub fn Portfolio() -> impl IntoView {
    let pairs = query::pairs(&use_location().search.get_untracked());
    view! {
        <Title text="Portfolio"/>
        <div class="page">
            {ui::head(
                &[("/", "mlTrainer")],
                "Portfolio".to_owned(),
                view! {
                    <p class="lede">
                        "What you hold and how it did, weights with a check on days that they were not made from, and what could go wrong. Nothing here sends an order."
                    </p>
                    <div class="actions">
                        <a class="button primary" href="/portfolio?run=1#optimise">"Optimise the bundled shares"</a>
                        " "
                        <a class="button" href="#record">"Record a transaction"</a>
                    </div>
                }
                .into_any(),
            )}
            {ui::loaded(portfolio(pairs), 16, |p| whole(&p))}
        </div>
    }
}

/// The notes of the holdings, which are told with them.
fn told_above(p: &PortfolioPage) -> &[String] {
    p.holdings.as_ref().map_or(&[], |h| h.notes.as_slice())
}

fn whole(p: &PortfolioPage) -> AnyView {
    let recorded = p.asked.get("recorded").to_owned();
    view! {
        {(!recorded.is_empty()).then(|| view! { <div class="notice good" role="status"><p>{format!("Transaction {recorded} is recorded.")}</p></div> })}
        {ui::panel("holdings", "Holdings", ().into_any(), holdings_part(p))}
        {ui::panel("record", "Record a transaction", ().into_any(), record(p))}
        {ui::panel("optimise", "Optimise", ().into_any(), optimise_part(p))}
        {p.change.as_ref().map(|c| ui::panel("plan", "From what you hold to these weights", ().into_any(), change_part(p, c)))}
        {ui::panel("risk", "Risk and stress", ().into_any(), risk_part(p))}
        {ui::panel("what-if", "What if", ().into_any(), what_if_part(p))}
        <p class="quiet">
            "The same as JSON: " <a href="/api/v1/portfolio" rel="external"><code>"/api/v1/portfolio"</code></a>
            "; on the command line: " <code>"mltrainer portfolio"</code> "."
        </p>
    }
    .into_any()
}

fn money(x: impl ToString) -> String {
    x.to_string()
        .parse::<f64>()
        .map_or_else(|_| format::NONE.to_owned(), |v| format::decimal(v, 2))
}

fn maybe_money(x: Option<impl ToString>) -> String {
    x.map_or_else(|| format::NONE.to_owned(), money)
}

fn percent(x: Option<f64>) -> String {
    format::percent(x, 1)
}

fn notes(list: &[String]) -> AnyView {
    besides(list, &[])
}

/// Notes that do not stand elsewhere on the page already.
fn besides(list: &[String], told: &[String]) -> AnyView {
    let list: Vec<&String> = list.iter().filter(|n| !told.contains(n)).collect();
    let each = list
        .iter()
        .map(|n| view! { <li>{ui::sentence(n.as_str())}</li> })
        .collect_view();
    (!list.is_empty())
        .then(|| view! { <ul class="quiet notes">{each}</ul> })
        .into_any()
}

fn holdings_part(p: &PortfolioPage) -> AnyView {
    let h = match &p.holdings {
        Ok(h) => h,
        Err(e) => return view! { {ui::error_panel(e)} {compare_form(p)} }.into_any(),
    };
    if h.transactions == 0 {
        return ui::empty(
            "Nothing is recorded yet",
            "Record a deposit and then a purchase below; the page shows value, profit and return from then on. Or look at weights first: that needs no holdings.",
            "#record",
            "Record a deposit",
        );
    }
    let day = h.as_of.map(format::day).unwrap_or_default();
    let performance = h.performance.as_ref();
    let stats = view! {
        <div class="stats">
            {ui::stat(money(h.value), "Value", format!("at the last closes until {day}"))}
            {ui::stat(money(h.cash), "Cash", format!("{} paid in", money(h.paid_in)))}
            {ui::stat(money(h.unrealised), "Unrealised", format!("cost {}", money(h.cost)))}
            {ui::stat(money(h.realised), "Realised", format!("dividends {}, fees {}", money(h.dividends), money(h.fees)))}
            {ui::stat(percent(performance.map(|f| f.time_weighted_return)), "Time-weighted return", performance.map_or_else(String::new, |f| format!("{} a year", percent(f.annual_return))))}
        </div>
    };
    let names = [
        "Share",
        "#Shares",
        "#Cost",
        "#Price",
        "Of",
        "#Value",
        "#Weight",
        "#Unrealised",
        "#Realised",
        "#Dividends",
    ];
    let rows = h.holdings.iter().map(holding).collect_view().into_any();
    let table = ui::table("Shares held", "cards", ui::heads(&names), rows);
    view! {
        {stats}
        {(!h.holdings.is_empty()).then_some(table)}
        {due(&h.due_actions)}
        {compare_form(p)}
        {performance.map(performance_part)}
        {h.attribution.as_ref().map(attribution)}
        {notes(&h.notes)}
        {recorded_list(&p.transactions)}
    }
    .into_any()
}

/// Splits and dividends in the data that are not recorded, each with a button that does.
fn due(list: &[TransactionRequest]) -> AnyView {
    let each = list
        .iter()
        .map(|t| {
            let symbol = t.symbol.clone().unwrap_or_default();
            let amount = t.amount.map(|a| a.to_string()).unwrap_or_default();
            let ratio = t
                .new_shares
                .zip(t.for_old)
                .map(|(new, old)| format!("{new}:{old}"))
                .unwrap_or_default();
            let what = if t.kind == TransactionKind::Split {
                format!("Split {ratio}")
            } else {
                format!("Dividend {amount}")
            };
            let day = t.date.to_string();
            let label = format!("Record {} of {symbol} on {day}", what.to_lowercase());
            view! {
                <tr>
                    <td class="figures">{format::day(t.date)}</td>
                    <th scope="row">{symbol.clone()}</th>
                    <td>{what}</td>
                    <td>
                        <form method="post" action=ADD>
                            <input type="hidden" name="form[kind]" value=t.kind.as_str()/>
                            <input type="hidden" name="form[date]" value=day/>
                            <input type="hidden" name="form[symbol]" value=symbol/>
                            <input type="hidden" name="form[amount]" value=amount/>
                            <input type="hidden" name="form[ratio]" value=ratio/>
                            <button class="button" aria-label=label>"Record"</button>
                        </form>
                    </td>
                </tr>
            }
        })
        .collect_view()
        .into_any();
    (!list.is_empty())
        .then(|| {
            view! {
                <h3>"In the data, not recorded"</h3>
                <p class="quiet">"Compare them with your statement: value and return are wrong until a split is recorded, and a dividend is missing in the cash."</p>
                {ui::table("Splits and dividends not recorded", "slim", ui::heads(&["Day", "Share", "What", "Take over"]), each)}
            }
        })
        .into_any()
}

fn holding(h: &Holding) -> AnyView {
    let name = match &h.dataset {
        Some(id) => {
            view! { <a href=format!("/data/{}", segment(id))>{h.symbol.clone()}</a> }.into_any()
        }
        None => h.symbol.clone().into_any(),
    };
    view! {
        <tr>
            <th scope="row">{name}</th>
            <td class="num">{h.shares.to_string()}</td>
            <td class="num">{money(h.cost)}</td>
            <td class="num">{maybe_money(h.price)}</td>
            <td class="figures">{h.price_date.map_or_else(|| format::NONE.to_owned(), format::day)}</td>
            <td class="num">{maybe_money(h.value)}</td>
            <td class="num">{percent(h.weight)}</td>
            <td class="num">{maybe_money(h.unrealised)}</td>
            <td class="num">{money(h.realised)}</td>
            <td class="num">{money(h.dividends)}</td>
        </tr>
    }
    .into_any()
}

/// How the holdings are told: benchmark and cost basis.
fn compare_form(p: &PortfolioPage) -> AnyView {
    let error = p.holdings.as_ref().err();
    let at = |name: &str| error.and_then(|e| e.at(name)).map(str::to_owned);
    let basis = vec![
        ("fifo".to_owned(), "first in, first out".to_owned()),
        ("average".to_owned(), "average cost".to_owned()),
    ];
    view! {
        <form method="get" action="/portfolio" class="filters" aria-label="How the holdings are told">
            {ui::field("benchmark", "Benchmark", "", at("benchmark"), typed("benchmark", p.asked.get("benchmark"), "SPX"))}
            {ui::field("basis", "Cost of what is sold", "", None, ui::select("basis", basis, p.asked.get("basis")))}
            {ui::field("groups", "Sectors, in its place", "", at("groups").or_else(|| at("sectors")), typed("groups", p.asked.get("groups"), "AAPL:devices,IBM:services"))}
            {ui::field("group_weights", "Benchmark weights", "", at("group_weights"), typed("group_weights", p.asked.get("group_weights"), "equal parts"))}
            <div class="field submit"><button class="button">"Compare"</button></div>
        </form>
    }
    .into_any()
}

fn typed(name: &'static str, value: &str, placeholder: &'static str) -> AnyView {
    view! {
        <input type="text" id=name name=name value=value.to_owned() placeholder=placeholder autocomplete="off" spellcheck="false"/>
    }
    .into_any()
}

fn decimal(name: &'static str, value: &str, placeholder: &'static str) -> AnyView {
    view! {
        <input type="text" inputmode="decimal" id=name name=name value=value.to_owned() placeholder=placeholder autocomplete="off"/>
    }
    .into_any()
}

/// A picture of lines over days, with reading and a table.
fn drawn(plot: &Plot) -> AnyView {
    match plot.draw(None, None) {
        Ok(Drawing { svg, frame }) => view! {
            <Chart source=String::new() frame=Some(frame)>
                <div class="drawn" inner_html=svg></div>
            </Chart>
        }
        .into_any(),
        Err(e) => view! { <p class="quiet">{ui::sentence(&e.to_string())}</p> }.into_any(),
    }
}

fn line(name: &str, colour: u8, values: Vec<Option<f64>>) -> LinePlot {
    LinePlot {
        name: name.to_owned(),
        colour,
        values,
        ..LinePlot::default()
    }
}

fn performance_part(f: &HoldingsPerformance) -> AnyView {
    let mut lines = vec![line(
        "Holdings",
        1,
        f.path.iter().map(|d| Some(d.growth)).collect(),
    )];
    if let Some(b) = &f.benchmark {
        lines.push(line(
            &b.name,
            2,
            f.path.iter().map(|d| d.benchmark).collect(),
        ));
    }
    let plot = Plot {
        title: "1 grown by the returns, deposits and withdrawals left out".to_owned(),
        dates: f.path.iter().map(|d| d.date).collect(),
        panels: vec![Part {
            weight: 1.0,
            unit: "growth of 1".to_owned(),
            lines,
            ..Part::default()
        }],
        ..Plot::default()
    };
    let mut facts = vec![
        ("Days", ui::text(format::count(f.days))),
        ("Volatility a year", ui::text(percent(f.volatility))),
        ("Largest fall", ui::text(percent(Some(f.max_drawdown)))),
    ];
    if let Some(b) = &f.benchmark {
        facts.push((
            "Benchmark",
            ui::text(format!("{} {}", b.name, percent(Some(b.total_return)))),
        ));
        facts.push(("Above it", ui::text(percent(Some(b.excess_return)))));
        facts.push(("Beta", ui::text(format::figure(b.beta))));
        facts.push(("Tracking error a year", ui::text(percent(b.tracking_error))));
    }
    view! { {(f.path.len() > 1).then(|| drawn(&plot))} {ui::facts(facts)} }.into_any()
}

fn attribution(a: &Attribution) -> AnyView {
    let (names, rows, total): (Vec<&str>, AnyView, f64) = match a {
        Attribution::Asset {
            contributions,
            total,
        } => {
            let rows = contributions
                .iter()
                .map(|(symbol, part)| view! {
                    <tr><th scope="row">{symbol.clone()}</th><td class="num">{format::percent(Some(*part), 2)}</td></tr>
                })
                .collect_view();
            (
                vec!["Share", "#Added to the return"],
                rows.into_any(),
                *total,
            )
        }
        Attribution::Sector { sectors, total } => {
            let rows = sectors
                .iter()
                .map(|s| {
                    let cells = [
                        s.weight,
                        s.benchmark_weight,
                        s.allocation,
                        s.selection,
                        s.interaction,
                    ]
                    .map(|x| view! { <td class="num">{format::percent(Some(x), 2)}</td> })
                    .collect_view();
                    view! { <tr><th scope="row">{s.sector.clone()}</th>{cells}</tr> }
                })
                .collect_view();
            let names = vec![
                "Sector",
                "#Weight",
                "#Benchmark",
                "#Allocation",
                "#Selection",
                "#Interaction",
            ];
            (names, rows.into_any(), *total)
        }
    };
    view! {
        <details>
            <summary>"Where the return comes from"</summary>
            <p class="quiet">{format!("All parts together are {}.", format::percent(Some(total), 2))}</p>
            {ui::table("Attribution", "slim", ui::heads(&names), rows)}
        </details>
    }
    .into_any()
}

/// A transaction in words.
fn in_words(t: &Transaction) -> String {
    fn text(x: Option<impl ToString>) -> String {
        x.map_or_else(String::new, |x| x.to_string())
    }
    let symbol = t.symbol.as_deref().unwrap_or_default();
    match t.kind {
        TransactionKind::Buy | TransactionKind::Sell => {
            format!("{} {symbol} at {}", text(t.shares), text(t.price))
        }
        TransactionKind::Deposit | TransactionKind::Withdrawal => text(t.amount),
        TransactionKind::Dividend => format!("{} of {symbol}", text(t.amount)),
        TransactionKind::Split => format!(
            "{symbol} {} for {}",
            t.new_shares.unwrap_or_default(),
            t.for_old.unwrap_or_default()
        ),
        TransactionKind::Reversal => format!("of {}", t.reverses.unwrap_or_default()),
    }
}

fn recorded_list(list: &[Transaction]) -> AnyView {
    let rows = list
        .iter()
        .take(LISTED)
        .map(|t| view! {
            <tr>
                <th scope="row" class="num">{t.id}</th>
                <td class="figures">{format::day(t.date)}</td>
                <td>{words::title(t.kind.as_str())}</td>
                <td class="wide">{in_words(t)} {t.note.clone().map(|n| view! { <small>{n}</small> })}</td>
            </tr>
        })
        .collect_view()
        .into_any();
    view! {
        <details>
            <summary>{format!("The last {} transactions", list.len().min(LISTED))}</summary>
            {ui::table("Transactions", "plain", ui::heads(&["#Number", "Day", "What", "Details"]), rows)}
            <p class="quiet">"Transactions are never changed; a wrong one is taken back by a reversal of its number. " <a href="/api/v1/portfolio/transactions" rel="external">"All of them"</a></p>
        </details>
    }
    .into_any()
}

/// The form of a transaction. Which fields a kind takes is told beside them.
fn record(p: &PortfolioPage) -> AnyView {
    let pairs = &p.asked.pairs;
    let f = TransactionForm::from_query(pairs);
    let detail = query::get(pairs, "error");
    let error = (!detail.is_empty()).then(|| PageError {
        field: Some(query::get(pairs, "field").to_owned()).filter(|f| !f.is_empty()),
        ..PageError::new(422, "The transaction was not recorded", detail)
    });
    let known = |e: &PageError| ["kind"].iter().chain(&TEXTS).any(|n| e.at(n).is_some());
    let general = error.as_ref().filter(|e| !known(e)).map(ui::error_panel);
    let at = |name: &str| error.as_ref().and_then(|e| e.at(name)).map(str::to_owned);
    let kinds = TransactionKind::ALL
        .map(|k| (k.as_str().to_owned(), words::title(k.as_str())))
        .to_vec();
    let first = if p.transactions.is_empty() {
        "deposit"
    } else {
        "buy"
    };
    let chosen = if f.kind.is_empty() { first } else { &f.kind };
    let options = kinds
        .into_iter()
        .map(|(value, words)| {
            let selected = value == chosen;
            view! { <option value=value selected=selected>{words}</option> }
        })
        .collect_view();
    let field = |name: &'static str, label: &str, help: &str, value: &str, mode: &'static str| {
        let control = view! {
            <input type="text" inputmode=mode id=name name=format!("form[{name}]") value=value.to_owned() autocomplete="off" spellcheck="false"/>
        };
        ui::field(name, label, help, at(name), control.into_any())
    };
    view! {
        {general}
        <form method="post" action=ADD class="form">
            <div class="fields">
                {ui::field("kind", "What", "", at("kind"), view! { <select id="kind" name="form[kind]">{options}</select> }.into_any())}
                {ui::field("date", "Day", "", at("date"), view! { <input type="date" id="date" name="form[date]" value=f.date.clone() required=true/> }.into_any())}
                {field("amount", "Cash", "Deposit, withdrawal, dividend.", &f.amount, "decimal")}
                {ui::field("symbol", "Symbol", "Buy, sell, dividend, split.", at("symbol"), view! {
                    <input type="text" id="symbol" name="form[symbol]" value=f.symbol.clone() list="known-symbols" autocapitalize="characters" autocomplete="off" spellcheck="false"/>
                    <datalist id="known-symbols">
                        {p.symbols.iter().map(|(s, span)| view! { <option value=s.clone()>{span.clone()}</option> }).collect_view()}
                    </datalist>
                }.into_any())}
                {field("shares", "Shares", "Buy, sell.", &f.shares, "decimal")}
                {field("price", "Price of one", "Buy, sell; as traded that day.", &f.price, "decimal")}
                {field("fees", "Fees", "Buy, sell; 0 when empty.", &f.fees, "decimal")}
                {field("ratio", "Split", "New shares for old ones, as in 2:1.", &f.ratio, "text")}
                {field("of", "Reverses number", "Reversal: takes a transaction back.", &f.of, "numeric")}
                {field("note", "Note", "A word of your own.", &f.note, "text")}
            </div>
            <div class="actions"><button class="button primary">"Record"</button></div>
        </form>
    }
    .into_any()
}

fn optimise_part(p: &PortfolioPage) -> AnyView {
    let result = match &p.optimised {
        None => view! {
            <p class="quiet">"One press takes the bundled US shares, the least variance and every default. Then change what you like: the address keeps it."</p>
        }
        .into_any(),
        Some(Err(e)) => ui::error_panel(e),
        Some(Ok(o)) => optimised(o),
    };
    view! { {optimise_form(p)} <div class="result">{result}</div> }.into_any()
}

/// Values of a parameter that is a word.
const COVARIANCES: [(&str, &str); 5] = [
    ("", "sample"),
    ("exponential", "exponential: recent days weigh more"),
    ("ledoit_wolf", "Ledoit-Wolf: shrunk"),
    ("oas", "OAS: shrunk"),
    ("factor", "factor model"),
];

const SHORT: [(&str, &str); 3] = [
    ("", "as the method has it"),
    ("true", "none: long only"),
    ("false", "allowed"),
];

const RETURNS: [(&str, &str); 5] = [
    ("", "as the method has it"),
    ("mean", "historical mean"),
    ("exponential", "exponential mean"),
    ("capm", "CAPM"),
    ("momentum", "momentum score"),
];

fn optimise_form(p: &PortfolioPage) -> AnyView {
    let error = p.optimised.as_ref().and_then(|o| o.as_ref().err());
    let at = |name: &str| error.and_then(|e| e.at(name)).map(str::to_owned);
    let a = &p.asked;
    let method = if a.get("method").is_empty() {
        "min_variance"
    } else {
        a.get("method")
    };
    let words = |all: &[(&str, &str)]| -> Vec<(String, String)> {
        all.iter()
            .map(|(v, t)| ((*v).to_owned(), (*t).to_owned()))
            .collect()
    };
    let open = FIELDS[4..]
        .iter()
        .any(|f| !a.get(f).is_empty() || at(f).is_some());
    let day = |name: &'static str| {
        let value: Result<chrono::NaiveDate, _> = a.get(name).parse();
        let value = value.map(format::day).unwrap_or_default();
        view! { <input type="date" id=name name=name value=value/> }.into_any()
    };
    view! {
        <form method="get" action="/portfolio#optimise" class="form" aria-label="What is optimised">
            <input type="hidden" name="run" value="1"/>
            <div class="fields">
                {ui::field("symbols", "Symbols", "With commas between; the bundled US shares when empty.", at("symbols"), view! {
                    <input type="text" id="symbols" name="symbols" value=a.get("symbols").to_owned() placeholder="the bundled US shares" autocapitalize="characters" autocomplete="off" spellcheck="false"/>
                }.into_any())}
                {ui::field("method", "Method", "", at("method"), ui::select("method", p.methods.clone(), method))}
                {ui::field("start", "From", "", at("start"), day("start"))}
                {ui::field("end", "To", "", at("end"), day("end"))}
            </div>
            <details open=open>
                <summary>"Constraints, estimates, check"</summary>
                <div class="fields">
                    {ui::field("max_weight", "Largest weight", "One number, or SYMBOL:number with commas.", at("max_weight"), typed("max_weight", a.get("max_weight"), "1"))}
                    {ui::field("min_weight", "Smallest weight", "Likewise.", at("min_weight"), typed("min_weight", a.get("min_weight"), "0"))}
                    {ui::field("max_positions", "Positions at most", "", at("max_positions"), decimal("max_positions", a.get("max_positions"), "all"))}
                    {ui::field("long_only", "Short sales", "", at("long_only"), ui::select("long_only", words(&SHORT), a.get("long_only")))}
                    {ui::field("sectors", "Sectors", "SYMBOL:sector with commas.", at("sectors"), typed("sectors", a.get("sectors"), "KO_ADJ:food"))}
                    {ui::field("sector_caps", "Most of a sector", "sector:number with commas.", at("sector_caps"), typed("sector_caps", a.get("sector_caps"), "food:0.2"))}
                    {ui::field("current_weights", "Weights now", "SYMBOL:weight with commas.", at("current_weights"), typed("current_weights", a.get("current_weights"), "KO_ADJ:0.5,XOM_ADJ:0.5"))}
                    {ui::field("max_turnover", "Turnover at most", "From the weights now: sum of all changes.", at("max_turnover"), decimal("max_turnover", a.get("max_turnover"), "any"))}
                    {ui::field("covariance", "Covariance", "", at("covariance"), ui::select("covariance", words(&COVARIANCES), a.get("covariance")))}
                    {ui::field("expected_returns", "Expected returns", "Only for methods that use them.", at("expected_returns"), ui::select("expected_returns", words(&RETURNS), a.get("expected_returns")))}
                    {ui::field("views", "Views", "Annual returns, SYMBOL:number; Black-Litterman also A>B:number.", at("views"), typed("views", a.get("views"), "KO_ADJ:0.08"))}
                    {ui::field("more", "Further parameters", "NAME=VALUE with semicolons; the method's card has them all.", at("more"), typed("more", a.get("more"), "risk_free_rate=0.02"))}
                    {ui::field("test_share", "Kept back for the check, %", "0 for no check.", at("test_share"), decimal("test_share", a.get("test_share"), "30"))}
                    {ui::field("cost", "Cost of a trade, basis points", "", at("cost"), decimal("cost", a.get("cost"), "10"))}
                    {ui::field("rebalance", "Rebalance every, days", "0 for never.", at("rebalance"), decimal("rebalance", a.get("rebalance"), "21"))}
                </div>
            </details>
            <div class="actions"><button class="button primary">"Optimise"</button></div>
        </form>
    }
    .into_any()
}

fn optimised(o: &Optimised) -> AnyView {
    let stats = view! {
        <div class="stats">
            {ui::stat(percent(Some(o.expected_return)), "Expected return", "a year, by the estimates".to_owned())}
            {ui::stat(percent(Some(o.volatility)), "Volatility", "a year, by the estimates".to_owned())}
            {ui::stat(format::figure(o.sharpe_ratio), "Sharpe ratio", "by the estimates".to_owned())}
            {ui::stat(format::count(o.positions), "Positions", format!("as many as {} equal ones", format::figure(o.effective_assets)))}
        </div>
    };
    let span = format!(
        "{} over {}, {} to {}.",
        o.title,
        format::counted(o.days, "day", "days"),
        format::day(o.start),
        format::day(o.end)
    );
    let sectors = o
        .sector_weights
        .iter()
        .map(|(s, w)| view! { <li><span class="tag">{s.clone()} " " <span class="figures">{percent(Some(*w))}</span></span></li> })
        .collect_view();
    let lineage = ui::lineage(&o.lineage);
    view! {
        <p>{span} " " <a href=format!("/models/{}", segment(&o.method))>"The method's card"</a></p>
        {stats}
        {o.out_of_sample.as_ref().map(check)}
        <div class="columns">
            <div>
                <h3>"Frontier"</h3>
                {frontier(o)}
            </div>
            <div>
                <h3>"Weights"</h3>
                {bars(o)}
                {(!o.sector_weights.is_empty()).then(|| view! { <ul class="chips">{sectors}</ul> })}
            </div>
        </div>
        {weights_table(o)}
        {notes(&o.notes)}
        <details><summary>"Where the prices come from"</summary>{lineage}</details>
    }
    .into_any()
}

/// Weights as bars; those of almost nothing are counted.
fn bars(o: &Optimised) -> AnyView {
    let seen: Vec<_> = o.weights.iter().filter(|w| w.weight.abs() > SEEN).collect();
    let rest = o.weights.len() - seen.len();
    let most = seen.iter().map(|w| w.weight.abs()).fold(0.0, f64::max);
    let rows = seen
        .iter()
        .map(|w| {
            view! {
                <li>
                    <span>{w.symbol.clone()}</span>
                    <meter min="0" max=most value=w.weight.abs() aria-hidden="true"></meter>
                    <span class="figures">{percent(Some(w.weight))}</span>
                </li>
            }
        })
        .collect_view();
    view! {
        <ul class="bars weights">{rows}</ul>
        {(rest > 0).then(|| view! { <p class="quiet">{format!("{} without weight.", format::counted(rest as u64, "share", "shares"))}</p> })}
    }
    .into_any()
}

fn frontier(o: &Optimised) -> AnyView {
    let Some(svg) = charts::frontier::picture(o) else {
        return view! { <p class="quiet">"There is no frontier to draw; the notes say why."</p> }
            .into_any();
    };
    let rows = o
        .frontier
        .iter()
        .flat_map(|f| &f.points)
        .map(|p| {
            view! {
                <tr>
                    <th scope="row" class="num">{percent(Some(p.volatility))}</th>
                    <td class="num">{percent(Some(p.expected_return))}</td>
                    <td class="num">{format::figure(p.sharpe_ratio)}</td>
                </tr>
            }
        })
        .collect_view()
        .into_any();
    view! {
        <figure class="chart">
            <div class="plot still"><div class="plot-picture"><div class="drawn" inner_html=svg></div></div></div>
            <details class="values">
                <summary>"Values as a table"</summary>
                {ui::table("Points of the frontier", "plain", ui::heads(&["#Volatility", "#Expected return", "#Sharpe ratio"]), rows)}
            </details>
        </figure>
    }
    .into_any()
}

fn weights_table(o: &Optimised) -> AnyView {
    let rows = o
        .weights
        .iter()
        .map(|w| {
            view! {
                <tr>
                    <th scope="row">{w.symbol.clone()}</th>
                    <td class="num">{format::percent(Some(w.weight), 2)}</td>
                    <td class="num">{percent(w.risk_contribution)}</td>
                    <td class="num">{percent(w.expected_return)}</td>
                    <td class="num">{percent(w.volatility)}</td>
                </tr>
            }
        })
        .collect_view()
        .into_any();
    let names = [
        "Share",
        "#Weight",
        "#Share of the risk",
        "#Expected return",
        "#Volatility",
    ];
    view! {
        <details>
            <summary>"All shares, with their part of the risk"</summary>
            {ui::table("Weights and risk", "plain", ui::heads(&names), rows)}
        </details>
    }
    .into_any()
}

/// The check on days not seen.
fn check(t: &OutOfSample) -> AnyView {
    let plot = Plot {
        title: format!(
            "1 put in on {}, after costs, on days that the weights were not made from",
            format::day(t.test_start)
        ),
        dates: t.dates.clone(),
        panels: vec![Part {
            weight: 1.0,
            unit: "growth of 1".to_owned(),
            lines: vec![
                line(
                    "These weights",
                    1,
                    t.portfolio.growth.iter().copied().map(Some).collect(),
                ),
                line(
                    "Equal weights",
                    2,
                    t.equal_weight.growth.iter().copied().map(Some).collect(),
                ),
            ],
            ..Part::default()
        }],
        ..Plot::default()
    };
    let rows = [
        ("These weights", &t.portfolio),
        ("Equal weights", &t.equal_weight),
    ]
    .into_iter()
    .map(|(name, path)| {
        view! {
            <tr>
                <th scope="row">{name}</th>
                <td class="num">{percent(Some(path.annual_return))}</td>
                <td class="num">{percent(path.volatility)}</td>
                <td class="num">{format::figure(path.sharpe_ratio)}</td>
                <td class="num">{percent(Some(path.max_drawdown))}</td>
                <td class="num">{format::figure(Some(path.turnover))}</td>
                <td class="num">{format::percent(Some(path.cost), 2)}</td>
            </tr>
        }
    })
    .collect_view()
    .into_any();
    let names = [
        "Weights",
        "#Return a year",
        "#Volatility",
        "#Sharpe ratio",
        "#Largest fall",
        "#Turnover",
        "#Cost",
    ];
    view! {
        <h3>"The check on days not seen"</h3>
        <p>{t.finding.clone()}</p>
        <p class="quiet">{format!(
            "Weights from {} to {}, bought at the close of {}, held until {}; {} basis points of what is traded.",
            format::day(t.train_start),
            format::day(t.train_end),
            format::day(t.test_start),
            format::day(t.test_end),
            t.cost_bps
        )}</p>
        {drawn(&plot)}
        {ui::table("The check beside equal weights", "plain", ui::heads(&names), rows)}
    }
    .into_any()
}

fn change_part(
    p: &PortfolioPage,
    (compared, plan): &(Result<WhatIf, PageError>, Result<Plan, PageError>),
) -> AnyView {
    let compared = match compared {
        Ok(w) => what_if(w, told_above(p)),
        Err(e) => ui::error_panel(e),
    };
    let wrong_days = plan
        .as_ref()
        .err()
        .and_then(|e| e.at("days"))
        .map(str::to_owned);
    let planned = match plan {
        Ok(plan) => plan_view(plan, told_above(p)),
        Err(e) => ui::error_panel(e),
    };
    let kept = p
        .asked
        .pairs
        .iter()
        .filter(|(n, _)| n != "days" && !is_message(n))
        .map(|(n, v)| view! { <input type="hidden" name=n.clone() value=v.clone()/> })
        .collect_view();
    view! {
        <h3>"Before and after"</h3>
        {compared}
        <h3>"Trades to get there"</h3>
        <form method="get" action="/portfolio#plan" class="filters" aria-label="How the trades are spread">
            {kept}
            {ui::field("days", "Spread over, days", "", wrong_days, decimal("days", p.asked.get("days"), "5"))}
            <div class="field submit"><button class="button">"Plan"</button></div>
        </form>
        {planned}
    }
    .into_any()
}

fn crisis(s: &WhatIfSide) -> String {
    let name = s.worst_crisis_name.as_deref().map(words::plain);
    name.unwrap_or_else(|| format::NONE.to_owned())
}

fn what_if(w: &WhatIf, told: &[String]) -> AnyView {
    type Figure = fn(&WhatIfSide) -> String;
    let rows: [(&str, Figure); 8] = [
        ("Mean return a year", |s| percent(Some(s.mean_return))),
        ("Volatility a year", |s| percent(Some(s.volatility))),
        ("Largest fall", |s| percent(Some(s.max_drawdown))),
        ("Value at risk of a day", |s| {
            format::percent(s.value_at_risk, 2)
        }),
        ("Expected shortfall of a day", |s| {
            format::percent(s.conditional_value_at_risk, 2)
        }),
        ("Beta", |s| format::figure(s.beta)),
        ("Concentration", |s| format::figure(Some(s.concentration))),
        ("Worst crisis", |s| percent(s.worst_crisis)),
    ];
    let rows = rows
        .into_iter()
        .map(|(name, of)| view! {
            <tr><th scope="row">{name}</th><td class="num">{of(&w.before)}</td><td class="num">{of(&w.after)}</td></tr>
        })
        .collect_view()
        .into_any();
    view! {
        {ui::table("Risk before and after", "slim", ui::heads(&["Figure", "#Now", "#After"]), rows)}
        <p class="quiet">{format!(
            "Over {} that all have, {} to {}; turnover {}, cost {}; beta against {}. Worst crisis now: {}; after: {}.",
            format::counted(w.days, "day", "days"),
            format::day(w.start),
            format::day(w.end),
            percent(Some(w.turnover)),
            format::percent(Some(w.cost), 2),
            w.market,
            crisis(&w.before),
            crisis(&w.after)
        )}</p>
        {besides(&w.notes, told)}
    }
    .into_any()
}

/// Weights before and after a change of one's own.
fn what_if_part(p: &PortfolioPage) -> AnyView {
    let error = p.asked_change.as_ref().and_then(|r| r.as_ref().err());
    let at = |name: &str| error.and_then(|e| e.at(name)).map(str::to_owned);
    let kept = p
        .asked
        .pairs
        .iter()
        .filter(|(n, _)| !["before", "change"].contains(&n.as_str()) && !is_message(n))
        .map(|(n, v)| view! { <input type="hidden" name=n.clone() value=v.clone()/> })
        .collect_view();
    let body = match &p.asked_change {
        None => view! {
            <p class="quiet">"Write how much each weight rises or falls; what is left over goes into cash. Before it stands what you hold, or the weights you name."</p>
        }
        .into_any(),
        Some(Err(e)) => ui::error_panel(e),
        Some(Ok(w)) => what_if(w, told_above(p)),
    };
    view! {
        <form method="get" action="/portfolio#what-if" class="filters" aria-label="What is changed">
            {kept}
            {ui::field("change", "Change of weights", "", at("change"), typed("change", p.asked.get("change"), "AAPL:-0.1,IBM:0.1"))}
            {ui::field("before", "Weights before", "", at("before"), typed("before", p.asked.get("before"), "what is held"))}
            <div class="field submit"><button class="button">"Compare"</button></div>
        </form>
        {body}
    }
    .into_any()
}

fn plan_view(plan: &Plan, told: &[String]) -> AnyView {
    let rows = plan
        .trades
        .iter()
        .map(|t| {
            view! {
                <tr>
                    <th scope="row" class="num">{t.day}</th>
                    <td>{words::title(&t.side)}</td>
                    <td>{t.symbol.clone()}</td>
                    <td class="num">{t.shares.to_string()}</td>
                    <td class="num">{money(t.price)}</td>
                    <td class="num">{money(t.value)}</td>
                    <td class="num">{money(t.cost)}</td>
                </tr>
            }
        })
        .collect_view()
        .into_any();
    let alarms: Vec<String> = plan
        .alarms
        .iter()
        .map(|a| {
            format!(
                "{} at {}",
                format::percent(Some(a.drawdown), 0),
                money(a.value)
            )
        })
        .collect();
    let names = [
        "#Day", "Side", "Share", "#Shares", "#Price", "#Value", "#Cost",
    ];
    let positions = plan
        .positions
        .iter()
        .map(|r| {
            view! {
                <tr>
                    <th scope="row">{r.symbol.clone()}</th>
                    <td class="num">{r.shares_before.to_string()}</td>
                    <td class="num">{r.shares_after.to_string()}</td>
                    <td class="num">{percent(Some(r.weight_before))}</td>
                    <td class="num">{percent(Some(r.weight_target))}</td>
                    <td class="num">{percent(Some(r.weight_after))}</td>
                    <td class="num">{maybe_money(r.rebalance_below)}</td>
                    <td class="num">{maybe_money(r.rebalance_above)}</td>
                </tr>
            }
        })
        .collect_view()
        .into_any();
    let kept = [
        "Share",
        "#Shares now",
        "#After",
        "#Weight now",
        "#Target",
        "#After",
        "#Look below",
        "#Look above",
    ];
    view! {
        <p>{format!(
            "{} traded of a value of {}, cost {}; cash goes from {} to {}.",
            money(plan.traded),
            money(plan.value),
            money(plan.cost),
            money(plan.cash_before),
            money(plan.cash_after)
        )}</p>
        {ui::table("Positions of the plan", "plain", ui::heads(&kept), positions)}
        <p class="quiet">"Below or above these prices a weight is 5 points off its target, all else unchanged: then look again."</p>
        {(!plan.trades.is_empty()).then(|| view! {
            <details>
                <summary>{format!("{}, day by day", format::counted(plan.trades.len() as u64, "trade", "trades"))}</summary>
                {ui::table("Trades of the plan", "plain", ui::heads(&names), rows)}
            </details>
        })}
        <p>{format!("Look again, too, when the value has fallen by {}.", alarms.join(", by "))}</p>
        {besides(&plan.notes, told)}
    }
    .into_any()
}

fn risk_part(p: &PortfolioPage) -> AnyView {
    let error = p.risk.as_ref().and_then(|r| r.as_ref().err());
    let at = |name: &str| error.and_then(|e| e.at(name)).map(str::to_owned);
    let kept = p
        .asked
        .pairs
        .iter()
        .filter(|(n, _)| !["weights", "confidence"].contains(&n.as_str()) && !is_message(n))
        .map(|(n, v)| view! { <input type="hidden" name=n.clone() value=v.clone()/> })
        .collect_view();
    let whose = if !p.asked.get("weights").is_empty() {
        "Of the weights given."
    } else if matches!(p.optimised, Some(Ok(_))) {
        "Of the weights computed above."
    } else {
        "Of what you hold."
    };
    let body = match &p.risk {
        None => view! {
            <p class="quiet">"Nothing is held and no weights are computed: press Optimise above, or write weights here."</p>
        }
        .into_any(),
        Some(Err(e)) => ui::error_panel(e),
        Some(Ok(r)) => view! { <p>{whose}</p> {risk_view(r, told_above(p))} }.into_any(),
    };
    view! {
        <form method="get" action="/portfolio#risk" class="filters" aria-label="Whose risk is told">
            {kept}
            {ui::field("weights", "Weights", "", at("weights"), typed("weights", p.asked.get("weights"), "KO_ADJ:0.5,XOM_ADJ:0.5"))}
            {ui::field("confidence", "Confidence, %", "", at("confidence"), decimal("confidence", p.asked.get("confidence"), "95"))}
            <div class="field submit"><button class="button">"Look"</button></div>
        </form>
        {body}
    }
    .into_any()
}

fn risk_view(r: &PortfolioRisk, told: &[String]) -> AnyView {
    let stats = view! {
        <div class="stats">
            {ui::stat(percent(Some(r.volatility)), "Volatility", "a year".to_owned())}
            {ui::stat(percent(Some(r.max_drawdown)), "Largest fall", "with these weights".to_owned())}
            {ui::stat(format::figure(r.beta), "Beta", format!("against {}", r.market))}
            {ui::stat(format::figure(Some(r.concentration)), "Concentration", "1 is one share alone".to_owned())}
        </div>
    };
    let tails = r
        .tails
        .iter()
        .map(|t| {
            view! {
                <tr>
                    <th scope="row">{words::title(&t.method)}</th>
                    <td class="num">{format::percent(t.value_at_risk, 2)}</td>
                    <td class="num">{format::percent(t.conditional_value_at_risk, 2)}</td>
                    <td class="num">{maybe_money(t.value_at_risk_amount)}</td>
                </tr>
            }
        })
        .collect_view()
        .into_any();
    let covered: Vec<&Crisis> = r.crises.iter().filter(|c| c.covered).collect();
    let crises = covered
        .iter()
        .map(|c| view! {
            <tr>
                <th scope="row">{words::title(&c.name)}<small>{format!("{} to {}", format::day(c.from), format::day(c.to))}</small></th>
                <td class="num">{percent(c.total_return)}</td>
                <td class="num">{percent(c.max_drawdown)}</td>
                <td class="num">{percent(c.worst_day_return)}</td>
                <td class="num">{c.days_to_recover.map_or_else(|| format::NONE.to_owned(), |d| format::decimal(d, 0))}</td>
                <td class="num">{format::figure(c.correlation)}</td>
                <td class="num">{format::figure(c.correlation_outside)}</td>
            </tr>
        })
        .collect_view()
        .into_any();
    let outside: Vec<String> = r
        .crises
        .iter()
        .filter(|c| !c.covered)
        .map(|c| words::plain(&c.name))
        .collect();
    let shocks = r
        .shocks
        .iter()
        .map(|s| view! {
            <tr><th scope="row" class="num">{percent(Some(s.market))}</th><td class="num">{percent(Some(s.portfolio))}</td></tr>
        })
        .collect_view()
        .into_any();
    let check = r.check.as_ref().map(|c| {
        format!(
            "On {} of {} past days the loss was larger than the historical value at risk known before; {} were to be expected (Kupiec's p {}, zone {}).",
            format::count(c.exceedances),
            format::count(c.days),
            format::decimal(c.expected, 1),
            format::p_value(c.kupiec_p_value),
            c.traffic_light.as_deref().unwrap_or(format::NONE)
        )
    });
    let horizon = format::counted(r.horizon.into(), "day", "days");
    view! {
        {stats}
        <h3>{format!("Losses of {horizon} that are exceeded in {} of cases", format::percent(Some(1.0 - r.confidence), 1))}</h3>
        {ui::table("Value at risk", "slim", ui::heads(&["By", "#Value at risk", "#Expected shortfall", "#In money"]), tails)}
        {check.map(|c| view! { <p class="quiet">{c}</p> })}
        <h3>"Crises replayed with these weights"</h3>
        {ui::table("Crises", "cards", ui::heads(&["Crisis", "#Return", "#Largest fall", "#Worst day", "#Days to recover", "#Correlation", "#Else"]), crises)}
        {(!outside.is_empty()).then(|| view! { <p class="quiet">{format!("Not in these data: {}.", outside.join(", "))}</p> })}
        <h3>"If the market falls"</h3>
        {ui::table("Shocks of the market", "slim", ui::heads(&["#Market", "#This portfolio, by beta"]), shocks)}
        <p class="quiet">{format!("{}, {} to {}.", format::counted(r.days, "day", "days"), format::day(r.start), format::day(r.end))}</p>
        {besides(&r.notes, told)}
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Asked {
        Asked::read(&query::pairs(query))
    }

    #[test]
    fn an_address_becomes_a_request() {
        let r = asked("?run=1&symbols=KO_ADJ,XOM_ADJ&method=max_sharpe&max_weight=0.6&covariance=&more=risk_free_rate%3D0.02;%20risk_aversion=3&test_share=25")
            .optimise()
            .unwrap();
        assert_eq!(r.symbols, ["KO_ADJ", "XOM_ADJ"]);
        assert_eq!(r.method.as_deref(), Some("max_sharpe"));
        let names: Vec<&str> = r.params.keys().map(String::as_str).collect();
        assert_eq!(names, ["max_weight", "risk_aversion", "risk_free_rate"]);
        assert_eq!(r.test_share, Some(0.25));
        assert_eq!(asked("").optimise().unwrap(), OptimiseRequest::default());
        assert_eq!(asked("").what_if().unwrap(), None);
        let change = asked("?change=AAPL:-0.1").what_if().unwrap().unwrap();
        assert_eq!(change.change["AAPL"], -0.1);
        for (query, field) in [("?change=AAPL", "change"), ("?before=AAPL:1", "change")] {
            let error = asked(query).what_if().unwrap_err();
            assert_eq!(error.field.as_deref(), Some(field), "{query}");
        }
        let told = asked("?groups=AAPL:tech&group_weights=AAPL:1")
            .holdings()
            .unwrap();
        assert_eq!(told.sectors["AAPL"], "tech");
        let error = asked("?groups=AAPL").holdings().unwrap_err();
        assert_eq!(error.field.as_deref(), Some("groups"));
        for (query, field) in [
            ("?start=yesterday", "start"),
            ("?cost=cheap", "cost"),
            ("?rebalance=-1", "rebalance"),
            ("?more=risk", "more"),
            ("?max_weight=1&more=max_weight=0.5", "more"),
        ] {
            let error = asked(query).optimise().unwrap_err();
            assert_eq!(error.field.as_deref(), Some(field), "{query}");
        }
    }

    #[test]
    fn a_form_becomes_a_transaction() {
        let form = TransactionForm {
            kind: "buy".into(),
            date: "2011-01-03".into(),
            symbol: " aapl ".into(),
            shares: "10".into(),
            price: "329.57".into(),
            ..TransactionForm::default()
        };
        let r = form.request().unwrap();
        assert_eq!(r.price.unwrap().to_string(), "329.57");
        assert_eq!(r.symbol.as_deref(), Some("aapl"));
        let wrong = |change: fn(&mut TransactionForm)| {
            let mut f = form.clone();
            change(&mut f);
            f.request().unwrap_err().field.unwrap()
        };
        assert_eq!(wrong(|f| f.kind = "short".into()), "kind");
        assert_eq!(wrong(|f| f.date = String::new()), "date");
        assert_eq!(wrong(|f| f.date = "3.1.2011".into()), "date");
        assert_eq!(wrong(|f| f.shares = "ten".into()), "shares");
        assert_eq!(wrong(|f| f.ratio = "2".into()), "ratio");
        assert_eq!(wrong(|f| f.of = "x".into()), "of");
    }

    #[test]
    fn a_refused_form_comes_back_as_it_was() {
        let form = TransactionForm {
            kind: "split".into(),
            date: "2005-02-28".into(),
            symbol: "A&B".into(),
            ratio: "2:2".into(),
            ..TransactionForm::default()
        };
        let link = form.back(&PageError::field("new_shares", "2 for 2 changes nothing"));
        let (query, fragment) = link.split_once('?').unwrap().1.split_once('#').unwrap();
        let pairs = query::pairs(query);
        assert_eq!(TransactionForm::from_query(&pairs), form);
        assert_eq!((query::get(&pairs, "field"), fragment), ("ratio", "record"));
    }
}
