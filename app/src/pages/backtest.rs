//! A back test: the verdict and what speaks against it, the charts, months, figures, trades, costs, and
//! the way from the result back to the file.

use crate::charts::backtest::{Kind, equity, fan, fan_words, rolling, traded};
use crate::drawing::Drawing;
use crate::error::PageError;
use crate::islands::chart::Chart;
use crate::measures;
use crate::pages::backtests::names;
use crate::pages::dashboard::edge_badge;
use crate::query::{self, Link, segment};
use crate::server::{reader, refuse};
use crate::ui;
use crate::{format, steering, words};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_location, use_params_map};
use mltrainer_types::backtest::{BacktestSpec, BacktestTrade, BacktestView, Finding, Severity};
use mltrainer_types::llm::SteeredBy;
use mltrainer_types::strategy::CostSpec;
use mltrainer_types::trial::Interval;

/// Trades and fills on the page, the latest.
const ROWS: usize = 20;

/// A back test with its pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct BacktestPage {
    /// The back test.
    pub view: BacktestView,
    /// Equity, falls, exposure.
    pub equity: Option<Drawing>,
    /// The rolling Sharpe ratio.
    pub rolling: Option<Drawing>,
    /// Trades on the prices of the chosen symbol, or what is wrong with the choice.
    pub trades: Result<Option<Drawing>, PageError>,
    /// The chosen symbol.
    pub symbol: String,
    /// Whether all trades are listed.
    pub all: bool,
    /// Which language model steered it, if one did.
    pub steered: SteeredBy,
}

/// Everything on the page.
async fn backtest(id: String, symbol: String, all: bool) -> Result<BacktestPage, PageError> {
    let services = reader()?;
    let view = services.backtest(&id).await.map_err(|e| refuse(&e))?;
    let trades = traded(&services, &view, &symbol).await;
    let steered = services.steered_by("backtest", &id).await;
    Ok(BacktestPage {
        steered: steered.map_err(|e| refuse(&e))?,
        equity: equity(&view).draw(None, None).ok(),
        rolling: rolling(&view).draw(None, None).ok(),
        trades: trades.map(|plot| plot.draw(None, None).ok()),
        view,
        symbol,
        all,
    })
}

/// The page.
#[component]
pub fn Backtest() -> impl IntoView {
    let id = use_params_map()
        .get_untracked()
        .get("id")
        .unwrap_or_default();
    let pairs = query::pairs(&use_location().search.get_untracked());
    let symbol = query::get(&pairs, "symbol").to_owned();
    let all = query::get(&pairs, "trades") == "all";
    view! { <div class="page">{ui::loaded(backtest(id, symbol, all), 16, |p| parts(&p))}</div> }
}

/// Address of a back test.
fn path(v: &BacktestView) -> String {
    format!("/backtests/{}", segment(v.id.as_str()))
}

/// Address of what the API gives of a back test.
fn api(v: &BacktestView, rest: &str) -> String {
    format!("/api/v1/backtests/{}{rest}", segment(v.id.as_str()))
}

fn parts(p: &BacktestPage) -> AnyView {
    let v = &p.view;
    let title = v.spec.strategy.name.clone();
    let symbols: Vec<String> = v.spec.symbols.iter().map(|s| s.symbol.clone()).collect();
    let span = v.dates.first().zip(v.dates.last());
    let span = span.map_or_else(String::new, |(a, b)| {
        format!("{} to {}", format::day(*a), format::day(*b))
    });
    view! {
        <Title text=title.clone()/>
        {ui::head(
            &[("/", "mlTrainer"), ("/backtests", "Back tests")],
            title,
            view! {
                <p class="lede">{format!("{} · {span}", names(&symbols))}</p>
                <p class="quiet">"Made " {ui::time(&v.created_at)} " · " <code>{v.id.to_string()}</code></p>
                <div class="actions">
                    <a class="button primary" href=again(&v.spec)>"Change and test again"</a>
                    <a class="button" href=optimise(&v.spec)>"Search its parameters"</a>
                    <a class="button" href=api(v, "/report.html") rel="external">"Report"</a>
                </div>
            }
            .into_any(),
        )}
        {verdict(v)}
        {stats(v)}
        {steering::panel(&p.steered)}
        {charts(p)}
        {months(v)}
        {luck(v)}
        {trades(p)}
        {figures(v)}
        <div class="columns">
            <div>{strategy(v)}</div>
            <div>{lineage(v)}</div>
        </div>
    }
    .into_any()
}

