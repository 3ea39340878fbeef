//! Language models behind one trait: [`LanguageModel`], with [`connect`] for Anthropic's Messages and
//! for OpenAI-compatible chat completions.
//!
//! [`ask`] is the way to use one: it checks the ceilings, calls, counts what was used, and gives the
//! record with model, knowledge cut-off, tokens, cost and reason of the end. What a model says is text
//! and wishes: a call of a tool is a typed wish that the caller parses, checks and refuses by the
//! permissions of the person, never by the words of the model.

mod anthropic;
pub mod conversation;
pub mod cutoff;
mod error;
pub mod estimate;
mod http;
mod key;
pub mod meter;
pub mod models;
mod openai;
mod sse;
mod tls;

pub use conversation::{
    Answer, AnswerEvent, Block, Call, Failure, Message, Request, Role, ToolCall, ToolChoice,
    ToolDefinition,
};
pub use error::LlmError;
pub use http::Limits;
pub use key::Key;
pub use meter::{CeilingRefusal, Meter};

use async_trait::async_trait;
use chrono::NaiveDate;
use meter::Permit;
use mltrainer_types::llm::{
    KnowledgeCutoff, LlmCall, LlmProvider, ModelIdentity, ModelPrice, StopReason, TokenUsage,
};
use serde_json::{Map, Value};
use std::sync::{Arc, Mutex, PoisonError};

/// Anthropic's own address.
pub const ANTHROPIC_URL: &str = "https://api.anthropic.com";
/// The model that is asked at [`ANTHROPIC_URL`] when none is configured.
pub const ANTHROPIC_MODEL: &str = "claude-sonnet-5-5";

/// A language model.
#[async_trait]
pub trait LanguageModel: Send + Sync {
    /// Which model is asked, where, and up to when it can know.
    fn identity(&self) -> &ModelIdentity;

    /// Whether symbols and dates are masked before it sees them.
    fn masks(&self) -> bool {
        false
    }

    /// Asks; the answer is told to the call as it comes, and given whole at the end. Nothing is told
    /// after [`AnswerEvent::Done`] or an error. Ceilings are not checked here: use [`ask`].
    ///
    /// # Errors
    /// [`Failure`] with one sentence and what may have been used nevertheless.
    async fn answer(&self, request: &Request, call: &Call) -> Result<Answer, Failure>;
}

/// How a model is reached; all of it is handed in.
#[derive(Debug, Clone)]
pub struct ModelConfig {
    /// Wire format.
    pub provider: LlmProvider,
    /// Address of the server, with or without `/v1`.
    pub base_url: String,
    /// Name of the model.
    pub model: String,
    /// Key; servers of one's own often need none.
    pub key: Option<Key>,
    /// Bounds on requests.
    pub limits: Limits,
    /// Seed of the spread of pauses.
    pub seed: u64,
    /// The last day that may be in the model, where it is known better than [`models`] does.
    pub cutoff: Option<NaiveDate>,
    /// More fields of the request in the vendor's own words, for example
    /// `{"output_config": {"effort": "low"}}`.
    pub extra: Map<String, Value>,
    /// Anthropic: the version of its interface; by the host when `None`.
    pub api_version: Option<String>,
    /// Anthropic: keep the prompt cached for an hour instead of five minutes.
    pub long_cache: bool,
    /// Whether prompts and key may travel unencrypted to another machine, in a network of one's own.
    pub plain_http: bool,
}

impl ModelConfig {
    /// A configuration with the defaults.
    pub fn new(
        provider: LlmProvider,
        base_url: impl Into<String>,
        model: impl Into<String>,
        key: Option<Key>,
    ) -> Self {
        Self {
            provider,
            base_url: base_url.into(),
            model: model.into(),
            key,
            limits: Limits::default(),
            seed: 1,
            cutoff: None,
            extra: Map::new(),
            api_version: None,
            long_cache: false,
            plain_http: false,
        }
    }

    fn identity(&self, host: &str) -> ModelIdentity {
        let cutoff: KnowledgeCutoff = models::cutoff(self.provider, &self.model, self.cutoff);
        ModelIdentity {
            provider: self.provider,
            model: self.model.clone(),
            host: host.to_owned(),
            cutoff,
        }
    }
}

