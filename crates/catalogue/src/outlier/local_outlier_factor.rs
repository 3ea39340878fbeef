//! Local outlier factor.
//!
//! What: compares how densely a row lies with how densely its neighbours lie.
//! Formula: LOF = mean density of the k nearest rows / own density.
//! Data: columns of like scale, since the distance adds them up.
//! Cost: O(n² p).
//! Fails when: columns are many: all rows are then about equally far.
//! Source: Breunig, Kriegel, Ng, Sander, SIGMOD (2000).
//! Not claimed: a probability of being strange.

use super::threshold::{self, Auto};
use crate::neighbors::engine::{Metric, comparable, nearest};
use crate::neighbors::measure::measure;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::params::WordOr;
use mltrainer_catalogue_core::{
    Card, Clusterer, Entry, FitError, Inputs, Observations, Outputs, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct LocalOutlierFactor;

/// The registration.
pub const ENTRY: Entry = Entry::clustering::<LocalOutlierFactor>();

params! {
    /// Parameters of the local outlier factor.
    pub struct LocalOutlierFactorParams {
        /// Number of neighbours; at most one less than there are rows.
        n_neighbors: usize = 20, at_least(1.0);
        /// How far two rows are from each other.
        metric: Metric = Metric::Minkowski;
        /// Power of minkowski: 1 is Manhattan, 2 Euclidean.
        p: f64 = 2.0, within(1.0, 100.0);
        /// Numbers of the metric, joined with commas: minkowski takes a weight a column, seuclidean a variance a column (none: those of the rows), mahalanobis the inverse covariance row after row (none: that of the rows).
        metric_params: Option<Vec<f64>> = None;
        /// Share of the rows to call strange; auto: those with a score under -1.5.
        contamination: WordOr<Auto> = WordOr::Word(Auto::Auto), above_up_to(0.0, 0.5);
    }
}

const CARD: Card = Card {
    id: "local_outlier_factor",
    family: "outlier",
    title: "Local outlier factor",
    tasks: &[Task::OutlierDetection],
    inputs: Inputs::Table,
    summary: "A row is strange when it lies less densely than the rows nearest to it. Fitted to the rows that it scores.",
    formula: "reach(a, b) = max(k-distance(b), |a - b|); density(a) = 1/mean reach to the k nearest rows; score = -mean density of these rows / own density; a row is not its own neighbour; label -1 under -1.5, or for the share contamination",
    data: "Columns of like scale: the distance adds them up, nothing is rescaled inside.",
    cost: "O(n² p)",
    fails_when: "Columns are many (all rows are then about equally far) or of different units; k is smaller than a group of strange rows, or of equal ones.",
    not_claimed: "A probability of being strange.",
    source: "M. Breunig, H.-P. Kriegel, R. Ng, J. Sander, LOF: identifying density-based local outliers, SIGMOD (2000)",
    reference: "scikit-learn 1.9.1, LocalOutlierFactor",
    outputs: &[
        (
            "scores",
            "one a row, minus the factor: -1 is usual, lower is stranger",
        ),
        ("labels", "-1 for a strange row, else 1"),
        ("offset", "the score under which a row is strange"),
        ("n_outliers", "number of strange rows"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1",
        cases: "local-outlier-factor-20, local-outlier-factor-35",
        tolerance: "scores 1e-7, equal labels",
    }],
    presets: &[],
    exemptions: &[],
};

impl Clusterer for LocalOutlierFactor {
    type Params = LocalOutlierFactorParams;
    const CARD: &'static Card = &CARD;

    fn cluster(
        params: &LocalOutlierFactorParams,
        data: &Observations,
        _: u64,
    ) -> Result<Outputs, FitError> {
        let x = data.x();
        let n = x.nrows();
        if n < 2 {
            return Err(FitError::Data(
                "one row has no neighbours: two are needed".into(),
            ));
        }
        comparable(CARD.id, x)?;
        let k = params.n_neighbors.min(n - 1);
        // Row after row: the k nearest other rows, and how far they are.
        let (mut near, mut away) = (Vec::with_capacity(n * k), Vec::with_capacity(n * k));
        let numbers = params.metric_params.as_deref();
        let (metric, turn) = measure(params.metric, params.p, numbers, x)?;
        let x = turn.rows(x.view());
        nearest(x.view(), x.view(), k + 1, metric, |i, hits| {
            for (d, j) in hits.iter().filter(|h| h.1 != i).take(k) {
                near.push(*j as u32);
                away.push(*d);
            }
            Ok(())
        })?;
        let neighbours = || near.chunks(k).zip(away.chunks(k));
        let far: Vec<f64> = away.chunks(k).map(|own| own[k - 1]).collect();
        let density: Vec<f64> = neighbours()
            .map(|(near, away)| {
                let pairs = near.iter().zip(away);
                let reach: f64 = pairs.map(|(j, d)| d.max(far[*j as usize])).sum();
                // The little that keeps equal rows finite is scikit-learn's.
                1.0 / (reach / k as f64 + 1e-10)
            })
            .collect();
        let scores: Vec<f64> = neighbours()
            .zip(&density)
            .map(|((near, _), d)| {
                let sum: f64 = near.iter().map(|j| density[*j as usize]).sum();
                -sum / k as f64 / d
            })
            .collect();
        if scores.iter().any(|s| !s.is_finite()) {
            return Err(FitError::Failed(
                "distances overflow: rescale the columns".into(),
            ));
        }
        let offset = threshold::offset(&scores, params.contamination, -1.5);
        Ok(threshold::outputs(&scores, offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::design;
    use mltrainer_catalogue_core::Params as _;
    use serde_json::json;

    #[test]
    fn one_far_row_by_hand() {
        // Rows 0 1 2 10, k = 1 (the earlier row in a tie): k-distances 1 1 1 8. Reach 1 1 1 8, so
        // densities 1 1 1 1/8, and the last row's factor is 8.
        let given = json!({"n_neighbors": 1});
        let params = LocalOutlierFactorParams::from_map(given.as_object().unwrap()).unwrap();
        let rows = design(&[&[0.0], &[1.0], &[2.0], &[10.0]]);
        let outputs = LocalOutlierFactor::cluster(&params, &rows.into(), 0).unwrap();
        assert_eq!(outputs["labels"], json!([1, 1, 1, -1]));
        assert!((outputs["scores"][3].as_f64().unwrap() + 8.0).abs() < 1e-7);
    }
}
