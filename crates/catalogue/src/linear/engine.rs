//! What the linear models share: the reduced problem, its least squares and elastic-net solutions,
//! and the fitted plane.
//!
//! Every one of them depends on the rows only through XᵀX, Xᵀy and yᵀy. One QR decomposition of the
//! centred [X y] (linfa-linalg) therefore replaces n rows by p + 1 of the same geometry, without
//! squaring the condition number as XᵀX would. A row of weight w enters as √w times itself. Many rows
//! whose columns are far from dependent take a quicker way to the same R (`gram`).

use super::gram;
use crate::numeric::{self, Svd, add_scaled, flat, flat_mut};
use linfa_linalg::qr::QRInto as _;
use mltrainer_catalogue_core::run::effective_seed;
use mltrainer_catalogue_core::{
    FitError, Outputs, Prediction, Predictor, Training, choices, run, threads,
};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis, ShapeBuilder as _};
use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// Directions in which columns vary by no more than this share of the most do not count in least squares
/// unless it is asked for: the default of scikit-learn's LinearRegression.
pub(crate) const LEAST_SHARE: f64 = 1e-6;

/// A fitted plane and what the fit says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub struct Plane {
    weights: Vec<f64>,
    intercept: f64,
    extra: Outputs,
}

impl Plane {
    /// A plane through the means, with outputs of its own.
    pub(crate) fn new(
        weights: Vec<f64>,
        problem: &Problem,
        extra: Outputs,
    ) -> Result<Self, FitError> {
        let intercept = problem.y_mean - dot(&weights, &problem.means);
        Self::at(weights, intercept, extra)
    }

    /// A plane with an intercept, with outputs of its own.
    pub(crate) fn at(weights: Vec<f64>, intercept: f64, extra: Outputs) -> Result<Self, FitError> {
        if !intercept.is_finite() || weights.iter().any(|w| !w.is_finite()) {
            return Err(too_large());
        }
        Ok(Self {
            weights,
            intercept,
            extra,
        })
    }

    /// Values of the plane, one a row.
    pub(crate) fn values(&self, x: ArrayView2<'_, f64>) -> Vec<f64> {
        // The same bits however rows are stored.
        let value = |row: ArrayView1<'_, f64>| match row.as_slice() {
            Some(row) => numeric::dot(row, &self.weights),
            None => numeric::dot(&row.to_vec(), &self.weights),
        };
        x.rows()
            .into_iter()
            .map(|row| self.intercept + value(row))
            .collect()
    }
}

impl Predictor for Plane {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        Ok(Prediction::values(self.values(x)))
    }

    fn outputs(&self) -> Outputs {
        let mut outputs = self.extra.clone();
        outputs.insert("coefficients".into(), run::numbers(&self.weights));
        outputs.insert("intercept".into(), self.intercept.into());
        outputs
    }
}

/// Inner product, summed from the first entry to the last: the same bits however rows are stored.
pub(crate) fn dot<'a, 'b>(
    a: impl IntoIterator<Item = &'a f64>,
    b: impl IntoIterator<Item = &'b f64>,
) -> f64 {
    a.into_iter().zip(b).map(|(a, b)| a * b).sum()
}

fn too_large() -> FitError {
    FitError::Failed("the columns are too large to be squared: rescale them".into())
}

/// Mean and centred values. What is left of a constant column is rounding; it becomes zero, so that
/// nothing is fitted to it.
pub(crate) fn centred(column: &[f64], weights: Option<&[f64]>) -> (f64, Vec<f64>) {
    let mean = match weights {
        None => column.iter().sum::<f64>() / column.len() as f64,
        Some(w) => dot(column, w) / w.iter().sum::<f64>(),
    };
    let rest: Vec<f64> = column.iter().map(|v| v - mean).collect();
    let largest = rest.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    if largest <= 8.0 * f64::EPSILON * mean.abs() {
        return (mean, vec![0.0; column.len()]);
    }
    (mean, rest)
}

/// Units for the columns of a table in which steps and tolerances do not depend on theirs: standard
/// deviations around the means. A row in them has a last figure of 1 where there is an intercept.
pub(crate) struct Units<'a> {
    x: &'a Array2<f64>,
    intercept: bool,
    /// What is subtracted: 0 without an intercept.
    means: Vec<f64>,
    /// What is divided by: 1 for a constant column.
    pub(crate) scales: Vec<f64>,
    /// What is multiplied with: 0 for a constant column, of which rounding would be left.
    factors: Vec<f64>,
}

/// Rows of one piece of a sum over all rows, and rows multiplied at a time.
const PIECE: usize = 2_048;
const BLOCK: usize = 128;
/// Pieces whose sums are there at a time.
const PIECES: usize = 4;
/// Multiplications from which on other threads are started: below that they save less time than starting
/// them takes, and each holds memory of its own.
const SHARED: usize = 1 << 26;

