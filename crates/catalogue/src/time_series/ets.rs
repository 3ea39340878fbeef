//! ETS: exponential smoothing as state space.
//!
//! What: every combination of an error, a trend and a season, each added or multiplied, with the trend damped
//! or not, as a model with a likelihood; the combination may be chosen by a criterion.
//! Formula: y(t) = ŷ(t) + e(t) or ŷ(t)(1 + e(t)); level, trend and season are corrected by shares of the error.
//! Data: one series; positive values where a part multiplies.
//! Cost: O(steps · parameters · n) a combination.
//! Fails when: seasons are few for their factors, or values come near 0 where parts multiply.
//! Source: Hyndman, Koehler, Ord & Snyder (2008).
//! Not claimed: that the chosen combination is the true one.

use super::dates;
use super::engine::{
    NO_MAXIMUM, checked, finite, least_squares, ljung_box, mean_square, normal_quantile, number,
    put_criteria, reachable, refused,
};
use super::smoothing::{Part, State};
use crate::numeric::{normal, sigmoid};
use crate::optimize::{self, Found, Limits};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::effective_seed;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, Track, Tracker, choices,
    params, run,
};
use mltrainer_types::catalogue::Task;
use rand::SeedableRng as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::{Value, json};

/// The handle.
pub struct Ets;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<Ets>().with_tracking::<Ets>();

choices! {
    /// The error.
    pub enum Error {
        /// It is added.
        Add = "add",
        /// It multiplies.
        Mul = "mul",
        /// The criterion decides.
        Auto = "auto",
    }
}

choices! {
    /// A trend or a season.
    pub enum Component {
        /// There is none.
        None = "none",
        /// It is added.
        Add = "add",
        /// It multiplies.
        Mul = "mul",
        /// The criterion decides.
        Auto = "auto",
    }
}

choices! {
    /// What decides.
    pub enum Criterion {
        /// Akaike's, corrected for few rows.
        Aicc = "aicc",
        /// Akaike's.
        Aic = "aic",
        /// The Bayesian one.
        Bic = "bic",
    }
}

params! {
    /// Parameters of an ETS model.
    pub struct EtsParams {
        /// How the error enters.
        error: Error = Error::Add;
        /// The trend; auto does not try one that multiplies.
        trend: Component = Component::None;
        /// Whether the trend dies down; with trend auto both are tried where it is true.
        damped_trend: bool = false;
        /// The season.
        seasonal: Component = Component::None;
        /// Rows of a season; none takes it from the dates: 12 for months, 4 for quarters, 52 for weeks, 5 for working days, 7 for days.
        period: Option<usize> = None, within(2.0, 400.0);
        /// What decides where something is auto.
        information_criterion: Criterion = Criterion::Aicc;
        /// Share of the intervals outside their ends.
        interval_alpha: f64 = 0.05, inside(0.0, 1.0);
        /// Simulated paths behind the intervals where a part multiplies.
        n_simulations: usize = 2000, within(100.0, 100_000.0);
        /// Seed of the simulation; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "ets",
    family: "time_series",
    title: "ETS (error, trend, season)",
    tasks: &[Task::Forecasting],
    inputs: Inputs::Series,
    summary: "Exponential smoothing as a model with a likelihood, in every combination of error, trend and season added or multiplied, the trend damped or not. Weights and starting values by maximum likelihood; auto tries combinations and keeps the best by a criterion.",
    formula: "q = l + φb (l bᵠ), ŷ = q + s (q s); e = y - ŷ; l' = q + α e (α e/s where the season multiplies), b' = φb + β e (bᵠ + β e/l; e/s likewise), s' = s + γ e (s + γ e/q). ln L = -n/2 (ln 2πσ² + 1) - Σ ln ŷ(t) for errors that multiply, σ² the mean square of e (of e/ŷ). 0 < α < 1, β < α, γ < 1 - α, 0.8 < φ < 0.98. Criteria count weights, all starting values and σ²",
    data: "One series; positive values where a part multiplies; two seasons at least.",
    cost: "O(steps · parameters · n) a combination; auto tries up to 24",
    fails_when: "Seasons are few for their factors; values near 0 where parts multiply; a trend that multiplies runs away at long horizons.",
    not_claimed: "That the combination is the true one. Intervals leave out the uncertainty of the estimates.",
    source: "R. J. Hyndman, A. B. Koehler, J. K. Ord, R. D. Snyder, Forecasting with Exponential Smoothing (2008)",
    reference: "statsmodels 0.15.0, tsa.exponential_smoothing.ets.ETSModel; auto as ets of R's forecast with its restrictions",
    outputs: &[
        (
            "forecast",
            "one value a step after the last row, errors to come being 0",
        ),
        ("forecast_std", "standard deviation of each forecast error"),
        (
            "forecast_lower",
            "lower end of the interval of each forecast",
        ),
        ("forecast_upper", "upper end"),
        ("fitted", "one-step forecasts of the rows"),
        (
            "residuals",
            "rows less fitted; their shares of fitted where the error multiplies",
        ),
        (
            "model",
            "error, trend and season: A added, M multiplied, N none, Ad or Md damped",
        ),
        ("alpha", "weight of the error in the level"),
        ("beta", "weight of the error in the trend; null without one"),
        (
            "gamma",
            "weight of the error in the season; null without one",
        ),
        ("phi", "damping; null without it"),
        ("initial_level", "level before the first row"),
        (
            "initial_trend",
            "trend before the first row; null without one",
        ),
        (
            "initial_season",
            "factors before the first row, that of row 1 first; empty without a season",
        ),
        ("level", "level after the last row"),
        ("trend", "trend after the last row; null without one"),
        (
            "season",
            "latest factors, that of the next row first; empty without a season",
        ),
        ("sigma2", "mean square of the residuals"),
        ("log_likelihood", "at the maximum"),
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
        (
            "tried",
            "each combination with its criterion, in the order in which they were tried; null for one that could not be fitted",
        ),
        ("converged", "whether the search ended on a maximum"),
        (
            "gaps",
            "where dates leave rows out: after, before, days; null without dates",
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "statsmodels 0.15.0, ETSModel(...).fit()",
        cases: "unit tests: AAN, AAdN, MNN on macro data, AAA, MAM on CO2",
        tolerance: "log likelihood at least that of the library, less 0.05",
    }],
    presets: &[],
    exemptions: &[],
};

/// A combination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Form {
    multiply: bool,
    trend: Option<Part>,
    damped: bool,
    seasonal: Option<Part>,
    period: usize,
}

