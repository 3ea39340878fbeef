//! Trees of CatBoost in which each node has a question of its own: grow_policy Depthwise and Lossguide.
//!
//! A node takes the question with the best score of its two sides, if that is better than the score of
//! the node as it is. Depthwise asks all nodes of a level; Lossguide asks first where the score gains
//! most, up to max_leaves leaves. Sums are added up in the order in which the program does it, since
//! small nodes often have several questions that are equally good but for rounding.

use super::{KEPT_SUMS, Maker, Part, Policy, Slopes, Tree, best_of, known, slopes};
use crate::tree::heap::Heap;
use crate::tree::histogram::{Binned, part_by};
use crate::tree::shap::Splits;
use mltrainer_catalogue_core::threads;
use ndarray::ArrayView1;
use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{PoisonError, RwLock};

/// What a question must gain to be asked.
const LEAST_GAIN: f64 = 1e-9;

/// A node that asks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Node {
    pub(super) column: u32,
    pub(super) border: f64,
    /// Where values up to the border go, and where those above it: k is node k, -1 - l is leaf l.
    pub(super) sides: [i32; 2],
}

impl Node {
    fn is_above(&self, row: ArrayView1<'_, f64>) -> bool {
        known(row[self.column as usize]) > self.border
    }
}

/// A number of a node, or of a leaf after all nodes, from a side of a node.
fn place(side: i32, nodes: usize) -> usize {
    usize::try_from(side).unwrap_or_else(|_| nodes + !side as usize)
}

/// The leaf of a row.
pub(super) fn leaf_of(nodes: &[Node], row: ArrayView1<'_, f64>) -> usize {
    let mut at = if nodes.is_empty() { -1 } else { 0 };
    while let Some(node) = usize::try_from(at).ok().and_then(|k| nodes.get(k)) {
        at = node.sides[usize::from(node.is_above(row))];
    }
    place(at, 0)
}

/// What each node's question changes: the weighted variance between the means of its two sides.
pub(super) fn change(changes: &mut [f64], tree: &Tree, width: usize) {
    let nodes = &tree.nodes;
    // Of each node and each leaf the weight of the rows, and that times the mean value by sum of trees.
    let mut weights = vec![0.0; nodes.len()];
    let mut sums = vec![0.0; nodes.len() * width];
    weights.extend(&tree.sizes);
    for (values, size) in tree.values.chunks(width).zip(&tree.sizes) {
        sums.extend(values.iter().map(|v| v * size));
    }
    // The sides of a node come after it.
    for (k, node) in nodes.iter().enumerate().rev() {
        let [a, b] = node.sides.map(|side| place(side, nodes.len()));
        let (left, right) = (weights[a], weights[b]);
        weights[k] = left + right;
        for s in 0..width {
            let (x, y) = (sums[a * width + s], sums[b * width + s]);
            sums[k * width + s] = x + y;
            if left > 0.0 && right > 0.0 {
                let mean = (x + y) / (left + right);
                changes[node.column as usize] +=
                    left * (x / left - mean).powi(2) + right * (y / right - mean).powi(2);
            }
        }
    }
}

/// A tree of nodes for SHAP values: the leaves are numbered after the nodes.
pub(super) struct Branches<'a> {
    tree: &'a Tree,
    covers: Vec<f64>,
}

impl<'a> Branches<'a> {
    pub(super) fn new(tree: &'a Tree) -> Self {
        let nodes = &tree.nodes;
        let mut covers = vec![0.0; nodes.len()];
        covers.extend(&tree.sizes);
        for (k, node) in nodes.iter().enumerate().rev() {
            let sides = node.sides.map(|side| covers[place(side, nodes.len())]);
            covers[k] = sides[0] + sides[1];
        }
        Self { tree, covers }
    }
}

