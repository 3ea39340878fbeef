//! What protects a browser and its user: policy of content, framing, foreign origins, hosts.

use crate::small_trial;
use mltrainer_it::server::content_type;
use mltrainer_it::{Launch, Server};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

async fn pages(server: &Server) -> Vec<String> {
    let id = server.create_trial(&small_trial()).await;
    server.finished(&id).await;
    let mut pages: Vec<String> = [
        "/",
        "/models",
        "/models/random_forest",
        "/trials",
        "/trials/new",
        "/data",
        "/compliance",
        "/api/docs",
        "/no/such/page",
    ]
    .map(String::from)
    .into();
    pages.push(format!("/trials/{id}"));
    pages
}

/// The directives of a content security policy.
fn directives(policy: &str) -> BTreeMap<&str, Vec<&str>> {
    policy
        .split(';')
        .filter_map(|d| {
            let mut words = d.split_whitespace();
            Some((words.next()?, words.collect()))
        })
        .collect()
}

/// Values of an attribute of all tags of that name.
fn tags<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let open = format!("<{name}");
    html.match_indices(&open)
        .map(|(at, _)| &html[at..])
        .filter(|rest| rest[open.len()..].starts_with([' ', '>', '/', '\n']))
        .map(|rest| &rest[..=rest.find('>').unwrap()])
        .collect()
}

#[tokio::test]
async fn every_page_has_a_strict_policy_with_a_nonce_of_its_own() {
    let server = Server::fresh().await;
    let mut nonces = BTreeSet::new();
    let pages = pages(&server).await;
    for path in &pages {
        let response = server.get(path).await;
        let headers = response.headers().clone();
        let header = |name: &str| {
            headers
                .get(name)
                .unwrap_or_else(|| panic!("{path}: no {name}"))
                .to_str()
                .unwrap()
                .to_owned()
        };
        let policy = header("content-security-policy");
        for never in [
            "unsafe-inline",
            "unsafe-eval'",
            "http:",
            "https:",
            "*",
            "data: 'self' *",
        ] {
            if never == "unsafe-eval'" {
                assert!(!policy.contains("'unsafe-eval'"), "{path}: {policy}");
            } else {
                assert!(!policy.contains(never), "{path}: {never} in {policy}");
            }
        }
        let parts = directives(&policy);
        for (name, value) in [
            ("default-src", "'self'"),
            ("frame-ancestors", "'none'"),
            ("object-src", "'none'"),
            ("base-uri", "'none'"),
            ("form-action", "'self'"),
        ] {
            let given = parts
                .get(name)
                .or_else(|| parts.get("default-src").filter(|_| name == "object-src"))
                .unwrap_or_else(|| panic!("{path}: {name} in {policy}"));
            assert!(
                given == &[value]
                    || given == &["'none'"]
                    || given == &["'self'"] && name == "base-uri",
                "{path}: {name} {given:?}"
            );
        }
        let nonce = parts["script-src"]
            .iter()
            .find_map(|s| s.strip_prefix("'nonce-")?.strip_suffix('\''))
            .unwrap_or_else(|| panic!("{path}: no nonce in {policy}"))
            .to_owned();
        assert!(nonce.len() >= 16, "{path}: {nonce}");
        assert!(nonces.insert(nonce.clone()), "{path}: a nonce is used once");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("x-frame-options").to_uppercase(), "DENY", "{path}");
        assert!(
            header("referrer-policy").contains("no-referrer")
                || header("referrer-policy").contains("same-origin")
        );
        assert!(
            headers.get("server").is_none(),
            "{path}: no version is told"
        );

        let html = response.text().await.unwrap();
        for tag in tags(&html, "script").iter().chain(&tags(&html, "style")) {
            assert!(tag.contains(&format!("nonce=\"{nonce}\"")), "{path}: {tag}");
        }
        let body = &html[html.find("<body").unwrap()..];
        let inline = body
            .find(" style=\"")
            .map(|at| &body[at..(at + 80).min(body.len())]);
        assert_eq!(inline, None, "{path}: an inline style");
        for event in [
            " onclick=",
            " onload=",
            " onsubmit=",
            " onerror=",
            "javascript:",
        ] {
            assert!(!html.contains(event), "{path}: {event}");
        }
        // Nothing is loaded from elsewhere.
        for tag in ["script", "link", "img", "iframe"] {
            for open in tags(&html, tag) {
                assert!(
                    !open.contains("src=\"http")
                        && !open.contains("href=\"http")
                        && !open.contains("=\"//"),
                    "{path}: {open}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_write_from_another_site_is_refused() {
    let server = Server::fresh().await;
    let send = |headers: &[(&str, &str)]| {
        let mut request = server
            .request(Method::POST, "/api/v1/trials")
            .json(&small_trial());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send()
    };
    let own = server.base.clone();
    for foreign in [
        vec![("Origin", "https://evil.example")],
        vec![("Origin", "null")],
        vec![("Sec-Fetch-Site", "cross-site")],
        vec![
            ("Sec-Fetch-Site", "cross-site"),
            ("Origin", "https://evil.example"),
        ],
        // Another server on this machine is another origin too.
        vec![("Origin", "http://127.0.0.1:1")],
    ] {
        let answer = send(&foreign).await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{foreign:?}");
        assert_eq!(content_type(&answer), "application/problem+json");
    }
    let listed = server.json("/api/v1/trials").await;
    assert_eq!(
        listed["items"].as_array().unwrap().len(),
        0,
        "nothing was made"
    );
    for fine in [
        vec![],
        vec![("Origin", own.as_str()), ("Sec-Fetch-Site", "same-origin")],
    ] {
        let answer = send(&fine).await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED, "{fine:?}");
    }
    // Reading from elsewhere is not opened by any header.
    let read = server
        .request(Method::GET, "/api/v1/trials")
        .header("Origin", "https://evil.example")
        .send()
        .await
        .unwrap();
    assert!(read.headers().get("access-control-allow-origin").is_none());
}

#[tokio::test]
async fn a_name_that_was_pointed_here_by_somebody_elses_dns_is_refused() {
    let server = Server::fresh().await;
    for host in ["evil.example", "evil.example:80", "127.0.0.1.evil.example"] {
        let answer = server
            .request(Method::GET, "/api/v1/trials")
            .header("Host", host)
            .send()
            .await
            .unwrap();
        assert!(
            matches!(
                answer.status(),
                StatusCode::FORBIDDEN | StatusCode::MISDIRECTED_REQUEST | StatusCode::BAD_REQUEST
            ),
            "{host}: {}",
            answer.status()
        );
    }
    let port = server.addr().split_once(':').unwrap().1.to_owned();
    for host in [
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
        format!("[::1]:{port}"),
    ] {
        let answer = server
            .request(Method::GET, "/api/health")
            .header("Host", &host)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{host}");
    }
}

#[tokio::test]
async fn each_answer_carries_a_request_id_and_problems_quote_it() {
    let server = Server::fresh().await;
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        let answer = server.get("/api/health").await;
        seen.insert(
            answer.headers()["x-request-id"]
                .to_str()
                .unwrap()
                .to_owned(),
        );
    }
    assert_eq!(seen.len(), 3);
    let answer = server
        .request(Method::GET, "/api/v1/trials/t-none")
        .header("x-request-id", "of-the-client-17")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["x-request-id"], "of-the-client-17");
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["request_id"], "of-the-client-17");
    // A header that would write lines into the log is not taken over.
    let long = "x".repeat(5000);
    let answer = server
        .request(Method::GET, "/api/health")
        .header("x-request-id", &long)
        .send()
        .await
        .unwrap();
    if answer.status() == StatusCode::OK {
        assert_ne!(answer.headers()["x-request-id"].to_str().unwrap(), long);
    }
}

