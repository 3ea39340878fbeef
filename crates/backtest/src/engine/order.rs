//! Orders, and what became of them.

use super::market::EngineError;

/// How much is traded. What is not stated in units is turned into units at the fill.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Size {
    /// So many units: bought above 0, sold below.
    Units(f64),
    /// Units for so much currency, commission included when buying: bought above 0, sold below.
    Value(f64),
    /// A position worth this share of the equity at the fill: short below 0. Purchases leave room
    /// for their commission.
    Weight(f64),
    /// No position.
    Close,
}

/// At what price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// At the moment of [`Timing`].
    Market,
    /// At this price or better, in later bars.
    Limit(f64),
    /// As soon as the price is this or worse (at least this for a purchase), in later bars.
    Stop(f64),
    /// A limit order once the stop is reached. Reached inside a bar with a limit that is then
    /// better than the price, it waits for the next bar.
    StopLimit {
        /// What wakes it.
        stop: f64,
        /// Its limit.
        limit: f64,
    },
}

/// When market orders fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Timing {
    /// At the open of the next bar.
    #[default]
    NextOpen,
    /// At the close of the next bar.
    NextClose,
    /// At the very close on which they are decided: nobody could, so results flatter.
    ThisClose,
}

/// A distance from the price paid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Away {
    /// A share of the price paid.
    Share(f64),
    /// Currency a share.
    Amount(f64),
    /// At this price.
    Price(f64),
}

/// What closes a position by itself, from the fill that opens it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Protection {
    /// Stop loss.
    pub stop: Option<Away>,
    /// Profit target.
    pub target: Option<Away>,
    /// Trailing stop behind the best price of the bars before; [`Away::Price`] is refused.
    pub trail: Option<Away>,
    /// Closed at the open of the bar that is so many bars after that of the entry.
    pub max_bars: Option<usize>,
}

/// An order, as a strategy hands it in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Order {
    /// Which asset of the market.
    pub asset: usize,
    /// How much.
    pub size: Size,
    /// At what price.
    pub kind: Kind,
    /// Bars for which it stays; without end when absent. A market order that the volume limit has
    /// filled in part stays too.
    pub good_for: Option<usize>,
    /// Set on the position by the fill that opens it.
    pub protection: Protection,
    /// Largest loss at the stop loss as a share of the equity: the order shrinks to it. Costs and
    /// gaps come on top.
    pub max_risk: Option<f64>,
    /// The strategy's reason, in a few words.
    pub why: &'static str,
}

impl Order {
    /// A market order without protection.
    #[must_use]
    pub const fn market(asset: usize, size: Size, why: &'static str) -> Self {
        Self {
            asset,
            size,
            kind: Kind::Market,
            good_for: None,
            protection: Protection {
                stop: None,
                target: None,
                trail: None,
                max_bars: None,
            },
            max_risk: None,
            why,
        }
    }

    pub(super) fn check(&self, assets: usize) -> Result<(), EngineError> {
        let wrong = |what: String| {
            Err(EngineError::Setting {
                field: "order",
                what,
            })
        };
        if self.asset >= assets {
            return wrong(format!("asset {} of {assets} does not exist", self.asset));
        }
        match self.size {
            Size::Units(x) | Size::Value(x) | Size::Weight(x) if !x.is_finite() => {
                return wrong(format!("size {x} is not a finite number"));
            }
            _ => {}
        }
        let above = |x: f64| x.is_finite() && x > 0.0;
        let price = match self.kind {
            Kind::Market => true,
            Kind::Limit(p) | Kind::Stop(p) => above(p),
            Kind::StopLimit { stop, limit } => above(stop) && above(limit),
        };
        if !price {
            return wrong("a limit or stop is not a price above 0".to_owned());
        }
        let p = &self.protection;
        if let Some(risk) = self.max_risk
            && !(above(risk) && p.stop.is_some())
        {
            return wrong("a largest risk must be above 0 and needs a stop loss".to_owned());
        }
        for away in [p.stop, p.target, p.trail].into_iter().flatten() {
            let (Away::Share(x) | Away::Amount(x) | Away::Price(x)) = away;
            if !above(x) {
                return wrong(format!("a protective distance of {x} is not above 0"));
            }
        }
        if matches!(p.trail, Some(Away::Price(_))) {
            return wrong("a trailing stop needs a distance, not a price".to_owned());
        }
        Ok(())
    }
}

/// Where in its bar a fill took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the open: an event.
    Before,
    /// At the open.
    Open,
    /// Between open and close.
    Inside,
    /// At the close.
    Close,
}

