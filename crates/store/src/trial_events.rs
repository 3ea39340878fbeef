//! Table `trial_events`.

use crate::fault::Fault;
use crate::{parse_time, time_text, to_json};
use chrono::{DateTime, SubsecRound as _, Utc};
use mltrainer_types::TrialId;
use mltrainer_types::event::{EventBody, TrialEvent};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

/// Numbers and stores events after number `last`.
pub(crate) async fn insert(
    conn: &mut SqliteConnection,
    trial: &TrialId,
    last: i64,
    at: DateTime<Utc>,
    bodies: Vec<EventBody>,
) -> Result<Vec<TrialEvent>, Fault> {
    let mut events = Vec::with_capacity(bodies.len());
    for (seq, body) in (last + 1..).zip(bodies) {
        let data = match &body {
            EventBody::State(data) => to_json(data)?,
            EventBody::Step(data) => to_json(data)?,
            EventBody::Leaderboard(data) => to_json(data)?,
            EventBody::Message(data) => to_json(data)?,
        };
        sqlx::query(
            "INSERT INTO trial_events (trial, seq, at, event, data) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(trial.as_str())
        .bind(seq)
        .bind(time_text(at))
        .bind(body.name())
        .bind(data)
        .execute(&mut *conn)
        .await?;
        // As it will be read back.
        let at = at.trunc_subsecs(6);
        events.push(TrialEvent { seq, at, body });
    }
    Ok(events)
}

/// Events after a number, oldest first.
pub(crate) async fn after(
    conn: &mut SqliteConnection,
    trial: &TrialId,
    after: i64,
    limit: u32,
) -> Result<Vec<TrialEvent>, Fault> {
    sqlx::query("SELECT * FROM trial_events WHERE trial = ? AND seq > ? ORDER BY seq LIMIT ?")
        .bind(trial.as_str())
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await?
        .iter()
        .map(event)
        .collect()
}

fn event(row: &SqliteRow) -> Result<TrialEvent, Fault> {
    let data: &str = row.try_get("data")?;
    let damaged = |e: serde_json::Error| Fault::Damaged(format!("event: {e}"));
    let body = match row.try_get("event")? {
        "state" => EventBody::State(serde_json::from_str(data).map_err(damaged)?),
        "step" => EventBody::Step(serde_json::from_str(data).map_err(damaged)?),
        "leaderboard" => EventBody::Leaderboard(serde_json::from_str(data).map_err(damaged)?),
        "message" => EventBody::Message(serde_json::from_str(data).map_err(damaged)?),
        other => return Err(Fault::Damaged(format!("event \"{other}\""))),
    };
    Ok(TrialEvent {
        seq: row.try_get("seq")?,
        at: parse_time(row.try_get("at")?)?,
        body,
    })
}
