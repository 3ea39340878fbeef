//! The editor of back tests: a ready-made strategy with its parameters, a form for the usual choices, or
//! the strategy's JSON. All fields are the query of the address, so that a test can be prepared by a
//! link, and what is typed is checked by asking for this same page; without script by a button.

use crate::error::PageError;
use crate::format;
use crate::query::{self, Link};
use crate::server::{plain_form, reader, refuse, set_status, writer};
use crate::ui;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;
use mltrainer_types::backtest::{
    BacktestRequest, ReadyMade, StrategyCheck, StrategyCheckRequest, StrategyFault,
};
use mltrainer_types::data::DatasetKind;
use mltrainer_types::strategy::{
    CostSpec, Distance, EntryOrder, FillAt, LimitSpec, SideSpec, Sizing, StrategySpec,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Most characters of a strategy on this page: it travels in the address. Longer ones go through the
/// command line and the API.
pub(crate) const LONGEST: usize = 16_000;

/// What the JSON begins with.
const EXAMPLE: &str = r#"{
  "name": "Pullback in a rising trend",
  "define": [{"name": "trend", "expression": "sma(close, 200)"}],
  "long": {
    "enter": "close > trend and rsi(close, 4) < 25",
    "exit": "rsi(close, 4) > 60"
  },
  "stop_loss": {"kind": "amount", "expression": "2 * atr(14)"},
  "max_bars": 20
}"#;

/// The fields as they are typed, by name; what is not there is the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Typed(pub(crate) BTreeMap<String, String>);

/// How the strategy is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The id of a ready-made one, with parameters.
    Ready,
    /// The fields of the form.
    Form,
    /// JSON.
    Json,
}

impl By {
    pub(crate) const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::Ready, "ready", "Ready-made"),
        (Self::Form, "form", "Form"),
        (Self::Json, "json", "JSON"),
    ];

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, w, _)| *w == word).map(|a| a.0)
    }

    pub(crate) fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|a| a.0 == self)
            .map_or("ready", |a| a.1)
    }
}

impl Typed {
    /// Out of a query.
    #[must_use]
    pub fn of(pairs: &[(String, String)]) -> Self {
        Self(pairs.iter().cloned().collect())
    }

    /// The text of a field, trimmed; empty when there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |t| t.trim())
    }

    pub(crate) fn set(&mut self, name: &str, text: impl Into<String>) {
        let text = text.into();
        if text.is_empty() {
            self.0.remove(name);
        } else {
            self.0.insert(name.to_owned(), text);
        }
    }

    pub(crate) fn by(&self) -> By {
        By::parse(self.get("by")).unwrap_or(By::Ready)
    }

    pub(crate) fn ready(&self) -> &str {
        match self.get("ready") {
            "" => "sma_crossover",
            id => id,
        }
    }

    pub(crate) fn number<T: std::str::FromStr>(
        &self,
        name: &str,
        kind: &str,
    ) -> Result<Option<T>, PageError> {
        PageError::parse(name, self.get(name), kind)
    }

    fn share(&self, name: &str, unit: f64) -> Result<Option<f64>, PageError> {
        let kind = if unit > 100.0 {
            "a number of basis points"
        } else {
            "a number of percent"
        };
        Ok(self.number::<f64>(name, kind)?.map(|x| x / unit))
    }
}

/// A distance as it is typed: a number is percent of the price paid, anything else an expression.
fn distance(text: &str) -> Option<Distance> {
    match (text, text.trim_end_matches('%').trim().parse::<f64>()) {
        ("", _) => None,
        (_, Ok(percent)) => Some(Distance::Share {
            share: percent / 100.0,
        }),
        (text, Err(_)) => Some(Distance::Amount {
            expression: text.to_owned(),
        }),
    }
}

/// The strategy that the form's fields describe.
///
/// # Errors
/// A field whose text is not of its kind.
pub fn composed(t: &Typed) -> Result<StrategySpec, PageError> {
    let side = |enter: &str, exit: &str| {
        let (enter, exit) = (t.get(enter), t.get(exit));
        (!enter.is_empty()).then(|| SideSpec {
            enter: enter.to_owned(),
            exit: Some(exit.to_owned()).filter(|x| !x.is_empty()),
        })
    };
    let size: Option<f64> = t.number("size", "a number")?;
    let window: Option<u32> = t.number("window", "a whole number of bars")?;
    let cap = t.share("cap", 100.0)?.unwrap_or(1.0);
    let sizing = match t.get("sizing") {
        "" | "fraction" => Sizing::Fraction {
            fraction: size.unwrap_or(100.0) / 100.0,
        },
        "amount" => Sizing::Amount {
            amount: size.unwrap_or(1000.0),
        },
        "volatility_target" => Sizing::VolatilityTarget {
            annual: size.unwrap_or(15.0) / 100.0,
            window: window.unwrap_or(20),
            cap,
        },
        "kelly" => Sizing::Kelly {
            window: window.unwrap_or(250),
            fraction: size.unwrap_or(50.0) / 100.0,
            cap,
        },
        other => {
            return Err(PageError::field(
                "sizing",
                &format!("\"{other}\" is not one of fraction, amount, volatility_target, kelly"),
            ));
        }
    };
    let fill = match t.get("fill") {
        "next_close" => FillAt::NextClose,
        "this_close" => FillAt::ThisClose,
        _ => FillAt::NextOpen,
    };
    Ok(StrategySpec {
        name: match t.get("name") {
            "" => "Strategy of the form".to_owned(),
            name => name.to_owned(),
        },
        note: String::new(),
        universe: Vec::new(),
        columns: Vec::new(),
        define: Vec::new(),
        long: side("enter", "exit"),
        short: side("short_enter", "short_exit"),
        weight: None,
        rebalance: None,
        sizing,
        max_risk: t.share("risk", 100.0)?,
        stop_loss: distance(t.get("stop")),
        profit_target: distance(t.get("target")),
        trailing_stop: distance(t.get("trail")),
        max_bars: t.number("max_bars", "a whole number of bars")?,
        entry_order: EntryOrder::Market,
        fill,
        cash: None,
        whole_shares: None,
        costs: None,
        limits: LimitSpec::default(),
    })
}

