//! The form of a new trial. Its defaults make it one press; its fields are the query of the
//! address, so that a trial can be prepared by a link. Without script it is a plain form: an error
//! comes back to it with everything that was typed.

use crate::error::PageError;
use crate::query::{self, Link};
use crate::server::{plain_form, reader, refuse, set_status, writer};
use crate::ui;
use crate::words;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;
use mltrainer_types::trial::{Costs, ModelRequest, Target, TrialRequest, Validation};
use serde::{Deserialize, Serialize};

/// The fields, as they are typed. An empty text is the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrialForm {
    /// Symbols with commas or spaces between them.
    pub symbols: String,
    /// Target.
    pub target: String,
    /// Days ahead, with commas or spaces between them.
    pub horizons: String,
    /// Models.
    pub models: Vec<String>,
    /// Feature groups.
    pub features: Vec<String>,
    /// First day.
    pub start: String,
    /// Last day.
    pub end: String,
    /// `walk_forward` or `hold_out`.
    pub kind: String,
    /// Test windows of a walk-forward.
    pub folds: String,
    /// Days of a rolling training window; empty: the window expands.
    pub window: String,
    /// Share of the days that a hold-out tests on, in percent.
    pub test_share: String,
    /// Days left out between training and test.
    pub embargo: String,
    /// Costs a side in basis points.
    pub bps: String,
    /// Seed.
    pub seed: String,
    /// The goal in the user's words.
    pub goal: String,
}

/// What the form offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choices {
    /// Symbols with the span of their data.
    pub symbols: Vec<(String, String)>,
    /// Models by family: id and title.
    pub models: Vec<(String, Vec<(String, String)>)>,
    /// Feature groups with the number of features.
    pub features: Vec<(String, u32)>,
}

/// What there is to choose from.
async fn offer() -> Result<Choices, PageError> {
    use mltrainer_types::catalogue::{EntryKind, Task};
    let services = reader()?;
    let sets = services.datasets().await.map_err(|e| refuse(&e))?;
    let mut models: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for e in services.catalogue() {
        let forecasts = e
            .tasks
            .iter()
            .any(|t| matches!(t, Task::Regression | Task::Classification));
        // Baselines are in every trial, they are not for choice.
        if !forecasts || e.kind == EntryKind::Indicator || e.family == "baseline" {
            continue;
        }
        match models.iter_mut().find(|(f, _)| *f == e.family) {
            Some((_, list)) => list.push((e.id.clone(), e.title.clone())),
            None => models.push((e.family.clone(), vec![(e.id.clone(), e.title.clone())])),
        }
    }
    let mut features: Vec<(String, u32)> = Vec::new();
    for f in services.features() {
        match features.iter_mut().find(|(g, _)| *g == f.group) {
            Some((_, n)) => *n += 1,
            None => features.push((f.group, 1)),
        }
    }
    Ok(Choices {
        symbols: sets
            .iter()
            .filter(|s| s.kind != mltrainer_types::data::DatasetKind::Series)
            .flat_map(|s| {
                let span = format!(
                    "{} to {}",
                    crate::format::day(s.first),
                    crate::format::day(s.last)
                );
                s.symbols
                    .iter()
                    .map(move |symbol| (symbol.clone(), span.clone()))
            })
            .collect(),
        models,
        features,
    })
}

/// Makes a trial and leads to its page.
#[server(prefix = "/api/pages", endpoint = "create_trial")]
pub(crate) async fn create_trial(#[server(default)] form: TrialForm) -> Result<String, PageError> {
    let (services, actor) = writer()?;
    let made = match request(&form) {
        Ok(request) => services
            .create_trial(actor.0, request, None)
            .await
            .map_err(|e| refuse(&e)),
        Err(error) => {
            set_status(error.status);
            Err(error)
        }
    };
    match made {
        Ok(made) => {
            leptos_axum::redirect(&format!("/trials/{}", query::segment(made.id.as_str())));
            Ok(made.id.to_string())
        }
        // Without script the form comes back as it was, with what is wrong.
        Err(error) if plain_form() => {
            leptos_axum::redirect(&back(&form, &error));
            Err(error)
        }
        Err(error) => Err(error),
    }
}

