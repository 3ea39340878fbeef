//! What a model may have seen, told apart from what it cannot have seen.
//!
//! A model that was trained on texts up to some day may know how a price went until then; a back
//! test that it steers over such days shows memory as well as foresight. The last day of a month is
//! taken where a vendor publishes a month, and nothing after the later of its dates (reliable
//! knowledge, training data) is called unseen.

use chrono::NaiveDate;
use mltrainer_types::llm::{CutoffSplit, DaySpan, KnowledgeCutoff};

/// The days of a span before (and on) the cut-off and after it; all of them unknown when it is. A
/// span that ends before it begins gives nothing.
#[must_use]
pub fn split(first: NaiveDate, last: NaiveDate, cutoff: &KnowledgeCutoff) -> CutoffSplit {
    let span =
        |first: NaiveDate, last: NaiveDate| (first <= last).then_some(DaySpan { first, last });
    match cutoff.last_day() {
        None => CutoffSplit {
            unknown: span(first, last),
            ..CutoffSplit::default()
        },
        Some(day) => CutoffSplit {
            before: span(first, last.min(day)),
            // On the last day of the calendar there is none after it.
            after: day.succ_opt().and_then(|next| span(first.max(next), last)),
            unknown: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn of(first: &str, last: &str, cutoff: Option<&str>) -> [Option<(String, String)>; 3] {
        let cutoff = match cutoff {
            None => KnowledgeCutoff::Unknown,
            Some(last_day) => KnowledgeCutoff::Known {
                last_day: day(last_day),
                source: "configured".to_owned(),
            },
        };
        let split = split(day(first), day(last), &cutoff);
        let text = |s: Option<DaySpan>| s.map(|s| (s.first.to_string(), s.last.to_string()));
        [text(split.before), text(split.after), text(split.unknown)]
    }

    fn span(first: &str, last: &str) -> Option<(String, String)> {
        Some((first.to_owned(), last.to_owned()))
    }

    #[test]
    fn days_are_told_apart() {
        let cut = Some("2025-02-28");
        assert_eq!(
            of("2024-01-01", "2026-01-01", cut),
            [
                span("2024-01-01", "2025-02-28"),
                span("2025-03-01", "2026-01-01"),
                None
            ]
        );
        assert_eq!(
            of("2024-01-01", "2025-02-28", cut),
            [span("2024-01-01", "2025-02-28"), None, None]
        );
        assert_eq!(
            of("2025-03-01", "2025-03-01", cut),
            [None, span("2025-03-01", "2025-03-01"), None]
        );
        assert_eq!(
            of("2025-02-28", "2025-03-01", cut),
            [
                span("2025-02-28", "2025-02-28"),
                span("2025-03-01", "2025-03-01"),
                None
            ]
        );
        assert_eq!(
            of("2024-01-01", "2026-01-01", None),
            [None, None, span("2024-01-01", "2026-01-01")]
        );
        assert_eq!(of("2026-01-01", "2024-01-01", cut), [None, None, None]);
        assert_eq!(of("2026-01-01", "2024-01-01", None), [None, None, None]);
    }

    #[test]
    fn the_end_of_the_calendar_is_no_panic() {
        let cutoff = KnowledgeCutoff::Known {
            last_day: NaiveDate::MAX,
            source: "configured".to_owned(),
        };
        let split = split(day("2024-01-01"), NaiveDate::MAX, &cutoff);
        assert_eq!(split.after, None);
    }
}
