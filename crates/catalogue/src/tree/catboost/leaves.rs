//! Slopes of the rows, and the values of the leaves.
//!
//! Sums are added up, and losses are rounded, in the order and in the precision in which the program does
//! it: to nodes of few rows several questions are equally good but for rounding, and of the last steps of
//! the leaves rounding says whether they lower the loss. The sums of trees of Logloss and of Poisson are
//! kept as powers of e.

use super::quick;
use super::{Backtracking, Leaves, Maker, monotone};
use crate::tree::boost::Rows;
use crate::tree::objective::{Objective, mape_weight};
use ndarray::Array2;

/// What counts as met by a quantile, and how far from its row the program puts it.
pub(super) const NEAR: f64 = 1e-6;

/// Gradient (downhill) and hessian of each row in each sum.
pub(super) struct Slopes {
    pub(super) g: Vec<Vec<f64>>,
    pub(super) h: Vec<Vec<f64>>,
}

/// Whether the sum of trees is kept as a power of e.
pub(super) fn is_power(objective: Objective) -> bool {
    matches!(objective, Objective::Logistic | Objective::Poisson(_))
}

/// A sum of trees as it is kept.
pub(super) fn stored(objective: Objective, sum: f64) -> f64 {
    if is_power(objective) {
        quick::exp_in_parts(sum)
    } else {
        sum
    }
}

/// A kept sum after the sum was multiplied by a share.
pub(super) fn shrunk(objective: Objective, f: f64, share: f64) -> f64 {
    if is_power(objective) {
        quick::exp_in_parts(f64::from(quick::ln(f)) * share)
    } else {
        f * share
    }
}

/// Values as they are put to kept sums.
fn put(objective: Objective, values: &[f64]) -> Vec<f64> {
    let each = values.iter().copied();
    if is_power(objective) {
        each.map(quick::exp).collect()
    } else {
        each.collect()
    }
}

/// Adds the value of its leaf to the sum of each row.
pub(super) fn add_values(objective: Objective, f: &mut [Vec<f64>], leaf: &[u32], values: &[f64]) {
    let (width, values) = (f.len(), put(objective, values));
    for (k, f) in f.iter_mut().enumerate() {
        for (f, l) in f.iter_mut().zip(leaf) {
            let value = values[*l as usize * width + k];
            *f = if is_power(objective) {
                *f * value
            } else {
                *f + value
            };
        }
    }
}

/// The share of an expectile that a residual counts for; the program reads it in single precision.
fn share_of(alpha: f64, residual: f64) -> f64 {
    if residual > 0.0 {
        single(alpha)
    } else {
        1.0 - single(alpha)
    }
}

/// Gradient (downhill) and hessian of a row with a kept sum.
fn slope(objective: Objective, y: f64, f: f64) -> (f64, f64) {
    let r = y - f;
    let signed = |size: f64| if r > 0.0 { size } else { -size };
    match objective {
        Objective::Squared => (r, 1.0),
        // A row that is met has no slope, or with MAPE that of one below.
        Objective::Quantile(_) if r.abs() < NEAR => (0.0, 0.0),
        // The program reads this share in single precision, but not that of values and losses.
        Objective::Quantile(a) if r > 0.0 => (single(a), 0.0),
        Objective::Quantile(a) => (-(1.0 - single(a)), 0.0),
        Objective::Mape => (signed(mape_weight(y)), 0.0),
        Objective::Huber(d) if r.abs() < d => (r, 1.0),
        Objective::Huber(d) => (signed(d), 0.0),
        Objective::Expectile(a) => {
            let twice = 2.0 * share_of(a, r);
            (twice * r, twice)
        }
        Objective::Power(q) => {
            let size = r.abs();
            (
                signed(q) * size.powf(q - 1.0),
                q * (q - 1.0) * size.powf(q - 2.0),
            )
        }
        Objective::LogCosh => (r.tanh(), 1.0 / (r.cosh() * r.cosh())),
        Objective::Poisson(_) => (r, f),
        Objective::Tweedie(rho) => {
            let (a, b) = (y * ((1.0 - rho) * f).exp(), ((2.0 - rho) * f).exp());
            (a - b, b * (2.0 - rho) - a * (1.0 - rho))
        }
        Objective::Logistic => {
            let p = 1.0 - 1.0 / (1.0 + f);
            (y - p, p * (1.0 - p))
        }
        _ => {
            let (g, h) = objective.slope(y, f);
            (-g, h)
        }
    }
}

