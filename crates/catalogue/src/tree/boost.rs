//! The rounds of boosting that histogram gradient boosting, XGBoost and LightGBM share.

use super::draws::Draws;
use super::histogram::{self, Binned, Config, Groups, Tree, Weighed};
use super::linear_leaves::Ground;
use super::metrics::{self, Metric};
use super::objective::{
    Objective, quantile_below, quantile_between, quantile_of_one_more, quantile_past,
    single_quantile_below, softmax, weighed_mape,
};
use super::shap;
use crate::numeric::{flat, some_rows};
use mltrainer_catalogue_core::params::{ParamType, Range};
use mltrainer_catalogue_core::reexport::{ParamKind, Value};
use mltrainer_catalogue_core::{
    Contributions, FitError, ParamError, Prediction, Training, threads,
};
use ndarray::{Array2, ArrayView2};
use rand::seq::SliceRandom as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Which rows a round sees.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sampling {
    /// All.
    All,
    /// Each with that probability.
    Each(f64),
    /// A share of them, drawn anew every so many rounds.
    Share(f64, usize),
    /// The share with the largest gradients, and a share of the others that then count for all of
    /// them; from round 1 / learning rate on (GOSS).
    Largest(f64, f64),
}

/// When to stop before the last round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Early {
    /// What is looked at.
    pub(crate) metric: Metric,
    /// Rounds without a gain of `tol` in the metric on the rows kept aside.
    pub(crate) patience: usize,
    pub(crate) tol: f64,
    /// Whether only the rounds up to the best are kept.
    pub(crate) keep_best: bool,
}

/// Rounds that leave some earlier trees out and are then weighed with these (DART; Rashmi &
/// Gilad-Bachrach, AISTATS 2015).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dart {
    /// Chance of a tree, or round, to be left out.
    pub(crate) rate: f64,
    /// Chance of a round to leave nothing out.
    pub(crate) skip: f64,
    /// Left out at most; 0 is no limit.
    pub(crate) most: usize,
    /// Whether one at least is left out.
    pub(crate) one: bool,
    /// Whether the chance is in proportion to the weight that a tree has.
    pub(crate) by_weight: bool,
    /// How trees are weighed.
    pub(crate) weighing: Weighing,
    /// Whether the start is a part of the first round, and left out with it (LightGBM).
    pub(crate) with_start: bool,
}

/// What the k trees left out, and the new one, are worth afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weighing {
    /// k/(k + 1) and 1/(k + 1) (LightGBM).
    Even,
    /// k/(k + rate) and 1/(k + rate) (XGBoost's tree).
    Tree,
    /// 1/(1 + rate) both (XGBoost's forest).
    Forest,
}

impl Dart {
    /// Rounds to leave out, by the weight of each so far and what these add up to.
    fn draw(&self, weights: &[f64], sum: f64, draws: &mut Draws) -> Vec<usize> {
        let as_light_gbm = draws.are_light_gbm();
        if (weights.is_empty() && !as_light_gbm) || draws.of_round() < self.skip {
            return Vec::new();
        }
        let n = weights.len() as f64;
        let mut rate = self.rate;
        if self.most > 0 {
            let most = self.most as f64 / n;
            // LightGBM takes the number of rounds over the square of the sum of their weights.
            rate = rate.min(if as_light_gbm && self.by_weight {
                self.most as f64 * (n / sum) / sum
            } else {
                most
            });
        }
        let mut left_out = Vec::new();
        for (i, w) in weights.iter().enumerate() {
            let chance = if self.by_weight {
                rate * w * (n / sum)
            } else {
                rate
            };
            if draws.of_round() < chance {
                left_out.push(i);
                // A limit of 0 ends at the first in LightGBM, whose manual calls that no limit.
                if left_out.len() == self.most || (as_light_gbm && self.most == 0) {
                    break;
                }
            }
        }
        if left_out.is_empty() && self.one {
            left_out.push(draws.below(weights.len()));
        }
        left_out
    }

    /// Factors of the rounds left out and of the new one.
    fn factors(&self, left_out: usize, rate: f64) -> (f64, f64) {
        let k = left_out as f64;
        match self.weighing {
            _ if left_out == 0 => (1.0, 1.0),
            Weighing::Even => (k / (k + 1.0), 1.0 / (k + 1.0)),
            Weighing::Tree => (k / (k + rate), 1.0 / (k + rate)),
            Weighing::Forest => (1.0 / (1.0 + rate), 1.0 / (1.0 + rate)),
        }
    }
}

/// How to boost.
pub(crate) struct Spec {
    pub(crate) objective: Objective,
    /// Labels, for a classification.
    pub(crate) classes: Vec<i64>,
    /// Sums of trees: one, or one a label beyond two.
    pub(crate) width: usize,
    pub(crate) start: Vec<f64>,
    /// Where a sum starts whose first tree cannot be split, if not there (LightGBM without a start).
    pub(crate) late_start: Option<Vec<f64>>,
    pub(crate) rounds: usize,
    /// Trees of a round and sum, each on draws of its own; their mean is added.
    pub(crate) parallel: usize,
    pub(crate) learning_rate: f64,
    pub(crate) config: Config,
    /// Whether sums and leaves are kept to single precision.
    pub(crate) single: bool,
    pub(crate) sampling: Sampling,
    pub(crate) quantiles: Quantiles,
    /// Whether leaves are set anew for losses whose hessian says nothing.
    pub(crate) renew: bool,
    pub(crate) dart: Option<Dart>,
    /// Whether every tree starts from the start, and answers are means over the trees (LightGBM's rf).
    pub(crate) average: bool,
    pub(crate) early: Option<Early>,
    /// The penalty of linear models in the leaves; none has constant ones.
    pub(crate) linear: Option<f64>,
}

