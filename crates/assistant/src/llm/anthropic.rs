//! Anthropic's Messages: <https://platform.claude.com/docs/en/api/messages> and
//! <https://platform.claude.com/docs/en/build-with-claude/streaming>.
//!
//! `POST /v1/messages` with `x-api-key` and `anthropic-version`: `2026-10-21` at the vendor's own host,
//! `2023-06-01`, which every gateway knows, elsewhere, or as configured. What is used here is the same
//! in both, but for the temperature, which the newer one refuses. An answer is
//! `message_start`, then for each part `content_block_start`, `content_block_delta`s and
//! `content_block_stop`, then `message_delta` with the reason of the end and the tokens (cumulative),
//! then `message_stop`; `ping` and `error` may come anywhere, and unknown events are passed over, as
//! the vendor asks. Parts of thinking are kept as they come and go back to the same model only: it
//! refuses a call of a tool without its thinking, and another model's thinking. The prompt cache is
//! asked for (`cache_control`) at the end of the tools, of the instructions and of the conversation.

use super::conversation::{
    Answer, AnswerEvent, Block, Call, Failure, Message, Request, Role, ToolCall, ToolChoice,
    is_tool_name,
};
use super::error::LlmError;
use super::estimate;
use super::http::{Decode, Decoded, Place, Transport, Vendor, Wrong, shorten};
use super::{LanguageModel, ModelConfig, extra};
use async_trait::async_trait;
use mltrainer_types::llm::{ModelIdentity, StopReason, TokenUsage};
use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The version that takes a temperature.
const OLD: &str = "2023-06-01";
/// The version at the vendor's own host.
const NEW: &str = "2026-10-21";

/// The version of the wire format for a host, when none is configured.
fn version(host: &str) -> &'static str {
    if host == "api.anthropic.com" {
        NEW
    } else {
        OLD
    }
}

/// A model behind Anthropic's Messages.
pub(super) struct Anthropic {
    identity: ModelIdentity,
    transport: Transport,
    extra: Map<String, Value>,
    long_cache: bool,
    version: String,
}

impl Anthropic {
    /// Checks the configuration; nothing is sent.
    pub(super) fn new(config: ModelConfig) -> Result<Self, LlmError> {
        let place = Place::new(&config.base_url, &["v1", "messages"], config.plain_http)?;
        let version = config
            .api_version
            .clone()
            .unwrap_or_else(|| version(&place.host).to_owned());
        let header = HeaderValue::from_str(&version).map_err(|_| LlmError::NotConfigured {
            what: "the version of Anthropic's interface must be a date".to_owned(),
        })?;
        Ok(Self {
            identity: config.identity(&place.host),
            extra: extra(config.extra)?,
            long_cache: config.long_cache,
            version,
            transport: Transport::new(
                place,
                config.key,
                ("x-api-key", ""),
                &[("anthropic-version", header)],
                config.limits,
                config.seed,
            )?,
        })
    }
}

#[async_trait]
impl LanguageModel for Anthropic {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    async fn answer(&self, request: &Request, call: &Call) -> Result<Answer, Failure> {
        request.check().map_err(Failure::unsent)?;
        if request.temperature.is_some() && self.version != OLD {
            return Err(Failure::unsent(LlmError::Invalid {
                reason: format!(
                    "Anthropic takes no temperature since the version {NEW} of its interface; leave it away"
                ),
            }));
        }
        let model = &self.identity.model;
        let body = encode(request, model, &self.extra, self.long_cache);
        let decoder = || Box::new(Decoder::new(model)) as Box<dyn Decode>;
        self.transport
            .answer(request, body.to_string().into_bytes(), decoder, call)
            .await
    }
}

