//! The engine: takes trials through their states, steps through the pool, and everything that
//! happens into the store before anyone hears of it.
//!
//! Each running trial is driven by one asynchronous task, so that its writes have one order; the
//! work itself runs on the threads of the pool. A task ends when its trial is finished, failed,
//! blocked, cancelled or paused, or when the engine shuts down; `resume` and `recover` start another,
//! which repeats no finished step.

use crate::evaluate::{self, Outcome, Scored, StepSummary};
use crate::panel::{self, Horizon, Panel};
use crate::pool::Pool;
use crate::port::{
    Clock, DataPort, EventSink, PortError, Predictions, Starts, StateChange, StepRecord,
    TrialError, TrialPort, TrialRecord, TrialResult, TrialWrite,
};
use crate::spec::{combinations, validation_text};
use crate::step::{self, Step};
use crate::words::{count, duration, list, many};
use mltrainer_backtest::metrics;
use mltrainer_catalogue_core::{Inputs, Registry};
use mltrainer_compliance::{Content, Digest, Verified, policy};
use mltrainer_data::bars::Bars;
use mltrainer_data::series::Series;
use mltrainer_features::Context;
use mltrainer_features::selection::{MOST_CORRELATION, Reason};
use mltrainer_types::TrialId;
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::event::{
    EventBody, LeaderboardEvent, Level, MessageEvent, StateEvent, StepEvent,
};
use mltrainer_types::policy::Refusal;
use mltrainer_types::trial::{Lineage, Progress, Target, TrialSpec, TrialState};
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

/// Attempts to commit while the database is locked or the disk is full.
const ATTEMPTS: u32 = 6;
/// Pause before the second attempt; doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Trials whose rows are in memory at the same time; more of them wait in line.
const TRIALS_AT_ONCE: usize = 4;

/// What the engine is made of.
pub struct EngineParts {
    /// The catalogue.
    pub registry: Registry,
    /// The store of trials.
    pub trials: Arc<dyn TrialPort>,
    /// Verified data.
    pub data: Arc<dyn DataPort>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where stored events are sent.
    pub sink: Arc<dyn EventSink>,
    /// Threads that fit models; at least one.
    pub threads: usize,
}

/// Runs trials. Clones share the same threads.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    parts: EngineParts,
    pool: Pool,
    handle: Handle,
    slots: Arc<Semaphore>,
    live: Mutex<BTreeMap<TrialId, Live>>,
    /// Held while a trial that no task drives is moved to another state.
    moving: tokio::sync::Mutex<()>,
    closing: AtomicBool,
}

/// A trial that a task of this process drives.
struct Live {
    orders: mpsc::UnboundedSender<Order>,
    ended: watch::Receiver<bool>,
}

/// What a driving task can be told.
enum Order {
    Pause(oneshot::Sender<Result<(), TrialError>>),
    Cancel(oneshot::Sender<Result<(), TrialError>>),
    Shutdown,
}

/// Takes a trial off the list of those that are driven, and tells who waits for that.
struct Leave {
    inner: Arc<Inner>,
    id: TrialId,
    end: watch::Sender<bool>,
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.inner.live().remove(&self.id);
        let _ = self.end.send(true);
    }
}

/// Why a driving task ends before its trial is finished.
enum End {
    /// Told to; everything is written.
    Told,
    /// The trial ends in this state.
    Blocked(Refusal),
    Failed(String),
    /// The store does not take what is written.
    Store(PortError),
}

impl From<TrialError> for End {
    fn from(e: TrialError) -> Self {
        match e {
            TrialError::Blocked(refusal) => Self::Blocked(refusal),
            TrialError::Port(e) => Self::Store(e),
            TrialError::Closing => Self::Told,
            other => Self::Failed(other.to_string()),
        }
    }
}

impl Inner {
    fn live(&self) -> MutexGuard<'_, BTreeMap<TrialId, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Starts the threads. Call it inside a tokio runtime, which drives the trials.
    ///
    /// # Errors
    /// [`TrialError::Conflict`] when a thread cannot be started, or outside a runtime.
    pub fn new(parts: EngineParts) -> Result<Self, TrialError> {
        let handle = Handle::try_current()
            .map_err(|e| TrialError::Conflict(format!("the trial engine needs a runtime: {e}")))?;
        let pool = Pool::new(parts.threads)
            .map_err(|e| TrialError::Conflict(format!("no thread for trials: {e}")))?;
        Ok(Self {
            inner: Arc::new(Inner {
                parts,
                pool,
                handle,
                slots: Arc::new(Semaphore::new(TRIALS_AT_ONCE)),
                live: Mutex::default(),
                moving: tokio::sync::Mutex::default(),
                closing: AtomicBool::new(false),
            }),
        })
    }

    /// Drives a stored trial from where it stands; nothing happens when it is driven already.
    ///
    /// # Errors
    /// [`TrialError::Closing`] after [`Engine::shutdown`].
    pub fn submit(&self, id: &TrialId) -> Result<(), TrialError> {
        let mut live = self.inner.live();
        if self.inner.closing.load(Ordering::Acquire) {
            return Err(TrialError::Closing);
        }
        if live.contains_key(id) {
            return Ok(());
        }
        let (orders, inbox) = mpsc::unbounded_channel();
        let (end, ended) = watch::channel(false);
        live.insert(id.clone(), Live { orders, ended });
        drop(live);
        let inner = Arc::clone(&self.inner);
        let id = id.clone();
        self.inner.handle.spawn(async move {
            // Dropped whatever happens in between, also a panic.
            let leave = Leave { inner, id, end };
            drive(&leave.inner, &leave.id, inbox).await;
        });
        Ok(())
    }