/// Does work of so many multiplications on as many threads as are worth it.
fn shared<T>(multiplications: usize, work: impl FnOnce() -> T) -> T {
    let threads = if multiplications < SHARED {
        1
    } else {
        threads::granted()
    };
    threads::grant(threads, work)
}

impl<'a> Units<'a> {
    /// The units of a training table.
    pub(crate) fn new(data: &'a Training, intercept: bool) -> Result<Self, FitError> {
        Self::of(data.x(), data.weights(), intercept, |j| {
            data.design().names()[j].clone()
        })
    }

    /// The units of columns, `weights` of whose rows matter to the means; `name` is that of a column.
    pub(crate) fn of(
        x: &'a Array2<f64>,
        weights: Option<&[f64]>,
        intercept: bool,
        name: impl Fn(usize) -> String,
    ) -> Result<Self, FitError> {
        let (n, p) = x.dim();
        let (mut means, mut scales) = (vec![0.0; p], vec![1.0; p]);
        // Row after row, as the table lies in memory.
        if intercept {
            for (i, row) in x.rows().into_iter().enumerate() {
                let w = weights.map_or(1.0, |w| w[i]);
                means.iter_mut().zip(row).for_each(|(m, v)| *m += v * w);
            }
            let all = weights.map_or(n as f64, |w| w.iter().sum());
            means.iter_mut().for_each(|m| *m /= all);
        }
        let (mut largest, mut squares) = (vec![0.0; p], vec![0.0; p]);
        for row in x.rows() {
            let sums = squares.iter_mut().zip(&mut largest);
            for ((v, m), (square, largest)) in row.iter().zip(&means).zip(sums) {
                let off = v - m;
                *square += off * off;
                let size = off.abs();
                *largest = if size > *largest { size } else { *largest };
            }
        }
        let mut factors = vec![0.0; p];
        for (j, square) in squares.iter().enumerate() {
            let scale = (square / n as f64).sqrt();
            if !scale.is_finite() {
                return Err(FitError::Failed(format!(
                    "column \"{}\" is too large to be squared: rescale it",
                    name(j)
                )));
            }
            // What is left of a constant column is rounding.
            let constant = intercept && largest[j] <= 8.0 * f64::EPSILON * means[j].abs();
            if !constant && scale > 0.0 && (1.0 / scale).is_finite() {
                scales[j] = scale;
            }
            if !constant {
                factors[j] = 1.0 / scales[j];
            }
        }
        Ok(Self {
            x,
            intercept,
            means,
            scales,
            factors,
        })
    }

    /// Figures of a row in these units.
    pub(crate) fn width(&self) -> usize {
        self.scales.len() + usize::from(self.intercept)
    }

    /// A row in these units.
    fn row(&self, i: usize, to: &mut [f64]) {
        let row = self.x.row(i);
        let each = to
            .iter_mut()
            .zip(row)
            .zip(self.means.iter().zip(&self.factors));
        each.for_each(|((to, v), (m, factor))| *to = (v - m) * factor);
        if self.intercept
            && let Some(one) = to.last_mut()
        {
            *one = 1.0;
        }
    }

    /// What `sum` makes of each block of rows in these units, in pieces on all threads; `take` gets the
    /// pieces' sums in their order. It is given the first row, the block, and room of the size of the
    /// block.
    fn pieces<T: Send>(
        &self,
        empty: impl Fn() -> T + Sync,
        sum: impl Fn(&mut T, usize, ArrayView2<'_, f64>, ArrayViewMut2<'_, f64>) + Sync,
        mut take: impl FnMut(T),
    ) {
        let n = self.x.nrows();
        let all = n.div_ceil(PIECE);
        let piece = |piece: usize| {
            let end = ((piece + 1) * PIECE).min(n);
            let mut done = empty();
            let mut block = Array2::zeros((BLOCK, self.width()));
            let mut room = block.clone();
            for from in (piece * PIECE..end).step_by(BLOCK) {
                let rows = BLOCK.min(end - from);
                for (i, mut to) in block.rows_mut().into_iter().take(rows).enumerate() {
                    self.row(from + i, flat_mut(to.view_mut()));
                }
                let room = room.slice_axis_mut(Axis(0), (..rows).into());
                let block = block.slice_axis(Axis(0), (..rows).into());
                sum(&mut done, from, block, room);
            }
            done
        };
        for first in (0..all).step_by(PIECES) {
            let some = PIECES.min(all - first);
            let done = shared(n * self.width() * self.width(), || {
                threads::map(some, |i| piece(first + i))
            });
            done.into_iter().for_each(&mut take);
        }
    }

