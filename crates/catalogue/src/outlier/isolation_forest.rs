//! Isolation forest.
//!
//! What: scores rows by how few random cuts set them apart.
//! Formula: score = -2^(-E[depth]/c(ψ)).
//! Data: any table of numbers; scale does not matter.
//! Cost: fit O(T ψ log ψ), score O(n T log ψ).
//! Fails when: strange rows form a group of their own.
//! Source: Liu, Ting, Zhou, ICDM (2008).
//! Not claimed: a probability of being strange.

use super::threshold::{self, Auto};
use crate::tree::forest;
use crate::tree::shap::{self, Splits};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::params::WordOr;
use mltrainer_catalogue_core::{
    Card, Clusterer, Contributions, Entry, Explained, ExplainedClusterer, FitError, Inputs,
    Observations, Outputs, params, run,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView1};
use rand::distributions::{Distribution as _, WeightedIndex};
use rand::seq::index;
use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

/// The handle.
pub struct IsolationForest;

/// The registration.
pub const ENTRY: Entry =
    Entry::clustering::<IsolationForest>().with_explanations::<IsolationForest>();

params! {
    /// Parameters of the isolation forest.
    pub struct IsolationForestParams {
        /// Number of trees.
        n_estimators: usize = 100, within(1.0, 10_000.0);
        /// Rows of each tree: auto is 256 or all, up to 1 a share, above 1 a number.
        max_samples: WordOr<Auto> = WordOr::Word(Auto::Auto), above(0.0);
        /// Share of the rows to call strange; auto: those with a score under -0.5.
        contamination: WordOr<Auto> = WordOr::Word(Auto::Auto), above_up_to(0.0, 0.5);
        /// Columns that each tree sees: up to 1 as a share of all, above 1 their number.
        max_features: f64 = 1.0, above_up_to(0.0, 1e9);
        /// Whether rows are drawn with replacement.
        bootstrap: bool = false;
        /// Seed of the draws; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "isolation_forest",
    family: "outlier",
    title: "Isolation forest",
    tasks: &[Task::OutlierDetection],
    inputs: Inputs::Table,
    summary: "Trees that cut at random: a row that few cuts set apart is strange. Fitted to the rows that it scores.",
    formula: "score = -2^(-E[h(x)]/c(ψ)), h = depth of the row's leaf + c(rows in it), c(m) = 2(ln(m-1) + γ) - 2(m-1)/m, ψ rows a tree (row weights are chances of being drawn), depth at most ⌈log₂ ψ⌉; nearer to -1 is stranger; label -1 under -0.5, or for the share contamination",
    data: "Any table of numbers; scale and monotone changes of a column hardly matter.",
    cost: "fit O(T ψ log ψ), score O(n T log ψ)",
    fails_when: "Strange rows form a group of their own, or differ only in how columns move together.",
    not_claimed: "A probability of being strange. SHAP values (explain shap) are of the mean depth, not of the score.",
    source: "F. T. Liu, K. M. Ting, Z.-H. Zhou, Isolation forest, ICDM (2008)",
    reference: "scikit-learn 1.9.1, IsolationForest",
    outputs: &[
        ("scores", "one a row, from -1 (strange) to 0"),
        ("labels", "-1 for a strange row, else 1"),
        ("offset", "the score under which a row is strange"),
        ("n_outliers", "number of strange rows"),
    ],
    stochastic: true,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, mean of 20 seeds",
        cases: "isolation-forest-100-auto, isolation-forest-200-64",
        tolerance: "correlation of scores 0.96, root mean square 0.035, 93% to 95% equal labels",
    }],
    presets: &[],
    exemptions: &[],
};

struct Node {
    /// Column and left child, beside which the right one is; none for a leaf.
    cut: Option<(usize, usize)>,
    /// Where it cuts, or the depth of a leaf.
    value: f64,
    /// Rows that the tree was grown from.
    rows: usize,
}

struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    fn depth(&self, row: ArrayView1<'_, f64>) -> f64 {
        let mut at = 0;
        while let Some((feature, left)) = self.nodes[at].cut {
            at = left + usize::from(row[feature] > self.nodes[at].value);
        }
        self.nodes[at].value
    }
}

impl Splits for Tree {
    fn split(&self, node: usize) -> Option<(usize, usize, usize)> {
        let (column, left) = self.nodes[node].cut?;
        Some((column, left, left + 1))
    }

    fn cover(&self, node: usize) -> f64 {
        self.nodes[node].rows as f64
    }

    fn goes_left(&self, node: usize, row: ArrayView1<'_, f64>) -> bool {
        let column = self.nodes[node].cut.map_or(0, |(column, _)| column);
        row[column] <= self.nodes[node].value
    }

    fn answer(&self, leaf: usize) -> &[f64] {
        std::slice::from_ref(&self.nodes[leaf].value)
    }
}

