//! Simple moving average.
//!
//! What: the mean of the last closes.
//! Formula: SMA(t) = (1/period) Σ close(t-i), i = 0 .. period-1.
//! Data: closes; nothing before `period` of them.
//! Cost: O(bars · period).
//! Fails when: used as a forecast: it lags by (period - 1)/2 bars.
//! Source: Murphy, Technical Analysis of the Financial Markets (1999), chapter 9.
//! Not claimed: that crossings earn money.

use super::engine::{mean, rolling};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Sma;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<Sma>();

params! {
    /// Parameters.
    pub struct SmaParams {
        /// Closes averaged.
        period: usize = 30, within(2.0, 10_000.0);
    }
}

const CARD: Card = Card {
    id: "sma",
    family: "indicator",
    title: "Simple moving average",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "The mean of the last closes.",
    formula: "SMA(t) = (1/period) Σᵢ close(t - i), i = 0 .. period - 1; nothing before bar period - 1",
    data: "Closes.",
    cost: "O(bars · period)",
    fails_when: "It is read as a forecast: it lags the close by (period - 1)/2 bars.",
    not_claimed: "That crossing it predicts a return.",
    source: "J. J. Murphy, Technical Analysis of the Financial Markets (1999), chapter 9",
    reference: "TA-Lib 0.8, SMA",
    outputs: &[(
        "sma",
        "price units, one a bar, null before the first full window",
    )],
    stochastic: false,
    evidence: &[Evidence {
        against: "TA-Lib 0.8, SMA",
        cases: "sma-20-ibm, sma-50-aapl",
        tolerance: "1e-8 relative",
    }],
    presets: &[],
    exemptions: &[],
};

impl Indicator for Sma {
    type Params = SmaParams;
    const CARD: &'static Card = &CARD;

    fn compute(params: &SmaParams, bars: &Bars) -> Result<Columns, FitError> {
        let sma = rolling(&bars.close, params.period, mean);
        Ok(vec![("sma", sma)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closes(close: &[f64]) -> Bars {
        Bars {
            close: close.to_vec(),
            ..Bars::default()
        }
    }

    #[test]
    fn by_hand() {
        let columns =
            Sma::compute(&SmaParams { period: 3 }, &closes(&[1.0, 2.0, 6.0, 1.0])).unwrap();
        assert_eq!(columns[0].1, [None, None, Some(3.0), Some(3.0)]);
    }
}
