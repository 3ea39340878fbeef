//! CatBoost.
//!
//! What: gradient boosting with oblivious trees (one question a level for all nodes of it), or with
//! trees whose nodes each have a question of their own, as the program CatBoost does it.
//! Formula: each level takes the question with the best cosine between gradients and leaf means.
//! Data: any table of numbers; a missing value is less than all others.
//! Cost: fit O(T p n depth), predict O(rows T depth).
//! Fails when: rows are few and rounds many.
//! Source: Prokhorenkova et al., NeurIPS (2018).
//! Not claimed: the draws of the program, or its combinations of categories.

#[cfg(test)]
mod cases;
mod leaves;
mod monotone;
mod policies;
mod quick;

use super::boost::{self, Quantiles, Rows};
use super::categories::Encoder;
use super::engine::{Criterion, Learned, shares};
use super::histogram::{Binned, Bins, part_by};
use super::metrics::{self, Metric};
use super::objective::{Objective, mape_weight, softmax};
use super::shap::{self, Splits};
use leaves::{NEAR, Slopes, add_values, beside_quantile, is_power, shrunk, single, slopes, stored};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::params::{ParamType, Range};
use mltrainer_catalogue_core::reexport::{ParamKind, Value};
use mltrainer_catalogue_core::{
    Card, Contributions, Entry, FitError, Inputs, Outputs, ParamError, Prediction, Predictor,
    Supervised, Training, choices, params, run, threads,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis, CowArray, Ix2};
use policies::{Branches, Node};
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};
use std::sync::{OnceLock, PoisonError, RwLock};

/// The handle.
pub struct CatBoost;

/// Other names that the program takes.
const ALSO: &[(&str, &str)] = &[
    ("iterations", "n_estimators"),
    ("num_boost_round", "n_estimators"),
    ("num_trees", "n_estimators"),
    ("eta", "learning_rate"),
    ("max_depth", "depth"),
    ("reg_lambda", "l2_leaf_reg"),
    ("max_bin", "border_count"),
    ("colsample_bylevel", "rsm"),
    ("min_child_samples", "min_data_in_leaf"),
    ("num_leaves", "max_leaves"),
    ("objective", "loss_function"),
    ("random_seed", "seed"),
];

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<CatBoost>()
    .also_called(ALSO)
    .tested_with(&[("n_estimators", "60")])
    // Several steps of this kind overshoot, so that what becomes of them matters.
    .mattering_beside(&[&[
        ("loss_function", "MAE"),
        ("leaf_estimation_method", "Gradient"),
        ("leaf_estimation_iterations", "10"),
    ]]);

choices! {
    /// Where a missing value stands.
    pub enum NanMode {
        /// Before all others.
        Min = "Min",
        /// After all others.
        Max = "Max",
        /// Nowhere.
        Forbidden = "Forbidden",
    }
}

choices! {
    /// What is minimised.
    pub enum Loss {
        /// Pinball loss of alpha; regression.
        Quantile = "Quantile",
        /// Squared up to delta, linear beyond; regression.
        Huber = "Huber",
        /// (y - f)², times alpha above f and 1 - alpha below; regression.
        Expectile = "Expectile",
        /// |y - f| to the power q; regression.
        Lq = "Lq",
        /// Tweedie's deviance of variance_power, log link; regression.
        Tweedie = "Tweedie",
        /// ln cosh(y - f); regression.
        LogCosh = "LogCosh",
        /// |y - f| / max(1, |y|); regression.
        Mape = "MAPE",
        /// |y - f|; regression.
        Mae = "MAE",
        /// (y - f)²; regression.
        Rmse = "RMSE",
        /// Poisson deviance with log link; regression.
        Poisson = "Poisson",
        /// Logistic loss of two labels.
        Logloss = "Logloss",
        /// The same.
        CrossEntropy = "CrossEntropy",
        /// Softmax.
        MultiClass = "MultiClass",
        /// Logistic loss of each label against all others; the shares need not add up to 1.
        MultiClassOneVsAll = "MultiClassOneVsAll",
    }
}

/// A loss, with its parameter where that is written as the program does: `Quantile:alpha=0.3`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goal {
    loss: Loss,
    given: Option<f64>,
}

impl Loss {
    /// The name of its parameter, and what that may be.
    fn parameter(self) -> Option<(&'static str, Range)> {
        let range = |min: f64, max: Option<f64>| Range {
            min: Some(min),
            max,
            min_exclusive: true,
            max_exclusive: true,
        };
        Some(match self {
            Self::Quantile | Self::Expectile => ("alpha", range(0.0, Some(1.0))),
            Self::Huber => ("delta", range(0.0, None)),
            Self::Tweedie => ("variance_power", range(1.0, Some(2.0))),
            Self::Lq => {
                let power = Range {
                    min_exclusive: false,
                    max_exclusive: false,
                    ..range(1.0, Some(100.0))
                };
                ("q", power)
            }
            _ => return None,
        })
    }
}

impl ParamType for Goal {
    const KIND: ParamKind = ParamKind::Text;

    fn choices() -> &'static [&'static str] {
        Loss::choices()
    }

    fn read(value: &Value, range: &Range) -> Result<Self, String> {
        let text = value.as_str().unwrap_or_default();
        let Some((name, given)) = text.split_once(':') else {
            return Loss::read(value, range).map(|loss| Self { loss, given: None });
        };
        let loss = Loss::read(&name.trim().into(), range)?;
        let Some((own, range)) = loss.parameter() else {
            return Err(format!("\"{text}\": {} takes no parameter", name.trim()));
        };
        let written = given.split_once('=').filter(|(k, _)| k.trim() == own);
        let Some((_, number)) = written else {
            return Err(format!(
                "\"{text}\" is not written {}:{own}=number",
                name.trim()
            ));
        };
        let given = f64::read(&number.trim().into(), &range)
            .map_err(|why| format!("\"{text}\": {own}: {why}"))?;
        Ok(Self {
            loss,
            given: Some(given),
        })
    }

    fn write(&self) -> Value {
        match (self.given, self.loss.parameter()) {
            (Some(given), Some((own, _))) => {
                let name = self.loss.write();
                format!("{}:{own}={given}", name.as_str().unwrap_or_default()).into()
            }
            _ => self.loss.write(),
        }
    }
}

choices! {
    /// What early stopping looks at.
    pub enum Figure {
        /// Root of the mean squared error; regression.
        Rmse = "RMSE",
        /// Mean absolute error; regression.
        Mae = "MAE",
        /// Mean of |r| / max(1, |y|); regression.
        Mape = "MAPE",
        /// 100 times the mean of 2|r| / (|y| + |f|); regression.
        Smape = "SMAPE",
        /// Coefficient of determination; regression.
        R2 = "R2",
        /// Mean of (ln(1 + y) - ln(1 + f))²; regression.
        Msle = "MSLE",
        /// Pinball loss of alpha; regression.
        Quantile = "Quantile",
        /// Huber's loss of delta; regression.
        Huber = "Huber",
        /// Squared error, times alpha above f and 1 - alpha below; regression.
        Expectile = "Expectile",
        /// Mean of |r| to the power q; regression.
        Lq = "Lq",
        /// Poisson's loss, the sum of trees being a logarithm; regression.
        Poisson = "Poisson",
        /// Tweedie's loss of variance_power, the sum of trees being a logarithm; regression.
        Tweedie = "Tweedie",
        /// Mean logistic loss of two labels.
        Logloss = "Logloss",
        /// The same.
        CrossEntropy = "CrossEntropy",
        /// Mean loss of the softmax.
        MultiClass = "MultiClass",
        /// Mean of the logistic losses of each label against all others.
        MultiClassOneVsAll = "MultiClassOneVsAll",
        /// Share of right labels.
        Accuracy = "Accuracy",
        /// Share of wrong labels.
        ZeroOneLoss = "ZeroOneLoss",
        /// Area under the receiver operating characteristic; two labels, whose rows count as one each.
        Auc = "AUC",
        /// Mean over the labels of the share of their rows that is found; two labels.
        BalancedAccuracy = "BalancedAccuracy",
        /// Precision of the larger of two labels.
        Precision = "Precision",
        /// Recall of the larger of two labels.
        Recall = "Recall",
        /// Harmonic mean of both; two labels.
        F1 = "F1",
        /// That of each label, weighted by its rows.
        TotalF1 = "TotalF1",
        /// Matthews' correlation of labels and calls.
        Mcc = "MCC",
        /// Mean of (y - p)²; two labels.
        Brier = "BrierScore",
    }
}

/// What early stopping looks at, with its parameter where that is written as the program does:
/// `Quantile:alpha=0.3`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EvalMetric {
    figure: Figure,
    given: Option<f64>,
}

impl Figure {
    /// The loss of that name, where its parameter is written behind a colon.
    fn loss(self) -> Option<Loss> {
        Some(match self {
            Self::Quantile => Loss::Quantile,
            Self::Huber => Loss::Huber,
            Self::Expectile => Loss::Expectile,
            Self::Lq => Loss::Lq,
            Self::Tweedie => Loss::Tweedie,
            _ => return None,
        })
    }
}

impl ParamType for EvalMetric {
    const KIND: ParamKind = ParamKind::Text;

    fn choices() -> &'static [&'static str] {
        Figure::choices()
    }

    fn read(value: &Value, range: &Range) -> Result<Self, String> {
        let text = value.as_str().unwrap_or_default();
        let name = text.split_once(':').map_or(text, |(name, _)| name).trim();
        let figure = if name == text {
            Figure::read(value, range)?
        } else {
            Figure::read(&name.into(), range)?
        };
        if name == text {
            return Ok(Self {
                figure,
                given: None,
            });
        }
        if figure.loss().is_none() {
            return Err(format!("\"{text}\": {name} takes no parameter"));
        }
        let Goal { given, .. } = Goal::read(value, range)?;
        Ok(Self { figure, given })
    }

    fn write(&self) -> Value {
        match (self.given, self.figure.loss()) {
            (Some(given), Some(loss)) => Goal {
                loss,
                given: Some(given),
            }
            .write(),
            _ => self.figure.write(),
        }
    }
}

choices! {
    /// What labels count for when no weights are given to them.
    pub enum AutoClassWeights {
        /// The weight of the heaviest label over that of the label.
        Balanced = "Balanced",
        /// Its root.
        SqrtBalanced = "SqrtBalanced",
    }
}

/// A weight a label, ascending: `1,3` or [1, 3]; or by label, `0:1,1:3`.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassWeights(Vec<(Option<i64>, f64)>);

impl ParamType for ClassWeights {
    const KIND: ParamKind = ParamKind::Text;

    fn read(value: &Value, _: &Range) -> Result<Self, String> {
        let refused = || {
            format!(
                "{value} is no list of weights of at least 0: write 1,3, one a label, or 0:1,1:3"
            )
        };
        let words: Vec<String> = match value {
            Value::String(text) => text.split(',').map(|w| w.trim().to_owned()).collect(),
            Value::Array(all) => all.iter().map(ToString::to_string).collect(),
            Value::Object(map) => map.iter().map(|(k, v)| format!("{k}:{v}")).collect(),
            _ => return Err(refused()),
        };
        let mut all: Vec<(Option<i64>, f64)> = Vec::new();
        for word in words {
            let (label, weight) = match word.split_once(':') {
                Some((label, weight)) => {
                    let label = label.trim().parse().map_err(|_| refused())?;
                    (Some(label), weight.trim())
                }
                None => (None, word.as_str()),
            };
            let weight: f64 = weight.parse().map_err(|_| refused())?;
            let twice = label.is_some() && all.iter().any(|(l, _)| *l == label);
            let mixed = all
                .first()
                .is_some_and(|f| f.0.is_some() != label.is_some());
            if !weight.is_finite() || weight < 0.0 || twice || mixed {
                return Err(refused());
            }
            all.push((label, weight));
        }
        if all.iter().all(|(_, w)| *w == 0.0) {
            return Err(refused());
        }
        Ok(Self(all))
    }

    fn write(&self) -> Value {
        let words: Vec<String> = self
            .0
            .iter()
            .map(|(label, weight)| match label {
                Some(label) => format!("{label}:{weight}"),
                None => weight.to_string(),
            })
            .collect();
        words.join(",").into()
    }
}

choices! {
    /// Whose gradients a tree is grown on.
    pub enum Boosting {
        /// Those at the sum of all trees so far.
        Plain = "Plain",
        /// Of each row, those at a sum that never saw the row: it comes later in an order drawn anew.
        Ordered = "Ordered",
    }
}

choices! {
    /// How rows are weighted anew for each tree.
    pub enum Bootstrap {
        /// Drawn with a probability that grows with the gradient, and weighted by its inverse.
        Mvs = "MVS",
        /// Weights (-ln u)^bagging_temperature.
        Bayesian = "Bayesian",
        /// Each row with probability subsample.
        Bernoulli = "Bernoulli",
        /// Not at all.
        No = "No",
    }
}

choices! {
    /// How the values of leaves are found.
    pub enum Leaves {
        /// Steps G/(H + l2).
        Newton = "Newton",
        /// Steps G/(W + l2).
        Gradient = "Gradient",
        /// The value that lowers the loss most; for Quantile, MAE, MAPE and LogCosh. As in the program, weights of rows choose the questions and the start, and do not count here.
        Exact = "Exact",
    }
}

choices! {
    /// What becomes of a step of the leaves that does not lower the loss.
    pub enum Backtracking {
        /// It is halved, which counts as a step too, until it does.
        AnyImprovement = "AnyImprovement",
        /// It is made as it is.
        No = "No",
    }
}

choices! {
    /// Which nodes ask the same question, and which are asked first.
    pub enum Policy {
        /// All nodes of a level ask the same question.
        SymmetricTree = "SymmetricTree",
        /// Each node has a question of its own, level after level.
        Depthwise = "Depthwise",
        /// Each node has a question of its own, the one that gains most first.
        Lossguide = "Lossguide",
    }
}

choices! {
    /// What the sum of trees is multiplied by before a tree is added.
    pub enum Shrinking {
        /// 1 - model_shrink_rate · learning_rate.
        Constant = "Constant",
        /// 1 - model_shrink_rate / number of trees so far.
        Decreasing = "Decreasing",
    }
}

choices! {
    /// How a question is judged.
    pub enum Score {
        /// The cosine between gradients and leaf means.
        Cosine = "Cosine",
        /// The squared error that the leaf means take away.
        L2 = "L2",
    }
}

