//! Ljung-Box test.
//!
//! What: tests whether a series is free of autocorrelation up to given lags.
//! Formula: Q = n (n+2) Σ_{k≤h} r_k²/(n-k), chi-squared with h degrees of freedom.
//! Data: one series, most often returns or residuals of a model.
//! Cost: O(n h) for the largest lag h.
//! Fails when: the variance changes (it then rejects too often), h is large beside n.
//! Source: Ljung, Box, Biometrika 65 (1978).
//! Not claimed: that no other dependence is left.

use super::engine::varies;
use crate::distributions::chi2_sf;
use crate::numeric::dot;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::numbers;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, Takes, params,
};
use mltrainer_types::catalogue::Task;
use serde_json::Value;

/// The handle.
pub struct LjungBox;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<LjungBox>();

params! {
    /// Parameters of the Ljung-Box test.
    pub struct LjungBoxParams {
        /// The lags to test up to, joined with commas; none is 1, 2, ..., min(n/5, 10).
        lags: Option<Vec<usize>> = None, within(1.0, 100_000.0);
        /// Season: with it the lags are 1, 2, ..., min(n/5, 2 period), whatever the lags given.
        period: Option<usize> = None, within(2.0, 100_000.0);
        /// Coefficients that the model behind the residuals estimated: so many degrees of freedom less.
        model_df: usize = 0, within(0.0, 1_000.0);
        /// Whether the largest lag is chosen from the data (Escanciano & Lobato, 2009), whatever the lags given.
        auto_lag: bool = false;
    }
}

const CARD: Card = Card {
    id: "ljung_box",
    family: "test",
    title: "Ljung-Box test",
    tasks: &[Task::Test],
    inputs: Inputs::Series,
    summary: "Tests whether the autocorrelations up to each lag are all 0. A small p-value says that something is left in returns or residuals.",
    formula: "Q_h = n (n+2) Σ_{k≤h} r_k²/(n-k), r_k the autocorrelations with divisor n; chi-squared with h - model_df degrees of freedom; Box-Pierce: n Σ r_k²",
    data: "One series: returns, or the residuals of a model.",
    cost: "O(n h) for the largest lag h",
    fails_when: "The variance changes over time (it then rejects too often), or h is large beside n.",
    not_claimed: "That no other dependence is left: squares may still be correlated.",
    source: "G. M. Ljung, G. E. P. Box, Biometrika 65 (1978); G. E. P. Box, D. A. Pierce, J. American Statistical Association 65 (1970); J. C. Escanciano, I. N. Lobato, J. Econometrics 151 (2009)",
    reference: "statsmodels 0.15.0, acorr_ljungbox",
    outputs: &[
        ("lags", "the lags tested"),
        ("statistic", "Q, one a lag"),
        ("p_value", "one a lag, null without degrees of freedom"),
        ("box_pierce_statistic", "Box-Pierce form of Q, one a lag"),
        ("box_pierce_p_value", "its p-value, one a lag"),
        ("autocorrelations", "r_1, r_2, ... up to the largest lag"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "statsmodels 0.15.0, acorr_ljungbox",
        cases: "S&P 500 returns, Nile; returns of 5 shares with lags given, chosen and less degrees of freedom",
        tolerance: "1e-8 relative, p-values 1e-6",
    }],
    presets: &[],
    exemptions: &[],
};

/// Lags 1, 2, ... up to the one with the largest penalised statistic.
fn automatic(r: &[f64], n: f64) -> usize {
    let largest = r.iter().fold(1.0, |m: f64, r| m.max(r.abs()));
    let each = if largest * n.sqrt() <= (2.4 * n.ln()).sqrt() {
        n.ln()
    } else {
        2.0
    };
    let mut q = 0.0;
    let mut best = (f64::NEG_INFINITY, 0);
    for (k, r) in r.iter().enumerate() {
        let lag = k as f64 + 1.0;
        q += n * (n + 2.0) * r * r / (n - lag);
        if q - each * lag > best.0 {
            best = (q - each * lag, k);
        }
    }
    // The reference library takes the place of the best lag, counted from 0, as the lag.
    best.1.max(1)
}

impl Analysis for LjungBox {
    type Params = LjungBoxParams;
    const CARD: &'static Card = &CARD;
    const TAKES: Takes = Takes::Returns;

    fn analyse(params: &LjungBoxParams, data: &SeriesTable, _: Ask) -> Result<Outputs, FitError> {
        let x = data.series(0);
        let n = x.len();
        varies(&x, "the series")?;
        let mean = x.iter().sum::<f64>() / n as f64;
        let size = x.iter().fold(0.0, |m: f64, v| m.max((v - mean).abs()));
        let e: Vec<f64> = x.iter().map(|v| (v - mean) / size).collect();
        let variance = dot(&e, &e);
        if !variance.is_normal() {
            return Err(FitError::Data(
                "the series is too large or varies too little for doubles: rescale it".into(),
            ));
        }
        let upto = |most: usize| (1..=most.max(1)).collect::<Vec<usize>>();
        let correlations = |most: usize| -> Vec<f64> {
            (1..=most)
                .map(|k| dot(&e[k..], &e[..n - k]) / variance)
                .collect()
        };
        let lags = match (&params.lags, params.period) {
            _ if params.auto_lag => upto(automatic(&correlations(n - 1), n as f64)),
            (_, Some(period)) => upto((n / 5).min(2 * period)),
            (Some(lags), None) => lags.clone(),
            (None, None) => upto((n / 5).min(10)),
        };
        let most = lags.iter().copied().max().unwrap_or(1);
        if most >= n {
            return Err(FitError::Data(format!(
                "lag {most} is too large for {n} rows: it must be at most {}",
                n - 1
            )));
        }
        let r = correlations(most);
        let rows = n as f64;
        let (mut q, mut pierce) = (vec![0.0], vec![0.0]);
        for (k, r) in r.iter().enumerate() {
            q.push(q[k] + rows * (rows + 2.0) * r * r / (rows - k as f64 - 1.0));
            pierce.push(pierce[k] + rows * r * r);
        }
        let pick = |all: &[f64]| lags.iter().map(|h| all[*h]).collect::<Vec<f64>>();
        let p = |all: &[f64]| {
            let one = |h: &usize| chi2_sf(all[*h], *h as f64 - params.model_df as f64);
            lags.iter().map(one).collect::<Vec<f64>>()
        };
        Ok(Outputs::from_iter([
            ("lags".into(), Value::from(lags.clone())),
            ("statistic".into(), numbers(&pick(&q))),
            ("p_value".into(), numbers(&p(&q))),
            ("box_pierce_statistic".into(), numbers(&pick(&pierce))),
            ("box_pierce_p_value".into(), numbers(&p(&pierce))),
            ("autocorrelations".into(), numbers(&r)),
        ]))
    }
}
