//! Tables `coach_trust`, `interventions`, `recipes` and `guidance_requests`.

use crate::fault::Fault;
use crate::{SqliteStore, Tx, action_keys, audit, from_json, parse_time, time_text, to_json};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mltrainer_services::port::{CoachStore, Idempotency, PortError};
use mltrainer_types::TrialId;
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::coach::{
    CoachView, Effect, GuidanceRequest, Intervention, InterventionState, Recipe, TrustStep,
};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeMap;

fn step(row: &SqliteRow) -> Result<(String, TrustStep), Fault> {
    let trust: i64 = row.try_get("trust")?;
    Ok((
        row.try_get("coach")?,
        TrustStep {
            at: parse_time(row.try_get("at")?)?,
            // The table holds 1 to 10 only.
            trust: u8::try_from(trust).unwrap_or(1),
            reason: row.try_get("reason")?,
            intervention: row.try_get("intervention")?,
        },
    ))
}

fn request(row: &SqliteRow) -> Result<GuidanceRequest, Fault> {
    let lapsed: Option<&str> = row.try_get("lapsed_at")?;
    Ok(GuidanceRequest {
        id: row.try_get("id")?,
        at: parse_time(row.try_get("at")?)?,
        trial: TrialId(row.try_get("trial")?),
        kind: row.try_get("kind")?,
        sentence: row.try_get("sentence")?,
        evidence: from_json("evidence", row.try_get("evidence")?)?,
        deadline: parse_time(row.try_get("deadline")?)?,
        answered_by: row.try_get("answered_by")?,
        lapsed_at: lapsed.map(parse_time).transpose()?,
    })
}

impl SqliteStore {
    async fn read_coaches(&self) -> Result<Vec<CoachView>, Fault> {
        let rows = sqlx::query("SELECT * FROM coach_trust ORDER BY id")
            .fetch_all(&self.readers)
            .await?;
        let counts = sqlx::query("SELECT coach, count(*) AS n FROM interventions GROUP BY coach")
            .fetch_all(&self.readers)
            .await?;
        let mut done: BTreeMap<String, u32> = BTreeMap::new();
        for row in &counts {
            done.insert(row.try_get("coach")?, row.try_get("n")?);
        }
        let mut all: BTreeMap<String, Vec<TrustStep>> = BTreeMap::new();
        for row in &rows {
            let (coach, step) = step(row)?;
            all.entry(coach).or_default().push(step);
        }
        Ok(all
            .into_iter()
            .map(|(name, history)| CoachView {
                trust: history.last().map_or(1, |s| s.trust),
                interventions: done.get(&name).copied().unwrap_or_default(),
                history,
                name,
            })
            .collect())
    }

    async fn write_trust(
        &self,
        tx: &mut Tx,
        coach: &str,
        step: &TrustStep,
        entry: AuditEntry,
    ) -> Result<(), Fault> {
        sqlx::query(
            "INSERT INTO coach_trust (coach, at, trust, reason, intervention) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(coach)
        .bind(time_text(step.at))
        .bind(i64::from(step.trust))
        .bind(&step.reason)
        .bind(&step.intervention)
        .execute(&mut **tx)
        .await?;
        audit::append(tx, &self.signer, step.at, &[entry]).await
    }

    async fn write_intervention(
        &self,
        tx: &mut Tx,
        made: &Intervention,
        recipe: Option<&Recipe>,
        key: Option<&Idempotency>,
        entry: AuditEntry,
    ) -> Result<(), Fault> {
        sqlx::query("INSERT INTO interventions (id, coach, state, body) VALUES (?, ?, ?, ?)")
            .bind(&made.id)
            .bind(&made.coach)
            .bind(made.state.as_str())
            .bind(to_json(made)?)
            .execute(&mut **tx)
            .await?;
        if let Some(recipe) = recipe {
            sqlx::query(
                "INSERT INTO recipes (name, at, body) VALUES (?, ?, ?)
                 ON CONFLICT (name) DO UPDATE SET at = excluded.at, body = excluded.body",
            )
            .bind(&recipe.name)
            .bind(time_text(recipe.at))
            .bind(to_json(recipe)?)
            .execute(&mut **tx)
            .await?;
        }
        if let Some(trial) = &made.control {
            sqlx::query(
                "UPDATE guidance_requests SET answered_by = ?
                 WHERE trial = ? AND answered_by IS NULL AND deadline > ?",
            )
            .bind(&made.id)
            .bind(trial.as_str())
            .bind(time_text(made.at))
            .execute(&mut **tx)
            .await?;
        }
        action_keys::insert(tx, key, &made.id).await?;
        audit::append(tx, &self.signer, made.at, &[entry]).await
    }

    async fn write_conclusion(
        &self,
        tx: &mut Tx,
        id: &str,
        state: InterventionState,
        effect: Option<&Effect>,
        key: Option<&Idempotency>,
        entry: AuditEntry,
    ) -> Result<(), Fault> {
        let row = sqlx::query("SELECT body FROM interventions WHERE id = ?")
            .bind(id)
            .fetch_one(&mut **tx)
            .await?;
        let mut made: Intervention = from_json("intervention", row.try_get("body")?)?;
        made.state = state;
        made.effect = effect.cloned();
        sqlx::query("UPDATE interventions SET state = ?, body = ? WHERE id = ?")
            .bind(state.as_str())
            .bind(to_json(&made)?)
            .bind(id)
            .execute(&mut **tx)
            .await?;
        action_keys::insert(tx, key, id).await?;
        audit::append(tx, &self.signer, self.clock.now(), &[entry]).await
    }

    async fn read_bodies<T: serde::de::DeserializeOwned>(
        &self,
        what: &'static str,
        sql: &'static str,
        limit: u32,
    ) -> Result<Vec<T>, Fault> {
        let rows = sqlx::query(sql)
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| from_json(what, row.try_get("body")?))
            .collect()
    }

