//! Momentum.
//!
//! What: the change of the close over some bars, in price units.
//! Formula: momentum(t) = close(t) - close(t-period).
//! Data: closes.
//! Cost: O(bars).
//! Fails when: prices of different levels are compared: it is in price units.
//! Source: J. J. Murphy, Technical Analysis of the Financial Markets (1999), chapter 9.
//! Not claimed: that what has risen goes on rising.

use super::engine::{Window, column, from};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Momentum;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Momentum>();

params! {
    /// Parameters.
    pub struct MomentumParams {
        /// Bars between the two closes.
        period: usize = 10, within(1.0, 100_000.0);
    }
}

/// After some bars.
pub struct MomentumState {
    period: usize,
    window: Window,
}

impl State for MomentumState {
    type Row = [Option<f64>; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        [self.window.push(bar.close).map(|old| bar.close - old)]
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        let close = bars.close();
        let moves = from(close, self.period).iter().zip(close);
        let moves = moves.map(|(close, old)| close - old);
        vec![column(self.period, close.len(), moves)]
    }
}

const CARD: Card = Card {
    id: "momentum",
    family: "indicator",
    title: "Momentum",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "The change of the close over some bars, in price units.",
    formula: "momentum(t) = close(t) - close(t - period)",
    data: "Closes.",
    cost: "O(bars)",
    fails_when: "Prices of different levels are compared: it is in price units.",
    not_claimed: "That what has risen goes on rising.",
    source: "J. J. Murphy, Technical Analysis of the Financial Markets (1999), chapter 9",
    reference: "TA-Lib 0.8, MOM",
    outputs: &[(
        "momentum",
        "price units, one a bar, null for the first period bars",
    )],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, MOM",
            cases: "momentum-10-ibm, momentum-3-aapl",
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

impl Streamed for Momentum {
    type Params = MomentumParams;
    type State = MomentumState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::Close];

    fn start(params: &MomentumParams) -> Result<MomentumState, FitError> {
        Ok(MomentumState {
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
        let series = closes(&[4.0, 5.0, 1.0]);
        let columns = Momentum::compute(&MomentumParams { period: 2 }, &series).unwrap();
        assert_eq!(columns[0].1, [None, None, Some(-3.0)]);
    }
}
