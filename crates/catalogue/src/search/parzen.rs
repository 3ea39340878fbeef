//! Densities of points by kernels, for the tree-structured Parzen estimator (Bergstra et al., 2011), over all
//! parameters at once (Falkner et al., 2018).

use super::engine::Space;
use crate::distributions::normal_cdf;
use crate::numeric::normal;
use rand::Rng as _;
use rand_xoshiro::Xoshiro256PlusPlus;

/// A mixture of one kernel a point and a wide one over the whole cube.
pub(super) struct Parzen<'a> {
    space: &'a Space,
    /// Points; the first kernel is the wide one.
    points: Vec<&'a [f64]>,
    weights: Vec<f64>,
    sigma: f64,
}

impl<'a> Parzen<'a> {
    /// Of points from the oldest to the latest. The older ones of many weigh less.
    pub(super) fn new(space: &'a Space, points: Vec<&'a [f64]>) -> Self {
        const FULL: usize = 25;
        let n = points.len();
        let ramp = n.saturating_sub(FULL);
        let weight = |i: usize| {
            if i < ramp {
                // From one over n up to 1.
                let low = 1.0 / n as f64;
                low + (1.0 - low) * i as f64 / ramp as f64
            } else {
                1.0
            }
        };
        let mut weights: Vec<f64> = std::iter::once(1.0).chain((0..n).map(weight)).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w /= sum);
        // Scott's rule for a deviation of 0.2, not under what tells n points apart.
        let scott = 0.2 * (n.max(1) as f64).powf(-1.0 / (space.width() as f64 + 4.0));
        let least = 1.0 / (1.0 + n as f64).min(100.0);
        Self {
            space,
            points,
            weights,
            sigma: scott.max(least),
        }
    }

    fn kernel(&self, component: usize) -> Option<&'a [f64]> {
        component.checked_sub(1).map(|i| self.points[i])
    }

    /// A point of the mixture.
    pub(super) fn draw(&self, random: &mut Xoshiro256PlusPlus) -> Vec<f64> {
        let mut left = random.r#gen::<f64>();
        let mut component = 0;
        for (i, w) in self.weights.iter().enumerate() {
            component = i;
            left -= w;
            if left < 0.0 {
                break;
            }
        }
        let centre = self.kernel(component);
        (0..self.space.width())
            .map(|k| {
                let Some(centre) = centre else {
                    return random.r#gen();
                };
                if self.space.unordered(k) {
                    let stay = 1.0 - self.spread();
                    return if random.r#gen::<f64>() < stay {
                        centre[k]
                    } else {
                        random.r#gen()
                    };
                }
                loop {
                    let x = centre[k] + self.sigma * normal(random);
                    if (0.0..=1.0).contains(&x) {
                        return x;
                    }
                }
            })
            .collect()
    }

    /// Share of a kernel that is spread over all choices.
    fn spread(&self) -> f64 {
        1.0 / (1.0 + self.points.len() as f64).sqrt()
    }

    /// ln of the density at a point of the cube whose unordered parameters are snapped.
    pub(super) fn ln_density(&self, x: &[f64]) -> f64 {
        let each: Vec<f64> = (0..self.weights.len())
            .map(|i| self.weights[i].ln() + self.kernel(i).map_or(0.0, |c| self.ln_kernel(c, x)))
            .collect();
        let top = each.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        top + each.iter().map(|l| (l - top).exp()).sum::<f64>().ln()
    }

    fn ln_kernel(&self, centre: &[f64], x: &[f64]) -> f64 {
        let one = |k: usize| {
            if self.space.unordered(k) {
                let same = f64::from(u8::from(centre[k] == x[k]));
                let choices = self.space.choices(k);
                // A density over the unit interval: each choice takes up one over their number of it.
                return (self.spread() + (1.0 - self.spread()) * same * choices).ln();
            }
            let z = (x[k] - centre[k]) / self.sigma;
            let inside =
                normal_cdf((1.0 - centre[k]) / self.sigma) - normal_cdf(-centre[k] / self.sigma);
            -0.5 * z * z - (self.sigma * (2.0 * std::f64::consts::PI).sqrt() * inside).ln()
        };
        (0..x.len()).map(one).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::engine::Dimension;
    use super::*;

    #[test]
    fn the_density_has_mass_one() {
        let space = Space::new(vec![
            Dimension::Real {
                low: 0.0,
                high: 1.0,
                log: false,
            },
            Dimension::Categorical { choices: 4 },
        ])
        .unwrap();
        let points = [[0.1, 0.125], [0.15, 0.125], [0.9, 0.875]];
        let density = Parzen::new(&space, points.iter().map(|p| &p[..]).collect());
        // Midpoint rule over the interval and the four choices, of a quarter each.
        let mass: f64 = (0..2000)
            .flat_map(|i| {
                (0..4).map(move |c| [(f64::from(i) + 0.5) / 2000.0, (f64::from(c) + 0.5) / 4.0])
            })
            .map(|x| density.ln_density(&x).exp())
            .sum::<f64>()
            / 8000.0;
        assert!((mass - 1.0).abs() < 1e-6, "{mass}");
        // Nearer to the points it is larger.
        assert!(density.ln_density(&[0.12, 0.125]) > density.ln_density(&[0.5, 0.375]));
    }
}
