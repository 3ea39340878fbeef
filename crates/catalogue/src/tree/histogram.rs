//! One engine for every boosted tree: columns cut into bins once, sums of gradients by bin.
//!
//! A node holds, for each column and bin, the sums of gradients and hessians of its rows and their
//! number. The smaller child is summed over its rows, the larger one is the parent less the smaller.
//! With one bin a distinct value (`Bins::Exact`) this is exact split finding: thresholds are then
//! placed halfway between the neighbouring values of the node itself.
//!
//! A missing value (NaN) has a bin of its own and goes to the side that gains more. A column of
//! categories is cut between categories ordered by gradient over hessian, or, where they are few, one
//! category from all others ([`Categories`]).

use super::bundles::{Slots, Sparse};
use super::draws::{Congruential, Draws};
use super::linear_leaves::LinearLeaf;
use super::log_sum::log_sum;
use super::shap::Splits;
use super::sketch;
use mltrainer_catalogue_core::{FitError, threads};
use ndarray::{Array2, ArrayView1};
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// How a column of numbers is cut into bins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bins {
    /// One a distinct value.
    Exact,
    /// At most so many: one a distinct value, or equal shares of the rows (scikit-learn).
    Quantiles(usize),
    /// At most so many, each with so many rows, zero apart (LightGBM).
    Greedy(usize, usize),
    /// At most so many: one a distinct value, or equal shares of the rows; a cut is the least value
    /// above it (XGBoost).
    Sketch(usize),
    /// At most so many: bins are halved as long as that raises Σ ln(rows) most (CatBoost).
    LogSum(usize),
}

/// The bins of the rows of a column.
pub(super) enum Codes {
    Small(Vec<u8>),
    Large(Vec<u16>),
    /// Of a bundle of columns, and where this one's are among them.
    Bundled(Arc<Vec<u8>>, Slots),
}

impl Codes {
    /// Bytes, where a row has one.
    fn small(&self) -> Option<&[u8]> {
        match self {
            Self::Small(codes) => Some(codes),
            Self::Bundled(codes, _) => Some(codes),
            Self::Large(_) => None,
        }
    }
}

/// A column as bins.
pub(super) struct Column {
    pub(super) codes: Codes,
    /// Bins of values; the bin after them holds the missing ones.
    pub(super) bins: usize,
    pub(super) missing: bool,
    /// A value up to the b-th of them is in bin b or before.
    pub(super) bounds: Vec<f64>,
    /// Least value of each bin and largest value of each bin, for exact cuts.
    pub(super) ends: Vec<(f64, f64)>,
    /// Categories by bin, for a column of categories.
    pub(super) categories: Option<Vec<f64>>,
    /// The bin whose sums are what the others leave of those of the node (LightGBM's most frequent bin
    /// when it is not its first): its rounding decides ties of like gains.
    pub(super) rest: Option<usize>,
    /// LightGBM's most frequent bin.
    pub(super) usual: usize,
    /// Rows by bin, those without a value last; empty but for LightGBM.
    pub(super) rows: Vec<usize>,
    /// Cells that it takes.
    pub(super) width: usize,
}

impl Column {
    /// The bin of a row.
    pub(super) fn code(&self, row: u32) -> usize {
        match &self.codes {
            Codes::Small(codes) => usize::from(codes[row as usize]),
            Codes::Large(codes) => usize::from(codes[row as usize]),
            Codes::Bundled(codes, slots) => slots.bin(usize::from(codes[row as usize])),
        }
    }

    /// Bins, that of the missing values among them.
    pub(super) fn all_bins(&self) -> usize {
        self.bins + usize::from(self.missing)
    }
}

/// The columns of a problem as bins.
pub(crate) struct Binned {
    n: usize,
    pub(super) columns: Vec<Column>,
    /// Columns that are summed, by what they are stored in: one each, or those of a bundle, ascending.
    stores: Vec<Vec<usize>>,
    /// Codes of four stores that follow each other, row by row: one look into memory for all of them.
    /// Empty where one of the columns has more than 256 bins, and for the last ones.
    abreast: Vec<Vec<[u8; SIDE_BY_SIDE]>>,
    /// Columns that LightGBM looks at, in the order of its groups.
    pub(super) grouped: Vec<usize>,
}

/// LightGBM's and our zero.
pub(super) const ZERO: f64 = 1e-35;

/// Greedy bins of sorted distinct values (LightGBM's GreedyFindBin): upper bounds, the last infinite.
fn greedy(values: &[f64], counts: &[usize], max_bin: usize, least: usize) -> Vec<f64> {
    let n = values.len();
    let total: usize = counts.iter().sum();
    let mut bounds: Vec<f64> = Vec::new();
    let mut push = |low: f64, high: f64| {
        let bound = f64::midpoint(low, high).next_up();
        if bounds.last().is_none_or(|b| bound > b.next_up()) {
            bounds.push(bound);
            true
        } else {
            false
        }
    };
    if n <= max_bin {
        let mut inside = 0;
        for i in 0..n - 1 {
            inside += counts[i];
            if inside >= least && push(values[i], values[i + 1]) {
                inside = 0;
            }
        }
        bounds.push(f64::INFINITY);
        return bounds;
    }
    let max_bin = max_bin.min(total / least.max(1)).max(1);
    let mut mean = total as f64 / max_bin as f64;
    let big: Vec<bool> = counts.iter().map(|c| *c as f64 >= mean).collect();
    let mut bins_left = max_bin as f64 - big.iter().filter(|b| **b).count() as f64;
    let pairs = counts.iter().zip(&big);
    let mut rows_left: usize = pairs.filter(|(_, b)| !**b).map(|(c, _)| c).sum();
    mean = rows_left as f64 / bins_left;
    let (mut uppers, mut lowers) = (Vec::new(), vec![values[0]]);
    let mut inside = 0;
    for i in 0..n - 1 {
        if !big[i] {
            rows_left -= counts[i];
        }
        inside += counts[i];
        let full = inside as f64 >= mean;
        if big[i] || full || (big[i + 1] && inside as f64 >= (mean * 0.5).max(1.0)) {
            uppers.push(values[i]);
            lowers.push(values[i + 1]);
            if lowers.len() >= max_bin {
                break;
            }
            inside = 0;
            if !big[i] {
                bins_left -= 1.0;
                mean = rows_left as f64 / bins_left;
            }
        }
    }
    for (upper, lower) in uppers.iter().zip(&lowers[1..]) {
        push(*upper, *lower);
    }
    bounds.push(f64::INFINITY);
    bounds
}

/// Bounds of greedy bins, with zero in a bin of its own (LightGBM's FindBinWithZeroAsOneBin), the
/// last one left out.
fn greedy_around_zero(values: &[f64], counts: &[usize], max_bin: usize, least: usize) -> Vec<f64> {
    let left = values.partition_point(|v| *v <= -ZERO);
    let right = values.partition_point(|v| *v <= ZERO);
    let sum = |range: std::ops::Range<usize>| counts[range].iter().sum::<usize>();
    let (below, zero) = (sum(0..left), sum(left..right));
    let total = sum(0..values.len());
    let mut bounds = Vec::new();
    if left > 0 && max_bin > 1 {
        let share = below as f64 / (total - zero) as f64 * (max_bin - 1) as f64;
        bounds = greedy(
            &values[..left],
            &counts[..left],
            (share as usize).max(1),
            least,
        );
        if let Some(last) = bounds.last_mut() {
            *last = -ZERO;
        }
    }
    let room = (max_bin - 1).saturating_sub(bounds.len());
    if right < values.len() && room > 0 {
        bounds.push(ZERO);
        bounds.extend(greedy(&values[right..], &counts[right..], room, least));
    } else {
        bounds.push(f64::INFINITY);
    }
    bounds.pop();
    bounds
}

/// Categories that have a bin of their own, in the order of the bins, of ascending values with their
/// counts and the number of rows without a value.
///
/// LightGBM takes the most frequent first and stops when 99 % of the rows have a bin and there are as many
/// bins as it may have, or before the third category with fewer than `least` rows; the others are as if
/// they were missing, for which there always is a bin. XGBoost has one for every whole number up to the
/// largest.
fn category_bins(values: &[f64], counts: &[usize], missing: usize, bins: Bins) -> Vec<f64> {
    match bins {
        Bins::Greedy(max, least) => {
            let mut order: Vec<usize> = (0..values.len()).collect();
            order.sort_by_key(|k| std::cmp::Reverse(counts[*k]));
            let total: usize = counts.iter().sum();
            // The program multiplies in single precision.
            let enough = (f64::from(total as f32 * 0.99_f32) + 0.5) as usize;
            let max = max.min(values.len() + usize::from(missing > 0));
            let mut rows = 0;
            let mut kept = Vec::new();
            for k in order {
                let full = rows >= enough && kept.len() + 1 >= max;
                if full || (counts[k] < least && kept.len() > 1) {
                    break;
                }
                rows += counts[k];
                kept.push(values[k]);
            }
            kept
        }
        Bins::Exact | Bins::Sketch(_) => {
            let codes = values.iter().all(|v| *v >= 0.0 && v.fract() == 0.0);
            match values.last() {
                Some(last) if codes && *last < f64::from(u16::MAX - 1) => {
                    (0..=*last as u16).map(f64::from).collect()
                }
                _ => values.to_vec(),
            }
        }
        _ => values.to_vec(),
    }
}

/// The bin of categories that LightGBM leaves out of its sums: that of 0, unless another, or that of
/// the rest, holds 70 % of the rows; `None` is that of the rest.
fn most_frequent_category(kept: &[f64], rows: &[usize], total: usize) -> Option<usize> {
    let others = total - rows.iter().sum::<usize>();
    let fullest = (0..rows.len()).reduce(|a, b| if rows[b] > rows[a] { b } else { a })?;
    let (fullest, many) = if others >= rows[fullest] {
        (None, others)
    } else {
        (Some(fullest), rows[fullest])
    };
    if many as f64 / total as f64 >= 0.7 {
        fullest
    } else {
        kept.iter().position(|v| *v == 0.0)
    }
}

/// Rows by bin of ascending values, and the `missing` ones.
fn rows_by_bin(values: &[f64], counts: &[usize], bounds: &[f64], missing: usize) -> Vec<usize> {
    let mut rows = vec![0_usize; bounds.len() + 1];
    // Both ascend.
    let mut at = 0;
    for (v, c) in values.iter().zip(counts) {
        at += bounds[at..].iter().take_while(|b| **b < *v).count();
        rows[at] += c;
    }
    rows.push(missing);
    rows
}

/// The bin that LightGBM leaves out of its sums: that of 0, unless another, or the one after all of them
/// with the missing rows, holds 70 % of the `rows`.
fn most_frequent(rows: &[usize], bounds: &[f64]) -> Option<usize> {
    let total: usize = rows.iter().sum();
    let fullest = (0..rows.len()).reduce(|a, b| if rows[b] > rows[a] { b } else { a })?;
    let sparse = rows[fullest] as f64 / total as f64 >= 0.7;
    let zero = bounds.partition_point(|b| *b < 0.0);
    Some(if sparse { fullest } else { zero })
}