/// The request as JSON.
fn encode(request: &Request, model: &str, extra: &Map<String, Value>, long_cache: bool) -> Value {
    let marker = if long_cache {
        json!({"type": "ephemeral", "ttl": "1h"})
    } else {
        json!({"type": "ephemeral"})
    };
    let mark = |block: Option<&mut Value>| {
        if request.cache
            && let Some(Value::Object(block)) = block
        {
            block.insert("cache_control".to_owned(), marker.clone());
        }
    };
    let mut body = extra.clone();
    body.insert("model".to_owned(), json!(model));
    body.insert("max_tokens".to_owned(), json!(request.max_tokens));
    body.insert("stream".to_owned(), json!(true));
    if !request.system.trim().is_empty() {
        let mut system = vec![json!({"type": "text", "text": request.system})];
        mark(system.last_mut());
        body.insert("system".to_owned(), system.into());
    }
    if !request.tools.is_empty() {
        let mut tools: Vec<Value> = request
            .tools
            .iter()
            .map(
                |t| json!({"name": t.name, "description": t.description, "input_schema": t.schema}),
            )
            .collect();
        mark(tools.last_mut());
        body.insert("tools".to_owned(), tools.into());
        let choice = match &request.tool_choice {
            ToolChoice::Auto => json!({"type": "auto"}),
            ToolChoice::None => json!({"type": "none"}),
            ToolChoice::Any => json!({"type": "any"}),
            ToolChoice::Tool(name) => json!({"type": "tool", "name": name}),
        };
        body.insert("tool_choice".to_owned(), choice);
    }
    if let Some(t) = request.temperature {
        // Its scale ends at 1.
        body.insert("temperature".to_owned(), json!(t.min(1.0)));
    }
    if !request.stop.is_empty() {
        body.insert("stop_sequences".to_owned(), json!(request.stop));
    }
    let mut messages: Vec<(Role, Vec<Value>)> = Vec::new();
    for message in &request.messages {
        let blocks = blocks(message, model);
        match messages.last_mut() {
            Some((role, before)) if *role == message.role => before.extend(blocks),
            _ => messages.push((message.role, blocks)),
        }
    }
    for (role, blocks) in &mut messages {
        if *role == Role::User {
            // Results of tools stand before words, as the vendor asks.
            blocks.sort_by_key(|b| b["type"] != "tool_result");
        }
    }
    if let Some((_, last)) = messages.last_mut() {
        mark(last.last_mut());
    }
    let messages: Vec<Value> = messages
        .into_iter()
        .filter(|(_, blocks)| !blocks.is_empty())
        .map(|(role, blocks)| json!({"role": role, "content": blocks}))
        .collect();
    body.insert("messages".to_owned(), messages.into());
    Value::Object(body)
}

/// The parts of a message.
fn blocks(message: &Message, model: &str) -> Vec<Value> {
    let mut out = Vec::new();
    for block in &message.blocks {
        match block {
            Block::Text { text } if text.trim().is_empty() => {}
            Block::Text { text } => out.push(json!({"type": "text", "text": text})),
            Block::ToolUse(call) => out.push(json!({
                "type": "tool_use", "id": id(&call.id), "name": call.name, "input": call.arguments,
            })),
            Block::ToolResult {
                id: of,
                content,
                is_error,
            } => {
                let mut result =
                    json!({"type": "tool_result", "tool_use_id": id(of), "content": content});
                if *is_error {
                    result["is_error"] = json!(true);
                }
                out.push(result);
            }
            Block::Opaque { model: of, content } if of == model => out.push(content.clone()),
            Block::Opaque { .. } => {}
        }
    }
    out
}

/// Ids of other vendors may hold signs that this one refuses.
fn id(id: &str) -> String {
    id.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect()
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Start,
    },
    ContentBlockStart {
        index: u64,
        content_block: Value,
    },
    ContentBlockDelta {
        index: u64,
        delta: Delta,
    },
    ContentBlockStop {
        index: u64,
    },
    MessageDelta {
        delta: End,
        #[serde(default)]
        usage: Option<Usage>,
    },
    MessageStop,
    Error {
        error: Told,
    },
    /// `ping`, and what is yet to be invented.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Start {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Delta {
    #[serde(rename = "text_delta")]
    Text { text: String },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: String },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: String },
    #[serde(rename = "signature_delta")]
    Signature { signature: String },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct End {
    #[serde(default)]
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
struct Told {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Usage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation: Option<Written>,
}

#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    ephemeral_1h_input_tokens: u64,
}

