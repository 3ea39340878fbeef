//! Mutual information.
//!
//! What: how much one series tells about another, whatever the shape of the relation.
//! Formula: Σ p(x,y) ln(p(x,y)/(p(x) p(y))), from bins or from distances to nearest neighbours.
//! Data: two series.
//! Cost: bins O(n), neighbours about O(n √n).
//! Fails when: rows depend on each other (the effective number is smaller), bins are many beside rows.
//! Source: Shannon (1948); Kraskov, Stögbauer, Grassberger, Physical Review E 69 (2004).
//! Not claimed: a direction.

use crate::distributions::digamma;
use crate::test::engine::{number, varies};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, Takes, choices, params,
};
use mltrainer_types::catalogue::Task;
use serde_json::Value;

/// The handle.
pub struct MutualInformation;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<MutualInformation>();

choices! {
    /// How it is estimated.
    pub enum Method {
        /// From distances to nearest neighbours.
        Knn = "knn",
        /// From counts in equal bins.
        Histogram = "histogram",
    }
}

params! {
    /// Parameters of mutual information.
    pub struct MutualInformationParams {
        /// From nearest neighbours (knn) or from counts in equal bins (histogram).
        method: Method = Method::Knn;
        /// Neighbours (knn).
        n_neighbors: usize = 3, within(1.0, 1_000.0);
        /// Equal bins of each column from its least to its largest value (histogram).
        bins: usize = 10, within(2.0, 10_000.0);
    }
}

const CARD: Card = Card {
    id: "mutual_information",
    family: "signal_processing",
    title: "Mutual information",
    tasks: &[Task::Signal],
    inputs: Inputs::Series,
    summary: "How many nats one series tells about another in the same row, whatever the shape of the relation; 0 when they are independent.",
    formula: "histogram: Σ p_ij ln(p_ij/(p_i p_j)) over equal bins; knn: ψ(n) + ψ(k) - mean ψ(n_x+1) - mean ψ(n_y+1), columns divided by their standard deviation, n_x the points strictly nearer in x than the k-th neighbour in the larger of the two distances, not under 0; informational correlation √(1 - e^(-2I)) (Linfoot, 1957)",
    data: "Two series.",
    cost: "bins O(n), neighbours about O(n √n)",
    fails_when: "Rows depend on each other (then it is too large), there are many bins beside rows (too large as well), or values repeat (neighbours).",
    not_claimed: "A direction, or that what is shared helps to forecast.",
    source: "C. E. Shannon, Bell System Technical Journal 27 (1948); A. Kraskov, H. Stögbauer, P. Grassberger, Physical Review E 69 (2004); E. H. Linfoot, Information and Control 1 (1957)",
    reference: "scikit-learn 1.9.1, mutual_info_regression without its noise; numpy 2.4, histogram2d",
    outputs: &[
        ("mutual_information", "nats"),
        (
            "informational_correlation",
            "the correlation that two normal series with this mutual information have",
        ),
        ("n_obs", "rows"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1 (without its noise) and numpy 2.4",
        cases: "market and AAPL returns; returns of 5 shares, 2 to 10 neighbours, 4 to 20 bins",
        tolerance: "1e-9 relative",
    }],
    presets: &[],
    exemptions: &[],
};

/// Bin of each value: equal widths from the least to the largest, the last closed on the right. Edges as
/// numpy's linspace gives them.
fn equal_bins(x: &[f64], bins: usize) -> Vec<usize> {
    let (low, high) = x
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| {
            (a.min(*v), b.max(*v))
        });
    let step = (high - low) / bins as f64;
    let edges: Vec<f64> = (1..bins).map(|k| k as f64 * step + low).collect();
    x.iter()
        .map(|v| edges.partition_point(|e| e <= v))
        .collect()
}

fn by_bins(x: &[f64], y: &[f64], bins: usize) -> f64 {
    let (a, b) = (equal_bins(x, bins), equal_bins(y, bins));
    let n = x.len() as f64;
    let mut pairs: Vec<(usize, usize)> = a.iter().copied().zip(b.iter().copied()).collect();
    pairs.sort_unstable();
    let count = |all: &[usize]| {
        let mut counts = vec![0.0; bins];
        all.iter().for_each(|k| counts[*k] += 1.0);
        counts
    };
    let (of_a, of_b) = (count(&a), count(&b));
    let runs = pairs.chunk_by(|a, b| a == b);
    runs.map(|run| {
        let (i, j) = run[0];
        let c = run.len() as f64;
        c / n * (c * n / (of_a[i] * of_b[j])).ln()
    })
    .sum()
}

