//! A local search from the best point of another search: BFGS with slopes by forward differences within bounds
//! (Nocedal & Wright, 2006, ch. 6), asked and told like all searches. Only real parameters move.

use super::engine::Space;
use crate::numeric::dot;

/// Step of the differences, a share of the range.
const DIFFERENCE: f64 = 1e-8;
/// Length of the first step, before anything is known of the curvature.
const FIRST: f64 = 0.01;
/// Share of the fall promised by the slope that a step must bring (Armijo).
const SUFFICIENT: f64 = 1e-4;
/// Steps along one direction.
const TRIES: usize = 12;

enum Phase {
    /// The points beside `at` are out.
    Slopes,
    /// A point along the direction is out, so many times its length away, the so-manieth.
    Line { share: f64, tries: usize },
    /// Nothing better near.
    Over,
}

pub(super) struct Polish {
    /// Real parameters.
    free: Vec<usize>,
    at: Vec<f64>,
    value: f64,
    /// Inverse of the curvature by rows, over the real parameters; none before two slopes are known.
    inverse: Option<Vec<Vec<f64>>>,
    slopes: Vec<f64>,
    direction: Vec<f64>,
    /// Point and slopes before the last step.
    before: Option<(Vec<f64>, Vec<f64>)>,
    phase: Phase,
}

impl Polish {
    /// From a point of the unit cube with its value; none when there is no real parameter.
    pub(super) fn new(space: &Space, at: Vec<f64>, value: f64) -> Option<Self> {
        let free: Vec<usize> = (0..space.width()).filter(|k| space.real(*k)).collect();
        (!free.is_empty() && value.is_finite()).then(|| Self {
            slopes: vec![0.0; free.len()],
            direction: vec![0.0; free.len()],
            free,
            at,
            value,
            inverse: None,
            before: None,
            phase: Phase::Slopes,
        })
    }

    /// The best point and its value.
    pub(super) fn best(&self) -> (Vec<f64>, f64) {
        (self.at.clone(), self.value)
    }

    /// The next points; none when nothing better is near.
    pub(super) fn ask(&self) -> Vec<Vec<f64>> {
        match self.phase {
            Phase::Slopes => self.free.iter().map(|k| self.beside(*k).0).collect(),
            Phase::Line { share, .. } => vec![self.along(share)],
            Phase::Over => Vec::new(),
        }
    }

    /// The point beside `at` in a parameter, and how far it is.
    fn beside(&self, k: usize) -> (Vec<f64>, f64) {
        let mut point = self.at.clone();
        let step = if point[k] + DIFFERENCE > 1.0 {
            -DIFFERENCE
        } else {
            DIFFERENCE
        };
        point[k] += step;
        // What the addition really did.
        let step = point[k] - self.at[k];
        (point, step)
    }

    fn along(&self, share: f64) -> Vec<f64> {
        let mut point = self.at.clone();
        for (k, step) in self.free.iter().zip(&self.direction) {
            point[*k] = (point[*k] + share * step).clamp(0.0, 1.0);
        }
        point
    }

    fn here(&self) -> Vec<f64> {
        self.free.iter().map(|k| self.at[*k]).collect()
    }

    /// Takes in the values of the points that were out.
    pub(super) fn tell(&mut self, told: &[(Vec<f64>, f64)]) {
        match self.phase {
            Phase::Slopes => {
                let steps = self.free.iter().zip(told);
                self.slopes = steps
                    .map(|(k, (_, v))| (v - self.value) / self.beside(*k).1)
                    .collect();
                self.phase = if self.slopes.iter().all(|s| s.is_finite()) {
                    self.learn();
                    self.aim()
                } else {
                    Phase::Over
                };
            }
            Phase::Line { share, tries } => {
                let Some((point, value)) = told.first() else {
                    self.phase = Phase::Over;
                    return;
                };
                let moved = self.free.iter().map(|k| point[*k] - self.at[*k]);
                let promised: f64 = moved.zip(&self.slopes).map(|(m, s)| m * s).sum();
                if *value <= self.value + SUFFICIENT * promised && *value < self.value {
                    self.before = Some((self.here(), self.slopes.clone()));
                    (self.at, self.value) = (point.clone(), *value);
                    self.phase = Phase::Slopes;
                } else if tries < TRIES {
                    // The least point of the parabola through value, slope and this value.
                    let bend = 2.0 * (value - self.value - promised);
                    let least = if bend > 0.0 { -promised / bend } else { 0.5 };
                    self.phase = Phase::Line {
                        share: share * least.clamp(0.1, 0.5),
                        tries: tries + 1,
                    };
                } else if self.inverse.take().is_some() {
                    // Once more straight down.
                    self.before = None;
                    self.phase = self.aim();
                } else {
                    self.phase = Phase::Over;
                }
            }
            Phase::Over => {}
        }
    }

