//! Numbers by reference: a model names figures of stored results by handles (`{{r3.rmse}}`), the
//! renderer puts the stored values there, and a number that no result holds is marked as unverified.
//!
//! **What counts as a figure.** Every number written in digits, with its sign, currency, percent sign
//! and letters (`5x`, `25bps`, `2nd`); dates, times of day and years; and numbers in words before
//! percent, basis points, points, times and currencies ("twelve percent").
//!
//! **What is shown as it stands.**
//! 1. Numbers that the person gave, in the same unit: "next 7-10 days" allows "10-day", not "10 %".
//!    A number after "horizon" counts in days. Numbers in words count too ("five folds" allows "5 folds").
//! 2. Dates that the person gave, and their year.
//! 3. The number at the beginning of a list's line, 1 or one more than the last at that indentation.
//! 4. Numbers of steps, sections, tables, options and the like ("step 2"), up to 99.
//! 5. Digits within a name: `r3`, `SHA256`, `random_forest_50`, versions with two dots, and the names
//!    of [`NAMES`] ("S&P 500", "10-K").
//!
//! **What is a result's.** A handle that is known; and a number or date in digits that equals a stored
//! one: with at least three significant digits when the stored value rounds to it, with two when it is
//! written just as the stored one is shown. Shorter numbers equal something too often. The sign and the
//! unit must agree: "fell by 5.21 %" is not the return of -5.21 %; a handle is the way to say it.
//!
//! **What spoils a handle.** Digits, letters or another handle that touch it, a sign before it, and a
//! percent sign or a word behind it that changes its value ("{{r1.n}} million").
//!
//! Everything else that counts is unverified. The rule cannot see whether the words around a figure are
//! true, and passes numbers in words without a unit ("three of the models").

mod number;
mod tokens;

use crate::dates::{self, Before, Found};
use chrono::{Datelike as _, NaiveDate};
use mltrainer_types::llm::{AnswerPiece, FigureCitation};
use number::{Number, Unit};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokens::{HANDLE, Kind, Token, tokens};

/// Names with numbers in them.
pub const NAMES: [&str; 26] = [
    "S&P 500",
    "S&P 400",
    "S&P 600",
    "S&P 100",
    "Russell 1000",
    "Russell 2000",
    "Russell 3000",
    "Nasdaq 100",
    "Nasdaq-100",
    "NASDAQ 100",
    "NASDAQ-100",
    "Dow 30",
    "FTSE 100",
    "FTSE 250",
    "CAC 40",
    "DAX 40",
    "Nikkei 225",
    "Euro Stoxx 50",
    "STOXX 600",
    "10-K",
    "10-Q",
    "8-K",
    "20-F",
    "13-F",
    "13F",
    "COVID-19",
];

/// Words after which a whole number only names something.
const LABELS: [&str; 16] = [
    "step", "section", "table", "figure", "fig", "chart", "item", "option", "part", "phase",
    "question", "workflow", "example", "appendix", "note", "point",
];

/// Tokens that are looked at beyond the one that is judged.
const AHEAD: usize = 12;

/// A value of a result.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A day.
    Day(NaiveDate),
    /// Words: the name of a model, a verdict.
    Text(String),
}

/// How a number is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// With so many digits after the point.
    Decimal(u8),
    /// A share (0.05) as percent (5 %), with so many digits after the point.
    Percent(u8),
    /// Money with this sign before it (`$`, `€`, `£` or `¥`) and so many digits after the point.
    Money(&'static str, u8),
    /// With so many significant digits.
    Significant(u8),
}

/// A figure of a result.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Its value.
    pub value: Value,
    /// How a number is shown.
    pub format: Format,
    /// What it is, for people.
    pub label: String,
    /// Where the result can be seen.
    pub link: Option<String>,
}