params! {
    /// Parameters of CatBoost.
    pub struct CatBoostParams {
        /// What early stopping looks at on the rows kept aside, with its parameter as in loss_function where it has one (Quantile, Expectile, Huber, Lq, Tweedie); none is loss_function.
        eval_metric: Option<EvalMetric> = None;
        /// Stop when eval_metric has not become better on the rows kept aside in so many rounds, and keep the best; none never stops early.
        early_stopping_rounds: Option<usize> = None, within(1.0, 100_000.0);
        /// Share of the rows, the last ones, that early stopping keeps aside.
        validation_fraction: f64 = 0.1, inside(0.0, 1.0);
        /// How rows are weighted anew for each tree; none is MVS, or Bayesian for MultiClass.
        bootstrap_type: Option<Bootstrap> = None;
        /// What is minimised, with its parameter behind a colon where it has one: Quantile:alpha=0.3, Expectile:alpha=, Huber:delta=, Lq:q=, Tweedie:variance_power=; none is RMSE, Logloss or MultiClass.
        loss_function: Option<Goal> = None;
        /// The share of Quantile and Expectile; what loss_function says of it comes first.
        alpha: f64 = 0.5, inside(0.0, 1.0);
        /// Where Huber turns linear.
        delta: f64 = 1.0, above(0.0);
        /// The power of Lq.
        q: f64 = 2.0, within(1.0, 100.0);
        /// The power of Tweedie.
        variance_power: f64 = 1.5, inside(1.0, 2.0);
        /// Number of trees.
        n_estimators: usize = 1000, within(1.0, 100_000.0);
        /// Share of each tree that is added; none is set by the number of rows and of trees, as the program does.
        learning_rate: Option<f64> = None, above_up_to(0.0, 100.0);
        /// Levels of each tree.
        depth: usize = 6, within(1.0, 12.0);
        /// L2 penalty on the values of the leaves.
        l2_leaf_reg: f64 = 3.0, at_least(0.0);
        /// Noise added to the score of a question, fading as the model grows.
        random_strength: f64 = 1.0, at_least(0.0);
        /// Cuts of a column at most.
        border_count: usize = 254, within(1.0, 65_000.0);
        /// Share of the columns that a level looks at.
        rsm: f64 = 1.0, above_up_to(0.0, 1.0);
        /// Share of the rows of MVS and Bernoulli.
        subsample: f64 = 0.8, above_up_to(0.0, 1.0);
        /// Bayesian: 0 weighs all rows the same, more spreads the weights.
        bagging_temperature: f64 = 1.0, at_least(0.0);
        /// How the values of leaves are found; none is Exact where it can be, Gradient for Lq with q below 2, else Newton.
        leaf_estimation_method: Option<Leaves> = None;
        /// Steps that set the values of the leaves; none is 1 below 200 trees, else for Newton 10 for Logloss and Poisson and 5 for Expectile, for Gradient 40 for Logloss and 10 for MultiClass and Expectile.
        leaf_estimation_iterations: Option<usize> = None, within(1.0, 1000.0);
        /// What becomes of a step of the leaves, where there are several, that does not lower the loss. As in the program no step of Huber counts as better, so that all its leaves stay at 0: set No for several steps of Huber.
        leaf_estimation_backtracking: Backtracking = Backtracking::AnyImprovement;
        /// SymmetricTree: rows each leaf must have for a question to count; else rows a node must have to be asked a question, as in the program, so that a leaf may have fewer; and as there, Depthwise takes the sums of one node for those of another once two sides of a node have fewer rows.
        min_data_in_leaf: usize = 1, at_least(1.0);
        /// SymmetricTree, or trees whose nodes each have a question of their own: level after level (Depthwise), or the one that gains most first (Lossguide), both up to depth; they go with boosting_type Plain.
        grow_policy: Policy = Policy::SymmetricTree;
        /// Leaves of a tree at most; none is 31. Lossguide only.
        max_leaves: Option<usize> = None, within(1.0, 65_536.0);
        /// Plain, or Ordered against the leak of a row into its own gradient.
        boosting_type: Boosting = Boosting::Plain;
        /// Where a missing value stands in a column that had some in training: before all others, or after them, or it is refused. In other columns it stands before all others.
        nan_mode: NanMode = NanMode::Min;
        /// 1, -1 or 0 a column: whether predictions may only rise or only fall with it; joined with commas. For SymmetricTree, without columns of categories and at most two labels; leaves are set by Gradient where they would be by Exact. None has none.
        monotone_constraints: Option<Vec<i64>> = None, within(-1.0, 1.0);
        /// How much the sum of trees, its start included, is shrunk before each tree but the first; none is 0.01 with monotone_constraints, as in the program, else 0.
        model_shrink_rate: Option<f64> = None, at_least(0.0);
        /// How it is shrunk.
        model_shrink_mode: Shrinking = Shrinking::Constant;
        /// How a question is judged.
        score_function: Score = Score::Cosine;
        /// A factor a column of what its questions gain, where the best of several is chosen, joined with commas; columns without one have 1. None is 1 for all.
        feature_weights: Option<Vec<f64>> = None, at_least(0.0);
        /// Whether the sum of trees starts at the mean, median or quantile; none is yes for RMSE, MAE, MAPE and Quantile.
        boost_from_average: Option<bool> = None;
        /// Columns of categories, by name or number from 0, joined with commas: each becomes ordered target statistics; none has none.
        cat_features: Option<Vec<String>> = None;
        /// A factor of the rows of each label, ascending, joined with commas: 1,3; or by label: 0:1,1:3; none is 1. Classification.
        class_weights: Option<ClassWeights> = None;
        /// Balanced: each label counts the same in all; SqrtBalanced: the root of such factors; none: each row counts the same. Classification, without class_weights.
        auto_class_weights: Option<AutoClassWeights> = None;
        /// Factor of the rows of the larger of two labels, without class_weights and auto_class_weights.
        scale_pos_weight: f64 = 1.0, above(0.0);
        /// Up to so many categories a column becomes one column a category instead.
        one_hot_max_size: usize = 2, within(1.0, 255.0);
        /// Seed of the draws; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

/// Leaves of a tree of Lossguide at most, unless more or fewer are asked for.
const MAX_LEAVES: usize = 31;

/// An oblivious tree: the leaf of a row has one bit a question. Or one of nodes.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Tree {
    /// Column and border of each level; a value above it sets the bit.
    questions: Vec<(u32, f64)>,
    /// Leaf after leaf, one value a sum.
    values: Vec<f64>,
    /// Weight of the training rows of each leaf; models saved before it was kept have none.
    #[serde(default)]
    sizes: Vec<f64>,
    /// Nodes with a question each, the first one the root, instead of questions of levels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    nodes: Vec<Node>,
}

impl Tree {
    fn leaf(&self, row: ArrayView1<'_, f64>) -> usize {
        if !self.nodes.is_empty() {
            return policies::leaf_of(&self.nodes, row);
        }
        let bits = self.questions.iter().enumerate();
        bits.map(|(k, (c, border))| usize::from(known(row[*c as usize]) > *border) << k)
            .sum()
    }
}

/// An oblivious tree written out, for SHAP values: node i has the children 2i + 1 (the question is
/// answered with no) and 2i + 2. The last question stands at the root, as in the program: the order
/// matters for the rows that are expected on the way down.
struct WrittenOut<'a> {
    tree: &'a Tree,
    covers: Vec<f64>,
}

impl<'a> WrittenOut<'a> {
    fn new(tree: &'a Tree) -> Self {
        let depth = tree.questions.len();
        let many = 1 << depth;
        let mut covers = vec![0.0; 2 * many - 1];
        // With the last question, the highest bit of a leaf's number, first, leaves stand in their order.
        for leaf in 0..many {
            covers[many - 1 + leaf] = tree.sizes.get(leaf).copied().unwrap_or_default();
        }
        for node in (0..many - 1).rev() {
            covers[node] = covers[2 * node + 1] + covers[2 * node + 2];
        }
        Self { tree, covers }
    }

    /// The question of a node; none for a leaf.
    fn question(&self, node: usize) -> Option<(u32, f64)> {
        let level = (node + 1).ilog2() as usize;
        let last = self.tree.questions.len().checked_sub(level + 1)?;
        self.tree.questions.get(last).copied()
    }
}

impl Splits for WrittenOut<'_> {
    fn split(&self, node: usize) -> Option<(usize, usize, usize)> {
        let (column, _) = self.question(node)?;
        Some((column as usize, 2 * node + 1, 2 * node + 2))
    }
    fn cover(&self, node: usize) -> f64 {
        self.covers[node]
    }
    fn goes_left(&self, node: usize, row: ArrayView1<'_, f64>) -> bool {
        self.question(node)
            .is_some_and(|(column, border)| known(row[column as usize]) <= border)
    }
    fn answer(&self, leaf: usize) -> &[f64] {
        let many = self.covers.len() / 2 + 1;
        let width = self.tree.values.len() / many;
        let at = (leaf + 1 - many) * width;
        &self.tree.values[at..at + width]
    }
}

/// A missing value is less than all others.
fn known(v: f64) -> f64 {
    if v.is_nan() { f64::MIN } else { v }
}

/// Fitted state.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    objective: Objective,
    start: Vec<f64>,
    trees: Vec<Tree>,
    classes: Vec<i64>,
    learning_rate: f64,
    importances: Vec<f64>,
    /// The metric that the trees that are kept had on the rows kept aside.
    #[serde(default)]
    best_score: Option<f64>,
    /// Columns of categories as numbers; models saved before there were such have none.
    #[serde(default)]
    encoder: Encoder,
    /// Columns whose missing values are greater than all others.
    #[serde(default)]
    missing_last: Vec<usize>,
}

/// The table with missing values of these columns greater than all others.
fn missing_last<'a>(x: ArrayView2<'a, f64>, columns: &[usize]) -> CowArray<'a, f64, Ix2> {
    if columns.is_empty() {
        return x.into();
    }
    let mut x = x.to_owned();
    for c in columns {
        let mut column = x.column_mut(*c);
        column.mapv_inplace(|v| if v.is_nan() { f64::MAX } else { v });
    }
    x.into()
}

const CARD: Card = Card {
    id: "catboost",
    family: "tree",
    title: "CatBoost",
    tasks: &[Task::Regression, Task::Classification],
    inputs: Inputs::Features,
    summary: "Gradient boosting with oblivious trees: all nodes of a level ask the same question, so a tree is a small table; or, by grow_policy, each node has a question of its own. Questions are judged by a cosine with some noise, rows are weighted anew for each tree, and ordered boosting keeps a row out of its own gradient.",
    formula: "question of a level: the (column, border) that maximises Σ_leaves ḡG / √Σ_leaves ḡ²W + noise, ḡ = G/(W + l2), G = Σ w·(-∂L/∂f), W = Σ w; leaves: learning_rate · G/(H + l2), Newton steps over all rows (of more than two labels with the second derivatives across them), or G/(W + l2), or the constant that lowers the loss most; l2 = l2_leaf_reg · mean weight; grow_policy Depthwise and Lossguide: the same over the two sides of a node, asked where it is better than that of the node as it is; monotone_constraints: ḡ and the values of leaves made to rise by isotonic regression along the questions of such columns, and the sum of trees shrunk by 1 - model_shrink_rate · learning_rate before each tree; borders: bins halved greedily for the largest Σ ln(rows)",
    data: "Any table of numbers; NaN is a missing value, less than all others, or by nan_mode greater; scale and monotone changes of a column do not matter.",
    cost: "fit O(T p n depth), predict O(rows · T · depth)",
    fails_when: "Rows are few and trees are many or deep.",
    not_claimed: "That weights of rows count in leaves by Exact (MAE, Quantile, MAPE, LogCosh): as in the program, they choose the questions and the start only; leaf_estimation_method Gradient minds them. AUC of more than two labels as eval_metric, and LogCosh. The draws of the program, which come from another stream, or its combinations of columns of categories: each column has statistics of its own here. With Depthwise and Lossguide the program's SHAP values do not add up to its prediction where a node has a leaf on one side only: they do here. Which of several questions that are equally good but for rounding is asked, as happens in nodes of few rows, is as in the program on one thread and up to 10,000 rows; on more, it adds up blocks that its threads share out.",
    source: "L. Prokhorenkova, G. Gusev, A. Vorobev, A. Dorogush, A. Gulin, CatBoost: unbiased boosting with categorical features, NeurIPS (2018)",
    reference: "catboost 1.2.10, CatBoostRegressor and CatBoostClassifier",
    outputs: &[
        (
            "decision",
            "labels: sum of the trees of each test row, for two labels the log odds of the larger one, else by label",
        ),
        (
            "feature_importances",
            "share of the change of the leaf values that each column's questions make, one a column, sum 1",
        ),
        ("n_estimators", "trees that are kept"),
        ("learning_rate", "the rate that was used"),
        (
            "best_score",
            "eval_metric of the trees that are kept on the rows kept aside; empty without early stopping",
        ),
    ],
    stochastic: true,
    evidence: &[
        Evidence {
            against: "catboost 1.2.10, 20 refits",
            cases: "catboost-spx-reg, catboost-aapl-reg, catboost-spx-cls",
            tolerance: "figures within three standard deviations, correlation of predictions 0.9",
        },
        Evidence {
            against: "catboost 1.2.10, without draws",
            cases: "tests of this entry: every loss, leaves by Newton, Gradient and Exact (with and without weights), with and without backtracking, which of equally good questions is asked; and comparisons of 600 fits of symmetric trees to random tables of at most 240 rows (15 losses, up to 25 trees of up to 8 levels, each way to set leaves in up to 10 steps, weights, both score functions) and of 24 of 50 trees to 1,500 to 12,000 rows",
            tolerance: "predictions and probabilities 1e-6; all of the comparisons within 1e-9",
        },
        Evidence {
            against: "catboost 1.2.10, grow_policy Depthwise and Lossguide without draws",
            cases: "a test of this entry: RMSE, MAE, Huber, Logloss and MultiClass, both score functions, max_leaves, min_data_in_leaf, weights, importances, SHAP values; and comparisons of 1,600 fits to random tables of at most 240 rows: 15 losses, up to 25 trees of up to 8 levels, each way to set leaves in up to 10 steps, weights, both score functions, min_data_in_leaf",
            tolerance: "1e-6; importances 1e-7; all of the comparisons within 1e-9",
        },
        Evidence {
            against: "catboost 1.2.10, monotone_constraints and model_shrink_rate without draws",
            cases: "a test of this entry: RMSE, MAE, Logloss and Poisson, both score functions, several steps of the leaves, weights, both model_shrink_mode; and a comparison of 346 fits to random tables: 13 losses, up to 25 trees of up to 8 levels",
            tolerance: "1e-6; of the comparison all but one whose sums overflow within 1e-9",
        },
        Evidence {
            against: "catboost 1.2.10, feature_weights without draws",
            cases: "a test of this entry; and a comparison of 599 fits by all three grow_policy to random tables",
            tolerance: "1e-9",
        },
        Evidence {
            against: "catboost 1.2.10, parameters at random without draws",
            cases: "benches/peers/catalogue_trees.py: 296 of 300 cases (400 of each of the seeds 1, 2 and 3, of four programs); one is apart (columns of both signs, 3e-3), and 3 constant columns are refused there",
            tolerance: "predictions, probabilities and decision values 1e-5 of the largest",
        },
        Evidence {
            against: "catboost 1.2.10, feature_border_type GreedyLogSum",
            cases: "a test of crates/catalogue/src/tree/log_sum.rs: which values share a bin",
            tolerance: "the same",
        },
        Evidence {
            against: "catboost 1.2.10, early stopping without draws",
            cases: "a test of this entry: eval_metric, class_weights, auto_class_weights and scale_pos_weight, with weights; and a comparison of 206 fits, with and without weights: each eval_metric with the losses it is for",
            tolerance: "the same rounds, the score 1e-6 (in the comparison score and predictions 1e-5)",
        },
    ],
    presets: &[],
    exemptions: &[],
};

