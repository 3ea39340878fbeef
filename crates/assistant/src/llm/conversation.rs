//! What is said to a language model and what comes back, whatever its wire format.

use super::error::LlmError;
use mltrainer_types::llm::{StopReason, TokenUsage};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The person, or the results of tools.
    User,
    /// The model.
    Assistant,
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Block {
    /// Words.
    Text {
        /// The words.
        text: String,
    },
    /// The model asks for a tool.
    ToolUse(ToolCall),
    /// What the tool gave.
    ToolResult {
        /// The id of the call that it answers.
        id: String,
        /// What it gave.
        content: String,
        /// Whether it failed.
        is_error: bool,
    },
    /// A part that only its own model can read (its thinking, signed). It goes back to that model
    /// unchanged and to no other.
    Opaque {
        /// The model that made it.
        model: String,
        /// As it came.
        content: Value,
    },
}

impl Block {
    /// Words as a block.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }
}

/// A call of a tool, with whole arguments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Id of the call.
    pub id: String,
    /// Name of the tool.
    pub name: String,
    /// Arguments: a JSON object, not yet checked against the schema of the tool.
    pub arguments: Value,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// Its parts.
    pub blocks: Vec<Block>,
}

impl Message {
    /// Words of the person.
    pub fn user(text: impl Into<String>) -> Self {
        Self {
            role: Role::User,
            blocks: vec![Block::text(text)],
        }
    }

    /// Words of the model.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self {
            role: Role::Assistant,
            blocks: vec![Block::text(text)],
        }
    }
}

/// A tool that the model may ask for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolDefinition {
    /// Name: letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// What it does and when to use it.
    pub description: String,
    /// JSON schema of its arguments, an object.
    pub schema: Value,
}

/// Whether the model may, must or must not ask for tools.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// It decides.
    #[default]
    Auto,
    /// None.
    None,
    /// Some tool. Several models with thinking refuse such a request.
    Any,
    /// This tool. Several models with thinking refuse such a request.
    Tool(String),
}

/// A request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Instructions that stand before the conversation.
    pub system: String,
    /// The conversation; the first and the last message are the user's.
    pub messages: Vec<Message>,
    /// Tools on offer.
    pub tools: Vec<ToolDefinition>,
    /// Whether tools may be asked for.
    pub tool_choice: ToolChoice,
    /// Most tokens of the answer, thinking included.
    pub max_tokens: u32,
    /// Randomness from 0 to 2; `None` leaves it to the model. Several models with thinking refuse it.
    pub temperature: Option<f64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// Whether the vendor may keep the prompt for a cheaper second reading, where it must be asked to.
    pub cache: bool,
}

impl Request {
    /// A request with one message, no tools and the defaults.
    pub fn new(system: impl Into<String>, message: impl Into<String>, max_tokens: u32) -> Self {
        Self {
            system: system.into(),
            messages: vec![Message::user(message)],
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            max_tokens,
            temperature: None,
            stop: Vec::new(),
            cache: true,
        }
    }

