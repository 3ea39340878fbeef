//! Simple moving average.
//!
//! What: the mean of the last closes.
//! Formula: SMA(t) = (1/period) Σ close(t-i), i = 0 .. period-1.
//! Data: closes; nothing before `period` of them.
//! Cost: O(bars).
//! Fails when: used as a forecast: it lags by (period - 1)/2 bars.
//! Source: Murphy, Technical Analysis of the Financial Markets (1999), chapter 9.
//! Not claimed: that crossings earn money.

use super::engine::{Sma as Mean, column, means};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Sma;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Sma>();

params! {
    /// Parameters.
    pub struct SmaParams {
        /// Closes averaged.
        period: usize = 30, within(1.0, 100_000.0);
    }
}

/// After some bars.
pub struct SmaState(Mean);

impl State for SmaState {
    type Row = [Option<f64>; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        [self.0.push(bar.close)]
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        let period = self.0.period();
        vec![column(period - 1, bars.len(), means(bars.close(), period))]
    }
}

const CARD: Card = Card {
    id: "sma",
    family: "indicator",
    title: "Simple moving average",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "The mean of the last closes.",
    formula: "SMA(t) = (1/period) Σᵢ close(t - i), i = 0 .. period - 1; nothing before bar period - 1",
    data: "Closes.",
    cost: "O(bars)",
    fails_when: "It is read as a forecast: it lags the close by (period - 1)/2 bars.",
    not_claimed: "That crossing it predicts a return.",
    source: "J. J. Murphy, Technical Analysis of the Financial Markets (1999), chapter 9",
    reference: "TA-Lib 0.8, SMA",
    outputs: &[(
        "sma",
        "price units, one a bar, null before the first full window",
    )],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, SMA",
            cases: "sma-20-ibm, sma-50-aapl",
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

impl Streamed for Sma {
    type Params = SmaParams;
    type State = SmaState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::Close];

    fn start(params: &SmaParams) -> Result<SmaState, FitError> {
        Ok(SmaState(Mean::new(params.period)))
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
        let columns =
            Sma::compute(&SmaParams { period: 3 }, &closes(&[1.0, 2.0, 6.0, 1.0])).unwrap();
        assert_eq!(columns[0].1, [None, None, Some(3.0), Some(3.0)]);
    }
}
