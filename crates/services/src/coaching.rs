//! Coaching: a coach steers a trial, the same trial runs on without it, and the difference is measured.
//!
//! What: a trial's specification is never changed, because its result stands for it. An intervention makes
//! a second trial that differs in what the coach said; the first is the control. When both have ended, the
//! best model of each is compared on the forecasts that both made.
//! Formula: d = loss of the control - loss of the coached one, a forecast at a time; interval = mean d ±
//! 1.96 standard errors by Newey and West (1987) with max(h - 1, 4 (n/100)^(2/9)) lags.
//! Trust: it rises by one when the whole interval is above 0, falls by one when the whole interval is
//! below 0, and stays otherwise; between 1 and 8: 9 and 10 are given by a person only.
//! Fails when: the trust is too low, the trial does not exist, or nothing would change.
//! Not claimed: that the best model of each trial, chosen on the same forecasts, is as good on later days;
//! the choice is made in the same way on both sides.

use crate::actions::best_of;
use crate::trials::{made_before, new_uuid};
use crate::{Authority, ServiceError, Services};
use chrono::TimeDelta;
use mltrainer_types::assistant::{
    AdjustTrial, Advise, AssistantAction, OverrideModels, TeachMethodology, Undo,
};
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::coach::{
    CoachView, Coaching, Effect, GuidanceRequest, Intervention, InterventionState, Recipe,
    TrustStep,
};
use mltrainer_types::trial::{
    LeaderboardRow, ModelRequest, PredictionSeries, Target, TrialRequest, TrialState, TrialView,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The rule of trust, in words.
const RULE: &str = "Trust rises by one when the whole 95 % interval of the measured difference is above zero, falls by one when the whole interval is below zero, and stays otherwise; it moves between one and eight. Nine and ten are given by a person only.";

/// Highest trust that measured effects give.
const EARNED: u8 = 8;

/// How long a question waits for an answer.
const WAIT: TimeDelta = TimeDelta::hours(24);

/// Trials that are looked at for questions.
const NEWEST: u32 = 25;

/// The request that a trial was made of, so that it can be made again with something changed.
pub(crate) fn request_of(view: &TrialView) -> TrialRequest {
    let spec = &view.spec;
    let mut request = TrialRequest::for_symbols(spec.symbols.clone());
    request.start = spec.start;
    request.end = spec.end;
    request.target = Some(spec.target);
    request.horizons.clone_from(&spec.horizons);
    request.features.clone_from(&spec.features);
    request.validation = spec.validation.clone();
    request.costs = spec.costs;
    request.seed = Some(spec.seed);
    request.goal.clone_from(&spec.goal);
    request.models = spec
        .models
        .iter()
        .filter(|m| !m.baseline)
        .map(|m| ModelRequest::WithParams {
            model: m.model.clone(),
            params: m.params.clone(),
        })
        .collect();
    request
}

/// Loss of each forecast of a row of the leaderboard by symbol and day: squared error, or log loss of labels.
pub(crate) fn losses(
    series: &[PredictionSeries],
    view: &TrialView,
    row: &LeaderboardRow,
) -> BTreeMap<(String, chrono::NaiveDate), f64> {
    let label = view.spec.target == Target::Direction;
    let mut all = BTreeMap::new();
    // One entry may stand in a trial twice, with other parameters.
    let place = view
        .spec
        .models
        .iter()
        .position(|m| m.model == row.model && m.params == row.params);
    for s in series.iter().filter(|s| {
        s.model == row.model
            && s.horizon == row.horizon
            && place.is_none_or(|place| s.model_index as usize == place)
    }) {
        for (i, day) in s.dates.iter().enumerate() {
            let loss = if label {
                let Some(p) = s.probability.get(i) else {
                    continue;
                };
                let p = p.clamp(1e-12, 1.0 - 1e-12);
                if s.actual[i] > 0.5 {
                    -p.ln()
                } else {
                    -(1.0 - p).ln()
                }
            } else {
                let Some(Some(p)) = s.predicted.get(i) else {
                    continue;
                };
                (p - s.actual[i]).powi(2)
            };
            all.insert((s.symbol.clone(), *day), loss);
        }
    }
    all
}

/// Mean and standard error by Newey and West, with Bartlett weights.
fn mean_and_error(d: &[f64], lags: usize) -> (f64, f64) {
    let n = d.len() as f64;
    let mean = d.iter().sum::<f64>() / n;
    let auto = |lag: usize| {
        d.iter()
            .zip(d.iter().skip(lag))
            .map(|(a, b)| (a - mean) * (b - mean))
            .sum::<f64>()
            / n
    };
    let mut variance = auto(0);
    for lag in 1..=lags.min(d.len().saturating_sub(1)) {
        variance += 2.0 * (1.0 - lag as f64 / (lags as f64 + 1.0)) * auto(lag);
    }
    (mean, (variance.max(0.0) / n).sqrt())
}

/// The effect from the losses of both sides.
pub(crate) fn effect(
    control: &BTreeMap<(String, chrono::NaiveDate), f64>,
    coached: &BTreeMap<(String, chrono::NaiveDate), f64>,
    horizon: u32,
    label: bool,
) -> Option<Effect> {
    // By day: symbols of a day move together.
    let mut by_day: BTreeMap<chrono::NaiveDate, Vec<(f64, f64)>> = BTreeMap::new();
    for ((symbol, day), a) in control {
        if let Some(b) = coached.get(&(symbol.clone(), *day)) {
            by_day.entry(*day).or_default().push((*a, *b));
        }
    }
    if by_day.len() < 20 {
        return None;
    }
    let rows: u64 = by_day.values().map(|v| v.len() as u64).sum();
    let mean_of = |f: fn(&(f64, f64)) -> f64| -> Vec<f64> {
        by_day
            .values()
            .map(|v| v.iter().map(f).sum::<f64>() / v.len() as f64)
            .collect()
    };
    let (a, b) = (mean_of(|p| p.0), mean_of(|p| p.1));
    let d: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
    let n = d.len() as f64;
    let automatic = (4.0 * (n / 100.0).powf(2.0 / 9.0)).floor() as usize;
    let lags = automatic.max(horizon.saturating_sub(1) as usize);
    let (difference, error) = mean_and_error(&d, lags);
    let (low, high) = (difference - 1.96 * error, difference + 1.96 * error);
    let (control, coached) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let words = if low > 0.0 {
        "the coaching helped"
    } else if high < 0.0 {
        "the coaching harmed"
    } else {
        "the two cannot be told apart"
    };
    Some(Effect {
        loss: if label { "log_loss" } else { "squared_error" }.to_owned(),
        control,
        coached,
        difference,
        low,
        high,
        rows,
        sentence: format!(
            "Mean loss {coached:.4e} with and {control:.4e} without it on {rows} forecasts; difference {difference:.2e} (95 % interval {low:.2e} to {high:.2e}): {words}."
        ),
    })
}

impl Services {
    /// Coaches, interventions with their effects, questions and recipes.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn coaching(&self) -> Result<Coaching, ServiceError> {
        let store = &self.inner.coaches;
        Ok(Coaching {
            coaches: store.coaches().await?,
            interventions: store.interventions(100).await?,
            requests: store.guidance(50).await?,
            recipes: store.recipes().await?,
            rule: RULE.to_owned(),
            unattended: self.unattended().await?,
        })
    }

    /// The trust of a coach: what it earned, or at first what it was let in with; never above that of the
    /// one who asks.
    pub(crate) async fn coach_trust(&self, who: &Authority) -> Result<u8, ServiceError> {
        let all = self.inner.coaches.coaches().await?;
        let known = all.iter().find(|c| c.name == who.actor);
        Ok(known.map_or(who.trust, |c| c.trust.min(who.trust)))
    }

    /// Gives a coach another trust, as a person.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] for a trust that is none, [`ServiceError::Refused`] when the one who asks may not.
    pub async fn set_trust(
        &self,
        who: &Authority,
        coach: &str,
        trust: u8,
    ) -> Result<Vec<CoachView>, ServiceError> {
        if !(1..=10).contains(&trust) {
            return Err(ServiceError::invalid(
                "trust",
                format!("{trust} is not in 1 to 10"),
            ));
        }
        mltrainer_compliance::permit(mltrainer_compliance::ActionLevel::Approve, who.trust)
            .map_err(ServiceError::Refused)?;
        let step = TrustStep {
            at: self.inner.clock.now(),
            trust,
            reason: format!("given by {}", who.actor),
            intervention: None,
        };
        self.move_trust(&who.actor, coach, step).await?;
        Ok(self.inner.coaches.coaches().await?)
    }

    async fn move_trust(
        &self,
        actor: &str,
        coach: &str,
        step: TrustStep,
    ) -> Result<(), ServiceError> {
        let audit = AuditEntry {
            actor: actor.to_owned(),
            action: "coach.trust".to_owned(),
            subject: coach.to_owned(),
            decision: "allowed".to_owned(),
            rule: None,
            detail: json!({ "trust": step.trust, "reason": step.reason }),
        };
        Ok(self.inner.coaches.trust(coach, &step, audit).await?)
    }

    /// The intervention that a key made or took back before.
    async fn intervention_of(&self, id: &str) -> Result<Intervention, ServiceError> {
        let all = self.inner.coaches.interventions(u32::MAX).await?;
        let found = all.into_iter().find(|i| i.id == id);
        found.ok_or_else(|| ServiceError::NotFound {
            what: "intervention",
            id: id.to_owned(),
            suggestions: Vec::new(),
        })
    }

    /// Does a coach's command; gives the intervention and, where one was begun, the coached trial. The same key with
    /// the same command intervenes once.
    pub(crate) async fn coach(
        &self,
        who: &Authority,
        action: &AssistantAction,
        key: Option<&str>,
    ) -> Result<Intervention, ServiceError> {
        let (once, before) = made_before(self, key, action).await?;
        if let Some(id) = before {
            return self.intervention_of(&id).await;
        }
        let now = self.inner.clock.now();
        let known = self.inner.coaches.coaches().await?;
        if !known.iter().any(|c| c.name == who.actor) {
            let step = TrustStep {
                at: now,
                trust: who.trust,
                reason: "let in with it".to_owned(),
                intervention: None,
            };
            self.move_trust(&who.actor, &who.actor, step).await?;
        }
        let mut made = Intervention {
            id: format!("i-{}", new_uuid(now)),
            at: now,
            coach: who.actor.clone(),
            action: action.id().to_owned(),
            params: action.params(),
            words: String::new(),
            control: None,
            coached: None,
            state: InterventionState::Noted,
            effect: None,
        };
        let mut recipe = None;
        match action {
            AssistantAction::Advise(p) => self.advised(p, &mut made).await?,
            AssistantAction::AdjustTrial(p) => self.adjusted(who, p, &mut made, key).await?,
            AssistantAction::OverrideModels(p) => self.overridden(who, p, &mut made, key).await?,
            AssistantAction::TeachMethodology(p) => {
                recipe = Some(self.taught(who, p, &mut made, key).await?);
            }
            other => {
                return Err(ServiceError::invalid(
                    "action",
                    format!("{} is no command of a coach", other.id()),
                ));
            }
        }
        let audit = AuditEntry {
            actor: who.actor.clone(),
            action: format!("coach.{}", made.action),
            subject: made
                .control
                .as_ref()
                .map_or_else(|| made.id.clone(), |t| t.0.clone()),
            decision: "allowed".to_owned(),
            rule: None,
            detail: json!({ "intervention": made.id, "coached": made.coached, "trust": who.trust }),
        };
        self.inner
            .coaches
            .intervene(&made, recipe.as_ref(), once.as_ref(), audit)
            .await?;
        Ok(made)
    }

    async fn advised(&self, p: &Advise, made: &mut Intervention) -> Result<(), ServiceError> {
        if let Some(trial) = &p.trial {
            made.control = Some(self.trial(trial).await?.id);
        }
        made.words = format!("Advice: {}", p.text);
        Ok(())
    }

    async fn adjusted(
        &self,
        who: &Authority,
        p: &AdjustTrial,
        made: &mut Intervention,
        key: Option<&str>,
    ) -> Result<(), ServiceError> {
        let view = self.trial(&p.trial).await?;
        let mut request = request_of(&view);
        if p.stop_early {
            if view.state.is_final() {
                return Err(ServiceError::Conflict(format!(
                    "trial {} has ended: there is nothing to stop",
                    view.id
                )));
            }
            // The control is a trial of the same specification that runs to its end.
            let control = self.create_trial(&who.actor, request, key).await?;
            self.cancel_trial(&who.actor, view.id.as_str()).await?;
            made.words = format!(
                "Trial {} was stopped early; {} runs on in its place as the control.",
                view.id, control.id
            );
            made.control = Some(control.id);
            made.coached = Some(view.id);
            // What was not forecast cannot be compared beyond the days that both have.
            made.state = InterventionState::Running;
            return Ok(());
        }
        let mut said = Vec::new();
        for (name, value) in &p.params {
            let mut hit = false;
            for model in &mut request.models {
                let id = model.id().to_owned();
                let entry = self.catalogue_entry(&id)?;
                if !entry.params.iter().any(|q| q.name == *name) {
                    continue;
                }
                let mut params = model.params();
                params.insert(name.clone(), value.clone());
                *model = ModelRequest::WithParams { model: id, params };
                hit = true;
            }
            if !hit {
                return Err(ServiceError::invalid(
                    "params",
                    format!("none of the trial's models has a parameter \"{name}\""),
                ));
            }
            said.push(format!("{name} = {value}"));
        }
        if !p.weights.is_empty() {
            let known: Vec<&str> = request.models.iter().map(ModelRequest::id).collect();
            if let Some(unknown) = p.weights.keys().find(|m| !known.contains(&m.as_str())) {
                return Err(ServiceError::NotFound {
                    what: "model of the trial",
                    id: unknown.clone(),
                    suggestions: known.iter().map(|&m| m.to_owned()).collect(),
                });
            }
            let (names, weights): (Vec<&String>, Vec<&f64>) = p.weights.iter().unzip();
            let params = json!({ "estimators": names, "weights": weights });
            request.models.push(ModelRequest::WithParams {
                model: "voting".to_owned(),
                params: params.as_object().cloned().unwrap_or_default(),
            });
            said.push(format!(
                "a vote weighted {}",
                p.weights
                    .iter()
                    .map(|(m, w)| format!("{m} {w}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            ));
        }
        let coached = self.create_trial(&who.actor, request, key).await?;
        made.words = format!(
            "{} in trial {}: trial {} runs with it, the first goes on as the control.",
            said.join("; "),
            view.id,
            coached.id
        );
        made.control = Some(view.id);
        made.coached = Some(coached.id);
        made.state = InterventionState::Running;
        Ok(())
    }

    async fn overridden(
        &self,
        who: &Authority,
        p: &OverrideModels,
        made: &mut Intervention,
        key: Option<&str>,
    ) -> Result<(), ServiceError> {
        let view = self.trial(&p.trial).await?;
        let mut request = request_of(&view);
        request.models = p.models.iter().cloned().map(ModelRequest::Id).collect();
        let coached = self.create_trial(&who.actor, request, key).await?;
        made.words = format!(
            "Trial {} uses {} in place of the models of {}, which is the control.",
            coached.id,
            p.models.join(", "),
            view.id
        );
        made.control = Some(view.id);
        made.coached = Some(coached.id);
        made.state = InterventionState::Running;
        Ok(())
    }

    async fn taught(
        &self,
        who: &Authority,
        p: &TeachMethodology,
        made: &mut Intervention,
        key: Option<&str>,
    ) -> Result<Recipe, ServiceError> {
        if p.models.is_empty() {
            return Err(ServiceError::invalid(
                "models",
                "which models does the methodology use? Name entries of the catalogue",
            ));
        }
        let plain = |text: &str| -> String {
            let text: String = text
                .to_lowercase()
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
                .take(60)
                .collect();
            text.trim_matches('_').to_owned()
        };
        let name = p.name.as_deref().map(plain).filter(|n| !n.is_empty());
        let name = name.unwrap_or_else(|| format!("recipe_{}", plain(&p.models.join("_"))));
        let models = recipe_models(&p.models, p.ensemble.as_deref())?;
        // It is measured on the longest bundled share beside the program's own choice of models.
        let symbol = self
            .dataset_named("")
            .await?
            .symbols
            .first()
            .cloned()
            .unwrap_or_default();
        let mut request = TrialRequest::for_symbols([symbol]);
        request.target = Some(Target::LogVolatility);
        request.horizons = vec![5];
        let control_key = key.map(|k| format!("{k}/control"));
        let control = self
            .create_trial(&who.actor, request.clone(), control_key.as_deref())
            .await?;
        request.features.clone_from(&p.features);
        request.models = models;
        let coached = match self.create_trial(&who.actor, request, key).await {
            Ok(made) => made,
            Err(e) => {
                // A recipe that cannot run teaches nothing: its control is not needed.
                let _ = self.cancel_trial(&who.actor, control.id.as_str()).await;
                return Err(e);
            }
        };
        made.words = format!(
            "Methodology {name}: trial {} runs it, {} the program's own choice.",
            coached.id, control.id
        );
        made.control = Some(control.id);
        made.coached = Some(coached.id);
        made.state = InterventionState::Running;
        Ok(Recipe {
            name,
            at: made.at,
            coach: who.actor.clone(),
            text: p.text.clone(),
            features: p.features.clone(),
            models: p.models.clone(),
            ensemble: p.ensemble.clone(),
            intervention: made.id.clone(),
        })
    }

    /// Takes an intervention back: the coached trial is cancelled if it runs, and the control stands. The same key takes
    /// one back, not the one before it too.
    pub(crate) async fn undo(
        &self,
        who: &Authority,
        which: &Undo,
        key: Option<&str>,
    ) -> Result<Intervention, ServiceError> {
        let (once, before) = made_before(self, key, which).await?;
        if let Some(id) = before {
            return self.intervention_of(&id).await;
        }
        let id = which.intervention.as_deref();
        let all = self.inner.coaches.interventions(1_000).await?;
        let can = |i: &&Intervention| {
            i.state != InterventionState::Undone && (who.trust >= 9 || i.coach == who.actor)
        };
        let found = match id {
            Some(id) => all.iter().find(|i| i.id == id),
            None => all.iter().find(can),
        };
        let Some(found) = found else {
            return Err(ServiceError::NotFound {
                what: "intervention",
                id: id.unwrap_or("the last one that can be undone").to_owned(),
                suggestions: all
                    .iter()
                    .filter(can)
                    .take(3)
                    .map(|i| i.id.clone())
                    .collect(),
            });
        };
        if !can(&found) {
            return Err(ServiceError::Conflict(
                if found.state == InterventionState::Undone {
                    format!("{} was taken back before", found.id)
                } else {
                    format!(
                        "{} is {}'s: only that coach or a person takes it back",
                        found.id, found.coach
                    )
                },
            ));
        }
        if let Some(coached) = &found.coached
            && !self.trial(coached.as_str()).await?.state.is_final()
        {
            self.cancel_trial(&who.actor, coached.as_str()).await?;
        }
        let audit = AuditEntry {
            actor: who.actor.clone(),
            action: "coach.undo".to_owned(),
            subject: found.id.clone(),
            decision: "allowed".to_owned(),
            rule: None,
            detail: json!({ "of": found.coach }),
        };
        let undone = InterventionState::Undone;
        self.inner
            .coaches
            .conclude(
                &found.id,
                undone,
                found.effect.as_ref(),
                once.as_ref(),
                audit,
            )
            .await?;
        Ok(Intervention {
            state: undone,
            ..found.clone()
        })
    }

    /// Measures interventions whose trials have ended, and asks where a trial that ended gives reason to.
    pub(crate) async fn look_after_coaching(&self) {
        if let Err(e) = self.measure_interventions().await {
            tracing::warn!("interventions were not measured: {e}");
        }
        if let Err(e) = self.ask_for_guidance().await {
            tracing::warn!("no guidance was asked for: {e}");
        }
        if let Err(e) = self.lapse_questions().await {
            tracing::warn!("questions whose time is over were not closed: {e}");
        }
        if let Err(e) = self.answer_unattended().await {
            tracing::warn!("the model that coaches was not asked: {e}");
        }
    }

    async fn measure_interventions(&self) -> Result<(), ServiceError> {
        let running = self.inner.coaches.interventions(200).await?;
        for i in running
            .iter()
            .filter(|i| i.state == InterventionState::Running)
        {
            let (Some(control), Some(coached)) = (&i.control, &i.coached) else {
                continue;
            };
            let a = self.trial(control.as_str()).await?;
            let b = self.trial(coached.as_str()).await?;
            if !a.state.is_final() || !b.state.is_final() {
                continue;
            }
            let effect = self.effect_of(&a, &b).await?;
            let state = if effect.is_some() {
                InterventionState::Measured
            } else {
                InterventionState::Unmeasured
            };
            let audit = AuditEntry {
                actor: "system".to_owned(),
                action: "coach.measure".to_owned(),
                subject: i.id.clone(),
                decision: "allowed".to_owned(),
                rule: None,
                detail: json!({ "control": a.result_sha256, "coached": b.result_sha256, "effect": effect }),
            };
            self.inner
                .coaches
                .conclude(&i.id, state, effect.as_ref(), None, audit)
                .await?;
            let Some(effect) = effect else { continue };
            let coaches = self.inner.coaches.coaches().await?;
            let Some(coach) = coaches.iter().find(|c| c.name == i.coach) else {
                continue;
            };
            let trust = moved(coach.trust, &effect);
            if trust != coach.trust {
                let step = TrustStep {
                    at: self.inner.clock.now(),
                    trust,
                    reason: effect.sentence.clone(),
                    intervention: Some(i.id.clone()),
                };
                self.move_trust("system", &i.coach, step).await?;
            }
        }
        Ok(())
    }

    async fn effect_of(
        &self,
        a: &TrialView,
        b: &TrialView,
    ) -> Result<Option<Effect>, ServiceError> {
        if a.spec.target != b.spec.target {
            return Ok(None);
        }
        let Some(horizon) = a.spec.horizons.iter().find(|h| b.spec.horizons.contains(h)) else {
            return Ok(None);
        };
        let (Some(ours), Some(theirs)) = (best_of(a, *horizon), best_of(b, *horizon)) else {
            return Ok(None);
        };
        let of_a = self.predictions(a.id.as_str()).await?;
        let of_b = self.predictions(b.id.as_str()).await?;
        Ok(effect(
            &losses(&of_a, a, ours),
            &losses(&of_b, b, theirs),
            *horizon,
            a.spec.target == Target::Direction,
        ))
    }

    async fn ask_for_guidance(&self) -> Result<(), ServiceError> {
        let asked = self.inner.coaches.guidance(200).await?;
        let now = self.inner.clock.now();
        for trial in self.inner.trials.list(None, NEWEST).await? {
            let fresh = now - trial.created_at < WAIT;
            if !fresh
                || trial.state != TrialState::Finished
                || asked.iter().any(|g| g.trial == trial.id)
            {
                continue;
            }
            let view = self.trial(trial.id.as_str()).await?;
            let Some((kind, sentence, evidence)) = self.reason_to_ask(&view).await? else {
                continue;
            };
            let audit = AuditEntry {
                actor: "system".to_owned(),
                action: "guidance.ask".to_owned(),
                subject: trial.id.0.clone(),
                decision: "allowed".to_owned(),
                rule: None,
                detail: json!({ "kind": kind, "evidence": evidence }),
            };
            let request = GuidanceRequest {
                id: 0,
                at: now,
                trial: trial.id.clone(),
                kind: kind.to_owned(),
                sentence,
                evidence,
                deadline: now + WAIT,
                answered_by: None,
                lapsed_at: None,
            };
            self.inner.coaches.ask_guidance(request, audit).await?;
        }
        Ok(())
    }

    /// Closes the questions that nobody answered in time: nothing is changed then.
    async fn lapse_questions(&self) -> Result<(), ServiceError> {
        let now = self.inner.clock.now();
        for q in self.inner.coaches.guidance(200).await? {
            if q.answered_by.is_some() || q.lapsed_at.is_some() || q.deadline > now {
                continue;
            }
            let audit = AuditEntry {
                actor: "system".to_owned(),
                action: "guidance.lapse".to_owned(),
                subject: q.trial.0.clone(),
                decision: "allowed".to_owned(),
                rule: None,
                detail: json!({ "kind": q.kind, "changed": false }),
            };
            self.inner.coaches.lapse_guidance(q.id, now, audit).await?;
        }
        Ok(())
    }

    /// Why a finished trial gives reason to ask: a drift, a near tie, or no model that beats the baseline.
    async fn reason_to_ask(
        &self,
        view: &TrialView,
    ) -> Result<Option<(&'static str, String, Value)>, ServiceError> {
        let Some(horizon) = view.spec.horizons.first() else {
            return Ok(None);
        };
        let Some(best) = best_of(view, *horizon) else {
            return Ok(None);
        };
        let series = self.predictions(view.id.as_str()).await?;
        let all = losses(&series, view, best);
        let mut by_day: Vec<(chrono::NaiveDate, f64)> = all
            .into_iter()
            .map(|((_, day), loss)| (day, loss))
            .collect();
        by_day.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.total_cmp(&b.1)));
        let cut = by_day.len() * 4 / 5;
        let mean = |part: &[(chrono::NaiveDate, f64)]| {
            part.iter().map(|(_, l)| l).sum::<f64>() / part.len() as f64
        };
        if by_day.len() >= 100 {
            let (before, after) = (mean(&by_day[..cut]), mean(&by_day[cut..]));
            if after > 1.5 * before {
                return Ok(Some((
                    "drift",
                    format!(
                        "The loss of {} in the last fifth of its test days is {:.1} times that of the days before: should it be trained on a shorter window, or left out?",
                        best.title,
                        after / before
                    ),
                    json!({ "model": best.model, "before": before, "after": after }),
                )));
            }
        }
        let key = if view.spec.target == Target::Direction {
            "log_loss"
        } else {
            "rmse"
        };
        let mut rows: Vec<(&str, f64)> = view
            .leaderboard
            .iter()
            .filter(|r| !r.is_baseline && r.horizon == *horizon)
            .filter_map(|r| Some((r.model.as_str(), r.metrics.get(key).copied().flatten()?)))
            .collect();
        rows.sort_by(|a, b| a.1.total_cmp(&b.1));
        let edge = view.verdict.as_ref().is_some_and(|v| v.found_edge);
        if edge
            && let [(a, x), (b, y), ..] = rows.as_slice()
            && (y - x) <= 0.005 * x.abs()
        {
            return Ok(Some((
                "near_tie",
                format!(
                    "{a} and {b} are within half a percent of each other: which of them should be preferred, or should they vote?"
                ),
                json!({ "first": { "model": a, key: x }, "second": { "model": b, key: y } }),
            )));
        }
        if !edge {
            return Ok(Some((
                "no_edge",
                format!(
                    "No model beats the naive forecast of the {}: are other features, models, another horizon or another target worth a trial?",
                    view.spec.target.as_str().replace('_', " ")
                ),
                json!({ "best": best.model, "p_value_adjusted": best.p_value_adjusted, key: rows.first().map(|r| r.1) }),
            )));
        }
        Ok(None)
    }
}

/// Trust after an effect.
fn moved(trust: u8, effect: &Effect) -> u8 {
    if effect.low > 0.0 && trust < EARNED {
        trust + 1
    } else if effect.high < 0.0 {
        trust.saturating_sub(1).max(1)
    } else {
        trust
    }
}

/// The models of a recipe, with their combination.
pub(crate) fn recipe_models(
    models: &[String],
    ensemble: Option<&str>,
) -> Result<Vec<ModelRequest>, ServiceError> {
    let mut all: Vec<ModelRequest> = models.iter().cloned().map(ModelRequest::Id).collect();
    match ensemble {
        None => {}
        Some(kind @ ("stacking" | "voting")) => {
            let params = json!({ "estimators": models });
            all.push(ModelRequest::WithParams {
                model: kind.to_owned(),
                params: params.as_object().cloned().unwrap_or_default(),
            });
        }
        Some(other) => {
            return Err(ServiceError::invalid(
                "ensemble",
                format!("\"{other}\" is neither stacking nor voting"),
            ));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;

    #[test]
    fn newey_west_by_hand() {
        // d = 1, 2, 3, 4: mean 2.5; autocovariances 1.25 and (1.5·0.5... ) = ((-1.5)(-0.5) + (-0.5)(0.5) +
        // (0.5)(1.5)) / 4 = 0.3125. With one lag: 1.25 + 2 · 0.5 · 0.3125 = 1.5625; error sqrt(1.5625 / 4) = 0.625.
        let (mean, error) = mean_and_error(&[1.0, 2.0, 3.0, 4.0], 1);
        assert!((mean - 2.5).abs() < 1e-12);
        assert!((error - 0.625).abs() < 1e-12);
    }

    #[test]
    fn an_effect_moves_trust_only_when_the_whole_interval_does() {
        let day = |i: u64| NaiveDate::from_ymd_opt(2020, 1, 1).unwrap() + chrono::Days::new(i);
        let side = |f: &dyn Fn(u64) -> f64| -> BTreeMap<(String, NaiveDate), f64> {
            (0..60).map(|i| (("X".to_owned(), day(i)), f(i))).collect()
        };
        let control = side(&|_| 1.0);
        let wave = |i: u64| if i.is_multiple_of(2) { 0.01 } else { -0.01 };
        let better = effect(&control, &side(&|i| 0.5 + wave(i)), 1, false).unwrap();
        assert!((better.difference - 0.5).abs() < 1e-12 && better.low > 0.0);
        assert_eq!(
            (moved(5, &better), moved(8, &better), moved(10, &better)),
            (6, 8, 10)
        );
        let same = effect(&control, &side(&|i| 1.0 + wave(i)), 1, false).unwrap();
        assert!(same.low <= 0.0 && same.high >= 0.0);
        assert_eq!(moved(5, &same), 5);
        let worse = effect(&control, &side(&|i| 1.5 + wave(i)), 1, false).unwrap();
        assert_eq!((moved(5, &worse), moved(1, &worse)), (4, 1));
        let few: BTreeMap<_, _> = control.clone().into_iter().take(10).collect();
        assert_eq!(effect(&control, &few, 1, false), None);
    }
}
