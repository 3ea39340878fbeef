//! Trials: make, look, follow, control.

use crate::catalogue::find;
use crate::hub::TrialStream;
use crate::port::{Creation, Idempotency, NewTrial, Ownership, Wish};
use crate::{LOOK_AROUND, ServiceError, Services};
use mltrainer_compliance::policy;
use mltrainer_data::nearest::nearest;
use mltrainer_trials::spec::{MIN_BARS, SpecError, SymbolData, validate};
use mltrainer_trials::{StepRecord, evaluate};
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::event::TrialEvent;
use mltrainer_types::trial::{
    DatasetRef, Lineage, PredictionSeries, TrialCreated, TrialRequest, TrialState, TrialSummary,
    TrialView,
};
use mltrainer_types::{Page, TrialId};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

/// Trials on a page of the list.
const PAGE: u32 = 25;

/// Events that [`Services::events`] gives at most.
const EVENTS: u32 = 1000;

/// How often a wish to another process is looked after: for about three seconds.
pub(crate) const PATIENCE: u32 = 6;

/// Longest idempotency key.
const KEY: usize = 255;

impl From<SpecError> for ServiceError {
    fn from(e: SpecError) -> Self {
        Self::Invalid {
            field: e.field,
            detail: e.detail,
        }
    }
}

impl Services {
    /// Makes a trial and queues it. The same key with the same request gives the same trial.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] for an unknown model or symbol with the nearest names,
    /// [`ServiceError::Invalid`] for a value out of range, [`ServiceError::BadData`] for a span with
    /// too few bars, [`ServiceError::Conflict`] for a key that came with another request; then
    /// nothing is made.
    pub async fn create_trial(
        &self,
        actor: &str,
        request: TrialRequest,
        idempotency_key: Option<&str>,
    ) -> Result<TrialCreated, ServiceError> {
        let idempotency = idempotency_key
            .map(|key| key_of(key, &request))
            .transpose()?;
        let data = self.data_of(&request).await?;
        let spec = validate(&request, &self.inner.registry, &data)?;
        let at = self.inner.clock.now();
        let id = new_id(at);
        let audit = AuditEntry {
            actor: actor.to_owned(),
            action: "trial.create".to_owned(),
            subject: id.0.clone(),
            decision: "allowed".to_owned(),
            rule: None,
            detail: json!({
                "spec_sha256": hex::encode(Sha256::digest(json!(spec).to_string())),
                "datasets": spec.datasets,
                "target": spec.target,
                "horizons": spec.horizons,
                "models": spec.models.iter().map(|m| &m.model).collect::<Vec<_>>(),
                "seed": spec.seed,
            }),
        };
        let made = self
            .inner
            .trials
            .create(NewTrial {
                id: id.clone(),
                lineage: Lineage {
                    datasets: spec.datasets.clone(),
                    steps: Vec::new(),
                },
                spec,
                at,
                idempotency,
                audit,
            })
            .await?;
        match made {
            Creation::Made(events) => {
                use crate::port::EventSink as _;
                self.inner.hub.publish(&id, &events);
                self.inner.engine.submit(&id)?;
                Ok(TrialCreated {
                    id,
                    state: TrialState::Queued,
                })
            }
            Creation::Repeated(id) => {
                let state = self.trial(id.as_str()).await?.state;
                Ok(TrialCreated { id, state })
            }
            Creation::KeyTaken => Err(ServiceError::Conflict(
                "this Idempotency-Key came before with another request: use a new key for a new trial"
                    .to_owned(),
            )),
        }
    }

