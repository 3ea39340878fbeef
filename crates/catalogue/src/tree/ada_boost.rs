//! AdaBoost.
//!
//! What: a weighted vote, or weighted median, of small trees or of any other entry; each sees more of
//! what the ones before got wrong.
//! Formula: SAMME for labels, AdaBoost.R2 for numbers.
//! Data: any table of numbers; scale of the columns does not matter.
//! Cost: fit O(p n log n + T p n depth), predict O(rows T depth).
//! Fails when: labels are noisy: the weight goes to the rows that nothing can get right.
//! Source: Freund & Schapire (1997); Zhu et al. (2009); Drucker (1997).
//! Not claimed: calibrated probabilities.

use super::engine::{self, Criterion, Rules, Sorted, Splitter, Tree};
use super::shap::{self, Splits};
use crate::ensemble::engine::{Member, Named, Names, With};
use mltrainer_catalogue_core::card::{Evidence, Preset};
use mltrainer_catalogue_core::{
    Card, Contributions, Design, Entry, Explained, FitError, Inputs, Learner, Outputs, ParamError,
    Prediction, Predictor, Training, choices, params, run,
};
use mltrainer_compliance::Verified;
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// The handle.
pub struct AdaBoost;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<AdaBoost>();

choices! {
    /// How an error counts, as a share of the largest.
    pub enum Loss {
        /// e.
        Linear = "linear",
        /// e².
        Square = "square",
        /// 1 - exp(-e).
        Exponential = "exponential",
    }
}