/// Distinct values, ascending, with their counts; missing ones are left out.
fn tally(column: &[f64]) -> (Vec<f64>, Vec<usize>) {
    // A few are told apart sooner than all are sorted.
    const FEW: usize = 6;
    let mut few: Vec<(f64, usize)> = Vec::new();
    for v in column.iter().filter(|v| !v.is_nan()) {
        match few
            .iter_mut()
            .find(|(known, _)| known.to_bits() == v.to_bits())
        {
            Some((_, count)) => *count += 1,
            None => few.push((*v, 1)),
        }
        if few.len() > FEW {
            break;
        }
    }
    let (mut values, mut counts): (Vec<f64>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut push = |v: f64, many: usize| match (values.last(), counts.last_mut()) {
        (Some(last), Some(count)) if *last == v => *count += many,
        _ => {
            values.push(v);
            counts.push(many);
        }
    };
    if few.len() > FEW {
        let mut sorted: Vec<f64> = column.iter().copied().filter(|v| !v.is_nan()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted.into_iter().for_each(|v| push(v, 1));
    } else {
        few.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        few.into_iter().for_each(|(v, many)| push(v, many));
    }
    (values, counts)
}

/// Bounds between distinct values with their counts.
fn cuts(values: &[f64], counts: &[usize], bins: Bins) -> Vec<f64> {
    let middle = |i: usize| {
        let m = f64::midpoint(values[i], values[i + 1]);
        if m < values[i + 1] { m } else { values[i] }
    };
    let n = values.len();
    let total: usize = counts.iter().sum();
    // Rows before each distinct value.
    let mut before = vec![0_usize];
    for c in counts {
        before.push(before[before.len() - 1] + c);
    }
    match bins {
        Bins::Greedy(max, least) => greedy_around_zero(values, counts, max, least),
        Bins::Exact => (0..n - 1).map(middle).collect(),
        // What stands for a missing value has a bin of its own, one of so many.
        Bins::LogSum(max) if n > 1 && values[0] == f64::MIN => {
            let known = log_sum(&values[1..], &counts[1..], max - 1);
            std::iter::once(f64::MIN).chain(known).collect()
        }
        Bins::LogSum(max) if n > 1 && values[n - 1] == f64::MAX => {
            let mut bounds = log_sum(&values[..n - 1], &counts[..n - 1], max - 1);
            bounds.push(f64::MAX.next_down());
            bounds
        }
        Bins::LogSum(max) => log_sum(values, counts, max),
        Bins::Quantiles(max) if n <= max => (0..n - 1).map(middle).collect(),
        Bins::Quantiles(max) => {
            // numpy's percentiles with the method averaged_inverted_cdf, rounding and all: halfway
            // when the share falls between two rows.
            let at_row = |row: usize| values[before.partition_point(|k| *k <= row) - 1];
            let mut bounds: Vec<f64> = (1..max)
                .map(|k| {
                    let share = k as f64 * (100.0 / max as f64) / 100.0;
                    let row = total as f64 * share - 1.0;
                    let low = row.floor().max(0.0) as usize;
                    let next = at_row((low + 1).min(total - 1));
                    if row.fract() == 0.0 {
                        f64::midpoint(at_row(low), next)
                    } else {
                        next
                    }
                })
                .collect();
            bounds.dedup();
            bounds.retain(|b| *b < values[n - 1]);
            bounds
        }
        Bins::Sketch(max) => {
            let weights = counts.iter().map(|c| *c as f64);
            sketch::cuts(values.iter().copied().zip(weights), total, max)
        }
    }
}

/// Cuts of values with weights: one between neighbours, or at equal shares of the weights, halfway to the
/// next row where a share ends with a row (scikit-learn's weighted percentiles).
fn weighed_quantiles(rows: impl Iterator<Item = (f64, f64)>, max: usize) -> Vec<f64> {
    let mut rows: Vec<(f64, f64)> = rows.collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut values: Vec<f64> = rows.iter().map(|r| r.0).collect();
    values.dedup();
    if values.len() <= max {
        let counts = vec![1; values.len()];
        return match values.len() {
            0 => Vec::new(),
            _ => cuts(&values, &counts, Bins::Quantiles(max)),
        };
    }
    let mut sum = 0.0;
    let sums: Vec<f64> = rows
        .iter()
        .map(|(_, w)| {
            sum += w;
            sum
        })
        .collect();
    let last = rows.len() - 1;
    let mut bounds: Vec<f64> = (1..max)
        .map(|k| {
            let rank = k as f64 * (100.0 / max as f64) / 100.0 * sum;
            let at = sums.partition_point(|s| *s < rank).min(last);
            if sums[at] - rank > f64::EPSILON {
                rows[at].0
            } else {
                f64::midpoint(rows[at].0, rows[(at + 1).min(last)].0)
            }
        })
        .collect();
    bounds.dedup();
    bounds.retain(|b| *b < rows[last].0);
    bounds
}

impl Binned {
    /// Cuts the columns. Columns of `categories` hold categories, one a distinct value.
    ///
    /// # Errors
    /// With more rows than can be numbered, more distinct values than bins can be, or a column of
    /// categories with too many.
    pub(crate) fn new(
        x: &Array2<f64>,
        bins: Bins,
        categories: &[usize],
        names: &[String],
    ) -> Result<Self, FitError> {
        Self::weighed(x, bins, categories, names, None)
    }

    /// The same, where shares of the rows are shares of their weights (`Bins::Quantiles`, `Bins::Sketch`).
    ///
    /// # Errors
    /// Those of [`Self::new`].
    pub(crate) fn weighed(
        x: &Array2<f64>,
        bins: Bins,
        categories: &[usize],
        names: &[String],
        weights: Option<&[f64]>,
    ) -> Result<Self, FitError> {
        let cut = Self::cut(x, bins, categories, names, (weights, false))?;
        let columns: Vec<Column> = cut.into_iter().map(|(column, _)| column).collect();
        let stores = (0..columns.len()).map(|c| vec![c]).collect();
        Ok(Self::store(x.nrows(), columns, stores))
    }

    /// Of columns that are stored like that.
    pub(super) fn store(n: usize, columns: Vec<Column>, stores: Vec<Vec<usize>>) -> Self {
        let groups: Vec<&[Vec<usize>]> = stores.chunks(SIDE_BY_SIDE).collect();
        let abreast = threads::map(groups.len(), |k| match small(&columns, groups[k]) {
            Some([a, b, c, d]) => (0..n).map(|i| [a[i], b[i], c[i], d[i]]).collect(),
            None => Vec::new(),
        });
        Self {
            n,
            columns,
            stores,
            abreast,
            grouped: Vec::new(),
        }
    }

    /// Bins of each column, and how bundling sees it where that is asked for.
    pub(super) fn cut(
        x: &Array2<f64>,
        bins: Bins,
        categories: &[usize],
        names: &[String],
        (weights, bundle): (Option<&[f64]>, bool),
    ) -> Result<Vec<(Column, Option<Sparse>)>, FitError> {
        let n = x.nrows();
        if u32::try_from(n).is_err() {
            return Err(FitError::Data(format!("{n} rows: a tree takes 4 billion")));
        }
        let cut = |j: usize, column: &[f64]| -> Result<(Column, Option<Sparse>), FitError> {
            let (values, counts) = tally(column);
            let unknown = n - counts.iter().sum::<usize>();
            let missing = unknown > 0;
            let categorical = categories.contains(&j);
            let most = usize::from(u16::MAX) - 1;
            let kept = categorical.then(|| category_bins(&values, &counts, unknown, bins));
            let bounds = match bins {
                _ if values.is_empty() || categorical => Vec::new(),
                Bins::Greedy(max, least) => cuts(
                    &values,
                    &counts,
                    Bins::Greedy(max - usize::from(missing), least),
                ),
                Bins::Quantiles(max) => match weights {
                    Some(weights) => {
                        let rows = column.iter().copied().zip(weights.iter().copied());
                        weighed_quantiles(rows.filter(|(v, w)| !v.is_nan() && *w > 0.0), max)
                    }
                    None => cuts(&values, &counts, bins),
                },
                Bins::Sketch(max) => {
                    let weight = |i: usize| weights.map_or(1.0, |w| w[i]);
                    let rows = column.iter().enumerate().map(|(i, v)| (*v, weight(i)));
                    sketch::cuts(rows.filter(|r| !r.0.is_nan()), n - unknown, max)
                }
                other => cuts(&values, &counts, other),
            };
            let many = kept.as_ref().map_or(bounds.len(), Vec::len);
            let few = categorical && matches!(bins, Bins::Quantiles(_));
            if many > most || (few && many > 255) {
                return Err(FitError::Data(format!(
                    "column \"{}\" has {} distinct values: {}",
                    names[j],
                    values.len(),
                    match (few, categorical) {
                        (true, _) => "a column of categories takes 255",
                        (_, true) => "a column of categories takes 65,000",
                        _ => "exact cuts take 65,000; use histograms",
                    }
                )));
            }
            let count = match &kept {
                Some(kept) => kept.len().max(1),
                None => bounds.len() + 1,
            };
            // Bins of the ascending values, where these are categories.
            let places: Option<Vec<usize>> = kept.as_ref().map(|kept| {
                let mut places = vec![count; values.len()];
                for (bin, category) in kept.iter().enumerate() {
                    let at = values.partition_point(|v| v < category);
                    if values.get(at) == Some(category) {
                        places[at] = bin;
                    }
                }
                places
            });
            let missing = match &places {
                Some(places) => missing || places.contains(&count),
                None => missing,
            };
            let code = |v: f64| match &places {
                _ if v.is_nan() => count,
                Some(places) => places[values.partition_point(|known| *known < v)],
                None => bounds.partition_point(|b| *b < v),
            };
            let small = count + usize::from(missing) <= 256;
            let codes = if small {
                Codes::Small(column.iter().map(|v| code(*v) as u8).collect())
            } else {
                Codes::Large(column.iter().map(|v| code(*v) as u16).collect())
            };
            let ends = if bins == Bins::Exact && !categorical {
                values.iter().map(|v| (*v, *v)).collect()
            } else {
                Vec::new()
            };
            let width = if small {
                256
            } else {
                count + usize::from(missing)
            };
            let (rest, usual, rows) = match (bins, &kept, &places) {
                (Bins::Greedy(..), Some(kept), Some(places)) => {
                    let mut rows = vec![0; count + 1];
                    rows[count] = unknown;
                    for (place, many) in places.iter().zip(&counts) {
                        rows[*place] += many;
                    }
                    let usual = most_frequent_category(kept, &rows[..kept.len()], n);
                    (usual, usual.unwrap_or(count), rows)
                }
                // The first bin is summed as it is.
                (Bins::Greedy(..), _, _) => {
                    let rows = rows_by_bin(&values, &counts, &bounds, unknown);
                    let usual = most_frequent(&rows, &bounds).unwrap_or(0);
                    ((usual > 0).then_some(usual), usual, rows)
                }
                _ => (None, 0, Vec::new()),
            };
            let own = Column {
                codes,
                bins: count,
                missing,
                bounds,
                ends,
                categories: kept,
                rest,
                usual,
                rows,
                width,
            };
            let sparse = bundle.then(|| own.as_sparse(j, column));
            Ok((own, sparse))
        };
        let p = x.ncols();
        // Values of a row lie side by side in memory: it brings those of eight columns at a time.
        let together = if p < 64 { 1 } else { 8 };
        let found = threads::map(p.div_ceil(together), |k| {
            let some = k * together..p.min((k + 1) * together);
            let mut values = vec![Vec::with_capacity(n); some.len()];
            for row in x.rows() {
                for (to, j) in values.iter_mut().zip(some.clone()) {
                    to.push(row[j]);
                }
            }
            some.zip(values)
                .map(|(j, column)| cut(j, &column))
                .collect::<Vec<_>>()
        });
        found.into_iter().flatten().collect()
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.n
    }

    /// Columns that LightGBM looks at, in the order of its groups.
    pub(crate) fn grouped_columns(&self) -> &[usize] {
        &self.grouped
    }

    /// Number of columns.
    pub(crate) fn columns(&self) -> usize {
        self.columns.len()
    }

    /// Cuts of a column: one less than bins.
    pub(crate) fn cuts(&self, column: usize) -> usize {
        self.columns[column].bins - 1
    }

    /// Values up to it are in that bin or before.
    pub(crate) fn bound(&self, column: usize, bin: usize) -> f64 {
        self.columns[column].bounds[bin]
    }

    /// Adds the pair of each row to the cell of its bin.
    pub(crate) fn add(
        &self,
        column: usize,
        rows: &[u32],
        pairs: &[[f64; 2]],
        cells: &mut [[f64; 2]],
    ) {
        let mut add = |bin: usize, pair: &[f64; 2]| {
            let cell = &mut cells[bin];
            *cell = [cell[0] + pair[0], cell[1] + pair[1]];
        };
        let each = rows.iter().zip(pairs);
        match &self.columns[column].codes {
            Codes::Small(codes) => each.for_each(|(r, p)| add(codes[*r as usize].into(), p)),
            Codes::Large(codes) => each.for_each(|(r, p)| add(codes[*r as usize].into(), p)),
            Codes::Bundled(..) => each.for_each(|(r, p)| add(self.columns[column].code(*r), p)),
        }
    }

    /// Sets a bit of every row that is above a bin of a column.
    pub(crate) fn mark(&self, column: usize, bin: usize, bit: u32, marks: &mut [u32]) {
        let own = &self.columns[column];
        match &own.codes {
            Codes::Small(codes) => {
                for (mark, code) in marks.iter_mut().zip(codes) {
                    *mark |= if usize::from(*code) > bin { bit } else { 0 };
                }
            }
            Codes::Large(codes) => {
                for (mark, code) in marks.iter_mut().zip(codes) {
                    *mark |= if usize::from(*code) > bin { bit } else { 0 };
                }
            }
            Codes::Bundled(..) => {
                for (mark, row) in marks.iter_mut().zip(0..) {
                    *mark |= if own.code(row) > bin { bit } else { 0 };
                }
            }
        }
    }

    /// The rows by ascending bin of a column, those of a bin in their order.
    pub(crate) fn order(&self, column: usize) -> Vec<u32> {
        let own = &self.columns[column];
        let mut next = vec![0_usize; own.bins + 2];
        (0..self.n as u32).for_each(|row| next[own.code(row) + 1] += 1);
        for b in 1..next.len() {
            next[b] += next[b - 1];
        }
        let mut order = vec![0; self.n];
        for row in 0..self.n as u32 {
            let at = &mut next[own.code(row)];
            order[*at] = row;
            *at += 1;
        }
        order
    }

    /// The bin of a row.
    pub(crate) fn code(&self, column: usize, row: usize) -> usize {
        self.columns[column].code(row as u32)
    }
}

/// What the rows of a bin, a node or a side add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Sums {
    pub(crate) g: f64,
    pub(crate) h: f64,
    pub(crate) n: f64,
}

impl Sums {
    fn plus(self, o: Self) -> Self {
        Self {
            g: self.g + o.g,
            h: self.h + o.h,
            n: self.n + o.n,
        }
    }
    fn less(self, o: Self) -> Self {
        Self {
            g: self.g - o.g,
            h: self.h - o.h,
            n: self.n - o.n,
        }
    }
}

/// Sums by bin.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cells {
    /// Gradients and hessians.
    pairs: Vec<[f64; 2]>,
    /// Rows, where they must be counted.
    rows: Vec<u32>,
}