/// A distance as the form shows it; nothing for one at a price.
fn distance_text(d: Option<&Distance>) -> Option<String> {
    match d {
        None => Some(String::new()),
        Some(Distance::Share { share }) => Some(plain(100.0 * share)),
        Some(Distance::Amount { expression }) => Some(expression.clone()),
        Some(Distance::Price { .. }) => None,
    }
}

/// A number as a field shows it: what rounding did to its last digits is not shown.
fn plain(x: f64) -> String {
    format::json_text(&serde_json::json!((x * 1e9).round() / 1e9))
}

/// Puts a strategy into the form's fields; says so when the form has no field for some of it.
fn decompose(s: &StrategySpec, t: &mut Typed) -> Result<(), String> {
    let without = |what: &str| {
        Err(format!(
            "the form has no field for {what}; go on with its JSON"
        ))
    };
    if s.weight.is_some() {
        return without("target weights");
    }
    if !s.define.is_empty() || !s.columns.is_empty() {
        return without("names of its own");
    }
    if s.entry_order != EntryOrder::Market {
        return without("limit and stop orders");
    }
    if s.limits != LimitSpec::default() || s.costs.is_some() || s.cash.is_some() {
        return without("limits, cash and costs inside a strategy");
    }
    let (Some(stop), Some(target), Some(trail)) = (
        distance_text(s.stop_loss.as_ref()),
        distance_text(s.profit_target.as_ref()),
        distance_text(s.trailing_stop.as_ref()),
    ) else {
        return without("stops and targets at a price");
    };
    let side = |side: &Option<SideSpec>| {
        let s = side.as_ref();
        (
            s.map(|s| s.enter.clone()).unwrap_or_default(),
            s.and_then(|s| s.exit.clone()).unwrap_or_default(),
        )
    };
    let (enter, exit) = side(&s.long);
    let (short_enter, short_exit) = side(&s.short);
    let (sizing, size, window, cap) = match s.sizing {
        Sizing::Fraction { fraction } => ("fraction", 100.0 * fraction, None, None),
        Sizing::Amount { amount } => ("amount", amount, None, None),
        Sizing::VolatilityTarget {
            annual,
            window,
            cap,
        } => ("volatility_target", 100.0 * annual, Some(window), Some(cap)),
        Sizing::Kelly {
            window,
            fraction,
            cap,
        } => ("kelly", 100.0 * fraction, Some(window), Some(cap)),
    };
    for (name, text) in [
        ("name", s.name.clone()),
        ("enter", enter),
        ("exit", exit),
        ("short_enter", short_enter),
        ("short_exit", short_exit),
        ("sizing", sizing.to_owned()),
        ("size", plain(size)),
        ("window", window.map(|w| w.to_string()).unwrap_or_default()),
        ("cap", cap.map(|c| plain(100.0 * c)).unwrap_or_default()),
        ("stop", stop),
        ("target", target),
        ("trail", trail),
        (
            "risk",
            s.max_risk.map(|r| plain(100.0 * r)).unwrap_or_default(),
        ),
        (
            "max_bars",
            s.max_bars.map(|b| b.to_string()).unwrap_or_default(),
        ),
        (
            "fill",
            match s.fill {
                FillAt::NextOpen => "",
                FillAt::NextClose => "next_close",
                FillAt::ThisClose => "this_close",
            }
            .to_owned(),
        ),
    ] {
        t.set(name, text);
    }
    Ok(())
}

/// The strategy as the services take it, and the parameters of a ready-made one.
fn asked(t: &Typed) -> Result<(Value, Map<String, Value>), PageError> {
    match t.by() {
        By::Ready => {
            let head = format!("p.{}.", t.ready());
            let params = t.0.iter().filter_map(|(name, text)| {
                let name = name.strip_prefix(&head)?;
                let text = text.trim();
                (!text.is_empty()).then(|| (name.to_owned(), Value::from(text)))
            });
            Ok((Value::from(t.ready()), params.collect()))
        }
        By::Form => {
            let spec = serde_json::to_value(composed(t)?);
            let spec = spec.map_err(|_| PageError::unreadable())?;
            Ok((spec, Map::new()))
        }
        By::Json => {
            let text = t.get("text");
            if text.chars().count() > LONGEST {
                return Err(PageError::field(
                    "text",
                    &format!(
                        "it has more than {} characters: send longer strategies by the command line or the API",
                        format::count(LONGEST as u64)
                    ),
                ));
            }
            if !text.starts_with('{') {
                return Err(PageError::field(
                    "text",
                    "a strategy is a JSON object: begin with {",
                ));
            }
            Ok((Value::from(text), Map::new()))
        }
    }
}

