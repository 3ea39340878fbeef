//! Decision tree (CART).
//!
//! What: a tree of yes-or-no questions on single columns, with the mean or the shares of the labels
//! in its leaves.
//! Formula: each split is the (column, threshold) with the largest decrease of impurity.
//! Data: any table of numbers; scale and monotone changes of a column do not matter.
//! Cost: fit O(p n log n + p n depth), predict O(rows depth).
//! Fails when: grown without limits on noisy data, which it learns by heart.
//! Source: Breiman, Friedman, Olshen, Stone, Classification and Regression Trees (1984).
//! Not claimed: smooth forecasts, or values outside those of training.

use super::engine::{self, Criterion, Learned, MaxFeatures, Rules, Sorted, Splitter, Tree};
use super::shap;
use crate::class_weight::{ClassWeight, row_weights};
use mltrainer_catalogue_core::card::{Evidence, Preset};
use mltrainer_catalogue_core::{
    Card, Contributions, Entry, FitError, Inputs, Outputs, ParamError, Prediction, Predictor,
    Supervised, Training, params, run,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2};
use rand::SeedableRng as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// The handle.
pub struct DecisionTree;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<DecisionTree>().as_first_choice();

params! {
    /// Parameters of a tree.
    pub struct TreeParams {
        /// Measure of impurity; none is squared_error for regression and gini for classification.
        criterion: Option<Criterion> = None;
        /// best: the threshold that gains most; random: one drawn for each column, the best column wins.
        splitter: Splitter = Splitter::Best;
        /// Levels below the root; none is no limit.
        max_depth: Option<usize> = None, within(1.0, 1_000_000.0);
        /// Rows a node must have to be split.
        min_samples_split: usize = 2, at_least(2.0);
        /// Rows each side of a split must have.
        min_samples_leaf: usize = 1, at_least(1.0);
        /// Weight each side of a split must have, as a share of all.
        min_weight_fraction_leaf: f64 = 0.0, within(0.0, 0.5);
        /// Columns a split looks at, drawn anew each time: sqrt, log2, third, all, a number of columns, or a share of them; none is all.
        max_features: Option<MaxFeatures> = None;
        /// Leaves at most, the splits that gain most made first; none is no limit.
        max_leaf_nodes: Option<usize> = None, within(2.0, 10_000.0);
        /// A split must lower impurity, weighted with the node's share of all rows, by this much.
        min_impurity_decrease: f64 = 0.0, at_least(0.0);
        /// Price of a leaf: after growing, subtrees that lower impurity by less a leaf are cut off, the weakest first.
        ccp_alpha: f64 = 0.0, at_least(0.0);
        /// balanced: each label counts the same in all; or a factor a label, written 0:1,1:2.5; none: each row counts the same. Classification.
        class_weight: Option<ClassWeight> = None;
        /// A sign a column, joined with commas: 1 rising, -1 falling, 0 free; none is all free. With labels it is the share of the second of two.
        monotonic_cst: Option<Vec<i64>> = None, within(-1.0, 1.0);
        /// Seed of the draws of splitter random or max_features; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

/// Fitted state.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    tree: Tree,
    classes: Vec<i64>,
}

const CARD: Card = Card {
    id: "decision_tree",
    family: "tree",
    title: "Decision tree (CART)",
    tasks: &[Task::Regression, Task::Classification],
    inputs: Inputs::Features,
    summary: "A tree of yes-or-no questions on single columns; a leaf answers with the mean, or the shares of the labels, of the training rows that end in it.",
    formula: "a node with rows R is split at the (column, threshold) that maximises |R| I(R) - |L| I(L) - |Rᶜ| I(Rᶜ), L = rows with value ≤ threshold, thresholds halfway between neighbouring values; I = variance, mean distance from the median, half Poisson deviance, gini 1 - Σ pₖ² or entropy -Σ pₖ log₂ pₖ. Of equal gains the leftmost column, then the lowest threshold wins",
    data: "Any table of numbers; scale and monotone changes of a column do not matter.",
    cost: "fit O(p n log n + p n depth), predict O(rows · depth)",
    fails_when: "It is grown without limits on noisy data, which it learns by heart; small changes of the data change the whole tree.",
    not_claimed: "Smooth forecasts, or values outside those of the training rows.",
    source: "L. Breiman, J. H. Friedman, R. A. Olshen, C. J. Stone, Classification and Regression Trees (1984)",
    reference: "scikit-learn 1.9.1, DecisionTreeRegressor and DecisionTreeClassifier",
    outputs: &[
        ("n_leaves", "number of leaves"),
        ("depth", "levels below the root"),
        (
            "feature_importances",
            "share of the decrease of impurity, one a column, sum 1",
        ),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "scikit-learn 1.9.1, cases without ties",
            cases: "tree-depth-3-spx-reg, tree-depth-5-leaf-10-spx-reg, tree-depth-3-aapl-reg, tree-depth-{5,7,none}-leaf-10-aapl-reg, tree-gini-depth-3-{spx-cls,spx-cls3,aapl-cls}, tree-gini-depth-5-aapl-cls, tree-entropy-depth-3-{spx-cls,spx-cls3}",
            tolerance: "predictions and probabilities 1e-9, equal leaves and depth",
        },
        Evidence {
            against: "scikit-learn 1.9.1, cases with ties, 20 seeds",
            cases: "the other tree-* cases",
            tolerance: "figures within three standard deviations, correlation of predictions 0.79 to 0.97",
        },
        Evidence {
            against: "shap 0.51.0, TreeExplainer of scikit-learn 1.9.1",
            cases: "the cases of decision_tree of crates/catalogue/tests/data/shap.json",
            tolerance: "SHAP values 1e-7, and the sum of each row",
        },
    ],
    presets: &[
        Preset {
            id: "decision_tree_depth_3",
            title: "Decision tree of depth 3",
            set: &[("max_depth", "3")],
        },
        Preset {
            id: "decision_tree_depth_5",
            title: "Decision tree of depth 5",
            set: &[("max_depth", "5")],
        },
        Preset {
            id: "decision_tree_depth_7",
            title: "Decision tree of depth 7",
            set: &[("max_depth", "7")],
        },
        Preset {
            id: "decision_tree_depth_10",
            title: "Decision tree of depth 10",
            set: &[("max_depth", "10")],
        },
        Preset {
            id: "decision_tree_depth_none",
            title: "Decision tree without limit of depth",
            set: &[("max_depth", "none")],
        },
    ],
    exemptions: &[],
};

