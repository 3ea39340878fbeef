//! CatBoost.
//!
//! What: gradient boosting with oblivious trees (one question a level for all nodes of it), as the
//! program CatBoost does it.
//! Formula: each level takes the question with the best cosine between gradients and leaf means.
//! Data: any table of numbers; a missing value is less than all others.
//! Cost: fit O(T p n depth), predict O(rows T depth).
//! Fails when: rows are few and rounds many.
//! Source: Prokhorenkova et al., NeurIPS (2018).
//! Not claimed: the same bits as the program, or its combinations of categories.

use super::boost::{self, Quantiles, Rows};
use super::categories::Encoder;
use super::engine::{Criterion, Learned, shares};
use super::histogram::{Binned, Bins};
use super::objective::{Objective, quantile_below, softmax};
use super::shap::{self, Splits};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Contributions, Entry, FitError, Inputs, Outputs, ParamError, Prediction, Predictor,
    Supervised, Training, choices, params, run, threads,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView1, ArrayView2};
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// The handle.
pub struct CatBoost;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<CatBoost>().tested_with(&[("n_estimators", "60")]);

choices! {
    /// What is minimised.
    pub enum Loss {
        /// Pinball loss of alpha; regression.
        Quantile = "Quantile",
        /// |y - f|; regression.
        Mae = "MAE",
        /// (y - f)²; regression.
        Rmse = "RMSE",
        /// Poisson deviance with log link; regression.
        Poisson = "Poisson",
        /// Logistic loss of two labels.
        Logloss = "Logloss",
        /// Softmax.
        MultiClass = "MultiClass",
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
        /// Stop when the loss on the rows kept aside has not fallen in so many rounds, and keep the best; none never stops early.
        early_stopping_rounds: Option<usize> = None, within(1.0, 100_000.0);
        /// Share of the rows, the last ones, that early stopping keeps aside.
        validation_fraction: f64 = 0.1, inside(0.0, 1.0);
        /// How rows are weighted anew for each tree; none is MVS, or Bayesian for MultiClass.
        bootstrap_type: Option<Bootstrap> = None;
        /// What is minimised; none is RMSE, Logloss or MultiClass.
        loss_function: Option<Loss> = None;
        /// The quantile of Quantile.
        alpha: f64 = 0.5, inside(0.0, 1.0);
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
        /// Newton steps that set the values of the leaves; none is 10 for Logloss and Poisson, else 1.
        leaf_estimation_iterations: Option<usize> = None, within(1.0, 1000.0);
        /// Rows each leaf must have for a question to count.
        min_data_in_leaf: usize = 1, at_least(1.0);
        /// Plain, or Ordered against the leak of a row into its own gradient.
        boosting_type: Boosting = Boosting::Plain;
        /// How a question is judged.
        score_function: Score = Score::Cosine;
        /// Whether the sum of trees starts at the mean, median or quantile; none is yes for RMSE, MAE and Quantile.
        boost_from_average: Option<bool> = None;
        /// Columns of categories, by name or number from 0, joined with commas: each becomes ordered target statistics; none has none.
        cat_features: Option<Vec<String>> = None;
        /// Up to so many categories a column becomes one column a category instead.
        one_hot_max_size: usize = 2, within(1.0, 255.0);
        /// Seed of the draws; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

/// An oblivious tree: the leaf of a row has one bit a question.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Tree {
    /// Column and border of each level; a value above it sets the bit.
    questions: Vec<(u32, f64)>,
    /// Leaf after leaf, one value a sum.
    values: Vec<f64>,
    /// Weight of the training rows of each leaf; models saved before it was kept have none.
    #[serde(default)]
    sizes: Vec<f64>,
}

impl Tree {
    fn leaf(&self, row: ArrayView1<'_, f64>) -> usize {
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
    /// Columns of categories as numbers; models saved before there were such have none.
    #[serde(default)]
    encoder: Encoder,
}

const CARD: Card = Card {
    id: "catboost",
    family: "tree",
    title: "CatBoost",
    tasks: &[Task::Regression, Task::Classification],
    inputs: Inputs::Features,
    summary: "Gradient boosting with oblivious trees: all nodes of a level ask the same question, so a tree is a small table. Questions are judged by a cosine with some noise, rows are weighted anew for each tree, and ordered boosting keeps a row out of its own gradient.",
    formula: "question of a level: the (column, border) that maximises Σ_leaves ḡG / √Σ_leaves ḡ²W + noise, ḡ = G/(W + l2), G = Σ w·(-∂L/∂f), W = Σ w; leaves: learning_rate · G/(H + l2), Newton steps over all rows; l2 = l2_leaf_reg · mean weight; borders: bins halved greedily for the largest Σ ln(rows)",
    data: "Any table of numbers; NaN is a missing value, less than all others; scale and monotone changes of a column do not matter.",
    cost: "fit O(T p n depth), predict O(rows · T · depth)",
    fails_when: "Rows are few and trees are many or deep.",
    not_claimed: "The same bits as the program, whose draws come from another stream, or its combinations of columns of categories: each column has statistics of its own here.",
    source: "L. Prokhorenkova, G. Gusev, A. Vorobev, A. Dorogush, A. Gulin, CatBoost: unbiased boosting with categorical features, NeurIPS (2018)",
    reference: "catboost 1.2.10, CatBoostRegressor and CatBoostClassifier",
    outputs: &[
        (
            "feature_importances",
            "share of the change of the leaf values that each column's questions make, one a column, sum 1",
        ),
        ("n_estimators", "trees that are kept"),
        ("learning_rate", "the rate that was used"),
    ],
    stochastic: true,
    evidence: &[Evidence {
        against: "catboost 1.2.10, 20 refits",
        cases: "catboost-spx-reg, catboost-aapl-reg, catboost-spx-cls",
        tolerance: "figures within three standard deviations, correlation of predictions 0.9",
    }],
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
        let loss = self.loss_function.unwrap_or(default);
        let labels = matches!(loss, Loss::Logloss | Loss::MultiClass);
        if labels != (classes > 0) || (loss == Loss::Logloss && classes > 2) {
            return Err(ParamError {
                field: "loss_function".into(),
                reason: match classes {
                    0 => "does not fit regression: Logloss and MultiClass are for labels",
                    2 => "does not fit two labels: use Logloss or MultiClass",
                    _ => "does not fit more than two labels: use MultiClass",
                }
                .into(),
                suggestions: Vec::new(),
            });
        }
        Ok(match loss {
            Loss::Rmse => Objective::Squared,
            Loss::Mae => Objective::Absolute,
            Loss::Quantile => Objective::Quantile(self.alpha),
            Loss::Poisson => Objective::Poisson(0.0),
            Loss::Logloss => Objective::Logistic,
            Loss::MultiClass => Objective::Softmax(1.0),
        })
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

/// Gradient (downhill) and hessian of each row in each sum.
struct Slopes {
    g: Vec<Vec<f64>>,
    h: Vec<Vec<f64>>,
}

fn slopes(objective: Objective, rows: &Rows<'_>, f: &[Vec<f64>]) -> Slopes {
    let n = rows.y.len();
    let mut all = Slopes {
        g: vec![vec![0.0; n]; f.len()],
        h: vec![vec![0.0; n]; f.len()],
    };
    for i in 0..n {
        if let Objective::Softmax(_) = objective {
            let p = softmax(f.iter().map(|f| f[i]));
            for (k, p) in p.into_iter().enumerate() {
                all.g[k][i] = f64::from(u8::from(rows.y[i] == k as f64)) - p;
                all.h[k][i] = p * (1.0 - p);
            }
        } else {
            let (g, h) = objective.slope(rows.y[i], f[0][i]);
            (all.g[0][i], all.h[0][i]) = (-g, h);
        }
    }
    all
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
/// weights by column, group, sum of trees and bin. Of two halves the larger one is the whole less the
/// smaller one.
struct Groups<'a> {
    weights: &'a [f64],
    g: &'a [Vec<f64>],
    rows: Vec<u32>,
    spans: Vec<(usize, usize)>,
    origins: Vec<Origin>,
    level: usize,
    /// By column, with the level they are of.
    sums: Vec<(usize, Vec<(f64, f64)>)>,
}

/// Sums that are kept for the largest column times the number of columns: 64 MiB.
const KEPT_SUMS: usize = 1 << 22;

impl<'a> Groups<'a> {
    fn new(weights: &'a [f64], g: &'a [Vec<f64>], columns: usize) -> Self {
        let rows = (0..weights.len() as u32).filter(|i| weights[*i as usize] > 0.0);
        let rows: Vec<u32> = rows.collect();
        Self {
            weights,
            g,
            spans: vec![(0, rows.len())],
            rows,
            origins: vec![Origin::Rows],
            level: 0,
            sums: vec![(usize::MAX, Vec::new()); columns],
        }
    }

    fn fits(&self, binned: &Binned) -> bool {
        let bins: usize = (0..binned.columns()).map(|c| binned.cuts(c) + 1).sum();
        self.spans.len() * self.g.len() * bins <= KEPT_SUMS
    }

    /// The sums of a column on this level.
    fn sums(&self, binned: &Binned, column: usize) -> Vec<(f64, f64)> {
        let bins = binned.cuts(column) + 1;
        let size = bins * self.g.len();
        let (level, before) = &self.sums[column];
        let follows = level.wrapping_add(1) == self.level;
        let mut sums = vec![(0.0, 0.0); self.spans.len() * size];
        for (k, (span, origin)) in self.spans.iter().zip(&self.origins).enumerate() {
            if follows && !matches!(origin, Origin::Rows) {
                continue;
            }
            let own = &mut sums[k * size..(k + 1) * size];
            let rows = &self.rows[span.0..span.1];
            for (g, cells) in self.g.iter().zip(own.chunks_exact_mut(bins)) {
                binned.add(column, rows, cells, |i| {
                    let w = self.weights[i];
                    (w * g[i], w)
                });
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
                        let w = a.1 - b.1;
                        // What rounding leaves of nothing is nothing.
                        if w > 1e-12 * a.1 {
                            sums[k * size + i] = (a.0 - b.0, w);
                        }
                    }
                }
            }
        }
        sums
    }

    fn keep(&mut self, column: usize, sums: Vec<(f64, f64)>) {
        self.sums[column] = (self.level, sums);
    }

    /// Parts every group by a question.
    fn part(&mut self, goes_left: impl Fn(usize) -> bool) {
        let (mut spans, mut origins) = (Vec::new(), Vec::new());
        let mut right: Vec<u32> = Vec::new();
        for (of, (start, end)) in self.spans.iter().copied().enumerate() {
            right.clear();
            let mut kept = start;
            for i in start..end {
                let row = self.rows[i];
                if goes_left(row as usize) {
                    self.rows[kept] = row;
                    kept += 1;
                } else {
                    right.push(row);
                }
            }
            self.rows[kept..end].copy_from_slice(&right);
            if kept == start || kept == end {
                spans.push((start, end));
                origins.push(Origin::Same(of));
                continue;
            }
            let at = spans.len();
            spans.extend([(start, kept), (kept, end)]);
            if kept - start <= end - kept {
                origins.extend([Origin::Rows, Origin::Rest(of, at)]);
            } else {
                origins.extend([Origin::Rest(of, at + 1), Origin::Rows]);
            }
        }
        (self.spans, self.origins) = (spans, origins);
        self.level += 1;
    }
}

/// What a fit holds while it grows trees.
struct Maker<'a> {
    params: &'a CatBoostParams,
    objective: Objective,
    rows: &'a Rows<'a>,
    binned: &'a Binned,
    /// Rows of each column by ascending bin.
    orders: Vec<Vec<u32>>,
    l2: f64,
    rate: f64,
    random: Xoshiro256PlusPlus,
}

