//! The charts of a back test: equity beside the benchmark with falls and exposure, the rolling Sharpe
//! ratio, the trades on the prices, and the fan of the same trades in other orders.

use super::{LinePlot, Look, MarkPlot, Part, Plot, SegmentPlot, bars, escape};
use crate::drawing::Key;
use crate::error::PageError;
use crate::format;
use crate::server::refuse;
use chrono::NaiveDate;
use mltrainer_services::Services;
use mltrainer_types::backtest::{BacktestFan, BacktestTrade, BacktestView};
use mltrainer_types::data::Bar;
use std::fmt::Write as _;

/// The legend's switches of the trades.
const PRICE: u8 = 1;
const VOLUME: u8 = 2;
const GAINS: u8 = 3;
const LOSSES: u8 = 4;

/// Which of a back test's charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Equity beside the benchmark, falls and exposure.
    Equity,
    /// The rolling Sharpe ratio.
    Rolling,
    /// Trades on the prices of a symbol.
    Trades,
}

impl Kind {
    /// Its word in addresses.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Equity => "equity",
            Self::Rolling => "rolling",
            Self::Trades => "trades",
        }
    }

    /// The kind of that word, if there is one.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Equity, Self::Rolling, Self::Trades]
            .into_iter()
            .find(|k| k.word() == word)
    }
}

/// One chart of a back test; `symbol` is for the trades, the first one when it is empty.
///
/// # Errors
/// An unknown back test or symbol; a store that fails.
pub async fn one(
    services: &Services,
    id: &str,
    kind: Kind,
    symbol: &str,
) -> Result<Plot, PageError> {
    let view = services.backtest(id).await.map_err(|e| refuse(&e))?;
    match kind {
        Kind::Equity => Ok(equity(&view)),
        Kind::Rolling => Ok(rolling(&view)),
        Kind::Trades => traded(services, &view, symbol).await,
    }
}

/// The trades on the prices of a symbol.
///
/// # Errors
/// A symbol that was not tested; a data set that is gone.
pub async fn traded(
    services: &Services,
    view: &BacktestView,
    symbol: &str,
) -> Result<Plot, PageError> {
    let all = &view.spec.symbols;
    let found = match symbol {
        "" => all.first(),
        name => all.iter().find(|s| s.symbol.eq_ignore_ascii_case(name)),
    };
    let Some(set) = found else {
        return Err(PageError {
            suggestions: all.iter().map(|s| s.symbol.clone()).collect(),
            ..PageError::field("symbol", &format!("\"{symbol}\" was not tested"))
        });
    };
    let rows = services
        .bars(set.dataset.id.as_str(), view.spec.start, view.spec.end)
        .await
        .map_err(|e| refuse(&e))?;
    Ok(trades(view, &set.symbol, &rows))
}

fn line(name: &str, colour: u8, values: &[Option<f64>]) -> LinePlot {
    LinePlot {
        name: name.to_owned(),
        colour,
        values: values.to_vec(),
        ..LinePlot::default()
    }
}

fn percent(values: &[Option<f64>]) -> Vec<Option<f64>> {
    values.iter().map(|v| v.map(|x| 100.0 * x)).collect()
}

/// Equity beside the benchmark, falls from the peak, and the share that is invested.
#[must_use]
pub fn equity(v: &BacktestView) -> Plot {
    let held = capital(&v.benchmark_name);
    Plot {
        title: format!("Equity of {}", v.spec.strategy.name),
        dates: v.dates.clone(),
        panels: vec![
            Part {
                weight: 4.0,
                unit: "equity at the close, currency".to_owned(),
                growth: true,
                lines: vec![
                    line(&held, 0, &v.benchmark_equity),
                    line("Strategy", 1, &v.equity),
                ],
                ..Part::default()
            },
            Part {
                weight: 2.0,
                unit: "fall from the peak, %".to_owned(),
                lines: vec![
                    line(&format!("{held}, fall"), 0, &percent(&v.benchmark_drawdown)),
                    LinePlot {
                        look: Look::Area,
                        ..line("Strategy, fall", 2, &percent(&v.drawdown))
                    },
                ],
                zero: true,
                ..Part::default()
            },
            Part {
                weight: 1.0,
                unit: "invested, % of the equity".to_owned(),
                lines: vec![LinePlot {
                    look: Look::Filled,
                    ..line("Invested", 3, &percent(&v.exposure))
                }],
                ..Part::default()
            },
        ],
        ..Plot::default()
    }
}

