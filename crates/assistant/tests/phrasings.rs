//! The table of what people say: every sentence must come to its action and exactly its parameters.
//!
//! What: `data/phrasings.tsv` (482, and 6 for an action that came later) was written before the parser. Each fourth sentence was kept aside
//! while the parser was written against the others; on the first run over these 120, before any change
//! that they inspired, 119 were understood. Whoever wrote the sentences wrote the words too, so that
//! figure flatters. So three more tables were written afterwards, each run once before the parser
//! learnt from it: `phrasings_later.tsv`, as unlike as possible, 80 of 154; `phrasings_third.tsv`, in the
//! words of hurried users, 98 of 136; `phrasings_fourth.tsv`, 78 of 110. That seven of ten of the last two
//! are the best guess at what somebody else's sentence meets; most others were said to be not
//! understood or asked back. Four of these 400 came to an action that changes something and was not meant:
//! "every trial I ran on IBM" ran one, "all my backtests of IBM" made one, "start the paused trial again"
//! paused it, "show AAPL" analysed it.
//! `phrasings_fifth.tsv` (400) was written by somebody who had read docs/assistant.md only, in an order
//! by hash: of the first 260, for development, 198 were understood at first sight, of the last 140, held
//! aside, 107; when all 260 were, 117 of the 140 (one row had named a parameter as this test does not
//! and was mended before that run), which were then read too. `phrasings_sixth.tsv`, `_seventh` and
//! `_eighth` were written in turn while mending: 208 of 243, 173 of 215 and 121 of 146 at first sight; four
//! rows were loosened afterwards, where nothing begun or a question is right too. The tests require what
//! is reached now.
//! Data: names of models as in the catalogue's list, symbols as bundled.

#![expect(clippy::unwrap_used, reason = "a test fails by stopping")]

use mltrainer_assistant::parser::Parser;
use mltrainer_types::assistant::{ACTIONS, Understanding};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt::Write as _;

mod common;
use common::{context, lexicon};

struct Row {
    sentence: &'static str,
    expected: &'static str,
    slots: Value,
}

fn read(table: &'static str) -> Vec<Row> {
    table
        .lines()
        .filter(|l| !l.starts_with('#'))
        .map(|l| {
            let f: Vec<&str> = l.split('\t').collect();
            Row {
                sentence: f[0],
                expected: f[1],
                slots: if f[2].is_empty() {
                    Value::Null
                } else {
                    serde_json::from_str(f[2]).unwrap()
                },
            }
        })
        .collect()
}

fn rows(held_aside: bool) -> Vec<Row> {
    read(include_str!("data/phrasings.tsv"))
        .into_iter()
        .enumerate()
        .filter(|(i, _)| (i % 4 == 3) == held_aside)
        .map(|(_, row)| row)
        .collect()
}

/// What was said of the parameters: without what is absent or at its default, inner requests lifted.
fn said(action: &str, params: &Value) -> Value {
    let mut out = Map::new();
    let mut todo = vec![params.clone()];
    while let Some(Value::Object(map)) = todo.pop() {
        for (k, v) in map {
            let lifted = k == "request" || (action == "optimise_portfolio" && k == "params");
            if lifted {
                todo.push(v);
                continue;
            }
            let v = stripped(&v, action == "run_backtest" && k == "costs");
            let default = v.is_null()
                || (k == "costs" && v == serde_json::json!({"bps": 5.0}))
                || (k == "validation"
                    && v == serde_json::json!({"kind": "walk_forward", "folds": 5, "embargo": 0}))
                || (k == "basis")
                || (k == "explain");
            if !default {
                out.insert(k, v);
            }
        }
    }
    numbers(&Value::Object(out))
}

/// Without nulls, empty things and `false`; and without zeros where asked.
fn stripped(v: &Value, zeros: bool) -> Value {
    match v {
        Value::Array(a) if a.is_empty() => Value::Null,
        Value::Array(a) => a.iter().map(|v| stripped(v, zeros)).collect(),
        Value::Object(o) => {
            let kept: Map<String, Value> = o
                .iter()
                .map(|(k, v)| (k.clone(), stripped(v, zeros)))
                .filter(|(_, v)| !v.is_null())
                .collect();
            if kept.is_empty() {
                Value::Null
            } else {
                Value::Object(kept)
            }
        }
        Value::Bool(false) => Value::Null,
        Value::String(s) if s.is_empty() => Value::Null,
        Value::Number(n) if zeros && n.as_f64() == Some(0.0) => Value::Null,
        v => v.clone(),
    }
}

