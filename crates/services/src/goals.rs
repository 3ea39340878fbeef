//! The goal: what everything is to serve, and how far stored results reach it.

use crate::{Authority, ServiceError, Services};
use mltrainer_types::assistant::{AssistantAction, GoalMetric, SetGoal};
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::chat::{GoalProgress, GoalView};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// Results that the progress is looked for in: the newest of each kind.
const NEWEST: usize = 50;

impl Services {
    /// Sets the goal; the one before stays in the record.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] for a text that is empty or too long.
    pub async fn set_goal(
        &self,
        who: &Authority,
        goal: &SetGoal,
    ) -> Result<GoalView, ServiceError> {
        let length = goal.text.trim().chars().count();
        if length == 0 || length > 2_000 {
            return Err(ServiceError::invalid(
                "text",
                format!("a goal has 1 to 2,000 characters, this one {length}"),
            ));
        }
        crate::actions::check(&AssistantAction::SetGoal(Box::new(goal.clone())))?;
        let audit = AuditEntry {
            actor: who.actor.clone(),
            action: "goal.set".to_owned(),
            subject: "goal".to_owned(),
            decision: "allowed".to_owned(),
            rule: None,
            detail: json!({ "text_sha256": hex::encode(Sha256::digest(&goal.text)) }),
        };
        let now = self.inner.clock.now();
        let mut view = self.inner.goals.set_goal(now, goal, audit).await?;
        view.progress = self.progress(&view.goal).await?;
        Ok(view)
    }

    /// The goal that holds, with its progress.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn goal(&self) -> Result<Option<GoalView>, ServiceError> {
        let Some(mut view) = self.inner.goals.goal().await? else {
            return Ok(None);
        };
        view.progress = self.progress(&view.goal).await?;
        Ok(Some(view))
    }

    /// For each figure the best value of the newest results, out of sample: of finished trials'
    /// leaderboards without the baselines, and of back tests.
    async fn progress(&self, goal: &SetGoal) -> Result<Vec<GoalProgress>, ServiceError> {
        if goal.metrics.is_empty() {
            return Ok(Vec::new());
        }
        let mut best: Vec<Option<(f64, String)>> = vec![None; goal.metrics.len()];
        let mut offer = |name: &str, value: Option<f64>, link: &str| {
            for (metric, best) in goal.metrics.iter().zip(&mut best) {
                let Some(value) =
                    value.filter(|v| v.is_finite() && stored_as(&metric.metric, name))
                else {
                    continue;
                };
                // A drawdown is stored as a fall below 0 and wanted as a share above it.
                let value = if name == "max_drawdown" {
                    value.abs()
                } else {
                    value
                };
                let better = best.as_ref().is_none_or(|(b, _)| {
                    if low_is_good(metric) {
                        value < *b
                    } else {
                        value > *b
                    }
                });
                if better {
                    *best = Some((value, link.to_owned()));
                }
            }
        };
        for trial in self.inner.trials.list(None, NEWEST as u32).await? {
            let Some(view) = self.inner.trials.trial(&trial.id).await? else {
                continue;
            };
            let link = format!("/trials/{}", trial.id);
            for row in view.leaderboard.iter().filter(|r| !r.is_baseline) {
                for (name, value) in row.metrics.iter().chain(&row.trading) {
                    offer(name, *value, &link);
                }
            }
        }
        for test in self.backtests(None).await?.items.iter().take(NEWEST) {
            let link = format!("/backtests/{}", test.id);
            offer("sharpe_ratio", test.sharpe_ratio, &link);
            offer("total_return", test.total_return, &link);
            offer("max_drawdown", test.max_drawdown, &link);
        }
        Ok(goal
            .metrics
            .iter()
            .zip(best)
            .map(|(metric, best)| GoalProgress {
                metric: metric.metric.clone(),
                wanted: wanted(metric),
                reached: best.as_ref().and_then(|(value, _)| reached(metric, *value)),
                best: best.as_ref().map(|(value, _)| *value),
                link: best.map(|(_, link)| link),
            })
            .collect())
    }
}

