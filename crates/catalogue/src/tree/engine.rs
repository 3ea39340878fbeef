//! One engine for every entry that grows classification and regression trees (CART).
//!
//! Columns are sorted once for all trees of an ensemble. A node owns the same stretch of every sorted
//! column; a split scans the stretches and then parts each of them, keeping its order, so a level of
//! a tree costs O(rows · columns) without sorting again. A place in a sorted column holds the rank of
//! the value beside the number of the row, so that a scan reads no values. Where a split looks at few
//! of the columns, ranks are sorted node by node for these alone. Cuts drawn at random need no order:
//! then there is one stretch, and a column costs two passes. Fitted trees are flat arrays.
//!
//! Ties: of equal gains the column looked at first wins (the leftmost when all are looked at, unless
//! their order is drawn), and in it the lowest threshold.

mod gaps;

use super::shap::Splits;
use mltrainer_catalogue_core::params::{ParamType, Range};
use mltrainer_catalogue_core::reexport::{ParamKind, Value};
use mltrainer_catalogue_core::{FitError, ParamError, Training, choices, threads};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2};
use rand::Rng as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};
use std::sync::Mutex;

choices! {
    /// The measure of impurity.
    pub enum Criterion {
        /// Variance; regression only.
        SquaredError = "squared_error",
        /// The same as squared_error, under its older name; regression only.
        FriedmanMse = "friedman_mse",
        /// Mean absolute distance from the median; regression only.
        AbsoluteError = "absolute_error",
        /// Half the Poisson deviance, targets at least 0; regression only.
        Poisson = "poisson",
        /// 1 - Σ share²; classification only.
        Gini = "gini",
        /// -Σ share · log2 share; classification only.
        Entropy = "entropy",
        /// The same as entropy; classification only.
        LogLoss = "log_loss",
    }
}

choices! {
    /// How a column is cut.
    pub enum Splitter {
        /// At the threshold that gains most.
        Best = "best",
        /// At a threshold drawn between the least and the largest value of the node.
        Random = "random",
    }
}

/// How many columns a split looks at: `sqrt`, `log2`, `third`, `all`, a whole number of columns, or
/// a share of them in (0, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxFeatures {
    /// √p.
    Sqrt,
    /// log₂ p.
    Log2,
    /// p/3.
    Third,
    /// All.
    All,
    /// So many.
    Count(usize),
    /// A share.
    Share(f64),
}

impl MaxFeatures {
    /// The number of columns of `p`, rounded down, at least 1.
    pub(crate) fn of(self, p: usize) -> usize {
        let many = match self {
            Self::Sqrt => p.isqrt(),
            Self::Log2 => p.checked_ilog2().unwrap_or_default() as usize,
            Self::Third => p / 3,
            Self::All => p,
            Self::Count(k) => k.min(p),
            Self::Share(s) => (s * p as f64) as usize,
        };
        many.max(1)
    }
}

impl ParamType for MaxFeatures {
    const KIND: ParamKind = ParamKind::Text;
    fn read(value: &Value, _: &Range) -> Result<Self, String> {
        let words =
            "sqrt, log2, third, all, a whole number from 1, or a share above 0 and at most 1";
        let refused = || format!("{value} is not one of {words}");
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(n) => n.to_string(),
            _ => return Err(refused()),
        };
        match text.as_str() {
            "sqrt" => return Ok(Self::Sqrt),
            "log2" => return Ok(Self::Log2),
            "third" => return Ok(Self::Third),
            "all" => return Ok(Self::All),
            _ => {}
        }
        if let Ok(k) = text.parse::<usize>() {
            return if k == 0 {
                Err(refused())
            } else {
                Ok(Self::Count(k))
            };
        }
        match text.parse::<f64>() {
            Ok(s) if s > 0.0 && s <= 1.0 => Ok(Self::Share(s)),
            _ => Err(refused()),
        }
    }
    fn write(&self) -> Value {
        match self {
            Self::Sqrt => "sqrt".into(),
            Self::Log2 => "log2".into(),
            Self::Third => "third".into(),
            Self::All => "all".into(),
            Self::Count(k) => (*k).into(),
            Self::Share(s) => (*s).into(),
        }
    }
}

/// The criterion that applies: the given one if it fits the task, squared error or gini by default.
///
/// # Errors
/// [`ParamError`] when the criterion belongs to the other task.
pub(crate) fn criterion(given: Option<Criterion>, task: Task) -> Result<Criterion, ParamError> {
    let regression = task == Task::Regression;
    let default = if regression {
        Criterion::SquaredError
    } else {
        Criterion::Gini
    };
    let criterion = given.unwrap_or(default);
    let labels = matches!(
        criterion,
        Criterion::Gini | Criterion::Entropy | Criterion::LogLoss
    );
    if labels == regression {
        return Err(ParamError {
            field: "criterion".into(),
            reason: format!(
                "does not fit {}: squared_error, absolute_error and poisson are for regression, gini and entropy for classification",
                task.as_str()
            ),
            suggestions: Vec::new(),
        });
    }
    Ok(criterion)
}

/// When a node is not split, and what a split looks at.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// What a split has to lower.
    pub(crate) criterion: Criterion,
    /// Whether thresholds are drawn.
    pub(crate) splitter: Splitter,
    /// Levels below the root.
    pub(crate) max_depth: usize,
    /// Rows a node must have to be split.
    pub(crate) min_samples_split: usize,
    /// Rows each side of a split must have.
    pub(crate) min_samples_leaf: usize,
    /// Weight each side of a split must have, as a share of all.
    pub(crate) min_weight_fraction_leaf: f64,
    /// Leaves at most; with a limit the split that gains most is made first.
    pub(crate) max_leaf_nodes: Option<usize>,
    /// Gain that a split must have, as a share of all rows.
    pub(crate) min_impurity_decrease: f64,
    /// Price of a leaf: subtrees that gain less a leaf are cut off.
    pub(crate) ccp_alpha: f64,
    /// Columns looked at, drawn anew at each node; all of them without a draw.
    pub(crate) max_features: usize,
    /// Whether the order of the columns is drawn at each node though all are looked at, so that of equal
    /// gains any column may win: a node of two rows is split alike by every column.
    pub(crate) shuffled: bool,
    /// -1, 0 or 1 a column: the answer (with two labels the share of the second) falls, is free or
    /// rises; empty is all free.
    pub(crate) monotone: Vec<i64>,
}

/// Signs of monotone columns, one a column.
///
/// # Errors
/// [`ParamError`] for another number of signs, for more than two labels, and for absolute_error.
pub(crate) fn monotone(
    given: Option<&[i64]>,
    criterion: Criterion,
    data: &Training,
) -> Result<Vec<i64>, ParamError> {
    let signs = super::boost::signs("monotonic_cst", given, data.design().columns())?;
    let refused = |reason: &str| {
        Err(ParamError {
            field: "monotonic_cst".into(),
            reason: reason.into(),
            suggestions: Vec::new(),
        })
    };
    if signs.iter().all(|s| *s == 0) {
        return Ok(Vec::new());
    }
    if data.labels().is_some_and(|l| l.classes.len() > 2) {
        return refused("takes one or two labels: with more there is no rising and falling");
    }
    if criterion == Criterion::AbsoluteError {
        return refused("does not go with the criterion absolute_error: use squared_error");
    }
    Ok(signs)
}

/// A value of a column: its rank among the column's distinct values, and the row it is in (or
/// another number that finds the row's target). Places compare by rank, then by row.
pub(crate) trait Place: Copy + Ord + Send + Sync + 'static {
    fn new(rank: u32, row: u32) -> Self;
    fn rank(self) -> u32;
    fn row(self) -> usize;
}

/// For up to 65,536 rows.
impl Place for u32 {
    fn new(rank: u32, row: u32) -> Self {
        rank << 16 | row
    }
    fn rank(self) -> u32 {
        self >> 16
    }
    fn row(self) -> usize {
        (self & 0xffff) as usize
    }
}

impl Place for u64 {
    fn new(rank: u32, row: u32) -> Self {
        Self::from(rank) << 32 | Self::from(row)
    }
    fn rank(self) -> u32 {
        (self >> 32) as u32
    }
    fn row(self) -> usize {
        (self & 0xffff_ffff) as usize
    }
}

/// The columns of a problem, one after the other, as the way of cutting needs them.
enum Columns {
    /// For cuts that are drawn.
    Values(Vec<f64>),
    Short(Vec<u32>),
    Long(Vec<u64>),
}