impl Figure {
    /// The value as it is shown.
    #[must_use]
    pub fn shown(&self) -> String {
        let x = match &self.value {
            Value::Number(x) => *x,
            Value::Day(day) => return day.to_string(),
            Value::Text(text) => return text.clone(),
        };
        if !x.is_finite() {
            return "not available".to_owned();
        }
        match self.format {
            Format::Decimal(places) => decimal(x, places),
            Format::Percent(places) => format!("{} %", decimal(x * 100.0, places)),
            Format::Money(sign, places) => {
                let text = decimal(x, places);
                match text.strip_prefix('-') {
                    Some(text) => format!("-{sign}{text}"),
                    None => format!("{sign}{text}"),
                }
            }
            Format::Significant(digits) => significant(x, digits.max(1)),
        }
    }
}

/// Digits after the point, groups of thousands, and no minus before a zero.
fn decimal(x: f64, places: u8) -> String {
    let text = format!("{:.*}", usize::from(places), x);
    let (minus, text) = match text.strip_prefix('-') {
        Some(rest) => (rest.contains(|c: char| ('1'..='9').contains(&c)), rest),
        None => (false, text.as_str()),
    };
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let mut out = String::from(if minus { "-" } else { "" });
    for (n, c) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    if !part.is_empty() {
        out.push('.');
        out.push_str(part);
    }
    out
}

fn significant(x: f64, digits: u8) -> String {
    if x == 0.0 {
        return "0".to_owned();
    }
    let places = usize::from(digits - 1);
    let text = format!("{x:.places$e}");
    let exponent: i32 = text
        .split_once('e')
        .and_then(|(_, e)| e.parse().ok())
        .unwrap_or(0);
    if !(-5..15).contains(&exponent) {
        return text;
    }
    let after = i32::from(digits) - 1 - exponent;
    let rounded: f64 = text.parse().unwrap_or(x);
    decimal(rounded, u8::try_from(after.max(0)).unwrap_or(0))
}

/// The figures that an answer may name, by handle.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures(BTreeMap<String, Figure>);

impl Figures {
    /// No figures.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a figure under a handle: the name of a result and of its part, parted by dots, each of
    /// letters, digits, `_` and `-` (`r3.ridge.rmse`), at most 100 characters.
    ///
    /// # Errors
    /// One sentence when the handle is none or is taken.
    pub fn add(&mut self, handle: &str, figure: Figure) -> Result<(), String> {
        let part = |p: &str| {
            !p.is_empty()
                && p.chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        };
        if handle.len() > 100 || !handle.contains('.') || !handle.split('.').all(part) {
            return Err(format!(
                "{handle:?} cannot name a figure; write the result and its part, for example r3.rmse"
            ));
        }
        if self.0.contains_key(handle) {
            return Err(format!("the figure {handle} is there already"));
        }
        self.0.insert(handle.to_owned(), figure);
        Ok(())
    }

    /// Adds every number of a stored result under `name`, at most 500 of them: `{"ridge": {"rmse": 0.1}}`
    /// under `r3` becomes `r3.ridge.rmse`. Whole numbers are shown whole, others with four significant
    /// digits; days (`YYYY-MM-DD`) are days. What has a handle already keeps its figure.
    ///
    /// Gives how many were left out.
    pub fn add_result(
        &mut self,
        name: &str,
        label: &str,
        link: Option<&str>,
        result: &Json,
    ) -> usize {
        const MOST: usize = 500;
        let mut left = MOST;
        let mut out = 0;
        let mut todo = vec![(name.to_owned(), result)];
        while let Some((handle, value)) = todo.pop() {
            let below = |part: &str| {
                let part: String = part
                    .chars()
                    .map(|c| {
                        if c.is_ascii_alphanumeric() || c == '-' {
                            c
                        } else {
                            '_'
                        }
                    })
                    .collect();
                format!("{handle}.{part}")
            };
            let (value, format) = match value {
                Json::Object(members) => {
                    todo.extend(members.iter().rev().map(|(k, v)| (below(k), v)));
                    continue;
                }
                Json::Array(items) => {
                    let items = items.iter().enumerate().rev();
                    todo.extend(items.map(|(n, v)| (below(&n.to_string()), v)));
                    continue;
                }
                Json::Number(n) => match (n.as_i64(), n.as_f64()) {
                    (Some(_), Some(x)) => (Value::Number(x), Format::Decimal(0)),
                    (None, Some(x)) => (Value::Number(x), Format::Significant(4)),
                    _ => continue,
                },
                Json::String(text) => match text.parse() {
                    Ok(day) => (Value::Day(day), Format::Decimal(0)),
                    Err(_) => continue,
                },
                Json::Null | Json::Bool(_) => continue,
            };
            let part = handle
                .strip_prefix(name)
                .unwrap_or(&handle)
                .replace('.', " ");
            let figure = Figure {
                value,
                format,
                label: format!("{label}:{part}"),
                link: link.map(str::to_owned),
            };
            if left == 0 || self.add(&handle, figure).is_err() {
                out += 1;
            } else {
                left -= 1;
            }
        }
        out
    }

