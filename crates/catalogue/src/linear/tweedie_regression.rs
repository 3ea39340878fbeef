//! Tweedie regression.
//!
//! What: generalised linear models by the power of the variance: normal, Poisson, compound, gamma, inverse Gaussian.
//! Formula: min over w, b of mean half deviance of that power + alpha/2 |w|²; μ = exp(x·w + b) or x·w + b.
//! Data: a target that the power allows; columns of like scale.
//! Cost: fit O(steps (n p² + p³)), predict O(rows p).
//! Fails when: the spread does not follow the power; the identity link leaves the allowed means.
//! Source: Tweedie (1984); Jørgensen, JRSS B 49 (1987).
//! Not claimed: the right power: choose it by validation.

use super::glm::{self, Family, Fitted, Request, Solver};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, ParamError, Supervised, Training, choices, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct TweedieRegression;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<TweedieRegression>();

choices! {
    /// How the mean follows from the linear score.
    pub enum Link {
        /// identity for power 0 and below, log otherwise.
        Auto = "auto",
        /// The score itself.
        Identity = "identity",
        /// Its exponential.
        Log = "log",
    }
}

params! {
    /// Parameters of Tweedie regression.
    pub struct TweedieRegressionParams {
        /// The variance grows as the mean to this power: 0 normal, 1 Poisson, between 1 and 2 compound Poisson-gamma, 2 gamma, 3 inverse Gaussian; between 0 and 1 there is no distribution.
        power: f64 = 0.0, within(-10.0, 10.0);
        /// How the mean follows from the linear score.
        link: Link = Link::Auto;
        /// Strength of the penalty on the squared weights.
        alpha: f64 = 1.0, at_least(0.0);
        /// Whether an intercept is fitted; it is not penalised.
        fit_intercept: bool = true;
        /// How the optimum is found: by Newton steps, or (lbfgs) by quasi-Newton steps that Newton steps bring to tol.
        solver: Solver = Solver::NewtonCholesky;
        /// Steps after which the fit is given up as not converged.
        max_iter: usize = 100, within(0.0, 100_000.0);
        /// The fit ends when no weight of a standardised column moves by more than this, in units of the link.
        tol: f64 = 1e-9, inside(0.0, 1.0);
    }
}

const CARD: Card = Card {
    id: "tweedie_regression",
    family: "linear",
    title: "Tweedie regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Generalised linear models chosen by how the variance grows with the mean: normal, Poisson, compound Poisson-gamma (many zeros, else positive), gamma, inverse Gaussian.",
    formula: "min over w, b of Σᵢ sᵢ d(yᵢ, μᵢ)/(2 Σ sᵢ) + alpha/2 |w|²; d/2 = max(y,0)^(2-p)/((1-p)(2-p)) - y μ^(1-p)/(1-p) + μ^(2-p)/(2-p) and its limits at p = 0, 1, 2; μ = exp(x·w + b) or x·w + b",
    data: "Power below 1: any target (below 0: mean above 0); from 1 to below 2: at least 0; from 2: above 0. Columns of like scale.",
    cost: "fit O(steps · (n p² + p³)), predict O(rows · p)",
    fails_when: "The spread does not follow the power, or the identity link would need means that the power does not allow.",
    not_claimed: "That a power is the right one: choose it by validation.",
    source: "M. C. K. Tweedie, An index which distinguishes between some important exponential families (1984); B. Jørgensen, Exponential dispersion models, J. R. Stat. Soc. B 49 (1987) 127-162",
    reference: "scikit-learn 1.9.1, TweedieRegressor (here with a tighter tol by default)",
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, solver newton-cholesky, tol 1e-10",
        cases: "tweedie-1.5-0.1-spx-pos, tweedie-1.2-0.01-spx-count, tweedie-0-0.1-spx-pos",
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

impl Supervised for TweedieRegression {
    type Params = TweedieRegressionParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn fit(params: &TweedieRegressionParams, data: &Training, _: u64) -> Result<Fitted, FitError> {
        let power = params.power;
        if power > 0.0 && power < 1.0 {
            return Err(ParamError {
                field: "power".into(),
                reason: format!("{power}: between 0 and 1 there is no distribution"),
                suggestions: Vec::new(),
            }
            .into());
        }
        let allowed: (fn(f64) -> bool, &str) = if power >= 2.0 {
            (|y| y > 0.0, "above 0")
        } else if power >= 1.0 {
            (|y| y >= 0.0, "of at least 0")
        } else {
            (|_| true, "")
        };
        if let Some(row) = data.y().iter().position(|y| !allowed.0(*y)) {
            return Err(FitError::Data(format!(
                "target row {}: power {power} learns from a target {}, not from {}",
                row + 1,
                allowed.1,
                data.y()[row]
            )));
        }
        let log = match params.link {
            Link::Auto => power > 0.0,
            Link::Identity => false,
            Link::Log => true,
        };
        let request = Request {
            name: "tweedie regression",
            family: Family { power, log },
            alpha: params.alpha,
            fit_intercept: params.fit_intercept,
            solver: params.solver,
            max_iter: params.max_iter,
            tol: params.tol,
        };
        glm::fit(&request, data)
    }
}
