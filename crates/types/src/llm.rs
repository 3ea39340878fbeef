//! Language models: who answered, what it used and cost, what it could have known, and which
//! numbers of an answer are a result's.
//!
//! Money is counted in micro-dollars (a millionth of a US dollar) as whole numbers, rounded up.

use crate::ConversationId;
use crate::trial::Metrics;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The wire format that a language model is spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LlmProvider {
    /// Anthropic's Messages.
    Anthropic,
    /// Chat completions as OpenAI defined them: OpenAI, Ollama, vLLM, llama.cpp and others.
    OpenaiCompatible,
}

impl LlmProvider {
    /// The name for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Anthropic => "Anthropic",
            Self::OpenaiCompatible => "the OpenAI-compatible server",
        }
    }
}

/// Up to when a model can know what happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum KnowledgeCutoff {
    /// Neither published in a source we hold nor configured.
    Unknown,
    /// A day after which the model saw nothing.
    Known {
        /// The last day whose events may be in the model; the last of the month where only a month is published.
        last_day: NaiveDate,
        /// Where it is written, or `configured`.
        source: String,
    },
}

impl KnowledgeCutoff {
    /// The last day whose events may be in the model.
    #[must_use]
    pub fn last_day(&self) -> Option<NaiveDate> {
        match self {
            Self::Unknown => None,
            Self::Known { last_day, .. } => Some(*last_day),
        }
    }
}

/// Days from the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DaySpan {
    /// First day.
    pub first: NaiveDate,
    /// Last day.
    pub last: NaiveDate,
}

/// A span of days, told apart by what the model may have seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CutoffSplit {
    /// Days that the model may have seen: a result here proves nothing about foresight.
    pub before: Option<DaySpan>,
    /// Days after the cut-off.
    pub after: Option<DaySpan>,
    /// The whole span, when the cut-off is unknown: to be read as if the model had seen it.
    pub unknown: Option<DaySpan>,
}

/// What a model that steered a run may have known of the days of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Knowledge {
    /// Days that it may have seen: a good result may be memory.
    Before,
    /// Days after its cut-off.
    After,
    /// Its cut-off is not known: to be read as if it had seen them.
    Unknown,
}

/// What a run shows on days of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SpanResult {
    /// What the figures are of: the best model of a horizon, or the strategy.
    pub subject: String,
    /// What they stand beside: the best naive baseline, or the benchmark.
    pub beside: String,
    /// What the model may have known of them.
    pub knowledge: Knowledge,
    /// The first and the last of them that the result has.
    pub span: DaySpan,
    /// Forecasts, or bars of a back test.
    pub rows: u32,
    /// Of a trial: `loss`, `difference` (what the baseline lost more), `low` and `high` (its 95 % interval); of a
    /// back test or an optimisation: `annual_return`, `sharpe_ratio`, `max_drawdown`.
    pub figures: Metrics,
    /// The same of what they stand beside; of a baseline `loss` alone.
    pub beside_figures: Metrics,
}

/// A run that a language model steered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Steering {
    /// Which model, and up to when it can know.
    pub model: Steerer,
    /// The conversation in which it did; absent when a client over MCP did.
    pub conversation: Option<ConversationId>,
    /// Number of the person's message that it answered, in a conversation.
    pub message: Option<i64>,
    /// What the run shows, told apart by what the model may have known; empty before there is a result.
    pub spans: Vec<SpanResult>,
}

/// Whether a language model steered a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SteeredBy {
    /// Absent when a person, the built-in parser or a program did.
    pub steered_by: Option<Steering>,
}

/// A model that steers runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Steerer {
    /// Its name; absent when it acts over MCP and nobody said which it is.
    pub model: Option<String>,
    /// Host that was asked, or the name that it acts under over MCP.
    pub host: String,
    /// Up to when it can know.
    pub cutoff: KnowledgeCutoff,
}

impl From<&ModelIdentity> for Steerer {
    fn from(identity: &ModelIdentity) -> Self {
        Self {
            model: Some(identity.model.clone()),
            host: identity.host.clone(),
            cutoff: identity.cutoff.clone(),
        }
    }
}

