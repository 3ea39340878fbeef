//! Actions on trials: make, look, explain, compare, hold, end.

use super::data::{shown, shown_percent};
use super::{Authority, Reply, Stage, job};
use crate::{ServiceError, Services};
use futures::StreamExt as _;
use mltrainer_types::assistant::{
    CompareTrials, ExplainTrial, ListRuns, ProposeModels, TrialParams, TrialRef, WhatIfTrial,
};
use mltrainer_types::chat::{ActionOutcome, Job};
use mltrainer_types::event::EventBody;
use mltrainer_types::run::RunRequest;
use mltrainer_types::trial::{
    LeaderboardRow, ModelRequest, Target, TrialRequest, TrialState, TrialView,
};
use serde_json::{Value, json};

/// Models that are tried when more are wanted than were named, one of each way to learn first.
const NUMBERS: [&str; 12] = [
    "ridge",
    "random_forest_50",
    "xgboost",
    "svr",
    "lightgbm",
    "knn_10",
    "elastic_net",
    "hist_gradient_boosting",
    "extra_trees_50",
    "mlp_20",
    "bayesian_ridge",
    "huber",
];

/// The same for directions.
const LABELS: [&str; 12] = [
    "logistic_regression",
    "random_forest_50",
    "xgboost",
    "svc",
    "lightgbm",
    "knn_10",
    "gaussian_nb",
    "hist_gradient_boosting",
    "extra_trees_50",
    "lda",
    "mlp_20",
    "qda",
];

/// Models of an ensemble's trial when none are named: seven and their combination.
const ENSEMBLE: usize = 7;

/// Best rows of a leaderboard in a table.
const ROWS: usize = 20;

/// The loss that ranks rows of a target.
fn loss(target: Target, row: &LeaderboardRow) -> f64 {
    let (name, sign) = match target {
        Target::Direction => ("log_loss", 1.0),
        _ => ("rmse", 1.0),
    };
    let value = row.metrics.get(name).copied().flatten();
    value.map_or(f64::INFINITY, |v| v * sign)
}

/// The best row that is no baseline, of a horizon or of all: first those that beat the baseline, then by
/// the loss relative to it.
pub(super) fn best(view: &TrialView, horizon: Option<u32>) -> Option<&LeaderboardRow> {
    let name = match view.spec.target {
        Target::Direction => "log_loss",
        _ => "rmse",
    };
    let relative = |row: &LeaderboardRow| {
        let of = row.baseline.get(name).copied().flatten().unwrap_or(1.0);
        loss(view.spec.target, row) / of
    };
    view.leaderboard
        .iter()
        .filter(|r| !r.is_baseline && horizon.is_none_or(|h| r.horizon == h))
        .min_by(|a, b| {
            b.beats_baseline
                .cmp(&a.beats_baseline)
                .then_with(|| relative(a).total_cmp(&relative(b)))
        })
}

/// The best row of a horizon that is no baseline.
pub(crate) fn best_of(view: &TrialView, horizon: u32) -> Option<&LeaderboardRow> {
    best(view, Some(horizon))
}

/// The name of the loss for people.
fn loss_name(target: Target) -> (&'static str, &'static str) {
    match target {
        Target::Direction => ("log_loss", "log loss"),
        _ => ("rmse", "RMSE"),
    }
}

