//! Trials from outside: what the contract promises of them, whoever starts them.

use crate::small_trial;
use mltrainer_it::server::content_type;
use mltrainer_it::{Launch, Server, cli};
use mltrainer_types::trial::{TrialState, TrialView};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The contract's example, word for word but for a shorter span and fewer windows.
fn example() -> Value {
    json!({
        "symbols": ["AAPL"], "source": "bundled", "start": "2009-01-01", "end": "2012-12-31",
        "target": "log_volatility", "horizons": [5], "models": ["ridge", "random_forest_50"],
        "validation": {"kind": "walk_forward", "folds": 3, "embargo": 5}, "seed": 1
    })
}

#[tokio::test]
async fn the_contracts_example_ends_with_leaderboard_verdict_lineage_and_hash() {
    let server = Server::fresh().await;
    let id = server.create_trial(&example()).await;
    let trial = server.finished(&id).await;

    assert_eq!(trial.state, TrialState::Finished, "{:?}", trial.reason);
    assert_eq!(trial.progress.done, trial.progress.total);
    assert!(trial.progress.total > 0);
    assert_eq!(trial.spec.seed, 1);
    assert_eq!(trial.spec.symbols, ["AAPL"]);

    // Baselines are in without being asked for, and each row stands beside the best of them.
    let models: BTreeSet<&str> = trial.leaderboard.iter().map(|r| r.model.as_str()).collect();
    assert!(models.is_superset(&BTreeSet::from(["ridge", "random_forest_50"])));
    assert!(
        trial.leaderboard.iter().any(|r| r.is_baseline),
        "a naive baseline is in: {models:?}"
    );
    // Steps: every model of the specification in every window.
    let combinations = trial.spec.models.len() * trial.spec.horizons.len();
    assert_eq!(trial.progress.total as usize, combinations * 3);
    assert_eq!(trial.leaderboard.len(), combinations);

    let baseline = trial
        .leaderboard
        .iter()
        .filter(|r| r.is_baseline)
        .map(|r| r.metrics["rmse"].unwrap())
        .fold(f64::INFINITY, f64::min);
    for row in &trial.leaderboard {
        for name in ["rmse", "mae", "r2", "directional_accuracy"] {
            assert!(row.metrics.contains_key(name), "{}: {name}", row.model);
        }
        let (rmse, mae) = (row.metrics["rmse"].unwrap(), row.metrics["mae"].unwrap());
        // Jensen: the mean absolute error is never above the root mean squared one.
        assert!(0.0 < mae && mae <= rmse, "{}: {mae} {rmse}", row.model);
        assert_eq!(row.horizon, 5);
        assert_eq!(row.baseline["rmse"], Some(baseline), "{}", row.model);
        assert!(row.rows > 0 && row.folds_done == 3);
        if row.is_baseline {
            assert!(!row.beats_baseline, "a baseline does not beat baselines");
        }
        if let Some(p) = row.p_value {
            assert!((0.0..=1.0).contains(&p));
            assert!(
                row.p_value_adjusted.unwrap() >= p,
                "a correction never helps"
            );
        }
        if let Some(interval) = row.intervals.get("rmse") {
            assert!(interval.low <= rmse && rmse <= interval.high);
        }
        if row.beats_baseline {
            assert!(rmse < baseline && row.p_value_adjusted.unwrap() < 0.05);
        }
    }
    let rows: BTreeSet<u32> = trial.leaderboard.iter().map(|r| r.rows).collect();
    assert_eq!(rows.len(), 1, "every model is judged on the same rows");

    let verdict = trial.verdict.as_ref().unwrap();
    assert_eq!(
        verdict.found_edge,
        trial.leaderboard.iter().any(|r| r.beats_baseline)
    );
    assert_eq!(verdict.tried, 2, "ridge and the forest at one horizon");
    assert_eq!(verdict.tried_ever, 2);
    assert!(
        verdict.text.len() > 40 && verdict.text.contains(char::is_whitespace),
        "words, not a flag: {}",
        verdict.text
    );

    assert_eq!(trial.lineage.datasets.len(), 1);
    let source = &trial.lineage.datasets[0];
    assert_eq!(source.source, "bundled");
    let listed = server.json("/api/v1/datasets").await;
    let aapl = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|d| d["id"] == source.id.as_str())
        .unwrap();
    assert_eq!(aapl["sha256"], source.sha256.as_str());
    assert!(!trial.lineage.steps.is_empty());

    let hash = trial.result_sha256.as_ref().unwrap();
    assert!(hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()));
}

