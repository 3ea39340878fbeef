//! Histogram gradient boosting.
//!
//! What: gradient boosting on columns cut into at most 255 bins, trees grown best leaf first.
//! Formula: leaf -G/(H+λ), gain G²/(H+λ) of both sides less that of the node.
//! Data: any table of numbers, missing values and columns of categories among them.
//! Cost: fit O(T p n depth), predict O(rows T depth).
//! Fails when: rows are few and noise is large: it then learns the noise.
//! Source: Ke et al., LightGBM, NIPS (2017); scikit-learn.
//! Not claimed: values outside those of training.

use super::boost::{self, Boosted, ColumnGroups, Early, Quantiles, Rows, Sampling, Spec};
use super::draws::Draws;
use super::engine::{Criterion, Learned};
use super::histogram::{Binned, Bins, Categories, Config};
use super::metrics::Metric;
use super::objective::Objective;
use crate::class_weight::{ClassWeight, row_weights};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Contributions, Entry, FitError, Inputs, Outputs, ParamError, Prediction, Predictor,
    Supervised, Training, choices, params, run,
};
use mltrainer_types::catalogue::Task;
use ndarray::ArrayView2;
use rand::SeedableRng as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// The handle.
pub struct HistGradientBoosting;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<HistGradientBoosting>();

choices! {
    /// What is minimised.
    pub enum Loss {
        /// Pinball loss of the quantile; regression.
        Quantile = "quantile",
        /// (y - f)²; regression.
        SquaredError = "squared_error",
        /// |y - f|; regression.
        AbsoluteError = "absolute_error",
        /// Gamma deviance with log link, targets above 0; regression.
        Gamma = "gamma",
        /// Poisson deviance with log link, targets at least 0; regression.
        Poisson = "poisson",
        /// Deviance of the logistic or softmax model; classification.
        LogLoss = "log_loss",
    }
}

choices! {
    /// Whether to stop early.
    pub enum EarlyStopping {
        /// Yes.
        On = "true",
        /// Above 10,000 rows.
        Auto = "auto",
        /// No.
        Off = "false",
    }
}

choices! {
    /// What early stopping looks at.
    pub enum Scoring {
        /// The loss that is minimised.
        Loss = "loss",
        /// Coefficient of determination; regression.
        R2 = "r2",
        /// Mean squared error; regression.
        SquaredError = "neg_mean_squared_error",
        /// Its root; regression.
        RootSquaredError = "neg_root_mean_squared_error",
        /// Mean absolute error; regression.
        AbsoluteError = "neg_mean_absolute_error",
        /// Mean of |r| / |y|; regression.
        PercentageError = "neg_mean_absolute_percentage_error",
        /// Mean of (ln(1 + y) - ln(1 + f))²; regression.
        SquaredLogError = "neg_mean_squared_log_error",
        /// Its root; regression.
        RootSquaredLogError = "neg_root_mean_squared_log_error",
        /// Deviance of Poisson's distribution; regression.
        PoissonDeviance = "neg_mean_poisson_deviance",
        /// Deviance of the gamma distribution; regression.
        GammaDeviance = "neg_mean_gamma_deviance",
        /// Share of right labels.
        Accuracy = "accuracy",
        /// Mean over the labels of the share of their rows that is found.
        BalancedAccuracy = "balanced_accuracy",
        /// Mean of -ln(share of the label).
        LogLoss = "neg_log_loss",
        /// Mean of (y - p)²; two labels.
        Brier = "neg_brier_score",
        /// Area under the receiver operating characteristic; two labels.
        Auc = "roc_auc",
        /// Sum of precision times the step of recall; two labels.
        AveragePrecision = "average_precision",
        /// Precision of the larger of two labels.
        Precision = "precision",
        /// Recall of the larger of two labels.
        Recall = "recall",
        /// Harmonic mean of both; two labels.
        F1 = "f1",
        /// Mean of that of each label.
        F1Macro = "f1_macro",
        /// The same, weighted by the rows of the labels.
        F1Weighted = "f1_weighted",
        /// Matthews' correlation of labels and calls.
        Mcc = "matthews_corrcoef",
    }
}

