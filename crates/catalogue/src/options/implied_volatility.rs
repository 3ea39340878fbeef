//! Implied volatility.
//!
//! What: the volatility at which the Black-Scholes formula gives the price of an option.
//! Formula: σ with BS(σ) = price.
//! Data: none.
//! Cost: O(1), up to about ten evaluations of the formula.
//! Fails when: the price is outside the bounds of no arbitrage, or the option has no time value that its price
//! resolves.
//! Source: Jäckel, By Implication (2006).
//! Not claimed: a forecast of volatility.

use super::engine::{Contract, OptionType, density};
use crate::distributions::normal_cdf;
use crate::test::engine::number;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, Takes, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct ImpliedVolatility;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<ImpliedVolatility>();

params! {
    /// Parameters of implied volatility.
    pub struct ImpliedVolatilityParams {
        /// The right: to buy or to sell.
        option_type: OptionType = OptionType::Call;
        /// Price of the European option.
        price: f64 = 10.0, at_least(0.0);
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
    }
}

const CARD: Card = Card {
    id: "implied_volatility",
    family: "options",
    title: "Implied volatility",
    tasks: &[Task::Pricing],
    inputs: Inputs::Nothing,
    summary: "The volatility a year at which the Black-Scholes price of a European call or put is the one given.",
    formula: "σ with BS(σ) = price. The part out of the money, over √(forward strike), is solved for σ√T by Newton steps within a bracket: on the reciprocal of its logarithm below half the upper bound, on the logarithm of its distance to that bound above",
    data: "None.",
    cost: "O(1)",
    fails_when: "The price is outside the bounds of no arbitrage (the error names them), or so near the lower one that its digits hold no time value.",
    not_claimed: "A forecast of volatility: it holds a premium for risk. American options are priced as European ones.",
    source: "P. Jäckel, Wilmott (2006), By Implication; P. Jäckel, Wilmott (2015), Let's Be Rational",
    reference: "scipy 1.17, brentq on the Black-Scholes-Merton price",
    outputs: &[
        (
            "implied_volatility",
            "a year, as a fraction; 0 for a price at the lower bound",
        ),
        ("total_volatility", "σ√T"),
        (
            "vega",
            "change of the price with the volatility there, for 1.00",
        ),
        ("error", "price at that volatility less the given one"),
        ("iterations", "evaluations of the formula"),
        ("lower_bound", "the least price without arbitrage"),
        ("upper_bound", "the price without arbitrage stays below it"),
        ("time_value", "price less the lower bound"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scipy 1.17, brentq on the Black-Scholes-Merton price; the price of a known volatility solved back",
        cases: "S&P 500 calls and puts; volatilities 0.001 to 10, moneyness 1/20 to 20, an hour to 30 years",
        tolerance: "1e-9 relative where the time value is at least 1e-7 of the price",
    }],
    presets: &[],
    exemptions: &[],
};

/// Evaluations after which the solver gives up; it needs about ten.
const MOST: usize = 200;

/// The normalised price of an option out of the money, b = e^(x/2) Φ(x/s + s/2) - e^(-x/2) Φ(x/s - s/2) for
/// x = -|ln(F/K)|, what is missing of it to its upper bound e^(x/2), and its slope in s.
fn normalised(x: f64, s: f64) -> (f64, f64, f64) {
    let (d1, d2) = (x / s + s / 2.0, x / s - s / 2.0);
    let (up, down) = ((x / 2.0).exp(), (-x / 2.0).exp());
    let b = up * normal_cdf(d1) - down * normal_cdf(d2);
    let missing = up * normal_cdf(-d1) + down * normal_cdf(d2);
    (b, missing, up * density(d1))
}

/// The s with b(x, s) = beta, for x at most 0 and beta in (0, e^(x/2)), and the evaluations it took.
fn solve(x: f64, beta: f64) -> Option<(f64, usize)> {
    let most = (x / 2.0).exp();
    let cheap = beta < most / 2.0;
    let goal = if cheap { beta.ln() } else { (most - beta).ln() };
    // b moves like e^(-x²/2s²) for small s, so that 1/ln b is nearly a parabola; what is missing to the bound
    // moves like e^(-s²/8).
    let (mut low, mut high) = (0.0, (2.0 * x.abs()).sqrt().max(1.0) * 200.0);
    let mut s = (2.0 * x.abs()).sqrt().max(2.5 * beta / most);
    for taken in 1..=MOST {
        let (b, missing, slope) = normalised(x, s);
        // Above 0 when s is too large; a price that has vanished comes of too small an s.
        let (gap, steep) = if !cheap {
            (goal - missing.ln(), slope / missing)
        } else if b > 0.0 {
            let l = b.ln();
            (1.0 / goal - 1.0 / l, slope / (b * l * l))
        } else {
            (-1.0, 0.0)
        };
        if gap == 0.0 {
            return Some((s, taken));
        }
        if gap > 0.0 {
            high = s;
        } else {
            low = s;
        }
        let newton = s - gap / steep;
        let next = if newton.is_finite() && newton > low && newton < high {
            newton
        } else {
            (low + high) / 2.0
        };
        if (next - s).abs() <= 2e-16 * next || high - low <= 4.0 * f64::EPSILON * high {
            return Some((next, taken));
        }
        s = next;
    }
    None
}

impl Analysis for ImpliedVolatility {
    type Params = ImpliedVolatilityParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (0, 0);
    const TAKES: Takes = Takes::Nothing;

