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
        self.first(x)
    }

    #[cold]
    fn first(&mut self, x: f64) -> Option<f64> {
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

/// The highest of the last values, the latest of equal ones. A value that leaves the window while it is
/// the highest has the window searched anew.
pub(crate) struct Highest {
    values: Vec<f64>,
    next: usize,
    seen: usize,
    best: f64,
    /// Values pushed since the highest one.
    age: usize,
}

impl Highest {
    pub(crate) fn new(period: usize) -> Self {
        Self {
            values: vec![f64::NEG_INFINITY; period],
            next: 0,
            seen: 0,
            best: f64::NEG_INFINITY,
            age: 0,
        }
    }

    /// The highest value and how many values ago it was, once there are enough.
    #[inline]
    pub(crate) fn push(&mut self, x: f64) -> Option<(f64, usize)> {
        let period = self.values.len();
        self.values[self.next] = x;
        self.next += 1;
        if self.next == period {
            self.next = 0;
        }
        self.age += 1;
        if x >= self.best {
            (self.best, self.age) = (x, 0);
        } else if self.age >= period {
            self.search();
        }
        if self.seen + 1 < period {
            self.seen += 1;
            return None;
        }
        Some((self.best, self.age))
    }

    fn search(&mut self) {
        let (newer, older) = self.values.split_at(self.next);
        let mut age = self.values.len();
        self.best = f64::NEG_INFINITY;
        for x in older.iter().chain(newer) {
            age -= 1;
            if *x >= self.best {
                (self.best, self.age) = (*x, age);
            }
        }
    }
}

/// The lowest of the last values, as [`Highest`].
pub(crate) struct Lowest(Highest);

impl Lowest {
    pub(crate) fn new(period: usize) -> Self {
        Self(Highest::new(period))
    }

    /// The lowest value and how many values ago it was, once there are enough.
    #[inline]
    pub(crate) fn push(&mut self, x: f64) -> Option<(f64, usize)> {
        self.0.push(-x).map(|(x, age)| (-x, age))
    }
}

/// The highest high and the lowest low of the last bars.
pub(crate) struct Range {
    high: Highest,
    low: Lowest,
}

impl Range {
    pub(crate) fn new(period: usize) -> Self {
        Self {
            high: Highest::new(period),
            low: Lowest::new(period),
        }
    }

    /// Highest and lowest.
    #[inline]
    pub(crate) fn push(&mut self, bar: &Bar) -> Option<(f64, f64)> {
        let (high, low) = (self.high.push(bar.high), self.low.push(bar.low));
        Some((high?.0, low?.0))
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
        let gap = (bar.high - last).abs().max((bar.low - last).abs());
        Some((bar.high - bar.low).max(gap))
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

/// Typical price.
#[inline]
pub(crate) fn typical(bar: &Bar) -> f64 {
    (bar.high + bar.low + bar.close) / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_against_every_window() {
        // Equal values, rises, falls and a window of one.
        let values = [
            3.0, 3.0, 1.0, 2.0, 2.0, 0.0, -1.0, -2.0, -2.0, 5.0, 4.0, 3.0,
        ];
        for period in 1..=values.len() {
            let (mut high, mut low) = (Highest::new(period), Lowest::new(period));
            for t in 0..values.len() {
                let found = (high.push(values[t]), low.push(values[t]));
                if t + 1 < period {
                    assert_eq!(found, (None, None));
                    continue;
                }
                let window = &values[t + 1 - period..=t];
                let latest = |best: f64| window.iter().rev().position(|v| *v == best).unwrap();
                let top = window.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let bottom = window.iter().copied().fold(f64::INFINITY, f64::min);
                let want = (Some((top, latest(top))), Some((bottom, latest(bottom))));
                assert_eq!(found, want, "period {period}, value {t}");
            }
        }
    }
}
