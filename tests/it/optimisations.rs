//! Walk-forward optimisations on the command line and over HTTP: the same result after `kill -9`, events
//! without holes, what is counted, controlled and refused.

use mltrainer_it::server::content_type;
use mltrainer_it::{Event, Events, Launch, Server, binary, cli};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Points of a window: enough for a search to take some seconds, so that it can be interrupted.
const POINTS: u64 = 2000;

const SEARCH: [&str; 20] = [
    "backtest",
    "optimise",
    "--symbols",
    "AAPL",
    "--start",
    "2005-01-01",
    "--end",
    "2012-12-31",
    "--strategy",
    "sma_crossover",
    "--search",
    "fast=2..50",
    "--search",
    "slow=20..250:log",
    "--evaluations",
    "2000",
    "--folds",
    "4",
    "--embargo",
    "5",
];

/// Begins the search, kills it once a line begins with these words, and gives its id.
fn killed_at(folder: &Path, line_begins: &str) -> String {
    let mut child = Command::new(binary())
        .arg("--data-dir")
        .arg(folder)
        .args(SEARCH)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut id = String::new();
    for line in lines {
        let line = line.unwrap();
        if let Some(rest) = line.strip_prefix("Optimisation ")
            && id.is_empty()
        {
            id = rest.split(':').next().unwrap().to_owned();
        }
        if line.starts_with(line_begins) {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(id.starts_with("o-"), "{id}");
    id
}

#[test]
fn an_optimisation_survives_kill_9_and_counts_what_it_tried() {
    let whole = tempfile::tempdir().unwrap();
    let args = [&SEARCH[..], &["--format", "json"]].concat();
    let want = cli(whole.path(), &args).json();
    assert_eq!(want["state"], "finished");
    let windows = want["windows"].as_array().unwrap();
    assert_eq!(windows.len(), 4);
    for pair in windows.windows(2) {
        // Days as texts sort like days: tests follow one another, training ends before its test.
        let day = |w: &Value, name: &str| w[name].as_str().unwrap().to_owned();
        assert!(day(&pair[0], "test_last") < day(&pair[1], "test_first"));
        assert!(day(&pair[1], "train_last") < day(&pair[1], "test_first"));
        assert_eq!(day(&pair[0], "train_first"), day(&pair[1], "train_first"));
    }
    let result = &want["result"];
    let (dates, equity) = (&result["dates"], &result["equity"]);
    assert_eq!(
        dates.as_array().unwrap().len(),
        equity.as_array().unwrap().len()
    );
    assert_eq!(equity[0], 10_000.0);
    let tried = result["tried_here"].as_u64().unwrap();
    assert!((POINTS / 4..=4 * POINTS).contains(&tried), "{tried}");
    assert_eq!(result["tried"], tried);

    for moment in ["Optimisation ", "window 1 of", "window 3 of"] {
        let folder = tempfile::tempdir().unwrap();
        let id = killed_at(folder.path(), moment);
        let resume = ["backtest", "optimise", "--resume", &id, "--format", "json"];
        let found = cli(folder.path(), &resume).json();
        assert_eq!(found["windows"], want["windows"], "killed at {moment}");
        assert_eq!(found["result"], want["result"], "killed at {moment}");
        cli(folder.path(), &resume).refused(1, &["has ended"]);
        let verified = cli(folder.path(), &["audit", "verify"]);
        assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    }

    // A later back test on the symbol knows how much was searched before it.
    let test = ["backtest", "--symbols", "AAPL", "--format", "json"];
    let later = cli(whole.path(), &test).json();
    assert_eq!(later["verdict"]["tried"], json!(tried + 1));
}

#[test]
fn what_cannot_be_searched_is_refused_with_its_field() {
    let folder = tempfile::tempdir().unwrap();
    let call = |more: &[&str]| {
        let head = ["backtest", "optimise", "--symbols", "AAPL"];
        cli(folder.path(), &[&head[..], more].concat())
    };
    call(&[]).refused(2, &["search", "give 1 to"]);
    call(&["--search", "fast=2.5..5.5"]).refused(2, &["params.fast", "whole number"]);
    call(&["--search", "fsat=2..5"]).refused(2, &["fsat", "did you mean fast"]);
    call(&["--search", "fast=2..5", "--method", "magic"]).refused(2, &["method", "grid"]);
    call(&["--search", "fast=2..50", "--folds", "2000"]).refused(2, &["folds", "1 to 100"]);
    call(&[
        "--search",
        "fast=2..500",
        "--search",
        "slow=2..500",
        "--method",
        "grid",
        "--setting",
        "levels=50",
    ])
    .refused(2, &["evaluations", "2500"]);
    cli(folder.path(), &["backtest", "optimise", "--resume", "o-0"])
        .refused(2, &["unknown optimisation"]);
}

/// The search of the command line as the API takes it.
fn request() -> Value {
    json!({
        "test": {
            "symbols": ["AAPL"], "start": "2005-01-01", "end": "2012-12-31",
            "strategy": "sma_crossover"
        },
        "search": [
            {"name": "fast", "range": {"kind": "integer", "low": 2, "high": 50}},
            {"name": "slow", "range": {"kind": "integer", "low": 20, "high": 250, "log": true}}
        ],
        "evaluations": POINTS, "folds": 4, "embargo": 5
    })
}

/// One that goes on until it is stopped.
fn long_request() -> Value {
    let mut body = request();
    body["evaluations"] = json!(10_000);
    body["method"] = json!("random");
    body["folds"] = json!(50);
    body
}

const PATH: &str = "/api/v1/optimisations";

async fn made(server: &Server, body: &Value) -> String {
    let answer = server.post(PATH, body).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let view: Value = answer.json().await.unwrap();
    let id = view["id"].as_str().unwrap().to_owned();
    assert_eq!(location, format!("{PATH}/{id}"));
    id
}

async fn events(server: &Server, id: &str, after: i64) -> Events {
    let answer = server
        .get(&format!("{PATH}/{id}/events?after={after}"))
        .await;
    assert_eq!(content_type(&answer), "text/event-stream");
    Events::new(answer)
}

fn numbers(events: &[Event]) -> Vec<i64> {
    events.iter().map(|e| e.id).collect()
}

#[tokio::test]
async fn the_api_tells_every_step_and_gives_the_result_of_the_command_line() {
    let server = Server::fresh().await;
    let id = made(&server, &request()).await;
    let all = events(&server, &id, 0).await.rest().await;
    let view = server.json(&format!("{PATH}/{id}")).await;
    let last = view["last_event"].as_i64().unwrap();
    assert_eq!(numbers(&all), (1..=last).collect::<Vec<_>>());
    let states: Vec<&str> = all
        .iter()
        .filter(|e| e.name == "state")
        .map(|e| e.data["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["queued", "training", "evaluating", "finished"]);
    let windows: Vec<&Event> = all.iter().filter(|e| e.name == "window").collect();
    assert_eq!(windows.len(), 4);
    for (k, event) in windows.iter().enumerate() {
        assert_eq!(event.data["number"], k + 1);
        assert_eq!(event.data["window"], view["windows"][k]);
        assert_eq!(event.data["progress"]["done"], POINTS as usize * (k + 1));
    }
    assert_eq!(view["progress"]["total"], 4 * POINTS);
    assert_eq!(view["state"], "finished");

    // From the middle, by either way of saying where it was.
    let middle = server
        .request(Method::GET, &format!("{PATH}/{id}/events?after=1"))
        .header("Last-Event-ID", "2")
        .send()
        .await
        .unwrap();
    assert_eq!(Events::new(middle).rest().await, all[2..]);
    assert!(events(&server, &id, last).await.rest().await.is_empty());

    // The same search on the command line comes to the same.
    let folder = tempfile::tempdir().unwrap();
    let args = [&SEARCH[..], &["--format", "json"]].concat();
    let want = cli(folder.path(), &args).json();
    assert_eq!(view["windows"], want["windows"]);
    assert_eq!(view["result"], want["result"]);

    let result = &view["result"];
    let curve = server.json(&format!("{PATH}/{id}/curve")).await;
    assert_eq!(curve["dates"], result["dates"]);
    for (of_curve, of_result) in [
        ("equity", &result["equity"]),
        ("benchmark_equity", &result["benchmark_equity"]),
        ("in_sample_equity", &result["in_sample_choice"]["equity"]),
    ] {
        let (a, b) = (
            curve[of_curve].as_array().unwrap(),
            of_result.as_array().unwrap(),
        );
        assert_eq!(a.len(), b.len(), "{of_curve}");
        for (a, b) in a.iter().zip(b) {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            assert!((a / b - 1.0).abs() < 1e-9, "{of_curve}: {a} is not {b}");
        }
    }
    // What is chosen by looking is no worse, by its own measure, than what was found without.
    let seen = &result["in_sample_choice"]["metrics"]["sharpe_ratio"];
    assert!(seen.as_f64().unwrap() > result["metrics"]["sharpe_ratio"].as_f64().unwrap());
    let report = &result["overfitting"];
    assert_eq!(report["splits"], 12_870);
    assert_eq!(report["probability"], result["probability_of_overfitting"]);
    let ranks: u64 = report["ranks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r.as_u64().unwrap())
        .sum();
    assert_eq!(ranks, 12_870);

    let picture = server.get(&format!("{PATH}/{id}/equity.svg")).await;
    assert_eq!(content_type(&picture), "image/svg+xml");
    let list = server.json(PATH).await;
    assert_eq!(list["items"][0]["id"], id);
    assert_eq!(list["items"][0]["windows"], 4);
    assert_eq!(
        list["items"][0]["annual_return"],
        result["metrics"]["annual_return"]
    );
    let next = server.get(&format!("{PATH}?cursor={id}")).await;
    let next: Value = next.json().await.unwrap();
    assert!(next["items"].as_array().unwrap().is_empty());
    let audit = server
        .json(&format!("/api/compliance/audit?subject={id}"))
        .await;
    let actions: Vec<&str> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["optimisation.finish", "optimisation.create"]);
}

#[tokio::test]
async fn a_surface_holds_every_point_of_the_search() {
    let server = Server::fresh().await;
    let mut body = request();
    body["method"] = json!("grid");
    body["settings"] = json!({"levels": 6});
    body["folds"] = json!(2);
    let id = made(&server, &body).await;
    events(&server, &id, 0).await.rest().await;
    let surface = server.json(&format!("{PATH}/{id}/surface?window=1")).await;
    assert_eq!(
        (&surface["x"]["name"], &surface["y"]["name"]),
        (&json!("fast"), &json!("slow"))
    );
    let cells: Vec<&Value> = surface["cells"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|row| row.as_array().unwrap())
        .collect();
    let points: u64 = cells.iter().filter_map(|c| c["points"].as_u64()).sum();
    assert_eq!(points, 36, "six values of each");
    // The chosen cell holds the best of all.
    let best = |c: &Value| c["best"].as_f64().unwrap_or(f64::NEG_INFINITY);
    let chosen = &surface["chosen"][0];
    let cell = &surface["cells"][chosen["y"].as_u64().unwrap() as usize]
        [chosen["x"].as_u64().unwrap() as usize];
    let top = cells
        .iter()
        .map(|c| best(c))
        .fold(f64::NEG_INFINITY, f64::max);
    assert_eq!(best(cell), top);
    let view = server.json(&format!("{PATH}/{id}")).await;
    assert_eq!(view["windows"][0]["in_sample"], json!(top));
    // Turned round, and along one parameter.
    let turned = server
        .json(&format!("{PATH}/{id}/surface?x=slow&window=1"))
        .await;
    assert_eq!(turned["y"]["name"], "fast");
    assert_eq!(turned["cells"][0][1], surface["cells"][1][0]);
    for (query, field) in [
        ("x=fsat", "x"),
        ("x=fast&y=fast", "y"),
        ("window=9", "window"),
    ] {
        let refused = server.get(&format!("{PATH}/{id}/surface?{query}")).await;
        assert_eq!(
            refused.status(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "{query}"
        );
        let problem: Value = refused.json().await.unwrap();
        assert_eq!(problem["field"], field, "{query}");
    }
}

#[tokio::test]
async fn kill_9_loses_nothing_that_a_listener_saw() {
    // Within a window a search tells of itself by the clock: it has to be a long one.
    let mut long = request();
    long["evaluations"] = json!(10_000);
    long["method"] = json!("random");
    interrupted(&long, &[("step", |e| e.name == "step")]).await;
    let moments: [(&str, fn(&Event) -> bool); 4] = [
        ("queued", |e| e.id == 1),
        ("training", |e| e.is_state("training")),
        ("window 2", |e| e.name == "window" && e.data["number"] == 2),
        ("evaluating", |e| e.is_state("evaluating")),
    ];
    interrupted(&request(), &moments).await;
}

/// Kills the program at these moments of an optimisation and compares what the next one makes of it.
async fn interrupted(body: &Value, moments: &[(&str, fn(&Event) -> bool)]) {
    let undisturbed = Server::fresh().await;
    let id = made(&undisturbed, body).await;
    events(&undisturbed, &id, 0).await.rest().await;
    let want = undisturbed.json(&format!("{PATH}/{id}")).await;
    for (name, moment) in moments {
        let folder = tempfile::tempdir().unwrap();
        let server = Launch::on(folder.path()).start().await;
        let id = made(&server, body).await;
        let seen = events(&server, &id, 0).await.until(moment).await;
        server.kill();
        let server = Launch::on(folder.path()).start().await;
        let all = events(&server, &id, 0).await.rest().await;
        let view = server.json(&format!("{PATH}/{id}")).await;
        assert_eq!(view["state"], "finished", "{name}");
        let last = view["last_event"].as_i64().unwrap();
        assert_eq!(numbers(&all), (1..=last).collect::<Vec<_>>(), "{name}");
        assert_eq!(all[..seen.len()], seen[..], "{name}");
        assert_eq!(view["windows"], want["windows"], "{name}");
        assert_eq!(view["result"], want["result"], "{name}");
        server.kill();
        let verified = cli(folder.path(), &["audit", "verify"]);
        assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    }
}

#[tokio::test]
async fn it_is_paused_resumed_and_cancelled_also_by_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::on(folder.path()).start().await;
    let id = made(&server, &long_request()).await;
    let mut stream = events(&server, &id, 0).await;
    stream.until(|e| e.name == "step").await;
    let post = async |verb: &str| {
        let answer = server
            .post(&format!("{PATH}/{id}/{verb}"), &json!({}))
            .await;
        let status = answer.status();
        (status, answer.json::<Value>().await.unwrap())
    };
    let (status, running) = post("resume").await;
    assert_eq!(status, StatusCode::CONFLICT, "{running}");
    let (status, paused) = post("pause").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(paused["state"], "paused", "{paused}");
    assert_eq!(post("pause").await.0, StatusCode::CONFLICT);
    let told = paused["told"].as_u64().unwrap()
        + 10_000 * paused["windows"].as_array().unwrap().len() as u64;
    assert!(told > 0);
    // Paused it stays, also for the next process.
    server.kill();
    let server = Launch::on(folder.path()).start().await;
    let post = async |verb: &str| {
        let answer = server
            .post(&format!("{PATH}/{id}/{verb}"), &json!({}))
            .await;
        let status = answer.status();
        (status, answer.json::<Value>().await.unwrap())
    };
    let before = server.json(&format!("{PATH}/{id}")).await;
    assert_eq!(before["state"], "paused");
    let after = before["last_event"].as_i64().unwrap();
    let mut stream = events(&server, &id, after).await;
    assert_eq!(post("resume").await.0, StatusCode::OK);
    let seen = stream.until(|e| e.name == "step").await;
    // It goes on behind the points that were told.
    let step = &seen.last().unwrap().data;
    assert!(
        step["progress"]["done"].as_u64().unwrap() > told,
        "{step} after {told}"
    );
    // Another process on the same folder cannot go on with it.
    let resume = ["backtest", "optimise", "--resume", &id];
    cli(folder.path(), &resume).refused(1, &["another process"]);
    let (status, cancelled) = post("cancel").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(cancelled["state"], "cancelled");
    assert!(stream.rest().await.last().unwrap().is_state("cancelled"));
    for verb in ["pause", "resume", "cancel"] {
        assert_eq!(post(verb).await.0, StatusCode::CONFLICT, "{verb}");
    }
    let audit = server
        .json(&format!("/api/compliance/audit?subject={id}"))
        .await;
    let actions: Vec<&str> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions,
        [
            "optimisation.cancel",
            "optimisation.resume",
            "optimisation.pause",
            "optimisation.create"
        ]
    );
    let verified = server.json("/api/compliance/audit/verify").await;
    assert_eq!(verified["ok"], true);
}

#[tokio::test]
async fn a_key_makes_one_and_what_is_wrong_names_its_field() {
    let server = Server::fresh().await;
    let keyed = async |body: &Value| {
        let answer = server
            .request(Method::POST, PATH)
            .header("Idempotency-Key", "once")
            .json(body)
            .send()
            .await
            .unwrap();
        let status = answer.status();
        (status, answer.json::<Value>().await.unwrap())
    };
    let (_, first) = keyed(&request()).await;
    let (status, again) = keyed(&request()).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(first["id"], again["id"]);
    let mut other = request();
    other["folds"] = json!(3);
    assert_eq!(keyed(&other).await.0, StatusCode::CONFLICT);
    assert_eq!(
        server.json(PATH).await["items"].as_array().unwrap().len(),
        1
    );

    let with = |name: &str, value: Value| {
        let mut body = request();
        body[name] = value;
        body
    };
    for (body, field) in [
        (with("search", json!([])), "search"),
        (with("folds", json!(101)), "folds"),
        (with("evaluations", json!(0)), "evaluations"),
        (with("method", json!("magic")), "method"),
        (with("window", json!(3)), "window"),
    ] {
        let refused = server.post(PATH, &body).await;
        assert_eq!(
            refused.status(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "{field}"
        );
        let problem: Value = refused.json().await.unwrap();
        assert_eq!(problem["field"], field);
    }
    let unknown = server.get(&format!("{PATH}/o-0")).await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    let refused = server.get(&format!("{PATH}?cursor=x")).await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
}
