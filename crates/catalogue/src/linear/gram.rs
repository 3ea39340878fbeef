//! The triangle R of the QR decomposition of many centred rows, through products of the rows with
//! themselves (Cholesky QR, repeated once: Yamamoto, Nakatsukasa, Yanagisawa & Fukaya, ETNA 44, 2015).
//!
//! G = XᵀX of columns of length 1 gives a first R₁ = chol(G) whose error grows with the square of the
//! condition number. The rows times R₁⁻¹ are then nearly orthonormal, their product with themselves
//! has a factor R₂ without that error, and R = R₂ R₁ is as good as that of Householder's reflections
//! while the condition stays under 10⁷. Beyond that nothing is given, and the caller reflects.
//!
//! Rows go through in blocks that stay in the cache. Sums are taken piece by piece in the order of the
//! rows, so that the answer does not depend on the number of threads.

use crate::numeric::{Cholesky, add_scaled};
use mltrainer_catalogue_core::threads;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis};

/// What [`triangle`] found.
pub(super) struct Reduced {
    /// R of the centred columns, the target last.
    pub(super) r: Array2<f64>,
    pub(super) means: Vec<f64>,
    pub(super) y_mean: f64,
}

/// Fewer rows are not worth it.
const FEW: usize = 512;
/// More columns do not stay in the cache.
const MOST_COLUMNS: usize = 400;
/// Rows of one piece of a sum, and rows multiplied at a time.
const PIECE: usize = 2_048;
const BLOCK: usize = 128;
/// Bound on the condition of columns of length 1, up to which the second round removes the error, and
/// up to which there is none to speak of (its square times 10⁻¹⁶).
const FAR_ENOUGH: f64 = 1e6;
const FAR: f64 = 1e3;

struct Table<'a, 'b> {
    x: ArrayView2<'a, f64>,
    y: &'b [f64],
    roots: Option<Vec<f64>>,
    /// What is taken off: the means, or at first values near them.
    means: Vec<f64>,
    /// Columns of which only rounding is left after the mean is taken off.
    flat: Vec<bool>,
}

/// Sums over the rows of a table.
struct Sums {
    first: Array2<f64>,
    sums: Vec<f64>,
    largest: Vec<f64>,
}

impl Sums {
    fn new(q: usize) -> Self {
        Self {
            first: Array2::zeros((q, q)),
            sums: vec![0.0; q],
            largest: vec![0.0; q],
        }
    }
}

impl Table<'_, '_> {
    /// A row, the target last.
    fn copy(&self, i: usize, to: &mut [f64]) {
        let p = to.len() - 1;
        let row = self.x.row(i);
        match row.as_slice() {
            Some(row) => to[..p].copy_from_slice(row),
            None => to.iter_mut().zip(row).for_each(|(to, v)| *to = *v),
        }
        to[p] = self.y[i];
    }

    /// Centred rows from `from` on, the target last.
    fn fill(&self, from: usize, to: &mut ArrayViewMut2<'_, f64>) {
        let any_flat = self.flat.contains(&true);
        for (i, mut row) in to.rows_mut().into_iter().enumerate() {
            let Some(row) = row.as_slice_mut() else {
                continue;
            };
            self.copy(from + i, row);
            let root = self.roots.as_ref().map_or(1.0, |r| r[from + i]);
            for (v, m) in row.iter_mut().zip(&self.means) {
                *v = (*v - m) * root;
            }
            if any_flat {
                for (v, _) in row.iter_mut().zip(&self.flat).filter(|(_, f)| **f) {
                    *v = 0.0;
                }
            }
        }
    }

