//! Table `optimisations`, and the transactions that write an optimisation with all that belongs to it.

use crate::fault::Fault;
use crate::{
    SqliteStore, Tx, audit, count, from_json, optimisation_events, optimisation_windows,
    parse_time, steered_runs, time_text, to_json,
};
use async_trait::async_trait;
use mltrainer_services::port::{
    Begun, KeptOptimisation, NewOptimisation, OptimisationStore, OptimisationWrite, Ownership,
    PortError, Wish, Written,
};
use mltrainer_types::OptimisationId;
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::event::StateEvent;
use mltrainer_types::optimisation::{
    OptimisationEvent, OptimisationEventBody, OptimisationSpec, OptimisationSummary,
    OptimisationView, OptimisationWindow, WindowCurve,
};
use mltrainer_types::trial::{Progress, TrialState};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};
use std::collections::BTreeMap;

/// The states in which one goes on or waits for its turn.
const ACTIVE: &str = "('queued', 'training', 'evaluating')";

fn state(row: &SqliteRow) -> Result<TrialState, Fault> {
    let word: &str = row.try_get("state")?;
    TrialState::parse(word).ok_or_else(|| Fault::Damaged(format!("state \"{word}\"")))
}

fn progress(row: &SqliteRow) -> Result<Progress, Fault> {
    Ok(Progress {
        done: count("points_done", row.try_get("points_done")?)?,
        total: count("points_total", row.try_get("points_total")?)?,
        eta_seconds: row.try_get("eta_seconds")?,
    })
}

fn view(row: &SqliteRow, windows: Vec<OptimisationWindow>) -> Result<OptimisationView, Fault> {
    let result: Option<&str> = row.try_get("result")?;
    Ok(OptimisationView {
        id: OptimisationId(row.try_get("id")?),
        created_at: parse_time(row.try_get("created_at")?)?,
        updated_at: parse_time(row.try_get("updated_at")?)?,
        state: state(row)?,
        reason: row.try_get("reason")?,
        spec: from_json("spec", row.try_get("spec")?)?,
        folds: count("folds", row.try_get("folds")?)?,
        windows,
        told: count("told_count", row.try_get("told_count")?)?,
        progress: progress(row)?,
        last_event: row.try_get("last_event")?,
        result: result.map(|r| from_json("result", r)).transpose()?,
    })
}

fn summary(row: &SqliteRow) -> Result<OptimisationSummary, Fault> {
    let spec: OptimisationSpec = from_json("spec", row.try_get("spec")?)?;
    let strategy = &spec.request.test.strategy;
    let name = strategy.as_str().or_else(|| strategy["name"].as_str());
    Ok(OptimisationSummary {
        id: OptimisationId(row.try_get("id")?),
        created_at: parse_time(row.try_get("created_at")?)?,
        state: state(row)?,
        strategy: name.unwrap_or_default().to_owned(),
        symbols: spec.symbols.iter().map(|s| s.symbol.clone()).collect(),
        parameters: spec.request.search.iter().map(|p| p.name.clone()).collect(),
        folds: count("folds", row.try_get("folds")?)?,
        windows: count("done", row.try_get("done")?)?,
        progress: progress(row)?,
        found_edge: row.try_get("found_edge")?,
        annual_return: row.try_get("annual_return")?,
        efficiency: row.try_get("efficiency")?,
        probability_of_overfitting: row.try_get("probability_of_overfitting")?,
    })
}

fn unknown(id: &OptimisationId) -> Fault {
    Fault::Port(PortError::Failed(format!("there is no optimisation {id}")))
}

fn conflict(text: String) -> Fault {
    Fault::Port(PortError::Conflict(text))
}

