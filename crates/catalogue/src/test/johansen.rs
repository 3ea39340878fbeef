//! Johansen test of cointegration.
//!
//! What: tests how many combinations of several series that wander are stationary.
//! Formula: canonical correlations of the changes and the levels before, less lagged changes.
//! Data: two to twelve series of levels.
//! Cost: O(n (p l)²) for p series and l lags.
//! Fails when: the series are short, break, or one is stationary itself.
//! Source: Johansen, J. Economic Dynamics and Control 12 (1988), Econometrica 59 (1991).
//! Not claimed: that a relation will hold.

use super::engine::{LeastSquares, all, residuals, varies};
use super::johansen_tables::{MAX_EIGEN, SERIES, TRACE};
use crate::numeric::{Cholesky, dot, eigh};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::numbers;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, choices, params,
};
use mltrainer_types::catalogue::Task;
use ndarray::Array2;
use serde_json::Value;

/// The handle.
pub struct Johansen;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<Johansen>();

choices! {
    /// Confidence at which the rank is read off.
    pub enum Confidence {
        /// 90%.
        Ninety = "90%",
        /// 95%.
        NinetyFive = "95%",
        /// 99%.
        NinetyNine = "99%",
    }
}

params! {
    /// Parameters of the Johansen test.
    pub struct JohansenParams {
        /// Deterministic terms: -1 none, 0 a constant, 1 a linear trend.
        det_order: i64 = 0, within(-1.0, 1.0);
        /// Lagged changes in the model.
        lags: usize = 1, within(0.0, 1_000.0);
        /// Confidence at which the number of relations is read off.
        confidence: Confidence = Confidence::NinetyFive;
    }
}

const CARD: Card = Card {
    id: "johansen",
    family: "test",
    title: "Johansen cointegration test",
    tasks: &[Task::Test],
    inputs: Inputs::Series,
    summary: "Tests how many combinations of the series are stationary, by the trace and the maximum eigenvalue statistic, and gives the combinations.",
    formula: "R0, R1 = changes and levels before, less their regressions on lagged changes (all detrended to det_order, then centred when it is at least 0); eigenvalues λ of S11⁻¹ S10 S00⁻¹ S01; trace_r = -T Σ_{i>r} ln(1-λ_i), max_r = -T ln(1-λ_{r+1}); vectors v with vᵀ S11 v = 1",
    data: "Two to twelve series of levels.",
    cost: "O(n (p l)²) for p series and l lags",
    fails_when: "The series are short or break, one of them is stationary itself, or two are nearly one.",
    not_claimed: "That a relation will hold, or that the model behind the test has the right lags.",
    source: "S. Johansen, J. Economic Dynamics and Control 12 (1988) and Econometrica 59 (1991); J. G. MacKinnon, A. A. Haug, L. Michelis, J. Applied Econometrics 14 (1999)",
    reference: "statsmodels 0.15.0, coint_johansen",
    outputs: &[
        ("trace_statistics", "one a rank 0, 1, ..."),
        ("max_eigen_statistics", "one a rank 0, 1, ..."),
        ("eigenvalues", "in decreasing order"),
        (
            "trace_critical_values",
            "a row a rank, columns 90%, 95%, 99%",
        ),
        (
            "max_eigen_critical_values",
            "a row a rank, columns 90%, 95%, 99%",
        ),
        (
            "trace_bounds",
            "critical values at the confidence asked for, one a rank",
        ),
        (
            "max_eigen_bounds",
            "critical values at the confidence asked for, one a rank",
        ),
        (
            "rank_trace",
            "relations by the trace statistic at the confidence asked for",
        ),
        (
            "rank_max_eigen",
            "relations by the maximum eigenvalue statistic",
        ),
        (
            "cointegration_vector",
            "the first vector, its first entry 1; null when that entry is 0",
        ),
        (
            "vectors",
            "all vectors, a row each, scaled to vᵀ S11 v = 1, first entry not negative",
        ),
        (
            "loadings",
            "a row a series: how it answers to each combination",
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "statsmodels 0.15.0, coint_johansen",
        cases: "US GDP, consumption and interest rates, corporate yields; closes of 2 to 5 shares, every det_order, 0 to 3 lags",
        tolerance: "1e-6 relative",
    }],
    presets: &[],
    exemptions: &[],
};

