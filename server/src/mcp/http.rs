//! MCP over streamable HTTP at `/mcp`: who asks, and from where.
//!
//! The guard has looked at the name of the server and, for writes, at the page that asks. Here every
//! request with an origin must come from the server's own, and must show a token where there are tokens:
//! one of `mltrainer token`, or the administrator's. Sessions are not kept: each request stands for itself.

use super::{Client, Mcp};
use crate::web::{AppState, HttpError};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use mltrainer_services::{Authority, over_mcp};
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

/// Lets a request in as the client that it shows to be.
async fn gate(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    match client(&state, request.headers()).await {
        Ok(client) => {
            request.extensions_mut().insert(client);
            next.run(request).await
        }
        Err(refused) => refused.into_response(),
    }
}

async fn client(state: &AppState, headers: &HeaderMap) -> Result<Client, HttpError> {
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
    let unnamed = |who: Authority| -> Result<Client, HttpError> {
        let model = over_mcp(&who.actor, None, None)?;
        Ok(Client { who, model })
    };
    match token {
        Some(token) if state.access.is_token(token) => unnamed(Authority::person("admin")),
        Some(token) => match state.services.token_holder(token).await? {
            Some((who, model)) => Ok(Client { who, model }),
            None => Err(refused(
                "this token is unknown, past its last day or revoked: `mltrainer token create` makes one",
            )),
        },
        None if state.access.needs_token() || !state.services.tokens().await?.is_empty() => {
            Err(refused(
                "MCP needs a token here: send Authorization: Bearer TOKEN; `mltrainer token create` makes one",
            ))
        }
        None => unnamed(Authority {
            actor: PERSON.0.to_owned(),
            trust: PERSON.1,
        }),
    }
}