#[derive(Debug, Clone, Copy)]
struct Weights {
    alpha: f64,
    beta: f64,
    gamma: f64,
    phi: f64,
}

impl Form {
    fn label(&self) -> String {
        let part = |p: Option<Part>| match p {
            None => "N",
            Some(Part::Add) => "A",
            Some(Part::Mul) => "M",
        };
        let error = if self.multiply { "M" } else { "A" };
        let damped = if self.damped { "d" } else { "" };
        format!(
            "{error},{}{damped},{}",
            part(self.trend),
            part(self.seasonal)
        )
    }

    /// Weights, starting values with every factor of a season, and σ².
    fn counted(&self) -> usize {
        let (trend, season) = (
            usize::from(self.trend.is_some()),
            usize::from(self.seasonal.is_some()),
        );
        2 + 2 * trend + usize::from(self.damped) + season * (1 + self.period) + 1
    }

    fn linear(&self) -> bool {
        !self.multiply && self.trend != Some(Part::Mul) && self.seasonal != Some(Part::Mul)
    }

    fn moved(&self, s: &State, phi: f64) -> f64 {
        match self.trend {
            None => s.level,
            Some(Part::Add) => s.level + phi * s.trend,
            Some(Part::Mul) => s.level * s.trend.powf(phi),
        }
    }

    fn next(&self, s: &State, w: &Weights) -> f64 {
        let moved = self.moved(s, w.phi);
        match self.seasonal {
            None => moved,
            Some(Part::Add) => moved + s.season[s.place],
            Some(Part::Mul) => moved * s.season[s.place],
        }
    }

    /// Moves on with an error in the units of the series.
    fn update(&self, s: &mut State, w: &Weights, error: f64) {
        let moved = self.moved(s, w.phi);
        let own = match self.seasonal {
            Some(Part::Mul) => error / s.season[s.place],
            _ => error,
        };
        s.trend = match self.trend {
            None => 0.0,
            Some(Part::Add) => w.phi * s.trend + w.beta * own,
            Some(Part::Mul) => s.trend.powf(w.phi) + w.beta * own / s.level,
        };
        s.level = moved + w.alpha * own;
        if let Some(part) = self.seasonal {
            let share = if part == Part::Mul {
                error / moved
            } else {
                error
            };
            s.season[s.place] += w.gamma * share;
            s.place = (s.place + 1) % self.period;
        }
    }

