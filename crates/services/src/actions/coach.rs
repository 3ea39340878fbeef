//! Commands of a coach.

use super::data::shown;
use super::{Authority, Reply, Stage, job};
use crate::{ServiceError, Services};
use mltrainer_types::assistant::{AssistantAction, Undo};
use mltrainer_types::chat::ActionOutcome;
use mltrainer_types::coach::InterventionState;

impl Services {
    pub(super) async fn act_coach(
        &self,
        who: &Authority,
        action: &AssistantAction,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let made = self.coach(who, action, stage.key.as_deref()).await?;
        let mut reply = Reply::new(Some("/coaching".to_owned()));
        if let Some(coached) = &made.coached {
            reply.job(job("trial", coached.as_str()));
        }
        let words = reply.name("intervention", &made.words);
        reply.say(&words);
        match made.state {
            InterventionState::Noted => {
                reply.note("Words alone change no trial: say for example \"override the model choice in the trial with ridge\".");
            }
            _ => {
                reply.say("Its effect is measured against the control when both have ended, and moves the trust of the coach by the stated rule.");
                reply.next("Undo the last intervention");
            }
        }
        reply.done(&stage.said, &made)
    }

    pub(super) async fn act_undo(
        &self,
        who: &Authority,
        p: &Undo,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let undone = self.undo(who, p, stage.key.as_deref()).await?;
        let mut reply = Reply::new(Some("/coaching".to_owned()));
        let (id, words) = (
            reply.name("intervention", &undone.id),
            reply.name("what it was", &undone.words),
        );
        reply.say(&format!("{id} was taken back: {words}"));
        if let Some(control) = &undone.control {
            let control = reply.name("control", control.as_str());
            reply.say(&format!("The control {control} stands."));
        }
        if let Some(effect) = &undone.effect {
            reply.note(format!(
                "Its measured difference was {}.",
                shown(Some(effect.difference))
            ));
        }
        reply.done(&stage.said, &undone)
    }
}
