//! Donchian channel.
//!
//! What: the highest high and the lowest low of the last bars, the present one included, and the middle
//! between them.
//! Formula: highest high, lowest low, and their mean.
//! Data: high and low.
//! Cost: O(bars).
//! Fails when: a breakout is looked for with the bands of the same bar: a high can equal the upper
//! band, never exceed it.
//! Source: R. D. Donchian, Donchian's 5- and 20-Day Moving Averages, Commodities (1974).
//! Not claimed: that a price beyond an earlier band goes on.

use super::engine::{Range, column};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Donchian;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Donchian>();

params! {
    /// Parameters.
    pub struct DonchianParams {
        /// Bars looked at.
        period: usize = 20, within(1.0, 100_000.0);
    }
}

/// After some bars.
pub struct DonchianState(Range);

impl State for DonchianState {
    type Row = [Option<f64>; 3];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 3] {
        match self.0.push(bar) {
            Some((high, low)) => [Some(high), Some(low), Some((high + low) / 2.0)],
            None => [None; 3],
        }
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        let (lead, count) = (self.0.period() - 1, bars.len());
        let (high, low) = self.0.all(bars);
        let both = high.iter().zip(&low);
        vec![
            column(lead, count, high.iter().copied()),
            column(lead, count, low.iter().copied()),
            column(lead, count, both.map(|(high, low)| (high + low) / 2.0)),
        ]
    }
}

const CARD: Card = Card {
    id: "donchian",
    family: "indicator",
    title: "Donchian channel",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "The highest high and the lowest low of the last bars, the present one included, and the middle between them.",
    formula: "upper = highest high, lower = lowest low of the last period bars, the present one included; middle = (upper + lower)/2",
    data: "High and low.",
    cost: "O(bars)",
    fails_when: "A breakout is looked for with the bands of the same bar: a high can equal the upper band, never exceed it.",
    not_claimed: "That a price beyond an earlier band goes on.",
    source: "R. D. Donchian, Donchian's 5- and 20-Day Moving Averages, Commodities (1974)",
    reference: "formula",
    outputs: &[
        (
            "upper",
            "price units, one a bar, null for the first period - 1 bars",
        ),
        ("lower", "price units, likewise"),
        ("middle", "price units, likewise"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "the formula in numpy 2.4 (double precision)",
        cases: "donchian-14-ibm, donchian-21-aapl; crates/trials/tests/it/indicators.rs",
        tolerance: "1e-9 relative",
    }],
    presets: &[],
    exemptions: &[],
};

impl Streamed for Donchian {
    type Params = DonchianParams;
    type State = DonchianState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::High, Field::Low];

    fn start(params: &DonchianParams) -> Result<DonchianState, FitError> {
        Ok(DonchianState(Range::new(params.period)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_catalogue_core::{Bars, Indicator};

    #[test]
    fn by_hand() {
        let bars = Bars {
            high: Some(vec![4.0, 5.0, 3.0, 3.5]),
            low: Some(vec![1.0, 2.0, 2.5, 3.0]),
            close: vec![2.0, 3.0, 3.0, 3.0],
            ..Bars::default()
        };
        let columns = Donchian::compute(&DonchianParams { period: 2 }, &bars).unwrap();
        assert_eq!(columns[0].1, [None, Some(5.0), Some(5.0), Some(3.5)]);
        assert_eq!(columns[1].1, [None, Some(1.0), Some(2.0), Some(2.5)]);
        assert_eq!(columns[2].1, [None, Some(3.0), Some(3.5), Some(3.0)]);
    }
}
