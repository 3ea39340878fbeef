//! Linear Gaussian state-space models with given variances: a level, a level with a trend, or a mean-reverting
//! level, each observed with noise. Shared by the Kalman, the unscented and the particle filter.

use mltrainer_catalogue_core::{FitError, choices};
use mltrainer_types::finite;
use serde_json::Value;

choices! {
    /// How the state moves.
    pub enum StateModel {
        /// A random walk.
        LocalLevel = "local_level",
        /// A level with a trend, both random walks.
        LocalLinearTrend = "local_linear_trend",
        /// A level that returns to a mean: autoregression of order 1.
        Ar1 = "ar1",
    }
}

choices! {
    /// What is observed of the level.
    pub enum Observation {
        /// The level itself.
        Identity = "identity",
        /// e to the power of the level.
        Exp = "exp",
    }
}

impl Observation {
    pub(crate) fn of(self, level: f64) -> f64 {
        match self {
            Self::Identity => level,
            Self::Exp => level.exp(),
        }
    }
}

/// A state of level and trend; the trend stays 0 where a model has none.
pub(crate) type State = [f64; 2];
/// Its covariance, by rows.
pub(crate) type Square = [[f64; 2]; 2];

/// Transition and noise of a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct System {
    /// Number of states: 1 or 2.
    pub(crate) states: usize,
    pub(crate) transition: Square,
    /// Added to the level every step.
    pub(crate) drift: f64,
    /// Variances of the state noise.
    pub(crate) noise: State,
    pub(crate) observation_variance: f64,
    pub(crate) start: State,
    pub(crate) start_variance: f64,
}

/// The parameters as the entries declare them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given {
    pub(crate) model: StateModel,
    pub(crate) observation_variance: f64,
    pub(crate) level_variance: f64,
    pub(crate) trend_variance: f64,
    pub(crate) phi: f64,
    pub(crate) mean: f64,
    pub(crate) initial_level: f64,
    pub(crate) initial_trend: f64,
    pub(crate) initial_variance: f64,
}

impl System {
    pub(crate) fn new(g: Given) -> Self {
        let trend = g.model == StateModel::LocalLinearTrend;
        let phi = if g.model == StateModel::Ar1 {
            g.phi
        } else {
            1.0
        };
        Self {
            states: 1 + usize::from(trend),
            transition: [
                [phi, f64::from(u8::from(trend))],
                [0.0, f64::from(u8::from(trend))],
            ],
            drift: if g.model == StateModel::Ar1 {
                (1.0 - g.phi) * g.mean
            } else {
                0.0
            },
            noise: [g.level_variance, if trend { g.trend_variance } else { 0.0 }],
            observation_variance: g.observation_variance,
            start: [g.initial_level, if trend { g.initial_trend } else { 0.0 }],
            start_variance: g.initial_variance,
        }
    }

    /// The covariance to start from.
    pub(crate) fn start_covariance(&self) -> Square {
        let second = if self.states == 2 {
            self.start_variance
        } else {
            0.0
        };
        [[self.start_variance, 0.0], [0.0, second]]
    }

    /// Where a state moves to without noise.
    pub(crate) fn moved(&self, x: State) -> State {
        let t = &self.transition;
        [
            t[0][0] * x[0] + t[0][1] * x[1] + self.drift,
            t[1][0] * x[0] + t[1][1] * x[1],
        ]
    }

    /// The covariance a step later.
    pub(crate) fn spread(&self, p: &Square) -> Square {
        let mut next = product(&product(&self.transition, p), &transposed(&self.transition));
        next[0][0] += self.noise[0];
        next[1][1] += self.noise[1];
        next
    }

    /// States smoothed backwards (Rauch, Tung & Striebel, 1965) from filtered ones; the state moves linearly
    /// whatever is observed of it.
    pub(crate) fn smoothed(&self, filtered: &[(State, Square)]) -> Vec<(State, Square)> {
        let mut out = filtered.to_vec();
        for t in (0..out.len().saturating_sub(1)).rev() {
            let (x, p) = filtered[t];
            let (ahead, spread) = (self.moved(x), self.spread(&p));
            // Gain P Fᵀ (predicted P)⁻¹, of as many states as there are.
            let cross = product(&p, &transposed(&self.transition));
            let gain = product(&cross, &self.inverse(&spread));
            let (next, next_p) = out[t + 1];
            let d = [next[0] - ahead[0], next[1] - ahead[1]];
            let x = [
                x[0] + gain[0][0] * d[0] + gain[0][1] * d[1],
                x[1] + gain[1][0] * d[0] + gain[1][1] * d[1],
            ];
            let mut change = next_p;
            for i in 0..2 {
                for j in 0..2 {
                    change[i][j] -= spread[i][j];
                }
            }
            let change = product(&product(&gain, &change), &transposed(&gain));
            let mut p = p;
            for i in 0..2 {
                for j in 0..2 {
                    p[i][j] += change[i][j];
                }
            }
            out[t] = (x, p);
        }
        out
    }

    /// Inverse of a covariance; 0 for a state that does not exist or has no variance.
    fn inverse(&self, p: &Square) -> Square {
        let det = p[0][0] * p[1][1] - p[0][1] * p[1][0];
        if self.states == 2 && det > 1e-14 * p[0][0] * p[1][1] {
            return [
                [p[1][1] / det, -p[0][1] / det],
                [-p[1][0] / det, p[0][0] / det],
            ];
        }
        let one = |v: f64| if v > 0.0 { 1.0 / v } else { 0.0 };
        if self.states == 2 && p[0][0] < p[1][1] {
            return [[0.0, 0.0], [0.0, one(p[1][1])]];
        }
        [[one(p[0][0]), 0.0], [0.0, 0.0]]
    }
}

pub(crate) fn product(a: &Square, b: &Square) -> Square {
    let mut c = [[0.0; 2]; 2];
    for i in 0..2 {
        for j in 0..2 {
            c[i][j] = a[i][0] * b[0][j] + a[i][1] * b[1][j];
        }
    }
    c
}

pub(crate) fn transposed(a: &Square) -> Square {
    [[a[0][0], a[1][0]], [a[0][1], a[1][1]]]
}

/// Refuses states that left the finite numbers.
///
/// # Errors
/// [`FitError::Failed`].
pub(crate) fn finite_states(log_likelihood: f64, last: State) -> Result<(), FitError> {
    if log_likelihood.is_finite() && last.iter().all(|v| v.is_finite()) {
        return Ok(());
    }
    Err(FitError::Failed(
        "the filter left the finite numbers: the variances and the initial level do not fit the units of the series"
            .into(),
    ))
}

/// One entry of each state, a row each.
pub(crate) fn column(states: &[(State, Square)], of: impl Fn(&(State, Square)) -> f64) -> Value {
    states.iter().map(|s| Value::from(finite(of(s)))).collect()
}
