//! LightGBM.
//!
//! What: gradient boosting on histograms, grown where the gain is largest, as the program LightGBM
//! does it.
//! Formula: leaf -G/(H+λ), gain G²/(H+λ) of both sides less that of the node; or linear models in the leaves.
//! Data: any table of numbers, missing values and columns of categories among them.
//! Cost: fit O(T p n depth), predict O(rows T depth).
//! Fails when: rows are few: 31 leaves then learn the noise.
//! Source: Ke et al., NIPS (2017).
//! Not claimed: the same bits as the program.

use super::boost::{
    self, Boosted, ColumnGroups, Dart, Early, Quantiles, Rows, Sampling, Spec, Weighing,
};
use super::draws::Draws;
use super::engine::{Criterion, Learned, shares};
use super::histogram::{Binned, Bins, BothEnds, Categories, Config};
use super::metrics::Metric;
use super::objective::{Objective, weighed_mape};
use crate::class_weight::{ClassWeight, row_weights};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Contributions, Entry, FitError, Foreign, Inputs, Outputs, ParamError, Prediction,
    Predictor, Supervised, Training, choices, params, run,
};
use mltrainer_types::catalogue::Task;
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

/// The handle.
pub struct LightGbm;

/// Other names that the program takes.
const ALSO: &[(&str, &str)] = &[
    ("num_iterations", "n_estimators"),
    ("num_boost_round", "n_estimators"),
    ("num_trees", "n_estimators"),
    ("eta", "learning_rate"),
    ("shrinkage_rate", "learning_rate"),
    ("max_leaves", "num_leaves"),
    ("min_data_in_leaf", "min_child_samples"),
    ("min_sum_hessian_in_leaf", "min_child_weight"),
    ("bagging_fraction", "subsample"),
    ("bagging_freq", "subsample_freq"),
    ("feature_fraction", "colsample_bytree"),
    ("colsample_bynode", "feature_fraction_bynode"),
    ("lambda_l1", "reg_alpha"),
    ("lambda_l2", "reg_lambda"),
    ("min_gain_to_split", "min_split_gain"),
    ("boosting", "boosting_type"),
    ("early_stopping_rounds", "early_stopping_round"),
    ("cat_feature", "categorical_feature"),
    ("categorical_features", "categorical_feature"),
    ("unbalance", "is_unbalance"),
    ("random_seed", "seed"),
];

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<LightGbm>()
    .with_foreign::<LightGbm>()
    .also_called(ALSO)
    // Columns whose values are all different have categories of one row.
    .mattering_beside(&[
        &[("linear_tree", "true")],
        &[
            ("categorical_feature", "0"),
            ("min_child_samples", "1"),
            ("min_data_in_bin", "1"),
            ("min_data_per_group", "1"),
            ("cat_smooth", "1"),
        ],
        &[
            ("categorical_feature", "0"),
            ("min_child_samples", "1"),
            ("min_data_in_bin", "1"),
            ("min_data_per_group", "1"),
        ],
        &[
            ("categorical_feature", "0"),
            ("min_child_samples", "1"),
            ("min_data_in_bin", "1"),
            ("cat_smooth", "1"),
        ],
    ]);

choices! {
    /// What is minimised.
    pub enum Loss {
        /// Squared up to alpha, linear beyond; regression.
        Huber = "huber",
        /// c² (|r|/c - ln(1 + |r|/c)), c = fair_c; regression.
        Fair = "fair",
        /// Tweedie's deviance of tweedie_variance_power, log link; regression.
        Tweedie = "tweedie",
        /// Poisson deviance with log link; regression.
        Poisson = "poisson",
        /// Pinball loss of the quantile alpha; regression.
        Quantile = "quantile",
        /// (y - f)²; regression.
        Regression = "regression",
        /// |y - f|; regression.
        RegressionL1 = "regression_l1",
        /// |y - f| / max(1, |y|); regression.
        Mape = "mape",
        /// Gamma deviance with log link; regression.
        Gamma = "gamma",
        /// Logistic loss of two labels.
        Binary = "binary",
        /// Softmax.
        Multiclass = "multiclass",
    }
}

choices! {
    /// What early stopping looks at.
    pub enum Figure {
        /// Mean absolute error; regression.
        L1 = "l1",
        /// Mean squared error; regression.
        L2 = "l2",
        /// Its root; regression.
        Rmse = "rmse",
        /// Pinball loss of alpha; regression.
        Quantile = "quantile",
        /// Mean of |r| / max(1, |y|); regression.
        Mape = "mape",
        /// Huber's loss of alpha; regression.
        Huber = "huber",
        /// The loss of fair; regression.
        Fair = "fair",
        /// Negative log-likelihood of Poisson's distribution, less what does not hang on the model; regression.
        Poisson = "poisson",
        /// Negative log-likelihood of the gamma distribution; regression.
        Gamma = "gamma",
        /// Deviance of the gamma distribution, summed; regression.
        GammaDeviance = "gamma_deviance",
        /// Negative log-likelihood of Tweedie's distribution; regression.
        Tweedie = "tweedie",
        /// Mean logistic loss of two labels.
        BinaryLogLoss = "binary_logloss",
        /// Share of wrong labels of two.
        BinaryError = "binary_error",
        /// Area under the receiver operating characteristic of two labels.
        Auc = "auc",
        /// Sum of precision times the step of recall, of two labels.
        AveragePrecision = "average_precision",
        /// Mean loss of the softmax.
        MultiLogLoss = "multi_logloss",
        /// Share of wrong labels.
        MultiError = "multi_error",
    }
}

choices! {
    /// Which rows a round sees.
    pub enum Strategy {
        /// subsample of them, drawn every subsample_freq rounds.
        Bagging = "bagging",
        /// Those with the largest gradients, and a draw of the others that counts for all of them.
        Goss = "goss",
    }
}

choices! {
    /// How trees are added.
    pub enum BoostingType {
        /// Each to the sum of all before it.
        Gbdt = "gbdt",
        /// Each to a sum that leaves some of them out.
        Dart = "dart",
        /// Each by itself, and answers are means: a random forest.
        Rf = "rf",
        /// gbdt with data_sample_strategy goss.
        Goss = "goss",
    }
}

choices! {
    /// What an importance is.
    pub enum Importance {
        /// Number of splits.
        Split = "split",
        /// Sum of gains.
        Gain = "gain",
    }
}

