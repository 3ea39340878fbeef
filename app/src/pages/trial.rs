//! A trial: where it stands and how it goes on (an island), the verdict, the charts, what was asked,
//! and the way from the result back to the file.

use crate::charts::trial::{Charts, Kind, Pick, charts};
use crate::error::PageError;
use crate::islands::chart::Chart;
use crate::islands::live_trial::LiveTrial;
use crate::live;
use crate::pages::dashboard::{edge_badge, tried};
use crate::pages::trials::describe;
use crate::query::{self, Link, segment};
use crate::server::{plain_form, reader, refuse, writer};
use crate::ui;
use crate::{format, steering, words};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_location, use_params_map};
use mltrainer_types::event::TrialEvent;
use mltrainer_types::llm::SteeredBy;
use mltrainer_types::trial::{TrialSpec, TrialState, TrialView, Validation, Verdict};

/// Events among which the log looks for its lines.
const EVENTS: i64 = 900;

/// A trial, its last events and its charts.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialPage {
    /// The trial.
    pub view: TrialView,
    /// Its last events.
    pub events: Vec<TrialEvent>,
    /// Its charts, or what is wrong with the choice in the address.
    pub charts: Result<Charts, PageError>,
    /// Which language model steered it, if one did.
    pub steered: SteeredBy,
}

/// Pauses, resumes or cancels a trial.
#[server(prefix = "/api/pages", endpoint = "trial_action")]
pub(crate) async fn trial_action(id: String, verb: String) -> Result<TrialState, PageError> {
    let (services, actor) = writer()?;
    let done = match verb.as_str() {
        "pause" => services.pause_trial(actor.0, &id).await,
        "resume" => services.resume_trial(actor.0, &id).await,
        "cancel" => services.cancel_trial(actor.0, &id).await,
        _ => {
            return Err(PageError::field(
                "verb",
                "A trial can be paused, resumed and cancelled",
            ));
        }
    };
    let done = done.map(|view| view.state).map_err(|e| refuse(&e));
    if plain_form() {
        // The page itself shows how things stand, also when the press came too late.
        leptos_axum::redirect(&format!("/trials/{}", segment(&id)));
    }
    done
}

/// Everything on the page.
async fn trial(id: String, pick: Pick) -> Result<TrialPage, PageError> {
    let services = reader()?;
    let view = services.trial(&id).await.map_err(|e| refuse(&e))?;
    let after = (view.last_event - EVENTS).max(0);
    let events = services.events(&id, after).await.map_err(|e| refuse(&e))?;
    let charts = charts(&services, &view, &pick).await;
    let steered = services.steered_by("trial", &id).await;
    Ok(TrialPage {
        steered: steered.map_err(|e| refuse(&e))?,
        view,
        events,
        charts,
    })
}

/// The page.
#[component]
pub fn Trial() -> impl IntoView {
    let id = use_params_map()
        .get_untracked()
        .get("id")
        .unwrap_or_default();
    let pick = pick(&query::pairs(&use_location().search.get_untracked()));
    view! { <div class="page">{ui::loaded(trial(id, pick), 16, |p| parts(&p))}</div> }
}

/// What the address asks the charts to show.
fn pick(pairs: &[(String, String)]) -> Pick {
    Pick {
        model: query::get(pairs, "model").to_owned(),
        horizon: query::get(pairs, "horizon").parse().unwrap_or(0),
        symbol: query::get(pairs, "symbol").to_owned(),
    }
}

fn parts(p: &TrialPage) -> AnyView {
    let v = &p.view;
    let s = &v.spec;
    let title = describe(&s.symbols, words::target(s.target), &s.horizons);
    let refresh = (!v.state.is_final()).then(|| {
        view! {
            <noscript>
                <meta http-equiv="refresh" content="3"/>
                <p class="quiet">"This page loads itself again every three seconds. " <a href="">"Load it now"</a></p>
            </noscript>
        }
    });
    let verdict = v.verdict.as_ref().map(verdict_view);
    let goal = s
        .goal
        .clone()
        .map(|g| view! { <p class="lede">"Goal: " {g}</p> });
    view! {
        <Title text=title.clone()/>
        {ui::head(
            &[("/", "mlTrainer"), ("/trials", "Trials")],
            title,
            view! { {goal} <p class="quiet">"Made " {ui::time(&v.created_at)} " · " <code>{v.id.to_string()}</code></p> }.into_any(),
        )}
        {refresh}
        <LiveTrial live=live::of_view(v, &p.events)>
            <div id="verdict-place">{verdict}</div>
        </LiveTrial>
        {steering::panel(&p.steered)}
        {charts_part(v, &p.charts)}
        <div class="columns">
            <div>{spec_part(s)}</div>
            <div>{lineage_part(v)}</div>
        </div>
    }
    .into_any()
}

