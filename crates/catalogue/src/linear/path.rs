//! The least angle path (Efron, Hastie, Johnstone & Tibshirani, Annals of Statistics 32, 2004), step
//! by step as scikit-learn walks it.

use super::engine::Problem;
use crate::numeric::dot;
use mltrainer_catalogue_core::{FitError, Training};
use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::borrow::Cow;

/// How far the path is walked, and whether weights may leave it again.
pub(crate) struct Walk {
    /// Lasso: a weight that reaches 0 leaves.
    pub(crate) lasso: bool,
    /// Weights stay at least 0.
    pub(crate) positive: bool,
    /// The walk ends at this penalty (per row).
    pub(crate) alpha_min: f64,
    /// Steps at most.
    pub(crate) max_iter: usize,
    /// Least pivot of the factor of the columns taken.
    pub(crate) eps: f64,
}

/// Where the walk ended.
pub(crate) struct End {
    pub(crate) weights: Vec<f64>,
    /// Penalty there.
    pub(crate) alpha: f64,
    pub(crate) active: Vec<usize>,
    pub(crate) n_iter: usize,
}

/// Penalties nearer to each other than this are the same.
const SAME: f64 = f32::EPSILON as f64;
/// Keeps quotients finite.
const TINY: f64 = f32::MIN_POSITIVE as f64;

/// The problem with up to `jitter` added to each target, so that columns that pull alike no longer do.
///
/// # Errors
/// Those of [`Training::regression`].
pub(crate) fn jittered(
    data: &Training,
    jitter: Option<f64>,
    seed: u64,
) -> Result<Cow<'_, Training>, FitError> {
    let Some(jitter) = jitter else {
        return Ok(Cow::Borrowed(data));
    };
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let y = data.y().iter().map(|y| y + jitter * random.r#gen::<f64>());
    Training::regression(data.design().clone(), y.collect()).map(Cow::Owned)
}

/// Walks the path of a centred problem.
pub(crate) fn walk(problem: &Problem, how: &Walk) -> End {
    let p = problem.a.ncols();
    let gram = |i: usize, j: usize| dot(problem.column(i), problem.column(j));
    let against: Vec<f64> = (0..p)
        .map(|j| dot(problem.column(j), problem.target()))
        .collect();
    // Inner products of the columns outside with what is left.
    let mut pull = against.clone();
    let mut outside: Vec<usize> = (0..p).collect();
    let (mut active, mut signs): (Vec<usize>, Vec<f64>) = (Vec::new(), Vec::new());
    let mut factor = Factor { rows: Vec::new() };
    // Inner products of each active column with all columns.
    let mut rows: Vec<Vec<f64>> = Vec::new();
    let (mut weights, mut before) = (vec![0.0; p], vec![0.0; p]);
    let (mut alpha_before, mut n_iter, mut dropped) = (0.0, 0, false);
    loop {
        let size = |j: &usize| {
            if how.positive {
                pull[*j]
            } else {
                pull[*j].abs()
            }
        };
        let mut top: Option<(usize, f64)> = None;
        for j in &outside {
            // Of columns that pull alike, but for rounding, the first.
            if top.is_none_or(|(_, most)| size(j) - most > 1e-12 * most.abs()) {
                top = Some((*j, size(j)));
            }
        }
        let largest = top.map_or(0.0, |(_, most)| most);
        let mut alpha = largest / problem.n;
        if alpha <= how.alpha_min + SAME {
            if (alpha - how.alpha_min).abs() > SAME {
                if n_iter > 0 {
                    // Between the last two points.
                    let share = (alpha_before - how.alpha_min) / (alpha_before - alpha);
                    for (w, b) in weights.iter_mut().zip(&before) {
                        *w = b + share * (*w - b);
                    }
                }
                alpha = how.alpha_min;
            }
            return End {
                weights,
                alpha,
                active,
                n_iter,
            };
        }
        if n_iter >= how.max_iter || active.len() >= p {
            return End {
                weights,
                alpha,
                active,
                n_iter,
            };
        }
        if !dropped && let Some((enters, _)) = top {
            let sign = if how.positive {
                1.0
            } else {
                pull[enters].signum()
            };
            let row: Vec<f64> = (0..p).map(|j| gram(enters, j)).collect();
            // How much of it is at right angles to the active columns.
            let mut half: Vec<f64> = active.iter().map(|j| row[*j]).collect();
            factor.forward(&mut half);
            let left = (row[enters] - dot(&half, &half)).abs().sqrt();
            let pivot = if left > how.eps { left } else { how.eps };
            if pivot < 1e-7 {
                // It depends on them: left out for good.
                pull[enters] = 0.0;
                outside.retain(|j| *j != enters);
                continue;
            }
            outside.retain(|j| *j != enters);
            active.push(enters);
            signs.push(sign);
            rows.push(row);
            half.push(pivot);
            factor.rows.push(half);
        }
        if how.lasso && n_iter > 0 && alpha_before < alpha {
            // The residue is so small that the penalty is no longer well determined.
            return End {
                weights,
                alpha,
                active,
                n_iter,
            };
        }
        let mut direction = signs.clone();
        factor.solve(&mut direction);
        let speed = 1.0 / dot(&direction, &signs).sqrt();
        if !speed.is_finite() {
            return End {
                weights,
                alpha,
                active,
                n_iter,
            };
        }
        direction.iter_mut().for_each(|v| *v *= speed);
        let turn: Vec<f64> = (0..p)
            .map(|j| {
                let t: f64 = rows.iter().zip(&direction).map(|(r, d)| r[j] * d).sum();
                // Rounded to 15 decimals, so that equal rates are equal.
                if t.abs() < 9.0 {
                    (t * 1e15).round() / 1e15
                } else {
                    t
                }
            })
            .collect();
        let mut far = largest / speed;
        // A column that depends on the active ones pulls as they do and keeps doing so: what is left of both
        // differences is rounding, and so would be their quotient.
        let tied = |gap: f64, rate: f64| {
            gap.abs() <= 1e-12 * largest && rate.abs() <= (1e-12 * speed).max(2e-15)
        };
        for &j in &outside {
            for sign in if how.positive {
                &[1.0][..]
            } else {
                &[1.0, -1.0]
            } {
                let (gap, rate) = (largest - sign * pull[j], speed - sign * turn[j]);
                let s = gap / (rate + TINY);
                if s > 0.0 && s < far && !tied(gap, rate) {
                    far = s;
                }
            }
        }
        // A weight that would pass through 0 on the way.
        let mut zero = f64::INFINITY;
        let crossings: Vec<f64> = active
            .iter()
            .zip(&direction)
            .map(|(j, d)| -weights[*j] / (d + TINY))
            .collect();
        for &z in &crossings {
            if z > 0.0 && z < zero {
                zero = z;
            }
        }
        dropped = zero < far;
        let mut leaving: Vec<usize> = Vec::new();
        if dropped {
            leaving = (0..active.len())
                .filter(|i| crossings[*i] == zero)
                .collect();
            for &i in &leaving {
                signs[i] = -signs[i];
            }
            if how.lasso {
                far = zero;
            }
        }
        n_iter += 1;
        alpha_before = alpha;
        before.clone_from(&weights);
        weights.fill(0.0);
        for (j, d) in active.iter().zip(&direction) {
            weights[*j] = before[*j] + far * d;
        }
        for &j in &outside {
            pull[j] -= far * turn[j];
        }
        if dropped && how.lasso {
            for &i in leaving.iter().rev() {
                let j = active.remove(i);
                signs.remove(i);
                rows.remove(i);
                factor.remove(i);
                let explained: f64 = active
                    .iter()
                    .zip(&rows)
                    .map(|(k, r)| r[j] * weights[*k])
                    .sum();
                pull[j] = against[j] - explained;
                weights[j] = 0.0;
                outside.push(j);
            }
            // In the order of the table, so that ties do not depend on the past.
            outside.sort_unstable();
        }
    }
}

