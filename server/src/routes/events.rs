//! `/api/v1/trials/{id}/events`: a trial's events as they come (server-sent events); how any stream of
//! numbered events is sent.

use crate::web::extract::{Path, Query};
use crate::web::{AppState, HttpError};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::{Stream, StreamExt as _};
use mltrainer_services::{EventStream, Numbered, Sent, ServiceError};
use mltrainer_types::problem::Problem;
use serde::Deserialize;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// A comment keeps the line open where nothing happens for so long.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(events))
}

/// Where a stream begins.
#[derive(Deserialize)]
pub(super) struct After {
    after: Option<i64>,
}

impl After {
    /// The number after which it begins: of query and header the larger counts.
    pub(super) fn number(&self, headers: &HeaderMap) -> Result<i64, ServiceError> {
        let last = match headers.get(HeaderName::from_static("last-event-id")) {
            None => 0,
            Some(value) => value
                .to_str()
                .ok()
                .and_then(|text| text.trim().parse().ok())
                .filter(|n| *n >= 0)
                .ok_or_else(|| {
                    ServiceError::invalid("Last-Event-ID", "it is not the number of an event")
                })?,
        };
        let after = self.after.unwrap_or(0);
        // A negative number is refused, not covered by the other.
        Ok(if after < 0 { after } else { after.max(last) })
    }
}

/// Events of a trial: `id:` 1, 2, 3 ... without holes, `event:` one of state, step, leaderboard,
/// message, `data:` JSON. The stream closes after the state event with a final state. The header
/// `Last-Event-ID` or `after` resumes; of both the larger counts.
#[utoipa::path(get, path = "/api/v1/trials/{id}/events", tag = "trials", operation_id = "follow_trial", params(("id" = String, Path, description = "Id of the trial"), ("after" = Option<i64>, Query, description = "Only events after this number"), ("Last-Event-ID" = Option<i64>, Header, description = "The same, as browsers send it")), responses((status = 200, content_type = "text/event-stream", body = String), (status = 404, body = Problem)))]
async fn events(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Query(query): Query<After>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let after = query.number(&headers)?;
    let stream = state.services.follow(&id, after).await?;
    Ok(sent(stream, &state))
}

/// A stream of numbered events on its way.
pub(super) fn sent<E: Numbered>(stream: EventStream<E>, state: &AppState) -> Response {
    sse(stream.map(|sent| sent.map(|s| numbered(&s))), state)
}

/// Events on their way, until they end, the store fails or the program stops.
pub(super) fn sse<E: Send + 'static>(
    stream: impl Stream<Item = Result<Event, E>> + Send + 'static,
    state: &AppState,
) -> Response {
    let stream = stream
        // The store failed: the line is cut, the browser comes back by itself.
        .take_while(|sent| std::future::ready(sent.is_ok()))
        .filter_map(|sent| std::future::ready(sent.ok().map(Ok::<_, Infallible>)))
        .take_until(state.stop.clone().cancelled_owned());
    let mut response = Sse::new(stream)
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response();
    // Proxies that collect answers must not.
    response.headers_mut().insert(
        HeaderName::from_static("x-accel-buffering"),
        axum::http::HeaderValue::from_static("no"),
    );
    response
}

/// An event with its number.
pub(super) fn numbered<E: Numbered>(sent: &Arc<Sent<E>>) -> Event {
    Event::default()
        .id(sent.event.number().to_string())
        .event(sent.event.word())
        .data(&sent.json)
}
