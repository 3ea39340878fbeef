//! What the tests share: a store in memory that can be made to fail, verified bundled data, a clock
//! that counts, and a few models that misbehave.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Prediction, Predictor, Registry, Supervised, Training,
    params,
};
use mltrainer_compliance::{Arrival, Content, Gate, Verified};
use mltrainer_data::bars::Bars;
use mltrainer_data::bundled;
use mltrainer_data::series::Series;
use mltrainer_trials::{
    Clock, DataPort, Engine, EngineParts, EventSink, PortError, StepRecord, SymbolData, TrialError,
    TrialPort, TrialRecord, TrialWrite, combinations, first_event, spec_key, validate,
};
use mltrainer_types::TrialId;
use mltrainer_types::catalogue::Task;
use mltrainer_types::data::DatasetKind;
use mltrainer_types::event::{EventBody, TrialEvent};
use mltrainer_types::trial::{
    DatasetRef, Lineage, ModelRequest, Progress, TrialRequest, TrialSpec, TrialState,
};
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

pub(crate) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Time that moves a millisecond with each look at it.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Clock for Counter {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000, 0).unwrap() + self.monotonic()
    }
    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) record: TrialRecord,
    pub(crate) steps: Vec<StepRecord>,
    pub(crate) events: Vec<TrialEvent>,
    pub(crate) audit: Vec<String>,
}

#[derive(Default)]
struct Inside {
    trials: BTreeMap<TrialId, Stored>,
    commits: usize,
    /// Every write after so many fails: the process was killed.
    dies_after: Option<usize>,
    /// The next writes find the database locked.
    busy: usize,
}

/// The store. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<Inside>>);

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap()
    }
    pub(crate) fn create(&self, spec: &TrialSpec) -> TrialId {
        let mut inside = self.lock();
        let id = TrialId(format!("t-{}", inside.trials.len() + 1));
        let at = Counter::default().now();
        let event = TrialEvent {
            seq: 1,
            at,
            body: first_event(),
        };
        inside.trials.insert(
            id.clone(),
            Stored {
                record: TrialRecord {
                    id: id.clone(),
                    state: TrialState::Queued,
                    reason: None,
                    spec: spec.clone(),
                    created_at: at,
                    updated_at: at,
                    progress: Progress::default(),
                    leaderboard: Vec::new(),
                    verdict: None,
                    lineage: Lineage::default(),
                    result_sha256: None,
                    last_event: 1,
                },
                steps: Vec::new(),
                events: vec![event],
                audit: Vec::new(),
            },
        );
        id
    }
    pub(crate) fn get(&self, id: &TrialId) -> Stored {
        self.lock().trials[id].clone()
    }
    pub(crate) fn die_after(&self, commits: Option<usize>) {
        let mut inside = self.lock();
        inside.commits = 0;
        inside.dies_after = commits;
    }
    pub(crate) fn busy(&self, writes: usize) {
        self.lock().busy = writes;
    }
    pub(crate) fn commits(&self) -> usize {
        self.lock().commits
    }
}

#[async_trait]
impl TrialPort for Memory {
    async fn trial(&self, id: &TrialId) -> Result<Option<TrialRecord>, PortError> {
        Ok(self.lock().trials.get(id).map(|s| s.record.clone()))
    }
    async fn steps(&self, id: &TrialId) -> Result<Vec<StepRecord>, PortError> {
        let mut steps = self.get(id).steps;
        steps.sort_by_key(|s| s.index);
        // As a database gives them: through their bytes.
        for s in &mut steps {
            s.predictions = mltrainer_trials::Predictions::decode(&s.predictions.encode())?;
            s.starts = mltrainer_trials::Starts::decode(&s.starts.encode())?;
        }
        Ok(steps)
    }
    async fn commit(&self, id: &TrialId, write: TrialWrite) -> Result<Vec<TrialEvent>, PortError> {
        let mut inside = self.lock();
        if inside.dies_after.is_some_and(|n| inside.commits >= n) {
            return Err(PortError::Failed("the process was killed".into()));
        }
        if inside.busy > 0 {
            inside.busy -= 1;
            return Err(PortError::Busy("database is locked".into()));
        }
        inside.commits += 1;
        let stored = inside.trials.get_mut(id).unwrap();
        if stored.record.state.is_final() {
            return Err(PortError::Conflict("the trial has ended".into()));
        }
        if let Some(step) = write.step {
            if stored.steps.iter().any(|s| s.index == step.index) {
                return Err(PortError::Conflict(format!("step {} is there", step.index)));
            }
            stored.steps.push(step);
        }
        let r = &mut stored.record;
        if let Some(change) = write.state {
            r.state = change.state;
            r.reason = change.reason;
            r.updated_at = write.at;
        }
        if let Some(p) = write.progress {
            r.progress = p;
        }
        if let Some(rows) = write.leaderboard {
            r.leaderboard = rows;
        }
        if let Some(lineage) = write.lineage {
            r.lineage = lineage;
        }
        if let Some(result) = write.result {
            r.leaderboard = result.leaderboard;
            r.verdict = Some(result.verdict);
            r.lineage = result.lineage;
            r.result_sha256 = Some(result.result_sha256);
        }
        let mut sent = Vec::new();
        for body in write.events {
            r.last_event += 1;
            sent.push(TrialEvent {
                seq: r.last_event,
                at: write.at,
                body,
            });
        }
        stored.events.extend(sent.clone());
        stored
            .audit
            .extend(write.audit.into_iter().map(|a| a.action));
        Ok(sent)
    }
    async fn unfinished(&self) -> Result<Vec<TrialId>, PortError> {
        Ok(self
            .lock()
            .trials
            .values()
            .filter(|s| !s.record.state.is_final() && s.record.state != TrialState::Paused)
            .map(|s| s.record.id.clone())
            .collect())
    }
    async fn tried(&self, spec: &TrialSpec) -> Result<u32, PortError> {
        let inside = self.lock();
        let distinct: BTreeMap<String, u32> = inside
            .trials
            .values()
            .map(|s| &s.record.spec)
            .filter(|s| s.target == spec.target)
            .filter(|s| s.symbols.iter().any(|x| spec.symbols.contains(x)))
            .map(|s| (spec_key(s), combinations(s)))
            .collect();
        Ok(distinct.values().sum())
    }
}

