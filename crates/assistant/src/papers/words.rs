//! Sentences and the words in them.

/// A sentence with its words.
#[derive(Debug, Clone)]
pub(super) struct Sentence {
    /// Page, from 1.
    pub(super) page: u32,
    /// As it stands there.
    pub(super) text: String,
    /// In small letters, without marks at their ends.
    pub(super) words: Vec<String>,
}

/// Words behind which a point ends no sentence.
const SHORT: [&str; 16] = [
    "e.g", "i.e", "al", "fig", "figs", "eq", "eqs", "vs", "cf", "no", "p", "pp", "vol", "approx",
    "u.s", "etc",
];

/// The sentences of a text that begins on a page; form feeds begin the next one.
pub(super) fn sentences(page: u32, text: &str) -> Vec<Sentence> {
    let mut out = Vec::new();
    for (n, part) in text.split('\u{c}').enumerate() {
        let page = page + u32::try_from(n).unwrap_or(0);
        for paragraph in part.split("\n\n") {
            let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
            for text in cut(&line) {
                let words = words(text);
                if words.len() > 2 {
                    out.push(Sentence {
                        page,
                        text: text.to_owned(),
                        words,
                    });
                }
            }
        }
    }
    out
}

/// Cuts at points, question and exclamation marks before anything but a small letter.
fn cut(line: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let marks: Vec<(usize, char)> = line.char_indices().collect();
    for (i, (at, c)) in marks.iter().enumerate() {
        if !matches!(c, '.' | '?' | '!') {
            continue;
        }
        let after = match (marks.get(i + 1), marks.get(i + 2)) {
            (Some((_, ' ')), Some((_, after))) => *after,
            // "winners.The": a PDF has no space where a line ends.
            (Some((_, a)), Some((_, b))) if a.is_uppercase() && b.is_lowercase() => *a,
            _ => continue,
        };
        let before = line[start..*at].rsplit(' ').next().unwrap_or("");
        let short = before.trim_start_matches('(').to_lowercase();
        let initial = before.chars().count() == 1 && before.chars().all(char::is_uppercase);
        if !after.is_lowercase() && !SHORT.contains(&short.as_str()) && !initial {
            let end = at + c.len_utf8();
            out.push(line[start..end].trim());
            start = end;
        }
    }
    out.push(line[start..].trim());
    out.retain(|s| !s.is_empty());
    out
}

/// The words of a text in small letters; "12-month" is two.
pub(super) fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .replace(['\u{2010}', '\u{2011}', '\u{2013}', '\u{2212}'], "-")
        .split(|c: char| c.is_whitespace() || matches!(c, '/' | '(' | ')' | '[' | ']' | ';' | ':'))
        .flat_map(|w| {
            let w = w.trim_matches(|c: char| {
                matches!(c, ',' | '.' | '"' | '\'' | '“' | '”' | '’' | '!' | '?')
            });
            // "12-month" and "buy-and-hold", but not "-3.2".
            w.split('-')
                .enumerate()
                .map(|(i, part)| {
                    let negative = i == 1 && w.starts_with('-') && number(part).is_some();
                    if negative {
                        format!("-{part}")
                    } else {
                        part.to_owned()
                    }
                })
                .collect::<Vec<_>>()
        })
        .filter(|w| !w.is_empty())
        .collect()
}

/// The value of a word that is a number, "1,234.5" and "12%" among them.
pub(super) fn number(word: &str) -> Option<f64> {
    let plain = word.trim_end_matches('%').replace(',', "");
    let looks = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
    if plain.is_empty()
        || !plain.chars().all(looks)
        || !plain.contains(|c: char| c.is_ascii_digit())
    {
        return None;
    }
    plain.parse().ok().filter(|x: &f64| x.is_finite())
}

/// A count: digits, or a word up to twelve.
pub(super) fn counted(word: &str) -> Option<u32> {
    const NAMES: [&str; 12] = [
        "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
        "twelve",
    ];
    if let Some(n) = NAMES.iter().position(|n| *n == word) {
        return u32::try_from(n + 1).ok();
    }
    number(word)
        .filter(|x| x.fract() == 0.0 && (1.0..=5_000.0).contains(x))
        .map(|x| x as u32)
}

/// Whether the words stand in a row, each one or its beginning where it ends in `*`.
pub(super) fn starts_at(words: &[String], phrase: &str) -> bool {
    let mut at = words.iter();
    phrase.split(' ').all(|p| {
        at.next().is_some_and(|w| match p.strip_suffix('*') {
            Some(stem) => w.starts_with(stem),
            None => w == p,
        })
    })
}

/// Where a phrase stands in a sentence.
pub(super) fn find(words: &[String], phrase: &str) -> Option<usize> {
    (0..words.len()).find(|&i| starts_at(&words[i..], phrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_they_end() {
        let all = sentences(
            3,
            "Fama et al. (1993) say so.It rose by 1.5% in the U.S. market, e.g. there. Why? Because it did.\u{c}On the next page.",
        );
        let texts: Vec<&str> = all.iter().map(|s| s.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "Fama et al. (1993) say so.",
                "It rose by 1.5% in the U.S. market, e.g. there.",
                "Because it did.",
                "On the next page."
            ]
        );
        assert_eq!((all[0].page, all[3].page), (3, 4));
    }

    #[test]
    fn words_and_numbers() {
        assert_eq!(
            words("The 12-month (buy-and-hold) return: -3.2%, “big”."),
            [
                "the", "12", "month", "buy", "and", "hold", "return", "-3.2%", "big"
            ]
        );
        assert_eq!(number("1,234.5%"), Some(1234.5));
        assert_eq!(number("n/a"), None);
        assert_eq!(
            (counted("twelve"), counted("200"), counted("1.5")),
            (Some(12), Some(200), None)
        );
        let w = words("time-series momentum strategies");
        assert_eq!(find(&w, "momentum strateg*"), Some(2));
    }
}
