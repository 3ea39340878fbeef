//! A number with its unit, as it is written in a text.

use super::tokens::{Kind, Token};

/// What a number counts; numbers agree only in the same unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// None that is known here.
    Plain,
    /// Percent; basis points are hundredths of it.
    Percent,
    /// Money in a currency, by its sign or code.
    Money(&'static str),
    /// Days, trading days, sessions or bars.
    Days,
    /// Weeks.
    Weeks,
    /// Months.
    Months,
    /// Years.
    Years,
    /// Hours, minutes or seconds.
    Clock,
    /// How many times as much.
    Times,
    /// A place in an order: 2nd.
    Rank,
}

/// A number as written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Number {
    /// Its value, in its unit, with the sign.
    pub(super) value: f64,
    /// Half a step of its last digit.
    pub(super) half: f64,
    /// Digits that say something.
    pub(super) significant: usize,
    /// Its unit.
    pub(super) unit: Unit,
    /// Whether it is a whole number without anything attached.
    pub(super) bare: bool,
    /// Tokens of the number itself, its sign, currency, percent sign and letters.
    pub(super) own: usize,
}

const SIGNS: [char; 3] = ['-', '−', '+'];

fn currency(c: char) -> Option<&'static str> {
    Some(match c {
        '$' => "$",
        '€' => "€",
        '£' => "£",
        '¥' => "¥",
        _ => return None,
    })
}

fn currency_word(word: &str) -> Option<&'static str> {
    Some(match word {
        "usd" | "dollar" | "dollars" | "cents" => "$",
        "eur" | "euro" | "euros" => "€",
        "gbp" | "pounds" => "£",
        "jpy" | "yen" => "¥",
        _ => return None,
    })
}

/// The unit that a word names, and what a number before it is multiplied with.
fn word_unit(word: &str) -> Option<(Unit, f64)> {
    Some(match word {
        "percent" | "pct" | "percentage" | "pp" => (Unit::Percent, 1.0),
        "basis" | "bp" | "bps" => (Unit::Percent, 0.01),
        "day" | "days" | "session" | "sessions" | "bar" | "bars" | "d" => (Unit::Days, 1.0),
        "week" | "weeks" | "w" | "wk" => (Unit::Weeks, 1.0),
        "month" | "months" | "mo" => (Unit::Months, 1.0),
        "year" | "years" | "y" | "yr" | "yrs" => (Unit::Years, 1.0),
        "hour" | "hours" | "h" | "minute" | "minutes" | "min" | "second" | "seconds" | "s"
        | "ms" => (Unit::Clock, 1.0),
        "times" | "x" | "fold" => (Unit::Times, 1.0),
        "st" | "nd" | "rd" | "th" => (Unit::Rank, 1.0),
        "thousand" | "k" => (Unit::Plain, 1e3),
        "million" | "millions" | "m" | "mn" | "mio" => (Unit::Plain, 1e6),
        "billion" | "billions" | "bn" | "b" => (Unit::Plain, 1e9),
        "trillion" | "trillions" | "tn" | "t" => (Unit::Plain, 1e12),
        word => (Unit::Money(currency_word(word)?), 1.0),
    })
}

/// Whether a word behind a value changes what it says.
pub(super) fn changes(word: &str) -> bool {
    matches!(
        word_unit(word),
        Some((Unit::Percent | Unit::Times | Unit::Rank, _))
    ) || matches!(word_unit(word), Some((Unit::Plain, scale)) if scale != 1.0)
}

/// The unit that stands behind a number in words, and what it is multiplied with.
pub(super) fn behind(text: &str, tokens: &[Token]) -> Option<(Unit, f64)> {
    let mut rest = tokens.iter().filter(|t| {
        !matches!(t.kind, Kind::Space | Kind::Sign('-'))
            && !matches!(&text[t.start..t.end], "trading" | "business" | "per" | "us")
    });
    let next = rest.next()?;
    match (next.kind, &text[next.start..next.end]) {
        (Kind::Sign('%'), _) | (Kind::Word, "cent") => Some((Unit::Percent, 1.0)),
        (Kind::Word, word) if word.len() > 1 => word_unit(&word.to_lowercase()),
        _ => None,
    }
}

