//! Masking: symbols, company names and dates are replaced before a language model sees them, and put
//! back in what it answers, so that it cannot use what it remembers of a company or a time.
//!
//! **What.** `AAPL` becomes `ASSET_3`, `Apple Inc.` and `Apple` become `COMPANY_3` and `COMPANY_3C`,
//! numbered in an order that the seed shuffles. Dates are moved by a constant number of days, or shown
//! as numbers of days from a day (`DAY_17`); months and years in words move along. The same mask gives
//! the same text for the same text, so that a vendor's prompt cache goes on working.
//!
//! **Rules.** A symbol is masked where no letter or digit touches it, so `CAT` stays in `CATEGORY`;
//! `_` separates (`AAPL_close` is masked). A symbol of one or two letters stays where `&`, `.`, `-` or
//! an apostrophe joins it to a letter (`AT&T`, `U.S.`, `T-bill`). Symbols are case-sensitive: many are
//! words in small letters. A company's name is masked as given and in capitals. Dates are read from
//! 1900 to 2099; a lone year only where a word before it or a range says that it is one.
//!
//! **Reversible.** `reveal(hide(x)) == x`, except that dates written in words or with `/` come back as
//! `YYYY-MM-DD` (months as `YYYY-MM`). Text that looks like a mask (`ASSET_1`) is escaped with a second
//! underscore.
//!
//! **Not claimed.** Prices and volumes are not changed, and a model may recognise a famous series by
//! them, by its news or by names that were not handed in. Months and years move by the whole months and
//! years nearest to the days, so that they agree with the days up to a month.

mod masked;

pub use masked::Masked;

use crate::dates::{self, Before, FIRST, Found};
use crate::llm::conversation::{Block, Message, Request, ToolCall, ToolDefinition};
use chrono::{Days, NaiveDate};
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use thiserror::Error;

/// Something traded, and what people call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// Symbol.
    pub symbol: String,
    /// Names of the company, as they are written.
    pub names: Vec<String>,
}

/// What becomes of dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dates {
    /// They stay.
    Keep,
    /// They move by so many days.
    Shift {
        /// Days, forwards or backwards; a multiple of 7 keeps the days of the week.
        days: i64,
    },
    /// They are shown as `DAY_` with the number of days from this one, `MONTH_` and `YEAR_` likewise.
    Count {
        /// Day 0.
        from: NaiveDate,
    },
}

impl Dates {
    /// A shift by whole weeks, between 5 and 20 years, backwards or forwards, by the seed.
    #[must_use]
    pub fn shifted(seed: u64) -> Self {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x6461_7465);
        let weeks = random.gen_range(261..=1043);
        Self::Shift {
            days: if random.gen_bool(0.5) {
                7 * weeks
            } else {
                -7 * weeks
            },
        }
    }
}

/// Why there is no mask.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MaskError {
    /// A symbol or name cannot be found in texts.
    #[error(
        "{0:?} cannot be masked: a symbol or name begins with a letter or digit and has no line breaks"
    )]
    Unusable(String),
    /// Two assets share it, so that it could not be put back.
    #[error("{0:?} is given twice; each symbol and name must belong to one asset")]
    Twice(String),
    /// More names than there are letters, two for each.
    #[error("{0} has more than 13 names; leave some away")]
    TooManyNames(String),
}

/// Words by their first character, the longest first, with what replaces them.
type Words = BTreeMap<char, Vec<(String, String)>>;

/// The mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    hide: Words,
    reveal: Words,
    dates: Dates,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Hide,
    Reveal,
}

/// What stands before a place, as far as it matters.
#[derive(Debug, Clone, Default)]
struct State {
    last: [Option<char>; 2],
    word: String,
    current: String,
    since_year: Option<String>,
}

impl State {
    fn put(&mut self, c: char) {
        self.last = [self.last[1], Some(c)];
        if c.is_alphanumeric() {
            self.current.extend(c.to_lowercase());
            // Words that matter are short.
            if self.current.len() > 64 {
                self.current.clear();
            }
        } else if !self.current.is_empty() {
            self.word = std::mem::take(&mut self.current);
        }
        if let Some(since) = &mut self.since_year {
            since.push(c);
            if since.chars().count() > 5 {
                self.since_year = None;
            }
        }
    }

