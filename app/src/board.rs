//! The leaderboard: every row beside the best naive baseline of its horizon.

use crate::query::segment;
use crate::{format, live, ui, words};
use leptos::prelude::*;
use mltrainer_types::trial::{LeaderboardRow, Target};

/// The tables of a leaderboard, one for each horizon.
pub(crate) fn boards(
    rows: &[LeaderboardRow],
    provisional: bool,
    target: Target,
    bps: f64,
) -> AnyView {
    if rows.is_empty() {
        return view! { <p class="quiet">"The first rows appear when every model has finished its first fold."</p> }.into_any();
    }
    let groups = by_horizon(rows);
    let several = groups.len() > 1;
    let tables = groups
        .into_iter()
        .map(|(horizon, rows)| {
            let baseline = rows
                .first()
                .map(|r| r.baseline_model.clone())
                .unwrap_or_default();
            let n = rows.first().map_or(0, |r| r.rows);
            view! {
                {several.then(|| view! { <h3>{words::horizon(horizon)}</h3> })}
                {board(&rows, provisional, target)}
                <p class="quiet">
                    {format!(
                        "Out of sample on {}. Compared with {baseline}, the best naive baseline{}.",
                        format::counted(n.into(), "test row", "test rows"),
                        if several { " of this horizon" } else { "" }
                    )}
                </p>
                {target.is_tradable().then(|| trading(&rows, bps))}
            }
        })
        .collect_view();
    view! {
        {tables}
        <details>
            <summary>"What the columns mean"</summary>
            <dl class="facts">
                {columns(target, rows)
                    .into_iter()
                    .chain(if target.is_tradable() { TRADING.to_vec() } else { Vec::new() })
                    .map(|name| {
                        let (short, long, _) = words::metric(name);
                        view! { <div><dt>{short}</dt><dd>{ui::sentence(&long)}</dd></div> }
                    })
                    .collect_view()}
                <div><dt>"Range below a figure"</dt><dd>"95 % confidence interval by block bootstrap."</dd></div>
                <div><dt>"Gain"</dt><dd>"How much smaller the first figure is than the baseline's; negative is worse."</dd></div>
                <div><dt>"p"</dt><dd>"How likely a gain like this is by chance alone (Diebold-Mariano), corrected by Holm for the number of models tried; below it the uncorrected one."</dd></div>
                <div><dt>"Grade"</dt><dd>"Excellent, good, acceptable or poor by the scale of the documentation; it says nothing about the baseline."</dd></div>
            </dl>
        </details>
    }
    .into_any()
}

/// Columns of the leaderboard: those of the target that some row has. The first is the loss.
fn columns(target: Target, rows: &[LeaderboardRow]) -> Vec<&'static str> {
    let wanted: &[&str] = match target {
        Target::Direction => &["brier", "log_loss", "auc", "accuracy"],
        Target::Price => &["rmse", "mae", "mape", "directional_accuracy"],
        Target::Return => &[
            "rmse",
            "mae",
            "r2",
            "directional_accuracy",
            "information_coefficient",
        ],
        Target::LogVolatility | Target::Range => &["rmse", "mae", "r2", "information_coefficient"],
    };
    wanted
        .iter()
        .copied()
        .filter(|name| {
            rows.iter()
                .any(|r| r.metrics.get(*name).is_some_and(Option::is_some))
        })
        .collect()
}

/// Rows by horizon, in the order of the first appearance; within one, the order of the board.
fn by_horizon(rows: &[LeaderboardRow]) -> Vec<(u32, Vec<LeaderboardRow>)> {
    let mut groups: Vec<(u32, Vec<LeaderboardRow>)> = Vec::new();
    for row in rows {
        match groups.iter_mut().find(|(h, _)| *h == row.horizon) {
            Some((_, list)) => list.push(row.clone()),
            None => groups.push((row.horizon, vec![row.clone()])),
        }
    }
    groups.sort_by_key(|(h, _)| *h);
    groups
}

/// How much smaller a figure is than the baseline's, as a share of the baseline's.
fn gain(row: &LeaderboardRow, name: &str) -> Option<f64> {
    let own = row.metrics.get(name).copied().flatten()?;
    let base = row.baseline.get(name).copied().flatten()?;
    (base > 0.0 && !row.is_baseline).then(|| 1.0 - own / base)
}

fn metric_decimals(rows: &[LeaderboardRow], name: &str) -> usize {
    let values = rows
        .iter()
        .filter_map(|r| r.metrics.get(name).copied().flatten());
    if matches!(name, "r2" | "information_coefficient" | "auc") {
        return 3;
    }
    format::column_decimals(values).max(2)
}

