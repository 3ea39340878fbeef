//! Monte Carlo option pricing.
//!
//! What: the price of a European or Asian option as the mean discounted payoff over simulated prices, with its
//! standard error, and with antithetic and control variates.
//! Formula: e^(-rT) mean(payoff); S_t = S exp((r - q - σ²/2) t + σ W_t).
//! Data: none.
//! Cost: O(n_paths n_steps), n_steps 1 for European options.
//! Fails when: payoffs are rare (far out of the money): the standard error is then itself a guess.
//! Source: Boyle (1977); Kemna, Vorst (1990).
//! Not claimed: early exercise.

use super::engine::{Contract, OptionType};
use crate::distributions::normal_cdf;
use crate::numeric::normal;
use crate::test::engine::number;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, Takes, choices, params, run,
};
use mltrainer_types::catalogue::Task;
use rand::SeedableRng as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::Value;

/// The handle.
pub struct MonteCarloOption;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<MonteCarloOption>().tested_with(&[("n_paths", "2000")]);

choices! {
    /// What the payoff is of.
    pub enum Payoff {
        /// The price at expiry.
        European = "european",
        /// The mean of prices up to expiry.
        Asian = "asian",
    }
}

choices! {
    /// The mean of an Asian option.
    pub enum Average {
        /// Sum over number.
        Arithmetic = "arithmetic",
        /// Root of the product.
        Geometric = "geometric",
    }
}

params! {
    /// Parameters of Monte Carlo option pricing.
    pub struct MonteCarloOptionParams {
        /// The right: to buy or to sell.
        option_type: OptionType = OptionType::Call;
        /// What the payoff is of: the price at expiry or the mean of prices.
        style: Payoff = Payoff::European;
        /// Price of the asset.
        spot: f64 = 100.0, above(0.0);
        /// Price at which it may be bought or sold.
        strike: f64 = 100.0, above(0.0);
        /// Years to expiry.
        time: f64 = 1.0, at_least(0.0);
        /// Continuous interest rate a year, as a fraction; may be negative.
        rate: f64 = 0.0;
        /// Continuous dividend yield a year, as a fraction.
        dividend: f64 = 0.0;
        /// Volatility a year, as a fraction.
        volatility: f64 = 0.2, at_least(0.0);
        /// Paths, an antithetic one counted.
        n_paths: usize = 100_000, within(10.0, 10_000_000.0);
        /// Prices in the mean of an Asian option, equally spaced, the last at expiry, the spot left out.
        n_steps: usize = 50, within(1.0, 10_000.0);
        /// The mean of an Asian option.
        average: Average = Average::Arithmetic;
        /// Whether every path is taken with its mirror image; an odd path is left out.
        antithetic: bool = true;
        /// Whether the known price of a similar payoff corrects the mean: the geometric Asian option for
        /// the arithmetic one, else the price at expiry.
        control_variate: bool = true;
        /// Seed of the paths; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "monte_carlo_option",
    family: "options",
    title: "Monte Carlo option pricing",
    tasks: &[Task::Pricing],
    inputs: Inputs::Nothing,
    summary: "The price of a European or Asian call or put as the mean discounted payoff over simulated prices, with its standard error. Mirror images and a payoff of known price make it surer.",
    formula: "S_t = S exp((r-q-σ²/2) t + σ W_t); price = e^(-rT) mean(payoff); with a control X of known mean: mean(Y) - b (mean(X) - E X), b = cov(X,Y)/var(X); standard error = sd/√n over independent samples (pairs, when antithetic)",
    data: "None.",
    cost: "O(n_paths n_steps), n_steps 1 for European options",
    fails_when: "Payoffs are rare (far out of the money): the standard error is then itself a guess.",
    not_claimed: "Early exercise, barriers, volatility that changes. The price moves with the seed, as its standard error says.",
    source: "P. Boyle, J. Financial Economics 4 (1977); A. Kemna, A. Vorst, J. Banking & Finance 14 (1990); P. Glasserman, Monte Carlo Methods in Financial Engineering (2003)",
    reference: "Black-Scholes price; the geometric Asian closed form",
    outputs: &[
        ("price", "the price, in the units of the spot"),
        ("standard_error", "of the price"),
        ("interval_lower", "price less 1.96 standard errors"),
        ("interval_upper", "price and 1.96 standard errors"),
        ("delta", "change of the price with the spot, pathwise"),
        ("delta_standard_error", "of delta"),
        ("plain_price", "the mean without the control"),
        ("plain_standard_error", "of the mean without the control"),
        ("control_coefficient", "b; 0 without a control"),
        (
            "closed_form_price",
            "european: Black-Scholes; asian: that of the geometric mean, for the arithmetic one a bound from one side",
        ),
        ("n_samples", "independent samples: paths or pairs"),
    ],
    stochastic: true,
    evidence: &[Evidence {
        against: "Black-Scholes price; closed form of the geometric Asian option; 800,000 paths computed with numpy 2.4",
        cases: "S&P 500 calls and puts, European and Asian with 12 and 50 prices",
        tolerance: "4 standard errors",
    }],
    presets: &[],
    exemptions: &[],
};

/// Prices simulated at most, which take some ten seconds.
const MOST_STEPS: f64 = 1e9;

/// Mean and variance of ln G, G the geometric mean of n equally spaced prices without the spot.
fn geometric(c: &Contract, volatility: f64, n: f64) -> (f64, f64) {
    let drift = c.rate - c.dividend - volatility * volatility / 2.0;
    let mean = c.spot.ln() + drift * c.time * (n + 1.0) / (2.0 * n);
    let variance = volatility * volatility * c.time * (n + 1.0) * (2.0 * n + 1.0) / (6.0 * n * n);
    (mean, variance)
}

/// Price of the option on a log-normal mean.
fn geometric_price(c: &Contract, volatility: f64, n: f64) -> f64 {
    let (mean, variance) = geometric(c, volatility, n);
    let sd = variance.sqrt();
    let forward = (mean + variance / 2.0).exp();
    let discount = (-c.rate * c.time).exp();
    if sd == 0.0 {
        return discount * c.payoff(forward);
    }
    let d1 = (mean - c.strike.ln() + variance) / sd;
    let sign = c.sign();
    discount * sign * (forward * normal_cdf(sign * d1) - c.strike * normal_cdf(sign * (d1 - sd)))
}

/// What one path gives, discounted.
#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    payoff: f64,
    control: f64,
    delta: f64,
}

