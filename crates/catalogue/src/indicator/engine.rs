//! Averages and extremes that the indicators share, each a state that takes one value after the
//! other. The order of operations is that of TA-Lib where rounding shows.

use mltrainer_catalogue_core::{Bar, Feed, State};

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
        match self.window.push(x) {
            Some(old) => self.sum += x - old,
            None => self.sum += x,
        }
        self.window.is_full().then(|| self.sum / self.period)
    }

    pub(crate) fn period(&self) -> usize {
        self.window.places().len()
    }
}

/// The simple moving averages of values, from the first that there is: what [`Sma`] gives, to the bit.
pub(crate) fn means(values: &[f64], period: usize) -> impl Iterator<Item = f64> {
    let (first, rest) = values.split_at_checked(period).unwrap_or_default();
    let mut sum = first.iter().fold(0.0, |sum, x| sum + x);
    let start = (!first.is_empty()).then_some(sum);
    let moved = rest.iter().zip(values).map(move |(x, old)| {
        sum += x - old;
        sum
    });
    let period = period as f64;
    start.into_iter().chain(moved).map(move |sum| sum / period)
}

/// A column: nothing for the first bars, then values.
#[inline(always)]
pub(crate) fn column(
    lead: usize,
    count: usize,
    values: impl Iterator<Item = f64>,
) -> Vec<Option<f64>> {
    let nothing = std::iter::repeat_n(None, lead.min(count));
    nothing.chain(values.map(Some)).collect()
}

/// Values from a place on; none when they end before.
pub(crate) fn from(values: &[f64], place: usize) -> &[f64] {
    values.get(place..).unwrap_or_default()
}

/// A sum of everything so far. Values are added two at a time, counted from the first: the next two need not
/// wait for both of these, one after the other.
#[derive(Clone, Copy, Default)]
pub(crate) struct Total {
    /// The sum before the present two.
    sum: f64,
    held: Option<f64>,
}

impl Total {
    #[inline]
    pub(crate) fn push(&mut self, x: f64) -> f64 {
        match self.held.take() {
            Some(first) => {
                self.sum += first + x;
                self.sum
            }
            None => {
                self.held = Some(x);
                self.sum + x
            }
        }
    }

    /// Two values, of which the first is the first of its two: what [`Self::push`] gives after each, to the bit.
    #[inline(always)]
    pub(crate) fn two(&mut self, [a, b]: [f64; 2]) -> [f64; 2] {
        let before = self.sum;
        self.sum = before + (a + b);
        [before + a, self.sum]
    }

    /// The sums with each of the values: what [`Self::push`] gives, to the bit.
    #[inline(always)]
    pub(crate) fn column(values: &[f64]) -> Vec<Option<f64>> {
        let mut out = Vec::with_capacity(values.len() / 2 + 1);
        let (pairs, rest) = values.as_chunks::<2>();
        let mut total = Self::default();
        // No call in the loop, so that the sum stays in a register.
        out.extend(pairs.iter().map(|two| total.two(*two).map(Some)));
        let mut out = out.into_flattened();
        out.extend(rest.iter().map(|x| Some(total.push(*x))));
        out
    }
}

/// Sum of the last values, none of which is negative.
pub(crate) struct RollingSum {
    window: Window,
    sum: Rolling,
}

/// A sum from which an old value goes with each that comes.
#[derive(Clone, Copy)]
pub(crate) struct Rolling {
    period: usize,
    sum: f64,
    /// How many of the latest values are 0, one after the other.
    zeros: usize,
}

impl Rolling {
    pub(crate) fn new(period: usize) -> Self {
        Self {
            period,
            sum: 0.0,
            zeros: 0,
        }
    }

    /// The sum after a value came and an old one went; 0 for the old one where none goes.
    #[inline(always)]
    pub(crate) fn change(&mut self, x: f64, old: f64) -> f64 {
        // What rounding has left of values that are gone is nothing.
        self.sum = if self.zeros + 1 >= self.period {
            x
        } else {
            self.sum + (x - old)
        };
        // A product: whether a value is 0 may be a toss-up, and a guessed branch costs more.
        self.zeros = (self.zeros + 1) * usize::from(x == 0.0);
        self.sum
    }
}