    /// The rows times a column of weights.
    pub(crate) fn times(&self, theta: &[f64], products: &mut [f64]) {
        let by: Vec<f64> = theta
            .iter()
            .zip(&self.factors)
            .map(|(t, f)| t * f)
            .collect();
        let own = theta.get(self.factors.len()).copied().unwrap_or_default();
        shared(16 * products.len() * self.width(), || {
            threads::chunks(products, PIECE, |piece, to| {
                for (i, to) in to.iter_mut().enumerate() {
                    let row = self.x.row(piece * PIECE + i);
                    let row = flat(row);
                    *to = own + numeric::centred_dot(row, &self.means, &by);
                }
            });
        });
    }

    /// The sum of the rows, each by a factor.
    pub(crate) fn sum(&self, by: impl Fn(usize) -> f64 + Sync) -> Vec<f64> {
        self.moments(|i| (by(i), 0.0), false).0
    }

    /// The sum of the rows, each by the first factor, and that of their products with themselves, each
    /// by the second: width x width.
    pub(crate) fn sum_and_gram(
        &self,
        by: impl Fn(usize) -> (f64, f64) + Sync,
    ) -> (Vec<f64>, Array2<f64>) {
        self.moments(by, true)
    }

    /// The sum of the rows' products with themselves, each by a factor: width x width.
    pub(crate) fn gram(&self, by: impl Fn(usize) -> f64 + Sync) -> Array2<f64> {
        self.moments(|i| (0.0, by(i)), true).1
    }

    fn moments(
        &self,
        by: impl Fn(usize) -> (f64, f64) + Sync,
        second: bool,
    ) -> (Vec<f64>, Array2<f64>) {
        let width = self.width();
        let wide = if second { width } else { 0 };
        let empty = || (vec![0.0; width], Array2::zeros((wide, wide)));
        let add = |(sum, gram): &mut (Vec<f64>, Array2<f64>),
                   from: usize,
                   rows: ArrayView2<'_, f64>,
                   mut room: ArrayViewMut2<'_, f64>| {
            for (i, (row, mut to)) in rows.rows().into_iter().zip(room.rows_mut()).enumerate() {
                let row = flat(row);
                let (one, two) = by(from + i);
                add_scaled(sum, one, row);
                if second {
                    to.iter_mut().zip(row).for_each(|(to, v)| *to = v * two);
                }
            }
            if second {
                general_mat_mul(1.0, &room.t(), &rows, 1.0, gram);
            }
        };
        let (mut sum, mut gram) = empty();
        self.pieces(empty, add, |piece| {
            add_scaled(&mut sum, 1.0, &piece.0);
            gram += &piece.1;
        });
        (sum, gram)
    }

    /// Weights and intercept for the columns as they came, of those for rows in these units.
    pub(crate) fn undo(&self, theta: &[f64]) -> (Vec<f64>, f64) {
        let weights: Vec<f64> = theta
            .iter()
            .zip(&self.scales)
            .map(|(t, s)| t / s + 0.0)
            .collect();
        let own = theta.get(self.scales.len()).copied().unwrap_or_default();
        let intercept = own - dot(&weights, &self.means);
        (weights, intercept)
    }
}

/// A table in its [`Units`], for methods that need all of it at once.
pub(crate) struct Standardised<'a> {
    /// Rows x columns, with a last column of ones when there is an intercept.
    pub(crate) x: Array2<f64>,
    pub(crate) units: Units<'a>,
}

impl<'a> Standardised<'a> {
    /// The columns of a training table.
    pub(crate) fn new(data: &'a Training, intercept: bool) -> Result<Self, FitError> {
        let units = Units::new(data, intercept)?;
        let mut x = Array2::zeros((data.x().nrows(), units.width()));
        for (i, mut to) in x.rows_mut().into_iter().enumerate() {
            units.row(i, flat_mut(to.view_mut()));
        }
        Ok(Self { x, units })
    }
}

/// A least squares problem on few rows with the geometry of the whole.
pub(crate) struct Problem {
    /// Rows x columns, column-major.
    pub(crate) a: Array2<f64>,
    pub(crate) b: Array1<f64>,
    pub(crate) means: Vec<f64>,
    pub(crate) y_mean: f64,
    /// Number of rows, or the sum of their weights.
    pub(crate) n: f64,
    /// Rows of the table.
    pub(crate) rows: usize,
}

impl Problem {
    /// The problem of these rows; with an intercept, columns and target are centred first.
    pub(crate) fn new(data: &Training, fit_intercept: bool) -> Result<Self, FitError> {
        Self::of(data.x().view(), data.y(), data.weights(), fit_intercept)
    }

