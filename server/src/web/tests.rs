//! The router as a whole, over a data folder of its own and real bundled data.

use super::{Access, router, site::Site};
use crate::wiring::{Assistant, Open};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use futures::StreamExt as _;
use mltrainer_services::{ServiceError, Services};
use mltrainer_types::audit::{AuditFilter, AuditVerification};
use mltrainer_types::event::TrialEvent;
use mltrainer_types::problem::Problem;
use mltrainer_types::trial::{TrialCreated, TrialRequest, TrialState, TrialView};
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

struct App {
    router: Router,
    services: Services,
    _folder: TempDir,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn problem(&self, status: u16) -> Problem {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{text}");
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let problem: Problem = serde_json::from_value(self.json()).unwrap();
        assert_eq!(problem.status, status);
        assert_eq!(
            problem.request_id.as_deref(),
            self.headers["x-request-id"].to_str().ok()
        );
        problem
    }
}

async fn open(folder: &Path) -> Open {
    Open::folder(
        folder,
        2,
        mltrainer_services::Sources::none(),
        Assistant::default(),
    )
    .await
    .unwrap()
}

fn serve(services: &Services, token: Option<&str>) -> Router {
    let access = Access::new(
        "127.0.0.1:3000".parse().unwrap(),
        Vec::new(),
        token.map(str::to_owned),
        false,
    );
    router(
        services.clone(),
        Site::embedded(),
        access,
        CancellationToken::new(),
    )
}

impl App {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let services = open(folder.path()).await.services;
        Self {
            router: serve(&services, None),
            services,
            _folder: folder,
        }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: to_bytes(body, usize::MAX).await.unwrap().to_vec(),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::post(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    async fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.post(
            path,
            &[("content-type", "application/json")],
            body.to_string(),
        )
        .await
    }

    /// Events as numbers and names.
    async fn events(&self, path: &str, last: Option<&str>) -> Vec<(i64, String)> {
        let mut request = Request::get(path);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = self.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers["content-type"], "text/event-stream");
        assert!(answer.headers.get("content-encoding").is_none());
        let text = String::from_utf8(answer.body).unwrap();
        let field = |block: &str, name: &str| {
            let line = block.lines().find_map(|l| l.strip_prefix(name)).unwrap();
            line.trim().to_owned()
        };
        text.split("\n\n")
            .filter(|block| block.contains("data:"))
            .map(|block| (field(block, "id:").parse().unwrap(), field(block, "event:")))
            .collect()
    }
}

fn small() -> Value {
    json!({
        "symbols": ["AAPL"], "source": "bundled", "start": "2011-01-01", "end": "2012-12-31",
        "target": "log_volatility", "horizons": [5], "models": ["ridge"],
        "validation": {"kind": "walk_forward", "folds": 2}
    })
}

