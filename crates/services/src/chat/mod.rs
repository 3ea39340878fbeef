//! Conversations: what is said is stored, understood, done and answered.
//!
//! What: [`Services::say`] stores a person's message and begins its turn; the turn runs in the background,
//! its agents' messages and its answer are stored as they come and reach those who follow the
//! conversation. A language model answers when one is configured, the built-in parser otherwise.
//! Data: a message is on the disk before anyone sees it; what a model is writing is sent as it comes and
//! stored when it is whole.
//! Fails when: the text is empty or too long, or too many turns of the conversation are under way.
//! After a crash: a message that no answer follows is answered at the next start; what its turn had
//! begun is found again by its key and not begun twice.

mod export;
mod memory;
mod model_turn;
mod parser_turn;
mod stream;

pub use memory::MemorySearch;
pub use stream::{ChatSent, ChatStream};

use crate::actions::AgentNote;
use crate::hub::{Feed, Hub};
use crate::port::{ChatStore, PortError};
use crate::trials::new_uuid;
use crate::{Authority, ServiceError, Services};
use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use mltrainer_assistant::llm::{LanguageModel, Meter};
use mltrainer_assistant::parser::Parser;
use mltrainer_types::assistant::Question;
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::chat::{
    ActionCard, AssistantStatus, ChatDelta, ChatMessage, ChatRole, Conversation, Said, SayRequest,
    text_of,
};
use mltrainer_types::llm::{AnswerPiece, Ceilings, Cost, ModelIdentity, ModelPrice, TokenUsage};
use mltrainer_types::{ConversationId, Page};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// Longest message of a person, in characters.
const LONGEST: usize = 10_000;

/// Messages that the page of a conversation shows.
pub(crate) const SHOWN: u32 = 200;

/// Turns of a conversation that may be under way at once.
const TURNS: usize = 4;

/// Conversations on a page of the list.
const PAGE: u32 = 50;

/// Name under which the program answers.
const NAME: &str = "mlTrainer";

/// The language model of the program, its bounds and its trust; all of it is handed in.
#[derive(Clone)]
pub struct AssistantParts {
    /// The language model; the built-in parser answers without one.
    pub model: Option<Arc<dyn LanguageModel>>,
    /// Its configured price.
    pub price: Option<ModelPrice>,
    /// Ceilings on tokens and money.
    pub ceilings: Ceilings,
    /// The trust of what a model proposes, 1 to 10.
    pub trust: u8,
    /// Interventions a day (UTC) that the model may make as a coach without a person; it needs trust 9 for any.
    pub unattended: u32,
    /// Text that no outsider can guess, from which the marks around quoted material are made.
    pub secret: String,
}

impl Default for AssistantParts {
    /// The built-in parser alone.
    fn default() -> Self {
        Self {
            model: None,
            price: None,
            ceilings: Ceilings::default(),
            trust: 5,
            unattended: 0,
            secret: String::new(),
        }
    }
}

/// The names that a parser was made with, and the parser.
type Known = (BTreeSet<String>, Arc<Parser>);

/// What the conversations of a process share.
pub(crate) struct Talk {
    pub(crate) store: Arc<dyn ChatStore>,
    pub(crate) parts: AssistantParts,
    hub: Arc<Hub<ChatMessage>>,
    /// What is being written, by conversation.
    drafts: Mutex<BTreeMap<String, Arc<Writing>>>,
    /// Turns under way: conversation and number of the message, and how to end it.
    turns: Mutex<BTreeMap<(String, i64), CancellationToken>>,
    parser: Mutex<Option<Known>>,
    /// Made at its first use, from what the store knows.
    meter: tokio::sync::OnceCell<Mutex<Meter>>,
    closing: CancellationToken,
}

/// What is being written in a conversation, for those who listen and for those who come later.
struct Writing {
    to: broadcast::Sender<ChatDelta>,
    /// All of it since it began.
    so_far: Mutex<Option<ChatDelta>>,
}

impl Default for Writing {
    fn default() -> Self {
        Self {
            to: broadcast::channel(256).0,
            so_far: Mutex::default(),
        }
    }
}

