//! TRIX.
//!
//! What: the daily change of the close averaged three times over, in percent.
//! Formula: the change of a triple exponential average in percent.
//! Data: closes.
//! Cost: O(bars).
//! Fails when: it is read as a forecast: it lags.
//! Source: J. K. Hutson, Good TRIX, Technical Analysis of Stocks & Commodities 1 (1983).
//! Not claimed: that crossing zero predicts a return.

use super::engine::{ByTwo, Last, Recursive, by_two};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Trix;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Trix>();

params! {
    /// Parameters.
    pub struct TrixParams {
        /// Span of each of the three averages.
        period: usize = 30, within(1.0, 100_000.0);
    }
}

/// After some bars.
pub struct TrixState {
    averages: [Recursive; 3],
    last: Last,
}

impl State for TrixState {
    type Row = [Option<f64>; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        let [first, second, third] = &mut self.averages;
        let average = first.push(bar.close);
        let average = average.and_then(|e| second.push(e));
        let Some(average) = average.and_then(|e| third.push(e)) else {
            return [None];
        };
        [self.last.push(average).map(|last| change(average, last))]
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        by_two(self, bars)
    }
}

impl ByTwo<1> for TrixState {
    #[inline]
    fn warm(&self) -> bool {
        self.averages[2].begun()
    }

    #[inline(always)]
    fn two(&mut self, close: [f64; 2]) -> [[f64; 2]; 1] {
        let [first, second, third] = &mut self.averages;
        let average = third.two(second.two(first.two(close)));
        // Warm, so that there is one before.
        let last = self.last.push(average[1]).unwrap_or(average[0]);
        [[change(average[0], last), change(average[1], average[0])]]
    }
}

/// The change from the last average in percent.
#[inline]
fn change(average: f64, last: f64) -> f64 {
    let change = (average / last - 1.0) * 100.0;
    if last == 0.0 { 0.0 } else { change }
}

const CARD: Card = Card {
    id: "trix",
    family: "indicator",
    title: "TRIX",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "The daily change of the close averaged three times over, in percent.",
    formula: "e = EMA(EMA(EMA(close, period), period), period), each started as the mean of its first period values; trix(t) = 100 (e(t)/e(t - 1) - 1), 0 when e(t - 1) is 0",
    data: "Closes.",
    cost: "O(bars)",
    fails_when: "It is read as a forecast: it lags.",
    not_claimed: "That crossing zero predicts a return.",
    source: "J. K. Hutson, Good TRIX, Technical Analysis of Stocks & Commodities 1 (1983)",
    reference: "TA-Lib 0.8, TRIX",
    outputs: &[(
        "trix",
        "percent a bar, null for the first 3 (period - 1) + 1 bars",
    )],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, TRIX",
            cases: "trix-15-ibm, trix-9-aapl",
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

impl Streamed for Trix {
    type Params = TrixParams;
    type State = TrixState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::Close];

    fn start(params: &TrixParams) -> Result<TrixState, FitError> {
        let average = |k: usize| Recursive::ema(params.period).starting_at(k * (params.period - 1));
        Ok(TrixState {
            averages: [average(0), average(1), average(2)],
            last: Last::default(),
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
        // Averages of one bar are the closes.
        let series = closes(&[4.0, 5.0, 0.0, 1.0]);
        let columns = Trix::compute(&TrixParams { period: 1 }, &series).unwrap();
        assert_eq!(columns[0].1, [None, Some(25.0), Some(-100.0), Some(0.0)]);
    }
}
