//! Strategies that are columns: entries and exits, or target weights.

use super::broker::{Decide, Orders, View};
use super::order::{Away, Kind, Order, Protection, Size};

/// What one asset's entries and exits are, a value a bar, known on the close of that bar.
///
/// Flat: an entry whose exit is not true at the same time opens a position; when both sides say
/// enter, none does. Long: an exit, or an entry of the other side, closes it, and with the latter
/// the order turns it round. Short likewise.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Buy.
    pub enter_long: Vec<bool>,
    /// Sell what was bought.
    pub exit_long: Vec<bool>,
    /// Sell short; empty for never.
    pub enter_short: Vec<bool>,
    /// Buy back; empty for never.
    pub exit_short: Vec<bool>,
    /// Share of the equity a position takes, a value a bar; NaN for no entry.
    pub weight: Vec<f64>,
    /// The same for short positions, where it differs.
    pub weight_short: Option<Vec<f64>>,
    /// Currency instead of `weight`.
    pub amount: Option<f64>,
    /// Stop loss, a distance or a price a bar.
    pub stop: Guard,
    /// Profit target.
    pub target: Guard,
    /// Trailing stop.
    pub trail: Guard,
    /// Longest holding time in bars.
    pub max_bars: Option<usize>,
    /// Largest loss at the stop as a share of the equity.
    pub max_risk: Option<f64>,
    /// Price of a limit order for entries, a value a bar, in place of market orders.
    pub entry_limit: Option<Vec<f64>>,
    /// Price of a stop order for entries; with a limit too, a stop-limit order.
    pub entry_stop: Option<Vec<f64>>,
    /// Bars for which an entry that is a limit or stop order stays.
    pub good_for: usize,
}

/// Protective distances of a plan.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Guard {
    /// None.
    #[default]
    None,
    /// The same for every entry.
    Same(Away),
    /// Currency a share, a value a bar.
    Amount(Vec<f64>),
    /// A price, a value a bar.
    Price(Vec<f64>),
}

impl Guard {
    /// The distance of an entry decided on a bar; an error where it is not known.
    fn at(&self, bar: usize) -> Result<Option<Away>, ()> {
        let known = |x: f64| {
            if x > 0.0 && x.is_finite() {
                Ok(x)
            } else {
                Err(())
            }
        };
        match self {
            Self::None => Ok(None),
            Self::Same(away) => Ok(Some(*away)),
            Self::Amount(column) => known(column[bar]).map(|x| Some(Away::Amount(x))),
            Self::Price(column) => known(column[bar]).map(|x| Some(Away::Price(x))),
        }
    }
}

/// A strategy of one plan an asset.
#[derive(Debug, Clone, PartialEq)]
pub struct Signals {
    /// One an asset, in the order of the market; all columns as long as the market has bars.
    pub plans: Vec<Plan>,
}

impl Decide for Signals {
    fn decide(&mut self, view: &View<'_>, orders: &mut Orders) {
        for (asset, plan) in self.plans.iter().enumerate() {
            plan.decide(asset, view, orders);
        }
    }
}

impl Plan {
    fn decide(&self, asset: usize, view: &View<'_>, orders: &mut Orders) {
        let bar = view.bar();
        let at = |column: &[bool]| column.get(bar).copied().unwrap_or(false);
        let (enter_long, exit_long) = (at(&self.enter_long), at(&self.exit_long));
        let (enter_short, exit_short) = (at(&self.enter_short), at(&self.exit_short));
        if !(enter_long || exit_long || enter_short || exit_short) {
            return;
        }
        let units = view.units(asset);
        if units == 0.0 {
            if enter_long != enter_short && !(enter_long && exit_long || enter_short && exit_short)
            {
                if view.is_waiting(asset) {
                    orders.cancel(asset);
                }
                self.enter(asset, bar, enter_long, orders);
            } else if (exit_long || exit_short) && view.is_waiting(asset) {
                orders.cancel(asset);
            }
            return;
        }
        let (exit, turn) = if units > 0.0 {
            (exit_long, enter_short && !exit_short)
        } else {
            (exit_short, enter_long && !exit_long)
        };
        if !(exit || turn) || view.is_waiting(asset) {
            return;
        }
        // A position is turned round by a market order; a limit or stop entry waits for the close.
        let market = self.entry_limit.is_none() && self.entry_stop.is_none();
        if turn && market && self.enter(asset, bar, units < 0.0, orders) {
            return;
        }
        let why = if units > 0.0 {
            "exit long"
        } else {
            "exit short"
        };
        orders.submit(Order::market(asset, Size::Close, why));
    }

