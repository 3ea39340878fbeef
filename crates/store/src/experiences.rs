//! Tables `experiences` and `learned_trials`.

use crate::fault::Fault;
use crate::{SqliteStore, Tx, from_json, to_json};
use async_trait::async_trait;
use mltrainer_services::port::{LearningStore, PortError};
use mltrainer_types::TrialId;
use mltrainer_types::learning::Experience;

impl SqliteStore {
    async fn write_experiences(
        &self,
        tx: &mut Tx,
        trial: &TrialId,
        all: &[(u32, Experience)],
    ) -> Result<(), Fault> {
        let new =
            sqlx::query("INSERT INTO learned_trials (trial) VALUES (?) ON CONFLICT DO NOTHING")
                .bind(trial.as_str())
                .execute(&mut **tx)
                .await?;
        if new.rows_affected() == 0 {
            return Ok(());
        }
        for (place, e) in all {
            sqlx::query(
                "INSERT INTO experiences (trial, place, horizon, body) VALUES (?, ?, ?, ?)",
            )
            .bind(trial.as_str())
            .bind(place)
            .bind(e.horizon)
            .bind(to_json(e)?)
            .execute(&mut **tx)
            .await?;
        }
        Ok(())
    }

    async fn read_experiences(&self) -> Result<Vec<Experience>, Fault> {
        let rows: Vec<String> =
            sqlx::query_scalar("SELECT body FROM experiences ORDER BY trial, place, horizon")
                .fetch_all(&self.readers)
                .await?;
        rows.iter()
            .map(|text| from_json("experience", text))
            .collect()
    }
}

#[async_trait]
impl LearningStore for SqliteStore {
    async fn unlearned(&self, limit: u32) -> Result<Vec<TrialId>, PortError> {
        let ids: Result<Vec<String>, sqlx::Error> = sqlx::query_scalar(
            "SELECT id FROM trials WHERE state = 'finished'
             AND id NOT IN (SELECT trial FROM learned_trials) ORDER BY id LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.readers)
        .await;
        let ids = ids.map_err(|e| self.port(e.into()))?;
        Ok(ids.into_iter().map(TrialId).collect())
    }

    async fn learn(&self, trial: &TrialId, all: &[(u32, Experience)]) -> Result<(), PortError> {
        let mut tx = self.begin().await?;
        let done = self.write_experiences(&mut tx, trial, all).await;
        done.map_err(|f| self.port(f))?;
        self.commit_tx(tx).await
    }

    async fn experiences(&self) -> Result<Vec<Experience>, PortError> {
        self.read_experiences().await.map_err(|f| self.port(f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{new_trial, store};
    use mltrainer_services::port::TrialStore as _;
    use mltrainer_types::learning::Traits;
    use mltrainer_types::trial::Target;

    #[tokio::test]
    async fn a_finished_trial_is_learned_from_once() {
        let (_folder, store) = store().await;
        for id in ["t-1", "t-2"] {
            store.create(new_trial(id)).await.unwrap();
        }
        sqlx::query("UPDATE trials SET state = 'finished' WHERE id = 't-1'")
            .execute(&store.writer)
            .await
            .unwrap();
        let trial = TrialId("t-1".into());
        assert_eq!(
            store.unlearned(9).await.unwrap(),
            std::slice::from_ref(&trial)
        );
        let one = Experience {
            trial: trial.clone(),
            at: "2026-11-29T15:00:00Z".parse().unwrap(),
            symbols: vec!["AAPL".into()],
            target: Target::Return,
            horizon: 5,
            traits: Traits {
                before: "2010-01-04".parse().unwrap(),
                bars: 1_000.0,
                volatility: 0.3,
                autocorrelation: -0.05,
                clustering: 0.2,
                tail_index: 3.0,
                signal_to_noise: 0.5,
                regime: 0.4,
            },
            model: "ridge".into(),
            params: serde_json::Map::new(),
            skill: 0.1 + 0.2,
            took_ms: 12.5,
        };
        for _ in 0..2 {
            store.learn(&trial, &[(0, one.clone())]).await.unwrap();
        }
        assert_eq!(store.experiences().await.unwrap(), [one]);
        assert_eq!(store.unlearned(9).await.unwrap(), []);
    }
}
