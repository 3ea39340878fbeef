//! Many trees and their mean: what forests, extremely randomised trees and bagged trees share.

use super::engine::{self, Learned, Rules, Sorted, Tree};
use mltrainer_catalogue_core::{FitError, Outputs, Prediction, Training, run, threads};
use ndarray::{Array2, ArrayView2, Axis};
use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// How many trees, and which rows each sees.
pub(crate) struct Plan {
    pub(crate) trees: usize,
    /// Whether rows are drawn with replacement.
    pub(crate) bootstrap: bool,
    /// Whether rows are drawn without replacement, when not with.
    pub(crate) draw: bool,
    /// Rows drawn.
    pub(crate) draws: usize,
    pub(crate) seed: u64,
}

/// Rows that are predicted together.
const PIECE: usize = 256;

/// Fitted trees.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Forest {
    trees: Vec<Tree>,
    classes: Vec<i64>,
    importances: Vec<f64>,
    /// R² or accuracy on the rows that a tree did not see; none where every tree sees all rows.
    oob_score: Option<f64>,
}

/// Grows the trees; `weights` are factors of the rows, one each.
///
/// # Errors
/// Those of [`Sorted::new`].
pub(crate) fn grow(
    data: &Training,
    learned: &Learned,
    weights: &[f64],
    rules: &Rules,
    plan: &Plan,
) -> Result<Forest, FitError> {
    let sorted = Sorted::new(data.x(), rules.splitter, rules.max_features)?;
    let (n, p) = (sorted.rows(), sorted.columns());
    let classes = data.labels().map(|l| l.classes.clone()).unwrap_or_default();
    let width = classes.len().max(1);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(plan.seed);
    let mut importances = vec![0.0; p];
    let mut trees = Vec::with_capacity(plan.trees);
    let draws = plan.bootstrap || plan.draw;
    let (mut unseen, mut votes) = (Array2::<f64>::zeros((n, width)), vec![0_u32; n]);
    // A few trees at a time: what they say of rows they did not see waits for its turn.
    let wave = 4 * threads::granted();
    for first in (0..plan.trees).step_by(wave) {
        let starts: Vec<Xoshiro256PlusPlus> = (first..plan.trees.min(first + wave))
            .map(|_| {
                let start = random.clone();
                // Drawn once to know where the next tree starts, and again by the tree itself.
                drawn(plan, n, &mut random);
                random.long_jump();
                start
            })
            .collect();
        let grown = threads::map(starts.len(), |t| {
            let mut own = starts[t].clone();
            let mut own_weights = drawn(plan, n, &mut own);
            for (w, factor) in own_weights.iter_mut().zip(weights) {
                *w *= factor;
            }
            // Each tree has a stream of its own: how one grows does not move the draws of the next.
            own.jump();
            let tree = engine::grow(&sorted, learned.target(), &own_weights, rules, &mut own).tree;
            let rows = (0..n).filter(|r| draws && own_weights[*r] == 0.0);
            let answers: Vec<(u32, u32)> = rows
                .map(|r| (r as u32, tree.leaf(data.x().row(r)) as u32))
                .collect();
            (tree, answers)
        });
        for (tree, answers) in grown {
            for (sum, i) in importances.iter_mut().zip(tree.importances()) {
                *sum += i;
            }
            for (row, leaf) in answers {
                votes[row as usize] += 1;
                let mut sum = unseen.row_mut(row as usize);
                let answer = tree.values(leaf as usize);
                sum.iter_mut().zip(answer).for_each(|(s, a)| *s += a);
            }
            trees.push(tree);
        }
    }
    Ok(Forest {
        trees,
        importances: engine::shares(importances),
        oob_score: oob_score(data, &unseen, &votes),
        classes,
    })
}

/// How often each row is drawn for a tree.
fn drawn(plan: &Plan, n: usize, random: &mut Xoshiro256PlusPlus) -> Vec<f64> {
    let mut weights = vec![f64::from(u8::from(!plan.bootstrap && !plan.draw)); n];
    if plan.bootstrap {
        for _ in 0..plan.draws {
            weights[random.gen_range(0..n)] += 1.0;
        }
    } else if plan.draw {
        for row in rand::seq::index::sample(random, n, plan.draws.min(n)) {
            weights[row] = 1.0;
        }
    }
    weights
}