impl Splits for Branches<'_> {
    fn split(&self, node: usize) -> Option<(usize, usize, usize)> {
        let nodes = &self.tree.nodes;
        let own = nodes.get(node)?;
        let [left, right] = own.sides.map(|side| place(side, nodes.len()));
        Some((own.column as usize, left, right))
    }
    fn cover(&self, node: usize) -> f64 {
        self.covers[node]
    }
    fn goes_left(&self, node: usize, row: ArrayView1<'_, f64>) -> bool {
        let own = self.tree.nodes.get(node);
        own.is_some_and(|own| !own.is_above(row))
    }
    fn answer(&self, leaf: usize) -> &[f64] {
        let nodes = self.tree.nodes.len();
        let width = self.tree.values.len() / (nodes + 1);
        let at = (leaf - nodes) * width;
        &self.tree.values[at..at + width]
    }
}

/// Weighted gradient and weight by bin, sum of trees after sum of trees.
type Cells = Vec<[f64; 2]>;

/// The best question of a leaf.
#[derive(Debug, Clone, Copy)]
struct Split {
    column: usize,
    bin: usize,
    gain: f64,
}

/// A leaf to be judged.
#[derive(Clone, Copy)]
struct Asked {
    leaf: usize,
    /// If its sums are those of a node less those of the other side: that side, and where the node stands
    /// among those that were split.
    rest_of: Option<(usize, usize)>,
}

/// A leaf and a column to be judged.
struct Job {
    asked: Asked,
    column: usize,
    seed: u64,
}

/// A leaf while the tree grows.
struct Leaf {
    rows: Vec<u32>,
    /// Weighted gradient and weight of each row, by sum of trees.
    pairs: Vec<Vec<[f64; 2]>>,
    /// Rows that were drawn.
    drawn: usize,
    depth: usize,
    /// The node and the side of it where it hangs.
    hangs: Option<(usize, usize)>,
    /// By column, where they are kept.
    sums: Vec<Cells>,
}

/// A tree while it grows.
struct Growth<'a> {
    weights: &'a [f64],
    /// Weights of the rows before some were drawn.
    given: &'a [f64],
    g: &'a [Vec<f64>],
    leaves: Vec<Leaf>,
    nodes: Vec<Node>,
    scratch: Vec<u32>,
    keeps: bool,
    /// Sums by column of nodes that were split, whose larger sides have what the smaller ones leave of them.
    split: VecDeque<Vec<Cells>>,
}

impl Growth<'_> {
    fn leaf(&self, rows: Vec<u32>, depth: usize, hangs: Option<(usize, usize)>) -> Leaf {
        let weight = |row: &u32| self.weights[*row as usize];
        let pairs = |g: &Vec<f64>| -> Vec<[f64; 2]> {
            let each = rows.iter().map(|row| (weight(row), g[*row as usize]));
            each.map(|(w, g)| [w * g, w]).collect()
        };
        let is_drawn = |row: &&u32| weight(row) > 0.0 || self.given[**row as usize] == 0.0;
        Leaf {
            pairs: self.g.iter().map(pairs).collect(),
            drawn: rows.iter().filter(is_drawn).count(),
            rows,
            depth,
            hangs,
            sums: Vec::new(),
        }
    }

    /// Splits a leaf, which becomes the left side; the right side is a new one, whose number is returned.
    fn split(&mut self, at: usize, split: Split, binned: &Binned) -> usize {
        let (node, new) = (self.nodes.len(), self.leaves.len());
        let mut rows = std::mem::take(&mut self.leaves[at].rows);
        let kept = part_by(&mut rows, &mut self.scratch, |row| {
            binned.code(split.column, row as usize) <= split.bin
        });
        let right = rows.split_off(kept);
        let old = &mut self.leaves[at];
        let (depth, sums) = (old.depth + 1, std::mem::take(&mut old.sums));
        if let Some((parent, side)) = old.hangs {
            self.nodes[parent].sides[side] = node as i32;
        }
        if !sums.is_empty() {
            self.split.push_back(sums);
        }
        self.nodes.push(Node {
            column: split.column as u32,
            border: binned.bound(split.column, split.bin),
            sides: [!(at as i32), !(new as i32)],
        });
        let left = self.leaf(rows, depth, Some((node, 0)));
        let right = self.leaf(right, depth, Some((node, 1)));
        self.leaves[at] = left;
        self.leaves.push(right);
        new
    }

    /// How the two sides of a node are asked: first, and once that is done. `place` is that of the node among
    /// those that were split. Of two sides the one with more rows has what the other one leaves of the node.
    fn asked(
        &self,
        sides: &[usize],
        place: usize,
        is_asked: impl Fn(&Leaf) -> bool,
    ) -> (Vec<Asked>, Option<Asked>) {
        let asked = sides.iter().filter(|l| is_asked(&self.leaves[**l]));
        let asked: Vec<usize> = asked.copied().collect();
        if let [left, right] = asked[..]
            && self.keeps
            && self.split.len() > place
        {
            let drawn = |l: usize| self.leaves[l].drawn;
            let (small, large) = if drawn(left) <= drawn(right) {
                (left, right)
            } else {
                (right, left)
            };
            let first = Asked {
                leaf: small,
                rest_of: None,
            };
            let then = Asked {
                leaf: large,
                rest_of: Some((small, place)),
            };
            return (vec![first], Some(then));
        }
        let each = asked.into_iter().map(|leaf| Asked {
            leaf,
            rest_of: None,
        });
        (each.collect(), None)
    }

    /// Sums of a column by bin, over the rows of a leaf.
    fn added(&self, binned: &Binned, leaf: &Leaf, column: usize) -> Cells {
        let bins = binned.cuts(column) + 1;
        let mut cells = vec![[0.0; 2]; bins * self.g.len()];
        for (pairs, cells) in leaf.pairs.iter().zip(cells.chunks_exact_mut(bins)) {
            binned.add(column, &leaf.rows, pairs, cells);
        }
        cells
    }

    fn cells(&self, binned: &Binned, job: &Job) -> Cells {
        let Some((sibling, place)) = job.asked.rest_of else {
            return self.added(binned, &self.leaves[job.asked.leaf], job.column);
        };
        let all = &self.split[place][job.column];
        let other = &self.leaves[sibling].sums[job.column];
        let rest = all.iter().zip(other);
        rest.map(|(a, b)| [a[0] - b[0], a[1] - b[1]]).collect()
    }
}

