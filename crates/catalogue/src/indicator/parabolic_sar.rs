//! Parabolic stop and reverse.
//!
//! What: a stop that follows a position ever faster while it gains, and turns it round when a bar
//! touches the stop.
//! Formula: sar(t + 1) = sar(t) + a · (e - sar(t)), e the extreme of the position, a growing with every
//! new one.
//! Data: high and low.
//! Cost: O(bars).
//! Fails when: prices go sideways: it turns the position again and again.
//! Source: J. W. Wilder, New Concepts in Technical Trading Systems (1978).
//! Not claimed: that the turns earn money.

use super::engine::{column, from, larger, smaller};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct ParabolicSar;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<ParabolicSar>();

params! {
    /// Parameters.
    pub struct ParabolicSarParams {
        /// What the factor starts with and grows by with every new extreme.
        acceleration: f64 = 0.02, at_least(0.0);
        /// Largest factor.
        maximum: f64 = 0.2, at_least(0.0);
    }
}

/// After some bars.
pub struct ParabolicSarState {
    acceleration: f64,
    maximum: f64,
    last: Option<[f64; 2]>,
    position: Option<Position>,
}

struct Position {
    long: bool,
    /// The stop of the next bar.
    sar: f64,
    extreme: f64,
    factor: f64,
}

impl Position {
    /// After the first two bars, by the larger of their moves.
    fn first([high, low]: [f64; 2], [last_high, last_low]: [f64; 2], acceleration: f64) -> Self {
        let (up, down) = (high - last_high, last_low - low);
        let long = !(down > 0.0 && up < down);
        Self {
            long,
            sar: if long { last_low } else { last_high },
            extreme: if long { high } else { low },
            factor: acceleration,
        }
    }

    /// The stop of a bar, with the bar before it.
    #[inline(always)]
    fn next(
        &mut self,
        [high, low]: [f64; 2],
        [last_high, last_low]: [f64; 2],
        acceleration: f64,
        maximum: f64,
    ) -> f64 {
        let sar;
        if self.long {
            if low <= self.sar {
                self.long = false;
                sar = larger(larger(self.extreme, last_high), high);
                self.factor = acceleration;
                self.extreme = low;
                self.sar = larger(sar + self.factor * (low - sar), larger(last_high, high));
            } else {
                sar = self.sar;
                if high > self.extreme {
                    self.extreme = high;
                    self.factor = smaller(self.factor + acceleration, maximum);
                }
                self.sar = smaller(
                    sar + self.factor * (self.extreme - sar),
                    smaller(last_low, low),
                );
            }
        } else if high >= self.sar {
            self.long = true;
            sar = smaller(smaller(self.extreme, last_low), low);
            self.factor = acceleration;
            self.extreme = high;
            self.sar = smaller(sar + self.factor * (high - sar), smaller(last_low, low));
        } else {
            sar = self.sar;
            if low < self.extreme {
                self.extreme = low;
                self.factor = smaller(self.factor + acceleration, maximum);
            }
            self.sar = larger(
                sar + self.factor * (self.extreme - sar),
                larger(last_high, high),
            );
        }
        sar
    }
}

impl State for ParabolicSarState {
    type Row = [Option<f64>; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        let (high, low) = (bar.high, bar.low);
        let Some(last) = self.last.replace([high, low]) else {
            return [None];
        };
        // At the first stop the bar before the present one counts as the present one.
        let (last, position) = match &mut self.position {
            Some(position) => (last, position),
            none => {
                let position = Position::first([high, low], last, self.acceleration);
                ([high, low], none.insert(position))
            }
        };
        let sar = position.next([high, low], last, self.acceleration, self.maximum);
        [Some(sar)]
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        let (highs, lows) = (bars.high(), bars.low());
        let (&[high0, high1, ..], &[low0, low1, ..]) = (highs, lows) else {
            return vec![vec![None; bars.len()]];
        };
        let (acceleration, maximum) = (self.acceleration, self.maximum);
        let second = [high1, low1];
        let mut position = Position::first(second, [high0, low0], acceleration);
        let first = position.next(second, second, acceleration, maximum);
        let later = from(highs, 2).iter().zip(from(lows, 2));
        let before = from(highs, 1).iter().zip(from(lows, 1));
        let later = later
            .zip(before)
            .map(move |((high, low), (last_high, last_low))| {
                position.next(
                    [*high, *low],
                    [*last_high, *last_low],
                    acceleration,
                    maximum,
                )
            });
        vec![column(1, bars.len(), std::iter::once(first).chain(later))]
    }
}

const CARD: Card = Card {
    id: "parabolic_sar",
    family: "indicator",
    title: "Parabolic SAR",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "A stop that follows a position ever faster while it gains, and turns it round when a bar touches the stop.",
    formula: "Long: sar(t + 1) = sar(t) + a (e - sar(t)), at most the last two lows; e the highest high of the position, a grows by acceleration with every new e, up to maximum. A low at or under sar: short from e, a starts again; mirrored for short. The first position is short when the low of bar 1 fell more than its high rose, long otherwise",
    data: "High and low.",
    cost: "O(bars)",
    fails_when: "Prices go sideways: it turns the position again and again.",
    not_claimed: "That the turns earn money.",
    source: "J. W. Wilder, New Concepts in Technical Trading Systems (1978)",
    reference: "TA-Lib 0.8, SAR",
    outputs: &[("sar", "price units, one a bar, null for the first bar")],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, SAR",
            cases: "parabolic-sar-0_02-0_2-ibm, parabolic-sar-0_03-0_1-aapl",
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

impl Streamed for ParabolicSar {
    type Params = ParabolicSarParams;
    type State = ParabolicSarState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::High, Field::Low];

    fn start(params: &ParabolicSarParams) -> Result<ParabolicSarState, FitError> {
        Ok(ParabolicSarState {
            acceleration: params.acceleration.min(params.maximum),
            maximum: params.maximum,
            last: None,
            position: None,
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
            high: Some(vec![10.0, 12.0, 14.0, 13.0]),
            low: Some(vec![9.0, 11.0, 12.0, 8.0]),
            close: vec![9.5, 11.5, 13.0, 9.0],
            ..Bars::default()
        };
        let params = ParabolicSarParams {
            acceleration: 0.5,
            maximum: 0.75,
        };
        // Long from 9 with extreme 12: next 9 + 0.5 · 3 = 10.5. Bar 2: extreme 14, factor 0.75: next
        // 10.5 + 0.75 · 3.5 = 13.125, at most the lows 11 and 12. Bar 3 falls through 11: short from 14.
        let columns = ParabolicSar::compute(&params, &bars).unwrap();
        assert_eq!(columns[0].1, [None, Some(9.0), Some(10.5), Some(14.0)]);
    }
}
