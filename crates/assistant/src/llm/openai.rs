//! Chat completions as OpenAI defined them, <https://platform.openai.com/docs/api-reference/chat-streaming>,
//! and as other servers speak them.
//!
//! `POST /v1/chat/completions` with `stream` and `stream_options.include_usage`; chunks of
//! `choices[0].delta`, calls of tools in pieces by `index`, a chunk with the tokens and no choice, then
//! `[DONE]`. What differs between servers and is taken as it comes: a call without `index` or with
//! always the same one (Ollama), without an id, with its arguments as an object, `finish_reason` `stop`
//! though tools are asked for, usage that is missing, `null` or in every chunk (vLLM), an error as an
//! event after status 200 (llama.cpp, vLLM), a stream without `[DONE]`. The most tokens are asked for
//! as `max_completion_tokens` from OpenAI itself and as `max_tokens` elsewhere, because servers that do
//! not know the former pass over it and then have no limit.

use super::anthropic::{arguments, finish_blocks, starts_actions, without_calls};
use super::conversation::{
    Answer, AnswerEvent, Block, Call, Failure, Message, Request, Role, ToolCall, ToolChoice,
};
use super::error::LlmError;
use super::estimate;
use super::http::{Decode, Decoded, Place, Transport, Vendor, Wrong, shorten};
use super::{LanguageModel, ModelConfig, extra};
use async_trait::async_trait;
use mltrainer_types::llm::{ModelIdentity, StopReason, TokenUsage};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A model behind chat completions.
pub(super) struct OpenAi {
    identity: ModelIdentity,
    transport: Transport,
    extra: Map<String, Value>,
    own: bool,
}

impl OpenAi {
    /// Checks the configuration; nothing is sent.
    pub(super) fn new(config: ModelConfig) -> Result<Self, LlmError> {
        let place = Place::new(
            &config.base_url,
            &["v1", "chat", "completions"],
            config.plain_http,
        )?;
        Ok(Self {
            identity: config.identity(&place.host),
            own: place.host == "api.openai.com",
            extra: extra(config.extra)?,
            transport: Transport::new(
                place,
                config.key,
                ("authorization", "Bearer "),
                &[],
                config.limits,
                config.seed,
            )?,
        })
    }
}

#[async_trait]
impl LanguageModel for OpenAi {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    async fn answer(&self, request: &Request, call: &Call) -> Result<Answer, Failure> {
        request.check().map_err(Failure::unsent)?;
        let body = encode(request, &self.identity.model, &self.extra, self.own);
        let decoder = || Box::new(Decoder::new(&self.identity.model)) as Box<dyn Decode>;
        self.transport
            .answer(request, body.to_string().into_bytes(), decoder, call)
            .await
    }
}

/// The request as JSON; `own` is OpenAI's own server.
fn encode(request: &Request, model: &str, extra: &Map<String, Value>, own: bool) -> Value {
    let mut body = extra.clone();
    body.insert("model".to_owned(), json!(model));
    body.insert("stream".to_owned(), json!(true));
    body.insert("stream_options".to_owned(), json!({"include_usage": true}));
    let most = if own {
        "max_completion_tokens"
    } else {
        "max_tokens"
    };
    body.insert(most.to_owned(), json!(request.max_tokens));
    if let Some(t) = request.temperature {
        body.insert("temperature".to_owned(), json!(t));
    }
    if !request.stop.is_empty() {
        body.insert("stop".to_owned(), json!(request.stop));
    }
    if !request.tools.is_empty() {
        let tools: Vec<Value> = request
            .tools
            .iter()
            .map(|t| {
                json!({"type": "function", "function": {
                    "name": t.name, "description": t.description, "parameters": t.schema,
                }})
            })
            .collect();
        body.insert("tools".to_owned(), tools.into());
        let choice = match &request.tool_choice {
            ToolChoice::Auto => json!("auto"),
            ToolChoice::None => json!("none"),
            ToolChoice::Any => json!("required"),
            ToolChoice::Tool(name) => json!({"type": "function", "function": {"name": name}}),
        };
        body.insert("tool_choice".to_owned(), choice);
    }
    let mut messages = Vec::new();
    if !request.system.trim().is_empty() {
        messages.push(json!({"role": "system", "content": request.system}));
    }
    for message in &request.messages {
        push(message, &mut messages);
    }
    body.insert("messages".to_owned(), messages.into());
    Value::Object(body)
}