/// The request that the fields describe.
///
/// # Errors
/// A field whose text is not of its kind.
pub fn request(t: &Typed) -> Result<BacktestRequest, PageError> {
    let (strategy, params) = asked(t)?;
    let money = "an amount";
    let costs = [
        t.share("bps", 10_000.0)?,
        t.number("per_share", money)?,
        t.number("per_trade", money)?,
        t.share("spread", 10_000.0)?,
        t.share("slippage", 10_000.0)?,
        t.share("borrow", 100.0)?,
        t.share("interest", 100.0)?,
    ];
    let [
        rate,
        per_share,
        per_trade,
        spread,
        slippage,
        borrow,
        interest,
    ] = costs;
    let costs = costs.iter().any(Option::is_some).then(|| CostSpec {
        rate: rate.unwrap_or(0.0005),
        per_share: per_share.unwrap_or_default(),
        per_trade: per_trade.unwrap_or_default(),
        spread: spread.unwrap_or_default(),
        slippage: slippage.unwrap_or_default(),
        borrow_rate: borrow.unwrap_or_default(),
        cash_rate: interest.unwrap_or_default(),
        ..CostSpec::default()
    });
    // A symbol is written large, the id of a data set stays as it is.
    let symbols: Vec<String> = query::list(t.get("symbols"))
        .into_iter()
        .map(|s| if s.contains(':') { s } else { s.to_uppercase() })
        .collect();
    if symbols.is_empty() && t.by() != By::Json {
        return Err(PageError::field(
            "symbols",
            "name at least one symbol, for example AAPL",
        ));
    }
    Ok(BacktestRequest {
        symbols,
        source: None,
        start: t.number("start", "a day; write it as 2004-12-31")?,
        end: t.number("end", "a day; write it as 2012-12-31")?,
        strategy,
        params,
        cash: t.number("cash", money)?,
        whole_shares: (!t.get("fractional").is_empty()).then_some(false),
        costs,
        benchmark: Some(t.get("benchmark").to_owned()).filter(|b| !b.is_empty()),
        finalize: !t.get("finalize").is_empty(),
        periods_per_year: None,
        seed: t.number("seed", "a whole number that is not negative")?,
    })
}

/// Tests a strategy and leads to the result.
#[server(prefix = "/api/pages", endpoint = "create_backtest")]
pub(crate) async fn create_backtest(
    #[server(flatten)] form: BTreeMap<String, String>,
) -> Result<String, PageError> {
    let (services, actor) = writer()?;
    let typed = Typed(form);
    let made = match request(&typed) {
        Ok(request) => services
            .run_backtest(actor.0, request, None)
            .await
            .map_err(|e| refuse(&e)),
        Err(error) => {
            set_status(error.status);
            Err(error)
        }
    };
    match made {
        Ok(made) => {
            leptos_axum::redirect(&format!("/backtests/{}", query::segment(made.id.as_str())));
            Ok(made.id.to_string())
        }
        // The form comes back as it was, with what is wrong.
        Err(error) if plain_form() => {
            leptos_axum::redirect(&back(&typed, &error));
            Err(error)
        }
        Err(error) => Err(error),
    }
}

/// The address that brings the form back with what was typed and what is wrong.
fn back(t: &Typed, error: &PageError) -> String {
    let mut link = Link::to("/backtests/new");
    for (name, text) in &t.0 {
        // What is too long for an address stays in the browser's own history.
        if !["error", "field", "to"].contains(&name.as_str()) && text.len() <= 4 * LONGEST {
            link = link.with(name, text);
        }
    }
    link.with("error", &error.detail)
        .with("field", error.field.as_deref().unwrap_or_default())
        .build()
}

/// What the page offers, with the fields and what a check of them found.
struct Desk {
    typed: Typed,
    ready: Vec<ReadyMade>,
    symbols: Vec<(String, String)>,
    checked: Checked,
    /// Why the form could not take the strategy.
    note: Option<String>,
}

/// What a look at the strategy found.
enum Checked {
    /// Nothing was typed yet.
    Nothing,
    /// A field is not of its kind.
    Field(PageError),
    /// The services looked.
    Strategy(Box<StrategyCheck>),
}

async fn desk(pairs: Vec<(String, String)>) -> Result<Desk, PageError> {
    let services = reader()?;
    let sets = services.datasets().await.map_err(|e| refuse(&e))?;
    let symbols = sets
        .iter()
        // Ready-made strategies fill at the next open: closes alone are for who says otherwise.
        .filter(|s| matches!(s.kind, DatasetKind::Bars | DatasetKind::Intraday))
        .flat_map(|s| {
            let span = format::span(s.first, s.last);
            s.symbols.iter().map(move |x| (x.clone(), span.clone()))
        })
        .collect();
    let mut typed = Typed::of(&pairs);
    let check = |typed: &Typed| match asked(typed) {
        Err(e) => Checked::Field(e),
        Ok((strategy, params)) => {
            let request = StrategyCheckRequest { strategy, params };
            Checked::Strategy(Box::new(services.check_strategy(&request)))
        }
    };
    let mut note = None;
    if let Some(to) = By::parse(typed.get("to")) {
        note = turned(&mut typed, to, &check);
    }
    typed.set("to", "");
    if typed.by() == By::Json && typed.get("text").is_empty() {
        typed.set("text", EXAMPLE);
    }
    let untouched = typed.by() == By::Form
        && ["enter", "short_enter"]
            .iter()
            .all(|n| typed.get(n).is_empty());
    let checked = if untouched {
        Checked::Nothing
    } else {
        check(&typed)
    };
    Ok(Desk {
        ready: services.ready_made(),
        typed,
        symbols,
        checked,
        note,
    })
}

/// Goes over to another way of giving the strategy, and takes it along where that way has room for it.
fn turned(typed: &mut Typed, to: By, check: &impl Fn(&Typed) -> Checked) -> Option<String> {
    let from = typed.by();
    let found = match (from, to) {
        (a, b) if a == b => None,
        (_, By::Ready) => None,
        // A form that nobody filled in gives nothing.
        (By::Form, _) if typed.get("enter").is_empty() && typed.get("short_enter").is_empty() => {
            None
        }
        (By::Json, _) if typed.get("text").is_empty() => None,
        _ => match check(typed) {
            Checked::Strategy(c) => c.strategy,
            _ => None,
        },
    };
    let mut note = None;
    if let Some(spec) = found {
        match to {
            By::Form => {
                if let Err(why) = decompose(&spec, typed) {
                    note = Some(why);
                    typed.set("by", from.word());
                    return note;
                }
            }
            By::Json => {
                let text = serde_json::to_string_pretty(&spec).unwrap_or_default();
                typed.set("text", text);
            }
            By::Ready => {}
        }
    } else if from == By::Form
        && to == By::Json
        && let Ok(spec) = composed(typed)
        && spec.long.is_some()
    {
        // Not right yet, but not lost either.
        typed.set(
            "text",
            serde_json::to_string_pretty(&spec).unwrap_or_default(),
        );
        note = Some("the form's strategy was not right yet: see below".to_owned());
    }
    typed.set("by", to.word());
    note
}