impl SqliteStore {
    async fn begin_optimisation(&self, tx: &mut Tx, new: NewOptimisation) -> Result<Begun, Fault> {
        if let Some(key) = &new.idempotency {
            let made: Option<(String, String)> =
                sqlx::query_as("SELECT body_sha256, id FROM optimisations WHERE key = ?")
                    .bind(&key.key)
                    .fetch_optional(&mut **tx)
                    .await?;
            if let Some((body, id)) = made {
                return Ok(if body == key.body_sha256 {
                    Begun::Repeated(OptimisationId(id))
                } else {
                    Begun::KeyTaken
                });
            }
        }
        let symbols: Vec<&str> = new.spec.symbols.iter().map(|s| s.symbol.as_str()).collect();
        sqlx::query(
            "INSERT INTO optimisations (id, created_at, updated_at, spec_sha256, symbols, state, spec, folds,
                 points_total, last_event, owner, key, body_sha256)
             VALUES (?1, ?2, ?2, ?3, ?4, 'queued', ?5, ?6, ?7, 1, ?8, ?9, ?10)",
        )
        .bind(new.id.as_str())
        .bind(time_text(new.at))
        .bind(&new.spec_sha256)
        .bind(to_json(&symbols)?)
        .bind(to_json(&new.spec)?)
        .bind(new.folds)
        .bind(new.points)
        .bind(&self.owner.name)
        .bind(new.idempotency.as_ref().map(|k| &k.key))
        .bind(new.idempotency.as_ref().map(|k| &k.body_sha256))
        .execute(&mut **tx)
        .await?;
        if let Some(key) = &new.idempotency {
            steered_runs::claim(tx, "optimisation", new.id.as_str(), &key.key).await?;
        }
        let first = OptimisationEventBody::State(StateEvent {
            state: TrialState::Queued,
            reason: None,
            progress: Progress {
                total: new.points,
                ..Progress::default()
            },
        });
        let events = optimisation_events::insert(tx, &new.id, 0, new.at, vec![first]).await?;
        audit::append(tx, &self.signer, new.at, &[new.audit]).await?;
        Ok(Begun::Made(events))
    }

    async fn write_step(
        &self,
        tx: &mut Tx,
        id: &OptimisationId,
        write: OptimisationWrite,
    ) -> Result<Written, Fault> {
        let row = sqlx::query(
            "SELECT state, owner, done, last_event, wish FROM optimisations WHERE id = ?",
        )
        .bind(id.as_str())
        .fetch_optional(&mut **tx)
        .await?
        .ok_or_else(|| unknown(id))?;
        let now = state(&row)?;
        if now.is_final() {
            return Err(conflict(format!(
                "optimisation {id} has ended: it is {}",
                now.as_str()
            )));
        }
        let done: u32 = count("done", row.try_get("done")?)?;
        if row.try_get::<&str, _>("owner")? != self.owner.name || done != write.done {
            return Err(conflict(format!(
                "another process goes on with optimisation {id}"
            )));
        }
        let wish: Option<&str> = row.try_get("wish")?;
        let wish = wish.and_then(Wish::parse);
        let mut told = write.told;
        if let Some(window) = &write.window {
            optimisation_windows::insert(tx, id, done, window).await?;
            told = Some(Vec::new());
        }
        let last: i64 = row.try_get("last_event")?;
        let events = optimisation_events::insert(tx, id, last, write.at, write.events).await?;
        let change = write.state.is_some();
        let (new_state, reason) = match write.state {
            Some(s) => (Some(s.state.as_str()), s.reason),
            None => (None, None),
        };
        sqlx::query(
            "UPDATE optimisations SET
                 state = coalesce(?2, state),
                 reason = CASE WHEN ?3 THEN ?4 ELSE reason END,
                 updated_at = CASE WHEN ?3 THEN ?5 ELSE updated_at END,
                 wish = CASE WHEN ?3 THEN NULL ELSE wish END,
                 done = done + ?6,
                 tried = coalesce(?7, tried),
                 told = coalesce(?8, told),
                 told_count = coalesce(?9, told_count),
                 points_done = coalesce(?10, points_done),
                 points_total = coalesce(?11, points_total),
                 eta_seconds = CASE WHEN ?12 THEN ?13 ELSE eta_seconds END,
                 result = coalesce(?14, result),
                 last_event = ?15
             WHERE id = ?1",
        )
        .bind(id.as_str())
        .bind(new_state)
        .bind(change)
        .bind(reason)
        .bind(time_text(write.at))
        .bind(i64::from(write.window.is_some()))
        .bind(write.tried)
        .bind(told.as_ref().map(to_json).transpose()?)
        .bind(
            told.as_ref()
                .map(|t| u32::try_from(t.len()).unwrap_or(u32::MAX)),
        )
        .bind(write.progress.map(|p| p.done))
        .bind(write.progress.map(|p| p.total))
        .bind(write.progress.is_some())
        .bind(write.progress.and_then(|p| p.eta_seconds))
        .bind(write.result.as_ref().map(to_json).transpose()?)
        .bind(events.last().map_or(last, |e| e.seq))
        .execute(&mut **tx)
        .await?;
        audit::append(tx, &self.signer, write.at, &write.audit).await?;
        Ok(Written { events, wish })
    }

    async fn row(
        conn: &mut SqliteConnection,
        id: &OptimisationId,
    ) -> Result<Option<SqliteRow>, Fault> {
        let row = sqlx::query("SELECT * FROM optimisations WHERE id = ?").bind(id.as_str());
        Ok(row.fetch_optional(conn).await?)
    }

    async fn read_view(&self, id: &OptimisationId) -> Result<Option<OptimisationView>, Fault> {
        // One transaction: windows and row are of the same moment.
        let mut tx = self.readers.begin().await?;
        let Some(row) = Self::row(&mut tx, id).await? else {
            return Ok(None);
        };
        let windows = optimisation_windows::shown(&mut tx, id).await?;
        view(&row, windows).map(Some)
    }

    async fn read_optimisation(
        &self,
        id: &OptimisationId,
    ) -> Result<Option<KeptOptimisation>, Fault> {
        let mut tx = self.readers.begin().await?;
        let Some(row) = Self::row(&mut tx, id).await? else {
            return Ok(None);
        };
        let shown = optimisation_windows::shown(&mut tx, id).await?;
        Ok(Some(KeptOptimisation {
            view: view(&row, shown)?,
            spec_sha256: row.try_get("spec_sha256")?,
            told: from_json("told", row.try_get("told")?)?,
            windows: optimisation_windows::windows(&mut tx, id).await?,
        }))
    }

    async fn read_optimisation_events(
        &self,
        id: &OptimisationId,
        after: i64,
        limit: u32,
    ) -> Result<Option<Vec<OptimisationEvent>>, Fault> {
        let mut conn = self.readers.acquire().await?;
        let events = optimisation_events::after(&mut conn, id, after, limit).await?;
        if events.is_empty() {
            let there: Option<i64> = sqlx::query_scalar("SELECT 1 FROM optimisations WHERE id = ?")
                .bind(id.as_str())
                .fetch_optional(&mut *conn)
                .await?;
            return Ok(there.map(|_| events));
        }
        Ok(Some(events))
    }

    async fn read_optimisations(
        &self,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<OptimisationSummary>, Fault> {
        sqlx::query(
            "SELECT id, created_at, state, spec, folds, done, points_done, points_total, eta_seconds,
                 result ->> '$.found_edge' AS found_edge,
                 CAST(result ->> '$.metrics.annual_return' AS REAL) AS annual_return,
                 CAST(result ->> '$.efficiency' AS REAL) AS efficiency,
                 CAST(result ->> '$.probability_of_overfitting' AS REAL) AS probability_of_overfitting
             FROM optimisations WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2",
        )
        .bind(before)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?
        .iter()
        .map(summary)
        .collect()
    }

    async fn own_optimisation(&self, conn: &mut SqliteConnection, id: &str) -> Result<(), Fault> {
        // A wish was for the owner that died; whoever wished asks again.
        sqlx::query(
            "UPDATE optimisations SET owner = ?1, wish = NULL WHERE id = ?2 AND owner <> ?1",
        )
        .bind(&self.owner.name)
        .bind(id)
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn claim_optimisations(&self, tx: &mut Tx) -> Result<Vec<OptimisationId>, Fault> {
        let rows: Vec<(String, String)> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT id, owner FROM optimisations WHERE state IN {ACTIVE} ORDER BY id"
        )))
        .fetch_all(&mut **tx)
        .await?;
        let mut alive = BTreeMap::new();
        let mut ours = Vec::new();
        for (id, owner) in rows {
            if self.may_own(&owner, &mut alive) {
                self.own_optimisation(tx, &id).await?;
                ours.push(OptimisationId(id));
            }
        }
        Ok(ours)
    }

    async fn adopt_one(&self, tx: &mut Tx, id: &OptimisationId) -> Result<Ownership, Fault> {
        let owner: String = sqlx::query_scalar("SELECT owner FROM optimisations WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(&mut **tx)
            .await?
            .ok_or_else(|| unknown(id))?;
        if !self.may_own(&owner, &mut BTreeMap::new()) {
            return Ok(Ownership::Elsewhere);
        }
        self.own_optimisation(tx, id.as_str()).await?;
        Ok(Ownership::Mine)
    }

    async fn write_wish(
        &self,
        tx: &mut Tx,
        id: &OptimisationId,
        wish: Wish,
        entry: AuditEntry,
    ) -> Result<(), Fault> {
        sqlx::query("UPDATE optimisations SET wish = ? WHERE id = ?")
            .bind(wish.as_str())
            .bind(id.as_str())
            .execute(&mut **tx)
            .await?;
        audit::append(tx, &self.signer, self.clock.now(), &[entry]).await
    }
}

