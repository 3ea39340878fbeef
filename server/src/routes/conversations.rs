//! `/api/v1/conversations`, `/api/v1/assistant`, `/api/v1/memory`: say, follow, stop, export, search; which
//! model answers and what it cost.

use super::events::{After, sse};
use crate::web::extract::{Body, Cursor, Path, Query, idempotency_key, located};
use crate::web::guard::Actor;
use crate::web::{AppState, HttpError};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::Event;
use axum::response::{IntoResponse as _, Response};
use chrono::NaiveDate;
use futures::StreamExt as _;
use mltrainer_services::{Authority, ChatSent, MemorySearch, ServiceError, Services};
use mltrainer_types::Page;
use mltrainer_types::chat::{
    AssistantStatus, ChatMessage, Conversation, MemoryHit, Said, SayRequest,
};
use mltrainer_types::problem::Problem;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(list, say))
        .routes(routes!(one))
        .routes(routes!(messages))
        .routes(routes!(events))
        .routes(routes!(stop))
        .routes(routes!(markdown))
        .routes(routes!(json))
        .routes(routes!(memory))
}

#[derive(Deserialize)]
struct Of {
    conversation: Option<String>,
}

/// Which language model answers, with its ceilings, and what was spent today and in a conversation;
/// `model` is null when the built-in parser answers.
#[utoipa::path(get, path = "/api/v1/assistant", tag = "assistant", operation_id = "get_assistant", params(("conversation" = Option<String>, Query, description = "Id of a conversation whose cost is wanted")), responses((status = 200, body = AssistantStatus)))]
async fn status(
    State(services): State<Services>,
    Query(query): Query<Of>,
) -> Result<Json<AssistantStatus>, HttpError> {
    let conversation = query.conversation.as_deref();
    Ok(Json(services.assistant_status(conversation).await?))
}

/// Conversations, those with the newest message first.
#[utoipa::path(get, path = "/api/v1/conversations", tag = "assistant", operation_id = "list_conversations", params(("cursor" = Option<String>, Query, description = "`next` of the page before")), responses((status = 200, body = Page<Conversation>), (status = 422, body = Problem)))]
async fn list(
    State(services): State<Services>,
    Query(query): Query<Cursor>,
) -> Result<Json<Page<Conversation>>, HttpError> {
    Ok(Json(services.conversations(query.cursor.as_deref()).await?))
}

/// Says something, in a new conversation when none is named. The answer comes as a message with `answers`
/// equal to `seq`, by the events or the messages of the conversation. With the header `Idempotency-Key` a
/// repeated request makes one message and one answer.
#[utoipa::path(post, path = "/api/v1/conversations", tag = "assistant", operation_id = "say", params(("Idempotency-Key" = Option<String>, Header, description = "Any text of the client's")), request_body = SayRequest, responses((status = 202, body = Said), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn say(
    State(services): State<Services>,
    actor: Actor,
    headers: HeaderMap,
    Body(request): Body<SayRequest>,
) -> Result<Response, HttpError> {
    let key = idempotency_key(&headers)?;
    let who = Authority::person(actor.0);
    let said = services.say(&who, request, key).await?;
    let location = format!("/api/v1/conversations/{}", said.conversation);
    Ok(located(StatusCode::ACCEPTED, &location, said))
}