/// The request that the fields describe. What a field may be is the services' affair; here only
/// its kind counts.
///
/// # Errors
/// A field whose text is not of its kind.
pub fn request(form: &TrialForm) -> Result<TrialRequest, PageError> {
    let symbols: Vec<String> = query::list(&form.symbols)
        .iter()
        .map(|s| s.to_uppercase())
        .collect();
    if symbols.is_empty() {
        return Err(PageError::field(
            "symbols",
            "Name at least one symbol, for example AAPL",
        ));
    }
    let target = match form.target.trim() {
        "" => None,
        word => Some(Target::ALL.into_iter().find(|t| t.as_str() == word).ok_or_else(|| {
            PageError::field("target", &format!("\"{word}\" is not one of return, direction, log_volatility, range, price"))
        })?),
    };
    let horizons = query::list(&form.horizons)
        .iter()
        .map(|h| {
            h.parse::<u32>().map_err(|_| {
                PageError::field(
                    "horizons",
                    &format!("\"{h}\" is not a whole number of days from 1 to 250"),
                )
            })
        })
        .collect::<Result<_, _>>()?;
    let embargo =
        PageError::parse("embargo", &form.embargo, "a whole number of days")?.unwrap_or(0);
    let validation = if form.kind == "hold_out" {
        let percent: f64 = PageError::parse("test_share", &form.test_share, "a number of percent")?
            .unwrap_or(20.0);
        Validation::HoldOut {
            test_share: percent / 100.0,
            embargo,
        }
    } else {
        Validation::WalkForward {
            folds: PageError::parse("folds", &form.folds, "a whole number of folds")?.unwrap_or(5),
            embargo,
            window: PageError::parse("window", &form.window, "a whole number of days")?,
        }
    };
    Ok(TrialRequest {
        start: PageError::parse("start", &form.start, "a day; write it as 2004-12-31")?,
        end: PageError::parse("end", &form.end, "a day; write it as 2012-12-31")?,
        target,
        horizons,
        features: form.features.clone(),
        models: form.models.iter().cloned().map(ModelRequest::Id).collect(),
        validation,
        costs: PageError::parse("bps", &form.bps, "a number of basis points")?
            .map_or_else(Costs::default, |bps| Costs { bps }),
        seed: PageError::parse("seed", &form.seed, "a whole number that is not negative")?,
        goal: Some(form.goal.trim().to_owned()).filter(|g| !g.is_empty()),
        ..TrialRequest::for_symbols(symbols)
    })
}

const TEXTS: [&str; 13] = [
    "symbols",
    "target",
    "horizons",
    "start",
    "end",
    "kind",
    "folds",
    "window",
    "test_share",
    "embargo",
    "bps",
    "seed",
    "goal",
];

impl TrialForm {
    fn text(&mut self, name: &str) -> Option<&mut String> {
        Some(match name {
            "symbols" => &mut self.symbols,
            "target" => &mut self.target,
            "horizons" => &mut self.horizons,
            "start" => &mut self.start,
            "end" => &mut self.end,
            "kind" => &mut self.kind,
            "folds" => &mut self.folds,
            "window" => &mut self.window,
            "test_share" => &mut self.test_share,
            "embargo" => &mut self.embargo,
            "bps" => &mut self.bps,
            "seed" => &mut self.seed,
            "goal" => &mut self.goal,
            _ => return None,
        })
    }
}

/// The fields that a query sets.
#[must_use]
pub fn from_query(pairs: &[(String, String)]) -> TrialForm {
    let mut form = TrialForm {
        models: query::list(query::get(pairs, "models")),
        features: query::list(query::get(pairs, "features")),
        ..TrialForm::default()
    };
    for name in TEXTS {
        if let Some(text) = form.text(name) {
            query::get(pairs, name).clone_into(text);
        }
    }
    form
}

/// The address that brings the form back with what was typed and what is wrong.
#[must_use]
pub fn back(form: &TrialForm, error: &PageError) -> String {
    let mut form = form.clone();
    let lists = [
        ("models", form.models.join(",")),
        ("features", form.features.join(",")),
    ];
    let mut link = Link::to("/trials/new");
    for name in TEXTS {
        if let Some(text) = form.text(name) {
            link = link.with(name, text);
        }
    }
    for (name, text) in &lists {
        link = link.with(name, text);
    }
    link.with("error", &error.detail)
        .with("field", error.field.as_deref().unwrap_or_default())
        .build()
}

/// The error that a query brings back.
#[must_use]
pub fn error_from_query(pairs: &[(String, String)]) -> Option<PageError> {
    let detail = query::get(pairs, "error");
    (!detail.is_empty()).then(|| PageError {
        field: Some(query::get(pairs, "field").to_owned()).filter(|f| !f.is_empty()),
        ..PageError::new(422, "The trial was not made", detail)
    })
}

