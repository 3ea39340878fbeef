//! A Gaussian process over points of the unit cube: Matérn 5/2 kernel with a length scale a parameter and noise,
//! fitted by maximum posterior likelihood (Rasmussen & Williams, 2006, ch. 5; priors of Hvarfner et al., 2024).

use super::engine::Space;
use crate::distributions::normal_cdf;
use crate::numeric::{Cholesky, Stop, dot, minimise};
use ndarray::Array2;

/// Bounds of the logarithms of the hyper-parameters.
const BOUNDS: (f64, f64) = (-14.0, 7.0);
/// ln √(2π).
const LN_ROOT_TAU: f64 = 0.918_938_533_204_672_7;

pub(super) struct Process<'a> {
    space: &'a Space,
    x: Vec<Vec<f64>>,
    /// K⁻¹ y.
    weights: Vec<f64>,
    factor: Cholesky,
    /// ln of the length scales, of the noise variance and of the signal variance.
    pub(super) hyper: Vec<f64>,
    /// Minus the ln of likelihood and priors.
    pub(super) loss: f64,
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

/// 1 / the squares of the length scales.
fn rates(hyper: &[f64], width: usize) -> Vec<f64> {
    hyper[..width].iter().map(|h| (-2.0 * h).exp()).collect()
}

fn scaled(space: &Space, rates: &[f64], a: &[f64], b: &[f64]) -> f64 {
    let each = rates.iter().enumerate();
    each.map(|(k, rate)| apart(space, a, b, k) * rate).sum()
}

/// The hyper-parameters that are tried first in so many parameters. Length scales grow with the root of their
/// number, so that points stay alike.
pub(super) fn usual(width: usize) -> Vec<f64> {
    let mut hyper = vec![-0.5 + 0.5 * (width as f64).ln(); width];
    hyper.extend([-8.0, 0.0]);
    hyper
}

