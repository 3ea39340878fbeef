//! Numbers, times and sizes as people read them. Pure: the same text in the server and in the
//! browser, no locale, no clock.

#[cfg(feature = "ssr")]
use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use serde_json::Value;

/// What stands where a figure does not exist.
pub const NONE: &str = "–";

/// The minus sign that is as wide as a digit.
const MINUS: char = '\u{2212}';

/// A number with that many decimals, thousands separated, with a true minus sign.
#[must_use]
pub fn decimal(x: f64, decimals: usize) -> String {
    if !x.is_finite() {
        return NONE.to_owned();
    }
    let plain = format!("{:.*}", decimals, x.abs());
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain.as_str(), ""));
    let zero = plain.bytes().all(|b| b == b'0' || b == b'.');
    let mut out = String::with_capacity(plain.len() + 4);
    if x < 0.0 && !zero {
        out.push(MINUS);
    }
    group(whole, &mut out);
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

fn group(digits: &str, out: &mut String) {
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
}

/// A whole number with its thousands separated.
#[must_use]
pub fn count(n: u64) -> String {
    let mut out = String::new();
    group(&n.to_string(), &mut out);
    out
}

/// "1 row", "2 rows": a count with its noun.
#[must_use]
pub fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// Decimals that show four significant digits of a number of this size, at most eight.
#[must_use]
pub fn decimals_of(size: f64) -> usize {
    let size = size.abs();
    if !size.is_finite() || size == 0.0 {
        return 2;
    }
    let mut decimals = 0;
    let mut scaled = size;
    // Four significant digits: the first three digits before the point need no decimals.
    while scaled < 1000.0 && decimals < 8 {
        scaled *= 10.0;
        decimals += 1;
    }
    decimals
}

/// Decimals for a column, so that its smallest figure that is not almost nothing beside the
/// largest keeps four significant digits and all of them align.
#[must_use]
pub fn column_decimals(values: impl Iterator<Item = f64>) -> usize {
    let (mut largest, mut smallest) = (0.0_f64, f64::INFINITY);
    let sizes: Vec<f64> = values.filter(|x| x.is_finite()).map(f64::abs).collect();
    for &size in &sizes {
        largest = largest.max(size);
    }
    for &size in &sizes {
        if size > largest * 0.05 {
            smallest = smallest.min(size);
        }
    }
    if largest == 0.0 {
        return 2;
    }
    decimals_of(smallest)
}

/// A figure alone: four significant digits.
#[must_use]
pub fn figure(x: Option<f64>) -> String {
    x.map_or_else(|| NONE.to_owned(), |x| decimal(x, decimals_of(x)))
}

/// A figure in a column of that many decimals.
#[must_use]
pub fn cell(x: Option<f64>, decimals: usize) -> String {
    x.map_or_else(|| NONE.to_owned(), |x| decimal(x, decimals))
}

/// A share as percent: 0.523 is "52.3 %".
#[must_use]
pub fn percent(x: Option<f64>, decimals: usize) -> String {
    x.map_or_else(
        || NONE.to_owned(),
        |x| format!("{}\u{a0}%", decimal(x * 100.0, decimals)),
    )
}

/// A p-value: never "0", never more than three decimals.
#[must_use]
pub fn p_value(p: Option<f64>) -> String {
    match p {
        None => NONE.to_owned(),
        Some(p) if !p.is_finite() => NONE.to_owned(),
        Some(p) if p < 0.001 => "<0.001".to_owned(),
        Some(p) => format!("{p:.3}"),
    }
}

/// Time left, rounded as far as an estimate deserves.
#[must_use]
pub fn time_left(seconds: Option<f64>) -> String {
    match seconds {
        None => "time left not known yet".to_owned(),
        Some(s) if !s.is_finite() || s < 0.0 => "time left not known yet".to_owned(),
        Some(s) if s < 1.5 => "about 1 s left".to_owned(),
        Some(s) if s < 90.0 => format!("about {s:.0} s left"),
        Some(s) if s < 5400.0 => format!("about {:.0} min left", s / 60.0),
        Some(s) if s < 129_600.0 => format!("about {:.1} h left", s / 3600.0),
        Some(s) => format!("about {:.0} days left", s / 86_400.0),
    }
}