    /// One-step forecasts; none as soon as one is not positive where that is needed.
    fn run(&self, y: &[f64], start: &State, w: &Weights) -> Option<(Vec<f64>, State)> {
        let mut state = start.clone();
        let mut fitted = Vec::with_capacity(y.len());
        for v in y {
            let forecast = self.next(&state, w);
            if !forecast.is_finite() || (self.multiply && forecast <= 0.0) {
                return None;
            }
            fitted.push(forecast);
            self.update(&mut state, w, v - forecast);
        }
        Some((fitted, state))
    }

    fn log_likelihood(&self, y: &[f64], fitted: &[f64]) -> f64 {
        let n = y.len() as f64;
        let (mut squares, mut logs) = (0.0, 0.0);
        for (v, f) in y.iter().zip(fitted) {
            let e = if self.multiply { (v - f) / f } else { v - f };
            squares += e * e;
            if self.multiply {
                logs += f.ln();
            }
        }
        -0.5 * n * ((std::f64::consts::TAU * squares / n).ln() + 1.0) - logs
    }

    /// Level, trend and factors from the first rows.
    fn start(&self, y: &[f64]) -> State {
        let m = self.period;
        if let Some(part) = self.seasonal {
            let level = y[..m].iter().sum::<f64>() / m as f64;
            let second = y[m..2 * m].iter().sum::<f64>() / m as f64;
            let (trend, rise) = match self.trend {
                None => (0.0, 0.0),
                Some(Part::Add) => ((second - level) / m as f64, (second - level) / m as f64),
                Some(Part::Mul) => {
                    let ratio = (second / level).powf(1.0 / m as f64);
                    (ratio, (second - level) / m as f64)
                }
            };
            let line = |i: usize| level + rise * (i as f64 - (m as f64 - 1.0) / 2.0);
            let season: Vec<f64> = (0..m)
                .map(|i| match part {
                    Part::Add => y[i] - line(i),
                    Part::Mul => y[i] / line(i),
                })
                .collect();
            State {
                level: line(0) - rise,
                trend,
                season,
                place: 0,
            }
        } else {
            let rows = y.len().min(10);
            let line = [vec![1.0; rows], (1..=rows).map(|t| t as f64).collect()];
            let beta = least_squares(&line, &y[..rows]).map_or(vec![y[0], 0.0], |f| f.beta);
            let (level, trend) = match self.trend {
                None => (y[..rows].iter().sum::<f64>() / rows as f64, 0.0),
                Some(Part::Add) => (beta[0], beta[1]),
                Some(Part::Mul) => {
                    let level = if beta[0] > 0.0 { beta[0] } else { y[0] };
                    (level, (1.0 + beta[1] / level).max(0.1))
                }
            };
            State {
                level,
                trend,
                season: Vec::new(),
                place: 0,
            }
        }
    }

    /// The numbers that are searched to weights and starting values.
    fn unpack(&self, at: &[f64], base: &State, unit: f64) -> (Weights, State) {
        let mut next = at.iter().copied();
        let mut take = || next.next().unwrap_or_default();
        let inside = |u: f64, low: f64, high: f64| low + (high - low) * sigmoid(u);
        let alpha = inside(take(), 1e-4, 1.0 - 1e-4);
        let beta = if self.trend.is_some() {
            alpha * inside(take(), 1e-4, 1.0 - 1e-4)
        } else {
            0.0
        };
        let gamma = if self.seasonal.is_some() {
            (1.0 - alpha) * inside(take(), 1e-4, 1.0 - 1e-4)
        } else {
            0.0
        };
        let phi = if self.damped {
            inside(take(), 0.8, 0.98)
        } else {
            1.0
        };
        let mut state = base.clone();
        state.level += unit * take();
        match self.trend {
            None => {}
            Some(Part::Add) => state.trend += 0.1 * unit * take(),
            Some(Part::Mul) => {
                state.trend *= (0.1 * unit / base.level.abs().max(unit) * take()).exp()
            }
        }
        // The last factor stays: a shift of all is one of the level.
        let count = state.season.len().saturating_sub(1);
        for s in state.season.iter_mut().take(count) {
            match self.seasonal {
                Some(Part::Mul) => *s *= (unit / base.level.abs().max(unit) * take()).exp(),
                _ => *s += unit * take(),
            }
        }
        (
            Weights {
                alpha,
                beta,
                gamma,
                phi,
            },
            state,
        )
    }

