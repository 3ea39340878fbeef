//! Accumulation/distribution line.
//!
//! What: volume summed, each bar's by where its close lies between low and high: all of it up at the
//! high, all of it down at the low.
//! Formula: ad(t) = ad(t-1) + volume · ((close - low) - (high - close))/(high - low).
//! Data: high, low, close and volume.
//! Cost: O(bars).
//! Fails when: its level is read: it depends on where the series starts. Gaps between days count for
//! nothing.
//! Source: M. Chaikin, in R. W. Colby, The Encyclopedia of Technical Market Indicators (2003).
//! Not claimed: that it leads prices.

use super::engine::{Distribution, Total};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Ad;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Ad>();

params! {
    /// There are no parameters.
    pub struct AdParams {}
}

/// After some bars.
pub struct AdState {
    total: Distribution,
}

impl State for AdState {
    type Row = [Option<f64>; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        [Some(self.total.push(bar))]
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        vec![Total::column(&Distribution::parts(bars))]
    }
}

const CARD: Card = Card {
    id: "ad",
    family: "indicator",
    title: "Accumulation/distribution line",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "Volume summed, each bar's by where its close lies between low and high: all of it up at the high, all of it down at the low.",
    formula: "ad(t) = ad(t - 1) + volume ((close - low) - (high - close))/(high - low), unchanged when high = low",
    data: "High, low, close and volume.",
    cost: "O(bars)",
    fails_when: "Its level is read: it depends on where the series starts. Gaps between days count for nothing.",
    not_claimed: "That it leads prices.",
    source: "M. Chaikin, in R. W. Colby, The Encyclopedia of Technical Market Indicators (2003)",
    reference: "TA-Lib 0.8, AD",
    outputs: &[("ad", "shares, one a bar")],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, AD",
            cases: "ad-ibm, ad-aapl",
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

impl Streamed for Ad {
    type Params = AdParams;
    type State = AdState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::High, Field::Low, Field::Close, Field::Volume];

    fn start(_: &AdParams) -> Result<AdState, FitError> {
        Ok(AdState {
            total: Distribution::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_catalogue_core::{Bars, Indicator};

    fn bars(rows: &[[f64; 4]]) -> Bars {
        let column = |k: usize| rows.iter().map(|r| r[k]).collect::<Vec<f64>>();
        Bars {
            high: Some(column(0)),
            low: Some(column(1)),
            close: column(2),
            volume: Some(column(3)),
            ..Bars::default()
        }
    }

    #[test]
    fn by_hand() {
        // Three quarters up: half of 8 shares; a bar without a range; at the low all 4 down.
        let rows = [
            [5.0, 1.0, 4.0, 8.0],
            [3.0, 3.0, 3.0, 9.0],
            [3.0, 2.0, 2.0, 4.0],
        ];
        let columns = Ad::compute(&AdParams {}, &bars(&rows)).unwrap();
        assert_eq!(columns[0].1, [4.0, 4.0, 0.0].map(Some));
    }
}
