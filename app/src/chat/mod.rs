//! Conversations as their pages show them: messages in turns, each the words of the person, what agents
//! said on the way, and the answer.

pub mod prose;
#[cfg(feature = "ssr")]
pub(crate) mod view;

use crate::format;
#[cfg(feature = "ssr")]
use mltrainer_types::chat::{CardState, ChatMessage, ChatRole};
#[cfg(feature = "ssr")]
use mltrainer_types::llm::Cost;

/// Where a form sends what is said.
pub const SAY: &str = "/api/pages/say";

/// Where a form ends the answers that are under way.
pub const STOP: &str = "/api/pages/stop_answers";

/// Longest message, in characters.
pub const LONGEST: usize = 10_000;

/// Characters from which on the page counts them.
const NEAR: usize = 9_000;

/// A person's message with all that answers it.
#[cfg(feature = "ssr")]
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Turn {
    /// Number of the person's message, whether or not that is shown.
    pub key: i64,
    /// What the person said; absent when that is on the page before.
    pub said: Option<ChatMessage>,
    /// What agents said on the way.
    pub agents: Vec<ChatMessage>,
    /// The answer.
    pub answers: Vec<ChatMessage>,
}

#[cfg(feature = "ssr")]
impl Turn {
    /// Whether the answer is still being worked on.
    #[must_use]
    pub fn open(&self) -> bool {
        self.said.is_some() && self.answers.is_empty()
    }
}

/// Messages in turns, in the order in which they began: several may be under way at once.
#[cfg(feature = "ssr")]
#[must_use]
pub fn turns(messages: impl IntoIterator<Item = ChatMessage>) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for message in messages {
        let key = match message.role {
            ChatRole::User => message.seq,
            ChatRole::Agent | ChatRole::Assistant => message.answers.unwrap_or(message.seq),
        };
        let place = turns.iter().position(|t| t.key == key);
        let place = place.unwrap_or_else(|| {
            turns.push(Turn {
                key,
                ..Turn::default()
            });
            turns.len() - 1
        });
        if let Some(turn) = turns.get_mut(place) {
            match message.role {
                ChatRole::User => turn.said = Some(message),
                ChatRole::Agent => turn.agents.push(message),
                ChatRole::Assistant => turn.answers.push(message),
            }
        }
    }
    turns
}

/// Millionths of a US dollar as dollars: two decimals from one dollar on, four below; what is less
/// than a hundredth of a cent is said to be.
#[must_use]
pub fn dollars(micro: u64) -> String {
    match micro {
        0 => "$0".to_owned(),
        1..100 => "under $0.0001".to_owned(),
        100..1_000_000 => format!("${}", format::decimal(micro as f64 / 1e6, 4)),
        _ => format!("${}", format::decimal(micro as f64 / 1e6, 2)),
    }
}

/// Who answered and what it cost, in a line.
#[cfg(feature = "ssr")]
#[must_use]
pub fn answered_by(message: &ChatMessage) -> String {
    let Some(model) = &message.model else {
        return "Built-in parser, no cost".to_owned();
    };
    let mut line = format!("{} @ {}", model.model, model.host);
    if let Some(usage) = message.usage {
        line.push_str(" · ");
        line.push_str(&format::counted(usage.total(), "token", "tokens"));
        if usage.estimated {
            line.push_str(" (estimated)");
        }
    }
    match &message.cost {
        Some(Cost::Known { micro_dollars, .. }) => {
            line.push_str(" · ");
            line.push_str(&dollars(*micro_dollars));
        }
        Some(Cost::Unknown) => line.push_str(" · price not known"),
        None => {}
    }
    line
}

/// How many characters a message has, once that is near the limit.
#[must_use]
pub fn counted(text: &str) -> Option<String> {
    let n = text.chars().count();
    (n >= NEAR).then(|| {
        format!(
            "{} of {} characters",
            format::count(n as u64),
            format::count(LONGEST as u64)
        )
    })
}

/// What became of an action: sign, word, class.
#[cfg(feature = "ssr")]
#[must_use]
pub fn state(state: CardState) -> (&'static str, &'static str, &'static str) {
    match state {
        CardState::Done => ("✓", "Done", "done"),
        CardState::Refused => ("⊘", "Refused", "bad"),
        CardState::Failed => ("✕", "Not done", "bad"),
        CardState::Skipped => ("–", "Not tried", "stop"),
    }
}

