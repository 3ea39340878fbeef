//! Brute-force search of the nearest rows, in blocks.
//!
//! For the Euclidean distance one matrix product a tile gives |t|² - 2 q·t, in single precision, which
//! is fast but loses digits to cancellation. It only chooses candidates, with a margin above its
//! rounding error; the distances that count are computed from the differences. So the answer is that
//! of the plain definition, whatever the block a row falls into and however many threads share the
//! blocks.

use mltrainer_catalogue_core::{FitError, choices, threads};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

choices! {
    /// How far two rows are from each other.
    #[derive(Serialize, Deserialize)]
    pub enum Metric {
        /// (Σ |a - b|^p)^(1/p).
        Minkowski = "minkowski",
        /// The same with p = 2.
        Euclidean = "euclidean",
        /// Another name of euclidean.
        L2 = "l2",
        /// The same with p = 1.
        Manhattan = "manhattan",
        /// Another name of manhattan.
        L1 = "l1",
        /// Another name of manhattan.
        CityBlock = "cityblock",
        /// max |a - b|.
        Chebyshev = "chebyshev",
        /// 1 - a·b / (|a| |b|); 1 where a row is all 0.
        Cosine = "cosine",
        /// Σ |a - b| / (|a| + |b|), 0/0 = 0.
        Canberra = "canberra",
        /// Σ |a - b| / Σ (|a| + |b|), 0/0 = 0.
        BrayCurtis = "braycurtis",
        /// Share of the columns in which a and b differ.
        Hamming = "hamming",
        /// The cosine distance of the rows less their means; 1 where a row is all the same.
        Correlation = "correlation",
        /// Σ (a - b)².
        SqEuclidean = "sqeuclidean",
        /// √Σ (a - b)²/V, V the variance of the column.
        SEuclidean = "seuclidean",
        /// √((a - b)ᵀ S⁻¹ (a - b)), S the covariance.
        Mahalanobis = "mahalanobis",
    }
}

/// A distance.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Distance {
    #[serde(default = "minkowski")]
    metric: Metric,
    /// Power of minkowski: 1 is Manhattan, 2 Euclidean.
    p: f64,
}

/// What models saved before there were others have.
fn minkowski() -> Metric {
    Metric::Minkowski
}

impl Distance {
    pub(crate) const EUCLIDEAN: Self = Self {
        metric: Metric::Minkowski,
        p: 2.0,
    };

    /// A metric; `p` is that of minkowski. For seuclidean and mahalanobis of rows that were turned before
    /// ([`super::measure`]).
    pub(crate) fn new(metric: Metric, p: f64) -> Self {
        let of = |p: f64| Self {
            metric: Metric::Minkowski,
            p,
        };
        match metric {
            Metric::Minkowski => of(p),
            Metric::Euclidean | Metric::L2 | Metric::SEuclidean | Metric::Mahalanobis => of(2.0),
            Metric::Manhattan | Metric::L1 | Metric::CityBlock => of(1.0),
            _ => Self { metric, p: 0.0 },
        }
    }

    fn is_euclidean(self) -> bool {
        self.metric == Metric::Minkowski && self.p == 2.0
    }