/// Rows to learn from or kept aside: columns, targets (codes of labels) and weights.
pub(crate) struct Rows<'a> {
    pub(crate) x: Cow<'a, Array2<f64>>,
    /// The columns as they were given, where trees see other ones and something needs these.
    pub(crate) given: Option<Array2<f64>>,
    pub(crate) y: Vec<f64>,
    pub(crate) w: Vec<f64>,
}

impl<'a> Rows<'a> {
    /// These rows of a problem.
    pub(crate) fn of(data: &'a Training, rows: &[usize]) -> Self {
        let y = |i: &usize| {
            data.labels()
                .map_or_else(|| data.y()[*i], |l| l.codes[*i] as f64)
        };
        Self {
            x: some_rows(data.x(), rows),
            given: None,
            y: rows.iter().map(y).collect(),
            w: rows
                .iter()
                .map(|i| data.weights().map_or(1.0, |w| w[*i]))
                .collect(),
        }
    }

    /// The columns as they were given.
    pub(crate) fn given(&self) -> ArrayView2<'_, f64> {
        self.given.as_ref().unwrap_or(&self.x).view()
    }

    /// What a tree adds to a row.
    fn answer(&self, tree: &Tree, i: usize) -> f64 {
        let row = self.x.row(i);
        let given = self.given.as_ref().map_or(row, |x| x.row(i));
        tree.of_training(row, given)
    }

    /// Adds so many times a tree to the sums of all rows, which may be kept to single precision.
    fn add(&self, tree: &Tree, times: f64, sums: &mut [f64], single: bool) {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum += times * self.answer(tree, i);
            if single {
                *sum = f64::from(*sum as f32);
            }
        }
    }

    /// Weighted mean of the targets.
    pub(crate) fn mean(&self) -> f64 {
        let all: f64 = self.w.iter().sum();
        self.y.iter().zip(&self.w).map(|(y, w)| y * w).sum::<f64>() / all
    }

    /// Weighted shares of `k` labels.
    pub(crate) fn shares(&self, k: usize) -> Vec<f64> {
        let mut shares = vec![0.0; k];
        for (y, w) in self.y.iter().zip(&self.w) {
            shares[*y as usize] += w;
        }
        super::engine::shares(shares)
    }

    /// Whether rows count differently from one.
    fn weighed(&self) -> bool {
        self.w.iter().any(|w| *w != 1.0)
    }

    /// A quantile of the targets.
    pub(crate) fn quantile(&self, share: f64, rule: Quantiles) -> f64 {
        quantile(&self.y, &self.w, self.weighed(), share, rule)
    }
}

/// What a quantile is to each program: without weights, and with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantiles {
    /// Between neighbours; the value that reaches the share (scikit-learn).
    Between,
    /// Between neighbours; past the share (LightGBM).
    Past,
    /// Past the share, with weights or without (LightGBM's mape).
    AlwaysPast,
    /// Between the ranks around share · (n + 1); the value that reaches the share (XGBoost).
    OneMore,
}

/// A quantile of values with weights, which are all 1 without `weighed`: that some of many rows all weigh 1
/// does not make them rows without weights.
pub(crate) fn quantile(
    values: &[f64],
    w: &[f64],
    weighed: bool,
    share: f64,
    rule: Quantiles,
) -> f64 {
    if rule != Quantiles::AlwaysPast && !weighed {
        return match rule {
            Quantiles::OneMore => quantile_of_one_more(values, share),
            _ => quantile_between(values, share),
        };
    }
    let pairs = values.iter().copied().zip(w.iter().copied());
    let mut pairs: Vec<(f64, f64)> = pairs.collect();
    match rule {
        Quantiles::Past | Quantiles::AlwaysPast => quantile_past(&mut pairs, share),
        Quantiles::OneMore => single_quantile_below(&mut pairs, share),
        Quantiles::Between => quantile_below(&mut pairs, share),
    }
}

/// The trees that were found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Boosted {
    /// Round after round, in a round one a sum, or several times one a sum.
    pub(crate) trees: Vec<Tree>,
    pub(crate) start: Vec<f64>,
    pub(crate) objective: Objective,
    /// Labels, for a classification.
    pub(crate) classes: Vec<i64>,
    /// Whether sums are kept to single precision.
    pub(crate) single: bool,
    /// Trees of a round and sum.
    #[serde(default = "one")]
    pub(crate) parallel: usize,
    /// The metric that the best round had on the rows kept aside.
    #[serde(default)]
    pub(crate) best_score: Option<f64>,
    /// Whether sums are divided by the rounds.
    #[serde(default)]
    pub(crate) average: bool,
}

fn one() -> usize {
    1
}

/// Labels of a classification, an error when there is one label only.
///
/// # Errors
/// [`FitError::Data`] naming the label.
pub(crate) fn classes(data: &Training) -> Result<Vec<i64>, FitError> {
    let classes = data.labels().map(|l| l.classes.clone()).unwrap_or_default();
    if classes.len() == 1 {
        return Err(FitError::Data(format!(
            "every row has label {}; two labels are needed",
            classes[0]
        )));
    }
    Ok(classes)
}