/// Where forms of new trials are sent.
const CREATE: &str = "/api/pages/create_trial";

/// A form of one button: a trial on a symbol with every default.
pub(crate) fn quick(symbol: &'static str, label: &'static str, primary: bool) -> AnyView {
    view! {
        <form method="post" action=CREATE>
            <input type="hidden" name="form[symbols]" value=symbol/>
            <button class="button" class:primary=primary>{label}</button>
        </form>
    }
    .into_any()
}

/// The page.
#[component]
pub fn NewTrial() -> impl IntoView {
    let pairs = query::pairs(&use_location().search.get_untracked());
    view! {
        <Title text="New trial"/>
        <div class="page narrow">
            {ui::head(
                &[("/", "mlTrainer"), ("/trials", "Trials")],
                "New trial".to_owned(),
                view! {
                    <p class="lede">
                        "Name a symbol and press the button; everything else has a default that makes sense. A naive baseline is always in, costs are always counted."
                    </p>
                }
                .into_any(),
            )}
            {ui::loaded(offer(), 12, move |offer| form(&offer, &pairs))}
        </div>
    }
}

fn form(offer: &Choices, pairs: &[(String, String)]) -> AnyView {
    if offer.symbols.is_empty() {
        return ui::empty(
            "No data set",
            "A trial needs a data set. Import one first.",
            "/data",
            "Go to the data",
        );
    }
    let f = from_query(pairs);
    let error = error_from_query(pairs);
    let error = error.as_ref();
    // Details are open when something in them was set or is wrong.
    let set = [
        &f.start,
        &f.end,
        &f.kind,
        &f.folds,
        &f.window,
        &f.test_share,
        &f.embargo,
        &f.bps,
        &f.seed,
        &f.goal,
    ]
    .iter()
    .any(|t| !t.is_empty())
        || !f.features.is_empty();
    let in_details = [
        "start",
        "end",
        "features",
        "validation",
        "kind",
        "folds",
        "window",
        "test_share",
        "embargo",
        "costs",
        "bps",
        "seed",
        "goal",
    ];
    let open = set || error.is_some_and(|e| in_details.iter().any(|n| e.at(n).is_some()));
    let general = error
        .filter(|e| {
            !["symbols", "target", "horizons", "models"]
                .iter()
                .chain(&in_details)
                .any(|n| e.at(n).is_some())
        })
        .map(ui::error_panel);
    let symbols = if f.symbols.is_empty() {
        "AAPL".to_owned()
    } else {
        f.symbols.clone()
    };
    let horizons = if f.horizons.is_empty() {
        "1".to_owned()
    } else {
        f.horizons.clone()
    };
    let fields = view! {
            <div class="form">
                {general}
                {typed("symbols", "Symbols", "One or several, with commas between them; their rows are pooled.", error, view! {
                    <input type="text" id="symbols" name="form[symbols]" value=symbols list="known-symbols" required=true autocapitalize="characters" autocomplete="off" spellcheck="false"/>
                    <datalist id="known-symbols">
                        {offer.symbols.iter().map(|(s, span)| view! { <option value=s.clone()>{span.clone()}</option> }).collect_view()}
                    </datalist>
                }.into_any())}
                {known(offer)}
                <fieldset class="field">
                    <legend>"Target"</legend>
                    {at(error, "target")}
                    <div class="choices">
                        {Target::ALL
                            .into_iter()
                            .map(|t| {
                                let chosen = f.target == t.as_str() || (f.target.is_empty() && t == Target::Return);
                                view! {
                                    <label class="choice">
                                        <input type="radio" name="form[target]" value=t.as_str() checked=chosen/>
                                        <span>{words::target(t)}</span>
                                        <small>{words::target_help(t)}</small>
                                    </label>
                                }
                            })
                            .collect_view()}
                    </div>
                </fieldset>
                {typed("horizons", "Days ahead", "One or several, each 1 to 250: 1, 5, 20.", error, view! {
                    <input type="text" id="horizons" name="form[horizons]" value=horizons inputmode="numeric" autocomplete="off"/>
                }.into_any())}
                <fieldset class="field">
                    <legend>"Models"</legend>
                    <p class="help">"Without a choice a sensible few are taken. Every model more is one more thing tried, and counts against the verdict."</p>
                    {at(error, "models")}
                    {offer.models.iter().map(|(family, list)| models(family, list, &f.models)).collect_view()}
                </fieldset>
                <p class="submit-line">
                    <button class="button primary">"Start the trial"</button>
                </p>
                <details open=open>
                    <summary>"Details: span, features, validation, costs, seed"</summary>
                    <div class="fields">
                        {typed("start", "From", "The first day there is when empty.", error, view! { <input type="date" id="start" name="form[start]" value=f.start.clone()/> }.into_any())}
                        {typed("end", "To", "The last day there is when empty.", error, view! { <input type="date" id="end" name="form[end]" value=f.end.clone()/> }.into_any())}
                    </div>
                    <fieldset class="field">
                        <legend>"Feature groups"</legend>
                        <p class="help">"When none is chosen: a small set of price, volatility, volume, technical and economic ones; for log volatility and range those of volatility, volume and economy."</p>
                        {at(error, "features")}
                        <div class="choices">
                            {offer.features
                                .iter()
                                .map(|(group, n)| view! {
                                    <label class="choice">
                                        <input type="checkbox" name="form[features][]" value=group.clone() checked=f.features.contains(group)/>
                                        <span>{words::title(group)}</span>
                                        <small>{crate::format::counted((*n).into(), "feature", "features")}</small>
                                    </label>
                                })
                                .collect_view()}
                        </div>
                    </fieldset>
                    <fieldset class="field">
                        <legend>"Validation"</legend>
                        {at(error, "kind")}
                        <div class="choices">
                            <label class="choice">
                                <input type="radio" name="form[kind]" value="walk_forward" checked=f.kind != "hold_out"/>
                                <span>"Walk-forward"</span>
                                <small>"several test windows, each after its training window"</small>
                            </label>
                            <label class="choice">
                                <input type="radio" name="form[kind]" value="hold_out" checked=f.kind == "hold_out"/>
                                <span>"Hold-out"</span>
                                <small>"the last share of the days is the test"</small>
                            </label>
                        </div>
                    </fieldset>
                    <div class="fields">
                        {typed("folds", "Folds", "Walk-forward: 1 to 50 test windows.", error, number("folds", &f.folds, "5"))}
                        {typed("window", "Rolling window, days", "Walk-forward: empty lets the window expand.", error, number("window", &f.window, "expanding"))}
                        {typed("test_share", "Test share, %", "Hold-out: 5 to 50.", error, number("test_share", &f.test_share, "20"))}
                        {typed("embargo", "Embargo, days", "Left out between training and test; the horizon is always left out.", error, number("embargo", &f.embargo, "0"))}
                        {typed("bps", "Costs a side, basis points", "Commission and half the spread, 0 to 1000.", error, number("bps", &f.bps, "5"))}
                        {typed("seed", "Seed", "The same seed and data give the same result, bit for bit.", error, number("seed", &f.seed, "1"))}
                    </div>
                    {typed("goal", "Goal", "In your own words; kept with the trial.", error, view! {
                        <textarea id="goal" name="form[goal]" rows="2">{f.goal.clone()}</textarea>
                    }.into_any())}
                </details>
            </div>
    }
    .into_any();
    view! { <form method="post" action=CREATE>{fields}</form> }.into_any()
}

