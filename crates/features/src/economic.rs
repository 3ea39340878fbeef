//! Economic: what the options market expects (VIX), joined as of the close of the bar. A value takes
//! part from the day on which it was known, until it is more than [`MAX_AGE_DAYS`] days old.

use crate::Feature;
use crate::ops::{c, lag, ln};
use chrono::NaiveDate;
use mltrainer_data::series::Series;
use polars::prelude::Expr;

/// The series these features need.
pub const VIX: &str = "VIXCLS";

/// Calendar days after which a value is too old to be called known: a long weekend and more, but
/// not a series that has ended.
const MAX_AGE_DAYS: i64 = 7;

const fn feature(
    id: &'static str,
    formula: &'static str,
    parameters: &'static [(&'static str, usize)],
    warm_up: usize,
    expr: fn(&[usize]) -> Expr,
) -> Feature {
    Feature {
        id,
        group: "economic",
        formula,
        parameters,
        warm_up,
        needs: &["vix"],
        source: "Whaley, Journal of Derivatives 1 (1993) 71-84; FRED series VIXCLS",
        expr,
    }
}

pub(crate) const FEATURES: &[Feature] = &[
    feature("vix_log", "ln(VIX / 100) as known at bar t", &[], 0, |_| {
        ln(c("vix") / polars::prelude::lit(100.0))
    }),
    feature(
        "vix_change_1",
        "ln(VIX / VIX as known one bar before)",
        &[("n", 1)],
        1,
        change,
    ),
    feature(
        "vix_change_5",
        "ln(VIX / VIX as known five bars before)",
        &[("n", 5)],
        5,
        change,
    ),
];

fn change(p: &[usize]) -> Expr {
    ln(c("vix") / lag(c("vix"), p[0]))
}

/// For each day the newest value known by then, NaN where there is none that is fresh enough.
pub(crate) fn as_of(days: &[NaiveDate], series: &Series) -> Vec<f64> {
    days.iter()
        .zip(series.as_of(days))
        .map(|(day, known)| match known {
            Some((date, value)) if (*day - date).num_days() <= MAX_AGE_DAYS => value,
            _ => f64::NAN,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_of_takes_what_was_known_and_nothing_stale() {
        let day = |d| NaiveDate::from_ymd_opt(2008, 10, d).unwrap();
        let series = Series {
            id: VIX.into(),
            dates: vec![day(1), day(2), day(3)],
            known_at: vec![day(2), day(3), day(6)],
            values: vec![40.0, 45.0, 46.0],
        };
        let days = [day(1), day(2), day(3), day(4), day(6), day(10), day(11)];
        let found = as_of(&days, &series);
        assert!(found[0].is_nan() && found[6].is_nan());
        assert_eq!(found[1..6], [40.0, 45.0, 45.0, 46.0, 46.0]);
    }
}
