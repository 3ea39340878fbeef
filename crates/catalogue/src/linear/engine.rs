//! What the linear models share: the reduced problem, its least squares and elastic-net solutions,
//! and the fitted plane.
//!
//! Every one of them depends on the rows only through XᵀX, Xᵀy and yᵀy. One QR decomposition of the
//! centred [X y] (linfa-linalg) therefore replaces n rows by p + 1 of the same geometry, without
//! squaring the condition number as XᵀX would.

use linfa::traits::Fit as _;
use linfa_elasticnet::ElasticNet;
use linfa_linalg::qr::QRInto as _;
use mltrainer_catalogue_core::{FitError, Outputs, Prediction, Predictor, Training, run};
use ndarray::{Array1, Array2, ArrayView2, Axis, ShapeBuilder as _};
use serde::{Deserialize, Serialize};

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
        if !intercept.is_finite() || weights.iter().any(|w| !w.is_finite()) {
            return Err(too_large());
        }
        Ok(Self {
            weights,
            intercept,
            extra,
        })
    }
}

impl Predictor for Plane {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        let values = x
            .rows()
            .into_iter()
            .map(|row| self.intercept + dot(row, &self.weights))
            .collect();
        Ok(Prediction::values(values))
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

/// A least squares problem on few rows with the geometry of the whole.
pub(crate) struct Problem {
    /// Rows x columns, column-major.
    a: Array2<f64>,
    b: Array1<f64>,
    means: Vec<f64>,
    y_mean: f64,
    n: f64,
}

/// Mean and centred values. What is left of a constant column is rounding; it becomes zero, so that
/// nothing is fitted to it.
pub(crate) fn centred(column: &[f64]) -> (f64, Vec<f64>) {
    let mean = column.iter().sum::<f64>() / column.len() as f64;
    let rest: Vec<f64> = column.iter().map(|v| v - mean).collect();
    let largest = rest.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    if largest <= 8.0 * f64::EPSILON * mean.abs() {
        return (mean, vec![0.0; column.len()]);
    }
    (mean, rest)
}

impl Problem {
    /// The problem of these rows; with an intercept, columns and target are centred first.
    pub(crate) fn new(data: &Training, fit_intercept: bool) -> Result<Self, FitError> {
        let x = data.x();
        let (n, p) = x.dim();
        let prepare = |column: Vec<f64>| {
            if fit_intercept {
                centred(&column)
            } else {
                (0.0, column)
            }
        };
        let mut means = Vec::with_capacity(p);
        let mut flat = Vec::with_capacity(n * (p + 1));
        for column in x.columns() {
            let (mean, rest) = prepare(column.to_vec());
            means.push(mean);
            flat.extend(rest);
        }
        let (y_mean, rest) = prepare(data.y().to_vec());
        flat.extend(rest);
        let squared: f64 = flat.iter().map(|v| v * v).sum();
        if !squared.is_finite() {
            return Err(too_large());
        }
        let failed = |e: &dyn std::fmt::Display| FitError::Failed(format!("least squares: {e}"));
        let mut both = Array2::from_shape_vec((n, p + 1).f(), flat).map_err(|e| failed(&e))?;
        if n > p + 1 {
            both = both.qr_into().map_err(|e| failed(&e))?.into_r();
        }
        let b = both.column(p).to_owned();
        let mut a = Array2::zeros((both.nrows(), p).f());
        a.assign(&both.slice_axis(Axis(1), (..p).into()));
        Ok(Self {
            a,
            b,
            means,
            y_mean,
            n: n as f64,
        })
    }

