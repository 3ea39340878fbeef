//! Unobserved components.
//!
//! What: a series is the sum of a level that wanders, its slope, a season, a cycle and noise, none of which is
//! seen; further columns may explain it too.
//! Formula: y = μ + γ + c + Xb + ε, each part with a variance of its own, by maximum likelihood.
//! Data: one series; further columns are exogenous and need the rows to come (`holdout`).
//! Cost: O(steps · n · k · entries of T).
//! Fails when: parts explain the same, so that variances are not told apart.
//! Source: Harvey (1989); Durbin & Koopman (2012).
//! Not claimed: that the parts exist.

use super::arima_run::prepare;
use super::arma::Orders;
use super::dates;
use super::engine::{
    differences, finite, least_squares, ljung_box, mean, mean_square, number, put_criteria,
    put_forecast, refused,
};
use super::state_space::{Filtered, Model};
use crate::optimize::{self, Found, Limits};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, choices, params, run,
};
use mltrainer_types::catalogue::Task;
use serde_json::{Map, Value};

/// The handle.
pub struct UnobservedComponents;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<UnobservedComponents>();

choices! {
    /// Level, slope and noise.
    pub enum Trend {
        /// Noise alone: for a season or cycle without a level.
        Irregular = "irregular",
        /// A fixed level and noise.
        DeterministicConstant = "deterministic_constant",
        /// A level that wanders, and noise.
        LocalLevel = "local_level",
        /// A level that wanders, without noise.
        RandomWalk = "random_walk",
        /// A straight line and noise.
        DeterministicTrend = "deterministic_trend",
        /// A level that wanders along a fixed slope, and noise.
        LocalLinearDeterministicTrend = "local_linear_deterministic_trend",
        /// The same without noise.
        RandomWalkWithDrift = "random_walk_with_drift",
        /// Level and slope wander, and noise.
        LocalLinearTrend = "local_linear_trend",
        /// The slope wanders, the level follows it, and noise.
        SmoothTrend = "smooth_trend",
        /// The same without noise.
        RandomTrend = "random_trend",
    }
}

params! {
    /// Parameters of unobserved components.
    pub struct UnobservedComponentsParams {
        /// Level, slope and noise.
        model: Trend = Trend::LocalLevel;
        /// Rows of a season; none is no season.
        seasonal: Option<usize> = None, within(2.0, 400.0);
        /// Whether the season's factors change.
        stochastic_seasonal: bool = true;
        /// Whether there is a cycle.
        cycle: bool = false;
        /// Whether the cycle's amplitude and phase change.
        stochastic_cycle: bool = true;
        /// Whether the cycle dies down.
        damped_cycle: bool = true;
        /// Shortest cycle that is searched, in rows.
        cycle_shortest: f64 = 4.0, within(2.0, 100_000.0);
        /// Longest cycle that is searched, in rows; none is half the series.
        cycle_longest: Option<f64> = None, within(2.0, 1_000_000.0);
        /// Share of the intervals outside their ends.
        alpha: f64 = 0.05, inside(0.0, 1.0);
        /// Last rows that are not learned from: the forecast starts before them. Exogenous columns take their values to come from these rows.
        holdout: usize = 0, within(0.0, 1_000_000.0);
    }
}