/// A message as one of this format, or several: each result of a tool is a message of its own.
fn push(message: &Message, out: &mut Vec<Value>) {
    let mut text: Vec<&str> = Vec::new();
    let mut calls = Vec::new();
    for block in &message.blocks {
        match block {
            Block::Text { text: t } if t.trim().is_empty() => {}
            Block::Text { text: t } => text.push(t),
            Block::ToolUse(call) => calls.push(json!({
                "id": call.id, "type": "function",
                "function": {"name": call.name, "arguments": call.arguments.to_string()},
            })),
            Block::ToolResult {
                id,
                content,
                is_error,
            } => {
                let content = if *is_error {
                    format!("Error: {content}")
                } else {
                    content.clone()
                };
                out.push(json!({"role": "tool", "tool_call_id": id, "content": content}));
            }
            Block::Opaque { .. } => {}
        }
    }
    if text.is_empty() && calls.is_empty() {
        return;
    }
    let mut said = json!({"role": message.role, "content": text.join("\n\n")});
    if text.is_empty() {
        said["content"] = Value::Null;
    }
    if message.role == Role::Assistant && !calls.is_empty() {
        said["tool_calls"] = calls.into();
    }
    out.push(said);
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    choices: Option<Vec<Choice>>,
    #[serde(default)]
    usage: Option<Usage>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u64,
    #[serde(default)]
    delta: Option<Delta>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    #[serde(default)]
    content: Option<Value>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default, alias = "reasoning")]
    reasoning_content: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<Piece>>,
}

#[derive(Deserialize)]
struct Piece {
    #[serde(default)]
    index: Option<u64>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arguments: Option<Value>,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    cached_tokens: Option<u64>,
    #[serde(default)]
    cache_write_tokens: Option<u64>,
}

#[derive(Default)]
struct Slot {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
}

/// The state of one answer.
struct Decoder {
    asked: String,
    begun: bool,
    done: bool,
    id: Option<String>,
    model: Option<String>,
    text: String,
    thinking: u64,
    refused: bool,
    slots: Vec<Slot>,
    stop: Option<StopReason>,
    usage: Option<TokenUsage>,
}

impl Decoder {
    fn new(model: &str) -> Self {
        Self {
            asked: model.to_owned(),
            begun: false,
            done: false,
            id: None,
            model: None,
            text: String::new(),
            thinking: 0,
            refused: false,
            slots: Vec::new(),
            stop: None,
            usage: None,
        }
    }

    fn say(&mut self, text: String, tell: &mut dyn FnMut(AnswerEvent)) {
        if !text.is_empty() {
            self.text.push_str(&text);
            tell(AnswerEvent::TextDelta(text));
        }
    }

    /// The call that a piece belongs to.
    fn slot(&mut self, piece: &Piece) -> usize {
        let id = piece.id.as_deref().unwrap_or_default();
        let named = piece
            .function
            .as_ref()
            .and_then(|f| f.name.as_deref())
            .is_some_and(|n| !n.is_empty());
        let found = match piece.index {
            Some(index) => self
                .slots
                .iter()
                .rposition(|s| s.index == Some(index))
                // Another id and name under the same number is another call.
                .filter(|&at| {
                    let known = &self.slots[at].id;
                    !named || id.is_empty() || known.is_empty() || id == known
                }),
            None if !id.is_empty() => self.slots.iter().rposition(|s| s.id == id),
            None if named => None,
            None => self.slots.len().checked_sub(1),
        };
        found.unwrap_or_else(|| {
            self.slots.push(Slot {
                index: piece.index,
                ..Slot::default()
            });
            self.slots.len() - 1
        })
    }

    fn piece(&mut self, piece: Piece) -> Result<(), Wrong> {
        let at = self.slot(&piece);
        let slot = &mut self.slots[at];
        if let Some(id) = piece.id.filter(|id| !id.is_empty())
            && slot.id.is_empty()
        {
            slot.id = id;
        }
        let Some(function) = piece.function else {
            return Ok(());
        };
        if let Some(name) = function.name
            && slot.name.is_empty()
        {
            slot.name = name;
        }
        match function.arguments {
            None | Some(Value::Null) => {}
            Some(Value::String(more)) => slot.arguments.push_str(&more),
            Some(whole @ Value::Object(_)) if slot.arguments.is_empty() => {
                slot.arguments = whole.to_string();
            }
            Some(_) => {
                return Err(Wrong::Garbled(
                    "a piece of a call's arguments is no text".to_owned(),
                ));
            }
        }
        Ok(())
    }

