//! Spans of time: horizons, days and spans of days, relative to a day handed in.
//!
//! What: durations ("7-10 days", "the last 5 years", "every half hour", "a month") with what they are
//! for, and days ("since 2015", "from Jan 2010 to March 2012", "on 3 March 2009", "last week").
//! Formula: in bars a week is 5, a month 21, a quarter 63, a year 252; in calendar days a month is
//! 365/12. "the last n years" and "past year" go back from the day handed in; "last year" alone is the
//! calendar year before, "last week" Monday to Sunday.
//! Fails when: a year alone is a number; it counts as one after a word such as "since" or "in".
//! Source: 252 sessions a year and 21 a month, as in the rest of the program.

use super::text::Token;
use chrono::{Datelike, Days, Months, NaiveDate};

/// Unit of a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    Minute,
    Hour,
    Day,
    Week,
    Fortnight,
    Month,
    Quarter,
    Year,
}

/// What a duration is for, as far as its neighbours say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// "the last 5 years".
    Past,
    /// "every 15 minutes".
    Every,
    /// "3 days ago".
    Ago,
    /// "200-day average".
    Lookback,
    /// "8 % a year".
    Rate,
    /// Anything else: a horizon, an expiry.
    Plain,
}

/// A duration.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Duration {
    /// Counts; two for the ends of a range, more for a list.
    pub(super) values: Vec<f64>,
    pub(super) unit: Span,
    pub(super) purpose: Use,
    /// First token.
    pub(super) from: usize,
    /// First token after it.
    pub(super) to: usize,
}

impl Duration {
    /// In bars of a day.
    pub(super) fn bars(&self) -> Vec<u32> {
        let factor = match self.unit {
            Span::Minute | Span::Hour => return Vec::new(),
            Span::Day => 1.0,
            Span::Week => 5.0,
            Span::Fortnight => 10.0,
            Span::Month => 21.0,
            Span::Quarter => 63.0,
            Span::Year => 252.0,
        };
        self.values
            .iter()
            .filter_map(|v| whole(v * factor))
            .collect()
    }

    /// In calendar days, of its first count.
    pub(super) fn calendar_days(&self) -> Option<u32> {
        let factor = match self.unit {
            Span::Minute | Span::Hour => return None,
            Span::Day => 1.0,
            Span::Week => 7.0,
            Span::Fortnight => 14.0,
            Span::Month => 365.0 / 12.0,
            Span::Quarter => 365.0 / 4.0,
            Span::Year => 365.0,
        };
        self.values.first().and_then(|v| whole(v * factor))
    }

    /// In minutes, of its first count.
    pub(super) fn minutes(&self) -> Option<u32> {
        let factor = match self.unit {
            Span::Minute => 1.0,
            Span::Hour => 60.0,
            Span::Day => 1_440.0,
            _ => return None,
        };
        self.values.first().and_then(|v| whole(v * factor))
    }

    /// The day so long before another.
    fn before(&self, day: NaiveDate) -> Option<NaiveDate> {
        let n = self.values.last().and_then(|v| whole(*v))?;
        match self.unit {
            Span::Minute | Span::Hour => None,
            Span::Day => day.checked_sub_days(Days::new(u64::from(n))),
            Span::Week => day.checked_sub_days(Days::new(7 * u64::from(n))),
            Span::Fortnight => day.checked_sub_days(Days::new(14 * u64::from(n))),
            Span::Month => day.checked_sub_months(Months::new(n)),
            Span::Quarter => day.checked_sub_months(Months::new(n.checked_mul(3)?)),
            Span::Year => day.checked_sub_months(Months::new(n.checked_mul(12)?)),
        }
    }
}

/// A number rounded to a whole one, where it is one that a count can hold.
pub(super) fn whole(x: f64) -> Option<u32> {
    (0.0..=1e6)
        .contains(&x)
        .then(|| format!("{:.0}", x.round()).parse().ok())
        .flatten()
}

/// Words of time, for mending.
pub(super) const WORDS: &[&str] = &[
    "minute",
    "hour",
    "hourly",
    "days",
    "week",
    "weekly",
    "fortnight",
    "month",
    "monthly",
    "decade",
    "quarter",
    "quarterly",
    "year",
    "yearly",
    "tomorrow",
    "yesterday",
    "today",
    "january",
    "february",
    "march",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "horizon",
    "between",
    "since",
    "until",
    "above",
    "below",
    "coming",
    "percent",
];