/// Who worked on an answer, in a line: each name once, in the order of its first message.
#[cfg(feature = "ssr")]
#[must_use]
pub fn worked(agents: &[ChatMessage]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for message in agents {
        if !names.contains(&message.author.as_str()) {
            names.push(&message.author);
        }
    }
    format!(
        "{}: {}",
        format::counted(agents.len() as u64, "note", "notes"),
        names.join(", ")
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ChatRole::{Agent, Assistant, User};
    use mltrainer_types::llm::{KnowledgeCutoff, LlmProvider, ModelIdentity, TokenUsage};

    pub(crate) fn message(seq: i64, role: ChatRole, answers: Option<i64>) -> ChatMessage {
        ChatMessage {
            seq,
            conversation: "c-1".into(),
            at: chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
            role,
            author: "Data agent".to_owned(),
            answers,
            text: format!("message {seq}"),
            pieces: vec![],
            citations: vec![],
            cards: vec![],
            question: None,
            model: None,
            usage: None,
            cost: None,
            importance: 0.5,
            topics: vec![],
        }
    }

    fn shape(turns: &[Turn]) -> Vec<(i64, bool, Vec<i64>, Vec<i64>)> {
        let seqs = |list: &[ChatMessage]| list.iter().map(|e| e.seq).collect::<Vec<_>>();
        turns
            .iter()
            .map(|t| (t.key, t.open(), seqs(&t.agents), seqs(&t.answers)))
            .collect()
    }

    #[test]
    fn messages_stand_under_what_they_answer() {
        // Two questions at once, 1 and 3; the answers come in the other order.
        let list = [
            message(1, User, None),
            message(2, Agent, Some(1)),
            message(3, User, None),
            message(4, Agent, Some(3)),
            message(5, Assistant, Some(3)),
            message(6, Agent, Some(1)),
            message(7, Assistant, Some(1)),
            message(8, User, None),
        ];
        assert_eq!(
            shape(&turns(list)),
            [
                (1, false, vec![2, 6], vec![7]),
                (3, false, vec![4], vec![5]),
                (8, true, vec![], vec![])
            ]
        );
    }

    #[test]
    fn a_page_may_begin_in_the_middle_of_a_turn() {
        let list = [
            message(5, Agent, Some(4)),
            message(6, Assistant, Some(4)),
            message(7, Agent, Some(3)),
            message(8, User, None),
        ];
        // Nothing waits for the answer of a turn whose question is not shown.
        assert_eq!(
            shape(&turns(list)),
            [
                (4, false, vec![5], vec![6]),
                (3, false, vec![7], vec![]),
                (8, true, vec![], vec![])
            ]
        );
    }

    #[test]
    fn who_answered_and_what_it_cost_is_said() {
        let mut m = message(2, Assistant, Some(1));
        assert_eq!(answered_by(&m), "Built-in parser, no cost");
        m.model = Some(ModelIdentity {
            provider: LlmProvider::Anthropic,
            model: "m".into(),
            host: "h".into(),
            cutoff: KnowledgeCutoff::Unknown,
        });
        m.usage = Some(TokenUsage {
            input: 10,
            cache_write: 1,
            cache_write_1h: 2,
            cache_read: 3,
            output: 4,
            estimated: false,
        });
        m.cost = Some(Cost::Known {
            micro_dollars: 1_500,
            price_as_of: chrono::NaiveDate::from_ymd_opt(2026, 1, 1).unwrap(),
            price_source: "configured".into(),
        });
        assert_eq!(answered_by(&m), "m @ h · 20 tokens · $0.0015");
        m.cost = Some(Cost::Unknown);
        assert_eq!(answered_by(&m), "m @ h · 20 tokens · price not known");
    }

    #[test]
    fn money_is_never_nothing_when_it_is_something() {
        for (micro, expected) in [
            (0, "$0"),
            (1, "under $0.0001"),
            (100, "$0.0001"),
            (12_345, "$0.0123"),
            (2_500_000, "$2.50"),
            (1_234_567_890, "$1,234.57"),
        ] {
            assert_eq!(dollars(micro), expected, "{micro}");
        }
    }

    #[test]
    fn characters_are_counted_near_the_limit() {
        assert_eq!(counted(&"a".repeat(8_999)), None);
        assert_eq!(
            counted(&"ü".repeat(9_000)).as_deref(),
            Some("9,000 of 10,000 characters")
        );
    }

    #[test]
    fn agents_are_named_once() {
        let mut list = vec![
            message(1, Agent, None),
            message(2, Agent, None),
            message(3, Agent, None),
        ];
        list[1].author = "Model agent".into();
        assert_eq!(worked(&list), "3 notes: Data agent, Model agent");
    }
}
