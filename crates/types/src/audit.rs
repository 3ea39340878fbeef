//! Audit records.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One link of the audit chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditRecord {
    /// Place in the chain: 1, 2, 3 ... without holes.
    pub seq: i64,
    /// When, to the microsecond.
    pub at: DateTime<Utc>,
    /// Who: `user`, `system`, `cli`, an agent's or coach's name.
    pub actor: String,
    /// What was done: `dataset.import`, `trial.create`, ...
    pub action: String,
    /// To what: an id.
    pub subject: String,
    /// `allowed` or `refused`.
    pub decision: String,
    /// The rule that decided, where one did.
    pub rule: Option<String>,
    /// Canonical JSON of the particulars: hashes of inputs, parameters.
    pub detail: String,
    /// Hash of the record before; 64 zeros for the first.
    pub prev_hash: String,
    /// SHA-256 over all of the above, hexadecimal.
    pub hash: String,
}

/// What is to be recorded; the chain adds number, hashes and signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub subject: String,
    /// `allowed` or `refused`.
    pub decision: String,
    /// The rule that decided, where one did.
    pub rule: Option<String>,
    /// Particulars as JSON.
    pub detail: serde_json::Value,
}

/// Filters of the audit explorer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct AuditFilter {
    /// Only this actor.
    pub actor: Option<String>,
    /// Only actions that begin with this text.
    pub action: Option<String>,
    /// Only this subject.
    pub subject: Option<String>,
    /// Only this decision.
    pub decision: Option<String>,
    /// Only records at or after this time.
    pub since: Option<DateTime<Utc>>,
    /// Only records before this time.
    pub until: Option<DateTime<Utc>>,
}

/// The outcome of checking the whole chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditVerification {
    /// Whether every record and every checkpoint holds.
    pub ok: bool,
    /// Records in the chain.
    pub records: i64,
    /// Signed checkpoints that hold.
    pub checkpoints: i64,
    /// The first broken record, when there is one.
    pub first_broken: Option<i64>,
    /// What is wrong with it.
    pub reason: Option<String>,
}
