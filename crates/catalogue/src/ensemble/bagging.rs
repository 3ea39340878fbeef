//! Bagging.
//!
//! What: the mean, or the mean of the label shares, of one model fitted to many draws of the rows.
//! Formula: ŷ = (1/T) Σ model_t(x).
//! Data: what the model takes.
//! Cost: T times that of the model.
//! Fails when: the model hardly changes with the rows: the mean then gains nothing.
//! Source: Breiman, Machine Learning 24 (1996).
//! Not claimed: less bias than one model has.

use super::engine::{Member, Named, Names, With, label_shares};
use crate::tree::decision_tree::TreeParams;
use crate::tree::engine::{Learned, Rules};
use crate::tree::forest::{self, Forest, Plan, RowWeights};
use mltrainer_catalogue_core::card::{Evidence, Preset};
use mltrainer_catalogue_core::{
    Card, Contributions, Design, Entry, Explained, FitError, Inputs, Learner, Outputs, Params as _,
    Prediction, Predictor, Training, params, run, score,
};
use mltrainer_compliance::Verified;
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2, Axis};
use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// The handle.
pub struct Bagging;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<Bagging>();

params! {
    /// Parameters of bagging; those of the model carry its id: `decision_tree.max_depth`.
    pub struct BaggingParams {
        /// Id of the model.
        estimator: String = "decision_tree".to_owned();
        /// Number of draws.
        n_estimators: usize = 10, within(1.0, 10_000.0);
        /// Rows of a draw: up to 1 as a share of all, above 1 their number.
        max_samples: f64 = 1.0, above_up_to(0.0, 1e9);
        /// Columns of a draw: up to 1 as a share of all, above 1 their number.
        max_features: f64 = 1.0, above_up_to(0.0, 1e9);
        /// Whether rows are drawn with replacement.
        bootstrap: bool = true;
        /// Whether columns are drawn with replacement.
        bootstrap_features: bool = false;
        /// Whether rows that a draw did not have are judged by its model: the output oob_score.
        oob_score: bool = true;
        /// Seed of the draws; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

impl Names for BaggingParams {
    fn members(&self) -> Vec<Named> {
        Named::of("estimator", std::slice::from_ref(&self.estimator))
    }
}

/// Fitted state: trees that share one sort of the rows, or members with their columns.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    forest: Option<Forest>,
    members: Vec<(Member, Vec<usize>)>,
    classes: Vec<i64>,
    oob_score: Option<f64>,
}

const CARD: Card = Card {
    id: "bagging",
    family: "ensemble",
    title: "Bagging",
    tasks: &[Task::Regression, Task::Classification],
    inputs: Inputs::Features,
    summary: "One model fitted many times, each time to rows (and columns) drawn at random; the answer is the mean, or the mean of the label shares. It takes away the part of the error that changes with the draw.",
    formula: "ŷ(x) = (1/T) Σₜ modelₜ(x), modelₜ fitted to max_samples · n rows drawn with replacement (bootstrap false: without); labels: the mean of probabilities",
    data: "What the model takes.",
    cost: "fit and predict T times those of the model",
    fails_when: "The model hardly changes with the rows, as least squares does: the mean then gains nothing.",
    not_claimed: "Less bias than one model has.",
    source: "L. Breiman, Bagging predictors, Machine Learning 24 (1996)",
    reference: "scikit-learn 1.9.1, BaggingRegressor and BaggingClassifier",
    outputs: &[
        (
            "oob_score",
            "R² or accuracy of the answers of the draws that did not have a row, over all rows that some draw did not have",
        ),
        (
            "predictions_std",
            "regression: standard deviation over the draws, one a test row",
        ),
    ],
    stochastic: true,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, 20 seeds",
        cases: "bagging-spx-reg, bagging-aapl-reg, bagging-spx-cls",
        tolerance: "figures on test and training rows within three standard deviations, correlation of predictions 0.9 to 0.97",
    }],
    presets: &[
        Preset {
            id: "bagging_10",
            title: "Bagging of 10 trees",
            set: &[("n_estimators", "10")],
        },
        Preset {
            id: "bagging_25",
            title: "Bagging of 25 trees",
            set: &[("n_estimators", "25")],
        },
        Preset {
            id: "bagging_50",
            title: "Bagging of 50 trees",
            set: &[("n_estimators", "50")],
        },
    ],
    exemptions: &[],
};

impl Learner for Bagging {
    type Params = With<BaggingParams>;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const MISSING: bool = true;
    const WEIGHTS: bool = true;
    const PROBABILITIES: bool = true;

