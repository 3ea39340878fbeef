//! Parabolic SAR signal.
//!
//! What: Always in the market on the side that Wilder's stop and reverse says, with less weight
//! against the longer trend.
//! Formula: direction = 1 when SAR < close, -1 when SAR > close. signal = direction when the close is
//! on the same side of its mean of trend_period closes, else against_weight · direction. flip =
//! direction on the bar on which it turns.
//! Data: High, low and close.
//! Cost: O(bars · trend_period).
//! Fails when: Prices move sideways: it reverses at every swing and pays each time.
//! Source: J. W. Wilder, New Concepts in Technical Trading Systems (1978), section II.
//! Not claimed: That the stop is filled at its price.

use crate::indicator::parabolic_sar::{ParabolicSar, ParabolicSarParams};
use crate::indicator::sma::{Sma, SmaParams};
use crate::signals::{Column, pick, said, sign};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct ParabolicSarSignal;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<ParabolicSarSignal>();

params! {
    /// Parameters.
    pub struct ParabolicSarSignalParams {
        /// What the factor starts with and grows by with every new extreme.
        acceleration: f64 = 0.02, at_least(0.0);
        /// Largest factor.
        maximum: f64 = 0.2, at_least(0.0);
        /// Closes averaged for the longer trend.
        trend_period: usize = 50, within(2.0, 10_000.0);
        /// Weight of a side against the longer trend.
        against_weight: f64 = 0.5, within(0.0, 1.0);
    }
}

const CARD: Card = Card {
    id: "parabolic_sar_signal",
    family: "technical",
    title: "Parabolic SAR signal",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "Always in the market on the side that Wilder's stop and reverse says, with less weight against the longer trend.",
    formula: "direction = 1 when SAR < close, -1 when SAR > close. signal = direction when the close is on the same side of its mean of trend_period closes, else against_weight · direction. flip = direction on the bar on which it turns",
    data: "High, low and close.",
    cost: "O(bars · trend_period)",
    fails_when: "Prices move sideways: it reverses at every swing and pays each time.",
    not_claimed: "That the stop is filled at its price.",
    source: "J. W. Wilder, New Concepts in Technical Trading Systems (1978), section II",
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
        ("sar", "the stop, price units"),
        ("trend", "mean of the last trend_period closes"),
        (
            "flip",
            "1 or -1 on the bar on which the side changes, else 0",
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "calculation by hand",
        cases: "side, flip and weight",
        tolerance: "exact",
    }],
    presets: &[],
    exemptions: &[],
};

impl Indicator for ParabolicSarSignal {
    type Params = ParabolicSarSignalParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &["known_bar", "flip"];

    fn compute(params: &ParabolicSarSignalParams, bars: &Bars) -> Result<Columns, FitError> {
        let sar = ParabolicSarParams {
            acceleration: params.acceleration,
            maximum: params.maximum,
        };
        let sar = pick(&ParabolicSar::compute(&sar, bars)?, "sar");
        let period = params.trend_period;
        let trend = pick(&Sma::compute(&SmaParams { period }, bars)?, "sma");
        let side = |t: usize| sar[t].map(|stop| sign(bars.close[t] - stop));
        let said_of = |t: usize| {
            let (side, trend) = (side(t)?, trend[t]?);
            let along = side * sign(bars.close[t] - trend) >= 0.0;
            Some(if along {
                side
            } else {
                params.against_weight * side
            })
        };
        let flip = |t: usize| {
            let (old, new) = (side(t.checked_sub(1)?)?, side(t)?);
            Some(if old == new { 0.0 } else { new })
        };
        let signal: Column = (0..bars.len()).map(said_of).collect();
        let flips = (0..bars.len()).map(flip).collect();
        let mut columns = said(signal);
        columns.extend([("sar", sar), ("trend", trend), ("flip", flips)]);
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::tests::{closes, with};

    #[test]
    fn by_hand() {
        // Rising closes: the stop starts at the first low and stays below: long. The fall to 4 goes through it:
        // short, and below the mean of (13, 14, 4).
        let bars = closes(&[10.0, 11.0, 12.0, 13.0, 14.0, 4.0]);
        let columns = ParabolicSarSignal::compute(&with(r#"{"trend_period": 3}"#), &bars).unwrap();
        assert_eq!(
            pick(&columns, "signal")[2..],
            [1.0, 1.0, 1.0, -1.0].map(Some)
        );
        assert_eq!(pick(&columns, "flip")[5], Some(-1.0));
        // After a stop and reverse to the extreme 14, the next bar at 9 is under the stop, but the mean of (4, 9)
        // is 6.5: short against the trend.
        let bars = closes(&[10.0, 11.0, 12.0, 13.0, 14.0, 4.0, 9.0]);
        let columns = ParabolicSarSignal::compute(&with(r#"{"trend_period": 2}"#), &bars).unwrap();
        assert_eq!(pick(&columns, "signal")[6], Some(-0.5));
    }
}