enum Part {
    Text(String),
    Tool {
        id: String,
        name: String,
        input: Value,
        json: String,
    },
    Opaque(Value),
}

/// The state of one answer.
struct Decoder {
    asked: String,
    begun: bool,
    ended: bool,
    id: Option<String>,
    model: Option<String>,
    parts: BTreeMap<u64, (Part, bool)>,
    stop: Option<StopReason>,
    usage: Option<TokenUsage>,
}

impl Decoder {
    fn new(model: &str) -> Self {
        Self {
            asked: model.to_owned(),
            begun: false,
            ended: false,
            id: None,
            model: None,
            parts: BTreeMap::new(),
            stop: None,
            usage: None,
        }
    }

    /// Counts are cumulative: what is told replaces what was told.
    fn count(&mut self, told: &Usage, tell: &mut dyn FnMut(AnswerEvent)) {
        let usage = self.usage.get_or_insert_default();
        if let Some(n) = told.input_tokens {
            usage.input = n;
        }
        if let Some(n) = told.cache_creation_input_tokens {
            let hour = told
                .cache_creation
                .as_ref()
                .map_or(0, |w| w.ephemeral_1h_input_tokens);
            usage.cache_write_1h = hour.min(n);
            usage.cache_write = n - usage.cache_write_1h;
        }
        if let Some(n) = told.cache_read_input_tokens {
            usage.cache_read = n;
        }
        if let Some(n) = told.output_tokens {
            usage.output = n;
        }
        tell(AnswerEvent::Usage(*usage));
    }

    fn delta(
        &mut self,
        index: u64,
        delta: Delta,
        tell: &mut dyn FnMut(AnswerEvent),
    ) -> Result<(), Wrong> {
        let Some((part, false)) = self.parts.get_mut(&index) else {
            return Err(Wrong::Garbled(format!(
                "a piece came for part {index}, which is not open"
            )));
        };
        match (part, delta) {
            (Part::Text(text), Delta::Text { text: more }) => {
                text.push_str(&more);
                if !more.is_empty() {
                    tell(AnswerEvent::TextDelta(more));
                }
            }
            (Part::Tool { json, .. }, Delta::InputJson { partial_json }) => {
                json.push_str(&partial_json);
            }
            (Part::Opaque(value), Delta::Thinking { thinking }) => {
                append(value, "thinking", &thinking);
            }
            (Part::Opaque(value), Delta::Signature { signature }) => {
                value["signature"] = json!(signature);
            }
            // Citations and what is yet to be invented.
            (_, Delta::Other) => {}
            _ => {
                return Err(Wrong::Garbled(format!(
                    "a piece of another kind came for part {index}"
                )));
            }
        }
        Ok(())
    }
}

fn append(value: &mut Value, name: &str, more: &str) {
    if let Value::String(text) = &mut value[name] {
        text.push_str(more);
    } else {
        value[name] = json!(more);
    }
}