/// Lower triangular factor of the inner products of the active columns, which grows and shrinks with them.
struct Factor {
    /// The first ends on the diagonal at 1 number, the next at 2.
    rows: Vec<Vec<f64>>,
}

impl Factor {
    /// b becomes L⁻¹ b.
    fn forward(&self, b: &mut [f64]) {
        for (i, row) in self.rows.iter().enumerate() {
            b[i] = (b[i] - dot(&row[..i], &b[..i])) / row[i];
        }
    }

    /// b becomes (L Lᵀ)⁻¹ b.
    fn solve(&self, b: &mut [f64]) {
        self.forward(b);
        for (i, row) in self.rows.iter().enumerate().rev() {
            let v = b[i] / row[i];
            b[i] = v;
            for (b, l) in b.iter_mut().zip(&row[..i]) {
                *b -= l * v;
            }
        }
    }

    /// Takes out a column: the rows below it turn in pairs of columns until they are a triangle again
    /// (Givens; Golub & Van Loan, Matrix Computations, 2013, 6.5.3).
    fn remove(&mut self, at: usize) {
        self.rows.remove(at);
        for k in at..self.rows.len() {
            let (a, b) = (self.rows[k][k], self.rows[k][k + 1]);
            let length = a.hypot(b);
            let (c, s) = (a / length, b / length);
            for row in &mut self.rows[k..] {
                (row[k], row[k + 1]) = (c * row[k] + s * row[k + 1], c * row[k + 1] - s * row[k]);
            }
            self.rows[k].truncate(k + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;

    #[test]
    fn a_factor_without_a_column_is_that_of_the_others() {
        // L Lᵀ of [[4, 2, 2], [2, 5, 3], [2, 3, 6]]: rows (2), (1, 2), (1, 1, 2). Without the first column
        // [[5, 3], [3, 6]]: (√5), (3/√5, √(6 - 9/5)).
        let mut factor = Factor {
            rows: vec![vec![2.0], vec![1.0, 2.0], vec![1.0, 1.0, 2.0]],
        };
        factor.remove(0);
        let five = 5.0_f64.sqrt();
        assert_near(&factor.rows[0], &[five], 1e-15);
        assert_near(&factor.rows[1], &[3.0 / five, 4.2_f64.sqrt()], 1e-15);
        // [[5, 3], [3, 6]] (1, 2) = (11, 15).
        let mut b = [11.0, 15.0];
        factor.solve(&mut b);
        assert_near(&b, &[1.0, 2.0], 1e-14);
    }
}