/// Minus the ln of likelihood and priors, its gradient, the factor and K⁻¹ y; no factor when K has none.
fn loss(
    space: &Space,
    x: &[Vec<f64>],
    y: &[f64],
    hyper: &[f64],
) -> (f64, Vec<f64>, Option<(Cholesky, Vec<f64>)>) {
    let (n, d) = (x.len(), space.width());
    let (noise, signal) = (hyper[d].exp(), hyper[d + 1].exp());
    let rates = rates(hyper, d);
    let mut kernel = Array2::zeros((n, n));
    let mut steep = Array2::<f64>::zeros((n, n));
    for i in 0..n {
        for j in 0..i {
            let (v, slope) = matern(scaled(space, &rates, &x[i], &x[j]));
            kernel[[i, j]] = signal * v;
            kernel[[j, i]] = signal * v;
            steep[[i, j]] = signal * slope;
        }
        kernel[[i, i]] = signal + noise + 1e-9 * signal.max(1.0);
    }
    let Some(factor) = Cholesky::new(kernel) else {
        return (f64::INFINITY, vec![0.0; d + 2], None);
    };
    let mut weights = y.to_vec();
    factor.solve(&mut weights);
    let inverse = factor.inverse();
    let mut value = 0.5 * (dot(y, &weights) + factor.log_det());
    let mut gradient = vec![0.0; d + 2];
    let mut trace = 0.0;
    for i in 0..n {
        for j in 0..i {
            let by = (inverse[[i, j]] - weights[i] * weights[j]) * steep[[i, j]];
            for (k, g) in gradient[..d].iter_mut().enumerate() {
                *g += by * apart(space, &x[i], &x[j], k) * rates[k];
            }
        }
        trace += inverse[[i, i]] - weights[i] * weights[i];
    }
    gradient[d] = 0.5 * trace * noise;
    // tr (K⁻¹ - w wᵀ) K = n - wᵀ y; all of K but the noise grows with the signal.
    gradient[d + 1] = 0.5 * (n as f64 - dot(y, &weights)) - gradient[d];
    if signal < 1.0 {
        gradient[d + 1] -= 0.5 * trace * 1e-9;
    }
    let mut prior = |k: usize, centre: f64, sd: f64| {
        let z = (hyper[k] - centre) / sd;
        value += 0.5 * z * z;
        gradient[k] += z / sd;
    };
    let centre = 2.0f64.sqrt() + 0.5 * (d as f64).ln();
    (0..d).for_each(|k| prior(k, centre, 3.0f64.sqrt()));
    prior(d, -8.0, 2.0);
    prior(d + 1, 0.0, 1.5);
    (value, gradient, Some((factor, weights)))
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
        let mut fitted = hyper.to_vec();
        if steps > 0 {
            let of = |h: &[f64]| {
                let (value, gradient, _) = loss(space, &x, y, h);
                (value, gradient)
            };
            let found = minimise(of, fitted.clone(), BOUNDS, &stop);
            if found.value.is_finite() {
                fitted = found.at;
            }
        }
        let (loss, _, solved) = loss(space, &x, y, &fitted);
        let (factor, weights) = solved?;
        Some(Self {
            space,
            x,
            weights,
            factor,
            hyper: fitted,
            loss,
        })
    }

    /// Mean and standard deviation of the function at a point, and their slopes in it; 0 along parameters without
    /// an order.
    fn predict(&self, at: &[f64]) -> (f64, f64, Vec<f64>, Vec<f64>) {
        let d = self.space.width();
        let signal = self.hyper[d + 1].exp();
        let rates = rates(&self.hyper, d);
        let (mut k, mut slopes) = (Vec::new(), Vec::new());
        for x in &self.x {
            let (v, slope) = matern(scaled(self.space, &rates, x, at));
            k.push(signal * v);
            slopes.push(signal * slope);
        }
        let mean = dot(&k, &self.weights);
        let mut solved = k.clone();
        self.factor.solve(&mut solved);
        let sd = (signal - dot(&k, &solved)).max(1e-12 * signal).sqrt();
        let (mut of_mean, mut of_sd) = (vec![0.0; d], vec![0.0; d]);
        for (i, x) in self.x.iter().enumerate() {
            for j in (0..d).filter(|j| !self.space.unordered(*j)) {
                let slope = -slopes[i] * (at[j] - x[j]) * rates[j];
                of_mean[j] += self.weights[i] * slope;
                of_sd[j] -= solved[i] * slope / sd;
            }
        }
        (mean, sd, of_mean, of_sd)
    }

    /// ln of the expected improvement on `best`, which keeps its slope where the improvement underflows (Ament
    /// et al., 2023); and its slopes.
    pub(super) fn ln_improvement(&self, at: &[f64], best: f64) -> (f64, Vec<f64>) {
        let (mean, sd, of_mean, of_sd) = self.predict(at);
        let z = (best - mean) / sd;
        // ln (φ(z) + z Φ(z)) and its slope.
        let (ln, steep) = if z > -10.0 {
            let below = normal_cdf(z);
            let h = (-0.5 * z * z - LN_ROOT_TAU).exp() + z * below;
            (h.ln(), below / h)
        } else {
            // φ(z)/z² (1 - 3/z² + 15/z⁴ - ...).
            let r = 1.0 / (z * z);
            let series = -r * (3.0 - r * (15.0 - 105.0 * r));
            let ln = -0.5 * z * z - LN_ROOT_TAU + r.ln() + series.ln_1p();
            (ln, -z - 2.0 / z + 6.0 * r / z)
        };
        let slopes = of_mean.iter().zip(&of_sd);
        let slopes = slopes.map(|(m, s)| s / sd - steep * (m + z * s) / sd);
        (sd.ln() + ln, slopes.collect())
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
        let hyper = [0.5f64.ln(), 2.0f64.ln(), (0.01f64 - 1e-9).ln(), 0.0];
        let fitted = Process::new(&space, x, &y, &hyper, 0).unwrap();
        let (mean, sd, ..) = fitted.predict(&[0.3, 0.3]);
        assert_near(
            &[mean, sd],
            &[-0.140_731_479_246_454_02, 0.256_589_059_559_579_1],
            1e-9,
        );
        let (mean, sd, ..) = fitted.predict(&[0.7, 0.9]);
        assert_near(
            &[mean, sd],
            &[-0.285_943_112_251_145_3, 0.210_029_888_342_493],
            1e-9,
        );
    }

    #[test]
    fn the_gradient_is_that_of_differences() {
        let (space, x, y) = points();
        let at = [-0.3, 0.4, -3.0, 0.7];
        let (_, gradient, _) = loss(&space, &x, &y, &at);
        for k in 0..4 {
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
        let hyper = [-1.0, -1.0, -6.0, 0.3];
        let fitted = Process::new(&space, x, &y, &hyper, 0).unwrap();
        let (mean, sd, ..) = fitted.predict(&[0.5, 0.1]);
        let at = |z: f64| fitted.ln_improvement(&[0.5, 0.1], mean + z * sd).0;
        assert!((at(-10.000_001) - at(-9.999_999)).abs() < 1e-4);
        // At z = 0: sd φ(0).
        assert_near(&[at(0.0).exp()], &[sd * 0.398_942_280_401_432_7], 1e-9);
    }

    #[test]
    fn slopes_of_the_improvement_are_those_of_differences() {
        let (space, x, y) = points();
        let fitted = Process::new(&space, x, &y, &[-1.0, -0.5, -6.0, 0.3], 0).unwrap();
        for (at, best) in [([0.5, 0.1], -1.0), ([0.3, 0.7], -0.9), ([0.79, 0.31], -9.0)] {
            let (_, slopes) = fitted.ln_improvement(&at, best);
            for k in 0..2 {
                let step = |by: f64| {
                    let mut moved = at;
                    moved[k] += by;
                    fitted.ln_improvement(&moved, best).0
                };
                let want = (step(1e-6) - step(-1e-6)) / 2e-6;
                assert_near(&[slopes[k]], &[want], 1e-4);
            }
        }
    }
}
