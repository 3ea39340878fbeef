//! Performance metrics.
//!
//! What: return, risk and their ratios of a series of returns or of an equity curve, alone and against a
//! benchmark.
//! Formula: each measure's own, see the outputs.
//! Data: one series; a second one is the benchmark.
//! Cost: O(n log n).
//! Fails when: there are few rows: a Sharpe ratio of a year of days has a standard error of about 1.
//! Source: Sharpe (1994); Sortino, Price (1994); Young (1991); Keating, Shadwick (2002).
//! Not claimed: that it goes on so.

use super::engine::{Input, at_least, changes};
use super::metrics::{Performance, benchmarked, drawdown, performance};
use crate::test::engine::number;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, choices, params,
};
use mltrainer_types::catalogue::Task;
use serde_json::Value;

/// The handle.
pub struct PerformanceMetrics;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<PerformanceMetrics>();

choices! {
    /// What a series holds.
    pub enum Holds {
        /// Equity where every value is above 0, else returns.
        Auto = "auto",
        /// Simple returns.
        Returns = "returns",
        /// The value of a portfolio, or prices.
        Equity = "equity",
    }
}

params! {
    /// Parameters of performance metrics.
    pub struct PerformanceMetricsParams {
        /// What the series hold: returns, equity (a value, or prices), or auto: equity where every value is above 0.
        input: Holds = Holds::Auto;
        /// Returns are multiplied by this: 0.01 for percent.
        scale: f64 = 1.0, above(0.0);
        /// Rows a year.
        periods_per_year: f64 = 252.0, above(0.0);
        /// Risk-free rate a year, a fraction; a row's share is taken off for the ratios to total risk and beta.
        risk_free_rate: f64 = 0.0;
        /// Return a row that counts as none for the Sortino and omega ratios.
        required_return: f64 = 0.0;
    }
}

const CARD: Card = Card {
    id: "performance_metrics",
    family: "risk",
    title: "Performance metrics",
    tasks: &[Task::Test],
    inputs: Inputs::Series,
    summary: "Some forty measures of a series of returns or an equity curve: return, volatility, ratios, drawdowns, tails, wins and losses; and against a second series as the benchmark.",
    formula: "annual_return = total^(p/n) - 1; sharpe = mean/sd √p (ddof 1); sortino = p mean/downside_risk, downside_risk = √(p mean(min(r,0)²)) over all rows; calmar = annual_return/|max_drawdown|, the start counts as a peak; omega = gains/losses; stability = r² of cumulated log returns on time; p rows a year",
    data: "One series of simple returns, or a value; a second one is the benchmark.",
    cost: "O(n log n)",
    fails_when: "There are few rows: a Sharpe ratio of a year of days has a standard error of about 1.",
    not_claimed: "That it goes on so, or that it was skill: the best of many tried looks good.",
    source: "W. F. Sharpe, J. Portfolio Management 21 (1994); F. Sortino, L. Price, J. Investing 3 (1994); T. W. Young, Futures 20 (1991); C. Keating, W. Shadwick (2002); D. Bailey, M. López de Prado, J. Risk 15 (2012)",
    reference: "empyrical-reloaded 0.7",
    outputs: &[
        ("total_return", "product of the gross returns less 1"),
        ("annual_return", "compound, a year"),
        ("annual_volatility", "standard deviation a year, ddof 1"),
        (
            "sharpe_ratio",
            "mean excess return over its deviation, a year; null for returns that do not vary",
        ),
        (
            "sharpe_standard_error",
            "of the Sharpe ratio, for skewed and fat tails",
        ),
        (
            "probabilistic_sharpe_ratio",
            "probability that the true Sharpe ratio is above 0",
        ),
        (
            "sortino_ratio",
            "mean above the required return over the downside risk; null without a shortfall",
        ),
        ("downside_risk", "root of the mean square shortfall, a year"),
        (
            "calmar_ratio",
            "annual return over the largest drawdown; null without one",
        ),
        (
            "omega_ratio",
            "gains above the required return over losses below it",
        ),
        ("max_drawdown", "largest fall from a peak, negative"),
        (
            "max_drawdown_peak",
            "returns before the peak of that fall; 0 is the start",
        ),
        ("max_drawdown_trough", "returns before its lowest point"),
        (
            "max_drawdown_recovery",
            "returns before the peak is reached again; null when it is not",
        ),
        (
            "max_drawdown_length",
            "returns from that peak to recovery, or to the end",
        ),
        ("longest_drawdown", "most returns in a row below a peak"),
        ("average_drawdown", "mean fall from the last peak"),
        ("current_drawdown", "fall from the last peak at the end"),
        ("ulcer_index", "root of the mean square of the falls"),
        ("var_95", "5 % quantile of the returns"),
        (
            "cvar_95",
            "mean of the lowest floor((n-1) 0.05) + 1 returns",
        ),
        ("skew", "biased"),
        ("kurtosis", "biased, excess"),
        ("tail_ratio", "|95 % quantile| over |5 % quantile|"),
        ("stability", "r² of the cumulated log returns on time"),
        ("win_rate", "share of the returns that are not 0 above 0"),
        ("profit_factor", "sum of gains over sum of losses"),
        ("payoff_ratio", "mean gain over mean loss"),
        ("average_return", "mean return"),
        ("average_win", "mean of the returns above 0"),
        ("average_loss", "mean of the returns below 0"),
        ("best", "largest return"),
        ("worst", "smallest return"),
        ("exposure", "share of the returns that are not 0"),
        ("kelly_fraction", "mean excess return over its variance"),
        ("n_periods", "number of returns"),
        (
            "beta",
            "with a benchmark, else null: covariance over its variance",
        ),
        (
            "alpha",
            "mean excess return less beta times that of the benchmark, a year",
        ),
        ("correlation", "with the benchmark"),
        ("r_squared", "its square"),
        (
            "tracking_error",
            "deviation of the difference to the benchmark, a year",
        ),
        (
            "information_ratio",
            "mean difference a year over the tracking error",
        ),
        ("treynor_ratio", "mean excess return a year over beta"),
        (
            "up_capture",
            "annual return in the benchmark's rising rows over its own",
        ),
        (
            "down_capture",
            "annual return in its falling rows over its own",
        ),
        ("up_beta", "beta over its rising rows"),
        ("down_beta", "beta over its falling rows"),
        ("batting_average", "share of rows above the benchmark"),
        ("excess_return", "annual return less that of the benchmark"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "empyrical-reloaded 0.7; calculation by hand",
        cases: "AAPL daily returns, S&P 500 equity, monthly value factor in percent; drawdowns, wins and benchmark figures by hand",
        tolerance: "1e-8 relative",
    }],
    presets: &[],
    exemptions: &[],
};

