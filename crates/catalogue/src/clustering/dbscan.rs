//! DBSCAN.
//!
//! What: groups are places where rows lie densely; rows elsewhere are noise.
//! Formula: rows with min_samples rows within eps are cores; cores within eps belong together.
//! Data: columns of like scale, since the distance adds them up.
//! Cost: O(n² p).
//! Fails when: groups differ in density.
//! Source: Ester, Kriegel, Sander, Xu, KDD (1996).
//! Not claimed: that noise is an error in the data.

use crate::neighbors::engine::{Metric, comparable, within};
use crate::neighbors::measure::measure;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Clusterer, Entry, FitError, Inputs, Observations, Outputs, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Dbscan;

/// The registration.
pub const ENTRY: Entry = Entry::clustering::<Dbscan>();

/// Neighbours kept at once: 2 GiB.
const MOST_NEIGHBOURS: usize = 1 << 29;

params! {
    /// Parameters of DBSCAN.
    pub struct DbscanParams {
        /// Rows at most so far apart are neighbours.
        eps: f64 = 0.5, above(0.0);
        /// Neighbours that make a row a core, itself among them.
        min_samples: usize = 5, at_least(1.0);
        /// How far two rows are from each other.
        metric: Metric = Metric::Minkowski;
        /// Power of minkowski: 1 is Manhattan, 2 Euclidean.
        p: f64 = 2.0, within(1.0, 100.0);
        /// Numbers of the metric, joined with commas: minkowski takes a weight a column, seuclidean a variance a column (none: those of the rows), mahalanobis the inverse covariance row after row (none: that of the rows).
        metric_params: Option<Vec<f64>> = None;
    }
}

const CARD: Card = Card {
    id: "dbscan",
    family: "clustering",
    title: "DBSCAN",
    tasks: &[Task::Clustering],
    inputs: Inputs::Table,
    summary: "Groups are places where rows lie densely, of any shape and number; rows that lie nowhere densely are noise.",
    formula: "a row is a core when min_samples rows, itself among them, are at distance ≤ eps (with row weights: when their weights add up to that); cores at distance ≤ eps share a group; a row that is no core joins the first group with a core within eps, else it is noise (-1). Groups are numbered by their first core",
    data: "Columns of like scale: the distance adds them up, nothing is rescaled inside.",
    cost: "O(n² p), memory O(n · neighbours)",
    fails_when: "Groups differ in density: no eps then fits all of them.",
    not_claimed: "That noise is an error in the data.",
    source: "M. Ester, H.-P. Kriegel, J. Sander, X. Xu, A density-based algorithm for discovering clusters, KDD (1996)",
    reference: "scikit-learn 1.9.1, DBSCAN",
    outputs: &[
        ("labels", "group of each row from 0, -1 is noise"),
        ("n_clusters", "number of groups"),
        ("n_noise", "number of noise rows"),
        ("core_sample_indices", "numbers of the cores, from 0"),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "scikit-learn 1.9.1",
            cases: "dbscan-0.7-6, dbscan-0.36-6, dbscan-0.58-5",
            tolerance: "the same groups and noise",
        },
        Evidence {
            against: "scikit-learn 1.9.1, sample_weight",
            cases: "a test of this entry",
            tolerance: "the same groups and noise",
        },
    ],
    presets: &[],
    exemptions: &[],
};

impl Clusterer for Dbscan {
    type Params = DbscanParams;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn cluster(params: &DbscanParams, data: &Observations, _: u64) -> Result<Outputs, FitError> {
        let x = data.x();
        let n = x.nrows();
        comparable(CARD.id, x)?;
        let mut near: Vec<Vec<u32>> = Vec::with_capacity(n);
        let mut kept = 0;
        let numbers = params.metric_params.as_deref();
        let (metric, turn) = measure(params.metric, params.p, numbers, x)?;
        let x = turn.rows(x.view());
        within(x.view(), x.view(), params.eps, metric, |_, hits| {
            kept += hits.len();
            if kept > MOST_NEIGHBOURS {
                return Err(FitError::Data(format!(
                    "rows have more than {MOST_NEIGHBOURS} neighbours in all, the most that dbscan keeps: lower eps"
                )));
            }
            near.push(hits.iter().map(|h| *h as u32).collect());
            Ok(())
        })?;
        let many = |hits: &Vec<u32>| match data.weights() {
            Some(weights) => hits.iter().map(|h| weights[*h as usize]).sum(),
            None => hits.len() as f64,
        };
        let least = params.min_samples as f64;
        let core: Vec<bool> = near.iter().map(|hits| many(hits) >= least).collect();
        let mut labels = vec![-1_i64; n];
        let mut groups = 0;
        for first in 0..n {
            if labels[first] != -1 || !core[first] {
                continue;
            }
            labels[first] = groups;
            let mut open = vec![first];
            while let Some(i) = open.pop() {
                for j in near[i].iter().map(|j| *j as usize) {
                    if labels[j] == -1 {
                        labels[j] = groups;
                        if core[j] {
                            open.push(j);
                        }
                    }
                }
            }
            groups += 1;
        }
        let noise = labels.iter().filter(|l| **l < 0).count();
        let cores: Vec<usize> = (0..n).filter(|i| core[*i]).collect();
        Ok(Outputs::from_iter([
            ("labels".to_owned(), labels.into()),
            ("n_clusters".to_owned(), groups.into()),
            ("n_noise".to_owned(), noise.into()),
            ("core_sample_indices".to_owned(), cores.into()),
        ]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::design;
    use mltrainer_catalogue_core::Params as _;
    use serde_json::json;

    #[test]
    fn neighbours_count_by_their_weights() {
        // scikit-learn 1.9.1, DBSCAN(eps=2.1, min_samples=4).fit(x, sample_weight=w); without weights all is noise.
        let (rows, weights) = crate::testing::weighed_rows();
        let given = json!({"eps": 2.1, "min_samples": 4});
        let params = DbscanParams::from_map(given.as_object().unwrap()).unwrap();
        let alike = Dbscan::cluster(&params, &rows.clone().into(), 0).unwrap();
        assert_eq!(alike["labels"], json!([-1, -1, -1, -1, -1, -1, -1]));
        let weighed = Observations::from(rows).with_weights(weights).unwrap();
        let outputs = Dbscan::cluster(&params, &weighed, 0).unwrap();
        assert_eq!(outputs["labels"], json!([-1, -1, -1, 0, 0, 0, -1]));
    }

    #[test]
    fn two_groups_and_noise_by_hand() {
        let given = json!({"eps": 1.0, "min_samples": 2});
        let params = DbscanParams::from_map(given.as_object().unwrap()).unwrap();
        let rows = design(&[&[0.0], &[1.0], &[5.0], &[9.0], &[10.0], &[2.0]]);
        let outputs = Dbscan::cluster(&params, &rows.into(), 0).unwrap();
        assert_eq!(outputs["labels"], json!([0, 0, -1, 1, 1, 0]));
        assert_eq!(
            (&outputs["n_clusters"], &outputs["n_noise"]),
            (&json!(2), &json!(1))
        );
    }
}
