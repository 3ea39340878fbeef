//! A turn of a language model: it proposes typed actions, the services decide and do them, and its words
//! are shown with the values of results in place of handles.
//!
//! What a model may do: the actions, with the lesser of the person's trust and the trust of the program's
//! model. Once material that others wrote (a paper, a file, what was said before) was read in a turn, no
//! action that changes anything is done in it: its words cannot ask for one.

use super::parser_turn::card_of;
use super::{AgentNote, Draft, lock, sentence};
use crate::{Authority, ServiceError, Services};
use mltrainer_assistant::figures::{Figure, Figures, Format, Renderer, Said, Value};
use mltrainer_assistant::llm::conversation::{AnswerEvent, Block, Call, Message, Request, Role};
use mltrainer_assistant::llm::{
    Account, LanguageModel, Meter, ToolCall, ToolDefinition, ask, estimate,
};
use mltrainer_assistant::quoted::{Fence, Material, quote};
use mltrainer_types::assistant::{AssistantAction, spec};
use mltrainer_types::chat::{
    ActionCard, ActionOutcome, CardState, ChatDelta, ChatMessage, ChatRole, text_of,
};
use mltrainer_types::llm::{Cost, LlmCall, ModelIdentity, StopReason, TokenUsage};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// Rounds of actions in a turn.
const ROUNDS: usize = 8;

/// Most tokens of an answer.
const ANSWER: u32 = 2_000;

/// Tokens that the conversation before a message may take.
const HISTORY: u64 = 8_000;

/// Tokens that what is remembered of other conversations may take.
const REMEMBERED: u64 = 1_000;

/// Messages that are looked at for it.
const BACK: u32 = 60;

/// Characters of a result that a model is given.
const RESULT: usize = 6_000;

/// Actions that read what others wrote.
const FOREIGN: [&str; 3] = ["upload_paper", "search_memory", "import_data"];

const SYSTEM: &str = "You are the assistant of mlTrainer, a program for honest trials of forecasting models on real market data. \
You act through tools only; each is checked against the permissions of the person, and some will be refused: say so then. \
Rules:\n\
- Every number that you state must be a figure of a result. Write its handle in double braces, exactly as it was offered, for example {{r1.f2}}; the program puts the value there. Never write a number yourself.\n\
- Ask back when a symbol, a model or a day is missing. Never guess a symbol.\n\
- Say when no edge over the naive forecast was found; that is the usual outcome. Never advise to buy or to sell.\n\
- No order is ever sent to a broker.\n\
- Answer in English, briefly, in plain words; first the finding, then its evidence, then what could be done next.";

/// What a turn has come to so far.
struct Turn {
    figures: Figures,
    cards: Vec<ActionCard>,
    usage: TokenUsage,
    /// Millionths of a dollar, and whether all of it is known.
    cost: Option<Cost>,
    /// Whether what others wrote was read.
    foreign: bool,
}

impl Services {
    /// The meter, with what was spent before.
    async fn meter(&self) -> Result<&Mutex<Meter>, ServiceError> {
        let talk = &self.inner.talk;
        let today = self.today();
        talk.meter
            .get_or_try_init(|| async {
                let record = talk.store.spent(today).await?;
                Ok::<_, ServiceError>(Mutex::new(Meter::new(talk.parts.ceilings, record)))
            })
            .await
    }

    /// Asks the model once, within the ceilings; the record of the call is stored whatever became of it.
    pub(crate) async fn ask_model(
        &self,
        model: &dyn LanguageModel,
        conversation: &str,
        request: &Request,
        call: &Call,
    ) -> Result<(mltrainer_assistant::llm::Answer, LlmCall), ServiceError> {
        let account = Account {
            meter: self.meter().await?,
            price: self.inner.talk.parts.price.as_ref(),
            day: self.today(),
            conversation,
        };
        let (answer, record) = ask(model, account, request, call).await;
        let now = self.inner.clock.now();
        self.inner.talk.store.spend(now, &record).await?;
        match answer {
            Ok(answer) => Ok((answer, record)),
            Err(failure) => Err(ServiceError::Unavailable(failure.error.to_string())),
        }
    }