params! {
    /// Parameters of LightGBM.
    pub struct LightGbmParams {
        /// What is minimised; none is regression, binary or multiclass.
        objective: Option<Loss> = None;
        /// gbdt; dart: rounds that leave earlier rounds out; rf: a random forest, each tree fitted to the first slopes and the answer their mean, without learning_rate and on a part of the rows (subsample below 1 with subsample_freq above 0) or of the columns (colsample_bytree below 1); goss: gbdt with data_sample_strategy goss.
        boosting_type: BoostingType = BoostingType::Gbdt;
        /// dart: chance of a round to be left out.
        drop_rate: f64 = 0.1, within(0.0, 1.0);
        /// dart: rounds left out at most; with 0 the first ends the draw, as in the program.
        max_drop: usize = 50, within(0.0, 100_000.0);
        /// dart: chance of a round to leave nothing out.
        skip_drop: f64 = 0.5, within(0.0, 1.0);
        /// dart: whether each round has the same chance, instead of one in proportion to its weight.
        uniform_drop: bool = false;
        /// dart: whether rounds are weighed as XGBoost does.
        xgboost_dart_mode: bool = false;
        /// Leaves of each tree at most.
        num_leaves: usize = 31, within(2.0, 131_072.0);
        /// Levels of each tree; -1 is no limit.
        max_depth: i64 = -1, within(-1.0, 1_000_000.0);
        /// Share of each tree that is added.
        learning_rate: f64 = 0.1, above_up_to(0.0, 100.0);
        /// Number of rounds (one tree each; for more than two labels one a label).
        n_estimators: usize = 100, within(1.0, 100_000.0);
        /// Gain that a split must exceed.
        min_split_gain: f64 = 0.0, at_least(0.0);
        /// Sum of hessians each side of a split must have.
        min_child_weight: f64 = 1e-3, at_least(0.0);
        /// Rows each side of a split must have, estimated from its share of the hessian.
        min_child_samples: usize = 20, at_least(0.0);
        /// Which rows a round sees: bagging or goss.
        data_sample_strategy: Strategy = Strategy::Bagging;
        /// Share of the rows that a draw of bagging takes.
        subsample: f64 = 1.0, above_up_to(0.0, 1.0);
        /// Rounds between draws of bagging; 0 draws nothing.
        subsample_freq: usize = 0, within(0.0, 100_000.0);
        /// goss: share of the rows with the largest gradients.
        top_rate: f64 = 0.2, inside(0.0, 1.0);
        /// goss: share of the rows drawn from the others.
        other_rate: f64 = 0.1, inside(0.0, 1.0);
        /// Share of the columns that a tree sees.
        colsample_bytree: f64 = 1.0, above_up_to(0.0, 1.0);
        /// Share of a tree's columns that a node sees.
        feature_fraction_bynode: f64 = 1.0, above_up_to(0.0, 1.0);
        /// Whether a node looks at one cut of each column only, which is drawn.
        extra_trees: bool = false;
        /// L1 penalty on the values of the leaves.
        reg_alpha: f64 = 0.0, at_least(0.0);
        /// L2 penalty on the values of the leaves.
        reg_lambda: f64 = 0.0, at_least(0.0);
        /// Largest value of a leaf before the learning rate; 0 is no limit.
        max_delta_step: f64 = 0.0, at_least(0.0);
        /// A leaf moves towards its parent as if it had so many rows more.
        path_smooth: f64 = 0.0, at_least(0.0);
        /// Whether a leaf adds a linear model of the columns of numbers on the way to it, instead of a constant, from the second round on; not for regression_l1, and without SHAP values.
        linear_tree: bool = false;
        /// linear_tree: L2 penalty on the coefficients.
        linear_lambda: f64 = 0.0, at_least(0.0);
        /// Bins of a column at most.
        max_bin: usize = 255, within(2.0, 65_000.0);
        /// Rows of a bin at least.
        min_data_in_bin: usize = 3, at_least(1.0);
        /// Whether columns that hardly ever differ from their usual bin in the same row are stored as one (EFB); of 10,000 rows one may be lost in each.
        enable_bundle: bool = true;
        /// Whether the sum of trees starts at the best constant instead of 0.
        boost_from_average: bool = true;
        /// Whether the rarer of two labels is raised to the weight of the other; not beside scale_pos_weight.
        is_unbalance: bool = false;
        /// Factor of the rows of the larger of two labels.
        scale_pos_weight: f64 = 1.0, above(0.0);
        /// balanced: each label counts the same in all; or a factor a label, written 0:1,1:2.5; none: each row counts the same.
        class_weight: Option<ClassWeight> = None;
        /// Where huber turns linear, and the quantile of quantile.
        alpha: f64 = 0.9, above(0.0);
        /// c of fair.
        fair_c: f64 = 1.0, above(0.0);
        /// poisson: the hessian is times e to this.
        poisson_max_delta_step: f64 = 0.7, above(0.0);
        /// The power of tweedie.
        tweedie_variance_power: f64 = 1.5, inside(1.0, 2.0);
        /// A sign a column, joined with commas: 1 rising, -1 falling, 0 free; none is all free.
        monotone_constraints: Option<Vec<i64>> = None, within(-1.0, 1.0);
        /// Groups of columns that may meet on the way to a leaf, by name or number from 0: 0,1;2,3; none is no limit.
        interaction_constraints: Option<ColumnGroups> = None;
        /// Columns of categories, by name or number from 0, joined with commas; none has none.
        categorical_feature: Option<Vec<String>> = None;
        /// Up to so many bins of a column of categories, that of the rest among them, one category is cut from all others.
        max_cat_to_onehot: usize = 4, within(1.0, 65_000.0);
        /// Categories that a cut sends left at most, where it sends several.
        max_cat_threshold: usize = 32, within(1.0, 65_000.0);
        /// Added to the hessian in the order of the categories; also the rows of a node that a category must have to go left.
        cat_smooth: f64 = 10.0, at_least(0.0);
        /// Added to reg_lambda in a cut that sends several categories left, and in the leaves it makes.
        cat_l2: f64 = 10.0, at_least(0.0);
        /// Rows from one cut between categories to the next that is looked at, and rows that it must leave on the right.
        min_data_per_group: usize = 100, within(1.0, 1_000_000_000.0);
        /// What early stopping looks at on the rows kept aside; none is that of the objective: l2, l1, huber, fair, poisson, quantile, mape, gamma, tweedie, binary_logloss or multi_logloss.
        metric: Option<Figure> = None;
        /// Stop when metric has not become better on the rows kept aside in so many rounds, and keep the best; none never stops early.
        early_stopping_round: Option<usize> = None, within(1.0, 100_000.0);
        /// What early stopping counts as better: more than this.
        early_stopping_min_delta: f64 = 0.0, at_least(0.0);
        /// Share of the rows, the last ones, that early stopping keeps aside.
        validation_fraction: f64 = 0.1, inside(0.0, 1.0);
        /// What feature_importances are: shares of the splits, or of the gain.
        importance_type: Importance = Importance::Split;
        /// Seed of the draws; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

/// Fitted state.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    pub(crate) boosted: Boosted,
    importances: Vec<f64>,
}

const CARD: Card = Card {
    id: "lightgbm",
    family: "tree",
    title: "LightGBM",
    tasks: &[Task::Regression, Task::Classification],
    inputs: Inputs::Features,
    summary: "Gradient boosting on histograms, each tree grown where the gain is largest, as the program LightGBM computes it: its bins, its estimated counts of rows, rows drawn by the size of their gradients (GOSS), sparse columns that exclude each other stored as one (EFB).",
    formula: "gain = G_L²/(H_L+λ) + G_R²/(H_R+λ) - G²/(H+λ) > min_split_gain, G shrunk by reg_alpha; leaf = -learning_rate · G/(H+λ); the leaf that gains most is split next; softmax hessians are times K/(K-1); categories of cat_smooth rows and more are in the order of G/(H+cat_smooth), and the first or the last of them go left, half of them and max_cat_threshold at most, with λ+cat_l2 for λ; up to max_cat_to_onehot bins one goes left; rare, missing and unknown categories go right; linear_tree: leaf = learning_rate · β'(x, 1), β = -(XᵀHX + linear_lambda · I)⁻¹ Xᵀg over the columns of numbers on the way to the leaf, I without the constant; a constant in the first round, where rows are too few, and for a row with a missing value among these columns",
    data: "Any table of numbers; NaN is a missing value; scale and monotone changes of a column do not matter, unless linear_tree is on.",
    cost: "fit O(T p n depth), predict O(rows · T · depth)",
    fails_when: "Rows are few and noise is large: 100 trees of 31 leaves then learn the noise. Lower num_leaves or n_estimators.",
    not_claimed: "The same bits as the program. A tree of rf that cannot be split counts without the start, as in the program. Rows, columns, rounds and cuts are drawn as the program draws them from the same seed on one thread. Categories are whole numbers from 0 for the program, which cuts off fractions and takes negative ones for missing; here every value is a category of its own. With mape and weights every hessian in a sum is that of the first row, as in the program where it adds up by column (force_col_wise). With mape and weights the program's answers hang on that and on counts it guesses, and it may stop in an error: about one fit of four differs. A round of DART that finds no cut: the program leaves the rounds it had left out with the sign turned, here they are weighed as ever. Cuts of monotone columns beside path_smooth that break the constraint, which the program takes. SHAP values of linear_tree, which the program refuses too.",
    source: "G. Ke et al., LightGBM: a highly efficient gradient boosting decision tree, NIPS (2017); Y. Shi, J. Li, Z. Li, Gradient boosting with piece-wise linear regression trees, IJCAI (2019), for linear_tree",
    reference: "lightgbm 4.7.0, LGBMRegressor and LGBMClassifier",
    outputs: &[
        (
            "decision",
            "labels: sum of the trees of each test row, for two labels the log odds of the larger one, else by label",
        ),
        (
            "feature_importances",
            "share of the splits (or of the gain), one a column, sum 1",
        ),
        ("n_estimators", "rounds that are kept"),
        (
            "best_score",
            "metric of the rounds that are kept on the rows kept aside; empty without early stopping",
        ),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "lightgbm 4.7.0, columns of five values",
            cases: "lightgbm-exact-spx-bins",
            tolerance: "probabilities 2e-5",
        },
        Evidence {
            against: "lightgbm 4.7.0, 20 refits",
            cases: "lightgbm-band-spx-reg, lightgbm-band-aapl-reg, lightgbm-band-spx-cls3",
            tolerance: "figures within three standard deviations, correlation of predictions 0.92 to 0.93",
        },
        Evidence {
            against: "lightgbm 4.7.0, one thread, the same seed",
            cases: "tests of this entry: bagging, GOSS, shares of columns by tree and node, extra_trees, DART, max_delta_step, path_smooth, monotone_constraints, missing values, regression_l1, quantile and mape with and without weights",
            tolerance: "predictions 1e-9",
        },
        Evidence {
            against: "lightgbm 4.7.0, linear_tree, one thread, the same seed",
            cases: "the cases of lightgbm of benches/peers/catalogue_trees.py; tests of crates/catalogue/src/tree/linear_leaves.rs: missing values, categories, weights, labels, bagging, GOSS, DART, quantile, poisson, monotone_constraints, early stopping, a model file read and written",
            tolerance: "predictions and probabilities 1e-9",
        },
        Evidence {
            against: "lightgbm 4.7.0, parameters at random",
            cases: "benches/peers/catalogue_trees.py: 300 of 300 cases (400 of each of the seeds 1, 2 and 3, of four programs)",
            tolerance: "predictions, probabilities and decision values 1e-6 of the largest",
        },
        Evidence {
            against: "lightgbm 4.7.0, boosting_type rf, one thread, the same seed",
            cases: "a test of this entry; and a comparison of 499 fits to random tables of 30 to 600 rows, each read from its text model file by the program too: nine losses, linear_tree, bags and shares of columns, weights, missing values, trees without a split",
            tolerance: "1e-9; of the comparison 493 within 1e-7, the others are mape with weights in bags",
        },
        Evidence {
            against: "lightgbm 4.7.0, tables of sparse columns, one thread",
            cases: "a test of this entry; and a comparison of 808 fits on random tables of 300 to 21,000 rows with one-hot columns, exclusive ones that clash in a few rows, missing values and categories, with enable_bundle and without, weights, max_bin 15 and 255, GOSS, bagging, DART, shares of columns, extra_trees",
            tolerance: "predictions and probabilities 1e-9",
        },
        Evidence {
            against: "lightgbm 4.7.0, categorical_feature, one thread",
            cases: "tests of this entry: 3, 8, 40 and 200 categories, with missing and unknown ones, weights, and each parameter of categories changed",
            tolerance: "predictions and probabilities 1e-9",
        },
        Evidence {
            against: "lightgbm 4.7.0, early stopping",
            cases: "a test of this entry; and a comparison of 87 fits, with and without weights: each metric with the objectives it is for, is_unbalance, scale_pos_weight, early_stopping_min_delta",
            tolerance: "the same rounds, score and predictions 1e-5",
        },
        Evidence {
            against: "lightgbm 4.7.0, predict(pred_contrib=True)",
            cases: "the cases of lightgbm of crates/catalogue/tests/data/shap.json",
            tolerance: "SHAP values 1e-6, and the sum of each row",
        },
    ],
    presets: &[],
    exemptions: &[],
};

