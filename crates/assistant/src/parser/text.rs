//! A text in pieces: words, numbers, ids, file names, quotations, each with its place.
//!
//! What: the pieces that everything else of the parser looks at. Numbers are read here, those in
//! words too; a word keeps its stem, so that "analysing", "analyzed" and "analyse" are one.
//! Data: places are characters from the beginning of the text.
//! Cost: one pass; text after the first [`MAX_CHARACTERS`] is not read.
//! Fails when: nothing fails; what is not known is a word or a mark.
//! Source: stems follow steps 1a and 1b of Porter (1980), An algorithm for suffix stripping.

use chrono::NaiveDate;

/// Characters of a message that can be a command; what follows is a pasted document.
pub(super) const MAX_CHARACTERS: usize = 2_000;

/// What a piece is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// Letters, digits and `_`, beginning with a letter.
    Word,
    /// A number.
    Number {
        /// Its value; of a percentage the share.
        value: f64,
        /// What stands with it.
        unit: Unit,
        /// Decimal or exponent, so no count.
        whole: bool,
    },
    /// A day written as 2009-03-03.
    Day(NaiveDate),
    /// `t-0190...`, `b-...`, `a-...`, `i-...`.
    Id,
    /// `bundled:AAPL`.
    Dataset,
    /// A file name.
    File,
    /// `$AAPL`.
    Cashtag,
    /// Something quoted; its words are nobody's command.
    Quoted,
    /// Any other mark.
    Mark(char),
}

/// What stands with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    None,
    Percent,
    Money,
}

/// A piece with its place.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) piece: Piece,
    /// As written; of a quotation what is inside.
    pub(super) text: String,
    /// In small letters.
    pub(super) lower: String,
    /// The stem of a word; empty for anything else.
    pub(super) stem: String,
    /// First character.
    pub(super) start: usize,
    /// First character after it.
    pub(super) end: usize,
}

impl Token {
    /// What phrases compare: the stem of a word, the digits of a whole number.
    pub(super) fn key(&self) -> String {
        match self.piece {
            Piece::Word => self.stem.clone(),
            Piece::Number { .. } => self.count().map_or(String::new(), |n| n.to_string()),
            _ => String::new(),
        }
    }

    pub(super) fn is_word(&self) -> bool {
        self.piece == Piece::Word
    }

    pub(super) fn is(&self, words: &[&str]) -> bool {
        self.is_word() && words.contains(&self.lower.as_str())
    }

    pub(super) fn mark(&self) -> Option<char> {
        match self.piece {
            Piece::Mark(c) => Some(c),
            _ => None,
        }
    }

    /// The share of a percentage.
    pub(super) fn percent(&self) -> Option<f64> {
        match self.piece {
            Piece::Number {
                value,
                unit: Unit::Percent,
                ..
            } => Some(value),
            _ => None,
        }
    }

    /// A number without a unit.
    pub(super) fn plain(&self) -> Option<f64> {
        match self.piece {
            Piece::Number {
                value,
                unit: Unit::None,
                ..
            } => Some(value),
            _ => None,
        }
    }

    /// A whole number without a unit.
    pub(super) fn count(&self) -> Option<u32> {
        match self.piece {
            Piece::Number {
                value,
                unit: Unit::None,
                whole: true,
            } if (0.0..=4e9).contains(&value) => {
                // Whole and in range, as just seen.
                format!("{value:.0}").parse().ok()
            }
            _ => None,
        }
    }
}

