//! The list of trials.

use crate::error::PageError;
use crate::query::Link;
use crate::server::{reader, refuse};
use crate::ui;
use crate::{format, words};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use mltrainer_types::Page;
use mltrainer_types::trial::{TrialState, TrialSummary};

/// A page of trials, newest first.
async fn trials(cursor: Option<String>) -> Result<Page<TrialSummary>, PageError> {
    let cursor = cursor.filter(|c| !c.is_empty());
    reader()?
        .trials(cursor.as_deref())
        .await
        .map_err(|e| refuse(&e))
}

/// The list.
#[component]
pub fn Trials() -> impl IntoView {
    let cursor = use_query_map().get_untracked().get("cursor");
    let later = cursor.is_some();
    view! {
        <Title text="Trials"/>
        <div class="page">
            {ui::head(
                &[("/", "mlTrainer")],
                "Trials".to_owned(),
                view! {
                    <div class="actions">
                        <a class="button primary" href="/trials/new">"New trial"</a>
                        <a class="button" href="/learning">"What trials taught"</a>
                    </div>
                }
                .into_any(),
            )}
            {ui::loaded(trials(cursor), 10, move |page| list(&page, later))}
        </div>
    }
}

fn list(page: &Page<TrialSummary>, later: bool) -> AnyView {
    if page.items.is_empty() {
        return ui::empty(
            "No trial yet",
            "A trial trains models on a symbol's history, tests them on days they have not seen, and compares them with a naive forecast. The defaults make it one press.",
            "/trials/new",
            "Make the first trial",
        );
    }
    let rows = page
        .items
        .iter()
        .map(|t| view! {
            <tr>
                <th scope="row"><a href=format!("/trials/{}", t.id)>{subject(t)}</a></th>
                <td>{ui::state_badge(t.state)}</td>
                <td>{progress_cell(t)}</td>
                <td>{t.found_edge.map_or_else(|| ui::text(format::NONE), super::dashboard::edge_badge)}</td>
                <td class="num">{t.models}</td>
                <td>{ui::time(&t.created_at)}</td>
                <td><code class="hash">{format::short_id(t.id.as_str())}</code></td>
            </tr>
        })
        .collect_view()
        .into_any();
    view! {
        <div id="trials-list" data-refresh=waits(&page.items).then_some("3000")>
        {ui::table(
            "Trials, newest first",
            "trials",
            ui::heads(&["Trial", "State", "Progress", "Verdict", "#Models", "Made", "Id"]),
            rows,
        )}
        </div>
        {pager("/trials", page.next.as_deref(), later)}
    }
    .into_any()
}

/// Whether one of them moves by itself.
#[must_use]
pub fn waits(trials: &[TrialSummary]) -> bool {
    trials
        .iter()
        .any(|t| !t.state.is_final() && t.state != TrialState::Paused)
}

/// Links to the newest and to the next page.
pub(crate) fn pager(path: &str, next: Option<&str>, later: bool) -> AnyView {
    let newest = later.then(|| view! { <a class="button" href=path.to_owned()>"← Newest"</a> });
    let next = next.map(|cursor| {
        let separator = if path.contains('?') { "&" } else { "?" };
        let pair = Link::to("").with("cursor", cursor).build();
        let href = format!("{path}{separator}{}", pair.trim_start_matches('?'));
        view! { <a class="button" href=href rel="next">"Older →"</a> }
    });
    view! { <nav class="pager" aria-label="Pages of the list">{newest} {next}</nav> }.into_any()
}

/// What a trial is about: "AAPL · return, 1 day ahead".
#[must_use]
pub fn subject(t: &TrialSummary) -> String {
    describe(&t.symbols, words::target(t.target), &t.horizons)
}

/// The same from its parts. Long lists are cut and counted.
#[must_use]
pub fn describe(symbols: &[String], target: &str, horizons: &[u32]) -> String {
    let shown = symbols
        .iter()
        .take(4)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    let more = symbols.len().saturating_sub(4);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let ahead = match horizons {
        [one] => words::horizon(*one),
        many => {
            let list: Vec<String> = many.iter().map(u32::to_string).collect();
            format!("{} days ahead", list.join(", "))
        }
    };
    format!("{shown}{more} · {}, {ahead}", target.to_lowercase())
}

/// A bar with the steps done, and the time left while it runs.
pub(crate) fn progress_cell(t: &TrialSummary) -> AnyView {
    let p = t.progress;
    if p.total == 0 {
        return ui::text(if t.state.is_final() {
            format::NONE
        } else {
            "no plan yet"
        });
    }
    let left = (!t.state.is_final() && t.state != TrialState::Paused)
        .then(|| format::time_left(p.eta_seconds));
    view! {
        <span class="progress-cell">
            <progress max=p.total value=p.done aria-label="Steps done"></progress>
            <span class="figures">{format!("{}/{}", p.done, p.total)}</span>
            {left.map(|l| view! { <span class="quiet">{l}</span> })}
        </span>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_is_described_in_one_line() {
        let s = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        for (symbols, horizons, expected) in [
            (s(&["AAPL"]), vec![1], "AAPL · log volatility, 1 day ahead"),
            (
                s(&["AAPL", "IBM"]),
                vec![1, 5],
                "AAPL, IBM · log volatility, 1, 5 days ahead",
            ),
            (
                s(&["A", "B", "C", "D", "E", "F"]),
                vec![20],
                "A, B, C, D and 2 more · log volatility, 20 days ahead",
            ),
        ] {
            assert_eq!(describe(&symbols, "Log volatility", &horizons), expected);
        }
    }
}