fn verdict(v: &BacktestView) -> AnyView {
    let edge = v.verdict.found_edge;
    let findings = if v.findings.is_empty() {
        view! { <p class="quiet">"No rule found anything against it. That makes the result not good, only not obviously bad."</p> }
            .into_any()
    } else {
        view! { <ul class="findings">{v.findings.iter().map(finding).collect_view()}</ul> }
            .into_any()
    };
    view! {
        <section class="verdict" class:edge=edge id="verdict" aria-labelledby="verdict-title">
            <h2 id="verdict-title">"Verdict " {edge_badge(edge)}</h2>
            <p class="verdict-text">{v.verdict.text.clone()}</p>
            <h3 id="findings">"What speaks against it"</h3>
            {findings}
        </section>
    }
    .into_any()
}

fn finding(f: &Finding) -> AnyView {
    let (sign, class) = match f.severity {
        Severity::Serious => ("✕", "bad"),
        Severity::Warning => ("!", "wait"),
        Severity::Note => ("·", "none"),
    };
    view! {
        <li>
            {ui::badge(sign, &words::title(f.severity.as_str()), class)}
            <span>{ui::sentence(&f.sentence)}</span>
        </li>
    }
    .into_any()
}

fn stats(v: &BacktestView) -> AnyView {
    let own = |name: &str| v.metrics.get(name).copied().flatten();
    let held = |name: &str| v.benchmark_metrics.get(name).copied().flatten();
    let beside = |text: String| format!("benchmark: {text}");
    let sure = v.intervals.get("sharpe_ratio").map(interval);
    view! {
        <div class="stats">
            {ui::stat(format::percent(own("total_return"), 1), "Return", beside(format::percent(held("total_return"), 1)))}
            {ui::stat(format::percent(own("annual_return"), 1), "Return a year", beside(format::percent(held("annual_return"), 1)))}
            {ui::stat(format::cell(own("sharpe_ratio"), 2), "Sharpe ratio", sure.unwrap_or_else(|| beside(format::cell(held("sharpe_ratio"), 2))))}
            {ui::stat(format::percent(own("max_drawdown"), 1), "Deepest fall", beside(format::percent(held("max_drawdown"), 1)))}
            {ui::stat(format::count(v.trades.len() as u64), "Trades", format!("{} gained", format::percent(own("win_rate"), 0)))}
            {ui::stat(format::percent(own("exposure"), 0), "Invested", "on average".to_owned())}
        </div>
    }
    .into_any()
}

fn interval(i: &Interval) -> String {
    format!(
        "95 % between {} and {}",
        format::decimal(i.low, 2),
        format::decimal(i.high, 2)
    )
}

fn capital(text: &str) -> String {
    ui::sentence(text).trim_end_matches('.').to_owned()
}

fn chart(source: String, drawing: &Option<Drawing>) -> AnyView {
    let (frame, svg) = match drawing {
        Some(d) => (Some(d.frame.clone()), d.svg.clone()),
        None => (None, String::new()),
    };
    view! { <Chart source=source frame=frame><div class="drawn" inner_html=svg></div></Chart> }
        .into_any()
}

fn charts(p: &BacktestPage) -> AnyView {
    let v = &p.view;
    let source = |kind: Kind| format!("backtest/{}/{}", segment(v.id.as_str()), kind.word());
    let traded = match &p.trades {
        Ok(drawing) => {
            let source = Link::to(&source(Kind::Trades)).with("symbol", &p.symbol);
            chart(source.build(), drawing)
        }
        Err(e) => ui::error_panel(e),
    };
    let body = view! {
        <div class="charts">
            {chart(source(Kind::Equity), &p.equity)}
            {chart(source(Kind::Rolling), &p.rolling)}
            <div id="prices">{choice(p)} {traded}</div>
        </div>
    }
    .into_any();
    ui::panel("charts", "Charts", ().into_any(), body)
}

/// Whose prices the trades are shown on.
fn choice(p: &BacktestPage) -> Option<AnyView> {
    let v = &p.view;
    if v.spec.symbols.len() < 2 {
        return None;
    }
    let symbols: Vec<(String, String)> = v
        .spec
        .symbols
        .iter()
        .map(|s| (s.symbol.clone(), s.symbol.clone()))
        .collect();
    Some(
        view! {
            <form method="get" action=format!("{}#prices", path(v)) class="filters" aria-label="Whose prices" data-auto="">
                {ui::field("symbol", "Trades on the prices of", "", None, ui::select("symbol", symbols, &p.symbol))}
                <div class="field submit"><button class="button">"Show"</button></div>
            </form>
        }
        .into_any(),
    )
}