impl Cells {
    /// So many, all 0.
    fn clear(&mut self, many: usize, counted: bool) {
        self.pairs.clear();
        self.pairs.resize(many, [0.0; 2]);
        self.rows.clear();
        self.rows.resize(if counted { many } else { 0 }, 0);
    }

    /// The parent's sums less those of one child are those of the other.
    fn take(&mut self, less: &Self) {
        for (a, b) in self.pairs.iter_mut().zip(&less.pairs) {
            a[0] -= b[0];
            a[1] -= b[1];
        }
        for (a, b) in self.rows.iter_mut().zip(&less.rows) {
            *a -= b;
        }
    }
}

/// The sums of the bins of a column.
#[derive(Debug, Clone, Copy)]
struct View<'a> {
    pairs: &'a [[f64; 2]],
    /// Empty where they are not counted: then 0, or the hessians where each of these is 1.
    rows: &'a [u32],
    ones: bool,
}

impl View<'_> {
    fn get(&self, bin: usize) -> Sums {
        let [g, h] = self.pairs[bin];
        let n = match self.rows.get(bin) {
            Some(rows) => f64::from(*rows),
            None if self.ones => h,
            None => 0.0,
        };
        Sums { g, h, n }
    }
}

/// How columns of categories are cut.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Categories {
    /// Between those of at least so many rows, ordered by G/(H + `smooth`); the others go right
    /// (scikit-learn).
    Ordered { smooth: f64, least: f64 },
    /// LightGBM's rules.
    BothEnds(BothEnds),
    /// XGBoost's rules: one from all others below `one_hot` categories, otherwise between those in the
    /// order of their values, with fewer than `most` on the smaller side.
    Partition { one_hot: usize, most: usize },
}

/// A few categories with the least or the largest G/(H + `smooth`) go left, all others right (LightGBM).
#[derive(Debug, Clone, Copy)]
pub(crate) struct BothEnds {
    /// Up to so many bins, that of the rest among them, one category goes left.
    pub(crate) one_hot: usize,
    /// Added to the hessian in the order of the categories, and the rows that a category must have.
    pub(crate) smooth: f64,
    /// Added to the L2 penalty of such a cut.
    pub(crate) l2: f64,
    /// Categories on the left at most.
    pub(crate) most: usize,
    /// Rows from one cut that is looked at to the next, and rows that are left on the right.
    pub(crate) group: f64,
}

/// When a node is not split, and what a leaf is worth.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) lambda: f64,
    pub(crate) alpha: f64,
    /// A split must gain more than this ...
    pub(crate) above: f64,
    /// ... and at least this.
    pub(crate) gamma: f64,
    /// Whether gamma cuts off finished trees from below, instead of stopping their growth.
    pub(crate) prune: bool,
    pub(crate) min_hessian: f64,
    pub(crate) min_rows: f64,
    /// Whether the rows of a side are counted, or estimated from its share of the hessian (LightGBM).
    pub(crate) count_by_hessian: bool,
    pub(crate) max_depth: usize,
    pub(crate) max_leaves: usize,
    /// The node that gains most is split first, instead of level by level.
    pub(crate) best_first: bool,
    /// Largest value of a leaf before the learning rate; 0 is no limit.
    pub(crate) max_delta_step: f64,
    /// A leaf moves towards its parent as if it had so many rows more; 0 does not.
    pub(crate) path_smooth: f64,
    /// Of equal gains in one column the highest cut wins, instead of the lowest, and a column that
    /// could not be split in a node is not looked at below it (LightGBM).
    pub(crate) last_wins: bool,
    /// -1, 0 or 1 a column: falling, free or rising; empty is all free.
    pub(crate) monotone: Vec<i64>,
    /// Groups of columns that may meet on the way to a leaf; empty is no limit.
    pub(crate) groups: Groups,
    pub(crate) categories: Categories,
    /// Shares of the columns that a tree, a level and a node look at.
    pub(crate) by_tree: f64,
    pub(crate) by_level: f64,
    pub(crate) by_node: f64,
    /// Where missing values go when a column had none: the larger side, or else right.
    pub(crate) missing_to_larger: bool,
    /// Whether the loss of a side is G times its value, as if that were free (scikit-learn).
    pub(crate) first_order: bool,
    /// A tree that is not split at all adds nothing below this sum of hessians.
    pub(crate) lone_hessian: f64,
    /// Whether a node looks at one cut of each column only, which is drawn.
    pub(crate) extra_trees: bool,
    /// Where values are limited, alpha makes them smaller and leaves the gain as it is (XGBoost).
    pub(crate) alpha_on_values_only: bool,
    /// What sums by bin take for the hessian of every row, whatever it is; that of the whole is what it
    /// is (LightGBM, which takes the first row's for mape).
    pub(crate) one_hessian: Option<f32>,
    /// Whether values and gains are kept in single precision (XGBoost): cuts whose gains differ by less
    /// are then alike, and the first of them wins.
    pub(crate) single: bool,
}

/// Groups of columns: those on the way to a leaf must all be in one of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Groups {
    pub(crate) groups: Vec<Vec<usize>>,
    /// Whether the first split may be of any column (XGBoost), or only of one in a group.
    pub(crate) any_first: bool,
}

impl Groups {
    /// Which columns a node may be split by, after those on the way to it.
    fn allow(&self, column: usize, path: &[usize]) -> bool {
        if self.groups.is_empty() || (path.is_empty() && self.any_first) || path.contains(&column) {
            return true;
        }
        self.groups
            .iter()
            .any(|g| g.contains(&column) && path.iter().all(|p| g.contains(p)))
    }
}

/// LightGBM's kEpsilon, on each side of a sum of hessians.
const TINY: f64 = 1e-15;

/// Bounds of a value that is not bounded.
const FREE: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

const LEAF: u32 = u32::MAX;
const NUMBER: u32 = u32::MAX;

/// No known value goes left.
const NOTHING: usize = usize::MAX;

/// A node of a fitted tree.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Node {
    /// Column of the split; `LEAF` for a leaf.
    pub(crate) feature: u32,
    /// The left child, the right one follows it; for a leaf, its place among the leaves.
    pub(crate) left: u32,
    /// Values up to it go left.
    pub(crate) threshold: f64,
    /// Whether a missing value goes left.
    pub(crate) missing_left: bool,
    /// Place of the categories that go to one side, or `NUMBER`.
    pub(crate) set: u32,
    /// Whether they go right, and all others left.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) set_right: bool,
    /// What a leaf, or the node if it were one, adds.
    pub(crate) value: f64,
    /// Gain of the split.
    pub(crate) gain: f64,
    /// Sum of the hessians and number of the rows of training.
    pub(crate) cover: f64,
    pub(crate) rows: f64,
}

impl Node {
    pub(crate) fn is_leaf(&self) -> bool {
        self.feature == LEAF
    }

    /// Whether it is split by a set of categories.
    pub(crate) fn is_of_categories(&self) -> bool {
        self.set != NUMBER
    }
}

/// A fitted tree; node 0 is the root.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
    /// Sets of categories, ascending.
    pub(crate) sets: Vec<Vec<f64>>,
    /// Linear models of the leaves by their place; empty where leaves add their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) linear: Vec<LinearLeaf>,
}

impl Tree {
    /// The node in which a row ends.
    fn end(&self, row: &[f64]) -> usize {
        let mut at = 0;
        loop {
            let node = &self.nodes[at];
            if node.feature == LEAF {
                return at;
            }
            let left = self.goes_left(node, row[node.feature as usize]);
            at = node.left as usize + usize::from(!left);
        }
    }

    /// Whether a split sends a value left.
    fn goes_left(&self, node: &Node, v: f64) -> bool {
        if v.is_nan() {
            node.missing_left
        } else if node.set != NUMBER {
            let set = &self.sets[node.set as usize];
            set.binary_search_by(|s| s.total_cmp(&v)).is_ok() != node.set_right
        } else {
            v <= node.threshold
        }
    }

    /// What a row's leaf adds.
    pub(crate) fn of(&self, row: ArrayView1<'_, f64>) -> f64 {
        match row.to_slice() {
            Some(row) => self.of_slice(row),
            None => self.of_slice(&row.to_vec()),
        }
    }

    /// The same for a row whose values lie side by side.
    pub(crate) fn of_slice(&self, row: &[f64]) -> f64 {
        self.adds(self.end(row), |c| row[c])
    }

    /// What a leaf adds, from the value of a column.
    pub(crate) fn adds(&self, leaf: usize, value: impl Fn(usize) -> f64) -> f64 {
        let node = &self.nodes[leaf];
        let model = self.linear.get(node.left as usize);
        model.and_then(|m| m.of(value)).unwrap_or(node.value)
    }

    /// What the leaf of a row of training adds; linear models take its values as they were given, in single
    /// precision (LightGBM).
    pub(crate) fn of_training(&self, row: ArrayView1<'_, f64>, given: ArrayView1<'_, f64>) -> f64 {
        if self.linear.is_empty() {
            return self.of(row);
        }
        let leaf = match row.to_slice() {
            Some(row) => self.end(row),
            None => self.end(&row.to_vec()),
        };
        self.adds(leaf, |c| f64::from(given[c] as f32))
    }
}

/// A tree as SHAP values see it, by the hessians or by the number of the training rows.
pub(crate) struct Weighed<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) by_rows: bool,
}

impl Splits for Weighed<'_> {
    fn split(&self, node: usize) -> Option<(usize, usize, usize)> {
        let node = &self.tree.nodes[node];
        let left = node.left as usize;
        (!node.is_leaf()).then_some((node.feature as usize, left, left + 1))
    }
    fn cover(&self, node: usize) -> f64 {
        let node = &self.tree.nodes[node];
        if self.by_rows { node.rows } else { node.cover }
    }
    fn goes_left(&self, node: usize, row: ArrayView1<'_, f64>) -> bool {
        let node = &self.tree.nodes[node];
        self.tree.goes_left(node, row[node.feature as usize])
    }
    fn answer(&self, leaf: usize) -> &[f64] {
        std::slice::from_ref(&self.tree.nodes[leaf].value)
    }
}

