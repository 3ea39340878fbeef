//! Bollinger bands.
//!
//! What: a moving average of the close with bands at a multiple of the standard deviation.
//! Formula: middle = SMA; upper, lower = middle ± std_dev · σ, σ with divisor `period`.
//! Data: closes; nothing before `period` of them.
//! Cost: O(bars).
//! Fails when: read as an interval of probability: closes are not independent.
//! Source: Bollinger, Bollinger on Bollinger Bands (2001).
//! Not claimed: that a price outside a band returns.

use super::engine::{Window, column, larger};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct BollingerBands;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<BollingerBands>();

params! {
    /// Parameters.
    pub struct BollingerBandsParams {
        /// Closes averaged.
        period: usize = 20, within(2.0, 100_000.0);
        /// Width of the bands in standard deviations.
        std_dev: f64 = 2.0, above_up_to(0.0, 1000.0);
    }
}

/// After some bars.
pub struct BollingerBandsState {
    window: Window,
    std_dev: f64,
    moments: Moments,
}

/// Mean and squares of the last closes.
#[derive(Clone, Copy)]
struct Moments {
    /// 1/period.
    share: f64,
    mean: f64,
    /// Sum of squared deviations from the mean.
    square: f64,
    /// How many of the last closes are equal, the present one included.
    equal: usize,
    last: f64,
}

impl Moments {
    /// Mean and sum of squares after a close came and an old one went.
    #[inline(always)]
    fn change(&mut self, close: f64, old: f64, size: usize) -> (f64, f64) {
        self.count(close);
        // One value for another in mean and squares: no difference of large sums is taken.
        let before = self.mean;
        self.mean += (close - old) * self.share;
        self.square += (close - old) * ((close - self.mean) + (old - before));
        self.settle(close, size);
        (self.mean, self.square)
    }

    #[inline(always)]
    fn count(&mut self, close: f64) {
        self.equal = if close == self.last {
            self.equal + 1
        } else {
            1
        };
        self.last = close;
    }

    /// What rounding has left where all closes are equal is nothing.
    #[inline(always)]
    fn settle(&mut self, close: f64, size: usize) {
        if self.equal >= size {
            (self.mean, self.square) = (close, 0.0);
        }
    }
}

impl State for BollingerBandsState {
    type Row = [Option<f64>; 3];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 3] {
        let close = bar.close;
        let size = self.window.places().len();
        if let Some(old) = self.window.push(close) {
            self.moments.change(close, old, size);
        } else {
            self.moments.count(close);
            if !self.window.is_full() {
                return [None; 3];
            }
            (self.moments.mean, self.moments.square) = moments(self.window.places());
            self.moments.settle(close, size);
        }
        let width = width(self.moments.square, self.moments.share, self.std_dev);
        [
            self.moments.mean + width,
            self.moments.mean,
            self.moments.mean - width,
        ]
        .map(Some)
    }

    fn columns(mut self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        let (close, size) = (bars.close(), self.window.places().len());
        let room = (close.len() + 1).saturating_sub(size);
        let (mut means, mut widths) = (vec![0.0; room], vec![0.0; room]);
        if let Some((first, rest)) = close.split_at_checked(size) {
            for close in first {
                self.moments.count(*close);
            }
            (self.moments.mean, self.moments.square) = moments(first);
            self.moments.settle(self.moments.last, size);
            let mut places = means.iter_mut().zip(&mut widths);
            if let Some((mean, square)) = places.next() {
                (*mean, *square) = (self.moments.mean, self.moments.square);
            }
            // A variable of its own, that no call sees, can live in registers.
            let mut fast = self.moments;
            for ((mean, square), (close, old)) in places.zip(rest.iter().zip(close)) {
                (*mean, *square) = fast.change(*close, *old, size);
            }
        }
        for square in &mut widths {
            *square = width(*square, self.moments.share, self.std_dev);
        }
        let both = || means.iter().zip(&widths);
        let (lead, count) = (size - 1, close.len());
        vec![
            column(lead, count, both().map(|(mean, width)| mean + width)),
            column(lead, count, means.iter().copied()),
            column(lead, count, both().map(|(mean, width)| mean - width)),
        ]
    }
}

/// Half of the distance of the bands.
#[inline(always)]
fn width(square: f64, share: f64, std_dev: f64) -> f64 {
    std_dev * (larger(square, 0.0) * share).sqrt()
}

/// Mean, and sum of squared deviations from it.
#[cold]
fn moments(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (mean, values.iter().map(|v| (v - mean).powi(2)).sum())
}

const CARD: Card = Card {
    id: "bollinger_bands",
    family: "indicator",
    title: "Bollinger bands",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "A moving average of the close with bands above and below it at a multiple of the standard deviation of the same closes.",
    formula: "middle = mean of the last period closes; σ² = mean of (close - middle)² over them (divisor period); upper, lower = middle ± std_dev · σ",
    data: "Closes.",
    cost: "O(bars)",
    fails_when: "The bands are read as an interval of probability: closes are neither independent nor normal.",
    not_claimed: "That a price outside a band returns inside.",
    source: "J. Bollinger, Bollinger on Bollinger Bands (2001)",
    reference: "TA-Lib 0.8, BBANDS",
    outputs: &[
        (
            "upper",
            "price units, one a bar, null before the first full window",
        ),
        ("middle", "price units, likewise"),
        ("lower", "price units, likewise"),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8, BBANDS",
            cases: "bollinger-bands-20-2_0-ibm, bollinger-bands-10-1_5-aapl",
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

impl Streamed for BollingerBands {
    type Params = BollingerBandsParams;
    type State = BollingerBandsState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::Close];

    fn start(params: &BollingerBandsParams) -> Result<BollingerBandsState, FitError> {
        Ok(BollingerBandsState {
            window: Window::new(params.period),
            std_dev: params.std_dev,
            moments: Moments {
                share: 1.0 / params.period as f64,
                mean: 0.0,
                square: 0.0,
                equal: 0,
                last: f64::NAN,
            },
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
        // Mean 3, deviations -1 and 1, divisor 2: σ = 1.
        let params = BollingerBandsParams {
            period: 2,
            std_dev: 1.5,
        };
        let columns = BollingerBands::compute(&params, &closes(&[2.0, 4.0])).unwrap();
        let last: Vec<_> = columns.iter().map(|(_, c)| c[1]).collect();
        assert_eq!(last, [Some(4.5), Some(3.0), Some(1.5)]);
    }
}