fn months(v: &BacktestView) -> AnyView {
    const NAMES: [&str; 12] = [
        "#Jan", "#Feb", "#Mar", "#Apr", "#May", "#Jun", "#Jul", "#Aug", "#Sep", "#Oct", "#Nov",
        "#Dec",
    ];
    let mut heads = vec!["Year"];
    heads.extend(NAMES);
    heads.extend(["#Year", "#Benchmark"]);
    let share = |x: Option<f64>| x.map_or_else(String::new, |x| format::decimal(100.0 * x, 1));
    let rows = measures::years(v)
        .into_iter()
        .map(|y| view! {
            <tr>
                <th scope="row" class="figures">{y.year}</th>
                {y.months
                    .into_iter()
                    .map(|m| view! { <td class=format!("num heat {}", measures::heat(m))>{share(m)}</td> })
                    .collect_view()}
                <td class="num"><strong>{share(Some(y.whole))}</strong></td>
                <td class="num">{share(Some(y.benchmark))}</td>
            </tr>
        })
        .collect_view()
        .into_any();
    let table = ui::table(
        "Returns by month",
        "plain heat-map months",
        ui::heads(&heads),
        rows,
    );
    let aside = view! { <span class="quiet">"percent"</span> }.into_any();
    ui::panel("months", "Months", aside, table)
}

fn trades(p: &BacktestPage) -> AnyView {
    let v = &p.view;
    let all: Vec<&BacktestTrade> = v.trades.iter().chain(&v.open_trades).collect();
    if all.is_empty() {
        let text =
            view! { <p>"The strategy never traded. What its cash earned is the result."</p> };
        return ui::panel("trades", "Trades", ().into_any(), text.into_any());
    }
    let shown = if p.all { all.len() } else { ROWS };
    let rows = all
        .iter()
        .rev()
        .take(shown)
        .map(|t| view! {
            <tr>
                <th scope="row" class="figures">{format::day(t.entry)}</th>
                <td class="figures">{t.exit.map_or_else(|| "open".to_owned(), format::day)}</td>
                <td>{t.symbol.clone()}</td>
                <td>{t.direction.clone()}</td>
                <td class="num">{format::figure(t.units)}</td>
                <td class="num">{format::cell(t.entry_price, 2)}</td>
                <td class="num">{format::cell(t.exit_price, 2)}</td>
                <td class="num">{format::cell(t.pnl, 2)}</td>
                <td class="num">{format::percent(t.result, 2)}</td>
                <td class="num">{t.bars.map_or_else(String::new, |b| format::count(b.into()))}</td>
                <td class="wide">{t.exit_rule.clone().unwrap_or_default()}</td>
            </tr>
        })
        .collect_view()
        .into_any();
    let table = ui::table(
        "Trades, newest first",
        "plain",
        ui::heads(&[
            "From",
            "To",
            "Symbol",
            "Side",
            "#Shares",
            "#In at",
            "#Out at",
            "#Gain",
            "#Return",
            "#Bars",
            "Why it ended",
        ]),
        rows,
    );
    let more = (all.len() > shown).then(|| {
        let href = Link::to(&path(v))
            .with("trades", "all")
            .with("symbol", &p.symbol)
            .build();
        let label = format!("Show all {} trades", format::count(all.len() as u64));
        view! { <p><a class="button" href=format!("{href}#trades")>{label}</a></p> }
    });
    let body = view! { {table} {more} {fills(v)} }.into_any();
    ui::panel("trades", "Trades", files(v), body)
}

/// Everything as files.
fn files(v: &BacktestView) -> AnyView {
    let link = |file: &str, label: &'static str| {
        view! { <a href=api(v, file) rel="external" download="">{label}</a> }
    };
    view! {
        <span class="tags">
            "Trades " {link("/trades.csv", "CSV")} {link("/trades.parquet", "Parquet")}
            " · fills " {link("/fills.csv", "CSV")} {link("/fills.parquet", "Parquet")}
            " · equity " {link("/equity.csv", "CSV")} {link("/equity.parquet", "Parquet")}
        </span>
    }
    .into_any()
}

fn fills(v: &BacktestView) -> AnyView {
    let lines = v
        .fills
        .iter()
        .rev()
        .take(ROWS)
        .map(|f| view! { <li><span class="figures">{format::day(f.date)}</span> " " {f.explanation.clone()}</li> })
        .collect_view();
    let count = v.fills.len();
    let label = if count > ROWS {
        format!(
            "The last {ROWS} of {} fills, explained",
            format::count(count as u64)
        )
    } else {
        format!(
            "{}, explained",
            format::counted(count as u64, "fill", "fills")
        )
    };
    let refused = (v.refused > 0).then(|| {
        view! { <p class="quiet">{format!("{} did not fill.", format::counted(v.refused.into(), "order", "orders"))}</p> }
    });
    view! {
        <details>
            <summary>{label}</summary>
            {refused}
            <ul class="plain-list fills">{lines}</ul>
        </details>
    }
    .into_any()
}