/// The rolling Sharpe ratio beside that of the benchmark.
#[must_use]
pub fn rolling(v: &BacktestView) -> Plot {
    Plot {
        title: format!("Sharpe ratio over {} bars", v.rolling_window),
        dates: v.dates.clone(),
        panels: vec![Part {
            weight: 1.0,
            unit: "a year".to_owned(),
            lines: vec![
                line(&capital(&v.benchmark_name), 0, &v.benchmark_rolling_sharpe),
                line("Strategy", 1, &v.rolling_sharpe),
            ],
            zero: true,
            ..Part::default()
        }],
        ..Plot::default()
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| {
        c.to_uppercase().collect::<String>() + chars.as_str()
    })
}

/// Purchases, sales and the way between them on the prices of a symbol.
#[must_use]
pub fn trades(v: &BacktestView, symbol: &str, rows: &[Bar]) -> Plot {
    let mut plot = bars(&format!("Trades in {symbol}"), "price", rows);
    let key = |key, name: &str, colour, mark: &str| Key {
        key,
        name: name.to_owned(),
        parts: vec![(colour, mark.to_owned(), String::new())],
    };
    let mut keys = Vec::new();
    for (part, (n, name, mark)) in plot
        .panels
        .iter_mut()
        .zip([(PRICE, "Price", "ln"), (VOLUME, "Volume", "fl")])
    {
        part.key = n;
        for line in &mut part.lines {
            line.key = n;
            keys.push(key(n, name, line.colour, mark));
        }
    }
    keys.push(key(GAINS, "Trades that gained", 3, "sign"));
    keys.push(key(LOSSES, "Trades that lost", 2, "sign"));
    plot.keys = keys;
    let at = |day: NaiveDate| {
        let row = rows.binary_search_by_key(&day, |b| b.date).ok()?;
        rows.get(row)
    };
    if let Some(price) = plot.panels.first_mut() {
        let own = v.trades.iter().chain(&v.open_trades);
        for t in own.filter(|t| t.symbol == symbol) {
            let later = splits_after(v, symbol, t.exit);
            mark(price, t, later, at(t.entry), t.exit.and_then(at));
        }
        price.marks.sort_by_key(|m| m.date);
    }
    plot
}

/// The prices of a trade are in shares of its last day, those of the chart adjusted for every split: so many
/// shares of the chart are one of the trade.
fn splits_after(v: &BacktestView, symbol: &str, exit: Option<NaiveDate>) -> f64 {
    let own = v.spec.symbols.iter().find(|s| s.symbol == symbol);
    let actions = own.and_then(|s| s.actions.as_ref());
    let splits = actions.map_or(&[][..], |a| a.splits.as_slice());
    let later = splits.iter().filter(|s| exit.is_some_and(|e| s.date > e));
    later.map(|s| s.ratio).product()
}

fn mark(price: &mut Part, t: &BacktestTrade, later: f64, entry: Option<&Bar>, exit: Option<&Bar>) {
    let (colour, key) = if t.pnl.is_some_and(|p| p > 0.0) {
        (3, GAINS)
    } else {
        (2, LOSSES)
    };
    let long = t.direction == "long";
    let mut sign = |bar: &Bar, buys: bool| {
        price.marks.push(MarkPlot {
            date: bar.date,
            at: if buys {
                bar.low.unwrap_or(bar.close)
            } else {
                bar.high.unwrap_or(bar.close)
            },
            up: buys,
            word: if buys { "buy" } else { "sell" }.to_owned(),
            colour,
            key,
        });
    };
    if let Some(bar) = entry {
        sign(bar, long);
    }
    if let Some(bar) = exit {
        sign(bar, !long);
    }
    if let (Some(from), Some(to), Some(exit)) = (t.entry_price, t.exit_price, t.exit) {
        price.segments.push(SegmentPlot {
            from: (t.entry, from / later),
            to: (exit, to / later),
            colour,
            key,
        });
    }
}

/// Width and height of the fan's own coordinates.
const FAN: (f64, f64) = (4000.0, 2000.0);

