//! Who decided: the engine's changes of state carry the audit record of the person who asked for
//! them, in the same transaction.

use crate::port::{PortError, TrialPort, TrialStore};
use async_trait::async_trait;
use mltrainer_trials::port::{StepRecord, TrialRecord, TrialWrite};
use mltrainer_types::TrialId;
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::event::TrialEvent;
use mltrainer_types::trial::{TrialSpec, TrialState};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The store of trials as the engine sees it.
pub(crate) struct Ledger {
    store: Arc<dyn TrialStore>,
    decisions: Mutex<BTreeMap<(TrialId, TrialState), AuditEntry>>,
}

/// A decision that is being carried out; forgotten when dropped.
pub(crate) struct Decision<'a> {
    ledger: &'a Ledger,
    key: (TrialId, TrialState),
}

impl Drop for Decision<'_> {
    fn drop(&mut self) {
        self.ledger.decisions().remove(&self.key);
    }
}

impl Ledger {
    pub(crate) fn new(store: Arc<dyn TrialStore>) -> Self {
        Self {
            store,
            decisions: Mutex::default(),
        }
    }

    fn decisions(&self) -> MutexGuard<'_, BTreeMap<(TrialId, TrialState), AuditEntry>> {
        self.decisions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Until the answer is dropped, the trial's move to that state is written with this record.
    pub(crate) fn decide(
        &self,
        id: &TrialId,
        state: TrialState,
        entry: AuditEntry,
    ) -> Decision<'_> {
        let key = (id.clone(), state);
        self.decisions().insert(key.clone(), entry);
        Decision { ledger: self, key }
    }
}

#[async_trait]
impl TrialPort for Ledger {
    async fn trial(&self, id: &TrialId) -> Result<Option<TrialRecord>, PortError> {
        self.store.trial(id).await
    }

    async fn steps(&self, id: &TrialId) -> Result<Vec<StepRecord>, PortError> {
        self.store.steps(id).await
    }

    async fn commit(
        &self,
        id: &TrialId,
        mut write: TrialWrite,
    ) -> Result<Vec<TrialEvent>, PortError> {
        if let Some(change) = &write.state {
            let key = (id.clone(), change.state);
            write.audit.extend(self.decisions().get(&key).cloned());
        }
        self.store.commit(id, write).await
    }

    async fn unfinished(&self) -> Result<Vec<TrialId>, PortError> {
        self.store.unfinished().await
    }

    async fn tried(&self, spec: &TrialSpec) -> Result<u32, PortError> {
        self.store.tried(spec).await
    }
}