impl RollingSum {
    pub(crate) fn new(period: usize) -> Self {
        Self {
            window: Window::new(period),
            sum: Rolling::new(period),
        }
    }

    /// The sum with this value, once there are enough.
    #[inline]
    pub(crate) fn push(&mut self, x: f64) -> Option<f64> {
        let old = self.window.push(x).unwrap_or(0.0);
        let sum = self.sum.change(x, old);
        self.window.is_full().then_some(sum)
    }

    pub(crate) fn period(&self) -> usize {
        self.sum.period
    }
}

/// Sums of the last values, the first ones over as many as there are: the inner part of what [`RollingSum`]
/// gives, to the bit.
pub(crate) fn rolling(values: &[f64], period: usize) -> Vec<f64> {
    let mut sum = Rolling::new(period);
    let mut sums = vec![0.0; values.len()];
    let (first, rest) = sums.split_at_mut(period.min(values.len()));
    for (place, x) in first.iter_mut().zip(values) {
        *place = sum.change(*x, 0.0);
    }
    let changes = from(values, period).iter().zip(values);
    for (place, (x, old)) in rest.iter_mut().zip(changes) {
        *place = sum.change(*x, *old);
    }
    sums
}

/// A recursive average m += weight · (x - m) that starts as the mean of some values.
///
/// Values are taken in twos, counted from the first bar. The second average of the two is said by the average
/// before both, the first value and its distance to the second: the same average but for rounding, and the
/// next two need not wait for two steps one after the other.
pub(crate) struct Recursive {
    weight: f64,
    /// The weight of two values together.
    both: f64,
    period: usize,
    /// Values to pass over before the first mean begins.
    skip: usize,
    seen: usize,
    /// The sum at first, then the average before the present two.
    value: f64,
    /// Whether the next value is the second of its two.
    second: bool,
    /// The first value of the two, and its distance from the average.
    first: f64,
    distance: f64,
}

impl Recursive {
    /// Exponential average, weight 2/(period + 1).
    pub(crate) fn ema(period: usize) -> Self {
        Self::ema_after(period, 0)
    }

    /// Exponential average that begins after `skip` values.
    pub(crate) fn ema_after(period: usize, skip: usize) -> Self {
        let weight = 2.0 / (period as f64 + 1.0);
        Self {
            weight,
            both: weight + (1.0 - weight) * weight,
            period,
            skip,
            seen: 0,
            value: 0.0,
            second: false,
            first: 0.0,
            distance: 0.0,
        }
    }

    /// The same, whose first value comes with that bar (the first bar is 0).
    pub(crate) fn starting_at(mut self, bar: usize) -> Self {
        self.second = bar % 2 == 1;
        self
    }

    /// Whether the first mean is there.
    #[inline]
    pub(crate) fn begun(&self) -> bool {
        self.seen == self.period
    }