    fn searched(&self) -> usize {
        // Without σ² and the factor that stays.
        self.counted() - 1 - usize::from(self.seasonal.is_some())
    }
}

/// A fitted combination.
struct Fit {
    form: Form,
    weights: Weights,
    start: State,
    end: State,
    fitted: Vec<f64>,
    log_likelihood: f64,
    converged: bool,
    /// Where the search ended.
    at: Vec<f64>,
}

/// `from` is where an earlier search of the same form ended: one search from there is taken when it ends on a
/// maximum above every start of the search without it.
fn fit(form: Form, y: &[f64], from: Option<&[f64]>) -> Option<Fit> {
    let base = form.start(y);
    let steps: Vec<f64> = y.windows(2).map(|w| w[1] - w[0]).collect();
    let unit = mean_square(&steps).sqrt();
    let mut value = |at: &[f64]| {
        let (w, state) = form.unpack(at, &base, unit);
        form.run(y, &state, &w)
            .map_or(f64::INFINITY, |(fitted, _)| {
                -form.log_likelihood(y, &fitted)
            })
    };
    let inverse = |p: f64| (p / (1.0 - p)).ln();
    let mut starts: Vec<(f64, Vec<f64>)> = Vec::new();
    for (alpha, beta, gamma) in [
        (0.1, 0.1, 0.1),
        (0.3, 0.05, 0.3),
        (0.6, 0.1, 0.2),
        (0.9, 0.05, 0.5),
        (0.5, 0.5, 0.2),
        (0.95, 0.9, 0.1),
    ] {
        let mut at = vec![inverse(alpha)];
        if form.trend.is_some() {
            at.push(inverse(beta));
        }
        if form.seasonal.is_some() {
            at.push(inverse(gamma));
        }
        if form.damped {
            at.push(1.5);
        }
        at.resize(form.searched(), 0.0);
        starts.push((value(&at), at));
    }
    starts.sort_by(|a, b| a.0.total_cmp(&b.0));
    let limits = Limits {
        steps: 400,
        gradient: 1e-6,
        gain: 1e-11,
    };
    let weights = 1 + [form.trend.is_some(), form.seasonal.is_some(), form.damped]
        .map(usize::from)
        .iter()
        .sum::<usize>();
    // Where a weight stands on its bound the slope has faded out: it is lifted off it.
    let lifted = |at: &[f64], to: f64| -> Vec<f64> {
        let each = at.iter().enumerate();
        each.map(|(i, v)| if i < weights { v.clamp(-to, to) } else { *v })
            .collect()
    };
    let warm = from
        .filter(|at| at.len() == form.searched() && at.iter().all(|v| v.is_finite()))
        .map(|at| optimize::bfgs(&mut value, &lifted(at, 4.0), &limits))
        .filter(|found| {
            let least = starts.first().map_or(f64::INFINITY, |(v, _)| *v);
            found.converged && found.value.is_finite() && found.value <= least
        });
    let cold = if warm.is_some() { 0 } else { 2 };
    let mut best: Option<Found> = warm;
    for (_, at) in starts.into_iter().take(cold) {
        let found = optimize::bfgs(&mut value, &at, &limits);
        best = Some(match best {
            None => found,
            Some(b) => b.or_lower(found),
        });
    }
    let mut best = best?;
    // A first step that was too long leaves a weight on its bound though the top is inside.
    if best.at.iter().take(weights).any(|v| v.abs() > 6.0) {
        let again = optimize::bfgs(&mut value, &lifted(&best.at, 3.0), &limits);
        best = best.or_lower(again);
    }
    let (weights, start) = form.unpack(&best.at, &base, unit);
    let (fitted, end) = form.run(y, &start, &weights)?;
    let log_likelihood = form.log_likelihood(y, &fitted);
    log_likelihood.is_finite().then_some(Fit {
        form,
        weights,
        start,
        end,
        fitted,
        log_likelihood,
        converged: best.converged,
        at: best.at,
    })
}