/// A target or weight as the program keeps it: in single precision, where that can hold it.
fn short(v: f64) -> f64 {
    let short = f64::from(v as f32);
    if short.is_finite() { short } else { v }
}

impl LightGbmParams {
    fn loss(&self, classes: usize) -> Result<Objective, ParamError> {
        let refused = |field: &str, reason: &str| ParamError {
            field: field.into(),
            reason: reason.into(),
            suggestions: Vec::new(),
        };
        let default = match classes {
            0 => Loss::Regression,
            2 => Loss::Binary,
            _ => Loss::Multiclass,
        };
        let loss = self.objective.unwrap_or(default);
        let labels = matches!(loss, Loss::Binary | Loss::Multiclass);
        if labels != (classes > 0) || (loss == Loss::Binary && classes > 2) {
            return Err(refused(
                "objective",
                match classes {
                    0 => "does not fit regression: binary and multiclass are for labels",
                    2 => "does not fit two labels: use binary or multiclass",
                    _ => "does not fit more than two labels: use multiclass",
                },
            ));
        }
        if loss == Loss::RegressionL1 && self.linear_tree {
            return Err(refused(
                "linear_tree",
                "does not go with regression_l1, whose hessian says nothing: use another objective",
            ));
        }
        if self.monotone_constraints.is_some()
            && matches!(loss, Loss::Quantile | Loss::RegressionL1 | Loss::Mape)
        {
            return Err(refused(
                "monotone_constraints",
                "does not go with quantile, regression_l1 and mape, whose leaves are set to quantiles afterwards: use another objective",
            ));
        }
        if loss == Loss::Quantile && self.alpha >= 1.0 {
            return Err(refused("alpha", "the objective quantile takes one below 1"));
        }
        Ok(match loss {
            Loss::Regression => Objective::Squared,
            Loss::RegressionL1 => Objective::Absolute,
            Loss::Huber => Objective::Huber(self.alpha),
            Loss::Fair => Objective::Fair(self.fair_c),
            Loss::Mape => Objective::Mape,
            // The program keeps it in single precision, and 1 - alpha too.
            Loss::Quantile => Objective::Quantile(f64::from(self.alpha as f32)),
            Loss::Tweedie => Objective::Tweedie(self.tweedie_variance_power),
            Loss::Poisson => Objective::Poisson(self.poisson_max_delta_step),
            Loss::Gamma => Objective::Gamma,
            Loss::Binary => Objective::Logistic,
            Loss::Multiclass => Objective::Softmax(classes as f64 / (classes as f64 - 1.0)),
        })
    }

    /// Rows that each side of a split must have: where leaves are smoothed, two at least, and one where the
    /// hessian may be 0, as in the program.
    fn min_rows(&self) -> usize {
        const TINY: f64 = 1e-15;
        let least = match (self.path_smooth > TINY, self.min_child_weight <= TINY) {
            (true, _) => 2,
            (false, true) => 1,
            (false, false) => 0,
        };
        self.min_child_samples.max(least)
    }

    /// Refuses a forest all of whose trees would be alike.
    fn forest(&self, strategy: Strategy) -> Result<(), ParamError> {
        let rows = self.subsample < 1.0 && self.subsample_freq > 0;
        let reason = if strategy == Strategy::Goss {
            "rf does not go beside data_sample_strategy goss here: use bagging"
        } else if !rows && self.colsample_bytree >= 1.0 {
            "all trees of rf would be alike: give subsample below 1 with subsample_freq above 0, or colsample_bytree below 1"
        } else {
            return Ok(());
        };
        Err(ParamError {
            field: "boosting_type".into(),
            reason: reason.into(),
            suggestions: Vec::new(),
        })
    }

    /// What early stopping looks at.
    fn watched(&self, objective: Objective, labels: usize) -> Result<Metric, ParamError> {
        let default = match objective {
            Objective::Absolute => Figure::L1,
            Objective::Huber(_) => Figure::Huber,
            Objective::Fair(_) => Figure::Fair,
            Objective::Poisson(_) => Figure::Poisson,
            Objective::Quantile(_) => Figure::Quantile,
            Objective::Mape => Figure::Mape,
            Objective::Gamma => Figure::Gamma,
            Objective::Tweedie(_) => Figure::Tweedie,
            Objective::Logistic => Figure::BinaryLogLoss,
            Objective::Softmax(_) => Figure::MultiLogLoss,
            _ => Figure::L2,
        };
        let figure = self.metric.unwrap_or(default);
        let of_two = matches!(
            figure,
            Figure::BinaryLogLoss | Figure::BinaryError | Figure::Auc | Figure::AveragePrecision
        );
        let of_many = matches!(figure, Figure::MultiLogLoss | Figure::MultiError);
        let softmax = matches!(objective, Objective::Softmax(_));
        if labels > 0 && ((of_two && softmax) || (of_many && !softmax)) {
            return Err(ParamError {
                field: "metric".into(),
                reason: if softmax {
                    "this does not fit multiclass: use multi_logloss or multi_error"
                } else {
                    "this does not fit binary: use binary_logloss, binary_error, auc or average_precision"
                }
                .into(),
                suggestions: Vec::new(),
            });
        }
        let metric = match figure {
            Figure::L1 => Metric::LossOfAnswer(Objective::Absolute),
            Figure::L2 => Metric::SquaredError,
            Figure::Rmse => Metric::RootSquaredError,
            Figure::Quantile => Metric::LossOfAnswer(Objective::Quantile(self.alpha)),
            Figure::Mape => Metric::PercentageError(1.0),
            Figure::Huber => Metric::LossOfAnswer(Objective::Huber(self.alpha)),
            Figure::Fair => Metric::LossOfAnswer(Objective::Fair(self.fair_c)),
            Figure::Poisson => Metric::LossOfAnswer(Objective::Poisson(0.0)),
            Figure::Gamma => Metric::LossOfAnswer(Objective::Gamma),
            Figure::GammaDeviance => Metric::GammaDeviance {
                above: 0.0,
                summed: true,
            },
            Figure::Tweedie => {
                Metric::LossOfAnswer(Objective::Tweedie(self.tweedie_variance_power))
            }
            Figure::BinaryLogLoss | Figure::MultiLogLoss => Metric::LogLoss(1e-15),
            Figure::BinaryError | Figure::MultiError => Metric::Error(0.5),
            Figure::Auc => Metric::Auc { weighed: true },
            Figure::AveragePrecision => Metric::AveragePrecision,
        };
        metric.checked("metric", labels)
    }