    fn distance<'a, 'b>(
        self,
        a: impl IntoIterator<Item = &'a f64, IntoIter: Clone>,
        b: impl IntoIterator<Item = &'b f64, IntoIter: Clone>,
    ) -> f64 {
        let pairs = a.into_iter().zip(b);
        let cosine = |(ab, aa, bb): (f64, f64, f64)| {
            if aa > 0.0 && bb > 0.0 {
                (1.0 - ab / (aa.sqrt() * bb.sqrt())).clamp(0.0, 2.0)
            } else {
                1.0
            }
        };
        match self.metric {
            Metric::Cosine => {
                return cosine(pairs.fold((0.0, 0.0, 0.0), |(ab, aa, bb), (a, b)| {
                    (ab + a * b, aa + a * a, bb + b * b)
                }));
            }
            Metric::Correlation => {
                let (n, a_sum, b_sum) = pairs
                    .clone()
                    .fold((0.0, 0.0, 0.0), |(n, x, y), (a, b)| (n + 1.0, x + a, y + b));
                let (a_mean, b_mean) = (a_sum / n, b_sum / n);
                return cosine(pairs.fold((0.0, 0.0, 0.0), |(ab, aa, bb), (a, b)| {
                    let (a, b) = (a - a_mean, b - b_mean);
                    (ab + a * b, aa + a * a, bb + b * b)
                }));
            }
            Metric::Hamming => {
                let (n, apart) = pairs.fold((0.0, 0.0), |(n, apart), (a, b)| {
                    (n + 1.0, if a == b { apart } else { apart + 1.0 })
                });
                return apart / n;
            }
            Metric::SqEuclidean => {
                return pairs.map(|(a, b)| (a - b) * (a - b)).sum();
            }
            Metric::Canberra => {
                let terms = pairs.filter(|(a, b)| **a != 0.0 || **b != 0.0);
                return terms
                    .map(|(a, b)| (a - b).abs() / (a.abs() + b.abs()))
                    .sum();
            }
            Metric::BrayCurtis => {
                let (apart, together) = pairs.fold((0.0, 0.0), |(x, y), (a, b)| {
                    (x + (a - b).abs(), y + a.abs() + b.abs())
                });
                return if together > 0.0 {
                    apart / together
                } else {
                    0.0
                };
            }
            _ => {}
        }
        let gaps = pairs.map(|(a, b)| (a - b).abs());
        if self.metric == Metric::Chebyshev {
            gaps.fold(0.0, f64::max)
        } else if self.p == 1.0 {
            gaps.sum()
        } else if self.p == 2.0 {
            gaps.map(|g| g * g).sum::<f64>().sqrt()
        } else {
            gaps.map(|g| g.powf(self.p)).sum::<f64>().powf(1.0 / self.p)
        }
    }
}

/// Rows that are asked about together, and rows they are compared with at a time: a tile of their
/// products stays in the cache.
const QUERIES: usize = 64;
const TILE: usize = 256;

/// Squared lengths of rows beyond these, and of queries in units of the longest row beyond the last,
/// leave the range of single precision: then only differences are trusted.
const SMALL: f64 = 1e-280;
const LARGE: f64 = 1e280;
const FAR: f64 = 1e30;

/// Rows to search among.
struct Rows<'a> {
    rows: ArrayView2<'a, f64>,
    metric: Distance,
    short: Option<Short>,
}

/// What turns the rows into single precision, in units of the longest, with their squared lengths. The
/// rows themselves are turned tile by tile: to keep them would take half the memory of the table.
struct Short {
    scale: f64,
    columns: usize,
    lengths: Vec<f32>,
}

fn squared_length(row: ArrayView1<'_, f64>) -> f64 {
    row.iter().map(|v| v * v).sum()
}

/// A block of queries in the units of [`Short`], with the squared length of each.
struct Block {
    rows: Array2<f32>,
    lengths: Vec<f64>,
}

impl Short {
    fn new(rows: ArrayView2<'_, f64>) -> Option<Self> {
        let lengths = || rows.rows().into_iter().map(squared_length);
        let longest = lengths().fold(0.0, f64::max);
        if !(SMALL..=LARGE).contains(&longest) {
            return None;
        }
        let scale = 1.0 / longest.sqrt();
        Some(Self {
            scale,
            columns: rows.ncols(),
            lengths: lengths().map(|l| (l * scale * scale) as f32).collect(),
        })
    }

    /// Queries, unless one of them is too far away.
    fn block(&self, queries: ArrayView2<'_, f64>) -> Option<Block> {
        let scaled = queries.mapv(|v| v * self.scale);
        let lengths: Vec<f64> = scaled.rows().into_iter().map(squared_length).collect();
        lengths.iter().all(|l| *l <= FAR).then(|| Block {
            rows: scaled.mapv(|v| v as f32),
            lengths,
        })
    }

    /// Above the error of the product formula for a query of that squared length: of its numbers, of p
    /// products, their sum and two more.
    fn margin(&self, own: f64) -> f64 {
        2.0 * (self.columns as f64 + 8.0) * f64::from(f32::EPSILON) * (own + 1.0)
    }