    /// The conversation before a message, newest first until the room is used, in order.
    async fn history(&self, message: &ChatMessage) -> Result<Vec<Message>, ServiceError> {
        let before = self
            .inner
            .talk
            .store
            .last_messages(&message.conversation, Some(message.seq), BACK)
            .await?;
        let mut room = HISTORY;
        let mut kept: Vec<Message> = Vec::new();
        for m in before.iter().rev() {
            let mut role = match m.role {
                ChatRole::User => Role::User,
                ChatRole::Assistant => Role::Assistant,
                ChatRole::Agent => continue,
            };
            if m.text.trim().is_empty() {
                continue;
            }
            let cost = estimate::tokens(&m.text);
            if cost > room {
                break;
            }
            room -= cost;
            // Two of the same side in a row are one to the model.
            if let Some(last) = kept.last_mut()
                && last.role == role
            {
                last.blocks.insert(0, Block::text(m.text.clone()));
                continue;
            }
            let made = match &mut role {
                Role::User => Message::user(m.text.clone()),
                Role::Assistant => Message::assistant(m.text.clone()),
            };
            kept.push(made);
        }
        kept.reverse();
        if kept.first().is_some_and(|m| m.role == Role::Assistant) {
            kept.remove(0);
        }
        match kept.last_mut() {
            Some(last) if last.role == Role::User => {
                last.blocks.push(Block::text(message.text.clone()));
            }
            _ => kept.push(Message::user(message.text.clone())),
        }
        Ok(kept)
    }

    /// What a model should know before it answers.
    async fn system(&self, fence: &Fence, message: &ChatMessage) -> Result<String, ServiceError> {
        let mut system = format!(
            "{SYSTEM}\n{}\nToday is {}.",
            fence.instruction(),
            self.today()
        );
        if let Some(goal) = self.goal().await? {
            let text = quote(fence, Material::Memory, "the goal", &goal.goal.text, 2_000).text;
            let _ = write!(system, "\nThe goal that the person set:\n{text}");
        }
        // What fits of other conversations, by relevance, importance and age.
        let words: String = message.text.chars().take(500).collect();
        let remembered = self
            .search_memory(&crate::MemorySearch {
                query: words,
                limit: 12,
                ..crate::MemorySearch::default()
            })
            .await?;
        let mut room = REMEMBERED;
        for hit in &remembered {
            let own = hit.conversation == message.conversation;
            let snippet = hit.snippet.replace(['\u{2068}', '\u{2069}'], "");
            let cost = estimate::tokens(&snippet);
            if own || cost > room {
                continue;
            }
            room -= cost;
            let name = format!("{}, {}", hit.author, hit.at.date_naive());
            let _ = write!(
                system,
                "\n{}",
                quote(fence, Material::Memory, &name, &snippet, 400).text
            );
        }
        let sets = self.datasets().await?;
        let symbols: Vec<&str> = sets
            .iter()
            .flat_map(|s| s.symbols.iter().map(String::as_str))
            .take(200)
            .collect();
        let _ = write!(system, "\nSymbols with data: {}.", symbols.join(", "));
        Ok(system)
    }

    pub(super) async fn model_turn(
        &self,
        who: &Authority,
        message: &ChatMessage,
        stop: &CancellationToken,
    ) -> Result<Draft, ServiceError> {
        let Some(model) = self.inner.talk.parts.model.clone() else {
            return self.parser_turn(who, message, stop).await;
        };
        let answer = self.converse(model.as_ref(), who, message, stop).await;
        self.inner.talk.writing_in(&message.conversation).begin();
        match answer {
            Ok(draft) => Ok(draft),
            // Ended by the person.
            Err(_) if stop.is_cancelled() => Ok(Draft {
                model: Some(model.identity().clone()),
                ..Draft::plain(message.seq, "The answer was stopped.")
            }),
            Err(e) => {
                let mut draft = self.parser_turn(who, message, stop).await?;
                let said = format!(
                    "\n\nThe language model gave no answer ({}); the built-in parser answered.",
                    match &e {
                        ServiceError::Internal(text) => {
                            tracing::error!("the language model's turn failed: {text}");
                            e.problem().detail
                        }
                        other => other.to_string(),
                    }
                );
                draft.text.push_str(&said);
                draft
                    .pieces
                    .push(mltrainer_types::llm::AnswerPiece::Text { text: said });
                Ok(draft)
            }
        }
    }

