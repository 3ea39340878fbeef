//! The card of one catalogue entry, and the form that runs it on a data set. The run is the query
//! of the address: a link reproduces it.

use crate::drawing::Drawing;
use crate::error::PageError;
use crate::islands::chart::Chart;
use crate::pages::models::tags;
use crate::query::segment;
use crate::server::{reader, refuse};
use crate::ui;
use crate::{format, query, words};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_location, use_params_map};
use mltrainer_types::analytics::KnownCase;
use mltrainer_types::catalogue::{CatalogueEntry, Checked, EntryKind, ParamKind, ParamSpec, Task};
use mltrainer_types::data::LineageStep;
use mltrainer_types::run::RunRequest;
use serde_json::{Map, Value};

/// A model's page.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelPage {
    /// The entry.
    pub entry: CatalogueEntry,
    /// Data sets it can run on: id and words.
    pub datasets: Vec<(String, String)>,
    /// Whether it can be laid over prices.
    pub drawable: bool,
    /// Known cases of it.
    pub cases: Vec<KnownCase>,
    /// The run that the address asks for.
    pub run: Option<Result<Ran, PageError>>,
}

/// What a run gave, in the shape of the page: long outputs are cut to what is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Ran {
    /// Figures by name.
    pub metrics: Vec<(String, Option<f64>)>,
    /// Outputs by name.
    pub outputs: Vec<Output>,
    /// Milliseconds of fitting and predicting.
    pub took: (f64, f64),
    /// Where the values come from.
    pub lineage: Vec<LineageStep>,
    /// Outputs with one value a day as a chart.
    pub drawing: Option<Drawing>,
    /// Column, drop of the score when it is shuffled, and its standard deviation; the largest first.
    pub importances: Vec<(String, f64, f64)>,
    /// What SHAP values say of the columns.
    pub effects: Option<Effects>,
}

/// Mean sizes of SHAP values.
#[derive(Debug, Clone, PartialEq)]
pub struct Effects {
    /// What the values add up to.
    pub of: String,
    /// Labels, where there is a table a label.
    pub labels: Vec<String>,
    /// Column, and the mean over the rows of the size of its values, one a label; the largest sum first.
    pub rows: Vec<(String, Vec<f64>)>,
}

/// An output as the page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Name.
    pub name: String,
    /// Its shape in words.
    pub shape: String,
    /// The value, or the first and the last ones.
    pub text: String,
}

/// The card, the data sets, and the run that the query asks for.
async fn model(id: String, asked: String) -> Result<ModelPage, PageError> {
    let services = reader()?;
    let entry = services.catalogue_entry(&id).map_err(|e| refuse(&e))?;
    let sets = services.datasets().await.map_err(|e| refuse(&e))?;
    let pairs = query::pairs(&asked);
    let run = if query::get(&pairs, "run").is_empty() {
        None
    } else {
        Some(match run_request(&entry, &pairs) {
            Ok(request) => services
                .run(&id, request)
                .await
                .map(|result| shown(&entry, result))
                .map_err(|e| refuse(&e)),
            Err(error) => Err(error),
        })
    };
    Ok(ModelPage {
        drawable: services.overlays().iter().any(|e| e.id == entry.id),
        cases: services
            .known_cases()
            .into_iter()
            .filter(|c| c.entry == entry.id)
            .collect(),
        entry,
        datasets: sets
            .iter()
            .filter(|s| s.kind != mltrainer_types::data::DatasetKind::Series)
            .map(|s| (s.id.to_string(), set_words(s)))
            .collect(),
        run,
    })
}

fn set_words(s: &mltrainer_types::data::DatasetSummary) -> String {
    format!(
        "{} · {} {} to {}",
        s.symbols.join(", "),
        words::dataset_kind(s.kind).to_lowercase(),
        format::day(s.first),
        format::day(s.last)
    )
}

/// The page.
#[component]
pub fn Model() -> impl IntoView {
    let id = use_params_map()
        .get_untracked()
        .get("id")
        .unwrap_or_default();
    let asked = use_location().search.get_untracked();
    view! {
        <div class="page">{ui::loaded(model(id, asked.clone()), 16, move |p| card(&p, &asked))}</div>
    }
}