/// Residuals from a polynomial in time of this order; itself for -1.
fn detrended(y: &[f64], order: i64) -> Result<Vec<f64>, FitError> {
    let n = y.len();
    let at = |t: usize| -1.0 + 2.0 * t as f64 / (n as f64 - 1.0).max(1.0);
    let columns: Vec<Vec<f64>> = (0..=order)
        .map(|power| (0..n).map(|t| at(t).powi(power as i32)).collect())
        .collect();
    if columns.is_empty() {
        return Ok(y.to_vec());
    }
    let fit = LeastSquares::new(y, &columns)?;
    Ok(residuals(y, &columns, &fit.coefficients(columns.len())))
}

/// Mean products of columns.
fn products(a: &[Vec<f64>], b: &[Vec<f64>]) -> Array2<f64> {
    let rows = a[0].len() as f64;
    Array2::from_shape_fn((a.len(), b.len()), |(i, j)| dot(&a[i], &b[j]) / rows)
}

/// Statistics above their bounds from rank 0 on.
fn rank(statistics: &[f64], bounds: &[[f64; 3]], level: usize) -> usize {
    let pairs = statistics.iter().zip(bounds);
    pairs.take_while(|(s, b)| **s > b[level]).count()
}

impl Analysis for Johansen {
    type Params = JohansenParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (2, SERIES);

