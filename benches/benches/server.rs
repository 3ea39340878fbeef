//! The built program over loopback: a page rendered on the server, a JSON answer, and one trial's
//! events to 1,000 listeners. Build it first: `cargo build --release -p mltrainer-server`.
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot run says why and ends"
)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures::future::join_all;
use mltrainer_it::{Events, Launch, Server};
use serde_json::json;

const LISTENERS: u64 = 1_000;

fn server(c: &mut Criterion) {
    mltrainer_bench::allow_many_connections();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = runtime.block_on(Launch::fresh().start());
    let client = mltrainer_it::http().build().expect("a client");
    let get = |path: &str| {
        let (client, url) = (client.clone(), format!("{}{path}", server.base));
        async move {
            let answer = client.get(url).send().await.expect("an answer");
            answer.bytes().await.expect("a body").len()
        }
    };
    let mut group = c.benchmark_group("server");
    for (name, path) in [
        ("page_dashboard", "/"),
        ("page_models", "/models"),
        ("page_model", "/models/random_forest"),
        ("page_new_trial", "/trials/new"),
        ("api_models", "/api/v1/models"),
        ("api_health", "/api/health"),
    ] {
        group.bench_function(name, |b| b.iter(|| runtime.block_on(get(path))));
    }
    group.finish();
    fan_out(c, &runtime, &server);
}

/// Every listener reads the whole stream of a finished trial, all at once.
fn fan_out(c: &mut Criterion, runtime: &tokio::runtime::Runtime, server: &Server) {
    let id = runtime.block_on(async {
        let id = server
            .create_trial(&json!({
                "symbols": ["AAPL"], "start": "2010-01-01", "end": "2012-12-31",
                "models": ["ridge"], "validation": {"kind": "walk_forward", "folds": 3}
            }))
            .await;
        server.finished(&id).await;
        id
    });
    let events = runtime.block_on(server.trial(&id)).last_event;
    let mut group = c.benchmark_group("events");
    group.sample_size(10);
    group.throughput(Throughput::Elements(LISTENERS * events.unsigned_abs()));
    group.bench_function("fan_out_to_1000_listeners", |b| {
        b.iter(|| {
            runtime.block_on(async {
                let streams = join_all((0..LISTENERS).map(|_| server.events(&id, 0))).await;
                let heard = join_all(streams.into_iter().map(Events::rest)).await;
                assert!(heard.iter().all(|h| h.len() as i64 == events));
            });
        });
    });
    group.finish();
}

criterion_group!(benches, server);
criterion_main!(benches);