fn card(p: &ModelPage, asked: &str) -> AnyView {
    let e = &p.entry;
    view! {
        <Title text=e.title.clone()/>
        {ui::head(
            &[("/", "mlTrainer"), ("/models", "Models")],
            e.title.clone(),
            view! {
                <p class="tags"><code>{e.id.clone()}</code> {tags(e.kind, &e.tasks)}</p>
                <p class="lede">{e.summary.clone()}</p>
                {e.base.as_ref().map(|base| view! {
                    <p>
                        "A preset of "
                        <a href=format!("/models/{}", segment(base))>{base.clone()}</a>
                        " with " {format::params_line(&e.fixed)} "."
                    </p>
                })}
                <div class="actions">
                    <a class="button primary" href="#run">"Run it on a data set"</a>
                    {trial_link(e)}
                    {p.drawable.then(|| {
                        let href = query::Link::to("/analytics").with("show", &e.id).build();
                        view! { <a class="button" href=href>"Lay it over prices"</a> }
                    })}
                </div>
            }
            .into_any(),
        )}
        <div class="columns">
            <div>
                {ui::panel("formula", "What it computes", ().into_any(), view! { <pre class="formula">{e.formula.clone()}</pre> }.into_any())}
                {ui::panel("parameters", "Parameters", ().into_any(), parameters(&e.params))}
                {ui::panel("outputs", "Outputs", ().into_any(), outputs_table(e))}
            </div>
            <div>
                {ui::panel(
                    "limits",
                    "Before you rely on it",
                    ().into_any(),
                    ui::facts(vec![
                        ("Fails when", ui::text(ui::sentence(&e.fails_when))),
                        ("Not claimed", ui::text(ui::sentence(&e.not_claimed))),
                        ("Data", ui::text(ui::sentence(&e.data))),
                        ("Cost", ui::text(ui::sentence(&e.cost))),
                        ("Same seed", ui::text(if e.deterministic { "Same bits." } else { "May differ between runs." })),
                    ]),
                )}
                {ui::panel("evidence", "Evidence", ().into_any(), evidence(e))}
                {(!e.presets.is_empty()).then(|| ui::panel("presets", "Presets", ().into_any(), presets(&e.presets)))}
            </div>
        </div>
        {(!p.cases.is_empty()).then(|| {
            let cases: Vec<&KnownCase> = p.cases.iter().collect();
            ui::panel("cases", "Known cases", ().into_any(), crate::pages::analytics::cases(&cases))
        })}
        {ui::panel("run", "Run it on a data set", ().into_any(), run_part(p, asked))}
    }
    .into_any()
}

fn trial_link(e: &CatalogueEntry) -> Option<AnyView> {
    let forecasts = e
        .tasks
        .iter()
        .any(|t| matches!(t, Task::Regression | Task::Classification));
    (forecasts && e.kind != EntryKind::Indicator).then(|| {
        let href = query::Link::to("/trials/new").with("models", &e.id).build();
        view! { <a class="button" href=href>"Put it on trial"</a> }.into_any()
    })
}

fn parameters(params: &[ParamSpec]) -> AnyView {
    if params.is_empty() {
        return view! { <p class="quiet">"It has none."</p> }.into_any();
    }
    let rows = params
        .iter()
        .map(|p| {
            view! {
                <tr>
                    <th scope="row"><code>{p.name.clone()}</code></th>
                    <td class="kind">{words::param_kind(p.kind)}</td>
                    <td><code>{format::json_text(&p.default)}</code></td>
                    <td>{words::param_range(p)}</td>
                    <td class="wide">{ui::sentence(&p.help)}</td>
                </tr>
            }
        })
        .collect_view()
        .into_any();
    ui::table(
        "Table of parameters",
        "plain",
        ui::heads(&["Name", "Type", "Default", "Range", "What it does"]),
        rows,
    )
}

fn outputs_table(e: &CatalogueEntry) -> AnyView {
    let rows = e
        .outputs
        .iter()
        .map(|o| view! { <tr><th scope="row"><code>{o.name.clone()}</code></th><td class="wide">{ui::sentence(&o.help)}</td></tr> })
        .collect_view()
        .into_any();
    ui::table(
        "Table of outputs",
        "plain",
        ui::heads(&["Name", "Shape and unit"]),
        rows,
    )
}

fn evidence(e: &CatalogueEntry) -> AnyView {
    let rows = e
        .evidence
        .iter()
        .map(|v| {
            view! {
                <li>
                    <p><strong>{v.against.clone()}</strong></p>
                    <p>{v.cases.clone()}</p>
                    <p class="quiet">"Tolerance: " {v.tolerance.clone()}</p>
                </li>
            }
        })
        .collect_view();
    view! {
        {e.checked.as_ref().map(checked)}
        <ul class="lines">{rows}</ul>
        {ui::facts(vec![
            ("Source", ui::text(e.source.clone())),
            ("Conventions of", ui::text(e.reference.clone())),
        ])}
    }
    .into_any()
}

/// More cases than this are shown when asked for.
const CASES_AT_ONCE: usize = 4;

