//! The fitted machine that the regressions share, and how their parameters make a kernel.

use crate::kernels::{Form, Kernel};
use crate::numeric::{add_scaled, dot, flat};
use mltrainer_catalogue_core::params::WordOr;
use mltrainer_catalogue_core::{FitError, Outputs, Prediction, Predictor, choices, run, threads};
use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

choices! {
    /// The kernel of two rows x and z.
    pub enum SvmKernel {
        /// exp(-gamma |x - z|²).
        Rbf = "rbf",
        /// x·z.
        Linear = "linear",
        /// (gamma x·z + coef0)^degree.
        Poly = "poly",
        /// tanh(gamma x·z + coef0).
        Sigmoid = "sigmoid",
    }
}

choices! {
    /// How gamma follows from the table.
    pub enum GammaWord {
        /// 1/(columns · variance of all entries).
        Scale = "scale",
        /// 1/columns.
        Auto = "auto",
    }
}

/// Rows that a machine with a kernel takes: its steps grow in number with the rows, and each goes over
/// all of them.
const MOST_ROWS: usize = 100_000;

/// Rows whose kernel with all support vectors is held at a time.
const ROWS_AT_ONCE: usize = 32;

/// The kernel for these columns.
pub(crate) fn form(
    x: &Array2<f64>,
    kernel: SvmKernel,
    gamma: WordOr<GammaWord>,
    degree: usize,
    coef0: f64,
) -> Result<Form, FitError> {
    let n = x.nrows();
    if n > MOST_ROWS {
        return Err(FitError::Data(format!(
            "{n} rows: support vectors with a kernel take at most {MOST_ROWS}, since the time grows with the square of that; take linear_svr, or a sample of the rows"
        )));
    }
    let p = x.ncols() as f64;
    let gamma = match gamma {
        WordOr::Number(g) => g,
        WordOr::Word(GammaWord::Auto) => 1.0 / p,
        WordOr::Word(GammaWord::Scale) => {
            let count = x.len() as f64;
            let mean = x.sum() / count;
            let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
            if variance > 0.0 {
                1.0 / (p * variance)
            } else {
                1.0
            }
        }
    };
    let form = Form {
        kernel: match kernel {
            SvmKernel::Rbf => Kernel::Rbf,
            SvmKernel::Linear => Kernel::Linear,
            SvmKernel::Poly => Kernel::Poly,
            SvmKernel::Sigmoid => Kernel::Sigmoid,
        },
        gamma,
        degree: degree as f64,
        coef0,
    };
    // The diagonal is where a kernel is largest; the rows of the kernel are kept in single precision.
    // Distances come from the squares of the rows.
    for row in x.axis_chunks_iter(Axis(0), 1) {
        let square: f64 = row.iter().map(|v| v * v).sum();
        // One value is not worth a thread.
        let largest = threads::grant(1, || form.pairs(row, row)[[0, 0]]) as f32;
        if !(square.is_finite() && largest.is_finite() && gamma.is_finite()) {
            return Err(FitError::Failed(
                "a kernel value is not finite: rescale the columns or lower gamma or degree".into(),
            ));
        }
    }
    Ok(form)
}

/// Steps that are asked for; below 0 there is no limit but that of the solver.
pub(super) fn most_steps(max_iter: Option<i64>) -> Option<usize> {
    max_iter.and_then(|m| usize::try_from(m).ok())
}

/// f(x) = Σ cᵢ k(x, xᵢ) + b over the support vectors.
#[derive(Debug, Serialize, Deserialize)]
pub struct Machine {
    form: Form,
    support: Vec<usize>,
    vectors: Array2<f64>,
    dual: Vec<f64>,
    intercept: f64,
    extra: Outputs,
}

impl Machine {
    /// Of one coefficient a training row; those that are 0 are left out.
    pub(crate) fn new(
        form: Form,
        x: &Array2<f64>,
        coefficients: &[f64],
        intercept: f64,
        extra: Outputs,
    ) -> Self {
        let support: Vec<usize> = (0..coefficients.len())
            .filter(|i| coefficients[*i] != 0.0)
            .collect();
        Self {
            form,
            vectors: x.select(Axis(0), &support),
            dual: support.iter().map(|i| coefficients[*i]).collect(),
            support,
            intercept,
            extra,
        }
    }

    /// f of each row.
    pub(crate) fn values(&self, x: ArrayView2<'_, f64>) -> Vec<f64> {
        let n = x.nrows();
        let blocks = threads::map(n.div_ceil(ROWS_AT_ONCE), |block| {
            let from = block * ROWS_AT_ONCE;
            let rows = from..(from + ROWS_AT_ONCE).min(n);
            let rows = x.slice_axis(Axis(0), rows.into());
            let k = threads::grant(1, || self.form.pairs(rows, self.vectors.view()));
            let rows = k.rows().into_iter();
            rows.map(|r| self.intercept + dot(flat(r), &self.dual))
                .collect::<Vec<f64>>()
        });
        blocks.concat()
    }

    pub(crate) fn add(&mut self, name: &str, value: serde_json::Value) {
        self.extra.insert(name.to_owned(), value);
    }
}

impl Predictor for Machine {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        Ok(Prediction::values(self.values(x)))
    }

    fn outputs(&self) -> Outputs {
        let mut outputs = self.extra.clone();
        outputs.insert("intercept".into(), self.intercept.into());
        outputs.insert("support".into(), self.support.clone().into());
        outputs.insert("n_support".into(), self.support.len().into());
        outputs.insert("dual_coefficients".into(), run::numbers(&self.dual));
        let mut w = Vec::new();
        if self.form.kernel == Kernel::Linear {
            w.resize(self.vectors.ncols(), 0.0);
            for (row, c) in self.vectors.rows().into_iter().zip(&self.dual) {
                add_scaled(&mut w, *c, &row.to_vec());
            }
        }
        outputs.insert("coefficients".into(), run::numbers(&w));
        outputs
    }
}