    /// The problem of columns and a target.
    pub(crate) fn of(
        x: ArrayView2<'_, f64>,
        y: &[f64],
        row_weights: Option<&[f64]>,
        fit_intercept: bool,
    ) -> Result<Self, FitError> {
        let (n, p) = x.dim();
        let weighted = row_weights.map_or(n as f64, |w| w.iter().sum());
        if let Some(gram) = gram::triangle(x, y, row_weights, fit_intercept) {
            return Ok(Self::split(&gram.r, gram.means, gram.y_mean, weighted, n));
        }
        let prepare = |column: Vec<f64>| {
            let (mean, mut column) = if fit_intercept {
                centred(&column, row_weights)
            } else {
                (0.0, column)
            };
            for (v, w) in column.iter_mut().zip(row_weights.unwrap_or_default()) {
                *v *= w.sqrt();
            }
            (mean, column)
        };
        let mut means = Vec::with_capacity(p);
        let mut flat = Vec::with_capacity(n * (p + 1));
        for column in x.columns() {
            let (mean, rest) = prepare(column.to_vec());
            means.push(mean);
            flat.extend(rest);
        }
        let (y_mean, rest) = prepare(y.to_vec());
        flat.extend(rest);
        if !numeric::dot(&flat, &flat).is_finite() {
            return Err(too_large());
        }
        let both = Array2::from_shape_vec((n, p + 1).f(), flat)
            .map_err(|e| FitError::Failed(format!("least squares: {e}")))?;
        Ok(Self::split(&triangle(both)?, means, y_mean, weighted, n))
    }

    /// The problem of a reduced table whose last column is the target.
    fn split(both: &Array2<f64>, means: Vec<f64>, y_mean: f64, n: f64, rows: usize) -> Self {
        let p = means.len();
        let mut a = Array2::zeros((both.nrows(), p).f());
        a.assign(&both.slice_axis(Axis(1), (..p).into()));
        Self {
            a,
            b: both.column(p).to_owned(),
            means,
            y_mean,
            n,
            rows,
        }
    }

    /// Some of the columns, in this order.
    pub(crate) fn part(&self, columns: &[usize]) -> Self {
        let mut a = Array2::zeros((self.a.nrows(), columns.len()).f());
        a.assign(&self.a.select(Axis(1), columns));
        Self {
            a,
            b: self.b.clone(),
            means: Vec::new(),
            y_mean: self.y_mean,
            n: self.n,
            rows: self.rows,
        }
    }

    /// A column of the reduced table.
    pub(crate) fn column(&self, j: usize) -> &[f64] {
        let m = self.a.nrows();
        &self.a.as_slice_memory_order().unwrap_or_default()[j * m..][..m]
    }

    /// The target of the reduced table.
    pub(crate) fn target(&self) -> &[f64] {
        flat(self.b.view())
    }

    /// Minimises |y - Xw|² + alpha |w|². With `alpha` 0 and dependent columns the answer is the
    /// shortest one; also gives the rank.
    pub(crate) fn ridge(&self, alpha: f64) -> Result<(Vec<f64>, usize), FitError> {
        let p = self.a.ncols();
        if alpha > 0.0 && p > 32 && self.a.nrows() >= p {
            // √alpha times the identity below the columns: independent whatever they are.
            let mut tall = Array2::zeros((self.a.nrows() + p, p + 1));
            for ((i, j), v) in self.a.indexed_iter() {
                tall[[i, j]] = *v;
            }
            for (i, v) in self.b.iter().enumerate() {
                tall[[i, p]] = *v;
            }
            for j in 0..p {
                tall[[self.a.nrows() + j, j]] = alpha.sqrt();
            }
            return Ok((substitute(&triangle(tall)?), p));
        }
        let columns: Vec<Vec<f64>> = (0..p).map(|j| self.column(j).to_vec()).collect();
        if alpha > 0.0 {
            return Ok(self.shortest(columns, alpha));
        }
        // Without a penalty the scale of a column must not decide whether it counts.
        let mut scaled = columns.clone();
        let mut scale = vec![1.0; p];
        for (column, scale) in scaled.iter_mut().zip(&mut scale) {
            let norm = numeric::dot(column, column).sqrt();
            if norm > 0.0 {
                *scale = norm;
                column.iter_mut().for_each(|v| *v /= norm);
            }
        }
        let (mut weights, rank) = match self.independent(&scaled)? {
            Some(weights) => (weights, p),
            None => self.shortest(scaled, 0.0),
        };
        if rank < p {
            return Ok((self.shortest(columns, 0.0).0, rank));
        }
        for (w, s) in weights.iter_mut().zip(scale) {
            *w /= s;
        }
        Ok((weights, rank))
    }