impl Maker<'_> {
    /// The nodes of a tree, and the leaf of every row.
    pub(super) fn grown(&mut self, round: usize, part: &Part) -> (Vec<Node>, Vec<u32>) {
        let n = self.binned.rows();
        let slopes: Slopes = slopes(self.objective, self.rows, &part.f);
        let weights = self.bootstrap(&slopes);
        let noise = self.noise(round, &slopes);
        let mut random = self.random.clone();
        // Columns are drawn from a stream of their own.
        let mut order = Xoshiro256PlusPlus::seed_from_u64(random.r#gen());
        let this = &*self;
        let (params, binned) = (this.params, this.binned);
        let by_level = params.grow_policy != Policy::Lossguide;
        let mut growth = Growth {
            weights: &weights,
            given: &this.rows.w,
            g: &slopes.g,
            leaves: Vec::new(),
            nodes: Vec::new(),
            scratch: Vec::new(),
            keeps: false,
            split: VecDeque::new(),
        };
        growth
            .leaves
            .push(growth.leaf((0..n as u32).collect(), 0, None));
        let state = RwLock::new(growth);
        let read = || state.read().unwrap_or_else(PoisonError::into_inner);
        let write = || state.write().unwrap_or_else(PoisonError::into_inner);
        let judge = |job: Job| {
            let now = read();
            let cells = now.cells(binned, &job);
            let scores = this.cut_scores(&cells, binned.cuts(job.column));
            let best = best_of(&scores, noise, job.seed);
            (if now.keeps { cells } else { Vec::new() }, best)
        };
        threads::team(judge, |team| {
            // The best question of each of some leaves that gains enough.
            let mut find = |asked: &[Asked], columns: &[usize]| {
                let mut jobs = Vec::new();
                for asked in asked {
                    jobs.extend(columns.iter().map(|column| Job {
                        asked: *asked,
                        column: *column,
                        seed: random.r#gen(),
                    }));
                }
                let mut found = team.run(jobs).into_iter();
                let turns = this.judged_in_turn(columns);
                let mut now = write();
                let mut splits = BTreeMap::new();
                for Asked { leaf, .. } in asked {
                    let start = this.score_of(&now.leaves[*leaf]);
                    let mut best: Option<(f64, Split)> = None;
                    let mut scores = Vec::with_capacity(columns.len());
                    for (cells, own) in found.by_ref().take(columns.len()) {
                        if now.keeps {
                            now.leaves[*leaf].sums.push(cells);
                        }
                        scores.push(own);
                    }
                    for k in &turns {
                        let Some((score, bin)) = scores[*k] else {
                            continue;
                        };
                        let gain = score - start;
                        let weighed = gain * this.factors[columns[*k]];
                        if best.is_none_or(|b| weighed > b.0) {
                            let column = columns[*k];
                            best = Some((weighed, Split { column, bin, gain }));
                        }
                    }
                    if let Some((_, best)) = best.filter(|b| b.1.gain >= LEAST_GAIN) {
                        splits.insert(*leaf, best);
                    }
                }
                splits
            };
            let is_asked =
                |leaf: &Leaf| leaf.depth < params.depth && leaf.drawn >= params.min_data_in_leaf;
            let bins: usize = (0..binned.columns()).map(|c| binned.cuts(c) + 1).sum();
            // The program keeps sums for one sum of trees, and where each node looks at all columns.
            let keeps = slopes.g.len() == 1 && params.rsm >= 1.0;
            if by_level {
                let mut level = vec![0];
                while !level.is_empty() {
                    let columns = this.looked_at(&mut order);
                    let (mut first, mut then) = (Vec::new(), Vec::new());
                    let mut passed = 0;
                    {
                        let mut now = write();
                        now.keeps = keeps && level.len() * bins <= KEPT_SUMS;
                        for sides in level.chunks(2) {
                            let (own, rest) = now.asked(sides, passed, is_asked);
                            // As in the program, which does not go on to the next node that was split where
                            // neither side is asked, and so takes the sums of one node for those of another.
                            passed += usize::from(!own.is_empty());
                            first.extend(own);
                            then.extend(rest);
                        }
                    }
                    let mut splits = find(&first, &columns);
                    splits.append(&mut find(&then, &columns));
                    let mut now = write();
                    let passed = passed.min(now.split.len());
                    now.split.drain(..passed);
                    if !now.keeps {
                        now.split.clear();
                    }
                    let mut next = Vec::new();
                    for leaf in level {
                        match splits.get(&leaf) {
                            Some(split) => {
                                let right = now.split(leaf, *split, binned);
                                next.extend([leaf, right]);
                            }
                            // It stays as it is.
                            None => now.leaves[leaf].forget(),
                        }
                    }
                    level = next;
                }
                return;
            }
            let most = params.max_leaves.unwrap_or(super::MAX_LEAVES);
            write().keeps = keeps && most * bins <= KEPT_SUMS;
            let mut waiting = Heap::default();
            let mut new = vec![0];
            let mut leaves = 1;
            loop {
                let (first, then) = read().asked(&new, 0, is_asked);
                let mut splits = BTreeMap::new();
                for asked in first.into_iter().chain(then) {
                    splits.append(&mut find(&[asked], &this.looked_at(&mut order)));
                }
                // The left side, which has the lower number, first.
                for (leaf, split) in splits {
                    waiting.push(split.gain, (leaf, split));
                }
                write().split.clear();
                if leaves >= most {
                    break;
                }
                let Some((_, (leaf, split))) = waiting.pop() else {
                    break;
                };
                new = vec![leaf, write().split(leaf, split, binned)];
                leaves += 1;
            }
        });
        let growth = state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut leaf = vec![0; n];
        for (l, own) in growth.leaves.iter().enumerate() {
            own.rows
                .iter()
                .for_each(|row| leaf[*row as usize] = l as u32);
        }
        let nodes = growth.nodes;
        self.random = random;
        (nodes, leaf)
    }

    /// The score of a leaf as it is. As in the program the gradients of all sums of trees are added up
    /// first: of labels, whose gradients cancel out, hardly anything is left.
    fn score_of(&self, leaf: &Leaf) -> f64 {
        let g = leaf.pairs.iter().flatten().map(|pair| pair[0]).sum();
        let w = leaf
            .pairs
            .first()
            .map(|own| own.iter().map(|pair| pair[1]).sum());
        let (top, bottom) = self.worth([g, w.unwrap_or_default()]);
        self.score((top, 1e-100 + bottom))
    }

    /// The score of each cut of a column, from the sums of its bins.
    fn cut_scores(&self, cells: &[[f64; 2]], cuts: usize) -> Vec<Option<f64>> {
        let mut halves = vec![(0.0, 1e-100); cuts];
        let mut sides = vec![([0.0; 2], [0.0; 2]); cuts];
        for cells in cells.chunks_exact(cuts + 1) {
            self.add_cuts(cells, &mut sides, &mut halves);
        }
        let scores = halves.into_iter().map(|both| Some(self.score(both)));
        scores.collect()
    }
}

