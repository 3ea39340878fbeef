//! XGBoost.
//!
//! What: gradient boosting with second derivatives and penalties, as the program XGBoost does it.
//! Formula: leaf -G/(H+λ), gain G²/(H+λ) of both sides less that of the node, at least γ.
//! Data: any table of numbers, missing values and columns of categories among them.
//! Cost: fit O(T p n depth), predict O(rows T depth).
//! Fails when: rows are few and noise is large: it then learns the noise.
//! Source: Chen & Guestrin, KDD (2016).
//! Not claimed: the same bits as the program.

use super::boost::{
    self, Boosted, ColumnGroups, Dart, Early, Quantiles, Rows, Sampling, Spec, Weighing,
};
use super::draws::Draws;
use super::engine::{Criterion, Learned, shares};
use super::histogram::{Binned, Bins, Categories, Config};
use super::metrics::Metric;
use super::objective::Objective;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::params::{ParamType, Range};
use mltrainer_catalogue_core::reexport::{ParamKind, Value};
use mltrainer_catalogue_core::{
    Card, Contributions, Entry, FitError, Foreign, Inputs, Outputs, ParamError, Prediction,
    Predictor, Supervised, Training, choices, params, run,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2};
use rand::SeedableRng as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The handle.
pub struct XgBoost;

/// Other names that the program takes.
const ALSO: &[(&str, &str)] = &[
    ("eta", "learning_rate"),
    ("min_split_loss", "gamma"),
    ("lambda", "reg_lambda"),
    ("alpha", "reg_alpha"),
    ("num_boost_round", "n_estimators"),
    ("num_round", "n_estimators"),
];

/// The registration.
// What dart does matters beside trees that are left out only.
pub const ENTRY: Entry = Entry::supervised::<XgBoost>()
    .with_foreign::<XgBoost>()
    .also_called(ALSO)
    .tested_with(&[("rate_drop", "0.3")]);

choices! {
    /// What is minimised.
    pub enum Loss {
        /// δ² (√(1 + (r/δ)²) - 1), δ = huber_slope; regression.
        PseudoHuber = "reg:pseudohubererror",
        /// Pinball loss of quantile_alpha; regression.
        Quantile = "reg:quantileerror",
        /// Tweedie's deviance of tweedie_variance_power, log link; regression.
        Tweedie = "reg:tweedie",
        /// Poisson deviance with log link; regression.
        Poisson = "count:poisson",
        /// (y - f)²/2; regression.
        SquaredError = "reg:squarederror",
        /// |y - f|; regression.
        AbsoluteError = "reg:absoluteerror",
        /// Gamma deviance with log link; regression.
        Gamma = "reg:gamma",
        /// Logistic loss of two labels.
        Logistic = "binary:logistic",
        /// Softmax.
        Softmax = "multi:softprob",
        /// The same trees; the program then answers by labels alone, which are given here in either case.
        SoftmaxLabels = "multi:softmax",
    }
}

choices! {
    /// How splits are searched.
    pub enum TreeMethod {
        /// At every value.
        Exact = "exact",
        /// Between the bins of histograms.
        Hist = "hist",
        /// exact up to 4,096 rows, hist above.
        Auto = "auto",
    }
}

choices! {
    /// Which node is split next.
    pub enum GrowPolicy {
        /// Level by level.
        Depthwise = "depthwise",
        /// The one that gains most.
        Lossguide = "lossguide",
    }
}

choices! {
    /// How trees are added.
    pub enum Booster {
        /// Each to the sum of all before it.
        GbTree = "gbtree",
        /// Each to a sum that leaves some of them out (DART).
        Dart = "dart",
    }
}

choices! {
    /// Which trees dart leaves out.
    pub enum SampleType {
        /// Each with the same chance.
        Uniform = "uniform",
        /// With a chance in proportion to the weight of a tree.
        Weighted = "weighted",
    }
}

choices! {
    /// How dart weighs trees.
    pub enum NormalizeType {
        /// The new tree as one of those left out.
        Tree = "tree",
        /// The new tree as all of those left out together.
        Forest = "forest",
    }
}

choices! {
    /// What an importance is.
    pub enum Importance {
        /// Mean gain of a column's splits.
        Gain = "gain",
        /// Number of splits.
        Weight = "weight",
        /// Sum of gains.
        TotalGain = "total_gain",
    }
}

choices! {
    /// What early stopping looks at.
    pub enum Figure {
        /// Root of the mean squared error; regression.
        Rmse = "rmse",
        /// The same of ln(1 + y); regression.
        Rmsle = "rmsle",
        /// Mean absolute error; regression.
        Mae = "mae",
        /// Mean of |r/y|; regression.
        Mape = "mape",
        /// Mean pseudo-Huber error with δ = huber_slope; regression.
        Mphe = "mphe",
        /// Pinball loss of quantile_alpha; regression.
        Quantile = "quantile",
        /// Negative log-likelihood of Poisson's distribution; regression.
        PoissonLikelihood = "poisson-nloglik",
        /// Negative log-likelihood of the gamma distribution; regression.
        GammaLikelihood = "gamma-nloglik",
        /// Deviance of the gamma distribution; regression.
        GammaDeviance = "gamma-deviance",
        /// Negative log-likelihood of Tweedie's distribution; regression.
        TweedieLikelihood = "tweedie-nloglik",
        /// Mean logistic loss of two labels.
        LogLoss = "logloss",
        /// Share of wrong labels of two, the larger one above a share of 0.5 or the one given.
        Error = "error",
        /// Mean loss of the softmax.
        MultiLogLoss = "mlogloss",
        /// Share of wrong labels.
        MultiError = "merror",
        /// Area under the receiver operating characteristic.
        Auc = "auc",
        /// Area under the curve of precision over recall.
        AucPr = "aucpr",
    }
}

/// What early stopping looks at, with its number where that is written as the program does: `error@0.7`,
/// `tweedie-nloglik@1.3`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EvalMetric {
    figure: Figure,
    given: Option<f64>,
}

impl ParamType for EvalMetric {
    const KIND: ParamKind = ParamKind::Text;

    fn choices() -> &'static [&'static str] {
        Figure::choices()
    }

    fn read(value: &Value, range: &Range) -> Result<Self, String> {
        let text = value.as_str().unwrap_or_default();
        let Some((name, given)) = text.split_once('@') else {
            let figure = Figure::read(value, range)?;
            return Ok(Self {
                figure,
                given: None,
            });
        };
        let figure = Figure::read(&name.trim().into(), range)?;
        let range = match figure {
            Figure::Error => Range {
                min: Some(0.0),
                max: Some(1.0),
                min_exclusive: false,
                max_exclusive: false,
            },
            Figure::TweedieLikelihood => Range {
                min: Some(1.0),
                max: Some(2.0),
                min_exclusive: true,
                max_exclusive: true,
            },
            _ => return Err(format!("\"{text}\": {} takes no number", name.trim())),
        };
        let given =
            f64::read(&given.trim().into(), &range).map_err(|why| format!("\"{text}\": {why}"))?;
        Ok(Self {
            figure,
            given: Some(given),
        })
    }

    fn write(&self) -> Value {
        let name = self.figure.write();
        match self.given {
            Some(given) => format!("{}@{given}", name.as_str().unwrap_or_default()).into(),
            None => name,
        }
    }
}