/// The rows of a leaderboard for people.
pub(super) fn leaderboard(reply: &mut Reply, view: &TrialView) {
    let (key, title) = loss_name(view.spec.target);
    let mut rows: Vec<&LeaderboardRow> = view.leaderboard.iter().collect();
    rows.sort_by(|a, b| {
        (a.horizon.cmp(&b.horizon))
            .then_with(|| loss(view.spec.target, a).total_cmp(&loss(view.spec.target, b)))
    });
    let cells = rows
        .iter()
        .take(ROWS)
        .map(|r| {
            let metric = |name: &str| r.metrics.get(name).copied().flatten();
            vec![
                r.title.clone(),
                r.horizon.to_string(),
                shown(metric(key)),
                metric("directional_accuracy").map_or_else(|| "-".to_owned(), shown_percent),
                if r.is_baseline {
                    "baseline".to_owned()
                } else if r.beats_baseline {
                    "beats it".to_owned()
                } else {
                    "no".to_owned()
                },
                shown(r.p_value_adjusted),
                r.grade.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let columns = [
        "Model",
        "Bars ahead",
        title,
        "Direction right",
        "Against the naive forecast",
        "p (Holm)",
        "Grade",
    ];
    reply.table("Leaderboard, out of sample", &columns, cells);
}

/// What a trial came to, in words.
pub(super) fn report(reply: &mut Reply, view: &TrialView) {
    let link = format!("/trials/{}", view.id);
    reply.of(link);
    let state = view.state.as_str();
    let (done, total) = (
        reply.count("steps done", view.progress.done),
        reply.count("steps", view.progress.total),
    );
    let symbols = reply.name("symbols", view.spec.symbols.join(", "));
    let target = view.spec.target.as_str().replace('_', " ");
    reply.say(&format!(
        "The trial of the {target} of {symbols} is {state}, {done} of {total} steps done."
    ));
    if let Some(reason) = &view.reason {
        let reason = reply.name("reason", reason);
        reply.say(&format!("Reason: {reason}."));
    }
    if let Some(row) = best(view, None) {
        let (key, name) = loss_name(view.spec.target);
        let value = |m: &mltrainer_types::trial::Metrics| m.get(key).copied().flatten();
        let model = reply.name("best model", &row.title);
        let ahead = reply.count("bars ahead", row.horizon);
        let (ours, theirs) = (
            reply.number(&format!("{name} of {}", row.model), value(&row.metrics), 4),
            reply.number(
                &format!("{name} of {}", row.baseline_model),
                value(&row.baseline),
                4,
            ),
        );
        let words = if row.beats_baseline {
            "which is significantly better"
        } else {
            "which is no significant difference"
        };
        reply.say(&format!("The best model over {ahead} bars is {model} with {name} {ours}; the naive forecast has {theirs}, {words}."));
        if let Some(p) = row.p_value_adjusted {
            let p = reply.number("p-value after Holm's correction", p, 2);
            reply.say(&format!("(p = {p} after correction.)"));
        }
    }
    if let Some(verdict) = &view.verdict {
        let text = reply.name("verdict", &verdict.text);
        reply.paragraph(&format!("Verdict: {text}"));
        for note in &verdict.notes {
            reply.note(note.clone());
        }
    }
    if !view.leaderboard.is_empty() {
        leaderboard(reply, view);
    }
}

impl Services {
    /// Waits for the end of a trial, or until somebody pauses it or the stage is in a hurry.
    pub(super) async fn trial_end(
        &self,
        id: &str,
        stage: &Stage,
    ) -> Result<TrialView, ServiceError> {
        let after = self.trial(id).await?.last_event;
        let mut events = self.follow(id, after).await?;
        while let Some(Some(event)) = stage.hurry.run_until_cancelled(events.next()).await {
            if let EventBody::State(s) = &event?.event.body
                && s.state == TrialState::Paused
            {
                break;
            }
        }
        self.trial(id).await
    }

    /// Makes a trial and, where the stage waits, follows it to its end.
    pub(super) async fn trial_of(
        &self,
        who: &Authority,
        request: TrialRequest,
        stage: &Stage,
        key: &str,
    ) -> Result<TrialView, ServiceError> {
        let key = stage.key.as_ref().map(|k| format!("{k}/{key}"));
        let made = self
            .create_trial(&who.actor, request, key.as_deref())
            .await?;
        let mut told = Reply::new(None);
        let begun: Job = job("trial", made.id.as_str());
        told.job(begun);
        told.say("The trial was begun; it is tested on windows that its models never saw.");
        stage.tell("Model agent", told.done(&stage.said, &made)?);
        if stage.wait {
            self.trial_end(made.id.as_str(), stage).await
        } else {
            self.trial(made.id.as_str()).await
        }
    }

    /// The models of a trial, with more chosen where more are wanted.
    fn with_models(request: &mut TrialRequest, count: Option<u32>, least: usize) {
        let wanted = count.map_or(least, |c| c as usize);
        let list = if request.target == Some(Target::Direction) {
            LABELS
        } else {
            NUMBERS
        };
        for id in list {
            if request.models.len() >= wanted {
                break;
            }
            if !request.models.iter().any(|m| m.id() == id) {
                request.models.push(ModelRequest::Id(id.to_owned()));
            }
        }
    }

    pub(super) async fn act_run_trial(
        &self,
        who: &Authority,
        p: &TrialParams,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let mut request = p.request.clone();
        self.expand_recipes(&mut request).await?;
        if p.model_count.is_some() {
            Self::with_models(&mut request, p.model_count, 0);
        }
        self.steer(&mut request).await?;
        let view = self.trial_of(who, request, stage, "trial").await?;
        self.trial_outcome(&view, stage).await
    }

    async fn trial_outcome(
        &self,
        view: &TrialView,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let mut reply = Reply::new(None);
        reply.job(job("trial", view.id.as_str()));
        report(&mut reply, view);
        self.judged_by_goal(&mut reply, view).await?;
        if view.state.is_final() {
            reply.next("Explain the result");
            reply.next("What if I used a horizon of 20 days?");
        } else {
            reply.next("How is the trial going?");
            reply.next("Pause the trial");
        }
        reply.done(&stage.said, view)
    }

    /// Puts the models and features of a taught recipe in place of its name.
    async fn expand_recipes(&self, request: &mut TrialRequest) -> Result<(), ServiceError> {
        let known = self.catalogue();
        if request
            .models
            .iter()
            .all(|m| known.iter().any(|e| e.id == m.id()))
        {
            return Ok(());
        }
        let recipes = self.coaching().await?.recipes;
        let mut models = Vec::new();
        for model in std::mem::take(&mut request.models) {
            match recipes.iter().find(|r| r.name == model.id()) {
                Some(recipe) => {
                    models.extend(crate::coaching::recipe_models(
                        &recipe.models,
                        recipe.ensemble.as_deref(),
                    )?);
                    request.features.extend(recipe.features.iter().cloned());
                }
                None => models.push(model),
            }
        }
        request.models = models;
        Ok(())
    }

    /// What the best model of a finished trial means for the figures of the goal.
    async fn judged_by_goal(
        &self,
        reply: &mut Reply,
        view: &TrialView,
    ) -> Result<(), ServiceError> {
        let (Some(goal), Some(row)) = (self.goal().await?, best(view, None)) else {
            return Ok(());
        };
        if !view.state.is_final() {
            return Ok(());
        }
        let mut said = Vec::new();
        for metric in &goal.goal.metrics {
            let found = row.metrics.get(&metric.metric);
            let found = found
                .or_else(|| row.trading.get(&metric.metric))
                .copied()
                .flatten();
            let Some(value) = found else { continue };
            let (wanted, reached) = crate::goals::judged(metric, value);
            let value = reply.number(&metric.metric, value, 3);
            let wanted = reply.name("wanted", wanted);
            let name = metric.metric.replace('_', " ");
            let word = match reached {
                Some(true) => "reached",
                Some(false) => "not reached",
                None => "no bound is set",
            };
            said.push(format!("{name} {value}, wanted {wanted}: {word}"));
        }
        if !said.is_empty() {
            reply.paragraph(&format!("By the goal: {}.", said.join("; ")));
        }
        Ok(())
    }

    /// Writes the goal that holds into a trial that has none.
    pub(super) async fn steer(&self, request: &mut TrialRequest) -> Result<(), ServiceError> {
        if request.goal.is_none()
            && let Some(goal) = self.goal().await?
        {
            request.goal = Some(goal.goal.text);
        }
        Ok(())
    }

    pub(super) async fn act_train_ensemble(
        &self,
        who: &Authority,
        p: &TrialParams,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let mut request = p.request.clone();
        if request.horizons.is_empty() {
            request.horizons = vec![1, 5, 20];
        }
        Self::with_models(
            &mut request,
            p.model_count.map(|c| c.saturating_sub(1)),
            ENSEMBLE,
        );
        let members: Vec<String> = request.models.iter().map(|m| m.id().to_owned()).collect();
        let is_combined = |m: &ModelRequest| m.id().starts_with("stacking") || m.id() == "voting";
        if !request.models.iter().any(is_combined) {
            let label = request.target == Some(Target::Direction);
            let last = if label {
                "logistic_regression"
            } else {
                "ridge"
            };
            // Four members of different kinds: stacking fits each once a fold and once at the end.
            let few: Vec<&String> = members.iter().take(4).collect();
            let params = json!({ "estimators": few, "final_estimator": last });
            request.models.push(ModelRequest::WithParams {
                model: "stacking".to_owned(),
                params: params.as_object().cloned().unwrap_or_default(),
            });
        }
        self.steer(&mut request).await?;
        let view = self.trial_of(who, request, stage, "ensemble").await?;
        let mut reply = Reply::new(None);
        reply.job(job("trial", view.id.as_str()));
        report(&mut reply, &view);
        if view.state.is_final() {
            self.importance(&mut reply, &view, &[]).await;
            let ready = view.verdict.as_ref().is_some_and(|v| v.found_edge);
            reply.paragraph(if ready {
                "Readiness: an edge was found out of sample; watch it on new data before relying on it."
            } else {
                "Readiness: not ready. No model is shown to be better than the naive forecast after correction for the number tried."
            });
            reply.next("Explain the result");
        }
        reply.done(&stage.said, &view)
    }

    pub(super) async fn act_compare_models(
        &self,
        who: &Authority,
        p: &TrialParams,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let mut request = p.request.clone();
        self.steer(&mut request).await?;
        let view = self.trial_of(who, request, stage, "compare").await?;
        let mut reply = Reply::new(None);
        reply.job(job("trial", view.id.as_str()));
        if view.state.is_final() {
            let (key, name) = loss_name(view.spec.target);
            let mut rows: Vec<&LeaderboardRow> =
                view.leaderboard.iter().filter(|r| !r.is_baseline).collect();
            rows.sort_by(|a, b| loss(view.spec.target, a).total_cmp(&loss(view.spec.target, b)));
            if let [first, second, ..] = rows.as_slice() {
                let value = |r: &LeaderboardRow| r.metrics.get(key).copied().flatten();
                let (a, b) = (
                    reply.name("model", &first.title),
                    reply.name("model", &second.title),
                );
                let (x, y) = (
                    reply.number(&format!("{name} of {}", first.model), value(first), 4),
                    reply.number(&format!("{name} of {}", second.model), value(second), 4),
                );
                reply.say(&format!(
                    "{a} has the lower {name}, {x} against {y} of {b}."
                ));
                if !first.beats_baseline {
                    reply.say(
                        "It does not beat the naive forecast, so the order of the two says little.",
                    );
                }
            }
        }
        report(&mut reply, &view);
        reply.done(&stage.said, &view)
    }

    pub(super) async fn act_list_trials(
        &self,
        p: &ListRuns,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let state = p.state.as_deref().and_then(TrialState::parse);
        let most = p.limit.unwrap_or(20) as usize;
        let mut found = Vec::new();
        let mut cursor: Option<String> = None;
        // The newest pages only: a list is for looking, not for counting.
        for _ in 0..40 {
            let page = self.trials(cursor.as_deref()).await?;
            for t in page.items {
                let fits = state.is_none_or(|s| t.state == s)
                    && (p.symbols.is_empty() || t.symbols.iter().any(|s| p.symbols.contains(s)));
                if fits && found.len() < most {
                    found.push(t);
                }
            }
            cursor = page.next;
            if cursor.is_none() || found.len() >= most {
                break;
            }
        }
        let mut reply = Reply::new(Some("/trials".to_owned()));
        let n = reply.count("trials", found.len());
        reply.say(&format!("{n} trials, newest first."));
        if found.is_empty() {
            reply.next("Train ridge on AAPL");
        }
        let rows = found
            .iter()
            .map(|t| {
                vec![
                    t.id.0.clone(),
                    t.symbols.join(", "),
                    t.target.as_str().to_owned(),
                    t.state.as_str().to_owned(),
                    format!("{} of {}", t.progress.done, t.progress.total),
                    match t.found_edge {
                        Some(true) => "edge".to_owned(),
                        Some(false) => "no edge".to_owned(),
                        None => String::new(),
                    },
                ]
            })
            .collect();
        reply.table(
            "Trials",
            &["Id", "Symbols", "Target", "State", "Steps", "Verdict"],
            rows,
        );
        reply.done(&stage.said, &found)
    }

    pub(super) async fn act_show_trial(
        &self,
        p: &TrialRef,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let view = self.trial(&p.trial).await?;
        self.trial_outcome(&view, stage).await
    }

    pub(super) async fn act_control_trial(
        &self,
        who: &Authority,
        p: &TrialRef,
        what: &str,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let view = match what {
            "pause_trial" => self.pause_trial(&who.actor, &p.trial).await?,
            "resume_trial" => self.resume_trial(&who.actor, &p.trial).await?,
            _ => self.cancel_trial(&who.actor, &p.trial).await?,
        };
        let mut reply = Reply::new(None);
        reply.job(job("trial", view.id.as_str()));
        let (done, total) = (
            reply.count("steps done", view.progress.done),
            reply.count("steps", view.progress.total),
        );
        let state = view.state.as_str();
        reply.say(&format!(
            "The trial is {state} now, with {done} of {total} steps done."
        ));
        if view.state == TrialState::Paused {
            reply.next("Resume the trial");
        }
        reply.done(&stage.said, &view)
    }

    /// The features that a model of a trial leans on: permutation importance on the last fifth of the days.
    async fn importance(&self, reply: &mut Reply, view: &TrialView, models: &[String]) {
        let row = if models.is_empty() {
            best(view, None)
        } else {
            let named = |r: &&LeaderboardRow| models.contains(&r.model);
            view.leaderboard.iter().find(named)
        };
        let (Some(row), Some(set)) = (row, view.spec.datasets.first()) else {
            return;
        };
        let request = RunRequest {
            dataset: Some(set.id.0.clone()),
            start: view.spec.start,
            end: view.spec.end,
            target: Some(view.spec.target.as_str().to_owned()),
            horizon: Some(row.horizon),
            explain: vec!["permutation".to_owned()],
            params: row.params.clone(),
            ..RunRequest::default()
        };
        let run = match self.run(&row.model, request).await {
            Ok(run) => run,
            Err(e) => {
                return reply.note(format!("The drivers of {} are not known: {e}.", row.model));
            }
        };
        let found = importances(&run.outputs);
        if found.is_empty() {
            return;
        }
        let model = reply.name("model", &row.title);
        if found.iter().all(|(_, value)| *value == 0.0) {
            reply.paragraph(&format!(
                "{model} leans on no feature: shuffling any of them changes nothing, so it forecasts one value."
            ));
            return;
        }
        let first: Vec<String> = found
            .iter()
            .take(3)
            .map(|(name, _)| reply.name("feature", name))
            .collect();
        reply.paragraph(&format!(
            "{model} leans most on {}, by permutation on the last fifth of the days of the first symbol.",
            first.join(", ")
        ));
        let rows = found
            .iter()
            .take(10)
            .map(|(name, value)| vec![name.clone(), shown(Some(*value))])
            .collect();
        reply.table("Drivers", &["Feature", "Loss of score when shuffled"], rows);
    }

    pub(super) async fn act_explain_trial(
        &self,
        p: &ExplainTrial,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let view = self.trial(&p.trial).await?;
        let mut reply = Reply::new(Some(format!("/trials/{}", view.id)));
        report(&mut reply, &view);
        if !view.state.is_final() {
            reply.note("The trial has not ended: this is how it stands.");
        } else if view.verdict.as_ref().is_some_and(|v| v.found_edge) {
            reply.paragraph("An edge was found because the forecasts' losses out of sample are lower than those of the best naive forecast by more than chance explains, after correction for the number of models tried.");
        } else {
            reply.paragraph("No edge was found: the difference to the best naive forecast is within what chance gives. For returns of liquid shares this is the usual outcome; volatility and ranges are easier to forecast.");
            reply.next("What if I forecast the volatility instead?");
        }
        self.importance(&mut reply, &view, &p.models).await;
        reply.done(&stage.said, &view)
    }

    pub(super) async fn act_propose_models(
        &self,
        p: &ProposeModels,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let target = p.target.unwrap_or(Target::Return);
        let made = self
            .propose(&p.symbols, target, p.horizon.unwrap_or(1))
            .await?;
        let symbols = made.symbols.join(",");
        let plain = |c: char| c.is_ascii_alphanumeric() || ",._-".contains(c);
        let asked = if symbols.chars().all(plain) {
            format!(
                "?symbols={symbols}&target={}&horizon={}",
                target.as_str(),
                made.horizon
            )
        } else {
            String::new()
        };
        let mut reply = Reply::new(Some(format!("/learning{asked}")));
        if let Some(best) = made.models.first() {
            let name = reply.name("model", &best.title);
            let skill = reply.percent("expected skill", best.skill);
            let why = reply.name("why", &best.why);
            reply.say(&format!(
                "{name} comes first, with an expected skill of {skill}. {why}"
            ));
        }
        let sentence = reply.name("what it rests on", &made.sentence);
        reply.paragraph(&sentence);
        let rows: Vec<Vec<String>> = made
            .models
            .iter()
            .map(|m| {
                vec![
                    m.title.clone(),
                    shown_percent(m.skill),
                    m.records.to_string(),
                    serde_json::to_string(&m.params).unwrap_or_default(),
                    m.why.clone(),
                ]
            })
            .collect();
        if !rows.is_empty() {
            reply.table(
                "Where to begin",
                &["Model", "Expected skill", "Records", "Parameters", "Why"],
                rows,
            );
        }
        let ids: Vec<&str> = made.models.iter().map(|m| m.model.as_str()).collect();
        let with = match ids.as_slice() {
            [] => String::new(),
            ids => format!(" with {}", ids.join(", ")),
        };
        reply.next(format!("Run a trial on {}{with}", made.symbols.join(", ")));
        reply.done(&stage.said, &made)
    }

    pub(super) async fn act_what_if_trial(
        &self,
        who: &Authority,
        p: &WhatIfTrial,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let before = self.trial(&p.trial).await?;
        let spec = &before.spec;
        let mut request = crate::coaching::request_of(&before);
        if !p.symbols.is_empty() {
            request.symbols.clone_from(&p.symbols);
        }
        if !p.models.is_empty() {
            request.models = p.models.iter().cloned().map(ModelRequest::Id).collect();
        }
        if !p.horizons.is_empty() {
            request.horizons.clone_from(&p.horizons);
        }
        if let Some(target) = p.target {
            let before_label = spec.target == Target::Direction;
            request.target = Some(target);
            if before_label != (target == Target::Direction) && p.models.is_empty() {
                // Labels and numbers are learned by different models.
                request.models = Vec::new();
            }
            if target != spec.target {
                request.features = Vec::new();
            }
        }
        if let Some(bps) = p.cost_bps {
            request.costs.bps = bps;
        }
        request.start = p.start.or(request.start);
        request.end = p.end.or(request.end);
        let after = self.trial_of(who, request, stage, "what-if").await?;
        let mut reply = Reply::new(None);
        reply.job(job("trial", after.id.as_str()));
        report(&mut reply, &after);
        side_by_side(&mut reply, &[&before, &after]);
        reply.note(
            "Each further trial on the same data is counted, and makes a chance finding likelier.",
        );
        reply.done(&stage.said, &json!({ "before": before, "after": after }))
    }

    pub(super) async fn act_compare_trials(
        &self,
        p: &CompareTrials,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let mut views = Vec::new();
        for id in &p.trials {
            views.push(self.trial(id).await?);
        }
        let mut reply = Reply::new(Some("/trials".to_owned()));
        let n = reply.count("trials", views.len());
        let found = views
            .iter()
            .filter(|v| v.verdict.as_ref().is_some_and(|x| x.found_edge))
            .count();
        let found = reply.count("with an edge", found);
        reply.say(&format!("Of {n} trials {found} found an edge."));
        let all: Vec<&TrialView> = views.iter().collect();
        side_by_side(&mut reply, &all);
        if let Some(metric) = &p.metric {
            let rows = views
                .iter()
                .filter_map(|v| {
                    let row = best(v, None)?;
                    let value = row.metrics.get(metric).or_else(|| row.trading.get(metric));
                    Some(vec![
                        v.id.0.clone(),
                        row.model.clone(),
                        shown(value.copied().flatten()),
                    ])
                })
                .collect();
            reply.table(metric, &["Trial", "Best model", metric], rows);
        }
        reply.done(&stage.said, &views)
    }
}

fn side_by_side(reply: &mut Reply, views: &[&TrialView]) {
    let rows = views
        .iter()
        .map(|v| {
            let row = best(v, None);
            let (key, _) = loss_name(v.spec.target);
            let of = |m: Option<&mltrainer_types::trial::Metrics>| {
                shown(m.and_then(|m| m.get(key).copied().flatten()))
            };
            vec![
                v.id.0.clone(),
                v.spec.symbols.join(", "),
                v.spec.target.as_str().to_owned(),
                row.map(|r| r.model.clone()).unwrap_or_default(),
                of(row.map(|r| &r.metrics)),
                of(row.map(|r| &r.baseline)),
                match v.verdict.as_ref().map(|x| x.found_edge) {
                    Some(true) => "edge".to_owned(),
                    Some(false) => "no edge".to_owned(),
                    None => v.state.as_str().to_owned(),
                },
            ]
        })
        .collect();
    let columns = [
        "Trial",
        "Symbols",
        "Target",
        "Best model",
        "Its loss",
        "Naive loss",
        "Verdict",
    ];
    reply.table("Side by side", &columns, rows);
}

/// Features by permutation importance, the largest first.
fn importances(outputs: &serde_json::Map<String, Value>) -> Vec<(String, f64)> {
    let list = |name: &str| outputs.get(name).and_then(Value::as_array);
    let (Some(names), Some(means)) = (list("feature_names"), list("permutation_importance")) else {
        return Vec::new();
    };
    let pairs = names.iter().zip(means);
    let mut all: Vec<(String, f64)> = pairs
        .filter_map(|(name, mean)| Some((name.as_str()?.to_owned(), mean.as_f64()?)))
        .collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    all
}