    fn analyse(p: &ImpliedVolatilityParams, _: &SeriesTable, _: Ask) -> Result<Outputs, FitError> {
        let contract = Contract {
            call: p.option_type == OptionType::Call,
            spot: p.spot,
            strike: p.strike,
            time: p.time,
            rate: p.rate,
            dividend: p.dividend,
        }
        .checked()?;
        let found = implied(&contract, p.price)?;
        let (low, high) = contract.bounds();
        let (d1, _) = contract.moments(found.volatility);
        let named = [
            ("implied_volatility", found.volatility),
            ("total_volatility", found.volatility * p.time.sqrt()),
            (
                "vega",
                contract.present_spot() * density(d1) * p.time.sqrt(),
            ),
            ("error", contract.price(found.volatility) - p.price),
            ("lower_bound", low),
            ("upper_bound", high),
            ("time_value", p.price - low),
        ];
        let mut outputs: Outputs = named
            .map(|(name, v)| (name.to_owned(), number(v)))
            .into_iter()
            .collect();
        outputs.insert("iterations".into(), found.iterations.into());
        Ok(outputs)
    }
}

struct Implied {
    volatility: f64,
    iterations: usize,
}

fn implied(c: &Contract, price: f64) -> Result<Implied, FitError> {
    let (low, high) = c.bounds();
    let (lower, upper) = if c.call {
        ("S e^(-qT) - K e^(-rT) or 0", "S e^(-qT)")
    } else {
        ("K e^(-rT) - S e^(-qT) or 0", "K e^(-rT)")
    };
    // A lower bound above 0 is a difference: a price within its rounding is at it.
    let rounding = 4.0 * f64::EPSILON * c.present_spot().max(c.present_strike());
    let slack = if low > 0.0 { rounding } else { 0.0 };
    if price < low - slack {
        return Err(FitError::Data(format!(
            "price {price} is below {low}, the lower bound of no arbitrage ({lower}): no volatility gives it; check spot, strike, rates and that the option is European"
        )));
    }
    if price >= high {
        return Err(FitError::Data(format!(
            "price {price} is not below {high}, the upper bound of no arbitrage ({upper}): no volatility gives it"
        )));
    }
    let time_value = price - low;
    if time_value <= slack {
        return Ok(Implied {
            volatility: 0.0,
            iterations: 0,
        });
    }
    if c.time == 0.0 {
        return Err(FitError::Data(format!(
            "price {price} is above {low}, what exercise pays, without any time left: no volatility gives it; give a time above 0"
        )));
    }
    // By parity the time value is the price of the option on the other side of the forward.
    let unit = (c.present_spot() * c.present_strike()).sqrt();
    let x = -c.log_moneyness().abs();
    solve(x, time_value / unit)
        .filter(|(s, _)| s.is_finite())
        .map(|(s, iterations)| Implied {
            volatility: s / c.time.sqrt(),
            iterations,
        })
        .ok_or_else(|| {
            FitError::Failed(format!(
                "the volatility that gives price {price} is not found in {MOST} steps: the price is too near its bound {high}"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::super::engine::samples::HULL;
    use super::*;

    #[test]
    fn the_volatility_of_a_price_is_found_again() {
        let mut most = 0;
        let mut tried = 0;
        for call in [true, false] {
            for moneyness in [0.05, 0.3, 0.8, 0.95, 1.0, 1.02, 1.3, 4.0, 20.0] {
                for time in [1.0 / 8760.0, 0.02, 0.5, 5.0, 30.0] {
                    for volatility in [0.001, 0.01, 0.05, 0.2, 0.8, 3.0, 10.0] {
                        let c = Contract {
                            call,
                            spot: 40.0 * moneyness,
                            time,
                            rate: 0.02,
                            dividend: 0.01,
                            ..HULL
                        };
                        let price = c.price(volatility);
                        let (low, high) = c.bounds();
                        // Where the price of a double holds fewer than nine digits of what volatility adds,
                        // no method can find it.
                        let size = low.max(1e-290);
                        if price - low < 1e-7 * size || high - price < 1e-6 * high {
                            continue;
                        }
                        let found = implied(&c, price).unwrap();
                        let off = (found.volatility / volatility - 1.0).abs();
                        assert!(off < 1e-8, "{c:?} {volatility}: {}", found.volatility);
                        most = most.max(found.iterations);
                        tried += 1;
                    }
                }
            }
        }
        assert!(tried > 250 && most < 80, "{tried} {most}");
    }

    #[test]
    fn far_out_of_the_money_is_found_to_the_digits_of_the_price() {
        // 40 deviations out: a price of 1e-350 is none, 1e-200 is.
        let c = Contract {
            spot: 1.0,
            strike: 10.0,
            time: 1.0,
            rate: 0.0,
            ..HULL
        };
        for volatility in [0.08, 0.1, 0.3] {
            let price = c.price(volatility);
            assert!(price > 0.0 && price < 1e-10);
            let found = implied(&c, price).unwrap().volatility;
            assert!(
                (found / volatility - 1.0).abs() < 1e-9,
                "{volatility}: {found}"
            );
        }
    }

    #[test]
    fn prices_outside_the_bounds_are_refused_by_name() {
        let say = |c: &Contract, price: f64| implied(c, price).err().map(|e| e.to_string());
        let low = HULL.bounds().0;
        assert!(
            say(&HULL, low - 0.01)
                .unwrap()
                .contains("lower bound of no arbitrage")
        );
        assert!(
            say(&HULL, 42.0)
                .unwrap()
                .contains("upper bound of no arbitrage (S e^(-qT))")
        );
        assert_eq!(implied(&HULL, low).unwrap().volatility, 0.0);
        let expiry = Contract { time: 0.0, ..HULL };
        assert!(say(&expiry, 3.0).unwrap().contains("without any time left"));
        assert_eq!(implied(&expiry, 2.0).unwrap().volatility, 0.0);
    }
}
