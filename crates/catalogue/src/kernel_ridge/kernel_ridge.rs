//! Kernel ridge regression.
//!
//! What: ridge regression after a map of the rows that the kernel stands for.
//! Formula: ŷ(x) = Σ aᵢ k(x, xᵢ), a = (K + alpha I)⁻¹ y.
//! Data: columns of like scale; at most some thousands of rows.
//! Cost: fit O(n² p + n³), predict O(rows n p).
//! Fails when: rows are many: the kernel matrix holds n² numbers.
//! Source: Saunders, Gammerman & Vovk (1998); Murphy, Machine Learning (2012), 14.4.3.
//! Not claimed: an intercept: the target is taken as it is.

use crate::kernels::{Form, Kernel};
use crate::numeric::{Cholesky, dot, eigh, flat, flat_mut};
use mltrainer_catalogue_core::card::{Evidence, Preset};
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Prediction, Predictor, Supervised, Training, params,
    run,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

/// The handle.
pub struct KernelRidge;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<KernelRidge>();

params! {
    /// Parameters of kernel ridge regression.
    pub struct KernelRidgeParams {
        /// Strength of the penalty.
        alpha: f64 = 1.0, at_least(0.0);
        /// The kernel.
        kernel: Kernel = Kernel::Linear;
        /// Factor of the inner product or distance in the kernel; none is 1 / columns, for chi2 1.
        gamma: Option<f64> = None, at_least(0.0);
        /// Degree of the kernel poly (polynomial).
        degree: f64 = 3.0, at_least(0.0);
        /// Constant of the kernels poly and sigmoid.
        coef0: f64 = 1.0;
    }
}

/// Fitted state.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    form: Form,
    rows: Array2<f64>,
    dual: Vec<f64>,
}

const CARD: Card = Card {
    id: "kernel_ridge",
    family: "kernel_ridge",
    title: "Kernel ridge",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Ridge regression after a map of the rows that a kernel stands for: curved surfaces by solving one linear system.",
    formula: "ŷ(x) = Σᵢ aᵢ k(x, xᵢ), a = (K + alpha I)⁻¹ y; with row weights s: a = √s (√s K √s + alpha I)⁻¹ √s y, the shortest least squares answer where that has no inverse; kernels linear, rbf, poly, sigmoid, cosine, laplacian, and chi2 and additive_chi2 for values from 0 on",
    data: "Columns of like scale, nothing is centred or rescaled inside; at most 20,000 rows.",
    cost: "fit O(n² p + n³), predict O(rows · n p)",
    fails_when: "Rows are many (the kernel matrix holds n² numbers), or the target is far from 0: there is no intercept.",
    not_claimed: "An intercept, or an interval.",
    source: "C. Saunders, A. Gammerman, V. Vovk, Ridge regression learning algorithm in dual variables (1998); K. P. Murphy, Machine Learning (2012), section 14.4.3",
    reference: "scikit-learn 1.9.1, KernelRidge",
    outputs: &[("dual_coefficients", "a, one a training row")],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "scikit-learn 1.9.1",
            cases: "kernel-ridge-rbf-aapl-small, kernel-ridge-poly-aapl-small, kernel-ridge-sigmoid-aapl-small, kernel-ridge-cosine-aapl-small",
            tolerance: "predictions 1e-7",
        },
        Evidence {
            against: "scikit-learn 1.9.1",
            cases: "a test of this entry: chi2, additive_chi2, polynomial",
            tolerance: "predictions 1e-10",
        },
    ],
    presets: &[
        Preset {
            id: "kernel_ridge_polynomial",
            title: "Kernel ridge, kernel poly",
            set: &[("kernel", "poly")],
        },
        Preset {
            id: "kernel_ridge_sigmoid",
            title: "Kernel ridge, kernel sigmoid",
            set: &[("kernel", "sigmoid")],
        },
        Preset {
            id: "kernel_ridge_cosine",
            title: "Kernel ridge, kernel cosine",
            set: &[("kernel", "cosine")],
        },
    ],
    exemptions: &[],
};

/// A kernel matrix beyond this does not fit a workstation: 3.2 GB.
pub(crate) const MOST_ROWS: usize = 20_000;

