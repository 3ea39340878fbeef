//! Evaluating the features over the bars of a symbol, and of many beside each other.

use crate::cross_sectional::{Beside, LEAST, Universe};
use crate::options::OptionChain;
use crate::{Feature, calendar, economic, find, groups, is_known, ops, options, registry};
use chrono::{Datelike, NaiveDate};
use mltrainer_compliance::{Content, Digest, Verified};
use mltrainer_data::bars::Bars;
use mltrainer_data::series::Series;
use polars::prelude::{Column, DataFrame, DataType, Expr, IntoLazy, PolarsError};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use thiserror::Error;

/// Bars at the start of the data for which a series may be missing although it reaches: one that
/// begins with the bars is known a day later.
const LATE_BARS: usize = 5;
/// Number of 1970-01-01, counted from year 1.
const EPOCH: i32 = 719_163;

/// What features may know besides the bars.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Context {
    /// Economic series, in any order; each takes part from the day on which a figure was known.
    pub series: Vec<Series>,
    /// Option chains, at most one a symbol.
    pub chains: Vec<OptionChain>,
}

impl Context {
    /// These verified series; `None` when there are none, because what comes from nowhere has no
    /// lineage.
    #[must_use]
    pub fn verified(series: &[Verified<Series>]) -> Option<Verified<Self>> {
        if series.is_empty() {
            return None;
        }
        let ids: Vec<&str> = series.iter().map(|s| s.get().id.as_str()).collect();
        let detail = format!("{} as they were published", ids.join(", "));
        let together = |all: &[&Series]| {
            Ok::<_, Infallible>(Self {
                series: all.iter().map(|s| (*s).clone()).collect(),
                chains: Vec::new(),
            })
        };
        Verified::combine(series, "economic series", detail, together).ok()
    }
}

impl Content for Context {
    fn digest(&self, d: &mut Digest) {
        d.text("context").int(self.series.len() as i64);
        for series in &self.series {
            series.digest(d);
        }
        for chain in &self.chains {
            chain.digest(d);
        }
    }
}

/// A feature that was not computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its id.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// Features of one symbol: one row a bar, one column a feature.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FeatureTable {
    /// Days, as in the bars.
    pub dates: Vec<NaiveDate>,
    /// Feature ids, in the order of the registry.
    pub names: Vec<String>,
    /// Values, one column a name; NaN while warming up and where a value is not defined.
    pub columns: Vec<Vec<f64>>,
    /// Features that the data does not allow, each with the reason.
    pub left_out: Vec<LeftOut>,
}

impl Content for FeatureTable {
    fn digest(&self, d: &mut Digest) {
        d.text("features").int(self.dates.len() as i64);
        for day in &self.dates {
            d.int(i64::from(day.num_days_from_ce()));
        }
        for (name, column) in self.names.iter().zip(&self.columns) {
            d.text(name).floats(column);
        }
    }
}

impl FeatureTable {
    /// The column of a feature, when it was computed.
    #[must_use]
    pub fn column(&self, id: &str) -> Option<&[f64]> {
        let place = self.names.iter().position(|n| n == id)?;
        self.columns.get(place).map(Vec::as_slice)
    }

    /// The table as CSV: `date` and one column a feature, an empty cell where there is no value.
    /// Numbers have as many digits as it takes to read back the same bits.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut text = String::from("date");
        for name in &self.names {
            text.push(',');
            text.push_str(name);
        }
        text.push('\n');
        for (row, date) in self.dates.iter().enumerate() {
            text.push_str(&date.to_string());
            for column in &self.columns {
                text.push(',');
                if column[row].is_finite() {
                    text.push_str(&column[row].to_string());
                }
            }
            text.push('\n');
        }
        text
    }
}

/// Why no features could be computed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FeatureError {
    /// Neither a group nor a feature.
    #[error("there is no feature group \"{group}\"; there are {}", .groups.join(", "))]
    UnknownGroup {
        /// The name given.
        group: String,
        /// The groups there are.
        groups: Vec<String>,
    },
    /// No feature is left.
    #[error("no feature can be computed for {symbol}: {reason}")]
    Nothing {
        /// Symbol.
        symbol: String,
        /// Why the first one was left out.
        reason: String,
    },
    /// Columns of unequal length, or a fault of the data-frame library.
    #[error("features of {symbol} could not be computed: {cause}")]
    Engine {
        /// Symbol.
        symbol: String,
        /// The cause.
        cause: String,
    },
}

