//! Exponential smoothing by its recursions, with weights given or found by least squares; for
//! `exponential_smoothing`, `holt` and `holt_winters`.

use super::engine::{NO_MINIMUM, finite, number, put_forecast};
use crate::numeric::{Stop, dot, minimise};
use crate::optimize;
use mltrainer_catalogue_core::{FitError, Outputs, Tracker, choices, run};
use serde_json::Value;

choices! {
    /// How a part enters.
    pub enum Part {
        /// It is added.
        Add = "add",
        /// It multiplies.
        Mul = "mul",
    }
}

/// Which parts there are beside the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) trend: Option<Part>,
    pub(crate) seasonal: Option<Part>,
    pub(crate) period: usize,
}

/// Weights of the newest value in level, trend and season, and the damping of the trend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Weights {
    pub(crate) alpha: f64,
    pub(crate) beta: f64,
    pub(crate) gamma: f64,
    pub(crate) phi: f64,
}

/// Level, trend and the factors of a season; the next row's factor stands at `place`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    pub(crate) level: f64,
    pub(crate) trend: f64,
    pub(crate) season: Vec<f64>,
    pub(crate) place: usize,
}

impl Form {
    /// Level moved on by the trend.
    fn moved(&self, state: &State, phi: f64) -> f64 {
        match self.trend {
            None => state.level,
            Some(Part::Add) => state.level + phi * state.trend,
            Some(Part::Mul) => state.level * state.trend.powf(phi),
        }
    }

    fn with_season(&self, moved: f64, factor: f64) -> f64 {
        match self.seasonal {
            None => moved,
            Some(Part::Add) => moved + factor,
            Some(Part::Mul) => moved * factor,
        }
    }

    /// The forecast of the next row.
    pub(crate) fn next(&self, state: &State, w: &Weights) -> f64 {
        let factor = state.season.get(state.place).copied().unwrap_or(0.0);
        self.with_season(self.moved(state, w.phi), factor)
    }

    /// Takes in a row.
    pub(crate) fn update(&self, state: &mut State, w: &Weights, y: f64) {
        let moved = self.moved(state, w.phi);
        let factor = state.season.get(state.place).copied().unwrap_or(0.0);
        let without = match self.seasonal {
            None => y,
            Some(Part::Add) => y - factor,
            Some(Part::Mul) => y / factor,
        };
        let level = w.alpha * without + (1.0 - w.alpha) * moved;
        state.trend = match self.trend {
            None => 0.0,
            Some(Part::Add) => {
                w.beta * (level - state.level) + (1.0 - w.beta) * w.phi * state.trend
            }
            Some(Part::Mul) => {
                w.beta * (level / state.level) + (1.0 - w.beta) * state.trend.powf(w.phi)
            }
        };
        state.level = level;
        if let Some(season) = state.season.get_mut(state.place) {
            let newest = if self.seasonal == Some(Part::Mul) {
                y / moved
            } else {
                y - moved
            };
            *season = w.gamma * newest + (1.0 - w.gamma) * factor;
            state.place = (state.place + 1) % self.period;
        }
    }

    /// The usual start: level y[0] and trend y[1] - y[0] (or their ratio); with a season, the level is the mean of
    /// the first one, the trend the mean rise to the second a row, the factors the first season's distance
    /// (or ratio) to the level.
    pub(crate) fn start(&self, y: &[f64]) -> State {
        let m = self.period;
        let (level, trend, season) = if let Some(part) = self.seasonal {
            let level = y[..m].iter().sum::<f64>() / m as f64;
            let trend = match self.trend {
                None => 0.0,
                Some(Part::Add) => {
                    let rises = (0..m).map(|i| (y[m + i] - y[i]) / m as f64);
                    rises.sum::<f64>() / m as f64
                }
                Some(Part::Mul) => {
                    let second = y[m..2 * m].iter().sum::<f64>() / m as f64;
                    (second / level).powf(1.0 / m as f64)
                }
            };
            let factor = |v: &f64| match part {
                Part::Add => v - level,
                Part::Mul => v / level,
            };
            (level, trend, y[..m].iter().map(factor).collect())
        } else {
            let trend = match self.trend {
                None => 0.0,
                Some(Part::Add) => y[1] - y[0],
                Some(Part::Mul) => y[1] / y[0],
            };
            (y[0], trend, Vec::new())
        };
        State {
            level,
            trend,
            season,
            place: 0,
        }
    }