fn board(rows: &[LeaderboardRow], provisional: bool, target: Target) -> AnyView {
    let names = columns(target, rows);
    let first = names.first().copied().unwrap_or("rmse");
    let mut titles: Vec<String> = vec![
        "#Place".into(),
        "Model".into(),
        "Against the baseline".into(),
    ];
    titles.extend(names.iter().map(|n| format!("#{}", words::metric(n).0)));
    titles.extend(["#Gain".to_owned(), "#p".to_owned(), "Grade".to_owned()]);
    let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
    let layout: Vec<(&'static str, usize, bool)> = names
        .iter()
        .map(|n| {
            let share = words::metric(n).2;
            (*n, if share { 1 } else { metric_decimals(rows, n) }, share)
        })
        .collect();
    let body = rows
        .iter()
        .enumerate()
        .map(|(place, r)| row_view(place + 1, r, &layout, first, provisional))
        .collect_view()
        .into_any();
    ui::table("Leaderboard, best first", "board", ui::heads(&titles), body)
}

fn row_view(
    place: usize,
    r: &LeaderboardRow,
    layout: &[(&'static str, usize, bool)],
    first: &str,
    provisional: bool,
) -> AnyView {
    let (words, class) = live::comparison(r, provisional);
    let sign = match class {
        "good" => "▲",
        "base" => "·",
        "bad" => "✕",
        "wait" => "○",
        _ => "=",
    };
    let cells = layout
        .iter()
        .map(|(name, decimals, share)| {
            let scale = if *share { 100.0 } else { 1.0 };
            let value = r.metrics.get(*name).copied().flatten();
            let shown = if *share {
                format::percent(value, *decimals)
            } else {
                format::cell(value, *decimals)
            };
            let range = r.intervals.get(*name).map(|i| {
                format!(
                    "{} to {}",
                    format::decimal(i.low * scale, *decimals),
                    format::decimal(i.high * scale, *decimals)
                )
            });
            view! { <td class="num">{shown} {range.map(|t| view! { <small>{t}</small> })}</td> }
        })
        .collect_view();
    let adjusted = format::p_value(r.p_value_adjusted);
    let raw = r
        .p_value
        .filter(|_| r.p_value_adjusted.is_some())
        .map(|p| view! { <small>{format::p_value(Some(p))}</small> });
    let failed = (!r.errors.is_empty()).then(|| {
        view! { <small class="row-error">{format!("{}: {}", format::counted(r.errors.len() as u64, "step failed", "steps failed"), r.errors.first().cloned().unwrap_or_default())}</small> }
    });
    view! {
        <tr class=class>
            <td class="num place">{place.to_string()}</td>
            <th scope="row">
                <a href=format!("/models/{}", segment(&r.model))>{r.title.clone()}</a>
                <small><code>{r.model.clone()}</code></small>
                {failed}
            </th>
            <td>{ui::badge(sign, words, class)}</td>
            {cells}
            <td class="num">{format::percent(gain(r, first), 1)}</td>
            <td class="num">{adjusted} {raw}</td>
            <td>{r.grade.as_deref().map_or_else(|| format::NONE.to_owned(), words::title)}</td>
        </tr>
    }
    .into_any()
}

const TRADING: [&str; 6] = [
    "annual_return",
    "sharpe",
    "sortino",
    "max_drawdown",
    "win_rate",
    "turnover",
];

fn trading(rows: &[LeaderboardRow], bps: f64) -> AnyView {
    let rows: Vec<&LeaderboardRow> = rows.iter().filter(|r| !r.trading.is_empty()).collect();
    if rows.is_empty() {
        return ().into_any();
    }
    let titles: Vec<String> = std::iter::once("Model".to_owned())
        .chain(TRADING.iter().map(|n| format!("#{}", words::metric(n).0)))
        .collect();
    let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
    let body = rows
        .iter()
        .map(|r| view! {
            <tr class=if r.is_baseline { "base" } else { "" }>
                <th scope="row">{r.title.clone()}</th>
                {TRADING
                    .iter()
                    .map(|name| {
                        let value = r.trading.get(*name).copied().flatten();
                        let text = if words::metric(name).2 { format::percent(value, 1) } else { format::cell(value, 2) };
                        let range = r.intervals.get(*name).map(|i| {
                            view! { <small>{format!("{} to {}", format::decimal(i.low, 2), format::decimal(i.high, 2))}</small> }
                        });
                        view! { <td class="num">{text} {range}</td> }
                    })
                    .collect_view()}
            </tr>
        })
        .collect_view()
        .into_any();
    view! {
        <h3>{format!("Trading on the forecast, after costs of {} basis points a side", format::json_text(&serde_json::json!(bps)))}</h3>
        {ui::table("Trading on the forecast", "board", ui::heads(&titles), body)}
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::tests::row;

    #[test]
    fn horizons_are_groups_in_order() {
        let mut far = row("ridge", 0.1);
        far.horizon = 5;
        let rows = [far, row("lasso", 0.2), row("ridge", 0.3)];
        let groups = by_horizon(&rows);
        let shape: Vec<(u32, Vec<&str>)> = groups
            .iter()
            .map(|(h, r)| (*h, r.iter().map(|r| r.model.as_str()).collect()))
            .collect();
        assert_eq!(shape, [(1, vec!["lasso", "ridge"]), (5, vec!["ridge"])]);
    }

    #[test]
    fn the_gain_is_a_share_of_the_baselines_loss() {
        let mut r = row("ridge", 0.9);
        r.baseline.insert("rmse".into(), Some(1.0));
        assert!((gain(&r, "rmse").unwrap() - 0.1).abs() < 1e-12);
        assert_eq!(gain(&r, "mae"), None);
        r.is_baseline = true;
        assert_eq!(gain(&r, "rmse"), None);
    }

    #[test]
    fn only_columns_that_exist_are_shown() {
        let rows = [row("ridge", 0.1)];
        assert_eq!(columns(Target::Return, &rows), ["rmse"]);
        assert!(columns(Target::Direction, &rows).is_empty());
    }
}
