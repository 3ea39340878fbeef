//! The key of a vendor: used in requests, shown nowhere.

use mltrainer_compliance::{redact, secrets::REDACTED};
use secrecy::{ExposeSecret as _, SecretString};
use std::fmt;

/// A vendor's key. It does not print itself, is wiped from memory when it is dropped, and takes
/// itself out of texts that vendors send.
#[derive(Clone)]
pub struct Key(SecretString);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Key {
    /// The key without blanks around it; `None` when it is empty.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(SecretString::from(text)))
    }

    /// The key itself, for the request that needs it.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The text without the key, whole or (vendors do that) with its middle left out, and without
    /// anything else that looks like a secret.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        let key = self.expose();
        let mut text = text.replace(key, REDACTED);
        // OpenAI answers "Incorrect API key provided: sk-abc*****wxyz".
        if key.is_ascii() && key.len() >= 12 {
            let (head, tail) = (&key[..6], &key[key.len() - 4..]);
            text = text
                .split(' ')
                .map(|word| {
                    let starred = word.contains('*') || word.contains("...");
                    if starred && (word.contains(head) || word.contains(tail)) {
                        REDACTED
                    } else {
                        word
                    }
                })
                .collect::<Vec<_>>()
                .join(" ");
        }
        redact(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_in_no_text() {
        let key = Key::new(" sk-ant-p1anted-0123456789 \n").unwrap();
        assert_eq!(key.expose(), "sk-ant-p1anted-0123456789");
        assert!(!format!("{key:?} {:?}", Some(&key)).contains("p1anted"));
        assert_eq!(
            key.scrub("invalid x-api-key sk-ant-p1anted-0123456789 given"),
            "invalid x-api-key [redacted] given"
        );
        assert_eq!(
            key.scrub("Incorrect API key provided: sk-ant-*******6789. See the page."),
            "Incorrect API key provided: [redacted] See the page."
        );
        assert!(Key::new("  ").is_none());
    }
}
