//! Quadratic programmes with one equality and bounds, solved exactly.
//!
//! What: minimises ½ wᵀSw - qᵀw with aᵀw = b and low ≤ w ≤ high by an active set: most portfolios are this one.
//! Formula: on the free weights S w - q = γ a; a weight that meets its bound is held there, one whose gradient
//! points inside is freed, until none is left.
//! Data: a positive definite matrix.
//! Cost: O(n k + k²) a step for k free weights, most often a few more steps than weights end up free.
//! Fails when: the free weights have a singular matrix; the caller then asks the interior point method.
//! Source: Nocedal, Wright, Numerical Optimization, 2nd ed., section 16.5; the steps are those of Markowitz's
//! critical lines.
//! Not claimed: other constraints.

use crate::numeric::{add_scaled, dot, flat};
use ndarray::Array2;

/// The programme.
pub(super) struct Boxed<'a> {
    pub(super) matrix: &'a Array2<f64>,
    pub(super) linear: &'a [f64],
    pub(super) normal: &'a [f64],
    pub(super) sum: f64,
    pub(super) low: &'a [f64],
    pub(super) high: &'a [f64],
}

/// Rows of a lower triangle L with S_FF = L Lᵀ for a list F that grows and shrinks.
#[derive(Default)]
struct Factor {
    rows: Vec<Vec<f64>>,
}

impl Factor {
    /// One more row and column, `across` with those there are; false when it adds no curvature.
    fn push(&mut self, across: &[f64], own: f64) -> bool {
        let mut row = across.to_vec();
        self.forward(&mut row);
        let rest = own - dot(&row, &row);
        if rest.is_nan() || rest <= 1e-12 * own || own <= 0.0 {
            return false;
        }
        row.push(rest.sqrt());
        self.rows.push(row);
        true
    }

    /// Without one row and column: what follows is updated by what the column leaves behind.
    fn remove(&mut self, at: usize) {
        self.rows.remove(at);
        let mut left: Vec<f64> = self.rows[at..].iter_mut().map(|r| r.remove(at)).collect();
        for k in 0..left.len() {
            let column = at + k;
            let pivot = self.rows[column][column];
            let new = pivot.hypot(left[k]);
            let (c, s) = (new / pivot, left[k] / pivot);
            self.rows[column][column] = new;
            let below = self.rows[column + 1..].iter_mut();
            for (row, left) in below.zip(&mut left[k + 1..]) {
                row[column] = (row[column] + s * *left) / c;
                *left = c * *left - s * row[column];
            }
        }
    }

    fn forward(&self, b: &mut [f64]) {
        for i in 0..b.len() {
            let row = &self.rows[i];
            b[i] = (b[i] - dot(&row[..i], &b[..i])) / row[i];
        }
    }

    fn solve(&self, b: &mut [f64]) {
        if b.iter().all(|v| *v == 0.0) {
            return;
        }
        self.forward(b);
        for i in (0..b.len()).rev() {
            let row = &self.rows[i];
            b[i] /= row[i];
            let (head, tail) = b.split_at_mut(i);
            add_scaled(head, -tail[0], &row[..i]);
        }
    }
}

