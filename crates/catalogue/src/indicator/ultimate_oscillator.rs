//! Ultimate oscillator.
//!
//! What: Buying pressure as a share of the true range over three lengths, from 0 to 100, the shortest
//! weighing most.
//! Formula: 100 · (4 r1 + 2 r2 + r3)/7, r = sum of close - min(low, last close) over sum of true
//! ranges.
//! Data: high, low and close.
//! Cost: O(bars)
//! Fails when: A trend lasts: it stays near its end for long.
//! Source: L. Williams, The Ultimate Oscillator, Technical Analysis of Stocks & Commodities 3 (1985)
//! Not claimed: That values under 30 or over 70 are turning points.

use super::engine::{Last, RollingSum, TrueRange};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct UltimateOscillator;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<UltimateOscillator>();

params! {
    /// Parameters.
    pub struct UltimateOscillatorParams {
        /// A length; the shortest of the three weighs 4.
        period1: usize = 7, within(1.0, 100_000.0);
        /// A length; the middle one weighs 2.
        period2: usize = 14, within(1.0, 100_000.0);
        /// A length; the longest weighs 1.
        period3: usize = 28, within(1.0, 100_000.0);
    }
}

/// After some bars.
pub struct UltimateOscillatorState {
    last: Last,
    range: TrueRange,
    /// Pressures and ranges of the shortest, the middle and the longest length.
    sums: [(RollingSum, RollingSum); 3],
}

impl State for UltimateOscillatorState {
    type Row = [Option<f64>; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        let range = self.range.push(bar);
        let (Some(range), Some(last)) = (range, self.last.push(bar.close)) else {
            return [None];
        };
        let pressure = bar.close - bar.low.min(last);
        let mut total = Some(0.0);
        for ((pressures, ranges), weight) in self.sums.iter_mut().zip([4.0, 2.0, 1.0]) {
            let sums = pressures.push(pressure).zip(ranges.push(range));
            total = total.zip(sums).map(|(total, (pressure, range))| {
                if range == 0.0 {
                    total
                } else {
                    total + weight * (pressure / range)
                }
            });
        }
        [total.map(|t| 100.0 * (t / 7.0))]
    }
}

const CARD: Card = Card {
    id: "ultimate_oscillator",
    family: "indicator",
    title: "Ultimate oscillator",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "Buying pressure as a share of the true range over three lengths, from 0 to 100, the shortest weighing most.",
    formula: "BP = close(t) - min(low(t), close(t - 1)); TR(t) = max(high(t), close(t - 1)) - min(low(t), close(t - 1)); r = Σ BP/Σ TR over each length, 0 where Σ TR is 0; ultimate_oscillator = 100 (4 r(shortest) + 2 r(middle) + r(longest))/7",
    data: "High, low and close.",
    cost: "O(bars)",
    fails_when: "A trend lasts: it stays near its end for long.",
    not_claimed: "That values under 30 or over 70 are turning points.",
    source: "L. Williams, The Ultimate Oscillator, Technical Analysis of Stocks & Commodities 3 (1985)",
    reference: "TA-Lib 0.8, ULTOSC",
    outputs: &[(
        "ultimate_oscillator",
        "0 to 100, one a bar, null for as many bars as the longest period",
    )],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, ULTOSC",
            cases: "ultimate-oscillator-7-14-28-ibm, ultimate-oscillator-5-10-20-aapl",
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

impl Streamed for UltimateOscillator {
    type Params = UltimateOscillatorParams;
    type State = UltimateOscillatorState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::High, Field::Low, Field::Close];

    fn start(params: &UltimateOscillatorParams) -> Result<UltimateOscillatorState, FitError> {
        let mut periods = [params.period1, params.period2, params.period3];
        periods.sort_unstable();
        Ok(UltimateOscillatorState {
            last: Last::default(),
            range: TrueRange::default(),
            sums: periods.map(|n| (RollingSum::new(n), RollingSum::new(n))),
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
        // Pressures 1 of 2 and 3 of 4: shortest 3/4, the others 4/6.
        let rows = [[2.0, 1.0, 1.0], [3.0, 1.0, 2.0], [5.0, 1.0, 4.0]];
        let params = UltimateOscillatorParams {
            period1: 2,
            period2: 1,
            period3: 2,
        };
        let columns = UltimateOscillator::compute(&params, &bars(&rows)).unwrap();
        assert_eq!(columns[0].1[..2], [None, None]);
        let got = columns[0].1[2].unwrap();
        assert!((got - 500.0 / 7.0).abs() < 1e-12, "{got}");
    }
}
