//! Aroon.
//!
//! What: how lately the last highest high and lowest low were, each from 0 to 100, and the difference.
//! Formula: up = 100 · (period - bars since the highest high)/period, down likewise, oscillator = up -
//! down.
//! Data: high and low.
//! Cost: O(bars).
//! Fails when: prices go sideways: new extremes come by chance.
//! Source: T. Chande, A Time Price Oscillator, Technical Analysis of Stocks & Commodities 13 (1995).
//! Not claimed: that a trend it shows goes on.

use super::engine::SinceHighest;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Aroon;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Aroon>();

params! {
    /// Parameters.
    pub struct AroonParams {
        /// Bars before the present one that are looked at.
        period: usize = 14, within(2.0, 100_000.0);
    }
}

/// After some bars.
pub struct AroonState {
    period: usize,
    unit: f64,
    high: SinceHighest,
    /// Of the negative lows.
    low: SinceHighest,
}

impl State for AroonState {
    type Row = [Option<f64>; 3];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 3] {
        let (high, low) = (self.high.push(bar.high), self.low.push(-bar.low));
        let (Some(high), Some(low)) = (high, low) else {
            return [None; 3];
        };
        let left = |age: usize| self.unit * (self.period - age) as f64;
        let oscillator = self.unit * (low as f64 - high as f64);
        [left(high), left(low), oscillator].map(Some)
    }
}

const CARD: Card = Card {
    id: "aroon",
    family: "indicator",
    title: "Aroon",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "How lately the last highest high and lowest low were, each from 0 to 100, and the difference.",
    formula: "over the last period + 1 bars: up = 100 (period - bars since the highest high)/period, down likewise with the lowest low, the latest of equal ones; oscillator = up - down",
    data: "High and low.",
    cost: "O(bars)",
    fails_when: "Prices go sideways: new extremes come by chance.",
    not_claimed: "That a trend it shows goes on.",
    source: "T. Chande, A Time Price Oscillator, Technical Analysis of Stocks & Commodities 13 (1995)",
    reference: "TA-Lib 0.8, AROON and AROONOSC",
    outputs: &[
        ("up", "0 to 100, one a bar, null for the first period bars"),
        ("down", "0 to 100, likewise"),
        ("oscillator", "-100 to 100, likewise"),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, AROON, AROONOSC",
            cases: "aroon-14-ibm, aroon-21-aapl",
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

impl Streamed for Aroon {
    type Params = AroonParams;
    type State = AroonState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::High, Field::Low];

    fn start(params: &AroonParams) -> Result<AroonState, FitError> {
        Ok(AroonState {
            period: params.period,
            unit: 100.0 / params.period as f64,
            high: SinceHighest::new(params.period + 1),
            low: SinceHighest::new(params.period + 1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_catalogue_core::{Bars, Indicator};

    fn bars(rows: &[[f64; 3]]) -> Bars {
        let column = |k: usize| rows.iter().map(|r| r[k]).collect::<Vec<f64>>();
        Bars {
            high: Some(column(0)),
            low: Some(column(1)),
            close: column(2),
            ..Bars::default()
        }
    }

    #[test]
    fn by_hand() {
        // The high of 5 was two bars ago, the low of 1 comes again at the last bar.
        let rows = [[5.0, 1.0, 3.0], [4.0, 2.0, 3.0], [4.0, 1.0, 3.0]];
        let columns = Aroon::compute(&AroonParams { period: 2 }, &bars(&rows)).unwrap();
        let last: Vec<_> = columns.iter().map(|(_, c)| (c[1], c[2])).collect();
        assert_eq!(last, [0.0, 100.0, -100.0].map(|v| (None, Some(v))));
    }
}
