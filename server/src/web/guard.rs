//! The guard: every request passes it on the way in and on the way out.
//!
//! In: a request id; the host name (a page of another site must not reach a program on loopback
//! under a name of its own); writes from pages of other sites are refused; writes to the API need
//! the administrator's token when one is set. Out: the id, security headers, and the id in problem
//! documents.

use super::problem::Document;
use super::{AppState, HttpError};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use tracing::Instrument as _;

/// The header that carries a request's id.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The cookie that `/login` sets.
pub(crate) const COOKIE: &str = "mltrainer_session";

/// Answers that are no pages load nothing and are framed by nobody.
const STRICT: &str =
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Who may do what.
pub struct Access {
    addr: SocketAddr,
    hosts: Vec<String>,
    /// SHA-256 of the administrator's token.
    token: Option<[u8; 32]>,
    pub(crate) behind_tls: bool,
    /// Requests are numbered behind a text that differs from process to process.
    prefix: String,
    next: AtomicU64,
}

/// Who asks, for the audit chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor(pub &'static str);

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Actor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        _: &S,
    ) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().copied().unwrap_or(Self("user")))
    }
}

fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Compares in a time that does not depend on where the first difference is.
fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.iter().zip(b).fold(0, |found, (x, y)| found | (x ^ y)) == 0
}

impl Access {
    /// The rules of a server at `addr`, reached from outside under `hosts`, whose writes need
    /// `token` when there is one.
    #[must_use]
    pub fn new(
        addr: SocketAddr,
        hosts: Vec<String>,
        token: Option<String>,
        behind_tls: bool,
    ) -> Self {
        let id = uuid::Uuid::now_v7().simple().to_string();
        Self {
            addr,
            hosts,
            token: token.map(|t| sha256(&t)),
            behind_tls,
            prefix: id.get(20..).unwrap_or_default().to_owned(),
            next: AtomicU64::new(1),
        }
    }

    /// Whether writes need a token.
    #[must_use]
    pub fn needs_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether this is the administrator's token.
    pub(crate) fn is_token(&self, given: &str) -> bool {
        self.token
            .as_ref()
            .is_some_and(|token| same(token, &sha256(given)))
    }

    /// What the cookie of a browser that signed in holds: not the token itself.
    pub(crate) fn session(&self) -> Option<String> {
        let token = self.token?;
        Some(hex::encode(Sha256::digest(
            [b"mltrainer session ".as_slice(), &token].concat(),
        )))
    }

    /// The client's id when it is short and plain, else one of ours.
    fn request_id(&self, headers: &HeaderMap) -> String {
        let given = headers.get(REQUEST_ID).and_then(|v| v.to_str().ok());
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        match given {
            Some(id) if (1..=64).contains(&id.len()) && id.chars().all(plain) => id.to_owned(),
            _ => format!(
                "{}-{}",
                self.prefix,
                self.next.fetch_add(1, Ordering::Relaxed)
            ),
        }
    }

    /// Whether this server answers under that name.
    fn knows_host(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[').and_then(|h| h.split_once(']')) {
            Some((v6, _)) => v6,
            None => host.split(':').next().unwrap_or_default(),
        };
        let name = name.to_ascii_lowercase();
        let own = ["localhost", "127.0.0.1", "::1"].contains(&name.as_str())
            || name == self.addr.ip().to_string();
        let remote = !self.addr.ip().is_loopback();
        own || self.hosts.iter().any(|h| h.eq_ignore_ascii_case(&name))
            || (remote && self.hosts.is_empty())
    }

    fn check(&self, request: &mut Request) -> Result<(), HttpError> {
        let forbidden =
            |status, kind, detail: &str| Err(HttpError::new(status, kind, "Refused", detail));
        let headers = request.headers();
        let text = |name: HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
        let host = text(header::HOST).or_else(|| request.uri().host());
        if host.is_some_and(|h| !self.knows_host(h)) {
            return forbidden(
                StatusCode::MISDIRECTED_REQUEST,
                "unknown-host",
                "this program does not answer under that name: use the address it printed, or add the name with --host",
            );
        }
        let reads = matches!(
            *request.method(),
            Method::GET | Method::HEAD | Method::OPTIONS
        );
        if reads {
            return Ok(());
        }
        let foreign_site = text(HeaderName::from_static("sec-fetch-site"))
            .is_some_and(|s| s != "same-origin" && s != "none");
        let foreign_origin = text(header::ORIGIN).is_some_and(|origin| {
            let authority = origin.split_once("://").map(|(_, rest)| rest);
            authority.is_none() || authority != host
        });
        if foreign_site || foreign_origin {
            return forbidden(
                StatusCode::FORBIDDEN,
                "cross-site",
                "a page of another site may not write here: open the page from the program's own address",
            );
        }
        if self.token.is_none() || !request.uri().path().starts_with("/api") {
            return Ok(());
        }
        let bearer = text(header::AUTHORIZATION)
            .and_then(|v| v.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .is_some_and(|(_, token)| self.is_token(token.trim()));
        let signed_in = text(header::COOKIE).is_some_and(|cookies| {
            cookies
                .split(';')
                .filter_map(|c| c.trim().split_once('='))
                .any(|(name, value)| {
                    name == COOKIE
                        && self
                            .session()
                            .is_some_and(|s| same(&sha256(&s), &sha256(value)))
                })
        });
        if !bearer && !signed_in {
            return forbidden(
                StatusCode::UNAUTHORIZED,
                "token-needed",
                "writing needs the administrator's token: send Authorization: Bearer TOKEN, or sign in at /login",
            );
        }
        request.extensions_mut().insert(Actor("admin"));
        Ok(())
    }
}