    /// What is known of the data of each symbol; unknown names are told here.
    async fn data_of(&self, request: &TrialRequest) -> Result<Vec<SymbolData>, ServiceError> {
        for model in &request.models {
            find(&self.inner.registry, model.id())?;
        }
        if let Some(source) = &request.source {
            approved(source)?;
        }
        if let (Some(start), Some(end)) = (request.start, request.end)
            && start > end
        {
            return Err(ServiceError::invalid(
                "start",
                format!("start {start} is after end {end}; exchange them"),
            ));
        }
        let all = self.inner.room.all().await?;
        let mut data = Vec::with_capacity(request.symbols.len());
        // More than a trial may have is refused by `validate`; none of them is read here.
        let asked = request
            .symbols
            .iter()
            .take(mltrainer_trials::spec::MAX_SYMBOLS);
        for symbol in asked {
            let summary = Self::dataset_of(&all, symbol.trim(), request.source.as_deref())?;
            let set = self.inner.room.one(summary.id.as_str()).await?;
            let bars = self.inner.room.bars(&set).await?;
            let rows = bars.get().slice(request.start, request.end).len() as u64;
            if rows < MIN_BARS {
                return Err(ServiceError::BadData(format!(
                    "{} has {rows} bars in the span asked for, at least {MIN_BARS} are needed; its data reaches from {} to {}",
                    summary.symbols.join(", "),
                    summary.first,
                    summary.last
                )));
            }
            data.push(SymbolData {
                symbol: summary.symbols.first().cloned().unwrap_or_default(),
                dataset: DatasetRef {
                    id: summary.id,
                    source: summary.source,
                    sha256: summary.sha256,
                },
                kind: summary.kind,
                first: summary.first,
                last: summary.last,
                rows,
            });
        }
        Ok(data)
    }

