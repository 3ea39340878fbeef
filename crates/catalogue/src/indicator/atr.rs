//! Average true range.
//!
//! What: the smoothed size of a bar, the gap from the last close included.
//! Formula: TR = max(high, last close) - min(low, last close); ATR its Wilder average.
//! Data: high, low and close; nothing before `period` + 1 bars.
//! Cost: O(bars).
//! Fails when: prices of different levels are compared: it is in price units.
//! Source: Wilder, New Concepts in Technical Trading Systems (1978).
//! Not claimed: a direction.

use super::engine::Atr as Average;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Atr;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Atr>();

params! {
    /// Parameters.
    pub struct AtrParams {
        /// True ranges averaged.
        period: usize = 14, within(1.0, 100_000.0);
    }
}

/// After some bars.
pub struct AtrState(Average);

impl State for AtrState {
    type Row = [Option<f64>; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        [self.0.push(bar)]
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        vec![self.0.column(bars)]
    }
}

const CARD: Card = Card {
    id: "atr",
    family: "indicator",
    title: "Average true range",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "The smoothed size of a bar, the gap from the last close included: how much a price moves in a day.",
    formula: "TR(t) = max(high(t), close(t - 1)) - min(low(t), close(t - 1)); ATR(period) = mean of TR(1) .. TR(period), then ATR(t) = ATR(t - 1) + (TR(t) - ATR(t - 1))/period",
    data: "High, low and close.",
    cost: "O(bars)",
    fails_when: "Prices of different levels are compared: it is in price units. Its first values depend on where the series starts.",
    not_claimed: "Anything about direction.",
    source: "J. W. Wilder, New Concepts in Technical Trading Systems (1978)",
    reference: "TA-Lib 0.8, ATR",
    outputs: &[(
        "atr",
        "price units, one a bar, null for the first period bars",
    )],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, ATR",
            cases: "atr-14-ibm, atr-21-aapl",
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

impl Streamed for Atr {
    type Params = AtrParams;
    type State = AtrState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::High, Field::Low, Field::Close];

    fn start(params: &AtrParams) -> Result<AtrState, FitError> {
        Ok(AtrState(Average::new(params.period)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_catalogue_core::{Bars, Indicator};

    #[test]
    fn by_hand() {
        let bars = Bars {
            high: Some(vec![2.0, 5.0, 5.0, 6.0]),
            low: Some(vec![1.0, 4.0, 3.0, 5.0]),
            close: vec![1.5, 4.5, 3.0, 6.0],
            ..Bars::default()
        };
        // True ranges 5 - 1.5, 5 - 3, 6 - 3: mean of two 2.75, then 2.75 + (3 - 2.75)/2.
        let columns = Atr::compute(&AtrParams { period: 2 }, &bars).unwrap();
        assert_eq!(columns[0].1, [None, None, Some(2.75), Some(2.875)]);
    }

    #[test]
    fn a_missing_column_is_named() {
        let bars = Bars {
            close: vec![1.0, 2.0],
            ..Bars::default()
        };
        let refused = Atr::compute(&AtrParams { period: 1 }, &bars).unwrap_err();
        assert_eq!(refused.to_string(), "the bars have no column \"high\"");
    }
}
