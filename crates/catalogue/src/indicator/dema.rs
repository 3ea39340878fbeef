//! Double exponential moving average.
//!
//! What: an exponential average of the close corrected by the lag that a second averaging shows.
//! Formula: DEMA = 2 e1 - e2, e1 = EMA(close, period), e2 = EMA(e1, period), each started as the mean
//! of its first period values.
//! Data: closes.
//! Cost: O(bars).
//! Fails when: it is read as a forecast: it follows faster than a mean does, and overshoots after a
//! jump.
//! Source: P. G. Mulloy, Smoothing Data with Faster Moving Averages, Technical Analysis of Stocks &
//! Commodities 12 (1994).
//! Not claimed: that crossing it predicts a return.

use super::engine::{ByTwo, Recursive, by_two};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Dema;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Dema>();

params! {
    /// Parameters.
    pub struct DemaParams {
        /// Span of each of the averages.
        period: usize = 30, within(1.0, 100_000.0);
    }
}

/// After some bars.
pub struct DemaState {
    first: Recursive,
    second: Recursive,
}

impl State for DemaState {
    type Row = [Option<f64>; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        let dema = self.first.push(bar.close).and_then(|e1| {
            let e2 = self.second.push(e1)?;
            Some(2.0 * e1 - e2)
        });
        [dema]
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        by_two(self, bars)
    }
}

impl ByTwo<1> for DemaState {
    #[inline]
    fn warm(&self) -> bool {
        self.second.begun()
    }

    #[inline(always)]
    fn two(&mut self, close: [f64; 2]) -> [[f64; 2]; 1] {
        let e1 = self.first.two(close);
        let e2 = self.second.two(e1);
        [[2.0 * e1[0] - e2[0], 2.0 * e1[1] - e2[1]]]
    }
}

const CARD: Card = Card {
    id: "dema",
    family: "indicator",
    title: "Double exponential moving average",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "An exponential average of the close corrected by the lag that a second averaging shows.",
    formula: "DEMA = 2 e1 - e2, e1 = EMA(close, period), e2 = EMA(e1, period), each started as the mean of its first period values",
    data: "Closes.",
    cost: "O(bars)",
    fails_when: "It is read as a forecast: it follows faster than a mean does, and overshoots after a jump.",
    not_claimed: "That crossing it predicts a return.",
    source: "P. G. Mulloy, Smoothing Data with Faster Moving Averages, Technical Analysis of Stocks & Commodities 12 (1994)",
    reference: "TA-Lib 0.8, DEMA",
    outputs: &[(
        "dema",
        "price units, one a bar, null for the first 2 (period - 1) bars",
    )],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, DEMA",
            cases: "dema-10-ibm, dema-20-aapl",
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

impl Streamed for Dema {
    type Params = DemaParams;
    type State = DemaState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::Close];

    fn start(params: &DemaParams) -> Result<DemaState, FitError> {
        let average = || Recursive::ema(params.period);
        Ok(DemaState {
            first: average(),
            second: average().starting_at(params.period - 1),
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
        // e1: 2, then 2 + 2/3 · 3 = 4; e2: 3. 2 · 4 - 3 = 5.
        let columns = Dema::compute(&DemaParams { period: 2 }, &closes(&[1.0, 3.0, 5.0])).unwrap();
        assert_eq!(columns[0].1, [None, None, Some(5.0)]);
    }
}