    async fn write_lapse(
        &self,
        tx: &mut Tx,
        id: i64,
        at: DateTime<Utc>,
        entry: AuditEntry,
    ) -> Result<bool, Fault> {
        let done = sqlx::query(
            "UPDATE guidance_requests SET lapsed_at = ?
             WHERE id = ? AND answered_by IS NULL AND lapsed_at IS NULL",
        )
        .bind(time_text(at))
        .bind(id)
        .execute(&mut **tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        audit::append(tx, &self.signer, at, &[entry]).await?;
        Ok(true)
    }

    async fn write_request(
        &self,
        tx: &mut Tx,
        asked: &GuidanceRequest,
        entry: AuditEntry,
    ) -> Result<Option<GuidanceRequest>, Fault> {
        let row = sqlx::query(
            "INSERT INTO guidance_requests (at, trial, kind, sentence, evidence, deadline) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (trial, kind) DO NOTHING RETURNING *",
        )
        .bind(time_text(asked.at))
        .bind(asked.trial.as_str())
        .bind(&asked.kind)
        .bind(&asked.sentence)
        .bind(to_json(&asked.evidence)?)
        .bind(time_text(asked.deadline))
        .fetch_optional(&mut **tx)
        .await?;
        let Some(row) = row else { return Ok(None) };
        audit::append(tx, &self.signer, asked.at, &[entry]).await?;
        request(&row).map(Some)
    }
}

#[async_trait]
impl CoachStore for SqliteStore {
    async fn coaches(&self) -> Result<Vec<CoachView>, PortError> {
        self.read_coaches().await.map_err(|f| self.port(f))
    }

    async fn trust(
        &self,
        coach: &str,
        step: &TrustStep,
        audit: AuditEntry,
    ) -> Result<(), PortError> {
        let mut tx = self.begin().await?;
        let done = self.write_trust(&mut tx, coach, step, audit).await;
        done.map_err(|f| self.port(f))?;
        self.commit_tx(tx).await
    }

    async fn intervene(
        &self,
        made: &Intervention,
        recipe: Option<&Recipe>,
        key: Option<&Idempotency>,
        audit: AuditEntry,
    ) -> Result<(), PortError> {
        let mut tx = self.begin().await?;
        let done = self
            .write_intervention(&mut tx, made, recipe, key, audit)
            .await;
        done.map_err(|f| self.port(f))?;
        self.commit_tx(tx).await
    }

    async fn interventions(&self, limit: u32) -> Result<Vec<Intervention>, PortError> {
        self.read_bodies(
            "intervention",
            "SELECT body FROM interventions ORDER BY id DESC LIMIT ?",
            limit,
        )
        .await
        .map_err(|f| self.port(f))
    }

    async fn conclude(
        &self,
        id: &str,
        state: InterventionState,
        effect: Option<&Effect>,
        key: Option<&Idempotency>,
        audit: AuditEntry,
    ) -> Result<(), PortError> {
        let mut tx = self.begin().await?;
        let done = self
            .write_conclusion(&mut tx, id, state, effect, key, audit)
            .await;
        done.map_err(|f| self.port(f))?;
        self.commit_tx(tx).await
    }

    async fn recipes(&self) -> Result<Vec<Recipe>, PortError> {
        self.read_bodies(
            "recipe",
            "SELECT body FROM recipes ORDER BY at DESC LIMIT ?",
            1_000,
        )
        .await
        .map_err(|f| self.port(f))
    }

    async fn ask_guidance(
        &self,
        request: GuidanceRequest,
        audit: AuditEntry,
    ) -> Result<Option<GuidanceRequest>, PortError> {
        let mut tx = self.begin().await?;
        let done = self.write_request(&mut tx, &request, audit).await;
        let asked = done.map_err(|f| self.port(f))?;
        self.commit_tx(tx).await?;
        Ok(asked)
    }

    async fn guidance(&self, limit: u32) -> Result<Vec<GuidanceRequest>, PortError> {
        let rows = sqlx::query("SELECT * FROM guidance_requests ORDER BY id DESC LIMIT ?")
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(|e| self.port(e.into()))?;
        rows.iter()
            .map(|row| request(row).map_err(|f| self.port(f)))
            .collect()
    }

    async fn put_guidance(&self, id: i64, at: DateTime<Utc>) -> Result<bool, PortError> {
        let mut tx = self.begin().await?;
        let done =
            sqlx::query("UPDATE guidance_requests SET put_at = ? WHERE id = ? AND put_at IS NULL")
                .bind(time_text(at))
                .bind(id)
                .execute(&mut *tx)
                .await
                .map_err(|e| self.port(e.into()))?;
        self.commit_tx(tx).await?;
        Ok(done.rows_affected() > 0)
    }

    async fn lapse_guidance(
        &self,
        id: i64,
        at: DateTime<Utc>,
        audit: AuditEntry,
    ) -> Result<bool, PortError> {
        let mut tx = self.begin().await?;
        let done = self.write_lapse(&mut tx, id, at, audit).await;
        let lapsed = done.map_err(|f| self.port(f))?;
        self.commit_tx(tx).await?;
        Ok(lapsed)
    }
}
