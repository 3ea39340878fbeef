//! Table `trials`, and the transactions that write a trial with all that belongs to it.

use crate::fault::Fault;
use crate::{
    SqliteStore, Tx, audit, count, from_json, idempotency_keys, parse_time, steered_runs,
    time_text, to_json, trial_events, trial_steps,
};
use async_trait::async_trait;
use mltrainer_services::port::{
    Creation, NewTrial, Ownership, PortError, TrialPort, TrialStore, Wish,
};
use mltrainer_trials::port::{StepRecord, TrialRecord, TrialWrite, first_event};
use mltrainer_trials::spec::{combinations, spec_key};
use mltrainer_types::TrialId;
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::event::TrialEvent;
use mltrainer_types::trial::{Progress, TrialSpec, TrialState, TrialSummary, TrialView, Verdict};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};
use std::collections::{BTreeMap, BTreeSet};

/// The states in which a trial runs or waits for a worker.
const ACTIVE: &str = "('queued', 'checking', 'fetching', 'engineering', 'training', 'evaluating')";

fn state(row: &SqliteRow) -> Result<TrialState, Fault> {
    let word: &str = row.try_get("state")?;
    TrialState::parse(word).ok_or_else(|| Fault::Damaged(format!("state \"{word}\"")))
}

fn progress(row: &SqliteRow) -> Result<Progress, Fault> {
    Ok(Progress {
        done: count("steps_done", row.try_get("steps_done")?)?,
        total: count("steps_total", row.try_get("steps_total")?)?,
        eta_seconds: row.try_get("eta_seconds")?,
    })
}

fn verdict(row: &SqliteRow) -> Result<Option<Verdict>, Fault> {
    row.try_get::<Option<&str>, _>("verdict")?
        .map(|v| from_json("verdict", v))
        .transpose()
}

fn view(row: &SqliteRow) -> Result<TrialView, Fault> {
    Ok(TrialView {
        id: TrialId(row.try_get("id")?),
        state: state(row)?,
        reason: row.try_get("reason")?,
        spec: from_json("spec", row.try_get("spec")?)?,
        created_at: parse_time(row.try_get("created_at")?)?,
        updated_at: parse_time(row.try_get("updated_at")?)?,
        progress: progress(row)?,
        leaderboard: from_json("leaderboard", row.try_get("leaderboard")?)?,
        verdict: verdict(row)?,
        lineage: from_json("lineage", row.try_get("lineage")?)?,
        result_sha256: row.try_get("result_sha256")?,
        last_event: row.try_get("last_event")?,
    })
}

fn summary(row: &SqliteRow) -> Result<TrialSummary, Fault> {
    let spec: TrialSpec = from_json("spec", row.try_get("spec")?)?;
    Ok(TrialSummary {
        id: TrialId(row.try_get("id")?),
        state: state(row)?,
        models: u32::try_from(spec.models.len()).unwrap_or(u32::MAX),
        symbols: spec.symbols,
        target: spec.target,
        horizons: spec.horizons,
        progress: progress(row)?,
        found_edge: verdict(row)?.map(|v| v.found_edge),
        created_at: parse_time(row.try_get("created_at")?)?,
    })
}

fn unknown(id: &TrialId) -> Fault {
    Fault::Port(PortError::Failed(format!("there is no trial {id}")))
}

