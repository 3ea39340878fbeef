//! Prophet.
//!
//! What: a trend of straight pieces (or a logistic curve, or flat), Fourier seasons and holidays, fitted as a
//! curve to the dates.
//! Formula: y(t) = g(t) (1 + s×(t)) + s₊(t) + ε; MAP with a Laplace prior on changes of slope.
//! Data: one series with the dates of its rows.
//! Cost: O(steps · n d²), d parameters.
//! Fails when: the series wanders rather than follows a curve: prices.
//! Source: Taylor & Letham (2018).
//! Not claimed: that the last slope goes on.

use super::dates;
use super::engine::{checked, finite, mean, number, reachable, refused};
use crate::numeric::{add_scaled, dot, lifted, normal};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::params::{ParamType, Range};
use mltrainer_catalogue_core::run::effective_seed;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, choices, params, run,
};
use mltrainer_types::catalogue::{ParamKind, Task};
use ndarray::Array2;
use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::{Map, Value};

/// The handle.
pub struct Prophet;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<Prophet>();

choices! {
    /// The form of the trend.
    pub enum Growth {
        /// Straight pieces.
        Linear = "linear",
        /// A logistic curve up to a capacity.
        Logistic = "logistic",
        /// None.
        Flat = "flat",
    }
}

choices! {
    /// How seasons and holidays enter.
    pub enum Mode {
        /// They are added.
        Additive = "additive",
        /// They multiply the trend.
        Multiplicative = "multiplicative",
    }
}

/// A season: found by the span and distance of the dates, or of a Fourier order, where 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seasonality {
    /// By the dates.
    Auto,
    /// With the usual order.
    On,
    /// With this order; 0 is none.
    Order(usize),
}

impl ParamType for Seasonality {
    const KIND: ParamKind = ParamKind::Text;
    fn choices() -> &'static [&'static str] {
        &["auto", "true", "false"]
    }
    fn read(value: &Value, _: &Range) -> Result<Self, String> {
        match value {
            Value::Bool(true) => return Ok(Self::On),
            Value::Bool(false) => return Ok(Self::Order(0)),
            Value::String(text) if text == "auto" => return Ok(Self::Auto),
            Value::String(text) if text == "true" => return Ok(Self::On),
            Value::String(text) if text == "false" => return Ok(Self::Order(0)),
            _ => {}
        }
        usize::read(value, &Range::within(1.0, 200.0))
            .map(Self::Order)
            .map_err(|reason| format!("{reason}; it is auto, true, false or a Fourier order"))
    }
    fn write(&self) -> Value {
        match self {
            Self::Auto => Value::from("auto"),
            Self::On => Value::from("true"),
            Self::Order(0) => Value::from("false"),
            Self::Order(n) => Value::from(*n as u64),
        }
    }
}

/// Named days: `name:2020-01-01,2021-01-01;other:2020-05-01`, a name may be followed by days before and after,
/// `name/-1/2:...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holidays(Vec<Holiday>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Holiday {
    name: String,
    before: i64,
    after: i64,
    days: Vec<i64>,
}

impl ParamType for Holidays {
    const KIND: ParamKind = ParamKind::Text;
    fn read(value: &Value, _: &Range) -> Result<Self, String> {
        let form = "write name:2020-12-25,2021-12-25;other:2020-05-01, with days before and after as name/-1/2";
        let text = value
            .as_str()
            .ok_or_else(|| format!("{value} is not a text; {form}"))?;
        let mut all = Vec::new();
        for part in text.split(';') {
            let (head, list) = part
                .split_once(':')
                .ok_or_else(|| format!("\"{part}\" has no dates; {form}"))?;
            let mut words = head.split('/');
            let name = words.next().unwrap_or_default().trim().to_owned();
            let mut window = |sign: i64| match words.next() {
                None => Ok(0),
                Some(word) => word
                    .trim()
                    .parse::<i64>()
                    .ok()
                    .filter(|v| v * sign >= 0 && v.abs() <= 60)
                    .ok_or_else(|| format!("\"{word}\" is not a number of days; {form}")),
            };
            let (before, after) = (window(-1)?, window(1)?);
            if name.is_empty() || words.next().is_some() {
                return Err(format!("\"{head}\" is not a name; {form}"));
            }
            let days: Result<Vec<i64>, String> = list
                .split(',')
                .map(|d| dates::parse(d).ok_or_else(|| format!("\"{d}\" is not a date; {form}")))
                .collect();
            all.push(Holiday {
                name,
                before,
                after,
                days: days?,
            });
        }
        Ok(Self(all))
    }
    fn write(&self) -> Value {
        let parts: Vec<String> = self
            .0
            .iter()
            .map(|h| {
                let days: Vec<String> = h.days.iter().map(|d| dates::text(*d as f64)).collect();
                format!("{}/{}/{}:{}", h.name, h.before, h.after, days.join(","))
            })
            .collect();
        Value::from(parts.join(";"))
    }
}

