//! Sentences that only change the action before: "and for MSFT?", "now with 20 days", "same for IBM".
//!
//! What: whether a sentence is one, and the action before with what it says put in. Everything in it must
//! be a small word or something recognised, and one of the words must say that it goes on.
//! Fails when: nothing fails; a sentence with a word of its own is read for itself.

use super::clause::Clause;
use super::notice::Seen;
use super::text::Piece;
use mltrainer_types::assistant::AssistantAction;
use serde_json::{Map, Value};

/// Words that go on with what was said.
const GO_ON: &[&str] = &[
    "and", "now", "same", "also", "but", "with", "only", "just", "instead", "again", "too",
    "about", "likewise", "ditto", "for", "on", "or",
];

/// Words that say nothing more.
const SMALL: &[&str] = &[
    "what", "how", "the", "this", "that", "time", "for", "on", "to", "at", "in", "over", "of", "a",
    "an", "please", "do", "it", "thing", "top", "first", "next", "ahead", "days", "day", "using",
    "use", "is", "one", "ok", "okay", "then", "from", "since", "until", "as", "well", "horizon",
    "try", "make", "s", "ones",
];

/// Whether a sentence only goes on with the one before.
pub(super) fn elliptic(c: &Clause<'_>) -> bool {
    let covered = |i: usize| {
        c.notes.iter().any(|n| {
            n.from <= i
                && i < n.to
                && matches!(
                    n.seen,
                    Seen::Symbol(_) | Seen::Model(_) | Seen::Strategy(_) | Seen::Term(..)
                )
        }) || c.durations.iter().any(|d| d.from <= i && i < d.to)
            || c.days.used.iter().any(|(f, t)| *f <= i && i < *t)
    };
    let mut says = false;
    let mut goes_on = false;
    for (i, t) in c.tokens.iter().enumerate() {
        let value = covered(i)
            || matches!(
                t.piece,
                Piece::Number { .. } | Piece::Day(_) | Piece::Cashtag
            );
        if t.is(GO_ON) {
            goes_on = true;
        } else if value {
            says = true;
        } else if !(t.mark().is_some() || t.is(SMALL)) {
            return false;
        }
    }
    says && goes_on
}

/// The action before with what was said put in; `silent` is what saying nothing comes to, `sideless`
/// whether no word says above or below.
pub(super) fn changed(
    before: &AssistantAction,
    said: &AssistantAction,
    silent: &AssistantAction,
    sideless: bool,
) -> Option<AssistantAction> {
    let mut params = before.params();
    let mut said = said.params();
    // "same for GE at 80": on the side on which it was.
    if before.id() == "create_alert"
        && sideless
        && !params["price_below"].is_null()
        && let Some(price) = said.get_mut("price_above").map(Value::take)
        && !price.is_null()
    {
        said["price_below"] = price;
    }
    let changes = put_in(&mut params, &said, &silent.params());
    if !changes {
        return None;
    }
    AssistantAction::from_parts(before.id(), params).ok()
}

fn put_in(into: &mut Value, said: &Value, silent: &Value) -> bool {
    let (Value::Object(into), Value::Object(said)) = (into, said) else {
        return false;
    };
    let none = Map::new();
    let silent = silent.as_object().unwrap_or(&none);
    let mut changes = false;
    for (k, v) in said {
        let quiet = silent.get(k).unwrap_or(&Value::Null);
        if v == quiet || (k == "trial" || k == "holdings") {
            continue;
        }
        match into.get_mut(k) {
            Some(old @ Value::Object(_)) if k == "request" => changes |= put_in(old, v, quiet),
            _ => {
                into.insert(k.clone(), v.clone());
                changes = true;
            }
        }
    }
    changes
}

/// The action with these symbols where it lacks its own.
pub(super) fn with_symbols(
    action: &AssistantAction,
    slot: &str,
    symbols: &[String],
) -> Option<AssistantAction> {
    let first = symbols.first()?;
    let mut params = action.params();
    let value = match slot {
        "symbols" => Value::from(symbols.to_vec()),
        "symbol" | "dataset" => Value::from(first.clone()),
        _ => return None,
    };
    let map = params.as_object_mut()?;
    match map.get_mut("request").and_then(Value::as_object_mut) {
        Some(request) => {
            request.insert(slot.to_owned(), value);
        }
        None => {
            map.insert(slot.to_owned(), value);
        }
    }
    AssistantAction::from_parts(action.id(), params).ok()
}
