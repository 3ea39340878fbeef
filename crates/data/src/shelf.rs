//! What was fetched, as the vendor gave it: parts by source, kind, symbol and span.
//!
//! A part lies at `fetched/SOURCE/KIND/SYMBOL/FROM_UNTIL.parquet` in the library's folder with its
//! manifest beside it: which days it answers for, what was asked, when, which ids the vendor gave
//! the requests, rows, first and last day, SHA-256. A part may answer for days and hold no row of
//! them: then the vendor has none, and is not asked again. Corporate actions lie apart, at
//! `fetched/SOURCE/actions/SYMBOL`.
//!
//! A part whose bytes are not those of its manifest is removed when it is met, and what it answered
//! for is fetched again. Nothing here has passed the gate.

use crate::actions::{Actions, Dividend};
use crate::bars::Split;
use crate::calendar;
use crate::error::DataError;
use crate::frame;
use crate::library::{Library, manifest_path};
use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, TryLockError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often a lock is looked at that another fetch holds.
const LOOK: Duration = Duration::from_millis(25);

/// Where parts of one thing lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Source.
    pub source: String,
    /// `day`, `day-adjusted`, `hour`, `minute`, `series` or `series@DAY`.
    pub kind: String,
    /// Symbol or series.
    pub symbol: String,
}

impl Place {
    fn folder(&self) -> String {
        format!("fetched/{}/{}/{}", self.source, self.kind, self.symbol)
    }

    fn path(&self, part: &Part) -> String {
        format!("{}/{}_{}.parquet", self.folder(), part.from, part.until)
    }
}

/// The manifest of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// First day it answers for.
    pub from: NaiveDate,
    /// Last day that was asked for.
    pub until: NaiveDate,
    /// Last day it answers for: later ones may still change.
    pub settled: NaiveDate,
    /// What was asked, one entry a page.
    pub requests: Vec<String>,
    /// The vendor's ids of these requests.
    pub request_ids: Vec<String>,
    /// When it arrived.
    pub at: DateTime<Utc>,
    /// First day with a row.
    pub first: Option<NaiveDate>,
    /// Last day with a row.
    pub last: Option<NaiveDate>,
    /// Number of rows.
    pub rows: u64,
    /// SHA-256 of the file's bytes, hexadecimal; `None` without a row and so without a file.
    pub file_sha256: Option<String>,
}

/// Whether a gap counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gaps {
    /// When the exchange was open on a day of it.
    OfSessions,
    /// Always.
    OfDays,
}

impl Gaps {
    fn counts(self, from: NaiveDate, until: NaiveDate) -> bool {
        from <= until
            && match self {
                Self::OfDays => true,
                Self::OfSessions => from
                    .iter_days()
                    .take_while(|d| *d <= until)
                    .any(calendar::is_trading_day),
            }
    }
}

fn after(day: NaiveDate) -> NaiveDate {
    day.checked_add_days(Days::new(1)).unwrap_or(day)
}

fn before(day: NaiveDate) -> NaiveDate {
    day.checked_sub_days(Days::new(1)).unwrap_or(day)
}

/// The spans from `start` to `end` that no part answers for. Parts that arrived on `today` answer
/// for all that was asked: the vendor had no more, and is not asked twice a day.
#[must_use]
pub fn missing(
    parts: &[Part],
    start: NaiveDate,
    end: NaiveDate,
    today: NaiveDate,
    gaps: Gaps,
) -> Vec<(NaiveDate, NaiveDate)> {
    let mut spans = Vec::new();
    let mut from = start;
    for (begin, finish) in answered(parts, Some(today)) {
        if begin > from {
            spans.push((from, before(begin).min(end)));
        }
        from = from.max(after(finish));
    }
    spans.push((from, end));
    spans.retain(|(a, b)| *a <= end && gaps.counts(*a, *b));
    spans
}

/// What parts answer for, ascending.
fn answered(parts: &[Part], today: Option<NaiveDate>) -> Vec<(NaiveDate, NaiveDate)> {
    let mut spans: Vec<(NaiveDate, NaiveDate)> = parts
        .iter()
        .map(|p| {
            let fresh = today == Some(p.at.date_naive());
            (p.from, if fresh { p.until } else { p.settled })
        })
        .filter(|(a, b)| a <= b)
        .collect();
    spans.sort_unstable();
    spans
}