/// The last run of the reference check.
fn checked(c: &Checked) -> AnyView {
    let (passed, all) = (c.passed(), c.cases.len());
    let cases = if all == 1 { "case" } else { "cases" };
    let (sign, class) = if passed == all {
        ("✓", "good")
    } else {
        ("✕", "bad")
    };
    let said = format!("{passed} of {all} reference {cases} passed");
    let lines = c
        .cases
        .iter()
        .map(|c| {
            let failed = (!c.passed).then(|| ui::badge("✕", "failed", "bad"));
            view! {
                <li>
                    <p><code>{c.case.clone()}</code> " " {failed}</p>
                    <p class="quiet">{c.against.clone()} ": " {c.tolerance.clone()}</p>
                </li>
            }
        })
        .collect_view();
    view! {
        <p>{ui::badge(sign, &said, class)}</p>
        <p class="quiet">
            "Last run of the check: " {c.on.clone()} ". In a tolerance, v is the number of the reference."
        </p>
        <details open=all <= CASES_AT_ONCE>
            <summary>{if all == 1 { "The case".to_owned() } else { format!("The {all} cases") }}</summary>
            <ul class="lines">{lines}</ul>
        </details>
    }
    .into_any()
}

fn presets(ids: &[String]) -> AnyView {
    view! {
        <ul class="chips">
            {ids
                .iter()
                .map(|id| view! { <li><a href=format!("/models/{}", segment(id))><code>{id.clone()}</code></a></li> })
                .collect_view()}
        </ul>
    }
    .into_any()
}

/// What a form must ask for an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asks {
    target: bool,
    own_series: bool,
    classes: bool,
    numbers: bool,
    column: bool,
    /// Whether it finds outliers by trees, which can be explained.
    strange: bool,
}

fn asks(e: &CatalogueEntry) -> Asks {
    let has = |t: Task| e.tasks.contains(&t);
    let indicator = e.kind == EntryKind::Indicator;
    let target = !indicator && (has(Task::Regression) || has(Task::Classification));
    // Tests, transforms and other methods on series have a column and no target.
    let signal = has(Task::Signal) || has(Task::Clustering) || has(Task::OutlierDetection);
    let own_series = !indicator && (has(Task::Forecasting) || !target && !signal);
    Asks {
        target,
        own_series,
        classes: has(Task::Classification),
        numbers: has(Task::Regression),
        column: own_series,
        strange: e.id == "isolation_forest",
    }
}

fn run_part(p: &ModelPage, asked: &str) -> AnyView {
    if p.datasets.is_empty() {
        return ui::empty(
            "No data set",
            "A run needs a data set. Import one first.",
            "/data",
            "Go to the data",
        );
    }
    let e = &p.entry;
    let pairs = query::pairs(asked);
    let get = |name: &str| query::get(&pairs, name).to_owned();
    let error = p.run.as_ref().and_then(|r| r.as_ref().err());
    let at = |name: &str| error.and_then(|e| e.at(name)).map(str::to_owned);
    let a = asks(e);
    let mut targets: Vec<(String, String)> = Vec::new();
    if a.own_series {
        targets.push((String::new(), "The series itself".to_owned()));
    }
    if a.numbers {
        targets
            .extend(["return", "log_volatility", "range"].map(|t| (t.to_owned(), words::title(t))));
    }
    if a.classes {
        targets.push(("direction".to_owned(), "Direction".to_owned()));
    }
    let horizon = Some(get("horizon"))
        .filter(|h| !h.is_empty())
        .unwrap_or_else(|| "1".to_owned());
    let columns = ["close", "open", "high", "low", "volume"]
        .map(|c| (c.to_owned(), words::title(c)))
        .to_vec();
    let start = get("start");
    let end = get("end");
    let fields = view! {
            <input type="hidden" name="run" value="1"/>
            <div class="fields">
                {ui::field("dataset", "Data set", "", at("dataset"), ui::select("dataset", p.datasets.clone(), &get("dataset")))}
                {(a.own_series && !a.target).then(|| ui::field(
                    "with",
                    "Further data sets",
                    "For a method on several series: their ids with commas between, on the days that all have.",
                    at("with"),
                    view! { <input type="text" id="with" name="with" value=get("with") placeholder="bundled:IBM" autocomplete="off"/> }.into_any(),
                ))}
                {a.target.then(|| ui::field(
                    "target",
                    "Forecast",
                    "Features are computed from the bars; the last fifth of the days is the test.",
                    at("target"),
                    ui::select("target", targets, &get("target")),
                ))}
                {(a.target || a.own_series).then(|| ui::field(
                    "horizon",
                    "Days ahead",
                    "",
                    at("horizon"),
                    view! { <input type="number" id="horizon" name="horizon" min="1" max="250" value=horizon inputmode="numeric"/> }.into_any(),
                ))}
                {(a.target || a.strange).then(|| ui::field(
                    "explain",
                    "Explain",
                    if a.target {
                        "Importance: how much the score falls when a column is shuffled. SHAP: what each column adds to each forecast."
                    } else {
                        "SHAP: what each column adds to the mean depth of a day; below 0 it makes the day stranger."
                    },
                    at("explain"),
                    ui::select("explain", explanations(e), &get("explain")),
                ))}
                {a.numbers.then(|| ui::field(
                    "interval",
                    "Prediction interval",
                    "Conformal: from the errors on the last quarter of the training rows.",
                    at("interval"),
                    ui::select("interval", levels(), &get("interval")),
                ))}
                {a.column.then(|| ui::field("column", "Column of the series", "", at("column"), ui::select("column", columns, &get("column"))))}
                {ui::field("start", "From", "", at("start"), view! { <input type="date" id="start" name="start" value=start/> }.into_any())}
                {ui::field("end", "To", "", at("end"), view! { <input type="date" id="end" name="end" value=end/> }.into_any())}
            </div>
            {(!e.params.is_empty()).then(|| {
                let open = e.params.iter().any(|p| !get(&format!("p.{}", p.name)).is_empty() || at(&p.name).is_some());
                view! {
                    <details open=open>
                        <summary>"Parameters"</summary>
                        <div class="fields">
                            {e.params.iter().map(|spec| param_field(spec, &get(&format!("p.{}", spec.name)), at(&spec.name))).collect_view()}
                        </div>
                    </details>
                }
            })}
            <p><button class="button primary">"Run"</button></p>
    }
    .into_any();
    view! {
        <form method="get" action=format!("/models/{}#run", segment(&e.id)) class="form run-form" aria-label="Run on a data set">{fields}</form>
        <div class="run-result" aria-live="polite">
            {match &p.run {
                None => ().into_any(),
                Some(Err(error)) => ui::error_panel(error),
                Some(Ok(ran)) => ran_view(ran),
            }}
        </div>
    }
    .into_any()
}

