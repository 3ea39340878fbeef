//! Gradient boosting.
//!
//! What: a sum of small trees, each fitted to what the ones before leave over.
//! Formula: F_m = F_{m-1} + ν tree_m, tree_m grown on the negative gradient of the loss at F_{m-1}.
//! Data: any table of numbers; scale of the columns does not matter.
//! Cost: fit O(p n log n + T p n depth), predict O(rows T depth).
//! Fails when: trees are many and deep on noisy data, which they learn by heart.
//! Source: Friedman, Annals of Statistics 29 (2001); Computational Statistics & Data Analysis 38 (2002).
//! Not claimed: values outside those of training.

use super::engine::{self, Criterion, MaxFeatures, Rules, Sorted, Splitter, Target, Tree};
use super::objective::{Objective as Binomial, quantile_below, quantile_between, sigmoid, softmax};
use super::shap;
use crate::numeric::some_rows;
use mltrainer_catalogue_core::card::{Evidence, Preset};
use mltrainer_catalogue_core::{
    Card, Contributions, Entry, Explained, FitError, Inputs, Outputs, ParamError, Prediction,
    Predictor, Supervised, Training, choices, params, run,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The handle.
pub struct GradientBoosting;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<GradientBoosting>();

choices! {
    /// What is minimised.
    pub enum Loss {
        /// Squared up to the quantile alpha of the absolute residuals, linear beyond; regression.
        Huber = "huber",
        /// (y - f)²; regression.
        SquaredError = "squared_error",
        /// |y - f|; regression.
        AbsoluteError = "absolute_error",
        /// Pinball loss of the quantile alpha; regression.
        Quantile = "quantile",
        /// Deviance of the logistic or softmax model; classification.
        LogLoss = "log_loss",
        /// exp(-margin), the loss of AdaBoost; two labels.
        Exponential = "exponential",
    }
}

choices! {
    /// Where the sum starts.
    pub enum Init {
        /// At 0 instead of the best constant.
        Zero = "zero",
    }
}

params! {
    /// Parameters of gradient boosting.
    pub struct GradientBoostingParams {
        /// What is minimised; none is squared_error for regression and log_loss for classification.
        loss: Option<Loss> = None;
        /// Share of each tree that is added.
        learning_rate: f64 = 0.1, above_up_to(0.0, 100.0);
        /// Number of trees (for more than two labels, of rounds of one tree a label).
        n_estimators: usize = 100, within(1.0, 100_000.0);
        /// Share of the rows that each round sees, drawn without replacement.
        subsample: f64 = 1.0, above_up_to(0.0, 1.0);
        /// Rows a node must have to be split.
        min_samples_split: usize = 2, at_least(2.0);
        /// Rows each side of a split must have.
        min_samples_leaf: usize = 1, at_least(1.0);
        /// Weight each side of a split must have, as a share of all.
        min_weight_fraction_leaf: f64 = 0.0, within(0.0, 0.5);
        /// Levels of each tree; none is no limit.
        max_depth: Option<usize> = Some(3), within(1.0, 1_000_000.0);
        /// A split must lower the variance of the gradients, weighted with the node's share of all rows, by this much.
        min_impurity_decrease: f64 = 0.0, at_least(0.0);
        /// Where the sum starts: zero, or none for the best constant (mean, median, quantile, log odds).
        init: Option<Init> = None;
        /// Columns a split looks at, drawn anew each time: sqrt, log2, third, all, a number of columns, or a share of them; none is all.
        max_features: Option<MaxFeatures> = None;
        /// Quantile of the losses huber and quantile.
        alpha: f64 = 0.9, inside(0.0, 1.0);
        /// Leaves of each tree at most, the splits that gain most made first; none is no limit.
        max_leaf_nodes: Option<usize> = None, within(2.0, 10_000.0);
        /// Share of the rows, drawn at random, that early stopping keeps aside.
        validation_fraction: f64 = 0.1, inside(0.0, 1.0);
        /// Stop when the loss on the rows kept aside has not fallen by tol in so many rounds; none never stops early.
        n_iter_no_change: Option<usize> = None, within(1.0, 100_000.0);
        /// What early stopping counts as a fall.
        tol: f64 = 1e-4, at_least(0.0);
        /// Price of a leaf: subtrees that lower the variance of the gradients by less a leaf are cut off.
        ccp_alpha: f64 = 0.0, at_least(0.0);
        /// Seed of the draws; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

/// Fitted state.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    exponential: bool,
    learning_rate: f64,
    /// One start a tree of a round.
    start: Vec<f64>,
    /// Round after round.
    trees: Vec<Tree>,
    classes: Vec<i64>,
    importances: Vec<f64>,
    train_score: Vec<f64>,
    oob_improvement: Vec<f64>,
}

const CARD: Card = Card {
    id: "gradient_boosting",
    family: "tree",
    title: "Gradient boosting",
    tasks: &[Task::Regression, Task::Classification],
    inputs: Inputs::Features,
    summary: "A sum of small trees. Each is grown, cut by exact cut, on the negative gradient of the loss at the sum so far, its leaves are set to lower the loss most, and a share of it is added.",
    formula: "F₀ = argmin_c Σ L(yᵢ, c); treeₘ grown by squared error on -∂L/∂F(yᵢ, Fₘ₋₁(xᵢ)); each leaf: the constant that lowers the loss most (median, quantile, Huber's step) or one Newton step Σr/Σp(1-p), times (K-1)/K for K > 2 labels; Fₘ = Fₘ₋₁ + learning_rate · treeₘ. Labels: p = 1/(1+e^-F), or softmax of one F a label",
    data: "Any table of numbers; scale and monotone changes of a column do not matter.",
    cost: "fit O(p n log n + T p n depth), predict O(rows · T · depth)",
    fails_when: "Trees are many and deep on noisy data, which they learn by heart: use a small learning rate, shallow trees, and early stopping.",
    not_claimed: "Values outside those of the training rows, or importances as causes.",
    source: "J. H. Friedman, Greedy function approximation: a gradient boosting machine, Annals of Statistics 29 (2001) 1189-1232; Stochastic gradient boosting, CSDA 38 (2002)",
    reference: "scikit-learn 1.9.1, GradientBoostingRegressor and GradientBoostingClassifier",
    outputs: &[
        (
            "decision",
            "labels: sum of the trees of each test row, for two labels the log odds of the larger one (exponential: half of them), else by label",
        ),
        (
            "feature_importances",
            "share of the decrease of variance of the gradients, one a column, sum 1",
        ),
        ("n_estimators", "rounds that were made"),
        ("train_score", "loss on the rows of each round, after it"),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "scikit-learn 1.9.1, cases without ties",
            cases: "gradient-boosting-50-0.1-spx-reg, gradient-boosting-30-0.05-aapl-reg, gradient-boosting-spx-cls",
            tolerance: "predictions and probabilities 1e-6",
        },
        Evidence {
            against: "scikit-learn 1.9.1, cases with ties, 20 seeds",
            cases: "gradient-boosting-100-0.1-spx-reg, gradient-boosting-spx-cls3",
            tolerance: "figures on test and training rows within three standard deviations, correlation of predictions 0.97",
        },
        Evidence {
            against: "shap 0.51.0, TreeExplainer of scikit-learn 1.9.1",
            cases: "the cases of gradient_boosting of crates/catalogue/tests/data/shap.json",
            tolerance: "SHAP values 1e-7, and the sum of each row",
        },
    ],
    presets: &[
        Preset {
            id: "gradient_boosting_lr_0_01",
            title: "Gradient boosting, learning rate 0.01",
            set: &[("learning_rate", "0.01")],
        },
        Preset {
            id: "gradient_boosting_lr_0_1",
            title: "Gradient boosting, learning rate 0.1",
            set: &[("learning_rate", "0.1")],
        },
        Preset {
            id: "gradient_boosting_lr_0_3",
            title: "Gradient boosting, learning rate 0.3",
            set: &[("learning_rate", "0.3")],
        },
    ],
    exemptions: &[],
};

/// The loss that applies, if it fits the task and the labels.
fn loss(given: Option<Loss>, data: &Training) -> Result<Loss, ParamError> {
    let refused = |reason: &str| ParamError {
        field: "loss".into(),
        reason: reason.into(),
        suggestions: Vec::new(),
    };
    let Some(labels) = data.labels() else {
        return match given.unwrap_or(Loss::SquaredError) {
            Loss::LogLoss | Loss::Exponential => Err(refused(
                "does not fit regression: log_loss and exponential are for classification",
            )),
            fits => Ok(fits),
        };
    };
    match given.unwrap_or(Loss::LogLoss) {
        Loss::Exponential if labels.classes.len() > 2 => {
            Err(refused("exponential takes two labels; use log_loss"))
        }
        fits @ (Loss::LogLoss | Loss::Exponential) => Ok(fits),
        _ => Err(refused(
            "does not fit classification: use log_loss or exponential",
        )),
    }
}

/// A loss with what it needs to know of the data.
struct Objective {
    loss: Loss,
    alpha: f64,
    /// Where Huber's loss turns linear.
    delta: f64,
    /// Sums of trees: one, or one a label beyond two.
    width: usize,
}

impl Objective {
    /// The best constant, one a sum of trees.
    fn start(&self, y: &[f64], w: &[f64]) -> Vec<f64> {
        let all: f64 = w.iter().sum();
        let mean = y.iter().zip(w).map(|(y, w)| y * w).sum::<f64>() / all;
        let kept = |p: f64| p.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
        let quantile = |share: f64| {
            if w.iter().all(|w| *w == 1.0) {
                return quantile_between(y, share);
            }
            let mut pairs: Vec<(f64, f64)> = y.iter().copied().zip(w.iter().copied()).collect();
            quantile_below(&mut pairs, share)
        };
        match self.loss {
            Loss::SquaredError => vec![mean],
            Loss::AbsoluteError | Loss::Huber => vec![quantile(0.5)],
            Loss::Quantile => vec![quantile(self.alpha)],
            Loss::Exponential => vec![0.5 * (kept(mean) / (1.0 - kept(mean))).ln()],
            Loss::LogLoss if self.width == 1 => vec![(kept(mean) / (1.0 - kept(mean))).ln()],
            Loss::LogLoss => {
                let share = |k: usize| {
                    let own = y.iter().zip(w).filter(|(c, _)| **c == k as f64);
                    kept(own.map(|(_, w)| w).sum::<f64>() / all).ln()
                };
                let logs: Vec<f64> = (0..self.width).map(share).collect();
                // Scores that sum to 0: softmax leaves a number that is added to all of them open.
                let mean = logs.iter().sum::<f64>() / self.width as f64;
                logs.into_iter().map(|l| l - mean).collect()
            }
        }
    }

    /// Sets the delta of Huber's loss.
    fn look(&mut self, y: &[f64], w: &[f64], f: &[Vec<f64>]) {
        if self.loss == Loss::Huber {
            let off = y.iter().zip(&f[0]).map(|(y, f)| (y - f).abs());
            let mut off: Vec<(f64, f64)> = off.zip(w.iter().copied()).collect();
            self.delta = quantile_below(&mut off, self.alpha);
        }
    }

    /// Negative gradients, one list a sum of trees.
    fn gradients(&self, y: &[f64], f: &[Vec<f64>]) -> Vec<Vec<f64>> {
        if self.width > 1 {
            let mut all = vec![vec![0.0; y.len()]; self.width];
            for (i, c) in y.iter().enumerate() {
                let p = softmax(f.iter().map(|f| f[i]));
                for (k, p) in p.into_iter().enumerate() {
                    all[k][i] = f64::from(u8::from(*c == k as f64)) - p;
                }
            }
            return all;
        }
        let each = |(y, f): (&f64, &f64)| match self.loss {
            Loss::SquaredError => y - f,
            Loss::AbsoluteError => (y - f).signum(),
            Loss::Huber => (y - f).clamp(-self.delta, self.delta),
            Loss::Quantile if y >= f => self.alpha,
            Loss::Quantile => self.alpha - 1.0,
            Loss::LogLoss => y - sigmoid(*f),
            Loss::Exponential if *y > 0.0 => (-f).exp(),
            Loss::Exponential => -f.exp(),
        };
        vec![y.iter().zip(&f[0]).map(each).collect()]
    }

    /// What the leaf with these rows, of weights `w`, adds to a sum `f` with residuals `r`.
    fn leaf(&self, rows: &[u32], y: &[f64], w: &[f64], r: &[f64], f: &[f64]) -> f64 {
        let rows = || rows.iter().map(|i| *i as usize);
        let all: f64 = rows().map(|i| w[i]).sum();
        let over = |up: f64, down: f64| if down.abs() < 1e-150 { 0.0 } else { up / down };
        match self.loss {
            Loss::SquaredError => rows().map(|i| w[i] * r[i]).sum::<f64>() / all,
            Loss::AbsoluteError | Loss::Quantile | Loss::Huber => {
                let share = if self.loss == Loss::Quantile {
                    self.alpha
                } else {
                    0.5
                };
                let mut off: Vec<(f64, f64)> = rows().map(|i| (y[i] - f[i], w[i])).collect();
                let middle = quantile_below(&mut off, share);
                if self.loss != Loss::Huber {
                    return middle;
                }
                let step = |o: f64| (o - middle).clamp(-self.delta, self.delta);
                middle + off.iter().map(|(o, w)| w * step(*o)).sum::<f64>() / all
            }
            Loss::LogLoss => {
                let (mut up, mut down) = (0.0, 0.0);
                for i in rows() {
                    // The residual tells the label: it is above 0 for the label of this sum only.
                    let p = f64::from(u8::from(r[i] > 0.0)) - r[i];
                    up += w[i] * r[i];
                    down += w[i] * p * (1.0 - p);
                }
                let k = self.width as f64;
                let factor = if self.width == 1 { 1.0 } else { (k - 1.0) / k };
                over(up / all * factor, down / all)
            }
            Loss::Exponential => {
                let up: f64 = rows().map(|i| w[i] * r[i]).sum();
                let down: f64 = rows().map(|i| w[i] * r[i].abs()).sum();
                over(up / all, down / all)
            }
        }
    }

    /// Mean loss over rows.
    fn mean(
        &self,
        rows: impl Iterator<Item = usize> + Clone,
        y: &[f64],
        w: &[f64],
        f: &[Vec<f64>],
    ) -> f64 {
        let each = |i: usize| {
            let (y, off) = (y[i], y[i] - f[0][i]);
            match self.loss {
                Loss::SquaredError => off * off,
                Loss::AbsoluteError => off.abs(),
                Loss::Huber if off.abs() <= self.delta => off * off / 2.0,
                Loss::Huber => self.delta * (off.abs() - self.delta / 2.0),
                Loss::Quantile if off >= 0.0 => self.alpha * off,
                Loss::Quantile => (self.alpha - 1.0) * off,
                Loss::Exponential if y > 0.0 => (-f[0][i]).exp(),
                Loss::Exponential => f[0][i].exp(),
                Loss::LogLoss if self.width == 1 => 2.0 * Binomial::Logistic.loss(y, f[0][i]),
                Loss::LogLoss => {
                    let top = f.iter().map(|f| f[i]).fold(f64::NEG_INFINITY, f64::max);
                    let sum: f64 = f.iter().map(|f| (f[i] - top).exp()).sum();
                    top + sum.ln() - f[y as usize][i]
                }
            }
        };
        let all: f64 = rows.clone().map(|i| w[i]).sum();
        rows.map(|i| w[i] * each(i)).sum::<f64>() / all
    }
}

/// Rows kept aside for early stopping and the others, both ascending; of labels, so many of each.
fn split(
    data: &Training,
    share: f64,
    random: &mut Xoshiro256PlusPlus,
) -> Result<(Vec<usize>, Vec<usize>), FitError> {
    let groups: Vec<Vec<usize>> = match data.labels() {
        Some(labels) => (0..labels.classes.len())
            .map(|k| {
                (0..labels.codes.len())
                    .filter(|i| labels.codes[*i] == k)
                    .collect()
            })
            .collect(),
        None => vec![(0..data.y().len()).collect()],
    };
    let (mut kept, mut aside) = (Vec::new(), Vec::new());
    for mut group in groups {
        group.shuffle(random);
        let many = (share * group.len() as f64).ceil() as usize;
        if many >= group.len() {
            return Err(FitError::Data(format!(
                "{} rows of one kind are too few to keep a share of {share} of them aside for early stopping: lower validation_fraction",
                group.len()
            )));
        }
        aside.extend_from_slice(&group[..many]);
        kept.extend_from_slice(&group[many..]);
    }
    kept.sort_unstable();
    aside.sort_unstable();
    Ok((kept, aside))
}

impl Supervised for GradientBoosting {
    type Params = GradientBoostingParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn fit(
        params: &GradientBoostingParams,
        data: &Training,
        seed: u64,
    ) -> Result<Fitted, FitError> {
        let classes = data.labels().map(|l| l.classes.clone()).unwrap_or_default();
        if classes.len() == 1 {
            return Err(FitError::Data(format!(
                "every row has label {}; two labels are needed",
                classes[0]
            )));
        }
        let all_y: Cow<'_, [f64]> = data.labels().map_or_else(
            || Cow::Borrowed(data.y()),
            |l| l.codes.iter().map(|c| *c as f64).collect(),
        );
        if !all_y.iter().map(|y| y * y).sum::<f64>().is_finite() {
            return Err(FitError::Failed(
                "the target is too large to be squared: rescale it".into(),
            ));
        }
        let mut objective = Objective {
            loss: loss(params.loss, data)?,
            alpha: params.alpha,
            delta: 0.0,
            width: if classes.len() > 2 { classes.len() } else { 1 },
        };
        let mut random = Xoshiro256PlusPlus::seed_from_u64(run::effective_seed(params.seed, seed));
        let (kept, aside) = match params.n_iter_no_change {
            Some(_) => split(data, params.validation_fraction, &mut random)?,
            None => ((0..all_y.len()).collect(), Vec::new()),
        };
        let x = some_rows(data.x(), &kept);
        let aside_x = some_rows(data.x(), &aside);
        let given = data.weights();
        let own = |i: usize| given.map_or(1.0, |w| w[i]);
        let aside_w: Vec<f64> = aside.iter().map(|i| own(*i)).collect();
        let aside_y: Vec<f64> = aside.iter().map(|i| all_y[*i]).collect();
        let (n, p) = x.dim();
        let look = params.max_features.map_or(p, |m| m.of(p));
        // What else is needed row by row comes after it: sorting takes room that is free again then.
        let mut sorted = Sorted::new(&x, Splitter::Best, look)?;
        let base: Vec<f64> = kept.iter().map(|i| own(*i)).collect();
        let y: Cow<'_, [f64]> = if aside.is_empty() {
            all_y
        } else {
            kept.iter().map(|i| all_y[*i]).collect()
        };
        drop(kept);
        let rules = Rules {
            criterion: Criterion::SquaredError,
            splitter: Splitter::Best,
            max_depth: params.max_depth.unwrap_or(usize::MAX),
            min_samples_split: params.min_samples_split,
            min_samples_leaf: params.min_samples_leaf,
            min_weight_fraction_leaf: params.min_weight_fraction_leaf,
            max_leaf_nodes: params.max_leaf_nodes,
            min_impurity_decrease: params.min_impurity_decrease,
            ccp_alpha: params.ccp_alpha,
            max_features: look,
            shuffled: false,
            monotone: Vec::new(),
        };
        let start = match params.init {
            Some(Init::Zero) => vec![0.0; objective.width],
            None => objective.start(&y, &base),
        };
        let mut f: Vec<Vec<f64>> = start.iter().map(|s| vec![*s; n]).collect();
        let mut aside_f: Vec<Vec<f64>> = start.iter().map(|s| vec![*s; aside.len()]).collect();
        let mut history = vec![f64::INFINITY; params.n_iter_no_change.unwrap_or_default()];
        let drawn = ((params.subsample * n as f64) as usize).max(1);
        // The rows that were drawn, then the others; none where all are seen.
        let mut every: Vec<usize> = if params.subsample < 1.0 {
            (0..n).collect()
        } else {
            Vec::new()
        };
        let (mut trees, mut gains) = (Vec::new(), vec![0.0; p]);
        let (mut train_score, mut oob_improvement) = (Vec::new(), Vec::new());
        let mut before: Option<f64> = None;
        for round in 0..params.n_estimators {
            let mut weights = Cow::Borrowed(&base);
            let mut seen = n;
            if params.subsample < 1.0 {
                every.shuffle(&mut random);
                seen = drawn;
                let own = weights.to_mut();
                every[drawn..].iter().for_each(|i| own[*i] = 0.0);
                if before.is_none() && seen < n {
                    before = Some(objective.mean(every[seen..].iter().copied(), &y, &base, &f));
                }
            }
            objective.look(&y, &base, &f);
            let gradients = objective.gradients(&y, &f);
            for (k, r) in gradients.iter().enumerate() {
                let target = Target::Numbers(r);
                let grown =
                    engine::grow_in_place(&mut sorted, target, &weights, &rules, &mut random);
                let mut tree = grown.tree;
                let leaves = members(&grown.leaf, tree.n_leaves());
                let found: Vec<f64> = leaves
                    .iter()
                    .map(|rows| objective.leaf(rows, &y, &weights, r, &f[k]))
                    .collect();
                tree.values_mut().copy_from_slice(&found);
                for (i, leaf) in grown.leaf.iter().enumerate() {
                    // Rows that were not drawn are sent down the tree.
                    let at = if weights[i] > 0.0 {
                        *leaf as usize
                    } else {
                        tree.leaf(x.row(i))
                    };
                    f[k][i] += params.learning_rate * found[at];
                }
                for (i, row) in aside_x.rows().into_iter().enumerate() {
                    aside_f[k][i] += params.learning_rate * tree.of(row)[0];
                }
                gains
                    .iter_mut()
                    .zip(tree.gains())
                    .for_each(|(s, g)| *s += g);
                trees.push(tree);
            }
            train_score.push(if every.is_empty() {
                objective.mean(0..n, &y, &base, &f)
            } else {
                objective.mean(every[..seen].iter().copied(), &y, &base, &f)
            });
            if seen < n {
                let now = objective.mean(every[seen..].iter().copied(), &y, &base, &f);
                oob_improvement.push(before.unwrap_or(now) - now);
                before = Some(now);
            }
            if !train_score[round].is_finite() {
                return Err(FitError::Failed(format!(
                    "the loss is not a finite number after round {}: lower learning_rate or rescale the target",
                    round + 1
                )));
            }
            if !history.is_empty() {
                let now = objective.mean(0..aside.len(), &aside_y, &aside_w, &aside_f);
                if history.iter().all(|h| now + params.tol >= *h) {
                    break;
                }
                let at = round % history.len();
                history[at] = now;
            }
        }
        Ok(Fitted {
            exponential: objective.loss == Loss::Exponential,
            learning_rate: params.learning_rate,
            start,
            trees,
            classes,
            importances: engine::shares(gains),
            train_score,
            oob_improvement,
        })
    }
}

