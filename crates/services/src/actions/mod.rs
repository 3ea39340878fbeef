//! The assistant's typed actions, each done by one use case: chat, HTTP, command line and MCP all come
//! through [`Services::perform`].
//!
//! What: the trust of the asker is compared with what the action declares, the parameters are checked,
//! the use case runs, and its answer becomes an [`ActionOutcome`] whose numbers are figures of the result.
//! Data: whatever changes something, and every refusal, leaves an audit record of the action beside
//! those of the use cases.
//! Fails when: the trust is too low (rule `trust_levels`), a parameter is missing or impossible, or the
//! use case says no; one sentence each.
//! Not claimed: understanding; that is for the parser or a language model, whose proposals end here.

mod analyse;
mod backtests;
mod coach;
mod data;
mod develop;
mod options;
mod paper;
mod portfolio;
mod reply;
mod screen;
mod trials;
mod watch;

pub(crate) use data::{moments, returns, shown, shown_percent};
pub(crate) use reply::Reply;
pub(crate) use trials::best_of;

use crate::port::SteeredAction;
use crate::steering::known_until;
use crate::{ServiceError, Services};
use mltrainer_compliance::{ActionLevel, permit};
use mltrainer_types::assistant::{ActionInfo, AssistantAction, AssistantAction as A, infos};
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::chat::{ActionOutcome, Job};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

/// Commands of a coach.
const COACH: [&str; 5] = [
    "advise",
    "adjust_trial",
    "override_models",
    "teach_methodology",
    "undo",
];

/// Who asks, and how much trust that one has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Name in the audit chain.
    pub actor: String,
    /// 1 to 10.
    pub trust: u8,
}

impl Authority {
    /// A person at the page, the API or the command line: everything that the program offers.
    #[must_use]
    pub fn person(actor: &str) -> Self {
        Self {
            actor: actor.to_owned(),
            trust: 10,
        }
    }
}

/// What an agent says while it works.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentNote {
    /// Name for people: "Data agent".
    pub agent: &'static str,
    /// What it says, its numbers by reference.
    pub said: ActionOutcome,
}

/// How an action is done: alone or as part of a conversation.
#[derive(Debug, Clone, Default)]
pub struct Stage {
    /// Key under which a repeated action makes nothing twice.
    pub key: Option<String>,
    /// Whether to wait for what was begun and to answer with its result.
    pub wait: bool,
    /// Where agents speak.
    pub notes: Option<UnboundedSender<AgentNote>>,
    /// The words of the person, whose numbers an answer may repeat.
    pub said: Vec<String>,
    /// The language model that asks for it, if one does.
    pub model: Option<SteeredAction>,
    /// Ends the waiting: the answer then says what was begun, and that goes on.
    pub hurry: CancellationToken,
}

impl Stage {
    /// Done at once, heard by nobody, not waiting for what it begins.
    #[must_use]
    pub fn alone() -> Self {
        Self::default()
    }

    fn tell(&self, agent: &'static str, said: ActionOutcome) {
        if let Some(notes) = &self.notes {
            // Without a listener the action is done all the same.
            let _ = notes.send(AgentNote { agent, said });
        }
    }
}

/// What was begun, with the page that shows it.
fn job(kind: &str, id: &str) -> Job {
    Job {
        kind: kind.to_owned(),
        id: id.to_owned(),
        link: format!("/{kind}s/{id}"),
    }
}

/// The first thing that is wrong with an action's parameters.
pub(crate) fn check(action: &AssistantAction) -> Result<(), ServiceError> {
    match action.problems().into_iter().next() {
        Some(problem) => Err(ServiceError::invalid(problem.slot, problem.sentence)),
        None => Ok(()),
    }
}

impl Services {
    /// All actions, as outside programs are told of them.
    #[must_use]
    pub fn actions(&self) -> Vec<ActionInfo> {
        infos()
    }

    /// Does an action.
    ///
    /// # Errors
    /// [`ServiceError::Refused`] by `trust_levels`; [`ServiceError::Invalid`] for a parameter that is missing or
    /// impossible; what the use case says.
    pub async fn perform(
        &self,
        who: &Authority,
        action: &AssistantAction,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let spec = action.spec().ok_or_else(|| ServiceError::NotFound {
            what: "action",
            id: action.id().to_owned(),
            suggestions: Vec::new(),
        })?;
        // A coach acts with the trust that it earned.
        let trust = if COACH.contains(&action.id()) {
            self.coach_trust(who).await?
        } else {
            who.trust
        };
        let who = &Authority {
            actor: who.actor.clone(),
            trust,
        };
        if let Err(refusal) = permit(ActionLevel::from(spec.permission), who.trust) {
            let entry = self.action_entry(who, action, Some(&refusal.rule));
            self.inner.audit.append(vec![entry]).await?;
            return Err(ServiceError::Refused(refusal));
        }
        check(action)?;
        if spec.changes {
            let entry = self.action_entry(who, action, None);
            self.inner.audit.append(vec![entry]).await?;
            // Before the action, so that what it begins is known as steered whatever becomes of the answer.
            if let (Some(model), Some(key)) = (&stage.model, &stage.key) {
                self.inner.talk.store.steer(key, model).await?;
            }
        }
        let mut outcome = self.act(who, action, stage).await?;
        if spec.changes
            && let Some(by) = &stage.model
        {
            outcome.notes.push(known_until(&by.model.cutoff));
            if let Some(job) = &outcome.job {
                outcome.tables.extend(self.told_apart(job).await?);
            }
        }
        action.id().clone_into(&mut outcome.action);
        Ok(outcome)
    }