/// Explanations to choose from: SHAP values are for models of trees.
fn explanations(e: &CatalogueEntry) -> Vec<(String, String)> {
    let shap = ("shap", "SHAP values");
    let all = if asks(e).strange {
        vec![("", "nothing"), shap]
    } else {
        let mut all = vec![("", "nothing"), ("permutation", "importance")];
        if e.family == "tree" || e.id == "bagging" {
            all.extend([shap, ("permutation,shap", "both")]);
        }
        all
    };
    let texts = |(value, words): (&str, &str)| (value.to_owned(), words.to_owned());
    all.into_iter().map(texts).collect()
}

/// Levels of intervals to choose from.
fn levels() -> Vec<(String, String)> {
    let level = |l: &str, words: &str| (l.to_owned(), words.to_owned());
    vec![
        level("", "none"),
        level("0.5", "50%"),
        level("0.8", "80%"),
        level("0.9", "90%"),
        level("0.95", "95%"),
    ]
}

fn param_field(p: &ParamSpec, value: &str, error: Option<String>) -> AnyView {
    let name = format!("p.{}", p.name);
    param_control(p, &name, &name, None, value, error, &words::param_range(p))
}

/// The field of a parameter; `form` names the form that it belongs to when it stands outside.
pub(crate) fn param_control(
    p: &ParamSpec,
    id: &str,
    name: &str,
    form: Option<&'static str>,
    value: &str,
    error: Option<String>,
    help: &str,
) -> AnyView {
    let (id, name) = (id.to_owned(), name.to_owned());
    let default = format::json_text(&p.default);
    let bad = error.is_some();
    let control = match p.kind {
        ParamKind::Boolean | ParamKind::Choice => {
            let mut options = vec![(String::new(), format!("default ({default})"))];
            if p.kind == ParamKind::Boolean {
                options.extend(["true", "false"].map(|b| (b.to_owned(), b.to_owned())));
            } else {
                options.extend(p.choices.iter().map(|c| (c.clone(), c.clone())));
            }
            let chosen = value.to_owned();
            view! {
                <select id=id.clone() name=name form=form>
                    {options
                        .into_iter()
                        .map(|(v, w)| {
                            let selected = v == chosen;
                            view! { <option value=v selected=selected>{w}</option> }
                        })
                        .collect_view()}
                </select>
            }
            .into_any()
        }
        _ => view! {
            <input
                type="text"
                id=id.clone()
                name=name
                form=form
                value=value.to_owned()
                placeholder=default
                autocomplete="off"
                inputmode=if p.kind == ParamKind::Text { "text" } else { "decimal" }
            />
        }
        .into_any(),
    };
    view! {
        <div class="field" class:bad=bad>
            <label for=id><code>{p.name.clone()}</code></label>
            {control}
            <p class="help">{help.to_owned()}</p>
            {error.map(|e| view! { <p class="field-error" role="alert">{ui::sentence(&e)}</p> })}
        </div>
    }
    .into_any()
}

