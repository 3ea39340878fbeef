//! An answer in words whose every number is a figure of a result.

use crate::ServiceError;
use chrono::NaiveDate;
use mltrainer_assistant::figures::{Figure, Figures, Format, Said, Value, render};
use mltrainer_types::chat::{ActionOutcome, Job, OutcomeTable};
use serde::Serialize;
use std::sync::Arc;

/// An answer that is being written.
pub(crate) struct Reply {
    figures: Figures,
    count: u32,
    text: String,
    link: Option<String>,
    outcome: ActionOutcome,
}

impl Reply {
    /// An answer about the result that a page shows, where there is one.
    pub(crate) fn new(link: Option<String>) -> Self {
        Self {
            figures: Figures::new(),
            count: 0,
            text: String::new(),
            link,
            outcome: ActionOutcome::default(),
        }
    }

    /// What the next figures are of is shown there.
    pub(crate) fn of(&mut self, link: impl Into<String>) {
        self.link = Some(link.into());
    }

    fn figure(&mut self, label: &str, value: Value, format: Format) -> String {
        self.count += 1;
        let handle = format!("r.f{}", self.count);
        let figure = Figure {
            value,
            format,
            label: label.to_owned(),
            link: self.link.clone(),
        };
        // Handles of this shape are always accepted and each is used once.
        let _ = self.figures.add(&handle, figure);
        format!("{{{{{handle}}}}}")
    }

    /// A share as percent, with one digit after the point.
    pub(crate) fn percent(&mut self, label: &str, share: impl Into<Option<f64>>) -> String {
        let value = Value::Number(share.into().unwrap_or(f64::NAN));
        self.figure(label, value, Format::Percent(1))
    }

    /// A small share as percent, with two digits after the point.
    pub(crate) fn number_percent(&mut self, label: &str, share: f64) -> String {
        self.figure(label, Value::Number(share), Format::Percent(2))
    }

    /// A number with so many significant digits.
    pub(crate) fn number(
        &mut self,
        label: &str,
        value: impl Into<Option<f64>>,
        digits: u8,
    ) -> String {
        let value = Value::Number(value.into().unwrap_or(f64::NAN));
        self.figure(label, value, Format::Significant(digits))
    }

    /// A number with so many digits after the point.
    pub(crate) fn decimal(
        &mut self,
        label: &str,
        value: impl Into<Option<f64>>,
        places: u8,
    ) -> String {
        let value = Value::Number(value.into().unwrap_or(f64::NAN));
        self.figure(label, value, Format::Decimal(places))
    }

    /// A count.
    pub(crate) fn count(&mut self, label: &str, n: impl TryInto<u32>) -> String {
        let n = n.try_into().map_or(f64::NAN, f64::from);
        self.figure(label, Value::Number(n), Format::Decimal(0))
    }

    /// A day.
    pub(crate) fn day(&mut self, label: &str, day: NaiveDate) -> String {
        self.figure(label, Value::Day(day), Format::Decimal(0))
    }

    /// A name or a sentence of a result, whatever digits stand in it.
    pub(crate) fn name(&mut self, label: &str, text: impl Into<String>) -> String {
        self.figure(label, Value::Text(text.into()), Format::Decimal(0))
    }

    /// Words, with figures as they were given out.
    pub(crate) fn say(&mut self, text: &str) -> &mut Self {
        if !self.text.is_empty() && !self.text.ends_with(['\n', ' ']) {
            self.text.push(' ');
        }
        self.text.push_str(text);
        self
    }

    /// A new paragraph.
    pub(crate) fn paragraph(&mut self, text: &str) -> &mut Self {
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        self.text.push_str(text);
        self
    }

    /// A line of a list.
    pub(crate) fn item(&mut self, text: &str) -> &mut Self {
        self.text.push_str("\n- ");
        self.text.push_str(text);
        self
    }

    /// A table.
    pub(crate) fn table(&mut self, title: &str, columns: &[&str], rows: Vec<Vec<String>>) {
        self.outcome.tables.push(OutcomeTable {
            title: title.to_owned(),
            columns: columns.iter().map(|&c| c.to_owned()).collect(),
            rows,
        });
    }

    /// Something to know about the answer.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.outcome.notes.push(text.into());
    }

    /// A sentence that can be said next.
    pub(crate) fn next(&mut self, text: impl Into<String>) {
        self.outcome.next_steps.push(text.into());
    }

    /// What was begun.
    pub(crate) fn job(&mut self, job: Job) {
        self.link = Some(job.link.clone());
        self.outcome.job = Some(job);
    }

    /// The answer with the whole result; numbers that the person said may stand as they are.
    pub(crate) fn done(
        self,
        said: &[String],
        result: &impl Serialize,
    ) -> Result<ActionOutcome, ServiceError> {
        let mut outcome = self.outcome;
        let said = Said::new(said.iter().map(String::as_str));
        let (pieces, citations) = render(Arc::new(self.figures), Arc::new(said), &self.text);
        outcome.pieces = pieces;
        outcome.citations = citations;
        outcome.link = self.link;
        outcome.result = serde_json::to_value(result)
            .map_err(|e| ServiceError::Internal(format!("an answer was not written: {e}")))?;
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_types::chat::text_of;
    use mltrainer_types::llm::AnswerPiece;
    use serde_json::json;

    #[test]
    fn numbers_are_figures_and_others_are_marked() {
        let mut reply = Reply::new(Some("/trials/t-1".to_owned()));
        let rmse = reply.number("RMSE", 0.012_34, 3);
        let share = reply.percent("share", 0.25);
        let name = reply.name("model", "Forest of 50");
        reply.say(&format!(
            "{name}: RMSE {rmse}, {share} of 7 days, not 12.5."
        ));
        let said = ["over 7 days".to_owned()];
        let outcome = reply.done(&said, &json!({"rmse": 0.012_34})).unwrap();
        assert_eq!(
            text_of(&outcome.pieces),
            "Forest of 50: RMSE 0.0123, 25.0 % of 7 days, not [unverified: 12.5]."
        );
        assert_eq!(outcome.citations.len(), 3);
        assert_eq!(outcome.citations[0].link.as_deref(), Some("/trials/t-1"));
        let marked = |p: &&AnswerPiece| matches!(p, AnswerPiece::Unverified { .. });
        assert_eq!(outcome.pieces.iter().filter(marked).count(), 1);
    }
}
