//! Random forest.
//!
//! What: the mean of many trees, each grown on rows drawn with replacement, and for labels each
//! split looking at few columns drawn anew.
//! Formula: ŷ = (1/T) Σ tree_t(x); probabilities likewise.
//! Data: any table of numbers; scale does not matter.
//! Cost: fit O(T p n log n), predict O(rows T depth).
//! Fails when: the future leaves the range of the past.
//! Source: Breiman, Machine Learning 45 (2001).
//! Not claimed: importances as causes.

use super::engine::{self, Criterion, Learned, MaxFeatures, Rules, Splitter};
use super::forest::{self, Forest, Plan};
use crate::class_weight::ForestClassWeight;
use mltrainer_catalogue_core::card::{Evidence, Preset};
use mltrainer_catalogue_core::{
    Card, Contributions, Entry, FitError, Inputs, Outputs, ParamError, Prediction, Predictor,
    Supervised, Training, params, run,
};
use mltrainer_types::catalogue::Task;
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

/// The handle.
pub struct RandomForest;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<RandomForest>().as_first_choice();

params! {
    /// Parameters of a forest.
    pub struct ForestParams {
        /// Number of trees.
        n_estimators: usize = 100, within(1.0, 10_000.0);
        /// Measure of impurity; none is squared_error for regression and gini for classification.
        criterion: Option<Criterion> = None;
        /// Levels below the root; none is no limit.
        max_depth: Option<usize> = None, within(1.0, 1_000_000.0);
        /// Rows a node must have to be split.
        min_samples_split: usize = 2, at_least(2.0);
        /// Rows each side of a split must have.
        min_samples_leaf: usize = 1, at_least(1.0);
        /// Weight each side of a split must have, as a share of all.
        min_weight_fraction_leaf: f64 = 0.0, within(0.0, 0.5);
        /// Columns a split looks at, drawn anew each time: sqrt, log2, third, all, a number of columns, or a share of them; none is all for regression and sqrt for classification.
        max_features: Option<MaxFeatures> = None;
        /// Leaves at most, the splits that gain most made first; none is no limit.
        max_leaf_nodes: Option<usize> = None, within(2.0, 10_000.0);
        /// A split must lower impurity, weighted with the node's share of all rows, by this much.
        min_impurity_decrease: f64 = 0.0, at_least(0.0);
        /// Price of a leaf: after growing, subtrees that lower impurity by less a leaf are cut off, the weakest first.
        ccp_alpha: f64 = 0.0, at_least(0.0);
        /// balanced: each label counts the same in all; balanced_subsample: in the rows drawn for each tree; or a factor a label, written 0:1,1:2.5; none: each row counts the same. Classification.
        class_weight: Option<ForestClassWeight> = None;
        /// Whether each tree sees rows drawn with replacement; otherwise all rows.
        bootstrap: bool = true;
        /// Rows drawn for a tree: up to 1 as a share of all, above 1 their number; none is as many as there are. Needs bootstrap.
        max_samples: Option<f64> = None, above_up_to(0.0, 1e9);
        /// A sign a column, joined with commas: 1 rising, -1 falling, 0 free; none is all free. With labels it is the share of the second of two.
        monotonic_cst: Option<Vec<i64>> = None, within(-1.0, 1.0);
        /// Whether rows that a tree did not see are judged by it: the output oob_score. Needs bootstrap.
        oob_score: bool = true;
        /// Seed of the draws; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

/// Fitted state.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    forest: Forest,
}

const CARD: Card = Card {
    id: "random_forest",
    family: "tree",
    title: "Random forest",
    tasks: &[Task::Regression, Task::Classification],
    inputs: Inputs::Features,
    summary: "The mean of many trees, each grown on rows drawn with replacement; for labels each split also looks at few columns, drawn anew. Averaging takes away most of the noise that a single tree learns by heart.",
    formula: "ŷ(x) = (1/T) Σₜ treeₜ(x), for labels the same mean of leaf shares; treeₜ is grown as in decision_tree on n rows drawn with replacement",
    data: "Any table of numbers; scale and monotone changes of a column do not matter.",
    cost: "fit O(p n log n + T p n depth), predict O(rows · T · depth)",
    fails_when: "The future leaves the range of the past: a forest cannot go beyond the targets of its training rows. Importances favour columns with many values and share out among columns that move together.",
    not_claimed: "Importances as causes, or probabilities that are calibrated.",
    source: "L. Breiman, Random forests, Machine Learning 45 (2001) 5-32",
    reference: "scikit-learn 1.9.1, RandomForestRegressor and RandomForestClassifier",
    outputs: &[
        (
            "feature_importances",
            "mean over the trees of the share of the decrease of impurity, one a column, sum 1",
        ),
        (
            "oob_score",
            "with bootstrap: R² or accuracy of the answers of the trees that did not see a row, over all rows that some tree did not see",
        ),
        (
            "predictions_std",
            "regression: standard deviation over the trees, one a test row",
        ),
    ],
    stochastic: true,
    evidence: &[
        Evidence {
            against: "scikit-learn 1.9.1, 20 seeds",
            cases: "random-forest-spx-reg, random-forest-aapl-reg, random-forest-spx-cls, random-forest-spx-cls3",
            tolerance: "figures on test and training rows within three standard deviations, correlation of predictions 0.95 to 0.97, of importances 0.9",
        },
        Evidence {
            against: "scikit-learn 1.9.1, 40 seeds",
            cases: "a test of this entry: oob_score with max_samples as a share and as a number, with and without weights",
            tolerance: "means within four standard errors",
        },
    ],
    presets: &[
        Preset {
            id: "random_forest_10",
            title: "Random forest of 10 trees",
            set: &[("n_estimators", "10")],
        },
        Preset {
            id: "random_forest_50",
            title: "Random forest of 50 trees",
            set: &[("n_estimators", "50")],
        },
        Preset {
            id: "random_forest_100",
            title: "Random forest of 100 trees",
            set: &[("n_estimators", "100")],
        },
    ],
    exemptions: &[],
};

impl Supervised for RandomForest {
    type Params = ForestParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;
    const MISSING: bool = true;

    fn fit(params: &ForestParams, data: &Training, seed: u64) -> Result<Fitted, FitError> {
        if params.max_samples.is_some() && !params.bootstrap {
            return Err(FitError::Param(ParamError {
                field: "max_samples".into(),
                reason: "rows are only drawn with bootstrap = true".into(),
                suggestions: vec!["bootstrap".into()],
            }));
        }
        let (n, p) = data.x().dim();
        let default = match data.task() {
            Task::Classification => MaxFeatures::Sqrt,
            _ => MaxFeatures::All,
        };
        let criterion = engine::criterion(params.criterion, data.task())?;
        let rules = Rules {
            criterion,
            monotone: engine::monotone(params.monotonic_cst.as_deref(), criterion, data)?,
            splitter: Splitter::Best,
            max_depth: params.max_depth.unwrap_or(usize::MAX),
            min_samples_split: params.min_samples_split,
            min_samples_leaf: params.min_samples_leaf,
            min_weight_fraction_leaf: params.min_weight_fraction_leaf,
            max_leaf_nodes: params.max_leaf_nodes,
            min_impurity_decrease: params.min_impurity_decrease,
            ccp_alpha: params.ccp_alpha,
            max_features: params.max_features.unwrap_or(default).of(p),
            shuffled: false,
        };
        let weight = forest::RowWeights::new(data, params.class_weight.as_ref(), params.bootstrap)?;
        let plan = Plan {
            trees: params.n_estimators,
            bootstrap: params.bootstrap,
            draw: false,
            oob: params.oob_score,
            draws: params
                .max_samples
                .map_or(n, |given| forest::draws(given, weight.total)),
            weight,
            seed: run::effective_seed(params.seed, seed),
        };
        let learned = Learned::new(data, rules.criterion)?;
        Ok(Fitted {
            forest: forest::grow(data, &learned, &rules, &plan)?,
        })
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        Ok(self.forest.predict(x))
    }

    fn contributions(&self, x: ArrayView2<'_, f64>) -> Result<Option<Contributions>, FitError> {
        self.forest.contributions(x)
    }

    fn outputs(&self) -> Outputs {
        self.forest.outputs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::table;
    use mltrainer_catalogue_core::Params as _;

    #[test]
    fn without_draws_every_tree_is_the_decision_tree() {
        let rows: [&[f64]; 5] = [&[1.0], &[2.0], &[3.0], &[4.0], &[5.0]];
        let data = table(&rows, &[3.0, 1.0, 4.0, 1.0, 5.0]);
        let given = serde_json::json!({"bootstrap": false, "n_estimators": 3});
        let params = ForestParams::from_map(given.as_object().unwrap()).unwrap();
        let fitted = RandomForest::fit(&params, &data, 0).unwrap();
        let values = fitted.predict(data.x().view()).unwrap().values;
        assert_eq!(values, data.y());
    }

    #[test]
    fn max_samples_needs_bootstrap() {
        let given = serde_json::json!({"bootstrap": false, "max_samples": 0.5});
        let params = ForestParams::from_map(given.as_object().unwrap()).unwrap();
        let refused = RandomForest::fit(&params, &table(&[&[1.0]], &[1.0]), 0).unwrap_err();
        assert!(refused.to_string().starts_with("parameter max_samples: "));
    }

    #[test]
    fn unseen_rows_are_answered_as_well_as_by_the_reference() {
        // scikit-learn 1.9.1, RandomForestRegressor(60, oob_score=True, max_samples=..., random_state=s) on
        // this table: mean and standard deviation of oob_score_ over s = 0, ..., 39. Eight seeds here.
        let x = ndarray::Array2::from_shape_fn((200, 4), |(i, j)| {
            (i as f64 * (1.0 + 0.37 * j as f64) + j as f64).sin()
        });
        let y: Vec<f64> = (0..200)
            .map(|i| {
                let noise = 0.3 * (i as f64 * 7.3).sin();
                x[[i, 0]] * x[[i, 1]] + (2.0 * x[[i, 2]]).sin() + noise
            })
            .collect();
        let names = ('a'..='d').map(String::from).collect();
        let design = mltrainer_catalogue_core::Design::new(x, names).unwrap();
        let data = Training::regression(design, y).unwrap();
        let weights: Vec<f64> = (0..200).map(|i| f64::from(i * 7 % 11 + 1) / 4.0).collect();
        let weighed = data.clone().with_weights(weights).unwrap();
        for (max_samples, data, mean, sd) in [
            (serde_json::Value::Null, &data, 0.8428, 0.0056),
            (0.3.into(), &data, 0.8297, 0.0056),
            (60.into(), &data, 0.8297, 0.0056),
            (serde_json::Value::Null, &weighed, 0.8268, 0.0065),
            (0.3.into(), &weighed, 0.8257, 0.0071),
            (60.into(), &weighed, 0.8192, 0.0066),
        ] {
            let given = serde_json::json!({"n_estimators": 60, "max_samples": max_samples});
            let params = ForestParams::from_map(given.as_object().unwrap()).unwrap();
            let scores = (0..8).map(|seed| {
                let fitted = RandomForest::fit(&params, data, seed).unwrap();
                fitted.forest.oob_score().unwrap()
            });
            let got = scores.sum::<f64>() / 8.0;
            // Four standard errors of the mean of eight beside that of forty.
            let room = 4.0 * sd * (1.0_f64 / 8.0 + 1.0 / 40.0).sqrt();
            assert!(
                (got - mean).abs() < room,
                "{max_samples}: {got} is not {mean}"
            );
        }
    }
}
