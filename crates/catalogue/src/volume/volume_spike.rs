//! Volume spike.
//!
//! What: A day of far more volume than usual, read in the direction of its price: the high-volume
//! return premium.
//! Formula: relative = volume/mean of the period volumes before; z = (volume - that mean)/their
//! standard deviation. Spike when relative >= ratio and z >= z_score. direction = sign(close - close
//! before) when mode is close, sign of (2 close - high - low) when mode is range. signal = direction
//! · min(1, relative/(2 ratio)), fading to 0 in hold equal steps. The stop is the low (high) of the
//! bar of the spike.
//! Data: High, low, close and volume.
//! Cost: O(bars · period).
//! Fails when: Volume has a calendar (expiries, index changes, half days), which this does not know.
//! Source: S. Gervais, R. Kaniel, D. H. Mingelgrin, The High-Volume Return Premium, Journal of
//! Finance 56 (2001).
//! Not claimed: That the premium of the source, found over whole markets, holds for one symbol.

use crate::signals::{Column, before, deviation, fading, mean, prices, said, sign, volume};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::choices;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct VolumeSpike;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<VolumeSpike>();

params! {
    /// Parameters.
    pub struct VolumeSpikeParams {
        /// Bars before the present one that say what is usual.
        period: usize = 20, within(2.0, 10_000.0);
        /// Least multiple of their mean.
        ratio: f64 = 2.0, above(0.0);
        /// Least distance from their mean in standard deviations.
        z_score: f64 = 2.0, at_least(0.0);
        /// Bars over which a spike speaks.
        hold: usize = 5, within(1.0, 10_000.0);
        /// Where the direction comes from.
        mode: Direction = Direction::Close;
    }
}

const CARD: Card = Card {
    id: "volume_spike",
    family: "volume",
    title: "Volume spike",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "A day of far more volume than usual, read in the direction of its price: the high-volume return premium.",
    formula: "relative = volume/mean of the period volumes before; z = (volume - that mean)/their standard deviation. Spike when relative >= ratio and z >= z_score. direction = sign(close - close before) when mode is close, sign of (2 close - high - low) when mode is range. signal = direction · min(1, relative/(2 ratio)), fading to 0 in hold equal steps. The stop is the low (high) of the bar of the spike",
    data: "High, low, close and volume.",
    cost: "O(bars · period)",
    fails_when: "Volume has a calendar (expiries, index changes, half days), which this does not know.",
    not_claimed: "That the premium of the source, found over whole markets, holds for one symbol.",
    source: "S. Gervais, R. Kaniel, D. H. Mingelgrin, The High-Volume Return Premium, Journal of Finance 56 (2001)",
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
            "relative_volume",
            "volume over the mean of the period bars before",
        ),
        (
            "z",
            "the same in standard deviations; null when these volumes are equal",
        ),
        ("spike", "1 or -1 on the bar of a spike, else 0"),
        ("stop", "price units, while the spike speaks"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "calculation by hand",
        cases: "a spike and its fading",
        tolerance: "exact",
    }],
    presets: &[],
    exemptions: &[],
};

choices! {
    /// Where the direction of a spike comes from.
    pub enum Direction {
        /// The change of the close.
        Close = "close",
        /// The place of the close between low and high.
        Range = "range",
    }
}

impl Indicator for VolumeSpike {
    type Params = VolumeSpikeParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &["known_bar", "spike"];

    fn compute(params: &VolumeSpikeParams, bars: &Bars) -> Result<Columns, FitError> {
        let (high, low, close) = prices(bars)?;
        let volume = volume(bars)?;
        let usual = before(volume, params.period, mean);
        let spread = before(volume, params.period, deviation);
        let n = bars.len();
        let relative: Column = (0..n)
            .map(|t| usual[t].filter(|u| *u > 0.0).map(|u| volume[t] / u))
            .collect();
        let z: Column = (0..n)
            .map(|t| {
                let (usual, spread) = usual[t].zip(spread[t]).filter(|(_, s)| *s > 0.0)?;
                Some((volume[t] - usual) / spread)
            })
            .collect();
        let event = |t: usize| {
            let (Some(relative), Some(z)) = (relative[t], z[t]) else {
                return 0.0;
            };
            if relative < params.ratio || z < params.z_score {
                return 0.0;
            }
            let direction = match params.mode {
                Direction::Close if t == 0 => 0.0,
                Direction::Close => sign(close[t] - close[t - 1]),
                Direction::Range => sign(2.0 * close[t] - high[t] - low[t]),
            };
            direction * (relative / (2.0 * params.ratio)).min(1.0)
        };
        let events: Vec<f64> = (0..n).map(event).collect();
        let speaks = fading(&events, params.hold);
        let mut last = None;
        let stop = (0..n).map(|t| {
            if events[t] != 0.0 {
                last = Some(if events[t] > 0.0 { low[t] } else { high[t] });
            }
            last.filter(|_| speaks[t] != 0.0)
        });
        let stop = stop.collect();
        let known = |t: usize, v: f64| usual[t].map(|_| v);
        let mut columns = said((0..n).map(|t| known(t, speaks[t])).collect());
        columns.extend([
            ("relative_volume", relative),
            ("z", z),
            ("spike", (0..n).map(|t| known(t, sign(events[t]))).collect()),
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
        // Volumes 1 and 3 before: mean 2, deviation 1; 6 is three times the mean and 4 deviations above. The
        // close rises: 3/(2 · 2) = 0.75, then half of it.
        let mut bars = closes(&[10.0, 10.0, 11.0, 11.0, 11.0]);
        bars.volume = Some(vec![1.0, 3.0, 6.0, 4.0, 4.0]);
        let columns = VolumeSpike::compute(&with(r#"{"period": 2, "hold": 2}"#), &bars).unwrap();
        let column = |name: &str| pick(&columns, name);
        assert_eq!(
            column("signal"),
            [None, None, Some(0.75), Some(0.375), Some(0.0)]
        );
        assert_eq!(
            (column("relative_volume")[2], column("z")[2]),
            (Some(3.0), Some(4.0))
        );
        assert_eq!(column("spike")[2..4], [Some(1.0), Some(0.0)]);
        assert_eq!(column("stop")[2..], [Some(11.0), Some(11.0), None]);
    }
}
