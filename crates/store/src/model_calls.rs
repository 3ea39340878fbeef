//! Table `model_calls`.

use crate::fault::Fault;
use crate::{count, time_text, to_json};
use chrono::{DateTime, NaiveDate, Utc};
use mltrainer_types::llm::{LlmCall, MeterRecord, Spent, TokenUsage};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row as _, SqliteConnection};

/// A number as SQLite takes it; what no call can reach is cut.
fn whole(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Stores the record of a call.
pub(crate) async fn insert(
    conn: &mut SqliteConnection,
    at: DateTime<Utc>,
    call: &LlmCall,
) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO model_calls (at, day, conversation, used, tokens, micro_dollars, call)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(time_text(at))
    .bind(call.day.to_string())
    .bind(&call.conversation)
    // As the meter counts: a call that failed before it used anything is no call.
    .bind(call.usage != TokenUsage::default())
    .bind(whole(call.usage.total()))
    .bind(call.cost.micro_dollars().map(whole))
    .bind(to_json(call)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// The sums of a day and of each conversation.
pub(crate) async fn spent(readers: &SqlitePool, day: NaiveDate) -> Result<MeterRecord, Fault> {
    let rows = sqlx::query(
        "SELECT conversation, day = ? AS today, count(*) AS calls, sum(tokens) AS tokens,
             coalesce(sum(micro_dollars), 0) AS micro_dollars,
             count(*) - count(micro_dollars) AS unpriced_calls
         FROM model_calls WHERE used GROUP BY 1, 2",
    )
    .bind(day.to_string())
    .fetch_all(readers)
    .await?;
    let mut record = MeterRecord {
        day: (!rows.is_empty()).then_some(day),
        ..MeterRecord::default()
    };
    for row in &rows {
        let sum = sums(row)?;
        let conversation = record
            .conversations
            .entry(row.try_get("conversation")?)
            .or_default();
        add(conversation, &sum);
        if row.try_get("today")? {
            add(&mut record.today, &sum);
        }
    }
    Ok(record)
}

fn sums(row: &SqliteRow) -> Result<Spent, Fault> {
    let get = |name: &str| count(name, row.try_get(name)?);
    Ok(Spent {
        calls: get("calls")?,
        tokens: get("tokens")?,
        micro_dollars: get("micro_dollars")?,
        unpriced_calls: get("unpriced_calls")?,
    })
}

fn add(sum: &mut Spent, more: &Spent) {
    sum.calls = sum.calls.saturating_add(more.calls);
    sum.tokens = sum.tokens.saturating_add(more.tokens);
    sum.micro_dollars = sum.micro_dollars.saturating_add(more.micro_dollars);
    sum.unpriced_calls = sum.unpriced_calls.saturating_add(more.unpriced_calls);
}