params! {
    /// Parameters of XGBoost.
    pub struct XgBoostParams {
        /// What is minimised; none is reg:squarederror, binary:logistic or multi:softprob.
        objective: Option<Loss> = None;
        /// Number of rounds (one tree each; for more than two labels one a label).
        n_estimators: usize = 100, within(1.0, 100_000.0);
        /// Trees of a round, each on rows and columns drawn anew; their mean is added: a boosted forest.
        num_parallel_tree: usize = 1, within(1.0, 100_000.0);
        /// gbtree, or dart: rounds that leave earlier trees out.
        booster: Booster = Booster::GbTree;
        /// dart: chance of a tree to be left out.
        rate_drop: f64 = 0.0, within(0.0, 1.0);
        /// dart: chance of a round to leave nothing out.
        skip_drop: f64 = 0.0, within(0.0, 1.0);
        /// dart: whether one tree at least is left out.
        one_drop: bool = false;
        /// dart: which trees are left out.
        sample_type: SampleType = SampleType::Uniform;
        /// dart: how trees are weighed.
        normalize_type: NormalizeType = NormalizeType::Tree;
        /// Levels of each tree; 0 is no limit.
        max_depth: usize = 6, within(0.0, 1_000_000.0);
        /// Leaves of each tree at most; 0 is no limit.
        max_leaves: usize = 0, within(0.0, 1_000_000.0);
        /// Whether trees grow level by level, or where the gain is largest.
        grow_policy: GrowPolicy = GrowPolicy::Depthwise;
        /// Share of each tree that is added (eta).
        learning_rate: f64 = 0.3, above_up_to(0.0, 100.0);
        /// Whether every value is tried as a cut; auto: up to 4,096 rows.
        tree_method: TreeMethod = TreeMethod::Auto;
        /// Bins of a column at most, for histograms.
        max_bin: usize = 256, within(2.0, 65_000.0);
        /// Gain that a split must have (min_split_loss).
        gamma: f64 = 0.0, at_least(0.0);
        /// Sum of hessians each side of a split must have.
        min_child_weight: f64 = 1.0, at_least(0.0);
        /// Largest value of a leaf before the learning rate; 0 is no limit (0.7 for count:poisson).
        max_delta_step: f64 = 0.0, at_least(0.0);
        /// Probability with which each row is seen by a round.
        subsample: f64 = 1.0, above_up_to(0.0, 1.0);
        /// Share of the columns that a tree sees.
        colsample_bytree: f64 = 1.0, above_up_to(0.0, 1.0);
        /// Share of a tree's columns that a level sees.
        colsample_bylevel: f64 = 1.0, above_up_to(0.0, 1.0);
        /// Share of a level's columns that a node sees.
        colsample_bynode: f64 = 1.0, above_up_to(0.0, 1.0);
        /// L1 penalty on the values of the leaves.
        reg_alpha: f64 = 0.0, at_least(0.0);
        /// L2 penalty on the values of the leaves.
        reg_lambda: f64 = 1.0, at_least(0.0);
        /// Factor of the rows of the larger of two labels.
        scale_pos_weight: f64 = 1.0, above(0.0);
        /// Where the sum of trees starts, as an answer or a probability; none is the mean, the median, the quantile or the share.
        base_score: Option<f64> = None;
        /// A sign a column, joined with commas: 1 rising, -1 falling, 0 free; none is all free.
        monotone_constraints: Option<Vec<i64>> = None, within(-1.0, 1.0);
        /// Groups of columns that may meet on the way to a leaf, by name or number from 0: 0,1;2,3; none is no limit.
        interaction_constraints: Option<ColumnGroups> = None;
        /// Columns of categories, by name or number from 0, joined with commas; none has none.
        categorical_features: Option<Vec<String>> = None;
        /// Below so many categories of a column one of them is cut from all others.
        max_cat_to_onehot: usize = 4, within(1.0, 65_000.0);
        /// One more than the categories on the smaller side of a cut that parts several, at most.
        max_cat_threshold: usize = 64, within(1.0, 65_000.0);
        /// The quantile of reg:quantileerror.
        quantile_alpha: f64 = 0.5, inside(0.0, 1.0);
        /// The power of reg:tweedie.
        tweedie_variance_power: f64 = 1.5, inside(1.0, 2.0);
        /// δ of reg:pseudohubererror.
        huber_slope: f64 = 1.0, above(0.0);
        /// What early stopping looks at on the rows kept aside; error@t puts the border of two labels at t, tweedie-nloglik@p is of the power p; none is that of the objective: rmse, mae, mphe, quantile, tweedie-nloglik, poisson-nloglik, gamma-deviance, logloss or mlogloss.
        eval_metric: Option<EvalMetric> = None;
        /// Stop when eval_metric has not become better on the rows kept aside in so many rounds, and keep the best; none never stops early.
        early_stopping_rounds: Option<usize> = None, within(1.0, 100_000.0);
        /// Share of the rows, the last ones, that early stopping keeps aside.
        validation_fraction: f64 = 0.1, inside(0.0, 1.0);
        /// What feature_importances are: mean gain, number of splits, or sum of gains.
        importance_type: Importance = Importance::Gain;
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
    id: "xgboost",
    family: "tree",
    title: "XGBoost",
    tasks: &[Task::Regression, Task::Classification],
    inputs: Inputs::Features,
    summary: "Gradient boosting with second derivatives, penalties on the leaves and columns and rows drawn, as the program XGBoost computes it: in single precision, level by level or best first, with every value or the bins of a histogram as cuts.",
    formula: "gain = G_L²/(H_L+λ) + G_R²/(H_R+λ) - G²/(H+λ) ≥ gamma, G shrunk by reg_alpha; leaf = -learning_rate · G/(H+λ); exact cuts lie halfway between the neighbouring values of the node; sums, leaves and columns are rounded to single precision; categories are parted in the order of their own leaves, one from all others where they are fewer than max_cat_to_onehot; unknown ones go left, with those that are not in the set of a cut",
    data: "Any table of numbers; NaN is a missing value; scale and monotone changes of a column do not matter.",
    cost: "fit O(T p n depth), predict O(rows · T · depth)",
    fails_when: "Rows are few and noise is large: 100 trees of depth 6 at learning rate 0.3 then learn the noise.",
    not_claimed: "The same bits as the program: rows and columns are drawn from another stream, and tree_method auto tries every value up to 4,096 rows, where the program of today uses histograms. Where a missing value goes that reaches a node without any in training: there rounding decides.",
    source: "T. Chen, C. Guestrin, XGBoost: a scalable tree boosting system, KDD (2016)",
    reference: "xgboost 3.2.0, XGBRegressor and XGBClassifier",
    outputs: &[
        (
            "decision",
            "labels: sum of the trees of each test row, for two labels the log odds of the larger one, else by label",
        ),
        (
            "feature_importances",
            "mean gain of the splits (or importance_type), one a column, sum 1",
        ),
        ("n_estimators", "rounds that are kept"),
        ("base_score", "where the sum of trees starts, one a sum"),
        (
            "best_score",
            "eval_metric of the rounds that are kept on the rows kept aside; empty without early stopping",
        ),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "xgboost 3.2.0, tree_method exact, cases without ties",
            cases: "xgboost-exact-10-spx-reg, xgboost-exact-20-aapl-reg, xgboost-exact-spx-cls",
            tolerance: "predictions and probabilities 2e-4",
        },
        Evidence {
            against: "xgboost 3.2.0, tree_method exact, one thread, cases with ties",
            cases: "a test of this entry, with and without missing values",
            tolerance: "predictions and probabilities 1e-6",
        },
        Evidence {
            against: "xgboost 3.2.0, tree_method hist, one thread",
            cases: "tests of this entry: weights, limits of steps, rounds of several trees, best-first growth of softmax, absolute error and quantiles, ties, missing values beside monotone columns",
            tolerance: "predictions and probabilities 1e-5",
        },
        Evidence {
            against: "xgboost 3.2.0, parameters at random, exact and hist",
            cases: "benches/peers/catalogue_trees.py: 297 of 300 cases (400 of each of the seeds 1, 2 and 3, of four programs); the others are of absolute loss, where rounding chooses among equal cuts",
            tolerance: "predictions, probabilities and decision values 2e-5 of the largest",
        },
        Evidence {
            against: "xgboost 3.2.0, get_quantile_cut",
            cases: "a test of crates/catalogue/src/tree/sketch.rs: up to 9,000 rows, with and without weights",
            tolerance: "the same cuts",
        },
        Evidence {
            against: "xgboost 3.2.0, tree_method hist, early stopping",
            cases: "a test of this entry; and a comparison of 72 fits, with and without weights: each eval_metric with the objectives it is for, scale_pos_weight",
            tolerance: "the same rounds, score and predictions 1e-5",
        },
        Evidence {
            against: "xgboost 3.2.0, 20 refits",
            cases: "xgboost-band-spx-reg, xgboost-band-aapl-reg, xgboost-band-spx-cls3",
            tolerance: "figures within three standard deviations, correlation of predictions 0.93",
        },
        Evidence {
            against: "xgboost 3.2.0, columns of categories, tree_method hist, one thread",
            cases: "tests of this entry: 3, 8, 40 and 200 categories, with missing and unknown ones, weights, and each parameter of categories changed",
            tolerance: "predictions and probabilities 1e-5",
        },
        Evidence {
            against: "xgboost 3.2.0, predict(pred_contribs=True)",
            cases: "the cases of xgboost of crates/catalogue/tests/data/shap.json",
            tolerance: "SHAP values 2e-5, and the sum of each row",
        },
    ],
    presets: &[],
    exemptions: &[],
};

