//! The form of a walk-forward optimisation: a ready-made strategy, a form or JSON, a range for each parameter that is
//! searched, the search, the windows. All fields are the query of the address; what is typed is checked
//! by asking for this same page, without script by a button.

use crate::error::PageError;
use crate::format;
use crate::pages::new_backtest::{self, By, FEES, LONGEST, Typed, fees, fields, input, language};
use crate::pages::optimisation::ready_title;
use crate::query::{self, Link};
use crate::server::{plain_form, reader, refuse, set_status, writer};
use crate::ui;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;
use mltrainer_types::backtest::{ReadyMade, ReadyMadeParam};
use mltrainer_types::data::DatasetKind;
use mltrainer_types::optimisation::{
    Objective, OptimisationPlan, OptimisationRequest, SearchParameter, SearchRange,
};
use std::collections::BTreeMap;

/// Methods of the search with their words.
pub(crate) const METHODS: [(&str, &str); 6] = [
    ("differential_evolution", "Differential evolution"),
    ("bayesian_search", "Bayesian search"),
    ("particle_swarm", "Particle swarm"),
    ("genetic_algorithm", "Genetic algorithm"),
    ("random", "Random points"),
    ("grid", "Grid"),
];

/// What the JSON begins with: names in braces are searched.
const EXAMPLE: &str = r#"{
  "name": "Pullback in a rising trend",
  "define": [{"name": "trend", "expression": "sma(close, {trend})"}],
  "long": {
    "enter": "close > trend and rsi(close, {period}) < 25",
    "exit": "rsi(close, {period}) > 60"
  },
  "max_bars": 20
}"#;

/// The ranges of the example.
const EXAMPLE_SEARCH: &str = "trend=50..250\nperiod=2..10";

/// What the form begins with.
const EXAMPLE_FORM: [(&str, &str); 3] = [
    (
        "enter",
        "close > sma(close, {trend}) and rsi(close, {period}) < 25",
    ),
    ("exit", "rsi(close, {period}) > 60"),
    ("search", EXAMPLE_SEARCH),
];

/// Whether a text says what is searched, not a value.
fn is_range(text: &str) -> bool {
    text.contains("..") || text.contains('|')
}

/// Ranges for the first two parameters of every ready-made strategy, on a page that nobody has touched.
fn fill_in(t: &mut Typed, all: &[ReadyMade]) {
    for r in all {
        let field = |p: &ReadyMadeParam| format!("p.{}.{}", r.id, p.name);
        if r.params.iter().any(|p| is_range(t.get(&field(p)))) {
            continue;
        }
        for p in r.params.iter().take(2) {
            let value = t.get(&field(p)).parse().unwrap_or(p.default);
            if let Some(range) = SearchRange::around(p, value) {
                t.set(&field(p), range.to_string());
            }
        }
    }
}

/// The request that the fields describe.
///
/// # Errors
/// A field whose text is not of its kind.
pub fn request(t: &Typed) -> Result<OptimisationRequest, PageError> {
    let mut rest = t.clone();
    let mut search = Vec::new();
    match t.by() {
        By::Json | By::Form => {
            let lines = t.get("search").lines().map(str::trim);
            for line in lines.filter(|l| !l.is_empty()) {
                let Some((name, range)) = line.split_once('=') else {
                    return Err(PageError::field(
                        "search",
                        &format!("\"{line}\" is no parameter with its range: write n=5..50"),
                    ));
                };
                let range =
                    SearchRange::parse(range).map_err(|e| PageError::field("search", &e))?;
                search.push(SearchParameter {
                    name: name.trim().to_owned(),
                    range,
                });
            }
        }
        By::Ready => {
            rest.set("by", "ready");
            let head = format!("p.{}.", t.ready());
            for (field, text) in &t.0 {
                let Some(name) = field.strip_prefix(&head).filter(|_| is_range(text)) else {
                    continue;
                };
                let range = SearchRange::parse(text).map_err(|e| PageError::field(field, &e))?;
                search.push(SearchParameter {
                    name: name.to_owned(),
                    range,
                });
                rest.set(field, "");
            }
        }
    }
    let whole = "a whole number";
    let mut settings = serde_json::Map::new();
    for pair in query::list(t.get("settings")) {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(PageError::field(
                "settings",
                &format!("\"{pair}\" is no setting: write levels=5"),
            ));
        };
        settings.insert(name.trim().to_owned(), value.trim().into());
    }
    let objective = match t.get("objective") {
        "" => Objective::default(),
        word => Objective::ALL
            .into_iter()
            .find(|o| o.as_str() == word)
            .ok_or_else(|| PageError::field("objective", &format!("\"{word}\" is no objective")))?,
    };
    Ok(OptimisationRequest {
        test: new_backtest::request(&rest)?,
        search,
        method: Some(t.get("method").to_owned()).filter(|m| !m.is_empty()),
        settings,
        evaluations: t.number("evaluations", whole)?,
        objective,
        min_trades: t.number("min_trades", whole)?,
        folds: t.number("folds", whole)?,
        embargo: t.number("embargo", whole)?,
        window: t.number("rolling", whole)?,
    })
}

