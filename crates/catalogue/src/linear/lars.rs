//! Least angle regression.
//!
//! What: walks from zero towards least squares, always along the columns that explain most of what
//! is left, in equal angles to all of them.
//! Formula: the least angle path; the answer is where it stands after n_nonzero_coefs steps.
//! Data: columns of like scale, since inner products see their units.
//! Cost: fit O(n p² + k (p² + k³)), predict O(rows p).
//! Fails when: columns depend on each other: small changes of the data turn the path.
//! Source: Efron, Hastie, Johnstone & Tibshirani, Annals of Statistics 32 (2004).
//! Not claimed: that the columns it takes are the true ones.

use super::engine::{Plane, Problem};
use super::path::{Walk, jittered, walk};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::effective_seed;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Supervised, Training, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Lars;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<Lars>();

params! {
    /// Parameters of least angle regression.
    pub struct LarsParams {
        /// Steps along the path, each of which takes one more column.
        n_nonzero_coefs: usize = 500, at_least(1.0);
        /// Whether an intercept is fitted.
        fit_intercept: bool = true;
        /// Least pivot of the factor of the columns taken: above 1e-7 a column that depends on them is taken too.
        eps: f64 = f64::EPSILON, at_least(0.0);
        /// Most of what is added at random to each target, so that columns do not pull alike; none adds nothing.
        jitter: Option<f64> = None, at_least(0.0);
        /// Seed of the jitter; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "lars",
    family: "linear",
    title: "Least angle regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Walks from zero towards least squares: always in equal angles to the columns that explain most of what is left, taking in one more column when it explains as much.",
    formula: "with A the columns taken and s the signs of their inner products with the residual: w moves along (X_AᵀX_A)⁻¹ s until another column has as large an inner product; n_nonzero_coefs such steps, or to least squares",
    data: "Columns of like scale: inner products see their units, nothing is rescaled inside.",
    cost: "fit O(n p² + k (p² + k²)) for k steps, predict O(rows · p)",
    fails_when: "Columns depend on each other: small changes of the data turn the path.",
    not_claimed: "That the columns it takes are the ones that cause the target.",
    source: "B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, Least angle regression, Ann. Stat. 32 (2004) 407-499",
    reference: "scikit-learn 1.9.1, Lars",
    outputs: &[
        (
            "coefficients",
            "weights, one a column, target units per column unit",
        ),
        ("intercept", "b, target units; 0 without an intercept"),
        ("active", "the columns in the order taken, counted from 0"),
        ("alpha", "largest inner product left, divided by the rows"),
        ("n_iter", "steps walked"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1",
        cases: "lars-4-spx-std, lars-8-aapl-std, lars-500-aapl-small",
        tolerance: "predictions and coefficients 1e-5",
    }],
    presets: &[],
    exemptions: &[],
};

impl Supervised for Lars {
    type Params = LarsParams;
    type Fitted = Plane;
    const CARD: &'static Card = &CARD;

    fn fit(params: &LarsParams, data: &Training, seed: u64) -> Result<Plane, FitError> {
        let data = jittered(data, params.jitter, effective_seed(params.seed, seed))?;
        let problem = Problem::new(&data, params.fit_intercept)?;
        let end = walk(
            &problem,
            &Walk {
                lasso: false,
                positive: false,
                alpha_min: 0.0,
                max_iter: params.n_nonzero_coefs,
                eps: params.eps,
            },
        );
        let extra = Outputs::from_iter([
            ("active".to_owned(), end.active.into()),
            ("alpha".to_owned(), end.alpha.into()),
            ("n_iter".to_owned(), end.n_iter.into()),
        ]);
        Plane::new(end.weights, &problem, extra)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, table};
    use mltrainer_catalogue_core::{Params as _, Predictor as _};
    use serde_json::json;

    fn params(n_nonzero_coefs: usize) -> LarsParams {
        LarsParams {
            n_nonzero_coefs,
            ..LarsParams::from_map(&serde_json::Map::new()).unwrap()
        }
    }

    fn weights(params: &LarsParams, data: &Training, seed: u64) -> Vec<f64> {
        let outputs = Lars::fit(params, data, seed).unwrap().outputs();
        serde_json::from_value(outputs["coefficients"].clone()).unwrap()
    }

    #[test]
    fn eps_keeps_columns_that_nearly_depend() {
        // scikit-learn 1.9.1, Lars(n_nonzero_coefs=3, eps=...): coef_. The last column is nearly the first.
        let rows: Vec<[f64; 3]> = crate::testing::remainders()
            .into_iter()
            .map(|r| [r[0], r[1], r[0] + 1e-3 * r[2]])
            .collect();
        let some: Vec<&[f64]> = rows.iter().map(|r| &r[..]).collect();
        let y: Vec<f64> = (0..24)
            .map(|i| 2.0 * rows[i][0] - rows[i][1] + (i % 5) as f64)
            .collect();
        let data = table(&some, &y);
        for (eps, want) in [
            (
                0.5,
                [
                    -0.008_489_538_191_994_647,
                    -0.938_403_561_278_907_1,
                    2.064_457_031_988_968_3,
                ],
            ),
            (
                2.0,
                [
                    -0.000_530_596_136_999_665_3,
                    -0.938_404_268_010_706_8,
                    2.056_498_188_978_156_6,
                ],
            ),
        ] {
            let params = LarsParams { eps, ..params(3) };
            assert_near(&weights(&params, &data, 0), &want, 1e-9);
        }
    }

    #[test]
    fn jitter_is_drawn_by_the_seed_and_small() {
        let data = crate::testing::first_column_twice();
        let given = json!({"n_nonzero_coefs": 1, "jitter": 1e-6});
        let jittery = LarsParams::from_map(given.as_object().unwrap()).unwrap();
        let (one, other) = (weights(&jittery, &data, 1), weights(&jittery, &data, 2));
        assert_ne!(one, other);
        assert_eq!(one, weights(&jittery, &data, 1));
        for w in [one, other] {
            assert_near(&w, &weights(&params(1), &data, 0), 1e-5);
        }
    }

    #[test]
    fn two_steps_by_hand() {
        // Orthogonal columns of length 2, y = 3a + b: inner products 12 and 4. The first step moves
        // a until both are 4: w = (2, 0); the second goes to least squares.
        let rows: [&[f64]; 4] = [&[-1.0, -1.0], &[1.0, -1.0], &[-1.0, 1.0], &[1.0, 1.0]];
        let y = [-4.0, 2.0, -2.0, 4.0];
        for (steps, want) in [(1, [2.0, 0.0]), (2, [3.0, 1.0])] {
            let params = params(steps);
            let outputs = Lars::fit(&params, &table(&rows, &y), 0).unwrap().outputs();
            let weights: Vec<f64> =
                serde_json::from_value(outputs["coefficients"].clone()).unwrap();
            assert_near(&weights, &want, 1e-13);
        }
    }

    #[test]
    fn of_equal_columns_the_first_enters() {
        // scikit-learn 1.9.1, Lars(n_nonzero_coefs=1): coef_ and intercept_. The first and the third column
        // are the same.
        let params = params(1);
        let outputs = Lars::fit(&params, &crate::testing::first_column_twice(), 0)
            .unwrap()
            .outputs();
        let weights: Vec<f64> = serde_json::from_value(outputs["coefficients"].clone()).unwrap();
        assert_near(&weights, &[1.446_516_646_115_905_8, 0.0, 0.0], 1e-12);
        assert_near(
            &[outputs["intercept"].as_f64().unwrap()],
            &[-4.566_122_071_516_642],
            1e-12,
        );
    }

    #[test]
    fn columns_that_come_twice_do_not_end_the_path() {
        // To the end of the path, least squares: scikit-learn 1.9.1, LinearRegression, predictions of the first
        // rows. Each column comes twice, once with the other sign.
        let rows: Vec<Vec<f64>> = crate::testing::remainders()
            .into_iter()
            .map(|r| vec![r[0], r[1], -r[2], r[0], -r[1], r[2]])
            .collect();
        let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let y: Vec<f64> = (0..24).map(|i| f64::from(i * 3 % 7)).collect();
        let data = table(&rows, &y);
        let params = params(500);
        let fitted = Lars::fit(&params, &data, 0).unwrap();
        let got = fitted.predict(data.x().view()).unwrap().values;
        assert_near(
            &got[..3],
            &[1.783309717905541, 3.157324859579581, 2.7575073600648246],
            1e-10,
        );
    }
}
