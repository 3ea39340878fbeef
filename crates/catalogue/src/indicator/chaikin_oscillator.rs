//! Chaikin oscillator.
//!
//! What: the distance of a fast from a slow exponential average of the accumulation/distribution line.
//! Formula: EMA(ad, fast) - EMA(ad, slow), both started with the first ad.
//! Data: high, low, close and volume.
//! Cost: O(bars).
//! Fails when: volumes of different levels are compared: it is in shares.
//! Source: M. Chaikin, in R. W. Colby, The Encyclopedia of Technical Market Indicators (2003).
//! Not claimed: that it leads prices.

use super::engine::Distribution;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct ChaikinOscillator;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<ChaikinOscillator>();

params! {
    /// Parameters.
    pub struct ChaikinOscillatorParams {
        /// Span of the average that counts positive.
        fast: usize = 3, within(2.0, 100_000.0);
        /// Span of the average that counts negative.
        slow: usize = 10, within(2.0, 100_000.0);
    }
}

/// After some bars.
pub struct ChaikinOscillatorState {
    total: Distribution,
    fast: f64,
    slow: f64,
    weights: [f64; 2],
    /// Bars to come before the first value.
    wait: usize,
    started: bool,
}

impl State for ChaikinOscillatorState {
    type Row = [Option<f64>; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        let ad = self.total.push(bar);
        if self.started {
            let [fast, slow] = self.weights;
            self.fast = fast * ad + (1.0 - fast) * self.fast;
            self.slow = slow * ad + (1.0 - slow) * self.slow;
        } else {
            (self.fast, self.slow, self.started) = (ad, ad, true);
        }
        if self.wait > 0 {
            self.wait -= 1;
            return [None];
        }
        [Some(self.fast - self.slow)]
    }
}

const CARD: Card = Card {
    id: "chaikin_oscillator",
    family: "indicator",
    title: "Chaikin oscillator",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "The distance of a fast from a slow exponential average of the accumulation/distribution line.",
    formula: "fast, slow: e(t) = e(t - 1) + 2/(n + 1) (ad(t) - e(t - 1)), both started with the first ad; chaikin_oscillator = fast - slow, null for the first max(fast, slow) - 1 bars",
    data: "High, low, close and volume.",
    cost: "O(bars)",
    fails_when: "Volumes of different levels are compared: it is in shares.",
    not_claimed: "That it leads prices.",
    source: "M. Chaikin, in R. W. Colby, The Encyclopedia of Technical Market Indicators (2003)",
    reference: "TA-Lib 0.8, ADOSC",
    outputs: &[(
        "chaikin_oscillator",
        "shares, one a bar, null for the first max(fast, slow) - 1 bars",
    )],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, ADOSC",
            cases: "chaikin-oscillator-3-10-ibm, chaikin-oscillator-5-20-aapl",
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

impl Streamed for ChaikinOscillator {
    type Params = ChaikinOscillatorParams;
    type State = ChaikinOscillatorState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::High, Field::Low, Field::Close, Field::Volume];

    fn start(params: &ChaikinOscillatorParams) -> Result<ChaikinOscillatorState, FitError> {
        let weight = |period: usize| 2.0 / (period as f64 + 1.0);
        Ok(ChaikinOscillatorState {
            total: Distribution::default(),
            fast: 0.0,
            slow: 0.0,
            weights: [weight(params.fast), weight(params.slow)],
            wait: params.fast.max(params.slow) - 1,
            started: false,
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
        // ad 3, 6, 0: fast 3, 5, 5/3; slow 3, 4.5, 2.25.
        let rows = [
            [2.0, 1.0, 2.0, 3.0],
            [2.0, 1.0, 2.0, 3.0],
            [2.0, 1.0, 1.0, 6.0],
        ];
        let params = ChaikinOscillatorParams { fast: 2, slow: 3 };
        let columns = ChaikinOscillator::compute(&params, &bars(&rows)).unwrap();
        assert_eq!(columns[0].1[..2], [None, None]);
        let got = columns[0].1[2].unwrap();
        assert!((got - (5.0 / 3.0 - 2.25)).abs() < 1e-12, "{got}");
    }
}