/// Begins an optimisation and leads to its page.
#[server(prefix = "/api/pages", endpoint = "create_optimisation")]
pub(crate) async fn create_optimisation(
    #[server(flatten)] form: BTreeMap<String, String>,
) -> Result<String, PageError> {
    let (services, actor) = writer()?;
    let typed = Typed(form);
    let made = match request(&typed) {
        Ok(request) => services
            .create_optimisation(actor.0, request, None)
            .await
            .map_err(|e| refuse(&e)),
        Err(error) => {
            set_status(error.status);
            Err(error)
        }
    };
    match made {
        Ok(made) => {
            leptos_axum::redirect(&format!(
                "/backtests/optimisations/{}",
                query::segment(made.id.as_str())
            ));
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
    let mut link = Link::to("/backtests/optimise");
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

/// What the page offers, with the fields and what a look at them found.
struct Desk {
    typed: Typed,
    ready: Vec<ReadyMade>,
    symbols: Vec<(String, String)>,
    found: Result<OptimisationPlan, PageError>,
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
    let ready: Vec<ReadyMade> = services
        .ready_made()
        .into_iter()
        .filter(|r| !r.params.is_empty())
        .collect();
    let mut typed = Typed::of(&pairs);
    if let Some(to) = By::parse(typed.get("to")) {
        typed.set("by", to.word());
    }
    typed.set("to", "");
    // Whoever comes from a back test brings fields, but never the method.
    if typed.get("method").is_empty() {
        fill_in(&mut typed, &ready);
        if typed.get("symbols").is_empty() {
            typed.set("symbols", "AAPL");
        }
    }
    if typed.by() == By::Json && typed.get("text").is_empty() {
        typed.set("text", EXAMPLE);
        typed.set("search", EXAMPLE_SEARCH);
    }
    let empty = |name: &&str| typed.get(name).is_empty();
    if typed.by() == By::Form && ["enter", "short_enter", "search"].iter().all(empty) {
        for (name, text) in EXAMPLE_FORM {
            typed.set(name, text);
        }
    }
    let found = request(&typed).and_then(|asked| {
        services
            .plan_optimisation(asked)
            // Not an error of this page: it shows what is wrong.
            .map_err(|e| {
                let problem = e.problem();
                PageError {
                    field: problem.field,
                    suggestions: problem.suggestions,
                    ..PageError::new(problem.status, &problem.title, &problem.detail)
                }
            })
    });
    Ok(Desk {
        typed,
        ready,
        symbols,
        found,
    })
}

/// The page.
#[component]
pub fn NewOptimisation() -> impl IntoView {
    let pairs = query::pairs(&use_location().search.get_untracked());
    let error = error_of(&pairs);
    view! {
        <Title text="New optimisation"/>
        <div class="page">
            {ui::head(
                &[("/", "mlTrainer"), ("/backtests", "Back tests")],
                "New optimisation".to_owned(),
                view! {
                    <p class="lede">
                        "The parameters of a strategy are searched on one stretch of the past and the best ones tested on the next, again and again. What counts is the tests alone."
                    </p>
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
        ..PageError::new(422, "The optimisation was not begun", detail)
    })
}

/// The field of this page at which something about a field of the wire is said.
#[must_use]
pub fn place(field: &str, ready: &str) -> String {
    let head = field.split(['[', '.']).next().unwrap_or(field);
    match (field.strip_prefix("params."), head) {
        (Some(name), _) => format!("p.{ready}.{name}"),
        (None, "window") => "rolling".to_owned(),
        (None, "p") => field.to_owned(),
        (None, known) if FIELDS.contains(&known) => known.to_owned(),
        (None, _) => new_backtest::place(field).to_owned(),
    }
}

/// Fields of the page, by their names.
const FIELDS: [&str; 8] = [
    "search",
    "method",
    "settings",
    "evaluations",
    "objective",
    "min_trades",
    "folds",
    "embargo",
];

/// What is wrong, by field: what the address brought back.
struct Wrong<'a> {
    error: Option<&'a PageError>,
    ready: &'a str,
}

impl Wrong<'_> {
    fn at(&self, name: &str) -> Option<String> {
        let e = self.error?;
        let field = e.field.as_deref()?;
        (place(field, self.ready) == name).then(|| e.detail.clone())
    }
}

fn form(desk: &Desk, error: Option<&PageError>) -> AnyView {
    if desk.symbols.is_empty() {
        return ui::empty(
            "No data set",
            "An optimisation needs a data set. Import one first.",
            "/data",
            "Go to the data",
        );
    }
    let t = &desk.typed;
    let by = t.by();
    let wrong = Wrong {
        error,
        ready: t.ready(),
    };
    // What is said at a field that this page shows is said there alone.
    let shown = |name: &str| {
        FIELDS.contains(&name)
            || [
                "symbols",
                "start",
                "end",
                "cash",
                "bps",
                "rolling",
                "benchmark",
                "seed",
            ]
            .contains(&name)
            || FEES.contains(&name)
            || name.starts_with("p.")
            || (by == By::Json && name == "text")
            || (by == By::Form && name != "text")
    };
    let general = error
        .filter(|e| {
            !e.field
                .as_deref()
                .is_some_and(|f| shown(&place(f, t.ready())))
        })
        .map(ui::error_panel);
    let ways = By::ALL
        .into_iter()
        .map(|(way, word, label)| {
            let current = (way == by).then_some("page");
            view! { <button class="turn" name="to" value=word aria-current=current>{label}</button> }
        })
        .collect_view();
    let strategy = match by {
        By::Ready => ready(desk, &wrong),
        By::Form => composed(t, &wrong),
        By::Json => template(t, &wrong),
    };
    view! {
        <form method="get" action="/backtests/optimise" id="editor" class="form editor" data-live="check">
            // What Enter presses: a look, never a search.
            <button class="visually-hidden" tabindex="-1" aria-hidden="true">"Check"</button>
            <input type="hidden" name="by" value=by.word()/>
            <div class="editor-strategy">
                {general}
                <div class="turns" role="group" aria-label="How the strategy is given">{ways}</div>
                {strategy}
            </div>
            <div class="editor-check">
                <section id="check" aria-live="polite" aria-label="Check">{checked(desk)}</section>
            </div>
            <div class="editor-test">{searched(desk, &wrong)}</div>
        </form>
    }
    .into_any()
}

/// The ready-made strategies that have parameters; those of the chosen one are shown.
fn ready(desk: &Desk, wrong: &Wrong<'_>) -> AnyView {
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
                    let error = wrong.at(&name);
                    let bad = error.is_some();
                    view! {
                        <div class="field" class:bad=bad>
                            <label for=name.clone()>{p.help.clone()}</label>
                            <input type="text" id=name.clone() name=name value=value placeholder=p.default.to_string() autocomplete="off" spellcheck="false" autocapitalize="off"/>
                            {error.map(|e| view! { <p class="field-error" role="alert">{ui::sentence(&e)}</p> })}
                        </div>
                    }
                })
                .collect_view();
            view! {
                <div class="ready">
                    <label class="choice">
                        <input type="radio" name="ready" value=r.id.clone() checked=chosen/>
                        <span>{r.title.clone()}</span>
                        <small>{r.about.clone()}</small>
                    </label>
                    <div class="fields ready-params">{params}</div>
                </div>
            }
        })
        .collect_view();
    view! {
        <fieldset class="field">
            <legend>"Strategy"</legend>
            <p class="help">"A range is searched: 5..50 over whole numbers, 0.5..2.0 over numbers, either with :log behind for even steps of the logarithm. A plain number stays as it is."</p>
            {cards}
        </fieldset>
    }
    .into_any()
}