/// Which model was asked, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelIdentity {
    /// Wire format.
    pub provider: LlmProvider,
    /// Name of the model as it was asked for.
    pub model: String,
    /// Host that was asked, without path and key.
    pub host: String,
    /// Up to when it can know.
    pub cutoff: KnowledgeCutoff,
}

/// Tokens of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenUsage {
    /// Read anew, without those of the cache.
    pub input: u64,
    /// Written into the vendor's prompt cache for five minutes (or its only time).
    pub cache_write: u64,
    /// Written into the vendor's prompt cache for an hour.
    pub cache_write_1h: u64,
    /// Read from the vendor's prompt cache.
    pub cache_read: u64,
    /// Produced, thinking included.
    pub output: u64,
    /// Whether some of it is our own estimate, because the server did not tell.
    pub estimated: bool,
}

impl TokenUsage {
    /// Tokens of the prompt: read anew, written to and read from the cache.
    #[must_use]
    pub fn prompt(&self) -> u64 {
        self.input
            .saturating_add(self.cache_write)
            .saturating_add(self.cache_write_1h)
            .saturating_add(self.cache_read)
    }

    /// All tokens.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.prompt().saturating_add(self.output)
    }
}

/// Prices, each in micro-dollars for a million tokens ($1 a million is 1,000,000).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TokenRates {
    /// Input.
    pub input: u64,
    /// Output.
    pub output: u64,
    /// Written into the cache.
    pub cache_write: u64,
    /// Written into the cache for an hour.
    pub cache_write_1h: u64,
    /// Read from the cache.
    pub cache_read: u64,
}

/// Prices of a model, with where and when they were read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ModelPrice {
    /// Of a call whose prompt is not long.
    pub rates: TokenRates,
    /// Of a call whose prompt has more tokens than [`LongPrompt::above`], where the vendor asks for more.
    #[serde(default)]
    pub long: Option<LongPrompt>,
    /// The day they were read.
    pub as_of: NaiveDate,
    /// Where they are written, or `configured`.
    pub source: String,
}

/// Prices of long prompts; they hold for every token of such a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LongPrompt {
    /// Prompts with more tokens are long.
    pub above: u64,
    /// Their prices.
    pub rates: TokenRates,
}

/// What a call cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Cost {
    /// No price is known for the model, and none is configured.
    Unknown,
    /// Counted with a price.
    Known {
        /// Millionths of a US dollar, rounded up.
        micro_dollars: u64,
        /// The day the price was read.
        price_as_of: NaiveDate,
        /// Where the price is written, or `configured`.
        price_source: String,
    },
}

impl Cost {
    /// Millionths of a US dollar, when known.
    #[must_use]
    pub fn micro_dollars(&self) -> Option<u64> {
        match self {
            Self::Unknown => None,
            Self::Known { micro_dollars, .. } => Some(*micro_dollars),
        }
    }
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It was finished.
    EndTurn,
    /// It asks for tools.
    ToolUse,
    /// The most tokens of an answer were reached: it is incomplete.
    MaxTokens,
    /// One of the agreed texts that end an answer came.
    StopSequence,
    /// The vendor or the model refused to answer.
    Refusal,
    /// The model's window is full: the answer is incomplete.
    ContextWindow,
    /// The vendor paused a long answer.
    Paused,
    /// The server did not say, or said something unknown.
    Other,
    /// The caller ended it.
    Cancelled,
    /// It failed; the record's error says how.
    Failed,
}

/// The record of one call, for the store and the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LlmCall {
    /// Who was asked, with its knowledge cut-off.
    pub model: ModelIdentity,
    /// The model that says it answered, where it differs from the one asked for.
    pub answered_by: Option<String>,
    /// The vendor's id of the answer, where it gives one.
    pub vendor_id: Option<String>,
    /// The day it is counted on (UTC).
    pub day: NaiveDate,
    /// Conversation that it is counted on.
    pub conversation: String,
    /// Tokens.
    pub usage: TokenUsage,
    /// Cost.
    pub cost: Cost,
    /// Why it ended.
    pub stop: StopReason,
    /// In a sentence, why it failed.
    pub error: Option<String>,
    /// Requests sent, repeated ones included.
    pub tries: u32,
    /// Whether symbols and dates were masked.
    pub masked: bool,
    /// Ceilings that it went beyond although the estimate before it did not, in sentences.
    pub passed: Vec<String>,
}

