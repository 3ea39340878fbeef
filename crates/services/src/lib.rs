//! One function a use case, called by pages, routes and command line alike.
//!
//! [`Services`] holds them all and is cheap to clone. Each lives in a file of its own kind:
//! `actions`, `analytics`, `backtests`, `catalogue`, `chat`, `goals`, `alerts`, `tokens`, `data`, `fetch`, `import`, `run`, `trials`, `portfolio`, `compliance`, `health`. What they need from outside is
//! stated in [`port`]; errors are [`ServiceError`], each one sentence.

mod actions;
mod alerts;
mod analytics;
mod backtests;
mod catalogue;
mod chain;
mod chat;
mod coaching;
mod compliance;
mod corporate;
mod data;
mod error;
pub mod features;
mod fetch;
mod goals;
mod health;
mod hub;
mod import;
mod layers;
mod learning;
mod ledger;
pub mod model_file;
mod papers;
pub mod port;
mod portfolio;
mod room;
pub mod run;
mod steering;
mod tokens;
mod trials;
mod unattended;

pub use actions::{AgentNote, Authority, Stage};
pub use analytics::Overlaid;
pub use backtests::OptimisationListener;
pub use chat::{AssistantParts, ChatSent, ChatStream, MemorySearch};
pub use data::symbol_hint;
pub use error::ServiceError;
pub use hub::{EventStream, Numbered, OptimisationStream, Sent, TrialStream};
pub use import::{Import, UserFile};
pub use mltrainer_data::actions::Adjustment;
pub use mltrainer_data::export::Format;
pub use mltrainer_data::import::Mapping;
pub use mltrainer_data::sources::stream::MinuteBar;
pub use mltrainer_data::sources::{Call, Progress, Sources, Step};
pub use port::SteeredAction;
pub use tokens::{NewToken, over_mcp};

use hub::Hub;
use ledger::Ledger;
use mltrainer_catalogue_core::Registry;
use mltrainer_data::library::Library;
use mltrainer_trials::engine::{Engine, EngineParts};
use mltrainer_types::catalogue::CatalogueEntry;
use mltrainer_types::event::TrialEvent;
use port::{
    AlertStore, AuditStore, BacktestStore, ChatStore, Clock, CoachStore, DatasetStore, GoalStore,
    LearningStore, OptimisationStore, PaperReader, PaperStore, PortfolioStore, TokenStore,
    TrialStore,
};
use room::Room;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Version of the program, as it stands in health answers and beside checked data.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How often this process looks at what other processes on the data folder did: their events for
/// listeners here, their wishes for trials that run here.
const LOOK_AROUND: Duration = Duration::from_millis(500);

/// How many looks around lie between two looks for trials that nobody drives: those of a process
/// that died, and own ones whose writes the store did not take for a while.
const LOOKS: u32 = 10;

/// How many looks around lie between two looks at the alerts that are due.
const ALERT_LOOKS: u32 = 60;

/// What the use cases are made of.
pub struct Parts {
    /// Registered data sets.
    pub datasets: Arc<dyn DatasetStore>,
    /// The audit chain.
    pub audit: Arc<dyn AuditStore>,
    /// Trials.
    pub trials: Arc<dyn TrialStore>,
    /// Back tests.
    pub backtests: Arc<dyn BacktestStore>,
    /// Walk-forward optimisations.
    pub optimisations: Arc<dyn OptimisationStore>,
    /// Transactions of the portfolio.
    pub portfolio: Arc<dyn PortfolioStore>,
    /// Conversations.
    pub chat: Arc<dyn ChatStore>,
    /// Goals.
    pub goals: Arc<dyn GoalStore>,
    /// Alerts.
    pub alerts: Arc<dyn AlertStore>,
    /// Tokens of programs that speak MCP.
    pub tokens: Arc<dyn TokenStore>,
    /// Coaches.
    pub coaches: Arc<dyn CoachStore>,
    /// Papers.
    pub papers: Arc<dyn PaperStore>,
    /// What finished trials taught.
    pub learning: Arc<dyn LearningStore>,
    /// What reads PDFs; without it papers cannot be added.
    pub paper_reader: Option<Arc<dyn PaperReader>>,
    /// The language model, its ceilings and its trust.
    pub assistant: AssistantParts,
    /// Folder of imported and fetched data.
    pub library: PathBuf,
    /// Vendors of data.
    pub sources: Sources,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Threads that run steps.
    pub threads: usize,
}

/// The use cases. Cloning is cheap.
#[derive(Clone)]
pub struct Services {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Registry,
    /// Its entries as they are shown, made once.
    catalogue: OnceLock<Vec<CatalogueEntry>>,
    room: Arc<Room>,
    desk: import::Desk,
    sources: Sources,
    audit: Arc<dyn AuditStore>,
    trials: Arc<dyn TrialStore>,
    backtests: Arc<dyn BacktestStore>,
    optimisations: Arc<dyn OptimisationStore>,
    portfolio: Arc<dyn PortfolioStore>,
    goals: Arc<dyn GoalStore>,
    alerts: Arc<dyn AlertStore>,
    tokens: Arc<dyn TokenStore>,
    coaches: Arc<dyn CoachStore>,
    papers: Arc<dyn PaperStore>,
    learning: Arc<dyn LearningStore>,
    paper_reader: Option<Arc<dyn PaperReader>>,
    talk: chat::Talk,
    ledger: Arc<Ledger>,
    shelf: analytics::Shelf,
    hub: Arc<Hub<TrialEvent>>,
    searches: Arc<backtests::Searches>,
    engine: Engine,
    clock: Arc<dyn Clock>,
    started_at: chrono::DateTime<chrono::Utc>,
    started: Duration,
    threads: usize,
    /// Whether this process takes up trials that nobody drives.
    caretaker: AtomicBool,
}