    /// Stops a trial after its running steps; answered when it is stored as paused.
    ///
    /// # Errors
    /// [`TrialError::Conflict`] when it is paused, has ended, or runs in another process.
    pub async fn pause(&self, id: &TrialId) -> Result<(), TrialError> {
        if let Some(answer) = self.order(id, Order::Pause).await {
            return answer;
        }
        let record = self.record(id).await?;
        Err(TrialError::Conflict(format!(
            "trial {id} is {}; only a trial that runs in this process can be paused",
            record.state.as_str()
        )))
    }

    /// Lets a paused trial go on.
    ///
    /// # Errors
    /// [`TrialError::Conflict`] when it is not paused.
    pub async fn resume(&self, id: &TrialId) -> Result<(), TrialError> {
        let _moving = self.inner.moving.lock().await;
        // Its running steps may still be on their way into the store.
        let record = self.record(id).await?;
        if record.state == TrialState::Paused {
            self.ended(id).await;
        } else {
            return Err(TrialError::Conflict(format!(
                "trial {id} is {}; only a paused trial can be resumed",
                record.state.as_str()
            )));
        }
        self.move_to(&record, TrialState::Queued).await?;
        self.submit(id)
    }

    /// Ends a trial; answered when it is stored as cancelled.
    ///
    /// # Errors
    /// [`TrialError::Conflict`] when it has ended already.
    pub async fn cancel(&self, id: &TrialId) -> Result<(), TrialError> {
        if let Some(answer) = self.order(id, Order::Cancel).await
            && !matches!(answer, Err(TrialError::Closing))
        {
            return answer;
        }
        let _moving = self.inner.moving.lock().await;
        let record = self.record(id).await?;
        if record.state.is_final() {
            return Err(TrialError::Conflict(format!(
                "trial {id} is {} already",
                record.state.as_str()
            )));
        }
        self.move_to(&record, TrialState::Cancelled).await
    }

    /// Drives every unfinished trial of the store; how many.
    ///
    /// # Errors
    /// Those of the store, and [`TrialError::Closing`].
    pub async fn recover(&self) -> Result<usize, TrialError> {
        let unfinished = self.inner.parts.trials.unfinished().await?;
        for id in &unfinished {
            self.submit(id)?;
        }
        Ok(unfinished.len())
    }

    /// Drives a trial and waits until it has ended or is paused.
    ///
    /// # Errors
    /// [`TrialError::Unknown`], those of the store, and [`TrialError::Closing`].
    pub async fn run_to_end(&self, id: &TrialId) -> Result<TrialRecord, TrialError> {
        let record = self.record(id).await?;
        if record.state.is_final() {
            return Ok(record);
        }
        if record.state != TrialState::Paused {
            self.submit(id)?;
        }
        self.ended(id).await;
        let record = self.record(id).await?;
        if record.state.is_final() || record.state == TrialState::Paused {
            return Ok(record);
        }
        if self.inner.closing.load(Ordering::Acquire) {
            return Err(TrialError::Closing);
        }
        Err(TrialError::Conflict(format!(
            "trial {id} stopped in state {} because the store did not take its writes; start it again",
            record.state.as_str()
        )))
    }

    /// Starts nothing new, waits for the running steps, which are stored, and ends the threads. The
    /// trials stay as they are and go on after the next start.
    pub async fn shutdown(&self) {
        self.inner.closing.store(true, Ordering::Release);
        let ids: Vec<TrialId> = self.inner.live().keys().cloned().collect();
        for id in &ids {
            if let Some(live) = self.inner.live().get(id) {
                let _ = live.orders.send(Order::Shutdown);
            }
        }
        for id in &ids {
            self.ended(id).await;
        }
        self.inner.pool.close();
        let inner = Arc::clone(&self.inner);
        let _ = self
            .inner
            .handle
            .spawn_blocking(move || inner.pool.join())
            .await;
    }

    async fn record(&self, id: &TrialId) -> Result<TrialRecord, TrialError> {
        self.inner
            .parts
            .trials
            .trial(id)
            .await?
            .ok_or_else(|| TrialError::Unknown(id.clone()))
    }

    /// Tells the driving task, if there is one, and waits for its answer.
    async fn order(
        &self,
        id: &TrialId,
        order: impl FnOnce(oneshot::Sender<Result<(), TrialError>>) -> Order,
    ) -> Option<Result<(), TrialError>> {
        let (sender, answer) = oneshot::channel();
        self.inner.live().get(id)?.orders.send(order(sender)).ok()?;
        // The task may have ended in between, without reading the order.
        answer.await.ok()
    }

    /// Waits until no task of this process drives the trial.
    async fn ended(&self, id: &TrialId) {
        let ended = self.inner.live().get(id).map(|l| l.ended.clone());
        if let Some(mut ended) = ended {
            let _ = ended.wait_for(|e| *e).await;
        }
    }