/// Mean depth of a row in a random tree of so many rows.
fn expected(rows: usize) -> f64 {
    const EULER: f64 = 0.577_215_664_901_532_9;
    match rows {
        0 | 1 => 0.0,
        2 => 1.0,
        m => {
            let m = m as f64;
            2.0 * ((m - 1.0).ln() + EULER) - 2.0 * (m - 1.0) / m
        }
    }
}

fn grow(
    x: &Array2<f64>,
    rows: &mut [usize],
    columns: &[usize],
    limit: usize,
    random: &mut Xoshiro256PlusPlus,
) -> Tree {
    let leaf = |rows| Node {
        cut: None,
        value: 0.0,
        rows,
    };
    let mut tree = Tree {
        nodes: vec![leaf(rows.len())],
    };
    let mut open = vec![(0, 0, rows.len(), 0)];
    while let Some((id, start, end, depth)) = open.pop() {
        let own = &mut rows[start..end];
        let ends = |c: usize| {
            let values = own.iter().map(|i| x[[*i, c]]);
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| {
                (a.min(v), b.max(v))
            })
        };
        // One column after another is drawn until one is not constant.
        let mut left_over = columns.to_vec();
        let mut chosen = None;
        while depth < limit && own.len() > 1 && !left_over.is_empty() {
            let c = left_over.swap_remove(random.gen_range(0..left_over.len()));
            let (low, high) = ends(c);
            if low < high {
                let share: f64 = random.r#gen();
                let cut = low * (1.0 - share) + high * share;
                chosen = Some((c, if cut < high { cut.max(low) } else { low }));
                break;
            }
        }
        let Some((c, cut)) = chosen else {
            tree.nodes[id].value = depth as f64 + expected(own.len());
            continue;
        };
        let mut kept = 0;
        for i in 0..own.len() {
            if x[[own[i], c]] <= cut {
                own.swap(i, kept);
                kept += 1;
            }
        }
        let left = tree.nodes.len();
        tree.nodes.extend([leaf(kept), leaf(end - start - kept)]);
        tree.nodes[id].cut = Some((c, left));
        tree.nodes[id].value = cut;
        open.push((left + 1, start + kept, end, depth + 1));
        open.push((left, start, start + kept, depth + 1));
    }
    tree
}

/// How the rows of a tree are drawn.
enum Draw<'a> {
    /// Each as likely, with replacement or not.
    Alike(bool),
    /// By weight, with replacement.
    Again(WeightedIndex<f64>),
    /// By weight, without.
    Once(&'a [f64]),
}

impl<'a> Draw<'a> {
    fn new(weights: Option<&'a [f64]>, psi: usize, again: bool) -> Result<Self, FitError> {
        let differ = |w: &&[f64]| w.iter().any(|v| *v != w[0]);
        let Some(weights) = weights.filter(differ) else {
            return Ok(Self::Alike(again));
        };
        if again {
            let index = WeightedIndex::new(weights).map_err(unweighable)?;
            return Ok(Self::Again(index));
        }
        let some = weights.iter().filter(|w| **w > 0.0).count();
        if some < psi {
            return Err(FitError::Data(format!(
                "{psi} rows a tree are drawn, each once, and only {some} have a weight above 0: lower max_samples or set bootstrap"
            )));
        }
        Ok(Self::Once(weights))
    }

    fn rows(
        &self,
        n: usize,
        psi: usize,
        random: &mut Xoshiro256PlusPlus,
    ) -> Result<Vec<usize>, FitError> {
        Ok(match self {
            Self::Alike(true) => (0..psi).map(|_| random.gen_range(0..n)).collect(),
            Self::Alike(false) => index::sample(random, n, psi).into_vec(),
            Self::Again(index) => (0..psi).map(|_| index.sample(random)).collect(),
            Self::Once(weights) => index::sample_weighted(random, n, |i| weights[i], psi)
                .map_err(unweighable)?
                .into_vec(),
        })
    }
}

fn unweighable(e: rand::distributions::WeightedError) -> FitError {
    FitError::Failed(format!("isolation_forest: drawing rows by weight: {e}"))
}

impl Clusterer for IsolationForest {
    type Params = IsolationForestParams;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn cluster(
        params: &IsolationForestParams,
        data: &Observations,
        seed: u64,
    ) -> Result<Outputs, FitError> {
        search(params, data, seed, |_| Ok(()))
    }
}

impl ExplainedClusterer for IsolationForest {
    fn explain(
        params: &IsolationForestParams,
        data: &Observations,
        seed: u64,
    ) -> Result<(Outputs, Contributions), FitError> {
        let x = data.x().view();
        let share = 1.0 / params.n_estimators as f64;
        let mut sum = shap::Sum::new(x, &[0.0]);
        let outputs = search(params, data, seed, |tree| sum.add(tree, share, 0, x))?;
        Ok((outputs, sum.finish(Vec::new(), Explained::Depth)))
    }
}