    fn analyse(params: &JohansenParams, data: &SeriesTable, _: Ask) -> Result<Outputs, FitError> {
        let order = params.det_order;
        let (lags, p, n) = (params.lags, data.names().len(), data.rows());
        // Rows left, and columns of the largest regression.
        if n < lags + 2 + p * (lags + 1) {
            return Err(FitError::Data(format!(
                "{n} rows are too few for {p} series with {lags} lags: give at least {}",
                lags + 2 + p * (lags + 1)
            )));
        }
        let mut levels = Vec::new();
        for (series, name) in all(data).iter().zip(data.names()) {
            varies(series, &format!("column \"{name}\""))?;
            // The statistics do not depend on the units of a column; the sums of squares do.
            let size = series.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            let scaled: Vec<f64> = series.iter().map(|v| v / size).collect();
            levels.push((detrended(&scaled, order)?, size));
        }
        let sizes: Vec<f64> = levels.iter().map(|(_, size)| *size).collect();
        let levels: Vec<Vec<f64>> = levels.into_iter().map(|(level, _)| level).collect();
        let changes: Vec<Vec<f64>> = levels
            .iter()
            .map(|y| y.windows(2).map(|w| w[1] - w[0]).collect())
            .collect();
        let rows = n - 1 - lags;
        let inner = order.min(0);
        let mut lagged = Vec::new();
        for lag in 1..=lags {
            for change in &changes {
                lagged.push(detrended(&change[lags - lag..][..rows], inner)?);
            }
        }
        let without = |y: &[f64]| -> Result<Vec<f64>, FitError> {
            let y = detrended(y, inner)?;
            if lagged.is_empty() {
                return Ok(y);
            }
            let fit = LeastSquares::new(&y, &lagged)?;
            Ok(residuals(&y, &lagged, &fit.coefficients(lagged.len())))
        };
        let (mut r0, mut r1) = (Vec::new(), Vec::new());
        for (level, change) in levels.iter().zip(&changes) {
            r0.push(without(&change[lags..])?);
            // The level so many rows before as there are lags: with the lagged changes taken out it leaves
            // what the level just before leaves. Without lags it is the level of the same row, as in the
            // reference library.
            r1.push(without(&level[1..][..rows])?);
        }
        let collinear = |_| {
            FitError::Data(
                "the series or their changes are combinations of each other: leave one out".into(),
            )
        };
        let factor = |a: Array2<f64>| {
            let size = a.diag().iter().fold(0.0, |m: f64, v| m.max(*v));
            let factor = Cholesky::new(a).ok_or(()).map_err(collinear)?;
            // A pivot lost to rounding.
            let weakest = factor.forward_all(Array2::eye(p));
            let largest = weakest.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            if largest * largest * size > 1e13 {
                return Err(collinear(()));
            }
            Ok(factor)
        };
        let (s00, s11, s10) = (products(&r0, &r0), products(&r1, &r1), products(&r1, &r0));
        let (l0, l1) = (factor(s00)?, factor(s11)?);
        // With S11 = L Lᵀ the eigenvalues are those of L⁻¹ S10 S00⁻¹ S01 L⁻ᵀ, which is symmetric.
        let half = l0.forward_all(l1.forward_all(s10.clone()).t().to_owned());
        let (values, rotated) = eigh(half.t().dot(&half), "the Johansen test")?;
        let mut vectors = Vec::new();
        for row in rotated.rows() {
            let mut v = row.to_vec();
            l1.backward(&mut v);
            v.iter_mut().zip(&sizes).for_each(|(v, size)| *v /= size);
            if v[0] < 0.0 {
                v.iter_mut().for_each(|v| *v = -*v);
            }
            vectors.push(v);
        }
        if values.iter().any(|l| l.is_nan() || *l >= 1.0) {
            return Err(collinear(()));
        }
        let t = rows as f64;
        let each: Vec<f64> = values.iter().map(|l| -t * (-l).ln_1p()).collect();
        let trace: Vec<f64> = (0..p).map(|r| each[r..].iter().sum()).collect();
        let table = (order + 1) as usize;
        let bounds = |table: &[[f64; 3]; SERIES]| -> Vec<[f64; 3]> {
            (0..p).map(|r| table[p - r - 1]).collect()
        };
        let (trace_bounds, max_bounds) = (bounds(&TRACE[table]), bounds(&MAX_EIGEN[table]));
        let level = match params.confidence {
            Confidence::Ninety => 0,
            Confidence::NinetyFive => 1,
            Confidence::NinetyNine => 2,
        };
        let first = vectors[0][0];
        let vector = (first != 0.0).then(|| {
            let scaled: Vec<f64> = vectors[0].iter().map(|v| v / first).collect();
            numbers(&scaled)
        });
        // How the changes answer: S01 v, back in units.
        let loadings: Vec<Value> = (0..p)
            .map(|i| {
                let answer = |v: &Vec<f64>| {
                    let parts = (0..p).map(|j| s10[[j, i]] * v[j] * sizes[j]);
                    sizes[i] * parts.sum::<f64>()
                };
                numbers(&vectors.iter().map(answer).collect::<Vec<f64>>())
            })
            .collect();
        let column = |m: &[[f64; 3]]| numbers(&m.iter().map(|r| r[level]).collect::<Vec<f64>>());
        let rows_of = |m: &[[f64; 3]]| -> Value { m.iter().map(|r| numbers(r)).collect() };
        Ok(Outputs::from_iter([
            ("trace_statistics".into(), numbers(&trace)),
            ("max_eigen_statistics".into(), numbers(&each)),
            ("eigenvalues".into(), numbers(&values)),
            ("trace_critical_values".into(), rows_of(&trace_bounds)),
            ("max_eigen_critical_values".into(), rows_of(&max_bounds)),
            ("trace_bounds".into(), column(&trace_bounds)),
            ("max_eigen_bounds".into(), column(&max_bounds)),
            (
                "rank_trace".into(),
                Value::from(rank(&trace, &trace_bounds, level)),
            ),
            (
                "rank_max_eigen".into(),
                Value::from(rank(&each, &max_bounds, level)),
            ),
            ("cointegration_vector".into(), vector.unwrap_or_default()),
            (
                "vectors".into(),
                vectors.iter().map(|v| numbers(v)).collect(),
            ),
            ("loadings".into(), Value::from(loadings)),
        ]))
    }
}
