//! Stochastic oscillator signal.
//!
//! What: The fast line of the stochastic oscillator crossing the slow one while both are oversold or
//! overbought.
//! Formula: Buy when k(t) > d(t), k(t - 1) <= d(t - 1) and both were at or below oversold at t - 1;
//! sell when k(t) < d(t), k(t - 1) >= d(t - 1) and both were at or above overbought. The signal is ±1
//! until the opposite crossing, until k leaves the other end (k > overbought for a buy, k < oversold
//! for a sale), or for hold bars, whichever comes first.
//! Data: High, low and close.
//! Cost: O(bars · k_period).
//! Fails when: A trend lasts: k stays near one end and crosses d there many times.
//! Source: G. C. Lane, Lane's Stochastics, Technical Analysis of Stocks & Commodities 2 (1984).
//! Not claimed: That the levels are turning points.

use crate::indicator::stochastic::{Stochastic, StochasticParams};
use crate::signals::{Column, pick, said};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct StochasticSignal;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<StochasticSignal>();

params! {
    /// Parameters.
    pub struct StochasticSignalParams {
        /// Bars between whose lowest low and highest high the close is placed.
        k_period: usize = 14, within(1.0, 10_000.0);
        /// Values averaged to k.
        k_smooth: usize = 3, within(1.0, 10_000.0);
        /// Values of k averaged to d.
        d_period: usize = 3, within(1.0, 10_000.0);
        /// At or below it the oscillator is oversold.
        oversold: f64 = 20.0, within(0.0, 100.0);
        /// At or above it the oscillator is overbought.
        overbought: f64 = 80.0, within(0.0, 100.0);
        /// Most bars for which a crossing speaks.
        hold: usize = 20, within(1.0, 10_000.0);
    }
}

const CARD: Card = Card {
    id: "stochastic_signal",
    family: "technical",
    title: "Stochastic oscillator signal",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "The fast line of the stochastic oscillator crossing the slow one while both are oversold or overbought.",
    formula: "Buy when k(t) > d(t), k(t - 1) <= d(t - 1) and both were at or below oversold at t - 1; sell when k(t) < d(t), k(t - 1) >= d(t - 1) and both were at or above overbought. The signal is ±1 until the opposite crossing, until k leaves the other end (k > overbought for a buy, k < oversold for a sale), or for hold bars, whichever comes first",
    data: "High, low and close.",
    cost: "O(bars · k_period)",
    fails_when: "A trend lasts: k stays near one end and crosses d there many times.",
    not_claimed: "That the levels are turning points.",
    source: "G. C. Lane, Lane's Stochastics, Technical Analysis of Stocks & Commodities 2 (1984)",
    reference: "own rule, stated here",
    outputs: &[
        (
            "signal",
            "-1 to 1, one a bar: above 0 for a rise, below 0 for a fall; null while warming up",
        ),
        (
            "known_bar",
            "bar since which the signal has had its sign, counted from 0; null where it is 0",
        ),
        ("k", "0 to 100"),
        ("d", "0 to 100"),
        (
            "crossover",
            "1 on the bar of a buy, -1 on that of a sale, else 0",
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "calculation by hand",
        cases: "a crossing below the oversold level",
        tolerance: "exact",
    }],
    presets: &[],
    exemptions: &[],
};

impl Indicator for StochasticSignal {
    type Params = StochasticSignalParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &["known_bar", "crossover"];

    fn compute(params: &StochasticSignalParams, bars: &Bars) -> Result<Columns, FitError> {
        let lines = StochasticParams {
            k_period: params.k_period,
            k_smooth: params.k_smooth,
            d_period: params.d_period,
        };
        let lines = Stochastic::compute(&lines, bars)?;
        let (k, d) = (pick(&lines, "k"), pick(&lines, "d"));
        let (mut position, mut age) = (0.0, 0);
        let (mut signal, mut crossover) = (Column::new(), Column::new());
        for t in 0..bars.len() {
            let last = t.checked_sub(1).and_then(|t| k[t].zip(d[t]));
            let (Some((k, d)), Some((k0, d0))) = (k[t].zip(d[t]), last) else {
                signal.push(None);
                crossover.push(None);
                continue;
            };
            let cross = if k > d && k0 <= d0 && k0.max(d0) <= params.oversold {
                1.0
            } else if k < d && k0 >= d0 && k0.min(d0) >= params.overbought {
                -1.0
            } else {
                0.0
            };
            age += 1;
            if cross != 0.0 {
                (position, age) = (cross, 0);
            } else if age >= params.hold
                || position > 0.0 && k > params.overbought
                || position < 0.0 && k < params.oversold
            {
                position = 0.0;
            }
            signal.push(Some(position));
            crossover.push(Some(cross));
        }
        let mut columns = said(signal);
        columns.extend([("k", k), ("d", d), ("crossover", crossover)]);
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::tests::{closes, with};

    #[test]
    fn by_hand() {
        // Over 3 closes, k not smoothed, d of 2. Closes 5 4 3 2 3: k at bars 2 3 4: 0, 0, 1/1 = 100 (lowest 2,
        // highest 3); d at 3: 0, at 4: 50. k > d at bar 4, both were 0 before: a buy.
        // Then 3.5: k 100 > 80: out again.
        let bars = closes(&[5.0, 4.0, 3.0, 2.0, 3.0, 3.5]);
        let params = with(r#"{"k_period": 3, "k_smooth": 1, "d_period": 2}"#);
        let columns = StochasticSignal::compute(&params, &bars).unwrap();
        assert_eq!(pick(&columns, "d")[4], Some(50.0));
        assert_eq!(pick(&columns, "signal")[4..], [Some(1.0), Some(0.0)]);
        assert_eq!(pick(&columns, "crossover")[4..], [Some(1.0), Some(0.0)]);
    }
}