/// Shares of the labels of a row, from the sum of trees of each.
fn shares(objective: Objective, sums: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    if objective == Objective::OneVsAll {
        let powers = sums.map(quick::exp);
        return powers.map(|e| e / (1.0 + e)).collect();
    }
    let top = sums.clone().fold(f64::NEG_INFINITY, f64::max);
    let mut all: Vec<f64> = sums.map(|s| quick::exp(s - top)).collect();
    let sum: f64 = all.iter().sum();
    all.iter_mut().for_each(|p| *p /= sum);
    all
}

pub(super) fn slopes(objective: Objective, rows: &Rows<'_>, f: &[Vec<f64>]) -> Slopes {
    let n = rows.y.len();
    let mut all = Slopes {
        g: vec![vec![0.0; n]; f.len()],
        h: vec![vec![0.0; n]; f.len()],
    };
    for i in 0..n {
        if matches!(objective, Objective::Softmax(_) | Objective::OneVsAll) {
            let p = shares(objective, f.iter().map(|f| f[i]));
            for (k, p) in p.into_iter().enumerate() {
                all.g[k][i] = f64::from(u8::from(rows.y[i] == k as f64)) - p;
                all.h[k][i] = p * (1.0 - p);
            }
        } else {
            (all.g[0][i], all.h[0][i]) = slope(objective, rows.y[i], f[0][i]);
        }
    }
    all
}

/// The value, of pairs with a weight, at or under which at least that share of the weight lies, but for
/// what rounding takes.
pub(super) fn quantile(pairs: &mut [(f64, f64)], share: f64) -> f64 {
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let wanted = share * pairs.iter().map(|p| p.1).sum::<f64>();
    let mut sum = 0.0;
    let found = pairs.iter().find(|(_, w)| {
        sum += w;
        sum >= wanted - f64::EPSILON
    });
    found.or(pairs.last()).map_or(0.0, |(v, _)| *v)
}

/// The program's quantile of pairs with a weight: just beside the value that reaches the share.
pub(super) fn beside_quantile(pairs: &mut [(f64, f64)], share: f64) -> f64 {
    if pairs.is_empty() {
        return 0.0;
    }
    let value = quantile(pairs, share);
    let weight = |fits: &dyn Fn(f64) -> bool| -> f64 {
        let some = pairs.iter().filter(|(v, _)| fits(*v));
        some.map(|(_, w)| w).sum()
    };
    let (less, equal) = (weight(&|v| v < value), weight(&|v| v == value));
    if less + equal * share >= share * weight(&|_| true) - f64::EPSILON {
        value - NEAR
    } else {
        value + NEAR
    }
}

/// The constant that is nearest to values in the sum of ln cosh: where the slopes add up to 0.
fn log_cosh_middle(pairs: &[(f64, f64)]) -> f64 {
    let ends = pairs.iter().fold(None, |ends: Option<(f64, f64)>, (v, _)| {
        Some(ends.map_or((*v, *v), |(a, b)| (a.min(*v), b.max(*v))))
    });
    let Some((mut low, mut high)) = ends else {
        return 0.0;
    };
    for _ in 0..100 {
        if high - low <= 1e-9 {
            break;
        }
        let middle = (low + high) / 2.0;
        let slope: f64 = pairs.iter().map(|(v, w)| (middle - v).tanh() * w).sum();
        if slope > 0.0 {
            high = middle;
        } else {
            low = middle;
        }
    }
    low
}

/// Solves a system with a symmetric matrix, of which the lower triangle is read and becomes that of its
/// Cholesky factor; false where that has none. In the order of LAPACK's dppsv, which the program calls.
fn solve(a: &mut Array2<f64>, b: &mut [f64]) -> bool {
    let n = b.len();
    for j in 0..n {
        if a[[j, j]].is_nan() || a[[j, j]] <= 0.0 {
            return false;
        }
        let pivot = a[[j, j]].sqrt();
        a[[j, j]] = pivot;
        for i in j + 1..n {
            a[[i, j]] *= 1.0 / pivot;
        }
        for k in j + 1..n {
            for i in k..n {
                a[[i, k]] -= a[[i, j]] * a[[k, j]];
            }
        }
    }
    for j in 0..n {
        b[j] /= a[[j, j]];
        for i in j + 1..n {
            b[i] -= b[j] * a[[i, j]];
        }
    }
    for j in (0..n).rev() {
        for i in (j + 1..n).rev() {
            b[j] -= a[[i, j]] * b[i];
        }
        b[j] /= a[[j, j]];
    }
    true
}

