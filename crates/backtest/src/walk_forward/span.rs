//! What a strategy does in a span of bars.
//!
//! What: A back test of a part of the bars. Expressions look back over all bars before the span;
//! nothing after it is handed to them. The strategy begins without a position, decides first on the
//! close before the span (so that the first order fills at its first open), and is closed out at its
//! last close.
//! Formula: r(t) = equity(t)/equity(t - 1) - 1 for each bar of the span; -1 on the bar on which the
//! equity is gone, then 0.
//! Data: Bars of one or more symbols on one line of time.
//! Cost: One back test; expressions over all bars up to the end of the span.
//! Fails when: The span is short beside the holding time.
//! Source: the engine's rules, `mltrainer_backtest::engine`.
//! Not claimed: The same result as that span of a longer test, which may begin it with a position.

use crate::engine::{
    Asset, Event, Guard, Market, Plan, Rebalance, Settings, Signals, Timing, Weights, simulate,
};
use crate::performance::{of_equity, of_trades};
use crate::strategy::{Bars, Ready, Symbol, ready, settings};
use mltrainer_types::strategy::{RebalanceSpec, StrategyError, StrategySpec};
use mltrainer_types::trial::Metrics;
use std::ops::Range;

/// What came out of a span.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Return of each bar.
    pub returns: Vec<f64>,
    /// Figures of the curve and of the trades.
    pub metrics: Metrics,
}

impl Span {
    /// So many bars in which nothing is held.
    #[must_use]
    pub fn idle(bars: usize, periods_per_year: f64) -> Self {
        Self::of(vec![0.0; bars], Metrics::new(), periods_per_year)
    }

    fn of(returns: Vec<f64>, trades: Metrics, periods_per_year: f64) -> Self {
        let mut metrics = of_equity(&curve(&returns, 1.0), periods_per_year);
        metrics.extend(trades);
        Self { returns, metrics }
    }

    /// A figure, where it exists.
    #[must_use]
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.metrics.get(name).copied().flatten()
    }

    /// Positions that were closed.
    #[must_use]
    pub fn trades(&self) -> usize {
        self.figure("n_trades").map_or(0, |n| n as usize)
    }
}

/// Equity from a start, one more than returns.
pub(super) fn curve(returns: &[f64], start: f64) -> Vec<f64> {
    let mut equity = Vec::with_capacity(returns.len() + 1);
    let mut last = start;
    equity.push(last);
    for r in returns {
        last *= 1.0 + r;
        equity.push(last);
    }
    equity
}

/// A column from a place on; an empty one stays empty.
fn after<T>(mut column: Vec<T>, from: usize) -> Vec<T> {
    if column.len() > from {
        column.split_off(from)
    } else {
        Vec::new()
    }
}

fn plan_after(plan: Plan, from: usize) -> Plan {
    let guard = |g: Guard| match g {
        Guard::Amount(c) => Guard::Amount(after(c, from)),
        Guard::Price(c) => Guard::Price(after(c, from)),
        other => other,
    };
    Plan {
        enter_long: after(plan.enter_long, from),
        exit_long: after(plan.exit_long, from),
        enter_short: after(plan.enter_short, from),
        exit_short: after(plan.exit_short, from),
        weight: after(plan.weight, from),
        weight_short: plan.weight_short.map(|c| after(c, from)),
        stop: guard(plan.stop),
        target: guard(plan.target),
        trail: guard(plan.trail),
        entry_limit: plan.entry_limit.map(|c| after(c, from)),
        entry_stop: plan.entry_stop.map(|c| after(c, from)),
        ..plan
    }
}

fn refused(field: &str, reason: impl Into<String>) -> StrategyError {
    StrategyError {
        field: field.to_owned(),
        reason: reason.into(),
        suggestions: Vec::new(),
    }
}

