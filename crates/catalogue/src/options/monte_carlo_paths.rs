//! Monte Carlo price paths.
//!
//! What: simulated paths of a price: geometric Brownian motion, or blocks of real returns put together anew;
//! quantiles by time (a fan), moments beside the closed form, drawdowns.
//! Formula: S_{t+dt} = S_t exp((μ - σ²/2) dt + σ √dt Z); bootstrap: S times the product of drawn gross returns.
//! Data: none, or one series of prices for spot, drift, volatility and the bootstrap.
//! Cost: O(n_paths n_steps log n_paths).
//! Fails when: the past drift is taken for the future one: over a few years it is mostly luck.
//! Source: Glasserman (2003); Politis, Romano (1994).
//! Not claimed: a forecast.

use crate::numeric::normal;
use crate::risk::engine::{Input, changes, quantile};
use crate::risk::quantiles::normal_quantile;
use crate::test::engine::number;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::numbers;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, Takes, choices, params, run,
};
use mltrainer_types::catalogue::Task;
use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::{Map, Value};

/// The handle.
pub struct MonteCarloPaths;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<MonteCarloPaths>().tested_with(&[("n_paths", "100")]);

choices! {
    /// Where the steps come from.
    pub enum Steps {
        /// Geometric Brownian motion.
        Gbm = "gbm",
        /// The stationary block bootstrap of the returns of the series.
        Bootstrap = "bootstrap",
    }
}

