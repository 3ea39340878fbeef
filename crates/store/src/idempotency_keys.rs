//! Table `idempotency_keys`.

use crate::fault::Fault;
use crate::time_text;
use chrono::{DateTime, Utc};
use mltrainer_services::port::Idempotency;
use mltrainer_types::TrialId;
use sqlx::SqliteConnection;

/// What a key made before: the hash of its request and the trial.
pub(crate) async fn find(
    conn: &mut SqliteConnection,
    key: &str,
) -> Result<Option<(String, TrialId)>, Fault> {
    let row: Option<(String, String)> =
        sqlx::query_as("SELECT body_sha256, trial FROM idempotency_keys WHERE key = ?")
            .bind(key)
            .fetch_optional(conn)
            .await?;
    Ok(row.map(|(sha256, trial)| (sha256, TrialId(trial))))
}

/// Remembers what a key made.
pub(crate) async fn insert(
    conn: &mut SqliteConnection,
    key: &Idempotency,
    trial: &TrialId,
    at: DateTime<Utc>,
) -> Result<(), Fault> {
    sqlx::query("INSERT INTO idempotency_keys (key, body_sha256, trial, at) VALUES (?, ?, ?, ?)")
        .bind(&key.key)
        .bind(&key.body_sha256)
        .bind(trial.as_str())
        .bind(time_text(at))
        .execute(conn)
        .await?;
    Ok(())
}
