//! Williams %R signal.
//!
//! What: Williams' percent range leaving its oversold or overbought end after it had stayed there.
//! Formula: %R = -100 (highest high - close)/(highest high - lowest low). Buy when %R comes above
//! oversold after at least confirm bars in a row at or below it; sell when it falls below overbought
//! after as many at or above it. The signal is ±1 until %R crosses the exit level (upwards for a buy,
//! downwards for a sale), or returns into the end that it left.
//! Data: High, low and close.
//! Cost: O(bars · period).
//! Fails when: A trend lasts: %R leaves its end only to return.
//! Source: L. R. Williams, How I Made One Million Dollars Last Year Trading Commodities (1973).
//! Not claimed: That the ends are turning points.

use crate::indicator::williams_r::{WilliamsR, WilliamsRParams};
use crate::signals::{Column, missing, pick, said};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct WilliamsRSignal;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<WilliamsRSignal>();

params! {
    /// Parameters.
    pub struct WilliamsRSignalParams {
        /// Bars between whose lowest low and highest high the close is placed.
        period: usize = 14, within(2.0, 10_000.0);
        /// At or below it the close is oversold.
        oversold: f64 = -80.0, within(-100.0, 0.0);
        /// At or above it the close is overbought.
        overbought: f64 = -20.0, within(-100.0, 0.0);
        /// Bars in a row that it must have stayed there.
        confirm: usize = 2, within(1.0, 1000.0);
        /// Distance from the far end at which a position ends: 20 is -20 for a buy, -80 for a sale.
        exit as "exit_distance": f64 = 20.0, within(0.0, 100.0);
    }
}

const CARD: Card = Card {
    id: "williams_r_signal",
    family: "technical",
    title: "Williams %R signal",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "Williams' percent range leaving its oversold or overbought end after it had stayed there.",
    formula: "%R = -100 (highest high - close)/(highest high - lowest low). Buy when %R comes above oversold after at least confirm bars in a row at or below it; sell when it falls below overbought after as many at or above it. The signal is ±1 until %R crosses the exit level (upwards for a buy, downwards for a sale), or returns into the end that it left",
    data: "High, low and close.",
    cost: "O(bars · period)",
    fails_when: "A trend lasts: %R leaves its end only to return.",
    not_claimed: "That the ends are turning points.",
    source: "L. R. Williams, How I Made One Million Dollars Last Year Trading Commodities (1973)",
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
        ("williams_r", "-100 to 0"),
        ("bars_oversold", "bars in a row at or below oversold"),
        ("bars_overbought", "bars in a row at or above overbought"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "calculation by hand",
        cases: "an entry after two bars at the low end",
        tolerance: "exact",
    }],
    presets: &[],
    exemptions: &[],
};

impl Indicator for WilliamsRSignal {
    type Params = WilliamsRSignalParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &["known_bar", "bars_oversold", "bars_overbought"];

    fn compute(params: &WilliamsRSignalParams, bars: &Bars) -> Result<Columns, FitError> {
        let period = params.period;
        let r = WilliamsR::compute(&WilliamsRParams { period }, bars)?;
        let r = pick(&r, "williams_r");
        let (mut below, mut above, mut position) = (0, 0, 0.0);
        let (mut signal, mut low, mut high) = (Column::new(), Column::new(), Column::new());
        for now in &r {
            let Some(now) = *now else {
                missing([&mut signal, &mut low, &mut high]);
                continue;
            };
            let (was_below, was_above) = (below, above);
            below = if now <= params.oversold { below + 1 } else { 0 };
            above = if now >= params.overbought {
                above + 1
            } else {
                0
            };
            if position > 0.0 && (below > 0 || now >= -params.exit)
                || position < 0.0 && (above > 0 || now <= params.exit - 100.0)
            {
                position = 0.0;
            }
            if below == 0 && was_below >= params.confirm {
                position = 1.0;
            } else if above == 0 && was_above >= params.confirm {
                position = -1.0;
            }
            signal.push(Some(position));
            low.push(Some(f64::from(below as u32)));
            high.push(Some(f64::from(above as u32)));
        }
        let mut columns = said(signal);
        columns.extend([
            ("williams_r", r),
            ("bars_oversold", low),
            ("bars_overbought", high),
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
        // Over 3 closes: 5 4 3 2 2.5 4: %R -100, -100, then between 2 and 3: -50, then -0 (4 is the highest).
        let bars = closes(&[5.0, 4.0, 3.0, 2.0, 2.5, 4.0]);
        let columns = WilliamsRSignal::compute(&with(r#"{"period": 3}"#), &bars).unwrap();
        let none: [Option<f64>; 2] = [None, None];
        assert_eq!(pick(&columns, "signal")[..2], none);
        assert_eq!(
            pick(&columns, "signal")[2..],
            [0.0, 0.0, 1.0, 0.0].map(Some)
        );
        assert_eq!(pick(&columns, "bars_oversold")[3], Some(2.0));
        let never =
            WilliamsRSignal::compute(&with(r#"{"period": 3, "confirm": 3}"#), &bars).unwrap();
        assert_eq!(pick(&never, "signal")[4], Some(0.0));
    }
}
