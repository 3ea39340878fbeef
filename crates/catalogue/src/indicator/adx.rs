//! Average directional index.
//!
//! What: how strongly prices go in one direction, whichever it is, from 0 to 100, with the index of
//! each direction.
//! Formula: Wilder averages of directional movement over true range (plus and minus), and of
//! 100 · |plus - minus|/(plus + minus).
//! Data: high, low and close.
//! Cost: O(bars).
//! Fails when: it is read as a direction. It lags by about two periods; its first values depend on
//! where the series starts.
//! Source: J. W. Wilder, New Concepts in Technical Trading Systems (1978).
//! Not claimed: that a strong trend goes on.

use super::engine::TrueRange;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Adx;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Adx>();

params! {
    /// Parameters.
    pub struct AdxParams {
        /// Bars averaged.
        period: usize = 14, within(2.0, 100_000.0);
    }
}

/// After some bars.
pub struct AdxState {
    period: usize,
    last: Option<Bar>,
    range: TrueRange,
    /// Changes seen, as far as they matter.
    seen: usize,
    up: f64,
    down: f64,
    moved: f64,
    /// The sum of the first DX, then the average.
    adx: f64,
}

impl State for AdxState {
    type Row = [Option<f64>; 3];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 3] {
        let range = self.range.push(bar);
        let (Some(range), Some(last)) = (range, self.last.replace(*bar)) else {
            return [None; 3];
        };
        let (up, down) = (bar.high - last.high, last.low - bar.low);
        let (up, down) = if down > 0.0 && up < down {
            (0.0, down)
        } else if up > 0.0 && up > down {
            (up, 0.0)
        } else {
            (0.0, 0.0)
        };
        let n = self.period as f64;
        self.seen = (self.seen + 1).min(2 * self.period);
        if self.seen < self.period {
            self.up += up;
            self.down += down;
            self.moved += range;
            return [None; 3];
        }
        self.up += up - self.up / n;
        self.down += down - self.down / n;
        self.moved += range - self.moved / n;
        let (mut plus, mut minus, mut dx) = (0.0, 0.0, None);
        if self.moved != 0.0 {
            plus = 100.0 * (self.up / self.moved);
            minus = 100.0 * (self.down / self.moved);
            let both = plus + minus;
            dx = (both != 0.0).then(|| 100.0 * ((minus - plus).abs() / both));
        }
        let directions = [Some(plus), Some(minus)];
        if self.seen < 2 * self.period {
            self.adx += dx.unwrap_or(0.0);
            if self.seen + 1 < 2 * self.period {
                return [None, directions[0], directions[1]];
            }
            self.adx /= n;
        } else if let Some(dx) = dx {
            self.adx = (self.adx * (n - 1.0) + dx) / n;
        }
        [Some(self.adx), directions[0], directions[1]]
    }
}

const CARD: Card = Card {
    id: "adx",
    family: "indicator",
    title: "Average directional index",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "How strongly prices go in one direction, whichever it is, from 0 to 100, with the index of each direction.",
    formula: "up = high(t) - high(t - 1), down = low(t - 1) - low(t); the larger of the two counts when it is above 0; TR(t) = max(high(t), close(t - 1)) - min(low(t), close(t - 1)); sums of up, down and TR over period - 1 bars, then s = s - s/period + x; plus_di, minus_di = 100 · sum of up, of down / sum of TR; DX = 100 |plus_di - minus_di|/(plus_di + minus_di); adx = mean of the first period DX, then (adx (period - 1) + DX)/period; where a divisor is 0 DX is left out",
    data: "High, low and close.",
    cost: "O(bars)",
    fails_when: "It is read as a direction. It lags by about two periods; its first values depend on where the series starts.",
    not_claimed: "That a strong trend goes on.",
    source: "J. W. Wilder, New Concepts in Technical Trading Systems (1978)",
    reference: "TA-Lib 0.8, ADX, PLUS_DI and MINUS_DI",
    outputs: &[
        (
            "adx",
            "0 to 100, one a bar, null for the first 2 period - 1 bars",
        ),
        ("plus_di", "0 to 100, null for the first period bars"),
        ("minus_di", "0 to 100, likewise"),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, ADX, PLUS_DI, MINUS_DI",
            cases: "adx-14-ibm, adx-21-aapl",
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

impl Streamed for Adx {
    type Params = AdxParams;
    type State = AdxState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::High, Field::Low, Field::Close];

    fn start(params: &AdxParams) -> Result<AdxState, FitError> {
        Ok(AdxState {
            period: params.period,
            last: None,
            range: TrueRange::default(),
            seen: 0,
            up: 0.0,
            down: 0.0,
            moved: 0.0,
            adx: 0.0,
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
        // Bar 1 up 1 in a range of 2, bar 2 down 2 in 4, bar 3 up 3 in 5. Sums at bar 2: up 1/2, down 2,
        // range 5; at bar 3: up 1/4 + 3, down 1, range 7.5.
        let rows = [
            [2.0, 1.0, 1.0],
            [3.0, 1.0, 3.0],
            [2.0, -1.0, 0.0],
            [5.0, 1.0, 4.0],
        ];
        let columns = Adx::compute(&AdxParams { period: 2 }, &bars(&rows)).unwrap();
        let near = |got: Option<f64>, want: f64| {
            assert!((got.unwrap() - want).abs() < 1e-9, "{got:?} {want}")
        };
        near(columns[1].1[2], 10.0);
        near(columns[2].1[2], 40.0);
        near(columns[1].1[3], 100.0 * 3.25 / 7.5);
        // DX: 30/50 and 2.25/4.25 of 100.
        assert_eq!(columns[0].1[..3], [None; 3]);
        near(columns[0].1[3], 50.0 * (0.6 + 2.25 / 4.25));
    }
}