impl TreeParams {
    /// What the engine grows by.
    ///
    /// # Errors
    /// [`ParamError`] for a criterion of the other task.
    pub(crate) fn rules(&self, data: &Training) -> Result<Rules, ParamError> {
        let criterion = engine::criterion(self.criterion, data.task())?;
        Ok(Rules {
            criterion,
            monotone: engine::monotone(self.monotonic_cst.as_deref(), criterion, data)?,
            splitter: self.splitter,
            max_depth: self.max_depth.unwrap_or(usize::MAX),
            min_samples_split: self.min_samples_split,
            min_samples_leaf: self.min_samples_leaf,
            min_weight_fraction_leaf: self.min_weight_fraction_leaf,
            max_leaf_nodes: self.max_leaf_nodes,
            min_impurity_decrease: self.min_impurity_decrease,
            ccp_alpha: self.ccp_alpha,
            max_features: self
                .max_features
                .map_or(usize::MAX, |m| m.of(data.design().columns())),
            shuffled: false,
        })
    }
}

impl Supervised for DecisionTree {
    type Params = TreeParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;
    const MISSING: bool = true;

    fn fit(params: &TreeParams, data: &Training, seed: u64) -> Result<Fitted, FitError> {
        let rules = params.rules(data)?;
        let learned = Learned::new(data, rules.criterion)?;
        let mut sorted = Sorted::new(data.x(), rules.splitter, rules.max_features)?;
        let weights = row_weights(data, params.class_weight.as_ref())?;
        let seed = run::effective_seed(params.seed, seed);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let grown =
            engine::grow_in_place(&mut sorted, learned.target(), &weights, &rules, &mut random);
        Ok(Fitted {
            tree: grown.tree,
            classes: data.labels().map(|l| l.classes.clone()).unwrap_or_default(),
        })
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        let mut out = Array2::zeros((x.nrows(), self.classes.len().max(1)));
        self.tree.add_to(x, &mut out);
        Ok(if self.classes.is_empty() {
            Prediction::values(out.into_raw_vec_and_offset().0)
        } else {
            Prediction::probabilities(out, self.classes.clone())
        })
    }

