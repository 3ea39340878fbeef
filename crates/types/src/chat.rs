//! Conversations: messages with the actions they led to and what those came to, goals, alerts, and
//! what is found in the memory.
//!
//! A message is stored before it is sent and never changed. Numbers of an answer are figures of
//! stored results ([`AnswerPiece::Figure`]); one that no result holds is marked.

use crate::assistant::{CreateAlert, Question, SetGoal};
use crate::llm::{AnswerPiece, Cost, FigureCitation, ModelIdentity, Spent, TokenUsage};
use crate::{AlertId, ConversationId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ChatRole {
    /// The person.
    User,
    /// A part of the program at work: "Data agent", "Model agent".
    Agent,
    /// The answer, by which a turn ends.
    Assistant,
}

impl ChatRole {
    /// The word on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Agent => "agent",
            Self::Assistant => "assistant",
        }
    }

    /// The role of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::User, Self::Agent, Self::Assistant]
            .into_iter()
            .find(|r| r.as_str() == word)
    }
}

/// Something that goes on after an action was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Job {
    /// `trial`, `backtest`, `optimisation` or `alert`.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Page that shows it.
    pub link: String,
}

/// A table of an answer; every cell is as it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OutcomeTable {
    /// What it shows.
    pub title: String,
    /// Heads of the columns.
    pub columns: Vec<String>,
    /// Rows of as many cells.
    pub rows: Vec<Vec<String>>,
}

/// What an action came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActionOutcome {
    /// Id of the action.
    pub action: String,
    /// The answer in words, its numbers by reference to the result.
    pub pieces: Vec<AnswerPiece>,
    /// The figures that the pieces refer to.
    pub citations: Vec<FigureCitation>,
    /// Tables.
    pub tables: Vec<OutcomeTable>,
    /// What was begun.
    pub job: Option<Job>,
    /// Page that shows the result.
    pub link: Option<String>,
    /// What a reader should know: missing data, an assumption.
    pub notes: Vec<String>,
    /// Sentences that can be said next.
    pub next_steps: Vec<String>,
    /// The whole answer of the use case.
    pub result: Value,
}

impl ActionOutcome {
    /// The answer as plain text.
    #[must_use]
    pub fn text(&self) -> String {
        text_of(&self.pieces)
    }
}

/// Pieces as plain text; a number that no result holds stands in square brackets with "unverified".
#[must_use]
pub fn text_of(pieces: &[AnswerPiece]) -> String {
    pieces
        .iter()
        .map(|piece| match piece {
            AnswerPiece::Text { text } | AnswerPiece::Figure { text, .. } => text.clone(),
            AnswerPiece::Unverified { text } => format!("[unverified: {text}]"),
        })
        .collect()
}

/// What became of an action of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CardState {
    /// It was done.
    Done,
    /// The permissions did not allow it.
    Refused,
    /// It could not be done; the problem says why.
    Failed,
    /// It was not tried, because one before it was not done.
    Skipped,
}

/// An action of a message and what it came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActionCard {
    /// Id of the action.
    pub action: String,
    /// Its title.
    pub title: String,
    /// Its parameters.
    pub params: Value,
    /// What became of it.
    pub state: CardState,
    /// Why it was not done.
    pub problem: Option<String>,
    /// What it came to.
    pub outcome: Option<ActionOutcome>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChatMessage {
    /// Its number in the conversation: 1, 2, 3 ... without holes.
    pub seq: i64,
    /// Conversation.
    pub conversation: ConversationId,
    /// When it was stored.
    pub at: DateTime<Utc>,
    /// Who wrote it.
    pub role: ChatRole,
    /// Name for people: "You", "Data agent", "mlTrainer".
    pub author: String,
    /// Number of the person's message that it answers, or is on the way to answer.
    pub answers: Option<i64>,
    /// The message as plain text: what the memory searches.
    pub text: String,
    /// The answer with its numbers by reference; empty for a person's message.
    pub pieces: Vec<AnswerPiece>,
    /// The figures that the pieces refer to.
    pub citations: Vec<FigureCitation>,
    /// Actions with what they came to.
    pub cards: Vec<ActionCard>,
    /// What is asked back.
    pub question: Option<Question>,
    /// The language model that answered; absent for the built-in parser.
    pub model: Option<ModelIdentity>,
    /// What the model used for it.
    pub usage: Option<TokenUsage>,
    /// What that cost.
    pub cost: Option<Cost>,
    /// 0 to 1: how much it is worth remembering.
    pub importance: f64,
    /// What it is about: symbols, models, ids of actions, in small letters.
    pub topics: Vec<String>,
}

