//! Huber regression.
//!
//! What: a plane on which far rows pull with constant force, the border between near and far found
//! with it.
//! Formula: min over w, b, s > 0 of Σ sᵢ' (s + s H((yᵢ - xᵢ·w - b)/s)) + alpha |w|²; H(t) = t² up to
//! epsilon, 2 epsilon |t| - epsilon² beyond.
//! Data: any table of numbers; the penalty sees the units of the columns.
//! Cost: fit O(steps (n p² + p³)), predict O(rows p).
//! Fails when: the far rows are far in x, not in y.
//! Source: Huber, Annals of Mathematical Statistics 35 (1964); Owen (2007).
//! Not claimed: protection against rows that are far in the columns.

use super::engine::{Plane, Standardised};
use crate::numeric::lifted;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Supervised, Training, params,
};
use mltrainer_types::catalogue::Task;
use ndarray::Array2;

/// The handle.
pub struct Huber;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<Huber>();

params! {
    /// Parameters of Huber regression.
    pub struct HuberParams {
        /// Rows whose error is above this many scales pull with constant force only.
        epsilon: f64 = 1.35, at_least(1.0);
        /// Newton steps after which the fit is given up as not converged.
        max_iter: usize = 1_000, within(1.0, 1_000_000.0);
        /// Strength of the penalty on the squared weights.
        alpha: f64 = 1e-4, at_least(0.0);
        /// Whether an intercept is fitted; it is not penalised.
        fit_intercept: bool = true;
        /// The fit ends when a step promises to lower the objective by less than this share of it.
        tol: f64 = 1e-12, inside(0.0, 1.0);
    }
}

const CARD: Card = Card {
    id: "huber",
    family: "linear",
    title: "Huber regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "A plane that a few rows with extreme targets cannot drag away: errors count squared up to a border and linearly beyond it. The border follows the scale of the errors, which is estimated at the same time.",
    formula: "min over w, b, s > 0 of n s + Σᵢ s H((yᵢ - xᵢ·w - b)/s) + alpha |w|²; H(t) = t² for |t| ≤ epsilon, else 2 epsilon |t| - epsilon²; row weights multiply the terms of their row, n is their sum",
    data: "Any table of numbers; the penalty sees the units of the columns, nothing is rescaled inside.",
    cost: "fit O(steps · (n p² + p³)), predict O(rows · p)",
    fails_when: "Rows are extreme in the columns rather than in the target, or most rows are met exactly (the scale goes to 0).",
    not_claimed: "Protection against rows that are far away in the columns.",
    source: "P. J. Huber, Robust estimation of a location parameter, Ann. Math. Stat. 35 (1964) 73-101; A. B. Owen, A robust hybrid of lasso and ridge regression, Contemp. Math. 443 (2007)",
    reference: "scikit-learn 1.9.1, HuberRegressor (here to the optimum by Newton steps)",
    outputs: &[
        (
            "coefficients",
            "weights, one a column, target units per column unit",
        ),
        ("intercept", "b, target units; 0 without an intercept"),
        ("scale", "s, target units"),
        ("n_outliers", "training rows beyond epsilon scales"),
        ("objective", "the minimum found"),
        ("n_iter", "Newton steps taken"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, tol 1e-10",
        cases: "huber-1.35-spx-std, huber-1.1-aapl-std",
        tolerance: "predictions and coefficients 2e-4, scale 1e-3, objective not above the reference's",
    }],
    presets: &[],
    exemptions: &[],
};