/// A tree with the rows of its leaves.
pub(crate) struct Grown {
    pub(crate) tree: Tree,
    /// Node, and where its rows lie in `rows`.
    pub(crate) leaves: Vec<(usize, usize, usize)>,
    pub(crate) rows: Vec<u32>,
}

#[derive(Clone)]
struct Split {
    feature: usize,
    /// Last bin on the left, or `NOTHING`; for categories, none.
    bin: usize,
    /// Bins of the categories on one side: left, or right.
    set: Vec<usize>,
    set_right: bool,
    missing_left: bool,
    gain: f64,
    left: Sums,
    right: Sums,
    values: (f64, f64),
}

struct Open {
    id: usize,
    /// Its number among the leaves, as LightGBM counts them.
    leaf: usize,
    depth: usize,
    start: usize,
    end: usize,
    sums: Sums,
    bounds: (f64, f64),
    value: f64,
    /// By part of the columns; empty where no split is looked for.
    hist: Vec<Cells>,
    /// Columns that could not be split in a node above: LightGBM looks at them no more.
    barren: Vec<bool>,
    /// Columns of the splits above; kept only where columns are in groups.
    path: Vec<usize>,
    split: Option<Split>,
}

impl Open {
    fn facts(&self) -> Facts {
        Facts {
            sums: self.sums,
            bounds: self.bounds,
            value: self.value,
        }
    }
}

/// What a split is judged by, of the node.
#[derive(Debug, Clone, Copy)]
struct Facts {
    sums: Sums,
    bounds: (f64, f64),
    value: f64,
}

/// A column to be searched, and the only cut of it that counts, where that was drawn.
type Look = (usize, Option<usize>);

/// Sums that are kept from tree to tree, 5 to 6 MB of them.
const KEPT_CELLS: usize = 300_000;

/// Room for the sums of nodes, by part of the columns, handed from tree to tree.
pub(crate) type Pool = Vec<Cells>;

/// Rows times columns of a tree from which on starting threads for it is worth it.
const SHARED: usize = 50_000;

/// Grows a tree on `rows`, with gradient and hessian a row.
pub(crate) fn grow(
    data: &Binned,
    gradients: &[(f32, f32)],
    rows: Vec<u32>,
    config: &Config,
    pool: &mut Pool,
    draws: &mut Draws,
) -> Grown {
    let used = draws.of_tree((0..data.columns()).collect(), config.by_tree);
    let m = rows.len();
    let free = config.max_delta_step == 0.0
        && config.path_smooth == 0.0
        // Signs that are all 0 count as constraints: the programs then find gains by way of the values.
        && config.monotone.is_empty();
    let mut parts: Vec<Part> = Vec::new();
    let mut places = vec![(usize::MAX, 0); data.columns()];
    let mut is_used = vec![false; data.columns()];
    used.iter().for_each(|c| is_used[*c] = true);
    let seen = |store: &usize| data.stores[*store].iter().any(|c| is_used[*c]);
    let stores: Vec<usize> = (0..data.stores.len()).filter(seen).collect();
    for stores in stores.chunks(SIDE_BY_SIDE) {
        let mut cells = 0;
        let mut columns = Vec::new();
        for store in stores {
            let members = &data.stores[*store];
            for c in members.iter().filter(|c| is_used[**c]) {
                let start = match &data.columns[*c].codes {
                    Codes::Bundled(_, slots) => slots.start(),
                    _ => 0,
                };
                places[*c] = (parts.len(), cells + start);
                columns.push(*c);
            }
            cells += data.columns[members[0]].width;
        }
        // All four of a group, or some of several.
        let group = stores[0] / SIDE_BY_SIDE;
        let whole = (stores[0]..).zip(stores).all(|(a, b)| a == *b);
        let starts = stores[0] % SIDE_BY_SIDE == 0 && stores.len() == SIDE_BY_SIDE;
        parts.push(Part {
            stores: stores.to_vec(),
            columns,
            cells,
            group: (whole && starts).then_some(group),
        });
    }
    let cells: usize = parts.iter().map(|p| p.cells).sum();
    let ones = rows.iter().all(|r| gradients[*r as usize].1 == 1.0)
        && config.one_hessian.is_none_or(|h| h == 1.0);
    let search = Search {
        data,
        config,
        plain: config.alpha == 0.0 && free,
        free,
        ones,
        // LightGBM takes the share of a bin in the hessian for its share of the rows.
        counted: !ones && !config.count_by_hessian,
        as_light_gbm: draws.are_light_gbm(),
        cuts: if config.extra_trees {
            let mut state = |c| draws.of_cuts(c).map_or(0, |cuts| cuts.0);
            (0..data.columns())
                .map(|c| AtomicU32::new(state(c)))
                .collect()
        } else {
            Vec::new()
        },
        parts,
        places,
        task: RwLock::new(Task {
            rows,
            pairs: Vec::with_capacity(m),
            span: (0, m),
            sums: Sums::default(),
            nodes: [None, None],
            best: [AtomicU64::new(0), AtomicU64::new(0)],
            best_only: true,
        }),
    };
    let threads = if m * stores.len() < SHARED {
        1
    } else {
        threads::granted()
    };
    let (mut tree, mut leaves) = threads::grant(threads, || {
        threads::team(
            |job| search.run(job),
            |team| {
                let mut grower = Grower {
                    search: &search,
                    hand_out: &|jobs| team.run(jobs),
                    gradients,
                    draws,
                    scratch: Vec::with_capacity(m),
                    level: (0, used.clone()),
                    used,
                    pool,
                    tree: Tree {
                        nodes: Vec::new(),
                        sets: Vec::new(),
                        linear: Vec::new(),
                    },
                    leaves: Vec::new(),
                };
                grower.run();
                (grower.tree, grower.leaves)
            },
        )
    });
    pool.truncate(KEPT_CELLS * search.parts.len() / cells.max(1));
    for (c, state) in search.cuts.iter().enumerate() {
        if data.columns[c].categories.is_some()
            && let Some(cuts) = draws.of_cuts(c)
        {
            *cuts = Congruential(state.load(Ordering::Relaxed));
        }
    }
    let task = search.task.into_inner();
    let rows = task.unwrap_or_else(PoisonError::into_inner).rows;
    if config.prune && config.gamma > 0.0 {
        (tree, leaves) = cut_back(&tree, &leaves, config.gamma);
    }
    leaves.sort_unstable();
    Grown { tree, leaves, rows }
}

/// Takes back splits that gain less than gamma and have two leaves under them, from below.
fn cut_back(
    tree: &Tree,
    leaves: &[(usize, usize, usize)],
    gamma: f64,
) -> (Tree, Vec<(usize, usize, usize)>) {
    let n = tree.nodes.len();
    let mut leaf: Vec<bool> = tree.nodes.iter().map(Node::is_leaf).collect();
    let mut spans: Vec<Option<(usize, usize)>> = vec![None; n];
    for (id, start, end) in leaves {
        spans[*id] = Some((*start, *end));
    }
    for id in (0..n).rev() {
        let node = &tree.nodes[id];
        if node.is_leaf() {
            continue;
        }
        let left = node.left as usize;
        if let (Some(a), Some(b)) = (spans[left], spans[left + 1]) {
            spans[id] = Some((a.0.min(b.0), a.1.max(b.1)));
        }
        if leaf[left] && leaf[left + 1] && node.gain < gamma {
            leaf[id] = true;
        }
    }
    let mut out = Tree {
        nodes: vec![tree.nodes[0]],
        sets: tree.sets.clone(),
        linear: Vec::new(),
    };
    let mut ends = Vec::new();
    let mut queue = std::collections::VecDeque::from([(0, 0)]);
    while let Some((old, new)) = queue.pop_front() {
        if leaf[old] {
            let place = ends.len() as u32;
            let node = &mut out.nodes[new];
            (node.feature, node.left, node.set, node.gain) = (LEAF, place, NUMBER, 0.0);
            node.set_right = false;
            let (start, end) = spans[old].unwrap_or_default();
            ends.push((new, start, end));
            continue;
        }
        let left = tree.nodes[old].left as usize;
        let at = out.nodes.len();
        out.nodes[new].left = at as u32;
        out.nodes.extend([tree.nodes[left], tree.nodes[left + 1]]);
        queue.extend([(left, at), (left + 1, at + 1)]);
    }
    (out, ends)
}

/// Columns that are summed and searched by one thread at a time.
struct Part {
    stores: Vec<usize>,
    columns: Vec<usize>,
    cells: usize,
    /// The number of these stores among those that lie abreast.
    group: Option<usize>,
}

/// What is to be done for each part of the columns: sum the rows of a node and search it, and its sibling,
/// whose sums are those of the parent less these.
struct Task {
    rows: Vec<u32>,
    /// Gradients and hessians of the rows that are summed.
    pairs: Vec<(f32, f32)>,
    span: (usize, usize),
    sums: Sums,
    /// The node that is summed and its sibling, where they are searched, with what is looked at.
    nodes: [Option<(Facts, Plan)>; 2],
    /// The gain of the best split found so far in each of them, as bits, while the best of all is what
    /// counts; 0 before. What gains less is left out, which changes no answer.
    best: [AtomicU64; 2],
    best_only: bool,
}

/// A part of the columns, the sums of the parent (none at the root), and room for those of a child.
struct Job {
    part: usize,
    parent: Cells,
    room: Cells,
}

/// The sums of the node that was summed and of its sibling, and the best split of each column looked at.
struct Done {
    sums: [Cells; 2],
    found: [Found; 2],
}

/// The best split of some columns, and those that have none.
#[derive(Default)]
struct Found {
    best: Option<Split>,
    barren: Vec<usize>,
}

impl Found {
    /// Of like gains the first column's wins.
    fn offer(&mut self, split: Split) {
        let beats = |best: &Split| {
            split.gain > best.gain || (split.gain == best.gain && split.feature < best.feature)
        };
        if self.best.as_ref().is_none_or(beats) {
            self.best = Some(split);
        }
    }
}

/// How sums are taken and splits found; threads share it.
struct Search<'a> {
    data: &'a Binned,
    config: &'a Config,
    /// Whether a cut gains G²/(H + λ) of both sides less that of the node, and nothing limits values.
    plain: bool,
    /// Whether nothing limits the values of leaves: LightGBM then takes G²/(H + λ) for the gain as it is.
    free: bool,
    /// Whether every hessian is 1: it is then the number of rows.
    ones: bool,
    /// Whether the rows of the bins are counted.
    counted: bool,
    as_light_gbm: bool,
    /// Generators of the cuts of the columns of categories, where one cut is drawn: how many there are to
    /// draw from is known in the search only. A column is searched by one thread at a time.
    cuts: Vec<AtomicU32>,
    parts: Vec<Part>,
    /// Part of each column and where its cells start there.
    places: Vec<(usize, usize)>,
    task: RwLock<Task>,
}

struct Grower<'a> {
    search: &'a Search<'a>,
    hand_out: &'a dyn Fn(Vec<Job>) -> Vec<Done>,
    gradients: &'a [(f32, f32)],
    draws: &'a mut Draws,
    scratch: Vec<u32>,
    /// Columns of this tree.
    used: Vec<usize>,
    /// Columns of the level drawn last.
    level: (usize, Vec<usize>),
    pool: &'a mut Pool,
    tree: Tree,
    leaves: Vec<(usize, usize, usize)>,
}

/// Columns that are summed in one pass over the rows: rows that follow each other often fall into one
/// bin of a column, and an addition then waits for the one before it, but not for another column's.
const SIDE_BY_SIDE: usize = 4;

/// The codes of so many stores; `None` when they are not so many or one has more than 256 bins.
fn small<'a, const N: usize>(
    columns: &'a [Column],
    stores: &[Vec<usize>],
) -> Option<[&'a [u8]; N]> {
    let mut each = stores.iter().map(|store| columns[store[0]].codes.small());
    let mut codes: [&[u8]; N] = [&[]; N];
    for to in &mut codes {
        *to = each.next()??;
    }
    each.next().is_none().then_some(codes)
}

