//! Rate of change.
//!
//! What: the change of the close over some bars, in percent.
//! Formula: roc(t) = 100 · (close(t)/close(t-period) - 1).
//! Data: closes.
//! Cost: O(bars).
//! Fails when: a price is near zero or negative: the ratio then means nothing.
//! Source: J. J. Murphy, Technical Analysis of the Financial Markets (1999), chapter 9.
//! Not claimed: that what has risen goes on rising.

use super::engine::{Window, column, from};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Roc;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Roc>();

params! {
    /// Parameters.
    pub struct RocParams {
        /// Bars between the two closes.
        period: usize = 10, within(1.0, 100_000.0);
    }
}

/// After some bars.
pub struct RocState {
    period: usize,
    window: Window,
}

impl State for RocState {
    type Row = [Option<f64>; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        [self
            .window
            .push(bar.close)
            .map(|old| change(bar.close, old))]
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        let close = bars.close();
        let moves = from(close, self.period).iter().zip(close);
        let moves = moves.map(|(close, old)| change(*close, *old));
        vec![column(self.period, close.len(), moves)]
    }
}

/// The change from an older close in percent.
#[inline]
fn change(close: f64, old: f64) -> f64 {
    if old == 0.0 {
        0.0
    } else {
        (close / old - 1.0) * 100.0
    }
}

const CARD: Card = Card {
    id: "roc",
    family: "indicator",
    title: "Rate of change",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "The change of the close over some bars, in percent.",
    formula: "roc(t) = 100 (close(t)/close(t - period) - 1), 0 when close(t - period) is 0",
    data: "Closes.",
    cost: "O(bars)",
    fails_when: "A price is near zero or negative: the ratio then means nothing.",
    not_claimed: "That what has risen goes on rising.",
    source: "J. J. Murphy, Technical Analysis of the Financial Markets (1999), chapter 9",
    reference: "TA-Lib 0.8, ROC",
    outputs: &[("roc", "percent, one a bar, null for the first period bars")],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, ROC",
            cases: "roc-10-ibm, roc-5-aapl",
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

impl Streamed for Roc {
    type Params = RocParams;
    type State = RocState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::Close];

    fn start(params: &RocParams) -> Result<RocState, FitError> {
        Ok(RocState {
            period: params.period,
            window: Window::new(params.period),
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
        let columns =
            Roc::compute(&RocParams { period: 1 }, &closes(&[4.0, 5.0, 0.0, 1.0])).unwrap();
        assert_eq!(columns[0].1, [None, Some(25.0), Some(-100.0), Some(0.0)]);
    }
}
