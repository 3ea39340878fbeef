//! A vendor's key: used in requests, shown nowhere.

use mltrainer_compliance::{redact, secrets::REDACTED};
use std::fmt;

/// A vendor's key. It does not print itself, and takes itself out of texts that vendors send.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Key {
    /// The key as it stands in the environment, without blanks around it; `None` when it is empty.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The key itself, for the request that needs it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// The text without the key, written plainly or percent-encoded, and without anything else that
    /// looks like a secret.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        let encoded: String = self
            .0
            .bytes()
            .map(|b| match b {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    char::from(b).to_string()
                }
                other => format!("%{other:02X}"),
            })
            .collect();
        redact(&text.replace(&self.0, REDACTED).replace(&encoded, REDACTED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_in_no_text() {
        let key = Key::new(" p1anted/Key+1 \n").unwrap();
        assert_eq!(key.expose(), "p1anted/Key+1");
        assert!(!format!("{key:?} {:?}", Some(&key)).contains("p1anted"));
        // Alpha Vantage repeats the key in its refusals.
        let said = "We have detected your API key as p1anted/Key+1 and p1anted%2FKey%2B1.";
        assert_eq!(
            key.scrub(said),
            "We have detected your API key as [redacted] and [redacted]."
        );
        assert_eq!(Key::new("  "), None);
    }
}