/// The combinations that the parameters allow.
fn forms(p: &EtsParams, positive: bool, period: Option<usize>, rows: usize) -> Vec<Form> {
    let errors: &[bool] = match p.error {
        Error::Add => &[false],
        Error::Mul => &[true],
        Error::Auto if positive => &[false, true],
        Error::Auto => &[false],
    };
    let parts = |c: Component, auto: &'static [Option<Part>]| -> &'static [Option<Part>] {
        match c {
            Component::None => &[None],
            Component::Add => &[Some(Part::Add)],
            Component::Mul => &[Some(Part::Mul)],
            Component::Auto => auto,
        }
    };
    let trends = parts(p.trend, &[None, Some(Part::Add)]);
    let fits = period.is_some_and(|m| rows >= 2 * m);
    let seasons = parts(
        p.seasonal,
        match (fits, positive) {
            (false, _) => &[None],
            (true, false) => &[None, Some(Part::Add)],
            (true, true) => &[None, Some(Part::Add), Some(Part::Mul)],
        },
    );
    let auto =
        p.error == Error::Auto || p.trend == Component::Auto || p.seasonal == Component::Auto;
    let mut all = Vec::new();
    for multiply in errors {
        for trend in trends {
            for seasonal in seasons {
                let dampings: &[bool] = match (trend, p.damped_trend, p.trend) {
                    (None, ..) | (_, false, _) => &[false],
                    (_, true, Component::Auto) => &[false, true],
                    (_, true, _) => &[true],
                };
                for damped in dampings {
                    // An added error on a season that multiplies has no finite variance (Hyndman et al., 2008, 3.4).
                    if auto
                        && !multiply
                        && *seasonal == Some(Part::Mul)
                        && p.seasonal == Component::Auto
                    {
                        continue;
                    }
                    all.push(Form {
                        multiply: *multiply,
                        trend: *trend,
                        damped: *damped,
                        seasonal: *seasonal,
                        period: if seasonal.is_some() {
                            period.unwrap_or(1)
                        } else {
                            1
                        },
                    });
                }
            }
        }
    }
    all
}

/// The best form, what each got by the criterion, and where the searches ended: those of all forms one after
/// the other, NaN for one that was not fitted.
struct Choice {
    fit: Fit,
    tried: Vec<Value>,
    ends: Vec<f64>,
}

fn choose(
    params: &EtsParams,
    y: &[f64],
    period: Option<usize>,
    start: Option<&[f64]>,
) -> Result<Choice, FitError> {
    let n = y.len();
    let positive = y.iter().all(|v| *v > 0.0);
    let multiplies = params.error == Error::Mul
        || params.trend == Component::Mul
        || params.seasonal == Component::Mul;
    if multiplies && let Some(row) = y.iter().position(|v| *v <= 0.0) {
        return Err(FitError::Data(format!(
            "row {}: {} is not above 0, which parts that multiply need: take add, or a series of positive values",
            row + 1,
            y[row]
        )));
    }
    let candidates = forms(params, positive, period, n);
    let all: usize = candidates.iter().map(Form::searched).sum();
    let mut starts = start.filter(|s| s.len() == all).unwrap_or_default();
    let (mut tried, mut ends) = (Vec::new(), Vec::with_capacity(all));
    let mut best: Option<(f64, Fit)> = None;
    for form in candidates {
        let (from, rest) = starts.split_at_checked(form.searched()).unzip();
        starts = rest.unwrap_or_default();
        let (k, rows) = (form.counted() as f64, n as f64);
        let found = if rows <= k + 1.0 {
            None
        } else {
            fit(form, y, from)
        };
        ends.extend(match &found {
            Some(f) => f.at.clone(),
            None => vec![f64::NAN; form.searched()],
        });
        let criterion = found.as_ref().map(|f| {
            let twice = -2.0 * f.log_likelihood;
            match params.information_criterion {
                Criterion::Aicc => twice + 2.0 * k * rows / (rows - k - 1.0),
                Criterion::Aic => twice + 2.0 * k,
                Criterion::Bic => twice + k * rows.ln(),
            }
        });
        tried.push(json!({"model": form.label(), "criterion": criterion.map(number)}));
        if let (Some(c), Some(f)) = (criterion, found)
            && best.as_ref().is_none_or(|(b, _)| c < *b)
        {
            best = Some((c, f));
        }
    }
    let Some((_, fit)) = best else {
        return Err(FitError::Failed(format!(
            "{n} rows are too few for these parts, or no weights with a finite likelihood were found: take fewer parts or a longer span"
        )));
    };
    Ok(Choice { fit, tried, ends })
}