/// The cells of so many stores of at most 256 codes, one after another.
fn by_store<const N: usize, T>(cells: &mut [T]) -> Option<[&mut [T; 256]; N]> {
    let mut each = cells.chunks_exact_mut(256).map(<&mut [T; 256]>::try_from);
    let mut stores = Vec::with_capacity(N);
    for _ in 0..N {
        stores.push(each.next()?.ok()?);
    }
    stores.try_into().ok()
}

/// Running sums at cuts that follow each other, side by side so that they are judged together.
struct Block {
    g: [f64; BLOCK],
    h: [f64; BLOCK],
    n: [f64; BLOCK],
    rows: [f64; BLOCK],
}

/// Cuts that are added up, and those that are judged, together.
const BLOCK: usize = 32;
const LANES: usize = 8;

/// Columns with up to so many bins are judged cut by cut.
const FEW_BINS: usize = 4;

impl Block {
    fn new() -> Self {
        Self {
            g: [0.0; BLOCK],
            h: [0.0; BLOCK],
            n: [0.0; BLOCK],
            rows: [0.0; BLOCK],
        }
    }
}

/// Below what a cut is not worth a full judgement: G²/H of both sides compared with what it must reach,
/// without a division. The slack leaves what is near to the full judgement.
#[derive(Clone, Copy)]
struct Hurdle {
    /// Whether a cut gains G²/(H + λ); nothing is known before else.
    plain: bool,
    whole: (f64, f64),
    lambda: f64,
}

impl Hurdle {
    fn passes(&self, g: f64, h: f64, floor: f64) -> bool {
        let (l, r) = (h + self.lambda, self.whole.1 - h + self.lambda);
        let other = self.whole.0 - g;
        let enough = floor * (l * r);
        let short = g * g * r + other * other * l < enough;
        !((self.plain & short) & ((l > 0.0) & (r > 0.0)))
    }

    /// Whether one of the cuts does.
    #[inline]
    fn any(&self, g: &[f64], h: &[f64], floor: f64) -> bool {
        let mut any = false;
        for (g, h) in g.iter().zip(h) {
            any |= self.passes(*g, *h, floor);
        }
        any
    }
}

/// The whole part of a number from 0 to 2^51, quicker than through an integer; 0 for what is below.
fn whole_part(x: f64) -> f64 {
    const WHOLE: f64 = 4_503_599_627_370_496.0;
    let x = x.max(0.0);
    // Halves and what is above them are rounded up.
    let near = (x + WHOLE) - WHOLE;
    if near > x { near - 1.0 } else { near }
}

/// Adds gradients and hessians, and the number of rows where it is asked for. Within a larger function
/// there are too few registers for it.
#[inline(never)]
fn add_up<const N: usize>(
    rows: &[u32],
    pairs: &[(f32, f32)],
    codes: impl Fn(usize) -> [u8; N],
    cells: [&mut [[f64; 2]; 256]; N],
    counts: Option<[&mut [u32; 256]; N]>,
) {
    // The bins of some rows are fetched before they are needed: memory then brings several at a time.
    const AHEAD: usize = 16;
    let mut bins = [[0_u8; N]; AHEAD];
    for (rows, pairs) in rows.chunks(AHEAD).zip(pairs.chunks(AHEAD)) {
        for (bins, row) in bins.iter_mut().zip(rows) {
            *bins = codes(*row as usize);
        }
        for (bins, (g, h)) in bins.iter().zip(pairs) {
            let (g, h) = (f64::from(*g), f64::from(*h));
            for k in 0..N {
                let cell = &mut cells[k][usize::from(bins[k])];
                *cell = [cell[0] + g, cell[1] + h];
            }
        }
    }
    if let Some(counts) = counts {
        for row in rows {
            let bins = codes(*row as usize);
            for k in 0..N {
                counts[k][usize::from(bins[k])] += 1;
            }
        }
    }
}

/// The same for one store, with any number of codes.
fn add_one(
    rows: &[u32],
    pairs: &[(f32, f32)],
    cell_of: impl Fn(usize) -> usize,
    cells: &mut Cells,
) {
    for (row, (g, h)) in rows.iter().zip(pairs) {
        let bin = cell_of(*row as usize);
        let cell = &mut cells.pairs[bin];
        *cell = [cell[0] + f64::from(*g), cell[1] + f64::from(*h)];
        if let Some(count) = cells.rows.get_mut(bin) {
            *count += 1;
        }
    }
}

impl Grower<'_> {
    fn run(&mut self) {
        let config = self.search.config;
        let free = FREE;
        let mut sums = Sums::default();
        let m = {
            let task = self.search.read();
            for row in &task.rows {
                let (g, h) = self.gradients[*row as usize];
                sums.g += f64::from(g);
                sums.h += f64::from(h);
            }
            task.rows.len()
        };
        sums.n = m as f64;
        // The root has no parent to be smoothed towards.
        let value = self.search.plain_value(sums, free, config.lambda);
        let barren = if config.last_wins {
            vec![false; self.search.data.columns()]
        } else {
            Vec::new()
        };
        let mut root = self.number(Open {
            id: 0,
            leaf: 0,
            depth: 0,
            start: 0,
            end: m,
            sums,
            bounds: free,
            value,
            hist: Vec::new(),
            barren,
            path: Vec::new(),
            split: None,
        });
        if self.goes_on(&[&root]) {
            let plan = self.plan(&root);
            self.find(Vec::new(), [Some((&mut root, plan)), None]);
        }
        let mut open = std::collections::VecDeque::from([root]);
        let mut leaves = 1;
        while let Some(mut node) = self.next(&mut open) {
            let Some(split) = node.split.take().filter(|_| leaves < config.max_leaves) else {
                self.close(node);
                continue;
            };
            leaves += 1;
            let middle = self.part(&node, &split);
            let parent = std::mem::take(&mut node.hist);
            let (mut left, mut right) = self.children(node, &parent, &split, (middle, leaves));
            // Nothing is looked for, and drawn, where no split is left to be made.
            if leaves < config.max_leaves && self.goes_on(&[&left, &right]) {
                let rows = |n: &Open| n.end - n.start;
                let right_first = self.search.as_light_gbm && rows(&right) <= rows(&left);
                let plans = if right_first {
                    let right = self.plan(&right);
                    (self.plan(&left), right)
                } else {
                    let left = self.plan(&left);
                    (left, self.plan(&right))
                };
                // Of equal halves LightGBM adds up the right one; XGBoost goes by hessians.
                let left_first = if config.single {
                    left.sums.h <= right.sums.h
                } else {
                    rows(&left) < rows(&right) || (rows(&left) == rows(&right) && !config.last_wins)
                };
                let (one, other) = ((&mut left, plans.0), (&mut right, plans.1));
                let both = if left_first {
                    [Some(one), Some(other)]
                } else {
                    [Some(other), Some(one)]
                };
                self.find(parent, both);
            } else {
                self.pool.extend(parent);
            }
            open.push_back(left);
            open.push_back(right);
        }
        if self.tree.nodes.len() == 1 && sums.h < config.lone_hessian {
            self.tree.nodes[0].value = 0.0;
        }
    }

    /// Level by level, or the node that gains most, the older in a tie.
    fn next(&self, open: &mut std::collections::VecDeque<Open>) -> Option<Open> {
        if !self.search.config.best_first {
            return open.pop_front();
        }
        let gain = |n: &Open| n.split.as_ref().map_or(f64::NEG_INFINITY, |s| s.gain);
        let feature = |n: &Open| n.split.as_ref().map_or(usize::MAX, |s| s.feature);
        // Of like gains LightGBM takes that of the first column, then of the first leaf, of which the left
        // child keeps the number of its parent.
        let before = |a: &Open, b: &Open| {
            if self.search.as_light_gbm {
                (feature(a), a.leaf) < (feature(b), b.leaf)
            } else {
                a.id < b.id
            }
        };
        let best = (0..open.len()).reduce(|best, i| {
            let (a, b) = (&open[best], &open[i]);
            if gain(b) > gain(a) || (gain(b) == gain(a) && before(b, a)) {
                i
            } else {
                best
            }
        })?;
        open.remove(best)
    }

    /// Numbers a node.
    fn number(&mut self, mut node: Open) -> Open {
        node.id = self.tree.nodes.len();
        self.tree.nodes.push(Node {
            feature: LEAF,
            left: 0,
            threshold: 0.0,
            missing_left: false,
            set: NUMBER,
            set_right: false,
            value: node.value,
            gain: 0.0,
            cover: node.sums.h,
            rows: (node.end - node.start) as f64,
        });
        node
    }

    /// Whether splits are looked for in a node, or in two children of one; LightGBM looks in both, unless
    /// neither has the rows.
    fn goes_on(&self, nodes: &[&Open]) -> bool {
        let rows = |n: &&Open| (n.end - n.start) as f64;
        nodes.iter().any(|n| {
            n.depth < self.search.config.max_depth
                && (!self.search.as_light_gbm || rows(n) >= 2.0 * self.search.config.min_rows)
        })
    }

    /// Makes a leaf.
    fn close(&mut self, node: Open) {
        self.tree.nodes[node.id].left = self.leaves.len() as u32;
        self.leaves.push((node.id, node.start, node.end));
        self.pool.extend(node.hist);
    }

    /// What to look at in a node; `None` when it is not searched.
    fn plan(&mut self, node: &Open) -> Option<Plan> {
        let config = self.search.config;
        if !self.search.as_light_gbm && node.end - node.start < 2 {
            return None;
        }
        if config.by_level < 1.0 && (self.level.0 != node.depth || node.depth == 0) {
            self.level = (node.depth, self.draws.part(&self.used, config.by_level));
        }
        let mut among = if config.by_level < 1.0 {
            self.level.1.clone()
        } else {
            self.used.clone()
        };
        let allowed = |c: &usize| config.groups.allow(*c, &node.path);
        // LightGBM looks at all columns of the tree, at those that the node may not take too: what it sees
        // there holds for the nodes below.
        let taken = if self.search.as_light_gbm {
            let allowed = among.iter().copied().filter(allowed).collect();
            let taken = self.draws.of_node(allowed, config.by_node);
            (taken.len() < among.len()).then_some(taken)
        } else {
            among = self.draws.of_node(among, config.by_node);
            among.retain(allowed);
            None
        };
        among.retain(|c| node.barren.get(*c) != Some(&true));
        let look = |c: usize| {
            let only = config.extra_trees.then(|| {
                let column = &self.search.data.columns[c];
                // That of a column of categories is drawn in the search.
                if column.categories.is_some() {
                    0
                } else {
                    self.draws.of_cut(c, column.all_bins())
                }
            });
            (c, only)
        };
        let looks = among.into_iter().map(look).collect();
        Some(Plan { looks, taken })
    }

    /// Sums the first node, takes its sums off those of the parent for its sibling, and searches both.
    fn find(&mut self, parent: Vec<Cells>, mut nodes: [Option<(&mut Open, Option<Plan>)>; 2]) {
        let many = self.search.parts.len();
        {
            let mut task = self.search.write();
            let task = &mut *task;
            let plans = || nodes.iter().flatten().flat_map(|(_, plan)| plan);
            task.best = [AtomicU64::new(0), AtomicU64::new(0)];
            task.best_only = plans().all(|plan| plan.taken.is_none());
            if let Some((node, _)) = &nodes[0] {
                task.span = (node.start, node.end);
                task.sums = node.sums;
                let rows = &task.rows[node.start..node.end];
                task.pairs.clear();
                let pairs = rows.iter().map(|r| self.gradients[*r as usize]);
                match self.search.config.one_hessian {
                    Some(h) => task.pairs.extend(pairs.map(|(g, _)| (g, h))),
                    None => task.pairs.extend(pairs),
                }
            }
            for (to, node) in task.nodes.iter_mut().zip(&mut nodes) {
                *to = node
                    .as_mut()
                    .and_then(|(node, plan)| Some((node.facts(), plan.take()?)));
            }
        }
        let mut parent = parent.into_iter();
        let jobs = (0..many).map(|part| Job {
            part,
            parent: parent.next().unwrap_or_default(),
            room: self.pool.pop().unwrap_or_default(),
        });
        let mut sums = [Vec::with_capacity(many), Vec::with_capacity(many)];
        let mut found = [Found::default(), Found::default()];
        for done in (self.hand_out)(jobs.collect()) {
            for (to, one) in sums.iter_mut().zip(done.sums) {
                to.push(one);
            }
            for (to, some) in found.iter_mut().zip(done.found) {
                to.barren.extend(some.barren);
                some.best.into_iter().for_each(|split| to.offer(split));
            }
        }
        let config = self.search.config;
        for ((node, sums), found) in nodes.into_iter().zip(sums).zip(found) {
            let Some((node, _)) = node else { continue };
            node.hist = sums;
            for c in found.barren {
                if let Some(barren) = node.barren.get_mut(c) {
                    *barren = true;
                }
            }
            let best = found.best;
            node.split = best.filter(|s| config.prune || s.gain >= config.gamma);
        }
    }

    /// Parts the rows of a node; returns where the right ones start.
    fn part(&mut self, node: &Open, split: &Split) -> usize {
        let column = &self.search.data.columns[split.feature];
        let mut goes_left: Vec<bool> = if split.set.is_empty() {
            let left = |b| split.bin != NOTHING && b <= split.bin;
            (0..=column.bins).map(left).collect()
        } else {
            let mut set = vec![split.set_right; column.bins + 1];
            split.set.iter().for_each(|b| set[*b] = !split.set_right);
            set
        };
        goes_left[column.bins] = split.missing_left;
        let mut task = self.search.write();
        let rows = &mut task.rows[node.start..node.end];
        let kept = match &column.codes {
            Codes::Small(codes) => part_by(rows, &mut self.scratch, |row| {
                goes_left[usize::from(codes[row as usize])]
            }),
            Codes::Large(codes) => part_by(rows, &mut self.scratch, |row| {
                goes_left[usize::from(codes[row as usize])]
            }),
            Codes::Bundled(codes, slots) => {
                let goes_left: [bool; 256] = std::array::from_fn(|code| goes_left[slots.bin(code)]);
                part_by(rows, &mut self.scratch, |row| {
                    goes_left[usize::from(codes[row as usize])]
                })
            }
        };
        node.start + kept
    }

    fn children(
        &mut self,
        node: Open,
        hist: &[Cells],
        split: &Split,
        (middle, leaves): (usize, usize),
    ) -> (Open, Open) {
        let config = self.search.config;
        let column = &self.search.data.columns[split.feature];
        let (part, at) = self.search.places[split.feature];
        let cells = hist.get(part).map(|cells| self.search.view(cells, at));
        let threshold = if split.bin == NOTHING {
            // Below every value; JSON cannot hold infinity.
            f64::from(f32::MIN)
        } else if column.ends.is_empty() {
            column
                .bounds
                .get(split.bin)
                .copied()
                // Known values against missing ones; JSON cannot hold infinity.
                .unwrap_or(f64::MAX)
        } else {
            // Halfway to the next value that the node has.
            let next = cells
                .and_then(|cells| (split.bin + 1..column.bins).find(|b| cells.get(*b).n > 0.0));
            match next {
                Some(next) => {
                    let (low, high) = (column.ends[split.bin].1, column.ends[next].0);
                    let middle = f64::midpoint(low, high);
                    if middle < high { middle } else { low }
                }
                None => f64::MAX,
            }
        };
        let set = match &column.categories {
            Some(categories) => {
                let mut set: Vec<f64> = split.set.iter().map(|b| categories[*b]).collect();
                set.sort_unstable_by(f64::total_cmp);
                self.tree.sets.push(set);
                self.tree.sets.len() as u32 - 1
            }
            None => NUMBER,
        };
        let first = self.tree.nodes.len() as u32;
        let own = &mut self.tree.nodes[node.id];
        own.feature = split.feature as u32;
        own.left = first;
        own.threshold = threshold;
        own.missing_left = if self.search.as_light_gbm && column.categories.is_none() {
            // Without missing values in training LightGBM takes them for 0.
            if column.missing {
                split.missing_left
            } else {
                threshold >= 0.0
            }
        } else {
            split.missing_left
        };
        own.set = set;
        own.set_right = split.set_right;
        own.gain = split.gain;
        let half = f64::midpoint(split.values.0, split.values.1);
        let (low, high) = node.bounds;
        let (left_bounds, right_bounds) = match config.monotone.get(split.feature) {
            Some(1) => ((low, half), (half, high)),
            Some(-1) => ((half, high), (low, half)),
            _ => (node.bounds, node.bounds),
        };
        let depth = node.depth + 1;
        let mut path = node.path.clone();
        if !config.groups.groups.is_empty() {
            path.push(split.feature);
        }
        let (rows_left, rows_right) = (middle - node.start, node.end - middle);
        let counted = |side: Sums, rows: usize| Sums {
            n: rows as f64,
            ..side
        };
        let left = self.number(Open {
            id: 0,
            leaf: node.leaf,
            depth,
            start: node.start,
            end: middle,
            sums: counted(split.left, rows_left),
            bounds: left_bounds,
            value: split.values.0,
            hist: Vec::new(),
            barren: node.barren.clone(),
            path: path.clone(),
            split: None,
        });
        let right = self.number(Open {
            id: 0,
            leaf: leaves - 1,
            depth,
            start: middle,
            end: node.end,
            sums: counted(split.right, rows_right),
            bounds: right_bounds,
            value: split.values.1,
            hist: Vec::new(),
            barren: node.barren,
            path,
            split: None,
        });
        (left, right)
    }
}