impl Leaf {
    /// Drops the sums, which nobody asks for any more.
    fn forget(&mut self) {
        (self.sums, self.pairs) = (Vec::new(), Vec::new());
    }
}

#[cfg(test)]
mod tests {
    use super::super::Fitted;
    use super::super::cases::{fitted, table};
    use super::*;
    use mltrainer_catalogue_core::Predictor as _;

    #[test]
    fn trees_are_those_of_the_program() {
        // catboost 1.2.10, CatBoostRegressor and CatBoostClassifier(n_estimators=3, learning_rate=0.3,
        // bootstrap_type="No", random_strength=0, ...): the first three predictions, of labels the shares of
        // the last one; weights of rows ((7i) % 11 + 1)/4 where it says so.
        for (given, kind, want) in [
            (
                r#"{"grow_policy": "Depthwise", "depth": 3}"#,
                "numbers",
                [0.6509399178966391, 0.9307657728599448, 3.2782003791963565],
            ),
            (
                r#"{"grow_policy": "Depthwise", "depth": 6}"#,
                "numbers",
                [0.9896609060998784, 1.1437316832106368, 3.4218238504755294],
            ),
            (
                r#"{"grow_policy": "Depthwise", "depth": 4, "min_data_in_leaf": 60}"#,
                "numbers",
                [0.7520082006905833, 0.8123800643145429, 3.4235572203090943],
            ),
            (
                r#"{"grow_policy": "Depthwise", "depth": 4, "score_function": "L2"}"#,
                "weighed",
                [1.3223280888233442, 0.7256302945411215, 3.1277302450989186],
            ),
            (
                r#"{"grow_policy": "Depthwise", "depth": 4, "loss_function": "MAE"}"#,
                "weighed",
                [0.13230352284075764, 0.6684363924075498, 3.0221795563008946],
            ),
            (
                r#"{"grow_policy": "Depthwise", "depth": 3}"#,
                "labels2",
                [0.22575165972817138, 0.24397515344921725, 0.6560687358080639],
            ),
            (
                r#"{"grow_policy": "Depthwise", "depth": 3}"#,
                "labels3",
                [0.14764656310289306, 0.17716401832974765, 0.4492023046074656],
            ),
            (
                r#"{"grow_policy": "Lossguide"}"#,
                "numbers",
                [0.6642584459989587, 0.9235551367959207, 3.4458895211033154],
            ),
            (
                r#"{"grow_policy": "Lossguide", "max_leaves": 6}"#,
                "numbers",
                [1.112301775557642, 1.1668853313067356, 3.287129199511933],
            ),
            (
                r#"{"grow_policy": "Lossguide", "max_leaves": 6, "score_function": "L2"}"#,
                "weighed",
                [0.9926631464600966, 1.0185538610120757, 2.983855620659436],
            ),
            (
                r#"{"grow_policy": "Lossguide", "depth": 4, "min_data_in_leaf": 40}"#,
                "numbers",
                [0.703382260588775, 1.0317117487234135, 2.9689296407682635],
            ),
            (
                r#"{"grow_policy": "Lossguide", "max_leaves": 8, "loss_function": "Huber:delta=0.7", "leaf_estimation_method": "Gradient"}"#,
                "numbers",
                [-0.16210426736648603, 0.2529870061597448, 0.5266969036130921],
            ),
            (
                r#"{"grow_policy": "Lossguide", "max_leaves": 5}"#,
                "labels2",
                [0.26631227719888106, 0.3014760108903334, 0.7126701509878111],
            ),
            (
                r#"{"grow_policy": "Lossguide", "max_leaves": 5}"#,
                "labels3",
                [0.19158559208785464, 0.23973759183572968, 0.4206499239177112],
            ),
            (
                r#"{"grow_policy": "Lossguide", "max_leaves": 1}"#,
                "numbers",
                [2.408271507565442, 2.408271507565442, 2.408271507565442],
            ),
            (
                r#"{"grow_policy": "Depthwise", "depth": 6, "n_estimators": 25}"#,
                "weighed",
                [-0.9558823362808311, -0.1071742425630906, 3.5834642833505956],
            ),
            (
                r#"{"grow_policy": "Depthwise", "depth": 6, "n_estimators": 25, "min_data_in_leaf": 20}"#,
                "numbers",
                [-1.553398969226572, -0.33793684743695973, 3.561014688716189],
            ),
            (
                r#"{"grow_policy": "Lossguide", "n_estimators": 25}"#,
                "weighed",
                [-0.9188255593836692, -0.12777725024758135, 3.450559475757802],
            ),
            (
                r#"{"grow_policy": "Lossguide", "n_estimators": 25, "score_function": "L2", "loss_function": "Quantile:alpha=0.3"}"#,
                "numbers",
                [-1.7857880006349434, -0.19422998666190971, 2.874231060493873],
            ),
            (
                r#"{"grow_policy": "Depthwise", "depth": 6, "n_estimators": 25}"#,
                "labels2",
                [0.024681595384672794, 0.0547553940759553, 0.9504428743306583],
            ),
            (
                r#"{"grow_policy": "Lossguide", "n_estimators": 25}"#,
                "labels3",
                [
                    0.021754342069891745,
                    0.03267857605882703,
                    0.44536307329124647,
                ],
            ),
        ] {
            let fitted = fitted(serde_json::from_str(given).unwrap(), kind).unwrap();
            let (x, _) = table();
            let first = x.slice_axis(ndarray::Axis(0), (..3).into());
            let said = fitted.predict(first).unwrap();
            let got = match said.probabilities {
                Some(p) => p.column(p.ncols() - 1).to_vec(),
                None => said.values,
            };
            crate::testing::assert_near(&got, &want, 1e-6);
        }
    }