impl Maker<'_> {
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
        // The noise has the size of the gradients and fades as the model grows.
        let square: f64 = last.1.g.iter().flatten().map(|g| g * g).sum();
        let left = ((n as f64).ln() - round as f64 * self.rate).exp();
        let noise =
            self.params.random_strength * (square / n as f64).sqrt() * (left / (1.0 + left));
        let mut leaf = vec![0_u32; n];
        let mut questions = Vec::new();
        // One part that has seen and judges all rows needs sums by bin only.
        let alone = parts.len() == 1 && last.0.seen.len() == n;
        let mut groups = alone.then(|| Groups::new(&weights, &last.1.g, p));
        for level in 0..self.params.depth {
            let mut columns: Vec<usize> = (0..p).collect();
            if self.params.rsm < 1.0 {
                columns.shuffle(&mut self.random);
                columns.truncate(((p as f64 * self.params.rsm).ceil() as usize).max(1));
                columns.sort_unstable();
            }
            // Leaves with rows, numbered one after another.
            let mut numbers = vec![u32::MAX; 1 << level];
            let mut occupied = 0;
            let slot: Vec<u32> = leaf
                .iter()
                .map(|l| {
                    let number = &mut numbers[*l as usize];
                    if *number == u32::MAX {
                        *number = occupied as u32;
                        occupied += 1;
                    }
                    *number
                })
                .collect();
            if groups.as_ref().is_some_and(|g| !g.fits(self.binned)) {
                groups = None;
            }
            let allowed = |c: usize| self.large_enough(c, &self.orders[c], occupied, &slot);
            let all = if let Some(groups) = &mut groups {
                let found = threads::map(columns.len(), |k| {
                    let c = columns[k];
                    let sums = groups.sums(self.binned, c);
                    let scores = self.judged(groups, &sums, c, allowed(c));
                    (sums, scores)
                });
                let mut all = Vec::with_capacity(found.len());
                for (c, (sums, scores)) in columns.iter().zip(found) {
                    groups.keep(*c, sums);
                    all.push(scores);
                }
                all
            } else {
                threads::map(columns.len(), |k| {
                    let order = &self.orders[columns[k]];
                    self.scores(columns[k], order, occupied, &slot, &weights, &parts)
                })
            };
            let mut best: Option<(f64, usize, usize)> = None;
            for (c, scores) in columns.into_iter().zip(all) {
                for (bin, score) in scores.into_iter().enumerate() {
                    let Some(score) = score else { continue };
                    // Beyond five deviations noise makes no difference that anyone will see.
                    if best.is_some_and(|b| score + 5.0 * noise <= b.0) {
                        continue;
                    }
                    let score = score + noise * normal(&mut self.random);
                    if best.is_none_or(|b| score > b.0) {
                        best = Some((score, c, bin));
                    }
                }
            }
            let Some((_, c, bin)) = best else { break };
            let border = self.binned.bound(c, bin);
            // The same question again parts nothing.
            if questions.contains(&(c as u32, border)) {
                break;
            }
            questions.push((c as u32, border));
            for (i, leaf) in leaf.iter_mut().enumerate() {
                *leaf |= u32::from(self.binned.code(c, i) > bin) << level;
            }
            if let Some(groups) = &mut groups {
                groups.part(|i| self.binned.code(c, i) <= bin);
            }
        }
        (questions, leaf)
    }

    /// The score of each cut of a column from its sums, as [`Self::scores`].
    fn judged(
        &self,
        groups: &Groups<'_>,
        sums: &[(f64, f64)],
        column: usize,
        allowed: Vec<bool>,
    ) -> Vec<Option<f64>> {
        let cuts = self.binned.cuts(column);
        let l2 = self.l2;
        let worth = |g: f64, w: f64| {
            if w <= 1e-12 {
                return (0.0, 0.0);
            }
            let mean = g / (w + l2);
            (mean * g, mean * mean * w)
        };
        let mut steps = vec![(0.0, 0.0); cuts + 1];
        let mut start = (0.0, 1e-100);
        for cells in sums.chunks_exact(cuts + 1) {
            let (mut g, mut w) = (0.0, 0.0);
            for cell in cells {
                (g, w) = (g + cell.0, w + cell.1);
            }
            let whole = (g, w);
            let mut before = worth(g, w);
            start = (start.0 + before.0, start.1 + before.1);
            let mut left = (0.0, 0.0);
            for (cell, step) in cells[..cuts].iter().zip(&mut steps) {
                if cell.1 == 0.0 {
                    continue;
                }
                left = (left.0 + cell.0, left.1 + cell.1);
                let l = worth(left.0, left.1);
                let r = worth(whole.0 - left.0, whole.1 - left.1);
                let now = (l.0 + r.0, l.1 + r.1);
                step.0 += now.0 - before.0;
                step.1 += now.1 - before.1;
                before = now;
            }
        }
        debug_assert_eq!(sums.len(), groups.spans.len() * groups.g.len() * (cuts + 1));
        self.summed_up(&steps[..cuts], start, allowed)
    }

    /// The scores of cuts from what changes at each of them.
    fn summed_up(
        &self,
        steps: &[(f64, f64)],
        start: (f64, f64),
        allowed: Vec<bool>,
    ) -> Vec<Option<f64>> {
        let mut sum = start;
        steps
            .iter()
            .zip(allowed)
            .map(|(step, fits)| {
                sum = (sum.0 + step.0, (sum.1 + step.1).max(1e-100));
                fits.then(|| match self.params.score_function {
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
        order: &[u32],
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
                for i in order.iter().map(|i| *i as usize) {
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
        let allowed = self.large_enough(column, order, leaves, leaf);
        self.summed_up(&steps[..cuts], start, allowed)
    }

    /// Whether each cut of a column leaves enough rows, or none, in each leaf.
    fn large_enough(&self, column: usize, order: &[u32], leaves: usize, leaf: &[u32]) -> Vec<bool> {
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
        let mut rows = order.iter().peekable();
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

    /// Values of the leaves from the rows, leaf after leaf, one a sum.
    fn values(&self, leaf: &[u32], leaves: usize, rows: &[u32], f: &[Vec<f64>]) -> Vec<f64> {
        let width = f.len();
        let mut values = vec![0.0; leaves * width];
        if let Some(share) = self.objective.renewed() {
            let mut members: Vec<Vec<(f64, f64)>> = vec![Vec::new(); leaves];
            for i in rows {
                let i = *i as usize;
                members[leaf[i] as usize].push((self.rows.y[i] - f[0][i], self.rows.w[i]));
            }
            for (value, mut own) in values.iter_mut().zip(members) {
                *value = quantile_below(&mut own, share);
            }
        } else {
            let steps = self
                .params
                .leaf_estimation_iterations
                .unwrap_or(match self.objective {
                    Objective::Logistic | Objective::Poisson(_) => 10,
                    _ => 1,
                });
            let mut at: Vec<Vec<f64>> = f.to_vec();
            for step in 0..steps {
                let now = slopes(self.objective, self.rows, &at);
                let mut sums = vec![(0.0, 0.0); leaves * width];
                for i in rows {
                    let i = *i as usize;
                    for k in 0..width {
                        let cell = &mut sums[leaf[i] as usize * width + k];
                        cell.0 += self.rows.w[i] * now.g[k][i];
                        cell.1 += self.rows.w[i] * now.h[k][i];
                    }
                }
                for (value, (g, h)) in values.iter_mut().zip(&sums) {
                    *value += if h + self.l2 > 0.0 {
                        g / (h + self.l2)
                    } else {
                        0.0
                    };
                }
                if step + 1 < steps {
                    for (k, at) in at.iter_mut().enumerate() {
                        for (i, at) in at.iter_mut().enumerate() {
                            *at = f[k][i] + values[leaf[i] as usize * width + k];
                        }
                    }
                }
            }
        }
        values.iter_mut().for_each(|v| *v *= self.rate);
        values
    }
}

/// The threshold t with Σ min(1, size/t) = wanted.
fn mvs_limit(sizes: &[f64], wanted: f64) -> f64 {
    let mut sorted = sizes.to_vec();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let mut rest: f64 = sorted.iter().sum();
    for (k, size) in sorted.iter().enumerate() {
        // With the k largest kept for certain.
        let limit = rest / (wanted - k as f64);
        if *size <= limit {
            return limit;
        }
        rest -= size;
    }
    0.0
}

/// A standard normal number (Box and Muller).
fn normal(random: &mut Xoshiro256PlusPlus) -> f64 {
    let u: f64 = 1.0 - random.r#gen::<f64>();
    let v: f64 = random.r#gen();
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
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

fn add_values(f: &mut [Vec<f64>], leaf: &[u32], values: &[f64]) {
    let width = f.len();
    for (k, f) in f.iter_mut().enumerate() {
        for (f, l) in f.iter_mut().zip(leaf) {
            *f += values[*l as usize * width + k];
        }
    }
}

fn mean_loss(objective: Objective, rows: &Rows<'_>, f: &[Vec<f64>]) -> f64 {
    let all: f64 = rows.w.iter().sum();
    let each = (0..rows.y.len()).map(|i| {
        let at = if f.len() == 1 {
            f[0][i]
        } else {
            let p = softmax(f.iter().map(|f| f[i]));
            p[rows.y[i] as usize].max(f64::MIN_POSITIVE).ln()
        };
        rows.w[i] * objective.loss(rows.y[i], at)
    });
    each.sum::<f64>() / all
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
        // Refuses a target that cannot be squared.
        Learned::new(data, Criterion::SquaredError)?;
        let n = data.y().len();
        let (kept, aside) = match params.early_stopping_rounds {
            Some(_) => boost::keep_aside(data, params.validation_fraction, None)?,
            None => ((0..n).collect(), Vec::new()),
        };
        let rows = Rows::of(data, &kept);
        let aside = params.early_stopping_rounds.map(|_| Rows::of(data, &aside));
        if let Some(why) = objective.refuses(&rows.y) {
            return Err(FitError::Data(why));
        }
        let n = rows.y.len();
        let width = match objective {
            Objective::Softmax(_) => classes.len(),
            _ => 1,
        };
        let centred = matches!(
            objective,
            Objective::Squared | Objective::Absolute | Objective::Quantile(_)
        );
        let start = match objective {
            _ if !params.boost_from_average.unwrap_or(centred) => vec![0.0; width],
            Objective::Absolute => vec![rows.quantile(0.5, Quantiles::Between)],
            Objective::Quantile(a) => vec![rows.quantile(a, Quantiles::Between)],
            Objective::Softmax(_) => vec![0.0; width],
            Objective::Logistic => {
                vec![objective.link(rows.mean().clamp(1e-15, 1.0 - 1e-15))]
            }
            _ => vec![objective.link(rows.mean())],
        };
        let names = data.design().names();
        let seed = run::effective_seed(params.seed, seed);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let cat_features = boost::columns("cat_features", params.cat_features.as_deref(), names)?;
        let (encoder, x) = Encoder::fit(
            rows.x.view(),
            &cat_features,
            &statistics_of(&rows, classes.len()),
            params.one_hot_max_size,
            &mut random,
        );
        let names: Vec<String> = if cat_features.is_empty() {
            names.to_vec()
        } else {
            let origins = encoder.origins();
            origins.into_iter().map(|j| names[j].clone()).collect()
        };
        let x = x.mapv(known);
        let binned = Binned::new(&x, Bins::LogSum(params.border_count + 1), &[], &names)?;
        let mut maker = Maker {
            params,
            objective,
            rows: &rows,
            binned: &binned,
            orders: (0..binned.columns())
                .map(|c| {
                    let mut order: Vec<u32> = (0..n as u32).collect();
                    order.sort_by_key(|i| binned.code(c, *i as usize));
                    order
                })
                .collect(),
            l2: params.l2_leaf_reg * rows.w.iter().sum::<f64>() / n as f64,
            rate: params.rate(objective, n),
            random,
        };
        let every: Vec<u32> = (0..n as u32).collect();
        let mut parts = match params.boosting_type {
            Boosting::Ordered if n > 1 => ordered(n, &start, &mut maker.random),
            _ => Vec::new(),
        };
        // The model itself: it has seen all rows and, without ordered parts, judges them.
        let sums = start.iter().map(|s| vec![*s; n]).collect();
        let mut whole = Part::new(n, every.clone(), &every, sums);
        let mut aside_f: Vec<Vec<f64>> = aside
            .iter()
            .flat_map(|rows| start.iter().map(|s| vec![*s; rows.y.len()]))
            .collect();
        let aside_x = aside
            .as_ref()
            .map(|rows| encoder.apply(rows.x.view()))
            .unwrap_or_default();
        let mut trees: Vec<Tree> = Vec::new();
        let origins = encoder.origins();
        let mut best = (f64::INFINITY, 0);
        let mut changes = vec![0.0; x.ncols()];
        for round in 0..params.n_estimators {
            let (questions, leaf) = if parts.is_empty() {
                maker.questions(round, std::slice::from_ref(&whole))
            } else {
                maker.questions(round, &parts)
            };
            let leaves = 1 << questions.len();
            for part in &mut parts {
                let values = maker.values(&leaf, leaves, &part.seen, &part.f);
                add_values(&mut part.f, &leaf, &values);
            }
            let values = maker.values(&leaf, leaves, &every, &whole.f);
            add_values(&mut whole.f, &leaf, &values);
            if whole.f.iter().flatten().any(|v| !v.is_finite()) {
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
            };
            change(&mut changes, &tree, width);
            if let Some(aside) = &aside {
                for (i, row) in aside_x.rows().into_iter().enumerate() {
                    let at = tree.leaf(row) * width;
                    for (k, f) in aside_f.iter_mut().enumerate() {
                        f[i] += tree.values[at + k];
                    }
                }
                let loss = mean_loss(objective, aside, &aside_f);
                if loss < best.0 {
                    best = (loss, round + 1);
                }
            }
            trees.push(tree);
            if let Some(patience) = params.early_stopping_rounds
                && round + 1 >= best.1 + patience
            {
                break;
            }
        }
        if aside.is_some() {
            trees.truncate(best.1.max(1));
        }
        let rate = maker.rate;
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
            encoder,
        })
    }
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

/// How much each question of a tree changes its answers: over pairs of leaves that differ in its bit
/// only, the weighted variance between them.
fn change(changes: &mut [f64], tree: &Tree, width: usize) {
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
        let x = self.encoder.apply(x);
        let width = self.start.len();
        let mut sums: Vec<Vec<f64>> = self.start.iter().map(|s| vec![*s; x.nrows()]).collect();
        for tree in &self.trees {
            for (i, row) in x.rows().into_iter().enumerate() {
                let at = tree.leaf(row) * width;
                for (k, sum) in sums.iter_mut().enumerate() {
                    sum[i] += tree.values[at + k];
                }
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
                let each = softmax(sums.iter().map(|s| s[i]));
                row.iter_mut().zip(each).for_each(|(r, p)| *r = p);
            }
        }
        Ok(Prediction::probabilities(p, self.classes.clone()))
    }

    fn contributions(&self, x: ArrayView2<'_, f64>) -> Result<Option<Contributions>, FitError> {
        let numbers = self.encoder.apply(x);
        let numbers = numbers.view();
        let mut sum = shap::Sum::new(numbers, &self.start);
        for tree in &self.trees {
            sum.add(&WrittenOut::new(tree), 1.0, 0, numbers)?;
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
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_catalogue_core::Params as _;

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
            encoder: Encoder::default(),
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
    fn the_threshold_keeps_so_many_rows() {
        let sizes = [5.0, 1.0, 1.0, 1.0];
        let limit = mvs_limit(&sizes, 2.5);
        // 5 is kept for certain, 3 / 1.5 = 2 for the others: 1 + 3 · 1/2 = 2.5.
        assert!((limit - 2.0).abs() < 1e-12);
    }
}
