//! Numerical kernels that several families share: inner products, Cholesky factors, eigenvalues and
//! singular values, minimisation of smooth functions, links, random normals.

use linfa_linalg::eigh::EighInto as _;
use mltrainer_catalogue_core::{FitError, threads};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView, ArrayView2, ArrayViewMut, ArrayViewMut2, Axis, Dimension};
use rand::Rng;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::OnceLock;

/// These rows of a table: the table itself where they are all of it, in its order.
pub(crate) fn some_rows<'a>(x: &'a Array2<f64>, rows: &[usize]) -> Cow<'a, Array2<f64>> {
    if rows.len() == x.nrows() && rows.iter().enumerate().all(|(at, row)| at == *row) {
        Cow::Borrowed(x)
    } else {
        Cow::Owned(x.select(Axis(0), rows))
    }
}

/// The numbers of a row or table that is stored in one piece, as those that are made here are.
pub(crate) fn flat<D: Dimension>(of: ArrayView<'_, f64, D>) -> &[f64] {
    debug_assert!(of.is_standard_layout(), "not stored in one piece");
    of.to_slice().unwrap_or_default()
}

/// The same, to be written to.
pub(crate) fn flat_mut<D: Dimension>(of: ArrayViewMut<'_, f64, D>) -> &mut [f64] {
    debug_assert!(of.is_standard_layout(), "not stored in one piece");
    of.into_slice().unwrap_or_default()
}

/// Inner product in eight running sums: quick, and the same bits for the same numbers.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (wide_a, wide_b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = wide_a.remainder().iter().zip(wide_b.remainder());
    let rest: f64 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in wide_a.zip(wide_b) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f64>() + rest
}

/// Σ (a - m) b, as [`dot`].
pub(crate) fn centred_dot(a: &[f64], m: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (wide_a, wide_m, wide_b) = (a.chunks_exact(8), m.chunks_exact(8), b.chunks_exact(8));
    let rest = wide_a.remainder().iter().zip(wide_m.remainder());
    let rest = rest.zip(wide_b.remainder());
    let rest: f64 = rest.map(|((a, m), b)| (a - m) * b).sum();
    for ((a, m), b) in wide_a.zip(wide_m).zip(wide_b) {
        for (lane, ((a, m), b)) in lanes.iter_mut().zip(a.iter().zip(m).zip(b)) {
            *lane += (a - m) * b;
        }
    }
    lanes.iter().sum::<f64>() + rest
}

/// `to += by · from`.
pub(crate) fn add_scaled(to: &mut [f64], by: f64, from: &[f64]) {
    for (t, f) in to.iter_mut().zip(from) {
        *t += by * f;
    }
}

/// e to the power of each value, within two units in the last place. A value gives the same bits whatever
/// stands beside it. Quicker than [`f64::exp`] one by one, since several go through the processor at once:
/// x = k ln 2 + r with |r| ≤ ln 2 / 2 (Cody & Waite, Software Manual for the Elementary Functions, 1980),
/// exp r by the terms of its series up to r¹³, the first one left out being under 5e-18.
pub(crate) fn exp_all(values: &mut [f64]) {
    /// Added to a number under 2⁵¹ it rounds it and leaves the integer in the last bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    /// ln 2 in two parts; the first has so few digits that k times it is exact.
    const HIGH: f64 = 6.931_471_803_691_238e-1;
    const LOW: f64 = 1.908_214_929_270_587_7e-10;
    /// 1/13!, 1/11!, ... 1/3! and 1/12!, 1/10!, ... 1/2!.
    const ODD: [f64; 6] = [
        1.0 / 6_227_020_800.0,
        1.0 / 39_916_800.0,
        1.0 / 362_880.0,
        1.0 / 5_040.0,
        1.0 / 120.0,
        1.0 / 6.0,
    ];
    const EVEN: [f64; 6] = [
        1.0 / 479_001_600.0,
        1.0 / 3_628_800.0,
        1.0 / 40_320.0,
        1.0 / 720.0,
        1.0 / 24.0,
        0.5,
    ];
    let ordinary = |x: f64| (-708.0..=709.0).contains(&x);
    for some in values.chunks_mut(64) {
        let mut kept = [0.0; 64];
        let kept = &mut kept[..some.len()];
        kept.copy_from_slice(some);
        for v in some.iter_mut() {
            let turns = *v * std::f64::consts::LOG2_E + ROUND;
            let k = turns - ROUND;
            let r = (*v - k * HIGH) - k * LOW;
            // Two sums, which do not wait for each other.
            let square = r * r;
            let in_square = |terms: &[f64; 6]| terms.iter().fold(0.0, |sum, t| sum * square + t);
            let tail = in_square(&ODD) * r + in_square(&EVEN);
            // 2^k by its bits: the exponent of 1 and k.
            let power = f64::from_bits((turns.to_bits() << 52).wrapping_add(1.0_f64.to_bits()));
            *v = (1.0 + (r + square * tail)) * power;
        }
        // Beyond these 2^k is no ordinary number.
        if kept.iter().any(|x| !ordinary(*x)) {
            let odd = some.iter_mut().zip(kept).filter(|(_, x)| !ordinary(**x));
            odd.for_each(|(v, x)| *v = x.exp());
        }
    }
}

