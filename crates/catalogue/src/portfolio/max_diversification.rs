//! Maximum diversification.
//!
//! What: the weights with the largest mean volatility of the assets a unit of volatility.
//! Formula: max wᵀσ / sqrt(wᵀSw).
//! Data: prices of two or more assets.
//! Cost: O(T n²), then a quadratic programme.
//! Fails when: an asset does not move.
//! Source: Choueifaty, Coignard, J. Portfolio Management 35 (2008).
//! Not claimed: the least variance.

use super::allocate::Method;
use super::outputs::{outputs, proven, run};
use super::settings::{portfolio_outputs, portfolio_params};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct MaxDiversification;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<MaxDiversification>();

portfolio_params! {
    /// Parameters of the entry.
    MaxDiversificationParams [base returns short] {
    }
}

const CARD: Card = Card {
    id: "max_diversification",
    family: "portfolio",
    title: "Maximum diversification",
    tasks: &[Task::Allocation],
    inputs: Inputs::Series,
    summary: "The weights with the largest ratio of the mean volatility of the assets to the volatility of the whole; needs no expected returns.",
    formula: "max wᵀσ / sqrt(wᵀSw) with Σw = 1; solved as min yᵀSy with σᵀy = 1, w = y/Σy",
    data: "Prices of two or more assets, a day a row, oldest first; one column may be the market.",
    cost: "O(T n²) for the covariance, then O(n k²) for k assets held, or an interior point method",
    fails_when: "An asset does not move; constraints conflict (they are named).",
    not_claimed: "The least variance, or any return.",
    source: "Y. Choueifaty, Y. Coignard, J. Portfolio Management 35 (2008)",
    reference: "skfolio 1.12.0, MaximumDiversification",
    outputs: portfolio_outputs![(
        "positions_proven",
        "whether no other choice of max_positions assets is better; null without the limit"
    ),],
    stochastic: false,
    evidence: &[Evidence {
        against: "skfolio 1.12.0, MaximumDiversification; sector sums cvxpy 1.9.3",
        cases: "closes of 5 and 10 shares, 5 factor funds: long only, any sign, sector sums",
        tolerance: "5e-6 in weights, closed form 1e-9",
    }],
    presets: &[],
    exemptions: &[],
};

impl Analysis for MaxDiversification {
    type Params = MaxDiversificationParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (2, 10_000);

    fn analyse(
        params: &MaxDiversificationParams,
        data: &SeriesTable,
        _: Ask,
    ) -> Result<Outputs, FitError> {
        let (m, a) = run(params, data, &Method::MaxDiversification)?;
        let mut all = outputs(&m, &a);
        all.extend([proven(&a)]);
        Ok(all)
    }
}
