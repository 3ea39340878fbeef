//! What the use cases need from a store, named by meaning. The trial engine's own port,
//! [`TrialPort`], is stated in `trials`; a [`TrialStore`] is that and what lists and pages need.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mltrainer_types::assistant::{CreateAlert, SetGoal};
use mltrainer_types::audit::{AuditEntry, AuditFilter, AuditRecord, AuditVerification};
use mltrainer_types::backtest::{BacktestSummary, BacktestView};
use mltrainer_types::chat::{
    AlertEvent, AlertView, ChatMessage, Conversation, GoalView, MemoryHit,
};
use mltrainer_types::coach::{
    CoachView, Effect, GuidanceRequest, Intervention, InterventionState, Recipe, TrustStep,
};
use mltrainer_types::data::DatasetDetail;
use mltrainer_types::event::TrialEvent;
use mltrainer_types::learning::Experience;
use mltrainer_types::llm::{LlmCall, MeterRecord, Steerer};
use mltrainer_types::optimisation::{
    OptimisationEvent, OptimisationEventBody, OptimisationResult, OptimisationSpec,
    OptimisationSummary, OptimisationView, OptimisationWindow, WindowCurve,
};
use mltrainer_types::paper::{Paper, PaperSummary, PaperTest, PdfText};
use mltrainer_types::portfolio::{Transaction, TransactionRequest};
use mltrainer_types::token::TokenView;
use mltrainer_types::trial::{Lineage, Progress, TrialSpec, TrialSummary};
use mltrainer_types::{
    AlertId, BacktestId, ConversationId, DatasetId, OptimisationId, PaperId, TrialId,
};

pub use mltrainer_backtest::walk_forward::Window;
pub use mltrainer_catalogue::search::Told;
pub use mltrainer_trials::port::{Clock, EventSink, PortError, StateChange, TrialPort};

/// A registered data set.
#[derive(Debug, Clone, PartialEq)]
pub struct Registered {
    /// Everything a reader sees.
    pub detail: DatasetDetail,
    /// Path of its Parquet file under the data folder; `None` for a bundled set.
    pub path: Option<String>,
    /// SHA-256 of the file that arrived.
    pub file_sha256: String,
    /// When it was checked.
    pub checked_at: DateTime<Utc>,
    /// Version of the program that checked it.
    pub checked_by: String,
}

/// Registered data sets.
#[async_trait]
pub trait DatasetStore: Send + Sync {
    /// All of them, by id.
    async fn datasets(&self) -> Result<Vec<Registered>, PortError>;

    /// How many there are.
    async fn count(&self) -> Result<u32, PortError>;

    /// One of them.
    async fn dataset(&self, id: &DatasetId) -> Result<Option<Registered>, PortError>;

    /// Registers sets (replacing those of the same id) together with their audit records, in one
    /// transaction.
    async fn register(
        &self,
        sets: Vec<Registered>,
        audit: Vec<AuditEntry>,
    ) -> Result<(), PortError>;
}

/// The audit chain.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Appends records that stand for themselves: refusals.
    async fn append(&self, entries: Vec<AuditEntry>) -> Result<(), PortError>;

    /// Records that the filter lets through, newest first, with numbers below `before`.
    async fn newest(
        &self,
        filter: &AuditFilter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, PortError>;

    /// Records with numbers above `after`, oldest first.
    async fn oldest(&self, after: i64, limit: u32) -> Result<Vec<AuditRecord>, PortError>;

    /// Number of the last record.
    async fn last(&self) -> Result<i64, PortError>;

    /// Checks every record and every checkpoint.
    async fn verify(&self) -> Result<AuditVerification, PortError>;

    /// Signs the chain as it stands: at the end of a process.
    async fn seal(&self) -> Result<(), PortError>;

    /// The key that checks the signatures, hexadecimal.
    fn public_key(&self) -> String;
}

/// A key that a client gave with a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The key.
    pub key: String,
    /// SHA-256 of the request it came with.
    pub body_sha256: String,
}

/// A trial to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTrial {
    /// Its id.
    pub id: TrialId,
    /// What to do.
    pub spec: TrialSpec,
    /// Lineage as far as it is known.
    pub lineage: Lineage,
    /// When.
    pub at: DateTime<Utc>,
    /// The client's key.
    pub idempotency: Option<Idempotency>,
    /// Its audit record.
    pub audit: AuditEntry,
}