/// The page.
#[component]
pub fn NewBacktest() -> impl IntoView {
    let pairs = query::pairs(&use_location().search.get_untracked());
    let error = error_of(&pairs);
    view! {
        <Title text="New back test"/>
        <div class="page">
            {ui::head(
                &[("/", "mlTrainer"), ("/backtests", "Back tests")],
                "New back test".to_owned(),
                view! {
                    <p class="lede">
                        "Choose a strategy and a symbol and press the button. It is traded bar by bar, filled at the next open, after costs, beside simply holding the symbol."
                    </p>
                    <p><a href="/backtests/optimise">"Search its parameters instead →"</a></p>
                }
                .into_any(),
            )}
            {ui::loaded(desk(pairs), 12, move |desk| form(&desk, error.as_ref()))}
        </div>
    }
}

/// The error that an address brings back.
fn error_of(pairs: &[(String, String)]) -> Option<PageError> {
    let detail = query::get(pairs, "error");
    (!detail.is_empty()).then(|| PageError {
        field: Some(query::get(pairs, "field").to_owned()).filter(|f| !f.is_empty()),
        ..PageError::new(422, "The back test was not made", detail)
    })
}

/// The field of this page at which something about a field of the wire is said.
#[must_use]
pub fn place(field: &str) -> &'static str {
    let field = field.strip_prefix("strategy.").unwrap_or(field);
    let head = field.split(['[', '.']).next().unwrap_or(field);
    match (field, head) {
        ("long.enter", _) => "enter",
        ("long.exit", _) => "exit",
        ("short.enter", _) => "short_enter",
        ("short.exit", _) => "short_exit",
        ("long", _) => "enter",
        ("sizing.window", _) => "window",
        ("sizing.cap", _) => "cap",
        ("costs.rate" | "costs", _) => "bps",
        ("costs.per_share", _) => "per_share",
        ("costs.per_trade", _) => "per_trade",
        ("costs.spread", _) => "spread",
        ("costs.slippage", _) => "slippage",
        ("costs.borrow_rate", _) => "borrow",
        ("costs.cash_rate", _) => "interest",
        (_, "sizing") => "size",
        (_, "stop_loss") => "stop",
        (_, "profit_target") => "target",
        (_, "trailing_stop") => "trail",
        (_, "max_risk") => "risk",
        (_, known) => FIELDS
            .iter()
            .find(|f| **f == known)
            .copied()
            .unwrap_or("text"),
    }
}

/// Fields of the page, by their names.
const FIELDS: [&str; 29] = [
    "symbols",
    "start",
    "end",
    "cash",
    "bps",
    "per_share",
    "per_trade",
    "spread",
    "slippage",
    "borrow",
    "interest",
    "benchmark",
    "seed",
    "name",
    "enter",
    "exit",
    "short_enter",
    "short_exit",
    "sizing",
    "size",
    "window",
    "cap",
    "stop",
    "target",
    "trail",
    "risk",
    "max_bars",
    "fill",
    "text",
];

/// What is wrong, by field: what the address brought back.
struct Wrong<'a>(Option<&'a PageError>);

impl Wrong<'_> {
    fn at(&self, name: &str) -> Option<String> {
        let e = self.0?;
        let field = e.field.as_deref()?;
        (place(field) == name).then(|| e.detail.clone())
    }
}

fn form(desk: &Desk, error: Option<&PageError>) -> AnyView {
    if desk.symbols.is_empty() {
        return ui::empty(
            "No data set",
            "A back test needs a data set. Import one first.",
            "/data",
            "Go to the data",
        );
    }
    let t = &desk.typed;
    let by = t.by();
    let wrong = Wrong(error);
    // What is said at a field that this page shows is said there alone.
    let shown = |name: &str| match by {
        By::Ready => ["symbols", "start", "end", "cash", "bps"].contains(&name),
        By::Json => true,
        By::Form => name != "text",
    };
    let general = error
        .filter(|e| !e.field.as_deref().is_some_and(|f| shown(place(f))))
        .map(ui::error_panel);
    let note = desk.note.clone().map(|n| {
        view! { <div class="notice" role="status"><p>{ui::sentence(&n)}</p></div> }
    });
    let strategy = match by {
        By::Ready => ready(desk),
        By::Form => fields(t, &|name| wrong.at(name)),
        By::Json => json(t, &wrong),
    };
    let turns = By::ALL
        .into_iter()
        .map(|(way, word, label)| {
            let current = (way == by).then_some("page");
            view! { <button class="turn" name="to" value=word aria-current=current>{label}</button> }
        })
        .collect_view();
    view! {
        <form method="get" action="/backtests/new" id="editor" class="form editor" data-live="check">
            // What Enter presses: a look, never a test.
            <button class="visually-hidden" tabindex="-1" aria-hidden="true">"Check"</button>
            <input type="hidden" name="by" value=by.word()/>
            <div class="editor-strategy">
                {general}
                {note}
                <div class="turns" role="group" aria-label="How the strategy is given">{turns}</div>
                {strategy}
            </div>
            <div class="editor-check">
                <section id="check" aria-live="polite" aria-label="Check">{checked(desk)}</section>
            </div>
            <div class="editor-test">{tested(desk, &wrong)}</div>
        </form>
    }
    .into_any()
}