    /// Where the sums start from an average.
    fn start(&self, objective: Objective, rows: &Rows<'_>, width: usize) -> Vec<f64> {
        let kept = |p: f64| p.clamp(1e-15, 1.0 - 1e-15);
        match objective {
            Objective::Absolute => vec![short(rows.quantile(0.5, Quantiles::Past))],
            Objective::Mape => {
                let pairs = rows.y.iter().zip(&rows.w);
                let weights: Vec<f64> = pairs.map(|(y, w)| weighed_mape(*y, *w)).collect();
                vec![short(boost::quantile(
                    &rows.y,
                    &weights,
                    true,
                    0.5,
                    Quantiles::AlwaysPast,
                ))]
            }
            Objective::Quantile(a) => vec![short(rows.quantile(a, Quantiles::Past))],
            Objective::Logistic => vec![objective.link(kept(rows.mean()))],
            Objective::Softmax(_) => rows
                .shares(width)
                .into_iter()
                .map(|p| kept(p).ln())
                .collect(),
            _ => vec![objective.link(rows.mean())],
        }
    }
}

impl Supervised for LightGbm {
    type Params = LightGbmParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;
    const MISSING: bool = true;

    fn fit(params: &LightGbmParams, data: &Training, seed: u64) -> Result<Fitted, FitError> {
        let classes = boost::classes(data)?;
        let objective = params.loss(classes.len())?;
        let metric = params.watched(objective, classes.len())?;
        if params.is_unbalance && params.scale_pos_weight != 1.0 {
            return Err(FitError::Param(ParamError {
                field: "is_unbalance".into(),
                reason: "does not go beside scale_pos_weight: give one of them".into(),
                suggestions: Vec::new(),
            }));
        }
        let strategy = match params.boosting_type {
            BoostingType::Goss => Strategy::Goss,
            _ => params.data_sample_strategy,
        };
        let forest = params.boosting_type == BoostingType::Rf;
        if forest {
            params.forest(strategy)?;
        }
        // Refuses a target that cannot be squared.
        Learned::new(data, Criterion::SquaredError)?;
        let weights = row_weights(data, params.class_weight.as_ref())?;
        let (n, p) = data.x().dim();
        let names = data.design().names();
        let (kept, aside) = match params.early_stopping_round {
            Some(_) => boost::keep_aside(data, params.validation_fraction, None)?,
            None => ((0..n).collect(), Vec::new()),
        };
        let rows_of = |which: &[usize]| {
            let mut rows = Rows::of(data, which);
            rows.w = which.iter().map(|i| short(weights[*i])).collect();
            rows.y.iter_mut().for_each(|y| *y = short(*y));
            rows
        };
        let mut rows = rows_of(&kept);
        if let Some(why) = objective.refuses(&rows.y) {
            return Err(FitError::Data(why));
        }
        let aside = params.early_stopping_round.map(|_| rows_of(&aside));
        let categories = boost::columns(
            "categorical_feature",
            params.categorical_feature.as_deref(),
            names,
        )?;
        let bins = Bins::Greedy(params.max_bin, params.min_data_in_bin);
        let (binned, lost) = Binned::light_gbm(
            &rows.x,
            bins,
            &categories,
            names,
            (params.min_rows(), params.enable_bundle),
        )?;
        if !lost.is_empty() {
            if params.linear_tree {
                rows.given = Some(rows.x.clone().into_owned());
            }
            // Rows that a tree did not see are sent down it as if these cells were what bundles hold.
            let x = rows.x.to_mut();
            lost.iter().for_each(|l| x[[l.row, l.column]] = l.value);
        }
        let width = match objective {
            Objective::Softmax(_) => classes.len(),
            _ => 1,
        };
        let monotone = params.monotone_constraints.as_deref();
        // The start and the metric do not know of raised labels.
        let average = params.start(objective, &rows, width);
        // Where no column can be split the program starts from it all the same.
        let (start, late_start) =
            if params.boost_from_average || binned.grouped_columns().is_empty() {
                (average, None)
            } else {
                (vec![0.0; width], (!forest).then_some(average))
            };
        if objective == Objective::Logistic {
            let larger = rows.y.iter().filter(|y| **y > 0.0).count() as f64;
            let smaller = rows.y.len() as f64 - larger;
            // Rows are counted here, whatever they weigh.
            let [low, high] = match larger > 0.0 && smaller > 0.0 {
                true if params.is_unbalance && larger > smaller => [larger / smaller, 1.0],
                true if params.is_unbalance => [1.0, smaller / larger],
                _ => [1.0, params.scale_pos_weight],
            };
            for (w, y) in rows.w.iter_mut().zip(&rows.y) {
                *w *= if *y > 0.0 { high } else { low };
            }
        }
        let spec = Spec {
            objective,
            classes,
            width,
            start,
            late_start,
            rounds: params.n_estimators,
            parallel: 1,
            learning_rate: if forest { 1.0 } else { params.learning_rate },
            config: Config {
                lambda: params.reg_lambda,
                alpha: params.reg_alpha,
                above: params.min_split_gain,
                gamma: 0.0,
                prune: false,
                min_hessian: params.min_child_weight,
                min_rows: params.min_rows() as f64,
                count_by_hessian: true,
                max_depth: usize::try_from(params.max_depth)
                    .ok()
                    .filter(|d| *d > 0)
                    .unwrap_or(usize::MAX),
                max_leaves: params.num_leaves,
                best_first: true,
                max_delta_step: params.max_delta_step,
                path_smooth: params.path_smooth,
                last_wins: true,
                monotone: boost::signs("monotone_constraints", monotone, p)?,
                groups: boost::groups(
                    "interaction_constraints",
                    params.interaction_constraints.as_ref(),
                    names,
                    false,
                    false,
                )?,
                categories: Categories::BothEnds(BothEnds {
                    one_hot: params.max_cat_to_onehot,
                    smooth: params.cat_smooth,
                    l2: params.cat_l2,
                    most: params.max_cat_threshold,
                    group: params.min_data_per_group as f64,
                }),
                by_tree: params.colsample_bytree,
                by_level: 1.0,
                by_node: params.feature_fraction_bynode,
                missing_to_larger: false,
                first_order: false,
                // A tree of rf without a split keeps what its rows ask for, in the program.
                lone_hessian: if forest { 0.0 } else { f64::INFINITY },
                extra_trees: params.extra_trees,
                alpha_on_values_only: false,
                // GOSS raises hessians: the program then looks at each.
                one_hessian: (objective == Objective::Mape && strategy != Strategy::Goss)
                    .then(|| rows.w[0] as f32),
                single: false,
            },
            single: false,
            sampling: match strategy {
                Strategy::Goss => Sampling::Largest(params.top_rate, params.other_rate),
                Strategy::Bagging if params.subsample < 1.0 && params.subsample_freq > 0 => {
                    Sampling::Share(params.subsample, params.subsample_freq)
                }
                Strategy::Bagging => Sampling::All,
            },
            quantiles: Quantiles::Past,
            renew: true,
            average: forest,
            dart: (params.boosting_type == BoostingType::Dart).then_some(Dart {
                rate: params.drop_rate,
                skip: params.skip_drop,
                most: params.max_drop,
                one: false,
                by_weight: !params.uniform_drop,
                weighing: if params.xgboost_dart_mode {
                    Weighing::Tree
                } else {
                    Weighing::Even
                },
                with_start: true,
            }),
            early: params.early_stopping_round.map(|patience| Early {
                metric,
                patience,
                tol: params.early_stopping_min_delta,
                keep_best: true,
            }),
            linear: params.linear_tree.then_some(params.linear_lambda),
        };
        let mut draws = Draws::light_gbm(
            run::effective_seed(params.seed, seed),
            &binned,
            params.colsample_bytree,
        );
        let boosted = boost::boost(&spec, &binned, &rows, aside.as_ref(), &mut draws)?;
        let (gains, splits) = boosted.use_of(p);
        Ok(Fitted {
            boosted,
            importances: shares(match params.importance_type {
                Importance::Split => splits,
                Importance::Gain => gains,
            }),
        })
    }
}

impl Foreign for LightGbm {
    const FORMAT: &'static str = "LightGBM's text model file";

    fn write_foreign(fitted: &Fitted, columns: usize) -> Result<String, FitError> {
        super::lightgbm_text::write(&fitted.boosted, columns)
    }

    fn read_foreign(text: &str) -> Result<(Fitted, usize), FitError> {
        let (boosted, columns) = super::lightgbm_text::read(text)?;
        let (_, splits) = boosted.use_of(columns);

        let importances = splits;
        let fitted = Fitted {
            boosted,
            importances: shares(importances),
        };
        Ok((fitted, columns))
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        Ok(self.boosted.predict(x))
    }

