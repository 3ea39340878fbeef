//! Generalised linear models of the Tweedie family, fitted by Newton steps (McCullagh & Nelder,
//! Generalized Linear Models, 2nd ed., 1989).

use super::engine::{Plane, Units};
use crate::numeric::{Cholesky, Stop, add_scaled, dot, lifted, minimise};
use mltrainer_catalogue_core::{FitError, Outputs, Prediction, Predictor, Training, choices};
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

/// Power of the variance and link: mean μ = exp(η) or η, variance ∝ μ^power.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Family {
    /// 0 normal, 1 Poisson, between 1 and 2 compound Poisson-gamma, 2 gamma, 3 inverse Gaussian.
    pub(crate) power: f64,
    /// Whether the link is the logarithm; the identity otherwise.
    pub(crate) log: bool,
}

impl Family {
    fn mean(self, eta: f64) -> f64 {
        if self.log { eta.exp() } else { eta }
    }

    /// Half the unit deviance; infinite where the mean is not allowed.
    fn half_deviance(self, y: f64, mu: f64) -> f64 {
        let p = self.power;
        if p == 0.0 {
            return 0.5 * (y - mu).powi(2);
        }
        if mu <= 0.0 || mu.is_nan() {
            return f64::INFINITY;
        }
        if p == 1.0 {
            let own = if y > 0.0 { y * (y / mu).ln() } else { 0.0 };
            own - y + mu
        } else if p == 2.0 {
            (mu / y).ln() + y / mu - 1.0
        } else {
            y.max(0.0).powf(2.0 - p) / ((1.0 - p) * (2.0 - p)) - y * mu.powf(1.0 - p) / (1.0 - p)
                + mu.powf(2.0 - p) / (2.0 - p)
        }
    }

    /// First and second derivative of half the deviance by η, and the expectation of the second.
    fn slopes(self, y: f64, eta: f64) -> (f64, f64, f64) {
        let (p, mu) = (self.power, self.mean(eta));
        if self.log {
            let unit = if p == 1.0 { 1.0 } else { mu.powf(1.0 - p) };
            (
                (mu - y) * unit,
                unit * ((2.0 - p) * mu + (p - 1.0) * y),
                unit * mu,
            )
        } else {
            let unit = mu.powf(-p);
            ((mu - y) * unit, unit / mu * ((1.0 - p) * mu + p * y), unit)
        }
    }
}

choices! {
    /// How the optimum is found.
    pub enum Solver {
        /// Newton steps.
        NewtonCholesky = "newton-cholesky",
        /// Quasi-Newton steps, and Newton steps at the end.
        Lbfgs = "lbfgs",
    }
}

/// What the three entries are asked for.
pub(crate) struct Request {
    pub(crate) name: &'static str,
    pub(crate) family: Family,
    pub(crate) alpha: f64,
    pub(crate) fit_intercept: bool,
    pub(crate) solver: Solver,
    pub(crate) max_iter: usize,
    pub(crate) tol: f64,
}

/// Where quasi-Newton steps end and Newton steps go on: the largest entry of the gradient in standardised
/// columns, and the gain of a step.
const NEAR: f64 = 1e-6;
const NO_GAIN: f64 = 1e-12;

/// Fitted state.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    plane: Plane,
    family: Family,
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        let eta = self.plane.values(x);
        let values = eta.into_iter().map(|e| self.family.mean(e)).collect();
        Ok(Prediction::values(values))
    }

    fn outputs(&self) -> Outputs {
        self.plane.outputs()
    }

    fn figures(&self, y: &[f64], prediction: &Prediction) -> Vec<(&'static str, f64)> {
        let pairs = y.iter().zip(&prediction.values);
        let sum: f64 = pairs
            .map(|(y, mu)| self.family.half_deviance(*y, *mu))
            .sum();
        vec![("deviance", 2.0 * sum / y.len() as f64)]
    }
}

