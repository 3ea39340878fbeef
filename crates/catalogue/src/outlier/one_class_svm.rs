//! One-class support vector machine.
//!
//! What: a smooth surface around most rows; those outside are strange.
//! Formula: min ½ aᵀKa, 0 ≤ a ≤ 1, Σ a = ν n; score = Σ aᵢ k(xᵢ, x) - ρ.
//! Data: columns of like scale, since the kernel takes distances.
//! Cost: O(n² p) and more.
//! Fails when: columns have different units, or gamma does not fit the spread of the rows.
//! Source: Schölkopf et al., Neural Computation 13 (2001).
//! Not claimed: a probability of being strange.

use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::params::WordOr;
use mltrainer_catalogue_core::{
    Card, Clusterer, Design, Entry, FitError, Inputs, Outputs, choices, params, run,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, Axis};

/// The handle.
pub struct OneClassSvm;

/// The registration.
pub const ENTRY: Entry = Entry::clustering::<OneClassSvm>();

choices! {
    /// How alike two rows are.
    pub enum Kernel {
        /// exp(-gamma |x - z|²).
        Rbf = "rbf",
        /// (gamma x·z + coef0)^degree.
        Poly = "poly",
        /// tanh(gamma x·z + coef0).
        Sigmoid = "sigmoid",
        /// x·z.
        Linear = "linear",
    }
}

choices! {
    /// A gamma from the data.
    pub enum Gamma {
        /// 1 / (columns · variance of all entries).
        Scale = "scale",
        /// 1 / columns.
        Auto = "auto",
    }
}

params! {
    /// Parameters of the one-class machine.
    pub struct OneClassSvmParams {
        /// How alike two rows are.
        kernel: Kernel = Kernel::Rbf;
        /// Share of the rows outside at most, of support vectors at least.
        nu: f64 = 0.5, above_up_to(0.0, 1.0);
        /// Width of the kernel: a number, scale = 1 / (columns · variance of all entries), or auto = 1 / columns.
        gamma: WordOr<Gamma> = WordOr::Word(Gamma::Scale), above(0.0);
        /// Degree of poly.
        degree: usize = 3, within(1.0, 20.0);
        /// Constant of poly and sigmoid.
        coef0: f64 = 0.0;
        /// Ends when the largest violation of the optimum is below a thousandth of it.
        tol: f64 = 1e-3, above(0.0);
        /// Steps at most; -1 is no limit but ten million.
        max_iter: i64 = -1, at_least(-1.0);
    }
}

const CARD: Card = Card {
    id: "one_class_svm",
    family: "outlier",
    title: "One-class SVM",
    tasks: &[Task::OutlierDetection],
    inputs: Inputs::Table,
    summary: "The smoothest surface in the space of a kernel that keeps all but a share nu of the rows on one side; rows on the other side are strange. Fitted to the rows that it scores.",
    formula: "min ½ aᵀKa subject to 0 ≤ aᵢ ≤ 1, Σ aᵢ = nu · n, by steps on the pair that violates the optimum most; score = Σ aᵢ k(xᵢ, x) - ρ, label its sign",
    data: "Columns of like scale: nothing is rescaled inside. Up to 20,000 rows.",
    cost: "fit O(n² p) for the kernel and about O(n²) steps' work, score O(n · support vectors · p)",
    fails_when: "Columns have different units, or gamma does not fit the spread of the rows.",
    not_claimed: "A probability of being strange.",
    source: "B. Schölkopf, J. Platt, J. Shawe-Taylor, A. Smola, R. Williamson, Estimating the support of a high-dimensional distribution, Neural Computation 13 (2001); R.-E. Fan, P.-H. Chen, C.-J. Lin, JMLR 6 (2005)",
    reference: "scikit-learn 1.9.1, OneClassSVM (libsvm)",
    outputs: &[
        ("scores", "one a row, below 0 is outside"),
        ("labels", "-1 for a row outside, else 1"),
        ("n_support", "number of rows with a weight above 0"),
        ("support", "numbers of these rows, from 0"),
        ("dual_coef", "their weights"),
        ("intercept", "-ρ"),
        ("n_outliers", "number of rows outside"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, tol 1e-9",
        cases: "one-class-svm-0.1-0.25, one-class-svm-0.05-0.5",
        tolerance: "scores 1e-3, support vectors ± 2",
    }],
    presets: &[],
    exemptions: &[],
};

/// Above this many rows the matrix of the kernel takes more than 3 GB.
const ROWS: usize = 20_000;

fn kernel(params: &OneClassSvmParams, x: &Array2<f64>) -> Result<Array2<f64>, FitError> {
    let (n, p) = x.dim();
    let gamma = match params.gamma {
        WordOr::Number(g) => g,
        WordOr::Word(Gamma::Auto) => 1.0 / p as f64,
        WordOr::Word(Gamma::Scale) => {
            let mean = x.mean().unwrap_or_default();
            let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n * p) as f64;
            if variance > 0.0 {
                1.0 / (p as f64 * variance)
            } else {
                1.0
            }
        }
    };
    // Distances do not change when the means are taken off, and lose fewer digits.
    let x = match params.kernel {
        Kernel::Rbf => x - &x.mean_axis(Axis(0)).unwrap_or_default(),
        _ => x.clone(),
    };
    let mut k = x.dot(&x.t());
    let degree = i32::try_from(params.degree).unwrap_or(i32::MAX);
    match params.kernel {
        Kernel::Linear => {}
        Kernel::Poly => k.mapv_inplace(|v| (gamma * v + params.coef0).powi(degree)),
        Kernel::Sigmoid => k.mapv_inplace(|v| (gamma * v + params.coef0).tanh()),
        Kernel::Rbf => {
            let lengths: Vec<f64> = k.diag().to_vec();
            for ((i, j), v) in k.indexed_iter_mut() {
                let square = (lengths[i] + lengths[j] - 2.0 * *v).max(0.0);
                *v = if i == j { 1.0 } else { (-gamma * square).exp() };
            }
        }
    }
    if k.iter().any(|v| !v.is_finite()) {
        return Err(FitError::Failed(
            "the kernel is not finite: rescale the columns".into(),
        ));
    }
    Ok(k)
}

