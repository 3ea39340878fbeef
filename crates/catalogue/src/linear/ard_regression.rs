//! Automatic relevance determination.
//!
//! What: Bayesian regression with a prior of its own for each weight, which switches columns off.
//! Formula: y ~ N(Xw + b, 1/alpha), wⱼ ~ N(0, 1/lambdaⱼ); all precisions maximise the evidence.
//! Data: any table of numbers; the scale of a column hardly matters.
//! Cost: fit O(n p² + steps p³), predict O(rows k²) for k columns kept.
//! Fails when: columns depend on each other (one is kept, by chance); noise is not of one size.
//! Source: MacKay (1994); Tipping, JMLR 1 (2001).
//! Not claimed: that the columns it keeps are the true ones.

use super::bayesian_ridge::{ErrorBar, variance};
use super::engine::{Plane, Problem};
use crate::numeric::{self, lifted};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Prediction, Predictor, Supervised, Training, params,
    run,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

/// The handle.
pub struct ArdRegression;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<ArdRegression>();

params! {
    /// Parameters of automatic relevance determination.
    pub struct ArdParams {
        /// Steps at most; `converged` says whether they were enough.
        max_iter: usize = 300, within(1.0, 1_000_000.0);
        /// The fit ends when the weights together move less than this.
        tol: f64 = 1e-3, above(0.0);
        /// Shape of the gamma prior over alpha, the precision of the noise.
        alpha_1: f64 = 1e-6, at_least(0.0);
        /// Rate of the gamma prior over alpha.
        alpha_2: f64 = 1e-6, at_least(0.0);
        /// Shape of the gamma prior over each lambda, the precision of a weight.
        lambda_1: f64 = 1e-6, at_least(0.0);
        /// Rate of the gamma prior over each lambda.
        lambda_2: f64 = 1e-6, at_least(0.0);
        /// A weight whose precision reaches this is set to 0 for good.
        threshold_lambda: f64 = 1e4, above(0.0);
        /// Whether an intercept is fitted; it has no prior.
        fit_intercept: bool = true;
    }
}

/// Fitted state: a plane and what its error bar is made of.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    plane: Plane,
    bar: ErrorBar,
}

const CARD: Card = Card {
    id: "ard_regression",
    family: "linear",
    title: "Automatic relevance determination",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Bayesian regression in which each weight has a prior of its own, found from the data: columns that do not help get weight 0. Each prediction has a standard deviation.",
    formula: "y ~ N(Xw + b, 1/alpha), wⱼ ~ N(0, 1/lambdaⱼ), gamma priors; per step: S = (alpha XᵀX + diag lambda)⁻¹, w = alpha S Xᵀy, gammaⱼ = 1 - lambdaⱼ Sⱼⱼ, lambdaⱼ = (gammaⱼ + 2 lambda_1)/(wⱼ² + 2 lambda_2), alpha = (n - Σ gammaⱼ + 2 alpha_1)/(SSE + 2 alpha_2); wⱼ = 0 for good once lambdaⱼ ≥ threshold_lambda; std² = 1/alpha + (x - x̄)ᵀ S (x - x̄)",
    data: "Any table of numbers; precisions start at 1, so that units matter a little.",
    cost: "fit O(n p² + steps · p³), predict O(rows · k²) for k columns kept",
    fails_when: "Columns depend on each other (one of them is kept, which one is chance), or the target is constant or met exactly.",
    not_claimed: "That the columns it keeps are the ones that cause the target.",
    source: "D. J. C. MacKay, Bayesian nonlinear modeling for the prediction competition, ASHRAE Transactions 100 (1994); M. E. Tipping, Sparse Bayesian learning and the relevance vector machine, JMLR 1 (2001) 211-244",
    reference: "scikit-learn 1.9.1, ARDRegression",
    outputs: &[
        (
            "coefficients",
            "weights, one a column, target units per column unit",
        ),
        ("intercept", "b, target units; 0 without an intercept"),
        ("alpha", "precision of the noise, 1 / target units squared"),
        ("lambda", "precision of each weight"),
        ("n_nonzero", "number of weights that are not zero"),
        (
            "predictions_std",
            "standard deviation of each prediction, noise included, target units",
        ),
        ("n_iter", "steps taken"),
        ("converged", "whether the weights stopped moving"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, tol 1e-9",
        cases: "ard-spx-std, ard-aapl-std",
        tolerance: "predictions 1e-3, the same columns kept",
    }],
    presets: &[],
    exemptions: &[],
};

impl Supervised for ArdRegression {
    type Params = ArdParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;

