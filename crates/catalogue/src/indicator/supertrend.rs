//! Supertrend.
//!
//! What: a stop at a multiple of the average true range from the middle of the bar, that only moves
//! with the trend, and turns when the close goes through it.
//! Formula: the lower of two ratcheting bands (high + low)/2 ± multiplier · ATR in a rise, the upper
//! one in a fall.
//! Data: high, low and close.
//! Cost: O(bars).
//! Fails when: prices go sideways: it turns again and again.
//! Source: O. Seban, Tout le monde mérite d'être riche (2009).
//! Not claimed: that its turns earn money.

use super::engine::Atr;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Supertrend;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Supertrend>();

params! {
    /// Parameters.
    pub struct SupertrendParams {
        /// True ranges averaged.
        period: usize = 10, within(1.0, 100_000.0);
        /// Distance of the bands in average true ranges.
        multiplier: f64 = 3.0, above_up_to(0.0, 1000.0);
    }
}

/// After some bars.
pub struct SupertrendState {
    atr: Atr,
    multiplier: f64,
    /// Upper band, lower band and close of the bar before.
    before: Option<[f64; 3]>,
    falling: bool,
}

impl State for SupertrendState {
    type Row = [Option<f64>; 2];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 2] {
        let Some(atr) = self.atr.push(bar) else {
            return [None; 2];
        };
        let middle = (bar.high + bar.low) / 2.0;
        let mut upper = middle + self.multiplier * atr;
        let mut lower = middle - self.multiplier * atr;
        if let Some([last_upper, last_lower, last_close]) = self.before {
            if upper >= last_upper && last_close <= last_upper {
                upper = last_upper;
            }
            if lower <= last_lower && last_close >= last_lower {
                lower = last_lower;
            }
            if self.falling {
                self.falling = bar.close <= upper;
            } else {
                self.falling = bar.close < lower;
            }
        }
        self.before = Some([upper, lower, bar.close]);
        if self.falling {
            [Some(upper), Some(-1.0)]
        } else {
            [Some(lower), Some(1.0)]
        }
    }
}

const CARD: Card = Card {
    id: "supertrend",
    family: "indicator",
    title: "Supertrend",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "A stop at a multiple of the average true range from the middle of the bar, that only moves with the trend, and turns when the close goes through it.",
    formula: "basic = (high + low)/2 ± multiplier · ATR(period); the bands start as the basic ones with direction 1; then upper = basic upper when it is less than the upper before or the close before lies above that, else the upper before; lower mirrored; direction 1 turns to -1 when close < lower, -1 to 1 when close > upper; supertrend = lower in direction 1, upper in -1",
    data: "High, low and close.",
    cost: "O(bars)",
    fails_when: "Prices go sideways: it turns again and again.",
    not_claimed: "That its turns earn money.",
    source: "O. Seban, Tout le monde mérite d'être riche (2009)",
    reference: "formula on TA-Lib 0.8, ATR",
    outputs: &[
        (
            "supertrend",
            "price units, one a bar, null for the first period bars",
        ),
        ("direction", "1 in a rise, -1 in a fall, null likewise"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "ATR of TA-Lib 0.8",
        cases: "supertrend-10-3_0-ibm, supertrend-7-2_0-aapl; crates/trials/tests/it/indicators.rs",
        tolerance: "1e-8 relative",
    }],
    presets: &[],
    exemptions: &[],
};

impl Streamed for Supertrend {
    type Params = SupertrendParams;
    type State = SupertrendState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::High, Field::Low, Field::Close];
    const WHOLE: &'static [&'static str] = &["direction"];

    fn start(params: &SupertrendParams) -> Result<SupertrendState, FitError> {
        Ok(SupertrendState {
            atr: Atr::new(params.period),
            multiplier: params.multiplier,
            before: None,
            falling: false,
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
        let params = SupertrendParams {
            period: 1,
            multiplier: 1.0,
        };
        // Bar 1: middle 10, range 2: bands 12 and 8. Bar 2: middle 10.5, range 1: 11.5 and 9.5. Bar 3:
        // middle 7, range 10.6 - 6 = 4.6: basic 11.6 and 2.4; kept are 11.5 and 9.5; the close 6.5 turns it.
        let rows = [
            [10.0, 9.0, 10.0],
            [11.0, 9.0, 10.0],
            [11.0, 10.0, 10.6],
            [8.0, 6.0, 6.5],
        ];
        let columns = Supertrend::compute(&params, &bars(&rows)).unwrap();
        assert_eq!(columns[0].1, [None, Some(8.0), Some(9.5), Some(11.5)]);
        assert_eq!(columns[1].1, [None, Some(1.0), Some(1.0), Some(-1.0)]);
    }
}
