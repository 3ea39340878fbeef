//! Value at risk.
//!
//! What: the return that is undercut in a share of 1 - confidence of the time, by several methods, with tests of
//! how past forecasts of it came out.
//! Formula: the (1 - confidence) quantile of returns over the horizon.
//! Data: one series of returns or prices.
//! Cost: O(n log n), and O(n window log window) for the check.
//! Fails when: the past held no crisis, or volatility has changed since.
//! Source: Kupiec (1995); Christoffersen (1998).
//! Not claimed: how large a loss beyond it may be.

use super::tail::{TailParams, estimate};
use crate::test::engine::number;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::{effective_seed, numbers};
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable,
};
use mltrainer_types::catalogue::Task;
use serde_json::Value;

/// The handle.
pub struct ValueAtRisk;

/// The registration. The suite runs it where the seed matters.
pub const ENTRY: Entry = Entry::analysis::<ValueAtRisk>().tested_with(&[
    ("method", "monte_carlo"),
    ("distribution", "student_t"),
    ("n_simulations", "500"),
]);

const CARD: Card = Card {
    id: "value_at_risk",
    family: "risk",
    title: "Value at risk",
    tasks: &[Task::Test],
    inputs: Inputs::Series,
    summary: "The return over a horizon that is undercut with a probability of 1 - confidence: from past returns, a normal or Student's t distribution, the Cornish-Fisher expansion, or simulation; and whether past forecasts of it were exceeded as often as they should.",
    formula: "historical: the percentile of the returns (linear); parametric: mean + z sd (ddof 1); student_t: location + scale t_df, by maximum likelihood; cornish_fisher: z + (z²-1) S/6 + (z³-3z) K/24 - (2z³-5z) S²/36; monte_carlo: the percentile of simulated returns. Horizon h: means times h, deviations times √h, or compounded overlapping returns. decay: rows weigh decay^age. Check: each row beside the value from the window rows before it",
    data: "One series of simple returns, or of prices.",
    cost: "O(n log n); the check O(n window log window); monte_carlo O(n_simulations horizon)",
    fails_when: "The past held no crisis, volatility has changed since, or few rows are beyond the quantile: at 99 % one in a hundred.",
    not_claimed: "How large a loss beyond it may be, which expected shortfall says; that risks of parts add up.",
    source: "P. H. Kupiec, J. Derivatives 3 (1995); P. F. Christoffersen, International Economic Review 39 (1998); P. Jorion, Value at Risk (2007); J. Boudoukh, M. Richardson, R. Whitelaw, Risk 11 (1998)",
    reference: "empyrical-reloaded 0.7, value_at_risk; scipy 1.17, norm and t",
    outputs: &[
        ("value_at_risk", "a return: a loss is negative"),
        (
            "conditional_value_at_risk",
            "mean return beyond it, by the same method",
        ),
        ("mean", "of the returns"),
        ("standard_deviation", "of the returns, ddof 1"),
        ("skew", "biased; null when the returns do not vary"),
        ("kurtosis", "biased, excess"),
        ("degrees_of_freedom", "student_t: estimated; else null"),
        ("n_obs", "returns the value is from"),
        (
            "backtest_days",
            "rows checked; 0 when the series is not longer than the window",
        ),
        ("exceedances", "rows below their value at risk"),
        (
            "expected_exceedances",
            "(1 - confidence) times the rows checked",
        ),
        (
            "kupiec_statistic",
            "likelihood ratio that exceedances are as frequent as they should",
        ),
        ("kupiec_p_value", "chi-squared, 1 degree of freedom"),
        (
            "christoffersen_statistic",
            "likelihood ratio that exceedances are independent from row to row",
        ),
        ("christoffersen_p_value", "chi-squared, 1 degree of freedom"),
        ("conditional_coverage_statistic", "the sum of both"),
        (
            "conditional_coverage_p_value",
            "chi-squared, 2 degrees of freedom",
        ),
        ("traffic_light", "Basel zone: green, yellow or red"),
        (
            "rolling_value_at_risk",
            "one a row, known before it; null for the first rows",
        ),
    ],
    stochastic: true,
    evidence: &[Evidence {
        against: "empyrical-reloaded 0.7, value_at_risk; scipy 1.17, norm and t; Kupiec (1995), Basel Committee (1996)",
        cases: "AAPL returns at 95 % and 99 %, historical and parametric; fits of Student's t; regions and zones of the papers",
        tolerance: "1e-8 relative; Student's t 1e-5",
    }],
    presets: &[],
    exemptions: &[],
};

impl Analysis for ValueAtRisk {
    type Params = TailParams;
    const CARD: &'static Card = &CARD;

    fn analyse(p: &TailParams, data: &SeriesTable, ask: Ask) -> Result<Outputs, FitError> {
        let found = estimate(p, data, effective_seed(p.seed, ask.seed))?;
        let missing = f64::NAN;
        let check = found.check.as_ref();
        let (kupiec, independence, coverage) = (
            check.map(|c| c.kupiec()),
            check.map(|c| c.independence()),
            check.map(|c| c.coverage()),
        );
        let pair = |r: &Option<super::tail::Ratio>| {
            r.as_ref()
                .map_or((missing, missing), |r| (r.statistic, r.p_value))
        };
        let (kupiec, independence, coverage) =
            (pair(&kupiec), pair(&independence), pair(&coverage));
        let named = [
            ("value_at_risk", found.tail.var),
            ("conditional_value_at_risk", found.tail.es),
            ("mean", found.mean),
            ("standard_deviation", found.sd),
            ("skew", found.skew),
            ("kurtosis", found.kurtosis),
            (
                "degrees_of_freedom",
                found.student.map_or(missing, |s| s.df),
            ),
            (
                "expected_exceedances",
                check.map_or(missing, |c| c.expected()),
            ),
            ("kupiec_statistic", kupiec.0),
            ("kupiec_p_value", kupiec.1),
            ("christoffersen_statistic", independence.0),
            ("christoffersen_p_value", independence.1),
            ("conditional_coverage_statistic", coverage.0),
            ("conditional_coverage_p_value", coverage.1),
        ];
        let mut outputs: Outputs = named
            .map(|(name, v)| (name.to_owned(), number(v)))
            .into_iter()
            .collect();
        let whole = |v: f64| Value::from(v as u64);
        outputs.insert("n_obs".into(), Value::from(found.n));
        outputs.insert(
            "backtest_days".into(),
            whole(check.map_or(0.0, |c| c.days())),
        );
        outputs.insert(
            "exceedances".into(),
            check.map_or(Value::Null, |c| whole(c.exceedances())),
        );
        outputs.insert("traffic_light".into(), check.map(|c| c.zone()).into());
        outputs.insert(
            "rolling_value_at_risk".into(),
            numbers(&found.by_row(|t| t.var)),
        );
        Ok(outputs)
    }
}