impl Clusterer for OneClassSvm {
    type Params = OneClassSvmParams;
    const CARD: &'static Card = &CARD;

    fn cluster(params: &OneClassSvmParams, data: &Design, _: u64) -> Result<Outputs, FitError> {
        let n = data.rows();
        if n > ROWS {
            return Err(FitError::Data(format!(
                "{n} rows: the matrix of the kernel is too large above {ROWS}; take fewer rows"
            )));
        }
        let k = kernel(params, data.x())?;
        // Starts with the first ν n weights at 1, as libsvm.
        let wanted = params.nu * n as f64;
        let whole = wanted as usize;
        let mut a = vec![0.0; n];
        a[..whole].fill(1.0);
        if whole < n {
            a[whole] = wanted - whole as f64;
        }
        let mut gradient = vec![0.0; n];
        for (j, weight) in a.iter().enumerate().filter(|(_, w)| **w > 0.0) {
            let row = k.row(j);
            gradient
                .iter_mut()
                .zip(row)
                .for_each(|(g, v)| *g += weight * v);
        }
        let most = usize::try_from(params.max_iter).unwrap_or(10_000_000);
        let mut steps = 0;
        let diagonal = k.diag().to_vec();
        // The pair: who wants to grow most, and the partner that lowers the aim most.
        while let Some(i) = pick((0..n).filter(|i| a[*i] < 1.0), |i| -gradient[i]) {
            let can_fall = || (0..n).filter(|j| a[*j] > 0.0);
            let violation = can_fall()
                .map(|j| gradient[j] - gradient[i])
                .fold(0.0, f64::max);
            if violation < params.tol * 1e-3 {
                break;
            }
            if steps >= most {
                return Err(FitError::Failed(format!(
                    "it has not converged after {most} steps (violation {violation:.3e}): raise max_iter or tol"
                )));
            }
            steps += 1;
            let own = k.row(i);
            let curve = |j: usize| (diagonal[i] + diagonal[j] - 2.0 * own[j]).max(1e-12);
            let gains = can_fall().filter(|j| gradient[*j] > gradient[i]);
            let Some(j) = pick(gains, |j| (gradient[j] - gradient[i]).powi(2) / curve(j)) else {
                break;
            };
            let step = ((gradient[j] - gradient[i]) / curve(j))
                .min(1.0 - a[i])
                .min(a[j]);
            a[i] += step;
            a[j] -= step;
            // Exactly at the bounds, so that rounding makes nobody free.
            if a[j] < 1e-14 {
                a[j] = 0.0;
            }
            if a[i] > 1.0 - 1e-14 {
                a[i] = 1.0;
            }
            let (up, down) = (k.row(i), k.row(j));
            for (g, (u, d)) in gradient.iter_mut().zip(up.iter().zip(down)) {
                *g += step * (u - d);
            }
        }
        // ρ is the gradient of the free weights, or halfway between the bounds it may have.
        let free: Vec<f64> = (0..n)
            .filter(|i| a[*i] > 0.0 && a[*i] < 1.0)
            .map(|i| gradient[i])
            .collect();
        let rho = if free.is_empty() {
            let upper = (0..n).filter(|i| a[*i] <= 0.0).map(|i| gradient[i]);
            let lower = (0..n).filter(|i| a[*i] >= 1.0).map(|i| gradient[i]);
            let upper = upper.fold(f64::INFINITY, f64::min);
            let lower = lower.fold(f64::NEG_INFINITY, f64::max);
            match (upper.is_finite(), lower.is_finite()) {
                (true, true) => f64::midpoint(upper, lower),
                (true, false) => upper,
                (false, _) => lower,
            }
        } else {
            free.iter().sum::<f64>() / free.len() as f64
        };
        let scores: Vec<f64> = gradient.iter().map(|g| g - rho).collect();
        let labels: Vec<i64> = scores
            .iter()
            .map(|s| if *s > 0.0 { 1 } else { -1 })
            .collect();
        let support: Vec<usize> = (0..n).filter(|i| a[*i] > 0.0).collect();
        let weights: Vec<f64> = support.iter().map(|i| a[*i]).collect();
        let outside = labels.iter().filter(|l| **l < 0).count();
        Ok(Outputs::from_iter([
            ("scores".to_owned(), run::numbers(&scores)),
            ("labels".to_owned(), labels.into()),
            ("n_support".to_owned(), support.len().into()),
            ("support".to_owned(), support.into()),
            ("dual_coef".to_owned(), run::numbers(&weights)),
            ("intercept".to_owned(), (-rho).into()),
            ("n_outliers".to_owned(), outside.into()),
        ]))
    }
}

/// The one with the largest value, the first in a tie.
fn pick(among: impl Iterator<Item = usize>, value: impl Fn(usize) -> f64) -> Option<usize> {
    among
        .map(|i| (i, value(i)))
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map(|(i, _)| i)
}