/// Rows that are multiplied together by [`row_products`].
const ROWS: usize = 64;

/// X Aᵀ for X rows x columns and A k x columns. Rows go through in blocks of one size, filled up
/// with zeros, so that a row gives the same bits whatever its neighbours.
pub(crate) fn row_products(x: ArrayView2<'_, f64>, a: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut out = Array2::zeros((x.nrows(), a.nrows()));
    let pairs = x.axis_chunks_iter(Axis(0), ROWS);
    let pairs = pairs.zip(out.axis_chunks_iter_mut(Axis(0), ROWS));
    threads::each(pairs, |(from, mut to)| {
        let rows = from.nrows();
        if rows == ROWS {
            general_mat_mul(1.0, &from, &a.t(), 0.0, &mut to);
            return;
        }
        let mut block = Array2::zeros((ROWS, x.ncols()));
        block.slice_axis_mut(Axis(0), (..rows).into()).assign(&from);
        let mut product = Array2::zeros((ROWS, a.nrows()));
        general_mat_mul(1.0, &block, &a.t(), 0.0, &mut product);
        to.assign(&product.slice_axis(Axis(0), (..rows).into()));
    });
    out
}

/// Columns that [`Cholesky`] works on together, and rows or columns of one piece of its products.
const PANEL: usize = 64;
const PART: usize = 256;

/// A lower triangle L with A = L Lᵀ.
#[derive(Debug)]
pub(crate) struct Cholesky {
    l: Array2<f64>,
    /// Inverses of the squares on the diagonal, made when they are first asked for.
    inverses: OnceLock<Vec<Array2<f64>>>,
}

impl Cholesky {
    /// Of a symmetric matrix, whose lower triangle is read; `None` when it is not positive definite.
    pub(crate) fn new(a: Array2<f64>) -> Option<Self> {
        let mut a = a.as_standard_layout().into_owned();
        let n = a.nrows();
        for start in (0..n).step_by(PANEL) {
            let end = (start + PANEL).min(n);
            let (_, below) = a.view_mut().split_at(Axis(0), start);
            let (done, rest) = below.split_at(Axis(1), start);
            let (mut panel, _) = rest.split_at(Axis(1), end - start);
            if start > 0 {
                let head = done.slice_axis(Axis(0), (..end - start).into());
                let parts = panel.axis_chunks_iter_mut(Axis(0), PART);
                threads::each(
                    parts.zip(done.axis_chunks_iter(Axis(0), PART)),
                    |(mut to, from)| general_mat_mul(-1.0, &from, &head.t(), 1.0, &mut to),
                );
            }
            let (mut square, mut below) = panel.split_at(Axis(0), end - start);
            for j in 0..end - start {
                let pivot_row = square.row(j).to_vec();
                let rest = pivot_row[j] - dot(&pivot_row[..j], &pivot_row[..j]);
                if rest.is_nan() || rest <= 0.0 {
                    return None;
                }
                let pivot = rest.sqrt();
                square[[j, j]] = pivot;
                for i in j + 1..end - start {
                    let mut row = square.row_mut(i);
                    let row = flat_mut(row.view_mut());
                    row[j] = (row[j] - dot(&row[..j], &pivot_row[..j])) / pivot;
                }
            }
            if below.is_empty() {
                continue;
            }
            // The rows below by one more product: times the inverse of the square.
            let inverse = inverse_of_lower(square.view());
            threads::each(below.axis_chunks_iter_mut(Axis(0), PART), |mut rows| {
                let from = rows.to_owned();
                general_mat_mul(1.0, &from, &inverse.t(), 0.0, &mut rows);
            });
        }
        Some(Self {
            l: a,
            inverses: OnceLock::new(),
        })
    }

