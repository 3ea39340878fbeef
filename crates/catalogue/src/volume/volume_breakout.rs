//! Volume breakout.
//!
//! What: A close beyond the range of earlier bars on far more volume than usual, held until the close
//! leaves a shorter range on the other side.
//! Formula: Buy when close > highest high of the channel bars before and volume >= ratio · mean of
//! the volume_period volumes before and (2 close - high - low)/(high - low) >= location; sell as the
//! mirror image. Out when the close is under the lowest low of the exit bars before (above the
//! highest high for a sale), which is the stop.
//! Data: High, low, close and volume.
//! Cost: O(bars · channel).
//! Fails when: The breakout is on news that is already in the price. Half days and expiries make the
//! volume unusual.
//! Source: W. J. O'Neil, How to Make Money in Stocks (1988): volume at least 40 to 50 percent above
//! average; R. Donchian, High Finance in Copper, Financial Analysts Journal 16 (1960), for the
//! channel.
//! Not claimed: That a breakout on volume goes on more often than one without.

use crate::signals::{Column, before, highest, lowest, mean, missing, prices, said, volume};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct VolumeBreakout;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<VolumeBreakout>();

params! {
    /// Parameters.
    pub struct VolumeBreakoutParams {
        /// Bars before the present one whose range is left.
        channel: usize = 20, within(1.0, 10_000.0);
        /// Bars before the present one whose range on the other side ends a position.
        exit as "exit_channel": usize = 10, within(1.0, 10_000.0);
        /// Bars before the present one that say what volume is usual.
        volume_period: usize = 50, within(1.0, 10_000.0);
        /// Least multiple of the usual volume.
        ratio: f64 = 1.5, at_least(0.0);
        /// Least place of the close in its bar: 1 at the high, -1 at the low.
        location: f64 = 0.0, within(-1.0, 1.0);
    }
}

const CARD: Card = Card {
    id: "volume_breakout",
    family: "volume",
    title: "Volume breakout",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "A close beyond the range of earlier bars on far more volume than usual, held until the close leaves a shorter range on the other side.",
    formula: "Buy when close > highest high of the channel bars before and volume >= ratio · mean of the volume_period volumes before and (2 close - high - low)/(high - low) >= location; sell as the mirror image. Out when the close is under the lowest low of the exit bars before (above the highest high for a sale), which is the stop",
    data: "High, low, close and volume.",
    cost: "O(bars · channel)",
    fails_when: "The breakout is on news that is already in the price. Half days and expiries make the volume unusual.",
    not_claimed: "That a breakout on volume goes on more often than one without.",
    source: "W. J. O'Neil, How to Make Money in Stocks (1988): volume at least 40 to 50 percent above average; R. Donchian, High Finance in Copper, Financial Analysts Journal 16 (1960), for the channel",
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
        (
            "upper",
            "highest high of the channel bars before, price units",
        ),
        (
            "lower",
            "lowest low of the channel bars before, price units",
        ),
        (
            "relative_volume",
            "volume over the mean of the volume_period bars before",
        ),
        (
            "close_location",
            "1 at the high, -1 at the low, 0 without a range",
        ),
        ("breakout", "1 or -1 on the bar of a breakout, else 0"),
        ("stop", "price units, while there is a position"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "calculation by hand",
        cases: "a breakout with and without volume, and its end",
        tolerance: "exact",
    }],
    presets: &[],
    exemptions: &[],
};

impl Indicator for VolumeBreakout {
    type Params = VolumeBreakoutParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &["known_bar", "breakout"];

    fn compute(params: &VolumeBreakoutParams, bars: &Bars) -> Result<Columns, FitError> {
        let (high, low, close) = prices(bars)?;
        let volume = volume(bars)?;
        let upper = before(high, params.channel, highest);
        let lower = before(low, params.channel, lowest);
        let out_low = before(low, params.exit, lowest);
        let out_high = before(high, params.exit, highest);
        let usual = before(volume, params.volume_period, mean);
        let mut position = 0.0;
        let [mut signal, mut relative, mut place, mut breakout, mut stop]: [Column; 5] =
            Default::default();
        for t in 0..bars.len() {
            let wide = high[t] - low[t];
            let at = if wide > 0.0 {
                (2.0 * close[t] - high[t] - low[t]) / wide
            } else {
                0.0
            };
            let ratio = usual[t].filter(|u| *u > 0.0).map(|u| volume[t] / u);
            place.push(Some(at));
            relative.push(ratio);
            let edges = upper[t].zip(lower[t]).zip(out_low[t].zip(out_high[t]));
            let (Some(((upper, lower), (out_low, out_high))), Some(_)) = (edges, usual[t]) else {
                missing([&mut signal, &mut breakout, &mut stop]);
                continue;
            };
            if position > 0.0 && close[t] < out_low || position < 0.0 && close[t] > out_high {
                position = 0.0;
            }
            let busy = ratio.is_some_and(|r| r >= params.ratio);
            let new = if busy && close[t] > upper && at >= params.location {
                1.0
            } else if busy && close[t] < lower && -at >= params.location {
                -1.0
            } else {
                0.0
            };
            if new != 0.0 {
                position = new;
            }
            signal.push(Some(position));
            breakout.push(Some(new));
            stop.push(match position {
                p if p > 0.0 => Some(out_low),
                p if p < 0.0 => Some(out_high),
                _ => None,
            });
        }
        let mut columns = said(signal);
        columns.extend([
            ("upper", upper),
            ("lower", lower),
            ("relative_volume", relative),
            ("close_location", place),
            ("breakout", breakout),
            ("stop", stop),
        ]);
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::pick;
    use crate::signals::tests::{closes, with};

    #[test]
    fn by_hand() {
        // Channel of two: 10 11 | 12 on twice the volume: in. 13, 12 (above 12, the low of one before? no: it is
        // not under it), 11 under 12: out. 14 on usual volume: not again.
        let mut bars = closes(&[10.0, 11.0, 12.0, 13.0, 13.0, 11.0, 14.0]);
        bars.volume = Some(vec![1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0]);
        let set = r#"{"channel": 2, "exit_channel": 1, "volume_period": 2}"#;
        let columns = VolumeBreakout::compute(&with(set), &bars).unwrap();
        let column = |name: &str| pick(&columns, name);
        let none: [Option<f64>; 2] = [None, None];
        assert_eq!(column("signal")[..2], none);
        assert_eq!(column("signal")[2..], [1.0, 1.0, 1.0, 0.0, 0.0].map(Some));
        assert_eq!(column("breakout")[2..4], [Some(1.0), Some(0.0)]);
        assert_eq!(
            (column("upper")[2], column("lower")[2]),
            (Some(11.0), Some(10.0))
        );
        assert_eq!((column("stop")[2], column("stop")[5]), (Some(11.0), None));
        assert_eq!(column("relative_volume")[2], Some(2.0));
    }
}
