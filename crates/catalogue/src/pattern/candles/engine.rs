//! What a candle is, what long, short, near and equal mean, and the state that runs a pattern.
//!
//! A setting compares a candle with the mean of a measure over the candles right before it. The sums
//! behind these means are kept by adding the newest measure less the oldest one, for each candle of
//! a pattern on its own and from the first bar on which the pattern can appear: the order of
//! operations of TA-Lib, so that rounding decides ties as it does there.

use mltrainer_catalogue_core::{Bar, Feed};

/// A bar as a candle.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Candle {
    pub(crate) open: f64,
    pub(crate) high: f64,
    pub(crate) low: f64,
    pub(crate) close: f64,
}

impl Candle {
    /// Whether it closes at or above its open.
    pub(crate) fn white(&self) -> bool {
        self.close >= self.open
    }

    /// Whether it closes below its open.
    pub(crate) fn black(&self) -> bool {
        !self.white()
    }

    /// 1 when white, -1 when black.
    pub(crate) fn color(&self) -> i32 {
        if self.white() { 1 } else { -1 }
    }

    pub(crate) fn body(&self) -> f64 {
        (self.close - self.open).abs()
    }

    /// Upper end of the body.
    pub(crate) fn top(&self) -> f64 {
        if self.close > self.open {
            self.close
        } else {
            self.open
        }
    }

    /// Lower end of the body.
    pub(crate) fn bottom(&self) -> f64 {
        if self.close < self.open {
            self.close
        } else {
            self.open
        }
    }

    /// Length of the upper shadow.
    pub(crate) fn upper(&self) -> f64 {
        self.high - self.top()
    }

    /// Length of the lower shadow.
    pub(crate) fn lower(&self) -> f64 {
        self.bottom() - self.low
    }

    pub(crate) fn range(&self) -> f64 {
        self.high - self.low
    }

    /// Whether the body lies above that of another candle.
    pub(crate) fn gaps_up(&self, from: &Self) -> bool {
        self.bottom() > from.top()
    }

    /// Whether the body lies below that of another candle.
    pub(crate) fn gaps_down(&self, from: &Self) -> bool {
        self.top() < from.bottom()
    }

    /// Whether the body lies inside that of another candle, neither end equal.
    pub(crate) fn inside(&self, other: &Self) -> bool {
        self.top() < other.top() && self.bottom() > other.bottom()
    }
}

/// What is averaged.
#[derive(Debug, Clone, Copy)]
enum Measure {
    Body,
    Range,
    /// Both shadows.
    Shadows,
}

/// A length to compare with: a multiple of the mean of a measure over the candles before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    measure: Measure,
    period: usize,
    factor: f64,
}

impl Setting {
    const fn new(measure: Measure, period: usize, factor: f64) -> Self {
        Self {
            measure,
            period,
            factor,
        }
    }

    fn of(&self, candle: &Candle) -> f64 {
        match self.measure {
            Measure::Body => candle.body(),
            Measure::Range => candle.range(),
            Measure::Shadows => candle.upper() + candle.lower(),
        }
    }

    fn average(&self, sum: f64) -> f64 {
        let average = self.factor * (sum / self.period as f64);
        match self.measure {
            Measure::Shadows => average / 2.0,
            _ => average,
        }
    }
}

/// A longer body is long.
pub(crate) const BODY_LONG: Setting = Setting::new(Measure::Body, 10, 1.0);
/// A shorter body is short.
pub(crate) const BODY_SHORT: Setting = Setting::new(Measure::Body, 10, 1.0);
/// A body of no more than this is a doji's.
pub(crate) const BODY_DOJI: Setting = Setting::new(Measure::Range, 10, 0.1);
/// A shorter shadow is short. (A long one is longer than the body beside it, a very long one more than
/// twice as long: these need no average.)
pub(crate) const SHADOW_SHORT: Setting = Setting::new(Measure::Shadows, 10, 1.0);
/// A shorter shadow is very short.
pub(crate) const SHADOW_VERY_SHORT: Setting = Setting::new(Measure::Range, 10, 0.1);
/// Prices no further apart are near.
pub(crate) const NEAR: Setting = Setting::new(Measure::Range, 5, 0.2);
/// Prices further apart are far.
pub(crate) const FAR: Setting = Setting::new(Measure::Range, 5, 0.6);
/// Prices no further apart are equal.
pub(crate) const EQUAL: Setting = Setting::new(Measure::Range, 5, 0.05);

/// Most averages that a pattern has.
const AVERAGES: usize = 9;

