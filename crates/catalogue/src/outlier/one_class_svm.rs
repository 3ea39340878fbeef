//! One-class support vector machine.
//!
//! What: a smooth surface around most rows; those outside are strange.
//! Formula: min ½ aᵀKa, 0 ≤ a ≤ 1, Σ a = ν n; score = Σ aᵢ k(xᵢ, x) - ρ.
//! Data: columns of like scale, since the kernel takes distances.
//! Cost: O(n² p) and more.
//! Fails when: columns have different units, or gamma does not fit the spread of the rows.
//! Source: Schölkopf et al., Neural Computation 13 (2001).
//! Not claimed: a probability of being strange.

use crate::svm::engine::{Dual, Rows, solve};
use crate::svm::machine::{GammaWord, SvmKernel, form};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::params::WordOr;
use mltrainer_catalogue_core::{
    Card, Clusterer, Entry, FitError, Inputs, Observations, Outputs, params, run,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct OneClassSvm;

/// The registration.
pub const ENTRY: Entry = Entry::clustering::<OneClassSvm>();

params! {
    /// Parameters of the one-class machine.
    pub struct OneClassSvmParams {
        /// How alike two rows are.
        kernel: SvmKernel = SvmKernel::Rbf;
        /// Share of the rows outside at most, of support vectors at least.
        nu: f64 = 0.5, above_up_to(0.0, 1.0);
        /// Width of the kernel: a number, scale = 1 / (columns · variance of all entries), or auto = 1 / columns.
        gamma: WordOr<GammaWord> = WordOr::Word(GammaWord::Scale), above(0.0);
        /// Degree of poly.
        degree: usize = 3, within(1.0, 20.0);
        /// Constant of poly and sigmoid.
        coef0: f64 = 0.0;
        /// Ends when the largest violation of the optimum is below a thousandth of it.
        tol: f64 = 1e-3, above(0.0);
        /// Steps at most; `converged` says whether they were enough; -1 is no limit but ten million.
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
    formula: "min ½ aᵀKa subject to 0 ≤ aᵢ ≤ sᵢ, Σ aᵢ = nu Σ sᵢ, sᵢ the row weights, by steps on the pair that violates the optimum most; score = Σ aᵢ k(xᵢ, x) - ρ, label its sign",
    data: "Columns of like scale: nothing is rescaled inside. Up to 100,000 rows.",
    cost: "fit O(n p) a row of the kernel that is asked for, and O(n) a step; score O(n · support vectors · p)",
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
        ("n_iter", "pairs of variables moved"),
        ("converged", "whether no pair violates the optimum by tol"),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "scikit-learn 1.9.1, tol 1e-9",
            cases: "one-class-svm-0.1-0.25, one-class-svm-0.05-0.5",
            tolerance: "scores 1e-3, support vectors ± 2",
        },
        Evidence {
            against: "scikit-learn 1.9.1, sample_weight",
            cases: "a test of this entry",
            tolerance: "scores 1e-6",
        },
    ],
    presets: &[],
    exemptions: &[],
};

impl Clusterer for OneClassSvm {
    type Params = OneClassSvmParams;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn cluster(
        params: &OneClassSvmParams,
        data: &Observations,
        _: u64,
    ) -> Result<Outputs, FitError> {
        let n = data.x().nrows();
        let form = form(
            data.x(),
            params.kernel,
            params.gamma,
            params.degree,
            params.coef0,
        )?;
        // Starts with the first multipliers at their bounds, the weights of the rows, until they add up to
        // ν Σ weights, as libsvm.
        let upper = data.weights().map_or_else(|| vec![1.0; n], <[f64]>::to_vec);
        let mut left = params.nu * upper.iter().sum::<f64>();
        let start = upper.iter().map(|most| {
            let own = most.min(left).max(0.0);
            left -= own;
            own
        });
        let dual = Dual {
            y: vec![1.0; n],
            p: vec![0.0; n],
            start: start.collect(),
            upper,
            nu: false,
        };
        let mut rows = Rows::new(form, data.x());
        // Much nearer than asked for, as far as the kernel's own rounding lets it.
        let tol = (params.tol * 1e-3).max(rows.rounding().min(params.tol));
        let found = solve(&mut rows, &dual, tol, usize::try_from(params.max_iter).ok());
        let (a, rho) = (found.a, found.rho);
        let scores: Vec<f64> = found.g.iter().map(|g| g - rho).collect();
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
            ("n_iter".to_owned(), found.n_iter.into()),
            ("converged".to_owned(), found.converged.into()),
        ]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;
    use mltrainer_catalogue_core::{Design, Params as _};
    use ndarray::Array2;
    use serde_json::json;

    #[test]
    fn weights_bound_the_multipliers() {
        // scikit-learn 1.9.1, OneClassSVM(gamma=0.1, nu=0.4, tol=1e-10).fit(x, sample_weight=w): decision values.
        let (rows, weights) = crate::testing::weighed_rows();
        let given = json!({"gamma": 0.1, "nu": 0.4, "tol": 1e-10});
        let params = OneClassSvmParams::from_map(given.as_object().unwrap()).unwrap();
        let weighed = Observations::from(rows).with_weights(weights).unwrap();
        let outputs = OneClassSvm::cluster(&params, &weighed, 0).unwrap();
        let scores: Vec<f64> = serde_json::from_value(outputs["scores"].clone()).unwrap();
        let want = [0.0, 0.0, -0.15172770, 0.0, 0.0, -0.15176934, -1.04545333];
        assert_near(&scores, &want, 1e-6);
    }

    #[test]
    fn too_few_steps_are_told() {
        let (rows, _) = crate::testing::weighed_rows();
        for (steps, enough) in [(1, false), (-1, true)] {
            let given = json!({"gamma": 0.1, "nu": 0.4, "max_iter": steps});
            let params = OneClassSvmParams::from_map(given.as_object().unwrap()).unwrap();
            let outputs = OneClassSvm::cluster(&params, &rows.clone().into(), 0).unwrap();
            assert_eq!(outputs["converged"], enough);
        }
    }

    #[test]
    fn large_kernel_values_are_rounded_and_still_settle() {
        // scikit-learn 1.9.0, OneClassSVM(kernel="linear", nu=0.2, tol=1e-6): the first decision values.
        // Around the origin no plane parts the rows from it, and all values are 0 up to 1e-6.
        for (shift, want) in [
            (-6.0, [0.0; 6]),
            (
                0.0,
                [
                    -105.52105507289934,
                    373.10291952804573,
                    272.0476921878335,
                    127.52938527778338,
                    486.54822540072064,
                    348.9154693743949,
                ],
            ),
        ] {
            let x = Array2::from_shape_fn((80, 3), |(i, j)| crate::testing::eighths(i, j) + shift);
            let rows = Design::new(x, ('a'..='c').map(String::from).collect()).unwrap();
            let given = json!({"kernel": "linear", "nu": 0.2});
            let params = OneClassSvmParams::from_map(given.as_object().unwrap()).unwrap();
            let outputs = OneClassSvm::cluster(&params, &rows.into(), 0).unwrap();
            let scores: Vec<f64> = serde_json::from_value(outputs["scores"].clone()).unwrap();
            assert_near(&scores[..6], &want, 0.01);
        }
    }
}