#[tokio::test]
async fn a_path_cannot_leave_the_site_and_a_method_is_checked() {
    let server = Server::fresh().await;
    for path in [
        "/pkg/../../../../etc/passwd",
        "/pkg/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2f..%2fetc%2fpasswd",
        "/pkg/%00",
        "/api/v1/datasets/..%2f..%2fetc",
    ] {
        // The client would tidy the path: sent as it stands.
        let answer = raw(&server, &format!("GET {path} HTTP/1.1")).await;
        assert!(!answer.contains("root:"), "{path}");
        assert!(
            answer.starts_with("HTTP/1.1 4"),
            "{path}: {}",
            answer.lines().next().unwrap_or_default()
        );
    }
    let answer = server
        .request(Method::DELETE, "/api/v1/trials")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    let none = server.get("/api/v1/no-such-thing").await;
    assert_eq!(none.status(), StatusCode::NOT_FOUND);
    assert_eq!(content_type(&none), "application/problem+json");
}

async fn raw(server: &Server, line: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut socket = tokio::net::TcpStream::connect(server.addr()).await.unwrap();
    let request = format!(
        "{line}\r\nHost: {}\r\nConnection: close\r\n\r\n",
        server.addr()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn it_listens_to_this_machine_only_unless_told_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let help = mltrainer_it::cli(folder.path(), &["serve", "--help"]);
    assert_eq!(help.code, 0);
    assert!(
        help.stdout.contains("[default: 127.0.0.1:"),
        "{}",
        help.stdout
    );
}

#[tokio::test]
async fn a_tokens_value_is_in_no_answer_and_no_log() {
    let secret = "s3cret-of-the-administrator";
    let server = Launch::fresh()
        .env("MLTRAINER_ADMIN_TOKEN", secret)
        .env("POLYGON_API_KEY", secret)
        .env("RUST_LOG", "trace")
        .start()
        .await;
    let answer = server
        .request(Method::POST, "/api/v1/trials")
        .header("Authorization", format!("Bearer {secret}"))
        .json(&json!({"symbols": ["NOSUCH"], "goal": "anything"}))
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_client_error());
    assert!(!answer.text().await.unwrap().contains(secret));
    let health = server.get("/api/health").await.text().await.unwrap();
    assert!(!health.contains(secret));
    let (_, log) = server.stop();
    assert!(!log.contains(secret), "the log holds a secret");
}