pub(crate) fn input(t: &Typed, name: &'static str, placeholder: &str, decimal: bool) -> AnyView {
    let mode = if decimal { "decimal" } else { "text" };
    view! {
        <input type="text" inputmode=mode id=name name=name value=t.get(name).to_owned() placeholder=placeholder.to_owned() autocomplete="off" spellcheck="false" autocapitalize="off"/>
    }
    .into_any()
}

/// The ready-made strategies; parameters of the chosen one are shown.
fn ready(desk: &Desk) -> AnyView {
    let t = &desk.typed;
    let cards = desk
        .ready
        .iter()
        .map(|r| {
            let chosen = r.id == t.ready();
            let params = r
                .params
                .iter()
                .map(|p| {
                    let name = format!("p.{}.{}", r.id, p.name);
                    let value = t.get(&name).to_owned();
                    view! {
                        <div class="field">
                            <label for=name.clone()>{p.help.clone()}</label>
                            <input type="text" inputmode="decimal" id=name.clone() name=name value=value placeholder=p.default.to_string() autocomplete="off"/>
                        </div>
                    }
                })
                .collect_view();
            let any = !r.params.is_empty();
            view! {
                <div class="ready">
                    <label class="choice">
                        <input type="radio" name="ready" value=r.id.clone() checked=chosen/>
                        <span>{r.title.clone()}</span>
                        <small>{r.about.clone()}</small>
                    </label>
                    {any.then(|| view! { <div class="fields ready-params">{params}</div> })}
                </div>
            }
        })
        .collect_view();
    view! {
        <fieldset class="field">
            <legend>"Strategy"</legend>
            {cards}
        </fieldset>
    }
    .into_any()
}

fn area(t: &Typed, name: &'static str, rows: u8, placeholder: &'static str) -> AnyView {
    view! {
        <textarea id=name name=name rows=rows placeholder=placeholder maxlength="2000" spellcheck="false" autocapitalize="off" autocomplete="off">{t.get(name).to_owned()}</textarea>
    }
    .into_any()
}

/// The usual choices.
pub(crate) fn fields(t: &Typed, at: &dyn Fn(&str) -> Option<String>) -> AnyView {
    let sizing = [
        ("fraction", "Share of the equity, %"),
        ("amount", "Amount of money"),
        ("volatility_target", "Volatility aimed at, % a year"),
        ("kelly", "Part of Kelly's share, %"),
    ];
    let fill = [
        ("", "At the next open"),
        ("next_close", "At the next close"),
        ("this_close", "At the same close (flatters)"),
    ];
    let options = |all: &[(&str, &str)]| {
        all.iter()
            .map(|(v, w)| ((*v).to_owned(), (*w).to_owned()))
            .collect::<Vec<_>>()
    };
    let short = ["short_enter", "short_exit"];
    let short_open = short
        .iter()
        .any(|n| !t.get(n).is_empty() || at(n).is_some());
    view! {
        {ui::field("name", "Name", "", at("name"), input(t, "name", "Strategy of the form", false))}
        {ui::field("enter", "Buys when", "A condition on the close of a bar, such as close > sma(close, 200) and rsi(close, 2) < 10.", at("enter"), area(t, "enter", 2, "crosses_above(sma(close, 10), sma(close, 30))"))}
        {ui::field("exit", "Sells when", "Without one, only stops, target and time close a position.", at("exit"), area(t, "exit", 2, "crosses_below(sma(close, 10), sma(close, 30))"))}
        <details open=short_open>
            <summary>"Short side"</summary>
            {ui::field("short_enter", "Sells short when", "", at("short_enter"), area(t, "short_enter", 2, ""))}
            {ui::field("short_exit", "Buys back when", "", at("short_exit"), area(t, "short_exit", 2, ""))}
        </details>
        <div class="fields">
            {ui::field("sizing", "Size of a position", "", at("sizing"), ui::select("sizing", options(&sizing), t.get("sizing")))}
            {ui::field("size", "How much", "Percent, or money for an amount.", at("size"), input(t, "size", "100", true))}
            {ui::field("stop", "Stop loss", "5 is 5 % of the price paid; or a distance: 2 * atr(14).", at("stop"), input(t, "stop", "none", false))}
            {ui::field("target", "Profit target", "The same way.", at("target"), input(t, "target", "none", false))}
            {ui::field("trail", "Trailing stop", "The same way.", at("trail"), input(t, "trail", "none", false))}
            {ui::field("max_bars", "Longest holding time, bars", "", at("max_bars"), input(t, "max_bars", "none", true))}
            {ui::field("risk", "Largest loss at the stop, %", "Of the equity, at most 2; needs a stop loss.", at("risk"), input(t, "risk", "none", true))}
            {ui::field("window", "Bars looked at for the size", "For volatility and Kelly.", at("window"), input(t, "window", "20 or 250", true))}
            {ui::field("cap", "Largest share of the equity, %", "For volatility and Kelly.", at("cap"), input(t, "cap", "100", true))}
            {ui::field("fill", "Orders fill", "", at("fill"), ui::select("fill", options(&fill), t.get("fill")))}
        </div>
        {language()}
    }
    .into_any()
}

fn json(t: &Typed, wrong: &Wrong<'_>) -> AnyView {
    let text = t.get("text").to_owned();
    let area = view! {
        <textarea id="text" name="text" rows="18" class="code" maxlength=LONGEST.to_string() spellcheck="false" autocapitalize="off" autocomplete="off" wrap="off">{text}</textarea>
    }
    .into_any();
    view! {
        {ui::field("text", "Strategy as JSON", "Nothing of it runs as code. Unknown fields are refused.", wrong.at("text"), area)}
        {language()}
    }
    .into_any()
}