    /// Least squares as scikit-learn's LinearRegression solves it: directions of the (centred, weighted)
    /// columns in which they vary by no more than `tol` of the most, in units of the columns as they came, are
    /// left out, and of the answers that are left the shortest is taken; also gives the number of
    /// directions that count.
    pub(crate) fn least_squares(&self, tol: f64) -> Result<(Vec<f64>, usize), FitError> {
        let p = self.a.ncols();
        if tol == 0.0 || (self.a.nrows() >= p && self.condition() * tol < 1.0) {
            return self.ridge(0.0);
        }
        let columns: Vec<Vec<f64>> = (0..p).map(|j| self.column(j).to_vec()).collect();
        let (weights, rank) = self.shortest_above(columns, 0.0, tol);
        // What is left may still depend on others, as far as rounding tells.
        if rank == p {
            return self.ridge(0.0);
        }
        Ok((weights, rank))
    }

    /// A bound on the condition number of a reduced table that is a triangle R: |R| |R⁻¹|, R⁻¹ by back
    /// substitution; infinite for a table that is not one.
    fn condition(&self) -> f64 {
        let p = self.a.ncols();
        let (mut size, mut inverse) = (0.0, 0.0);
        for j in 0..p {
            let own = self.column(j);
            if own[j + 1..].iter().any(|v| *v != 0.0) {
                return f64::INFINITY;
            }
            size += numeric::dot(own, own);
            let mut column = vec![0.0; j + 1];
            column[j] = 1.0;
            for i in (0..=j).rev() {
                let solved = column[i] / self.a[[i, i]];
                column[i] = solved;
                add_scaled(&mut column[..i], -solved, &self.column(i)[..i]);
            }
            inverse += numeric::dot(&column, &column);
        }
        let bound = (size * inverse).sqrt();
        if bound.is_nan() { f64::INFINITY } else { bound }
    }

    /// The solution by back substitution, when the columns (of length 1) are far from dependent.
    fn independent(&self, columns: &[Vec<f64>]) -> Result<Option<Vec<f64>>, FitError> {
        let p = columns.len();
        if self.a.nrows() < p {
            return Ok(None);
        }
        let flat: Vec<f64> = columns.iter().flatten().chain(&self.b).copied().collect();
        let both = Array2::from_shape_vec((self.a.nrows(), p + 1).f(), flat)
            .map_err(|e| FitError::Failed(format!("least squares: {e}")))?;
        let r = triangle(both)?;
        // |R| is √p; a bound on |R⁻¹| from its columns, each a back substitution.
        let mut inverse = 0.0;
        for j in 0..p {
            let mut column = vec![0.0; j + 1];
            column[j] = 1.0;
            for i in (0..=j).rev() {
                let done: f64 = (i + 1..=j).map(|k| r[[i, k]] * column[k]).sum();
                column[i] = (column[i] - done) / r[[i, i]];
            }
            inverse += numeric::dot(&column, &column);
        }
        let condition = inverse.sqrt() * (p as f64).sqrt();
        Ok((condition < 1e7).then(|| substitute(&r)))
    }

    /// Minimises |y - Xw|² + alpha |w|² by singular values; those that are rounding are left out.
    pub(super) fn shortest(&self, columns: Vec<Vec<f64>>, alpha: f64) -> (Vec<f64>, usize) {
        let rounding = f64::EPSILON * self.rows.max(columns.len()) as f64;
        self.shortest_above(columns, alpha, rounding)
    }

    /// The same without the singular values that are at most this share of the largest.
    fn shortest_above(&self, columns: Vec<Vec<f64>>, alpha: f64, share: f64) -> (Vec<f64>, usize) {
        let p = columns.len();
        let svd = Svd::new(columns);
        let largest = svd.values.iter().copied().fold(0.0, f64::max);
        let cut = largest * share;
        let mut weights = vec![0.0; p];
        let mut rank = 0;
        for (k, &s) in svd.values.iter().enumerate() {
            if s <= cut {
                continue;
            }
            rank += 1;
            let share = numeric::dot(&svd.left[k], self.target()) * s / (s * s + alpha);
            add_scaled(&mut weights, share, &svd.right[k]);
        }
        (weights, rank)
    }

