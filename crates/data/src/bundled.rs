//! The real data that ship inside the program: no key, no network, no installation.
//!
//! Made by `cargo xtask bundle-data` from packages of pinned versions; what is known of each file
//! is in `data/bundled/PROVENANCE.json`. The bytes are compared with their SHA-256 on every read.
//! Stocks are stored as traded and read adjusted for the splits of their span, as of the last day;
//! dividends are not adjusted for.

use crate::actions::{Actions, Adjustment};
use crate::bars::{Bars, Split};
use crate::error::DataError;
use crate::frame;
use crate::nearest::nearest;
use crate::series::Series;
use chrono::NaiveDate;
use mltrainer_compliance::{Arrival, Content, policy};
use mltrainer_types::DatasetId;
use mltrainer_types::data::DatasetKind;
use sha2::{Digest as _, Sha256};

/// What is known of a bundled file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BundledInfo {
    /// What it holds.
    pub kind: DatasetKind,
    /// File below `data/bundled`.
    pub file: &'static str,
    /// Symbol or series.
    pub id: &'static str,
    /// Title for people.
    pub title: &'static str,
    /// First date.
    pub first: NaiveDate,
    /// Last date.
    pub last: NaiveDate,
    /// Rows in the file.
    pub rows: u64,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: &'static str,
    /// The package it was taken from.
    pub package: &'static str,
    /// The package's version.
    pub version: &'static str,
    /// Licence.
    pub licence: &'static str,
    /// Where the figures come from originally.
    pub original_source: &'static str,
    /// How prices are adjusted, in words.
    pub adjusted: &'static str,
    /// Splits within the span, by which the prices are adjusted on reading.
    pub splits: &'static [Split],
    /// What a date means: the day, or the first or last day of a period.
    pub stamp: &'static str,
    /// When a figure was known, in words.
    pub known_at: &'static str,
    /// Whether figures are of a later date than their first publication.
    pub revised: bool,
    /// Notes on provenance.
    pub notes: &'static str,
}

impl BundledInfo {
    /// The data set's id: `bundled:` and the symbol or series.
    #[must_use]
    pub fn dataset_id(&self) -> DatasetId {
        DatasetId(format!("{}:{}", policy::BUNDLED, self.id))
    }

    /// Notes on provenance with what reading does to the file.
    #[must_use]
    pub fn notes(&self) -> String {
        let mut notes = self.notes.to_owned();
        if self.kind == DatasetKind::Bars && self.adjusted.contains("as traded") {
            notes.push_str(" Read adjusted for the splits of the span: ");
            notes.push_str(&match self.splits {
                [] => "there are none".to_owned(),
                splits => splits.iter().map(split_text).collect::<Vec<_>>().join(", "),
            });
            notes.push_str(
                ". Not adjusted for dividends: the return of an ex-dividend day is too low by the dividend.",
            );
        }
        notes
    }

    /// What the audit and the lineage record of reading this file.
    fn request(&self) -> String {
        let mut request = format!(
            "{} of {} {}, file SHA-256 {}",
            self.file, self.package, self.version, self.sha256
        );
        if !self.splits.is_empty() {
            request.push_str(", adjusted for splits: ");
            request.push_str(
                &self
                    .splits
                    .iter()
                    .map(split_text)
                    .collect::<Vec<_>>()
                    .join(", "),
            );
        }
        request
    }
}

fn split_text(s: &Split) -> String {
    format!("{} for {} on {}", s.new_shares, s.for_old, s.date)
}

/// A date of the generated table; the build script has read it out of a checked file.
const fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    match NaiveDate::from_ymd_opt(year, month, day) {
        Some(date) => date,
        None => NaiveDate::MIN,
    }
}

include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

/// Every bundled file: bars, closes, then series.
#[must_use]
pub fn list() -> &'static [BundledInfo] {
    &INFO
}

/// The bundled bars or closes of a symbol, ready for the gate.
///
/// # Errors
/// [`DataError::Unknown`] with the nearest symbols, [`DataError::Damaged`] when the program's copy was changed.
pub fn bars(symbol: &str) -> Result<Arrival<Bars>, DataError> {
    let (info, bytes) = find(symbol, "bundled symbol", |k| k != DatasetKind::Series)?;
    let bars = frame::read_bars(bytes, info.id, info.file)?.adjusted(info.splits);
    Ok(arrival(info, bars))
}