    /// The word before this place, when a gap stands between.
    fn before(&self) -> &str {
        if self.current.is_empty() {
            &self.word
        } else {
            &self.current
        }
    }

    fn boundary(&self) -> bool {
        !self.last[1].is_some_and(char::is_alphanumeric)
    }
}

/// Signs that join a short symbol to a letter.
fn joins(c: Option<char>) -> bool {
    matches!(c, Some('&' | '.' | '-' | '\'' | '’'))
}

fn is_word(c: Option<char>) -> bool {
    c.is_some_and(char::is_alphanumeric)
}

/// Days from the first of 1900 to the first of 2100.
const DAYS: i64 = 73_049;

fn epoch() -> NaiveDate {
    NaiveDate::from_ymd_opt(1900, 1, 1).unwrap_or_default()
}

/// A day so many days after the first of 1900, wrapped into the two centuries.
fn day_at(days: i64) -> NaiveDate {
    let days = u64::try_from(days.rem_euclid(DAYS)).unwrap_or(0);
    epoch()
        .checked_add_days(Days::new(days))
        .unwrap_or_default()
}

fn month_text(months: i64) -> String {
    format!(
        "{}-{:02}",
        FIRST + months.div_euclid(12),
        months.rem_euclid(12) + 1
    )
}

impl Mask {
    /// A mask over these assets and dates.
    ///
    /// # Errors
    /// [`MaskError`] when something could not be found or put back.
    pub fn new(assets: &[Asset], dates: Dates, seed: u64) -> Result<Self, MaskError> {
        let mut order: Vec<usize> = (0..assets.len()).collect();
        order.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(seed));
        let mut pairs: BTreeMap<String, String> = BTreeMap::new();
        let mut add = |real: &str, mask: String| {
            if !real.starts_with(char::is_alphanumeric) || real.contains(char::is_control) {
                return Err(MaskError::Unusable(real.to_owned()));
            }
            match pairs.insert(real.to_owned(), mask) {
                None => Ok(()),
                Some(_) => Err(MaskError::Twice(real.to_owned())),
            }
        };
        let mut capitals = Vec::new();
        for (n, at) in (1..).zip(order) {
            let asset = &assets[at];
            add(&asset.symbol, format!("ASSET_{n}"))?;
            if asset.names.len() > 13 {
                return Err(MaskError::TooManyNames(asset.symbol.clone()));
            }
            for (letter, name) in (0..).zip(&asset.names) {
                add(name, company(n, 2 * letter))?;
                let upper = name.to_uppercase();
                if upper != *name {
                    capitals.push((upper, company(n, 2 * letter + 1)));
                }
            }
        }
        for (upper, mask) in capitals {
            pairs.entry(upper).or_insert(mask);
        }
        let words = |pairs: &mut dyn Iterator<Item = (&String, &String)>| {
            let mut words = Words::new();
            for (from, to) in pairs {
                if let Some(first) = from.chars().next() {
                    words
                        .entry(first)
                        .or_default()
                        .push((from.clone(), to.clone()));
                }
            }
            for list in words.values_mut() {
                list.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.0.cmp(&b.0)));
            }
            words
        };
        Ok(Self {
            hide: words(&mut pairs.iter()),
            reveal: words(&mut pairs.iter().map(|(a, b)| (b, a))),
            dates,
        })
    }

    /// The text with masks in it.
    #[must_use]
    pub fn hide(&self, text: &str) -> String {
        self.whole(text, Way::Hide)
    }

    /// The text with the masks taken away.
    #[must_use]
    pub fn reveal(&self, text: &str) -> String {
        self.whole(text, Way::Reveal)
    }

    /// All texts and names of members of a JSON value with masks in them.
    #[must_use]
    pub fn hide_json(&self, value: &Value) -> Value {
        self.json(value, Way::Hide)
    }

    /// All texts and names of members of a JSON value with the masks taken away.
    #[must_use]
    pub fn reveal_json(&self, value: &Value) -> Value {
        self.json(value, Way::Reveal)
    }

    /// A request with masks in its instructions, tools and conversation.
    #[must_use]
    pub fn hide_request(&self, request: &Request) -> Request {
        let block = |block: &Block| match block {
            Block::Text { text } => Block::text(self.hide(text)),
            Block::ToolUse(call) => Block::ToolUse(ToolCall {
                arguments: self.hide_json(&call.arguments),
                ..call.clone()
            }),
            Block::ToolResult {
                id,
                content,
                is_error,
            } => Block::ToolResult {
                id: id.clone(),
                content: self.hide(content),
                is_error: *is_error,
            },
            // It came masked.
            Block::Opaque { .. } => block.clone(),
        };
        Request {
            system: self.hide(&request.system),
            messages: request
                .messages
                .iter()
                .map(|m| Message {
                    role: m.role,
                    blocks: m.blocks.iter().map(block).collect(),
                })
                .collect(),
            tools: request
                .tools
                .iter()
                .map(|t| ToolDefinition {
                    name: t.name.clone(),
                    description: self.hide(&t.description),
                    schema: self.hide_json(&t.schema),
                })
                .collect(),
            stop: request.stop.iter().map(|s| self.hide(s)).collect(),
            ..request.clone()
        }
    }

    fn json(&self, value: &Value, way: Way) -> Value {
        match value {
            Value::String(text) => Value::String(self.whole(text, way)),
            Value::Array(items) => items.iter().map(|v| self.json(v, way)).collect(),
            Value::Object(members) => Value::Object(
                members
                    .iter()
                    .map(|(name, v)| (self.whole(name, way), self.json(v, way)))
                    .collect(),
            ),
            other => other.clone(),
        }
    }

    fn whole(&self, text: &str, way: Way) -> String {
        let mut out = String::with_capacity(text.len() + text.len() / 8);
        self.scan(text, way, &mut State::default(), true, &mut out);
        out
    }

    /// Works through a text until its end, or, when more may come, until something that may not be
    /// whole; gives the bytes done.
    fn scan(&self, text: &str, way: Way, state: &mut State, last: bool, out: &mut String) -> usize {
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            let rest = &text[at..];
            // After `FY` a year may be masked although a letter stands before it.
            let fiscal = way == Way::Reveal
                && state.last == [Some('F'), Some('Y')]
                && rest.starts_with("YEAR_");
            if state.boundary() || fiscal {
                if !last && self.unsure(rest, way) {
                    return at;
                }
                if let Some((len, text, year)) = self.replace(rest, way, state) {
                    for c in rest[..len].chars() {
                        state.put(c);
                    }
                    if year {
                        state.since_year = Some(String::new());
                    }
                    out.push_str(&text);
                    at += len;
                    continue;
                }
            }
            state.put(c);
            out.push(c);
            at += c.len_utf8();
        }
        at
    }

    /// What replaces the beginning of `rest`: its bytes, the text, and whether it is a year.
    fn replace(&self, rest: &str, way: Way, state: &State) -> Option<(usize, String, bool)> {
        if let Some((len, text)) = self.escape(rest, way) {
            return Some((len, text, false));
        }
        let words = if way == Way::Hide {
            &self.hide
        } else {
            &self.reveal
        };
        for (from, to) in words.get(&rest.chars().next()?).into_iter().flatten() {
            if let Some(len) = matched(rest, from, way, state) {
                return Some((len, to.clone(), false));
            }
        }
        let before = Before {
            word: state.before(),
            since_year: state.since_year.as_deref(),
        };
        match self.dates {
            Dates::Keep => None,
            Dates::Shift { days } => {
                let (found, keep, len) = dates::at(rest, &before)?;
                let days = if way == Way::Hide {
                    days
                } else {
                    days.checked_neg()?
                };
                // Nearest whole months and years: a month has 30.436875 days.
                let months = (days as f64 / 30.436_875).round() as i64;
                let years = (days as f64 / 365.242_5).round() as i64;
                let text = match found {
                    Found::Day(day) => {
                        day_at((day - epoch()).num_days().checked_add(days)?).to_string()
                    }
                    Found::Month(m) => month_text(m.checked_add(months)?.rem_euclid(2_400)),
                    Found::Year(y) => {
                        ((y - FIRST).checked_add(years)?.rem_euclid(200) + FIRST).to_string()
                    }
                };
                let year = matches!(found, Found::Year(_));
                Some((len, format!("{}{text}", &rest[..keep]), year))
            }
            Dates::Count { from } if way == Way::Hide => {
                let (found, keep, len) = dates::at(rest, &before)?;
                let zero = (from - epoch()).num_days();
                let (first_month, first_year) = zero_of(from);
                let text = match found {
                    Found::Day(day) => format!("DAY_{}", (day - epoch()).num_days() - zero),
                    Found::Month(m) => format!("MONTH_{}", m - first_month),
                    Found::Year(y) => format!("YEAR_{}", y - first_year),
                };
                let year = matches!(found, Found::Year(_));
                Some((len, format!("{}{text}", &rest[..keep]), year))
            }
            Dates::Count { from } => {
                let (kind, number, len) = count(rest)?;
                let zero = (from - epoch()).num_days();
                let (first_month, first_year) = zero_of(from);
                let within = |x: i64, most: i64| (0..most).contains(&x).then_some(x);
                let text = match kind {
                    "DAY" => day_at(within(zero.checked_add(number)?, DAYS)?).to_string(),
                    "MONTH" => month_text(within(first_month.checked_add(number)?, 2_400)?),
                    _ => {
                        let year = first_year.checked_add(number)?;
                        (within(year - FIRST, 200)? + FIRST).to_string()
                    }
                };
                Some((len, text, kind == "YEAR"))
            }
        }
    }

    /// The words that masks begin with.
    fn prefixes(&self) -> &'static [&'static str] {
        match self.dates {
            Dates::Count { .. } => &["ASSET", "COMPANY", "DAY", "MONTH", "YEAR"],
            Dates::Keep | Dates::Shift { .. } => &["ASSET", "COMPANY"],
        }
    }

    /// Text that only looks like a mask: one more underscore on the way there, one less on the way
    /// back. Gives the bytes up to the digit, and what replaces them.
    fn escape(&self, rest: &str, way: Way) -> Option<(usize, String)> {
        let prefix = self.prefixes().iter().find(|p| rest.starts_with(**p))?;
        let tail = &rest[prefix.len()..];
        let slash = usize::from(tail.starts_with('\\'));
        let lines = tail[slash..].bytes().take_while(|b| *b == b'_').count();
        let number = &tail[slash + lines..];
        let minus = usize::from(number.starts_with('-'));
        let digit = number[minus..].starts_with(|c: char| c.is_ascii_digit());
        let least = if way == Way::Hide { 1 } else { 2 };
        if lines < least || !digit {
            return None;
        }
        // A date right behind the underscore is masked itself, so that no digit follows.
        if way == Way::Hide
            && matches!(self.dates, Dates::Count { .. })
            && dates::at(
                number,
                &Before {
                    word: "",
                    since_year: None,
                },
            )
            .is_some()
        {
            return None;
        }
        let len = prefix.len() + slash + lines;
        let text = &rest[..len];
        let text = match way {
            Way::Hide => format!("{text}_"),
            Way::Reveal => text[..len - 1].to_owned(),
        };
        Some((len, text))
    }

    /// Whether more text could change what the beginning of `rest` is.
    fn unsure(&self, rest: &str, way: Way) -> bool {
        if rest.contains('\n') {
            return false;
        }
        let Some(first) = rest.chars().next() else {
            return false;
        };
        if self.dates != Dates::Keep {
            let letters = rest.chars().take_while(char::is_ascii_alphabetic).count();
            let month = dates::month_name(rest).is_some()
                || (letters == rest.len() && letters < 10 && "JFMASONDjfmasond".contains(first)
                    || rest.starts_with("FY"));
            if (first.is_ascii_digit() || month) && rest.len() < 40 {
                return true;
            }
        }
        let masks = self.prefixes().iter().any(|p| {
            p.starts_with(rest) || (rest.starts_with(p) && !rest.contains(' ') && rest.len() < 40)
        });
        let words = if way == Way::Hide {
            &self.hide
        } else {
            &self.reveal
        };
        masks
            || words.get(&first).is_some_and(|list| {
                list.iter().any(|(from, _)| {
                    from.starts_with(rest)
                        || (rest.starts_with(from.as_str()) && rest.len() < from.len() + 6)
                })
            })
    }
}

