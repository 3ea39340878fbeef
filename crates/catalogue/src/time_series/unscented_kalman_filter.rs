//! Unscented Kalman filter.
//!
//! What: a Kalman filter for an observation that is a curved function of the level.
//! Formula: 2n+1 points carry mean and covariance through the function.
//! Data: one series; missing values are allowed.
//! Cost: O(n).
//! Fails when: the function bends strongly within the uncertainty of the level.
//! Source: Julier, Uhlmann (1997); van der Merwe, dissertation (2004).
//! Not claimed: that the model is right.

use super::dates;
use super::state::{self, Given, Observation, Square, State, StateModel, System};
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
pub struct UnscentedKalmanFilter;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<UnscentedKalmanFilter>();

params! {
    /// Parameters of the unscented Kalman filter.
    pub struct UnscentedKalmanFilterParams {
        /// How the state moves: local_level (random walk), local_linear_trend, or ar1 (returns to mean).
        model: StateModel = StateModel::LocalLevel;
        /// What is observed: the level itself, or e to its power (exp).
        observation: Observation = Observation::Identity;
        /// Variance of the noise in an observation.
        observation_variance: f64 = 1.0, above(0.0);
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
        initial_variance: f64 = 1.0, above(0.0);
        /// How far the points lie from the mean.
        alpha: f64 = 0.5, above_up_to(0.0, 10.0);
        /// Weight of the middle point in covariances; 2 suits normal states.
        beta: f64 = 2.0, at_least(0.0);
        /// Second scale of the points; n + kappa must be above 0 for n states.
        kappa: f64 = 0.0, above(-1.0);
    }
}

const CARD: Card = Card {
    id: "unscented_kalman_filter",
    family: "time_series",
    title: "Unscented Kalman filter",
    tasks: &[Task::Forecasting, Task::Signal],
    inputs: Inputs::Series,
    summary: "A Kalman filter for an observation that is a curved function of the level: a few points carry mean and variance through it. On a straight function it is the Kalman filter.",
    formula: "points x, x ± columns of √((n+λ)P), λ = α²(n+κ) - n; weights λ/(n+λ) (+ 1 - α² + β in covariances) and 1/(2(n+λ)); drawn anew after the prediction; states as in kalman_filter, y_t = h(l_t) + v, h the identity or exp; the first observation updates without a prediction; the states are smoothed by Rauch, Tung and Striebel",
    data: "One series; a missing value is predicted and does not update. With exp the level is on the logarithmic scale.",
    cost: "O(n)",
    fails_when: "The function bends strongly within the uncertainty of the level (a wide start with exp), or the variances do not fit the series.",
    not_claimed: "That the model is right. The smoothed level of a row uses rows after it.",
    source: "S. J. Julier, J. K. Uhlmann, Proc. SPIE 3068 (1997); R. van der Merwe, Sigma-point Kalman filters, dissertation, Oregon Health & Science University (2004)",
    reference: "filterpy 2.0.0, UnscentedKalmanFilter with MerweScaledSigmaPoints",
    outputs: &[
        ("filtered_level", "known after the row, one a row"),
        (
            "filtered_trend",
            "one a row, null in a model without a trend",
        ),
        ("filtered_variance", "of the filtered level, one a row"),
        ("smoothed_level", "known after all rows, one a row"),
        ("smoothed_variance", "of the smoothed level, one a row"),
        (
            "predicted_observation",
            "expected before the row, one a row",
        ),
        (
            "innovations",
            "observation less the expected one, one a row, null where it is missing",
        ),
        (
            "log_likelihood",
            "of all observations, their one-step densities taken as normal",
        ),
        ("n_obs", "observations that are not missing"),
        ("forecast", "of the observation"),
        ("forecast_level", "of the level"),
        (
            "gaps",
            "where dates leave rows out: after, before, days; null without dates",
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "filterpy 2.0.0, UnscentedKalmanFilter; the Kalman filter where the observation is the level",
        cases: "Nile, corporate yields with exp; closes with every model, both observations, with missing values",
        tolerance: "1e-7 relative",
    }],
    presets: &[],
    exemptions: &[],
};

/// Weights of the points: of the middle one in means and in covariances, of each other one, and n + λ.
struct Weights {
    mean: f64,
    covariance: f64,
    other: f64,
    width: f64,
}

