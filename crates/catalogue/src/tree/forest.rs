//! Many trees and their mean: what forests, extremely randomised trees and bagged trees share.

use super::engine::{self, Learned, Rules, Sorted, Tree};
use super::shap;
use crate::class_weight::{ClassWeight, ForestClassWeight, balanced, row_weights};
use mltrainer_catalogue_core::{
    Contributions, FitError, Outputs, ParamError, Prediction, Training, run, threads,
};
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
    /// Whether rows that a tree did not see are judged by it.
    pub(crate) oob: bool,
    /// Rows drawn.
    pub(crate) draws: usize,
    pub(crate) weight: RowWeights,
    pub(crate) seed: u64,
}

/// How weights of rows and of labels enter a tree: as scikit-learn 1.9, so that a row of weight 2
/// counts as two rows.
pub(crate) struct RowWeights {
    /// Rows are drawn with a chance in proportion to this; none draws all alike.
    pub(crate) chances: Option<Vec<f64>>,
    /// What a row counts for besides how often it is drawn.
    pub(crate) factors: Vec<f64>,
    /// Whether labels are balanced over the rows drawn.
    pub(crate) balance_drawn: bool,
    /// Weight of all rows, that of labels included.
    pub(crate) total: f64,
}

impl RowWeights {
    /// Of a forest: weights of rows and labels are chances when rows are drawn, else factors.
    ///
    /// # Errors
    /// Those of the weights of labels.
    pub(crate) fn new(
        data: &Training,
        class_weight: Option<&ForestClassWeight>,
        bootstrap: bool,
    ) -> Result<Self, ParamError> {
        let balanced = ClassWeight::Balanced;
        let (of_labels, balance_drawn) = match class_weight {
            Some(ForestClassWeight::BalancedSubsample) if bootstrap => (None, true),
            Some(ForestClassWeight::BalancedSubsample) => (Some(&balanced), false),
            Some(ForestClassWeight::Of(weight)) => (Some(weight), false),
            None => (None, false),
        };
        let weights = row_weights(data, of_labels)?;
        let total = weights.iter().sum();
        Ok(if bootstrap {
            Self {
                chances: chances(Some(&weights)).map(<[f64]>::to_vec),
                // A row that counts for nothing is drawn by nobody.
                factors: vec![1.0; weights.len()],
                balance_drawn,
                total,
            }
        } else {
            Self {
                chances: None,
                factors: weights,
                balance_drawn,
                total,
            }
        })
    }
}

impl RowWeights {
    /// From how often each row is drawn to what it counts for.
    fn weigh(&self, weights: &mut [f64], data: &Training) {
        for (w, factor) in weights.iter_mut().zip(&self.factors) {
            *w *= factor;
        }
        if let (true, Some(labels)) = (self.balance_drawn, data.labels()) {
            let mut counts = vec![0.0; labels.classes.len()];
            for (w, code) in weights.iter().zip(&labels.codes) {
                counts[*code] += w;
            }
            let factors = balanced(&counts);
            for (w, code) in weights.iter_mut().zip(&labels.codes) {
                *w *= factors[*code];
            }
        }
    }
}

/// Weights as chances; none when they are all the same.
pub(crate) fn chances(weights: Option<&[f64]>) -> Option<&[f64]> {
    weights.filter(|w| w.iter().any(|v| *v != w[0]))
}

/// How many rows are drawn: up to 1 a share of all rows, or of all their weight, above 1 that number.
pub(crate) fn draws(given: f64, all: f64) -> usize {
    let many = if given > 1.0 { given } else { given * all };
    (many as usize).max(1)
}