/// Symbols that can be named, for those whose browser does not suggest them.
fn known(offer: &Choices) -> AnyView {
    let list = offer
        .symbols
        .iter()
        .map(|(s, span)| view! { <li><code>{s.clone()}</code> <span class="quiet">{span.clone()}</span></li> })
        .collect_view();
    let count = crate::format::counted(offer.symbols.len() as u64, "symbol", "symbols");
    view! {
        <details class="known">
            <summary>{format!("{count} to choose from")}</summary>
            <ul class="known-list">{list}</ul>
        </details>
    }
    .into_any()
}

fn number(name: &'static str, value: &str, placeholder: &'static str) -> AnyView {
    view! {
        <input type="text" inputmode="decimal" id=name name=format!("form[{name}]") value=value.to_owned() placeholder=placeholder autocomplete="off"/>
    }
    .into_any()
}

fn typed(
    name: &'static str,
    label: &'static str,
    help: &'static str,
    error: Option<&PageError>,
    control: AnyView,
) -> AnyView {
    view! {
        <div class="field" class:bad=error.is_some_and(|e| e.at(name).is_some())>
            <label for=name>{label}</label>
            {control}
            <p class="help">{help}</p>
            {at(error, name)}
        </div>
    }
    .into_any()
}

/// The error at a field.
fn at(error: Option<&PageError>, name: &'static str) -> AnyView {
    error
        .and_then(|e| e.at(name))
        .map(|detail| view! { <p class="field-error" role="alert">{ui::sentence(detail)}</p> })
        .into_any()
}