impl Writing {
    fn say(&self, delta: ChatDelta) {
        let mut so_far = lock(&self.so_far);
        match &mut *so_far {
            Some(all) if all.answers == delta.answers => all.pieces.extend(delta.pieces.clone()),
            other => *other = Some(delta.clone()),
        }
        // Without a listener the message is stored all the same.
        let _ = self.to.send(delta);
    }

    /// Nothing is written yet, or what was is stored.
    fn begin(&self) {
        *lock(&self.so_far) = None;
    }

    /// What was written so far and what follows, nothing twice and nothing left out.
    fn listen(&self) -> (Option<ChatDelta>, broadcast::Receiver<ChatDelta>) {
        let so_far = lock(&self.so_far);
        (so_far.clone(), self.to.subscribe())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // These maps are whole whatever a panicking holder did.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Talk {
    pub(crate) fn new(store: Arc<dyn ChatStore>, parts: AssistantParts) -> Self {
        Self {
            store,
            parts,
            hub: Arc::default(),
            drafts: Mutex::default(),
            turns: Mutex::default(),
            parser: Mutex::default(),
            meter: tokio::sync::OnceCell::new(),
            closing: CancellationToken::new(),
        }
    }

    /// Ends all turns; they go on at the next start.
    pub(crate) fn close(&self) {
        self.closing.cancel();
    }

    /// Publishes what other processes stored.
    pub(crate) async fn catch_up(&self) {
        self.hub.catch_up(&self.store).await;
    }

    fn writing_in(&self, conversation: &ConversationId) -> Arc<Writing> {
        let mut drafts = lock(&self.drafts);
        // Those that somebody writes or reads.
        drafts.retain(|_, w| Arc::strong_count(w) > 1 || w.to.receiver_count() > 0);
        drafts.entry(conversation.0.clone()).or_default().clone()
    }

    fn works_on(&self, conversation: &ConversationId) -> usize {
        let turns = lock(&self.turns);
        turns.keys().filter(|(c, _)| *c == conversation.0).count()
    }
}

#[async_trait]
impl Feed<ChatMessage> for Arc<dyn ChatStore> {
    async fn after(&self, id: &str, after: i64, limit: u32) -> Result<Vec<ChatMessage>, PortError> {
        self.messages(&id.into(), after, limit).await
    }

    async fn stands(&self, id: &str) -> Result<Option<(i64, bool)>, PortError> {
        let found = self.conversation(&id.into()).await?;
        Ok(found.map(|c| (c.last_message, false)))
    }
}

/// A message that is not numbered yet.
struct Draft {
    role: ChatRole,
    author: String,
    answers: Option<i64>,
    text: String,
    pieces: Vec<AnswerPiece>,
    citations: Vec<mltrainer_types::llm::FigureCitation>,
    cards: Vec<ActionCard>,
    question: Option<Question>,
    model: Option<ModelIdentity>,
    usage: Option<TokenUsage>,
    cost: Option<Cost>,
    importance: f64,
}

impl Draft {
    fn answer(answers: i64) -> Self {
        Self {
            role: ChatRole::Assistant,
            author: NAME.to_owned(),
            answers: Some(answers),
            text: String::new(),
            pieces: Vec::new(),
            citations: Vec::new(),
            cards: Vec::new(),
            question: None,
            model: None,
            usage: None,
            cost: None,
            importance: 0.4,
        }
    }

    fn plain(answers: i64, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            pieces: vec![AnswerPiece::Text { text: text.clone() }],
            text,
            ..Self::answer(answers)
        }
    }
}

impl Draft {
    /// The message, whose number the store gives.
    fn message(self, conversation: ConversationId, at: DateTime<Utc>) -> ChatMessage {
        ChatMessage {
            seq: 0,
            conversation,
            at,
            role: self.role,
            author: self.author,
            answers: self.answers,
            topics: topics(&self.cards),
            text: self.text,
            pieces: self.pieces,
            citations: self.citations,
            cards: self.cards,
            question: self.question,
            model: self.model,
            usage: self.usage,
            cost: self.cost,
            importance: self.importance,
        }
    }
}