/// A ceiling; `null` is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Ceiling {
    /// Most tokens, prompt and answer together.
    pub tokens: Option<u64>,
    /// Most money, in millionths of a US dollar.
    pub micro_dollars: Option<u64>,
}

/// Ceilings that hold at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Ceilings {
    /// Of one call.
    pub call: Ceiling,
    /// Of one conversation.
    pub conversation: Ceiling,
    /// Of one day (UTC).
    pub day: Ceiling,
    /// Whether a model without a known price may be called although a ceiling on money is set, which
    /// then cannot hold it.
    pub allow_unpriced: bool,
}

impl Default for Ceilings {
    /// $0.50 and 200,000 tokens a call, $2 and 1,000,000 a conversation, $10 and 5,000,000 a day.
    fn default() -> Self {
        let ceiling = |tokens, micro_dollars| Ceiling {
            tokens: Some(tokens),
            micro_dollars: Some(micro_dollars),
        };
        Self {
            call: ceiling(200_000, 500_000),
            conversation: ceiling(1_000_000, 2_000_000),
            day: ceiling(5_000_000, 10_000_000),
            allow_unpriced: false,
        }
    }
}

/// What was spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Spent {
    /// Calls that used anything.
    pub calls: u64,
    /// Tokens.
    pub tokens: u64,
    /// Millionths of a US dollar of the calls with a known price.
    pub micro_dollars: u64,
    /// Calls without a known price.
    pub unpriced_calls: u64,
}

/// The state of the cost meter, for the store and the page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MeterRecord {
    /// The day that is counted; `null` before the first call.
    pub day: Option<NaiveDate>,
    /// Spent on that day.
    pub today: Spent,
    /// Spent by conversation, over all days.
    pub conversations: BTreeMap<String, Spent>,
}

/// A number of an answer that is a result's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FigureCitation {
    /// Name of the figure, for example `r3.rmse`.
    pub handle: String,
    /// What it is, for people.
    pub label: String,
    /// Where the result can be seen, for example `/trials/...`.
    pub link: Option<String>,
}

/// A piece of an answer as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum AnswerPiece {
    /// Words.
    Text {
        /// The words.
        text: String,
    },
    /// A result's value.
    Figure {
        /// The value as shown.
        text: String,
        /// Position in the list of citations, from 0.
        citation: u32,
    },
    /// A number or handle that no result holds: not to be shown as fact.
    Unverified {
        /// As the model wrote it.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_reads_back_as_it_was_written() {
        let record = LlmCall {
            model: ModelIdentity {
                provider: LlmProvider::OpenaiCompatible,
                model: "qwen3".to_owned(),
                host: "127.0.0.1:11434".to_owned(),
                cutoff: KnowledgeCutoff::Unknown,
            },
            answered_by: None,
            vendor_id: Some("chatcmpl-1".to_owned()),
            day: NaiveDate::from_ymd_opt(2026, 11, 29).unwrap(),
            conversation: "c1".to_owned(),
            usage: TokenUsage {
                input: 10,
                output: 3,
                ..TokenUsage::default()
            },
            cost: Cost::Unknown,
            stop: StopReason::EndTurn,
            error: None,
            tries: 1,
            masked: false,
            passed: Vec::new(),
        };
        let text = serde_json::to_string(&record).unwrap();
        assert!(text.contains(r#""provider":"openai_compatible""#), "{text}");
        assert!(text.contains(r#""cutoff":{"kind":"unknown"}"#), "{text}");
        assert!(text.contains(r#""stop":"end_turn""#), "{text}");
        assert_eq!(serde_json::from_str::<LlmCall>(&text).unwrap(), record);
    }

    #[test]
    fn tokens_add_up_without_overflow() {
        let usage = TokenUsage {
            input: 1,
            cache_write: 2,
            cache_write_1h: 3,
            cache_read: 4,
            output: 5,
            estimated: false,
        };
        assert_eq!((usage.prompt(), usage.total()), (10, 15));
        let huge = TokenUsage {
            input: u64::MAX,
            ..usage
        };
        assert_eq!(huge.total(), u64::MAX);
    }
}