/// Bundled data through the gate, and bars put here by a test.
#[derive(Clone, Default)]
pub(crate) struct Data {
    own: Arc<Mutex<BTreeMap<String, Bars>>>,
}

impl Data {
    pub(crate) fn put(&self, id: &str, bars: Bars) -> SymbolData {
        self.keep(info(&format!("user:{id}"), "user_provided", &bars), bars)
    }
    /// Bars made of bundled ones, which the gate would refuse as a user's file.
    pub(crate) fn derive(&self, id: &str, bars: Bars) -> SymbolData {
        self.keep(info(&format!("derived:{id}"), "bundled", &bars), bars)
    }
    fn keep(&self, info: SymbolData, bars: Bars) -> SymbolData {
        let id = info.dataset.id.0.clone();
        self.own.lock().unwrap().insert(id, bars);
        info
    }
    fn read(&self, id: &str) -> Result<Verified<Bars>, TrialError> {
        let arrival = match id.split_once(':') {
            Some(("bundled", symbol)) => bundled::bars(symbol).unwrap(),
            Some(("derived", _)) => {
                let real = self.read("bundled:SPX")?;
                let bars = self.own.lock().unwrap()[id].clone();
                return real.derive("made in a test", id, |_| Ok(bars));
            }
            _ => Arrival {
                origin: "user_provided".into(),
                request: id.into(),
                promised_sha256: None,
                content: self.own.lock().unwrap()[id].clone(),
            },
        };
        Gate::admit(arrival)
            .map(|a| a.verified)
            .map_err(|r| TrialError::Blocked(r.refusal))
    }
}

fn info(id: &str, source: &str, bars: &Bars) -> SymbolData {
    SymbolData {
        symbol: bars.symbol.clone(),
        dataset: DatasetRef {
            id: id.into(),
            source: source.into(),
            sha256: bars.sha256(),
        },
        kind: if bars.high.is_some() {
            DatasetKind::Bars
        } else {
            DatasetKind::Closes
        },
        first: bars.dates[0],
        last: *bars.dates.last().unwrap(),
        rows: bars.len() as u64,
    }
}

/// What is known of a bundled symbol within a request's span.
pub(crate) fn known(request: &TrialRequest, symbol: &str) -> SymbolData {
    let bars = Data::default().read(&format!("bundled:{symbol}")).unwrap();
    let bars = bars.get();
    SymbolData {
        rows: bars.slice(request.start, request.end).len() as u64,
        ..info(&format!("bundled:{symbol}"), "bundled", bars)
    }
}

#[async_trait]
impl DataPort for Data {
    async fn bars(&self, dataset: &DatasetRef) -> Result<Verified<Bars>, TrialError> {
        self.read(dataset.id.as_str())
    }
    async fn series(&self, id: &str) -> Result<Option<Verified<Series>>, TrialError> {
        let arrival = bundled::series(id).ok();
        Ok(arrival.map(|a| Gate::admit(a).unwrap().verified))
    }
}

/// Keeps what was sent, to compare it with what was stored.
#[derive(Clone, Default)]
pub(crate) struct Sent(pub(crate) Arc<Mutex<Vec<TrialEvent>>>);

impl EventSink for Sent {
    fn publish(&self, _: &TrialId, events: &[TrialEvent]) {
        self.0.lock().unwrap().extend_from_slice(events);
    }
}

/// An engine with its store, data and what it sent.
pub(crate) struct Lab {
    pub(crate) engine: Engine,
    pub(crate) memory: Memory,
    pub(crate) data: Data,
    pub(crate) sent: Sent,
}

