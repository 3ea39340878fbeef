//! The figures of the product, measured with the built program and printed as a table. It reports
//! and never asserts: a slow machine is no fault of the program.
//!
//! `cargo build --release -p mltrainer-server && cargo bench -p mltrainer-bench --bench figures`
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]
#![expect(
    clippy::expect_used,
    reason = "a measurement that cannot be made says why and ends"
)]

use futures::future::join_all;
use mltrainer_bench::{allow_many_connections, now};
use mltrainer_it::{Launch, Server};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// Requests a second in the measurements of pages.
const RATE: u32 = 50;
/// Seconds of each of them.
const SECONDS: u32 = 20;
/// Listeners of one trial.
const LISTENERS: usize = 1_000;

fn main() {
    // Cargo passes `--bench`, and `--test` when it only wants to see that it runs.
    if std::env::args().any(|a| a == "--test" || a == "--list") {
        return;
    }
    allow_many_connections();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    println!("| figure | goal | measured |\n| --- | --- | --- |");
    catalogue();
    runtime.block_on(async {
        start().await;
        let server = Server::fresh().await;
        weight(&server).await;
        let client = mltrainer_it::http().build().expect("a client");
        let finished = finished(&server).await;
        pages(&server, &client, &finished, "while idle", "p99 under 30 ms").await;
        memory(&server, "after those requests");
        busy(&server, &client, &finished).await;
        drop(server);
        listeners().await;
    });
}

fn row(figure: &str, goal: &str, measured: &str) {
    println!("| {figure} | {goal} | {measured} |");
}

/// The value below which this share of the sorted samples lies.
fn quantile(sorted: &[Duration], share: f64) -> Duration {
    let at = (sorted.len() as f64 * share).ceil() as usize;
    sorted[at.clamp(1, sorted.len()) - 1]
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn spread(mut samples: Vec<Duration>) -> String {
    samples.sort();
    format!(
        "p50 {}, p99 {}, worst {} of {}",
        ms(quantile(&samples, 0.5)),
        ms(quantile(&samples, 0.99)),
        ms(quantile(&samples, 1.0)),
        samples.len()
    )
}

fn catalogue() {
    let samples = (0..200)
        .map(|_| {
            let begin = now();
            let entries = std::hint::black_box(mltrainer_backtest::registry().catalogue());
            std::hint::black_box(entries);
            begin.elapsed()
        })
        .collect();
    row("catalogue ready", "under 10 ms", &spread(samples));
}

/// From the start of the process to the first 200 of `/api/health`.
async fn start() {
    let mut empty = Vec::new();
    let mut warm = Vec::new();
    for _ in 0..10 {
        let folder = tempfile::tempdir().expect("a folder");
        for times in [&mut empty, &mut warm] {
            let begin = now();
            let server = Launch::on(folder.path()).start().await;
            times.push(begin.elapsed());
            drop(server);
        }
    }
    row(
        "start to healthy, data folder there",
        "under 300 ms",
        &spread(warm),
    );
    row("start to healthy, empty data folder", "", &spread(empty));
    let server = Server::fresh().await;
    memory(&server, "after the start");
}

/// Resident memory of the process as the kernel counts it.
fn memory(server: &Server, when: &str) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()));
    let kb = status.ok().and_then(|s| {
        let line = s.lines().find(|l| l.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok()
    });
    let told = kb.map_or("not to be had on this system".into(), |kb| {
        format!("{:.0} MB", kb / 1024.0)
    });
    row(
        &format!("resident memory {when}"),
        "idle under 80 MB",
        &told,
    );
}

async fn weight(server: &Server) {
    let mut sizes = BTreeMap::new();
    for name in ["wasm", "js", "css"] {
        let answer = server
            .http
            .get(format!("{}/pkg/mltrainer.{name}", server.base))
            .header("accept-encoding", "br")
            .send()
            .await
            .expect("an answer");
        let told = answer
            .headers()
            .get("content-encoding")
            .is_some_and(|v| v == "br");
        let size = answer.bytes().await.expect("a body").len() as f64 / 1e3;
        sizes.insert(name, (size, told));
    }
    let part = |name: &str| {
        let (size, br) = sizes[name];
        format!(
            "{name} {size:.1} KB{}",
            if br { "" } else { " (not brotli)" }
        )
    };
    row(
        "first page: wasm + js, brotli",
        "under 300 KB",
        &format!(
            "{:.1} KB ({}, {}; {})",
            sizes["wasm"].0 + sizes["js"].0,
            part("wasm"),
            part("js"),
            part("css")
        ),
    );
}

