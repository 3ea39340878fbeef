//! Strategies as data: what a [`StrategySpec`] says, read, checked and turned into columns for the
//! engine. Nothing of it runs as code.
//!
//! What: Expressions over bars, catalogue columns and further series become entries, exits,
//! weights, stops and sizes, one value a bar.
//! Formula: sizing volatility_target: weight = annual/(sd of the last `window` returns · √p), at
//! most cap; kelly: weight = fraction · mean/variance of the last `window` returns (for a short
//! position with the opposite sign), at most cap, no position at 0 or below.
//! Data: Bars of each symbol and the series that the expressions name.
//! Cost: O(bars · window) an expression part at worst.
//! Fails when: A name is unknown or a type does not fit: said with field and column before
//! anything is computed.
//! Source: J. L. Kelly, A New Interpretation of Information Rate, Bell System Technical Journal 35
//! (1956); A. Moreira, T. Muir, Volatility-Managed Portfolios, Journal of Finance 72 (2017).
//! Not claimed: That past moments are those of the future.

mod evaluate;
mod expression;
mod functions;
mod kernels;

pub use evaluate::{Bars, Column, Evaluator};
pub use expression::{Expression, ExpressionError, MAX_DEPTH, MAX_PARTS};
pub use functions::{Argument, FUNCTIONS, Function, MAX_WINDOW, Type};
pub use kernels::{atr, ema, rsi, sma, wma};

use crate::engine::{
    Asset, Away, Costs, Event, Guard, Limits, Market, Outcome, Plan, Rebalance, Settings, Signals,
    Slippage, Timing, Weights, simulate,
};
use crate::performance::{deviation, mean};
use mltrainer_catalogue_core::suggest::nearest;
use mltrainer_catalogue_core::{Bars as CatalogueBars, Engine, FitError, Registry};
use mltrainer_compliance::Verified;
use mltrainer_types::strategy::{
    CostSpec, Distance, EntryOrder, FillAt, RebalanceSpec, Sizing, StrategyError, StrategySpec,
};
use std::sync::Arc;

/// Names of the bars.
const BARS: [&str; 5] = ["open", "high", "low", "close", "volume"];

/// One symbol for a strategy.
#[derive(Debug, Clone)]
pub struct Symbol<'a> {
    /// Its name.
    pub name: &'a str,
    /// The bars that expressions see.
    pub bars: Bars<'a>,
    /// The bars as they were traded, where those above are adjusted for splits: orders fill on these, and
    /// the prices and amounts that expressions give are brought to them.
    pub traded: Option<Bars<'a>>,
    /// Corporate actions, in the shares of their day.
    pub events: &'a [Event],
    /// Further columns by name: features, forecasts of models, and those of
    /// [`catalogue_columns`].
    pub columns: Vec<(String, Vec<f64>)>,
}

impl<'a> Symbol<'a> {
    /// The bars that orders fill on.
    #[must_use]
    pub fn market(&self) -> Bars<'a> {
        self.traded.unwrap_or(self.bars)
    }

    /// Brings prices and amounts of the bars that expressions see to those that are traded.
    fn in_traded(&self, plan: Plan) -> Plan {
        let Some(traded) = self.traded else {
            return plan;
        };
        let factor: Vec<f64> = traded
            .close
            .iter()
            .zip(self.bars.close)
            .map(|(as_traded, seen)| as_traded / seen)
            .collect();
        let times = |mut column: Vec<f64>| {
            for (x, f) in column.iter_mut().zip(&factor) {
                *x *= f;
            }
            column
        };
        let guard = |g: Guard| match g {
            Guard::Amount(c) => Guard::Amount(times(c)),
            Guard::Price(c) => Guard::Price(times(c)),
            other => other,
        };
        Plan {
            stop: guard(plan.stop),
            target: guard(plan.target),
            trail: guard(plan.trail),
            entry_limit: plan.entry_limit.map(times),
            entry_stop: plan.entry_stop.map(times),
            ..plan
        }
    }
}

/// What a strategy is on one symbol.
#[derive(Debug, Clone, PartialEq)]
pub enum Ready {
    /// Entries and exits.
    Entries(Box<Plan>),
    /// Target weights, NaN for "as it is".
    Weights(Vec<f64>),
}

fn refused(field: impl Into<String>, reason: impl Into<String>) -> StrategyError {
    StrategyError {
        field: field.into(),
        reason: reason.into(),
        suggestions: Vec::new(),
    }
}

fn at(field: &str, e: ExpressionError) -> StrategyError {
    StrategyError {
        field: field.to_owned(),
        reason: format!("column {}: {}", e.column, e.reason),
        suggestions: e.suggestions,
    }
}