impl Analysis for PerformanceMetrics {
    type Params = PerformanceMetricsParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (1, 2);

    fn analyse(
        p: &PerformanceMetricsParams,
        data: &SeriesTable,
        _: Ask,
    ) -> Result<Outputs, FitError> {
        let input = match p.input {
            Holds::Auto => Input::Auto,
            Holds::Returns => Input::Returns,
            Holds::Equity => Input::Prices,
        };
        let series = |at: usize| -> Result<Vec<f64>, FitError> {
            let name = data.names().get(at).map_or("series", String::as_str);
            let r = changes(&data.series(at), input, p.scale, name)?;
            at_least(&r, 1, name)?;
            match r.iter().position(|v| *v < -1.0) {
                Some(row) => Err(FitError::Data(format!(
                    "column \"{name}\": return {} is {}, a loss of more than everything; for returns in percent set scale=0.01",
                    row + 1,
                    r[row]
                ))),
                None => Ok(r),
            }
        };
        let r = series(0)?;
        let risk_free = p.risk_free_rate / p.periods_per_year;
        let found = performance(&r, p.periods_per_year, risk_free, p.required_return);
        let mut outputs = alone(&found, &r);
        let benchmark = if data.names().len() > 1 {
            let b = series(1)?;
            if b.len() != r.len() {
                return Err(FitError::Data(format!(
                    "the series has {} returns and the benchmark {}: with input=auto one is taken for equity and the other for returns; state what both are",
                    r.len(),
                    b.len()
                )));
            }
            Some(benchmarked(&r, &b, p.periods_per_year, risk_free))
        } else {
            None
        };
        let b =
            |of: fn(&super::metrics::Benchmarked) -> f64| benchmark.as_ref().map_or(f64::NAN, of);
        let against = [
            ("beta", b(|m| m.beta)),
            ("alpha", b(|m| m.alpha)),
            ("correlation", b(|m| m.correlation)),
            ("r_squared", b(|m| m.r_squared)),
            ("tracking_error", b(|m| m.tracking_error)),
            ("information_ratio", b(|m| m.information_ratio)),
            ("treynor_ratio", b(|m| m.treynor_ratio)),
            ("up_capture", b(|m| m.up_capture)),
            ("down_capture", b(|m| m.down_capture)),
            ("up_beta", b(|m| m.up_beta)),
            ("down_beta", b(|m| m.down_beta)),
            ("batting_average", b(|m| m.batting_average)),
            ("excess_return", b(|m| m.excess_return)),
        ];
        outputs.extend(against.map(|(name, v)| (name.to_owned(), number(v))));
        Ok(outputs)
    }
}

