//! A walk-forward optimisation: where it stands and how it goes on (an island), what it comes to, the
//! stitched curve, how likely it is to be overfitted, the parameter surface, what was asked, and the way
//! back to the file.

use crate::charts::optimisation::{equity, overfitting_words, ranks};
use crate::drawing::Drawing;
use crate::error::PageError;
use crate::islands::chart::Chart;
use crate::islands::live_search::LiveOptimisation;
use crate::live_search;
use crate::pages::backtests::names;
use crate::pages::dashboard::edge_badge;
use crate::pages::new_optimisation::{METHODS, range_words};
use crate::query::{self, Link, segment};
use crate::server::{plain_form, reader, refuse, writer};
use crate::ui;
use crate::{format, steering, words};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_location, use_params_map};
use mltrainer_types::backtest::ReadyMade;
use mltrainer_types::llm::SteeredBy;
use mltrainer_types::optimisation::{
    Objective, OptimisationRequest, OptimisationResult, OptimisationView, ParameterSurface,
    SearchRange, SurfaceAxis, SurfaceCell,
};
use mltrainer_types::trial::{Metrics, TrialState};

/// Which surface is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pick {
    /// Parameter to the right.
    pub x: String,
    /// Parameter upwards.
    pub y: String,
    /// One window, from 1; 0 for all.
    pub window: u32,
}

/// An optimisation with its pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimisationPage {
    /// The optimisation.
    pub view: OptimisationView,
    /// The stitched curve.
    pub equity: Option<Drawing>,
    /// The parameter surface, or what is wrong with the choice in the address.
    pub surface: Result<ParameterSurface, PageError>,
    /// The choice in the address.
    pub pick: Pick,
    /// Title of the strategy.
    pub title: String,
    /// Which language model steered it, if one did.
    pub steered: SteeredBy,
}

/// Pauses, resumes or cancels an optimisation.
#[server(prefix = "/api/pages", endpoint = "optimisation_action")]
pub(crate) async fn optimisation_action(id: String, verb: String) -> Result<TrialState, PageError> {
    let (services, actor) = writer()?;
    let done = match verb.as_str() {
        "pause" => services.pause_optimisation(actor.0, &id).await,
        "resume" => services.resume_optimisation(actor.0, &id).await,
        "cancel" => services.cancel_optimisation(actor.0, &id).await,
        _ => {
            return Err(PageError::field(
                "verb",
                "An optimisation can be paused, resumed and cancelled",
            ));
        }
    };
    let done = done.map(|view| view.state).map_err(|e| refuse(&e));
    if plain_form() {
        // The page itself shows how things stand, also when the press came too late.
        leptos_axum::redirect(&format!("/backtests/optimisations/{}", segment(&id)));
    }
    done
}

/// Everything on the page.
async fn optimisation(id: String, pick: Pick) -> Result<OptimisationPage, PageError> {
    let services = reader()?;
    let view = services.optimisation(&id).await.map_err(|e| refuse(&e))?;
    let curve = services.optimisation_curve(&id).await;
    let curve = curve.map_err(|e| refuse(&e))?;
    let window = Some(pick.window).filter(|w| *w > 0);
    let surface = services
        .parameter_surface(&id, Some(&pick.x), Some(&pick.y), window)
        .await;
    let steered = services.steered_by("optimisation", &id).await;
    Ok(OptimisationPage {
        steered: steered.map_err(|e| refuse(&e))?,
        equity: equity(&curve).and_then(|plot| plot.draw(None, None).ok()),
        surface: surface.map_err(|e| refuse(&e)),
        title: strategy_title(&view.spec.request, &services.ready_made()),
        view,
        pick,
    })
}

/// The page.
#[component]
pub fn Optimisation() -> impl IntoView {
    let id = use_params_map()
        .get_untracked()
        .get("id")
        .unwrap_or_default();
    let pick = pick(&query::pairs(&use_location().search.get_untracked()));
    view! { <div class="page">{ui::loaded(optimisation(id, pick), 16, |p| parts(&p))}</div> }
}