/// Rows kept aside and the others, both ascending: drawn at random, of each label as many, or else
/// the last ones.
///
/// # Errors
/// [`FitError::Data`] when one side would be empty.
pub(crate) fn keep_aside(
    data: &Training,
    share: f64,
    random: Option<&mut Xoshiro256PlusPlus>,
) -> Result<(Vec<usize>, Vec<usize>), FitError> {
    let n = data.y().len();
    let refused = |n: usize| {
        FitError::Data(format!(
            "{n} rows are too few to keep a share of {share} of them aside for early stopping: lower validation_fraction"
        ))
    };
    let Some(random) = random else {
        let many = (share * n as f64).ceil() as usize;
        if many >= n {
            return Err(refused(n));
        }
        return Ok(((0..n - many).collect(), (n - many..n).collect()));
    };
    let groups: Vec<Vec<usize>> = match data.labels() {
        Some(labels) => (0..labels.classes.len())
            .map(|k| (0..n).filter(|i| labels.codes[*i] == k).collect())
            .collect(),
        None => vec![(0..n).collect()],
    };
    let (mut kept, mut aside) = (Vec::new(), Vec::new());
    for mut group in groups {
        group.shuffle(random);
        let many = (share * group.len() as f64).ceil() as usize;
        if many >= group.len() {
            return Err(refused(group.len()));
        }
        aside.extend_from_slice(&group[..many]);
        kept.extend_from_slice(&group[many..]);
    }
    kept.sort_unstable();
    aside.sort_unstable();
    Ok((kept, aside))
}

/// Columns by number or name.
///
/// # Errors
/// [`ParamError`] naming the word that is neither.
pub(crate) fn columns(
    field: &str,
    words: Option<&[String]>,
    names: &[String],
) -> Result<Vec<usize>, ParamError> {
    let find = |word: &String| {
        let number = word.parse().ok().filter(|k: &usize| *k < names.len());
        names
            .iter()
            .position(|n| n == word)
            .or(number)
            .ok_or_else(|| ParamError {
                field: field.into(),
                reason: format!(
                    "\"{word}\" is no column: there are {}, or their numbers from 0",
                    names.join(", ")
                ),
                suggestions: Vec::new(),
            })
    };
    words.unwrap_or_default().iter().map(find).collect()
}

/// Groups of columns as a parameter: numbers or names, `0,1;2,3` or `[[0,1],[2,3]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnGroups(Vec<Vec<String>>);

impl ParamType for ColumnGroups {
    const KIND: ParamKind = ParamKind::Text;

    fn read(value: &Value, _: &Range) -> Result<Self, String> {
        let refused = || format!("{value} is no list of groups of columns: write 0,1;2,3");
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(n) => n.to_string(),
            _ => return Err(refused()),
        };
        let text = text.trim_start_matches("[[").trim_end_matches("]]");
        let apart = text.replace("],", ";").replace(['[', ']', '"', '\''], "");
        let group =
            |g: &str| -> Vec<String> { g.split(',').map(|c| c.trim().to_owned()).collect() };
        let groups: Vec<Vec<String>> = apart.split(';').map(group).collect();
        if groups.iter().flatten().any(String::is_empty) {
            return Err(refused());
        }
        Ok(Self(groups))
    }

    fn write(&self) -> Value {
        let groups: Vec<String> = self.0.iter().map(|g| g.join(",")).collect();
        groups.join(";").into()
    }
}

/// Groups of columns that may meet; `rest` puts the columns of no group into one of their own.
///
/// # Errors
/// [`ParamError`] naming a word that is no column.
pub(crate) fn groups(
    field: &str,
    given: Option<&ColumnGroups>,
    names: &[String],
    any_first: bool,
    rest: bool,
) -> Result<Groups, ParamError> {
    let Some(ColumnGroups(words)) = given else {
        return Ok(Groups::default());
    };
    let found: Result<Vec<Vec<usize>>, ParamError> = words
        .iter()
        .map(|g| columns(field, Some(g), names))
        .collect();
    let mut groups = found?;
    let others: Vec<usize> = (0..names.len())
        .filter(|c| !groups.iter().any(|g| g.contains(c)))
        .collect();
    if rest && !others.is_empty() {
        groups.push(others);
    }
    Ok(Groups { groups, any_first })
}

/// Signs of monotone columns, one a column.
///
/// # Errors
/// [`ParamError`] when there is not one a column.
pub(crate) fn signs(
    field: &str,
    given: Option<&[i64]>,
    columns: usize,
) -> Result<Vec<i64>, ParamError> {
    match given {
        None => Ok(Vec::new()),
        Some(signs) if signs.len() == columns => Ok(signs.to_vec()),
        Some(signs) => Err(ParamError {
            field: field.into(),
            reason: format!(
                "{} signs for {columns} columns: give one a column",
                signs.len()
            ),
            suggestions: Vec::new(),
        }),
    }
}

/// Sums of trees of the rows kept aside, and the metric they have had: of the start, and of each round.
struct Watch<'a> {
    rows: &'a Rows<'a>,
    f: Vec<Vec<f64>>,
    had: Vec<f64>,
    /// The best round so far and its metric; the start is none.
    best: Option<(usize, f64)>,
}