/// The name of the n-th company's name number `letter`.
fn company(n: usize, letter: u8) -> String {
    match letter {
        0 => format!("COMPANY_{n}"),
        more => format!("COMPANY_{n}{}", char::from(b'A' + more)),
    }
}

/// Months since January 1900, and the year, of day 0.
fn zero_of(from: NaiveDate) -> (i64, i64) {
    use chrono::Datelike as _;
    let year = i64::from(from.year());
    ((year - FIRST) * 12 + i64::from(from.month0()), year)
}

/// `DAY_17`, `MONTH_-3`, `YEAR\_2`: what, how many, and its bytes.
fn count(rest: &str) -> Option<(&'static str, i64, usize)> {
    let kind = ["DAY", "MONTH", "YEAR"]
        .into_iter()
        .find(|k| rest.starts_with(k))?;
    let tail = &rest[kind.len()..];
    let tail = tail.strip_prefix('\\').unwrap_or(tail).strip_prefix('_')?;
    let minus = usize::from(tail.starts_with('-'));
    let digits = tail[minus..].bytes().take_while(u8::is_ascii_digit).count();
    let number = tail.get(..minus + digits)?.parse().ok()?;
    let after = &tail[minus + digits..];
    let mut next = after.chars();
    let joined = match (kind, next.next()) {
        ("DAY", Some('T')) | ("YEAR", Some('Q')) => next.next().is_some_and(|c| c.is_ascii_digit()),
        (_, c) => !is_word(c),
    };
    joined.then_some((kind, number, rest.len() - after.len()))
}

