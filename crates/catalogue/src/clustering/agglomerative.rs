//! Agglomerative clustering.
//!
//! What: the two nearest groups are joined again and again.
//! Formula: distance of groups by ward, complete, average or single linkage.
//! Data: columns of like scale, since the distance adds them up.
//! Cost: O(n² p) and memory O(n²).
//! Fails when: rows are many; an early join is never taken back.
//! Source: Ward (1963); Lance & Williams (1967); Müllner (2011).
//! Not claimed: that the number of groups is right.

use super::kmeans::squared;
use mltrainer_catalogue_core::card::{Evidence, Preset};
use mltrainer_catalogue_core::{
    Card, Clusterer, Entry, FitError, Inputs, Observations, Outputs, ParamError, choices, params,
    run, threads,
};
use mltrainer_types::catalogue::Task;
use ndarray::ArrayView1;
use serde_json::{Value, json};

/// The handle.
pub struct Agglomerative;

/// The registration.
pub const ENTRY: Entry = Entry::clustering::<Agglomerative>();

choices! {
    /// How far apart two groups are.
    pub enum Linkage {
        /// By how much their join raises the sum of squares.
        Ward = "ward",
        /// As far as their farthest rows.
        Complete = "complete",
        /// The mean over pairs of rows.
        Average = "average",
        /// As near as their nearest rows.
        Single = "single",
    }
}

choices! {
    /// How far apart two rows are.
    pub enum Metric {
        /// √Σ(a-b)².
        Euclidean = "euclidean",
        /// Another name of euclidean.
        L2 = "l2",
        /// Σ|a-b|.
        Manhattan = "manhattan",
        /// Another name of manhattan.
        L1 = "l1",
        /// Another name of manhattan.
        CityBlock = "cityblock",
        /// max|a-b|.
        Chebyshev = "chebyshev",
        /// 1 - a·b/(|a||b|).
        Cosine = "cosine",
    }
}

