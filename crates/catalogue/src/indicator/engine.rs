//! Averages and extremes that the indicators share, each a state that takes one value after the
//! other. The order of operations is that of TA-Lib where rounding shows.

use mltrainer_catalogue_core::Bar;

/// Whether a distance between numbers of this size is no more than rounding can leave.
#[inline]
pub(crate) fn negligible(distance: f64, size: f64) -> bool {
    distance.abs() <= 1e-14 * size
}

/// The last values, as many as it was made for.
pub(crate) struct Window {
    values: Vec<f64>,
    /// Where the next value goes; once full, the place of the oldest one.
    next: usize,
    full: bool,
}

impl Window {
    pub(crate) fn new(size: usize) -> Self {
        Self {
            values: vec![0.0; size],
            next: 0,
            full: false,
        }
    }

    /// Puts a value in the place of the oldest one, which comes back when the window was full.
    #[inline]
    pub(crate) fn push(&mut self, x: f64) -> Option<f64> {
        let old = std::mem::replace(&mut self.values[self.next], x);
        let was_full = self.full;
        self.next += 1;
        if self.next == self.values.len() {
            self.next = 0;
            self.full = true;
        }
        was_full.then_some(old)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// The oldest value of a full window.
    #[inline]
    pub(crate) fn oldest(&self) -> f64 {
        self.values[self.next]
    }

    /// The values in the order of their places, not of their age.
    pub(crate) fn places(&self) -> &[f64] {
        &self.values
    }
}

/// Simple moving average.
pub(crate) struct Sma {
    window: Window,
    period: f64,
    sum: f64,
}

impl Sma {
    pub(crate) fn new(period: usize) -> Self {
        Self {
            window: Window::new(period),
            period: period as f64,
            sum: 0.0,
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, x: f64) -> Option<f64> {
        self.window.push(x);
        self.sum += x;
        if !self.window.is_full() {
            return None;
        }
        let mean = self.sum / self.period;
        self.sum -= self.window.oldest();
        Some(mean)
    }
}

/// Sum of the last values, none of which is negative.
pub(crate) struct RollingSum {
    window: Window,
    sum: f64,
    /// Values of the window that are not 0.
    filled: usize,
}

impl RollingSum {
    pub(crate) fn new(period: usize) -> Self {
        Self {
            window: Window::new(period),
            sum: 0.0,
            filled: 0,
        }
    }

    /// The sum with this value, once there are enough.
    #[inline]
    pub(crate) fn push(&mut self, x: f64) -> Option<f64> {
        if let Some(old) = self.window.push(x) {
            self.filled -= usize::from(old != 0.0);
            // What rounding has left of values that are gone is nothing.
            self.sum = if self.filled == 0 {
                0.0
            } else {
                self.sum - old
            };
        }
        self.filled += usize::from(x != 0.0);
        self.sum += x;
        self.window.is_full().then_some(self.sum)
    }
}

/// A recursive average m += weight · (x - m) that starts as the mean of some values.
pub(crate) struct Recursive {
    weight: f64,
    period: usize,
    /// Values to pass over before the first mean begins.
    skip: usize,
    seen: usize,
    /// The sum at first, then the average.
    value: f64,
}

impl Recursive {
    /// Exponential average, weight 2/(period + 1).
    pub(crate) fn ema(period: usize) -> Self {
        Self::ema_after(period, 0)
    }

    /// Exponential average that begins after `skip` values.
    pub(crate) fn ema_after(period: usize, skip: usize) -> Self {
        Self {
            weight: 2.0 / (period as f64 + 1.0),
            period,
            skip,
            seen: 0,
            value: 0.0,
        }
    }

