//! Cuts at shares of the weights as XGBoost's histograms take them: a sketch of quantiles.
//!
//! Rows come in the order of the table and wait until there are enough of them; those that wait are sorted into
//! a summary of ranks, which is pruned and combined with the summaries before it, level by level (Chen &
//! Guestrin, KDD 2016, appendix). Sums are in single precision, as there.

/// A value, the weights below it at least and up to it at most, and its own.
#[derive(Clone, Copy)]
struct Entry {
    low: f32,
    high: f32,
    own: f32,
    value: f32,
}

/// How much finer than the cuts the summaries are.
const FINER: usize = 8;

/// The summary of rows that waited: values with weights.
fn summary(waiting: &mut Vec<(f32, f32)>) -> Vec<Entry> {
    waiting.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut entries, mut sum) = (Vec::new(), 0.0_f32);
    for like in waiting.chunk_by(|a, b| a.0 == b.0) {
        let own = like.iter().fold(0.0_f32, |s, r| s + r.1);
        entries.push(Entry {
            low: sum,
            high: sum + own,
            own,
            value: like[0].0,
        });
        sum += own;
    }
    waiting.clear();
    entries
}

/// At most so many entries, three at least, at ranks spread evenly between those of the first and the last.
fn prune(entries: Vec<Entry>, most: usize) -> Vec<Entry> {
    let (Some(first), Some(end)) = (entries.first(), entries.last()) else {
        return entries;
    };
    if entries.len() <= most {
        return entries;
    }
    let (begin, range) = (first.high, end.low - first.high);
    let (steps, last) = (most - 1, entries.len() - 1);
    let mut kept = vec![*first];
    let (mut at, mut taken) = (1, 0);
    for k in 1..steps {
        let twice = 2.0 * ((k as f32 * range) / steps as f32 + begin);
        while at < last && twice >= entries[at + 1].high + entries[at + 1].low {
            at += 1;
        }
        if at == last {
            break;
        }
        let (here, next) = (&entries[at], &entries[at + 1]);
        let lower = twice < (here.low + here.own) + (next.high - next.own);
        let pick = if lower { at } else { at + 1 };
        if pick != taken {
            kept.push(entries[pick]);
            taken = pick;
        }
    }
    if taken != last {
        kept.push(*end);
    }
    kept
}

/// The summary of the rows of two.
fn combine(a: &[Entry], b: &[Entry]) -> Vec<Entry> {
    // What the other side has below an entry, and up to the next of its own.
    let below = |side: &[Entry], at: usize| {
        let before = at.checked_sub(1).map(|k| side[k].low + side[k].own);
        let until = side.get(at).map(|e| e.high - e.own);
        let all = side.last().map_or(0.0, |e| e.high);
        (before.unwrap_or(0.0), until.unwrap_or(all))
    };
    let mut both = Vec::with_capacity(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    let widened = |e: &Entry, (low, high): (f32, f32)| Entry {
        low: e.low + low,
        high: e.high + high,
        ..*e
    };
    while i < a.len() || j < b.len() {
        match (a.get(i), b.get(j)) {
            (Some(x), Some(y)) if x.value == y.value => {
                both.push(Entry {
                    low: x.low + y.low,
                    high: x.high + y.high,
                    own: x.own + y.own,
                    value: x.value,
                });
                (i, j) = (i + 1, j + 1);
            }
            (Some(x), y) if y.is_none_or(|y| x.value < y.value) => {
                both.push(widened(x, below(b, j)));
                i += 1;
            }
            (_, Some(y)) => {
                both.push(widened(y, below(a, i)));
                j += 1;
            }
            _ => break,
        }
    }
    both
}

/// Entries of a summary of `rows` rows: enough for so small a share of the ranks on all levels.
fn limit(rows: usize, share: f64) -> usize {
    let mut levels = 1;
    loop {
        let size = ((f64::from(levels) / share).ceil() as usize + 1).min(rows);
        if size << levels >= rows {
            return size;
        }
        levels += 1;
    }
}

/// Adds a summary to those of the levels; what is too large together goes one level up.
fn carry(mut carried: Vec<Entry>, levels: &mut Vec<Vec<Entry>>, size: usize) {
    for level in levels.iter_mut() {
        carried = prune(carried, size);
        if level.is_empty() {
            *level = carried;
            return;
        }
        carried = combine(&carried, level);
        if carried.len() <= size {
            *level = carried;
            return;
        }
        level.clear();
    }
    levels.push(prune(carried, size));
}

/// Cuts of a column of `count` values, which come with their weights in the order of the rows, into at most
/// `max` bins: the largest values on the left, ascending. Values of weight 0 take no part.
pub(super) fn cuts(rows: impl Iterator<Item = (f64, f64)>, count: usize, max: usize) -> Vec<f64> {
    let finest = FINER * max.min(count).max(1);
    let size = limit(count, 1.0 / finest as f64);
    let mut levels: Vec<Vec<Entry>> = Vec::new();
    let mut waiting: Vec<(f32, f32)> = Vec::new();
    // The program starts with room for one row.
    let mut room = 1;
    for (value, weight) in rows.filter(|r| r.1 != 0.0) {
        let (value, weight) = (value as f32, weight as f32);
        match waiting.last_mut() {
            Some(last) if last.0 == value => {
                last.1 += weight;
                continue;
            }
            _ => {}
        }
        if waiting.len() == room {
            if room == 1 {
                room = 2 * size;
            } else {
                carry(summary(&mut waiting), &mut levels, size);
            }
        }
        waiting.push((value, weight));
    }
    let mut all = prune(summary(&mut waiting), size);
    for level in levels.into_iter().filter(|l| !l.is_empty()) {
        all = prune(combine(&all, &level), size);
    }
    let all = prune(prune(all, count.min(FINER * max)), max.min(count) + 1);
    let cut = |e: &Entry| f64::from(e.value).next_down();
    all.iter().take(max.min(count)).skip(1).map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::cuts;

    #[test]
    fn cuts_are_those_of_the_program() {
        // xgboost 3.2.0, DMatrix of the values ((7 i² + 3 i) mod 1009) / 8 with the weights (7 i mod 11) / 4 or none,
        // trained with tree_method="hist", max_bin=..., then get_quantile_cut() without the least and the largest.
        for (n, max, weighed, want) in [
            (
                60,
                8,
                false,
                vec![15.25, 23.0, 38.0, 53.375, 70.875, 84.25, 101.25],
            ),
            (700, 4, true, vec![34.375, 57.25, 91.0]),
            (3000, 6, false, vec![22.75, 41.5, 59.375, 82.25, 103.5]),
            (9000, 5, true, vec![26.625, 49.375, 72.25, 100.5]),
        ] {
            let rows = (0..n).map(|i: u64| {
                let value = ((i * i * 7 + i * 3) % 1009) as f64 / 8.0;
                let weight = if weighed {
                    (i * 7 % 11) as f64 / 4.0
                } else {
                    1.0
                };
                (value, weight)
            });
            let want: Vec<f64> = want.into_iter().map(f64::next_down).collect();
            assert_eq!(cuts(rows, n as usize, max), want, "{n} rows, {max} bins");
        }
    }
}