impl CatBoostParams {
    fn loss(&self, classes: usize) -> Result<Objective, ParamError> {
        let default = match classes {
            0 => Loss::Rmse,
            2 => Loss::Logloss,
            _ => Loss::MultiClass,
        };
        let goal = self.loss_function.unwrap_or(Goal {
            loss: default,
            given: None,
        });
        let loss = goal.loss;
        let own = |apart: f64| goal.given.unwrap_or(apart);
        let two = matches!(loss, Loss::Logloss | Loss::CrossEntropy);
        let labels = two || matches!(loss, Loss::MultiClass | Loss::MultiClassOneVsAll);
        if labels != (classes > 0) || (two && classes > 2) {
            return Err(ParamError {
                field: "loss_function".into(),
                reason: match classes {
                    0 => "does not fit regression: Logloss, CrossEntropy, MultiClass and MultiClassOneVsAll are for labels",
                    2 => "does not fit two labels: use Logloss, CrossEntropy, MultiClass or MultiClassOneVsAll",
                    _ => "does not fit more than two labels: use MultiClass or MultiClassOneVsAll",
                }
                .into(),
                suggestions: Vec::new(),
            });
        }
        Ok(match loss {
            Loss::Rmse => Objective::Squared,
            // As the program has it, with half the slope.
            Loss::Mae => Objective::Quantile(0.5),
            Loss::Quantile => Objective::Quantile(own(self.alpha)),
            Loss::Mape => Objective::Mape,
            Loss::Huber => Objective::Huber(own(self.delta)),
            Loss::Expectile => Objective::Expectile(own(self.alpha)),
            Loss::Lq => Objective::Power(own(self.q)),
            Loss::LogCosh => Objective::LogCosh,
            Loss::Poisson => Objective::Poisson(0.0),
            Loss::Tweedie => Objective::Tweedie(own(self.variance_power)),
            Loss::Logloss | Loss::CrossEntropy => Objective::Logistic,
            Loss::MultiClass => Objective::Softmax(1.0),
            Loss::MultiClassOneVsAll => Objective::OneVsAll,
        })
    }

    /// What early stopping looks at.
    fn metric(&self, objective: Objective, labels: usize) -> Result<Metric, ParamError> {
        let Some(EvalMetric { figure, given }) = self.eval_metric else {
            return Ok(match objective {
                Objective::Squared => Metric::RootSquaredError,
                // The program's MAE is not halved.
                Objective::Quantile(_) if self.is_mae() => Metric::QuantileBeyond(0.5, 2.0, NEAR),
                Objective::Quantile(share) => Metric::QuantileBeyond(share, 1.0, NEAR),
                Objective::Logistic | Objective::Softmax(_) => Metric::LogLoss(f64::MIN_POSITIVE),
                _ => Metric::Loss,
            });
        };
        let own = |apart: f64| given.unwrap_or(apart);
        let metric = match figure {
            Figure::Rmse => Metric::RootSquaredError,
            Figure::Mae => Metric::QuantileBeyond(0.5, 2.0, NEAR),
            Figure::Mape => Metric::PercentageError(1.0),
            Figure::Smape => Metric::SymmetricPercentageError,
            Figure::R2 => Metric::R2,
            Figure::Msle => Metric::SquaredLogError,
            Figure::Quantile => Metric::QuantileBeyond(own(self.alpha), 1.0, NEAR),
            Figure::Huber => Metric::LossOfAnswer(Objective::Huber(own(self.delta))),
            Figure::Expectile => Metric::LossOfAnswer(Objective::Expectile(own(self.alpha))),
            Figure::Lq => Metric::LossOfAnswer(Objective::Power(own(self.q))),
            Figure::Poisson => Metric::LossOfSum(Objective::Poisson(0.0)),
            Figure::Tweedie => Metric::LossOfSum(Objective::Tweedie(own(self.variance_power))),
            Figure::Logloss | Figure::CrossEntropy | Figure::MultiClass => {
                Metric::LogLoss(f64::MIN_POSITIVE)
            }
            Figure::MultiClassOneVsAll => Metric::OneVsAllLoss,
            Figure::Accuracy => Metric::Accuracy,
            Figure::ZeroOneLoss => Metric::Error(0.5),
            Figure::Auc => Metric::Auc { weighed: false },
            Figure::BalancedAccuracy => Metric::BalancedAccuracy,
            Figure::Precision => Metric::Precision,
            Figure::Recall => Metric::Recall,
            Figure::F1 => Metric::F1,
            Figure::TotalF1 => Metric::F1Weighted,
            Figure::Mcc => Metric::Mcc,
            Figure::Brier => Metric::Brier,
        };
        let many = matches!(objective, Objective::Softmax(_) | Objective::OneVsAll);
        let of_two = matches!(
            figure,
            Figure::Logloss
                | Figure::CrossEntropy
                | Figure::Auc
                | Figure::BalancedAccuracy
                | Figure::Precision
                | Figure::Recall
                | Figure::F1
                | Figure::Brier
        );
        let of_many = matches!(figure, Figure::MultiClass | Figure::MultiClassOneVsAll);
        let other = matches!(
            (figure, objective),
            (Figure::MultiClass, Objective::OneVsAll)
                | (Figure::MultiClassOneVsAll, Objective::Softmax(_))
        );
        if labels > 0 && ((of_two && many) || (of_many && !many) || other) {
            return Err(ParamError {
                field: "eval_metric".into(),
                reason: "this does not fit loss_function: one share of two labels is needed, or a sum a label".into(),
                suggestions: Vec::new(),
            });
        }
        metric.checked("eval_metric", labels)
    }

    fn is_mae(&self) -> bool {
        self.loss_function
            .is_some_and(|goal| goal.loss == Loss::Mae)
    }

    /// Weights of all rows: their own times that of their label.
    fn weights(&self, data: &Training, kept: &[usize]) -> Result<Vec<f64>, ParamError> {
        let n = data.y().len();
        let mut weights = data.weights().map_or_else(|| vec![1.0; n], <[f64]>::to_vec);
        let refused = |field: &str, reason: String| {
            Err(ParamError {
                field: field.into(),
                reason,
                suggestions: Vec::new(),
            })
        };
        let Some(labels) = data.labels() else {
            return Ok(weights);
        };
        let given = [
            ("class_weights", self.class_weights.is_some()),
            ("auto_class_weights", self.auto_class_weights.is_some()),
            ("scale_pos_weight", self.scale_pos_weight != 1.0),
        ];
        let mut given = given.iter().filter(|g| g.1).map(|g| g.0);
        if let (Some(one), Some(other)) = (given.next(), given.next()) {
            return refused(other, format!("does not go beside {one}: give one of them"));
        }
        let k = labels.classes.len();
        let mut factors = vec![1.0; k];
        if let Some(ClassWeights(all)) = &self.class_weights {
            if all.iter().all(|(l, _)| l.is_none()) && all.len() != k {
                let many = all.len();
                return refused("class_weights", format!("{many} weights for {k} labels"));
            }
            for (at, (label, weight)) in all.iter().enumerate() {
                let found = match label {
                    None => Some(at),
                    Some(label) => labels.classes.iter().position(|c| c == label),
                };
                match found {
                    Some(found) => factors[found] = *weight,
                    None => {
                        let label = label.unwrap_or_default();
                        return refused("class_weights", format!("there is no label {label}"));
                    }
                }
            }
        } else if let Some(auto) = self.auto_class_weights {
            let mut sums = vec![0.0; k];
            for i in kept {
                sums[labels.codes[*i]] += weights[*i];
            }
            // As the program, which keeps whole numbers.
            for sum in sums.iter_mut().filter(|s| **s >= 1.0) {
                *sum = sum.floor();
            }
            let most = sums.iter().copied().fold(0.0, f64::max);
            for (factor, sum) in factors.iter_mut().zip(sums) {
                if sum > 0.0 {
                    *factor = match auto {
                        AutoClassWeights::Balanced => most / sum,
                        AutoClassWeights::SqrtBalanced => (most / sum).sqrt(),
                    };
                }
            }
        } else if k == 2 {
            factors[1] = self.scale_pos_weight;
        } else if self.scale_pos_weight != 1.0 {
            return refused("scale_pos_weight", "is for two labels".into());
        }
        for (w, code) in weights.iter_mut().zip(&labels.codes) {
            *w *= factors[*code];
        }
        if kept.iter().all(|i| weights[*i] == 0.0) {
            return refused("class_weights", "every row is left with weight 0".into());
        }
        Ok(weights)
    }

    /// Refuses what does not go with the way trees grow.
    fn fits_policy(&self) -> Result<(), ParamError> {
        let refused = |field: &str, reason: &str| {
            Err(ParamError {
                field: field.into(),
                reason: reason.into(),
                suggestions: Vec::new(),
            })
        };
        if self.max_leaves.is_some() && self.grow_policy != Policy::Lossguide {
            return refused(
                "max_leaves",
                "is for grow_policy Lossguide: leave it out, or set grow_policy to Lossguide",
            );
        }
        if self.boosting_type == Boosting::Ordered && self.grow_policy != Policy::SymmetricTree {
            return refused(
                "boosting_type",
                "Ordered is for grow_policy SymmetricTree: set boosting_type to Plain, or grow_policy to SymmetricTree",
            );
        }
        Ok(())
    }

    /// What the sum of trees is multiplied by before the tree of a round.
    fn shrinkage(&self, round: usize, rate: f64) -> Result<f64, ParamError> {
        // The program keeps it in single precision.
        let default = if self.has_signs() { 0.01 } else { 0.0 };
        let by = f64::from(self.model_shrink_rate.unwrap_or(default) as f32);
        let (share, limit) = match self.model_shrink_mode {
            Shrinking::Constant => (by * rate, by * rate),
            Shrinking::Decreasing => (by / round.max(1) as f64, by),
        };
        if limit >= 1.0 {
            return Err(ParamError {
                field: "model_shrink_rate".into(),
                reason: "nothing would be left: it must be below 1, with model_shrink_mode Constant times learning_rate".into(),
                suggestions: Vec::new(),
            });
        }
        Ok(if round == 0 { 1.0 } else { 1.0 - share })
    }

    fn has_signs(&self) -> bool {
        let given = self.monotone_constraints.as_ref();
        given.is_some_and(|signs| signs.iter().any(|s| *s != 0))
    }

    /// The sign of each column; none where no column has one.
    fn signs(
        &self,
        classes: usize,
        columns: usize,
        cat_features: &[usize],
    ) -> Result<Vec<i64>, ParamError> {
        let field = "monotone_constraints";
        let signs = boost::signs(field, self.monotone_constraints.as_deref(), columns)?;
        if !self.has_signs() {
            return Ok(Vec::new());
        }
        let reason = if self.grow_policy != Policy::SymmetricTree {
            "are for grow_policy SymmetricTree: leave them out, or set grow_policy to SymmetricTree"
        } else if classes > 2
            || self
                .loss_function
                .is_some_and(|g| matches!(g.loss, Loss::MultiClass | Loss::MultiClassOneVsAll))
        {
            "are for numbers and two labels with one sum of trees: leave them out of MultiClass and MultiClassOneVsAll"
        } else if cat_features.iter().any(|j| signs[*j] != 0) {
            "are for columns of numbers: a column of cat_features must have 0"
        } else {
            return Ok(signs);
        };
        Err(ParamError {
            field: field.into(),
            reason: reason.into(),
            suggestions: Vec::new(),
        })
    }

    /// The factor of each column of a table, by the columns these come from.
    fn factors(&self, columns: usize, origins: &[usize]) -> Result<Vec<f64>, ParamError> {
        let given = self.feature_weights.as_deref().unwrap_or_default();
        if given.len() > columns {
            return Err(ParamError {
                field: "feature_weights".into(),
                reason: format!("{} factors for {columns} columns", given.len()),
                suggestions: Vec::new(),
            });
        }
        // The program keeps them in single precision.
        let factor = |j: &usize| given.get(*j).map_or(1.0, |w| single(*w));
        Ok(origins.iter().map(factor).collect())
    }

    /// How leaves are found, and in how many steps.
    fn leaves(&self, objective: Objective) -> Result<(Leaves, usize), ParamError> {
        let exact = matches!(
            objective,
            Objective::Quantile(_) | Objective::Mape | Objective::LogCosh
        );
        let flat = matches!(objective, Objective::Quantile(_) | Objective::Mape)
            || matches!(objective, Objective::Power(q) if q < 2.0);
        let default = match objective {
            Objective::Quantile(_) | Objective::Mape if self.has_signs() => Leaves::Gradient,
            _ if exact => Leaves::Exact,
            _ if flat => Leaves::Gradient,
            _ => Leaves::Newton,
        };
        let method = self.leaf_estimation_method.unwrap_or(default);
        let refused = match method {
            Leaves::Exact if !exact => "Exact is for Quantile, MAE, MAPE and LogCosh",
            Leaves::Exact if self.has_signs() => {
                "Exact does not go with monotone_constraints: set it to Gradient"
            }
            Leaves::Newton if flat => {
                "Newton needs second derivatives, which Quantile, MAE, MAPE and Lq with q below 2 do not have"
            }
            _ => "",
        };
        if !refused.is_empty() {
            return Err(ParamError {
                field: "leaf_estimation_method".into(),
                reason: refused.into(),
                suggestions: Vec::new(),
            });
        }
        let default = match (method, objective) {
            _ if self.n_estimators < 200 => 1,
            (Leaves::Newton, Objective::Logistic | Objective::Poisson(_)) => 10,
            (Leaves::Newton, Objective::Expectile(_)) => 5,
            (Leaves::Gradient, Objective::Logistic) => 40,
            (
                Leaves::Gradient,
                Objective::Softmax(_) | Objective::OneVsAll | Objective::Expectile(_),
            ) => 10,
            _ => 1,
        };
        let steps = self.leaf_estimation_iterations.unwrap_or(default);
        Ok((method, steps))
    }

    /// The rate that the program chooses: exp(a ln n + b ln T + c), at most 0.5.
    fn rate(&self, objective: Objective, n: usize) -> f64 {
        let (a, b, c) = match objective {
            _ if self.learning_rate.is_some() => return self.learning_rate.unwrap_or(0.03),
            Objective::Squared => (0.158, -0.813, -4.287),
            Objective::Logistic => (0.427, -0.917, -7.525),
            Objective::Softmax(_) => (0.051, -0.845, -2.889),
            _ => return 0.03,
        };
        let rounds = self.n_estimators as f64 / 1000.0;
        let rate = a * (n as f64).ln() + b * rounds.ln() + c;
        (rate.exp().min(0.5) * 1e6).round() / 1e6
    }
}

/// Shares of the labels, from the sum of trees of each.
fn label_shares(objective: Objective, sums: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    match objective {
        Objective::OneVsAll => sums.map(|f| objective.answer(f)).collect(),
        _ => softmax(sums),
    }
}

/// Rows a model has seen (the first so many of an order), rows it judges (the following ones), and
/// its sums.
struct Part {
    seen: Vec<u32>,
    /// Of each row, whether it is seen and whether it is judged.
    marks: Vec<(bool, bool)>,
    f: Vec<Vec<f64>>,
}

impl Part {
    fn new(n: usize, seen: Vec<u32>, judged: &[u32], f: Vec<Vec<f64>>) -> Self {
        let mut marks = vec![(false, false); n];
        seen.iter().for_each(|i| marks[*i as usize].0 = true);
        judged.iter().for_each(|i| marks[*i as usize].1 = true);
        Self { seen, marks, f }
    }

    fn has(&self, i: usize) -> (bool, bool) {
        self.marks[i]
    }

    /// Its rows, with their marks.
    fn rows(&self) -> impl Iterator<Item = (usize, bool, bool)> {
        let marks = self.marks.iter().enumerate();
        marks.filter_map(|(i, (s, j))| (*s || *j).then_some((i, *s, *j)))
    }
}

/// Sums of gradients and weights of a side: of the rows that were seen, and of those judged.
#[derive(Debug, Clone, Copy, Default)]
struct Side {
    seen: (f64, f64),
    judged: (f64, f64),
    rows: usize,
}

impl Side {
    /// Sums of a bin whose rows are seen and judged, which counts as a row, so that what rounding leaves of
    /// bins stays.
    fn of(g: f64, w: f64) -> Self {
        Self {
            seen: (g, w),
            judged: (g, w),
            rows: 1,
        }
    }