params! {
    /// Parameters of AdaBoost; those of another model carry its id: `logistic_regression.C`.
    pub struct AdaBoostParams {
        /// Id of the model that is boosted, for labels one that takes row weights; none is a tree of max_depth and min_samples_leaf.
        estimator: Option<String> = None;
        /// Number of models at most; it ends sooner when one makes no error or is no better than chance.
        n_estimators: usize = 50, within(1.0, 100_000.0);
        /// Factor of each model's weight.
        learning_rate: f64 = 1.0, above_up_to(0.0, 100.0);
        /// How errors count in regression, as shares of the largest one.
        loss: Loss = Loss::Linear;
        /// Levels of each tree; none is 3 for regression and 1 for classification.
        max_depth: Option<usize> = None, within(1.0, 1_000_000.0);
        /// Rows each side of a split must have.
        min_samples_leaf: usize = 1, at_least(1.0);
        /// Seed of the draws of regression; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

impl Names for AdaBoostParams {
    fn members(&self) -> Vec<Named> {
        Named::of("estimator", self.estimator.as_slice())
    }
}

/// Fitted state: trees, or models of another entry.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    trees: Vec<Tree>,
    #[serde(default)]
    members: Vec<Member>,
    weights: Vec<f64>,
    errors: Vec<f64>,
    classes: Vec<i64>,
    importances: Vec<f64>,
}

const CARD: Card = Card {
    id: "ada_boost",
    family: "tree",
    title: "AdaBoost",
    tasks: &[Task::Regression, Task::Classification],
    inputs: Inputs::Features,
    summary: "Small trees, or models of another entry, one after another; rows that one gets wrong weigh more for the next. The answer is their weighted vote, or for numbers their weighted median.",
    formula: "labels (SAMME): e = weighted share of wrong rows, α = learning_rate · (ln((1-e)/e) + ln(K-1)), wrong rows times e^α, vote Σ α; numbers (R2): rows drawn by weight, losses as shares of the largest, e their weighted mean, β = e/(1-e), weights times β^(learning_rate·(1-loss)), weight of the model learning_rate · ln(1/β), answer the weighted median",
    data: "Any table of numbers; scale and monotone changes of a column do not matter.",
    cost: "fit O(p n log n + T p n depth), predict O(rows · T · depth)",
    fails_when: "Labels are noisy: the weight goes to the rows that nothing can get right.",
    not_claimed: "Calibrated probabilities: they are the softmax of the votes.",
    source: "Y. Freund, R. Schapire, JCSS 55 (1997); J. Zhu, H. Zou, S. Rosset, T. Hastie, Multi-class AdaBoost, Statistics and Its Interface 2 (2009); H. Drucker, Improving regressors using boosting techniques, ICML (1997)",
    reference: "scikit-learn 1.9.1, AdaBoostRegressor (R2, trees of depth 3) and AdaBoostClassifier (SAMME, stumps), and estimator",
    outputs: &[
        (
            "decision",
            "labels: score of each test row from its votes, for two labels that of the larger one, else by label",
        ),
        ("estimator_weights", "weight of each model"),
        ("estimator_errors", "weighted error of each model"),
        (
            "feature_importances",
            "weighted mean over the trees of the share of the decrease of impurity, one a column; trees only",
        ),
    ],
    stochastic: true,
    evidence: &[
        Evidence {
            against: "scikit-learn 1.9.1, classification, cases without ties",
            cases: "ada-boost-spx-cls, ada-boost-aapl-cls, ada-boost-spx-cls3",
            tolerance: "weights of the trees 1e-5, 98.5% equal labels",
        },
        Evidence {
            against: "scikit-learn 1.9.1, regression, 20 seeds",
            cases: "ada-boost-spx-reg, ada-boost-aapl-reg",
            tolerance: "figures on test and training rows within three standard deviations, correlation of predictions 0.95 to 0.97",
        },
    ],
    presets: &[
        Preset {
            id: "ada_boost_10",
            title: "AdaBoost of 10 trees",
            set: &[("n_estimators", "10")],
        },
        Preset {
            id: "ada_boost_50",
            title: "AdaBoost of 50 trees",
            set: &[("n_estimators", "50")],
        },
    ],
    exemptions: &[],
};

/// What a round says of its model.
struct Round {
    weight: f64,
    error: f64,
    /// Whether another round makes sense.
    more: bool,
}

/// What is boosted.
enum Weak<'a> {
    /// Trees that share one sort of the rows.
    Tree(Box<(Sorted<'a>, engine::Learned, Rules)>),
    /// Another entry.
    Model(Named),
}

/// The model that is boosted, if parameters and data fit.
fn weak<'a>(params: &With<AdaBoostParams>, data: &'a Training) -> Result<Weak<'a>, FitError> {
    let own = &params.own;
    let refused = |field: &str, reason: String| {
        FitError::from(ParamError {
            field: field.into(),
            reason,
            suggestions: Vec::new(),
        })
    };
    let Some(member) = own.members().into_iter().next() else {
        let rules = Rules {
            criterion: engine::criterion(None, data.task())?,
            splitter: Splitter::Best,
            max_depth: own
                .max_depth
                .unwrap_or(if data.labels().is_none() { 3 } else { 1 }),
            min_samples_split: 2,
            min_samples_leaf: own.min_samples_leaf,
            min_weight_fraction_leaf: 0.0,
            max_leaf_nodes: None,
            min_impurity_decrease: 0.0,
            ccp_alpha: 0.0,
            max_features: usize::MAX,
            shuffled: false,
            monotone: Vec::new(),
        };
        let sorted = Sorted::new(data.x(), Splitter::Best, usize::MAX)?;
        let learned = engine::Learned::new(data, Criterion::SquaredError)?;
        return Ok(Weak::Tree(Box::new((sorted, learned, rules))));
    };
    let id = &member.id;
    for (field, given) in [
        ("max_depth", own.max_depth.is_some()),
        ("min_samples_leaf", own.min_samples_leaf != 1),
    ] {
        if given {
            return Err(refused(
                field,
                format!(
                    "belongs to the tree that is boosted without an estimator: set {id}.{field} if {id} has it"
                ),
            ));
        }
    }
    if data.labels().is_some() && !params.resolved(&member)?.0.entry.weights {
        return Err(refused(
            "estimator",
            format!("{id} takes no row weights, by which labels are boosted"),
        ));
    }
    Ok(Weak::Model(member))
}

impl Learner for AdaBoost {
    type Params = With<AdaBoostParams>;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const MISSING: bool = false;
    const WEIGHTS: bool = true;
    const PROBABILITIES: bool = true;