impl SqliteStore {
    async fn write_trial(
        &self,
        tx: &mut Tx,
        id: &TrialId,
        write: TrialWrite,
    ) -> Result<Vec<TrialEvent>, Fault> {
        let row = sqlx::query("SELECT state, owner, last_event FROM trials WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(&mut **tx)
            .await?
            .ok_or_else(|| unknown(id))?;
        let now = state(&row)?;
        if now.is_final() {
            return Err(Fault::Port(PortError::Conflict(format!(
                "trial {id} has ended: it is {}",
                now.as_str()
            ))));
        }
        if row.try_get::<&str, _>("owner")? != self.owner.name {
            return Err(Fault::Port(PortError::Conflict(format!(
                "another process runs trial {id}"
            ))));
        }
        if let Some(step) = &write.step {
            trial_steps::insert(tx, id, step).await?;
        }
        let last: i64 = row.try_get("last_event")?;
        let events = trial_events::insert(tx, id, last, write.at, write.events).await?;
        let (leaderboard, lineage, verdict, result) = match write.result {
            Some(r) => (
                Some(r.leaderboard),
                Some(r.lineage),
                Some(r.verdict),
                Some(r.result_sha256),
            ),
            None => (write.leaderboard, write.lineage, None, None),
        };
        let change = write.state.is_some();
        let (new_state, reason) = match write.state {
            Some(s) => (Some(s.state.as_str()), s.reason),
            None => (None, None),
        };
        sqlx::query(
            "UPDATE trials SET
                 state = coalesce(?2, state),
                 reason = CASE WHEN ?3 THEN ?4 ELSE reason END,
                 updated_at = CASE WHEN ?3 THEN ?5 ELSE updated_at END,
                 steps_done = coalesce(?6, steps_done),
                 steps_total = coalesce(?7, steps_total),
                 eta_seconds = CASE WHEN ?8 THEN ?9 ELSE eta_seconds END,
                 leaderboard = coalesce(?10, leaderboard),
                 verdict = coalesce(?11, verdict),
                 lineage = coalesce(?12, lineage),
                 result_sha256 = coalesce(?13, result_sha256),
                 last_event = ?14
             WHERE id = ?1",
        )
        .bind(id.as_str())
        .bind(new_state)
        .bind(change)
        .bind(reason)
        .bind(time_text(write.at))
        .bind(write.progress.map(|p| p.done))
        .bind(write.progress.map(|p| p.total))
        .bind(write.progress.is_some())
        .bind(write.progress.and_then(|p| p.eta_seconds))
        .bind(leaderboard.map(|l| to_json(&l)).transpose()?)
        .bind(verdict.map(|v| to_json(&v)).transpose()?)
        .bind(lineage.map(|l| to_json(&l)).transpose()?)
        .bind(result)
        .bind(events.last().map_or(last, |e| e.seq))
        .execute(&mut **tx)
        .await?;
        audit::append(tx, &self.signer, write.at, &write.audit).await?;
        Ok(events)
    }

    async fn create_trial(&self, tx: &mut Tx, trial: NewTrial) -> Result<Creation, Fault> {
        if let Some(key) = &trial.idempotency
            && let Some((body, made)) = idempotency_keys::find(tx, &key.key).await?
        {
            return Ok(if body == key.body_sha256 {
                Creation::Repeated(made)
            } else {
                Creation::KeyTaken
            });
        }
        sqlx::query(
            "INSERT INTO trials (id, state, spec, target, created_at, updated_at, lineage, owner, last_event)
             VALUES (?, 'queued', ?, ?, ?, ?, ?, ?, 1)",
        )
        .bind(trial.id.as_str())
        .bind(to_json(&trial.spec)?)
        .bind(trial.spec.target.as_str())
        .bind(time_text(trial.at))
        .bind(time_text(trial.at))
        .bind(to_json(&trial.lineage)?)
        .bind(&self.owner.name)
        .execute(&mut **tx)
        .await?;
        if let Some(key) = &trial.idempotency {
            idempotency_keys::insert(tx, key, &trial.id, trial.at).await?;
            steered_runs::claim(tx, "trial", trial.id.as_str(), &key.key).await?;
        }
        let events = trial_events::insert(tx, &trial.id, 0, trial.at, vec![first_event()]).await?;
        audit::append(tx, &self.signer, trial.at, &[trial.audit]).await?;
        Ok(Creation::Made(events))
    }

    /// Whether what belongs to that owner is this process's business.
    pub(crate) fn may_own(&self, owner: &str, alive: &mut BTreeMap<String, bool>) -> bool {
        owner == self.owner.name
            || !*alive
                .entry(owner.to_owned())
                .or_insert_with(|| self.registry.is_alive(owner))
    }

    async fn take_over(&self, conn: &mut SqliteConnection, id: &str) -> Result<(), Fault> {
        // A wish was for the owner that died; whoever wished asks again.
        sqlx::query("UPDATE trials SET owner = ?1, wish = NULL WHERE id = ?2 AND owner <> ?1")
            .bind(&self.owner.name)
            .bind(id)
            .execute(conn)
            .await?;
        Ok(())
    }

    async fn claim_unfinished(&self, tx: &mut Tx) -> Result<Vec<TrialId>, Fault> {
        let rows: Vec<(String, String)> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT id, owner FROM trials WHERE state IN {ACTIVE} ORDER BY id"
        )))
        .fetch_all(&mut **tx)
        .await?;
        let mut alive = BTreeMap::new();
        let mut ours = Vec::new();
        for (id, owner) in rows {
            if self.may_own(&owner, &mut alive) {
                self.take_over(tx, &id).await?;
                ours.push(TrialId(id));
            }
        }
        Ok(ours)
    }

    async fn adopt_trial(&self, tx: &mut Tx, id: &TrialId) -> Result<Ownership, Fault> {
        let owner: String = sqlx::query_scalar("SELECT owner FROM trials WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(&mut **tx)
            .await?
            .ok_or_else(|| unknown(id))?;
        if !self.may_own(&owner, &mut BTreeMap::new()) {
            return Ok(Ownership::Elsewhere);
        }
        self.take_over(tx, id.as_str()).await?;
        Ok(Ownership::Mine)
    }

    async fn read<T>(&self, rows: Result<T, sqlx::Error>) -> Result<T, PortError> {
        rows.map_err(|e| self.port(e.into()))
    }
}

