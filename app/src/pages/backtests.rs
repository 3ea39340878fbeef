//! The list of back tests.

use crate::error::PageError;
use crate::format;
use crate::pages::dashboard::edge_badge;
use crate::pages::trials::pager;
use crate::query::segment;
use crate::server::{reader, refuse};
use crate::ui;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use mltrainer_types::Page;
use mltrainer_types::backtest::BacktestSummary;

/// A page of back tests, newest first.
async fn backtests(cursor: Option<String>) -> Result<Page<BacktestSummary>, PageError> {
    reader()?
        .backtests(cursor.as_deref())
        .await
        .map_err(|e| refuse(&e))
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
                    </div>
                }
                .into_any(),
            )}
            {ui::loaded(backtests(cursor), 10, move |page| list(&page, later))}
        </div>
    }
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
