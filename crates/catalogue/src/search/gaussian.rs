//! A Gaussian process over points of the unit cube: Matérn 5/2 kernel with a length scale a parameter and noise,
//! fitted by maximum posterior likelihood (Rasmussen & Williams, 2006, ch. 5; priors of Hvarfner et al., 2024).

use super::engine::Space;
use crate::distributions::normal_cdf;
use crate::numeric::{Cholesky, Stop, dot, minimise};
use ndarray::Array2;

/// Bounds of the logarithms of length scales and noise variance.
const BOUNDS: (f64, f64) = (-14.0, 5.0);

pub(super) struct Process<'a> {
    space: &'a Space,
    x: Vec<Vec<f64>>,
    /// K⁻¹ y.
    weights: Vec<f64>,
    factor: Cholesky,
    /// ln of the length scales, then of the noise variance.
    pub(super) hyper: Vec<f64>,
}

/// Squares of the differences by parameter; of unordered ones 1 when they differ.
fn apart(space: &Space, a: &[f64], b: &[f64], k: usize) -> f64 {
    if space.unordered(k) {
        return f64::from(u8::from(a[k] != b[k]));
    }
    (a[k] - b[k]).powi(2)
}

/// The kernel of scaled squared distance r²; and (5/3)(1 + √5 r) e^(-√5 r), the factor of its slopes.
fn matern(square: f64) -> (f64, f64) {
    let r = (5.0 * square).sqrt();
    let fall = (-r).exp();
    ((1.0 + r + r * r / 3.0) * fall, 5.0 / 3.0 * (1.0 + r) * fall)
}

fn scaled(space: &Space, hyper: &[f64], a: &[f64], b: &[f64]) -> f64 {
    (0..space.width())
        .map(|k| apart(space, a, b, k) * (-2.0 * hyper[k]).exp())
        .sum()
}

fn factored(space: &Space, x: &[Vec<f64>], hyper: &[f64]) -> Option<Cholesky> {
    let n = x.len();
    let noise = hyper[space.width()].exp() + 1e-9;
    let mut k = Array2::zeros((n, n));
    for i in 0..n {
        for j in 0..i {
            let v = matern(scaled(space, hyper, &x[i], &x[j])).0;
            k[[i, j]] = v;
            k[[j, i]] = v;
        }
        k[[i, i]] = 1.0 + noise;
    }
    Cholesky::new(k)
}

/// Minus the ln of likelihood and priors, and its gradient.
fn loss(space: &Space, x: &[Vec<f64>], y: &[f64], hyper: &[f64]) -> (f64, Vec<f64>) {
    let d = space.width();
    let Some(factor) = factored(space, x, hyper) else {
        return (f64::INFINITY, vec![0.0; d + 1]);
    };
    let mut weights = y.to_vec();
    factor.solve(&mut weights);
    let inverse = factor.inverse();
    let mut value = 0.5 * (dot(y, &weights) + factor.log_det());
    let mut gradient = vec![0.0; d + 1];
    for i in 0..x.len() {
        for j in 0..i {
            let steep = matern(scaled(space, hyper, &x[i], &x[j])).1;
            let by = (inverse[[i, j]] - weights[i] * weights[j]) * steep;
            for (k, g) in gradient[..d].iter_mut().enumerate() {
                *g += by * apart(space, &x[i], &x[j], k) * (-2.0 * hyper[k]).exp();
            }
        }
        gradient[d] += 0.5 * (inverse[[i, i]] - weights[i] * weights[i]) * hyper[d].exp();
    }
    // Length scales grow with the root of the number of parameters, so that points stay alike.
    let centre = 2.0f64.sqrt() + 0.5 * (d as f64).ln();
    let mut prior = |k: usize, centre: f64, sd: f64| {
        let z = (hyper[k] - centre) / sd;
        value += 0.5 * z * z;
        gradient[k] += z / sd;
    };
    (0..d).for_each(|k| prior(k, centre, 3.0f64.sqrt()));
    prior(d, -8.0, 2.0);
    (value, gradient)
}

