//! Kelly sizing.
//!
//! What: the weights under which wealth is expected to grow fastest, or a fraction of them.
//! Formula: w = fraction · S⁻¹(μ - rf).
//! Data: prices of two or more assets.
//! Cost: O(T n²), and O(n³) for the weights.
//! Fails when: the covariance is singular, or expected returns are wrong: twice the right weights grow no faster than cash.
//! Source: Kelly, Bell System Technical Journal 35 (1956); Merton (1969).
//! Not claimed: that the growth comes: it is the most aggressive of rules.

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
pub struct Kelly;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<Kelly>();

portfolio_params! {
    /// Parameters of the entry.
    KellyParams [base returns free] {
        /// Share of the full Kelly weights.
        fraction: f64 = 1.0, above_up_to(0.0, 10.0);
    }
}

const CARD: Card = Card {
    id: "kelly",
    family: "portfolio",
    title: "Kelly sizing",
    tasks: &[Task::Allocation],
    inputs: Inputs::Series,
    summary: "The weights under which wealth is expected to grow fastest, times a fraction; what is not invested is cash at the risk-free rate, what is above 1 is borrowed. With constraints the best weights for an investor of risk aversion 1/fraction.",
    formula: "w = fraction · S⁻¹(μ - rf); constrained: max wᵀ(μ - rf) - wᵀSw/(2 fraction) - cost · Σ|w - w0|; growth rate rf + wᵀ(μ - rf) - wᵀSw/2",
    data: "Prices of two or more assets, a day a row, oldest first; one column may be the market.",
    cost: "O(T n²) for the covariance, O(n³) for the weights",
    fails_when: "The covariance is singular, or expected returns are wrong: twice the right weights grow no faster than cash, and historical means are wrong by more.",
    not_claimed: "That the growth comes; full Kelly weights of historical means are ruinous.",
    source: "J. L. Kelly, Bell System Technical Journal 35 (1956); R. C. Merton, Review of Economics and Statistics 51 (1969)",
    reference: "closed form",
    outputs: portfolio_outputs![
        ("growth_rate", "annual, of the logarithm of wealth"),
        ("cash", "1 - sum of the weights; below 0 is borrowed"),
        (
            "positions_proven",
            "whether no other choice of max_positions assets is better; null without the limit"
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "closed form by numpy 2.4; constrained cvxpy 1.9.3",
        cases: "closes of 5 and 10 shares, 5 factor funds: fractions, a risk-free rate, bounds and gross exposure",
        tolerance: "1e-9 in weights, 1e-5 constrained",
    }],
    presets: &[],
    exemptions: &[],
};

impl Analysis for Kelly {
    type Params = KellyParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (2, 10_000);

    fn analyse(params: &KellyParams, data: &SeriesTable, _: Ask) -> Result<Outputs, FitError> {
        let method = Method::Kelly {
            fraction: params.fraction,
        };
        let m = Moments::new(data, &params.covariance_spec(), &params.returns_spec())?;
        let mut limits = params.limits();
        // What is not invested is cash, what is above 1 is borrowed.
        limits.net_exposure = None;
        let a = allocate(&m, &limits, &method)?;
        let mut all = outputs(&m, &a);
        let net: f64 = a.weights.iter().sum();
        let excess = a.expected_return - m.risk_free_rate * net;
        let growth = m.risk_free_rate + excess - 0.5 * a.volatility * a.volatility;
        all.insert("growth_rate".into(), number(growth));
        all.insert("cash".into(), number(1.0 - net));
        all.extend([proven(&a)]);
        Ok(all)
    }
}