/// A conversation in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// The beginning of its first message.
    pub title: String,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When its last message was stored.
    pub updated_at: DateTime<Utc>,
    /// Number of its last message.
    pub last_message: i64,
    /// Whether an answer is being worked on.
    pub working: bool,
}

/// What a person says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SayRequest {
    /// The text, 1 to 10,000 characters.
    pub text: String,
    /// The conversation it belongs to; a new one when absent.
    #[serde(default)]
    pub conversation: Option<ConversationId>,
}

/// Where a message was put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Said {
    /// Conversation.
    pub conversation: ConversationId,
    /// Number of the message; the answer follows it.
    pub seq: i64,
}

/// A piece of an answer that is being written; not stored, the message that follows is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChatDelta {
    /// Number of the person's message that is being answered.
    pub answers: i64,
    /// What is to be added to it.
    pub pieces: Vec<AnswerPiece>,
}

/// What is found in the memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MemoryHit {
    /// Conversation.
    pub conversation: ConversationId,
    /// Number of the message in it.
    pub seq: i64,
    /// When it was stored.
    pub at: DateTime<Utc>,
    /// Who wrote it.
    pub role: ChatRole,
    /// Name for people.
    pub author: String,
    /// The place that was found, at most 300 characters; what was searched stands between U+2068 and U+2069.
    pub snippet: String,
    /// 0 to 1.
    pub importance: f64,
    /// What the message is about.
    pub topics: Vec<String>,
    /// The larger, the better it fits: relevance, importance and recency together.
    pub score: f64,
}

/// How far a figure of the goal is reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GoalProgress {
    /// The figure.
    pub metric: String,
    /// What is wanted, in words: "at least 1.5".
    pub wanted: String,
    /// The best value of a stored result so far, out of sample.
    pub best: Option<f64>,
    /// Whether that reaches it; `null` without a value, or when only a direction is wanted.
    pub reached: Option<bool>,
    /// Page of the result that the value is of.
    pub link: Option<String>,
}

/// The goal and how far it is reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GoalView {
    /// Number of the goal: each one that is set gets the next.
    pub id: i64,
    /// When it was set.
    pub at: DateTime<Utc>,
    /// Who set it.
    pub actor: String,
    /// What was set.
    pub goal: SetGoal,
    /// Its figures and how far they are reached.
    pub progress: Vec<GoalProgress>,
}

/// An alert that fired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AlertEvent {
    /// Number among all of them.
    pub seq: i64,
    /// When it was noticed.
    pub at: DateTime<Utc>,
    /// The day of the data it was noticed on.
    pub day: chrono::NaiveDate,
    /// `regime`, `volatility`, ..., `price_above`, ...
    pub trigger: String,
    /// What happened, with its figures and what it means for the holdings.
    pub sentence: String,
    /// Data sets that it was seen in.
    pub datasets: Vec<String>,
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AlertView {
    /// Its id.
    pub id: AlertId,
    /// When it was set.
    pub at: DateTime<Utc>,
    /// Who set it.
    pub actor: String,
    /// What is watched.
    pub watch: CreateAlert,
    /// When the data were looked at last.
    pub looked_at: Option<DateTime<Utc>>,
    /// What it noticed, newest first, at most 20.
    pub events: Vec<AlertEvent>,
}

/// The language model of the program and what was spent, for the page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AssistantStatus {
    /// The language model; absent when the built-in parser answers.
    pub model: Option<ModelIdentity>,
    /// The trust that actions proposed by a model have, 1 to 10.
    pub trust: u8,
    /// Ceilings on tokens and money.
    pub ceilings: crate::llm::Ceilings,
    /// Spent today (UTC).
    pub today: Spent,
    /// Spent in the conversation that was asked for.
    pub conversation: Option<Spent>,
}