    fn contributions(&self, x: ArrayView2<'_, f64>) -> Result<Option<Contributions>, FitError> {
        self.boosted.contributions(x, true)
    }

    fn outputs(&self) -> Outputs {
        Outputs::from_iter([
            (
                "feature_importances".to_owned(),
                run::numbers(&self.importances),
            ),
            ("n_estimators".to_owned(), self.boosted.rounds().into()),
            ("best_score".to_owned(), self.boosted.best_score()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, products as table};
    use crate::tree::category_cases::assert_as_the_program;
    use mltrainer_catalogue_core::{Design, Params as _, threads};
    use ndarray::{Array2, Axis};
    use serde_json::{Value, json};

    /// Rounds that are kept of a regression.
    fn rounds_of(given: &Value) -> usize {
        let (x, y) = table();
        let design = Design::new(x, ('a'..='e').map(String::from).collect()).unwrap();
        let mut given = given.as_object().unwrap().clone();
        for (name, value) in [("n_estimators", 12), ("num_leaves", 8), ("seed", 5)] {
            given.entry(name).or_insert(value.into());
        }
        let params = LightGbmParams::from_map(&given).unwrap();
        let data = Training::regression(design, y).unwrap();
        LightGbm::fit(&params, &data, 0).unwrap().boosted.rounds()
    }

    fn first(given: Value, labels: bool) -> Vec<f64> {
        let (x, y) = table();
        let names = ('a'..='e').map(String::from).collect();
        let design = Design::new(x.clone(), names).unwrap();
        let mut given = given.as_object().unwrap().clone();
        for (name, value) in [
            ("n_estimators", 12),
            ("num_leaves", 8),
            ("min_child_samples", 10),
            ("seed", 5),
        ] {
            given.entry(name).or_insert(value.into());
        }
        let params = LightGbmParams::from_map(&given).unwrap();
        let data = if labels {
            // The median.
            let codes = y.iter().map(|y| f64::from(u8::from(*y > 2.0400390625)));
            Training::classification(design, codes.collect()).unwrap()
        } else {
            Training::regression(design, y).unwrap()
        };
        let fitted = LightGbm::fit(&params, &data, 0).unwrap();
        let p = fitted.predict(x.slice_axis(Axis(0), (..4).into())).unwrap();
        match p.probabilities {
            Some(p) => p.column(1).to_vec(),
            None => p.values,
        }
    }

    #[test]
    fn draws_are_those_of_the_program() {
        // lightgbm 4.7.0, LGBMRegressor(random_state=5, n_jobs=1, deterministic=True, n_estimators=12,
        // num_leaves=8, min_child_samples=10, ...) on the same table.
        for (given, want) in [
            (
                json!({"subsample": 0.6, "subsample_freq": 2}),
                [
                    0.5083222250781791,
                    0.9180861658811441,
                    3.2283147170566093,
                    1.1962155199517097,
                ],
            ),
            (
                json!({"data_sample_strategy": "goss", "learning_rate": 0.25}),
                [
                    -0.3773676985958408,
                    0.3185634389947023,
                    3.866079289720388,
                    1.2553800437908587,
                ],
            ),
            (
                json!({"colsample_bytree": 0.6}),
                [
                    0.7672091940267014,
                    1.3108236937994682,
                    2.9105889608991062,
                    1.476270376771337,
                ],
            ),
            (
                json!({"feature_fraction_bynode": 0.6}),
                [
                    0.5206640472360144,
                    0.9106685943516488,
                    2.8815315001905453,
                    1.4503224094945346,
                ],
            ),
            (
                json!({"extra_trees": true}),
                [
                    0.716125171359274,
                    0.8234084930063527,
                    3.1174003613775545,
                    1.305573340268442,
                ],
            ),
            (
                json!({"extra_trees": true, "colsample_bytree": 0.6, "subsample": 0.7, "subsample_freq": 1}),
                [
                    1.0238724338149388,
                    1.4663955671847175,
                    3.405101180441497,
                    1.5741978826820393,
                ],
            ),
            (
                json!({"boosting_type": "dart", "drop_rate": 0.4}),
                [
                    0.19423071338716996,
                    0.25438833986066983,
                    1.9726118305561633,
                    0.8641757542412569,
                ],
            ),
            (
                json!({"boosting_type": "dart", "drop_rate": 0.4, "uniform_drop": true}),
                [
                    0.13491532923657046,
                    0.26886283745291345,
                    1.9215481962720107,
                    0.8465218738450109,
                ],
            ),
            (
                json!({"boosting_type": "dart", "drop_rate": 0.4, "xgboost_dart_mode": true, "max_drop": 2}),
                [
                    1.0248608068690992,
                    1.116668665490437,
                    2.7192633799328925,
                    1.7489933239013338,
                ],
            ),
        ] {
            assert_near(&first(given, false), &want, 1e-9);
        }
    }

    #[test]
    fn forests_are_those_of_the_program() {
        // lightgbm 4.7.0, LGBMRegressor(random_state=5, n_jobs=1, deterministic=True, n_estimators=12,
        // num_leaves=8, min_child_samples=10, ...) on the same table. In the third some trees are not split.
        for (given, want) in [
            (
                json!({"boosting_type": "rf", "subsample": 0.6, "subsample_freq": 2}),
                [
                    -0.025_594_153_468_982_6,
                    0.128_062_689_179_590_88,
                    2.907_972_371_124_316_6,
                    1.159_010_588_631_456_1,
                ],
            ),
            (
                json!({"boosting_type": "rf", "colsample_bytree": 0.6, "objective": "quantile", "alpha": 0.8}),
                [
                    2.797_037_798_096_426,
                    3.172_656_315_825_103_3,
                    3.690_820_355_676_502_5,
                    2.597_428_413_612_457_5,
                ],
            ),
            (
                json!({"boosting_type": "rf", "subsample": 0.6, "subsample_freq": 1, "min_child_samples": 90}),
                [
                    0.754_944_337_346_084_1,
                    1.820_888_157_980_714_6,
                    1.765_446_533_557_846_4,
                    0.964_032_080_403_969_8,
                ],
            ),
            (
                json!({"boosting_type": "goss", "learning_rate": 0.25}),
                [
                    -0.377_367_698_595_840_8,
                    0.318_563_438_994_702_3,
                    3.866_079_289_720_388,
                    1.255_380_043_790_858_7,
                ],
            ),
        ] {
            assert_near(&first(given, false), &want, 1e-9);
        }
        // LGBMClassifier.
        let given = json!({"boosting_type": "rf", "subsample": 0.6, "subsample_freq": 1});
        assert_near(
            &first(given, true),
            &[
                0.123_721_280_788_398_04,
                0.161_507_832_925_777_6,
                0.839_912_458_127_170_3,
                0.145_971_888_770_714_07,
            ],
            1e-9,
        );
        let (x, y) = table();
        let names = ('a'..='e').map(String::from).collect();
        let data = Training::regression(Design::new(x, names).unwrap(), y).unwrap();
        let fit = |given: Value| {
            let params = LightGbmParams::from_map(given.as_object().unwrap()).unwrap();
            LightGbm::fit(&params, &data, 5)
        };
        // The file says that answers are means.
        let fitted = fit(json!({
            "boosting_type": "rf", "n_estimators": 12, "subsample": 0.6, "subsample_freq": 1,
            "min_child_samples": 90
        }))
        .unwrap();
        let text = LightGbm::write_foreign(&fitted, 5).unwrap();
        assert!(text.contains("\naverage_output\n"));
        let (read, _) = LightGbm::read_foreign(&text).unwrap();
        let predict = |fitted: &Fitted| fitted.predict(data.x().view()).unwrap().values;
        assert_near(&predict(&read), &predict(&fitted), 1e-12);
        let refused = fit(json!({"boosting_type": "rf"})).err().unwrap();
        assert_eq!(
            refused.to_string(),
            "parameter boosting_type: all trees of rf would be alike: give subsample below 1 with subsample_freq above 0, or colsample_bytree below 1"
        );
    }

    #[test]
    fn leaves_whose_rows_weigh_one_are_weighed_all_the_same() {
        // lightgbm 4.7.0, LGBMRegressor(objective="regression_l1", n_estimators=12, num_leaves=40,
        // min_child_samples=2, ...).fit(..., sample_weight): every third row weighs 2, the others 1.
        let (x, y) = table();
        let names = ('a'..='e').map(String::from).collect();
        let weights = (0..300)
            .map(|i| if i % 3 == 0 { 2.0 } else { 1.0 })
            .collect();
        let design = Design::new(x.clone(), names).unwrap();
        let data = Training::regression(design, y)
            .unwrap()
            .with_weights(weights)
            .unwrap();
        let given = json!({
            "objective": "regression_l1", "n_estimators": 12, "num_leaves": 40, "min_child_samples": 2
        });
        let params = LightGbmParams::from_map(given.as_object().unwrap()).unwrap();
        let fitted = LightGbm::fit(&params, &data, 5).unwrap();
        let p = fitted.predict(x.slice_axis(Axis(0), (..4).into())).unwrap();
        assert_near(
            &p.values,
            &[
                0.265_258_620_017_619_13,
                0.168_231_069_548_185_45,
                2.899_632_052_284_124,
                1.261_193_994_007_969_7,
            ],
            1e-9,
        );
    }

    #[test]
    fn a_first_tree_without_a_split_starts_from_the_average() {
        // lightgbm 4.7.0, LGBMRegressor(boost_from_average=False, subsample=0.5, subsample_freq=1,
        // min_child_samples=140, ...): 2.408271484375 everywhere, the mean of the target. No column can be
        // split so that 140 of the 150 rows or so of a draw lie on each side.
        let given = json!({
            "boost_from_average": false, "subsample": 0.5, "subsample_freq": 1, "min_child_samples": 140
        });
        assert_near(&first(given, false), &[2.408_271_484_375; 4], 1e-12);
    }

    #[test]
    fn categories_are_cut_as_the_program_does() {
        // lightgbm 4.7.0, LGBMRegressor and LGBMClassifier(n_estimators=8, num_leaves=8, n_jobs=1,
        // deterministic=True, ...).fit(..., categorical_feature=[0]) on the table of
        // `category_cases`; the seed is its random_state.
        for (many, mut given, labels, weighed, want) in [
            (
                3,
                json!({}),
                false,
                false,
                [
                    2.6296396654345764,
                    3.505193354118304,
                    2.8467225751241627,
                    3.2188448874790963,
                    2.6296396654345764,
                    2.6296396654345764,
                ],
            ),
            (
                8,
                json!({}),
                false,
                false,
                [
                    2.9948635691748167,
                    3.6696620496387014,
                    3.555064039014969,
                    3.3652842187237537,
                    3.897943291165107,
                    3.897943291165107,
                ],
            ),
            (
                8,
                json!({"max_cat_to_onehot": 12}),
                true,
                true,
                [
                    0.2891143963199806,
                    0.334761192458148,
                    0.48111679195303086,
                    0.38146521062544936,
                    0.6435184918097109,
                    0.6435184918097109,
                ],
            ),
            (
                40,
                json!({}),
                false,
                true,
                [
                    3.514914000706029,
                    4.566568163266499,
                    4.600716803285665,
                    5.70365904563634,
                    3.5496507009413474,
                    3.5496507009413474,
                ],
            ),
            (
                40,
                json!({"min_data_per_group": 20, "cat_smooth": 4.0, "cat_l2": 1.0}),
                true,
                false,
                [
                    0.41095239928201693,
                    0.7664761166854758,
                    0.7664761166854758,
                    0.7664761166854758,
                    0.521599934861585,
                    0.521599934861585,
                ],
            ),
            (
                40,
                json!({"max_cat_threshold": 3, "cat_smooth": 2.0, "min_data_per_group": 5}),
                false,
                false,
                [
                    3.4890363854226596,
                    4.637226036119022,
                    5.219351008411878,
                    5.295110063806177,
                    3.4890363854226596,
                    3.4890363854226596,
                ],
            ),
            (
                200,
                json!({"min_data_per_group": 10, "cat_smooth": 1.0, "min_data_in_bin": 1, "min_child_samples": 5, "max_bin": 100}),
                false,
                false,
                [
                    3.429582587325124,
                    4.357061745578729,
                    5.262020166710247,
                    3.283078043163078,
                    3.824192039675266,
                    3.824192039675266,
                ],
            ),
            (
                3,
                json!({"extra_trees": true, "seed": 5}),
                false,
                false,
                [
                    2.4989071925200377,
                    3.2410856452249117,
                    2.8335225731017255,
                    3.439354375003676,
                    2.6453877508786943,
                    2.6453877508786943,
                ],
            ),
            (
                40,
                json!({"extra_trees": true, "seed": 5, "min_data_per_group": 20, "cat_smooth": 4.0}),
                false,
                false,
                [
                    3.3838670034480067,
                    4.260935268534407,
                    4.933079605340623,
                    5.054738096751616,
                    3.625404048880974,
                    3.625404048880974,
                ],
            ),
        ] {
            given["categorical_feature"] = json!("0");
            given["n_estimators"] = json!(8);
            given["num_leaves"] = json!(8);
            let case = (many, labels, weighed);
            assert_as_the_program::<LightGbm>(case, &given, &want, 1e-9);
        }
    }

    #[test]
    fn missing_numbers_on_both_sides_of_zero_as_the_program() {
        // lightgbm 4.7.0, LGBMRegressor and LGBMClassifier(n_estimators=12, num_leaves=8, min_child_samples=10, n_jobs=1,
        // deterministic=True). The bin of 0 is what the others leave, that of missing values among them.
        let (x, y) = table();
        let mut x = x - 6.0;
        for i in 0..300 {
            if (i * 5) % 7 == 1 {
                x[[i, 0]] = f64::NAN;
            }
            if (i * 3) % 11 == 2 {
                x[[i, 2]] = f64::NAN;
            }
        }
        for (labels, want) in [
            (
                false,
                [
                    0.5931428334367685,
                    1.0262088084139553,
                    3.374124674705697,
                    1.2166140446290048,
                    1.3206503809101477,
                    4.4247839512188305,
                ],
            ),
            (
                true,
                [
                    0.1852851741518747,
                    0.246157278448637,
                    0.7799924707896764,
                    0.19084903842780962,
                    0.24206248553668533,
                    0.8461023418252219,
                ],
            ),
        ] {
            let names = ('a'..='e').map(String::from).collect();
            let design = Design::with_missing(x.clone(), names).unwrap();
            let data = if labels {
                // The median.
                let codes = y.iter().map(|y| f64::from(u8::from(*y > 2.0400390625)));
                Training::classification(design, codes.collect()).unwrap()
            } else {
                Training::regression(design, y.clone()).unwrap()
            };
            let given = json!({"n_estimators": 12, "num_leaves": 8, "min_child_samples": 10});
            let params = LightGbmParams::from_map(given.as_object().unwrap()).unwrap();
            let fitted = LightGbm::fit(&params, &data, 0).unwrap();
            let said = fitted.predict(x.slice_axis(Axis(0), (..6).into())).unwrap();
            let values = match said.probabilities {
                Some(p) => p.column(1).to_vec(),
                None => said.values,
            };
            assert_near(&values, &want, 1e-9);
        }
    }

    /// Six columns of a code, three that exclude each other but for row 17, two whose usual value is not 0,
    /// and a dense one.
    fn sparse_table(n: usize) -> (Array2<f64>, Vec<f64>) {
        let code = |i: usize| (i * i * 7 + 3 * i + i / 7) % 6;
        let own = |i: usize| ((i * 31) % 53) as f64 / 16.0 + 0.25;
        let x = Array2::from_shape_fn((n, 12), |(i, j)| match j {
            0..6 => f64::from(u8::from(code(i) == j)),
            6 if i == 17 => 3.0,
            7 if i == 17 => -2.0,
            6..9 if i % 3 == j - 6 => own(i),
            6..9 => 0.0,
            9 if (i * 13) % 29 == 4 => ((i * 5) % 7) as f64 - 3.0,
            9 => 7.0,
            10 if (i * 13) % 29 == 9 => ((i * 11) % 13) as f64 / 4.0,
            10 => f64::NAN,
            _ => ((i * 17 + (i * i) % 11) % 97) as f64 / 8.0,
        });
        let y = (0..n)
            .map(|i| {
                let third = if i % 3 == 1 { own(i) } else { -own(i) / 2.0 };
                let known = if x[[i, 10]].is_nan() { 0.0 } else { x[[i, 10]] };
                ((code(i) * 5) % 7) as f64 / 2.0
                    + third
                    + known
                    + x[[i, 9]] / 4.0
                    + ((i * i) % 37) as f64 / 18.0
                    + x[[i, 11]] / 16.0
            })
            .collect();
        (x, y)
    }

    #[test]
    fn bundled_columns_as_the_program() {
        // lightgbm 4.7.0, LGBMRegressor(random_state=5, n_jobs=1, deterministic=True, force_col_wise=True,
        // n_estimators=12, num_leaves=8, ...): rows 0, 1, 2 and 17. Of 10,000 rows the program may lose one
        // in each bundle, and loses columns 6 and 7 of row 17: with enable_bundle=False it answers otherwise.
        // With extra_trees the order of its groups shows.
        for (n, mut given, want) in [
            (
                300,
                json!({"extra_trees": true}),
                [
                    3.1696498435983855,
                    6.3060888290759,
                    5.235613688141364,
                    2.694620437570518,
                ],
            ),
            (
                300,
                json!({"extra_trees": true, "enable_bundle": false}),
                [
                    3.035210287611396,
                    6.244594089051023,
                    5.241212748412032,
                    2.8665228892209287,
                ],
            ),
            (
                300,
                json!({"colsample_bytree": 0.5, "subsample": 0.7, "subsample_freq": 1}),
                [
                    3.2254804064479337,
                    6.358935644705341,
                    5.056746373665463,
                    2.753040231208542,
                ],
            ),
            (
                10_000,
                json!({}),
                [
                    2.9767020503789507,
                    6.965644569520818,
                    4.9484571293304,
                    2.889730682323466,
                ],
            ),
            (
                10_000,
                json!({"enable_bundle": false}),
                [
                    2.9767020503789507,
                    6.965644569520818,
                    4.9484571293304,
                    2.889706787800696,
                ],
            ),
            (
                10_000,
                json!({"data_sample_strategy": "goss", "learning_rate": 0.5}),
                [
                    2.4243170138788024,
                    8.47784015625857,
                    5.6990431879569305,
                    0.9022036818736191,
                ],
            ),
            (
                10_000,
                json!({"boosting_type": "dart", "drop_rate": 0.5, "skip_drop": 0.0}),
                [
                    0.5828397218740369,
                    1.8752170842243934,
                    1.2326353858666448,
                    0.5828397218740369,
                ],
            ),
        ] {
            given["n_estimators"] = json!(12);
            given["num_leaves"] = json!(8);
            given["seed"] = json!(5);
            let (x, y) = sparse_table(n);
            let names = ('a'..='l').map(String::from).collect();
            let design = Design::with_missing(x.clone(), names).unwrap();
            let data = Training::regression(design, y).unwrap();
            let params = LightGbmParams::from_map(given.as_object().unwrap()).unwrap();
            let rows = x.select(Axis(0), &[0, 1, 2, 17]);
            for threads in [1, 2] {
                let fitted = threads::grant(threads, || LightGbm::fit(&params, &data, 0)).unwrap();
                assert_near(&fitted.predict(rows.view()).unwrap().values, &want, 1e-9);
            }
        }
    }

    #[test]
    fn a_tree_without_a_cut_adds_nothing_and_is_taken_back() {
        // The same, LGBMRegressor(random_state=5, n_jobs=1, deterministic=True, n_estimators=12, num_leaves=8, ...)
        // and the number of its trees. A quantile of the residuals is no answer of a tree that has no cut, and rows
        // are drawn anew after one.
        for (given, want, rounds) in [
            (
                json!({"objective": "quantile", "alpha": 0.7, "min_child_samples": 130, "extra_trees": true}),
                [
                    2.955617403270742,
                    3.1883275292849564,
                    3.87601007521823,
                    3.2098938951560623,
                ],
                8,
            ),
            (
                json!({"min_child_samples": 125, "subsample": 0.85, "subsample_freq": 4, "colsample_bytree": 0.3, "max_bin": 7}),
                [
                    2.230840434960744,
                    2.6134446879971116,
                    2.6491661813266805,
                    2.195118941631175,
                ],
                5,
            ),
            (
                json!({"objective": "regression_l1", "min_child_samples": 151}),
                [2.0400390625; 4],
                1,
            ),
        ] {
            assert_near(&first(given.clone(), false), &want, 1e-9);
            assert_eq!(rounds_of(&given), rounds, "{given}");
        }
    }

    #[test]
    fn few_rows_of_a_leaf_are_raised_as_in_the_program() {
        // The same with min_child_samples=1, which path_smooth raises to 2; 0 goes to 1 without min_child_weight.
        for (given, want) in [
            (
                json!({"path_smooth": 3.0, "min_child_samples": 1}),
                [
                    0.5466933431132128,
                    0.6580421733762973,
                    3.2166685842133202,
                    1.5293033986880908,
                ],
            ),
            (
                json!({"path_smooth": 3.0, "min_child_samples": 1, "extra_trees": true}),
                [
                    0.9367293746724333,
                    0.9676404518006104,
                    3.1083519404359965,
                    1.2076783733598933,
                ],
            ),
            (
                json!({"min_child_samples": 0, "min_child_weight": 0.0, "num_leaves": 40}),
                [
                    -0.24296404380085102,
                    0.6191098386183495,
                    3.1529741458723755,
                    1.474564235715297,
                ],
            ),
        ] {
            assert_near(&first(given, false), &want, 1e-9);
        }
    }

    #[test]
    fn mape_takes_the_hessians_that_the_program_takes() {
        // The same with objective="mape": GOSS looks at every hessian.
        let given =
            json!({"objective": "mape", "data_sample_strategy": "goss", "learning_rate": 0.5});
        let want = [
            0.19297645007461797,
            -0.6645862771308919,
            1.9352006834058115,
            0.3768428042677816,
        ];
        assert_near(&first(given, false), &want, 1e-9);
    }

    #[test]
    fn of_like_gains_a_rising_column_comes_first() {
        // The same with min_child_samples=5 on the table whose fourth column is twice the first: all their
        // cuts gain alike.
        let (mut x, y) = table();
        x.rows_mut().into_iter().for_each(|mut r| r[3] = 2.0 * r[0]);
        let design = Design::new(x.clone(), ('a'..='e').map(String::from).collect()).unwrap();
        let data = Training::regression(design, y).unwrap();
        for (signs, want) in [
            (
                "0,0,0,-1,0",
                [
                    0.7359963426193544,
                    0.7567187733367402,
                    3.282948519800633,
                    1.484026360081405,
                ],
            ),
            (
                "0,0,0,1,0",
                [
                    0.8197962811431299,
                    0.830676287873537,
                    2.950308601665108,
                    1.6541356957097166,
                ],
            ),
        ] {
            let given = json!({"monotone_constraints": signs, "n_estimators": 12, "num_leaves": 8, "min_child_samples": 5});
            let params = LightGbmParams::from_map(given.as_object().unwrap()).unwrap();
            let fitted = LightGbm::fit(&params, &data, 0).unwrap();
            let said = fitted.predict(x.slice_axis(Axis(0), (..4).into())).unwrap();
            assert_near(&said.values, &want, 1e-9);
        }
    }

    #[test]
    fn columns_do_not_rise_where_leaves_are_set_to_quantiles() {
        // LightGBM 4.7.0: "Cannot use monotone_constraints in quantile objective".
        for objective in ["quantile", "regression_l1", "mape"] {
            let given = json!({"monotone_constraints": "1,0,0,0,0", "objective": objective});
            let params = LightGbmParams::from_map(given.as_object().unwrap()).unwrap();
            let refused = params.loss(0).unwrap_err();
            assert_eq!(refused.field, "monotone_constraints");
        }
    }

    #[test]
    fn trees_go_on_after_one_that_found_no_cut() {
        // lightgbm 4.7.0, LGBMRegressor(random_state=5, n_jobs=1, deterministic=True, n_estimators=12,
        // num_leaves=8, extra_trees=True, min_child_samples=120): three trees have no cut, as those that were
        // drawn leave too few rows; the next tree draws others.
        let given = json!({"extra_trees": true, "min_child_samples": 120});
        let want = [
            1.7187438878537566,
            2.1592092831901204,
            2.6353044760581597,
            2.18521446381346,
        ];
        assert_near(&first(given, false), &want, 1e-9);
    }

    #[test]
    fn rising_and_falling_columns_as_the_program() {
        // lightgbm 4.7.0, LGBMRegressor(random_state=5, n_jobs=1, deterministic=True, n_estimators=12,
        // num_leaves=8, min_child_samples=10, monotone_constraints=[1, 1, -1, 0, 0], ...).
        for (mut given, want) in [
            (
                json!({}),
                [
                    0.49928271037799177,
                    1.1697907905466303,
                    2.9369519612316113,
                    1.9143794678066135,
                ],
            ),
            (
                json!({"max_delta_step": 0.3}),
                [
                    2.0482714843750025,
                    2.108271484375002,
                    2.332596571693871,
                    2.3482714843750006,
                ],
            ),
            (
                json!({"path_smooth": 3.0}),
                [
                    0.515792110008877,
                    1.1592673702640572,
                    2.94720816486192,
                    1.8603723507793903,
                ],
            ),
        ] {
            given["monotone_constraints"] = json!("1,1,-1,0,0");
            assert_near(&first(given, false), &want, 1e-9);
        }
    }

    #[test]
    fn limited_and_smoothed_leaves_are_those_of_the_program() {
        // The same, and LGBMClassifier, where rows are counted by their hessian.
        for (given, labels, want) in [
            (
                json!({"max_delta_step": 0.2}),
                false,
                [
                    2.168271484375,
                    2.168271484375,
                    2.2733602369949226,
                    2.168271484375,
                ],
            ),
            (
                json!({"path_smooth": 3.0}),
                false,
                [
                    0.5593981215391384,
                    0.6894877797215782,
                    3.2378608704206897,
                    1.536386007305164,
                ],
            ),
            (
                json!({"path_smooth": 3.0, "extra_trees": true}),
                false,
                [
                    0.8129283095338274,
                    0.8587391377587585,
                    3.071289668847885,
                    1.3877190887057629,
                ],
            ),
            (
                json!({"max_delta_step": 0.2, "path_smooth": 3.0}),
                false,
                [
                    2.1682966740203558,
                    2.1682966740203558,
                    2.2069701701614095,
                    2.203048057144322,
                ],
            ),
            (
                json!({"max_delta_step": 0.2, "path_smooth": 3.0, "reg_lambda": 1.0, "reg_alpha": 0.5}),
                false,
                [
                    2.1683434848596135,
                    2.1683434848596135,
                    2.182554014191046,
                    2.203045059420637,
                ],
            ),
            (
                json!({"extra_trees": true}),
                true,
                [
                    0.1975255167533813,
                    0.25754759209553374,
                    0.7413198129487455,
                    0.27187865099997005,
                ],
            ),
            (
                json!({"path_smooth": 3.0}),
                true,
                [
                    0.1579756989661505,
                    0.18170518948505415,
                    0.7802012367956095,
                    0.21480041738434583,
                ],
            ),
            (
                json!({"path_smooth": 3.0, "extra_trees": true}),
                true,
                [
                    0.20898949640734704,
                    0.21338381975376328,
                    0.6861498757929506,
                    0.30895036793736236,
                ],
            ),
        ] {
            assert_near(&first(given, labels), &want, 1e-9);
        }
    }

    #[test]
    fn a_side_with_just_enough_rows_counts() {
        // lightgbm 4.7.0, LGBMRegressor(n_jobs=1, deterministic=True, n_estimators=12, num_leaves=12,
        // min_child_samples=5, reg_lambda=1, learning_rate=0.3) on 150 rows, columns and target by formula:
        // sides of five rows, of which one is in the bin that is not summed.
        let x = Array2::from_shape_fn((150, 2), |(i, j)| {
            (i as f64 * (1.0 + 0.37 * j as f64) + j as f64).sin()
        });
        let y = (0..150)
            .map(|i| x[[i, 0]] * x[[i, 1]] + 0.3 * (i as f64 * 7.3).sin())
            .collect();
        let design = Design::new(x.clone(), vec!["a".into(), "b".into()]).unwrap();
        let data = Training::regression(design, y).unwrap();
        let given = json!({"n_estimators": 12, "num_leaves": 12, "min_child_samples": 5, "reg_lambda": 1.0, "learning_rate": 0.3});
        let params = LightGbmParams::from_map(given.as_object().unwrap()).unwrap();
        let fitted = LightGbm::fit(&params, &data, 0).unwrap();
        let said = fitted.predict(x.slice_axis(Axis(0), (..4).into())).unwrap();
        let want = [
            -0.019382786877736428,
            0.6674933567467072,
            -0.28891274973864306,
            -0.10671907837416304,
        ];
        assert_near(&said.values, &want, 1e-9);
    }

    #[test]
    fn leaves_set_to_quantiles_are_those_of_the_program() {
        // lightgbm 4.7.0, LGBMRegressor(random_state=5, n_jobs=1, deterministic=True, n_estimators=12,
        // num_leaves=8, min_child_samples=10, ...) on the same table, row i with the weight
        // (7 i mod 11 + 1) / by.
        for (objective, by, alpha, want) in [
            (
                "regression_l1",
                4.0,
                0.9,
                [
                    0.48885532767402884,
                    0.575449037327271,
                    2.9764292257481997,
                    1.1919470053918566,
                ],
            ),
            (
                "regression_l1",
                3.0,
                0.9,
                [
                    0.48885391974127734,
                    0.5755508463217115,
                    2.9764593493022735,
                    1.1919470018019223,
                ],
            ),
            (
                "quantile",
                0.0,
                0.3,
                [
                    -0.19509281401552825,
                    -0.1712788047438752,
                    2.1829315640853606,
                    0.5152315725392556,
                ],
            ),
            (
                "quantile",
                3.0,
                0.3,
                [
                    -0.129830150617416,
                    -0.3134942980498468,
                    2.0412796592788043,
                    0.40852560325869447,
                ],
            ),
            (
                "quantile",
                10.0,
                0.9,
                [
                    4.052969091237952,
                    4.052969091237952,
                    4.659782932609331,
                    4.202560056909431,
                ],
            ),
            (
                "mape",
                0.0,
                0.9,
                [
                    0.08829449327123957,
                    0.01636501073849783,
                    1.7221236611443353,
                    0.5383458571722927,
                ],
            ),
            (
                "mape",
                4.0,
                0.9,
                [
                    0.23528653501346272,
                    0.0036188525836349647,
                    1.8050100999491803,
                    0.526708530296675,
                ],
            ),
            (
                "mape",
                3.0,
                0.9,
                [
                    0.22036338105366174,
                    0.008232710739567597,
                    1.8254301244331315,
                    0.5227862023700168,
                ],
            ),
            (
                "regression",
                3.0,
                0.9,
                [
                    0.788020547705283,
                    0.5360593469868642,
                    2.975457275585483,
                    1.5000215262239822,
                ],
            ),
        ] {
            let (x, y) = table();
            let design = Design::new(x.clone(), ('a'..='e').map(String::from).collect()).unwrap();
            let mut data = Training::regression(design, y).unwrap();
            if by > 0.0 {
                let weights = (0..300).map(|i| ((i * 7) % 11 + 1) as f64 / by).collect();
                data = data.with_weights(weights).unwrap();
            }
            let given = json!({"objective": objective, "alpha": alpha, "n_estimators": 12, "num_leaves": 8, "min_child_samples": 10, "seed": 5});
            let params = LightGbmParams::from_map(given.as_object().unwrap()).unwrap();
            let fitted = LightGbm::fit(&params, &data, 0).unwrap();
            let said = fitted.predict(x.slice_axis(Axis(0), (..4).into())).unwrap();
            assert_near(&said.values, &want, 1e-9);
        }
    }

    #[test]
    fn early_stopping_looks_at_what_the_program_does() {
        // lightgbm 4.7.0, LGBMRegressor and LGBMClassifier(n_estimators=40, num_leaves=6,
        // min_child_samples=10, n_jobs=1, ...) on the first 225 rows, eval_set the others, callback
        // early_stopping(5): best_iteration_ and best_score_.
        let x = Array2::from_shape_fn((300, 5), |(i, j)| crate::testing::eighths(i, j));
        let y: Vec<f64> = (0..300)
            .map(|i| ((i * 31) % 53) as f64 / 16.0 + x[[i, 0]] * x[[i, 1]] / 16.0 - x[[i, 2]] / 4.0)
            .collect();
        let cases = [
            ("as it is", json!({}), 27, 1.597025429732952),
            ("as it is", json!({"metric": "mape"}), 19, 0.508181457026111),
            (
                "above 0",
                json!({"objective": "gamma", "metric": "gamma_deviance"}),
                6,
                20.58333081013138,
            ),
            (
                "above 0",
                json!({"objective": "tweedie", "metric": "poisson"}),
                12,
                -0.3841057253487135,
            ),
            (
                "two",
                json!({"metric": "average_precision"}),
                6,
                0.9005682614471745,
            ),
            ("two", json!({"metric": "auc"}), 6, 0.9290123456790124),
            ("two", json!({"is_unbalance": true}), 40, 0.2868730906336885),
            (
                "as it is",
                json!({"early_stopping_min_delta": 0.02}),
                19,
                1.628639177214839,
            ),
            ("three", json!({"metric": "multi_error"}), 3, 0.4),
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
            for (name, value) in [
                ("n_estimators", json!(40)),
                ("num_leaves", json!(6)),
                ("min_child_samples", json!(10)),
                ("early_stopping_round", json!(5)),
                ("validation_fraction", json!(0.25)),
            ] {
                given[name] = value;
            }
            let params = LightGbmParams::from_map(given.as_object().unwrap()).unwrap();
            let outputs = LightGbm::fit(&params, &data, 0).unwrap().outputs();
            assert_eq!(outputs["n_estimators"], rounds, "{given}");
            let had = outputs["best_score"][0].as_f64().unwrap();
            assert!((had - score).abs() < 1e-6 * score.abs(), "{had} {given}");
        }
    }
}
