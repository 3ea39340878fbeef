//! Exact SHAP values of trees, path dependent: what every kind of tree shares.
//!
//! A column that is not known sends a row down both sides of its splits, by the shares of the
//! training rows there (Lundberg, Erion & Lee 2018; Lundberg et al., Nature Machine Intelligence 2,
//! 2020). The value of a column is its mean effect over all orders in which columns become known.
//!
//! A leaf of value v is reached with the columns T known when each known column of its path sends the
//! row there, and by the share z_j of each unknown one: a game that is a product over the d columns of
//! the path. Shapley's weights k!(d-1-k)!/d! are integrals of t^k (1-t)^(d-1-k), so the value of a
//! column i of the path is, with S the columns that send the row there and U the others,
//!
//! - for i in S: v (1 - z_i) Π_U z_j ∫ Π_{S without i} (t + (1-t) z_j) (1-t)^|U| dt,
//! - for i in U: -v Π_U z_j ∫ Π_S (t + (1-t) z_j) (1-t)^(|U|-1) dt,
//!
//! polynomials of degree d - 1, which Gauss-Legendre quadrature with d/2 points integrates exactly.
//! All terms are positive: no digits are lost. Rows that agree on S share the work of a leaf.

use mltrainer_catalogue_core::{Contributions, Explained, FitError};
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use std::collections::BTreeMap;

/// A tree as SHAP values need it; node 0 is the root.
pub(crate) trait Splits {
    /// Column, left and right child of a node; none for a leaf.
    fn split(&self, node: usize) -> Option<(usize, usize, usize)>;
    /// Weight of the training rows of a node.
    fn cover(&self, node: usize) -> f64;
    /// Whether a split sends a row left.
    fn goes_left(&self, node: usize, row: ArrayView1<'_, f64>) -> bool;
    /// What a leaf adds, one a table.
    fn answer(&self, leaf: usize) -> &[f64];
}

/// A column on the way to a leaf.
#[derive(Clone)]
struct Step {
    column: usize,
    /// Share of the training rows that go the way of the leaf at the splits of this column.
    share: f64,
    /// Those splits, by their place among all, and whether the leaf is on their left.
    splits: Vec<(usize, bool)>,
}

/// The way to a leaf, one step a column.
struct Path {
    leaf: usize,
    steps: Vec<Step>,
}

/// Rows looked at together.
const BLOCK: usize = 1024;

/// Contributions while they are summed up over trees.
pub(crate) struct Sum {
    values: Vec<Array2<f64>>,
    base: Vec<f64>,
    /// Quadrature by number of points.
    points: Vec<Vec<(f64, f64)>>,
}

impl Sum {
    /// Nothing yet: tables of rows x columns, and where each starts.
    pub(crate) fn new(x: ArrayView2<'_, f64>, start: &[f64]) -> Self {
        Self {
            values: vec![Array2::zeros(x.dim()); start.len()],
            base: start.to_vec(),
            points: Vec::new(),
        }
    }

    /// The contributions.
    pub(crate) fn finish(self, classes: Vec<i64>, of: Explained) -> Contributions {
        Contributions {
            values: self.values,
            base: self.base,
            classes,
            of,
        }
    }

    /// Adds `factor` times a tree, whose answers go to the tables from `first` on.
    ///
    /// # Errors
    /// [`FitError::Failed`] when the tree does not know how many training rows went where.
    pub(crate) fn add(
        &mut self,
        tree: &impl Splits,
        factor: f64,
        first: usize,
        x: ArrayView2<'_, f64>,
    ) -> Result<(), FitError> {
        let (splits, paths) = paths(tree)?;
        for path in &paths {
            let reached: f64 = path.steps.iter().map(|s| s.share).product();
            for (base, v) in self.base[first..].iter_mut().zip(tree.answer(path.leaf)) {
                *base += factor * reached * v;
            }
        }
        for from in (0..x.nrows()).step_by(BLOCK) {
            let block = x.slice_axis(Axis(0), (from..(from + BLOCK).min(x.nrows())).into());
            let rows = block.nrows();
            let mut left = vec![false; splits.len() * rows];
            for (node, own) in splits.iter().zip(left.chunks_mut(rows.max(1))) {
                for (l, row) in own.iter_mut().zip(block.rows()) {
                    *l = tree.goes_left(*node, row);
                }
            }
            for path in paths.iter().filter(|p| !p.steps.is_empty()) {
                self.add_leaf(
                    path,
                    tree.answer(path.leaf),
                    factor,
                    first,
                    &left,
                    from,
                    rows,
                );
            }
        }
        Ok(())
    }