    fn take(&mut self, row: (f64, f64), is_seen: bool, is_judged: bool) {
        if is_seen {
            self.seen = (self.seen.0 + row.0, self.seen.1 + row.1);
        }
        if is_judged {
            self.judged = (self.judged.0 + row.0, self.judged.1 + row.1);
        }
        self.rows += 1;
    }

    fn less(&self, other: &Self) -> Self {
        if self.rows == other.rows {
            // Nothing is left, whatever rounding says.
            return Self::default();
        }
        let less = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0, a.1 - b.1);
        Self {
            seen: less(self.seen, other.seen),
            judged: less(self.judged, other.judged),
            rows: self.rows - other.rows,
        }
    }

    /// Both together.
    fn with(&self, other: &Self) -> Self {
        let both = |a: (f64, f64), b: (f64, f64)| (a.0 + b.0, a.1 + b.1);
        Self {
            seen: both(self.seen, other.seen),
            judged: both(self.judged, other.judged),
            rows: self.rows + other.rows,
        }
    }

    /// The mean of those seen.
    fn mean(&self, l2: f64) -> f64 {
        if self.seen.1 <= 1e-12 {
            return 0.0;
        }
        self.seen.0 * (1.0 / (self.seen.1 + l2))
    }

    /// What it adds to the two halves of a cosine.
    fn worth(&self, l2: f64) -> (f64, f64) {
        if self.seen.1 <= 1e-12 {
            return (0.0, 0.0);
        }
        let mean = self.seen.0 / (self.seen.1 + l2);
        (mean * self.judged.0, mean * mean * self.judged.1)
    }
}

/// A leaf on the walk along a column.
struct Walk {
    left: Side,
    /// What both its sides add at the cut that was passed last.
    worth: (f64, f64),
    bin: usize,
}

/// Where the sums of a group of rows come from.
#[derive(Clone, Copy)]
enum Origin {
    /// Its rows.
    Rows,
    /// A group of the level before, which was not parted.
    Same(usize),
    /// A group of the level before less the other half of it.
    Rest(usize, usize),
}

/// The rows of a tree that have a weight, grouped by leaf, and sums of weighted gradients and of
/// weights by column, group, sum of trees and bin. As in the program those on the side of the last
/// question with more rows are those of the whole less those on the other side, unless there are many
/// sums: which of several questions that are equally good is asked may hang on how they are rounded.
struct Groups<'a> {
    weights: &'a [f64],
    g: &'a [Vec<f64>],
    rows: Vec<u32>,
    /// Weighted gradient and weight of those rows, by sum of trees; set where rows are added up.
    pairs: Vec<Vec<[f64; 2]>>,
    /// Room to part rows.
    right: Vec<u32>,
    spans: Vec<(usize, usize)>,
    origins: Vec<Origin>,
    /// The leaf that each group is, and the groups by ascending leaf.
    leaves: Vec<u32>,
    order: Vec<usize>,
    /// Whether sums of the level before are used again.
    subtracts: bool,
    /// Whether leaves without rows are groups too: what rounding leaves of their gradients.
    has_empty: bool,
    level: usize,
    /// By column, with the level they are of.
    sums: Vec<(usize, Vec<[f64; 2]>)>,
    /// Those of the level before, which become room for new ones.
    spare: Vec<Vec<[f64; 2]>>,
}

/// From so many leaves of a full tree times sums of trees on the program adds up rows anew on each level.
const FEW_SUMS: usize = 640;

/// Sums that are kept for the largest column times the number of columns: 64 MiB.
const KEPT_SUMS: usize = 1 << 22;

impl<'a> Groups<'a> {
    fn new(
        weights: &'a [f64],
        g: &'a [Vec<f64>],
        columns: usize,
        depth: usize,
        has_empty: bool,
    ) -> Self {
        let rows = (0..weights.len() as u32).filter(|i| weights[*i as usize] > 0.0);
        let rows: Vec<u32> = rows.collect();
        let mut all = Self {
            weights,
            g,
            spans: vec![(0, rows.len())],
            pairs: vec![vec![[0.0; 2]; rows.len()]; g.len()],
            right: Vec::new(),
            rows,
            origins: vec![Origin::Rows],
            leaves: vec![0],
            order: vec![0],
            subtracts: (1 << depth) * g.len() < FEW_SUMS,
            has_empty,
            level: 0,
            sums: vec![(usize::MAX, Vec::new()); columns],
            spare: vec![Vec::new(); columns],
        };
        all.gather();
        all
    }

    /// Puts the pairs of the rows that are added up where these are.
    fn gather(&mut self) {
        let added = self.origins.iter().zip(&self.spans);
        for (_, (start, end)) in added.filter(|(from, _)| matches!(from, Origin::Rows)) {
            let rows = &self.rows[*start..*end];
            for (g, pairs) in self.g.iter().zip(&mut self.pairs) {
                for (row, pair) in rows.iter().zip(&mut pairs[*start..*end]) {
                    let w = self.weights[*row as usize];
                    *pair = [w * g[*row as usize], w];
                }
            }
        }
    }

    fn fits(&self, binned: &Binned) -> bool {
        let bins: usize = (0..binned.columns()).map(|c| binned.cuts(c) + 1).sum();
        self.spans.len() * self.g.len() * bins <= KEPT_SUMS
    }

    /// Room for the sums of a column, which the thread that hands out work gets: what another one gets for
    /// itself is kept for that one.
    fn room(&mut self, binned: &Binned, column: usize) -> Vec<[f64; 2]> {
        let size = self.spans.len() * self.g.len() * (binned.cuts(column) + 1);
        let mut room = std::mem::take(&mut self.spare[column]);
        room.clear();
        room.reserve_exact(size);
        room
    }

    /// The sums of a column on this level.
    fn sums(&self, binned: &Binned, column: usize, mut sums: Vec<[f64; 2]>) -> Vec<[f64; 2]> {
        let bins = binned.cuts(column) + 1;
        let size = bins * self.g.len();
        let (level, before) = &self.sums[column];
        let follows = level.wrapping_add(1) == self.level;
        sums.resize(self.spans.len() * size, [0.0; 2]);
        let mut own = Vec::new();
        for (k, (span, origin)) in self.spans.iter().zip(&self.origins).enumerate() {
            let gathered = matches!(origin, Origin::Rows);
            if follows && !gathered {
                continue;
            }
            let cells = &mut sums[k * size..(k + 1) * size];
            let rows = &self.rows[span.0..span.1];
            for (j, cells) in cells.chunks_exact_mut(bins).enumerate() {
                let pairs = if gathered {
                    &self.pairs[j][span.0..span.1]
                } else {
                    // The column was not looked at on the level before.
                    own.clear();
                    own.extend(rows.iter().map(|row| {
                        let w = self.weights[*row as usize];
                        [w * self.g[j][*row as usize], w]
                    }));
                    &own
                };
                binned.add(column, rows, pairs, cells);
            }
        }
        if !follows {
            return sums;
        }
        for (k, origin) in self.origins.iter().enumerate() {
            match *origin {
                Origin::Rows => {}
                Origin::Same(of) => {
                    sums[k * size..(k + 1) * size]
                        .copy_from_slice(&before[of * size..(of + 1) * size]);
                }
                Origin::Rest(of, other) => {
                    for i in 0..size {
                        let (a, b) = (before[of * size + i], sums[other * size + i]);
                        let w = a[1] - b[1];
                        // What rounding leaves of no weight is none.
                        let w = if w > 1e-12 * a[1] { w } else { 0.0 };
                        sums[k * size + i] = [a[0] - b[0], w];
                    }
                }
            }
        }
        sums
    }

    fn keep(&mut self, column: usize, sums: Vec<[f64; 2]>) {
        let (_, before) = std::mem::replace(&mut self.sums[column], (self.level, sums));
        self.spare[column] = before;
    }

    /// Parts every group by the question of a bit of the leaves' numbers.
    fn part(&mut self, leaf: &[u32], bit: u32) {
        let is_right = |row: u32| leaf[row as usize] & bit != 0;
        let mut parted = Vec::with_capacity(self.spans.len());
        let mut right = 0;
        for (start, end) in self.spans.iter().copied() {
            let rows = &mut self.rows[start..end];
            let kept = start + part_by(rows, &mut self.right, |row| !is_right(row));
            right += end - kept;
            parted.push((start, kept, end));
        }
        // All groups add up the rows of the same side, the one with fewer rows in all.
        let adds_right = 2 * right <= self.rows.len();
        let adds = |side: bool| !self.subtracts || side == adds_right;
        let (mut spans, mut origins, mut leaves) = (Vec::new(), Vec::new(), Vec::new());
        for (of, (start, kept, end)) in parted.into_iter().enumerate() {
            let is_parted = self.has_empty || (kept > start && kept < end);
            let at = spans.len();
            for (side, span) in [(false, (start, kept)), (true, (kept, end))] {
                if span.0 == span.1 && !self.has_empty {
                    continue;
                }
                spans.push(span);
                leaves.push(self.leaves[of] | if side { bit } else { 0 });
                origins.push(match (adds(side), is_parted) {
                    (true, _) => Origin::Rows,
                    (false, true) => Origin::Rest(of, at + usize::from(!side)),
                    (false, false) => Origin::Same(of),
                });
            }
        }
        (self.spans, self.origins, self.leaves) = (spans, origins, leaves);
        self.order = (0..self.spans.len()).collect();
        self.order.sort_unstable_by_key(|k| self.leaves[*k]);
        self.level += 1;
        self.gather();
    }
}

/// What the threads that judge the columns of a level look at.
struct Level<'a> {
    columns: Vec<usize>,
    groups: Option<Groups<'a>>,
    /// Leaves with rows, numbered one after another, row by row, and how many there are.
    slot: Vec<u32>,
    occupied: usize,
    /// With signs of columns: the leaf of each row, and the signs of the questions so far.
    leaf: Vec<u32>,
    tree: Vec<i64>,
}

impl Level<'_> {
    fn number(&mut self, leaf: &[u32], level: usize) {
        let mut numbers = vec![u32::MAX; 1 << level];
        self.occupied = 0;
        self.slot.clear();
        for l in leaf {
            let number = &mut numbers[*l as usize];
            if *number == u32::MAX {
                *number = self.occupied as u32;
                self.occupied += 1;
            }
            self.slot.push(*number);
        }
    }
}

/// The first question that parts no rows which the others do not part, as the program looks for it after
/// each question.
fn redundant(leaf: &[u32], questions: usize) -> Option<usize> {
    let mut filled = vec![false; 1 << questions];
    leaf.iter().for_each(|l| filled[*l as usize] = true);
    (0..questions).find(|k| {
        let bit = 1 << k;
        (0..filled.len()).all(|l| l & bit != 0 || !filled[l] || !filled[l | bit])
    })
}

/// Numbers leaves without the answer to a question.
fn drop_bit(leaf: &mut [u32], question: usize) {
    let low = (1 << question) - 1;
    for l in leaf {
        *l = *l & low | (*l >> 1) & !low;
    }
}

/// What a fit holds while it grows trees.
struct Maker<'a> {
    params: &'a CatBoostParams,
    objective: Objective,
    rows: &'a Rows<'a>,
    binned: &'a Binned,
    /// Rows of each column by ascending bin; found when they are asked for.
    orders: OnceLock<Vec<Vec<u32>>>,
    l2: f64,
    rate: f64,
    leaves: (Leaves, usize),
    /// Of each column of numbers, whether answers rise (1) or fall (-1) with it; none without such columns.
    signs: Vec<i64>,
    /// Of each column, what its gains are multiplied by.
    factors: Vec<f64>,
    random: Xoshiro256PlusPlus,
}

