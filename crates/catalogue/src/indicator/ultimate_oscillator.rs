//! Ultimate oscillator.
//!
//! What: buying pressure as a share of the true range over three lengths, from 0 to 100, the shortest
//! weighing most.
//! Formula: 100 · (4 r1 + 2 r2 + r3)/7, r = sum of close - min(low, last close) over sum of true
//! ranges.
//! Data: high, low and close.
//! Cost: O(bars).
//! Fails when: a trend lasts: it stays near its end for long.
//! Source: L. Williams, The Ultimate Oscillator, Technical Analysis of Stocks & Commodities 3 (1985).
//! Not claimed: that values under 30 or over 70 are turning points.

use super::engine::{Last, TrueRange, column, from, smaller};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, State, Streamed, params,
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
    /// Pressures and ranges of the last bars, as many as the longest length.
    kept: Vec<(f64, f64)>,
    next: usize,
    /// Bars kept.
    seen: usize,
    /// The shortest, the middle and the longest length.
    sums: [Sums; 3],
}

/// Sums over one length.
struct Sums {
    period: usize,
    weight: f64,
    pressure: f64,
    range: f64,
    /// How many of the latest bars have no range, one after the other.
    still: usize,
}

impl Sums {
    /// What the length adds to the total, with a bar that comes and one that goes.
    #[inline(always)]
    fn change(&mut self, new: (f64, f64), old: (f64, f64)) -> f64 {
        (self.pressure, self.range) = if self.still + 1 >= self.period {
            // What rounding has left of bars that are gone is nothing.
            new
        } else {
            (
                self.pressure + (new.0 - old.0),
                self.range + (new.1 - old.1),
            )
        };
        self.still = (self.still + 1) * usize::from(new.1 <= 0.0);
        let part = self.weight * (self.pressure / self.range);
        if self.range > 0.0 { part } else { 0.0 }
    }
}

impl State for UltimateOscillatorState {
    type Row = [Option<f64>; 1];

    // Part of the loop over the bars: a call a bar costs more than the rest.
    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        let range = self.range.push(bar);
        let (Some(range), Some(last)) = (range, self.last.push(bar.close)) else {
            return [None];
        };
        let pressure = bar.close - smaller(bar.low, last);
        let size = self.kept.len();
        let mut total = 0.0;
        for sums in &mut self.sums {
            let mut old = (0.0, 0.0);
            if self.seen >= sums.period {
                let ago = self.next + size - sums.period;
                old = self.kept[if ago < size { ago } else { ago - size }];
            }
            total += sums.change((pressure, range), old);
        }
        self.kept[self.next] = (pressure, range);
        self.next += 1;
        if self.next == size {
            self.next = 0;
        }
        if self.seen < size {
            self.seen += 1;
        }
        [(self.seen == size).then(|| 100.0 * (total / 7.0))]
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        let ranges = TrueRange::all(bars);
        let later = from(bars.close(), 1).iter().zip(from(bars.low(), 1));
        let later = later.zip(bars.close());
        let pressures: Vec<f64> = later
            .map(|((close, low), last)| close - smaller(*low, *last))
            .collect();
        let mut totals = vec![0.0; ranges.len()];
        for mut sums in self.sums {
            let period = sums.period.min(ranges.len());
            let (first, rest) = totals.split_at_mut(period);
            let news = pressures.iter().zip(&ranges);
            for (total, (pressure, range)) in first.iter_mut().zip(news) {
                *total += sums.change((*pressure, *range), (0.0, 0.0));
            }
            let news = from(&pressures, period).iter().zip(from(&ranges, period));
            let olds = pressures.iter().zip(&ranges);
            for (total, (new, old)) in rest.iter_mut().zip(news.zip(olds)) {
                *total += sums.change((*new.0, *new.1), (*old.0, *old.1));
            }
        }
        let lead = self.kept.len();
        let values = from(&totals, lead - 1).iter();
        vec![column(
            lead,
            bars.len(),
            values.map(|total| 100.0 * (total / 7.0)),
        )]
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
            kept: vec![(0.0, 0.0); periods[2]],
            next: 0,
            seen: 0,
            sums: [0, 1, 2].map(|k| Sums {
                period: periods[k],
                weight: [4.0, 2.0, 1.0][k],
                pressure: 0.0,
                range: 0.0,
                still: 0,
            }),
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
