//! Store, engine and use cases of a data folder, put together.

use crate::clock::SystemClock;
use mltrainer_services::{AssistantParts, Parts, ServiceError, Services, Sources};
use mltrainer_store::SqliteStore;
use std::path::Path;
use std::sync::Arc;

/// An open data folder.
pub struct Open {
    /// The use cases.
    pub services: Services,
    store: Arc<SqliteStore>,
}

impl Open {
    /// Opens a data folder, making it when it is absent, with so many threads for steps and these
    /// sources of data.
    ///
    /// # Errors
    /// One sentence when the folder or its database cannot be used.
    pub async fn folder(
        folder: &Path,
        threads: usize,
        sources: Sources,
    ) -> Result<Self, ServiceError> {
        let clock = Arc::new(SystemClock::new());
        // The name of this process among all that ever worked on the folder.
        let name = uuid::Uuid::now_v7().to_string();
        let store = Arc::new(SqliteStore::open(folder, &name, clock.clone()).await?);
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
            assistant: AssistantParts::default(),
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
