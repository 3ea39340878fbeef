//! Elastic net.
//!
//! What: least squares with both penalties: of the lasso and of ridge regression.
//! Formula: min of Σ (yᵢ - xᵢ·w - b)²/(2n) + alpha l1_ratio |w|₁ + alpha (1 - l1_ratio)/2 |w|².
//! Data: columns of like scale, since the penalties see their units.
//! Cost: fit O(n p² + passes p²), predict O(rows p).
//! Fails when: columns have very different units.
//! Source: Zou & Hastie, JRSS B 67 (2005).
//! Not claimed: that the columns it keeps are the true ones.

use super::engine::{Penalty, Plane, Problem, Selection};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Card, Entry, FitError, Inputs, Supervised, Training, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct ElasticNet;

/// The registration.
// seed matters beside drawn columns and a penalty that leaves weights only.
pub const ENTRY: Entry = Entry::supervised::<ElasticNet>()
    .as_first_choice()
    .mattering_beside(&[&[("selection", "random"), ("alpha", "0.01")]]);

params! {
    /// Parameters of the elastic net.
    pub struct ElasticNetParams {
        /// Strength of both penalties together.
        alpha: f64 = 1.0, above(0.0);
        /// Share of the penalty on absolute weights: 1 is the lasso, 0 is ridge regression with alpha times the number of rows.
        l1_ratio: f64 = 0.5, within(0.0, 1.0);
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
    id: "elastic_net",
    family: "linear",
    title: "Elastic net",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Least squares with the penalties of the lasso and of ridge regression: it sets weights to zero, but keeps columns that move together, together.",
    formula: "min over w, b of Σᵢ (yᵢ - xᵢ·w - b)²/(2n) + alpha · l1_ratio |w|₁ + alpha (1 - l1_ratio)/2 |w|²",
    data: "Columns of like scale: the penalties see their units, nothing is rescaled inside.",
    cost: "fit O(n p² + passes · p²), predict O(rows · p)",
    fails_when: "Columns have very different units. A fit that does not converge is an error, not an answer.",
    not_claimed: "That the columns it keeps are the ones that cause the target.",
    source: "H. Zou, T. Hastie, Regularization and variable selection via the elastic net, J. R. Stat. Soc. B 67 (2005) 301-320",
    reference: "scikit-learn 1.9.1, ElasticNet (here with a tighter tol and more passes by default)",
    outputs: &[
        (
            "coefficients",
            "weights, one a column, target units per column unit",
        ),
        ("intercept", "b, target units; 0 without an intercept"),
        ("objective", "the minimum found"),
        ("n_nonzero", "number of weights that are not zero"),
        (
            "n_iter",
            "passes over the columns; 0 for the closed form of l1_ratio 0",
        ),
        (
            "dual_gap",
            "bound on how far the objective is from the true minimum",
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, tol 1e-12",
        cases: "elastic-net-0.02-0.5-spx-std, elastic-net-0.01-0.15-aapl-std, elastic-net-0.1-0.9-spx-std",
        tolerance: "coefficients 1e-4, objective not above the reference's by more than 1e-6",
    }],
    presets: &[],
    exemptions: &[],
};

impl Supervised for ElasticNet {
    type Params = ElasticNetParams;
    type Fitted = Plane;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn fit(params: &ElasticNetParams, data: &Training, seed: u64) -> Result<Plane, FitError> {
        let problem = Problem::new(data, params.fit_intercept)?;
        let (weights, extra) = problem.elastic_net(&Penalty {
            alpha: params.alpha,
            l1_ratio: params.l1_ratio,
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
    fn one_column_by_hand() {
        // Centred x = -1, 0, 1, y = 3x: Σxy/n = 2, Σx²/n = 2/3;
        // w = soft(2, alpha l1)/(2/3 + alpha (1 - l1)) = (2 - 1/2)/(2/3 + 1/2) = 9/7.
        let data = table(&[&[0.0], &[1.0], &[2.0]], &[0.0, 3.0, 6.0]);
        for (l1_ratio, want) in [(0.5, 9.0 / 7.0), (0.0, 2.0 / (2.0 / 3.0 + 1.0)), (1.0, 1.5)] {
            let given = serde_json::json!({"alpha": 1.0, "l1_ratio": l1_ratio});
            let params = ElasticNetParams::from_map(given.as_object().unwrap()).unwrap();
            let outputs = ElasticNet::fit(&params, &data, 0).unwrap().outputs();
            assert_near(
                &[outputs["coefficients"][0].as_f64().unwrap()],
                &[want],
                1e-8,
            );
        }
    }

    #[test]
    fn drawn_columns_lead_to_the_same_optimum() {
        // scikit-learn 1.9.1, ElasticNet(alpha=0.3, l1_ratio=0.6, selection="random", tol=1e-14, random_state=0)
        // on the table of `remainders`.
        let rows = remainders();
        let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let y: Vec<f64> = rows
            .iter()
            .enumerate()
            .map(|(i, r)| r[0] / 3.0 - r[1] / 5.0 + (i % 5) as f64)
            .collect();
        let fit = |seed: u64| {
            let given = serde_json::json!({"alpha": 0.3, "l1_ratio": 0.6, "selection": "random"});
            let params = ElasticNetParams::from_map(given.as_object().unwrap()).unwrap();
            ElasticNet::fit(&params, &table(&rows, &y), seed)
                .unwrap()
                .outputs()
        };
        for seed in [0, 1] {
            let w: Vec<f64> = serde_json::from_value(fit(seed)["coefficients"].clone()).unwrap();
            assert_near(
                &w,
                &[0.3815651504506555, -0.12802506362630417, 0.0, 0.0],
                1e-6,
            );
            assert_eq!(fit(seed), fit(seed));
        }
    }

    #[test]
    fn many_columns_for_the_rows_and_hardly_a_penalty() {
        // scikit-learn 1.9.1, ElasticNet(alpha=1e-4, l1_ratio=0.5, tol=1e-16, max_iter=5000000): the predictions
        // of the first rows, the objective and the number of weights. Its descent takes 1,441,625 passes.
        let x = ndarray::Array2::from_shape_fn((12, 40), |(i, j)| {
            ((i + 1) * (j + 2) * 7 % 31) as f64 / 8.0 + (i * j % 5) as f64
        });
        let names = (0..40).map(|j| format!("c{j}")).collect();
        let y: Vec<f64> = (0..12_u32).map(|i| f64::from(i * 11 % 17) / 2.0).collect();
        let given = serde_json::json!({"alpha": 1e-4, "l1_ratio": 0.5});
        let params = ElasticNetParams::from_map(given.as_object().unwrap()).unwrap();
        let design = mltrainer_catalogue_core::Design::new(x, names).unwrap();
        let data = Training::regression(design, y).unwrap();
        let fitted = ElasticNet::fit(&params, &data, 0).unwrap();
        let got = fitted.predict(data.x().view()).unwrap().values;
        assert_near(
            &got[..3],
            &[
                0.000_249_979_163_549_740_6,
                5.499_996_957_062_591,
                2.500_092_119_417_067,
            ],
            1e-8,
        );
        let outputs = fitted.outputs();
        let objective = outputs["objective"].as_f64().unwrap();
        assert!((objective - 0.000_266_079_538_510_305_1).abs() < 1e-12);
        assert_eq!(outputs["n_nonzero"], 23);
        assert!(outputs["n_iter"].as_u64().unwrap() < 100_000);
    }
}