/// The bundled bars or closes of a symbol as they stood at the end of a day, ready for the gate.
///
/// # Errors
/// Those of [`bars`] and of [`Bars::as_of`].
pub fn bars_as_of(
    symbol: &str,
    day: NaiveDate,
    adjustment: Adjustment,
) -> Result<Arrival<Bars>, DataError> {
    let (info, bytes) = find(symbol, "bundled symbol", |k| k != DatasetKind::Series)?;
    let actions = Actions {
        splits: info.splits.to_vec(),
        dividends: Vec::new(),
    };
    let raw = frame::read_bars(bytes, info.id, info.file)?;
    Ok(arrival(info, raw.as_of(day, &actions, adjustment)?))
}

/// A bundled series, ready for the gate.
///
/// # Errors
/// [`DataError::Unknown`] with the nearest series, [`DataError::Damaged`] when the program's copy was changed.
pub fn series(id: &str) -> Result<Arrival<Series>, DataError> {
    let (info, bytes) = find(id, "bundled series", |k| k == DatasetKind::Series)?;
    let series = frame::read_series(bytes, info.id, info.file)?;
    Ok(arrival(info, series))
}

fn arrival<T: Content>(info: &BundledInfo, content: T) -> Arrival<T> {
    Arrival {
        origin: policy::BUNDLED.to_owned(),
        request: info.request(),
        // The file's bytes were compared with the provenance; they determine the content.
        promised_sha256: Some(content.sha256()),
        content,
    }
}