/// Requests at a fixed rate, each timed from the moment it was due: a slow answer does not delay
/// the next request, and waiting in a queue counts.
async fn at_rate(server: &Server, client: &reqwest::Client, path: &str) -> Vec<Duration> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / RATE);
    let mut tasks = Vec::new();
    for _ in 0..RATE * SECONDS {
        let due = ticks.tick().await;
        let (client, url) = (client.clone(), format!("{}{path}", server.base));
        tasks.push(tokio::spawn(async move {
            let answer = client.get(url).send().await.expect("an answer");
            let status = answer.status();
            answer.bytes().await.expect("a body");
            assert!(status.is_success(), "{status}");
            due.elapsed()
        }));
    }
    join_all(tasks)
        .await
        .into_iter()
        .map(|t| t.expect("a measured request"))
        .collect()
}

/// The page of a trial that has ended, with the charts of its result.
async fn finished(server: &Server) -> String {
    let id = server
        .create_trial(&json!({"symbols": ["AAPL"], "models": ["ridge", "random_forest_50"]}))
        .await;
    let _ = server.events(&id, 0).await.rest().await;
    format!("/trials/{id}")
}

async fn pages(server: &Server, client: &reqwest::Client, finished: &str, when: &str, goal: &str) {
    for path in [
        "/",
        "/models",
        "/models/random_forest",
        "/trials/new",
        finished,
    ] {
        let samples = at_rate(server, client, path).await;
        let name = if path == finished {
            "of a finished trial"
        } else {
            path
        };
        row(
            &format!("page {name} at {RATE} requests a second, {when}"),
            goal,
            &spread(samples),
        );
    }
}

/// Processor time that the process has used.
fn cpu_seconds(server: &Server) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).ok()?;
    // After the name in brackets: user and system time are fields 14 and 15, in ticks of 10 ms.
    let rest = stat.rsplit(')').next()?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

async fn busy(server: &Server, client: &reqwest::Client, finished: &str) {
    let id = server
        .create_trial(&json!({
            "symbols": ["SPX", "IXIC"],
            "target": "log_volatility",
            "horizons": [1, 5, 20],
            "models": [{"model": "random_forest", "params": {"n_estimators": 1000}}],
            "validation": {"kind": "walk_forward", "folds": 10}
        }))
        .await;
    let mut events = server.events(&id, 0).await;
    events.until(|e| e.is_state("training")).await;
    let (begin, used) = (now(), cpu_seconds(server));
    pages(
        server,
        client,
        finished,
        "while a trial runs",
        "p99 under 50 ms",
    )
    .await;
    let trial = server.trial(&id).await;
    let cores = used
        .zip(cpu_seconds(server))
        .map_or("unknown".into(), |(a, b)| {
            format!("{:.2}", (b - a) / begin.elapsed().as_secs_f64())
        });
    row(
        "meanwhile",
        "",
        &format!(
            "the program used {cores} cores; the trial is {} with {} of {} steps",
            trial.state.as_str(),
            trial.progress.done,
            trial.progress.total
        ),
    );
    memory(server, "while the trial runs");
    let _ = server
        .post(&format!("/api/v1/trials/{id}/cancel"), &json!({}))
        .await;
    let _ = events.rest().await;
}

/// One running trial, 1,000 open streams: the time between the first and the last listener that an
/// event reaches.
async fn listeners() {
    let server = Server::fresh().await;
    let id = server
        .create_trial(&json!({
            "symbols": ["AAPL"],
            "models": ["ridge", "random_forest_50", "knn_5"],
            "validation": {"kind": "walk_forward", "folds": 5}
        }))
        .await;
    let streams = join_all((0..LISTENERS).map(|_| server.events(&id, 0))).await;
    let opened = server.trial(&id).await.last_event;
    let tasks: Vec<_> = streams
        .into_iter()
        .map(|mut stream| {
            tokio::spawn(async move {
                let mut heard = Vec::new();
                while let Some(event) = stream.next().await {
                    heard.push((event.id, now()));
                }
                heard
            })
        })
        .collect();
    let mut spans = BTreeMap::new();
    for task in tasks {
        for (id, at) in task.await.expect("a listener") {
            let span = spans.entry(id).or_insert((at, at, 0_usize));
            span.0 = span.0.min(at);
            span.1 = span.1.max(at);
            span.2 += 1;
        }
    }
    let lost = spans.values().filter(|s| s.2 != LISTENERS).count();
    let live = spans
        .iter()
        .filter(|(id, _)| **id > opened)
        .map(|(_, (first, last, _))| *last - *first)
        .collect::<Vec<_>>();
    row(
        &format!("an event to {LISTENERS} listeners, first to last"),
        "",
        &if live.is_empty() {
            "the trial ended before all were listening".into()
        } else {
            format!("{}; events that missed a listener: {lost}", spread(live))
        },
    );
    memory(&server, "after that");
}
