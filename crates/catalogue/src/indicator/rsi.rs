//! Relative strength index.
//!
//! What: the share of gains in all movement of the close, smoothed, from 0 to 100.
//! Formula: RSI = 100 · G/(G + L), G and L Wilder averages of gains and losses.
//! Data: closes; nothing before `period` changes.
//! Cost: O(bars).
//! Fails when: a trend lasts: it stays at its end for long.
//! Source: Wilder, New Concepts in Technical Trading Systems (1978).
//! Not claimed: that 30 and 70 are turning points.

use super::engine::{Blend, Last, column, from, larger};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Rsi;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Rsi>();

params! {
    /// Parameters.
    pub struct RsiParams {
        /// Changes averaged.
        period: usize = 14, within(2.0, 100_000.0);
    }
}

/// After some bars.
pub struct RsiState {
    last: Last,
    gain: Blend,
    loss: Blend,
}

impl State for RsiState {
    type Row = [Option<f64>; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        let Some(last) = self.last.push(bar.close) else {
            return [None];
        };
        let change = bar.close - last;
        let gain = self.gain.push(larger(change, 0.0));
        let loss = self.loss.push(larger(-change, 0.0));
        [gain.zip(loss).map(|(gain, loss)| share(gain, loss))]
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        let count = bars.len();
        let part = |sign: f64| {
            let changes = from(bars.close(), 1).iter().zip(bars.close());
            let changes = changes.map(|(close, last)| larger(sign * (close - last), 0.0));
            changes.collect::<Vec<f64>>()
        };
        let gain = self.gain.all(&part(1.0));
        let loss = self.loss.all(&part(-1.0));
        let shares = gain
            .iter()
            .zip(&loss)
            .map(|(gain, loss)| share(*gain, *loss));
        vec![column(count - gain.len(), count, shares)]
    }
}

/// Gains as a share of gains and losses, in percent.
#[inline]
fn share(gain: f64, loss: f64) -> f64 {
    let all = gain + loss;
    let share = 100.0 * (gain / all);
    if all == 0.0 { 0.0 } else { share }
}

const CARD: Card = Card {
    id: "rsi",
    family: "indicator",
    title: "Relative strength index",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "The share of gains in all movement of the close, smoothed, from 0 to 100.",
    formula: "g(t) = max(close(t) - close(t - 1), 0), l(t) = max(close(t - 1) - close(t), 0); G, L: means of the first period values, then m(t) = m(t - 1) + (x(t) - m(t - 1))/period; RSI = 100 G/(G + L), 0 when nothing moved",
    data: "Closes.",
    cost: "O(bars)",
    fails_when: "A trend lasts: it stays near its end for long. Its first values depend on where the series starts.",
    not_claimed: "That values under 30 or over 70 are turning points.",
    source: "J. W. Wilder, New Concepts in Technical Trading Systems (1978)",
    reference: "TA-Lib 0.8, RSI",
    outputs: &[("rsi", "0 to 100, one a bar, null for the first period bars")],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, RSI",
            cases: "rsi-14-ibm, rsi-7-aapl",
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

impl Streamed for Rsi {
    type Params = RsiParams;
    type State = RsiState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::Close];

    fn start(params: &RsiParams) -> Result<RsiState, FitError> {
        Ok(RsiState {
            last: Last::default(),
            gain: Blend::wilder(params.period),
            loss: Blend::wilder(params.period),
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
        // Changes +2, -1, +1: G = 1, L = 1/2 -> 200/3; then G = 1, L = 1/4 -> 80.
        let columns =
            Rsi::compute(&RsiParams { period: 2 }, &closes(&[1.0, 3.0, 2.0, 3.0])).unwrap();
        assert_eq!(
            columns[0].1,
            [None, None, Some(100.0 * (1.0 / 1.5)), Some(80.0)]
        );
        let flat = Rsi::compute(&RsiParams { period: 2 }, &closes(&[5.0; 4])).unwrap();
        assert_eq!(flat[0].1[3], Some(0.0));
    }
}
