//! HTTP: what stands around the routes. [`guard`] checks and dresses every request, [`problem`]
//! turns errors into documents, [`extract`] reads requests, [`pages`] renders the app, [`site`]
//! serves files, [`login`] lets a browser write when a token is set.

pub mod extract;
pub mod guard;
pub mod login;
pub mod pages;
pub mod problem;
pub mod site;
#[cfg(test)]
mod tests;

pub use guard::Access;
pub use problem::HttpError;

use crate::routes;
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef, Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use leptos::prelude::LeptosOptions;
use mltrainer_services::Services;
use site::Site;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::timeout::TimeoutLayer;

/// Bytes of a request that carries no file.
const BODY: usize = 1 << 20;

/// Bytes of a request that carries files.
pub(crate) const UPLOAD: usize = 32 << 20;

/// Longest time until an answer begins.
const TIMEOUT: Duration = Duration::from_secs(120);

/// What handlers share.
#[derive(Clone)]
pub struct AppState {
    /// The use cases.
    pub services: Services,
    /// Scripts, styles and icons.
    pub site: Arc<Site>,
    /// Who may do what.
    pub access: Arc<Access>,
    /// Ends open streams when the program stops.
    pub stop: CancellationToken,
    pub(crate) leptos: LeptosOptions,
}

impl FromRef<AppState> for Services {
    fn from_ref(state: &AppState) -> Self {
        state.services.clone()
    }
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.leptos.clone()
    }
}

/// All pages, the API, and what stands around them.
pub fn router(services: Services, site: Site, access: Access, stop: CancellationToken) -> Router {
    let state = AppState {
        services,
        site: Arc::new(site),
        access: Arc::new(access),
        stop,
        leptos: pages::options(),
    };
    let api = routes::api();
    let app = pages::routes(&state)
        .merge(api)
        .merge(login::router())
        .fallback(fallback)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY));
    app.layer(
        // Answers are short-lived: the least effort already takes most of the bytes away. Streams of
        // events and compressed files are left alone.
        CompressionLayer::new().quality(CompressionLevel::Fastest),
    )
    .layer(TimeoutLayer::with_status_code(
        StatusCode::GATEWAY_TIMEOUT,
        TIMEOUT,
    ))
    // Streams of events too, from their first moment on: they are not timed.
    .merge(crate::mcp::http::router(&state))
    .layer(CatchPanicLayer::custom(panicked))
    .layer(axum::middleware::from_fn_with_state(
        state.clone(),
        guard::guard,
    ))
    .with_state(state)
}

/// A file of the site, or a page or document that says that there is nothing.
async fn fallback(State(state): State<AppState>, request: Request) -> Response {
    let path = request.uri().path();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if path == "/api" || path.starts_with("/api/") || !reads {
        return HttpError::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is nothing here",
            "there is no such path; /api/openapi.json lists all",
        )
        .into_response();
    }
    if let Some(file) = state.site.answer(path, request.headers()).await {
        return file;
    }
    pages::not_found(&state, request).await
}

async fn method_not_allowed(request: Request) -> HttpError {
    HttpError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "This method is not known here",
        format!(
            "{} is not among the methods of this path; /api/openapi.json lists them",
            request.method()
        ),
    )
}

fn panicked(cause: Box<dyn std::any::Any + Send>) -> Response {
    let cause = cause
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| cause.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    tracing::error!(%cause, "a handler panicked");
    HttpError::internal().into_response()
}