/// The number that begins at a token, with sign and currency before it; `joined` when something
/// that is no gap stands directly before it, so that a `-` is no sign.
pub(super) fn at(text: &str, tokens: &[Token], joined: bool) -> Option<Number> {
    let kind = |n: usize| tokens.get(n).map(|t| t.kind);
    let mut own = 0;
    let (mut minus, mut money) = (false, None);
    for _ in 0..2 {
        match kind(own) {
            Some(Kind::Sign(c)) if SIGNS.contains(&c) && !joined => {
                minus |= c != '+';
                own += 1;
            }
            Some(Kind::Sign(c)) if money.is_none() && currency(c).is_some() => {
                money = currency(c);
                own += 1;
            }
            _ => break,
        }
    }
    if kind(own) != Some(Kind::Number) {
        return None;
    }
    let token = tokens.get(own)?;
    let written = &text[token.start..token.end];
    own += 1;
    // `e` may be an exponent's.
    let digits = written
        .rfind(|c: char| !c.is_alphabetic())
        .map_or(0, |at| at + 1);
    let (digits, letters) = written.split_at(digits);
    let plain = digits.replace(',', "");
    let mut value: f64 = plain.parse().ok()?;
    let (mantissa, exponent) = match plain.split_once(['e', 'E']) {
        Some((m, e)) => (m, e.parse::<i32>().ok()?),
        None => (plain.as_str(), 0),
    };
    let places = mantissa
        .split_once('.')
        .map_or(0, |(_, d)| i32::try_from(d.len()).unwrap_or(i32::MAX));
    let significant = mantissa
        .trim_start_matches(['0', '.'])
        .bytes()
        .filter(u8::is_ascii_digit)
        .count();
    let mut half = 0.5 * 10_f64.powi(exponent.saturating_sub(places));
    let mut bare =
        money.is_none() && !minus && letters.is_empty() && !plain.contains(['.', 'e', 'E']);
    let mut unit = money.map_or(Unit::Plain, Unit::Money);
    let mut apply = |(found, scale): (Unit, f64), unit: &mut Unit| {
        value *= scale;
        half *= scale;
        if found != Unit::Plain {
            *unit = found;
        }
        scale != 1.0 && found == Unit::Plain
    };
    let mut scaled = false;
    if !letters.is_empty() {
        scaled = apply(word_unit(&letters.to_lowercase())?, &mut unit);
    }
    // What stands behind: `%`, a word, or, in a range, what stands behind its other end.
    let mut next = own;
    if let Some(end) = range(text, tokens, next) {
        next = end;
    }
    for _ in 0..3 {
        let gap = usize::from(matches!(
            kind(next),
            Some(Kind::Space | Kind::Sign('-' | '‑'))
        ));
        match kind(next + gap) {
            Some(Kind::Sign('%')) if kind(next) != Some(Kind::Sign('-')) => {
                apply((Unit::Percent, 1.0), &mut unit);
                bare = false;
                if next == own {
                    own += gap + 1;
                }
                break;
            }
            Some(Kind::Word) => {
                let word = tokens
                    .get(next + gap)
                    .map(|t| text[t.start..t.end].to_lowercase())
                    .unwrap_or_default();
                // "10 trading days", "3 per cent".
                if matches!(
                    word.as_str(),
                    "trading" | "business" | "calendar" | "per" | "us"
                ) {
                    next += gap + 1;
                    continue;
                }
                if word == "cent" {
                    apply((Unit::Percent, 1.0), &mut unit);
                    bare = false;
                    break;
                }
                let Some(found) = word_unit(&word)
                    .filter(|_| word.len() > 1 || kind(next) == Some(Kind::Sign('-')))
                else {
                    break;
                };
                bare = false;
                // "1.2 million dollars", but not "1.2 million thousand".
                if scaled && found.0 == Unit::Plain {
                    break;
                }
                if apply(found, &mut unit) {
                    scaled = true;
                    next += gap + 1;
                    continue;
                }
                break;
            }
            _ => break,
        }
    }
    Some(Number {
        value: if minus { -value } else { value },
        half,
        significant,
        unit,
        bare,
        own,
    })
}

/// Where a range `7-10`, `7 – 10` or `7 to 10` ends, when the number before `next` begins one.
fn range(text: &str, tokens: &[Token], next: usize) -> Option<usize> {
    let kind = |n: usize| tokens.get(n).map(|t| t.kind);
    let space = |n: usize| usize::from(kind(n) == Some(Kind::Space));
    let mut at = next + space(next);
    match kind(at)? {
        Kind::Sign('-' | '–' | '—') => {}
        Kind::Word => {
            let token = tokens.get(at)?;
            if !matches!(&text[token.start..token.end], "to" | "or" | "and") {
                return None;
            }
        }
        _ => return None,
    }
    at += 1;
    at += space(at);
    (kind(at)? == Kind::Number).then_some(at + 1)
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    fn of(text: &str) -> Option<(f64, Unit, usize)> {
        let tokens = tokens(text);
        let number = at(text, &tokens, false)?;
        Some((number.value, number.unit, tokens[number.own - 1].end))
    }

    #[test]
    fn numbers_have_values_and_units() {
        for (text, value, unit, own) in [
            ("5 trades", 5.0, Unit::Plain, 1),
            ("-1,234.5", -1234.5, Unit::Plain, 8),
            ("1.2e-3,", 0.0012, Unit::Plain, 6),
            ("5 %", 5.0, Unit::Percent, 3),
            ("5% of", 5.0, Unit::Percent, 2),
            ("5 percent", 5.0, Unit::Percent, 1),
            ("3 per cent", 3.0, Unit::Percent, 1),
            ("25 basis points", 0.25, Unit::Percent, 2),
            ("25bps", 0.25, Unit::Percent, 5),
            ("$1,000", 1000.0, Unit::Money("$"), 6),
            ("-$5", -5.0, Unit::Money("$"), 3),
            ("1.2 million dollars", 1.2e6, Unit::Money("$"), 3),
            ("$2bn", 2e9, Unit::Money("$"), 4),
            ("5-day horizon", 5.0, Unit::Days, 1),
            ("10 trading days", 10.0, Unit::Days, 2),
            ("7-10 days", 7.0, Unit::Days, 1),
            ("7 to 10 weeks", 7.0, Unit::Weeks, 1),
            ("2nd", 2.0, Unit::Rank, 3),
            ("3x", 3.0, Unit::Times, 2),
        ] {
            assert_eq!(of(text), Some((value, unit, own)), "{text}");
        }
        // Letters that are no unit make a name.
        assert_eq!(of("3Q"), None);
        assert_eq!(of("x5"), None);
    }
}
