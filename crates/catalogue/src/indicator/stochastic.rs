//! Stochastic oscillator.
//!
//! What: where the close lies between the lowest low and the highest high of the last bars, from 0 to
//! 100, smoothed once (k) and twice (d).
//! Formula: f = 100 · (close - lowest low)/(highest high - lowest low); k, d: simple means of it.
//! Data: high, low and close.
//! Cost: O(bars).
//! Fails when: a trend lasts: it stays near its end for long.
//! Source: G. C. Lane, Lane's Stochastics, Technical Analysis of Stocks & Commodities 2 (1984).
//! Not claimed: that values under 20 or over 80 are turning points.

use super::engine::{Range, Sma, column, from, means, negligible};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Stochastic;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Stochastic>();

params! {
    /// Parameters.
    pub struct StochasticParams {
        /// Bars between whose lowest low and highest high the close is placed.
        k_period: usize = 5, within(1.0, 100_000.0);
        /// Values averaged to k.
        k_smooth: usize = 3, within(1.0, 100_000.0);
        /// Values of k averaged to d.
        d_period: usize = 3, within(1.0, 100_000.0);
    }
}

/// After some bars.
pub struct StochasticState {
    range: Range,
    k: Sma,
    d: Sma,
}

impl State for StochasticState {
    type Row = [Option<f64>; 2];

    // Part of the loop over the bars: a call a bar costs more than the rest.
    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 2] {
        let row = self.range.push(bar).and_then(|(high, low)| {
            let k = self.k.push(place(high, low, bar.close))?;
            Some((k, self.d.push(k)?))
        });
        [row.map(|r| r.0), row.map(|r| r.1)]
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        let [range, smooth, slow] = [self.range.period(), self.k.period(), self.d.period()];
        let (high, low) = self.range.all(bars);
        let fast = high.iter().zip(&low).zip(from(bars.close(), range - 1));
        let fast = fast.map(|((high, low), close)| place(*high, *low, *close));
        let fast: Vec<f64> = fast.collect();
        let k: Vec<f64> = means(&fast, smooth).collect();
        let (lead, count) = (range + smooth + slow - 3, bars.len());
        let both = from(&k, slow - 1).iter().copied();
        vec![
            column(lead, count, both),
            column(lead, count, means(&k, slow)),
        ]
    }
}

/// Where the close is between the lowest low and the highest high, in percent.
#[inline]
fn place(high: f64, low: f64, close: f64) -> f64 {
    let range = high - low;
    let place = (close - low) / range * 100.0;
    if negligible(range, high.abs() + low.abs()) {
        0.0
    } else {
        place
    }
}

const CARD: Card = Card {
    id: "stochastic",
    family: "indicator",
    title: "Stochastic oscillator",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "Where the close lies between the lowest low and the highest high of the last bars, from 0 to 100, smoothed once (k) and twice (d).",
    formula: "f(t) = 100 (close(t) - L)/(H - L), H the highest high and L the lowest low of the last k_period bars, 0 when they are equal; k = mean of the last k_smooth f; d = mean of the last d_period k; both are null until d exists, at bar k_period + k_smooth + d_period - 3",
    data: "High, low and close.",
    cost: "O(bars)",
    fails_when: "A trend lasts: it stays near its end for long.",
    not_claimed: "That values under 20 or over 80 are turning points.",
    source: "G. C. Lane, Lane's Stochastics, Technical Analysis of Stocks & Commodities 2 (1984)",
    reference: "TA-Lib 0.8, STOCH with simple averages",
    outputs: &[
        ("k", "0 to 100, one a bar, null until d exists"),
        ("d", "0 to 100, likewise"),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, STOCH",
            cases: "stochastic-14-3-3-ibm, stochastic-5-3-3-aapl",
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

impl Streamed for Stochastic {
    type Params = StochasticParams;
    type State = StochasticState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::High, Field::Low, Field::Close];

    fn start(params: &StochasticParams) -> Result<StochasticState, FitError> {
        Ok(StochasticState {
            range: Range::new(params.k_period),
            k: Sma::new(params.k_smooth),
            d: Sma::new(params.d_period),
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
            high: Some(vec![4.0, 5.0, 6.0]),
            low: Some(vec![0.0, 1.0, 2.0]),
            close: vec![2.0, 4.0, 3.0],
            ..Bars::default()
        };
        let params = StochasticParams {
            k_period: 2,
            k_smooth: 1,
            d_period: 2,
        };
        // Bar 1: 100 · 4/5 = 80; bar 2: 100 · (3 - 1)/5 = 40; d at bar 2 their mean.
        let columns = Stochastic::compute(&params, &bars).unwrap();
        assert_eq!(columns[0], ("k", vec![None, None, Some(40.0)]));
        assert_eq!(columns[1], ("d", vec![None, None, Some(60.0)]));
    }
}