/// The lines that say what is searched.
fn ranges(t: &Typed, wrong: &Wrong<'_>) -> AnyView {
    let search = t.get("search").to_owned();
    let area = view! {
        <textarea id="search" name="search" rows="4" class="code" maxlength="2000" spellcheck="false" autocapitalize="off" autocomplete="off">{search}</textarea>
    }
    .into_any();
    ui::field(
        "search",
        "What is searched",
        "A line each: n=10..300, or with :log behind, or average=sma|ema.",
        wrong.at("search"),
        area,
    )
}

/// The fields of the form; names in braces inside its expressions are searched.
fn composed(t: &Typed, wrong: &Wrong<'_>) -> AnyView {
    view! {
        <p class="help">"What stands in braces inside a condition or a distance is searched: sma(close, {n}), 2 * atr({n})."</p>
        {ranges(t, wrong)}
        {fields(t, &|name| wrong.at(name))}
    }
    .into_any()
}

fn template(t: &Typed, wrong: &Wrong<'_>) -> AnyView {
    let text = t.get("text").to_owned();
    let area = view! {
        <textarea id="text" name="text" rows="16" class="code" maxlength=LONGEST.to_string() spellcheck="false" autocapitalize="off" autocomplete="off" wrap="off">{text}</textarea>
    }
    .into_any();
    view! {
        {ui::field("text", "Strategy as JSON", "What stands in braces inside a text is searched: sma(close, {n}).", wrong.at("text"), area)}
        {ranges(t, wrong)}
        {language()}
    }
    .into_any()
}

