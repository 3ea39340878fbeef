//! What the tests of this crate share.

use crate::SqliteStore;
use chrono::{DateTime, Utc};
use mltrainer_services::port::{Clock, NewTrial};
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::chat::{ChatMessage, ChatRole};
use mltrainer_types::trial::{Costs, Lineage, Target, TrialSpec, Validation};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A clock that goes on by a second at every look.
#[derive(Default)]
pub(crate) struct Ticks(AtomicI64);

impl Clock for Ticks {
    fn now(&self) -> DateTime<Utc> {
        let n = self.0.fetch_add(1, Ordering::Relaxed);
        DateTime::from_timestamp(1_700_000_000 + n, 123_456_000).unwrap()
    }
    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed) as u64)
    }
}

pub(crate) async fn store() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path(), "this", Arc::new(Ticks::default()))
        .await
        .unwrap();
    (folder, store)
}

pub(crate) fn entry(subject: &str) -> AuditEntry {
    AuditEntry {
        actor: "user".into(),
        action: "test.write".into(),
        subject: subject.into(),
        decision: "allowed".into(),
        rule: None,
        detail: serde_json::json!({"b": 1, "a": [1.5, null]}),
    }
}

pub(crate) fn spec() -> TrialSpec {
    TrialSpec {
        symbols: vec!["AAPL".into()],
        datasets: Vec::new(),
        start: None,
        end: None,
        target: Target::Return,
        horizons: vec![1, 5],
        features: vec!["price".into()],
        models: Vec::new(),
        validation: Validation::default(),
        costs: Costs::default(),
        seed: 1,
        goal: None,
    }
}

pub(crate) fn new_trial(id: &str) -> NewTrial {
    NewTrial {
        id: id.into(),
        spec: spec(),
        lineage: Lineage::default(),
        at: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
        idempotency: None,
        audit: entry(id),
    }
}

/// A person's message that is not numbered yet.
pub(crate) fn message(conversation: &str, text: &str) -> ChatMessage {
    ChatMessage {
        seq: 0,
        conversation: conversation.into(),
        at: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
        role: ChatRole::User,
        author: "user".into(),
        answers: None,
        text: text.into(),
        pieces: Vec::new(),
        citations: Vec::new(),
        cards: Vec::new(),
        question: None,
        model: None,
        usage: None,
        cost: None,
        importance: 0.5,
        topics: Vec::new(),
    }
}
