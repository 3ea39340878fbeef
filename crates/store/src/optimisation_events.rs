//! Table `optimisation_events`.

use crate::fault::Fault;
use crate::{parse_time, time_text, to_json};
use chrono::{DateTime, SubsecRound as _, Utc};
use mltrainer_types::OptimisationId;
use mltrainer_types::optimisation::{OptimisationEvent, OptimisationEventBody};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

/// Numbers and stores events after number `last`.
pub(crate) async fn insert(
    conn: &mut SqliteConnection,
    id: &OptimisationId,
    last: i64,
    at: DateTime<Utc>,
    bodies: Vec<OptimisationEventBody>,
) -> Result<Vec<OptimisationEvent>, Fault> {
    let mut events = Vec::with_capacity(bodies.len());
    for (seq, body) in (last + 1..).zip(bodies) {
        let data = match &body {
            OptimisationEventBody::State(data) => to_json(data)?,
            OptimisationEventBody::Step(data) => to_json(data)?,
            OptimisationEventBody::Window(data) => to_json(data)?,
        };
        sqlx::query(
            "INSERT INTO optimisation_events (optimisation, seq, at, event, data) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(id.as_str())
        .bind(seq)
        .bind(time_text(at))
        .bind(body.name())
        .bind(data)
        .execute(&mut *conn)
        .await?;
        // As it will be read back.
        let at = at.trunc_subsecs(6);
        events.push(OptimisationEvent { seq, at, body });
    }
    Ok(events)
}

/// Events after a number, oldest first.
pub(crate) async fn after(
    conn: &mut SqliteConnection,
    id: &OptimisationId,
    after: i64,
    limit: u32,
) -> Result<Vec<OptimisationEvent>, Fault> {
    sqlx::query(
        "SELECT * FROM optimisation_events WHERE optimisation = ? AND seq > ? ORDER BY seq LIMIT ?",
    )
    .bind(id.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(conn)
    .await?
    .iter()
    .map(event)
    .collect()
}

fn event(row: &SqliteRow) -> Result<OptimisationEvent, Fault> {
    let data: &str = row.try_get("data")?;
    let damaged = |e: serde_json::Error| Fault::Damaged(format!("event: {e}"));
    let body = match row.try_get("event")? {
        "state" => OptimisationEventBody::State(serde_json::from_str(data).map_err(damaged)?),
        "step" => OptimisationEventBody::Step(serde_json::from_str(data).map_err(damaged)?),
        "window" => OptimisationEventBody::Window(serde_json::from_str(data).map_err(damaged)?),
        other => return Err(Fault::Damaged(format!("event \"{other}\""))),
    };
    Ok(OptimisationEvent {
        seq: row.try_get("seq")?,
        at: parse_time(row.try_get("at")?)?,
        body,
    })
}
