//! Table `backtests`.

use crate::fault::Fault;
use crate::{SqliteStore, Tx, audit, from_json, steered_runs, time_text, to_json};
use async_trait::async_trait;
use mltrainer_services::port::{BacktestStore, Kept, NewBacktest, PortError, TriedOn};
use mltrainer_trials::spec::{combinations, spec_key};
use mltrainer_types::BacktestId;
use mltrainer_types::backtest::{BacktestSummary, BacktestView};
use mltrainer_types::trial::TrialSpec;
use std::collections::BTreeSet;

impl SqliteStore {
    async fn write_backtest(&self, tx: &mut Tx, new: NewBacktest) -> Result<Kept, Fault> {
        if let Some(key) = &new.idempotency {
            let made: Option<(String, String)> =
                sqlx::query_as("SELECT body_sha256, id FROM backtests WHERE key = ?")
                    .bind(&key.key)
                    .fetch_optional(&mut **tx)
                    .await?;
            if let Some((body, id)) = made {
                return Ok(if body == key.body_sha256 {
                    Kept::Repeated(BacktestId(id))
                } else {
                    Kept::KeyTaken
                });
            }
        }
        let at = new.view.created_at;
        sqlx::query(
            "INSERT INTO backtests (id, created_at, spec_sha256, symbols, ratio, summary, view, key, body_sha256)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(new.view.id.as_str())
        .bind(time_text(at))
        .bind(&new.view.spec_sha256)
        .bind(to_json(&new.summary.symbols)?)
        .bind(new.ratio)
        .bind(to_json(&new.summary)?)
        .bind(to_json(&new.view)?)
        .bind(new.idempotency.as_ref().map(|k| &k.key))
        .bind(new.idempotency.as_ref().map(|k| &k.body_sha256))
        .execute(&mut **tx)
        .await?;
        if let Some(key) = &new.idempotency {
            steered_runs::claim(tx, "backtest", new.view.id.as_str(), &key.key).await?;
        }
        audit::append(tx, &self.signer, at, &[new.audit]).await?;
        Ok(Kept::Made)
    }

    async fn read_tried(&self, symbols: &[String], own: &str) -> Result<TriedOn, Fault> {
        let asked = to_json(&symbols)?;
        let ratios: Vec<(String, Option<f64>)> = sqlx::query_as(
            "SELECT spec_sha256, min(ratio) FROM backtests
             WHERE spec_sha256 <> ? AND EXISTS (
                 SELECT 1 FROM json_each(backtests.symbols) AS own
                 JOIN json_each(?) AS asked ON own.value = asked.value)
             GROUP BY spec_sha256 ORDER BY min(id)",
        )
        .bind(own)
        .bind(&asked)
        .fetch_all(&self.readers)
        .await?;
        let specs: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT spec FROM trials WHERE EXISTS (
                 SELECT 1 FROM json_each(spec, '$.symbols') AS own
                 JOIN json_each(?) AS asked ON own.value = asked.value)",
        )
        .bind(&asked)
        .fetch_all(&self.readers)
        .await?;
        let mut seen = BTreeSet::new();
        let mut models = 0_u32;
        for text in specs {
            let spec: TrialSpec = from_json("spec", &text)?;
            if spec.target.is_tradable() && seen.insert(spec_key(&spec)) {
                models = models.saturating_add(combinations(&spec));
            }
        }
        let searched: Vec<i64> = sqlx::query_scalar(
            "SELECT max(tried) FROM optimisations
             WHERE spec_sha256 <> ? AND EXISTS (
                 SELECT 1 FROM json_each(optimisations.symbols) AS own
                 JOIN json_each(?) AS asked ON own.value = asked.value)
             GROUP BY spec_sha256",
        )
        .bind(own)
        .bind(&asked)
        .fetch_all(&self.readers)
        .await?;
        Ok(TriedOn {
            ratios: ratios.into_iter().map(|(_, ratio)| ratio).collect(),
            models,
            searched: u32::try_from(searched.iter().sum::<i64>()).unwrap_or(u32::MAX),
        })
    }
}

#[async_trait]
impl BacktestStore for SqliteStore {
    async fn keep(&self, new: NewBacktest) -> Result<Kept, PortError> {
        let mut tx = self.begin().await?;
        let kept = self
            .write_backtest(&mut tx, new)
            .await
            .map_err(|f| self.port(f))?;
        self.commit_tx(tx).await?;
        Ok(kept)
    }

    async fn backtest(&self, id: &BacktestId) -> Result<Option<BacktestView>, PortError> {
        let text: Option<String> = sqlx::query_scalar("SELECT view FROM backtests WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(&self.readers)
            .await
            .map_err(|e| self.port(e.into()))?;
        text.map(|t| from_json("view", &t).map_err(|f| self.port(f)))
            .transpose()
    }

    async fn backtests(
        &self,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<BacktestSummary>, PortError> {
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT summary FROM backtests WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2",
        )
        .bind(before)
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(|e| self.port(e.into()))?;
        rows.iter()
            .map(|t| from_json("summary", t).map_err(|f| self.port(f)))
            .collect()
    }

    async fn of_key(&self, key: &str) -> Result<Option<(String, BacktestId)>, PortError> {
        let row: Option<(String, String)> =
            sqlx::query_as("SELECT body_sha256, id FROM backtests WHERE key = ?")
                .bind(key)
                .fetch_optional(&self.readers)
                .await
                .map_err(|e| self.port(e.into()))?;
        Ok(row.map(|(body, id)| (body, BacktestId(id))))
    }

    async fn tried_on(&self, symbols: &[String], spec_sha256: &str) -> Result<TriedOn, PortError> {
        self.read_tried(symbols, spec_sha256)
            .await
            .map_err(|f| self.port(f))
    }
}