/// The columns of a problem, each sorted once where cuts are not drawn.
pub(crate) struct Sorted<'a> {
    n: usize,
    p: usize,
    x: &'a Array2<f64>,
    /// Whether places are in the order of the rows, to be sorted node by node: the way for splits
    /// that look at few of the columns.
    by_node: bool,
    columns: Columns,
    /// Whether a tree has left the places of each column in another order.
    parted: bool,
    /// Whether values of a column are missing.
    gaps: Vec<bool>,
}

/// What is learned.
#[derive(Clone, Copy)]
pub(crate) enum Target<'a> {
    /// Numbers, one a row.
    Numbers(&'a [f64]),
    /// Indices of labels, one a row, and the number of labels.
    Codes(&'a [u32], usize),
}

impl<'a> Sorted<'a> {
    /// Columns row by row, sorted unless cuts are drawn; a split will look at `look` of them.
    ///
    /// # Errors
    /// With more rows than a tree can number.
    pub(crate) fn new(
        x: &'a Array2<f64>,
        splitter: Splitter,
        look: usize,
    ) -> Result<Self, FitError> {
        let (n, p) = x.dim();
        if u32::try_from(n).is_err() {
            return Err(FitError::Data(format!("{n} rows: a tree takes 4 billion")));
        }
        let gaps = x.columns().into_iter();
        let gaps = gaps.map(|c| c.iter().any(|v| v.is_nan())).collect();
        let by_node = splitter == Splitter::Best && look.saturating_mul(3) <= p;
        let columns = if splitter == Splitter::Random {
            let mut values = vec![0.0; n * p];
            threads::chunks(&mut values, n, |j, to| {
                to.iter_mut().zip(x.column(j)).for_each(|(t, v)| *t = *v);
            });
            Columns::Values(values)
        } else if n <= 1 << 16 {
            Columns::Short(places(x, by_node))
        } else {
            Columns::Long(places(x, by_node))
        };
        Ok(Self {
            n,
            p,
            x,
            by_node,
            columns,
            parted: false,
            gaps,
        })
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.n
    }

    /// Number of columns.
    pub(crate) fn columns(&self) -> usize {
        self.p
    }
}

/// The places of every column: ascending, or in the order of the rows.
fn places<P: Place>(x: &Array2<f64>, by_row: bool) -> Vec<P> {
    let (n, p) = x.dim();
    let mut all = vec![P::new(0, 0); n * p];
    // Room for a column on each thread, got here: what a thread gets for itself is kept for the next one.
    let room = (0..threads::granted().min(p)).map(|_| Vec::with_capacity(n));
    let room = Mutex::new(room.collect::<Vec<Vec<(f64, u32)>>>());
    threads::chunks(&mut all, n, |j, to| {
        // One NaN for all of them, which comes last: the order of numbers knows several.
        let known = |v: &f64| if v.is_nan() { f64::NAN } else { *v };
        let free = room.lock().ok().and_then(|mut room| room.pop());
        let mut pairs = free.unwrap_or_default();
        pairs.clear();
        pairs.extend(x.column(j).iter().map(known).zip(0..));
        pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let (mut rank, mut before) = (0, pairs.first().map_or(0.0, |p| p.0));
        for (k, (value, row)) in pairs.iter().copied().enumerate() {
            rank += u32::from(value > before);
            before = value;
            to[if by_row { row as usize } else { k }] = P::new(rank, row);
        }
        if let Ok(mut room) = room.lock() {
            room.push(pairs);
        }
    });
    drop(room);
    if !by_row {
        // Zeros of either sign share a rank and were told apart above: now by row.
        threads::chunks(&mut all, n, |_, to| {
            if !to.is_sorted() {
                to.sort_unstable();
            }
        });
    }
    all
}

/// The target of a problem as the engine takes it.
pub(crate) struct Learned {
    numbers: Vec<f64>,
    codes: Vec<u32>,
    classes: usize,
}

impl Learned {
    /// Labels as codes, numbers as they are.
    ///
    /// # Errors
    /// With a target whose squares overflow, or that the criterion does not take.
    pub(crate) fn new(data: &Training, criterion: Criterion) -> Result<Self, FitError> {
        if criterion == Criterion::AbsoluteError
            && let Some((column, row)) = data.design().missing()
        {
            return Err(FitError::Data(format!(
                "column \"{}\" row {}: the value is missing, and the criterion absolute_error takes no missing values",
                data.design().names()[column],
                row + 1
            )));
        }
        if let Some(labels) = data.labels() {
            return Ok(Self {
                numbers: Vec::new(),
                codes: labels.codes.iter().map(|c| *c as u32).collect(),
                classes: labels.classes.len(),
            });
        }
        if !data.y().iter().map(|y| y * y).sum::<f64>().is_finite() {
            return Err(FitError::Failed(
                "the target is too large to be squared: rescale it".into(),
            ));
        }
        if criterion == Criterion::Poisson {
            if let Some(row) = data.y().iter().position(|y| *y < 0.0) {
                return Err(FitError::Data(format!(
                    "target row {}: {} is below 0, which the criterion poisson does not take",
                    row + 1,
                    data.y()[row]
                )));
            }
            if data.y().iter().all(|y| *y == 0.0) {
                return Err(FitError::Data(
                    "every target is 0, which the criterion poisson does not take".into(),
                ));
            }
        }
        Ok(Self {
            numbers: data.y().to_vec(),
            codes: Vec::new(),
            classes: 0,
        })
    }

    pub(crate) fn target(&self) -> Target<'_> {
        if self.classes > 0 {
            Target::Codes(&self.codes, self.classes)
        } else {
            Target::Numbers(&self.numbers)
        }
    }
}

const LEAF: u32 = u32::MAX;

/// A fitted tree. Node 0 is the root, the right child follows the left one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tree {
    /// Column of the split (`LEAF` for a leaf); the left child (for a leaf, its place among the
    /// leaves); the value up to which rows go left.
    nodes: Vec<(u32, u32, f64)>,
    /// Weight of the training rows of each node.
    cover: Vec<f64>,
    /// The mean, or one share a class, leaf after leaf.
    values: Vec<f64>,
    /// Values a leaf: 1, or the number of classes.
    width: usize,
    depth: usize,
    /// Decrease of impurity by column, as a share of all rows.
    gains: Vec<f64>,
    /// Of each node, whether a missing value goes left; models saved before it was kept take none.
    #[serde(default)]
    missing_left: Vec<bool>,
}

impl Tree {
    /// Number of nodes, leaves among them.
    pub(crate) fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Number of leaves.
    pub(crate) fn n_leaves(&self) -> usize {
        self.values.len() / self.width
    }

    /// Levels below the root.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Decrease of impurity by column, as a share of all rows.
    pub(crate) fn gains(&self) -> &[f64] {
        &self.gains
    }

    /// Gain by column, sum 1 (all 0 for a tree of one leaf).
    pub(crate) fn importances(&self) -> Vec<f64> {
        shares(self.gains.clone())
    }

    /// The value of each leaf, to be replaced by an entry that finds better ones.
    pub(crate) fn values_mut(&mut self) -> &mut [f64] {
        &mut self.values
    }

    /// The leaf of a row, by its place among the leaves.
    pub(crate) fn leaf(&self, row: ndarray::ArrayView1<'_, f64>) -> usize {
        let mut at = 0;
        loop {
            let (feature, left, threshold) = self.nodes[at];
            if feature == LEAF {
                return left as usize;
            }
            let v = row[feature as usize];
            let right = v > threshold || (v.is_nan() && !self.takes_left(at));
            at = left as usize + usize::from(right);
        }
    }

    /// Whether a missing value goes left.
    fn takes_left(&self, node: usize) -> bool {
        self.missing_left.get(node).copied().unwrap_or_default()
    }

    /// Calls `each` with the number of each row and its leaf. Four rows walk side by side, so that
    /// none waits for the memory alone.
    pub(crate) fn leaves(&self, x: ArrayView2<'_, f64>, mut each: impl FnMut(usize, usize)) {
        let many = x.nrows();
        let mut at = 0;
        while at + 4 <= many {
            let four: Option<[&[f64]; 4]> = (|| {
                Some([
                    x.row(at).to_slice()?,
                    x.row(at + 1).to_slice()?,
                    x.row(at + 2).to_slice()?,
                    x.row(at + 3).to_slice()?,
                ])
            })();
            let Some(rows) = four else { break };
            let mut ids = [0_usize; 4];
            loop {
                let mut all = true;
                for (id, row) in ids.iter_mut().zip(rows) {
                    let (feature, left, threshold) = self.nodes[*id];
                    if feature != LEAF {
                        let v = row[feature as usize];
                        let right = v > threshold || (v.is_nan() && !self.takes_left(*id));
                        *id = left as usize + usize::from(right);
                        all = false;
                    }
                }
                if all {
                    break;
                }
            }
            for (k, id) in ids.iter().enumerate() {
                each(at + k, self.nodes[*id].1 as usize);
            }
            at += 4;
        }
        for i in at..many {
            each(i, self.leaf(x.row(i)));
        }
    }

