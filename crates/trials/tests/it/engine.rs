//! The engine on bundled data: events, threads, kills, pause, cancel, failures.

use crate::support::*;
use mltrainer_trials::TrialError;
use mltrainer_types::event::EventBody;
use mltrainer_types::trial::{TrialRequest, TrialState};

fn hash(stored: &Stored) -> String {
    assert_eq!(
        stored.record.state,
        TrialState::Finished,
        "{:?}",
        stored.record.reason
    );
    stored.record.result_sha256.clone().unwrap()
}

fn check_events(stored: &Stored) {
    for (i, e) in stored.events.iter().enumerate() {
        assert_eq!(e.seq, i as i64 + 1);
    }
    assert_eq!(stored.record.last_event, stored.events.len() as i64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trial_goes_through_its_states_and_tells_everything() {
    let lab = Lab::new(2);
    let stored = lab.run(&spec(&small())).await;
    use TrialState::*;
    assert_eq!(
        states(&stored),
        [
            Queued,
            Checking,
            Fetching,
            Engineering,
            Training,
            Evaluating,
            Finished
        ]
    );
    check_events(&stored);
    // Everything that was sent was stored, in the same order, and nothing else but event 1.
    assert_eq!(*lab.sent.0.lock().unwrap(), stored.events[1..]);
    assert!(
        matches!(&stored.events.last().unwrap().body, EventBody::State(s) if s.state == Finished)
    );
    assert_eq!(stored.audit, ["trial.finish"]);

    // 3 models and 3 baselines, 5 folds.
    assert_eq!(stored.steps.len(), 30);
    assert_eq!(stored.record.progress.done, 30);
    assert_eq!(stored.record.progress.eta_seconds, None);
    let steps: Vec<_> = stored
        .events
        .iter()
        .filter_map(|e| match &e.body {
            EventBody::Step(s) => Some(s.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(
        steps.iter().map(|s| s.progress.done).collect::<Vec<_>>(),
        (1..=30).collect::<Vec<_>>()
    );
    assert!(
        steps[..29]
            .iter()
            .all(|s| s.progress.eta_seconds.unwrap() > 0.0)
    );
    assert!(steps.iter().all(|s| s.error.is_none() && s.took_ms > 0.0));
    let provisional = stored
        .events
        .iter()
        .filter(|e| matches!(&e.body, EventBody::Leaderboard(l) if l.provisional))
        .count();
    assert_eq!(provisional, 5);

    let said = messages(&stored).join("\n");
    for part in [
        "DataAgent: IBM: 3,270 bars from 2000-03-01 to 2013-03-01 passed the gate (bundled:IBM, SHA-256 ",
        "1,007 of them in the span asked for.",
        "FeatureAgent: 30 features (price 16, volatility 7, volume 3, technical 4) on 1,007 rows; 0 bars of the span went into warming up.",
        "FeatureAgent: Left out: vix_log, vix_change_1 and vix_change_5, because the VIX reaches from 2014-01-03",
        "ModelAgent: 3 models and 3 baselines over 1 horizon and 5 folds: 30 steps. 5 expanding folds, embargo 0.",
        "fold 1 learns on 2006-01-03 to ",
        "scaled to mean 0 and deviation 1 by the rows of each training window alone",
        "EvaluationAgent: No edge found",
        "EvaluationAgent: Finished ",
    ] {
        assert!(said.contains(part), "\"{part}\" is missing in\n{said}");
    }
    // From the result back to the file.
    let r = &stored.record;
    let names: Vec<&str> = r.lineage.steps.iter().map(|s| s.step.as_str()).collect();
    for step in [
        "source", "gate", "span", "features", "target", "panel", "result",
    ] {
        assert!(names.contains(&step), "{names:?}");
    }
    assert_eq!(r.lineage.steps.last().unwrap().sha256, hash(&stored));
    assert_eq!(r.lineage.datasets, r.spec.datasets);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_result_is_the_same_on_one_and_two_threads() {
    let request = TrialRequest {
        models: ["ridge", "random_forest_50", "wild"].map(id).into(),
        horizons: vec![1, 5],
        ..small()
    };
    let one = Lab::new(1).run(&spec(&request)).await;
    let two = Lab::new(2).run(&spec(&request)).await;
    assert_eq!(hash(&one), hash(&two));
    assert_eq!(one.record.leaderboard, two.record.leaderboard);
    // Another seed is another result.
    let other = TrialRequest {
        seed: Some(2),
        ..request
    };
    assert_ne!(hash(&Lab::new(2).run(&spec(&other)).await), hash(&one));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_moment_changes_nothing() {
    let spec = spec(&TrialRequest {
        models: vec![id("ridge"), id("decision_tree")],
        ..small()
    });
    let whole = Lab::new(2).run(&spec).await;
    let expected = hash(&whole);
    let writes = {
        let lab = Lab::new(1);
        lab.run(&spec).await;
        lab.memory.commits()
    };
    // 25 steps, 4 provisional leaderboards and 6 states.
    assert_eq!(writes, 35);
    for killed_after in [0, 1, 2, 3, 4, 5, 9, 17, 28, 32, 33, 34] {
        let lab = Lab::new(2);
        let id = lab.memory.create(&spec);
        lab.memory.die_after(Some(killed_after));
        assert!(
            lab.engine.run_to_end(&id).await.is_err(),
            "after {killed_after}"
        );
        lab.engine.shutdown().await;
        let before = lab.memory.get(&id);
        assert!(!before.record.state.is_final());

        lab.memory.die_after(None);
        let next = Lab::over(lab.memory.clone(), lab.data.clone(), 1);
        assert_eq!(next.engine.recover().await.unwrap(), 1);
        next.engine.run_to_end(&id).await.unwrap();
        let after = lab.memory.get(&id);
        assert_eq!(hash(&after), expected, "killed after {killed_after} writes");
        assert_eq!(after.record.leaderboard, whole.record.leaderboard);
        check_events(&after);
        // No step twice (the store refuses that), and those of before are untouched.
        assert_eq!(after.steps.len(), 25);
        let bytes = |s: &Stored, n: usize| -> Vec<_> {
            let kept = s.steps[..n].iter();
            kept.map(|s| (s.index, s.took_ms, s.predictions.encode()))
                .collect()
        };
        let kept = before.steps.len();
        assert!(
            bytes(&after, kept) == bytes(&before, kept),
            "killed after {killed_after}"
        );
        assert_eq!(after.events[..before.events.len()], before.events[..]);
        if before.record.progress.total > 0 {
            let resumed = format!(
                "Resumed: {} of 25 steps were done already",
                before.steps.len()
            );
            assert!(
                messages(&after).iter().any(|m| m.contains(&resumed)),
                "{killed_after}"
            );
        }
        let mut said = messages(&after);
        said.retain(|m| m.starts_with("FeatureAgent") || m.contains("expanding folds"));
        let distinct: std::collections::BTreeSet<&String> = said.iter().collect();
        assert_eq!(
            distinct.len(),
            said.len(),
            "nothing is said twice: {said:#?}"
        );
    }
}

/// Waits until so many steps are stored.
async fn after_steps(lab: &Lab, id: &mltrainer_types::TrialId, n: usize) {
    while lab.memory.get(id).steps.len() < n {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pause_stops_and_resume_goes_on() {
    let spec = spec(&small());
    let expected = hash(&Lab::new(2).run(&spec).await);
    let lab = Lab::new(2);
    let id = lab.memory.create(&spec);
    lab.engine.submit(&id).unwrap();
    after_steps(&lab, &id, 3).await;
    lab.engine.pause(&id).await.unwrap();
    assert_eq!(lab.memory.get(&id).record.state, TrialState::Paused);
    // Running steps are stored, then nothing happens any more.
    assert_eq!(
        lab.engine.run_to_end(&id).await.unwrap().state,
        TrialState::Paused
    );
    let paused = lab.memory.get(&id);
    assert!(paused.steps.len() < 30);
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert_eq!(lab.memory.get(&id).steps.len(), paused.steps.len());
    let twice = lab.engine.pause(&id).await.unwrap_err();
    assert!(twice.to_string().contains("is paused"), "{twice}");
    // A paused trial stays paused over a restart.
    assert_eq!(lab.engine.recover().await.unwrap(), 0);

    lab.engine.resume(&id).await.unwrap();
    lab.engine.run_to_end(&id).await.unwrap();
    let done = lab.memory.get(&id);
    assert_eq!(hash(&done), expected);
    check_events(&done);
    let e = lab.engine.resume(&id).await.unwrap_err();
    assert!(
        e.to_string().contains("only a paused trial can be resumed"),
        "{e}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_ends_a_trial_for_good() {
    let spec = spec(&small());
    let lab = Lab::new(2);
    let running = lab.memory.create(&spec);
    lab.engine.submit(&running).unwrap();
    after_steps(&lab, &running, 2).await;
    lab.engine.cancel(&running).await.unwrap();
    lab.engine.run_to_end(&running).await.unwrap();
    let stored = lab.memory.get(&running);
    assert_eq!(stored.record.state, TrialState::Cancelled);
    assert!(
        matches!(&stored.events.last().unwrap().body, EventBody::State(s) if s.state == TrialState::Cancelled)
    );
    check_events(&stored);
    assert!(stored.steps.len() < 30 && stored.record.result_sha256.is_none());
    let e = lab.engine.cancel(&running).await.unwrap_err();
    assert_eq!(
        e,
        TrialError::Conflict(format!("trial {running} is cancelled already"))
    );

    // Also one that is paused.
    let paused = lab.memory.create(&spec);
    lab.engine.submit(&paused).unwrap();
    lab.engine.pause(&paused).await.unwrap();
    lab.engine.cancel(&paused).await.unwrap();
    assert_eq!(lab.memory.get(&paused).record.state, TrialState::Cancelled);
    let nobody = lab.engine.cancel(&"t-99".into()).await.unwrap_err();
    assert_eq!(nobody, TrialError::Unknown("t-99".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_stores_running_steps_and_the_next_start_goes_on() {
    let spec = spec(&small());
    let expected = hash(&Lab::new(1).run(&spec).await);
    let lab = Lab::new(2);
    let id = lab.memory.create(&spec);
    lab.engine.submit(&id).unwrap();
    after_steps(&lab, &id, 4).await;
    lab.engine.shutdown().await;
    let stored = lab.memory.get(&id);
    assert_eq!(stored.record.state, TrialState::Training);
    assert_eq!(stored.record.progress.done as usize, stored.steps.len());
    assert_eq!(lab.engine.submit(&id).unwrap_err(), TrialError::Closing);
    let next = Lab::over(lab.memory.clone(), lab.data.clone(), 2);
    next.engine.recover().await.unwrap();
    next.engine.run_to_end(&id).await.unwrap();
    assert_eq!(hash(&lab.memory.get(&id)), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_fails_costs_its_own_row_only() {
    let request = TrialRequest {
        models: vec![id("ridge"), id("panics"), id("refuses")],
        ..small()
    };
    let stored = Lab::new(2).run(&spec(&request)).await;
    hash(&stored);
    let row = |m: &str| {
        stored
            .record
            .leaderboard
            .iter()
            .find(|r| r.model == m)
            .unwrap()
    };
    assert_eq!(row("ridge").folds_done, 5);
    let panicked = row("panics");
    assert_eq!(
        (panicked.folds_done, panicked.rows, panicked.metrics["rmse"]),
        (0, 0, None)
    );
    assert_eq!(panicked.errors.len(), 5);
    assert_eq!(
        panicked.errors[0],
        "fold 1: the model panicked: index 7 is out of bounds"
    );
    // It learns on the first window only; what it has is shown, and cannot beat anything.
    let refused = row("refuses");
    assert!(refused.folds_done >= 1 && refused.folds_done < 5);
    assert!(refused.errors[0].ends_with("did not converge; scale the columns"));
    assert!(!refused.beats_baseline && !panicked.beats_baseline);
    let notes = stored.record.verdict.as_ref().unwrap().notes.join("\n");
    assert!(notes.contains("failed (panics and refuses)"), "{notes}");
    assert!(
        messages(&stored)
            .iter()
            .any(|m| m.contains("Panics, horizon 1, fold 2 gave nothing: the model panicked"))
    );

    // Nothing but failures is still an answer.
    let stored = Lab::new(1)
        .run(&spec(&TrialRequest {
            models: vec![id("panics")],
            ..small()
        }))
        .await;
    hash(&stored);
    assert!(
        stored
            .record
            .verdict
            .unwrap()
            .text
            .starts_with("No edge found: none of the 1 model could")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_database_is_waited_for_and_a_broken_one_is_said() {
    let spec = spec(&TrialRequest {
        models: vec![id("ridge")],
        ..small()
    });
    let lab = Lab::new(2);
    lab.memory.busy(3);
    let id = lab.memory.create(&spec);
    lab.engine.run_to_end(&id).await.unwrap();
    hash(&lab.memory.get(&id));

    let id = lab.memory.create(&spec);
    lab.memory.die_after(Some(8));
    let e = lab.engine.run_to_end(&id).await.unwrap_err();
    assert!(
        e.to_string().contains("the store did not take its writes"),
        "{e}"
    );
    lab.memory.die_after(None);
    lab.engine.recover().await.unwrap();
    lab.engine.run_to_end(&id).await.unwrap();
    hash(&lab.memory.get(&id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trials_share_the_threads_and_do_not_mix() {
    let lab = Lab::new(2);
    let first = spec(&small());
    let second = spec(&TrialRequest {
        symbols: vec!["MSFT".into()],
        ..small()
    });
    let ids = [
        lab.memory.create(&first),
        lab.memory.create(&second),
        lab.memory.create(&first),
    ];
    for id in &ids {
        lab.engine.submit(id).unwrap();
        lab.engine.submit(id).unwrap();
    }
    for id in &ids {
        lab.engine.run_to_end(id).await.unwrap();
    }
    let [a, b, c] = ids.map(|id| lab.memory.get(&id));
    assert_eq!(hash(&a), hash(&c));
    assert_ne!(hash(&a), hash(&b));
    // The same twice is one attempt.
    assert_eq!(c.record.verdict.unwrap().tried_ever, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_that_changed_blocks_the_trial_by_the_rule() {
    let lab = Lab::new(1);
    let mut changed = spec(&small());
    changed.datasets[0].sha256 = "0".repeat(64);
    let stored = lab.run(&changed).await;
    assert_eq!(stored.record.state, TrialState::Blocked);
    assert!(
        stored
            .record
            .reason
            .unwrap()
            .starts_with("lineage_on_every_value: data set bundled:IBM has hash ")
    );
    assert_eq!(stored.audit, ["trial.block"]);

    let mut foreign = spec(&small());
    foreign.datasets[0].source = "a_friend".into();
    let stored = lab.run(&foreign).await;
    assert!(
        stored
            .record
            .reason
            .unwrap()
            .starts_with("approved_origins_only: ")
    );

    let mut gone = spec(&small());
    gone.models[0].model = "retired".into();
    let stored = lab.run(&gone).await;
    assert_eq!(stored.record.state, TrialState::Failed);
    assert_eq!(
        stored.record.reason.unwrap(),
        "the catalogue of this version has no model retired; start a new trial without it"
    );
}