impl Supervised for KernelRidge {
    type Params = KernelRidgeParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn fit(params: &KernelRidgeParams, data: &Training, _: u64) -> Result<Fitted, FitError> {
        let (n, p) = data.x().dim();
        if n > MOST_ROWS {
            return Err(FitError::Data(format!(
                "{n} rows: kernel_ridge takes at most {MOST_ROWS}, since its kernel matrix holds the square of that; take the last of them, or rbf_network or hist_gradient_boosting, whose cost grows with the rows alone"
            )));
        }
        from_0_on(params.kernel, data.x().view())?;
        let usual = if params.kernel == Kernel::Chi2 {
            1.0
        } else {
            1.0 / p as f64
        };
        let form = Form {
            kernel: params.kernel,
            gamma: params.gamma.unwrap_or(usual),
            degree: params.degree,
            coef0: params.coef0,
        };
        let roots: Vec<f64> = data
            .weights()
            .map_or_else(|| vec![1.0; n], |w| w.iter().map(|w| w.sqrt()).collect());
        let matrix = || {
            let mut k = form.own_lower(data.x().view());
            if k.iter().any(|v| !v.is_finite()) {
                return Err(FitError::Failed(
                    "kernel_ridge: a kernel value is not finite: rescale the columns or lower gamma or degree".into(),
                ));
            }
            if data.weights().is_some() {
                for ((i, j), v) in k.indexed_iter_mut() {
                    *v *= roots[i] * roots[j];
                }
            }
            k.diag_mut().mapv_inplace(|v| v + params.alpha);
            Ok(k)
        };
        let mut dual: Vec<f64> = data.y().iter().zip(&roots).map(|(y, s)| y * s).collect();
        // A kernel need not be positive definite (sigmoid), and may be singular (alpha 0): then the
        // matrix is made again, which is cheaper than a second one kept for it.
        match Cholesky::new(matrix()?) {
            Some(factor) => factor.solve(&mut dual),
            None => {
                let whole = || {
                    let mut k = matrix()?;
                    for i in 0..n {
                        for j in i + 1..n {
                            k[[i, j]] = k[[j, i]];
                        }
                    }
                    Ok::<_, FitError>(k)
                };
                dual = match indefinite(whole()?, dual.clone()) {
                    Some(dual) => dual,
                    None => shortest(whole()?, &dual)?,
                };
            }
        }
        for (a, s) in dual.iter_mut().zip(&roots) {
            *a *= s;
        }
        Ok(Fitted {
            form,
            rows: data.x().clone(),
            dual,
        })
    }
}

/// The kernels of the chi-squared distance are of shares or counts.
fn from_0_on(kernel: Kernel, x: ArrayView2<'_, f64>) -> Result<(), FitError> {
    let such = matches!(kernel, Kernel::Chi2 | Kernel::AdditiveChi2);
    if such && x.iter().any(|v| *v < 0.0) {
        return Err(FitError::Data(
            "kernel_ridge: the kernels chi2 and additive_chi2 take values from 0 on; a column has one below"
                .into(),
        ));
    }
    Ok(())
}

/// The shortest a with the least |K a - b| for a symmetric K.
fn shortest(k: Array2<f64>, b: &[f64]) -> Result<Vec<f64>, FitError> {
    let (values, vectors) = eigh(k, "kernel_ridge")?;
    let largest = values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let cut = largest * f64::EPSILON * b.len() as f64;
    let mut a = vec![0.0; b.len()];
    for (value, vector) in values.iter().zip(vectors.rows()) {
        if value.abs() > cut {
            let vector = vector.to_vec();
            let share = dot(&vector, b) / value;
            crate::numeric::add_scaled(&mut a, share, &vector);
        }
    }
    Ok(a)
}