    /// Stores a change of state of a trial that no task drives.
    async fn move_to(&self, record: &TrialRecord, state: TrialState) -> Result<(), TrialError> {
        let mut write = TrialWrite::new(self.inner.parts.clock.now());
        write.state = Some(StateChange {
            state,
            reason: None,
        });
        write.events.push(EventBody::State(StateEvent {
            state,
            reason: None,
            progress: record.progress,
        }));
        commit(&self.inner.parts, &record.id, write).await?;
        Ok(())
    }
}

/// Commits, again and again while the store is busy or full, and sends the stored events.
async fn commit(parts: &EngineParts, id: &TrialId, write: TrialWrite) -> Result<(), PortError> {
    let mut pause = FIRST_PAUSE;
    for attempt in 1.. {
        match parts.trials.commit(id, write.clone()).await {
            Ok(events) => {
                parts.sink.publish(id, &events);
                return Ok(());
            }
            Err(e) if e.is_passing() && attempt < ATTEMPTS => {
                tracing::warn!(trial = %id, error = %e, "writing again in a moment");
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

async fn drive(inner: &Arc<Inner>, id: &TrialId, inbox: mpsc::UnboundedReceiver<Order>) {
    let record = match inner.parts.trials.trial(id).await {
        Ok(Some(record)) => record,
        Ok(None) => return tracing::error!(trial = %id, "there is no such trial"),
        Err(e) => return tracing::error!(trial = %id, error = %e, "the trial cannot be read"),
    };
    if record.state.is_final() || record.state == TrialState::Paused {
        return;
    }
    let mut task = Task {
        inner,
        id,
        inbox,
        spec: Arc::new(record.spec.clone()),
        progress: record.progress,
        record,
        hold: Arc::new(AtomicBool::new(false)),
        began: inner.parts.clock.monotonic(),
    };
    let end = match task.run().await {
        Ok(()) | Err(End::Told) => return,
        Err(end) => end,
    };
    task.hold.store(true, Ordering::Release);
    let (state, reason, rule) = match end {
        End::Blocked(refusal) => (
            TrialState::Blocked,
            format!("{}: {}", refusal.rule, refusal.reason),
            Some(refusal.rule),
        ),
        End::Failed(reason) => (TrialState::Failed, reason, None),
        End::Store(PortError::Conflict(reason)) => {
            // Somebody else ended the trial, or wrote the step: there is nothing to add.
            return tracing::warn!(trial = %id, reason, "the trial was changed from outside");
        }
        End::Store(e) => (
            TrialState::Failed,
            format!("the result could not be stored: {e}"),
            None,
        ),
        End::Told => return,
    };
    if let Err(e) = task.finish(state, reason.clone(), rule).await {
        tracing::error!(trial = %id, error = %e, reason, "the end of the trial could not be stored; it goes on after the next start");
    }
}

/// What a job of the pool reports.
enum Report {
    Step(Box<StepRecord>),
    /// Not begun, because the trial is held.
    Held,
    Scored(usize, usize, Box<Scored>),
}

/// One trial on its way.
struct Task<'a> {
    inner: &'a Arc<Inner>,
    id: &'a TrialId,
    inbox: mpsc::UnboundedReceiver<Order>,
    record: TrialRecord,
    spec: Arc<TrialSpec>,
    progress: Progress,
    /// Set when nothing new may start; jobs look at it.
    hold: Arc<AtomicBool>,
    /// When the task began, on the monotonic clock.
    began: Duration,
}

impl Task<'_> {
    fn parts(&self) -> &EngineParts {
        &self.inner.parts
    }

    fn write(&self) -> TrialWrite {
        TrialWrite::new(self.parts().clock.now())
    }

    fn seconds(&self) -> f64 {
        self.parts()
            .clock
            .monotonic()
            .saturating_sub(self.began)
            .as_secs_f64()
    }

    async fn commit(&self, write: TrialWrite) -> Result<(), End> {
        commit(self.parts(), self.id, write)
            .await
            .map_err(End::Store)
    }

    /// A write that moves the trial to a state, with its event.
    fn enter(&self, state: TrialState, reason: Option<String>) -> TrialWrite {
        let mut write = self.write();
        write.events.push(EventBody::State(StateEvent {
            state,
            reason: reason.clone(),
            progress: self.progress,
        }));
        write.state = Some(StateChange { state, reason });
        write.progress = Some(self.progress);
        write
    }

    async fn finish(
        &self,
        state: TrialState,
        reason: String,
        rule: Option<String>,
    ) -> Result<(), PortError> {
        let mut write = self.enter(state, Some(reason.clone()));
        let (action, decision) = if rule.is_some() {
            ("trial.block", "refused")
        } else {
            ("trial.fail", "allowed")
        };
        let detail = serde_json::json!({ "reason": reason });
        write.audit.push(self.audit(action, decision, rule, detail));
        commit(self.parts(), self.id, write).await
    }

    fn audit(
        &self,
        action: &str,
        decision: &str,
        rule: Option<String>,
        detail: serde_json::Value,
    ) -> AuditEntry {
        AuditEntry {
            actor: "system".into(),
            action: action.into(),
            subject: self.id.0.clone(),
            decision: decision.into(),
            rule,
            detail,
        }
    }

    /// Obeys an order, which always ends the task.
    async fn obey(&mut self, order: Order) -> End {
        self.hold.store(true, Ordering::Release);
        let (state, answer) = match order {
            Order::Shutdown => return End::Told,
            Order::Pause(answer) => (TrialState::Paused, answer),
            Order::Cancel(answer) => (TrialState::Cancelled, answer),
        };
        self.progress.eta_seconds = None;
        let written = self.commit(self.enter(state, None)).await;
        let (answered, end) = match written {
            Ok(()) => (Ok(()), End::Told),
            Err(End::Store(e)) => (Err(e.clone().into()), End::Store(e)),
            Err(other) => (Ok(()), other),
        };
        let _ = answer.send(answered);
        end
    }

    /// Waits for something, unless an order comes first.
    async fn wait<T>(&mut self, future: impl Future<Output = T>) -> Result<T, End> {
        tokio::pin!(future);
        tokio::select! {
            biased;
            order = self.inbox.recv() => Err(match order {
                Some(order) => self.obey(order).await,
                None => End::Told,
            }),
            out = &mut future => Ok(out),
        }
    }

    /// Runs a job on the pool and waits for it.
    async fn compute<T: Send + 'static>(
        &mut self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, End> {
        let (sender, receiver) = oneshot::channel();
        let hold = Arc::clone(&self.hold);
        self.inner.pool.submit(self.id, move || {
            if !hold.load(Ordering::Acquire) {
                let out = catch_unwind(AssertUnwindSafe(job)).map_err(|p| panic_text(&*p));
                let _ = sender.send(out);
            }
        });
        match self.wait(receiver).await? {
            Ok(Ok(out)) => Ok(out),
            Ok(Err(panic)) => Err(End::Failed(format!("the program failed: {panic}"))),
            // The pool was closed under the job.
            Err(_) => Err(End::Told),
        }
    }

    async fn run(&mut self) -> Result<(), End> {
        let slots = Arc::clone(&self.inner.slots);
        // Held for as long as the rows are in memory. The semaphore is never closed.
        let _slot = self
            .wait(slots.acquire_owned())
            .await?
            .map_err(|_| End::Told)?;
        self.began = self.parts().clock.monotonic();
        let resumed = self.record.progress.total > 0;
        let bars = self.fetch(resumed).await?;
        let mut series = Vec::new();
        for id in mltrainer_features::series_of(&self.spec.features) {
            let data = Arc::clone(&self.parts().data);
            let found = self.wait(async move { data.series(id).await }).await??;
            series.extend(found);
        }
        let panel = Arc::new(self.engineer(bars, series).await?);
        let plan = step::plan(&self.spec, panel.get());
        let forecasts = step::forecasts(&self.spec, panel.get());
        if forecasts > step::MAX_FORECASTS {
            return Err(End::Failed(format!(
                "this trial would make {} forecasts, the most is {}; ask for fewer models, horizons or symbols, or a shorter span",
                count(forecasts),
                count(step::MAX_FORECASTS)
            )));
        }
        let trials = Arc::clone(&self.parts().trials);
        let id = self.id.clone();
        let done = self
            .wait(async move { trials.steps(&id).await })
            .await?
            .map_err(End::Store)?;
        self.check_same_plan(&panel, &plan, &done, resumed)?;
        self.progress = Progress {
            done: done.len() as u32,
            total: plan.len() as u32,
            eta_seconds: None,
        };
        let mut write = self.enter(TrialState::Training, None);
        write.lineage = Some(self.lineage(panel.lineage().steps().to_vec()));
        if resumed {
            write.events.push(say(
                "ModelAgent",
                format!(
                    "Resumed: {} of {} were done already and are not repeated.",
                    count(done.len()),
                    many(plan.len(), "step")
                ),
            ));
        } else {
            write.events.extend(feature_messages(panel.get()));
            write.events.extend(self.plan_messages(panel.get(), &plan));
        }
        self.commit(write).await?;
        let (steps, scored) = self.train(&panel, &plan, done).await?;
        self.evaluate(&panel, steps, scored).await
    }

    /// Checks the specification once more and reads the bars of every data set.
    async fn fetch(&mut self, resumed: bool) -> Result<Vec<Verified<Bars>>, End> {
        self.commit(self.enter(TrialState::Checking, None)).await?;
        let spec = Arc::clone(&self.spec);
        for dataset in &spec.datasets {
            if policy::origin(&dataset.source).is_none() {
                return Err(End::Blocked(policy::APPROVED_ORIGINS_ONLY.refusal(
                    &format!(
                        "data set {} is from \"{}\", which is not approved",
                        dataset.id, dataset.source
                    ),
                )));
            }
        }
        if let Some(unknown) = spec
            .models
            .iter()
            .find(|m| self.parts().registry.find(&m.model).is_none())
        {
            return Err(End::Failed(format!(
                "the catalogue of this version has no model {}; start a new trial without it",
                unknown.model
            )));
        }
        self.commit(self.enter(TrialState::Fetching, None)).await?;
        let mut all = Vec::new();
        let mut said = Vec::new();
        for (symbol, dataset) in spec.symbols.iter().zip(&spec.datasets) {
            let data = Arc::clone(&self.parts().data);
            let wanted = dataset.clone();
            let bars = self.wait(async move { data.bars(&wanted).await }).await??;
            // The set itself, or days made out of it: its hash is then a step of their lineage.
            let steps = bars.lineage().steps();
            if !steps.iter().any(|s| s.sha256 == dataset.sha256) {
                let found = bars.get().sha256();
                return Err(End::Blocked(policy::LINEAGE_ON_EVERY_VALUE.refusal(&format!(
                    "data set {} has hash {found}, the trial was made on {}; start a new trial on the data of today",
                    dataset.id, dataset.sha256
                ))));
            }
            let (dates, b) = (&bars.get().dates, bars.get());
            let in_span = b.slice(spec.start, spec.end).len();
            said.push(say(
                "DataAgent",
                format!(
                    "{symbol}: {} from {} to {} passed the gate ({}, SHA-256 {}...); {} of them in the span asked for.",
                    many(dates.len(), "bar"),
                    dates.first().map_or_else(String::new, ToString::to_string),
                    dates.last().map_or_else(String::new, ToString::to_string),
                    dataset.id,
                    dataset.sha256.get(..12).unwrap_or(&dataset.sha256),
                    count(in_span),
                ),
            ));
            all.push(bars);
        }
        let mut write = self.enter(TrialState::Engineering, None);
        if !resumed {
            write.events.splice(0..0, said);
        }
        self.commit(write).await?;
        Ok(all)
    }

    async fn engineer(
        &mut self,
        bars: Vec<Verified<Bars>>,
        series: Vec<Verified<Series>>,
    ) -> Result<Verified<Panel>, End> {
        let spec = Arc::clone(&self.spec);
        let built = self
            .compute(move || {
                let context = Context::verified(&series);
                panel::build(&spec, &bars, context.as_ref())
            })
            .await?;
        Ok(built?)
    }

    /// Steps that were stored must belong to the same rows and plan, or they cannot be mixed with
    /// new ones.
    fn check_same_plan(
        &self,
        panel: &Verified<Panel>,
        plan: &[Step],
        done: &[StepRecord],
        resumed: bool,
    ) -> Result<(), End> {
        let before = self.record.lineage.steps.last().map(|s| s.sha256.as_str());
        let same_rows = !resumed || before.is_none_or(|b| b == panel.lineage().sha256());
        let same_steps = done.iter().all(|s| {
            plan.get(s.index as usize).is_some_and(|p| {
                self.spec.models[p.model].model == s.model
                    && self.spec.horizons[p.horizon] == s.horizon
                    && p.fold as u32 + 1 == s.fold
            })
        });
        if same_rows && same_steps {
            Ok(())
        } else {
            Err(End::Failed(
                "this trial was begun by a version of the program that computed other features or folds; start it anew".into(),
            ))
        }
    }

    fn lineage(&self, steps: Vec<mltrainer_types::data::LineageStep>) -> Lineage {
        Lineage {
            datasets: self.spec.datasets.clone(),
            steps,
        }
    }

    fn plan_messages(&self, panel: &Panel, plan: &[Step]) -> Vec<EventBody> {
        let spec = &self.spec;
        let baselines = spec.models.iter().filter(|m| m.baseline).count();
        let mut messages = vec![say(
            "ModelAgent",
            format!(
                "{} and {} over {} and {}: {}. {}.",
                many(spec.models.len() - baselines, "model"),
                many(baselines, "baseline"),
                many(spec.horizons.len(), "horizon"),
                many(panel.horizons.first().map_or(0, |h| h.folds.len()), "fold"),
                many(plan.len(), "step"),
                validation_text(&spec.validation)
            ),
        )];
        for h in &panel.horizons {
            let folds: Vec<String> = h
                .folds
                .iter()
                .enumerate()
                .map(|(i, f)| {
                    format!(
                        "fold {} learns on {} to {} and forecasts {} to {}",
                        i + 1,
                        h.days[f.train.start],
                        h.days[f.train.end - 1],
                        h.days[f.test.start],
                        h.days[f.test.end - 1]
                    )
                })
                .collect();
            let gap = match mltrainer_backtest::splits::gap(&spec.validation, h.bars) {
                1 => "The day before each test window is left out".to_owned(),
                n => format!("The {n} days before each test window are left out"),
            };
            messages.push(say(
                "ModelAgent",
                format!(
                    "Horizon {}: {} with a target; {}. {}, so that no training target reaches into it.",
                    h.bars,
                    many(h.rows.len(), "row"),
                    folds.join("; "),
                    gap,
                ),
            ));
            messages.extend(selection_messages(panel, h));
        }
        let scaled = spec.models.iter().any(|m| {
            let found = self.parts().registry.find(&m.model);
            found.is_some_and(|f| f.entry.card.inputs == Inputs::Features)
        });
        if scaled {
            messages.push(say(
                "ModelAgent",
                if spec.target == Target::Direction {
                    "Features are scaled to mean 0 and deviation 1 by the rows of each training window alone.".into()
                } else {
                    "Features and target are scaled to mean 0 and deviation 1 by the rows of each training window alone; forecasts are stated in the target's unit.".to_owned()
                },
            ));
        }
        messages
    }

    /// Runs what is left of the plan; every step is stored before the next event. Gives all steps
    /// and the scores of every model and horizon.
    async fn train(
        &mut self,
        panel: &Arc<Verified<Panel>>,
        plan: &[Step],
        done: Vec<StepRecord>,
    ) -> Result<(Vec<StepSummary>, Vec<Scored>), End> {
        let (sender, mut reports) = mpsc::unbounded_channel();
        let warm = (0..self.spec.models.len())
            .map(|m| step::starts_warm(&self.spec, &self.parts().registry, m))
            .collect();
        let mut board = Board::new(plan, warm, done);
        let started = self.parts().clock.monotonic();
        let before = self.progress.done;
        // One more than there are threads, so that none waits for a commit.
        let at_once = self.parts().threads.max(1) + 1;
        let mut running = 0;
        let mut ended: Option<End> = None;
        loop {
            if ended.is_none() {
                while running < at_once {
                    if let Some((model, horizon, steps)) = board.next_to_score() {
                        self.start_score(model, horizon, steps, sender.clone());
                    } else if let Some((step, starts)) = board.next_step() {
                        self.start_step(panel, step, starts, sender.clone());
                    } else {
                        break;
                    }
                    running += 1;
                }
            }
            if running == 0 {
                break;
            }
            let report = tokio::select! {
                biased;
                order = self.inbox.recv(), if ended.is_none() => {
                    ended = Some(match order {
                        Some(order) => self.obey(order).await,
                        None => End::Told,
                    });
                    continue;
                }
                report = reports.recv() => report,
            };
            running -= 1;
            let written = match report {
                None => break,
                Some(Report::Held) => Ok(()),
                Some(Report::Scored(model, horizon, scored)) => {
                    board.scored.insert((horizon, model), *scored);
                    if ended.is_none() && !board.is_done() {
                        self.leaderboard_so_far(&board).await
                    } else {
                        Ok(())
                    }
                }
                Some(Report::Step(step)) => {
                    self.progress.done += 1;
                    let so_far = self.parts().clock.monotonic().saturating_sub(started);
                    self.progress.eta_seconds =
                        eta(so_far, self.progress.done - before, self.progress);
                    let written = self.store_step(&step, ended.is_none()).await;
                    board.add(*step);
                    written
                }
            };
            if let Err(end) = written {
                self.hold.store(true, Ordering::Release);
                // The first reason counts: after a cancel, refused writes are expected.
                ended.get_or_insert(end);
            }
        }
        match ended {
            Some(end) => Err(end),
            None if board.is_done() => {
                let scored = board.scored.into_values().collect();
                Ok((board.done.into_values().collect(), scored))
            }
            // The pool was closed under the jobs.
            None => Err(End::Told),
        }
    }

    fn start_step(
        &self,
        panel: &Arc<Verified<Panel>>,
        step: Step,
        starts: Starts,
        sender: mpsc::UnboundedSender<Report>,
    ) {
        let inner = Arc::clone(self.inner);
        let spec = Arc::clone(&self.spec);
        let panel = Arc::clone(panel);
        let hold = Arc::clone(&self.hold);
        self.inner.pool.submit(self.id, move || {
            if hold.load(Ordering::Acquire) {
                let _ = sender.send(Report::Held);
                return;
            }
            let start = inner.parts.clock.monotonic();
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                step::run(&spec, &inner.parts.registry, &panel, &step, &starts)
            }))
            .unwrap_or_else(|p| Err(format!("the model panicked: {}", panic_text(&*p))));
            let took = inner.parts.clock.monotonic().saturating_sub(start);
            let (predictions, notes, starts, error) = match outcome {
                Ok(o) => (o.predictions, o.notes, o.starts, None),
                // The next fold starts anew.
                Err(e) => (
                    Predictions::default(),
                    Vec::new(),
                    Starts::default(),
                    Some(e),
                ),
            };
            let h = &panel.get().horizons[step.horizon];
            let _ = sender.send(Report::Step(Box::new(StepRecord {
                index: step.index,
                model: spec.models[step.model].model.clone(),
                model_index: step.model as u32,
                horizon: h.bars,
                fold: step.fold as u32 + 1,
                folds: h.folds.len() as u32,
                error,
                notes,
                took_ms: took.as_secs_f64() * 1000.0,
                predictions,
                starts,
            })));
        });
    }

    fn start_score(
        &self,
        model: usize,
        horizon: usize,
        steps: Vec<StepRecord>,
        sender: mpsc::UnboundedSender<Report>,
    ) {
        let inner = Arc::clone(self.inner);
        let spec = Arc::clone(&self.spec);
        self.inner.pool.submit(self.id, move || {
            let refs: Vec<&StepRecord> = steps.iter().collect();
            let scored = evaluate::score(&spec, &inner.parts.registry, model, horizon, &refs);
            let _ = sender.send(Report::Scored(model, horizon, Box::new(scored)));
        });
    }

    async fn store_step(&self, step: &StepRecord, running: bool) -> Result<(), End> {
        let mut progress = self.progress;
        if !running {
            progress.eta_seconds = None;
        }
        let p = &step.predictions;
        let forecast = if self.spec.target == Target::Direction {
            &p.probability
        } else {
            &p.predicted
        };
        let mut write = self.write();
        write.events.push(EventBody::Step(StepEvent {
            index: step.index,
            model: step.model.clone(),
            horizon: step.horizon,
            fold: step.fold,
            folds: step.folds,
            rmse: metrics::mse(forecast, &p.actual)
                .map(f64::sqrt)
                .and_then(mltrainer_types::finite),
            error: step.error.clone(),
            took_ms: step.took_ms,
            progress,
        }));
        if let Some(error) = &step.error {
            let title = evaluate::title(
                &self.parts().registry,
                &self.spec.models[step.model_index as usize],
            );
            write.events.push(warn(
                "ModelAgent",
                format!(
                    "{title}, horizon {}, fold {} gave nothing: {error}",
                    step.horizon, step.fold
                ),
            ));
        }
        write.progress = Some(progress);
        write.step = Some(step.clone());
        self.commit(write).await
    }

    async fn leaderboard_so_far(&self, board: &Board) -> Result<(), End> {
        let scored: Vec<Scored> = board.scored.values().cloned().collect();
        let rows = evaluate::leaderboard(&self.spec, &scored);
        let mut write = self.write();
        write.leaderboard = Some(rows.clone());
        write.events.push(EventBody::Leaderboard(LeaderboardEvent {
            rows,
            provisional: true,
        }));
        self.commit(write).await
    }

    async fn evaluate(
        &mut self,
        panel: &Arc<Verified<Panel>>,
        steps: Vec<StepSummary>,
        scored: Vec<Scored>,
    ) -> Result<(), End> {
        self.progress.eta_seconds = None;
        self.commit(self.enter(TrialState::Evaluating, None))
            .await?;
        let trials = Arc::clone(&self.parts().trials);
        let asked = Arc::clone(&self.spec);
        let tried_ever = self
            .wait(async move { trials.tried(&asked).await })
            .await?
            .map_err(End::Store)?;
        let spec = Arc::clone(&self.spec);
        let panel = Arc::clone(panel);
        let (result, hash) = self
            .compute(move || {
                let leaderboard = evaluate::leaderboard(&spec, &scored);
                let verdict = evaluate::verdict(&spec, &leaderboard, &steps, tried_ever);
                let detail = format!("{} evaluated on test rows only", many(steps.len(), "step"));
                let derived = panel.derive("result", detail, |_| {
                    let content = Outcome {
                        leaderboard: &leaderboard,
                        steps: &steps,
                    };
                    Ok::<_, TrialError>(Hashed(content.sha256()))
                });
                derived.map(|d| {
                    let hash = d.lineage().sha256().to_owned();
                    ((leaderboard, verdict, d.lineage().steps().to_vec()), hash)
                })
            })
            .await??;
        let (leaderboard, verdict, lineage) = result;
        let mut write = self.enter(TrialState::Finished, None);
        let mut events = vec![
            EventBody::Leaderboard(LeaderboardEvent {
                rows: leaderboard.clone(),
                provisional: false,
            }),
            say("EvaluationAgent", verdict.text.clone()),
            say(
                "EvaluationAgent",
                format!(
                    "Finished {} after the last start; result SHA-256 {hash}.",
                    duration(self.seconds())
                ),
            ),
        ];
        // The state comes last: whoever follows the events stops there.
        events.append(&mut write.events);
        write.events = events;
        write.audit.push(self.audit(
            "trial.finish",
            "allowed",
            None,
            serde_json::json!({
                "result_sha256": hash,
                "found_edge": verdict.found_edge,
                "tried": combinations(&self.spec),
                "tried_ever": verdict.tried_ever,
            }),
        ));
        write.result = Some(TrialResult {
            leaderboard,
            verdict,
            lineage: self.lineage(lineage),
            result_sha256: hash,
        });
        self.commit(write).await
    }
}

