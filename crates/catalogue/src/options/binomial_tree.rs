//! Binomial tree (European, American).
//!
//! What: the price of an option by backward induction over a tree of prices, with early exercise.
//! Formula: V = max(exercise, e^(-r dt) (p V_up + (1-p) V_down)).
//! Data: none.
//! Cost: O(steps²) time, O(steps) memory.
//! Fails when: there are few steps: the price swings about its limit as the strike moves between nodes.
//! Source: Cox, Ross, Rubinstein (1979).
//! Not claimed: dividends paid in cash on fixed days.

use super::engine::{Contract, OptionType};
use crate::test::engine::number;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::numbers;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, Takes, choices, params,
};
use mltrainer_types::catalogue::Task;
use mltrainer_types::finite;
use serde_json::Value;

/// The handle.
pub struct BinomialTree;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<BinomialTree>();

choices! {
    /// When an option can be exercised.
    pub enum Exercise {
        /// At expiry.
        European = "european",
        /// At every step.
        American = "american",
    }
}

choices! {
    /// How a tree moves.
    pub enum Shape {
        /// Cox, Ross and Rubinstein: up by e^(σ√dt), down by its reciprocal.
        Crr = "crr",
        /// Jarrow and Rudd: up and down with the same probability.
        JarrowRudd = "jarrow_rudd",
        /// Leisen and Reimer: centred on the strike, so that the price converges without swings.
        LeisenReimer = "leisen_reimer",
    }
}

params! {
    /// Parameters of the binomial tree.
    pub struct BinomialTreeParams {
        /// The right: to buy or to sell.
        option_type: OptionType = OptionType::Call;
        /// When it can be exercised.
        style: Exercise = Exercise::European;
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
        /// Steps of the tree; leisen_reimer takes one more when they are even.
        steps: usize = 100, within(1.0, 20_000.0);
        /// How the tree moves.
        tree: Shape = Shape::Crr;
    }
}

const CARD: Card = Card {
    id: "binomial_tree",
    family: "options",
    title: "Binomial tree (European, American)",
    tasks: &[Task::Pricing],
    inputs: Inputs::Nothing,
    summary: "The price of a European or American call or put by backward induction over a binomial tree, its Greeks from the tree, and the spot beyond which an American option is exercised.",
    formula: "dt = T/steps; crr: u = e^(σ√dt), d = 1/u, p = (e^((r-q)dt) - d)/(u - d); V = e^(-r dt) (p V_up + (1-p) V_down), American: at least what exercise pays, the root included. Delta, gamma and theta from the first two steps; vega and rho by central differences of the tree (1 % of volatility or less, 0.1 % of rate)",
    data: "None.",
    cost: "O(steps²) time, O(steps) memory",
    fails_when: "There are few steps: the price of crr and jarrow_rudd swings about its limit as the strike moves between nodes, and vega more so. A tree whose probability leaves 0..1 is refused.",
    not_claimed: "Dividends paid in cash on fixed days; volatility that changes with price or time.",
    source: "J. C. Cox, S. A. Ross, M. Rubinstein, J. Financial Economics 7 (1979); R. Jarrow, A. Rudd, Option Pricing (1983); D. Leisen, M. Reimer, Applied Mathematical Finance 3 (1996)",
    reference: "the formula, computed with numpy 2.4",
    outputs: &[
        ("price", "the price, in the units of the spot"),
        (
            "delta",
            "change of the price with the spot, for 1.00; null without variance left",
        ),
        ("gamma", "change of delta with the spot; null for one step"),
        (
            "theta",
            "change of the price as time passes, a year; null for one step",
        ),
        ("vega", "change of the price with the volatility, for 1.00"),
        ("rho", "change of the price with the rate, for 1.00"),
        (
            "european_price",
            "the price on the same tree without early exercise",
        ),
        ("early_exercise_premium", "price less european_price"),
        (
            "black_scholes_price",
            "the closed form of the European option, which the tree nears",
        ),
        ("intrinsic_value", "what exercise now would pay"),
        (
            "exercise_boundary",
            "american: by step, the spot nearest to the strike at which exercise pays more than waiting, null where none does; european: empty",
        ),
        (
            "exercise_time",
            "american: years of each step; european: empty",
        ),
        ("up", "factor of a step up; null without variance left"),
        ("down", "factor of a step down"),
        ("probability", "risk-neutral probability of a step up"),
        ("steps", "steps taken"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "the formulas, computed with numpy 2.4; Hull, Options, Futures and Other Derivatives (2014)",
        cases: "S&P 500 calls and puts, European and American, 51 to 500 steps; all three trees; Hull's American put",
        tolerance: "1e-8 relative",
    }],
    presets: &[],
    exemptions: &[],
};