    fn learn_from(
        params: &With<AdaBoostParams>,
        verified: &Verified<Training>,
        seed: u64,
    ) -> Result<Fitted, FitError> {
        let data = verified.get();
        let mut weak = weak(params, data)?;
        let own = &params.own;
        let seed = run::effective_seed(own.seed, seed);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut weights = crate::class_weight::row_weights(data, None)?;
        let all: f64 = weights.iter().sum();
        let counted: Vec<bool> = weights.iter().map(|w| *w > 0.0).collect();
        weights.iter_mut().for_each(|w| *w /= all);
        let mut fitted = Fitted {
            trees: Vec::new(),
            members: Vec::new(),
            weights: Vec::new(),
            errors: Vec::new(),
            classes: data.labels().map(|l| l.classes.clone()).unwrap_or_default(),
            importances: Vec::new(),
        };
        for round in 0..own.n_estimators {
            for (w, _) in weights.iter_mut().zip(&counted).filter(|(_, c)| **c) {
                *w = w.max(f64::EPSILON);
            }
            let last = round + 1 == own.n_estimators;
            // Labels weigh, numbers are drawn.
            let drawn = data.labels().is_none().then(|| draw(&weights, &mut random));
            let answers =
                match &mut weak {
                    Weak::Tree(tree) => {
                        let (sorted, learned, rules) = &mut **tree;
                        let given = drawn.as_deref().unwrap_or(&weights);
                        let target = learned.target();
                        let grown =
                            engine::grow_in_place(sorted, target, given, rules, &mut random).tree;
                        let answers = of_tree(&grown, data.labels().is_some(), data.x().view());
                        fitted.trees.push(grown);
                        answers
                    }
                    Weak::Model(named) => {
                        let part =
                            verified.derive("boost", format!("round {}", round + 1), |t| {
                                match &drawn {
                                    Some(counts) => repeated(t, counts),
                                    None => t.clone().with_weights(weights.clone()),
                                }
                            })?;
                        let inner = seed.wrapping_add(1 + round as u64);
                        let member = params.fit(named, &part, inner)?;
                        let answers = of_model(&member, &fitted.classes, data.x().view())?;
                        fitted.members.push(member);
                        answers
                    }
                };
            let found = match data.labels() {
                Some(labels) => {
                    let pairs = answers.iter().zip(&labels.codes);
                    let wrong: Vec<bool> = pairs.map(|(a, c)| *a != *c as f64).collect();
                    let many = labels.classes.len();
                    samme(&wrong, many, own.learning_rate, &mut weights, last)
                }
                None => r2(&answers, data.y(), own, &mut weights, round == 0, last),
            };
            let Some(found) = found else {
                fitted.trees.truncate(fitted.weights.len());
                fitted.members.truncate(fitted.weights.len());
                break;
            };
            fitted.weights.push(found.weight);
            fitted.errors.push(found.error);
            let sum: f64 = weights.iter().sum();
            if !found.more || !sum.is_finite() || sum <= 0.0 {
                break;
            }
            if !last {
                weights.iter_mut().for_each(|w| *w /= sum);
            }
        }
        if fitted.weights.is_empty() {
            let further = match &own.estimator {
                Some(id) => {
                    format!("the first {id} is no better than chance: try another estimator")
                }
                None => "the first tree is no better than chance: raise max_depth".into(),
            };
            return Err(FitError::Failed(further));
        }
        if !fitted.trees.is_empty() {
            let all: f64 = fitted.weights.iter().sum();
            fitted.importances = vec![0.0; data.x().ncols()];
            for (tree, w) in fitted.trees.iter().zip(&fitted.weights) {
                for (sum, i) in fitted.importances.iter_mut().zip(tree.importances()) {
                    *sum += w * i / all;
                }
            }
        }
        Ok(fitted)
    }
}

/// Each row as often as it was drawn, without weights: these are in the draw.
fn repeated(data: &Training, counts: &[f64]) -> Result<Training, FitError> {
    let each = counts.iter().enumerate();
    let rows: Vec<usize> = each
        .flat_map(|(i, c)| std::iter::repeat_n(i, *c as usize))
        .collect();
    let y = rows.iter().map(|i| data.y()[*i]).collect();
    let x = data.x().select(Axis(0), &rows);
    Training::regression(Design::new(x, data.design().names().to_vec())?, y)
}

/// The number, or the place of the label, that a tree answers for each row.
fn of_tree(tree: &Tree, labels: bool, x: ArrayView2<'_, f64>) -> Vec<f64> {
    let answer = |leaf: usize| {
        let values = tree.values(leaf);
        if labels {
            vote(values) as f64
        } else {
            values[0]
        }
    };
    let mut answers = vec![0.0; x.nrows()];
    tree.leaves(x, |i, leaf| answers[i] = answer(leaf));
    answers
}

/// The same of another model.
fn of_model(
    member: &Member,
    classes: &[i64],
    x: ArrayView2<'_, f64>,
) -> Result<Vec<f64>, FitError> {
    let mut answers = member.fitted.predict(x)?.values;
    if !classes.is_empty() {
        for a in &mut answers {
            let place = classes.iter().position(|c| *c as f64 == *a);
            *a = place.unwrap_or_default() as f64;
        }
    }
    Ok(answers)
}

/// The label with the largest share, the smallest in a tie.
fn vote(shares: &[f64]) -> usize {
    let mut best = 0;
    for (k, s) in shares.iter().enumerate() {
        if *s > shares[best] {
            best = k;
        }
    }
    best
}