impl Maker<'_> {
    /// The rows by ascending bin of a column.
    fn order(&self, column: usize) -> &[u32] {
        let all = self.orders.get_or_init(|| {
            let columns = 0..self.binned.columns();
            columns.map(|c| self.binned.order(c)).collect()
        });
        &all[column]
    }

    /// Weights of the rows for one tree.
    fn bootstrap(&mut self, slopes: &Slopes) -> Vec<f64> {
        let n = self.rows.y.len();
        let share = self.params.subsample;
        let default = if slopes.g.len() > 1 {
            Bootstrap::Bayesian
        } else {
            Bootstrap::Mvs
        };
        let random = &mut self.random;
        let mut weights = self.rows.w.clone();
        match self.params.bootstrap_type.unwrap_or(default) {
            Bootstrap::No => {}
            Bootstrap::Bernoulli => weights.iter_mut().for_each(|w| {
                if random.r#gen::<f64>() >= share {
                    *w = 0.0;
                }
            }),
            Bootstrap::Bayesian => weights.iter_mut().for_each(|w| {
                let u: f64 = 1.0 - random.r#gen::<f64>();
                *w *= (-u.ln()).powf(self.params.bagging_temperature);
            }),
            Bootstrap::Mvs if share < 1.0 => {
                // Sizes √(g² + λ), λ the squared mean size; the threshold makes the expected
                // number of rows the share.
                let square = |i: usize| slopes.g.iter().map(|g| g[i] * g[i]).sum::<f64>();
                let mean = (0..n).map(|i| square(i).sqrt()).sum::<f64>() / n as f64;
                let sizes: Vec<f64> = (0..n).map(|i| (square(i) + mean * mean).sqrt()).collect();
                let limit = mvs_limit(&sizes, share * n as f64);
                for (w, size) in weights.iter_mut().zip(sizes) {
                    let p = if limit > 0.0 {
                        (size / limit).min(1.0)
                    } else {
                        1.0
                    };
                    *w = if random.r#gen::<f64>() < p {
                        *w / p
                    } else {
                        0.0
                    };
                }
            }
            Bootstrap::Mvs => {}
        }
        weights
    }

    /// The noise of a score: it has the size of the gradients and fades as the model grows.
    fn noise(&self, round: usize, slopes: &Slopes) -> f64 {
        let n = self.binned.rows() as f64;
        let square: f64 = slopes.g.iter().flatten().map(|g| g * g).sum();
        let left = (n.ln() - round as f64 * self.rate).exp();
        self.params.random_strength * (square / n).sqrt() * (left / (1.0 + left))
    }

    /// The places of columns in the order in which the best one is looked for: the program does so last among
    /// those with one cut.
    fn judged_in_turn(&self, columns: &[usize]) -> Vec<usize> {
        let mut places: Vec<usize> = (0..columns.len()).collect();
        places.sort_by_key(|k| self.binned.cuts(columns[*k]) == 1);
        places
    }

    /// The columns that are looked at once.
    fn looked_at(&self, random: &mut Xoshiro256PlusPlus) -> Vec<usize> {
        let p = self.binned.columns();
        let mut columns: Vec<usize> = (0..p).collect();
        if self.params.rsm < 1.0 {
            columns.shuffle(random);
            columns.truncate(((p as f64 * self.params.rsm).ceil() as usize).max(1));
            columns.sort_unstable();
        }
        columns
    }

    /// Questions of a tree, and the leaf of every row.
    fn questions(&mut self, round: usize, parts: &[Part]) -> (Vec<(u32, f64)>, Vec<u32>) {
        let (n, p) = (self.binned.rows(), self.binned.columns());
        let parts: Vec<(&Part, Slopes)> = parts
            .iter()
            .map(|part| (part, slopes(self.objective, self.rows, &part.f)))
            .collect();
        let Some(last) = parts.last() else {
            return (Vec::new(), vec![0; n]);
        };
        let weights = self.bootstrap(&last.1);
        let noise = self.noise(round, &last.1);
        let mut leaf = vec![0_u32; n];
        let mut questions = Vec::new();
        // One part that has seen and judges all rows needs sums by bin only.
        let rises = !self.signs.is_empty();
        let alone = parts.len() == 1 && last.0.seen.len() == n;
        let state = RwLock::new(Level {
            columns: Vec::new(),
            groups: alone.then(|| Groups::new(&weights, &last.1.g, p, self.params.depth, rises)),
            slot: Vec::new(),
            occupied: 0,
            leaf: Vec::new(),
            tree: Vec::new(),
        });
        let mut random = self.random.clone();
        let this = &*self;
        let judge = |(k, room, seed): (usize, Vec<[f64; 2]>, u64)| {
            let now = state.read().unwrap_or_else(PoisonError::into_inner);
            let c = now.columns[k];
            if let Some(groups) = &now.groups {
                let sums = groups.sums(this.binned, c, room);
                let halves = if rises {
                    this.rising_halves(groups, &sums, c, &now.tree)
                } else {
                    this.halves(groups, &sums, c)
                };
                let allowed = this.large_enough(c, now.occupied, &now.slot);
                (
                    sums,
                    best_of(&this.scores_of(&halves, allowed), noise, seed),
                )
            } else if rises {
                let scores = this.rising_scores(c, &now.tree, &now.leaf, &weights, &parts);
                (Vec::new(), best_of(&scores, noise, seed))
            } else {
                let scores = this.scores(c, now.occupied, &now.slot, &weights, &parts);
                (Vec::new(), best_of(&scores, noise, seed))
            }
        };
        threads::team(judge, |team| {
            let mut before = 0.0;
            for level in 0..this.params.depth {
                let columns = this.looked_at(&mut random);
                let jobs = {
                    let mut now = state.write().unwrap_or_else(PoisonError::into_inner);
                    now.columns.clone_from(&columns);
                    if now.groups.as_ref().is_some_and(|g| !g.fits(this.binned)) {
                        now.groups = None;
                    }
                    if rises {
                        now.tree = this.signs_of(&questions);
                        now.leaf.clone_from(&leaf);
                    }
                    if now.groups.is_none() || this.params.min_data_in_leaf > 1 {
                        now.number(&leaf, level);
                    }
                    let mut job = |(k, c): (usize, &usize)| {
                        let groups = now.groups.as_mut();
                        let room = groups.map_or_else(Vec::new, |g| g.room(this.binned, *c));
                        (k, room, random.r#gen())
                    };
                    columns.iter().enumerate().map(&mut job).collect()
                };
                let found = team.run(jobs);
                let mut now = state.write().unwrap_or_else(PoisonError::into_inner);
                let mut best: Option<(f64, f64, usize, usize)> = None;
                let mut scores = Vec::with_capacity(columns.len());
                for (c, (sums, own)) in columns.iter().zip(found) {
                    if let Some(groups) = &mut now.groups {
                        groups.keep(*c, sums);
                    }
                    scores.push(own);
                }
                for k in this.judged_in_turn(&columns) {
                    // The program compares what is gained over the level before, which rounds once more.
                    let Some((score, bin)) = scores[k] else {
                        continue;
                    };
                    let gain = (score - before) * this.factors[columns[k]];
                    if best.is_none_or(|b| gain > b.0) {
                        best = Some((gain, score, columns[k], bin));
                    }
                }
                let Some((_, score, c, bin)) = best else {
                    break;
                };
                before = score;
                questions.push((c as u32, this.binned.bound(c, bin)));
                this.binned.mark(c, bin, 1 << level, &mut leaf);
                // The first question that parts no rows which the others do not part is the last one's end.
                if let Some(k) = redundant(&leaf, questions.len()) {
                    questions.remove(k);
                    drop_bit(&mut leaf, k);
                    break;
                }
                if let Some(groups) = &mut now.groups
                    && level + 1 < this.params.depth
                {
                    groups.part(&leaf, 1 << level);
                }
            }
        });
        self.random = random;
        (questions, leaf)
    }

    /// Both halves of the score of each cut of a column, from the sums of its bins. The leaves are added up
    /// in their order, and rounded, as in the program.
    fn halves(&self, groups: &Groups<'_>, sums: &[[f64; 2]], column: usize) -> Vec<(f64, f64)> {
        let cuts = self.binned.cuts(column);
        let bins = cuts + 1;
        let (many, width) = (groups.spans.len(), groups.g.len());
        debug_assert_eq!(sums.len(), many * width * bins);
        let mut halves = vec![(0.0, 1e-100); cuts];
        let mut sides = vec![([0.0; 2], [0.0; 2]); cuts];
        for k in 0..width {
            for group in &groups.order {
                let at = (group * width + k) * bins;
                self.add_cuts(&sums[at..at + bins], &mut sides, &mut halves);
            }
        }
        halves
    }

    /// Adds what a leaf with sums of these bins is worth to both halves of the score of each cut.
    fn add_cuts(
        &self,
        cells: &[[f64; 2]],
        sides: &mut [([f64; 2], [f64; 2])],
        halves: &mut [(f64, f64)],
    ) {
        let mut right = [0.0; 2];
        for cell in cells {
            right = [right[0] + cell[0], right[1] + cell[1]];
        }
        let mut left = [0.0; 2];
        for (cell, sides) in cells.iter().zip(sides.iter_mut()) {
            left = [left[0] + cell[0], left[1] + cell[1]];
            right = [right[0] - cell[0], right[1] - cell[1]];
            *sides = (left, right);
        }
        // The program adds up both sides of a column with one cut.
        if let ([low, high], [only]) = (cells, &mut *sides) {
            *only = (*low, *high);
        }
        // Apart from the running sums, so that several divisions are done at a time.
        match self.params.score_function {
            Score::Cosine => {
                for ((left, right), halves) in sides.iter().zip(halves) {
                    let (l, r) = (self.worth(*left), self.worth(*right));
                    *halves = (halves.0 + (l.0 + r.0), halves.1 + (l.1 + r.1));
                }
            }
            // The program has no second half here, and adds up the sides one after another.
            Score::L2 => {
                for ((left, right), halves) in sides.iter().zip(halves) {
                    halves.0 = (halves.0 + self.worth(*right).0) + self.worth(*left).0;
                }
            }
        }
    }

    /// What a side adds to the two halves of a score.
    fn worth(&self, [g, w]: [f64; 2]) -> (f64, f64) {
        let mean = g * (1.0 / (w + self.l2));
        let own = (mean * g, mean * mean * w);
        if w <= 1e-12 { (0.0, 0.0) } else { own }
    }

    /// A score from its two halves.
    fn score(&self, halves: (f64, f64)) -> f64 {
        match self.params.score_function {
            Score::Cosine => halves.0 / halves.1.sqrt(),
            Score::L2 => halves.0,
        }
    }

    /// The scores of the cuts that are allowed.
    fn scores_of(&self, halves: &[(f64, f64)], allowed: Vec<bool>) -> Vec<Option<f64>> {
        let each = halves.iter().zip(allowed);
        each.map(|(both, fits)| fits.then(|| self.score(*both)))
            .collect()
    }

    /// The scores of cuts from what changes at each of them.
    fn summed_up(
        &self,
        steps: &[(f64, f64)],
        start: (f64, f64),
        allowed: Vec<bool>,
    ) -> Vec<Option<f64>> {
        let mut sum = start;
        let mut passed = start.1;
        steps
            .iter()
            .zip(allowed)
            .map(|(step, fits)| {
                sum = (sum.0 + step.0, (sum.1 + step.1).max(1e-100));
                passed += step.1.abs();
                fits.then(|| match self.params.score_function {
                    // Of sides whose gradients add up to nothing rounding is left.
                    Score::Cosine if sum.1 <= 1e-13 * passed => 0.0,
                    Score::Cosine => sum.0 / sum.1.sqrt(),
                    Score::L2 => sum.0,
                })
            })
            .collect()
    }

    /// The score of each cut of a column; none where a leaf would be too small.
    ///
    /// Rows are walked by ascending bin. What a leaf adds to the score of a cut changes only after a
    /// bin in which it has rows, so the changes are noted there and summed up over the cuts at the end.
    fn scores(
        &self,
        column: usize,
        leaves: usize,
        leaf: &[u32],
        weights: &[f64],
        parts: &[(&Part, Slopes)],
    ) -> Vec<Option<f64>> {
        let cuts = self.binned.cuts(column);
        let mut steps = vec![(0.0, 0.0); cuts + 1];
        let mut start = (0.0, 1e-100);
        for (part, slopes) in parts {
            for k in 0..slopes.g.len() {
                let mut whole = vec![Side::default(); leaves];
                for (i, is_seen, is_judged) in part.rows() {
                    let row = (weights[i] * slopes.g[k][i], weights[i]);
                    whole[leaf[i] as usize].take(row, is_seen, is_judged);
                }
                let mut walks: Vec<Walk> = whole
                    .iter()
                    .map(|whole| {
                        let worth = whole.worth(self.l2);
                        start = (start.0 + worth.0, start.1 + worth.1);
                        Walk {
                            left: Side::default(),
                            worth,
                            bin: usize::MAX,
                        }
                    })
                    .collect();
                let mut finish = |walk: &mut Walk, whole: &Side| {
                    if walk.bin >= cuts {
                        return;
                    }
                    let (l, r) = (
                        walk.left.worth(self.l2),
                        whole.less(&walk.left).worth(self.l2),
                    );
                    let worth = (l.0 + r.0, l.1 + r.1);
                    let step = &mut steps[walk.bin];
                    step.0 += worth.0 - walk.worth.0;
                    step.1 += worth.1 - walk.worth.1;
                    walk.worth = worth;
                };
                for i in self.order(column).iter().map(|i| *i as usize) {
                    let (is_seen, is_judged) = part.has(i);
                    if !is_seen && !is_judged {
                        continue;
                    }
                    let (l, bin) = (leaf[i] as usize, self.binned.code(column, i));
                    let walk = &mut walks[l];
                    if walk.bin != bin {
                        finish(walk, &whole[l]);
                        walk.bin = bin;
                    }
                    let row = (weights[i] * slopes.g[k][i], weights[i]);
                    walk.left.take(row, is_seen, is_judged);
                }
                for (walk, whole) in walks.iter_mut().zip(&whole) {
                    finish(walk, whole);
                }
            }
        }
        let allowed = self.large_enough(column, leaves, leaf);
        self.summed_up(&steps[..cuts], start, allowed)
    }

    /// Whether each cut of a column leaves enough rows, or none, in each leaf.
    fn large_enough(&self, column: usize, leaves: usize, leaf: &[u32]) -> Vec<bool> {
        let cuts = self.binned.cuts(column);
        let least = self.params.min_data_in_leaf;
        if least <= 1 {
            return vec![true; cuts];
        }
        let small = |k: usize| k > 0 && k < least;
        let mut all = vec![0_usize; leaves];
        leaf.iter().for_each(|l| all[*l as usize] += 1);
        // Leaves with a side that is too small, counted as the walk goes on.
        let mut below = vec![0_usize; leaves];
        let mut bad = (0..leaves).filter(|l| small(all[*l])).count();
        let mut allowed = Vec::with_capacity(cuts);
        let mut rows = self.order(column).iter().peekable();
        for cut in 0..cuts {
            while let Some(i) = rows.next_if(|i| self.binned.code(column, **i as usize) <= cut) {
                let l = leaf[*i as usize] as usize;
                let wrong = |k: usize| small(k) || small(all[l] - k);
                bad -= usize::from(wrong(below[l]));
                below[l] += 1;
                bad += usize::from(wrong(below[l]));
            }
            allowed.push(bad == 0);
        }
        allowed
    }
}

/// The threshold t with Σ min(1, size/t) = wanted, by halving the sizes that may lie on either side of it.
fn mvs_limit(sizes: &[f64], wanted: f64) -> f64 {
    let mut sizes = sizes.to_vec();
    let mut open = &mut sizes[..];
    // Sizes above the threshold, and the sum of those below it.
    let (mut certain, mut rest) = (0, 0.0);
    while !open.is_empty() {
        let middle = open.len() / 2;
        let (below, pivot, above) = open.select_nth_unstable_by(middle, f64::total_cmp);
        let small = below.iter().sum::<f64>() + *pivot;
        let kept = (certain + above.len()) as f64 + (rest + small) / *pivot;
        if *pivot <= 0.0 || kept > wanted {
            rest += small;
            open = above;
        } else {
            certain += above.len() + 1;
            open = below;
        }
    }
    let left = wanted - certain as f64;
    if left > 0.0 { rest / left } else { 0.0 }
}

/// Two standard normal numbers (Marsaglia's polar method).
fn normals(random: &mut Xoshiro256PlusPlus) -> (f64, f64) {
    loop {
        let u = 2.0 * random.r#gen::<f64>() - 1.0;
        let v = 2.0 * random.r#gen::<f64>() - 1.0;
        let s = u * u + v * v;
        if s < 1.0 && s > 0.0 {
            let size = (-2.0 * s.ln() / s).sqrt();
            return (u * size, v * size);
        }
    }
}

/// The best score and its cut after noise is added to each, from a stream of the column's own. Cuts
/// that fall five deviations short are left out: noise makes no difference there that anyone will see.
fn best_of(scores: &[Option<f64>], noise: f64, seed: u64) -> Option<(f64, usize)> {
    let each = || {
        scores
            .iter()
            .enumerate()
            .filter_map(|(k, s)| Some((k, (*s)?)))
    };
    let (first, top) = each().reduce(|a, b| if b.1 > a.1 { b } else { a })?;
    if noise <= 0.0 {
        return Some((top, first));
    }
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let (now, other) = normals(&mut random);
    let mut spare = Some(other);
    let mut best = (top + noise * now, first);
    for (k, score) in each() {
        if k == first || score + 5.0 * noise <= best.0 {
            continue;
        }
        let draw = spare.take().unwrap_or_else(|| {
            let (a, b) = normals(&mut random);
            spare = Some(b);
            a
        });
        let score = score + noise * draw;
        if score > best.0 {
            best = (score, k);
        }
    }
    Some(best)
}

/// Parts of an order, each seen one twice as long as the one before and judging the following rows.
fn ordered(n: usize, start: &[f64], random: &mut Xoshiro256PlusPlus) -> Vec<Part> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    order.shuffle(random);
    let f: Vec<Vec<f64>> = start.iter().map(|s| vec![*s; n]).collect();
    let mut parts = Vec::new();
    let mut seen = (n / 64).max(1);
    while seen < n {
        let end = (2 * seen).min(n);
        let (own, next) = (order[..seen].to_vec(), &order[seen..end]);
        parts.push(Part::new(n, own, next, f.clone()));
        seen = end;
    }
    parts
}

impl Supervised for CatBoost {
    type Params = CatBoostParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;
    const MISSING: bool = true;

