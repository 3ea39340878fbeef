//! What finished trials taught: models to begin the next trial with, and what such proposals are worth.

use crate::error::PageError;
use crate::format;
use crate::query::{self, Link, segment};
use crate::server::{reader, refuse};
use crate::ui;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;
use mltrainer_types::learning::{
    Experience, Learning as View, Proposal, ProposedModel, SkillDifference, Standing, Traits,
};
use mltrainer_types::trial::Target;

/// Records on the page.
const SHOWN: usize = 30;

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
struct Asked {
    symbols: String,
    target: String,
    horizon: String,
}

/// What is known, and what was proposed where something was asked.
async fn view(asked: Asked) -> Result<(View, Option<Result<Proposal, PageError>>), PageError> {
    let services = reader()?;
    let known = services.learning().await.map_err(|e| refuse(&e))?;
    if asked.symbols.trim().is_empty() {
        return Ok((known, None));
    }
    let target = Target::ALL.into_iter().find(|t| t.as_str() == asked.target);
    let (Some(target), Ok(horizon)) = (target, asked.horizon.trim().parse()) else {
        let detail = "choose a target and a whole number of bars ahead";
        return Ok((known, Some(Err(PageError::field("horizon", detail)))));
    };
    let symbols = query::list(&asked.symbols);
    let made = services.propose(&symbols, target, horizon).await;
    Ok((known, Some(made.map_err(|e| refuse(&e)))))
}

/// The page.
#[component]
pub fn Learning() -> impl IntoView {
    let pairs = query::pairs(&use_location().search.get_untracked());
    let or = |name: &str, usual: &str| match query::get(&pairs, name) {
        "" => usual.to_owned(),
        value => value.to_owned(),
    };
    let asked = Asked {
        symbols: or("symbols", ""),
        target: or("target", "log_volatility"),
        horizon: or("horizon", "5"),
    };
    let fields = asked.clone();
    view! {
        <Title text="Learning"/>
        <div class="page">
            {ui::head(
                &[("/", "mlTrainer"), ("/trials", "Trials")],
                "Learning".to_owned(),
                view! {
                    <p class="lede">
                        "Every finished trial leaves a record: the traits of its data, each model's skill against the naive forecast, the time it took. From these come proposals for the next trial. They are where to begin; the trial judges."
                    </p>
                }
                .into_any(),
            )}
            {form(&fields)}
            {ui::loaded(view(asked), 12, |(known, made)| view! {
                {made.map(|m| match m {
                    Ok(p) => proposal(&p),
                    Err(e) => view! { <p class="error" role="alert">{ui::sentence(&e.detail)}</p> }.into_any(),
                })}
                {ui::panel("standing", "What proposals are worth", ().into_any(), standing(&known))}
                {ui::panel("records", "Newest records", ().into_any(), records(&known))}
            }.into_any())}
        </div>
    }
}

fn form(asked: &Asked) -> AnyView {
    let targets = Target::ALL
        .into_iter()
        .map(|t| {
            let chosen = asked.target == t.as_str();
            view! { <option value=t.as_str() selected=chosen>{t.as_str().replace('_', " ")}</option> }
        })
        .collect_view();
    view! {
        <form method="get" action="/learning" class="filters" aria-label="Propose models">
            {ui::field("symbols", "Symbols, with commas", "", None, view! { <input id="symbols" name="symbols" required=true maxlength="400" value=asked.symbols.clone() placeholder="AAPL"/> }.into_any())}
            {ui::field("target", "Target", "", None, view! { <select id="target" name="target">{targets}</select> }.into_any())}
            {ui::field("horizon", "Bars ahead", "", None, view! { <input type="number" id="horizon" name="horizon" min="1" max="250" value=asked.horizon.clone()/> }.into_any())}
            <div class="field submit"><button class="button primary">"Propose models"</button></div>
        </form>
    }
    .into_any()
}

fn proposal(p: &Proposal) -> AnyView {
    let trial = Link::to("/trials/new")
        .with("symbols", &p.symbols.join(","))
        .with("target", p.target.as_str())
        .with("horizons", &p.horizon.to_string())
        .with(
            "models",
            &p.models
                .iter()
                .map(|m| m.model.as_str())
                .collect::<Vec<_>>()
                .join(","),
        )
        .build();
    let found = (!p.models.is_empty()).then(|| {
        let rows = p.models.iter().map(row).collect_view().into_any();
        let heads = ui::heads(&["Model", "#Expected skill", "#Records", "#Seconds"]);
        let reasons = p.models.iter().map(reason).collect_view();
        view! {
            {ui::table("Proposed models", "plain", heads, rows)}
            <ul class="notes">{reasons}</ul>
            <div class="actions"><a class="button primary" href=trial>"Begin a trial with these"</a></div>
        }
    });
    let body = view! {
        <p>{p.sentence.clone()}</p>
        {found}
        <p class="quiet">{traits(&p.traits)}</p>
    };
    let title = format!(
        "Proposed for the {} of {}, {} ahead",
        p.target.as_str().replace('_', " "),
        p.symbols.join(", "),
        format::counted(p.horizon.into(), "bar", "bars")
    );
    ui::panel("proposal", &title, ().into_any(), body.into_any())
}