/// Minimises the weighted mean of half the deviance plus alpha/2 |w|².
pub(crate) fn fit(request: &Request, data: &Training) -> Result<Fitted, FitError> {
    let units = Units::new(data, request.fit_intercept)?;
    let (n, width) = (data.x().nrows(), units.width());
    let total: f64 = data.weights().map_or(n as f64, |w| w.iter().sum());
    let problem = Problem {
        units: &units,
        y: data.y(),
        weights: data.weights(),
        total,
        family: request.family,
        // The penalty falls on the weights of the columns as they came.
        penalties: units
            .scales
            .iter()
            .map(|s| request.alpha / (s * s))
            .collect(),
    };
    let each = data.y().iter().enumerate();
    let mean = each.map(|(i, y)| y * problem.weight(i)).sum::<f64>();
    let mut theta = vec![0.0; width];
    if request.fit_intercept {
        theta[width - 1] = if request.family.log { mean.ln() } else { mean };
        if !theta[width - 1].is_finite() {
            return Err(FitError::Failed(format!(
                "{}: the mean of the target is {mean}, which has no logarithm",
                request.name
            )));
        }
    }
    let mut etas = vec![0.0; n];
    let mut value = problem.value(&theta, &mut etas);
    if !value.is_finite() {
        return Err(FitError::Failed(format!(
            "{}: the fit has no start with a finite deviance: rescale the columns, or fit an intercept",
            request.name
        )));
    }
    // η is a logarithm, or a value in units of the target.
    let unit = if request.family.log {
        1.0
    } else {
        mean.abs().max(f64::MIN_POSITIVE)
    };
    let mut n_iter = 0;
    if request.solver == Solver::Lbfgs {
        let mut room = vec![0.0; n];
        let of = |theta: &[f64]| {
            let value = problem.value(theta, &mut room);
            (value, problem.gradient(theta, &room))
        };
        let stop = Stop {
            max_iter: request.max_iter,
            gradient: NEAR * unit,
            gain: NO_GAIN,
        };
        let found = minimise(of, theta, (f64::NEG_INFINITY, f64::INFINITY), &stop);
        (theta, n_iter) = (found.at, found.steps);
        value = problem.value(&theta, &mut etas);
    }
    loop {
        let (gradient, curvature) = problem.curved(&theta, &etas, request.name)?;
        let mut step: Vec<f64> = gradient.iter().map(|g| -g).collect();
        curvature.solve(&mut step);
        let longest = step.iter().fold(0.0, |m: f64, s| m.max(s.abs()));
        if longest <= request.tol * unit {
            break;
        }
        if n_iter >= request.max_iter {
            return Err(FitError::Failed(format!(
                "{} did not converge in max_iter = {} steps (last step {longest:.3e}, tol {:e}): raise max_iter, tol or alpha",
                request.name, request.max_iter, request.tol
            )));
        }
        n_iter += 1;
        let promise = dot(&gradient, &step);
        let mut length = 1.0;
        let taken = loop {
            let mut next = theta.clone();
            add_scaled(&mut next, length, &step);
            let at = problem.value(&next, &mut etas);
            if at <= value + 1e-4 * length * promise + 4.0 * f64::EPSILON * value.abs() {
                break Some((next, at));
            }
            length *= 0.5;
            if length < 1e-12 {
                break None;
            }
        };
        let Some((next, at)) = taken else {
            return Err(FitError::Failed(format!(
                "{} stopped at a step of {longest:.3e} (tol {:e}), as near as double precision goes here: raise tol or alpha, or rescale the columns",
                request.name, request.tol
            )));
        };
        (theta, value) = (next, at);
    }
    let (weights, intercept) = units.undo(&theta);
    let extra = Outputs::from_iter([
        ("objective".to_owned(), value.into()),
        ("n_iter".to_owned(), n_iter.into()),
    ]);
    Ok(Fitted {
        plane: Plane::at(weights, intercept, extra)?,
        family: request.family,
    })
}

struct Problem<'a> {
    units: &'a Units<'a>,
    y: &'a [f64],
    weights: Option<&'a [f64]>,
    /// Sum of the weights.
    total: f64,
    family: Family,
    penalties: Vec<f64>,
}