fn failed(field: &str, e: &FitError) -> StrategyError {
    refused(field, e.to_string())
}

/// Type that a field's expression must have; none for a definition, which may have any.
fn wanted(field: &str) -> Option<Type> {
    if field.starts_with("define[") {
        None
    } else if field.ends_with(".enter") || field.ends_with(".exit") {
        Some(Type::Condition)
    } else {
        Some(Type::Number)
    }
}

/// Reads every expression of a strategy over bars, its own columns and further names.
///
/// # Errors
/// [`StrategyError`] naming field and column.
pub fn check(spec: &StrategySpec, further: &[&str]) -> Result<(), StrategyError> {
    canonical(spec, further).map(|_| ())
}

/// The strategy with every expression in canonical text.
///
/// # Errors
/// As [`check`].
pub fn canonical(spec: &StrategySpec, further: &[&str]) -> Result<StrategySpec, StrategyError> {
    spec.validate()?;
    let mut names: Vec<(&str, Type)> = BARS.iter().map(|n| (*n, Type::Number)).collect();
    names.extend(further.iter().map(|n| (*n, Type::Number)));
    for (i, c) in spec.columns.iter().enumerate() {
        free(&format!("columns[{i}].name"), &c.name, &names)?;
        names.push((&c.name, Type::Number));
    }
    let mut texts = Vec::new();
    let mut defined = spec.define.iter();
    for (field, text) in spec.expressions() {
        let read = match wanted(&field) {
            Some(gives) => Expression::parse_as(text, &names, gives),
            None => Expression::parse(text, &names),
        }
        .map_err(|e| at(&field, e))?;
        if wanted(&field).is_none()
            && let Some(d) = defined.next()
        {
            free(&field.replace("expression", "name"), &d.name, &names)?;
            names.push((&d.name, read.gives()));
        }
        texts.push(read.to_string());
    }
    let mut out = spec.clone();
    let mut texts = texts.into_iter();
    out.rewrite(&mut || texts.next());
    Ok(out)
}

/// Puts other texts in place of the expressions, in the order of [`StrategySpec::expressions`].
trait Rewrite {
    fn rewrite(&mut self, next: &mut dyn FnMut() -> Option<String>);
}

impl Rewrite for StrategySpec {
    fn rewrite(&mut self, next: &mut dyn FnMut() -> Option<String>) {
        let mut put = |text: &mut String| {
            if let Some(new) = next() {
                *text = new;
            }
        };
        for d in &mut self.define {
            put(&mut d.expression);
        }
        for side in [&mut self.long, &mut self.short].into_iter().flatten() {
            put(&mut side.enter);
            side.exit.iter_mut().for_each(&mut put);
        }
        self.weight.iter_mut().for_each(&mut put);
        for distance in [
            &mut self.stop_loss,
            &mut self.profit_target,
            &mut self.trailing_stop,
        ] {
            if let Some(Distance::Amount { expression } | Distance::Price { expression }) = distance
            {
                put(expression);
            }
        }
        match &mut self.entry_order {
            EntryOrder::Market => {}
            EntryOrder::Limit { limit, .. } => put(limit),
            EntryOrder::Stop { stop, .. } => put(stop),
            EntryOrder::StopLimit { stop, limit, .. } => {
                put(stop);
                put(limit);
            }
        }
    }
}

/// Refuses a name that is taken.
fn free(field: &str, name: &str, names: &[(&str, Type)]) -> Result<(), StrategyError> {
    let word = ["and", "or", "not"].contains(&name);
    if word || names.iter().any(|(n, _)| *n == name) {
        return Err(refused(
            field,
            format!("\"{name}\" is the name of something else"),
        ));
    }
    Ok(())
}

/// The columns that a strategy takes out of the catalogue, over verified bars.
///
/// # Errors
/// [`StrategyError`]: an unknown entry or output with the nearest names, refused parameters, an
/// entry that gives no values over bars.
pub fn catalogue_columns(
    spec: &StrategySpec,
    registry: &Registry,
    bars: &Verified<CatalogueBars>,
) -> Result<Vec<(String, Vec<f64>)>, StrategyError> {
    let each = spec.columns.iter().enumerate();
    each.map(|(i, column)| {
        let field = |name: &str| format!("columns[{i}].{name}");
        let Some(found) = registry.find(&column.entry) else {
            return Err(StrategyError {
                field: field("entry"),
                reason: format!("there is no entry \"{}\"", column.entry),
                suggestions: registry.nearest(&column.entry),
            });
        };
        let Engine::Indicator { run } = found.entry.engine else {
            return Err(refused(
                field("entry"),
                format!("{} gives no values over bars", column.entry),
            ));
        };
        let params = found
            .params(&column.params)
            .map_err(|e| refused(field("params"), e.to_string()))?;
        let outputs = run(&params, bars).map_err(|e| failed(&field("entry"), &e))?;
        let names: Vec<&str> = outputs.iter().map(|(name, _)| *name).collect();
        let picked = outputs.iter().find(|(name, _)| *name == column.output);
        let Some((_, values)) = picked else {
            return Err(StrategyError {
                field: field("output"),
                reason: format!(
                    "{} has no output \"{}\", it has {}",
                    column.entry,
                    column.output,
                    names.join(", ")
                ),
                suggestions: nearest(&column.output, names.iter().copied()),
            });
        };
        let values = values.iter().map(|v| v.unwrap_or(f64::NAN)).collect();
        Ok((column.name.clone(), values))
    })
    .collect()
}

