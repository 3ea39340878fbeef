//! Mean shift.
//!
//! What: every row walks uphill to where rows lie most densely; rows with one goal are a group.
//! Formula: x → mean of the rows within the bandwidth of x, until it stands still.
//! Data: columns of like scale, since the distance adds them up.
//! Cost: O(steps · n² p).
//! Fails when: columns are many, or the bandwidth does not fit.
//! Source: Comaniciu & Meer, IEEE TPAMI 24 (2002).
//! Not claimed: that the modes are those of the population.

use crate::neighbors::engine::{Distance, comparable, nearest, within};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Clusterer, Entry, FitError, Inputs, Observations, Outputs, ParamError, params, run,
};
use mltrainer_types::catalogue::Task;
use ndarray::Array2;
use serde_json::Value;

/// The handle.
pub struct MeanShift;

/// The registration.
pub const ENTRY: Entry = Entry::clustering::<MeanShift>();

params! {
    /// Parameters of mean shift.
    pub struct MeanShiftParams {
        /// Radius of the window; none is the mean distance to the furthest of the nearest 30% of the rows.
        bandwidth: Option<f64> = None, above(0.0);
        /// Where walks start, one start after the other, joined with commas; none starts from every row.
        seeds: Option<Vec<f64>> = None;
        /// Without seeds: whether walks start from the corners of a grid of the bandwidth instead of from every row.
        bin_seeding: bool = false;
        /// Rows that a corner of the grid needs to be a start.
        min_bin_freq: usize = 1, at_least(1.0);
        /// Whether rows beyond the bandwidth of every mode join the nearest one; otherwise their label is -1.
        cluster_all: bool = true;
        /// Steps of a walk at most.
        max_iter: usize = 300, within(1.0, 1_000_000.0);
    }
}

const CARD: Card = Card {
    id: "mean_shift",
    family: "clustering",
    title: "Mean shift",
    tasks: &[Task::Clustering],
    inputs: Inputs::Table,
    summary: "Every row walks to the mean of the rows around it, again and again, until it stands where rows lie most densely; rows that end at one place are a group. The number of groups follows from the bandwidth.",
    formula: "x → mean of the rows within the bandwidth of x, until it moves less than a thousandth of the bandwidth; of modes within the bandwidth of each other the one with most rows stays; rows go to the nearest mode",
    data: "Columns of like scale: the distance adds them up, nothing is rescaled inside.",
    cost: "O(steps · n² p)",
    fails_when: "Columns are many (windows are then empty or hold everything), or the bandwidth does not fit the spread.",
    not_claimed: "That the modes are those of the population.",
    source: "D. Comaniciu, P. Meer, Mean shift: a robust approach toward feature space analysis, IEEE TPAMI 24 (2002)",
    reference: "scikit-learn 1.9.1, MeanShift and estimate_bandwidth",
    outputs: &[
        (
            "labels",
            "group of each row from 0, groups with more rows around their mode first",
        ),
        ("n_clusters", "number of groups"),
        ("centers", "modes, columns as in the data"),
        ("bandwidth", "the radius that was used"),
        ("n_iter", "steps of the longest walk"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1",
        cases: "mean-shift-2.2, mean-shift-1.5",
        tolerance: "adjusted Rand index 0.9, number of groups ± 1",
    }],
    presets: &[],
    exemptions: &[],
};

const EUCLIDEAN: Distance = Distance::EUCLIDEAN;

/// scikit-learn's estimate_bandwidth with quantile 0.3.
fn estimate(x: &Array2<f64>) -> Result<f64, FitError> {
    let n = x.nrows();
    let k = ((n as f64 * 0.3) as usize).max(1);
    let mut sum = 0.0;
    nearest(x.view(), x.view(), k, EUCLIDEAN, |_, hits| {
        sum += hits.last().map_or(0.0, |h| h.0);
        Ok(())
    })?;
    let mean = sum / n as f64;
    if mean.is_finite() && mean > 0.0 {
        return Ok(mean);
    }
    Err(FitError::Data(
        "no bandwidth can be found from these rows: give one".into(),
    ))
}

/// Corners of a grid of the bandwidth, with enough rows around them.
fn corners(x: &Array2<f64>, size: f64, least: usize) -> Array2<f64> {
    let mut cells: std::collections::BTreeMap<Vec<i64>, usize> = std::collections::BTreeMap::new();
    for row in x.rows() {
        // Halves go to the even corner, as numpy rounds.
        let cell = row
            .iter()
            .map(|v| (v / size).round_ties_even() as i64)
            .collect();
        *cells.entry(cell).or_default() += 1;
    }
    let kept: Vec<&Vec<i64>> = cells
        .iter()
        .filter(|(_, c)| **c >= least)
        .map(|(k, _)| k)
        .collect();
    Array2::from_shape_fn((kept.len(), x.ncols()), |(i, j)| kept[i][j] as f64 * size)
}

