//! Williams %R.
//!
//! What: where the close lies under the highest high of the last bars, from -100 (at the lowest low) to
//! 0 (at the highest high).
//! Formula: -100 · (highest high - close)/(highest high - lowest low).
//! Data: high, low and close.
//! Cost: O(bars).
//! Fails when: a trend lasts: it stays near its end for long.
//! Source: L. Williams, How I Made One Million Dollars Last Year Trading Commodities (1973).
//! Not claimed: that values over -20 or under -80 are turning points.

use super::engine::{Range, column, from, negligible};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct WilliamsR;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<WilliamsR>();

params! {
    /// Parameters.
    pub struct WilliamsRParams {
        /// Bars between whose lowest low and highest high the close is placed.
        period: usize = 14, within(2.0, 100_000.0);
    }
}

/// After some bars.
pub struct WilliamsRState(Range);

impl State for WilliamsRState {
    type Row = [Option<f64>; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        [self
            .0
            .push(bar)
            .map(|(high, low)| place(high, low, bar.close))]
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        let lead = self.0.period() - 1;
        let (high, low) = self.0.all(bars);
        let places = high.iter().zip(&low).zip(from(bars.close(), lead));
        let places = places.map(|((high, low), close)| place(*high, *low, *close));
        vec![column(lead, bars.len(), places)]
    }
}

/// How far the close is under the highest high, in percent of the range, negative.
#[inline]
fn place(high: f64, low: f64, close: f64) -> f64 {
    let range = high - low;
    let place = (high - close) / range * -100.0;
    if negligible(range, high.abs() + low.abs()) {
        0.0
    } else {
        place
    }
}

const CARD: Card = Card {
    id: "williams_r",
    family: "indicator",
    title: "Williams %R",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "Where the close lies under the highest high of the last bars, from -100 (at the lowest low) to 0 (at the highest high).",
    formula: "williams_r(t) = -100 (H - close(t))/(H - L), H the highest high and L the lowest low of the last period bars; 0 when they are equal",
    data: "High, low and close.",
    cost: "O(bars)",
    fails_when: "A trend lasts: it stays near its end for long.",
    not_claimed: "That values over -20 or under -80 are turning points.",
    source: "L. Williams, How I Made One Million Dollars Last Year Trading Commodities (1973)",
    reference: "TA-Lib 0.8, WILLR",
    outputs: &[(
        "williams_r",
        "-100 to 0, one a bar, null for the first period - 1 bars",
    )],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, WILLR",
            cases: "williams-r-14-ibm, williams-r-21-aapl",
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

impl Streamed for WilliamsR {
    type Params = WilliamsRParams;
    type State = WilliamsRState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::High, Field::Low, Field::Close];

    fn start(params: &WilliamsRParams) -> Result<WilliamsRState, FitError> {
        Ok(WilliamsRState(Range::new(params.period)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_catalogue_core::{Bars, Indicator};

    #[test]
    fn by_hand() {
        let bars = Bars {
            high: Some(vec![4.0, 5.0]),
            low: Some(vec![0.0, 1.0]),
            close: vec![2.0, 4.0],
            ..Bars::default()
        };
        // One under the highest of 5 in a range of 5.
        let columns = WilliamsR::compute(&WilliamsRParams { period: 2 }, &bars).unwrap();
        assert_eq!(columns[0].1, [None, Some(-20.0)]);
        let flat = Bars {
            high: Some(vec![5.0; 2]),
            low: Some(vec![5.0; 2]),
            close: vec![5.0; 2],
            ..Bars::default()
        };
        let columns = WilliamsR::compute(&WilliamsRParams { period: 2 }, &flat).unwrap();
        assert_eq!(columns[0].1, [None, Some(0.0)]);
    }
}
