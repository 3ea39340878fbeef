//! Table `steered_runs`.

use crate::fault::Fault;
use crate::{from_json, to_json};
use mltrainer_services::port::SteeredRun;
use sqlx::sqlite::SqlitePool;
use sqlx::{Row as _, SqliteConnection};

/// Keeps a run; one that is there stays as it is.
pub(crate) async fn insert(conn: &mut SqliteConnection, run: &SteeredRun) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO steered_runs (kind, id, conversation, message, model) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO NOTHING",
    )
    .bind(&run.kind)
    .bind(&run.id)
    .bind(run.conversation.as_str())
    .bind(run.message)
    .bind(to_json(&run.model)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// The run of that kind and id.
pub(crate) async fn get(
    readers: &SqlitePool,
    kind: &str,
    id: &str,
) -> Result<Option<SteeredRun>, Fault> {
    let row = sqlx::query("SELECT * FROM steered_runs WHERE kind = ? AND id = ?")
        .bind(kind)
        .bind(id)
        .fetch_optional(readers)
        .await?;
    row.map(|row| {
        let conversation: &str = row.try_get("conversation")?;
        Ok(SteeredRun {
            kind: row.try_get("kind")?,
            id: row.try_get("id")?,
            model: from_json("model", row.try_get("model")?)?,
            conversation: conversation.into(),
            message: row.try_get("message")?,
        })
    })
    .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::store;
    use mltrainer_services::port::ChatStore as _;
    use mltrainer_types::llm::{KnowledgeCutoff, LlmProvider, ModelIdentity};

    #[tokio::test]
    async fn the_first_model_of_a_run_is_kept() {
        let (_dir, store) = store().await;
        let run = |model: &str| SteeredRun {
            kind: "trial".to_owned(),
            id: "t-1".to_owned(),
            model: ModelIdentity {
                provider: LlmProvider::Anthropic,
                model: model.to_owned(),
                host: "127.0.0.1".to_owned(),
                cutoff: KnowledgeCutoff::Known {
                    last_day: "2025-01-31".parse().unwrap(),
                    source: "configured".to_owned(),
                },
            },
            conversation: "c-1".into(),
            message: 3,
        };
        assert_eq!(store.steered("trial", "t-1").await.unwrap(), None);
        store.steer(&run("one")).await.unwrap();
        store.steer(&run("two")).await.unwrap();
        let kept = store.steered("trial", "t-1").await.unwrap();
        assert_eq!(kept, Some(run("one")));
        assert_eq!(store.steered("backtest", "t-1").await.unwrap(), None);
    }
}