    /// One-step forecasts of all rows, and the state after them.
    pub(crate) fn run(&self, y: &[f64], w: &Weights) -> (Vec<f64>, State) {
        let mut state = self.start(y);
        let fitted = y
            .iter()
            .map(|v| {
                let forecast = self.next(&state, w);
                self.update(&mut state, w, *v);
                forecast
            })
            .collect();
        (fitted, state)
    }

    fn sse(&self, y: &[f64], w: &Weights) -> f64 {
        let mut state = self.start(y);
        let mut sum = 0.0;
        for v in y {
            let error = v - self.next(&state, w);
            sum += error * error;
            self.update(&mut state, w, *v);
        }
        sum
    }

    /// Forecasts of the rows after a state.
    pub(crate) fn forecast(&self, state: &State, w: &Weights, horizon: usize) -> Vec<f64> {
        let mut state = state.clone();
        // Nothing new is learned from a forecast: level and trend move on, factors stay.
        (0..horizon)
            .map(|_| {
                let value = self.next(&state, w);
                state.level = self.moved(&state, w.phi);
                state.trend = match self.trend {
                    None => 0.0,
                    Some(Part::Add) => w.phi * state.trend,
                    Some(Part::Mul) => state.trend.powf(w.phi),
                };
                if !state.season.is_empty() {
                    state.place = (state.place + 1) % self.period;
                }
                value
            })
            .collect()
    }

    /// Standard deviations of the errors of forecasts, in units of that of one step, by how far an error
    /// of each earlier step moves a forecast: exact where parts are added, to first order where they
    /// multiply. None past [`MOST`] steps where they do.
    fn spread(&self, state: &State, w: &Weights, horizon: usize, unit: f64) -> Vec<Option<f64>> {
        let added = self.trend != Some(Part::Mul) && self.seasonal != Some(Part::Mul);
        let reach = if added { horizon } else { horizon.min(MOST) };
        let mut variance = vec![1.0; reach];
        let mut at = state.clone();
        let small = if unit > 0.0 { 1e-4 * unit } else { 1e-8 };
        for j in 0..if added { reach.min(1) } else { reach } {
            let value = self.next(&at, w);
            let (mut up, mut down) = (at.clone(), at.clone());
            self.update(&mut up, w, value + small);
            self.update(&mut down, w, value - small);
            let left = reach - j - 1;
            let above = self.forecast(&up, w, left);
            let below = self.forecast(&down, w, left);
            for (h, (a, b)) in above.iter().zip(&below).enumerate() {
                let c = (a - b) / (2.0 * small);
                variance[j + 1 + h] += c * c;
            }
            self.update(&mut at, w, value);
        }
        if added {
            // One shock's reach is that of all: they are summed up.
            let mut sum = 1.0;
            for v in variance.iter_mut().skip(1) {
                sum += *v - 1.0;
                *v = sum;
            }
        }
        let known = variance.into_iter().map(|v| Some(v.sqrt()));
        known
            .chain(std::iter::repeat_n(None, horizon - reach))
            .collect()
    }
}

/// Steps to which the spread of multiplied parts is followed.
const MOST: usize = 2000;

/// Bounds of the damping that is searched, those of statsmodels.
const DAMPING: (f64, f64) = (0.8, 0.995);

/// Given weights; those that are none are searched. The damping is `Some(1.0)` without one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given {
    pub(crate) alpha: Option<f64>,
    pub(crate) beta: Option<f64>,
    pub(crate) gamma: Option<f64>,
    pub(crate) phi: Option<f64>,
}