const CARD: Card = Card {
    id: "unobserved_components",
    family: "time_series",
    title: "Structural state space",
    tasks: &[Task::Forecasting],
    inputs: Inputs::Series,
    summary: "A series is the sum of parts that are not seen: a level, its slope, a season, a cycle, noise. The variances of the parts are found by maximum likelihood, the parts by the Kalman filter and smoother with an exact diffuse start.",
    formula: "y(t) = μ(t) + γ(t) + c(t) + Xb + ε(t); μ(t+1) = μ(t) + ν(t) + η(t), ν(t+1) = ν(t) + ζ(t); γ(t+1) = -Σ γ(t+1-j) over the season + ω(t); (c, c*) turned by λ and damped by ρ, + κ. ln L = -½ Σ (ln 2πF(t) + v(t)²/F(t)) over the rows after those that settle the diffuse start; criteria count the estimated numbers; b by generalised least squares",
    data: "One series of levels. Further columns, named after it, are exogenous: the rows held out hold their values to come.",
    cost: "O(starts · steps · parameters · n · k · entries of T), k states",
    fails_when: "Parts explain the same (a cycle and a slope, say): then a variance is near 0, or the search does not converge, which is said.",
    not_claimed: "That the parts exist. Intervals leave out the uncertainty of the variances.",
    source: "A. C. Harvey, Forecasting, Structural Time Series Models and the Kalman Filter (1989); J. Durbin, S. J. Koopman, Time Series Analysis by State Space Methods, 2nd ed. (2012), chapter 5",
    reference: "statsmodels 0.15.0, tsa.UnobservedComponents; its start is diffuse approximately, here exactly",
    outputs: &[
        ("forecast", "one value a step after the last row"),
        ("forecast_std", "standard deviation of each forecast error"),
        (
            "forecast_lower",
            "lower end of the interval of each forecast",
        ),
        ("forecast_upper", "upper end"),
        (
            "fitted",
            "one-step forecasts of the rows; null while the diffuse start settles",
        ),
        ("residuals", "rows less fitted; null likewise"),
        (
            "filtered_level",
            "level given the rows up to each; null without a level",
        ),
        ("filtered_variance", "its variance"),
        (
            "smoothed_level",
            "level given all rows; null without a level",
        ),
        (
            "filtered_trend",
            "slope given the rows up to each; null without a slope",
        ),
        (
            "smoothed_trend",
            "slope given all rows; null without a slope",
        ),
        (
            "smoothed_seasonal",
            "season given all rows; null without one",
        ),
        ("smoothed_cycle", "cycle given all rows; null without one"),
        ("observation_variance", "variance of the noise"),
        ("level_variance", "variance of the level's steps"),
        (
            "trend_variance",
            "variance of the slope's steps; null without a slope",
        ),
        (
            "seasonal_variance",
            "variance of the season's changes; null without a season",
        ),
        (
            "cycle_variance",
            "variance of the cycle's shocks; null without a cycle",
        ),
        ("cycle_period", "rows of the cycle; null without one"),
        ("cycle_damping", "ρ; null without a cycle"),
        ("exogenous", "by name: coefficient of each further column"),
        (
            "log_likelihood",
            "of the rows after those that settle the start",
        ),
        ("aic", "Akaike's criterion"),
        (
            "aicc",
            "the same, corrected for few rows; null when rows are fewer than estimates",
        ),
        ("bic", "the Bayesian criterion"),
        ("hqic", "the criterion of Hannan and Quinn"),
        (
            "ljung_box",
            "test of the residuals: lags, degrees_of_freedom, statistic, p_value",
        ),
        ("converged", "whether the search ended on a maximum"),
        ("n_obs", "rows that are counted"),
        (
            "gaps",
            "where dates leave rows out: after, before, days; null without dates",
        ),
        ("warnings", "what to know of this fit, in words"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "statsmodels 0.15.0, UnobservedComponents(...).fit(), best of four optimisers",
        cases: "unobserved-llevel-volume, unobserved-lltrend-log-cons; unit tests with a season",
        tolerance: "log likelihood 0.1%, variances 3% + 2%",
    }],
    presets: &[],
    exemptions: &[],
};

/// Where the parts stand in the state, and which numbers are searched.
struct Layout {
    level: Option<usize>,
    slope: Option<usize>,
    season: Option<(usize, usize)>,
    cycle: Option<usize>,
    size: usize,
    /// Variances that are searched: noise, level, slope, season, cycle.
    free: [bool; 5],
    damped: bool,
    /// Bounds of the cycle's frequency.
    frequency: (f64, f64),
}

