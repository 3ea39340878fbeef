//! A conversation as its page shows it: messages in turns, each the words of the person, what agents
//! said on the way, and the answer. Data and pure functions, the same in the server and the browser.

pub mod prose;
pub(crate) mod view;

use crate::format;
use crate::live::Applied;
use mltrainer_types::chat::{CardState, ChatRole, Job, OutcomeTable};
use mltrainer_types::llm::{AnswerPiece, FigureCitation};
use serde::{Deserialize, Serialize};

/// Where a form sends what is said.
pub const SAY: &str = "/api/pages/say";

/// Longest message, in characters.
pub const LONGEST: usize = 10_000;

/// Characters from which on the page counts them.
const NEAR: usize = 9_000;

/// A message as the page shows it: what a stored message holds, without the whole results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Number in the conversation.
    pub seq: i64,
    /// When it was stored, RFC 3339 in UTC.
    pub at: String,
    /// Who wrote it.
    pub role: ChatRole,
    /// Name for people.
    pub author: String,
    /// Number of the person's message that it belongs to.
    pub answers: Option<i64>,
    /// The message as plain text.
    #[serde(default)]
    pub text: String,
    /// The answer with its numbers by reference.
    #[serde(default)]
    pub pieces: Vec<AnswerPiece>,
    /// The figures that the pieces refer to.
    #[serde(default)]
    pub citations: Vec<FigureCitation>,
    /// Actions and what they came to.
    #[serde(default)]
    pub cards: Vec<Card>,
    /// What is asked back.
    pub question: Option<Asked>,
    /// The language model that answered.
    pub model: Option<Model>,
    /// What it used.
    pub usage: Option<Usage>,
    /// What that cost.
    pub cost: Option<Price>,
}

/// An action of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Its title.
    pub title: String,
    /// What became of it.
    pub state: CardState,
    /// Why it was not done.
    pub problem: Option<String>,
    /// What it came to.
    pub outcome: Option<Outcome>,
}

/// What an action came to, beside its words.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// Tables.
    pub tables: Vec<OutcomeTable>,
    /// What was begun.
    pub job: Option<Job>,
    /// Page that shows the result.
    pub link: Option<String>,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// Sentences that can be said next.
    pub next_steps: Vec<String>,
}

/// What is asked back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The question.
    pub question: String,
    /// Answers that would do.
    #[serde(default)]
    pub suggestions: Vec<String>,
}

/// A language model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Its name.
    pub model: String,
    /// Host that was asked.
    pub host: String,
}

/// Tokens that an answer used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Read anew.
    pub input: u64,
    /// Written into the cache.
    pub cache_write: u64,
    /// Written into the cache for an hour.
    pub cache_write_1h: u64,
    /// Read from the cache.
    pub cache_read: u64,
    /// Produced.
    pub output: u64,
}

/// What an answer cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Price {
    /// Millionths of a US dollar; absent without a known price.
    pub micro_dollars: Option<u64>,
}

/// A piece of an answer that is being written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// Number of the person's message that is being answered.
    pub answers: i64,
    /// What is to be added.
    pub pieces: Vec<AnswerPiece>,
}

/// A person's message with all that answers it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// Number of its first message.
    pub key: i64,
    /// What the person said; absent when that is on the page before.
    pub said: Option<Entry>,
    /// What agents said on the way.
    pub agents: Vec<Entry>,
    /// The answer.
    pub answers: Vec<Entry>,
}

impl Turn {
    /// Whether the answer is still being worked on.
    #[must_use]
    pub fn open(&self) -> bool {
        self.said.is_some() && self.answers.is_empty()
    }
}

fn put(turns: &mut Vec<Turn>, entry: Entry) {
    let number = if entry.role == ChatRole::User {
        None
    } else {
        entry.answers
    };
    let place = number.and_then(|n| {
        turns.iter_mut().rev().find(|turn| {
            turn.said.as_ref().map_or_else(
                // The rest of a turn whose beginning is not shown.
                || {
                    turn.agents
                        .iter()
                        .chain(&turn.answers)
                        .all(|e| e.answers == Some(n))
                },
                |said| said.seq == n,
            )
        })
    });
    let turn = match place {
        Some(turn) => turn,
        None => {
            turns.push(Turn {
                key: entry.seq,
                ..Turn::default()
            });
            // It was pushed just now.
            let Some(turn) = turns.last_mut() else {
                return;
            };
            turn
        }
    };
    match entry.role {
        ChatRole::User => turn.said = Some(entry),
        ChatRole::Agent => turn.agents.push(entry),
        ChatRole::Assistant => turn.answers.push(entry),
    }
}