/// What became of a [`NewTrial`].
#[derive(Debug, Clone, PartialEq)]
pub enum Creation {
    /// It was made, with its first event.
    Made(Vec<TrialEvent>),
    /// The key made this one before, with the same request.
    Repeated(TrialId),
    /// The key came before with another request.
    KeyTaken,
}

/// Who runs a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// This process, perhaps since just now: its former owner is dead.
    Mine,
    /// Another living process.
    Elsewhere,
}

/// What another process asks a trial's owner to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// End it.
    Cancel,
    /// Stop after the running steps.
    Pause,
    /// Go on.
    Resume,
}

impl Wish {
    /// The word in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }

    /// The wish of that word, if there is one.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Cancel, Self::Pause, Self::Resume]
            .into_iter()
            .find(|w| w.as_str() == word)
    }
}

/// Trials, their lists, events and owners.
#[async_trait]
pub trait TrialStore: TrialPort {
    /// Makes a trial in state `queued` with its first event, its audit record and the client's key,
    /// in one transaction.
    async fn create(&self, trial: NewTrial) -> Result<Creation, PortError>;

    /// Trials, newest first, with ids below `before`.
    async fn list(&self, before: Option<&str>, limit: u32) -> Result<Vec<TrialSummary>, PortError>;

    /// Stored events after number `after`, at most `limit`; `None` when there is no such trial.
    async fn events(
        &self,
        id: &TrialId,
        after: i64,
        limit: u32,
    ) -> Result<Option<Vec<TrialEvent>>, PortError>;

    /// Trials that run or wait for a worker.
    async fn running(&self) -> Result<u32, PortError>;

    /// Who runs this trial; takes it over when its owner is dead.
    async fn adopt(&self, id: &TrialId) -> Result<Ownership, PortError>;

    /// Asks the owner, another process, for something, together with the audit record of who asks.
    async fn wish(&self, id: &TrialId, wish: Wish, audit: AuditEntry) -> Result<(), PortError>;

    /// Takes what others ask of this process.
    async fn take_wishes(&self) -> Result<Vec<(TrialId, Wish)>, PortError>;
}

/// A back test to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct NewBacktest {
    /// All of it.
    pub view: BacktestView,
    /// What lists show.
    pub summary: BacktestSummary,
    /// Its Sharpe ratio a bar.
    pub ratio: Option<f64>,
    /// The client's key.
    pub idempotency: Option<Idempotency>,
    /// Its audit record.
    pub audit: AuditEntry,
}

/// What became of a [`NewBacktest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// It was kept.
    Made,
    /// The key made this one before, with the same request.
    Repeated(BacktestId),
    /// The key came before with another request.
    KeyTaken,
}

/// What was tried before on some symbols.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TriedOn {
    /// Sharpe ratios a bar of the back tests, one for each different specification.
    pub ratios: Vec<Option<f64>>,
    /// Combinations of models and horizons in trials whose forecasts can be traded.
    pub models: u32,
    /// Points of walk-forward optimisations.
    pub searched: u32,
}

/// Back tests. Nothing that was kept is ever changed or removed.
#[async_trait]
pub trait BacktestStore: Send + Sync {
    /// Keeps a back test with its audit record and the client's key, in one transaction.
    async fn keep(&self, new: NewBacktest) -> Result<Kept, PortError>;

    /// One of them.
    async fn backtest(&self, id: &BacktestId) -> Result<Option<BacktestView>, PortError>;

    /// Back tests, newest first, with ids below `before`.
    async fn backtests(
        &self,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<BacktestSummary>, PortError>;

    /// What a key made before: the hash of its request and the back test.
    async fn of_key(&self, key: &str) -> Result<Option<(String, BacktestId)>, PortError>;

    /// What was tried on any of these symbols, other than the specification with this hash.
    async fn tried_on(&self, symbols: &[String], spec_sha256: &str) -> Result<TriedOn, PortError>;
}

/// A walk-forward optimisation to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewOptimisation {
    /// Its id.
    pub id: OptimisationId,
    /// When it was asked for.
    pub at: DateTime<Utc>,
    /// What is optimised.
    pub spec: OptimisationSpec,
    /// SHA-256 of the specification.
    pub spec_sha256: String,
    /// Windows in all.
    pub folds: u32,
    /// Points of all windows at most.
    pub points: u32,
    /// The client's key.
    pub idempotency: Option<Idempotency>,
    /// Its audit record.
    pub audit: AuditEntry,
}