params! {
    /// Parameters of Monte Carlo price paths.
    pub struct MonteCarloPathsParams {
        /// Where the steps come from; bootstrap needs a series.
        method: Steps = Steps::Gbm;
        /// Price at the start; none is the last price of the series, 100 without one.
        spot: Option<f64> = None, above(0.0);
        /// Expected growth a year, continuous; none is estimated from the series, 0 without one. With bootstrap
        /// a given drift moves the drawn log returns.
        drift: Option<f64> = None;
        /// Volatility a year, as a fraction; none is estimated from the series, 0.2 without one. With bootstrap
        /// a given volatility stretches the drawn log returns.
        volatility: Option<f64> = None, at_least(0.0);
        /// Years.
        time: f64 = 1.0, at_least(0.0);
        /// Steps of a path. With bootstrap each must span a whole number of rows.
        n_steps: usize = 252, within(1.0, 100_000.0);
        /// Paths.
        n_paths: usize = 10_000, within(2.0, 1_000_000.0);
        /// Rows of the series a year.
        periods_per_year: f64 = 252.0, above(0.0);
        /// Mean length of a block of rows; none is the cube root of their number.
        block_length: Option<f64> = None, at_least(1.0);
        /// Quantiles of the fan.
        quantiles: Vec<f64> = vec![0.05, 0.25, 0.5, 0.75, 0.95], inside(0.0, 1.0);
        /// Whether gbm takes every path with its mirror image.
        antithetic: bool = false;
        /// Paths that are put out whole.
        n_sample_paths: usize = 5, within(0.0, 100.0);
        /// Seed of the paths; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "monte_carlo_paths",
    family: "options",
    title: "Monte Carlo price paths",
    tasks: &[Task::Pricing],
    inputs: Inputs::Series,
    summary: "Simulated paths of a price, by geometric Brownian motion or from blocks of real returns: the fan of quantiles, moments beside the closed form, the value and drawdown at the end.",
    formula: "gbm: S_{t+dt} = S_t exp((μ - σ²/2) dt + σ√dt Z), so E S_t = S e^(μt), sd S_t = E S_t √(e^(σ²t) - 1); μ = periods_per_year mean(log returns) + σ²/2, σ = √periods_per_year sd(log returns), ddof 1; bootstrap: rows follow each other, and with probability 1/block_length the next one is anywhere",
    data: "None, or one series of prices above 0.",
    cost: "O(n_paths n_steps log n_paths)",
    fails_when: "The past drift is taken for the future one: over a few years it is mostly luck. gbm has no fat tails and no clusters of volatility; the bootstrap knows only what the series holds.",
    not_claimed: "A forecast.",
    source: "P. Glasserman, Monte Carlo Methods in Financial Engineering (2003); D. N. Politis, J. P. Romano, J. American Statistical Association 89 (1994)",
    reference: "closed-form moments",
    outputs: &[
        ("time", "years of each step, the start included"),
        ("quantiles", "by quantile: the price at each time"),
        ("mean", "mean price at each time"),
        ("standard_deviation", "of the price at each time, ddof 1"),
        ("closed_form_mean", "gbm: S e^(μt); bootstrap: empty"),
        (
            "closed_form_standard_deviation",
            "gbm: of the log-normal price; bootstrap: empty",
        ),
        (
            "closed_form_quantiles",
            "gbm: by quantile, the log-normal one at each time; bootstrap: empty",
        ),
        ("spot", "price at the start"),
        ("drift", "μ that was used, a year"),
        ("volatility", "σ that was used, a year"),
        ("terminal_mean", "mean price at the end"),
        (
            "terminal_standard_error",
            "of that mean, over pairs when antithetic; null for one pair",
        ),
        ("terminal_quantiles", "by quantile: the price at the end"),
        (
            "probability_of_loss",
            "share of paths that end below the start",
        ),
        (
            "terminal_cvar_95",
            "mean return of the worst twentieth of the paths",
        ),
        (
            "max_drawdown_mean",
            "mean over the paths of the largest fall from a peak, negative",
        ),
        ("max_drawdown_quantiles", "by quantile: the largest fall"),
        ("sample_paths", "the first paths, whole"),
    ],
    stochastic: true,
    evidence: &[Evidence {
        against: "closed-form moments and quantiles of geometric Brownian motion; moments of the drawn returns by hand",
        cases: "drifts and volatilities given and estimated from S&P 500 closes",
        tolerance: "4 standard errors; estimates 1e-12",
    }],
    presets: &[],
    exemptions: &[],
};

/// Prices held at once at most: 160 megabytes.
const MOST_PRICES: usize = 20_000_000;

/// Log returns of the series.
struct Past {
    logs: Vec<f64>,
    last: f64,
}

fn past(data: &SeriesTable) -> Result<Option<Past>, FitError> {
    if data.names().is_empty() {
        return Ok(None);
    }
    let prices = data.series(0);
    let name = &data.names()[0];
    if prices.len() < 3 {
        return Err(FitError::Data(format!(
            "column \"{name}\" has {} rows: give at least 3 prices",
            prices.len()
        )));
    }
    // Refuses what is no price.
    changes(&prices, Input::Prices, 1.0, name)?;
    Ok(Some(Past {
        logs: prices.windows(2).map(|w| (w[1] / w[0]).ln()).collect(),
        last: prices[prices.len() - 1],
    }))
}

/// What the paths are made with.
struct Model {
    spot: f64,
    /// Of the log price, a year.
    growth: f64,
    volatility: f64,
}

impl MonteCarloPathsParams {
    fn model(&self, past: Option<&Past>) -> Result<Model, FitError> {
        let (mut growth, mut volatility) = (None, 0.2);
        if let Some(past) = past {
            let n = past.logs.len() as f64;
            let mean = past.logs.iter().sum::<f64>() / n;
            let squares: f64 = past.logs.iter().map(|l| (l - mean).powi(2)).sum();
            growth = Some(self.periods_per_year * mean);
            volatility = (self.periods_per_year * squares / (n - 1.0)).sqrt();
        }
        let volatility = self.volatility.unwrap_or(volatility);
        let half = volatility * volatility / 2.0;
        let growth = match (self.drift, growth) {
            (Some(drift), _) => drift - half,
            (None, Some(growth)) => growth,
            (None, None) => -half,
        };
        let spot = self.spot.or(past.map(|p| p.last)).unwrap_or(100.0);
        if !(growth.is_finite() && volatility.is_finite()) {
            return Err(FitError::Data(
                "drift or volatility is too large for doubles: they are fractions a year".into(),
            ));
        }
        Ok(Model {
            spot,
            growth,
            volatility,
        })
    }

    /// Paths of log prices less the first, path after path, `n_steps` values each.
    fn brownian(&self, m: &Model, random: &mut Xoshiro256PlusPlus) -> Vec<f64> {
        let dt = self.time / self.n_steps as f64;
        let (drift, scale) = (m.growth * dt, m.volatility * dt.sqrt());
        let mut all: Vec<f64> = Vec::with_capacity(self.n_paths * self.n_steps);
        for path in 0..self.n_paths {
            let mut w = 0.0;
            if self.antithetic && path % 2 == 1 {
                for k in 0..self.n_steps {
                    // What the path before added, mirrored at the drift.
                    let t = drift * (k + 1) as f64;
                    all.push(2.0 * t - all[(path - 1) * self.n_steps + k]);
                }
                continue;
            }
            for _ in 0..self.n_steps {
                w += drift + scale * normal(random);
                all.push(w);
            }
        }
        all
    }

    fn bootstrap(
        &self,
        m: &Model,
        past: &Past,
        random: &mut Xoshiro256PlusPlus,
    ) -> Result<Vec<f64>, FitError> {
        let rows = self.time * self.periods_per_year / self.n_steps as f64;
        let each = rows.round();
        if each < 1.0 || (rows - each).abs() > 1e-9 * rows {
            return Err(FitError::Data(format!(
                "a step spans {rows} rows: with bootstrap time * periods_per_year / n_steps must be a whole number; for {} years take n_steps = {}",
                self.time,
                (self.time * self.periods_per_year).round().max(1.0)
            )));
        }
        let draws = each * self.n_steps as f64 * self.n_paths as f64;
        if draws > 1e9 {
            return Err(FitError::Data(format!(
                "{draws:e} rows are to be drawn, more than 1e9: take fewer paths or years"
            )));
        }
        let n = past.logs.len();
        let mean = past.logs.iter().sum::<f64>() / n as f64;
        let squares: f64 = past.logs.iter().map(|l| (l - mean).powi(2)).sum();
        let sd = (self.periods_per_year * squares / (n as f64 - 1.0)).sqrt();
        let stretch = match self.volatility {
            Some(v) if sd > 0.0 => v / sd,
            _ => 1.0,
        };
        let centre = match self.drift {
            Some(_) => m.growth / self.periods_per_year,
            None => mean,
        };
        let logs: Vec<f64> = past
            .logs
            .iter()
            .map(|l| centre + stretch * (l - mean))
            .collect();
        let jump = 1.0
            / self
                .block_length
                .unwrap_or_else(|| (n as f64).cbrt().max(1.0));
        let mut all = Vec::with_capacity(self.n_paths * self.n_steps);
        for _ in 0..self.n_paths {
            let (mut w, mut place) = (0.0, random.gen_range(0..n));
            for _ in 0..self.n_steps {
                for _ in 0..each as usize {
                    w += logs[place];
                    place = if random.r#gen::<f64>() < jump {
                        random.gen_range(0..n)
                    } else {
                        (place + 1) % n
                    };
                }
                all.push(w);
            }
        }
        Ok(all)
    }
}