/// What the address asks the surface to show.
fn pick(pairs: &[(String, String)]) -> Pick {
    let (x, y) = (query::get(pairs, "x"), query::get(pairs, "y"));
    Pick {
        x: x.to_owned(),
        // Whoever chooses to the right what stood upwards gets another one upwards.
        y: if x == y { "" } else { y }.to_owned(),
        window: query::get(pairs, "window").parse().unwrap_or(0),
    }
}

/// Address of an optimisation.
fn path(v: &OptimisationView) -> String {
    format!("/backtests/optimisations/{}", segment(v.id.as_str()))
}

/// Title of the ready-made strategy, or the name of one as JSON.
fn strategy_title(r: &OptimisationRequest, all: &[ReadyMade]) -> String {
    let strategy = &r.test.strategy;
    match strategy.as_str() {
        Some(id) => ready_title(id, all),
        None => strategy["name"].as_str().unwrap_or("A strategy").to_owned(),
    }
}

/// Title of a ready-made strategy; a word that is none stays as it is.
#[must_use]
pub fn ready_title(id: &str, all: &[ReadyMade]) -> String {
    let found = all.iter().find(|r| r.id == id);
    found.map_or_else(|| id.to_owned(), |r| r.title.clone())
}

fn parts(p: &OptimisationPage) -> AnyView {
    let v = &p.view;
    let r = &v.spec.request;
    let title = format!("{}, optimised", p.title);
    let symbols: Vec<String> = v.spec.symbols.iter().map(|s| s.symbol.clone()).collect();
    let span = v.spec.symbols.first().map(|s| (s.first, s.last));
    let span = span.map_or_else(String::new, |(a, b)| {
        format!(" · {} to {}", format::day(a), format::day(b))
    });
    let refresh = (!v.state.is_final()).then(|| {
        view! {
            <noscript>
                <meta http-equiv="refresh" content="3"/>
                <p class="quiet">"This page loads itself again every three seconds. " <a href="">"Load it now"</a></p>
            </noscript>
        }
    });
    let outcome = v.result.as_ref().map(|result| outcome(v, result));
    let curve = curve(p);
    view! {
        <Title text=title.clone()/>
        {ui::head(
            &[("/", "mlTrainer"), ("/backtests", "Back tests")],
            title,
            view! {
                <p class="lede">{format!("{}{span}", names(&symbols))}</p>
                <p class="quiet">"Made " {ui::time(&v.created_at)} " · " <code>{v.id.to_string()}</code></p>
                <div class="actions"><a class="button" href=again(r)>"Change and optimise again"</a></div>
            }
            .into_any(),
        )}
        {refresh}
        <LiveOptimisation live=live_search::of_view(v)>
            <div id="outcome-place">{outcome}</div>
            {curve}
        </LiveOptimisation>
        {steering::panel(&p.steered)}
        <div id="overfitting-place">{v.result.as_ref().map(overfitting)}</div>
        {surface_part(p)}
        <div class="columns">
            <div>{spec_part(p)}</div>
            <div>{lineage(v)}</div>
        </div>
    }
    .into_any()
}

fn of(metrics: &Metrics, name: &str) -> Option<f64> {
    metrics.get(name).copied().flatten()
}

