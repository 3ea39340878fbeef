//! VWAP with bands.
//!
//! What: The volume-weighted average price over the last bars with bands at a multiple of the
//! volume-weighted deviation around it.
//! Formula: p = (high + low + close)/3; vwap = Σ v p/Σ v over the last period bars, σ² = Σ v (p -
//! vwap)²/Σ v; upper, lower = vwap ± width σ; z = (close - vwap)/σ. mode reversion: signal = -z/width
//! kept in [-1, 1], 0 while |z| < dead_zone; mode trend: the same with the other sign. Target is the
//! vwap in mode reversion; in mode trend it is the stop.
//! Data: High, low, close and volume.
//! Cost: O(bars · period).
//! Fails when: A trend lasts, in mode reversion. Daily bars only hint at the average price of a day.
//! Source: S. A. Berkowitz, D. E. Logue, E. A. Noser, The Total Cost of Transactions on the NYSE,
//! Journal of Finance 43 (1988), for the average; bands as Bollinger's (2001), weighted.
//! Not claimed: That prices return to the average, or that an order fills at it.

use crate::indicator::vwap::{Vwap, VwapParams};
use crate::signals::{Column, pick, prices, said, volume};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::choices;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct VwapBands;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<VwapBands>();

params! {
    /// Parameters.
    pub struct VwapBandsParams {
        /// Bars averaged.
        period: usize = 20, within(2.0, 10_000.0);
        /// Width of the bands in deviations, where the signal is full.
        width: f64 = 2.0, above(0.0);
        /// Nearer than so many deviations the signal is 0.
        dead_zone: f64 = 0.5, at_least(0.0);
        /// What a distance from the average says.
        mode: Mode = Mode::Reversion;
    }
}

const CARD: Card = Card {
    id: "vwap_bands",
    family: "volume",
    title: "VWAP with bands",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "The volume-weighted average price over the last bars with bands at a multiple of the volume-weighted deviation around it.",
    formula: "p = (high + low + close)/3; vwap = Σ v p/Σ v over the last period bars, σ² = Σ v (p - vwap)²/Σ v; upper, lower = vwap ± width σ; z = (close - vwap)/σ. mode reversion: signal = -z/width kept in [-1, 1], 0 while |z| < dead_zone; mode trend: the same with the other sign. Target is the vwap in mode reversion; in mode trend it is the stop",
    data: "High, low, close and volume.",
    cost: "O(bars · period)",
    fails_when: "A trend lasts, in mode reversion. Daily bars only hint at the average price of a day.",
    not_claimed: "That prices return to the average, or that an order fills at it.",
    source: "S. A. Berkowitz, D. E. Logue, E. A. Noser, The Total Cost of Transactions on the NYSE, Journal of Finance 43 (1988), for the average; bands as Bollinger's (2001), weighted",
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
        ("vwap", "price units"),
        ("upper", "price units"),
        ("lower", "price units"),
        (
            "z",
            "distance of the close from the vwap in deviations; null without a deviation",
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "calculation by hand",
        cases: "vwap, deviation and signal",
        tolerance: "1e-12",
    }],
    presets: &[],
    exemptions: &[],
};

choices! {
    /// What a distance from the average says.
    pub enum Mode {
        /// The price comes back.
        Reversion = "reversion",
        /// The price goes on.
        Trend = "trend",
    }
}

impl Indicator for VwapBands {
    type Params = VwapBandsParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &["known_bar"];

    fn compute(params: &VwapBandsParams, bars: &Bars) -> Result<Columns, FitError> {
        let (high, low, close) = prices(bars)?;
        let volume = volume(bars)?;
        let period = Some(params.period);
        let vwap = pick(&Vwap::compute(&VwapParams { period }, bars)?, "vwap");
        let typical = |t: usize| (high[t] + low[t] + close[t]) / 3.0;
        let spread = |t: usize| {
            let (v, from) = (vwap[t]?, (t + 1).checked_sub(params.period)?);
            let all: f64 = volume[from..=t].iter().sum();
            let squares = (from..=t).map(|i| volume[i] * (typical(i) - v).powi(2));
            (all > 0.0).then(|| (squares.sum::<f64>() / all).sqrt())
        };
        let spread: Column = (0..bars.len()).map(spread).collect();
        let band = |times: f64| -> Column {
            let each = vwap.iter().zip(&spread);
            each.map(|(v, s)| Some((*v)? + times * (*s)?)).collect()
        };
        let z: Column = (0..bars.len())
            .map(|t| {
                let s = spread[t].filter(|s| *s > 0.0)?;
                Some((close[t] - vwap[t]?) / s)
            })
            .collect();
        let direction = match params.mode {
            Mode::Reversion => -1.0,
            Mode::Trend => 1.0,
        };
        let said_of = |t: usize| {
            spread[t]?;
            let z = z[t].unwrap_or_default();
            let far = z.abs() >= params.dead_zone;
            Some(if far {
                (direction * z / params.width).clamp(-1.0, 1.0)
            } else {
                0.0
            })
        };
        let mut columns = said((0..bars.len()).map(said_of).collect());
        columns.extend([
            ("vwap", vwap.clone()),
            ("upper", band(params.width)),
            ("lower", band(-params.width)),
            ("z", z),
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
        // 10 with volume 3, 14 with volume 1: average 11; variance (3 · 1 + 1 · 9)/4 = 3. z = 3/sqrt(3).
        let mut bars = closes(&[10.0, 14.0]);
        bars.volume = Some(vec![3.0, 1.0]);
        let columns = VwapBands::compute(&with(r#"{"period": 2}"#), &bars).unwrap();
        let last = |name: &str| pick(&columns, name)[1].unwrap();
        let root = 3.0_f64.sqrt();
        assert!((last("vwap") - 11.0).abs() < 1e-12);
        assert!((last("upper") - 11.0 - 2.0 * root).abs() < 1e-12);
        assert!((last("z") - root).abs() < 1e-12);
        assert!((last("signal") + root / 2.0).abs() < 1e-12);
        let near = VwapBands::compute(&with(r#"{"period": 2, "dead_zone": 2}"#), &bars).unwrap();
        assert_eq!(pick(&near, "signal")[1], Some(0.0));
    }
}