/// The stem of a word in small letters, with British endings.
pub(super) fn stem(word: &str) -> String {
    if !word.is_ascii() || word.len() < 4 || word.bytes().any(|b| !b.is_ascii_alphabetic()) {
        return word.to_owned();
    }
    // Things that are not what their verb is.
    const THINGS: [&str; 6] = [
        "holding", "setting", "earning", "trading", "meaning", "closing",
    ];
    if word == "news" {
        return word.to_owned();
    }
    let single = word.strip_suffix('s').unwrap_or(word);
    if THINGS.contains(&single) {
        return single.to_owned();
    }
    let mut s = word
        .replace("ization", "isation")
        .replace("behavior", "behaviour")
        .replace("neighbor", "neighbour");
    if s.ends_with("catalog") {
        s.push_str("ue");
    }
    let vowel = |s: &str| s.bytes().any(|b| b"aeiouy".contains(&b));
    if let Some(base) = s.strip_suffix("ies").or_else(|| s.strip_suffix("ied"))
        && base.len() > 2
    {
        s = format!("{base}y");
    } else if ["sses", "shes", "ches", "xes", "zes"]
        .iter()
        .any(|e| s.ends_with(e))
    {
        s.truncate(s.len() - 2);
    } else if s.ends_with('s') && !["ss", "us", "is"].iter().any(|e| s.ends_with(e)) {
        s.truncate(s.len() - 1);
    }
    for end in ["ing", "ed"] {
        if let Some(base) = s.strip_suffix(end)
            && base.len() > 2
            && vowel(base)
        {
            let twice = base.len() > 3
                && base.as_bytes()[base.len() - 1] == base.as_bytes()[base.len() - 2]
                && !["ll", "ss", "zz"].iter().any(|e| base.ends_with(e));
            s = base[..base.len() - usize::from(twice)].to_owned();
            break;
        }
    }
    if s.len() > 3 && s.ends_with('e') {
        s.truncate(s.len() - 1);
    }
    // American endings: analyz, optimiz.
    for (from, to) in [("yz", "ys"), ("iz", "is")] {
        if let Some(base) = s.strip_suffix(from) {
            s = format!("{base}{to}");
        }
    }
    s
}

const FILES: [&str; 6] = [".csv", ".parquet", ".arrow", ".feather", ".pdf", ".txt"];

/// The pieces of a text.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().take(MAX_CHARACTERS).collect();
    let mut found = Vec::new();
    let mut at = 0;
    let mut line_start = true;
    while at < chars.len() {
        let c = chars[at];
        if c == '\n' {
            line_start = true;
            at += 1;
        } else if c.is_whitespace() {
            at += 1;
        } else if line_start && c == '>' {
            // A line of a quotation, as in mail and Markdown.
            let end = chars[at..]
                .iter()
                .position(|c| *c == '\n')
                .map_or(chars.len(), |n| at + n);
            found.push(token(Piece::Quoted, &chars, at, end, at + 1, end));
            at = end;
        } else {
            line_start = false;
            at = piece(&chars, at, &mut found);
        }
    }
    join(found)
}

fn token(piece: Piece, chars: &[char], start: usize, end: usize, from: usize, to: usize) -> Token {
    let text: String = chars[from.min(to)..to].iter().collect();
    let lower = text.to_lowercase();
    let stem = if piece == Piece::Word {
        stem(&lower)
    } else {
        String::new()
    };
    Token {
        piece,
        text,
        lower,
        stem,
        start,
        end,
    }
}