    /// A trial as it stands.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn trial(&self, id: &str) -> Result<TrialView, ServiceError> {
        let found = self.inner.trials.trial(&id.into()).await?;
        found.ok_or_else(|| unknown(id))
    }

    /// Trials, newest first.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] for a cursor that is none.
    pub async fn trials(&self, cursor: Option<&str>) -> Result<Page<TrialSummary>, ServiceError> {
        let before = cursor.filter(|c| !c.is_empty());
        if let Some(text) = before
            && text
                .strip_prefix("t-")
                .is_none_or(|id| Uuid::try_parse(id).is_err())
        {
            return Err(ServiceError::invalid(
                "cursor",
                format!("\"{text}\" is not a cursor"),
            ));
        }
        let mut items = self.inner.trials.list(before, PAGE + 1).await?;
        let more = items.len() > PAGE as usize;
        items.truncate(PAGE as usize);
        let next = items.last().filter(|_| more).map(|t| t.id.0.clone());
        Ok(Page { items, next })
    }

    /// Stored events after number `after`, at most a thousand.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`]; [`ServiceError::Invalid`] for a number below 0.
    pub async fn events(&self, id: &str, after: i64) -> Result<Vec<TrialEvent>, ServiceError> {
        check_after(after)?;
        let found = self.inner.trials.events(&id.into(), after, EVENTS).await?;
        found.ok_or_else(|| unknown(id))
    }

    /// Events after number `after`, stored and to come, in order, each once, until the final one.
    ///
    /// # Errors
    /// As [`Services::events`].
    pub async fn follow(&self, id: &str, after: i64) -> Result<TrialStream, ServiceError> {
        check_after(after)?;
        let trial = self.trial(id).await?;
        // Who names a number that is still to come hears everything from now on.
        let after = after.min(trial.last_event);
        let feed = Arc::new(self.inner.trials.clone());
        Ok(self
            .inner
            .hub
            .follow(feed, trial.id.as_str(), after, trial.last_event))
    }

    /// Out-of-sample forecasts of all finished steps, by model, horizon and symbol, ordered by day.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn predictions(&self, id: &str) -> Result<Vec<PredictionSeries>, ServiceError> {
        let trial = self.trial(id).await?;
        let steps = self.inner.trials.steps(&trial.id).await?;
        let spec = trial.spec;
        crate::room::blocking(move || {
            let mut groups: BTreeMap<(u32, u32), Vec<&StepRecord>> = BTreeMap::new();
            for step in steps.iter().filter(|s| s.error.is_none()) {
                groups
                    .entry((step.model_index, step.horizon))
                    .or_default()
                    .push(step);
            }
            let mut series = Vec::new();
            for ((model_index, horizon), mut steps) in groups {
                steps.sort_by_key(|s| s.fold);
                let all = evaluate::joined(&steps);
                let model = steps.first().map(|s| s.model.clone()).unwrap_or_default();
                for (symbol, name) in (0_u32..).zip(&spec.symbols) {
                    let mut rows: Vec<usize> = (0..all.len())
                        .filter(|&r| all.symbol[r] == symbol)
                        .collect();
                    rows.sort_by_key(|&r| all.day[r]);
                    if rows.is_empty() {
                        continue;
                    }
                    let net = if spec.target.is_tradable() {
                        evaluate::path(&spec, horizon as usize, &all, &rows).net
                    } else {
                        Vec::new()
                    };
                    let probability = if all.probability.is_empty() {
                        Vec::new()
                    } else {
                        rows.iter().map(|&r| all.probability[r]).collect()
                    };
                    series.push(PredictionSeries {
                        model: model.clone(),
                        model_index,
                        horizon,
                        symbol: name.clone(),
                        dates: rows.iter().map(|&r| all.day[r]).collect(),
                        predicted: rows
                            .iter()
                            .map(|&r| mltrainer_types::finite(all.predicted[r]))
                            .collect(),
                        actual: rows.iter().map(|&r| all.actual[r]).collect(),
                        probability,
                        net,
                    });
                }
            }
            Ok(series)
        })
        .await
    }

    /// Ends a trial.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`]; [`ServiceError::Conflict`] when it has ended.
    pub async fn cancel_trial(&self, actor: &str, id: &str) -> Result<TrialView, ServiceError> {
        self.control(actor, id, Wish::Cancel).await
    }

    /// Stops a trial after its running steps.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`]; [`ServiceError::Conflict`] when it has ended or is paused.
    pub async fn pause_trial(&self, actor: &str, id: &str) -> Result<TrialView, ServiceError> {
        self.control(actor, id, Wish::Pause).await
    }

    /// Goes on with a paused trial, or with one whose process died.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`]; [`ServiceError::Conflict`] when it has ended or runs.
    pub async fn resume_trial(&self, actor: &str, id: &str) -> Result<TrialView, ServiceError> {
        self.control(actor, id, Wish::Resume).await
    }

    /// Whether this process runs the trial.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn runs_here(&self, id: &str) -> Result<bool, ServiceError> {
        Ok(self.inner.trials.adopt(&id.into()).await? == Ownership::Mine)
    }

    async fn control(&self, actor: &str, id: &str, wish: Wish) -> Result<TrialView, ServiceError> {
        let before = self.trial(id).await?;
        let id = before.id.clone();
        if before.state.is_final() {
            return Err(ServiceError::Conflict(format!(
                "trial {id} has ended, it is {}: nothing is left to {}",
                before.state.as_str(),
                wish.as_str()
            )));
        }
        if self.inner.trials.adopt(&id).await? == Ownership::Elsewhere {
            let entry = decision(actor, &id, wish, before.state);
            self.inner.trials.wish(&id, wish, entry).await?;
            for _ in 0..PATIENCE {
                tokio::time::sleep(LOOK_AROUND).await;
                let now = self.trial(id.as_str()).await?;
                if now.state != before.state {
                    return Ok(now);
                }
            }
            return self.trial(id.as_str()).await;
        }
        self.grant(Some(actor), &id, wish).await?;
        self.trial(id.as_str()).await
    }

    /// Does what was asked for with a trial of this process. `actor` asked here; who asked elsewhere
    /// was recorded there.
    async fn grant(
        &self,
        actor: Option<&str>,
        id: &TrialId,
        wish: Wish,
    ) -> Result<(), ServiceError> {
        let engine = &self.inner.engine;
        let state = self.trial(id.as_str()).await?.state;
        let decide = |to: TrialState| {
            actor.map(|actor| {
                let entry = decision(actor, id, wish, state);
                self.inner.ledger.decide(id, to, entry)
            })
        };
        match wish {
            Wish::Cancel => {
                let _decision = decide(TrialState::Cancelled);
                engine.cancel(id).await?;
            }
            Wish::Pause => {
                let _decision = decide(TrialState::Paused);
                if state != TrialState::Paused {
                    // Also one whose process died: nobody else drives it.
                    engine.submit(id)?;
                }
                engine.pause(id).await?;
            }
            Wish::Resume if state == TrialState::Paused => {
                let _decision = decide(TrialState::Queued);
                engine.resume(id).await?;
            }
            // Its process died, or the store did not take its writes: it goes on where it stood. One
            // that runs just runs on.
            Wish::Resume => engine.submit(id)?,
        }
        Ok(())
    }

    /// Does what other processes asked of trials that run here.
    pub(crate) async fn grant_wishes(&self) {
        let wishes = match self.inner.trials.take_wishes().await {
            Ok(wishes) => wishes,
            Err(e) => return tracing::debug!("wishes were not read: {e}"),
        };
        for (id, wish) in wishes {
            if let Err(e) = self.grant(None, &id, wish).await {
                tracing::info!("trial {id}: {} was not possible: {e}", wish.as_str());
            }
        }
    }
}

