//! A strategy as it arrives: the id of a ready-made one, an object, or a JSON text. What is wrong is
//! told with its field and its place.

use super::ready;
use crate::ServiceError;
use mltrainer_backtest::strategy;
use mltrainer_catalogue_core::{Engine, Registry};
use mltrainer_types::backtest::StrategyFault;
use mltrainer_types::strategy::{StrategyError, StrategySpec};
use serde::Deserialize as _;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Most characters of a strategy's JSON.
const LONGEST: usize = 200_000;

/// A strategy that was read.
pub(super) struct Read {
    /// The strategy, expressions in canonical text.
    pub(super) spec: StrategySpec,
    /// Id and parameters of the ready-made one it comes from.
    pub(super) ready_made: Option<(String, Map<String, Value>)>,
    /// Features that its expressions name.
    pub(super) features: Vec<String>,
}

/// Why a strategy was not read.
pub(super) enum Unread {
    /// No such ready-made strategy, or a parameter of one.
    Service(ServiceError),
    /// Something in it.
    Fault(StrategyFault),
}

impl From<Unread> for ServiceError {
    fn from(e: Unread) -> Self {
        match e {
            Unread::Service(e) => e,
            Unread::Fault(f) => Self::invalid(
                if f.field.is_empty() {
                    "strategy".to_owned()
                } else {
                    format!("strategy.{}", f.field)
                },
                sentence(&f),
            ),
        }
    }
}

/// A fault as one sentence, with its place.
pub(super) fn sentence(f: &StrategyFault) -> String {
    let mut text = match (f.line, f.column) {
        (Some(line), Some(column)) => format!("line {line}, column {column}: {}", f.reason),
        (_, Some(column)) => format!("column {column}: {}", f.reason),
        _ => f.reason.clone(),
    };
    if !f.suggestions.is_empty() {
        text.push_str("; did you mean ");
        text.push_str(&f.suggestions.join(" or "));
        text.push('?');
    }
    text
}

fn whole(reason: impl Into<String>) -> Unread {
    Unread::Fault(StrategyFault {
        field: String::new(),
        reason: reason.into(),
        line: None,
        column: None,
        suggestions: Vec::new(),
    })
}

/// A fault of the strategy's own check; an expression's column stands at the head of its reason.
pub(super) fn fault(e: StrategyError) -> StrategyFault {
    let placed = e
        .reason
        .strip_prefix("column ")
        .and_then(|rest| rest.split_once(": "))
        .and_then(|(n, reason)| Some((n.parse().ok()?, reason.to_owned())));
    let (column, reason) = match placed {
        Some((column, reason)) => (Some(column), reason),
        None => (None, e.reason),
    };
    StrategyFault {
        field: e.field,
        reason,
        line: None,
        column,
        suggestions: e.suggestions,
    }
}

/// Reads a strategy for so many symbols and checks everything that needs no bars.
pub(super) fn read(
    value: &Value,
    params: &Map<String, Value>,
    symbols: usize,
    registry: &Registry,
    features: &BTreeSet<String>,
) -> Result<Read, Unread> {
    let (spec, ready_made) = match value {
        Value::Null => named(ready::DEFAULT, params, symbols)?,
        Value::String(text) if !text.trim_start().starts_with('{') => {
            named(text.trim(), params, symbols)?
        }
        _ if !params.is_empty() => {
            return Err(Unread::Service(ServiceError::invalid(
                "params",
                "parameters go with ready-made strategies only; write them into the strategy",
            )));
        }
        Value::String(text) => (of_text(text)?, None),
        Value::Object(_) => (of_value(value)?, None),
        other => {
            return Err(whole(format!(
                "{other} is neither the id of a ready-made strategy nor a strategy"
            )));
        }
    };
    let further = used(&spec, features);
    let names: Vec<&str> = further.iter().map(String::as_str).collect();
    let spec = strategy::canonical(&spec, &names).map_err(|e| Unread::Fault(fault(e)))?;
    columns(&spec, registry).map_err(|e| Unread::Fault(fault(e)))?;
    Ok(Read {
        spec,
        ready_made,
        features: further,
    })
}

type Named = (StrategySpec, Option<(String, Map<String, Value>)>);

fn named(id: &str, params: &Map<String, Value>, symbols: usize) -> Result<Named, Unread> {
    let (spec, filled) = ready::build(id, params, symbols).map_err(Unread::Service)?;
    Ok((spec, Some((id.to_owned(), filled))))
}