    async fn converse(
        &self,
        model: &dyn LanguageModel,
        who: &Authority,
        message: &ChatMessage,
        stop: &CancellationToken,
    ) -> Result<Draft, ServiceError> {
        let talk = &self.inner.talk;
        let fence = fence(&talk.parts.secret, message)?;
        let identity = model.identity().clone();
        let authority = Authority {
            actor: format!("{} for {}", identity.model, who.actor),
            trust: who.trust.min(talk.parts.trust),
        };
        let mut request = Request::new(self.system(&fence, message).await?, "-", ANSWER);
        request.messages = self.history(message).await?;
        request.tools = self
            .actions()
            .into_iter()
            .map(|a| ToolDefinition {
                name: a.id,
                description: a.does,
                schema: a.schema,
            })
            .collect();
        let said = Arc::new(Said::new(
            request
                .messages
                .iter()
                .filter(|m| m.role == Role::User)
                .flat_map(|m| &m.blocks)
                .filter_map(|b| match b {
                    Block::Text { text } => Some(text.as_str()),
                    _ => None,
                }),
        ));
        let mut turn = Turn {
            figures: Figures::new(),
            cards: Vec::new(),
            usage: TokenUsage::default(),
            cost: None,
            foreign: false,
        };
        let writing = talk.writing_in(&message.conversation);
        for round in 0..=ROUNDS {
            writing.begin();
            if round == ROUNDS {
                // No more tools: it has to answer with what it has.
                request.tools.clear();
            }
            let figures = Arc::new(turn.figures.clone());
            let renderer = Arc::new(Mutex::new(Renderer::new(figures.clone(), said.clone())));
            let (live, to, answers) = (renderer.clone(), writing.clone(), message.seq);
            let call = Call {
                cancel: stop.clone(),
                report: Arc::new(move |event| {
                    if let AnswerEvent::TextDelta(text) = event {
                        let pieces = lock(&live).push(&text);
                        if !pieces.is_empty() {
                            to.say(ChatDelta { answers, pieces });
                        }
                    }
                }),
            };
            let conversation = message.conversation.as_str();
            let (answer, record) = self.ask_model(model, conversation, &request, &call).await?;
            add(&mut turn, &record);
            let text = answer.text();
            let (pieces, citations) =
                mltrainer_assistant::figures::render(figures, said.clone(), &text);
            let calls: Vec<ToolCall> = answer.tool_calls().cloned().collect();
            if calls.is_empty() {
                let changes = |c: &ActionCard| spec(&c.action).is_some_and(|s| s.changes);
                let importance = if turn.cards.iter().any(changes) {
                    0.8
                } else {
                    0.4
                };
                let mut draft = Draft {
                    text: text_of(&pieces),
                    pieces,
                    citations,
                    cards: turn.cards,
                    model: Some(identity),
                    usage: Some(turn.usage),
                    cost: turn.cost,
                    importance,
                    ..Draft::answer(message.seq)
                };
                let cut = match answer.stop {
                    StopReason::MaxTokens | StopReason::ContextWindow => {
                        Some("The answer is incomplete: it reached its longest length.")
                    }
                    StopReason::Refusal => Some("The model refused to answer."),
                    _ if draft.text.trim().is_empty() => Some("The model said nothing."),
                    _ => None,
                };
                if let Some(words) = cut {
                    let words = format!("\n\n{words}");
                    draft.text.push_str(&words);
                    draft
                        .pieces
                        .push(mltrainer_types::llm::AnswerPiece::Text { text: words });
                }
                return Ok(draft);
            }
            if !text.trim().is_empty() {
                let note = AgentNote {
                    agent: super::NAME,
                    said: ActionOutcome {
                        pieces,
                        citations,
                        ..ActionOutcome::default()
                    },
                };
                self.store_note(message, note).await;
            }
            request.messages.push(answer.message());
            let mut results = Vec::with_capacity(calls.len());
            for call in calls {
                let (content, is_error) = self
                    .do_call(
                        &authority, message, &mut turn, &fence, &call, &identity, stop,
                    )
                    .await?;
                results.push(Block::ToolResult {
                    id: call.id,
                    content,
                    is_error,
                });
            }
            request.messages.push(Message {
                role: Role::User,
                blocks: results,
            });
        }
        Err(ServiceError::Unavailable(
            "the language model asked for actions without end".to_owned(),
        ))
    }

