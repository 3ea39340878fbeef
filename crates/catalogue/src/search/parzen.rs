//! Densities of points by kernels, for the tree-structured Parzen estimator (Bergstra et al., 2011), over all
//! parameters at once (Falkner et al., 2018).

use super::engine::Space;
use crate::distributions::normal_cdf;
use crate::numeric::normal;
use rand::Rng as _;
use rand_xoshiro::Xoshiro256PlusPlus;

/// A mixture of one kernel a point and a wide one about the middle of the cube.
pub(super) struct Parzen<'a> {
    space: &'a Space,
    /// Centres, widths and shares of the kernels; the last is the wide one.
    kernels: Vec<Kernel>,
}

struct Kernel {
    ln_weight: f64,
    centre: Vec<f64>,
    sigma: Vec<f64>,
}

impl<'a> Parzen<'a> {
    /// Of points from the oldest to the latest. The older ones of many weigh less.
    pub(super) fn new(space: &'a Space, points: Vec<&[f64]>) -> Self {
        const FULL: usize = 25;
        let (n, d) = (points.len(), space.width());
        let ramp = n.saturating_sub(FULL);
        let weight = |i: usize| {
            if i + 1 < ramp {
                // From one over n up to 1.
                let low = 1.0 / n as f64;
                low + (1.0 - low) * i as f64 / (ramp - 1) as f64
            } else {
                1.0
            }
        };
        let sum: f64 = 1.0 + (0..n).map(weight).sum::<f64>();
        let least = 1.0 / (2.0 + n as f64).min(100.0);
        let mut kernels: Vec<Kernel> = (0..n)
            .map(|i| Kernel {
                ln_weight: (weight(i) / sum).ln(),
                centre: points[i].to_vec(),
                sigma: vec![1.0; d],
            })
            .collect();
        for k in 0..d {
            let mut order: Vec<usize> = (0..n).collect();
            let value = |i: usize, k: usize| points[i][k];
            order.sort_by(|a, b| value(*a, k).total_cmp(&value(*b, k)));
            let at = |place: usize| value(order[place], k);
            for (place, i) in order.iter().enumerate() {
                // The farther of the two neighbours; a bound is one only of a point alone.
                let below = place.checked_sub(1).map(|p| at(place) - at(p));
                let above = (place + 1 < n).then(|| at(place + 1) - at(place));
                let far = match (below, above) {
                    (Some(a), Some(b)) => a.max(b),
                    (Some(a), None) | (None, Some(a)) => a,
                    (None, None) => at(place).max(1.0 - at(place)),
                };
                kernels[*i].sigma[k] = far.clamp(least, 1.0);
            }
        }
        kernels.push(Kernel {
            ln_weight: -sum.ln(),
            centre: vec![0.5; d],
            sigma: vec![1.0; d],
        });
        Self { space, kernels }
    }

    /// A point of the mixture.
    pub(super) fn draw(&self, random: &mut Xoshiro256PlusPlus) -> Vec<f64> {
        let mut left = random.r#gen::<f64>();
        let mut at = 0;
        for (i, kernel) in self.kernels.iter().enumerate() {
            at = i;
            left -= kernel.ln_weight.exp();
            if left < 0.0 {
                break;
            }
        }
        let kernel = &self.kernels[at];
        let wide = at + 1 == self.kernels.len();
        (0..self.space.width())
            .map(|k| {
                if self.space.unordered(k) {
                    let anew = wide || random.r#gen::<f64>() < self.spread(k);
                    return if anew {
                        random.r#gen()
                    } else {
                        kernel.centre[k]
                    };
                }
                loop {
                    let x = kernel.centre[k] + kernel.sigma[k] * normal(random);
                    if (0.0..=1.0).contains(&x) {
                        return x;
                    }
                }
            })
            .collect()
    }

    /// Share of a kernel that is spread evenly over all choices of a parameter.
    fn spread(&self, k: usize) -> f64 {
        let choices = self.space.choices(k);
        choices / (choices + self.kernels.len() as f64)
    }

    /// ln of the density at a point of the cube whose unordered parameters are snapped.
    pub(super) fn ln_density(&self, x: &[f64]) -> f64 {
        let each: Vec<f64> = (0..self.kernels.len())
            .map(|i| self.kernels[i].ln_weight + self.ln_kernel(i, x))
            .collect();
        let top = each.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        top + each.iter().map(|l| (l - top).exp()).sum::<f64>().ln()
    }

    fn ln_kernel(&self, i: usize, x: &[f64]) -> f64 {
        let Kernel { centre, sigma, .. } = &self.kernels[i];
        let wide = i + 1 == self.kernels.len();
        let one = |k: usize| {
            if self.space.unordered(k) {
                if wide {
                    return 0.0;
                }
                let same = f64::from(u8::from(centre[k] == x[k]));
                let choices = self.space.choices(k);
                // A density over the unit interval: each choice takes up one over their number of it.
                return (self.spread(k) + (1.0 - self.spread(k)) * same * choices).ln();
            }
            let (m, s) = (centre[k], sigma[k]);
            let inside = normal_cdf((1.0 - m) / s) - normal_cdf(-m / s);
            let (low, high) = self.space.cell(k, x[k]);
            if high > low {
                let mass = normal_cdf((high - m) / s) - normal_cdf((low - m) / s);
                // Far out the mass underflows, which leaves it nothing to say.
                return (mass.max(1e-300) / ((high - low) * inside)).ln();
            }
            let z = (x[k] - m) / s;
            -0.5 * z * z - (s * (2.0 * std::f64::consts::PI).sqrt() * inside).ln()
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

    #[test]
    fn densities_are_those_of_optuna() {
        // optuna 5.0, _ParzenEstimator of x in [0, 1], k = 0..3 in whole numbers and 3 choices, with the points
        // below; log_pdf. Whole numbers have masses there and densities over the interval here: ln 4 apart; choices
        // likewise, ln 3.
        let space = Space::new(vec![
            Dimension::Real {
                low: 0.0,
                high: 1.0,
                log: false,
            },
            Dimension::Integer {
                low: 0,
                high: 3,
                log: false,
            },
            Dimension::Categorical { choices: 3 },
        ])
        .unwrap();
        let unit = |x: f64, k: f64, c: f64| [x, (k + 0.5) / 4.0, (c + 0.5) / 3.0];
        let points = [
            unit(0.1, 0.0, 0.0),
            unit(0.15, 1.0, 0.0),
            unit(0.9, 3.0, 2.0),
            unit(0.4, 1.0, 1.0),
        ];
        let density = Parzen::new(&space, points.iter().map(|p| &p[..]).collect());
        let apart = 12.0f64.ln();
        let got: Vec<f64> = [(0.12, 1.0, 0.0), (0.5, 2.0, 1.0), (0.95, 0.0, 2.0)]
            .iter()
            .map(|(x, k, c)| density.ln_density(&unit(*x, *k, *c)) - apart)
            .collect();
        crate::testing::assert_near(
            &got,
            &[
                -1.097_807_658_597_646_6,
                -2.555_937_182_103_92,
                -3.095_400_521_753_230_5,
            ],
            1e-9,
        );
    }
}