/// Whether it could have come out otherwise: other orders of the trades, other costs, other markets.
fn luck(v: &BacktestView) -> AnyView {
    let picture = v.fan.as_ref().and_then(|f| Some((fan(f)?, fan_words(f))));
    let picture = picture.map(|(svg, said)| {
        view! {
            <figure class="chart fan">
                <figcaption><span class="chart-title">"The same trades in other orders"</span></figcaption>
                <div class="plot"><div class="drawn" inner_html=svg></div></div>
                <p class="quiet">{said}</p>
            </figure>
        }
    });
    let costs = v
        .costs
        .iter()
        .map(|c| {
            view! {
                <tr>
                    <th scope="row" class="figures">{format!("× {}", c.factor)}</th>
                    <td class="num">{format::percent(c.total_return, 1)}</td>
                    <td class="num">{format::cell(c.paid, 0)}</td>
                </tr>
            }
        })
        .collect_view()
        .into_any();
    let gone = v.break_even_costs.map(|x| {
        view! { <p class="quiet">{format!("The gain is gone at {} times these costs.", format::decimal(x, 1))}</p> }
    });
    let regimes = v
        .regimes
        .iter()
        .map(|r| {
            view! {
                <tr>
                    <th scope="row">{words::title(&r.regime)}</th>
                    <td class="num">{format::count(r.bars.into())}</td>
                    <td class="num">{format::percent(r.total_return, 1)}</td>
                    <td class="num">{format::cell(r.sharpe_ratio, 2)}</td>
                </tr>
            }
        })
        .collect_view()
        .into_any();
    let markets = if v.regimes.is_empty() {
        view! { <p class="quiet">"The span is too short to tell kinds of market apart."</p> }
            .into_any()
    } else {
        ui::table(
            "Result in kinds of market",
            "plain",
            ui::heads(&["Market", "#Bars", "#Return", "#Sharpe"]),
            regimes,
        )
    };
    let body = view! {
        {picture}
        <div class="columns even">
            <div>
                <h3>"Other costs"</h3>
                {ui::table("Result under multiples of the costs", "plain", ui::heads(&["Costs", "#Return", "#Paid"]), costs)}
                {gone}
            </div>
            <div>
                <h3>"Kinds of market"</h3>
                {markets}
            </div>
        </div>
    }
    .into_any();
    ui::panel(
        "luck",
        "Would it have come out otherwise?",
        ().into_any(),
        body,
    )
}

fn figures(v: &BacktestView) -> AnyView {
    let rows = measures::rows(v)
        .into_iter()
        .map(|r| view! {
            <tr>
                <th scope="row">{r.name} {(!r.help.is_empty()).then(|| view! { <small>{r.help}</small> })}</th>
                <td class="num">{r.own}</td>
                <td class="num">{r.benchmark}</td>
            </tr>
        })
        .collect_view()
        .into_any();
    let held = format!("#{}", capital(&v.benchmark_name));
    let table = ui::table(
        "Figures of the strategy and the benchmark",
        "plain figures-table",
        ui::heads(&["Figure", "#Strategy", &held]),
        rows,
    );
    ui::panel("figures", "All figures", ().into_any(), table)
}

fn strategy(v: &BacktestView) -> AnyView {
    let s = &v.spec;
    let text = serde_json::to_string_pretty(&s.strategy).unwrap_or_default();
    let open = |d: Option<chrono::NaiveDate>, otherwise: &str| {
        d.map_or_else(|| otherwise.to_owned(), format::day)
    };
    let costs = s.strategy.costs.clone().unwrap_or_default();
    let body = view! {
        {ui::facts(vec![
            ("Span", ui::text(format!("{} to {}", open(s.start, "first day"), open(s.end, "last day")))),
            ("Cash", ui::text(format::cell(s.strategy.cash, 2))),
            ("Costs", ui::text(costs_words(&costs))),
            ("Shares", ui::text(if s.strategy.whole_shares == Some(false) { "fractions too" } else { "whole ones" })),
            ("Beside", ui::text(v.benchmark_name.clone())),
            ("Seed", ui::text(s.seed.to_string())),
        ])}
        <details>
            <summary>"The strategy as JSON"</summary>
            <pre class="formula code">{text}</pre>
        </details>
    }
    .into_any();
    ui::panel("spec", "What was tested", ().into_any(), body)
}