    /// A figure by its handle.
    #[must_use]
    pub fn get(&self, handle: &str) -> Option<&Figure> {
        self.0.get(handle)
    }

    /// The list for the model: each handle in braces, its value and what it is.
    #[must_use]
    pub fn offer(&self) -> String {
        self.0
            .iter()
            .map(|(handle, f)| format!("{{{{{handle}}}}} = {} ({})\n", f.shown(), f.label))
            .collect()
    }

    /// The figure that a number in digits is: what it says must follow from the stored value.
    fn of_number(&self, number: &Number, written: &str) -> Option<&str> {
        let found = self.0.iter().find(|(_, figure)| {
            let Value::Number(stored) = figure.value else {
                return false;
            };
            let (stored, unit) = match (figure.format, &number.unit) {
                (Format::Percent(_), Unit::Percent) => (stored * 100.0, &Unit::Percent),
                (Format::Percent(_), unit) => (
                    stored,
                    if *unit == Unit::Plain {
                        unit
                    } else {
                        &Unit::Percent
                    },
                ),
                (Format::Money(sign, _), unit) => {
                    if *unit != Unit::Money(sign) {
                        return false;
                    }
                    (stored, unit)
                }
                (_, unit @ (Unit::Percent | Unit::Money(_))) => {
                    let _ = unit;
                    return false;
                }
                (_, unit) => (stored, unit),
            };
            if *unit != number.unit || !stored.is_finite() {
                return false;
            }
            // A little more than half a step: both are binary fractions.
            let close = (stored - number.value).abs() <= number.half * (1.0 + 1e-9);
            close
                && (number.significant >= 3
                    || (number.significant == 2 && same(&figure.shown(), written)))
        });
        found.map(|(handle, _)| handle.as_str())
    }

    fn of_day(&self, fits: impl Fn(NaiveDate) -> bool) -> Option<&str> {
        let found = self
            .0
            .iter()
            .find(|(_, f)| matches!(f.value, Value::Day(day) if fits(day)));
        found.map(|(handle, _)| handle.as_str())
    }
}

/// Whether two texts are the same but for blanks.
fn same(a: &str, b: &str) -> bool {
    let plain = |t: &str| t.replace([' ', '\u{a0}'], "").replace('−', "-");
    plain(a) == plain(b)
}

/// What the person gave: numbers and dates.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    numbers: Vec<(f64, Unit)>,
    days: BTreeSet<NaiveDate>,
    months: BTreeSet<i64>,
    years: BTreeSet<i64>,
    clocks: BTreeSet<String>,
}

