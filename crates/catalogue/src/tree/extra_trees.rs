//! Extremely randomised trees.
//!
//! What: the mean of many trees whose thresholds are drawn at random; of the columns looked at, the
//! one whose drawn threshold gains most is split.
//! Formula: ŷ = (1/T) Σ tree_t(x); probabilities likewise.
//! Data: any table of numbers; scale does not matter.
//! Cost: fit O(T p n log n), predict O(rows T depth).
//! Fails when: the future leaves the range of the past, or most columns are noise.
//! Source: Geurts, Ernst, Wehenkel, Machine Learning 63 (2006).
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
pub struct ExtraTrees;

/// The registration.
pub const ENTRY: Entry =
    Entry::supervised::<ExtraTrees>().mattering_beside(&[&[("bootstrap", "true")]]);

params! {
    /// Parameters of extremely randomised trees.
    pub struct ExtraTreesParams {
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
        bootstrap: bool = false;
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
    id: "extra_trees",
    family: "tree",
    title: "Extremely randomised trees",
    tasks: &[Task::Regression, Task::Classification],
    inputs: Inputs::Features,
    summary: "The mean of many trees, each grown on all rows, whose thresholds are drawn at random between the least and the largest value of a node; of the columns looked at the one that gains most is split.",
    formula: "ŷ(x) = (1/T) Σₜ treeₜ(x), for labels the same mean of leaf shares; treeₜ is grown as in decision_tree with splitter random: one threshold a column, uniform between least and largest value",
    data: "Any table of numbers; scale and monotone changes of a column do not matter.",
    cost: "fit O(T p n depth), predict O(rows · T · depth)",
    fails_when: "The future leaves the range of the past, or most columns are noise: a cut is drawn before it is judged.",
    not_claimed: "Importances as causes, or probabilities that are calibrated.",
    source: "P. Geurts, D. Ernst, L. Wehenkel, Extremely randomized trees, Machine Learning 63 (2006) 3-42",
    reference: "scikit-learn 1.9.1, ExtraTreesRegressor and ExtraTreesClassifier",
    outputs: &[
        (
            "feature_importances",
            "mean over the trees of the share of the decrease of impurity, one a column, sum 1",
        ),
        (
            "predictions_std",
            "regression: standard deviation over the trees, one a test row",
        ),
    ],
    stochastic: true,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, 20 seeds",
        cases: "extra-trees-spx-reg, extra-trees-aapl-reg, extra-trees-spx-cls, extra-trees-spx-cls3",
        tolerance: "figures on test and training rows within three standard deviations, correlation of predictions 0.96 to 0.97, of importances 0.9",
    }],
    presets: &[
        Preset {
            id: "extra_trees_10",
            title: "10 extremely randomised trees",
            set: &[("n_estimators", "10")],
        },
        Preset {
            id: "extra_trees_50",
            title: "50 extremely randomised trees",
            set: &[("n_estimators", "50")],
        },
    ],
    exemptions: &[],
};

impl Supervised for ExtraTrees {
    type Params = ExtraTreesParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;
    const MISSING: bool = true;

    fn fit(params: &ExtraTreesParams, data: &Training, seed: u64) -> Result<Fitted, FitError> {
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
            splitter: Splitter::Random,
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
    fn all_rows_are_learned_by_heart() {
        let rows: [&[f64]; 5] = [&[1.0], &[2.0], &[3.0], &[4.0], &[5.0]];
        let data = table(&rows, &[3.0, 1.0, 4.0, 1.0, 5.0]);
        let params = ExtraTreesParams::from_map(&serde_json::Map::new()).unwrap();
        let fitted = ExtraTrees::fit(&params, &data, 0).unwrap();
        let got = fitted.predict(data.x().view()).unwrap();
        crate::testing::assert_near(&got.values, data.y(), 1e-14);
        assert!(got.std.unwrap().iter().all(|s| *s < 1e-12));
    }
}