fn unit(t: &Token) -> Option<Span> {
    if !t.is_word() {
        return None;
    }
    Some(match t.lower.as_str() {
        "minute" | "minutes" | "min" | "mins" => Span::Minute,
        "hour" | "hours" | "hr" | "hrs" => Span::Hour,
        "day" | "days" | "d" | "session" | "sessions" | "bar" | "bars" => Span::Day,
        "week" | "weeks" | "wk" | "wks" | "w" => Span::Week,
        "fortnight" | "fortnights" => Span::Fortnight,
        "month" | "months" | "mo" | "mos" | "m" => Span::Month,
        "quarter" | "quarters" => Span::Quarter,
        "year" | "years" | "yr" | "yrs" | "y" | "decade" | "decades" => Span::Year,
        _ => return None,
    })
}

const PAST: &[&str] = &[
    "last",
    "past",
    "previous",
    "recent",
    "trailing",
    "preceding",
];
const NEXT: &[&str] = &["next", "coming", "following", "upcoming"];
const LOOKBACK: &[&str] = &[
    "average", "averages", "moving", "rsi", "trend", "momentum", "high", "low", "highs", "lows",
    "sma", "ema", "mean", "ma", "return", "returns", "atr", "uptrend", "macd",
];

/// All durations.
pub(super) fn durations(tokens: &[Token]) -> Vec<Duration> {
    let mut found: Vec<Duration> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match duration(tokens, at) {
            Some(d) => {
                at = d.to;
                found.push(d);
            }
            None => at += 1,
        }
    }
    found
}

fn duration(tokens: &[Token], at: usize) -> Option<Duration> {
    let word = |i: usize, words: &[&str]| tokens.get(i).is_some_and(|t| t.is(words));
    let (values, unit_at) = if tokens[at].plain().is_some() {
        counts(tokens, at)?
    } else if word(at, &["horizon", "horizons"]) {
        return horizon(tokens, at);
    } else if word(at, &["tomorrow"]) {
        return Some(Duration {
            values: vec![1.0],
            unit: Span::Day,
            purpose: Use::Plain,
            from: at,
            to: at + 1,
        });
    } else if word(at, &["hourly"]) {
        return Some(Duration {
            values: vec![1.0],
            unit: Span::Hour,
            purpose: Use::Every,
            from: at,
            to: at + 1,
        });
    } else if word(
        at,
        &[
            "a",
            "an",
            "next",
            "coming",
            "following",
            "every",
            "each",
            "last",
            "past",
            "previous",
        ],
    ) && tokens.get(at + 1).and_then(unit).is_some()
    {
        (vec![1.0], at + 1)
    } else {
        return None;
    };
    let unit = tokens.get(unit_at).and_then(unit)?;
    let tens = if word(unit_at, &["decade", "decades"]) {
        10.0
    } else {
        1.0
    };
    let values: Vec<f64> = values.into_iter().map(|v| v * tens).collect();
    let mut from = at;
    let mut purpose = Use::Plain;
    let mut to = unit_at + 1;
    let before = |n: usize| at.checked_sub(n).and_then(|i| tokens.get(i));
    for n in 0..=2 {
        let Some(t) = at.checked_sub(n).and_then(|i| tokens.get(i)) else {
            break;
        };
        if t.is(PAST) {
            purpose = Use::Past;
        } else if t.is(&["every", "each"]) {
            purpose = Use::Every;
        } else if n == 0 || t.is(&["the", "few", "about", "next", "coming"]) {
            if t.is(NEXT) {
                break;
            }
            continue;
        } else {
            break;
        }
        from = at - n;
        break;
    }
    if word(to, &["ago"]) {
        purpose = Use::Ago;
        to += 1;
    }
    let percent_before = before(1).is_some_and(|t| t.percent().is_some())
        || (word(at.wrapping_sub(1), &["in", "per"])
            && before(2).is_some_and(|t| t.percent().is_some()));
    if purpose == Use::Plain {
        if percent_before && word(at, &["a", "an", "each"]) {
            purpose = Use::Rate;
        } else if word(to, LOOKBACK)
            && !tokens[at].is(NEXT)
            && !before(1).is_some_and(|t| t.is(NEXT))
        {
            purpose = Use::Lookback;
        }
    } else if percent_before && purpose == Use::Every && word(at, &["each", "every"]) {
        purpose = Use::Rate;
    }
    Some(Duration {
        values,
        unit,
        purpose,
        from,
        to,
    })
}