fn ran_view(r: &Ran) -> AnyView {
    let metrics = (!r.metrics.is_empty()).then(|| {
        view! {
            <h3>"Figures on the test rows"</h3>
            <div class="stats">
                {r.metrics
                    .iter()
                    .map(|(name, value)| {
                        let (short, long, share) = words::metric(name);
                        let text = if share { format::percent(*value, 1) } else { format::figure(*value) };
                        ui::stat(text, &short, long)
                    })
                    .collect_view()}
            </div>
        }
    });
    let rows = r
        .outputs
        .iter()
        .map(|o| {
            view! {
                <tr>
                    <th scope="row"><code>{o.name.clone()}</code></th>
                    <td>{o.shape.clone()}</td>
                    <td class="wide"><code>{o.text.clone()}</code></td>
                </tr>
            }
        })
        .collect_view()
        .into_any();
    let importances = (!r.importances.is_empty()).then(|| {
        let rows = r
            .importances
            .iter()
            .map(|(name, mean, std)| {
                view! {
                    <tr>
                        <th scope="row"><code>{name.clone()}</code></th>
                        <td>{format::figure(Some(*mean))}</td>
                        <td>{format::figure(Some(*std))}</td>
                    </tr>
                }
            })
            .collect_view()
            .into_any();
        view! {
            <h3>"Importance of the columns"</h3>
            <p class="quiet">"How much R² (or the share of labels met) on the test rows falls when a column is shuffled. Columns that say the same share it."</p>
            {ui::table("Permutation importance", "plain", ui::heads(&["Column", "Mean drop", "Standard deviation"]), rows)}
        }
    });
    view! {
        {metrics}
        {importances}
        {r.effects.as_ref().map(effects_view)}
        {r.drawing.clone().map(|d| view! {
            <Chart source="".to_owned() frame=Some(d.frame)><div class="drawn" inner_html=d.svg></div></Chart>
        })}
        <h3>"Outputs"</h3>
        {ui::table("Outputs of the run", "plain", ui::heads(&["Name", "Shape", "Value"]), rows)}
        <p class="quiet">
            {format!("Fitted in {}, predicted in {}.", format::milliseconds(r.took.0), format::milliseconds(r.took.1))}
        </p>
        <details>
            <summary>"Where these values come from"</summary>
            {ui::lineage(&r.lineage)}
        </details>
    }
    .into_any()
}

fn effects_view(e: &Effects) -> AnyView {
    let heads: Vec<String> = if e.labels.is_empty() {
        vec!["Mean size".to_owned()]
    } else {
        e.labels.iter().map(|l| format!("Label {l}")).collect()
    };
    let heads: Vec<&str> = std::iter::once("Column")
        .chain(heads.iter().map(String::as_str))
        .collect();
    let rows = e
        .rows
        .iter()
        .map(|(name, sizes)| {
            view! {
                <tr>
                    <th scope="row"><code>{name.clone()}</code></th>
                    {sizes.iter().map(|v| view! { <td>{format::figure(Some(*v))}</td> }).collect_view()}
                </tr>
            }
        })
        .collect_view()
        .into_any();
    view! {
        <h3>"What the columns add"</h3>
        <p class="quiet">
            {format!("Mean size of the SHAP values over the rows, in units of what they add up to ({}). Each row's values are in the output shap_values.", e.of)}
        </p>
        {ui::table("Mean size of SHAP values", "plain", ui::heads(&heads), rows)}
    }
    .into_any()
}

