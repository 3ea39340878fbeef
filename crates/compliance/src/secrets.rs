//! Redaction: no key, token or password in anything that is shown, logged or recorded.

use serde_json::Value;

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Endings of names, without `_` and `-` and in small letters, whose values are secrets.
const SECRET_NAMES: [&str; 11] = [
    "apikey",
    "token",
    "secret",
    "password",
    "passwd",
    "pwd",
    "authorization",
    "credential",
    "credentials",
    "privatekey",
    "signingkey",
];

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// Whether the value of something with this name is a secret.
fn is_secret_name(name: &str) -> bool {
    let plain: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    SECRET_NAMES.iter().any(|s| plain.ends_with(s))
}

fn is_scheme(word: &str) -> bool {
    word.eq_ignore_ascii_case("bearer") || word.eq_ignore_ascii_case("basic")
}

/// The text with the values of secret-looking names (`apiKey=...`, `"token": "..."`,
/// `Authorization: Bearer ...`), bearer tokens and passwords in addresses (`://user:...@`) replaced
/// by [`REDACTED`]. Applying it twice changes nothing more.
#[must_use]
pub fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let plain = rest.find(is_name_char).unwrap_or(rest.len());
        let (gap, after) = rest.split_at(plain);
        out.push_str(gap);
        rest = after;
        if gap.ends_with("://")
            && let Some((user, host)) = userinfo(rest)
        {
            out.push_str(user);
            rest = host;
            continue;
        }
        let (word, after) = rest.split_at(rest.find(|c| !is_name_char(c)).unwrap_or(rest.len()));
        out.push_str(word);
        rest = after;
        let value_at = if is_scheme(word) {
            // "Bearer abc": only a space may stand between.
            let trimmed = rest.trim_start_matches(' ');
            (trimmed.len() < rest.len()).then(|| rest.len() - trimmed.len())
        } else if is_secret_name(word) {
            value_start(rest)
        } else {
            None
        };
        if let Some(at) = value_at {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            let end = value_end(rest, out.chars().next_back());
            if end > 0 {
                out.push_str(REDACTED);
                rest = &rest[end..];
            }
        }
    }
    out
}

/// Where the value begins after a secret name: behind `=` or `:`, spaces, one quote and a scheme.
fn value_start(rest: &str) -> Option<usize> {
    let mut at = 0;
    let skip = |at: &mut usize, set: &[char], many: bool| {
        while let Some(c) = rest[*at..].chars().next()
            && set.contains(&c)
        {
            *at += c.len_utf8();
            if !many {
                break;
            }
        }
    };
    skip(&mut at, &['"', '\''], false);
    skip(&mut at, &[' '], true);
    if let Some(encoded) = rest.get(at..at + 3)
        && encoded.eq_ignore_ascii_case("%3d")
    {
        at += 3;
    } else {
        let before = at;
        skip(&mut at, &['=', ':'], false);
        if at == before {
            return None;
        }
    }
    skip(&mut at, &[' '], true);
    skip(&mut at, &['"', '\''], false);
    let word = rest[at..].split(' ').next().unwrap_or_default();
    if is_scheme(word) {
        at += word.len();
        skip(&mut at, &[' '], true);
    }
    Some(at)
}

/// How long the value is; `before` is the character in front of it.
fn value_end(rest: &str, before: Option<char>) -> usize {
    if rest.starts_with(REDACTED) {
        return REDACTED.len();
    }
    let quote = before.filter(|c| matches!(c, '"' | '\''));
    let ends = |c: char| match quote {
        Some(q) => c == q,
        None => c.is_whitespace() || "&,;)}]\"'<>".contains(c),
    };
    rest.find(ends).unwrap_or(rest.len())
}

/// `user:secret@host...` as (`user:[redacted]`, `@host...`), when a password stands there.
fn userinfo(rest: &str) -> Option<(&str, &str)> {
    let authority = rest.find(|c: char| c.is_whitespace() || "/?#\"'".contains(c));
    let at = rest[..authority.unwrap_or(rest.len())].rfind('@')?;
    rest[..at].find(':')?;
    Some((REDACTED, &rest[at..]))
}

/// The same for JSON: values of secret-looking keys are replaced whole, texts are redacted.
#[must_use]
pub fn redact_json(value: &Value) -> Value {
    match value {
        Value::String(s) => Value::String(redact(s)),
        Value::Array(items) => Value::Array(items.iter().map(redact_json).collect()),
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(k, v)| {
                    let hidden = is_secret_name(k) && !v.is_null();
                    let v = if hidden {
                        Value::String(REDACTED.to_owned())
                    } else {
                        redact_json(v)
                    };
                    (k.clone(), v)
                })
                .collect(),
        ),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn secrets_of_the_usual_forms_disappear() {
        let cases = [
            (
                "GET https://api.polygon.io/v2/aggs?limit=5&apiKey=abc123&x=1 failed",
                "GET https://api.polygon.io/v2/aggs?limit=5&apiKey=[redacted]&x=1 failed",
            ),
            (
                "https://api.stlouisfed.org/fred/series?api_key=deadbeef",
                "https://api.stlouisfed.org/fred/series?api_key=[redacted]",
            ),
            (
                "Authorization: Bearer ey.J.x, retried",
                "Authorization: Bearer [redacted], retried",
            ),
            ("bearer ey.J.x", "bearer [redacted]"),
            (
                r#"{"token": "a b c", "n": 1}"#,
                r#"{"token": "[redacted]", "n": 1}"#,
            ),
            (
                "POLYGON_API_KEY=zzz next",
                "POLYGON_API_KEY=[redacted] next",
            ),
            ("url?token%3Dabc&x", "url?token%3D[redacted]&x"),
            ("postgres://me:pa:ss@db/x", "postgres://[redacted]@db/x"),
            ("password = 'it is long'", "password = '[redacted]'"),
        ];
        for (text, want) in cases {
            assert_eq!(redact(text), want);
        }
    }

    #[test]
    fn ordinary_text_stays() {
        for text in [
            "the tokens were counted: 5",
            "close of AAPL on 2004-01-02: 21.28",
            "https://example.org/a?x=1#y",
            "bearers of news",
            "secretary: none",
            "",
            "ünïcode — stays",
        ] {
            assert_eq!(redact(text), text);
        }
    }

    #[test]
    fn json_values_of_secret_keys_disappear() {
        let v = json!({"api_key": "k", "nested": [{"Password": 5}, "token=zz"], "rows": 3, "token": null});
        assert_eq!(
            redact_json(&v),
            json!({"api_key": "[redacted]", "nested": [{"Password": "[redacted]"}, "token=[redacted]"], "rows": 3, "token": null})
        );
    }

    proptest! {
        #[test]
        fn no_secret_survives_in_a_query(secret in "[a-zA-Z0-9._~+/-]{6,40}", name in "(apikey|apiKey|API_KEY|token|access_token|client-secret|password)") {
            let text = format!("GET /v1?a=1&{name}={secret}&b=2");
            prop_assert_eq!(redact(&text), format!("GET /v1?a=1&{name}=[redacted]&b=2"));
        }

        #[test]
        fn redacting_twice_changes_nothing_and_never_panics(text in "(?s)([a-z :=\"'@/&]|token=|bearer |://|ü|password: ){0,40}") {
            let once = redact(&text);
            prop_assert_eq!(redact(&once), once);
        }
    }
}
