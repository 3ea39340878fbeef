//! Covariance matrices of the rows of a label, shrunk or not.

use mltrainer_catalogue_core::choices;
use mltrainer_catalogue_core::params::WordOr;
use ndarray::{Array2, Axis};

choices! {
    /// How the strength of shrinking is found.
    pub enum Auto {
        /// By the formula of Ledoit & Wolf (2004) on standardised columns.
        Auto = "auto",
    }
}

/// Mean of the rows.
pub(super) fn mean(rows: &Array2<f64>) -> Vec<f64> {
    rows.mean_axis(Axis(0))
        .map(|m| m.to_vec())
        .unwrap_or_default()
}

/// Rows less their mean. What is left of a constant column is rounding; it becomes zero.
pub(super) fn centre(rows: &Array2<f64>) -> Array2<f64> {
    let means = mean(rows);
    let mut rest = rows - &ndarray::Array1::from(means.clone());
    for (mut column, mean) in rest.columns_mut().into_iter().zip(means) {
        let largest = column.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        if largest <= 8.0 * f64::EPSILON * mean.abs() {
            column.fill(0.0);
        }
    }
    rest
}

/// Covariance with divisor n, shrunk towards its mean variance.
pub(super) fn covariance(rows: &Array2<f64>, shrinkage: Option<WordOr<Auto>>) -> Array2<f64> {
    let mut x = centre(rows);
    let (n, p) = x.dim();
    let shrink = |mut c: Array2<f64>, s: f64| {
        let level = c.diag().sum() / p as f64;
        c *= 1.0 - s;
        c.diag_mut().iter_mut().for_each(|v| *v += s * level);
        c
    };
    let product = |x: &Array2<f64>| x.t().dot(x) / n as f64;
    match shrinkage {
        None => product(&x),
        Some(WordOr::Number(s)) => shrink(product(&x), s),
        Some(WordOr::Word(Auto::Auto)) => {
            let scales: Vec<f64> = x
                .columns()
                .into_iter()
                .map(|c| {
                    let s = (c.iter().map(|v| v * v).sum::<f64>() / n as f64).sqrt();
                    if s > 0.0 { s } else { 1.0 }
                })
                .collect();
            for (mut column, s) in x.columns_mut().into_iter().zip(&scales) {
                column /= *s;
            }
            let c = product(&x);
            let s = ledoit_wolf(&x, &c);
            let mut c = shrink(c, s);
            for ((i, j), v) in c.indexed_iter_mut() {
                *v *= scales[i] * scales[j];
            }
            c
        }
    }
}

/// Strength of shrinking for centred rows with covariance c.
fn ledoit_wolf(x: &Array2<f64>, c: &Array2<f64>) -> f64 {
    let (n, p) = (x.nrows() as f64, x.ncols() as f64);
    let level = c.diag().sum() / p;
    let squares: f64 = c.iter().map(|v| v * v).sum();
    let fourth: f64 = x
        .rows()
        .into_iter()
        .map(|r| r.iter().map(|v| v * v).sum::<f64>().powi(2))
        .sum();
    let noise = (fourth / n - squares) / (p * n);
    let distance = (squares - 2.0 * level * c.diag().sum() + p * level * level) / p;
    let noise = noise.min(distance);
    if noise == 0.0 { 0.0 } else { noise / distance }
}
