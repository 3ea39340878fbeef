//! Triple exponential moving average.
//!
//! What: an exponential average of the close corrected by the lag that a second and a third averaging
//! show.
//! Formula: TEMA = 3 e1 - 3 e2 + e3, e1 = EMA(close, period), e2 = EMA(e1, period), e3 = EMA(e2,
//! period), each started as the mean of its first period values.
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
pub struct Tema;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Tema>();

params! {
    /// Parameters.
    pub struct TemaParams {
        /// Span of each of the averages.
        period: usize = 30, within(1.0, 100_000.0);
    }
}

/// After some bars.
pub struct TemaState {
    first: Recursive,
    second: Recursive,
    third: Recursive,
}

impl State for TemaState {
    type Row = [Option<f64>; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        let tema = self.first.push(bar.close).and_then(|e1| {
            let e2 = self.second.push(e1)?;
            let e3 = self.third.push(e2)?;
            Some(3.0 * e1 - 3.0 * e2 + e3)
        });
        [tema]
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        by_two(self, bars)
    }
}

impl ByTwo<1> for TemaState {
    #[inline]
    fn warm(&self) -> bool {
        self.third.begun()
    }

    #[inline(always)]
    fn two(&mut self, close: [f64; 2]) -> [[f64; 2]; 1] {
        let e1 = self.first.two(close);
        let e2 = self.second.two(e1);
        let e3 = self.third.two(e2);
        [[0, 1].map(|i| 3.0 * e1[i] - 3.0 * e2[i] + e3[i])]
    }
}

const CARD: Card = Card {
    id: "tema",
    family: "indicator",
    title: "Triple exponential moving average",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "An exponential average of the close corrected by the lag that a second and a third averaging show.",
    formula: "TEMA = 3 e1 - 3 e2 + e3, e1 = EMA(close, period), e2 = EMA(e1, period), e3 = EMA(e2, period), each started as the mean of its first period values",
    data: "Closes.",
    cost: "O(bars)",
    fails_when: "It is read as a forecast: it follows faster than a mean does, and overshoots after a jump.",
    not_claimed: "That crossing it predicts a return.",
    source: "P. G. Mulloy, Smoothing Data with Faster Moving Averages, Technical Analysis of Stocks & Commodities 12 (1994)",
    reference: "TA-Lib 0.8, TEMA",
    outputs: &[(
        "tema",
        "price units, one a bar, null for the first 3 (period - 1) bars",
    )],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, TEMA",
            cases: "tema-8-ibm, tema-15-aapl",
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

impl Streamed for Tema {
    type Params = TemaParams;
    type State = TemaState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::Close];

    fn start(params: &TemaParams) -> Result<TemaState, FitError> {
        let average = || Recursive::ema(params.period);
        Ok(TemaState {
            first: average(),
            second: average().starting_at(params.period - 1),
            third: average().starting_at(2 * (params.period - 1)),
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
        // e1: 2, 4, then 4 + 2/3 · (1 - 4) = 2; e2: 3, then 3 + 2/3 · (2 - 3) = 7/3; e3: 8/3.
        let series = closes(&[1.0, 3.0, 5.0, 1.0]);
        let columns = Tema::compute(&TemaParams { period: 2 }, &series).unwrap();
        assert_eq!(columns[0].1[..3], [None; 3]);
        let got = columns[0].1[3].unwrap();
        assert!((got - (6.0 - 7.0 + 8.0 / 3.0)).abs() < 1e-12, "{got}");
    }
}
