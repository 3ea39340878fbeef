//! What is traded: bars and events, checked once.

use chrono::{Datelike, NaiveDate};
use thiserror::Error;

/// What the engine cannot run on; one sentence, with the symbol and the bar where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EngineError {
    /// A bar or an event.
    #[error("{symbol}, bar {bar}: {what}")]
    Bar {
        /// Whose.
        symbol: String,
        /// Which, counted from 0.
        bar: usize,
        /// What is wrong.
        what: String,
    },
    /// Columns of an asset.
    #[error("{symbol}: {what}")]
    Asset {
        /// Whose.
        symbol: String,
        /// What is wrong.
        what: String,
    },
    /// A setting.
    #[error("{field}: {what}")]
    Setting {
        /// Which.
        field: &'static str,
        /// What is wrong.
        what: String,
    },
}

/// A corporate action, effective before the open of its bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action {
    /// So many new shares for one old share: 2 for "2 for 1".
    Split(f64),
    /// Currency a share, to who held it at the close before; a short position pays it.
    Dividend(f64),
    /// The asset is taken from the market at this price a share; orders in it lapse.
    Delisting(f64),
}

/// An action and its bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event {
    /// Bar before whose open it takes effect (the ex-date), counted from 0.
    pub bar: usize,
    /// What happens.
    pub action: Action,
}

/// One asset: columns of equal length on the line of time of the market.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Asset<'a> {
    /// Its name in messages and fills.
    pub symbol: &'a str,
    /// Open, as traded; NaN in all four prices where it did not trade.
    pub open: &'a [f64],
    /// High.
    pub high: &'a [f64],
    /// Low.
    pub low: &'a [f64],
    /// Close.
    pub close: &'a [f64],
    /// Shares traded.
    pub volume: Option<&'a [f64]>,
    /// Corporate actions in order of time.
    pub events: &'a [Event],
}

impl Asset<'_> {
    /// Whether it traded in a bar.
    #[inline]
    #[must_use]
    pub fn trades(&self, bar: usize) -> bool {
        !self.open[bar].is_nan()
    }

    fn check(&self, bars: usize) -> Result<(), EngineError> {
        let asset = |what: String| EngineError::Asset {
            symbol: self.symbol.to_owned(),
            what,
        };
        let at = |bar: usize, what: String| EngineError::Bar {
            symbol: self.symbol.to_owned(),
            bar,
            what,
        };
        let columns = [
            ("open", Some(self.open)),
            ("high", Some(self.high)),
            ("low", Some(self.low)),
            ("close", Some(self.close)),
            ("volume", self.volume),
        ];
        for (name, column) in columns {
            if let Some(column) = column
                && column.len() != bars
            {
                return Err(asset(format!(
                    "column {name} has {} bars, the market has {bars}",
                    column.len()
                )));
            }
        }
        for bar in 0..bars {
            let (o, h, l, c) = (
                self.open[bar],
                self.high[bar],
                self.low[bar],
                self.close[bar],
            );
            // One comparison of a NaN is false, and so is the whole.
            let good = 0.0 < l && l <= o && l <= c && o <= h && c <= h && h < f64::INFINITY;
            let quantity = self
                .volume
                .is_none_or(|v| 0.0 <= v[bar] && v[bar] < f64::INFINITY);
            if good && quantity {
                continue;
            }
            let prices = [("open", o), ("high", h), ("low", l), ("close", c)];
            if prices.iter().all(|(_, p)| p.is_nan()) {
                continue;
            }
            if let Some((name, p)) = prices.iter().find(|(_, p)| !(p.is_finite() && *p > 0.0)) {
                return Err(at(bar, format!("{name} {p} is not a price above 0")));
            }
            if !(l <= o && l <= c && o <= h && c <= h) {
                return Err(at(
                    bar,
                    format!("open {o} and close {c} do not lie between low {l} and high {h}"),
                ));
            }
            if let Some(volume) = self.volume
                && !(volume[bar].is_finite() && volume[bar] >= 0.0)
            {
                return Err(at(
                    bar,
                    format!("volume {} is not a number of at least 0", volume[bar]),
                ));
            }
        }
        let mut last = 0;
        for event in self.events {
            if event.bar >= bars {
                return Err(at(
                    event.bar,
                    format!("there are only {bars} bars, and an event is dated there"),
                ));
            }
            if event.bar < last {
                return Err(at(event.bar, "events are not in order of time".to_owned()));
            }
            last = event.bar;
            let wrong = match event.action {
                Action::Split(r) if !(r.is_finite() && r > 0.0) => {
                    Some(format!("split ratio {r} is not above 0"))
                }
                Action::Dividend(d) if !(d.is_finite() && d >= 0.0) => {
                    Some(format!("dividend {d} is not at least 0"))
                }
                Action::Delisting(p) if !(p.is_finite() && p >= 0.0) => {
                    Some(format!("delisting price {p} is not at least 0"))
                }
                _ => None,
            };
            if let Some(what) = wrong {
                return Err(at(event.bar, what));
            }
        }
        Ok(())
    }
}

/// Assets on one line of time, checked.
#[derive(Debug, Clone)]
pub struct Market<'a> {
    assets: Vec<Asset<'a>>,
    bars: usize,
    days: Option<&'a [i32]>,
}

impl<'a> Market<'a> {
    /// A market; `days`, where known, are days since 1970-01-01, one a bar, ascending.
    ///
    /// # Errors
    /// [`EngineError`] naming symbol and bar: no asset or bar, columns of unequal length, a price
    /// that is not above 0, a bar whose open or close lies outside its range, a negative volume,
    /// an event outside the bars or out of order, days that do not ascend.
    pub fn new(assets: Vec<Asset<'a>>, days: Option<&'a [i32]>) -> Result<Self, EngineError> {
        let bars = assets.first().map_or(0, |a| a.close.len());
        if bars == 0 {
            return Err(EngineError::Setting {
                field: "market",
                what: "there is no asset or no bar".to_owned(),
            });
        }
        for (place, asset) in assets.iter().enumerate() {
            asset.check(bars)?;
            if assets[..place].iter().any(|a| a.symbol == asset.symbol) {
                return Err(EngineError::Asset {
                    symbol: asset.symbol.to_owned(),
                    what: "the symbol is there twice".to_owned(),
                });
            }
        }
        if let Some(days) = days
            && (days.len() != bars || days.windows(2).any(|w| w[0] >= w[1]))
        {
            return Err(EngineError::Setting {
                field: "days",
                what: format!("they do not ascend, one for each of the {bars} bars"),
            });
        }
        Ok(Self { assets, bars, days })
    }

    /// The assets.
    #[must_use]
    pub fn assets(&self) -> &[Asset<'a>] {
        &self.assets
    }

    /// Number of bars.
    #[must_use]
    pub const fn bars(&self) -> usize {
        self.bars
    }

    /// Days since 1970-01-01, where known.
    #[must_use]
    pub const fn days(&self) -> Option<&'a [i32]> {
        self.days
    }

    /// Year and month of a bar, where days are known.
    pub(super) fn month(&self, bar: usize) -> Option<(i32, u32)> {
        let day = NaiveDate::from_epoch_days(*self.days?.get(bar)?)?;
        Some((day.year(), day.month()))
    }
}