/// The run that a query asks for.
///
/// # Errors
/// A field whose text is not of its kind.
pub fn run_request(
    e: &CatalogueEntry,
    pairs: &[(String, String)],
) -> Result<RunRequest, PageError> {
    let get = |name: &str| Some(query::get(pairs, name).to_owned()).filter(|v| !v.is_empty());
    let day = |name: &str| match get(name) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| {
            PageError::field(
                name,
                &format!("\"{text}\" is not a day; write it as 2012-12-31"),
            )
        }),
    };
    let horizon = match get("horizon") {
        None => None,
        Some(text) => Some(text.parse::<u32>().map_err(|_| {
            PageError::field(
                "horizon",
                &format!("\"{text}\" is not a whole number of days from 1 to 250"),
            )
        })?),
    };
    let interval = match get("interval") {
        None => Vec::new(),
        Some(text) => vec![text.parse::<f64>().map_err(|_| {
            PageError::field(
                "interval",
                &format!("\"{text}\" is not a number such as 0.9"),
            )
        })?],
    };
    let explain = get("explain").unwrap_or_default();
    let explain = explain.split(',').filter(|w| !w.is_empty());
    let mut params = Map::new();
    for spec in &e.params {
        if let Some(text) = get(&format!("p.{}", spec.name)) {
            params.insert(spec.name.clone(), param_value(spec, &text)?);
        }
    }
    let a = asks(e);
    let further = get("with").filter(|_| a.own_series && !a.target);
    let dataset = match (get("dataset"), further) {
        (Some(first), Some(further)) => Some(format!("{first},{further}")),
        (first, _) => first,
    };
    Ok(RunRequest {
        dataset,
        start: day("start")?,
        end: day("end")?,
        target: get("target"),
        horizon: horizon.filter(|_| a.target || a.own_series),
        column: get("column").filter(|_| a.column),
        explain: explain.map(str::to_owned).collect(),
        interval,
        params,
        ..RunRequest::default()
    })
}

/// A parameter as it was typed. Ranges are the entry's own affair; here only its kind counts.
fn param_value(spec: &ParamSpec, text: &str) -> Result<Value, PageError> {
    if spec.optional && text.eq_ignore_ascii_case("none") {
        return Ok(Value::Null);
    }
    let wrong = |kind: &str| PageError::field(&spec.name, &format!("\"{text}\" is not {kind}"));
    match spec.kind {
        ParamKind::Integer => text
            .parse::<i64>()
            .map(Value::from)
            .map_err(|_| wrong("a whole number")),
        ParamKind::Float => text
            .parse::<f64>()
            .ok()
            .filter(|x| x.is_finite())
            .map(Value::from)
            .ok_or_else(|| wrong("a number")),
        ParamKind::Boolean => text
            .parse::<bool>()
            .map(Value::from)
            .map_err(|_| wrong("true or false")),
        ParamKind::Choice | ParamKind::Text => Ok(Value::from(text)),
    }
}

fn shown(e: &CatalogueEntry, result: mltrainer_types::run::RunResult) -> Ran {
    let drawing = drawn(e, &result.outputs);
    let importances = importances(&result.outputs);
    let effects = effects(&result.outputs);
    Ran {
        metrics: result.metrics.into_iter().collect(),
        outputs: result
            .outputs
            .iter()
            .map(|(name, value)| output(name, value))
            .collect(),
        took: (result.timing.fit_ms, result.timing.predict_ms),
        lineage: result.lineage,
        drawing,
        importances,
        effects,
    }
}

/// Mean size of the SHAP values of each column; none when none were asked for.
fn effects(outputs: &Map<String, Value>) -> Option<Effects> {
    let names = outputs.get("feature_names")?.as_array()?;
    let (mut labels, mut tables): (Vec<String>, Vec<&Value>) = match outputs.get("shap_values")? {
        Value::Object(by_label) => by_label.iter().map(|(l, t)| (l.clone(), t)).unzip(),
        table => (Vec::new(), vec![table]),
    };
    // Of two labels one takes what the other is given.
    if labels.len() == 2 {
        labels.remove(0);
        tables.remove(0);
    }
    let mean = |table: &Value, column: usize| -> Option<f64> {
        let rows = table.as_array()?;
        let sizes = rows.iter().map(|r| Some(r.get(column)?.as_f64()?.abs()));
        Some(sizes.sum::<Option<f64>>()? / rows.len() as f64)
    };
    let mut rows = Vec::with_capacity(names.len());
    for (column, name) in names.iter().enumerate() {
        let sizes: Option<Vec<f64>> = tables.iter().map(|t| mean(t, column)).collect();
        rows.push((format::json_text(name), sizes?));
    }
    let all = |sizes: &[f64]| sizes.iter().sum::<f64>();
    rows.sort_by(|a: &(String, Vec<f64>), b| all(&b.1).total_cmp(&all(&a.1)));
    Some(Effects {
        of: outputs.get("shap_of")?.as_str()?.replace('_', " "),
        labels,
        rows,
    })
}

/// Permutation importances by column, the largest first; empty when none were asked for.
fn importances(outputs: &Map<String, Value>) -> Vec<(String, f64, f64)> {
    let list = |name: &str| outputs.get(name).and_then(Value::as_array);
    let number = |v: &Value| v.as_f64().unwrap_or(f64::NAN);
    let (Some(names), Some(means), Some(stds)) = (
        list("feature_names"),
        list("permutation_importance"),
        list("permutation_importance_std"),
    ) else {
        return Vec::new();
    };
    let mut rows: Vec<(String, f64, f64)> = names
        .iter()
        .zip(means.iter().zip(stds))
        .map(|(name, (m, s))| (format::json_text(name), number(m), number(s)))
        .collect();
    rows.sort_by(|a, b| b.1.total_cmp(&a.1));
    rows
}

