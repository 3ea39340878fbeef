//! Black-Litterman.
//!
//! What: blends views with a prior of returns under which given weights are optimal.
//! Formula: posterior π + τSPᵀ(PτSPᵀ + Ω)⁻¹(Q - Pπ), π = δ S w.
//! Data: prices of two or more assets.
//! Cost: O(T n²), and O(n³) for the weights.
//! Fails when: views repeat each other with full confidence, or the covariance is singular.
//! Source: Black, Litterman, Financial Analysts Journal 48 (1992).
//! Not claimed: that the views are right.

use super::allocate::{Method, allocate};
use super::moments::Moments;
use super::outputs::{by_name, outputs, proven};
use super::settings::Settings as _;
use super::settings::{portfolio_outputs, portfolio_params};
use super::views::{Views, posterior};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct BlackLitterman;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<BlackLitterman>();

portfolio_params! {
    /// Parameters of the entry.
    BlackLittermanParams [base free] {
        /// Views: NAME:return pairs joined with commas, annual; A>B:return is what A earns above B; one number is a view of every asset.
        views: Option<super::settings::Amounts> = None, within(-100.0, 100.0);
        /// Confidence in the views from 0 to 1, one number for all or by view (Idzorek); none takes diag(τ P S Pᵀ).
        confidences: Option<super::settings::Amounts> = None, within(0.0, 1.0);
        /// Price of variance in the prior.
        risk_aversion: f64 = 1.0, above_up_to(0.0, 1_000_000.0);
        /// Uncertainty of the prior.
        tau: f64 = 0.05, above_up_to(0.0, 1_000.0);
        /// Weights that the prior makes optimal, one number for all or NAME:weight pairs, scaled to sum 1; none is equal ones.
        market_weights: Option<super::settings::Amounts> = None, within(0.0, 1e15);
    }
}

const CARD: Card = Card {
    id: "black_litterman",
    family: "portfolio",
    title: "Black-Litterman",
    tasks: &[Task::Allocation],
    inputs: Inputs::Series,
    summary: "Blends views on returns, absolute or relative, with a prior under which the market weights are optimal, and weights by what comes out. Without constraints S⁻¹μ scaled to sum 1; with constraints the largest posterior return a unit of volatility.",
    formula: "π = δ S w + rf; posterior π + τSPᵀ(PτSPᵀ + Ω)⁻¹(Q - Pπ); Ω = diag(τPSPᵀ), with confidences c its diagonal times (1-c)/c; w = S⁻¹μ / 1ᵀS⁻¹μ",
    data: "Prices of two or more assets, a day a row, oldest first; one column may be the market.",
    cost: "O(T n²) for the covariance, O(n³) for the weights",
    fails_when: "Views repeat each other with full confidence; the covariance is singular; constraints conflict (they are named).",
    not_claimed: "That the views are right, or that a prior of equal weights is that of the market.",
    source: "F. Black, R. Litterman, Financial Analysts Journal 48 (1992); G. He, R. Litterman, SSRN 334304 (1999); T. Idzorek (2005)",
    reference: "PyPortfolioOpt 1.6.0, BlackLittermanModel",
    outputs: portfolio_outputs![
        ("prior_returns", "annual, by asset"),
        (
            "posterior_returns",
            "annual, by asset; the expected returns of the other figures"
        ),
        (
            "positions_proven",
            "whether no other choice of max_positions assets is better; null without the limit"
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "PyPortfolioOpt 1.6.0, BlackLittermanModel",
        cases: "closes of 5 and 10 shares: absolute and relative views, confidences by Idzorek, market weights",
        tolerance: "1e-8 relative",
    }],
    presets: &[],
    exemptions: &[],
};

impl Analysis for BlackLitterman {
    type Params = BlackLittermanParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (2, 10_000);

    fn analyse(
        params: &BlackLittermanParams,
        data: &SeriesTable,
        _: Ask,
    ) -> Result<Outputs, FitError> {
        let mut m = Moments::new(data, &params.covariance_spec(), &params.returns_spec())?;
        let found = posterior(
            &m,
            &Views {
                views: params.views.clone(),
                confidences: params.confidences.clone(),
                risk_aversion: params.risk_aversion,
                tau: params.tau,
                market_weights: params.market_weights.clone(),
            },
        )?;
        m.mean.clone_from(&found.returns);
        let a = allocate(&m, &params.limits(), &Method::BlackLitterman)?;
        let mut all = outputs(&m, &a);
        all.insert("prior_returns".into(), by_name(&m.names, &found.prior));
        let after = by_name(&m.names, &found.returns);
        all.insert("posterior_returns".into(), after);
        all.extend([proven(&a)]);
        Ok(all)
    }
}
