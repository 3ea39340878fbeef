//! Stored events to those who listen: every listener sees every event once, in order, whoever
//! runs the trial and however slow the listener is.
//!
//! The engine publishes after the commit; a listener that fell behind, or met a gap, reads the
//! table again. Events of trials that another process runs are found in the table (`catch_up`). Trials
//! and optimisations each have a hub, and say as a [`Feed`] where their events are stored.

use crate::port::{EventSink, OptimisationStore, PortError, TrialStore};
use async_trait::async_trait;
use futures::Stream;
use mltrainer_types::TrialId;
use mltrainer_types::chat::ChatMessage;
use mltrainer_types::event::{EventBody, TrialEvent};
use mltrainer_types::optimisation::{OptimisationEvent, OptimisationEventBody};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

/// Events kept for listeners that are a little behind; who is further behind reads the table.
const BUFFER: usize = 128;

/// Events read from the table at a time.
const PAGE: u32 = 128;

/// A numbered event.
pub trait Numbered: Clone + Send + Sync + 'static {
    /// 1, 2, 3 ...
    fn number(&self) -> i64;

    /// The SSE `event:` field.
    fn word(&self) -> &'static str;

    /// Its content as JSON with its time as `at`: the SSE `data:`.
    fn content(&self) -> String;

    /// Whether nothing follows.
    fn ends(&self) -> bool;
}

impl Numbered for TrialEvent {
    fn number(&self) -> i64 {
        self.seq
    }

    fn word(&self) -> &'static str {
        self.body.name()
    }

    fn content(&self) -> String {
        match &self.body {
            EventBody::State(data) => dated(self.at, data),
            EventBody::Step(data) => dated(self.at, data),
            EventBody::Leaderboard(data) => dated(self.at, data),
            EventBody::Message(data) => dated(self.at, data),
        }
    }

    fn ends(&self) -> bool {
        matches!(&self.body, EventBody::State(s) if s.state.is_final())
    }
}

impl Numbered for OptimisationEvent {
    fn number(&self) -> i64 {
        self.seq
    }

    fn word(&self) -> &'static str {
        self.body.name()
    }

    fn content(&self) -> String {
        match &self.body {
            OptimisationEventBody::State(data) => dated(self.at, data),
            OptimisationEventBody::Step(data) => dated(self.at, data),
            OptimisationEventBody::Window(data) => dated(self.at, data),
        }
    }

    fn ends(&self) -> bool {
        matches!(&self.body, OptimisationEventBody::State(s) if s.state.is_final())
    }
}

impl Numbered for ChatMessage {
    fn number(&self) -> i64 {
        self.seq
    }

    fn word(&self) -> &'static str {
        "message"
    }

    fn content(&self) -> String {
        // Text keys and finite numbers or null: it always serialises.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn ends(&self) -> bool {
        false
    }
}

/// Where numbered events are stored.
#[async_trait]
pub(crate) trait Feed<E>: Send + Sync {
    /// Events after a number, oldest first.
    async fn after(&self, id: &str, after: i64, limit: u32) -> Result<Vec<E>, PortError>;

    /// Number of the last event, and whether nothing follows it.
    async fn stands(&self, id: &str) -> Result<Option<(i64, bool)>, PortError>;
}

#[async_trait]
impl Feed<TrialEvent> for Arc<dyn TrialStore> {
    async fn after(&self, id: &str, after: i64, limit: u32) -> Result<Vec<TrialEvent>, PortError> {
        let found = self.events(&id.into(), after, limit).await?;
        Ok(found.unwrap_or_default())
    }

    async fn stands(&self, id: &str) -> Result<Option<(i64, bool)>, PortError> {
        let found = self.trial(&id.into()).await?;
        Ok(found.map(|t| (t.last_event, t.state.is_final())))
    }
}

#[async_trait]
impl Feed<OptimisationEvent> for Arc<dyn OptimisationStore> {
    async fn after(
        &self,
        id: &str,
        after: i64,
        limit: u32,
    ) -> Result<Vec<OptimisationEvent>, PortError> {
        let found = self.optimisation_events(&id.into(), after, limit).await?;
        Ok(found.unwrap_or_default())
    }

    async fn stands(&self, id: &str) -> Result<Option<(i64, bool)>, PortError> {
        let found = self.optimisation_view(&id.into()).await?;
        Ok(found.map(|o| (o.last_event, o.state.is_final())))
    }
}

/// An event on its way: its content is turned into JSON once for all listeners.
#[derive(Debug, Clone)]
pub struct Sent<E = TrialEvent> {
    /// The event.
    pub event: E,
    /// Its content as JSON with its time as `at`: the SSE `data:`.
    pub json: String,
}

impl<E: Numbered> Sent<E> {
    fn new(event: &E) -> Arc<Self> {
        Arc::new(Self {
            event: event.clone(),
            json: event.content(),
        })
    }
}