/// The parts that lie without a gap around the span from `start` to `end`, by their first day.
#[must_use]
pub fn around(parts: &[Part], start: NaiveDate, end: NaiveDate, gaps: Gaps) -> Vec<Part> {
    let mut sorted: Vec<&Part> = parts.iter().collect();
    sorted.sort_by_key(|p| (p.from, p.until));
    // Runs of parts without a gap between them, with the last day of each.
    let mut runs: Vec<(NaiveDate, Vec<Part>)> = Vec::new();
    for part in sorted {
        let reach = part.until.max(part.settled);
        match runs.last_mut() {
            Some((last, run)) if !gaps.counts(after(*last), before(part.from)) => {
                *last = (*last).max(reach);
                run.push(part.clone());
            }
            _ => runs.push((reach, vec![part.clone()])),
        }
    }
    runs.into_iter()
        .filter(|(last, run)| *last >= start && run.first().is_some_and(|p| p.from <= end))
        .flat_map(|(_, run)| run)
        .collect()
}

/// What is known of a symbol's corporate actions.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownActions {
    /// Splits and dividends.
    pub actions: Actions,
    /// The day until which they are known.
    pub until: NaiveDate,
    /// What was asked.
    pub request: String,
    /// Why the vendor gives none, where it gives none.
    pub refused: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct ActionsManifest {
    at: DateTime<Utc>,
    until: NaiveDate,
    request: String,
    refused: Option<String>,
    splits_sha256: String,
    dividends_sha256: String,
}

/// The folder of fetched parts.
#[derive(Debug, Clone)]
pub struct Shelf {
    library: Library,
}

/// Lets others fetch the same thing when it is dropped.
#[derive(Debug)]
pub struct Held {
    _file: File,
}

impl Shelf {
    /// The shelf in a library's folder; it is made at the first write.
    #[must_use]
    pub fn new(library: Library) -> Self {
        Self { library }
    }