/// A content whose hash is known: the result as the lineage names it.
struct Hashed(String);

impl Content for Hashed {
    fn digest(&self, d: &mut Digest) {
        d.text(&self.0);
    }
    fn sha256(&self) -> String {
        self.0.clone()
    }
}

/// What is done and what is left of a plan.
struct Board {
    /// Of each model, whether a fit starts where that of the fold before ended.
    warm: Vec<bool>,
    /// Where fits ended whose next fold has not begun, by the index of their step.
    starts: BTreeMap<u32, Starts>,
    /// Steps of each horizon and model in the plan.
    wanted: BTreeMap<(usize, usize), Vec<u32>>,
    pending: VecDeque<Step>,
    done: BTreeMap<u32, StepSummary>,
    /// Forecasts of done steps, kept until they are scored.
    kept: BTreeMap<u32, StepRecord>,
    /// Horizons and models all of whose steps are done and not yet scored.
    to_score: VecDeque<(usize, usize)>,
    scored: BTreeMap<(usize, usize), Scored>,
}

impl Board {
    fn new(plan: &[Step], warm: Vec<bool>, done: Vec<StepRecord>) -> Self {
        let mut board = Self {
            warm,
            starts: BTreeMap::new(),
            wanted: BTreeMap::new(),
            pending: plan.iter().copied().collect(),
            done: BTreeMap::new(),
            kept: BTreeMap::new(),
            to_score: VecDeque::new(),
            scored: BTreeMap::new(),
        };
        for step in plan {
            let key = (step.horizon, step.model);
            board.wanted.entry(key).or_default().push(step.index);
        }
        for step in done {
            board.add(step);
        }
        let done = &board.done;
        board.pending.retain(|s| !done.contains_key(&s.index));
        board
    }