/// Rounded to single precision.
pub(crate) fn single(x: ArrayView2<'_, f64>) -> Array2<f64> {
    x.mapv(|v| f64::from(v as f32))
}

/// A number as the program keeps it: in single precision, where that can hold it.
fn short(v: f64) -> f64 {
    let short = f64::from(v as f32);
    if short.is_finite() { short } else { v }
}

impl XgBoostParams {
    fn loss(&self, classes: usize) -> Result<Objective, ParamError> {
        let default = match classes {
            0 => Loss::SquaredError,
            2 => Loss::Logistic,
            _ => Loss::Softmax,
        };
        let loss = self.objective.unwrap_or(default);
        let labels = matches!(loss, Loss::Logistic | Loss::Softmax | Loss::SoftmaxLabels);
        if labels != (classes > 0) || (loss == Loss::Logistic && classes > 2) {
            return Err(ParamError {
                field: "objective".into(),
                reason: match classes {
                    0 => "does not fit regression: binary: and multi: are for labels",
                    2 => "does not fit two labels: use binary:logistic or multi:softprob",
                    _ => "does not fit more than two labels: use multi:softprob",
                }
                .into(),
                suggestions: Vec::new(),
            });
        }
        let step = if self.max_delta_step > 0.0 {
            self.max_delta_step
        } else {
            0.7
        };
        Ok(match loss {
            Loss::SquaredError => Objective::Squared,
            Loss::AbsoluteError => Objective::Absolute,
            Loss::PseudoHuber => Objective::PseudoHuber(self.huber_slope),
            Loss::Quantile => Objective::Quantile(short(self.quantile_alpha)),
            Loss::Tweedie => Objective::Tweedie(self.tweedie_variance_power),
            Loss::Poisson => Objective::Poisson(step),
            Loss::Gamma => Objective::Gamma,
            Loss::Logistic => Objective::Logistic,
            Loss::Softmax | Loss::SoftmaxLabels => Objective::Softmax(2.0),
        })
    }