fn outcome(v: &OptimisationView, r: &OptimisationResult) -> AnyView {
    let beside = |name: &str, text: fn(Option<f64>) -> String| {
        let held = format!("benchmark: {}", text(of(&r.benchmark_metrics, name)));
        match &r.in_sample_choice {
            Some(c) => format!("{held}, with hindsight: {}", text(of(&c.metrics, name))),
            None => held,
        }
    };
    let percent: fn(Option<f64>) -> String = |x| format::percent(x, 1);
    let ratio: fn(Option<f64>) -> String = |x| format::cell(x, 2);
    let own = |name: &str, text: fn(Option<f64>) -> String| text(of(&r.metrics, name));
    let on = r.strategy.as_ref().map(|s| {
        let text = serde_json::to_string_pretty(s).unwrap_or_default();
        let symbols: Vec<String> = v
            .spec
            .symbols
            .iter()
            .map(|s| s.dataset.id.to_string())
            .collect();
        let href = Link::to("/backtests/new")
            .with("by", "json")
            .with("text", &text)
            .with("symbols", &symbols.join(","))
            .build();
        view! { <p><a class="button" href=href>"Test the last choice on its own"</a></p> }
    });
    view! {
        <section class="verdict" class:edge=r.found_edge id="verdict" aria-labelledby="verdict-title">
            <h2 id="verdict-title">"Out of sample " {edge_badge(r.found_edge)}</h2>
            <p class="verdict-text">{r.text.clone()}</p>
            {on}
        </section>
        <div class="stats">
            {ui::stat(own("annual_return", percent), "Return a year", beside("annual_return", percent))}
            {ui::stat(own("sharpe_ratio", ratio), "Sharpe ratio", beside("sharpe_ratio", ratio))}
            {ui::stat(own("max_drawdown", percent), "Deepest fall", beside("max_drawdown", percent))}
            {ui::stat(ratio(r.efficiency), "Efficiency", "return a year in the tests over that in training".to_owned())}
            {ui::stat(percent(r.probability_of_overfitting), "Overfitting", "probability, by cross-validation".to_owned())}
            {ui::stat(percent(r.deflated_sharpe_ratio), "Deflated Sharpe", format!("{} tried here, {} ever", format::count(r.tried_here.into()), format::count(r.tried.into())))}
        </div>
    }
    .into_any()
}

fn curve(p: &OptimisationPage) -> AnyView {
    let source = format!("optimisation/{}", segment(p.view.id.as_str()));
    let (frame, svg) = match &p.equity {
        Some(d) => (Some(d.frame.clone()), d.svg.clone()),
        None => (None, String::new()),
    };
    let nothing = p.equity.is_none().then(|| {
        let text = if p.view.state.is_final() {
            "No window was finished: there is nothing to draw."
        } else {
            "The curve begins with the first window that is done."
        };
        view! { <p class="quiet no-charts">{text}</p> }
    });
    let body = view! {
        {nothing}
        <div class="charts">
            <Chart source=source frame=frame><div class="drawn" inner_html=svg></div></Chart>
        </div>
        <p class="quiet">"The tests one after the other; every other one is set off."</p>
    }
    .into_any();
    ui::panel("curve", "The tests, stitched", ().into_any(), body)
}

/// How a probability of overfitting reads.
#[must_use]
pub fn overfitting_badge(p: f64) -> (&'static str, &'static str, &'static str) {
    if p < 0.1 {
        ("✓", "Rare", "good")
    } else if p < 0.5 {
        ("!", "Possible", "wait")
    } else {
        ("✕", "Likely: choosing does not help", "bad")
    }
}

fn overfitting(r: &OptimisationResult) -> AnyView {
    let deflated = format!(
        "The chance is {} that the Sharpe ratio of what the market does not explain is above what luck would show among the {} things ever tried on these symbols, {} of them by this search; 95\u{a0}% is asked for.",
        format::percent(r.deflated_sharpe_ratio, 1),
        format::count(r.tried.into()),
        format::count(r.tried_here.into()),
    );
    let steady = r
        .stability
        .iter()
        .map(|s| {
            view! {
                <tr>
                    <th scope="row"><code>{s.name.clone()}</code></th>
                    <td class="num">{format::percent(s.stability, 0)}</td>
                </tr>
            }
        })
        .collect_view()
        .into_any();
    let (badge, told) = match &r.overfitting {
        Some(o) => {
            let (sign, word, class) = overfitting_badge(o.probability);
            let picture = ranks(o).map(|svg| {
                view! {
                    <figure class="chart fan">
                        <figcaption><span class="chart-title">"Where the best of one half stands on the other"</span></figcaption>
                        <div class="plot"><div class="drawn" inner_html=svg></div></div>
                    </figure>
                }
            });
            let told = view! {
                {picture}
                <p>{overfitting_words(o)}</p>
                {o.slope.map(|s| view! {
                    <p class="quiet">{format!("A Sharpe ratio higher by 1 on one half goes with one that is {} by {} on the other.", if s < 0.0 { "lower" } else { "higher" }, format::decimal(s.abs(), 2))}</p>
                })}
            };
            (ui::badge(sign, word, class), told.into_any())
        }
        None => (
            ().into_any(),
            view! { <p class="quiet">"Fewer than two points were tried, or the tests are too short: there is nothing to cross-validate."</p> }
                .into_any(),
        ),
    };
    let body = view! {
        <div class="columns">
            <div>{told}</div>
            <div>
                <h3>"Deflated Sharpe ratio"</h3>
                <p>{deflated}</p>
                <h3>"How little the parameters move"</h3>
                {ui::table("Stability of the parameters", "plain", ui::heads(&["Parameter", "#Stability"]), steady)}
                <p class="quiet">"100 % is the same value in every window, 0 % a move over the whole range from each to the next."</p>
            </div>
        </div>
    }
    .into_any();
    ui::panel("overfitting", "Overfitting", badge, body)
}