impl Given {
    fn all(&self, form: &Form) -> [Option<f64>; 4] {
        // What the form does not have is not searched.
        [
            self.alpha,
            if form.trend.is_some() {
                self.beta
            } else {
                Some(0.0)
            },
            if form.seasonal.is_some() {
                self.gamma
            } else {
                Some(0.0)
            },
            if form.trend.is_some() {
                self.phi
            } else {
                Some(1.0)
            },
        ]
    }
}

/// What a search for weights found.
pub(crate) struct Estimate {
    pub(crate) weights: Weights,
    /// How many were searched.
    pub(crate) searched: usize,
    /// Whether the search ended on a minimum.
    pub(crate) converged: bool,
    /// Where it ended, each searched weight by its share of its bounds.
    at: Vec<f64>,
}

/// Weights by least squares in [0, 1] (the damping in its bounds): the best places of a coarse grid, then
/// descent from each; or descent from `start`, where an earlier search ended, which is taken when it ends on a
/// minimum below every place of the grid. One weight alone is searched in its valley and has no use for a start.
pub(crate) fn estimate(form: &Form, y: &[f64], given: &Given, start: Option<&[f64]>) -> Estimate {
    let all = given.all(form);
    let free: Vec<usize> = (0..4).filter(|i| all[*i].is_none()).collect();
    let weights = |u: &[f64]| {
        let mut w = all.map(Option::unwrap_or_default);
        for (i, v) in free.iter().zip(u) {
            w[*i] = if *i == 3 {
                DAMPING.0 + v * (DAMPING.1 - DAMPING.0)
            } else {
                *v
            };
        }
        Weights {
            alpha: w[0],
            beta: w[1],
            gamma: w[2],
            phi: w[3],
        }
    };
    let found = |at: Vec<f64>, converged: bool| Estimate {
        weights: weights(&at),
        searched: free.len(),
        converged,
        at,
    };
    if free.is_empty() {
        return found(Vec::new(), true);
    }
    const PLACES: [&[f64]; 4] = [
        &[0.05, 0.2, 0.5, 0.8, 0.98],
        &[0.01, 0.15, 0.5, 0.9],
        &[0.02, 0.2, 0.5, 0.9],
        &[0.2, 0.9],
    ];
    let mut places: Vec<Vec<f64>> = vec![Vec::new()];
    for i in &free {
        places = places
            .iter()
            .flat_map(|p| {
                PLACES[*i].iter().map(move |v| {
                    let mut p = p.clone();
                    p.push(*v);
                    p
                })
            })
            .collect();
    }
    let raw = |u: &[f64]| {
        let sse = form.sse(y, &weights(u));
        if sse.is_finite() { sse } else { f64::INFINITY }
    };
    let mut ranked: Vec<(f64, Vec<f64>)> = places.into_iter().map(|u| (raw(&u), u)).collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    if let [only] = free.as_slice() {
        // One weight: the valley between the places beside the best one.
        let best = ranked[0].1[0];
        let places = PLACES[*only].iter();
        let low = places
            .clone()
            .filter(|v| **v < best)
            .fold(0.0, |m: f64, v| m.max(*v));
        let high = places
            .filter(|v| **v > best)
            .fold(1.0, |m: f64, v| m.min(*v));
        let lowest = optimize::within(|u| raw(&[u]), low, high);
        return found(lowest.at, lowest.converged);
    }
    let unit = ranked[0].0.max(f64::MIN_POSITIVE);
    let descent = |from: Vec<f64>| {
        let mut scaled = |u: &[f64]| raw(u) / unit;
        minimise(
            |u| {
                let value = scaled(u);
                let slope = optimize::gradient(&mut scaled, u, value);
                (value, slope)
            },
            from,
            (0.0, 1.0),
            &Stop {
                max_iter: 500,
                gradient: 1e-9,
                gain: 1e-15,
            },
        )
    };
    if let Some(start) = start
        && start.len() == free.len()
        && start.iter().all(|v| (0.0..=1.0).contains(v))
    {
        let lowest = descent(start.to_vec());
        if lowest.converged && lowest.value * unit <= ranked[0].0 {
            return found(lowest.at, true);
        }
    }
    let mut best = (ranked[0].0, ranked[0].1.clone(), false);
    for (_, place) in ranked.iter().take(3) {
        let lowest = descent(place.clone());
        if lowest.value * unit < best.0 || (lowest.value * unit == best.0 && lowest.converged) {
            best = (lowest.value * unit, lowest.at, lowest.converged);
        }
    }
    found(best.1, best.2)
}