impl Layout {
    fn new(p: &UnobservedComponentsParams, rows: usize) -> Result<Self, FitError> {
        use Trend as T;
        let (level, slope) = match p.model {
            T::Irregular => (false, false),
            T::DeterministicConstant | T::LocalLevel | T::RandomWalk => (true, false),
            _ => (true, true),
        };
        let noise = !matches!(
            p.model,
            T::RandomWalk | T::RandomWalkWithDrift | T::RandomTrend
        );
        let level_moves = matches!(
            p.model,
            T::LocalLevel
                | T::RandomWalk
                | T::LocalLinearDeterministicTrend
                | T::RandomWalkWithDrift
                | T::LocalLinearTrend
        );
        let slope_moves = matches!(
            p.model,
            T::LocalLinearTrend | T::SmoothTrend | T::RandomTrend
        );
        let longest = p.cycle_longest.unwrap_or(rows as f64 / 2.0);
        if p.cycle && longest <= p.cycle_shortest {
            return Err(refused(
                "cycle_longest",
                format!(
                    "{longest} rows are not more than the shortest cycle of {}",
                    p.cycle_shortest
                ),
            ));
        }
        let mut size = 0;
        let mut take = |wanted: bool, states: usize| {
            let at = size;
            size += if wanted { states } else { 0 };
            wanted.then_some(at)
        };
        let level = take(level, 1);
        let slope = take(slope, 1);
        let season = p
            .seasonal
            .and_then(|s| take(true, s - 1).map(|at| (at, s - 1)));
        let cycle = take(p.cycle, 2);
        if size == 0 {
            return Err(refused(
                "model",
                "irregular alone has nothing to forecast: set seasonal or cycle, or another model",
            ));
        }
        Ok(Self {
            level,
            slope,
            season,
            cycle,
            size,
            free: [
                noise,
                level_moves,
                slope_moves,
                season.is_some() && p.stochastic_seasonal,
                cycle.is_some() && p.stochastic_cycle,
            ],
            damped: cycle.is_some() && p.damped_cycle,
            frequency: (
                std::f64::consts::TAU / longest,
                std::f64::consts::TAU / p.cycle_shortest,
            ),
        })
    }

    /// Numbers that are searched: square roots of variances, then frequency and damping of a cycle.
    fn count(&self) -> usize {
        self.free.iter().filter(|f| **f).count()
            + usize::from(self.cycle.is_some())
            + usize::from(self.damped)
    }

    /// Variances, frequency, damping.
    fn numbers(&self, at: &[f64]) -> ([f64; 5], f64, f64) {
        let mut next = at.iter().copied();
        let mut variance = [0.0; 5];
        for (v, free) in variance.iter_mut().zip(self.free) {
            if free {
                *v = next.next().unwrap_or_default().powi(2);
            }
        }
        let (low, high) = self.frequency;
        let frequency = if self.cycle.is_some() {
            low + (high - low) * crate::numeric::sigmoid(next.next().unwrap_or_default())
        } else {
            0.0
        };
        let damping = if self.damped {
            crate::numeric::sigmoid(next.next().unwrap_or_default())
        } else {
            1.0
        };
        (variance, frequency, damping)
    }

    fn model(&self, at: &[f64]) -> Model {
        let (variance, frequency, damping) = self.numbers(at);
        let mut model = Model {
            observe: vec![0.0; self.size],
            transition: Vec::new(),
            noise: vec![0.0; self.size],
            observation: variance[0],
        };
        if let Some(i) = self.level {
            model.observe[i] = 1.0;
            model.transition.push((i, i, 1.0));
            model.noise[i] = variance[1];
        }
        if let (Some(i), Some(level)) = (self.slope, self.level) {
            model.transition.push((level, i, 1.0));
            model.transition.push((i, i, 1.0));
            model.noise[i] = variance[2];
        }
        if let Some((i, states)) = self.season {
            model.observe[i] = 1.0;
            for j in 0..states {
                model.transition.push((i, i + j, -1.0));
                if j > 0 {
                    model.transition.push((i + j, i + j - 1, 1.0));
                }
            }
            model.noise[i] = variance[3];
        }
        if let Some(i) = self.cycle {
            model.observe[i] = 1.0;
            let (sin, cos) = frequency.sin_cos();
            for (a, b, v) in [(0, 0, cos), (0, 1, sin), (1, 0, -sin), (1, 1, cos)] {
                model.transition.push((i + a, i + b, damping * v));
            }
            model.noise[i] = variance[4];
            model.noise[i + 1] = variance[4];
        }
        model
    }
}