/// "horizon 5", "horizons 1 and 5", "a horizon of 20": bars without a word for it.
fn horizon(tokens: &[Token], at: usize) -> Option<Duration> {
    let skip = |i: usize| {
        i + usize::from(tokens.get(i).is_some_and(|t| {
            t.is(&["of", "is", "to", "at"]) || t.mark().is_some_and(|c| c == ':' || c == '=')
        }))
    };
    let mut i = skip(at + 1);
    let mut values = vec![tokens.get(i)?.plain()?];
    i += 1;
    loop {
        let joins = tokens
            .get(i)
            .is_some_and(|t| t.is(&["and", "or"]) || t.mark() == Some(','));
        let and = usize::from(joins && tokens.get(i + 1).is_some_and(|t| t.is(&["and"])));
        match tokens
            .get(i + 1 + and)
            .and_then(Token::plain)
            .filter(|_| joins)
        {
            Some(v) => values.push(v),
            None => break,
        }
        i += 2 + and;
    }
    // With a unit it is a duration like any other.
    if tokens.get(i).is_some_and(|t| unit(t).is_some()) {
        return None;
    }
    Some(Duration {
        values,
        unit: Span::Day,
        purpose: Use::Plain,
        from: at,
        to: i,
    })
}

/// Counts before a unit: "5", "7-10", "5 to 8", "1, 5 and 20"; and the place of the unit.
fn counts(tokens: &[Token], at: usize) -> Option<(Vec<f64>, usize)> {
    let mut values = vec![tokens[at].plain()?];
    let mut i = at + 1;
    loop {
        let t = tokens.get(i)?;
        if unit(t).is_some() {
            return Some((values, i));
        }
        // "half an hour"; "10 trading days".
        if t.is(&["an", "a", "trading", "business", "calendar"])
            && tokens.get(i + 1).is_some_and(|t| unit(t).is_some())
        {
            return Some((values, i + 1));
        }
        let joins = t.mark().is_some_and(|c| matches!(c, ',' | '-' | '/'))
            || t.is(&["and", "to", "or", "through"]);
        if !joins {
            return None;
        }
        i += 1;
        if tokens.get(i).is_some_and(|t| t.is(&["and", "or"])) {
            i += 1;
        }
        let next = tokens.get(i)?.plain()?;
        // "strike 150, 3 months": a list of horizons grows, and does not begin with a label.
        let labelled = at
            .checked_sub(1)
            .and_then(|p| tokens.get(p))
            .is_some_and(|p| p.is(&["strike", "spot", "at", "struck"]));
        if labelled || values.last().is_some_and(|last| next <= *last) {
            return None;
        }
        values.push(next);
        i += 1;
    }
}

/// Days that a text names.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct DaysNamed {
    pub(super) start: Option<NaiveDate>,
    pub(super) end: Option<NaiveDate>,
    pub(super) as_of: Option<NaiveDate>,
    /// Tokens used.
    pub(super) used: Vec<(usize, usize)>,
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

fn month(t: &Token) -> Option<u32> {
    if !t.is_word() || t.lower.len() < 3 {
        return None;
    }
    let at = MONTHS.iter().position(|m| {
        *m == t.lower
            || (t.lower.len() <= 4
                && t.lower != "mar"
                && m.starts_with(&t.lower)
                && (t.lower.len() == 3 || t.lower == "sept"))
            || (t.lower == "mar" && *m == "march")
    })?;
    u32::try_from(at).ok().map(|m| m + 1)
}

fn year(t: &Token) -> Option<i32> {
    t.count()
        .filter(|y| (1900..=2100).contains(y) && t.end - t.start == 4)
        .and_then(|y| i32::try_from(y).ok())
}

fn last_of_month(y: i32, m: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(y, m, 1)?
        .checked_add_months(Months::new(1))?
        .pred_opt()
}

const UNTIL: &[&str] = &["to", "until", "till", "through"];

type Point = (NaiveDate, NaiveDate, usize);

