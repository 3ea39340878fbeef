//! Bollinger breakout.
//!
//! What: A close outside the Bollinger bands, counted in full when the bands had been narrow (the
//! squeeze) shortly before, until the close comes back to the middle.
//! Formula: bandwidth = (upper - lower)/middle; squeeze when the share of the last squeeze_window
//! bandwidths below the present one is at most squeeze_share. Close > upper: long, close < lower:
//! short; 1 when there was a squeeze within the memory bars before, else plain_weight. Out when the
//! close is at or beyond the middle. The stop is the middle.
//! Data: Closes.
//! Cost: O(bars · (period + squeeze_window)).
//! Fails when: The first move out of a squeeze is a false one (Bollinger's head fake).
//! Source: J. Bollinger, Bollinger on Bollinger Bands (2001), chapters 15 and 16.
//! Not claimed: That narrow bands say in which direction prices will leave them.

use crate::indicator::bollinger_bands::{BollingerBands, BollingerBandsParams};
use crate::signals::{Column, flag, pick, rank, said};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct BollingerBreakout;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<BollingerBreakout>();

params! {
    /// Parameters.
    pub struct BollingerBreakoutParams {
        /// Closes averaged.
        period: usize = 20, within(2.0, 10_000.0);
        /// Width of the bands in standard deviations.
        std_dev: f64 = 2.0, above_up_to(0.0, 1000.0);
        /// Bars over which the bandwidth is ranked.
        squeeze_window: usize = 125, within(2.0, 10_000.0);
        /// Share of narrower bandwidths up to which the bands count as narrow.
        squeeze_share: f64 = 0.1, within(0.0, 1.0);
        /// Bars for which a squeeze is remembered.
        memory: usize = 10, within(1.0, 10_000.0);
        /// Signal of a breakout without a squeeze.
        plain_weight: f64 = 0.5, within(0.0, 1.0);
    }
}

const CARD: Card = Card {
    id: "bollinger_breakout",
    family: "technical",
    title: "Bollinger breakout",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "A close outside the Bollinger bands, counted in full when the bands had been narrow (the squeeze) shortly before, until the close comes back to the middle.",
    formula: "bandwidth = (upper - lower)/middle; squeeze when the share of the last squeeze_window bandwidths below the present one is at most squeeze_share. Close > upper: long, close < lower: short; 1 when there was a squeeze within the memory bars before, else plain_weight. Out when the close is at or beyond the middle. The stop is the middle",
    data: "Closes.",
    cost: "O(bars · (period + squeeze_window))",
    fails_when: "The first move out of a squeeze is a false one (Bollinger's head fake).",
    not_claimed: "That narrow bands say in which direction prices will leave them.",
    source: "J. Bollinger, Bollinger on Bollinger Bands (2001), chapters 15 and 16",
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
        ("upper", "price units"),
        ("middle", "price units"),
        ("lower", "price units"),
        ("bandwidth", "width of the bands as a share of the middle"),
        (
            "percent_b",
            "0 at the lower band, 1 at the upper one; null when they meet",
        ),
        (
            "squeeze",
            "1 when the bandwidth is among the narrowest, else 0",
        ),
        ("stop", "the middle while there is a position"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "calculation by hand",
        cases: "bands, squeeze, entry and exit",
        tolerance: "1e-12",
    }],
    presets: &[],
    exemptions: &[],
};

impl Indicator for BollingerBreakout {
    type Params = BollingerBreakoutParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &["known_bar", "squeeze"];

    fn compute(params: &BollingerBreakoutParams, bars: &Bars) -> Result<Columns, FitError> {
        let bands = BollingerBandsParams {
            period: params.period,
            std_dev: params.std_dev,
        };
        let bands = BollingerBands::compute(&bands, bars)?;
        let (upper, middle) = (pick(&bands, "upper"), pick(&bands, "middle"));
        let lower = pick(&bands, "lower");
        let close = &bars.close;
        let (mut widths, mut narrow_at, mut position) = (Vec::new(), None, 0.0);
        let (mut signal, mut bandwidth): (Column, Column) = (Vec::new(), Vec::new());
        let (mut percent, mut squeeze, mut stop) = (Column::new(), Column::new(), Column::new());
        for t in 0..bars.len() {
            let (Some(high), Some(low), Some(mid)) = (upper[t], lower[t], middle[t]) else {
                for column in [
                    &mut signal,
                    &mut bandwidth,
                    &mut percent,
                    &mut squeeze,
                    &mut stop,
                ] {
                    column.push(None);
                }
                continue;
            };
            let width = if mid != 0.0 {
                (high - low) / mid.abs()
            } else {
                0.0
            };
            // A squeeze of this very bar is no news before its breakout: the bars before it count.
            let squeezed = narrow_at.is_some_and(|at| t - at <= params.memory);
            widths.push(width);
            let window = &widths[widths.len().saturating_sub(params.squeeze_window)..];
            // One width alone has no rank.
            let narrow = window.len() > 1 && rank(window, width) <= params.squeeze_share;
            if narrow {
                narrow_at = Some(t);
            }
            if position > 0.0 && close[t] <= mid || position < 0.0 && close[t] >= mid {
                position = 0.0;
            }
            let strength = if squeezed { 1.0 } else { params.plain_weight };
            if close[t] > high && position <= 0.0 {
                position = strength;
            } else if close[t] < low && position >= 0.0 {
                position = -strength;
            }
            signal.push(Some(position));
            bandwidth.push(Some(width));
            percent.push((high > low).then(|| (close[t] - low) / (high - low)));
            squeeze.push(Some(flag(narrow)));
            stop.push((position != 0.0).then_some(mid));
        }
        let mut columns = said(signal);
        columns.extend([
            ("upper", upper),
            ("middle", middle),
            ("lower", lower),
            ("bandwidth", bandwidth),
            ("percent_b", percent),
            ("squeeze", squeeze),
            ("stop", stop),
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
        // Three closes, bands at one deviation. They meet at bar 4 (10 10 10): a squeeze. Then 13: mean 11,
        // deviations -1 -1 2, sqrt(2): upper 12.41, breakout in full. Then 10: mean 11, at or under it: out.
        let bars = closes(&[11.0, 10.0, 10.0, 10.0, 10.0, 13.0, 10.0]);
        let params = with(r#"{"period": 3, "std_dev": 1, "memory": 2, "squeeze_share": 0}"#);
        let columns = BollingerBreakout::compute(&params, &bars).unwrap();
        let column = |name: &str| pick(&columns, name);
        assert_eq!(column("squeeze")[4], Some(1.0));
        assert!((column("upper")[5].unwrap() - (11.0 + 2.0_f64.sqrt())).abs() < 1e-12);
        assert_eq!(column("signal")[4..], [Some(0.0), Some(1.0), Some(0.0)]);
        assert_eq!((column("stop")[5], column("stop")[6]), (Some(11.0), None));
        assert_eq!(column("percent_b")[4], None);
        // Mean 35/3, deviation sqrt(26)/3: the first bands alone are no squeeze, so 14 has the plain weight.
        let bars = closes(&[10.0, 11.0, 10.0, 14.0]);
        let columns = BollingerBreakout::compute(&params, &bars).unwrap();
        assert_eq!(pick(&columns, "signal")[3], Some(0.5));
    }
}