/// Log likelihood and coefficients of the columns.
fn likelihood(model: &Model, y: &[f64], x: &[Vec<f64>]) -> Option<(f64, Vec<f64>)> {
    let mut all: Vec<&[f64]> = vec![y];
    all.extend(x.iter().map(Vec::as_slice));
    let filtered = model.filter(&all, false);
    let rows: Vec<usize> = (0..y.len()).filter(|t| !filtered.settling[*t]).collect();
    let standard = |series: &[f64]| -> Vec<f64> {
        rows.iter()
            .map(|t| series[*t] / filtered.variance[*t].sqrt())
            .collect()
    };
    let errors = standard(&filtered.innovations[0]);
    let columns: Vec<Vec<f64>> = filtered.innovations[1..]
        .iter()
        .map(|c| standard(c))
        .collect();
    let fit = least_squares(&columns, &errors).ok()?;
    let log_det: f64 = rows.iter().map(|t| filtered.variance[*t].ln()).sum();
    let squares: f64 = fit.residuals.iter().map(|e| e * e).sum();
    let value = -0.5 * (rows.len() as f64 * std::f64::consts::TAU.ln() + log_det + squares);
    value.is_finite().then_some((value, fit.beta))
}

impl Analysis for UnobservedComponents {
    type Params = UnobservedComponentsParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (1, usize::MAX);

