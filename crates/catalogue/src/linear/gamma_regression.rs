//! Gamma regression.
//!
//! What: the mean of a positive quantity, whose spread grows with it, as the exponential of a linear score.
//! Formula: min over w, b of mean half gamma deviance + alpha/2 |w|²; μ = exp(x·w + b).
//! Data: a target above 0; columns of like scale.
//! Cost: fit O(steps (n p² + p³)), predict O(rows p).
//! Fails when: targets are nearly 0 at times; the spread does not grow with the mean.
//! Source: Nelder & Wedderburn, JRSS A 135 (1972).
//! Not claimed: standard errors: volatility comes in clusters.

use super::glm::{self, Family, Fitted, Request, Solver};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Domain, Entry, FitError, Inputs, Supervised, Training, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct GammaRegression;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<GammaRegression>();

params! {
    /// Parameters of gamma regression.
    pub struct GammaRegressionParams {
        /// Strength of the penalty on the squared weights.
        alpha: f64 = 1.0, at_least(0.0);
        /// Whether an intercept is fitted; it is not penalised.
        fit_intercept: bool = true;
        /// How the optimum is found: by Newton steps, or (lbfgs) by quasi-Newton steps that Newton steps bring to tol.
        solver: Solver = Solver::NewtonCholesky;
        /// Steps after which the fit is given up as not converged.
        max_iter: usize = 100, within(1.0, 100_000.0);
        /// The fit ends when no weight of a standardised column moves by more than this, in units of the link.
        tol: f64 = 1e-9, inside(0.0, 1.0);
    }
}

const CARD: Card = Card {
    id: "gamma_regression",
    family: "linear",
    title: "Gamma regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "The mean of a positive quantity whose spread grows with it (volatility, volume, duration) as the exponential of a linear score, fitted by likelihood with a penalty on the weights.",
    formula: "min over w, b of Σᵢ sᵢ (ln(μᵢ/yᵢ) + yᵢ/μᵢ - 1)/Σ sᵢ + alpha/2 |w|², μᵢ = exp(xᵢ·w + b), sᵢ the row weights",
    data: "A target above 0. Columns of like scale: the penalty sees their units.",
    cost: "fit O(steps · (n p² + p³)), predict O(rows · p)",
    fails_when: "Targets come near 0 (they rule the fit), or a row lies far outside the training range: the exponential explodes there.",
    not_claimed: "Standard errors: volatility comes in clusters.",
    source: "J. A. Nelder, R. W. M. Wedderburn, Generalized linear models, J. R. Stat. Soc. A 135 (1972) 370-384; P. McCullagh, J. A. Nelder, Generalized Linear Models, 2nd ed. (1989), chapter 8",
    reference: "scikit-learn 1.9.1, GammaRegressor (here with a tighter tol by default)",
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, solver newton-cholesky, tol 1e-10",
        cases: "gamma-0.1-spx-pos, gamma-0.001-spx-pos",
        tolerance: "predictions and coefficients 1e-5, deviance 1e-4",
    }],
    outputs: &[
        (
            "coefficients",
            "weights, one a column, in units of the link per column unit",
        ),
        (
            "intercept",
            "b, in units of the link; 0 without an intercept",
        ),
        ("objective", "the minimum found"),
        ("n_iter", "steps taken"),
    ],
    stochastic: false,
    presets: &[],
    exemptions: &[],
};

impl Supervised for GammaRegression {
    type Params = GammaRegressionParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;
    const DOMAIN: Domain = Domain::PositiveTarget;

    fn fit(params: &GammaRegressionParams, data: &Training, _: u64) -> Result<Fitted, FitError> {
        let request = Request {
            name: "gamma regression",
            family: Family {
                power: 2.0,
                log: true,
            },
            alpha: params.alpha,
            fit_intercept: params.fit_intercept,
            solver: params.solver,
            max_iter: params.max_iter,
            tol: params.tol,
        };
        glm::fit(&request, data)
    }
}