/// An object by quantile.
fn by_quantile(quantiles: &[f64], of: impl Fn(f64) -> Value) -> Value {
    Value::Object(Map::from_iter(
        quantiles.iter().map(|q| (q.to_string(), of(*q))),
    ))
}

impl Analysis for MonteCarloPaths {
    type Params = MonteCarloPathsParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (0, 1);
    const TAKES: Takes = Takes::Levels;

    fn analyse(
        p: &MonteCarloPathsParams,
        data: &SeriesTable,
        ask: Ask,
    ) -> Result<Outputs, FitError> {
        let held = p.n_paths.saturating_mul(p.n_steps);
        if held > MOST_PRICES {
            return Err(FitError::Data(format!(
                "{} paths of {} steps are {held} prices, more than {MOST_PRICES}: take fewer paths or steps",
                p.n_paths, p.n_steps
            )));
        }
        let past = past(data)?;
        let m = p.model(past.as_ref())?;
        let mut random = Xoshiro256PlusPlus::seed_from_u64(run::effective_seed(p.seed, ask.seed));
        let gbm = p.method == Steps::Gbm;
        let logs = match (&past, gbm) {
            (_, true) => p.brownian(&m, &mut random),
            (Some(past), false) => p.bootstrap(&m, past, &mut random)?,
            (None, false) => {
                return Err(FitError::Data(
                    "method bootstrap draws from the returns of a series: hand one in, or use method=gbm".into(),
                ));
            }
        };
        let prices: Vec<f64> = logs.iter().map(|w| m.spot * w.exp()).collect();
        if prices.iter().any(|v| !v.is_finite()) {
            return Err(FitError::Failed(
                "the simulated prices are too large for doubles: drift, volatility or time is too large".into(),
            ));
        }
        Ok(summary(p, &m, &prices, gbm))
    }
}