/// Outputs with one number a day, drawn over the days that stand beside them.
fn drawn(e: &CatalogueEntry, outputs: &Map<String, Value>) -> Option<Drawing> {
    use crate::charts::{LinePlot, Part, Plot};
    let dates: Vec<chrono::NaiveDate> = outputs
        .get("dates")?
        .as_array()?
        .iter()
        .map(|d| d.as_str()?.parse().ok())
        .collect::<Option<_>>()?;
    let lines: Vec<LinePlot> = outputs
        .iter()
        .filter_map(|(name, value)| {
            let values = value
                .as_array()
                .filter(|v| v.len() == dates.len() && name != "dates")?;
            let numbers: Vec<Option<f64>> = values.iter().map(Value::as_f64).collect();
            numbers
                .iter()
                .any(Option::is_some)
                .then_some((name, numbers))
        })
        .take(6)
        .zip(1..)
        .map(|((name, values), colour)| LinePlot {
            name: name.clone(),
            colour,
            values,
            ..LinePlot::default()
        })
        .collect();
    if lines.is_empty() {
        return None;
    }
    Plot {
        title: e.title.clone(),
        dates,
        panels: vec![Part {
            weight: 1.0,
            unit: String::new(),
            lines,
            ..Part::default()
        }],
        ..Plot::default()
    }
    .draw(None, None)
    .ok()
}

