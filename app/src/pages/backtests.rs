//! The list of back tests, with the newest optimisations above them.

use crate::error::PageError;
use crate::format;
use crate::pages::dashboard::edge_badge;
use crate::pages::optimisation::ready_title;
use crate::pages::trials::pager;
use crate::query::segment;
use crate::server::{reader, refuse};
use crate::ui;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use mltrainer_types::Page;
use mltrainer_types::backtest::{BacktestSummary, ReadyMade};
use mltrainer_types::optimisation::OptimisationSummary;
use mltrainer_types::trial::TrialState;

/// Optimisations above the first page of back tests, at most.
const OPTIMISATIONS: usize = 5;

/// A page of back tests, newest first, and the newest optimisations above the first one.
async fn backtests(cursor: Option<String>) -> Result<Lists, PageError> {
    let services = reader()?;
    let mut optimisations = Vec::new();
    if cursor.is_none() {
        let found = services.optimisations(None).await;
        optimisations = found.map_err(|e| refuse(&e))?.items;
        optimisations.truncate(OPTIMISATIONS);
    }
    let page = services.backtests(cursor.as_deref()).await;
    Ok(Lists {
        page: page.map_err(|e| refuse(&e))?,
        optimisations,
        ready: services.ready_made(),
    })
}

/// What the page shows.
struct Lists {
    page: Page<BacktestSummary>,
    optimisations: Vec<OptimisationSummary>,
    ready: Vec<ReadyMade>,
}

/// The list.
#[component]
pub fn Backtests() -> impl IntoView {
    let cursor = use_query_map().get_untracked().get("cursor");
    let later = cursor.is_some();
    view! {
        <Title text="Back tests"/>
        <div class="page">
            {ui::head(
                &[("/", "mlTrainer")],
                "Back tests".to_owned(),
                view! {
                    <div class="actions">
                        <a class="button primary" href="/backtests/new">"New back test"</a>
                        <a class="button" href="/backtests/optimise">"New optimisation"</a>
                    </div>
                }
                .into_any(),
            )}
            {ui::loaded(backtests(cursor), 10, move |lists| view! { {searches(&lists.optimisations, &lists.ready)} {list(&lists.page, later)} }.into_any())}
        </div>
    }
}

/// The newest optimisations; nothing when there is none.
fn searches(all: &[OptimisationSummary], ready: &[ReadyMade]) -> AnyView {
    if all.is_empty() {
        return ().into_any();
    }
    let moving = |o: &OptimisationSummary| !o.state.is_final() && o.state != TrialState::Paused;
    let rows = all
        .iter()
        .map(|o| view! {
            <tr>
                <th scope="row">
                    <a href=format!("/backtests/optimisations/{}", segment(o.id.as_str()))>{ready_title(&o.strategy, ready)}</a>
                    <small>{format!("{} · {}", names(&o.symbols), o.parameters.join(", "))}</small>
                </th>
                <td>{ui::state_badge(o.state)}</td>
                <td class="num">{format!("{}/{}", o.windows, o.folds)}</td>
                <td>{o.found_edge.map_or_else(|| ui::text(format::NONE), edge_badge)}</td>
                <td class="num">{format::percent(o.annual_return, 1)}</td>
                <td class="num">{format::percent(o.probability_of_overfitting, 0)}</td>
                <td class="figures">{ui::time(&o.created_at)}</td>
            </tr>
        })
        .collect_view()
        .into_any();
    let table = ui::table(
        "Optimisations, newest first",
        "backtests",
        ui::heads(&[
            "Optimisation",
            "State",
            "#Windows",
            "Verdict",
            "#Return a year",
            "#Overfitting",
            "Made",
        ]),
        rows,
    );
    let table = view! {
        <div id="optimisations-list" data-refresh=all.iter().any(moving).then_some("3000")>{table}</div>
    };
    ui::panel(
        "optimisations",
        "Optimisations",
        ().into_any(),
        table.into_any(),
    )
}

fn list(page: &Page<BacktestSummary>, later: bool) -> AnyView {
    if page.items.is_empty() {
        return ui::empty(
            "No back test yet",
            "A back test trades a strategy on a symbol's history, bar by bar and after costs, beside simply holding it. Then it says what speaks against the result.",
            "/backtests/new",
            "Make the first back test",
        );
    }
    let rows = page
        .items
        .iter()
        .map(|b| view! {
            <tr>
                <th scope="row">
                    <a href=format!("/backtests/{}", segment(b.id.as_str()))>{b.name.clone()}</a>
                    <small>{format!("{} · {} to {}", names(&b.symbols), format::day(b.first), format::day(b.last))}</small>
                </th>
                <td>{edge_badge(b.found_edge)}</td>
                <td class="num">{format::percent(b.total_return, 1)}</td>
                <td class="num">{format::percent(b.benchmark_return, 1)}</td>
                <td class="num">{format::cell(b.sharpe_ratio, 2)}</td>
                <td class="num">{format::percent(b.max_drawdown, 1)}</td>
                <td class="num">{format::count(b.trades.into())}</td>
                <td class="figures">{ui::time(&b.created_at)}</td>
            </tr>
        })
        .collect_view()
        .into_any();
    view! {
        {ui::table(
            "Back tests, newest first",
            "backtests",
            ui::heads(&["Strategy", "Verdict", "#Return", "#Benchmark", "#Sharpe", "#Deepest fall", "#Trades", "Made"]),
            rows,
        )}
        {pager("/backtests", page.next.as_deref(), later)}
    }
    .into_any()
}

/// Symbols in a line; long lists are cut and counted.
#[must_use]
pub fn names(symbols: &[String]) -> String {
    let shown: Vec<&str> = symbols.iter().take(4).map(String::as_str).collect();
    let more = symbols.len().saturating_sub(4);
    if more > 0 {
        format!("{} and {more} more", shown.join(", "))
    } else {
        shown.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_of_symbols_are_cut() {
        let s = |n: usize| {
            ["A", "B", "C", "D", "E", "F"][..n]
                .iter()
                .map(|x| (*x).to_owned())
                .collect::<Vec<_>>()
        };
        for (n, told) in [(1, "A"), (4, "A, B, C, D"), (6, "A, B, C, D and 2 more")] {
            assert_eq!(names(&s(n)), told);
        }
    }
}
