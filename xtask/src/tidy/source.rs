//! Rust text as the rules read it: with comments and literals blanked, so that a word in a comment breaks no rule.

/// One file. `code` has the length and the lines of `text`, with spaces for comments, strings and characters.
pub(crate) struct Source {
    pub(crate) text: String,
    pub(crate) code: String,
}

impl Source {
    pub(crate) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            code: blank(text),
        }
    }

    /// The code without items under `#[cfg(test)]`.
    pub(crate) fn shipped(&self) -> String {
        let mut bytes = self.code.clone().into_bytes();
        let mut from = 0;
        while let Some(at) = find_from(&bytes, b"#[cfg(test", from)
            .or_else(|| find_from(&bytes, b"#[cfg(all(test", from))
        {
            let end = item_end(&bytes, at);
            for b in &mut bytes[at..end] {
                if *b != b'\n' {
                    *b = b' ';
                }
            }
            from = end;
        }
        String::from_utf8(bytes).unwrap_or_default()
    }

    /// The line, counted from 1, in which the byte `at` lies.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.text
            .as_bytes()
            .iter()
            .take(at)
            .filter(|b| **b == b'\n')
            .count()
            + 1
    }
}

fn find_from(bytes: &[u8], what: &[u8], from: usize) -> Option<usize> {
    bytes
        .get(from..)?
        .windows(what.len())
        .position(|w| w == what)
        .map(|at| at + from)
}

/// Where the item that begins with the attribute at `at` ends: after its `;` or after its closing brace.
fn item_end(bytes: &[u8], at: usize) -> usize {
    let mut depth = 0usize;
    let mut square = 0usize;
    for (i, b) in bytes.iter().enumerate().skip(at) {
        match b {
            b'[' | b'(' => square += 1,
            b']' | b')' => square = square.saturating_sub(1),
            b';' if depth == 0 && square == 0 => return i + 1,
            b'{' => depth += 1,
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return i + 1;
                }
            }
            _ => {}
        }
    }
    bytes.len()
}

/// The byte offsets at which `word` stands alone, not as part of a longer name.
pub(crate) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |&at| {
            !part(code[..at].chars().next_back()) && !part(code[at + word.len()..].chars().next())
        })
}

fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut i = 0;
    while i < bytes.len() {
        let end = match bytes[i] {
            b'/' if bytes.get(i + 1) == Some(&b'/') => {
                find_from(bytes, b"\n", i).unwrap_or(bytes.len())
            }
            b'/' if bytes.get(i + 1) == Some(&b'*') => block_comment_end(bytes, i),
            b'"' => string_end(bytes, i + 1),
            b'r' | b'b' | b'c' if !is_name(bytes, i) => match prefixed_literal_end(bytes, i) {
                Some(end) => end,
                None => {
                    i += 1;
                    continue;
                }
            },
            b'\'' => match char_end(bytes, i) {
                Some(end) => end,
                None => {
                    i += 1;
                    continue;
                }
            },
            _ => {
                i += 1;
                continue;
            }
        };
        for b in &mut out[i..end] {
            if *b != b'\n' {
                *b = b' ';
            }
        }
        i = end;
    }
    // Whole characters were blanked, so what is left is UTF-8 still.
    String::from_utf8(out).unwrap_or_default()
}

/// True when the byte before `i` belongs to a name, so that what is at `i` is no prefix of a literal.
fn is_name(bytes: &[u8], i: usize) -> bool {
    i > 0 && (bytes[i - 1].is_ascii_alphanumeric() || bytes[i - 1] == b'_')
}

fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0usize;
    let mut i = start;
    while i < bytes.len() {
        match (bytes[i], bytes.get(i + 1)) {
            (b'/', Some(b'*')) => {
                depth += 1;
                i += 2;
            }
            (b'*', Some(b'/')) => {
                depth -= 1;
                i += 2;
                if depth == 0 {
                    return i;
                }
            }
            _ => i += 1,
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], mut i: usize) -> usize {
    while i < bytes.len() {
        match bytes[i] {
            b'\\' => i += 2,
            b'"' => return i + 1,
            _ => i += 1,
        }
    }
    bytes.len()
}

/// The end of `r"…"`, `r#"…"#`, `b"…"`, `br#"…"#`, `c"…"` or `b'…'` at `i`, if there is one.
fn prefixed_literal_end(bytes: &[u8], i: usize) -> Option<usize> {
    let mut at = i;
    while at < i + 2 && matches!(bytes.get(at), Some(b'r' | b'b' | b'c')) {
        at += 1;
    }
    let raw = bytes[i..at].contains(&b'r');
    let hashes = bytes[at..].iter().take_while(|b| **b == b'#').count();
    match bytes.get(at + hashes) {
        Some(b'"') if raw => {
            let close: Vec<u8> = std::iter::once(b'"')
                .chain(std::iter::repeat_n(b'#', hashes))
                .collect();
            Some(find_from(bytes, &close, at + hashes + 1).map_or(bytes.len(), |e| e + close.len()))
        }
        Some(b'"') if hashes == 0 => Some(string_end(bytes, at + 1)),
        Some(b'\'') if hashes == 0 && &bytes[i..at] == b"b" => char_end(bytes, at),
        _ => None,
    }
}

/// The end of a character literal at `i`, or `None` for a lifetime.
fn char_end(bytes: &[u8], i: usize) -> Option<usize> {
    if bytes.get(i + 1) == Some(&b'\\') {
        return find_from(bytes, b"'", i + 3).map(|e| e + 1);
    }
    let width = match bytes.get(i + 1)? {
        0x00..=0x7f => 1,
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        _ => 4,
    };
    (bytes.get(i + 1 + width) == Some(&b'\'')).then_some(i + 2 + width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_kept() {
        let text = "let a = \"unsafe\"; // unsafe\n/* unsafe /* nested */ */ let b = r#\"un\"safe\"#;\nlet c = 'u'; fn f<'u>() {}";
        let source = Source::new(text);
        assert!(
            !source.code.contains("unsafe") && !source.code.contains("safe"),
            "{}",
            source.code
        );
        assert_eq!(source.code.len(), text.len());
        assert!(source.code.contains("fn f<'u>() {}"));
        assert_eq!(source.code.lines().count(), 3);
    }

    #[test]
    fn escapes_and_wide_characters_do_not_derail_it() {
        let text = r#"let q = '"'; let e = '\''; let s = "a\"b"; let w = 'é'; let b = b'x'; let n = "é"; unwrap"#;
        assert!(
            Source::new(text).code.trim_end().ends_with("unwrap"),
            "{}",
            Source::new(text).code
        );
    }

    #[test]
    fn tests_are_cut_out() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() { x.unwrap() }\n}\nfn c() {}\n#[cfg(test)]\nmod more;\nfn d() {}";
        let shipped = Source::new(text).shipped();
        assert!(!shipped.contains("unwrap") && !shipped.contains("more"));
        assert!(shipped.contains("fn a") && shipped.contains("fn c") && shipped.contains("fn d"));
    }

    #[test]
    fn words_stand_alone() {
        assert_eq!(
            words("unsafe_code unsafe x_unsafe", "unsafe").collect::<Vec<_>>(),
            [12]
        );
    }
}
