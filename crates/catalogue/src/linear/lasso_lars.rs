//! Lasso by least angle regression.
//!
//! What: the lasso, reached along its exact path of weights from the strongest penalty down.
//! Formula: min over w, b of Σ (yᵢ - xᵢ·w - b)²/(2n) + alpha |w|₁.
//! Data: columns of like scale, since the penalty sees their units.
//! Cost: fit O(n p² + steps (p² + k³)), predict O(rows p).
//! Fails when: columns depend on each other; the path then has more steps than max_iter.
//! Source: Efron, Hastie, Johnstone & Tibshirani, Annals of Statistics 32 (2004), section 3.1.
//! Not claimed: that the columns it keeps are the true ones.

use super::engine::{Plane, Problem};
use super::path::{Walk, jittered, walk};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::effective_seed;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Supervised, Training, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct LassoLars;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<LassoLars>();

params! {
    /// Parameters of the lasso by least angle regression.
    pub struct LassoLarsParams {
        /// Strength of the penalty on the absolute weights; 0 walks to least squares.
        alpha: f64 = 1.0, at_least(0.0);
        /// Whether an intercept is fitted; it is not penalised.
        fit_intercept: bool = true;
        /// Whether weights must be at least 0.
        positive: bool = false;
        /// Steps along the path at most; `converged` says whether they were enough.
        max_iter: usize = 500, within(1.0, 1_000_000.0);
        /// Least pivot of the factor of the columns taken: above 1e-7 a column that depends on them is taken too.
        eps: f64 = f64::EPSILON, at_least(0.0);
        /// Most of what is added at random to each target, so that columns do not pull alike; none adds nothing.
        jitter: Option<f64> = None, at_least(0.0);
        /// Seed of the jitter; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "lasso_lars",
    family: "linear",
    title: "Lasso by least angle regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "The lasso along its exact path: from the penalty that sets all weights to zero down to alpha, columns enter and leave one at a time, and the weights are straight lines in between.",
    formula: "min over w, b of Σᵢ (yᵢ - xᵢ·w - b)²/(2n) + alpha |w|₁",
    data: "Columns of like scale: the penalty sees their units, nothing is rescaled inside.",
    cost: "fit O(n p² + steps · (p² + k²)) for k columns kept, predict O(rows · p)",
    fails_when: "Columns depend on each other (columns then enter and leave again and again), or alpha is below 1.2e-7.",
    not_claimed: "That the columns it keeps are the ones that cause the target.",
    source: "B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, Least angle regression, Ann. Stat. 32 (2004) 407-499",
    reference: "scikit-learn 1.9.1, LassoLars",
    outputs: &[
        (
            "coefficients",
            "weights, one a column, target units per column unit",
        ),
        ("intercept", "b, target units; 0 without an intercept"),
        ("active", "the columns in the order taken, counted from 0"),
        ("n_iter", "steps walked"),
        ("converged", "whether the path reached alpha"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1",
        cases: "lasso-lars-0.01-spx-std, lasso-lars-0.03-aapl-std",
        tolerance: "predictions and coefficients 1e-5",
    }],
    presets: &[],
    exemptions: &[],
};

impl Supervised for LassoLars {
    type Params = LassoLarsParams;
    type Fitted = Plane;
    const CARD: &'static Card = &CARD;

    fn fit(params: &LassoLarsParams, data: &Training, seed: u64) -> Result<Plane, FitError> {
        let data = jittered(data, params.jitter, effective_seed(params.seed, seed))?;
        let problem = Problem::new(&data, params.fit_intercept)?;
        let end = walk(
            &problem,
            &Walk {
                lasso: true,
                positive: params.positive,
                alpha_min: params.alpha,
                max_iter: params.max_iter,
                eps: params.eps,
            },
        );
        let converged = end.n_iter < params.max_iter || end.alpha <= params.alpha;
        let extra = Outputs::from_iter([
            ("active".to_owned(), end.active.into()),
            ("n_iter".to_owned(), end.n_iter.into()),
            ("converged".to_owned(), converged.into()),
        ]);
        Plane::new(end.weights, &problem, extra)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, table};
    use mltrainer_catalogue_core::{Params as _, Predictor as _};

    #[test]
    fn soft_threshold_by_hand() {
        // As for the lasso: Σxy/n = 2 and 1/4, so w = soft(2, 1/2) and soft(1/4, 1/2) = 0.
        let rows: [&[f64]; 4] = [&[-1.0, -1.0], &[1.0, -1.0], &[-1.0, 1.0], &[1.0, 1.0]];
        let y = [-2.25, 1.75, -1.75, 2.25];
        let params = LassoLarsParams {
            alpha: 0.5,
            ..LassoLarsParams::from_map(&serde_json::Map::new()).unwrap()
        };
        let fitted = LassoLars::fit(&params, &table(&rows, &y), 0).unwrap();
        let weights: Vec<f64> =
            serde_json::from_value(fitted.outputs()["coefficients"].clone()).unwrap();
        assert_near(&weights, &[1.5, 0.0], 1e-13);
    }
}
