//! What the option entries share: a contract, the Black-Scholes price and its bounds.

use crate::distributions::normal_cdf;
use mltrainer_catalogue_core::{FitError, choices};

choices! {
    /// The right that an option gives.
    pub enum OptionType {
        /// To buy.
        Call = "call",
        /// To sell.
        Put = "put",
    }
}

/// φ(x), the standard normal density.
pub(super) fn density(x: f64) -> f64 {
    const ROOT: f64 = 0.398_942_280_401_432_7;
    ROOT * (-0.5 * x * x).exp()
}

/// What is known of a contract without its volatility: years, continuous rates a year.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Contract {
    pub(super) call: bool,
    pub(super) spot: f64,
    pub(super) strike: f64,
    pub(super) time: f64,
    pub(super) rate: f64,
    pub(super) dividend: f64,
}

impl Contract {
    /// The contract, where its present values are numbers.
    ///
    /// # Errors
    /// When a rate over the time is beyond what doubles hold.
    pub(super) fn checked(self) -> Result<Self, FitError> {
        let usable = |v: f64| v.is_finite() && v > 0.0;
        let all = [self.present_spot(), self.present_strike(), self.forward()];
        if all.into_iter().all(usable) {
            Ok(self)
        } else {
            Err(FitError::Data(format!(
                "rate {} and dividend {} over {} years leave no present value that a double holds: rates are fractions a year (0.05 for 5 %)",
                self.rate, self.dividend, self.time
            )))
        }
    }

    /// 1 for a call, -1 for a put.
    pub(super) fn sign(&self) -> f64 {
        if self.call { 1.0 } else { -1.0 }
    }

    /// S e^(-qT).
    pub(super) fn present_spot(&self) -> f64 {
        self.spot * (-self.dividend * self.time).exp()
    }

    /// K e^(-rT).
    pub(super) fn present_strike(&self) -> f64 {
        self.strike * (-self.rate * self.time).exp()
    }

    /// S e^((r-q)T).
    pub(super) fn forward(&self) -> f64 {
        self.spot * ((self.rate - self.dividend) * self.time).exp()
    }

    /// ln(forward/strike).
    pub(super) fn log_moneyness(&self) -> f64 {
        (self.spot / self.strike).ln() + (self.rate - self.dividend) * self.time
    }

    /// What exercise at this spot pays.
    pub(super) fn payoff(&self, spot: f64) -> f64 {
        (self.sign() * (spot - self.strike)).max(0.0)
    }

    /// The least and the most a European option can be worth without arbitrage.
    pub(super) fn bounds(&self) -> (f64, f64) {
        let (a, b) = (self.present_spot(), self.present_strike());
        let most = if self.call { a } else { b };
        ((self.sign() * (a - b)).max(0.0), most)
    }

    /// d1 and d2; infinite without any variance left, 0 when the forward is then the strike.
    pub(super) fn moments(&self, volatility: f64) -> (f64, f64) {
        let (x, s) = (self.log_moneyness(), volatility * self.time.sqrt());
        if x == 0.0 {
            return (s / 2.0, -s / 2.0);
        }
        (x / s + s / 2.0, x / s - s / 2.0)
    }

    /// The Black-Scholes-Merton price. The part out of the money is computed and parity added, so that an
    /// option deep in the money loses no digits of its time value before that sum.
    pub(super) fn price(&self, volatility: f64) -> f64 {
        let (a, b) = (self.present_spot(), self.present_strike());
        let (d1, d2) = self.moments(volatility);
        let out = |sign: f64| {
            let value = sign * (a * normal_cdf(sign * d1) - b * normal_cdf(sign * d2));
            value.max(0.0)
        };
        if volatility * self.time.sqrt() == 0.0 {
            return self.bounds().0;
        }
        if self.sign() * self.log_moneyness() <= 0.0 {
            out(self.sign())
        } else {
            self.sign() * (a - b) + out(-self.sign())
        }
    }
}

#[cfg(test)]
pub(super) mod samples {
    use super::Contract;

    /// Hull, Options, Futures and Other Derivatives, 9th ed., example 15.6: S 42, K 40, r 10 %, half a year.
    pub(in crate::options) const HULL: Contract = Contract {
        call: true,
        spot: 42.0,
        strike: 40.0,
        time: 0.5,
        rate: 0.1,
        dividend: 0.0,
    };
}

#[cfg(test)]
mod tests {
    use super::samples::HULL;
    use super::*;

    #[test]
    fn the_price_of_the_textbook() {
        // Hull: call 4.76, put 0.81 at a volatility of 20 %.
        let put = Contract {
            call: false,
            ..HULL
        };
        assert!((HULL.price(0.2) - 4.76).abs() < 0.005);
        assert!((put.price(0.2) - 0.81).abs() < 0.005);
    }

    #[test]
    fn prices_stay_within_their_bounds_and_keep_parity() {
        for (spot, rate, dividend, time) in [
            (42.0, 0.1, 0.0, 0.5),
            (1.0, -0.02, 0.03, 30.0),
            (4000.0, 0.0, 0.2, 2.0),
            (40.0, 0.01, 0.01, 1e-9),
        ] {
            for volatility in [0.0, 1e-12, 0.01, 0.3, 5.0, 1e6] {
                let call = Contract {
                    spot,
                    rate,
                    dividend,
                    time,
                    ..HULL
                };
                let put = Contract {
                    call: false,
                    ..call
                };
                for c in [call, put] {
                    let (low, high) = c.bounds();
                    let price = c.price(volatility);
                    let slack = 1e-12 * high;
                    assert!(
                        price >= low - slack && price <= high + slack,
                        "{c:?} {price}"
                    );
                }
                let parity = call.present_spot() - call.present_strike();
                let gap = call.price(volatility) - put.price(volatility) - parity;
                assert!(gap.abs() < 1e-11 * spot, "{gap}");
            }
        }
    }
}