    /// What early stopping looks at.
    fn metric(&self, objective: Objective, labels: usize) -> Result<Metric, ParamError> {
        let default = match objective {
            Objective::Absolute => Figure::Mae,
            Objective::PseudoHuber(_) => Figure::Mphe,
            Objective::Quantile(_) => Figure::Quantile,
            Objective::Tweedie(_) => Figure::TweedieLikelihood,
            Objective::Poisson(_) => Figure::PoissonLikelihood,
            Objective::Gamma => Figure::GammaDeviance,
            Objective::Logistic => Figure::LogLoss,
            Objective::Softmax(_) => Figure::MultiLogLoss,
            _ => Figure::Rmse,
        };
        let (figure, given) = self
            .eval_metric
            .map_or((default, None), |m| (m.figure, m.given));
        // These are of one share, which the softmax does not have, and those of one a label.
        let apart = match (figure, objective) {
            (Figure::LogLoss | Figure::Error, Objective::Softmax(_)) => "multi:softprob",
            (Figure::MultiLogLoss | Figure::MultiError, Objective::Logistic) => "binary:logistic",
            _ => "",
        };
        if !apart.is_empty() {
            return Err(ParamError {
                field: "eval_metric".into(),
                reason: format!("this does not fit {apart}"),
                suggestions: Vec::new(),
            });
        }
        let metric = match figure {
            Figure::Rmse => Metric::RootSquaredError,
            Figure::Rmsle => Metric::RootSquaredLogError,
            Figure::Mae => Metric::LossOfAnswer(Objective::Absolute),
            Figure::Mape => Metric::PercentageError(0.0),
            Figure::Mphe => Metric::LossOfAnswer(Objective::PseudoHuber(self.huber_slope)),
            Figure::Quantile => {
                Metric::LossOfAnswer(Objective::Quantile(short(self.quantile_alpha)))
            }
            Figure::PoissonLikelihood => Metric::PoissonLikelihood,
            Figure::GammaLikelihood => Metric::LossOfAnswer(Objective::Gamma),
            Figure::GammaDeviance => Metric::GammaDeviance {
                above: 1e-6,
                summed: false,
            },
            Figure::TweedieLikelihood => Metric::LossOfAnswer(Objective::Tweedie(
                given.unwrap_or(self.tweedie_variance_power),
            )),
            Figure::LogLoss | Figure::MultiLogLoss => Metric::LogLoss(1e-16),
            Figure::Error | Figure::MultiError => Metric::Error(short(given.unwrap_or(0.5))),
            Figure::Auc => Metric::Auc { weighed: true },
            Figure::AucPr => Metric::PrecisionRecallArea,
        };
        metric.checked("eval_metric", labels)
    }

    /// Where the sums start.
    fn start(
        &self,
        objective: Objective,
        rows: &Rows<'_>,
        width: usize,
    ) -> Result<Vec<f64>, ParamError> {
        let refused = |rule: &str| ParamError {
            field: "base_score".into(),
            reason: format!("this objective takes one {rule}"),
            suggestions: Vec::new(),
        };
        if let Some(given) = self.base_score {
            return match objective {
                Objective::Logistic if !(given > 0.0 && given < 1.0) => {
                    Err(refused("above 0 and below 1"))
                }
                Objective::Poisson(_) | Objective::Gamma | Objective::Tweedie(_)
                    if given <= 0.0 =>
                {
                    Err(refused("above 0"))
                }
                _ => Ok(vec![objective.link(given); width]),
            };
        }
        let kept = |p: f64| p.clamp(1e-7, 1.0 - 1e-7);
        Ok(match objective {
            Objective::Absolute => vec![rows.quantile(0.5, Quantiles::OneMore)],
            Objective::Quantile(a) => vec![rows.quantile(a, Quantiles::OneMore)],
            // With raised labels, and here, the program takes one Newton step from 0.
            Objective::Logistic if self.scale_pos_weight != 1.0 => vec![newton(objective, rows)],
            Objective::PseudoHuber(_) => vec![newton(objective, rows)],
            Objective::Logistic => vec![objective.link(kept(rows.mean()))],
            Objective::Softmax(_) => {
                let logs: Vec<f64> = rows.shares(width).iter().map(|p| kept(*p).ln()).collect();
                let mean = logs.iter().sum::<f64>() / width as f64;
                logs.into_iter().map(|l| l - mean).collect()
            }
            _ => vec![objective.link(rows.mean())],
        })
    }
}

/// One Newton step from 0.
fn newton(objective: Objective, rows: &Rows<'_>) -> f64 {
    let (mut up, mut down) = (0.0, 0.0);
    for (y, w) in rows.y.iter().zip(&rows.w) {
        let (g, h) = objective.slope(*y, 0.0);
        up -= w * g;
        down += w * h;
    }
    if down > 0.0 { up / down } else { 0.0 }
}

impl Supervised for XgBoost {
    type Params = XgBoostParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;
    const MISSING: bool = true;

    fn fit(params: &XgBoostParams, data: &Training, seed: u64) -> Result<Fitted, FitError> {
        let classes = boost::classes(data)?;
        let objective = params.loss(classes.len())?;
        let metric = params.metric(objective, classes.len())?;
        // Refuses a target that cannot be squared.
        Learned::new(data, Criterion::SquaredError)?;
        let (n, p) = data.x().dim();
        let names = data.design().names();
        let (kept, aside) = match params.early_stopping_rounds {
            Some(_) => boost::keep_aside(data, params.validation_fraction, None)?,
            None => ((0..n).collect(), Vec::new()),
        };
        let rows_of = |which: &[usize]| {
            let mut rows = Rows::of(data, which);
            rows.x = Cow::Owned(single(rows.x.view()));
            let numbers = rows.y.iter_mut().chain(&mut rows.w);
            numbers.for_each(|v| *v = short(*v));
            rows
        };
        let mut rows = rows_of(&kept);
        // The metric does not know of raised labels.
        if objective == Objective::Logistic {
            let positive = rows.w.iter_mut().zip(&rows.y).filter(|(_, y)| **y > 0.0);
            positive.for_each(|(w, _)| *w = short(*w * short(params.scale_pos_weight)));
        }
        if let Some((_, v)) = rows.x.indexed_iter().find(|(_, v)| v.is_infinite()) {
            return Err(FitError::Data(format!(
                "a value is too large for single precision ({v}): rescale the columns"
            )));
        }
        if let Some(why) = objective.refuses(&rows.y) {
            return Err(FitError::Data(why));
        }
        let aside = params.early_stopping_rounds.map(|_| rows_of(&aside));
        let exact = match params.tree_method {
            TreeMethod::Exact => true,
            TreeMethod::Hist => false,
            TreeMethod::Auto => n <= 4096,
        };
        let bins = if exact {
            Bins::Exact
        } else {
            Bins::Sketch(params.max_bin)
        };
        let categories = boost::columns(
            "categorical_features",
            params.categorical_features.as_deref(),
            names,
        )?;
        // Cuts lie at shares of the weights, without what raises labels.
        let weights: Option<Vec<f64>> =
            data.weights().map(|w| kept.iter().map(|i| w[*i]).collect());
        let binned = Binned::weighed(&rows.x, bins, &categories, names, weights.as_deref())?;
        let width = match objective {
            Objective::Softmax(_) => classes.len(),
            _ => 1,
        };
        let limit = |k: usize| if k == 0 { usize::MAX } else { k };
        let monotone = params.monotone_constraints.as_deref();
        let spec = Spec {
            objective,
            classes,
            width,
            start: {
                let start = params.start(objective, &rows, width)?;
                start.into_iter().map(short).collect()
            },
            rounds: params.n_estimators,
            parallel: params.num_parallel_tree,
            learning_rate: params.learning_rate,
            config: Config {
                lambda: short(params.reg_lambda),
                alpha: short(params.reg_alpha),
                above: short(1e-6),
                gamma: short(params.gamma),
                prune: exact,
                min_hessian: short(params.min_child_weight),
                min_rows: 0.0,
                count_by_hessian: false,
                max_depth: limit(params.max_depth),
                max_leaves: limit(params.max_leaves),
                best_first: params.grow_policy == GrowPolicy::Lossguide,
                max_delta_step: match objective {
                    Objective::Poisson(step) => step,
                    _ => short(params.max_delta_step),
                },
                path_smooth: 0.0,
                last_wins: false,
                monotone: boost::signs("monotone_constraints", monotone, p)?,
                groups: boost::groups(
                    "interaction_constraints",
                    params.interaction_constraints.as_ref(),
                    names,
                    true,
                    false,
                )?,
                categories: Categories::Partition {
                    one_hot: params.max_cat_to_onehot,
                    most: params.max_cat_threshold,
                },
                by_tree: params.colsample_bytree,
                by_level: params.colsample_bylevel,
                by_node: params.colsample_bynode,
                missing_to_larger: false,
                first_order: false,
                lone_hessian: short(params.min_child_weight),
                extra_trees: false,
                alpha_on_values_only: true,
                one_hessian: None,
                single: true,
            },
            single: true,
            sampling: if params.subsample < 1.0 {
                Sampling::Each(params.subsample)
            } else {
                Sampling::All
            },
            quantiles: Quantiles::OneMore,
            // As the program: it knows no rows of a leaf when it tries every value.
            renew: params.tree_method != TreeMethod::Exact,
            average: false,
            late_start: None,
            dart: (params.booster == Booster::Dart).then_some(Dart {
                rate: params.rate_drop,
                skip: params.skip_drop,
                most: 0,
                one: params.one_drop,
                by_weight: params.sample_type == SampleType::Weighted,
                weighing: match params.normalize_type {
                    NormalizeType::Tree => Weighing::Tree,
                    NormalizeType::Forest => Weighing::Forest,
                },
                with_start: false,
            }),
            early: params.early_stopping_rounds.map(|patience| Early {
                metric,
                patience,
                tol: 0.0,
                keep_best: true,
            }),
            linear: None,
        };
        let random = Xoshiro256PlusPlus::seed_from_u64(run::effective_seed(params.seed, seed));
        let mut draws = Draws::Own(random);
        let boosted = boost::boost(&spec, &binned, &rows, aside.as_ref(), &mut draws)?;
        let (gains, splits) = boosted.use_of(p);
        let pairs = gains.iter().zip(&splits);
        let importances = match params.importance_type {
            Importance::Gain => pairs
                .map(|(g, s)| if *s > 0.0 { g / s } else { 0.0 })
                .collect(),
            Importance::Weight => splits,
            Importance::TotalGain => gains,
        };
        Ok(Fitted {
            boosted,
            importances: shares(importances),
        })
    }
}