fn surface_part(p: &OptimisationPage) -> AnyView {
    let body = match &p.surface {
        Err(e) => ui::error_panel(e),
        Ok(s) if s.cells.iter().flatten().all(Option::is_none) => {
            view! { <p class="quiet">"Nothing was tried so far."</p> }.into_any()
        }
        Ok(s) => view! { {choice(p, s)} {surface(s)} }.into_any(),
    };
    ui::panel("surface", "Parameter surface", ().into_any(), body)
}

/// Which parameters, and of which window: sent on a choice, by the button without script.
fn choice(p: &OptimisationPage, s: &ParameterSurface) -> AnyView {
    let v = &p.view;
    let all: Vec<(String, String)> = v
        .spec
        .request
        .search
        .iter()
        .map(|p| (p.name.clone(), p.name.clone()))
        .collect();
    let mut windows = vec![(String::new(), "Mean of all".to_owned())];
    windows.extend((1..=v.windows.len()).map(|w| (w.to_string(), format!("Window {w}"))));
    let window = s.window.map(|w| w.to_string()).unwrap_or_default();
    let y = s.y.as_ref().map(|y| {
        ui::field(
            "y",
            "Upwards",
            "",
            None,
            ui::select("y", all.clone(), &y.name),
        )
    });
    view! {
        <form method="get" action=format!("{}#surface", path(v)) class="filters" aria-label="What the surface shows" data-auto="">
            {ui::field("x", "To the right", "", None, ui::select("x", all.clone(), &s.x.name))}
            {y}
            {ui::field("window", "In training of", "", None, ui::select("window", windows, &window))}
            <div class="field submit"><button class="button">"Show"</button></div>
        </form>
    }
    .into_any()
}

/// The value of an objective that is neither good nor bad.
#[must_use]
pub fn neutral(objective: Objective) -> f64 {
    match objective {
        Objective::OmegaRatio | Objective::ProfitFactor => 1.0,
        _ => 0.0,
    }
}

/// An objective inside a sentence.
#[must_use]
pub fn objective_words(objective: Objective) -> &'static str {
    match objective {
        Objective::SharpeRatio => "Sharpe ratio",
        Objective::SortinoRatio => "Sortino ratio",
        Objective::CalmarRatio => "Calmar ratio",
        Objective::OmegaRatio => "Omega ratio",
        Objective::AnnualReturn => "annual return",
        Objective::ProfitFactor => "profit factor",
    }
}

/// The class of a cell's colour: how far its value is from the neutral one, as a share of the farthest.
#[must_use]
pub fn cell_class(value: Option<f64>, neutral: f64, farthest: f64) -> String {
    let Some(away) = value.map(|v| v - neutral).filter(|a| *a != 0.0) else {
        return String::new();
    };
    let step = (5.0 * away.abs() / farthest).ceil().clamp(1.0, 5.0) as u8;
    format!("{}{step}", if away > 0.0 { "hp" } else { "hn" })
}

