//! One engine for every entry that grows classification and regression trees (CART).
//!
//! Columns are sorted once for all trees of a forest. A node owns the same stretch of every sorted
//! column; a split scans the stretches and then parts each of them, keeping its order, so a level of
//! a tree costs O(rows · columns) without sorting again. Fitted trees are flat arrays.
//!
//! Ties: of equal gains the column looked at first wins (the leftmost when all are looked at), and
//! in it the lowest threshold.

use mltrainer_catalogue_core::{FitError, Labels, ParamError, Training, choices};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2};
use rand::Rng as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

choices! {
    /// The measure of impurity.
    pub enum Criterion {
        /// Variance; regression only.
        SquaredError = "squared_error",
        /// 1 - Σ share²; classification only.
        Gini = "gini",
        /// -Σ share · log2 share; classification only.
        Entropy = "entropy",
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
    if (criterion == Criterion::SquaredError) != regression {
        return Err(ParamError {
            field: "criterion".into(),
            reason: format!(
                "does not fit {}: squared_error is for regression, gini and entropy for classification",
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
    /// Levels below the root.
    pub(crate) max_depth: usize,
    /// Rows a node must have to be split.
    pub(crate) min_samples_split: usize,
    /// Rows each side of a split must have.
    pub(crate) min_samples_leaf: usize,
    /// Leaves at most; with a limit the split that gains most is made first.
    pub(crate) max_leaf_nodes: Option<usize>,
    /// Gain that a split must have, as a share of all rows.
    pub(crate) min_impurity_decrease: f64,
    /// Columns looked at, drawn anew at each node; all of them without a draw.
    pub(crate) max_features: usize,
}

/// The rows of a problem with every column sorted once.
pub(crate) struct Sorted {
    n: usize,
    /// Column after column.
    values: Vec<f64>,
    /// Column after column: row numbers by ascending value, equal values by row.
    order: Vec<u32>,
    target: Target,
}

enum Target {
    Numbers(Vec<f64>),
    Codes { codes: Vec<u32>, classes: usize },
}

impl Sorted {
    /// Sorts the columns.
    ///
    /// # Errors
    /// With more rows than a tree can number, or a target whose squares overflow.
    pub(crate) fn new(data: &Training) -> Result<Self, FitError> {
        let (n, p) = data.x().dim();
        let Ok(rows) = u32::try_from(n) else {
            return Err(FitError::Data(format!("{n} rows: a tree takes 4 billion")));
        };
        let mut values: Vec<f64> = Vec::with_capacity(n * p);
        let mut order = Vec::with_capacity(n * p);
        for column in data.x().columns() {
            let start = values.len();
            values.extend(column);
            let column = &values[start..];
            let mut rows: Vec<u32> = (0..rows).collect();
            rows.sort_by(|a, b| column[*a as usize].total_cmp(&column[*b as usize]));
            order.extend(rows);
        }
        let target = match data.labels() {
            Some(Labels { classes, codes }) => Target::Codes {
                codes: codes.iter().map(|c| *c as u32).collect(),
                classes: classes.len(),
            },
            None => {
                if !data.y().iter().map(|y| y * y).sum::<f64>().is_finite() {
                    return Err(FitError::Failed(
                        "the target is too large to be squared: rescale it".into(),
                    ));
                }
                Target::Numbers(data.y().to_vec())
            }
        };
        Ok(Self {
            n,
            values,
            order,
            target,
        })
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.n
    }

    /// Number of columns.
    pub(crate) fn columns(&self) -> usize {
        self.values.len().checked_div(self.n).unwrap_or_default()
    }
}

const LEAF: u32 = u32::MAX;

/// A fitted tree. Node 0 is the root, the right child follows the left one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tree {
    /// Column of the split (`LEAF` for a leaf); the left child (for a leaf, its place among the
    /// leaves); the value up to which rows go left.
    nodes: Vec<(u32, u32, f64)>,
    /// The mean, or one share a class, leaf after leaf.
    values: Vec<f64>,
    /// Values a leaf: 1, or the number of classes.
    width: usize,
    depth: usize,
    /// Gain by column, sum 1 (all 0 for a tree of one leaf).
    importances: Vec<f64>,
}

impl Tree {
    /// Number of leaves.
    pub(crate) fn n_leaves(&self) -> usize {
        self.values.len() / self.width
    }

    /// Levels below the root.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Gain by column, sum 1.
    pub(crate) fn importances(&self) -> &[f64] {
        &self.importances
    }

    /// Adds the values of each row's leaf, rows x width.
    pub(crate) fn add_to(&self, x: ArrayView2<'_, f64>, out: &mut Array2<f64>) {
        for (row, mut out) in x.rows().into_iter().zip(out.rows_mut()) {
            let (mut feature, mut left, mut threshold) = self.nodes[0];
            while feature != LEAF {
                let right = row[feature as usize] > threshold;
                (feature, left, threshold) = self.nodes[left as usize + usize::from(right)];
            }
            let at = left as usize * self.width;
            for (o, v) in out.iter_mut().zip(&self.values[at..at + self.width]) {
                *o += v;
            }
        }
    }
}

/// A stretch of the sorted columns that is a leaf until it is split.
struct Node {
    id: usize,
    start: usize,
    end: usize,
    depth: usize,
    split: Option<Split>,
}

#[derive(Clone, Copy)]
struct Split {
    feature: usize,
    threshold: f64,
    /// Rows on the left.
    count: usize,
    gain: f64,
}

/// Grows a tree on the rows with a weight above 0; a weight counts how often a row was drawn.
pub(crate) fn grow(
    data: &Sorted,
    weights: &[u32],
    rules: &Rules,
    random: &mut Xoshiro256PlusPlus,
) -> Tree {
    let width = match data.target {
        Target::Numbers(_) => 1,
        Target::Codes { classes, .. } => classes,
    };
    let p = data.columns();
    let rows: Vec<u32> = data
        .order
        .iter()
        .copied()
        .filter(|r| weights[*r as usize] > 0)
        .collect();
    let m = rows.len().checked_div(p).unwrap_or_default();
    let total: u64 = weights.iter().map(|w| u64::from(*w)).sum();
    let mut grower = Grower {
        data,
        weights,
        rules,
        random,
        m,
        total: total as f64,
        rows,
        goes_left: vec![false; data.n],
        scratch: Vec::with_capacity(m),
        columns: (0..p).collect(),
        // Entropy needs c · ln c for whole c up to the number of draws.
        xlogx: if rules.criterion == Criterion::Entropy {
            (0..=total).map(|c| xlogx(c as f64)).collect()
        } else {
            Vec::new()
        },
        tree: Tree {
            nodes: Vec::new(),
            values: Vec::new(),
            width,
            depth: 0,
            importances: vec![0.0; p],
        },
    };
    grower.run();
    let mut tree = grower.tree;
    let gain: f64 = tree.importances.iter().sum();
    if gain > 0.0 {
        tree.importances.iter_mut().for_each(|g| *g /= gain);
    }
    tree
}

fn xlogx(c: f64) -> f64 {
    if c > 0.0 { c * c.ln() } else { 0.0 }
}

struct Grower<'a> {
    data: &'a Sorted,
    weights: &'a [u32],
    rules: &'a Rules,
    random: &'a mut Xoshiro256PlusPlus,
    /// Rows in the tree.
    m: usize,
    /// Sum of their weights.
    total: f64,
    /// Column after column: row numbers by ascending value, stretches by node.
    rows: Vec<u32>,
    goes_left: Vec<bool>,
    scratch: Vec<u32>,
    columns: Vec<usize>,
    xlogx: Vec<f64>,
    tree: Tree,
}

impl Grower<'_> {
    fn run(&mut self) {
        let root = self.node(0, self.m, 0);
        let mut open = vec![root];
        let mut leaves = 1;
        let most = self.rules.max_leaf_nodes.unwrap_or(usize::MAX);
        while let Some(node) = self.next(&mut open) {
            let Some(split) = node.split.filter(|_| leaves < most) else {
                self.close(&node);
                continue;
            };
            leaves += 1;
            self.part(&node, &split);
            let middle = node.start + split.count;
            // The children are numbered side by side before either is looked into.
            let left = self.node(node.start, middle, node.depth + 1);
            let right = self.node(middle, node.end, node.depth + 1);
            self.tree.nodes[node.id] = (split.feature as u32, left.id as u32, split.threshold);
            self.tree.importances[split.feature] += split.gain;
            self.tree.depth = self.tree.depth.max(node.depth + 1);
            open.push(right);
            open.push(left);
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
    fn node(&mut self, start: usize, end: usize, depth: usize) -> Node {
        let id = self.tree.nodes.len();
        self.tree.nodes.push((LEAF, 0, 0.0));
        let count = end - start;
        let may_split = depth < self.rules.max_depth
            && count >= self.rules.min_samples_split
            && count >= 2 * self.rules.min_samples_leaf
            && !self.pure(start, end);
        let split = if may_split {
            self.best_split(start, end)
        } else {
            None
        };
        Node {
            id,
            start,
            end,
            depth,
            split,
        }
    }

    /// Rows of a node in the order of column `feature`.
    fn stretch(&self, feature: usize, start: usize, end: usize) -> &[u32] {
        &self.rows[feature * self.m + start..feature * self.m + end]
    }

    fn pure(&self, start: usize, end: usize) -> bool {
        let rows = self.stretch(0, start, end);
        match &self.data.target {
            Target::Numbers(y) => rows
                .windows(2)
                .all(|w| y[w[0] as usize] == y[w[1] as usize]),
            Target::Codes { codes, .. } => rows
                .windows(2)
                .all(|w| codes[w[0] as usize] == codes[w[1] as usize]),
        }
    }

    /// The split with the largest gain among the columns looked at.
    fn best_split(&mut self, start: usize, end: usize) -> Option<Split> {
        let p = self.columns.len();
        let look = self.rules.max_features.min(p);
        let parent = Parent::new(self, start, end);
        let mut best: Option<Split> = None;
        for k in 0..p {
            // Past the columns asked for, go on only while none of them could be split at all.
            if k >= look && best.is_some() {
                break;
            }
            if look < p {
                let other = self.random.gen_range(k..p);
                self.columns.swap(k, other);
            }
            let feature = self.columns[k];
            let found = match &self.data.target {
                Target::Numbers(y) => self.scan_numbers(y, &parent, feature, start, end),
                Target::Codes { codes, .. } => self.scan_codes(codes, &parent, feature, start, end),
            };
            if let Some(split) = found
                && best.is_none_or(|b| split.gain > b.gain)
            {
                best = Some(split);
            }
        }
        // The slack is that of scikit-learn: a gain of exactly the limit passes.
        best.filter(|s| s.gain / self.total + f64::EPSILON >= self.rules.min_impurity_decrease)
    }

    /// Squared error: with y measured from the mean of the node, the gain is S²/W of the left rows
    /// plus S²/W of the right ones.
    fn scan_numbers(
        &self,
        y: &[f64],
        parent: &Parent,
        feature: usize,
        start: usize,
        end: usize,
    ) -> Option<Split> {
        let mut cut = Cut::new(self, feature, start, end)?;
        let (mut sum, mut weight) = (0.0, 0.0);
        while let Some(row) = cut.next() {
            let w = f64::from(self.weights[row]);
            sum += w * (y[row] - parent.mean);
            weight += w;
            if cut.allowed() {
                let rest = parent.sum - sum;
                cut.offer(sum * sum / weight + rest * rest / (parent.weight - weight));
            }
        }
        cut.best
    }

    /// Gini and entropy: whole counts, updated one row at a time.
    fn scan_codes(
        &self,
        codes: &[u32],
        parent: &Parent,
        feature: usize,
        start: usize,
        end: usize,
    ) -> Option<Split> {
        let mut cut = Cut::new(self, feature, start, end)?;
        let mut left = vec![0.0; parent.counts.len()];
        let mut right = parent.counts.clone();
        let entropy = self.rules.criterion == Criterion::Entropy;
        // Σ f(count) on either side, f being the square or x ln x.
        let f = |c: f64| {
            if entropy {
                self.xlogx[c as usize]
            } else {
                c * c
            }
        };
        let (mut on_left, mut on_right): (f64, f64) = (0.0, right.iter().map(|c| f(*c)).sum());
        let mut weight = 0.0;
        while let Some(row) = cut.next() {
            let (w, k) = (f64::from(self.weights[row]), codes[row] as usize);
            on_left += f(left[k] + w) - f(left[k]);
            on_right += f(right[k] - w) - f(right[k]);
            left[k] += w;
            right[k] -= w;
            weight += w;
            if cut.allowed() {
                let rest = parent.weight - weight;
                cut.offer(if entropy {
                    (on_left - f(weight) + on_right - f(rest) - parent.base)
                        / std::f64::consts::LN_2
                } else {
                    on_left / weight + on_right / rest - parent.base
                });
            }
        }
        cut.best
    }

    /// Parts every column's stretch into the rows of the left child and those of the right one.
    fn part(&mut self, node: &Node, split: &Split) {
        let column = split.feature * self.m;
        for i in node.start..node.end {
            let row = self.rows[column + i] as usize;
            self.goes_left[row] = i < node.start + split.count;
        }
        for feature in 0..self.columns.len() {
            let at = feature * self.m;
            let rows = &mut self.rows[at + node.start..at + node.end];
            self.scratch.clear();
            let mut kept = 0;
            for i in 0..rows.len() {
                let row = rows[i];
                if self.goes_left[row as usize] {
                    rows[kept] = row;
                    kept += 1;
                } else {
                    self.scratch.push(row);
                }
            }
            rows[kept..].copy_from_slice(&self.scratch);
        }
    }

    /// Makes a leaf of a node.
    fn close(&mut self, node: &Node) {
        let parent = Parent::new(self, node.start, node.end);
        self.tree.nodes[node.id].1 = self.tree.n_leaves() as u32;
        if parent.counts.is_empty() {
            self.tree.values.push(parent.mean);
        } else {
            let shares = parent.counts.iter().map(|c| c / parent.weight);
            self.tree.values.extend(shares);
        }
    }
}

/// Sums over the rows of a node.
struct Parent {
    weight: f64,
    /// Mean of the numbers.
    mean: f64,
    /// Sum of what is left after the mean is taken off: rounding only.
    sum: f64,
    /// Weight by class.
    counts: Vec<f64>,
    /// What the gain is measured from.
    base: f64,
}

impl Parent {
    fn new(grower: &Grower<'_>, start: usize, end: usize) -> Self {
        let rows = grower.stretch(0, start, end);
        let mut parent = Self {
            weight: 0.0,
            mean: 0.0,
            sum: 0.0,
            counts: Vec::new(),
            base: 0.0,
        };
        let weight = |row: u32| f64::from(grower.weights[row as usize]);
        parent.weight = rows.iter().map(|r| weight(*r)).sum();
        match &grower.data.target {
            Target::Numbers(y) => {
                let sum: f64 = rows.iter().map(|r| weight(*r) * y[*r as usize]).sum();
                let mean = sum / parent.weight;
                // The rounding of the first mean is taken back by the second pass.
                let rest: f64 = rows
                    .iter()
                    .map(|r| weight(*r) * (y[*r as usize] - mean))
                    .sum();
                parent.mean = mean + rest / parent.weight;
                parent.sum = rows
                    .iter()
                    .map(|r| weight(*r) * (y[*r as usize] - parent.mean))
                    .sum();
            }
            Target::Codes { codes, classes } => {
                parent.counts = vec![0.0; *classes];
                for r in rows {
                    parent.counts[codes[*r as usize] as usize] += weight(*r);
                }
                let counts = parent.counts.iter();
                parent.base = if grower.rules.criterion == Criterion::Entropy {
                    counts.map(|c| xlogx(*c)).sum::<f64>() - xlogx(parent.weight)
                } else {
                    counts.map(|c| c * c).sum::<f64>() / parent.weight
                };
            }
        }
        parent
    }
}

/// A walk along one column of a node, from the smallest value, that keeps the best place to cut.
struct Cut<'a> {
    values: &'a [f64],
    rows: &'a [u32],
    feature: usize,
    least: usize,
    /// Rows walked past.
    done: usize,
    best: Option<Split>,
}

impl<'a> Cut<'a> {
    /// None when the column is constant on the node.
    fn new(grower: &'a Grower<'_>, feature: usize, start: usize, end: usize) -> Option<Self> {
        let rows = grower.stretch(feature, start, end);
        let n = grower.data.n;
        let values = &grower.data.values[feature * n..(feature + 1) * n];
        let (first, last) = (*rows.first()? as usize, *rows.last()? as usize);
        (values[first] < values[last]).then_some(Self {
            values,
            rows,
            feature,
            least: grower.rules.min_samples_leaf,
            done: 0,
            best: None,
        })
    }

    /// The next row, until the last one is left.
    fn next(&mut self) -> Option<usize> {
        if self.done + 1 >= self.rows.len() {
            return None;
        }
        self.done += 1;
        Some(self.rows[self.done - 1] as usize)
    }

    fn value(&self, i: usize) -> f64 {
        self.values[self.rows[i] as usize]
    }

    /// Whether a cut may lie between the row just given and the one after it.
    fn allowed(&self) -> bool {
        self.value(self.done - 1) < self.value(self.done)
            && self.done >= self.least
            && self.rows.len() - self.done >= self.least
    }

    fn offer(&mut self, gain: f64) {
        if self.best.is_none_or(|b| gain > b.gain) {
            let (below, above) = (self.value(self.done - 1), self.value(self.done));
            let middle = below / 2.0 + above / 2.0;
            self.best = Some(Split {
                feature: self.feature,
                // Between neighbouring doubles the midpoint may round up onto the larger one.
                threshold: if middle < above { middle } else { below },
                count: self.done,
                gain,
            });
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
            max_depth: usize::MAX,
            min_samples_split: 2,
            min_samples_leaf: 1,
            max_leaf_nodes: None,
            min_impurity_decrease: 0.0,
            max_features: usize::MAX,
        }
    }

    fn tree(data: &Training, rules: &Rules) -> Tree {
        let sorted = Sorted::new(data).unwrap();
        let mut random = Xoshiro256PlusPlus::seed_from_u64(0);
        grow(&sorted, &vec![1; data.y().len()], rules, &mut random)
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
        let sorted = Sorted::new(&once).unwrap();
        let mut random = Xoshiro256PlusPlus::seed_from_u64(0);
        let weighted = grow(&sorted, &[3, 0, 1, 2], &rules, &mut random);
        let repeated = tree(&twice, &rules);
        assert_eq!(weighted.nodes, repeated.nodes);
        assert_near(&weighted.values, &repeated.values, 1e-14);
    }
}
