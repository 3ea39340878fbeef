//! A back test as one HTML file that needs nothing else: figures, findings, charts, trades, lineage.

use crate::charts::backtest::{equity, fan, fan_words, rolling, trades};
use crate::measures;
use crate::{format, ui};
use mltrainer_types::backtest::{BacktestTrade, BacktestView};
use mltrainer_types::data::Bar;
use std::fmt::Write as _;

/// Trades that the report lists, the latest.
const TRADES: usize = 500;

/// Symbols whose prices the report shows.
const SYMBOLS: usize = 6;

const STYLE: &str = include_str!("report.css");

/// The style of reports, for the content policy of whoever serves one.
#[must_use]
pub fn style() -> &'static str {
    STYLE
}

fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// The report. `bars`: those of the symbols in the order of the specification, as many as there are.
#[must_use]
pub fn html(v: &BacktestView, bars: &[Vec<Bar>]) -> String {
    let title = text(&v.spec.strategy.name);
    let names: Vec<&str> = v.spec.symbols.iter().map(|s| s.symbol.as_str()).collect();
    let mut out = String::with_capacity(256 * 1024);
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title} · mlTrainer</title><style>{STYLE}</style></head><body><main><h1>{title}</h1><p class=\"quiet\">{} · {} · {}</p>",
        text(&names.join(", ")),
        v.dates
            .first()
            .zip(v.dates.last())
            .map_or_else(String::new, |(a, b)| {
                format!("{} to {}", format::day(*a), format::day(*b))
            }),
        format::time(&v.created_at),
    );
    let class = if v.verdict.found_edge { "edge" } else { "none" };
    let _ = write!(
        out,
        "<section class=\"verdict {class}\"><h2>Verdict</h2><p>{}</p></section>",
        text(&v.verdict.text)
    );
    findings(&mut out, v);
    figures(&mut out, v);
    out.push_str("<section><h2>Charts</h2>");
    picture(&mut out, &equity(v), 640);
    picture(&mut out, &rolling(v), 340);
    for (symbol, rows) in names.iter().zip(bars).take(SYMBOLS) {
        picture(&mut out, &trades(v, symbol, rows), 460);
    }
    if let Some(f) = &v.fan
        && let Some(svg) = fan(f)
    {
        let _ = write!(
            out,
            "<figure><svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 960 380\"><svg x=\"12\" y=\"12\" width=\"860\" height=\"340\" overflow=\"visible\">{svg}</svg></svg><figcaption>{}</figcaption></figure>",
            text(&fan_words(f))
        );
    }
    out.push_str("</section>");
    months(&mut out, v);
    costs_and_regimes(&mut out, v);
    trade_list(&mut out, v);
    strategy(&mut out, v);
    out.push_str("<footer><p>Real data only, after costs, beside a benchmark. The past is no promise, and nothing here is advice.</p></footer></main></body></html>\n");
    out
}

fn picture(out: &mut String, plot: &crate::charts::Plot, height: u32) {
    if let Ok(svg) = plot.file(None, None, 960, height) {
        let _ = write!(out, "<figure>{svg}</figure>");
    }
}

fn findings(out: &mut String, v: &BacktestView) {
    out.push_str("<section><h2>Findings</h2>");
    if v.findings.is_empty() {
        out.push_str("<p>None of the rules found anything. That makes the result not good, only not obviously bad.</p>");
    } else {
        out.push_str("<ul>");
        for f in &v.findings {
            let _ = write!(
                out,
                "<li class=\"{}\"><b>{}</b>: {}</li>",
                f.severity.as_str(),
                f.severity.as_str(),
                text(&ui::sentence(&f.sentence))
            );
        }
        out.push_str("</ul>");
    }
    out.push_str("</section>");
}

fn figures(out: &mut String, v: &BacktestView) {
    let _ = write!(
        out,
        "<section><h2>Figures</h2><div class=\"scroll\"><table><thead><tr><th>Figure</th><th>Strategy</th><th>{}</th></tr></thead><tbody>",
        text(&v.benchmark_name)
    );
    for row in measures::rows(v) {
        let _ = write!(
            out,
            "<tr><th>{} <small>{}</small></th><td>{}</td><td>{}</td></tr>",
            row.name, row.help, row.own, row.benchmark
        );
    }
    out.push_str("</tbody></table></div></section>");
}

