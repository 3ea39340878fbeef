//! An optimisation while it goes on: the page as the server rendered it, moved on by numbered events.

use crate::live::{Applied, seconds_between};
use mltrainer_types::optimisation::{OptimisationEventBody, OptimisationWindow, SearchStep};
use mltrainer_types::trial::{Progress, TrialState};
use serde::{Deserialize, Serialize};

/// An optimisation's page in motion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveSearch {
    /// Id.
    pub id: String,
    /// Where it stands.
    pub state: TrialState,
    /// Why it failed.
    pub reason: Option<String>,
    /// Points told and to come.
    pub progress: Progress,
    /// The objective in words.
    pub objective: String,
    /// When it was made, RFC 3339 in UTC.
    pub created_at: String,
    /// When its state last changed.
    pub updated_at: String,
    /// Number of the last event.
    pub last_event: i64,
    /// Windows in all.
    pub folds: u32,
    /// Windows that are done, in order.
    pub windows: Vec<OptimisationWindow>,
    /// How far the search of the next one is.
    pub step: Option<SearchStep>,
}

/// An event as the stream brings it: name and content, with the time among the content.
#[must_use]
pub fn parse(name: &str, json: &str) -> Option<(String, OptimisationEventBody)> {
    #[derive(Deserialize)]
    struct At {
        #[serde(default)]
        at: String,
    }
    let body = match name {
        "state" => OptimisationEventBody::State(serde_json::from_str(json).ok()?),
        "step" => OptimisationEventBody::Step(serde_json::from_str(json).ok()?),
        "window" => OptimisationEventBody::Window(serde_json::from_str(json).ok()?),
        _ => return None,
    };
    Some((serde_json::from_str::<At>(json).ok()?.at, body))
}

impl LiveSearch {
    /// Moves the page on by one event. Numbers decide: a repeated event changes nothing, and one
    /// that comes too early is not taken.
    pub fn apply(&mut self, seq: i64, at: &str, body: OptimisationEventBody) -> Applied {
        if seq <= self.last_event {
            return Applied::Known;
        }
        if seq > self.last_event + 1 {
            return Applied::Hole;
        }
        self.last_event = seq;
        match body {
            OptimisationEventBody::State(state) => {
                self.state = state.state;
                self.reason = state.reason;
                self.progress = state.progress;
                at.clone_into(&mut self.updated_at);
            }
            OptimisationEventBody::Step(step) => {
                self.progress = step.progress;
                self.step = Some(step);
            }
            OptimisationEventBody::Window(event) => {
                self.progress = event.progress;
                self.windows
                    .truncate(event.number.saturating_sub(1) as usize);
                self.windows.push(event.window);
                self.step = None;
            }
        }
        Applied::Next
    }

    /// "120 of 500 back tests, window 2 of 5".
    #[must_use]
    pub fn steps_words(&self) -> String {
        let p = self.progress;
        let points = format!(
            "{} of {} back tests",
            crate::format::count(p.done.into()),
            crate::format::count(p.total.into())
        );
        if self.state.is_final() {
            return points;
        }
        let window = (self.windows.len() as u32 + 1).min(self.folds);
        format!("{points}, window {window} of {}", self.folds)
    }

    /// Time left while it goes on, time taken afterwards.
    #[must_use]
    pub fn left_words(&self) -> String {
        if self.state.is_final() {
            return seconds_between(&self.created_at, &self.updated_at)
                .map(|s| format!("took {}", crate::format::duration(s)))
                .unwrap_or_default();
        }
        match self.state {
            TrialState::Paused => "resume it to go on".to_owned(),
            TrialState::Queued => "waits for its turn".to_owned(),
            TrialState::Evaluating => "what came out is being judged".to_owned(),
            _ => crate::format::time_left(self.progress.eta_seconds),
        }
    }

