//! Table `memory`: the words of the messages.

use crate::fault::Fault;
use crate::{conversations, from_json, parse_time, time_text};
use chrono::{DateTime, Utc};
use mltrainer_services::port::MemoryQuery;
use mltrainer_types::ConversationId;
use mltrainer_types::chat::MemoryHit;
use sqlx::Row as _;
use sqlx::sqlite::{SqlitePool, SqliteRow};

/// Best by words that are weighed anew.
const CANDIDATES: u32 = 300;

/// Every word as a text that the index looks up and never reads as its own language.
fn expression(words: &str) -> String {
    let mut out = String::new();
    for word in words
        .split(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | ',' | ';'))
        .filter(|w| w.chars().any(char::is_alphanumeric))
        .take(32)
    {
        if !out.is_empty() {
            out.push_str(" OR ");
        }
        out.push('"');
        out.push_str(word);
        out.push('"');
    }
    out
}

/// What a message is worth beside its words: 0.5 to 1.5 by importance, times 1 to 0.25 by age with a half-life of 30 days.
fn weight(importance: f64, at: DateTime<Utc>, now: DateTime<Utc>) -> f64 {
    let days = (now - at).num_seconds().max(0) as f64 / 86_400.0;
    (0.5 + importance) * f64::max(0.25, (-days / 30.0).exp2())
}

fn hit(row: &SqliteRow, now: DateTime<Utc>, best: f64) -> Result<MemoryHit, Fault> {
    let at = parse_time(row.try_get("at")?)?;
    let importance = row.try_get("importance")?;
    let rank: f64 = row.try_get("rank")?;
    let snippet: &str = row.try_get("snippet")?;
    Ok(MemoryHit {
        conversation: ConversationId(row.try_get("conversation")?),
        seq: row.try_get("seq")?,
        at,
        role: conversations::role(row)?,
        author: row.try_get("author")?,
        snippet: snippet.chars().take(300).collect(),
        importance,
        topics: from_json("topics", row.try_get("topics")?)?,
        score: -rank / best * weight(importance, at, now),
    })
}

/// Messages that hold the words, best first.
pub(crate) async fn search(
    readers: &SqlitePool,
    query: &MemoryQuery,
) -> Result<Vec<MemoryHit>, Fault> {
    let words = expression(&query.words);
    if words.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(
        "SELECT m.*, memory.rank, snippet(memory, 0, char(8296), char(8297), '…', 32) AS snippet
         FROM memory JOIN messages m ON m.id = memory.rowid
         WHERE memory MATCH ?1 AND (?2 IS NULL OR m.at >= ?2) AND (?3 IS NULL OR m.at < ?3)
             AND (?4 IS NULL OR m.conversation = ?4)
             AND NOT EXISTS (SELECT 1 FROM json_each(?5) WHERE value NOT IN (SELECT value FROM json_each(m.topics)))
         ORDER BY memory.rank LIMIT ?6",
    )
    .bind(format!("{{text topics}} : ({words})"))
    .bind(query.since.map(time_text))
    .bind(query.until.map(time_text))
    .bind(query.conversation.as_ref().map(ConversationId::as_str))
    .bind(crate::to_json(&query.topics)?)
    .bind(CANDIDATES)
    .fetch_all(readers)
    .await?;
    let Some(first) = rows.first() else {
        return Ok(Vec::new());
    };
    let best = (-first.try_get::<f64, _>("rank")?).max(f64::MIN_POSITIVE);
    let mut hits = rows
        .iter()
        .map(|row| hit(row, query.now, best))
        .collect::<Result<Vec<_>, _>>()?;
    hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(b.at.cmp(&a.at)));
    hits.truncate(query.limit as usize);
    Ok(hits)
}