impl Lab {
    pub(crate) fn new(threads: usize) -> Self {
        Self::over(Memory::default(), Data::default(), threads)
    }
    /// A new process over a store that is there.
    pub(crate) fn over(memory: Memory, data: Data, threads: usize) -> Self {
        let sent = Sent::default();
        let engine = Engine::new(EngineParts {
            registry: registry(),
            trials: Arc::new(memory.clone()),
            data: Arc::new(data.clone()),
            clock: Arc::new(Counter::default()),
            sink: Arc::new(sent.clone()),
            threads,
        })
        .unwrap();
        Self {
            engine,
            memory,
            data,
            sent,
        }
    }
    pub(crate) async fn run(&self, spec: &TrialSpec) -> Stored {
        let id = self.memory.create(spec);
        self.engine.run_to_end(&id).await.unwrap();
        self.memory.get(&id)
    }
}

/// A request for bundled symbols made complete.
pub(crate) fn spec(request: &TrialRequest) -> TrialSpec {
    let data: Vec<SymbolData> = request.symbols.iter().map(|s| known(request, s)).collect();
    validate(request, &registry(), &data).unwrap()
}

/// A small trial: three models, two years of bars to forecast.
pub(crate) fn small() -> TrialRequest {
    TrialRequest {
        start: Some(day("2006-01-03")),
        end: Some(day("2009-12-31")),
        models: ["ridge", "decision_tree", "knn"].map(id).into(),
        ..TrialRequest::for_symbols(["IBM"])
    }
}

pub(crate) fn id(model: &str) -> ModelRequest {
    ModelRequest::Id(model.into())
}

pub(crate) fn states(stored: &Stored) -> Vec<TrialState> {
    stored
        .events
        .iter()
        .filter_map(|e| match &e.body {
            EventBody::State(s) => Some(s.state),
            _ => None,
        })
        .collect()
}

pub(crate) fn messages(stored: &Stored) -> Vec<String> {
    stored
        .events
        .iter()
        .filter_map(|e| match &e.body {
            EventBody::Message(m) => Some(format!("{}: {}", m.agent, m.text)),
            _ => None,
        })
        .collect()
}

/// The catalogue and, after it, the models below.
pub(crate) fn registry() -> Registry {
    static ENTRIES: std::sync::OnceLock<Vec<Entry>> = std::sync::OnceLock::new();
    let all = ENTRIES.get_or_init(|| {
        let mut all = mltrainer_catalogue::registry().entries().to_vec();
        all.push(Entry::supervised::<Panics>());
        all.push(Entry::supervised::<Refuses>());
        all.push(Entry::supervised::<Outlandish>());
        all
    });
    Registry::new(all)
}

params! {
    /// There are no parameters.
    pub(crate) struct NoParams {}
}

const CARD: Card = Card {
    id: "panics",
    family: "test",
    title: "Panics",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "",
    formula: "",
    data: "",
    cost: "",
    fails_when: "",
    not_claimed: "",
    source: "",
    reference: "",
    outputs: &[],
    stochastic: false,
    evidence: &[],
    presets: &[],
    exemptions: &[],
};

#[derive(Serialize, Deserialize)]
pub(crate) struct Nothing {}

impl Predictor for Nothing {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        Ok(Prediction::values(vec![0.0; x.nrows()]))
    }
    fn outputs(&self) -> Outputs {
        Outputs::new()
    }
}

/// Panics whenever it is fitted.
pub(crate) struct Panics;
impl Supervised for Panics {
    type Params = NoParams;
    type Fitted = Nothing;
    const CARD: &'static Card = &CARD;
    fn fit(_: &NoParams, _: &Training, _: u64) -> Result<Nothing, FitError> {
        panic!("index 7 is out of bounds")
    }
}

/// Has no answer on a window of more than 300 rows.
pub(crate) struct Refuses;
impl Supervised for Refuses {
    type Params = NoParams;
    type Fitted = Nothing;
    const CARD: &'static Card = &Card {
        id: "refuses",
        title: "Refuses",
        ..CARD
    };
    fn fit(_: &NoParams, data: &Training, _: u64) -> Result<Nothing, FitError> {
        if data.design().rows() > 300 {
            return Err(FitError::Failed(
                "did not converge; scale the columns".into(),
            ));
        }
        Ok(Nothing {})
    }
}

/// Predicts a wild number: worse than anything.
pub(crate) struct Outlandish;
impl Supervised for Outlandish {
    type Params = NoParams;
    type Fitted = Wild;
    const CARD: &'static Card = &Card {
        id: "wild",
        title: "Wild",
        ..CARD
    };
    fn fit(_: &NoParams, _: &Training, seed: u64) -> Result<Wild, FitError> {
        Ok(Wild { seed })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Wild {
    seed: u64,
}

impl Predictor for Wild {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        let lift = (self.seed % 97) as f64;
        Ok(Prediction::values(
            x.rows().into_iter().map(|r| 50.0 + lift + r[0]).collect(),
        ))
    }
    fn outputs(&self) -> Outputs {
        Outputs::new()
    }
}
