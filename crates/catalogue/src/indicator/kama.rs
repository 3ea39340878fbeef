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

use super::engine::{Last, Window};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Field, FitError, Inputs, State, Streamed, params,
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
    /// Sum of the last period absolute changes, how many of them are not 0, and the one that leaves next.
    moved: f64,
    moves: usize,
    leaving: f64,
    value: f64,
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
        self.moves -= usize::from(self.leaving != 0.0);
        // What rounding has left of changes that are gone is nothing.
        self.moved = if self.moves == 0 {
            0.0
        } else {
            self.moved - self.leaving
        };
        self.moves += usize::from(change != 0.0);
        self.moved += change;
        let Some(old) = old else {
            self.value = close;
            return [None];
        };
        self.leaving = (self.window.oldest() - old).abs();
        let moved = self.moved;
        let net = close - old;
        let efficiency = if moved <= net {
            1.0
        } else {
            (net / moved).abs()
        };
        let root = efficiency * (FASTEST - SLOWEST) + SLOWEST;
        self.value += root * root * (close - self.value);
        [Some(self.value)]
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
            moved: 0.0,
            moves: 0,
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