    #[test]
    fn shap_values_and_importances_are_those_of_the_program() {
        // catboost 1.2.10, CatBoostRegressor(n_estimators=3, learning_rate=0.3, depth=3,
        // grow_policy="Depthwise", bootstrap_type="No", random_strength=0): get_feature_importance() / 100, and
        // type="ShapValues" of the first two rows. All eight leaves of its trees are on the last level: of a
        // node with a leaf and a node below it the program's values do not add up to its prediction.
        let (x, _) = table();
        let given = serde_json::json!({"grow_policy": "Depthwise", "depth": 3});
        let depthwise = fitted(given, "numbers").unwrap();
        crate::testing::assert_near(
            &depthwise.importances,
            &[
                0.44500564715009394,
                0.42643264544415445,
                0.12856170720575164,
                0.0,
                0.0,
            ],
            1e-7,
        );
        let first = x.slice_axis(ndarray::Axis(0), (..2).into());
        let found = depthwise.contributions(first).unwrap().unwrap();
        for (k, want) in [
            [
                -0.8184624379503711,
                -0.5069049445458471,
                -0.4288965883612697,
                0.0,
                0.0,
            ],
            [
                -1.044497365718162,
                0.04676146938371387,
                -0.4767022195597344,
                0.0,
                0.0,
            ],
        ]
        .iter()
        .enumerate()
        {
            crate::testing::assert_near(&found.values[0].row(k).to_vec(), want, 1e-6);
        }
        crate::testing::assert_near(&found.base, &[2.405203888754127], 1e-6);
        // The same with grow_policy="Lossguide", max_leaves=6: the importances, and what SHAP values add up to.
        let given = serde_json::json!({"grow_policy": "Lossguide", "max_leaves": 6});
        let lossguide = fitted(given, "numbers").unwrap();
        crate::testing::assert_near(
            &lossguide.importances,
            &[
                0.46874644100393453,
                0.42507234097470437,
                0.1061812180213611,
                0.0,
                0.0,
            ],
            1e-7,
        );
        let found = lossguide.contributions(x.view()).unwrap().unwrap();
        let sums = found.values[0].sum_axis(ndarray::Axis(1)) + found.base[0];
        let said = lossguide.predict(x.view()).unwrap().values;
        crate::testing::assert_near(&sums.to_vec(), &said, 1e-12);
    }

