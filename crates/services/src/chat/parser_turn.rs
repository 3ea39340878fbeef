//! A turn of the built-in parser.

use super::{Draft, joined, lock, sentence};
use crate::actions::{AgentNote, Stage};
use crate::port::SteeredAction;
use crate::{Authority, ServiceError, Services};
use mltrainer_assistant::parser::{Context, Lexicon, ModelName, Parser, SymbolName};
use mltrainer_types::assistant::{AssistantAction, ParsedAction, Understanding, spec};
use mltrainer_types::chat::{ActionCard, CardState, ChatMessage, ChatRole};
use mltrainer_types::data::DatasetKind;
use mltrainer_types::llm::ModelIdentity;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Messages that "it" and "the last trial" are looked for in.
const BACK: u32 = 40;

impl Services {
    /// What a text asks for, in a conversation or alone.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn understand(
        &self,
        text: &str,
        context: &Context,
    ) -> Result<Understanding, ServiceError> {
        Ok(self.parser().await?.parse(text, context))
    }

    /// The parser, made anew when symbols were registered since.
    async fn parser(&self) -> Result<Arc<Parser>, ServiceError> {
        let sets = self.datasets().await?;
        let symbols: BTreeSet<String> = sets.iter().flat_map(|s| s.symbols.clone()).collect();
        let mut known = lock(&self.inner.talk.parser);
        if let Some((of, parser)) = &*known
            && *of == symbols
        {
            return Ok(parser.clone());
        }
        // What can be traded first: the first ones are what a question back suggests.
        let mut ordered: Vec<(u8, &String)> = sets
            .iter()
            .flat_map(|s| {
                let rank = match s.kind {
                    DatasetKind::Bars => 0,
                    DatasetKind::Series => 2,
                    _ => 1,
                };
                s.symbols.iter().map(move |symbol| (rank, symbol))
            })
            .collect();
        ordered.sort();
        ordered.dedup_by_key(|(_, symbol)| *symbol);
        let lexicon = Lexicon {
            symbols: ordered
                .iter()
                .map(|(_, symbol)| SymbolName {
                    symbol: (*symbol).clone(),
                    names: Vec::new(),
                })
                .collect(),
            models: self
                .catalogue()
                .iter()
                .map(|e| ModelName {
                    id: e.id.clone(),
                    title: e.title.clone(),
                    family: e.family.clone(),
                    tasks: e.tasks.iter().map(|t| t.as_str().to_owned()).collect(),
                })
                .collect(),
        };
        let parser = Arc::new(Parser::new(lexicon));
        *known = Some((symbols, parser.clone()));
        Ok(parser)
    }

    /// What was spoken of before a message.
    pub(super) async fn context_of(&self, message: &ChatMessage) -> Result<Context, ServiceError> {
        let before = self
            .inner
            .talk
            .store
            .last_messages(&message.conversation, Some(message.seq), BACK)
            .await?;
        let mut context = Context::new(self.today());
        for m in &before {
            for card in m.cards.iter().filter(|c| c.state == CardState::Done) {
                if let Some(symbols) = symbols_of(&card.params) {
                    context.last_symbols = symbols;
                }
                let again = AssistantAction::from_parts(&card.action, card.params.clone());
                context.last_action = again.ok().or(context.last_action);
                let Some(outcome) = &card.outcome else {
                    continue;
                };
                match outcome.job.as_ref().map(|j| (j.kind.as_str(), &j.id)) {
                    Some(("trial", id)) => context.last_trial = Some(id.clone()),
                    Some(("backtest", id)) => context.last_backtest = Some(id.clone()),
                    Some(("alert", id)) => context.last_alert = Some(id.clone()),
                    _ => {}
                }
            }
        }
        // A question stands as long as nothing else was said since.
        let last = before.iter().rev().find(|m| m.role != ChatRole::Agent);
        context.question = last.and_then(|m| m.question.clone());
        if context.last_trial.is_none() {
            let newest = self.trials(None).await?;
            context.last_trial = newest.items.first().map(|t| t.id.0.clone());
        }
        if context.last_backtest.is_none() {
            let newest = self.backtests(None).await?;
            context.last_backtest = newest.items.first().map(|b| b.id.0.clone());
        }
        Ok(context)
    }

    pub(super) async fn parser_turn(
        &self,
        who: &Authority,
        message: &ChatMessage,
        stop: &CancellationToken,
    ) -> Result<Draft, ServiceError> {
        let context = self.context_of(message).await?;
        let draft = match self.understand(&message.text, &context).await? {
            Understanding::Actions { actions } => {
                return self.do_actions(who, message, actions, stop).await;
            }
            Understanding::Question(question) => {
                let mut text = sentence_or_question(&question.question);
                if !question.suggestions.is_empty() {
                    text.push_str(&format!(
                        " For example: {}.",
                        question.suggestions.join("; ")
                    ));
                }
                Draft {
                    question: Some(question),
                    ..Draft::plain(message.seq, text)
                }
            }
            Understanding::NotUnderstood {
                sentence: said,
                suggestions,
            } => {
                let mut text = sentence(&said);
                if !suggestions.is_empty() {
                    text.push_str("\n\nTry for example:");
                    for s in suggestions {
                        text.push_str(&format!("\n- {s}"));
                    }
                }
                Draft {
                    importance: 0.1,
                    ..Draft::plain(message.seq, text)
                }
            }
        };
        Ok(draft)
    }

    /// Does actions one after another; after one that was not done the others are not tried.
    async fn do_actions(
        &self,
        who: &Authority,
        message: &ChatMessage,
        actions: Vec<ParsedAction>,
        stop: &CancellationToken,
    ) -> Result<Draft, ServiceError> {
        let mut draft = Draft::answer(message.seq);
        let mut failed = false;
        for (n, parsed) in actions.into_iter().enumerate() {
            let mut card = if failed {
                card_of(&parsed.action, CardState::Skipped)
            } else {
                self.do_action(who, message, n, &parsed.action, None, stop)
                    .await?
            };
            if let Some(outcome) = &mut card.outcome {
                outcome.notes.extend(parsed.notes);
            }
            failed |= card.state != CardState::Done;
            let changes = spec(&card.action).is_some_and(|s| s.changes);
            draft.importance = f64::max(draft.importance, if changes { 0.8 } else { 0.4 });
            draft.cards.push(card);
        }
        joined(&mut draft);
        for card in &draft.cards {
            if let Some(problem) = &card.problem {
                if !draft.text.is_empty() {
                    draft.text.push_str("\n\n");
                    draft.pieces.push(text("\n\n"));
                }
                let said = sentence(problem);
                draft.text.push_str(&said);
                draft.pieces.push(text(&said));
            }
        }
        Ok(draft)
    }

    /// Does one action of a message, which a language model may have proposed; what agents say on the way is
    /// stored as it comes.
    pub(super) async fn do_action(
        &self,
        who: &Authority,
        message: &ChatMessage,
        place: usize,
        action: &AssistantAction,
        model: Option<&ModelIdentity>,
        stop: &CancellationToken,
    ) -> Result<ActionCard, ServiceError> {
        let (notes, mut heard) = mpsc::unbounded_channel::<AgentNote>();
        let stage = Stage {
            key: Some(format!("{}/{}/{place}", message.conversation, message.seq)),
            wait: true,
            notes: Some(notes),
            said: vec![message.text.clone()],
            model: model.map(|model| SteeredAction {
                model: model.into(),
                message: Some((message.conversation.clone(), message.seq)),
            }),
            ..Stage::alone()
        };
        let work = async {
            let outcome = self.perform(who, action, &stage).await;
            // The end of the notes.
            drop(stage);
            outcome
        };
        let listen = async {
            while let Some(note) = heard.recv().await {
                self.store_note(message, note).await;
            }
        };
        let done = tokio::select! {
            (outcome, ()) = async { tokio::join!(work, listen) } => Some(outcome),
            () = stop.cancelled() => None,
        };
        let mut card = card_of(action, CardState::Done);
        match done {
            Some(Ok(outcome)) => card.outcome = Some(outcome),
            Some(Err(e)) => {
                card.state = match &e {
                    ServiceError::Refused(_) => CardState::Refused,
                    _ => CardState::Failed,
                };
                card.problem = Some(match &e {
                    ServiceError::Internal(text) => {
                        tracing::error!("{} failed: {text}", action.id());
                        e.problem().detail
                    }
                    ServiceError::Invalid { detail, .. } => detail.clone(),
                    ServiceError::NotFound {
                        what: "symbol",
                        id,
                        suggestions,
                    } => {
                        let near = match suggestions.as_slice() {
                            [] => String::new(),
                            near => format!(" Did you mean {}?", near.join(" or ")),
                        };
                        format!(
                            "there are no data of {id}: fetch them (\"fetch {id} from polygon\"), import a file, or choose a symbol that is there (\"what data do you have?\").{near}"
                        )
                    }
                    other => other.to_string(),
                });
            }
            None => {
                card.state = CardState::Failed;
                card.problem = Some(
                    "the answer was stopped; what it had begun goes on and can be cancelled on its page"
                        .to_owned(),
                );
            }
        }
        Ok(card)
    }
}

fn text(words: &str) -> mltrainer_types::llm::AnswerPiece {
    mltrainer_types::llm::AnswerPiece::Text {
        text: words.to_owned(),
    }
}

fn sentence_or_question(said: &str) -> String {
    if said.ends_with('?') {
        said.to_owned()
    } else {
        sentence(said)
    }
}

pub(super) fn card_of(action: &AssistantAction, state: CardState) -> ActionCard {
    ActionCard {
        action: action.id().to_owned(),
        title: action
            .spec()
            .map_or_else(|| action.id().to_owned(), |s| s.title.to_owned()),
        params: action.params(),
        state,
        problem: None,
        outcome: None,
    }
}

/// The symbols of an action's parameters.
fn symbols_of(params: &serde_json::Value) -> Option<Vec<String>> {
    let list = params
        .get("symbols")
        .or_else(|| params.get("request")?.get("symbols"))?;
    let symbols: Vec<String> = list
        .as_array()?
        .iter()
        .filter_map(|s| s.as_str().map(str::to_owned))
        .collect();
    (!symbols.is_empty()).then_some(symbols)
}