    /// The update of Broyden, Fletcher, Goldfarb and Shanno.
    fn learn(&mut self) {
        let Some((from, was)) = self.before.take() else {
            return;
        };
        let less =
            |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a - b).collect() };
        let (s, y) = (less(&self.here(), &from), less(&self.slopes, &was));
        let (sy, yy) = (dot(&s, &y), dot(&y, &y));
        if sy <= 1e-10 * (dot(&s, &s) * yy).sqrt() {
            return;
        }
        let n = s.len();
        let start = || -> Vec<Vec<f64>> {
            let one = |i: usize| (0..n).map(move |j| if i == j { sy / yy } else { 0.0 });
            (0..n).map(|i| one(i).collect()).collect()
        };
        let mut h = self.inverse.take().unwrap_or_else(start);
        let hy: Vec<f64> = h.iter().map(|row| dot(row, &y)).collect();
        let more = (1.0 + dot(&y, &hy) / sy) / sy;
        for (i, row) in h.iter_mut().enumerate() {
            for (j, v) in row.iter_mut().enumerate() {
                *v += more * s[i] * s[j] - (hy[i] * s[j] + s[i] * hy[j]) / sy;
            }
        }
        self.inverse = Some(h);
    }

    /// The direction from here.
    fn aim(&mut self) -> Phase {
        let here = self.here();
        // At a bound that the slope leads beyond, a parameter stays.
        let open: Vec<f64> = here
            .iter()
            .zip(&self.slopes)
            .map(|(x, s)| {
                let out = (*x <= 0.0 && *s > 0.0) || (*x >= 1.0 && *s < 0.0);
                if out { 0.0 } else { *s }
            })
            .collect();
        let length = dot(&open, &open).sqrt();
        if length == 0.0 {
            return Phase::Over;
        }
        let bent = self.inverse.as_ref().map(|h| {
            let each = h.iter().zip(&open);
            let d = each.map(|(row, s)| if *s == 0.0 { 0.0 } else { -dot(row, &open) });
            d.collect::<Vec<f64>>()
        });
        self.direction = match bent {
            Some(d) if dot(&d, &open) < 0.0 => d,
            _ => {
                self.inverse = None;
                open.iter().map(|s| -s * FIRST / length).collect()
            }
        };
        Phase::Line {
            share: 1.0,
            tries: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Evaluations and value when it is over, or after so many.
    fn polished(
        width: usize,
        from: &[f64],
        most: usize,
        f: impl Fn(&[f64]) -> f64,
    ) -> (usize, Vec<f64>, f64) {
        let space = Space::cube(width, 0.0, 1.0).unwrap();
        let mut polish = Polish::new(&space, from.to_vec(), f(from)).unwrap();
        let mut spent = 0;
        while spent < most {
            let batch = polish.ask();
            if batch.is_empty() {
                break;
            }
            spent += batch.len();
            let told: Vec<_> = batch.into_iter().map(|p| (p.clone(), f(&p))).collect();
            assert!(
                told.iter()
                    .flat_map(|t| &t.0)
                    .all(|x| (0.0..=1.0).contains(x))
            );
            polish.tell(&told);
        }
        let (at, value) = polish.best();
        (spent, at, value)
    }

    #[test]
    fn a_valley_is_followed_to_its_end() {
        // Rosenbrock's function on [-5, 10]²: 0 at 1, 1, from the usual start -1.2, 1.
        let f = |u: &[f64]| {
            let (x, y) = (15.0 * u[0] - 5.0, 15.0 * u[1] - 5.0);
            100.0 * (y - x * x).powi(2) + (1.0 - x).powi(2)
        };
        let (spent, at, value) = polished(2, &[3.8 / 15.0, 0.4], 300, f);
        assert!(value < 1e-7, "{value} after {spent}");
        assert!((at[0] - 0.4).abs() < 1e-4 && (at[1] - 0.4).abs() < 1e-4);
    }

    #[test]
    fn a_least_point_on_a_bound_is_found() {
        // (x + 1)² + (y - 0.3)²: on the unit square least at 0, 0.3, with value 1.
        let f = |u: &[f64]| (u[0] + 1.0).powi(2) + (u[1] - 0.3).powi(2);
        let (_, at, value) = polished(2, &[0.8, 0.9], 300, f);
        assert_eq!(at[0], 0.0);
        assert!((at[1] - 0.3).abs() < 1e-5 && (value - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_step_has_no_slopes_and_ends_it() {
        let (spent, _, value) = polished(3, &[0.5; 3], 300, |u| (10.0 * u[0]).floor());
        assert_eq!((spent, value), (3, 5.0));
    }
}