/// Grows the trees, one after another, and scores the rows by them.
fn search(
    params: &IsolationForestParams,
    data: &Observations,
    seed: u64,
    mut grown: impl FnMut(&Tree) -> Result<(), FitError>,
) -> Result<Outputs, FitError> {
    let x = data.x();
    let (n, p) = x.dim();
    let psi = match params.max_samples {
        WordOr::Word(_) => 256,
        WordOr::Number(share) if share <= 1.0 => (share * n as f64) as usize,
        WordOr::Number(many) => many as usize,
    };
    let psi = psi.clamp(1, n);
    // Weights are chances of being drawn.
    let drawn = Draw::new(data.weights(), psi, params.bootstrap)?;
    let limit = (psi.max(2) as f64).log2().ceil() as usize;
    let some = forest::columns_drawn(params.max_features, p)?;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(run::effective_seed(params.seed, seed));
    let mut depths = vec![0.0; n];
    for _ in 0..params.n_estimators {
        let mut rows = drawn.rows(n, psi, &mut random)?;
        let columns = index::sample(&mut random, p, some).into_vec();
        let tree = grow(x, &mut rows, &columns, limit, &mut random);
        grown(&tree)?;
        for (sum, row) in depths.iter_mut().zip(x.rows()) {
            *sum += tree.depth(row);
        }
    }
    let scale = params.n_estimators as f64 * expected(psi);
    let score = |d: &f64| {
        if scale > 0.0 {
            -(-d / scale).exp2()
        } else {
            -0.5
        }
    };
    let scores: Vec<f64> = depths.iter().map(score).collect();
    let offset = threshold::offset(&scores, params.contamination, -0.5);
    Ok(threshold::outputs(&scores, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_weight_0_are_not_drawn() {
        // With the last row never drawn and one cut at most between two rows, the trees know 0 and 1 only:
        // a tree of two rows has depth 1 everywhere, so every score is -2^(-1/c(2)) = -1/2.
        let rows = Observations::from(crate::testing::design(&[&[0.0], &[1.0], &[50.0]]));
        let params = |given: serde_json::Value| {
            let map = given.as_object().unwrap().clone();
            <IsolationForestParams as mltrainer_catalogue_core::Params>::from_map(&map).unwrap()
        };
        let weighed = rows.with_weights(vec![1.0, 1.0, 0.0]).unwrap();
        let two = params(serde_json::json!({"max_samples": 2.0, "n_estimators": 20}));
        let outputs = IsolationForest::cluster(&two, &weighed, 0).unwrap();
        assert_eq!(outputs["scores"], serde_json::json!([-0.5, -0.5, -0.5]));
        // Three rows cannot be drawn of two.
        let three = params(serde_json::json!({"max_samples": 3.0}));
        let error = IsolationForest::cluster(&three, &weighed, 0).unwrap_err();
        assert!(error.to_string().contains("only 2 have a weight above 0"));
    }

    #[test]
    fn shap_values_of_one_column_are_the_depth_less_its_mean() {
        // What is explained is the mean depth d = -c(ψ) log2(-score). With one column the value of a row is d
        // less the mean of d over the rows that trees are grown from, here all four; a column that never
        // changes adds nothing.
        let rows = Observations::from(crate::testing::design(&[
            &[7.0, 0.0],
            &[7.0, 1.0],
            &[7.0, 1.5],
            &[7.0, 9.0],
        ]));
        let given = serde_json::json!({"n_estimators": 50})
            .as_object()
            .unwrap()
            .clone();
        let params =
            <IsolationForestParams as mltrainer_catalogue_core::Params>::from_map(&given).unwrap();
        let (outputs, found) = IsolationForest::explain(&params, &rows, 3).unwrap();
        assert_eq!(
            outputs,
            IsolationForest::cluster(&params, &rows, 3).unwrap()
        );
        let scores: Vec<f64> = serde_json::from_value(outputs["scores"].clone()).unwrap();
        let depths: Vec<f64> = scores.iter().map(|s| -expected(4) * (-s).log2()).collect();
        let mean = depths.iter().sum::<f64>() / 4.0;
        crate::testing::assert_near(&found.base, &[mean], 1e-12);
        assert_eq!((found.of, found.classes.len()), (Explained::Depth, 0));
        for (values, depth) in found.values[0].rows().into_iter().zip(&depths) {
            crate::testing::assert_near(&values.to_vec(), &[0.0, depth - mean], 1e-12);
        }
        // The last row is the strange one.
        assert!(found.values[0][[3, 1]] < 0.0);
    }

    #[test]
    fn expected_depths() {
        // 2 (ln 255 + 0.5772156649) - 2 · 255/256 = 2 · 6.1184792 - 1.9921875.
        assert!((expected(256) - 10.244_770_92).abs() < 1e-7);
        assert_eq!((expected(1), expected(2)), (0.0, 1.0));
    }
}