    fn add(&mut self, step: StepRecord) {
        let index = step.index;
        if !step.starts.0.is_empty() {
            self.starts.insert(index, step.starts.clone());
        }
        self.done.insert(index, StepSummary::of(&step));
        self.kept.insert(index, step);
        let group = self.wanted.iter().find(|(_, steps)| steps.contains(&index));
        if let Some((key, steps)) = group
            && steps.iter().all(|i| self.done.contains_key(i))
        {
            self.to_score.push_back(*key);
        }
    }

    /// The next step that can be done, and from where its fit starts: for a model that starts warm, one whose
    /// fold before is done. Folds stand next to each other in the plan.
    fn next_step(&mut self) -> Option<(Step, Starts)> {
        let waits = |s: &Step| self.warm.get(s.model) == Some(&true) && s.fold > 0;
        let place = self
            .pending
            .iter()
            .position(|s| !waits(s) || self.done.contains_key(&(s.index - 1)))?;
        let step = self.pending.remove(place)?;
        let starts = if waits(&step) {
            self.starts.remove(&(step.index - 1)).unwrap_or_default()
        } else {
            Starts::default()
        };
        Some((step, starts))
    }

    /// Model, horizon and steps of the next score to compute.
    fn next_to_score(&mut self) -> Option<(usize, usize, Vec<StepRecord>)> {
        let key = self.to_score.pop_front()?;
        let steps = self.wanted.get(&key)?;
        let records = steps.iter().filter_map(|i| self.kept.remove(i)).collect();
        Some((key.1, key.0, records))
    }