impl Watch<'_> {
    fn look(&mut self, early: Early, objective: Objective, single: bool) {
        let value = early.metric.value(objective, self.rows, &self.f, single);
        let round = self.had.len();
        let better = |best: (usize, f64)| early.metric.is_better(value, best.1, early.tol);
        if round > 0 && self.best.is_none_or(better) {
            self.best = Some((round, value));
        }
        self.had.push(value);
    }

    /// Puts a tree that starts from `start` into the mean of a sum over the rounds before `t`, as LightGBM does:
    /// a tree that was not split stays out.
    fn average(&mut self, tree: &Tree, sum: usize, start: f64, t: usize) {
        if tree.nodes.len() == 1 && t > 0 {
            return;
        }
        let start = if tree.nodes.len() == 1 { 0.0 } else { start };
        for (i, mean) in self.f[sum].iter_mut().enumerate() {
            let answer = self.rows.answer(tree, i) + start;
            *mean = (*mean * t as f64 + answer) * (1.0 / (t as f64 + 1.0));
        }
    }

    fn stops(&self, early: Early) -> bool {
        let round = self.had.len() - 1;
        if early.keep_best {
            return self
                .best
                .is_some_and(|(best, _)| round >= best + early.patience);
        }
        if round < early.patience {
            return false;
        }
        let (before, since) = self.had.split_at(self.had.len() - early.patience);
        let reference = before[before.len() - 1];
        !since
            .iter()
            .any(|v| early.metric.is_better(*v, reference, early.tol))
    }
}