/// The features of these groups and ids (of all, when none is named) over the bars of one symbol.
///
/// A feature that needs a column the bars do not have, a series that does not reach over all bars,
/// or other symbols, is left out and listed in `left_out`; nothing is filled in.
///
/// # Errors
/// [`FeatureError`] for an unknown group, or when no feature is left.
pub fn compute(
    bars: &Bars,
    context: &Context,
    wanted: &[String],
) -> Result<FeatureTable, FeatureError> {
    let table = compute_from(bars, context, wanted, None)?;
    match table.left_out.first() {
        Some(first) if table.names.is_empty() => Err(FeatureError::Nothing {
            symbol: bars.symbol.clone(),
            reason: first.reason.clone(),
        }),
        _ => Ok(table),
    }
}

/// [`compute`] where the bars before `from` are there to warm up only: no series need reach over
/// them. All rows are returned; that every feature was left out is no error.
///
/// # Errors
/// [`FeatureError`] for an unknown group.
pub fn compute_from(
    bars: &Bars,
    context: &Context,
    wanted: &[String],
    from: Option<NaiveDate>,
) -> Result<FeatureTable, FeatureError> {
    check(wanted)?;
    let chosen: Vec<&Feature> = chosen(wanted).collect();
    evaluate(bars, context, &chosen, from, &BTreeMap::new())
}

/// [`compute_from`] for many symbols, in the order given, each seen beside the others of its days by
/// the cross-sectional features. Symbols are computed side by side on all cores; the values have
/// the same bits on one.
///
/// # Errors
/// As [`compute_from`].
pub fn compute_many(
    bars: &[&Bars],
    context: &Context,
    wanted: &[String],
    from: Option<NaiveDate>,
) -> Result<Vec<FeatureTable>, FeatureError> {
    check(wanted)?;
    let (across, alone): (Vec<&Feature>, Vec<&Feature>) =
        chosen(wanted).partition(|f| f.needs.iter().any(|n| Beside::parse(n).is_some()));
    // What the cross-section is made of comes first, whether it is asked for or not.
    let made_of: BTreeSet<&'static str> = across
        .iter()
        .flat_map(|f| f.needs)
        .filter_map(|need| {
            let id = Beside::parse(need).map_or(*need, |(_, id)| id);
            find(id).map(|f| f.id)
        })
        .collect();
    let first: Vec<&Feature> = registry()
        .iter()
        .filter(|f| made_of.contains(f.id) || alone.iter().any(|a| a.id == f.id))
        .collect();
    let nothing = BTreeMap::new();
    let tables: Vec<FeatureTable> = side_by_side(bars.len(), |s| {
        evaluate(bars[s], context, &first, from, &nothing)
    })?;
    if across.is_empty() {
        return Ok(tables);
    }
    let beside = beside(bars, &tables, &across);
    side_by_side(bars.len(), |s| {
        let mut found = evaluate(bars[s], context, &across, from, &beside[s])?;
        let asked = |id: &str| alone.iter().any(|f| f.id == id);
        let mut table = FeatureTable {
            dates: bars[s].dates.clone(),
            ..FeatureTable::default()
        };
        let known = tables[s].names.iter().zip(&tables[s].columns);
        for (name, column) in known.filter(|(name, _)| asked(name)) {
            table.names.push(name.clone());
            table.columns.push(column.clone());
        }
        table.names.append(&mut found.names);
        table.columns.append(&mut found.columns);
        let left_out = tables[s].left_out.iter().filter(|l| asked(&l.id)).cloned();
        table.left_out = left_out.chain(found.left_out).collect();
        Ok(table)
    })
}

fn check(wanted: &[String]) -> Result<(), FeatureError> {
    match wanted.iter().find(|w| !is_known(w)) {
        None => Ok(()),
        Some(group) => Err(FeatureError::UnknownGroup {
            group: group.clone(),
            groups: groups().into_iter().map(str::to_owned).collect(),
        }),
    }
}

fn chosen(wanted: &[String]) -> impl Iterator<Item = &'static Feature> {
    registry().iter().filter(move |f| f.is_among(wanted))
}