#[async_trait]
impl OptimisationStore for SqliteStore {
    async fn make_optimisation(&self, new: NewOptimisation) -> Result<Begun, PortError> {
        let mut tx = self.begin().await?;
        let made = self.begin_optimisation(&mut tx, new).await;
        let made = made.map_err(|f| self.port(f))?;
        self.commit_tx(tx).await?;
        Ok(made)
    }

    async fn optimisation_of_key(
        &self,
        key: &str,
    ) -> Result<Option<(String, OptimisationId)>, PortError> {
        let found: Result<Option<(String, String)>, _> =
            sqlx::query_as("SELECT body_sha256, id FROM optimisations WHERE key = ?")
                .bind(key)
                .fetch_optional(&self.readers)
                .await;
        let found = found.map_err(|e| self.port(e.into()))?;
        Ok(found.map(|(body, id)| (body, OptimisationId(id))))
    }

    async fn optimisation(
        &self,
        id: &OptimisationId,
    ) -> Result<Option<KeptOptimisation>, PortError> {
        self.read_optimisation(id).await.map_err(|f| self.port(f))
    }

    async fn optimisation_view(
        &self,
        id: &OptimisationId,
    ) -> Result<Option<OptimisationView>, PortError> {
        self.read_view(id).await.map_err(|f| self.port(f))
    }