impl Sample {
    fn with(self, other: Self) -> Self {
        Self {
            payoff: (self.payoff + other.payoff) / 2.0,
            control: (self.control + other.control) / 2.0,
            delta: (self.delta + other.delta) / 2.0,
        }
    }
}

/// Means, variances and the covariance of payoff and control, one sample after the other (Welford).
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    n: f64,
    payoff: f64,
    control: f64,
    delta: f64,
    payoffs: f64,
    controls: f64,
    both: f64,
    deltas: f64,
}

impl Moments {
    fn push(&mut self, s: Sample) {
        self.n += 1.0;
        let (y, x, d) = (
            s.payoff - self.payoff,
            s.control - self.control,
            s.delta - self.delta,
        );
        self.payoff += y / self.n;
        self.control += x / self.n;
        self.delta += d / self.n;
        self.payoffs += y * (s.payoff - self.payoff);
        self.controls += x * (s.control - self.control);
        self.both += x * (s.payoff - self.payoff);
        self.deltas += d * (s.delta - self.delta);
    }
}

struct Simulation<'a> {
    c: &'a Contract,
    asian: bool,
    arithmetic: bool,
    steps: usize,
    drift: f64,
    scale: f64,
    discount: f64,
}

impl Simulation<'_> {
    /// The path of these shocks, or with -1 its mirror image.
    fn path(&self, shocks: &[f64], mirror: f64) -> Sample {
        let (mut w, mut sum, mut logs) = (0.0, 0.0, 0.0);
        for z in shocks {
            w += self.drift + mirror * self.scale * z;
            if self.asian {
                logs += w;
                if self.arithmetic {
                    sum += w.exp();
                }
            }
        }
        let n = self.steps as f64;
        let spot = self.c.spot;
        let last = spot * w.exp();
        let geometric = if self.asian {
            spot * (logs / n).exp()
        } else {
            last
        };
        let settled = if self.asian && self.arithmetic {
            spot * sum / n
        } else {
            geometric
        };
        let payoff = self.discount * self.c.payoff(settled);
        let control = if self.asian && self.arithmetic {
            self.c.payoff(geometric)
        } else {
            last
        };
        // The settled price is a multiple of the spot.
        let pays = payoff > 0.0;
        Sample {
            payoff,
            control: self.discount * control,
            delta: if pays {
                self.c.sign() * self.discount * settled / spot
            } else {
                0.0
            },
        }
    }
}