fn surface(s: &ParameterSurface) -> AnyView {
    let middle = neutral(s.objective);
    let values = s.cells.iter().flatten().flatten().filter_map(|c| c.best);
    let farthest = values.map(|v| (v - middle).abs()).fold(0.0, f64::max);
    let one = SurfaceAxis {
        name: String::new(),
        parts: vec![words::title(s.objective.as_str())],
    };
    let up = s.y.as_ref().unwrap_or(&one);
    let head = if s.y.is_some() {
        format!("{} ↑   {} →", up.name, s.x.name)
    } else {
        format!("{} →", s.x.name)
    };
    let mut heads = vec![head.as_str()];
    let parts: Vec<String> = s.x.parts.iter().map(|p| format!("#{p}")).collect();
    heads.extend(parts.iter().map(String::as_str));
    let rows = s
        .cells
        .iter()
        .enumerate()
        .rev()
        .map(|(row, cells)| {
            let each = cells
                .iter()
                .enumerate()
                .map(|(column, cell)| {
                    let here = s
                        .chosen
                        .iter()
                        .filter(|c| c.x as usize == column && c.y as usize == row);
                    let chosen: Vec<String> = here.map(|c| c.window.to_string()).collect();
                    table_cell(cell.as_ref(), &chosen, middle, farthest)
                })
                .collect_view();
            view! { <tr><th scope="row" class="num">{up.parts.get(row).cloned()}</th>{each}</tr> }
        })
        .collect_view()
        .into_any();
    let what = objective_words(s.objective);
    let label = match &s.y {
        Some(y) => format!("The {what} over {} and {}", s.x.name, y.name),
        None => format!("The {what} over {}", s.x.name),
    };
    let over = match s.window {
        Some(w) => format!("The best {what} in training of window {w}"),
        None => format!(
            "The best {what} in training, on average over the windows that tried something there"
        ),
    };
    view! {
        {ui::table(&label, "plain heat-map surface", ui::heads(&heads), rows)}
        <p class="quiet under-table">
            {format!("{over}, whatever the other parameters were; × where nothing traded enough, empty where nothing was tried. A mark shows the windows whose choice lies there. A choice on a plateau is worth more than one on a peak.")}
        </p>
    }
    .into_any()
}

fn table_cell(
    cell: Option<&SurfaceCell>,
    chosen: &[String],
    middle: f64,
    farthest: f64,
) -> AnyView {
    let class = cell_class(cell.and_then(|c| c.best), middle, farthest);
    let text = match cell {
        None => String::new(),
        Some(c) => c
            .best
            .map_or_else(|| "×".to_owned(), |b| format::decimal(b, 2)),
    };
    let title = cell.map(|c| {
        format!(
            "{}, mean {}",
            format::counted(c.points.into(), "point", "points"),
            format::cell(c.mean, 2)
        )
    });
    let mark = (!chosen.is_empty()).then(|| {
        view! {
            <span class="chosen">
                <span class="visually-hidden">"chosen by window "</span>
                {chosen.join(" ")}
            </span>
        }
    });
    view! {
        <td class=format!("num heat {class}") class:chosen-cell=!chosen.is_empty() title=title>{text} {mark}</td>
    }
    .into_any()
}

fn spec_part(p: &OptimisationPage) -> AnyView {
    let v = &p.view;
    let r = &v.spec.request;
    let method = r.method.as_deref().unwrap_or_default();
    let named = METHODS.iter().find(|(id, _)| *id == method);
    let mut search = named.map_or(method, |(_, words)| words).to_owned();
    if !r.settings.is_empty() {
        search = format!("{search} ({})", format::params_line(&r.settings));
    }
    let number =
        |n: Option<u32>, none: &str| n.map_or(none.to_owned(), |n| format::count(n.into()));
    let ranges = r
        .search
        .iter()
        .map(|p| view! { <li><code>{p.name.clone()}</code> " " {range_words(&p.range)}</li> })
        .collect_view();
    let fixed = (!r.test.params.is_empty()).then(|| format::params_line(&r.test.params));
    let windows = format!(
        "{}, {}, {} between training and test",
        format::counted(v.folds.into(), "test", "tests"),
        match r.window {
            Some(w) => format!("each after {} bars of training", format::count(w.into())),
            None => "each after all bars before".to_owned(),
        },
        format::counted(r.embargo.unwrap_or(0).into(), "bar", "bars"),
    );
    let text = serde_json::to_string_pretty(&r.test.strategy).unwrap_or_default();
    let json = r.test.strategy.is_object().then(|| {
        view! { <details><summary>"The strategy as JSON"</summary><pre class="formula code">{text}</pre></details> }
    });
    let body = view! {
        {ui::facts(vec![
            ("Strategy", ui::text(p.title.clone())),
            ("Searched", view! { <ul class="plain-list">{ranges}</ul> }.into_any()),
            ("As it is", ui::text(fixed.unwrap_or_else(|| "the rest by its defaults".to_owned()))),
            ("Search", ui::text(search)),
            ("Made large", ui::text(words::title(r.objective.as_str()))),
            ("Points", ui::text(format!("at most {} a window, with at least {}",
                number(r.evaluations, ""),
                format::counted(r.min_trades.unwrap_or(1).into(), "trade", "trades")))),
            ("Windows", ui::text(windows)),
            ("Cash", ui::text(format::cell(r.test.cash, 0))),
            ("Seed", ui::text(r.test.seed.unwrap_or(1).to_string())),
        ])}
        {json}
    }
    .into_any();
    ui::panel("spec", "What was asked", ().into_any(), body)
}