/// Judges a model of labels and raises the weights of the rows it gets wrong; none when it is no
/// better than chance.
fn samme(
    wrong: &[bool],
    k: usize,
    learning_rate: f64,
    weights: &mut [f64],
    last: bool,
) -> Option<Round> {
    let all: f64 = weights.iter().sum();
    let missed = wrong.iter().zip(weights.iter()).filter(|(w, _)| **w);
    let error = missed.map(|(_, w)| w).sum::<f64>() / all;
    if error <= 0.0 {
        return Some(Round {
            weight: 1.0,
            error: 0.0,
            more: false,
        });
    }
    let k = k as f64;
    if error >= 1.0 - 1.0 / k {
        return None;
    }
    let weight = learning_rate * (((1.0 - error) / error).ln() + (k - 1.0).ln());
    if !last {
        for (w, _) in weights.iter_mut().zip(wrong).filter(|(_, wrong)| **wrong) {
            *w = (w.ln() + weight).exp();
        }
    }
    Some(Round {
        weight,
        error,
        more: true,
    })
}

/// As many rows as there are, drawn by weight with replacement: how often each.
fn draw(weights: &[f64], random: &mut Xoshiro256PlusPlus) -> Vec<f64> {
    let mut sums = Vec::with_capacity(weights.len());
    let mut all = 0.0;
    for w in weights {
        all += w;
        sums.push(all);
    }
    let mut counts = vec![0.0; weights.len()];
    for _ in weights {
        let at = random.r#gen::<f64>() * all;
        let row = sums.partition_point(|s| *s <= at).min(weights.len() - 1);
        counts[row] += 1.0;
    }
    counts
}

/// Judges a model of numbers and lowers the weights of the rows it gets right; none when its mean loss
/// is half of the largest or more, unless it is the only one.
fn r2(
    answers: &[f64],
    y: &[f64],
    params: &AdaBoostParams,
    weights: &mut [f64],
    alone: bool,
    last: bool,
) -> Option<Round> {
    let pairs = answers.iter().zip(y);
    let mut losses: Vec<f64> = pairs.map(|(a, y)| (a - y).abs()).collect();
    let counted = losses.iter().zip(weights.iter()).filter(|(_, w)| **w > 0.0);
    let most = counted.map(|(l, _)| *l).fold(0.0, f64::max);
    for l in &mut losses {
        let share = if most > 0.0 { *l / most } else { 0.0 };
        *l = match params.loss {
            Loss::Linear => share,
            Loss::Square => share * share,
            Loss::Exponential => 1.0 - (-share).exp(),
        };
    }
    let error: f64 = losses.iter().zip(weights.iter()).map(|(l, w)| l * w).sum();
    if error <= 0.0 {
        return Some(Round {
            weight: 1.0,
            error: 0.0,
            more: false,
        });
    }
    if error >= 0.5 {
        return alone.then_some(Round {
            weight: 1.0,
            error,
            more: false,
        });
    }
    let beta = error / (1.0 - error);
    if !last {
        for (w, l) in weights.iter_mut().zip(&losses) {
            *w *= beta.powf((1.0 - l) * params.learning_rate);
        }
    }
    Some(Round {
        weight: params.learning_rate * (1.0 / beta).ln(),
        error,
        more: true,
    })
}

/// A tree that answers with its vote: 1 for the label of a leaf, -1 over the number of others for the
/// others.
struct Voted<'a> {
    tree: &'a Tree,
    answers: Vec<Vec<f64>>,
    places: Vec<usize>,
}

impl<'a> Voted<'a> {
    fn new(tree: &'a Tree, k: usize) -> Self {
        let others = k.saturating_sub(1).max(1) as f64;
        let mut voted = Self {
            tree,
            answers: Vec::new(),
            places: Vec::new(),
        };
        for node in 0..tree.n_nodes() {
            voted.places.push(voted.answers.len());
            if tree.split(node).is_none() {
                let chosen = vote(tree.answer(node));
                let vote = |c: usize| if c == chosen { 1.0 } else { -1.0 / others };
                voted.answers.push((0..k).map(vote).collect());
            }
        }
        voted
    }
}

impl Splits for Voted<'_> {
    fn split(&self, node: usize) -> Option<(usize, usize, usize)> {
        self.tree.split(node)
    }
    fn cover(&self, node: usize) -> f64 {
        self.tree.cover(node)
    }
    fn goes_left(&self, node: usize, row: ArrayView1<'_, f64>) -> bool {
        self.tree.goes_left(node, row)
    }
    fn answer(&self, leaf: usize) -> &[f64] {
        &self.answers[self.places[leaf]]
    }
}

/// Rows whose answers of all models are held at once.
const ROWS_AT_ONCE: usize = 1_024;

