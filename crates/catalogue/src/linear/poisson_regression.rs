//! Poisson regression.
//!
//! What: the mean of a count as the exponential of a linear score.
//! Formula: min over w, b of mean half Poisson deviance + alpha/2 |w|²; μ = exp(x·w + b).
//! Data: a target of at least 0; columns of like scale.
//! Cost: fit O(steps (n p² + p³)), predict O(rows p).
//! Fails when: counts vary much more than their mean; all targets are 0.
//! Source: Nelder & Wedderburn, JRSS A 135 (1972).
//! Not claimed: standard errors: counts of markets come in clusters.

use super::glm::{self, Family, Fitted, Request, Solver};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Domain, Entry, FitError, Inputs, Supervised, Training, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct PoissonRegression;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<PoissonRegression>();

params! {
    /// Parameters of Poisson regression.
    pub struct PoissonRegressionParams {
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
    id: "poisson_regression",
    family: "linear",
    title: "Poisson regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "The mean of a count (trades, jumps, days over a border) as the exponential of a linear score, fitted by likelihood with a penalty on the weights.",
    formula: "min over w, b of Σᵢ sᵢ (yᵢ ln(yᵢ/μᵢ) - yᵢ + μᵢ)/Σ sᵢ + alpha/2 |w|², μᵢ = exp(xᵢ·w + b), sᵢ the row weights",
    data: "A target of at least 0, not all 0. Columns of like scale: the penalty sees their units.",
    cost: "fit O(steps · (n p² + p³)), predict O(rows · p)",
    fails_when: "Counts vary much more than their mean, or a row lies far outside the training range: the exponential explodes there.",
    not_claimed: "Standard errors: counts of markets come in clusters.",
    source: "J. A. Nelder, R. W. M. Wedderburn, Generalized linear models, J. R. Stat. Soc. A 135 (1972) 370-384",
    reference: "scikit-learn 1.9.1, PoissonRegressor (here with a tighter tol by default)",
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, solver newton-cholesky, tol 1e-10",
        cases: "poisson-1-spx-count, poisson-0.01-spx-count",
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

impl Supervised for PoissonRegression {
    type Params = PoissonRegressionParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;
    const DOMAIN: Domain = Domain::NonNegativeTarget;

    fn fit(params: &PoissonRegressionParams, data: &Training, _: u64) -> Result<Fitted, FitError> {
        let request = Request {
            name: "poisson regression",
            family: Family {
                power: 1.0,
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
