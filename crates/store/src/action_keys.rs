//! Table `action_keys`.

use crate::fault::Fault;
use mltrainer_services::port::Idempotency;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqlitePool;

/// What a key made before: the hash of its request and the id.
pub(crate) async fn find(
    readers: &SqlitePool,
    key: &str,
) -> Result<Option<(String, String)>, Fault> {
    Ok(
        sqlx::query_as("SELECT body_sha256, made FROM action_keys WHERE key = ?")
            .bind(key)
            .fetch_optional(readers)
            .await?,
    )
}

/// Remembers what a key made; fails when it made something before.
pub(crate) async fn insert(
    conn: &mut SqliteConnection,
    key: Option<&Idempotency>,
    made: &str,
) -> Result<(), Fault> {
    let Some(key) = key else { return Ok(()) };
    sqlx::query("INSERT INTO action_keys (key, body_sha256, made) VALUES (?, ?, ?)")
        .bind(&key.key)
        .bind(&key.body_sha256)
        .bind(made)
        .execute(conn)
        .await?;
    Ok(())
}
