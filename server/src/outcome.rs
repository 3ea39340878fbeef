//! What an action came to as plain text: for the command line, and for models that read text only.

use crate::cli::Table;
use mltrainer_types::chat::{ActionOutcome, ChatMessage};

/// An answer with the tables, notes and links of its actions.
pub(crate) fn message(answer: &ChatMessage) -> String {
    let mut text = answer.text.clone();
    for outcome in answer.cards.iter().filter_map(|c| c.outcome.as_ref()) {
        text.push_str(&details(outcome));
    }
    text
}

/// An outcome with its tables, notes and link.
pub(crate) fn text(outcome: &ActionOutcome) -> String {
    outcome.text() + &details(outcome)
}

fn details(outcome: &ActionOutcome) -> String {
    let mut text = String::new();
    for table in &outcome.tables {
        let columns: Vec<&str> = table.columns.iter().map(String::as_str).collect();
        let mut printed = Table::new(&columns);
        for row in &table.rows {
            printed.row(row.iter().cloned());
        }
        text.push_str(&format!("\n\n{}\n{}", table.title, printed.text()));
    }
    let mut block = |head: &str, lines: Vec<&str>| {
        if !lines.is_empty() {
            text.push_str(&format!("\n\n{head}\n  {}", lines.join("\n  ")));
        }
    };
    block(
        "To know:",
        outcome.notes.iter().map(String::as_str).collect(),
    );
    block(
        "Next you can say:",
        outcome.next_steps.iter().map(String::as_str).collect(),
    );
    block("Page:", outcome.link.as_deref().into_iter().collect());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_types::chat::OutcomeTable;

    #[test]
    fn tables_notes_and_links_stand_below_the_answer() {
        let outcome = ActionOutcome {
            tables: vec![OutcomeTable {
                title: "Weights".to_owned(),
                columns: vec!["symbol".to_owned(), "weight".to_owned()],
                rows: vec![vec!["AAPL".to_owned(), "5.0".to_owned()]],
            }],
            notes: vec!["earnings are missing".to_owned()],
            link: Some("/portfolio".to_owned()),
            ..ActionOutcome::default()
        };
        assert_eq!(
            text(&outcome),
            "\n\nWeights\nsymbol  weight\nAAPL       5.0\n\nTo know:\n  earnings are missing\n\nPage:\n  /portfolio"
        );
    }
}
