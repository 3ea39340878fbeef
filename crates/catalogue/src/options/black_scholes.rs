//! Black-Scholes price and Greeks.
//!
//! What: the price of a European option on an asset with a continuous dividend yield, and how it changes with
//! each of its inputs.
//! Formula: ω (S e^(-qT) Φ(ω d1) - K e^(-rT) Φ(ω d2)), ω 1 for a call, -1 for a put.
//! Data: none.
//! Cost: O(1).
//! Fails when: volatility is not constant, prices jump, or the option can be exercised early.
//! Source: Black, Scholes (1973); Merton (1973).
//! Not claimed: that the market prices options so: volatility differs by strike.

use super::engine::{Contract, OptionType, density};
use crate::distributions::normal_cdf;
use crate::test::engine::number;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, Takes, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct BlackScholes;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<BlackScholes>();

params! {
    /// Parameters of the Black-Scholes formula.
    pub struct BlackScholesParams {
        /// The right: to buy or to sell.
        option_type: OptionType = OptionType::Call;
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
    }
}

const CARD: Card = Card {
    id: "black_scholes",
    family: "options",
    title: "Black-Scholes price and Greeks",
    tasks: &[Task::Pricing],
    inputs: Inputs::Nothing,
    summary: "The price of a European call or put on an asset with a continuous dividend yield, and its derivatives by spot, volatility, time and rates.",
    formula: "d1 = (ln(S/K) + (r - q + σ²/2) T)/(σ√T), d2 = d1 - σ√T; price = ω (S e^(-qT) Φ(ω d1) - K e^(-rT) Φ(ω d2)); the Greeks are its derivatives. Without time or volatility left: the limits",
    data: "None.",
    cost: "O(1)",
    fails_when: "Volatility is not constant, prices jump, or the option can be exercised early.",
    not_claimed: "That the market prices options so: implied volatility differs by strike and expiry.",
    source: "F. Black, M. Scholes, J. Political Economy 81 (1973); R. C. Merton, Bell J. Economics 4 (1973); E. G. Haug, The Complete Guide to Option Pricing Formulas (2007)",
    reference: "vollib 1.0, black_scholes_merton",
    outputs: &[
        ("price", "the price, in the units of the spot"),
        ("delta", "change of the price with the spot, for 1.00"),
        (
            "gamma",
            "change of delta with the spot; null at the kink of an option without variance left",
        ),
        ("vega", "change of the price with the volatility, for 1.00"),
        (
            "theta",
            "change of the price as time passes, a year; null where it is unbounded",
        ),
        ("rho", "change of the price with the rate, for 1.00"),
        (
            "epsilon",
            "change of the price with the dividend yield, for 1.00",
        ),
        ("vanna", "change of delta with the volatility"),
        ("volga", "change of vega with the volatility (vomma)"),
        ("charm", "change of delta as time passes, a year"),
        ("speed", "change of gamma with the spot"),
        ("zomma", "change of gamma with the volatility"),
        ("color", "change of gamma as time passes, a year"),
        (
            "elasticity",
            "delta times spot over price (lambda); null for a worthless option",
        ),
        ("d1", "d1; null where it is infinite"),
        ("d2", "d2; null where it is infinite"),
        (
            "probability_of_exercise",
            "Φ(ω d2), under the risk-neutral measure",
        ),
        ("intrinsic_value", "what exercise now would pay"),
        (
            "time_value",
            "price less intrinsic value; may be negative for a European option",
        ),
        ("forward", "S e^((r-q)T)"),
        ("lower_bound", "the least price without arbitrage"),
        ("upper_bound", "the price without arbitrage stays below it"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "vollib 1.0, black_scholes_merton and its analytical Greeks; QuantLib 1.44, AnalyticEuropeanEngine; central differences of the price for the others",
        cases: "S&P 500 calls and puts near, in and out of the money; negative rates; the limits without time or volatility by hand",
        tolerance: "1e-9 relative; differences 1e-5",
    }],
    presets: &[],
    exemptions: &[],
};