    #[inline]
    pub(crate) fn push(&mut self, x: f64) -> Option<f64> {
        let second = self.second;
        self.second = !second;
        if self.begun() {
            if second {
                let apart = self.weight * x - self.weight * self.first;
                self.value = (self.value + apart) + self.both * self.distance;
                return Some(self.value);
            }
            self.first = x;
            self.distance = x - self.value;
            return Some(self.value + self.weight * self.distance);
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
        // Where the second of two comes next, the first of them was the average.
        self.first = self.value;
        Some(self.value)
    }

    /// Two values, once the average has begun: what [`Self::push`] gives after each, to the bit.
    #[inline(always)]
    pub(crate) fn two(&mut self, [a, b]: [f64; 2]) -> [f64; 2] {
        let before = self.value;
        let distance = a - before;
        self.value = (before + (self.weight * b - self.weight * a)) + self.both * distance;
        [before + self.weight * distance, self.value]
    }

    /// Two values for each of two averages: what [`Self::two`] gives for one and the other.
    #[inline(always)]
    pub(crate) fn two_by_two(fast: &mut Self, slow: &mut Self, [a, b]: [f64; 2]) -> [[f64; 2]; 2] {
        let weight = [fast.weight, slow.weight];
        let both = [fast.both, slow.both];
        let before = [fast.value, slow.value];
        let distance = before.map(|m| a - m);
        let first = [0, 1].map(|k| before[k] + weight[k] * distance[k]);
        let second =
            [0, 1].map(|k| (before[k] + (weight[k] * b - weight[k] * a)) + both[k] * distance[k]);
        (fast.value, slow.value) = (second[0], second[1]);
        [first, second]
    }

    /// The averages from the first one on.
    pub(crate) fn all(mut self, values: &[f64]) -> Vec<f64> {
        let mut out = Vec::with_capacity(values.len());
        let mut rest = values;
        while !self.begun() || self.second {
            let Some((x, later)) = rest.split_first() else {
                return out;
            };
            out.extend(self.push(*x));
            rest = later;
        }
        let (twos, last) = rest.as_chunks::<2>();
        for (two, out) in twos.iter().zip(further(&mut out, twos.len())) {
            *out = self.two(*two);
        }
        out.extend(last.iter().filter_map(|x| self.push(*x)));
        out
    }
}

/// Room for so many twos at the end of values: to be written in a loop without a call, so that what the loop
/// carries stays in registers.
pub(crate) fn further(values: &mut Vec<f64>, twos: usize) -> &mut [[f64; 2]] {
    let start = values.len();
    values.resize(start + 2 * twos, 0.0);
    values[start..].as_chunks_mut().0
}

/// A state of averages of closes, fed with two bars at a time.
pub(crate) trait ByTwo<const N: usize>: State<Row = [Option<f64>; N]> {
    /// Whether every average has begun.
    fn warm(&self) -> bool;

    /// What [`State::push`] gives after each of two bars, output by output, to the bit; the number of the
    /// first of them is even.
    fn two(&mut self, close: [f64; 2]) -> [[f64; 2]; N];
}

/// The columns of a whole history: two bars at a time once the state is warm.
#[inline(always)]
pub(crate) fn by_two<S: ByTwo<N>, const N: usize>(
    mut state: S,
    bars: &Feed<'_>,
) -> Vec<Vec<Option<f64>>> {
    let (twos, last) = bars.close().as_chunks::<2>();
    let mut columns: [Vec<Option<f64>>; N] = std::array::from_fn(|_| vec![None; bars.len()]);
    let mut places = columns
        .each_mut()
        .map(|column| column.as_chunks_mut::<2>().0.iter_mut());
    let bar = |close: f64| Bar {
        close,
        ..Bar::default()
    };
    let mut twos = twos.iter();
    while !state.warm() {
        let Some([a, b]) = twos.next() else {
            break;
        };
        let (a, b) = (state.push(&bar(*a)), state.push(&bar(*b)));
        for (place, (a, b)) in places.iter_mut().zip(a.into_iter().zip(b)) {
            if let Some(place) = place.next() {
                *place = [a, b];
            }
        }
    }
    // A variable of its own, that no call sees, can live in registers.
    let mut fast = state;
    for two in twos {
        for (place, two) in places.iter_mut().zip(fast.two(*two)) {
            if let Some(place) = place.next() {
                *place = two.map(Some);
            }
        }
    }
    if let [close] = last {
        let row = fast.push(&bar(*close));
        for (column, value) in columns.iter_mut().zip(row) {
            if let Some(place) = column.last_mut() {
                *place = value;
            }
        }
    }
    columns.into()
}

/// A recursive average m = (1 - weight) · m + weight · x that starts as the mean of some values.
///
/// As [`Recursive`], in blocks of four, each average of a block said by the average before it and the values
/// since. Quicker, but an average of values that are all the same is the same but for rounding.
#[derive(Clone, Copy)]
pub(crate) struct Blend {
    /// The weights of a value that is none to three values old.
    weights: [f64; 4],
    /// What is left of an average after one to four values.
    kept: [f64; 4],
    period: usize,
    seen: usize,
    /// The sum at first, then the average before the present block.
    value: f64,
    /// Where in its block the next value is, and the values before it there.
    place: usize,
    held: [f64; 3],
}

impl Blend {
    /// Wilder's average, weight 1/period.
    pub(crate) fn wilder(period: usize) -> Self {
        Self::new(1.0 / period as f64, period)
    }