    /// L; what lies above its diagonal means nothing.
    pub(crate) fn lower(&self) -> &Array2<f64> {
        &self.l
    }

    /// An entry of L, 0 above its diagonal.
    pub(crate) fn entry(&self, i: usize, j: usize) -> f64 {
        if i < j { 0.0 } else { self.l[[i, j]] }
    }

    fn row(&self, i: usize) -> &[f64] {
        let n = self.l.ncols();
        &flat(self.l.view())[i * n..][..n]
    }

    /// b becomes L⁻¹ b.
    pub(crate) fn forward(&self, b: &mut [f64]) {
        for i in 0..b.len() {
            let row = self.row(i);
            b[i] = (b[i] - dot(&row[..i], &b[..i])) / row[i];
        }
    }

    /// b becomes L⁻ᵀ b.
    pub(crate) fn backward(&self, b: &mut [f64]) {
        for i in (0..b.len()).rev() {
            let row = self.row(i);
            b[i] /= row[i];
            let (head, tail) = b.split_at_mut(i);
            add_scaled(head, -tail[0], &row[..i]);
        }
    }

    /// b becomes A⁻¹ b.
    pub(crate) fn solve(&self, b: &mut [f64]) {
        self.forward(b);
        self.backward(b);
    }

    /// L⁻¹ B for B rows x columns.
    pub(crate) fn forward_all(&self, mut b: Array2<f64>) -> Array2<f64> {
        let n = self.l.nrows();
        let inverse = |start: usize| {
            let own = start..(start + PANEL).min(n);
            let rows = self.l.slice_axis(Axis(0), own.clone().into());
            inverse_of_lower(rows.slice_axis(Axis(1), own.into()))
        };
        let inverses = self
            .inverses
            .get_or_init(|| (0..n).step_by(PANEL).map(inverse).collect());
        threads::each(b.axis_chunks_iter_mut(Axis(1), PART), |part| {
            self.forward_part(part, inverses);
        });
        b
    }

    fn forward_part(&self, mut b: ArrayViewMut2<'_, f64>, inverses: &[Array2<f64>]) {
        let n = self.l.nrows();
        for start in (0..n).step_by(PANEL) {
            let end = (start + PANEL).min(n);
            let (done, rest) = b.view_mut().split_at(Axis(0), start);
            let (mut now, _) = rest.split_at(Axis(0), end - start);
            if start > 0 {
                let rows = self.l.slice_axis(Axis(0), (start..end).into());
                let l = rows.slice_axis(Axis(1), (..start).into());
                general_mat_mul(-1.0, &l, &done, 1.0, &mut now);
            }
            let from = now.to_owned();
            general_mat_mul(1.0, &inverses[start / PANEL], &from, 0.0, &mut now);
        }
    }

    /// A⁻¹.
    pub(crate) fn inverse(&self) -> Array2<f64> {
        let half = self.forward_all(Array2::eye(self.l.nrows()));
        half.t().dot(&half)
    }

    /// ln det A.
    pub(crate) fn log_det(&self) -> f64 {
        2.0 * self.l.diag().iter().map(|v| v.ln()).sum::<f64>()
    }
}

