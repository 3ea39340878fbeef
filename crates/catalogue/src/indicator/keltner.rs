//! Keltner channel.
//!
//! What: an exponential average of the close with bands at a multiple of the average true range.
//! Formula: middle = EMA(close); upper, lower = middle ± multiplier · ATR.
//! Data: high, low and close.
//! Cost: O(bars).
//! Fails when: the bands are read as an interval of probability.
//! Source: C. W. Keltner, How To Make Money in Commodities (1960); with the average true range: L. B.
//! Raschke.
//! Not claimed: that a price outside a band returns inside, or goes on.

use super::engine::{Atr, Recursive, column, from};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Keltner;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Keltner>();

params! {
    /// Parameters.
    pub struct KeltnerParams {
        /// Span of the average of the closes.
        period: usize = 20, within(1.0, 100_000.0);
        /// Width of the bands in average true ranges.
        multiplier: f64 = 2.0, above_up_to(0.0, 1000.0);
        /// True ranges averaged.
        atr_period: usize = 10, within(1.0, 100_000.0);
    }
}

/// After some bars.
pub struct KeltnerState {
    middle: Recursive,
    atr: Atr,
    multiplier: f64,
}

impl State for KeltnerState {
    type Row = [Option<f64>; 3];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 3] {
        let (middle, atr) = (self.middle.push(bar.close), self.atr.push(bar));
        let band = |times: f64| middle.zip(atr).map(|(middle, atr)| middle + times * atr);
        [band(self.multiplier), middle, band(-self.multiplier)]
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        let (count, times) = (bars.len(), self.multiplier);
        let middle = self.middle.all(bars.close());
        let atr = self.atr.all(bars);
        let leads = [count - middle.len(), count - atr.len()];
        let both = leads[0].max(leads[1]);
        let band = |times: f64| {
            let both = from(&middle, both - leads[0])
                .iter()
                .zip(from(&atr, both - leads[1]));
            both.map(move |(middle, atr)| middle + times * atr)
        };
        vec![
            column(both, count, band(times)),
            column(leads[0], count, middle.iter().copied()),
            column(both, count, band(-times)),
        ]
    }
}

const CARD: Card = Card {
    id: "keltner",
    family: "indicator",
    title: "Keltner channel",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "An exponential average of the close with bands at a multiple of the average true range.",
    formula: "middle = EMA(close, period); upper, lower = middle ± multiplier · ATR(atr_period), as in the entries ema and atr",
    data: "High, low and close.",
    cost: "O(bars)",
    fails_when: "The bands are read as an interval of probability.",
    not_claimed: "That a price outside a band returns inside, or goes on.",
    source: "C. W. Keltner, How To Make Money in Commodities (1960); with the average true range: L. B. Raschke",
    reference: "formula on TA-Lib 0.8, EMA and ATR",
    outputs: &[
        (
            "upper",
            "price units, one a bar, null until both averages exist",
        ),
        (
            "middle",
            "price units, one a bar, null for the first period - 1 bars",
        ),
        ("lower", "price units, as upper"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "EMA and ATR of TA-Lib 0.8",
        cases: "keltner-20-2_0-10-ibm, keltner-10-1_5-14-aapl; crates/trials/tests/it/indicators.rs",
        tolerance: "1e-8 relative",
    }],
    presets: &[],
    exemptions: &[],
};

impl Streamed for Keltner {
    type Params = KeltnerParams;
    type State = KeltnerState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::High, Field::Low, Field::Close];

    fn start(params: &KeltnerParams) -> Result<KeltnerState, FitError> {
        Ok(KeltnerState {
            middle: Recursive::ema(params.period),
            atr: Atr::new(params.atr_period),
            multiplier: params.multiplier,
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
        // Average of one bar: the close; true range 5 - 1.5.
        let params = KeltnerParams {
            period: 1,
            multiplier: 2.0,
            atr_period: 1,
        };
        let rows = [[2.0, 1.0, 1.5], [5.0, 4.0, 4.5]];
        let columns = Keltner::compute(&params, &bars(&rows)).unwrap();
        assert_eq!(columns[0].1, [None, Some(11.5)]);
        assert_eq!(columns[1].1, [Some(1.5), Some(4.5)]);
        assert_eq!(columns[2].1, [None, Some(-2.5)]);
    }
}
