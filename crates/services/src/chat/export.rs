//! A conversation as a file.

use crate::{ServiceError, Services};
use mltrainer_types::chat::{CardState, ChatMessage, ChatRole};
use std::fmt::Write as _;

/// Messages read at a time.
const PAGE: u32 = 500;

impl Services {
    /// A whole conversation as JSON: an array of messages.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn conversation_json(&self, id: &str) -> Result<String, ServiceError> {
        let all = self.whole(id).await?;
        serde_json::to_string_pretty(&all)
            .map_err(|e| ServiceError::Internal(format!("a conversation was not written: {e}")))
    }

    /// A whole conversation as Markdown.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn conversation_markdown(&self, id: &str) -> Result<String, ServiceError> {
        let title = self.conversation(id).await?.title;
        let all = self.whole(id).await?;
        Ok(markdown(&title, &all))
    }

    async fn whole(&self, id: &str) -> Result<Vec<ChatMessage>, ServiceError> {
        let id = self.conversation(id).await?.id;
        let mut all: Vec<ChatMessage> = Vec::new();
        loop {
            let after = all.last().map_or(0, |m| m.seq);
            let page = self.inner.talk.store.messages(&id, after, PAGE).await?;
            let more = page.len() == PAGE as usize;
            all.extend(page);
            if !more {
                return Ok(all);
            }
        }
    }
}

/// A cell without what would end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn markdown(title: &str, messages: &[ChatMessage]) -> String {
    let mut out = format!("# {}\n", title.replace('\n', " "));
    for m in messages {
        let who = if m.role == ChatRole::User {
            "You"
        } else {
            &m.author
        };
        // Writing to a text does not fail.
        let _ = write!(out, "\n## {who}, {}\n\n{}\n", m.at.to_rfc3339(), m.text);
        for card in &m.cards {
            let state = match card.state {
                CardState::Done => "done",
                CardState::Refused => "refused",
                CardState::Failed => "failed",
                CardState::Skipped => "not tried",
            };
            let _ = write!(out, "\n- {} (`{}`): {state}", card.title, card.action);
            if let Some(problem) = &card.problem {
                let _ = write!(out, ": {problem}");
            }
            out.push('\n');
            let Some(outcome) = &card.outcome else {
                continue;
            };
            if let Some(link) = &outcome.link {
                let _ = writeln!(out, "  Result: {link}");
            }
            for table in &outcome.tables {
                let line = |cells: &[String]| {
                    let cells: Vec<_> = cells.iter().map(|c| cell(c)).collect();
                    format!("| {} |\n", cells.join(" | "))
                };
                let _ = write!(out, "\n{}\n\n{}", table.title, line(&table.columns));
                let _ = writeln!(out, "|{}", " --- |".repeat(table.columns.len()));
                for row in &table.rows {
                    out.push_str(&line(row));
                }
            }
            for note in &outcome.notes {
                let _ = write!(out, "\n> {note}\n");
            }
        }
        let mut cited: Vec<String> = Vec::new();
        for c in &m.citations {
            if let Some(link) = &c.link
                && !cited.contains(link)
            {
                cited.push(link.clone());
            }
        }
        if !cited.is_empty() {
            let _ = write!(out, "\nNumbers from: {}\n", cited.join(", "));
        }
        if let Some(model) = &m.model {
            let _ = write!(out, "\nAnswered by {} at {}.\n", model.model, model.host);
        }
    }
    out
}