/// A strategy on one symbol. Columns of the catalogue must stand among the symbol's columns.
///
/// # Errors
/// [`StrategyError`] as [`check`]; a column whose length is not that of the bars.
pub fn ready(
    spec: &StrategySpec,
    symbol: &Symbol<'_>,
    periods_per_year: f64,
) -> Result<Ready, StrategyError> {
    spec.validate()?;
    let bars = symbol.bars.close.len();
    let mut all = Evaluator::new(symbol.bars);
    for (name, values) in &symbol.columns {
        if values.len() != bars {
            return Err(refused(
                "columns",
                format!(
                    "{name} has {} values, {} has {bars} bars",
                    values.len(),
                    symbol.name
                ),
            ));
        }
        free("columns", name, &all.types())?;
        all.define(name, Column::Numbers(Arc::new(values.clone())));
    }
    let mut defined = spec.define.iter();
    let mut found = std::collections::BTreeMap::new();
    for (field, text) in spec.expressions() {
        let names = all.types();
        let read = match wanted(&field) {
            Some(gives) => Expression::parse_as(text, &names, gives),
            None => Expression::parse(text, &names),
        }
        .map_err(|e| at(&field, e))?;
        let column = all.column(&read).map_err(|e| failed(&field, &e))?;
        if wanted(&field).is_none()
            && let Some(d) = defined.next()
        {
            free(&field.replace("expression", "name"), &d.name, &all.types())?;
            all.define(&d.name, column);
        } else {
            found.insert(field, column);
        }
    }
    let numbers = |field: &str| match found.get(field) {
        Some(Column::Numbers(x)) => Some(x.to_vec()),
        _ => None,
    };
    if let Some(weights) = numbers("weight") {
        return Ok(Ready::Weights(weights));
    }
    let truths = |field: &str| match found.get(field) {
        Some(Column::Conditions(c)) => c.iter().map(|c| *c == Some(true)).collect(),
        _ => Vec::new(),
    };
    let guard = |field: &str, distance: &Option<Distance>| match distance {
        None => Guard::None,
        Some(Distance::Share { share }) => Guard::Same(Away::Share(*share)),
        Some(Distance::Amount { .. }) => {
            Guard::Amount(numbers(&format!("{field}.expression")).unwrap_or_default())
        }
        Some(Distance::Price { .. }) => {
            Guard::Price(numbers(&format!("{field}.expression")).unwrap_or_default())
        }
    };
    let (weight, weight_short) = weights(&spec.sizing, symbol.bars.close, periods_per_year);
    let good_for = match spec.entry_order {
        EntryOrder::Market => 1,
        EntryOrder::Limit { bars, .. }
        | EntryOrder::Stop { bars, .. }
        | EntryOrder::StopLimit { bars, .. } => bars as usize,
    };
    Ok(Ready::Entries(Box::new(symbol.in_traded(Plan {
        enter_long: truths("long.enter"),
        exit_long: truths("long.exit"),
        enter_short: truths("short.enter"),
        exit_short: truths("short.exit"),
        weight,
        weight_short,
        amount: match spec.sizing {
            Sizing::Amount { amount } => Some(amount),
            _ => None,
        },
        stop: guard("stop_loss", &spec.stop_loss),
        target: guard("profit_target", &spec.profit_target),
        trail: guard("trailing_stop", &spec.trailing_stop),
        max_bars: spec.max_bars.map(|b| b as usize),
        max_risk: spec.max_risk,
        entry_limit: numbers("entry_order.limit"),
        entry_stop: numbers("entry_order.stop"),
        good_for,
    }))))
}