impl Decode for Decoder {
    fn event(&mut self, data: &str, tell: &mut dyn FnMut(AnswerEvent)) -> Result<(), Wrong> {
        let event: Event = serde_json::from_str(data).map_err(|e| {
            Wrong::Garbled(format!("an event is not of the documented shape ({e})"))
        })?;
        let content = matches!(
            event,
            Event::ContentBlockStart { .. }
                | Event::ContentBlockDelta { .. }
                | Event::ContentBlockStop { .. }
                | Event::MessageDelta { .. }
                | Event::MessageStop
        );
        if content && !self.begun {
            return Err(Wrong::Garbled("it lacks its beginning".to_owned()));
        }
        match event {
            Event::MessageStart { message } => {
                if self.begun {
                    return Err(Wrong::Garbled("it begins twice".to_owned()));
                }
                self.begun = true;
                self.id = message.id;
                self.model = message.model;
                if let Some(usage) = &message.usage {
                    self.count(usage, tell);
                }
            }
            Event::ContentBlockStart {
                index,
                content_block,
            } => {
                let text = |name: &str| content_block[name].as_str().unwrap_or_default().to_owned();
                let part = match content_block["type"].as_str() {
                    Some("text") => {
                        let words = text("text");
                        if !words.is_empty() {
                            tell(AnswerEvent::TextDelta(words.clone()));
                        }
                        Part::Text(words)
                    }
                    Some("tool_use") => Part::Tool {
                        id: text("id"),
                        name: text("name"),
                        input: content_block["input"].clone(),
                        json: String::new(),
                    },
                    Some(_) => Part::Opaque(content_block),
                    None => {
                        return Err(Wrong::Garbled("a part is of no named kind".to_owned()));
                    }
                };
                if self.parts.insert(index, (part, false)).is_some() {
                    return Err(Wrong::Garbled(format!("part {index} begins twice")));
                }
            }
            Event::ContentBlockDelta { index, delta } => self.delta(index, delta, tell)?,
            Event::ContentBlockStop { index } => match self.parts.get_mut(&index) {
                Some((_, closed @ false)) => *closed = true,
                _ => {
                    return Err(Wrong::Garbled(format!(
                        "part {index} ends, which is not open"
                    )));
                }
            },
            Event::MessageDelta { delta, usage } => {
                if let Some(usage) = &usage {
                    self.count(usage, tell);
                }
                if let Some(reason) = delta.stop_reason {
                    self.stop = Some(match reason.as_str() {
                        "end_turn" => StopReason::EndTurn,
                        "tool_use" => StopReason::ToolUse,
                        "max_tokens" => StopReason::MaxTokens,
                        "stop_sequence" => StopReason::StopSequence,
                        "refusal" => StopReason::Refusal,
                        "model_context_window_exceeded" => StopReason::ContextWindow,
                        "pause_turn" => StopReason::Paused,
                        _ => StopReason::Other,
                    });
                }
            }
            Event::MessageStop => {
                if self.stop.is_none() {
                    return Err(Wrong::Garbled("it ends without a reason".to_owned()));
                }
                self.ended = true;
            }
            Event::Error { error } => {
                let vendor = match error.kind.as_str() {
                    "rate_limit_error" => Vendor::RateLimited,
                    "overloaded_error" => Vendor::Overloaded,
                    "authentication_error" | "permission_error" | "billing_error" => {
                        Vendor::RefusedKey
                    }
                    "invalid_request_error" | "not_found_error" => Vendor::Rejected,
                    "request_too_large" => Vendor::TooLarge,
                    _ => Vendor::Fault,
                };
                return Err(Wrong::Vendor(vendor, error.message));
            }
            Event::Other => {}
        }
        Ok(())
    }

    fn begun(&self) -> bool {
        self.begun
    }

    fn ended(&self) -> bool {
        self.ended
    }

    fn whole(&self) -> bool {
        self.stop.is_some()
    }

    fn usage(&self) -> Option<TokenUsage> {
        self.usage
    }

    fn produced(&self) -> Option<u64> {
        let mut sum = 0;
        for (part, _) in self.parts.values() {
            sum += match part {
                Part::Text(text) => estimate::tokens(text),
                Part::Tool { name, json, .. } => estimate::tokens(name) + estimate::tokens(json),
                Part::Opaque(_) => return None,
            };
        }
        Some(sum)
    }