/// Boosts; `aside` is watched for early stopping.
///
/// # Errors
/// [`FitError::Failed`] when sums leave the finite numbers.
pub(crate) fn boost(
    spec: &Spec,
    binned: &Binned,
    rows: &Rows<'_>,
    aside: Option<&Rows<'_>>,
    draws: &mut Draws,
) -> Result<Boosted, FitError> {
    let n = binned.rows();
    let width = spec.width;
    let in_round = width * spec.parallel;
    let round = |v: f64| if spec.single { f64::from(v as f32) } else { v };
    let mut f: Vec<Vec<f64>> = spec.start.iter().map(|s| vec![*s; n]).collect();
    let mut watch = aside.map(|rows| Watch {
        f: spec.start.iter().map(|s| vec![*s; rows.y.len()]).collect(),
        rows,
        had: Vec::new(),
        best: None,
    });
    if let (Some(watch), Some(early)) = (&mut watch, spec.early) {
        watch.look(early, spec.objective, spec.single);
    }
    let mut trees: Vec<Tree> = Vec::new();
    let mut slopes: Vec<Vec<(f32, f32)>> = vec![vec![(0.0, 0.0); n]; width];
    // A row of weight 0 is a row to these programs: it counts in a leaf, and its value parts its neighbours.
    let counted: Vec<u32> = (0..n as u32).collect();
    let mut seen = counted.clone();
    // Weight of each round, where rounds are left out, what they add up to, and weight of the start.
    let mut weights: Vec<f64> = Vec::new();
    let mut sum_of_weights = 0.0;
    let mut held = 1.0;
    let mut pool = histogram::Pool::new();
    // Rounds as sampling counts them.
    let mut turn = 0;
    let weighed = rows.weighed();
    let ground = spec.linear.map(|lambda| Ground::new(rows.given(), lambda));
    for t in 0..spec.rounds {
        let left_out = match &spec.dart {
            Some(dart) => dart.draw(&weights, sum_of_weights, draws),
            None => Vec::new(),
        };
        let (kept, new) = spec.dart.map_or((1.0, 1.0), |d| {
            d.factors(left_out.len(), spec.learning_rate)
        });
        let of_rounds = |rounds: &[usize]| -> Vec<usize> {
            let each = rounds.iter().flat_map(|r| r * in_round..(r + 1) * in_round);
            each.collect()
        };
        let trees_out = of_rounds(&left_out);
        let start_out = spec.dart.is_some_and(|d| d.with_start) && left_out.contains(&0);
        if start_out {
            move_start(&mut f, &mut watch, &spec.start, -held);
        }
        for at in &trees_out {
            let tree = &trees[*at];
            rows.add(tree, -1.0, &mut f[at % width], spec.single);
            if let Some(watch) = &mut watch {
                let sums = &mut watch.f[at % width];
                watch.rows.add(tree, -1.0, sums, spec.single);
            }
        }
        find_slopes(spec, rows, &f, &mut slopes, draws.are_light_gbm());
        let mut any = false;
        // Leaves that are set anew look at the sums as they were before the round.
        let before = (spec.parallel > 1).then(|| f.clone());
        for _ in 0..spec.parallel {
            match spec.sampling {
                Sampling::All => {}
                Sampling::Each(share) => {
                    seen = counted
                        .iter()
                        .copied()
                        .filter(|i| draws.of_row(*i as usize) < share)
                        .collect();
                }
                Sampling::Share(share, every) if turn % every == 0 => {
                    seen = if draws.are_light_gbm() {
                        let each = (0..n).filter(|i| draws.of_row(*i) < share);
                        each.map(|i| i as u32).collect()
                    } else {
                        let many = ((counted.len() as f64 * share) as usize).max(1);
                        let drawn = draws.sample(counted.len(), many);
                        drawn.into_iter().map(|i| counted[i]).collect()
                    };
                }
                Sampling::Share(..) => {}
                Sampling::Largest(top, other) => {
                    if turn >= (1.0 / spec.learning_rate) as usize {
                        seen = largest(n, &mut slopes, top, other, draws);
                    }
                }
            }
            if seen.is_empty() {
                seen.clone_from(&counted);
            }
            let mut member = vec![seen.len() == n; n];
            if seen.len() < n {
                seen.iter().for_each(|i| member[*i as usize] = true);
            }
            for k in 0..width {
                let config = match (spec.config.one_hessian, spec.sampling) {
                    // LightGBM copies few rows into a table of their own, whose first row it then takes.
                    (Some(_), Sampling::Share(share, every)) if share / every as f64 <= 0.5 => {
                        Cow::Owned(Config {
                            one_hessian: Some(slopes[k][seen[0] as usize].1),
                            ..spec.config.clone()
                        })
                    }
                    _ => Cow::Borrowed(&spec.config),
                };
                let mut grown =
                    histogram::grow(binned, &slopes[k], seen.clone(), &config, &mut pool, draws);
                any |= grown.tree.nodes.len() > 1;
                if let Some(ground) = &ground {
                    grown.tree.linear = ground.fit(&grown, &slopes[k], t == 0 && !spec.average);
                }
                // LightGBM leaves a tree without a split alone.
                let alone = draws.are_light_gbm() && grown.tree.nodes.len() == 1;
                if alone && spec.average && spec.linear.is_some() {
                    // Linear models have no penalty on the constant.
                    let own = seen.iter().map(|i| slopes[k][*i as usize]);
                    let (g, h) = own.fold((0.0, 0.0), |(g, h), (own_g, own_h)| {
                        (g + f64::from(own_g), h + f64::from(own_h))
                    });
                    grown.tree.nodes[0].value = if h > 0.0 { -g / h } else { 0.0 };
                }
                if alone && t == 0 {
                    // What the leaf is worth once it is shrunk.
                    let late = spec.late_start.as_ref().map_or(0.0, |late| late[k]);
                    grown.tree.nodes[0].value = late / spec.learning_rate;
                }
                for (id, start, end) in &grown.leaves {
                    let own = &grown.rows[*start..*end];
                    if let Some(share) = spec.objective.renewed().filter(|_| spec.renew && !alone) {
                        let rule = match spec.objective {
                            Objective::Mape => Quantiles::AlwaysPast,
                            _ => spec.quantiles,
                        };
                        let off = own.iter().map(|i| {
                            let sums = before.as_ref().unwrap_or(&f);
                            round(rows.y[*i as usize] - sums[k][*i as usize])
                        });
                        let w: Vec<f64> = own
                            .iter()
                            .map(|i| weight(spec.objective, rows, *i))
                            .collect();
                        grown.tree.nodes[*id].value =
                            quantile(&off.collect::<Vec<_>>(), &w, weighed, share, rule);
                    }
                }
                for node in &mut grown.tree.nodes {
                    node.value = if spec.single {
                        // As XGBoost: the leaf, then what dart makes of it.
                        let rate = spec.learning_rate as f32 / spec.parallel as f32;
                        round(f64::from(node.value as f32 * rate) * new)
                    } else {
                        node.value * spec.learning_rate * new / spec.parallel as f64
                    };
                }
                let rate = spec.learning_rate * new / spec.parallel as f64;
                grown.tree.linear.iter_mut().for_each(|l| l.scale(rate));
                let given = rows.given();
                for (id, start, end) in grown.leaves.iter().filter(|_| !spec.average) {
                    let same = grown.tree.linear.is_empty();
                    let value = grown.tree.nodes[*id].value;
                    for i in &grown.rows[*start..*end] {
                        let i = *i as usize;
                        let adds = if same {
                            value
                        } else {
                            let value = |c| f64::from(given[[i, c]] as f32);
                            grown.tree.adds(*id, value)
                        };
                        f[k][i] = round(f[k][i] + adds);
                    }
                }
                if seen.len() < n && !spec.average {
                    for i in (0..n).filter(|i| !member[*i]) {
                        let adds = rows.answer(&grown.tree, i);
                        f[k][i] = round(f[k][i] + adds);
                    }
                }
                if let Some(watch) = &mut watch {
                    if spec.average {
                        watch.average(&grown.tree, k, spec.start[k], t);
                    } else {
                        let sums = &mut watch.f[k];
                        watch.rows.add(&grown.tree, 1.0, sums, spec.single);
                    }
                }
                trees.push(grown.tree);
            }
        }
        if spec.dart.is_some() {
            // LightGBM's sum is off where it weighs rounds as XGBoost does.
            let k = left_out.len() as f64;
            let loss = match spec.dart.map(|d| d.weighing) {
                Some(Weighing::Tree) if draws.are_light_gbm() => 1.0 / (k + spec.learning_rate),
                _ => 1.0 - kept,
            };
            for r in &left_out {
                sum_of_weights -= weights[*r] * loss;
                weights[*r] *= kept;
            }
            weights.push(spec.learning_rate * new);
            sum_of_weights += spec.learning_rate * new;
        }
        if start_out {
            held *= kept;
            move_start(&mut f, &mut watch, &spec.start, held);
        }
        for at in &trees_out {
            for node in &mut trees[*at].nodes {
                node.value = round(node.value * kept);
            }
            trees[*at].linear.iter_mut().for_each(|l| l.scale(kept));
            let tree = &trees[*at];
            rows.add(tree, 1.0, &mut f[at % width], spec.single);
            if let Some(watch) = &mut watch {
                let sums = &mut watch.f[at % width];
                watch.rows.add(tree, 1.0, sums, spec.single);
            }
        }
        if f.iter().flatten().any(|v| !v.is_finite()) {
            return Err(FitError::Failed(format!(
                "the sums are not finite numbers after round {}: lower learning_rate or rescale the target",
                t + 1
            )));
        }
        if let (Some(watch), Some(early)) = (&mut watch, spec.early) {
            watch.look(early, spec.objective, spec.single);
            if watch.stops(early) {
                break;
            }
        }
        // LightGBM takes back a round in which no tree was split, and does not count it.
        let kept = any || !draws.are_light_gbm() || spec.dart.is_some() || spec.average;
        turn += usize::from(kept);
        if !kept && t > 0 {
            trees.truncate(trees.len() - in_round);
        }
        // Nothing is drawn and no tree was split: no later one would be.
        if !any
            && matches!(spec.sampling, Sampling::All)
            && still(&spec.config)
            && spec.dart.is_none()
            && !spec.average
        {
            break;
        }
    }
    let best = watch.as_ref().and_then(|w| w.best);
    if let (Some((best, _)), Some(early)) = (best, spec.early)
        && early.keep_best
    {
        trees.truncate(best * in_round);
    }
    let mut start: Vec<f64> = spec.start.iter().map(|s| s * held).collect();
    if spec.average {
        // The start is in the leaves of the trees that were split, and only there.
        for (k, s) in start.iter_mut().enumerate() {
            let own = trees.iter().skip(k).step_by(width);
            let split = own.filter(|tree| tree.nodes.len() > 1).count();
            *s *= split as f64 / (trees.len() / width) as f64;
        }
    }
    Ok(Boosted {
        trees,
        start,
        objective: spec.objective,
        classes: spec.classes.clone(),
        single: spec.single,
        parallel: spec.parallel,
        best_score: best.map(|(_, value)| value),
        average: spec.average,
    })
}