/// Solves K a = b for a symmetric K by elimination with row pivots; none where it is singular.
fn indefinite(mut k: Array2<f64>, mut b: Vec<f64>) -> Option<Vec<f64>> {
    let n = b.len();
    let size = k.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    for c in 0..n {
        let top = (c..n)
            .max_by(|i, j| k[[*i, c]].abs().total_cmp(&k[[*j, c]].abs()))
            .unwrap_or(c);
        if k[[top, c]].abs() <= f64::EPSILON * size {
            return None;
        }
        if top != c {
            for j in 0..n {
                k.swap([c, j], [top, j]);
            }
            b.swap(c, top);
        }
        let (head, mut tail) = k.view_mut().split_at(Axis(0), c + 1);
        let pivot_row = head.row(c);
        let pivot_row = &flat(pivot_row)[c..];
        let own = b[c];
        for (i, mut row) in tail.rows_mut().into_iter().enumerate() {
            let row = &mut flat_mut(row.view_mut())[c..];
            let by = row[0] / pivot_row[0];
            crate::numeric::add_scaled(row, -by, pivot_row);
            b[c + 1 + i] -= by * own;
        }
    }
    for i in (0..n).rev() {
        let row = k.row(i);
        let row = flat(row);
        b[i] = (b[i] - dot(&row[i + 1..], &b[i + 1..])) / row[i];
    }
    Some(b)
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        from_0_on(self.form.kernel, x)?;
        let mut values = Vec::with_capacity(x.nrows());
        for rows in x.axis_chunks_iter(Axis(0), 1_024) {
            let k = self.form.pairs(rows, self.rows.view());
            let rows = k.rows().into_iter();
            values.extend(rows.map(|r| dot(flat(r), &self.dual)));
        }
        Ok(Prediction::values(values))
    }

    fn outputs(&self) -> Outputs {
        Outputs::from_iter([("dual_coefficients".to_owned(), run::numbers(&self.dual))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, remainders, table};
    use mltrainer_catalogue_core::Params as _;

    #[test]
    fn kernels_of_values_from_0_on() {
        // scikit-learn 1.9.1, KernelRidge(**parameters) on the first 8 rows: predictions of the next
        // three. Without gamma its chi2 fails; chi2_kernel alone takes 1 then.
        let rows = remainders();
        let y: Vec<f64> = (0..24)
            .map(|i| f64::from(i * 3 % 7) + f64::from(i) / 4.0)
            .collect();
        let some: Vec<&[f64]> = rows[..8].iter().map(Vec::as_slice).collect();
        let next = Array2::from_shape_fn((3, 4), |(i, j)| rows[8 + i][j]);
        let predict = |given: serde_json::Value| {
            let params = KernelRidgeParams::from_map(given.as_object().unwrap()).unwrap();
            let fitted = KernelRidge::fit(&params, &table(&some, &y[..8]), 0).unwrap();
            fitted.predict(next.view()).unwrap().values
        };
        for (given, want) in [
            (
                serde_json::json!({"kernel": "chi2", "gamma": 0.5}),
                [
                    1.844_468_748_814_620_5,
                    1.463_353_190_644_845_4,
                    2.664_823_689_106_976_5,
                ],
            ),
            (
                serde_json::json!({"kernel": "additive_chi2"}),
                [
                    5.629_609_650_215_123,
                    2.101_883_463_050_607_6,
                    5.332_487_530_311_254,
                ],
            ),
            (
                serde_json::json!({"kernel": "polynomial", "degree": 2, "alpha": 0.5}),
                [
                    5.900_968_319_517_62,
                    2.452_532_749_644_674,
                    6.338_689_334_344_171,
                ],
            ),
        ] {
            assert_near(&predict(given), &want, 1e-10);
        }
        assert_eq!(
            predict(serde_json::json!({"kernel": "chi2"})),
            predict(serde_json::json!({"kernel": "chi2", "gamma": 1.0}))
        );
        let given = serde_json::json!({"kernel": "chi2"});
        let params = KernelRidgeParams::from_map(given.as_object().unwrap()).unwrap();
        let below = table(&[&[1.0], &[-1.0]], &[1.0, 2.0]);
        assert!(matches!(
            KernelRidge::fit(&params, &below, 0),
            Err(FitError::Data(_))
        ));
    }

    #[test]
    fn a_singular_matrix_gives_the_shortest_answer() {
        // scikit-learn 1.9.1, KernelRidge(alpha=0) on the first 16 rows: predictions of the next three. They are
        // those of LinearRegression(fit_intercept=False). Then rows of which three come twice, with another
        // target: KernelRidge(alpha=0, kernel="rbf", gamma=0.05).
        let rows = remainders();
        let y: Vec<f64> = (0..24)
            .map(|i| f64::from(i * 3 % 7) + f64::from(i) / 4.0)
            .collect();
        let predict = |given: serde_json::Value, at: &[usize], y: &[f64], from: usize| {
            let some: Vec<&[f64]> = at.iter().map(|i| rows[*i].as_slice()).collect();
            let next = Array2::from_shape_fn((3, 4), |(i, j)| rows[from + i][j]);
            let params = KernelRidgeParams::from_map(given.as_object().unwrap()).unwrap();
            let fitted = KernelRidge::fit(&params, &table(&some, y), 0).unwrap();
            fitted.predict(next.view()).unwrap().values
        };
        let first: Vec<usize> = (0..16).collect();
        assert_near(
            &predict(serde_json::json!({"alpha": 0.0}), &first, &y[..16], 16),
            &[
                6.468_601_675_407_085,
                7.304_877_285_204_709,
                6.754_820_169_163_771_4,
            ],
            1e-8,
        );
        let twice: Vec<usize> = (0..8).chain(0..3).collect();
        let mut other = y[..8].to_vec();
        other.extend(y[..3].iter().map(|v| v + 1.0));
        let given = serde_json::json!({"alpha": 0.0, "kernel": "rbf", "gamma": 0.05});
        assert_near(
            &predict(given, &twice, &other, 8),
            &[
                3.051_749_494_236_942,
                1.925_156_410_658_052_3,
                5.501_885_236_117_1,
            ],
            1e-8,
        );
    }
}