/// Fits and gives the outputs that the three entries share.
///
/// # Errors
/// [`FitError::Failed`] when a forecast or an error leaves the finite numbers.
pub(crate) fn analyse(
    id: &str,
    form: &Form,
    y: &[f64],
    given: &Given,
    horizon: usize,
    interval: f64,
) -> Result<(Outputs, Weights, State), FitError> {
    if (form.seasonal == Some(Part::Mul) || form.trend == Some(Part::Mul))
        && let Some(row) = y.iter().position(|v| *v <= 0.0)
    {
        return Err(FitError::Data(format!(
            "row {}: {} is not above 0, which parts that multiply need: take add, or a series of positive values",
            row + 1,
            y[row]
        )));
    }
    let Estimate {
        weights: w,
        searched: estimated,
        converged,
        ..
    } = estimate(form, y, given, None);
    let (fitted, state) = form.run(y, &w);
    let forecast = form.forecast(&state, &w, horizon);
    let residuals: Vec<f64> = y.iter().zip(&fitted).map(|(a, b)| a - b).collect();
    let sse = dot(&residuals, &residuals);
    finite(id, &forecast)?;
    finite(id, &[sse, state.level, state.trend])?;
    let n = y.len() as f64;
    let degrees = (n - estimated as f64).max(1.0);
    let unit = (sse / degrees).sqrt();
    let spread = form.spread(&state, &w, horizon, unit);
    let std: Vec<f64> = spread
        .iter()
        .map(|s| s.map_or(f64::NAN, |s| s * unit))
        .collect();
    let mut out = Outputs::new();
    put_forecast(&mut out, &forecast, &std, interval);
    out.insert("fitted".into(), run::numbers(&fitted));
    out.insert("residuals".into(), run::numbers(&residuals));
    out.insert("sse".into(), number(sse));
    out.insert("alpha".into(), number(w.alpha));
    // As statsmodels counts, which leaves out the weight of the season.
    let trended = usize::from(form.trend.is_some());
    let damped = usize::from(form.trend.is_some() && w.phi != 1.0);
    let k = (2 + 2 * trended + damped + form.seasonal.map_or(0, |_| form.period)) as f64;
    let fit = n * (sse / n).ln();
    out.insert("aic".into(), number(fit + 2.0 * k));
    out.insert("bic".into(), number(fit + k * n.ln()));
    let corrected = if n - k - 3.0 > 0.0 {
        fit + 2.0 * k + 2.0 * (k + 2.0) * (k + 3.0) / (n - k - 3.0)
    } else {
        f64::NAN
    };
    out.insert("aicc".into(), number(corrected));
    out.insert("level".into(), number(state.level));
    out.insert("converged".into(), Value::from(converged));
    Ok((out, w, state))
}

/// Weights and state that go on with a series.
struct Following {
    form: Form,
    weights: Weights,
    state: State,
    start: Vec<f64>,
    converged: bool,
}

impl Tracker for Following {
    fn update(&mut self, value: f64) {
        self.form.update(&mut self.state, &self.weights, value);
    }

    fn forecast(&self, steps: usize) -> f64 {
        let path = self.form.forecast(&self.state, &self.weights, steps);
        path.last().copied().unwrap_or(f64::NAN)
    }

    fn start(&self) -> Vec<f64> {
        self.start.clone()
    }

    fn warnings(&self) -> Vec<String> {
        unsettled(self.converged)
    }
}