/// Whether `rest` begins with the word as a word of its own; its bytes.
fn matched(rest: &str, word: &str, way: Way, state: &State) -> Option<usize> {
    let len = match rest.strip_prefix(word) {
        Some(_) => word.len(),
        // Markdown escapes the underscore.
        None if way == Way::Reveal => {
            let escaped = word.replacen('_', "\\_", 1);
            rest.starts_with(&escaped).then_some(escaped.len())?
        }
        None => return None,
    };
    let mut after = rest[len..].chars();
    let next = [after.next(), after.next()];
    if is_word(next[0]) {
        return None;
    }
    if way == Way::Hide && word.len() <= 2 {
        let joined = (joins(state.last[1]) && is_word(state.last[0]))
            || (joins(next[0]) && is_word(next[1]));
        if joined {
            return None;
        }
    }
    Some(len)
}

/// Takes the masks away from an answer that comes in pieces.
#[derive(Debug, Clone)]
pub struct Revealer {
    mask: Arc<Mask>,
    state: State,
    held: String,
}

impl Revealer {
    /// At the beginning of an answer.
    #[must_use]
    pub fn new(mask: Arc<Mask>) -> Self {
        Self {
            mask,
            state: State::default(),
            held: String::new(),
        }
    }

    /// More text; gives what is sure.
    #[must_use]
    pub fn push(&mut self, text: &str) -> String {
        self.held.push_str(text);
        self.go(false)
    }

