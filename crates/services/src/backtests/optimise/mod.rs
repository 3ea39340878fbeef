//! Walk-forward optimisation: parameters of a strategy searched window by window, each step on the
//! disk before anybody hears of it.
//!
//! `bench` holds what points are tested with, `walk` goes from window to window. Symbols are taken on
//! the days that all of them have. What was interrupted goes on after the last points that were kept,
//! with the same result. Like a trial an optimisation belongs to one process, which looks after every
//! step whether another asks it to pause or to end.

mod bench;
mod walk;

use crate::hub::{Hub, OptimisationStream};
use crate::port::{
    Begun, KeptOptimisation, NewOptimisation, OptimisationWrite, Ownership, StateChange, Wish,
};
use crate::trials::{PATIENCE, check_after, key_of, new_uuid};
use crate::{LOOK_AROUND, ServiceError, Services};
use bench::{Bench, grown};
use mltrainer_backtest::walk_forward::surface;
use mltrainer_data::nearest::nearest;
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::event::StateEvent;
use mltrainer_types::optimisation::{
    OptimisationCurve, OptimisationEvent, OptimisationEventBody, OptimisationPlan,
    OptimisationRequest, OptimisationSpec, OptimisationSummary, OptimisationView, ParameterSurface,
};
use mltrainer_types::trial::{Progress, TrialState};
use mltrainer_types::{OptimisationId, Page};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;
use walk::{Halt, Walk};

/// Optimisations on a page of the list.
const PAGE: u32 = 25;
/// Events that [`Services::optimisation_events`] gives at most.
const EVENTS: u32 = 1000;
/// Who acts where nobody asked, in the audit chain.
const SYSTEM: &str = "system";

/// Hears of every step that is kept.
pub type OptimisationListener<'a> = dyn FnMut(&OptimisationView) + Send + 'a;

/// The optimisations of this process.
pub(crate) struct Searches {
    /// Those who listen.
    pub(crate) hub: Hub<OptimisationEvent>,
    /// Those that go on here.
    driven: Mutex<BTreeSet<OptimisationId>>,
    /// How many go on side by side.
    turns: tokio::sync::Semaphore,
    closing: AtomicBool,
}

/// That an optimisation goes on here; forgotten when dropped.
struct Driving {
    searches: Arc<Searches>,
    id: OptimisationId,
}

impl Drop for Driving {
    fn drop(&mut self) {
        self.searches.driven().remove(&self.id);
    }
}

impl Searches {
    /// `threads`: threads of this process for heavy work, half of them for optimisations.
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            hub: Hub::default(),
            driven: Mutex::default(),
            turns: tokio::sync::Semaphore::new((threads / 2).max(1)),
            closing: AtomicBool::new(false),
        }
    }

    fn driven(&self) -> MutexGuard<'_, BTreeSet<OptimisationId>> {
        // A set of ids is whole whatever a panicking holder did.
        self.driven.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(self: &Arc<Self>, id: &OptimisationId) -> Option<Driving> {
        if self.is_closing() || !self.driven().insert(id.clone()) {
            return None;
        }
        Some(Driving {
            searches: self.clone(),
            id: id.clone(),
        })
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// Stops all after their next point and waits for them a while.
    pub(crate) async fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        for _ in 0..PATIENCE {
            if self.driven().is_empty() {
                break;
            }
            tokio::time::sleep(LOOK_AROUND).await;
        }
    }
}

impl Services {
    /// Makes an optimisation, which goes on by itself: follow its events. The same key with the same
    /// request gives the same one.
    ///
    /// # Errors
    /// As [`Services::run_backtest`], and [`ServiceError::Invalid`] for a space, method or plan of
    /// windows that cannot be used; then nothing is kept.
    pub async fn create_optimisation(
        &self,
        actor: &str,
        request: OptimisationRequest,
        idempotency_key: Option<&str>,
    ) -> Result<OptimisationView, ServiceError> {
        let (id, bench) = self.begun(actor, request, idempotency_key).await?;
        if let Some(bench) = bench {
            self.drive(&id, Some(bench));
        }
        self.optimisation(id.as_str()).await
    }