/// The fields of a request that a configuration may not set.
fn extra(extra: Map<String, Value>) -> Result<Map<String, Value>, LlmError> {
    const OURS: [&str; 10] = [
        "model",
        "messages",
        "system",
        "tools",
        "tool_choice",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "n",
    ];
    match OURS.iter().find(|name| extra.contains_key(**name)) {
        Some(name) => Err(LlmError::NotConfigured {
            what: format!(
                "the further field {name} of requests is set by the program; leave it away"
            ),
        }),
        None => Ok(extra),
    }
}

/// A client of the configured model; nothing is sent yet.
///
/// # Errors
/// [`LlmError::NotConfigured`]: no model, an address that cannot be used, no key for Anthropic.
pub fn connect(config: ModelConfig) -> Result<Arc<dyn LanguageModel>, LlmError> {
    let missing = |what: &str| LlmError::NotConfigured {
        what: what.to_owned(),
    };
    if config.model.trim().is_empty() {
        return Err(missing("name a model"));
    }
    Ok(match config.provider {
        LlmProvider::Anthropic => {
            if config.key.is_none() {
                return Err(missing(
                    "Anthropic needs a key; set it, or use the built-in parser",
                ));
            }
            Arc::new(anthropic::Anthropic::new(config)?)
        }
        LlmProvider::OpenaiCompatible => Arc::new(openai::OpenAi::new(config)?),
    })
}

/// What a call is counted on.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    /// The meter.
    pub meter: &'a Mutex<Meter>,
    /// The configured price of the model, where there is one.
    pub price: Option<&'a ModelPrice>,
    /// The day (UTC).
    pub day: NaiveDate,
    /// The conversation.
    pub conversation: &'a str,
}

/// Asks a model within the ceilings, and gives the record of the call, whatever became of it.
///
/// When this future is dropped while the call is under way, the worst case is counted.
pub async fn ask(
    model: &dyn LanguageModel,
    account: Account<'_>,
    request: &Request,
    call: &Call,
) -> (Result<Answer, Failure>, LlmCall) {
    let identity = model.identity();
    let prompt = estimate::prompt_tokens(request);
    let answer = u64::from(request.max_tokens);
    let price = models::price(identity, account.price);
    let reserved = request.check().and_then(|()| {
        lock(account.meter)
            .reserve(
                account.day,
                account.conversation,
                identity,
                price.clone(),
                prompt,
                answer,
            )
            .map_err(LlmError::from)
    });
    let mut record = LlmCall {
        model: identity.clone(),
        answered_by: None,
        vendor_id: None,
        day: account.day,
        conversation: account.conversation.to_owned(),
        usage: TokenUsage::default(),
        cost: models::cost(price.as_ref(), &TokenUsage::default()),
        stop: StopReason::Failed,
        error: None,
        tries: 0,
        masked: model.masks(),
        passed: Vec::new(),
    };
    let permit = match reserved {
        Ok(permit) => permit,
        Err(error) => {
            record.error = Some(error.to_string());
            return (Err(Failure::unsent(error)), record);
        }
    };
    record.day = permit.day();
    let mut held = Held {
        meter: account.meter,
        permit: Some(permit),
        worst: TokenUsage {
            input: prompt,
            output: answer,
            estimated: true,
            ..TokenUsage::default()
        },
    };
    let outcome = model.answer(request, call).await;
    match &outcome {
        Ok(answer) => {
            record.answered_by.clone_from(&answer.answered_by);
            record.vendor_id.clone_from(&answer.vendor_id);
            record.usage = answer.usage;
            record.stop = answer.stop;
            record.tries = answer.tries;
        }
        Err(failure) => {
            record.usage = failure.usage;
            record.tries = failure.tries;
            record.error = Some(failure.error.to_string());
            if failure.error == LlmError::Cancelled {
                record.stop = StopReason::Cancelled;
            }
        }
    }
    if let Some(permit) = held.permit.take() {
        let settled = lock(account.meter).settle(permit, &record.usage);
        record.cost = settled.cost;
        record.passed = settled.passed;
    }
    (outcome, record)
}

fn lock(meter: &Mutex<Meter>) -> std::sync::MutexGuard<'_, Meter> {
    // Its counts are whole whatever a panicking holder did.
    meter.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts the worst case when a call is dropped in the middle.
struct Held<'a> {
    meter: &'a Mutex<Meter>,
    permit: Option<Permit>,
    worst: TokenUsage,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            let _ = lock(self.meter).settle(permit, &self.worst);
        }
    }
}