impl Supervised for Huber {
    type Params = HuberParams;
    type Fitted = Plane;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn fit(params: &HuberParams, data: &Training, _: u64) -> Result<Plane, FitError> {
        let table = Standardised::new(data, params.fit_intercept)?;
        let spread = data.y().iter().fold(0.0, |m: f64, y| m.max(y.abs()));
        if spread == 0.0 {
            return Err(exact());
        }
        let n = data.y().len();
        let ones = vec![1.0; n];
        let problem = Problem {
            x: &table.x,
            y: data.y(),
            rows: data.weights().unwrap_or(&ones),
            epsilon: params.epsilon,
            // The penalty falls on the weights of the columns as they came.
            penalties: table
                .units
                .scales
                .iter()
                .map(|s| params.alpha / (s * s))
                .collect(),
        };
        let width = table.x.ncols();
        let mut theta = vec![0.0; width + 1];
        if params.fit_intercept {
            theta[width - 1] = crate::numeric::median(data.y());
        }
        theta[width] = problem.best_scale(&theta[..width]).max(1e-8 * spread);
        let mut value = problem.value(&theta);
        let mut n_iter = 0;
        loop {
            let (gradient, hessian) = problem.derivatives(&theta);
            let mut step: Vec<f64> = gradient.iter().map(|g| -g).collect();
            lifted(&hessian, "huber regression")?.solve(&mut step);
            let promise = crate::numeric::dot(&gradient, &step);
            if promise.abs() <= params.tol * value {
                break;
            }
            if n_iter == params.max_iter {
                return Err(FitError::Failed(format!(
                    "huber regression did not converge in max_iter = {} steps: raise max_iter, tol or epsilon",
                    params.max_iter
                )));
            }
            n_iter += 1;
            let mut length = 1.0;
            let taken = loop {
                let next: Vec<f64> = theta
                    .iter()
                    .zip(&step)
                    .map(|(t, s)| t + length * s)
                    .collect();
                if next[width] > 0.1 * theta[width] {
                    let at = problem.value(&next);
                    if at <= value + 1e-4 * length * promise {
                        break Some((next, at));
                    }
                }
                length *= 0.5;
                if length < 1e-15 {
                    break None;
                }
            };
            let Some((next, at)) = taken else {
                // No lower point within rounding.
                break;
            };
            (theta, value) = (next, at);
            if theta[width] <= 1e-12 * spread {
                return Err(exact());
            }
        }
        let scale = theta[width];
        let n_outliers = problem
            .residuals(&theta[..width])
            .filter(|r| r.abs() > params.epsilon * scale)
            .count();
        let (weights, intercept) = table.units.undo(&theta[..width]);
        let extra = Outputs::from_iter([
            ("scale".to_owned(), scale.into()),
            ("n_outliers".to_owned(), n_outliers.into()),
            ("objective".to_owned(), value.into()),
            ("n_iter".to_owned(), n_iter.into()),
        ]);
        Plane::at(weights, intercept, extra)
    }
}

fn exact() -> FitError {
    FitError::Failed(
        "huber regression: most rows are met exactly, so that errors have no scale: use linear_regression or raise epsilon".into(),
    )
}

/// The objective over weights of the standardised columns and, last, the scale.
struct Problem<'a> {
    x: &'a Array2<f64>,
    y: &'a [f64],
    rows: &'a [f64],
    epsilon: f64,
    penalties: Vec<f64>,
}

impl Problem<'_> {
    fn residuals<'a>(&'a self, w: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
        let rows = self.x.rows().into_iter().zip(self.y);
        rows.map(move |(x, y)| y - crate::numeric::dot(x.to_slice().unwrap_or_default(), w))
    }

    /// The scale that is best for these weights, were all rows near.
    fn best_scale(&self, w: &[f64]) -> f64 {
        let squares = self.residuals(w).zip(self.rows).map(|(r, w)| w * r * r);
        (squares.sum::<f64>() / self.rows.iter().sum::<f64>()).sqrt()
    }

    fn value(&self, theta: &[f64]) -> f64 {
        let (s, w) = match theta.split_last() {
            Some((s, w)) => (*s, w),
            None => return 0.0,
        };
        let e = self.epsilon;
        let terms = self.residuals(w).zip(self.rows).map(|(r, weight)| {
            let far = r.abs() > e * s;
            let loss = if far {
                2.0 * e * r.abs() - e * e * s
            } else {
                r * r / s
            };
            weight * (s + loss)
        });
        let penalty: f64 = self.penalties.iter().zip(w).map(|(a, w)| a * w * w).sum();
        terms.sum::<f64>() + penalty
    }

    fn derivatives(&self, theta: &[f64]) -> (Vec<f64>, Array2<f64>) {
        let d = theta.len();
        let (s, w) = (theta[d - 1], &theta[..d - 1]);
        let mut gradient = vec![0.0; d];
        let mut hessian = Array2::zeros((d, d));
        let mut z = vec![0.0; d];
        for (i, r) in self.residuals(w).enumerate() {
            let weight = self.rows[i];
            let x = self.x.row(i);
            if r.abs() > self.epsilon * s {
                let pull = -2.0 * weight * self.epsilon * r.signum();
                for (g, x) in gradient.iter_mut().zip(x) {
                    *g += pull * x;
                }
                gradient[d - 1] += weight * (1.0 - self.epsilon * self.epsilon);
                continue;
            }
            let t = r / s;
            for (g, x) in gradient.iter_mut().zip(x) {
                *g -= 2.0 * weight * t * x;
            }
            gradient[d - 1] += weight * (1.0 - t * t);
            // r²/s has second derivatives (2/s) z zᵀ with z = (x, r/s).
            for (z, x) in z.iter_mut().zip(x) {
                *z = *x;
            }
            z[d - 1] = t;
            for a in 0..d {
                let by = 2.0 * weight / s * z[a];
                let mut row = hessian.row_mut(a);
                let row = row.as_slice_mut().unwrap_or_default();
                crate::numeric::add_scaled(&mut row[..=a], by, &z[..=a]);
            }
        }
        for (j, a) in self.penalties.iter().enumerate() {
            gradient[j] += 2.0 * a * w[j];
            hessian[[j, j]] += 2.0 * a;
        }
        for a in 0..d {
            for b in 0..a {
                hessian[[b, a]] = hessian[[a, b]];
            }
        }
        (gradient, hessian)
    }
}
