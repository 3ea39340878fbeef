//! Lasso.
//!
//! What: least squares with a penalty on the sum of absolute weights, which sets weights to zero.
//! Formula: min over w, b of Σ (yᵢ - xᵢ·w - b)²/(2n) + alpha |w|₁.
//! Data: columns of like scale, since the penalty sees their units.
//! Cost: fit O(n p² + passes p²), predict O(rows p).
//! Fails when: columns move together: it keeps one of them, by chance of the sample.
//! Source: Tibshirani, JRSS B 58 (1996); Friedman, Hastie, Tibshirani, JSS 33 (2010).
//! Not claimed: that the columns it keeps are the true ones.

use super::engine::{Penalty, Plane, Problem, Selection};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Card, Entry, FitError, Inputs, Supervised, Training, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Lasso;

/// The registration.
// seed matters beside drawn columns and a penalty that leaves weights only.
pub const ENTRY: Entry = Entry::supervised::<Lasso>()
    .as_first_choice()
    .mattering_beside(&[&[("selection", "random"), ("alpha", "0.01")]]);

params! {
    /// Parameters of the lasso.
    pub struct LassoParams {
        /// Strength of the penalty on the absolute weights.
        alpha: f64 = 1.0, above(0.0);
        /// Whether an intercept is fitted; it is not penalised.
        fit_intercept: bool = true;
        /// Whether weights must be at least 0.
        positive: bool = false;
        /// Passes over the columns after which the fit is given up as not converged.
        max_iter: usize = 100_000, within(1.0, 10_000_000.0);
        /// The fit ends when the duality gap is below this share of the sum of squares of the target.
        tol: f64 = 1e-11, inside(0.0, 1.0);
        /// Which weight is moved next: cyclic goes through the columns, random draws them. The optimum is the same.
        selection: Selection = Selection::Cyclic;
        /// Seed of the draws of selection random; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "lasso",
    family: "linear",
    title: "Lasso",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Least squares with a penalty on the sum of absolute weights: it shrinks, and sets the weights of columns that add little to exactly zero.",
    formula: "min over w, b of Σᵢ (yᵢ - xᵢ·w - b)²/(2n) + alpha |w|₁",
    data: "Columns of like scale: the penalty sees their units, nothing is rescaled inside.",
    cost: "fit O(n p² + passes · p²), predict O(rows · p)",
    fails_when: "Columns move together: it keeps one of them, and another sample may keep another. A fit that does not converge is an error, not an answer.",
    not_claimed: "That the columns it keeps are the ones that cause the target.",
    source: "R. Tibshirani, Regression shrinkage and selection via the lasso, J. R. Stat. Soc. B 58 (1996) 267-288; J. Friedman, T. Hastie, R. Tibshirani, J. Stat. Software 33 (2010)",
    reference: "scikit-learn 1.9.1, Lasso (here with a tighter tol and more passes by default)",
    outputs: &[
        (
            "coefficients",
            "weights, one a column, target units per column unit",
        ),
        ("intercept", "b, target units; 0 without an intercept"),
        ("objective", "the minimum found"),
        ("n_nonzero", "number of weights that are not zero"),
        ("n_iter", "passes over the columns"),
        (
            "dual_gap",
            "bound on how far the objective is from the true minimum",
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, tol 1e-12",
        cases: "lasso-alpha-0.01-spx-std, lasso-alpha-0.002-aapl-std, lasso-alpha-0.05-spx-std",
        tolerance: "coefficients 1e-4, objective not above the reference's by more than 1e-6",
    }],
    presets: &[],
    exemptions: &[],
};

impl Supervised for Lasso {
    type Params = LassoParams;
    type Fitted = Plane;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn fit(params: &LassoParams, data: &Training, seed: u64) -> Result<Plane, FitError> {
        let problem = Problem::new(data, params.fit_intercept)?;
        let (weights, extra) = problem.elastic_net(&Penalty {
            alpha: params.alpha,
            l1_ratio: 1.0,
            positive: params.positive,
            max_iter: params.max_iter,
            tol: params.tol,
            random: params.selection.seed(params.seed, seed),
        })?;
        Plane::new(weights, &problem, extra)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, remainders, table};
    use mltrainer_catalogue_core::{Params as _, Predictor as _};

    #[test]
    fn soft_threshold_by_hand() {
        // Orthogonal centred columns (-1, 1, -1, 1) and (-1, -1, 1, 1), y = 2a + b/4:
        // Σxy/n = 2 and 1/4, so w = soft(2, 1/2) = 3/2 and soft(1/4, 1/2) = 0.
        let rows: [&[f64]; 4] = [&[-1.0, -1.0], &[1.0, -1.0], &[-1.0, 1.0], &[1.0, 1.0]];
        let y = [-2.25, 1.75, -1.75, 2.25];
        let given = serde_json::json!({"alpha": 0.5});
        let params = LassoParams::from_map(given.as_object().unwrap()).unwrap();
        let outputs = Lasso::fit(&params, &table(&rows, &y), 0).unwrap().outputs();
        assert_near(
            &[outputs["coefficients"][0].as_f64().unwrap()],
            &[1.5],
            1e-12,
        );
        assert_eq!(outputs["coefficients"][1], 0.0);
        assert_eq!(outputs["n_nonzero"], 1);
        // Residual a/2 + b/4: squares (1/4 + 1/16) · 4 / 8, penalty 0.5 · 1.5.
        assert_near(
            &[outputs["objective"].as_f64().unwrap()],
            &[0.906_25],
            1e-12,
        );
    }

    #[test]
    fn too_few_passes_are_an_error() {
        let rows: [&[f64]; 4] = [&[1.0, 1.1], &[2.0, 1.9], &[3.0, 3.2], &[4.0, 4.1]];
        let given = serde_json::json!({"alpha": 1e-6, "max_iter": 3});
        let params = LassoParams::from_map(given.as_object().unwrap()).unwrap();
        let refused = Lasso::fit(&params, &table(&rows, &[1.0, 3.0, 2.0, 5.0]), 0).unwrap_err();
        assert!(
            refused
                .to_string()
                .contains("did not converge in max_iter = 3"),
            "{refused}"
        );
    }

    #[test]
    fn drawn_columns_lead_to_the_same_optimum() {
        // scikit-learn 1.9.1, Lasso(alpha=0.3, selection="random", tol=1e-14, random_state=0)
        // on the table of `remainders`.
        let rows = remainders();
        let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let y: Vec<f64> = rows
            .iter()
            .enumerate()
            .map(|(i, r)| r[0] / 3.0 - r[1] / 5.0 + (i % 5) as f64)
            .collect();
        let fit = |seed: u64| {
            let given = serde_json::json!({"alpha": 0.3, "selection": "random"});
            let params = LassoParams::from_map(given.as_object().unwrap()).unwrap();
            Lasso::fit(&params, &table(&rows, &y), seed)
                .unwrap()
                .outputs()
        };
        for seed in [0, 1] {
            let w: Vec<f64> = serde_json::from_value(fit(seed)["coefficients"].clone()).unwrap();
            assert_near(
                &w,
                &[0.3788877872051628, -0.1225153801852434, 0.0, 0.0],
                1e-6,
            );
            assert_eq!(fit(seed), fit(seed));
        }
    }

    #[test]
    fn many_columns_for_the_rows_and_hardly_a_penalty() {
        // scikit-learn 1.9.1, Lasso(alpha=1e-4, tol=1e-16, max_iter=20000000): the predictions of the first rows
        // and the objective.
        let x = ndarray::Array2::from_shape_fn((12, 40), |(i, j)| {
            ((i + 1) * (j + 2) * 7 % 31) as f64 / 8.0 + (i * j % 5) as f64
        });
        let names = (0..40).map(|j| format!("c{j}")).collect();
        let y: Vec<f64> = (0..12_u32).map(|i| f64::from(i * 11 % 17) / 2.0).collect();
        let design = mltrainer_catalogue_core::Design::new(x, names).unwrap();
        let data = Training::regression(design, y).unwrap();
        for selection in ["cyclic", "random"] {
            let given = serde_json::json!({"alpha": 1e-4, "selection": selection});
            let params = LassoParams::from_map(given.as_object().unwrap()).unwrap();
            let fitted = Lasso::fit(&params, &data, 0).unwrap();
            let got = fitted.predict(data.x().view()).unwrap().values;
            assert_near(
                &got[..3],
                &[
                    0.000_464_516_129_031_089_5,
                    5.500_103_225_806_448,
                    2.500_180_645_161_29,
                ],
                1e-7,
            );
            let objective = fitted.outputs()["objective"].as_f64().unwrap();
            assert!(
                (objective - 0.000_462_333_957_682_969_16).abs() < 1e-9,
                "{objective}"
            );
        }
    }
}
