//! `mltrainer ask`: one sentence, or one typed action, done in this process.

use super::out::{Table, json, say};
use super::{Failure, Global};
use crate::action::action;
use crate::outcome;
use clap::Args;
use futures::StreamExt as _;
use mltrainer_services::{Authority, ChatSent, ServiceError, Services, Stage};
use mltrainer_types::ConversationId;
use mltrainer_types::chat::{CardState, ChatMessage, ChatRole, SayRequest};
use serde_json::Value;
use std::process::ExitCode;
use tokio::sync::mpsc;

/// Who acts, in the audit chain.
const ACTOR: &str = "cli";

/// Exit code of an answer that asks back.
const ASKED_BACK: u8 = 5;

/// `mltrainer ask`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mltrainer ask \"What can you do?\"\n  mltrainer ask \"Analyze momentum for AAPL over next 7-10 days\"\n  mltrainer ask --conversation c-... \"And for IBM?\"\n  mltrainer ask --action list_datasets\n  mltrainer ask --action set_goal --params '{\"text\": \"a Sharpe ratio of at least 1\"}'\n  mltrainer ask --list --format json\n\nWhat agents say on the way goes to standard error, the answer to standard output (json: the whole message, or the action's outcome). Exit codes: 0 answered; 1 not possible now; 2 not understood, or bad usage; 3 refused; 4 an action failed; 5 something is asked back: answer with --conversation."
)]
pub(super) struct Ask {
    /// What is said; several words need no quotes
    #[arg(required_unless_present_any = ["action", "list"], conflicts_with_all = ["action", "list"])]
    sentence: Vec<String>,
    /// Conversation that it belongs to; a new one when absent
    #[arg(long, value_name = "ID", conflicts_with_all = ["action", "list"])]
    conversation: Option<String>,
    /// Does this typed action instead
    #[arg(long, value_name = "ID", conflicts_with = "list")]
    action: Option<String>,
    /// Parameters of the action: a JSON object
    #[arg(long, value_name = "JSON", requires = "action")]
    params: Option<String>,
    /// Waits for what the action begins (as it does without --no-wait)
    #[arg(long, requires = "action", conflicts_with = "no_wait")]
    wait: bool,
    /// Does not wait for what the action begins: a program that serves the same data folder goes on with it
    #[arg(long, requires = "action")]
    no_wait: bool,
    /// Lists the actions with their parameters
    #[arg(long)]
    list: bool,
}

impl Ask {
    pub(super) async fn execute(self, global: &Global) -> Result<ExitCode, Failure> {
        let as_json = global.is_json()?;
        global
            .with(async |open| self.run(&open.services, as_json).await)
            .await
    }

    async fn run(self, services: &Services, as_json: bool) -> Result<ExitCode, Failure> {
        if self.list {
            return list(services, as_json);
        }
        if let Some(id) = self.action {
            let params = match &self.params {
                None => Value::Null,
                Some(text) => serde_json::from_str(text)
                    .map_err(|e| Failure::new(2, format!("--params is not JSON: {e}")))?,
            };
            return perform(services, &id, params, !self.no_wait, as_json).await;
        }
        let request = SayRequest {
            text: self.sentence.join(" "),
            conversation: self.conversation.map(ConversationId),
        };
        talk(services, request, as_json).await
    }
}

fn list(services: &Services, as_json: bool) -> Result<ExitCode, Failure> {
    let actions = services.actions();
    if as_json {
        json(&actions)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["action", "trust", "changes", "parameters", "for example"]);
    for a in actions {
        let names = a.schema.get("properties").and_then(Value::as_object);
        let names: Vec<&str> = names
            .map(|n| n.keys().map(String::as_str).collect())
            .unwrap_or_default();
        table.row([
            a.id,
            a.required_trust.to_string(),
            if a.changes { "yes" } else { "no" }.to_owned(),
            names.join(", "),
            a.examples.into_iter().next().unwrap_or_default(),
        ]);
    }
    say(&table.text())?;
    Ok(ExitCode::SUCCESS)
}