/// Symbols, models and actions that a message is about.
fn topics(cards: &[ActionCard]) -> Vec<String> {
    fn names(value: &serde_json::Value, into: &mut BTreeSet<String>) {
        match value {
            serde_json::Value::Object(members) => {
                for (name, value) in members {
                    match name.as_str() {
                        "symbols" | "models" | "symbol" | "model" | "family" | "strategy"
                        | "ingredients" | "focus" | "dataset" => words(value, into),
                        _ => names(value, into),
                    }
                }
            }
            serde_json::Value::Array(items) => items.iter().for_each(|v| names(v, into)),
            _ => {}
        }
    }
    fn words(value: &serde_json::Value, into: &mut BTreeSet<String>) {
        match value {
            serde_json::Value::String(word) if !word.is_empty() && word.len() <= 64 => {
                into.insert(word.to_lowercase());
            }
            serde_json::Value::Array(items) => items.iter().for_each(|v| words(v, into)),
            serde_json::Value::Object(_) => names(value, into),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    for card in cards {
        found.insert(card.action.clone());
        names(&card.params, &mut found);
    }
    found.into_iter().take(30).collect()
}

impl Services {
    /// Stores what a person says and begins to answer. The same key makes one message only.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] for a text that is empty or too long; [`ServiceError::NotFound`] for an unknown
    /// conversation; [`ServiceError::Conflict`] when four answers of it are under way, or for a key that came with another text.
    pub async fn say(
        &self,
        who: &Authority,
        request: SayRequest,
        key: Option<&str>,
    ) -> Result<Said, ServiceError> {
        let (text, _) = mltrainer_assistant::quoted::plain(&request.text);
        let text = text.trim().to_owned();
        let length = text.chars().count();
        if length == 0 || length > LONGEST {
            return Err(ServiceError::invalid(
                "text",
                format!("a message has 1 to 10,000 characters, this one {length}"),
            ));
        }
        let at = self.inner.clock.now();
        let talk = &self.inner.talk;
        let conversation = match request.conversation {
            Some(id) => self.conversation(id.as_str()).await?.id,
            None => ConversationId(format!("c-{}", new_uuid(at))),
        };
        if talk.works_on(&conversation) >= TURNS {
            return Err(ServiceError::Conflict(
                "four answers of this conversation are under way: wait for one or stop it"
                    .to_owned(),
            ));
        }
        let key = key
            .map(|key| crate::trials::key_of(key, &text))
            .transpose()?;
        let draft = Draft {
            role: ChatRole::User,
            author: who.actor.clone(),
            answers: None,
            text,
            importance: 0.5,
            ..Draft::answer(0)
        };
        let message = draft.message(conversation, at);
        let audit = AuditEntry {
            actor: who.actor.clone(),
            action: "chat.message".to_owned(),
            subject: message.conversation.0.clone(),
            decision: "allowed".to_owned(),
            rule: None,
            detail: json!({ "text_sha256": hex::encode(Sha256::digest(&message.text)) }),
        };
        let text = message.text.clone();
        let stored = talk
            .store
            .say(message, key.as_ref().map(|k| k.key.as_str()), vec![audit])
            .await?;
        if stored.text != text {
            return Err(ServiceError::Conflict(
                "this Idempotency-Key came before with another text: use a new key for a new message"
                    .to_owned(),
            ));
        }
        // The key said it before, and it was answered.
        let answered = stored.at != at && self.is_answered(&stored).await?;
        let said = Said {
            conversation: stored.conversation.clone(),
            seq: stored.seq,
        };
        if !answered {
            self.begin_turn(who.clone(), stored);
        }
        Ok(said)
    }

    /// Whether a message of the assistant answers this one.
    async fn is_answered(&self, message: &ChatMessage) -> Result<bool, ServiceError> {
        let store = &self.inner.talk.store;
        let later = store.messages(&message.conversation, message.seq, SHOWN);
        Ok(later
            .await?
            .iter()
            .any(|m| m.role == ChatRole::Assistant && m.answers == Some(message.seq)))
    }

    /// Begins the turn of a stored message, unless it is under way here.
    fn begin_turn(&self, who: Authority, message: ChatMessage) {
        let talk = &self.inner.talk;
        let place = (message.conversation.0.clone(), message.seq);
        let stop = talk.closing.child_token();
        {
            let mut turns = lock(&talk.turns);
            if turns.contains_key(&place) {
                return;
            }
            turns.insert(place.clone(), stop.clone());
        }
        talk.hub.send(
            message.conversation.as_str(),
            std::slice::from_ref(&message),
        );
        let services = self.clone();
        tokio::spawn(async move {
            services.turn(&who, &message, &stop).await;
            lock(&services.inner.talk.turns).remove(&place);
        });
    }

    /// Answers a message.
    async fn turn(&self, who: &Authority, message: &ChatMessage, stop: &CancellationToken) {
        let talk = &self.inner.talk;
        let draft = if talk.parts.model.is_some() {
            self.model_turn(who, message, stop).await
        } else {
            self.parser_turn(who, message, stop).await
        };
        // Ended with the process: it is answered at the next start.
        if talk.closing.is_cancelled() {
            return;
        }
        let draft = draft.unwrap_or_else(|e| {
            let said = match &e {
                ServiceError::Internal(text) => {
                    tracing::error!("a turn failed: {text}");
                    e.problem().detail
                }
                other => other.to_string(),
            };
            Draft::plain(message.seq, sentence(&said))
        });
        if let Err(e) = self.store_message(&message.conversation, draft).await {
            tracing::error!("an answer was not stored: {e}");
        }
    }

    /// Stores a message of the program and sends it.
    async fn store_message(
        &self,
        conversation: &ConversationId,
        draft: Draft,
    ) -> Result<ChatMessage, ServiceError> {
        let message = draft.message(conversation.clone(), self.inner.clock.now());
        let talk = &self.inner.talk;
        let stored = talk.store.say(message, None, Vec::new()).await?;
        talk.hub
            .send(conversation.as_str(), std::slice::from_ref(&stored));
        Ok(stored)
    }

    /// Stores what an agent says.
    async fn store_note(&self, message: &ChatMessage, note: AgentNote) {
        let draft = Draft {
            role: ChatRole::Agent,
            author: note.agent.to_owned(),
            text: note.said.text(),
            pieces: note.said.pieces.clone(),
            citations: note.said.citations.clone(),
            importance: 0.2,
            cards: if note.said.job.is_some() || !note.said.tables.is_empty() {
                vec![ActionCard {
                    action: note.said.action.clone(),
                    title: note.agent.to_owned(),
                    params: serde_json::Value::Null,
                    state: mltrainer_types::chat::CardState::Done,
                    problem: None,
                    outcome: Some(note.said),
                }]
            } else {
                Vec::new()
            },
            ..Draft::answer(message.seq)
        };
        if let Err(e) = self.store_message(&message.conversation, draft).await {
            tracing::warn!("an agent's message was not stored: {e}");
        }
    }

    /// Answers the messages that a dead process left without an answer.
    pub(crate) async fn take_up_turns(&self) {
        let left = match self.inner.talk.store.unanswered().await {
            Ok(left) => left,
            Err(e) => return tracing::debug!("messages without an answer were not read: {e}"),
        };
        for message in left {
            let who = Authority::person(&message.author);
            self.begin_turn(who, message);
        }
    }

    /// Conversations, those with the newest message first.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] for a cursor that is none.
    pub async fn conversations(
        &self,
        cursor: Option<&str>,
    ) -> Result<Page<Conversation>, ServiceError> {
        let before = cursor
            .filter(|c| !c.is_empty())
            .map(|text| {
                let (at, id) = text.split_once('/')?;
                let at = chrono::DateTime::parse_from_rfc3339(at).ok()?;
                Some((at.to_utc(), ConversationId(id.to_owned())))
            })
            .map(|read| {
                read.ok_or_else(|| {
                    ServiceError::invalid("cursor", "this is not a cursor of the list".to_owned())
                })
            })
            .transpose()?;
        let talk = &self.inner.talk;
        let mut items = talk.store.conversations(before, PAGE + 1).await?;
        let more = items.len() > PAGE as usize;
        items.truncate(PAGE as usize);
        for item in &mut items {
            item.working = talk.works_on(&item.id) > 0;
        }
        let next = items.last().filter(|_| more).map(|c| {
            let at = c
                .updated_at
                .to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
            format!("{at}/{}", c.id)
        });
        Ok(Page { items, next })
    }

    /// A conversation as it stands.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn conversation(&self, id: &str) -> Result<Conversation, ServiceError> {
        let talk = &self.inner.talk;
        let found = talk.store.conversation(&id.into()).await?;
        let mut found = found.ok_or_else(|| ServiceError::NotFound {
            what: "conversation",
            id: id.to_owned(),
            suggestions: Vec::new(),
        })?;
        found.working = talk.works_on(&found.id) > 0;
        Ok(found)
    }

    /// The last 200 messages with numbers below `before`, oldest first.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn messages(
        &self,
        id: &str,
        before: Option<i64>,
    ) -> Result<Vec<ChatMessage>, ServiceError> {
        let id = self.conversation(id).await?.id;
        Ok(self
            .inner
            .talk
            .store
            .last_messages(&id, before, SHOWN)
            .await?)
    }

    /// Ends the answers of a conversation that are under way; gives how many.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn stop_answers(&self, id: &str) -> Result<usize, ServiceError> {
        let id = self.conversation(id).await?.id;
        let turns = lock(&self.inner.talk.turns);
        let mine = turns.iter().filter(|((c, _), _)| *c == id.0);
        Ok(mine.map(|(_, stop)| stop.cancel()).count())
    }

    /// The language model, its ceilings and what was spent, in all and by a conversation.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn assistant_status(
        &self,
        conversation: Option<&str>,
    ) -> Result<AssistantStatus, ServiceError> {
        let talk = &self.inner.talk;
        let record = talk.store.spent(self.today()).await?;
        Ok(AssistantStatus {
            model: talk.parts.model.as_ref().map(|m| m.identity().clone()),
            trust: talk.parts.trust,
            ceilings: talk.parts.ceilings,
            today: record.today,
            conversation: conversation
                .map(|id| record.conversations.get(id).copied().unwrap_or_default()),
        })
    }

    /// The day (UTC).
    pub(crate) fn today(&self) -> NaiveDate {
        self.inner.clock.now().date_naive()
    }
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.trim().chars();
    let mut out: String = chars
        .next()
        .map(|c| c.to_uppercase().collect())
        .unwrap_or_default();
    out.push_str(chars.as_str());
    if !out.ends_with(['.', '!', '?', ':']) {
        out.push('.');
    }
    out
}

