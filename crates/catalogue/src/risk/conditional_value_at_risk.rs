//! Expected shortfall.
//!
//! What: the mean return in the worst share of 1 - confidence, by several methods, with a test of how past
//! forecasts of it came out.
//! Formula: E[r | r ≤ value at risk].
//! Data: one series of returns or prices.
//! Cost: O(n log n), and O(n window log window) for the check.
//! Fails when: few rows are in the tail, or the past held no crisis.
//! Source: Acerbi, Tasche (2002); Acerbi, Székely (2014).
//! Not claimed: the worst that can happen.

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
pub struct ConditionalValueAtRisk;

/// The registration. The suite runs it where the seed matters.
pub const ENTRY: Entry = Entry::analysis::<ConditionalValueAtRisk>().tested_with(&[
    ("method", "monte_carlo"),
    ("distribution", "student_t"),
    ("n_simulations", "500"),
]);

const CARD: Card = Card {
    id: "conditional_value_at_risk",
    family: "risk",
    title: "Expected shortfall",
    tasks: &[Task::Test],
    inputs: Inputs::Series,
    summary: "The mean return over a horizon in its worst share of 1 - confidence: from past returns, a normal or Student's t distribution, the Cornish-Fisher expansion, or simulation; and whether losses beyond past values at risk were as large as it said.",
    formula: "historical: the mean of the lowest floor((n-1)(1-confidence)) + 1 returns; parametric: mean - sd φ(z)/(1-confidence), ddof 1; student_t: location - scale f(t)/(1-confidence) (df + t²)/(df - 1); cornish_fisher: the mean of the expansion below z; monte_carlo: as historical, of simulated returns. Horizon and decay as value_at_risk. Check: Z = 1 - Σ_{exceeded} r/ES / ((1-confidence) n)",
    data: "One series of simple returns, or of prices.",
    cost: "O(n log n); the check O(n window log window); monte_carlo O(n_simulations horizon)",
    fails_when: "Few rows are in the tail: at 99 % of 250 rows there are three.",
    not_claimed: "The worst that can happen.",
    source: "C. Acerbi, D. Tasche, J. Banking & Finance 26 (2002); C. Acerbi, B. Székely, Risk (2014); A. McNeil, R. Frey, P. Embrechts, Quantitative Risk Management (2015)",
    reference: "empyrical-reloaded 0.7, conditional_value_at_risk; scipy 1.17, norm and t",
    outputs: &[
        ("conditional_value_at_risk", "a return: a loss is negative"),
        (
            "value_at_risk",
            "the quantile it is the mean beyond, by the same method",
        ),
        ("tail_count", "historical: returns in the mean; else null"),
        ("mean", "of the returns"),
        ("standard_deviation", "of the returns, ddof 1"),
        ("degrees_of_freedom", "student_t: estimated; else null"),
        ("n_obs", "returns the value is from"),
        (
            "backtest_days",
            "rows checked; 0 when the series is not longer than the window",
        ),
        ("exceedances", "rows below their value at risk"),
        (
            "acerbi_szekely_statistic",
            "0 on average when right, below 0 when losses were more or larger; at 97.5 % under -0.7 in 5 % of cases",
        ),
        (
            "severity",
            "mean return of the rows below their value at risk over the shortfall stated for them; null without one",
        ),
        (
            "rolling_conditional_value_at_risk",
            "one a row, known before it; null for the first rows",
        ),
    ],
    stochastic: true,
    evidence: &[Evidence {
        against: "empyrical-reloaded 0.7, conditional_value_at_risk; scipy 1.17, integrals of quantile functions",
        cases: "AAPL returns at 95 % and 99 %, historical and parametric; tails of t and of the expansion",
        tolerance: "1e-8 relative",
    }],
    presets: &[],
    exemptions: &[],
};

impl Analysis for ConditionalValueAtRisk {
    type Params = TailParams;
    const CARD: &'static Card = &CARD;

    fn analyse(p: &TailParams, data: &SeriesTable, ask: Ask) -> Result<Outputs, FitError> {
        let found = estimate(p, data, effective_seed(p.seed, ask.seed))?;
        let missing = f64::NAN;
        let check = found.check.as_ref();
        let named = [
            ("conditional_value_at_risk", found.tail.es),
            ("value_at_risk", found.tail.var),
            ("mean", found.mean),
            ("standard_deviation", found.sd),
            (
                "degrees_of_freedom",
                found.student.map_or(missing, |s| s.df),
            ),
            (
                "acerbi_szekely_statistic",
                check.map_or(missing, |c| c.acerbi_szekely()),
            ),
            ("severity", check.map_or(missing, |c| c.severity())),
        ];
        let mut outputs: Outputs = named
            .map(|(name, v)| (name.to_owned(), number(v)))
            .into_iter()
            .collect();
        let whole = |v: f64| Value::from(v as u64);
        outputs.insert("tail_count".into(), Value::from(found.counted));
        outputs.insert("n_obs".into(), Value::from(found.n));
        outputs.insert(
            "backtest_days".into(),
            whole(check.map_or(0.0, |c| c.days())),
        );
        outputs.insert(
            "exceedances".into(),
            check.map_or(Value::Null, |c| whole(c.exceedances())),
        );
        outputs.insert(
            "rolling_conditional_value_at_risk".into(),
            numbers(&found.by_row(|t| t.es)),
        );
        Ok(outputs)
    }
}