    fn fit(params: &CatBoostParams, data: &Training, seed: u64) -> Result<Fitted, FitError> {
        let classes = boost::classes(data)?;
        let objective = params.loss(classes.len())?;
        let leaves = params.leaves(objective)?;
        let metric = params.metric(objective, classes.len())?;
        params.fits_policy()?;
        // Refuses a target that cannot be squared.
        Learned::new(data, Criterion::SquaredError)?;
        let n = data.y().len();
        let (kept, aside) = match params.early_stopping_rounds {
            Some(_) => boost::keep_aside(data, params.validation_fraction, None)?,
            None => ((0..n).collect(), Vec::new()),
        };
        let weights = params.weights(data, &kept)?;
        let rows_of = |which: &[usize]| {
            let mut rows = Rows::of(data, which);
            // The program keeps targets and weights in single precision.
            rows.w = which.iter().map(|i| single(weights[*i])).collect();
            rows.y.iter_mut().for_each(|y| *y = single(*y));
            rows
        };
        let rows = rows_of(&kept);
        let aside = params.early_stopping_rounds.map(|_| rows_of(&aside));
        if let Some(why) = objective.refuses(&rows.y) {
            return Err(FitError::Data(why));
        }
        let n = rows.y.len();
        let width = match objective {
            Objective::Softmax(_) | Objective::OneVsAll => classes.len(),
            _ => 1,
        };
        let centred = matches!(
            objective,
            Objective::Squared | Objective::Quantile(_) | Objective::Mape
        );
        let pairs = |weigh: &dyn Fn(f64) -> f64| -> Vec<(f64, f64)> {
            let each = rows.y.iter().zip(&rows.w);
            each.map(|(y, w)| (*y, w * weigh(*y))).collect()
        };
        let mut start = match objective {
            _ if !params.boost_from_average.unwrap_or(centred) => vec![0.0; width],
            Objective::Quantile(a) => vec![beside_quantile(&mut pairs(&|_| 1.0), a)],
            Objective::Mape => {
                let weigh = |y| mape_weight(y);
                vec![leaves::quantile(&mut pairs(&weigh), 0.5)]
            }
            Objective::Softmax(_) | Objective::OneVsAll => vec![0.0; width],
            Objective::Logistic => {
                let p = single(mean_of(&rows)).clamp(1e-15, 1.0 - 1e-15);
                vec![-(1.0 / p - 1.0).ln()]
            }
            _ => vec![objective.link(mean_of(&rows))],
        };
        // The program keeps it in single precision, but for log odds.
        if objective != Objective::Logistic {
            start.iter_mut().for_each(|s| *s = single(*s));
        }
        let names = data.design().names();
        let seed = run::effective_seed(params.seed, seed);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let cat_features = boost::columns("cat_features", params.cat_features.as_deref(), names)?;
        let missing =
            |c: &usize| !cat_features.contains(c) && rows.x.column(*c).iter().any(|v| v.is_nan());
        let mut missing = (0..names.len()).filter(missing);
        let last: Vec<usize> = match params.nan_mode {
            NanMode::Min => Vec::new(),
            NanMode::Max => missing.collect(),
            NanMode::Forbidden => match missing.next() {
                None => Vec::new(),
                Some(c) => {
                    return Err(FitError::Data(format!(
                        "column \"{}\" has missing values, and nan_mode is Forbidden: fill them, or set it to Min or Max",
                        names[c]
                    )));
                }
            },
        };
        let (encoder, x) = Encoder::fit(
            missing_last(rows.x.view(), &last).view(),
            &cat_features,
            &statistics_of(&rows, classes.len()),
            params.one_hot_max_size,
            &mut random,
        );
        let signs = params.signs(classes.len(), names.len(), &cat_features)?;
        let signs: Vec<i64> = if signs.is_empty() || cat_features.is_empty() {
            signs
        } else {
            encoder.origins().into_iter().map(|j| signs[j]).collect()
        };
        let origins = if cat_features.is_empty() {
            (0..names.len()).collect()
        } else {
            encoder.origins()
        };
        let factors = params.factors(names.len(), &origins)?;
        let names: Vec<String> = if cat_features.is_empty() {
            names.to_vec()
        } else {
            origins.iter().map(|j| names[*j].clone()).collect()
        };
        let x = x.mapv_into(known);
        let binned = Binned::new(&x, Bins::LogSum(params.border_count + 1), &[], &names)?;
        let columns = x.ncols();
        drop(x);
        let mut maker = Maker {
            params,
            objective,
            rows: &rows,
            binned: &binned,
            orders: OnceLock::new(),
            // The program keeps the parameters in single precision.
            l2: single(params.l2_leaf_reg) * (rows.w.iter().sum::<f64>() / n as f64),
            rate: single(params.rate(objective, n)),
            leaves,
            signs,
            factors,
            random,
        };
        let every: Vec<u32> = (0..n as u32).collect();
        let mut parts = match params.boosting_type {
            Boosting::Ordered if n > 1 => {
                let start: Vec<f64> = start.iter().map(|s| stored(objective, *s)).collect();
                ordered(n, &start, &mut maker.random)
            }
            _ => Vec::new(),
        };
        // The model itself: it has seen all rows and, without ordered parts, judges them.
        let sums = start
            .iter()
            .map(|s| vec![stored(objective, *s); n])
            .collect();
        let mut whole = Part::new(n, every.clone(), &every, sums);
        let mut aside_f: Vec<Vec<f64>> = aside
            .iter()
            .flat_map(|rows| start.iter().map(|s| vec![*s; rows.y.len()]))
            .collect();
        let aside_x = aside
            .as_ref()
            .map(|rows| encoder.apply(missing_last(rows.x.view(), &last).view()))
            .unwrap_or_default();
        let mut trees: Vec<Tree> = Vec::new();
        let origins = encoder.origins();
        // As the program, which takes the sum of trees for the answer in other figures than that of
        // what is minimised, also where that has a log link.
        let seen_as = if classes.is_empty() && metric != Metric::Loss {
            Objective::Squared
        } else {
            objective
        };
        // The round and its metric.
        let mut best: Option<(usize, f64)> = None;
        let mut shrinkages = Vec::new();
        for round in 0..params.n_estimators {
            let shrinkage = params.shrinkage(round, maker.rate)?;
            shrinkages.push(shrinkage);
            if shrinkage < 1.0 {
                let judged = parts.iter_mut().chain(std::iter::once(&mut whole));
                let sums = judged.flat_map(|part| &mut part.f).flatten();
                sums.for_each(|f| *f = shrunk(objective, *f, shrinkage));
                aside_f.iter_mut().flatten().for_each(|f| *f *= shrinkage);
            }
            let mut nodes = Vec::new();
            let (questions, leaf) = if params.grow_policy != Policy::SymmetricTree {
                let (own, leaf) = maker.grown(round, &whole);
                nodes = own;
                (Vec::new(), leaf)
            } else if parts.is_empty() {
                maker.questions(round, std::slice::from_ref(&whole))
            } else {
                maker.questions(round, &parts)
            };
            let leaves = (1 << questions.len()) + nodes.len();
            let lines = maker.lines_of(&questions);
            for part in &mut parts {
                let values = maker.values(&leaf, leaves, &part.seen, &part.f, &lines);
                add_values(objective, &mut part.f, &leaf, &values);
            }
            let values = maker.values(&leaf, leaves, &every, &whole.f, &lines);
            add_values(objective, &mut whole.f, &leaf, &values);
            let sums = whole.f.iter().flatten().filter(|_| !is_power(objective));
            if values.iter().chain(sums).any(|v| !v.is_finite()) {
                return Err(FitError::Failed(format!(
                    "the sums are not finite numbers after round {}: lower learning_rate or rescale the target",
                    round + 1
                )));
            }
            let mut sizes = vec![0.0; leaves];
            for (l, w) in leaf.iter().zip(&rows.w) {
                sizes[*l as usize] += w;
            }
            let tree = Tree {
                questions,
                values,
                sizes,
                nodes,
            };
            if let Some(aside) = &aside {
                for (i, row) in aside_x.rows().into_iter().enumerate() {
                    let at = tree.leaf(row) * width;
                    for (k, f) in aside_f.iter_mut().enumerate() {
                        f[i] += tree.values[at + k];
                    }
                }
                let value = metric.value(seen_as, aside, &aside_f, false);
                if best.is_none_or(|(_, best)| metric.is_better(value, best, 0.0)) {
                    best = Some((round + 1, value));
                }
            }
            trees.push(tree);
            if let Some(patience) = params.early_stopping_rounds
                && best.is_some_and(|(best, _)| round + 1 >= best + patience)
            {
                break;
            }
        }
        if let Some((best, _)) = best {
            trees.truncate(best);
        }
        // What was shrunk after a tree was added.
        let mut left = 1.0;
        shrinkages.truncate(trees.len());
        for (tree, shrinkage) in trees.iter_mut().zip(&shrinkages).rev() {
            if left < 1.0 {
                tree.values.iter_mut().for_each(|v| *v *= left);
            }
            left *= shrinkage;
        }
        if left < 1.0 {
            start.iter_mut().for_each(|s| *s *= left);
        }
        let mut changes = vec![0.0; columns];
        for tree in &trees {
            change(&mut changes, tree, width);
        }
        let rate = params.rate(objective, n);
        let mut importances = vec![0.0; data.design().columns()];
        for (k, change) in changes.iter().enumerate() {
            importances[origins.get(k).copied().unwrap_or(k)] += change;
        }
        Ok(Fitted {
            objective,
            start,
            trees,
            classes,
            learning_rate: rate,
            importances: shares(importances),
            best_score: best.map(|(_, value)| value),
            encoder,
            missing_last: last,
        })
    }
}

/// The weighted mean of the targets, each product in single precision as in the program.
fn mean_of(rows: &Rows<'_>) -> f64 {
    let pairs = rows.y.iter().zip(&rows.w);
    let sum: f64 = pairs.map(|(y, w)| single(y * w)).sum();
    sum / rows.w.iter().sum::<f64>()
}

/// Targets of 0 and 1 for statistics of categories: above the median, the larger of two labels, or
/// each label.
fn statistics_of(rows: &Rows<'_>, classes: usize) -> Vec<Vec<f64>> {
    let marks = |f: &dyn Fn(f64) -> bool| -> Vec<f64> {
        rows.y.iter().map(|y| f64::from(u8::from(f(*y)))).collect()
    };
    match classes {
        0 => {
            let middle = rows.quantile(0.5, Quantiles::Between);
            vec![marks(&|y| y > middle)]
        }
        2 => vec![marks(&|y| y > 0.0)],
        many => (0..many).map(|k| marks(&|y| y == k as f64)).collect(),
    }
}

/// Rows whose answers are added up in one piece.
const PIECE: usize = 256;