/// Reads the piece at `at` and gives the first place after it.
fn piece(chars: &[char], at: usize, found: &mut Vec<Token>) -> usize {
    let c = chars[at];
    let next = chars.get(at + 1).copied().unwrap_or(' ');
    let before = at
        .checked_sub(1)
        .and_then(|i| chars.get(i))
        .copied()
        .unwrap_or(' ');
    if let Some(end) = quotation(chars, at, before) {
        let closed = end.1;
        let to = if closed { end.0 - 1 } else { end.0 };
        let width = if c == '`' && chars[at..].starts_with(&['`', '`', '`']) {
            3
        } else {
            1
        };
        let from = (at + width).min(to);
        let to = if width == 3 && closed {
            (to + 1).saturating_sub(3).max(from)
        } else {
            to
        };
        let inside: String = chars[from..to].iter().collect::<String>().to_lowercase();
        let kind = if FILES.iter().any(|f| inside.ends_with(f)) && inside.len() < 200 {
            Piece::File
        } else {
            Piece::Quoted
        };
        found.push(token(kind, chars, at, end.0, from, to));
        return end.0;
    }
    // What is written without a space, without the marks at its end.
    let mut run = at;
    while chars.get(run).is_some_and(|c| !c.is_whitespace()) {
        run += 1;
    }
    while run > at && ".,;:!?)]}\"'".contains(chars[run - 1]) {
        run -= 1;
    }
    let whole: String = chars[at..run].iter().collect();
    let lower = whole.to_lowercase();
    if FILES
        .iter()
        .any(|f| lower.ends_with(f) && lower.len() > f.len())
    {
        found.push(token(Piece::File, chars, at, run, at, run));
        return run;
    }
    if is_id(&lower) {
        found.push(token(Piece::Id, chars, at, run, at, run));
        return run;
    }
    if is_dataset(&lower) {
        found.push(token(Piece::Dataset, chars, at, run, at, run));
        return run;
    }
    if c.is_ascii_digit()
        && let Some(day) = written_day(&whole)
    {
        found.push(token(Piece::Day(day), chars, at, run, at, run));
        return run;
    }
    if c == '$' && next.is_ascii_alphabetic() {
        let end = while_at(chars, at + 1, |c| c.is_ascii_alphanumeric() || c == '.');
        let end = if chars[end - 1] == '.' { end - 1 } else { end };
        found.push(token(Piece::Cashtag, chars, at, end, at + 1, end));
        return end;
    }
    let signed = (c == '-' || c == '+')
        && next.is_ascii_digit()
        && (before.is_whitespace() || before == '(');
    let money = matches!(c, '$' | '€' | '£') && (next.is_ascii_digit() || next == '.');
    if c.is_ascii_digit() || signed || money || (c == '.' && next.is_ascii_digit()) {
        return number(chars, at, usize::from(signed || money), found);
    }
    if c.is_alphabetic() {
        return word(chars, at, found);
    }
    // A hyphen between two words joins them; between numbers it stands for "to".
    let digits = before.is_ascii_digit() || before == '%';
    if (c == '-' && !(digits && next.is_ascii_digit())) || c == '_' {
        return at + 1;
    }
    // "Procter & Gamble", "AAPL & MSFT".
    if c == '&' && before.is_whitespace() && next.is_whitespace() {
        let mut and = token(Piece::Word, chars, at, at + 1, at, at + 1);
        and.lower = "and".to_owned();
        and.stem = "and".to_owned();
        found.push(and);
        return at + 1;
    }
    let c = if matches!(c, '–' | '—') { '-' } else { c };
    found.push(token(Piece::Mark(c), chars, at, at + 1, at, at + 1));
    at + 1
}

/// A day in figures: 2009-03-03, 31/12/2009 and 12/31/2009, 31.12.2009. Where both could be the month, the
/// first one is, as American vendors write it; with full stops the day comes first.
fn written_day(whole: &str) -> Option<NaiveDate> {
    if whole.len() == 10
        && let Ok(day) = NaiveDate::parse_from_str(whole, "%Y-%m-%d")
    {
        return Some(day);
    }
    let slashes = whole.contains('/');
    let parts: Vec<&str> = whole.split(if slashes { '/' } else { '.' }).collect();
    let [a, b, y] = parts.as_slice() else {
        return None;
    };
    if a.len() > 2 || b.len() > 2 {
        return None;
    }
    let year = if y.len() == 4 {
        y.parse().ok()?
    } else {
        return None;
    };
    let (a, b): (u32, u32) = (a.parse().ok()?, b.parse().ok()?);
    let (month, day) = if slashes && a <= 12 { (a, b) } else { (b, a) };
    NaiveDate::from_ymd_opt(year, month, day)
}

fn while_at(chars: &[char], from: usize, test: impl Fn(char) -> bool) -> usize {
    let mut at = from;
    while chars.get(at).is_some_and(|c| test(*c)) {
        at += 1;
    }
    at
}

