//! Bollinger bands.
//!
//! What: a moving average of the close with bands at a multiple of the standard deviation.
//! Formula: middle = SMA; upper, lower = middle ± std_dev · σ, σ with divisor `period`.
//! Data: closes; nothing before `period` of them.
//! Cost: O(bars · period).
//! Fails when: read as an interval of probability: closes are not independent.
//! Source: Bollinger, Bollinger on Bollinger Bands (2001).
//! Not claimed: that a price outside a band returns.

use super::engine::{mean, rolling};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct BollingerBands;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<BollingerBands>();

params! {
    /// Parameters.
    pub struct BollingerBandsParams {
        /// Closes averaged.
        period: usize = 5, within(2.0, 10_000.0);
        /// Width of the bands in standard deviations.
        std_dev: f64 = 2.0, above_up_to(0.0, 1000.0);
    }
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
    cost: "O(bars · period)",
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
    evidence: &[Evidence {
        against: "TA-Lib 0.8, BBANDS",
        cases: "bollinger-bands-20-2_0-ibm, bollinger-bands-10-1_5-aapl",
        tolerance: "1e-7 relative",
    }],
    presets: &[],
    exemptions: &[],
};

impl Indicator for BollingerBands {
    type Params = BollingerBandsParams;
    const CARD: &'static Card = &CARD;

    fn compute(params: &BollingerBandsParams, bars: &Bars) -> Result<Columns, FitError> {
        let band = |times: f64| {
            rolling(&bars.close, params.period, |window| {
                let middle = mean(window);
                let square = window.iter().map(|c| (c - middle).powi(2)).sum::<f64>();
                middle + times * (square / window.len() as f64).sqrt()
            })
        };
        Ok(vec![
            ("upper", band(params.std_dev)),
            ("middle", rolling(&bars.close, params.period, mean)),
            ("lower", band(-params.std_dev)),
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