/// Adds so many times the start to all sums.
fn move_start(f: &mut [Vec<f64>], watch: &mut Option<Watch<'_>>, start: &[f64], by: f64) {
    let watched = watch.iter_mut().flat_map(|w| w.f.iter_mut().zip(start));
    for (sums, s) in f.iter_mut().zip(start).chain(watched) {
        sums.iter_mut().for_each(|sum| *sum += by * s);
    }
}

fn still(config: &Config) -> bool {
    let all = config.by_tree >= 1.0 && config.by_level >= 1.0 && config.by_node >= 1.0;
    all && !config.extra_trees
}

fn weight(objective: Objective, rows: &Rows<'_>, i: u32) -> f64 {
    let i = i as usize;
    match objective {
        Objective::Mape => weighed_mape(rows.y[i], rows.w[i]),
        _ => rows.w[i],
    }
}

/// Shares of the scores of a row, in single precision as XGBoost finds them.
fn single_softmax(f: &[Vec<f64>], row: usize, shares: &mut [f32]) {
    for (share, f) in shares.iter_mut().zip(f) {
        *share = f[row] as f32;
    }
    let top = shares.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0_f64;
    for share in shares.iter_mut() {
        *share = (*share - top).exp();
        sum += f64::from(*share);
    }
    shares.iter_mut().for_each(|s| *s /= sum as f32);
}

/// Rows whose slopes are found, or sums added up, in one piece.
const PIECE: usize = 4_096;

fn find_slopes(
    spec: &Spec,
    rows: &Rows<'_>,
    f: &[Vec<f64>],
    slopes: &mut [Vec<(f32, f32)>],
    as_light_gbm: bool,
) {
    let objective = spec.objective;
    // LightGBM rounds the difference before the weight comes to it; in its other losses afterwards.
    let first = as_light_gbm && objective == Objective::Squared;
    let fill = |start: usize, piece: &mut [&mut [(f32, f32)]]| {
        if let Objective::Softmax(factor) = objective {
            let many = piece.first().map_or(0, |s| s.len());
            if spec.single {
                let (mut scores, factor) = (vec![0.0; f.len()], factor as f32);
                for i in start..start + many {
                    single_softmax(f, i, &mut scores);
                    let w = rows.w[i] as f32;
                    for (k, p) in scores.iter().enumerate() {
                        let g = if rows.y[i] == k as f64 { p - 1.0 } else { *p };
                        let h = (factor * p * (1.0 - p) * w).max(1e-16);
                        piece[k][i - start] = (g * w, h);
                    }
                }
                return;
            }
            for i in start..start + many {
                let p = softmax(f.iter().map(|f| f[i]));
                for (k, p) in p.into_iter().enumerate() {
                    let g = p - f64::from(u8::from(rows.y[i] == k as f64));
                    let h = (factor * p * (1.0 - p)).max(1e-16);
                    piece[k][i - start] = ((g * rows.w[i]) as f32, (h * rows.w[i]) as f32);
                }
            }
            return;
        }
        let own = piece.iter_mut().flat_map(|s| s.iter_mut());
        if spec.single {
            for (i, slope) in (start..).zip(own) {
                let (g, h) = objective.single_slope(rows.y[i] as f32, f[0][i] as f32);
                let w = rows.w[i] as f32;
                *slope = (g * w, h * w);
            }
            return;
        }
        for (i, slope) in (start..).zip(own) {
            let (g, h) = objective.slope(rows.y[i], f[0][i]);
            let g = if first { f64::from(g as f32) } else { g };
            *slope = ((g * rows.w[i]) as f32, (h * rows.w[i]) as f32);
        }
    };
    let mut each: Vec<_> = slopes.iter_mut().map(|s| s.chunks_mut(PIECE)).collect();
    let mut pieces = Vec::new();
    loop {
        let piece: Vec<&mut [(f32, f32)]> = each.iter_mut().filter_map(Iterator::next).collect();
        if piece.is_empty() {
            break;
        }
        pieces.push((pieces.len() * PIECE, piece));
    }
    // Starting a thread takes longer than subtracting.
    let quick = !objective.has_powers() || pieces.len() < 3;
    let threads = if quick { 1 } else { threads::granted() };
    threads::grant(threads, || {
        threads::each(pieces, |(start, mut piece)| fill(start, &mut piece));
    });
}