    /// The values of a leaf, by its place among the leaves.
    pub(crate) fn values(&self, leaf: usize) -> &[f64] {
        &self.values[leaf * self.width..(leaf + 1) * self.width]
    }

    /// The values of a row's leaf.
    pub(crate) fn of(&self, row: ndarray::ArrayView1<'_, f64>) -> &[f64] {
        self.values(self.leaf(row))
    }

    /// Adds the values of each row's leaf, rows x width.
    pub(crate) fn add_to(&self, x: ArrayView2<'_, f64>, out: &mut Array2<f64>) {
        self.leaves(x, |i, leaf| {
            for (o, v) in out.row_mut(i).iter_mut().zip(self.values(leaf)) {
                *o += v;
            }
        });
    }
}

impl Splits for Tree {
    fn split(&self, node: usize) -> Option<(usize, usize, usize)> {
        let (feature, left, _) = self.nodes[node];
        let left = left as usize;
        (feature != LEAF).then_some((feature as usize, left, left + 1))
    }
    fn cover(&self, node: usize) -> f64 {
        self.cover[node]
    }
    fn goes_left(&self, node: usize, row: ndarray::ArrayView1<'_, f64>) -> bool {
        let (feature, _, threshold) = self.nodes[node];
        let v = row[feature as usize];
        v <= threshold || (v.is_nan() && self.takes_left(node))
    }
    fn answer(&self, leaf: usize) -> &[f64] {
        self.values(self.nodes[leaf].1 as usize)
    }
}

/// Divided by their sum, unless that is 0.
pub(crate) fn shares(mut gains: Vec<f64>) -> Vec<f64> {
    let sum: f64 = gains.iter().sum();
    if sum > 0.0 {
        gains.iter_mut().for_each(|g| *g /= sum);
    }
    gains
}

/// A tree with the leaf of every row it was grown on (`u32::MAX` for the others).
pub(crate) struct Grown {
    pub(crate) tree: Tree,
    pub(crate) leaf: Vec<u32>,
}

/// A stretch of the sorted columns that is a leaf until it is split.
struct Node {
    id: usize,
    start: usize,
    end: usize,
    depth: usize,
    /// What the answers below it may be, where columns are monotone.
    bounds: (f64, f64),
    split: Option<Split>,
}

#[derive(Clone, Copy)]
struct Split {
    feature: usize,
    threshold: f64,
    /// Rank of the largest value on the left, where places are sorted.
    rank: u32,
    /// Rows on the left.
    count: usize,
    gain: f64,
    missing_left: bool,
}

/// Grows a tree on the rows with a weight above 0.
pub(crate) fn grow(
    data: &Sorted<'_>,
    target: Target<'_>,
    weights: &[f64],
    rules: &Rules,
    random: &mut Xoshiro256PlusPlus,
) -> Grown {
    match &data.columns {
        Columns::Values(values) => {
            grow_on::<u32>(
                data,
                &[],
                values,
                Vec::new(),
                target,
                weights,
                rules,
                random,
            )
            .0
        }
        Columns::Short(places) => {
            let own = copied(data, places, weights);
            grow_on(data, places, &[], own, target, weights, rules, random).0
        }
        Columns::Long(places) => {
            let own = copied(data, places, weights);
            grow_on(data, places, &[], own, target, weights, rules, random).0
        }
    }
}

/// The same, for trees that are grown one after the other: it parts the sorted columns themselves and
/// not a copy of them.
pub(crate) fn grow_in_place(
    data: &mut Sorted<'_>,
    target: Target<'_>,
    weights: &[f64],
    rules: &Rules,
    random: &mut Xoshiro256PlusPlus,
) -> Grown {
    if data.by_node {
        return grow(data, target, weights, rules, random);
    }
    let again = std::mem::replace(&mut data.parted, true);
    match std::mem::replace(&mut data.columns, Columns::Short(Vec::new())) {
        Columns::Short(mut places) => {
            only(&mut places, data.n, weights, again);
            let (grown, places) = grow_on(data, &[], &[], places, target, weights, rules, random);
            data.columns = Columns::Short(places);
            grown
        }
        Columns::Long(mut places) => {
            only(&mut places, data.n, weights, again);
            let (grown, places) = grow_on(data, &[], &[], places, target, weights, rules, random);
            data.columns = Columns::Long(places);
            grown
        }
        values @ Columns::Values(_) => {
            data.columns = values;
            grow(data, target, weights, rules, random)
        }
    }
}

/// The places of the rows with a weight above 0, column after column.
fn copied<P: Place>(data: &Sorted<'_>, places: &[P], weights: &[f64]) -> Vec<P> {
    let mut own = Vec::new();
    if !data.by_node {
        own.reserve_exact(places.len());
        own.extend(places.iter().copied().filter(|q| weights[q.row()] > 0.0));
    }
    own
}

/// Puts the places of the rows with a weight above 0 first in each column, in order; `again` sorts the
/// column before, which a tree has cut into sorted stretches.
fn only<P: Place>(places: &mut [P], n: usize, weights: &[f64], again: bool) {
    let all = weights.iter().all(|w| *w > 0.0);
    threads::chunks(places, n, |_, column| {
        if again {
            column.sort();
        }
        if !all {
            part_by(column, &mut Vec::new(), |q| weights[q.row()] > 0.0);
        }
    });
}

/// `own` are the places that the tree parts, column after column, each of as many; they come back.
#[expect(clippy::too_many_arguments, reason = "the two ways in share this one")]
fn grow_on<P: Place + Default>(
    data: &Sorted<'_>,
    places: &[P],
    values: &[f64],
    own: Vec<P>,
    target: Target<'_>,
    weights: &[f64],
    rules: &Rules,
    random: &mut Xoshiro256PlusPlus,
) -> (Grown, Vec<P>) {
    let width = match target {
        Target::Numbers(_) => 1,
        Target::Codes(_, classes) => classes,
    };
    let p = data.columns();
    let way = match (rules.splitter, data.by_node) {
        (Splitter::Random, _) => Way::Drawn,
        (_, true) => Way::ByNode,
        _ => Way::Presorted,
    };
    let counts = |r: usize| weights[r] > 0.0;
    let mut rows = Vec::new();
    let m = if way == Way::Presorted {
        (0..data.n).filter(|r| counts(*r)).count()
    } else {
        rows.extend((0..data.n as u32).filter(|r| counts(*r as usize)));
        rows.len()
    };
    let total: f64 = weights.iter().sum();
    let entropy = matches!(rules.criterion, Criterion::Entropy | Criterion::LogLoss);
    let whole = weights.iter().all(|w| w.fract() == 0.0) && total < 1e7;
    let mut grower = Grower {
        data,
        places,
        values,
        way,
        target,
        weights,
        unit: weights.iter().all(|w| *w == 1.0 || *w == 0.0),
        rules,
        random,
        m,
        stride: own.len().checked_div(p).unwrap_or_default(),
        total,
        least_weight: rules.min_weight_fraction_leaf * total,
        stretches: own,
        rows,
        goes_left: vec![false; data.n],
        place_scratch: Vec::new(),
        row_scratch: Vec::new(),
        own: Own::default(),
        columns: (0..p).collect(),
        // Entropy needs c · ln c; for whole weights, of whole c up to their sum.
        xlogx: if entropy && whole {
            (0..=total as usize).map(|c| xlogx(c as f64)).collect()
        } else {
            Vec::new()
        },
        risk: Vec::new(),
        means: Vec::new(),
        leaf: vec![LEAF; data.n],
        tree: Tree {
            nodes: Vec::new(),
            cover: Vec::new(),
            values: Vec::new(),
            width,
            depth: 0,
            gains: vec![0.0; p],
            missing_left: Vec::new(),
        },
    };
    grower.run();
    let Grower {
        mut tree,
        mut leaf,
        risk,
        means,
        stretches,
        ..
    } = grower;
    if rules.ccp_alpha > 0.0 {
        let names = prune(&mut tree, &risk, &means, rules.ccp_alpha);
        for l in leaf.iter_mut().filter(|l| **l != LEAF) {
            *l = names[*l as usize];
        }
    }
    (Grown { tree, leaf }, stretches)
}