/// Days from Monday.
fn weekday(t: &Token) -> Option<u64> {
    const NAMES: [&str; 7] = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    let at = NAMES.iter().position(|n| t.is(&[n]))?;
    u64::try_from(at).ok()
}

/// Spans with a name, in whole years: words, first and last year.
const PERIODS: &[(&[&str], i32, i32)] = &[
    (&["global", "financial", "crisis"], 2008, 2009),
    (&["great", "financial", "crisis"], 2008, 2009),
    (&["financial", "crisis"], 2008, 2009),
    (&["great", "recession"], 2008, 2009),
    (&["gfc"], 2008, 2009),
    (&["dot", "com", "bubble"], 2000, 2002),
    (&["dot", "com", "crash"], 2000, 2002),
    (&["dotcom", "bubble"], 2000, 2002),
    (&["dotcom", "crash"], 2000, 2002),
    (&["covid", "crash"], 2020, 2020),
    (&["covid"], 2020, 2020),
    (&["pandemic"], 2020, 2020),
    (&["eighties"], 1980, 1989),
    (&["nineties"], 1990, 1999),
];

/// "the financial crisis", "the crisis of 2008", "the 2008 crash", "the nineties", "the 90s".
fn period(tokens: &[Token], at: usize) -> Option<Point> {
    let years = |from: i32, to: i32, next: usize| {
        Some((
            NaiveDate::from_ymd_opt(from, 1, 1)?,
            NaiveDate::from_ymd_opt(to, 12, 31)?,
            next,
        ))
    };
    let crisis = |i: usize| {
        tokens
            .get(i)
            .is_some_and(|t| t.is(&["crisis", "crash", "bubble", "recession", "meltdown"]))
    };
    if let Some(y) = tokens.get(at).and_then(year)
        && (crisis(at + 1)
            || (tokens.get(at + 1).is_some_and(|t| t.is(&["financial"])) && crisis(at + 2)))
    {
        return years(y, y, at + 2 + usize::from(!crisis(at + 1)));
    }
    if crisis(at)
        && tokens.get(at + 1).is_some_and(|t| t.is(&["of", "in"]))
        && let Some(y) = tokens.get(at + 2).and_then(year)
    {
        return years(y, y, at + 3);
    }
    let (words, from, to) = PERIODS.iter().find(|(words, ..)| {
        words
            .iter()
            .enumerate()
            .all(|(k, w)| tokens.get(at + k).is_some_and(|t| t.is(&[w])))
    })?;
    let next = at + words.len();
    // "the financial crisis of 2008": the year says it.
    if tokens.get(next).is_some_and(|t| t.is(&["of", "in"]))
        && let Some(y) = tokens.get(next + 1).and_then(year)
    {
        return years(y, y, next + 2);
    }
    years(*from, *to, next)
}

