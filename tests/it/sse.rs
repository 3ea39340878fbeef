//! Event streams: numbered without holes, resumable, closed at the end, for many at once.

use crate::{long_trial, small_trial};
use mltrainer_it::server::{content_type, typed};
use mltrainer_it::{Event, Events, Launch, Server};
use mltrainer_types::event::EventBody;
use reqwest::{Method, StatusCode};

fn numbers(events: &[Event]) -> Vec<i64> {
    events.iter().map(|e| e.id).collect()
}

#[tokio::test]
async fn a_stream_tells_everything_in_order_and_closes() {
    let server = Server::fresh().await;
    let id = server.create_trial(&small_trial()).await;
    let events = server.events(&id, 0).await.rest().await;
    let trial = server.trial(&id).await;
    assert_eq!(numbers(&events), (1..=trial.last_event).collect::<Vec<_>>());

    let last = events.last().unwrap();
    assert!(last.is_state("finished"), "{last:?}");
    assert_eq!(events.iter().filter(|e| e.is_final()).count(), 1);
    let states: Vec<&str> = events
        .iter()
        .filter(|e| e.name == "state")
        .map(|e| e.data["state"].as_str().unwrap())
        .collect();
    assert_eq!(states[0], "queued");
    let order = [
        "queued",
        "checking",
        "fetching",
        "engineering",
        "training",
        "evaluating",
        "finished",
    ];
    assert_eq!(
        states, order,
        "each state once, in the order of the contract"
    );

    let mut done = 0;
    let mut boards = 0;
    for event in &events {
        match typed(event) {
            EventBody::Step(step) => {
                assert_eq!(step.progress.done, done + 1, "one step at a time");
                done = step.progress.done;
                assert!(step.fold >= 1 && step.fold <= step.folds);
            }
            EventBody::Leaderboard(board) => {
                boards += 1;
                assert!(!board.rows.is_empty());
            }
            EventBody::State(_) | EventBody::Message(_) => {}
        }
    }
    assert_eq!(done, trial.progress.total);
    assert!(boards > 0, "the leaderboard changes while it runs");
    assert!(
        events.iter().any(|e| e.name == "message"),
        "the agents speak"
    );

    // A finished trial's stream is the same again, and closes by itself.
    assert_eq!(server.events(&id, 0).await.rest().await, events);
}

#[tokio::test]
async fn a_cut_line_resumes_without_loss_or_repeats() {
    let server = Server::fresh().await;
    let id = server.create_trial(&small_trial()).await;
    let mut all = Vec::new();
    let mut turn = 0;
    // Reads three events a connection and hangs up, by either way of saying where it was.
    loop {
        let after = all.last().map_or(0, |e: &Event| e.id);
        turn += 1;
        let request = if turn % 2 == 0 {
            server.request(
                Method::GET,
                &format!("/api/v1/trials/{id}/events?after={after}"),
            )
        } else {
            server
                .request(Method::GET, &format!("/api/v1/trials/{id}/events"))
                .header("Last-Event-ID", after.to_string())
        };
        let mut stream = Events::new(request.send().await.unwrap());
        let mut ended = false;
        for _ in 0..3 {
            match stream.next().await {
                Some(event) => all.push(event),
                None => {
                    ended = true;
                    break;
                }
            }
        }
        if ended || all.last().is_some_and(Event::is_final) {
            break;
        }
    }
    let trial = server.trial(&id).await;
    assert_eq!(numbers(&all), (1..=trial.last_event).collect::<Vec<_>>());
    assert!(all.last().unwrap().is_final());

    // A browser sends both: the newer number counts, so nothing comes twice.
    let both = server
        .request(Method::GET, &format!("/api/v1/trials/{id}/events?after=1"))
        .header("Last-Event-ID", "4")
        .send()
        .await
        .unwrap();
    assert_eq!(Events::new(both).next().await.unwrap().id, 5);

    // Behind the end there is nothing; the stream closes at once.
    assert!(
        server
            .events(&id, trial.last_event)
            .await
            .rest()
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn many_listeners_hear_the_same() {
    let server = Launch::fresh().start().await;
    let id = server.create_trial(&long_trial()).await;
    let streams = futures::future::join_all((0..32).map(|_| server.events(&id, 0))).await;
    let heard = futures::future::join_all(streams.into_iter().map(Events::rest)).await;
    let last = server.trial(&id).await.last_event;
    for events in &heard {
        assert_eq!(numbers(events), (1..=last).collect::<Vec<_>>());
        assert_eq!(events, &heard[0]);
    }
}

#[tokio::test]
async fn a_stream_says_what_it_is() {
    let server = Server::fresh().await;
    let id = server.create_trial(&small_trial()).await;
    let response = server.get(&format!("/api/v1/trials/{id}/events")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(content_type(&response), "text/event-stream");
    let cache = response.headers()["cache-control"].to_str().unwrap();
    assert!(
        cache.contains("no-cache") || cache.contains("no-store"),
        "{cache}"
    );
    assert!(
        response.headers().get("content-encoding").is_none(),
        "a compressed stream would be held back"
    );

    let unknown = server.get("/api/v1/trials/t-none/events").await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    assert_eq!(content_type(&unknown), "application/problem+json");
    for bad in ["after=x", "after=-1", "after=99999999999999999999"] {
        let answer = server
            .get(&format!("/api/v1/trials/{id}/events?{bad}"))
            .await;
        assert!(
            answer.status().is_client_error(),
            "{bad}: {}",
            answer.status()
        );
        assert_eq!(content_type(&answer), "application/problem+json", "{bad}");
    }
}