/// Rows of GOSS, ascending; the slopes of those drawn are raised. As LightGBM goes over them on one
/// thread: each row that is not among the largest is drawn with the chance that makes the number right.
fn largest(
    n: usize,
    slopes: &mut [Vec<(f32, f32)>],
    top: f64,
    other: f64,
    draws: &mut Draws,
) -> Vec<u32> {
    let size = |slopes: &[Vec<(f32, f32)>], i: usize| -> f32 {
        slopes.iter().map(|s| (s[i].0 * s[i].1).abs()).sum()
    };
    let many = ((n as f64 * top) as usize).clamp(1, n);
    let drawn = (n as f64 * other) as usize;
    let mut sizes: Vec<f32> = (0..n).map(|i| size(slopes, i)).collect();
    let (_, least, _) = sizes.select_nth_unstable_by(many - 1, |a, b| b.total_cmp(a));
    let least = *least;
    let factor = (n - many) as f32 / drawn as f32;
    let mut rows = Vec::with_capacity(many + drawn);
    let (mut large, mut others) = (0, 0);
    for i in 0..n {
        if size(slopes, i) >= least {
            rows.push(i as u32);
            large += 1;
            continue;
        }
        // Where sizes are equal there may be more large rows than were asked for.
        let left = (n - i) as f64 - (many as f64 - f64::from(large));
        let chance = (drawn as f64 - f64::from(others)) / left;
        if draws.of_row(i) < chance {
            rows.push(i as u32);
            others += 1;
            for s in slopes.iter_mut() {
                s[i].0 *= factor;
                s[i].1 *= factor;
            }
        }
    }
    rows
}

/// Probabilities, and the sums of trees that they come from as decision values: one for two labels, one a
/// label for more.
pub(crate) fn scored(p: Array2<f64>, sums: &[Vec<f64>], classes: &[i64]) -> Prediction {
    let decision = Array2::from_shape_fn((p.nrows(), sums.len()), |(i, k)| sums[k][i]);
    Prediction {
        decision: Some(decision),
        ..Prediction::probabilities(p, classes.to_vec())
    }
}

impl Boosted {
    /// Sums of trees, one list a sum.
    pub(crate) fn sums(&self, x: ArrayView2<'_, f64>) -> Vec<Vec<f64>> {
        let (n, p) = x.dim();
        let width = self.start.len();
        let x = x.as_standard_layout();
        let flat = flat(x.view());
        // All trees look at some rows while these are at hand.
        let many = PIECE / 16;
        let pieces = threads::map(n.div_ceil(many), |piece| {
            let rows = &flat[piece * many * p..((piece + 1) * many).min(n) * p];
            let of_piece = rows.len() / p.max(1);
            let first = |s: &f64| if self.average { 0.0 } else { *s };
            let mut sums: Vec<Vec<f64>> = self
                .start
                .iter()
                .map(|s| vec![first(s); of_piece])
                .collect();
            for (t, tree) in self.trees.iter().enumerate() {
                for (sum, row) in sums[t % width].iter_mut().zip(rows.chunks_exact(p.max(1))) {
                    *sum += tree.of_slice(row);
                    if self.single {
                        *sum = f64::from(*sum as f32);
                    }
                }
            }
            if self.average {
                for (sums, s) in sums.iter_mut().zip(&self.start) {
                    let mean = |sum: &mut f64| *sum = *s + *sum * self.share();
                    sums.iter_mut().for_each(mean);
                }
            }
            sums
        });
        let mut sums: Vec<Vec<f64>> = vec![Vec::with_capacity(n); width];
        for piece in pieces {
            for (sum, part) in sums.iter_mut().zip(piece) {
                sum.extend(part);
            }
        }
        sums
    }

    /// Answers, or shares of the labels.
    pub(crate) fn predict(&self, x: ArrayView2<'_, f64>) -> Prediction {
        let (objective, classes) = (self.objective, &self.classes);
        let mut sums = self.sums(x);
        if classes.is_empty() {
            let answers = sums.swap_remove(0).into_iter().map(|f| objective.answer(f));
            return Prediction::values(answers.collect());
        }
        let mut p = Array2::zeros((x.nrows(), classes.len()));
        for (i, mut row) in p.rows_mut().into_iter().enumerate() {
            if sums.len() == 1 {
                row[1] = objective.answer(sums[0][i]);
                row[0] = 1.0 - row[1];
            } else {
                let each = softmax(sums.iter().map(|s| s[i]));
                row.iter_mut().zip(each).for_each(|(r, p)| *r = p);
            }
        }
        scored(p, &sums, classes)
    }