    /// The product of the rows with themselves, their sums, and their largest entries.
    fn sums(&self) -> Sums {
        let (n, q) = (self.y.len(), self.means.len());
        let pieces = threads::map(n.div_ceil(PIECE), |piece| {
            let end = ((piece + 1) * PIECE).min(n);
            let mut own = Sums::new(q);
            let mut rows = Array2::zeros((BLOCK, q));
            for from in (piece * PIECE..end).step_by(BLOCK) {
                let many = BLOCK.min(end - from);
                let mut rows = rows.slice_axis_mut(Axis(0), (..many).into());
                self.fill(from, &mut rows);
                for (i, row) in rows.rows().into_iter().enumerate() {
                    let root = self.roots.as_ref().map_or(1.0, |r| r[from + i]);
                    let Some(row) = row.to_slice() else { continue };
                    let unweighted = if root > 0.0 { 1.0 / root } else { 0.0 };
                    let each = own.sums.iter_mut().zip(&mut own.largest).zip(row);
                    for ((sum, largest), v) in each {
                        *sum += v * root;
                        let size = v.abs() * unweighted;
                        *largest = if size > *largest { size } else { *largest };
                    }
                }
                general_mat_mul(1.0, &rows.t(), &rows, 1.0, &mut own.first);
            }
            own
        });
        let mut all = Sums::new(q);
        for piece in pieces {
            all.first += &piece.first;
            add_scaled(&mut all.sums, 1.0, &piece.sums);
            for (a, b) in all.largest.iter_mut().zip(piece.largest) {
                *a = a.max(b);
            }
        }
        all
    }

    /// The product of the rows times `map` with themselves.
    fn product(&self, map: &Array2<f64>) -> Array2<f64> {
        let (n, q) = (self.y.len(), self.means.len());
        let pieces = threads::map(n.div_ceil(PIECE), |piece| {
            let end = ((piece + 1) * PIECE).min(n);
            let mut sum = Array2::zeros((q, q));
            let mut rows = Array2::zeros((BLOCK, q));
            let mut turned = Array2::zeros((BLOCK, q));
            for from in (piece * PIECE..end).step_by(BLOCK) {
                let many = BLOCK.min(end - from);
                let mut rows = rows.slice_axis_mut(Axis(0), (..many).into());
                self.fill(from, &mut rows);
                let mut turned = turned.slice_axis_mut(Axis(0), (..many).into());
                general_mat_mul(1.0, &rows, map, 0.0, &mut turned);
                general_mat_mul(1.0, &turned.t(), &turned, 1.0, &mut sum);
            }
            sum
        });
        let mut sum = Array2::zeros((q, q));
        pieces.iter().for_each(|piece| sum += piece);
        sum
    }
}