    fn is_done(&self) -> bool {
        self.scored.len() == self.wanted.len()
    }
}

/// Seconds left at the pace so far.
fn eta(so_far: Duration, done: u32, progress: Progress) -> Option<f64> {
    let left = progress.total.saturating_sub(progress.done);
    (done > 0 && left > 0).then(|| so_far.as_secs_f64() / f64::from(done) * f64::from(left))
}

fn say(agent: &str, text: String) -> EventBody {
    message(agent, Level::Info, text)
}

fn warn(agent: &str, text: String) -> EventBody {
    message(agent, Level::Warning, text)
}

fn message(agent: &str, level: Level, text: String) -> EventBody {
    EventBody::Message(MessageEvent {
        agent: agent.to_owned(),
        level,
        text,
    })
}

fn feature_messages(panel: &Panel) -> Vec<EventBody> {
    let mut groups: Vec<(&str, usize)> = Vec::new();
    for feature in mltrainer_features::registry() {
        if panel.features.iter().any(|f| f == feature.id) {
            match groups.last_mut() {
                Some((group, n)) if *group == feature.group => *n += 1,
                _ => groups.push((feature.group, 1)),
            }
        }
    }
    let groups: Vec<String> = groups.iter().map(|(g, n)| format!("{g} {n}")).collect();
    let mut messages = vec![say(
        "FeatureAgent",
        format!(
            "{} ({}) on {}; {} of the span went into warming up.",
            many(panel.features.len(), "feature"),
            groups.join(", "),
            many(panel.rows.len(), "row"),
            many(panel.warming.iter().sum(), "bar")
        ),
    )];
    let undefined: usize = panel.undefined.iter().sum();
    if undefined > 0 {
        messages.push(warn(
            "FeatureAgent",
            format!(
                "{} left out because some feature is not defined there; nothing was filled in.",
                many(undefined, "row")
            ),
        ));
    }
    // Features left out for the same reason share a message.
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for l in &panel.left_out {
        match reasons.iter_mut().find(|(reason, _)| *reason == l.reason) {
            Some((_, ids)) => ids.push(&l.id),
            None => reasons.push((&l.reason, vec![&l.id])),
        }
    }
    for (reason, ids) in reasons {
        messages.push(warn(
            "FeatureAgent",
            format!("Left out: {}, because {reason}.", list(&ids)),
        ));
    }
    messages
}

