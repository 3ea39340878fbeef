//! Kaufman adaptive moving average.
//!
//! What: an exponential average of the close that is fast while prices go straight and slow while they
//! go to and fro.
//! Formula: KAMA(t) = KAMA(t-1) + s · (close(t) - KAMA(t-1)), s between the squares of 2/3 and 2/31 by
//! the ratio of net to total movement.
//! Data: closes.
//! Cost: O(bars).
//! Fails when: it is read as a forecast: it lags.
//! Source: P. J. Kaufman, Smarter Trading (1995).
//! Not claimed: that crossing it predicts a return.

use super::engine::{Last, Rolling, Window, from};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Kama;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Kama>();

params! {
    /// Parameters.
    pub struct KamaParams {
        /// Changes by which the movement is judged.
        period: usize = 30, within(1.0, 100_000.0);
    }
}

/// After some bars.
pub struct KamaState {
    /// Closes of the last period bars.
    window: Window,
    period: usize,
    last: Last,
    /// Absolute changes of the last period bars, and the one that leaves next.
    moved: Rolling,
    leaving: f64,
    value: f64,
}

/// The weight of a close, by the net change and the sum of changes.
#[inline(always)]
fn weight(net: f64, moved: f64) -> f64 {
    let part = (net / moved).abs();
    let efficiency = if moved <= net { 1.0 } else { part };
    let root = efficiency * (FASTEST - SLOWEST) + SLOWEST;
    root * root
}

/// The average nearer to the close.
#[inline(always)]
fn nearer(value: f64, close: f64, weight: f64) -> f64 {
    value + weight * (close - value)
}

impl State for KamaState {
    type Row = [Option<f64>; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        let close = bar.close;
        if self.period == 1 {
            return [Some(close)];
        }
        let last = self.last.push(close);
        let old = self.window.push(close);
        let change = last.map_or(0.0, |last| (close - last).abs());
        let moved = self.moved.change(change, self.leaving);
        let Some(old) = old else {
            self.value = close;
            return [None];
        };
        self.leaving = (self.window.oldest() - old).abs();
        self.value = nearer(self.value, close, weight(close - old, moved));
        [Some(self.value)]
    }

    fn columns(mut self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        let (close, period) = (bars.close(), self.period);
        let mut out = Vec::with_capacity(close.len());
        // One bar more than the warm-up, so that a change leaves with each that comes.
        let (first, _) = close.split_at(close.len().min(period + 1));
        for close in first {
            let bar = Bar {
                close: *close,
                ..Bar::default()
            };
            out.push(self.push(&bar)[0]);
        }
        if period == 1 {
            out.extend(from(close, first.len()).iter().map(|close| Some(*close)));
            return vec![out];
        }
        let (mut moved, mut value) = (self.moved, self.value);
        let news = from(close, period).windows(2);
        let values = news.zip(close.windows(2)).map(move |(new, old)| {
            let change = (new[1] - new[0]).abs();
            let moved = moved.change(change, (old[1] - old[0]).abs());
            value = nearer(value, new[1], weight(new[1] - old[1], moved));
            Some(value)
        });
        out.extend(values);
        vec![out]
    }
}

/// Weights of exponential averages of 2 and of 30 bars.
const FASTEST: f64 = 2.0 / 3.0;
const SLOWEST: f64 = 2.0 / 31.0;

const CARD: Card = Card {
    id: "kama",
    family: "indicator",
    title: "Kaufman adaptive moving average",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "An exponential average of the close that is fast while prices go straight and slow while they go to and fro.",
    formula: "E = |close(t) - close(t - period)| / Σ |close(i) - close(i - 1)| over the last period changes; s = (E (2/3 - 2/31) + 2/31)²; KAMA(t) = KAMA(t - 1) + s (close(t) - KAMA(t - 1)), started with close(period - 1). E is 1 where nothing moved, or where the close rose at least as much as all changes sum to",
    data: "Closes.",
    cost: "O(bars)",
    fails_when: "It is read as a forecast: it lags.",
    not_claimed: "That crossing it predicts a return.",
    source: "P. J. Kaufman, Smarter Trading (1995)",
    reference: "TA-Lib 0.8, KAMA",
    outputs: &[(
        "kama",
        "price units, one a bar, null for the first period bars; for period 1 the close",
    )],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, KAMA",
            cases: "kama-10-ibm, kama-30-aapl",
            tolerance: "1e-8 relative",
        },
        Evidence {
            against: "TA-Lib 0.8.2 (C library 0.8.1) on bundled bars",
            cases: "crates/trials/tests/it/indicators.rs: periods 2 to 200 on three symbols, flat prices, zero volume, series shorter than the warm-up",
            tolerance: "1e-9 relative",
        },
    ],
    presets: &[],
    exemptions: &[],
};

impl Streamed for Kama {
    type Params = KamaParams;
    type State = KamaState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::Close];

    fn start(params: &KamaParams) -> Result<KamaState, FitError> {
        Ok(KamaState {
            window: Window::new(params.period),
            period: params.period,
            last: Last::default(),
            moved: Rolling::new(params.period),
            leaving: 0.0,
            value: 0.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_catalogue_core::{Bars, Indicator};

    fn closes(close: &[f64]) -> Bars {
        Bars {
            close: close.to_vec(),
            ..Bars::default()
        }
    }

    #[test]
    fn by_hand() {
        // Starts with 3. Net 1 of 3 moved: root 1/3 · (2/3 - 2/31) + 2/31; then -4 of 4.
        let series = closes(&[1.0, 3.0, 2.0, -1.0]);
        let columns = Kama::compute(&KamaParams { period: 2 }, &series).unwrap();
        let step = |from: f64, to: f64, efficiency: f64| {
            let root = efficiency * (2.0 / 3.0 - 2.0 / 31.0) + 2.0 / 31.0;
            from + root * root * (to - from)
        };
        let first = step(3.0, 2.0, 1.0 / 3.0);
        let second = step(first, -1.0, 1.0);
        assert_eq!(columns[0].1[..2], [None, None]);
        for (got, want) in columns[0].1[2..].iter().zip([first, second]) {
            assert!((got.unwrap() - want).abs() < 1e-12, "{got:?} {want}");
        }
    }
}