    /// What a request would do, without a look at data.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] with the field for a space, method, plan of windows or strategy that
    /// cannot be used.
    pub fn plan_optimisation(
        &self,
        mut request: OptimisationRequest,
    ) -> Result<OptimisationPlan, ServiceError> {
        let planned = bench::planned(&mut request)?;
        let symbols = request.test.symbols.len().max(1);
        let read = self.read_strategy(&planned.strategy, &planned.params, symbols)?;
        Ok(OptimisationPlan {
            strategy: read.spec,
            method: request.method.unwrap_or_default(),
            evaluations: planned.each,
            folds: request.folds.unwrap_or_default(),
        })
    }

    /// Searches the parameters of a strategy on each training window and tests the best ones on the
    /// next, until the end; `heard` is told of every step that is kept.
    ///
    /// # Errors
    /// As [`Services::create_optimisation`]; [`ServiceError::Conflict`] when somebody paused or ended
    /// it.
    pub async fn optimise_backtest(
        &self,
        actor: &str,
        request: OptimisationRequest,
        heard: &mut OptimisationListener<'_>,
    ) -> Result<OptimisationView, ServiceError> {
        let (id, bench) = self.begun(actor, request, None).await?;
        self.waited_for(&id, bench, heard).await
    }

    /// Goes on with an optimisation that is paused or whose process died, until the end.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`]; [`ServiceError::Conflict`] when it has ended, or another process
    /// goes on with it; [`ServiceError::BadData`] when its data are not those it began with.
    pub async fn finish_optimisation(
        &self,
        actor: &str,
        id: &str,
        heard: &mut OptimisationListener<'_>,
    ) -> Result<OptimisationView, ServiceError> {
        let before = self.optimisation(id).await?;
        self.free(&before, Wish::Resume).await?;
        if before.state == TrialState::Paused {
            self.put(
                &before,
                TrialState::Queued,
                decision(actor, &before, Wish::Resume),
            )
            .await?;
        }
        self.waited_for(&before.id, None, heard).await
    }

    /// Makes an optimisation; what it is tested with comes along unless the key made it before.
    async fn begun(
        &self,
        actor: &str,
        request: OptimisationRequest,
        idempotency_key: Option<&str>,
    ) -> Result<(OptimisationId, Option<Arc<Bench>>), ServiceError> {
        let idempotency = idempotency_key.map(|k| key_of(k, &request)).transpose()?;
        let store = &self.inner.optimisations;
        if let Some(key) = &idempotency
            && let Some((body, id)) = store.optimisation_of_key(&key.key).await?
        {
            return if body == key.body_sha256 {
                Ok((id, None))
            } else {
                Err(key_taken())
            };
        }
        let (spec, bench) = self.bench(request).await?;
        let at = self.inner.clock.now();
        let id = OptimisationId(format!("o-{}", new_uuid(at)));
        let spec_sha256 = spec_key(&spec)?;
        let audit = audit(
            actor,
            "optimisation.create",
            &id,
            json!({
                "spec_sha256": spec_sha256,
                "datasets": spec.symbols.iter().map(|s| &s.dataset).collect::<Vec<_>>(),
                "method": spec.request.method,
                "evaluations": spec.request.evaluations,
                "seed": spec.request.test.seed,
            }),
        );
        let folds = u32::try_from(bench.folds.len()).unwrap_or(u32::MAX);
        let made = store
            .make_optimisation(NewOptimisation {
                id: id.clone(),
                at,
                spec,
                spec_sha256,
                folds,
                points: folds.saturating_mul(bench.each),
                idempotency,
                audit,
            })
            .await?;
        match made {
            Begun::Made(events) => {
                self.inner.searches.hub.send(id.as_str(), &events);
                Ok((id, Some(bench)))
            }
            Begun::Repeated(id) => Ok((id, None)),
            Begun::KeyTaken => Err(key_taken()),
        }
    }

    /// Goes on with it here and now.
    async fn waited_for(
        &self,
        id: &OptimisationId,
        bench: Option<Arc<Bench>>,
        heard: &mut OptimisationListener<'_>,
    ) -> Result<OptimisationView, ServiceError> {
        let Some(_driving) = self.inner.searches.begin(id) else {
            return Err(elsewhere(id));
        };
        let view = self.walked(id, bench, heard).await?;
        if matches!(view.state, TrialState::Paused | TrialState::Cancelled) {
            return Err(ServiceError::Conflict(format!(
                "optimisation {id} is {}: somebody asked for it",
                view.state.as_str()
            )));
        }
        Ok(view)
    }