/// Weights of long and, where they differ, of short positions.
fn weights(sizing: &Sizing, close: &[f64], year: f64) -> (Vec<f64>, Option<Vec<f64>>) {
    let returns: Vec<f64> = std::iter::once(f64::NAN)
        .chain(close.windows(2).map(|w| w[1] / w[0] - 1.0))
        .collect();
    match *sizing {
        Sizing::Fraction { fraction } => (vec![fraction; close.len()], None),
        Sizing::Amount { .. } => (Vec::new(), None),
        Sizing::VolatilityTarget {
            annual,
            window,
            cap,
        } => {
            let weight = kernels::windows(&returns, window as usize, |w| {
                let sd = deviation(w) * year.sqrt();
                if sd > 0.0 {
                    (annual / sd).min(cap)
                } else {
                    f64::NAN
                }
            });
            (weight, None)
        }
        Sizing::Kelly {
            window,
            fraction,
            cap,
        } => {
            let side = |sign: f64| {
                kernels::windows(&returns, window as usize, |w| {
                    let sd = deviation(w);
                    if sd > 0.0 {
                        (sign * fraction * mean(w) / (sd * sd)).clamp(0.0, cap)
                    } else {
                        f64::NAN
                    }
                })
            };
            (side(1.0), Some(side(-1.0)))
        }
    }
}

/// The settings of a test with what the strategy states in their place.
#[must_use]
pub fn settings(spec: &StrategySpec, base: &Settings) -> Settings {
    let costs = spec
        .costs
        .as_ref()
        .map(|c| costs(c, base.costs.periods_per_year));
    Settings {
        cash: spec.cash.unwrap_or(base.cash),
        costs: costs.unwrap_or(base.costs),
        limits: Limits {
            max_weight: spec.limits.max_weight,
            max_gross: spec.limits.max_gross,
            max_positions: spec.limits.max_positions.map(|m| m as usize),
            // A strategy that states no short side has none.
            shorts: true,
        },
        whole_shares: spec.whole_shares.unwrap_or(base.whole_shares),
        timing: match spec.fill {
            FillAt::NextOpen => Timing::NextOpen,
            FillAt::NextClose => Timing::NextClose,
            FillAt::ThisClose => Timing::ThisClose,
        },
        finalize: base.finalize,
    }
}

fn costs(c: &CostSpec, periods_per_year: f64) -> Costs {
    Costs {
        per_share: c.per_share,
        per_trade: c.per_trade,
        rate: c.rate,
        minimum: c.minimum,
        spread: c.spread,
        slippage: match c.volume_impact {
            Some(impact) => Slippage::VolumeShare { impact },
            None if c.slippage > 0.0 => Slippage::Share(c.slippage),
            None => Slippage::None,
        },
        volume_limit: c.volume_limit,
        borrow_rate: c.borrow_rate,
        cash_rate: c.cash_rate,
        margin_rate: c.margin_rate,
        periods_per_year,
    }
}

/// Tests a strategy on symbols that share a line of time; `days` (since 1970-01-01) where known.
///
/// # Errors
/// [`StrategyError`]: a wrong expression or field; bars that the engine refuses, under `bars`; a
/// monthly rebalancing without days.
pub fn back_test(
    spec: &StrategySpec,
    symbols: &[Symbol<'_>],
    days: Option<&[i32]>,
    base: &Settings,
) -> Result<Outcome, StrategyError> {
    if spec.rebalance == Some(RebalanceSpec::Month) && days.is_none() {
        return Err(refused("rebalance", "months need bars with dates"));
    }
    let refuse = |e: crate::engine::EngineError| refused("bars", e.to_string());
    let assets = symbols
        .iter()
        .map(|s| {
            let bars = s.market();
            Asset {
                symbol: s.name,
                open: bars.open,
                high: bars.high,
                low: bars.low,
                close: bars.close,
                volume: bars.volume,
                events: s.events,
            }
        })
        .collect();
    let market = Market::new(assets, days).map_err(refuse)?;
    let settings = settings(spec, base);
    let (mut plans, mut targets) = (Vec::new(), Vec::new());
    for symbol in symbols {
        match ready(spec, symbol, base.costs.periods_per_year)? {
            Ready::Entries(plan) => plans.push(*plan),
            Ready::Weights(weights) => targets.push(weights),
        }
    }
    if targets.is_empty() {
        return simulate(&market, &settings, &mut Signals { plans }).map_err(refuse);
    }
    let rebalance = match spec.rebalance {
        None => Rebalance::Change,
        Some(RebalanceSpec::Bars { every }) => Rebalance::Bars(every as usize),
        Some(RebalanceSpec::Month) => Rebalance::Month,
        Some(RebalanceSpec::Threshold { drift }) => Rebalance::Drift(drift),
    };
    simulate(&market, &settings, &mut Weights::new(targets, rebalance)).map_err(refuse)
}
