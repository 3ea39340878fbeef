//! MCP over streamable HTTP at `/mcp`: who asks, and from where.
//!
//! The guard has looked at the name of the server and, for writes, at the page that asks. Here every
//! request with an origin must come from the server's own, and must show a token where there are tokens:
//! one of `mltrainer token`, or the administrator's. Sessions are not kept: each request stands for itself.

use super::Mcp;
use crate::web::{AppState, HttpError};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use mltrainer_services::Authority;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use std::sync::Arc;

/// Bytes of a request.
const BODY: usize = 1 << 20;

/// Who asks while no token was ever made: a person at this machine.
const PERSON: (&str, u8) = ("mcp", 5);

/// The service at `/mcp`.
pub(crate) fn router(state: &AppState) -> Router<AppState> {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_max_request_body_bytes(BODY)
        // The guard knows under which names this server answers, and the gate below the origins.
        .disable_allowed_hosts()
        .with_cancellation_token(state.stop.child_token());
    let mcp = Mcp::new(state.services.clone(), None);
    let service = StreamableHttpService::new(
        move || Ok(mcp.clone()),
        Arc::new(NeverSessionManager::default()),
        config,
    );
    Router::new()
        .route_service("/mcp", service)
        .layer(from_fn_with_state(state.clone(), gate))
}

/// Lets a request in with the authority that it shows.
async fn gate(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    match authority(&state, request.headers()).await {
        Ok(authority) => {
            request.extensions_mut().insert(authority);
            next.run(request).await
        }
        Err(refused) => refused.into_response(),
    }
}

async fn authority(state: &AppState, headers: &HeaderMap) -> Result<Authority, HttpError> {
    let text = |name: HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
    let host = text(header::HOST);
    let own = |origin: &str| origin.split_once("://").map(|(_, rest)| rest) == host;
    if headers.contains_key(header::ORIGIN) && !text(header::ORIGIN).is_some_and(own) {
        return Err(HttpError::new(
            StatusCode::FORBIDDEN,
            "cross-site",
            "Refused",
            "a page of another site may not speak MCP here",
        ));
    }
    let token = text(header::AUTHORIZATION)
        .and_then(|v| v.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let refused =
        |detail: &str| HttpError::new(StatusCode::UNAUTHORIZED, "token-needed", "Refused", detail);
    match token {
        Some(token) if state.access.is_token(token) => Ok(Authority::person("admin")),
        Some(token) => state.services.token_holder(token).await?.ok_or_else(|| {
            refused("this token is unknown, past its last day or revoked: `mltrainer token create` makes one")
        }),
        None if state.access.needs_token() || !state.services.tokens().await?.is_empty() => Err(
            refused("MCP needs a token here: send Authorization: Bearer TOKEN; `mltrainer token create` makes one"),
        ),
        None => Ok(Authority {
            actor: PERSON.0.to_owned(),
            trust: PERSON.1,
        }),
    }
}
