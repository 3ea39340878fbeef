//! Tables `steered_actions` and `steered_runs`.

use crate::fault::Fault;
use crate::{from_json, to_json};
use mltrainer_services::port::SteeredAction;
use sqlx::sqlite::SqlitePool;
use sqlx::{Row as _, SqliteConnection};

/// Keeps who asks for the action of a key; the first one stays.
pub(crate) async fn announce(
    conn: &mut SqliteConnection,
    key: &str,
    by: &SteeredAction,
) -> Result<(), Fault> {
    let (conversation, message) = by.message.clone().unzip();
    sqlx::query(
        "INSERT INTO steered_actions (key, conversation, message, model) VALUES (?, ?, ?, ?)
         ON CONFLICT DO NOTHING",
    )
    .bind(key)
    .bind(conversation.map(|c| c.0))
    .bind(message)
    .bind(to_json(&by.model)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps a run as steered when the key that it is made under, or what stands before one of its slashes, is that of an
/// announced action.
pub(crate) async fn claim(
    conn: &mut SqliteConnection,
    kind: &str,
    id: &str,
    key: &str,
) -> Result<(), Fault> {
    let ends = key.match_indices('/').map(|(at, _)| at).chain([key.len()]);
    let keys: Vec<&str> = ends.filter_map(|end| key.get(..end)).collect();
    sqlx::query(
        "INSERT INTO steered_runs (kind, id, conversation, message, model)
         SELECT ?, ?, conversation, message, model FROM steered_actions
         WHERE key IN (SELECT value FROM json_each(?)) ORDER BY length(key) DESC LIMIT 1",
    )
    .bind(kind)
    .bind(id)
    .bind(to_json(&keys)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// Who steered the run of that kind and id.
pub(crate) async fn get(
    readers: &SqlitePool,
    kind: &str,
    id: &str,
) -> Result<Option<SteeredAction>, Fault> {
    let row = sqlx::query("SELECT * FROM steered_runs WHERE kind = ? AND id = ?")
        .bind(kind)
        .bind(id)
        .fetch_optional(readers)
        .await?;
    row.map(|row| {
        let conversation: Option<&str> = row.try_get("conversation")?;
        let message: Option<i64> = row.try_get("message")?;
        Ok(SteeredAction {
            model: from_json("model", row.try_get("model")?)?,
            message: conversation.map(Into::into).zip(message),
        })
    })
    .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{new_trial, store};
    use mltrainer_services::port::{ChatStore as _, Idempotency, TrialStore as _};
    use mltrainer_types::llm::{KnowledgeCutoff, Steerer};

    fn by(model: &str, message: i64) -> SteeredAction {
        SteeredAction {
            model: Steerer {
                model: Some(model.to_owned()),
                host: "127.0.0.1".to_owned(),
                cutoff: KnowledgeCutoff::Known {
                    last_day: "2025-01-31".parse().unwrap(),
                    source: "configured".to_owned(),
                },
            },
            message: Some(("c-1".into(), message)),
        }
    }

    #[tokio::test]
    async fn what_is_made_under_an_announced_key_is_steered() {
        let (_dir, store) = store().await;
        store.steer("c-1/3/0", &by("one", 3)).await.unwrap();
        store.steer("c-1/3/0", &by("two", 3)).await.unwrap();
        for (id, key) in [
            ("t-1", Some("c-1/3/0")),
            ("t-2", Some("c-1/3/0/trial")),
            ("t-3", Some("c-1/3/01")),
            ("t-4", Some("c-1/3")),
            ("t-5", None),
        ] {
            let mut trial = new_trial(id);
            trial.idempotency = key.map(|key| Idempotency {
                key: key.to_owned(),
                body_sha256: String::new(),
            });
            store.create(trial).await.unwrap();
        }
        let mut steered = Vec::new();
        for id in ["t-1", "t-2", "t-3", "t-4", "t-5"] {
            steered.push(store.steered("trial", id).await.unwrap());
        }
        let first = Some(by("one", 3));
        assert_eq!(steered, [first.clone(), first, None, None, None]);
        assert_eq!(store.steered("backtest", "t-1").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_record_of_before_is_read() {
        let (_dir, store) = store().await;
        let model = r#"{"provider":"anthropic","model":"one","host":"127.0.0.1","cutoff":{"kind":"known","last_day":"2025-01-31","source":"configured"}}"#;
        sqlx::query("INSERT INTO steered_runs (kind, id, conversation, message, model) VALUES ('trial', 't-1', 'c-1', 3, ?)")
            .bind(model)
            .execute(&store.writer)
            .await
            .unwrap();
        assert_eq!(
            store.steered("trial", "t-1").await.unwrap(),
            Some(by("one", 3))
        );
    }
}