    fn contributions(&self, x: ArrayView2<'_, f64>) -> Result<Option<Contributions>, FitError> {
        shap::of_mean(std::slice::from_ref(&self.tree), x, &self.classes)
    }

    fn outputs(&self) -> Outputs {
        Outputs::from_iter([
            ("n_leaves".to_owned(), self.tree.n_leaves().into()),
            ("depth".to_owned(), self.tree.depth().into()),
            (
                "feature_importances".to_owned(),
                run::numbers(&self.tree.importances()),
            ),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::table;
    use mltrainer_catalogue_core::Params as _;

    #[test]
    fn a_criterion_of_the_other_task_is_refused() {
        let given = serde_json::json!({"criterion": "gini"});
        let params = TreeParams::from_map(given.as_object().unwrap()).unwrap();
        let refused = DecisionTree::fit(&params, &table(&[&[1.0]], &[1.0]), 0).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "parameter criterion: does not fit regression: squared_error, absolute_error and poisson are for regression, gini and entropy for classification"
        );
    }

    #[test]
    fn monotone_columns_as_scikit_learn() {
        // scikit-learn 1.9.0, DecisionTreeRegressor and DecisionTreeClassifier(monotonic_cst=[1, -1, 1, 0, 0],
        // ...): the first six answers, the same for every random_state.
        let flat: Vec<[f64; 5]> = (0..300)
            .map(|i: usize| std::array::from_fn(|j| crate::testing::eighths(i, j)))
            .collect();
        let rows: Vec<&[f64]> = flat.iter().map(|r| &r[..]).collect();
        let y: Vec<f64> = (0..300)
            .map(|i| {
                ((i * 31) % 53) as f64 / 16.0 + rows[i][0] * rows[i][1] / 16.0 - rows[i][2] / 4.0
            })
            .collect();
        let labels: Vec<f64> = y
            .iter()
            .map(|y| f64::from(u8::from(*y > 2.0400390625)))
            .collect();
        let fit = |mut given: serde_json::Value, labels: Option<&[f64]>| {
            given["monotonic_cst"] = "1,-1,1,0,0".into();
            let params = TreeParams::from_map(given.as_object().unwrap()).unwrap();
            let data = match labels {
                Some(labels) => crate::testing::classes(&rows, labels),
                None => table(&rows, &y),
            };
            let p = DecisionTree::fit(&params, &data, 0)
                .unwrap()
                .predict(data.x().view())
                .unwrap();
            let values = p.probabilities.map_or(p.values, |p| p.column(1).to_vec());
            values[..6].to_vec()
        };
        let assert =
            |got: Vec<f64>, want: [f64; 6]| crate::testing::assert_near(&got, &want, 1e-12);
        assert(
            fit(serde_json::json!({"max_depth": 4}), None),
            [
                -1.8125,
                0.8023937136627907,
                2.331808035714286,
                3.306936553030303,
                3.306936553030303,
                4.250950168918919,
            ],
        );
        assert(
            fit(serde_json::json!({"max_leaf_nodes": 9}), None),
            [
                -0.43605638586956524,
                1.0609112639925373,
                1.878882718373494,
                3.306936553030303,
                3.306936553030303,
                4.250950168918919,
            ],
        );
        let high = 0.7378640776699029;
        assert(
            fit(serde_json::json!({"max_depth": 4}), Some(&labels)),
            [
                0.0,
                0.13636363636363635,
                0.6189166113271986,
                high,
                high,
                high,
            ],
        );
        assert(
            fit(serde_json::json!({"max_leaf_nodes": 9}), Some(&labels)),
            [
                0.0,
                0.13636363636363635,
                0.4819277108433735,
                high,
                high,
                high,
            ],
        );
        assert(
            fit(
                serde_json::json!({"max_depth": 4, "criterion": "entropy"}),
                Some(&labels),
            ),
            [
                0.0,
                0.13636363636363635,
                0.4810126582278481,
                high,
                high,
                high,
            ],
        );
    }
}