    fn fit(params: &ArdParams, data: &Training, _: u64) -> Result<Fitted, FitError> {
        let problem = Problem::new(data, params.fit_intercept)?;
        let p = data.design().columns();
        let mut alpha = 1.0 / (variance(data) + f64::EPSILON);
        let mut lambda = vec![1.0; p];
        let mut kept: Vec<usize> = (0..p).collect();
        let mut weights = vec![0.0; p];
        let mut before = weights.clone();
        let (mut n_iter, mut converged) = (0, false);
        while n_iter < params.max_iter && !converged {
            n_iter += 1;
            let covariance = posterior(&problem, &kept, alpha, &lambda)?;
            weights = means(&problem, &kept, alpha, &covariance);
            let sse = squared_error(&problem, &weights);
            let mut gammas = 0.0;
            for (i, &j) in kept.iter().enumerate() {
                let gamma = 1.0 - lambda[j] * covariance[[i, i]];
                gammas += gamma;
                lambda[j] = (gamma + 2.0 * params.lambda_1)
                    / (weights[j] * weights[j] + 2.0 * params.lambda_2);
            }
            alpha = (problem.n - gammas + 2.0 * params.alpha_1) / (sse + 2.0 * params.alpha_2);
            if !(alpha.is_finite() && alpha > 0.0) || lambda.iter().any(|l| l.is_nan()) {
                return Err(FitError::Failed(
                    "automatic relevance determination: a precision left the positive numbers (the target is constant or met exactly): use ridge, or raise alpha_2 and lambda_2".into(),
                ));
            }
            kept.retain(|&j| {
                let keep = lambda[j] < params.threshold_lambda;
                if !keep {
                    weights[j] = 0.0;
                }
                keep
            });
            let moved: f64 = weights
                .iter()
                .zip(&before)
                .map(|(a, b)| (a - b).abs())
                .sum();
            converged = (n_iter > 1 && moved < params.tol) || kept.is_empty();
            before.clone_from(&weights);
        }
        let covariance = posterior(&problem, &kept, alpha, &lambda)?;
        let weights = means(&problem, &kept, alpha, &covariance);
        let extra = Outputs::from_iter([
            ("alpha".to_owned(), alpha.into()),
            // A precision without bound is stated as the largest number.
            (
                "lambda".to_owned(),
                run::numbers(&lambda.iter().map(|l| l.min(f64::MAX)).collect::<Vec<_>>()),
            ),
            (
                "n_nonzero".to_owned(),
                weights.iter().filter(|w| **w != 0.0).count().into(),
            ),
            ("n_iter".to_owned(), n_iter.into()),
            ("converged".to_owned(), converged.into()),
        ]);
        Ok(Fitted {
            bar: ErrorBar {
                noise: 1.0 / alpha,
                columns: kept,
                means: problem.means.clone(),
                covariance,
            },
            plane: Plane::new(weights, &problem, extra)?,
        })
    }
}

/// S of the columns kept. With more of them than rows by the identity of Woodbury.
fn posterior(
    problem: &Problem,
    kept: &[usize],
    alpha: f64,
    lambda: &[f64],
) -> Result<Array2<f64>, FitError> {
    let (k, m) = (kept.len(), problem.a.nrows());
    let name = "automatic relevance determination";
    if k <= m {
        let mut a = Array2::zeros((k, k));
        for (i, &left) in kept.iter().enumerate() {
            for (j, &right) in kept.iter().enumerate().take(i + 1) {
                let product = alpha * numeric::dot(problem.column(left), problem.column(right));
                (a[[i, j]], a[[j, i]]) = (product, product);
            }
            a[[i, i]] += lambda[left];
        }
        return Ok(lifted(&a, name)?.inverse());
    }
    // B = X diag(1/lambda): S = diag(1/lambda) - Bᵀ (I/alpha + B Xᵀ)⁻¹ B.
    let x = problem.a.select(ndarray::Axis(1), kept);
    let mut b = x.clone();
    for (mut column, &j) in b.columns_mut().into_iter().zip(kept) {
        column.mapv_inplace(|v| v / lambda[j]);
    }
    let mut inner = b.dot(&x.t());
    inner.diag_mut().mapv_inplace(|v| v + 1.0 / alpha);
    let half = lifted(&inner, name)?.forward_all(b.as_standard_layout().into_owned());
    let mut s = -half.t().dot(&half);
    for (i, &j) in kept.iter().enumerate() {
        s[[i, i]] += 1.0 / lambda[j];
    }
    // The product of a single row with itself comes column after column.
    Ok(s.as_standard_layout().into_owned())
}

/// alpha S Xᵀy, zero for columns that are not kept.
fn means(problem: &Problem, kept: &[usize], alpha: f64, covariance: &Array2<f64>) -> Vec<f64> {
    let xy: Vec<f64> = kept
        .iter()
        .map(|&j| numeric::dot(problem.column(j), problem.target()))
        .collect();
    let mut weights = vec![0.0; problem.a.ncols()];
    for (row, &j) in covariance.rows().into_iter().zip(kept) {
        weights[j] = alpha * super::engine::dot(row, &xy);
    }
    weights
}

fn squared_error(problem: &Problem, weights: &[f64]) -> f64 {
    let mut rest = problem.target().to_vec();
    for (j, w) in weights.iter().enumerate().filter(|(_, w)| **w != 0.0) {
        numeric::add_scaled(&mut rest, -w, problem.column(j));
    }
    numeric::dot(&rest, &rest)
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        Ok(Prediction {
            std: Some(self.bar.std(x)),
            ..Prediction::values(self.plane.values(x))
        })
    }

    fn outputs(&self) -> Outputs {
        self.plane.outputs()
    }
}