impl Fitted {
    /// The answers of each model.
    fn answers(&self, x: ArrayView2<'_, f64>) -> Result<Vec<Vec<f64>>, FitError> {
        let labels = !self.classes.is_empty();
        let trees = self.trees.iter().map(|t| Ok(of_tree(t, labels, x)));
        let members = self.members.iter();
        trees
            .chain(members.map(|m| of_model(m, &self.classes, x)))
            .collect()
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        let all: f64 = self.weights.iter().sum();
        let blocks = || x.axis_chunks_iter(Axis(0), ROWS_AT_ONCE);
        if self.classes.is_empty() {
            let mut values = Vec::with_capacity(x.nrows());
            for rows in blocks() {
                let answers = self.answers(rows)?;
                values.extend((0..rows.nrows()).map(|i| {
                    let pairs = answers.iter().zip(&self.weights);
                    let mut answers: Vec<(f64, f64)> = pairs.map(|(a, w)| (a[i], *w)).collect();
                    answers.sort_by(|a, b| a.0.total_cmp(&b.0));
                    let mut sum = 0.0;
                    let half = answers.iter().find(|(_, w)| {
                        sum += w;
                        sum >= 0.5 * all
                    });
                    half.or(answers.last()).map_or(f64::NAN, |(v, _)| *v)
                }));
            }
            return Ok(Prediction::values(values));
        }
        let k = self.classes.len();
        let mut p = Array2::zeros((x.nrows(), k));
        if k == 1 {
            p.fill(1.0);
            return Ok(Prediction::probabilities(p, self.classes.clone()));
        }
        let others = (k - 1) as f64;
        let mut decision = Array2::zeros((x.nrows(), if k == 2 { 1 } else { k }));
        let mut at = 0;
        for (rows, mut out) in blocks().zip(p.axis_chunks_iter_mut(Axis(0), ROWS_AT_ONCE)) {
            let answers = self.answers(rows)?;
            for (i, mut out) in out.rows_mut().into_iter().enumerate() {
                for (answers, w) in answers.iter().zip(&self.weights) {
                    let chosen = answers[i] as usize;
                    for (c, o) in out.iter_mut().enumerate() {
                        *o += (if c == chosen { *w } else { -w / others }) / all;
                    }
                }
                if k == 2 {
                    decision[[at, 0]] = 2.0 * out[1];
                } else {
                    decision.row_mut(at).assign(&out);
                }
                at += 1;
                // Two labels: the softmax of minus and plus the score; more: of the scores over K - 1.
                let scores: Vec<f64> = out.iter().map(|o| (o / others).exp()).collect();
                let sum: f64 = scores.iter().sum();
                out.iter_mut().zip(scores).for_each(|(o, s)| *o = s / sum);
            }
        }
        Ok(Prediction {
            decision: Some(decision),
            ..Prediction::probabilities(p, self.classes.clone())
        })
    }

    fn contributions(&self, x: ArrayView2<'_, f64>) -> Result<Option<Contributions>, FitError> {
        let k = self.classes.len();
        if !self.members.is_empty() {
            return Ok(None);
        }
        if k == 0 {
            return Err(FitError::Failed(
                "ada_boost of a number has no SHAP values: its answer is a weighted median of trees, which is no sum of them".into(),
            ));
        }
        // Of the score of each label, whose softmax the probabilities are.
        let start = vec![0.0; k];
        let mut sum = shap::Sum::new(x, &start);
        let all: f64 = self.weights.iter().sum();
        let others = k.saturating_sub(1).max(1) as f64;
        for (tree, w) in self.trees.iter().zip(&self.weights) {
            let voted = Voted::new(tree, k);
            sum.add(&voted, w / all / others, 0, x)?;
        }
        Ok(Some(sum.finish(self.classes.clone(), Explained::Score)))
    }

    fn outputs(&self) -> Outputs {
        let mut outputs = Outputs::from_iter([
            ("estimator_weights".to_owned(), run::numbers(&self.weights)),
            ("estimator_errors".to_owned(), run::numbers(&self.errors)),
        ]);
        if self.members.is_empty() {
            let importances = run::numbers(&self.importances);
            outputs.insert("feature_importances".into(), importances);
        }
        outputs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;

    #[test]
    fn the_first_weight_by_hand() {
        // One of four rows is wrong: e = 1/4, ln((1 - e)/e) = ln 3, and its weight grows threefold.
        let mut weights = [0.25; 4];
        let wrong = [false, true, false, false];
        let round = samme(&wrong, 2, 1.0, &mut weights, false).unwrap();
        assert_near(&[round.weight, round.error], &[3.0_f64.ln(), 0.25], 1e-14);
        assert_near(&weights, &[0.25, 0.75, 0.25, 0.25], 1e-14);
    }
}