/// The points of a state.
fn points(x: State, p: &Square, states: usize, width: f64) -> Option<Vec<State>> {
    let a = p[0][0] * width;
    if a < 0.0 || !a.is_finite() {
        return None;
    }
    let first = a.sqrt();
    let mut all = vec![x];
    // Columns of the lower Cholesky factor.
    let mut columns = vec![[first, 0.0]];
    if states == 2 {
        let below = if first > 0.0 {
            p[1][0] * width / first
        } else {
            0.0
        };
        let rest = p[1][1] * width - below * below;
        if rest < -1e-9 * p[1][1] * width {
            return None;
        }
        columns = vec![[first, below], [0.0, rest.max(0.0).sqrt()]];
    }
    all.extend(columns.iter().map(|c| [x[0] + c[0], x[1] + c[1]]));
    all.extend(columns.iter().map(|c| [x[0] - c[0], x[1] - c[1]]));
    Some(all)
}

/// Mean and variance of what is observed, and its covariance with the states.
fn observed(all: &[State], x: State, w: &Weights, h: Observation) -> (f64, f64, State) {
    let values: Vec<f64> = all.iter().map(|s| h.of(s[0])).collect();
    let mean = w.mean * values[0] + w.other * values[1..].iter().sum::<f64>();
    let (mut variance, mut cross) = (0.0, [0.0; 2]);
    for (k, (value, s)) in values.iter().zip(all).enumerate() {
        let weight = if k == 0 { w.covariance } else { w.other };
        let d = value - mean;
        variance += weight * d * d;
        cross[0] += weight * (s[0] - x[0]) * d;
        cross[1] += weight * (s[1] - x[1]) * d;
    }
    (mean, variance, cross)
}

impl Analysis for UnscentedKalmanFilter {
    type Params = UnscentedKalmanFilterParams;
    const CARD: &'static Card = &CARD;
    const MISSING: bool = true;

    fn analyse(
        params: &UnscentedKalmanFilterParams,
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
        let n = system.states as f64;
        let square = params.alpha * params.alpha;
        let width = square * (n + params.kappa);
        let weights = Weights {
            mean: (width - n) / width,
            covariance: (width - n) / width + 1.0 - square + params.beta,
            other: 0.5 / width,
            width,
        };
        let lost = |row: usize| {
            FitError::Failed(format!(
                "row {row}: a covariance is no longer positive: the function bends too strongly within the uncertainty; take a smaller initial_variance, or an alpha nearer to 1"
            ))
        };
        let h = params.observation;
        let (mut x, mut p) = (system.start, system.start_covariance());
        let mut filtered: Vec<(State, Square)> = Vec::with_capacity(y.len());
        let (mut expected, mut errors) = (Vec::new(), Vec::new());
        let (mut log_likelihood, mut seen) = (0.0, 0);
        for (t, value) in y.iter().enumerate() {
            if t > 0 {
                // The states move linearly, so the points give what the matrices give.
                (x, p) = (system.moved(x), system.spread(&p));
            }
            let all = points(x, &p, system.states, weights.width).ok_or_else(|| lost(t + 1))?;
            let (mean, variance, cross) = observed(&all, x, &weights, h);
            let variance = variance + system.observation_variance;
            if !(mean.is_finite() && variance > 0.0 && variance.is_finite()) {
                return Err(lost(t + 1));
            }
            expected.push(mean);
            errors.push(value - mean);
            if !value.is_nan() {
                seen += 1;
                log_likelihood += normal_ln_density(value - mean, variance);
                let gain = [cross[0] / variance, cross[1] / variance];
                for i in 0..2 {
                    x[i] += gain[i] * (value - mean);
                    for j in 0..2 {
                        p[i][j] -= gain[i] * variance * gain[j];
                    }
                }
            }
            filtered.push((x, p));
        }
        state::finite_states(log_likelihood, x)?;
        let smoothed = system.smoothed(&filtered);
        let (mut ahead, mut levels) = (Vec::new(), Vec::new());
        for _ in 0..ask.horizon {
            (x, p) = (system.moved(x), system.spread(&p));
            let all = points(x, &p, system.states, weights.width).ok_or_else(|| lost(y.len()))?;
            ahead.push(observed(&all, x, &weights, h).0);
            levels.push(x[0]);
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
            ("smoothed_level".into(), state::column(&smoothed, level)),
            (
                "smoothed_variance".into(),
                state::column(&smoothed, variance),
            ),
            ("predicted_observation".into(), numbers(&expected)),
            ("innovations".into(), numbers(&errors)),
            ("log_likelihood".into(), Value::from(finite(log_likelihood))),
            ("n_obs".into(), Value::from(seen)),
            ("forecast".into(), numbers(&ahead)),
            ("forecast_level".into(), numbers(&levels)),
        ]))
    }
}