    /// Minimises |y - Xw|² + alpha |w|² over weights that are not negative: columns enter one at a
    /// time where that lowers the sum most, and leave when they would turn negative (Lawson &
    /// Hanson, Solving Least Squares Problems, 1974, chapter 23).
    pub(crate) fn nonnegative(&self, alpha: f64) -> Result<Vec<f64>, FitError> {
        let p = self.a.ncols();
        let norms: Vec<f64> = (0..p)
            .map(|j| numeric::dot(self.column(j), self.column(j)).sqrt())
            .collect();
        let size = numeric::dot(self.target(), self.target()).sqrt();
        let mut weights = vec![0.0; p];
        let mut active: Vec<usize> = Vec::new();
        let mut refused = vec![false; p];
        for _ in 0..10 * p + 10 {
            let mut rest = self.target().to_vec();
            for &j in &active {
                add_scaled(&mut rest, -weights[j], self.column(j));
            }
            let gain = |j: usize| numeric::dot(self.column(j), &rest) - alpha * weights[j];
            let best = (0..p)
                .filter(|j| !active.contains(j) && !refused[*j])
                .map(|j| (j, gain(j)))
                .filter(|(j, g)| *g > 1e-13 * norms[*j] * size)
                // Of columns that gain alike, but for rounding, the first.
                .reduce(|a, b| if b.1 > a.1 * (1.0 + 1e-12) { b } else { a });
            let Some((enters, _)) = best else {
                return Ok(weights);
            };
            active.push(enters);
            loop {
                let free = self.part(&active).ridge(alpha)?.0;
                if free.iter().all(|w| *w > 0.0) {
                    for (j, w) in active.iter().zip(free) {
                        weights[*j] = w;
                    }
                    refused.fill(false);
                    break;
                }
                if free.last().is_some_and(|w| *w <= 0.0) && weights[enters] == 0.0 {
                    // Rounding let it in.
                    active.pop();
                    refused[enters] = true;
                    break;
                }
                // As far towards the free solution as all stay at least 0.
                let far = active
                    .iter()
                    .zip(&free)
                    .filter(|(_, f)| **f <= 0.0)
                    .map(|(j, f)| weights[*j] / (weights[*j] - f))
                    .fold(1.0, f64::min);
                for (j, f) in active.iter().zip(&free) {
                    weights[*j] += far * (f - weights[*j]);
                }
                let out = 1e-15 * weights.iter().fold(0.0, |m: f64, w| m.max(*w));
                active.retain(|j| weights[*j] > out);
                for (j, w) in weights.iter_mut().enumerate() {
                    if !active.contains(&j) {
                        *w = 0.0;
                    }
                }
            }
        }
        Err(FitError::Failed(
            "non-negative least squares did not converge: leave out columns that depend on others"
                .into(),
        ))
    }

    /// Minimises |y - Xw|²/(2n) + alpha l1_ratio |w|₁ + alpha (1 - l1_ratio)/2 |w|² by coordinate
    /// descent (Friedman, Hastie & Tibshirani, J. Stat. Softw. 33, 2010) until the duality gap is
    /// under `tol` |y|².
    pub(crate) fn elastic_net(&self, given: &Penalty) -> Result<(Vec<f64>, Outputs), FitError> {
        let p = self.a.ncols();
        let y = self.target();
        let yy = numeric::dot(y, y);
        let l1 = given.alpha * given.l1_ratio * self.n;
        let l2 = given.alpha * (1.0 - given.l1_ratio) * self.n;
        let (mut weights, mut n_iter, mut gap) = (vec![0.0; p], 0, 0.0);
        if given.l1_ratio == 0.0 {
            // No corner to descend into, and no duality gap that could close: the closed form.
            weights = if given.positive {
                self.nonnegative(l2)?
            } else {
                self.ridge(l2)?.0
            };
        } else if yy > 0.0 {
            let squares: Vec<f64> = (0..p)
                .map(|j| numeric::dot(self.column(j), self.column(j)))
                .collect();
            let mut rest = y.to_vec();
            // Draws take longer, and the way they went should show.
            let mut next_jump = if given.random.is_some() {
                64 * EVERY
            } else {
                EVERY
            };
            let mut draws = given.random.map(|seed| Draws {
                random: Xoshiro256PlusPlus::seed_from_u64(seed),
                still: vec![false; p],
            });
            loop {
                if n_iter == given.max_iter {
                    return Err(FitError::Failed(format!(
                        "coordinate descent did not converge in max_iter = {} passes (duality gap {:.3e}, wanted {:.3e}): raise max_iter, tol or alpha, or rescale the columns",
                        given.max_iter,
                        gap / self.n,
                        given.tol * yy / self.n
                    )));
                }
                n_iter += 1;
                let mut at_rest = true;
                for next in 0..p {
                    let j = draws.as_mut().map_or(next, |d| d.random.gen_range(0..p));
                    if squares[j] == 0.0 {
                        continue;
                    }
                    let column = self.column(j);
                    let pull = numeric::dot(column, &rest) + squares[j] * weights[j];
                    let shrunk = if given.positive {
                        (pull - l1).max(0.0)
                    } else {
                        pull.signum() * (pull.abs() - l1).max(0.0)
                    };
                    let next = shrunk / (squares[j] + l2) + 0.0;
                    if next != weights[j] {
                        add_scaled(&mut rest, weights[j] - next, column);
                        weights[j] = next;
                        at_rest = false;
                    } else if let Some(draws) = &mut draws {
                        draws.still[j] = true;
                    }
                }
                if let Some(draws) = &mut draws {
                    // A pass need not meet every column: at rest are those met since the last move.
                    if !at_rest {
                        draws.still.fill(false);
                    }
                    at_rest = (0..p).all(|j| draws.still[j] || squares[j] == 0.0);
                }
                gap = self.gap(&weights, &rest, l1, l2, given.positive);
                // At rest to the last bit, rounding is all that is left of the gap.
                if gap <= given.tol * yy || at_rest {
                    break;
                }
                // Descent is slow where columns are alike, but soon knows which weights matter.
                if n_iter == next_jump {
                    next_jump += EVERY;
                    // Where draws were not enough the columns are gone through in their order.
                    draws = None;
                    if let Some((better, left)) = self.on_support(&weights, l1, l2) {
                        (weights, rest) = (better, left);
                        gap = self.gap(&weights, &rest, l1, l2, given.positive);
                        if gap <= given.tol * yy {
                            break;
                        }
                    }
                }
            }
        }
        let residual = &self.b - &self.a.dot(&ArrayView1::from(&weights));
        let absolute: f64 = weights.iter().map(|w| w.abs()).sum();
        let objective = dot(&residual, &residual) / (2.0 * self.n)
            + given.alpha * given.l1_ratio * absolute
            + given.alpha * (1.0 - given.l1_ratio) / 2.0 * dot(&weights, &weights);
        let outputs = Outputs::from_iter([
            ("objective".to_owned(), objective.into()),
            (
                "n_nonzero".to_owned(),
                weights.iter().filter(|w| **w != 0.0).count().into(),
            ),
            ("n_iter".to_owned(), n_iter.into()),
            ("dual_gap".to_owned(), (gap / self.n).into()),
        ]);
        Ok((weights, outputs))
    }