/// The audit record of a person's decision on a trial.
fn decision(actor: &str, id: &TrialId, wish: Wish, from: TrialState) -> AuditEntry {
    AuditEntry {
        actor: actor.to_owned(),
        action: format!("trial.{}", wish.as_str()),
        subject: id.0.clone(),
        decision: "allowed".to_owned(),
        rule: None,
        detail: json!({ "from": from }),
    }
}

fn unknown(id: &str) -> ServiceError {
    ServiceError::NotFound {
        what: "trial",
        id: id.to_owned(),
        suggestions: Vec::new(),
    }
}

pub(crate) fn check_after(after: i64) -> Result<(), ServiceError> {
    if after < 0 {
        return Err(ServiceError::invalid(
            "after",
            format!("{after} is below 0"),
        ));
    }
    Ok(())
}

/// An origin that the policy approves.
pub(crate) fn approved(source: &str) -> Result<(), ServiceError> {
    if policy::origin(source).is_some() {
        return Ok(());
    }
    let ids = policy::origin_ids();
    let near = nearest(source, &ids);
    let known = if near.is_empty() {
        ids.join(", ")
    } else {
        near.join(" or ")
    };
    Err(ServiceError::invalid(
        "source",
        format!("\"{source}\" is no approved origin; did you mean {known}?"),
    ))
}

/// `t-` and a UUID that sorts by time.
fn new_id(at: chrono::DateTime<chrono::Utc>) -> TrialId {
    TrialId(format!("t-{}", new_uuid(at)))
}

/// A UUID that sorts by time, also among those of the same moment.
pub(crate) fn new_uuid(at: chrono::DateTime<chrono::Utc>) -> Uuid {
    let seconds = u64::try_from(at.timestamp()).unwrap_or_default();
    let next = NEXT.lock().unwrap_or_else(PoisonError::into_inner);
    let time = uuid::Timestamp::from_unix(&*next, seconds, at.timestamp_subsec_nanos());
    Uuid::new_v7(time)
}

/// Ids of the same moment still sort in the order in which they were made.
static NEXT: Mutex<uuid::ContextV7> = Mutex::new(uuid::ContextV7::new());

/// The key with the hash of its request.
/// The key of an action that makes something else than a run, with what it made before: none yet, or the id.
///
/// # Errors
/// [`ServiceError::Invalid`] for a key that is none, [`ServiceError::Conflict`] for one that came with another request.
pub(crate) async fn made_before<T: serde::Serialize>(
    services: &Services,
    key: Option<&str>,
    request: &T,
) -> Result<(Option<Idempotency>, Option<String>), ServiceError> {
    let Some(key) = key.map(|key| key_of(key, request)).transpose()? else {
        return Ok((None, None));
    };
    match services.inner.talk.store.made_under(&key.key).await? {
        Some((body, made)) if body == key.body_sha256 => Ok((Some(key), Some(made))),
        Some(_) => Err(ServiceError::Conflict(
            "this key came before with another request: use a new key for a new action".to_owned(),
        )),
        None => Ok((Some(key), None)),
    }
}

pub(crate) fn key_of<T: serde::Serialize>(
    key: &str,
    request: &T,
) -> Result<Idempotency, ServiceError> {
    let plain = key.chars().all(|c| !c.is_control());
    if key.trim().is_empty() || key.len() > KEY || !plain {
        return Err(ServiceError::invalid(
            "Idempotency-Key",
            format!("a key has 1 to {KEY} visible signs"),
        ));
    }
    let body = serde_json::to_string(request)
        .map_err(|e| ServiceError::Internal(format!("a request was not written: {e}")))?;
    Ok(Idempotency {
        key: key.to_owned(),
        body_sha256: hex::encode(Sha256::digest(body)),
    })
}