impl Analysis for MonteCarloOption {
    type Params = MonteCarloOptionParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (0, 0);
    const TAKES: Takes = Takes::Nothing;

    fn analyse(p: &MonteCarloOptionParams, _: &SeriesTable, ask: Ask) -> Result<Outputs, FitError> {
        let c = Contract {
            call: p.option_type == OptionType::Call,
            spot: p.spot,
            strike: p.strike,
            time: p.time,
            rate: p.rate,
            dividend: p.dividend,
        }
        .checked()?;
        let asian = p.style == Payoff::Asian;
        let arithmetic = p.average == Average::Arithmetic;
        let steps = if asian { p.n_steps } else { 1 };
        if (p.n_paths as f64) * (steps as f64) > MOST_STEPS {
            return Err(FitError::Data(format!(
                "{} paths of {steps} steps are more than {MOST_STEPS:e} prices: take fewer paths or steps",
                p.n_paths
            )));
        }
        let dt = p.time / steps as f64;
        let simulation = Simulation {
            c: &c,
            asian,
            arithmetic,
            steps,
            drift: (p.rate - p.dividend - p.volatility * p.volatility / 2.0) * dt,
            scale: p.volatility * dt.sqrt(),
            discount: (-p.rate * p.time).exp(),
        };
        let mut random = Xoshiro256PlusPlus::seed_from_u64(run::effective_seed(p.seed, ask.seed));
        let mut moments = Moments::default();
        let mut shocks = vec![0.0; steps];
        let samples = if p.antithetic {
            p.n_paths / 2
        } else {
            p.n_paths
        };
        for _ in 0..samples {
            shocks.iter_mut().for_each(|z| *z = normal(&mut random));
            let sample = simulation.path(&shocks, 1.0);
            moments.push(if p.antithetic {
                sample.with(simulation.path(&shocks, -1.0))
            } else {
                sample
            });
        }
        let closed = if asian {
            geometric_price(&c, p.volatility, steps as f64)
        } else {
            c.price(p.volatility)
        };
        let known = if asian && arithmetic {
            closed
        } else {
            c.present_spot()
        };
        let outputs = outputs(p, &moments, known, closed);
        if outputs["price"].is_null() {
            return Err(FitError::Failed(
                "the simulated prices are too large for doubles: volatility or time is too large"
                    .into(),
            ));
        }
        Ok(outputs)
    }
}