/// How long something took.
#[must_use]
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if !s.is_finite() || s < 0.0 => NONE.to_owned(),
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s if s < 90.0 => format!("{s:.1} s"),
        s if s < 5400.0 => format!(
            "{:.0} min {:02.0} s",
            (s / 60.0).floor(),
            (s % 60.0).floor()
        ),
        s if s < 129_600.0 => {
            format!(
                "{:.0} h {:02.0} min",
                (s / 3600.0).floor(),
                ((s % 3600.0) / 60.0).floor()
            )
        }
        s => format!("{:.0} days", s / 86_400.0),
    }
}

/// Milliseconds spent.
#[must_use]
pub fn milliseconds(ms: f64) -> String {
    match ms {
        ms if !ms.is_finite() || ms < 0.0 => NONE.to_owned(),
        ms if ms < 10.0 => format!("{ms:.2} ms"),
        ms if ms < 1000.0 => format!("{ms:.0} ms"),
        ms => duration(ms / 1000.0),
    }
}

#[cfg(feature = "ssr")]
/// A time to the second with its zone: "2025-01-31 17:05:09 UTC".
#[must_use]
pub fn time(at: &DateTime<Utc>) -> String {
    format!("{} {} UTC", day(at.date_naive()), clock(at))
}

#[cfg(feature = "ssr")]
/// The time of day without the date: "17:05:09".
#[must_use]
pub fn clock(at: &DateTime<Utc>) -> String {
    format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
}

#[cfg(feature = "ssr")]
/// A time for machines, for `<time datetime>`.
#[must_use]
pub fn machine_time(at: &DateTime<Utc>) -> String {
    format!("{}T{}Z", day(at.date_naive()), clock(at))
}

#[cfg(feature = "ssr")]
/// A day: "2025-01-31".
#[must_use]
pub fn day(date: NaiveDate) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
}

#[cfg(feature = "ssr")]
/// Days between two days in the unit that reads best: "13.2 years".
#[must_use]
pub fn span(first: NaiveDate, last: NaiveDate) -> String {
    let days = (last - first).num_days() + 1;
    if days < 60 {
        counted(days.unsigned_abs(), "day", "days")
    } else if days < 730 {
        format!("{:.1} months", days as f64 / 30.44)
    } else {
        format!("{:.1} years", days as f64 / 365.25)
    }
}

/// The head of a hash, enough to compare by eye.
#[must_use]
pub fn short_hash(hash: &str) -> String {
    if hash.len() > 14 && hash.is_ascii() {
        format!("{}…{}", &hash[..8], &hash[hash.len() - 4..])
    } else {
        hash.to_owned()
    }
}

/// The end of a trial's id, which is its random part: "…3fa9".
#[must_use]
pub fn short_id(id: &str) -> String {
    if id.len() > 12 && id.is_ascii() {
        format!("{}{}", &id[..2], &id[id.len() - 6..])
    } else {
        id.to_owned()
    }
}

/// A JSON value as a person would write it in a form; `null` is "none".
#[must_use]
pub fn json_text(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => number_text(n.as_f64(), &n.to_string()),
        other => other.to_string(),
    }
}

fn number_text(value: Option<f64>, written: &str) -> String {
    match value {
        // 1e-10 and 100000.0 read better than 0.0000000001 and 100000.0.
        Some(x) if x != 0.0 && (x.abs() < 1e-4 || x.abs() >= 1e7) => format!("{x:e}"),
        Some(x) if x.fract() == 0.0 => format!("{x:.0}"),
        _ => written.to_owned(),
    }
}