/// What became of a [`NewOptimisation`].
#[derive(Debug, Clone, PartialEq)]
pub enum Begun {
    /// It was made, with its first event.
    Made(Vec<OptimisationEvent>),
    /// The key made this one before, with the same request.
    Repeated(OptimisationId),
    /// The key came before with another request.
    KeyTaken,
}

/// A walk-forward optimisation with everything that goes on with it.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptOptimisation {
    /// As outside programs see it.
    pub view: OptimisationView,
    /// SHA-256 of the specification.
    pub spec_sha256: String,
    /// Points told so far in the window that is searched.
    pub told: Vec<Told>,
    /// Windows that are done, in order.
    pub windows: Vec<Window>,
}

/// A window that is done.
#[derive(Debug, Clone, PartialEq)]
pub struct DoneWindow {
    /// What goes on with it.
    pub window: Window,
    /// What is shown of it.
    pub shown: OptimisationWindow,
    /// Its part of the curve.
    pub curve: WindowCurve,
}

/// What one transaction writes of an optimisation: everything in it, or nothing. Events get the next
/// numbers, in order, and `at` as their time.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimisationWrite {
    /// When.
    pub at: DateTime<Utc>,
    /// How many windows are done: who believes another number is not the one that goes on with it.
    pub done: u32,
    /// All points told so far in the window after those, in place of the ones before.
    pub told: Option<Vec<Told>>,
    /// The window after those; its points are told no more.
    pub window: Option<Box<DoneWindow>>,
    /// Different points tried so far in all windows.
    pub tried: Option<u32>,
    /// A change of state; a wish is granted by it.
    pub state: Option<StateChange>,
    /// Points told and to come.
    pub progress: Option<Progress>,
    /// What it comes to.
    pub result: Option<Box<OptimisationResult>>,
    /// Events to number and store.
    pub events: Vec<OptimisationEventBody>,
    /// Entries for the audit chain, in the same transaction.
    pub audit: Vec<AuditEntry>,
}

impl OptimisationWrite {
    /// A write of nothing yet.
    #[must_use]
    pub fn new(at: DateTime<Utc>, done: u32) -> Self {
        Self {
            at,
            done,
            told: None,
            window: None,
            tried: None,
            state: None,
            progress: None,
            result: None,
            events: Vec::new(),
            audit: Vec::new(),
        }
    }
}

/// What was written, and what somebody asked meanwhile.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The events with their numbers.
    pub events: Vec<OptimisationEvent>,
    /// What is to be done with it.
    pub wish: Option<Wish>,
}

/// Walk-forward optimisations. What is acknowledged is on the disk: an interrupted one goes on after
/// the last points that were told. Like a trial it belongs to one process at a time.
#[async_trait]
pub trait OptimisationStore: Send + Sync {
    /// Keeps a new one in state `queued`, owned by this process, with its first event.
    async fn make_optimisation(&self, new: NewOptimisation) -> Result<Begun, PortError>;

    /// Hash of the request and id of what a key made.
    async fn optimisation_of_key(
        &self,
        key: &str,
    ) -> Result<Option<(String, OptimisationId)>, PortError>;

    /// One with everything.
    async fn optimisation(
        &self,
        id: &OptimisationId,
    ) -> Result<Option<KeptOptimisation>, PortError>;

    /// One as outside programs see it.
    async fn optimisation_view(
        &self,
        id: &OptimisationId,
    ) -> Result<Option<OptimisationView>, PortError>;

    /// The curves of the windows that are done, in order.
    async fn optimisation_curves(&self, id: &OptimisationId)
    -> Result<Vec<WindowCurve>, PortError>;