/// On what, how, and over which windows.
fn searched(desk: &Desk, wrong: &Wrong<'_>) -> AnyView {
    let t = &desk.typed;
    let at = |name: &str| wrong.at(name);
    let day = |name: &'static str| {
        view! { <input type="date" id=name name=name value=t.get(name).to_owned()/> }.into_any()
    };
    let known = desk
        .symbols
        .iter()
        .map(|(s, span)| view! { <option value=s.clone()>{span.clone()}</option> })
        .collect_view();
    let methods = METHODS
        .iter()
        .map(|(v, w)| ((*v).to_owned(), (*w).to_owned()))
        .collect();
    let objectives = Objective::ALL
        .into_iter()
        .map(|o| (o.as_str().to_owned(), crate::words::title(o.as_str())))
        .collect();
    let more = [
        "embargo",
        "rolling",
        "min_trades",
        "settings",
        "benchmark",
        "seed",
        "fractional",
    ];
    let mut more = more.iter().chain(&FEES);
    let open = more.any(|n| !t.get(n).is_empty() || at(n).is_some());
    let symbols = t.get("symbols").to_owned();
    view! {
        <h2 class="editor-head">"Searched on"</h2>
        {ui::field("symbols", "Symbols", "One or several, with commas between them; days that all of them have.", at("symbols"), view! {
            <input type="text" id="symbols" name="symbols" value=symbols list="known-symbols" autocapitalize="characters" autocomplete="off" spellcheck="false"/>
            <datalist id="known-symbols">{known}</datalist>
        }.into_any())}
        <div class="fields">
            {ui::field("start", "From", "", at("start"), day("start"))}
            {ui::field("end", "To", "", at("end"), day("end"))}
            {ui::field("method", "Search", "", at("method"), ui::select("method", methods, t.get("method")))}
            {ui::field("objective", "Made as large as possible", "", at("objective"), ui::select("objective", objectives, t.get("objective")))}
            {ui::field("folds", "Windows", "", at("folds"), input(t, "folds", "5", true))}
            {ui::field("evaluations", "Back tests a window", "", at("evaluations"), input(t, "evaluations", "100", true))}
            {ui::field("cash", "Cash", "", at("cash"), input(t, "cash", "10000", true))}
            {ui::field("bps", "Commission, basis points", "", at("bps"), input(t, "bps", "5", true))}
        </div>
        <p class="submit-line">
            <button class="button primary" formmethod="post" formaction="/api/pages/create_optimisation">"Begin the optimisation"</button>
            " "
            <button class="button">"Check"</button>
        </p>
        <details open=open>
            <summary>"Details: fees, embargo, rolling window, seed"</summary>
            <div class="fields">
                {fees(t, &at)}
                {ui::field("embargo", "Embargo, bars", "Left out between training and test.", at("embargo"), input(t, "embargo", "0", true))}
                {ui::field("rolling", "Rolling training window, bars", "Empty: all bars before.", at("rolling"), input(t, "rolling", "all", true))}
                {ui::field("min_trades", "Fewest trades in training", "What has fewer counts as worst.", at("min_trades"), input(t, "min_trades", "1", true))}
                {ui::field("settings", "Settings of the search", "levels=5, with commas between them.", at("settings"), input(t, "settings", "none", false))}
                {ui::field("benchmark", "Benchmark", "Empty: the symbols held in equal parts.", at("benchmark"), input(t, "benchmark", "", false))}
                {ui::field("seed", "Seed", "", at("seed"), input(t, "seed", "1", true))}
            </div>
            <div class="choices">
                <label class="choice">
                    <input type="checkbox" name="fractional" value="on" checked=!t.get("fractional").is_empty()/>
                    <span>"Fractions of shares"</span>
                    <small>"else whole shares only"</small>
                </label>
            </div>
        </details>
    }
    .into_any()
}

