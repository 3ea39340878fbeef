//! Data sets, their quality and their lineage.

use crate::DatasetId;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

/// What a data set holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DatasetKind {
    /// Open, high, low, close and volume a day.
    Bars,
    /// Close a day.
    Closes,
    /// Several bars a day.
    Intraday,
    /// One value a date with the date on which it was known.
    Series,
}

/// A data set in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatasetSummary {
    /// Id.
    pub id: DatasetId,
    /// What it holds.
    pub kind: DatasetKind,
    /// Symbols or series in it.
    pub symbols: Vec<String>,
    /// Approved origin: `bundled`, `user_provided`, ...
    pub source: String,
    /// Title for people.
    pub title: String,
    /// First day.
    pub first: NaiveDate,
    /// Last day.
    pub last: NaiveDate,
    /// Rows that may be used.
    pub rows: u64,
    /// SHA-256 of the canonical content, hexadecimal.
    pub sha256: String,
    /// Quality score from 0 to 100.
    pub quality: f64,
    /// Rows set aside with a reason.
    pub quarantined: u64,
    /// Licence and original source.
    pub licence: String,
    /// Where the figures come from originally.
    pub origin: String,
}

/// A data set with everything known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatasetDetail {
    /// The row of the list.
    pub summary: DatasetSummary,
    /// Score and findings.
    pub quality: QualityReport,
    /// From the source to here.
    pub lineage: Vec<LineageStep>,
    /// Notes on provenance.
    pub notes: String,
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Flagged and kept: extreme but true.
    Note,
    /// Row set aside.
    Quarantine,
    /// The whole data set is refused.
    Refuse,
}

/// One thing a quality check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Finding {
    /// Name of the check.
    pub check: String,
    /// How grave.
    pub severity: Severity,
    /// Row of the source, counted from 1 without the heading, where there is one.
    pub row: Option<u64>,
    /// Day of that row.
    pub date: Option<NaiveDate>,
    /// What was found, in a sentence.
    pub reason: String,
}

/// The outcome of all quality checks over one data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QualityReport {
    /// 100 less the weighted share of faults.
    pub score: f64,
    /// Rows looked at.
    pub rows: u64,
    /// Rows that may be used.
    pub usable: u64,
    /// Rows set aside.
    pub quarantined: u64,
    /// Number of findings by check, all of them counted.
    pub counts: std::collections::BTreeMap<String, u64>,
    /// The findings; a check that found very many lists its first ones.
    pub findings: Vec<Finding>,
}

/// One step on the way from a source to a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LineageStep {
    /// What was done: `source`, `gate`, `span`, `features`, `target`, `run`, ...
    pub step: String,
    /// By what, with its parameters, in words.
    pub detail: String,
    /// SHA-256 of what came out, hexadecimal.
    pub sha256: String,
}

/// What was found in a file before it is imported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FileLayout {
    /// `CSV`, `Parquet` or `Arrow`.
    pub format: String,
    /// `comma`, `semicolon`, `tab` or `pipe`; `null` for other formats than CSV.
    pub delimiter: Option<String>,
    /// `point` or `comma`; `null` for other formats than CSV.
    pub decimal: Option<String>,
    /// Time zone in which times of day are read; `null` for daily bars.
    pub zone: Option<String>,
    /// Length of a bar in minutes; `null` for daily bars.
    pub minutes: Option<u32>,
    /// Rows that could be read; 0 when there is a problem.
    pub rows: u64,
    /// The columns, as in the file.
    pub columns: Vec<FileColumn>,
    /// Why the file cannot be read as it stands.
    pub problem: Option<String>,
}

/// A column of a file with what it is taken for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FileColumn {
    /// Its name in the heading.
    pub name: String,
    /// `date`, `time`, `open`, `high`, `low`, `close` or `volume`; `null` when it is left out.
    pub field: Option<String>,
    /// Its first cells.
    pub first: Vec<String>,
}

/// A file that was looked at and waits to be imported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FilePreview {
    /// SHA-256 of its bytes, hexadecimal: an import may name it instead of sending the file again.
    pub staged: String,
    /// Its name.
    pub name: String,
    /// What was found in it.
    pub layout: FileLayout,
}

/// What `mltrainer data import` and an upload answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportOutcome {
    /// The data set, when it was accepted.
    pub dataset: Option<DatasetSummary>,
    /// Score and findings either way.
    pub quality: QualityReport,
    /// Why it was refused, when it was.
    pub refusal: Option<crate::policy::Refusal>,
}

/// A daily bar for charts; figures that the source does not have are `null`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Bar {
    /// Day.
    pub date: NaiveDate,
    /// Open.
    pub open: Option<f64>,
    /// High.
    pub high: Option<f64>,
    /// Low.
    pub low: Option<f64>,
    /// Close.
    pub close: f64,
    /// Volume in shares.
    pub volume: Option<f64>,
}

/// The row of a data set in `GET /api/data-quality`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatasetQuality {
    /// Id.
    pub id: DatasetId,
    /// When it was checked.
    pub checked_at: DateTime<Utc>,
    /// Score and findings.
    pub quality: QualityReport,
    /// How old the last row is.
    pub age: Age,
    /// Other sets of the same symbol beside it.
    pub comparisons: Vec<Comparison>,
    /// How bars of less than a day fill the sessions; `null` for others.
    pub coverage: Option<SessionCoverage>,
}

/// How bars of less than a day fill the sessions of the exchange, half days included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionCoverage {
    /// Length of a bar in minutes.
    pub minutes: u32,
    /// Begin of the first bar.
    pub first: DateTime<Utc>,
    /// Begin of the last bar.
    pub last: DateTime<Utc>,
    /// Sessions from the first to the last bar.
    pub sessions: u64,
    /// Of these, with fewer bars than their hours hold.
    pub partial: u64,
    /// Of these, without any bar.
    pub missing: u64,
    /// Bars that the sessions should have.
    pub expected: u64,
    /// Of these, how many there are.
    pub found: u64,
    /// Bars wholly outside the sessions.
    pub outside: u64,
}

/// How old the last row of a data set is, at the time of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Age {
    /// Sessions of the exchange that ended after the last row.
    pub sessions: u64,
    /// More than so many are too old to forecast the next day from.
    pub allowed: u64,
}

impl Age {
    /// Whether it is too old to forecast the next day from.
    #[must_use]
    pub fn is_over(self) -> bool {
        self.sessions > self.allowed
    }
}

/// Another data set of the same symbol and how the two agree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Comparison {
    /// The other data set.
    pub id: DatasetId,
    /// Its approved origin.
    pub source: String,
    /// How the two agree.
    pub result: SourceComparison,
}

/// Two sources of one symbol on their common days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SourceComparison {
    /// Whether daily changes were compared, because they disagree on fewer days than closes: the two
    /// are adjusted differently.
    pub of_changes: bool,
    /// A larger relative difference is a disagreement.
    pub tolerance: f64,
    /// First common day.
    pub first: Option<NaiveDate>,
    /// Last common day.
    pub last: Option<NaiveDate>,
    /// Days compared.
    pub compared: u64,
    /// Days that disagree.
    pub differing: u64,
    /// Their share.
    pub share: f64,
    /// The days that disagree, largest difference first; the first ones of very many.
    pub days: Vec<DayOfTwo>,
}

/// One day in two sources: closes, or changes as a share of the close before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DayOfTwo {
    /// Day.
    pub date: NaiveDate,
    /// In this set.
    pub here: f64,
    /// In the other set.
    pub there: f64,
    /// Relative difference of closes, or difference of changes.
    pub difference: f64,
}
