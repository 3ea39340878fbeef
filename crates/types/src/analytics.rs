//! Prices with what the catalogue computes on them, day by day: the content of the analytics page
//! and of `GET /api/v1/analytics`.

use crate::data::{Bar, DatasetSummary};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

/// Layers over one chart, at most: more cannot be told apart.
pub const MOST_LAYERS: usize = 12;

/// Data sets in one correlation map, at most.
pub const MOST_COMPARED: usize = 12;

/// An entry laid over the prices, with parameters, as an address writes it: `sma:period=20`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pick {
    /// Id of the entry.
    pub id: String,
    /// Parameters as text; what is absent has its default.
    pub params: Vec<(String, String)>,
}

impl Pick {
    /// Reads a list: entries apart by commas, each `ID` or `ID:NAME=VALUE:NAME=VALUE`. A comma
    /// inside a value is written `~`.
    ///
    /// # Errors
    /// A sentence about the part that cannot be read.
    pub fn list(text: &str) -> Result<Vec<Self>, String> {
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let picks: Vec<Self> = parts.map(Self::one).collect::<Result<_, _>>()?;
        if picks.len() > MOST_LAYERS {
            return Err(format!(
                "{} entries are named, one chart takes at most {MOST_LAYERS}: take some away",
                picks.len()
            ));
        }
        Ok(picks)
    }

    fn one(part: &str) -> Result<Self, String> {
        let mut words = part.split(':').map(str::trim);
        let id = words.next().unwrap_or_default();
        let is_id = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if id.is_empty() || !id.chars().all(is_id) {
            return Err(format!(
                "\"{part}\" names no entry: write an id of the catalogue, as in sma:period=20,rsi"
            ));
        }
        let mut params: Vec<(String, String)> = Vec::new();
        for word in words {
            let pair = word.split_once('=').map(|(n, v)| (n.trim(), v.trim()));
            let Some((name, value)) = pair.filter(|(n, v)| !n.is_empty() && !v.is_empty()) else {
                return Err(format!(
                    "\"{part}\": \"{word}\" is no parameter: write NAME=VALUE, as in sma:period=20"
                ));
            };
            if params.iter().any(|(n, _)| n == name) {
                return Err(format!(
                    "\"{part}\" gives {name} twice: leave one of them out"
                ));
            }
            params.push((name.to_owned(), value.replace('~', ",")));
        }
        Ok(Self {
            id: id.to_owned(),
            params,
        })
    }

    /// The list as an address writes it; [`Pick::list`] reads it back.
    #[must_use]
    pub fn write(picks: &[Self]) -> String {
        let texts: Vec<String> = picks.iter().map(ToString::to_string).collect();
        texts.join(",")
    }

    /// The parameters as an entry takes them: text, as on the command line.
    #[must_use]
    pub fn values(&self) -> Map<String, Value> {
        let value = |(name, text): &(String, String)| {
            let none = text.eq_ignore_ascii_case("none");
            let value = if none {
                Value::Null
            } else {
                text.clone().into()
            };
            (name.clone(), value)
        };
        self.params.iter().map(value).collect()
    }
}

impl fmt::Display for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)?;
        for (name, value) in &self.params {
            write!(f, ":{name}={}", value.replace(',', "~"))?;
        }
        Ok(())
    }
}

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnalyticsRequest {
    /// Data set, by its id or its symbol.
    pub dataset: String,
    /// First day, inclusive.
    pub start: Option<NaiveDate>,
    /// Last day, inclusive.
    pub end: Option<NaiveDate>,
    /// What is laid over the prices.
    pub show: Vec<Pick>,
    /// A feature over the same days; empty for none.
    pub feature: String,
    /// Data sets whose changes are compared with those of the first one.
    pub with: Vec<String>,
}

/// Prices of a span of days with what was laid over them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Analytics {
    /// The data set.
    pub dataset: DatasetSummary,
    /// First day shown.
    pub start: NaiveDate,
    /// Last day shown.
    pub end: NaiveDate,
    /// The bars; every column below has one value a bar.
    pub bars: Vec<Bar>,
    /// What was laid over them, in the order asked for.
    pub layers: Vec<Layer>,
    /// The feature asked for.
    pub feature: Option<FeatureLine>,
    /// How the data sets asked for moved together.
    pub correlation: Option<Correlation>,
}

/// An entry of the catalogue computed on the bars. It is computed on all bars of the data set, so its
/// values do not depend on where the span begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Layer {
    /// As it was asked for: `sma:period=20`.
    pub show: String,
    /// Id of the entry.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its family.
    pub family: String,
    /// All parameters with the values used.
    pub params: Map<String, Value>,
    /// Columns with one number a bar.
    pub lines: Vec<LayerLine>,
    /// Bars at which something was found.
    pub events: Vec<LayerEvent>,
    /// Spans in which a state held.
    pub regimes: Vec<Regime>,
    /// Lines from one bar to another.
    pub segments: Vec<Segment>,
    /// Single numbers.
    pub figures: BTreeMap<String, f64>,
}

