//! Maximum Sharpe ratio.
//!
//! What: the weights with the largest expected return above the risk-free rate a unit of volatility.
//! Formula: max (μᵀw - rf - cost · turnover)/sqrt(wᵀSw), as min yᵀSy with (μ - rf)ᵀy = 1, w = y/Σy.
//! Data: prices of two or more assets.
//! Cost: O(T n²), then a quadratic programme.
//! Fails when: no weights within the constraints are expected to earn more than the risk-free rate.
//! Source: Sharpe, J. Business 39 (1966); Cornuejols, Tütüncü (2006), section 8.2.
//! Not claimed: that the largest ratio of the past is one of the future.

use super::allocate::Method;
use super::outputs::{outputs, proven, run};
use super::settings::{portfolio_outputs, portfolio_params};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct MaxSharpe;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<MaxSharpe>();

portfolio_params! {
    /// Parameters of the entry.
    MaxSharpeParams [base returns short] {
    }
}

const CARD: Card = Card {
    id: "max_sharpe",
    family: "portfolio",
    title: "Maximum Sharpe",
    tasks: &[Task::Allocation],
    inputs: Inputs::Series,
    summary: "The weights with the largest expected return above the risk-free rate a unit of volatility: the point of the efficient frontier that a line from the risk-free rate touches.",
    formula: "max (μᵀw - rf - cost · Σ|w - w0|)/sqrt(wᵀSw) with Σw = 1; solved as min yᵀSy with (μ - rf)ᵀy = 1, w = y/Σy",
    data: "Prices of two or more assets, a day a row, oldest first; one column may be the market.",
    cost: "O(T n²) for the covariance, then O(n k²) for k assets held, or an interior point method",
    fails_when: "No weights within the constraints are expected to earn more than the risk-free rate; constraints conflict (they are named).",
    not_claimed: "That the largest Sharpe ratio of the past is one of the future: it is the most over-fitted of all portfolios.",
    source: "W. F. Sharpe, J. Business 39 (1966); G. Cornuejols, R. Tütüncü, Optimization Methods in Finance (2006), section 8.2",
    reference: "PyPortfolioOpt 1.6.0, EfficientFrontier.max_sharpe",
    outputs: portfolio_outputs![(
        "positions_proven",
        "whether no other choice of max_positions assets is better; null without the limit"
    ),],
    stochastic: false,
    evidence: &[Evidence {
        against: "PyPortfolioOpt 1.6.0; sector sums and costs cvxpy 1.9.3",
        cases: "closes of 5 and 10 shares, 5 factor funds: risk-free rates, bounds, any sign, sector sums, costs, numbers of positions",
        tolerance: "5e-6 in weights, closed forms 1e-9",
    }],
    presets: &[],
    exemptions: &[],
};

impl Analysis for MaxSharpe {
    type Params = MaxSharpeParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (2, 10_000);

    fn analyse(params: &MaxSharpeParams, data: &SeriesTable, _: Ask) -> Result<Outputs, FitError> {
        let (m, a) = run(params, data, &Method::MaxSharpe)?;
        let mut all = outputs(&m, &a);
        all.extend([proven(&a)]);
        Ok(all)
    }
}