/// The form with the fields of this one.
#[must_use]
pub fn again(r: &OptimisationRequest) -> String {
    let t = &r.test;
    let day = |d: Option<chrono::NaiveDate>| d.map(format::day).unwrap_or_default();
    let some = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
    let number = |x: f64| format::json_text(&serde_json::json!(x));
    let range = |range: &SearchRange| range.to_string();
    let mut link = Link::to("/backtests/optimise");
    link = match t.strategy.as_str() {
        Some(id) => {
            let mut link = link.with("by", "ready").with("ready", id);
            for (name, value) in &t.params {
                link = link.with(&format!("p.{id}.{name}"), &format::json_text(value));
            }
            for p in &r.search {
                link = link.with(&format!("p.{id}.{}", p.name), &range(&p.range));
            }
            link
        }
        None => {
            let lines: Vec<String> = r
                .search
                .iter()
                .map(|p| format!("{}={}", p.name, range(&p.range)))
                .collect();
            let text = serde_json::to_string_pretty(&t.strategy).unwrap_or_default();
            link.with("by", "json")
                .with("text", &text)
                .with("search", &lines.join("\n"))
        }
    };
    let settings: Vec<String> = r
        .settings
        .iter()
        .map(|(name, value)| format!("{name}={}", format::json_text(value)))
        .collect();
    let bps = t
        .costs
        .as_ref()
        .map(|c| number((c.rate * 1e6).round() / 100.0));
    link.with("symbols", &t.symbols.join(","))
        .with("start", &day(t.start))
        .with("end", &day(t.end))
        .with(
            "method",
            r.method.as_deref().unwrap_or("differential_evolution"),
        )
        .with("objective", r.objective.as_str())
        .with("folds", &some(r.folds))
        .with("evaluations", &some(r.evaluations))
        .with("cash", &t.cash.map(number).unwrap_or_default())
        .with("bps", &bps.unwrap_or_default())
        .with("embargo", &some(r.embargo))
        .with("rolling", &some(r.window))
        .with("min_trades", &some(r.min_trades))
        .with("settings", &settings.join(","))
        .with("benchmark", t.benchmark.as_deref().unwrap_or_default())
        .with("seed", &t.seed.map(|s| s.to_string()).unwrap_or_default())
        .with(
            "fractional",
            if t.whole_shares == Some(false) {
                "on"
            } else {
                ""
            },
        )
        .build()
}

