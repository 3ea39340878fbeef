//! `/api/openapi.json` and `/api/docs`: the document, and a page to try it, all from this server.

use crate::web::AppState;
use crate::web::login::page;
use axum::Router;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;

const SCRIPT: &str = include_str!("docs.js");
const STYLE: &str = include_str!("docs.css");

/// The document, the page, and its script and style.
pub(super) fn router(document: utoipa::openapi::OpenApi) -> Router<AppState> {
    let text = serde_json::to_string(&document).unwrap_or_default();
    let document = bytes::Bytes::from(text);
    Router::new()
        .route(
            "/api/openapi.json",
            get(move || {
                let document = document.clone();
                async move { typed("application/json", document) }
            }),
        )
        .route("/api", get(|| async { Redirect::permanent("/api/docs") }))
        .route("/api/docs", get(show))
        .route(
            "/api/docs.js",
            get(|| async { typed("text/javascript; charset=utf-8", SCRIPT) }),
        )
        .route(
            "/api/docs.css",
            get(|| async { typed("text/css; charset=utf-8", STYLE) }),
        )
}

fn typed(kind: &'static str, body: impl axum::response::IntoResponse) -> Response {
    let headers: [(HeaderName, &'static str); 2] = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, body).into_response()
}

async fn show() -> Response {
    page(
        StatusCode::OK,
        "API",
        "<p><a href=\"/\">mlTrainer</a></p><h1>API</h1><p>Every request that programs may send, made from the code. The document itself: <a href=\"/api/openapi.json\">/api/openapi.json</a> (OpenAPI 3.1).</p><p><label>Token for writes, where the server has one <input id=\"token\" type=\"password\" autocomplete=\"off\"></label></p><div id=\"operations\" aria-live=\"polite\"><noscript><p>Trying requests needs script; the document can be read without.</p></noscript></div>",
        Some("/api/docs.js"),
    )
}