impl Problem<'_> {
    /// Weight of a row, of a sum of 1.
    fn weight(&self, i: usize) -> f64 {
        self.weights.map_or(1.0, |w| w[i]) / self.total
    }

    /// The aim; `etas` become η of each row.
    fn value(&self, theta: &[f64], etas: &mut [f64]) -> f64 {
        self.units.times(theta, etas);
        let terms = etas.iter().zip(self.y).enumerate();
        let loss: f64 = terms
            .map(|(i, pair)| (self.weight(i), pair))
            .filter(|(w, _)| *w > 0.0)
            .map(|(w, (eta, y))| w * self.family.half_deviance(*y, self.family.mean(*eta)))
            .sum();
        let penalty: f64 = self
            .penalties
            .iter()
            .zip(theta)
            .map(|(a, t)| a * t * t)
            .sum();
        let value = loss + 0.5 * penalty;
        if value.is_nan() { f64::INFINITY } else { value }
    }

    /// Gradient, and the factor of the second derivatives where they are positive definite, else of their
    /// expectation: with that alone the steps would shrink by a constant factor only.
    fn curved(
        &self,
        theta: &[f64],
        etas: &[f64],
        name: &str,
    ) -> Result<(Vec<f64>, Cholesky), FitError> {
        // Twice, since a list of them would take more room than all else.
        let slopes = |i: usize| self.family.slopes(self.y[i], etas[i]);
        // With a logarithm and a power from 1 to 2 they are positive for any y from 0 on.
        let always = self.family.log && (1.0..=2.0).contains(&self.family.power);
        if always || (0..etas.len()).all(|i| slopes(i).1 > 0.0) {
            let (gradient, hessian) = self.derivatives(theta, etas, true);
            return Ok((gradient, lifted(&hessian, name)?));
        }
        let (gradient, hessian) = self.derivatives(theta, etas, true);
        if let Some(factor) = Cholesky::new(hessian) {
            return Ok((gradient, factor));
        }
        let (gradient, hessian) = self.derivatives(theta, etas, false);
        Ok((gradient, lifted(&hessian, name)?))
    }

    fn gradient(&self, theta: &[f64], etas: &[f64]) -> Vec<f64> {
        let slope = |i: usize| self.weight(i) * self.family.slopes(self.y[i], etas[i]).0;
        let mut gradient = self.units.sum(slope);
        for ((g, a), t) in gradient.iter_mut().zip(&self.penalties).zip(theta) {
            *g += a * t;
        }
        gradient
    }

    /// Gradient, and second derivatives as they are or as they are expected.
    fn derivatives(&self, theta: &[f64], etas: &[f64], observed: bool) -> (Vec<f64>, Array2<f64>) {
        let slopes = |i: usize| self.family.slopes(self.y[i], etas[i]);
        let (mut gradient, mut hessian) = self.units.sum_and_gram(|i| {
            let ((first, second, expected), w) = (slopes(i), self.weight(i));
            (w * first, w * if observed { second } else { expected })
        });
        for (j, a) in self.penalties.iter().enumerate() {
            gradient[j] += a * theta[j];
            hessian[[j, j]] += a;
        }
        (gradient, hessian)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, table};

    #[test]
    fn the_mean_comes_out_of_a_constant_column() {
        let rows: [&[f64]; 4] = [&[3.0]; 4];
        for (power, log) in [
            (0.0, true),
            (0.0, false),
            (1.0, true),
            (1.5, true),
            (2.0, true),
            (3.0, true),
        ] {
            let request = Request {
                name: "test",
                family: Family { power, log },
                alpha: 1.0,
                fit_intercept: true,
                solver: Solver::NewtonCholesky,
                max_iter: 100,
                tol: 1e-10,
            };
            let data = table(&rows, &[1.0, 2.0, 4.0, 5.0]);
            let p = fit(&request, &data)
                .unwrap()
                .predict(data.x().view())
                .unwrap();
            assert_near(&p.values, &[3.0; 4], 1e-9);
        }
    }

    #[test]
    fn slopes_are_those_of_the_deviance() {
        let h = 1e-5;
        for (power, log) in [
            (0.0, true),
            (1.0, true),
            (1.3, true),
            (2.0, true),
            (3.0, true),
            (1.5, false),
            (-1.0, false),
        ] {
            let f = Family { power, log };
            let (y, eta) = (1.7, 0.9);
            let d = |e: f64| f.half_deviance(y, f.mean(e));
            let (first, second, _) = f.slopes(y, eta);
            let numeric = (d(eta + h) - d(eta - h)) / (2.0 * h);
            assert!((first - numeric).abs() < 1e-8, "{power} {first} {numeric}");
            let numeric = (d(eta + h) - 2.0 * d(eta) + d(eta - h)) / (h * h);
            assert!(
                (second - numeric).abs() < 1e-4,
                "{power} {second} {numeric}"
            );
        }
    }

    #[test]
    fn both_solvers_end_where_scikit_learn_does() {
        // scikit-learn 1.9.1, TweedieRegressor(power=..., alpha=0.1, link="log", solver="newton-cholesky",
        // tol=1e-12, max_iter=10000) on the table of `remainders`: coef_ and intercept_. With a power of 3 and
        // targets far above the mean, second derivatives of rows are below 0.
        let rows = crate::testing::remainders();
        let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let y: Vec<f64> = (0..24)
            .map(|i| 0.5 + f64::from(i * 5 % 7) + if i % 6 == 0 { 40.0 } else { 0.0 })
            .collect();
        for (power, want) in [
            (
                1.0,
                [
                    -0.106_902_962_116_040_74,
                    -0.022_359_171_776_937_473,
                    -0.068_752_666_212_048_7,
                    -0.238_594_199_682_658_71,
                    3.671_301_555_450_247_7,
                ],
            ),
            (
                1.5,
                [
                    -0.109_927_584_035_537_15,
                    -0.034_822_395_732_250_16,
                    -0.120_213_454_725_153_09,
                    -0.135_570_200_444_242_12,
                    3.692_651_903_535_114_4,
                ],
            ),
            (
                2.0,
                [
                    -0.124_088_912_891_444_41,
                    -0.047_606_027_452_524_88,
                    -0.205_259_473_319_455_32,
                    -0.001_741_139_570_264_55,
                    3.772_113_831_206_509_4,
                ],
            ),
            (
                3.0,
                [
                    -0.166_304_685_163_910_95,
                    -0.108_263_704_708_172_01,
                    -0.341_795_302_432_929_2,
                    0.231_031_202_720_725_58,
                    4.518_932_235_077_462,
                ],
            ),
        ] {
            for solver in [Solver::NewtonCholesky, Solver::Lbfgs] {
                let request = Request {
                    name: "test",
                    family: Family { power, log: true },
                    alpha: 0.1,
                    fit_intercept: true,
                    solver,
                    max_iter: 100,
                    tol: 1e-9,
                };
                let outputs = fit(&request, &table(&rows, &y)).unwrap().outputs();
                let mut got: Vec<f64> =
                    serde_json::from_value(outputs["coefficients"].clone()).unwrap();
                got.push(outputs["intercept"].as_f64().unwrap());
                assert_near(&got, &want, 1e-7);
            }
        }
    }
}
