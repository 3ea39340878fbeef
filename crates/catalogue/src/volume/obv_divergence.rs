//! On-balance volume with divergence.
//!
//! What: On-balance volume against the price: a lower low of the price that the volume does not
//! confirm, and the mirror image; beside it, on which side of its own mean the volume line is.
//! Formula: swing low = low below those of pivot bars on either side, known pivot bars later. Bullish
//! divergence at the bar on which the later of two swing lows at most lookback bars apart is known:
//! low2 < low1, OBV2 > OBV1; bearish: high2 > high1, OBV2 < OBV1. It gives ±1 that fades to 0 in hold
//! equal steps. Else signal = trend_weight · sign(OBV - mean of the last trend_period OBV).
//! Data: High, low, close and volume.
//! Cost: O(bars · (trend_period + swings in lookback)).
//! Fails when: One day of huge volume decides the comparison. A strong trend makes one divergence
//! after the other. The swing is known pivot bars late.
//! Source: J. Granville, Granville's New Key to Stock Market Profits (1963).
//! Not claimed: That volume leads the price.

use crate::indicator::obv::{Obv, ObvParams};
use crate::signals::{
    Column, Divergence, divergences, fading, mean, pick, prices, rolling, said, sign, swing_highs,
    swing_lows,
};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct ObvDivergence;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<ObvDivergence>();

params! {
    /// Parameters.
    pub struct ObvDivergenceParams {
        /// Bars on either side over which a swing must stand out.
        pivot: usize = 5, within(1.0, 1000.0);
        /// Most bars between the two swings.
        lookback: usize = 60, within(2.0, 10_000.0);
        /// Bars over which a divergence speaks.
        hold: usize = 10, within(1.0, 10_000.0);
        /// Values averaged for the trend of the volume line.
        trend_period: usize = 20, within(2.0, 10_000.0);
        /// Strength of the signal of that trend alone; 0 leaves it out.
        trend_weight: f64 = 0.25, within(0.0, 1.0);
    }
}

const CARD: Card = Card {
    id: "obv_divergence",
    family: "volume",
    title: "On-balance volume with divergence",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "On-balance volume against the price: a lower low of the price that the volume does not confirm, and the mirror image; beside it, on which side of its own mean the volume line is.",
    formula: "swing low = low below those of pivot bars on either side, known pivot bars later. Bullish divergence at the bar on which the later of two swing lows at most lookback bars apart is known: low2 < low1, OBV2 > OBV1; bearish: high2 > high1, OBV2 < OBV1. It gives ±1 that fades to 0 in hold equal steps. Else signal = trend_weight · sign(OBV - mean of the last trend_period OBV)",
    data: "High, low, close and volume.",
    cost: "O(bars · (trend_period + swings in lookback))",
    fails_when: "One day of huge volume decides the comparison. A strong trend makes one divergence after the other. The swing is known pivot bars late.",
    not_claimed: "That volume leads the price.",
    source: "J. Granville, Granville's New Key to Stock Market Profits (1963)",
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
        ("obv", "shares, from the first bar"),
        ("obv_mean", "mean of the last trend_period values"),
        (
            "divergence",
            "1 on the bar on which a bullish divergence became known, -1 a bearish one, else 0",
        ),
        (
            "from_bar",
            "bar of the earlier swing, while the divergence speaks",
        ),
        ("to_bar", "bar of the later swing, likewise"),
        ("from_price", "price of the earlier swing, likewise"),
        ("to_price", "price of the later swing, likewise: the stop"),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "calculation by hand",
            cases: "a low that the volume does not confirm",
            tolerance: "exact",
        },
        Evidence {
            against: "charts of the bundled symbols",
            cases: "docs/patterns.md, three dated cases",
            tolerance: "the signal fires on the stated dates",
        },
    ],
    presets: &[],
    exemptions: &[],
};

impl Indicator for ObvDivergence {
    type Params = ObvDivergenceParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &["known_bar", "divergence", "from_bar", "to_bar"];

    fn compute(params: &ObvDivergenceParams, bars: &Bars) -> Result<Columns, FitError> {
        let (high, low, _) = prices(bars)?;
        let obv = pick(&Obv::compute(&ObvParams {}, bars)?, "obv");
        let values: Vec<f64> = obv.iter().copied().flatten().collect();
        let means = rolling(&values, params.trend_period, mean);
        let (lows, highs) = (
            swing_lows(low, params.pivot),
            swing_highs(high, params.pivot),
        );
        let mut found = divergences(1.0, &lows, &obv, params.lookback, |_, _| true);
        found.extend(divergences(-1.0, &highs, &obv, params.lookback, |_, _| {
            true
        }));
        let n = bars.len();
        let mut event = vec![0.0; n];
        let mut at: Vec<Option<&Divergence>> = vec![None; n];
        for d in &found {
            event[d.second.known] = d.direction;
            at[d.second.known] = Some(d);
        }
        let speaks = fading(&event, params.hold);
        let mut held: Option<&Divergence> = None;
        let (mut signal, mut points): (Column, [Column; 4]) = (Vec::new(), Default::default());
        for t in 0..n {
            held = at[t].or(held).filter(|_| speaks[t] != 0.0);
            signal.push(means[t].map(|m| match held {
                Some(_) => speaks[t],
                None => params.trend_weight * sign(values[t] - m),
            }));
            let [from, to, from_price, to_price] = &mut points;
            from.push(held.map(|d| d.first.at as f64));
            to.push(held.map(|d| d.second.at as f64));
            from_price.push(held.map(|d| d.first.price));
            to_price.push(held.map(|d| d.second.price));
        }
        let [from, to, from_price, to_price] = points;
        let mut columns = said(signal);
        columns.extend([
            ("obv", obv),
            ("obv_mean", means),
            ("divergence", event.into_iter().map(Some).collect()),
            ("from_bar", from),
            ("to_bar", to),
            ("from_price", from_price),
            ("to_price", to_price),
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
        // Lows 8 at bar 1 and 7 at bar 3; on-balance volume 1, 1 - 5, - 4 + 20, 16 - 3, 13 + 1: higher at
        // the second low. One bar on either side: known at bar 4.
        let mut bars = closes(&[10.0, 8.0, 9.0, 7.0, 8.0, 8.0]);
        bars.volume = Some(vec![1.0, 5.0, 20.0, 3.0, 1.0, 1.0]);
        let params = with(r#"{"pivot": 1, "hold": 1, "trend_period": 2}"#);
        let columns = ObvDivergence::compute(&params, &bars).unwrap();
        let column = |name: &str| pick(&columns, name);
        assert_eq!(column("obv")[..5], [1.0, -4.0, 16.0, 13.0, 14.0].map(Some));
        // Before: above, below, above its mean of two; after one bar the trend speaks again: 14 = 14.
        assert_eq!(
            column("signal")[1..],
            [-0.25, 0.25, -0.25, 1.0, 0.0].map(Some)
        );
        assert_eq!(
            (column("from_bar")[4], column("to_bar")[4]),
            (Some(1.0), Some(3.0))
        );
        assert_eq!(column("known_bar")[4], Some(4.0));
    }
}