/// The averages of a pattern, in the order of its table; the rest is 0.
pub(crate) type Averages = [f64; AVERAGES];

/// How a pattern says that it is there: 100 or 80 for rising prices, the negative for falling ones,
/// 0 for nothing.
pub(crate) enum Rule {
    /// From the last candles and their averages.
    Shape(fn(&Candles<'_>, &Averages) -> i32),
    /// The same, with the penetration.
    Penetrated(fn(&Candles<'_>, &Averages, f64) -> i32),
    /// With what an earlier candle has left to be confirmed.
    Watched(fn(&Candles<'_>, &Averages, &mut Watch) -> i32),
}

/// A pattern of the table.
pub(crate) struct Pattern {
    /// TA-Lib's name without CDL, in lower case.
    pub(crate) name: &'static str,
    /// Bars at the start that have no signal.
    pub(crate) lookback: usize,
    /// Bars before the end of the lookback from which candles are watched all the same.
    pub(crate) early: usize,
    /// Which lengths are compared with, each with how many candles ago the candle compared is.
    pub(crate) averages: &'static [(Setting, usize)],
    /// The default penetration, where there is one.
    pub(crate) penetration: Option<f64>,
    /// The shape.
    pub(crate) rule: Rule,
}

impl Pattern {
    /// A shape.
    pub(crate) const fn shape(
        name: &'static str,
        lookback: usize,
        averages: &'static [(Setting, usize)],
        shape: fn(&Candles<'_>, &Averages) -> i32,
    ) -> Self {
        Self {
            name,
            lookback,
            early: 0,
            averages,
            penetration: None,
            rule: Rule::Shape(shape),
        }
    }

    /// A shape with a penetration.
    pub(crate) const fn penetrated(
        name: &'static str,
        lookback: usize,
        averages: &'static [(Setting, usize)],
        penetration: f64,
        shape: fn(&Candles<'_>, &Averages, f64) -> i32,
    ) -> Self {
        Self {
            penetration: Some(penetration),
            rule: Rule::Penetrated(shape),
            ..Self::shape(name, lookback, averages, |_, _| 0)
        }
    }
}

/// 100 where something holds.
pub(crate) fn bullish(holds: bool) -> i32 {
    if holds { 100 } else { 0 }
}

/// -100 where something holds.
pub(crate) fn bearish(holds: bool) -> i32 {
    -bullish(holds)
}

/// Candles kept: the longest pattern and the longest average before it.
const KEPT: usize = 16;

/// The last candles, the present one last: opens, highs, lows and closes.
#[derive(Clone, Copy)]
pub(crate) struct Candles<'a>([&'a [f64; KEPT]; 4]);

/// What is seen before the first bar.
const NOTHING: [f64; KEPT] = [0.0; KEPT];

impl<'a> Candles<'a> {
    /// The candles of slices as long as what is kept.
    #[inline(always)]
    fn of(columns: [&'a [f64]; 4]) -> Self {
        Self(columns.map(|column| column.first_chunk().unwrap_or(&NOTHING)))
    }

    /// The candle so many ago; 0 is the present one.
    #[inline(always)]
    fn ago(&self, back: usize) -> Candle {
        let [open, high, low, close] = self.0.map(|column| column[(KEPT - 1 - back) % KEPT]);
        Candle {
            open,
            high,
            low,
            close,
        }
    }

    /// The last candles, the present one last.
    pub(crate) fn last<const N: usize>(&self) -> [Candle; N] {
        std::array::from_fn(|i| self.ago(N - 1 - i))
    }
}

/// The last candles, kept twice so that they always stand in a row.
struct Ring {
    columns: [[f64; 2 * KEPT]; 4],
    seen: usize,
}

impl Ring {
    fn push(&mut self, bar: &Bar) {
        let place = self.seen % KEPT;
        let values = [bar.open, bar.high, bar.low, bar.close];
        for (column, value) in self.columns.iter_mut().zip(values) {
            column[place] = value;
            column[place + KEPT] = value;
        }
        self.seen += 1;
    }

    fn last(&self) -> Candles<'_> {
        let start = self.seen % KEPT;
        Candles::of(self.columns.each_ref().map(|column| &column[start..]))
    }
}

/// A pattern that waits for its confirmation.
#[derive(Default)]
pub(crate) struct Watch {
    /// 100 or -100 while it waits.
    pub(crate) signal: i32,
    /// What a close must get beyond.
    pub(crate) beyond: f64,
    /// Candles that may still confirm it.
    pub(crate) left: usize,
}

/// A pattern as a type.
pub(super) trait Table {
    /// The pattern.
    const PATTERN: Pattern;
}

/// What runs a pattern, made for each on its own: its settings are known when it is compiled.
#[derive(Clone, Copy)]
pub(super) struct Run {
    /// Takes the next bar and gives the signal after it.
    push: fn(&mut Track, &Bar) -> i32,
    /// The signals of a whole history, each bar pushed in turn.
    all: fn(Track, &Feed<'_>) -> Vec<Option<f64>>,
}

impl Run {
    pub(super) const fn of<T: Table>() -> Self {
        Self {
            push: push::<T>,
            all: all::<T>,
        }
    }
}

/// A pattern after some bars.
pub(crate) struct CandleState {
    run: Run,
    track: Track,
}

/// What a pattern remembers.
pub(super) struct Track {
    candles: Ring,
    seen: Seen,
}

/// What it remembers beside the candles.
struct Seen {
    penetration: f64,
    sums: Averages,
    watch: Watch,
}

impl CandleState {
    pub(super) fn start(pattern: &Pattern, run: Run, penetration: Option<f64>) -> Self {
        Self {
            run,
            track: Track {
                candles: Ring {
                    columns: [[0.0; 2 * KEPT]; 4],
                    seen: 0,
                },
                seen: Seen {
                    penetration: penetration.or(pattern.penetration).unwrap_or(0.0),
                    sums: [0.0; AVERAGES],
                    watch: Watch::default(),
                },
            },
        }
    }

    /// Takes the next bar and gives the signal after it.
    #[inline]
    pub(crate) fn push(&mut self, bar: &Bar) -> i32 {
        (self.run.push)(&mut self.track, bar)
    }

    /// The signals of a whole history.
    pub(crate) fn all(self, bars: &Feed<'_>) -> Vec<Option<f64>> {
        (self.run.all)(self.track, bars)
    }
}

/// Takes the next bar and gives the signal after it.
#[inline]
fn push<T: Table>(track: &mut Track, bar: &Bar) -> i32 {
    let t = track.candles.seen;
    track.candles.push(bar);
    look::<T>(&mut track.seen, &track.candles.last(), t)
}

/// The signals of a whole history, each bar looked at in turn.
fn all<T: Table>(mut track: Track, bars: &Feed<'_>) -> Vec<Option<f64>> {
    let mut signals = Vec::with_capacity(bars.len());
    let known = |signal: i32| Some(f64::from(signal));
    let first = bars.iter().take(KEPT - 1);
    signals.extend(first.map(|bar| known(push::<T>(&mut track, &bar))));
    // A variable of its own, that no call sees, can live in registers.
    let mut seen = track.seen;
    let [open, high, low, close] =
        [bars.open(), bars.high(), bars.low(), bars.close()].map(|column| column.windows(KEPT));
    let rest = open.zip(high).zip(low).zip(close);
    signals.extend(rest.map(move |(((open, high), low), close)| {
        // Every pattern is past its first bars here.
        const { assert!(T::PATTERN.lookback < KEPT) };
        known(look::<T>(
            &mut seen,
            &Candles::of([open, high, low, close]),
            KEPT,
        ))
    }));
    signals
}

/// The signal after the last of the candles, before which there were so many bars.
#[inline(always)]
fn look<T: Table>(track: &mut Seen, candles: &Candles<'_>, t: usize) -> i32 {
    let pattern = const { &T::PATTERN };
    // The first bar on which the shape is looked at; the sums hold what lies before it.
    let start = pattern.lookback - pattern.early;
    if t < start {
        for (sum, (setting, back)) in track.sums.iter_mut().zip(pattern.averages) {
            if t + setting.period >= start {
                *sum += setting.of(&candles.ago(*back));
            }
        }
        return 0;
    }
    let mut averages = [0.0; AVERAGES];
    for (i, (setting, _)) in pattern.averages.iter().enumerate() {
        averages[i] = setting.average(track.sums[i]);
    }
    let signal = match &pattern.rule {
        Rule::Shape(shape) => shape(candles, &averages),
        Rule::Penetrated(shape) => shape(candles, &averages, track.penetration),
        Rule::Watched(shape) => shape(candles, &averages, &mut track.watch),
    };
    for (sum, (setting, back)) in track.sums.iter_mut().zip(pattern.averages) {
        let new = setting.of(&candles.ago(*back));
        *sum += new - setting.of(&candles.ago(*back + setting.period));
    }
    if t < pattern.lookback { 0 } else { signal }
}
