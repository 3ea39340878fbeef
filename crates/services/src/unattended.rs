//! The program's own language model as a coach: it answers the engine's questions without a person, within a
//! budget.
//!
//! What: each open question is put to the model once, with the evidence and the trial; the command that it answers
//! with goes the way of every coach's command, measured against the control and recorded.
//! Data: a question is marked as put before the model is asked, so that it is asked once, also when the process is
//! killed; what it answers is done under the key of the question.
//! Fails when: a person did not allow it (a budget of none, trust below 9 of the model or of the coach); the ceilings
//! on cost hold as in conversations.
//! Not claimed: that its answers help; that is what the control is for.

use crate::actions::{Authority, Stage};
use crate::port::SteeredAction;
use crate::{ServiceError, Services};
use mltrainer_assistant::llm::conversation::{Call, Request};
use mltrainer_assistant::llm::{LanguageModel, ToolDefinition};
use mltrainer_compliance::{ActionLevel, permit};
use mltrainer_types::assistant::AssistantAction;
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::coach::{GuidanceRequest, Unattended};
use mltrainer_types::trial::TrialView;
use serde_json::json;
use std::sync::Arc;

/// Commands that answer a question.
const ANSWERS: [&str; 3] = ["advise", "adjust_trial", "override_models"];

/// Most tokens of an answer.
const ANSWER: u32 = 1_000;

/// What the calls are counted on beside the day.
const CONVERSATION: &str = "unattended";

const SYSTEM: &str = "You coach mlTrainer, a program for honest trials of forecasting models on real market data. A trial has ended and the engine asks what to try. \
Answer with one call of one tool about that trial, or with no call when nothing is worth a trial: most data hold no edge, and every further trial makes a chance finding likelier. \
Your command begins a second trial that is measured against the first, out of sample; your trust moves with the measured difference.";

/// What the model is told of a question.
fn told(q: &GuidanceRequest, trial: &TrialView) -> String {
    let rows: Vec<_> = trial
        .leaderboard
        .iter()
        .map(|r| json!({ "model": r.model, "params": r.params, "horizon": r.horizon, "naive": r.is_baseline, "metrics": r.metrics, "p_value_adjusted": r.p_value_adjusted }))
        .collect();
    json!({
        "question": q.sentence,
        "evidence": q.evidence,
        "trial": q.trial,
        "symbols": trial.spec.symbols,
        "target": trial.spec.target,
        "horizons": trial.spec.horizons,
        "features": trial.spec.features,
        "leaderboard": rows,
    })
    .to_string()
}

impl Services {
    /// Who coaches without a person, where one was configured and given a budget.
    fn own_coach(&self) -> Option<(Authority, Arc<dyn LanguageModel>)> {
        let parts = &self.inner.talk.parts;
        let model = parts.model.clone().filter(|_| parts.unattended > 0)?;
        let who = Authority {
            actor: format!("{} unattended", model.identity().model),
            trust: parts.trust,
        };
        Some((who, model))
    }

    /// How the program's own coach stands; nothing where none may act.
    pub(crate) async fn unattended(&self) -> Result<Option<Unattended>, ServiceError> {
        let Some((who, _)) = self.own_coach() else {
            return Ok(None);
        };
        let today = self.today();
        let made = self.inner.coaches.interventions(1_000).await?;
        let mine = |at: &chrono::DateTime<chrono::Utc>| at.date_naive() == today;
        let today = made
            .iter()
            .filter(|i| i.coach == who.actor && mine(&i.at))
            .count();
        Ok(Some(Unattended {
            trust: self.coach_trust(&who).await?,
            coach: who.actor,
            per_day: self.inner.talk.parts.unattended,
            today: u32::try_from(today).unwrap_or(u32::MAX),
        }))
    }

    /// Puts open questions to the program's own coach while its trust and its budget allow it.
    pub(crate) async fn answer_unattended(&self) -> Result<(), ServiceError> {
        let Some((who, model)) = self.own_coach() else {
            return Ok(());
        };
        let now = self.inner.clock.now();
        for q in self.inner.coaches.guidance(50).await? {
            let open = q.answered_by.is_none() && q.lapsed_at.is_none() && q.deadline > now;
            if !open {
                continue;
            }
            let Some(stands) = self.unattended().await? else {
                return Ok(());
            };
            let allowed = permit(ActionLevel::ActUnattended, stands.trust).is_ok();
            if !allowed || stands.today >= stands.per_day {
                return Ok(());
            }
            if !self.inner.coaches.put_guidance(q.id, now).await? {
                continue;
            }
            let answer = self.asked_once(&who, model.as_ref(), &q).await;
            let said = match answer {
                Ok(said) => said,
                Err(e) => format!("no answer: {}", e.problem().detail),
            };
            let audit = AuditEntry {
                actor: who.actor.clone(),
                action: "guidance.put".to_owned(),
                subject: q.trial.0.clone(),
                decision: "allowed".to_owned(),
                rule: None,
                detail: json!({ "kind": q.kind, "answer": said }),
            };
            self.inner.audit.append(vec![audit]).await?;
        }
        Ok(())
    }

    /// The command that the model answered with, done; in words what it was.
    async fn asked_once(
        &self,
        who: &Authority,
        model: &dyn LanguageModel,
        q: &GuidanceRequest,
    ) -> Result<String, ServiceError> {
        let trial = self.trial(q.trial.as_str()).await?;
        let mut request = Request::new(SYSTEM, told(q, &trial), ANSWER);
        request.tools = self
            .actions()
            .into_iter()
            .filter(|a| ANSWERS.contains(&a.id.as_str()))
            .map(|a| ToolDefinition {
                name: a.id,
                description: a.does,
                schema: a.schema,
            })
            .collect();
        let call = Call::quiet();
        let (answer, _) = self.ask_model(model, CONVERSATION, &request, &call).await?;
        let Some(call) = answer.tool_calls().next() else {
            return Ok("nothing is worth a trial".to_owned());
        };
        let action = AssistantAction::from_parts(&call.name, call.arguments.clone())
            .map_err(|said| ServiceError::invalid("answer", said))?;
        let about = match &action {
            AssistantAction::Advise(p) => p.trial.as_deref(),
            AssistantAction::AdjustTrial(p) => Some(p.trial.as_str()),
            AssistantAction::OverrideModels(p) => Some(p.trial.as_str()),
            _ => None,
        };
        if about != Some(q.trial.as_str()) {
            return Err(ServiceError::invalid(
                "answer",
                "it is not about the trial that was asked about",
            ));
        }
        let stage = Stage {
            key: Some(format!("guidance/{}", q.id)),
            model: Some(SteeredAction {
                model: model.identity().into(),
                message: None,
            }),
            ..Stage::alone()
        };
        self.perform(who, &action, &stage).await?;
        Ok(action.id().to_owned())
    }
}