/// Of each symbol the columns that these features take from it and from the others of its days.
fn beside(
    bars: &[&Bars],
    tables: &[FeatureTable],
    features: &[&Feature],
) -> Vec<BTreeMap<&'static str, Vec<f64>>> {
    let dates: Vec<&[NaiveDate]> = bars.iter().map(|b| b.dates.as_slice()).collect();
    let universe = Universe::new(&dates);
    let mut out = vec![BTreeMap::new(); bars.len()];
    let needs: BTreeSet<&'static str> = features.iter().flat_map(|f| f.needs).copied().collect();
    for need in needs {
        let made = Beside::parse(need);
        let id = made.map_or(need, |(_, id)| id);
        let values: Vec<Option<&[f64]>> = tables.iter().map(|t| t.column(id)).collect();
        let columns = match made {
            Some((kind, _)) if bars.len() >= LEAST => universe.columns(kind, &values),
            Some(_) => continue,
            None => values.iter().map(|v| v.map(<[f64]>::to_vec)).collect(),
        };
        for (map, column) in out.iter_mut().zip(columns) {
            if let Some(column) = column {
                map.insert(need, column);
            }
        }
    }
    out
}

/// Runs the work of 0 to n-1 on all cores and gives the results in order, or the first error.
fn side_by_side<T: Send>(
    n: usize,
    work: impl Fn(usize) -> Result<T, FeatureError> + Sync,
) -> Result<Vec<T>, FeatureError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    if threads < 2 || n < 2 {
        return (0..n).map(work).collect();
    }
    let share = |first: usize| -> Vec<_> { (first..n).step_by(threads).map(&work).collect() };
    let mut shares: Vec<_> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads)
            .map(|t| scope.spawn(move || share(t).into_iter()))
            .collect();
        started
            .into_iter()
            .map(|handle| {
                handle
                    .join()
                    .unwrap_or_else(|p| std::panic::resume_unwind(p))
            })
            .collect()
    });
    (0..n).filter_map(|i| shares[i % threads].next()).collect()
}

/// Why a column is not there.
enum Missing {
    /// The bars do not have it.
    Bars,
    /// In words.
    Said(String),
}

/// The column of that name over the bars.
fn input<'a>(
    name: &str,
    bars: &'a Bars,
    context: &Context,
    from: usize,
    beside: &'a BTreeMap<&'static str, Vec<f64>>,
) -> Result<Cow<'a, [f64]>, Missing> {
    let of_bars = match name {
        "open" => Some(&bars.open),
        "high" => Some(&bars.high),
        "low" => Some(&bars.low),
        "volume" => Some(&bars.volume),
        _ => None,
    };
    if name == "close" {
        return Ok(Cow::Borrowed(&bars.close));
    }
    if let Some(column) = of_bars {
        return column.as_deref().map(Cow::Borrowed).ok_or(Missing::Bars);
    }
    if let Some(column) = beside.get(name) {
        return Ok(Cow::Borrowed(column));
    }
    if Beside::parse(name).is_some() || find(name).is_some() {
        return Err(Missing::Said(format!(
            "a place among others needs {LEAST} symbols or more that have it, computed together with {}",
            bars.symbol
        )));
    }
    if let Some(economic) = economic::MACROS.iter().find(|m| m.column == name) {
        let Some(series) = context.series.iter().find(|s| s.id == economic.series) else {
            return Err(Missing::Said(format!(
                "{} ({}) is not at hand",
                economic.title, economic.series
            )));
        };
        let joined = economic.as_of(&bars.dates, series);
        return match first_gap(&joined[from.min(joined.len())..]) {
            None => Ok(Cow::Owned(joined)),
            Some(row) => Err(Missing::Said(format!(
                "{} reaches from {} to {}, and is not known on {}",
                economic.title,
                text(series.dates.first()),
                text(series.dates.last()),
                text(bars.dates.get(from + row)),
            ))),
        };
    }
    if let Some(column) = calendar::column(name, &bars.dates) {
        return match column[from.min(column.len())..]
            .iter()
            .position(|v| v.is_nan())
        {
            None => Ok(Cow::Owned(column)),
            Some(row) => Err(Missing::Said(format!(
                "the exchange calendar reaches from {} to {}, which is not enough for {}",
                mltrainer_data::calendar::FIRST_YEAR,
                mltrainer_data::calendar::LAST_YEAR,
                text(bars.dates.get(from + row)),
            ))),
        };
    }
    let chain = context.chains.iter().find(|c| c.symbol == bars.symbol);
    match chain.and_then(|chain| options::column(name, &bars.dates, chain)) {
        Some(column) => Ok(Cow::Owned(column)),
        None => Err(Missing::Said(format!(
            "no option chain of {} is at hand",
            bars.symbol
        ))),
    }
}