params! {
    /// Parameters of agglomerative clustering.
    pub struct AgglomerativeParams {
        /// Number of groups; with distance_threshold none, or it is ignored.
        n_clusters: Option<usize> = Some(2), within(1.0, 20_000.0);
        /// How far apart two groups are.
        linkage: Linkage = Linkage::Ward;
        /// How far apart two rows are; ward takes euclidean only.
        metric: Metric = Metric::Euclidean;
        /// Groups are joined while nearer than this, however many remain; none joins down to n_clusters.
        distance_threshold: Option<f64> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "agglomerative",
    family: "clustering",
    title: "Agglomerative clustering",
    tasks: &[Task::Clustering],
    inputs: Inputs::Table,
    summary: "Every row starts as a group of its own; the two nearest groups are joined again and again, until as many are left as asked for.",
    formula: "d(A∪B, C) from d(A,C), d(B,C), d(A,B) by Lance and Williams: ward √(((a+c)d²(A,C) + (b+c)d²(B,C) - c d²(A,B))/(a+b+c)), complete max, average (a d(A,C) + b d(B,C))/(a+b), single min; chains of nearest neighbours",
    data: "Columns of like scale: the distance adds them up, nothing is rescaled inside. Up to 20,000 rows.",
    cost: "O(n² p), memory O(n²)",
    fails_when: "An early join was wrong (it is never taken back); single linkage chains groups through stray rows.",
    not_claimed: "That the number of groups is right.",
    source: "J. H. Ward, JASA 58 (1963); G. N. Lance, W. T. Williams, Computer Journal 9 (1967); D. Müllner, Modern hierarchical, agglomerative clustering algorithms, arXiv:1109.2378 (2011)",
    reference: "scikit-learn 1.9.1, AgglomerativeClustering",
    outputs: &[
        (
            "labels",
            "group of each row from 0, in the order of their first rows",
        ),
        ("n_clusters", "number of groups"),
        (
            "children",
            "joins in order: two groups each, rows are 0 to n - 1, join i makes group n + i",
        ),
        ("distances", "distance of each join"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1",
        cases: "agglomerative-ward-3, agglomerative-complete-4, agglomerative-average-3, agglomerative-single-2",
        tolerance: "the same groups, silhouette 1e-6",
    }],
    presets: &[
        Preset {
            id: "agglomerative_ward",
            title: "Agglomerative clustering, ward",
            set: &[("linkage", "ward")],
        },
        Preset {
            id: "agglomerative_complete",
            title: "Agglomerative clustering, complete linkage",
            set: &[("linkage", "complete")],
        },
        Preset {
            id: "agglomerative_average",
            title: "Agglomerative clustering, average linkage",
            set: &[("linkage", "average")],
        },
    ],
    exemptions: &[],
};

/// Above this many rows the distances take more than 1.6 GB.
const ROWS: usize = 20_000;

/// Distances of all pairs i < j, row after row.
struct Pairs {
    n: usize,
    d: Vec<f64>,
}

impl Pairs {
    fn at(&self, i: usize, j: usize) -> usize {
        let (i, j) = (i.min(j), i.max(j));
        i * (2 * self.n - i - 1) / 2 + j - i - 1
    }
    fn get(&self, i: usize, j: usize) -> f64 {
        self.d[self.at(i, j)]
    }
}

fn distance(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>, metric: Metric) -> f64 {
    let pairs = || a.iter().zip(b);
    match metric {
        Metric::Euclidean | Metric::L2 => match (a.as_slice(), b.as_slice()) {
            (Some(a), Some(b)) => squared(a, b).sqrt(),
            _ => squared(&a.to_vec(), &b.to_vec()).sqrt(),
        },
        Metric::Manhattan | Metric::L1 | Metric::CityBlock => {
            pairs().map(|(a, b)| (a - b).abs()).sum()
        }
        Metric::Chebyshev => pairs().map(|(a, b)| (a - b).abs()).fold(0.0, f64::max),
        Metric::Cosine => {
            let norm = |v: ArrayView1<'_, f64>| v.iter().map(|v| v * v).sum::<f64>().sqrt();
            let both = norm(a) * norm(b);
            let dot: f64 = pairs().map(|(a, b)| a * b).sum();
            // A row of zeros has no direction: it is at distance 1 from all.
            if both > 0.0 { 1.0 - dot / both } else { 1.0 }
        }
    }
}

/// Joins by chains of nearest neighbours: (group, group, distance), groups named by their first slot.
fn join(mut pairs: Pairs, linkage: Linkage) -> Vec<(usize, usize, f64)> {
    let n = pairs.n;
    let mut size = vec![1.0; n];
    let mut alive: Vec<usize> = (0..n).collect();
    let mut joins = Vec::with_capacity(n.saturating_sub(1));
    let mut chain: Vec<usize> = Vec::new();
    while alive.len() > 1 {
        if chain.is_empty() {
            chain.push(alive[0]);
        }
        let top = chain[chain.len() - 1];
        let before = chain.len().checked_sub(2).map(|k| chain[k]);
        // The one before in the chain wins a tie, so that the chain ends.
        let mut best = before.map(|b| (b, pairs.get(top, b)));
        for other in alive.iter().copied().filter(|o| *o != top) {
            let d = pairs.get(top, other);
            if best.is_none_or(|b| d < b.1) {
                best = Some((other, d));
            }
        }
        let Some((other, d)) = best else { break };
        if Some(other) != before {
            chain.push(other);
            continue;
        }
        chain.truncate(chain.len() - 2);
        let (a, b) = (top.min(other), top.max(other));
        joins.push((a, b, d));
        alive.retain(|x| *x != b);
        for c in alive.iter().copied().filter(|c| *c != a) {
            let (ac, bc) = (pairs.get(a, c), pairs.get(b, c));
            let (na, nb, nc) = (size[a], size[b], size[c]);
            let joined = match linkage {
                Linkage::Single => ac.min(bc),
                Linkage::Complete => ac.max(bc),
                Linkage::Average => (na * ac + nb * bc) / (na + nb),
                Linkage::Ward => {
                    let square = (na + nc) * ac * ac + (nb + nc) * bc * bc - nc * d * d;
                    (square / (na + nb + nc)).max(0.0).sqrt()
                }
            };
            let at = pairs.at(a, c);
            pairs.d[at] = joined;
        }
        size[a] += size[b];
    }
    joins
}

fn root(of: &mut [usize], mut i: usize) -> usize {
    while of[i] != i {
        of[i] = of[of[i]];
        i = of[i];
    }
    i
}

impl Clusterer for Agglomerative {
    type Params = AgglomerativeParams;
    const CARD: &'static Card = &CARD;

    fn cluster(
        params: &AgglomerativeParams,
        data: &Observations,
        _: u64,
    ) -> Result<Outputs, FitError> {
        let x = data.x();
        let n = x.nrows();
        let refused = |field: &str, reason: String| {
            FitError::Param(ParamError {
                field: field.into(),
                reason,
                suggestions: Vec::new(),
            })
        };
        if params.linkage == Linkage::Ward
            && !matches!(params.metric, Metric::Euclidean | Metric::L2)
        {
            return Err(refused(
                "metric",
                "the linkage ward takes euclidean only".into(),
            ));
        }
        let wanted = match (params.distance_threshold, params.n_clusters) {
            (None, None) => {
                return Err(refused(
                    "n_clusters",
                    "is none: give it or distance_threshold".into(),
                ));
            }
            (None, Some(many)) if many > n => {
                return Err(refused(
                    "n_clusters",
                    format!("{many} groups of {n} rows: lower it"),
                ));
            }
            (_, many) => many.unwrap_or(1),
        };
        if n > ROWS {
            return Err(FitError::Data(format!(
                "{n} rows: the distances of all pairs are too many above {ROWS}; take fewer rows"
            )));
        }
        // Rows of the triangle of pairs, each in its place.
        let mut d = vec![0.0; n * n.saturating_sub(1) / 2];
        let (mut rows, mut rest) = (Vec::with_capacity(n), &mut d[..]);
        for i in 0..n {
            let (row, after) = rest.split_at_mut(n - i - 1);
            rows.push((i, row));
            rest = after;
        }
        threads::each(rows, |(i, row)| {
            for (k, d) in row.iter_mut().enumerate() {
                *d = distance(x.row(i), x.row(i + 1 + k), params.metric);
            }
        });
        // Ward's update squares a distance and weighs it with up to n.
        if d.iter().any(|v| !(v * v * n as f64).is_finite()) {
            return Err(FitError::Failed(
                "distances overflow: rescale the columns".into(),
            ));
        }
        let mut joins = join(Pairs { n, d }, params.linkage);
        // A chain finds joins out of order; by distance they are those of the plain method.
        joins.sort_by(|a, b| a.2.total_cmp(&b.2));
        let keep = match params.distance_threshold {
            Some(limit) => joins.partition_point(|j| j.2 < limit),
            None => n - wanted,
        };
        let (mut of, mut name): (Vec<usize>, Vec<usize>) = ((0..n).collect(), (0..n).collect());
        let mut children = Vec::with_capacity(joins.len());
        let mut groups_of = (0..n).collect::<Vec<usize>>();
        for (k, (a, b, _)) in joins.iter().enumerate() {
            let (ra, rb) = (root(&mut of, *a), root(&mut of, *b));
            let pair = (name[ra].min(name[rb]), name[ra].max(name[rb]));
            children.push(json!([pair.0, pair.1]));
            of[rb] = ra;
            name[ra] = n + k;
            if k + 1 == keep {
                for (i, group) in groups_of.iter_mut().enumerate() {
                    *group = root(&mut of, i);
                }
            }
        }
        let mut names: Vec<Option<usize>> = vec![None; n];
        let mut next = 0;
        let labels: Vec<usize> = groups_of
            .iter()
            .map(|g| {
                *names[*g].get_or_insert_with(|| {
                    next += 1;
                    next - 1
                })
            })
            .collect();
        let distances: Vec<f64> = joins.iter().map(|j| j.2).collect();
        Ok(Outputs::from_iter([
            ("labels".to_owned(), labels.into()),
            ("n_clusters".to_owned(), next.into()),
            ("children".to_owned(), Value::Array(children)),
            ("distances".to_owned(), run::numbers(&distances)),
        ]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, design};
    use mltrainer_catalogue_core::Params as _;

    #[test]
    fn joins_by_hand() {
        // 0 1 | 5 6.5: joins at 1 and 1.5; the last at 6.5 (complete), 4 (single), the mean of 5, 6.5,
        // 4, 5.5 (average), and ward √(2·2·2/(2+2))·(5.75 - 0.5) = √2 · 5.25.
        let rows = design(&[&[0.0], &[1.0], &[5.0], &[6.5]]).into();
        for (linkage, last) in [
            ("complete", 6.5),
            ("single", 4.0),
            ("average", 5.25),
            ("ward", 2.0_f64.sqrt() * 5.25),
        ] {
            let given = json!({"linkage": linkage});
            let params = AgglomerativeParams::from_map(given.as_object().unwrap()).unwrap();
            let outputs = Agglomerative::cluster(&params, &rows, 0).unwrap();
            assert_eq!(outputs["labels"], json!([0, 0, 1, 1]));
            assert_eq!(outputs["children"], json!([[0, 1], [2, 3], [4, 5]]));
            let got: Vec<f64> = serde_json::from_value(outputs["distances"].clone()).unwrap();
            assert_near(&got, &[1.0, 1.5, last], 1e-12);
        }
    }

    #[test]
    fn groups_are_counted_or_parted_by_a_distance() {
        let rows = design(&[&[0.0], &[1.0], &[5.0], &[6.5]]).into();
        let cluster = |given: serde_json::Value| {
            let params = AgglomerativeParams::from_map(given.as_object().unwrap()).unwrap();
            Agglomerative::cluster(&params, &rows, 0)
        };
        // Joined below 1.2: 0 and 1 only.
        let given = json!({"linkage": "single", "n_clusters": null, "distance_threshold": 1.2});
        assert_eq!(cluster(given).unwrap()["n_clusters"], json!(3));
        let refused = cluster(json!({"n_clusters": null}))
            .unwrap_err()
            .to_string();
        assert_eq!(
            refused,
            "parameter n_clusters: is none: give it or distance_threshold"
        );
    }

    #[test]
    fn metrics_by_hand() {
        // Rows (0, 0) and (3, 4).
        let rows = design(&[&[0.0, 0.0], &[3.0, 4.0]]).into();
        for (metric, apart) in [
            ("euclidean", 5.0),
            ("l2", 5.0),
            ("manhattan", 7.0),
            ("l1", 7.0),
            ("cityblock", 7.0),
            ("chebyshev", 4.0),
            ("cosine", 1.0),
        ] {
            let given = json!({"linkage": "single", "metric": metric, "n_clusters": 1});
            let params = AgglomerativeParams::from_map(given.as_object().unwrap()).unwrap();
            let outputs = Agglomerative::cluster(&params, &rows, 0).unwrap();
            let got: Vec<f64> = serde_json::from_value(outputs["distances"].clone()).unwrap();
            assert_near(&got, &[apart], 1e-12);
        }
    }
}