/// Cuts off, weakest first, every subtree whose decrease of impurity a leaf is at most `alpha`;
/// returns the new place of each old leaf.
fn prune(tree: &mut Tree, risk: &[f64], means: &[f64], alpha: f64) -> Vec<u32> {
    let n = tree.nodes.len();
    let mut cut = vec![false; n];
    let is_leaf = |id: usize, cut: &[bool]| tree.nodes[id].0 == LEAF || cut[id];
    loop {
        // Children come after their parent, so one backward pass sums up the subtrees.
        let (mut sums, mut leaves) = (vec![0.0; n], vec![0_usize; n]);
        let mut alive = vec![false; n];
        alive[0] = true;
        for id in 0..n {
            if alive[id] && !is_leaf(id, &cut) {
                let left = tree.nodes[id].1 as usize;
                (alive[left], alive[left + 1]) = (true, true);
            }
        }
        let mut weakest: Option<(f64, usize)> = None;
        for id in (0..n).rev().filter(|id| alive[*id]) {
            if is_leaf(id, &cut) {
                (sums[id], leaves[id]) = (risk[id], 1);
                continue;
            }
            let left = tree.nodes[id].1 as usize;
            sums[id] = sums[left] + sums[left + 1];
            leaves[id] = leaves[left] + leaves[left + 1];
            let price = (risk[id] - sums[id]) / (leaves[id] - 1) as f64;
            if weakest.is_none_or(|(w, _)| price < w) {
                weakest = Some((price, id));
            }
        }
        match weakest {
            Some((price, id)) if price <= alpha => cut[id] = true,
            _ => break,
        }
    }
    // Written again without what is cut off.
    let mut nodes = vec![tree.nodes[0]];
    let (mut cover, mut values, mut gains) =
        (vec![tree.cover[0]], Vec::new(), vec![0.0; tree.gains.len()]);
    let mut missing_left = vec![tree.missing_left[0]];
    let mut names = vec![0_u32; tree.n_leaves()];
    let mut queue = vec![(0_usize, 0_usize, 0_usize)];
    let mut depth = 0;
    while let Some((old, new, level)) = queue.pop() {
        depth = depth.max(level);
        let (feature, left, threshold) = tree.nodes[old];
        if feature == LEAF || cut[old] {
            let place = (values.len() / tree.width) as u32;
            nodes[new] = (LEAF, place, 0.0);
            values.extend(&means[old * tree.width..(old + 1) * tree.width]);
            let mut below = vec![old];
            while let Some(id) = below.pop() {
                let (feature, left, _) = tree.nodes[id];
                if feature == LEAF {
                    names[left as usize] = place;
                } else {
                    below.extend([left as usize, left as usize + 1]);
                }
            }
            continue;
        }
        let left = left as usize;
        gains[feature as usize] += risk[old] - risk[left] - risk[left + 1];
        nodes[new] = (feature, nodes.len() as u32, threshold);
        let at = nodes.len();
        nodes.extend([tree.nodes[left], tree.nodes[left + 1]]);
        cover.extend([tree.cover[left], tree.cover[left + 1]]);
        missing_left.extend([tree.missing_left[left], tree.missing_left[left + 1]]);
        queue.push((left + 1, at + 1, level + 1));
        queue.push((left, at, level + 1));
    }
    (tree.nodes, tree.cover, tree.values) = (nodes, cover, values);
    (tree.gains, tree.depth) = (gains, depth);
    tree.missing_left = missing_left;
    names
}

fn xlogx(c: f64) -> f64 {
    if c > 0.0 { c * c.ln() } else { 0.0 }
}

/// How the rows of a node are kept.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// A stretch of each sorted column.
    Presorted,
    /// Row numbers; ranks are sorted for the columns looked at.
    ByNode,
    /// Row numbers; cuts are drawn.
    Drawn,
}

/// Targets and weights of the rows of one node, in the order of its rows, and room to work in.
#[derive(Default)]
struct Own<P> {
    numbers: Vec<(f64, f64)>,
    codes: Vec<(f64, u32)>,
    /// For cuts that are drawn: weights, and what is summed up on the left (the weighted target less
    /// the mean of the node, or the weight of the second of two labels).
    weights: Vec<f64>,
    summands: Vec<f64>,
    values: Vec<f64>,
    sorted: Vec<P>,
}

struct Grower<'a, P> {
    data: &'a Sorted<'a>,
    places: &'a [P],
    values: &'a [f64],
    way: Way,
    target: Target<'a>,
    weights: &'a [f64],
    /// Whether every row in the tree has weight 1.
    unit: bool,
    rules: &'a Rules,
    random: &'a mut Xoshiro256PlusPlus,
    /// Rows in the tree.
    m: usize,
    /// Places of a column, of which those of the tree's rows come first.
    stride: usize,
    /// Sum of their weights.
    total: f64,
    least_weight: f64,
    /// Column after column: places by ascending value, parted by node.
    stretches: Vec<P>,
    /// Row numbers, parted by node, where nothing is presorted.
    rows: Vec<u32>,
    goes_left: Vec<bool>,
    place_scratch: Vec<P>,
    row_scratch: Vec<u32>,
    own: Own<P>,
    columns: Vec<usize>,
    xlogx: Vec<f64>,
    /// Impurity times weight, as a share of all rows, node after node; kept for pruning.
    risk: Vec<f64>,
    /// What each node would answer as a leaf, node after node.
    means: Vec<f64>,
    leaf: Vec<u32>,
    tree: Tree,
}