/// L⁻¹ of a small lower triangle L; what lies above its diagonal is not read.
pub(crate) fn inverse_of_lower(l: ArrayView2<'_, f64>) -> Array2<f64> {
    let n = l.nrows();
    let mut inverse = Array2::zeros((n, n));
    for j in 0..n {
        let mut column = vec![0.0; n];
        column[j] = 1.0 / l[[j, j]];
        for i in j + 1..n {
            let done: f64 = (j..i).map(|k| l[[i, k]] * column[k]).sum();
            column[i] = -done / l[[i, i]];
        }
        inverse
            .column_mut(j)
            .iter_mut()
            .zip(column)
            .for_each(|(to, v)| *to = v);
    }
    inverse
}

/// Cholesky factor of a matrix that rounding may have left just short of positive definite: the
/// diagonal is raised by 1e-12 of its largest entry, then by ever more, until it has one.
///
/// # Errors
/// `what` when entries are not finite or the matrix is far from positive definite.
pub(crate) fn lifted(a: &Array2<f64>, what: &str) -> Result<Cholesky, FitError> {
    let largest = a.diag().iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    if largest.is_finite() {
        for attempt in 0..8 {
            let mut a = a.clone();
            if attempt > 0 {
                let lift = largest.max(f64::MIN_POSITIVE) * 1e-12 * 100_f64.powi(attempt - 1);
                a.diag_mut().iter_mut().for_each(|v| *v += lift);
            }
            if let Some(factor) = Cholesky::new(a) {
                return Ok(factor);
            }
        }
    }
    Err(FitError::Failed(format!(
        "{what}: a matrix that must be positive definite is not: rescale the columns"
    )))
}

/// Eigenvalues of a symmetric matrix in descending order, and their vectors, one a row.
///
/// # Errors
/// When an entry is not finite.
pub(crate) fn eigh(a: Array2<f64>, what: &str) -> Result<(Vec<f64>, Array2<f64>), FitError> {
    let failed = || {
        FitError::Failed(format!(
            "{what}: the eigenvalues of a matrix could not be found: rescale the columns"
        ))
    };
    if a.iter().any(|v| !v.is_finite()) {
        return Err(failed());
    }
    let (values, vectors) = a.eigh_into().map_err(|_| failed())?;
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|i, j| values[*j].total_cmp(&values[*i]));
    let sorted = order.iter().map(|i| values[*i]).collect();
    Ok((sorted, vectors.t().select(Axis(0), &order)))
}

/// A = Σ left[k] values[k] right[k]ᵀ, by one-sided Jacobi rotations (Hestenes, 1958): slower than
/// bidiagonalisation, but every singular value comes out to high relative accuracy (Demmel &
/// Veselić, 1992). Not sorted.
pub(crate) struct Svd {
    pub(crate) left: Vec<Vec<f64>>,
    pub(crate) values: Vec<f64>,
    pub(crate) right: Vec<Vec<f64>>,
}

impl Svd {
    /// Of a matrix given by its columns.
    pub(crate) fn new(columns: Vec<Vec<f64>>) -> Self {
        let rows = columns.first().map_or(0, Vec::len);
        if rows < columns.len() {
            // More columns than rows: rotate the rows instead.
            let transposed = (0..rows)
                .map(|i| columns.iter().map(|c| c[i]).collect())
                .collect();
            let Self {
                left,
                values,
                right,
            } = Self::new(transposed);
            return Self {
                left: right,
                values,
                right: left,
            };
        }
        let mut u = columns;
        let p = u.len();
        let mut v: Vec<Vec<f64>> = (0..p)
            .map(|j| (0..p).map(|i| f64::from(u8::from(i == j))).collect())
            .collect();
        // Quadratic convergence: a handful of sweeps; 60 is out of reach for finite numbers.
        for _ in 0..60 {
            let mut rotated = false;
            for i in 0..p {
                for j in i + 1..p {
                    let (aa, bb) = (dot(&u[i], &u[i]), dot(&u[j], &u[j]));
                    let ab = dot(&u[i], &u[j]);
                    if ab == 0.0 || ab.abs() <= f64::EPSILON * (aa * bb).sqrt() {
                        continue;
                    }
                    rotated = true;
                    let zeta = (bb - aa) / (2.0 * ab);
                    let t = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
                    let c = 1.0 / t.hypot(1.0);
                    rotate(&mut u, i, j, c, c * t);
                    rotate(&mut v, i, j, c, c * t);
                }
            }
            if !rotated {
                break;
            }
        }
        let values: Vec<f64> = u.iter().map(|c| dot(c, c).sqrt()).collect();
        for (column, &s) in u.iter_mut().zip(&values) {
            if s > 0.0 {
                column.iter_mut().for_each(|x| *x /= s);
            }
        }
        Self {
            left: u,
            values,
            right: v,
        }
    }
}

