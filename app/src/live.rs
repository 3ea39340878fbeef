//! A trial while it runs: the page as the server rendered it, moved on by numbered events.

use mltrainer_types::event::{EventBody, Level};
use mltrainer_types::trial::{LeaderboardRow, Metrics, Progress, Target, TrialState};
use serde::{Deserialize, Serialize};

/// Lines of the log that a page keeps.
pub const LOG_LINES: usize = 200;

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Number of the event.
    pub seq: i64,
    /// When it was stored, RFC 3339 in UTC.
    pub at: String,
    /// Who says it.
    pub agent: String,
    /// Whether it is something to know when reading the result.
    pub warning: bool,
    /// What is said.
    pub text: String,
}

/// What came of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It moved the page on.
    Next,
    /// It was known already.
    Known,
    /// Events before it are missing: the stream must be read again after `last_event`.
    Hole,
}

/// A trial's page in motion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// Id.
    pub id: String,
    /// Where it stands.
    pub state: TrialState,
    /// Why it was blocked or failed.
    pub reason: Option<String>,
    /// Steps done and to do.
    pub progress: Progress,
    /// What is forecast.
    pub target: Target,
    /// Costs of trading a side, in basis points.
    pub bps: f64,
    /// When it was made, RFC 3339 in UTC.
    pub created_at: String,
    /// When its state last changed.
    pub updated_at: String,
    /// Number of the last event.
    pub last_event: i64,
    /// Best first.
    pub leaderboard: Vec<LeaderboardRow>,
    /// Whether the leaderboard still lacks folds.
    pub provisional: bool,
    /// The log, oldest first.
    pub log: Vec<LogLine>,
    /// Model and fold of the step that ended last, in words.
    pub last_step: Option<String>,
}

/// The line an event leaves in the log, if it leaves one: every message, and steps that failed.
#[must_use]
pub fn log_line(seq: i64, at: &str, body: &EventBody) -> Option<LogLine> {
    let (agent, warning, text) = match body {
        EventBody::Message(m) => (m.agent.clone(), m.level == Level::Warning, m.text.clone()),
        EventBody::Step(step) => (
            "ModelAgent".to_owned(),
            true,
            format!(
                "{} failed on fold {} of {}, {}: {}",
                step.model,
                step.fold,
                step.folds,
                crate::words::horizon(step.horizon),
                step.error.as_ref()?
            ),
        ),
        EventBody::State(_) | EventBody::Leaderboard(_) => return None,
    };
    Some(LogLine {
        seq,
        at: at.to_owned(),
        agent,
        warning,
        text,
    })
}

/// An event as the stream brings it: name and content, with the time among the content.
#[must_use]
pub fn parse(name: &str, json: &str) -> Option<(String, EventBody)> {
    #[derive(Deserialize)]
    struct At {
        #[serde(default)]
        at: String,
    }
    let body = match name {
        "state" => EventBody::State(serde_json::from_str(json).ok()?),
        "step" => EventBody::Step(serde_json::from_str(json).ok()?),
        "leaderboard" => EventBody::Leaderboard(serde_json::from_str(json).ok()?),
        "message" => EventBody::Message(serde_json::from_str(json).ok()?),
        _ => return None,
    };
    Some((serde_json::from_str::<At>(json).ok()?.at, body))
}

