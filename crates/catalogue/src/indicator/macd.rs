//! Moving average convergence divergence.
//!
//! What: the distance of a fast from a slow exponential average, and its own average.
//! Formula: MACD = EMA(fast) - EMA(slow); signal = EMA of it; histogram = MACD - signal.
//! Data: closes; nothing before slow + signal - 1 of them.
//! Cost: O(bars).
//! Fails when: prices of different levels are compared: it is in price units.
//! Source: Appel, Technical Analysis: Power Tools for Active Investors (2005).
//! Not claimed: that crossings earn money.

use super::engine::{ByTwo, Recursive, by_two};
use mltrainer_catalogue_core::ParamError;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Macd;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Macd>();

params! {
    /// Parameters.
    pub struct MacdParams {
        /// Span of the fast average; less than slow.
        fast: usize = 12, within(2.0, 100_000.0);
        /// Span of the slow average.
        slow: usize = 26, within(2.0, 100_000.0);
        /// Span of the average of the difference.
        signal: usize = 9, within(1.0, 100_000.0);
    }
}

/// After some bars.
pub struct MacdState {
    fast: Recursive,
    slow: Recursive,
    signal: Recursive,
}

impl State for MacdState {
    type Row = [Option<f64>; 3];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 3] {
        let fast = self.fast.push(bar.close);
        let slow = self.slow.push(bar.close);
        let row = fast.zip(slow).and_then(|(fast, slow)| {
            let macd = fast - slow;
            Some((macd, self.signal.push(macd)?))
        });
        match row {
            Some((macd, signal)) => [Some(macd), Some(signal), Some(macd - signal)],
            None => [None; 3],
        }
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        by_two(self, bars)
    }
}

impl ByTwo<3> for MacdState {
    #[inline]
    fn warm(&self) -> bool {
        self.signal.begun()
    }

    #[inline(always)]
    fn two(&mut self, close: [f64; 2]) -> [[f64; 2]; 3] {
        let both = Recursive::two_by_two(&mut self.fast, &mut self.slow, close);
        let macd = both.map(|[fast, slow]| fast - slow);
        let signal = self.signal.two(macd);
        [macd, signal, [macd[0] - signal[0], macd[1] - signal[1]]]
    }
}

const CARD: Card = Card {
    id: "macd",
    family: "indicator",
    title: "Moving average convergence divergence",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "The distance of a fast from a slow exponential average of the close, its own average (the signal), and what lies between them.",
    formula: "macd = EMA(close, fast) - EMA(close, slow); signal = EMA(macd, signal); histogram = macd - signal. Both averages start at bar slow - 1, each as the mean of its own last closes; everything is null until the signal exists, at bar slow + signal - 2",
    data: "Closes.",
    cost: "O(bars)",
    fails_when: "Prices of different levels are compared: it is in price units. It lags.",
    not_claimed: "That crossing its signal predicts a return.",
    source: "G. Appel, Technical Analysis: Power Tools for Active Investors (2005)",
    reference: "TA-Lib 0.8, MACD",
    outputs: &[
        (
            "macd",
            "price units, one a bar, null for the first slow + signal - 2 bars",
        ),
        ("signal", "price units, likewise"),
        ("histogram", "price units, likewise"),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, MACD",
            cases: "macd-12-26-9-ibm, macd-5-35-5-aapl",
            tolerance: "1e-7 relative",
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

impl Streamed for Macd {
    type Params = MacdParams;
    type State = MacdState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::Close];

    fn start(params: &MacdParams) -> Result<MacdState, FitError> {
        let MacdParams { fast, slow, signal } = *params;
        if fast >= slow {
            return Err(FitError::Param(ParamError {
                field: "fast".into(),
                reason: format!("{fast} must be less than slow, which is {slow}"),
                suggestions: Vec::new(),
            }));
        }
        Ok(MacdState {
            // Both averages give their first value at the same bar.
            fast: Recursive::ema_after(fast, slow - fast),
            slow: Recursive::ema(slow),
            signal: Recursive::ema(signal).starting_at(slow - 1),
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
        let params = MacdParams {
            fast: 2,
            slow: 3,
            signal: 2,
        };
        // At bar 2: fast (2 + 6)/2 = 4, slow (1 + 2 + 6)/3 = 3: 1. At bar 3: fast 4 + 2/3 · (1 - 4) = 2,
        // slow 3 + 1/2 · (1 - 3) = 2: 0. Signal at bar 3: (1 + 0)/2.
        let columns = Macd::compute(&params, &closes(&[1.0, 2.0, 6.0, 1.0])).unwrap();
        assert_eq!(columns[0].1, [None, None, None, Some(0.0)]);
        assert_eq!(columns[1].1[3], Some(0.5));
        assert_eq!(columns[2].1[3], Some(-0.5));
        let few = Macd::compute(&params, &closes(&[1.0])).unwrap();
        assert_eq!(few[0].1, [None]);
    }

    #[test]
    fn a_fast_average_must_be_faster() {
        let params = MacdParams {
            fast: 26,
            slow: 12,
            signal: 9,
        };
        let refused = Macd::compute(&params, &closes(&[1.0])).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "parameter fast: 26 must be less than slow, which is 12"
        );
    }
}