fn rotate(columns: &mut [Vec<f64>], i: usize, j: usize, c: f64, s: f64) {
    let (head, tail) = columns.split_at_mut(j);
    for (a, b) in head[i].iter_mut().zip(&mut tail[0]) {
        (*a, *b) = (c * *a - s * *b, s * *a + c * *b);
    }
}

/// 1/(1 + e⁻ᵗ), of the two equal forms the one whose exponential cannot overflow.
pub(crate) fn sigmoid(t: f64) -> f64 {
    if t >= 0.0 {
        1.0 / (1.0 + (-t).exp())
    } else {
        let e = t.exp();
        e / (1.0 + e)
    }
}

/// ln(1 + eᵗ), without overflow.
pub(crate) fn softplus(t: f64) -> f64 {
    t.max(0.0) + (-t.abs()).exp().ln_1p()
}

/// Scores to probabilities, in place; gives the logarithm of the sum of exponentials.
pub(crate) fn softmax(scores: &mut [f64]) -> f64 {
    let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for s in scores.iter_mut() {
        *s = (*s - top).exp();
        sum += *s;
    }
    scores.iter_mut().for_each(|s| *s /= sum);
    top + sum.ln()
}

/// A standard normal number, from two uniform ones (Box & Muller, 1958).
pub(crate) fn normal(random: &mut impl Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.r#gen::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.r#gen::<f64>()).cos()
}

/// Median; 0 of no numbers.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    match n {
        0 => 0.0,
        _ if n % 2 == 1 => sorted[n / 2],
        _ => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

/// Where [`minimise`] stopped.
pub(crate) struct Minimum {
    pub(crate) at: Vec<f64>,
    pub(crate) value: f64,
    pub(crate) steps: usize,
    /// Whether it stopped because the gradient or the gain was small enough.
    pub(crate) converged: bool,
}

/// When [`minimise`] stops.
pub(crate) struct Stop {
    pub(crate) max_iter: usize,
    /// Largest entry of the projected gradient.
    pub(crate) gradient: f64,
    /// Gain of a step relative to the value.
    pub(crate) gain: f64,
}