/// The content of an event with the time at which it was stored.
fn dated<T: serde::Serialize>(at: chrono::DateTime<chrono::Utc>, data: &T) -> String {
    #[derive(serde::Serialize)]
    struct Dated<'a, T> {
        at: chrono::DateTime<chrono::Utc>,
        #[serde(flatten)]
        data: &'a T,
    }
    // These types hold text keys and finite numbers or null: they always serialise.
    serde_json::to_string(&Dated { at, data }).unwrap_or_default()
}

struct Topic<E> {
    sender: broadcast::Sender<Arc<Sent<E>>>,
    last: i64,
}

/// Listeners by id.
pub(crate) struct Hub<E> {
    topics: Mutex<BTreeMap<String, Topic<E>>>,
}

impl<E> Default for Hub<E> {
    fn default() -> Self {
        Self {
            topics: Mutex::default(),
        }
    }
}

impl EventSink for Hub<TrialEvent> {
    fn publish(&self, trial: &TrialId, events: &[TrialEvent]) {
        self.send(trial.as_str(), events);
    }
}

impl<E: Numbered> Hub<E> {
    fn topics(&self) -> MutexGuard<'_, BTreeMap<String, Topic<E>>> {
        // A map of senders is whole whatever a panicking holder did.
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends events that are already stored.
    pub(crate) fn send(&self, id: &str, events: &[E]) {
        let mut topics = self.topics();
        let Some(topic) = topics.get_mut(id) else {
            return;
        };
        if topic.sender.receiver_count() == 0 {
            topics.remove(id);
            return;
        }
        for event in events {
            if event.number() <= topic.last {
                continue;
            }
            topic.last = event.number();
            // Without a listener the event is in the table all the same.
            let _ = topic.sender.send(Sent::new(event));
        }
    }

    /// Listens to what is published from now on.
    fn subscribe(&self, id: &str, last: i64) -> broadcast::Receiver<Arc<Sent<E>>> {
        self.topics()
            .entry(id.to_owned())
            .or_insert_with(|| Topic {
                sender: broadcast::channel(BUFFER).0,
                last,
            })
            .sender
            .subscribe()
    }

    /// Publishes what another process stored, and forgets what nobody listens to.
    pub(crate) async fn catch_up(&self, feed: &dyn Feed<E>) {
        let followed: Vec<(String, i64)> = {
            let mut topics = self.topics();
            topics.retain(|_, t| t.sender.receiver_count() > 0);
            topics.iter().map(|(id, t)| (id.clone(), t.last)).collect()
        };
        for (id, last) in followed {
            match feed.after(&id, last, PAGE).await {
                Ok(events) => self.send(&id, &events),
                Err(e) => tracing::debug!("events of {id} were not read: {e}"),
            }
        }
    }

    /// All events after number `after`, stored and to come, until the final one.
    pub(crate) fn follow(
        &self,
        feed: Arc<dyn Feed<E>>,
        id: &str,
        after: i64,
        last: i64,
    ) -> EventStream<E> {
        let follower = Follower {
            live: self.subscribe(id, last),
            feed,
            id: id.to_owned(),
            after,
            ready: VecDeque::new(),
            behind: true,
            ended: false,
        };
        Box::pin(futures::stream::unfold(follower, |mut f| async move {
            f.next().await.map(|item| (item, f))
        }))
    }
}

/// Events in order, each once; ends after the final one.
pub type EventStream<E> =
    std::pin::Pin<Box<dyn Stream<Item = Result<Arc<Sent<E>>, PortError>> + Send + 'static>>;

/// Events of one trial.
pub type TrialStream = EventStream<TrialEvent>;

/// Events of one optimisation.
pub type OptimisationStream = EventStream<OptimisationEvent>;

struct Follower<E> {
    live: broadcast::Receiver<Arc<Sent<E>>>,
    feed: Arc<dyn Feed<E>>,
    id: String,
    after: i64,
    ready: VecDeque<Arc<Sent<E>>>,
    /// Whether the table may hold events that were not seen.
    behind: bool,
    ended: bool,
}

impl<E: Numbered> Follower<E> {
    async fn next(&mut self) -> Option<Result<Arc<Sent<E>>, PortError>> {
        loop {
            if let Some(sent) = self.ready.pop_front() {
                self.after = sent.event.number();
                self.ended = sent.event.ends();
                return Some(Ok(sent));
            }
            if self.ended {
                return None;
            }
            if self.behind {
                if let Err(e) = self.read_table().await {
                    self.ended = true;
                    return Some(Err(e));
                }
                continue;
            }
            match self.live.recv().await {
                Ok(sent) if sent.event.number() <= self.after => {}
                Ok(sent) if sent.event.number() == self.after + 1 => self.ready.push_back(sent),
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => self.behind = true,
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    async fn read_table(&mut self) -> Result<(), PortError> {
        let page = self.feed.after(&self.id, self.after, PAGE).await?;
        self.behind = !page.is_empty();
        self.ready.extend(page.iter().map(Sent::new));
        if !self.behind {
            // Someone who resumes after the final event gets nothing more, and no open stream.
            let stands = self.feed.stands(&self.id).await?;
            self.behind = stands.is_some_and(|(last, _)| last > self.after);
            self.ended = stands.is_none_or(|(_, ended)| ended) && !self.behind;
        }
        Ok(())
    }
}