/// How often each row is drawn, with replacement: alike, or with a chance in proportion to its weight.
pub(crate) fn drawn(
    n: usize,
    many: usize,
    chances: Option<&[f64]>,
    random: &mut Xoshiro256PlusPlus,
) -> Vec<f64> {
    let mut counts = vec![0.0; n];
    let Some(chances) = chances else {
        for _ in 0..many {
            counts[random.gen_range(0..n)] += 1.0;
        }
        return counts;
    };
    let mut sums = Vec::with_capacity(n);
    let mut all = 0.0;
    for w in chances {
        all += w;
        sums.push(all);
    }
    let last = chances.iter().rposition(|w| *w > 0.0).unwrap_or_default();
    for _ in 0..many {
        let at = random.r#gen::<f64>() * all;
        counts[sums.partition_point(|s| *s <= at).min(last)] += 1.0;
    }
    counts
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

/// Grows the trees.
///
/// # Errors
/// Those of [`Sorted::new`].
pub(crate) fn grow(
    data: &Training,
    learned: &Learned,
    rules: &Rules,
    plan: &Plan,
) -> Result<Forest, FitError> {
    // As in scikit-learn: with a fixed order the first columns would win every tie, and be split more often
    // than the others.
    let rules = &Rules {
        shuffled: true,
        ..rules.clone()
    };
    let sorted = Sorted::new(data.x(), rules.splitter, rules.max_features)?;
    let (n, p) = (sorted.rows(), sorted.columns());
    let classes = data.labels().map(|l| l.classes.clone()).unwrap_or_default();
    let width = classes.len().max(1);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(plan.seed);
    let mut importances = vec![0.0; p];
    let mut trees = Vec::with_capacity(plan.trees);
    let judged = plan.oob && (plan.bootstrap || plan.draw);
    let (mut unseen, mut votes) = (Array2::<f64>::zeros((n, width)), vec![0_u32; n]);
    // A few trees at a time: what they say of rows they did not see waits for its turn.
    let wave = 4 * threads::granted();
    for first in (0..plan.trees).step_by(wave) {
        let starts: Vec<Xoshiro256PlusPlus> = (first..plan.trees.min(first + wave))
            .map(|_| {
                let start = random.clone();
                // Drawn once to know where the next tree starts, and again by the tree itself.
                rows_of_tree(plan, n, &mut random)?;
                random.long_jump();
                Ok(start)
            })
            .collect::<Result<_, FitError>>()?;
        let grown = threads::map(starts.len(), |t| {
            let mut own = starts[t].clone();
            let mut own_weights = rows_of_tree(plan, n, &mut own)?;
            let seen: Vec<bool> = own_weights.iter().map(|w| *w > 0.0).collect();
            plan.weight.weigh(&mut own_weights, data);
            // Each tree has a stream of its own: how one grows does not move the draws of the next.
            own.jump();
            let tree = engine::grow(&sorted, learned.target(), &own_weights, rules, &mut own).tree;
            let rows = (0..n).filter(|r| judged && !seen[*r]);
            let answers: Vec<(u32, u32)> = rows
                .map(|r| (r as u32, tree.leaf(data.x().row(r)) as u32))
                .collect();
            Ok::<_, FitError>((tree, answers))
        });
        for found in grown {
            let (tree, answers) = found?;
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
///
/// # Errors
/// Those of [`apart`].
fn rows_of_tree(
    plan: &Plan,
    n: usize,
    random: &mut Xoshiro256PlusPlus,
) -> Result<Vec<f64>, FitError> {
    let chances = plan.weight.chances.as_deref();
    if plan.bootstrap {
        return Ok(drawn(n, plan.draws, chances, random));
    }
    let mut weights = vec![f64::from(u8::from(!plan.draw)); n];
    if plan.draw {
        for row in apart(n, plan.draws, chances, random)? {
            weights[row] = 1.0;
        }
    }
    Ok(weights)
}

/// Columns that a tree or a model is given of `p`: up to 1 a share of them, above 1 their number.
///
/// # Errors
/// [`FitError::Param`] for a number that is not whole or beyond `p`.
pub(crate) fn columns_drawn(max_features: f64, p: usize) -> Result<usize, FitError> {
    if max_features <= 1.0 {
        return Ok(((p as f64 * max_features) as usize).max(1));
    }
    if max_features.fract() != 0.0 || max_features > p as f64 {
        return Err(FitError::Param(ParamError {
            field: "max_features".into(),
            reason: format!("{max_features} is neither a share nor a number of the {p} columns"),
            suggestions: Vec::new(),
        }));
    }
    Ok(max_features as usize)
}

/// Rows drawn without replacement: alike, or one after another with a chance in proportion to the
/// weight.
///
/// # Errors
/// [`FitError::Data`] with fewer rows of a weight above 0 than are to be drawn.
pub(crate) fn apart(
    n: usize,
    many: usize,
    chances: Option<&[f64]>,
    random: &mut Xoshiro256PlusPlus,
) -> Result<Vec<usize>, FitError> {
    let many = many.min(n);
    let Some(chances) = chances else {
        return Ok(rand::seq::index::sample(random, n, many).into_vec());
    };
    if chances.iter().filter(|w| **w > 0.0).count() < many {
        return Err(FitError::Data(format!(
            "{many} rows are to be drawn without replacement, and fewer have a weight above 0: lower max_samples"
        )));
    }
    let mut left = chances.to_vec();
    let mut rows = Vec::with_capacity(many);
    for _ in 0..many {
        let at = random.r#gen::<f64>() * left.iter().sum::<f64>();
        let mut sum = 0.0;
        let found = left.iter().position(|w| {
            sum += w;
            sum > at
        });
        let row = found.or_else(|| left.iter().rposition(|w| *w > 0.0));
        let row = row.unwrap_or_default();
        left[row] = 0.0;
        rows.push(row);
    }
    Ok(rows)
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

    /// SHAP values of the mean over the trees.
    ///
    /// # Errors
    /// Those of [`shap::Sum::add`].
    pub(crate) fn contributions(
        &self,
        x: ArrayView2<'_, f64>,
    ) -> Result<Option<Contributions>, FitError> {
        shap::of_mean(&self.trees, x, &self.classes)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_as_a_share_or_a_number() {
        // scikit-learn 1.9.1: int(0.5 * 5) = 2, int(0.1 * 5) raised to 1, 1.0 is all, 3 is three.
        for (given, want) in [(0.5, 2), (0.1, 1), (1.0, 5), (3.0, 3), (5.0, 5)] {
            assert_eq!(columns_drawn(given, 5).unwrap(), want);
        }
        for given in [2.5, 6.0] {
            assert_eq!(
                columns_drawn(given, 5).unwrap_err().to_string(),
                format!(
                    "parameter max_features: {given} is neither a share nor a number of the 5 columns"
                )
            );
        }
    }
}