/// The first place after a quotation that begins here, and whether it is closed.
fn quotation(chars: &[char], at: usize, before: char) -> Option<(usize, bool)> {
    let close = match chars[at] {
        '"' => '"',
        '“' | '„' => '”',
        '«' => '»',
        '`' => '`',
        '\'' | '‘' if !before.is_alphanumeric() => '’',
        _ => return None,
    };
    if chars[at..].starts_with(&['`', '`', '`']) {
        let end = (at + 3..chars.len()).find(|&i| chars[i..].starts_with(&['`', '`', '`']));
        return Some(end.map_or((chars.len(), false), |e| (e + 3, true)));
    }
    let single = close == '’';
    let closes = |i: usize| {
        let c = chars[i];
        if single {
            // An apostrophe inside a word closes nothing.
            (c == '\'' || c == '’') && chars.get(i + 1).is_none_or(|n| !n.is_alphanumeric())
        } else {
            c == close || (close == '”' && (c == '"' || c == '“'))
        }
    };
    match (at + 1..chars.len()).find(|&i| closes(i)) {
        Some(end) => Some((end + 1, true)),
        None if single => None,
        // An opened quotation that is never closed takes the rest: safer than the other way round.
        None => Some((chars.len(), false)),
    }
}

fn is_id(s: &str) -> bool {
    let Some((head, rest)) = s.split_once('-') else {
        return false;
    };
    ["t", "b", "a", "i"].contains(&head)
        && rest.len() >= 4
        && rest
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && rest.bytes().any(|b| b.is_ascii_digit())
}

fn is_dataset(s: &str) -> bool {
    let Some((head, rest)) = s.split_once(':') else {
        return false;
    };
    const ORIGINS: [&str; 8] = [
        "bundled",
        "user",
        "user_provided",
        "polygon",
        "fred",
        "alpha_vantage",
        "fmp",
        "yahoo",
    ];
    ORIGINS.contains(&head)
        && !rest.is_empty()
        && rest
            .chars()
            .all(|c| c.is_alphanumeric() || "_.^-:".contains(c))
}

fn number(chars: &[char], at: usize, skip: usize, found: &mut Vec<Token>) -> usize {
    let mut digits = String::new();
    if chars[at] == '-' {
        digits.push('-');
    }
    let mut end = at + skip;
    let mut point = false;
    while let Some(&c) = chars.get(end) {
        let next = chars.get(end + 1).copied().unwrap_or(' ');
        if c.is_ascii_digit() {
            digits.push(c);
        } else if c == '.' && !point && next.is_ascii_digit() {
            digits.push(c);
            point = true;
        } else if c == ',' && !point && thousands(chars, at + skip, end) {
        } else {
            break;
        }
        end += 1;
    }
    let money = skip == 1 && chars[at] != '-' && chars[at] != '+';
    let mut value = digits.parse::<f64>().unwrap_or(0.0);
    let mut unit = if money { Unit::Money } else { Unit::None };
    let next = chars.get(end).copied().unwrap_or(' ');
    let after = chars.get(end + 1).copied().unwrap_or(' ');
    if next == '%' {
        unit = Unit::Percent;
        value = share(value);
        end += 1;
    } else if matches!(next, 'k' | 'K') && !after.is_alphanumeric() {
        value *= 1e3;
        end += 1;
    } else if (next == 'M' || (next == 'm' && money)) && !after.is_alphanumeric() {
        value *= 1e6;
        end += 1;
    } else if ["st", "nd", "rd", "th"]
        .iter()
        .any(|o| chars[end..].iter().take(2).collect::<String>() == *o)
        && chars.get(end + 2).is_none_or(|c| !c.is_alphanumeric())
    {
        end += 2;
    }
    found.push(token(
        Piece::Number {
            value,
            unit,
            whole: !point,
        },
        chars,
        at,
        end,
        at,
        end,
    ));
    end
}

/// Whether the comma at `end` parts thousands: one to three digits before it, exactly three after it.
fn thousands(chars: &[char], from: usize, end: usize) -> bool {
    let before = end - from;
    let run = while_at(chars, end + 1, |c| c.is_ascii_digit()) - (end + 1);
    let grouped = chars[from..end].contains(&',');
    run == 3 && (grouped || (1..=3).contains(&before))
}

/// A share out of a percentage, rounded so that 0.1 % is 0.001 and not its neighbour.
fn share(percent: f64) -> f64 {
    let share = percent / 100.0;
    format!("{share:.12}").parse().unwrap_or(share)
}