impl Foreign for XgBoost {
    const FORMAT: &'static str = "XGBoost's JSON model file";

    fn write_foreign(fitted: &Fitted, columns: usize) -> Result<String, FitError> {
        super::xgboost_json::write(&fitted.boosted, columns)
    }

    fn read_foreign(text: &str) -> Result<(Fitted, usize), FitError> {
        let (boosted, columns) = super::xgboost_json::read(text)?;
        let (gains, splits) = boosted.use_of(columns);
        let means = gains.iter().zip(&splits);
        let importances = means
            .map(|(g, s)| if *s > 0.0 { g / s } else { 0.0 })
            .collect();
        let fitted = Fitted {
            boosted,
            importances: shares(importances),
        };
        Ok((fitted, columns))
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        Ok(self.boosted.predict(single(x).view()))
    }

    fn contributions(&self, x: ArrayView2<'_, f64>) -> Result<Option<Contributions>, FitError> {
        self.boosted.contributions(single(x).view(), false)
    }

    fn outputs(&self) -> Outputs {
        Outputs::from_iter([
            (
                "feature_importances".to_owned(),
                run::numbers(&self.importances),
            ),
            ("n_estimators".to_owned(), self.boosted.rounds().into()),
            ("base_score".to_owned(), run::numbers(&self.boosted.start)),
            ("best_score".to_owned(), self.boosted.best_score()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;
    use crate::tree::category_cases::assert_as_the_program;
    use mltrainer_catalogue_core::{Design, Params as _};
    use ndarray::{Array2, Axis};
    use serde_json::json;

    #[test]
    fn both_names_of_softmax_grow_the_same_trees() {
        let rows: Vec<Vec<f64>> = crate::testing::remainders();
        let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let y: Vec<f64> = (0..24).map(|i| f64::from(i * 3 % 7 % 3)).collect();
        let data = crate::testing::classes(&rows, &y);
        let shares = |objective: &str| {
            let given = json!({"objective": objective, "n_estimators": 3});
            let params = XgBoostParams::from_map(given.as_object().unwrap()).unwrap();
            let fitted = XgBoost::fit(&params, &data, 0).unwrap();
            fitted.predict(data.x().view()).unwrap().probabilities
        };
        assert!(shares("multi:softmax").is_some());
        assert_eq!(shares("multi:softmax"), shares("multi:softprob"));
    }

    #[test]
    fn cuts_lie_at_shares_of_the_weights_as_the_program() {
        // xgboost 3.2.0, XGBRegressor(tree_method="hist", max_depth=3, max_bin=16, n_estimators=8) with
        // sample_weight on the table below.
        let x = Array2::from_shape_fn((300, 5), |(i, j)| crate::testing::eighths(i, j));
        let y: Vec<f64> = (0..300)
            .map(|i| ((i * 31) % 53) as f64 / 16.0 + x[[i, 0]] * x[[i, 1]] / 16.0 - x[[i, 2]] / 4.0)
            .collect();
        let design = Design::new(x.clone(), ('a'..='e').map(String::from).collect()).unwrap();
        let weights = (0..300).map(|i| ((i * 7) % 11 + 1) as f64 / 4.0).collect();
        let data = Training::regression(design, y).unwrap();
        let given =
            json!({"max_depth": 3, "n_estimators": 8, "tree_method": "hist", "max_bin": 16});
        let params = XgBoostParams::from_map(given.as_object().unwrap()).unwrap();
        let fitted = XgBoost::fit(&params, &data.with_weights(weights).unwrap(), 0).unwrap();
        let said = fitted.predict(x.slice_axis(Axis(0), (..4).into())).unwrap();
        let want = [
            0.26048365235328674,
            -0.3530435562133789,
            3.4073822498321533,
            1.0573290586471558,
        ];
        assert_near(&said.values, &want, 1e-5);
    }

    #[test]
    fn categories_are_cut_as_the_program_does() {
        // xgboost 3.2.0, train(dict(tree_method="hist", max_depth=3, nthread=1, ...), DMatrix(...,
        // feature_types=["c", "q"], enable_categorical=True), 8) on the table of `category_cases`,
        // binary:logistic for labels.
        for (many, mut given, labels, weighed, want) in [
            (
                3,
                json!({}),
                false,
                false,
                [
                    2.0325307846069336,
                    3.52028751373291,
                    2.5088396072387695,
                    3.344882011413574,
                    2.953925371170044,
                    2.434354782104492,
                ],
            ),
            (
                8,
                json!({}),
                false,
                false,
                [
                    1.8778032064437866,
                    3.158508539199829,
                    3.7953743934631348,
                    3.2389111518859863,
                    4.933691024780273,
                    4.516075611114502,
                ],
            ),
            (
                8,
                json!({"max_cat_to_onehot": 12}),
                true,
                true,
                [
                    0.20457687973976135,
                    0.39186525344848633,
                    0.4748551547527313,
                    0.3567904829978943,
                    0.5581430196762085,
                    0.8333539962768555,
                ],
            ),
            (
                40,
                json!({}),
                false,
                true,
                [
                    3.736879825592041,
                    5.101384162902832,
                    5.921136856079102,
                    7.032325267791748,
                    5.884936332702637,
                    4.322341442108154,
                ],
            ),
            (
                40,
                json!({"max_cat_threshold": 6}),
                true,
                false,
                [
                    0.30226802825927734,
                    0.914479672908783,
                    0.9218361973762512,
                    0.9352430105209351,
                    0.9352430105209351,
                    0.4457652270793915,
                ],
            ),
            (
                3,
                json!({"max_cat_to_onehot": 1, "min_child_weight": 40.0}),
                false,
                false,
                [
                    2.226461410522461,
                    3.5953948497772217,
                    2.6491010189056396,
                    3.2692818641662598,
                    2.6124446392059326,
                    2.404217481613159,
                ],
            ),
            (
                200,
                json!({}),
                false,
                false,
                [
                    3.169426918029785,
                    4.943632125854492,
                    5.992190837860107,
                    2.99772572517395,
                    5.478296279907227,
                    4.102360248565674,
                ],
            ),
        ] {
            given["categorical_features"] = json!("0");
            given["n_estimators"] = json!(8);
            given["max_depth"] = json!(3);
            given["tree_method"] = json!("hist");
            let case = (many, labels, weighed);
            assert_as_the_program::<XgBoost>(case, &given, &want, 1e-5);
        }
    }

    #[test]
    fn alpha_beside_a_limit_on_steps_as_the_program() {
        // xgboost 3.2.0, XGBRegressor(tree_method="hist", max_depth=3, n_estimators=8, reg_alpha=6, ...) on
        // whole numbers; poisson limits steps to 0.7.
        let x = Array2::from_shape_fn((300, 5), |(i, j)| crate::testing::eighths(i, j));
        let y: Vec<f64> = (0..300)
            .map(|i| ((i * 31) % 53) as f64 / 16.0 + x[[i, 0]] * x[[i, 1]] / 16.0 - x[[i, 2]] / 4.0)
            .map(|y| y.max(0.0).floor())
            .collect();
        let design = Design::new(x.clone(), ('a'..='e').map(String::from).collect()).unwrap();
        let data = Training::regression(design, y).unwrap();
        for (name, value, want) in [
            (
                "objective",
                json!("count:poisson"),
                [
                    0.857884407043457,
                    0.8795159459114075,
                    2.619608163833618,
                    1.108327865600586,
                ],
            ),
            (
                "max_delta_step",
                json!(0.5),
                [
                    0.9333336353302002,
                    0.9333336353302002,
                    2.4511945247650146,
                    1.0308140516281128,
                ],
            ),
        ] {
            let mut given =
                json!({"max_depth": 3, "n_estimators": 8, "tree_method": "hist", "reg_alpha": 6.0});
            given[name] = value;
            let params = XgBoostParams::from_map(given.as_object().unwrap()).unwrap();
            let fitted = XgBoost::fit(&params, &data, 0).unwrap();
            let said = fitted.predict(x.slice_axis(Axis(0), (..4).into())).unwrap();
            assert_near(&said.values, &want, 1e-5);
        }
    }

    #[test]
    fn rounds_of_several_trees_as_the_program() {
        // xgboost 3.2.0, XGBRegressor and XGBClassifier(tree_method="hist", max_depth=3, ...) on this table;
        // labels cut at 1.10482422 and 3.21314453.
        let x = Array2::from_shape_fn((300, 5), |(i, j)| crate::testing::eighths(i, j));
        let y: Vec<f64> = (0..300)
            .map(|i| ((i * 31) % 53) as f64 / 16.0 + x[[i, 0]] * x[[i, 1]] / 16.0 - x[[i, 2]] / 4.0)
            .collect();
        let design = || Design::new(x.clone(), ('a'..='e').map(String::from).collect()).unwrap();
        let fit = |given: serde_json::Value, data: &Training| {
            let params = XgBoostParams::from_map(given.as_object().unwrap()).unwrap();
            XgBoost::fit(&params, data, 0).unwrap()
        };
        let some = x.slice_axis(Axis(0), (..4).into());
        let data = Training::regression(design(), y.clone()).unwrap();
        let given = json!({"num_parallel_tree": 3, "max_depth": 3, "n_estimators": 5, "tree_method": "hist"});
        let want = [
            0.3226555585861206,
            0.2574535608291626,
            3.136955499649048,
            1.3617891073226929,
        ];
        assert_near(
            &fit(given, &data).predict(some).unwrap().values,
            &want,
            1e-5,
        );
        let given = json!({"num_parallel_tree": 2, "max_depth": 3, "n_estimators": 4, "tree_method": "hist", "objective": "reg:absoluteerror"});
        let want = [
            0.41274964809417725,
            0.35485875606536865,
            3.258319854736328,
            1.0026977062225342,
        ];
        assert_near(
            &fit(given, &data).predict(some).unwrap().values,
            &want,
            1e-5,
        );
        let label = |y: &f64| f64::from(u8::from(*y >= 1.10482422) + u8::from(*y >= 3.21314453));
        let data = Training::classification(design(), y.iter().map(label).collect()).unwrap();
        let given = json!({"num_parallel_tree": 2, "max_depth": 3, "n_estimators": 4, "tree_method": "hist"});
        let fitted = fit(given, &data);
        let p = fitted.predict(some).unwrap().probabilities.unwrap();
        let want = [
            [0.7529648542404175, 0.12439164519309998, 0.12264348566532135],
            [0.5718140006065369, 0.2889420986175537, 0.13924391567707062],
            [0.16094696521759033, 0.3659898042678833, 0.47306329011917114],
        ];
        for (row, want) in p.rows().into_iter().zip(want) {
            assert_near(&row.to_vec(), &want, 1e-5);
        }
        // A file and back: the trees of a round stay in their classes.
        let text = XgBoost::write_foreign(&fitted, 5).unwrap();
        let (back, _) = XgBoost::read_foreign(&text).unwrap();
        let again = back.predict(some).unwrap().probabilities.unwrap();
        assert_near(
            again.as_slice().unwrap(),
            p.as_standard_layout().as_slice().unwrap(),
            1e-7,
        );
        assert_eq!(back.outputs()["n_estimators"], 4);
    }

    #[test]
    fn best_first_trees_with_weights_as_the_program() {
        // xgboost 3.2.0, XGBClassifier and XGBRegressor(tree_method="hist", grow_policy="lossguide",
        // n_estimators=20, n_jobs=1, ...) on this table, labels cut at 1.10482422 and 3.21314453. Gains of
        // cuts and nodes are often alike in single precision, in which the program compares them.
        let x = Array2::from_shape_fn((300, 5), |(i, j)| crate::testing::eighths(i, j));
        let y: Vec<f64> = (0..300)
            .map(|i| ((i * 31) % 53) as f64 / 16.0 + x[[i, 0]] * x[[i, 1]] / 16.0 - x[[i, 2]] / 4.0)
            .collect();
        let label = |y: &f64| f64::from(u8::from(*y >= 1.10482422) + u8::from(*y >= 3.21314453));
        let leaves = json!({"max_depth": 0, "max_leaves": 12});
        let quantile = json!({"max_depth": 0, "max_leaves": 12, "objective": "reg:quantileerror", "quantile_alpha": 0.3});
        let absolute = json!({"max_depth": 0, "max_leaves": 12, "objective": "reg:absoluteerror"});
        for (mut given, by, labels, want) in [
            (
                leaves,
                0.0,
                true,
                &[
                    [
                        0.9407067894935608,
                        0.05413472279906273,
                        0.005158456042408943,
                    ],
                    [
                        0.8672126531600952,
                        0.12117904424667358,
                        0.011608240194618702,
                    ],
                    [0.037886589765548706, 0.5892536044120789, 0.3728598356246948],
                ][..],
            ),
            (
                quantile,
                4.0,
                false,
                &[[0.08994638174772263, -0.23349498212337494, 2.918137311935425]],
            ),
            (
                absolute,
                10.0,
                false,
                &[[0.3257445991039276, -0.20693540573120117, 3.434805393218994]],
            ),
        ] {
            for (name, value) in [
                ("tree_method", json!("hist")),
                ("grow_policy", json!("lossguide")),
                ("n_estimators", json!(20)),
            ] {
                given[name] = value;
            }
            let design = Design::new(x.clone(), ('a'..='e').map(String::from).collect()).unwrap();
            let mut data = if labels {
                Training::classification(design, y.iter().map(label).collect()).unwrap()
            } else {
                Training::regression(design, y.clone()).unwrap()
            };
            if by > 0.0 {
                let weights = (0..300).map(|i| ((i * 7) % 11 + 1) as f64 / by).collect();
                data = data.with_weights(weights).unwrap();
            }
            let params = XgBoostParams::from_map(given.as_object().unwrap()).unwrap();
            let fitted = XgBoost::fit(&params, &data, 0).unwrap();
            let said = fitted.predict(x.slice_axis(Axis(0), (..3).into())).unwrap();
            match said.probabilities {
                Some(p) => {
                    for (row, want) in p.rows().into_iter().zip(want) {
                        assert_near(&row.to_vec(), want, 1e-5);
                    }
                }
                None => assert_near(&said.values, &want[0], 1e-5),
            }
        }
    }

    #[test]
    fn cuts_of_like_gains_are_those_of_the_program() {
        // xgboost 3.2.0, XGBRegressor and XGBClassifier(n_estimators=20, tree_method="exact", max_depth=6,
        // reg_lambda=0.1, reg_alpha=0.1, learning_rate=0.1, n_jobs=1, ...): the first four predictions, of
        // labels the shares of the second one, without missing values and with them. Cuts of gains that single precision does not tell apart
        // occur in each of them.
        let x = Array2::from_shape_fn((300, 5), |(i, j)| crate::testing::eighths(i, j));
        let y: Vec<f64> = (0..300)
            .map(|i| ((i * 31) % 53) as f64 / 16.0 + x[[i, 0]] * x[[i, 1]] / 16.0 - x[[i, 2]] / 4.0)
            .collect();
        let holes = Array2::from_shape_fn((300, 5), |(i, j)| {
            if j < 3 && (i * 5 + j * 7) % 12 < 3 {
                f64::NAN
            } else {
                x[[i, j]]
            }
        });
        let absolute = json!({"objective": "reg:absoluteerror"});
        let cases = [
            (
                &x,
                absolute.clone(),
                [
                    0.21069692075252533,
                    0.33634623885154724,
                    2.9013869762420654,
                    1.3017734289169312,
                ],
            ),
            (
                &holes,
                absolute,
                [
                    0.29423433542251587,
                    0.43500852584838867,
                    2.842190742492676,
                    1.3565722703933716,
                ],
            ),
            (
                &x,
                json!({}),
                [
                    0.06721977889537811,
                    0.07159890234470367,
                    0.9126189351081848,
                    0.08494311571121216,
                ],
            ),
        ];
        // Three labels, by histograms and by every value.
        let three = [
            0.06564965844154358,
            0.2109614461660385,
            0.7699799537658691,
            0.7430697679519653,
        ];
        let by = |method: &str| (&x, json!({"tree_method": method}), three);
        for (x, mut given, want) in cases.into_iter().chain([by("hist"), by("exact")]) {
            let names = ('a'..='e').map(String::from).collect();
            let design = Design::with_missing(x.clone(), names).unwrap();
            let data = if given.get("objective").is_some() {
                Training::regression(design, y.clone())
            } else {
                let cuts: &[f64] = if given.get("tree_method").is_some() {
                    &[1.11, 3.32]
                } else {
                    &[2.04]
                };
                let above = |y: &f64| cuts.iter().filter(|c| y > *c).count() as f64;
                Training::classification(design, y.iter().map(above).collect())
            };
            for (name, value) in [
                ("n_estimators", json!(20)),
                ("max_depth", json!(6)),
                ("reg_lambda", json!(0.1)),
                ("reg_alpha", json!(0.1)),
                ("learning_rate", json!(0.1)),
            ] {
                given[name] = value;
            }
            if given.get("tree_method").is_none() {
                given["tree_method"] = json!("exact");
            }
            let params = XgBoostParams::from_map(given.as_object().unwrap()).unwrap();
            let fitted = XgBoost::fit(&params, &data.unwrap(), 0).unwrap();
            let said = fitted.predict(x.slice_axis(Axis(0), (..4).into())).unwrap();
            let got = match said.probabilities {
                Some(p) => p.column(1).to_vec(),
                None => said.values,
            };
            assert_near(&got, &want, 1e-6);
        }
    }

    #[test]
    fn early_stopping_looks_at_what_the_program_does() {
        // xgboost 3.2.0, XGBRegressor and XGBClassifier(n_estimators=40, tree_method="hist", max_depth=3,
        // early_stopping_rounds=5, ...) on the first 225 rows, eval_set the others: best_iteration + 1 and
        // best_score.
        let x = Array2::from_shape_fn((300, 5), |(i, j)| crate::testing::eighths(i, j));
        let y: Vec<f64> = (0..300)
            .map(|i| ((i * 31) % 53) as f64 / 16.0 + x[[i, 0]] * x[[i, 1]] / 16.0 - x[[i, 2]] / 4.0)
            .collect();
        let cases = [
            ("as it is", json!({}), 9, 1.158873982804334),
            (
                "as it is",
                json!({"eval_metric": "mape"}),
                8,
                0.7334478574246168,
            ),
            (
                "above 0",
                json!({"objective": "count:poisson", "eval_metric": "poisson-nloglik"}),
                8,
                1.5726093610127767,
            ),
            (
                "above 0",
                json!({"objective": "reg:gamma"}),
                1,
                0.28849085807800295,
            ),
            (
                "above 0",
                json!({"objective": "reg:tweedie", "eval_metric": "tweedie-nloglik@1.3"}),
                3,
                9.556692787806194,
            ),
            (
                "two",
                json!({"eval_metric": "error@0.7"}),
                10,
                0.21333333333333335,
            ),
            ("two", json!({"eval_metric": "auc"}), 13, 0.9113247863247863),
            (
                "two",
                json!({"eval_metric": "aucpr"}),
                14,
                0.9273940331530696,
            ),
            (
                "three",
                json!({"eval_metric": "merror"}),
                5,
                0.3333333333333333,
            ),
            (
                "three",
                json!({"eval_metric": "auc"}),
                10,
                0.8251794340924776,
            ),
            (
                "three",
                json!({"eval_metric": "aucpr"}),
                2,
                0.690117375007781,
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
                    let codes = y.iter().map(|y| f64::from(u8::from(*y >= 2.0400390625)));
                    Training::classification(design, codes.collect())
                }
                _ => Training::classification(design, y.iter().map(three).collect()),
            }
            .unwrap();
            for (name, value) in [
                ("n_estimators", json!(40)),
                ("tree_method", json!("hist")),
                ("max_depth", json!(3)),
                ("early_stopping_rounds", json!(5)),
                ("validation_fraction", json!(0.25)),
            ] {
                given[name] = value;
            }
            let params = XgBoostParams::from_map(given.as_object().unwrap()).unwrap();
            let outputs = XgBoost::fit(&params, &data, 0).unwrap().outputs();
            assert_eq!(outputs["n_estimators"], rounds, "{given}");
            let had = outputs["best_score"][0].as_f64().unwrap();
            assert!((had - score).abs() < 1e-6 * score.abs(), "{had} {given}");
        }
    }

    #[test]
    fn missing_values_and_signs_as_the_program() {
        // xgboost 3.2.0, XGBRegressor(n_estimators=5, max_depth=4, n_jobs=1, ...) on columns with missing values, row
        // i with the weight (7 i mod 11 + 1) / 4 or 1: missing values alone on the left where a column may only
        // rise, cuts among bins that a node has no rows in, and signs that are all 0.
        let number = |i: usize, j: usize| crate::testing::eighths(i, j);
        let x = Array2::from_shape_fn((300, 3), |(i, j)| match j {
            0 if i % 7 == 3 => f64::NAN,
            2 if i % 11 == 4 => f64::NAN,
            _ => number(i, j),
        });
        let y = (0..300).map(|i| {
            let of_numbers = number(i, 0) * number(i, 1) / 16.0 - number(i, 2) / 4.0;
            let less =
                3.0 * f64::from(u8::from(i % 7 == 3)) + 2.0 * f64::from(u8::from(i % 11 == 4));
            ((i * 31) % 53) as f64 / 16.0 + of_numbers - less
        });
        let design = Design::with_missing(x, ["a", "b", "c"].map(String::from).into()).unwrap();
        let data = Training::regression(design, y.collect()).unwrap();
        let rows = [
            [1.0, 2.0, 3.0],
            [f64::NAN, 5.0, 7.0],
            [9.0, 3.0, 11.0],
            [6.0, 8.0, f64::NAN],
            [4.0, 4.0, 4.0],
            [11.0, 11.0, 0.5],
        ];
        let rows = Array2::from(rows.to_vec());
        for (given, weighed, want) in [
            (
                json!({"tree_method": "hist", "monotone_constraints": "1,0,1"}),
                false,
                [
                    0.3466210961341858,
                    -0.19761312007904053,
                    1.9457929134368896,
                    1.0886571407318115,
                    1.3141450881958008,
                    5.960369110107422,
                ],
            ),
            (
                json!({"tree_method": "exact", "monotone_constraints": "1,0,1"}),
                false,
                [
                    0.3466210961341858,
                    -0.19761312007904053,
                    1.9457929134368896,
                    1.0886571407318115,
                    1.3141450881958008,
                    5.960369110107422,
                ],
            ),
            (
                json!({"tree_method": "hist", "monotone_constraints": "-1,1,0", "max_bin": 20}),
                true,
                [
                    1.512058973312378,
                    -0.06867913901805878,
                    0.5500215291976929,
                    2.0952954292297363,
                    1.512058973312378,
                    7.089912414550781,
                ],
            ),
            (
                json!({"tree_method": "hist", "max_depth": 6, "max_bin": 40}),
                true,
                [
                    1.0643948316574097,
                    -0.28925642371177673,
                    1.0503826141357422,
                    0.645526647567749,
                    2.0473434925079346,
                    7.37431526184082,
                ],
            ),
            (
                json!({"tree_method": "hist", "monotone_constraints": "0,0,0", "reg_alpha": 2.0}),
                false,
                [
                    0.4607027769088745,
                    0.21471601724624634,
                    1.0207377672195435,
                    0.9170059561729431,
                    1.9855072498321533,
                    6.135481357574463,
                ],
            ),
        ] {
            let mut data = data.clone();
            if weighed {
                let weights = (0..300).map(|i| ((i * 7) % 11 + 1) as f64 / 4.0);
                data = data.with_weights(weights.collect()).unwrap();
            }
            let mut given = given.as_object().unwrap().clone();
            for (name, value) in [("n_estimators", 5), ("max_depth", 4)] {
                given.entry(name).or_insert(value.into());
            }
            let params = XgBoostParams::from_map(&given).unwrap();
            let fitted = XgBoost::fit(&params, &data, 0).unwrap();
            assert_near(&fitted.predict(rows.view()).unwrap().values, &want, 1e-6);
        }
    }
}