/// Parameters on one line: "alpha 1, max_iter 1000".
#[must_use]
pub fn params_line(params: &serde_json::Map<String, Value>) -> String {
    params
        .iter()
        .map(|(name, value)| format!("{name} {}", json_text(value)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Values that a search found on one line, with four digits that count: "fast 5, stop 0.1458".
#[must_use]
pub fn values_line(params: &serde_json::Map<String, Value>) -> String {
    let each = params.iter().map(|(name, value)| match value.as_f64() {
        Some(x) if !value.is_i64() && x.is_finite() => {
            let short: f64 = format!("{x:.3e}").parse().unwrap_or(x);
            format!("{name} {}", json_text(&serde_json::json!(short)))
        }
        _ => format!("{name} {}", json_text(value)),
    });
    each.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_group_and_carry_a_true_minus() {
        for (x, decimals, expected) in [
            (0.0, 2, "0.00"),
            (-0.001, 2, "0.00"),
            (-1.5, 1, "\u{2212}1.5"),
            (1234.5, 1, "1,234.5"),
            (1_234_567.0, 0, "1,234,567"),
            (999.0, 0, "999"),
            (f64::NAN, 2, NONE),
            (f64::INFINITY, 2, NONE),
        ] {
            assert_eq!(decimal(x, decimals), expected, "{x}");
        }
    }

    #[test]
    fn found_values_keep_four_digits() {
        let params =
            serde_json::json!({"fast": 12345, "stop": 0.145_839_29, "kind": "sma", "x": 2.0});
        let line = values_line(params.as_object().unwrap());
        for part in ["fast 12345", "stop 0.1458", "kind sma"] {
            assert!(line.contains(part), "{line}");
        }
    }

    #[test]
    fn figures_keep_four_significant_digits() {
        for (x, expected) in [
            (Some(0.012_345), "0.01235"),
            (Some(1.0), "1.000"),
            (Some(12.345_6), "12.35"),
            (Some(123.4), "123.4"),
            (Some(98_765.4), "98,765"),
            (Some(-0.5), "\u{2212}0.5000"),
            (None, NONE),
        ] {
            assert_eq!(figure(x), expected, "{x:?}");
        }
    }

    #[test]
    fn a_column_shares_its_decimals() {
        for (values, expected) in [
            (vec![0.0123, 0.0124], 5),
            (vec![1.5, 2.25], 3),
            (vec![150.0, 320.0], 1),
            (vec![0.5, 0.0001], 4),
            (vec![], 2),
            (vec![0.0], 2),
            (vec![25_000.0], 0),
        ] {
            assert_eq!(
                column_decimals(values.iter().copied()),
                expected,
                "{values:?}"
            );
        }
    }

    #[test]
    fn p_values_are_never_zero() {
        for (p, expected) in [
            (Some(0.0), "<0.001"),
            (Some(0.000_9), "<0.001"),
            (Some(0.001), "0.001"),
            (Some(0.049_6), "0.050"),
            (Some(1.0), "1.000"),
            (None, NONE),
            (Some(f64::NAN), NONE),
        ] {
            assert_eq!(p_value(p), expected, "{p:?}");
        }
    }

    #[test]
    fn time_left_is_rounded_as_an_estimate() {
        for (s, expected) in [
            (None, "time left not known yet"),
            (Some(-1.0), "time left not known yet"),
            (Some(0.2), "about 1 s left"),
            (Some(42.4), "about 42 s left"),
            (Some(150.0), "about 2 min left"),
            (Some(7200.0), "about 2.0 h left"),
            (Some(259_200.0), "about 3 days left"),
        ] {
            assert_eq!(time_left(s), expected, "{s:?}");
        }
    }

    #[test]
    fn durations_choose_their_unit() {
        for (s, expected) in [
            (0.25, "250 ms"),
            (12.34, "12.3 s"),
            (125.0, "2 min 05 s"),
            (7260.0, "2 h 01 min"),
            (200_000.0, "2 days"),
            (f64::NAN, NONE),
        ] {
            assert_eq!(duration(s), expected, "{s}");
        }
    }

    #[test]
    fn times_show_their_zone() {
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        // date -u -d @1700000000
        assert_eq!(time(&at), "2023-11-14 22:13:20 UTC");
        assert_eq!(machine_time(&at), "2023-11-14T22:13:20Z");
    }

    #[test]
    fn spans_choose_their_unit() {
        let d = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).unwrap();
        assert_eq!(span(d(2020, 1, 1), d(2020, 1, 1)), "1 day");
        assert_eq!(span(d(2020, 1, 1), d(2020, 1, 31)), "31 days");
        assert_eq!(span(d(2020, 1, 1), d(2020, 12, 31)), "12.0 months");
        assert_eq!(span(d(2000, 3, 1), d(2013, 3, 1)), "13.0 years");
    }

    #[test]
    fn hashes_and_ids_are_shortened_only_when_long() {
        assert_eq!(short_hash("abc"), "abc");
        assert_eq!(short_hash(&"0123456789abcdef".repeat(4)), "01234567…cdef");
        assert_eq!(
            short_id("t-018f4d3e-aaaa-7bbb-8ccc-0123456789ab"),
            "t-6789ab"
        );
    }

    #[test]
    fn json_values_read_as_in_a_form() {
        for (value, expected) in [
            (serde_json::json!(null), "none"),
            (serde_json::json!(1.0), "1"),
            (serde_json::json!(0.5), "0.5"),
            (serde_json::json!(1e-10), "1e-10"),
            (serde_json::json!("gini"), "gini"),
            (serde_json::json!(true), "true"),
            (serde_json::json!([1, 2]), "[1,2]"),
        ] {
            assert_eq!(json_text(&value), expected);
        }
    }
}
