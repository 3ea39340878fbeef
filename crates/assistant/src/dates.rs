//! Dates in texts: days, months and years from 1900 to 2099 as they are written in English.

use chrono::NaiveDate;

/// A date as it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// A day.
    Day(NaiveDate),
    /// Months since January 1900.
    Month(i64),
    /// A year.
    Year(i64),
}

/// The years that are masked.
pub(crate) const FIRST: i64 = 1900;
const LAST: i64 = 2099;

/// What stands before a place in a text.
pub(crate) struct Before<'a> {
    /// The last word, in small letters.
    pub(crate) word: &'a str,
    /// What stands between the last year found and here, when that is short.
    pub(crate) since_year: Option<&'a str>,
}

/// Words after which four digits are a year.
const YEAR_WORDS: [&str; 14] = [
    "in", "since", "during", "before", "after", "until", "till", "through", "year", "early",
    "late", "mid", "fiscal", "year-end",
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// So many digits at the beginning.
fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn number(text: &str, count: usize) -> Option<i64> {
    (digits(text) >= count).then(|| text[..count].parse().ok())?
}

/// Four digits that are a year, without a fifth.
fn year(text: &str) -> Option<i64> {
    let year = (digits(text) == 4).then(|| number(text, 4))??;
    (FIRST..=LAST).contains(&year).then_some(year)
}

/// Whether a word ends before this text.
fn ends(rest: &str) -> bool {
    !rest.starts_with(char::is_alphanumeric)
}

fn day(year: i64, month: i64, day: i64) -> Option<Found> {
    let part = |x: i64| u32::try_from(x).ok();
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, part(month)?, part(day)?).map(Found::Day)
}

/// The month that a text begins with, from 1, and the bytes of its name with a dot behind a short one.
pub(crate) fn month_name(text: &str) -> Option<(i64, usize)> {
    let (n, name) = (1..).zip(MONTHS).find(|(_, name)| {
        text.get(..3)
            .is_some_and(|t| t.eq_ignore_ascii_case(&name[..3]))
    })?;
    let whole = text
        .get(..name.len())
        .is_some_and(|t| t.eq_ignore_ascii_case(name))
        && ends(&text[name.len()..]);
    // "may" and "march" in small letters are verbs too; the former is too common.
    if whole && (name != "May" || !text.starts_with('m')) {
        return Some((n, name.len()));
    }
    if !text.starts_with(|c: char| c.is_ascii_uppercase()) {
        return None;
    }
    let short = if text
        .get(..4)
        .is_some_and(|t| t.eq_ignore_ascii_case("sept"))
        && ends(&text[4..])
    {
        4
    } else {
        3
    };
    let rest = &text[short..];
    ends(rest).then_some((n, short + usize::from(rest.starts_with('.'))))
}

/// A day of a month, `5` or `5th`, and its bytes.
fn day_number(text: &str) -> Option<(i64, usize)> {
    let n = digits(text);
    if !(1..=2).contains(&n) {
        return None;
    }
    let value = number(text, n)?;
    let suffix = text.get(n..n + 2).is_some_and(|t| {
        ["st", "nd", "rd", "th"]
            .iter()
            .any(|s| t.eq_ignore_ascii_case(s))
    });
    let len = n + if suffix { 2 } else { 0 };
    ends(&text[len..]).then_some((value, len))
}

/// A comma or nothing, then blanks; at least one of the two.
fn gap(text: &str) -> Option<usize> {
    let comma = usize::from(text.starts_with(','));
    let blanks = text[comma..].bytes().take_while(|b| *b == b' ').count();
    (comma + blanks > 0 && blanks <= 2).then_some(comma + blanks)
}

/// The date that a text begins with: what it is, the bytes that stay before it (`FY`), and all its
/// bytes.
pub(crate) fn at(text: &str, before: &Before<'_>) -> Option<(Found, usize, usize)> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return numeric(text, before)
            .or_else(|| day_first(text))
            .map(|(found, len)| (found, 0, len));
    }
    if let Some(rest) = text.strip_prefix("FY") {
        let year = year(rest)?;
        return ends(&rest[4..]).then_some((Found::Year(year), 2, 6));
    }
    month_first(text).map(|(found, len)| (found, 0, len))
}