    /// SHAP values of the sums of trees; a row of training counts by its hessian, or as one.
    ///
    /// # Errors
    /// [`FitError::Failed`] for linear models in the leaves, and those of [`shap::Sum::add`].
    pub(crate) fn contributions(
        &self,
        x: ArrayView2<'_, f64>,
        by_rows: bool,
    ) -> Result<Option<Contributions>, FitError> {
        if self.trees.iter().any(|t| !t.linear.is_empty()) {
            return Err(FitError::Failed(
                "trees with linear models in their leaves (linear_tree) have no SHAP values, in LightGBM neither; use permutation importance".into(),
            ));
        }
        let width = self.start.len();
        let mut sum = shap::Sum::new(x, &self.start);
        for (t, tree) in self.trees.iter().enumerate() {
            sum.add(&Weighed { tree, by_rows }, self.share(), t % width, x)?;
        }
        let classes = if width > 1 {
            self.classes.clone()
        } else {
            Vec::new()
        };
        Ok(Some(sum.finish(classes, self.objective.sum_is())))
    }

    /// The metric of the best round as an output.
    pub(crate) fn best_score(&self) -> Value {
        metrics::shown(self.best_score)
    }

    /// With means: the start of a tree, which trees that were not split do not have.
    pub(crate) fn start_of(&self, tree: usize) -> f64 {
        let width = self.start.len();
        let own = || self.trees.iter().skip(tree % width).step_by(width);
        let split = own().filter(|t| t.nodes.len() > 1).count();
        if self.trees[tree].nodes.len() == 1 {
            return 0.0;
        }
        self.start[tree % width] * own().count() as f64 / split as f64
    }

    /// What a tree counts for.
    fn share(&self) -> f64 {
        if self.average {
            1.0 / self.rounds() as f64
        } else {
            1.0
        }
    }

    /// Rounds that were made.
    pub(crate) fn rounds(&self) -> usize {
        self.trees.len() / self.start.len() / self.parallel
    }

    /// Gain and number of splits by column.
    pub(crate) fn use_of(&self, columns: usize) -> (Vec<f64>, Vec<f64>) {
        let (mut gains, mut splits) = (vec![0.0; columns], vec![0.0; columns]);
        let nodes = self.trees.iter().flat_map(|t| &t.nodes);
        for node in nodes.filter(|n| !n.is_leaf()) {
            gains[node.feature as usize] += node.gain;
            splits[node.feature as usize] += 1.0;
        }
        (gains, splits)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{assert_near, remainders, table};
    use crate::tree::hist_gradient_boosting::HistGradientBoosting;
    use crate::tree::lightgbm::LightGbm;
    use crate::tree::xgboost::XgBoost;
    use mltrainer_catalogue_core::{Params as _, Predictor as _, Supervised, Training};
    use serde_json::{Value, json};

    /// Answers of every fourth row from the second on.
    fn answers<M: Supervised>(given: &Value, data: &Training) -> Vec<f64> {
        let params = M::Params::from_map(given.as_object().unwrap()).unwrap();
        let fitted = M::fit(&params, data, 0).unwrap();
        let said = fitted.predict(data.x().view()).unwrap();
        said.values.into_iter().skip(1).step_by(4).collect()
    }

    #[test]
    fn rows_of_weight_0_count_as_rows() {
        // y = (7 i mod 11)/2 + x0/10, weights i mod 3: scikit-learn 1.9.1, lightgbm 4.7.0 (force_col_wise) and
        // xgboost 3.2.0 with these parameters. Without the rows of weight 0 all but the last answer otherwise.
        let rows = remainders();
        let rows: Vec<&[f64]> = rows.iter().map(|r| &r[..]).collect();
        let y: Vec<f64> = rows
            .iter()
            .zip(0..)
            .map(|(x, i)| f64::from(i * 7 % 11) / 2.0 + x[0] / 10.0)
            .collect();
        let weights = (0..24).map(|i| f64::from(i % 3)).collect();
        let data = table(&rows, &y).with_weights(weights).unwrap();
        let given = json!({"max_iter": 3, "max_leaf_nodes": 4, "min_samples_leaf": 4, "early_stopping": "false"});
        assert_near(
            &answers::<HistGradientBoosting>(&given, &data),
            &[
                3.0845875, 2.42310834, 3.456665, 3.04626501, 3.0845875, 3.04626501,
            ],
            1e-7,
        );
        let given = json!({"n_estimators": 3, "num_leaves": 4, "min_child_samples": 4});
        assert_near(
            &answers::<LightGbm>(&given, &data),
            &[
                2.6391687, 2.64180855, 3.16997166, 2.98842498, 3.01495018, 2.98842498,
            ],
            1e-7,
        );
        let mut given = json!({"n_estimators": 3, "max_depth": 3, "tree_method": "exact"});
        let mut want = [
            3.2128644, 2.10822868, 2.72542453, 3.48212242, 3.56262636, 3.48212242,
        ];
        assert_near(&answers::<XgBoost>(&given, &data), &want, 1e-6);
        given["tree_method"] = "hist".into();
        want[2] = 2.34142423;
        assert_near(&answers::<XgBoost>(&given, &data), &want, 1e-6);
    }
}