fn word(chars: &[char], at: usize, found: &mut Vec<Token>) -> usize {
    let inside = |i: usize| {
        let c = chars[i];
        c.is_alphanumeric()
            || c == '_'
            || (c == '&'
                && chars.get(i + 1).is_some_and(|c| c.is_alphanumeric())
                && i > 0
                && chars[i - 1].is_alphanumeric())
    };
    let mut end = at;
    while end < chars.len() && inside(end) {
        end += 1;
    }
    // "un-pause" and "re-run" are one word.
    let head: String = chars[at..end].iter().collect::<String>().to_lowercase();
    if ["un", "re"].contains(&head.as_str())
        && chars.get(end) == Some(&'-')
        && chars.get(end + 1).is_some_and(|c| c.is_alphabetic())
    {
        let tail = while_at(chars, end + 1, char::is_alphabetic);
        let mut t = token(Piece::Word, chars, at, tail, at, tail);
        t.lower = t.lower.replace('-', "");
        t.stem = stem(&t.lower);
        found.push(t);
        return tail;
    }
    let mut next = end;
    // "what's", "I'd", "Apple's": the word alone; "don't" stays a word of its own.
    if end < chars.len()
        && matches!(chars[end], '\'' | '’')
        && chars.get(end + 1).is_some_and(|c| c.is_alphabetic())
    {
        let tail = while_at(chars, end + 1, char::is_alphabetic);
        let said: String = chars[end + 1..tail]
            .iter()
            .collect::<String>()
            .to_lowercase();
        if said == "t" {
            let mut t = token(Piece::Word, chars, at, tail, at, tail);
            t.lower = t.lower.replace(['\'', '’'], "");
            t.stem = t.lower.clone();
            found.push(t);
            return tail;
        }
        next = tail;
        // "I'd like" is "I would like", "I'll do it" is "I will do it".
        let full = match said.as_str() {
            "d" => Some("would"),
            "ll" => Some("will"),
            _ => None,
        };
        if let Some(full) = full {
            found.push(token(Piece::Word, chars, at, end, at, end));
            let mut would = token(Piece::Word, chars, end, next, end, next);
            would.text = full.to_owned();
            would.lower = full.to_owned();
            would.stem = stem(full);
            found.push(would);
            return next;
        }
        let base: String = chars[at..end].iter().collect::<String>().to_lowercase();
        let asks = [
            "what", "how", "where", "who", "that", "it", "there", "here", "when", "why",
        ];
        if said == "s" && asks.contains(&base.as_str()) {
            found.push(token(Piece::Word, chars, at, end, at, end));
            let mut is = token(Piece::Word, chars, end, next, end, next);
            is.text = "is".to_owned();
            is.lower = "is".to_owned();
            is.stem = "is".to_owned();
            found.push(is);
            return next;
        }
    }
    found.push(token(Piece::Word, chars, at, next, at, end));
    next
}