/// How much each question of a tree changes its answers: over pairs of leaves that differ in its bit
/// only, the weighted variance between them.
fn change(changes: &mut [f64], tree: &Tree, width: usize) {
    if !tree.nodes.is_empty() {
        return policies::change(changes, tree, width);
    }
    let (leaves, sizes) = (1 << tree.questions.len(), &tree.sizes);
    for (k, (c, _)) in tree.questions.iter().enumerate() {
        for a in (0..leaves).filter(|a| a >> k & 1 == 0) {
            let b = a | 1 << k;
            let both = sizes[a] + sizes[b];
            if both <= 0.0 {
                continue;
            }
            for s in 0..width {
                let (x, y) = (tree.values[a * width + s], tree.values[b * width + s]);
                let mean = (x * sizes[a] + y * sizes[b]) / both;
                changes[*c as usize] +=
                    sizes[a] * (x - mean).powi(2) + sizes[b] * (y - mean).powi(2);
            }
        }
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        let x = missing_last(x, &self.missing_last);
        let x = self.encoder.apply(x.view());
        let width = self.start.len();
        let pieces: Vec<ArrayView2<'_, f64>> = x.axis_chunks_iter(Axis(0), PIECE).collect();
        // All trees look at some rows while these are at hand.
        let found = threads::map(pieces.len(), |piece| {
            let rows = pieces[piece];
            let mut sums: Vec<Vec<f64>> =
                self.start.iter().map(|s| vec![*s; rows.nrows()]).collect();
            for tree in &self.trees {
                for (i, row) in rows.rows().into_iter().enumerate() {
                    let at = tree.leaf(row) * width;
                    for (k, sum) in sums.iter_mut().enumerate() {
                        sum[i] += tree.values[at + k];
                    }
                }
            }
            sums
        });
        let mut sums: Vec<Vec<f64>> = vec![Vec::with_capacity(x.nrows()); width];
        for piece in found {
            for (sum, part) in sums.iter_mut().zip(piece) {
                sum.extend(part);
            }
        }
        if self.classes.is_empty() {
            let answers = sums.swap_remove(0).into_iter();
            return Ok(Prediction::values(
                answers.map(|f| self.objective.answer(f)).collect(),
            ));
        }
        let mut p = Array2::zeros((x.nrows(), self.classes.len()));
        for (i, mut row) in p.rows_mut().into_iter().enumerate() {
            if width == 1 {
                row[1] = self.objective.answer(sums[0][i]);
                row[0] = 1.0 - row[1];
            } else {
                let each = label_shares(self.objective, sums.iter().map(|s| s[i]));
                row.iter_mut().zip(each).for_each(|(r, p)| *r = p);
            }
        }
        Ok(super::boost::scored(p, &sums, &self.classes))
    }

    fn contributions(&self, x: ArrayView2<'_, f64>) -> Result<Option<Contributions>, FitError> {
        let x = missing_last(x, &self.missing_last);
        let numbers = self.encoder.apply(x.view());
        let numbers = numbers.view();
        let mut sum = shap::Sum::new(numbers, &self.start);
        for tree in &self.trees {
            if tree.nodes.is_empty() {
                sum.add(&WrittenOut::new(tree), 1.0, 0, numbers)?;
            } else {
                sum.add(&Branches::new(tree), 1.0, 0, numbers)?;
            }
        }
        let classes = if self.start.len() > 1 {
            self.classes.clone()
        } else {
            Vec::new()
        };
        let mut all = sum.finish(classes, self.objective.sum_is());
        let origins = self.encoder.origins();
        if !origins.is_empty() {
            // What the statistics of a column add is what the column adds.
            for table in &mut all.values {
                let mut own = Array2::zeros(x.dim());
                for (from, j) in table.columns().into_iter().zip(&origins) {
                    let mut to = own.column_mut(*j);
                    to += &from;
                }
                *table = own;
            }
        }
        Ok(Some(all))
    }

    fn outputs(&self) -> Outputs {
        Outputs::from_iter([
            (
                "feature_importances".to_owned(),
                run::numbers(&self.importances),
            ),
            ("n_estimators".to_owned(), self.trees.len().into()),
            ("learning_rate".to_owned(), self.learning_rate.into()),
            ("best_score".to_owned(), metrics::shown(self.best_score)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_catalogue_core::{Design, Params as _};

    /// 24 rows, the cell of row i and column j missing where (7 i + 3 j) mod 11 is 0; y = (7 i mod 11)/2 + x0/10,
    /// x0 as it was.
    fn with_holes() -> (Array2<f64>, Vec<f64>) {
        let mut rows = crate::testing::remainders();
        let y: Vec<f64> = (0..24)
            .zip(&rows)
            .map(|(i, x)| f64::from(i * 7 % 11) / 2.0 + x[0] / 10.0)
            .collect();
        for (i, row) in rows.iter_mut().enumerate() {
            for (j, v) in row.iter_mut().enumerate() {
                if (7 * i + 3 * j) % 11 == 0 {
                    *v = f64::NAN;
                }
            }
        }
        let x = Array2::from_shape_vec((24, 4), rows.concat()).unwrap();
        (x, y)
    }

    fn five_trees(
        x: &Array2<f64>,
        y: &[f64],
        borders: usize,
        mode: &str,
    ) -> Result<Fitted, FitError> {
        let names = ('a'..='d').map(String::from).collect();
        let design = Design::with_missing(x.clone(), names).unwrap();
        let data = Training::regression(design, y.to_vec()).unwrap();
        let given = serde_json::json!({
            "n_estimators": 5, "depth": 3, "border_count": borders, "learning_rate": 0.5, "nan_mode": mode,
            "bootstrap_type": "No", "random_strength": 0.0, "boosting_type": "Plain",
        });
        let params = CatBoostParams::from_map(given.as_object().unwrap()).unwrap();
        CatBoost::fit(&params, &data, 0)
    }

    #[test]
    fn missing_values_stand_last_by_nan_mode() {
        // catboost 1.2.10, five trees of depth 3 on those rows: answers of every fourth row.
        let (mut x, y) = with_holes();
        let some = |fitted: &Fitted, x: &Array2<f64>| -> Vec<f64> {
            let said = fitted.predict(x.view()).unwrap().values;
            said.into_iter().step_by(4).collect()
        };
        for (mode, borders, want) in [
            (
                "Min",
                2,
                [
                    1.258378594,
                    3.458212183,
                    3.458212183,
                    3.873993595,
                    2.042535424,
                    4.664387547,
                ],
            ),
            (
                "Max",
                2,
                [
                    1.223360807,
                    3.570887232,
                    3.570887232,
                    3.60201995,
                    2.06265518,
                    4.552344707,
                ],
            ),
            (
                "Max",
                6,
                [
                    1.504371714,
                    3.662384993,
                    3.392168653,
                    3.599259778,
                    2.083676318,
                    4.417456849,
                ],
            ),
        ] {
            let fitted = five_trees(&x, &y, borders, mode).unwrap();
            crate::testing::assert_near(&some(&fitted, &x), &want, 1e-7);
            assert_eq!(
                five_trees(&x, &y, borders, "Forbidden")
                    .unwrap_err()
                    .to_string(),
                "column \"a\" has missing values, and nan_mode is Forbidden: fill them, or set it to Min or Max"
            );
        }
        // A column that had none in training: they come first.
        for (row, whole) in x.rows_mut().into_iter().zip(crate::testing::remainders()) {
            let mut row = row;
            row[0] = whole[0];
        }
        let fitted = five_trees(&x, &y, 6, "Max").unwrap();
        let want = [
            1.695364834,
            3.699423047,
            3.349302966,
            3.442364132,
            2.169256354,
            4.316119852,
        ];
        crate::testing::assert_near(&some(&fitted, &x), &want, 1e-7);
        x.column_mut(0)
            .iter_mut()
            .step_by(2)
            .for_each(|v| *v = f64::NAN);
        let want = [
            1.695364834,
            3.157613535,
            3.442364132,
            3.442364132,
            2.169256354,
            2.079119033,
        ];
        crate::testing::assert_near(&some(&fitted, &x), &want, 1e-7);
    }

    #[test]
    fn a_missing_value_takes_one_of_the_borders() {
        // catboost 1.2.10: answers of every fourth row.
        let (x, y) = with_holes();
        let names = ('a'..='d').map(String::from).collect();
        let design = Design::with_missing(x.clone(), names).unwrap();
        let data = Training::regression(design, y).unwrap();
        let of_two = [
            1.929427094,
            3.783602607,
            3.783602607,
            3.279722103,
            2.758690478,
            3.783602607,
        ];
        let of_one = [
            1.929427094,
            3.458969955,
            3.458969955,
            3.458969955,
            2.843117683,
            3.774015188,
        ];
        for (borders, want) in [(1, of_one), (2, of_two), (4, of_two)] {
            let given = serde_json::json!({
                "n_estimators": 2, "depth": 2, "border_count": borders, "learning_rate": 0.5,
                "bootstrap_type": "No", "random_strength": 0.0, "boosting_type": "Plain",
            });
            let params = CatBoostParams::from_map(given.as_object().unwrap()).unwrap();
            let fitted = CatBoost::fit(&params, &data, 0).unwrap();
            let said = fitted.predict(x.view()).unwrap().values;
            let some: Vec<f64> = said.into_iter().step_by(4).collect();
            crate::testing::assert_near(&some, &want, 1e-7);
        }
    }

    #[test]
    fn the_rate_is_that_of_the_program() {
        // catboost 1.2.10, learning_rate_ of fits on n rows with so many iterations.
        for (objective, n, rounds, want) in [
            (Objective::Squared, 200, 100, 0.206415),
            (Objective::Squared, 900, 400, 0.084815),
            (Objective::Logistic, 200, 100, 0.042803),
            (Objective::Logistic, 900, 400, 0.02282),
            (Objective::Softmax(1.0), 200, 400, 0.158101),
            (Objective::Softmax(1.0), 900, 100, 0.5),
            (Objective::Absolute, 900, 100, 0.03),
        ] {
            let given = serde_json::json!({"n_estimators": rounds});
            let params = CatBoostParams::from_map(given.as_object().unwrap()).unwrap();
            let got = params.rate(objective, n);
            assert!(
                (got - want).abs() < 2e-6,
                "{objective:?} {n} {rounds}: {got}"
            );
        }
    }

    // catboost 1.2.10: CatBoostRegressor(n_estimators=3, depth=3, learning_rate=0.3, bootstrap_type='No',
    // random_strength=0) on the first 208 rows of tests/data/spx.csv, its trees as save_model writes
    // them, and get_feature_importance(type='ShapValues') of row 209.
    #[test]
    fn shap_values_are_those_of_the_program() {
        let tree = |questions: [(u32, f64); 3], values: [f64; 8], sizes: [f64; 8]| Tree {
            questions: questions.to_vec(),
            values: values.to_vec(),
            sizes: sizes.to_vec(),
            nodes: Vec::new(),
        };
        let trees = vec![
            tree(
                [(4, 0.809_757_5), (4, -0.623_595_5), (0, -0.195_714_5)],
                [
                    0.056159921,
                    0.0,
                    0.017910004,
                    -0.078603849,
                    0.145638071,
                    0.0,
                    -0.013759863,
                    -0.227748408,
                ],
                [4.0, 0.0, 58.0, 31.0, 42.0, 0.0, 56.0, 17.0],
            ),
            tree(
                [(4, -0.234744), (4, 0.965439), (0, -0.195_714_5)],
                [
                    0.051977584,
                    -0.002950412,
                    0.0,
                    -0.055456386,
                    0.089574937,
                    -0.018519628,
                    0.0,
                    -0.195714085,
                ],
                [15.0, 52.0, 0.0, 26.0, 53.0, 48.0, 0.0, 14.0],
            ),
            tree(
                [(3, -0.399_345_5), (0, -0.331987), (2, 0.486603)],
                [
                    -0.029417363,
                    0.076779374,
                    -0.124614106,
                    -0.005013361,
                    0.0,
                    0.0,
                    0.0,
                    0.09074271,
                ],
                [72.0, 15.0, 19.0, 64.0, 0.0, 0.0, 0.0, 38.0],
            ),
        ];
        let fitted = Fitted {
            objective: Objective::Squared,
            start: vec![-5.194_185_256_958_008],
            trees,
            classes: Vec::new(),
            learning_rate: 0.3,
            importances: Vec::new(),
            best_score: None,
            encoder: Encoder::default(),
            missing_last: Vec::new(),
        };
        let x = ndarray::array![[0.016526, 0.141744, -0.944368, -0.262942, 1.314619]];
        let found = fitted.contributions(x.view()).unwrap().unwrap();
        let want = [-0.079313903, 0.0, -0.018056948, 0.038474858, -0.371490792];
        crate::testing::assert_near(&found.values[0].row(0).to_vec(), &want, 2e-8);
        crate::testing::assert_near(&found.base, &[-5.192274327], 2e-8);
        let said = fitted.predict(x.view()).unwrap().values;
        crate::testing::assert_near(&said, &[-5.62266111], 2e-8);
    }

    #[test]
    fn losses_and_leaves_are_those_of_the_program() {
        // catboost 1.2.10, CatBoostRegressor and CatBoostClassifier(n_estimators=3, depth=2, learning_rate=0.3,
        // bootstrap_type="No", random_strength=0, ...): the first three predictions, of labels the shares of
        // the last one.
        let x = Array2::from_shape_fn((300, 5), |(i, j)| crate::testing::eighths(i, j));
        let y: Vec<f64> = (0..300)
            .map(|i| ((i * 31) % 53) as f64 / 16.0 + x[[i, 0]] * x[[i, 1]] / 16.0 - x[[i, 2]] / 4.0)
            .collect();
        let design = Design::new(x.clone(), ('a'..='e').map(String::from).collect()).unwrap();
        for (given, kind, want) in [
            (
                r#"{"loss_function": "RMSE"}"#,
                "numbers",
                [1.2609099252001634, 1.8294191628524548, 2.6401380783812227],
            ),
            (
                r#"{"loss_function": "MAE"}"#,
                "numbers",
                [0.9624237827149926, 1.1683509155172853, 2.8797363051387546],
            ),
            (
                r#"{"loss_function": "Quantile", "alpha": 0.3}"#,
                "numbers",
                [-0.27260006163049866, 0.5188847847025606, 1.9869863504649814],
            ),
            (
                r#"{"loss_function": "MAPE"}"#,
                "numbers",
                [0.33399607786024, 0.7417499967366457, 1.3728808751108588],
            ),
            (
                r#"{"loss_function": "LogCosh"}"#,
                "numbers",
                [-0.11833112710043281, 0.8202298188549195, 2.262084728959586],
            ),
            (
                r#"{"loss_function": "Huber", "delta": 0.7}"#,
                "numbers",
                [-0.20775526084431356, 1.1539413006896226, 3.5343928526638555],
            ),
            (
                r#"{"loss_function": "Expectile", "alpha": 0.3}"#,
                "numbers",
                [-0.10852470776928799, 0.430264935307573, 1.255301634191457],
            ),
            (
                r#"{"loss_function": "Expectile", "alpha": 0.3, "leaf_estimation_iterations": 5}"#,
                "numbers",
                [-0.1282845100404929, 0.37535158100297805, 1.2042688479880388],
            ),
            (
                r#"{"loss_function": "Lq", "q": 1.5}"#,
                "numbers",
                [0.1915019478251963, 0.41846540556474254, 1.6039665678349873],
            ),
            (
                r#"{"loss_function": "Lq", "q": 3.0}"#,
                "numbers",
                [0.6404564612937131, 0.9272875676102956, 1.2064145827221056],
            ),
            (
                r#"{"loss_function": "Poisson"}"#,
                "positive",
                [1.2051536331794663, 1.3380540309417344, 1.5627715089735452],
            ),
            (
                r#"{"loss_function": "Poisson", "leaf_estimation_iterations": 10}"#,
                "positive",
                [1.229498921843433, 1.2864838155595395, 1.4987800401745026],
            ),
            (
                r#"{"loss_function": "Tweedie", "variance_power": 1.5}"#,
                "positive",
                [1.2268076884858699, 1.2861806361822754, 1.4834372041666528],
            ),
            (
                r#"{"loss_function": "MAE", "leaf_estimation_method": "Gradient"}"#,
                "numbers",
                [1.7133401203858338, 1.8310109446169702, 2.396004901988602],
            ),
            (
                r#"{"loss_function": "Quantile", "alpha": 0.3, "leaf_estimation_method": "Gradient"}"#,
                "numbers",
                [0.5337323777716845, 0.5337323777716845, 0.962673488905404],
            ),
            (
                r#"{"loss_function": "Huber", "delta": 0.7, "leaf_estimation_method": "Gradient"}"#,
                "numbers",
                [0.005650526377714571, 0.29558363164377666, 0.534863149871408],
            ),
            (
                r#"{"loss_function": "LogCosh", "leaf_estimation_method": "Newton"}"#,
                "numbers",
                [-0.1953149196060304, 1.170193466960211, 3.185679606155376],
            ),
            (
                r#"{"loss_function": "Logloss"}"#,
                "labels2",
                [0.28752465241213404, 0.3668539727677188, 0.6566171663314359],
            ),
            (
                r#"{"loss_function": "Logloss", "leaf_estimation_iterations": 10}"#,
                "labels2",
                [0.16872110455872946, 0.3819586181734659, 0.719903792918554],
            ),
            (
                r#"{"loss_function": "CrossEntropy", "leaf_estimation_method": "Gradient"}"#,
                "labels2",
                [0.42093624848641614, 0.4468705328591061, 0.5831710770250459],
            ),
            (
                r#"{"loss_function": "MultiClass"}"#,
                "labels3",
                [0.1646270613886905, 0.20883195876926242, 0.3916116299826951],
            ),
            (
                r#"{"loss_function": "MultiClass", "leaf_estimation_method": "Gradient"}"#,
                "labels3",
                [0.25847682003864647, 0.29917281608702034, 0.360623069190196],
            ),
            (
                r#"{"loss_function": "MultiClass", "leaf_estimation_iterations": 10}"#,
                "labels3",
                [
                    0.07342542786694016,
                    0.16206147283629577,
                    0.44140143853196984,
                ],
            ),
            (
                r#"{"loss_function": "MultiClassOneVsAll"}"#,
                "labels3",
                [0.23861742970169333, 0.28444235370699883, 0.4699094004043543],
            ),
            (
                r#"{"loss_function": "MultiClassOneVsAll", "leaf_estimation_iterations": 10}"#,
                "labels3",
                [0.09285790075644255, 0.19806680241593413, 0.4763783182692364],
            ),
            (
                r#"{"loss_function": "MultiClassOneVsAll", "leaf_estimation_method": "Gradient", "leaf_estimation_iterations": 10}"#,
                "labels3",
                [0.19053002404378774, 0.24884224648974068, 0.4727793259938718],
            ),
            (
                r#"{"loss_function": "Quantile:alpha=0.3"}"#,
                "numbers",
                [-0.27260006163049866, 0.5188847847025606, 1.9869863504649814],
            ),
            (
                r#"{"loss_function": "Quantile:alpha=0.3", "leaf_estimation_method": "Gradient", "leaf_estimation_iterations": 10}"#,
                "numbers",
                [-0.17589094315788545, 0.5036724679150607, 1.8169227115304643],
            ),
            (
                r#"{"loss_function": "Expectile:alpha=0.3"}"#,
                "numbers",
                [-0.10852470776928799, 0.430264935307573, 1.255301634191457],
            ),
            (
                r#"{"loss_function": "Huber:delta=0.7"}"#,
                "numbers",
                [-0.20775526084431356, 1.1539413006896226, 3.5343928526638555],
            ),
            (
                r#"{"loss_function": "Lq:q=1.5"}"#,
                "numbers",
                [0.1915019478251963, 0.41846540556474254, 1.6039665678349873],
            ),
            (
                r#"{"loss_function": "Tweedie:variance_power=1.5"}"#,
                "positive",
                [1.2268076884858699, 1.2861806361822754, 1.4834372041666528],
            ),
            // With the weights ((7i) % 11 + 1)/4.
            (
                r#"{"loss_function": "MAE"}"#,
                "weighed",
                [0.9379704068524575, 1.1390342564233613, 2.8418016902561405],
            ),
            (
                r#"{"loss_function": "Quantile:alpha=0.3"}"#,
                "weighed",
                [
                    -0.051964844717137026,
                    0.7191788965386117,
                    2.0167662414865575,
                ],
            ),
            (
                r#"{"loss_function": "MAPE"}"#,
                "weighed",
                [0.3758212803801291, 0.3758212803801291, 1.698124042443581],
            ),
            (
                r#"{"loss_function": "LogCosh"}"#,
                "weighed",
                [0.11928086382273273, 0.7141264863958541, 2.595620401526304],
            ),
            // Steps that do not lower the loss are halved, or made.
            (
                r#"{"loss_function": "Poisson", "leaf_estimation_method": "Gradient", "leaf_estimation_iterations": 10}"#,
                "positive",
                [1.2144322434170105, 1.2690767595727093, 1.4868314880555247],
            ),
            (
                r#"{"loss_function": "Poisson", "leaf_estimation_method": "Gradient", "leaf_estimation_iterations": 10, "leaf_estimation_backtracking": "No"}"#,
                "positive",
                [1.3040122601442634, 1.3040122601442634, 1.3040122601442634],
            ),
            (
                r#"{"loss_function": "Logloss", "leaf_estimation_iterations": 10, "leaf_estimation_backtracking": "No"}"#,
                "labels2",
                [0.16862544332007898, 0.38195790618622827, 0.7199181936259629],
            ),
            // To the program no step of Huber is better than none.
            (
                r#"{"loss_function": "Huber:delta=0.7", "leaf_estimation_iterations": 5}"#,
                "numbers",
                [0.0, 0.0, 0.0],
            ),
            (
                r#"{"loss_function": "Huber:delta=0.7", "leaf_estimation_iterations": 5, "leaf_estimation_backtracking": "No"}"#,
                "numbers",
                [-0.19560065319355394, 0.8435179114886047, 8.217343542000261],
            ),
            (
                r#"{"loss_function": "Huber:delta=0.7", "leaf_estimation_iterations": 3, "leaf_estimation_method": "Gradient", "leaf_estimation_backtracking": "No"}"#,
                "weighed",
                [0.058771290707190546, 0.2031147036488013, 1.191180295083185],
            ),
            (
                r#"{"loss_function": "LogCosh", "leaf_estimation_method": "Newton", "leaf_estimation_iterations": 5}"#,
                "weighed",
                [0.09202699160424352, 0.6914432210920942, 2.5982429485028353],
            ),
            (
                r#"{"loss_function": "Expectile:alpha=0.3", "leaf_estimation_method": "Gradient", "leaf_estimation_iterations": 5}"#,
                "weighed",
                [-0.12467806203505959, 0.3451576014831825, 1.1673631123776411],
            ),
            (
                r#"{"loss_function": "Quantile:alpha=0.3", "leaf_estimation_method": "Gradient", "leaf_estimation_iterations": 5}"#,
                "weighed",
                [
                    -0.005777231369139213,
                    -0.005777231369139213,
                    1.3712625947688486,
                ],
            ),
            (
                r#"{"loss_function": "Tweedie:variance_power=1.4", "leaf_estimation_iterations": 5}"#,
                "positive",
                [1.2109272813643601, 1.4891158116056906, 1.4891158116056906],
            ),
            (
                r#"{"loss_function": "Logloss", "leaf_estimation_method": "Gradient", "leaf_estimation_iterations": 10}"#,
                "labels2",
                [0.22559556521864874, 0.40957459953807807, 0.6762495252621549],
            ),
        ] {
            let mut given: serde_json::Value = serde_json::from_str(given).unwrap();
            for (name, value) in [
                ("n_estimators", 3.0),
                ("depth", 2.0),
                ("learning_rate", 0.3),
                ("random_strength", 0.0),
            ] {
                given[name] = value.into();
            }
            given["bootstrap_type"] = "No".into();
            let params = CatBoostParams::from_map(given.as_object().unwrap()).unwrap();
            let above = |cuts: &[f64]| -> Vec<f64> {
                let label = |y: &f64| cuts.iter().filter(|c| *y > **c).count() as f64;
                y.iter().map(label).collect()
            };
            let data = match kind {
                "labels3" => Training::classification(design.clone(), above(&[0.5, 3.0])),
                "labels2" => Training::classification(design.clone(), above(&[2.04])),
                "positive" => Training::regression(
                    design.clone(),
                    y.iter().map(|y| (y / 4.0).exp()).collect(),
                ),
                "weighed" => Training::regression(design.clone(), y.clone()).map(|data| {
                    let weights = (0..300).map(|i| ((i * 7) % 11 + 1) as f64 / 4.0);
                    data.with_weights(weights.collect()).unwrap()
                }),
                _ => Training::regression(design.clone(), y.clone()),
            };
            let fitted = CatBoost::fit(&params, &data.unwrap(), 0).unwrap();
            let said = fitted
                .predict(x.slice_axis(ndarray::Axis(0), (..3).into()))
                .unwrap();
            let got = match said.probabilities {
                Some(p) => p.column(p.ncols() - 1).to_vec(),
                None => said.values,
            };
            crate::testing::assert_near(&got, &want, 1e-6);
        }
    }

    #[test]
    fn of_equally_good_questions_that_of_the_program_is_asked() {
        // catboost 1.2.10, CatBoostRegressor and CatBoostClassifier(learning_rate=0.3, bootstrap_type="No",
        // random_strength=0, ...) on the table of `cases`, with weights of rows ((7i) % 11 + 1)/4 where it says
        // so, or with the first column above 6 or not: predictions of some rows, of labels the shares of the
        // last one, after column j was moved up by j + 1 rows, so that they tell which of several questions
        // that part the leaves in the same way was asked.
        for (given, kind, some, want) in [
            (
                r#"{"depth": 8, "n_estimators": 25}"#,
                "weighed",
                [30, 127, 158],
                [2.9112542623996616, 2.9713282667812493, 1.7933717857767304],
            ),
            (
                r#"{"depth": 8, "score_function": "L2", "n_estimators": 25}"#,
                "numbers",
                [160, 169, 181],
                [1.2307502869937177, 7.131840376852121, 5.8330581364935075],
            ),
            (
                r#"{"depth": 8, "loss_function": "Quantile:alpha=0.3", "n_estimators": 25}"#,
                "weighed",
                [38, 135, 232],
                [5.241147136171563, 5.823696808331349, 5.7484615439607465],
            ),
            (
                r#"{"depth": 8, "leaf_estimation_iterations": 10, "n_estimators": 25}"#,
                "labels2",
                [19, 150, 167],
                [0.20517867519145974, 0.13739077449865877, 0.2718761170141004],
            ),
            (
                r#"{"depth": 8, "n_estimators": 10}"#,
                "labels3",
                [83, 147, 261],
                [0.6844945816260605, 0.780067655947274, 0.780067655947274],
            ),
            (
                r#"{"depth": 8, "grow_policy": "Depthwise", "n_estimators": 25}"#,
                "weighed",
                [131, 228, 245],
                [1.385936424273107, 1.042452207110785, 1.0563720914013701],
            ),
            (
                r#"{"depth": 8, "grow_policy": "Depthwise", "min_data_in_leaf": 9, "n_estimators": 25}"#,
                "numbers",
                [19, 116, 230],
                [2.3501728268791333, 1.9599831406286436, 2.0118212922748273],
            ),
            (
                r#"{"depth": 8, "grow_policy": "Lossguide", "max_leaves": 64, "n_estimators": 25}"#,
                "weighed",
                [177, 223, 274],
                [2.408084629563933, 2.5724163330077094, 2.397684037010608],
            ),
            (
                r#"{"depth": 8, "grow_policy": "Lossguide", "max_leaves": 64, "n_estimators": 25}"#,
                "labels3",
                [59, 79, 172],
                [0.5790014116765207, 0.1936330467119084, 0.5077746036956976],
            ),
            (
                r#"{"depth": 8, "grow_policy": "Depthwise", "n_estimators": 25}"#,
                "one cut",
                [42, 236, 289],
                [5.302293866348911, 5.302293866348911, 5.391028425848296],
            ),
            (
                r#"{"depth": 8, "grow_policy": "Lossguide", "n_estimators": 25}"#,
                "one cut",
                [22, 93, 287],
                [5.383012256933348, 5.462529285550723, 5.070377668883133],
            ),
            (
                r#"{"depth": 8, "monotone_constraints": [1, 1, -1, 0, 0], "n_estimators": 25}"#,
                "labels2",
                [22, 88, 185],
                [0.6079790559283953, 0.7346593274690284, 0.7346593274690284],
            ),
            (
                r#"{"depth": 8, "monotone_constraints": [1, 1, -1, 0, 0], "n_estimators": 25}"#,
                "weighed",
                [21, 135, 266],
                [4.4817561930219885, 4.336348857086333, 6.143791608730151],
            ),
            (
                r#"{"depth": 8, "border_count": 32, "n_estimators": 25}"#,
                "numbers",
                [75, 139, 196],
                [1.8354318798385176, 5.36701179610216, 2.109449241737778],
            ),
            (
                r#"{"depth": 8, "border_count": 16, "grow_policy": "Lossguide", "n_estimators": 25}"#,
                "weighed",
                [44, 187, 253],
                [1.958947808232368, 1.6992539957150221, 4.473439395053653],
            ),
            // Factors of gains.
            (
                r#"{"depth": 6, "feature_weights": [0.3, 0.5, 1, 2], "n_estimators": 25}"#,
                "numbers",
                [20, 120, 220],
                [4.226290631263257, 0.41667004887894965, 5.761966411567637],
            ),
            (
                r#"{"depth": 6, "feature_weights": [0, 1, 0.7], "grow_policy": "Depthwise", "n_estimators": 25}"#,
                "weighed",
                [20, 120, 220],
                [3.2022113748504015, 0.7594604792309885, 3.6470930342403096],
            ),
            (
                r#"{"feature_weights": [0.3, 0.5, 1, 2], "grow_policy": "Lossguide", "n_estimators": 25}"#,
                "labels2",
                [20, 120, 220],
                [0.885259798854261, 0.04779459855675431, 0.9234247445625642],
            ),
        ] {
            let given = serde_json::from_str(given).unwrap();
            let (fitted, x) = cases::fitted_with(given, kind).unwrap();
            let moved = Array2::from_shape_fn((3, 5), |(k, j)| x[[(some[k] + j + 1) % 300, j]]);
            let said = fitted.predict(moved.view()).unwrap();
            let got = match said.probabilities {
                Some(p) => p.column(p.ncols() - 1).to_vec(),
                None => said.values,
            };
            crate::testing::assert_near(&got, &want, 1e-9);
        }
    }

    #[test]
    fn losses_with_a_parameter_are_read_and_written() {
        let read = |text: &str| Goal::read(&text.into(), &Range::any());
        for text in ["RMSE", "Quantile", "Quantile:alpha=0.3", "Lq:q=1.5"] {
            assert_eq!(read(text).unwrap().write(), Value::from(text));
        }
        for (text, why) in [
            ("RMSE:alpha=1", "\"RMSE:alpha=1\": RMSE takes no parameter"),
            (
                "Quantile:delta=1",
                "\"Quantile:delta=1\" is not written Quantile:alpha=number",
            ),
            (
                "Quantile:alpha=1",
                "\"Quantile:alpha=1\": alpha: 1 is out of range, it must be above 0 and below 1",
            ),
        ] {
            assert_eq!(read(text).unwrap_err(), why);
        }
        assert!(read("Quantil:alpha=0.3").is_err());
    }

    #[test]
    fn a_question_is_redundant_that_parts_no_leaves_with_rows() {
        // No two leaves with rows differ in its answer alone.
        assert_eq!(redundant(&[0, 5], 3), Some(0));
        assert_eq!(redundant(&[0, 1, 4, 5], 3), Some(1));
        assert_eq!(redundant(&[0, 1, 2, 7], 3), Some(2));
        assert_eq!(redundant(&[0, 1, 3], 2), None);
        let mut leaves = [0, 1, 4, 5];
        drop_bit(&mut leaves, 1);
        assert_eq!(leaves, [0, 1, 2, 3]);
    }

    #[test]
    fn the_threshold_keeps_so_many_rows() {
        let sizes = [5.0, 1.0, 1.0, 1.0];
        let limit = mvs_limit(&sizes, 2.5);
        // 5 is kept for certain, 3 / 1.5 = 2 for the others: 1 + 3 · 1/2 = 2.5.
        assert!((limit - 2.0).abs() < 1e-12);
    }

    #[test]
    fn early_stopping_looks_at_what_the_program_does() {
        // catboost 1.2.10, CatBoostRegressor and CatBoostClassifier(n_estimators=40, depth=3,
        // early_stopping_rounds=5, bootstrap_type="No", random_strength=0, learning_rate=0.2, ...) on the
        // first 225 rows, eval_set the others, all with weights: tree_count_ and get_best_score().
        let x = Array2::from_shape_fn((300, 5), |(i, j)| crate::testing::eighths(i, j));
        let y: Vec<f64> = (0..300)
            .map(|i| ((i * 31) % 53) as f64 / 16.0 + x[[i, 0]] * x[[i, 1]] / 16.0 - x[[i, 2]] / 4.0)
            .collect();
        let cases = [
            (
                "as it is",
                serde_json::json!({"loss_function": "RMSE"}),
                19,
                1.1471900096765923,
            ),
            (
                "as it is",
                serde_json::json!({"eval_metric": "R2"}),
                19,
                0.7144730222448007,
            ),
            (
                "as it is",
                serde_json::json!({"eval_metric": "SMAPE"}),
                8,
                62.70175006581558,
            ),
            (
                "as it is",
                serde_json::json!({"eval_metric": "Quantile:alpha=0.3"}),
                10,
                0.4550287666944035,
            ),
            (
                "as it is",
                serde_json::json!({"eval_metric": "MAE"}),
                10,
                0.913537958533555,
            ),
            (
                "as it is",
                serde_json::json!({"loss_function": "MAE"}),
                9,
                1.0535898087624835,
            ),
            (
                "as it is",
                serde_json::json!({"loss_function": "Quantile:alpha=0.3"}),
                11,
                0.4332935031547269,
            ),
            (
                "two",
                serde_json::json!({"eval_metric": "AUC", "scale_pos_weight": 2.0}),
                10,
                0.9243827160493827,
            ),
            (
                "two",
                serde_json::json!({"eval_metric": "F1", "class_weights": "1,3"}),
                1,
                0.8526315789473684,
            ),
            (
                "two",
                serde_json::json!({"eval_metric": "MCC", "auto_class_weights": "Balanced"}),
                6,
                0.7237452681436463,
            ),
            (
                "three",
                serde_json::json!({"eval_metric": "TotalF1", "auto_class_weights": "SqrtBalanced"}),
                3,
                0.6491806536377758,
            ),
        ];
        for (kind, mut given, rounds, score) in cases {
            let design = Design::new(x.clone(), ('a'..='e').map(String::from).collect()).unwrap();
            let three =
                |y: &f64| f64::from(u8::from(*y >= 1.10482422) + u8::from(*y >= 3.21314453));
            let data = match kind {
                "as it is" => Training::regression(design, y.clone()),
                "above 0" => {
                    Training::regression(design, y.iter().map(|y| y.abs() + 0.125).collect())
                }
                "two" => {
                    let codes = y.iter().map(|y| f64::from(u8::from(*y >= 3.21314453)));
                    Training::classification(design, codes.collect())
                }
                _ => Training::classification(design, y.iter().map(three).collect()),
            }
            .unwrap();
            let weights = (0..300).map(|i| ((i * 7) % 11 + 1) as f64 / 4.0).collect();
            let data = data.with_weights(weights).unwrap();
            for (name, value) in [
                ("n_estimators", serde_json::json!(40)),
                ("depth", serde_json::json!(3)),
                ("early_stopping_rounds", serde_json::json!(5)),
                ("bootstrap_type", serde_json::json!("No")),
                ("random_strength", serde_json::json!(0)),
                ("learning_rate", serde_json::json!(0.2)),
                ("validation_fraction", serde_json::json!(0.25)),
            ] {
                given[name] = value;
            }
            let params = CatBoostParams::from_map(given.as_object().unwrap()).unwrap();
            let outputs = CatBoost::fit(&params, &data, 0).unwrap().outputs();
            assert_eq!(outputs["n_estimators"], rounds, "{given}");
            let had = outputs["best_score"][0].as_f64().unwrap();
            assert!((had - score).abs() < 1e-6 * score.abs(), "{had} {given}");
        }
    }
}
