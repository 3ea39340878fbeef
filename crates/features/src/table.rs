//! Evaluating the features over the bars of a symbol.

use crate::{Feature, economic, groups, registry};
use chrono::{Datelike, NaiveDate};
use mltrainer_compliance::{Content, Digest};
use mltrainer_data::bars::Bars;
use mltrainer_data::series::Series;
use polars::prelude::{Column, DataFrame, Expr, IntoLazy};
use thiserror::Error;

/// Bars at the start of the data for which the VIX may be missing although it reaches: a series that
/// begins with the bars is known a day later.
const VIX_LATE_BARS: usize = 5;

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
    /// A group that does not exist.
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

/// The features of these groups (of all, when none is named) over the bars of one symbol. `vix` is
/// joined as of the close of each bar.
///
/// A feature that needs a column the bars do not have, or the VIX where it does not reach over all
/// bars, is left out and listed in `left_out`; nothing is filled in.
///
/// # Errors
/// [`FeatureError`] for an unknown group, or when no feature is left.
pub fn compute(
    bars: &Bars,
    vix: Option<&Series>,
    wanted: &[String],
) -> Result<FeatureTable, FeatureError> {
    compute_from(bars, vix, wanted, None)
}

/// [`compute`] where the bars before `from` are there to warm up only: the VIX need not reach over
/// them. All rows are returned.
///
/// # Errors
/// As [`compute`].
pub fn compute_from(
    bars: &Bars,
    vix: Option<&Series>,
    wanted: &[String],
    from: Option<NaiveDate>,
) -> Result<FeatureTable, FeatureError> {
    if let Some(group) = wanted.iter().find(|w| !groups().contains(&w.as_str())) {
        return Err(FeatureError::UnknownGroup {
            group: group.clone(),
            groups: groups().into_iter().map(str::to_owned).collect(),
        });
    }
    let fault = |cause: polars::prelude::PolarsError| FeatureError::Engine {
        symbol: bars.symbol.clone(),
        cause: cause.to_string(),
    };
    let vix = vix.map(|series| (economic::as_of(&bars.dates, series), series));
    let mut inputs: Vec<(&str, &[f64])> = vec![("close", &bars.close)];
    for (name, column) in [
        ("open", &bars.open),
        ("high", &bars.high),
        ("low", &bars.low),
        ("volume", &bars.volume),
    ] {
        if let Some(column) = column {
            inputs.push((name, column));
        }
    }
    let mut vix_missing = format!("the VIX ({}) is not at hand", economic::VIX);
    if let Some((joined, series)) = &vix {
        let from = from.map_or(0, |f| bars.dates.partition_point(|d| *d < f));
        match first_gap(&joined[from..]).map(|row| from + row) {
            None => inputs.push(("vix", joined)),
            Some(row) => {
                vix_missing = format!(
                    "the VIX reaches from {} to {}, and is not known on {}",
                    text(series.dates.first()),
                    text(series.dates.last()),
                    text(bars.dates.get(row)),
                );
            }
        }
    }
    let mut chosen: Vec<&Feature> = Vec::new();
    let mut left_out = Vec::new();
    for feature in registry() {
        if !wanted.is_empty() && !wanted.iter().any(|w| w == feature.group) {
            continue;
        }
        let missing: Vec<&str> = feature
            .needs
            .iter()
            .copied()
            .filter(|need| !inputs.iter().any(|(name, _)| name == need))
            .collect();
        if missing.is_empty() {
            chosen.push(feature);
        } else {
            left_out.push(LeftOut {
                id: feature.id.to_owned(),
                reason: if missing.contains(&"vix") {
                    vix_missing.clone()
                } else {
                    format!("{} has no {}", bars.symbol, missing.join(" and no "))
                },
            });
        }
    }
    if chosen.is_empty() {
        return Err(FeatureError::Nothing {
            symbol: bars.symbol.clone(),
            reason: left_out
                .first()
                .map_or_else(String::new, |l| l.reason.clone()),
        });
    }
    let frame = DataFrame::new(
        bars.dates.len(),
        inputs
            .iter()
            .map(|(name, values)| {
                // NaN (the VIX before its first day) is a missing value, not a number.
                let values: Vec<Option<f64>> = values
                    .iter()
                    .map(|v| Some(*v).filter(|v| v.is_finite()))
                    .collect();
                Column::new((*name).into(), values)
            })
            .collect(),
    )
    .map_err(fault)?;
    let expressions: Vec<Expr> = chosen.iter().map(|f| f.expression()).collect();
    let computed = frame.lazy().select(expressions).collect().map_err(fault)?;
    let columns = chosen
        .iter()
        .map(|f| {
            let column = computed.column(f.id)?.f64()?;
            Ok(column
                .iter()
                .map(|v| v.filter(|v| v.is_finite()).unwrap_or(f64::NAN))
                .collect())
        })
        .collect::<Result<Vec<Vec<f64>>, polars::prelude::PolarsError>>()
        .map_err(fault)?;
    Ok(FeatureTable {
        dates: bars.dates.clone(),
        names: chosen.iter().map(|f| f.id.to_owned()).collect(),
        columns,
        left_out,
    })
}

/// [`compute`] for many symbols, in the order given.
///
/// # Errors
/// As [`compute`], for the first symbol that fails.
pub fn compute_many(
    bars: &[&Bars],
    vix: Option<&Series>,
    wanted: &[String],
) -> Result<Vec<FeatureTable>, FeatureError> {
    bars.iter().map(|b| compute(b, vix, wanted)).collect()
}

/// The first row at which a value is missing for good reason to complain: after the late start.
fn first_gap(joined: &[f64]) -> Option<usize> {
    let start = joined
        .iter()
        .position(|v| v.is_finite())
        .filter(|s| *s <= VIX_LATE_BARS)
        .unwrap_or(0);
    joined[start..]
        .iter()
        .position(|v| !v.is_finite())
        .map(|p| p + start)
}

fn text(day: Option<&NaiveDate>) -> String {
    day.map_or_else(|| "no day".to_owned(), ToString::to_string)
}