fn lineage(v: &OptimisationView) -> AnyView {
    let sets = v
        .spec
        .symbols
        .iter()
        .map(|s| view! {
            <li>
                <a href=format!("/data/{}", segment(s.dataset.id.as_str()))>{s.dataset.id.to_string()}</a>
                " " <span class="quiet">{words::title(&s.dataset.source)}</span> " "
                <code class="hash whole">{s.dataset.sha256.clone()}</code>
            </li>
        })
        .collect_view();
    let audit = Link::to("/compliance")
        .with("subject", v.id.as_str())
        .build();
    let result = v.result.as_ref().map(|r| {
        view! {
            <p>"Result " <code class="hash whole">{r.result_sha256.clone()}</code></p>
            <p class="quiet">"The same specification on the same data gives the same hash, also after a crash in between."</p>
        }
    });
    let body = view! {
        {result}
        <h3>"Data sets"</h3>
        <ul class="plain-list">{sets}</ul>
        <p>
            <a href=format!("{audit}#audit")>"Audit records of this optimisation"</a> " · "
            <a href=format!("/api/v1/optimisations/{}", segment(v.id.as_str())) rel="external">"All of it as JSON"</a>
        </p>
    }
    .into_any();
    ui::panel(
        "lineage",
        "From the result back to the file",
        ().into_any(),
        body,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::new_backtest::Typed;
    use crate::pages::new_optimisation::request;
    use serde_json::json;

    #[test]
    fn an_optimisation_can_be_made_again() {
        for asked in [
            json!({
                "test": {
                    "symbols": ["bundled:AAPL"], "start": "2004-01-01", "strategy": "sma_crossover",
                    "params": {"slow": "100"}, "cash": 5000.0, "seed": 7, "whole_shares": false
                },
                "search": [{"name": "fast", "range": {"kind": "integer", "low": 2, "high": 50, "log": true}}],
                "method": "grid", "settings": {"levels": "4"}, "evaluations": 16, "objective": "calmar_ratio",
                "min_trades": 2, "folds": 3, "embargo": 5, "window": 500
            }),
            json!({
                "test": {
                    "symbols": ["AAPL", "IBM"],
                    "strategy": {"name": "x", "weight": "if(close > sma(close, {n}), {w}, 0)"}
                },
                "search": [
                    {"name": "n", "range": {"kind": "choice", "values": [10, 20]}},
                    {"name": "w", "range": {"kind": "real", "low": 0.5, "high": 1.0}}
                ],
                "method": "random"
            }),
        ] {
            let want: OptimisationRequest = serde_json::from_value(asked).unwrap();
            let link = again(&want);
            let typed = Typed::of(&query::pairs(link.split_once('?').unwrap().1));
            let found = request(&typed).unwrap();
            assert_eq!(found.search, want.search);
            assert_eq!(
                (
                    found.method,
                    found.settings,
                    found.evaluations,
                    found.objective
                ),
                (want.method, want.settings, want.evaluations, want.objective)
            );
            assert_eq!(
                (found.min_trades, found.folds, found.embargo, found.window),
                (want.min_trades, want.folds, want.embargo, want.window)
            );
            assert_eq!(found.test.symbols, want.test.symbols);
            assert_eq!(found.test.params, want.test.params);
            assert_eq!(
                (
                    found.test.start,
                    found.test.cash,
                    found.test.seed,
                    found.test.whole_shares
                ),
                (
                    want.test.start,
                    want.test.cash,
                    want.test.seed,
                    want.test.whole_shares
                )
            );
            if want.test.strategy.is_object() {
                let text = found.test.strategy.as_str().unwrap();
                let again: serde_json::Value = serde_json::from_str(text).unwrap();
                assert_eq!(again, want.test.strategy);
            }
        }
    }

    #[test]
    fn cells_are_coloured_by_their_distance_from_neutral() {
        for (value, middle, farthest, class) in [
            (None, 0.0, 2.0, ""),
            (Some(0.0), 0.0, 2.0, ""),
            (Some(2.0), 0.0, 2.0, "hp5"),
            (Some(0.1), 0.0, 2.0, "hp1"),
            (Some(-1.0), 0.0, 2.0, "hn3"),
            (Some(0.5), 1.0, 0.5, "hn5"),
        ] {
            assert_eq!(cell_class(value, middle, farthest), class, "{value:?}");
        }
        assert_eq!(neutral(Objective::ProfitFactor), 1.0);
        assert_eq!(neutral(Objective::SharpeRatio), 0.0);
    }

    #[test]
    fn the_address_picks_the_surface() {
        let p = pick(&query::pairs("?x=slow&y=fast&window=3"));
        assert_eq!((p.x.as_str(), p.y.as_str(), p.window), ("slow", "fast", 3));
        assert_eq!(pick(&query::pairs("window=all")), Pick::default());
        let p = pick(&query::pairs("?x=slow&y=slow"));
        assert_eq!((p.x.as_str(), p.y.as_str()), ("slow", ""));
    }

    #[test]
    fn a_probability_of_overfitting_is_said_with_a_sign() {
        for (p, class) in [(0.02, "good"), (0.3, "wait"), (0.5, "bad"), (0.9, "bad")] {
            assert_eq!(overfitting_badge(p).2, class);
        }
    }
}
