//! Trading days of the New York Stock Exchange, 1990 to 2030.
//!
//! By the exchange's rules: a holiday on a Sunday is kept on the Monday, one on a Saturday on the
//! Friday (except New Year's Day, which is then not kept), and the days on which the exchange
//! stayed closed for a mourning, an attack or a storm. Half days count as trading days.
//!
//! A session lasts from 9:30 to 16:00 on the clocks of New York, summer time included. It ends at
//! 13:00 (before 1993 at 14:00) on the day after Thanksgiving and on Christmas Eve, and at 13:00 on
//! the day before Independence Day, or until 2012 on the Friday after it. Days cut short by snow, a
//! computer fault or the trading halts of October 1997 are in a table; openings delayed by less
//! than a quarter of an hour (minutes of silence) are not.
//!
//! Source: the exchange's "Holidays and Trading Hours" and its list of special closings; compared
//! day by day with pandas_market_calendars 5.5.0 (10,322 sessions from 1990 to 2030).

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeZone as _, Utc, Weekday};
use chrono_tz::America::New_York;

/// First year that the calendar knows.
pub const FIRST_YEAR: i32 = 1990;
/// Last year that the calendar knows.
pub const LAST_YEAR: i32 = 2030;

/// Days closed outside the rules: (year, month, day, why).
const SPECIAL: [(i32, u32, u32, &str); 11] = [
    (1994, 4, 27, "mourning for President Nixon"),
    (2001, 9, 11, "attacks of 11 September"),
    (2001, 9, 12, "attacks of 11 September"),
    (2001, 9, 13, "attacks of 11 September"),
    (2001, 9, 14, "attacks of 11 September"),
    (2004, 6, 11, "mourning for President Reagan"),
    (2007, 1, 2, "mourning for President Ford"),
    (2012, 10, 29, "hurricane Sandy"),
    (2012, 10, 30, "hurricane Sandy"),
    (2018, 12, 5, "mourning for President George H. W. Bush"),
    (2025, 1, 9, "mourning for President Carter"),
];

/// Days of other hours than the rules give: (year, month, day, open, close, why), times as hour and
/// minute in New York.
const IRREGULAR: [(i32, u32, u32, (u32, u32), (u32, u32), &str); 7] = [
    (1994, 2, 11, (9, 30), (14, 30), "snow"),
    (1995, 12, 18, (10, 30), (16, 0), "computer fault"),
    (1996, 1, 8, (11, 0), (14, 0), "snow"),
    (1997, 10, 27, (9, 30), (15, 30), "trading halts"),
    (1997, 12, 26, (9, 30), (13, 0), "day after Christmas"),
    (2002, 9, 11, (12, 0), (16, 0), "remembrance of 11 September"),
    (2003, 12, 26, (9, 30), (13, 0), "day after Christmas"),
];

/// One trading day with its hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The day in New York.
    pub date: NaiveDate,
    /// When trading begins.
    pub open: DateTime<Utc>,
    /// When it ends.
    pub close: DateTime<Utc>,
    /// Why it is shorter than from 9:30 to 16:00; `None` for a full day.
    pub short: Option<&'static str>,
}

impl Session {
    /// How long it lasts, in minutes: 390 on a full day.
    #[must_use]
    pub fn minutes(&self) -> i64 {
        (self.close - self.open).num_minutes()
    }
}

/// The session of a day; `None` when the exchange is closed. Outside 1990 to 2030 every weekday has
/// a full one.
#[must_use]
pub fn session(date: NaiveDate) -> Option<Session> {
    if !is_trading_day(date) {
        return None;
    }
    let (open, close, short) = hours(date);
    let at = |(hour, minute): (u32, u32)| {
        let time = NaiveTime::from_hms_opt(hour, minute, 0)?;
        // Clocks change at two in the morning of a Sunday: these hours exist once.
        let local = New_York
            .from_local_datetime(&date.and_time(time))
            .single()?;
        Some(local.with_timezone(&Utc))
    };
    Some(Session {
        date,
        open: at(open)?,
        close: at(close)?,
        short,
    })
}