impl<P: Place + Default> Grower<'_, P> {
    fn run(&mut self) {
        let root = self.node(0, self.m, 0, (f64::NEG_INFINITY, f64::INFINITY));
        let mut open = vec![root];
        let mut leaves = 1;
        let most = self.rules.max_leaf_nodes.unwrap_or(usize::MAX);
        while let Some(node) = self.next(&mut open) {
            let Some(split) = node.split.filter(|_| leaves < most) else {
                self.close(&node);
                continue;
            };
            leaves += 1;
            let gap = self.missing_between(split.feature, node.start, node.end);
            self.part(&node, &split);
            let middle = node.start + split.count;
            // The children are numbered side by side before either is looked into.
            let (below, above) = self.bounds(&node, &split);
            let left = self.node(node.start, middle, node.depth + 1, below);
            let right = self.node(middle, node.end, node.depth + 1, above);
            self.tree.nodes[node.id] = (split.feature as u32, left.id as u32, split.threshold);
            // Where no value was missing, later ones go with the larger side.
            self.tree.missing_left[node.id] = if gap {
                split.missing_left
            } else {
                2 * split.count > node.end - node.start
            };
            self.tree.gains[split.feature] += split.gain / self.total;
            self.tree.depth = self.tree.depth.max(node.depth + 1);
            open.push(right);
            open.push(left);
        }
    }

    /// What the answers of the two sides may be: a monotone split parts them halfway.
    fn bounds(&self, node: &Node, split: &Split) -> ((f64, f64), (f64, f64)) {
        let (low, high) = node.bounds;
        let sign = self.rules.monotone.get(split.feature).copied();
        let Some(sign) = sign.filter(|s| *s != 0) else {
            return (node.bounds, node.bounds);
        };
        let middle = node.start + split.count;
        let left = Parent::new(self, node.start, middle).direction();
        let right = Parent::new(self, middle, node.end).direction();
        let half = left / 2.0 + right / 2.0;
        if sign > 0 {
            ((low, half), (half, high))
        } else {
            ((half, high), (low, half))
        }
    }

    /// Depth first, or with a limit on leaves the node whose split gains most, the older in a tie.
    fn next(&self, open: &mut Vec<Node>) -> Option<Node> {
        if self.rules.max_leaf_nodes.is_none() {
            return open.pop();
        }
        let gain = |n: &Node| n.split.map_or(f64::NEG_INFINITY, |s| s.gain);
        let best = (0..open.len()).reduce(|best, i| {
            let (a, b) = (&open[best], &open[i]);
            if gain(b) > gain(a) || (gain(b) == gain(a) && b.id < a.id) {
                i
            } else {
                best
            }
        })?;
        Some(open.swap_remove(best))
    }

    /// A new node with the best split it may have.
    fn node(&mut self, start: usize, end: usize, depth: usize, bounds: (f64, f64)) -> Node {
        let id = self.tree.nodes.len();
        self.tree.nodes.push((LEAF, 0, 0.0));
        self.tree.missing_left.push(false);
        let count = end - start;
        let parent = Parent::new(self, start, end);
        self.tree.cover.push(parent.weight);
        let may_split = depth < self.rules.max_depth
            && count >= self.rules.min_samples_split
            && count >= 2 * self.rules.min_samples_leaf
            && parent.weight >= 2.0 * self.least_weight
            && !parent.pure;
        let split = if may_split {
            self.best_split(&parent, start, end, bounds)
        } else {
            None
        };
        if self.rules.ccp_alpha > 0.0 {
            self.risk.push(parent.risk / self.total);
        }
        self.means.extend(parent.answer(bounds));
        Node {
            id,
            start,
            end,
            depth,
            bounds,
            split,
        }
    }

    /// Whether a value of a column is missing in a node's rows.
    fn missing_between(&self, feature: usize, start: usize, end: usize) -> bool {
        let mut found = false;
        if self.data.gaps[feature] {
            let column = self.data.x.column(feature);
            self.each_row(start, end, |r| found |= column[r].is_nan());
        }
        found
    }

    /// Calls `each` for the rows of a node.
    fn each_row(&self, start: usize, end: usize, mut each: impl FnMut(usize)) {
        if self.way == Way::Presorted {
            self.stretches[start..end]
                .iter()
                .for_each(|q| each(q.row()));
        } else {
            self.rows[start..end].iter().for_each(|r| each(*r as usize));
        }
    }

    /// The split with the largest gain among the columns looked at.
    fn best_split(
        &mut self,
        parent: &Parent,
        start: usize,
        end: usize,
        bounds: (f64, f64),
    ) -> Option<Split> {
        let monotone = !self.rules.monotone.is_empty();
        let p = self.columns.len();
        let look = self.rules.max_features.min(p);
        let mut own = std::mem::take(&mut self.own);
        if self.way != Way::Presorted {
            let rows = self.rows[start..end].iter().map(|r| *r as usize);
            match self.target {
                Target::Numbers(y) => {
                    own.numbers.clear();
                    own.numbers.extend(rows.map(|r| (self.weights[r], y[r])));
                }
                Target::Codes(codes, _) => {
                    own.codes.clear();
                    own.codes.extend(rows.map(|r| (self.weights[r], codes[r])));
                }
            }
        }
        if self.way == Way::Drawn {
            own.weights.clear();
            own.summands.clear();
            if own.numbers.is_empty() {
                own.weights.extend(own.codes.iter().map(|(w, _)| *w));
                let second = own.codes.iter().map(|(w, code)| w * f64::from(*code));
                own.summands.extend(second);
            } else {
                own.weights.extend(own.numbers.iter().map(|(w, _)| *w));
                let off = own.numbers.iter().map(|(w, y)| w * (y - parent.mean));
                own.summands.extend(off);
            }
        }
        let mut best: Option<Split> = None;
        for k in 0..p {
            // Past the columns asked for, go on only while none of them could be split at all.
            if k >= look && best.is_some() {
                break;
            }
            if look < p || self.rules.shuffled || self.way == Way::Drawn {
                let other = self.random.gen_range(k..p);
                self.columns.swap(k, other);
            }
            let feature = self.columns[k];
            let found = match self.way {
                Way::Drawn if monotone || self.missing_between(feature, start, end) => {
                    self.draw_gaps(parent, feature, (start, end), bounds)
                }
                _ if monotone || self.missing_between(feature, start, end) => {
                    self.scan_gaps(parent, feature, (start, end), bounds)
                }
                Way::Drawn => self.draw(parent, feature, start, end, &mut own),
                Way::ByNode => {
                    let column = &self.places[feature * self.data.n..][..self.data.n];
                    own.sorted.clear();
                    let rows = self.rows[start..end].iter().zip(0..);
                    own.sorted
                        .extend(rows.map(|(r, i)| P::new(column[*r as usize].rank(), i)));
                    own.sorted.sort_unstable();
                    self.scan(parent, feature, &own.sorted, Some(&own), start)
                }
                Way::Presorted => {
                    let at = feature * self.stride;
                    let places = &self.stretches[at + start..at + end];
                    self.scan(parent, feature, places, None, start)
                }
            };
            if let Some(split) = found
                && best.is_none_or(|b| split.gain > b.gain)
            {
                best = Some(split);
            }
        }
        self.own = own;
        // The slack is that of scikit-learn: a gain of exactly the limit passes.
        best.filter(|s| s.gain / self.total + f64::EPSILON >= self.rules.min_impurity_decrease)
    }

    /// The best cut of a column, given its places on the node in order. With `own` the places number
    /// the rows of the node instead of all rows.
    fn scan(
        &self,
        parent: &Parent,
        feature: usize,
        places: &[P],
        own: Option<&Own<P>>,
        start: usize,
    ) -> Option<Split> {
        let (first, last) = (places.first()?, places.last()?);
        if first.rank() == last.rank() {
            return None;
        }
        let found = match (self.target, own) {
            (Target::Numbers(y), None) if self.unit => {
                self.scan_numbers(parent, places, |i| (1.0, y[i]))
            }
            (Target::Numbers(y), None) => {
                self.scan_numbers(parent, places, |i| (self.weights[i], y[i]))
            }
            (Target::Numbers(_), Some(own)) => {
                self.scan_numbers(parent, places, |i| own.numbers[i])
            }
            (Target::Codes(codes, 2), None) if self.unit && !self.entropy() => {
                self.scan_two(parent, places, |i| (1.0, codes[i]))
            }
            (Target::Codes(codes, 2), None) if !self.entropy() => {
                self.scan_two(parent, places, |i| (self.weights[i], codes[i]))
            }
            (Target::Codes(_, 2), Some(own)) if !self.entropy() => {
                self.scan_two(parent, places, |i| own.codes[i])
            }
            (Target::Codes(codes, _), None) => {
                self.scan_codes(parent, places, |i| (self.weights[i], codes[i]))
            }
            (Target::Codes(..), Some(own)) => self.scan_codes(parent, places, |i| own.codes[i]),
        };
        let (gain, count) = found?;
        // Only the best cut needs its values.
        let value = |q: P| {
            let row = match own {
                Some(_) => self.rows[start + q.row()] as usize,
                None => q.row(),
            };
            self.data.x[[row, feature]]
        };
        let (below, above) = (value(places[count - 1]), value(places[count]));
        let middle = below / 2.0 + above / 2.0;
        Some(Split {
            feature,
            // Between neighbouring doubles the midpoint may round up onto the larger one.
            threshold: if middle < above { middle } else { below },
            rank: places[count - 1].rank(),
            count,
            gain,
            missing_left: false,
        })
    }

    /// Walks along the places of a node and keeps the best place to cut: its gain and the rows on the
    /// left. `pass` takes in a place and gives the weight on the left so far; `gain` judges a cut.
    fn walk<S>(
        &self,
        parent: &Parent,
        places: &[P],
        mut state: S,
        pass: impl Fn(&mut S, P) -> f64,
        gain: impl Fn(&S, f64, f64, usize) -> f64,
    ) -> Option<(f64, usize)> {
        let least = self.rules.min_samples_leaf;
        let n = places.len();
        let (mut best, mut at) = (f64::NEG_INFINITY, 0);
        for (k, pair) in places.windows(2).enumerate() {
            let weight = pass(&mut state, pair[0]);
            let other = parent.weight - weight;
            let done = k + 1;
            if pair[0].rank() != pair[1].rank()
                && done >= least
                && n - done >= least
                && weight >= self.least_weight
                && other >= self.least_weight
            {
                let gain = gain(&state, weight, other, done);
                if gain > best {
                    (best, at) = (gain, done);
                }
            }
        }
        (at > 0).then_some((best, at))
    }

    /// Squared error: with y measured from the mean of the node, the gain is S²/W of the left rows
    /// plus S²/W of the right ones. Poisson: S log(S/W) of both sides less that of the node.
    fn scan_numbers(
        &self,
        parent: &Parent,
        places: &[P],
        of: impl Fn(usize) -> (f64, f64),
    ) -> Option<(f64, usize)> {
        let mean = parent.mean;
        let pass = |(sum, weight): &mut (f64, f64), q: P| {
            let (w, y) = of(q.row());
            *sum += w * (y - mean);
            *weight += w;
            *weight
        };
        match self.rules.criterion {
            Criterion::AbsoluteError => {
                let pairs: Vec<(f64, f64)> = places
                    .iter()
                    .map(|q| of(q.row()))
                    .map(|(w, y)| (y, w))
                    .collect();
                let left = absolute_prefixes(&pairs);
                let back: Vec<(f64, f64)> = pairs.iter().rev().copied().collect();
                let right = absolute_prefixes(&back);
                self.walk(parent, places, (0.0, 0.0), pass, |_, _, _, done| {
                    parent.risk - left[done - 1] - right[places.len() - done - 1]
                })
            }
            Criterion::Poisson => {
                let gain = |(sum, _): &(f64, f64), weight: f64, other: f64, _| {
                    poisson_gain(parent, *sum, weight, parent.sum - sum, other)
                };
                self.walk(parent, places, (0.0, 0.0), pass, gain)
            }
            _ => {
                let gain = |(sum, _): &(f64, f64), weight: f64, other: f64, _| {
                    let rest = parent.sum - sum;
                    (sum * sum * other + rest * rest * weight) / (weight * other)
                };
                self.walk(parent, places, (0.0, 0.0), pass, gain)
            }
        }
    }

    /// Gini of two labels: the weight of the second one on the left says all.
    fn scan_two(
        &self,
        parent: &Parent,
        places: &[P],
        of: impl Fn(usize) -> (f64, u32),
    ) -> Option<(f64, usize)> {
        let pass = |(second, weight): &mut (f64, f64), q: P| {
            let (w, code) = of(q.row());
            *second += w * f64::from(code);
            *weight += w;
            *weight
        };
        let all = parent.counts[1];
        let gain = |(second, _): &(f64, f64), weight: f64, other: f64, _| {
            let (first, rest) = (weight - second, all - second);
            let first_rest = other - rest;
            let on_left = first * first + second * second;
            let on_right = first_rest * first_rest + rest * rest;
            (on_left * other + on_right * weight) / (weight * other) - parent.base
        };
        self.walk(parent, places, (0.0, 0.0), pass, gain)
    }

    /// Gini and entropy: counts, updated one row at a time.
    fn scan_codes(
        &self,
        parent: &Parent,
        places: &[P],
        of: impl Fn(usize) -> (f64, u32),
    ) -> Option<(f64, usize)> {
        struct Sides {
            left: Vec<f64>,
            right: Vec<f64>,
            on_left: f64,
            on_right: f64,
            weight: f64,
        }
        let right = parent.counts.clone();
        let sides = Sides {
            left: vec![0.0; right.len()],
            on_left: 0.0,
            on_right: right.iter().map(|c| self.f(*c)).sum(),
            right,
            weight: 0.0,
        };
        let entropy = self.entropy();
        let pass = |s: &mut Sides, q: P| {
            let (w, code) = of(q.row());
            let k = code as usize;
            s.on_left += self.f(s.left[k] + w) - self.f(s.left[k]);
            s.on_right += self.f(s.right[k] - w) - self.f(s.right[k]);
            s.left[k] += w;
            s.right[k] -= w;
            s.weight += w;
            s.weight
        };
        self.walk(parent, places, sides, pass, |s, weight, rest, _| {
            if entropy {
                (s.on_left - self.f(weight) + s.on_right - self.f(rest) - parent.base)
                    / std::f64::consts::LN_2
            } else {
                s.on_left / weight + s.on_right / rest - parent.base
            }
        })
    }

    fn entropy(&self) -> bool {
        matches!(
            self.rules.criterion,
            Criterion::Entropy | Criterion::LogLoss
        )
    }

    /// What is summed over the counts of labels: the square, or x ln x.
    fn f(&self, c: f64) -> f64 {
        if !self.entropy() {
            c * c
        } else if self.xlogx.is_empty() {
            xlogx(c)
        } else {
            self.xlogx[c as usize]
        }
    }

    /// A cut at a value drawn between the least and the largest.
    fn draw(
        &mut self,
        parent: &Parent,
        feature: usize,
        start: usize,
        end: usize,
        own: &mut Own<P>,
    ) -> Option<Split> {
        let p = self.columns.len();
        let rows = &self.rows[start..end];
        own.values.clear();
        match self.data.x.as_slice() {
            // Few rows stay in the cache as rows, while a column would be fetched for each of them.
            Some(flat) if rows.len() <= NEAR => own
                .values
                .extend(rows.iter().map(|r| flat[*r as usize * p + feature])),
            _ => {
                let column = &self.values[feature * self.data.n..][..self.data.n];
                own.values.extend(rows.iter().map(|r| column[*r as usize]));
            }
        }
        let values = &own.values;
        let (mut low, mut high) = ([f64::INFINITY; 4], [f64::NEG_INFINITY; 4]);
        let (fours, others) = values.as_chunks::<4>();
        for four in fours {
            for ((low, high), v) in low.iter_mut().zip(&mut high).zip(four) {
                *low = if *v < *low { *v } else { *low };
                *high = if *v > *high { *v } else { *high };
            }
        }
        let (low, high) = low
            .into_iter()
            .zip(high)
            .chain(others.iter().map(|v| (*v, *v)))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |a, b| {
                (a.0.min(b.0), a.1.max(b.1))
            });
        if low >= high {
            return None;
        }
        let share: f64 = self.random.r#gen();
        let drawn = low * (1.0 - share) + high * share;
        let threshold = if drawn >= low && drawn < high {
            drawn
        } else {
            low
        };
        let left = OnLeft::new(threshold, values, &own.weights, &own.summands, self.unit);
        let count = left.count;
        let least = self.rules.min_samples_leaf;
        if count < least || rows.len() - count < least {
            return None;
        }
        let mut weight = 0.0;
        let gain = match (self.target, self.rules.criterion) {
            (Target::Numbers(_), Criterion::AbsoluteError) => {
                let (mut below, mut right) = (Vec::new(), Vec::new());
                for (v, (w, y)) in values.iter().zip(&own.numbers) {
                    if *v <= threshold {
                        weight += w;
                        below.push((*y, *w));
                    } else {
                        right.push((*y, *w));
                    }
                }
                parent.risk - absolute(&mut below).1 - absolute(&mut right).1
            }
            (Target::Numbers(_), criterion) => {
                let sum = left.sum;
                weight = left.weight;
                let (rest, other) = (parent.sum - sum, parent.weight - weight);
                if criterion == Criterion::Poisson {
                    poisson_gain(parent, sum, weight, rest, other)
                } else {
                    sum * sum / weight + rest * rest / other
                }
            }
            (Target::Codes(_, classes), _) => {
                let mut counts = vec![0.0; classes];
                if classes == 2 {
                    weight = left.weight;
                    counts[1] = left.sum;
                    counts[0] = weight - left.sum;
                } else {
                    for (v, (w, code)) in values.iter().zip(&own.codes) {
                        if *v <= threshold {
                            weight += w;
                            counts[*code as usize] += w;
                        }
                    }
                }
                let rest = parent.weight - weight;
                let pairs = || counts.iter().zip(&parent.counts);
                let on_left: f64 = counts.iter().map(|c| self.f(*c)).sum();
                let on_right: f64 = pairs().map(|(l, all)| self.f((all - l).max(0.0))).sum();
                if self.entropy() {
                    (on_left - self.f(weight) + on_right - self.f(rest) - parent.base)
                        / std::f64::consts::LN_2
                } else {
                    on_left / weight + on_right / rest - parent.base
                }
            }
        };
        let fits = weight >= self.least_weight && parent.weight - weight >= self.least_weight;
        (fits && gain.is_finite()).then_some(Split {
            feature,
            threshold,
            rank: 0,
            count,
            gain,
            missing_left: false,
        })
    }

    /// Parts every stretch into the rows of the left child and those of the right one.
    fn part(&mut self, node: &Node, split: &Split) {
        let n = self.data.n;
        let gap = !self.rules.monotone.is_empty()
            || self.missing_between(split.feature, node.start, node.end);
        let own = self.data.x.column(split.feature);
        // With missing values, and after the search that serves monotone columns too, neither places
        // nor ranks tell the side.
        let by_value = |r: usize| {
            let v = own[r];
            v <= split.threshold || (v.is_nan() && split.missing_left)
        };
        match self.way {
            Way::Presorted => {
                let at = split.feature * self.stride;
                let places = &self.stretches[at + node.start..at + node.end];
                for (i, q) in places.iter().enumerate() {
                    self.goes_left[q.row()] = if gap {
                        by_value(q.row())
                    } else {
                        i < split.count
                    };
                }
                // Children that cannot be split again need only the rows, in any one order.
                let last = node.depth + 1 >= self.rules.max_depth;
                for feature in 0..if last { 1 } else { self.columns.len() } {
                    let at = feature * self.stride;
                    let places = &mut self.stretches[at + node.start..at + node.end];
                    let goes_left = &self.goes_left;
                    part_by(places, &mut self.place_scratch, |q| goes_left[q.row()]);
                }
            }
            Way::ByNode | Way::Drawn if gap => {
                let rows = &mut self.rows[node.start..node.end];
                part_by(rows, &mut self.row_scratch, |r| by_value(r as usize));
            }
            Way::ByNode => {
                let column = &self.places[split.feature * n..][..n];
                let rows = &mut self.rows[node.start..node.end];
                part_by(rows, &mut self.row_scratch, |r| {
                    column[r as usize].rank() <= split.rank
                });
            }
            Way::Drawn => {
                let column = &self.values[split.feature * n..][..n];
                let rows = &mut self.rows[node.start..node.end];
                part_by(rows, &mut self.row_scratch, |r| {
                    column[r as usize] <= split.threshold
                });
            }
        }
    }

    /// Makes a leaf of a node.
    fn close(&mut self, node: &Node) {
        let place = self.tree.n_leaves() as u32;
        self.tree.nodes[node.id].1 = place;
        let mut leaf = std::mem::take(&mut self.leaf);
        self.each_row(node.start, node.end, |r| leaf[r] = place);
        self.leaf = leaf;
        let width = self.tree.width;
        let own = &self.means[node.id * width..(node.id + 1) * width];
        self.tree.values.extend(own);
    }
}

