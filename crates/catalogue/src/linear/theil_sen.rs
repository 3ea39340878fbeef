//! Theil-Sen regression.
//!
//! What: the middle of the planes through many small subsets of the rows.
//! Formula: (b, w) = the point with the least sum of distances to the solutions of the subsets.
//! Data: few columns; up to 29 % of the rows may be wrong with one column, fewer with more.
//! Cost: fit O(subsets · (k p² + steps p)), predict O(rows p).
//! Fails when: columns are many: nearly every subset then holds a wrong row.
//! Source: Theil (1950); Sen, JASA 63 (1968); Dang, Peng, Wang & Zhang (2009).
//! Not claimed: a high breakdown point with many columns.

use super::engine::{Plane, Problem};
use crate::numeric::{self, flat, median};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::effective_seed;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Supervised, Training, params,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, Axis};
use rand::SeedableRng as _;
use rand::seq::index::sample;
use rand_xoshiro::Xoshiro256PlusPlus;

/// The handle.
pub struct TheilSen;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<TheilSen>();

params! {
    /// Parameters of Theil-Sen regression.
    pub struct TheilSenParams {
        /// Whether an intercept is fitted.
        fit_intercept: bool = true;
        /// Subsets at most: all of them when there are no more, else as many at random.
        max_subpopulation: usize = 10_000, within(1.0, 10_000_000.0);
        /// Rows of a subset: none is the number of unknowns; as many as there are rows is least squares.
        n_subsamples: Option<usize> = None, at_least(1.0);
        /// Steps towards the middle after which the fit is given up as not converged.
        max_iter: usize = 10_000, within(1.0, 10_000_000.0);
        /// The fit ends when a step towards the middle is shorter than this.
        tol: f64 = 1e-9, above(0.0);
        /// Seed of the subsets; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "theil_sen",
    family: "linear",
    title: "Theil-Sen regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Solves least squares on many small subsets of the rows and takes the middle of the answers, so that a share of wrong rows cannot move it.",
    formula: "(b, w) = argmin over z of Σₛ |z - zₛ|, zₛ the least squares solution of subset s; all subsets of n_subsamples rows when they are at most max_subpopulation, else as many at random; one unknown: their median",
    data: "Few columns: a subset must hold as many rows as there are unknowns, and be free of wrong ones.",
    cost: "fit O(subsets · (k p² + steps · p)), predict O(rows · p)",
    fails_when: "Columns are many (the share of wrong rows it survives falls to 0), or there are fewer rows than unknowns.",
    not_claimed: "A high breakdown point with many columns.",
    source: "H. Theil, A rank-invariant method of linear and polynomial regression analysis (1950); P. K. Sen, JASA 63 (1968) 1379-1389; X. Dang, H. Peng, X. Wang, H. Zhang, Theil-Sen estimators in a multiple linear regression model (2009); T. Kärkkäinen, S. Äyrämö, On computation of spatial median for robust data mining (2005)",
    reference: "scikit-learn 1.9.1, TheilSenRegressor (here with a tighter tol by default)",
    outputs: &[
        (
            "coefficients",
            "weights, one a column, target units per column unit",
        ),
        ("intercept", "b, target units; 0 without an intercept"),
        ("breakdown", "share of wrong rows that it survives"),
        ("n_subpopulation", "subsets solved"),
        ("n_iter", "steps towards the middle"),
    ],
    stochastic: true,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, tol 1e-12",
        cases: "theil-sen-aapl-uni, theil-sen-aapl-tiny",
        tolerance: "predictions and coefficients 1e-4",
    }],
    presets: &[],
    exemptions: &[],
};

impl Supervised for TheilSen {
    type Params = TheilSenParams;
    type Fitted = Plane;
    const CARD: &'static Card = &CARD;