/// Which rule filled it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A market order.
    Market,
    /// A limit was reached.
    Limit,
    /// The open was better than the limit.
    LimitAtOpen,
    /// A stop was reached.
    Stop,
    /// The open had jumped over the stop.
    StopAtOpen,
    /// The stop loss was reached.
    StopLoss,
    /// The open had jumped over the stop loss.
    StopLossAtOpen,
    /// The profit target was reached.
    Target,
    /// The open had jumped over the target.
    TargetAtOpen,
    /// The trailing stop was reached.
    Trailing,
    /// The open had jumped over the trailing stop.
    TrailingAtOpen,
    /// The longest holding time was over.
    TimeExit,
    /// The asset left the market.
    Delisting,
    /// A fraction of a share left by a split was paid out.
    CashInLieu,
    /// Equity was gone: everything was closed.
    Ruin,
    /// The test ended.
    End,
}

impl Reason {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Market => "market order",
            Self::Limit => "limit reached",
            Self::LimitAtOpen => "open better than the limit",
            Self::Stop => "stop reached",
            Self::StopAtOpen => "open beyond the stop",
            Self::StopLoss => "stop loss reached",
            Self::StopLossAtOpen => "open beyond the stop loss",
            Self::Target => "profit target reached",
            Self::TargetAtOpen => "open beyond the profit target",
            Self::Trailing => "trailing stop reached",
            Self::TrailingAtOpen => "open beyond the trailing stop",
            Self::TimeExit => "longest holding time over",
            Self::Delisting => "delisting",
            Self::CashInLieu => "fraction of a share paid out after a split",
            Self::Ruin => "no equity left",
            Self::End => "end of the test",
        }
    }
}

/// A fill.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fill {
    /// Number of the order, from 1; 0 for what no order asked for.
    pub order: u64,
    /// Bar on whose close the order was decided; that of the fill for what no order asked for.
    pub decided: usize,
    /// Bar of the fill.
    pub bar: usize,
    /// Where in the bar.
    pub moment: Moment,
    /// Which asset.
    pub asset: usize,
    /// Units: bought above 0, sold below.
    pub units: f64,
    /// Price before spread and slippage.
    pub quote: f64,
    /// Price paid or received.
    pub price: f64,
    /// Half spread, currency a share.
    pub spread: f64,
    /// Slippage, currency a share.
    pub slippage: f64,
    /// Commission, currency.
    pub commission: f64,
    /// Which rule filled it.
    pub reason: Reason,
    /// The strategy's reason; empty for what no order asked for.
    pub why: &'static str,
    /// Units of the order that the volume limit left open.
    pub open_units: f64,
}

impl Fill {
    /// The fill in one sentence.
    #[must_use]
    pub fn explain(&self, symbol: &str) -> String {
        let side = if self.units > 0.0 { "bought" } else { "sold" };
        let moment = match self.moment {
            Moment::Before => "before the open",
            Moment::Open => "at the open",
            Moment::Inside => "inside",
            Moment::Close => "at the close",
        };
        let mut text = format!(
            "{side} {} {symbol} {moment} of bar {} at {}: {}",
            self.units.abs(),
            self.bar,
            self.price,
            self.reason.as_str()
        );
        if self.order > 0 {
            text += &format!(
                ", order {} ({}) decided on the close of bar {}",
                self.order, self.why, self.decided
            );
        }
        text += &format!(
            "; quoted {}, half spread {}, slippage {}, commission {}",
            self.quote, self.spread, self.slippage, self.commission
        );
        if self.open_units != 0.0 {
            text += &format!(
                "; the volume limit left {} units open",
                self.open_units.abs()
            );
        }
        text
    }
}

/// An order, or part of one, that did not fill.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Refused {
    /// Number of the order.
    pub order: u64,
    /// Bar.
    pub bar: usize,
    /// Which asset.
    pub asset: usize,
    /// Why.
    pub why: &'static str,
}

/// Limits on positions, kept at every fill that opens or increases one: such an order shrinks to
/// what fits. Nothing is sold because prices moved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Largest value of one position as a share of the equity.
    pub max_weight: Option<f64>,
    /// Largest sum of the absolute values of all positions as a share of the equity; 1 is no
    /// credit.
    pub max_gross: f64,
    /// Most positions at a time.
    pub max_positions: Option<usize>,
    /// Whether positions below 0 are allowed.
    pub shorts: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_weight: None,
            max_gross: 1.0,
            max_positions: None,
            shorts: true,
        }
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), EngineError> {
        let above = |x: f64| x.is_finite() && x > 0.0;
        let wrong = |field: &'static str, x: f64| {
            Err(EngineError::Setting {
                field,
                what: format!("{x} is not above 0"),
            })
        };
        match self.max_weight {
            Some(w) if !above(w) => return wrong("largest weight", w),
            _ => {}
        }
        if !above(self.max_gross) {
            return wrong("largest gross exposure", self.max_gross);
        }
        if self.max_positions == Some(0) {
            return wrong("most positions", 0.0);
        }
        Ok(())
    }
}
