//! Exponential moving average.
//!
//! What: a mean of closes in which each older one counts less by a constant factor.
//! Formula: EMA(t) = EMA(t-1) + 2/(period + 1) · (close(t) - EMA(t-1)).
//! Data: closes; starts as the mean of the first `period`.
//! Cost: O(bars).
//! Fails when: used as a forecast: it lags.
//! Source: Murphy, Technical Analysis of the Financial Markets (1999), chapter 9.
//! Not claimed: that crossings earn money.

use super::engine::{ByTwo, Recursive, by_two};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Ema;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Ema>();

params! {
    /// Parameters.
    pub struct EmaParams {
        /// Span: a close counts 1 - 2/(period + 1) times as much as the one after it.
        period: usize = 30, within(1.0, 100_000.0);
    }
}

/// After some bars.
pub struct EmaState(Recursive);

impl State for EmaState {
    type Row = [Option<f64>; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        [self.0.push(bar.close)]
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        by_two(self, bars)
    }
}

impl ByTwo<1> for EmaState {
    #[inline]
    fn warm(&self) -> bool {
        self.0.begun()
    }

    #[inline(always)]
    fn two(&mut self, close: [f64; 2]) -> [[f64; 2]; 1] {
        [self.0.two(close)]
    }
}

const CARD: Card = Card {
    id: "ema",
    family: "indicator",
    title: "Exponential moving average",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "A mean of closes in which each older one counts less by a constant factor.",
    formula: "EMA(t) = EMA(t - 1) + k (close(t) - EMA(t - 1)), k = 2/(period + 1); EMA(period - 1) = mean of the first period closes",
    data: "Closes.",
    cost: "O(bars)",
    fails_when: "It is read as a forecast: it lags. Its first values depend on where the series starts.",
    not_claimed: "That crossing it predicts a return.",
    source: "J. J. Murphy, Technical Analysis of the Financial Markets (1999), chapter 9",
    reference: "TA-Lib 0.8, EMA",
    outputs: &[(
        "ema",
        "price units, one a bar, null before the first full window",
    )],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, EMA",
            cases: "ema-12-ibm, ema-26-aapl",
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

impl Streamed for Ema {
    type Params = EmaParams;
    type State = EmaState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::Close];

    fn start(params: &EmaParams) -> Result<EmaState, FitError> {
        Ok(EmaState(Recursive::ema(params.period)))
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
        // Starts at (1 + 3)/2 = 2; weight 2/3: 2 + 2/3 · (5 - 2) = 4.
        let columns = Ema::compute(&EmaParams { period: 2 }, &closes(&[1.0, 3.0, 5.0])).unwrap();
        assert_eq!(columns[0].1, [None, Some(2.0), Some(4.0)]);
    }
}