/// Factors of a step and the probability of the one up.
#[derive(Debug, Clone, Copy)]
struct Moves {
    steps: usize,
    dt: f64,
    up: f64,
    down: f64,
    probability: f64,
}

impl Moves {
    /// # Errors
    /// When the probability is none; says how many steps would do.
    fn new(c: &Contract, volatility: f64, steps: usize, shape: Shape) -> Result<Self, FitError> {
        let even = shape == Shape::LeisenReimer && steps.is_multiple_of(2);
        let steps = steps + usize::from(even);
        let dt = c.time / steps as f64;
        let carry = c.rate - c.dividend;
        let s = volatility * dt.sqrt();
        let growth = (carry * dt).exp();
        let (up, down, probability) = match shape {
            Shape::Crr => {
                let (up, down) = (s.exp(), (-s).exp());
                (up, down, (growth - down) / (up - down))
            }
            Shape::JarrowRudd => {
                let drift = carry * dt - s * s / 2.0;
                ((drift + s).exp(), (drift - s).exp(), 0.5)
            }
            Shape::LeisenReimer => {
                let n = steps as f64;
                // Peizer and Pratt's inversion of the binomial distribution, method 2.
                let invert = |z: f64| {
                    let r = z / (n + 1.0 / 3.0 + 0.1 / (n + 1.0));
                    let inside = 0.25 - 0.25 * (-r * r * (n + 1.0 / 6.0)).exp();
                    0.5 + inside.sqrt().copysign(z)
                };
                let (d1, d2) = c.moments(volatility);
                let (q, p) = (invert(d1), invert(d2));
                (growth * q / p, growth * (1.0 - q) / (1.0 - p), p)
            }
        };
        let usable = up.is_finite() && down.is_finite() && down > 0.0;
        if probability > 0.0 && probability < 1.0 && usable {
            return Ok(Self {
                steps,
                dt,
                up,
                down,
                probability,
            });
        }
        let enough = (carry / volatility).powi(2) * c.time;
        Err(FitError::Data(if shape == Shape::Crr && enough < 1e9 {
            format!(
                "the probability of a step up is {probability}, not within 0 and 1: rate less dividend {carry} is too large beside volatility {volatility} for {steps} steps; take more than {}",
                enough.ceil()
            )
        } else if shape == Shape::LeisenReimer {
            format!(
                "the strike is too many deviations from the forward for leisen_reimer, whose probability of a step up would be {probability}: use tree=crr"
            )
        } else {
            format!(
                "the tree has no usable step: factors {up} and {down} with probability {probability}; volatility {volatility} over {} years and {steps} steps is too large or too small, or the strike too far",
                c.time
            )
        }))
    }
}

/// Values of the first three levels, lowest spot first, and the boundary of exercise by step.
struct Rolled {
    levels: [Vec<f64>; 3],
    boundary: Vec<Option<f64>>,
}

fn roll(c: &Contract, m: &Moves, american: bool) -> Rolled {
    let n = m.steps;
    let discount = (-c.rate * m.dt).exp();
    let (high, low) = (discount * m.probability, discount * (1.0 - m.probability));
    let (up, down) = (m.up.ln(), m.down.ln());
    let mut spots: Vec<f64> = (0..=n)
        .map(|j| c.spot * (j as f64 * up + (n - j) as f64 * down).exp())
        .collect();
    let mut values: Vec<f64> = spots.iter().map(|s| c.payoff(*s)).collect();
    let mut levels = [Vec::new(), Vec::new(), Vec::new()];
    let mut boundary = vec![None; if american { n + 1 } else { 0 }];
    if let Some(last) = boundary.last_mut() {
        *last = Some(c.strike);
    }
    if n <= 2 {
        levels[n] = values.clone();
    }
    let sign = c.sign();
    for step in (0..n).rev() {
        // A node's spot is that of the node below it in the next level, less one step down.
        for j in 0..=step {
            values[j] = high * values[j + 1] + low * values[j];
        }
        if american {
            let mut nearest: Option<f64> = None;
            for j in 0..=step {
                spots[j] /= m.down;
                let now = sign * (spots[j] - c.strike);
                if now > values[j] {
                    values[j] = now;
                    // A call is exercised above its boundary: the first; a put below: the last.
                    if !c.call || nearest.is_none() {
                        nearest = Some(spots[j]);
                    }
                }
            }
            boundary[step] = nearest;
        }
        if step <= 2 {
            levels[step] = values[..=step].to_vec();
        }
    }
    Rolled { levels, boundary }
}