/// See the module.
pub(crate) async fn guard(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = state.access.request_id(request.headers());
    let value = HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("none"));
    // Handlers and pages quote it from here.
    request.headers_mut().insert(REQUEST_ID, value.clone());
    let span = tracing::info_span!(
        "request",
        id = %id,
        method = %request.method(),
        path = %request.uri().path(),
    );
    let https = state.access.behind_tls;
    let started = state.services.monotonic();
    let response = async {
        let response = match state.access.check(&mut request) {
            Ok(()) => next.run(request).await,
            Err(refused) => refused.into_response(),
        };
        let took = state.services.monotonic().saturating_sub(started);
        tracing::debug!(
            status = response.status().as_u16(),
            ms = took.as_secs_f64() * 1e3,
            "answered"
        );
        response
    }
    .instrument(span)
    .await;
    let mut response = Document::quote(response, &id);
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, value);
    dress(headers, https);
    response
}

/// Security headers; a page has set its own content policy.
fn dress(headers: &mut HeaderMap, https: bool) {
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(STRICT));
    // What is so now may be otherwise in a moment.
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
        ),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if https {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn access(addr: &str, hosts: &[&str], token: Option<&str>) -> Access {
        Access::new(
            addr.parse().unwrap(),
            hosts.iter().map(|h| (*h).to_owned()).collect(),
            token.map(str::to_owned),
            false,
        )
    }

    fn status(access: &Access, method: Method, path: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        match access.check(&mut request) {
            Ok(()) => 200,
            Err(e) => e.into_response().status().as_u16(),
        }
    }

    #[test]
    fn only_own_names_are_answered_on_loopback() {
        let local = access("127.0.0.1:3000", &[], None);
        for (host, expected) in [
            ("127.0.0.1:3000", 200),
            ("localhost:3000", 200),
            ("[::1]:3000", 200),
            ("LOCALHOST", 200),
            ("evil.example", 421),
            ("127.0.0.1.evil.example", 421),
            ("localhost.evil.example:3000", 421),
        ] {
            assert_eq!(
                status(&local, Method::GET, "/", &[("host", host)]),
                expected,
                "{host}"
            );
        }
        let named = access("0.0.0.0:3000", &["stocks.example.org"], Some("t"));
        let get = |host| status(&named, Method::GET, "/", &[("host", host)]);
        assert_eq!(get("stocks.example.org"), 200);
        assert_eq!(get("other.example.org"), 421);
    }

    #[test]
    fn writes_from_other_sites_are_refused() {
        let local = access("127.0.0.1:3000", &[], None);
        let post = |headers: &[(&str, &str)]| {
            let mut all = vec![("host", "127.0.0.1:3000")];
            all.extend(headers);
            status(&local, Method::POST, "/api/v1/trials", &all)
        };
        assert_eq!(post(&[]), 200);
        assert_eq!(post(&[("origin", "http://127.0.0.1:3000")]), 200);
        assert_eq!(post(&[("origin", "http://127.0.0.1:1")]), 403);
        assert_eq!(post(&[("origin", "null")]), 403);
        assert_eq!(post(&[("sec-fetch-site", "same-origin")]), 200);
        assert_eq!(post(&[("sec-fetch-site", "cross-site")]), 403);
        assert_eq!(post(&[("sec-fetch-site", "same-site")]), 403);
    }

    #[test]
    fn a_token_guards_writes_to_the_api() {
        let guarded = access("127.0.0.1:3000", &[], Some("s3cret"));
        let send =
            |method, headers: &[(&str, &str)]| status(&guarded, method, "/api/v1/trials", headers);
        assert_eq!(send(Method::GET, &[]), 200);
        assert_eq!(send(Method::POST, &[]), 401);
        assert_eq!(
            send(Method::POST, &[("authorization", "Bearer wrong")]),
            401
        );
        assert_eq!(
            send(Method::POST, &[("authorization", "bearer s3cret")]),
            200
        );
        let cookie = format!("theme=dark; {COOKIE}={}", guarded.session().unwrap());
        assert_eq!(send(Method::POST, &[("cookie", &cookie)]), 200);
        assert!(!cookie.contains("s3cret"));
        assert_eq!(
            send(Method::POST, &[("cookie", "mltrainer_session=s3cret")]),
            401
        );
    }

    #[test]
    fn ids_of_clients_are_taken_when_they_are_plain() {
        let access = access("127.0.0.1:3000", &[], None);
        let id = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, text.parse().unwrap());
            access.request_id(&headers)
        };
        assert_eq!(id("of-the-client-17"), "of-the-client-17");
        assert_ne!(id(&"x".repeat(5000)), "x".repeat(5000));
        assert_ne!(id("a b"), "a b");
        assert_ne!(id("a b"), id("a b"));
    }
}
