//! Table `optimisations`.

use crate::fault::Fault;
use crate::{SqliteStore, audit, from_json, parse_time, time_text, to_json};
use async_trait::async_trait;
use mltrainer_services::port::{KeptOptimisation, OptimisationStore, PortError, Told, Window};
use mltrainer_types::OptimisationId;
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::optimisation::{OptimisationResult, OptimisationWindow};
use mltrainer_types::trial::TrialState;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

fn kept(row: &SqliteRow) -> Result<KeptOptimisation, Fault> {
    let id: String = row.try_get("id")?;
    let state: &str = row.try_get("state")?;
    let folds: i64 = row.try_get("folds")?;
    let result: Option<&str> = row.try_get("result")?;
    Ok(KeptOptimisation {
        id: OptimisationId(id),
        created_at: parse_time(row.try_get("created_at")?)?,
        state: TrialState::parse(state)
            .ok_or_else(|| Fault::Damaged(format!("state \"{state}\"")))?,
        reason: row.try_get("reason")?,
        spec: from_json("spec", row.try_get("spec")?)?,
        spec_sha256: row.try_get("spec_sha256")?,
        folds: u32::try_from(folds).map_err(|e| Fault::Damaged(format!("folds {folds}: {e}")))?,
        told: from_json("told", row.try_get("told")?)?,
        windows: from_json("windows", row.try_get("windows")?)?,
        result: result.map(|r| from_json("result", r)).transpose()?,
    })
}

/// One row, or somebody else was there.
fn one(rows: u64, id: &OptimisationId) -> Result<(), Fault> {
    if rows == 1 {
        return Ok(());
    }
    Err(Fault::Port(PortError::Conflict(format!(
        "optimisation {id} has ended, or another process goes on with it"
    ))))
}

impl SqliteStore {
    async fn write_optimisation(
        &self,
        new: &KeptOptimisation,
        entry: AuditEntry,
    ) -> Result<(), Fault> {
        let symbols: Vec<&str> = new.spec.symbols.iter().map(|s| s.symbol.as_str()).collect();
        let mut tx = self.begin().await.map_err(Fault::Port)?;
        sqlx::query(
            "INSERT INTO optimisations (id, created_at, spec_sha256, symbols, state, spec, folds)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(new.id.as_str())
        .bind(time_text(new.created_at))
        .bind(&new.spec_sha256)
        .bind(to_json(&symbols)?)
        .bind(new.state.as_str())
        .bind(to_json(&new.spec)?)
        .bind(i64::from(new.folds))
        .execute(&mut *tx)
        .await?;
        audit::append(&mut tx, &self.signer, new.created_at, &[entry]).await?;
        self.commit_tx(tx).await.map_err(Fault::Port)
    }

    async fn write_told(
        &self,
        id: &OptimisationId,
        number: u32,
        told: &[Told],
    ) -> Result<(), Fault> {
        let mut tx = self.begin().await.map_err(Fault::Port)?;
        let done = sqlx::query(
            "UPDATE optimisations SET told = ?1
             WHERE id = ?2 AND state = 'training' AND json_array_length(windows) = ?3
               AND json_array_length(told) <= ?4",
        )
        .bind(to_json(&told)?)
        .bind(id.as_str())
        .bind(i64::from(number))
        .bind(i64::try_from(told.len()).unwrap_or(i64::MAX))
        .execute(&mut *tx)
        .await?;
        one(done.rows_affected(), id)?;
        self.commit_tx(tx).await.map_err(Fault::Port)
    }

    async fn write_window(
        &self,
        id: &OptimisationId,
        number: u32,
        window: &(Window, OptimisationWindow),
        tried: u32,
    ) -> Result<(), Fault> {
        let mut tx = self.begin().await.map_err(Fault::Port)?;
        let done = sqlx::query(
            "UPDATE optimisations
             SET windows = json_insert(windows, '$[#]', json(?1)), told = '[]', tried = ?2
             WHERE id = ?3 AND state = 'training' AND json_array_length(windows) = ?4",
        )
        .bind(to_json(window)?)
        .bind(i64::from(tried))
        .bind(id.as_str())
        .bind(i64::from(number))
        .execute(&mut *tx)
        .await?;
        one(done.rows_affected(), id)?;
        self.commit_tx(tx).await.map_err(Fault::Port)
    }

    async fn write_end(
        &self,
        id: &OptimisationId,
        end: Result<&OptimisationResult, &str>,
        at: chrono::DateTime<chrono::Utc>,
        entry: AuditEntry,
    ) -> Result<(), Fault> {
        let state = match end {
            Ok(_) => TrialState::Finished,
            Err(_) => TrialState::Failed,
        };
        let mut tx = self.begin().await.map_err(Fault::Port)?;
        let done = sqlx::query(
            "UPDATE optimisations SET state = ?, ended_at = ?, reason = ?, result = ?
             WHERE id = ? AND state = 'training'",
        )
        .bind(state.as_str())
        .bind(time_text(at))
        .bind(end.err())
        .bind(end.ok().map(to_json).transpose()?)
        .bind(id.as_str())
        .execute(&mut *tx)
        .await?;
        one(done.rows_affected(), id)?;
        audit::append(&mut tx, &self.signer, at, &[entry]).await?;
        self.commit_tx(tx).await.map_err(Fault::Port)
    }

    async fn read_optimisation(
        &self,
        id: &OptimisationId,
    ) -> Result<Option<KeptOptimisation>, Fault> {
        let row = sqlx::query("SELECT * FROM optimisations WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(kept).transpose()
    }
}

#[async_trait]
impl OptimisationStore for SqliteStore {
    async fn make_optimisation(
        &self,
        new: &KeptOptimisation,
        audit: AuditEntry,
    ) -> Result<(), PortError> {
        self.write_optimisation(new, audit)
            .await
            .map_err(|f| self.port(f))
    }

    async fn optimisation(
        &self,
        id: &OptimisationId,
    ) -> Result<Option<KeptOptimisation>, PortError> {
        self.read_optimisation(id).await.map_err(|f| self.port(f))
    }

    async fn optimisation_ids(&self, limit: u32) -> Result<Vec<OptimisationId>, PortError> {
        let ids: Vec<String> =
            sqlx::query_scalar("SELECT id FROM optimisations ORDER BY id DESC LIMIT ?")
                .bind(limit)
                .fetch_all(&self.readers)
                .await
                .map_err(|e| self.port(e.into()))?;
        Ok(ids.into_iter().map(OptimisationId).collect())
    }

    async fn keep_told(
        &self,
        id: &OptimisationId,
        number: u32,
        told: &[Told],
    ) -> Result<(), PortError> {
        self.write_told(id, number, told)
            .await
            .map_err(|f| self.port(f))
    }

    async fn keep_window(
        &self,
        id: &OptimisationId,
        number: u32,
        window: &(Window, OptimisationWindow),
        tried: u32,
    ) -> Result<(), PortError> {
        self.write_window(id, number, window, tried)
            .await
            .map_err(|f| self.port(f))
    }

    async fn end_optimisation(
        &self,
        id: &OptimisationId,
        end: Result<&OptimisationResult, &str>,
        at: chrono::DateTime<chrono::Utc>,
        audit: AuditEntry,
    ) -> Result<(), PortError> {
        self.write_end(id, end, at, audit)
            .await
            .map_err(|f| self.port(f))
    }
}
