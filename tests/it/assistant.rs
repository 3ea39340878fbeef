//! The assistant from outside: the same actions everywhere, conversations that are followed without
//! a hole, one message a key, tokens and their trust over MCP, a language model out of the environment.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use mltrainer_it::server::content_type;
use mltrainer_it::{Answer, Event, Events, Launch, Server, cli, cli_in};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Id and schema of every action.
type Named = Vec<(String, Value)>;

fn named(list: &Value, id: &str, schema: &str) -> Named {
    let mut all: Named = list
        .as_array()
        .unwrap()
        .iter()
        .map(|a| {
            (
                a.pointer(id).unwrap().as_str().unwrap().to_owned(),
                a.pointer(schema).unwrap().clone(),
            )
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// A request of MCP, which stands for itself.
async fn mcp(server: &Server, token: Option<&str>, method: &str, params: Value) -> Response {
    let mut request = server
        .request(Method::POST, "/mcp")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-11-25")
        .json(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.send().await.unwrap()
}

/// The result in an answer of MCP.
async fn result(response: Response) -> Value {
    assert_eq!(response.status(), StatusCode::OK);
    let text = response.text().await.unwrap();
    let answer = text
        .lines()
        .filter_map(|l| l.strip_prefix("data:"))
        .filter_map(|l| serde_json::from_str::<Value>(l).ok())
        .find(|m| m["id"] == 1)
        .unwrap_or_else(|| panic!("no answer in {text}"));
    assert!(answer["error"].is_null(), "{answer}");
    answer["result"].clone()
}

/// A server that speaks as OpenAI-compatible servers do: it keeps what it is asked and streams one answer.
async fn model(asked: Arc<Mutex<Vec<Value>>>) -> String {
    async fn answer(
        State(asked): State<Arc<Mutex<Vec<Value>>>>,
        Json(request): Json<Value>,
    ) -> impl IntoResponse {
        asked.lock().unwrap().push(request);
        let piece = |delta: Value, end: Value| {
            let chunk = json!({"id": "x", "object": "chat.completion.chunk", "model": "small",
                "choices": [{"index": 0, "delta": delta, "finish_reason": end}]});
            format!("data: {chunk}\n\n")
        };
        let body = [
            piece(json!({"role": "assistant", "content": "Good "}), Value::Null),
            piece(json!({"content": "morning."}), Value::Null),
            piece(json!({}), json!("stop")),
            "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"model\":\"small\",\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":2,\"total_tokens\":12}}\n\n".to_owned(),
            "data: [DONE]\n\n".to_owned(),
        ];
        ([(CONTENT_TYPE, "text/event-stream")], body.concat())
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = axum::Router::new()
        .route("/v1/chat/completions", post(answer))
        .with_state(asked);
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

async fn say(server: &Server, body: Value, key: Option<&str>) -> Value {
    let mut request = server
        .request(Method::POST, "/api/v1/conversations")
        .json(&body);
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    let response = request.send().await.unwrap();
    let (status, text) = (response.status(), response.text().await.unwrap());
    assert_eq!(status, StatusCode::ACCEPTED, "{text}");
    serde_json::from_str(&text).unwrap()
}

async fn follow(server: &Server, id: &str, after: i64) -> Events {
    let path = format!("/api/v1/conversations/{id}/events");
    let response = server
        .request(Method::GET, &path)
        .header("Last-Event-ID", after.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(content_type(&response), "text/event-stream");
    Events::new(response)
}

/// Whether an event is the answer to message `seq`.
fn answers(event: &Event, seq: i64) -> bool {
    event.name == "message" && event.data["role"] == "assistant" && event.data["answers"] == seq
}

#[tokio::test]
async fn chat_api_command_line_and_mcp_name_the_same_actions() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let server = Launch::fresh()
        .env("MLTRAINER_LLM_PROVIDER", "openai_compatible")
        .env("MLTRAINER_LLM_URL", model(asked.clone()).await)
        .env("MLTRAINER_LLM_MODEL", "small")
        .start()
        .await;
    let api = named(&server.json("/api/v1/actions").await, "/id", "/schema");
    assert!(api.len() >= 50, "{}", api.len());

    let listed = cli(&server.data_dir, &["ask", "--list", "--format", "json"]);
    assert_eq!(named(&listed.json(), "/id", "/schema"), api);

    let tools = result(mcp(&server, None, "tools/list", json!({})).await).await;
    assert_eq!(named(&tools["tools"], "/name", "/inputSchema"), api);

    let said = say(&server, json!({"text": "Good morning"}), None).await;
    let mut events = follow(&server, said["conversation"].as_str().unwrap(), 0).await;
    let heard = events.until(|e| answers(e, 1)).await;
    let answer = &heard.last().unwrap().data;
    assert_eq!(answer["text"], "Good morning.");
    assert_eq!(answer["model"]["model"], "small");
    let request = asked.lock().unwrap()[0].clone();
    assert_eq!(
        named(&request["tools"], "/function/name", "/function/parameters"),
        api
    );

    // What it used is counted; a server of one's own costs nothing.
    let status = server.json("/api/v1/assistant").await;
    let host = status["model"]["host"].as_str().unwrap();
    assert!(host.starts_with("127.0.0.1:"), "{host}");
    assert_eq!(status["today"]["calls"], 1);
    assert_eq!(status["today"]["tokens"], 12);
    assert_eq!(status["today"]["micro_dollars"], 0);
}

#[tokio::test]
async fn a_conversation_is_followed_without_a_hole_and_exported() {
    let server = Server::fresh().await;
    let said = say(&server, json!({"text": "What can you do?"}), None).await;
    let id = said["conversation"].as_str().unwrap();
    let mut seen = follow(&server, id, 0).await.until(|e| answers(e, 1)).await;
    let last = seen.last().unwrap().id;
    let again = say(
        &server,
        json!({"text": "List the data sets", "conversation": id}),
        None,
    )
    .await;
    let seq = again["seq"].as_i64().unwrap();
    // The line was cut; it goes on behind what was seen.
    seen.extend(
        follow(&server, id, last)
            .await
            .until(|e| answers(e, seq))
            .await,
    );
    let numbers: Vec<i64> = seen.iter().filter(|e| e.id > 0).map(|e| e.id).collect();
    let last = *numbers.last().unwrap();
    assert_eq!(numbers, (1..=last).collect::<Vec<_>>());

    let messages = server
        .json(&format!("/api/v1/conversations/{id}/messages"))
        .await;
    let stored: Vec<&Value> = seen.iter().filter(|e| e.id > 0).map(|e| &e.data).collect();
    assert_eq!(messages, json!(stored));
    let exported = server
        .json(&format!("/api/v1/conversations/{id}/export.json"))
        .await;
    assert_eq!(exported, messages);
    let markdown = server
        .get(&format!("/api/v1/conversations/{id}/export.md"))
        .await;
    assert_eq!(content_type(&markdown), "text/markdown");
    let named = markdown.headers()["content-disposition"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(named, format!("attachment; filename=\"{id}.md\""));
    assert!(
        markdown
            .text()
            .await
            .unwrap()
            .contains("List the data sets")
    );

    let list = server.json("/api/v1/conversations").await;
    assert_eq!(list["items"][0]["id"], id);
    assert_eq!(list["items"][0]["last_message"], last);
    let found = server.json("/api/v1/memory?q=data%20sets").await;
    assert_eq!(found[0]["conversation"], id);
    let nothing = server.get("/api/v1/memory?q=").await;
    assert_eq!(nothing.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(nothing.json::<Value>().await.unwrap()["field"], "q");
    let unknown = server.get("/api/v1/conversations/c-none/events").await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn one_key_makes_one_message_and_one_answer() {
    let server = Server::fresh().await;
    let body = json!({"text": "What can you do?"});
    let first = say(&server, body.clone(), Some("k-1")).await;
    let id = first["conversation"].as_str().unwrap();
    follow(&server, id, 0).await.until(|e| answers(e, 1)).await;
    // At once and after the answer: nothing is said twice, nothing answered twice.
    for _ in 0..3 {
        assert_eq!(say(&server, body.clone(), Some("k-1")).await, first);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let messages = server
        .json(&format!("/api/v1/conversations/{id}/messages"))
        .await;
    let roles: Vec<&str> = messages
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["role"].as_str().unwrap())
        .filter(|r| *r != "agent")
        .collect();
    assert_eq!(roles, ["user", "assistant"]);
    let bad = server
        .post("/api/v1/conversations", &json!({"text": " "}))
        .await;
    assert_eq!(bad.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn goals_and_alerts_are_set_listed_and_ended() {
    let server = Server::fresh().await;
    assert_eq!(server.json("/api/v1/goal").await, Value::Null);
    let put = |body: Value| {
        let request = server.request(Method::PUT, "/api/v1/goal").json(&body);
        async move { request.send().await.unwrap() }
    };
    let goal = json!({"text": "A Sharpe ratio of 1", "metrics": [{"metric": "sharpe_ratio", "at_least": 1.0}]});
    assert_eq!(put(goal).await.status(), StatusCode::OK);
    let held = server.json("/api/v1/goal").await;
    assert_eq!(held["goal"]["text"], "A Sharpe ratio of 1");
    assert_eq!(held["progress"][0]["wanted"], "at least 1");
    assert_eq!(
        put(json!({"text": ""})).await.status(),
        StatusCode::UNPROCESSABLE_ENTITY
    );

    let watch = json!({"symbols": ["AAPL"], "triggers": ["volatility"]});
    let made = server.post("/api/v1/alerts", &watch).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let id = made.json::<Value>().await.unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for (body, status) in [
        (
            json!({"symbols": ["NOPE"], "triggers": ["volatility"]}),
            404,
        ),
        (json!({"symbols": ["AAPL"], "triggers": ["weather"]}), 422),
        (json!({"triggers": ["volatility"]}), 422),
    ] {
        let refused = server.post("/api/v1/alerts", &body).await;
        assert_eq!(refused.status().as_u16(), status, "{body}");
    }
    assert_eq!(server.json("/api/v1/alerts").await[0]["id"], id);
    let path = format!("/api/v1/alerts/{id}");
    let end = || async { server.request(Method::DELETE, &path).send().await.unwrap() };
    assert_eq!(end().await.status(), StatusCode::NO_CONTENT);
    assert_eq!(end().await.status(), StatusCode::NOT_FOUND);
    assert_eq!(server.json("/api/v1/alerts").await, json!([]));
}

#[tokio::test]
async fn an_action_is_done_over_the_api() {
    let server = Server::fresh().await;
    let done = server
        .post(
            "/api/v1/actions/list_datasets",
            &json!({"symbols": ["AAPL"]}),
        )
        .await;
    let (status, text) = (done.status(), done.text().await.unwrap());
    assert_eq!(status, StatusCode::OK, "{text}");
    let outcome: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(outcome["action"], "list_datasets");
    for (id, body, status, field) in [
        ("list_dataset", json!({}), 404, Value::Null),
        ("set_goal", json!({"txt": "x"}), 422, json!("txt")),
        ("show_trial", json!({}), 422, json!("trial")),
    ] {
        let refused = server.post(&format!("/api/v1/actions/{id}"), &body).await;
        assert_eq!(refused.status().as_u16(), status, "{id}");
        assert_eq!(content_type(&refused), "application/problem+json");
        assert_eq!(
            refused.json::<Value>().await.unwrap()["field"],
            field,
            "{id}"
        );
    }
}

fn token(server: &Server, name: &str, trust: &str) -> String {
    let args = [
        "token", "create", "--name", name, "--trust", trust, "--format", "json",
    ];
    let made = cli(&server.data_dir, &args).json();
    made["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_gives_its_trust_over_mcp_and_no_more() {
    let server = Server::fresh().await;
    let call = |token: Option<String>, name: &'static str, arguments: Value| {
        let server = &server;
        async move {
            let params = json!({"name": name, "arguments": arguments});
            result(mcp(server, token.as_deref(), "tools/call", params).await).await
        }
    };
    // Nobody made a token: who is at this machine may look and start trials, not more.
    let looked = call(None, "list_trials", json!({})).await;
    assert_ne!(looked["isError"], true, "{looked}");
    let taught = call(
        None,
        "override_models",
        json!({"trial": "t-1", "models": ["ridge"]}),
    )
    .await;
    assert_eq!(taught["isError"], true);
    assert!(
        taught["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("trust_levels"),
        "{taught}"
    );

    let reader = token(&server, "reader", "1");
    assert!(reader.starts_with("mlt_") && reader.len() > 40);
    // From now on one is needed.
    for wrong in [None, Some("mlt_wrong")] {
        let refused = mcp(&server, wrong, "tools/list", json!({})).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(refused.headers()["www-authenticate"], "Bearer");
    }
    let goal = json!({"text": "nothing"});
    let refused = call(Some(reader.clone()), "set_goal", goal.clone()).await;
    assert_eq!(refused["isError"], true);
    assert_eq!(server.json("/api/v1/goal").await, Value::Null);
    let worker = token(&server, "worker", "5");
    let done = call(Some(worker), "set_goal", goal).await;
    assert_ne!(done["isError"], true, "{done}");
    assert_eq!(server.json("/api/v1/goal").await["actor"], "mcp:worker");

    // The token is nowhere but with whoever has it; what was refused is on record.
    let listed = cli(&server.data_dir, &["token", "list", "--format", "json"]);
    assert!(!listed.stdout.contains("mlt_"));
    assert_eq!(listed.json()[0]["scopes"], json!(["look"]));
    let audit = server.json("/api/compliance/audit?actor=mcp:reader").await;
    assert_eq!(audit["items"][0]["decision"], "refused");
    assert_eq!(audit["items"][0]["rule"], "trust_levels");
    let again = cli(
        &server.data_dir,
        &["token", "create", "--name", "reader", "--trust", "9"],
    );
    again.refused(1, &["reader"]);
    assert_eq!(
        cli(&server.data_dir, &["token", "revoke", "reader"]).code,
        0
    );
    let gone = mcp(&server, Some(&reader), "tools/list", json!({})).await;
    assert_eq!(gone.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_a_client_over_mcp_begins_is_steered_by_its_model() {
    let server = Server::fresh().await;
    let backtest = |token: Option<String>| {
        let server = &server;
        async move {
            let params = json!({"name": "run_backtest", "arguments": {"symbols": ["AAPL"]}});
            let done = result(mcp(server, token.as_deref(), "tools/call", params).await).await;
            let outcome = done["structuredContent"].clone();
            let id = outcome["job"]["id"].as_str().unwrap().to_owned();
            let path = format!("/api/v1/backtests/{id}/steering");
            (outcome, server.json(&path).await["steered_by"].clone())
        }
    };
    let (outcome, told) = backtest(None).await;
    assert_eq!(
        told["model"],
        json!({"model": null, "host": "mcp", "cutoff": {"kind": "unknown"}})
    );
    assert_eq!(told["spans"][0]["knowledge"], "unknown", "{told}");
    assert!(
        outcome["notes"].to_string().contains("may be memory"),
        "{outcome}"
    );
    // Whoever makes the token says which model it is for.
    let args = [
        "token",
        "create",
        "--name",
        "desk",
        "--trust",
        "5",
        "--model",
        "a-model",
        "--knows-until",
        "2010-06-30",
        "--format",
        "json",
    ];
    let made = cli(&server.data_dir, &args).json();
    assert_eq!(made["view"]["model"], "a-model");
    let (_, told) = backtest(made["token"].as_str().map(str::to_owned)).await;
    assert_eq!(told["model"]["model"], "a-model");
    assert_eq!(told["model"]["host"], "mcp:desk");
    assert_eq!(told["model"]["cutoff"]["last_day"], "2010-06-30");
    let knowledge: Vec<&Value> = told["spans"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| &s["knowledge"])
        .collect();
    assert_eq!(knowledge, ["before", "after"]);
}

#[tokio::test]
async fn mcp_answers_no_page_of_another_site() {
    let server = Launch::fresh()
        .env("MLTRAINER_ADMIN_TOKEN", "s3cret-s3cret")
        .start()
        .await;
    let refused = mcp(&server, None, "tools/list", json!({})).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let admin = mcp(&server, Some("s3cret-s3cret"), "tools/list", json!({})).await;
    assert_eq!(admin.status(), StatusCode::OK);
    for (name, value, status) in [
        ("origin", "http://evil.example".to_owned(), 403),
        ("origin", "null".to_owned(), 403),
        ("host", "evil.example".to_owned(), 421),
        ("origin", server.base.clone(), 200),
    ] {
        let answer = server
            .request(Method::POST, "/mcp")
            .header("accept", "application/json, text/event-stream")
            .bearer_auth("s3cret-s3cret")
            .header(name, &value)
            .json(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), status, "{name}: {value}");
    }
}

fn ask(folder: &std::path::Path, args: &[&str]) -> Answer {
    cli(folder, &[&["ask"][..], args].concat())
}

#[test]
fn a_sentence_is_answered_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let answer = ask(data, &["--format", "json", "What", "can", "you", "do?"]).json();
    assert_eq!(answer["role"], "assistant");
    assert_eq!(answer["cards"][0]["action"], "help");
    let shown = ask(
        data,
        &[
            "--action",
            "list_datasets",
            "--params",
            "{\"symbols\": [\"AAPL\"]}",
        ],
    );
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(shown.stdout.contains("AAPL"), "{}", shown.stdout);

    // Something is missing: it is asked for, and given in the same conversation.
    let asked = ask(data, &["Analyse a symbol", "--format", "json"]);
    assert_eq!(asked.code, 5, "{}{}", asked.stdout, asked.stderr);
    let asked: Value = serde_json::from_str(&asked.stdout).unwrap();
    assert_eq!(asked["question"]["slot"], "symbols");

    ask(data, &["colourless green ideas sleep furiously"]).refused(2, &[]);
    ask(data, &["--action", "list_dataset"]).refused(2, &["list_datasets"]);
    ask(data, &["--action", "help", "--params", "{"]).refused(2, &["--params"]);
    ask(data, &["--conversation", "c-none", "Help"]).refused(2, &["c-none"]);
    ask(data, &[]).refused(2, &["SENTENCE"]);
}

#[test]
fn a_wrong_setting_of_the_model_is_said_and_no_key_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let call = |args: &[&str], env: &[(&str, &str)]| {
        cli_in(std::path::Path::new("."), folder.path(), args, env)
    };
    let key = ("ANTHROPIC_API_KEY", "sk-ant-p1anted-0123456789");
    let doctor = call(&["doctor", "--format", "json"], &[key]);
    let text = format!("{}{}", doctor.stdout, doctor.stderr);
    assert!(text.contains("api.anthropic.com"), "{text}");
    assert!(!text.contains("p1anted"), "{text}");
    let none = call(&["doctor"], &[]);
    assert!(none.stdout.contains("built-in parser"), "{}", none.stdout);
    let half = [("MLTRAINER_LLM_MODEL", "small")];
    let fault = call(&["doctor"], &half);
    assert_eq!(fault.code, 1);
    assert!(
        fault.stdout.contains("MLTRAINER_LLM_PROVIDER"),
        "{}",
        fault.stdout
    );
    call(&["ask", "Help"], &half).refused(2, &["MLTRAINER_LLM_PROVIDER"]);
}