/// Minimises a smooth function (value and gradient) within `[low, high]` of each entry by limited
/// memory quasi-Newton steps, projected onto the box (Nocedal & Wright, Numerical Optimization, 2nd
/// ed., algorithm 7.5), with halved steps until the value falls enough.
pub(crate) fn minimise(
    mut f: impl FnMut(&[f64]) -> (f64, Vec<f64>),
    start: Vec<f64>,
    (low, high): (f64, f64),
    stop: &Stop,
) -> Minimum {
    const MEMORY: usize = 10;
    let mut x = start;
    let (mut value, mut gradient) = f(&x);
    let mut pairs: VecDeque<(Vec<f64>, Vec<f64>, f64)> = VecDeque::new();
    let mut steps = 0;
    let done = |x: Vec<f64>, value, steps, converged| Minimum {
        at: x,
        value,
        steps,
        converged,
    };
    loop {
        // An entry at its bound that the gradient would push outside stays there.
        let free: Vec<bool> = x
            .iter()
            .zip(&gradient)
            .map(|(x, g)| !(*x <= low && *g > 0.0 || *x >= high && *g < 0.0))
            .collect();
        let mut q: Vec<f64> = gradient
            .iter()
            .zip(&free)
            .map(|(g, free)| if *free { *g } else { 0.0 })
            .collect();
        if q.iter().fold(0.0, |m: f64, g| m.max(g.abs())) <= stop.gradient {
            return done(x, value, steps, true);
        }
        if steps == stop.max_iter || !value.is_finite() {
            return done(x, value, steps, false);
        }
        let first = pairs.is_empty();
        let mut shares = Vec::with_capacity(pairs.len());
        for (s, y, rho) in pairs.iter().rev() {
            let share = rho * dot(s, &q);
            add_scaled(&mut q, -share, y);
            shares.push(share);
        }
        let scale = pairs.back().map_or_else(
            || 1.0 / dot(&q, &q).sqrt().max(1.0),
            |(_, y, rho)| 1.0 / (rho * dot(y, y)),
        );
        q.iter_mut().for_each(|v| *v *= scale);
        for ((s, y, rho), share) in pairs.iter().zip(shares.iter().rev()) {
            let back = rho * dot(y, &q);
            add_scaled(&mut q, share - back, s);
        }
        let direction: Vec<f64> = q
            .iter()
            .zip(&free)
            .map(|(q, free)| if *free { -q } else { 0.0 })
            .collect();
        let mut length = 1.0;
        let taken = loop {
            let next: Vec<f64> = x
                .iter()
                .zip(&direction)
                .map(|(x, d)| (x + length * d).clamp(low, high))
                .collect();
            let moved: Vec<f64> = next.iter().zip(&x).map(|(a, b)| a - b).collect();
            let promise = dot(&gradient, &moved);
            let (at, slope) = f(&next);
            if promise < 0.0 && at <= value + 1e-4 * promise {
                break Some((next, moved, at, slope));
            }
            length *= 0.5;
            if length < 1e-20 {
                break None;
            }
        };
        let Some((next, moved, at, slope)) = taken else {
            if first {
                // Not even along the gradient: as low as doubles can tell.
                return done(x, value, steps, true);
            }
            pairs.clear();
            continue;
        };
        let change: Vec<f64> = slope.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        let curvature = dot(&moved, &change);
        if curvature > 1e-12 * dot(&change, &change).sqrt() * dot(&moved, &moved).sqrt() {
            if pairs.len() == MEMORY {
                pairs.pop_front();
            }
            pairs.push_back((moved, change, 1.0 / curvature));
        }
        let gain = (value - at) / value.abs().max(at.abs()).max(1.0);
        (x, value, gradient) = (next, at, slope);
        steps += 1;
        if gain <= stop.gain {
            return done(x, value, steps, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;

    #[test]
    fn powers_of_e() {
        // The mathematics library of the system is the reference, in steps of about 1/700 and at the ends.
        let mut given: Vec<f64> = (-500_000..500_000).map(|i| f64::from(i) / 706.0).collect();
        given.extend([0.0, -0.0, 1.0, -708.0, 709.0, -708.5, 709.5, -745.0]);
        let mut found = given.clone();
        exp_all(&mut found);
        for (x, v) in given.iter().zip(&found) {
            let want = x.exp();
            let off = (v - want).abs();
            assert!(off <= 2.0 * f64::EPSILON * want, "e^{x}: {v}, not {want}");
        }
        let mut odd = [f64::NEG_INFINITY, -746.0, 710.0, f64::INFINITY, f64::NAN];
        exp_all(&mut odd);
        assert_eq!(odd[..2], [0.0; 2]);
        assert_eq!(odd[2..4], [f64::INFINITY; 2]);
        assert!(odd[4].is_nan());
        // Alone or among others: the same bits.
        for at in [0, 63, 64, 777] {
            let mut alone = [given[at]];
            exp_all(&mut alone);
            assert_eq!(alone[0].to_bits(), found[at].to_bits());
        }
    }

    /// A symmetric positive definite matrix with entries by a formula.
    fn spd(n: usize) -> Array2<f64> {
        Array2::from_shape_fn((n, n), |(i, j)| {
            let near = 1.0 / (1.0 + (i as f64 - j as f64).abs());
            near + f64::from(u8::from(i == j)) * (1.0 + (i % 7) as f64)
        })
    }

    #[test]
    fn a_factor_solves_and_inverts() {
        for n in [1, 5, 64, 150] {
            let a = spd(n);
            let factor = Cholesky::new(a.clone()).unwrap();
            let want: Vec<f64> = (0..n).map(|i| (i % 5) as f64 - 2.0).collect();
            let mut b = a.dot(&ndarray::Array1::from(want.clone())).to_vec();
            factor.solve(&mut b);
            assert_near(&b, &want, 1e-12);
            let identity = factor.inverse().dot(&a);
            assert_near(
                identity.as_slice().unwrap(),
                Array2::<f64>::eye(n).as_slice().unwrap(),
                1e-12,
            );
        }
        // det [[4, 2], [2, 3]] = 8.
        let two = Cholesky::new(ndarray::array![[4.0, 2.0], [2.0, 3.0]]).unwrap();
        assert_near(&[two.log_det()], &[8.0_f64.ln()], 1e-14);
        assert!(Cholesky::new(ndarray::array![[1.0, 2.0], [2.0, 1.0]]).is_none());
    }

    #[test]
    fn a_row_gives_the_same_bits_alone() {
        let x = Array2::from_shape_fn((130, 37), |(i, j)| ((i * 31 + j * 17) as f64).sin());
        let a = Array2::from_shape_fn((21, 37), |(i, j)| ((i * 13 + j * 7) as f64).cos());
        let all = row_products(x.view(), a.view());
        for i in 0..130 {
            let one = row_products(x.slice_axis(Axis(0), (i..=i).into()), a.view());
            assert_eq!(one.row(0), all.row(i));
        }
        assert_near(
            &[all[[129, 20]]],
            &[x.row(129).iter().zip(a.row(20)).map(|(a, b)| a * b).sum()],
            1e-13,
        );
    }

    #[test]
    fn eigenvalues_by_hand() {
        // [[2, 1], [1, 2]]: 3 along (1, 1), 1 along (1, -1).
        let (values, vectors) = eigh(ndarray::array![[2.0, 1.0], [1.0, 2.0]], "test").unwrap();
        assert_near(&values, &[3.0, 1.0], 1e-14);
        assert_near(&[vectors[[0, 0]].abs()], &[0.5_f64.sqrt()], 1e-14);
        assert!(eigh(ndarray::array![[f64::NAN]], "test").is_err());
    }

    #[test]
    fn singular_values_by_hand() {
        // AᵀA = [[10, 8], [8, 10]] has eigenvalues 18 and 2.
        let svd = Svd::new(vec![vec![1.0, 3.0], vec![3.0, 1.0]]);
        let mut values = svd.values.clone();
        values.sort_by(f64::total_cmp);
        assert_near(&values, &[2.0, 4.0], 1e-14);
        let wide = Svd::new(vec![vec![3.0], vec![4.0]]);
        assert_near(&wide.values, &[5.0], 1e-14);
        assert_near(&wide.right[0], &[0.6, 0.8], 1e-14);
    }

    #[test]
    fn minima_inside_and_on_the_border() {
        // Rosenbrock's valley has its minimum at (1, 1).
        let valley = |x: &[f64]| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            let value = a * a + 100.0 * b * b;
            (value, vec![-2.0 * a - 400.0 * b * x[0], 200.0 * b])
        };
        let stop = Stop {
            max_iter: 500,
            gradient: 1e-9,
            gain: 0.0,
        };
        let all = (f64::NEG_INFINITY, f64::INFINITY);
        let found = minimise(valley, vec![-1.2, 1.0], all, &stop);
        assert!(found.converged && found.value < 1e-15);
        assert_near(&found.at, &[1.0, 1.0], 1e-7);
        // Below 0.5 the best is on the border: x = 0.5, y = 0.25.
        let found = minimise(valley, vec![-1.2, 0.5], (f64::NEG_INFINITY, 0.5), &stop);
        assert_near(&found.at, &[0.5, 0.25], 1e-7);
    }
}