impl Services {
    /// The use cases over these parts. Call it inside the runtime, and [`Services::start`] before
    /// trials are followed or run.
    ///
    /// # Errors
    /// [`ServiceError`] when the threads for trials cannot be started.
    pub fn new(parts: Parts) -> Result<Self, ServiceError> {
        let registry = mltrainer_backtest::registry();
        let room = Arc::new(Room::new(
            parts.datasets,
            Library::new(parts.library),
            parts.clock.clone(),
        ));
        let hub = Arc::new(Hub::<TrialEvent>::default());
        let ledger = Arc::new(Ledger::new(parts.trials.clone()));
        let threads = parts.threads.max(1);
        let engine = Engine::new(EngineParts {
            registry,
            trials: ledger.clone(),
            data: room.clone(),
            clock: parts.clock.clone(),
            sink: hub.clone(),
            threads,
        })?;
        Ok(Self {
            inner: Arc::new(Inner {
                registry,
                catalogue: OnceLock::new(),
                room,
                desk: import::Desk::default(),
                sources: parts.sources,
                audit: parts.audit,
                trials: parts.trials,
                backtests: parts.backtests,
                optimisations: parts.optimisations,
                portfolio: parts.portfolio,
                goals: parts.goals,
                alerts: parts.alerts,
                tokens: parts.tokens,
                coaches: parts.coaches,
                papers: parts.papers,
                learning: parts.learning,
                paper_reader: parts.paper_reader,
                talk: chat::Talk::new(parts.chat, parts.assistant),
                ledger,
                shelf: analytics::Shelf::default(),
                hub,
                searches: Arc::new(backtests::Searches::new(threads)),
                engine,
                started_at: parts.clock.now(),
                started: parts.clock.monotonic(),
                clock: parts.clock,
                threads,
                caretaker: AtomicBool::new(false),
            }),
        })
    }

    /// Begins to look at what other processes do, until the last clone is dropped.
    pub fn start(&self) {
        let weak = Arc::downgrade(&self.inner);
        tokio::spawn(async move {
            for look in 1_u32.. {
                tokio::time::sleep(LOOK_AROUND).await;
                let Some(inner) = weak.upgrade() else { break };
                let services = Self { inner };
                services.grant_wishes().await;
                let inner = &services.inner;
                inner.hub.catch_up(&inner.trials).await;
                inner.searches.hub.catch_up(&inner.optimisations).await;
                inner.talk.catch_up().await;
                if look.is_multiple_of(LOOKS) {
                    services.take_up().await;
                    if services.inner.caretaker.load(Ordering::Relaxed) {
                        services.look_after_coaching().await;
                        if let Err(e) = services.learn().await {
                            tracing::warn!("finished trials were not learned from: {e}");
                        }
                    }
                }
                if look.is_multiple_of(ALERT_LOOKS)
                    && services.inner.caretaker.load(Ordering::Relaxed)
                {
                    services.look_after_alerts().await;
                }
            }
        });
    }

    /// Drives the trials and optimisations that nobody drives, where this process is the one that does.
    async fn take_up(&self) {
        if !self.inner.caretaker.load(Ordering::Relaxed) {
            return;
        }
        // Nearly always there is none: a read tells.
        if self.inner.trials.running().await.unwrap_or(0) > 0
            && let Err(e) = self.inner.engine.recover().await
        {
            tracing::debug!("trials were not taken up: {e}");
        }
        self.take_up_optimisations().await;
    }

    /// Installs the bundled data, continues the trials and optimisations that a dead process left, and
    /// from now on takes up every one that nobody drives: for the process that serves.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails or a bundled file was changed.
    pub async fn recover(&self) -> Result<(), ServiceError> {
        self.inner.caretaker.store(true, Ordering::Relaxed);
        self.inner.room.install().await?;
        self.inner.engine.recover().await?;
        self.take_up_optimisations().await;
        self.take_up_turns().await;
        Ok(())
    }

    /// Waits until the bundled data are installed; the first start of a data folder does it once. A
    /// failure shows in [`Services::health`].
    pub async fn installed(&self) {
        if let Err(e) = self.inner.room.install().await {
            tracing::warn!("the bundled data are not installed: {e}");
        }
    }

    /// Lets running steps end (they are committed) and stops; what is left goes on at the next
    /// start.
    pub async fn shutdown(&self) {
        self.inner.talk.close();
        tokio::join!(self.inner.engine.shutdown(), self.inner.searches.close());
    }

    /// Time since this process's clock was made; never goes back.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        self.inner.clock.monotonic()
    }

    /// The time of day, from the clock that was handed in.
    #[must_use]
    pub fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.inner.clock.now()
    }
}