    /// Calls `each` with the number of a query, the first row of a tile and |t|² - 2 q·t of its rows.
    fn tiles(
        &self,
        rows: ArrayView2<'_, f64>,
        queries: &Array2<f32>,
        mut each: impl FnMut(usize, usize, &[f32]),
    ) {
        let most = TILE.min(self.lengths.len());
        let mut products = vec![0.0; queries.nrows() * most];
        let mut room = Array2::zeros((most, self.columns));
        for (k, tile) in rows.axis_chunks_iter(Axis(0), TILE).enumerate() {
            let mut short = room.slice_axis_mut(Axis(0), (..tile.nrows()).into());
            short.zip_mut_with(&tile, |to, v| *to = (v * self.scale) as f32);
            let tile = short;
            let from = k * TILE;
            let lengths = &self.lengths[from..from + tile.nrows()];
            let products = &mut products[..queries.nrows() * lengths.len()];
            for row in products.chunks_mut(lengths.len()) {
                row.copy_from_slice(lengths);
            }
            let shape = (queries.nrows(), lengths.len());
            if let Ok(mut to) = ndarray::ArrayViewMut2::from_shape(shape, products) {
                general_mat_mul(-2.0, queries, &tile.t(), 1.0, &mut to);
            }
            for (i, row) in products.chunks(lengths.len()).enumerate() {
                each(i, from, row);
            }
        }
    }
}

impl<'a> Rows<'a> {
    fn new(rows: ArrayView2<'a, f64>, metric: Distance) -> Self {
        let short = if metric.is_euclidean() {
            Short::new(rows)
        } else {
            None
        };
        Self {
            rows,
            metric,
            short,
        }
    }

    /// The rows and a block of queries in single precision, where that can choose candidates.
    fn shortened(&self, queries: ArrayView2<'_, f64>) -> Option<(&Short, Block)> {
        let short = self.short.as_ref()?;
        Some((short, short.block(queries)?))
    }

    fn distance(&self, query: ArrayView1<'_, f64>, t: usize) -> f64 {
        self.metric.distance(query, self.rows.row(t))
    }

    /// The `k` nearest rows of each query of a block, nearest first.
    fn nearest(&self, queries: ArrayView2<'_, f64>, k: usize) -> Vec<Vec<(f64, usize)>> {
        let n = self.rows.nrows();
        let order = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        let keep = |mut near: Vec<(f64, usize)>| {
            if near.len() > k {
                near.select_nth_unstable_by(k - 1, order);
                near.truncate(k);
            }
            // The answers of several blocks wait for their turn: without the room of what was let go.
            near.shrink_to_fit();
            near.sort_unstable_by(order);
            near
        };
        let Some((short, block)) = self.shortened(queries) else {
            let all = |query| (0..n).map(|t| (self.distance(query, t), t)).collect();
            return queries.rows().into_iter().map(|q| keep(all(q))).collect();
        };
        let mut finders: Vec<Finder> = block
            .lengths
            .iter()
            .map(|own| Finder {
                k,
                margin: 2.0 * short.margin(*own) as f32,
                limit: f32::INFINITY,
                room: 2 * k + 24,
                among: Vec::with_capacity(2 * k + 24),
            })
            .collect();
        short.tiles(self.rows, &block.rows, |i, from, values| {
            finders[i].look(from, values)
        });
        let each = finders.into_iter().zip(queries.rows());
        each.map(|(mut finder, query)| {
            finder.tidy();
            let among = finder.among.iter();
            keep(among.map(|(_, t)| (self.distance(query, *t), *t)).collect())
        })
        .collect()
    }

    /// All rows at most `radius` away from each query of a block, in order.
    fn within(&self, queries: ArrayView2<'_, f64>, radius: f64) -> Vec<Vec<usize>> {
        let near = |query: ArrayView1<'_, f64>, t: usize| self.distance(query, t) <= radius;
        let Some((short, block)) = self.shortened(queries) else {
            let all = 0..self.rows.nrows();
            let rows = queries.rows().into_iter();
            return rows
                .map(|query| all.clone().filter(|t| near(query, *t)).collect())
                .collect();
        };
        let mut hits: Vec<Vec<usize>> = vec![Vec::new(); queries.nrows()];
        // Squared, in the units of the products; what is too large for them is beyond all rows.
        let squared = (radius * short.scale) * (radius * short.scale);
        short.tiles(self.rows, &block.rows, |i, from, values| {
            // As in `nearest`: near the limit the products only choose whom to measure.
            let own = block.lengths[i];
            let (limit, margin) = (squared - own, short.margin(own));
            let sure = (limit - margin) as f32;
            let limit = ((limit + margin) as f32).next_up();
            below(limit, values, |at, v| {
                if v < sure || near(queries.row(i), from + at) {
                    hits[i].push(from + at);
                }
                limit
            });
        });
        hits
    }
}