    async fn optimisation_curves(
        &self,
        id: &OptimisationId,
    ) -> Result<Vec<WindowCurve>, PortError> {
        let mut conn = self
            .readers
            .acquire()
            .await
            .map_err(|e| self.port(e.into()))?;
        let found = optimisation_windows::curves(&mut conn, id).await;
        found.map_err(|f| self.port(f))
    }

    async fn optimisations(
        &self,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<OptimisationSummary>, PortError> {
        let found = self.read_optimisations(before, limit).await;
        found.map_err(|f| self.port(f))
    }

    async fn optimisation_events(
        &self,
        id: &OptimisationId,
        after: i64,
        limit: u32,
    ) -> Result<Option<Vec<OptimisationEvent>>, PortError> {
        let found = self.read_optimisation_events(id, after, limit).await;
        found.map_err(|f| self.port(f))
    }

    async fn write_optimisation(
        &self,
        id: &OptimisationId,
        write: OptimisationWrite,
    ) -> Result<Written, PortError> {
        let mut tx = self.begin().await?;
        let written = self.write_step(&mut tx, id, write).await;
        let written = written.map_err(|f| self.port(f))?;
        self.commit_tx(tx).await?;
        Ok(written)
    }

    async fn unfinished_optimisations(&self) -> Result<Vec<OptimisationId>, PortError> {
        // Nearly always there is none: a read tells.
        let there: Option<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "SELECT 1 FROM optimisations WHERE state IN {ACTIVE} LIMIT 1"
        )))
        .fetch_optional(&self.readers)
        .await
        .map_err(|e| self.port(e.into()))?;
        if there.is_none() {
            return Ok(Vec::new());
        }
        let mut tx = self.begin().await?;
        let ours = self.claim_optimisations(&mut tx).await;
        let ours = ours.map_err(|f| self.port(f))?;
        self.commit_tx(tx).await?;
        Ok(ours)
    }

    async fn adopt_optimisation(&self, id: &OptimisationId) -> Result<Ownership, PortError> {
        let mut tx = self.begin().await?;
        let whose = self.adopt_one(&mut tx, id).await;
        let whose = whose.map_err(|f| self.port(f))?;
        self.commit_tx(tx).await?;
        Ok(whose)
    }

    async fn wished_of_optimisation(&self, id: &OptimisationId) -> Result<Option<Wish>, PortError> {
        let found: Option<Option<String>> =
            sqlx::query_scalar("SELECT wish FROM optimisations WHERE id = ?")
                .bind(id.as_str())
                .fetch_optional(&self.readers)
                .await
                .map_err(|e| self.port(e.into()))?;
        Ok(found.flatten().and_then(|word| Wish::parse(&word)))
    }

    async fn wish_of_optimisation(
        &self,
        id: &OptimisationId,
        wish: Wish,
        audit: AuditEntry,
    ) -> Result<(), PortError> {
        let mut tx = self.begin().await?;
        let wished = self.write_wish(&mut tx, id, wish, audit).await;
        wished.map_err(|f| self.port(f))?;
        self.commit_tx(tx).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{entry, store};
    use mltrainer_services::port::{DoneWindow, Idempotency, StateChange, Told, Window};
    use serde_json::json;

    fn new(id: &str, symbol: &str, hash: &str) -> NewOptimisation {
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
        NewOptimisation {
            id: id.into(),
            at: parse_time("2026-01-02T03:04:05Z").unwrap(),
            spec: serde_json::from_value(spec).unwrap(),
            spec_sha256: hash.to_owned(),
            folds: 2,
            points: 4,
            idempotency: None,
            audit: entry(id),
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

    fn window() -> DoneWindow {
        let shown = json!({
            "train_first": "2010-01-04", "train_last": "2010-02-01",
            "test_first": "2010-02-02", "test_last": "2010-02-03",
            "params": {"fast": 5}, "in_sample": 0.1, "out_of_sample": null,
            "in_sample_return": null, "out_of_sample_return": null,
            "trades": 1, "evaluations": 2, "tried": 2
        });
        DoneWindow {
            window: Window {
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
            },
            shown: serde_json::from_value(shown).unwrap(),
            curve: WindowCurve {
                dates: Vec::new(),
                returns: vec![0.1, 1.0 / 7.0],
                benchmark_returns: vec![0.0, -0.01],
            },
        }
    }

    fn write(done: u32) -> OptimisationWrite {
        OptimisationWrite::new(parse_time("2026-01-02T03:05:00Z").unwrap(), done)
    }

    fn moved(done: u32, state: TrialState) -> OptimisationWrite {
        let event = StateEvent {
            state,
            reason: None,
            progress: Progress::default(),
        };
        OptimisationWrite {
            state: Some(StateChange {
                state,
                reason: None,
            }),
            events: vec![OptimisationEventBody::State(event)],
            audit: vec![entry("o-1")],
            ..write(done)
        }
    }

    #[tokio::test]
    async fn steps_come_back_bit_by_bit_and_only_in_order() {
        let (_folder, store) = store().await;
        let id = OptimisationId::from("o-1");
        let made = store.make_optimisation(new("o-1", "AAPL", "a")).await;
        assert!(matches!(made, Ok(Begun::Made(events)) if events[0].seq == 1));
        let found = store.optimisation(&id).await.unwrap().unwrap();
        assert_eq!(found.view.spec, new("o-1", "AAPL", "a").spec);
        assert_eq!(found.view.state, TrialState::Queued);
        assert_eq!(store.optimisation(&"o-2".into()).await.unwrap(), None);

        let both = vec![told(0), told(1)];
        let step = OptimisationWrite {
            told: Some(both.clone()),
            ..write(0)
        };
        store.write_optimisation(&id, step.clone()).await.unwrap();
        let found = store.optimisation(&id).await.unwrap().unwrap();
        assert_eq!((&found.told, found.view.told), (&both, 2));
        // Who believes another window is done is not the one that goes on with it.
        let ahead = OptimisationWrite { done: 1, ..step };
        let refused = store.write_optimisation(&id, ahead).await;
        assert!(matches!(refused, Err(PortError::Conflict(_))));

        let first = OptimisationWrite {
            window: Some(Box::new(window())),
            ..write(0)
        };
        store.write_optimisation(&id, first.clone()).await.unwrap();
        let again = store.write_optimisation(&id, first.clone()).await;
        assert!(matches!(again, Err(PortError::Conflict(_))));
        let second = OptimisationWrite { done: 1, ..first };
        store.write_optimisation(&id, second).await.unwrap();
        let found = store.optimisation(&id).await.unwrap().unwrap();
        assert_eq!(found.windows, [window().window, window().window]);
        assert_eq!(found.view.windows, [window().shown, window().shown]);
        assert!(found.told.is_empty());
        let curves = store.optimisation_curves(&id).await.unwrap();
        assert_eq!(curves, [window().curve, window().curve]);
        let view = store.optimisation_view(&id).await.unwrap().unwrap();
        assert_eq!(view, found.view);

        let end = moved(2, TrialState::Cancelled);
        let written = store.write_optimisation(&id, end.clone()).await.unwrap();
        assert_eq!(written.events[0].seq, 2);
        let twice = store.write_optimisation(&id, end).await;
        assert!(matches!(twice, Err(PortError::Conflict(_))));
        let list = store.optimisations(None, 5).await.unwrap();
        assert_eq!(list.len(), 1);
        assert_eq!((list[0].windows, list[0].found_edge), (2, None));
        assert_eq!(list[0].strategy, "sma_crossover");
        assert!(
            store
                .optimisations(Some("o-1"), 5)
                .await
                .unwrap()
                .is_empty()
        );
        let events = store.optimisation_events(&id, 0, 9).await.unwrap().unwrap();
        assert_eq!(events.iter().map(|e| e.seq).collect::<Vec<_>>(), [1, 2]);
        let none = store.optimisation_events(&"o-2".into(), 0, 9).await;
        assert_eq!(none.unwrap(), None);
    }

    #[tokio::test]
    async fn a_wish_is_heard_with_the_next_step_and_granted_by_a_change_of_state() {
        let (_folder, store) = store().await;
        let id = OptimisationId::from("o-1");
        store
            .make_optimisation(new("o-1", "AAPL", "a"))
            .await
            .unwrap();
        assert_eq!(
            store.unfinished_optimisations().await.unwrap(),
            std::slice::from_ref(&id)
        );
        let wished = store.wish_of_optimisation(&id, Wish::Pause, entry("o-1"));
        wished.await.unwrap();
        let heard = store.write_optimisation(&id, write(0)).await.unwrap();
        assert_eq!(heard.wish, Some(Wish::Pause));
        let paused = moved(0, TrialState::Paused);
        store.write_optimisation(&id, paused).await.unwrap();
        assert_eq!(store.wished_of_optimisation(&id).await.unwrap(), None);
        // What is paused waits for somebody.
        assert!(store.unfinished_optimisations().await.unwrap().is_empty());
        assert_eq!(
            store.adopt_optimisation(&id).await.unwrap(),
            Ownership::Mine
        );
    }

    #[tokio::test]
    async fn a_key_makes_one_optimisation() {
        let (_folder, store) = store().await;
        let with = |id: &str, body: &str| NewOptimisation {
            idempotency: Some(Idempotency {
                key: "k".to_owned(),
                body_sha256: body.to_owned(),
            }),
            ..new(id, "AAPL", "a")
        };
        store.make_optimisation(with("o-1", "x")).await.unwrap();
        let again = store.make_optimisation(with("o-2", "x")).await.unwrap();
        assert_eq!(again, Begun::Repeated("o-1".into()));
        let other = store.make_optimisation(with("o-3", "y")).await.unwrap();
        assert_eq!(other, Begun::KeyTaken);
        let found = store.optimisation_of_key("k").await.unwrap();
        assert_eq!(found, Some(("x".to_owned(), "o-1".into())));
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
            store
                .make_optimisation(new(id, symbol, hash))
                .await
                .unwrap();
            let done = OptimisationWrite {
                window: Some(Box::new(window())),
                tried: Some(tried),
                ..write(0)
            };
            store.write_optimisation(&id.into(), done).await.unwrap();
        }
        let aapl = ["AAPL".to_owned()];
        assert_eq!(store.tried_on(&aapl, "").await.unwrap().searched, 45);
        assert_eq!(store.tried_on(&aapl, "a").await.unwrap().searched, 5);
        let both = ["AAPL".to_owned(), "IBM".to_owned()];
        assert_eq!(store.tried_on(&both, "").await.unwrap().searched, 52);
    }
}
