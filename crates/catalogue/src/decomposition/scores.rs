//! Principal components of the centred columns and least squares on their scores.

use crate::linear::Problem;
use crate::numeric::{Svd, add_scaled, dot};
use mltrainer_catalogue_core::{FitError, Training};

/// Principal components, largest variance first.
pub(super) struct Components {
    /// One row a component, its largest entry positive.
    pub(super) rows: Vec<Vec<f64>>,
    /// Singular values of the centred columns.
    pub(super) values: Vec<f64>,
    /// Weights of the columns in least squares on the scores.
    pub(super) weights: Vec<f64>,
    /// Sum of squares of the centred columns.
    pub(super) total: f64,
    pub(super) problem: Problem,
}

impl Components {
    /// The first `wanted` of them: a number from 1 on, the share of the variance they must reach
    /// below 1, all when none.
    pub(super) fn new(data: &Training, wanted: Option<f64>) -> Result<Self, FitError> {
        let (n, p) = data.x().dim();
        let most = n.min(p);
        let problem = Problem::new(data, true)?;
        let svd = Svd::new((0..p).map(|j| problem.column(j).to_vec()).collect());
        let mut order: Vec<usize> = (0..svd.values.len()).collect();
        order.sort_by(|a, b| svd.values[*b].total_cmp(&svd.values[*a]));
        let total: f64 = svd.values.iter().map(|s| s * s).sum();
        let count = match wanted {
            None => most,
            Some(share) if share < 1.0 => {
                let mut sum = 0.0;
                let reached = order.iter().position(|k| {
                    sum += svd.values[*k].powi(2);
                    sum > share * total
                });
                reached.map_or(most, |k| k + 1)
            }
            Some(count) if count.fract() == 0.0 => count as usize,
            Some(count) => {
                return Err(FitError::Data(format!(
                    "n_components {count}: from 1 on it is a number of components and must be whole"
                )));
            }
        };
        if count > most {
            return Err(FitError::Data(format!(
                "n_components {count}: {n} rows of {p} columns have at most {most}"
            )));
        }
        let largest = order.first().map_or(0.0, |k| svd.values[*k]);
        let cut = largest * f64::EPSILON * n.max(p) as f64;
        let (mut rows, mut values) = (Vec::new(), Vec::new());
        let mut weights = vec![0.0; p];
        for &k in order.iter().take(count) {
            let (s, v) = (svd.values[k], &svd.right[k]);
            if s > cut {
                let share = dot(&svd.left[k], problem.target()) / s;
                add_scaled(&mut weights, share, v);
            }
            let top = v
                .iter()
                .fold(0.0, |m: f64, v| if v.abs() > m.abs() { *v } else { m });
            let sign = if top < 0.0 { -1.0 } else { 1.0 };
            rows.push(v.iter().map(|v| sign * v).collect());
            values.push(s);
        }
        Ok(Self {
            rows,
            values,
            weights,
            total,
            problem,
        })
    }
}
