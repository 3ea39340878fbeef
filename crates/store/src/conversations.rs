//! Tables `conversations` and `messages`.

use crate::fault::Fault;
use crate::{
    SqliteStore, Tx, action_keys, audit, from_json, memory, model_calls, parse_time, steered_runs,
    time_text, to_json,
};
use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, SubsecRound as _, Utc};
use mltrainer_services::port::{ChatStore, MemoryQuery, PortError, SteeredAction};
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

    async fn made_under(&self, key: &str) -> Result<Option<(String, String)>, PortError> {
        action_keys::find(&self.readers, key)
            .await
            .map_err(|f| self.port(f))
    }

    async fn steer(&self, key: &str, by: &SteeredAction) -> Result<(), PortError> {
        let mut tx = self.begin().await?;
        steered_runs::announce(&mut tx, key, by)
            .await
            .map_err(|f| self.port(f))?;
        self.commit_tx(tx).await
    }

    async fn steered(&self, kind: &str, id: &str) -> Result<Option<SteeredAction>, PortError> {
        steered_runs::get(&self.readers, kind, id)
            .await
            .map_err(|f| self.port(f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Ticks, entry, message, store};
    use mltrainer_services::port::AuditStore;
    use mltrainer_types::chat::{ActionOutcome, CardState};
    use mltrainer_types::llm::{KnowledgeCutoff, LlmProvider};
    use serde_json::json;
    use std::sync::Arc;

    fn answer(conversation: &str, to: i64, role: ChatRole) -> ChatMessage {
        ChatMessage {
            role,
            author: "mlTrainer".into(),
            answers: Some(to),
            ..message(conversation, "An answer.")
        }
    }

    /// With everything that a message can hold.
    fn full() -> ChatMessage {
        let pieces = vec![
            AnswerPiece::Text {
                text: "The error is ".into(),
            },
            AnswerPiece::Figure {
                text: "0.1".into(),
                citation: 0,
            },
            AnswerPiece::Unverified { text: "7".into() },
        ];
        let citations = vec![FigureCitation {
            handle: "r1.rmse".into(),
            label: "RMSE".into(),
            link: Some("/trials/t-1".into()),
        }];
        ChatMessage {
            pieces: pieces.clone(),
            citations: citations.clone(),
            cards: vec![ActionCard {
                action: "analyze_symbol".into(),
                title: "Analyse".into(),
                params: json!({"symbols": ["AAPL"], "horizon": 7}),
                state: CardState::Done,
                problem: None,
                outcome: Some(ActionOutcome {
                    action: "analyze_symbol".into(),
                    pieces,
                    citations,
                    // Doubles come back to the last bit.
                    result: json!({"rmse": 0.1 + 0.2, "tiny": 5e-324, "none": null}),
                    ..ActionOutcome::default()
                }),
            }],
            question: Some(Question {
                action: "analyze_symbol".into(),
                slot: "symbols".into(),
                question: "Which symbol?".into(),
                suggestions: vec!["AAPL".into()],
                params: json!({}),
                text: "analyse".into(),
                confidence: 0.5,
                used: Vec::new(),
            }),
            model: Some(ModelIdentity {
                provider: LlmProvider::Anthropic,
                model: "a model".into(),
                host: "localhost".into(),
                cutoff: KnowledgeCutoff::Unknown,
            }),
            usage: Some(TokenUsage {
                input: 10,
                ..TokenUsage::default()
            }),
            cost: Some(Cost::Unknown),
            importance: 0.8,
            topics: vec!["aapl".into(), "analyze_symbol".into()],
            ..answer("c-1", 1, ChatRole::Assistant)
        }
    }

    async fn say(store: &SqliteStore, message: ChatMessage) -> ChatMessage {
        store.say(message, None, Vec::new()).await.unwrap()
    }

    #[tokio::test]
    async fn a_message_comes_back_whole_under_the_next_number() {
        let (_folder, store) = store().await;
        let id = ConversationId::from("c-1");
        assert_eq!(store.conversation(&id).await.unwrap(), None);
        let mut first = message("c-1", "Analyse AAPL");
        first.at = "2024-01-01T00:00:00.123456789Z".parse().unwrap();
        let first = say(&store, first).await;
        // To the microsecond, as it is stored.
        assert_eq!(
            first.at,
            "2024-01-01T00:00:00.123456Z"
                .parse::<DateTime<Utc>>()
                .unwrap()
        );
        let second = say(&store, full()).await;
        assert_eq!((first.seq, second.seq), (1, 2));
        assert_eq!(second, ChatMessage { seq: 2, ..full() });
        let all = store.messages(&id, 0, 10).await.unwrap();
        assert_eq!(all, [first.clone(), second.clone()]);
        let kept = store.conversation(&id).await.unwrap().unwrap();
        assert_eq!((kept.created_at, kept.updated_at), (first.at, second.at));
        assert_eq!((kept.last_message, kept.working), (2, false));
        assert_eq!(say(&store, message("c-2", "Another")).await.seq, 1);
    }

    #[tokio::test]
    async fn the_title_is_the_beginning_of_the_first_line() {
        let (_folder, store) = store().await;
        for (id, text, its) in [
            (
                "c-1",
                "Analyse AAPL\nand MSFT".to_owned(),
                "Analyse AAPL".to_owned(),
            ),
            (
                "c-2",
                "\n \n  Zürich\t\u{1f680}".to_owned(),
                "Zürich\u{1f680}".to_owned(),
            ),
            ("c-3", "é".repeat(200), "é".repeat(80)),
            ("c-4", String::new(), String::new()),
        ] {
            say(&store, message(id, &text)).await;
            let title = store.conversation(&id.into()).await.unwrap().unwrap().title;
            assert_eq!(title, its);
        }
        // A later message does not change it.
        say(&store, message("c-1", "Later")).await;
        let title = store
            .conversation(&"c-1".into())
            .await
            .unwrap()
            .unwrap()
            .title;
        assert_eq!(title, "Analyse AAPL");
    }

    #[tokio::test]
    async fn a_repeated_key_gives_what_is_there() {
        let (_folder, store) = store().await;
        let audit = || vec![entry("c-1")];
        let first = store.say(message("c-1", "Once"), Some("k"), audit()).await;
        let first = first.unwrap();
        assert_eq!(store.last().await.unwrap(), 2);
        let again = store.say(message("c-9", "Twice"), Some("k"), audit()).await;
        assert_eq!(again.unwrap(), first);
        assert_eq!(store.last().await.unwrap(), 2);
        assert_eq!(store.conversation(&"c-9".into()).await.unwrap(), None);
        let other = store.say(message("c-1", "Other"), Some("l"), audit()).await;
        assert_eq!(other.unwrap().seq, 2);
    }

    #[tokio::test]
    async fn a_failing_record_leaves_no_message_behind() {
        let (_folder, store) = store().await;
        let mut bad = entry("c-1");
        bad.decision = "perhaps".into();
        store
            .say(message("c-1", "Lost"), None, vec![bad])
            .await
            .unwrap_err();
        assert_eq!(store.conversation(&"c-1".into()).await.unwrap(), None);
        let mut heavy = message("c-1", "Too important");
        heavy.importance = 1.5;
        store.say(heavy, None, Vec::new()).await.unwrap_err();
        assert_eq!(store.messages(&"c-1".into(), 0, 9).await.unwrap(), []);
        assert_eq!(say(&store, message("c-1", "First")).await.seq, 1);
    }

    #[tokio::test]
    async fn two_processes_number_one_conversation_without_holes() {
        let (folder, one) = store().await;
        let two = SqliteStore::open(folder.path(), "other", Arc::new(Ticks::default()))
            .await
            .unwrap();
        let both = [Arc::new(one), Arc::new(two)];
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..40 {
            let store = both[n % 2].clone();
            tasks.spawn(async move {
                let audit = vec![entry("c-1")];
                let said = store.say(message("c-1", &format!("said {n}")), None, audit);
                said.await.unwrap().seq
            });
        }
        let mut numbers = tasks.join_all().await;
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=40).collect::<Vec<_>>());
        let all = both[0].messages(&"c-1".into(), 0, 100).await.unwrap();
        let stored: Vec<i64> = all.iter().map(|m| m.seq).collect();
        assert_eq!(stored, numbers);
        assert!(both[1].verify().await.unwrap().ok);
    }

    #[tokio::test]
    async fn conversations_are_listed_by_their_last_message() {
        let (_folder, store) = store().await;
        let at = |id: &str, second: i64| ChatMessage {
            at: DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap(),
            ..message(id, "Hello")
        };
        for (id, second) in [("c-1", 0), ("c-2", 1), ("c-3", 1), ("c-4", 1), ("c-1", 2)] {
            say(&store, at(id, second)).await;
        }
        let ids = |page: &[Conversation]| -> Vec<String> {
            page.iter().map(|c| c.id.0.clone()).collect()
        };
        let all = store.conversations(None, 9).await.unwrap();
        assert_eq!(ids(&all), ["c-1", "c-4", "c-3", "c-2"]);
        let mut seen = Vec::new();
        let mut before = None;
        loop {
            let page = store.conversations(before, 2).await.unwrap();
            let Some(last) = page.last() else { break };
            before = Some((last.updated_at, last.id.clone()));
            seen.extend(page);
        }
        assert_eq!(seen, all);
    }

    #[tokio::test]
    async fn messages_are_read_from_either_end() {
        let (_folder, store) = store().await;
        let id = ConversationId::from("c-1");
        for n in 1..=7 {
            say(&store, message("c-1", &format!("{n}"))).await;
        }
        let texts = |all: Vec<ChatMessage>| -> String { all.into_iter().map(|m| m.text).collect() };
        for (after, limit, its) in [(0, 3, "123"), (3, 3, "456"), (6, 3, "7"), (7, 3, "")] {
            assert_eq!(texts(store.messages(&id, after, limit).await.unwrap()), its);
        }
        for (before, its) in [
            (None, "567"),
            (Some(5), "234"),
            (Some(2), "1"),
            (Some(1), ""),
        ] {
            assert_eq!(
                texts(store.last_messages(&id, before, 3).await.unwrap()),
                its
            );
        }
    }

    #[tokio::test]
    async fn a_message_is_open_until_the_assistant_answers_it() {
        let (_folder, store) = store().await;
        let first = say(&store, message("c-1", "One")).await;
        let second = say(&store, message("c-2", "Two")).await;
        // An agent on the way is no answer, and the answer of another conversation is none.
        say(&store, answer("c-1", 1, ChatRole::Agent)).await;
        assert_eq!(store.unanswered().await.unwrap(), [first, second.clone()]);
        say(&store, answer("c-1", 1, ChatRole::Assistant)).await;
        assert_eq!(store.unanswered().await.unwrap(), [second]);
        say(&store, answer("c-2", 1, ChatRole::Assistant)).await;
        assert_eq!(store.unanswered().await.unwrap(), []);
    }

    #[tokio::test]
    async fn long_and_strange_texts_come_back_after_a_new_start() {
        let (folder, store) = store().await;
        let texts = [
            "a".repeat(10_000),
            "\u{1f680}".repeat(10_000),
            "Zürich \u{0} \"quoted\" 'quoted' -- \\ \u{202e}".to_owned(),
        ];
        let mut said = Vec::new();
        for text in &texts {
            said.push(say(&store, message("c-1", text)).await);
        }
        store.close().await;
        drop(store);
        let store = SqliteStore::open(folder.path(), "next", Arc::new(Ticks::default()))
            .await
            .unwrap();
        assert_eq!(store.messages(&"c-1".into(), 0, 9).await.unwrap(), said);
        let query = MemoryQuery {
            words: "zurich".into(),
            limit: 5,
            ..MemoryQuery::default()
        };
        let found = store.remember(&query).await.unwrap();
        assert_eq!(found.iter().map(|h| h.seq).collect::<Vec<_>>(), [3]);
        assert_eq!(say(&store, message("c-1", "Next")).await.seq, 4);
    }

    #[tokio::test]
    async fn nothing_is_changed_or_taken_away() {
        let (_folder, store) = store().await;
        say(&store, message("c-1", "Stays")).await;
        for statement in ["UPDATE messages SET text = 'x'", "DELETE FROM messages"] {
            let refused = sqlx::query(statement).execute(&store.writer).await;
            assert!(refused.unwrap_err().to_string().contains("append-only"));
        }
    }
}