/// A value in the words of the page: long arrays are cut to their ends.
#[must_use]
pub fn output(name: &str, value: &Value) -> Output {
    fn number(v: &Value) -> String {
        match v {
            Value::Number(n) => n.as_f64().map_or_else(
                || n.to_string(),
                |x| {
                    if x.fract() == 0.0 && x.abs() < 1e7 {
                        format::decimal(x, 0)
                    } else {
                        format::figure(Some(x))
                    }
                },
            ),
            Value::Array(_) => {
                let text = v.to_string();
                if text.len() > 60 {
                    "[…]".to_owned()
                } else {
                    text
                }
            }
            other => format::json_text(other),
        }
    }
    let (shape, text) = match value {
        Value::Array(items) => {
            let inner = items.first().and_then(Value::as_array).map(Vec::len);
            let shape = inner.map_or_else(
                || format::counted(items.len() as u64, "value", "values"),
                |columns| {
                    format!(
                        "{} × {}",
                        format::count(items.len() as u64),
                        format::count(columns as u64)
                    )
                },
            );
            let text = if items.len() <= 8 {
                items.iter().map(number).collect::<Vec<_>>().join("  ")
            } else {
                let (first, last) = (&items[..4], &items[items.len() - 4..]);
                let join = |part: &[Value]| part.iter().map(number).collect::<Vec<_>>().join("  ");
                format!("{}  …  {}", join(first), join(last))
            };
            (shape, text)
        }
        Value::Object(map) => (
            format::counted(map.len() as u64, "name", "names"),
            map.iter()
                .take(12)
                .map(|(k, v)| format!("{k} {}", number(v)))
                .collect::<Vec<_>>()
                .join(",  "),
        ),
        other => ("one value".to_owned(), number(other)),
    };
    Output {
        name: name.to_owned(),
        shape,
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::models::tests::entry;
    use serde_json::json;

    fn ridge() -> CatalogueEntry {
        let param = |name: &str, kind, optional| ParamSpec {
            name: name.into(),
            kind,
            default: json!(1.0),
            optional,
            min: None,
            max: None,
            min_exclusive: false,
            max_exclusive: false,
            choices: vec![],
            help: String::new(),
        };
        CatalogueEntry {
            params: vec![
                param("alpha", ParamKind::Float, false),
                param("max_iter", ParamKind::Integer, true),
                param("fit_intercept", ParamKind::Boolean, false),
            ],
            ..entry("ridge", "linear", EntryKind::Model, &[Task::Regression])
        }
    }

    #[test]
    fn a_query_asks_for_a_run() {
        let q = query::pairs(
            "run=1&dataset=bundled:AAPL&target=return&horizon=5&start=2010-01-01&end=&p.alpha=0.5&p.max_iter=none&p.unknown=1&explain=permutation,shap&interval=0.9",
        );
        let r = run_request(&ridge(), &q).unwrap();
        assert_eq!(r.dataset.as_deref(), Some("bundled:AAPL"));
        assert_eq!(r.horizon, Some(5));
        assert_eq!(r.start, chrono::NaiveDate::from_ymd_opt(2010, 1, 1));
        assert_eq!((r.end, r.column), (None, None));
        assert_eq!(r.explain, ["permutation", "shap"]);
        assert_eq!(r.interval, [0.9]);
        assert_eq!(
            Value::Object(r.params),
            json!({"alpha": 0.5, "max_iter": null})
        );
    }

    #[test]
    fn a_method_on_series_takes_several_data_sets() {
        let test = entry("johansen", "test", EntryKind::Model, &[Task::Test]);
        let q = query::pairs("dataset=bundled:AAPL&with=bundled:IBM&column=close&target=return");
        let r = run_request(&test, &q).unwrap();
        assert_eq!(r.dataset.as_deref(), Some("bundled:AAPL,bundled:IBM"));
        assert_eq!(r.column.as_deref(), Some("close"));
        // A model of a table of features is run on one set.
        let r = run_request(&ridge(), &q).unwrap();
        assert_eq!(r.dataset.as_deref(), Some("bundled:AAPL"));
    }

    #[test]
    fn wrong_texts_name_their_field() {
        for (q, field) in [
            ("horizon=x", "horizon"),
            ("start=yesterday", "start"),
            ("interval=most", "interval"),
            ("p.alpha=abc", "alpha"),
            ("p.alpha=inf", "alpha"),
            ("p.alpha=none", "alpha"),
            ("p.max_iter=1.5", "max_iter"),
            ("p.fit_intercept=yes", "fit_intercept"),
        ] {
            let e = run_request(&ridge(), &query::pairs(q)).unwrap_err();
            assert_eq!(e.field.as_deref(), Some(field), "{q}");
        }
    }

    #[test]
    fn importances_are_in_order() {
        let outputs = json!({
            "feature_names": ["a", "b"],
            "permutation_importance": [0.1, 0.4],
            "permutation_importance_std": [0.01, 0.02],
        });
        let rows = importances(outputs.as_object().unwrap());
        assert_eq!(
            rows,
            [("b".to_owned(), 0.4, 0.02), ("a".to_owned(), 0.1, 0.01)]
        );
        assert!(importances(&Map::new()).is_empty());
    }

    #[test]
    fn effects_are_mean_sizes() {
        // (|1| + |-3|)/2 = 2 and (0.5 + 0.5)/2 = 0.5; with labels the sums order: 1 + 1 before 0.5 + 0.5.
        let one = json!({
            "feature_names": ["a", "b"], "shap_of": "log_odds",
            "shap_values": [[0.5, 1.0], [0.5, -3.0]],
        });
        let found = effects(one.as_object().unwrap()).unwrap();
        assert_eq!((found.of.as_str(), found.labels.len()), ("log odds", 0));
        assert_eq!(
            found.rows,
            [("b".to_owned(), vec![2.0]), ("a".to_owned(), vec![0.5])]
        );
        let mut labels = json!({
            "feature_names": ["a", "b"], "shap_of": "probability",
            "shap_values": {"0": [[0.5, -1.0]], "1": [[-0.25, 0.75]], "2": [[-0.25, 0.25]]},
        });
        let found = effects(labels.as_object().unwrap()).unwrap();
        assert_eq!(found.labels, ["0", "1", "2"]);
        assert_eq!(found.rows[0], ("b".to_owned(), vec![1.0, 0.75, 0.25]));
        labels["shap_values"] = json!({"0": [[0.5, -1.0]], "1": [[-0.5, 1.0]]});
        let found = effects(labels.as_object().unwrap()).unwrap();
        assert_eq!(found.labels, ["1"]);
        assert_eq!(found.rows[0], ("b".to_owned(), vec![1.0]));
        assert!(effects(&Map::new()).is_none());
    }

    #[test]
    fn outputs_are_cut_to_their_ends() {
        for (value, shape, text) in [
            (json!(0.123_456), "one value", "0.1235"),
            (json!(12), "one value", "12"),
            (json!([1, 2.5]), "2 values", "1  2.500"),
            (
                json!((0..3270).collect::<Vec<i32>>()),
                "3,270 values",
                "0  1  2  3  …  3,266  3,267  3,268  3,269",
            ),
            (json!([[1, 2, 3], [4, 5, 6]]), "2 × 3", "[1,2,3]  [4,5,6]"),
            (json!({"a": 1, "b": "x"}), "2 names", "a 1,  b x"),
            (json!(null), "one value", "none"),
        ] {
            let o = output("x", &value);
            assert_eq!((o.shape.as_str(), o.text.as_str()), (shape, text));
        }
    }
}
