//! What trading and holding cost.

use super::market::EngineError;

/// How much worse than the quote a fill is, beside half the spread.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Slippage {
    /// Not at all.
    #[default]
    None,
    /// A share of the price: 0.0005 is five basis points.
    Share(f64),
    /// Currency a share.
    Amount(f64),
    /// `impact` · (units / volume of the bar)² as a share of the price, as in Zipline. A bar
    /// without a known volume has no impact.
    VolumeShare {
        /// The factor; Zipline's is 0.1.
        impact: f64,
    },
}

/// Costs; rates of a year are spread evenly over `periods_per_year` bars. All 0 by default, with
/// 252 bars a year.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// Currency for each share.
    pub per_share: f64,
    /// Currency for each fill.
    pub per_trade: f64,
    /// Share of the traded value.
    pub rate: f64,
    /// Least commission of a fill.
    pub minimum: f64,
    /// Distance of ask and bid as a share of the price; a fill pays half of it.
    pub spread: f64,
    /// Further distance from the quote.
    pub slippage: Slippage,
    /// Largest share of a bar's volume that an order may take; the rest waits for the next bar.
    pub volume_limit: Option<f64>,
    /// Fee of a year on the value of short positions.
    pub borrow_rate: f64,
    /// Interest of a year on cash above 0 that is not the proceeds of short sales.
    pub cash_rate: f64,
    /// Interest of a year paid on cash below 0.
    pub margin_rate: f64,
    /// Bars of a year.
    pub periods_per_year: f64,
}

impl Default for Costs {
    fn default() -> Self {
        Self {
            per_share: 0.0,
            per_trade: 0.0,
            rate: 0.0,
            minimum: 0.0,
            spread: 0.0,
            slippage: Slippage::None,
            volume_limit: None,
            borrow_rate: 0.0,
            cash_rate: 0.0,
            margin_rate: 0.0,
            periods_per_year: 252.0,
        }
    }
}

impl Costs {
    /// What is charged for trading and holding, times `factor`; interest earned on cash stays.
    #[must_use]
    pub fn times(&self, factor: f64) -> Self {
        Self {
            per_share: self.per_share * factor,
            per_trade: self.per_trade * factor,
            rate: self.rate * factor,
            minimum: self.minimum * factor,
            spread: self.spread * factor,
            slippage: match self.slippage {
                Slippage::None => Slippage::None,
                Slippage::Share(s) => Slippage::Share(s * factor),
                Slippage::Amount(a) => Slippage::Amount(a * factor),
                Slippage::VolumeShare { impact } => Slippage::VolumeShare {
                    impact: impact * factor,
                },
            },
            borrow_rate: self.borrow_rate * factor,
            margin_rate: self.margin_rate * factor,
            ..*self
        }
    }

    pub(super) fn check(&self) -> Result<(), EngineError> {
        let slippage = match self.slippage {
            Slippage::None => 0.0,
            Slippage::Share(s) | Slippage::Amount(s) | Slippage::VolumeShare { impact: s } => s,
        };
        // A sale at half the spread and slippage below the quote must still bring something.
        let share = self.spread / 2.0
            + match self.slippage {
                Slippage::Share(s) => s,
                _ => 0.0,
            };
        let fields = [
            ("commission per share", self.per_share),
            ("commission per trade", self.per_trade),
            ("commission rate", self.rate),
            ("least commission", self.minimum),
            ("spread", self.spread),
            ("slippage", slippage),
            ("borrow rate", self.borrow_rate),
            ("margin rate", self.margin_rate),
        ];
        let wrong = |field: &'static str, what: String| Err(EngineError::Setting { field, what });
        for (field, value) in fields {
            if !(value.is_finite() && value >= 0.0) {
                return wrong(field, format!("{value} is not a number of at least 0"));
            }
        }
        if self.rate >= 1.0 || share >= 1.0 {
            return wrong("costs", "they take the whole value of a trade".to_owned());
        }
        if !self.cash_rate.is_finite() {
            return wrong("cash rate", format!("{} is not a number", self.cash_rate));
        }
        if !(self.periods_per_year.is_finite() && self.periods_per_year > 0.0) {
            return wrong(
                "periods per year",
                format!("{} is not above 0", self.periods_per_year),
            );
        }
        match self.volume_limit {
            Some(limit) if !(0.0..=1.0).contains(&limit) => {
                wrong("volume limit", format!("{limit} is not in 0 to 1"))
            }
            _ => Ok(()),
        }
    }

    /// Currency a share between the quote and a fill: half the spread, and the slippage of so many
    /// units in a bar of that volume.
    #[inline]
    pub(super) fn distance(&self, quote: f64, units: f64, volume: Option<f64>) -> (f64, f64) {
        let slippage = match self.slippage {
            Slippage::None => 0.0,
            Slippage::Share(s) => quote * s,
            Slippage::Amount(a) => a,
            Slippage::VolumeShare { impact } => match volume {
                Some(v) if v > 0.0 => {
                    let share = units / v;
                    quote * impact * share * share
                }
                _ => 0.0,
            },
        };
        (quote * self.spread / 2.0, slippage)
    }

    /// Price of a fill: above the quote for a purchase (`side` 1), below it for a sale (-1), never
    /// below 0.
    #[inline]
    pub(super) fn fill_price(&self, quote: f64, side: f64, units: f64, volume: Option<f64>) -> f64 {
        let (spread, slippage) = self.distance(quote, units, volume);
        (quote + side * (spread + slippage)).max(0.0)
    }

    /// Commission of a fill of `units` (at least 0) at a price. `first`: not the second half of an
    /// order that turns a position round.
    #[inline]
    pub(super) fn commission(&self, units: f64, price: f64, first: bool) -> f64 {
        let fixed = if first { self.per_trade } else { 0.0 };
        let least = if first { self.minimum } else { 0.0 };
        (fixed + self.per_share * units + self.rate * units * price).max(least)
    }

    /// Units that a budget pays for at a price, commission included, before rounding to a lot; at
    /// least 0.
    #[inline]
    pub(super) fn affordable(&self, budget: f64, price: f64, first: bool) -> f64 {
        let fixed = if first { self.per_trade } else { 0.0 };
        let least = if first { self.minimum } else { 0.0 };
        let by_rate = (budget - fixed) / (price * (1.0 + self.rate) + self.per_share);
        by_rate.min((budget - least) / price).max(0.0)
    }
}
