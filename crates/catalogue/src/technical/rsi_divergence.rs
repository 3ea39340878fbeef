//! RSI with divergence.
//!
//! What: The relative strength index with its divergences: a lower swing low of the price at which
//! the index is higher than at the one before, after it had been oversold, and the mirror image at
//! highs.
//! Formula: swing low = low below those of pivot bars on either side, known pivot bars later. Bullish
//! divergence at the bar on which the later of two swing lows at most lookback bars apart is known:
//! low2 < low1, RSI2 > RSI1, RSI1 <= oversold. Bearish: high2 > high1, RSI2 < RSI1, RSI1 >=
//! overbought. A divergence gives signal ±1 that fades to 0 in hold equal steps. Else signal =
//! level_weight when RSI <= oversold, -level_weight when RSI >= overbought, 0 between.
//! Data: High, low and close.
//! Cost: O(bars · swings in lookback).
//! Fails when: A strong trend makes one divergence after the other before it turns. The swing is
//! known pivot bars late.
//! Source: J. W. Wilder, New Concepts in Technical Trading Systems (1978), section VI; C. D. Brown,
//! Technical Analysis for the Trading Professional (1999).
//! Not claimed: That a divergence is followed by a turn, or that the levels are turning points.

use crate::indicator::rsi::{Rsi, RsiParams};
use crate::signals::{
    Column, Divergence, divergences, fading, pick, prices, said, swing_highs, swing_lows,
};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct RsiDivergence;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<RsiDivergence>();

params! {
    /// Parameters.
    pub struct RsiDivergenceParams {
        /// Changes averaged by the index.
        period: usize = 14, within(2.0, 10_000.0);
        /// Bars on either side over which a swing must stand out.
        pivot: usize = 5, within(1.0, 1000.0);
        /// Most bars between the two swings.
        lookback: usize = 60, within(2.0, 10_000.0);
        /// The index at or below which a first low counts.
        oversold: f64 = 30.0, within(0.0, 100.0);
        /// The index at or above which a first high counts.
        overbought: f64 = 70.0, within(0.0, 100.0);
        /// Bars over which a divergence speaks.
        hold: usize = 10, within(1.0, 10_000.0);
        /// Strength of the signal of an oversold or overbought index alone; 0 leaves it out.
        level_weight: f64 = 0.25, within(0.0, 1.0);
    }
}

const CARD: Card = Card {
    id: "rsi_divergence",
    family: "technical",
    title: "RSI with divergence",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "The relative strength index with its divergences: a lower swing low of the price at which the index is higher than at the one before, after it had been oversold, and the mirror image at highs.",
    formula: "swing low = low below those of pivot bars on either side, known pivot bars later. Bullish divergence at the bar on which the later of two swing lows at most lookback bars apart is known: low2 < low1, RSI2 > RSI1, RSI1 <= oversold. Bearish: high2 > high1, RSI2 < RSI1, RSI1 >= overbought. A divergence gives signal ±1 that fades to 0 in hold equal steps. Else signal = level_weight when RSI <= oversold, -level_weight when RSI >= overbought, 0 between",
    data: "High, low and close.",
    cost: "O(bars · swings in lookback)",
    fails_when: "A strong trend makes one divergence after the other before it turns. The swing is known pivot bars late.",
    not_claimed: "That a divergence is followed by a turn, or that the levels are turning points.",
    source: "J. W. Wilder, New Concepts in Technical Trading Systems (1978), section VI; C. D. Brown, Technical Analysis for the Trading Professional (1999)",
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
        ("rsi", "0 to 100"),
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
            cases: "swings and their index",
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

impl Indicator for RsiDivergence {
    type Params = RsiDivergenceParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &["known_bar", "divergence", "from_bar", "to_bar"];

    fn compute(params: &RsiDivergenceParams, bars: &Bars) -> Result<Columns, FitError> {
        let (high, low, _) = prices(bars)?;
        let period = params.period;
        let rsi = pick(&Rsi::compute(&RsiParams { period }, bars)?, "rsi");
        let lows = swing_lows(low, params.pivot);
        let highs = swing_highs(high, params.pivot);
        let mut found = divergences(1.0, &lows, &rsi, params.lookback, |_, o| {
            o <= params.oversold
        });
        found.extend(divergences(-1.0, &highs, &rsi, params.lookback, |_, o| {
            o >= params.overbought
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
            signal.push(rsi[t].map(|r| match held {
                Some(_) => speaks[t],
                None if r <= params.oversold => params.level_weight,
                None if r >= params.overbought => -params.level_weight,
                None => 0.0,
            }));
            let [from, to, from_price, to_price] = &mut points;
            from.push(held.map(|d| d.first.at as f64));
            to.push(held.map(|d| d.second.at as f64));
            from_price.push(held.map(|d| d.first.price));
            to_price.push(held.map(|d| d.second.price));
        }
        let [from, to, from_price, to_price] = points;
        let divergence = rsi.iter().zip(&event).map(|(r, e)| r.map(|_| *e)).collect();
        let mut columns = said(signal);
        columns.extend([
            ("rsi", rsi),
            ("divergence", divergence),
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
        // Period 2. Changes -10 -10 +4 -6 +2: at bar 2 gains 0, losses 10: RSI 0. Bar 3: G = 2, L = 5:
        // 28.6. Bar 4: G = 1, L = 5.5: 15.4, the close 78 below the 80 of bar 2: divergence, known at
        // bar 5 with one bar on either side.
        let bars = closes(&[100.0, 90.0, 80.0, 84.0, 78.0, 80.0, 80.0]);
        let params = with(r#"{"period": 2, "pivot": 1, "hold": 2, "level_weight": 0}"#);
        let columns = RsiDivergence::compute(&params, &bars).unwrap();
        let column = |name: &str| pick(&columns, name);
        let expected = [
            None,
            None,
            Some(0.0),
            Some(0.0),
            Some(0.0),
            Some(1.0),
            Some(0.5),
        ];
        assert_eq!(column("signal"), expected);
        assert_eq!(column("known_bar")[6], Some(5.0));
        assert_eq!(
            (column("from_bar")[5], column("to_bar")[5]),
            (Some(2.0), Some(4.0))
        );
        assert_eq!(
            (column("from_price")[5], column("to_price")[5]),
            (Some(80.0), Some(78.0))
        );
        assert!((column("rsi")[4].unwrap() - 100.0 * 1.0 / 6.5).abs() < 1e-12);
        assert_eq!(column("divergence")[5], Some(1.0));
        assert_eq!(column("divergence")[6], Some(0.0));
    }
}