/// Whether a figure of the goal is the one that a result stores under a name: leaderboards say `sharpe`, back tests
/// `sharpe_ratio`.
pub(crate) fn stored_as(wanted: &str, name: &str) -> bool {
    wanted == name || wanted.strip_suffix("_ratio") == Some(name)
}

/// What is wanted of a figure, in words, and whether a value reaches it. A drawdown is stored as a fall below 0
/// and wanted as a share above it.
pub(crate) fn judged(metric: &GoalMetric, value: f64) -> (String, Option<bool>) {
    let value = if metric.metric == "max_drawdown" {
        value.abs()
    } else {
        value
    };
    (wanted(metric), reached(metric, value))
}

/// Whether a smaller value serves the figure better.
fn low_is_good(metric: &GoalMetric) -> bool {
    match metric.aim.as_deref() {
        Some("minimise") => true,
        Some("maximise") => false,
        _ => metric.at_most.is_some() && metric.at_least.is_none(),
    }
}

fn reached(metric: &GoalMetric, value: f64) -> Option<bool> {
    if metric.at_least.is_none() && metric.at_most.is_none() {
        return None;
    }
    Some(
        metric.at_least.is_none_or(|low| value >= low)
            && metric.at_most.is_none_or(|high| value <= high),
    )
}

/// Figures that are shares, shown in percent.
const SHARES: [&str; 11] = [
    "annual_return",
    "total_return",
    "annual_volatility",
    "volatility",
    "max_drawdown",
    "win_rate",
    "accuracy",
    "directional_accuracy",
    "value_at_risk",
    "expected_shortfall",
    "exposure",
];

fn wanted(metric: &GoalMetric) -> String {
    let share = SHARES.iter().any(|s| stored_as(&metric.metric, s));
    let shown = |x: f64| {
        if share {
            // Without the digits that a share in binary adds.
            format!("{} %", (x * 1e6).round() / 1e4)
        } else {
            x.to_string()
        }
    };
    match (metric.at_least, metric.at_most, metric.aim.as_deref()) {
        (Some(low), Some(high), _) => format!("between {} and {}", shown(low), shown(high)),
        (Some(low), None, _) => format!("at least {}", shown(low)),
        (None, Some(high), _) => format!("at most {}", shown(high)),
        (None, None, Some("minimise")) => "as small as possible".to_owned(),
        (None, None, _) => "as large as possible".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(aim: Option<&str>, low: Option<f64>, high: Option<f64>) -> GoalMetric {
        GoalMetric {
            metric: "sharpe_ratio".to_owned(),
            aim: aim.map(str::to_owned),
            at_least: low,
            at_most: high,
        }
    }

    #[test]
    fn figures_are_found_under_both_names() {
        assert!(stored_as("sharpe_ratio", "sharpe"));
        assert!(stored_as("sharpe_ratio", "sharpe_ratio"));
        assert!(!stored_as("sharpe_ratio", "sortino"));
    }

    #[test]
    fn shares_are_wanted_in_percent() {
        let fall = GoalMetric {
            metric: "max_drawdown".to_owned(),
            ..metric(None, None, Some(0.15))
        };
        assert_eq!(wanted(&fall), "at most 15 %");
        let both = GoalMetric {
            metric: "annual_return".to_owned(),
            ..metric(None, Some(0.07), Some(0.125))
        };
        assert_eq!(wanted(&both), "between 7 % and 12.5 %");
    }

    #[test]
    fn what_is_wanted_and_whether_it_is_reached() {
        for (m, words, small, of_one) in [
            (
                metric(None, Some(1.5), None),
                "at least 1.5",
                false,
                Some(false),
            ),
            (
                metric(None, None, Some(1.5)),
                "at most 1.5",
                true,
                Some(true),
            ),
            (
                metric(None, Some(0.5), Some(2.0)),
                "between 0.5 and 2",
                false,
                Some(true),
            ),
            (
                metric(Some("minimise"), None, None),
                "as small as possible",
                true,
                None,
            ),
            (
                metric(None, None, None),
                "as large as possible",
                false,
                None,
            ),
        ] {
            assert_eq!(wanted(&m), words);
            assert_eq!(low_is_good(&m), small, "{words}");
            assert_eq!(reached(&m, 1.0), of_one, "{words}");
        }
    }
}