/// The words of expressions.
pub(crate) fn language() -> AnyView {
    view! {
        <details>
            <summary>"The language of expressions"</summary>
            <div class="language">
                <p>"Columns " <code>"open high low close volume"</code> ", features by their id, numbers, " <code>"+ - * /"</code> ", " <code>"< <= > >= == !="</code> ", " <code>"and or not"</code> ", parentheses. A value that is not there yet is unknown, and an unknown condition opens and closes nothing."</p>
                <dl class="facts">
                    {FUNCTIONS
                        .into_iter()
                        .map(|(group, names)| view! { <div><dt>{group}</dt><dd><code>{names}</code></dd></div> })
                        .collect_view()}
                </dl>
            </div>
        </details>
    }
    .into_any()
}

const FUNCTIONS: [(&str, &str); 5] = [
    ("Averages", "sma(x, n)  ema(x, n)  wma(x, n)"),
    (
        "Over n bars",
        "highest(x, n)  lowest(x, n)  sum(x, n)  stdev(x, n)  zscore(x, n)  percent_rank(x, n)  slope(x, n)  correlation(x, y, n)  count(c, n)",
    ),
    (
        "Changes",
        "lag(x, n)  change(x, n)  roc(x, n)  rising(x, n)  falling(x, n)  bars_since(c)",
    ),
    (
        "Indicators",
        "rsi(x, n)  atr(n)  crosses_above(a, b)  crosses_below(a, b)",
    ),
    (
        "Arithmetic",
        "abs(x)  min(a, b)  max(a, b)  clip(x, low, high)  sign(x)  sqrt(x)  log(x)  exp(x)  pow(x, p)  if(c, a, b)  known(x)",
    ),
];

/// What it is tested on.
fn tested(desk: &Desk, wrong: &Wrong<'_>) -> AnyView {
    let t = &desk.typed;
    let at = |name: &str| wrong.at(name);
    let day = |name: &'static str| {
        view! { <input type="date" id=name name=name value=t.get(name).to_owned()/> }.into_any()
    };
    let symbols = match t.get("symbols") {
        "" if t.by() == By::Json && t.0.contains_key("symbols") => String::new(),
        "" => "AAPL".to_owned(),
        text => text.to_owned(),
    };
    let names = ["benchmark", "seed", "fractional", "finalize"];
    let mut names = FEES.iter().chain(&names);
    let open = names.any(|n| !t.get(n).is_empty() || at(n).is_some());
    let known = desk
        .symbols
        .iter()
        .map(|(s, span)| view! { <option value=s.clone()>{span.clone()}</option> })
        .collect_view();
    let box_of = |name: &'static str, label: &'static str, help: &'static str| {
        view! {
            <label class="choice">
                <input type="checkbox" name=name value="on" checked=!t.get(name).is_empty()/>
                <span>{label}</span>
                <small>{help}</small>
            </label>
        }
    };
    view! {
        <h2 class="editor-head">"Tested on"</h2>
        {ui::field("symbols", "Symbols", "One or several, with commas between them.", at("symbols"), view! {
            <input type="text" id="symbols" name="symbols" value=symbols list="known-symbols" autocapitalize="characters" autocomplete="off" spellcheck="false"/>
            <datalist id="known-symbols">{known}</datalist>
        }.into_any())}
        <div class="fields">
            {ui::field("start", "From", "", at("start"), day("start"))}
            {ui::field("end", "To", "", at("end"), day("end"))}
            {ui::field("cash", "Cash", "", at("cash"), input(t, "cash", "10000", true))}
            {ui::field("bps", "Commission, basis points", "", at("bps"), input(t, "bps", "5", true))}
        </div>
        <p class="submit-line">
            <button class="button primary" formmethod="post" formaction="/api/pages/create_backtest">"Run the back test"</button>
            " "
            <button class="button">"Check"</button>
        </p>
        <details open=open>
            <summary>"Details: fees, benchmark, seed"</summary>
            <div class="fields">
                {fees(t, &at)}
                {ui::field("benchmark", "Benchmark", "Empty: the symbols held in equal parts.", at("benchmark"), view! {
                    <input type="text" id="benchmark" name="benchmark" value=t.get("benchmark").to_owned() list="known-symbols" autocapitalize="characters" autocomplete="off" spellcheck="false"/>
                }.into_any())}
                {ui::field("seed", "Seed of the resampling", "", at("seed"), input(t, "seed", "1", true))}
            </div>
            <div class="choices">
                {box_of("fractional", "Fractions of shares", "else whole shares only")}
                {box_of("finalize", "Close what is open at the end", "at the last close")}
            </div>
        </details>
    }
    .into_any()
}

/// Names of the fields of [`fees`].
pub(crate) const FEES: [&str; 6] = [
    "per_share",
    "per_trade",
    "spread",
    "slippage",
    "borrow",
    "interest",
];

/// What a fill and a day cost beside the commission by value.
pub(crate) fn fees(t: &Typed, at: &dyn Fn(&str) -> Option<String>) -> AnyView {
    view! {
        {ui::field("per_share", "Commission a share", "", at("per_share"), input(t, "per_share", "0", true))}
        {ui::field("per_trade", "Commission a fill", "", at("per_trade"), input(t, "per_trade", "0", true))}
        {ui::field("spread", "Spread, basis points", "A fill pays half of it.", at("spread"), input(t, "spread", "0", true))}
        {ui::field("slippage", "Slippage, basis points", "", at("slippage"), input(t, "slippage", "0", true))}
        {ui::field("borrow", "Borrow fee, % a year", "On short positions.", at("borrow"), input(t, "borrow", "0", true))}
        {ui::field("interest", "Interest on cash, % a year", "", at("interest"), input(t, "interest", "0", true))}
    }
    .into_any()
}