    /// Minimises |y - Xw|² + alpha |w|². With `alpha` 0 and dependent columns the answer is the
    /// shortest one, lengths measured in standard deviations of the columns; also gives the rank.
    pub(crate) fn ridge(&self, alpha: f64) -> (Vec<f64>, usize) {
        let p = self.a.ncols();
        let mut columns: Vec<Vec<f64>> = self.a.columns().into_iter().map(|c| c.to_vec()).collect();
        // Without a penalty the scale of a column must not decide whether it counts.
        let mut scale = vec![1.0; p];
        if alpha == 0.0 {
            for (column, scale) in columns.iter_mut().zip(&mut scale) {
                let norm = dot(&*column, &*column).sqrt();
                if norm > 0.0 {
                    *scale = norm;
                    column.iter_mut().for_each(|v| *v /= norm);
                }
            }
        }
        let svd = Svd::new(columns);
        let largest = svd.values.iter().copied().fold(0.0, f64::max);
        let cut = largest * f64::EPSILON * self.n.max(p as f64);
        let mut weights = vec![0.0; p];
        let mut rank = 0;
        for (k, &s) in svd.values.iter().enumerate() {
            if s <= cut {
                continue;
            }
            rank += 1;
            let share = dot(&svd.left[k], &self.b) * s / (s * s + alpha);
            for (w, v) in weights.iter_mut().zip(&svd.right[k]) {
                *w += share * v;
            }
        }
        for (w, s) in weights.iter_mut().zip(scale) {
            *w /= s;
        }
        (weights, rank)
    }

    /// Minimises |y - Xw|²/(2n) + alpha l1_ratio |w|₁ + alpha (1 - l1_ratio)/2 |w|² by coordinate
    /// descent (linfa-elasticnet) until the duality gap is under `tol` |y|².
    pub(crate) fn elastic_net(
        &self,
        alpha: f64,
        l1_ratio: f64,
        max_iter: usize,
        tol: f64,
    ) -> Result<(Vec<f64>, Outputs), FitError> {
        let (m, p) = self.a.dim();
        let yy = dot(&self.b, &self.b);
        let (mut weights, mut n_iter, mut gap) = (vec![0.0; p], 0, 0.0);
        if l1_ratio == 0.0 {
            // No corner to descend into, and no duality gap that could close: the closed form.
            weights = self.ridge(alpha * self.n).0;
        } else if yy > 0.0 {
            let rows = m as f64;
            // linfa divides the squares by the number of rows it is given, m instead of n.
            let fitted = ElasticNet::params()
                .penalty(alpha * self.n / rows)
                .l1_ratio(l1_ratio)
                .with_intercept(false)
                .tolerance(tol)
                // One more than asked: whoever needs it has not converged.
                .max_iterations(u32::try_from(max_iter + 1).unwrap_or(u32::MAX))
                .fit(&linfa::Dataset::new(self.a.clone(), self.b.clone()))
                .map_err(|e| FitError::Failed(format!("elastic net: {e}")))?;
            n_iter = fitted.n_steps() as usize;
            gap = fitted.duality_gap() / self.n;
            if n_iter > max_iter {
                return Err(FitError::Failed(format!(
                    "coordinate descent did not converge in max_iter = {max_iter} passes (duality gap {gap:.3e}, wanted {:.3e}): raise max_iter, tol or alpha, or rescale the columns",
                    tol * yy / self.n
                )));
            }
            // + 0.0 turns -0 into 0.
            weights = fitted.hyperplane().iter().map(|w| w + 0.0).collect();
        }
        let residual = &self.b - &self.a.dot(&Array1::from(weights.clone()));
        let l1: f64 = weights.iter().map(|w| w.abs()).sum();
        let objective = dot(&residual, &residual) / (2.0 * self.n)
            + alpha * l1_ratio * l1
            + alpha * (1.0 - l1_ratio) / 2.0 * dot(&weights, &weights);
        let outputs = Outputs::from_iter([
            ("objective".to_owned(), objective.into()),
            (
                "n_nonzero".to_owned(),
                weights.iter().filter(|w| **w != 0.0).count().into(),
            ),
            ("n_iter".to_owned(), n_iter.into()),
            ("dual_gap".to_owned(), gap.into()),
        ]);
        Ok((weights, outputs))
    }
}

/// A = Σ left[k] values[k] right[k]ᵀ, by one-sided Jacobi rotations (Hestenes, 1958): slower than
/// bidiagonalisation, but every singular value comes out to high relative accuracy (Demmel &
/// Veselić, 1992).
struct Svd {
    left: Vec<Vec<f64>>,
    values: Vec<f64>,
    right: Vec<Vec<f64>>,
}

impl Svd {
    /// Of a matrix given by its columns.
    fn new(columns: Vec<Vec<f64>>) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, table};

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
        let (x0, y0) = (centred(&x0).1, centred(&y0).1);
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