/// Rows of a node that are read as rows.
const NEAR: usize = 128;

/// What the rows up to a threshold add up to.
struct OnLeft {
    count: usize,
    weight: f64,
    sum: f64,
}

impl OnLeft {
    /// In four running sums each: the additions need not wait for each other.
    fn new(threshold: f64, values: &[f64], weights: &[f64], summands: &[f64], unit: bool) -> Self {
        let (mut counts, mut sums, mut heavy) = ([0.0; 4], [0.0; 4], [0.0; 4]);
        let (fours, others) = values.as_chunks::<4>();
        let (summed, more) = summands.as_chunks::<4>();
        for (values, summands) in fours.iter().zip(summed) {
            let to = counts.iter_mut().zip(&mut sums);
            for ((count, sum), (v, s)) in to.zip(values.iter().zip(summands)) {
                let left = *v <= threshold;
                *count += if left { 1.0 } else { 0.0 };
                *sum += if left { *s } else { 0.0 };
            }
        }
        for (_, s) in others.iter().zip(more).filter(|(v, _)| **v <= threshold) {
            counts[0] += 1.0;
            sums[0] += s;
        }
        let count: f64 = counts.iter().sum();
        let mut weight = count;
        if !unit {
            let (fours_w, more) = weights.as_chunks::<4>();
            for (values, weights) in fours.iter().zip(fours_w) {
                for (sum, (v, w)) in heavy.iter_mut().zip(values.iter().zip(weights)) {
                    *sum += if *v <= threshold { *w } else { 0.0 };
                }
            }
            let rest = others.iter().zip(more).filter(|(v, _)| **v <= threshold);
            weight = heavy.iter().sum::<f64>() + rest.map(|(_, w)| w).sum::<f64>();
        }
        Self {
            count: count as usize,
            weight,
            sum: sums.iter().sum(),
        }
    }
}