#[tokio::test]
async fn symbols_alone_make_a_sensible_trial() {
    let server = Server::fresh().await;
    let response = server
        .post(
            "/api/v1/trials",
            &json!({"symbols": ["IBM"], "start": "2011-01-01", "end": "2012-12-31"}),
        )
        .await;
    assert_eq!(response.status(), StatusCode::CREATED);
    let location = response.headers().get("location").cloned();
    let made: Value = response.json().await.unwrap();
    let id = made["id"].as_str().unwrap();
    if let Some(location) = location {
        assert_eq!(location.to_str().unwrap(), format!("/api/v1/trials/{id}"));
    }
    let trial = server.finished(id).await;
    assert_eq!(trial.state, TrialState::Finished, "{:?}", trial.reason);
    assert!(trial.leaderboard.iter().any(|r| !r.is_baseline));
    // The target is a return, so each forecast is also traded, after costs.
    assert!(trial.spec.costs.bps > 0.0);
    for row in trial.leaderboard.iter().filter(|r| !r.is_baseline) {
        assert!(row.trading.contains_key("annual_return"), "{}", row.model);
        assert!(row.trading.contains_key("max_drawdown"), "{}", row.model);
    }

    let listed = server.json("/api/v1/trials").await;
    assert_eq!(listed["items"][0]["id"], id);
    assert_eq!(listed["items"][0]["state"], "finished");
}

/// The specification that HTTP got, as arguments of `trial run`.
const SAME_ON_THE_COMMAND_LINE: [&str; 20] = [
    "trial",
    "run",
    "--symbols",
    "AAPL",
    "--start",
    "2010-01-01",
    "--end",
    "2012-12-31",
    "--models",
    "ridge,random_forest_50",
    "--target",
    "log_volatility",
    "--horizon",
    "5",
    "--folds",
    "3",
    "--seed",
    "1",
    "--format",
    "json",
];

fn same_over_http() -> Value {
    let mut body = small_trial();
    body["models"] = json!(["ridge", "random_forest_50"]);
    body["validation"] = json!({"kind": "walk_forward", "folds": 3});
    body
}

