//! Mean-variance portfolio (Markowitz).
//!
//! What: trades expected return against variance.
//! Formula: max μᵀw - λ/2 wᵀSw - cost · turnover with Σw = 1.
//! Data: prices of two or more assets.
//! Cost: O(T n²), then a quadratic or second-order cone programme.
//! Fails when: the constraints conflict, or weights of any sign have no bound.
//! Source: Markowitz, J. Finance 7 (1952).
//! Not claimed: that expected returns are known: the answer follows their errors.

use super::allocate::{Method, allocate};
use super::moments::Moments;
use super::outputs::{number, outputs, proven};
use super::settings::Settings as _;
use super::settings::{portfolio_outputs, portfolio_params};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct MeanVariance;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<MeanVariance>();

portfolio_params! {
    /// Parameters of the entry.
    MeanVarianceParams [base returns short] {
        /// Price of variance: ½ of it times the variance is taken off the expected return.
        risk_aversion: f64 = 1.0, above_up_to(0.0, 1_000_000.0);
        /// Expected return at least, annual, after trading costs: the least variance with it is sought, whatever the risk aversion.
        target_return: Option<f64> = None, within(-100.0, 100.0);
        /// Volatility at most, annual: the largest expected return with it is sought, whatever the risk aversion.
        target_volatility: Option<f64> = None, above_up_to(0.0, 100.0);
        /// Sum of the weights: 1 is fully invested, 0 is market neutral.
        net_exposure: f64 = 1.0, within(-100.0, 100.0);
    }
}

const CARD: Card = Card {
    id: "mean_variance",
    family: "portfolio",
    title: "Mean-variance (Markowitz)",
    tasks: &[Task::Allocation],
    inputs: Inputs::Series,
    summary: "Trades expected return against variance: the largest utility, or the least variance for a target return, or the largest expected return for a target volatility.",
    formula: "max μᵀw - λ/2 wᵀSw - cost · Σ|w - w0| with Σw = net_exposure; with target_return min wᵀSw, with target_volatility max μᵀw",
    data: "Prices of two or more assets, a day a row, oldest first; one column may be the market.",
    cost: "O(T n²) for the covariance, then O(n k²) for k assets held, or an interior point method",
    fails_when: "Constraints conflict (they are named, with what would do), or expected returns are badly estimated, which they are: errors in them move weights more than anything else.",
    not_claimed: "That historical means forecast.",
    source: "H. Markowitz, J. Finance 7 (1952)",
    reference: "PyPortfolioOpt 1.6.0, EfficientFrontier.max_quadratic_utility, efficient_return, efficient_risk",
    outputs: portfolio_outputs![
        (
            "utility",
            "expected return - risk_aversion/2 · variance - trading cost"
        ),
        (
            "positions_proven",
            "whether no other choice of max_positions assets is better; null without the limit"
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "PyPortfolioOpt 1.6.0; costs and market neutral cvxpy 1.9.3",
        cases: "closes of 5 and 10 shares, 5 factor funds: risk aversions, target returns and volatilities, bounds, sector sums, costs, every expected return",
        tolerance: "1e-6 to 5e-6 in weights",
    }],
    presets: &[],
    exemptions: &[],
};

impl Analysis for MeanVariance {
    type Params = MeanVarianceParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (2, 10_000);

    fn analyse(
        params: &MeanVarianceParams,
        data: &SeriesTable,
        _: Ask,
    ) -> Result<Outputs, FitError> {
        let method = Method::MeanVariance {
            risk_aversion: params.risk_aversion,
            target_return: params.target_return,
            target_volatility: params.target_volatility,
        };
        let m = Moments::new(data, &params.covariance_spec(), &params.returns_spec())?;
        let mut limits = params.limits();
        limits.net_exposure = Some(params.net_exposure);
        let a = allocate(&m, &limits, &method)?;
        let mut all = outputs(&m, &a);
        let cost = a.trading_cost.unwrap_or(0.0);
        let risk = 0.5 * params.risk_aversion * a.volatility * a.volatility;
        all.insert("utility".into(), number(a.expected_return - risk - cost));
        all.extend([proven(&a)]);
        Ok(all)
    }
}