/// A day, month, quarter or year at a place: its first and last day and the first token after it.
fn point(tokens: &[Token], at: usize, today: NaiveDate, bare_year: bool) -> Option<Point> {
    let t = tokens.get(at)?;
    let get = |i: usize| tokens.get(i);
    if let super::text::Piece::Day(day) = t.piece {
        return Some((day, day, at + 1));
    }
    let skip_comma = |i: usize| i + usize::from(get(i).is_some_and(|t| t.mark() == Some(',')));
    if t.is(&["the"]) {
        return point(tokens, at + 1, today, bare_year);
    }
    if let Some(found) = period(tokens, at) {
        return Some(found);
    }
    if t.is(&["end", "beginning", "start"]) && get(at + 1).is_some_and(|t| t.is(&["of"])) {
        let (from, to, next) = point(tokens, at + 2, today, true)?;
        let day = if t.is(&["end"]) { to } else { from };
        return Some((day, day, next));
    }
    if t.is(&["early", "late", "mid"]) {
        return point(tokens, at + 1, today, true);
    }
    if let Some(m) = month(t) {
        // "March 3, 2009", "March 2009".
        if let Some(y) = get(at + 1).and_then(year) {
            return Some((
                NaiveDate::from_ymd_opt(y, m, 1)?,
                last_of_month(y, m)?,
                at + 2,
            ));
        }
        if let Some(d) = get(at + 1).and_then(Token::count) {
            let i = skip_comma(at + 2);
            let y = get(i).and_then(year);
            let day = NaiveDate::from_ymd_opt(y.unwrap_or(today.year()), m, d)?;
            return Some((day, day, if y.is_some() { i + 1 } else { at + 2 }));
        }
        // "may" is a month only where a day or a span is spoken of.
        let month_of_may = at.checked_sub(1).and_then(get).is_some_and(|p| {
            p.is(&[
                "in", "since", "during", "until", "from", "till", "before", "after",
            ])
        });
        if bare_year && (!t.is(&["may"]) || month_of_may) {
            let y = today.year() - i32::from(m > today.month());
            return Some((
                NaiveDate::from_ymd_opt(y, m, 1)?,
                last_of_month(y, m)?,
                at + 1,
            ));
        }
        return None;
    }
    if let Some(d) = t.count()
        && let Some(m) =
            get(at + 1 + usize::from(get(at + 1).is_some_and(|t| t.is(&["of"])))).and_then(month)
    {
        let i = at + 2 + usize::from(get(at + 1).is_some_and(|t| t.is(&["of"])));
        let i = skip_comma(i);
        let y = get(i).and_then(year);
        let day = NaiveDate::from_ymd_opt(y.unwrap_or(today.year()), m, d)?;
        return Some((day, day, if y.is_some() { i + 1 } else { i }));
    }
    if let Some(q) = t
        .lower
        .strip_prefix('q')
        .and_then(|q| q.parse::<u32>().ok())
        && (1..=4).contains(&q)
        && let Some(y) = get(at + 1).and_then(year)
    {
        return Some((
            NaiveDate::from_ymd_opt(y, 3 * q - 2, 1)?,
            last_of_month(y, 3 * q)?,
            at + 2,
        ));
    }
    if let Some(y) = year(t).filter(|_| bare_year) {
        return Some((
            NaiveDate::from_ymd_opt(y, 1, 1)?,
            NaiveDate::from_ymd_opt(y, 12, 31)?,
            at + 1,
        ));
    }
    // "last March", "last May".
    if t.is(&["last", "this", "past"])
        && let Some(m) = get(at + 1).and_then(month)
        && get(at + 2).and_then(year).is_none()
        && get(at + 2).and_then(Token::count).is_none()
    {
        let y = today.year() - i32::from(m > today.month());
        return Some((
            NaiveDate::from_ymd_opt(y, m, 1)?,
            last_of_month(y, m)?,
            at + 2,
        ));
    }
    if t.is(&["now", "present"]) && at > 0 && get(at - 1).is_some_and(|p| p.is(UNTIL)) {
        return Some((today, today, at + 1));
    }
    // "since Monday", "last Friday": the last such day before today.
    let skip = usize::from(t.is(&["last"]));
    if let Some(day) = get(at + skip).and_then(weekday) {
        let back = (7 + u64::from(today.weekday().num_days_from_monday()) - day) % 7;
        let day = today.checked_sub_days(Days::new(if back == 0 { 7 } else { back }))?;
        return Some((day, day, at + skip + 1));
    }
    if t.is(&["today"]) {
        return Some((today, today, at + 1));
    }
    if t.is(&["yesterday"]) {
        let day = today.pred_opt()?;
        return Some((day, day, at + 1));
    }
    if t.is(&["ytd"]) {
        return Some((NaiveDate::from_ymd_opt(today.year(), 1, 1)?, today, at + 1));
    }
    if t.is(&["last", "this", "previous"]) {
        let back = i32::from(!t.is(&["this"]));
        let (from, to) = match get(at + 1).and_then(unit)? {
            Span::Week => {
                let monday = today
                    .checked_sub_days(Days::new(u64::from(today.weekday().num_days_from_monday())))?
                    .checked_sub_days(Days::new(if back == 1 { 7 } else { 0 }))?;
                (monday, monday.checked_add_days(Days::new(6))?)
            }
            Span::Month => {
                let first = NaiveDate::from_ymd_opt(today.year(), today.month(), 1)?
                    .checked_sub_months(Months::new(u32::try_from(back).ok()?))?;
                (first, last_of_month(first.year(), first.month())?)
            }
            Span::Year => {
                let y = today.year() - back;
                (
                    NaiveDate::from_ymd_opt(y, 1, 1)?,
                    NaiveDate::from_ymd_opt(y, 12, 31)?,
                )
            }
            _ => return None,
        };
        return Some((from, to, at + 2));
    }
    None
}