/// Where a column belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// On the prices, whose unit it has.
    Price,
    /// In a part of its own.
    Own,
    /// In a part of its own, from -1 (down) to 1 (up).
    Signal,
    /// Nowhere: the number of a bar, or of another unit than what is drawn.
    Unseen,
}

/// How a column is drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// A line.
    #[default]
    Line,
    /// A level that holds for a while: support, an edge of a pattern, a stop.
    Level,
    /// An area up or down from zero.
    Area,
}

/// A column with one number a bar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LayerLine {
    /// Name of the output.
    pub name: String,
    /// Shape and unit in words.
    pub help: String,
    /// Where it belongs.
    pub place: Place,
    /// How it is drawn.
    pub look: Look,
    /// Smallest and largest value there can be, where the entry states them.
    pub bounds: Option<[f64; 2]>,
    /// One value a bar, `null` where there is none.
    pub values: Vec<Option<f64>>,
}

/// Something found at a bar, on the day on which it is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LayerEvent {
    /// Day.
    pub date: NaiveDate,
    /// Output that says so.
    pub output: String,
    /// Its value: above zero points up, below zero down.
    pub value: f64,
    /// What was found, in words.
    pub word: String,
}

/// A span of days in which a state held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Regime {
    /// Output that says so.
    pub output: String,
    /// First day.
    pub first: NaiveDate,
    /// Last day.
    pub last: NaiveDate,
    /// Number of the state.
    pub state: i64,
    /// The state in words.
    pub word: String,
}

/// A line between two bars, from the day on which it was known: between the swings of a divergence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Segment {
    /// Day at which it begins.
    pub from: NaiveDate,
    /// Price there.
    pub from_price: f64,
    /// Day at which it ends.
    pub to: NaiveDate,
    /// Price there.
    pub to_price: f64,
    /// Day on which it was known.
    pub known: NaiveDate,
}

/// A textbook shape in real history that an entry finds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KnownCase {
    /// Id of the entry that finds it.
    pub entry: String,
    /// The entry with its parameters, as in `show`.
    pub show: String,
    /// Data set.
    pub dataset: String,
    /// Its symbol.
    pub symbol: String,
    /// First day to look at.
    pub first: NaiveDate,
    /// Last day to look at.
    pub last: NaiveDate,
    /// Day on which the entry knew of it.
    pub known: NaiveDate,
    /// Why it is the shape of the books.
    pub why: String,
}

/// A feature with one value a bar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FeatureLine {
    /// Id of the feature.
    pub id: String,
    /// What it computes.
    pub formula: String,
    /// One value a bar, `null` where there is none.
    pub values: Vec<Option<f64>>,
}

/// Correlation of daily changes of the close over the days that all data sets have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Correlation {
    /// Ids of the data sets.
    pub datasets: Vec<String>,
    /// Their symbols.
    pub symbols: Vec<String>,
    /// First common day.
    pub first: NaiveDate,
    /// Last common day.
    pub last: NaiveDate,
    /// Changes compared.
    pub changes: u64,
    /// Pearson's correlation, row by row; `null` where one does not move.
    pub matrix: Vec<Vec<Option<f64>>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_written() {
        for (text, written) in [
            ("", ""),
            ("rsi", "rsi"),
            (" sma:period=20 , rsi ,,", "sma:period=20,rsi"),
            (
                "bollinger_bands:period=20:std_dev=2.5,sma:period=5,sma:period=50",
                "bollinger_bands:period=20:std_dev=2.5,sma:period=5,sma:period=50",
            ),
            ("vote:weights=1~2~0.5", "vote:weights=1~2~0.5"),
        ] {
            let picks = Pick::list(text).unwrap();
            assert_eq!(Pick::write(&picks), written, "{text}");
            assert_eq!(Pick::list(written).unwrap(), picks);
        }
        let picks = Pick::list("vote:weights=1~2:last=none").unwrap();
        assert_eq!(
            Value::Object(picks[0].values()),
            serde_json::json!({"weights": "1,2", "last": null})
        );
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, words) in [
            ("sma:20", "\"20\" is no parameter"),
            ("sma:period=", "NAME=VALUE"),
            ("sma:=3", "NAME=VALUE"),
            ("sma period", "names no entry"),
            ("<script>", "names no entry"),
            ("sma:period=1:period=2", "twice"),
        ] {
            let e = Pick::list(text).unwrap_err();
            assert!(e.contains(words), "{text}: {e}");
        }
        let many = vec!["rsi"; MOST_LAYERS + 1].join(",");
        assert!(Pick::list(&many).unwrap_err().contains("at most 12"));
    }
}