fn row(m: &ProposedModel) -> AnyView {
    view! {
        <tr>
            <th scope="row"><a href=format!("/models/{}", segment(&m.model))>{m.title.clone()}</a></th>
            <td class="num">{format::percent(Some(m.skill), 1)}</td>
            <td class="num">{m.records}</td>
            <td class="num">{format::decimal(m.took_ms / 1e3, 1)}</td>
        </tr>
    }
    .into_any()
}

fn reason(m: &ProposedModel) -> AnyView {
    view! {
        <li>
            {m.title.clone()} ": " {m.why.clone()} " "
            <a href=format!("/trials/{}", segment(m.nearest.as_str()))>"That trial"</a>
        </li>
    }
    .into_any()
}

fn traits(t: &Traits) -> String {
    format!(
        "The data before {}: {} bars, volatility {} a year, autocorrelation {}, of absolute returns {}, tail index {}, mean over deviation {} a year, last month calmer than {} of the months.",
        format::day(t.before),
        format::decimal(t.bars, 0),
        format::percent(Some(t.volatility), 1),
        format::decimal(t.autocorrelation, 2),
        format::decimal(t.clustering, 2),
        format::decimal(t.tail_index, 1),
        format::decimal(t.signal_to_noise, 2),
        format::percent(Some(1.0 - t.regime), 0),
    )
}

fn interval(d: &SkillDifference) -> String {
    match (d.low, d.high) {
        (Some(low), Some(high)) => format!(
            "{} ({} to {})",
            format::percent(Some(d.mean), 1),
            format::percent(Some(low), 1),
            format::percent(Some(high), 1)
        ),
        _ => format::percent(Some(d.mean), 1),
    }
}

fn standing(known: &View) -> AnyView {
    let table = known.standing.as_ref().map(|s: &Standing| {
        let line = |name: &'static str, skill: f64, over: Option<&SkillDifference>| {
            view! {
                <tr>
                    <th scope="row">{name}</th>
                    <td class="num">{format::percent(Some(skill), 1)}</td>
                    <td class="num">{over.map(interval).unwrap_or_default()}</td>
                </tr>
            }
        };
        let rows = view! {
            {line("Proposed", s.proposed, None)}
            {line("The program's first choice", s.default, Some(&s.over_default))}
            {line("A random one", s.random, Some(&s.over_random))}
        };
        let heads = ui::heads(&[
            "Model of the trial",
            "#Mean skill",
            "#Proposed is better by, 95 %",
        ]);
        ui::table(
            "Proposals beside first choice and chance",
            "plain",
            heads,
            rows.into_any(),
        )
    });
    view! {
        <p>{known.sentence.clone()}</p>
        {table}
        <p class="quiet">
            "Skill is one minus the loss over that of the best naive forecast, out of sample. Each trial is asked with the records of earlier trials that share no symbol with it."
        </p>
    }
    .into_any()
}

fn records(known: &View) -> AnyView {
    if known.newest.is_empty() {
        return view! { <p class="quiet">"No trial has finished yet. " <a href="/trials/new">"Begin one"</a></p> }
            .into_any();
    }
    let rows = known
        .newest
        .iter()
        .take(SHOWN)
        .map(|e: &Experience| {
            view! {
                <tr>
                    <th scope="row"><a href=format!("/trials/{}", segment(e.trial.as_str()))>{e.symbols.join(", ")}</a></th>
                    <td>{e.target.as_str().replace('_', " ")} ", " {e.horizon}</td>
                    <td>{e.model.clone()}</td>
                    <td class="num">{format::percent(Some(e.skill), 1)}</td>
                    <td class="num">{format::decimal(e.took_ms / 1e3, 1)}</td>
                    <td class="num">{format::percent(Some(e.traits.volatility), 0)}</td>
                </tr>
            }
        })
        .collect_view()
        .into_any();
    let heads = ui::heads(&[
        "Trial",
        "Target, bars",
        "Model",
        "#Skill",
        "#Seconds",
        "#Volatility",
    ]);
    view! {
        <p class="quiet">
            {format::counted(known.records.into(), "record", "records")} " of "
            {format::counted(known.trials.into(), "trial", "trials")}
        </p>
        {ui::table("What each model did", "plain", heads, rows)}
    }
    .into_any()
}