/// The texts of outcomes as one answer, each with its own citations renumbered.
fn joined(draft: &mut Draft) {
    for card in &draft.cards {
        let Some(outcome) = &card.outcome else {
            continue;
        };
        if !draft.pieces.is_empty() {
            draft.pieces.push(AnswerPiece::Text {
                text: "\n\n".to_owned(),
            });
        }
        let offset = u32::try_from(draft.citations.len()).unwrap_or(u32::MAX);
        draft.pieces.extend(outcome.pieces.iter().map(|p| match p {
            AnswerPiece::Figure { text, citation } => AnswerPiece::Figure {
                text: text.clone(),
                citation: citation.saturating_add(offset),
            },
            other => other.clone(),
        }));
        draft.citations.extend(outcome.citations.iter().cloned());
    }
    draft.text = text_of(&draft.pieces);
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_types::llm::AnswerPiece;

    #[tokio::test]
    async fn who_comes_late_hears_everything_once() {
        let delta = |answers, text: &str| ChatDelta {
            answers,
            pieces: vec![AnswerPiece::Text {
                text: text.to_owned(),
            }],
        };
        let writing = Writing::default();
        assert_eq!(writing.listen().0, None);
        writing.say(delta(1, "No "));
        writing.say(delta(1, "edge"));
        let (so_far, mut rest) = writing.listen();
        writing.say(delta(1, "."));
        let mut all = so_far.unwrap().pieces;
        all.extend(rest.recv().await.unwrap().pieces);
        assert_eq!(mltrainer_types::chat::text_of(&all), "No edge.");
        // What another message is answered with begins anew, as does what was stored.
        writing.say(delta(3, "Yes"));
        assert_eq!(writing.listen().0, Some(delta(3, "Yes")));
        writing.begin();
        assert_eq!(writing.listen().0, None);
    }
}
