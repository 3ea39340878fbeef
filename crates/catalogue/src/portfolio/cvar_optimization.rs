//! Minimum conditional value at risk.
//!
//! What: the weights whose worst days cost least on average.
//! Formula: min a + Σ max(-rᵀw - a, 0)/((1-β)T) over w and a.
//! Data: prices of two or more assets, enough rows for a tail.
//! Cost: a linear programme of T rows, most often 15 steps of O(T n²).
//! Fails when: the tail has few rows, or the constraints conflict.
//! Source: Rockafellar, Uryasev, J. Risk 2 (2000).
//! Not claimed: that worse days than those seen do not come.

use super::allocate::{Method, shortfall};
use super::outputs::{number, outputs, proven, run};
use super::settings::{portfolio_outputs, portfolio_params};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct CvarOptimization;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<CvarOptimization>();

portfolio_params! {
    /// Parameters of the entry.
    CvarOptimizationParams [base returns short] {
        /// Confidence: the mean of the worst 1 - confidence of the rows is minimised.
        confidence: f64 = 0.95, inside(0.0, 1.0);
        /// Expected return at least, annual, after trading costs.
        target_return: Option<f64> = None, within(-100.0, 100.0);
    }
}

const CARD: Card = Card {
    id: "cvar_optimization",
    family: "portfolio",
    title: "Minimum CVaR",
    tasks: &[Task::Allocation],
    inputs: Inputs::Series,
    summary: "The weights with the least mean loss of the worst rows seen; with target_return the least among weights that are expected to earn so much.",
    formula: "min a + Σ_t max(-r_tᵀw - a, 0)/((1-β)T) over w and a, with Σw = 1: a linear programme",
    data: "Prices of two or more assets, a day a row, oldest first; one column may be the market. (1 - confidence) of the rows should be dozens.",
    cost: "about 15 steps of O(T n²)",
    fails_when: "The tail has few rows: the answer then follows single days; constraints conflict (they are named).",
    not_claimed: "That worse days than those seen do not come.",
    source: "R. T. Rockafellar, S. Uryasev, J. Risk 2 (2000)",
    reference: "skfolio 1.12.0, MeanRisk(risk_measure=CVAR)",
    outputs: portfolio_outputs![
        (
            "objective",
            "expected shortfall of a row, a loss is positive"
        ),
        ("value_at_risk", "of a row, a loss is positive"),
        (
            "positions_proven",
            "whether no other choice of max_positions assets is better; null without the limit"
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "skfolio 1.12.0, MeanRisk(CVAR); scipy 1.17, linprog by HiGHS",
        cases: "closes of 5 and 10 shares, 5 factor funds: confidences 0.9 to 0.99, a bound",
        tolerance: "1e-8 in the objective",
    }],
    presets: &[],
    exemptions: &[],
};

impl Analysis for CvarOptimization {
    type Params = CvarOptimizationParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (2, 10_000);

    fn analyse(
        params: &CvarOptimizationParams,
        data: &SeriesTable,
        _: Ask,
    ) -> Result<Outputs, FitError> {
        let method = Method::MinCvar {
            confidence: params.confidence,
            target_return: params.target_return,
        };
        let (m, a) = run(params, data, &method)?;
        let (tail, level) = shortfall(&m, &a.weights, params.confidence);
        let mut all = outputs(&m, &a);
        all.insert("objective".into(), number(tail));
        all.insert("value_at_risk".into(), number(level));
        all.extend([proven(&a)]);
        Ok(all)
    }
}
