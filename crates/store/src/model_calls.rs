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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::store;
    use mltrainer_services::port::ChatStore;
    use mltrainer_types::llm::{Cost, KnowledgeCutoff, LlmProvider, ModelIdentity, StopReason};

    fn call(day: &str, conversation: &str, output: u64, micro_dollars: Option<u64>) -> LlmCall {
        let day = day.parse().unwrap();
        LlmCall {
            model: ModelIdentity {
                provider: LlmProvider::Anthropic,
                model: "a model".into(),
                host: "localhost".into(),
                cutoff: KnowledgeCutoff::Unknown,
            },
            answered_by: None,
            vendor_id: None,
            day,
            conversation: conversation.into(),
            usage: TokenUsage {
                input: if output > 0 { 100 } else { 0 },
                output,
                ..TokenUsage::default()
            },
            cost: micro_dollars.map_or(Cost::Unknown, |micro_dollars| Cost::Known {
                micro_dollars,
                price_as_of: day,
                price_source: "configured".into(),
            }),
            stop: StopReason::EndTurn,
            error: None,
            tries: 1,
            masked: false,
            passed: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_day_and_every_conversation_have_their_sums() {
        let (_folder, store) = store().await;
        let today = "2024-03-02".parse().unwrap();
        assert_eq!(store.spent(today).await.unwrap(), MeterRecord::default());
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        for c in [
            call("2024-03-01", "c-1", 10, Some(50)),
            call("2024-03-02", "c-1", 20, Some(70)),
            call("2024-03-02", "c-2", 30, None),
            // Failed before it used anything.
            call("2024-03-02", "c-2", 0, Some(0)),
            call("2024-03-02", "c-3", 0, None),
        ] {
            store.spend(at, &c).await.unwrap();
        }
        let spent = |calls, tokens, micro_dollars, unpriced_calls| Spent {
            calls,
            tokens,
            micro_dollars,
            unpriced_calls,
        };
        let record = store.spent(today).await.unwrap();
        assert_eq!(record.day, Some(today));
        assert_eq!(record.today, spent(2, 250, 70, 1));
        let conversations: Vec<_> = record.conversations.into_iter().collect();
        assert_eq!(
            conversations,
            [
                ("c-1".to_owned(), spent(2, 230, 120, 0)),
                ("c-2".to_owned(), spent(1, 130, 0, 1)),
            ]
        );
        let before = store.spent("2024-03-01".parse().unwrap()).await.unwrap();
        assert_eq!(before.today, spent(1, 110, 50, 0));
        let later = store.spent("2024-03-03".parse().unwrap()).await.unwrap();
        assert_eq!(later.today, Spent::default());
        assert_eq!(later.conversations.len(), 2);
    }

    #[tokio::test]
    async fn the_whole_record_is_kept() {
        let (_folder, store) = store().await;
        let one = call("2024-03-01", "c-1", 10, Some(50));
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        store.spend(at, &one).await.unwrap();
        let text: String = sqlx::query_scalar("SELECT call FROM model_calls")
            .fetch_one(&store.readers)
            .await
            .unwrap();
        assert_eq!(serde_json::from_str::<LlmCall>(&text).unwrap(), one);
    }
}
