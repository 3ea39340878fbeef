//! What a symbol is traded on: the bars that a strategy sees, the prices of their day, and splits and
//! dividends as events.

use crate::ServiceError;
use crate::corporate::{Corporate, Dividends};
use chrono::NaiveDate;
use mltrainer_backtest::engine::{Action, Event};
use mltrainer_backtest::strategy;
use mltrainer_compliance::Verified;
use mltrainer_data::bars::{Bars, Split};
use mltrainer_types::backtest::{
    BacktestActions, BacktestSplit, BacktestSymbol, Finding, Severity,
};
use mltrainer_types::strategy::{EntryOrder, FillAt, StrategySpec};
use std::collections::BTreeMap;

/// The prices of their day beside the adjusted bars of a span.
#[derive(Clone)]
pub(super) struct Traded {
    /// The bars as they were traded.
    pub(super) bars: Verified<Bars>,
    /// The bars with dividends taken into the prices before them: for the benchmark.
    pub(super) total: Verified<Bars>,
    corporate: Corporate,
}

impl Traded {
    /// Of the adjusted bars of a span; none where prices were never others and no dividend is known.
    pub(super) fn new(
        corporate: Corporate,
        span: &Verified<Bars>,
    ) -> Result<Option<Self>, ServiceError> {
        if corporate.is_empty() && corporate.dividends != Dividends::Known {
            return Ok(None);
        }
        Ok(Some(Self {
            bars: corporate.as_traded(span)?,
            total: corporate.total(span)?,
            corporate,
        }))
    }

    /// What the specification says of it.
    pub(super) fn told(&self) -> Option<BacktestActions> {
        let dates = &self.bars.get().dates;
        let (first, last) = (*dates.first()?, *dates.last()?);
        let actions = &self.corporate.actions;
        let splits = actions.splits.iter().filter(|s| s.date > first);
        let paid = |d: NaiveDate| first < d && d <= last;
        let dividends = actions.dividends.iter().filter(|d| paid(d.date)).count();
        Some(BacktestActions {
            splits: splits
                .map(|s| BacktestSplit {
                    date: s.date,
                    ratio: s.ratio(),
                })
                .collect(),
            dividends: u32::try_from(dividends).unwrap_or(u32::MAX),
            sha256: self.corporate.sha256((first, last)),
        })
    }

    /// Splits and dividends by the first of these days on which they are in effect; what was before the first
    /// day, or comes after the last, is none.
    pub(super) fn events(&self, days: &[NaiveDate]) -> Vec<Event> {
        let actions = &self.corporate.actions;
        let splits = actions.splits.iter();
        // A dividend is counted in the shares of its day: after a split of that day.
        let splits = splits.map(|s| (s.date, 0, Action::Split(Split::ratio(s))));
        let dividends = actions.dividends.iter();
        let dividends = dividends.map(|d| (d.date, 1, Action::Dividend(d.amount)));
        let mut all: Vec<(NaiveDate, u8, Action)> = splits.chain(dividends).collect();
        all.sort_by_key(|(date, order, _)| (*date, *order));
        all.into_iter()
            .filter_map(|(date, _, action)| {
                let bar = days.partition_point(|d| *d < date);
                (0 < bar && bar < days.len()).then_some(Event { bar, action })
            })
            .collect()
    }
}

/// What the result leaves out, where dividends are not known.
pub(super) fn unknown_dividends(symbols: &[BacktestSymbol], unknown: &[bool]) -> Option<Finding> {
    let named: Vec<&str> = symbols
        .iter()
        .zip(unknown)
        .filter(|(_, unknown)| **unknown)
        .map(|(s, _)| s.symbol.as_str())
        .collect();
    let count = named.len();
    let words = match named.as_slice() {
        [] => return None,
        [one] => (*one).to_owned(),
        [first, second] => format!("{first} and {second}"),
        [first, .., last] => format!("{first} to {last} ({count} symbols)"),
    };
    Some(Finding {
        rule: "dividends_unknown".to_owned(),
        severity: Severity::Note,
        sentence: format!(
            "Dividends of {words} are not in the data: what they paid is missing in the result and in the benchmark that holds them. Days fetched from a source that states dividends have them."
        ),
        figures: BTreeMap::from([("symbols".to_owned(), Some(count as f64))]),
    })
}

/// Whether any expression reads something of a bar beside its close and volume.
fn reads_range(spec: &StrategySpec) -> Option<&'static str> {
    let all = spec.expressions();
    ["open", "high", "low", "atr"].into_iter().find(|word| {
        all.iter().any(|(_, text)| {
            text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
                .any(|part| part == *word)
        })
    })
}

/// The bars of a symbol for a strategy. Closes alone serve as all four prices for one that asks for nothing
/// but closes.
///
/// # Errors
/// One sentence: what the strategy needs that the bars do not have.
pub(super) fn seen<'a>(
    bars: &'a Bars,
    spec: &StrategySpec,
) -> Result<strategy::Bars<'a>, ServiceError> {
    let volume = bars.volume.as_deref();
    if let (Some(open), Some(high), Some(low)) = (&bars.open, &bars.high, &bars.low) {
        return Ok(strategy::Bars {
            open,
            high,
            low,
            close: &bars.close,
            volume,
        });
    }
    closes_suffice(&bars.symbol, spec)?;
    let close = bars.close.as_slice();
    Ok(strategy::Bars {
        open: close,
        high: close,
        low: close,
        close,
        volume,
    })
}

/// Whether a strategy can be tested on closes alone.
///
/// # Errors
/// One sentence: why not, and what to do.
pub(super) fn closes_suffice(symbol: &str, spec: &StrategySpec) -> Result<(), ServiceError> {
    let needs = if spec.fill == FillAt::NextOpen {
        Some("the strategy fills at the next open: let it say \"fill\": \"next_close\"".to_owned())
    } else if spec.stop_loss.is_some()
        || spec.profit_target.is_some()
        || spec.trailing_stop.is_some()
    {
        Some("stops and targets fill within high and low: leave them out".to_owned())
    } else if spec.entry_order != EntryOrder::Market {
        Some("limit and stop orders fill within high and low: leave entry_order out".to_owned())
    } else if spec.max_bars.is_some() {
        Some("max_bars closes at an open: leave it out".to_owned())
    } else {
        reads_range(spec).map(|word| format!("an expression reads {word}: leave it out"))
    };
    needs.map_or(Ok(()), |needs| {
        Err(ServiceError::BadData(format!(
            "{symbol} has closes only, and {needs}, or choose a data set with open, high and low"
        )))
    })
}