const ONES: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = [
    "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];

/// The value of a number word, and whether it multiplies what stands before it.
fn number_word(word: &str) -> Option<(f64, bool)> {
    if let Some(i) = ONES.iter().position(|w| *w == word) {
        return Some((small(i), false));
    }
    if let Some(i) = TENS.iter().position(|w| !w.is_empty() && *w == word) {
        return Some((small(i) * 10.0, false));
    }
    match word {
        "half" => Some((0.5, false)),
        "dozen" => Some((12.0, true)),
        "hundred" => Some((100.0, true)),
        "thousand" => Some((1_000.0, true)),
        "million" => Some((1_000_000.0, true)),
        _ => None,
    }
}

fn small(i: usize) -> f64 {
    u32::try_from(i).map_or(0.0, f64::from)
}

/// Number words become numbers; a number takes a percent sign or money word that stands apart from it.
fn join(tokens: Vec<Token>) -> Vec<Token> {
    let mut joined: Vec<Token> = Vec::with_capacity(tokens.len());
    for mut t in tokens {
        if t.is_word()
            && let Some((value, times)) = number_word(&t.lower)
        {
            let mut value = value;
            let mut start = t.start;
            let last = joined.last().cloned();
            match last {
                // "two hundred", "twenty five", "a million".
                Some(l) if times && l.plain().is_some() => {
                    value *= l.plain().unwrap_or(1.0);
                    start = l.start;
                    joined.pop();
                }
                Some(l) if times && l.is(&["a"]) => {
                    start = l.start;
                    joined.pop();
                }
                Some(l)
                    if !times
                        && value < 10.0
                        && number_word(&l.lower)
                            .is_some_and(|(v, m)| !m && (20.0..100.0).contains(&v)) =>
                {
                    value += l.plain().unwrap_or(0.0);
                    start = l.start;
                    joined.pop();
                }
                _ => {}
            }
            t.piece = Piece::Number {
                value,
                unit: Unit::None,
                whole: value.fract() == 0.0,
            };
            t.start = start;
            t.stem = String::new();
            joined.push(t);
            continue;
        }
        let percent = t.mark() == Some('%') || t.is(&["percent", "pct"]);
        let money = t.is(&["dollar", "dollars", "usd", "bucks"]);
        if (percent || money)
            && let Some(l) = joined.last_mut()
            && let Piece::Number {
                value,
                unit: Unit::None,
                whole,
            } = l.piece
        {
            l.piece = Piece::Number {
                value: if percent { share(value) } else { value },
                unit: if percent { Unit::Percent } else { Unit::Money },
                whole,
            };
            l.end = t.end;
            continue;
        }
        joined.push(t);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        tokens(text)
            .iter()
            .map(|t| match &t.piece {
                Piece::Number { value, unit, .. } => format!("{value}{unit:?}"),
                Piece::Word => t.text.clone(),
                p => format!("{p:?}<{}>", t.text),
            })
            .collect()
    }

    #[test]
    fn numbers_are_read() {
        for (text, want) in [
            ("25 %", "0.25Percent"),
            ("0.1%", "0.001Percent"),
            ("ten percent", "0.1Percent"),
            ("$1,000.50", "1000.5Money"),
            ("1,000,000", "1000000None"),
            ("a million dollars", "1000000Money"),
            ("twenty five", "25None"),
            ("two hundred", "200None"),
            ("50k", "50000None"),
            ("-5%", "-0.05Percent"),
            ("3rd", "3None"),
        ] {
            assert_eq!(shown(text), [want], "{text}");
        }
        assert_eq!(shown("7-10"), ["7None", "Mark('-')<->", "10None"]);
        assert_eq!(shown("1, 5"), ["1None", "Mark(',')<,>", "5None"]);
        assert_eq!(shown("20-day"), ["20None", "day"]);
    }

    #[test]
    fn names_and_quotations_are_kept_whole() {
        assert_eq!(
            shown("S&P's $MSFT."),
            ["S&P", "Cashtag<MSFT>", "Mark('.')<.>"]
        );
        assert_eq!(
            shown("t-0190aaaa, x"),
            ["Id<t-0190aaaa>", "Mark(',')<,>", "x"]
        );
        assert_eq!(
            shown("say \"cancel it\" now"),
            ["say", "Quoted<cancel it>", "now"]
        );
        assert_eq!(shown("a \"never closed"), ["a", "Quoted<never closed>"]);
        assert_eq!(shown("> cancel\nshow"), ["Quoted< cancel>", "show"]);
        assert_eq!(
            shown("```\ncancel\n``` show"),
            ["Quoted<\ncancel\n>", "show"]
        );
        assert_eq!(shown("\"my prices.csv\""), ["File<my prices.csv>"]);
        assert_eq!(shown("don't what's Bob's"), ["don't", "what", "is", "Bob"]);
    }

    #[test]
    fn stems_bring_forms_together() {
        for (a, b) in [
            ("analyze", "analysing"),
            ("optimized", "optimise"),
            ("stopping", "stop"),
            ("strategies", "strategy"),
            ("trials", "trial"),
            ("neighbors", "neighbour"),
            ("forecasting", "forecast"),
        ] {
            assert_eq!(stem(a), stem(b), "{a} {b}");
        }
        assert_ne!(stem("analysis"), stem("analyst"));
    }
}
