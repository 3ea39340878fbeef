//! Weighted moving average.
//!
//! What: a mean of closes whose weights fall in a straight line, from period for the last one to 1 for
//! the oldest.
//! Formula: WMA(t) = Σᵢ (period - i) close(t - i) / (period (period + 1)/2), i = 0 .. period - 1.
//! Data: closes.
//! Cost: O(bars).
//! Fails when: it is read as a forecast: it lags.
//! Source: J. J. Murphy, Technical Analysis of the Financial Markets (1999), chapter 9.
//! Not claimed: that crossing it predicts a return.

use super::engine::{Window, column};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Wma;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Wma>();

params! {
    /// Parameters.
    pub struct WmaParams {
        /// Closes averaged; the last one weighs this much, the oldest 1.
        period: usize = 30, within(1.0, 100_000.0);
    }
}

/// After some bars.
pub struct WmaState {
    window: Window,
    period: f64,
    divisor: f64,
    /// Sum of the closes, and their weighted sum.
    sum: f64,
    weighted: f64,
    seen: f64,
}

impl State for WmaState {
    type Row = [Option<f64>; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        let old = self.window.push(bar.close);
        // With a new close each older one loses one of its weights: the plain sum of them.
        if let Some(old) = old {
            self.weighted += self.period * bar.close - self.sum;
            self.sum += bar.close - old;
        } else {
            self.seen += 1.0;
            self.weighted += self.seen * bar.close;
            self.sum += bar.close;
        }
        [self.window.is_full().then(|| self.weighted / self.divisor)]
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        let period = self.window.places().len();
        let close = bars.close();
        let Some((first, rest)) = close.split_at_checked(period) else {
            return vec![vec![None; close.len()]];
        };
        let (size, divisor) = (self.period, self.divisor);
        let (mut sum, mut weighted) = (0.0, 0.0);
        for (weight, close) in (1..).zip(first) {
            weighted += f64::from(weight) * close;
            sum += close;
        }
        let start = weighted;
        let moved = rest.iter().zip(close).map(move |(close, old)| {
            weighted += size * close - sum;
            sum += close - old;
            weighted
        });
        let values = std::iter::once(start).chain(moved);
        let values = values.map(move |weighted| weighted / divisor);
        vec![column(period - 1, close.len(), values)]
    }
}

const CARD: Card = Card {
    id: "wma",
    family: "indicator",
    title: "Weighted moving average",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "A mean of closes whose weights fall in a straight line, from period for the last one to 1 for the oldest.",
    formula: "WMA(t) = Σᵢ (period - i) close(t - i) / (period (period + 1)/2), i = 0 .. period - 1",
    data: "Closes.",
    cost: "O(bars)",
    fails_when: "It is read as a forecast: it lags.",
    not_claimed: "That crossing it predicts a return.",
    source: "J. J. Murphy, Technical Analysis of the Financial Markets (1999), chapter 9",
    reference: "TA-Lib 0.8, WMA",
    outputs: &[(
        "wma",
        "price units, one a bar, null before the first full window",
    )],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, WMA",
            cases: "wma-10-ibm, wma-30-aapl",
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

impl Streamed for Wma {
    type Params = WmaParams;
    type State = WmaState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::Close];

    fn start(params: &WmaParams) -> Result<WmaState, FitError> {
        let period = params.period as f64;
        Ok(WmaState {
            window: Window::new(params.period),
            period,
            divisor: period * (period + 1.0) / 2.0,
            sum: 0.0,
            weighted: 0.0,
            seen: 0.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_catalogue_core::{Bars, Indicator};

    fn closes(close: &[f64]) -> Bars {
        Bars {
            close: close.to_vec(),
            ..Bars::default()
        }
    }

    #[test]
    fn by_hand() {
        // (1 + 2 · 2 + 3 · 6)/6, then (2 + 2 · 6 + 3 · 1)/6.
        let wanted = [None, None, Some(23.0 / 6.0), Some(17.0 / 6.0)];
        let columns =
            Wma::compute(&WmaParams { period: 3 }, &closes(&[1.0, 2.0, 6.0, 1.0])).unwrap();
        assert_eq!(columns[0].1, wanted);
    }
}
