//! Moving average convergence divergence.
//!
//! What: the distance of a fast from a slow exponential average, and its own average.
//! Formula: MACD = EMA(fast) - EMA(slow); signal = EMA of it; histogram = MACD - signal.
//! Data: closes; nothing before slow + signal - 1 of them.
//! Cost: O(bars).
//! Fails when: prices of different levels are compared: it is in price units.
//! Source: Appel, Technical Analysis: Power Tools for Active Investors (2005).
//! Not claimed: that crossings earn money.

use super::engine;
use mltrainer_catalogue_core::ParamError;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Macd;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<Macd>();

params! {
    /// Parameters.
    pub struct MacdParams {
        /// Span of the fast average; less than slow.
        fast: usize = 12, within(2.0, 10_000.0);
        /// Span of the slow average.
        slow: usize = 26, within(2.0, 10_000.0);
        /// Span of the average of the difference.
        signal: usize = 9, within(1.0, 10_000.0);
    }
}

const CARD: Card = Card {
    id: "macd",
    family: "indicator",
    title: "Moving average convergence divergence",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "The distance of a fast from a slow exponential average of the close, its own average (the signal), and what lies between them.",
    formula: "macd = EMA(close, fast) - EMA(close, slow); signal = EMA(macd, signal); histogram = macd - signal. Both averages start at bar slow - 1, each as the mean of its own last closes; everything is null until the signal exists, at bar slow + signal - 2",
    data: "Closes.",
    cost: "O(bars)",
    fails_when: "Prices of different levels are compared: it is in price units. It lags.",
    not_claimed: "That crossing its signal predicts a return.",
    source: "G. Appel, Technical Analysis: Power Tools for Active Investors (2005)",
    reference: "TA-Lib 0.8, MACD",
    outputs: &[
        (
            "macd",
            "price units, one a bar, null for the first slow + signal - 2 bars",
        ),
        ("signal", "price units, likewise"),
        ("histogram", "price units, likewise"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "TA-Lib 0.8, MACD",
        cases: "macd-12-26-9-ibm, macd-5-35-5-aapl",
        tolerance: "1e-7 relative",
    }],
    presets: &[],
    exemptions: &[],
};

impl Indicator for Macd {
    type Params = MacdParams;
    const CARD: &'static Card = &CARD;

    fn compute(params: &MacdParams, bars: &Bars) -> Result<Columns, FitError> {
        let MacdParams { fast, slow, signal } = *params;
        if fast >= slow {
            return Err(FitError::Param(ParamError {
                field: "fast".into(),
                reason: format!("{fast} must be less than slow, which is {slow}"),
                suggestions: Vec::new(),
            }));
        }
        let difference: Vec<f64> = engine::ema(&bars.close, fast, slow)
            .into_iter()
            .zip(engine::ema(&bars.close, slow, slow))
            .filter_map(|(fast, slow)| Some(fast? - slow?))
            .collect();
        let lead = bars.len() - difference.len();
        let average = engine::ema(&difference, signal, signal);
        let place = |f: fn(f64, f64) -> f64| {
            let column = difference
                .iter()
                .zip(&average)
                .map(|(d, a)| a.map(|a| f(*d, a)))
                .collect();
            engine::shifted(column, lead)
        };
        Ok(vec![
            ("macd", place(|d, _| d)),
            ("signal", place(|_, a| a)),
            ("histogram", place(|d, a| d - a)),
        ])
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
        let params = MacdParams {
            fast: 2,
            slow: 3,
            signal: 2,
        };
        // At bar 2: fast (2 + 6)/2 = 4, slow (1 + 2 + 6)/3 = 3: 1. At bar 3: fast 4 + 2/3 · (1 - 4) = 2,
        // slow 3 + 1/2 · (1 - 3) = 2: 0. Signal at bar 3: (1 + 0)/2.
        let columns = Macd::compute(&params, &closes(&[1.0, 2.0, 6.0, 1.0])).unwrap();
        assert_eq!(columns[0].1, [None, None, None, Some(0.0)]);
        assert_eq!(columns[1].1[3], Some(0.5));
        assert_eq!(columns[2].1[3], Some(-0.5));
        let few = Macd::compute(&params, &closes(&[1.0])).unwrap();
        assert_eq!(few[0].1, [None]);
    }

    #[test]
    fn a_fast_average_must_be_faster() {
        let params = MacdParams {
            fast: 26,
            slow: 12,
            signal: 9,
        };
        let refused = Macd::compute(&params, &closes(&[1.0])).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "parameter fast: 26 must be less than slow, which is 12"
        );
    }
}