/// A conversation: title, number of its last message, whether an answer is being worked on.
#[utoipa::path(get, path = "/api/v1/conversations/{id}", tag = "assistant", operation_id = "get_conversation", params(("id" = String, Path, description = "Id of the conversation")), responses((status = 200, body = Conversation), (status = 404, body = Problem)))]
async fn one(
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Json<Conversation>, HttpError> {
    Ok(Json(services.conversation(&id).await?))
}

#[derive(Deserialize)]
struct Before {
    before: Option<i64>,
}

/// The last 200 messages, oldest first, or those before a number.
#[utoipa::path(get, path = "/api/v1/conversations/{id}/messages", tag = "assistant", operation_id = "list_messages", params(("id" = String, Path, description = "Id of the conversation"), ("before" = Option<i64>, Query, description = "Only messages with smaller numbers")), responses((status = 200, body = Vec<ChatMessage>), (status = 404, body = Problem)))]
async fn messages(
    State(services): State<Services>,
    Path(id): Path<String>,
    Query(query): Query<Before>,
) -> Result<Json<Vec<ChatMessage>>, HttpError> {
    Ok(Json(services.messages(&id, query.before).await?))
}

/// A conversation as it goes on: stored messages as `event: message` with `id:` 1, 2, 3 ... without
/// holes and a ChatMessage as JSON, and between them, without id, `event: delta` with a ChatDelta of what
/// is being written. It does not end by itself. The header `Last-Event-ID` or `after` resumes; of both the
/// larger counts.
#[utoipa::path(get, path = "/api/v1/conversations/{id}/events", tag = "assistant", operation_id = "follow_conversation", params(("id" = String, Path, description = "Id of the conversation"), ("after" = Option<i64>, Query, description = "Only messages after this number"), ("Last-Event-ID" = Option<i64>, Header, description = "The same, as browsers send it")), responses((status = 200, content_type = "text/event-stream", body = String), (status = 404, body = Problem)))]
async fn events(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Query(query): Query<After>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let after = query.number(&headers)?;
    let stream = state.services.follow_conversation(&id, after).await?;
    Ok(sse(stream.map(|sent| sent.map(|s| event(&s))), &state))
}

fn event(sent: &ChatSent) -> Event {
    match sent {
        ChatSent::Message(message) => super::events::numbered(message),
        ChatSent::Delta(delta) => Event::default()
            .event("delta")
            // Texts and numbers only: it always serialises.
            .data(serde_json::to_string(delta).unwrap_or_default()),
    }
}

/// Ends the answers of a conversation that are under way; what they had begun goes on.
#[utoipa::path(post, path = "/api/v1/conversations/{id}/stop", tag = "assistant", operation_id = "stop_answers", params(("id" = String, Path, description = "Id of the conversation")), responses((status = 200, body = Conversation), (status = 404, body = Problem)))]
async fn stop(
    State(services): State<Services>,
    _: Actor,
    Path(id): Path<String>,
) -> Result<Json<Conversation>, HttpError> {
    services.stop_answers(&id).await?;
    Ok(Json(services.conversation(&id).await?))
}

fn download(text: String, kind: &'static str, file: &str) -> Response {
    let named = HeaderValue::from_str(&format!("attachment; filename=\"{file}\""));
    let headers: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (
            header::CONTENT_DISPOSITION,
            named.unwrap_or(HeaderValue::from_static("attachment")),
        ),
    ];
    (headers, text).into_response()
}

/// A whole conversation as Markdown.
#[utoipa::path(get, path = "/api/v1/conversations/{id}/export.md", tag = "assistant", operation_id = "export_conversation_markdown", params(("id" = String, Path, description = "Id of the conversation")), responses((status = 200, content_type = "text/markdown", body = String), (status = 404, body = Problem)))]
async fn markdown(
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Response, HttpError> {
    let text = services.conversation_markdown(&id).await?;
    let kind = "text/markdown; charset=utf-8";
    Ok(download(text, kind, &format!("{id}.md")))
}

/// A whole conversation as a JSON array of messages.
#[utoipa::path(get, path = "/api/v1/conversations/{id}/export.json", tag = "assistant", operation_id = "export_conversation_json", params(("id" = String, Path, description = "Id of the conversation")), responses((status = 200, body = Vec<ChatMessage>), (status = 404, body = Problem)))]
async fn json(
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Response, HttpError> {
    let text = services.conversation_json(&id).await?;
    Ok(download(text, "application/json", &format!("{id}.json")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    #[serde(default)]
    q: String,
    since: Option<NaiveDate>,
    until: Option<NaiveDate>,
    conversation: Option<String>,
    #[serde(default)]
    topics: String,
    limit: Option<u32>,
}

impl Search {
    fn search(self) -> MemorySearch {
        let topics = self.topics.split(',').map(str::trim);
        MemorySearch {
            query: self.q,
            since: self.since,
            until: self.until,
            conversation: self.conversation.filter(|c| !c.is_empty()),
            topics: topics
                .filter(|t| !t.is_empty())
                .map(str::to_owned)
                .collect(),
            limit: self.limit.unwrap_or(0),
        }
    }
}

/// Messages that hold the words, best first: by relevance, importance and age.
#[utoipa::path(get, path = "/api/v1/memory", tag = "assistant", operation_id = "search_memory", params(("q" = String, Query, description = "Words, 1 to 500 characters"), ("since" = Option<String>, Query, description = "First day"), ("until" = Option<String>, Query, description = "Last day"), ("conversation" = Option<String>, Query, description = "Only this conversation"), ("topics" = Option<String>, Query, description = "Symbols, models or actions with commas, all of which a message is about"), ("limit" = Option<u32>, Query, description = "At most so many, 1 to 100; 20 when absent")), responses((status = 200, body = Vec<MemoryHit>), (status = 422, body = Problem)))]
async fn memory(
    State(services): State<Services>,
    Query(search): Query<Search>,
) -> Result<Json<Vec<MemoryHit>>, HttpError> {
    let found = services.search_memory(&search.search()).await;
    Ok(Json(found.map_err(|e| match e {
        // The name that it has in the address.
        ServiceError::Invalid { field, detail } if field == "query" => {
            ServiceError::invalid("q", detail)
        }
        other => other,
    })?))
}