    /// An average with that weight that starts as the mean of so many values.
    pub(crate) fn new(weight: f64, period: usize) -> Self {
        let one = 1.0 - weight;
        let two = one * one;
        let kept = [one, two, one * two, two * two];
        Self {
            weights: [weight, one * weight, two * weight, kept[2] * weight],
            kept,
            period,
            seen: 0,
            value: 0.0,
            place: 0,
            held: [0.0; 3],
        }
    }

    /// The same, whose first value comes with that bar (the first bar is 0).
    pub(crate) fn starting_at(mut self, bar: usize) -> Self {
        self.place = bar % 4;
        self
    }

    #[inline]
    pub(crate) fn push(&mut self, x: f64) -> Option<f64> {
        let place = self.place;
        self.place = (place + 1) % 4;
        if self.seen == self.period {
            let [a, b, c] = self.held;
            let now = self.block([a, b, c, x], place);
            match self.held.get_mut(place) {
                Some(held) => *held = x,
                None => self.value = now,
            }
            return Some(now);
        }
        self.value += x;
        self.seen += 1;
        if self.seen < self.period {
            return None;
        }
        self.value /= self.period as f64;
        // What of the block is over counts as if it had been the average.
        self.held = [self.value; 3];
        Some(self.value)
    }

    /// The average at a place of a block; the last of the values is that of the place.
    #[inline(always)]
    fn block(&self, [a, b, c, x]: [f64; 4], place: usize) -> f64 {
        let [w0, w1, w2, w3] = self.weights;
        let new = match place {
            0 => w0 * x,
            1 => w1 * a + w0 * x,
            2 => (w2 * a + w1 * b) + w0 * x,
            _ => (w3 * a + w2 * b) + (w1 * c + w0 * x),
        };
        self.kept[place] * self.value + new
    }

    /// A block, once the average has begun: what [`Self::push`] gives after each value, to the bit.
    #[inline(always)]
    fn four(&mut self, [a, b, c, d]: [f64; 4]) -> [f64; 4] {
        let now = [
            self.block([0.0, 0.0, 0.0, a], 0),
            self.block([a, 0.0, 0.0, b], 1),
            self.block([a, b, 0.0, c], 2),
            self.block([a, b, c, d], 3),
        ];
        self.value = now[3];
        now
    }

    /// The averages from the first one on.
    pub(crate) fn all(self, values: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; (values.len() + 1).saturating_sub(self.period)];
        self.write(values, &mut out, |x| x);
        out
    }

