//! Bounds of bins by halving, as CatBoost finds them (feature_border_type GreedyLogSum).
//!
//! Bins are halved near their middle row, the one that raises Σ ln(rows) most first. Of bins that gain alike,
//! as all those of two rows do, the program's heap chooses which ones are left whole where there are more
//! values than bins.

use super::heap::Heap;

/// Bounds of at most `max` bins, halfway between distinct values, ascending, with their numbers of rows.
pub(super) fn log_sum(values: &[f64], counts: &[usize], max: usize) -> Vec<f64> {
    // Rows before each distinct value.
    let mut before = vec![0_usize];
    for c in counts {
        before.push(before[before.len() - 1] + c);
    }
    // Best cut of the values from a to b: what it gains, and where it is.
    let cut = |a: usize, b: usize| -> (f64, Option<usize>) {
        // The program keeps the logarithm finite.
        let score = |a: usize, b: usize| ((before[b] - before[a]) as f64 + 1e-8).ln();
        let half = before[a] + (before[b] - before[a]) / 2;
        // The value of the middle row; the cut lies before or after it.
        let middle = before.partition_point(|k| *k <= half) - 1;
        let best = [middle, middle + 1]
            .into_iter()
            .filter(|k| *k > a && *k < b)
            .map(|k| (score(a, k) + score(k, b) - score(a, b), k))
            .reduce(|x, y| if y.0 > x.0 { y } else { x });
        best.map_or((f64::NEG_INFINITY, None), |(gain, k)| (gain, Some(k)))
    };
    let mut bins = Heap::default();
    let (gain, at) = cut(0, values.len());
    bins.push(gain, (0, values.len(), at));
    while bins.len() < max {
        let Some((gain, (a, b, at))) = bins.pop() else {
            break;
        };
        let Some(k) = at else {
            // None of the others has a cut.
            bins.push(gain, (a, b, at));
            break;
        };
        for (a, b) in [(a, k), (k, b)] {
            let (gain, at) = cut(a, b);
            bins.push(gain, (a, b, at));
        }
    }
    let starts = bins.into_items().map(|b| b.0).filter(|a| *a > 0);
    let mut starts: Vec<usize> = starts.collect();
    starts.sort_unstable();
    let middle = |k: usize| {
        let m = f64::midpoint(values[k - 1], values[k]);
        if m < values[k] { m } else { values[k - 1] }
    };
    starts.into_iter().map(middle).collect()
}

#[cfg(test)]
mod tests {
    use super::log_sum;

    #[test]
    fn bins_left_whole_are_those_of_the_program() {
        // catboost 1.2.10, Pool of the values i²/8, i = 0..n, quantize(border_count=...) and
        // save_quantization_borders: the values before which no border lies.
        for (n, borders, want) in [
            (13, 9, vec![2, 5, 8]),
            (24, 15, vec![2, 5, 8, 11, 14, 17, 20, 23]),
            (40, 32, vec![9, 11, 16, 21, 24, 29, 31]),
            (57, 50, vec![9, 13, 23, 30, 37, 48]),
            (30, 20, vec![4, 12, 14, 19, 21, 23, 25, 27, 29]),
        ] {
            let values: Vec<f64> = (0..n).map(|i| f64::from(i * i) / 8.0).collect();
            let bounds = log_sum(&values, &vec![1; n as usize], borders + 1);
            let whole: Vec<i32> = (1..n)
                .filter(|i| {
                    let (a, b) = (f64::from((i - 1) * (i - 1)) / 8.0, f64::from(i * i) / 8.0);
                    !bounds.iter().any(|c| *c >= a && *c < b)
                })
                .collect();
            assert_eq!(whole, want, "{n} values, {borders} borders");
        }
    }
}