/// Tests a strategy in a span of the bars of symbols that share a line of time; `days` (since
/// 1970-01-01) where known. Positions that are open at its end are closed there, whatever `base`
/// says.
///
/// # Errors
/// [`StrategyError`]: a span that does not lie within the bars, an expression, bars that the engine
/// refuses, months without days.
pub fn test_span(
    spec: &StrategySpec,
    symbols: &[Symbol<'_>],
    days: Option<&[i32]>,
    base: &Settings,
    span: Range<usize>,
) -> Result<Span, StrategyError> {
    let bars = symbols.first().map_or(0, |s| s.bars.close.len());
    let even = |s: &Symbol<'_>| {
        [s.bars, s.market()].iter().all(|b| {
            let columns = [b.open, b.high, b.low, b.close, b.volume.unwrap_or(b.close)];
            columns.iter().all(|c| c.len() == bars)
        })
    };
    let whole = symbols.iter().all(even) && days.is_none_or(|d| d.len() == bars);
    if span.is_empty() || span.end > bars || !whole {
        return Err(refused(
            "bars",
            format!(
                "bars {} to {} are asked for; there are {bars}, and all columns must have as many",
                span.start, span.end
            ),
        ));
    }
    if spec.rebalance == Some(RebalanceSpec::Month) && days.is_none() {
        return Err(refused("rebalance", "months need bars with dates"));
    }
    let settings = Settings {
        finalize: true,
        ..settings(spec, base)
    };
    // Who fills on the close of the decision cannot decide before the span.
    let early = usize::from(span.start > 0 && settings.timing != Timing::ThisClose);
    let from = span.start - early;
    let year = base.costs.periods_per_year;
    let (mut plans, mut targets) = (Vec::new(), Vec::new());
    for symbol in symbols {
        match ready(spec, &until(symbol, span.end), year)? {
            Ready::Entries(plan) => plans.push(plan_after(*plan, from)),
            Ready::Weights(weights) => targets.push(after(weights, from)),
        }
    }
    let events: Vec<Vec<Event>> = symbols
        .iter()
        .map(|s| {
            let inside = s.events.iter().filter(|e| e.bar > from && e.bar < span.end);
            inside
                .map(|e| Event {
                    bar: e.bar - from,
                    action: e.action,
                })
                .collect()
        })
        .collect();
    let assets = symbols.iter().zip(&events).map(|(s, events)| {
        let b = s.market();
        Asset {
            symbol: s.name,
            open: &b.open[from..span.end],
            high: &b.high[from..span.end],
            low: &b.low[from..span.end],
            close: &b.close[from..span.end],
            volume: b.volume.map(|v| &v[from..span.end]),
            events,
        }
    });
    let refuse = |e: crate::engine::EngineError| refused("bars", e.to_string());
    let market = Market::new(assets.collect(), days.map(|d| &d[from..span.end])).map_err(refuse)?;
    let outcome = if targets.is_empty() {
        simulate(&market, &settings, &mut Signals { plans })
    } else {
        let rebalance = match spec.rebalance {
            None => Rebalance::Change,
            Some(RebalanceSpec::Bars { every }) => Rebalance::Bars(every as usize),
            Some(RebalanceSpec::Month) => Rebalance::Month,
            Some(RebalanceSpec::Threshold { drift }) => Rebalance::Drift(drift),
        };
        simulate(&market, &settings, &mut Weights::new(targets, rebalance))
    }
    .map_err(refuse)?;
    let mut before = settings.cash;
    let mut returns = Vec::with_capacity(span.len());
    for (place, equity) in outcome.equity.iter().enumerate() {
        if place >= early {
            returns.push(if before > 0.0 {
                (equity / before - 1.0).max(-1.0)
            } else {
                0.0
            });
        }
        before = *equity;
    }
    Ok(Span::of(returns, of_trades(&outcome.trades), year))
}

/// A symbol as it was known at the end of a span.
fn until<'a>(symbol: &Symbol<'a>, end: usize) -> Symbol<'a> {
    let cut = |b: Bars<'a>| Bars {
        open: &b.open[..end],
        high: &b.high[..end],
        low: &b.low[..end],
        close: &b.close[..end],
        volume: b.volume.map(|v| &v[..end]),
    };
    let columns = symbol.columns.iter();
    Symbol {
        name: symbol.name,
        bars: cut(symbol.bars),
        traded: symbol.traded.map(cut),
        events: &[],
        columns: columns
            .map(|(name, values)| (name.clone(), values.iter().take(end).copied().collect()))
            .collect(),
    }
}