    /// Writes the averages from the first one on, each made into something, as far as there is room.
    #[inline(always)]
    fn write<T>(mut self, values: &[f64], out: &mut [T], make: impl Fn(f64) -> T) {
        let mut rest = values;
        let mut done = 0;
        while self.seen != self.period || self.place != 0 {
            let Some((x, later)) = rest.split_first() else {
                return;
            };
            if let Some(average) = self.push(*x)
                && let Some(place) = out.get_mut(done)
            {
                *place = make(average);
                done += 1;
            }
            rest = later;
        }
        let (fours, last) = rest.as_chunks::<4>();
        let (places, end) = out.split_at_mut(done).1.as_chunks_mut::<4>();
        // A variable of its own, that no call sees, can live in registers.
        let mut fast = self;
        for (four, place) in fours.iter().zip(places) {
            *place = fast.four(*four).map(&make);
        }
        for (x, place) in last.iter().zip(end) {
            if let Some(average) = fast.push(*x) {
                *place = make(average);
            }
        }
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

/// For each value but the first few, the best of it and those before it, so many in all. `best` picks the
/// same number in any order.
#[inline(always)]
fn best_of_last(values: &[f64], period: usize, best: impl Fn(f64, f64) -> f64 + Copy) -> Vec<f64> {
    if values.len() < period {
        return Vec::new();
    }
    // Of one value, then of more: each is the best of some that stand side by side or overlap.
    let mut width = 1;
    let mut now: Vec<f64> = if period == 1 {
        values.iter().map(|v| unsigned(*v)).collect()
    } else {
        width = 2;
        let twos = values.iter().zip(from(values, 1));
        twos.map(|(a, b)| best(unsigned(*a), unsigned(*b)))
            .collect()
    };
    let mut next = Vec::with_capacity(now.len());
    while width < period {
        next.clear();
        let by = |k: usize| from(&now, k * width);
        if 4 * width <= period {
            let near = now.iter().zip(by(1)).map(|(a, b)| best(*a, *b));
            let far = by(2).iter().zip(by(3)).map(|(a, b)| best(*a, *b));
            next.extend(near.zip(far).map(|(a, b)| best(a, b)));
            width *= 4;
        } else {
            let step = width.min(period - width);
            next.extend(now.iter().zip(from(&now, step)).map(|(a, b)| best(*a, *b)));
            width += step;
        }
        std::mem::swap(&mut now, &mut next);
    }
    now
}

/// The number, and 0 for -0: so that the larger of two numbers is the same whichever comes first.
#[inline]
fn unsigned(x: f64) -> f64 {
    x + 0.0
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

    pub(crate) fn period(&self) -> usize {
        self.block.len()
    }

    /// Highest highs and lowest lows of a whole history, from the first bar that has them: what
    /// [`Self::push`] gives, to the bit.
    pub(crate) fn all(&self, bars: &Feed<'_>) -> (Vec<f64>, Vec<f64>) {
        let period = self.period();
        (
            best_of_last(bars.high(), period, larger),
            best_of_last(bars.low(), period, smaller),
        )
    }

    /// Highest and lowest, once there are enough bars.
    #[inline]
    pub(crate) fn push(&mut self, bar: &Bar) -> Option<(f64, f64)> {
        let here = (unsigned(bar.high), unsigned(bar.low));
        self.block[self.next] = here;
        self.next += 1;
        self.best = wider(self.best, here);
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
        Some(Self::of(bar.high, bar.low, last))
    }

    #[inline]
    fn of(high: f64, low: f64, last: f64) -> f64 {
        larger(high, last) - smaller(low, last)
    }

    /// The ranges of a whole history, from the second bar on: what [`Self::push`] gives, to the bit.
    pub(crate) fn all(bars: &Feed<'_>) -> Vec<f64> {
        let later = from(bars.high(), 1).iter().zip(from(bars.low(), 1));
        let later = later.zip(bars.close());
        later
            .map(|((high, low), last)| Self::of(*high, *low, *last))
            .collect()
    }
}

/// Average true range, Wilder's.
pub(crate) struct Atr {
    range: TrueRange,
    average: Blend,
}

impl Atr {
    pub(crate) fn new(period: usize) -> Self {
        Self {
            range: TrueRange::default(),
            average: Blend::wilder(period).starting_at(1),
        }
    }

    /// Bars before the first average.
    pub(crate) fn lead(&self) -> usize {
        self.average.period
    }

    /// The averages of a whole history, from the first one on: what [`Self::push`] gives, to the bit.
    pub(crate) fn all(self, bars: &Feed<'_>) -> Vec<f64> {
        self.average.all(&TrueRange::all(bars))
    }

    /// The averages as a column.
    pub(crate) fn column(self, bars: &Feed<'_>) -> Vec<Option<f64>> {
        let mut out = vec![None; bars.len()];
        let (_, values) = out.split_at_mut(self.lead().min(bars.len()));
        self.average.write(&TrueRange::all(bars), values, Some);
        out
    }

    #[inline]
    pub(crate) fn push(&mut self, bar: &Bar) -> Option<f64> {
        self.average.push(self.range.push(bar)?)
    }
}

/// Accumulation/distribution: volume by where the close lies between low and high, summed.
#[derive(Default)]
pub(crate) struct Distribution(Total);

impl Distribution {
    #[inline]
    pub(crate) fn push(&mut self, bar: &Bar) -> f64 {
        self.0
            .push(Self::of(bar.high, bar.low, bar.close, bar.volume))
    }

    #[inline]
    fn of(high: f64, low: f64, close: f64, volume: f64) -> f64 {
        let range = high - low;
        let place = (close - low) - (high - close);
        let by = place / range * volume;
        if range > 0.0 { by } else { 0.0 }
    }

    /// What each bar of a whole history adds.
    pub(crate) fn parts(bars: &Feed<'_>) -> Vec<f64> {
        let bars = bars
            .high()
            .iter()
            .zip(bars.low())
            .zip(bars.close())
            .zip(bars.volume());
        let each =
            bars.map(|(((high, low), close), volume)| Self::of(*high, *low, *close, *volume));
        each.collect()
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