/// The starts that were asked for.
fn given(seeds: &[f64], p: usize) -> Result<Array2<f64>, FitError> {
    if seeds.is_empty() || !seeds.len().is_multiple_of(p) {
        return Err(FitError::Param(ParamError {
            field: "seeds".into(),
            reason: format!(
                "{} numbers: every start of {p} columns takes {p}",
                seeds.len()
            ),
            suggestions: Vec::new(),
        }));
    }
    Ok(Array2::from_shape_fn((seeds.len() / p, p), |(i, j)| {
        seeds[i * p + j]
    }))
}

impl Clusterer for MeanShift {
    type Params = MeanShiftParams;
    const CARD: &'static Card = &CARD;

    fn cluster(params: &MeanShiftParams, data: &Observations, _: u64) -> Result<Outputs, FitError> {
        let x = data.x();
        comparable(CARD.id, x)?;
        let bandwidth = match params.bandwidth {
            Some(given) => given,
            None => estimate(x)?,
        };
        let mut starts = match &params.seeds {
            Some(seeds) => given(seeds, x.ncols())?,
            None if params.bin_seeding => {
                let grid = corners(x, bandwidth, params.min_bin_freq);
                if grid.is_empty() { x.clone() } else { grid }
            }
            None => x.clone(),
        };
        // Walks go on side by side; those that stand still leave.
        let mut walking: Vec<usize> = (0..starts.nrows()).collect();
        let mut around = vec![0_usize; starts.nrows()];
        let mut n_iter = 0;
        while !walking.is_empty() && n_iter < params.max_iter {
            n_iter += 1;
            let here = starts.select(ndarray::Axis(0), &walking);
            let mut go_on = Vec::new();
            within(x.view(), here.view(), bandwidth, EUCLIDEAN, |k, hits| {
                let i = walking[k];
                around[i] = hits.len();
                if hits.is_empty() {
                    return Ok(());
                }
                let mut moved = 0.0;
                for c in 0..x.ncols() {
                    let mean = hits.iter().map(|h| x[[*h, c]]).sum::<f64>() / hits.len() as f64;
                    moved += (mean - starts[[i, c]]).powi(2);
                    starts[[i, c]] = mean;
                }
                if !moved.is_finite() {
                    return Err(FitError::Failed(
                        "distances overflow: rescale the columns".into(),
                    ));
                }
                if moved.sqrt() > 1e-3 * bandwidth {
                    go_on.push(i);
                }
                Ok(())
            })?;
            walking = go_on;
        }
        let mut order: Vec<usize> = (0..starts.nrows()).filter(|i| around[*i] > 0).collect();
        order.sort_by(|a, b| {
            let columns = starts.row(*b).into_iter().zip(starts.row(*a));
            let by_place = columns.map(|(b, a)| b.total_cmp(a)).find(|o| o.is_ne());
            around[*b]
                .cmp(&around[*a])
                .then(by_place.unwrap_or(std::cmp::Ordering::Equal))
        });
        let far = |i: usize, j: usize| {
            let pairs = starts.row(i).into_iter().zip(starts.row(j));
            pairs.map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt() > bandwidth
        };
        let mut modes: Vec<usize> = Vec::new();
        for i in order {
            if modes.iter().all(|m| far(*m, i)) {
                modes.push(i);
            }
        }
        if modes.is_empty() {
            return Err(FitError::Data(format!(
                "no row lies within {bandwidth} of a start: raise bandwidth"
            )));
        }
        let centers = starts.select(ndarray::Axis(0), &modes);
        let mut labels = Vec::with_capacity(x.nrows());
        nearest(centers.view(), x.view(), 1, EUCLIDEAN, |_, hits| {
            let (distance, mode) = hits[0];
            labels.push(if params.cluster_all || distance <= bandwidth {
                mode as i64
            } else {
                -1
            });
            Ok(())
        })?;
        let rows: Value = centers
            .rows()
            .into_iter()
            .map(|r| run::numbers(&r.to_vec()))
            .collect();
        Ok(Outputs::from_iter([
            ("labels".to_owned(), labels.into()),
            ("n_clusters".to_owned(), modes.len().into()),
            ("centers".to_owned(), rows),
            ("bandwidth".to_owned(), bandwidth.into()),
            ("n_iter".to_owned(), n_iter.into()),
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
    fn walks_from_given_starts_by_hand() {
        // Within 2 of 11 lie 10 and 11, whose mean 10.5 stays; within 2 of 30 nothing lies.
        let cluster = |given: serde_json::Value, rows: &[&[f64]]| {
            let params = MeanShiftParams::from_map(given.as_object().unwrap()).unwrap();
            MeanShift::cluster(&params, &design(rows).into(), 0)
        };
        let given = json!({"bandwidth": 2.0, "seeds": "11,30", "cluster_all": false});
        let outputs = cluster(given.clone(), &[&[0.0], &[1.0], &[10.0], &[11.0]]).unwrap();
        assert_eq!(outputs["centers"], json!([[10.5]]));
        assert_eq!(outputs["labels"], json!([-1, -1, 0, 0]));
        let refused = cluster(given, &[&[0.0, 1.0, 2.0]]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "parameter seeds: 2 numbers: every start of 3 columns takes 3"
        );
    }
}