impl Live {
    /// A trial of which nothing is known yet: its stream tells from the beginning.
    #[must_use]
    pub fn begun(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            state: TrialState::Queued,
            reason: None,
            progress: Progress::default(),
            target: Target::Return,
            bps: 0.0,
            created_at: String::new(),
            updated_at: String::new(),
            last_event: 0,
            leaderboard: Vec::new(),
            provisional: true,
            log: Vec::new(),
            last_step: None,
        }
    }

    /// Moves the page on by one event. Numbers decide: a repeated event changes nothing, and one
    /// that comes too early is not taken.
    pub fn apply(&mut self, seq: i64, at: &str, body: EventBody) -> Applied {
        if seq <= self.last_event {
            return Applied::Known;
        }
        if seq > self.last_event + 1 {
            return Applied::Hole;
        }
        self.last_event = seq;
        if let Some(line) = log_line(seq, at, &body) {
            self.log.push(line);
            let extra = self.log.len().saturating_sub(LOG_LINES);
            self.log.drain(..extra);
        }
        match body {
            EventBody::State(state) => {
                self.state = state.state;
                self.reason = state.reason;
                self.progress = state.progress;
                at.clone_into(&mut self.updated_at);
            }
            EventBody::Step(step) => {
                self.progress = step.progress;
                self.last_step = Some(format!(
                    "{}, fold {} of {}, {}",
                    step.model,
                    step.fold,
                    step.folds,
                    crate::words::horizon(step.horizon)
                ));
            }
            EventBody::Leaderboard(board) => {
                self.leaderboard = board.rows;
                self.provisional = board.provisional;
            }
            EventBody::Message(_) => {}
        }
        Applied::Next
    }

    /// "12 of 40 steps", or that there is no plan yet.
    #[must_use]
    pub fn steps_words(&self) -> String {
        let p = self.progress;
        match (p.total, self.state.is_final()) {
            (0, true) => String::new(),
            (0, false) => "no plan yet".to_owned(),
            _ => format!(
                "{} of {} steps",
                crate::format::count(p.done.into()),
                crate::format::count(p.total.into())
            ),
        }
    }

    /// The best row so far beside its baseline, in a sentence.
    #[must_use]
    pub fn best_words(&self) -> Option<String> {
        let row = self
            .leaderboard
            .iter()
            .find(|r| !r.is_baseline && r.rows > 0)?;
        let name = ["rmse", "brier"]
            .into_iter()
            .find(|n| row.metrics.get(*n).is_some_and(Option::is_some))?;
        let value = |m: &Metrics| crate::format::figure(m.get(name).copied().flatten());
        let (begin, end) = match (self.provisional, row.beats_baseline) {
            (true, _) => ("Best so far", ""),
            (false, true) => ("Best", ": it beats the baseline"),
            (false, false) => ("Best", ": it does not beat the baseline"),
        };
        Some(format!(
            "{begin}: {}, {} {} (baseline {}), {}{end}.",
            row.title,
            crate::words::metric(name).0,
            value(&row.metrics),
            value(&row.baseline),
            crate::words::horizon(row.horizon),
        ))
    }

    /// Time left while it runs, time taken afterwards, and the step that ended last.
    #[must_use]
    pub fn left_words(&self) -> String {
        if self.state.is_final() {
            return seconds_between(&self.created_at, &self.updated_at)
                .map(|s| format!("took {}", crate::format::duration(s)))
                .unwrap_or_default();
        }
        let left = crate::format::time_left(self.progress.eta_seconds);
        match (self.state, &self.last_step) {
            (TrialState::Paused, _) => "resume it to go on".to_owned(),
            (_, None) => left,
            (_, Some(step)) => format!("{left} · last: {step}"),
        }
    }
}

/// Seconds from one RFC 3339 time in UTC to another.
#[must_use]
pub fn seconds_between(from: &str, to: &str) -> Option<f64> {
    fn seconds(text: &str) -> Option<f64> {
        let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<f64>().ok();
        let (year, month, day) = (part(0..4)?, part(5..7)?, part(8..10)?);
        // Days since 0000-03-01, so that the leap day is the last of its year.
        let (y, m) = if month > 2.0 {
            (year, month - 3.0)
        } else {
            (year - 1.0, month + 9.0)
        };
        let days = 365.0 * y + (y / 4.0).floor() - (y / 100.0).floor()
            + (y / 400.0).floor()
            + ((153.0 * m + 2.0) / 5.0).floor()
            + day;
        let clock = text.get(17..)?;
        let end = clock.find(['Z', '+']).unwrap_or(clock.len());
        let second: f64 = clock.get(..end)?.parse().ok()?;
        Some(days * 86_400.0 + part(11..13)? * 3600.0 + part(14..16)? * 60.0 + second)
    }
    Some(seconds(to)? - seconds(from)?)
}

/// How a row compares with its baseline: in words, and the class of its colour.
#[must_use]
pub fn comparison(row: &LeaderboardRow, provisional: bool) -> (&'static str, &'static str) {
    if row.is_baseline {
        ("Baseline", "base")
    } else if row.rows == 0 {
        ("No forecast", "bad")
    } else if provisional {
        ("Not decided yet", "wait")
    } else if row.beats_baseline {
        ("Beats baseline", "good")
    } else {
        ("Does not beat it", "none")
    }
}