/// Messages in turns, in the order of what persons said: several may be under way at once.
#[must_use]
pub fn turns(entries: impl IntoIterator<Item = Entry>) -> Vec<Turn> {
    let mut turns = Vec::new();
    for entry in entries {
        put(&mut turns, entry);
    }
    turns
}

/// A conversation in motion: the turns from the first open one on, moved on by numbered messages.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Talk {
    /// Id of the conversation.
    pub id: String,
    /// Number of its last message.
    pub last: i64,
    /// Turns.
    pub turns: Vec<Turn>,
    /// What is being written, by the number of the message that it answers.
    #[serde(skip)]
    pub drafts: Vec<Delta>,
}

impl Talk {
    /// Moves it on by one stored message; the numbers decide.
    pub fn apply(&mut self, entry: Entry) -> Applied {
        if entry.seq <= self.last {
            return Applied::Known;
        }
        if entry.seq > self.last + 1 {
            return Applied::Hole;
        }
        self.last = entry.seq;
        // What was being written is stored now.
        self.drafts.retain(|d| Some(d.answers) != entry.answers);
        put(&mut self.turns, entry);
        Applied::Next
    }

    /// Adds to what is being written; what comes after the answer was stored is old.
    pub fn add(&mut self, delta: Delta) {
        let open = |t: &Turn| t.open() && t.said.as_ref().is_some_and(|s| s.seq == delta.answers);
        if !self.turns.iter().any(open) {
            return;
        }
        match self.drafts.iter_mut().find(|d| d.answers == delta.answers) {
            Some(draft) => draft.pieces.extend(delta.pieces),
            None => self.drafts.push(delta),
        }
    }

    /// Forgets what was being written: after a broken line a part of it is missing.
    pub fn forget_drafts(&mut self) {
        self.drafts.clear();
    }

    /// Whether an answer is being worked on.
    #[must_use]
    pub fn working(&self) -> bool {
        self.turns.iter().any(Turn::open)
    }
}

/// Complete turns that nothing will change, and those from the first open one on.
#[must_use]
pub fn settled(mut turns: Vec<Turn>) -> (Vec<Turn>, Vec<Turn>) {
    let at = turns.iter().position(Turn::open).unwrap_or(turns.len());
    let moving = turns.split_off(at);
    (turns, moving)
}

/// "2026-11-29 14:05 UTC" of an RFC 3339 time in UTC.
#[must_use]
pub fn when(at: &str) -> String {
    match (at.get(..10), at.get(11..16)) {
        (Some(day), Some(clock)) => format!("{day} {clock} UTC"),
        _ => at.to_owned(),
    }
}

