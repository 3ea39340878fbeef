//! The parameters of a strategy as a space, and points of it put into a strategy.
//!
//! What: Checks parameters and makes their space; turns a point into values by name; puts values in
//! place of `{name}` in a strategy as JSON.
//! Formula: a text that is `{name}` and nothing else becomes the value itself; inside a longer text
//! stands the value as text, a number below 0 in parentheses.
//! Data: A list of parameters.
//! Cost: O(length of the strategy).
//! Fails when: A name is unknown, there twice or stands nowhere, or a range holds no value: said with
//! its field.
//! Source: none but the shapes of `mltrainer_types::optimisation`.
//! Not claimed: That every point is a strategy that can be tested.

use mltrainer_catalogue::search::{Dimension, Space};
use mltrainer_catalogue_core::suggest::nearest;
use mltrainer_types::optimisation::{SearchParameter, SearchRange};
use mltrainer_types::strategy::StrategyError;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Most parameters that are searched together.
const MOST: usize = 20;

fn refused(field: impl Into<String>, reason: impl Into<String>) -> StrategyError {
    StrategyError {
        field: field.into(),
        reason: reason.into(),
        suggestions: Vec::new(),
    }
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    let starts = chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    starts && name.len() <= 64 && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The space of the parameters, in their order.
///
/// # Errors
/// [`StrategyError`] with the field under `search`.
pub fn space(search: &[SearchParameter]) -> Result<Space, StrategyError> {
    if search.is_empty() || search.len() > MOST {
        return Err(refused(
            "search",
            format!(
                "{} parameters are searched; give 1 to {MOST}, for example fast from 5 to 50",
                search.len()
            ),
        ));
    }
    let mut seen = BTreeSet::new();
    let mut dimensions = Vec::with_capacity(search.len());
    for (i, parameter) in search.iter().enumerate() {
        if !is_name(&parameter.name) || !seen.insert(&parameter.name) {
            return Err(refused(
                format!("search[{i}].name"),
                format!(
                    "\"{}\" is there twice or no name: it has 1 to 64 letters, digits or underscores and starts with no digit",
                    parameter.name
                ),
            ));
        }
        dimensions.push(dimension(&parameter.range).map_err(|reason| {
            refused(
                format!("search[{i}].range"),
                format!("{}: {reason}", parameter.name),
            )
        })?);
    }
    Space::new(dimensions).map_err(|e| refused("search", e.to_string()))
}

fn dimension(range: &SearchRange) -> Result<Dimension, String> {
    match range {
        SearchRange::Integer { low, high, log } => {
            if low > high || (*log && *low < 1) {
                return Err(format!(
                    "whole numbers from {low} to {high} are none, or 0 and below have no logarithm"
                ));
            }
            Ok(Dimension::Integer {
                low: *low,
                high: *high,
                log: *log,
            })
        }
        SearchRange::Real { low, high, log } => {
            if !(low.is_finite() && high.is_finite() && low < high) || (*log && *low <= 0.0) {
                return Err(format!(
                    "numbers from {low} to {high} are none, or 0 and below have no logarithm"
                ));
            }
            Ok(Dimension::Real {
                low: *low,
                high: *high,
                log: *log,
            })
        }
        SearchRange::Choice { values } => {
            let texts: BTreeSet<String> = values.iter().map(Value::to_string).collect();
            let simple = values.iter().all(|v| v.is_number() || v.is_string());
            if values.is_empty() || !simple || texts.len() != values.len() {
                return Err("a choice has different numbers or texts, at least one".to_owned());
            }
            Ok(Dimension::Categorical {
                choices: values.len(),
            })
        }
    }
}

/// Values of a point by name; whole numbers as such.
#[must_use]
pub fn values(search: &[SearchParameter], point: &[f64]) -> Map<String, Value> {
    let each = search.iter().zip(point);
    each.map(|(parameter, x)| {
        let value = match &parameter.range {
            SearchRange::Integer { .. } => Value::from(*x as i64),
            SearchRange::Real { .. } => Value::from(*x),
            SearchRange::Choice { values } => {
                values.get(*x as usize).cloned().unwrap_or(Value::Null)
            }
        };
        (parameter.name.clone(), value)
    })
    .collect()
}

/// A strategy as JSON with values in place of `{name}`.
///
/// # Errors
/// [`StrategyError`]: a name in braces that has no value, with the nearest ones; a value that stands
/// nowhere, under `search`.
pub fn fill(template: &Value, values: &Map<String, Value>) -> Result<Value, StrategyError> {
    let mut used = BTreeSet::new();
    let filled = filled(template, "strategy", values, &mut used)?;
    match values.keys().find(|name| !used.contains(*name)) {
        None => Ok(filled),
        Some(name) => Err(refused(
            "search",
            format!("{{{name}}} stands nowhere in the strategy"),
        )),
    }
}

fn filled(
    template: &Value,
    path: &str,
    values: &Map<String, Value>,
    used: &mut BTreeSet<String>,
) -> Result<Value, StrategyError> {
    Ok(match template {
        Value::String(text) => text_filled(text, path, values, used)?,
        Value::Array(all) => {
            let each = all.iter().enumerate();
            Value::Array(
                each.map(|(i, v)| filled(v, &format!("{path}[{i}]"), values, used))
                    .collect::<Result<_, _>>()?,
            )
        }
        Value::Object(all) => {
            let mut object = Map::new();
            for (key, v) in all {
                let inside = filled(v, &format!("{path}.{key}"), values, used)?;
                object.insert(key.clone(), inside);
            }
            Value::Object(object)
        }
        other => other.clone(),
    })
}

fn text_filled(
    text: &str,
    path: &str,
    values: &Map<String, Value>,
    used: &mut BTreeSet<String>,
) -> Result<Value, StrategyError> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else {
            break;
        };
        let name = name.trim();
        let Some(value) = values.get(name) else {
            return Err(StrategyError {
                field: path.to_owned(),
                reason: format!("{{{name}}} is no parameter that is searched"),
                suggestions: nearest(name, values.keys().map(String::as_str)),
            });
        };
        used.insert(name.to_owned());
        if before.is_empty() && tail.is_empty() && out.is_empty() {
            return Ok(value.clone());
        }
        out.push_str(before);
        match value {
            Value::String(s) => out.push_str(s),
            number if number.as_f64().is_some_and(|x| x < 0.0) => {
                out.push_str(&format!("({number})"));
            }
            number => out.push_str(&number.to_string()),
        }
        rest = tail;
    }
    out.push_str(rest);
    Ok(Value::String(out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parameters(value: Value) -> Vec<SearchParameter> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn points_become_values_in_a_strategy() {
        let search = parameters(json!([
            {"name": "n", "range": {"kind": "integer", "low": 2, "high": 9}},
            {"name": "x", "range": {"kind": "real", "low": -1.0, "high": 1.0}},
            {"name": "f", "range": {"kind": "choice", "values": ["sma", "ema"]}}
        ]));
        assert_eq!(space(&search).unwrap().width(), 3);
        let values = values(&search, &[5.0, -0.25, 1.0]);
        assert_eq!(
            Value::from(values.clone()),
            json!({"n": 5, "x": -0.25, "f": "ema"})
        );
        let template = json!({"long": {"enter": "close - {x} > {f}(close, { n })"}, "max_bars": "{n}", "k": [1, "{f}"]});
        assert_eq!(
            fill(&template, &values).unwrap(),
            json!({"long": {"enter": "close - (-0.25) > ema(close, 5)"}, "max_bars": 5, "k": [1, "ema"]})
        );
    }

    #[test]
    fn names_and_ranges_are_refused_with_their_field() {
        let integer = |name: &str, low: i64, high: i64, log: bool| json!({"name": name, "range": {"kind": "integer", "low": low, "high": high, "log": log}});
        for (search, field) in [
            (json!([]), "search"),
            (json!([integer("1x", 1, 2, false)]), "search[0].name"),
            (
                json!([integer("a", 1, 2, false), integer("a", 1, 2, false)]),
                "search[1].name",
            ),
            (json!([integer("a", 3, 2, false)]), "search[0].range"),
            (json!([integer("a", 0, 2, true)]), "search[0].range"),
            (
                json!([{"name": "a", "range": {"kind": "real", "low": 1.0, "high": 1.0}}]),
                "search[0].range",
            ),
            (
                json!([{"name": "a", "range": {"kind": "choice", "values": [1, 1]}}]),
                "search[0].range",
            ),
        ] {
            assert_eq!(space(&parameters(search)).unwrap_err().field, field);
        }
        let values = json!({"fast": 5, "slow": 9}).as_object().unwrap().clone();
        let unknown = fill(&json!({"a": ["{fsat}"]}), &values).unwrap_err();
        assert_eq!(unknown.field, "strategy.a[0]");
        assert_eq!(unknown.suggestions, ["fast"]);
        let nowhere = fill(&json!({"a": "{fast}"}), &values).unwrap_err();
        assert_eq!(
            nowhere.to_string(),
            "search: {slow} stands nowhere in the strategy"
        );
    }
}