/// The page as the server knows it.
#[cfg(feature = "ssr")]
#[must_use]
pub fn of_view(
    view: &mltrainer_types::trial::TrialView,
    events: &[mltrainer_types::event::TrialEvent],
) -> Live {
    let stamp = |at: &chrono::DateTime<chrono::Utc>| {
        at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    };
    let mut log: Vec<LogLine> = events
        .iter()
        .rev()
        // What came after the view was read follows through the stream.
        .filter(|e| e.seq <= view.last_event)
        .filter_map(|e| log_line(e.seq, &stamp(&e.at), &e.body))
        .take(LOG_LINES)
        .collect();
    log.reverse();
    Live {
        id: view.id.to_string(),
        state: view.state,
        reason: view.reason.clone(),
        progress: view.progress,
        target: view.spec.target,
        bps: view.spec.costs.bps,
        created_at: stamp(&view.created_at),
        updated_at: stamp(&view.updated_at),
        last_event: view.last_event,
        leaderboard: view.leaderboard.clone(),
        provisional: view.verdict.is_none(),
        log,
        last_step: None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use chrono::DateTime;
    use mltrainer_types::event::{MessageEvent, StepEvent, TrialEvent};
    use mltrainer_types::trial::{Costs, Lineage, Metrics, TrialSpec, TrialView, Validation};
    use std::collections::BTreeMap;

    pub(crate) fn row(model: &str, rmse: f64) -> LeaderboardRow {
        LeaderboardRow {
            model: model.into(),
            title: model.into(),
            params: serde_json::Map::new(),
            horizon: 1,
            is_baseline: false,
            metrics: Metrics::from([("rmse".into(), Some(rmse))]),
            intervals: BTreeMap::new(),
            baseline: Metrics::new(),
            baseline_model: "naive_mean".into(),
            beats_baseline: false,
            p_value: None,
            p_value_adjusted: None,
            trading: Metrics::new(),
            grade: None,
            rows: 100,
            folds_done: 1,
            errors: vec![],
        }
    }

    pub(crate) fn view(state: TrialState) -> TrialView {
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        TrialView {
            id: "t-1".into(),
            state,
            reason: None,
            spec: TrialSpec {
                symbols: vec!["AAPL".into()],
                datasets: vec![],
                start: None,
                end: None,
                target: Target::Return,
                horizons: vec![1],
                features: vec![],
                models: vec![],
                validation: Validation::default(),
                costs: Costs::default(),
                seed: 1,
                goal: None,
            },
            created_at: at,
            updated_at: at,
            progress: Progress::default(),
            leaderboard: vec![],
            verdict: None,
            lineage: Lineage::default(),
            result_sha256: None,
            last_event: 0,
        }
    }

    fn live(state: TrialState) -> Live {
        of_view(&view(state), &[])
    }

    #[test]
    fn the_best_row_is_said_beside_its_baseline() {
        let mut ridge = row("Ridge", 0.9);
        ridge.baseline.insert("rmse".into(), Some(1.0));
        let mut naive = row("Naive mean", 0.5);
        naive.is_baseline = true;
        let mut empty = row("Empty", 0.1);
        empty.rows = 0;
        let mut live = live(TrialState::Training);
        assert_eq!(live.best_words(), None);
        live.leaderboard = vec![naive, empty];
        assert_eq!(live.best_words(), None);
        live.leaderboard.push(ridge);
        for (provisional, beats, expected) in [
            (
                true,
                false,
                "Best so far: Ridge, RMSE 0.9000 (baseline 1.000), 1 day ahead.",
            ),
            (
                false,
                false,
                "Best: Ridge, RMSE 0.9000 (baseline 1.000), 1 day ahead: it does not beat the baseline.",
            ),
            (
                false,
                true,
                "Best: Ridge, RMSE 0.9000 (baseline 1.000), 1 day ahead: it beats the baseline.",
            ),
        ] {
            live.provisional = provisional;
            live.leaderboard[2].beats_baseline = beats;
            assert_eq!(live.best_words().as_deref(), Some(expected));
        }
    }

    const AT: &str = "2023-11-14T22:13:20.500Z";

    fn message(text: &str) -> EventBody {
        EventBody::Message(MessageEvent {
            agent: "DataAgent".into(),
            level: Level::Info,
            text: text.into(),
        })
    }

    fn step(done: u32, error: Option<&str>) -> EventBody {
        EventBody::Step(StepEvent {
            index: done,
            model: "ridge".into(),
            horizon: 1,
            fold: 2,
            folds: 5,
            rmse: None,
            error: error.map(Into::into),
            took_ms: 1.0,
            progress: Progress {
                done,
                total: 10,
                eta_seconds: Some(3.0),
            },
        })
    }

    #[test]
    fn events_move_the_page_on_in_order_only() {
        let mut l = live(TrialState::Queued);
        let json = r#"{"at":"2023-11-14T22:13:20.500Z","state":"training","reason":null,"progress":{"done":0,"total":10,"eta_seconds":null}}"#;
        let (at, training) = parse("state", json).unwrap();
        assert_eq!(at, AT);
        assert_eq!(l.apply(1, &at, training), Applied::Next);
        assert_eq!(l.state, TrialState::Training);
        assert_eq!(l.apply(3, AT, step(1, None)), Applied::Hole);
        assert_eq!(l.last_event, 1);
        assert_eq!(l.apply(2, AT, message("reads 3270 rows")), Applied::Next);
        assert_eq!(l.apply(2, AT, message("reads 3270 rows")), Applied::Known);
        assert_eq!(l.log.len(), 1);
        assert_eq!(l.apply(3, AT, step(1, None)), Applied::Next);
        assert_eq!(l.progress.done, 1);
        assert_eq!(
            l.last_step.as_deref(),
            Some("ridge, fold 2 of 5, 1 day ahead")
        );
        let rows = serde_json::to_string(&[row("ridge", 0.1), row("lasso", 0.2)]).unwrap();
        let (_, board) = parse(
            "leaderboard",
            &format!("{{\"rows\":{rows},\"provisional\":true}}"),
        )
        .unwrap();
        assert_eq!(l.apply(4, AT, board), Applied::Next);
        assert_eq!(l.leaderboard.len(), 2);
        assert!(l.provisional);
        assert!(parse("state", "{}").is_none());
        assert!(parse("unheard_of", "{}").is_none());
    }

    #[test]
    fn a_failed_step_is_said_in_the_log() {
        let mut l = live(TrialState::Training);
        l.apply(1, AT, step(1, Some("did not converge")));
        assert_eq!(
            l.log[0].text,
            "ridge failed on fold 2 of 5, 1 day ahead: did not converge"
        );
        assert!(l.log[0].warning);
    }

    #[test]
    fn the_log_keeps_its_last_lines() {
        let at = DateTime::from_timestamp(1_700_000_000, 500_000_000).unwrap();
        let events: Vec<TrialEvent> = (1..=250)
            .map(|n: i64| TrialEvent {
                seq: n,
                at,
                body: message(&n.to_string()),
            })
            .collect();
        let mut v = view(TrialState::Training);
        v.last_event = 240;
        let start = of_view(&v, &events);
        assert_eq!(
            (start.log.len(), start.log[0].seq, start.log[199].seq),
            (200, 41, 240)
        );
        let mut l = live(TrialState::Training);
        for e in events.into_iter().take(240) {
            l.apply(e.seq, AT, e.body);
        }
        assert_eq!(l.log, start.log);
    }

    #[test]
    fn comparisons_are_said_in_words() {
        let mut r = row("ridge", 0.1);
        assert_eq!(comparison(&r, true).0, "Not decided yet");
        assert_eq!(comparison(&r, false).0, "Does not beat it");
        r.beats_baseline = true;
        assert_eq!(comparison(&r, false).0, "Beats baseline");
        r.is_baseline = true;
        assert_eq!(comparison(&r, true).0, "Baseline");
        r.is_baseline = false;
        r.rows = 0;
        assert_eq!(comparison(&r, false).0, "No forecast");
    }

    #[test]
    fn progress_is_said_in_words() {
        let mut l = live(TrialState::Training);
        assert_eq!(l.steps_words(), "no plan yet");
        l.progress = Progress {
            done: 3,
            total: 40,
            eta_seconds: Some(20.0),
        };
        assert_eq!(l.steps_words(), "3 of 40 steps");
        assert_eq!(l.left_words(), "about 20 s left");
        l.last_step = Some("ridge, fold 1 of 5, 1 day ahead".into());
        assert_eq!(
            l.left_words(),
            "about 20 s left · last: ridge, fold 1 of 5, 1 day ahead"
        );
        l.state = TrialState::Finished;
        l.updated_at = "2023-11-14T22:13:32.500Z".into();
        assert_eq!(l.left_words(), "took 12.5 s");
    }

    #[test]
    fn seconds_are_counted_over_midnight_and_leap_days() {
        for (from, to, expected) in [
            (
                "2024-02-28T23:59:59Z",
                "2024-03-01T00:00:00Z",
                Some(86_401.0),
            ),
            ("2023-12-31T23:59:59.5Z", "2024-01-01T00:00:00Z", Some(0.5)),
            (
                "2024-01-01T00:00:00.000Z",
                "2024-01-01T01:01:01+00:00",
                Some(3661.0),
            ),
            ("yesterday", "2024-01-01T00:00:00Z", None),
        ] {
            assert_eq!(seconds_between(from, to), expected, "{from} {to}");
        }
    }
}
