//! Kernels: inner products of rows after a map that is never computed.

use crate::numeric::{dot, exp_all, flat, flat_mut, row_products};
use mltrainer_catalogue_core::{choices, threads};
use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

choices! {
    /// The kernel of two rows x and z.
    #[derive(Serialize, Deserialize)]
    pub enum Kernel {
        /// x·z.
        Linear = "linear",
        /// exp(-gamma |x - z|²).
        Rbf = "rbf",
        /// (gamma x·z + coef0)^degree.
        Poly = "poly",
        /// tanh(gamma x·z + coef0).
        Sigmoid = "sigmoid",
        /// x·z/(|x| |z|).
        Cosine = "cosine",
        /// exp(-gamma |x - z|₁).
        Laplacian = "laplacian",
        /// Another name of poly.
        Polynomial = "polynomial",
        /// -Σ (x - z)²/(x + z), 0/0 = 0; values from 0 on.
        AdditiveChi2 = "additive_chi2",
        /// exp(-gamma Σ (x - z)²/(x + z)); values from 0 on.
        Chi2 = "chi2",
    }
}

/// A kernel with its parameters.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Form {
    pub(crate) kernel: Kernel,
    pub(crate) gamma: f64,
    pub(crate) degree: f64,
    pub(crate) coef0: f64,
}

/// Rows of one piece of a lower triangle.
const STRIP: usize = 256;

impl Form {
    /// Of all pairs: rows of x by rows of z. A row of x gives the same bits whatever its neighbours.
    pub(crate) fn pairs(&self, x: ArrayView2<'_, f64>, z: ArrayView2<'_, f64>) -> Array2<f64> {
        let squares = |t: ArrayView2<'_, f64>| -> Vec<f64> {
            let rows = t.rows().into_iter();
            rows.map(|r| {
                let r = r.to_vec();
                dot(&r, &r)
            })
            .collect()
        };
        if matches!(
            self.kernel,
            Kernel::Laplacian | Kernel::AdditiveChi2 | Kernel::Chi2
        ) {
            let (x, z) = (x.as_standard_layout(), z.as_standard_layout());
            let mut k = Array2::zeros((x.nrows(), z.nrows()));
            threads::each(k.rows_mut().into_iter().enumerate(), |(i, mut row)| {
                let own = x.row(i);
                let own = flat(own);
                for (v, other) in row.iter_mut().zip(z.rows()) {
                    *v = self.of_gaps(own, flat(other));
                }
            });
            return k;
        }
        let mut k = row_products(x, z);
        match self.kernel {
            Kernel::Linear | Kernel::Laplacian | Kernel::AdditiveChi2 | Kernel::Chi2 => {}
            Kernel::Rbf => {
                distances(x, z, &mut k);
                threads::each(k.rows_mut(), |mut row| {
                    row.mapv_inplace(|d| -self.gamma * d);
                    exp_all(flat_mut(row.view_mut()));
                });
            }
            Kernel::Poly | Kernel::Polynomial
                if self.degree.fract() == 0.0 && self.degree.abs() < 1e6 =>
            {
                let degree = self.degree as i32;
                k.mapv_inplace(|v| (self.gamma * v + self.coef0).powi(degree));
            }
            Kernel::Poly | Kernel::Polynomial => {
                k.mapv_inplace(|v| (self.gamma * v + self.coef0).powf(self.degree));
            }
            Kernel::Sigmoid => k.mapv_inplace(|v| (self.gamma * v + self.coef0).tanh()),
            Kernel::Cosine => {
                let sizes = |s: Vec<f64>| -> Vec<f64> {
                    let roots = s.into_iter().map(f64::sqrt);
                    roots.map(|s| if s > 0.0 { s } else { 1.0 }).collect()
                };
                let (a, b) = (sizes(squares(x)), sizes(squares(z)));
                for ((i, j), v) in k.indexed_iter_mut() {
                    *v /= a[i] * b[j];
                }
            }
        }
        k
    }

    /// Of the rows among themselves: the lower triangle, which is the same as the upper one; what stands
    /// above it means nothing, but is finite.
    pub(crate) fn own_lower(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut k = Array2::zeros((x.nrows(), x.nrows()));
        for start in (0..x.nrows()).step_by(STRIP) {
            let end = (start + STRIP).min(x.nrows());
            let rows = x.slice_axis(Axis(0), (start..end).into());
            let before = x.slice_axis(Axis(0), (..end).into());
            let mut own = k.slice_axis_mut(Axis(0), (start..end).into());
            own.slice_axis_mut(Axis(1), (..end).into())
                .assign(&self.pairs(rows, before));
        }
        k
    }

    /// Of two rows, for the kernels of a sum over the columns that no product of matrices gives.
    pub(crate) fn of_gaps(&self, x: &[f64], z: &[f64]) -> f64 {
        let pairs = x.iter().zip(z);
        if self.kernel == Kernel::Laplacian {
            let sum: f64 = pairs.map(|(a, b)| (a - b).abs()).sum();
            return (-self.gamma * sum).exp();
        }
        let terms = pairs.filter(|(a, b)| **a + **b != 0.0);
        let sum: f64 = terms.map(|(a, b)| (a - b) * (a - b) / (a + b)).sum();
        if self.kernel == Kernel::Chi2 {
            (-self.gamma * sum).exp()
        } else {
            -sum
        }
    }
}