#[tokio::test]
async fn the_result_is_the_same_on_one_and_two_threads_and_from_the_command_line() {
    let mut hashes = BTreeSet::new();
    for threads in [1, 2] {
        let server = Launch::fresh().threads(threads).start().await;
        let id = server.create_trial(&same_over_http()).await;
        let trial = server.finished(&id).await;
        assert_eq!(trial.state, TrialState::Finished, "{:?}", trial.reason);
        hashes.insert(trial.result_sha256.unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let answer = cli(folder.path(), &SAME_ON_THE_COMMAND_LINE);
    let trial: TrialView = serde_json::from_value(answer.json()).unwrap();
    assert_eq!(trial.state, TrialState::Finished);
    hashes.insert(trial.result_sha256.unwrap());
    assert_eq!(hashes.len(), 1, "one specification, one result: {hashes:?}");
}

#[tokio::test]
async fn another_seed_or_span_gives_another_hash() {
    let server = Server::fresh().await;
    let mut hashes = BTreeSet::new();
    for (field, value) in [
        ("seed", json!(1)),
        ("seed", json!(2)),
        ("end", json!("2012-11-30")),
    ] {
        let mut body = small_trial();
        body[field] = value;
        let id = server.create_trial(&body).await;
        hashes.insert(server.finished(&id).await.result_sha256.unwrap());
    }
    assert_eq!(hashes.len(), 3);
}

#[tokio::test]
async fn everything_ever_tried_is_counted_once() {
    let server = Server::fresh().await;
    let mut first = small_trial();
    first["models"] = json!(["ridge", "lasso"]);
    let mut tried = Vec::new();
    let mut second = first.clone();
    second["models"] = json!(["elastic_net"]);
    // The same again: nothing new was tried; then one model more.
    for body in [&first, &first, &second] {
        let id = server.create_trial(body).await;
        let verdict = server.finished(&id).await.verdict.unwrap();
        tried.push((verdict.tried, verdict.tried_ever));
    }
    assert_eq!(tried, [(2, 2), (2, 2), (1, 3)]);
}

#[tokio::test]
async fn an_idempotency_key_makes_one_trial() {
    let server = Server::fresh().await;
    let send = |body: Value| {
        server
            .request(Method::POST, "/api/v1/trials")
            .header("Idempotency-Key", "a key of the client's")
            .json(&body)
            .send()
    };
    // At the same time, as a client with a bad line would.
    let (one, two) = tokio::join!(send(small_trial()), send(small_trial()));
    let mut ids = BTreeSet::new();
    for response in [
        one.unwrap(),
        two.unwrap(),
        send(small_trial()).await.unwrap(),
    ] {
        assert!(response.status().is_success(), "{}", response.status());
        let made: Value = response.json().await.unwrap();
        ids.insert(made["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids.len(), 1, "one key, one trial: {ids:?}");
    let listed = server.json("/api/v1/trials").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);

    let mut other = small_trial();
    other["seed"] = json!(2);
    let refused = send(other).await.unwrap();
    assert_eq!(refused.status(), StatusCode::CONFLICT);
    assert_eq!(content_type(&refused), "application/problem+json");
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["status"], 409);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .to_lowercase()
            .contains("idempotency-key"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_trial_can_be_paused_resumed_and_cancelled() {
    let server = Launch::fresh().threads(1).start().await;
    let id = server.create_trial(&crate::long_trial()).await;
    let path = |action: &str| format!("/api/v1/trials/{id}/{action}");

    let mut events = server.events(&id, 0).await;
    events.until(|e| e.name == "step").await;
    let paused = server.post(&path("pause"), &json!({})).await;
    assert_eq!(
        paused.status(),
        StatusCode::OK,
        "{}",
        paused.text().await.unwrap()
    );
    events.until(|e| e.is_state("paused")).await;
    assert_eq!(server.trial(&id).await.state, TrialState::Paused);
    // A second press of the same button is a conflict with a sentence, or nothing new.
    let again = server.post(&path("pause"), &json!({})).await;
    assert!(
        matches!(again.status(), StatusCode::CONFLICT | StatusCode::OK),
        "{}",
        again.status()
    );

    let resumed = server.post(&path("resume"), &json!({})).await;
    assert_eq!(resumed.status(), StatusCode::OK);
    events.until(|e| e.name == "step").await;

    let cancelled = server.post(&path("cancel"), &json!({})).await;
    assert_eq!(cancelled.status(), StatusCode::OK);
    let last = events.rest().await.pop().unwrap();
    assert!(
        last.is_state("cancelled"),
        "the stream closes with it: {last:?}"
    );
    let trial = server.trial(&id).await;
    assert_eq!(trial.state, TrialState::Cancelled);
    assert!(trial.progress.done < trial.progress.total);
    assert!(trial.result_sha256.is_none(), "half a trial has no result");

    for action in ["pause", "resume"] {
        let late = server.post(&path(action), &json!({})).await;
        assert_eq!(late.status(), StatusCode::CONFLICT, "{action}");
    }
    let unknown = server
        .post("/api/v1/trials/t-none/cancel", &json!({}))
        .await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);

    // Each decision of a person is in the audit chain.
    let audit = server
        .json(&format!("/api/compliance/audit?subject={id}"))
        .await;
    let actions: Vec<&str> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["action"].as_str().unwrap())
        .collect();
    for action in [
        "trial.create",
        "trial.pause",
        "trial.resume",
        "trial.cancel",
    ] {
        assert!(actions.contains(&action), "{action} in {actions:?}");
    }
}

#[tokio::test]
async fn a_pause_changes_nothing_of_the_result() {
    let server = Server::fresh().await;
    let undisturbed = server.create_trial(&small_trial()).await;
    let undisturbed = server.finished(&undisturbed).await;
    let id = server.create_trial(&small_trial()).await;
    let mut events = server.events(&id, 0).await;
    events.until(|e| e.name == "step").await;
    let paused = server
        .post(&format!("/api/v1/trials/{id}/pause"), &json!({}))
        .await;
    // Where the trial was quicker than the button, there is nothing to resume.
    if paused.status() == StatusCode::OK {
        events.until(|e| e.is_state("paused")).await;
        let resumed = server
            .post(&format!("/api/v1/trials/{id}/resume"), &json!({}))
            .await;
        assert_eq!(resumed.status(), StatusCode::OK);
    }
    let trial = server.finished(&id).await;
    assert_eq!(trial.result_sha256, undisturbed.result_sha256);
}

#[tokio::test]
async fn lists_of_trials_are_paged_by_cursor() {
    let server = Server::fresh().await;
    let mut made = Vec::new();
    let mut body = small_trial();
    body["models"] = json!(["ridge"]);
    for seed in 0..27 {
        body["seed"] = json!(seed);
        made.push(server.create_trial(&body).await);
    }
    let first = server.json("/api/v1/trials").await;
    assert!(first["next"].is_string(), "more than a page: {first}");
    made.reverse();
    assert_eq!(server.all_trials().await, made, "newest first, each once");
}

/// With this penalty the lasso keeps no feature and forecasts the mean of the training rows, as the baseline
/// does: rounding alone tells the two apart, and rounding is no edge.
#[tokio::test]
async fn the_baselines_own_forecast_is_no_edge_over_it() {
    let server = Server::fresh().await;
    let id = server
        .create_trial(&json!({
            "symbols": ["AAPL"],
            "target": "return",
            "horizons": [7, 10],
            "models": [{"model": "lasso", "params": {"alpha": 1.0}}],
        }))
        .await;
    server.events(&id, 0).await.rest().await;
    let trial = server.json(&format!("/api/v1/trials/{id}")).await;
    let rows = trial["leaderboard"].as_array().unwrap();
    let lasso: Vec<&Value> = rows.iter().filter(|r| r["model"] == "lasso").collect();
    assert_eq!(lasso.len(), 2);
    for row in lasso {
        let (ours, theirs) = (&row["metrics"]["rmse"], &row["baseline"]["rmse"]);
        let (ours, theirs) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
        assert!((ours / theirs - 1.0).abs() < 1e-12, "{row}");
        assert_eq!(row["p_value"], Value::Null, "{row}");
        assert_eq!(row["beats_baseline"], false, "{row}");
    }
    assert_eq!(
        trial["verdict"]["found_edge"], false,
        "{}",
        trial["verdict"]
    );
}
