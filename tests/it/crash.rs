//! `kill -9` at several moments: the next process takes the trial over, repeats nothing, loses
//! nothing, and comes to the same result.

use crate::{long_trial, small_trial};
use mltrainer_it::{Event, Launch, Server, cli};
use mltrainer_types::trial::{TrialState, TrialView};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

async fn undisturbed(body: &Value) -> TrialView {
    let server = Server::fresh().await;
    let id = server.create_trial(body).await;
    server.finished(&id).await
}

/// Every event once, in order, and every step of the plan once.
fn whole(events: &[Event], trial: &TrialView) {
    let numbers: Vec<i64> = events.iter().map(|e| e.id).collect();
    let wanted: Vec<i64> = (1..=trial.last_event).collect();
    assert_eq!(numbers, wanted, "events without holes or repeats");
    let steps: Vec<u64> = events
        .iter()
        .filter(|e| e.name == "step")
        .map(|e| e.data["index"].as_u64().unwrap())
        .collect();
    let once: BTreeSet<u64> = steps.iter().copied().collect();
    assert_eq!(once.len(), steps.len(), "no step was done twice: {steps:?}");
    assert_eq!(steps.len(), trial.progress.total as usize);
}

fn chain_holds(data_dir: &Path) {
    let verified = cli(data_dir, &["audit", "verify"]);
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
}

/// Kills the server as soon as `moment` holds for an event of the trial; the next one ends it.
async fn killed_at(name: &str, moment: impl Fn(&Event) -> bool, want: &TrialView) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::on(folder.path()).start().await;
    let id = server.create_trial(&long_trial()).await;
    let mut stream = server.events(&id, 0).await;
    let seen = stream.until(moment).await;
    server.kill();

    let server = Launch::on(folder.path()).start().await;
    let events = server.events(&id, 0).await.rest().await;
    let trial = server.trial(&id).await;
    assert_eq!(
        trial.state,
        TrialState::Finished,
        "{name}: {:?}",
        trial.reason
    );
    whole(&events, &trial);
    assert_eq!(
        events[..seen.len()],
        seen[..],
        "{name}: what a listener saw before the crash is what is stored"
    );
    assert_eq!(trial.result_sha256, want.result_sha256, "{name}");
    assert_eq!(trial.leaderboard, want.leaderboard, "{name}");
    server.kill();
    chain_holds(folder.path());
    events.len() > seen.len()
}

#[tokio::test]
async fn a_trial_survives_kill_9_at_any_moment() {
    let want = undisturbed(&long_trial()).await;
    let nth_step = |n: usize| {
        let count = std::cell::Cell::new(0);
        move |e: &Event| {
            count.set(count.get() + usize::from(e.name == "step"));
            count.get() == n
        }
    };
    assert!(
        killed_at("queued", |e| e.id == 1, &want).await,
        "it went on"
    );
    assert!(killed_at("training", |e| e.is_state("training"), &want).await);
    for n in [1, 4, 7] {
        assert!(killed_at(&format!("step {n}"), nth_step(n), &want).await);
    }
    let last = want.progress.total as usize;
    killed_at("the last step", nth_step(last), &want).await;
    killed_at("finished", Event::is_final, &want).await;
}

#[tokio::test]
async fn a_trial_survives_one_crash_after_the_other_and_another_number_of_threads() {
    let want = undisturbed(&long_trial()).await;
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::on(folder.path()).threads(1).start().await;
    let id = server.create_trial(&long_trial()).await;
    let mut seen = server
        .events(&id, 0)
        .await
        .until(|e| e.name == "step")
        .await;
    server.kill();
    for threads in [2, 1] {
        let server = Launch::on(folder.path()).threads(threads).start().await;
        let after = seen.last().unwrap().id;
        let mut stream = server.events(&id, after).await;
        seen.extend(stream.until(|e| e.name == "step").await);
        server.kill();
    }
    let server = Launch::on(folder.path()).start().await;
    let after = seen.last().unwrap().id;
    seen.extend(server.events(&id, after).await.rest().await);
    let trial = server.trial(&id).await;
    assert_eq!(trial.state, TrialState::Finished, "{:?}", trial.reason);
    whole(&seen, &trial);
    assert_eq!(trial.result_sha256, want.result_sha256);
    server.kill();
    chain_holds(folder.path());
}

#[tokio::test]
async fn a_graceful_stop_keeps_the_trial_for_the_next_start() {
    let want = undisturbed(&long_trial()).await;
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::on(folder.path()).start().await;
    let id = server.create_trial(&long_trial()).await;
    let mut stream = server.events(&id, 0).await;
    stream.until(|e| e.name == "step").await;
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "SIGTERM ends it in order:\n{log}");

    let server = Launch::on(folder.path()).start().await;
    let events = server.events(&id, 0).await.rest().await;
    let trial = server.trial(&id).await;
    assert_eq!(trial.state, TrialState::Finished, "{:?}", trial.reason);
    whole(&events, &trial);
    assert_eq!(trial.result_sha256, want.result_sha256);
}

#[tokio::test]
async fn a_paused_trial_stays_paused_over_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::on(folder.path()).threads(1).start().await;
    let id = server.create_trial(&long_trial()).await;
    let mut stream = server.events(&id, 0).await;
    stream.until(|e| e.name == "step").await;
    let paused = server
        .post(&format!("/api/v1/trials/{id}/pause"), &Value::Null)
        .await;
    assert!(paused.status().is_success());
    stream.until(|e| e.is_state("paused")).await;
    server.kill();

    let server = Launch::on(folder.path()).start().await;
    assert_eq!(server.trial(&id).await.state, TrialState::Paused);
    let resumed = server
        .post(&format!("/api/v1/trials/{id}/resume"), &Value::Null)
        .await;
    assert!(resumed.status().is_success());
    let trial = server.finished(&id).await;
    assert_eq!(trial.state, TrialState::Finished);
}

#[tokio::test]
async fn two_processes_on_one_folder_leave_each_others_trials_alone() {
    let folder = tempfile::tempdir().unwrap();
    let first = Launch::on(folder.path()).threads(1).start().await;
    let id = first.create_trial(&long_trial()).await;
    let mut stream = first.events(&id, 0).await;
    stream.until(|e| e.name == "step").await;
    let second = Launch::on(folder.path()).start().await;
    let mut other = small_trial();
    other["models"] = serde_json::json!(["ridge"]);
    let quick = second.create_trial(&other).await;
    assert_eq!(second.finished(&quick).await.state, TrialState::Finished);
    let events = first.events(&id, 0).await.rest().await;
    let trial = first.trial(&id).await;
    assert_eq!(trial.state, TrialState::Finished, "{:?}", trial.reason);
    whole(&events, &trial);
    drop((first, second));
    chain_holds(folder.path());
}