/// Every number as a float, so that 5 and 5.0 are the same.
fn numbers(v: &Value) -> Value {
    match v {
        Value::Number(n) => Value::from(n.as_f64().unwrap()),
        Value::Array(a) => a.iter().map(numbers).collect(),
        Value::Object(o) => Value::Object(o.iter().map(|(k, v)| (k.clone(), numbers(v))).collect()),
        v => v.clone(),
    }
}

/// What was understood, in the words of the table.
fn understood(parser: &Parser, sentence: &str) -> (String, Value) {
    match parser.parse(sentence, &context()) {
        Understanding::Actions { actions } if actions.len() == 1 => {
            let id = actions[0].action.id();
            (id.to_owned(), said(id, &actions[0].action.params()))
        }
        Understanding::Actions { actions } => {
            let ids: Vec<_> = actions.iter().map(|a| a.action.id()).collect();
            (ids.join(" + "), Value::Null)
        }
        Understanding::Question(q) => (
            format!("?{}.{}", q.action, q.slot),
            said(&q.action, &q.params),
        ),
        Understanding::NotUnderstood { .. } => ("-".to_owned(), Value::Object(Map::new())),
    }
}

/// Whether what the table says of a question is among what was understood: a question may know more.
fn among(wanted: &Value, got: &Value) -> bool {
    wanted
        .as_object()
        .unwrap()
        .iter()
        .all(|(k, v)| got.get(k) == Some(v))
}

/// Sentences that were not understood as the table wants, and what came instead.
fn failures(rows: &[Row]) -> (Vec<&'static str>, String) {
    let parser = Parser::new(lexicon());
    let mut told = String::new();
    let mut failed = Vec::new();
    for row in rows {
        let (got, slots) = understood(&parser, row.sentence);
        let wanted = numbers(&row.slots);
        let question = row.expected.starts_with('?');
        let same = if question {
            among(&wanted, &slots)
        } else {
            slots == wanted
        };
        if got != row.expected || !same {
            failed.push(row.sentence);
            writeln!(
                told,
                "{}\n  wanted {} {wanted}\n  got    {got} {slots}",
                row.sentence, row.expected
            )
            .unwrap();
        }
    }
    (failed, told)
}

/// Fails unless exactly these sentences are not understood.
fn check(rows: &[Row], not_understood: &[&str]) {
    let (failed, told) = failures(rows);
    assert_eq!(failed, not_understood, "of {}:\n{told}", rows.len());
}

#[test]
fn every_action_is_said_in_both_parts() {
    for held_aside in [false, true] {
        let said: BTreeSet<&str> = rows(held_aside)
            .iter()
            .map(|r| {
                r.expected
                    .trim_start_matches('?')
                    .split('.')
                    .next()
                    .unwrap()
            })
            .collect();
        for a in ACTIONS {
            assert!(said.contains(a.id), "{} {held_aside}", a.id);
        }
    }
    assert!(rows(false).len() >= 300 && rows(true).len() >= 100);
}

#[test]
fn development_sentences_are_understood() {
    check(&rows(false), &[]);
}

#[test]
fn sentences_kept_aside_are_understood() {
    check(&rows(true), &[]);
}

#[test]
fn later_sentences_are_understood() {
    check(
        &read(include_str!("data/phrasings_later.tsv")),
        &[
            // A figure of speech.
            "set ridge loose on AAPL",
            // No verb: nothing that costs computing time begins without one.
            "ensemble of ten models, please, on JPMorgan, for 5 and 20 days",
        ],
    );
}

#[test]
fn third_sentences_are_understood() {
    check(
        &read(include_str!("data/phrasings_third.tsv")),
        &[
            // No verb again.
            "trial: symbols AAPL and IBM, target direction, models svc and logistic regression",
        ],
    );
}

#[test]
fn fourth_sentences_are_understood() {
    check(&read(include_str!("data/phrasings_fourth.tsv")), &[]);
}

/// Sentences of the fifth table: turns, what must come of the last one, the parameters that matter.
fn fifth(held_aside: bool) -> Vec<Row> {
    let all = read(include_str!("data/phrasings_fifth.tsv")).into_iter();
    if held_aside {
        all.skip(260).collect()
    } else {
        all.take(260).collect()
    }
}

/// Whether everything wanted is there; lists hold the same in any order, `"*"` stands for anything.
fn holds(wanted: &Value, got: &Value) -> bool {
    match (wanted, got) {
        (Value::Null, _) => true,
        (Value::String(any), got) if any == "*" => !got.is_null(),
        (Value::Object(w), got) => w
            .iter()
            .all(|(k, v)| holds(v, got.get(k).unwrap_or(&Value::Null))),
        (Value::Array(w), Value::Array(g)) => {
            w.len() == g.len() && w.iter().all(|w| g.iter().any(|g| holds(w, g)))
        }
        (w, g) => w == g,
    }
}

