//! Chaikin oscillator.
//!
//! What: the distance of a fast from a slow exponential average of the accumulation/distribution line.
//! Formula: EMA(ad, fast) - EMA(ad, slow), both started with the first ad.
//! Data: high, low, close and volume.
//! Cost: O(bars).
//! Fails when: volumes of different levels are compared: it is in shares.
//! Source: M. Chaikin, in R. W. Colby, The Encyclopedia of Technical Market Indicators (2003).
//! Not claimed: that it leads prices.

use super::engine::{Distribution, Total, column, from, further};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, State, Streamed, params,
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
    averages: Averages,
    /// Bars to come before the first value.
    wait: usize,
}

/// The fast and the slow average, in twos like the total: the second of two is said by the average before both
/// and the two totals.
#[derive(Clone, Copy)]
struct Averages {
    weights: [f64; 2],
    /// What is left of an average after one and after two values, and the weight of the first of two.
    kept: [f64; 2],
    kept_twice: [f64; 2],
    older: [f64; 2],
    values: [f64; 2],
    /// Bars so far, as far as they matter: none, an even or an odd number.
    seen: Seen,
    /// The first total of the two.
    first: f64,
}

#[derive(Clone, Copy)]
enum Seen {
    Nothing,
    Even,
    Odd,
}

impl Averages {
    fn new(periods: [usize; 2]) -> Self {
        let weights = periods.map(|period| 2.0 / (period as f64 + 1.0));
        let kept = weights.map(|weight| 1.0 - weight);
        Self {
            weights,
            kept,
            kept_twice: kept.map(|kept| kept * kept),
            older: [kept[0] * weights[0], kept[1] * weights[1]],
            values: [0.0; 2],
            seen: Seen::Nothing,
            first: 0.0,
        }
    }

    /// Fast less slow after the next total.
    fn push(&mut self, ad: f64) -> f64 {
        match self.seen {
            // Both start as the first total, which so counts as the first of two as well.
            Seen::Nothing => {
                (self.values, self.first, self.seen) = ([ad; 2], ad, Seen::Odd);
                0.0
            }
            Seen::Even => {
                (self.first, self.seen) = (ad, Seen::Odd);
                let [fast, slow] = self.one(ad);
                fast - slow
            }
            Seen::Odd => {
                self.seen = Seen::Even;
                self.values = self.both(self.first, ad);
                self.values[0] - self.values[1]
            }
        }
    }

    #[inline(always)]
    fn one(&self, a: f64) -> [f64; 2] {
        [0, 1].map(|k| self.kept[k] * self.values[k] + self.weights[k] * a)
    }

    #[inline(always)]
    fn both(&self, a: f64, b: f64) -> [f64; 2] {
        [0, 1].map(|k| {
            self.kept_twice[k] * self.values[k] + (self.older[k] * a + self.weights[k] * b)
        })
    }

    /// Two totals: what [`Self::push`] gives after each, to the bit.
    #[inline(always)]
    fn two(&mut self, [a, b]: [f64; 2]) -> [f64; 2] {
        let first = self.one(a);
        self.values = self.both(a, b);
        [first[0] - first[1], self.values[0] - self.values[1]]
    }
}

impl State for ChaikinOscillatorState {
    type Row = [Option<f64>; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        let value = self.averages.push(self.total.push(bar));
        if self.wait > 0 {
            self.wait -= 1;
            return [None];
        }
        [Some(value)]
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        let parts = Distribution::parts(bars);
        let (mut total, mut averages) = (Total::default(), self.averages);
        let (first, rest) = parts.split_at(parts.len().min(2));
        let mut values = Vec::with_capacity(parts.len());
        for part in first {
            values.push(averages.push(total.push(*part)));
        }
        let (twos, last) = rest.as_chunks::<2>();
        // Variables of their own, that no call sees, can live in registers.
        let (mut sum, mut fast) = (total, averages);
        for (two, out) in twos.iter().zip(further(&mut values, twos.len())) {
            *out = fast.two(sum.two(*two));
        }
        for part in last {
            values.push(fast.push(sum.push(*part)));
        }
        let values = from(&values, self.wait).iter().copied();
        vec![column(self.wait, bars.len(), values)]
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
        Ok(ChaikinOscillatorState {
            total: Distribution::default(),
            averages: Averages::new([params.fast, params.slow]),
            wait: params.fast.max(params.slow) - 1,
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
