//! Money flow index.
//!
//! What: the share of money that changed hands on rising days in all that did, from 0 to 100.
//! Formula: 100 · rising money/(rising + falling money), money = typical price · volume.
//! Data: high, low, close and volume.
//! Cost: O(bars).
//! Fails when: a trend lasts: it stays near its end for long.
//! Source: G. Quong, A. Soudack, Volume-Weighted RSI: Money Flow, Technical Analysis of Stocks &
//! Commodities 7 (1989).
//! Not claimed: that values under 20 or over 80 are turning points.

use super::engine::{Last, RollingSum, column, from, rolling, typical};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Mfi;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Mfi>();

params! {
    /// Parameters.
    pub struct MfiParams {
        /// Changes summed.
        period: usize = 14, within(2.0, 100_000.0);
    }
}

/// After some bars.
pub struct MfiState {
    last: Last,
    rising: RollingSum,
    falling: RollingSum,
}

impl State for MfiState {
    type Row = [Option<f64>; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        let price = typical(bar);
        let Some(last) = self.last.push(price) else {
            return [None];
        };
        let money = price * bar.volume;
        let rising = self.rising.push(if price > last { money } else { 0.0 });
        let falling = self.falling.push(if price < last { money } else { 0.0 });
        let sums = rising.zip(falling);
        [sums.map(|(rising, falling)| share(rising, falling))]
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        let prices = bars.high().iter().zip(bars.low()).zip(bars.close());
        let prices: Vec<f64> = prices
            .map(|((high, low), close)| (high + low + close) / 3.0)
            .collect();
        let moves = || {
            let moves = from(&prices, 1).iter().zip(&prices);
            moves.zip(from(bars.volume(), 1))
        };
        let period = self.rising.period();
        let up = moves().map(|((price, last), volume)| {
            let money = price * volume;
            if price > last { money } else { 0.0 }
        });
        let rising = rolling(&up.collect::<Vec<f64>>(), period);
        let down = moves().map(|((price, last), volume)| {
            let money = price * volume;
            if price < last { money } else { 0.0 }
        });
        let falling = rolling(&down.collect::<Vec<f64>>(), period);
        let full = from(&rising, period - 1)
            .iter()
            .zip(from(&falling, period - 1));
        let shares = full.map(|(rising, falling)| share(*rising, *falling));
        vec![column(period, bars.len(), shares)]
    }
}

/// Rising money as a share of both, in percent.
#[inline]
fn share(rising: f64, falling: f64) -> f64 {
    let both = rising + falling;
    let share = 100.0 * (rising / both);
    if both == 0.0 { 0.0 } else { share }
}

const CARD: Card = Card {
    id: "mfi",
    family: "indicator",
    title: "Money flow index",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "The share of money that changed hands on rising days in all that did, from 0 to 100.",
    formula: "p = (high + low + close)/3; flow = p · volume, positive when p rose, negative when it fell, none when it did not move; mfi = 100 · positive/(positive + negative) over the last period bars, 0 when there was none",
    data: "High, low, close and volume.",
    cost: "O(bars)",
    fails_when: "A trend lasts: it stays near its end for long.",
    not_claimed: "That values under 20 or over 80 are turning points.",
    source: "G. Quong, A. Soudack, Volume-Weighted RSI: Money Flow, Technical Analysis of Stocks & Commodities 7 (1989)",
    reference: "TA-Lib 0.8, MFI",
    outputs: &[("mfi", "0 to 100, one a bar, null for the first period bars")],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, MFI",
            cases: "mfi-14-ibm, mfi-21-aapl",
            tolerance: "1e-7 relative",
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

impl Streamed for Mfi {
    type Params = MfiParams;
    type State = MfiState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::High, Field::Low, Field::Close, Field::Volume];

    fn start(params: &MfiParams) -> Result<MfiState, FitError> {
        Ok(MfiState {
            last: Last::default(),
            rising: RollingSum::new(params.period),
            falling: RollingSum::new(params.period),
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
        // Rising 3 · 10, falling 1 · 10; then the rise has left and an unchanged price adds nothing.
        let row = |price: f64, volume: f64| [price, price, price, volume];
        let rows = [row(1.0, 5.0), row(3.0, 10.0), row(1.0, 10.0), row(1.0, 7.0)];
        let columns = Mfi::compute(&MfiParams { period: 2 }, &bars(&rows)).unwrap();
        assert_eq!(columns[0].1, [None, None, Some(75.0), Some(0.0)]);
    }
}
