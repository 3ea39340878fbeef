//! Tables `conversations` and `messages`.

use crate::fault::Fault;
use crate::{
    SqliteStore, Tx, audit, from_json, memory, model_calls, parse_time, time_text, to_json,
};
use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, SubsecRound as _, Utc};
use mltrainer_services::port::{ChatStore, MemoryQuery, PortError};
use mltrainer_types::ConversationId;
use mltrainer_types::assistant::Question;
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::chat::{ActionCard, ChatMessage, ChatRole, Conversation, MemoryHit};
use mltrainer_types::llm::{
    AnswerPiece, Cost, FigureCitation, LlmCall, MeterRecord, ModelIdentity, TokenUsage,
};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

/// Longest title, in characters.
const TITLE: usize = 80;

/// What no statement looks into.
#[derive(Serialize, Deserialize)]
struct Body {
    pieces: Vec<AnswerPiece>,
    citations: Vec<FigureCitation>,
    cards: Vec<ActionCard>,
    question: Option<Question>,
    model: Option<ModelIdentity>,
    usage: Option<TokenUsage>,
    cost: Option<Cost>,
}

/// The role that a row says.
pub(crate) fn role(row: &SqliteRow) -> Result<ChatRole, Fault> {
    let word: &str = row.try_get("role")?;
    ChatRole::parse(word).ok_or_else(|| Fault::Damaged(format!("role \"{word}\"")))
}

fn message(row: &SqliteRow) -> Result<ChatMessage, Fault> {
    let body: Body = from_json("body", row.try_get("body")?)?;
    Ok(ChatMessage {
        seq: row.try_get("seq")?,
        conversation: ConversationId(row.try_get("conversation")?),
        at: parse_time(row.try_get("at")?)?,
        role: role(row)?,
        author: row.try_get("author")?,
        answers: row.try_get("answers")?,
        text: row.try_get("text")?,
        pieces: body.pieces,
        citations: body.citations,
        cards: body.cards,
        question: body.question,
        model: body.model,
        usage: body.usage,
        cost: body.cost,
        importance: row.try_get("importance")?,
        topics: from_json("topics", row.try_get("topics")?)?,
    })
}

fn conversation(row: &SqliteRow) -> Result<Conversation, Fault> {
    Ok(Conversation {
        id: ConversationId(row.try_get("id")?),
        title: row.try_get("title")?,
        created_at: parse_time(row.try_get("created_at")?)?,
        updated_at: parse_time(row.try_get("updated_at")?)?,
        last_message: row.try_get("last_message")?,
        working: false,
    })
}

/// The beginning of the first line that says something.
fn title(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    let short: String = line
        .chars()
        .filter(|c| !c.is_control())
        .take(TITLE)
        .collect();
    short.trim_end().to_owned()
}

async fn by_key(conn: &mut SqliteConnection, key: &str) -> Result<Option<ChatMessage>, Fault> {
    sqlx::query("SELECT * FROM messages WHERE key = ?")
        .bind(key)
        .fetch_optional(conn)
        .await?
        .map(|row| message(&row))
        .transpose()
}