/// Weights and state that go on with a series.
struct Following {
    form: Form,
    weights: Weights,
    state: State,
    ends: Vec<f64>,
    converged: bool,
}

impl Tracker for Following {
    fn update(&mut self, value: f64) {
        let error = value - self.form.next(&self.state, &self.weights);
        self.form.update(&mut self.state, &self.weights, error);
    }

    fn forecast(&self, steps: usize) -> f64 {
        let mut state = self.state.clone();
        let mut value = f64::NAN;
        for _ in 0..steps {
            value = self.form.next(&state, &self.weights);
            self.form.update(&mut state, &self.weights, 0.0);
        }
        value
    }

    fn start(&self) -> Vec<f64> {
        self.ends.clone()
    }

    fn warnings(&self) -> Vec<String> {
        let unsure = !self.converged;
        unsure.then(|| NO_MAXIMUM.to_owned()).into_iter().collect()
    }
}

impl Track for Ets {
    fn track(
        params: &EtsParams,
        y: &[f64],
        start: Option<&[f64]>,
    ) -> Result<Box<dyn Tracker>, FitError> {
        // Values alone, without dates: a season is one that is asked for.
        let period = match params.seasonal {
            Component::None => None,
            Component::Auto => params.period,
            _ => Some(params.period.ok_or_else(|| {
                refused(
                    "period",
                    "the rows of a trial do not tell the season: set it",
                )
            })?),
        };
        let must = match params.seasonal {
            Component::Add | Component::Mul => 2 * period.unwrap_or(1),
            _ => 0,
        };
        if y.len() < must.max(6) {
            return Err(FitError::Data(format!(
                "the series has {} rows and ets needs at least {}: take a longer span",
                y.len(),
                must.max(6)
            )));
        }
        let choice = choose(params, y, period, start)?;
        Ok(Box::new(Following {
            form: choice.fit.form,
            weights: choice.fit.weights,
            state: choice.fit.end,
            ends: choice.ends,
            converged: choice.fit.converged,
        }))
    }
}

impl Analysis for Ets {
    type Params = EtsParams;
    const CARD: &'static Card = &CARD;

    fn analyse(params: &EtsParams, data: &SeriesTable, ask: Ask) -> Result<Outputs, FitError> {
        reachable(ask.horizon)?;
        let period = match params.seasonal {
            Component::None => None,
            Component::Auto => dates::period(params.period, data),
            _ => Some(
                dates::period(params.period, data)
                    .ok_or_else(|| refused("period", "the dates do not tell the season: set it"))?,
            ),
        };
        let must = match params.seasonal {
            Component::Add | Component::Mul => 2 * period.unwrap_or(1),
            _ => 0,
        };
        let y = checked(CARD.id, data, 0, must.max(6))?;
        let Choice { fit, tried, .. } = choose(params, &y, period, None)?;
        outputs(params, data, &y, &fit, tried, ask)
    }
}