    /// Goes on with it in the background, unless it does.
    fn drive(&self, id: &OptimisationId, bench: Option<Arc<Bench>>) {
        let Some(driving) = self.inner.searches.begin(id) else {
            return;
        };
        let services = self.clone();
        tokio::spawn(async move {
            if let Err(e) = services.in_turn(&driving.id, bench).await {
                tracing::info!("optimisation {}: {e}", driving.id);
            }
        });
    }

    /// Waits for its turn and goes on.
    async fn in_turn(
        &self,
        id: &OptimisationId,
        bench: Option<Arc<Bench>>,
    ) -> Result<(), ServiceError> {
        let searches = self.inner.searches.clone();
        let turn = searches.turns.acquire();
        tokio::pin!(turn);
        let _turn = loop {
            match tokio::time::timeout(LOOK_AROUND, &mut turn).await {
                Ok(turn) => break turn,
                Err(_) if searches.is_closing() => return Ok(()),
                Err(_) => {}
            }
            let wished = self.inner.optimisations.wished_of_optimisation(id).await?;
            if let Some(wish) = wished.filter(|w| *w != Wish::Resume) {
                let view = self.optimisation(id.as_str()).await?;
                return self.put(&view, after(wish), Vec::new()).await;
            }
        };
        self.walked(id, bench, &mut |_| {}).await.map(|_| ())
    }

    /// Goes on until the end, or until somebody asks for another.
    async fn walked(
        &self,
        id: &OptimisationId,
        bench: Option<Arc<Bench>>,
        heard: &mut OptimisationListener<'_>,
    ) -> Result<OptimisationView, ServiceError> {
        let kept = self.kept(id.as_str()).await?;
        if kept.view.state.is_final() || kept.view.state == TrialState::Paused {
            return Ok(kept.view);
        }
        let bench = match bench {
            Some(bench) => Ok(bench),
            None => self.bench_again(&kept).await,
        };
        let bench = match bench {
            Ok(bench) => bench,
            Err(e) => {
                let reason = lasting(e)?;
                let entry = self.failed(id, &reason.to_string());
                self.put_because(&kept.view, TrialState::Failed, Some(&reason), entry)
                    .await?;
                return Err(reason);
            }
        };
        let mut heard = |view: &OptimisationView| heard(view);
        let mut walk = Walk::new(self, kept, bench, &mut heard);
        match walk.run().await {
            Ok(Halt::Judged(result)) => {
                let detail = json!({
                    "result_sha256": result.result_sha256,
                    "tried": result.tried,
                    "found_edge": result.found_edge,
                });
                let entry = audit(SYSTEM, "optimisation.finish", id, detail);
                walk.close(TrialState::Finished, None, Some(result), vec![entry])
                    .await?;
            }
            Ok(Halt::Wished(wish)) => {
                walk.close(after(wish), None, None, Vec::new()).await?;
            }
            Ok(Halt::Stopped) => {
                return Err(ServiceError::Unavailable(
                    "the program stops: the optimisation goes on after the next start".to_owned(),
                ));
            }
            Err(e) => {
                let error = lasting(e)?;
                let reason = told_reason(&error);
                let entry = self.failed(id, &reason);
                walk.close(TrialState::Failed, Some(reason), None, entry)
                    .await?;
                return Err(error);
            }
        }
        Ok(walk.kept.view)
    }

    fn failed(&self, id: &OptimisationId, reason: &str) -> Vec<AuditEntry> {
        let detail = json!({ "reason": reason });
        vec![audit(SYSTEM, "optimisation.fail", id, detail)]
    }

    /// What it is tested with, if that is what it began with.
    async fn bench_again(&self, kept: &KeptOptimisation) -> Result<Arc<Bench>, ServiceError> {
        let (spec, bench) = self.bench(kept.view.spec.request.clone()).await?;
        if spec != kept.view.spec {
            return Err(ServiceError::BadData(format!(
                "the data of optimisation {} are not those it began with: start a new one",
                kept.view.id
            )));
        }
        Ok(bench)
    }

    /// Drives the optimisations that nobody drives.
    pub(crate) async fn take_up_optimisations(&self) {
        match self.inner.optimisations.unfinished_optimisations().await {
            Ok(ids) => ids.iter().for_each(|id| self.drive(id, None)),
            Err(e) => tracing::debug!("optimisations were not taken up: {e}"),
        }
    }