/// What is said of a search for weights.
pub(crate) fn unsettled(converged: bool) -> Vec<String> {
    (!converged)
        .then(|| NO_MINIMUM.to_owned())
        .into_iter()
        .collect()
}

/// Fits, from where an earlier fit ended if that is given, to go on with the series.
///
/// # Errors
/// [`FitError::Data`] when rows are too few or, where parts multiply, not above 0.
pub(crate) fn track(
    id: &str,
    form: Form,
    y: &[f64],
    given: &Given,
    start: Option<&[f64]>,
) -> Result<Box<dyn Tracker>, FitError> {
    let need = match (form.seasonal, form.trend) {
        (Some(_), _) => 2 * form.period,
        (None, Some(_)) => 3,
        (None, None) => 2,
    };
    if y.len() < need {
        return Err(FitError::Data(format!(
            "the series has {} rows and {id} needs at least {need}: take a longer span",
            y.len()
        )));
    }
    let multiplies = form.seasonal == Some(Part::Mul) || form.trend == Some(Part::Mul);
    if multiplies && y.iter().any(|v| *v <= 0.0) {
        return Err(FitError::Data(format!(
            "{id}: parts that multiply need values above 0, and the series has others: take add"
        )));
    }
    let found = estimate(&form, y, given, start);
    let (_, state) = form.run(y, &found.weights);
    Ok(Box::new(Following {
        form,
        weights: found.weights,
        state,
        start: if found.searched > 1 {
            found.at
        } else {
            Vec::new()
        },
        converged: found.converged,
    }))
}

/// The outputs of [`analyse`], for cards.
pub(crate) const OUTPUTS: [(&str, &str); 13] = [
    ("forecast", "one value a step after the last row"),
    (
        "forecast_std",
        "standard deviation of each forecast error; null beyond 2000 steps where parts multiply",
    ),
    (
        "forecast_lower",
        "lower end of the interval of each forecast",
    ),
    ("forecast_upper", "upper end"),
    ("fitted", "one-step forecasts of the rows"),
    ("residuals", "rows less fitted"),
    ("sse", "sum of squared residuals"),
    ("alpha", "weight of the newest value in the level"),
    (
        "aic",
        "n ln(sse/n) + 2k, k = 2, 2 more with a trend, 1 with damping, a period with a season",
    ),
    ("bic", "n ln(sse/n) + k ln n"),
    (
        "aicc",
        "aic + 2(k+2)(k+3)/(n-k-3); null when rows are too few",
    ),
    ("level", "level after the last row"),
    (
        "converged",
        "whether the search for weights ended on a minimum",
    ),
];

/// [`OUTPUTS`], then others.
pub(crate) const fn with<const N: usize, const M: usize>(
    others: [(&'static str, &'static str); N],
) -> [(&'static str, &'static str); M] {
    let mut all = [("", ""); M];
    let mut i = 0;
    while i < M {
        all[i] = if i < 13 { OUTPUTS[i] } else { others[i - 13] };
        i += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_that_did_not_end_on_a_minimum_is_said_while_following() {
        let form = Form {
            trend: Some(Part::Add),
            seasonal: None,
            period: 1,
        };
        let following = |converged| {
            let weights = Weights {
                alpha: 0.5,
                beta: 0.1,
                gamma: 0.0,
                phi: 1.0,
            };
            let (_, state) = form.run(&[1.0, 2.0, 3.0], &weights);
            Following {
                form,
                weights,
                state,
                start: Vec::new(),
                converged,
            }
        };
        assert_eq!(following(false).warnings(), [NO_MINIMUM]);
        assert!(following(true).warnings().is_empty());
        // Weights that are given are not searched.
        let given = Given {
            alpha: Some(0.5),
            beta: Some(0.1),
            gamma: None,
            phi: Some(1.0),
        };
        let tracker = track("holt", form, &[1.0, 2.0, 4.0], &given, None).unwrap();
        assert!(tracker.warnings().is_empty());
    }
}
