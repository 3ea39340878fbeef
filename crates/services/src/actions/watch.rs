//! Actions on the goal and on alerts.

use super::data::shown;
use super::{Authority, Reply, Stage};
use crate::{ServiceError, Services};
use mltrainer_types::assistant::{CreateAlert, ListAlerts, RemoveAlert, SetGoal};
use mltrainer_types::chat::{ActionOutcome, AlertView, GoalView, Job};

/// Models that a figure of the goal speaks for.
fn goal_said(reply: &mut Reply, goal: &GoalView) {
    let text = reply.name("goal", &goal.goal.text);
    reply.say(&format!("The goal: {text}"));
    let rows: Vec<Vec<String>> = goal
        .progress
        .iter()
        .map(|p| {
            vec![
                p.metric.replace('_', " "),
                p.wanted.clone(),
                shown(p.best),
                match p.reached {
                    Some(true) => "reached",
                    Some(false) => "not reached",
                    None => "",
                }
                .to_owned(),
                p.link.clone().unwrap_or_default(),
            ]
        })
        .collect();
    if rows.is_empty() {
        reply.note("No figure was recognised in it: say for example \"Sharpe ratio above 1\".");
    } else {
        let reached = goal
            .progress
            .iter()
            .filter(|p| p.reached == Some(true))
            .count();
        let (n, of) = (
            reply.count("figures reached", reached),
            reply.count("figures", rows.len()),
        );
        reply.paragraph(&format!(
            "{n} of {of} figures are reached by a stored result, out of sample."
        ));
        reply.table(
            "Progress",
            &["Figure", "Wanted", "Best so far", "", "Result"],
            rows,
        );
    }
}

impl Services {
    pub(super) async fn act_set_goal(
        &self,
        who: &Authority,
        p: &SetGoal,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let goal = self.set_goal(who, p).await?;
        let mut reply = Reply::new(Some("/chat".to_owned()));
        goal_said(&mut reply, &goal);
        reply.note("The goal is kept with every trial from now on; it changes no verdict.");
        reply.next("How close am I to my goal?");
        reply.done(&stage.said, &goal)
    }

    pub(super) async fn act_show_goal(&self, stage: &Stage) -> Result<ActionOutcome, ServiceError> {
        let mut reply = Reply::new(Some("/chat".to_owned()));
        let goal = self.goal().await?;
        match &goal {
            Some(goal) => goal_said(&mut reply, goal),
            None => {
                reply.say("No goal is set.");
                reply.next("My goal is a Sharpe ratio above 1 with drawdown under 20 %");
            }
        }
        reply.done(&stage.said, &goal)
    }

    pub(super) async fn act_create_alert(
        &self,
        who: &Authority,
        p: &CreateAlert,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let alert = self.create_alert(who, p, stage.key.as_deref()).await?;
        let mut reply = Reply::new(None);
        reply.job(Job {
            kind: "alert".to_owned(),
            id: alert.id.0.clone(),
            link: "/chat".to_owned(),
        });
        let watched = if p.symbols.is_empty() {
            "what is held".to_owned()
        } else if p.holdings {
            format!("what is held and {}", p.symbols.join(", "))
        } else {
            p.symbols.join(", ")
        };
        let minutes = reply.count(
            "minutes between two looks",
            alert.watch.every_minutes.unwrap_or(15),
        );
        let (watched, what) = (
            reply.name("watched", watched),
            reply.name("triggers", triggers(&alert)),
        );
        reply.say(&format!("From now on {watched} is watched for {what}, every {minutes} minutes in market hours while the program serves."));
        let now = self.look_at_alert(&alert, None).await?;
        if now.is_empty() {
            reply.say("On the last day of the data nothing new is to be told.");
        }
        for event in &now {
            let (day, text) = (
                reply.day("day", event.day),
                reply.name("what was noticed", &event.sentence),
            );
            reply.item(&format!("{day}: {text}"));
        }
        if p.holdings && self.holdings(&Default::default()).await?.transactions == 0 {
            reply.note("Nothing is recorded as held yet: record transactions on the portfolio page, and they are watched.");
        }
        reply.next("What alerts do I have?");
        reply.done(&stage.said, &alert)
    }

    pub(super) async fn act_list_alerts(
        &self,
        p: &ListAlerts,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let mut all = self.alerts().await?;
        all.retain(|a| {
            p.symbols.is_empty() || a.watch.symbols.iter().any(|s| p.symbols.contains(s))
        });
        let mut reply = Reply::new(None);
        let n = reply.count("alerts", all.len());
        reply.say(&format!("{n} alerts are set."));
        let rows = all
            .iter()
            .map(|a| {
                let newest = a.events.first();
                vec![
                    a.id.0.clone(),
                    if a.watch.holdings {
                        "holdings".to_owned()
                    } else {
                        a.watch.symbols.join(", ")
                    },
                    triggers(a),
                    newest
                        .map(|e| format!("{}: {}", e.day, e.sentence))
                        .unwrap_or_default(),
                ]
            })
            .collect();
        reply.table("Alerts", &["Id", "Watched", "For", "Noticed last"], rows);
        if all.is_empty() {
            reply.next("Monitor my portfolio for regime changes and alert me");
        } else {
            reply.next("Remove the last alert");
        }
        reply.done(&stage.said, &all)
    }

    pub(super) async fn act_remove_alert(
        &self,
        who: &Authority,
        p: &RemoveAlert,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let gone = self.remove_alerts(who, p).await?;
        let mut reply = Reply::new(None);
        let n = reply.count("alerts removed", gone.len());
        reply.say(&format!(
            "{n} removed; what they noticed stays in the record."
        ));
        reply.done(&stage.said, &gone)
    }
}

fn triggers(alert: &AlertView) -> String {
    let w = &alert.watch;
    let mut all: Vec<String> = w.triggers.iter().map(|t| t.replace('_', " ")).collect();
    all.extend(w.price_above.map(|p| format!("a close at or above {p}")));
    all.extend(w.price_below.map(|p| format!("a close at or below {p}")));
    all.extend(
        w.drawdown
            .map(|d| format!("a fall of {:.0} % from the peak", d * 100.0)),
    );
    all.extend(
        w.daily_move
            .map(|m| format!("a move of {:.1} % in a day", m * 100.0)),
    );
    if all.is_empty() {
        all = ["regime", "volatility", "momentum", "correlation"]
            .map(str::to_owned)
            .to_vec();
    }
    all.join(", ")
}