    fn choice(&mut self, choice: Choice, tell: &mut dyn FnMut(AnswerEvent)) -> Result<(), Wrong> {
        if choice.index != 0 {
            return Ok(());
        }
        if let Some(delta) = choice.delta {
            match delta.content {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => self.say(text, tell),
                Some(Value::Array(parts)) => {
                    for part in parts {
                        let text = part["text"].as_str().unwrap_or_default().to_owned();
                        self.say(text, tell);
                    }
                }
                Some(_) => return Err(Wrong::Garbled("a piece of text is no text".to_owned())),
            }
            if let Some(refusal) = delta.refusal.filter(|r| !r.is_empty()) {
                self.refused = true;
                self.say(refusal, tell);
            }
            if let Some(thinking) = delta.reasoning_content {
                self.thinking += estimate::tokens(&thinking);
            }
            for piece in delta.tool_calls.into_iter().flatten() {
                self.piece(piece)?;
            }
        }
        if let Some(reason) = choice.finish_reason.filter(|r| !r.is_empty()) {
            self.stop = Some(match reason.as_str() {
                "stop" => StopReason::EndTurn,
                "tool_calls" | "function_call" => StopReason::ToolUse,
                "length" => StopReason::MaxTokens,
                "content_filter" => StopReason::Refusal,
                _ => StopReason::Other,
            });
        }
        Ok(())
    }
}

impl Decode for Decoder {
    fn event(&mut self, data: &str, tell: &mut dyn FnMut(AnswerEvent)) -> Result<(), Wrong> {
        if data.trim() == "[DONE]" {
            self.done = true;
            return Ok(());
        }
        let chunk: Chunk = serde_json::from_str(data)
            .map_err(|e| Wrong::Garbled(format!("a chunk is not of the documented shape ({e})")))?;
        if let Some(error) = chunk.error.filter(|e| !e.is_null()) {
            return Err(failure(&error));
        }
        if let Some(choices) = chunk.choices {
            self.begun = true;
            for choice in choices {
                self.choice(choice, tell)?;
            }
        }
        self.id = self.id.take().or(chunk.id.filter(|id| !id.is_empty()));
        self.model = self.model.take().or(chunk.model.filter(|m| !m.is_empty()));
        if let Some(usage) = chunk.usage
            && let (Some(prompt), Some(output)) = (usage.prompt_tokens, usage.completion_tokens)
        {
            // The prompt's count holds those of the cache too.
            let (read, write) = usage.prompt_tokens_details.map_or((0, 0), |d| {
                (
                    d.cached_tokens.unwrap_or(0),
                    d.cache_write_tokens.unwrap_or(0),
                )
            });
            let cache_read = read.min(prompt);
            let cache_write = write.min(prompt - cache_read);
            let usage = TokenUsage {
                input: prompt - cache_read - cache_write,
                cache_write,
                cache_read,
                output,
                ..TokenUsage::default()
            };
            self.usage = Some(usage);
            tell(AnswerEvent::Usage(usage));
        }
        Ok(())
    }

    fn begun(&self) -> bool {
        self.begun
    }

    fn ended(&self) -> bool {
        self.done
    }

    fn whole(&self) -> bool {
        self.stop.is_some() || (self.done && self.begun)
    }

    fn usage(&self) -> Option<TokenUsage> {
        self.usage
    }

    fn produced(&self) -> Option<u64> {
        let calls: u64 = self
            .slots
            .iter()
            .map(|s| estimate::tokens(&s.name) + estimate::tokens(&s.arguments))
            .sum();
        Some(estimate::tokens(&self.text) + self.thinking + calls)
    }

    fn text(&self) -> String {
        self.text.clone()
    }

    fn finish(self: Box<Self>) -> Result<Decoded, String> {
        let mut stop = self.stop.unwrap_or(StopReason::Other);
        if self.refused {
            stop = StopReason::Refusal;
        }
        let mut blocks = Vec::new();
        if !self.text.is_empty() {
            blocks.push(Block::Text { text: self.text });
        }
        if starts_actions(stop) {
            if !self.slots.is_empty() {
                stop = StopReason::ToolUse;
            }
            for slot in self.slots {
                blocks.push(Block::ToolUse(ToolCall {
                    arguments: arguments(&slot.name, &slot.arguments)?,
                    id: slot.id,
                    name: slot.name,
                }));
            }
        }
        finish_blocks(&mut blocks)?;
        Ok(Decoded {
            stop: without_calls(stop, &blocks),
            blocks,
            answered_by: self.model.filter(|m| *m != self.asked).map(|m| shorten(&m)),
            vendor_id: self.id.map(|id| shorten(&id)),
        })
    }
}