impl<'a> Process<'a> {
    /// Of points and values of about mean 0 and deviation 1, from these hyper-parameters, fitted by so many steps
    /// at most; none when no factor exists.
    pub(super) fn new(
        space: &'a Space,
        x: Vec<Vec<f64>>,
        y: &[f64],
        hyper: &[f64],
        steps: usize,
    ) -> Option<Self> {
        let stop = Stop {
            max_iter: steps,
            gradient: 1e-3,
            gain: 1e-6,
        };
        let fitted = if steps == 0 {
            hyper.to_vec()
        } else {
            let found = minimise(|h| loss(space, &x, y, h), hyper.to_vec(), BOUNDS, &stop);
            if found.value.is_finite() {
                found.at
            } else {
                hyper.to_vec()
            }
        };
        let factor = factored(space, &x, &fitted)?;
        let mut weights = y.to_vec();
        factor.solve(&mut weights);
        Some(Self {
            space,
            x,
            weights,
            factor,
            hyper: fitted,
        })
    }

    /// Mean and standard deviation of the function at a point.
    pub(super) fn predict(&self, at: &[f64]) -> (f64, f64) {
        let mut k: Vec<f64> = self
            .x
            .iter()
            .map(|x| matern(scaled(self.space, &self.hyper, x, at)).0)
            .collect();
        let mean = dot(&k, &self.weights);
        self.factor.forward(&mut k);
        (mean, (1.0 - dot(&k, &k)).max(1e-12).sqrt())
    }

    /// ln of the expected improvement on `best`, which keeps its slope where the improvement underflows (Ament
    /// et al., 2023).
    pub(super) fn ln_improvement(&self, at: &[f64], best: f64) -> f64 {
        let (mean, sd) = self.predict(at);
        let z = (best - mean) / sd;
        let density = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let h = if z > -10.0 {
            (density + z * normal_cdf(z)).ln()
        } else {
            // φ(z)/z² (1 - 3/z² + 15/z⁴ - ...).
            let r = 1.0 / (z * z);
            let series = -r * (3.0 - r * (15.0 - 105.0 * r));
            -0.5 * z * z - 0.918_938_533_204_672_7 + r.ln() + series.ln_1p()
        };
        sd.ln() + h
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;

    fn points() -> (Space, Vec<Vec<f64>>, Vec<f64>) {
        let space = Space::cube(2, 0.0, 1.0).unwrap();
        let x: Vec<Vec<f64>> = [[0.1, 0.2], [0.4, 0.9], [0.8, 0.3], [0.6, 0.6], [0.95, 0.95]]
            .map(|p| p.to_vec())
            .to_vec();
        (space, x, vec![0.5, -1.0, 1.2, -0.3, 0.1])
    }

    #[test]
    fn predictions_are_those_of_scikit_learn() {
        // scikit-learn 1.9.1: Matern([0.5, 2], nu=2.5), alpha 0.01, optimizer none; predict(return_std).
        let (space, x, y) = points();
        let hyper = [0.5f64.ln(), 2.0f64.ln(), (0.01f64 - 1e-9).ln()];
        let fitted = Process::new(&space, x, &y, &hyper, 0).unwrap();
        let (mean, sd) = fitted.predict(&[0.3, 0.3]);
        assert_near(
            &[mean, sd],
            &[-0.140_731_479_246_454_02, 0.256_589_059_559_579_1],
            1e-9,
        );
        let (mean, sd) = fitted.predict(&[0.7, 0.9]);
        assert_near(
            &[mean, sd],
            &[-0.285_943_112_251_145_3, 0.210_029_888_342_493],
            1e-9,
        );
    }

    #[test]
    fn the_gradient_is_that_of_differences() {
        let (space, x, y) = points();
        let at = [-0.3, 0.4, -3.0];
        let (_, gradient) = loss(&space, &x, &y, &at);
        for k in 0..3 {
            let step = |by: f64| {
                let mut moved = at;
                moved[k] += by;
                loss(&space, &x, &y, &moved).0
            };
            let want = (step(1e-5) - step(-1e-5)) / 2e-5;
            assert_near(&[gradient[k]], &[want], 1e-6);
        }
    }

    #[test]
    fn improvement_joins_where_its_form_changes() {
        let (space, x, y) = points();
        let hyper = [-1.0, -1.0, -6.0];
        let fitted = Process::new(&space, x, &y, &hyper, 0).unwrap();
        let (mean, sd) = fitted.predict(&[0.5, 0.1]);
        let at = |z: f64| fitted.ln_improvement(&[0.5, 0.1], mean + z * sd);
        assert!((at(-10.000_001) - at(-9.999_999)).abs() < 1e-4);
        // At z = 0: sd φ(0).
        assert_near(&[at(0.0).exp()], &[sd * 0.398_942_280_401_432_7], 1e-9);
    }
}