fn checked(desk: &Desk) -> AnyView {
    match &desk.checked {
        Checked::Nothing => view! {
            <p class="quiet">"Say when it buys: every condition is checked while you type, and what is wrong is shown here with its place."</p>
        }
        .into_any(),
        Checked::Field(e) => view! {
            <p>{ui::badge("✕", "Not yet", "bad")}</p>
            <p>{ui::sentence(&e.detail)}</p>
        }
        .into_any(),
        Checked::Strategy(c) => match &c.strategy {
            Some(spec) if c.valid => good(spec),
            _ => bad(desk, &c.errors),
        },
    }
}

fn good(s: &StrategySpec) -> AnyView {
    let code = |text: &str| view! { <code>{text.to_owned()}</code> }.into_any();
    let mut pairs: Vec<(&'static str, AnyView)> = Vec::new();
    for (side, enter, exit) in [
        (&s.long, "Buys when", "Sells when"),
        (&s.short, "Sells short when", "Buys back when"),
    ] {
        if let Some(side) = side {
            pairs.push((enter, code(&side.enter)));
            if let Some(text) = &side.exit {
                pairs.push((exit, code(text)));
            }
        }
    }
    if let Some(weight) = &s.weight {
        pairs.push(("Share held", code(weight)));
    } else {
        pairs.push(("Size", ui::text(size_words(&s.sizing))));
    }
    for (name, d) in [
        ("Stop loss", &s.stop_loss),
        ("Target", &s.profit_target),
        ("Trailing stop", &s.trailing_stop),
    ] {
        match d {
            None => {}
            Some(Distance::Share { share }) => {
                pairs.push((name, ui::text(format::percent(Some(*share), 2))));
            }
            Some(Distance::Amount { expression }) => pairs.push((name, code(expression))),
            Some(Distance::Price { expression }) => {
                let at = view! { "at " <code>{expression.clone()}</code> }.into_any();
                pairs.push((name, at));
            }
        }
    }
    if let Some(bars) = s.max_bars {
        let bars = format::counted(bars.into(), "bar", "bars");
        pairs.push(("At most", ui::text(bars)));
    }
    let text = serde_json::to_string_pretty(s).unwrap_or_default();
    view! {
        <p>{ui::badge("✓", "Can be tested", "good")}</p>
        <p class="check-name">{s.name.clone()}</p>
        {ui::facts(pairs)}
        <details>
            <summary>"As JSON"</summary>
            <pre class="formula code">{text}</pre>
        </details>
    }
    .into_any()
}

fn size_words(s: &Sizing) -> String {
    let percent = |x: f64| format!("{}\u{a0}%", plain(100.0 * x));
    match s {
        Sizing::Fraction { fraction } => format!("{} of the equity", percent(*fraction)),
        Sizing::Amount { amount } => format!("{} in money", plain(*amount)),
        Sizing::VolatilityTarget {
            annual,
            window,
            cap,
        } => format!(
            "for {} volatility a year by the last {window} returns, at most {} of the equity",
            percent(*annual),
            percent(*cap)
        ),
        Sizing::Kelly {
            window,
            fraction,
            cap,
        } => format!(
            "{} of Kelly's share by the last {window} returns, at most {} of the equity",
            percent(*fraction),
            percent(*cap)
        ),
    }
}

fn bad(desk: &Desk, errors: &[StrategyFault]) -> AnyView {
    let list = errors
        .iter()
        .map(|f| {
            let place = match (f.line, f.column) {
                (Some(line), Some(column)) => format!("line {line}, column {column}"),
                (_, Some(column)) => format!("column {column}"),
                _ => String::new(),
            };
            let near = (!f.suggestions.is_empty())
                .then(|| view! { <p>"Did you mean " <strong>{f.suggestions.join(" or ")}</strong> "?"</p> });
            let lines = excerpt(&desk.typed, f);
            let field = f.field.clone();
            view! {
                <li>
                    <p>
                        {(!field.is_empty()).then(|| view! { <code>{field}</code> " " })}
                        {(!place.is_empty()).then(|| view! { <span class="quiet">{place}</span> })}
                    </p>
                    <p class="field-error">{ui::prose(&f.reason)}</p>
                    {lines.map(|text| view! { <pre class="excerpt" aria-hidden="true">{text}</pre> })}
                    {near}
                </li>
            }
        })
        .collect_view();
    view! {
        <p>{ui::badge("✕", "Not yet", "bad")}</p>
        <ul class="faults">{list}</ul>
    }
    .into_any()
}

/// Characters of a line that are shown around a fault.
const AROUND: usize = 34;

/// The text around a fault with a caret under it.
fn excerpt(t: &Typed, f: &StrategyFault) -> Option<String> {
    let column = usize::try_from(f.column?).ok()?;
    if let Some(line) = f.line {
        let number = usize::try_from(line).ok()?;
        let text = t.get("text").lines().nth(number.checked_sub(1)?)?;
        return Some(pointed(text, column, &format!("{number} ")));
    }
    // The column counts in an expression.
    let text = match t.by() {
        By::Form => t.get(place(&f.field)).to_owned(),
        By::Json => {
            let whole: Value = serde_json::from_str(t.get("text")).ok()?;
            at_path(&whole, &f.field)?.as_str()?.to_owned()
        }
        By::Ready => return None,
    };
    Some(pointed(&text, column, ""))
}

/// A value inside JSON: `define[0].expression`.
fn at_path<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split(['.', '['])
        .map(|part| part.trim_end_matches(']'))
        .filter(|part| !part.is_empty())
        .try_fold(value, |v, part| match part.parse::<usize>() {
            Ok(i) => v.get(i),
            Err(_) => v.get(part),
        })
}