    fn analyse(
        params: &UnobservedComponentsParams,
        data: &SeriesTable,
        ask: Ask,
    ) -> Result<Outputs, FitError> {
        let none = Orders {
            p: 0,
            d: 0,
            q: 0,
            sp: 0,
            sd: 0,
            sq: 0,
            s: 1,
        };
        let prepared = prepare(
            CARD.id,
            data,
            &none,
            Some(super::arima_run::Trend::None),
            params.holdout,
            ask.horizon,
        )?;
        let y = &prepared.y;
        let n = y.len();
        let layout = Layout::new(params, n)?;
        let need = layout.size + layout.count() + prepared.columns.len() + 2;
        if n < need {
            return Err(FitError::Data(format!(
                "the series has {n} rows and these parts need at least {need}: take a longer span or fewer parts"
            )));
        }
        // In units of the usual step, so that variances are near 1.
        let steps = differences(y, 1, 1);
        let unit = (mean_square(&steps) - mean(&steps).powi(2))
            .sqrt()
            .max(1e-9 * mean_square(&steps).sqrt());
        if !unit.is_finite() || unit < 1e-150 {
            return Err(FitError::Data(
                "the steps of the series are too large or too small to be squared: rescale it"
                    .into(),
            ));
        }
        // Without a level nothing takes up a shift.
        let base = if layout.level.is_some() { y[0] } else { 0.0 };
        let scaled: Vec<f64> = y.iter().map(|v| (v - base) / unit).collect();
        let x: Vec<Vec<f64>> = prepared.known().into_iter().map(|(_, c)| c).collect();
        let mut value = |at: &[f64]| {
            likelihood(&layout.model(at), &scaled, &x).map_or(f64::INFINITY, |(v, _)| -v)
        };
        let found = search(&layout, &mut value);
        let model = layout.model(&found.at);
        let Some((log_likelihood, beta)) = likelihood(&model, &scaled, &x) else {
            return Err(FitError::Failed(
                "no variances with a finite likelihood were found: the series follows the parts exactly, a column repeats one of them, or parts explain the same".into(),
            ));
        };
        // Back to the units of the series.
        let mut known = scaled.clone();
        for (column, b) in x.iter().zip(&beta) {
            crate::numeric::add_scaled(&mut known, -b, column);
        }
        let filtered = model.filter(&[&known], true);
        let smooth = model.smooth(&filtered);
        let (mut forecast, variance) = model.forecast(&filtered, ask.horizon);
        for (h, f) in forecast.iter_mut().enumerate() {
            let columns = prepared.columns.iter().zip(&beta);
            *f += columns.map(|((_, c), b)| b * c[n + h]).sum::<f64>();
            *f = *f * unit + base;
        }
        finite(CARD.id, &forecast)?;
        let std: Vec<f64> = variance.iter().map(|v| v.sqrt() * unit).collect();
        let settled = filtered.settling.iter().filter(|s| !**s).count();
        let log_likelihood = log_likelihood - settled as f64 * unit.ln();
        let mut out = Outputs::new();
        put_forecast(&mut out, &forecast, &std, params.alpha);
        put_rows(&mut out, &layout, &filtered, &smooth, y, (base, unit));
        let (variances, frequency, damping) = layout.numbers(&found.at);
        let only = |there: bool, v: f64| number(if there { v } else { f64::NAN });
        let square = unit * unit;
        out.insert("observation_variance".into(), number(variances[0] * square));
        out.insert("level_variance".into(), number(variances[1] * square));
        let parts = [
            (
                "trend_variance",
                layout.slope.is_some(),
                variances[2] * square,
            ),
            (
                "seasonal_variance",
                layout.season.is_some(),
                variances[3] * square,
            ),
            (
                "cycle_variance",
                layout.cycle.is_some(),
                variances[4] * square,
            ),
            (
                "cycle_period",
                layout.cycle.is_some(),
                std::f64::consts::TAU / frequency,
            ),
            ("cycle_damping", layout.cycle.is_some(), damping),
        ];
        for (name, there, v) in parts {
            out.insert(name.into(), only(there, v));
        }
        let exogenous: Map<String, Value> = prepared
            .columns
            .iter()
            .zip(&beta)
            .map(|((name, _), b)| (name.clone(), number(b * unit)))
            .collect();
        out.insert("exogenous".into(), Value::Object(exogenous));
        put_criteria(
            &mut out,
            log_likelihood,
            layout.count() + beta.len(),
            settled,
        );
        let standard: Vec<f64> = (0..n)
            .filter(|t| !filtered.settling[*t])
            .map(|t| filtered.innovations[0][t] / filtered.variance[t].sqrt())
            .collect();
        out.insert(
            "ljung_box".into(),
            ljung_box(&standard, layout.count().saturating_sub(1)),
        );
        out.insert("converged".into(), found.converged.into());
        out.insert("n_obs".into(), settled.into());
        out.insert("gaps".into(), dates::gaps(data));
        let mut warnings = Vec::new();
        if !found.converged {
            warnings.push("the search ended without a maximum of the likelihood: the estimates are the best that were met");
        }
        let small = variances
            .iter()
            .zip(layout.free)
            .any(|(v, free)| free && *v < 1e-8);
        if small {
            warnings.push("a variance is estimated as 0: that part does not change, its standard error does not exist");
        }
        out.insert("warnings".into(), Value::from(warnings));
        Ok(out)
    }
}