/// Long enough that it does not end before it is stopped.
fn long() -> TrialRequest {
    let mut body = small();
    body["start"] = json!("2003-01-01");
    body["models"] = json!([{"model": "random_forest", "params": {"n_estimators": 400}}]);
    body["validation"] = json!({"kind": "walk_forward", "folds": 40});
    serde_json::from_value(body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_is_made_followed_and_read_in_the_shapes_of_the_contract() {
    let app = App::new().await;
    let made = app.post_json("/api/v1/trials", &small()).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let id = serde_json::from_value::<TrialCreated>(made.json())
        .unwrap()
        .id;
    assert_eq!(
        made.headers["location"],
        format!("/api/v1/trials/{id}").as_str()
    );
    let path = format!("/api/v1/trials/{id}/events");
    let all = app.events(&path, None).await;
    let numbers: Vec<i64> = all.iter().map(|e| e.0).collect();
    assert_eq!(numbers, (1..=numbers.len() as i64).collect::<Vec<_>>());
    assert_eq!(all.last().unwrap().1, "state");

    let view = app.get(&format!("/api/v1/trials/{id}")).await.json();
    for field in [
        "id",
        "state",
        "spec",
        "progress",
        "leaderboard",
        "verdict",
        "lineage",
    ] {
        assert!(!view[field].is_null(), "{field}");
    }
    let trial: TrialView = serde_json::from_value(view).unwrap();
    assert_eq!(trial.state, TrialState::Finished, "{:?}", trial.reason);
    assert_eq!(trial.result_sha256.unwrap().len(), 64);

    // Resumed anywhere, by either way, the rest comes once; the larger number counts.
    for (query, last, after) in [
        ("", Some("3"), 3),
        ("?after=7", None, 7),
        ("?after=2", Some("5"), 5),
    ] {
        let rest = app.events(&format!("{path}{query}"), last).await;
        assert_eq!(rest, all[after..], "{query} {last:?}");
    }
    let end = numbers.len();
    assert!(
        app.events(&format!("{path}?after={end}"), None)
            .await
            .is_empty()
    );
    app.get(&format!("{path}?after=-1")).await.problem(422);
    app.get(&format!("{path}?after=x")).await.problem(400);

    let list = app.get("/api/v1/trials").await.json();
    assert_eq!(list["items"][0]["id"], id.as_str());
    let late = app
        .post(&format!("/api/v1/trials/{id}/pause"), &[], "")
        .await;
    assert!(late.problem(409).detail.contains("finished"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_makes_one_trial() {
    let app = App::new().await;
    let send = |body: Value| {
        let headers = [
            ("content-type", "application/json"),
            ("idempotency-key", "k 1"),
        ];
        let app = &app;
        async move { app.post("/api/v1/trials", &headers, body.to_string()).await }
    };
    let (one, two) = tokio::join!(send(small()), send(small()));
    assert_eq!(one.status, StatusCode::CREATED);
    assert_eq!(one.json()["id"], two.json()["id"]);
    let mut other = small();
    other["seed"] = json!(9);
    let conflict = send(other).await.problem(409);
    assert!(conflict.detail.contains("Idempotency-Key"));
    let list = app.get("/api/v1/trials").await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_comes_as_a_problem_document() {
    let app = App::new().await;
    assert!(
        app.get("/api/nothing")
            .await
            .problem(404)
            .detail
            .contains("path")
    );
    let unknown = app.get("/api/v1/models/rigde").await.problem(404);
    assert_eq!(unknown.kind, "/problems/unknown-model");
    assert!(unknown.suggestions.contains(&"ridge".to_owned()));
    // What the answer says of its coding must be true of the document that went out.
    let request = Request::get("/api/v1/models/rigde").header("accept-encoding", "gzip, br");
    let answer = app.send(request.body(Body::empty()).unwrap()).await;
    assert!(answer.headers.get("content-encoding").is_none());
    answer.problem(404);
    let request = Request::delete("/api/v1/trials")
        .body(Body::empty())
        .unwrap();
    app.send(request).await.problem(405);
    let json = [("content-type", "application/json")];
    app.post("/api/v1/trials", &json, "{").await.problem(400);
    app.post("/api/v1/trials", &[], "{}").await.problem(415);
    let large = vec![b' '; 2 << 20];
    app.post("/api/v1/trials", &json, large).await.problem(413);
    for (field, value, word) in [
        ("symbols", json!(["APPL"]), "AAPL"),
        ("models", json!(["rigde"]), "ridge"),
        ("horizons", json!([0]), "250"),
        ("source", json!("polygn"), "polygon"),
        ("start", json!("2013-01-01"), "after"),
        ("end", json!("2011-01-10"), "20"),
    ] {
        let mut body = small();
        body[field] = value;
        let answer = app.post_json("/api/v1/trials", &body).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(answer.status.is_client_error(), "{field}: {text}");
        assert!(text.contains(word), "{field}: {text}");
    }
    let list = app.get("/api/v1/trials").await.json();
    assert_eq!(list["items"], json!([]), "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_dressed() {
    let app = App::new().await;
    for path in [
        "/",
        "/api/health",
        "/api/docs",
        "/no/such/page",
        "/pkg/mltrainer.css",
    ] {
        let answer = app.get(path).await;
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(
            !policy.contains("unsafe-inline") && !policy.contains('*'),
            "{path}"
        );
        assert_eq!(
            answer.headers["x-content-type-options"], "nosniff",
            "{path}"
        );
        assert!(answer.headers.get("strict-transport-security").is_none());
        assert!(answer.headers.contains_key("x-request-id"), "{path}");
    }
    let docs = app.get("/api/docs").await;
    let policy = docs.headers["content-security-policy"].to_str().unwrap();
    let nonce = policy
        .split("'nonce-")
        .nth(1)
        .unwrap()
        .split('\'')
        .next()
        .unwrap();
    let html = String::from_utf8(docs.body).unwrap();
    assert!(html.contains(&format!("<script nonce=\"{nonce}\"")));
    assert_eq!(app.get("/no/such/page").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_pass_the_gate_or_answer_its_findings() {
    let app = App::new().await;
    let bars = app.services.bars("bundled:IBM", None, None).await.unwrap();
    let csv = |rows: usize| {
        let mut text = String::from("date,open,high,low,close,volume\n");
        for b in &bars[..rows] {
            let figures = [b.open, b.high, b.low, Some(b.close), b.volume].map(Option::unwrap);
            let cells = figures.map(|x| x.to_string()).join(",");
            text.push_str(&format!("{},{cells}\n", b.date));
        }
        text
    };
    let upload = |text: String, origin: &'static str| {
        let app = &app;
        async move {
            let body = format!(
                "--x\r\nContent-Disposition: form-data; name=\"symbol\"\r\n\r\nMINE\r\n--x\r\nContent-Disposition: form-data; name=\"origin\"\r\n\r\n{origin}\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../my.csv\"\r\n\r\n{text}\r\n--x--\r\n"
            );
            app.post(
                "/api/v1/datasets",
                &[("content-type", "multipart/form-data; boundary=x")],
                body,
            )
            .await
        }
    };
    let taken = upload(csv(300), "user_provided").await;
    assert_eq!(taken.status, StatusCode::CREATED);
    let set = &taken.json()["dataset"];
    assert_eq!(set["rows"], 300);
    assert_eq!(set["title"], "MINE from my.csv");
    let id = set["id"].as_str().unwrap();
    let read = app.get(&format!("/api/v1/datasets/{id}/bars")).await.json();
    assert_eq!(read.as_array().unwrap().len(), 300);

    // A browser without script gets the page, with what came of it.
    let boundary = ("content-type", "multipart/form-data; boundary=x");
    let by_hand = app
        .post(
            "/api/v1/datasets",
            &[boundary, ("accept", "text/html")],
            "--x--\r\n",
        )
        .await;
    assert_eq!(by_hand.status.as_u16(), 422);
    let html = String::from_utf8(by_hand.body).unwrap();
    assert!(html.contains("<html") && html.contains("missing"), "{html}");

    let few = upload(csv(10), "user_provided").await;
    assert!(few.problem(422).detail.contains("20"));
    assert_eq!(few.json()["quality"]["rows"], 10);
    let foreign = upload(csv(300), "a_friend").await.problem(422);
    assert_eq!(foreign.field.as_deref(), Some("approved_origins_only"));

    let filter = AuditFilter {
        action: Some("dataset.import".into()),
        ..AuditFilter::default()
    };
    let records = app.services.audit(filter, None, 0).await.unwrap().items;
    let decisions: Vec<&str> = records.iter().map(|r| r.decision.as_str()).collect();
    assert_eq!(decisions, ["refused", "refused", "allowed"]);
    let verified = app.get("/api/compliance/audit/verify").await.json();
    let verified: AuditVerification = serde_json::from_value(verified).unwrap();
    assert!(verified.ok, "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_guards_writes_of_programs_and_of_browsers() {
    let app = App::new().await;
    let router = serve(&app.services, Some("s3cret"));
    let app = App { router, ..app };
    let json = ("content-type", "application/json");
    let body = small().to_string();
    let refused = app.post("/api/v1/trials", &[json], body.clone()).await;
    refused.problem(401);
    assert_eq!(refused.headers["www-authenticate"], "Bearer");
    let bearer = ("authorization", "Bearer s3cret");
    let made = app
        .post("/api/v1/trials", &[json, bearer], body.clone())
        .await;
    assert_eq!(made.status, StatusCode::CREATED);

    let form = [("content-type", "application/x-www-form-urlencoded")];
    let wrong = app.post("/login", &form, "token=guess").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    let right = app.post("/login", &form, "token=s3cret").await;
    assert_eq!(right.status, StatusCode::SEE_OTHER);
    let cookie = right.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"));
    let cookie = cookie.split(';').next().unwrap();
    let made = app
        .post("/api/v1/trials", &[json, ("cookie", cookie)], body)
        .await;
    assert_eq!(made.status, StatusCode::CREATED);
    let records = app
        .services
        .audit(AuditFilter::default(), None, 0)
        .await
        .unwrap();
    let actors = records.items.iter().filter(|r| r.action == "trial.create");
    assert!(actors.map(|r| r.actor.as_str()).eq(["admin", "admin"]));
}

/// Collects events until `enough`.
async fn until(
    services: &Services,
    id: &str,
    after: i64,
    enough: impl Fn(&TrialEvent) -> bool,
) -> Vec<TrialEvent> {
    let mut stream = services.follow(id, after).await.unwrap();
    let mut seen = Vec::new();
    while let Some(sent) = stream.next().await {
        let event = sent.unwrap().event.clone();
        let stop = enough(&event);
        seen.push(event);
        if stop {
            break;
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_hears_a_trial_and_stops_it() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).await;
    let second = open(folder.path()).await;
    let made = first
        .services
        .create_trial("user", long(), None)
        .await
        .unwrap();
    let id = made.id.as_str();
    assert!(!second.services.runs_here(id).await.unwrap());
    let heard = until(&second.services, id, 0, |e| e.body.name() == "step").await;
    let view = second.services.cancel_trial("cli", id).await.unwrap();
    assert_eq!(view.state, TrialState::Cancelled);
    let last = heard.last().unwrap().seq;
    let rest = until(&second.services, id, last, |_| false).await;
    let numbers: Vec<i64> = heard.iter().chain(&rest).map(|e| e.seq).collect();
    assert_eq!(numbers, (1..=view.last_event).collect::<Vec<_>>());
    let filter = AuditFilter {
        action: Some("trial.cancel".into()),
        ..AuditFilter::default()
    };
    let records = first.services.audit(filter, None, 0).await.unwrap().items;
    let actors: Vec<&str> = records.iter().map(|r| r.actor.as_str()).collect();
    assert_eq!(actors, ["cli"], "who asked is recorded, once");
    let again = second.services.cancel_trial("cli", id).await;
    assert!(matches!(again, Err(ServiceError::Conflict(_))));
    first.close().await;
    second.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_of_a_stopped_process_goes_on_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).await;
    let mut request = long();
    request.models = vec![
        serde_json::from_value(json!({"model": "random_forest", "params": {"n_estimators": 20}}))
            .unwrap(),
    ];
    let made = first
        .services
        .create_trial("user", request, None)
        .await
        .unwrap();
    let id = made.id.as_str();
    let heard = until(&first.services, id, 0, |e| e.body.name() == "step").await;
    first.close().await;

    let second = open(folder.path()).await;
    second.services.recover().await.unwrap();
    let rest = until(&second.services, id, heard.last().unwrap().seq, |_| false).await;
    let view = second.services.trial(id).await.unwrap();
    assert_eq!(view.state, TrialState::Finished, "{:?}", view.reason);
    let steps = |events: &[TrialEvent]| events.iter().filter(|e| e.body.name() == "step").count();
    assert_eq!(steps(&heard) + steps(&rest), view.progress.total as usize);
    second.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_in_use_by_a_locked_database_says_so() {
    let app = App::new().await;
    app.services.datasets().await.unwrap();
    let path = app._folder.path().join(mltrainer_store::DATABASE);
    let held = lock(&path);
    let answer = app.post_json("/api/v1/trials", &small()).await;
    let problem = answer.problem(503);
    assert!(problem.detail.contains("locked") && !problem.detail.contains('/'));
    assert!(answer.headers.contains_key("retry-after"));
    drop(held);
    let made = app.post_json("/api/v1/trials", &small()).await;
    assert_eq!(made.status, StatusCode::CREATED);
}

/// Another program that holds the write lock of the database until it is dropped.
fn lock(path: &Path) -> impl Drop {
    struct Held(std::process::Child);
    impl Drop for Held {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
    use std::io::{BufRead as _, BufReader};
    let mut child = std::process::Command::new("python3")
        .args(["-c", "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None); db.execute('begin immediate'); print('held', flush=True); sys.stdin.read()"])
        .arg(path)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line.trim(), "held");
    Held(child)
}