    #[test]
    fn an_unequal_tree_has_the_shap_values_of_the_definition() {
        // x0 > 0 ? (x1 > 0 ? 8 : 0) : -4 with 2, 1 and 1 rows. Of the row (1, 1): nothing known
        // (2·8 + 0 - 4)/4 = 3; x0 known (2·8 + 0)/3 = 16/3; x1 known (3·8 - 4)/4 = 5; both 8. So
        // x0 gets ((16/3 - 3) + (8 - 5))/2 = 8/3, and x1 ((5 - 3) + (8 - 16/3))/2 = 7/3.
        let node = |column, sides| Node {
            column,
            border: 0.0,
            sides,
        };
        let tree = Tree {
            questions: Vec::new(),
            values: vec![-4.0, 0.0, 8.0],
            sizes: vec![1.0, 1.0, 2.0],
            nodes: vec![node(0, [-1, 1]), node(1, [-2, -3])],
        };
        let x = ndarray::array![[1.0, 1.0]];
        let mut sum = crate::tree::shap::Sum::new(x.view(), &[0.0]);
        sum.add(&Branches::new(&tree), 1.0, 0, x.view()).unwrap();
        let found = sum.finish(Vec::new(), mltrainer_catalogue_core::Explained::Value);
        crate::testing::assert_near(
            &found.values[0].row(0).to_vec(),
            &[8.0 / 3.0, 7.0 / 3.0],
            1e-12,
        );
        crate::testing::assert_near(&found.base, &[3.0], 1e-12);
        // x0: sides -4 (1 row) and 16/3 (3 rows), mean 3: 7² + 3 (7/3)² = 196/3. x1: sides 0 (1 row) and 8
        // (2 rows), mean 16/3: (16/3)² + 2 (8/3)² = 128/3.
        let mut changes = [0.0; 2];
        change(&mut changes, &tree, 1);
        crate::testing::assert_near(&changes, &[196.0 / 3.0, 128.0 / 3.0], 1e-12);
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for (given, why) in [
            (serde_json::json!({"max_leaves": 8}), "max_leaves"),
            (
                serde_json::json!({"grow_policy": "Depthwise", "max_leaves": 8}),
                "max_leaves",
            ),
            (
                serde_json::json!({"grow_policy": "Lossguide", "boosting_type": "Ordered"}),
                "boosting_type",
            ),
        ] {
            let refused = fitted(given, "numbers").err().unwrap();
            assert!(refused.contains(why), "{refused}");
        }
        let given = serde_json::json!({"feature_weights": "1,1,1,1,1,2"});
        let refused = fitted(given, "numbers").err().unwrap();
        assert!(refused.contains("6 factors for 5 columns"), "{refused}");
    }

    #[test]
    fn threads_and_saving_change_nothing() {
        let (x, _) = table();
        for policy in ["Depthwise", "Lossguide"] {
            let fit = |threads: usize| {
                let given =
                    serde_json::json!({"grow_policy": policy, "rsm": 0.6, "random_strength": 1.0});
                threads::grant(threads, || fitted(given, "weighed")).unwrap()
            };
            let one = serde_json::to_string(&fit(1)).unwrap();
            assert_eq!(one, serde_json::to_string(&fit(3)).unwrap());
            let back: Fitted = serde_json::from_str(&one).unwrap();
            let said = |fitted: &Fitted| fitted.predict(x.view()).unwrap().values;
            assert_eq!(said(&back), said(&fit(1)));
        }
        // A tree that was saved before there were nodes.
        let old = r#"{"questions": [[0, 0.5]], "values": [1.0, 2.0]}"#;
        let tree: Tree = serde_json::from_str(old).unwrap();
        assert_eq!(tree.leaf(ndarray::array![0.75].view()), 1);
    }
}