fn summary(p: &MonteCarloPathsParams, m: &Model, prices: &[f64], gbm: bool) -> Outputs {
    let steps = p.n_steps;
    let n = p.n_paths as f64;
    let time: Vec<f64> = (0..=steps)
        .map(|k| p.time * k as f64 / steps as f64)
        .collect();
    let (mut mean, mut sd) = (vec![m.spot], vec![0.0]);
    let mut fan: Vec<Vec<f64>> = vec![vec![m.spot]; p.quantiles.len()];
    let mut last = Vec::new();
    for k in 0..steps {
        let mut column: Vec<f64> = prices.iter().skip(k).step_by(steps).copied().collect();
        let centre = column.iter().sum::<f64>() / n;
        let squares: f64 = column.iter().map(|v| (v - centre).powi(2)).sum();
        mean.push(centre);
        sd.push((squares / (n - 1.0)).sqrt());
        column.sort_by(f64::total_cmp);
        for (line, q) in fan.iter_mut().zip(&p.quantiles) {
            line.push(quantile(&column, *q));
        }
        last = column;
    }
    let mut falls: Vec<f64> = prices
        .chunks(steps)
        .map(|path| {
            let (mut peak, mut worst) = (m.spot, 0.0_f64);
            for v in path {
                peak = peak.max(*v);
                worst = worst.min(v / peak - 1.0);
            }
            worst
        })
        .collect();
    let mean_fall = falls.iter().sum::<f64>() / n;
    falls.sort_by(f64::total_cmp);
    let losses = last.iter().filter(|v| **v < m.spot).count() as f64 / n;
    let worst = &last[..(last.len() / 20).max(1)];
    let tail = worst.iter().sum::<f64>() / worst.len() as f64 / m.spot - 1.0;
    // A path and its mirror image are one sample.
    let error = if gbm && p.antithetic {
        let ends: Vec<f64> = prices.chunks(steps).map(|path| path[steps - 1]).collect();
        let (pairs, _) = ends.as_chunks::<2>();
        let count = pairs.len() as f64;
        let squares: f64 = pairs
            .iter()
            .map(|[a, b]| ((a + b) / 2.0 - mean[steps]).powi(2))
            .sum();
        (squares / (count - 1.0) / count).sqrt()
    } else {
        sd[steps] / n.sqrt()
    };
    let drift = m.growth + m.volatility * m.volatility / 2.0;
    let closed = |of: &dyn Fn(f64) -> f64| -> Value {
        if gbm {
            numbers(&time.iter().map(|t| of(*t)).collect::<Vec<f64>>())
        } else {
            Value::Array(Vec::new())
        }
    };
    let lines = p.quantiles.iter().zip(&fan);
    let shown = prices.chunks(steps).take(p.n_sample_paths);
    Outputs::from_iter([
        ("time".to_owned(), numbers(&time)),
        (
            "quantiles".to_owned(),
            Value::Object(
                lines
                    .map(|(q, line)| (q.to_string(), numbers(line)))
                    .collect(),
            ),
        ),
        ("mean".to_owned(), numbers(&mean)),
        ("standard_deviation".to_owned(), numbers(&sd)),
        (
            "closed_form_mean".to_owned(),
            closed(&|t| m.spot * (drift * t).exp()),
        ),
        (
            "closed_form_standard_deviation".to_owned(),
            closed(&|t| {
                m.spot * (drift * t).exp() * (m.volatility * m.volatility * t).exp_m1().sqrt()
            }),
        ),
        (
            "closed_form_quantiles".to_owned(),
            by_quantile(&p.quantiles, |q| {
                let z = normal_quantile(q);
                closed(&|t| m.spot * (m.growth * t + m.volatility * t.sqrt() * z).exp())
            }),
        ),
        ("spot".to_owned(), number(m.spot)),
        ("drift".to_owned(), number(drift)),
        ("volatility".to_owned(), number(m.volatility)),
        ("terminal_mean".to_owned(), number(mean[steps])),
        ("terminal_standard_error".to_owned(), number(error)),
        (
            "terminal_quantiles".to_owned(),
            by_quantile(&p.quantiles, |q| number(quantile(&last, q))),
        ),
        ("probability_of_loss".to_owned(), number(losses)),
        ("terminal_cvar_95".to_owned(), number(tail)),
        ("max_drawdown_mean".to_owned(), number(mean_fall)),
        (
            "max_drawdown_quantiles".to_owned(),
            by_quantile(&p.quantiles, |q| number(quantile(&falls, q))),
        ),
        (
            "sample_paths".to_owned(),
            shown
                .map(|path| {
                    let whole: Vec<f64> = std::iter::once(m.spot)
                        .chain(path.iter().copied())
                        .collect();
                    numbers(&whole)
                })
                .collect(),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::design;
    use mltrainer_catalogue_core::Params as _;
    use serde_json::json;

    fn run_on(given: Value, data: &SeriesTable) -> Outputs {
        let params = MonteCarloPathsParams::from_map(given.as_object().unwrap()).unwrap();
        MonteCarloPaths::analyse(
            &params,
            data,
            Ask {
                horizon: 1,
                seed: 5,
            },
        )
        .unwrap()
    }

    /// Closes of the S&P 500, 2014-01-02 to 2014-01-10.
    fn closes() -> SeriesTable {
        let rows = [
            1831.97998,
            1831.369995,
            1826.77002,
            1837.880005,
            1837.48999,
            1838.130005,
            1842.369995,
        ];
        let rows: Vec<[f64; 1]> = rows.map(|v| [v]).to_vec();
        let rows: Vec<&[f64]> = rows.iter().map(|r| &r[..]).collect();
        SeriesTable::new(design(&rows), None).unwrap()
    }

    #[test]
    fn moments_and_quantiles_are_those_of_the_log_normal_law() {
        let found = run_on(
            json!({"drift": 0.08, "volatility": 0.3, "time": 2, "n_steps": 4, "n_paths": 40_000}),
            &SeriesTable::none(),
        );
        let list = |name: &str| -> Vec<f64> {
            found[name]
                .as_array()
                .unwrap()
                .iter()
                .map(|v| v.as_f64().unwrap())
                .collect()
        };
        let (mean, want, sd) = (
            list("mean"),
            list("closed_form_mean"),
            list("standard_deviation"),
        );
        // At two years: 100 e^0.16 = 117.351, sd = 117.351 √(e^0.18 - 1) = 52.114.
        assert!((want[4] - 117.351).abs() < 1e-3);
        assert!((list("closed_form_standard_deviation")[4] - 52.114).abs() < 1e-3);
        for k in 1..=4 {
            let se = sd[k] / 200.0;
            assert!((mean[k] - want[k]).abs() < 4.0 * se, "{k}");
        }
        assert!((sd[4] / 52.114 - 1.0).abs() < 0.05);
        // The median is 100 e^(0.16 - 0.09) = 107.251.
        let median = found["terminal_quantiles"]["0.5"].as_f64().unwrap();
        assert!((median - 107.251).abs() < 1.2, "{median}");
        let closed = found["closed_form_quantiles"]["0.5"][4].as_f64().unwrap();
        assert!((closed - 107.251).abs() < 1e-3);
        // Φ(-0.07/(0.3 √2)) = Φ(-0.16499) = 0.43448 of the paths lose.
        let loss = found["probability_of_loss"].as_f64().unwrap();
        assert!((loss - 0.43448).abs() < 4.0 * (0.25f64 / 40_000.0).sqrt());
    }

    #[test]
    fn drift_and_volatility_are_those_of_the_series() {
        let found = run_on(json!({"n_paths": 10, "n_steps": 2}), &closes());
        // numpy 2.4: r = diff(log(x)); 252*r.mean() + 126*r.var(ddof=1), sqrt(252*r.var(ddof=1)).
        let got = |name: &str| found[name].as_f64().unwrap();
        assert!((got("drift") - DRIFT).abs() < 1e-10, "{}", got("drift"));
        assert!(
            (got("volatility") - VOLATILITY).abs() < 1e-12,
            "{}",
            got("volatility")
        );
        assert_eq!(got("spot"), 1842.369995);
    }

    const DRIFT: f64 = 0.238_620_975_272_258_5;
    const VOLATILITY: f64 = 0.046_739_098_271_847_836;

    #[test]
    fn the_bootstrap_draws_real_returns() {
        let found = run_on(
            json!({"method": "bootstrap", "time": 1.0 / 252.0, "n_steps": 1, "n_paths": 5000,
                "n_sample_paths": 100}),
            &closes(),
        );
        let closes = closes().series(0);
        let real: Vec<f64> = closes.windows(2).map(|w| w[1] / w[0]).collect();
        for path in found["sample_paths"].as_array().unwrap() {
            let gross = path[1].as_f64().unwrap() / 1842.369995;
            assert!(real.iter().any(|r| (r - gross).abs() < 1e-12));
        }
        let mean = real.iter().sum::<f64>() / 6.0 * 1842.369995;
        let off = (found["terminal_mean"].as_f64().unwrap() - mean).abs();
        assert!(off < 4.0 * found["terminal_standard_error"].as_f64().unwrap());
        let params =
            MonteCarloPathsParams::from_map(json!({"method": "bootstrap"}).as_object().unwrap());
        let refused = MonteCarloPaths::analyse(
            &params.unwrap(),
            &SeriesTable::none(),
            Ask {
                horizon: 1,
                seed: 0,
            },
        );
        assert!(refused.unwrap_err().to_string().contains("hand one in"));
    }

    #[test]
    fn mirror_images_leave_the_mean_of_the_logs_alone() {
        let found = run_on(
            json!({"drift": 0.05, "volatility": 0.2, "antithetic": true, "n_paths": 2, "n_steps": 3,
                "n_sample_paths": 2}),
            &SeriesTable::none(),
        );
        let paths = &found["sample_paths"];
        // ln of both sums to twice the drift of the log, (0.05 - 0.02) * 1.
        let sum = |k: usize| {
            let at = |i: usize| (paths[i][k].as_f64().unwrap() / 100.0).ln();
            at(0) + at(1)
        };
        assert!((sum(3) - 0.06).abs() < 1e-12);
        assert!((sum(1) - 0.02).abs() < 1e-12);
    }
}
