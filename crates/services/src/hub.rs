//! Stored events to those who listen: every listener sees every event once, in order, whoever
//! runs the trial and however slow the listener is.
//!
//! The engine publishes after the commit; a listener that fell behind, or met a gap, reads the
//! table again. Events of trials that another process runs are found in the table (`catch_up`).

use crate::port::{EventSink, PortError, TrialStore};
use futures::Stream;
use mltrainer_types::TrialId;
use mltrainer_types::event::{EventBody, TrialEvent};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

/// Events kept for listeners that are a little behind; who is further behind reads the table.
const BUFFER: usize = 128;

/// Events read from the table at a time.
const PAGE: u32 = 128;

/// An event on its way: its content is turned into JSON once for all listeners.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The event.
    pub event: TrialEvent,
    /// Its content as JSON with its time as `at`: the SSE `data:`.
    pub json: String,
}

impl Sent {
    fn new(event: &TrialEvent) -> Arc<Self> {
        let json = match &event.body {
            EventBody::State(data) => dated(event, data),
            EventBody::Step(data) => dated(event, data),
            EventBody::Leaderboard(data) => dated(event, data),
            EventBody::Message(data) => dated(event, data),
        };
        Arc::new(Self {
            event: event.clone(),
            // These types hold text keys and finite numbers or null: they always serialise.
            json: json.unwrap_or_default(),
        })
    }

    /// Whether nothing follows.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(&self.event.body, EventBody::State(s) if s.state.is_final())
    }
}

/// The content of an event with the time at which it was stored.
fn dated<T: serde::Serialize>(event: &TrialEvent, data: &T) -> serde_json::Result<String> {
    #[derive(serde::Serialize)]
    struct Dated<'a, T> {
        at: chrono::DateTime<chrono::Utc>,
        #[serde(flatten)]
        data: &'a T,
    }
    serde_json::to_string(&Dated { at: event.at, data })
}

struct Topic {
    sender: broadcast::Sender<Arc<Sent>>,
    last: i64,
}

/// Listeners by trial.
#[derive(Default)]
pub(crate) struct Hub {
    topics: Mutex<BTreeMap<TrialId, Topic>>,
}

impl EventSink for Hub {
    fn publish(&self, trial: &TrialId, events: &[TrialEvent]) {
        let mut topics = self.topics();
        let Some(topic) = topics.get_mut(trial) else {
            return;
        };
        if topic.sender.receiver_count() == 0 {
            topics.remove(trial);
            return;
        }
        for event in events
            .iter()
            .filter(|e| e.seq > topic.last)
            .collect::<Vec<_>>()
        {
            topic.last = event.seq;
            // Without a listener the event is in the table all the same.
            let _ = topic.sender.send(Sent::new(event));
        }
    }
}

impl Hub {
    fn topics(&self) -> MutexGuard<'_, BTreeMap<TrialId, Topic>> {
        // A map of senders is whole whatever a panicking holder did.
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens to what is published from now on.
    pub(crate) fn subscribe(&self, trial: &TrialId, last: i64) -> broadcast::Receiver<Arc<Sent>> {
        self.topics()
            .entry(trial.clone())
            .or_insert_with(|| Topic {
                sender: broadcast::channel(BUFFER).0,
                last,
            })
            .sender
            .subscribe()
    }

    /// Publishes what another process stored, and forgets trials nobody listens to.
    pub(crate) async fn catch_up(&self, store: &dyn TrialStore) {
        let followed: Vec<(TrialId, i64)> = {
            let mut topics = self.topics();
            topics.retain(|_, t| t.sender.receiver_count() > 0);
            topics.iter().map(|(id, t)| (id.clone(), t.last)).collect()
        };
        for (id, last) in followed {
            match store.events(&id, last, PAGE).await {
                Ok(events) => self.publish(&id, &events.unwrap_or_default()),
                Err(e) => tracing::debug!("events of {id} were not read: {e}"),
            }
        }
    }

    /// All events after number `after`, stored and to come, until the final one.
    pub(crate) fn follow(
        &self,
        store: Arc<dyn TrialStore>,
        id: TrialId,
        after: i64,
        last: i64,
    ) -> TrialStream {
        let follower = Follower {
            live: self.subscribe(&id, last),
            store,
            id,
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

/// Events of one trial, in order, each once; ends after the final one.
pub type TrialStream =
    std::pin::Pin<Box<dyn Stream<Item = Result<Arc<Sent>, PortError>> + Send + 'static>>;

struct Follower {
    live: broadcast::Receiver<Arc<Sent>>,
    store: Arc<dyn TrialStore>,
    id: TrialId,
    after: i64,
    ready: VecDeque<Arc<Sent>>,
    /// Whether the table may hold events that were not seen.
    behind: bool,
    ended: bool,
}

impl Follower {
    async fn next(&mut self) -> Option<Result<Arc<Sent>, PortError>> {
        loop {
            if let Some(sent) = self.ready.pop_front() {
                self.after = sent.event.seq;
                self.ended = sent.is_final();
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
                Ok(sent) if sent.event.seq <= self.after => {}
                Ok(sent) if sent.event.seq == self.after + 1 => self.ready.push_back(sent),
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => self.behind = true,
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    async fn read_table(&mut self) -> Result<(), PortError> {
        let page = self
            .store
            .events(&self.id, self.after, PAGE)
            .await?
            .unwrap_or_default();
        self.behind = !page.is_empty();
        self.ready.extend(page.iter().map(Sent::new));
        if !self.behind {
            // Someone who resumes after the final event gets nothing more, and no open stream.
            let trial = self.store.trial(&self.id).await?;
            self.behind = trial.as_ref().is_some_and(|t| t.last_event > self.after);
            self.ended = trial.is_none_or(|t| t.state.is_final()) && !self.behind;
        }
        Ok(())
    }
}
