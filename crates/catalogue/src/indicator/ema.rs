//! Exponential moving average.
//!
//! What: a mean of closes in which each older one counts less by a constant factor.
//! Formula: EMA(t) = EMA(t-1) + 2/(period + 1) · (close(t) - EMA(t-1)).
//! Data: closes; starts as the mean of the first `period`.
//! Cost: O(bars).
//! Fails when: used as a forecast: it lags.
//! Source: Murphy, Technical Analysis of the Financial Markets (1999), chapter 9.
//! Not claimed: that crossings earn money.

use super::engine;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Ema;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<Ema>();

params! {
    /// Parameters.
    pub struct EmaParams {
        /// Span: a close counts 1 - 2/(period + 1) times as much as the one after it.
        period: usize = 30, within(2.0, 10_000.0);
    }
}

const CARD: Card = Card {
    id: "ema",
    family: "indicator",
    title: "Exponential moving average",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "A mean of closes in which each older one counts less by a constant factor.",
    formula: "EMA(t) = EMA(t - 1) + k (close(t) - EMA(t - 1)), k = 2/(period + 1); EMA(period - 1) = mean of the first period closes",
    data: "Closes.",
    cost: "O(bars)",
    fails_when: "It is read as a forecast: it lags. Its first values depend on where the series starts.",
    not_claimed: "That crossing it predicts a return.",
    source: "J. J. Murphy, Technical Analysis of the Financial Markets (1999), chapter 9",
    reference: "TA-Lib 0.8, EMA",
    outputs: &[(
        "ema",
        "price units, one a bar, null before the first full window",
    )],
    stochastic: false,
    evidence: &[Evidence {
        against: "TA-Lib 0.8, EMA",
        cases: "ema-12-ibm, ema-26-aapl",
        tolerance: "1e-8 relative",
    }],
    presets: &[],
    exemptions: &[],
};

impl Indicator for Ema {
    type Params = EmaParams;
    const CARD: &'static Card = &CARD;

    fn compute(params: &EmaParams, bars: &Bars) -> Result<Columns, FitError> {
        let ema = engine::ema(&bars.close, params.period, params.period);
        Ok(vec![("ema", ema)])
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
        // Starts at (1 + 3)/2 = 2; weight 2/3: 2 + 2/3 · (5 - 2) = 4.
        let columns = Ema::compute(&EmaParams { period: 2 }, &closes(&[1.0, 3.0, 5.0])).unwrap();
        assert_eq!(columns[0].1, [None, Some(2.0), Some(4.0)]);
    }
}