fn of_text(text: &str) -> Result<StrategySpec, Unread> {
    if text.chars().count() > LONGEST {
        return Err(whole(format!("it has more than {LONGEST} characters")));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let spec = serde_path_to_error::deserialize(&mut reader).map_err(|e| {
        let path = e.path().to_string();
        told(&path, &e.into_inner())
    })?;
    reader.end().map_err(|e| told(".", &e))?;
    Ok(spec)
}

fn of_value(value: &Value) -> Result<StrategySpec, Unread> {
    let spec = StrategySpec::deserialize(value);
    let Err(plain) = spec else {
        return spec.map_err(|_| whole("it cannot be read"));
    };
    // Once more for the path: the first pass is the one that usually succeeds.
    match serde_path_to_error::deserialize::<_, StrategySpec>(value) {
        Ok(spec) => Ok(spec),
        Err(e) => Err(told(&e.path().to_string(), &plain)),
    }
}

fn told(path: &str, e: &serde_json::Error) -> Unread {
    let said = e.to_string();
    let place = format!(" at line {} column {}", e.line(), e.column());
    let said = said.strip_suffix(&place).unwrap_or(&said);
    let named = ["missing field `", "unknown field `"]
        .iter()
        .find_map(|p| said.strip_prefix(p)?.split('`').next());
    let field = match (path, named) {
        ("." | "?", name) => name.unwrap_or_default(),
        (path, _) => path,
    };
    let number = |n: usize| u32::try_from(n).ok().filter(|n| *n > 0);
    let (reason, suggestions) = unknown(said).unwrap_or((said.to_owned(), Vec::new()));
    Unread::Fault(StrategyFault {
        field: field.to_owned(),
        reason,
        line: number(e.line()),
        column: number(e.column()).filter(|_| e.line() > 0),
        suggestions,
    })
}

/// An unknown field or word with the nearest of those that there are, in place of all of them.
fn unknown(said: &str) -> Option<(String, Vec<String>)> {
    let (kind, rest) = [("field", "unknown field `"), ("kind", "unknown variant `")]
        .into_iter()
        .find_map(|(kind, head)| Some((kind, said.strip_prefix(head)?)))?;
    let (name, known) = rest.split_once("`, expected ")?;
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    let near = mltrainer_data::nearest::nearest(name, &known);
    if near.is_empty() {
        return None;
    }
    Some((format!("there is no {kind} `{name}`"), near))
}

/// Entries and parameters of the columns; whether an output exists shows on the bars.
fn columns(spec: &StrategySpec, registry: &Registry) -> Result<(), StrategyError> {
    for (i, column) in spec.columns.iter().enumerate() {
        let refused = |name: &str, reason: String, suggestions| StrategyError {
            field: format!("columns[{i}].{name}"),
            reason,
            suggestions,
        };
        let Some(found) = registry.find(&column.entry) else {
            return Err(refused(
                "entry",
                format!("there is no entry \"{}\"", column.entry),
                registry.nearest(&column.entry),
            ));
        };
        if !matches!(found.entry.engine, Engine::Indicator { .. }) {
            let reason = format!("{} gives no values over bars", column.entry);
            return Err(refused("entry", reason, Vec::new()));
        }
        found
            .params(&column.params)
            .map_err(|e| refused("params", e.to_string(), Vec::new()))?;
        let outputs: Vec<&str> = found.entry.card.outputs.iter().map(|(n, _)| *n).collect();
        if !outputs.is_empty() && !outputs.contains(&column.output.as_str()) {
            return Err(refused(
                "output",
                format!(
                    "{} has no output \"{}\", it has {}",
                    column.entry,
                    column.output,
                    outputs.join(", ")
                ),
                mltrainer_data::nearest::nearest(&column.output, &outputs),
            ));
        }
    }
    Ok(())
}

/// Features that expressions name, in alphabetical order; what the strategy itself names is none.
fn used(spec: &StrategySpec, features: &BTreeSet<String>) -> Vec<String> {
    let own: BTreeSet<&str> = spec
        .columns
        .iter()
        .map(|c| c.name.as_str())
        .chain(spec.define.iter().map(|d| d.name.as_str()))
        .chain(["open", "high", "low", "close", "volume"])
        .collect();
    let mut found = BTreeSet::new();
    for (_, text) in spec.expressions() {
        let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let mut rest = text;
        while let Some(start) = rest.find(part) {
            let end = rest[start..]
                .find(|c| !part(c))
                .map_or(rest.len(), |n| start + n);
            let (word, after) = (&rest[start..end], &rest[end..]);
            let call = after.trim_start().starts_with('(');
            if !call && !own.contains(word) && features.contains(word) {
                found.insert(word.to_owned());
            }
            rest = after;
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> StrategyFault {
        match of_text(text) {
            Err(Unread::Fault(fault)) => fault,
            _ => panic!("{text} was read"),
        }
    }

    #[test]
    fn faults_of_the_text_have_their_place() {
        for (text, told) in [
            (
                "{\"name\": \"x\",\n \"long\": {\"enter\": \"close > 1\"}\n \"max_bars\": 3}",
                "line 3, column 2: expected `,` or `}`",
            ),
            (
                "{\"name\": \"x\", \"longg\": 1}",
                "line 1, column 21: there is no field `longg`; did you mean long?",
            ),
            (
                "{\"name\": \"x\", \"fill\": \"next_opne\"}",
                "line 1, column 33: there is no kind `next_opne`; did you mean next_open?",
            ),
            (
                "{\"note\": \"x\"}",
                "line 1, column 13: missing field `name`",
            ),
            (
                "{\"name\": \"x\"} {}",
                "line 1, column 15: trailing characters",
            ),
        ] {
            assert_eq!(sentence(&refused(text)), told, "{text}");
        }
        let long = format!("{{\"name\": \"{}\"}}", "x".repeat(LONGEST));
        assert!(refused(&long).reason.contains("more than"));
    }

    #[test]
    fn features_are_found_among_the_names_of_expressions() {
        let features: BTreeSet<String> = ["ret_1", "sma_5", "rsi"].map(str::to_owned).into();
        let text = r#"{"name": "x", "define": [{"name": "rsi", "expression": "rsi(close, 3)"}],
            "long": {"enter": "ret_1 > 0 and rsi < 3 and sma_50 > 1", "exit": "sma_5>close"}}"#;
        let spec = match of_text(text) {
            Ok(spec) => spec,
            Err(_) => panic!("it cannot be read"),
        };
        assert_eq!(used(&spec, &features), ["ret_1", "sma_5"]);
    }
}
