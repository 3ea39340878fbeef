//! Many trees and their mean: what forests, extremely randomised trees and bagged trees share.

use super::engine::{self, Learned, Rules, Sorted, Tree};
use super::shap;
use mltrainer_catalogue_core::{Contributions, FitError, Outputs, Prediction, Training, run};
use ndarray::{Array2, ArrayView2};
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
    let sorted = Sorted::new(data.x(), rules.splitter)?;
    let (n, p) = (sorted.rows(), sorted.columns());
    let classes = data.labels().map(|l| l.classes.clone()).unwrap_or_default();
    let width = classes.len().max(1);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(plan.seed);
    let mut importances = vec![0.0; p];
    let mut trees = Vec::with_capacity(plan.trees);
    let draws = plan.bootstrap || plan.draw;
    let (mut unseen, mut votes) = (Array2::<f64>::zeros((n, width)), vec![0_u32; n]);
    for _ in 0..plan.trees {
        let mut own_weights = vec![f64::from(u8::from(!draws)); n];
        if plan.bootstrap {
            for _ in 0..plan.draws {
                own_weights[random.gen_range(0..n)] += 1.0;
            }
        } else if plan.draw {
            for row in rand::seq::index::sample(&mut random, n, plan.draws.min(n)) {
                own_weights[row] = 1.0;
            }
        }
        for (w, factor) in own_weights.iter_mut().zip(weights) {
            *w *= factor;
        }
        // Each tree has a stream of its own: how one grows does not move the draws of the next.
        let mut own = random.clone();
        own.jump();
        random.long_jump();
        let tree = engine::grow(&sorted, learned.target(), &own_weights, rules, &mut own).tree;
        for (sum, i) in importances.iter_mut().zip(tree.importances()) {
            *sum += i;
        }
        if draws {
            for row in (0..n).filter(|r| own_weights[*r] == 0.0) {
                votes[row] += 1;
                let answer = tree.of(data.x().row(row));
                let mut sum = unseen.row_mut(row);
                sum.iter_mut().zip(answer).for_each(|(s, a)| *s += a);
            }
        }
        trees.push(tree);
    }
    Ok(Forest {
        trees,
        importances: engine::shares(importances),
        oob_score: oob_score(data, &unseen, &votes),
        classes,
    })
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
        let mut out = Array2::zeros((x.nrows(), self.classes.len().max(1)));
        if !self.classes.is_empty() {
            for tree in &self.trees {
                tree.add_to(x, &mut out);
            }
            return Prediction::probabilities(out / many, self.classes.clone());
        }
        // Sums of what is left after the first tree's answer is taken off: fewer digits are lost.
        let first: Vec<f64> = x
            .rows()
            .into_iter()
            .map(|r| self.trees[0].of(r)[0])
            .collect();
        let (mut sums, mut squares) = (vec![0.0; x.nrows()], vec![0.0; x.nrows()]);
        for tree in &self.trees {
            for (i, row) in x.rows().into_iter().enumerate() {
                let off = tree.of(row)[0] - first[i];
                sums[i] += off;
                squares[i] += off * off;
            }
        }
        let pairs = || sums.iter().zip(&squares);
        let std = pairs().map(|(s, q)| (q / many - (s / many).powi(2)).max(0.0).sqrt());
        Prediction {
            values: first.iter().zip(&sums).map(|(f, s)| f + s / many).collect(),
            std: Some(std.collect()),
            ..Prediction::default()
        }
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