/// Stores a message under the next number of its conversation.
async fn insert(
    conn: &mut SqliteConnection,
    mut m: ChatMessage,
    key: Option<&str>,
) -> Result<ChatMessage, Fault> {
    // As it will be read back.
    m.at = m.at.trunc_subsecs(6);
    m.seq = sqlx::query_scalar(
        "INSERT INTO conversations (id, title, created_at, updated_at, last_message)
         VALUES (?1, ?2, ?3, ?3, 1)
         ON CONFLICT (id) DO UPDATE SET
             updated_at = excluded.updated_at, last_message = last_message + 1
         RETURNING last_message",
    )
    .bind(m.conversation.as_str())
    .bind(title(&m.text))
    .bind(time_text(m.at))
    .fetch_one(&mut *conn)
    .await?;
    let body = Body {
        pieces: m.pieces,
        citations: m.citations,
        cards: m.cards,
        question: m.question,
        model: m.model,
        usage: m.usage,
        cost: m.cost,
    };
    sqlx::query(
        "INSERT INTO messages (conversation, seq, at, role, author, answers, importance, topics, key, text, body)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(m.conversation.as_str())
    .bind(m.seq)
    .bind(time_text(m.at))
    .bind(m.role.as_str())
    .bind(&m.author)
    .bind(m.answers)
    .bind(m.importance)
    .bind(to_json(&m.topics)?)
    .bind(key)
    .bind(&m.text)
    .bind(to_json(&body)?)
    .execute(conn)
    .await?;
    m.pieces = body.pieces;
    m.citations = body.citations;
    m.cards = body.cards;
    m.question = body.question;
    m.model = body.model;
    m.usage = body.usage;
    m.cost = body.cost;
    Ok(m)
}

impl SqliteStore {
    async fn write_message(
        &self,
        tx: &mut Tx,
        message: ChatMessage,
        key: Option<&str>,
        entries: &[AuditEntry],
    ) -> Result<ChatMessage, Fault> {
        if let Some(key) = key
            && let Some(there) = by_key(tx, key).await?
        {
            return Ok(there);
        }
        let stored = insert(tx, message, key).await?;
        audit::append(tx, &self.signer, stored.at, entries).await?;
        Ok(stored)
    }

    async fn read_messages(
        &self,
        query: sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
    ) -> Result<Vec<ChatMessage>, PortError> {
        query
            .fetch_all(&self.readers)
            .await
            .map_err(|e| self.port(e.into()))?
            .iter()
            .map(|row| message(row).map_err(|f| self.port(f)))
            .collect()
    }
}

#[async_trait]
impl ChatStore for SqliteStore {
    async fn say(
        &self,
        message: ChatMessage,
        key: Option<&str>,
        audit: Vec<AuditEntry>,
    ) -> Result<ChatMessage, PortError> {
        let mut tx = self.begin().await?;
        let stored = self.write_message(&mut tx, message, key, &audit).await;
        let stored = stored.map_err(|f| self.port(f))?;
        self.commit_tx(tx).await?;
        Ok(stored)
    }

    async fn conversation(&self, id: &ConversationId) -> Result<Option<Conversation>, PortError> {
        sqlx::query("SELECT * FROM conversations WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(&self.readers)
            .await
            .map_err(|e| self.port(e.into()))?
            .map(|row| conversation(&row).map_err(|f| self.port(f)))
            .transpose()
    }

    async fn conversations(
        &self,
        before: Option<(DateTime<Utc>, ConversationId)>,
        limit: u32,
    ) -> Result<Vec<Conversation>, PortError> {
        let all = "SELECT * FROM conversations ORDER BY updated_at DESC, id DESC LIMIT ?";
        let below = "SELECT * FROM conversations WHERE (updated_at, id) < (?, ?)
             ORDER BY updated_at DESC, id DESC LIMIT ?";
        let query = match before {
            Some((at, id)) => sqlx::query(below).bind(time_text(at)).bind(id.0),
            None => sqlx::query(all),
        };
        query
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(|e| self.port(e.into()))?
            .iter()
            .map(|row| conversation(row).map_err(|f| self.port(f)))
            .collect()
    }

    async fn messages(
        &self,
        id: &ConversationId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<ChatMessage>, PortError> {
        let query = sqlx::query(
            "SELECT * FROM messages WHERE conversation = ? AND seq > ? ORDER BY seq LIMIT ?",
        );
        self.read_messages(query.bind(id.as_str()).bind(after).bind(limit))
            .await
    }

    async fn last_messages(
        &self,
        id: &ConversationId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<ChatMessage>, PortError> {
        let query = sqlx::query(
            "SELECT * FROM messages WHERE conversation = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
        );
        let before = before.unwrap_or(i64::MAX);
        let mut last = self
            .read_messages(query.bind(id.as_str()).bind(before).bind(limit))
            .await?;
        last.reverse();
        Ok(last)
    }

    async fn remember(&self, query: &MemoryQuery) -> Result<Vec<MemoryHit>, PortError> {
        memory::search(&self.readers, query)
            .await
            .map_err(|f| self.port(f))
    }

    async fn unanswered(&self) -> Result<Vec<ChatMessage>, PortError> {
        self.read_messages(sqlx::query(
            "SELECT * FROM messages WHERE id IN (
                 SELECT id FROM messages q WHERE role = 'user' AND NOT EXISTS (
                     SELECT 1 FROM messages a
                     WHERE a.role = 'assistant' AND a.conversation = q.conversation AND a.answers = q.seq))
             ORDER BY id",
        ))
        .await
    }

    async fn spend(&self, at: DateTime<Utc>, call: &LlmCall) -> Result<(), PortError> {
        let mut tx = self.begin().await?;
        model_calls::insert(&mut tx, at, call)
            .await
            .map_err(|f| self.port(f))?;
        self.commit_tx(tx).await
    }

    async fn spent(&self, day: NaiveDate) -> Result<MeterRecord, PortError> {
        model_calls::spent(&self.readers, day)
            .await
            .map_err(|f| self.port(f))
    }
}