/// The measures that need no benchmark.
fn alone(m: &Performance, r: &[f64]) -> Outputs {
    let fall = drawdown(r);
    let named = [
        ("total_return", m.total_return),
        ("annual_return", m.annual_return),
        ("annual_volatility", m.annual_volatility),
        ("sharpe_ratio", m.sharpe_ratio),
        ("sharpe_standard_error", m.sharpe_standard_error),
        ("probabilistic_sharpe_ratio", m.probabilistic_sharpe_ratio),
        ("sortino_ratio", m.sortino_ratio),
        ("downside_risk", m.downside_risk),
        ("calmar_ratio", m.calmar_ratio),
        ("omega_ratio", m.omega_ratio),
        ("max_drawdown", fall.max),
        ("average_drawdown", fall.average),
        ("current_drawdown", fall.current),
        ("ulcer_index", fall.ulcer_index),
        ("var_95", m.var_95),
        ("cvar_95", m.cvar_95),
        ("skew", m.skew),
        ("kurtosis", m.kurtosis),
        ("tail_ratio", m.tail_ratio),
        ("stability", m.stability),
        ("win_rate", m.win_rate),
        ("profit_factor", m.profit_factor),
        ("payoff_ratio", m.payoff_ratio),
        ("average_return", m.average_return),
        ("average_win", m.average_win),
        ("average_loss", m.average_loss),
        ("best", m.best),
        ("worst", m.worst),
        ("exposure", m.exposure),
        ("kelly_fraction", m.kelly_fraction),
    ];
    let mut outputs: Outputs = named
        .map(|(name, v)| (name.to_owned(), number(v)))
        .into_iter()
        .collect();
    let length = fall.recovery.unwrap_or(r.len()) - fall.peak;
    for (name, v) in [
        ("max_drawdown_peak", Value::from(fall.peak)),
        ("max_drawdown_trough", Value::from(fall.trough)),
        ("max_drawdown_recovery", Value::from(fall.recovery)),
        (
            "max_drawdown_length",
            Value::from(if fall.max < 0.0 { length } else { 0 }),
        ),
        ("longest_drawdown", Value::from(fall.longest)),
        ("n_periods", Value::from(m.n)),
    ] {
        outputs.insert(name.into(), v);
    }
    outputs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::design;
    use mltrainer_catalogue_core::Params as _;
    use serde_json::json;

    fn run(given: Value, rows: &[&[f64]]) -> Result<Outputs, FitError> {
        let params = PerformanceMetricsParams::from_map(given.as_object().unwrap()).unwrap();
        let data = SeriesTable::new(design(rows), None).unwrap();
        PerformanceMetrics::analyse(
            &params,
            &data,
            Ask {
                horizon: 1,
                seed: 0,
            },
        )
    }

    #[test]
    fn returns_and_equity_give_the_same() {
        let equity = run(json!({}), &[&[100.0], &[110.0], &[99.0], &[108.9]]).unwrap();
        let returns = run(json!({"scale": 0.01}), &[&[10.0], &[-10.0], &[10.0]]).unwrap();
        assert_eq!(equity.len(), returns.len());
        for (name, want) in [
            ("total_return", 0.089),
            ("max_drawdown", -0.1),
            ("win_rate", 2.0 / 3.0),
        ] {
            for found in [&equity, &returns] {
                assert!(
                    (found[name].as_f64().unwrap() - want).abs() < 1e-12,
                    "{name}"
                );
            }
        }
        assert_eq!(equity["max_drawdown_length"], 2);
        assert!(equity["beta"].is_null());
    }

    #[test]
    fn percent_that_look_like_a_total_loss_are_refused_with_the_way_out() {
        let refused = run(json!({"input": "returns"}), &[&[1.0], &[-2.5]]).unwrap_err();
        assert!(refused.to_string().contains("set scale=0.01"));
        let mixed = run(json!({}), &[&[100.0, 0.1], &[101.0, -0.1]]).unwrap_err();
        assert!(mixed.to_string().contains("state what both are"));
    }
}
