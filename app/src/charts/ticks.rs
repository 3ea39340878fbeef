//! Places and labels of ticks.

use chrono::{Datelike, Months, NaiveDate};

/// Round numbers between two values, about as many as asked for, with the decimals they need.
pub(super) fn values(low: f64, high: f64, about: usize) -> Vec<(f64, String)> {
    let span = high - low;
    if !span.is_finite() || span <= 0.0 {
        return Vec::new();
    }
    let raw = span / about.max(1) as f64;
    let magnitude = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|m| m * magnitude)
        .find(|s| *s >= raw * 0.999)
        .unwrap_or(10.0 * magnitude);
    let mut decimals = 0;
    while decimals < 8 && ((step * 10f64.powi(decimals)).fract() - 0.5).abs() < 0.499_999 {
        decimals += 1;
    }
    // At most a few dozen ticks: the count is small and not negative.
    let first = (low / step).ceil();
    let n = ((high / step).floor() - first).max(-1.0) as i32 + 1;
    (0..n)
        .map(|i| (first + f64::from(i)) * step)
        .map(|v| (v, label(v, usize::try_from(decimals).unwrap_or(0))))
        .collect()
}

/// Round numbers on a scale of logarithms: 1, 2 and 5 times powers of ten, 1 and 3 times them or the powers alone
/// where that is too many; the round numbers of an even scale where the values lie closer together than that.
pub(super) fn factors(low: f64, high: f64, about: usize) -> Vec<(f64, String)> {
    if !(low > 0.0 && high.is_finite() && high > low) {
        return Vec::new();
    }
    let (from, to) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    for steps in [&[1.0, 2.0, 5.0][..], &[1.0, 3.0][..], &[1.0][..]] {
        let inside: Vec<(f64, String)> = (from..=to)
            .flat_map(|p| steps.iter().map(move |s| (s * 10f64.powi(p), p)))
            .filter(|(v, _)| (low..=high).contains(v))
            .map(|(v, p)| (v, label(v, usize::try_from(-p).unwrap_or(0))))
            .collect();
        if inside.len() < 2 {
            break;
        }
        if inside.len() <= about + 2 {
            return inside;
        }
    }
    values(low, high, about)
}

fn label(v: f64, decimals: usize) -> String {
    match v.abs() {
        a if a >= 1e9 => format!("{}B", crate::format::decimal(v / 1e9, 1)),
        a if a >= 1e6 => {
            let m = v / 1e6;
            format!(
                "{}M",
                crate::format::decimal(m, usize::from(m.fract().abs() > 0.01))
            )
        }
        _ => crate::format::decimal(v, decimals),
    }
}

/// Days at which the axis has a tick, with its label: years, months or days, at most `most`.
pub(super) fn dates(first: NaiveDate, last: NaiveDate, most: usize) -> Vec<(NaiveDate, String)> {
    let days = (last - first).num_days().max(1);
    for months in [1, 3, 6, 12, 24, 60, 120, 240] {
        if days as f64 / (f64::from(months) * 30.44) <= most as f64 && days > 75 {
            return by_months(first, last, months);
        }
    }
    let step = [1, 2, 7, 14, 28]
        .into_iter()
        .find(|s| days / s <= most as i64)
        .unwrap_or(28);
    let mut out = Vec::new();
    let mut day = first;
    while day <= last {
        out.push((day, day.format("%-d %b").to_string()));
        match day.checked_add_signed(chrono::Duration::days(step)) {
            Some(next) => day = next,
            None => break,
        }
    }
    out
}

fn by_months(first: NaiveDate, last: NaiveDate, months: u32) -> Vec<(NaiveDate, String)> {
    let years = months / 12;
    let start = if years > 0 {
        let step = i32::try_from(years).unwrap_or(1);
        NaiveDate::from_ymd_opt(first.year().div_euclid(step) * step, 1, 1)
    } else {
        NaiveDate::from_ymd_opt(first.year(), first.month0() / months * months + 1, 1)
    };
    let mut out = Vec::new();
    let mut day = start;
    while let Some(d) = day.filter(|d| *d <= last) {
        if d >= first {
            let text = if years > 0 || (months >= 6 && d.month() == 1) {
                d.format("%Y").to_string()
            } else if d.month() == 1 {
                d.format("%b %Y").to_string()
            } else {
                d.format("%b").to_string()
            };
            out.push((d, text));
        }
        day = d.checked_add_months(Months::new(months));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64) -> String {
        values(low, high, 5)
            .into_iter()
            .map(|(_, l)| l)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn values_are_round() {
        for (low, high, expected) in [
            (0.0, 10.0, "0 2 4 6 8 10"),
            (97.0, 203.0, "100 125 150 175 200"),
            (-0.021, 0.034, "\u{2212}0.02 0.00 0.02"),
            (0.0, 4.4e7, "0 10M 20M 30M 40M"),
            (1.0, 1.0, ""),
            (f64::NAN, 1.0, ""),
        ] {
            assert_eq!(labels(low, high), expected, "{low} {high}");
        }
    }

    #[test]
    fn factors_are_round() {
        for (low, high, expected) in [
            (9_000.0, 110_000.0, "10,000 20,000 50,000 100,000"),
            (0.04, 3.0, "0.05 0.1 0.2 0.5 1 2"),
            (0.9, 2.0e6, "1 10 100 1,000 10,000 100,000 1M"),
            (
                900.0,
                450_000.0,
                "1,000 3,000 10,000 30,000 100,000 300,000",
            ),
            (11_000.0, 19_000.0, "12,000 14,000 16,000 18,000"),
            (0.0, 10.0, ""),
        ] {
            let found = factors(low, high, 5);
            let text: Vec<String> = found.into_iter().map(|(_, l)| l).collect();
            assert_eq!(text.join(" "), expected, "{low} {high}");
        }
    }

    #[test]
    fn dates_choose_their_step() {
        let d = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).unwrap();
        let text = |a, b| {
            dates(a, b, 6)
                .into_iter()
                .map(|(_, l)| l)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(text(d(2000, 3, 1), d(2013, 3, 1)), "2005 2010");
        assert_eq!(text(d(2008, 1, 15), d(2012, 6, 1)), "2009 2010 2011 2012");
        assert_eq!(text(d(2012, 1, 1), d(2012, 12, 31)), "Jan 2012 Apr Jul Oct");
        assert_eq!(
            text(d(2012, 1, 1), d(2012, 1, 8)),
            "1 Jan 3 Jan 5 Jan 7 Jan"
        );
    }
}
