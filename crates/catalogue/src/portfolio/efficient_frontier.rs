//! Efficient frontier.
//!
//! What: the least volatility for each expected return.
//! Formula: min wᵀSw with μᵀw ≥ r, r from the least variance to the largest return.
//! Data: prices of two or more assets.
//! Cost: a quadratic programme a point.
//! Fails when: the constraints conflict, or weights of any sign meet a singular covariance.
//! Source: Markowitz, J. Finance 7 (1952).
//! Not claimed: that the frontier of the past is that of the future.

use super::frontier::frontier;
use super::moments::Moments;
use super::outputs::{outputs, point, proven};
use super::settings::Settings as _;
use super::settings::{portfolio_outputs, portfolio_params};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct EfficientFrontier;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<EfficientFrontier>();

portfolio_params! {
    /// Parameters of the entry.
    EfficientFrontierParams [base returns short] {
        /// Points, equally spaced in expected return from the least variance to the largest return.
        n_points: usize = 20, within(2.0, 1_000.0);
    }
}

const CARD: Card = Card {
    id: "efficient_frontier",
    family: "portfolio",
    title: "Efficient frontier",
    tasks: &[Task::Allocation],
    inputs: Inputs::Series,
    summary: "The least volatility for each expected return, from the least variance to the largest return, with the points of least variance and of the largest Sharpe ratio. Weights are those of the largest Sharpe ratio (of the least variance where none earns more than the risk-free rate).",
    formula: "min wᵀSw with μᵀw - cost · Σ|w - w0| ≥ r and the constraints, for r equally spaced; where the largest return has no bound, up to that of the best asset or of the largest Sharpe ratio",
    data: "Prices of two or more assets, a day a row, oldest first; one column may be the market.",
    cost: "a quadratic programme a point",
    fails_when: "Constraints conflict (they are named, with what would do), or weights of any sign meet a covariance that is singular.",
    not_claimed: "That the frontier of the past is that of the future: its upper end is mostly error.",
    source: "H. Markowitz, J. Finance 7 (1952)",
    reference: "PyPortfolioOpt 1.6.0, EfficientFrontier.efficient_return",
    outputs: portfolio_outputs![
        (
            "points",
            "expected_return, volatility, sharpe_ratio and weights of each, by rising expected return"
        ),
        (
            "max_sharpe",
            "the point with the largest Sharpe ratio; null when none earns more than the risk-free rate"
        ),
        ("min_variance", "the point of least variance"),
        (
            "positions_proven",
            "whether no other choice of max_positions assets is better; null without the limit"
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "PyPortfolioOpt 1.6.0, EfficientFrontier.efficient_return, max_sharpe, min_volatility",
        cases: "closes of 5 shares: five points, least variance, largest Sharpe ratio",
        tolerance: "5e-6",
    }],
    presets: &[],
    exemptions: &[],
};

impl Analysis for EfficientFrontier {
    type Params = EfficientFrontierParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (2, 10_000);

    fn analyse(
        params: &EfficientFrontierParams,
        data: &SeriesTable,
        _: Ask,
    ) -> Result<Outputs, FitError> {
        let m = Moments::new(data, &params.covariance_spec(), &params.returns_spec())?;
        let found = frontier(&m, &params.limits(), params.n_points)?;
        // The portfolio that is named is the one that a researcher would take from the curve.
        let chosen = found.max_sharpe.as_ref().unwrap_or(&found.min_variance);
        let mut all = outputs(&m, chosen);
        all.insert("points".into(), found.points.iter().map(point).collect());
        let tangency = found.max_sharpe.as_ref().map(point);
        all.insert("max_sharpe".into(), tangency.unwrap_or_default());
        all.insert("min_variance".into(), point(&found.min_variance));
        all.extend([proven(chosen)]);
        Ok(all)
    }
}
