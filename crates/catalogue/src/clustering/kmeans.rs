//! k-means.
//!
//! What: k groups with the least sum of squared distances to their means.
//! Formula: min over centres c of Σ minₖ |xᵢ - cₖ|², by Lloyd's steps from k-means++ starts.
//! Data: columns of like scale, since the distance adds them up.
//! Cost: O(n_init · steps · n · k · p).
//! Fails when: groups are not round or of very different size; one start only.
//! Source: Lloyd (1982); Arthur & Vassilvitskii, SODA (2007); Hamerly, SDM (2010).
//! Not claimed: that there are k groups, or the least of all sums.

use crate::numeric::{add_scaled, dot, flat};
use mltrainer_catalogue_core::card::{Evidence, Preset};
use mltrainer_catalogue_core::{
    Card, Clusterer, Entry, FitError, Inputs, Observations, Outputs, choices, params, run, threads,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView1, Axis};
use rand::seq::index;
use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::Value;

/// The handle.
pub struct KMeans;

/// The registration.
pub const ENTRY: Entry = Entry::clustering::<KMeans>();

choices! {
    /// How the first centres are chosen.
    pub enum Init {
        /// Far from each other: by squared distance, the best of 2 + ln k draws each time.
        PlusPlus = "k-means++",
        /// Rows at random.
        Random = "random",
    }
}