/// The days that the tokens name; `durations` are those of the same tokens.
pub(super) fn days(tokens: &[Token], durations: &[Duration], today: NaiveDate) -> DaysNamed {
    let mut named = DaysNamed::default();
    let mut at = 0;
    while at < tokens.len() {
        at = match span(tokens, at, today, &mut named) {
            Some(next) => {
                named.used.push((at, next));
                next
            }
            None => at + 1,
        };
    }
    for d in durations {
        let taken = named.used.iter().any(|(f, t)| d.from < *t && *f < d.to);
        if taken {
            continue;
        }
        match d.purpose {
            Use::Past if named.start.is_none() => named.start = d.before(today),
            Use::Ago if named.start.is_none() => {
                named.start = d.before(today);
                named.end = named.start;
            }
            _ => continue,
        }
        named.used.push((d.from, d.to));
    }
    named
}

/// Reads a span of days that begins at a place and gives the first token after it.
fn span(tokens: &[Token], at: usize, today: NaiveDate, named: &mut DaysNamed) -> Option<usize> {
    let t = &tokens[at];
    let is = |i: usize, words: &[&str]| tokens.get(i).is_some_and(|t| t.is(words));
    // "starting in 2010", "as of 30 June", "up to 2012".
    let after = |i: usize| i + usize::from(is(i, &["in", "from", "on", "at", "with", "to", "of"]));
    // "with 2015 as the start".
    if let Some(y) = year(t)
        && is(at + 1, &["as"])
        && (is(at + 2, &["start", "beginning"]) || is(at + 3, &["start", "beginning"]))
    {
        named.start = NaiveDate::from_ymd_opt(y, 1, 1);
        return Some(at + 3 + usize::from(!is(at + 2, &["start", "beginning"])));
    }
    if t.is(&["as"]) && is(at + 1, &["of", "at"]) {
        let (_, to, next) = point(tokens, at + 2, today, true)?;
        named.as_of = Some(to);
        return Some(next);
    }
    if t.is(&["between"]) {
        let (from, _, next) = point(tokens, at + 1, today, true)?;
        if !is(next, &["and"]) {
            return None;
        }
        let (_, to, next) = point(tokens, next + 1, today, true)?;
        (named.start, named.end) = (Some(from), Some(to));
        return Some(next);
    }
    if t.is(&["since", "from", "starting", "beginning", "started", "begun"]) {
        let (from, _, next) = point(tokens, after(at + 1), today, true)?;
        named.start = Some(from);
        let joins = is(next, &["to", "until", "till", "through", "and", "up"])
            || tokens.get(next).is_some_and(|t| t.mark() == Some('-'));
        if joins && let Some((_, to, end)) = point(tokens, after(next + 1), today, true) {
            // "from January to June 2015": the year of the second is that of the first.
            let bare = next == after(at + 1) + 1 && month(&tokens[next - 1]).is_some();
            if bare && tokens.get(end - 1).and_then(year).is_some() {
                let y = to.year() - i32::from(from.month() > to.month());
                named.start = NaiveDate::from_ymd_opt(y, from.month(), 1);
            }
            named.end = Some(to);
            return Some(end);
        }
        return Some(next);
    }
    if t.is(&["until", "till", "through", "to", "up", "ending"]) {
        let (_, to, next) = point(tokens, after(at + 1), today, true)?;
        named.end = Some(to);
        return Some(next);
    }
    if t.is(&["before"]) {
        let (from, _, next) = point(tokens, at + 1, today, true)?;
        named.end = from.pred_opt();
        return Some(next);
    }
    if t.is(&["after"]) {
        let (_, to, next) = point(tokens, at + 1, today, true)?;
        named.start = to.succ_opt();
        return Some(next);
    }
    // "the last year", "over the past year" go back from today: left to the durations.
    let trailing = (t.is(&["the"]) && is(at + 1, &["last", "previous"]))
        || (t.is(&["last", "previous"]) && at > 0 && is(at - 1, &["the"]));
    let led = t.is(&["in", "during", "on", "over", "for", "of"]);
    if led || !trailing {
        if led && is(at + 1, &["the"]) && is(at + 2, &["last", "previous"]) {
            return None;
        }
        // "2003 to 2009" needs no word before it.
        let bare = year(t).is_some()
            && (is(at + 1, &["to", "through", "until"])
                || tokens.get(at + 1).is_some_and(|t| t.mark() == Some('-')))
            && tokens
                .get(at + 2)
                .is_some_and(|t| year(t).is_some() || t.is(&["now", "today", "present"]));
        let (from, to, next) = point(tokens, if led { at + 1 } else { at }, today, led || bare)?;
        // "2005-2010", "Jan 2010 to March 2012".
        let years = is(next, &["and"])
            && tokens[next - 1].count().is_some()
            && tokens.get(next + 1).and_then(year).is_some();
        let joins = tokens.get(next).is_some_and(|t| t.mark() == Some('-'))
            || is(next, &["to", "through", "until"])
            || years;
        if joins && let Some((_, last, end)) = point(tokens, next + 1, today, true) {
            (named.start, named.end) = (Some(from), Some(last));
            return Some(end);
        }
        (named.start, named.end) = (Some(from), Some(to));
        return Some(next);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::text::tokens;
    use super::*;

    fn today() -> NaiveDate {
        NaiveDate::from_ymd_opt(2024, 6, 14).unwrap()
    }

    fn named(text: &str) -> (String, String) {
        let t = tokens(text);
        let d = days(&t, &durations(&t), today());
        let show = |d: Option<NaiveDate>| d.map_or(String::new(), |d| d.to_string());
        (show(d.start), show(d.end))
    }

    #[test]
    fn days_are_found() {
        for (text, start, end) in [
            ("since 2015", "2015-01-01", ""),
            ("from Jan 2010 to March 2012", "2010-01-01", "2012-03-31"),
            ("between 2005 and 2010", "2005-01-01", "2010-12-31"),
            ("2004-02-03", "2004-02-03", "2004-02-03"),
            ("on 3 March 2009", "2009-03-03", "2009-03-03"),
            ("on March 3rd, 2009", "2009-03-03", "2009-03-03"),
            ("in 2008", "2008-01-01", "2008-12-31"),
            ("until the end of 2011", "", "2011-12-31"),
            ("before 2012", "", "2011-12-31"),
            ("after 2012", "2013-01-01", ""),
            ("over the last 5 years", "2019-06-14", ""),
            ("over the past year", "2023-06-14", ""),
            ("last year", "2023-01-01", "2023-12-31"),
            ("last week", "2024-06-03", "2024-06-09"),
            ("this week", "2024-06-10", "2024-06-16"),
            ("yesterday", "2024-06-13", "2024-06-13"),
            ("Q1 2011", "2011-01-01", "2011-03-31"),
            ("three months ago", "2024-03-14", "2024-03-14"),
            ("2003 to 2009", "2003-01-01", "2009-12-31"),
            ("AAPL 2000-2010", "2000-01-01", "2010-12-31"),
            ("in 2008 and 2009", "2008-01-01", "2009-12-31"),
            ("over the last decade", "2014-06-14", ""),
            ("in February 2012", "2012-02-01", "2012-02-29"),
            ("over 5 days", "", ""),
            ("SMA 50 200", "", ""),
        ] {
            assert_eq!(named(text), (start.into(), end.into()), "{text}");
        }
    }

    #[test]
    fn durations_are_found() {
        for (text, bars, purpose) in [
            ("over next 7-10 days", vec![7, 10], Use::Plain),
            ("for 1, 5 and 20 days", vec![1, 5, 20], Use::Plain),
            ("two weeks", vec![10], Use::Plain),
            ("over a month", vec![21], Use::Plain),
            ("next quarter", vec![63], Use::Plain),
            ("tomorrow", vec![1], Use::Plain),
            ("the last 2 years", vec![504], Use::Past),
            ("200-day average", vec![200], Use::Lookback),
            ("every day", vec![1], Use::Every),
            ("8% a year", vec![252], Use::Rate),
            ("at 190, 3 months", vec![63], Use::Plain),
        ] {
            let t = tokens(text);
            let d = durations(&t);
            assert_eq!((d[0].bars(), d[0].purpose), (bars, purpose), "{text}");
        }
        let half = durations(&tokens("every half hour"));
        assert_eq!(half[0].minutes(), Some(30));
        assert_eq!(durations(&tokens("3 months"))[0].calendar_days(), Some(91));
    }
}
