//! Granger causality.
//!
//! What: tests whether the past of one series helps to forecast another beyond its own past.
//! Formula: regressions of y on its lags, with and without lags of x; F, chi-squared and likelihood ratio.
//! Data: two stationary series.
//! Cost: O(n l²) for l lags.
//! Fails when: the series wander or both follow a third.
//! Source: Granger, Econometrica 37 (1969).
//! Not claimed: that one moves the other.

use crate::distributions::{chi2_sf, f_sf};
use crate::numeric::{Cholesky, dot};
use crate::test::engine::{LeastSquares, number, varies};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, Takes, params,
};
use mltrainer_types::catalogue::Task;
use ndarray::Array2;
use serde_json::Value;

/// The handle.
pub struct GrangerCausality;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<GrangerCausality>();

params! {
    /// Parameters of Granger causality.
    pub struct GrangerCausalityParams {
        /// Lags of each series.
        lags: usize = 1, within(1.0, 1_000.0);
    }
}

const CARD: Card = Card {
    id: "granger_causality",
    family: "signal_processing",
    title: "Granger causality",
    tasks: &[Task::Test],
    inputs: Inputs::Series,
    summary: "Tests whether the past of the second series helps to forecast the first beyond the first one's own past; and the other way round. A small p-value says that it does, in the rows given.",
    formula: "y_t = c + Σ a_i y_{t-i} (+ Σ b_i x_{t-i}) + e_t by least squares, sums of squares S0 without and S1 with x; F = (S0-S1)/S1 (T-2l-1)/l; χ² = T (S0-S1)/S1; LR = T ln(S0/S1); the Wald F of b = 0",
    data: "Two stationary series: the one to be helped first.",
    cost: "O(n l²) for l lags",
    fails_when: "The series wander (difference them first), both follow a third one with different delays, or the relation changes.",
    not_claimed: "That one moves the other: only that it comes first and helps to forecast.",
    source: "C. W. J. Granger, Econometrica 37 (1969)",
    reference: "statsmodels 0.15.0, grangercausalitytests",
    outputs: &[
        (
            "f_statistic",
            "F of the sums of squares: does the second series help the first",
        ),
        ("p_value", "its p-value"),
        ("df_numerator", "number of lags"),
        ("df_denominator", "rows used less coefficients"),
        ("chi2_statistic", "chi-squared form"),
        ("chi2_p_value", "its p-value"),
        ("lr_statistic", "likelihood ratio"),
        ("lr_p_value", "its p-value"),
        ("params_f_statistic", "Wald F of the coefficients"),
        ("params_f_p_value", "its p-value"),
        ("reverse", "the same statistics of the other direction"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "statsmodels 0.15.0, grangercausalitytests",
        cases: "US macro growth rates; returns of 5 shares, both directions, 1 to 4 lags",
        tolerance: "1e-6 relative",
    }],
    presets: &[],
    exemptions: &[],
};

/// Does x help to forecast y.
fn direction(y: &[f64], x: &[f64], lags: usize) -> Result<Outputs, FitError> {
    let rows = y.len() - lags;
    let lag = |s: &[f64], k: usize| s[lags - k..][..rows].to_vec();
    let mut columns = vec![vec![1.0; rows]];
    columns.extend((1..=lags).map(|k| lag(y, k)));
    columns.extend((1..=lags).map(|k| lag(x, k)));
    let fit = LeastSquares::new(&y[lags..], &columns)?;
    let (own, all) = (1 + lags, 1 + 2 * lags);
    if fit.exact(all) {
        return Err(FitError::Data(
            "the regression fits without a remainder: one series determines the other".into(),
        ));
    }
    let (without, with) = (fit.sse(own), fit.sse(all));
    let (n, l, left) = (rows as f64, lags as f64, (rows - all) as f64);
    let gain = (without - with) / with;
    let f = gain * left / l;
    let chi2 = n * gain;
    let lr = n * gain.ln_1p();
    // Wald: bᵀ V⁻¹ b/l with V the covariance of the coefficients of x.
    let beta = &fit.coefficients(all)[own..];
    let inverse = fit.covariance(all);
    let scale = with / left;
    let v = Array2::from_shape_fn((lags, lags), |(i, j)| inverse[own + i][own + j] * scale);
    let mut solved = beta.to_vec();
    let wald = Cholesky::new(v).map_or(f64::NAN, |factor| {
        factor.solve(&mut solved);
        dot(beta, &solved) / l
    });
    Ok(Outputs::from_iter([
        ("f_statistic".into(), number(f)),
        ("p_value".into(), number(f_sf(f, l, left))),
        ("df_numerator".into(), Value::from(lags)),
        ("df_denominator".into(), Value::from(rows - all)),
        ("chi2_statistic".into(), number(chi2)),
        ("chi2_p_value".into(), number(chi2_sf(chi2, l))),
        ("lr_statistic".into(), number(lr)),
        ("lr_p_value".into(), number(chi2_sf(lr, l))),
        ("params_f_statistic".into(), number(wald)),
        ("params_f_p_value".into(), number(f_sf(wald, l, left))),
    ]))
}

impl Analysis for GrangerCausality {
    type Params = GrangerCausalityParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (2, 2);
    const TAKES: Takes = Takes::Returns;

    fn analyse(
        params: &GrangerCausalityParams,
        data: &SeriesTable,
        _: Ask,
    ) -> Result<Outputs, FitError> {
        let (y, x, lags) = (data.series(0), data.series(1), params.lags);
        if y.len() <= 3 * lags + 1 {
            return Err(FitError::Data(format!(
                "{} rows are too few for {lags} lags: give at least {}",
                y.len(),
                3 * lags + 2
            )));
        }
        for (series, name) in [&y, &x].into_iter().zip(data.names()) {
            varies(series, &format!("column \"{name}\""))?;
        }
        let mut outputs = direction(&y, &x, lags)?;
        let reverse = direction(&x, &y, lags)?;
        outputs.insert("reverse".into(), Value::Object(reverse));
        Ok(outputs)
    }
}