    /// The end; gives the rest.
    #[must_use]
    pub fn finish(&mut self) -> String {
        self.go(true)
    }

    fn go(&mut self, last: bool) -> String {
        let mut out = String::new();
        let done = self
            .mask
            .scan(&self.held, Way::Reveal, &mut self.state, last, &mut out);
        self.held.drain(..done);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn asset(symbol: &str, names: &[&str]) -> Asset {
        Asset {
            symbol: symbol.to_owned(),
            names: names.iter().map(|n| (*n).to_owned()).collect(),
        }
    }

    fn assets() -> Vec<Asset> {
        vec![
            asset("AAPL", &["Apple Inc.", "Apple"]),
            asset("CAT", &["Caterpillar"]),
            asset("ALL", &["Allstate"]),
            asset("T", &["AT&T"]),
            asset("BRK.B", &["Berkshire Hathaway"]),
            asset("BRK", &[]),
            asset("A", &["Agilent"]),
        ]
    }

    fn mask(dates: Dates) -> Mask {
        Mask::new(&assets(), dates, 7).unwrap()
    }

    /// The mask with the numbers of these assets written out, so that tests can be read.
    fn hidden(text: &str, dates: Dates) -> String {
        let mask = mask(dates);
        let mut hidden = mask.hide(text);
        assert_eq!(mask.reveal(&hidden), text, "{hidden}");
        for a in assets() {
            let n = mask.hide(&a.symbol).replace("ASSET_", "");
            for kind in ["ASSET", "COMPANY"] {
                hidden = hidden.replace(&format!("{kind}_{n}"), &format!("{kind}_<{}>", a.symbol));
            }
        }
        hidden
    }

    #[test]
    fn symbols_are_masked_as_words_of_their_own() {
        for (text, want) in [
            ("Analyze AAPL now", "Analyze ASSET_<AAPL> now"),
            (
                "AAPL's CAT, (ALL) \"T\"",
                "ASSET_<AAPL>'s ASSET_<CAT>, (ASSET_<ALL>) \"ASSET_<T>\"",
            ),
            // Part of another word.
            (
                "CATEGORY SMALL AAPLX xAAPL 1CAT T2",
                "CATEGORY SMALL AAPLX xAAPL 1CAT T2",
            ),
            (
                "Apples and Pineapple, Allstates",
                "Apples and Pineapple, Allstates",
            ),
            ("in all cats a cat", "in all cats a cat"),
            // Short ones joined to letters.
            (
                "the U.S. T-bill, A.B., R&A, it's A-rated",
                "the U.S. T-bill, A.B., R&A, it's A-rated",
            ),
            ("T. And A, then", "ASSET_<T>. And ASSET_<A>, then"),
            ("$AAPL #CAT @T", "$ASSET_<AAPL> #ASSET_<CAT> @ASSET_<T>"),
            (
                "AAPL_close AAPL.close AAPL/CAT AAPL-CAT",
                "ASSET_<AAPL>_close ASSET_<AAPL>.close ASSET_<AAPL>/ASSET_<CAT> ASSET_<AAPL>-ASSET_<CAT>",
            ),
            ("BRK.B BRK BRK.A", "ASSET_<BRK.B> ASSET_<BRK> ASSET_<BRK>.A"),
            (
                "Apple Inc. and Apple and APPLE",
                "COMPANY_<AAPL> and COMPANY_<AAPL>C and COMPANY_<AAPL>D",
            ),
            (
                "AT&T, Berkshire Hathaway's",
                "COMPANY_<T>, COMPANY_<BRK.B>'s",
            ),
            (
                "{\"AAPL\": [\"T\", 1.5]}",
                "{\"ASSET_<AAPL>\": [\"ASSET_<T>\", 1.5]}",
            ),
            ("Größe AAPLé éAAPL AAPL€", "Größe AAPLé éAAPL ASSET_<AAPL>€"),
            ("", ""),
        ] {
            assert_eq!(hidden(text, Dates::Keep), want);
        }
    }

    #[test]
    fn text_that_looks_like_a_mask_comes_back() {
        for text in [
            "ASSET_1 and ASSET__1, ASSET\\_1, COMPANY_99B",
            "DAY_5, DAY_-5, MONTH_1, YEAR\\_2, YEAR__2",
            "DAY_2020-01-05 YEAR_2020-01",
            "ASSET_AAPL ASSET_",
        ] {
            for dates in [
                Dates::Keep,
                Dates::Shift { days: 70 },
                Dates::Count {
                    from: "2010-06-15".parse().unwrap(),
                },
            ] {
                let mask = mask(dates);
                assert_eq!(mask.reveal(&mask.hide(text)), text, "{dates:?}");
            }
        }
    }

    #[test]
    fn dates_move_by_the_same_number_of_days() {
        // 2020-01-05 less 3,500 days: 2010-06-06, both Sundays. 3,500 days are 115 months and 10 years.
        let dates = Dates::Shift { days: -3_500 };
        let mask = mask(dates);
        for (text, want) in [
            (
                "from 2020-01-05 to 2020-01-06",
                "from 2010-06-06 to 2010-06-07",
            ),
            ("at 2020-01-05T10:00:00Z", "at 2010-06-06T10:00:00Z"),
            ("in 2020 and 2020 shares", "in 2010 and 2010 shares"),
            ("2020 shares, $2020", "2020 shares, $2020"),
            (
                "from 2008 to 2020, 2008-2020",
                "from 1998 to 2010, 1998-2010",
            ),
            ("Q1 2020, 2020Q1, FY2020", "Q1 2010, 2010Q1, FY2010"),
            ("since 2020-01", "since 2010-06"),
        ] {
            assert_eq!(mask.hide(text), want);
            assert_eq!(mask.reveal(want), text);
        }
        // Written in words they come back as ISO.
        assert_eq!(
            mask.hide("on January 5, 2020, or May 2020"),
            "on 2010-06-06, or 2010-10"
        );
        assert_eq!(mask.reveal("on June 6, 2010"), "on 2020-01-05");
    }

    #[test]
    fn dates_can_be_numbers_of_days() {
        let mask = mask(Dates::Count {
            from: "2020-01-01".parse().unwrap(),
        });
        for (text, want) in [
            ("from 2020-01-05 to 2019-12-31", "from DAY_4 to DAY_-1"),
            ("at 2020-01-05T10:00:00Z", "at DAY_4T10:00:00Z"),
            ("since 2020-03, in 2018", "since MONTH_2, in YEAR_-2"),
            ("2020Q1 FY2021", "YEAR_0Q1 FYYEAR_1"),
        ] {
            assert_eq!(mask.hide(text), want);
            assert_eq!(mask.reveal(want), text);
        }
        // Markdown of the model, and numbers beyond the calendar.
        assert_eq!(mask.reveal("**DAY\\_4**"), "**2020-01-05**");
        assert_eq!(
            mask.reveal("DAY_99999999999999999999 DAY_9999999"),
            "DAY_99999999999999999999 DAY_9999999"
        );
    }

    #[test]
    fn the_seed_decides_and_nothing_else() {
        let one = Mask::new(&assets(), Dates::shifted(3), 3).unwrap();
        assert_eq!(one, Mask::new(&assets(), Dates::shifted(3), 3).unwrap());
        let all: Vec<String> = (0..20)
            .map(|seed| {
                Mask::new(&assets(), Dates::Keep, seed)
                    .unwrap()
                    .hide("AAPL")
            })
            .collect();
        assert!(all.iter().any(|m| *m != all[0]));
        for seed in 0..200 {
            let Dates::Shift { days } = Dates::shifted(seed) else {
                panic!("no shift");
            };
            assert!(
                days % 7 == 0 && (1_827..=7_301).contains(&days.abs()),
                "{days}"
            );
        }
    }

    #[test]
    fn json_and_requests_are_masked_throughout() {
        let mask = mask(Dates::Shift { days: -3_500 });
        let value = json!({"symbols": ["AAPL", "CAT"], "start": "2020-01-05", "weights": {"AAPL": 0.5}, "n": 2020, "on": true});
        let hidden = mask.hide_json(&value);
        let text = hidden.to_string();
        assert!(
            !text.contains("AAPL") && !text.contains("2020-01"),
            "{text}"
        );
        assert_eq!(mask.reveal_json(&hidden), value);
        let mut request = Request::new("You trade AAPL.", "How is Apple?", 10);
        request.tools.push(ToolDefinition {
            name: "run".to_owned(),
            description: "For example AAPL since 2020-01-05.".to_owned(),
            schema: json!({"type": "object", "properties": {"symbol": {"enum": ["AAPL"]}}}),
        });
        request.messages.push(Message {
            role: crate::llm::Role::Assistant,
            blocks: vec![Block::ToolUse(ToolCall {
                id: "1".to_owned(),
                name: "run".to_owned(),
                arguments: json!({"symbol": "AAPL"}),
            })],
        });
        request.messages.push(Message {
            role: crate::llm::Role::User,
            blocks: vec![Block::ToolResult {
                id: "1".to_owned(),
                content: "AAPL rose on 2020-01-05".to_owned(),
                is_error: false,
            }],
        });
        let hidden = serde_json::to_string(&mask.hide_request(&request)).unwrap();
        for word in ["AAPL", "Apple", "2020"] {
            assert!(!hidden.contains(word), "{hidden}");
        }
        assert!(
            hidden.contains("\"properties\":{\"symbol\"") && hidden.contains("\"name\":\"run\"")
        );
    }

    #[test]
    fn what_cannot_be_put_back_is_refused() {
        let of = |assets: &[Asset]| Mask::new(assets, Dates::Keep, 1).unwrap_err();
        assert_eq!(
            of(&[asset("A", &[]), asset("A", &[])]),
            MaskError::Twice("A".to_owned())
        );
        assert_eq!(
            of(&[asset("A", &["X"]), asset("B", &["X"])]),
            MaskError::Twice("X".to_owned())
        );
        for bad in ["", " A", "^GSPC", "A\nB"] {
            assert_eq!(of(&[asset(bad, &[])]), MaskError::Unusable(bad.to_owned()));
        }
        let many: Vec<String> = (0..14).map(|n| format!("Name {n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(matches!(
            of(&[asset("A", &many)]),
            MaskError::TooManyNames(_)
        ));
    }

    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "AAPL",
            "CAT",
            "ALL",
            "T",
            "BRK.B",
            "BRK",
            "A",
            "Apple",
            "Apple Inc.",
            "AT&T",
            "APPLE",
            "ASSET_1",
            "ASSET__2",
            "ASSET",
            "_",
            "DAY_3",
            "DAY_",
            "YEAR\\_1",
            "MONTH_-2",
            "COMPANY_1",
            "2020-01-05",
            "2020-01",
            "2020",
            "1999",
            "in",
            "from",
            "to",
            "and",
            "between",
            "Q1",
            "FY2020",
            "T10:00",
            " ",
            " ",
            " ",
            "-",
            ".",
            ",",
            "&",
            "'",
            "\n",
            "(",
            "x",
            "é",
            "🦀",
            "5",
            "1850-02-03",
            "%",
        ]);
        prop::collection::vec(piece, 0..25).prop_map(|p| p.concat())
    }

    proptest! {
        #[test]
        fn hiding_can_be_undone(text in pieces(), days in -20_000_i64..20_000, from in 0_i64..DAYS) {
            for dates in [Dates::Keep, Dates::Shift { days }, Dates::Count { from: day_at(from) }] {
                let mask = mask(dates);
                let hidden = mask.hide(&text);
                prop_assert_eq!(mask.reveal(&hidden), text.as_str(), "{:?} {}", dates, hidden);
            }
        }

        #[test]
        fn pieces_of_an_answer_give_the_same(text in pieces(), cuts in prop::collection::vec(0_usize..200, 0..10), days in -20_000_i64..20_000) {
            for dates in [Dates::Shift { days }, Dates::Count { from: day_at(40_000) }] {
                let mask = mask(dates);
                let hidden = mask.hide(&text);
                let mut cuts: Vec<usize> = cuts.iter().map(|c| c % (hidden.len() + 1)).filter(|c| hidden.is_char_boundary(*c)).collect();
                cuts.push(hidden.len());
                cuts.sort_unstable();
                let mut revealer = Revealer::new(Arc::new(mask.clone()));
                let (mut out, mut at) = (String::new(), 0);
                for cut in cuts {
                    out += &revealer.push(&hidden[at..cut]);
                    at = cut;
                }
                out += &revealer.finish();
                prop_assert_eq!(out, mask.reveal(&hidden));
            }
        }

        #[test]
        fn any_text_is_no_panic(text in ".{0,80}") {
            let mask = mask(Dates::Count { from: day_at(1) });
            prop_assert_eq!(mask.reveal(&mask.hide(&text)), text);
        }
    }
}