/// The fan as a picture: bands between the outer and the inner quantiles, the median, the cash at the
/// start.
#[must_use]
pub fn fan(f: &BacktestFan) -> Option<String> {
    let (Some(last), [low, first, median, third, high]) = (f.steps.last(), f.lines.as_slice())
    else {
        return None;
    };
    let known = || f.lines.iter().flatten().copied().flatten();
    let (bottom, top) = (
        known().fold(f64::INFINITY, f64::min),
        known().fold(f64::NEG_INFINITY, f64::max),
    );
    if !(bottom.is_finite() && top > bottom) {
        return None;
    }
    // Gains multiply: on a scale of logarithms, unless an order ends without equity.
    let logs = bottom > 0.0;
    let scaled = |v: f64| if logs { v.ln() } else { v };
    let (low_end, high_end) = (scaled(bottom), scaled(top));
    let room = 0.06 * (high_end - low_end);
    let (low_end, high_end) = (low_end - room, high_end + room);
    let x = |step: u32| f64::from(step) / f64::from((*last).max(1)) * FAN.0;
    let y = |v: f64| FAN.1 * (high_end - scaled(v)) / (high_end - low_end);
    let points = |values: &[Option<f64>]| -> Vec<(f64, f64)> {
        let pairs = f.steps.iter().zip(values);
        pairs.filter_map(|(s, v)| Some((x(*s), y((*v)?)))).collect()
    };
    let path = |points: &[(f64, f64)], end: &str| {
        let mut d = String::new();
        for (i, (x, y)) in points.iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = write!(d, "{}{x:.0} {y:.0}", if i == 0 { "M" } else { "L" });
        }
        d + end
    };
    let band = |a: &[Option<f64>], b: &[Option<f64>]| {
        let mut around = points(a);
        around.extend(points(b).into_iter().rev());
        path(&around, "z")
    };
    let title = fan_words(f);
    let mut svg = String::from("<svg class=\"picture\" role=\"img\" aria-label=\"");
    escape(&title, &mut svg);
    let _ = write!(
        svg,
        "\"><svg class=\"marks\" width=\"100%\" height=\"100%\" viewBox=\"0 0 {} {}\" preserveAspectRatio=\"none\">",
        FAN.0, FAN.1
    );
    let ticks = if logs {
        super::ticks::factors(bottom, top, 5)
    } else {
        super::ticks::values(bottom, top, 5)
    };
    for (v, _) in &ticks {
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M0 {:.0}h{}\"/>",
            y(*v),
            FAN.0
        );
    }
    for d in [band(low, high), band(first, third)] {
        let _ = write!(svg, "<path class=\"bd s1\" d=\"{d}\"/>");
    }
    if let Some(Some(start)) = median.first() {
        let _ = write!(
            svg,
            "<path class=\"zero\" d=\"M0 {:.0}h{}\"/>",
            y(*start),
            FAN.0
        );
    }
    let _ = write!(
        svg,
        "<path class=\"ln s1\" d=\"{}\"/></svg>",
        path(&points(median), "")
    );
    for (v, text) in ticks {
        let _ = write!(
            svg,
            "<text class=\"yl\" x=\"100%\" y=\"{:.2}%\" dx=\"6\" dy=\"4\">{text}</text>",
            100.0 * y(v) / FAN.1
        );
    }
    for (v, text) in super::ticks::values(0.0, f64::from(*last), 5) {
        let share = 100.0 * v / f64::from((*last).max(1));
        let anchor = match share {
            s if s < 4.0 => " left",
            s if s > 96.0 => " right",
            _ => "",
        };
        let _ = write!(
            svg,
            "<text class=\"xl{anchor}\" x=\"{share:.2}%\" y=\"100%\" dy=\"16\">{text}</text>"
        );
    }
    svg.push_str("<text class=\"ul\" x=\"0\" y=\"0%\" dx=\"2\" dy=\"12\">equity after so many trades</text></svg>");
    Some(svg)
}

/// What the fan shows, in words.
#[must_use]
pub fn fan_words(f: &BacktestFan) -> String {
    let last = |i: usize| format::figure(f.last.get(i).copied().flatten());
    let fall = |i: usize| format::percent(f.drawdown.get(i).copied().flatten(), 1);
    format!(
        "The same trades drawn {} times in other orders, with repetition: nine of ten end between {} and {}, half above {}; the deepest fall of the worst twentieth is {} or more; {} lose money, {} fall to half of the cash.",
        format::count(f.runs.into()),
        last(0),
        last(4),
        last(2),
        fall(0),
        format::percent(Some(f.loss), 1),
        format::percent(Some(f.ruin), 1),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fan_stands_alone_and_says_what_it_shows() {
        let line = |end: f64| vec![Some(100.0), Some(end)];
        let f = BacktestFan {
            runs: 1000,
            quantiles: vec![0.05, 0.25, 0.5, 0.75, 0.95],
            steps: vec![0, 10],
            lines: [80.0, 95.0, 110.0, 120.0, 140.0].map(line).to_vec(),
            last: [80.0, 95.0, 110.0, 120.0, 140.0].map(Some).to_vec(),
            drawdown: [-0.3, -0.2, -0.15, -0.1, -0.05].map(Some).to_vec(),
            loss: 0.31,
            ruin: 0.0,
        };
        let svg = fan(&f).unwrap();
        assert!(!svg.contains("style=") && !svg.contains("NaN"));
        assert_eq!(svg.matches("<svg").count(), svg.matches("</svg>").count());
        assert_eq!(svg.matches("class=\"bd s1\"").count(), 2);
        assert!(fan_words(&f).contains("31.0"), "{}", fan_words(&f));
        let flat = BacktestFan {
            lines: vec![vec![Some(1.0); 2]; 5],
            ..f
        };
        assert_eq!(fan(&flat), None);
    }
}