    /// The minimum of |y - Xw|²/2 + l1 |w|₁ + l2/2 |w|² over weights of which none has another sign than in
    /// `weights`, and what it leaves of the target: solved for over those that are not 0, as far towards that as
    /// all keep their sign, then without those that became 0. None where they are too many.
    ///
    /// Where columns depend on each other a little of the squared distance from the last weights is added, so
    /// that there is one solution; it takes part of the last step only, which is repeated.
    fn on_support(&self, weights: &[f64], l1: f64, l2: f64) -> Option<(Vec<f64>, Vec<f64>)> {
        const LITTLE: f64 = 1e-10;
        const REPEATS: usize = 3;
        let mut all = weights.to_vec();
        let mut kept = 0;
        for _ in 0..10 * all.len() + 10 {
            let active: Vec<usize> = (0..all.len()).filter(|j| all[*j] != 0.0).collect();
            if active.is_empty() || active.len() > self.a.nrows().max(MOST_AT_ONCE) {
                return None;
            }
            let mut gram = Array2::zeros((active.len(), active.len()));
            for (a, i) in active.iter().enumerate() {
                for (b, j) in active[..=a].iter().enumerate() {
                    let v = numeric::dot(self.column(*i), self.column(*j));
                    (gram[[a, b]], gram[[b, a]]) = (v, v);
                }
            }
            let largest = gram.diag().iter().fold(0.0, |m: f64, v| m.max(*v));
            let little = (LITTLE * largest - l2).max(0.0);
            gram.diag_mut().iter_mut().for_each(|v| *v += l2 + little);
            let factor = numeric::Cholesky::new(gram)?;
            let pull = |j: &usize| {
                let own = all[*j];
                numeric::dot(self.column(*j), self.target()) - l1 * own.signum() + little * own
            };
            let mut found: Vec<f64> = active.iter().map(pull).collect();
            factor.solve(&mut found);
            let share = |w: f64, f: f64| if w * f > 0.0 { 1.0 } else { w / (w - f) };
            let pairs = active.iter().zip(&found);
            let far = pairs.fold(1.0, |far: f64, (j, f)| far.min(share(all[*j], *f)));
            for (j, f) in active.into_iter().zip(found) {
                let own = share(all[j], f);
                let crosses = own < 1.0 && own <= far;
                all[j] = if crosses {
                    0.0
                } else {
                    all[j] + far * (f - all[j])
                };
            }
            kept = if far < 1.0 { 0 } else { kept + 1 };
            if kept == REPEATS || (kept == 1 && little == 0.0) {
                break;
            }
        }
        let mut rest = self.target().to_vec();
        for (j, w) in all.iter().enumerate().filter(|(_, w)| **w != 0.0) {
            add_scaled(&mut rest, -w, self.column(j));
        }
        Some((all, rest))
    }