params! {
    /// Parameters of histogram gradient boosting.
    pub struct HistParams {
        /// What is minimised; none is squared_error for regression and log_loss for classification.
        loss: Option<Loss> = None;
        /// The quantile of the loss quantile.
        quantile: f64 = 0.5, within(0.0, 1.0);
        /// Share of each tree that is added.
        learning_rate: f64 = 0.1, above_up_to(0.0, 100.0);
        /// Number of rounds (one tree each; for more than two labels one a label).
        max_iter: usize = 100, within(1.0, 100_000.0);
        /// Leaves of each tree at most, the splits that gain most made first; none is no limit.
        max_leaf_nodes: Option<usize> = Some(31), within(2.0, 100_000.0);
        /// Levels of each tree; none is no limit.
        max_depth: Option<usize> = None, within(1.0, 1_000_000.0);
        /// Rows each side of a split must have.
        min_samples_leaf: usize = 20, at_least(1.0);
        /// L2 penalty on the values of the leaves.
        l2_regularization: f64 = 0.0, at_least(0.0);
        /// Share of the columns that a split looks at, drawn anew each time.
        max_features: f64 = 1.0, above_up_to(0.0, 1.0);
        /// Bins of a column at most; missing values have one more.
        max_bins: usize = 255, within(2.0, 255.0);
        /// Columns of categories, by name or number from 0, joined with commas; none has none.
        categorical_features: Option<Vec<String>> = None;
        /// A sign a column, joined with commas: 1 rising, -1 falling, 0 free; none is all free.
        monotonic_cst: Option<Vec<i64>> = None, within(-1.0, 1.0);
        /// Groups of columns that may meet on the way to a leaf, by name or number from 0: 0,1;2,3; columns of no group are one more; none is no limit.
        interaction_cst: Option<ColumnGroups> = None;
        /// What early stopping looks at on the rows kept aside.
        scoring: Scoring = Scoring::Loss;
        /// Whether to stop when scoring on rows kept aside stalls; auto: above 10,000 rows.
        early_stopping: EarlyStopping = EarlyStopping::Auto;
        /// Share of the rows, drawn at random, that early stopping keeps aside.
        validation_fraction: f64 = 0.1, inside(0.0, 1.0);
        /// Rounds without a gain of more than tol in scoring after which early stopping ends.
        n_iter_no_change: usize = 10, within(1.0, 100_000.0);
        /// What early stopping counts as a gain.
        tol: f64 = 1e-7, at_least(0.0);
        /// balanced: each label counts the same in all; or a factor a label, written 0:1,1:2.5; none: each row counts the same. Classification.
        class_weight: Option<ClassWeight> = None;
        /// Seed of the draws; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

/// Fitted state.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    boosted: Boosted,
    columns: usize,
}

const CARD: Card = Card {
    id: "hist_gradient_boosting",
    family: "tree",
    title: "Histogram gradient boosting",
    tasks: &[Task::Regression, Task::Classification],
    inputs: Inputs::Features,
    summary: "Gradient boosting on columns cut into at most 255 bins: a split needs the sums of gradients by bin only, so it is fast on many rows. Trees grow where the gain is largest; missing values, categories and monotone columns are part of it.",
    formula: "gain = G_L²/(H_L+λ) + G_R²/(H_R+λ) - G²/(H+λ), G, H = Σ gradients, Σ hessians; leaf = -learning_rate · G/(H+λ); bins: one a distinct value, cut halfway, or else equal shares of the rows; missing values go where the gain is larger; categories with the hessian of ten rows are in the order of G/(H+10), missing values one of them, and up to half of them from either end go left, unknown ones with the missing",
    data: "Any table of numbers; NaN is a missing value; scale and monotone changes of a column do not matter.",
    cost: "fit O(T p n depth), predict O(rows · T · depth)",
    fails_when: "Rows are few and noise is large: 100 trees of 31 leaves then learn the noise. Lower max_iter, learning_rate or max_leaf_nodes.",
    not_claimed: "Values outside those of the training rows, or importances as causes.",
    source: "J. H. Friedman, Annals of Statistics 29 (2001); G. Ke et al., LightGBM, NIPS (2017)",
    reference: "scikit-learn 1.9.1, HistGradientBoostingRegressor and HistGradientBoostingClassifier",
    outputs: &[
        (
            "decision",
            "labels: sum of the trees of each test row, for two labels the log odds of the larger one, else by label",
        ),
        (
            "feature_importances",
            "share of the gain of all splits, one a column, sum 1",
        ),
        ("n_iter", "rounds that were made"),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "scikit-learn 1.9.1, columns of five values",
            cases: "hist-gradient-boosting-exact-spx-bins",
            tolerance: "probabilities 2e-5",
        },
        Evidence {
            against: "scikit-learn 1.9.1, 20 refits",
            cases: "hist-gradient-boosting-spx-reg, hist-gradient-boosting-aapl-reg, hist-gradient-boosting-spx-cls",
            tolerance: "figures within three standard deviations, correlation of predictions 0.93",
        },
        Evidence {
            against: "scikit-learn 1.9.1, parameters at random, early_stopping off",
            cases: "benches/peers/catalogue_trees.py: 299 of 300 cases (400 of each of the seeds 1, 2 and 3, of four programs)",
            tolerance: "predictions, probabilities and decision values 1e-6 of the largest",
        },
        Evidence {
            against: "scikit-learn 1.9.1, categorical_features and missing values",
            cases: "a test of this entry: categories missing and unknown, numbers missing, weights, labels",
            tolerance: "predictions and probabilities 1e-12",
        },
        Evidence {
            against: "scikit-learn 1.9.1, the functions of sklearn.metrics with sample_weight",
            cases: "a test of the figures of scoring on given answers; not compared: where early stopping ends, whose rows the program draws",
            tolerance: "1e-12",
        },
        Evidence {
            against: "shap 0.51.0, TreeExplainer of scikit-learn 1.9.1",
            cases: "the cases of hist_gradient_boosting of crates/catalogue/tests/data/shap.json",
            tolerance: "SHAP values 1e-7, and the sum of each row",
        },
    ],
    presets: &[],
    exemptions: &[],
};