fn verdict_view(v: &Verdict) -> AnyView {
    let best = v
        .best_model
        .clone()
        .map(|m| view! { <p>"Best of the models tried: " <strong>{m}</strong></p> });
    view! {
        <section class="verdict" class:edge=v.found_edge id="verdict" aria-labelledby="verdict-title">
            <h2 id="verdict-title">"Verdict " {edge_badge(v.found_edge)}</h2>
            <p class="verdict-text">{v.text.clone()}</p>
            {best}
            <p class="quiet">{ui::sentence(&tried(v))}</p>
            {(!v.notes.is_empty()).then(|| view! {
                <ul class="notes">{v.notes.iter().map(|n| view! { <li>{ui::sentence(n)}</li> }).collect_view()}</ul>
            })}
        </section>
    }
    .into_any()
}

fn charts_part(v: &TrialView, charts: &Result<Charts, PageError>) -> AnyView {
    let c = match charts {
        Ok(c) => c,
        Err(e) => return ui::panel("charts", "Charts", ().into_any(), ui::error_panel(e)),
    };
    let kinds = [Kind::Price, Kind::Error, Kind::Equity]
        .into_iter()
        .filter(|k| *k != Kind::Equity || v.spec.target.is_tradable());
    let figures = kinds
        .map(|kind| {
            let source = Link::to(&format!("trial/{}/{}", segment(v.id.as_str()), kind.word()))
                .with("model", &c.asked.model)
                .with("horizon", &if c.asked.horizon == 0 { String::new() } else { c.asked.horizon.to_string() })
                .with("symbol", &c.asked.symbol)
                .build();
            let (frame, svg) = match c.drawings.iter().find(|(k, _)| *k == kind) {
                Some((_, d)) => (Some(d.frame.clone()), d.svg.clone()),
                None => (None, String::new()),
            };
            view! { <Chart source=source frame=frame><div class="drawn" inner_html=svg></div></Chart> }
        })
        .collect_view();
    let nothing = c.drawings.is_empty().then(|| {
        let text = if v.state.is_final() {
            "No fold was finished: there is nothing to draw."
        } else {
            "Charts appear with the first finished folds."
        };
        view! { <p class="quiet no-charts">{text}</p> }
    });
    let body = view! { {choice(v, c)} {nothing} <div class="charts">{figures}</div> }.into_any();
    ui::panel("charts", "Charts", ().into_any(), body)
}

/// What the charts show: sent on a choice, by the button without script.
fn choice(v: &TrialView, c: &Charts) -> Option<AnyView> {
    if c.models.len() < 2 && c.horizons.len() < 2 && c.symbols.len() < 2 {
        return None;
    }
    let horizons = c
        .horizons
        .iter()
        .map(|h| (h.to_string(), words::horizon(*h)))
        .collect();
    let symbols = c.symbols.iter().map(|s| (s.clone(), s.clone())).collect();
    Some(
        view! {
            <form method="get" action=format!("/trials/{}#charts", segment(v.id.as_str())) class="filters" aria-label="What the charts show" data-auto="">
                {ui::field("model", "Model", "", None, ui::select("model", c.models.clone(), &c.shown.model))}
                {(c.horizons.len() > 1).then(|| ui::field("horizon", "Horizon", "", None, ui::select("horizon", horizons, &c.shown.horizon.to_string())))}
                {(c.symbols.len() > 1).then(|| ui::field("symbol", "Symbol", "", None, ui::select("symbol", symbols, &c.shown.symbol)))}
                <div class="field submit"><button class="button">"Show"</button></div>
            </form>
        }
        .into_any(),
    )
}

