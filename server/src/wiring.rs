//! Store, engine and use cases of a data folder, put together.

use crate::clock::SystemClock;
use crate::mask::MaskedBySymbols;
use crate::paper_worker::PaperWorker;
use mltrainer_assistant::llm::LanguageModel;
use mltrainer_services::{AssistantParts, Parts, ServiceError, Services, Sources};
use mltrainer_store::SqliteStore;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The language model and its bounds, as configured.
#[derive(Clone, Default)]
pub struct Assistant {
    /// What the use cases are told of it.
    pub parts: AssistantParts,
    /// Hides symbols and dates from the model, by this seed.
    pub mask: Option<u64>,
    /// The program that reads papers, where it is not beside this one.
    pub paper_worker: Option<PathBuf>,
}

/// An open data folder.
pub struct Open {
    /// The use cases.
    pub services: Services,
    store: Arc<SqliteStore>,
}

impl Open {
    /// Opens a data folder, making it when it is absent, with so many threads for steps, these
    /// sources of data and this assistant.
    ///
    /// # Errors
    /// One sentence when the folder or its database cannot be used.
    pub async fn folder(
        folder: &Path,
        threads: usize,
        sources: Sources,
        assistant: Assistant,
    ) -> Result<Self, ServiceError> {
        let clock = Arc::new(SystemClock::new());
        // The name of this process among all that ever worked on the folder.
        let name = uuid::Uuid::now_v7().to_string();
        let store = Arc::new(SqliteStore::open(folder, &name, clock.clone()).await?);
        let Assistant {
            mut parts,
            mask,
            paper_worker,
        } = assistant;
        if let Some(seed) = mask {
            parts.model = parts.model.map(|inner| -> Arc<dyn LanguageModel> {
                Arc::new(MaskedBySymbols::new(inner, store.clone(), seed))
            });
        }
        let services = Services::new(Parts {
            datasets: store.clone(),
            audit: store.clone(),
            trials: store.clone(),
            backtests: store.clone(),
            optimisations: store.clone(),
            portfolio: store.clone(),
            chat: store.clone(),
            goals: store.clone(),
            alerts: store.clone(),
            coaches: store.clone(),
            tokens: store.clone(),
            papers: store.clone(),
            learning: store.clone(),
            paper_reader: PaperWorker::find(paper_worker),
            assistant: parts,
            library: folder.join("data"),
            sources,
            clock,
            threads,
        })?;
        services.start();
        Ok(Self { services, store })
    }

    /// Ends in order: running steps are committed, the audit chain is signed, the database closed.
    pub async fn close(self) {
        self.services.shutdown().await;
        self.store.close().await;
    }
}
