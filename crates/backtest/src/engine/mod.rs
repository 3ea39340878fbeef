//! The bar-exact engine: many assets on one line of time, orders, costs, corporate actions and an
//! explanation of every fill.
//!
//! What: From bars, events and orders that a strategy hands in after each close, the fills, cash,
//! positions, equity and trades, one bar after the other.
//! Formula: equity(t) = cash(t) + Σ units · close(t). Within a bar, in this order: (1) events of
//! the bar (split, dividend, delisting) before its open; interest and borrow fees on what was held
//! over the close before; (2) the open: protective exits that the open jumped over, then orders
//! that fill at the open, those that reduce a position first, each kind in order of submission;
//! (3) inside the bar, asset by asset: protective exits, then limit and stop orders that the range
//! reached; (4) the close: orders for the close, then equity; (5) the strategy sees bars up to this
//! one and hands in orders for later.
//! A level that the open has passed fills at the open. A stop and a target reached in one bar: the
//! stop, for nobody knows which came first. A position that an order opened inside a bar can be
//! stopped in that bar and reaches its target in a later one. A trailing stop rises with the highs
//! of the bars before. Where the path is unknown the rule decides against the strategy.
//! Data: Bars per asset, NaN in all four prices where an asset did not trade. Prices as traded,
//! splits and dividends as events.
//! Cost: O(bars · assets + orders).
//! Fails when: Orders are large beside the volume, quotes are stale, or the order of prices inside
//! a bar decides: one bar does not tell.
//! Source: M. L. Halls-Moore, Successful Algorithmic Trading (2013), chapter 14, for event-driven
//! tests; Zipline's VolumeShareSlippage for impact and participation.
//! Not claimed: That an order would have had no influence on later prices.

mod broker;
mod costs;
mod lean;
mod market;
mod order;
mod result;
mod rules;

pub use broker::{Decide, Orders, Position, Settings, View, simulate};
pub use costs::{Costs, Slippage};
pub use lean::{Crossover, Decision, LeanSummary, gap, is_lean, lean};
pub use market::{Action, Asset, EngineError, Event, Market};
pub use order::{
    Away, Fill, Kind, Limits, Moment, Order, Protection, Reason, Refused, Size, Timing,
};
pub use result::{Flows, Outcome, Trade};
pub use rules::{Guard, Plan, Rebalance, Signals, Weights};