    /// An optimisation as it stands.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn optimisation(&self, id: &str) -> Result<OptimisationView, ServiceError> {
        let store = &self.inner.optimisations;
        let found = store.optimisation_view(&id.into()).await?;
        found.ok_or_else(|| unknown(id))
    }

    async fn kept(&self, id: &str) -> Result<KeptOptimisation, ServiceError> {
        let found = self.inner.optimisations.optimisation(&id.into()).await?;
        found.ok_or_else(|| unknown(id))
    }

    /// Optimisations, newest first.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] for a cursor that is none.
    pub async fn optimisations(
        &self,
        cursor: Option<&str>,
    ) -> Result<Page<OptimisationSummary>, ServiceError> {
        let before = cursor.filter(|c| !c.is_empty());
        if let Some(text) = before
            && text
                .strip_prefix("o-")
                .is_none_or(|id| Uuid::try_parse(id).is_err())
        {
            return Err(ServiceError::invalid(
                "cursor",
                format!("\"{text}\" is not a cursor"),
            ));
        }
        let store = &self.inner.optimisations;
        let mut items = store.optimisations(before, PAGE + 1).await?;
        let more = items.len() > PAGE as usize;
        items.truncate(PAGE as usize);
        let next = items.last().filter(|_| more).map(|o| o.id.0.clone());
        Ok(Page { items, next })
    }

    /// Stored events after number `after`, at most a thousand.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`]; [`ServiceError::Invalid`] for a number below 0.
    pub async fn optimisation_events(
        &self,
        id: &str,
        after: i64,
    ) -> Result<Vec<OptimisationEvent>, ServiceError> {
        check_after(after)?;
        let store = &self.inner.optimisations;
        let found = store.optimisation_events(&id.into(), after, EVENTS).await?;
        found.ok_or_else(|| unknown(id))
    }

    /// Events after number `after`, stored and to come, in order, each once, until the final one.
    ///
    /// # Errors
    /// As [`Services::optimisation_events`].
    pub async fn follow_optimisation(
        &self,
        id: &str,
        after: i64,
    ) -> Result<OptimisationStream, ServiceError> {
        check_after(after)?;
        let view = self.optimisation(id).await?;
        // Who names a number that is still to come hears everything from now on.
        let after = after.min(view.last_event);
        let feed = Arc::new(self.inner.optimisations.clone());
        Ok(self
            .inner
            .searches
            .hub
            .follow(feed, view.id.as_str(), after, view.last_event))
    }

    /// The stitched curve as far as windows are done.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn optimisation_curve(&self, id: &str) -> Result<OptimisationCurve, ServiceError> {
        let view = self.optimisation(id).await?;
        let curves = self
            .inner
            .optimisations
            .optimisation_curves(&view.id)
            .await?;
        let (mut dates, mut own, mut held) = (Vec::new(), Vec::new(), Vec::new());
        for curve in curves {
            // The bar before a test is the last of the one before.
            let skip = usize::from(!dates.is_empty());
            dates.extend(curve.dates.into_iter().skip(skip));
            own.extend(curve.returns);
            held.extend(curve.benchmark_returns);
        }
        let cash = view.spec.request.test.cash.unwrap_or(super::CASH);
        let of = |returns: &[f64]| {
            if dates.is_empty() {
                Vec::new()
            } else {
                grown(cash, returns)
            }
        };
        let seen = view.result.and_then(|r| r.in_sample_choice);
        Ok(OptimisationCurve {
            equity: of(&own),
            benchmark_equity: of(&held),
            in_sample_equity: seen.map(|c| c.equity).unwrap_or_default(),
            tests: view
                .windows
                .iter()
                .map(|w| (w.test_first, w.test_last))
                .collect(),
            dates,
        })
    }

    /// The objective in training over one or two parameters, the first ones when none are named; of
    /// one window, from 1, or the mean of all.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`]; [`ServiceError::Invalid`] for a parameter that is not searched or
    /// named twice, and for a window that is not searched yet.
    pub async fn parameter_surface(
        &self,
        id: &str,
        x: Option<&str>,
        y: Option<&str>,
        window: Option<u32>,
    ) -> Result<ParameterSurface, ServiceError> {
        let kept = self.kept(id).await?;
        let request = &kept.view.spec.request;
        let names: Vec<&str> = request.search.iter().map(|p| p.name.as_str()).collect();
        let place = |field: &str, name: &str| {
            let found = names.iter().position(|n| *n == name);
            found.ok_or_else(|| {
                let near = nearest(name, &names);
                let known = if near.is_empty() {
                    names.join(", ")
                } else {
                    near.join(" or ")
                };
                ServiceError::invalid(
                    field,
                    format!("\"{name}\" is not searched; did you mean {known}?"),
                )
            })
        };
        let given = |name: Option<&'_ str>| {
            name.map(str::trim)
                .filter(|n| !n.is_empty())
                .map(str::to_owned)
        };
        let y = given(y).map(|name| place("y", &name)).transpose()?;
        let x = match given(x) {
            Some(name) => place("x", &name)?,
            None => usize::from(y == Some(0) && names.len() > 1),
        };
        let y = y.or_else(|| (names.len() > 1).then(|| usize::from(x == 0)));
        let last = kept.windows.len() + usize::from(!kept.told.is_empty());
        let window = match window {
            None | Some(0) => None,
            Some(w) if w as usize <= last => Some(w as usize - 1),
            Some(w) => {
                return Err(ServiceError::invalid(
                    "window",
                    format!("{w} is not searched yet: {last} are"),
                ));
            }
        };
        let (search, objective) = (request.search.clone(), request.objective);
        crate::room::blocking(move || {
            surface(
                &search,
                objective,
                (x, y),
                &kept.windows,
                &kept.told,
                window,
            )
            .ok_or_else(|| ServiceError::invalid("y", "it is the same parameter as x"))
        })
        .await
    }

    /// Ends an optimisation.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`]; [`ServiceError::Conflict`] when it has ended.
    pub async fn cancel_optimisation(
        &self,
        actor: &str,
        id: &str,
    ) -> Result<OptimisationView, ServiceError> {
        self.control_optimisation(actor, id, Wish::Cancel).await
    }

    /// Stops an optimisation after the points that are being tested.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`]; [`ServiceError::Conflict`] when it has ended or is paused.
    pub async fn pause_optimisation(
        &self,
        actor: &str,
        id: &str,
    ) -> Result<OptimisationView, ServiceError> {
        self.control_optimisation(actor, id, Wish::Pause).await
    }

    /// Goes on with a paused optimisation, or with one whose process died.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`]; [`ServiceError::Conflict`] when it has ended or goes on.
    pub async fn resume_optimisation(
        &self,
        actor: &str,
        id: &str,
    ) -> Result<OptimisationView, ServiceError> {
        self.control_optimisation(actor, id, Wish::Resume).await
    }

    /// Whether nobody goes on with it; then it is this process's.
    async fn is_free(&self, id: &OptimisationId) -> Result<bool, ServiceError> {
        let whose = self.inner.optimisations.adopt_optimisation(id).await?;
        Ok(whose == Ownership::Mine && !self.inner.searches.driven().contains(id))
    }

    /// That it has not ended and nobody goes on with it.
    async fn free(&self, view: &OptimisationView, wish: Wish) -> Result<(), ServiceError> {
        ended(view, wish)?;
        if self.is_free(&view.id).await? {
            return Ok(());
        }
        Err(elsewhere(&view.id))
    }

    async fn control_optimisation(
        &self,
        actor: &str,
        id: &str,
        wish: Wish,
    ) -> Result<OptimisationView, ServiceError> {
        let before = self.optimisation(id).await?;
        ended(&before, wish)?;
        let paused = before.state == TrialState::Paused;
        if paused && wish == Wish::Pause {
            return Err(ServiceError::Conflict(format!(
                "optimisation {} is paused",
                before.id
            )));
        }
        let entry = decision(actor, &before, wish);
        if self.is_free(&before.id).await? {
            match wish {
                Wish::Resume => {
                    if paused {
                        self.put(&before, TrialState::Queued, entry).await?;
                    }
                    self.drive(&before.id, None);
                }
                Wish::Cancel | Wish::Pause => self.put(&before, after(wish), entry).await?,
            }
            return self.optimisation(id).await;
        }
        if wish == Wish::Resume {
            return Err(ServiceError::Conflict(format!(
                "optimisation {} goes on: it is {}",
                before.id,
                before.state.as_str()
            )));
        }
        for entry in entry {
            let store = &self.inner.optimisations;
            store.wish_of_optimisation(&before.id, wish, entry).await?;
        }
        for _ in 0..5 * PATIENCE {
            tokio::time::sleep(LOOK_AROUND / 5).await;
            let now = self.optimisation(id).await?;
            if now.state == after(wish) || now.state.is_final() {
                return Ok(now);
            }
        }
        self.optimisation(id).await
    }

    /// Puts one that nobody goes on with into a state.
    async fn put(
        &self,
        view: &OptimisationView,
        state: TrialState,
        audit: Vec<AuditEntry>,
    ) -> Result<(), ServiceError> {
        self.put_because(view, state, None, audit).await
    }

    async fn put_because(
        &self,
        view: &OptimisationView,
        state: TrialState,
        error: Option<&ServiceError>,
        audit: Vec<AuditEntry>,
    ) -> Result<(), ServiceError> {
        let reason = error.map(told_reason);
        let progress = Progress {
            eta_seconds: None,
            ..view.progress
        };
        let done = u32::try_from(view.windows.len()).unwrap_or(u32::MAX);
        let write = OptimisationWrite {
            state: Some(StateChange {
                state,
                reason: reason.clone(),
            }),
            progress: Some(progress),
            events: vec![OptimisationEventBody::State(StateEvent {
                state,
                reason,
                progress,
            })],
            audit,
            ..OptimisationWrite::new(self.inner.clock.now(), done)
        };
        let store = &self.inner.optimisations;
        let written = store.write_optimisation(&view.id, write).await?;
        let hub = &self.inner.searches.hub;
        hub.send(view.id.as_str(), &written.events);
        Ok(())
    }
}