/// R² or accuracy over the rows with a vote.
fn oob_score(data: &Training, sums: &Array2<f64>, votes: &[u32]) -> Option<f64> {
    let rows: Vec<usize> = (0..votes.len()).filter(|r| votes[*r] > 0).collect();
    if rows.is_empty() {
        return None;
    }
    if let Some(labels) = data.labels() {
        let right = rows.iter().filter(|r| {
            let row = sums.row(**r);
            let mut best = 0;
            for (k, v) in row.iter().enumerate() {
                if *v > row[best] {
                    best = k;
                }
            }
            best == labels.codes[**r]
        });
        return Some(right.count() as f64 / rows.len() as f64);
    }
    let y: Vec<f64> = rows.iter().map(|r| data.y()[*r]).collect();
    let answers = rows.iter().map(|r| sums[[*r, 0]] / f64::from(votes[*r]));
    mltrainer_catalogue_core::score::r2(&y, &answers.collect::<Vec<_>>())
}

impl Forest {
    /// The mean over the trees; for numbers also the standard deviation over the trees.
    pub(crate) fn predict(&self, x: ArrayView2<'_, f64>) -> Prediction {
        let many = self.trees.len() as f64;
        let n = x.nrows();
        // Rows in pieces, tree after tree: a piece and a tree stay in the cache.
        let pieces = threads::map(n.div_ceil(PIECE), |piece| {
            let rows = piece * PIECE..((piece + 1) * PIECE).min(n);
            let x = x.slice_axis(Axis(0), rows.into());
            if self.classes.is_empty() {
                self.numbers(x)
            } else {
                let mut out = Array2::zeros((x.nrows(), self.classes.len()));
                for tree in &self.trees {
                    tree.add_to(x, &mut out);
                }
                out /= many;
                out
            }
        });
        let width = self.classes.len().max(2);
        let mut out = Array2::zeros((n, width));
        for (mut to, piece) in out.axis_chunks_iter_mut(Axis(0), PIECE).zip(pieces) {
            to.assign(&piece);
        }
        if !self.classes.is_empty() {
            let out = out.slice_axis(Axis(1), (..self.classes.len()).into());
            return Prediction::probabilities(out.to_owned(), self.classes.clone());
        }
        Prediction {
            values: out.column(0).to_vec(),
            std: Some(out.column(1).to_vec()),
            ..Prediction::default()
        }
    }

    /// Mean and standard deviation over the trees, one row each.
    fn numbers(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let many = self.trees.len() as f64;
        // Sums of what is left after the first tree's answer is taken off: fewer digits are lost.
        let first: Vec<f64> = x
            .rows()
            .into_iter()
            .map(|r| self.trees[0].of(r)[0])
            .collect();
        let mut out = Array2::<f64>::zeros((x.nrows(), 2));
        for tree in &self.trees {
            tree.leaves(x, |i, leaf| {
                let off = tree.values(leaf)[0] - first[i];
                out[[i, 0]] += off;
                out[[i, 1]] += off * off;
            });
        }
        for (mut row, first) in out.rows_mut().into_iter().zip(&first) {
            let (sum, squares) = (row[0], row[1]);
            row[0] = first + sum / many;
            row[1] = (squares / many - (sum / many).powi(2)).max(0.0).sqrt();
        }
        out
    }

    /// R² or accuracy on the rows that a tree did not see.
    pub(crate) fn oob_score(&self) -> Option<f64> {
        self.oob_score
    }

    /// Importances, and the score on unseen rows where there are such.
    pub(crate) fn outputs(&self) -> Outputs {
        let mut outputs = Outputs::from_iter([(
            "feature_importances".to_owned(),
            run::numbers(&self.importances),
        )]);
        if let Some(score) = self.oob_score {
            outputs.insert("oob_score".into(), score.into());
        }
        outputs
    }
}