impl Boxed<'_> {
    /// The weights; `None` when there are none, or the matrix is too near singular to tell.
    pub(super) fn solve(&self) -> Option<Vec<f64>> {
        let (mut w, start) = self.start()?;
        let n = w.len();
        let s = |i: usize, j: usize| self.matrix[[i, j]];
        let mut free: Vec<usize> = Vec::new();
        let mut factor = Factor::default();
        for i in start {
            let across: Vec<f64> = free.iter().map(|j| s(i, *j)).collect();
            if !factor.push(&across, s(i, i)) {
                return None;
            }
            free.push(i);
        }
        let mut is_free = vec![false; n];
        free.iter().for_each(|i| is_free[*i] = true);
        let largest = |v: &[f64]| v.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        let held = |w: &[f64], free: &[usize]| {
            let mut out = w.to_vec();
            free.iter().for_each(|i| out[*i] = 0.0);
            out
        };
        for _ in 0..50 * n + 100 {
            if free.is_empty() {
                return None;
            }
            // Where the free weights would stand without their bounds.
            let rest = held(&w, &free);
            let pull = self.times(&rest);
            let mut x: Vec<f64> = free.iter().map(|i| self.linear[*i] - pull[*i]).collect();
            let own: Vec<f64> = free.iter().map(|i| self.normal[*i]).collect();
            let mut y = own.clone();
            factor.solve(&mut x);
            factor.solve(&mut y);
            let left = self.sum - dot(self.normal, &rest);
            let curvature = dot(&own, &y);
            if curvature.is_nan() || curvature <= 0.0 {
                return None;
            }
            let gamma = (left - dot(&own, &x)) / curvature;
            add_scaled(&mut x, gamma, &y);
            // As far as the first bound.
            let mut step = 1.0;
            let mut blocked = None;
            for (k, i) in free.iter().enumerate() {
                let (from, to) = (w[*i], x[k]);
                let bound = if to < self.low[*i] {
                    self.low[*i]
                } else if to > self.high[*i] {
                    self.high[*i]
                } else {
                    continue;
                };
                let share = ((bound - from) / (to - from)).clamp(0.0, 1.0);
                if blocked.is_none() || share < step {
                    (step, blocked) = (share, Some((k, bound)));
                }
            }
            for (k, i) in free.iter().enumerate() {
                w[*i] += step * (x[k] - w[*i]);
            }
            if let Some((k, bound)) = blocked {
                w[free[k]] = bound;
                is_free[free.remove(k)] = false;
                factor.remove(k);
                continue;
            }
            for (k, i) in free.iter().enumerate() {
                w[*i] = x[k];
            }
            let gradient: Vec<f64> = self
                .times(&w)
                .iter()
                .zip(self.linear.iter().zip(self.normal))
                .map(|(g, (q, a))| g - q - gamma * a)
                .collect();
            let size = largest(self.linear)
                .max(largest(self.normal) * gamma.abs())
                .max(f64::MIN_POSITIVE);
            let inside = |i: usize| {
                if self.low[i] == self.high[i] || is_free[i] {
                    0.0
                } else if w[i] <= self.low[i] {
                    -gradient[i]
                } else {
                    gradient[i]
                }
            };
            let most = (0..n).fold(0.0, |m: f64, i| m.max(inside(i)));
            if most <= 1e-12 * size {
                return Some(w);
            }
            // One at a time: of several some are soon held again, and that costs more than it gains.
            let i = (0..n).find(|i| inside(*i) >= most)?;
            let across: Vec<f64> = free.iter().map(|j| s(i, *j)).collect();
            if !factor.push(&across, s(i, i)) {
                return None;
            }
            free.push(i);
            is_free[i] = true;
        }
        None
    }

    fn times(&self, w: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; w.len()];
        for (i, by) in w.iter().enumerate().filter(|(_, by)| **by != 0.0) {
            let row = self.matrix.row(i);
            add_scaled(&mut out, *by, flat(row.view()));
        }
        out
    }

    /// Weights that keep the equality and the bounds, and which of them are free.
    fn start(&self) -> Option<(Vec<f64>, Vec<usize>)> {
        let n = self.low.len();
        if self.low.iter().all(|l| *l == f64::NEG_INFINITY)
            && self.high.iter().all(|h| *h == f64::INFINITY)
        {
            let size = dot(self.normal, self.normal);
            let w = self.normal.iter().map(|a| a * self.sum / size).collect();
            return Some((w, (0..n).collect()));
        }
        if self.low.iter().any(|l| !l.is_finite()) {
            return None;
        }
        let mut w = self.low.to_vec();
        let mut left = self.sum - dot(self.normal, &w);
        // From what costs least a unit of the equality.
        let cost = |i: usize| {
            let a = self.normal[i];
            (0.5 * self.matrix[[i, i]] / a - self.linear[i]) / a
        };
        let mut order: Vec<usize> = (0..n)
            .filter(|i| self.normal[*i] * left.signum() > 0.0 && self.low[*i] < self.high[*i])
            .collect();
        order.sort_by(|i, j| cost(*i).total_cmp(&cost(*j)));
        let mut last = *order.first()?;
        let tiny = 1e-13 * (self.sum.abs() + 1.0);
        for i in order {
            if left.abs() <= tiny {
                break;
            }
            last = i;
            let room = (self.high[i] - self.low[i]) * self.normal[i];
            if room.abs() >= left.abs() {
                w[i] += left / self.normal[i];
                left = 0.0;
                break;
            }
            w[i] = self.high[i];
            left -= room;
        }
        (left.abs() <= tiny).then_some((w, vec![last]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;
    use ndarray::array;

    #[test]
    fn two_assets_by_hand() {
        // Variances 4 and 1, covariance 1: w1 = (1 - 1)/(4 + 1 - 2) = 0 without bounds; with w1 >= 0.25 it is 0.25.
        let matrix = array![[4.0, 1.0], [1.0, 1.0]];
        let solve = |low: f64, high: f64| {
            let programme = Boxed {
                matrix: &matrix,
                linear: &[0.0; 2],
                normal: &[1.0; 2],
                sum: 1.0,
                low: &[low; 2],
                high: &[high; 2],
            };
            programme.solve().unwrap()
        };
        assert_near(&solve(f64::NEG_INFINITY, f64::INFINITY), &[0.0, 1.0], 1e-14);
        assert_near(&solve(0.25, 1.0), &[0.25, 0.75], 1e-14);
        assert_near(&solve(0.0, 0.6), &[0.4, 0.6], 1e-14);
    }

    #[test]
    fn optimality_holds_on_a_larger_one() {
        // A positive definite matrix by a formula; the conditions of Karush, Kuhn and Tucker say that it is right.
        let n = 40;
        let matrix = Array2::from_shape_fn((n, n), |(i, j)| {
            let near = 0.9_f64.powi((i as i32 - j as i32).abs());
            near * (1.0 + (i % 7) as f64) * (1.0 + (j % 7) as f64)
        });
        let linear: Vec<f64> = (0..n).map(|i| ((i * 13) % 11) as f64 / 3.0).collect();
        let (low, high) = (vec![0.01; n], vec![0.2; n]);
        let programme = Boxed {
            matrix: &matrix,
            linear: &linear,
            normal: &vec![1.0; n],
            sum: 1.0,
            low: &low,
            high: &high,
        };
        let w = programme.solve().unwrap();
        assert_near(&[w.iter().sum()], &[1.0], 1e-13);
        let g: Vec<f64> = programme
            .times(&w)
            .iter()
            .zip(&linear)
            .map(|(g, q)| g - q)
            .collect();
        let inside: Vec<usize> = (0..n).filter(|i| w[*i] > 0.01 && w[*i] < 0.2).collect();
        assert!(!inside.is_empty() && inside.len() < n);
        let gamma = g[inside[0]];
        for i in 0..n {
            assert!((0.01..=0.2).contains(&w[i]));
            match w[i] {
                0.01 => assert!(g[i] > gamma - 1e-9),
                0.2 => assert!(g[i] < gamma + 1e-9),
                _ => assert_near(&[g[i]], &[gamma], 1e-9),
            }
        }
    }
}