fn find(
    id: &str,
    what: &'static str,
    kind: impl Fn(DatasetKind) -> bool,
) -> Result<(&'static BundledInfo, &'static [u8]), DataError> {
    let of_kind = || INFO.iter().zip(BYTES).filter(|(info, _)| kind(info.kind));
    let Some((info, bytes)) = of_kind().find(|(info, _)| info.id == id) else {
        let all: Vec<&str> = of_kind().map(|(info, _)| info.id).collect();
        return Err(DataError::Unknown {
            what,
            id: id.to_owned(),
            suggestions: nearest(id, &all),
        });
    };
    let found = hex::encode(Sha256::digest(bytes));
    if found != info.sha256 {
        return Err(DataError::Damaged {
            file: info.file.to_owned(),
            reason: format!(
                "its bytes have SHA-256 {found}, its provenance says {}",
                info.sha256
            ),
        });
    }
    Ok((info, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar;
    use mltrainer_compliance::Gate;
    use mltrainer_types::data::Severity;
    use std::collections::BTreeSet;

    fn admitted(symbol: &str) -> Bars {
        let admitted = Gate::admit(bars(symbol).unwrap()).unwrap();
        admitted.verified.get().clone()
    }

    #[test]
    fn every_file_is_what_its_provenance_says_and_passes_the_gate_whole() {
        let mut ids = BTreeSet::new();
        for info in list() {
            assert!(ids.insert(info.id), "{} twice", info.id);
            assert!(info.first < info.last && !info.licence.is_empty());
            let (first, last, rows, report) = if info.kind == DatasetKind::Series {
                let a = Gate::admit(series(info.id).unwrap()).unwrap();
                let s = a.verified.get();
                (s.dates[0], s.dates[s.len() - 1], s.len(), a.report)
            } else {
                let a = Gate::admit(bars(info.id).unwrap()).unwrap();
                let b = a.verified.get();
                assert_eq!(b.open.is_some(), info.kind == DatasetKind::Bars);
                (b.dates[0], b.dates[b.len() - 1], b.len(), a.report)
            };
            assert_eq!(
                (first, last, rows as u64),
                (info.first, info.last, info.rows),
                "{}",
                info.id
            );
            assert_eq!(report.quarantined, 0, "{}: {:?}", info.id, report.findings);
            assert!(report.findings.iter().all(|f| f.severity == Severity::Note));
            assert!(report.score > 95.0, "{}: {}", info.id, report.score);
            assert!(
                !report.counts.contains_key("missing_day"),
                "{}: {:?}",
                info.id,
                report.counts
            );
        }
        for needed in [
            "AAPL", "FB", "GOOG", "IBM", "MSFT", "SPX", "IXIC", "VIXCLS", "AAA", "BAA",
        ] {
            assert!(ids.contains(needed), "{needed}");
        }
    }

    /// The exchange's own record: every bundled set that spans years has a bar on exactly the
    /// days that the calendar calls trading days, 1990 to 2022.
    #[test]
    fn trading_days_are_the_calendars() {
        for info in list().iter().filter(|i| i.kind != DatasetKind::Series) {
            let b = bars(info.id).unwrap().content;
            let expected = calendar::trading_days(info.first, info.last);
            assert_eq!(b.dates, expected, "{}", info.id);
        }
    }

    /// On the day of a split the adjusted return is that of skfolio's adjusted closes of the same
    /// stock (rounded to 0.001 there), another source than the bars.
    #[test]
    fn a_split_is_no_return() {
        let change = |b: &Bars, date: NaiveDate| {
            let i = b.dates.iter().position(|d| *d == date).unwrap();
            b.close[i] / b.close[i - 1] - 1.0
        };
        for (symbol, other) in [("AAPL", "AAPL_ADJ"), ("MSFT", "MSFT_ADJ")] {
            let info = list().iter().find(|i| i.id == symbol).unwrap();
            assert!(!info.splits.is_empty());
            let (ours, theirs) = (admitted(symbol), admitted(other));
            for split in info.splits {
                let (a, b) = (change(&ours, split.date), change(&theirs, split.date));
                assert!((a - b).abs() < 0.005, "{symbol} {}: {a} {b}", split.date);
            }
        }
        // As of the last day: the last close is as traded, 430.47 dollars (Apple, 2013-03-01).
        let apple = admitted("AAPL");
        assert_eq!(apple.close.last(), Some(&430.47));
        assert!(
            list()
                .iter()
                .all(|i| i.kind != DatasetKind::Bars || !i.notes().is_empty())
        );
    }

    /// As of its last day a set is what it is; as of an earlier one, prices are those of that day:
    /// Apple closed at 44.86 dollars on 2005-02-25 and split 2 for 1 on the Monday after.
    #[test]
    fn as_of_a_day_later_splits_are_not_known() {
        let apple = bars("AAPL").unwrap().content;
        let last = *apple.dates.last().unwrap();
        let now = bars_as_of("AAPL", last, Adjustment::Splits).unwrap();
        assert_eq!(now.content, apple);
        let (friday, monday) = (day(2005, 2, 25), day(2005, 2, 28));
        let close = |as_of, adjustment| {
            let bars = bars_as_of("AAPL", as_of, adjustment).unwrap().content;
            let at = bars.dates.iter().position(|d| *d == friday).unwrap();
            (bars.close[at], bars.len() - at - 1)
        };
        assert_eq!(close(friday, Adjustment::Splits), (88.99, 0));
        assert_eq!(close(monday, Adjustment::Splits), (88.99 / 2.0, 1));
        assert_eq!(close(monday, Adjustment::Raw), (88.99, 1));
    }

    #[test]
    fn what_does_not_exist_is_said_with_what_does() {
        let error = bars("APPL").unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no bundled symbol \"APPL\"; did you mean AAPL?"
        );
        assert!(bars("VIXCLS").is_err());
        assert_eq!(
            series("VIX").unwrap_err().to_string(),
            "there is no bundled series \"VIX\"; did you mean VIXCLS?"
        );
    }

    #[test]
    fn lineage_names_file_package_and_adjustment() {
        let admitted = Gate::admit(bars("AAPL").unwrap()).unwrap();
        let source = &admitted.verified.lineage().steps()[0];
        assert!(
            source
                .detail
                .starts_with("bundled: bars/AAPL.parquet of bokeh_sampledata")
        );
        assert!(source.detail.contains("2 for 1 on 2005-02-28"));
    }
}