/// What a conversation comes to: its turns one after the other, as the services hand them on.
fn conversation(parser: &Parser, turns: &str) -> Understanding {
    let mut context = context();
    let mut last = None;
    for turn in turns.split(" >> ") {
        let understood = parser.parse(turn, &context);
        context.question = None;
        match &understood {
            Understanding::Actions { actions } => {
                for a in actions {
                    context.last_action = Some(a.action.clone());
                    let params = a.action.params();
                    for place in ["/symbols", "/request/symbols"] {
                        if let Some(Value::Array(symbols)) = params.pointer(place) {
                            context.last_symbols = symbols
                                .iter()
                                .map(|s| s.as_str().unwrap().to_owned())
                                .collect();
                        }
                    }
                }
            }
            Understanding::Question(q) => context.question = Some(q.clone()),
            Understanding::NotUnderstood { .. } => {}
        }
        last = Some(understood);
    }
    last.unwrap()
}

/// Rows of the fifth table that are not understood, and what came instead.
fn fifth_failures(rows: &[Row]) -> (Vec<&'static str>, String) {
    let parser = Parser::new(lexicon());
    let mut told = String::new();
    let mut failed = Vec::new();
    for row in rows {
        let understood = conversation(&parser, row.sentence);
        let (ids, params, changes) = match &understood {
            Understanding::Actions { actions } => {
                let ids: Vec<&str> = actions.iter().map(|a| a.action.id()).collect();
                let mut params: Vec<Value> = actions
                    .iter()
                    .map(|a| said(a.action.id(), &a.action.params()))
                    .collect();
                let params = if params.len() == 1 {
                    params.remove(0)
                } else {
                    Value::Array(params)
                };
                let changes = ids
                    .iter()
                    .any(|id| ACTIONS.iter().any(|a| a.id == *id && a.changes));
                (ids.join(" + "), params, changes)
            }
            Understanding::Question(q) => (
                format!("?{}.{}", q.action, q.slot),
                said(&q.action, &q.params),
                false,
            ),
            Understanding::NotUnderstood { .. } => ("-".to_owned(), Value::Null, false),
        };
        let wanted = numbers(&row.slots);
        let ok = row.expected.split('|').any(|e| {
            e == ids
                || (e == "none" && !changes)
                || (e.starts_with('?')
                    && ids.starts_with(e)
                    && (e == "?" || e.contains('.') || ids[e.len()..].starts_with('.')))
        });
        // The order of several actions is that of the sentence.
        let right = match (&wanted, &params) {
            (Value::Array(w), Value::Array(g)) => {
                w.len() == g.len() && w.iter().zip(g).all(|(w, g)| holds(w, g))
            }
            (w, g) => holds(w, g),
        };
        if !ok || !right {
            failed.push(row.sentence);
            writeln!(
                told,
                "{}\n  wanted {} {wanted}\n  got    {ids} {params}",
                row.sentence, row.expected
            )
            .unwrap();
        }
    }
    (failed, told)
}

#[test]
fn fifth_sentences_are_understood() {
    let (failed, told) = fifth_failures(&fifth(false));
    assert!(failed.is_empty(), "{} of 260:\n{told}", failed.len());
}

#[test]
fn fifth_sentences_held_aside_are_understood() {
    let (failed, told) = fifth_failures(&fifth(true));
    assert_eq!(
        failed,
        [
            // How much it weighs now is not known to the parser: it asks.
            "give ridge twice the weight in the trial",
            // No verb: nothing that costs computing time begins without one.
            "ensemble on JNJ pls",
        ],
        "of 140:\n{told}"
    );
}

#[test]
fn sixth_sentences_are_understood() {
    let rows = read(include_str!("data/phrasings_sixth.tsv"));
    let (failed, told) = fifth_failures(&rows);
    assert!(
        failed.is_empty(),
        "{} of {}:\n{told}",
        failed.len(),
        rows.len()
    );
}

#[test]
fn seventh_sentences_are_understood() {
    let rows = read(include_str!("data/phrasings_seventh.tsv"));
    let (failed, told) = fifth_failures(&rows);
    assert_eq!(
        failed,
        // The question comes to the prices, the test's name alone to what it is.
        ["does AAPL show autocorrelation? ljung box please"],
        "of {}:\n{told}",
        rows.len()
    );
}

#[test]
fn eighth_sentences_are_understood() {
    let rows = read(include_str!("data/phrasings_eighth.tsv"));
    let (failed, told) = fifth_failures(&rows);
    assert_eq!(failed, [""; 0], "of {}:\n{told}", rows.len());
}