    /// Wilder's average, weight 1/period.
    pub(crate) fn wilder(period: usize) -> Self {
        Self {
            weight: 1.0 / period as f64,
            ..Self::ema(period)
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, x: f64) -> Option<f64> {
        if self.seen == self.period {
            self.value += self.weight * (x - self.value);
            return Some(self.value);
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.value += x;
        self.seen += 1;
        if self.seen < self.period {
            return None;
        }
        self.value /= self.period as f64;
        Some(self.value)
    }
}

/// The larger of two numbers, the second of equal ones.
#[inline]
pub(crate) fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

/// The smaller of two numbers, the second of equal ones.
#[inline]
pub(crate) fn smaller(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
}

/// The highest high and the lowest low of the last bars.
///
/// The bars are taken in blocks as long as the window (van Herk 1992; Gil and Werman 1993): a window is
/// the end of one block and the start of the next, and of both the extremes are at hand.
pub(crate) struct Range {
    /// Highs and lows of the present block, as far as it has come.
    block: Vec<(f64, f64)>,
    /// Of the block before: the extremes from each place to its end.
    ends: Vec<(f64, f64)>,
    next: usize,
    full: bool,
    /// The extremes of the present block.
    best: (f64, f64),
}

/// What any bar widens.
const NOTHING: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

impl Range {
    pub(crate) fn new(period: usize) -> Self {
        Self {
            block: vec![NOTHING; period],
            ends: vec![NOTHING; period + 1],
            next: 0,
            full: false,
            best: NOTHING,
        }
    }

    /// Highest and lowest, once there are enough bars.
    #[inline]
    pub(crate) fn push(&mut self, bar: &Bar) -> Option<(f64, f64)> {
        self.block[self.next] = (bar.high, bar.low);
        self.next += 1;
        self.best = wider(self.best, (bar.high, bar.low));
        let found = wider(self.best, self.ends[self.next]);
        if self.next == self.block.len() {
            let mut best = NOTHING;
            for (bar, end) in self.block.iter().zip(&mut self.ends).rev() {
                best = wider(best, *bar);
                *end = best;
            }
            self.next = 0;
            self.full = true;
            self.best = NOTHING;
            return Some(found);
        }
        self.full.then_some(found)
    }
}

/// The higher high and the lower low.
#[inline]
fn wider(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    (larger(a.0, b.0), smaller(a.1, b.1))
}

/// How many values ago the highest of the last ones was, the latest of equal ones; in blocks as
/// [`Range`].
pub(crate) struct SinceHighest {
    block: Vec<f64>,
    ends: Vec<(f64, usize)>,
    next: usize,
    full: bool,
    best: f64,
    /// Where the highest of the present block is.
    place: usize,
}

impl SinceHighest {
    pub(crate) fn new(period: usize) -> Self {
        Self {
            block: vec![0.0; period],
            ends: vec![(f64::NEG_INFINITY, 0); period + 1],
            next: 0,
            full: false,
            best: f64::NEG_INFINITY,
            place: 0,
        }
    }

    /// How many values ago, once there are enough.
    #[inline]
    pub(crate) fn push(&mut self, x: f64) -> Option<usize> {
        let (at, size) = (self.next, self.block.len());
        self.block[at] = x;
        self.next += 1;
        let newer = x >= self.best;
        self.best = if newer { x } else { self.best };
        self.place = if newer { at } else { self.place };
        let (before, place) = self.ends[at + 1];
        // Places of the block before count from a block earlier.
        let from = if self.best >= before {
            self.place + size
        } else {
            place
        };
        let found = at + size - from;
        if self.next == size {
            let mut best = (f64::NEG_INFINITY, 0);
            let places = self.block.iter().zip(&mut self.ends).enumerate();
            for (place, (x, end)) in places.rev() {
                let newer = *x > best.0;
                best = if newer { (*x, place) } else { best };
                *end = best;
            }
            self.next = 0;
            self.full = true;
            self.best = f64::NEG_INFINITY;
            return Some(found);
        }
        self.full.then_some(found)
    }
}

/// The value pushed before.
#[derive(Default)]
pub(crate) struct Last(Option<f64>);

impl Last {
    #[inline]
    pub(crate) fn push(&mut self, x: f64) -> Option<f64> {
        self.0.replace(x)
    }
}

/// True range: the size of a bar, the gap from the close before included; nothing at the first bar.
#[derive(Default)]
pub(crate) struct TrueRange(Last);

impl TrueRange {
    #[inline]
    pub(crate) fn push(&mut self, bar: &Bar) -> Option<f64> {
        let last = self.0.push(bar.close)?;
        let gap = larger((bar.high - last).abs(), (bar.low - last).abs());
        Some(larger(bar.high - bar.low, gap))
    }
}

/// Average true range, Wilder's.
pub(crate) struct Atr {
    range: TrueRange,
    average: Recursive,
}

impl Atr {
    pub(crate) fn new(period: usize) -> Self {
        Self {
            range: TrueRange::default(),
            average: Recursive::wilder(period),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, bar: &Bar) -> Option<f64> {
        self.average.push(self.range.push(bar)?)
    }
}

/// Accumulation/distribution: volume by where the close lies between low and high, summed.
#[derive(Default)]
pub(crate) struct Distribution(f64);

impl Distribution {
    #[inline]
    pub(crate) fn push(&mut self, bar: &Bar) -> f64 {
        let range = bar.high - bar.low;
        if range > 0.0 {
            let place = (bar.close - bar.low) - (bar.high - bar.close);
            self.0 += place / range * bar.volume;
        }
        self.0
    }
}

/// A sum with what rounding took from it beside it (Knuth's two-sum): values that are added and later
/// taken off again leave nothing behind.
#[derive(Default)]
pub(crate) struct ExactSum {
    sum: f64,
    lost: f64,
}

impl ExactSum {
    #[inline]
    pub(crate) fn add(&mut self, x: f64) {
        let sum = self.sum + x;
        let added = sum - self.sum;
        self.lost += (self.sum - (sum - added)) + (x - added);
        self.sum = sum;
    }

    #[inline]
    pub(crate) fn value(&self) -> f64 {
        self.sum + self.lost
    }
}

/// The sum of a function of values, in two lanes so that not every addition waits for the one before.
#[inline]
pub(crate) fn sum_of(values: &[f64], f: impl Fn(f64) -> f64) -> f64 {
    let (a, b) = values.split_at(values.len() / 2);
    let mut lanes = [0.0; 2];
    for (a, b) in a.iter().zip(b) {
        lanes[0] += f(*a);
        lanes[1] += f(*b);
    }
    let odd = b.get(a.len()).map_or(0.0, |x| f(*x));
    lanes[0] + lanes[1] + odd
}

/// Typical price.
#[inline]
pub(crate) fn typical(bar: &Bar) -> f64 {
    (bar.high + bar.low + bar.close) / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_sum_leaves_nothing() {
        let mut sum = ExactSum::default();
        for x in [0.1, 1e16, 0.2, -1e16, -0.1, -0.2] {
            sum.add(x);
        }
        assert_eq!(sum.value(), 0.0);
    }

    #[test]
    fn extremes_against_every_window() {
        // Equal values, rises, falls and a window of one.
        let values = [
            3.0, 3.0, 1.0, 2.0, 2.0, 0.0, -1.0, -2.0, -2.0, 5.0, 4.0, 3.0,
        ];
        for period in 1..=values.len() {
            let mut range = Range::new(period);
            let (mut up, mut down) = (SinceHighest::new(period), SinceHighest::new(period));
            for t in 0..values.len() {
                let bar = Bar {
                    high: values[t],
                    low: values[t],
                    ..Bar::default()
                };
                let found = range.push(&bar);
                let since = (up.push(values[t]), down.push(-values[t]));
                if t + 1 < period {
                    assert_eq!((found, since), (None, (None, None)));
                    continue;
                }
                let window = &values[t + 1 - period..=t];
                let latest = |best: f64| window.iter().rev().position(|v| *v == best);
                let top = window.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let bottom = window.iter().copied().fold(f64::INFINITY, f64::min);
                assert_eq!(found, Some((top, bottom)), "period {period}, value {t}");
                let want = (latest(top), latest(bottom));
                assert_eq!(since, want, "period {period}, value {t}");
            }
        }
    }
}
