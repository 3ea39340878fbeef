//! Normalised average true range.
//!
//! What: the average true range in percent of the close: how much a price moves in a day, comparable
//! between prices.
//! Formula: 100 · ATR(t)/close(t).
//! Data: high, low and close.
//! Cost: O(bars).
//! Fails when: a price is near zero or negative. Its first values depend on where the series starts.
//! Source: J. Forman, Cross-Market Evaluations with Normalized Average True Range, Technical Analysis
//! of Stocks & Commodities 24 (2006).
//! Not claimed: anything about direction.

use super::engine::{Atr, column, from};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Natr;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Natr>();

params! {
    /// Parameters.
    pub struct NatrParams {
        /// True ranges averaged.
        period: usize = 14, within(2.0, 100_000.0);
    }
}

/// After some bars.
pub struct NatrState {
    average: Atr,
}

impl State for NatrState {
    type Row = [Option<f64>; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        [self.average.push(bar).map(|atr| percent(atr, bar.close))]
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        let lead = self.average.lead();
        let atr = self.average.all(bars);
        let each = atr.iter().zip(from(bars.close(), lead));
        let each = each.map(|(atr, close)| percent(*atr, *close));
        vec![column(lead, bars.len(), each)]
    }
}

/// A range in percent of the close.
#[inline]
fn percent(atr: f64, close: f64) -> f64 {
    let percent = atr / close * 100.0;
    if close == 0.0 { 0.0 } else { percent }
}

const CARD: Card = Card {
    id: "natr",
    family: "indicator",
    title: "Normalised average true range",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "The average true range in percent of the close: how much a price moves in a day, comparable between prices.",
    formula: "natr(t) = 100 ATR(t)/close(t), ATR as in the entry atr; 0 when the close is 0",
    data: "High, low and close.",
    cost: "O(bars)",
    fails_when: "A price is near zero or negative. Its first values depend on where the series starts.",
    not_claimed: "Anything about direction.",
    source: "J. Forman, Cross-Market Evaluations with Normalized Average True Range, Technical Analysis of Stocks & Commodities 24 (2006)",
    reference: "TA-Lib 0.8, NATR (from period 2: for 1 it does not divide by the close)",
    outputs: &[("natr", "percent, one a bar, null for the first period bars")],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, NATR",
            cases: "natr-14-ibm, natr-21-aapl",
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

impl Streamed for Natr {
    type Params = NatrParams;
    type State = NatrState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::High, Field::Low, Field::Close];

    fn start(params: &NatrParams) -> Result<NatrState, FitError> {
        Ok(NatrState {
            average: Atr::new(params.period),
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
        // True ranges 3.5 and 1.5 at a close of 5: 100 · 2.5/5; a close of 0 has none.
        let rows = [
            [2.0, 1.0, 1.5],
            [5.0, 4.0, 4.5],
            [6.0, 5.0, 5.0],
            [0.0, 0.0, 0.0],
        ];
        let columns = Natr::compute(&NatrParams { period: 2 }, &bars(&rows)).unwrap();
        let natr = &columns[0].1;
        assert_eq!(natr[..2], [None, None]);
        assert!((natr[2].unwrap() - 50.0).abs() < 1e-12);
        assert_eq!(natr[3], Some(0.0));
    }
}