/// Whether a squared distance has lost too many digits beside what it is the difference of.
fn too_near(distance: f64, both: f64) -> bool {
    distance.is_nan() || distance <= 1e-5 * both
}

/// Turns inner products of rows of x and of z into squared distances. Where rows are so near that
/// digits would cancel, the distance is computed from the differences.
pub(crate) fn distances(x: ArrayView2<'_, f64>, z: ArrayView2<'_, f64>, k: &mut Array2<f64>) {
    let square = |row: ndarray::ArrayView1<'_, f64>| {
        let row = row.to_vec();
        dot(&row, &row)
    };
    let own: Vec<f64> = z.rows().into_iter().map(square).collect();
    threads::each(k.rows_mut().into_iter().enumerate(), |(i, mut row)| {
        let x = x.row(i);
        let size = square(x);
        // Without leaving early, so that several go through the processor at once.
        let mut near = false;
        for (v, own) in row.iter_mut().zip(&own) {
            let both = size + own;
            *v = both - 2.0 * *v;
            near |= too_near(*v, both);
        }
        if near {
            for (j, v) in row.iter_mut().enumerate() {
                if too_near(*v, size + own[j]) {
                    let gaps = x.iter().zip(z.row(j));
                    *v = gaps.map(|(a, b)| (a - b).powi(2)).sum();
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;

    #[test]
    fn kernels_by_hand() {
        let (x, z) = (ndarray::array![[1.0, 2.0]], ndarray::array![[3.0, -1.0]]);
        // x·z = 1, |x - z|² = 13, |x - z|₁ = 5, |x|² = 5, |z|² = 10.
        for (kernel, want) in [
            (Kernel::Linear, 1.0),
            (Kernel::Rbf, (-1.3_f64).exp()),
            (Kernel::Poly, 2.1_f64.powi(3)),
            (Kernel::Sigmoid, 2.1_f64.tanh()),
            (Kernel::Cosine, 1.0 / 50.0_f64.sqrt()),
            (Kernel::Laplacian, (-0.5_f64).exp()),
            (Kernel::Polynomial, 2.1_f64.powi(3)),
        ] {
            let form = Form {
                kernel,
                gamma: 0.1,
                degree: 3.0,
                coef0: 2.0,
            };
            let k = form.pairs(x.view(), z.view());
            assert_near(&[k[[0, 0]]], &[want], 1e-14);
        }
        // 2²/4 + 3²/3 + 0/0 = 4.
        let (x, z) = (
            ndarray::array![[1.0, 0.0, 0.0]],
            ndarray::array![[3.0, 3.0, 0.0]],
        );
        for (kernel, want) in [
            (Kernel::AdditiveChi2, -4.0),
            (Kernel::Chi2, (-0.4_f64).exp()),
        ] {
            let form = Form {
                kernel,
                gamma: 0.1,
                degree: 3.0,
                coef0: 1.0,
            };
            let k = form.pairs(x.view(), z.view());
            assert_near(&[k[[0, 0]]], &[want], 1e-14);
        }
        let mut k = row_products(x.view(), x.view());
        distances(x.view(), x.view(), &mut k);
        assert_eq!(k[[0, 0]], 0.0);
    }
}