    fn learn_from(
        params: &With<BaggingParams>,
        data: &Verified<Training>,
        seed: u64,
    ) -> Result<Fitted, FitError> {
        let own = &params.own;
        let member = &own.members()[0];
        let (found, given) = params.resolved(member)?;
        let rows = data.get();
        let (n, p) = rows.x().dim();
        let seed = run::effective_seed(own.seed, seed);
        let chances = forest::chances(rows.weights());
        let all = rows.weights().map_or(n as f64, |w| w.iter().sum());
        let draws = if own.max_samples == 1.0 {
            n
        } else {
            forest::draws(own.max_samples, all)
        };
        let classes = rows.labels().map(|l| l.classes.clone()).unwrap_or_default();
        let all_columns = own.max_features == 1.0 && !own.bootstrap_features;
        if found.entry.card.id == "decision_tree" && all_columns {
            let tree = TreeParams::from_map(&given)?;
            let draw = !own.bootstrap && draws < n;
            // The tree weighs labels; the weights of rows are chances of being drawn.
            let mut factors = match (&tree.class_weight, rows.labels()) {
                (Some(weight), Some(labels)) => {
                    let factors = weight.factors(labels)?;
                    labels.codes.iter().map(|c| factors[*c]).collect()
                }
                _ => vec![1.0; n],
            };
            if !own.bootstrap && !draw {
                let pairs = factors.iter_mut().zip(chances.unwrap_or_default());
                pairs.for_each(|(f, w)| *f *= w);
            }
            let plan = Plan {
                trees: own.n_estimators,
                bootstrap: own.bootstrap,
                draw,
                oob: own.oob_score,
                draws,
                weight: RowWeights {
                    chances: chances.map(<[f64]>::to_vec),
                    factors,
                    balance_drawn: false,
                    total: all,
                },
                seed,
            };
            let forest = grow(&tree, rows, &plan)?;
            return Ok(Fitted {
                oob_score: forest.oob_score(),
                forest: Some(forest),
                members: Vec::new(),
                classes,
            });
        }
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let some = forest::columns_drawn(own.max_features, p)?;
        let mut members = Vec::new();
        let width = classes.len().max(1);
        let (mut unseen, mut votes) = (Array2::<f64>::zeros((n, width)), vec![0_u32; n]);
        for _ in 0..own.n_estimators {
            let picked = draw_rows(n, draws, own.bootstrap, chances, &mut random)?;
            let columns = draw(p, some, own.bootstrap_features, &mut random);
            let inner: u64 = random.r#gen();
            let part = data.derive("bootstrap", format!("{} rows", picked.len()), |t| {
                let x = t.x().select(Axis(0), &picked).select(Axis(1), &columns);
                let names = (0..x.ncols()).map(|c| format!("x{c}")).collect();
                let y = picked.iter().map(|i| t.y()[*i]).collect();
                let design = Design::with_missing(x, names)?;
                // Weights are in the draw.
                if t.labels().is_some() {
                    Training::classification(design, y)
                } else {
                    Training::regression(design, y)
                }
            })?;
            let fitted = params.fit(member, &part, inner)?;
            let mut has = vec![false; n];
            picked.iter().for_each(|i| has[*i] = true);
            let others: Vec<usize> = (0..n).filter(|i| !has[*i]).collect();
            if own.oob_score && !others.is_empty() {
                let x = rows.x().select(Axis(0), &others).select(Axis(1), &columns);
                let answers = answers(&fitted.fitted.predict(x.view())?, &classes);
                for (answer, i) in answers.rows().into_iter().zip(&others) {
                    let mut sum = unseen.row_mut(*i);
                    sum += &answer;
                    votes[*i] += 1;
                }
            }
            members.push((fitted, columns));
        }
        Ok(Fitted {
            forest: None,
            members,
            oob_score: judge(rows, &unseen, &votes, &classes),
            classes,
        })
    }
}

/// The value, or the shares of the labels, a row each.
fn answers(p: &Prediction, classes: &[i64]) -> Array2<f64> {
    if classes.is_empty() {
        Array2::from_shape_fn((p.values.len(), 1), |(i, _)| p.values[i])
    } else {
        label_shares(p, classes)
    }
}

/// So many of the first `n` numbers, ascending, with or without repetition.
fn draw(n: usize, many: usize, again: bool, random: &mut Xoshiro256PlusPlus) -> Vec<usize> {
    let mut picked: Vec<usize> = if again {
        (0..many).map(|_| random.gen_range(0..n)).collect()
    } else {
        rand::seq::index::sample(random, n, many.min(n)).into_vec()
    };
    picked.sort_unstable();
    picked
}

