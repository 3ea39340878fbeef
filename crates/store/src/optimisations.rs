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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{entry, store};
    use serde_json::json;

    fn new(id: &str, symbol: &str, hash: &str) -> KeptOptimisation {
        let spec = json!({
            "symbols": [{
                "symbol": symbol,
                "dataset": {"id": format!("bundled:{symbol}"), "source": "bundled", "sha256": "00"},
                "first": "2010-01-04", "last": "2012-12-31", "bars": 750
            }],
            "request": {
                "test": {"symbols": [symbol], "strategy": "sma_crossover"},
                "search": [{"name": "fast", "range": {"kind": "integer", "low": 2, "high": 50}}]
            }
        });
        KeptOptimisation {
            id: id.into(),
            created_at: parse_time("2026-01-02T03:04:05Z").unwrap(),
            state: TrialState::Training,
            reason: None,
            spec: serde_json::from_value(spec).unwrap(),
            spec_sha256: hash.to_owned(),
            folds: 2,
            told: Vec::new(),
            windows: Vec::new(),
            result: None,
        }
    }

    fn told(number: usize) -> Told {
        Told {
            number,
            // A number whose digits must all come back.
            point: vec![0.1 + 0.2 * number as f64],
            value: Some(1.0 / 3.0),
        }
    }

    fn window() -> (Window, OptimisationWindow) {
        let done = Window {
            train: 0..20,
            test: 20..22,
            told: vec![told(0), told(1)],
            chosen: Some(told(1).point),
            in_sample: Some(0.1),
            out_of_sample: None,
            in_sample_return: Some(-1e-17),
            out_of_sample_return: None,
            returns: vec![0.1, 1.0 / 7.0],
            trades: 1,
        };
        let shown = json!({
            "train_first": "2010-01-04", "train_last": "2010-02-01",
            "test_first": "2010-02-02", "test_last": "2010-02-03",
            "params": {"fast": 5}, "in_sample": 0.1, "out_of_sample": null,
            "in_sample_return": null, "out_of_sample_return": null,
            "trades": 1, "evaluations": 2, "tried": 2
        });
        (done, serde_json::from_value(shown).unwrap())
    }

    #[tokio::test]
    async fn steps_come_back_bit_by_bit_and_only_in_order() {
        let (_folder, store) = store().await;
        let made = new("o-1", "AAPL", "a");
        store.make_optimisation(&made, entry("o-1")).await.unwrap();
        assert_eq!(
            store.optimisation(&made.id).await.unwrap(),
            Some(made.clone())
        );
        assert_eq!(store.optimisation(&"o-2".into()).await.unwrap(), None);

        let both = [told(0), told(1)];
        store.keep_told(&made.id, 0, &both).await.unwrap();
        let found = store.optimisation(&made.id).await.unwrap().unwrap();
        assert_eq!(found.told, both);
        // Fewer points, or another window: somebody else is further.
        for (number, points) in [(0, &both[..1]), (1, &both[..])] {
            let refused = store.keep_told(&made.id, number, points).await;
            assert!(matches!(refused, Err(PortError::Conflict(_))));
        }

        let first = window();
        store.keep_window(&made.id, 0, &first, 2).await.unwrap();
        let again = store.keep_window(&made.id, 0, &first, 2).await;
        assert!(matches!(again, Err(PortError::Conflict(_))));
        store.keep_window(&made.id, 1, &first, 3).await.unwrap();
        let found = store.optimisation(&made.id).await.unwrap().unwrap();
        assert_eq!(found.windows, [first.clone(), first]);
        assert!(found.told.is_empty());

        let at = made.created_at;
        let end = store.end_optimisation(&made.id, Err("no data"), at, entry("o-1"));
        end.await.unwrap();
        let found = store.optimisation(&made.id).await.unwrap().unwrap();
        assert_eq!(found.state, TrialState::Failed);
        assert_eq!(found.reason.as_deref(), Some("no data"));
        let twice = store.end_optimisation(&made.id, Err("no data"), at, entry("o-1"));
        assert!(matches!(twice.await, Err(PortError::Conflict(_))));
        assert_eq!(store.optimisation_ids(5).await.unwrap(), [made.id]);
    }

    #[tokio::test]
    async fn what_was_searched_is_counted_on_its_symbols() {
        use mltrainer_services::port::BacktestStore as _;
        let (_folder, store) = store().await;
        // The same search twice counts once, the further of the two.
        for (id, symbol, hash, tried) in [
            ("o-1", "AAPL", "a", 40),
            ("o-2", "AAPL", "a", 30),
            ("o-3", "AAPL", "b", 5),
            ("o-4", "IBM", "c", 7),
        ] {
            let made = new(id, symbol, hash);
            store.make_optimisation(&made, entry(id)).await.unwrap();
            store
                .keep_window(&made.id, 0, &window(), tried)
                .await
                .unwrap();
        }
        let aapl = ["AAPL".to_owned()];
        assert_eq!(store.tried_on(&aapl, "").await.unwrap().searched, 45);
        assert_eq!(store.tried_on(&aapl, "a").await.unwrap().searched, 5);
        let both = ["AAPL".to_owned(), "IBM".to_owned()];
        assert_eq!(store.tried_on(&both, "").await.unwrap().searched, 52);
    }
}