    fn action_entry(
        &self,
        who: &Authority,
        action: &AssistantAction,
        rule: Option<&str>,
    ) -> AuditEntry {
        let params = action.params();
        let id = action.id();
        AuditEntry {
            actor: who.actor.clone(),
            action: format!("assistant.{id}"),
            subject: id.to_owned(),
            decision: if rule.is_some() { "refused" } else { "allowed" }.to_owned(),
            rule: rule.map(str::to_owned),
            detail: json!({
                "trust": who.trust,
                "params_sha256": hex::encode(Sha256::digest(params.to_string())),
            }),
        }
    }

    async fn act(
        &self,
        who: &Authority,
        action: &AssistantAction,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        match action {
            A::AnalyseSymbol(p) => self.act_analyse_symbol(who, p, stage).await,
            A::RunTrial(p) => self.act_run_trial(who, p, stage).await,
            A::TrainEnsemble(p) => self.act_train_ensemble(who, p, stage).await,
            A::CompareModels(p) => self.act_compare_models(who, p, stage).await,
            A::CompareSymbols(p) => self.act_compare_symbols(p, stage).await,
            A::CompareTrials(p) => self.act_compare_trials(p, stage).await,
            A::ListTrials(p) => self.act_list_trials(p, stage).await,
            A::ShowTrial(p) => self.act_show_trial(p, stage).await,
            A::ExplainTrial(p) => self.act_explain_trial(p, stage).await,
            A::PauseTrial(p) | A::ResumeTrial(p) | A::CancelTrial(p) => {
                self.act_control_trial(who, p, action.id(), stage).await
            }
            A::WhatIfTrial(p) => self.act_what_if_trial(who, p, stage).await,
            A::ScreenUniverse(p) => self.act_screen(p, stage).await,
            A::OptimisePortfolio(p) => self.act_optimise_portfolio(p, stage).await,
            A::BacktestPortfolio(p) => self.act_backtest_portfolio(p, stage).await,
            A::ShowPortfolio(p) => self.act_show_portfolio(p, stage).await,
            A::PortfolioRisk(p) => self.act_portfolio_risk(p, stage).await,
            A::WhatIfPortfolio(p) => self.act_what_if_portfolio(p, stage).await,
            A::RunBacktest(p) => self.act_run_backtest(who, p, stage).await,
            A::ShowBacktest(p) => self.act_show_backtest(p, stage).await,
            A::ListBacktests(p) => self.act_list_backtests(p, stage).await,
            A::OptimiseStrategy(p) => self.act_optimise_strategy(who, p, stage).await,
            A::DevelopStrategy(p) => self.act_develop_strategy(who, p, stage).await,
            A::CreateAlert(p) => self.act_create_alert(who, p, stage).await,
            A::ListAlerts(p) => self.act_list_alerts(p, stage).await,
            A::RemoveAlert(p) => self.act_remove_alert(who, p, stage).await,
            A::PriceOption(p) => self.act_price_option(p, stage).await,
            A::ListDatasets(p) => self.act_list_datasets(p, stage).await,
            A::ShowData(p) => self.act_show_data(p, stage).await,
            A::DataQuality(p) => self.act_data_quality(p, stage).await,
            A::ListFeatures(p) => self.act_list_features(p, stage),
            A::ListModels(p) => self.act_list_models(p, stage),
            A::ShowModel(p) => self.act_show_model(p, stage),
            A::RunModel(p) => self.act_run_model(p, stage).await,
            A::ShowLineage(p) => self.act_show_lineage(p, stage).await,
            A::ListAudit(p) => self.act_list_audit(p, stage).await,
            A::VerifyAudit(_) => self.act_verify_audit(stage).await,
            A::ImportData(p) => self.act_import_data(who, p, stage).await,
            A::FetchData(p) => self.act_fetch_data(who, p, stage).await,
            A::SetGoal(p) => self.act_set_goal(who, p, stage).await,
            A::ShowGoal(_) => self.act_show_goal(stage).await,
            A::SearchMemory(p) => self.act_search_memory(p, stage).await,
            A::Help(p) => self.act_help(p, stage),
            A::Advise(_) | A::AdjustTrial(_) | A::OverrideModels(_) | A::TeachMethodology(_) => {
                self.act_coach(who, action, stage).await
            }
            A::Undo(p) => self.act_undo(who, p, stage).await,
            A::ProposeModels(p) => self.act_propose_models(p, stage).await,
            A::UploadPaper(p) => self.act_upload_paper(who, p, stage).await,
        }
    }
}
