//! Two sources beside each other: where their closes of one symbol disagree.
//!
//! Closes are compared as they are, and so are daily changes. Where the changes disagree on fewer
//! days, the two sets are adjusted differently (splits, dividends) and the changes count: an
//! adjustment moves all closes before it, but the change of one day only. A wrong close is the other
//! way round: it is one close and two changes.

use crate::bars::Bars;
use chrono::NaiveDate;
use mltrainer_types::data::{DayOfTwo, SourceComparison};

/// A larger relative difference is a disagreement.
pub const TOLERANCE: f64 = 0.005;
/// So many days are listed; all are counted.
pub const LISTED: usize = 50;

/// Compares the closes of two sets on their common days, the largest differences first. Dates of
/// both must ascend.
#[must_use]
pub fn compare(a: &Bars, b: &Bars) -> SourceComparison {
    let mut both: Vec<(NaiveDate, f64, f64)> = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        match a.dates[i].cmp(&b.dates[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                both.push((a.dates[i], a.close[i], b.close[j]));
                (i, j) = (i + 1, j + 1);
            }
        }
    }
    let closes = |(date, a, b): &(NaiveDate, f64, f64)| DayOfTwo {
        date: *date,
        here: *a,
        there: *b,
        difference: a / b - 1.0,
    };
    let differ = |days: Vec<DayOfTwo>| -> Vec<DayOfTwo> {
        let mut days: Vec<DayOfTwo> = days
            .into_iter()
            .filter(|d| d.difference.abs() > TOLERANCE)
            .collect();
        days.sort_by(|x, y| y.difference.abs().total_cmp(&x.difference.abs()));
        days
    };
    let mut days = differ(both.iter().map(closes).collect());
    let mut compared = both.len();
    let changes = both.windows(2).map(|w| {
        let (here, there) = (w[1].1 / w[0].1 - 1.0, w[1].2 / w[0].2 - 1.0);
        DayOfTwo {
            date: w[1].0,
            here,
            there,
            difference: here - there,
        }
    });
    let changes = differ(changes.collect());
    let of_changes = changes.len() < days.len();
    if of_changes {
        days = changes;
        compared = both.len() - 1;
    }
    let differing = days.len();
    days.truncate(LISTED);
    SourceComparison {
        of_changes,
        tolerance: TOLERANCE,
        first: both.first().map(|d| d.0),
        last: both.last().map(|d| d.0),
        compared: compared as u64,
        differing: differing as u64,
        share: differing as f64 / compared.max(1) as f64,
        days,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundled;

    fn bars(closes: &[(u32, f64)]) -> Bars {
        let day = |d| NaiveDate::from_ymd_opt(2004, 3, d).unwrap();
        Bars {
            dates: closes.iter().map(|(d, _)| day(*d)).collect(),
            close: closes.iter().map(|(_, c)| *c).collect(),
            ..Bars::default()
        }
    }

    #[test]
    fn common_days_alone_count() {
        let a = bars(&[(1, 10.0), (2, 11.0), (3, 12.0), (4, 13.0)]);
        let b = bars(&[(2, 11.05), (3, 12.1), (4, 13.0), (5, 9.0)]);
        let c = compare(&a, &b);
        // 11/11.05 is 0.45 % off and within; 12/12.1 is 0.83 % off.
        assert_eq!((c.compared, c.differing, c.of_changes), (3, 1, false));
        assert_eq!(c.days[0].date.to_string(), "2004-03-03");
        assert!((c.days[0].difference + 0.00826446).abs() < 1e-8);
        assert!((c.share - 1.0 / 3.0).abs() < 1e-12);
        let none = compare(&a, &bars(&[]));
        assert_eq!((none.compared, none.first, none.share), (0, None, 0.0));
    }

    #[test]
    fn differently_adjusted_sets_are_compared_by_their_changes() {
        let a = bars(&[(1, 10.0), (2, 11.0), (3, 12.0), (4, 12.0), (5, 12.6)]);
        // A tenth of the level, and another change on the 4th.
        let b = bars(&[(1, 1.0), (2, 1.1), (3, 1.2), (4, 1.23), (5, 1.2915)]);
        let c = compare(&a, &b);
        assert_eq!((c.compared, c.differing, c.of_changes), (4, 1, true));
        assert!((c.days[0].difference + 0.025).abs() < 1e-12);
    }

    /// Apple's split-adjusted closes and skfolio's, adjusted for dividends too: Apple paid none from
    /// 1996 to August 2012, so that up to then only the level and rounding to 0.001 dollars differ.
    #[test]
    fn two_recorded_sources_agree_on_changes() {
        let (a, b) = (
            bundled::bars("AAPL").unwrap(),
            bundled::bars("AAPL_ADJ").unwrap(),
        );
        let c = compare(&a.content, &b.content);
        assert!(c.of_changes && c.compared == 3269, "{c:?}");
        assert!(c.share < 0.02, "{} of {}", c.differing, c.compared);
    }
}