    /// Adds one leaf of a tree, for a block of rows.
    #[expect(
        clippy::too_many_arguments,
        reason = "the inner loop of one method, cut out to be read by itself"
    )]
    fn add_leaf(
        &mut self,
        path: &Path,
        answer: &[f64],
        factor: f64,
        first: usize,
        left: &[bool],
        from: usize,
        rows: usize,
    ) {
        let d = path.steps.len();
        let words = d.div_ceil(64);
        // Which columns send each row to this leaf, one bit a column.
        let mut keys = vec![0_u64; rows * words];
        for (k, step) in path.steps.iter().enumerate() {
            for row in 0..rows {
                let there = step
                    .splits
                    .iter()
                    .all(|(split, side)| left[split * rows + row] == *side);
                keys[row * words + k / 64] |= u64::from(there) << (k % 64);
            }
        }
        while self.points.len() <= d.div_ceil(2) {
            self.points.push(legendre(self.points.len()));
        }
        let points = &self.points[d.div_ceil(2)];
        let mut known: BTreeMap<&[u64], Vec<f64>> = BTreeMap::new();
        for (row, key) in keys.chunks(words).enumerate() {
            let own = known
                .entry(key)
                .or_insert_with(|| leaf_values(&path.steps, key, points));
            for (table, v) in self.values[first..].iter_mut().zip(answer) {
                let mut out = table.row_mut(from + row);
                for (step, phi) in path.steps.iter().zip(own.iter()) {
                    out[step.column] += factor * v * phi;
                }
            }
        }
    }
}

/// SHAP values of the mean of trees: of the value, or of the share of each label.
///
/// # Errors
/// Those of [`Sum::add`].
pub(crate) fn of_mean(
    trees: &[impl Splits],
    x: ArrayView2<'_, f64>,
    classes: &[i64],
) -> Result<Option<Contributions>, FitError> {
    let mut sum = Sum::new(x, &vec![0.0; classes.len().max(1)]);
    for tree in trees {
        sum.add(tree, 1.0 / trees.len() as f64, 0, x)?;
    }
    let of = if classes.is_empty() {
        Explained::Value
    } else {
        Explained::Probability
    };
    Ok(Some(sum.finish(classes.to_vec(), of)))
}

/// The values of the columns of a path for a leaf of value 1; a bit of `key` says whether the column
/// sends the row to the leaf.
fn leaf_values(steps: &[Step], key: &[u64], points: &[(f64, f64)]) -> Vec<f64> {
    let there = |k: usize| key[k / 64] >> (k % 64) & 1 == 1;
    let mut away = 0_i32;
    let mut outside = 1.0;
    for (k, step) in steps.iter().enumerate() {
        if !there(k) {
            away += 1;
            outside *= step.share;
        }
    }
    let mut values = vec![0.0; steps.len()];
    if outside == 0.0 {
        return values;
    }
    for (t, weight) in points {
        let at = |share: f64| t + (1.0 - t) * share;
        let inside: f64 = (0..steps.len())
            .filter(|k| there(*k))
            .map(|k| at(steps[k].share))
            .product();
        let on = weight * inside * (1.0 - t).powi(away);
        for (k, value) in values.iter_mut().enumerate() {
            *value += if there(k) {
                on * (1.0 - steps[k].share) / at(steps[k].share)
            } else {
                -on / (1.0 - t)
            };
        }
    }
    values.iter_mut().for_each(|v| *v *= outside);
    values
}

/// The inner nodes of a tree, and the way to each leaf.
fn paths(tree: &impl Splits) -> Result<(Vec<usize>, Vec<Path>), FitError> {
    if tree.split(0).is_some() && tree.cover(0) <= 0.0 {
        return Err(FitError::Failed(
            "the trees do not say how many training rows went where: a model file without them has no SHAP values".into(),
        ));
    }
    let (mut splits, mut paths) = (Vec::new(), Vec::new());
    let mut open: Vec<(usize, Vec<Step>)> = vec![(0, Vec::new())];
    while let Some((node, steps)) = open.pop() {
        let Some((column, left, right)) = tree.split(node) else {
            paths.push(Path { leaf: node, steps });
            continue;
        };
        let all = tree.cover(node);
        for (child, side) in [(right, false), (left, true)] {
            let share = if all > 0.0 {
                tree.cover(child) / all
            } else {
                0.0
            };
            let mut steps = steps.clone();
            match steps.iter_mut().find(|s| s.column == column) {
                Some(step) => {
                    step.share *= share;
                    step.splits.push((splits.len(), side));
                }
                None => steps.push(Step {
                    column,
                    share,
                    splits: vec![(splits.len(), side)],
                }),
            }
            open.push((child, steps));
        }
        splits.push(node);
    }
    Ok((splits, paths))
}

/// Points and weights of Gauss-Legendre quadrature on 0 to 1: Newton's method on the polynomial.
fn legendre(n: usize) -> Vec<(f64, f64)> {
    let mut points = Vec::with_capacity(n);
    for i in 0..n {
        let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
        let mut slope = 1.0;
        // Newton doubles the digits each time; the start is good to three.
        for _ in 0..8 {
            let (mut p, mut before) = (1.0, 0.0);
            for k in 1..=n {
                let k = k as f64;
                (p, before) = (((2.0 * k - 1.0) * x * p - (k - 1.0) * before) / k, p);
            }
            slope = n as f64 * (x * p - before) / (x * x - 1.0);
            x -= p / slope;
        }
        points.push((
            f64::midpoint(1.0, -x),
            1.0 / ((1.0 - x * x) * slope * slope),
        ));
    }
    points
}