/// Calls `hit` with the place and the value of each of the values up to a limit; it gives the limit
/// for those that follow.
fn below(mut limit: f32, values: &[f32], mut hit: impl FnMut(usize, f32) -> f32) {
    // Nearly all are turned away, eight at a time.
    for (c, eight) in values.chunks(8).enumerate() {
        let mut least = f32::INFINITY;
        for v in eight {
            least = if *v < least { *v } else { least };
        }
        if least <= limit {
            for (k, v) in eight.iter().enumerate() {
                if *v <= limit {
                    limit = hit(c * 8 + k, *v);
                }
            }
        }
    }
}

/// Collects the rows that may be among the `k` nearest of a query.
struct Finder {
    k: usize,
    margin: f32,
    /// Values beyond it are certainly too far.
    limit: f32,
    room: usize,
    among: Vec<(f32, usize)>,
}

impl Finder {
    fn look(&mut self, from: usize, values: &[f32]) {
        below(self.limit, values, |at, v| {
            self.among.push((v, from + at));
            if self.among.len() >= self.room {
                self.tidy();
                // Many that cannot be told apart need more room.
                self.room = self.room.max(2 * self.among.len());
            }
            self.limit
        });
    }

    /// Lets go of those that others have pushed out.
    fn tidy(&mut self) {
        if self.among.len() <= self.k {
            return;
        }
        let by = |a: &(f32, usize), b: &(f32, usize)| a.0.total_cmp(&b.0);
        let kth = self.among.select_nth_unstable_by(self.k - 1, by).1.0;
        self.limit = kth + self.margin;
        let limit = self.limit;
        self.among.retain(|(v, _)| *v <= limit);
    }
}

