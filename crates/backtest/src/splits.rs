//! Training and test windows in time, purged so that no training target reaches into a test window.

use mltrainer_types::trial::Validation;
use std::ops::Range;
use thiserror::Error;

/// Fewest days a model is asked to learn from.
pub const MIN_TRAIN_DAYS: usize = 20;
/// Fewest days of a test window.
pub const MIN_TEST_DAYS: usize = 5;

/// One fold: places of distinct days, ascending. Between the two lie the days that are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Days to learn from.
    pub train: Range<usize>,
    /// Days to forecast.
    pub test: Range<usize>,
}

/// Too few days.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{days} usable days are too few: {needed} are needed for {what} with {gap} days left out before each test window; use a longer span, fewer folds or a shorter horizon"
)]
pub struct SplitError {
    /// Days there are.
    pub days: usize,
    /// Days there should be.
    pub needed: usize,
    /// Days left out before each test window.
    pub gap: usize,
    /// The validation in words.
    pub what: String,
}

/// Days left out between training and test: the horizon or the embargo, whichever is longer. The
/// target of the last training day then ends before the first test day.
#[must_use]
pub fn gap(validation: &Validation, horizon: u32) -> usize {
    let (Validation::HoldOut { embargo, .. } | Validation::WalkForward { embargo, .. }) =
        validation;
    (*embargo).max(horizon) as usize
}

/// The folds over `days` distinct days, oldest first; test windows follow one another without a
/// hole up to the last day.
///
/// Walk-forward: all test windows are equally long, and the first training window is at least as
/// long as one of them. A rolling window is full from the first fold on.
///
/// # Errors
/// [`SplitError`] when a training window would have fewer than [`MIN_TRAIN_DAYS`] days, or a test
/// window fewer than [`MIN_TEST_DAYS`].
pub fn folds(days: usize, validation: &Validation, horizon: u32) -> Result<Vec<Fold>, SplitError> {
    let gap = gap(validation, horizon);
    let short = |needed: usize, what: String| SplitError {
        days,
        needed,
        gap,
        what,
    };
    match *validation {
        Validation::HoldOut { test_share, .. } => {
            let what = format!("a hold-out of {:.0} %", 100.0 * test_share);
            let test = (days as f64 * test_share).round() as usize;
            let train = (days - test.min(days)).saturating_sub(gap);
            if train < MIN_TRAIN_DAYS || test < MIN_TEST_DAYS {
                let for_train = (gap + MIN_TRAIN_DAYS) as f64 / (1.0 - test_share);
                let for_test = MIN_TEST_DAYS as f64 / test_share;
                return Err(short(for_train.max(for_test).ceil() as usize, what));
            }
            Ok(vec![Fold {
                train: 0..train,
                test: days - test..days,
            }])
        }
        Validation::WalkForward { folds, window, .. } => {
            let k = (folds as usize).max(1);
            let window = window.map(|w| (w as usize).max(MIN_TRAIN_DAYS));
            let first_train = window.unwrap_or(MIN_TRAIN_DAYS);
            let usable = days.saturating_sub(gap);
            let test = (usable / (k + 1)).min(usable.saturating_sub(first_train) / k);
            if test < MIN_TEST_DAYS {
                let kind = if window.is_some() {
                    "rolling"
                } else {
                    "expanding"
                };
                let needed = gap + (first_train + k * MIN_TEST_DAYS).max((k + 1) * MIN_TEST_DAYS);
                return Err(short(needed, format!("{k} {kind} folds")));
            }
            Ok((0..k)
                .map(|fold| {
                    let start = days - (k - fold) * test;
                    let end = start - gap;
                    Fold {
                        train: window.map_or(0, |w| end - w)..end,
                        test: start..start + test,
                    }
                })
                .collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn walk(folds: u32, embargo: u32, window: Option<u32>) -> Validation {
        Validation::WalkForward {
            folds,
            embargo,
            window,
        }
    }

    #[test]
    fn expanding_by_hand() {
        // 100 days, 3 folds, horizon 5: 95 usable, a quarter of them, 23, a test window; 100 - 3 x
        // 23 = 31 before the first test day, 5 of them left out.
        let f = folds(100, &walk(3, 0, None), 5).unwrap();
        let fold = |train, test| Fold { train, test };
        assert_eq!(f[0], fold(0..26, 31..54));
        assert_eq!(f[2], fold(0..72, 77..100));
    }

    #[test]
    fn rolling_by_hand() {
        // 100 days, 2 folds, window 40, embargo 10: 90 usable; a third is 30, but (90 - 40) / 2
        // leaves 25 a test window.
        let f = folds(100, &walk(2, 10, Some(40)), 1).unwrap();
        assert_eq!(
            f[0],
            Fold {
                train: 0..40,
                test: 50..75
            }
        );
        assert_eq!(
            f[1],
            Fold {
                train: 25..65,
                test: 75..100
            }
        );
    }

    #[test]
    fn hold_out_by_hand() {
        let v = Validation::HoldOut {
            test_share: 0.2,
            embargo: 0,
        };
        assert_eq!(
            folds(100, &v, 3).unwrap(),
            vec![Fold {
                train: 0..77,
                test: 80..100
            }]
        );
    }

    #[test]
    fn too_few_days_names_how_many_are_needed() {
        let e = folds(40, &walk(5, 0, None), 20).unwrap_err();
        assert_eq!(e.needed, 20 + 20 + 25);
        assert!(
            e.to_string()
                .starts_with("40 usable days are too few: 65 are needed")
        );
    }

    fn validation() -> impl Strategy<Value = Validation> {
        prop_oneof![
            (0.05f64..0.5, 0u32..30).prop_map(|(test_share, embargo)| Validation::HoldOut {
                test_share,
                embargo
            }),
            (1u32..12, 0u32..30, proptest::option::of(5u32..300))
                .prop_map(|(f, e, w)| walk(f, e, w)),
        ]
    }

    proptest! {
        /// The target of training day i spans the days i+1 to i+h: none may touch a test day, nor
        /// may fewer than `embargo` days lie between.
        #[test]
        fn no_training_target_touches_the_test(v in validation(), days in 0usize..900, h in 1u32..61) {
            if let Ok(folds) = folds(days, &v, h) {
                let mut next = folds[0].test.start;
                for fold in &folds {
                    prop_assert!(fold.train.end - 1 + (h as usize) < fold.test.start);
                    prop_assert!(fold.test.start - fold.train.end >= gap(&v, h));
                    prop_assert!(fold.train.len() >= MIN_TRAIN_DAYS && fold.test.len() >= MIN_TEST_DAYS);
                    prop_assert_eq!(fold.test.start, next);
                    next = fold.test.end;
                }
                prop_assert_eq!(next, days);
            }
        }

        /// The number in the error is the smallest that works.
        #[test]
        fn the_days_said_to_be_needed_are_enough(v in validation(), h in 1u32..61) {
            let mut days = 0;
            let needed = loop {
                match folds(days, &v, h) {
                    Ok(_) => break days,
                    Err(e) => { prop_assert!(e.needed > days); days = e.needed; }
                }
            };
            prop_assert!(folds(needed + 1, &v, h).is_ok());
            if let Validation::WalkForward { .. } = v {
                prop_assert!(folds(needed - 1, &v, h).is_err());
            }
        }
    }
}