impl HistParams {
    fn objective(&self, classes: usize) -> Result<Objective, ParamError> {
        let refused = |reason: &str| ParamError {
            field: "loss".into(),
            reason: reason.into(),
            suggestions: Vec::new(),
        };
        let default = if classes > 0 {
            Loss::LogLoss
        } else {
            Loss::SquaredError
        };
        Ok(match (self.loss.unwrap_or(default), classes) {
            (Loss::LogLoss, 0) => {
                return Err(refused(
                    "does not fit regression: log_loss is for classification",
                ));
            }
            (Loss::LogLoss, 2) => Objective::Logistic,
            (Loss::LogLoss, _) => Objective::Softmax(1.0),
            (_, k) if k > 0 => {
                return Err(refused("does not fit classification: use log_loss"));
            }
            (Loss::SquaredError, _) => Objective::Squared,
            (Loss::AbsoluteError, _) => Objective::AbsoluteUp,
            (Loss::Quantile, _) => Objective::QuantileUp(self.quantile),
            (Loss::Gamma, _) => Objective::Gamma,
            (Loss::Poisson, _) => Objective::Poisson(0.0),
        })
    }
}

impl HistParams {
    /// What early stopping looks at.
    fn metric(&self, labels: usize) -> Result<Metric, ParamError> {
        let metric = match self.scoring {
            Scoring::Loss => Metric::Loss,
            Scoring::R2 => Metric::R2,
            Scoring::SquaredError => Metric::SquaredError,
            Scoring::RootSquaredError => Metric::RootSquaredError,
            Scoring::AbsoluteError => Metric::LossOfAnswer(Objective::Absolute),
            Scoring::PercentageError => Metric::PercentageError(f64::EPSILON),
            Scoring::SquaredLogError => Metric::SquaredLogError,
            Scoring::RootSquaredLogError => Metric::RootSquaredLogError,
            Scoring::PoissonDeviance => Metric::PoissonDeviance,
            Scoring::GammaDeviance => Metric::GammaDeviance {
                above: 0.0,
                summed: false,
            },
            Scoring::Accuracy => Metric::Accuracy,
            Scoring::BalancedAccuracy => Metric::BalancedAccuracy,
            Scoring::LogLoss => Metric::LogLoss(f64::EPSILON),
            Scoring::Brier => Metric::Brier,
            Scoring::Auc if labels > 2 => {
                return Err(ParamError {
                    field: "scoring".into(),
                    reason: "roc_auc does not fit more than two labels".into(),
                    suggestions: Vec::new(),
                });
            }
            Scoring::Auc => Metric::Auc { weighed: true },
            Scoring::AveragePrecision => Metric::AveragePrecision,
            Scoring::Precision => Metric::Precision,
            Scoring::Recall => Metric::Recall,
            Scoring::F1 => Metric::F1,
            Scoring::F1Macro => Metric::F1Macro,
            Scoring::F1Weighted => Metric::F1Weighted,
            Scoring::Mcc => Metric::Mcc,
        };
        metric.checked("scoring", labels)
    }
}

