//! Figures as vendors write them: numbers, numbers in quotes, `.`, `None`, nothing.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::Value;

/// A figure that may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Figure(pub(crate) Option<f64>);

impl Figure {
    /// The figure, NaN when it is missing: the gate sets such rows aside.
    pub(crate) fn or_nan(self) -> f64 {
        self.0.unwrap_or(f64::NAN)
    }

    /// Reads a text.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let plain = text.trim();
        if ["", ".", "-", "None", "none", "null", "N/A", "NaN", "nan"].contains(&plain) {
            return Ok(Self(None));
        }
        match plain.replace(',', "").parse::<f64>() {
            Ok(x) if x.is_finite() => Ok(Self(Some(x))),
            _ => Err(format!(
                "\"{}\" is not a number",
                plain.chars().take(40).collect::<String>()
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(Self(None)),
            Value::Number(n) => Ok(Self(n.as_f64().filter(|x| x.is_finite()))),
            Value::String(text) => Self::read(&text).map_err(D::Error::custom),
            other => Err(D::Error::custom(format!(
                "{other} stands where a number should"
            ))),
        }
    }
}

/// A list that some vendors leave out or send as `null` when it is empty.
pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_all_vendors() {
        for (json, want) in [
            ("12.5", Some(12.5)),
            ("\"12.5\"", Some(12.5)),
            ("\" 1,234.5 \"", Some(1234.5)),
            ("6.3e7", Some(6.3e7)),
            ("\".\"", None),
            ("\"None\"", None),
            ("\"\"", None),
            ("null", None),
            ("0", Some(0.0)),
        ] {
            let Figure(found) = serde_json::from_str(json).unwrap();
            assert_eq!(found, want, "{json}");
        }
        for bad in ["\"abc\"", "[1]", "true", "\"inf\""] {
            assert!(serde_json::from_str::<Figure>(bad).is_err(), "{bad}");
        }
        assert!(Figure(None).or_nan().is_nan());
    }
}
