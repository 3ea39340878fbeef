//! Combinatorial purged cross-validation.
//!
//! What: All choices of k of N groups of days as test set, training on the others without the days
//! whose target reaches into a test group or that follow one too closely; and the paths that the
//! tested groups make up.
//! Formula: C(N, k) splits; k/N · C(N, k) paths. A day i learns from (i, i + horizon]; it is left out
//! of training when that span or i itself touches a test group, or when it lies within `embargo` days
//! after one.
//! Data: Days in order of time.
//! Cost: O(C(N, k) · N).
//! Fails when: Groups are shorter than horizon and embargo: little is left to learn from.
//! Source: M. López de Prado, Advances in Financial Machine Learning (2018), chapters 7 and 12.
//! Not claimed: That the paths are independent: they share their training days.

use std::ops::Range;

/// One split: places of days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CombinatorialFold {
    /// Days to learn from, in ascending ranges.
    pub train: Vec<Range<usize>>,
    /// Which groups are tested, ascending.
    pub groups: Vec<usize>,
    /// Days of each of these groups.
    pub test: Vec<Range<usize>>,
}

/// A piece of a path: group `group` as forecast in split `split`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathPiece {
    /// Place of the split.
    pub split: usize,
    /// The group.
    pub group: usize,
}

/// Most splits.
pub(super) const MAX_SPLITS: usize = 10_000;

/// All splits of `days` days into `groups` groups of which `tested` are tested, in lexical order.
/// `None` unless 1 <= `tested` < `groups` <= `days` and there are at most [`MAX_SPLITS`].
#[must_use]
pub fn combinatorial(
    days: usize,
    groups: usize,
    tested: usize,
    horizon: usize,
    embargo: usize,
) -> Option<Vec<CombinatorialFold>> {
    if tested == 0 || tested >= groups || groups > days {
        return None;
    }
    let mut count = 1usize;
    for i in 0..tested.min(groups - tested) {
        count = count.checked_mul(groups - i)? / (i + 1);
        if count > MAX_SPLITS {
            return None;
        }
    }
    // The first groups are a day longer when days do not divide.
    let bound = |g: usize| g * (days / groups) + g.min(days % groups);
    let mut all = Vec::with_capacity(count);
    let mut chosen: Vec<usize> = (0..tested).collect();
    loop {
        let test: Vec<Range<usize>> = chosen.iter().map(|g| bound(*g)..bound(g + 1)).collect();
        let mut train = Vec::new();
        let mut from = 0;
        for t in &test {
            push(&mut train, from..t.start.saturating_sub(horizon));
            from = from.max(t.end + embargo);
        }
        push(&mut train, from..days);
        all.push(CombinatorialFold {
            train,
            groups: chosen.clone(),
            test,
        });
        // The next choice in lexical order.
        let Some(place) = (0..tested).rev().find(|i| chosen[*i] < groups - tested + i) else {
            return Some(all);
        };
        chosen[place] += 1;
        for i in place + 1..tested {
            chosen[i] = chosen[i - 1] + 1;
        }
    }
}

fn push(train: &mut Vec<Range<usize>>, part: Range<usize>) {
    if part.start < part.end {
        train.push(part);
    }
}

/// The paths: each covers every group once, and every tested group of every split stands in one path.
#[must_use]
pub fn paths(splits: &[CombinatorialFold], groups: usize) -> Vec<Vec<PathPiece>> {
    let mut all: Vec<Vec<PathPiece>> = Vec::new();
    for group in 0..groups {
        let tested = splits
            .iter()
            .enumerate()
            .filter(|(_, s)| s.groups.contains(&group));
        for (path, (split, _)) in tested.enumerate() {
            if all.len() <= path {
                all.push(Vec::new());
            }
            all[path].push(PathPiece { split, group });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn six_groups_of_which_two_are_tested() {
        // López de Prado (2018), figure 12.1: 15 splits, 5 paths.
        let splits = combinatorial(60, 6, 2, 3, 2).unwrap();
        assert_eq!(splits.len(), 15);
        assert_eq!(splits[0].groups, [0, 1]);
        // The embargo after day 19 ends before 22; nothing is tested before day 0.
        assert_eq!(splits[0].train, vec![22..60]);
        // Groups 1 and 3: days 10..20 and 30..40; targets of three days, two of embargo.
        let s = splits.iter().find(|s| s.groups == [1, 3]).unwrap();
        assert_eq!(s.train, vec![0..7, 22..27, 42..60]);
        let paths = paths(&splits, 6);
        assert_eq!(paths.len(), 5);
        // The first path of the figure: groups 0 and 1 from split 0, then 2 to 5 from splits 1 to 4.
        let first: Vec<usize> = paths[0].iter().map(|p| p.split).collect();
        assert_eq!(first, [0, 0, 1, 2, 3, 4]);
        assert!(combinatorial(60, 6, 6, 1, 0).is_none());
        assert!(combinatorial(600, 40, 20, 1, 0).is_none());
    }

    proptest! {
        #[test]
        fn no_target_touches_a_test_group_and_paths_use_every_piece_once(
            days in 10usize..200, groups in 2usize..8, tested in 1usize..7,
            horizon in 0usize..12, embargo in 0usize..12,
        ) {
            let Some(splits) = combinatorial(days, groups, tested, horizon, embargo) else {
                prop_assert!(tested >= groups || groups > days);
                return Ok(());
            };
            let mut left = 0;
            for s in &splits {
                for test in &s.test {
                    for i in s.train.iter().cloned().flatten() {
                        prop_assert!(!(i < test.end && i + horizon >= test.start), "{i} {test:?}");
                        prop_assert!(!(i >= test.end && i < test.end + embargo));
                    }
                }
                // Nothing else is left out.
                for i in 0..days {
                    let bad = s.test.iter().any(|t| i < t.end + embargo && i + horizon >= t.start);
                    prop_assert_eq!(s.train.iter().any(|r| r.contains(&i)), !bad);
                }
                left += s.groups.len();
            }
            let paths = paths(&splits, groups);
            prop_assert_eq!(paths.len() * groups, left);
            let mut seen = std::collections::BTreeSet::new();
            for path in &paths {
                let own: Vec<usize> = path.iter().map(|p| p.group).collect();
                prop_assert_eq!(own, (0..groups).collect::<Vec<_>>());
                prop_assert!(path.iter().all(|p| seen.insert((p.split, p.group))));
            }
        }
    }
}