/// "14:05:09" of an RFC 3339 time in UTC.
#[must_use]
pub fn clock(at: &str) -> String {
    at.get(11..19).unwrap_or(at).to_owned()
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
#[must_use]
pub fn answered_by(entry: &Entry) -> String {
    let Some(model) = &entry.model else {
        return "Built-in parser, no cost".to_owned();
    };
    let mut line = format!("{} @ {}", model.model, model.host);
    if let Some(u) = entry.usage {
        let tokens = [
            u.input,
            u.cache_write,
            u.cache_write_1h,
            u.cache_read,
            u.output,
        ]
        .into_iter()
        .fold(0, u64::saturating_add);
        line.push_str(" · ");
        line.push_str(&format::counted(tokens, "token", "tokens"));
    }
    match entry.cost.map(|c| c.micro_dollars) {
        Some(Some(micro)) => {
            line.push_str(" · ");
            line.push_str(&dollars(micro));
        }
        Some(None) => line.push_str(" · price not known"),
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
#[must_use]
pub fn worked(agents: &[Entry]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for entry in agents {
        if !names.contains(&entry.author.as_str()) {
            names.push(&entry.author);
        }
    }
    format!(
        "{}: {}",
        format::counted(agents.len() as u64, "note", "notes"),
        names.join(", ")
    )
}

/// The link to the page of what was begun.
#[must_use]
pub fn link_words(job: &str) -> &'static str {
    match job {
        "trial" => "Open the trial",
        "backtest" => "Open the back test",
        "optimisation" => "Open the optimisation",
        _ => "Open its page",
    }
}

#[cfg(feature = "ssr")]
impl From<mltrainer_types::chat::ChatMessage> for Entry {
    fn from(m: mltrainer_types::chat::ChatMessage) -> Self {
        Self {
            seq: m.seq,
            at: m.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            role: m.role,
            author: m.author,
            answers: m.answers,
            text: m.text,
            pieces: m.pieces,
            citations: m.citations,
            cards: m.cards.into_iter().map(Card::from).collect(),
            question: m.question.map(|q| Asked {
                question: q.question,
                suggestions: q.suggestions,
            }),
            model: m.model.map(|m| Model {
                model: m.model,
                host: m.host,
            }),
            usage: m.usage.map(|u| Usage {
                input: u.input,
                cache_write: u.cache_write,
                cache_write_1h: u.cache_write_1h,
                cache_read: u.cache_read,
                output: u.output,
            }),
            cost: m.cost.map(|c| Price {
                micro_dollars: c.micro_dollars(),
            }),
        }
    }
}

#[cfg(feature = "ssr")]
impl From<mltrainer_types::chat::ActionCard> for Card {
    fn from(c: mltrainer_types::chat::ActionCard) -> Self {
        Self {
            title: c.title,
            state: c.state,
            problem: c.problem,
            outcome: c.outcome.map(|o| Outcome {
                tables: o.tables,
                job: o.job,
                link: o.link,
                notes: o.notes,
                next_steps: o.next_steps,
            }),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) fn entry(seq: i64, role: ChatRole, answers: Option<i64>) -> Entry {
        Entry {
            seq,
            at: "2026-11-29T14:05:09Z".to_owned(),
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
        }
    }

    fn shape(turns: &[Turn]) -> Vec<(i64, Vec<i64>, Vec<i64>)> {
        let seqs = |list: &[Entry]| list.iter().map(|e| e.seq).collect::<Vec<_>>();
        turns
            .iter()
            .map(|t| (t.key, seqs(&t.agents), seqs(&t.answers)))
            .collect()
    }

    use ChatRole::{Agent, Assistant, User};

    #[test]
    fn messages_stand_under_what_they_answer() {
        // Two questions at once: 1 and 3; the answers come in the other order.
        let list = [
            entry(1, User, None),
            entry(2, Agent, Some(1)),
            entry(3, User, None),
            entry(4, Agent, Some(3)),
            entry(5, Assistant, Some(3)),
            entry(6, Agent, Some(1)),
            entry(7, Assistant, Some(1)),
            entry(8, User, None),
        ];
        let all = turns(list);
        assert_eq!(
            shape(&all),
            [
                (1, vec![2, 6], vec![7]),
                (3, vec![4], vec![5]),
                (8, vec![], vec![])
            ]
        );
        assert!(all[2].open() && !all[0].open());
        let (still, moving) = settled(all);
        assert_eq!((still.len(), shape(&moving)[0].0), (2, 8));
    }

    #[test]
    fn a_page_may_begin_in_the_middle_of_a_turn() {
        let all = turns([
            entry(5, Agent, Some(4)),
            entry(6, Assistant, Some(4)),
            entry(7, Agent, Some(3)),
            entry(8, User, None),
        ]);
        assert_eq!(
            shape(&all),
            [
                (5, vec![5], vec![6]),
                (7, vec![7], vec![]),
                (8, vec![], vec![])
            ]
        );
        // Nothing waits for the answer of a turn whose question is not shown.
        assert_eq!(settled(all).1.len(), 1);
    }

    fn words(text: &str) -> Vec<AnswerPiece> {
        vec![AnswerPiece::Text {
            text: text.to_owned(),
        }]
    }

    #[test]
    fn numbers_decide_what_a_message_does() {
        let mut talk = Talk {
            id: "c-1".into(),
            ..Talk::default()
        };
        assert_eq!(talk.apply(entry(1, User, None)), Applied::Next);
        assert_eq!(talk.apply(entry(1, User, None)), Applied::Known);
        assert_eq!(talk.apply(entry(3, Assistant, Some(1))), Applied::Hole);
        assert!(talk.working());
        assert_eq!(talk.apply(entry(2, Assistant, Some(1))), Applied::Next);
        assert!(!talk.working());
        assert_eq!(shape(&talk.turns), [(1, vec![], vec![2])]);
    }

    #[test]
    fn what_is_written_ends_with_what_is_stored() {
        let mut talk = Talk::default();
        let delta = |pieces| Delta { answers: 1, pieces };
        talk.add(delta(words("lost: nothing is asked yet")));
        assert!(talk.drafts.is_empty());
        talk.apply(entry(1, User, None));
        talk.add(delta(words("The ")));
        talk.add(delta(words("answer")));
        assert_eq!(talk.drafts.len(), 1);
        assert_eq!(talk.drafts[0].pieces.len(), 2);
        talk.apply(entry(2, Assistant, Some(1)));
        assert!(talk.drafts.is_empty());
        // Late pieces of the stored answer.
        talk.add(delta(words("answer")));
        assert!(talk.drafts.is_empty());
    }

    #[test]
    fn a_message_of_the_stream_is_read() {
        let text = json!({
            "seq": 4, "conversation": "c-1", "at": "2026-11-29T14:05:09.123456Z", "role": "assistant",
            "author": "mlTrainer", "answers": 3, "text": "RMSE 0.5",
            "pieces": [{"kind": "text", "text": "RMSE "}, {"kind": "figure", "text": "0.5", "citation": 0}],
            "citations": [{"handle": "r.f1", "label": "RMSE", "link": "/trials/t-1"}],
            "cards": [{
                "action": "run_trial", "title": "Run a trial", "params": {"x": 1}, "state": "done", "problem": null,
                "outcome": {
                    "action": "run_trial", "pieces": [], "citations": [],
                    "tables": [{"title": "Board", "columns": ["Model"], "rows": [["ridge"]]}],
                    "job": {"kind": "trial", "id": "t-1", "link": "/trials/t-1"}, "link": null,
                    "notes": ["a note"], "next_steps": ["What now"], "result": {"large": [1, 2, 3]}
                }
            }],
            "question": {"action": "run_trial", "slot": "symbols", "question": "Which symbol?", "suggestions": ["AAPL"],
                "params": {}, "text": "", "confidence": 1.0, "used": []},
            "model": {"provider": "anthropic", "model": "m", "host": "h", "cutoff": {"kind": "unknown"}},
            "usage": {"input": 10, "cache_write": 1, "cache_write_1h": 2, "cache_read": 3, "output": 4, "estimated": false},
            "cost": {"kind": "known", "micro_dollars": 1500, "price_as_of": "2026-01-01", "price_source": "x"},
            "importance": 0.4, "topics": []
        })
        .to_string();
        let e: Entry = serde_json::from_str(&text).unwrap();
        let outcome = e.cards[0].outcome.clone().unwrap();
        assert_eq!(outcome.job.unwrap().id, "t-1");
        assert_eq!(outcome.tables[0].rows, [["ridge"]]);
        assert_eq!(e.question.as_ref().unwrap().suggestions, ["AAPL"]);
        assert_eq!(answered_by(&e), "m @ h · 20 tokens · $0.0015");
        // What a person said has none of it.
        let said: Entry = serde_json::from_str(
            r#"{"seq":1,"at":"2026-11-29T14:05:09Z","role":"user","author":"user","answers":null,"text":"hi","question":null,"model":null,"usage":null,"cost":null}"#,
        )
        .unwrap();
        assert_eq!(answered_by(&said), "Built-in parser, no cost");
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
    fn times_are_said_to_the_minute() {
        for (at, long, short) in [
            (
                "2026-11-29T14:05:09.123Z",
                "2026-11-29 14:05 UTC",
                "14:05:09",
            ),
            ("2026-11-29T14:05:09Z", "2026-11-29 14:05 UTC", "14:05:09"),
            ("soon", "soon", "soon"),
        ] {
            assert_eq!((when(at).as_str(), clock(at).as_str()), (long, short));
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
            entry(1, Agent, None),
            entry(2, Agent, None),
            entry(3, Agent, None),
        ];
        list[1].author = "Model agent".into();
        assert_eq!(worked(&list), "3 notes: Data agent, Model agent");
    }
}
