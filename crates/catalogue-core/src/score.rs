//! Figures of a run: how far predictions are from what happened. Conventions of scikit-learn.
//!
//! `None` means that the figure does not exist on these rows (no row, one class only, values that
//! are not finite), and is `null` on the wire.

use mltrainer_types::finite;
use ndarray::{Array2, ArrayView2};
use std::collections::BTreeMap;

/// Figures by name.
pub type Metrics = BTreeMap<String, Option<f64>>;

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}

/// Square root of the mean squared error.
#[must_use]
pub fn rmse(y: &[f64], p: &[f64]) -> Option<f64> {
    finite(mean(y.iter().zip(p).map(|(y, p)| (y - p).powi(2))).sqrt())
}

/// Mean absolute error.
#[must_use]
pub fn mae(y: &[f64], p: &[f64]) -> Option<f64> {
    finite(mean(y.iter().zip(p).map(|(y, p)| (y - p).abs())))
}

/// 1 - SSE / SST. A constant target gives 1 when it is met exactly and 0 otherwise; fewer than two
/// rows give none.
#[must_use]
pub fn r2(y: &[f64], p: &[f64]) -> Option<f64> {
    if y.len() < 2 {
        return None;
    }
    let centre = mean(y.iter().copied());
    let sse: f64 = y.iter().zip(p).map(|(y, p)| (y - p).powi(2)).sum();
    let sst: f64 = y.iter().map(|y| (y - centre).powi(2)).sum();
    if sst == 0.0 && sse.is_finite() {
        return Some(f64::from(u8::from(sse == 0.0)));
    }
    finite(1.0 - sse / sst)
}

/// `rmse`, `mae` and `r2`, each name after `prefix`.
pub fn regression(into: &mut Metrics, prefix: &str, y: &[f64], p: &[f64]) {
    for (name, value) in [("rmse", rmse(y, p)), ("mae", mae(y, p)), ("r2", r2(y, p))] {
        into.insert(format!("{prefix}{name}"), value);
    }
}

/// Share of labels that are met.
#[must_use]
pub fn accuracy(y: &[f64], p: &[f64]) -> Option<f64> {
    if p.iter().any(|p| p.is_nan()) {
        return None;
    }
    finite(mean(
        y.iter().zip(p).map(|(y, p)| f64::from(u8::from(y == p))),
    ))
}

/// Mean of -ln(probability of the label that happened), probabilities kept from 0 by 2.2e-16. A
/// label the model has never seen counts as probability 0.
#[must_use]
pub fn log_loss(y: &[f64], probabilities: ArrayView2<'_, f64>, classes: &[i64]) -> Option<f64> {
    finite(mean(y.iter().zip(probabilities.rows()).map(|(y, row)| {
        let p = classes
            .iter()
            .position(|c| *c as f64 == *y)
            .map_or(0.0, |k| row[k]);
        -p.max(f64::EPSILON).ln()
    })))
}

/// Area under the ROC curve of a score for the larger of two labels: the share of pairs (one of
/// each label) in which the larger label has the larger score, ties counting half. None unless both
/// labels, and no other, are there.
#[must_use]
pub fn roc_auc(y: &[f64], score: &[f64]) -> Option<f64> {
    let high = y.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let low = y.iter().copied().fold(f64::INFINITY, f64::min);
    if y.iter().any(|v| *v != high && *v != low) || score.iter().any(|s| s.is_nan()) {
        return None;
    }
    let positives = y.iter().filter(|v| **v == high).count() as f64;
    let negatives = y.len() as f64 - positives;
    let mut order: Vec<usize> = (0..y.len()).collect();
    order.sort_by(|a, b| score[*a].total_cmp(&score[*b]));
    // Sum of the ranks of the positives; equal scores share their mean rank.
    let mut ranks = 0.0;
    let mut start = 0;
    while start < order.len() {
        let mut end = start + 1;
        while end < order.len() && score[order[end]] == score[order[start]] {
            end += 1;
        }
        let mean_rank = (start + 1 + end) as f64 / 2.0;
        ranks += mean_rank * order[start..end].iter().filter(|i| y[**i] == high).count() as f64;
        start = end;
    }
    finite((ranks - positives * (positives + 1.0) / 2.0) / (positives * negatives))
}

/// `accuracy`, and with probabilities (rows x classes) `log_loss` and, for two classes, `roc_auc`;
/// each name after `prefix`.
pub fn classification(
    into: &mut Metrics,
    prefix: &str,
    y: &[f64],
    p: &[f64],
    probabilities: Option<&Array2<f64>>,
    classes: &[i64],
) {
    into.insert(format!("{prefix}accuracy"), accuracy(y, p));
    if let Some(probabilities) = probabilities {
        into.insert(
            format!("{prefix}log_loss"),
            log_loss(y, probabilities.view(), classes),
        );
        if classes.len() == 2 {
            let score = probabilities.column(1).to_vec();
            into.insert(format!("{prefix}roc_auc"), roc_auc(y, &score));
        }
    }
}

