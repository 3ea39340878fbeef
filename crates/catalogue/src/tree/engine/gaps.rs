//! Splits of a column in which values are missing (NaN), as scikit-learn 1.9 makes them: every cut
//! is tried with the missing values on its right and on its left, and so is the cut between all known
//! values and the missing ones. A drawn cut sends the missing values to a side drawn too. Trees with
//! monotone columns are grown this way too: here a cut knows the answers of its sides.

use super::{Criterion, Grower, Parent, Place, Split, Target, poisson_gain};
use rand::Rng as _;

/// What the rows of the left side add up to.
struct Left {
    weight: f64,
    /// Σ w (y - mean of the node).
    sum: f64,
    /// Weight by class.
    counts: Vec<f64>,
    rows: usize,
}

impl Left {
    fn new(parent: &Parent) -> Self {
        Self {
            weight: 0.0,
            sum: 0.0,
            counts: vec![0.0; parent.counts.len()],
            rows: 0,
        }
    }
}

impl Left {
    /// What monotone columns move, on this side and on the other one.
    fn directions(&self, parent: &Parent) -> (f64, f64) {
        let rest = parent.weight - self.weight;
        match (self.counts.last(), parent.counts.last()) {
            (Some(own), Some(all)) => (own / self.weight, (all - own) / rest),
            _ => (
                parent.mean + self.sum / self.weight,
                parent.mean + (parent.sum - self.sum) / rest,
            ),
        }
    }
}

impl<P: Place + Default> Grower<'_, P> {
    /// Whether the answers of both sides lie within bounds and move as a monotone column says. A column
    /// without a sign may be cut anywhere: its sides' answers are drawn into the bounds.
    fn is_allowed(
        &self,
        left: &Left,
        parent: &Parent,
        feature: usize,
        (low, high): (f64, f64),
    ) -> bool {
        let sign = self.rules.monotone.get(feature).filter(|s| **s != 0);
        let Some(sign) = sign else {
            return true;
        };
        let (a, b) = left.directions(parent);
        let within = |v: f64| v >= low && v <= high;
        within(a) && within(b) && (a - b) * *sign as f64 <= 0.0
    }

    fn take(&self, left: &mut Left, parent: &Parent, row: usize) {
        let w = self.weights[row];
        left.weight += w;
        left.rows += 1;
        match self.target {
            Target::Numbers(y) => left.sum += w * (y[row] - parent.mean),
            Target::Codes(codes, _) => left.counts[codes[row] as usize] += w,
        }
    }

    /// The gain of a split of `rows` rows with that left side; none when a side is too small.
    fn gain_of(&self, left: &Left, parent: &Parent, rows: usize) -> Option<f64> {
        let (least, rest) = (self.rules.min_samples_leaf, parent.weight - left.weight);
        if left.rows < least
            || rows - left.rows < least
            || left.weight < self.least_weight
            || rest < self.least_weight
        {
            return None;
        }
        let gain = match self.target {
            Target::Numbers(_) if self.rules.criterion == Criterion::Poisson => {
                poisson_gain(parent, left.sum, left.weight, parent.sum - left.sum, rest)
            }
            Target::Numbers(_) => {
                let other = parent.sum - left.sum;
                left.sum * left.sum / left.weight + other * other / rest
            }
            Target::Codes(..) => {
                let on_left: f64 = left.counts.iter().map(|c| self.f(*c)).sum();
                let pairs = left.counts.iter().zip(&parent.counts);
                let on_right: f64 = pairs.map(|(l, all)| self.f((all - l).max(0.0))).sum();
                if self.entropy() {
                    (on_left - self.f(left.weight) + on_right - self.f(rest) - parent.base)
                        / std::f64::consts::LN_2
                } else {
                    on_left / left.weight + on_right / rest - parent.base
                }
            }
        };
        gain.is_finite().then_some(gain)
    }

    /// The best split of a column with missing values; none when all of them are missing.
    pub(super) fn scan_gaps(
        &self,
        parent: &Parent,
        feature: usize,
        (start, end): (usize, usize),
        bounds: (f64, f64),
    ) -> Option<Split> {
        let values = self.data.x.column(feature);
        let value = |r: usize| values[r];
        let mut rows: Vec<usize> = Vec::with_capacity(end - start);
        self.each_row(start, end, |r| rows.push(r));
        // Ascending, equal values by row, the missing ones last.
        rows.sort_unstable_by(|a, b| {
            let (x, y) = (value(*a), value(*b));
            let gaps = x.is_nan().cmp(&y.is_nan());
            gaps.then(x.partial_cmp(&y).unwrap_or(std::cmp::Ordering::Equal))
                .then(a.cmp(b))
        });
        let cut = rows.partition_point(|r| !value(*r).is_nan());
        let (known, missing) = rows.split_at(cut);
        let mut best: Option<Split> = None;
        let mut offer = |left: &Left, threshold: f64, missing_left: bool| {
            if let Some(gain) = self.gain_of(left, parent, rows.len())
                && best.is_none_or(|b| gain > b.gain)
                && self.is_allowed(left, parent, feature, bounds)
            {
                best = Some(Split {
                    feature,
                    threshold,
                    rank: 0,
                    count: left.rows,
                    gain,
                    missing_left,
                });
            }
        };
        let ways: &[bool] = if missing.is_empty() {
            &[false]
        } else {
            &[false, true]
        };
        for missing_left in ways.iter().copied() {
            let mut left = Left::new(parent);
            if missing_left {
                let all = missing.iter();
                all.for_each(|r| self.take(&mut left, parent, *r));
            }
            for (k, row) in known.iter().enumerate() {
                self.take(&mut left, parent, *row);
                match known.get(k + 1) {
                    Some(next) if value(*row) < value(*next) => {
                        let (below, above) = (value(*row), value(*next));
                        let middle = below / 2.0 + above / 2.0;
                        let threshold = if middle < above { middle } else { below };
                        offer(&left, threshold, missing_left);
                    }
                    // Known values against missing ones. Not infinity, which JSON cannot hold.
                    None if !missing_left && !missing.is_empty() => offer(&left, f64::MAX, false),
                    _ => {}
                }
            }
        }
        best
    }

    /// A drawn cut of a column with missing values, which go to a drawn side.
    pub(super) fn draw_gaps(
        &mut self,
        parent: &Parent,
        feature: usize,
        (start, end): (usize, usize),
        bounds: (f64, f64),
    ) -> Option<Split> {
        let values = self.data.x.column(feature);
        let known = self.rows[start..end]
            .iter()
            .map(|r| values[*r as usize])
            .filter(|v| !v.is_nan());
        let (low, high) = known.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
            (l.min(v), h.max(v))
        });
        if low > high {
            return None;
        }
        let share: f64 = self.random.r#gen();
        let missing_left: bool = self.random.r#gen();
        let drawn = low * (1.0 - share) + high * share;
        let threshold = if drawn >= low && drawn < high {
            drawn
        } else {
            low
        };
        let mut left = Left::new(parent);
        for r in &self.rows[start..end] {
            let v = values[*r as usize];
            if v <= threshold || (v.is_nan() && missing_left) {
                self.take(&mut left, parent, *r as usize);
            }
        }
        if left.rows == 0 || left.rows == end - start {
            return None;
        }
        let gain = self.gain_of(&left, parent, end - start)?;
        self.is_allowed(&left, parent, feature, bounds)
            .then_some(Split {
                feature,
                threshold,
                rank: 0,
                count: left.rows,
                gain,
                missing_left,
            })
    }
}
