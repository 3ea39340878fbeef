//! How the program is, as `GET /api/health` and the dashboard show it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One thing looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HealthCheck {
    /// Name: `database`, `bundled_data`, `audit`, `workers`, `sources`.
    pub name: String,
    /// Whether it is in order.
    pub ok: bool,
    /// What was found, in a sentence.
    pub detail: String,
}

/// The answer of `GET /api/health`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Health {
    /// `ok` when requests are answered, `degraded` when a check is not in order.
    pub status: String,
    /// Whether trials can run now: the bundled data are installed and the database answers.
    pub ready: bool,
    /// Version of the program.
    pub version: String,
    /// When this process started.
    pub started_at: DateTime<Utc>,
    /// Seconds since then.
    pub uptime_seconds: f64,
    /// Entries of the catalogue, presets not counted.
    pub models: u32,
    /// Registered data sets.
    pub datasets: u32,
    /// Trials that are not in a final state and not paused.
    pub running_trials: u32,
    /// Records in the audit chain.
    pub audit_records: i64,
    /// What was looked at.
    pub checks: Vec<HealthCheck>,
}
