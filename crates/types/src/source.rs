//! Sources of data: what is asked of them, what came, how they do.

use crate::data::{DatasetSummary, QualityReport};
use crate::policy::Refusal;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

/// `POST /api/v1/data/fetch`: bars of a symbol, or an economic series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct FetchRequest {
    /// Source: `polygon`, `fred`, `alpha_vantage`, `fmp` or `yahoo`.
    pub source: String,
    /// Symbol whose bars are wanted; `null` for a series.
    #[serde(default)]
    pub symbol: Option<String>,
    /// Economic series that is wanted; `null` for bars.
    #[serde(default)]
    pub series: Option<String>,
    /// First day; ten years before the last when absent, for a series its beginning.
    #[serde(default)]
    pub start: Option<NaiveDate>,
    /// Last day, included; today when absent.
    #[serde(default)]
    pub end: Option<NaiveDate>,
    /// For a series: what was published by the end of this day. When absent, each figure as it was
    /// first published.
    #[serde(default)]
    pub as_of: Option<NaiveDate>,
    /// Time that one bar covers: `day` (when absent), `hour` or `minute`.
    #[serde(default)]
    pub span: Option<String>,
    /// Prices adjusted for splits by the vendor, instead of as traded with the splits apart.
    #[serde(default)]
    pub adjusted: bool,
    /// Sources that are asked in turn when the first gives nothing.
    #[serde(default)]
    pub failover: Vec<String>,
}

/// A source that gave nothing before another did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FailedSource {
    /// Source.
    pub source: String,
    /// Why it gave nothing, in a sentence.
    pub reason: String,
}

/// What came of a fetch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FetchOutcome {
    /// The data set, when it was accepted.
    pub dataset: Option<DatasetSummary>,
    /// Score and findings either way.
    pub quality: QualityReport,
    /// Why it was refused, when it was.
    pub refusal: Option<Refusal>,
    /// What was asked for: symbol and span, in words.
    pub asked: String,
    /// The source that gave it.
    pub source: String,
    /// Sources that were asked before and gave nothing.
    pub failed: Vec<FailedSource>,
    /// Requests that were made; 0 when everything was stored already.
    pub requests: u32,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// When and why a source last gave nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SourceFault {
    /// When.
    pub at: DateTime<Utc>,
    /// Why, in a sentence.
    pub reason: String,
}

/// How a source does: a row of `GET /api/v1/sources`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SourceStatus {
    /// Id: an approved origin.
    pub id: String,
    /// Title for people.
    pub title: String,
    /// Whether its key is there, or none is needed.
    pub configured: bool,
    /// Environment variable of its key; `null` when it needs none.
    pub key_variable: Option<String>,
    /// Its address.
    pub url: String,
    /// Times that its bars can cover.
    pub bars: Vec<String>,
    /// Whether it has economic series.
    pub series: bool,
    /// What else can be looked at.
    pub views: Vec<String>,
    /// `closed` when requests go through, `open` when it rests after failures, `half_open` when the
    /// next request shows whether it is back.
    pub circuit: String,
    /// Failures in a row.
    pub failures: u32,
    /// Requests sent since midnight UTC by this process.
    pub requests_today: u64,
    /// When it last answered this process.
    pub last_success: Option<DateTime<Utc>>,
    /// When it last gave nothing, and why.
    pub last_error: Option<SourceFault>,
}

/// Whether a source answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SourceProbe {
    /// Id.
    pub id: String,
    /// Whether it needs a key.
    pub needs_key: bool,
    /// Whether its key is there, or none is needed.
    pub configured: bool,
    /// Whether it answered; `null` when it was not asked.
    pub reachable: Option<bool>,
    /// What was found, in a sentence.
    pub detail: String,
}
