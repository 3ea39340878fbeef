//! Commodity channel index.
//!
//! What: how far the typical price lies from its mean, in units of its mean absolute deviation.
//! Formula: (p - mean p)/(0.015 · mean |p - mean p|), p the typical price.
//! Data: high, low and close.
//! Cost: O(bars · period).
//! Fails when: a trend lasts: it stays beyond 100 or -100 for long.
//! Source: D. R. Lambert, Commodity Channel Index: Tool for Trading Cyclic Trends, Commodities (1980).
//! Not claimed: that values beyond 100 or -100 are turning points.

use super::engine::{ExactSum, Window, negligible, sum_of, typical};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Cci;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Cci>();

params! {
    /// Parameters.
    pub struct CciParams {
        /// Typical prices averaged.
        period: usize = 14, within(2.0, 100_000.0);
    }
}

/// After some bars.
pub struct CciState {
    window: Window,
    sum: ExactSum,
    /// 1/period.
    share: f64,
}

impl State for CciState {
    type Row = [Option<f64>; 1];

    // Part of the loop over the bars: a call a bar costs more than the rest.
    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        let price = typical(bar);
        if let Some(old) = self.window.push(price) {
            self.sum.add(-old);
        }
        self.sum.add(price);
        if !self.window.is_full() {
            return [None];
        }
        let mean = self.sum.value() * self.share;
        let deviation = sum_of(self.window.places(), |p| (p - mean).abs()) * self.share;
        let distance = price - mean;
        let still = negligible(distance, mean.abs()) || negligible(deviation, mean.abs());
        [Some(if still {
            0.0
        } else {
            distance / (0.015 * deviation)
        })]
    }
}

const CARD: Card = Card {
    id: "cci",
    family: "indicator",
    title: "Commodity channel index",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "How far the typical price lies from its mean, in units of its mean absolute deviation.",
    formula: "p = (high + low + close)/3; m = mean of the last period p; cci = (p - m)/(0.015 · mean of |p - m| over them); 0 when nothing moved",
    data: "High, low and close.",
    cost: "O(bars · period)",
    fails_when: "A trend lasts: it stays beyond 100 or -100 for long.",
    not_claimed: "That values beyond 100 or -100 are turning points.",
    source: "D. R. Lambert, Commodity Channel Index: Tool for Trading Cyclic Trends, Commodities (1980)",
    reference: "TA-Lib 0.8, CCI",
    outputs: &[(
        "cci",
        "no unit, mostly between -200 and 200, one a bar, null for the first period - 1 bars",
    )],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, CCI",
            cases: "cci-14-ibm, cci-21-aapl",
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

impl Streamed for Cci {
    type Params = CciParams;
    type State = CciState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::High, Field::Low, Field::Close];

    fn start(params: &CciParams) -> Result<CciState, FitError> {
        Ok(CciState {
            window: Window::new(params.period),
            sum: ExactSum::default(),
            share: 1.0 / params.period as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_catalogue_core::{Bars, Indicator};

    #[test]
    fn by_hand() {
        let price = vec![1.0, 3.0, 8.0];
        let bars = Bars {
            high: Some(price.clone()),
            low: Some(price.clone()),
            close: price,
            ..Bars::default()
        };
        // Mean 4, deviations 3, 1, 4: mean 8/3; 4/(0.015 · 8/3) = 100.
        let columns = Cci::compute(&CciParams { period: 3 }, &bars).unwrap();
        assert_eq!(
            columns[0].1,
            [None, None, Some(4.0 / (0.015 * (8.0 / 3.0)))]
        );
    }
}