/// The rows of each leaf.
fn members(leaf: &[u32], leaves: usize) -> Vec<Vec<u32>> {
    let mut sizes = vec![0; leaves];
    for l in leaf {
        if let Some(size) = sizes.get_mut(*l as usize) {
            *size += 1;
        }
    }
    let mut all: Vec<Vec<u32>> = sizes.into_iter().map(Vec::with_capacity).collect();
    for (i, l) in leaf.iter().enumerate() {
        if let Some(rows) = all.get_mut(*l as usize) {
            rows.push(i as u32);
        }
    }
    all
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        let width = self.start.len();
        let mut sums = vec![vec![0.0; x.nrows()]; width];
        for (t, tree) in self.trees.iter().enumerate() {
            let sum = &mut sums[t % width];
            for (s, row) in sum.iter_mut().zip(x.rows()) {
                *s += self.learning_rate * tree.of(row)[0];
            }
        }
        for (sum, start) in sums.iter_mut().zip(&self.start) {
            sum.iter_mut().for_each(|s| *s += start);
        }
        if self.classes.is_empty() {
            return Ok(Prediction::values(sums.swap_remove(0)));
        }
        let mut p = Array2::zeros((x.nrows(), self.classes.len()));
        for (i, mut row) in p.rows_mut().into_iter().enumerate() {
            if width == 1 {
                let factor = if self.exponential { 2.0 } else { 1.0 };
                row[1] = sigmoid(factor * sums[0][i]);
                row[0] = 1.0 - row[1];
            } else {
                let each = softmax(sums.iter().map(|s| s[i]));
                row.iter_mut().zip(each).for_each(|(r, p)| *r = p);
            }
        }
        Ok(super::boost::scored(p, &sums, &self.classes))
    }

    fn contributions(&self, x: ArrayView2<'_, f64>) -> Result<Option<Contributions>, FitError> {
        // The exponential loss has half the log odds as its sum.
        let factor = if self.exponential { 2.0 } else { 1.0 };
        let width = self.start.len();
        let start: Vec<f64> = self.start.iter().map(|s| factor * s).collect();
        let mut sum = shap::Sum::new(x, &start);
        for (t, tree) in self.trees.iter().enumerate() {
            sum.add(tree, factor * self.learning_rate, t % width, x)?;
        }
        Ok(Some(match (self.classes.is_empty(), width) {
            (true, _) => sum.finish(Vec::new(), Explained::Value),
            (false, 1) => sum.finish(Vec::new(), Explained::LogOdds),
            (false, _) => sum.finish(self.classes.clone(), Explained::Score),
        }))
    }

    fn outputs(&self) -> Outputs {
        let mut outputs = Outputs::from_iter([
            (
                "feature_importances".to_owned(),
                run::numbers(&self.importances),
            ),
            (
                "n_estimators".to_owned(),
                (self.trees.len() / self.start.len()).into(),
            ),
            ("train_score".to_owned(), run::numbers(&self.train_score)),
        ]);
        if !self.oob_improvement.is_empty() {
            let improvement = run::numbers(&self.oob_improvement);
            outputs.insert("oob_improvement".into(), improvement);
        }
        outputs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, classes, table};
    use mltrainer_catalogue_core::Params as _;

    fn params(given: serde_json::Value) -> GradientBoostingParams {
        GradientBoostingParams::from_map(given.as_object().unwrap()).unwrap()
    }

    #[test]
    fn two_rounds_by_hand() {
        // Mean 2; residuals -2 -2 4: the stump parts {0, 0} and {6}; half of it twice: 2 - 1 - 0.5.
        let data = table(&[&[1.0], &[2.0], &[4.0]], &[0.0, 0.0, 6.0]);
        let given = serde_json::json!({"n_estimators": 2, "learning_rate": 0.5, "max_depth": 1});
        let fitted = GradientBoosting::fit(&params(given), &data, 0).unwrap();
        let values = fitted.predict(data.x().view()).unwrap().values;
        assert_near(&values, &[0.5, 0.5, 5.0], 1e-14);
    }

    #[test]
    fn losses_are_kept_to_their_task() {
        let data = table(&[&[1.0], &[2.0]], &[0.0, 1.0]);
        let given = serde_json::json!({"loss": "log_loss"});
        assert!(GradientBoosting::fit(&params(given), &data, 0).is_err());
        let three = classes(&[&[1.0], &[2.0], &[3.0]], &[0.0, 1.0, 2.0]);
        let given = serde_json::json!({"loss": "exponential"});
        let refused = GradientBoosting::fit(&params(given), &three, 0).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "parameter loss: exponential takes two labels; use log_loss"
        );
    }
}
