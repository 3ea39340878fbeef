//! Trading days of the New York Stock Exchange, 1990 to 2030.
//!
//! By the exchange's rules: a holiday on a Sunday is kept on the Monday, one on a Saturday on the
//! Friday (except New Year's Day, which is then not kept), and the days on which the exchange
//! stayed closed for a mourning, an attack or a storm. Half days count as trading days.

use chrono::{Datelike, Days, NaiveDate, Weekday};

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
}