/// The state that a wish leads to.
fn after(wish: Wish) -> TrialState {
    match wish {
        Wish::Cancel => TrialState::Cancelled,
        Wish::Pause => TrialState::Paused,
        Wish::Resume => TrialState::Queued,
    }
}

/// What may pass is given back as an error and leaves the optimisation as it stands, to go on with;
/// anything else ends it.
fn lasting(error: ServiceError) -> Result<ServiceError, ServiceError> {
    match error {
        ServiceError::Unavailable(_) | ServiceError::Conflict(_) => Err(error),
        other => Ok(other),
    }
}

/// Why it failed, for everybody: the text of an internal fault stays in the log.
fn told_reason(error: &ServiceError) -> String {
    if let ServiceError::Internal(text) = error {
        tracing::error!("an optimisation failed: {text}");
    }
    error.problem().detail
}

fn ended(view: &OptimisationView, wish: Wish) -> Result<(), ServiceError> {
    if view.state.is_final() {
        return Err(ServiceError::Conflict(format!(
            "optimisation {} has ended, it is {}: nothing is left to {}",
            view.id,
            view.state.as_str(),
            wish.as_str()
        )));
    }
    Ok(())
}

fn elsewhere(id: &OptimisationId) -> ServiceError {
    ServiceError::Conflict(format!("another process goes on with optimisation {id}"))
}