/// A number in single precision, where that leaves something of it.
pub(super) fn single(v: f64) -> f64 {
    let short = f64::from(v as f32);
    if short.is_finite() && (short != 0.0 || v == 0.0) {
        short
    } else {
        v
    }
}

/// Rows of which the program adds up logistic losses at once, in single precision.
const LANES: usize = 4;

/// Rows whose losses are added up before they are put to those of the others.
const LOSS_BLOCK: usize = 4096;

impl Maker<'_> {
    /// Values of the leaves from the rows, leaf after leaf, one a sum; along lines they rise.
    pub(super) fn values(
        &self,
        leaf: &[u32],
        leaves: usize,
        rows: &[u32],
        f: &[Vec<f64>],
        lines: &[Vec<u32>],
    ) -> Vec<f64> {
        let (method, _) = self.leaves;
        let mut values = if method == Leaves::Exact {
            self.exact(leaf, leaves, rows, &f[0])
        } else {
            self.stepped(leaf, leaves, rows, f, lines)
        };
        values.iter_mut().for_each(|v| *v *= self.rate);
        values
    }

    /// The values that lower the loss most.
    fn exact(&self, leaf: &[u32], leaves: usize, rows: &[u32], f: &[f64]) -> Vec<f64> {
        let mut members: Vec<Vec<(f64, f64)>> = vec![Vec::new(); leaves];
        for i in rows {
            let i = *i as usize;
            // The program keeps what is left in single precision.
            let off = single(self.rows.y[i] - f[i]);
            // In the program all rows of a leaf count the same here, whatever they weigh; MAPE divides by
            // what is left of the target, not by the target.
            let w = match self.objective {
                Objective::Mape => mape_weight(off),
                _ => 1.0,
            };
            members[leaf[i] as usize].push((off, w));
        }
        let value = |mut own: Vec<(f64, f64)>| match self.objective {
            Objective::Quantile(share) => beside_quantile(&mut own, share),
            Objective::LogCosh => log_cosh_middle(&own),
            _ => quantile(&mut own, 0.5),
        };
        members.into_iter().map(|own| single(value(own))).collect()
    }

    /// Values by steps down the slope.
    fn stepped(
        &self,
        leaf: &[u32],
        leaves: usize,
        rows: &[u32],
        f: &[Vec<f64>],
        lines: &[Vec<u32>],
    ) -> Vec<f64> {
        let (width, (_, steps)) = (f.len(), self.leaves);
        let mut values = vec![0.0; leaves * width];
        let mut at: Vec<Vec<f64>> = f.to_vec();
        let looks =
            steps > 1 && self.params.leaf_estimation_backtracking == Backtracking::AnyImprovement;
        if looks && matches!(self.objective, Objective::Huber(_)) {
            // The program takes no step of Huber for one that lowers the loss.
            return values;
        }
        let mut loss = if looks {
            self.loss(leaf, rows, &at, &values)
        } else {
            0.0
        };
        let mut step = 0;
        while step < steps {
            let by = self.step(leaf, leaves, rows, &at, &values, lines);
            let mut scale = 1.0;
            loop {
                let tried: Vec<f64> = by.iter().map(|by| by * scale).collect();
                step += 1;
                let is_taken = if looks {
                    let now = self.loss(leaf, rows, &at, &tried);
                    let is_less = now < loss;
                    if is_less {
                        loss = now;
                    }
                    is_less
                } else {
                    true
                };
                if is_taken {
                    values.iter_mut().zip(&tried).for_each(|(v, by)| *v += by);
                    if step < steps {
                        add_values(self.objective, &mut at, leaf, &tried);
                    }
                    break;
                }
                if step == steps {
                    break;
                }
                scale /= 2.0;
            }
        }
        values
    }

    /// The next step of the values.
    fn step(
        &self,
        leaf: &[u32],
        leaves: usize,
        rows: &[u32],
        at: &[Vec<f64>],
        values: &[f64],
        lines: &[Vec<u32>],
    ) -> Vec<f64> {
        let (width, (method, _)) = (at.len(), self.leaves);
        let full = matches!(self.objective, Objective::Softmax(_)) && method == Leaves::Newton;
        let now = slopes(self.objective, self.rows, at);
        // Gradients, hessians or weights of the rows of a leaf by sum of trees, and their weight.
        let mut sums = vec![[0.0; 2]; leaves * width];
        let mut weights = vec![0.0; leaves];
        // Of more than two labels the second derivatives across them too: p (1 - p') of each pair.
        let mut curves = vec![Array2::zeros((width, width)); if full { leaves } else { 0 }];
        // The program adds up blocks first, where rows are many.
        let block = match rows.len() {
            _ if width > 1 => 1000,
            few @ ..10_000 => few.max(1),
            many => many.div_ceil(128),
        };
        let mut own = vec![[0.0; 2]; leaves * width];
        let mut own_weights = vec![0.0; leaves];
        for rows in rows.chunks(block) {
            for i in rows {
                let i = *i as usize;
                let (l, w) = (leaf[i] as usize, self.rows.w[i]);
                own_weights[l] += w;
                for k in 0..width {
                    let cell = &mut own[l * width + k];
                    cell[0] += now.g[k][i] * w;
                    cell[1] += match method {
                        Leaves::Newton => now.h[k][i] * w,
                        _ => w,
                    };
                }
                if let Some(curve) = curves.get_mut(l) {
                    let p = shares(self.objective, at.iter().map(|f| f[i]));
                    for (a, p_a) in p.iter().enumerate() {
                        for (b, p_b) in p.iter().enumerate() {
                            let other = if a == b { p_b - 1.0 } else { *p_b };
                            curve[[a, b]] -= p_a * other * w;
                        }
                    }
                }
            }
            let each = own
                .chunks_mut(width)
                .zip(sums.chunks_mut(width))
                .zip(own_weights.iter_mut().zip(&mut weights));
            for ((own, sums), (own_weight, weight)) in each {
                let own_weight = std::mem::take(own_weight);
                if own_weight <= f64::from(f32::EPSILON) {
                    continue;
                }
                *weight += own_weight;
                for (sum, own) in sums.iter_mut().zip(own) {
                    *sum = [sum[0] + own[0], sum[1] + own[1]];
                    *own = [0.0; 2];
                }
            }
        }
        if full {
            return self.solved(curves, &sums);
        }
        if !lines.is_empty() {
            return self.rising_step(&sums, values, lines);
        }
        // Of several sums the program keeps the penalty of Newton's step in single precision.
        let l2 = if method == Leaves::Newton && width > 1 {
            single(self.l2)
        } else {
            self.l2
        };
        let step = |([g, h], weight): (&[f64; 2], f64)| {
            if h + l2 <= 0.0 || (method == Leaves::Gradient && weight <= 0.0) {
                0.0
            } else if method == Leaves::Gradient {
                g * (1.0 / (h + l2))
            } else {
                g / (h + l2)
            }
        };
        let weights = weights
            .into_iter()
            .flat_map(|w| std::iter::repeat_n(w, width));
        sums.iter().zip(weights).map(step).collect()
    }

    /// Newton's step where the labels of a leaf have second derivatives across them.
    fn solved(&self, curves: Vec<Array2<f64>>, sums: &[[f64; 2]]) -> Vec<f64> {
        let mut by = vec![0.0; sums.len()];
        // The program keeps this one in single precision.
        let l2 = single(self.l2).max(1e-20);
        let width = sums.len() / curves.len().max(1);
        let own = sums.chunks(width).zip(by.chunks_mut(width));
        for (mut curve, (sums, by)) in curves.into_iter().zip(own) {
            curve.diag_mut().iter_mut().for_each(|d| *d += l2);
            let mut own: Vec<f64> = sums.iter().map(|s| s[0]).collect();
            if solve(&mut curve, &mut own) {
                by.copy_from_slice(&own);
            }
        }
        by
    }

    /// A step after which the values rise along lines.
    fn rising_step(&self, sums: &[[f64; 2]], values: &[f64], lines: &[Vec<u32>]) -> Vec<f64> {
        let weights: Vec<f64> = sums.iter().map(|[_, h]| h + self.l2).collect();
        let step = |([g, _], w): (&[f64; 2], &f64)| if *w > 0.0 { g / w } else { 0.0 };
        let by = sums.iter().zip(&weights).map(step);
        let mut aims: Vec<f64> = values.iter().zip(by).map(|(v, by)| v + by).collect();
        monotone::make_rise(&mut aims, &weights, lines);
        aims.iter().zip(values).map(|(aim, v)| aim - v).collect()
    }

    /// What a step of the leaves must lower: the mean loss of some rows, whose sums are those kept `at`
    /// with the values put to them.
    fn loss(&self, leaf: &[u32], rows: &[u32], at: &[Vec<f64>], values: &[f64]) -> f64 {
        let values = put(self.objective, values);
        let (mut sum, mut all) = (0.0, 0.0);
        for rows in rows.chunks(LOSS_BLOCK) {
            let (own, weight) = if self.objective == Objective::Logistic {
                self.logistic_loss(leaf, rows, &at[0], &values)
            } else {
                let (mut own, mut weight) = (0.0, 0.0);
                for i in rows.iter().map(|i| *i as usize) {
                    let w = self.rows.w[i];
                    let value = &values[leaf[i] as usize * at.len()..][..at.len()];
                    own += if at.len() == 1 {
                        self.row_loss(i, at[0][i], value[0]) * w
                    } else {
                        let sums = at.iter().zip(value).map(|(f, v)| f[i] + v);
                        self.label_loss(self.rows.y[i] as usize, sums) * w
                    };
                    weight += w;
                }
                (own, weight)
            };
            sum += own;
            all += weight;
        }
        match self.objective {
            Objective::Squared => (sum / (all + 1e-38)).sqrt(),
            _ => sum / all,
        }
    }

    /// The loss of a row, its sum being the kept one with a value put to it.
    fn row_loss(&self, i: usize, f: f64, value: f64) -> f64 {
        let y = self.rows.y[i];
        let off = (f - y) + value;
        match self.objective {
            Objective::Squared => off * off,
            Objective::Quantile(a) => {
                let r = (y - f) - value;
                let share = if r.abs() < NEAR {
                    0.0
                } else if r > 0.0 {
                    a
                } else {
                    -(1.0 - a)
                };
                let beyond = if r < -NEAR {
                    r + NEAR
                } else if r > NEAR {
                    r - NEAR
                } else {
                    r
                };
                share * beyond
            }
            Objective::Expectile(a) => {
                let r = (y - f) - value;
                share_of(a, r) * (r * r)
            }
            Objective::Power(q) => off.abs().powf(single(q)),
            Objective::LogCosh if off.abs() >= 12.0 => off.abs() - f64::from(quick::ln(2.0)),
            Objective::LogCosh => f64::from(quick::ln(off.cosh())),
            Objective::Mape => (y - (f + value)).abs() / y.abs().max(1.0),
            Objective::Poisson(_) => {
                let power = f * value;
                power - y * f64::from(quick::ln(power))
            }
            _ => self.objective.loss(y, f + value),
        }
    }

    /// The loss of a row with a label.
    fn label_loss(&self, label: usize, sums: impl Iterator<Item = f64> + Clone) -> f64 {
        let own = sums.clone().nth(label).unwrap_or_default();
        if self.objective == Objective::OneVsAll {
            let many = sums.clone().count() as f64;
            let others: f64 = sums
                .map(|s| {
                    let power = s.exp();
                    if power.is_finite() {
                        -(1.0 + power).ln()
                    } else {
                        -s
                    }
                })
                .sum();
            return -((others + own) / many);
        }
        let top = sums.clone().fold(f64::NEG_INFINITY, f64::max);
        let powers: f64 = sums.map(|s| quick::exp(s - top)).sum();
        -((own - top) - powers.ln())
    }

    /// Sum and weight of the logistic losses of some rows, most of them in single precision.
    fn logistic_loss(&self, leaf: &[u32], rows: &[u32], at: &[f64], values: &[f64]) -> (f64, f64) {
        let (mut sums, mut weights) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        let fours = rows.chunks_exact(LANES);
        let rest = fours.remainder();
        for four in fours {
            for (lane, i) in four.iter().map(|i| *i as usize).enumerate() {
                let value = values[leaf[i] as usize];
                let (y, w) = (self.rows.y[i] as f32, self.rows.w[i] as f32);
                let sum = quick::ln(at[i]) + quick::ln(value);
                let power = at[i] * value;
                let loss = if power.is_finite() {
                    quick::ln(power + 1.0) - y * sum
                } else {
                    (1.0 - y) * sum
                };
                sums[lane] += w * loss;
                weights[lane] += w;
            }
        }
        let all = |lanes: [f32; LANES]| f64::from((lanes[0] + lanes[1]) + (lanes[2] + lanes[3]));
        let (mut sum, mut weight) = (all(sums), all(weights));
        for i in rest.iter().map(|i| *i as usize) {
            let value = values[leaf[i] as usize];
            let (y, w) = (self.rows.y[i], self.rows.w[i]);
            let own = f64::from(quick::ln(at[i])) + f64::from(quick::ln(value));
            let power = at[i] * value;
            sum += w * if power.is_finite() {
                f64::from(quick::ln(1.0 + power)) - y * own
            } else {
                (1.0 - y) * own
            };
            weight += w;
        }
        (sum, weight)
    }
}