params! {
    /// Parameters of Prophet.
    pub struct ProphetParams {
        /// Form of the trend.
        growth: Growth = Growth::Linear;
        /// Capacity of logistic growth; none is 1.1 times the largest value.
        cap: Option<f64> = None;
        /// Floor of logistic growth.
        floor: f64 = 0.0;
        /// Places where the slope may change.
        n_changepoints: usize = 25, within(0.0, 500.0);
        /// Share of the rows, from the first, in which it may.
        changepoint_range: f64 = 0.8, above_up_to(0.0, 1.0);
        /// Scale of the Laplace prior on changes of slope: larger bends more.
        changepoint_prior_scale: f64 = 0.05, above(0.0);
        /// Yearly season: auto, true (order 10), false, or a Fourier order.
        yearly_seasonality: Seasonality = Seasonality::Auto;
        /// Weekly season: auto, true (order 3), false, or a Fourier order.
        weekly_seasonality: Seasonality = Seasonality::Auto;
        /// Daily season: auto, true (order 4), false, or a Fourier order.
        daily_seasonality: Seasonality = Seasonality::Auto;
        /// How seasons and holidays enter.
        seasonality_mode: Mode = Mode::Additive;
        /// Standard deviation of the normal prior on the seasons' coefficients.
        seasonality_prior_scale: f64 = 10.0, above(0.0);
        /// Named days, name:2020-12-25,2021-12-25;other:2020-05-01; days before and after as name/-1/2.
        holidays: Option<Holidays> = None;
        /// Standard deviation of the normal prior on the holidays' coefficients.
        holidays_prior_scale: f64 = 10.0, above(0.0);
        /// Share of the simulated values inside the intervals.
        interval_width: f64 = 0.8, inside(0.0, 1.0);
        /// Simulated paths behind the intervals.
        uncertainty_samples: usize = 1000, within(10.0, 100_000.0);
        /// Last rows that are not learned from: the forecast is of their dates.
        holdout: usize = 0, within(0.0, 1_000_000.0);
        /// Seed of the simulation; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "prophet",
    family: "time_series",
    title: "Prophet",
    tasks: &[Task::Forecasting],
    inputs: Inputs::Series,
    summary: "A curve through the dates: a trend of straight pieces whose slope may change at set places, seasons as Fourier sums, holidays. The most probable parameters under their priors; intervals by simulating changes of slope to come.",
    formula: "y(t) = g(t)(1 + X×β) + X₊β + ε, ε ~ N(0, σ²); g(t) = (k + a(t)'δ)t + m - a(t)'(sδ), t over the span in [0, 1], y over its largest absolute value; δ ~ Laplace(0, changepoint_prior_scale), k, m ~ N(0, 5²), β ~ N(0, prior scale²), σ ~ N(0, 0.5²). Maximum of the posterior by Gauss-Newton steps, |δ| replaced by a parabola that touches it from above at the last δ. Intervals: changes at the past rate with Laplace sizes of the mean |δ|, and noise",
    data: "One series with the dates of its rows; gaps do not matter. Without dates the rows count as days and there is no season unless it is asked for.",
    cost: "O(steps · n d²), d parameters (27 and two a Fourier order); for an additive linear trend O(n d² + steps · d³)",
    fails_when: "The series wanders rather than follows a curve: the last slope is carried on. Prices are such series.",
    not_claimed: "Skill on prices, or that the intervals hold when the trend breaks.",
    source: "S. J. Taylor, B. Letham, Forecasting at scale, The American Statistician 72 (2018)",
    reference: "prophet 1.5.0, Prophet(...).fit(), MAP",
    outputs: &[
        ("forecast", "one value a step after the last row used"),
        (
            "forecast_lower",
            "lower end of the interval of each forecast",
        ),
        ("forecast_upper", "upper end"),
        (
            "forecast_dates",
            "dates of the forecasts; null without dates",
        ),
        ("fitted", "the curve at the rows used"),
        ("residuals", "rows less fitted"),
        ("trend", "the trend at the rows used and those to come"),
        (
            "seasonal",
            "seasons and holidays at the same rows: to be added, or to multiply the trend by 1 and this",
        ),
        (
            "changepoints",
            "dates (or rows, without dates) where the slope may change",
        ),
        (
            "changes",
            "δ: change of slope at each, in the units of the scaled series over the span",
        ),
        (
            "holiday_effects",
            "by name and day: effect of each holiday, in the units of the series, or as a share of the trend",
        ),
        ("sigma", "standard deviation of the noise"),
        (
            "log_posterior",
            "at the maximum, up to a constant, of the scaled series",
        ),
        ("seasons", "by name: Fourier order in use"),
        ("converged", "whether the search ended on a maximum"),
        (
            "gaps",
            "where dates leave rows out: after, before, days; null without dates",
        ),
    ],
    stochastic: true,
    evidence: &[Evidence {
        against: "prophet 1.5.0, Prophet(...).fit(), MAP",
        cases: "prophet-co2, prophet-log-gdp",
        tolerance: "fit within 0.25, forecast within 0.75 standard deviations of the residuals",
    }],
    presets: &[],
    exemptions: &[],
};

/// Prior standard deviation of slope and offset.
const LINE_PRIOR: f64 = 5.0;

/// Steps of the search at most.
const STEPS: usize = 2000;

/// The curve's columns and priors, for rows used and to come.
struct Curve {
    growth: Growth,
    multiply: bool,
    /// Scaled times of all rows.
    t: Vec<f64>,
    /// Scaled times of the places where the slope may change.
    changes: Vec<f64>,
    /// Columns of seasons and holidays, for all rows.
    features: Vec<Vec<f64>>,
    /// Prior standard deviation of each.
    priors: Vec<f64>,
    /// Capacity over the floor, scaled.
    cap: f64,
}

impl Curve {
    /// Slope, offset, changes, features.
    fn size(&self) -> usize {
        2 + self.changes.len() + self.features.len()
    }

    fn trend_at(&self, theta: &[f64], t: f64) -> f64 {
        let (k, m) = (theta[0], theta[1]);
        let deltas = &theta[2..2 + self.changes.len()];
        trend(self.growth, self.cap, k, m, &self.changes, deltas, t)
    }

    fn features_at(&self, theta: &[f64], row: usize) -> f64 {
        let beta = &theta[2 + self.changes.len()..];
        self.features
            .iter()
            .zip(beta)
            .map(|(c, b)| c[row] * b)
            .sum()
    }

    fn value(&self, theta: &[f64], row: usize) -> f64 {
        let trend = self.trend_at(theta, self.t[row]);
        let features = self.features_at(theta, row);
        if self.multiply {
            trend * (1.0 + features)
        } else {
            trend + features
        }
    }

    /// Derivatives of the curve at the first n rows, by columns.
    fn slopes(&self, theta: &[f64], n: usize) -> Vec<Vec<f64>> {
        let line = 2 + self.changes.len();
        let mut columns = Vec::with_capacity(self.size());
        let share: Vec<f64> = (0..n)
            .map(|r| {
                if self.multiply {
                    1.0 + self.features_at(theta, r)
                } else {
                    1.0
                }
            })
            .collect();
        for j in 0..line {
            let column: Vec<f64> = match self.growth {
                Growth::Flat => (0..n)
                    .map(|r| if j == 1 { share[r] } else { 0.0 })
                    .collect(),
                Growth::Linear => (0..n)
                    .map(|r| {
                        let t = self.t[r];
                        share[r]
                            * match j {
                                0 => t,
                                1 => 1.0,
                                _ => (t - self.changes[j - 2]).max(0.0),
                            }
                    })
                    .collect(),
                Growth::Logistic => {
                    // Offsets follow from all slopes before them: differences are simpler than formulas.
                    let step = 1e-6 * theta[j].abs().max(0.1);
                    let (mut up, mut down) = (theta.to_vec(), theta.to_vec());
                    up[j] += step;
                    down[j] -= step;
                    (0..n)
                        .map(|r| {
                            let t = self.t[r];
                            share[r] * (self.trend_at(&up, t) - self.trend_at(&down, t))
                                / (2.0 * step)
                        })
                        .collect()
                }
            };
            columns.push(column);
        }
        for column in &self.features {
            let scaled = column[..n].iter().enumerate().map(|(r, v)| {
                if self.multiply {
                    v * self.trend_at(theta, self.t[r])
                } else {
                    *v
                }
            });
            columns.push(scaled.collect());
        }
        columns
    }
}

/// The trend with changes of slope at ascending places.
fn trend(growth: Growth, cap: f64, k: f64, m: f64, places: &[f64], deltas: &[f64], t: f64) -> f64 {
    match growth {
        Growth::Flat => m,
        Growth::Linear => {
            let bent: f64 = places
                .iter()
                .zip(deltas)
                .take_while(|(s, _)| **s <= t)
                .map(|(s, d)| d * (t - s))
                .sum();
            k * t + m + bent
        }
        Growth::Logistic => {
            let (mut slope, mut offset) = (k, m);
            for (s, d) in places.iter().zip(deltas).take_while(|(s, _)| **s <= t) {
                let next = slope + d;
                // So that the curve has no jump.
                let gamma = (s - offset) * (1.0 - slope / next);
                offset += if gamma.is_finite() { gamma } else { 0.0 };
                slope = next;
            }
            cap * crate::numeric::sigmoid(slope * (t - offset))
        }
    }
}

/// The most probable parameters, the noise, the log posterior, and whether the search ended on them.
fn search(
    curve: &Curve,
    y: &[f64],
    start: Vec<f64>,
    tau: f64,
) -> Result<(Vec<f64>, f64, f64, bool), FitError> {
    let n = y.len();
    let rows = n as f64;
    let changes = 2..2 + curve.changes.len();
    let mut theta = start;
    let misses =
        |theta: &[f64]| -> Vec<f64> { (0..n).map(|r| y[r] - curve.value(theta, r)).collect() };
    let penalty = |theta: &[f64]| -> f64 {
        let line = (theta[0] * theta[0] + theta[1] * theta[1]) / (2.0 * LINE_PRIOR * LINE_PRIOR);
        let bends: f64 = theta[changes.clone()].iter().map(|d| d.abs() / tau).sum();
        let beta = theta[changes.end..].iter().zip(&curve.priors);
        line + bends + beta.map(|(b, s)| b * b / (2.0 * s * s)).sum::<f64>()
    };
    // σ² at its most probable for a sum of squares: n/σ - S/σ³ + 4σ = 0. The floor keeps a perfect fit finite.
    let noise = |sse: f64| ((-rows + (rows * rows + 16.0 * sse).sqrt()) / 8.0).max(1e-20);
    let objective = |sse: f64, theta: &[f64]| {
        let s2 = noise(sse);
        0.5 * rows * s2.ln() + sse / (2.0 * s2) + 2.0 * s2 + penalty(theta)
    };
    let constant_slopes = curve.growth != Growth::Logistic && !curve.multiply;
    let products = |columns: &[Vec<f64>]| {
        let d = columns.len();
        let mut a = Array2::zeros((d, d));
        for i in 0..d {
            for j in 0..=i {
                let v = dot(&columns[i], &columns[j]);
                a[[i, j]] = v;
                a[[j, i]] = v;
            }
        }
        a
    };
    let mut errors = misses(&theta);
    let mut sse = dot(&errors, &errors);
    let mut value = objective(sse, &theta);
    let mut columns = curve.slopes(&theta, n);
    let mut square = products(&columns);
    let mut idle = 0;
    for step in 0..STEPS {
        if step > 0 && !constant_slopes {
            columns = curve.slopes(&theta, n);
            square = products(&columns);
        }
        let s2 = noise(sse);
        let precision = |j: usize| {
            if j < 2 {
                1.0 / (LINE_PRIOR * LINE_PRIOR)
            } else if changes.contains(&j) {
                // The parabola that touches |δ|/τ at the present δ.
                1.0 / (tau * theta[j].abs().max(1e-7))
            } else {
                curve.priors[j - changes.end].powi(-2)
            }
        };
        // In units in which every prior precision is near the data's.
        let d = theta.len();
        let unit: Vec<f64> = (0..d)
            .map(|j| (square[[j, j]] / s2 + precision(j)).sqrt().recip())
            .collect();
        let a = Array2::from_shape_fn((d, d), |(i, j)| {
            let own = if i == j { precision(i) } else { 0.0 };
            (square[[i, j]] / s2 + own) * unit[i] * unit[j]
        });
        let mut b: Vec<f64> = (0..d)
            .map(|j| (dot(&columns[j], &errors) / s2 - precision(j) * theta[j]) * unit[j])
            .collect();
        lifted(&a, CARD.id)?.solve(&mut b);
        let mut length = 1.0;
        let mut taken = false;
        // Where the curve is a sum of columns, a step moves it along their sum.
        let mut along = vec![0.0; if constant_slopes { n } else { 0 }];
        if constant_slopes {
            for (column, (b, unit)) in columns.iter().zip(b.iter().zip(&unit)) {
                add_scaled(&mut along, b * unit, column);
            }
        }
        while length > 1e-6 {
            let next: Vec<f64> = (0..d).map(|j| theta[j] + length * b[j] * unit[j]).collect();
            let missed = if constant_slopes {
                let pairs = errors.iter().zip(&along);
                pairs.map(|(e, a)| e - length * a).collect()
            } else {
                misses(&next)
            };
            let squares = dot(&missed, &missed);
            let there = objective(squares, &next);
            if there.is_finite() && there <= value {
                // Steps that raise the log posterior by less than a millionth.
                idle = if value - there <= 1e-6 { idle + 1 } else { 0 };
                (theta, errors, sse, value) = (next, missed, squares, there);
                taken = true;
                break;
            }
            length *= 0.5;
        }
        if !taken || idle == 5 {
            let s2 = noise(sse);
            return Ok((theta, s2.sqrt(), -value, value.is_finite()));
        }
    }
    let s2 = noise(sse);
    Ok((theta, s2.sqrt(), -value, false))
}

/// A number of events at a mean rate (Knuth, in pieces so that the exponential does not vanish).
fn poisson(random: &mut Xoshiro256PlusPlus, mut rate: f64) -> usize {
    let mut count = 0;
    while rate > 0.0 {
        let piece = rate.min(20.0);
        rate -= piece;
        let floor = (-piece).exp();
        let mut product = random.r#gen::<f64>();
        while product > floor {
            count += 1;
            product *= random.r#gen::<f64>();
        }
    }
    count
}

/// Columns of a season: sine and cosine of each order.
fn fourier(days: &[f64], period: f64, order: usize) -> Vec<Vec<f64>> {
    let wave = |f: fn(f64) -> f64, n: usize| -> Vec<f64> {
        let speed = std::f64::consts::TAU * n as f64 / period;
        days.iter().map(|d| f(speed * d)).collect()
    };
    (1..=order)
        .flat_map(|n| [wave(f64::sin, n), wave(f64::cos, n)])
        .collect()
}

impl Analysis for Prophet {
    type Params = ProphetParams;
    const CARD: &'static Card = &CARD;

    fn analyse(params: &ProphetParams, data: &SeriesTable, ask: Ask) -> Result<Outputs, FitError> {
        reachable(ask.horizon)?;
        let all = checked(CARD.id, data, 0, 4)?;
        let n = all.len().saturating_sub(params.holdout);
        if n < 4 {
            return Err(refused(
                "holdout",
                format!(
                    "{} of {} rows are held out, {n} remain",
                    params.holdout,
                    all.len()
                ),
            ));
        }
        let y = &all[..n];
        let known: Vec<f64> = match data.days() {
            Some(days) => days.to_vec(),
            None => (0..all.len()).map(|r| r as f64).collect(),
        };
        // Dates of the rows used, those held out, and those after the table.
        let mut days: Vec<f64> = known.iter().take(n + ask.horizon).copied().collect();
        if let Some(more) = (n + ask.horizon).checked_sub(known.len()) {
            days.extend(dates::coming(&known, more));
        }
        let floor = if params.growth == Growth::Logistic {
            params.floor
        } else {
            0.0
        };
        let scale = y.iter().fold(0.0, |m: f64, v| m.max((v - floor).abs()));
        if !scale.is_finite() || scale < 1e-150 {
            return Err(FitError::Data(
                "the values are too large or all equal to the floor: rescale the series".into(),
            ));
        }
        let cap = match (params.growth, params.cap) {
            (Growth::Logistic, Some(cap)) if cap <= floor => {
                return Err(refused(
                    "cap",
                    format!("{cap} is not above the floor of {floor}"),
                ));
            }
            (Growth::Logistic, Some(cap)) => (cap - floor) / scale,
            _ => 1.1,
        };
        let scaled: Vec<f64> = y.iter().map(|v| (v - floor) / scale).collect();
        let span = days[n - 1] - days[0];
        let t: Vec<f64> = days.iter().map(|d| (d - days[0]) / span).collect();
        // Places where the slope may change: evenly over the first rows, the first one left out.
        let early = ((n as f64) * params.changepoint_range).floor() as usize;
        let mut count = if params.growth == Growth::Flat {
            0
        } else {
            params.n_changepoints
        };
        if count + 1 > early {
            count = early.saturating_sub(1);
        }
        let place = |i: usize| {
            let at = i as f64 * (early.saturating_sub(1)) as f64 / count as f64;
            at.round_ties_even() as usize
        };
        let places: Vec<usize> = (1..=count).map(place).collect();
        let mut features: Vec<Vec<f64>> = Vec::new();
        let mut priors = Vec::new();
        let mut seasons = Map::new();
        let shortest = days[..n]
            .windows(2)
            .map(|w| w[1] - w[0])
            .fold(f64::INFINITY, f64::min);
        let dated = data.days().is_some();
        for (name, period, asked, usual, fits) in [
            (
                "yearly",
                365.25,
                params.yearly_seasonality,
                10,
                span >= 730.0,
            ),
            (
                "weekly",
                7.0,
                params.weekly_seasonality,
                3,
                span >= 14.0 && shortest < 7.0,
            ),
            (
                "daily",
                1.0,
                params.daily_seasonality,
                4,
                span >= 2.0 && shortest < 1.0,
            ),
        ] {
            let order = match asked {
                Seasonality::Auto => {
                    if fits && dated {
                        usual
                    } else {
                        0
                    }
                }
                Seasonality::On => usual,
                Seasonality::Order(order) => order,
            };
            features.extend(fourier(&days, period, order));
            priors.extend(std::iter::repeat_n(
                params.seasonality_prior_scale,
                2 * order,
            ));
            seasons.insert(name.into(), order.into());
        }
        let mut named: Vec<String> = Vec::new();
        for holiday in params.holidays.iter().flat_map(|h| &h.0) {
            for offset in holiday.before..=holiday.after {
                let on = |d: &f64| holiday.days.iter().any(|h| h + offset == d.floor() as i64);
                features.push(days.iter().map(|d| f64::from(u8::from(on(d)))).collect());
                priors.push(params.holidays_prior_scale);
                named.push(match offset {
                    0 => holiday.name.clone(),
                    _ => format!("{}{offset:+}", holiday.name),
                });
            }
        }
        let curve = Curve {
            growth: params.growth,
            multiply: params.seasonality_mode == Mode::Multiplicative,
            changes: places.iter().map(|r| t[*r]).collect(),
            t,
            features,
            priors,
            cap,
        };
        let mut start = vec![0.0; curve.size()];
        (start[0], start[1]) = match params.growth {
            Growth::Linear => (scaled[n - 1] - scaled[0], scaled[0]),
            Growth::Flat => (0.0, mean(&scaled)),
            Growth::Logistic => {
                let ratio = |v: f64| cap / v.min(0.99 * cap).max(0.01 * cap);
                let (mut first, last) = (ratio(scaled[0]), ratio(scaled[n - 1]));
                if (first - last).abs() <= 0.01 {
                    first *= 1.05;
                }
                let (a, b) = ((first - 1.0).ln(), (last - 1.0).ln());
                (a - b, a / (a - b))
            }
        };
        let (theta, sigma, log_posterior, converged) =
            search(&curve, &scaled, start, params.changepoint_prior_scale)?;
        let stated = |v: f64| v * scale + floor;
        let rows = curve.t.len();
        let values: Vec<f64> = (0..rows).map(|r| stated(curve.value(&theta, r))).collect();
        finite(CARD.id, &values)?;
        let mut out = Outputs::new();
        out.insert("forecast".into(), run::numbers(&values[n..]));
        let seed = effective_seed(params.seed, ask.seed);
        let (lower, upper) = simulate(&curve, &theta, sigma, n, params, seed);
        let ends = |v: &[f64]| run::numbers(&v.iter().map(|v| stated(*v)).collect::<Vec<f64>>());
        out.insert("forecast_lower".into(), ends(&lower));
        out.insert("forecast_upper".into(), ends(&upper));
        let dates_of = |rows: &[f64]| -> Value {
            if dated {
                rows.iter().map(|d| Value::from(dates::text(*d))).collect()
            } else {
                Value::Null
            }
        };
        out.insert("forecast_dates".into(), dates_of(&days[n..]));
        out.insert("fitted".into(), run::numbers(&values[..n]));
        let residuals: Vec<f64> = y.iter().zip(&values).map(|(a, b)| a - b).collect();
        out.insert("residuals".into(), run::numbers(&residuals));
        let trends: Vec<f64> = curve
            .t
            .iter()
            .map(|t| stated(curve.trend_at(&theta, *t)))
            .collect();
        out.insert("trend".into(), run::numbers(&trends));
        let effect = if curve.multiply { 1.0 } else { scale };
        let seasonal: Vec<f64> = (0..rows)
            .map(|r| effect * curve.features_at(&theta, r))
            .collect();
        out.insert("seasonal".into(), run::numbers(&seasonal));
        let at: Vec<f64> = places.iter().map(|r| days[*r]).collect();
        out.insert(
            "changepoints".into(),
            if dated {
                dates_of(&at)
            } else {
                run::numbers(&at)
            },
        );
        let line = 2 + curve.changes.len();
        out.insert("changes".into(), run::numbers(&theta[2..line]));
        // Holidays stand last.
        let last = theta.len() - named.len();
        let effects: Map<String, Value> = named
            .into_iter()
            .zip(&theta[last..])
            .map(|(name, b)| (name, number(effect * b)))
            .collect();
        out.insert("holiday_effects".into(), Value::Object(effects));
        out.insert("sigma".into(), number(sigma * scale));
        out.insert("log_posterior".into(), number(log_posterior));
        out.insert("seasons".into(), Value::Object(seasons));
        out.insert("converged".into(), converged.into());
        out.insert("gaps".into(), dates::gaps(data));
        Ok(out)
    }
}

/// Ends of the intervals of the rows from n on, scaled: simulated changes of slope after the last row used,
/// and noise.
fn simulate(
    curve: &Curve,
    theta: &[f64],
    sigma: f64,
    n: usize,
    params: &ProphetParams,
    seed: u64,
) -> (Vec<f64>, Vec<f64>) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let last = curve.t.last().copied().unwrap_or(1.0);
    let line = 2 + curve.changes.len();
    let deltas = &theta[2..line];
    let size = deltas.iter().map(|d| d.abs()).sum::<f64>() / deltas.len().max(1) as f64 + 1e-8;
    let future = &curve.t[n..];
    let mut values: Vec<Vec<f64>> =
        vec![Vec::with_capacity(params.uncertainty_samples); future.len()];
    for _ in 0..params.uncertainty_samples {
        let count = poisson(
            &mut random,
            curve.changes.len() as f64 * (last - 1.0).max(0.0),
        );
        let mut places: Vec<f64> = (0..count)
            .map(|_| 1.0 + random.r#gen::<f64>() * (last - 1.0))
            .collect();
        places.sort_by(f64::total_cmp);
        let mut all_places = curve.changes.clone();
        all_places.extend(&places);
        let mut all = deltas.to_vec();
        for _ in 0..count {
            // Laplace: an exponential size with either sign.
            let u = random.r#gen::<f64>() - 0.5;
            all.push(-size * u.signum() * (1.0 - 2.0 * u.abs()).max(f64::MIN_POSITIVE).ln());
        }
        for (h, (t, column)) in future.iter().zip(&mut values).enumerate() {
            let g = trend(
                curve.growth,
                curve.cap,
                theta[0],
                theta[1],
                &all_places,
                &all,
                *t,
            );
            let features = curve.features_at(theta, n + h);
            let value = if curve.multiply {
                g * (1.0 + features)
            } else {
                g + features
            };
            column.push(value + sigma * normal(&mut random));
        }
    }
    let share = (1.0 - params.interval_width) / 2.0;
    let quantile = |sorted: &[f64], p: f64| {
        let at = p * (sorted.len() - 1) as f64;
        let low = at.floor() as usize;
        let high = (low + 1).min(sorted.len() - 1);
        sorted[low] + (at - low as f64) * (sorted[high] - sorted[low])
    };
    values
        .into_iter()
        .map(|mut column| {
            column.sort_by(f64::total_cmp);
            (quantile(&column, share), quantile(&column, 1.0 - share))
        })
        .unzip()
}