    fn fit(params: &TheilSenParams, data: &Training, seed: u64) -> Result<Plane, FitError> {
        let (n, p) = data.x().dim();
        let unknowns = p + usize::from(params.fit_intercept);
        let k = params.n_subsamples.unwrap_or(unknowns.min(n));
        let refused = |why: String| Err(FitError::Data(format!("n_subsamples {k}: {why}")));
        if k > n {
            return refused(format!("there are {n} rows only"));
        }
        if n >= p && k < unknowns.min(n) {
            return refused(format!("{unknowns} unknowns need as many rows a subset"));
        }
        if n < p && k != n {
            return refused(format!("with fewer rows than columns it must be {n}"));
        }
        let all = combinations(n, k, params.max_subpopulation);
        let count = all.unwrap_or(params.max_subpopulation);
        let mut solutions = Array2::zeros((count, unknowns));
        let mut random = Xoshiro256PlusPlus::seed_from_u64(effective_seed(params.seed, seed));
        let mut rows: Vec<usize> = (0..k).collect();
        for (i, mut to) in solutions.rows_mut().into_iter().enumerate() {
            if all.is_none() {
                rows = sample(&mut random, n, k).into_vec();
            } else if i > 0 {
                next_combination(&mut rows, n);
            }
            for (to, z) in to.iter_mut().zip(solve(data, &rows, params.fit_intercept)?) {
                *to = z;
            }
        }
        let (middle, n_iter) = spatial_median(&solutions, params.max_iter, params.tol)?;
        let (nf, kf) = (n as f64, k as f64);
        let breakdown = 1.0 - (0.5_f64.powf(1.0 / kf) * (nf - kf + 1.0) + kf - 1.0) / nf;
        let extra = Outputs::from_iter([
            ("breakdown".to_owned(), breakdown.into()),
            ("n_subpopulation".to_owned(), count.into()),
            ("n_iter".to_owned(), n_iter.into()),
        ]);
        let (intercept, weights) = if params.fit_intercept {
            (middle[0], middle[1..].to_vec())
        } else {
            (0.0, middle)
        };
        Plane::at(weights, intercept, extra)
    }
}

/// Number of subsets of k of n rows, unless they are more than `most`.
fn combinations(n: usize, k: usize, most: usize) -> Option<usize> {
    let mut count: u128 = 1;
    for i in 0..k.min(n - k) {
        count = count * (n - i) as u128 / (i + 1) as u128;
        // It grows from here on.
        if count > most as u128 {
            return None;
        }
    }
    usize::try_from(count).ok()
}

/// The next subset in the order of dictionaries.
fn next_combination(rows: &mut [usize], n: usize) {
    let k = rows.len();
    let Some(at) = (0..k).rev().find(|i| rows[*i] < n - k + i) else {
        return;
    };
    rows[at] += 1;
    for i in at + 1..k {
        rows[i] = rows[i - 1] + 1;
    }
}

/// Intercept (if fitted) and weights of least squares on some rows.
fn solve(data: &Training, rows: &[usize], intercept: bool) -> Result<Vec<f64>, FitError> {
    let shift = usize::from(intercept);
    let d = data.x().ncols() + shift;
    let mut a = Array2::ones((rows.len(), d));
    for (mut to, &i) in a.rows_mut().into_iter().zip(rows) {
        for (to, v) in to.iter_mut().skip(shift).zip(data.x().row(i)) {
            *to = *v;
        }
    }
    let b: Vec<f64> = rows.iter().map(|i| data.y()[*i]).collect();
    if rows.len() == d
        && let Some(z) = eliminate(a.clone(), b.clone())
    {
        return Ok(z);
    }
    Ok(Problem::of(a.view(), &b, None, false)?.ridge(0.0)?.0)
}

/// Solves a square system with row pivots; `None` when it is nearly singular.
fn eliminate(mut a: Array2<f64>, mut b: Vec<f64>) -> Option<Vec<f64>> {
    let d = b.len();
    let size = a.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    for k in 0..d {
        let top = (k..d).max_by(|i, j| a[[*i, k]].abs().total_cmp(&a[[*j, k]].abs()))?;
        // Nearly dependent rows are left to singular values.
        if a[[top, k]].abs() <= 1e-9 * size {
            return None;
        }
        if top != k {
            for j in k..d {
                a.swap([k, j], [top, j]);
            }
            b.swap(k, top);
        }
        for i in k + 1..d {
            let by = a[[i, k]] / a[[k, k]];
            for j in k..d {
                a[[i, j]] -= by * a[[k, j]];
            }
            b[i] -= by * b[k];
        }
    }
    for i in (0..d).rev() {
        let done: f64 = (i + 1..d).map(|j| a[[i, j]] * b[j]).sum();
        b[i] = (b[i] - done) / a[[i, i]];
    }
    Some(b)
}

