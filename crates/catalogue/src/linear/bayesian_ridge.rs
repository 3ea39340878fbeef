//! Bayesian ridge regression.
//!
//! What: ridge regression whose penalty and noise level are found from the data, with an error bar.
//! Formula: y ~ N(Xw + b, 1/alpha), w ~ N(0, 1/lambda); alpha and lambda maximise the evidence.
//! Data: columns of like scale, since all weights share one prior.
//! Cost: fit O(n p² + p³), predict O(rows p²).
//! Fails when: columns have very different units; noise is not of one size.
//! Source: MacKay, Neural Computation 4 (1992); Tipping, JMLR 1 (2001).
//! Not claimed: error bars that hold when the noise clusters, as that of markets does.

use super::engine::{Plane, Problem, dot};
use crate::numeric::{self, Svd, add_scaled, flat};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Prediction, Predictor, Supervised, Training, params,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

/// The handle.
pub struct BayesianRidge;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<BayesianRidge>();

params! {
    /// Parameters of Bayesian ridge regression.
    pub struct BayesianRidgeParams {
        /// Steps at most; `converged` says whether they were enough.
        max_iter: usize = 300, within(1.0, 1_000_000.0);
        /// The fit ends when the weights together move less than this.
        tol: f64 = 1e-3, above(0.0);
        /// Shape of the gamma prior over alpha, the precision of the noise.
        alpha_1: f64 = 1e-6, at_least(0.0);
        /// Rate of the gamma prior over alpha.
        alpha_2: f64 = 1e-6, at_least(0.0);
        /// Shape of the gamma prior over lambda, the precision of the weights.
        lambda_1: f64 = 1e-6, at_least(0.0);
        /// Rate of the gamma prior over lambda.
        lambda_2: f64 = 1e-6, at_least(0.0);
        /// alpha to start from; none is 1 / variance of the target.
        alpha_init: Option<f64> = None, above(0.0);
        /// lambda to start from; none is 1.
        lambda_init: Option<f64> = None, above(0.0);
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

/// Variance of a prediction: noise plus x'Sx over the columns that count, x taken from the means.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ErrorBar {
    pub(crate) noise: f64,
    pub(crate) columns: Vec<usize>,
    pub(crate) means: Vec<f64>,
    /// Columns x columns.
    pub(crate) covariance: Array2<f64>,
}

impl ErrorBar {
    /// Standard deviations, one a row.
    pub(crate) fn std(&self, x: ArrayView2<'_, f64>) -> Vec<f64> {
        x.rows()
            .into_iter()
            .map(|row| {
                let z: Vec<f64> = self
                    .columns
                    .iter()
                    .map(|&j| row[j] - self.means[j])
                    .collect();
                let spread: f64 = self
                    .covariance
                    .rows()
                    .into_iter()
                    .zip(&z)
                    .map(|(s, z_i)| z_i * numeric::dot(flat(s.view()), &z))
                    .sum();
                (self.noise + spread.max(0.0)).sqrt()
            })
            .collect()
    }
}

const CARD: Card = Card {
    id: "bayesian_ridge",
    family: "linear",
    title: "Bayesian ridge",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Ridge regression that finds the strength of its penalty and the size of the noise itself, by making the training data most probable, and gives each prediction a standard deviation.",
    formula: "y ~ N(Xw + b, 1/alpha), w ~ N(0, 1/lambda), gamma priors on alpha and lambda; per step with s the eigenvalues of the centred XᵀX: w = (XᵀX + lambda/alpha)⁻¹ Xᵀy, gamma = Σ alpha s/(lambda + alpha s), lambda = (gamma + 2 lambda_1)/(|w|² + 2 lambda_2), alpha = (n - gamma + 2 alpha_1)/(SSE + 2 alpha_2); std² = 1/alpha + (x - x̄)ᵀ S (x - x̄), S = (alpha XᵀX + lambda)⁻¹",
    data: "Columns of like scale: one prior for all weights, nothing is rescaled inside.",
    cost: "fit O(n p² + p³), predict O(rows · p²)",
    fails_when: "Columns have very different units, the target is met exactly (the noise goes to 0), or errors come in clusters (the error bars are then too narrow in bad times).",
    not_claimed: "Error bars that hold for returns, whose noise is neither normal nor of one size.",
    source: "D. J. C. MacKay, Bayesian interpolation, Neural Computation 4 (1992) 415-447; M. E. Tipping, Sparse Bayesian learning and the relevance vector machine, JMLR 1 (2001) 211-244",
    reference: "scikit-learn 1.9.1, BayesianRidge",
    outputs: &[
        (
            "coefficients",
            "weights, one a column, target units per column unit",
        ),
        ("intercept", "b, target units; 0 without an intercept"),
        ("alpha", "precision of the noise, 1 / target units squared"),
        ("lambda", "precision of the weights"),
        (
            "predictions_std",
            "standard deviation of each prediction, noise included, target units",
        ),
        (
            "log_marginal_likelihood",
            "logarithm of the evidence with the priors, at the end",
        ),
        ("n_iter", "steps taken"),
        ("converged", "whether the weights stopped moving"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, tol 1e-12",
        cases: "bayesian-ridge-spx-std, bayesian-ridge-priors-aapl-std",
        tolerance: "predictions and coefficients 1e-5, standard deviations, alpha and lambda 1e-4",
    }],
    presets: &[],
    exemptions: &[],
};

impl Supervised for BayesianRidge {
    type Params = BayesianRidgeParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn fit(params: &BayesianRidgeParams, data: &Training, _: u64) -> Result<Fitted, FitError> {
        let problem = Problem::new(data, params.fit_intercept)?;
        let p = data.design().columns();
        let n = problem.n;
        let svd = Svd::new((0..p).map(|j| problem.column(j).to_vec()).collect());
        let squares: Vec<f64> = svd.values.iter().map(|s| s * s).collect();
        let shares: Vec<f64> = svd
            .left
            .iter()
            .map(|u| numeric::dot(u, problem.target()))
            .collect();
        let yy = numeric::dot(problem.target(), problem.target());
        // What no weights can explain.
        let beyond = (yy - numeric::dot(&shares, &shares)).max(0.0);

        let mut alpha = params
            .alpha_init
            .unwrap_or_else(|| 1.0 / (variance(data) + f64::EPSILON));
        let mut lambda = params.lambda_init.unwrap_or(1.0);
        // Weights along the right singular vectors, and the sum of squared errors.
        let solve = |alpha: f64, lambda: f64| -> (Vec<f64>, f64) {
            let ratio = lambda / alpha;
            let along = |k: usize| svd.values[k] * shares[k] / (squares[k] + ratio);
            let weights: Vec<f64> = (0..squares.len()).map(along).collect();
            let errors = shares.iter().zip(&weights).zip(&svd.values);
            let sse: f64 = errors.map(|((u, w), s)| (u - s * w).powi(2)).sum();
            (weights, sse + beyond)
        };
        let mut before: Option<Vec<f64>> = None;
        let (mut n_iter, mut converged) = (0, false);
        while n_iter < params.max_iter {
            n_iter += 1;
            let (along, sse) = solve(alpha, lambda);
            let gamma: f64 = squares
                .iter()
                .map(|s| alpha * s / (lambda + alpha * s))
                .sum();
            let ww = numeric::dot(&along, &along);
            lambda = (gamma + 2.0 * params.lambda_1) / (ww + 2.0 * params.lambda_2);
            alpha = (n - gamma + 2.0 * params.alpha_1) / (sse + 2.0 * params.alpha_2);
            if !(alpha.is_finite() && lambda.is_finite() && alpha > 0.0 && lambda > 0.0) {
                return Err(FitError::Failed(
                    "bayesian ridge: a precision left the positive numbers (the target is constant or met exactly): use ridge, or raise alpha_2 and lambda_2".into(),
                ));
            }
            let weights = turn(&along, &svd, p);
            if let Some(before) = &before {
                let moved: f64 = weights.iter().zip(before).map(|(a, b)| (a - b).abs()).sum();
                converged = moved < params.tol;
            }
            before = Some(weights);
            if converged {
                break;
            }
        }
        let (along, sse) = solve(alpha, lambda);
        let weights = turn(&along, &svd, p);
        // S = I/lambda in directions without data, 1/(alpha s + lambda) along the others.
        let mut covariance = Array2::<f64>::eye(p) / lambda;
        let mut log_det = -(p as f64) * lambda.ln();
        for (v, s) in svd.right.iter().zip(&squares) {
            let less = 1.0 / (alpha * s + lambda) - 1.0 / lambda;
            log_det -= (alpha * s + lambda).ln() - lambda.ln();
            for (i, mut row) in covariance.rows_mut().into_iter().enumerate() {
                for (c, vj) in row.iter_mut().zip(v) {
                    *c += less * v[i] * vj;
                }
            }
        }
        let evidence = params.lambda_1 * lambda.ln() - params.lambda_2 * lambda
            + params.alpha_1 * alpha.ln()
            - params.alpha_2 * alpha
            + 0.5
                * (p as f64 * lambda.ln() + n * alpha.ln()
                    - alpha * sse
                    - lambda * numeric::dot(&weights, &weights)
                    + log_det
                    - n * std::f64::consts::TAU.ln());
        let extra = Outputs::from_iter([
            ("alpha".to_owned(), alpha.into()),
            ("lambda".to_owned(), lambda.into()),
            ("log_marginal_likelihood".to_owned(), evidence.into()),
            ("n_iter".to_owned(), n_iter.into()),
            ("converged".to_owned(), converged.into()),
        ]);
        Ok(Fitted {
            bar: ErrorBar {
                noise: 1.0 / alpha,
                columns: (0..p).collect(),
                means: problem.means.clone(),
                covariance,
            },
            plane: Plane::new(weights, &problem, extra)?,
        })
    }
}

/// Weights of the columns of those along the right singular vectors.
fn turn(along: &[f64], svd: &Svd, p: usize) -> Vec<f64> {
    let mut weights = vec![0.0; p];
    for (share, v) in along.iter().zip(&svd.right) {
        add_scaled(&mut weights, *share, v);
    }
    weights
}

/// Variance of the target around its (weighted) mean, divisor the sum of weights.
pub(crate) fn variance(data: &Training) -> f64 {
    let y = data.y();
    let ones = vec![1.0; y.len()];
    let w = data.weights().unwrap_or(&ones);
    let total: f64 = w.iter().sum();
    let mean = dot(y, w) / total;
    let each = y.iter().zip(w).map(|(y, w)| w * (y - mean).powi(2));
    each.sum::<f64>() / total
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
