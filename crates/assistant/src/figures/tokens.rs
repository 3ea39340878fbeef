//! An answer as tokens: words, numbers, dates, handles and signs. No token but a handle holds white
//! space, so that what stands before the last white space never changes when more text comes.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The end of a line.
    Newline,
    /// Other white space.
    Space,
    /// `1,234.5e-6`, with letters behind it (`5x`, `2nd`) if they belong to it.
    Number,
    /// `2020-01-05`, with a time behind it if there is one.
    Date,
    /// `10:30`, `3:1`.
    Clock,
    /// Letters, with digits and `_` within (`r3`, `SHA256`, `random_forest_50`), or several dots (`1.2.3`).
    Word,
    /// `{{r3.rmse}}`.
    Handle,
    /// A digit that is not ASCII.
    OddDigit,
    /// Any other character.
    Sign(char),
}

/// A token and where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Longest handle with its braces.
pub(super) const HANDLE: usize = 128;

/// All tokens of a text.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some((kind, len)) = first(&text[at..]) {
        out.push(Token {
            kind,
            start: at,
            end: at + len,
        });
        at += len;
    }
    out
}

fn first(text: &str) -> Option<(Kind, usize)> {
    let c = text.chars().next()?;
    Some(match c {
        '\n' => (Kind::Newline, 1),
        c if c.is_whitespace() => {
            let len = text
                .find(|c: char| c == '\n' || !c.is_whitespace())
                .unwrap_or(text.len());
            (Kind::Space, len)
        }
        '{' => match handle(text) {
            Some(len) => (Kind::Handle, len),
            None => (Kind::Sign('{'), 1),
        },
        '0'..='9' => digits_first(text),
        '.' if text[1..].starts_with(|c: char| c.is_ascii_digit()) => digits_first(text),
        // `_` before a digit is emphasis, not a name.
        '_' if !text[1..].starts_with(char::is_alphabetic) => (Kind::Sign('_'), 1),
        c if c.is_alphabetic() || c == '_' => (Kind::Word, word(text)),
        c if c.is_numeric() => (Kind::OddDigit, c.len_utf8()),
        c => (Kind::Sign(c), c.len_utf8()),
    })
}

fn word(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len())
}

/// The bytes of a handle at the beginning, whatever it names.
pub(super) fn handle(text: &str) -> Option<usize> {
    let inner = text.strip_prefix("{{")?;
    let end = inner.find("}}")?;
    let fine = end + 4 <= HANDLE && !inner[..end].contains(['{', '}', '\n']);
    fine.then_some(end + 4)
}

fn count(text: &str, fits: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|b| fits(*b)).count()
}

fn digits(text: &str) -> usize {
    count(text, |b| b.is_ascii_digit())
}

fn digits_first(text: &str) -> (Kind, usize) {
    if let Some(len) = date(text) {
        return (Kind::Date, len);
    }
    let whole = digits(text);
    if (1..=2).contains(&whole)
        && let Some(rest) = text[whole..].strip_prefix(':')
        && digits(rest) > 0
    {
        let len = count(text, |b| b.is_ascii_digit() || b == b':');
        return (Kind::Clock, len);
    }
    let mut len = whole;
    // Groups of thousands.
    while text[len..].starts_with(',') && digits(&text[len + 1..]) == 3 && len > 0 {
        len += 4;
    }
    if let Some(rest) = text[len..].strip_prefix('.') {
        let n = digits(rest);
        if n > 0 {
            len += 1 + n;
            // A second dot: a version, not a number.
            if let Some(more) = text[len..].strip_prefix('.')
                && digits(more) > 0
            {
                return (
                    Kind::Word,
                    count(text, |b| b.is_ascii_alphanumeric() || b == b'.'),
                );
            }
        }
    }
    if let Some(rest) = text[len..].strip_prefix(['e', 'E']) {
        let sign = usize::from(rest.starts_with(['+', '-']));
        let n = digits(&rest[sign..]);
        if n > 0 && !rest[sign + n..].starts_with(char::is_alphanumeric) {
            return (Kind::Number, len + 1 + sign + n);
        }
    }
    let letters = text[len..len + word(&text[len..])]
        .trim_end_matches('_')
        .len();
    // `9f86d0`, `50_trees`: letters and digits in turn are a name, but not behind a point.
    if text[len..len + letters].contains(|c: char| !c.is_alphabetic()) && len == whole {
        return (Kind::Word, len + letters);
    }
    (Kind::Number, len + letters)
}

fn date(text: &str) -> Option<usize> {
    let sign = text
        .as_bytes()
        .get(4)
        .copied()
        .filter(|b| matches!(b, b'-' | b'/'))?;
    let part = |at: usize, n: usize| {
        text.get(at..at + n)
            .is_some_and(|t| t.bytes().all(|b| b.is_ascii_digit()))
    };
    if !(part(0, 4) && part(5, 2) && text.as_bytes().get(7) == Some(&sign) && part(8, 2)) {
        return None;
    }
    let rest = &text[10..];
    if let Some(time) = rest.strip_prefix('T')
        && digits(time) > 0
    {
        let fits = |b: u8| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'+' | b'Z');
        let mut len = count(time, fits);
        // A full stop is not the time's.
        while time[..len].ends_with(['.', ':']) {
            len -= 1;
        }
        return Some(11 + len);
    }
    (!rest.starts_with(char::is_alphanumeric)).then_some(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_cover_the_text() {
        use Kind::{Clock, Date, Handle, Newline, Number, OddDigit, Sign, Space, Word};
        for (text, want) in [
            ("a 1,234.5 %", vec![Word, Space, Number, Space, Sign('%')]),
            (
                "1,23 .5 5.",
                vec![
                    Number,
                    Sign(','),
                    Number,
                    Space,
                    Number,
                    Space,
                    Number,
                    Sign('.'),
                ],
            ),
            ("1e-6 2E5x 3e", vec![Number, Space, Word, Space, Number]),
            (
                "2020-01-05T10:00:00Z. 2020/01/05",
                vec![Date, Sign('.'), Space, Date],
            ),
            ("10:30 3:1 1.2.3", vec![Clock, Space, Clock, Space, Word]),
            (
                "r3 R² 9f86d0 5x 2nd",
                vec![Word, Space, Word, Space, Word, Space, Number, Space, Number],
            ),
            ("{{r3.rmse}}{{ a.b }}", vec![Handle, Handle]),
            (
                "{{a\nb}}",
                vec![
                    Sign('{'),
                    Sign('{'),
                    Word,
                    Newline,
                    Word,
                    Sign('}'),
                    Sign('}'),
                ],
            ),
            ("٣½", vec![OddDigit, OddDigit]),
            ("-5", vec![Sign('-'), Number]),
        ] {
            let found = tokens(text);
            assert_eq!(
                found.iter().map(|t| t.kind).collect::<Vec<_>>(),
                want,
                "{text}"
            );
            let joined: String = found.iter().map(|t| &text[t.start..t.end]).collect();
            assert_eq!(joined, text);
        }
    }
}