impl Said {
    /// Reads the words of the person.
    #[must_use]
    pub fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut said = Self::default();
        for text in texts {
            said.read(text);
        }
        said
    }

    fn read(&mut self, text: &str) {
        let all = tokens(text);
        let mut behind = Behind::default();
        let mut horizon = false;
        let mut at = 0;
        while at < all.len() {
            let rest = &all[at..];
            let token = rest[0];
            let mut used = 1;
            match token.kind {
                Kind::Word => {
                    let word = text[token.start..token.end].to_lowercase();
                    horizon |= word.starts_with("horizon");
                }
                Kind::Sign('.' | ';' | '?' | '!') | Kind::Newline => horizon = false,
                Kind::Clock => {
                    self.clocks.insert(text[token.start..token.end].to_owned());
                }
                _ => {}
            }
            if let Some((found, n)) = date(text, rest, &behind) {
                match found {
                    Found::Day(day) => {
                        self.days.insert(day);
                        self.years.insert(i64::from(day.year()));
                    }
                    Found::Month(m) => {
                        self.months.insert(m);
                        self.years.insert(dates::FIRST + m / 12);
                    }
                    Found::Year(y) => {
                        self.years.insert(y);
                    }
                }
                used = n;
            } else if let Some(n) = number::at(text, rest, behind.touched()) {
                used = n.own;
                if horizon && n.unit == Unit::Plain {
                    self.numbers.push((n.value, Unit::Days));
                }
                self.numbers.push((n.value, n.unit));
            } else if let Some((value, unit, n)) = in_words(text, rest) {
                used = n;
                self.numbers.push((value, unit));
            }
            for token in &rest[..used] {
                behind.put(text, *token);
            }
            at += used;
        }
    }

    fn number(&self, number: &Number, horizon: bool) -> bool {
        let equal = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(b.abs());
        self.numbers.iter().any(|(value, unit)| {
            equal(*value, number.value)
                && (*unit == number.unit
                    || (horizon && number.unit == Unit::Plain && *unit == Unit::Days))
        })
    }
}

/// What stands before a place.
#[derive(Debug, Clone, Default)]
struct Behind {
    last: [Option<Kind>; 2],
    word: String,
    since_year: Option<String>,
    /// Whether only markup stands before it on the line.
    head: bool,
    /// Blanks at the beginning of the line.
    indent: usize,
    /// Whether nothing but blanks stands before it on the line.
    margin: bool,
    begun: bool,
}

impl Behind {
    fn put(&mut self, text: &str, token: Token) {
        if !self.begun {
            (self.begun, self.head, self.margin) = (true, true, true);
        }
        let written = &text[token.start..token.end];
        match token.kind {
            Kind::Newline => {
                (self.head, self.indent) = (true, 0);
                self.margin = true;
                self.word.clear();
            }
            Kind::Space if self.margin => self.indent += written.chars().count(),
            Kind::Space | Kind::Sign('*' | '#' | '>' | '(' | '_') => {}
            Kind::Sign('-') if self.head => {}
            Kind::Word => {
                self.word = written.to_lowercase();
                self.head = false;
            }
            _ => self.head = false,
        }
        self.margin &= matches!(token.kind, Kind::Newline | Kind::Space);
        if let Some(since) = &mut self.since_year {
            since.push_str(written);
            if since.chars().count() > 5 {
                self.since_year = None;
            }
        }
        self.last = [self.last[1], Some(token.kind)];
    }

    /// Whether something that is no gap stands directly before.
    fn touched(&self) -> bool {
        matches!(
            self.last[1],
            Some(
                Kind::Number
                    | Kind::Word
                    | Kind::Date
                    | Kind::Clock
                    | Kind::Handle
                    | Kind::OddDigit
                    | Kind::Sign(')' | ']' | '%')
            )
        )
    }

    fn at_head(&self) -> bool {
        self.head || !self.begun
    }
}

/// The date that begins at a token, and how many tokens it takes.
fn date(text: &str, rest: &[Token], behind: &Behind) -> Option<(Found, usize)> {
    let first = rest.first()?;
    if !matches!(first.kind, Kind::Date | Kind::Number | Kind::Word) {
        return None;
    }
    let last = rest.last()?;
    let before = Before {
        word: &behind.word,
        since_year: behind.since_year.as_deref(),
    };
    let (found, _, len) = dates::at(&text[first.start..last.end], &before)?;
    if first.kind == Kind::Date {
        return Some((found, 1));
    }
    let end = first.start + len;
    let used = rest.iter().position(|t| t.end >= end)? + 1;
    Some((found, used))
}