/// Moves what goes left to the front; both sides keep their order. There is no branch on the side,
/// which no processor could foresee.
fn part_by<T: Copy>(of: &mut [T], scratch: &mut Vec<T>, goes_left: impl Fn(T) -> bool) {
    let Some(first) = of.first() else { return };
    if scratch.len() < of.len() {
        scratch.resize(of.len(), *first);
    }
    let (mut kept, mut other) = (0, 0);
    for i in 0..of.len() {
        let item = of[i];
        let left = goes_left(item);
        of[kept] = item;
        scratch[other] = item;
        kept += usize::from(left);
        other += usize::from(!left);
    }
    of[kept..].copy_from_slice(&scratch[..other]);
}

/// Gain of a Poisson split from sums measured from the parent's mean; NaN when a side sums to 0.
fn poisson_gain(parent: &Parent, sum: f64, weight: f64, rest: f64, other: f64) -> f64 {
    let side = |s: f64, w: f64| {
        let all = s + w * parent.mean;
        if all > 0.0 {
            all * (all / w).ln()
        } else {
            f64::NAN
        }
    };
    side(sum, weight) + side(rest, other) - side(parent.sum, parent.weight)
}

/// The weighted median (the middle of two where the weight halves between them) and Σ w |y - median|.
pub(crate) fn absolute(pairs: &mut [(f64, f64)]) -> (f64, f64) {
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = pairs.iter().map(|p| p.1).sum();
    let (mut done, mut median) = (0.0, pairs.last().map_or(0.0, |p| p.0));
    for (i, (y, w)) in pairs.iter().enumerate() {
        done += w;
        if done > total / 2.0 {
            median = *y;
            break;
        }
        if done == total / 2.0 && i + 1 < pairs.len() {
            median = f64::midpoint(*y, pairs[i + 1].0);
            break;
        }
    }
    let off = pairs.iter().map(|(y, w)| w * (y - median).abs()).sum();
    (median, off)
}

/// Σ w |y - median| of each prefix: weights and weighted values by rank in two Fenwick trees.
fn absolute_prefixes(pairs: &[(f64, f64)]) -> Vec<f64> {
    let n = pairs.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_unstable_by(|a, b| pairs[*a].0.total_cmp(&pairs[*b].0).then(a.cmp(b)));
    let mut rank = vec![0; n];
    for (r, i) in order.iter().enumerate() {
        rank[*i] = r + 1;
    }
    let (mut weights, mut sums) = (vec![0.0; n + 1], vec![0.0; n + 1]);
    let (mut all_w, mut all_s) = (0.0, 0.0);
    let top = n.next_power_of_two();
    let mut out = Vec::with_capacity(n);
    for (i, (y, w)) in pairs.iter().enumerate() {
        let mut at = rank[i];
        while at <= n {
            weights[at] += w;
            sums[at] += w * y;
            at += at & at.wrapping_neg();
        }
        all_w += w;
        all_s += w * y;
        // The largest rank below which less than half of the weight lies: the median is the next.
        let (mut at, mut step, mut below_w, mut below_s) = (0, top, 0.0, 0.0);
        while step > 0 {
            if at + step <= n && below_w + weights[at + step] < all_w / 2.0 {
                at += step;
                below_w += weights[at];
                below_s += sums[at];
            }
            step /= 2;
        }
        let median = pairs[order[at.min(n - 1)]].0;
        out.push(median * below_w - below_s + (all_s - below_s) - median * (all_w - below_w));
    }
    out
}

/// Sums over the rows of a node.
struct Parent {
    weight: f64,
    /// Whether all rows are alike.
    pure: bool,
    /// Mean of the numbers.
    mean: f64,
    /// What a leaf answers: the mean or the median.
    level: f64,
    /// Sum of what is left after the mean is taken off: rounding only.
    sum: f64,
    /// Weight by class.
    counts: Vec<f64>,
    /// What the gain is measured from.
    base: f64,
    /// Impurity times weight; only what pruning and absolute error need.
    risk: f64,
}

impl Parent {
    fn new<P: Place + Default>(grower: &Grower<'_, P>, start: usize, end: usize) -> Self {
        let by_number = |r: &u32| *r as usize;
        if grower.way == Way::Presorted {
            Self::of(grower, grower.stretches[start..end].iter().map(|q| q.row()))
        } else {
            Self::of(grower, grower.rows[start..end].iter().map(by_number))
        }
    }

    fn of<P: Place + Default>(
        grower: &Grower<'_, P>,
        rows: impl Iterator<Item = usize> + Clone,
    ) -> Self {
        let mut parent = Self {
            weight: 0.0,
            pure: true,
            mean: 0.0,
            level: 0.0,
            sum: 0.0,
            counts: Vec::new(),
            base: 0.0,
            risk: 0.0,
        };
        let weight = |row: usize| grower.weights[row];
        parent.weight = rows.clone().map(weight).sum();
        let prunes = grower.rules.ccp_alpha > 0.0;
        match grower.target {
            Target::Numbers(y) => {
                let first = rows.clone().next().map_or(0.0, |r| y[r]);
                parent.pure = rows.clone().all(|r| y[r] == first);
                let sum: f64 = rows.clone().map(|r| weight(r) * y[r]).sum();
                let mean = sum / parent.weight;
                // The rounding of the first mean is taken back by the second pass.
                let rest: f64 = rows.clone().map(|r| weight(r) * (y[r] - mean)).sum();
                parent.mean = mean + rest / parent.weight;
                parent.sum = rows.clone().map(|r| weight(r) * (y[r] - parent.mean)).sum();
                parent.level = parent.mean;
                match grower.rules.criterion {
                    Criterion::AbsoluteError => {
                        let each = rows.clone().map(|r| (y[r], weight(r)));
                        (parent.level, parent.risk) = absolute(&mut each.collect::<Vec<_>>());
                    }
                    Criterion::Poisson if prunes => {
                        let each = rows.clone().map(|r| (y[r], weight(r)));
                        parent.risk = each
                            .map(|(y, w)| {
                                w * (xlogx(y) - y * parent.mean.max(f64::MIN_POSITIVE).ln())
                            })
                            .sum();
                    }
                    _ if prunes => {
                        let each = rows.clone().map(|r| (y[r], weight(r)));
                        parent.risk = each.map(|(y, w)| w * (y - parent.mean).powi(2)).sum();
                    }
                    _ => {}
                }
            }
            Target::Codes(codes, classes) => {
                parent.counts = vec![0.0; classes];
                for r in rows {
                    parent.counts[codes[r] as usize] += weight(r);
                }
                parent.pure = parent.counts.iter().filter(|c| **c > 0.0).count() <= 1;
                let counts = parent.counts.iter();
                if grower.entropy() {
                    parent.base = counts.map(|c| xlogx(*c)).sum::<f64>() - xlogx(parent.weight);
                    parent.risk = -parent.base / std::f64::consts::LN_2;
                } else {
                    parent.base = counts.map(|c| c * c).sum::<f64>() / parent.weight;
                    parent.risk = parent.weight - parent.base;
                }
            }
        }
        parent
    }

