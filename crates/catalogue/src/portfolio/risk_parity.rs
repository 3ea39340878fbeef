//! Risk parity.
//!
//! What: weights of which each adds the same to the variance, or a given share of it.
//! Formula: w_i (Sw)_i / wᵀSw = b_i, by min ½yᵀSy - Σ b ln y, w = y/Σy.
//! Data: prices of two or more assets.
//! Cost: O(T n²), then O(n³) a Newton step, about 8 of them.
//! Fails when: an asset does not move.
//! Source: Maillard, Roncalli, Teiletche, J. Portfolio Management 36 (2010); Spinu (2013), SSRN 2297383.
//! Not claimed: equal risks out of sample.

use super::allocate::Method;
use super::outputs::{outputs, proven, run};
use super::settings::{portfolio_outputs, portfolio_params};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct RiskParity;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<RiskParity>();

portfolio_params! {
    /// Parameters of the entry.
    RiskParityParams [base returns long] {
        /// Shares of the variance, one number for all or NAME:share pairs, scaled to sum 1; an asset that is not named has none.
        budgets: Option<super::settings::Amounts> = None, within(0.0, 1_000_000.0);
    }
}

const CARD: Card = Card {
    id: "risk_parity",
    family: "portfolio",
    title: "Risk parity",
    tasks: &[Task::Allocation],
    inputs: Inputs::Series,
    summary: "Every asset adds the same to the variance, or the share its budget says. With constraints that this breaks: the least variance for one sum of budget-weighted logarithms of weights, as skfolio does.",
    formula: "w_i (Sw)_i / wᵀSw = b_i; min ½yᵀSy - Σ b_i ln y_i, w = y/Σy; constrained: min yᵀSy with Σ b_i ln y_i ≥ 0. max_positions keeps the largest weights and solves again.",
    data: "Prices of two or more assets, a day a row, oldest first; one column may be the market.",
    cost: "O(T n²) for the covariance, O(n³) a Newton step, about 8 of them",
    fails_when: "An asset does not move; constraints conflict (they are named).",
    not_claimed: "Equal risks out of sample; weights are never below 0.",
    source: "S. Maillard, T. Roncalli, J. Teiletche, J. Portfolio Management 36 (2010); F. Spinu, SSRN 2297383 (2013)",
    reference: "skfolio 1.12.0, RiskBudgeting",
    outputs: portfolio_outputs![(
        "positions_proven",
        "whether no other choice of max_positions assets is better; null without the limit"
    ),],
    stochastic: false,
    evidence: &[Evidence {
        against: "skfolio 1.12.0, RiskBudgeting",
        cases: "closes of 5 and 10 shares, 5 factor funds: equal and other budgets, bounds",
        tolerance: "1e-5 to 2e-5 in weights, 1e-4 with bounds",
    }],
    presets: &[],
    exemptions: &[],
};

impl Analysis for RiskParity {
    type Params = RiskParityParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (2, 10_000);

    fn analyse(params: &RiskParityParams, data: &SeriesTable, _: Ask) -> Result<Outputs, FitError> {
        let (m, a) = run(
            params,
            data,
            &Method::RiskParity {
                budgets: params.budgets.clone(),
            },
        )?;
        let mut all = outputs(&m, &a);
        all.extend([proven(&a)]);
        Ok(all)
    }
}