/// R of the rows with the target as their last column, centred with an intercept; none when rows are
/// few, columns are many or nearly dependent, or numbers overflow.
pub(super) fn triangle(
    x: ArrayView2<'_, f64>,
    y: &[f64],
    row_weights: Option<&[f64]>,
    fit_intercept: bool,
) -> Option<Reduced> {
    let (n, p) = x.dim();
    let q = p + 1;
    if n < FEW || n < 4 * q || q > MOST_COLUMNS {
        return None;
    }
    let mut table = Table {
        x,
        y,
        roots: row_weights.map(|w| w.iter().map(|w| w.sqrt()).collect()),
        means: vec![0.0; q],
        flat: vec![false; q],
    };
    if fit_intercept {
        // Means of the first rows are near enough to the means for the sums not to lose digits. A
        // column that does not change there gets its very value: a constant one is then 0 exactly.
        let mut row = vec![0.0; q];
        table.copy(0, &mut row);
        let (begin, mut same) = (row.clone(), vec![true; q]);
        for i in 0..FEW {
            table.copy(i, &mut row);
            let each = table.means.iter_mut().zip(&mut same);
            for ((mean, same), (v, begin)) in each.zip(row.iter().zip(&begin)) {
                *mean += v / FEW as f64;
                *same &= v == begin;
            }
        }
        for j in (0..q).filter(|j| same[*j]) {
            table.means[j] = begin[j];
        }
    }
    let Sums {
        mut first,
        sums,
        largest,
    } = table.sums();
    if fit_intercept {
        let all = row_weights.map_or(n as f64, |w| w.iter().sum());
        let off: Vec<f64> = sums.iter().map(|s| s / all).collect();
        for ((i, j), v) in first.indexed_iter_mut() {
            *v -= all * off[i] * off[j];
        }
        for (j, off) in off.iter().enumerate() {
            table.means[j] += off;
            table.flat[j] = largest[j] + off.abs() <= 8.0 * f64::EPSILON * table.means[j].abs();
            if table.flat[j] {
                first.row_mut(j).fill(0.0);
                first.column_mut(j).fill(0.0);
            } else if first[[j, j]] < 0.01 * all * off * off {
                // The first rows said nothing of the others: digits were lost.
                return None;
            }
        }
    }
    let sizes: Vec<f64> = first.diag().iter().map(|v| v.sqrt()).collect();
    // Squares that overflow or vanish: the caller knows what to say or do.
    if !first.iter().all(|v| v.is_finite()) || sizes.iter().any(|s| *s != 0.0 && *s < 1e-150) {
        return None;
    }
    let scaled = Array2::from_shape_fn((q, q), |(i, j)| match (sizes[i], sizes[j]) {
        (a, b) if a > 0.0 && b > 0.0 => first[[i, j]] / a / b,
        _ => f64::from(u8::from(i == j)),
    });
    let factor = Cholesky::new(scaled)?;
    let inverse = factor.forward_all(Array2::eye(q));
    let condition = (inverse.iter().map(|v| v * v).sum::<f64>() * q as f64).sqrt();
    if condition.is_nan() || condition > FAR_ENOUGH {
        return None;
    }
    let mut r = Array2::zeros((q, q));
    if condition <= FAR {
        r.assign(&factor.lower().t());
    } else {
        // The rows in units of the lengths of their columns, times R₁⁻¹.
        let map = Array2::from_shape_fn((q, q), |(i, j)| {
            if sizes[i] > 0.0 {
                inverse[[j, i]] / sizes[i]
            } else {
                0.0
            }
        });
        let mut second = table.product(&map);
        for j in (0..q).filter(|j| sizes[*j] == 0.0) {
            second[[j, j]] = 1.0;
        }
        let second = Cholesky::new(second)?;
        for i in 0..q {
            let mut row = vec![0.0; q];
            for k in i..q {
                let from: Vec<f64> = (0..q).map(|j| factor.entry(j, k)).collect();
                add_scaled(&mut row, second.entry(k, i), &from);
            }
            r.row_mut(i).iter_mut().zip(row).for_each(|(r, v)| *r = v);
        }
    }
    for ((i, j), v) in r.indexed_iter_mut() {
        *v = if i > j { 0.0 } else { *v * sizes[j] };
    }
    let y_mean = table.means.pop()?;
    Some(Reduced {
        r,
        means: table.means,
        y_mean,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;

    /// Powers of a number, so that columns come ever nearer to dependence, and a constant.
    fn rows(degree: i32) -> (Array2<f64>, Vec<f64>) {
        let at = |i: usize| i as f64 / 1_000.0;
        let x = Array2::from_shape_fn((1_000, degree as usize + 1), |(i, j)| match j as i32 {
            j if j == degree => 7.0,
            j => at(i).powi(j + 1),
        });
        (x, (0..1_000).map(|i| (9.0 * at(i)).sin()).collect())
    }

    #[test]
    fn the_geometry_is_that_of_the_rows() {
        for degree in [2, 5] {
            let (x, y) = rows(degree);
            let found = triangle(x.view(), &y, None, true).unwrap();
            let q = x.ncols() + 1;
            let mut all = Array2::zeros((1_000, q));
            for (i, mut row) in all.rows_mut().into_iter().enumerate() {
                for j in 0..q - 1 {
                    row[j] = x[[i, j]] - found.means[j];
                }
                row[q - 1] = y[i] - found.y_mean;
            }
            let (want, got) = (all.t().dot(&all), found.r.t().dot(&found.r));
            // Two ways of summing 1,000 products: some rounding of either.
            assert_near(got.as_slice().unwrap(), want.as_slice().unwrap(), 1e-11);
            assert!(
                found
                    .r
                    .indexed_iter()
                    .all(|((i, j), v)| i <= j || *v == 0.0)
            );
        }
    }

    #[test]
    fn dependent_columns_are_left_to_the_caller() {
        let (mut x, y) = rows(2);
        let twice = x.column(0).to_owned() * 2.0;
        x.column_mut(1).assign(&twice);
        assert!(triangle(x.view(), &y, None, true).is_none());
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let (_, y) = rows(5);
        let x = Array2::from_shape_fn((9_000, 3), |(i, j)| (i as f64 * (j + 2) as f64).sin());
        let y: Vec<f64> = y.iter().cycle().take(9_000).copied().collect();
        let r = |threads| threads::grant(threads, || triangle(x.view(), &y, None, true).unwrap().r);
        assert_eq!(r(1), r(2));
        assert_eq!(r(1), r(4));
    }
}