fn months(out: &mut String, v: &BacktestView) {
    out.push_str("<section><h2>Months, %</h2><div class=\"scroll\"><table class=\"months\"><thead><tr><th>Year</th>");
    for m in 1..=12 {
        let _ = write!(out, "<th>{m}</th>");
    }
    out.push_str("<th>All</th><th>Benchmark</th></tr></thead><tbody>");
    for y in measures::years(v) {
        let _ = write!(out, "<tr><th>{}</th>", y.year);
        for m in y.months {
            let _ = write!(
                out,
                "<td class=\"{}\">{}</td>",
                measures::shade(m),
                m.map_or_else(String::new, |x| format::decimal(100.0 * x, 1))
            );
        }
        let _ = write!(
            out,
            "<td>{}</td><td>{}</td></tr>",
            format::decimal(100.0 * y.whole, 1),
            format::decimal(100.0 * y.benchmark, 1)
        );
    }
    out.push_str("</tbody></table></div></section>");
}

fn costs_and_regimes(out: &mut String, v: &BacktestView) {
    out.push_str("<section><h2>Costs</h2><div class=\"scroll\"><table><thead><tr><th>Times the costs</th><th>Return</th><th>Paid</th></tr></thead><tbody>");
    for c in &v.costs {
        let _ = write!(
            out,
            "<tr><th>{}</th><td>{}</td><td>{}</td></tr>",
            c.factor,
            format::percent(c.total_return, 2),
            format::cell(c.paid, 2)
        );
    }
    out.push_str("</tbody></table></div></section><section><h2>Kinds of market</h2><div class=\"scroll\"><table><thead><tr><th>Market</th><th>Bars</th><th>Return</th><th>Sharpe ratio</th></tr></thead><tbody>");
    for r in &v.regimes {
        let _ = write!(
            out,
            "<tr><th>{}</th><td>{}</td><td>{}</td><td>{}</td></tr>",
            r.regime,
            r.bars,
            format::percent(r.total_return, 2),
            format::cell(r.sharpe_ratio, 2)
        );
    }
    out.push_str("</tbody></table></div></section>");
}

fn trade_list(out: &mut String, v: &BacktestView) {
    let all: Vec<&BacktestTrade> = v.trades.iter().chain(&v.open_trades).collect();
    let from = all.len().saturating_sub(TRADES);
    let _ = write!(
        out,
        "<section><h2>Trades</h2><p class=\"quiet\">{} in all{}</p><div class=\"scroll\"><table><thead><tr><th>Symbol</th><th>Side</th><th>From</th><th>To</th><th>Shares</th><th>In at</th><th>Out at</th><th>Gain</th><th>Return</th><th>Exit</th></tr></thead><tbody>",
        all.len(),
        if from > 0 {
            format!(", the last {TRADES} are listed")
        } else {
            String::new()
        }
    );
    for t in all.iter().skip(from) {
        let _ = write!(
            out,
            "<tr><th>{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            text(&t.symbol),
            t.direction,
            format::day(t.entry),
            t.exit.map_or_else(|| "open".to_owned(), format::day),
            format::figure(t.units),
            format::cell(t.entry_price, 2),
            format::cell(t.exit_price, 2),
            format::cell(t.pnl, 2),
            format::percent(t.result, 2),
            t.exit_rule.as_deref().unwrap_or("")
        );
    }
    out.push_str("</tbody></table></div></section>");
}

fn strategy(out: &mut String, v: &BacktestView) {
    let spec = serde_json::to_string_pretty(&v.spec.strategy).unwrap_or_default();
    let _ = write!(
        out,
        "<section><h2>Strategy</h2><pre>{}</pre></section><section><h2>From the result back to the file</h2><p>Result <code>{}</code></p><p>Specification <code>{}</code></p><ol>",
        text(&spec),
        v.result_sha256,
        v.spec_sha256
    );
    for s in v.lineage.iter().rev() {
        let _ = write!(
            out,
            "<li>{}: {} <code>{}</code></li>",
            text(&s.step),
            text(&s.detail),
            s.sha256
        );
    }
    out.push_str("</ol></section>");
}