    fn text(&self) -> String {
        self.parts
            .values()
            .filter_map(|(part, _)| match part {
                Part::Text(text) => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    fn finish(self: Box<Self>) -> Result<Decoded, String> {
        let stop = self.stop.unwrap_or(StopReason::Other);
        let mut blocks = Vec::new();
        for (index, (part, closed)) in self.parts {
            if !closed && starts_actions(stop) {
                return Err(format!("part {index} does not end"));
            }
            match part {
                Part::Text(text) => blocks.push(Block::Text { text }),
                Part::Opaque(content) => blocks.push(Block::Opaque {
                    model: self.asked.clone(),
                    content,
                }),
                Part::Tool { .. } if !starts_actions(stop) => {}
                Part::Tool {
                    id,
                    name,
                    input,
                    json,
                } => {
                    let arguments = if json.trim().is_empty() && input.is_object() {
                        input
                    } else {
                        arguments(&name, &json)?
                    };
                    blocks.push(Block::ToolUse(ToolCall {
                        id,
                        name,
                        arguments,
                    }));
                }
            }
        }
        finish_blocks(&mut blocks)?;
        Ok(Decoded {
            stop: without_calls(stop, &blocks),
            blocks,
            answered_by: self.model.filter(|m| *m != self.asked),
            vendor_id: self.id.map(|id| shorten(&id)),
        })
    }
}

/// Whether the calls of tools in an answer that ended so are to be made: an answer that is
/// incomplete or refused starts no action, even if one of its calls looks whole.
pub(super) fn starts_actions(stop: StopReason) -> bool {
    matches!(
        stop,
        StopReason::EndTurn | StopReason::ToolUse | StopReason::StopSequence | StopReason::Other
    )
}

/// The arguments of a call, which must be an object; nothing stands for an empty one.
pub(super) fn arguments(name: &str, json: &str) -> Result<Value, String> {
    let name = shorten(name);
    if json.trim().is_empty() {
        return Ok(json!({}));
    }
    match serde_json::from_str::<Value>(json) {
        Ok(value) if value.is_object() => Ok(value),
        Ok(_) => Err(format!("the arguments for the tool {name} are no object")),
        Err(e) => Err(format!(
            "the arguments for the tool {name} are not JSON ({e})"
        )),
    }
}

/// An answer that is said to ask for tools and asks for none would let its caller wait for ever.
pub(super) fn without_calls(stop: StopReason, blocks: &[Block]) -> StopReason {
    let calls = blocks.iter().any(|b| matches!(b, Block::ToolUse(_)));
    match stop {
        StopReason::ToolUse if !calls => StopReason::Other,
        stop => stop,
    }
}

/// Names and ids of calls are usable, and nothing stands after the last part that counts.
pub(super) fn finish_blocks(blocks: &mut Vec<Block>) -> Result<(), String> {
    let mut seen = std::collections::BTreeSet::new();
    for (n, block) in blocks.iter_mut().enumerate() {
        if let Block::ToolUse(call) = block {
            if !is_tool_name(&call.name) {
                return Err(format!(
                    "it asks for a tool with the name {:?}, which no tool has",
                    shorten(&call.name)
                ));
            }
            if call.id.is_empty() || !seen.insert(call.id.clone()) {
                call.id = format!("call_{n}");
                seen.insert(call.id.clone());
            }
        }
    }
    // Thinking at the very end belongs to nothing, and would be refused when it goes back.
    while matches!(blocks.last(), Some(Block::Opaque { .. })) {
        blocks.pop();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::conversation::ToolDefinition;
    use super::*;

    fn request() -> Request {
        let mut request = Request::new("Be brief.", "hello", 1024);
        request.tools = vec![ToolDefinition {
            name: "run".to_owned(),
            description: "Runs.".to_owned(),
            schema: json!({"type": "object", "properties": {"symbol": {"type": "string"}}}),
        }];
        request
    }

    #[tokio::test]
    async fn the_newer_version_is_spoken_at_home_only() {
        assert_eq!(version("api.anthropic.com"), "2026-10-21");
        assert_eq!(version("127.0.0.1:8080"), "2023-06-01");
        let config = ModelConfig::new(
            mltrainer_types::llm::LlmProvider::Anthropic,
            "https://api.anthropic.com",
            "claude-sonnet-5-5",
            super::super::Key::new("k"),
        );
        let model = Anthropic::new(config).unwrap();
        let mut warm = request();
        warm.temperature = Some(0.5);
        // Refused before anything is sent.
        let failure = model.answer(&warm, &Call::quiet()).await.unwrap_err();
        assert!(failure.error.to_string().contains("takes no temperature"));
    }

    #[test]
    fn the_request_is_the_documented_one() {
        let mut request = request();
        request.messages.push(Message {
            role: Role::Assistant,
            blocks: vec![
                Block::Opaque {
                    model: "claude-opus-5-5".to_owned(),
                    content: json!({"type": "thinking", "thinking": "", "signature": "sig"}),
                },
                Block::Opaque {
                    model: "other".to_owned(),
                    content: json!({"type": "thinking"}),
                },
                Block::text(" "),
                Block::ToolUse(ToolCall {
                    id: "call:1".to_owned(),
                    name: "run".to_owned(),
                    arguments: json!({"symbol": "AAPL"}),
                }),
            ],
        });
        request.messages.push(Message::user("and?"));
        request.messages.push(Message {
            role: Role::User,
            blocks: vec![Block::ToolResult {
                id: "call:1".to_owned(),
                content: "no data".to_owned(),
                is_error: true,
            }],
        });
        request.stop = vec!["END".to_owned()];
        request.temperature = Some(1.5);
        let extra = json!({"output_config": {"effort": "low"}});
        let body = encode(
            &request,
            "claude-opus-5-5",
            extra.as_object().unwrap(),
            false,
        );
        let cached = json!({"type": "ephemeral"});
        assert_eq!(
            body,
            json!({
                "model": "claude-opus-5-5",
                "max_tokens": 1024,
                "stream": true,
                "output_config": {"effort": "low"},
                "system": [{"type": "text", "text": "Be brief.", "cache_control": cached}],
                "tools": [{
                    "name": "run", "description": "Runs.", "cache_control": cached,
                    "input_schema": {"type": "object", "properties": {"symbol": {"type": "string"}}},
                }],
                "tool_choice": {"type": "auto"},
                "temperature": 1.0,
                "stop_sequences": ["END"],
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "hello"}]},
                    {"role": "assistant", "content": [
                        {"type": "thinking", "thinking": "", "signature": "sig"},
                        {"type": "tool_use", "id": "call_1", "name": "run", "input": {"symbol": "AAPL"}},
                    ]},
                    {"role": "user", "content": [
                        {"type": "tool_result", "tool_use_id": "call_1", "content": "no data", "is_error": true},
                        {"type": "text", "text": "and?", "cache_control": cached},
                    ]},
                ],
            })
        );
        request.cache = false;
        let plain = encode(&request, "m", &Map::new(), true).to_string();
        assert!(!plain.contains("cache_control"), "{plain}");
        request.cache = true;
        let hour = encode(&request, "m", &Map::new(), true).to_string();
        assert_eq!(hour.matches(r#""ttl":"1h""#).count(), 3);
    }

    /// The events of a whole answer, for the tests of both formats.
    const EVENTS: [&str; 9] = [
        r#"{"type":"message_start","message":{"id":"m","model":"a","usage":{"input_tokens":5,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hello"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"run","input":{}}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":7}}"#,
        r#"{"type":"message_stop"}"#,
    ];

    #[test]
    fn an_answer_that_asks_for_no_tool_does_not_say_so() {
        let mut decoder = Box::new(Decoder::new("a"));
        for n in [0, 1, 2, 3, 7, 8] {
            assert!(decoder.event(EVENTS[n], &mut |_| ()).is_ok());
        }
        assert_eq!(decoder.finish().unwrap().stop, StopReason::Other);
    }

    proptest::proptest! {
        /// Events lost, doubled, in any order, with bytes of other events in them: an error or an
        /// answer whose calls have objects for arguments, never a panic.
        #[test]
        fn disorder_is_no_panic(order in proptest::collection::vec((0..9_usize, 0..9_usize, 0..200_usize, 0..4_u8), 0..20)) {
            let mut decoder = Box::new(Decoder::new("a"));
            let mut broken = false;
            for (n, other, at, how) in order {
                let (text, more) = (EVENTS[n], EVENTS[other]);
                let at = at.min(text.len()).min(more.len());
                let data = if how == 0 { format!("{}{}", &text[..at], &more[at..]) } else { text.to_owned() };
                if decoder.event(&data, &mut |_| ()).is_err() {
                    broken = true;
                    break;
                }
            }
            let _ = (decoder.text(), decoder.produced());
            if !broken && let Ok(decoded) = decoder.finish() {
                for block in decoded.blocks {
                    if let Block::ToolUse(call) = block {
                        proptest::prop_assert!(call.arguments.is_object());
                    }
                }
            }
        }
    }
}