fn put_rows(
    out: &mut Outputs,
    layout: &Layout,
    filtered: &Filtered,
    smooth: &[Vec<f64>],
    y: &[f64],
    (base, unit): (f64, f64),
) {
    let n = y.len();
    let (fitted, residuals): (Vec<f64>, Vec<f64>) = (0..n)
        .map(|t| {
            if filtered.settling[t] {
                (f64::NAN, f64::NAN)
            } else {
                let error = filtered.innovations[0][t] * unit;
                (y[t] - error, error)
            }
        })
        .unzip();
    out.insert("fitted".into(), run::numbers(&fitted));
    out.insert("residuals".into(), run::numbers(&residuals));
    let column = |states: &[Vec<f64>], at: Option<usize>, base: f64, unit: f64| match at {
        None => Value::Null,
        Some(i) => {
            let values: Vec<f64> = states.iter().map(|s| base + unit * s[i]).collect();
            run::numbers(&values)
        }
    };
    let season = layout.season.map(|(at, _)| at);
    let all = [
        (
            "filtered_level",
            column(&filtered.filtered, layout.level, base, unit),
        ),
        (
            "filtered_variance",
            column(&filtered.filtered_variance, layout.level, 0.0, unit * unit),
        ),
        ("smoothed_level", column(smooth, layout.level, base, unit)),
        (
            "filtered_trend",
            column(&filtered.filtered, layout.slope, 0.0, unit),
        ),
        ("smoothed_trend", column(smooth, layout.slope, 0.0, unit)),
        ("smoothed_seasonal", column(smooth, season, 0.0, unit)),
        ("smoothed_cycle", column(smooth, layout.cycle, 0.0, unit)),
    ];
    for (name, value) in all {
        out.insert(name.into(), value);
    }
}

/// The best end of several starts: shares of the usual step for noise, level, slope, season and cycle.
fn search(layout: &Layout, value: &mut impl FnMut(&[f64]) -> f64) -> Found {
    const STARTS: [[f64; 5]; 4] = [
        [0.5, 0.5, 0.1, 0.1, 0.3],
        [0.7, 0.1, 0.02, 0.05, 0.1],
        [0.1, 0.9, 0.05, 0.1, 0.2],
        [0.3, 0.2, 0.5, 0.3, 0.5],
    ];
    let limits = Limits {
        steps: 500,
        gradient: 1e-7,
        gain: 1e-12,
    };
    let frequencies: &[f64] = if layout.cycle.is_some() {
        &[-4.0, -2.5, -1.0, 1.0]
    } else {
        &[0.0]
    };
    let mut ranked: Vec<(f64, Vec<f64>)> = Vec::new();
    for start in STARTS {
        for frequency in frequencies {
            let pairs = start.iter().zip(layout.free);
            let mut at: Vec<f64> = pairs.filter(|(_, free)| *free).map(|(v, _)| *v).collect();
            if layout.cycle.is_some() {
                at.push(*frequency);
            }
            if layout.damped {
                at.push(2.0);
            }
            ranked.push((value(&at), at));
        }
    }
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    ranked.dedup_by(|a, b| a.1 == b.1);
    let mut best: Option<Found> = None;
    for (_, at) in ranked
        .into_iter()
        .take(if layout.cycle.is_some() { 3 } else { 2 })
    {
        let found = optimize::bfgs(&mut *value, &at, &limits);
        best = Some(match best {
            None => found,
            Some(b) => b.or_lower(found),
        });
    }
    let best = best.unwrap_or(Found {
        at: Vec::new(),
        value: f64::INFINITY,
        steps: 0,
        converged: false,
    });
    if best.at.is_empty() || !best.value.is_finite() {
        return best;
    }
    // A variance of 0 is a flat place for the slope: the simplex steps off it.
    let coarse = Limits {
        steps: 60 * best.at.len(),
        gradient: 1e-8,
        gain: 1e-9,
    };
    let again = optimize::nelder_mead(&mut *value, &best.at, &vec![0.05; best.at.len()], &coarse);
    let gain = best.value - again.value;
    if gain > 1e-9 * best.value.abs().max(1.0) {
        let polished = optimize::bfgs(&mut *value, &again.at, &limits);
        return again.or_lower(polished);
    }
    Found {
        converged: best.converged || again.converged,
        ..best.or_lower(again)
    }
}