params! {
    /// Parameters of k-means.
    pub struct KMeansParams {
        /// Number of groups; at most as many as there are different rows.
        n_clusters: usize = 8, within(1.0, 10_000.0);
        /// How the first centres are chosen.
        init: Init = Init::PlusPlus;
        /// Starts, of which the best is kept; none is 1 with k-means++ and 10 with random.
        n_init: Option<usize> = None, within(1.0, 10_000.0);
        /// Steps of a start at most; `converged` says whether they were enough.
        max_iter: usize = 300, within(1.0, 1_000_000.0);
        /// A start ends when the centres together move less than this share of the mean variance of the columns, or no row changes its group.
        tol: f64 = 1e-4, at_least(0.0);
        /// Seed of the draws; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "kmeans",
    family: "clustering",
    title: "k-means",
    tasks: &[Task::Clustering],
    inputs: Inputs::Table,
    summary: "Groups rows around k centres so that the sum of squared distances to the nearest centre is small: Lloyd's steps from several k-means++ starts, the best start kept.",
    formula: "min over c₁..c_k of Σᵢ sᵢ minₖ |xᵢ - cₖ|², sᵢ the row weights; step: every row to its nearest centre (the first in a tie), every centre to the weighted mean of its rows; a centre without rows moves to the row farthest from its own. Groups are numbered by their centres, compared column by column",
    data: "Columns of like scale: the distance adds them up, nothing is rescaled inside.",
    cost: "O(n_init · steps · n · k · p)",
    fails_when: "Groups are not round or of very different size, k is wrong, or a single start ends in a poor optimum: raise n_init.",
    not_claimed: "That the data has k groups, or that the sum found is the least of all.",
    source: "S. P. Lloyd, Least squares quantization in PCM, IEEE Trans. Inf. Theory 28 (1982); D. Arthur, S. Vassilvitskii, k-means++: the advantages of careful seeding, SODA (2007); G. Hamerly, Making k-means even faster, SDM (2010)",
    reference: "scikit-learn 1.9.1, KMeans",
    outputs: &[
        ("labels", "group of each row, 0 to k - 1"),
        ("inertia", "sum of squared distances to the nearest centre"),
        ("centers", "k rows of centres, columns as in the data"),
        ("n_iter", "steps of the start that was kept"),
        ("converged", "whether that start ended before max_iter"),
    ],
    stochastic: true,
    evidence: &[
        Evidence {
            against: "scikit-learn 1.9.1, n_init 50, tol 0",
            cases: "kmeans-2, kmeans-3, kmeans-4",
            tolerance: "inertia not above the reference's by more than 1e-3, adjusted Rand index 0.95, silhouette 2%",
        },
        Evidence {
            against: "scikit-learn 1.9.1, sample_weight",
            cases: "a test of this entry",
            tolerance: "inertia and centres 1e-12",
        },
    ],
    presets: &[
        Preset {
            id: "kmeans_2",
            title: "k-means with 2 groups",
            set: &[("n_clusters", "2")],
        },
        Preset {
            id: "kmeans_3",
            title: "k-means with 3 groups",
            set: &[("n_clusters", "3")],
        },
        Preset {
            id: "kmeans_5",
            title: "k-means with 5 groups",
            set: &[("n_clusters", "5")],
        },
        Preset {
            id: "kmeans_8",
            title: "k-means with 8 groups",
            set: &[("n_clusters", "8")],
        },
    ],
    exemptions: &[],
};

/// One start, brought to its end.
pub(crate) struct Grouping {
    pub(crate) labels: Vec<usize>,
    centers: Array2<f64>,
    inertia: f64,
    n_iter: usize,
    converged: bool,
}

impl Clusterer for KMeans {
    type Params = KMeansParams;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn cluster(params: &KMeansParams, data: &Observations, seed: u64) -> Result<Outputs, FitError> {
        // Centred columns: distances are the same and products lose fewer digits.
        let means: Vec<f64> = data.x().columns().into_iter().map(mean).collect();
        let mut x = data.x().as_standard_layout().into_owned();
        for mut row in x.rows_mut() {
            row.iter_mut().zip(&means).for_each(|(v, m)| *v -= m);
        }
        let k = params.n_clusters;
        let weights = data.weights();
        let different = count_different(&x, weights, k);
        if k > different {
            return Err(FitError::Data(format!(
                "{k} groups of {different} different rows: lower n_clusters"
            )));
        }
        let spread: f64 = x.columns().into_iter().map(variance).sum::<f64>() / x.ncols() as f64;
        if !spread.is_finite() {
            return Err(FitError::Failed(
                "the columns are too large to be squared: rescale them".into(),
            ));
        }
        let starts = params.n_init.unwrap_or(match params.init {
            Init::PlusPlus => 1,
            Init::Random => 10,
        });
        let mut random = Xoshiro256PlusPlus::seed_from_u64(run::effective_seed(params.seed, seed));
        let mut best: Option<Grouping> = None;
        for _ in 0..starts {
            let centers = match params.init {
                Init::PlusPlus => plus_plus(&x, weights, k, &mut random),
                Init::Random => {
                    let rows = match weights {
                        None => index::sample(&mut random, x.nrows(), k),
                        Some(w) => index::sample_weighted(&mut random, x.nrows(), |i| w[i], k)
                            .map_err(|e| {
                                FitError::Failed(format!("k-means: drawing rows by weight: {e}"))
                            })?,
                    };
                    x.select(Axis(0), &rows.into_vec())
                }
            };
            let grouping = lloyd(&x, weights, centers, params.max_iter, params.tol * spread);
            if best.as_ref().is_none_or(|b| grouping.inertia < b.inertia) {
                best = Some(grouping);
            }
        }
        let best = best.ok_or_else(|| FitError::Failed("k-means: no start was made".into()))?;

        // The same groups have the same names whatever the seed.
        let mut order: Vec<usize> = (0..k).collect();
        order.sort_by(|a, b| {
            let pairs = best.centers.row(*a).into_iter().zip(best.centers.row(*b));
            pairs
                .map(|(a, b)| a.total_cmp(b))
                .find(|o| o.is_ne())
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        let mut names = vec![0; k];
        for (name, old) in order.iter().enumerate() {
            names[*old] = name;
        }
        let centers: Value = order
            .iter()
            .map(|c| {
                let center = best.centers.row(*c).into_iter().zip(&means);
                run::numbers(&center.map(|(c, m)| c + m).collect::<Vec<f64>>())
            })
            .collect();
        let labels: Value = best.labels.iter().map(|l| Value::from(names[*l])).collect();
        Ok(Outputs::from_iter([
            ("labels".to_owned(), labels),
            ("inertia".to_owned(), best.inertia.into()),
            ("centers".to_owned(), centers),
            ("n_iter".to_owned(), best.n_iter.into()),
            ("converged".to_owned(), best.converged.into()),
        ]))
    }
}

pub(super) fn mean(column: ArrayView1<'_, f64>) -> f64 {
    column.iter().sum::<f64>() / column.len() as f64
}

pub(super) fn variance(column: ArrayView1<'_, f64>) -> f64 {
    let centre = mean(column);
    column.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / column.len() as f64
}

/// Number of different rows that weigh anything, counted up to `enough`.
fn count_different(x: &Array2<f64>, weights: Option<&[f64]>, enough: usize) -> usize {
    let mut found: Vec<&[f64]> = Vec::new();
    for (i, row) in rows(x).enumerate() {
        if found.len() >= enough {
            break;
        }
        if weight(weights, i) > 0.0 && !found.contains(&row) {
            found.push(row);
        }
    }
    found.len()
}

/// Squared distance, in four sums that the processor can add at once.
pub(super) fn squared(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (fours, others) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest = fours.remainder().iter().zip(others.remainder());
    let tail: f64 = rest.map(|(a, b)| (a - b) * (a - b)).sum();
    for (a, b) in fours.zip(others) {
        for lane in 0..4 {
            let gap = a[lane] - b[lane];
            sums[lane] += gap * gap;
        }
    }
    tail + (sums[0] + sums[1]) + (sums[2] + sums[3])
}

/// Rows of a table in the standard layout.
fn rows(x: &Array2<f64>) -> std::slice::ChunksExact<'_, f64> {
    flat(x.view()).chunks_exact(x.ncols())
}

/// Weight of a row; 1 where rows count alike.
fn weight(weights: Option<&[f64]>, row: usize) -> f64 {
    weights.map_or(1.0, |w| w[row])
}

/// The row where the sum of the shares before it passes the target, or the last one with a share,
/// should rounding leave something over.
fn reached(shares: &[f64], mut target: f64) -> usize {
    for (i, share) in shares.iter().enumerate() {
        target -= share;
        if target < 0.0 {
            return i;
        }
    }
    let last = shares.iter().rposition(|d| *d > 0.0);
    last.unwrap_or(shares.len() - 1)
}

/// Greedy k-means++: each next centre is a row drawn by its squared distance to the centres so far (times
/// its weight), the draw of 2 + ln k that lowers the sum of these most.
pub(crate) fn plus_plus(
    x: &Array2<f64>,
    weights: Option<&[f64]>,
    k: usize,
    random: &mut Xoshiro256PlusPlus,
) -> Array2<f64> {
    let n = x.nrows();
    let draws = 2 + (k as f64).ln() as usize;
    let first = match weights {
        None => random.gen_range(0..n),
        Some(w) => reached(w, random.r#gen::<f64>() * w.iter().sum::<f64>()),
    };
    let mut chosen = vec![first];
    let each: Vec<&[f64]> = rows(x).collect();
    // Squared distances to the nearest centre, times the weight of the row.
    let to = |i: usize, row: usize| weight(weights, i) * squared(each[i], each[row]);
    let mut nearest: Vec<f64> = (0..n).map(|i| to(i, first)).collect();
    while chosen.len() < k {
        let total: f64 = nearest.iter().sum();
        let mut best: Option<(f64, usize, Vec<f64>)> = None;
        for _ in 0..draws {
            let row = reached(&nearest, random.r#gen::<f64>() * total);
            let pairs = nearest.iter().enumerate();
            let next: Vec<f64> = pairs.map(|(i, d)| d.min(to(i, row))).collect();
            let sum: f64 = next.iter().sum();
            if best.as_ref().is_none_or(|b| sum < b.0) {
                best = Some((sum, row, next));
            }
        }
        if let Some((_, row, next)) = best {
            chosen.push(row);
            nearest = next;
        }
    }
    x.select(Axis(0), &chosen)
}

/// Rows of one piece of a pass.
const PIECE: usize = 1_024;
/// Centres that a row is compared with at a time.
const LANES: usize = 8;

/// The centre of a row, no more than `upper` away, and how near any other one can be at least.
#[derive(Clone, Copy)]
struct Place {
    center: usize,
    upper: f64,
    lower: f64,
}

/// The nearest centre of every row, and what the rows of each centre add up to.
struct Pass {
    places: Vec<Place>,
    /// Centres x columns, each row times its weight.
    sums: Array2<f64>,
    /// Sums of weights.
    sizes: Vec<f64>,
}

/// The table of a k-means, with the squared length of each row.
struct Ground<'a> {
    x: &'a Array2<f64>,
    lengths: Vec<f64>,
    weights: Option<&'a [f64]>,
}

/// Where the rows were, and how far each centre has gone since.
struct Before<'a> {
    places: &'a [Place],
    moves: Vec<f64>,
}

impl Before<'_> {
    /// The place of a row as far as the moves leave it certain, without looking at the row: its centre
    /// and all others may have come nearer, or gone, by as much as they moved (Hamerly, Making k-means
    /// even faster, SDM 2010).
    fn certain(&self, row: usize, two: (f64, f64)) -> Option<Place> {
        let old = self.places[row];
        let own = self.moves[old.center];
        let most = if own == two.0 { two.1 } else { two.0 };
        let now = Place {
            upper: old.upper + own,
            lower: old.lower - most,
            ..old
        };
        (now.upper * (1.0 + 1e-12) < now.lower).then_some(now)
    }

    /// The largest move and the next one.
    fn largest(&self) -> (f64, f64) {
        self.moves.iter().fold(
            (0.0, 0.0),
            |(a, b), m| {
                if *m > a { (*m, a) } else { (a, m.max(b)) }
            },
        )
    }
}

/// The nearest centre is the first with the least |c|² - 2 x·c. Pieces of the rows are summed up in
/// their order, so that the number of threads does not matter.
fn pass(ground: &Ground<'_>, centers: &Array2<f64>, before: Option<&Before<'_>>) -> Pass {
    let ((n, p), k) = (ground.x.dim(), centers.nrows());
    let groups = k.div_ceil(LANES);
    // Group after group, column after column: the entries of eight centres.
    let mut turned = vec![[0.0; LANES]; groups * p];
    let mut lengths = vec![[f64::INFINITY; LANES]; groups];
    for (c, center) in rows(centers).enumerate() {
        let (group, lane) = (c / LANES, c % LANES);
        lengths[group][lane] = dot(center, center);
        for (j, v) in center.iter().enumerate() {
            turned[group * p + j][lane] = -2.0 * v;
        }
    }
    let ends = lengths.as_flattened()[..k].iter();
    let longest = ends.fold(0.0, |m: f64, l| m.max(*l));
    let two = before.map(Before::largest);
    let nearest = |i: usize, row: &[f64]| {
        let (mut best, mut second) = ((0, f64::INFINITY), f64::INFINITY);
        for (group, length) in lengths.iter().enumerate() {
            let mut near = *length;
            for (v, c) in row.iter().zip(&turned[group * p..(group + 1) * p]) {
                for (near, c) in near.iter_mut().zip(c) {
                    *near += v * c;
                }
            }
            for (lane, d) in near.into_iter().enumerate() {
                if d < best.1 {
                    second = best.1;
                    best = (group * LANES + lane, d);
                } else if d < second {
                    second = d;
                }
            }
        }
        // What rounding may have done to a squared distance.
        let slack = 1e-15 * (p + 8) as f64 * (ground.lengths[i] + longest);
        Place {
            center: best.0,
            upper: (best.1 + ground.lengths[i] + slack).max(0.0).sqrt(),
            lower: (second + ground.lengths[i] - slack).max(0.0).sqrt(),
        }
    };
    let pieces = threads::map(n.div_ceil(PIECE), |piece| {
        let from = piece * PIECE;
        let mut places = Vec::with_capacity(PIECE);
        let (mut sums, mut sizes) = (vec![0.0; k * p], vec![0.0; k]);
        for (at, row) in rows(ground.x).skip(from).take(PIECE).enumerate() {
            let i = from + at;
            let certain = before.zip(two).and_then(|(b, two)| b.certain(i, two));
            let place = certain.unwrap_or_else(|| nearest(i, row));
            let own = &mut sums[place.center * p..(place.center + 1) * p];
            let w = weight(ground.weights, i);
            add_scaled(own, w, row);
            sizes[place.center] += w;
            places.push(place);
        }
        (places, sums, sizes)
    });
    let mut all = Pass {
        places: Vec::with_capacity(n),
        sums: Array2::zeros((k, p)),
        sizes: vec![0.0; k],
    };
    for (places, sums, sizes) in pieces {
        all.places.extend(places);
        all.sums.iter_mut().zip(sums).for_each(|(a, b)| *a += b);
        all.sizes.iter_mut().zip(sizes).for_each(|(a, b)| *a += b);
    }
    all
}

/// Squared distance of every row to its centre.
fn distances(x: &Array2<f64>, centers: &Array2<f64>, places: &[Place]) -> Vec<f64> {
    let centers: Vec<&[f64]> = rows(centers).collect();
    let pairs = rows(x).zip(places);
    pairs
        .map(|(row, place)| squared(row, centers[place.center]))
        .collect()
}

pub(crate) fn lloyd(
    x: &Array2<f64>,
    weights: Option<&[f64]>,
    mut centers: Array2<f64>,
    max_iter: usize,
    tol: f64,
) -> Grouping {
    let k = centers.nrows();
    let ground = Ground {
        x,
        lengths: rows(x).map(|r| dot(r, r)).collect(),
        weights,
    };
    let Pass {
        mut places,
        mut sums,
        mut sizes,
    } = pass(&ground, &centers, None);
    let (mut n_iter, mut converged) = (0, false);
    while n_iter < max_iter && !converged {
        n_iter += 1;
        let mut next = sums;
        if sizes.contains(&0.0) {
            // A centre without rows takes the row that is farthest from its own centre.
            let far = distances(x, &centers, &places);
            let mut order: Vec<usize> = (0..far.len()).collect();
            order.sort_by(|a, b| far[*b].total_cmp(&far[*a]).then(a.cmp(b)));
            let mut order = order.into_iter();
            for c in (0..k).filter(|c| sizes[*c] == 0.0).collect::<Vec<_>>() {
                let spare = |r: &usize| {
                    let w = weight(weights, *r);
                    w > 0.0 && sizes[places[*r].center] > w
                };
                if let Some(row) = order.find(spare) {
                    let (w, old) = (weight(weights, row), places[row].center);
                    places[row] = Place {
                        center: c,
                        upper: f64::INFINITY,
                        lower: 0.0,
                    };
                    next.row_mut(old).scaled_add(-w, &x.row(row));
                    sizes[old] -= w;
                    next.row_mut(c).assign(&x.row(row));
                    next.row_mut(c).mapv_inplace(|v| v * w);
                    sizes[c] = w;
                }
            }
        }
        for (mut center, size) in next.rows_mut().into_iter().zip(&sizes) {
            center /= *size;
        }
        let pairs = rows(&centers).zip(rows(&next));
        let moves: Vec<f64> = pairs.map(|(a, b)| squared(a, b)).collect();
        let moved: f64 = moves.iter().sum();
        let before = Before {
            places: &places,
            moves: moves.into_iter().map(f64::sqrt).collect(),
        };
        let after = pass(&ground, &next, Some(&before));
        let mut pairs = after.places.iter().zip(&places);
        converged = pairs.all(|(a, b)| a.center == b.center) || moved <= tol;
        centers = next;
        (places, sums, sizes) = (after.places, after.sums, after.sizes);
    }
    let far = distances(x, &centers, &places).into_iter().enumerate();
    Grouping {
        inertia: far.map(|(i, d)| d * weight(weights, i)).sum(),
        labels: places.iter().map(|p| p.center).collect(),
        centers,
        n_iter,
        converged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, design};
    use mltrainer_catalogue_core::Params as _;
    use serde_json::json;

    fn cluster(rows: &[&[f64]], given: Value) -> Result<Outputs, FitError> {
        let params = KMeansParams::from_map(given.as_object().unwrap()).unwrap();
        KMeans::cluster(&params, &design(rows).into(), 0)
    }

    #[test]
    fn weights_count_rows_several_times() {
        // scikit-learn 1.9.1, KMeans(3, n_init=50, tol=0).fit(x, sample_weight=w).
        let (rows, weights) = crate::testing::weighed_rows();
        let given = serde_json::json!({"n_clusters": 3, "n_init": 20, "tol": 0.0});
        let params = KMeansParams::from_map(given.as_object().unwrap()).unwrap();
        let weighed = Observations::from(rows).with_weights(weights).unwrap();
        let outputs = KMeans::cluster(&params, &weighed, 0).unwrap();
        assert_near(
            &[outputs["inertia"].as_f64().unwrap()],
            &[5.349206349206349],
            1e-12,
        );
        let centers: Vec<Vec<f64>> = serde_json::from_value(outputs["centers"].clone()).unwrap();
        let want = [4.0 / 7.0, 2.0 / 7.0, 26.0 / 3.0, 74.0 / 9.0, 20.0, 0.0];
        assert_near(&centers.concat(), &want, 1e-12);
    }

    #[test]
    fn two_groups_by_hand() {
        // Means 1 and 11: squares 1 + 0 + 1 + 1 + 1 = 4.
        let rows: [&[f64]; 5] = [&[12.0], &[0.0], &[1.0], &[2.0], &[10.0]];
        for init in ["k-means++", "random"] {
            let outputs = cluster(&rows, json!({"n_clusters": 2, "init": init})).unwrap();
            assert_eq!(outputs["labels"], json!([1, 0, 0, 0, 1]));
            assert_eq!(outputs["centers"], json!([[1.0], [11.0]]));
            assert_eq!(outputs["inertia"], 4.0);
            assert_eq!(outputs["converged"], true);
        }
    }

    #[test]
    fn as_many_groups_as_different_rows() {
        let rows: [&[f64]; 4] = [&[1.0], &[2.0], &[2.0], &[5.0]];
        let outputs = cluster(&rows, json!({"n_clusters": 3, "init": "random"})).unwrap();
        assert_eq!(outputs["inertia"], 0.0);
        let refused = cluster(&rows, json!({"n_clusters": 4})).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "4 groups of 3 different rows: lower n_clusters"
        );
    }
}