/// A line cut around a column, with a caret below it.
fn pointed(text: &str, column: usize, head: &str) -> String {
    let column = column.max(1);
    let all: Vec<char> = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let from = column.saturating_sub(AROUND);
    let to = (column + AROUND).min(all.len()).max(from.min(all.len()));
    let shown: String = all
        .get(from.min(all.len())..to)
        .unwrap_or_default()
        .iter()
        .collect();
    let before = if from > 0 { "…" } else { "" };
    let after = if to < all.len() { "…" } else { "" };
    let space = head.chars().count() + before.chars().count() + column - 1 - from.min(column - 1);
    format!("{head}{before}{shown}{after}\n{}^", " ".repeat(space))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(pairs: &[(&str, &str)]) -> Typed {
        Typed(
            pairs
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn empty_fields_are_the_defaults_of_the_services() {
        let r = request(&typed(&[("symbols", "aapl, user:my")])).unwrap();
        assert_eq!(r.symbols, ["AAPL", "user:my"]);
        assert_eq!(r.strategy, Value::from("sma_crossover"));
        assert_eq!((r.cash, r.costs, r.seed, r.start), (None, None, None, None));
        assert_eq!(r.whole_shares, None);
        assert!(!r.finalize && r.params.is_empty());
    }

    #[test]
    fn the_fields_of_a_ready_made_one_are_its_own() {
        let r = request(&typed(&[
            ("symbols", "IBM"),
            ("ready", "rsi_reversion"),
            ("p.rsi_reversion.period", "7"),
            ("p.rsi_reversion.lower", ""),
            ("p.sma_crossover.fast", "3"),
            ("bps", "10"),
            ("fractional", "on"),
        ]))
        .unwrap();
        assert_eq!(Value::from(r.params), serde_json::json!({"period": "7"}));
        assert_eq!(r.costs.unwrap().rate, 0.001);
        assert_eq!(r.whole_shares, Some(false));
    }

    #[test]
    fn the_form_and_the_strategy_are_the_same() {
        let mut t = typed(&[
            ("by", "form"),
            ("enter", "close > 1"),
            ("short_enter", "close < 1"),
            ("short_exit", "close > 2"),
            ("sizing", "volatility_target"),
            ("size", "12.5"),
            ("stop", "7"),
            ("target", "3 * atr(14)"),
            ("risk", "1.1"),
            ("max_bars", "9"),
        ]);
        let spec = composed(&t).unwrap();
        assert_eq!(spec.stop_loss, Some(Distance::Share { share: 0.07 }));
        assert_eq!(
            spec.sizing,
            Sizing::VolatilityTarget {
                annual: 0.125,
                window: 20,
                cap: 1.0
            }
        );
        assert_eq!(spec.long.as_ref().unwrap().exit, None);
        let before = t.clone();
        decompose(&spec, &mut t).unwrap();
        for (name, text) in &before.0 {
            assert_eq!(t.get(name), text, "{name}");
        }
        assert_eq!(composed(&t).unwrap(), spec);
        let weights = StrategySpec {
            weight: Some("1".to_owned()),
            ..spec
        };
        assert!(decompose(&weights, &mut t).unwrap_err().contains("weights"));
    }

    #[test]
    fn wrong_texts_name_their_field() {
        for (name, text) in [
            ("start", "soon"),
            ("cash", "much"),
            ("bps", "x"),
            ("seed", "-1"),
            ("symbols", ""),
        ] {
            let mut t = typed(&[("symbols", "AAPL")]);
            t.set(name, text);
            let e = request(&t).unwrap_err();
            assert_eq!(e.field.as_deref(), Some(name));
        }
        let t = typed(&[("by", "json"), ("text", "sma_crossover")]);
        assert_eq!(request(&t).unwrap_err().field.as_deref(), Some("text"));
    }

    #[test]
    fn errors_find_their_place() {
        for (field, told) in [
            ("strategy.long.enter", "enter"),
            ("short.exit", "short_exit"),
            ("strategy.stop_loss.share", "stop"),
            ("costs.rate", "bps"),
            ("symbols[1]", "symbols"),
            ("strategy", "text"),
            ("strategy.define[0].expression", "text"),
            ("max_bars", "max_bars"),
        ] {
            assert_eq!(place(field), told, "{field}");
        }
    }

    #[test]
    fn a_caret_stands_under_the_column() {
        assert_eq!(
            pointed("close > smaa(close, 3)", 9, ""),
            "close > smaa(close, 3)\n        ^"
        );
        assert_eq!(pointed("ab", 3, "7 "), "7 ab\n    ^");
        let long = "x".repeat(200);
        let shown = pointed(&long, 100, "");
        let (line, caret) = shown.split_once('\n').unwrap();
        assert!(line.starts_with('…') && line.ends_with('…'));
        // Column 100 is the 34th of the characters shown, behind the sign of the cut.
        assert_eq!(caret.chars().count(), 35);
        assert_eq!(line.chars().nth(caret.chars().count() - 1), Some('x'));
    }

    #[test]
    fn a_refused_form_comes_back_as_it_was() {
        let t = typed(&[
            ("by", "json"),
            ("text", "{\n \"a\": 1 & 2}"),
            ("to", "form"),
        ]);
        let error = PageError::field("strategy", "line 2, column 9: expected `,` or `}`");
        let link = back(&t, &error);
        let pairs = query::pairs(link.split_once('?').unwrap().1);
        let again = Typed::of(&pairs);
        assert_eq!(again.get("text"), t.get("text"));
        assert_eq!(again.get("to"), "");
        let brought = error_of(&pairs).unwrap();
        assert_eq!((brought.field, brought.detail), (error.field, error.detail));
    }
}