    /// The best of the search that goes on, in words.
    #[must_use]
    pub fn best_words(&self) -> Option<String> {
        let step = self.step.as_ref().filter(|_| !self.state.is_final())?;
        let Some((best, params)) = step.best.zip(step.params.as_ref()) else {
            return Some(format!(
                "Window {}: nothing has traded enough so far",
                step.window
            ));
        };
        Some(format!(
            "Window {}, best so far: {} with {} in training",
            step.window,
            crate::format::values_line(params),
            crate::format::decimal(best, 2)
        ))
    }
}

/// The page as the server knows it.
#[cfg(feature = "ssr")]
#[must_use]
pub fn of_view(view: &mltrainer_types::optimisation::OptimisationView) -> LiveSearch {
    let stamp = |at: &chrono::DateTime<chrono::Utc>| {
        at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    };
    LiveSearch {
        id: view.id.to_string(),
        state: view.state,
        reason: view.reason.clone(),
        progress: view.progress,
        objective: crate::words::title(view.spec.request.objective.as_str()),
        created_at: stamp(&view.created_at),
        updated_at: stamp(&view.updated_at),
        last_event: view.last_event,
        folds: view.folds,
        windows: view.windows.clone(),
        step: None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) fn live() -> LiveSearch {
        LiveSearch {
            id: "o-1".into(),
            state: TrialState::Training,
            reason: None,
            progress: Progress {
                done: 0,
                total: 200,
                eta_seconds: None,
            },
            objective: "Sharpe ratio".into(),
            created_at: "2026-01-02T03:04:05.000Z".into(),
            updated_at: "2026-01-02T03:04:05.000Z".into(),
            last_event: 2,
            folds: 2,
            windows: vec![],
            step: None,
        }
    }

    #[test]
    fn events_move_the_page_on_in_order() {
        let mut l = live();
        let step = json!({
            "at": "2026-01-02T03:04:06Z", "window": 1, "windows": 2, "told": 40, "evaluations": 100,
            "best": 1.234, "params": {"fast": 5}, "progress": {"done": 40, "total": 200, "eta_seconds": 8.0}
        });
        let (at, body) = parse("step", &step.to_string()).unwrap();
        assert_eq!(l.apply(4, &at, body.clone()), Applied::Hole);
        assert_eq!(l.apply(3, &at, body.clone()), Applied::Next);
        assert_eq!(l.apply(3, &at, body), Applied::Known);
        assert_eq!(l.steps_words(), "40 of 200 back tests, window 1 of 2");
        let best = l.best_words().unwrap();
        assert!(best.contains("fast") && best.contains("1.23"), "{best}");
        let window = json!({
            "at": "2026-01-02T03:04:07Z", "number": 1, "windows": 2,
            "window": {
                "train_first": "2010-01-04", "train_last": "2010-02-01",
                "test_first": "2010-02-02", "test_last": "2010-02-03",
                "params": {"fast": 5}, "in_sample": 1.234, "out_of_sample": null,
                "in_sample_return": null, "out_of_sample_return": null,
                "trades": 1, "evaluations": 100, "tried": 90
            },
            "progress": {"done": 100, "total": 200, "eta_seconds": 8.0}
        });
        let (at, body) = parse("window", &window.to_string()).unwrap();
        assert_eq!(l.apply(4, &at, body), Applied::Next);
        assert_eq!((l.windows.len(), l.best_words()), (1, None));
        assert_eq!(l.steps_words(), "100 of 200 back tests, window 2 of 2");
        let state = json!({
            "at": "2026-01-02T03:05:05.000Z", "state": "finished", "reason": null,
            "progress": {"done": 200, "total": 200, "eta_seconds": null}
        });
        let (at, body) = parse("state", &state.to_string()).unwrap();
        assert_eq!(l.apply(5, &at, body), Applied::Next);
        assert_eq!(l.steps_words(), "200 of 200 back tests");
        assert!(l.left_words().starts_with("took"), "{}", l.left_words());
        assert!(parse("leaderboard", "{}").is_none());
    }
}