    /// Does what a model proposes, and tells it what that came to.
    #[expect(
        clippy::too_many_arguments,
        reason = "one call site; each is a different thing"
    )]
    async fn do_call(
        &self,
        authority: &Authority,
        message: &ChatMessage,
        turn: &mut Turn,
        fence: &Fence,
        call: &ToolCall,
        model: &ModelIdentity,
        stop: &CancellationToken,
    ) -> Result<(String, bool), ServiceError> {
        let action = match AssistantAction::from_parts(&call.name, call.arguments.clone()) {
            Ok(action) => action,
            Err(said) => return Ok((sentence(&said), true)),
        };
        let place = turn.cards.len();
        if turn.foreign && action.spec().is_some_and(|s| s.changes) {
            let mut card = card_of(&action, CardState::Refused);
            let why = "material that others wrote was read for this answer, so it begins nothing; ask for it in a message of your own";
            card.problem = Some(why.to_owned());
            turn.cards.push(card);
            return Ok((sentence(why), true));
        }
        turn.foreign |= FOREIGN.contains(&action.id());
        let card = self
            .do_action(authority, message, place, &action, Some(model), stop)
            .await?;
        let told = match &card.outcome {
            Some(outcome) => {
                let name = format!("r{}", place + 1);
                let text = describe(&mut turn.figures, &name, outcome);
                (
                    quote(fence, Material::Output, action.id(), &text, RESULT).text,
                    false,
                )
            }
            None => (
                sentence(card.problem.as_deref().unwrap_or("it was not done")),
                true,
            ),
        };
        turn.cards.push(card);
        Ok(told)
    }
}

/// The figures of an outcome under the names that the model may use, and its words with them.
fn describe(figures: &mut Figures, name: &str, outcome: &ActionOutcome) -> String {
    let mut text = String::new();
    let mut n = 0;
    for piece in &outcome.pieces {
        match piece {
            mltrainer_types::llm::AnswerPiece::Figure {
                text: shown,
                citation,
            } => {
                n += 1;
                let cited = outcome.citations.get(*citation as usize);
                let handle = format!("{name}.f{n}");
                let added = figures.add(
                    &handle,
                    Figure {
                        value: Value::Text(shown.clone()),
                        format: Format::Decimal(0),
                        label: cited.map(|c| c.label.clone()).unwrap_or_default(),
                        link: cited.and_then(|c| c.link.clone()),
                    },
                );
                match added {
                    // The braces of figures are broken up in quoted material: offered below.
                    Ok(()) => {
                        let _ = write!(text, "{shown} (figure {handle})");
                    }
                    Err(_) => text.push_str(shown),
                }
            }
            mltrainer_types::llm::AnswerPiece::Text { text: words }
            | mltrainer_types::llm::AnswerPiece::Unverified { text: words } => text.push_str(words),
        }
    }
    for table in &outcome.tables {
        let _ = write!(text, "\n\n{}: {}", table.title, table.columns.join(" | "));
        for (r, row) in table.rows.iter().take(30).enumerate() {
            text.push('\n');
            for (c, cell) in row.iter().enumerate() {
                let handle = format!("{name}.t{}_{}", r + 1, c + 1);
                let figure = Figure {
                    value: Value::Text(cell.clone()),
                    format: Format::Decimal(0),
                    label: table.columns.get(c).cloned().unwrap_or_default(),
                    link: outcome.link.clone(),
                };
                let digits = cell.contains(|c: char| c.is_ascii_digit());
                if digits && figures.add(&handle, figure).is_ok() {
                    let _ = write!(text, "{cell} (figure {handle}) | ");
                } else {
                    let _ = write!(text, "{cell} | ");
                }
            }
        }
    }
    if let Some(link) = &outcome.link {
        let _ = write!(text, "\nShown at {link}");
    }
    for note in &outcome.notes {
        let _ = write!(text, "\nNote: {note}");
    }
    text
}

fn add(turn: &mut Turn, record: &LlmCall) {
    let (a, b) = (&mut turn.usage, &record.usage);
    a.input = a.input.saturating_add(b.input);
    a.cache_write = a.cache_write.saturating_add(b.cache_write);
    a.cache_write_1h = a.cache_write_1h.saturating_add(b.cache_write_1h);
    a.cache_read = a.cache_read.saturating_add(b.cache_read);
    a.output = a.output.saturating_add(b.output);
    a.estimated |= b.estimated;
    turn.cost = Some(match (turn.cost.take(), &record.cost) {
        (
            Some(Cost::Known {
                micro_dollars,
                price_as_of,
                price_source,
            }),
            Cost::Known {
                micro_dollars: more,
                ..
            },
        ) => Cost::Known {
            micro_dollars: micro_dollars.saturating_add(*more),
            price_as_of,
            price_source,
        },
        (None, cost) => cost.clone(),
        _ => Cost::Unknown,
    });
}

/// The mark around quoted material: different for each message, and none that a text can know.
fn fence(secret: &str, message: &ChatMessage) -> Result<Fence, ServiceError> {
    let text = format!("{secret}/{}/{}", message.conversation, message.seq);
    let digest = hex::encode(Sha256::digest(text));
    Fence::new(&digest[..32]).map_err(|e| ServiceError::Internal(e.to_string()))
}
