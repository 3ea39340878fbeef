//! Table `goals`.

use crate::fault::Fault;
use crate::{SqliteStore, Tx, audit, from_json, parse_time, time_text, to_json};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mltrainer_services::port::{GoalStore, PortError};
use mltrainer_types::assistant::SetGoal;
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::chat::GoalView;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

fn goal(row: &SqliteRow) -> Result<GoalView, Fault> {
    Ok(GoalView {
        id: row.try_get("id")?,
        at: parse_time(row.try_get("at")?)?,
        actor: row.try_get("actor")?,
        goal: from_json("goal", row.try_get("goal")?)?,
        progress: Vec::new(),
    })
}

impl SqliteStore {
    async fn write_goal(
        &self,
        tx: &mut Tx,
        at: DateTime<Utc>,
        set: &SetGoal,
        entry: AuditEntry,
    ) -> Result<GoalView, Fault> {
        let row = sqlx::query(
            "INSERT INTO goals (id, at, actor, goal)
             VALUES ((SELECT coalesce(max(id), 0) + 1 FROM goals), ?, ?, ?) RETURNING *",
        )
        .bind(time_text(at))
        .bind(&entry.actor)
        .bind(to_json(set)?)
        .fetch_one(&mut **tx)
        .await?;
        audit::append(tx, &self.signer, at, &[entry]).await?;
        goal(&row)
    }
}

#[async_trait]
impl GoalStore for SqliteStore {
    async fn set_goal(
        &self,
        at: DateTime<Utc>,
        goal: &SetGoal,
        audit: AuditEntry,
    ) -> Result<GoalView, PortError> {
        let mut tx = self.begin().await?;
        let set = self.write_goal(&mut tx, at, goal, audit).await;
        let set = set.map_err(|f| self.port(f))?;
        self.commit_tx(tx).await?;
        Ok(set)
    }

    async fn goal(&self) -> Result<Option<GoalView>, PortError> {
        sqlx::query("SELECT * FROM goals ORDER BY id DESC LIMIT 1")
            .fetch_optional(&self.readers)
            .await
            .map_err(|e| self.port(e.into()))?
            .map(|row| goal(&row).map_err(|f| self.port(f)))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{entry, store};
    use mltrainer_services::port::AuditStore;
    use mltrainer_types::assistant::GoalMetric;

    fn wish(text: &str) -> SetGoal {
        SetGoal {
            text: text.into(),
            metrics: vec![GoalMetric {
                metric: "sharpe_ratio".into(),
                aim: None,
                at_least: Some(1.5),
                at_most: None,
            }],
            max_positions: Some(20),
            ..SetGoal::default()
        }
    }

    #[tokio::test]
    async fn the_last_goal_holds_and_those_before_stay() {
        let (_folder, store) = store().await;
        assert_eq!(store.goal().await.unwrap(), None);
        let at = "2024-01-01T00:00:00.000001Z".parse().unwrap();
        for (n, text) in [(1, "a Sharpe ratio above 1.5"), (2, "less risk")] {
            let set = store.set_goal(at, &wish(text), entry("goal")).await;
            let set = set.unwrap();
            assert_eq!((set.id, set.at, set.actor.as_str()), (n, at, "user"));
            assert_eq!(set.goal, wish(text));
            assert_eq!(store.goal().await.unwrap(), Some(set));
        }
        let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM goals")
            .fetch_one(&store.readers)
            .await
            .unwrap();
        assert_eq!(kept, 2);
        // The beginning of the chain and one record for each.
        assert_eq!(store.last().await.unwrap(), 3);
    }

    #[tokio::test]
    async fn a_failing_record_leaves_no_goal_behind() {
        let (_folder, store) = store().await;
        let mut bad = entry("goal");
        bad.decision = "perhaps".into();
        let at = DateTime::from_timestamp(0, 0).unwrap();
        store.set_goal(at, &wish("more"), bad).await.unwrap_err();
        assert_eq!(store.goal().await.unwrap(), None);
    }
}