fn checked(desk: &Desk) -> AnyView {
    let plan = match &desk.found {
        Ok(plan) => plan,
        Err(e) => {
            let near = (!e.suggestions.is_empty()).then(|| {
                view! { <p>"Did you mean " <strong>{e.suggestions.join(" or ")}</strong> "?"</p> }
            });
            return view! {
                <p>{ui::badge("✕", "Not yet", "bad")}</p>
                <p class="field-error">{ui::prose(&e.detail)}</p>
                {near}
            }
            .into_any();
        }
    };
    let total = u64::from(plan.evaluations) * u64::from(plan.folds);
    let ranges = match request(&desk.typed) {
        Ok(r) => r
            .search
            .iter()
            .map(|p| view! { <li><code>{p.name.clone()}</code> " " {range_words(&p.range)}</li> })
            .collect_view()
            .into_any(),
        Err(_) => ().into_any(),
    };
    let name = match desk.typed.by() {
        By::Json | By::Form => plan.strategy.name.clone(),
        By::Ready => ready_title(desk.typed.ready(), &desk.ready),
    };
    view! {
        <p>{ui::badge("✓", "Can be searched", "good")}</p>
        <p class="check-name">{name}</p>
        <ul class="plain-list">{ranges}</ul>
        <p class="quiet">
            {format!(
                "{} in {} windows, at most {} each. All of them are counted as tried.",
                format::counted(total, "back test", "back tests"),
                plan.folds,
                format::count(plan.evaluations.into()),
            )}
        </p>
    }
    .into_any()
}