    /// Whether the request can be asked of any model.
    ///
    /// # Errors
    /// [`LlmError::Invalid`], in one sentence.
    pub fn check(&self) -> Result<(), LlmError> {
        let invalid = |reason: String| Err(LlmError::Invalid { reason });
        if self.max_tokens == 0 {
            return invalid("the most tokens of the answer must be at least 1".to_owned());
        }
        if self.temperature.is_some_and(|t| !(0.0..=2.0).contains(&t)) {
            return invalid("the temperature must lie between 0 and 2".to_owned());
        }
        let mut names = BTreeSet::new();
        for tool in &self.tools {
            if !is_tool_name(&tool.name) {
                return invalid(format!(
                    "the tool name {:?} must have 1 to 64 letters, digits, _ or -",
                    tool.name
                ));
            }
            if !names.insert(&tool.name) {
                return invalid(format!("the tool {} is offered twice", tool.name));
            }
            if tool.schema["type"] != "object" {
                return invalid(format!(
                    "the schema of the tool {} must be of an object",
                    tool.name
                ));
            }
        }
        if let ToolChoice::Tool(name) = &self.tool_choice
            && !names.contains(name)
        {
            return invalid(format!("the tool {name} is asked for but not offered"));
        }
        let user = |m: Option<&Message>| m.is_some_and(|m| m.role == Role::User);
        if !user(self.messages.first()) || !user(self.messages.last()) {
            return invalid("the first and the last message must be the user's".to_owned());
        }
        // The calls of the message before, which this one must answer.
        let mut open: BTreeSet<&str> = BTreeSet::new();
        for message in &self.messages {
            let mut calls = BTreeSet::new();
            let mut some = false;
            for block in &message.blocks {
                match (block, message.role) {
                    (Block::Text { text }, _) => some |= !text.trim().is_empty(),
                    (Block::ToolUse(call), Role::Assistant) => {
                        some = true;
                        if !call.arguments.is_object() {
                            return invalid(format!(
                                "the arguments of the call {} must be an object",
                                call.id
                            ));
                        }
                        if !calls.insert(call.id.as_str()) {
                            return invalid(format!("two calls have the id {}", call.id));
                        }
                    }
                    (Block::ToolResult { id, .. }, Role::User) => {
                        some = true;
                        if !open.remove(id.as_str()) {
                            return invalid(format!("the result {id} answers no call before it"));
                        }
                    }
                    (Block::Opaque { .. }, Role::Assistant) => some = true,
                    (Block::ToolUse(call), Role::User) => {
                        return invalid(format!("the user cannot make the call {}", call.id));
                    }
                    (Block::ToolResult { id, .. }, Role::Assistant) => {
                        return invalid(format!("the model cannot give the result {id}"));
                    }
                    (Block::Opaque { .. }, Role::User) => {
                        return invalid("the user cannot say a model's own part".to_owned());
                    }
                }
            }
            if let Some(id) = open.first() {
                return invalid(format!("the call {id} has no result in the next message"));
            }
            if !some {
                return invalid("a message is empty".to_owned());
            }
            open = calls;
        }
        Ok(())
    }
}

/// Whether a name can be a tool's with every vendor.
#[must_use]
pub fn is_tool_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// What comes while a model answers.
#[derive(Debug, Clone, PartialEq)]
pub enum AnswerEvent {
    /// More words.
    TextDelta(String),
    /// A whole call of a tool; it comes when the answer has ended well, so that a call that was cut
    /// off is never given out.
    ToolCall(ToolCall),
    /// Tokens so far; the last one counts.
    Usage(TokenUsage),
    /// A request failed before its answer began and is sent again.
    Retrying {
        /// Number of the next try.
        attempt: u32,
        /// After so long.
        pause: Duration,
        /// Why the last one failed.
        cause: String,
    },
    /// The answer ended well; nothing comes after it.
    Done(StopReason),
}

/// Takes events; it must not block.
pub type Report = Arc<dyn Fn(AnswerEvent) + Send + Sync>;

/// What accompanies a request: a way to end it and somebody to tell.
#[derive(Clone)]
pub struct Call {
    /// Ends the request.
    pub cancel: CancellationToken,
    /// Hears the answer as it comes.
    pub report: Report,
}

impl Call {
    /// A call that nobody watches or ends.
    #[must_use]
    pub fn quiet() -> Self {
        Self {
            cancel: CancellationToken::new(),
            report: Arc::new(|_| ()),
        }
    }
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Its parts in order: text, calls of tools, and what only the model can read.
    pub blocks: Vec<Block>,
    /// Why it ended.
    pub stop: StopReason,
    /// Tokens.
    pub usage: TokenUsage,
    /// The model that says it answered.
    pub answered_by: Option<String>,
    /// The vendor's id of the answer.
    pub vendor_id: Option<String>,
    /// Requests sent.
    pub tries: u32,
}

