//! Dates of rows: gaps in them, and those of the rows to come.

use mltrainer_catalogue_core::SeriesTable;
use serde_json::{Value, json};

/// A day counted from 1970-01-01 as `YYYY-MM-DD` (Hinnant, chrono-compatible low-level date algorithms, 2013).
pub(crate) fn text(day: f64) -> String {
    let (year, month, day) = civil(day.floor() as i64);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Year, month and day of the month of a day counted from 1970-01-01.
pub(crate) fn civil(day: i64) -> (i64, i64, i64) {
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// The day of a date, counted from 1970-01-01.
pub(crate) fn day(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    era * 146_097 + of_era - 719_468
}

/// A date `YYYY-MM-DD` as a day counted from 1970-01-01; none when it is not one.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let mut parts = text.trim().splitn(3, '-');
    let mut next = || parts.next()?.parse::<i64>().ok();
    let (y, m, d) = (next()?, next()?, next()?);
    let found = day(y, m, d);
    (civil(found) == (y, m, d)).then_some(found)
}

/// The middle distance of the rows in days; 1 where the days are not known.
pub(crate) fn spacing(days: &[f64]) -> f64 {
    let mut steps: Vec<f64> = days.windows(2).map(|w| w[1] - w[0]).collect();
    steps.sort_by(f64::total_cmp);
    steps.get(steps.len() / 2).copied().unwrap_or(1.0)
}

/// Where rows are missing: after each row that the next one follows later than usual, from, to and days.
/// Daily rows may leave out weekends and holidays, up to five days; others half a step.
pub(crate) fn gaps(data: &SeriesTable) -> Value {
    let Some(days) = data.days() else {
        return Value::Null;
    };
    let usual = spacing(days);
    let most = if (0.99..=1.01).contains(&usual) {
        5.0
    } else {
        1.5 * usual
    };
    days.windows(2)
        .filter(|w| w[1] - w[0] > most)
        .map(|w| json!({"after": text(w[0]), "before": text(w[1]), "days": w[1] - w[0]}))
        .collect()
}

/// The days of `horizon` rows to come: calendar months, quarters or years where the rows keep to them,
/// weekdays where daily rows hold no weekend, else the usual distance.
pub(crate) fn coming(days: &[f64], horizon: usize) -> Vec<f64> {
    let Some(last) = days.last().copied() else {
        return (0..horizon).map(|h| h as f64).collect();
    };
    let usual = spacing(days);
    let months = match usual {
        u if (27.9..=31.1).contains(&u) => 1,
        u if (89.0..=92.1).contains(&u) => 3,
        u if (364.9..=366.1).contains(&u) => 12,
        _ => 0,
    };
    if months > 0 {
        let (year, month, of_month) = civil(last.floor() as i64);
        let length = |y: i64, m: i64| {
            let (ny, nm) = if m == 12 { (y + 1, 1) } else { (y, m + 1) };
            day(ny, nm, 1) - day(y, m, 1)
        };
        // Ends of months stay ends of months.
        let at_end = of_month == length(year, month);
        return (1..=horizon as i64)
            .map(|h| {
                let all = year * 12 + month - 1 + h * months;
                let (y, m) = (all.div_euclid(12), all.rem_euclid(12) + 1);
                let long = length(y, m);
                let d = if at_end { long } else { of_month.min(long) };
                day(y, m, d) as f64
            })
            .collect();
    }
    let weekday = |d: f64| (d.floor() as i64 + 3).rem_euclid(7);
    let working = usual == 1.0 && days.iter().all(|d| weekday(*d) < 5);
    let mut next = last;
    (0..horizon)
        .map(|_| {
            next += usual;
            while working && weekday(next) > 4 {
                next += 1.0;
            }
            next
        })
        .collect()
}

/// Rows of a season: the given one, else what the distance of the rows suggests; none without dates or
/// where it suggests nothing.
pub(crate) fn period(given: Option<usize>, data: &SeriesTable) -> Option<usize> {
    if given.is_some() {
        return given;
    }
    let days = data.days()?;
    let weekday = |d: f64| (d.floor() as i64 + 3).rem_euclid(7);
    match spacing(days) {
        u if (27.9..=31.1).contains(&u) => Some(12),
        u if (89.0..=92.1).contains(&u) => Some(4),
        u if (6.9..=7.1).contains(&u) => Some(52),
        u if (0.99..=1.01).contains(&u) => {
            let working = days.iter().all(|d| weekday(*d) < 5);
            Some(if working { 5 } else { 7 })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_catalogue_core::Design;
    use ndarray::Array2;

    #[test]
    fn days_and_dates() {
        for (date, day) in [
            ("1970-01-01", 0),
            ("2000-02-29", 11_016),
            ("1969-12-31", -1),
            ("2024-12-31", 20_088),
        ] {
            assert_eq!(parse(date), Some(day));
            assert_eq!(text(day as f64), date);
        }
        assert_eq!(parse("2001-02-29"), None);
        assert_eq!(parse("tomorrow"), None);
    }

    #[test]
    fn rows_to_come() {
        let from =
            |all: &[&str]| -> Vec<f64> { all.iter().map(|d| parse(d).unwrap() as f64).collect() };
        let ends = from(&["2023-11-30", "2023-12-31", "2024-01-31"]);
        let next: Vec<String> = coming(&ends, 2).into_iter().map(text).collect();
        assert_eq!(next, ["2024-02-29", "2024-03-31"]);
        let quarters = from(&["2023-04-01", "2023-07-01", "2023-10-01"]);
        let next: Vec<String> = coming(&quarters, 2).into_iter().map(text).collect();
        assert_eq!(next, ["2024-01-01", "2024-04-01"]);
        // 2024-01-05 is a Friday.
        let working = from(&["2024-01-03", "2024-01-04", "2024-01-05"]);
        let next: Vec<String> = coming(&working, 2).into_iter().map(text).collect();
        assert_eq!(next, ["2024-01-08", "2024-01-09"]);
    }

    #[test]
    fn a_week_without_rows_is_told() {
        // The exchanges of New York were closed from 2001-09-11 to 2001-09-16.
        let days = [
            "2001-09-06",
            "2001-09-07",
            "2001-09-10",
            "2001-09-17",
            "2001-09-18",
            "2001-09-19",
        ];
        let days: Vec<f64> = days.iter().map(|d| parse(d).unwrap() as f64).collect();
        let design = Design::new(Array2::ones((6, 1)), vec!["y".into()]).unwrap();
        let table = SeriesTable::new(design, Some(days)).unwrap();
        let told = gaps(&table);
        assert_eq!(
            told,
            json!([{"after": "2001-09-10", "before": "2001-09-17", "days": 7.0}])
        );
    }
}