fn key_taken() -> ServiceError {
    ServiceError::Conflict(
        "this Idempotency-Key came before with another request: use a new key for a new optimisation"
            .to_owned(),
    )
}

fn unknown(id: &str) -> ServiceError {
    ServiceError::NotFound {
        what: "optimisation",
        id: id.chars().take(80).collect(),
        suggestions: Vec::new(),
    }
}

/// The audit record of a person's decision.
fn decision(actor: &str, view: &OptimisationView, wish: Wish) -> Vec<AuditEntry> {
    let action = format!("optimisation.{}", wish.as_str());
    vec![audit(
        actor,
        &action,
        &view.id,
        json!({ "from": view.state }),
    )]
}

/// SHA-256 of the specification.
fn spec_key(spec: &OptimisationSpec) -> Result<String, ServiceError> {
    let text = serde_json::to_string(spec)
        .map_err(|e| ServiceError::Internal(format!("a specification was not written: {e}")))?;
    Ok(hex::encode(Sha256::digest(text)))
}

fn audit(actor: &str, action: &str, id: &OptimisationId, detail: Value) -> AuditEntry {
    AuditEntry {
        actor: actor.to_owned(),
        action: action.to_owned(),
        subject: id.0.clone(),
        decision: "allowed".to_owned(),
        rule: None,
        detail,
    }
}
