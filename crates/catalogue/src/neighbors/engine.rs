//! Brute-force search of the nearest rows, in blocks.
//!
//! For the Euclidean distance one matrix product a block gives |q|² + |t|² - 2 q·t, which is fast but
//! loses digits to cancellation. It only chooses candidates, with a margin above its rounding error;
//! the distances that count are computed from the differences. So the answer is that of the plain
//! definition, whatever the block a row falls into.

use mltrainer_catalogue_core::FitError;
use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

/// The distance (Σ |a - b|^p)^(1/p).
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Minkowski {
    /// 1 is Manhattan, 2 Euclidean.
    pub(crate) p: f64,
}

impl Minkowski {
    fn distance<'a, 'b>(
        self,
        a: impl IntoIterator<Item = &'a f64>,
        b: impl IntoIterator<Item = &'b f64>,
    ) -> f64 {
        let gaps = a.into_iter().zip(b).map(|(a, b)| (a - b).abs());
        if self.p == 1.0 {
            gaps.sum()
        } else if self.p == 2.0 {
            gaps.map(|g| g * g).sum::<f64>().sqrt()
        } else {
            gaps.map(|g| g.powf(self.p)).sum::<f64>().powf(1.0 / self.p)
        }
    }
}

fn kth_smallest(values: &[f64], k: usize) -> f64 {
    if k > 32 {
        let mut scratch = values.to_vec();
        return *scratch.select_nth_unstable_by(k - 1, f64::total_cmp).1;
    }
    // Few are kept, and nearly every value is turned away by the one comparison.
    let mut top = vec![f64::INFINITY; k];
    for &v in values {
        if v < top[k - 1] {
            let at = top.partition_point(|t| *t <= v);
            top.copy_within(at..k - 1, at + 1);
            top[at] = v;
        }
    }
    top[k - 1]
}

/// Products of one block: few enough to stay in the cache.
const BLOCK: usize = 1 << 18;

/// Calls `found` for each row of `queries` with its `k` nearest rows of `rows` and their distances,
/// nearest first, the earlier row first in a tie. `rows` has at least `k` rows.
///
/// # Errors
/// Those of `found`.
pub(crate) fn nearest(
    rows: &Array2<f64>,
    queries: ArrayView2<'_, f64>,
    k: usize,
    metric: Minkowski,
    mut found: impl FnMut(usize, &[(f64, usize)]) -> Result<(), FitError>,
) -> Result<(), FitError> {
    let n = rows.nrows();
    let square = |m: &ArrayView2<'_, f64>| -> Vec<f64> {
        m.rows()
            .into_iter()
            .map(|r| r.iter().map(|v| v * v).sum())
            .collect()
    };
    let mut near: Vec<(f64, usize)> = Vec::new();
    let mut exact = |query: ndarray::ArrayView1<'_, f64>,
                     among: &mut dyn Iterator<Item = usize>| {
        near.clear();
        near.extend(among.map(|t| (metric.distance(query, rows.row(t)), t)));
        let order = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        if near.len() > k {
            near.select_nth_unstable_by(k - 1, order);
            near.truncate(k);
        }
        near.sort_unstable_by(order);
        near.clone()
    };
    if metric.p != 2.0 {
        for (i, query) in queries.rows().into_iter().enumerate() {
            found(i, &exact(query, &mut (0..n)))?;
        }
        return Ok(());
    }
    let lengths = square(&rows.view());
    let longest = lengths.iter().copied().fold(0.0, f64::max);
    let block = (BLOCK / n).clamp(1, 256);
    let mut approximate = vec![0.0; n];
    for (b, part) in queries.axis_chunks_iter(Axis(0), block).enumerate() {
        let products = part.dot(&rows.t());
        for (i, own) in square(&part).into_iter().enumerate() {
            // Twice the error bound of the product formula: of p products, their sum and two more.
            let margin = 8.0 * (queries.ncols() as f64 + 8.0) * f64::EPSILON * (own + longest);
            let pairs = products.row(i).into_iter().zip(&lengths);
            for (a, (product, length)) in approximate.iter_mut().zip(pairs) {
                *a = length - 2.0 * product;
            }
            let limit = kth_smallest(&approximate, k) + margin;
            let hits = if limit.is_finite() {
                let mut among = (0..n).filter(|t| approximate[*t] <= limit);
                exact(part.row(i), &mut among)
            } else {
                exact(part.row(i), &mut (0..n))
            };
            found(b * block + i, &hits)?;
        }
    }
    Ok(())
}

/// Calls `found` for each row of `queries` with all rows of `rows` at most `radius` away, in order.
///
/// # Errors
/// Those of `found`.
pub(crate) fn within(
    rows: &Array2<f64>,
    queries: ArrayView2<'_, f64>,
    radius: f64,
    metric: Minkowski,
    mut found: impl FnMut(usize, &[usize]) -> Result<(), FitError>,
) -> Result<(), FitError> {
    let n = rows.nrows();
    let square = |m: &ArrayView2<'_, f64>| -> Vec<f64> {
        m.rows()
            .into_iter()
            .map(|r| r.iter().map(|v| v * v).sum())
            .collect()
    };
    let near = |query: ndarray::ArrayView1<'_, f64>, t: usize| {
        metric.distance(query, rows.row(t)) <= radius
    };
    let mut hits: Vec<usize> = Vec::new();
    if metric.p != 2.0 {
        for (i, query) in queries.rows().into_iter().enumerate() {
            hits.clear();
            hits.extend((0..n).filter(|t| near(query, *t)));
            found(i, &hits)?;
        }
        return Ok(());
    }
    let lengths = square(&rows.view());
    let longest = lengths.iter().copied().fold(0.0, f64::max);
    let block = (BLOCK / n).clamp(1, 256);
    for (b, part) in queries.axis_chunks_iter(Axis(0), block).enumerate() {
        let products = part.dot(&rows.t());
        for (i, own) in square(&part).into_iter().enumerate() {
            // As in `nearest`: the products only choose whom to measure.
            let margin = 8.0 * (queries.ncols() as f64 + 8.0) * f64::EPSILON * (own + longest);
            let limit = radius * radius + margin;
            let pairs = products.row(i).into_iter().zip(&lengths);
            hits.clear();
            for (t, (product, length)) in pairs.enumerate() {
                let about = own + length - 2.0 * product;
                // Sums that overflow say nothing: such rows are measured too.
                if (about.is_nan() || about <= limit) && near(part.row(i), t) {
                    hits.push(t);
                }
            }
            found(b * block + i, &hits)?;
        }
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
        nearest(&rows, query.view(), 3, Minkowski { p: 2.0 }, |_, hits| {
            all.extend_from_slice(hits);
            Ok(())
        })
        .unwrap();
        assert_eq!(all, [(0.0, 0), (0.125, 2), (0.25, 1)]);
    }

    #[test]
    fn both_ways_to_the_kth_smallest_agree() {
        let values: Vec<f64> = (0..200).map(|i| f64::from(i * 37 % 101)).collect();
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        for k in [1, 2, 31, 32, 33, 199] {
            assert_eq!(kth_smallest(&values, k), sorted[k - 1]);
        }
    }

    #[test]
    fn distances_by_hand() {
        let (a, b) = ([0.0, 0.0], [3.0, 4.0]);
        for (p, want) in [(1.0, 7.0), (2.0, 5.0), (3.0, 91.0_f64.cbrt())] {
            let got = Minkowski { p }.distance(&a, &b);
            assert!((got - want).abs() < 1e-14);
        }
    }
}