/// The sessions from `first` to `last`, both inclusive, ascending.
#[must_use]
pub fn sessions(first: NaiveDate, last: NaiveDate) -> Vec<Session> {
    first
        .iter_days()
        .take_while(|d| *d <= last)
        .filter_map(session)
        .collect()
}

/// Opening and closing of a trading day as hour and minute in New York, and why it is short.
fn hours(date: NaiveDate) -> ((u32, u32), (u32, u32), Option<&'static str>) {
    const OPEN: (u32, u32) = (9, 30);
    const CLOSE: (u32, u32) = (16, 0);
    let (year, month, day, weekday) = (date.year(), date.month(), date.day(), date.weekday());
    if let Some((_, _, _, open, close, why)) = IRREGULAR
        .iter()
        .find(|(y, m, d, ..)| (year, month, day) == (*y, *m, *d))
    {
        return (*open, *close, Some(why));
    }
    let early = if year < 1993 { (14, 0) } else { (13, 0) };
    let short = match (month, day) {
        _ if !covers(date) => None,
        (11, _) if year >= 1992 && weekday == Weekday::Fri && (23..=29).contains(&day) => {
            Some("day after Thanksgiving")
        }
        (12, 24) => Some("Christmas Eve"),
        (7, 3) if year >= 1995 && weekday != Weekday::Fri => {
            (weekday != Weekday::Wed || year >= 2013).then_some("day before Independence Day")
        }
        (7, 5) if (1995..=2012).contains(&year) && weekday == Weekday::Fri => {
            Some("day after Independence Day")
        }
        _ => None,
    };
    (OPEN, if short.is_some() { early } else { CLOSE }, short)
}

/// Whether the calendar knows the year of this day.
#[must_use]
pub fn covers(date: NaiveDate) -> bool {
    (FIRST_YEAR..=LAST_YEAR).contains(&date.year())
}

/// Whether the exchange was or will be open on this day; outside 1990 to 2030 every weekday counts
/// as open (ask [`covers`] first where that matters).
#[must_use]
pub fn is_trading_day(date: NaiveDate) -> bool {
    closed_because(date).is_none()
}

/// Whether the exchange had announced to be open on this day: unlike [`is_trading_day`] also true on
/// days on which it stayed closed unforeseen, so that nothing is known before it happened.
#[must_use]
pub fn is_scheduled(date: NaiveDate) -> bool {
    !is_weekend(date) && (!covers(date) || holiday(date).is_none())
}

/// Why the exchange is closed on this day; `None` when it is open.
#[must_use]
pub fn closed_because(date: NaiveDate) -> Option<&'static str> {
    if is_weekend(date) {
        return Some("weekend");
    }
    if !covers(date) {
        return None;
    }
    holiday(date).or_else(|| {
        SPECIAL
            .iter()
            .find(|(y, m, d, _)| (date.year(), date.month(), date.day()) == (*y, *m, *d))
            .map(|(_, _, _, why)| *why)
    })
}

/// Whether the day is a Saturday or a Sunday.
#[must_use]
pub fn is_weekend(date: NaiveDate) -> bool {
    matches!(date.weekday(), Weekday::Sat | Weekday::Sun)
}

/// The trading days from `first` to `last`, both inclusive, ascending.
#[must_use]
pub fn trading_days(first: NaiveDate, last: NaiveDate) -> Vec<NaiveDate> {
    first
        .iter_days()
        .take_while(|d| *d <= last)
        .filter(|d| is_trading_day(*d))
        .collect()
}

/// The regular holiday kept on this weekday, if there is one.
fn holiday(date: NaiveDate) -> Option<&'static str> {
    let (year, month, day, weekday) = (date.year(), date.month(), date.day(), date.weekday());
    // A fixed date, moved from Saturday to Friday and from Sunday to Monday.
    let kept = |on: u32| match weekday {
        Weekday::Mon => day == on || day == on + 1,
        Weekday::Fri => day == on || day + 1 == on,
        _ => day == on,
    };
    let nth = |which: Weekday, n: u32| weekday == which && (day - 1) / 7 + 1 == n;
    match month {
        // On a Saturday it is not kept: the Friday belongs to the old year.
        1 if day == 1 || (day == 2 && weekday == Weekday::Mon) => Some("New Year's Day"),
        1 if year >= 1998 && nth(Weekday::Mon, 3) => Some("Martin Luther King Day"),
        2 if nth(Weekday::Mon, 3) => Some("Washington's Birthday"),
        5 if weekday == Weekday::Mon && day + 7 > 31 => Some("Memorial Day"),
        6 if year >= 2022 && kept(19) => Some("Juneteenth"),
        7 if kept(4) => Some("Independence Day"),
        9 if nth(Weekday::Mon, 1) => Some("Labor Day"),
        11 if nth(Weekday::Thu, 4) => Some("Thanksgiving"),
        12 if kept(25) => Some("Christmas"),
        3 | 4 if weekday == Weekday::Fri && date + Days::new(2) == easter(year)? => {
            Some("Good Friday")
        }
        _ => None,
    }
}