impl Answer {
    /// The words.
    #[must_use]
    pub fn text(&self) -> String {
        self.blocks
            .iter()
            .filter_map(|b| match b {
                Block::Text { text } => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// The calls of tools.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.blocks.iter().filter_map(|b| match b {
            Block::ToolUse(call) => Some(call),
            _ => None,
        })
    }

    /// The message to put into the conversation.
    #[must_use]
    pub fn message(&self) -> Message {
        Message {
            role: Role::Assistant,
            blocks: self.blocks.clone(),
        }
    }
}

/// An answer that did not come, and what it used nevertheless.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// Why.
    pub error: LlmError,
    /// Tokens that were or may have been used.
    pub usage: TokenUsage,
    /// The words that had come.
    pub text: String,
    /// Requests sent.
    pub tries: u32,
}

impl Failure {
    /// One that used nothing.
    #[must_use]
    pub fn unsent(error: LlmError) -> Self {
        Self {
            error,
            usage: TokenUsage::default(),
            text: String::new(),
            tries: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call(id: &str) -> Block {
        Block::ToolUse(ToolCall {
            id: id.to_owned(),
            name: "run".to_owned(),
            arguments: json!({}),
        })
    }

    fn result(id: &str) -> Block {
        Block::ToolResult {
            id: id.to_owned(),
            content: "done".to_owned(),
            is_error: false,
        }
    }

    fn says(change: impl FnOnce(&mut Request)) -> String {
        let mut request = Request::new("be brief", "hello", 100);
        request.tools.push(ToolDefinition {
            name: "run".to_owned(),
            description: "runs".to_owned(),
            schema: json!({"type": "object"}),
        });
        change(&mut request);
        match request.check() {
            Ok(()) => "fine".to_owned(),
            Err(e) => e.to_string(),
        }
    }

    fn turn(request: &mut Request, role: Role, blocks: Vec<Block>) {
        request.messages.push(Message { role, blocks });
    }

    #[test]
    fn a_request_that_no_vendor_takes_is_not_sent() {
        assert_eq!(says(|_| ()), "fine");
        assert_eq!(
            says(|r| {
                turn(r, Role::Assistant, vec![call("a"), call("b")]);
                turn(
                    r,
                    Role::User,
                    vec![result("b"), result("a"), Block::text("and?")],
                );
            }),
            "fine"
        );
        let cases: [(&str, fn(&mut Request)); 14] = [
            ("at least 1", |r| r.max_tokens = 0),
            ("between 0 and 2", |r| r.temperature = Some(f64::NAN)),
            ("between 0 and 2", |r| r.temperature = Some(2.1)),
            ("must have 1 to 64", |r| {
                r.tools[0].name = "run it".to_owned()
            }),
            ("offered twice", |r| r.tools.push(r.tools[0].clone())),
            ("must be of an object", |r| {
                r.tools[0].schema = json!({"type": "string"});
            }),
            ("asked for but not offered", |r| {
                r.tool_choice = ToolChoice::Tool("stop".to_owned());
            }),
            ("first and the last", |r| r.messages.clear()),
            ("first and the last", |r| {
                turn(r, Role::Assistant, vec![Block::text("so")]);
            }),
            ("a has no result", |r| {
                turn(r, Role::Assistant, vec![call("a")]);
                turn(r, Role::User, vec![Block::text("well?")]);
            }),
            ("answers no call", |r| {
                turn(r, Role::User, vec![result("a")])
            }),
            ("two calls", |r| {
                turn(r, Role::Assistant, vec![call("a"), call("a")]);
                turn(r, Role::User, vec![result("a")]);
            }),
            ("the user cannot make", |r| {
                turn(r, Role::User, vec![call("a")])
            }),
            ("is empty", |r| turn(r, Role::User, vec![Block::text(" ")])),
        ];
        for (part, change) in cases {
            let said = says(change);
            assert!(said.contains(part), "{said:?} does not say {part:?}");
        }
    }
}