impl Analysis for BlackScholes {
    type Params = BlackScholesParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (0, 0);
    const TAKES: Takes = Takes::Nothing;

    fn analyse(p: &BlackScholesParams, _: &SeriesTable, _: Ask) -> Result<Outputs, FitError> {
        let contract = Contract {
            call: p.option_type == OptionType::Call,
            spot: p.spot,
            strike: p.strike,
            time: p.time,
            rate: p.rate,
            dividend: p.dividend,
        }
        .checked()?;
        let named = greeks(&contract, p.volatility);
        Ok(named
            .map(|(name, v)| (name.to_owned(), number(v)))
            .into_iter()
            .collect())
    }
}

/// Every output; those that have no finite value are infinite or NaN.
fn greeks(c: &Contract, volatility: f64) -> [(&'static str, f64); 22] {
    let (time, root) = (c.time, c.time.sqrt());
    let (rate, carry) = (c.rate, c.rate - c.dividend);
    let sign = c.sign();
    let (a, b) = (c.present_spot(), c.present_strike());
    let s = volatility * root;
    let (d1, d2) = c.moments(volatility);
    let (n1, n2) = (normal_cdf(sign * d1), normal_cdf(sign * d2));
    let height = density(d1);
    // Where the density has vanished it takes every product with it, though the other factor be infinite.
    let dense = |by: f64| if height == 0.0 { 0.0 } else { height * by };
    let grow = a / c.spot;
    let price = c.price(volatility);
    let intrinsic = c.payoff(c.spot);
    let (low, high) = c.bounds();
    let delta = sign * grow * n1;
    // As time passes, not with the time left: the sign of theta.
    let passing = if time == 0.0 {
        0.0
    } else {
        grow * dense((2.0 * carry * time - d2 * s) / (2.0 * time * s))
    };
    let fading = 2.0 * c.dividend * time + 1.0 + (2.0 * carry * time - d2 * s) / s * d1;
    let gamma = dense(grow / (c.spot * s));
    [
        ("price", price),
        ("delta", delta),
        ("gamma", gamma),
        ("vega", a * dense(root)),
        (
            "theta",
            -a * dense(volatility / (2.0 * root)) + sign * (c.dividend * a * n1 - rate * b * n2),
        ),
        ("rho", sign * time * b * n2),
        ("epsilon", -sign * time * a * n1),
        ("vanna", -grow * dense(d2 / volatility)),
        ("volga", a * dense(root * d1 * d2 / volatility)),
        ("charm", sign * c.dividend * grow * n1 - passing),
        (
            "speed",
            -dense(grow / (c.spot * s) * (d1 / s + 1.0)) / c.spot,
        ),
        (
            "zomma",
            dense(grow / (c.spot * s) * (d1 * d2 - 1.0) / volatility),
        ),
        (
            "color",
            if time == 0.0 && height == 0.0 {
                0.0
            } else {
                grow * dense(fading / (2.0 * c.spot * time * s))
            },
        ),
        ("elasticity", delta * c.spot / price),
        ("d1", d1),
        ("d2", d2),
        ("probability_of_exercise", n2),
        ("intrinsic_value", intrinsic),
        ("time_value", price - intrinsic),
        ("forward", c.forward()),
        ("lower_bound", low),
        ("upper_bound", high),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::engine::samples::HULL;
    use super::*;

    fn of(c: &Contract, volatility: f64, name: &str) -> f64 {
        greeks(c, volatility)
            .into_iter()
            .find(|(n, _)| *n == name)
            .map_or(f64::NAN, |(_, v)| v)
    }

    #[test]
    fn each_greek_is_the_derivative_it_says() {
        let (h, v) = (1e-4, 0.3);
        for call in [true, false] {
            let c = Contract {
                call,
                strike: 44.0,
                dividend: 0.03,
                rate: -0.01,
                ..HULL
            };
            // Central differences of another output by spot, volatility, time (as it passes) and rates.
            let by = |of_what: &str, up: Contract, down: Contract, dv: f64, step: f64| {
                (of(&up, v + dv, of_what) - of(&down, v - dv, of_what)) / (2.0 * step)
            };
            let spot = |of_what: &str| {
                let (up, down) = (c.spot + h, c.spot - h);
                by(
                    of_what,
                    Contract { spot: up, ..c },
                    Contract { spot: down, ..c },
                    0.0,
                    h,
                )
            };
            let volatility = |of_what: &str| by(of_what, c, c, h, h);
            let passing = |of_what: &str| {
                let (less, more) = (c.time - h, c.time + h);
                by(
                    of_what,
                    Contract { time: less, ..c },
                    Contract { time: more, ..c },
                    0.0,
                    h,
                )
            };
            let rate = |up: f64, down: f64| Contract {
                rate: c.rate + up,
                dividend: c.dividend + down,
                ..c
            };
            for (name, want) in [
                ("delta", spot("price")),
                ("gamma", spot("delta")),
                ("speed", spot("gamma")),
                ("vega", volatility("price")),
                ("vanna", volatility("delta")),
                ("volga", volatility("vega")),
                ("zomma", volatility("gamma")),
                ("theta", passing("price")),
                ("charm", passing("delta")),
                ("color", passing("gamma")),
                ("rho", by("price", rate(h, 0.0), rate(-h, 0.0), 0.0, h)),
                ("epsilon", by("price", rate(0.0, h), rate(0.0, -h), 0.0, h)),
            ] {
                let got = of(&c, v, name);
                assert!(
                    (got - want).abs() < 1e-5 * (1.0 + want.abs()),
                    "{name}: {got}, {want}"
                );
            }
        }
    }

    #[test]
    fn without_time_or_volatility_it_is_the_limit() {
        // In the money at expiry: worth 2, moves one for one, nothing else matters.
        let expiry = Contract { time: 0.0, ..HULL };
        for (name, want) in [
            ("price", 2.0),
            ("delta", 1.0),
            ("gamma", 0.0),
            ("vega", 0.0),
            ("rho", 0.0),
            ("vanna", 0.0),
            ("charm", 0.0),
            ("color", 0.0),
            ("speed", 0.0),
            ("probability_of_exercise", 1.0),
        ] {
            assert_eq!(of(&expiry, 0.2, name), want, "{name}");
        }
        // Theta of an expiring call: -r K, the interest on the strike, 0.1 * 40.
        assert!((of(&expiry, 0.2, "theta") + 4.0).abs() < 1e-12);
        // Without volatility the call is a forward: S - K e^(-rT) = 42 - 40 e^(-0.05).
        let sure = 42.0 - 40.0 * (-0.05f64).exp();
        assert!((of(&HULL, 0.0, "price") - sure).abs() < 1e-12);
        assert_eq!(of(&HULL, 0.0, "gamma"), 0.0);
        // At the kink: half a share, gamma without bound, vega as for a small volatility.
        let kink = Contract {
            spot: 40.0,
            rate: 0.0,
            ..HULL
        };
        assert_eq!(of(&kink, 0.0, "delta"), 0.5);
        assert!(of(&kink, 0.0, "gamma").is_infinite());
        let vega = 40.0 * density(0.0) * 0.5f64.sqrt();
        assert!((of(&kink, 0.0, "vega") - vega).abs() < 1e-12);
        // Deep out of the money a put is worth nothing but a positive something.
        let deep = Contract {
            call: false,
            spot: 4000.0,
            ..HULL
        };
        let price = of(&deep, 0.5, "price");
        assert!(price > 0.0 && price < 1e-30, "{price}");
    }

    #[test]
    fn rates_that_leave_no_number_are_refused() {
        let given = serde_json::from_str(r#"{"rate": 800, "time": 2}"#).unwrap();
        let params = mltrainer_catalogue_core::Params::from_map(&given).unwrap();
        let ask = Ask {
            horizon: 1,
            seed: 0,
        };
        let refused = BlackScholes::analyse(&params, &SeriesTable::none(), ask).unwrap_err();
        assert!(refused.to_string().contains("rate 800"));
    }
}