fn models(family: &str, list: &[(String, String)], chosen: &[String]) -> AnyView {
    let any = list.iter().any(|(id, _)| chosen.contains(id));
    let count = crate::format::counted(list.len() as u64, "model", "models");
    view! {
        <details class="group" open=any>
            <summary>{words::title(family)} <span class="quiet">{count}</span></summary>
            <div class="choices">
                {list
                    .iter()
                    .map(|(id, title)| view! {
                        <label class="choice">
                            <input type="checkbox" name="form[models][]" value=id.clone() checked=chosen.contains(id)/>
                            <span>{title.clone()}</span>
                            <small><code>{id.clone()}</code></small>
                        </label>
                    })
                    .collect_view()}
            </div>
        </details>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> TrialForm {
        TrialForm {
            symbols: "aapl, MSFT".into(),
            ..TrialForm::default()
        }
    }

    #[test]
    fn symbols_alone_are_a_request_with_defaults() {
        assert_eq!(
            request(&form()).unwrap(),
            TrialRequest::for_symbols(["AAPL", "MSFT"])
        );
    }

    #[test]
    fn every_field_arrives() {
        let f = TrialForm {
            target: "log_volatility".into(),
            horizons: "1, 5".into(),
            models: vec!["ridge".into()],
            features: vec!["price".into()],
            start: "2004-01-01".into(),
            end: "2012-12-31".into(),
            folds: "7".into(),
            window: "1000".into(),
            embargo: "5".into(),
            bps: "2.5".into(),
            seed: "9".into(),
            goal: " sleep well ".into(),
            ..form()
        };
        let r = request(&f).unwrap();
        assert_eq!(r.target, Some(Target::LogVolatility));
        assert_eq!(r.horizons, [1, 5]);
        assert_eq!(r.models, [ModelRequest::Id("ridge".into())]);
        assert_eq!(
            r.validation,
            Validation::WalkForward {
                folds: 7,
                embargo: 5,
                window: Some(1000)
            }
        );
        assert_eq!((r.costs.bps, r.seed), (2.5, Some(9)));
        assert_eq!(r.goal.as_deref(), Some("sleep well"));
        assert_eq!(r.start, chrono::NaiveDate::from_ymd_opt(2004, 1, 1));
        let held = request(&TrialForm {
            kind: "hold_out".into(),
            test_share: "25".into(),
            ..form()
        })
        .unwrap();
        assert_eq!(
            held.validation,
            Validation::HoldOut {
                test_share: 0.25,
                embargo: 0
            }
        );
    }

    #[test]
    fn wrong_texts_name_their_field() {
        let cases: [(&str, fn(&mut TrialForm)); 9] = [
            ("symbols", |f| f.symbols = " , ".into()),
            ("target", |f| f.target = "moon".into()),
            ("horizons", |f| f.horizons = "1,x".into()),
            ("start", |f| f.start = "01.01.2004".into()),
            ("folds", |f| f.folds = "2.5".into()),
            ("window", |f| f.window = "-1".into()),
            ("embargo", |f| f.embargo = "a".into()),
            ("bps", |f| f.bps = "cheap".into()),
            ("seed", |f| f.seed = "-1".into()),
        ];
        for (field, change) in cases {
            let mut f = form();
            change(&mut f);
            assert_eq!(request(&f).unwrap_err().field.as_deref(), Some(field));
        }
    }

    #[test]
    fn a_refused_form_comes_back_as_it_was() {
        let f = TrialForm {
            symbols: "AAPL & Co".into(),
            models: vec!["ridge".into(), "lasso".into()],
            horizons: "999".into(),
            kind: "hold_out".into(),
            ..TrialForm::default()
        };
        let error = PageError::field("horizons", "999 is not in 1 to 250");
        let link = back(&f, &error);
        let pairs = query::pairs(link.split_once('?').unwrap().1);
        assert_eq!(from_query(&pairs), f);
        let brought = error_from_query(&pairs).unwrap();
        assert_eq!((brought.field, brought.detail), (error.field, error.detail));
        assert_eq!(error_from_query(&[]), None);
    }
}