/// Which features a training window has no use for.
fn selection_messages(panel: &Panel, h: &Horizon) -> Vec<EventBody> {
    let mut messages = Vec::new();
    let name = |k: usize| panel.features[k].as_str();
    // Of each feature the windows in which another says the same, and the last such other.
    let mut same: BTreeMap<usize, (usize, &str)> = BTreeMap::new();
    for (fold, selection) in h.selections.iter().enumerate() {
        let mut constant = Vec::new();
        for (k, reason) in &selection.dropped {
            match reason {
                Reason::Constant => constant.push(name(*k)),
                Reason::SameAs { column, .. } => {
                    let (windows, other) = same.entry(*k).or_default();
                    *windows += 1;
                    *other = name(*column);
                }
            }
        }
        if !constant.is_empty() {
            messages.push(warn(
                "ModelAgent",
                format!(
                    "Horizon {}, fold {}: {} not vary in the training window and {} left out.",
                    h.bars,
                    fold + 1,
                    if constant.len() == 1 {
                        format!("{} does", constant[0])
                    } else {
                        format!("{} do", list(&constant))
                    },
                    if constant.len() == 1 { "is" } else { "are" }
                ),
            ));
        }
    }
    if !same.is_empty() {
        let said: Vec<String> = same
            .iter()
            .map(|(k, (windows, other))| format!("{} ({windows}, like {other})", name(*k)))
            .collect();
        messages.push(say(
            "ModelAgent",
            format!(
                "Horizon {}: left out in so many of the {} training windows because they correlate above {MOST_CORRELATION} with a feature that tells more about the target there: {}.",
                h.bars,
                h.selections.len(),
                list(&said)
            ),
        ));
    }
    messages
}

/// What a panic said.
fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "for a reason it did not give".to_owned())
}