/// Costs in a line.
#[must_use]
pub fn costs_words(c: &CostSpec) -> String {
    let points = |x: f64| {
        format!(
            "{} basis points",
            format::json_text(&serde_json::json!((x * 1e6).round() / 100.0))
        )
    };
    let share = |x: f64| format::percent(Some(x), 2);
    let mut all = Vec::new();
    for (x, text) in [
        (c.rate, format!("commission {}", points(c.rate))),
        (c.per_share, format!("{} a share", c.per_share)),
        (c.per_trade, format!("{} a fill", c.per_trade)),
        (c.minimum, format!("at least {} a fill", c.minimum)),
        (c.spread, format!("spread {}", points(c.spread))),
        (c.slippage, format!("slippage {}", points(c.slippage))),
        (
            c.volume_impact.unwrap_or(0.0),
            format!("slippage by volume × {}", c.volume_impact.unwrap_or(0.0)),
        ),
        (
            c.volume_limit.unwrap_or(0.0),
            format!(
                "at most {} of a bar's volume",
                share(c.volume_limit.unwrap_or(0.0))
            ),
        ),
        (
            c.borrow_rate,
            format!("borrowing {} a year", share(c.borrow_rate)),
        ),
        (
            c.cash_rate,
            format!("interest {} a year", share(c.cash_rate)),
        ),
        (
            c.margin_rate,
            format!("credit {} a year", share(c.margin_rate)),
        ),
    ] {
        if x != 0.0 {
            all.push(text);
        }
    }
    if all.is_empty() {
        "none".to_owned()
    } else {
        all.join(", ")
    }
}

/// The form of a new back test with the fields of this one.
#[must_use]
pub fn again(s: &BacktestSpec) -> String {
    again_at("/backtests/new", s)
}

/// The form of an optimisation around this test: its parameters, or its JSON to put names in.
fn optimise(s: &BacktestSpec) -> String {
    again_at("/backtests/optimise", s)
}

fn again_at(path: &str, s: &BacktestSpec) -> String {
    let symbols: Vec<String> = s.symbols.iter().map(|x| x.dataset.id.to_string()).collect();
    let day = |d: Option<chrono::NaiveDate>| d.map(format::day).unwrap_or_default();
    let mut link = Link::to(path);
    link = match &s.ready_made {
        Some(id) => {
            let mut link = link.with("by", "ready").with("ready", id);
            for (name, value) in &s.params {
                link = link.with(&format!("p.{id}.{name}"), &format::json_text(value));
            }
            let number = |x: f64| format::json_text(&serde_json::json!(x));
            let costs = s.strategy.costs.clone().unwrap_or_default();
            link.with("cash", &s.strategy.cash.map(number).unwrap_or_default())
                .with("bps", &number((costs.rate * 1e6).round() / 100.0))
        }
        None => {
            let text = serde_json::to_string_pretty(&s.strategy).unwrap_or_default();
            link.with("by", "json").with("text", &text)
        }
    };
    link.with("symbols", &symbols.join(","))
        .with("start", &day(s.start))
        .with("end", &day(s.end))
        .with(
            "benchmark",
            &s.benchmark
                .as_ref()
                .map(|b| b.dataset.id.to_string())
                .unwrap_or_default(),
        )
        .with("seed", &s.seed.to_string())
        .with("finalize", if s.finalize { "on" } else { "" })
        .build()
}

fn lineage(v: &BacktestView) -> AnyView {
    let sets = v.spec.symbols.iter().chain(&v.spec.benchmark);
    let sets = sets
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
    let body = view! {
        <p>"Result " <code class="hash whole">{v.result_sha256.clone()}</code></p>
        <p class="quiet">"The same specification on the same data gives the same hash."</p>
        {ui::lineage(&v.lineage)}
        <h3>"Data sets"</h3>
        <ul class="plain-list">{sets}</ul>
        <p>
            <a href=format!("{audit}#audit")>"Audit records of this back test"</a> " · "
            <a href=api(v, "") rel="external">"All of it as JSON"</a>
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

    #[test]
    fn costs_are_said_in_a_line() {
        let costs = CostSpec {
            rate: 0.0005,
            minimum: 1.0,
            borrow_rate: 0.02,
            ..CostSpec::default()
        };
        assert_eq!(
            costs_words(&costs),
            "commission 5 basis points, at least 1 a fill, borrowing 2.00\u{a0}% a year"
        );
        assert_eq!(costs_words(&CostSpec::default()), "none");
    }
}