async fn perform(
    services: &Services,
    id: &str,
    params: Value,
    wait: bool,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let action = action(id, params)?;
    let (notes, mut heard) = mpsc::unbounded_channel();
    let stage = Stage {
        wait,
        notes: Some(notes),
        ..Stage::alone()
    };
    let who = Authority::person(ACTOR);
    let work = async {
        let outcome = services.perform(&who, &action, &stage).await;
        // The end of the notes.
        drop(stage);
        outcome
    };
    let listen = async {
        while let Some(note) = heard.recv().await {
            progress(note.agent, &note.said.text());
        }
    };
    let (outcome, ()) = tokio::select! {
        both = async { tokio::join!(work, listen) } => both,
        () = super::serve::signal() => return Err(interrupted()),
    };
    let outcome = outcome?;
    if as_json {
        json(&outcome)?;
    } else {
        say(outcome::text(&outcome).trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn interrupted() -> Failure {
    Failure::new(
        130,
        "interrupted; finished steps of what was begun are kept, go on with `mltrainer trial resume` or `mltrainer serve`",
    )
}

fn progress(agent: &str, text: &str) {
    super::complain(&format!("{agent}: {text}"));
}

/// Says it and waits for the answer.
async fn talk(
    services: &Services,
    request: SayRequest,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let said = services
        .say(&Authority::person(ACTOR), request, None)
        .await?;
    let id = said.conversation.as_str();
    let mut heard = services.follow_conversation(id, said.seq).await?;
    let stopped = super::serve::signal();
    tokio::pin!(stopped);
    let answer = loop {
        let sent = tokio::select! {
            sent = heard.next() => sent,
            () = &mut stopped => {
                services.stop_answers(id).await?;
                return Err(interrupted());
            }
        };
        let Some(sent) = sent else {
            return Err(ServiceError::Unavailable("the answer broke off".to_owned()).into());
        };
        let ChatSent::Message(message) = sent? else {
            continue;
        };
        let message = &message.event;
        if message.answers != Some(said.seq) {
            continue;
        }
        match message.role {
            ChatRole::Agent => progress(&message.author, &message.text),
            ChatRole::Assistant => break message.clone(),
            ChatRole::User => {}
        }
    };
    ended(&answer, as_json)
}

/// Prints an answer; the exit code says what became of it.
fn ended(answer: &ChatMessage, as_json: bool) -> Result<ExitCode, Failure> {
    if as_json {
        json(answer)?;
    }
    let code = code(answer);
    if code != 0 && code != ASKED_BACK {
        if !as_json && answer.cards.iter().any(|c| c.outcome.is_some()) {
            say(outcome::message(answer).trim_end())?;
        }
        let problem = answer.cards.iter().find_map(|c| c.problem.clone());
        return Err(Failure::new(
            code,
            problem.unwrap_or_else(|| answer.text.replace('\n', " ")),
        ));
    }
    if !as_json {
        say(outcome::message(answer).trim_end())?;
        if code == ASKED_BACK {
            super::complain(&format!(
                "answer with: mltrainer ask --conversation {} \"...\"",
                answer.conversation
            ));
        }
    }
    Ok(ExitCode::from(code))
}

fn code(answer: &ChatMessage) -> u8 {
    let any = |state| answer.cards.iter().any(|c| c.state == state);
    if any(CardState::Refused) {
        3
    } else if any(CardState::Failed) {
        4
    } else if answer.question.is_some() {
        ASKED_BACK
    } else if answer.cards.is_empty() && answer.model.is_none() {
        // The parser made nothing of it; a language model may answer without an action.
        2
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_types::chat::ActionCard;
    use serde_json::json;

    fn answer(states: &[CardState]) -> ChatMessage {
        let card = |state: &CardState| ActionCard {
            action: "help".to_owned(),
            title: "Help".to_owned(),
            params: json!({}),
            state: *state,
            problem: None,
            outcome: None,
        };
        serde_json::from_value(json!({
            "seq": 2, "conversation": "c-1", "at": "2026-11-29T15:00:00Z", "role": "assistant",
            "author": "mlTrainer", "answers": 1, "text": "", "pieces": [], "citations": [],
            "cards": states.iter().map(card).collect::<Vec<_>>(), "question": null, "model": null,
            "usage": null, "cost": null, "importance": 0.4, "topics": []
        }))
        .unwrap()
    }

    #[test]
    fn the_exit_code_says_what_became_of_it() {
        use CardState::{Done, Failed, Refused, Skipped};
        assert_eq!(code(&answer(&[Done])), 0);
        assert_eq!(code(&answer(&[Done, Failed, Skipped])), 4);
        assert_eq!(code(&answer(&[Refused, Skipped])), 3);
        assert_eq!(code(&answer(&[])), 2);
    }
}