fn numeric(text: &str, before: &Before<'_>) -> Option<(Found, usize)> {
    let y = year(text)?;
    let rest = &text[4..];
    for sign in ['-', '/'] {
        let Some(tail) = rest.strip_prefix(sign) else {
            continue;
        };
        let Some(m) = (digits(tail) == 2).then(|| number(tail, 2)).flatten() else {
            continue;
        };
        if let Some(end) = tail[2..].strip_prefix(sign)
            && let Some(d) = number(end, 2)
        {
            let after = &end[2..];
            let time = after.strip_prefix('T').is_some_and(|t| digits(t) > 0);
            return (time || ends(after)).then(|| day(y, m, d).map(|f| (f, 10)))?;
        }
        let after = &tail[2..];
        let more = after.strip_prefix(sign).is_some_and(|t| digits(t) > 0);
        if sign == '-' && (1..=12).contains(&m) && ends(after) && !more {
            return Some((Found::Month((y - FIRST) * 12 + m - 1), 7));
        }
    }
    if rest.starts_with('Q') && digits(&rest[1..]) == 1 && ends(&rest[2..]) {
        return Some((Found::Year(y), 4));
    }
    let decimal = rest.strip_prefix(['.', ',']).is_some_and(|t| digits(t) > 0);
    if !ends(rest) || decimal || rest.trim_start_matches(' ').starts_with('%') {
        return None;
    }
    let quarter = |w: &str| {
        let half = w.strip_prefix('h').and_then(|n| n.parse().ok());
        let quarter = w.strip_prefix('q').and_then(|n| n.parse().ok());
        half.is_some_and(|n: u8| (1..=2).contains(&n))
            || quarter.is_some_and(|n: u8| (1..=4).contains(&n))
    };
    let behind_year = before
        .since_year
        .is_some_and(|s| matches!(s.trim(), "to" | "and" | "-" | "–" | "/"));
    let range = |sign: &str| {
        rest.strip_prefix(sign)
            .is_some_and(|t| year(t).is_some() && ends(&t[4..]))
    };
    let begins_range = range("-")
        || range("–")
        || range(" – ")
        || range(" - ")
        || (before.word == "from" && range(" to "))
        || (before.word == "between" && range(" and "));
    (YEAR_WORDS.contains(&before.word) || quarter(before.word) || behind_year || begins_range)
        .then_some((Found::Year(y), 4))
}

fn day_first(text: &str) -> Option<(Found, usize)> {
    let (d, mut at) = day_number(text)?;
    at += gap(&text[at..])?;
    if let Some(rest) = text[at..].strip_prefix("of ") {
        at = text.len() - rest.len();
    }
    let (m, len) = month_name(&text[at..])?;
    at += len;
    at += gap(&text[at..])?;
    let y = year(&text[at..])?;
    ends(&text[at + 4..]).then(|| day(y, m, d).map(|f| (f, at + 4)))?
}

fn month_first(text: &str) -> Option<(Found, usize)> {
    let (m, len) = month_name(text)?;
    let at = len + gap(&text[len..])?;
    if let Some(y) = year(&text[at..]) {
        return ends(&text[at + 4..]).then_some((Found::Month((y - FIRST) * 12 + m - 1), at + 4));
    }
    let (d, len) = day_number(&text[at..])?;
    let at = at + len;
    let at = at + gap(&text[at..])?;
    let y = year(&text[at..])?;
    ends(&text[at + 4..]).then(|| day(y, m, d).map(|f| (f, at + 4)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, word: &str) -> Option<String> {
        let before = Before {
            word,
            since_year: None,
        };
        at(text, &before).map(|(found, keep, len)| {
            let found = match found {
                Found::Day(day) => day.to_string(),
                Found::Month(m) => format!("{}-{:02}", FIRST + m / 12, m % 12 + 1),
                Found::Year(y) => y.to_string(),
            };
            format!("{found}|{}", &text[keep..len])
        })
    }

    #[test]
    fn dates_are_read_as_people_write_them() {
        for (text, want) in [
            ("2020-01-05 rose", "2020-01-05|2020-01-05"),
            ("2020-01-05T10:00:00Z", "2020-01-05|2020-01-05"),
            ("2020/01/05.", "2020-01-05|2020/01/05"),
            ("January 5, 2020 was", "2020-01-05|January 5, 2020"),
            ("Jan. 5 2020", "2020-01-05|Jan. 5 2020"),
            ("Sept 5th, 2020", "2020-09-05|Sept 5th, 2020"),
            ("5 January 2020", "2020-01-05|5 January 2020"),
            ("5th of January, 2020", "2020-01-05|5th of January, 2020"),
            ("march 2020", "2020-03|march 2020"),
            ("May 2020", "2020-05|May 2020"),
            ("2020-01, then", "2020-01|2020-01"),
            ("FY2020 results", "2020|2020"),
            ("2020Q3", "2020|2020"),
            ("2008-2010 fell", "2008|2008"),
        ] {
            assert_eq!(of(text, "the").as_deref(), Some(want), "{text}");
        }
        assert_eq!(of("2008 to 2010", "from").as_deref(), Some("2008|2008"));
        assert_eq!(of("2008 and 2010", "between").as_deref(), Some("2008|2008"));
        for word in ["in", "since", "q3", "h1", "late"] {
            assert_eq!(of("2020.", word).as_deref(), Some("2020|2020"), "{word}");
        }
    }

    #[test]
    fn what_is_no_date_stays() {
        for text in [
            "2020-13-05",
            "2020-02-30",
            "2020-01-055",
            "2020 shares",
            "2020.5",
            "1850-01-05",
            "20200105",
            "may 2020 be",
            "Mayor 2020",
            "Janitor",
            "5 apples",
            "5 Jan",
            "January",
            "Jan 5",
            "2020x",
        ] {
            assert_eq!(of(text, "the"), None, "{text}");
        }
        assert_eq!(of("2020 % more", "in"), None);
        assert_eq!(of("2020,5", "in"), None);
    }
}