    /// Waits until nobody else fetches the same thing, here or in another process.
    ///
    /// # Errors
    /// [`DataError::Io`] when the lock's file cannot be made; `None` when the wait was cancelled.
    pub async fn hold(
        &self,
        place: &Place,
        cancel: &CancellationToken,
    ) -> Result<Option<Held>, DataError> {
        let path = format!("locks/{}-{}-{}", place.source, place.kind, place.symbol);
        let to = self.library.place(&path)?;
        let failed = |e: &std::io::Error| DataError::Io {
            file: path.clone(),
            action: "written",
            reason: e.kind().to_string(),
        };
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(|e| failed(&e))?;
        }
        let file = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(&to)
            .map_err(|e| failed(&e))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Held { _file: file })),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(e)) => return Err(failed(&e)),
            }
            tokio::select! {
                () = cancel.cancelled() => return Ok(None),
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// The whole parts of a thing, and how many torn ones were removed.
    ///
    /// # Errors
    /// [`DataError::Io`] when the folder cannot be read.
    pub fn parts(&self, place: &Place) -> Result<(Vec<Part>, u32), DataError> {
        let folder = self.library.place(&place.folder())?;
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
            Err(e) => {
                return Err(DataError::Io {
                    file: place.folder(),
                    action: "read",
                    reason: e.kind().to_string(),
                });
            }
        };
        let mut names: Vec<String> = entries
            .filter_map(|e| e.ok()?.file_name().into_string().ok())
            .filter_map(|n| Some(n.strip_suffix(".json")?.to_owned()))
            .collect();
        names.sort();
        let (mut parts, mut torn) = (Vec::new(), 0);
        for name in names {
            match self.part(place, &name) {
                Some(part) => parts.push(part),
                None => {
                    torn += 1;
                    tracing::warn!(source = %place.source, symbol = %place.symbol, part = %name, "a torn file is removed and fetched again");
                    for end in ["json", "parquet"] {
                        // What cannot be removed is overwritten by the next fetch.
                        drop(fs::remove_file(folder.join(format!("{name}.{end}"))));
                    }
                }
            }
        }
        Ok((parts, torn))
    }

    /// The manifest of a part whose bytes are those it promises.
    fn part(&self, place: &Place, name: &str) -> Option<Part> {
        let path = format!("{}/{name}.parquet", place.folder());
        let text = self.library.read(&manifest_path(&path)).ok()?;
        let part: Part = serde_json::from_slice(&text).ok()?;
        if place.path(&part) != path {
            return None;
        }
        if let Some(promised) = &part.file_sha256 {
            let bytes = self.library.read(&path).ok()?;
            (hex::encode(Sha256::digest(&bytes)) == *promised).then_some(())?;
        }
        Some(part)
    }

    /// Writes a part: the file first, the manifest last.
    ///
    /// # Errors
    /// [`DataError`]; then the part does not exist.
    pub fn write(&self, place: &Place, part: &Part, bytes: Option<&[u8]>) -> Result<(), DataError> {
        let path = place.path(part);
        let mut part = part.clone();
        part.file_sha256 = bytes.map(|b| hex::encode(Sha256::digest(b)));
        match bytes {
            Some(bytes) => self.library.write_with(&path, bytes, &part),
            None => {
                let text = serde_json::to_vec_pretty(&part).map_err(|e| DataError::Io {
                    file: path.clone(),
                    action: "written",
                    reason: e.to_string(),
                })?;
                self.library.write(&manifest_path(&path), &text)
            }
        }
    }

    /// Removes parts: they were replaced by a larger one.
    pub fn remove(&self, place: &Place, parts: &[Part]) {
        for part in parts {
            let path = place.path(part);
            for path in [manifest_path(&path), path] {
                if let Ok(file) = self.library.place(&path) {
                    // A part that stays answers for days twice, which is harmless.
                    drop(fs::remove_file(file));
                }
            }
        }
    }

    /// The bytes of a part; `None` without a row.
    ///
    /// # Errors
    /// [`DataError::Io`].
    pub(crate) fn bytes(&self, place: &Place, part: &Part) -> Result<Option<Vec<u8>>, DataError> {
        match part.file_sha256 {
            Some(_) => self.library.read(&place.path(part)).map(Some),
            None => Ok(None),
        }
    }

    fn actions_folder(source: &str, symbol: &str) -> String {
        format!("fetched/{source}/actions/{symbol}")
    }

    /// What is known of a symbol's corporate actions; `None` when nothing is, or a file is torn.
    #[must_use]
    pub fn actions(&self, source: &str, symbol: &str) -> Option<KnownActions> {
        let folder = Self::actions_folder(source, symbol);
        let text = self.library.read(&format!("{folder}/actions.json")).ok()?;
        let manifest: ActionsManifest = serde_json::from_slice(&text).ok()?;
        let read = |name: &str, sha256: &str, figures: &[&str]| {
            let path = format!("{folder}/{name}.parquet");
            let bytes = self.library.read(&path).ok()?;
            (hex::encode(Sha256::digest(&bytes)) == sha256).then_some(())?;
            frame::read_columns(&bytes, &["date"], figures, &path).ok()
        };
        let (days, counts) = read(
            "splits",
            &manifest.splits_sha256,
            &["new_shares", "for_old"],
        )?;
        let splits = days.first()?.iter().enumerate().map(|(i, date)| Split {
            date: *date,
            new_shares: counts[0][i] as u32,
            for_old: counts[1][i] as u32,
        });
        let (days, amounts) = read(
            "dividends",
            &manifest.dividends_sha256,
            &["amount", "declared"],
        )?;
        let dividends = days.first()?.iter().enumerate().map(|(i, date)| Dividend {
            date: *date,
            amount: amounts[0][i],
            declared: NaiveDate::from_num_days_from_ce_opt(amounts[1][i] as i32)
                .filter(|_| amounts[1][i].is_finite()),
        });
        Some(KnownActions {
            actions: Actions {
                splits: splits.collect(),
                dividends: dividends.collect(),
            },
            until: manifest.until,
            request: manifest.request,
            refused: manifest.refused,
        })
    }

    /// Keeps what is known of a symbol's corporate actions, in place of what was known before.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn write_actions(
        &self,
        source: &str,
        symbol: &str,
        known: &KnownActions,
        at: DateTime<Utc>,
    ) -> Result<(), DataError> {
        use chrono::Datelike as _;
        let folder = Self::actions_folder(source, symbol);
        let Actions { splits, dividends } = &known.actions;
        let write = |name: &str, days: &[NaiveDate], figures: &[(&str, &[f64])]| {
            let path = format!("{folder}/{name}.parquet");
            let bytes = frame::write_columns(&[("date", days)], figures, &path)?;
            self.library.write(&path, &bytes)?;
            Ok::<_, DataError>(hex::encode(Sha256::digest(&bytes)))
        };
        let days: Vec<NaiveDate> = splits.iter().map(|s| s.date).collect();
        let new: Vec<f64> = splits.iter().map(|s| f64::from(s.new_shares)).collect();
        let old: Vec<f64> = splits.iter().map(|s| f64::from(s.for_old)).collect();
        let splits_sha256 = write("splits", &days, &[("new_shares", &new), ("for_old", &old)])?;
        let days: Vec<NaiveDate> = dividends.iter().map(|d| d.date).collect();
        let amounts: Vec<f64> = dividends.iter().map(|d| d.amount).collect();
        let declared: Vec<f64> = dividends
            .iter()
            .map(|d| {
                d.declared
                    .map_or(f64::NAN, |day| f64::from(day.num_days_from_ce()))
            })
            .collect();
        let dividends_sha256 = write(
            "dividends",
            &days,
            &[("amount", &amounts), ("declared", &declared)],
        )?;
        let manifest = ActionsManifest {
            at,
            until: known.until,
            request: known.request.clone(),
            refused: known.refused.clone(),
            splits_sha256,
            dividends_sha256,
        };
        let path = format!("{folder}/actions.json");
        let text = serde_json::to_vec_pretty(&manifest).map_err(|e| DataError::Io {
            file: path.clone(),
            action: "written",
            reason: e.to_string(),
        })?;
        self.library.write(&path, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn part(from: &str, until: &str) -> Part {
        Part {
            from: day(from),
            until: day(until),
            settled: day(until),
            requests: vec!["GET /x".to_owned()],
            request_ids: Vec::new(),
            at: "2020-01-01T00:00:00Z".parse().unwrap(),
            first: None,
            last: None,
            rows: 0,
            file_sha256: None,
        }
    }

    fn gaps(parts: &[Part], start: &str, end: &str, gaps: Gaps) -> Vec<(String, String)> {
        missing(parts, day(start), day(end), day("2024-01-01"), gaps)
            .into_iter()
            .map(|(a, b)| (a.to_string(), b.to_string()))
            .collect()
    }

    fn span(a: &str, b: &str) -> (String, String) {
        (a.to_owned(), b.to_owned())
    }

    #[test]
    fn only_what_is_missing_is_asked_for() {
        use Gaps::{OfDays, OfSessions};
        assert_eq!(
            gaps(&[], "2012-01-01", "2012-01-31", OfSessions),
            [span("2012-01-01", "2012-01-31")]
        );
        let parts = [
            part("2012-01-09", "2012-01-13"),
            part("2012-01-23", "2012-01-27"),
        ];
        assert_eq!(
            gaps(&parts, "2012-01-01", "2012-01-31", OfSessions),
            [
                span("2012-01-01", "2012-01-08"),
                span("2012-01-14", "2012-01-22"),
                span("2012-01-28", "2012-01-31"),
            ]
        );
        assert_eq!(gaps(&parts, "2012-01-10", "2012-01-12", OfSessions), []);
        // 2012-01-14 to 2012-01-16: a weekend and Martin Luther King Day.
        assert_eq!(gaps(&parts, "2012-01-10", "2012-01-16", OfSessions), []);
        assert_eq!(
            gaps(&parts, "2012-01-10", "2012-01-16", OfDays),
            [span("2012-01-14", "2012-01-16")]
        );
        // Days that may still change are asked for again, but not twice a day.
        let mut fresh = part("2012-01-09", "2012-01-31");
        fresh.settled = day("2012-01-13");
        assert_eq!(
            gaps(&[fresh.clone()], "2012-01-09", "2012-01-31", OfDays),
            [span("2012-01-14", "2012-01-31")]
        );
        fresh.at = "2024-01-01T10:00:00Z".parse().unwrap();
        assert_eq!(gaps(&[fresh], "2012-01-09", "2012-01-31", OfDays), []);
    }

    #[test]
    fn a_data_set_has_no_hole() {
        let parts = [
            part("2012-01-17", "2012-01-31"),
            part("2012-01-03", "2012-01-13"),
            part("2013-01-02", "2013-01-31"),
        ];
        let run = |start: &str, end: &str| -> Vec<String> {
            around(&parts, day(start), day(end), Gaps::OfSessions)
                .iter()
                .map(|p| p.from.to_string())
                .collect()
        };
        assert_eq!(
            run("2012-01-20", "2012-01-25"),
            ["2012-01-03", "2012-01-17"]
        );
        assert_eq!(run("2013-01-02", "2013-01-31"), ["2013-01-02"]);
        assert_eq!(run("2014-01-02", "2014-01-31"), Vec::<String>::new());
    }

    #[test]
    fn a_torn_part_is_found_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(Library::new(folder.path().to_path_buf()));
        let place = Place {
            source: "polygon".to_owned(),
            kind: "day".to_owned(),
            symbol: "AAPL".to_owned(),
        };
        assert_eq!(shelf.parts(&place).unwrap(), (Vec::new(), 0));
        for (a, b) in [("2012-01-03", "2012-01-13"), ("2012-02-01", "2012-02-29")] {
            shelf.write(&place, &part(a, b), Some(b"bytes")).unwrap();
        }
        shelf
            .write(&place, &part("2012-03-01", "2012-03-31"), None)
            .unwrap();
        assert_eq!(shelf.parts(&place).unwrap().0.len(), 3);
        let file = folder
            .path()
            .join("fetched/polygon/day/AAPL/2012-02-01_2012-02-29.parquet");
        fs::write(&file, b"byte").unwrap();
        let (parts, torn) = shelf.parts(&place).unwrap();
        assert_eq!((parts.len(), torn), (2, 1));
        assert!(!file.exists());
        assert_eq!(shelf.parts(&place).unwrap().1, 0);
    }

    #[test]
    fn corporate_actions_lie_apart_and_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(Library::new(folder.path().to_path_buf()));
        assert_eq!(shelf.actions("polygon", "AAPL"), None);
        let known = KnownActions {
            actions: Actions {
                splits: vec![Split {
                    date: day("2005-02-28"),
                    new_shares: 2,
                    for_old: 1,
                }],
                dividends: vec![
                    Dividend {
                        date: day("2012-08-09"),
                        amount: 2.65,
                        declared: Some(day("2012-07-24")),
                    },
                    Dividend {
                        date: day("2012-11-07"),
                        amount: 2.65,
                        declared: None,
                    },
                ],
            },
            until: day("2013-03-01"),
            request: "GET /v3/reference/splits".to_owned(),
            refused: None,
        };
        let at = "2020-01-01T00:00:00Z".parse().unwrap();
        shelf.write_actions("polygon", "AAPL", &known, at).unwrap();
        assert_eq!(shelf.actions("polygon", "AAPL"), Some(known));
        let file = folder
            .path()
            .join("fetched/polygon/actions/AAPL/splits.parquet");
        fs::write(file, b"torn").unwrap();
        assert_eq!(shelf.actions("polygon", "AAPL"), None);
    }

    #[tokio::test]
    async fn one_thing_is_fetched_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(Library::new(folder.path().to_path_buf()));
        let place = |symbol: &str| Place {
            source: "polygon".to_owned(),
            kind: "day".to_owned(),
            symbol: symbol.to_owned(),
        };
        let cancel = CancellationToken::new();
        let held = shelf.hold(&place("AAPL"), &cancel).await.unwrap().unwrap();
        let other = shelf.hold(&place("IBM"), &cancel).await.unwrap();
        assert!(other.is_some());
        let same = place("AAPL");
        let second = shelf.hold(&same, &cancel);
        tokio::pin!(second);
        let waited = tokio::time::timeout(Duration::from_millis(100), &mut second).await;
        assert!(waited.is_err());
        drop(held);
        assert!(second.await.unwrap().is_some());
        let _again = shelf.hold(&place("AAPL"), &cancel).await.unwrap();
        cancel.cancel();
        assert!(shelf.hold(&place("AAPL"), &cancel).await.unwrap().is_none());
    }
}