fn spec_part(s: &TrialSpec) -> AnyView {
    let open = |d: Option<chrono::NaiveDate>, otherwise: &str| {
        d.map_or_else(|| otherwise.to_owned(), format::day)
    };
    let models = s
            .models
            .iter()
            .map(|m| view! {
                <li>
                    <a href=format!("/models/{}", segment(&m.model))><code>{m.model.clone()}</code></a>
                    {(!m.params.is_empty()).then(|| view! { " " <small class="quiet">{format::params_line(&m.params)}</small> })}
                </li>
            })
            .collect_view();
    let aside = view! { <a class="more" href=again(s)>"Make another one like it →"</a> }.into_any();
    let body = ui::facts(vec![
        ("Symbols", ui::text(s.symbols.join(", "))),
        (
            "Span",
            ui::text(format!(
                "{} to {}",
                open(s.start, "first day"),
                open(s.end, "last day")
            )),
        ),
        (
            "Target",
            ui::text(format!(
                "{}: {}",
                words::target(s.target),
                words::target_help(s.target)
            )),
        ),
        (
            "Horizons",
            ui::text(
                s.horizons
                    .iter()
                    .map(|h| words::horizon(*h))
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
        ),
        (
            "Features",
            ui::text(
                s.features
                    .iter()
                    .map(|f| words::plain(f))
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
        ),
        ("Validation", ui::text(words::validation(&s.validation))),
        (
            "Costs",
            ui::text(format!(
                "{} basis points a side",
                format::json_text(&serde_json::json!(s.costs.bps))
            )),
        ),
        ("Seed", ui::text(s.seed.to_string())),
        (
            "Models",
            view! { <ul class="plain-list">{models}</ul> }.into_any(),
        ),
    ]);
    ui::panel("spec", "What was asked", aside, body)
}

/// The form of a new trial with the fields of this one.
#[must_use]
pub fn again(s: &TrialSpec) -> String {
    let day = |d: Option<chrono::NaiveDate>| d.map(format::day).unwrap_or_default();
    let numbers = s
        .horizons
        .iter()
        .map(u32::to_string)
        .collect::<Vec<_>>()
        .join(",");
    let models: Vec<&str> = s.models.iter().map(|m| m.model.as_str()).collect();
    let link = Link::to("/trials/new")
        .with("symbols", &s.symbols.join(","))
        .with("target", s.target.as_str())
        .with("horizons", &numbers)
        .with("models", &models.join(","))
        .with("features", &s.features.join(","))
        .with("start", &day(s.start))
        .with("end", &day(s.end));
    let some = |n: u32| if n == 0 { String::new() } else { n.to_string() };
    let link = match &s.validation {
        Validation::HoldOut {
            test_share,
            embargo,
        } => link
            .with("kind", "hold_out")
            .with(
                "test_share",
                &format::json_text(&serde_json::json!((test_share * 1000.0).round() / 10.0)),
            )
            .with("embargo", &some(*embargo)),
        Validation::WalkForward {
            folds,
            embargo,
            window,
        } => link
            .with("folds", &folds.to_string())
            .with("embargo", &some(*embargo))
            .with("window", &window.map(|w| w.to_string()).unwrap_or_default()),
    };
    link.with("bps", &format::json_text(&serde_json::json!(s.costs.bps)))
        .with("seed", &s.seed.to_string())
        .with("goal", s.goal.as_deref().unwrap_or_default())
        .build()
}

fn lineage_part(view: &TrialView) -> AnyView {
    let id = view.id.to_string();
    let sets = view
        .lineage
        .datasets
        .iter()
        .map(|d| {
            view! {
                <li>
                    <a href=format!("/data/{}", segment(d.id.as_str()))>{d.id.to_string()}</a>
                    " " <span class="quiet">{words::title(&d.source)}</span> " "
                    <code class="hash whole">{d.sha256.clone()}</code>
                </li>
            }
        })
        .collect_view();
    let audit = Link::to("/compliance").with("subject", &id).build();
    let body = view! {
        {view.result_sha256.clone().map(|sha| view! {
            <p>"Result " <code class="hash whole">{sha}</code></p>
            <p class="quiet">"The same specification on the same data gives the same hash, on any machine and any number of threads."</p>
        })}
        {(!view.lineage.steps.is_empty()).then(|| ui::lineage(&view.lineage.steps))}
        <h3>"Data sets"</h3>
        <ul class="plain-list">{sets}</ul>
        <p>
            <a href=format!("{audit}#audit")>"Audit records of this trial"</a> " · "
            <a href=format!("/api/v1/trials/{}", segment(&id)) rel="external">"All of it as JSON"</a>
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
    use crate::live::tests::view as trial_view;
    use crate::pages::new_trial::{from_query, request};

    #[test]
    fn a_trial_can_be_made_again() {
        let mut s = trial_view(TrialState::Finished).spec;
        s.horizons = vec![1, 5];
        s.seed = 7;
        s.start = chrono::NaiveDate::from_ymd_opt(2004, 1, 1);
        s.validation = Validation::HoldOut {
            test_share: 0.2,
            embargo: 3,
        };
        let link = again(&s);
        let form = from_query(&query::pairs(link.split_once('?').unwrap().1));
        let r = request(&form).unwrap();
        assert_eq!(
            (r.symbols, r.horizons, r.seed, r.start),
            (s.symbols, s.horizons, Some(7), s.start)
        );
        assert_eq!(r.validation, s.validation);
        assert_eq!(r.costs, s.costs);
    }

    #[test]
    fn the_address_picks_what_is_drawn() {
        let p = pick(&query::pairs("?model=ridge&horizon=5&symbol=IBM"));
        assert_eq!(
            (p.model.as_str(), p.horizon, p.symbol.as_str()),
            ("ridge", 5, "IBM")
        );
        assert_eq!(pick(&query::pairs("horizon=soon")), Pick::default());
    }
}