    /// What monotone columns move: the answer, or the share of the second of two labels.
    fn direction(&self) -> f64 {
        if self.counts.is_empty() {
            self.level
        } else {
            self.counts.last().map_or(0.0, |c| c / self.weight)
        }
    }

    /// What a leaf answers, kept within what monotone columns allow.
    fn answer(&self, (low, high): (f64, f64)) -> Vec<f64> {
        if self.counts.is_empty() {
            vec![self.level.clamp(low, high)]
        } else if low > f64::NEG_INFINITY || high < f64::INFINITY {
            let second = self.direction().clamp(low, high);
            vec![1.0 - second, second]
        } else {
            self.counts.iter().map(|c| c / self.weight).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, classes, table};
    use rand::SeedableRng as _;

    fn rules(criterion: Criterion) -> Rules {
        Rules {
            criterion,
            splitter: Splitter::Best,
            max_depth: usize::MAX,
            min_samples_split: 2,
            min_samples_leaf: 1,
            min_weight_fraction_leaf: 0.0,
            max_leaf_nodes: None,
            min_impurity_decrease: 0.0,
            ccp_alpha: 0.0,
            max_features: usize::MAX,
            shuffled: false,
            monotone: Vec::new(),
        }
    }

    fn tree(data: &Training, rules: &Rules) -> Tree {
        let sorted = Sorted::new(data.x(), rules.splitter, rules.max_features).unwrap();
        let learned = Learned::new(data, rules.criterion).unwrap();
        let mut random = Xoshiro256PlusPlus::seed_from_u64(0);
        let weights = vec![1.0; data.y().len()];
        grow(&sorted, learned.target(), &weights, rules, &mut random).tree
    }

    fn predict(tree: &Tree, data: &Training) -> Array2<f64> {
        let mut out = Array2::zeros((data.y().len(), tree.width));
        tree.add_to(data.x().view(), &mut out);
        out
    }

    #[test]
    fn one_cut_by_hand() {
        // y = 0, 0, 6 over x = 1, 2, 4: the cut at 3 leaves no error, gain 2·2² + 1·4² = 24.
        let data = table(&[&[1.0], &[2.0], &[4.0]], &[0.0, 0.0, 6.0]);
        let tree = tree(&data, &rules(Criterion::SquaredError));
        assert_eq!((tree.n_leaves(), tree.depth()), (2, 1));
        assert_eq!(tree.nodes[0].2, 3.0);
        assert_eq!(predict(&tree, &data).column(0).to_vec(), [0.0, 0.0, 6.0]);
        assert_eq!(tree.importances(), [1.0]);
    }

    #[test]
    fn gini_and_entropy_by_hand() {
        // Labels 0 0 1 1 2 2 over x = 1..6. Cut after two rows: gini gain 6·(1 - 3/9) - 4·(1 - 1/2) = 2,
        // entropy gain 6·log2(3) - 4. Cut after four rows: the same; the lower threshold wins.
        let rows: [&[f64]; 6] = [&[1.0], &[2.0], &[3.0], &[4.0], &[5.0], &[6.0]];
        let data = classes(&rows, &[0.0, 0.0, 1.0, 1.0, 2.0, 2.0]);
        for criterion in [Criterion::Gini, Criterion::Entropy] {
            let tree = tree(
                &data,
                &Rules {
                    max_depth: 1,
                    ..rules(criterion)
                },
            );
            assert_eq!(tree.nodes[0].2, 2.5);
            let p = predict(&tree, &data);
            assert_eq!(p.row(0).to_vec(), [1.0, 0.0, 0.0]);
            assert_eq!(p.row(5).to_vec(), [0.0, 0.5, 0.5]);
        }
    }

    #[test]
    fn limits_hold() {
        let rows: Vec<Vec<f64>> = (0..40)
            .map(|i| vec![f64::from(i), f64::from(i % 7)])
            .collect();
        let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let y: Vec<f64> = (0..40).map(|i| f64::from(i * i % 13)).collect();
        let data = table(&rows, &y);
        let base = rules(Criterion::SquaredError);
        let full = tree(&data, &base);
        assert_near(&predict(&full, &data).column(0).to_vec(), &y, 1e-14);
        let few = Rules {
            max_leaf_nodes: Some(5),
            ..base.clone()
        };
        assert_eq!(tree(&data, &few).n_leaves(), 5);
        let large = Rules {
            min_samples_leaf: 9,
            ..base.clone()
        };
        let grown = tree(&data, &large);
        let leaf_sizes = |t: &Tree| {
            let p = predict(t, &data).column(0).to_vec();
            let mut each: Vec<f64> = p.clone();
            each.sort_by(f64::total_cmp);
            each.dedup();
            each.iter()
                .map(|v| p.iter().filter(|q| *q == v).count())
                .min()
                .unwrap()
        };
        assert!(leaf_sizes(&grown) >= 9);
        let none = Rules {
            min_impurity_decrease: 1e9,
            ..base.clone()
        };
        assert_eq!(tree(&data, &none).n_leaves(), 1);
        let shallow = Rules {
            max_depth: 3,
            ..base
        };
        assert_eq!(tree(&data, &shallow).depth(), 3);
    }

    #[test]
    fn a_weight_counts_as_repeated_rows() {
        let once = table(&[&[1.0], &[2.0], &[3.0], &[4.0]], &[1.0, 5.0, 2.0, 8.0]);
        let twice = table(
            &[&[1.0], &[1.0], &[1.0], &[3.0], &[4.0], &[4.0]],
            &[1.0, 1.0, 1.0, 2.0, 8.0, 8.0],
        );
        let rules = Rules {
            max_depth: 1,
            ..rules(Criterion::SquaredError)
        };
        let sorted = Sorted::new(once.x(), Splitter::Best, usize::MAX).unwrap();
        let mut random = Xoshiro256PlusPlus::seed_from_u64(0);
        let weights = [3.0, 0.0, 1.0, 2.0];
        let target = Target::Numbers(once.y());
        let weighted = grow(&sorted, target, &weights, &rules, &mut random).tree;
        let repeated = tree(&twice, &rules);
        assert_eq!(weighted.nodes, repeated.nodes);
        assert_near(&weighted.values, &repeated.values, 1e-14);
    }

    #[test]
    fn in_place_is_the_same_as_a_copy() {
        // Values repeat, some are missing, and every tree leaves the columns in another order.
        let mut random = Xoshiro256PlusPlus::seed_from_u64(3);
        let values: Vec<[f64; 3]> = (0..60)
            .map(|_| std::array::from_fn(|_| f64::from(random.gen_range(0..20_u32))))
            .map(|r: [f64; 3]| [r[0], if r[1] > 17.0 { f64::NAN } else { r[1] }, r[2]])
            .collect();
        let x = Array2::from_shape_fn((60, 3), |(i, j)| values[i][j]);
        let y: Vec<f64> = (0..60).map(|_| random.r#gen()).collect();
        let copied = Sorted::new(&x, Splitter::Best, usize::MAX).unwrap();
        let mut own = Sorted::new(&x, Splitter::Best, usize::MAX).unwrap();
        let rules = rules(Criterion::SquaredError);
        for round in 0..4 {
            let weights: Vec<f64> = (0..60)
                .map(|i| f64::from(u32::from((i + round) % 4 > 0)))
                .collect();
            let target = Target::Numbers(&y);
            let mut same = [random.clone(), random.clone()];
            let a = grow(&copied, target, &weights, &rules, &mut same[0]);
            let b = grow_in_place(&mut own, target, &weights, &rules, &mut same[1]);
            assert_eq!(a.leaf, b.leaf);
            assert_eq!(a.tree.nodes, b.tree.nodes);
            assert_eq!(a.tree.values, b.tree.values);
            assert!(a.tree.n_leaves() > 30);
        }
    }
}