    /// Hands in an entry; whether everything it needs is known.
    fn enter(&self, asset: usize, bar: usize, long: bool, orders: &mut Orders) -> bool {
        let direction = if long { 1.0 } else { -1.0 };
        let size = match self.amount {
            Some(amount) => Size::Value(direction * amount),
            None => {
                let short = self.weight_short.as_ref().filter(|_| !long);
                let weight = short.unwrap_or(&self.weight)[bar];
                if !(weight.is_finite() && weight > 0.0) {
                    return false;
                }
                Size::Weight(direction * weight)
            }
        };
        let (Ok(stop), Ok(target), Ok(trail)) =
            (self.stop.at(bar), self.target.at(bar), self.trail.at(bar))
        else {
            return false;
        };
        let price = |column: &Option<Vec<f64>>| column.as_ref().map(|c| c[bar]);
        let kind = match (price(&self.entry_stop), price(&self.entry_limit)) {
            (None, None) => Kind::Market,
            (None, Some(limit)) => Kind::Limit(limit),
            (Some(stop), None) => Kind::Stop(stop),
            (Some(stop), Some(limit)) => Kind::StopLimit { stop, limit },
        };
        let known = match kind {
            Kind::Market => true,
            Kind::Limit(p) | Kind::Stop(p) => p > 0.0 && p.is_finite(),
            Kind::StopLimit { stop, limit } => {
                stop > 0.0 && limit > 0.0 && stop.is_finite() && limit.is_finite()
            }
        };
        if !known {
            return false;
        }
        orders.submit(Order {
            asset,
            size,
            kind,
            good_for: (kind != Kind::Market).then_some(self.good_for.max(1)),
            protection: Protection {
                stop,
                target,
                trail,
                max_bars: self.max_bars,
            },
            max_risk: self.max_risk.filter(|_| stop.is_some()),
            why: if long { "enter long" } else { "enter short" },
        });
        true
    }
}

/// When weights are brought back to their targets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rebalance {
    /// Every so many bars, the first time on the first bar with a target.
    Bars(usize),
    /// On the close of the first bar of a month.
    Month,
    /// When the weight of an asset is further than this from its target.
    Drift(f64),
    /// When a target changes.
    Change,
}

/// A strategy of target weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// Target weights by asset, then bar; NaN for "as it is".
    pub targets: Vec<Vec<f64>>,
    /// When.
    pub rebalance: Rebalance,
    since: Option<usize>,
    last: Vec<f64>,
}

impl Weights {
    /// Targets by asset, then bar.
    #[must_use]
    pub fn new(targets: Vec<Vec<f64>>, rebalance: Rebalance) -> Self {
        let last = vec![f64::NAN; targets.len()];
        Self {
            targets,
            rebalance,
            since: None,
            last,
        }
    }

    fn is_due(&self, view: &View<'_>) -> bool {
        let bar = view.bar();
        let Some(since) = self.since else {
            return true;
        };
        match self.rebalance {
            Rebalance::Bars(n) => bar - since >= n.max(1),
            Rebalance::Month => view.is_new_month().unwrap_or(false),
            Rebalance::Drift(most) => (0..self.targets.len()).any(|a| {
                let target = self.targets[a][bar];
                !target.is_nan() && (view.weight(a) - target).abs() > most
            }),
            Rebalance::Change => (0..self.targets.len()).any(|a| {
                let target = self.targets[a][bar];
                !target.is_nan() && target != self.last[a]
            }),
        }
    }
}

impl Decide for Weights {
    fn decide(&mut self, view: &View<'_>, orders: &mut Orders) {
        let bar = view.bar();
        if self.targets.iter().all(|t| t[bar].is_nan()) || !self.is_due(view) {
            return;
        }
        self.since = Some(bar);
        for (asset, targets) in self.targets.iter().enumerate() {
            let target = targets[bar];
            if target.is_nan() {
                continue;
            }
            self.last[asset] = target;
            if view.is_waiting(asset) {
                orders.cancel(asset);
            }
            let size = if target == 0.0 {
                Size::Close
            } else {
                Size::Weight(target)
            };
            if target != 0.0 || view.units(asset) != 0.0 {
                orders.submit(Order::market(asset, size, "rebalance"));
            }
        }
    }
}
