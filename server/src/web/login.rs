//! `/login`: a browser shows the administrator's token once and gets a cookie, so that pages can
//! write when a token is set. Accounts come with a later version.

use super::extract::media_type;
use super::guard::COOKIE;
use super::{AppState, HttpError, pages};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use leptos::nonce::Nonce;

/// `/login`.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route("/login", get(form).post(sign_in))
}

/// A small page of ours outside the app, with its content policy.
pub(crate) fn page(status: StatusCode, title: &str, body: &str, script: Option<&str>) -> Response {
    let nonce = Nonce::new();
    let script = script
        .map(|src| format!("<script nonce=\"{nonce}\" type=\"module\" src=\"{src}\"></script>"))
        .unwrap_or_default();
    let html = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\"><title>{title} · mlTrainer</title><link rel=\"stylesheet\" href=\"/pkg/mltrainer.css\"><link rel=\"stylesheet\" href=\"/api/docs.css\"><link rel=\"icon\" href=\"/icon.svg\" type=\"image/svg+xml\">{script}</head><body><main id=\"main\" class=\"plain\">{body}</main></body></html>"
    );
    let mut response = (status, axum::response::Html(html)).into_response();
    if let Ok(value) = HeaderValue::from_str(&pages::policy(&nonce.to_string())) {
        response
            .headers_mut()
            .insert(header::CONTENT_SECURITY_POLICY, value);
    }
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn show(status: StatusCode, note: &str) -> Response {
    let note = if note.is_empty() {
        String::new()
    } else {
        format!("<p role=\"alert\">{note}</p>")
    };
    page(
        status,
        "Sign in",
        &format!(
            "<h1>Sign in</h1><p>Writing here needs the administrator's token (<code>MLTRAINER_ADMIN_TOKEN</code>). Reading does not.</p>{note}<form method=\"post\" action=\"/login\"><p><label>Token <input type=\"password\" name=\"token\" autocomplete=\"current-password\" required></label></p><p><button type=\"submit\">Sign in</button></p></form><p><a href=\"/\">Back to the dashboard</a></p>"
        ),
        None,
    )
}

async fn form(State(state): State<AppState>) -> Response {
    if state.access.needs_token() {
        show(StatusCode::OK, "")
    } else {
        Redirect::to("/").into_response()
    }
}

async fn sign_in(State(state): State<AppState>, request: Request) -> Response {
    if media_type(&request) != "application/x-www-form-urlencoded" {
        return HttpError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "This kind of body is not known here",
            "sign in with the form at /login, or send Authorization: Bearer TOKEN",
        )
        .into_response();
    }
    let Ok(bytes) = Bytes::from_request(request, &state).await else {
        return show(StatusCode::BAD_REQUEST, "The form could not be read.");
    };
    let token = String::from_utf8_lossy(&bytes)
        .split('&')
        .find_map(|pair| pair.strip_prefix("token=").map(decode))
        .unwrap_or_default();
    let Some(session) = state
        .access
        .session()
        .filter(|_| state.access.is_token(&token))
    else {
        // A guess costs time, whoever guesses.
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        return show(StatusCode::UNAUTHORIZED, "That is not the token.");
    };
    let secure = if state.access.behind_tls {
        "; Secure"
    } else {
        ""
    };
    let cookie = format!("{COOKIE}={session}; Path=/; HttpOnly; SameSite=Strict{secure}");
    let mut response = Redirect::to("/").into_response();
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

/// A form value: `+` and `%XX` decoded.
fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        match b {
            b'+' => out.push(b' '),
            b'%' => {
                let digits: String = bytes.by_ref().take(2).map(char::from).collect();
                out.push(u8::from_str_radix(&digits, 16).unwrap_or(b'?'));
            }
            other => out.push(other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