    /// Newest first, at most `limit` with ids below `before`.
    async fn optimisations(
        &self,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<OptimisationSummary>, PortError>;

    /// Events after number `after`, oldest first; `None` when there is no such optimisation.
    async fn optimisation_events(
        &self,
        id: &OptimisationId,
        after: i64,
        limit: u32,
    ) -> Result<Option<Vec<OptimisationEvent>>, PortError>;

    /// Writes a step of it.
    ///
    /// # Errors
    /// [`PortError::Conflict`] when it has ended, belongs to another process, or another number of
    /// windows is done; nothing is written on any error.
    async fn write_optimisation(
        &self,
        id: &OptimisationId,
        write: OptimisationWrite,
    ) -> Result<Written, PortError>;

    /// Those that are neither ended nor paused and whose owner is dead or this process; they are its
    /// own from now on.
    async fn unfinished_optimisations(&self) -> Result<Vec<OptimisationId>, PortError>;

    /// Who goes on with it: this process, perhaps since just now, or another living one.
    async fn adopt_optimisation(&self, id: &OptimisationId) -> Result<Ownership, PortError>;

    /// What is asked of its owner.
    async fn wished_of_optimisation(&self, id: &OptimisationId) -> Result<Option<Wish>, PortError>;

    /// Asks its owner, with the audit record of who asked.
    async fn wish_of_optimisation(
        &self,
        id: &OptimisationId,
        wish: Wish,
        audit: AuditEntry,
    ) -> Result<(), PortError>;
}

/// A transaction of the portfolio to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTransaction {
    /// What it is, checked.
    pub request: TransactionRequest,
    /// When it is recorded.
    pub at: DateTime<Utc>,
    /// Number of the last transaction that it was checked against; it gets the next one.
    pub after: i64,
    /// The client's key.
    pub idempotency: Option<Idempotency>,
    /// Its audit record.
    pub audit: AuditEntry,
}

/// What became of a [`NewTransaction`].
#[derive(Debug, Clone, PartialEq)]
pub enum Recorded {
    /// It was recorded.
    Made(Transaction),
    /// The key recorded this one before, with the same request.
    Repeated(Transaction),
    /// The key came before with another request.
    KeyTaken,
    /// Another one was recorded since it was checked.
    Behind,
}

/// Transactions of the portfolio; they are never changed.
#[async_trait]
pub trait PortfolioStore: Send + Sync {
    /// Records a transaction, its audit record and the client's key in one transaction.
    async fn record(&self, new: NewTransaction) -> Result<Recorded, PortError>;

    /// What a client's key recorded: the hash of its request and the transaction.
    async fn recorded(&self, key: &str) -> Result<Option<(String, Transaction)>, PortError>;

    /// All of them, oldest first.
    async fn transactions(&self) -> Result<Vec<Transaction>, PortError>;

    /// The newest first, with numbers below `before`.
    async fn newest_transactions(
        &self,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Transaction>, PortError>;
}

/// What to look for in the memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MemoryQuery {
    /// Words; any of them may stand in a message, the more the better.
    pub words: String,
    /// Only messages that were stored at this moment or later.
    pub since: Option<DateTime<Utc>>,
    /// Only messages that were stored before this moment.
    pub until: Option<DateTime<Utc>>,
    /// Only messages of this conversation.
    pub conversation: Option<ConversationId>,
    /// Only messages on all of these topics.
    pub topics: Vec<String>,
    /// Now: from here recency is counted.
    pub now: DateTime<Utc>,
    /// At most so many.
    pub limit: u32,
}

/// Conversations and their messages, which are the memory. A message is never changed.
#[async_trait]
pub trait ChatStore: Send + Sync {
    /// Stores a message under the next number of its conversation, which is made with the first one; its `seq` is
    /// set by this. The client's key makes a person's message once only: then the one that is there is given.
    async fn say(
        &self,
        message: ChatMessage,
        key: Option<&str>,
        audit: Vec<AuditEntry>,
    ) -> Result<ChatMessage, PortError>;

    /// A conversation; `working` is for the service to say.
    async fn conversation(&self, id: &ConversationId) -> Result<Option<Conversation>, PortError>;

