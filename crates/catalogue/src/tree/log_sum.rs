//! Bounds of bins by halving, as CatBoost finds them (feature_border_type GreedyLogSum).
//!
//! Bins are halved near their middle row, the one that raises Σ ln(rows) most first. Of bins that gain alike,
//! as all those of two rows do, a heap chooses: that of the C++ library, so that the same ones are left whole
//! where there are more values than bins.

/// A bin: its values, where it would be cut, and what that gains.
#[derive(Clone, Copy)]
struct Part {
    gain: f64,
    from: usize,
    to: usize,
    at: Option<usize>,
}

/// Moves an entry of a heap up to its place.
fn rise(heap: &mut [Part], mut at: usize) {
    while at > 0 {
        let above = (at - 1) / 2;
        if heap[above].gain >= heap[at].gain {
            break;
        }
        heap.swap(above, at);
        at = above;
    }
}

/// Takes the largest entry out of a heap, which is not empty: the larger children move up, the left one of
/// like ones, and the last entry goes where they leave room.
fn pop(heap: &mut Vec<Part>) -> Part {
    let mut hole = 0;
    let top = heap[0];
    loop {
        let (left, right) = (2 * hole + 1, 2 * hole + 2);
        if left >= heap.len() {
            break;
        }
        let larger = match heap.get(right) {
            Some(r) if heap[left].gain < r.gain => right,
            _ => left,
        };
        heap[hole] = heap[larger];
        hole = larger;
    }
    heap.swap_remove(hole);
    if hole < heap.len() {
        rise(heap, hole);
    }
    top
}

/// Bounds of at most `max` bins, halfway between distinct values, ascending, with their numbers of rows.
pub(super) fn log_sum(values: &[f64], counts: &[usize], max: usize) -> Vec<f64> {
    // Rows before each distinct value.
    let mut before = vec![0_usize];
    for c in counts {
        before.push(before[before.len() - 1] + c);
    }
    let part = |from: usize, to: usize| -> Part {
        // The program keeps the logarithm finite.
        let score = |a: usize, b: usize| ((before[b] - before[a]) as f64 + 1e-8).ln();
        let half = before[from] + (before[to] - before[from]) / 2;
        // The value of the middle row; the cut lies before or after it.
        let middle = before.partition_point(|k| *k <= half) - 1;
        let cut = [middle, middle + 1]
            .into_iter()
            .filter(|k| *k > from && *k < to)
            .map(|k| (score(from, k) + score(k, to) - score(from, to), k))
            .reduce(|x, y| if y.0 > x.0 { y } else { x });
        Part {
            gain: cut.map_or(f64::NEG_INFINITY, |c| c.0),
            from,
            to,
            at: cut.map(|c| c.1),
        }
    };
    let mut heap = vec![part(0, values.len())];
    while heap.len() < max {
        let Some(at) = heap[0].at else {
            break;
        };
        let best = pop(&mut heap);
        for half in [part(best.from, at), part(at, best.to)] {
            heap.push(half);
            let last = heap.len() - 1;
            rise(&mut heap, last);
        }
    }
    let mut starts: Vec<usize> = heap.iter().map(|p| p.from).filter(|a| *a > 0).collect();
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