/// A range in words: "5 to 50", "0.5 to 2, evenly by its logarithm", "sma or ema".
#[must_use]
pub fn range_words(range: &SearchRange) -> String {
    let text = |x: f64| format::json_text(&serde_json::json!(x));
    let (low, high, log) = match range {
        SearchRange::Integer { low, high, log } => (low.to_string(), high.to_string(), log),
        SearchRange::Real { low, high, log } => (text(*low), text(*high), log),
        SearchRange::Choice { values } => {
            let all: Vec<String> = values.iter().map(format::json_text).collect();
            return all.join(" or ");
        }
    };
    let even = if *log {
        ", evenly by its logarithm"
    } else {
        ""
    };
    format!("{low} to {high}{even}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(pairs: &[(&str, &str)]) -> Typed {
        let pairs: Vec<(String, String)> = pairs
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        Typed::of(&pairs)
    }

    #[test]
    fn ranges_are_searched_and_numbers_stay() {
        let r = request(&typed(&[
            ("symbols", "aapl"),
            ("p.sma_crossover.fast", "5..50"),
            ("p.sma_crossover.slow", "100"),
            ("p.rsi_reversion.period", "2..9"),
            ("method", "grid"),
            ("settings", "levels=4"),
            ("folds", "3"),
            ("rolling", "500"),
            ("objective", "calmar_ratio"),
        ]))
        .unwrap();
        assert_eq!(r.search.len(), 1);
        assert_eq!(r.search[0].name, "fast");
        assert_eq!(
            r.search[0].range,
            SearchRange::Integer {
                low: 5,
                high: 50,
                log: false
            }
        );
        assert_eq!(
            serde_json::Value::from(r.test.params),
            serde_json::json!({"slow": "100"})
        );
        assert_eq!(r.objective, Objective::CalmarRatio);
        assert_eq!((r.folds, r.window), (Some(3), Some(500)));
        assert_eq!(r.settings["levels"], "4");
    }

    #[test]
    fn a_template_is_searched_by_its_lines() {
        let r = request(&typed(&[
            ("by", "json"),
            ("symbols", "AAPL"),
            ("text", EXAMPLE),
            ("search", EXAMPLE_SEARCH),
        ]))
        .unwrap();
        let names: Vec<&str> = r.search.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["trend", "period"]);
        for (field, text) in [("search", "n"), ("search", "n=a..b"), ("folds", "many")] {
            let mut t = typed(&[("by", "json"), ("symbols", "AAPL"), ("text", EXAMPLE)]);
            t.set(field, text);
            assert_eq!(request(&t).unwrap_err().field.as_deref(), Some(field));
        }
    }

    #[test]
    fn a_form_is_searched_by_its_lines_with_fees() {
        let mut t = typed(&[
            ("by", "form"),
            ("symbols", "AAPL"),
            ("stop", "{width} * atr(14)"),
            ("per_share", "0.01"),
            ("spread", "4"),
        ]);
        for (name, text) in EXAMPLE_FORM {
            t.set(name, text);
        }
        t.set("search", "trend=50..250\nperiod=2..10\nwidth=1.0..4.0");
        let r = request(&t).unwrap();
        let names: Vec<&str> = r.search.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["trend", "period", "width"]);
        assert_eq!(
            r.test.strategy["long"]["enter"],
            "close > sma(close, {trend}) and rsi(close, {period}) < 25"
        );
        assert_eq!(
            r.test.strategy["stop_loss"]["expression"],
            "{width} * atr(14)"
        );
        let costs = r.test.costs.unwrap();
        assert_eq!((costs.per_share, costs.spread), (0.01, 0.0004));
    }

    #[test]
    fn a_page_that_nobody_touched_searches_around_the_values() {
        let p = |whole, default, low, high| ReadyMadeParam {
            name: "x".into(),
            help: String::new(),
            default,
            low,
            high,
            whole,
        };
        for (param, value, expected) in [
            (p(true, 10.0, 1.0, 1e6), 10.0, Some("5..20")),
            (p(true, 5.0, 1.0, 1e6), 5.0, Some("3..10")),
            (p(false, 0.15, 0.001, 10.0), 0.15, Some("0.075..0.3")),
            (p(false, 1.0, 0.01, 1.0), 1.0, Some("0.5..1.0")),
            (p(false, 0.0, 0.0, 1.0), 0.0, None),
        ] {
            let range = SearchRange::around(&param, value).map(|r| r.to_string());
            assert_eq!(range.as_deref(), expected);
        }
    }

    #[test]
    fn what_is_wrong_is_said_at_its_field() {
        for (field, expected) in [
            ("params.fast", "p.sma_crossover.fast"),
            ("search[1].range", "search"),
            ("window", "rolling"),
            ("symbols[0]", "symbols"),
            ("p.sma_crossover.fast", "p.sma_crossover.fast"),
            ("folds", "folds"),
            ("strategy", "text"),
        ] {
            assert_eq!(place(field, "sma_crossover"), expected, "{field}");
        }
    }
}
