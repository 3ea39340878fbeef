//! On-balance volume.
//!
//! What: volume summed, that of a rising day counted up and that of a falling one down.
//! Formula: obv(t) = obv(t - 1) ± volume(t), the sign that of the change of the close.
//! Data: close and volume.
//! Cost: O(bars).
//! Fails when: its level is read: it depends on where the series starts. One day of huge volume shifts
//! it for good.
//! Source: J. Granville, Granville's New Key to Stock Market Profits (1963).
//! Not claimed: that it leads prices.

use super::engine::{Last, Total, from};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Obv;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Obv>();

params! {
    /// There are no parameters.
    pub struct ObvParams {}
}

/// After some bars.
pub struct ObvState {
    last: Last,
    total: Total,
}

impl State for ObvState {
    type Row = [Option<f64>; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        let signed = match self.last.push(bar.close) {
            None => bar.volume,
            Some(last) => signed(bar.volume, bar.close, last),
        };
        [Some(self.total.push(signed))]
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        let (close, volume) = (bars.close(), bars.volume());
        let mut parts = Vec::with_capacity(close.len());
        parts.extend(volume.first());
        let later = from(close, 1).iter().zip(close).zip(from(volume, 1));
        parts.extend(later.map(|((close, last), volume)| signed(*volume, *close, *last)));
        vec![Total::column(&parts)]
    }
}

/// The volume with the sign of the change.
#[inline]
fn signed(volume: f64, close: f64, last: f64) -> f64 {
    let falling = if close < last { -volume } else { 0.0 };
    if close > last { volume } else { falling }
}

const CARD: Card = Card {
    id: "obv",
    family: "indicator",
    title: "On-balance volume",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "Volume summed, that of a rising day counted up and that of a falling one down.",
    formula: "obv(0) = volume(0); obv(t) = obv(t - 1) + volume(t) when close(t) > close(t - 1), - volume(t) when it is less, unchanged when equal",
    data: "Close and volume.",
    cost: "O(bars)",
    fails_when: "Its level is read: it depends on where the series starts. One day of huge volume shifts it for good.",
    not_claimed: "That it leads prices.",
    source: "J. Granville, Granville's New Key to Stock Market Profits (1963)",
    reference: "TA-Lib 0.8, OBV",
    outputs: &[("obv", "shares, one a bar")],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, OBV",
            cases: "obv-ibm, obv-aapl",
            tolerance: "1e-10 relative",
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

impl Streamed for Obv {
    type Params = ObvParams;
    type State = ObvState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::Close, Field::Volume];

    fn start(_: &ObvParams) -> Result<ObvState, FitError> {
        Ok(ObvState {
            last: Last::default(),
            total: Total::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_catalogue_core::{Bars, Indicator};

    #[test]
    fn by_hand() {
        let bars = Bars {
            close: vec![1.0, 2.0, 2.0, 1.0],
            volume: Some(vec![10.0, 5.0, 7.0, 20.0]),
            ..Bars::default()
        };
        let columns = Obv::compute(&ObvParams {}, &bars).unwrap();
        assert_eq!(columns[0].1, [10.0, 15.0, 15.0, -5.0].map(Some));
    }
}