/// Points strictly nearer than `radius` to `value` among sorted ones, `value` itself not counted.
fn nearer(sorted: &[f64], value: f64, radius: f64) -> usize {
    let from = sorted.partition_point(|s| *s < value && value - s >= radius);
    let to = sorted.partition_point(|s| *s <= value || s - value < radius);
    (to - from).saturating_sub(1)
}

fn by_neighbours(x: &[f64], y: &[f64], k: usize) -> f64 {
    let n = x.len();
    let mut points: Vec<(f64, f64)> = x.iter().copied().zip(y.iter().copied()).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let xs: Vec<f64> = points.iter().map(|p| p.0).collect();
    let mut ys: Vec<f64> = points.iter().map(|p| p.1).collect();
    ys.sort_by(f64::total_cmp);
    let mut sum = 0.0;
    let mut nearest: Vec<f64> = Vec::with_capacity(k + 1);
    for (i, (px, py)) in points.iter().enumerate() {
        nearest.clear();
        // Outwards along x until x alone is farther than the k-th neighbour.
        let (mut left, mut right) = (i, i + 1);
        loop {
            let to_left = left.checked_sub(1).map_or(f64::INFINITY, |j| px - xs[j]);
            let to_right = xs.get(right).map_or(f64::INFINITY, |v| v - px);
            let bound = if nearest.len() == k {
                nearest[k - 1]
            } else {
                f64::INFINITY
            };
            let gap = to_left.min(to_right);
            if gap >= bound || gap == f64::INFINITY {
                break;
            }
            let j = if to_left <= to_right {
                left -= 1;
                left
            } else {
                right += 1;
                right - 1
            };
            let distance = gap.max((py - points[j].1).abs());
            if distance < bound {
                let at = nearest.partition_point(|d| *d <= distance);
                nearest.insert(at, distance);
                nearest.truncate(k);
            }
        }
        let radius = nearest.last().copied().unwrap_or_default();
        let counts = [nearer(&xs, *px, radius), nearer(&ys, *py, radius)];
        sum += counts.iter().map(|c| digamma(*c as f64 + 1.0)).sum::<f64>();
    }
    (digamma(n as f64) + digamma(k as f64) - sum / n as f64).max(0.0)
}

impl Analysis for MutualInformation {
    type Params = MutualInformationParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (2, 2);
    const TAKES: Takes = Takes::Returns;

    fn analyse(
        params: &MutualInformationParams,
        data: &SeriesTable,
        _: Ask,
    ) -> Result<Outputs, FitError> {
        let n = data.rows();
        let mut columns = Vec::new();
        for (k, name) in data.names().iter().enumerate() {
            let x = data.series(k);
            varies(&x, &format!("column \"{name}\""))?;
            let mean = x.iter().sum::<f64>() / n as f64;
            let variance = x.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n as f64;
            if !variance.is_normal() {
                return Err(FitError::Data(format!(
                    "column \"{name}\": its variance is beyond what doubles hold: rescale it"
                )));
            }
            columns.push((x, variance.sqrt()));
        }
        let information = match params.method {
            Method::Histogram => by_bins(&columns[0].0, &columns[1].0, params.bins),
            Method::Knn => {
                if n <= params.n_neighbors {
                    return Err(FitError::Data(format!(
                        "{n} rows are too few for {} neighbours: there must be more rows",
                        params.n_neighbors
                    )));
                }
                let scaled = |(x, s): &(Vec<f64>, f64)| x.iter().map(|v| v / s).collect::<Vec<_>>();
                by_neighbours(
                    &scaled(&columns[0]),
                    &scaled(&columns[1]),
                    params.n_neighbors,
                )
            }
        };
        let correlation = (-(-2.0 * information).exp_m1()).max(0.0).sqrt();
        Ok(Outputs::from_iter([
            ("mutual_information".into(), number(information)),
            ("informational_correlation".into(), number(correlation)),
            ("n_obs".into(), Value::from(n)),
        ]))
    }
}
