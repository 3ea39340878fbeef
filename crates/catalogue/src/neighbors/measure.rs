//! Distances that have numbers of their own: weights of columns, variances, an inverse covariance.
//!
//! Rows are turned once, so that a plain distance is left: columns times w^(1/p) or over their deviation,
//! or rows times a factor C of the inverse covariance CCᵀ, since (a - b)ᵀ CCᵀ (a - b) = |Cᵀa - Cᵀb|².

use super::engine::{Distance, Metric};
use crate::numeric::{Cholesky, inverse_of_lower};
use mltrainer_catalogue_core::params::ParamType as _;
use mltrainer_catalogue_core::{FitError, ParamError};
use ndarray::{Array2, ArrayView2, Axis, CowArray, Ix2};
use serde::{Deserialize, Serialize};

/// What rows are turned by before their distance is taken.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Turn {
    /// Nothing.
    #[default]
    None,
    /// One factor a column.
    Columns(Vec<f64>),
    /// A matrix, columns x columns, on the right.
    All(Array2<f64>),
}

impl Turn {
    /// The rows as they are measured.
    pub(crate) fn rows<'a>(&self, x: ArrayView2<'a, f64>) -> CowArray<'a, f64, Ix2> {
        match self {
            Self::None => x.into(),
            Self::Columns(by) => {
                let mut turned = x.to_owned();
                for mut row in turned.rows_mut() {
                    row.iter_mut().zip(by).for_each(|(v, by)| *v *= by);
                }
                turned.into()
            }
            Self::All(by) => x.dot(by).into(),
        }
    }
}

/// The plain distance of a metric and what rows are turned by before; `given` are the metric's own numbers,
/// `p` the power of minkowski. Without numbers minkowski weighs columns alike, seuclidean takes the variances
/// of the rows `x` and mahalanobis the inverse of their covariance (both with divisor rows - 1).
///
/// # Errors
/// [`FitError::Param`] for numbers that are too few, too many, out of range or of a metric without any;
/// [`FitError::Data`] where the covariance of the rows has no inverse.
pub(crate) fn measure(
    metric: Metric,
    p: f64,
    given: Option<&[f64]>,
    x: &Array2<f64>,
) -> Result<(Distance, Turn), FitError> {
    let columns = x.ncols();
    let name = metric.write();
    let name = name.as_str().unwrap_or_default();
    let refused = |reason: String| {
        FitError::Param(ParamError {
            field: "metric_params".into(),
            reason,
            suggestions: Vec::new(),
        })
    };
    let many = |wanted: usize, what: &str| match given {
        Some(own) if own.len() != wanted => Err(refused(format!(
            "{} numbers: {name} takes {wanted} for {columns} columns, {what}",
            own.len()
        ))),
        _ => Ok(()),
    };
    let turn = match (metric, given) {
        (Metric::Minkowski, Some(weights)) => {
            many(columns, "one weight a column")?;
            if let Some(w) = weights.iter().find(|w| **w < 0.0) {
                return Err(refused(format!("a weight of {w} is below 0")));
            }
            Turn::Columns(weights.iter().map(|w| w.powf(1.0 / p)).collect())
        }
        (Metric::SEuclidean, Some(variances)) => {
            many(columns, "one variance a column")?;
            if let Some(v) = variances.iter().find(|v| **v <= 0.0) {
                return Err(refused(format!("a variance of {v} is not above 0")));
            }
            Turn::Columns(variances.iter().map(|v| 1.0 / v.sqrt()).collect())
        }
        (Metric::SEuclidean, None) => {
            let deviation = |column: ndarray::ArrayView1<'_, f64>| {
                let n = column.len() as f64;
                let mean = column.sum() / n;
                let rest: f64 = column.iter().map(|v| (v - mean).powi(2)).sum();
                let deviation = (rest / (n - 1.0).max(1.0)).sqrt();
                // A constant column tells no rows apart.
                let rounding = 8.0 * f64::EPSILON * mean.abs();
                if deviation > rounding {
                    1.0 / deviation
                } else {
                    0.0
                }
            };
            Turn::Columns(x.columns().into_iter().map(deviation).collect())
        }
        (Metric::Mahalanobis, Some(inverse)) => {
            many(columns * columns, "the inverse covariance row after row")?;
            // Only the symmetric part enters a distance.
            let even = Array2::from_shape_fn((columns, columns), |(i, j)| {
                0.5 * (inverse[i * columns + j] + inverse[j * columns + i])
            });
            let factor = Cholesky::new(even)
                .ok_or_else(|| refused("the inverse covariance is not positive definite".into()))?;
            Turn::All(Array2::from_shape_fn(factor.lower().dim(), |(i, j)| {
                factor.entry(i, j)
            }))
        }
        (Metric::Mahalanobis, None) => {
            let n = x.nrows() as f64;
            let mean = x.sum_axis(Axis(0)) / n;
            let rest = x - &mean;
            let covariance = rest.t().dot(&rest) / (n - 1.0).max(1.0);
            let factor = Cholesky::new(covariance).ok_or_else(|| {
                FitError::Data(
                    "the covariance of the rows has no inverse, which mahalanobis needs: leave out columns that depend on others, or give metric_params".into(),
                )
            })?;
            let inverse = inverse_of_lower(factor.lower().view());
            Turn::All(inverse.t().to_owned())
        }
        (_, Some(_)) => {
            return Err(refused(format!(
                "metric {name} has no numbers: minkowski, seuclidean and mahalanobis have"
            )));
        }
        (_, None) => Turn::None,
    };
    Ok((Distance::new(metric, p), turn))
}
