//! Kalman filter and smoother.
//!
//! What: the level (and trend) behind a noisy series, row by row from the past alone, and in hindsight.
//! Formula: x_t = F x_{t-1} + w, y_t = x_t + v; the usual recursions.
//! Data: one series; missing values are allowed.
//! Cost: O(n).
//! Fails when: the variances given do not fit the series: nothing is estimated.
//! Source: Kalman, J. Basic Engineering 82 (1960).
//! Not claimed: that the model is right.

use super::dates;
use super::state::{self, Given, Square, State, StateModel, System};
use crate::distributions::normal_ln_density;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::numbers;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, params,
};
use mltrainer_types::catalogue::Task;
use mltrainer_types::finite;
use serde_json::Value;

/// The handle.
pub struct KalmanFilter;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<KalmanFilter>();

params! {
    /// Parameters of the Kalman filter.
    pub struct KalmanFilterParams {
        /// How the state moves: local_level (random walk), local_linear_trend, or ar1 (returns to mean).
        model: StateModel = StateModel::LocalLevel;
        /// Variance of the noise in an observation.
        observation_variance: f64 = 1.0, at_least(0.0);
        /// Variance of a step of the level.
        level_variance: f64 = 1.0, at_least(0.0);
        /// Variance of a step of the trend (local_linear_trend).
        trend_variance: f64 = 0.1, at_least(0.0);
        /// Share of the distance from the mean that is left a row later (ar1).
        phi: f64 = 0.9, within(-1.0, 1.0);
        /// Mean of the level (ar1).
        mean: f64 = 0.0;
        /// Level before the first observation.
        initial_level: f64 = 0.0;
        /// Trend before the first observation (local_linear_trend).
        initial_trend: f64 = 0.0;
        /// Variance of level and trend before the first observation.
        initial_variance: f64 = 1e6, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "kalman_filter",
    family: "time_series",
    title: "Kalman filter",
    tasks: &[Task::Forecasting, Task::Signal],
    inputs: Inputs::Series,
    summary: "The level (and trend) behind a noisy series for given variances: from the past alone (filtered), in hindsight (smoothed) and ahead (forecast).",
    formula: "local_level: l_t = l_{t-1} + w; local_linear_trend: l_t = l_{t-1} + b_{t-1} + w, b_t = b_{t-1} + u; ar1: l_t - m = φ (l_{t-1} - m) + w; y_t = l_t + v; the first observation updates N(initial, initial_variance I) without a prediction; log likelihood = Σ of the one-step normal log densities of all observations; smoother of Rauch, Tung and Striebel",
    data: "One series; a missing value is predicted and does not update.",
    cost: "O(n)",
    fails_when: "The variances given do not fit the series: nothing is estimated here (unobserved_components does that).",
    not_claimed: "That the model is right. The smoothed level of a row uses rows after it; only the filtered one was known at the time.",
    source: "R. E. Kalman, J. Basic Engineering 82 (1960); H. E. Rauch, F. Tung, C. T. Striebel, AIAA Journal 3 (1965); A. C. Harvey, Forecasting, Structural Time Series Models and the Kalman Filter (1989)",
    reference: "statsmodels 0.15.0, UnobservedComponents with fixed variances",
    outputs: &[
        ("filtered_level", "known after the row, one a row"),
        (
            "filtered_trend",
            "one a row, null in a model without a trend",
        ),
        ("filtered_variance", "of the filtered level, one a row"),
        ("predicted_level", "known before the row, one a row"),
        ("predicted_variance", "of the predicted level, one a row"),
        ("smoothed_level", "known after all rows, one a row"),
        (
            "smoothed_trend",
            "one a row, null in a model without a trend",
        ),
        ("smoothed_variance", "of the smoothed level, one a row"),
        (
            "innovations",
            "observation less predicted level, one a row, null where it is missing",
        ),
        (
            "standardized_innovations",
            "divided by their standard deviation",
        ),
        ("log_likelihood", "of all observations"),
        ("n_obs", "observations that are not missing"),
        ("forecast", "of the level"),
        ("forecast_variance", "of an observation, one a step"),
        (
            "gaps",
            "where dates leave rows out: after, before, days; null without dates",
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "statsmodels 0.15.0, UnobservedComponents and KalmanFilter with fixed variances",
        cases: "Nile with a local level, log GDP with a local linear trend; closes with every model, with missing values",
        tolerance: "1e-8 relative",
    }],
    presets: &[],
    exemptions: &[],
};

impl Analysis for KalmanFilter {
    type Params = KalmanFilterParams;
    const CARD: &'static Card = &CARD;
    const MISSING: bool = true;

    fn analyse(
        params: &KalmanFilterParams,
        data: &SeriesTable,
        ask: Ask,
    ) -> Result<Outputs, FitError> {
        let y = data.series(0);
        let system = System::new(Given {
            model: params.model,
            observation_variance: params.observation_variance,
            level_variance: params.level_variance,
            trend_variance: params.trend_variance,
            phi: params.phi,
            mean: params.mean,
            initial_level: params.initial_level,
            initial_trend: params.initial_trend,
            initial_variance: params.initial_variance,
        });
        let (mut x, mut p) = (system.start, system.start_covariance());
        let mut filtered: Vec<(State, Square)> = Vec::with_capacity(y.len());
        let mut predicted = Vec::with_capacity(y.len());
        let (mut errors, mut standard) = (Vec::new(), Vec::new());
        let (mut log_likelihood, mut seen) = (0.0, 0);
        for (t, value) in y.iter().enumerate() {
            if t > 0 {
                (x, p) = (system.moved(x), system.spread(&p));
            }
            predicted.push((x, p));
            let error = value - x[0];
            let variance = p[0][0] + system.observation_variance;
            errors.push(error);
            standard.push(error / variance.sqrt());
            if !value.is_nan() {
                if variance <= 0.0 {
                    return Err(FitError::Data(format!(
                        "row {}: neither the level nor the observation has a variance, so nothing can be learned from it: give a variance above 0",
                        t + 1
                    )));
                }
                seen += 1;
                log_likelihood += normal_ln_density(error, variance);
                let gain = [p[0][0] / variance, p[1][0] / variance];
                x = [x[0] + gain[0] * error, x[1] + gain[1] * error];
                let row = p[0];
                for i in 0..2 {
                    for j in 0..2 {
                        p[i][j] -= gain[i] * row[j];
                    }
                }
            }
            filtered.push((x, p));
        }
        state::finite_states(log_likelihood, x)?;
        let smoothed = system.smoothed(&filtered);
        let (mut ahead, mut spread) = (Vec::new(), Vec::new());
        for _ in 0..ask.horizon {
            (x, p) = (system.moved(x), system.spread(&p));
            ahead.push(x[0]);
            spread.push(p[0][0] + system.observation_variance);
        }
        let trend = |s: &(State, Square)| if system.states == 2 { s.0[1] } else { f64::NAN };
        let level = |s: &(State, Square)| s.0[0];
        let variance = |s: &(State, Square)| s.1[0][0];
        Ok(Outputs::from_iter([
            ("gaps".into(), dates::gaps(data)),
            ("filtered_level".into(), state::column(&filtered, level)),
            ("filtered_trend".into(), state::column(&filtered, trend)),
            (
                "filtered_variance".into(),
                state::column(&filtered, variance),
            ),
            ("predicted_level".into(), state::column(&predicted, level)),
            (
                "predicted_variance".into(),
                state::column(&predicted, variance),
            ),
            ("smoothed_level".into(), state::column(&smoothed, level)),
            ("smoothed_trend".into(), state::column(&smoothed, trend)),
            (
                "smoothed_variance".into(),
                state::column(&smoothed, variance),
            ),
            ("innovations".into(), numbers(&errors)),
            ("standardized_innovations".into(), numbers(&standard)),
            ("log_likelihood".into(), Value::from(finite(log_likelihood))),
            ("n_obs".into(), Value::from(seen)),
            ("forecast".into(), numbers(&ahead)),
            ("forecast_variance".into(), numbers(&spread)),
        ]))
    }
}