/// An error in the stream: `{"message", "type", "code"}`, or a text.
fn failure(error: &Value) -> Wrong {
    let said = error["message"]
        .as_str()
        .or(error.as_str())
        .map_or_else(|| error.to_string(), str::to_owned);
    let code = error["code"]
        .as_u64()
        .or_else(|| error["code"].as_str()?.parse().ok());
    let kind = error["type"].as_str().unwrap_or_default();
    let vendor = match (code, kind) {
        _ if error["code"] == "insufficient_quota" || kind == "insufficient_quota" => {
            Vendor::RefusedKey
        }
        (Some(429), _) | (_, "rate_limit_error") => Vendor::RateLimited,
        _ if error["code"] == "rate_limit_exceeded" => Vendor::RateLimited,
        (Some(503 | 529), _) | (_, "overloaded_error" | "unavailable_error") => Vendor::Overloaded,
        (Some(401..=403), _) | (_, "authentication_error" | "permission_error") => {
            Vendor::RefusedKey
        }
        (Some(400..=499), _)
        | (
            _,
            "invalid_request_error"
            | "BadRequestError"
            | "not_found_error"
            | "exceed_context_size_error",
        ) => Vendor::Rejected,
        _ => Vendor::Fault,
    };
    Wrong::Vendor(vendor, said)
}

#[cfg(test)]
mod tests {
    use super::super::conversation::ToolDefinition;
    use super::*;

    #[test]
    fn the_request_is_the_documented_one() {
        let mut request = Request::new("Be brief.", "hello", 50);
        request.tools = vec![ToolDefinition {
            name: "run".to_owned(),
            description: "Runs.".to_owned(),
            schema: json!({"type": "object"}),
        }];
        request.tool_choice = ToolChoice::Tool("run".to_owned());
        request.messages.push(Message {
            role: Role::Assistant,
            blocks: vec![
                Block::Opaque {
                    model: "m".to_owned(),
                    content: json!({"type": "thinking"}),
                },
                Block::ToolUse(ToolCall {
                    id: "1".to_owned(),
                    name: "run".to_owned(),
                    arguments: json!({"symbol": "AAPL"}),
                }),
            ],
        });
        request.messages.push(Message {
            role: Role::User,
            blocks: vec![
                Block::ToolResult {
                    id: "1".to_owned(),
                    content: "no data".to_owned(),
                    is_error: true,
                },
                Block::text("and?"),
            ],
        });
        request.temperature = Some(0.5);
        let body = encode(&request, "m", &Map::new(), false);
        assert_eq!(
            body,
            json!({
                "model": "m",
                "stream": true,
                "stream_options": {"include_usage": true},
                "max_tokens": 50,
                "temperature": 0.5,
                "tools": [{"type": "function", "function": {
                    "name": "run", "description": "Runs.", "parameters": {"type": "object"},
                }}],
                "tool_choice": {"type": "function", "function": {"name": "run"}},
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": "hello"},
                    {"role": "assistant", "content": null, "tool_calls": [{
                        "id": "1", "type": "function",
                        "function": {"name": "run", "arguments": "{\"symbol\":\"AAPL\"}"},
                    }]},
                    {"role": "tool", "tool_call_id": "1", "content": "Error: no data"},
                    {"role": "user", "content": "and?"},
                ],
            })
        );
        let own = encode(&request, "m", &Map::new(), true);
        assert_eq!(own["max_completion_tokens"], 50);
        assert_eq!(own["max_tokens"], Value::Null);
    }

    const CHUNKS: [&str; 7] = [
        r#"{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"hello"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"run","arguments":"{\"a\""}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"function":{"name":"stop","arguments":{"b":2}}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}"#,
        "[DONE]",
    ];

    #[test]
    fn an_answer_that_asks_for_no_tool_does_not_say_so() {
        let mut decoder = Box::new(Decoder::new("a"));
        for n in [0, 4, 5, 6] {
            assert!(decoder.event(CHUNKS[n], &mut |_| ()).is_ok());
        }
        assert_eq!(decoder.finish().unwrap().stop, StopReason::Other);
    }

    proptest::proptest! {
        #[test]
        fn disorder_is_no_panic(order in proptest::collection::vec((0..7_usize, 0..7_usize, 0..200_usize, 0..4_u8), 0..20)) {
            let mut decoder = Box::new(Decoder::new("a"));
            let mut broken = false;
            for (n, other, at, how) in order {
                let (text, more) = (CHUNKS[n], CHUNKS[other]);
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
