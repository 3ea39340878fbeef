//! A language model behind a mask: it sees masks only, and the caller sees none.

use super::{Mask, Revealer};
use crate::llm::LanguageModel;
use crate::llm::conversation::{
    Answer, AnswerEvent, Block, Call, Failure, Report, Request, ToolCall,
};
use async_trait::async_trait;
use mltrainer_types::llm::ModelIdentity;
use std::sync::{Arc, Mutex, PoisonError};

/// A model that is asked with masks; its answers come back without.
pub struct Masked {
    inner: Arc<dyn LanguageModel>,
    mask: Arc<Mask>,
}

impl Masked {
    /// The model behind the mask.
    #[must_use]
    pub fn new(inner: Arc<dyn LanguageModel>, mask: Arc<Mask>) -> Self {
        Self { inner, mask }
    }

    /// Tells the caller without masks; text is held back until it is sure.
    fn report(&self, to: Report) -> Report {
        let mask = self.mask.clone();
        let revealer = Mutex::new(Revealer::new(mask.clone()));
        Arc::new(move |event| {
            // What a panicking holder leaves is text.
            let mut revealer = revealer.lock().unwrap_or_else(PoisonError::into_inner);
            let say = |text: String| {
                if !text.is_empty() {
                    to(AnswerEvent::TextDelta(text));
                }
            };
            match event {
                AnswerEvent::TextDelta(text) => say(revealer.push(&text)),
                AnswerEvent::ToolCall(call) => {
                    say(revealer.finish());
                    to(AnswerEvent::ToolCall(reveal(&mask, call)));
                }
                AnswerEvent::Done(stop) => {
                    say(revealer.finish());
                    to(AnswerEvent::Done(stop));
                }
                AnswerEvent::Usage(_) | AnswerEvent::Retrying { .. } => to(event),
            }
        })
    }
}

fn reveal(mask: &Mask, call: ToolCall) -> ToolCall {
    ToolCall {
        arguments: mask.reveal_json(&call.arguments),
        ..call
    }
}

#[async_trait]
impl LanguageModel for Masked {
    fn identity(&self) -> &ModelIdentity {
        self.inner.identity()
    }

    fn masks(&self) -> bool {
        true
    }

    async fn answer(&self, request: &Request, call: &Call) -> Result<Answer, Failure> {
        let call = Call {
            cancel: call.cancel.clone(),
            report: self.report(call.report.clone()),
        };
        let hidden = self.mask.hide_request(request);
        let block = |block: Block| match block {
            Block::Text { text } => Block::text(self.mask.reveal(&text)),
            Block::ToolUse(call) => Block::ToolUse(reveal(&self.mask, call)),
            // Its own model reads it again, with the masks.
            Block::ToolResult { .. } | Block::Opaque { .. } => block,
        };
        match self.inner.answer(&hidden, &call).await {
            Ok(answer) => Ok(Answer {
                blocks: answer.blocks.into_iter().map(block).collect(),
                ..answer
            }),
            Err(failure) => Err(Failure {
                text: self.mask.reveal(&failure.text),
                ..failure
            }),
        }
    }
}