    /// Newest first by their last message, at most `limit` whose ids differ from those listed before: those with
    /// `(updated_at, id)` below `before`.
    async fn conversations(
        &self,
        before: Option<(DateTime<Utc>, ConversationId)>,
        limit: u32,
    ) -> Result<Vec<Conversation>, PortError>;

    /// Messages after number `after`, oldest first.
    async fn messages(
        &self,
        id: &ConversationId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<ChatMessage>, PortError>;

    /// The last messages with numbers below `before`, oldest first.
    async fn last_messages(
        &self,
        id: &ConversationId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<ChatMessage>, PortError>;

    /// Messages that hold the words, best first.
    async fn remember(&self, query: &MemoryQuery) -> Result<Vec<MemoryHit>, PortError>;

    /// Persons' messages that no message of the assistant answers: turns that a process did not finish, oldest first.
    async fn unanswered(&self) -> Result<Vec<ChatMessage>, PortError>;

    /// Keeps the record of a call of a language model.
    async fn spend(&self, at: DateTime<Utc>, call: &LlmCall) -> Result<(), PortError>;

    /// What was spent on this day and, over all days, by each conversation.
    async fn spent(&self, day: chrono::NaiveDate) -> Result<MeterRecord, PortError>;

    /// What an action made under a key that no trial, back test or optimisation has: the hash of its request and the id.
    async fn made_under(&self, key: &str) -> Result<Option<(String, String)>, PortError>;

    /// Keeps that a language model asks for an action, before it is done: every run that is made under the
    /// action's key, or under one that begins with it and a slash, is kept as steered when it is made.
    async fn steer(&self, key: &str, by: &SteeredAction) -> Result<(), PortError>;

    /// Which one steered a `trial`, `backtest` or `optimisation`.
    async fn steered(&self, kind: &str, id: &str) -> Result<Option<SteeredAction>, PortError>;
}

/// The language model that asks for an action.
#[derive(Debug, Clone, PartialEq)]
pub struct SteeredAction {
    /// Which model.
    pub model: Steerer,
    /// The conversation and the number of the person's message in which it was asked to; not over MCP.
    pub message: Option<(ConversationId, i64)>,
}

/// Papers.
#[async_trait]
pub trait PaperStore: Send + Sync {
    /// Keeps a paper with its whole text; of a file that is kept already, gives the one that is there and writes
    /// nothing.
    async fn keep_paper(
        &self,
        paper: &Paper,
        text: &str,
        audit: AuditEntry,
    ) -> Result<Paper, PortError>;

    /// Keeps the test of a paper's strategy.
    async fn keep_paper_test(&self, id: &PaperId, test: &PaperTest) -> Result<(), PortError>;

    /// The paper of that id, SHA-256 or file name; of several the latest.
    async fn paper(&self, name: &str) -> Result<Option<Paper>, PortError>;

    /// Papers that hold all the words, best first; the latest first without words.
    async fn papers(&self, query: &str, limit: u32) -> Result<Vec<PaperSummary>, PortError>;
}

/// Reads the text of a PDF, away from this process.
#[async_trait]
pub trait PaperReader: Send + Sync {
    /// The text of its pages.
    ///
    /// # Errors
    /// One sentence: why it cannot be read.
    async fn text(&self, bytes: std::sync::Arc<Vec<u8>>) -> Result<PdfText, String>;
}

/// Goals; the last one set is the one that holds.
#[async_trait]
pub trait GoalStore: Send + Sync {
    /// Sets a goal. The progress is for the service to fill.
    async fn set_goal(
        &self,
        at: DateTime<Utc>,
        goal: &SetGoal,
        audit: AuditEntry,
    ) -> Result<GoalView, PortError>;

    /// The goal that holds.
    async fn goal(&self) -> Result<Option<GoalView>, PortError>;
}

/// Alerts and what they noticed.
#[async_trait]
pub trait AlertStore: Send + Sync {
    /// Sets an alert.
    async fn watch(
        &self,
        id: AlertId,
        at: DateTime<Utc>,
        watch: &CreateAlert,
        key: Option<&Idempotency>,
        audit: AuditEntry,
    ) -> Result<AlertView, PortError>;

    /// Those that were not removed, newest first, each with its last 20 events.
    async fn alerts(&self) -> Result<Vec<AlertView>, PortError>;

    /// Ends alerts; gives those that were there.
    async fn unwatch(
        &self,
        ids: &[AlertId],
        at: DateTime<Utc>,
        audit: AuditEntry,
    ) -> Result<Vec<AlertId>, PortError>;

    /// Keeps that an alert looked at the data, and what it noticed. The same trigger on the same day of the data is
    /// kept once; gives what is new, with its numbers.
    async fn noticed(
        &self,
        id: &AlertId,
        at: DateTime<Utc>,
        events: Vec<AlertEvent>,
    ) -> Result<Vec<AlertEvent>, PortError>;
}

/// Tokens of programs that speak MCP; the token itself is never stored.
#[async_trait]
pub trait TokenStore: Send + Sync {
    /// Keeps a token by its hash; false when its name or the token was used before.
    async fn add_token(
        &self,
        token: &TokenView,
        sha256: &str,
        audit: AuditEntry,
    ) -> Result<bool, PortError>;

    /// All that were ever made, by name.
    async fn tokens(&self) -> Result<Vec<TokenView>, PortError>;

    /// The one with this hash, whether it holds or not.
    async fn token(&self, sha256: &str) -> Result<Option<TokenView>, PortError>;

    /// Revokes one, if it was not revoked before; gives it as it is then.
    async fn revoke_token(
        &self,
        name: &str,
        at: DateTime<Utc>,
        audit: AuditEntry,
    ) -> Result<Option<TokenView>, PortError>;
}

/// What finished trials taught.
#[async_trait]
pub trait LearningStore: Send + Sync {
    /// Finished trials that left no record yet, oldest first.
    async fn unlearned(&self, limit: u32) -> Result<Vec<TrialId>, PortError>;

    /// Keeps the records of a trial, each with the place of its model in the specification; those of a trial that left
    /// some stay as they are.
    async fn learn(&self, trial: &TrialId, all: &[(u32, Experience)]) -> Result<(), PortError>;

    /// All records, in the order in which their trials were made.
    async fn experiences(&self) -> Result<Vec<Experience>, PortError>;
}

/// Coaches, what they did and what came of it.
#[async_trait]
pub trait CoachStore: Send + Sync {
    /// All coaches by name.
    async fn coaches(&self) -> Result<Vec<CoachView>, PortError>;

    /// A step of a coach's trust; the first one makes the coach.
    async fn trust(
        &self,
        coach: &str,
        step: &TrustStep,
        audit: AuditEntry,
    ) -> Result<(), PortError>;

    /// Keeps an intervention, and the recipe it teaches; a recipe of the same name takes the place of the one before.
    /// The open questions about its control are answered by it.
    async fn intervene(
        &self,
        made: &Intervention,
        recipe: Option<&Recipe>,
        key: Option<&Idempotency>,
        audit: AuditEntry,
    ) -> Result<(), PortError>;

    /// The newest interventions first.
    async fn interventions(&self, limit: u32) -> Result<Vec<Intervention>, PortError>;

    /// How an intervention stands, and what it changed.
    async fn conclude(
        &self,
        id: &str,
        state: InterventionState,
        effect: Option<&Effect>,
        key: Option<&Idempotency>,
        audit: AuditEntry,
    ) -> Result<(), PortError>;

    /// Recipes, newest first.
    async fn recipes(&self) -> Result<Vec<Recipe>, PortError>;

    /// Asks, once for each trial and kind; `id` is set by this. `None` when it was asked before.
    async fn ask_guidance(
        &self,
        request: GuidanceRequest,
        audit: AuditEntry,
    ) -> Result<Option<GuidanceRequest>, PortError>;

    /// The newest questions first.
    async fn guidance(&self, limit: u32) -> Result<Vec<GuidanceRequest>, PortError>;

    /// Marks that the program's own model is asked for an answer; `false` when it was asked before.
    async fn put_guidance(&self, id: i64, at: DateTime<Utc>) -> Result<bool, PortError>;

    /// Marks that the time of a question is over without an answer; `false` when it was answered or marked before.
    async fn lapse_guidance(
        &self,
        id: i64,
        at: DateTime<Utc>,
        audit: AuditEntry,
    ) -> Result<bool, PortError>;
}
