//! EMA crossover.
//!
//! What: A fast exponential average above or below a slow one, with a dead band in units of the
//! average true range.
//! Formula: gap = (EMA(fast) - EMA(slow))/ATR(atr_period). The side is 1 when gap > band, -1 when gap < -band,
//! and stays what it was between. signal = side · min(1, floor + (1 - floor) |gap|/full).
//! Data: High, low and close.
//! Cost: O(bars).
//! Fails when: Prices move sideways. It lags by about half the difference of the spans.
//! Source: J. J. Murphy, Technical Analysis of the Financial Markets (1999), chapter 9.
//! Not claimed: That a crossing earns money after costs.

use crate::indicator::ema::{Ema, EmaParams};
use crate::signals::{Column, atr, missing, pick, said, shorter, sign};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct EmaCrossover;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<EmaCrossover>();

params! {
    /// Parameters.
    pub struct EmaCrossoverParams {
        /// Span of the fast average; less than slow.
        fast: usize = 12, within(2.0, 10_000.0);
        /// Span of the slow average.
        slow: usize = 26, within(2.0, 10_000.0);
        /// True ranges averaged.
        atr_period: usize = 14, within(1.0, 10_000.0);
        /// Dead band: within so many average true ranges the side stays.
        band: f64 = 0.1, at_least(0.0);
        /// Distance in average true ranges at which the signal is full.
        full: f64 = 2.0, above(0.0);
        /// Signal of a side at no distance.
        floor: f64 = 0.5, within(0.0, 1.0);
    }
}

const CARD: Card = Card {
    id: "ema_crossover",
    family: "technical",
    title: "EMA crossover",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "A fast exponential average above or below a slow one, with a dead band in units of the average true range.",
    formula: "gap = (EMA(fast) - EMA(slow))/ATR(atr_period). The side is 1 when gap > band, -1 when gap < -band, and stays what it was between. signal = side · min(1, floor + (1 - floor) |gap|/full)",
    data: "High, low and close.",
    cost: "O(bars)",
    fails_when: "Prices move sideways. It lags by about half the difference of the spans.",
    not_claimed: "That a crossing earns money after costs.",
    source: "J. J. Murphy, Technical Analysis of the Financial Markets (1999), chapter 9",
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
        ("fast", "price units"),
        ("slow", "price units: a stop on closes"),
        ("gap", "distance of the averages in average true ranges"),
        (
            "crossover",
            "1 or -1 on the bar on which the side changes, else 0",
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "calculation by hand",
        cases: "sides, band and strength",
        tolerance: "1e-12",
    }],
    presets: &[],
    exemptions: &[],
};

impl Indicator for EmaCrossover {
    type Params = EmaCrossoverParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &["known_bar", "crossover"];

    fn compute(params: &EmaCrossoverParams, bars: &Bars) -> Result<Columns, FitError> {
        shorter("fast", params.fast, "slow", params.slow)?;
        let ema = |period: usize| -> Result<Column, FitError> {
            Ok(pick(&Ema::compute(&EmaParams { period }, bars)?, "ema"))
        };
        let (fast, slow) = (ema(params.fast)?, ema(params.slow)?);
        let range = atr(bars, params.atr_period)?;
        let (mut signal, mut gaps, mut crossover) = (Column::new(), Column::new(), Column::new());
        let mut side = 0.0;
        for t in 0..bars.len() {
            let (Some(f), Some(s), Some(r)) = (fast[t], slow[t], range[t]) else {
                missing([&mut signal, &mut gaps, &mut crossover]);
                continue;
            };
            let gap = if r > 0.0 { (f - s) / r } else { 0.0 };
            let old = side;
            if gap.abs() > params.band {
                side = sign(gap);
            }
            let strength = params.floor + (1.0 - params.floor) * gap.abs() / params.full;
            signal.push(Some(side * strength.min(1.0)));
            gaps.push(Some(gap));
            crossover.push(Some(if side == old { 0.0 } else { side }));
        }
        let mut columns = said(signal);
        columns.extend([
            ("fast", fast),
            ("slow", slow),
            ("gap", gaps),
            ("crossover", crossover),
        ]);
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::tests::{closes, with};

    #[test]
    fn by_hand() {
        // Fast: 1.5, then 1.5 + 2/3 · 4.5 = 4.5; slow (1 + 2 + 6)/3 = 3; true ranges 1 and 4: mean 2.5; gap 0.6:
        // 0.5 + 0.5 · 0.6/2 = 0.65. At bar 3: fast 4.5 - 2/3 · 3.5 = 13/6, slow 2, range (2.5 + 5)/2: a gap of 2/45,
        // within the band: the side stays, 0.5 + 0.5 · (2/45)/2.
        let params = with(r#"{"fast": 2, "slow": 3, "atr_period": 2}"#);
        let columns = EmaCrossover::compute(&params, &closes(&[1.0, 2.0, 6.0, 1.0])).unwrap();
        let signal = pick(&columns, "signal");
        assert!((signal[2].unwrap() - 0.65).abs() < 1e-12);
        assert!((signal[3].unwrap() - 0.5 - 0.5 / 45.0).abs() < 1e-12);
        assert_eq!(pick(&columns, "crossover")[2..], [Some(1.0), Some(0.0)]);
        let wrong = with(r#"{"fast": 3, "slow": 3}"#);
        let text = EmaCrossover::compute(&wrong, &closes(&[1.0])).unwrap_err();
        assert_eq!(
            text.to_string(),
            "parameter fast: 3 must be less than slow, which is 3"
        );
    }
}