fn outputs(
    params: &EtsParams,
    data: &SeriesTable,
    y: &[f64],
    fit: &Fit,
    tried: Vec<Value>,
    ask: Ask,
) -> Result<Outputs, FitError> {
    let (form, w) = (&fit.form, &fit.weights);
    let residuals: Vec<f64> = y
        .iter()
        .zip(&fit.fitted)
        .map(|(v, f)| if form.multiply { (v - f) / f } else { v - f })
        .collect();
    let sigma2 = mean_square(&residuals);
    let mut state = fit.end.clone();
    let forecast: Vec<f64> = (0..ask.horizon)
        .map(|_| {
            let value = form.next(&state, w);
            form.update(&mut state, w, 0.0);
            value
        })
        .collect();
    finite(CARD.id, &forecast)?;
    finite(CARD.id, &[sigma2, fit.log_likelihood])?;
    let (std, lower, upper) = if form.linear() {
        // How far an error reaches: the path after a unit error less the path without.
        let (mut hit, mut calm) = (fit.end.clone(), fit.end.clone());
        form.update(&mut hit, w, 1.0);
        form.update(&mut calm, w, 0.0);
        let mut sum = 0.0;
        let mut std = Vec::with_capacity(ask.horizon);
        for _ in 0..ask.horizon {
            std.push((sigma2 * (1.0 + sum)).sqrt());
            let c = form.next(&hit, w) - form.next(&calm, w);
            sum += c * c;
            form.update(&mut hit, w, 0.0);
            form.update(&mut calm, w, 0.0);
        }
        let width = normal_quantile(1.0 - params.interval_alpha / 2.0);
        let shifted =
            |by: f64| -> Vec<f64> { forecast.iter().zip(&std).map(|(f, s)| f + by * s).collect() };
        let ends = (shifted(-width), shifted(width));
        (std, ends.0, ends.1)
    } else {
        simulate(params, fit, sigma2.sqrt(), ask)
    };
    let mut out = Outputs::new();
    for (name, values) in [
        ("forecast", &forecast),
        ("forecast_std", &std),
        ("forecast_lower", &lower),
        ("forecast_upper", &upper),
        ("fitted", &fit.fitted),
        ("residuals", &residuals),
    ] {
        out.insert(name.into(), run::numbers(values));
    }
    out.insert("model".into(), form.label().into());
    let only = |there: bool, v: f64| if there { number(v) } else { Value::Null };
    let (trended, seasoned) = (form.trend.is_some(), form.seasonal.is_some());
    out.insert("alpha".into(), number(w.alpha));
    out.insert("beta".into(), only(trended, w.beta));
    out.insert("gamma".into(), only(seasoned, w.gamma));
    out.insert("phi".into(), only(form.damped, w.phi));
    out.insert("initial_level".into(), number(fit.start.level));
    out.insert("initial_trend".into(), only(trended, fit.start.trend));
    out.insert("initial_season".into(), run::numbers(&fit.start.season));
    out.insert("level".into(), number(fit.end.level));
    out.insert("trend".into(), only(trended, fit.end.trend));
    let mut season = fit.end.season.clone();
    season.rotate_left(fit.end.place);
    out.insert("season".into(), run::numbers(&season));
    out.insert("sigma2".into(), number(sigma2));
    put_criteria(&mut out, fit.log_likelihood, form.counted(), y.len());
    let weights = 1 + usize::from(trended) + usize::from(seasoned) + usize::from(form.damped);
    out.insert("ljung_box".into(), ljung_box(&residuals, weights));
    out.insert("tried".into(), Value::from(tried));
    out.insert("converged".into(), fit.converged.into());
    out.insert("gaps".into(), dates::gaps(data));
    Ok(out)
}

/// Standard deviations and ends of the intervals of simulated paths with normal errors.
fn simulate(params: &EtsParams, fit: &Fit, sigma: f64, ask: Ask) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(effective_seed(params.seed, ask.seed));
    let form = &fit.form;
    let mut paths = vec![Vec::with_capacity(params.n_simulations); ask.horizon];
    for _ in 0..params.n_simulations {
        let mut state = fit.end.clone();
        for column in &mut paths {
            let forecast = form.next(&state, &fit.weights);
            let e = sigma * normal(&mut random);
            let error = if form.multiply { forecast * e } else { e };
            column.push(forecast + error);
            form.update(&mut state, &fit.weights, error);
        }
    }
    let quantile = |sorted: &[f64], p: f64| {
        let at = p * (sorted.len() - 1) as f64;
        let low = at.floor() as usize;
        let high = (low + 1).min(sorted.len() - 1);
        sorted[low] + (at - low as f64) * (sorted[high] - sorted[low])
    };
    let half = params.interval_alpha / 2.0;
    let (mut std, mut lower, mut upper) = (Vec::new(), Vec::new(), Vec::new());
    for mut column in paths {
        let level = column.iter().sum::<f64>() / column.len() as f64;
        let squares: f64 = column.iter().map(|v| (v - level).powi(2)).sum();
        std.push((squares / column.len() as f64).sqrt());
        column.sort_by(f64::total_cmp);
        lower.push(quantile(&column, half));
        upper.push(quantile(&column, 1.0 - half));
    }
    (std, lower, upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_that_did_not_end_on_a_maximum_is_said_while_following() {
        let form = Form {
            multiply: false,
            trend: None,
            damped: false,
            seasonal: None,
            period: 1,
        };
        let following = |converged| Following {
            form,
            weights: Weights {
                alpha: 0.5,
                beta: 0.0,
                gamma: 0.0,
                phi: 1.0,
            },
            state: form.start(&[1.0, 2.0, 3.0]),
            ends: Vec::new(),
            converged,
        };
        assert_eq!(following(false).warnings(), [NO_MAXIMUM]);
        assert!(following(true).warnings().is_empty());
    }
}