/// Without variance the spot goes along its forward: the best moment of exercise among the steps.
fn certain(c: &Contract, steps: usize, american: bool) -> f64 {
    let at = |t: f64| {
        let spot = c.spot * ((c.rate - c.dividend) * t).exp();
        (-c.rate * t).exp() * c.payoff(spot)
    };
    if !american {
        return at(c.time);
    }
    let all = (0..=steps).map(|i| at(c.time * i as f64 / steps as f64));
    all.fold(0.0, f64::max)
}

fn price(c: &Contract, volatility: f64, p: &BinomialTreeParams) -> Result<f64, FitError> {
    let american = p.style == Exercise::American;
    if volatility * c.time.sqrt() == 0.0 {
        return Ok(certain(c, p.steps, american));
    }
    let moves = Moves::new(c, volatility, p.steps, p.tree)?;
    Ok(roll(c, &moves, american).levels[0][0])
}

impl Analysis for BinomialTree {
    type Params = BinomialTreeParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (0, 0);
    const TAKES: Takes = Takes::Nothing;

    fn analyse(p: &BinomialTreeParams, _: &SeriesTable, _: Ask) -> Result<Outputs, FitError> {
        let c = Contract {
            call: p.option_type == OptionType::Call,
            spot: p.spot,
            strike: p.strike,
            time: p.time,
            rate: p.rate,
            dividend: p.dividend,
        }
        .checked()?;
        let american = p.style == Exercise::American;
        let random = p.volatility * p.time.sqrt() > 0.0;
        let missing = f64::NAN;
        let (mut value, mut european, mut boundary) = (
            certain(&c, p.steps, american),
            certain(&c, p.steps, false),
            Vec::new(),
        );
        let (mut delta, mut gamma, mut theta) = (missing, missing, missing);
        let mut moves = None;
        if random {
            let m = Moves::new(&c, p.volatility, p.steps, p.tree)?;
            let rolled = roll(&c, &m, american);
            let plain = if american {
                roll(&c, &m, false).levels[0][0]
            } else {
                missing
            };
            let [root, first, second] = &rolled.levels;
            value = root[0];
            european = if american { plain } else { value };
            let (up, down) = (c.spot * m.up, c.spot * m.down);
            delta = (first[1] - first[0]) / (up - down);
            if let [low, middle, high] = second[..] {
                let [s0, s1, s2] = [down * m.down, down * m.up, up * m.up];
                let (below, above) = ((middle - low) / (s1 - s0), (high - middle) / (s2 - s1));
                gamma = (above - below) / ((s2 - s0) / 2.0);
                // The middle node lies at the root's spot in crr; elsewhere what its distance adds is taken off.
                let apart = s1 - c.spot;
                let moved = middle - delta * apart - gamma * apart * apart / 2.0;
                theta = (moved - value) / (2.0 * m.dt);
            }
            boundary = rolled.boundary;
            moves = Some(m);
        }
        let (vega, rho) = {
            let dv = 0.01f64.min(p.volatility / 2.0);
            let dr = 1e-3;
            // A bump may leave what the tree can hold; without volatility there is none downwards.
            let slope = |up: Result<f64, FitError>, down: Result<f64, FitError>, by: f64| match (
                up, down,
            ) {
                (Ok(up), Ok(down)) if by > 0.0 => (up - down) / (2.0 * by),
                _ => missing,
            };
            let vol = |by: f64| price(&c, p.volatility + by, p);
            let rate = |by: f64| {
                price(
                    &Contract {
                        rate: c.rate + by,
                        ..c
                    },
                    p.volatility,
                    p,
                )
            };
            (slope(vol(dv), vol(-dv), dv), slope(rate(dr), rate(-dr), dr))
        };
        if !value.is_finite() {
            return Err(FitError::Failed(format!(
                "the prices at the edge of the tree are too large for doubles: volatility {} is too large for {} years and {} steps",
                p.volatility, p.time, p.steps
            )));
        }
        let years = (0..boundary.len())
            .map(|i| p.time * i as f64 / (boundary.len().max(2) - 1) as f64)
            .collect::<Vec<f64>>();
        let move_of = |of: fn(&Moves) -> f64| number(moves.as_ref().map_or(missing, of));
        Ok(Outputs::from_iter([
            ("price".to_owned(), number(value)),
            ("delta".to_owned(), number(delta)),
            ("gamma".to_owned(), number(gamma)),
            ("theta".to_owned(), number(theta)),
            ("vega".to_owned(), number(vega)),
            ("rho".to_owned(), number(rho)),
            ("european_price".to_owned(), number(european)),
            (
                "early_exercise_premium".to_owned(),
                number(value - european),
            ),
            (
                "black_scholes_price".to_owned(),
                number(c.price(p.volatility)),
            ),
            ("intrinsic_value".to_owned(), number(c.payoff(c.spot))),
            (
                "exercise_boundary".to_owned(),
                boundary
                    .iter()
                    .map(|b| Value::from(b.and_then(finite)))
                    .collect(),
            ),
            ("exercise_time".to_owned(), numbers(&years)),
            ("up".to_owned(), move_of(|m| m.up)),
            ("down".to_owned(), move_of(|m| m.down)),
            ("probability".to_owned(), move_of(|m| m.probability)),
            (
                "steps".to_owned(),
                Value::from(moves.map_or(p.steps, |m| m.steps)),
            ),
        ]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::engine::samples::HULL;
    use super::*;
    use mltrainer_catalogue_core::Params as _;
    use serde_json::json;

    fn run(given: Value) -> Outputs {
        let params = BinomialTreeParams::from_map(given.as_object().unwrap()).unwrap();
        let ask = Ask {
            horizon: 1,
            seed: 0,
        };
        BinomialTree::analyse(&params, &SeriesTable::none(), ask).unwrap()
    }

    fn of(outputs: &Outputs, name: &str) -> f64 {
        outputs[name].as_f64().unwrap()
    }

    #[test]
    fn the_american_put_of_the_textbook() {
        // Hull, 9th ed., example 21.1: S = K = 50, r 10 %, σ 40 %, five months in five steps: 4.49; delta -0.41,
        // gamma 0.03, theta -4.3 a year.
        let five = run(
            json!({"option_type": "put", "style": "american", "spot": 50, "strike": 50,
            "time": 5.0 / 12.0, "rate": 0.1, "volatility": 0.4, "steps": 5}),
        );
        for (name, want, digits) in [
            ("price", 4.49, 0.005),
            ("delta", -0.41, 0.005),
            ("gamma", 0.03, 0.005),
            ("theta", -4.3, 0.05),
            ("up", 1.1224, 5e-5),
            ("down", 0.8909, 5e-5),
            ("probability", 0.5073, 5e-5),
        ] {
            assert!(
                (of(&five, name) - want).abs() < digits,
                "{name}: {}",
                of(&five, name)
            );
        }
        assert_eq!(five["exercise_boundary"].as_array().unwrap().len(), 6);
    }

    #[test]
    fn the_other_trees_are_their_formulas() {
        // The formulas of the card in plain Python, node by node.
        let put = |spot: f64, strike: f64, rate: f64, dividend: f64, tree: &str| {
            run(
                json!({"option_type": "put", "style": "american", "spot": spot, "strike": strike,
                "time": 0.2465753424657534, "rate": rate, "dividend": dividend, "volatility": 0.8,
                "steps": 51, "tree": tree}),
            )
        };
        let jarrow_rudd = put(
            1063.6340101681767,
            1116.8157106765857,
            0.02,
            0.05,
            "jarrow_rudd",
        );
        assert!((of(&jarrow_rudd, "price") - 202.66375429455636).abs() < 1e-9);
        let leisen_reimer = put(
            1479.2866909775296,
            739.6433454887648,
            -0.01,
            0.01,
            "leisen_reimer",
        );
        assert!((of(&leisen_reimer, "price") - 6.91662598832302).abs() < 1e-9);
    }

    #[test]
    fn many_steps_near_the_closed_form() {
        for tree in ["crr", "jarrow_rudd", "leisen_reimer"] {
            let many = run(
                json!({"spot": 42, "strike": 40, "time": 0.5, "rate": 0.1, "dividend": 0.02,
                "steps": 801, "tree": tree}),
            );
            let c = Contract {
                dividend: 0.02,
                ..HULL
            };
            let near = |name: &str, want: f64, by: f64| {
                let got = of(&many, name);
                assert!((got - want).abs() < by, "{tree} {name}: {got}, {want}");
            };
            near("price", c.price(0.2), 2e-3);
            let h = 1e-3;
            let spot = |by: f64| {
                Contract {
                    spot: c.spot + by,
                    ..c
                }
                .price(0.2)
            };
            let time = |by: f64| {
                Contract {
                    time: c.time + by,
                    ..c
                }
                .price(0.2)
            };
            let rate = |by: f64| {
                Contract {
                    rate: c.rate + by,
                    ..c
                }
                .price(0.2)
            };
            near("delta", (spot(h) - spot(-h)) / (2.0 * h), 1e-3);
            near(
                "gamma",
                (spot(h) - 2.0 * spot(0.0) + spot(-h)) / (h * h),
                1e-3,
            );
            near("theta", (time(-h) - time(h)) / (2.0 * h), 2e-2);
            near(
                "vega",
                (c.price(0.2 + h) - c.price(0.2 - h)) / (2.0 * h),
                0.3,
            );
            // The nodes of jarrow_rudd move with the rate, so that its rho swings too.
            near(
                "rho",
                (rate(h) - rate(-h)) / (2.0 * h),
                if tree == "jarrow_rudd" { 0.1 } else { 2e-2 },
            );
        }
    }

    #[test]
    fn an_american_call_without_dividends_is_a_european_one() {
        // Merton (1973): it is never exercised early.
        let call = run(json!({"style": "american", "rate": 0.05, "steps": 200}));
        assert!(of(&call, "early_exercise_premium").abs() < 1e-12);
        let before = &call["exercise_boundary"].as_array().unwrap()[..200];
        assert!(before.iter().all(Value::is_null));
        // A put deep in the money is exercised at once.
        let put = run(
            json!({"option_type": "put", "style": "american", "spot": 50, "rate": 0.1, "steps": 50}),
        );
        assert!((of(&put, "price") - 50.0).abs() < 1e-12);
    }

    #[test]
    fn without_volatility_the_best_moment_counts() {
        // The spot grows with r - q = -5 % a year: a put of strike 100 pays most at the end,
        // 100 e^(-0.01) - 100 e^(-0.06); a call never.
        let given = |right: &str, style: &str| {
            run(
                json!({"option_type": right, "style": style, "rate": 0.01, "dividend": 0.06, "volatility": 0}),
            )
        };
        let end = 100.0 * ((-0.01f64).exp() - (-0.06f64).exp());
        assert!((of(&given("put", "american"), "price") - end).abs() < 1e-12);
        assert!((of(&given("put", "european"), "price") - end).abs() < 1e-12);
        assert_eq!(of(&given("call", "american"), "price"), 0.0);
        let expired = run(json!({"spot": 103, "time": 0, "style": "american"}));
        assert_eq!(of(&expired, "price"), 3.0);
    }

    #[test]
    fn a_probability_beyond_one_is_refused_with_the_steps_that_would_do() {
        let given = json!({"rate": 0.5, "volatility": 0.05, "steps": 10});
        let params = BinomialTreeParams::from_map(given.as_object().unwrap()).unwrap();
        let ask = Ask {
            horizon: 1,
            seed: 0,
        };
        let refused = BinomialTree::analyse(&params, &SeriesTable::none(), ask).unwrap_err();
        // (0.5 / 0.05)² * 1 = 100.
        assert!(
            refused.to_string().contains("take more than 100"),
            "{refused}"
        );
    }
}