/// These features over the bars of one symbol, given what others of its days tell.
fn evaluate(
    bars: &Bars,
    context: &Context,
    features: &[&Feature],
    from: Option<NaiveDate>,
    beside: &BTreeMap<&'static str, Vec<f64>>,
) -> Result<FeatureTable, FeatureError> {
    let fault = |cause: PolarsError| FeatureError::Engine {
        symbol: bars.symbol.clone(),
        cause: cause.to_string(),
    };
    let from = from.map_or(0, |f| bars.dates.partition_point(|d| *d < f));
    // The close is always there: half of the features start from its return.
    let needs: BTreeSet<&'static str> = features
        .iter()
        .flat_map(|f| f.needs)
        .copied()
        .chain(["close"])
        .collect();
    let mut inputs: Vec<Column> = Vec::with_capacity(needs.len());
    let mut missing: BTreeMap<&'static str, Missing> = BTreeMap::new();
    for need in needs {
        if need == "date" {
            let days: Vec<i32> = bars
                .dates
                .iter()
                .map(|d| d.num_days_from_ce() - EPOCH)
                .collect();
            let days = Column::new(need.into(), days).cast(&DataType::Date);
            inputs.push(days.map_err(fault)?);
            continue;
        }
        match input(need, bars, context, from, beside) {
            Ok(values) => inputs.push(column(need, &values)),
            Err(why) => {
                missing.insert(need, why);
            }
        }
    }
    let mut table = FeatureTable {
        dates: bars.dates.clone(),
        ..FeatureTable::default()
    };
    let mut expressions: Vec<Expr> = Vec::new();
    for feature in features {
        let absent: Vec<&'static str> = feature
            .needs
            .iter()
            .copied()
            .filter(|need| missing.contains_key(need))
            .collect();
        if absent.is_empty() {
            table.names.push(feature.id.to_owned());
            expressions.push(feature.expression());
            continue;
        }
        let said = absent.iter().find_map(|need| match &missing[need] {
            Missing::Said(reason) => Some(reason.clone()),
            Missing::Bars => None,
        });
        table.left_out.push(LeftOut {
            id: feature.id.to_owned(),
            reason: said
                .unwrap_or_else(|| format!("{} has no {}", bars.symbol, absent.join(" and no "))),
        });
    }
    if expressions.is_empty() {
        return Ok(table);
    }
    let computed = DataFrame::new(bars.dates.len(), inputs)
        .map_err(fault)?
        .lazy()
        .with_column(ops::log_return())
        .select(expressions)
        .collect()
        .map_err(fault)?;
    table.columns = table
        .names
        .iter()
        .map(|name| {
            Ok(computed
                .column(name)?
                .f64()?
                .iter()
                .map(|v| v.filter(|v| v.is_finite()).unwrap_or(f64::NAN))
                .collect())
        })
        .collect::<Result<Vec<Vec<f64>>, PolarsError>>()
        .map_err(fault)?;
    Ok(table)
}

/// A column for the data frame: what is not finite is a missing value, not a number.
fn column(name: &str, values: &[f64]) -> Column {
    if values.iter().all(|v| v.is_finite()) {
        return Column::new(name.into(), values);
    }
    let values: Vec<Option<f64>> = values
        .iter()
        .map(|v| Some(*v).filter(|v| v.is_finite()))
        .collect();
    Column::new(name.into(), values)
}

/// The first row at which a value is missing for good reason to complain: after the late start.
fn first_gap(joined: &[f64]) -> Option<usize> {
    let start = joined
        .iter()
        .position(|v| v.is_finite())
        .filter(|s| *s <= LATE_BARS)
        .unwrap_or(0);
    joined[start..]
        .iter()
        .position(|v| !v.is_finite())
        .map(|p| p + start)
}

fn text(day: Option<&NaiveDate>) -> String {
    day.map_or_else(|| "no day".to_owned(), ToString::to_string)
}