/// A number in words with what it counts, and how many tokens it takes without the unit.
fn in_words(text: &str, rest: &[Token]) -> Option<(f64, Unit, usize)> {
    let (mut sum, mut part, mut used, mut at) = (0.0, 0.0, 0, 0);
    while let Some(token) = rest.get(at).filter(|t| t.kind == Kind::Word) {
        let word = text[token.start..token.end].to_lowercase();
        if let Some(value) = small(&word) {
            part += value;
        } else if let Some(scale) = large(&word) {
            part = if part == 0.0 { scale } else { part * scale };
            if scale >= 1e3 {
                sum += part;
                part = 0.0;
            }
        } else {
            break;
        }
        used = at + 1;
        at += 1;
        // "twenty-five", "two hundred".
        if matches!(
            rest.get(at).map(|t| t.kind),
            Some(Kind::Space | Kind::Sign('-'))
        ) {
            at += 1;
        }
    }
    if used == 0 {
        return None;
    }
    let value = sum + part;
    // The unit is read as if the number were in digits.
    let unit = number::behind(text, &rest[used..]);
    let (unit, scale) = unit.unwrap_or((Unit::Plain, 1.0));
    Some((value * scale, unit, used))
}

fn small(word: &str) -> Option<f64> {
    const WORDS: [&str; 20] = [
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
    const TENS: [&str; 8] = [
        "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
    ];
    let within = |words: &[&str]| words.iter().position(|w| *w == word);
    let number = |n: usize| u32::try_from(n).map(f64::from).ok();
    match (within(&WORDS), within(&TENS), word) {
        (Some(n), _, _) => number(n),
        (_, Some(n), _) => number(10 * (n + 2)),
        (_, _, "half") => Some(0.5),
        _ => None,
    }
}

fn large(word: &str) -> Option<f64> {
    Some(match word {
        "dozen" => 12.0,
        "hundred" => 1e2,
        "thousand" => 1e3,
        "million" => 1e6,
        "billion" => 1e9,
        "trillion" => 1e12,
        _ => return None,
    })
}

/// Puts values in place of handles and marks what no result holds, in an answer that comes in pieces.
#[derive(Debug, Clone)]
pub struct Renderer {
    figures: Arc<Figures>,
    said: Arc<Said>,
    held: String,
    behind: Behind,
    lists: BTreeMap<usize, f64>,
    citations: Vec<FigureCitation>,
}

impl Renderer {
    /// At the beginning of an answer.
    #[must_use]
    pub fn new(figures: Arc<Figures>, said: Arc<Said>) -> Self {
        Self {
            figures,
            said,
            held: String::new(),
            behind: Behind::default(),
            lists: BTreeMap::new(),
            citations: Vec::new(),
        }
    }

    /// More text; gives what is sure. Words follow at once, numbers when enough stands behind them.
    #[must_use]
    pub fn push(&mut self, text: &str) -> Vec<AnswerPiece> {
        self.held.push_str(text);
        self.go(false)
    }

    /// The end; gives the rest.
    #[must_use]
    pub fn finish(&mut self) -> Vec<AnswerPiece> {
        self.go(true)
    }

    /// The results cited so far, in the order of their first mention.
    #[must_use]
    pub fn citations(&self) -> &[FigureCitation] {
        &self.citations
    }

    fn go(&mut self, last: bool) -> Vec<AnswerPiece> {
        let text = std::mem::take(&mut self.held);
        let safe = if last { text.len() } else { settled(&text) };
        let all = tokens(&text[..safe]);
        let mut pieces = Vec::new();
        let mut at = 0;
        while at < all.len() {
            let rest = &all[at..];
            let enough = last || rest.len() > AHEAD || rest.iter().any(|t| t.kind == Kind::Newline);
            if !enough && !inert(&text[..safe], rest[0]) {
                break;
            }
            at += self.step(&text[..safe], rest, &mut pieces);
        }
        let done = all.get(at).map_or(safe, |t| t.start);
        text[done..].clone_into(&mut self.held);
        pieces
    }

    /// Judges what begins at the first token; gives how many it took.
    fn step(&mut self, text: &str, rest: &[Token], pieces: &mut Vec<AnswerPiece>) -> usize {
        let first = rest[0];
        let (piece, used) = self.judge(text, rest, first);
        let year = matches!(date(text, rest, &self.behind), Some((Found::Year(_), n)) if n == used);
        for token in &rest[..used] {
            self.behind.put(text, *token);
        }
        if year {
            self.behind.since_year = Some(String::new());
        }
        if let (Some(AnswerPiece::Text { text: before }), AnswerPiece::Text { text: more }) =
            (pieces.last_mut(), &piece)
        {
            before.push_str(more);
        } else {
            pieces.push(piece);
        }
        used
    }

    fn judge(&mut self, text: &str, rest: &[Token], first: Token) -> (AnswerPiece, usize) {
        let written = |used: usize| text[first.start..rest[used - 1].end].to_owned();
        let plain = |used: usize| {
            (
                AnswerPiece::Text {
                    text: written(used),
                },
                used,
            )
        };
        let unverified = |used: usize| {
            (
                AnswerPiece::Unverified {
                    text: written(used),
                },
                used,
            )
        };
        if let Some(used) = name(text, rest, &self.behind) {
            return plain(used);
        }
        match first.kind {
            Kind::Newline | Kind::Space => return plain(1),
            Kind::OddDigit => return unverified(1),
            Kind::Clock => {
                return if self.said.clocks.contains(&written(1)) {
                    plain(1)
                } else {
                    unverified(1)
                };
            }
            Kind::Handle => return (self.handle(text, rest), 1),
            Kind::Date | Kind::Word | Kind::Number | Kind::Sign(_) => {}
        }
        if let Some((found, used)) = date(text, rest, &self.behind) {
            let (known, handle) = match found {
                Found::Day(day) => (
                    self.said.days.contains(&day),
                    self.figures.of_day(|d| d == day),
                ),
                Found::Month(m) => (
                    self.said.months.contains(&m)
                        || self.said.days.iter().any(|d| month_of(*d) == m),
                    self.figures.of_day(|d| month_of(d) == m),
                ),
                Found::Year(y) => (
                    self.said.years.contains(&y),
                    self.figures.of_day(|d| i64::from(d.year()) == y),
                ),
            };
            let handle = handle.map(str::to_owned);
            return match (known, handle) {
                (true, _) => plain(used),
                (false, Some(handle)) => (self.cite(&handle, written(used)), used),
                (false, None) => unverified(used),
            };
        }
        // "gain5%" is no name.
        if first.kind == Kind::Word
            && text[first.start..first.end].contains(|c: char| c.is_ascii_digit())
            && rest.get(1).is_some_and(|t| t.kind == Kind::Sign('%'))
        {
            return unverified(2);
        }
        // `2020-13-45`, and letters behind a number that are no unit.
        if first.kind == Kind::Date {
            return unverified(1);
        }
        let Some(number) = number::at(text, rest, self.behind.touched()) else {
            if first.kind == Kind::Number {
                return unverified(1);
            }
            return match in_words(text, rest) {
                Some((value, unit, used)) if counted(&unit) || points(text, &rest[used..]) => {
                    let said = self
                        .said
                        .numbers
                        .iter()
                        .any(|(v, u)| (v - value).abs() < 1e-9 && *u == unit);
                    if said { plain(used) } else { unverified(used) }
                }
                _ => plain(1),
            };
        };
        let used = number.own;
        if number.bare && (self.counts_list(text, rest, &number) || self.labels(&number)) {
            return plain(used);
        }
        if self
            .said
            .number(&number, self.behind.word.starts_with("horizon"))
            || self.said_day(text, rest, &number)
        {
            return plain(used);
        }
        let handle = self
            .figures
            .of_number(&number, &written(used))
            .map(str::to_owned);
        match handle {
            Some(handle) => (self.cite(&handle, written(used)), used),
            None => unverified(used),
        }
    }

    /// The value in place of a handle, or the handle as unverified.
    fn handle(&mut self, text: &str, rest: &[Token]) -> AnswerPiece {
        let token = rest[0];
        let raw = &text[token.start..token.end];
        let name = raw[2..raw.len() - 2].trim().to_owned();
        let shown = match self.figures.get(&name) {
            Some(figure) if !self.spoiled(text, rest, figure) => figure.shown(),
            _ => {
                return AnswerPiece::Unverified {
                    text: raw.to_owned(),
                };
            }
        };
        self.cite(&name, shown)
    }

    /// Whether what stands around a handle changes what its value says.
    fn spoiled(&self, text: &str, rest: &[Token], figure: &Figure) -> bool {
        if matches!(figure.value, Value::Text(_)) {
            return false;
        }
        let kind = |n: usize| rest.get(n).map(|t| t.kind);
        let solid = |k: Option<Kind>| {
            matches!(
                k,
                Some(
                    Kind::Number
                        | Kind::Word
                        | Kind::Date
                        | Kind::Clock
                        | Kind::Handle
                        | Kind::OddDigit
                )
            )
        };
        let [before, last] = self.behind.last;
        let negated = matches!(last, Some(Kind::Sign('-' | '−' | '+'))) && !solid(before);
        if solid(last)
            || solid(kind(1))
            || negated
            || last == Some(Kind::Sign('.')) && solid(before)
        {
            return true;
        }
        let gap = usize::from(matches!(kind(1), Some(Kind::Space | Kind::Sign('-'))));
        match kind(1 + gap) {
            Some(Kind::Sign('%')) => !figure.shown().ends_with('%') || gap == 0,
            Some(Kind::Word) => {
                let word = &rest[1 + gap];
                number::changes(&text[word.start..word.end].to_lowercase())
            }
            _ => false,
        }
    }

    fn cite(&mut self, handle: &str, text: String) -> AnswerPiece {
        let at = self.citations.iter().position(|c| c.handle == handle);
        let at = at.unwrap_or_else(|| {
            let figure = self.figures.get(handle);
            self.citations.push(FigureCitation {
                handle: handle.to_owned(),
                label: figure.map_or_else(String::new, |f| f.label.clone()),
                link: figure.and_then(|f| f.link.clone()),
            });
            self.citations.len() - 1
        });
        AnswerPiece::Figure {
            text,
            citation: u32::try_from(at).unwrap_or(u32::MAX),
        }
    }

    /// The number of a line of a list.
    fn counts_list(&mut self, text: &str, rest: &[Token], number: &Number) -> bool {
        let kind = |n: usize| rest.get(n).map(|t| t.kind);
        let marked = matches!(kind(1), Some(Kind::Sign('.' | ')')))
            && matches!(
                kind(2),
                None | Some(Kind::Space | Kind::Newline | Kind::Sign('*'))
            );
        if !self.behind.at_head() || !marked {
            return false;
        }
        let _ = text;
        let last = self.lists.get(&self.behind.indent).copied().unwrap_or(0.0);
        let fits = number.value == 1.0 || number.value == last + 1.0;
        if fits {
            self.lists.insert(self.behind.indent, number.value);
            // A list within begins anew.
            self.lists.retain(|indent, _| *indent <= self.behind.indent);
        }
        fits
    }

    fn labels(&self, number: &Number) -> bool {
        number.value <= 99.0
            && number.unit == Unit::Plain
            && self.behind.last[1] == Some(Kind::Space)
            && LABELS.contains(&self.behind.word.as_str())
    }

    /// The day of a month that the person gave, without its year: "January 5".
    fn said_day(&self, text: &str, rest: &[Token], number: &Number) -> bool {
        let after = match rest {
            [_, gap, word, ..] if gap.kind == Kind::Space && word.kind == Kind::Word => {
                dates::month_name(&text[word.start..])
            }
            _ => None,
        };
        let before = dates::month_name(&capital(&self.behind.word));
        let Some((month, _)) = after.or(before) else {
            return false;
        };
        self.said.days.iter().any(|d| {
            i64::from(d.month()) == month && (f64::from(d.day()) - number.value).abs() < 1e-9
        })
    }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars
        .next()
        .map(|c| c.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

fn month_of(day: NaiveDate) -> i64 {
    (i64::from(day.year()) - dates::FIRST) * 12 + i64::from(day.month0())
}

/// Units that make a number in words a figure.
fn counted(unit: &Unit) -> bool {
    matches!(unit, Unit::Percent | Unit::Money(_) | Unit::Times)
}

/// "points", which is no unit of its own.
fn points(text: &str, rest: &[Token]) -> bool {
    rest.iter()
        .find(|t| t.kind != Kind::Space)
        .is_some_and(|t| matches!(&text[t.start..t.end], "points" | "pips"))
}

/// A name with a number in it that begins here; how many tokens it takes.
fn name(text: &str, rest: &[Token], behind: &Behind) -> Option<usize> {
    let first = rest.first()?;
    if behind.touched() {
        return None;
    }
    let tail = &text[first.start..];
    let found = NAMES.iter().find(|n| {
        tail.strip_prefix(**n)
            .is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric() || c == '%'))
    })?;
    let end = first.start + found.len();
    let used = rest.iter().position(|t| t.end >= end)? + 1;
    // "500.5" is no name's.
    (rest[used - 1].end == end).then_some(used)
}

/// Up to where a text does not change when more comes: behind its last white space, and before a
/// handle that is not closed yet.
fn settled(text: &str) -> usize {
    const MOST: usize = 4096;
    let mut safe = text.rfind(char::is_whitespace).map_or(0, |at| {
        at + text[at..].chars().next().map_or(1, char::len_utf8)
    });
    let mut from = 0;
    while let Some(open) = text[from..].find("{{").map(|at| from + at) {
        match tokens::handle(&text[open..]) {
            Some(len) => {
                // Blanks within a handle are no place to stop.
                if (open + 1..open + len).contains(&safe) {
                    safe = open;
                }
                from = open + len;
            }
            None if text[open..].contains('\n') || text.len() - open > HANDLE => from = open + 1,
            None => {
                safe = safe.min(open);
                break;
            }
        }
    }
    if text.len() - safe > MOST {
        text.len()
    } else {
        safe
    }
}

/// Whether a token is what it is, whatever comes behind it.
fn inert(text: &str, token: Token) -> bool {
    let written = &text[token.start..token.end];
    match token.kind {
        Kind::Newline | Kind::Space | Kind::OddDigit => true,
        Kind::Sign(c) => !matches!(c, '-' | '−' | '+' | '$' | '€' | '£' | '¥'),
        Kind::Word => {
            let lower = written.to_lowercase();
            small(&lower).is_none()
                && large(&lower).is_none()
                && dates::month_name(written).is_none()
                && !NAMES.iter().any(|n| n.starts_with(written))
                && !written.contains(|c: char| c.is_ascii_digit())
        }
        Kind::Number | Kind::Date | Kind::Clock | Kind::Handle => false,
    }
}

/// A whole answer at once.
#[must_use]
pub fn render(
    figures: Arc<Figures>,
    said: Arc<Said>,
    text: &str,
) -> (Vec<AnswerPiece>, Vec<FigureCitation>) {
    let mut renderer = Renderer::new(figures, said);
    renderer.held.push_str(text);
    let pieces = renderer.go(true);
    (pieces, renderer.citations)
}

#[cfg(test)]
mod tests;