#[async_trait]
impl TrialPort for SqliteStore {
    async fn trial(&self, id: &TrialId) -> Result<Option<TrialRecord>, PortError> {
        let row = sqlx::query("SELECT * FROM trials WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(&self.readers)
            .await;
        self.read(row)
            .await?
            .map(|row| view(&row).map_err(|f| self.port(f)))
            .transpose()
    }

    async fn steps(&self, id: &TrialId) -> Result<Vec<StepRecord>, PortError> {
        let mut conn = self.read(self.readers.acquire().await).await?;
        trial_steps::of_trial(&mut conn, id)
            .await
            .map_err(|f| self.port(f))
    }

    async fn commit(&self, id: &TrialId, write: TrialWrite) -> Result<Vec<TrialEvent>, PortError> {
        let mut tx = self.begin().await?;
        let events = self
            .write_trial(&mut tx, id, write)
            .await
            .map_err(|f| self.port(f))?;
        self.commit_tx(tx).await?;
        Ok(events)
    }

    async fn unfinished(&self) -> Result<Vec<TrialId>, PortError> {
        let mut tx = self.begin().await?;
        let ours = self
            .claim_unfinished(&mut tx)
            .await
            .map_err(|f| self.port(f))?;
        self.commit_tx(tx).await?;
        Ok(ours)
    }

    async fn tried(&self, spec: &TrialSpec) -> Result<u32, PortError> {
        let specs: Vec<String> = self
            .read(
                sqlx::query_scalar(
                    "SELECT DISTINCT spec FROM trials
                     WHERE target = ? AND EXISTS (
                         SELECT 1 FROM json_each(spec, '$.symbols') AS own
                         JOIN json_each(?) AS asked ON own.value = asked.value)",
                )
                .bind(spec.target.as_str())
                .bind(to_json(&spec.symbols).map_err(|f| self.port(f))?)
                .fetch_all(&self.readers)
                .await,
            )
            .await?;
        let mut seen = BTreeSet::from([spec_key(spec)]);
        let mut tried = combinations(spec);
        for text in specs {
            let other: TrialSpec = from_json("spec", &text).map_err(|f| self.port(f))?;
            if seen.insert(spec_key(&other)) {
                tried = tried.saturating_add(combinations(&other));
            }
        }
        Ok(tried)
    }
}

#[async_trait]
impl TrialStore for SqliteStore {
    async fn create(&self, trial: NewTrial) -> Result<Creation, PortError> {
        let mut tx = self.begin().await?;
        let made = self
            .create_trial(&mut tx, trial)
            .await
            .map_err(|f| self.port(f))?;
        self.commit_tx(tx).await?;
        Ok(made)
    }