/// The best constant.
fn start(objective: Objective, rows: &Rows<'_>, width: usize) -> Vec<f64> {
    let kept = |p: f64| p.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
    match objective {
        Objective::AbsoluteUp => vec![rows.quantile(0.5, Quantiles::Between)],
        Objective::QuantileUp(a) => vec![rows.quantile(a, Quantiles::Between)],
        Objective::Logistic => vec![objective.link(kept(rows.mean()))],
        Objective::Softmax(_) => {
            let logs: Vec<f64> = rows
                .shares(width)
                .into_iter()
                .map(|p| kept(p).ln())
                .collect();
            let mean = logs.iter().sum::<f64>() / width as f64;
            logs.into_iter().map(|l| l - mean).collect()
        }
        _ => vec![objective.link(rows.mean())],
    }
}

impl Supervised for HistGradientBoosting {
    type Params = HistParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;
    const MISSING: bool = true;

    fn fit(params: &HistParams, data: &Training, seed: u64) -> Result<Fitted, FitError> {
        let classes = boost::classes(data)?;
        let objective = params.objective(classes.len())?;
        let metric = params.metric(classes.len())?;
        // Refuses a target that cannot be squared.
        Learned::new(data, Criterion::SquaredError)?;
        let (n, p) = data.x().dim();
        let names = data.design().names();
        let mut random = Xoshiro256PlusPlus::seed_from_u64(run::effective_seed(params.seed, seed));
        let stops = match params.early_stopping {
            EarlyStopping::On => true,
            EarlyStopping::Off => false,
            EarlyStopping::Auto => n > 10_000,
        };
        let (kept, aside) = if stops {
            boost::keep_aside(data, params.validation_fraction, Some(&mut random))?
        } else {
            ((0..n).collect(), Vec::new())
        };
        let weights = row_weights(data, params.class_weight.as_ref())?;
        let rows_of = |which: &[usize]| {
            let mut rows = Rows::of(data, which);
            rows.w = which.iter().map(|i| weights[*i]).collect();
            rows
        };
        let rows = rows_of(&kept);
        if let Some(why) = objective.refuses(&rows.y) {
            return Err(FitError::Data(why));
        }
        let aside = stops.then(|| rows_of(&aside));
        let categories = boost::columns(
            "categorical_features",
            params.categorical_features.as_deref(),
            names,
        )?;
        let weighed = data.weights().is_some() || params.class_weight.is_some();
        let binned = Binned::weighed(
            &rows.x,
            Bins::Quantiles(params.max_bins),
            &categories,
            names,
            weighed.then_some(&rows.w),
        )?;
        let width = if classes.len() > 2 { classes.len() } else { 1 };
        let spec = Spec {
            objective,
            classes,
            width,
            start: start(objective, &rows, width),
            rounds: params.max_iter,
            parallel: 1,
            learning_rate: params.learning_rate,
            config: Config {
                lambda: params.l2_regularization + 1e-15,
                alpha: 0.0,
                above: 0.0,
                gamma: 0.0,
                prune: false,
                min_hessian: 1e-3,
                min_rows: params.min_samples_leaf as f64,
                count_by_hessian: false,
                max_depth: params.max_depth.unwrap_or(usize::MAX),
                max_leaves: params.max_leaf_nodes.unwrap_or(usize::MAX),
                best_first: true,
                max_delta_step: 0.0,
                path_smooth: 0.0,
                last_wins: false,
                monotone: boost::signs("monotonic_cst", params.monotonic_cst.as_deref(), p)?,
                groups: boost::groups(
                    "interaction_cst",
                    params.interaction_cst.as_ref(),
                    names,
                    false,
                    true,
                )?,
                categories: Categories::Ordered {
                    smooth: 10.0,
                    least: 10.0,
                },
                by_tree: 1.0,
                by_level: 1.0,
                by_node: params.max_features,
                missing_to_larger: true,
                first_order: true,
                lone_hessian: 0.0,
                extra_trees: false,
                alpha_on_values_only: false,
                one_hessian: None,
                single: false,
            },
            single: false,
            sampling: Sampling::All,
            quantiles: Quantiles::Between,
            renew: true,
            dart: None,
            average: false,
            late_start: None,
            early: stops.then_some(Early {
                metric,
                patience: params.n_iter_no_change,
                tol: params.tol,
                keep_best: false,
            }),
            linear: None,
        };
        let mut draws = Draws::Own(random);
        let boosted = boost::boost(&spec, &binned, &rows, aside.as_ref(), &mut draws)?;
        Ok(Fitted {
            boosted,
            columns: p,
        })
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
        let (gains, _) = self.boosted.use_of(self.columns);
        Outputs::from_iter([
            (
                "feature_importances".to_owned(),
                run::numbers(&super::engine::shares(gains)),
            ),
            ("n_iter".to_owned(), self.boosted.rounds().into()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;
    use mltrainer_catalogue_core::{Design, Params as _};
    use ndarray::{Array2, Axis};
    use serde_json::json;

    #[test]
    fn bins_hold_equal_shares_of_the_weights() {
        // scikit-learn 1.9.0, HistGradientBoostingRegressor(max_iter=8, max_bins=16, min_samples_leaf=10,
        // max_leaf_nodes=8, early_stopping=False) with sample_weight, and the classifier with
        // class_weight="balanced".
        let x = Array2::from_shape_fn((300, 5), |(i, j)| crate::testing::eighths(i, j));
        let y: Vec<f64> = (0..300)
            .map(|i| ((i * 31) % 53) as f64 / 16.0 + x[[i, 0]] * x[[i, 1]] / 16.0 - x[[i, 2]] / 4.0)
            .collect();
        let fit = |given: &str, data: Training| {
            let mut given: serde_json::Value = serde_json::from_str(given).unwrap();
            for (name, value) in [
                ("max_iter", 8),
                ("max_bins", 16),
                ("min_samples_leaf", 10),
                ("max_leaf_nodes", 8),
            ] {
                given[name] = value.into();
            }
            let params = HistParams::from_map(given.as_object().unwrap()).unwrap();
            let fitted = HistGradientBoosting::fit(&params, &data, 0).unwrap();
            fitted.predict(x.slice_axis(Axis(0), (..4).into())).unwrap()
        };
        let design = Design::new(x.clone(), ('a'..='e').map(String::from).collect()).unwrap();
        let labels = y.iter().map(|y| f64::from(u8::from(*y > 0.3))).collect();
        let weights = (0..300).map(|i| ((i * 7) % 11 + 1) as f64 / 4.0).collect();
        let numbers = Training::regression(design.clone(), y.clone()).unwrap();
        let said = fit("{}", numbers.with_weights(weights).unwrap());
        let want = [
            1.1357137526233592,
            1.045416473141869,
            2.7580819207452003,
            1.7582734006044491,
        ];
        assert_near(&said.values, &want, 1e-12);
        let labels = Training::classification(design, labels).unwrap();
        let said = fit(r#"{"class_weight": "balanced"}"#, labels);
        let want = [
            0.29202397478613146,
            0.30068458767214484,
            0.7811775093187078,
            0.5251578921794402,
        ];
        let p = said.probabilities.unwrap();
        assert_near(&p.column(1).to_vec(), &want, 1e-12);
    }

    #[test]
    fn categories_and_missing_values_go_where_the_program_sends_them() {
        // scikit-learn 1.9.1, HistGradientBoostingRegressor and Classifier(max_iter=6, max_leaf_nodes=8,
        // min_samples_leaf=5, early_stopping=False, categorical_features=[2], ...): 12 categories, missing ones in
        // training or not, one that training did not have; row i weighs (7 i mod 11 + 1) / 4; labels are cut at 5,
        // or at 4 and 6. Answers, or the probabilities of label 1.
        let number = |i: usize, j: usize| crate::testing::eighths(i, j);
        let code = |i: usize| (i * i * 7 + i * 3 + i / 5) % 12;
        let y: Vec<f64> = (0..300)
            .map(|i| {
                let of_code = ((code(i) * 5) % 7) as f64 / 2.0;
                ((i * 31) % 53) as f64 / 16.0 + number(i, 0) * number(i, 1) / 16.0 + of_code
            })
            .collect();
        let rows = [
            [1.0, 2.0, 3.0],
            [f64::NAN, 5.0, 7.0],
            [9.0, f64::NAN, 11.0],
            [6.0, 8.0, f64::NAN],
            [4.0, 4.0, 40.0],
            [11.0, 11.0, 0.0],
        ];
        let rows = Array2::from(rows.to_vec());
        for (given, labels, weighed, whole, want) in [
            (
                json!({}),
                0,
                false,
                false,
                [
                    4.30818531172955,
                    4.564259382848325,
                    6.319190454539787,
                    5.35582593501995,
                    4.543648902598442,
                    7.23997853362677,
                ],
            ),
            (
                json!({}),
                0,
                true,
                false,
                [
                    4.225981132757934,
                    4.743150474079534,
                    5.905783355406458,
                    5.493103280539093,
                    4.521549028038854,
                    6.855224185760039,
                ],
            ),
            (
                json!({}),
                0,
                false,
                true,
                [
                    4.150378448169282,
                    4.692541869074641,
                    6.487620809290492,
                    5.031791957440641,
                    4.325587099045648,
                    6.9512851798771775,
                ],
            ),
            (
                json!({"loss": "poisson"}),
                0,
                false,
                false,
                [
                    4.345990611853994,
                    4.739423689232465,
                    6.420505006807386,
                    5.251980120856654,
                    4.479369218763164,
                    7.127451702833923,
                ],
            ),
            (
                json!({}),
                2,
                true,
                false,
                [
                    0.28865995763218566,
                    0.32460323062327195,
                    0.6974157485013306,
                    0.6055447176642298,
                    0.3498765320600456,
                    0.7040445556105198,
                ],
            ),
            (
                json!({}),
                3,
                false,
                true,
                [
                    0.12346544469458406,
                    0.49018995667271403,
                    0.16337809281028728,
                    0.284008249796185,
                    0.360915363172961,
                    0.23470528392663426,
                ],
            ),
            (
                json!({"l2_regularization": 5.0, "max_leaf_nodes": 16, "learning_rate": 0.5}),
                2,
                false,
                false,
                [
                    0.08718762890646897,
                    0.07955441649806055,
                    0.9307556590138732,
                    0.6738754321339184,
                    0.20145295019625797,
                    0.9172131645641067,
                ],
            ),
        ] {
            let x = Array2::from_shape_fn((300, 3), |(i, j)| match j {
                0 if i % 7 == 3 => f64::NAN,
                2 if i % 11 == 4 && !whole => f64::NAN,
                2 => code(i) as f64,
                _ => number(i, j),
            });
            let design = Design::with_missing(x, ["a", "b", "c"].map(String::from).into()).unwrap();
            let cuts: &[f64] = if labels == 2 { &[5.0] } else { &[4.0, 6.0] };
            let label = |y: &f64| cuts.iter().filter(|c| y >= *c).count() as f64;
            let mut data = if labels > 0 {
                Training::classification(design, y.iter().map(label).collect()).unwrap()
            } else {
                Training::regression(design, y.clone()).unwrap()
            };
            if weighed {
                let weights = (0..300).map(|i| ((i * 7) % 11 + 1) as f64 / 4.0);
                data = data.with_weights(weights.collect()).unwrap();
            }
            let mut given = given.as_object().unwrap().clone();
            for (name, value) in [
                ("max_iter", json!(6)),
                ("max_leaf_nodes", json!(8)),
                ("min_samples_leaf", json!(5)),
                ("early_stopping", json!("false")),
                ("categorical_features", json!("c")),
            ] {
                given.entry(name).or_insert(value);
            }
            let params = HistParams::from_map(&given).unwrap();
            let fitted = HistGradientBoosting::fit(&params, &data, 0).unwrap();
            let said = fitted.predict(rows.view()).unwrap();
            let had = said
                .probabilities
                .map_or(said.values, |p| p.column(1).to_vec());
            assert_near(&had, &want, 1e-12);
        }
    }
}