/// Easter Sunday of a year after 1582 (Meeus, Jones and Butcher's rule).
fn easter(year: i32) -> Option<NaiveDate> {
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    NaiveDate::from_ymd_opt(
        year,
        u32::try_from(n / 31).ok()?,
        u32::try_from(n % 31 + 1).ok()?,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(y: i32, m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(y, m, d).unwrap()
    }

    /// The closings the exchange published for 2021 to 2023 and 2025 (weekdays only).
    #[test]
    fn published_holidays() {
        let published = [
            (
                2021,
                vec![
                    (1, 1),
                    (1, 18),
                    (2, 15),
                    (4, 2),
                    (5, 31),
                    (7, 5),
                    (9, 6),
                    (11, 25),
                    (12, 24),
                ],
            ),
            // New Year's Day 2022 was a Saturday: not kept.
            (
                2022,
                vec![
                    (1, 17),
                    (2, 21),
                    (4, 15),
                    (5, 30),
                    (6, 20),
                    (7, 4),
                    (9, 5),
                    (11, 24),
                    (12, 26),
                ],
            ),
            (
                2023,
                vec![
                    (1, 2),
                    (1, 16),
                    (2, 20),
                    (4, 7),
                    (5, 29),
                    (6, 19),
                    (7, 4),
                    (9, 4),
                    (11, 23),
                    (12, 25),
                ],
            ),
            (
                2025,
                vec![
                    (1, 1),
                    (1, 9),
                    (1, 20),
                    (2, 17),
                    (4, 18),
                    (5, 26),
                    (6, 19),
                    (7, 4),
                    (9, 1),
                    (11, 27),
                    (12, 25),
                ],
            ),
        ];
        for (year, closed) in published {
            let found: Vec<(u32, u32)> = day(year, 1, 1)
                .iter_days()
                .take_while(|d| d.year() == year)
                .filter(|d| !is_weekend(*d) && !is_trading_day(*d))
                .map(|d| (d.month(), d.day()))
                .collect();
            assert_eq!(found, closed, "{year}");
        }
    }

    #[test]
    fn easter_sundays_of_the_almanac() {
        for (y, m, d) in [
            (1990, 4, 15),
            (2000, 4, 23),
            (2008, 3, 23),
            (2011, 4, 24),
            (2024, 3, 31),
            (2030, 4, 21),
        ] {
            assert_eq!(easter(y), Some(day(y, m, d)));
        }
    }

    #[test]
    fn closings_outside_the_rules_and_rules_that_began_later() {
        assert_eq!(
            closed_because(day(2001, 9, 11)),
            Some("attacks of 11 September")
        );
        assert!(is_trading_day(day(2001, 9, 17)));
        assert!(is_scheduled(day(2001, 9, 11)) && !is_scheduled(day(2001, 9, 3)));
        assert_eq!(closed_because(day(2012, 10, 30)), Some("hurricane Sandy"));
        assert_eq!(
            closed_because(day(1994, 4, 27)),
            Some("mourning for President Nixon")
        );
        // Third Monday of January 1997 and 1998; 18 June 2021 and 20 June 2022.
        assert!(is_trading_day(day(1997, 1, 20)));
        assert!(!is_trading_day(day(1998, 1, 19)));
        assert!(is_trading_day(day(2021, 6, 18)));
        assert!(!is_trading_day(day(2022, 6, 20)));
        // Outside the span the calendar knows weekends only.
        assert!(is_trading_day(day(1989, 12, 25)) && !covers(day(1989, 12, 25)));
        assert_eq!(closed_because(day(1989, 12, 23)), Some("weekend"));
    }

    /// Trading days a year as the exchange counts them.
    #[test]
    fn days_in_a_year() {
        for (year, days) in [
            (1990, 253),
            (1996, 254),
            (2001, 248),
            (2012, 250),
            (2018, 251),
            (2020, 253),
            (2024, 252),
        ] {
            assert_eq!(
                trading_days(day(year, 1, 1), day(year, 12, 31)).len(),
                days,
                "{year}"
            );
        }
    }

    /// Every session from 1990 to 2030 in pandas_market_calendars 5.5.0 (calendar NYSE): how many
    /// there are, and which end early. Its openings delayed by one to three minutes and the stop at
    /// 15:56 on 2005-06-01 are below the quarter of an hour that counts here.
    #[test]
    fn sessions_of_the_reference() {
        let all = sessions(day(1990, 1, 1), day(2030, 12, 31));
        assert_eq!(all.len(), 10_322);
        let local = |t: DateTime<Utc>| t.with_timezone(&New_York).format("%H:%M").to_string();
        let ending = |close: &str| -> Vec<String> {
            all.iter()
                .filter(|s| local(s.close) == close && local(s.open) == "09:30")
                .map(|s| s.date.format("%y%m%d").to_string())
                .collect()
        };
        assert_eq!(ending("14:00"), ["901224", "911224", "921127", "921224"]);
        let at_one = "931126 941125 950703 951124 960705 961129 961224 970703 971128 971224 971226 \
                      981127 981224 991126 000703 001124 010703 011123 011224 020705 021129 021224 \
                      030703 031128 031224 031226 041126 051125 060703 061124 070703 071123 071224 \
                      080703 081128 081224 091127 091224 101126 111125 120703 121123 121224 130703 \
                      131129 131224 140703 141128 141224 151127 151224 161125 170703 171124 180703 \
                      181123 181224 190703 191129 191224 201127 201224 211126 221125 230703 231124 \
                      240703 241129 241224 250703 251128 251224 261127 261224 271126 280703 281124 \
                      290703 291123 291224 300703 301129 301224";
        assert_eq!(ending("13:00").join(" "), at_one);
        let others: Vec<(String, String, String)> = all
            .iter()
            .filter(|s| local(s.open) != "09:30" || ["14:30", "15:30"].contains(&&*local(s.close)))
            .map(|s| (s.date.to_string(), local(s.open), local(s.close)))
            .collect();
        let expected = [
            ("1994-02-11", "09:30", "14:30"),
            ("1995-12-18", "10:30", "16:00"),
            ("1996-01-08", "11:00", "14:00"),
            ("1997-10-27", "09:30", "15:30"),
            ("2002-09-11", "12:00", "16:00"),
        ];
        let expected = expected.map(|(d, o, c)| (d.to_owned(), o.to_owned(), c.to_owned()));
        assert_eq!(others, expected);
        assert!(
            all.iter()
                .all(|s| s.short.is_some() == (s.minutes() != 390))
        );
    }

    /// Clocks in New York: five hours behind UTC in winter, four in summer. Summer began on the
    /// first Sunday of April until 2006 and begins on the second of March since 2007.
    #[test]
    fn hours_follow_the_clocks_of_new_york() {
        let utc = |y, m, d| {
            session(day(y, m, d))
                .unwrap()
                .open
                .format("%H:%M")
                .to_string()
        };
        assert_eq!(utc(2004, 1, 2), "14:30");
        assert_eq!(utc(2006, 3, 13), "14:30");
        assert_eq!(utc(2006, 4, 3), "13:30");
        assert_eq!(utc(2007, 3, 9), "14:30");
        assert_eq!(utc(2007, 3, 12), "13:30");
        assert_eq!(utc(2007, 11, 2), "13:30");
        assert_eq!(utc(2007, 11, 5), "14:30");
        assert_eq!(session(day(2024, 7, 3)).unwrap().minutes(), 210);
        assert_eq!(session(day(2024, 7, 4)), None);
        assert_eq!(session(day(1989, 12, 22)).unwrap().minutes(), 390);
    }
}