/// The point with the least sum of distances to the rows, by Weiszfeld's steps with the rule of
/// Kärkkäinen & Äyrämö (2005) for a point that meets a row.
fn spatial_median(
    points: &Array2<f64>,
    max_iter: usize,
    tol: f64,
) -> Result<(Vec<f64>, usize), FitError> {
    if points.ncols() == 1 {
        return Ok((vec![median(&points.column(0).to_vec())], 1));
    }
    let mut at = points
        .mean_axis(Axis(0))
        .map(|m| m.to_vec())
        .unwrap_or_default();
    for n_iter in 1..=max_iter {
        let d = at.len();
        let (mut pull, mut towards, mut inverse) = (vec![0.0; d], vec![0.0; d], 0.0);
        let mut meets = false;
        for row in points.rows() {
            let row = flat(row);
            let gaps: Vec<f64> = row.iter().zip(&at).map(|(r, a)| r - a).collect();
            let distance = numeric::dot(&gaps, &gaps).sqrt();
            if distance < f64::EPSILON {
                meets = true;
                continue;
            }
            numeric::add_scaled(&mut pull, 1.0 / distance, &gaps);
            numeric::add_scaled(&mut towards, 1.0 / distance, row);
            inverse += 1.0 / distance;
        }
        let force = numeric::dot(&pull, &pull).sqrt();
        if force <= f64::EPSILON || inverse == 0.0 {
            return Ok((at, n_iter));
        }
        let stay = if meets { (1.0 / force).min(1.0) } else { 0.0 };
        let next: Vec<f64> = towards
            .iter()
            .zip(&at)
            .map(|(t, a)| (1.0 - stay) * t / inverse + stay * a)
            .collect();
        let moved: f64 = next.iter().zip(&at).map(|(a, b)| (a - b).powi(2)).sum();
        at = next;
        if moved < tol * tol {
            return Ok((at, n_iter));
        }
    }
    Err(FitError::Failed(format!(
        "theil_sen did not reach the middle of its solutions in max_iter = {max_iter} steps: raise max_iter or tol, or rescale the columns"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, table};
    use mltrainer_catalogue_core::{Params as _, Predictor as _};

    #[test]
    fn one_wrong_row_does_not_move_it() {
        // y = 2x + 1 but for one row; the middle of the solutions of all pairs is the line.
        let rows: [&[f64]; 7] = [&[0.0], &[1.0], &[2.0], &[3.0], &[4.0], &[5.0], &[6.0]];
        let y = [1.0, 3.0, 5.0, 70.0, 9.0, 11.0, 13.0];
        let given = serde_json::json!({});
        let params = TheilSenParams::from_map(given.as_object().unwrap()).unwrap();
        let outputs = TheilSen::fit(&params, &table(&rows, &y), 0)
            .unwrap()
            .outputs();
        let found = [
            outputs["intercept"].as_f64().unwrap(),
            outputs["coefficients"][0].as_f64().unwrap(),
        ];
        assert_near(&found, &[1.0, 2.0], 1e-6);
        assert_eq!(outputs["n_subpopulation"], 21);
    }

    #[test]
    fn subsets_in_order() {
        let mut rows = vec![0, 1];
        let mut seen = vec![rows.clone()];
        for _ in 1..combinations(4, 2, 100).unwrap() {
            next_combination(&mut rows, 4);
            seen.push(rows.clone());
        }
        assert_eq!(seen, [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]);
        assert_eq!(combinations(1_000, 6, 10_000), None);
        assert_eq!(combinations(100, 98, 10_000), Some(4_950));
    }
}
