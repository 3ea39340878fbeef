//! The figures of a back test in words, for the page, the report and the command line.

use crate::format;
use mltrainer_types::backtest::BacktestView;

/// How a figure is written.
#[derive(Clone, Copy)]
enum Form {
    Percent,
    Ratio,
    Count,
    Money,
}

/// Name on the wire, name for people, form, and what it is.
const ALL: [(&str, &str, Form, &str); 34] = [
    ("total_return", "Return", Form::Percent, "of the whole test"),
    ("annual_return", "Return a year", Form::Percent, "geometric"),
    (
        "annual_volatility",
        "Volatility a year",
        Form::Percent,
        "standard deviation of the changes",
    ),
    (
        "sharpe_ratio",
        "Sharpe ratio",
        Form::Ratio,
        "mean over deviation of the changes, a year; no riskless rate is taken off",
    ),
    (
        "sortino_ratio",
        "Sortino ratio",
        Form::Ratio,
        "the same by the downside alone",
    ),
    (
        "calmar_ratio",
        "Calmar ratio",
        Form::Ratio,
        "return a year over the deepest fall",
    ),
    (
        "omega_ratio",
        "Omega ratio",
        Form::Ratio,
        "gains over losses of the bars",
    ),
    (
        "max_drawdown",
        "Deepest fall",
        Form::Percent,
        "of the closing equity from its peak",
    ),
    (
        "max_drawdown_bars",
        "Longest time under a peak, bars",
        Form::Count,
        "",
    ),
    (
        "var_95",
        "Value at risk, 95 %",
        Form::Percent,
        "one bar in twenty is worse",
    ),
    (
        "cvar_95",
        "Mean of the worst bars",
        Form::Percent,
        "at or under that value",
    ),
    (
        "tail_ratio",
        "Tail ratio",
        Form::Ratio,
        "95 % quantile over 5 % quantile",
    ),
    ("skew", "Skew", Form::Ratio, ""),
    ("kurtosis", "Excess kurtosis", Form::Ratio, ""),
    (
        "alpha",
        "Alpha a year",
        Form::Percent,
        "what the benchmark does not explain",
    ),
    (
        "beta",
        "Beta",
        Form::Ratio,
        "move for a move of the benchmark",
    ),
    (
        "correlation",
        "Correlation",
        Form::Ratio,
        "with the benchmark",
    ),
    ("tracking_error", "Tracking error a year", Form::Percent, ""),
    (
        "information_ratio",
        "Information ratio",
        Form::Ratio,
        "return beyond the benchmark over the tracking error",
    ),
    ("n_trades", "Trades", Form::Count, "closed"),
    (
        "win_rate",
        "Trades that gained",
        Form::Percent,
        "after commissions",
    ),
    (
        "profit_factor",
        "Profit factor",
        Form::Ratio,
        "gains over losses of the trades",
    ),
    ("average_trade", "Mean gain of a trade", Form::Money, ""),
    (
        "average_trade_return",
        "The same as a share",
        Form::Percent,
        "of the value at entry",
    ),
    ("best_trade_return", "Best trade", Form::Percent, ""),
    ("worst_trade_return", "Worst trade", Form::Percent, ""),
    (
        "average_trade_bars",
        "Mean holding time, bars",
        Form::Ratio,
        "",
    ),
    (
        "exposure",
        "Invested on average",
        Form::Percent,
        "share of the equity",
    ),
    (
        "turnover",
        "Turnover a year",
        Form::Percent,
        "value traded over the mean equity",
    ),
    ("commission_paid", "Commissions paid", Form::Money, ""),
    ("spread_paid", "Spread paid", Form::Money, ""),
    ("slippage_paid", "Slippage paid", Form::Money, ""),
    ("borrow_paid", "Borrow fees paid", Form::Money, ""),
    ("interest_earned", "Interest earned", Form::Money, ""),
];

/// A figure of the strategy beside that of the benchmark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Name for people.
    pub name: &'static str,
    /// What it is; may be empty.
    pub help: &'static str,
    /// Of the strategy.
    pub own: String,
    /// Of the benchmark, where it has one.
    pub benchmark: String,
}

fn written(x: Option<f64>, form: Form) -> String {
    match form {
        Form::Percent => format::percent(x, 2),
        Form::Ratio => format::cell(x, 2),
        Form::Count => format::cell(x, 0),
        Form::Money => format::cell(x, 2),
    }
}

/// All figures, those of the benchmark beside them.
#[must_use]
pub fn rows(v: &BacktestView) -> Vec<Row> {
    ALL.iter()
        .map(|(id, name, form, help)| {
            let own = v.metrics.get(*id).copied().flatten();
            let benchmark = match v.benchmark_metrics.get(*id) {
                Some(x) => written(*x, *form),
                None => String::new(),
            };
            Row {
                name,
                help,
                own: written(own, *form),
                benchmark,
            }
        })
        .collect()
}

/// The returns of a year.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Year {
    /// The year.
    pub year: i32,
    /// Of its months, shares.
    pub months: [Option<f64>; 12],
    /// Of all of it.
    pub whole: f64,
    /// Of the benchmark.
    pub benchmark: f64,
}

/// The returns of each year's months.
#[must_use]
pub fn years(v: &BacktestView) -> Vec<Year> {
    let mut all: Vec<Year> = Vec::new();
    for m in &v.monthly {
        if all.last().is_none_or(|y| y.year != m.year) {
            all.push(Year {
                year: m.year,
                months: [None; 12],
                whole: 0.0,
                benchmark: 0.0,
            });
        }
        if let Some(y) = all.last_mut() {
            let place = (m.month as usize).saturating_sub(1);
            if let Some(slot) = y.months.get_mut(place) {
                *slot = m.value;
            }
            let on = |whole: f64, x: Option<f64>| (1.0 + whole) * (1.0 + x.unwrap_or(0.0)) - 1.0;
            y.whole = on(y.whole, m.value);
            y.benchmark = on(y.benchmark, m.benchmark);
        }
    }
    all
}

/// The class of a month's colour on the page: five steps of two percent up and down.
#[must_use]
pub fn heat(x: Option<f64>) -> String {
    let Some(x) = x.filter(|x| *x != 0.0) else {
        return String::new();
    };
    let step = (x.abs() / 0.02).ceil().clamp(1.0, 5.0) as u8;
    format!("{}{step}", if x > 0.0 { "hp" } else { "hn" })
}

/// How strongly a month is coloured: -3 to 3, and its class.
#[must_use]
pub fn shade(x: Option<f64>) -> &'static str {
    match x {
        None => "m0",
        Some(x) if x <= -0.06 => "l3",
        Some(x) if x <= -0.02 => "l2",
        Some(x) if x < 0.0 => "l1",
        Some(x) if x >= 0.06 => "g3",
        Some(x) if x >= 0.02 => "g2",
        Some(x) if x > 0.0 => "g1",
        Some(_) => "m0",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_have_a_colour() {
        for (x, class) in [
            (None, ""),
            (Some(0.0), ""),
            (Some(0.001), "hp1"),
            (Some(-0.05), "hn3"),
            (Some(0.5), "hp5"),
        ] {
            assert_eq!(heat(x), class, "{x:?}");
        }
    }

    #[test]
    fn months_have_a_shade() {
        for (x, class) in [
            (None, "m0"),
            (Some(0.0), "m0"),
            (Some(-0.01), "l1"),
            (Some(-0.2), "l3"),
            (Some(0.02), "g2"),
            (Some(0.07), "g3"),
        ] {
            assert_eq!(shade(x), class);
        }
    }
}