    async fn list(&self, before: Option<&str>, limit: u32) -> Result<Vec<TrialSummary>, PortError> {
        let rows = sqlx::query(
            "SELECT id, state, spec, created_at, steps_done, steps_total, eta_seconds, verdict
             FROM trials WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2",
        )
        .bind(before)
        .bind(limit)
        .fetch_all(&self.readers)
        .await;
        self.read(rows)
            .await?
            .iter()
            .map(|row| summary(row).map_err(|f| self.port(f)))
            .collect()
    }

    async fn events(
        &self,
        id: &TrialId,
        after: i64,
        limit: u32,
    ) -> Result<Option<Vec<TrialEvent>>, PortError> {
        let mut conn = self.read(self.readers.acquire().await).await?;
        let events = trial_events::after(&mut conn, id, after, limit)
            .await
            .map_err(|f| self.port(f))?;
        if events.is_empty() {
            let there: Option<i64> = self
                .read(
                    sqlx::query_scalar("SELECT 1 FROM trials WHERE id = ?")
                        .bind(id.as_str())
                        .fetch_optional(&mut *conn)
                        .await,
                )
                .await?;
            return Ok(there.map(|_| events));
        }
        Ok(Some(events))
    }

    async fn running(&self) -> Result<u32, PortError> {
        let n: i64 = self
            .read(
                sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
                    "SELECT count(*) FROM trials WHERE state IN {ACTIVE}"
                )))
                .fetch_one(&self.readers)
                .await,
            )
            .await?;
        Ok(u32::try_from(n).unwrap_or(u32::MAX))
    }

    async fn adopt(&self, id: &TrialId) -> Result<Ownership, PortError> {
        let mut tx = self.begin().await?;
        let whose = self
            .adopt_trial(&mut tx, id)
            .await
            .map_err(|f| self.port(f))?;
        self.commit_tx(tx).await?;
        Ok(whose)
    }

    async fn wish(&self, id: &TrialId, wish: Wish, audit: AuditEntry) -> Result<(), PortError> {
        let mut tx = self.begin().await?;
        let write = async {
            sqlx::query("UPDATE trials SET wish = ? WHERE id = ?")
                .bind(wish.as_str())
                .bind(id.as_str())
                .execute(&mut *tx)
                .await?;
            audit::append(&mut tx, &self.signer, self.clock.now(), &[audit]).await
        };
        write.await.map_err(|f| self.port(f))?;
        self.commit_tx(tx).await
    }

    async fn take_wishes(&self) -> Result<Vec<(TrialId, Wish)>, PortError> {
        const MINE: &str = "SELECT id, wish FROM trials WHERE owner = ? AND wish IS NOT NULL";
        // Looked at often and nearly always empty: read first, write only what was found.
        let found: Vec<(String, String)> = self
            .read(
                sqlx::query_as(MINE)
                    .bind(&self.owner.name)
                    .fetch_all(&self.readers)
                    .await,
            )
            .await?;
        let mut wishes = Vec::with_capacity(found.len());
        for (id, word) in found {
            let taken = sqlx::query("UPDATE trials SET wish = NULL WHERE id = ? AND wish = ?")
                .bind(&id)
                .bind(&word)
                .execute(&self.writer)
                .await;
            if self.read(taken).await?.rows_affected() == 1
                && let Some(wish) = Wish::parse(&word)
            {
                wishes.push((TrialId(id), wish));
            }
        }
        Ok(wishes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Ticks, new_trial, spec, store};
    use mltrainer_services::port::{AuditStore, Clock, Idempotency};
    use mltrainer_trials::port::{Predictions, Starts, StateChange};
    use mltrainer_types::event::{EventBody, Level, MessageEvent};
    use std::sync::Arc;

    fn message(text: &str) -> EventBody {
        EventBody::Message(MessageEvent {
            agent: "DataAgent".into(),
            level: Level::Info,
            text: text.into(),
        })
    }

    fn step(index: u32) -> StepRecord {
        StepRecord {
            index,
            model: "ridge".into(),
            model_index: 0,
            horizon: 1,
            fold: index + 1,
            folds: 5,
            error: None,
            notes: vec!["n".into()],
            took_ms: 1.5,
            predictions: Predictions::default(),
            starts: Starts([(0, vec![0.1, -2.5e-7])].into()),
        }
    }

    fn at(n: i64) -> TrialWrite {
        TrialWrite::new(chrono::DateTime::from_timestamp(1_700_000_100 + n, 0).unwrap())
    }

    #[tokio::test]
    async fn a_trial_is_written_step_by_step_and_reads_back() {
        let (_folder, store) = store().await;
        let id: TrialId = "t-1".into();
        assert!(matches!(
            store.create(new_trial("t-1")).await.unwrap(),
            Creation::Made(events) if events.len() == 1 && events[0].seq == 1
        ));
        let mut write = at(1);
        write.state = Some(StateChange {
            state: TrialState::Training,
            reason: None,
        });
        write.step = Some(step(0));
        write.progress = Some(Progress {
            done: 1,
            total: 5,
            eta_seconds: Some(0.1),
        });
        write.events = vec![message("a"), message("b")];
        write.audit = vec![crate::testing::entry("t-1")];
        let events = store.commit(&id, write).await.unwrap();
        assert_eq!(events.iter().map(|e| e.seq).collect::<Vec<_>>(), [2, 3]);

        let view = store.trial(&id).await.unwrap().unwrap();
        assert_eq!(view.state, TrialState::Training);
        assert_eq!(view.last_event, 3);
        assert_eq!(view.progress.eta_seconds, Some(0.1));
        assert_eq!(view.spec, spec());
        assert_eq!(store.steps(&id).await.unwrap(), [step(0)]);
        assert_eq!(store.events(&id, 1, 10).await.unwrap().unwrap(), events);
        assert_eq!(store.events(&id, 3, 10).await.unwrap(), Some(Vec::new()));
        assert_eq!(store.events(&"t-2".into(), 0, 10).await.unwrap(), None);
        assert_eq!(store.running().await.unwrap(), 1);
        assert_eq!(AuditStore::last(&store).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn nothing_of_a_write_stays_when_a_part_of_it_fails() {
        let (_folder, store) = store().await;
        let id: TrialId = "t-1".into();
        store.create(new_trial("t-1")).await.unwrap();
        let mut write = at(1);
        write.step = Some(step(0));
        store.commit(&id, write).await.unwrap();
        let mut again = at(2);
        again.events = vec![message("a")];
        again.step = Some(step(0));
        again.audit = vec![crate::testing::entry("t-1")];
        assert!(matches!(
            store.commit(&id, again).await,
            Err(PortError::Conflict(_))
        ));
        assert_eq!(store.trial(&id).await.unwrap().unwrap().last_event, 1);
        assert_eq!(AuditStore::last(&store).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn nothing_follows_a_final_state() {
        let (_folder, store) = store().await;
        let id: TrialId = "t-1".into();
        store.create(new_trial("t-1")).await.unwrap();
        let mut write = at(1);
        write.state = Some(StateChange {
            state: TrialState::Cancelled,
            reason: Some("by hand".into()),
        });
        store.commit(&id, write).await.unwrap();
        let error = store.commit(&id, at(2)).await.unwrap_err();
        assert_eq!(error.to_string(), "trial t-1 has ended: it is cancelled");
        assert!(store.unfinished().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn one_key_makes_one_trial() {
        let (_folder, store) = store().await;
        let with = |id: &str, body: &str| {
            let mut t = new_trial(id);
            t.idempotency = Some(Idempotency {
                key: "k".into(),
                body_sha256: body.into(),
            });
            t
        };
        assert!(matches!(
            store.create(with("t-1", "x")).await.unwrap(),
            Creation::Made(_)
        ));
        assert_eq!(
            store.create(with("t-2", "x")).await.unwrap(),
            Creation::Repeated("t-1".into())
        );
        assert_eq!(
            store.create(with("t-3", "y")).await.unwrap(),
            Creation::KeyTaken
        );
        assert_eq!(store.list(None, 10).await.unwrap().len(), 1);
        assert_eq!(AuditStore::last(&store).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn the_list_is_paged_from_the_newest() {
        let (_folder, store) = store().await;
        for n in 1..=5 {
            store.create(new_trial(&format!("t-{n}"))).await.unwrap();
        }
        let page = store.list(None, 2).await.unwrap();
        let ids: Vec<&str> = page.iter().map(|t| t.id.as_str()).collect();
        assert_eq!(ids, ["t-5", "t-4"]);
        let rest = store.list(Some("t-4"), 10).await.unwrap();
        assert_eq!(rest.len(), 3);
    }

    #[tokio::test]
    async fn a_trial_passes_on_only_when_its_owner_is_dead() {
        let (folder, first) = store().await;
        let id: TrialId = "t-1".into();
        first.create(new_trial("t-1")).await.unwrap();
        let clock: Arc<dyn Clock> = Arc::new(Ticks::default());
        let second = SqliteStore::open(folder.path(), "other", clock)
            .await
            .unwrap();
        assert!(second.unfinished().await.unwrap().is_empty());
        assert_eq!(second.adopt(&id).await.unwrap(), Ownership::Elsewhere);
        assert!(matches!(
            second.commit(&id, at(1)).await,
            Err(PortError::Conflict(_))
        ));
        let asked = crate::testing::entry("t-1");
        second.wish(&id, Wish::Pause, asked).await.unwrap();
        assert_eq!(AuditStore::last(&second).await.unwrap(), 3);
        assert_eq!(
            first.take_wishes().await.unwrap(),
            [(id.clone(), Wish::Pause)]
        );
        assert!(first.take_wishes().await.unwrap().is_empty());
        drop(first);
        assert_eq!(
            second.unfinished().await.unwrap(),
            std::slice::from_ref(&id)
        );
        assert_eq!(second.adopt(&id).await.unwrap(), Ownership::Mine);
        second.commit(&id, at(2)).await.unwrap();
    }

    #[tokio::test]
    async fn everything_tried_is_counted_once() {
        let (_folder, store) = store().await;
        let model = |id: &str| mltrainer_types::trial::ModelSpec {
            model: id.into(),
            params: serde_json::Map::new(),
            baseline: id == "naive_last",
        };
        // Two models that are no baselines x two horizons.
        let mut first = new_trial("t-1");
        first.spec.models = vec![model("naive_last"), model("ridge"), model("lasso")];
        let mut same = first.clone();
        same.id = "t-2".into();
        // One model x two horizons, on another symbol too.
        let mut other = first.clone();
        other.id = "t-3".into();
        other.spec.symbols = vec!["IBM".into(), "AAPL".into()];
        other.spec.models = vec![model("knn")];
        let mut elsewhere = other.clone();
        elsewhere.id = "t-4".into();
        elsewhere.spec.symbols = vec!["IBM".into()];
        let asked = first.spec.clone();
        for t in [first, same, other, elsewhere] {
            store.create(t).await.unwrap();
        }
        assert_eq!(store.tried(&asked).await.unwrap(), 4 + 2);
    }
}