/// The columns that a node looks at, ascending; LightGBM may take some of them only.
struct Plan {
    looks: Vec<Look>,
    taken: Option<Vec<usize>>,
}

impl Search<'_> {
    /// Nothing panics with the lock held.
    fn read(&self) -> std::sync::RwLockReadGuard<'_, Task> {
        self.task.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Task> {
        self.task.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does a task for a part of the columns.
    fn run(&self, job: Job) -> Done {
        let task = self.read();
        let part = &self.parts[job.part];
        let mut own = job.room;
        own.clear(part.cells, self.counted);
        self.sum(part, &task, &mut own);
        let mut other = job.parent;
        other.take(&own);
        let look = |which: usize, cells: &Cells| {
            let mut found = Found::default();
            let Some((node, plan)) = &task.nodes[which] else {
                return found;
            };
            let best = &task.best[which];
            let looks = plan.looks.iter();
            for (c, only) in looks.filter(|(c, _)| self.places[*c].0 == job.part) {
                let cells = self.view(cells, self.places[*c].1);
                let split = if self.data.columns[*c].categories.is_some() {
                    self.categories(node, *c, cells, *only)
                } else {
                    let so_far = f64::from_bits(best.load(Ordering::Relaxed));
                    let so_far = if so_far > 0.0 {
                        so_far
                    } else {
                        f64::NEG_INFINITY
                    };
                    self.scan(node, *c, cells, *only, so_far)
                };
                let Some(split) = split else {
                    found.barren.push(*c);
                    continue;
                };
                if task.best_only && split.gain > 0.0 {
                    // Positive numbers are in the order of their bits.
                    best.fetch_max(split.gain.to_bits(), Ordering::Relaxed);
                }
                if plan.taken.as_ref().is_none_or(|t| t.contains(c)) {
                    found.offer(split);
                }
            }
            found
        };
        let found = [look(0, &own), look(1, &other)];
        Done {
            sums: [own, other],
            found,
        }
    }

    /// The sums of the column whose cells start there.
    fn view<'c>(&self, cells: &'c Cells, at: usize) -> View<'c> {
        View {
            pairs: cells.pairs.get(at..).unwrap_or_default(),
            rows: cells.rows.get(at..).unwrap_or_default(),
            ones: self.ones,
        }
    }

    /// Sums by column and bin over the rows of a task.
    fn sum(&self, part: &Part, task: &Task, cells: &mut Cells) {
        let (rows, pairs, all) = (&task.rows[task.span.0..task.span.1], &task.pairs, task.sums);
        let group = part.group.map(|group| self.data.abreast[group].as_slice());
        let done = match (group.filter(|codes| !codes.is_empty()), part.stores.len()) {
            (Some(codes), _) => match by_store(&mut cells.pairs) {
                Some(pairs_of) => {
                    let counts = by_store(&mut cells.rows);
                    add_up::<SIDE_BY_SIDE>(rows, pairs, |row| codes[row], pairs_of, counts);
                    true
                }
                None => false,
            },
            (None, 1) => self.sum_apart::<1>(part, rows, pairs, cells),
            (None, 2) => self.sum_apart::<2>(part, rows, pairs, cells),
            (None, 3) => self.sum_apart::<3>(part, rows, pairs, cells),
            (None, _) => self.sum_apart::<SIDE_BY_SIDE>(part, rows, pairs, cells),
        };
        if !done {
            let mut at = 0;
            for store in &part.stores {
                let column = &self.data.columns[self.data.stores[*store][0]];
                match &column.codes {
                    Codes::Large(codes) => {
                        add_one(rows, pairs, |row| at + usize::from(codes[row]), cells);
                    }
                    Codes::Small(codes) => {
                        add_one(rows, pairs, |row| at + usize::from(codes[row]), cells);
                    }
                    Codes::Bundled(codes, _) => {
                        add_one(rows, pairs, |row| at + usize::from(codes[row]), cells);
                    }
                }
                at += column.width;
            }
        }
        for c in &part.columns {
            let (column, at) = (&self.data.columns[*c], self.places[*c].1);
            if let Some(rest) = column.rest {
                let bins = column.all_bins();
                let pairs = &mut cells.pairs[at..at + bins];
                let less = |left: [f64; 2], o: &[f64; 2]| [left[0] - o[0], left[1] - o[1]];
                let mut left = [all.g, all.h];
                let mut last = bins;
                // LightGBM's bin of what has none comes first among categories, and last among numbers.
                if column.categories.is_some() && column.missing {
                    left = less(left, &pairs[column.bins]);
                    last = column.bins;
                }
                let left = pairs[..rest].iter().fold(left, less);
                pairs[rest] = pairs[rest + 1..last].iter().fold(left, less);
            }
        }
    }

    /// The same for so many stores that do not lie abreast; `false` where one has more than 256 codes.
    fn sum_apart<const N: usize>(
        &self,
        part: &Part,
        rows: &[u32],
        pairs: &[(f32, f32)],
        cells: &mut Cells,
    ) -> bool {
        let columns = |store: &usize| &self.data.columns[self.data.stores[*store][0]];
        let mut each = part.stores.iter().map(|store| columns(store).codes.small());
        let mut codes: [&[u8]; N] = [&[]; N];
        for to in &mut codes {
            match each.next().flatten() {
                Some(codes) => *to = codes,
                None => return false,
            }
        }
        let Some(pairs_of) = by_store(&mut cells.pairs) else {
            return false;
        };
        let counts = by_store(&mut cells.rows);
        add_up(rows, pairs, |row| codes.map(|c| c[row]), pairs_of, counts);
        true
    }

    /// The value of a leaf.
    fn value(&self, s: Sums, bounds: (f64, f64), parent: f64, lambda: f64) -> f64 {
        let own = self.plain_value(s, FREE, lambda);
        let smooth = self.config.path_smooth;
        if smooth <= 0.0 {
            return own.clamp(bounds.0, bounds.1);
        }
        let share = s.n / smooth;
        let value = own * share / (share + 1.0) + parent / (share + 1.0);
        value.clamp(bounds.0, bounds.1)
    }

    /// The same before it moves towards its parent.
    fn plain_value(&self, s: Sums, bounds: (f64, f64), lambda: f64) -> f64 {
        let c = self.config;
        let soft = (s.g.abs() - c.alpha).max(0.0).copysign(s.g);
        let down = s.h + lambda;
        let mut value = if down > 0.0 { -soft / down } else { 0.0 };
        if c.max_delta_step > 0.0 {
            value = value.clamp(-c.max_delta_step, c.max_delta_step);
        }
        if c.single {
            value = f64::from(value as f32);
        }
        value.clamp(bounds.0, bounds.1)
    }

    /// How much a leaf of that value lowers the loss, twice.
    fn gain(&self, s: Sums, value: f64, lambda: f64) -> f64 {
        if self.config.single {
            return self.single_gain(s, value, lambda).into();
        }
        let mut soft = (s.g.abs() - self.config.alpha).max(0.0).copysign(s.g);
        if self.config.first_order {
            return -soft * value;
        }
        if self.config.alpha_on_values_only && !self.free {
            soft = s.g;
        }
        if self.config.last_wins && self.free {
            return soft * soft / (s.h + lambda);
        }
        -(2.0 * soft * value + (s.h + lambda) * value * value)
    }

    /// The same in single precision, as XGBoost rounds: both sides of the division and what comes of it,
    /// or at every step where values are limited.
    fn single_gain(&self, s: Sums, value: f64, lambda: f64) -> f32 {
        if s.h <= 0.0 {
            return 0.0;
        }
        if self.free {
            let soft = (s.g.abs() - self.config.alpha).max(0.0);
            return (soft * soft) as f32 / (s.h + lambda) as f32;
        }
        let (g, h, value) = (s.g as f32, s.h as f32, value as f32);
        -(2.0 * g * value + (h + lambda as f32) * (value * value))
    }

    /// Judges a cut into two sides.
    fn judge(
        &self,
        node: &Facts,
        feature: usize,
        (left, right): (Sums, Sums),
        rows_left: f64,
        lambda: f64,
        (base, above): (f64, f64),
    ) -> Option<(f64, Sums, (f64, f64))> {
        let c = self.config;
        let empty = if c.count_by_hessian {
            rows_left < 1.0 || node.sums.n - rows_left < 1.0
        } else {
            left.n < 1.0 || right.n < 1.0
        };
        if rows_left < c.min_rows
            || node.sums.n - rows_left < c.min_rows
            || left.h < c.min_hessian
            || right.h < c.min_hessian
            || empty
        {
            return None;
        }
        let values = (
            self.value(left, node.bounds, node.value, lambda),
            self.value(right, node.bounds, node.value, lambda),
        );
        match c.monotone.get(feature) {
            Some(1) if values.0 > values.1 => return None,
            Some(-1) if values.0 < values.1 => return None,
            _ => {}
        }
        let sides = (
            self.gain(left, values.0, lambda),
            self.gain(right, values.1, lambda),
        );
        // Rounding breaks the ties of like gains: each program adds in its own order.
        let gain = if c.single {
            // An infinite gain is none.
            let gain = sides.0 as f32 + sides.1 as f32 - base as f32;
            f64::from(if gain.is_finite() { gain } else { 0.0 })
        } else if c.first_order {
            sides.0 - base + sides.1
        } else {
            sides.0 + sides.1 - base
        };
        (gain > above).then_some((gain, right, values))
    }

    /// The best cut of a column of numbers, or `only` that one. One that gains less than another column's
    /// need not be the best of its column.
    fn scan(
        &self,
        node: &Facts,
        feature: usize,
        cells: View<'_>,
        only: Option<usize>,
        best_before: f64,
    ) -> Option<Split> {
        let column = &self.data.columns[feature];
        let lambda = self.config.lambda;
        let whole = Sums {
            h: node.sums.h
                + if self.config.last_wins {
                    2.0 * TINY
                } else {
                    0.0
                },
            ..node.sums
        };
        // LightGBM smooths the node once more, towards what it is worth.
        let own = if self.config.path_smooth > 0.0 {
            self.value(whole, FREE, node.value, lambda)
        } else if self.config.last_wins && !self.free {
            // It asks what the node is worth without what a cut above demanded of it.
            self.plain_value(whole, FREE, lambda)
        } else {
            node.value
        };
        let base = self.gain(whole, own, lambda);
        let missing = if column.missing {
            cells.get(column.bins)
        } else {
            Sums::default()
        };
        let holes = missing.n > 0.0;
        let mut best: Option<Split> = None;
        // LightGBM's estimate of the rows of a bin.
        let rows_by_hessian = whole.n / whole.h;
        let about = |cell: &Sums| {
            // What is left of the node's sum is off by a rounding.
            let rows = if self.ones {
                cell.h
            } else {
                cell.h * rows_by_hessian
            };
            whole_part(rows + 0.5)
        };
        let backward = self.config.last_wins;
        let above = self.config.above;
        // LightGBM must know whether a column could be split at all; the others need not.
        let unsure = if self.config.single { 1e-6 } else { 1e-9 };
        let slack = |floor: f64, part: f64| floor - unsure * (base.abs() + part.abs());
        let own = slack(base + above, above);
        let (other, start) = if self.config.last_wins {
            (slack(base + above + best_before, best_before), own)
        } else {
            let other = slack(base + best_before, best_before);
            (other, own.max(other))
        };
        let floor = Cell::new(start);
        // LightGBM compares cuts by the gains of both sides, and takes off that of the node at the end.
        let (base, above, shift) = if self.config.last_wins {
            (0.0, base + above, base + above)
        } else {
            (base, above, 0.0)
        };
        let all = node.sums;
        let hurdle = Hurdle {
            plain: self.plain,
            whole: (all.g, all.h),
            lambda,
        };
        // LightGBM smooths by its estimate of the rows.
        let estimates = self.config.count_by_hessian && self.config.path_smooth > 0.0;
        // The gain that a cut must exceed to be the best so far.
        let bar = Cell::new(f64::NEG_INFINITY);
        let mut offer = |bin: usize, mut sides: (Sums, Sums), rows: f64, missing_left: bool| {
            if only.is_some_and(|only| only != bin) {
                return;
            }
            if estimates {
                (sides.0.n, sides.1.n) = (rows, all.n - rows);
            }
            let left = sides.0;
            if let Some((gain, right, values)) =
                self.judge(node, feature, sides, rows, lambda, (base, above))
                && gain > bar.get()
            {
                bar.set(gain);
                floor.set(((base + gain) - unsure * (base.abs() + gain.abs())).max(other));
                best = Some(Split {
                    feature,
                    bin,
                    set: Vec::new(),
                    set_right: false,
                    missing_left,
                    gain,
                    left,
                    right,
                    values,
                });
            }
        };
        if backward {
            // LightGBM adds bins up from the right and takes the left for the rest, missing values among
            // them (ties of like gains are broken by this rounding).
            let (least, most) = (self.config.min_rows, all.n - self.config.min_rows);
            // Rows of the bins from there on; few cuts come so far that they are asked for.
            let mut counted = (column.bins, 0.0);
            let mut rows_from = |bin: usize| {
                let pairs = &cells.pairs[bin..counted.0.max(bin)];
                for [_, h] in pairs.iter().rev() {
                    let rows = if self.ones { *h } else { h * rows_by_hessian };
                    counted.1 += whole_part(rows + 0.5);
                }
                counted.0 = bin;
                counted.1
            };
            let mut right = [0.0, TINY];
            let mut end = column.bins;
            if end <= FEW_BINS {
                // Judged one by one.
                for bin in (1..end).rev() {
                    let [g, h] = cells.pairs[bin];
                    right = [right[0] + g, right[1] + h];
                    if !hurdle.passes(right[0], right[1], floor.get()) {
                        continue;
                    }
                    let rows = rows_from(bin);
                    if rows > most {
                        break;
                    }
                    if rows >= least {
                        let right = Sums {
                            g: right[0],
                            h: right[1],
                            n: rows,
                        };
                        let sides = (whole.less(right), right);
                        offer(bin - 1, sides, all.n - rows, column.missing);
                    }
                }
                end = 1;
            }
            let mut block = Block::new();
            'cuts: while end > 1 {
                let start = end.saturating_sub(BLOCK).max(1);
                for (k, [g, h]) in cells.pairs[start..end].iter().rev().enumerate() {
                    right = [right[0] + g, right[1] + h];
                    (block.g[k], block.h[k]) = (right[0], right[1]);
                }
                for from in (0..end - start).step_by(LANES) {
                    let lanes = from..from + LANES;
                    let (g, h) = (&block.g[lanes.clone()], &block.h[lanes.clone()]);
                    if !hurdle.any(g, h, floor.get()) {
                        continue;
                    }
                    for k in lanes.start..lanes.end.min(end - start) {
                        if !hurdle.passes(block.g[k], block.h[k], floor.get()) {
                            continue;
                        }
                        let bin = end - 1 - k;
                        let rows = rows_from(bin);
                        if rows > most {
                            break 'cuts;
                        }
                        if rows >= least {
                            let right = Sums {
                                g: block.g[k],
                                h: block.h[k],
                                n: rows,
                            };
                            let sides = (whole.less(right), right);
                            offer(bin - 1, sides, all.n - rows, column.missing);
                        }
                    }
                }
                end = start;
            }
            // What it has found so far is kept without the gain of the node.
            bar.set((bar.get() - shift) + shift);
            if column.missing && column.bins == 1 {
                let right = Sums {
                    h: missing.h + TINY,
                    n: about(&missing),
                    ..missing
                };
                offer(0, (whole.less(right), right), all.n - right.n, false);
            } else if column.missing {
                // Then from the left, with missing values on the right. A first bin that it does not keep is
                // what all others leave.
                let mut left = Sums {
                    h: TINY,
                    ..Sums::default()
                };
                if column.rest.is_none() {
                    left = Sums {
                        h: whole.h - TINY,
                        ..whole
                    };
                    for bin in 1..=column.bins {
                        let cell = cells.get(bin);
                        let rows = left.n - about(&cell);
                        left = left.less(cell);
                        left.n = rows;
                    }
                }
                for bin in 0..column.bins {
                    if bin > 0 || column.rest.is_some() {
                        let cell = cells.get(bin);
                        let rows = left.n + about(&cell);
                        left = left.plus(cell);
                        left.n = rows;
                    }
                    if hurdle.passes(left.g, left.h, floor.get()) {
                        offer(bin, (left, whole.less(left)), left.n, false);
                    }
                }
            }
            if let Some(split) = &mut best {
                split.right = whole.less(split.left);
                split.values.1 = self.value(split.right, node.bounds, node.value, lambda);
                split.left.h -= TINY;
                split.right.h -= TINY;
                split.gain -= shift;
                if self.config.monotone.get(feature).is_some_and(|m| *m != 0) {
                    // LightGBM weighs the gains of such columns by the depth (monotone_penalty): without a
                    // penalty by 1 and a rounding, so that they win where gains are alike.
                    split.gain *= 1.0 + f64::from(1e-15_f32);
                }
            }
            return best;
        }
        // Where XGBoost tries every value it comes from the right, the missing ones on the left: of like
        // gains the largest cut wins. Where values are missing it comes from the left before.
        let each_value = self.config.single && !column.ends.is_empty();
        let from_right =
            |missing_left: bool, offer: &mut dyn FnMut(usize, (Sums, Sums), f64, bool)| {
                let mut right = Sums::default();
                for bin in (0..column.bins).rev() {
                    let cell = cells.get(bin);
                    if cell.n > 0.0 {
                        if right.n > 0.0 && hurdle.passes(right.g, right.h, floor.get()) {
                            let left = all.less(right);
                            offer(bin, (left, right), left.n, missing_left);
                        }
                        right = right.plus(cell);
                    }
                }
            };
        if each_value && !column.missing {
            from_right(false, &mut offer);
            return best;
        }
        let mut block = Block::new();
        let (mut left, mut rows) = (Sums::default(), 0.0);
        let last = if holes { column.bins } else { column.bins - 1 };
        let mut start = 0;
        while start < last {
            let end = (start + BLOCK).min(last);
            for (k, bin) in (start..end).enumerate() {
                let cell = cells.get(bin);
                // A bin without rows cuts like the one before it; what subtraction left in it is rounding.
                if cell.n > 0.0 {
                    left = left.plus(cell);
                    rows += cell.n;
                }
                (block.g[k], block.h[k]) = (left.g, left.h);
                (block.n[k], block.rows[k]) = (left.n, rows);
            }
            for from in (0..end - start).step_by(LANES) {
                let lanes = from..from + LANES;
                let (g, h) = (&block.g[lanes.clone()], &block.h[lanes.clone()]);
                if !hurdle.any(g, h, floor.get()) {
                    continue;
                }
                for k in lanes.start..lanes.end.min(end - start) {
                    let bin = start + k;
                    if cells.get(bin).n > 0.0 && hurdle.passes(block.g[k], block.h[k], floor.get())
                    {
                        let left = Sums {
                            g: block.g[k],
                            h: block.h[k],
                            n: block.n[k],
                        };
                        let larger = left.n > node.sums.n - left.n;
                        let goes_left = !column.missing && self.config.missing_to_larger && larger;
                        offer(bin, (left, all.less(left)), block.rows[k], goes_left);
                    }
                }
            }
            start = end;
        }
        if self.config.first_order && column.missing {
            // scikit-learn then comes from the right, the missing values on the left: of like gains the largest
            // cut wins, bins without rows among them.
            let mut right = Sums::default();
            for bin in (0..column.bins - 1).rev() {
                right = right.plus(cells.get(bin + 1));
                if hurdle.passes(right.g, right.h, floor.get()) {
                    let left = all.less(right);
                    offer(bin, (left, right), left.n, true);
                }
            }
        } else if holes && each_value {
            from_right(true, &mut offer);
            // The missing values on the left, all others on the right: that differs from the other way round
            // where the column may only rise or fall.
            offer(NOTHING, (missing, all.less(missing)), missing.n, true);
        } else if holes {
            // So does its histogram, where a bin without rows cuts like the one after it: the last such cut wins.
            let mut right = Sums::default();
            let mut above = column.bins;
            let mut cut = |above: usize, right: Sums| {
                if hurdle.passes(right.g, right.h, floor.get()) {
                    let left = all.less(right);
                    let bin = above.checked_sub(1).unwrap_or(NOTHING);
                    offer(bin, (left, right), left.n, true);
                }
            };
            for bin in (0..column.bins).rev() {
                let cell = cells.get(bin);
                if cell.n > 0.0 {
                    if right.n > 0.0 {
                        cut(above, right);
                    }
                    right = right.plus(cell);
                    above = bin;
                }
            }
            cut(above, right);
        }
        if let Some(split) = &mut best {
            split.gain -= shift;
        }
        best
    }

    /// The best cut of a column of categories; with `only` one that is drawn.
    fn categories(
        &self,
        node: &Facts,
        feature: usize,
        cells: View<'_>,
        only: Option<usize>,
    ) -> Option<Split> {
        match self.config.categories {
            Categories::Ordered { smooth, least } => {
                self.ordered(node, feature, cells, (smooth, least))
            }
            Categories::BothEnds(rules) => self.both_ends(node, feature, cells, only, rules),
            Categories::Partition { one_hot, most } => {
                self.partition(node, feature, cells, (one_hot, most))
            }
        }
    }

    /// The first or the last half of the categories with the hessian, in their order, go left; missing values
    /// are one of them, and unknown ones go with them (scikit-learn).
    fn ordered(
        &self,
        node: &Facts,
        feature: usize,
        cells: View<'_>,
        (smooth, least): (f64, f64),
    ) -> Option<Split> {
        let column = &self.data.columns[feature];
        let many = column.bins + usize::from(column.missing);
        let cells: Vec<Sums> = (0..many).map(|b| cells.get(b)).collect();
        let lambda = self.config.lambda;
        let base = self.gain(node.sums, node.value, lambda);
        // The program takes the share of the hessian for that of the rows.
        let rows_by_hessian = node.sums.n / node.sums.h;
        let mut order: Vec<usize> = (0..many)
            .filter(|b| cells[*b].h * rows_by_hessian >= least)
            .collect();
        let rank = |b: &usize| cells[*b].g / (cells[*b].h + smooth);
        // Its sort turns like ones around.
        order.sort_by(|a, b| rank(a).total_cmp(&rank(b)).then(b.cmp(a)));
        let half = order.len().div_ceil(2);
        let mut best: Option<(Split, Vec<usize>)> = None;
        for (backward, end) in [(false, half), (true, half.saturating_sub(1))] {
            if backward {
                order.reverse();
            }
            // One category is no choice.
            let end = if order.len() < 2 { 0 } else { end };
            let mut left = Sums::default();
            for k in 0..end {
                left = left.plus(cells[order[k]]);
                if let Some((gain, right, values)) = self.judge(
                    node,
                    feature,
                    (left, node.sums.less(left)),
                    left.n,
                    lambda,
                    (base, self.config.above),
                ) && best.as_ref().is_none_or(|(b, _)| gain > b.gain)
                {
                    let split = Split {
                        feature,
                        bin: 0,
                        set: Vec::new(),
                        set_right: false,
                        missing_left: false,
                        gain,
                        left,
                        right,
                        values,
                    };
                    best = Some((split, order[..=k].to_vec()));
                }
            }
        }
        let (mut split, left) = best?;
        split.missing_left = if column.missing {
            left.contains(&column.bins)
        } else {
            self.config.missing_to_larger && split.left.n > split.right.n
        };
        // Unknown categories go where those of the set do not.
        split.set_right = split.missing_left;
        split.set = (0..column.bins)
            .filter(|b| left.contains(b) != split.set_right)
            .collect();
        Some(split)
    }

    /// LightGBM's cuts of a column of categories; what has no bin of its own goes right.
    fn both_ends(
        &self,
        node: &Facts,
        feature: usize,
        cells: View<'_>,
        only: Option<usize>,
        rules: BothEnds,
    ) -> Option<Split> {
        let bins = self.data.columns[feature].bins;
        let cells: Vec<Sums> = (0..bins).map(|b| cells.get(b)).collect();
        let mut lambda = self.config.lambda;
        let whole = Sums {
            h: node.sums.h + 2.0 * TINY,
            ..node.sums
        };
        let own = if self.config.path_smooth > 0.0 {
            node.value
        } else {
            self.plain_value(whole, FREE, lambda)
        };
        // The gains of both sides are compared with it, and it is taken off at the end.
        let floor = self.gain(whole, own, lambda) + self.config.above;
        let rows_by_hessian = whole.n / whole.h;
        let about = |bin: usize| {
            let h = cells[bin].h;
            let rows = if self.ones { h } else { h * rows_by_hessian };
            whole_part(rows + 0.5)
        };
        let mut best: Option<Split> = None;
        let mut offer = |left: Sums, right_h: f64, lambda: f64, set: &[usize]| {
            let right = Sums {
                h: right_h,
                n: whole.n - left.n,
                ..whole.less(left)
            };
            let judged = self.judge(node, feature, (left, right), left.n, lambda, (0.0, floor));
            if let Some((gain, right, values)) = judged
                && best.as_ref().is_none_or(|b| gain > b.gain)
            {
                best = Some(Split {
                    feature,
                    bin: 0,
                    set: set.to_vec(),
                    set_right: false,
                    missing_left: false,
                    gain,
                    left,
                    right,
                    values,
                });
            }
        };
        if bins < rules.one_hot {
            let only = only.map(|_| self.drawn(feature, bins));
            for bin in (0..bins).filter(|bin| only.is_none_or(|only| only == *bin)) {
                let left = Sums {
                    h: cells[bin].h + TINY,
                    n: about(bin),
                    ..cells[bin]
                };
                offer(left, whole.h - cells[bin].h - TINY, lambda, &[bin]);
            }
        } else {
            lambda += rules.l2;
            let mut order: Vec<usize> = (0..bins).filter(|b| about(*b) >= rules.smooth).collect();
            let rank = |b: &usize| cells[*b].g / (cells[*b].h + rules.smooth);
            let rank_order = |a: &usize, b: &usize| rank(a).partial_cmp(&rank(b));
            order.sort_by(|a, b| rank_order(a, b).unwrap_or(std::cmp::Ordering::Equal));
            let most = order.len().div_ceil(2).min(rules.most);
            let only = only.map(|_| self.drawn(feature, most.saturating_sub(1)));
            let enough =
                |s: Sums, rows: f64| rows >= self.config.min_rows && s.h >= self.config.min_hessian;
            for backward in [false, true] {
                if backward {
                    order.reverse();
                }
                let mut left = Sums {
                    h: TINY,
                    ..Sums::default()
                };
                // Rows since the last cut that was looked at.
                let mut group = 0.0;
                for k in 0..most {
                    let rows = about(order[k]);
                    left = Sums {
                        n: left.n + rows,
                        ..left.plus(cells[order[k]])
                    };
                    group += rows;
                    if !enough(left, left.n) {
                        continue;
                    }
                    let rows_right = whole.n - left.n;
                    if rows_right < rules.group || !enough(whole.less(left), rows_right) {
                        break;
                    }
                    if group < rules.group {
                        continue;
                    }
                    group = 0.0;
                    if only.is_none_or(|only| only == k) {
                        offer(left, whole.h - left.h, lambda, &order[..=k]);
                    }
                }
            }
        }
        if let Some(split) = &mut best {
            split.left.h -= TINY;
            split.right.h -= TINY;
            split.gain -= floor;
        }
        best
    }

    /// A cut of a column of categories of so many; nothing is drawn where there is none.
    fn drawn(&self, column: usize, of: usize) -> usize {
        let Some(state) = self.cuts.get(column).filter(|_| of > 0) else {
            return 0;
        };
        let mut random = Congruential(state.load(Ordering::Relaxed));
        let cut = random.below(of);
        state.store(random.0, Ordering::Relaxed);
        cut
    }

    /// XGBoost's cuts of a column of categories: what is not in the set goes left, a category that
    /// training did not have among it; missing values go where the gain is larger.
    fn partition(
        &self,
        node: &Facts,
        feature: usize,
        cells: View<'_>,
        (one_hot, most): (usize, usize),
    ) -> Option<Split> {
        let column = &self.data.columns[feature];
        let bins = column.bins;
        let missing = if column.missing {
            cells.get(bins)
        } else {
            Sums::default()
        };
        let cells: Vec<Sums> = (0..bins).map(|b| cells.get(b)).collect();
        let lambda = self.config.lambda;
        let base = self.gain(node.sums, node.value, lambda);
        let mut best: Option<Split> = None;
        let mut offer = |left: Sums, right: Sums, missing_left: bool, set: &[usize]| {
            let (sides, against) = ((left, right), (base, self.config.above));
            if let Some((gain, right, values)) =
                self.judge(node, feature, sides, left.n, lambda, against)
                && best.as_ref().is_none_or(|b| gain > b.gain)
            {
                best = Some(Split {
                    feature,
                    bin: 0,
                    set: set.to_vec(),
                    set_right: true,
                    missing_left,
                    gain,
                    left,
                    right,
                    values,
                });
            }
        };
        if bins < one_hot {
            for (bin, cell) in cells.iter().enumerate() {
                offer(node.sums.less(*cell), *cell, true, &[bin]);
                let right = cell.plus(missing);
                offer(node.sums.less(right), right, false, &[bin]);
            }
            return best;
        }
        // What a leaf of the category alone would be worth, in single precision.
        let worth: Vec<f32> = cells
            .iter()
            .map(|cell| {
                if cell.h <= 0.0 || cell.h < self.config.min_hessian {
                    0.0
                } else {
                    self.plain_value(*cell, FREE, lambda) as f32
                }
            })
            .collect();
        let mut order: Vec<usize> = (0..bins).collect();
        let rank_order = |a: &usize, b: &usize| worth[*a].partial_cmp(&worth[*b]);
        order.sort_by(|a, b| rank_order(a, b).unwrap_or(std::cmp::Ordering::Equal));
        let steps = most.min(bins) - 1;
        let mut right = Sums::default();
        for k in 0..steps {
            right = right.plus(cells[order[k]]);
            offer(node.sums.less(right), right, true, &order[..=k]);
        }
        let mut left = Sums::default();
        for k in (bins - steps..bins).rev() {
            left = left.plus(cells[order[k]]);
            offer(left, node.sums.less(left), false, &order[..k]);
        }
        best
    }
}

/// Puts those that go left before the others, both in their order; returns how many go left. Each row is
/// written to both sides: that costs less than to guess its way wrong.
pub(crate) fn part_by(
    rows: &mut [u32],
    scratch: &mut Vec<u32>,
    goes_left: impl Fn(u32) -> bool,
) -> usize {
    scratch.resize(rows.len(), 0);
    let (mut kept, mut others) = (0, 0);
    for i in 0..rows.len() {
        let row = rows[i];
        let left = usize::from(goes_left(row));
        rows[kept] = row;
        scratch[others] = row;
        kept += left;
        others += 1 - left;
    }
    rows[kept..].copy_from_slice(&scratch[..others]);
    kept
}
