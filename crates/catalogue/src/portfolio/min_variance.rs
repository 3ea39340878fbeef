//! Minimum variance.
//!
//! What: the weights of least variance under constraints.
//! Formula: min wᵀSw with Σw = 1.
//! Data: prices of two or more assets.
//! Cost: O(T n²), and O(n k²) for k assets held; an interior point method with constraints beside bounds.
//! Fails when: the constraints conflict, or weights of any sign meet a singular covariance.
//! Source: Markowitz, J. Finance 7 (1952).
//! Not claimed: that the future covariance is the past one.

use super::allocate::Method;
use super::outputs::{outputs, proven, run};
use super::settings::{portfolio_outputs, portfolio_params};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct MinVariance;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<MinVariance>();

portfolio_params! {
    /// Parameters of the entry.
    MinVarianceParams [base returns short] {
        /// Expected return at least, annual, after trading costs.
        target_return: Option<f64> = None, within(-100.0, 100.0);
    }
}

const CARD: Card = Card {
    id: "min_variance",
    family: "portfolio",
    title: "Minimum variance",
    tasks: &[Task::Allocation],
    inputs: Inputs::Series,
    summary: "The weights of least variance; needs no expected returns. With target_return the least variance among weights that are expected to earn so much.",
    formula: "min wᵀSw with Σw = 1 and the constraints; without bounds w = S⁻¹1 / 1ᵀS⁻¹1",
    data: "Prices of two or more assets, a day a row, oldest first; one column may be the market.",
    cost: "O(T n²) for the covariance, then O(n k²) for k assets held",
    fails_when: "Constraints conflict (they are named, with what would do), or weights of any sign meet a covariance that is singular.",
    not_claimed: "That the future covariance is the past one: the least variance is chosen in sample and grows out of it.",
    source: "H. Markowitz, J. Finance 7 (1952)",
    reference: "PyPortfolioOpt 1.6.0, EfficientFrontier.min_volatility",
    outputs: portfolio_outputs![(
        "positions_proven",
        "whether no other choice of max_positions assets is better; null without the limit"
    ),],
    stochastic: false,
    evidence: &[Evidence {
        against: "PyPortfolioOpt 1.6.0; gross exposure and turnover cvxpy 1.9.3",
        cases: "closes of 5 and 10 shares, 5 factor funds: long only and of any sign, bounds, sector sums, target returns, gross exposure, turnover, numbers of positions, every covariance",
        tolerance: "1e-6 in weights, 5e-6 with cones or positions",
    }],
    presets: &[],
    exemptions: &[],
};

impl Analysis for MinVariance {
    type Params = MinVarianceParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (2, 10_000);

    fn analyse(
        params: &MinVarianceParams,
        data: &SeriesTable,
        _: Ask,
    ) -> Result<Outputs, FitError> {
        let (m, a) = run(
            params,
            data,
            &Method::MinVariance {
                target_return: params.target_return,
            },
        )?;
        let mut all = outputs(&m, &a);
        all.extend([proven(&a)]);
        Ok(all)
    }
}