/// What `work` makes of each block of queries, handed to `found` query by query, in order.
fn by_blocks<T: Send>(
    queries: ArrayView2<'_, f64>,
    work: impl Fn(ArrayView2<'_, f64>) -> Vec<T> + Sync,
    mut found: impl FnMut(usize, T) -> Result<(), FitError>,
) -> Result<(), FitError> {
    let blocks = queries.nrows().div_ceil(QUERIES);
    // Few blocks at a time: their answers wait for their turn.
    let wave = 4 * threads::granted();
    for first in (0..blocks).step_by(wave) {
        let each = threads::map(wave.min(blocks - first), |b| {
            let from = (first + b) * QUERIES;
            let until = (from + QUERIES).min(queries.nrows());
            work(queries.slice_axis(Axis(0), (from..until).into()))
        });
        for (b, answers) in each.into_iter().enumerate() {
            for (i, answer) in answers.into_iter().enumerate() {
                found((first + b) * QUERIES + i, answer)?;
            }
        }
    }
    Ok(())
}

/// Calls `found` for each row of `queries` with its `k` nearest rows of `rows` and their distances,
/// nearest first, the earlier row first in a tie. `rows` has at least `k` rows.
///
/// # Errors
/// Those of `found`.
pub(crate) fn nearest(
    rows: ArrayView2<'_, f64>,
    queries: ArrayView2<'_, f64>,
    k: usize,
    metric: Distance,
    mut found: impl FnMut(usize, &[(f64, usize)]) -> Result<(), FitError>,
) -> Result<(), FitError> {
    let rows = Rows::new(rows, metric);
    by_blocks(
        queries,
        |block| rows.nearest(block, k),
        |i, hits: Vec<(f64, usize)>| found(i, &hits),
    )
}

/// Calls `found` for each row of `queries` with all rows of `rows` at most `radius` away, in order.
///
/// # Errors
/// Those of `found`.
pub(crate) fn within(
    rows: ArrayView2<'_, f64>,
    queries: ArrayView2<'_, f64>,
    radius: f64,
    metric: Distance,
    mut found: impl FnMut(usize, &[usize]) -> Result<(), FitError>,
) -> Result<(), FitError> {
    let rows = Rows::new(rows, metric);
    by_blocks(
        queries,
        |block| rows.within(block, radius),
        |i, hits: Vec<usize>| found(i, &hits),
    )
}

/// Rows that a search of all rows against all rows takes: a million would take hours.
const MOST_ROWS: usize = 200_000;

/// Refuses more rows than can all be compared with each other in a bearable time.
///
/// # Errors
/// [`FitError::Data`] naming the limit.
pub(crate) fn comparable(id: &str, rows: &Array2<f64>) -> Result<(), FitError> {
    let n = rows.nrows();
    if n > MOST_ROWS {
        return Err(FitError::Data(format!(
            "{n} rows: {id} takes at most {MOST_ROWS}, since it compares every row with every other; take a sample of the rows"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn large_offsets_do_not_hide_small_gaps() {
        // At 1e8 the squares hold no digit of the gaps 0, 1/8 and 1/4.
        let rows = array![
            [1e8, 1e8],
            [1e8 + 0.25, 1e8],
            [1e8 + 0.125, 1e8],
            [0.0, 0.0]
        ];
        let query = array![[1e8, 1e8]];
        let mut all = Vec::new();
        nearest(
            rows.view(),
            query.view(),
            3,
            Distance::EUCLIDEAN,
            |_, hits| {
                all.extend_from_slice(hits);
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(all, [(0.0, 0), (0.125, 2), (0.25, 1)]);
    }

    #[test]
    fn any_number_of_threads_finds_what_sorting_finds() {
        // Rows of few distinct values: many ties.
        let rows = Array2::from_shape_fn((700, 3), |(i, j)| f64::from((i * (j + 7) % 13) as u32));
        for (p, k) in [(2.0, 1), (2.0, 5), (2.0, 200), (1.0, 5)] {
            let metric = Distance::new(Metric::Minkowski, p);
            for threads in [1, 2, 4] {
                let mut seen = 0;
                threads::grant(threads, || {
                    nearest(rows.view(), rows.view(), k, metric, |i, hits| {
                        let mut all: Vec<(f64, usize)> = (0..700)
                            .map(|t| (metric.distance(rows.row(i), rows.row(t)), t))
                            .collect();
                        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                        assert_eq!(hits, &all[..k]);
                        assert_eq!(i, seen);
                        seen += 1;
                        Ok(())
                    })
                })
                .unwrap();
                assert_eq!(seen, 700);
            }
        }
    }

    #[test]
    fn distances_by_hand() {
        let (a, b) = ([0.0, 0.0], [3.0, 4.0]);
        for (p, want) in [(1.0, 7.0), (2.0, 5.0), (3.0, 91.0_f64.cbrt())] {
            let got = Distance::new(Metric::Minkowski, p).distance(&a, &b);
            assert!((got - want).abs() < 1e-14);
        }
        // (1, 2) and (3, 4): cos = 11/√125; 2/4 + 2/6; 4/10.
        let (a, b) = ([1.0, 2.0], [3.0, 4.0]);
        for (metric, want) in [
            (Metric::Euclidean, 8.0_f64.sqrt()),
            (Metric::L2, 8.0_f64.sqrt()),
            (Metric::Manhattan, 4.0),
            (Metric::L1, 4.0),
            (Metric::CityBlock, 4.0),
            (Metric::Chebyshev, 2.0),
            (Metric::Cosine, 1.0 - 11.0 / 125.0_f64.sqrt()),
            (Metric::Canberra, 0.5 + 1.0 / 3.0),
            (Metric::BrayCurtis, 0.4),
            (Metric::Hamming, 1.0),
            // Both rise by 2 and 1: (-1/2, 1/2) and (-1/2, 1/2).
            (Metric::Correlation, 0.0),
            (Metric::SqEuclidean, 8.0),
        ] {
            let got = Distance::new(metric, 2.0).distance(&a, &b);
            assert!((got - want).abs() < 1e-14, "{metric:?}");
        }
        // Numbers of both signs: (2 + 4)/(1 + 1 + 2 + 2), and (2 + 4)/(3 + 1 + 2 + 2).
        let apart = Distance::new(Metric::BrayCurtis, 2.0);
        assert!((apart.distance(&[1.0, -2.0], &[-1.0, 2.0]) - 1.0).abs() < 1e-15);
        assert!((apart.distance(&[3.0, -2.0], &[1.0, 2.0]) - 0.75).abs() < 1e-15);
    }
}