fn outputs(p: &MonteCarloOptionParams, m: &Moments, known: f64, closed: f64) -> Outputs {
    let error = |squares: f64| (squares.max(0.0) / (m.n - 1.0) / m.n).sqrt();
    let b = if p.control_variate && m.controls > 0.0 {
        m.both / m.controls
    } else {
        0.0
    };
    let price = m.payoff - b * (m.control - known);
    // What the control leaves, one degree of freedom less for its coefficient.
    let left = (m.payoffs - b * m.both).max(0.0);
    let se = if b == 0.0 {
        error(m.payoffs)
    } else {
        (left / (m.n - 2.0) / m.n).sqrt()
    };
    let named = [
        ("price", price),
        ("standard_error", se),
        ("interval_lower", price - 1.959_963_984_540_054 * se),
        ("interval_upper", price + 1.959_963_984_540_054 * se),
        ("delta", m.delta),
        ("delta_standard_error", error(m.deltas)),
        ("plain_price", m.payoff),
        ("plain_standard_error", error(m.payoffs)),
        ("control_coefficient", b),
        ("closed_form_price", closed),
    ];
    let mut outputs: Outputs = named
        .map(|(name, v)| (name.to_owned(), number(v)))
        .into_iter()
        .collect();
    outputs.insert("n_samples".into(), Value::from(m.n as u64));
    outputs
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_catalogue_core::Params as _;
    use serde_json::json;

    fn run_with(given: Value, seed: u64) -> Outputs {
        let params = MonteCarloOptionParams::from_map(given.as_object().unwrap()).unwrap();
        MonteCarloOption::analyse(&params, &SeriesTable::none(), Ask { horizon: 1, seed }).unwrap()
    }

    fn of(outputs: &Outputs, name: &str) -> f64 {
        outputs[name].as_f64().unwrap()
    }

    #[test]
    fn the_standard_error_tells_the_distance_to_the_closed_form() {
        // Over 60 seeds the distance over its standard error has mean 0 and deviation 1: the mean of 60 is
        // within 4/√60, their mean square within 1 ± 4 √(2/60).
        for given in [
            json!({"option_type": "put", "rate": 0.03, "dividend": 0.01, "n_paths": 2000}),
            json!({"style": "asian", "average": "geometric", "n_steps": 5, "n_paths": 2000}),
            json!({"strike": 110, "n_paths": 2000, "antithetic": false, "control_variate": false}),
        ] {
            let z: Vec<f64> = (0..60)
                .map(|seed| {
                    let found = run_with(given.clone(), seed);
                    (of(&found, "price") - of(&found, "closed_form_price"))
                        / of(&found, "standard_error")
                })
                .collect();
            let mean = z.iter().sum::<f64>() / 60.0;
            let square = z.iter().map(|z| z * z).sum::<f64>() / 60.0;
            assert!(mean.abs() < 0.52, "{given}: {mean}");
            assert!((square - 1.0).abs() < 0.73, "{given}: {square}");
        }
    }

    #[test]
    fn delta_is_that_of_the_closed_form() {
        let found = run_with(json!({"strike": 105, "rate": 0.02, "n_paths": 100_000}), 3);
        // Φ(d1) with d1 = (ln(100/105) + 0.02 + 0.02)/0.2.
        let want = normal_cdf(((100.0f64 / 105.0).ln() + 0.04) / 0.2);
        let off = (of(&found, "delta") - want).abs();
        assert!(off < 4.0 * of(&found, "delta_standard_error"), "{off}");
    }

    #[test]
    fn the_geometric_control_takes_most_of_the_error() {
        let found = run_with(
            json!({"style": "asian", "n_steps": 12, "n_paths": 20_000}),
            1,
        );
        assert!(of(&found, "standard_error") < 0.1 * of(&found, "plain_standard_error"));
        // The arithmetic mean is at least the geometric one.
        assert!(of(&found, "price") > of(&found, "closed_form_price"));
        // One price in the mean is a European option.
        let one = run_with(json!({"style": "asian", "n_steps": 1, "strike": 90}), 1);
        let european = run_with(json!({"strike": 90}), 1);
        assert!((of(&one, "closed_form_price") - of(&european, "closed_form_price")).abs() < 1e-12);
    }

    #[test]
    fn without_variance_there_is_no_error() {
        let sure = run_with(json!({"volatility": 0, "spot": 110, "rate": 0.05}), 1);
        assert!((of(&sure, "price") - (110.0 - 100.0 * (-0.05f64).exp())).abs() < 1e-9);
        assert!(of(&sure, "standard_error") < 1e-12);
    }
}