/// Rows of a draw, ascending; with weights, with a chance in proportion to these.
fn draw_rows(
    n: usize,
    many: usize,
    again: bool,
    chances: Option<&[f64]>,
    random: &mut Xoshiro256PlusPlus,
) -> Result<Vec<usize>, FitError> {
    if chances.is_none() {
        return Ok(draw(n, many, again, random));
    }
    let mut picked = if again {
        let counts = forest::drawn(n, many, chances, random);
        let rows = counts.iter().enumerate();
        rows.flat_map(|(i, c)| std::iter::repeat_n(i, *c as usize))
            .collect()
    } else {
        forest::apart(n, many, chances, random)?
    };
    picked.sort_unstable();
    Ok(picked)
}

fn judge(rows: &Training, sums: &Array2<f64>, votes: &[u32], classes: &[i64]) -> Option<f64> {
    let judged: Vec<usize> = (0..votes.len()).filter(|i| votes[*i] > 0).collect();
    if judged.is_empty() {
        return None;
    }
    let mut means = sums.select(Axis(0), &judged);
    for (mut row, i) in means.rows_mut().into_iter().zip(&judged) {
        row /= f64::from(votes[*i]);
    }
    let y: Vec<f64> = judged.iter().map(|i| rows.y()[*i]).collect();
    if classes.is_empty() {
        score::r2(&y, &means.into_raw_vec_and_offset().0)
    } else {
        let p = Prediction::probabilities(means, classes.to_vec());
        score::accuracy(&y, &p.values)
    }
}

/// Trees with the parameters of decision_tree, grown on draws.
fn grow(params: &TreeParams, rows: &Training, plan: &Plan) -> Result<Forest, FitError> {
    let rules: Rules = params.rules(rows)?;
    let learned = Learned::new(rows, rules.criterion)?;
    forest::grow(rows, &learned, &rules, plan)
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        if let Some(forest) = &self.forest {
            return Ok(forest.predict(x));
        }
        let many = self.members.len() as f64;
        let width = self.classes.len().max(1);
        let mut all = Vec::with_capacity(self.members.len());
        for (member, columns) in &self.members {
            let p = member.fitted.predict(x.select(Axis(1), columns).view())?;
            all.push(answers(&p, &self.classes));
        }
        let mut mean = Array2::<f64>::zeros((x.nrows(), width));
        all.iter().for_each(|a| mean.scaled_add(1.0 / many, a));
        if !self.classes.is_empty() {
            return Ok(Prediction::probabilities(mean, self.classes.clone()));
        }
        let mut spread = Array2::<f64>::zeros((x.nrows(), 1));
        all.iter()
            .for_each(|a| spread += &(a - &mean).mapv(|d| d * d));
        Ok(Prediction {
            std: Some(spread.iter().map(|s| (s / many).sqrt()).collect()),
            ..Prediction::values(mean.into_raw_vec_and_offset().0)
        })
    }

    fn contributions(&self, x: ArrayView2<'_, f64>) -> Result<Option<Contributions>, FitError> {
        if let Some(forest) = &self.forest {
            return forest.contributions(x);
        }
        let width = self.classes.len().max(1);
        let mut all = Contributions {
            values: vec![Array2::zeros(x.dim()); width],
            base: vec![0.0; width],
            classes: self.classes.clone(),
            of: if self.classes.is_empty() {
                Explained::Value
            } else {
                Explained::Probability
            },
        };
        let share = 1.0 / self.members.len() as f64;
        for (member, columns) in &self.members {
            let part = x.select(Axis(1), columns);
            let Some(own) = member.fitted.contributions(part.view())? else {
                return Ok(None);
            };
            // A mean is taken of values or of shares; those of a log or a score do not add up to it.
            if own.of != all.of {
                return Ok(None);
            }
            for (k, table) in own.values.iter().enumerate() {
                let label = own.classes.get(k);
                let at = label.and_then(|l| self.classes.iter().position(|c| c == l));
                let at = at.unwrap_or_default();
                all.base[at] += share * own.base[k];
                for (from, to) in table.columns().into_iter().zip(columns) {
                    all.values[at].column_mut(*to).scaled_add(share, &from);
                }
            }
        }
        Ok(Some(all))
    }

    fn outputs(&self) -> Outputs {
        let score = self.oob_score.map(|s| ("oob_score".to_owned(), s.into()));
        score.into_iter().collect()
    }
}