/// Above this many rows the silhouette, whose cost is quadratic, is left out.
pub const SILHOUETTE_ROWS: usize = 20_000;

/// Mean over all rows of (b - a) / max(a, b): a is the mean Euclidean distance to the rows of the
/// own group, b the smallest mean distance to those of another (Rousseeuw, 1987). A row alone in
/// its group counts 0. None with fewer than two groups, as many groups as rows, or more than
/// [`SILHOUETTE_ROWS`] rows.
#[must_use]
pub fn silhouette(x: ArrayView2<'_, f64>, labels: &[i64]) -> Option<f64> {
    let mut names = labels.to_vec();
    names.sort_unstable();
    names.dedup();
    let n = labels.len();
    if names.len() < 2 || names.len() >= n || n > SILHOUETTE_ROWS {
        return None;
    }
    let codes: Vec<usize> = labels
        .iter()
        .map(|l| names.binary_search(l).unwrap_or_default())
        .collect();
    let mut sizes = vec![0.0; names.len()];
    for &c in &codes {
        sizes[c] += 1.0;
    }
    let x = x.as_standard_layout();
    let mut sums = vec![0.0; n * names.len()];
    let k = names.len();
    for i in 0..n {
        for j in 0..i {
            let square: f64 = x
                .row(i)
                .iter()
                .zip(x.row(j))
                .map(|(a, b)| (a - b).powi(2))
                .sum();
            let d = square.sqrt();
            sums[i * k + codes[j]] += d;
            sums[j * k + codes[i]] += d;
        }
    }
    finite(mean((0..n).map(|i| {
        let own = codes[i];
        if sizes[own] == 1.0 {
            return 0.0;
        }
        let a = sums[i * k + own] / (sizes[own] - 1.0);
        let b = (0..k)
            .filter(|c| *c != own)
            .map(|c| sums[i * k + c] / sizes[c])
            .fold(f64::INFINITY, f64::min);
        let top = a.max(b);
        if top > 0.0 { (b - a) / top } else { 0.0 }
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn near(got: Option<f64>, want: f64) {
        let got = got.unwrap();
        assert!((got - want).abs() < 1e-12, "{got} is not {want}");
    }

    // The examples of scikit-learn's documentation, computed by hand.
    #[test]
    fn regression_figures() {
        let (y, p) = ([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0]);
        // errors 0.5, -0.5, 0, -1: squares 1.5 / 4, absolute 2 / 4
        near(rmse(&y, &p), 0.375_f64.sqrt());
        near(mae(&y, &p), 0.5);
        // mean 2.875; SST = 0.015625 + 11.390625 + 0.765625 + 17.015625 = 29.1875
        near(r2(&y, &p), 1.0 - 1.5 / 29.1875);
        assert_eq!(r2(&[1.0], &[1.0]), None);
        assert_eq!(r2(&[2.0, 2.0], &[2.0, 2.0]), Some(1.0));
        assert_eq!(r2(&[2.0, 2.0], &[2.0, 3.0]), Some(0.0));
        assert_eq!(rmse(&[], &[]), None);
        assert_eq!(rmse(&[1.0], &[f64::NAN]), None);
    }

    #[test]
    fn classification_figures() {
        let y = [0.0, 0.0, 1.0, 1.0];
        // pairs (negative, positive): .1<.35, .1<.8, .4>.35, .4<.8: three of four
        near(roc_auc(&y, &[0.1, 0.4, 0.35, 0.8]), 0.75);
        near(roc_auc(&y, &[0.5; 4]), 0.5);
        assert_eq!(roc_auc(&[1.0, 1.0], &[0.1, 0.2]), None);
        near(accuracy(&y, &[0.0, 1.0, 1.0, 1.0]), 0.75);
        let p = array![[0.9, 0.1], [0.5, 0.5]];
        near(
            log_loss(&[0.0, 1.0], p.view(), &[0, 1]),
            -(0.9_f64.ln() + 0.5_f64.ln()) / 2.0,
        );
        near(
            log_loss(&[7.0], array![[1.0, 0.0]].view(), &[0, 1]),
            -f64::EPSILON.ln(),
        );
    }

    #[test]
    fn silhouette_by_hand() {
        // Groups {0, 1} and {5}: a(0) = 1, b(0) = 5 -> 4/5; a(1) = 1, b(1) = 4 -> 3/4; alone -> 0.
        let x = array![[0.0], [1.0], [5.0]];
        near(silhouette(x.view(), &[0, 0, 3]), (0.8 + 0.75) / 3.0);
        assert_eq!(silhouette(x.view(), &[0, 0, 0]), None);
        assert_eq!(silhouette(x.view(), &[0, 1, 2]), None);
    }
}
