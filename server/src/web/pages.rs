//! The app's pages: rendering, their content policy, and what their server functions are given.

use super::AppState;
use super::guard::Actor;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use leptos::nonce::use_nonce;
use leptos::prelude::{LeptosOptions, provide_context, use_context};
use leptos_axum::{LeptosRoutes as _, ResponseOptions, generate_route_list};
use mltrainer_app::{App, shell};

/// What Leptos wants to know of the site.
pub(crate) fn options() -> LeptosOptions {
    LeptosOptions::builder()
        .output_name("mltrainer")
        .site_pkg_dir("pkg")
        .build()
}

/// The content policy of a page: scripts and styles of ours, each with this answer's nonce.
pub(crate) fn policy(nonce: &str) -> String {
    format!(
        "default-src 'self'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; \
         style-src 'self' 'nonce-{nonce}'; img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; \
         manifest-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'"
    )
}

/// Given to every page and server function.
fn context(state: &AppState) -> impl Fn() + Clone + Send + Sync + 'static {
    let services = state.services.clone();
    move || {
        provide_context(services.clone());
        let actor = use_context::<Parts>().and_then(|p| p.extensions.get::<Actor>().copied());
        if let Some(Actor(name)) = actor {
            provide_context(mltrainer_app::Actor(name));
        }
        if let (Some(nonce), Some(response)) = (use_nonce(), use_context::<ResponseOptions>())
            && let Ok(value) = HeaderValue::from_str(&policy(&nonce))
        {
            response.insert_header(header::CONTENT_SECURITY_POLICY, value);
            // A page shows what is so now, and holds its own nonce.
            response.insert_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
}

/// The routes of all pages and server functions.
pub(crate) fn routes(state: &AppState) -> Router<AppState> {
    let options = state.leptos.clone();
    Router::new().leptos_routes_with_context(
        state,
        generate_route_list(App),
        context(state),
        move || shell(options.clone()),
    )
}

/// The page that says that there is nothing at an address.
pub(crate) async fn not_found(state: &AppState, request: Request) -> Response {
    let options = state.leptos.clone();
    let render =
        leptos_axum::render_app_async_with_context(context(state), move || shell(options.clone()));
    let mut response = render(request).await.into_response();
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// The page of a path, for whoever sent these headers, with something more to show.
pub(crate) async fn render(
    state: &AppState,
    headers: &HeaderMap,
    path: &'static str,
    more: impl Fn() + Clone + Send + Sync + 'static,
) -> Response {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::from_static(path);
    *request.headers_mut() = headers.clone();
    let (given, options) = (context(state), state.leptos.clone());
    let render = leptos_axum::render_app_async_with_context(
        move || {
            given();
            more();
        },
        move || shell(options.clone()),
    );
    render(request).await.into_response()
}