    /// How far |y - Xw|²/2 + l1 |w|₁ + l2/2 |w|² is from its minimum at most.
    fn gap(&self, weights: &[f64], rest: &[f64], l1: f64, l2: f64, positive: bool) -> f64 {
        let mut dual: f64 = 0.0;
        for (j, w) in weights.iter().enumerate() {
            let slope = numeric::dot(self.column(j), rest) - l2 * w;
            dual = dual.max(if positive { slope } else { slope.abs() });
        }
        let shrink = if dual > l1 { l1 / dual } else { 1.0 };
        let (rr, ww) = (numeric::dot(rest, rest), numeric::dot(weights, weights));
        let absolute: f64 = weights.iter().map(|w| w.abs()).sum();
        0.5 * rr * (1.0 + shrink * shrink) + l1 * absolute
            - shrink * numeric::dot(rest, self.target())
            + 0.5 * l2 * (1.0 + shrink * shrink) * ww
    }
}

/// Passes of coordinate descent after which the weights that are not 0 are solved for at once, and how many of
/// them at most where the rows are fewer.
const EVERY: usize = 64;
const MOST_AT_ONCE: usize = 256;

/// What [`Problem::elastic_net`] is asked for.
pub(crate) struct Penalty {
    pub(crate) alpha: f64,
    pub(crate) l1_ratio: f64,
    pub(crate) positive: bool,
    pub(crate) max_iter: usize,
    pub(crate) tol: f64,
    /// Seed of the draws of columns; none goes through them in their order.
    pub(crate) random: Option<u64>,
}

choices! {
    /// Which weight is moved next.
    pub enum Selection {
        /// One after the other.
        Cyclic = "cyclic",
        /// One drawn at random, as many a pass as there are columns.
        Random = "random",
    }
}

impl Selection {
    /// The seed of the draws, where there are some.
    pub(crate) fn seed(self, own: Option<usize>, run: u64) -> Option<u64> {
        (self == Self::Random).then(|| effective_seed(own, run))
    }
}

/// Columns in random order.
struct Draws {
    random: Xoshiro256PlusPlus,
    /// Columns that were met and had no reason to move, in passes without a move.
    still: Vec<bool>,
}

/// Columns of fewer rows with the same geometry.
pub(crate) fn reduced(columns: Vec<Vec<f64>>) -> Result<Vec<Vec<f64>>, FitError> {
    let shape = (columns.first().map_or(0, Vec::len), columns.len());
    let flat = columns.into_iter().flatten().collect();
    let table = Array2::from_shape_vec(shape.f(), flat)
        .map_err(|e| FitError::Failed(format!("least squares: {e}")))?;
    let table = triangle(table)?;
    Ok(table.columns().into_iter().map(|c| c.to_vec()).collect())
}

/// Of a table with more rows than columns the triangle R of its QR decomposition, else itself.
fn triangle(both: Array2<f64>) -> Result<Array2<f64>, FitError> {
    if both.nrows() <= both.ncols() {
        return Ok(both);
    }
    let qr = both
        .qr_into()
        .map_err(|e| FitError::Failed(format!("least squares: {e}")))?;
    Ok(qr.into_r())
}

/// Solves R w = z by back substitution for [R z].
fn substitute(both: &Array2<f64>) -> Vec<f64> {
    let p = both.ncols() - 1;
    let mut w = vec![0.0; p];
    for i in (0..p).rev() {
        let done: f64 = (i + 1..p).map(|k| both[[i, k]] * w[k]).sum();
        w[i] = (both[[i, p]] - done) / both[[i, i]];
    }
    w
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, table};

    #[test]
    fn the_reduced_problem_has_the_same_geometry() {
        let rows: Vec<Vec<f64>> = (0..9)
            .map(|i| vec![f64::from(i), f64::from(i * i % 7), 4.0])
            .collect();
        let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let y: Vec<f64> = (0..9).map(|i| f64::from(i * 5 % 11)).collect();
        let data = table(&rows, &y);
        let problem = Problem::new(&data, true).unwrap();
        assert_eq!(problem.a.dim(), (4, 3));
        let (x0, y0) = (data.x().column(0).to_vec(), data.y().to_vec());
        let (x0, y0) = (centred(&x0, None).1, centred(&y0, None).1);
        assert_near(
            &[
                dot(problem.a.column(0), problem.a.column(0)),
                dot(problem.a.column(0), &problem.b),
                dot(&problem.b, &problem.b),
                dot(problem.a.column(2), problem.a.column(2)),
            ],
            &[dot(&x0, &x0), dot(&x0, &y0), dot(&y0, &y0), 0.0],
            1e-13,
        );
    }
}
