//! Numbers and lists in sentences.

use std::fmt::Display;

/// A whole number with commas: 3,270.
pub(crate) fn count(n: impl TryInto<u64>) -> String {
    let digits = n.try_into().unwrap_or(u64::MAX).to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(c);
    }
    text
}

/// `n thing` or `n things`.
pub(crate) fn many(n: usize, thing: &str) -> String {
    format!("{} {thing}{}", count(n), if n == 1 { "" } else { "s" })
}

/// a, b and c.
pub(crate) fn list<S: Display>(items: &[S]) -> String {
    match items {
        [] => String::new(),
        [one] => one.to_string(),
        [head @ .., last] => {
            let head: Vec<String> = head.iter().map(ToString::to_string).collect();
            format!("{} and {last}", head.join(", "))
        }
    }
}

/// Four significant digits.
pub(crate) fn figure(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return x.to_string();
    }
    let magnitude = x.abs().log10().floor();
    if !(-5.0..9.0).contains(&magnitude) {
        return format!("{x:.3e}");
    }
    let decimals = (3.0 - magnitude).max(0.0) as usize;
    format!("{x:.decimals$}")
}

/// A share as a percentage with one decimal.
pub(crate) fn percent(x: f64) -> String {
    format!("{:.1} %", 100.0 * x)
}

/// A p-value as it is written in text.
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.001 {
        "p < 0.001".to_owned()
    } else {
        format!("p = {p:.3}")
    }
}

/// Seconds as a person says them.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        format!(
            "{:.0} min {:.0} s",
            (seconds / 60.0).floor(),
            seconds % 60.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        assert_eq!(count(7u32), "7");
        assert_eq!(count(3_270u32), "3,270");
        assert_eq!(count(1_234_567u64), "1,234,567");
        assert_eq!(many(1, "fold"), "1 fold");
        assert_eq!(many(1200, "row"), "1,200 rows");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(figure(0.020_712_3), "0.02071");
        assert_eq!(figure(-123.456), "-123.5");
        assert_eq!(figure(43_210.9), "43211");
        assert_eq!(figure(1.2e-9), "1.200e-9");
        assert_eq!(percent(-0.0321), "-3.2 %");
        assert_eq!(p_value(0.000_2), "p < 0.001");
        assert_eq!(p_value(0.0312), "p = 0.031");
        assert_eq!(duration(3.21), "3.2 s");
        assert_eq!(duration(125.0), "2 min 5 s");
    }
}
