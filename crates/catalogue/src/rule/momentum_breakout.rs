//! Momentum breakout.
//!
//! What: A close above the range of earlier bars, taken only when the return over months before it
//! has the same sign; out by a shorter range or by a stop in true ranges.
//! Formula: momentum(t) = close(t - skip)/close(t - skip - momentum_bars) - 1. Buy when close >
//! highest high of the entry bars before and momentum > threshold; sell when close < lowest low and
//! momentum < -threshold. Out when the close is under the lowest low of the exit bars before, or
//! under the trailing stop: highest close since the entry - stop_atr · ATR; mirrored for a sale.
//! signal = ±1 while in.
//! Data: High, low and close, positive closes.
//! Cost: O(bars · entry).
//! Fails when: Prices move sideways; momentum turns, as after crashes (Daniel, Moskowitz, Momentum
//! Crashes, 2016).
//! Source: N. Jegadeesh, S. Titman, Returns to Buying Winners and Selling Losers, Journal of Finance
//! 48 (1993); R. Donchian, High Finance in Copper, Financial Analysts Journal 16 (1960), for the
//! channels; C. Faith, Way of the Turtle (2007), for the stop in true ranges.
//! Not claimed: A return after costs. The momentum of the source is of many shares against each
//! other, over 3 to 12 months.

use crate::signals::{Column, atr, before, highest, lowest, prices, said};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct MomentumBreakout;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<MomentumBreakout>();

params! {
    /// Parameters.
    pub struct MomentumBreakoutParams {
        /// Bars before the present one whose range is left.
        entry: usize = 20, within(1.0, 10_000.0);
        /// Bars before the present one whose range on the other side ends a position.
        exit as "exit_bars": usize = 10, within(1.0, 10_000.0);
        /// Bars over which momentum is taken.
        momentum_bars: usize = 60, within(1.0, 10_000.0);
        /// Last bars left out of momentum.
        skip: usize = 5, at_least(0.0);
        /// Least momentum as a share.
        threshold: f64 = 0.0, at_least(0.0);
        /// Distance of the trailing stop in average true ranges.
        stop_atr: f64 = 3.0, above(0.0);
        /// True ranges averaged.
        atr_period: usize = 20, within(1.0, 10_000.0);
    }
}

const CARD: Card = Card {
    id: "momentum_breakout",
    family: "rule",
    title: "Momentum breakout",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "A close above the range of earlier bars, taken only when the return over months before it has the same sign; out by a shorter range or by a stop in true ranges.",
    formula: "momentum(t) = close(t - skip)/close(t - skip - momentum_bars) - 1. Buy when close > highest high of the entry bars before and momentum > threshold; sell when close < lowest low and momentum < -threshold. Out when the close is under the lowest low of the exit bars before, or under the trailing stop: highest close since the entry - stop_atr · ATR; mirrored for a sale. signal = ±1 while in",
    data: "High, low and close, positive closes.",
    cost: "O(bars · entry)",
    fails_when: "Prices move sideways; momentum turns, as after crashes (Daniel, Moskowitz, Momentum Crashes, 2016).",
    not_claimed: "A return after costs. The momentum of the source is of many shares against each other, over 3 to 12 months.",
    source: "N. Jegadeesh, S. Titman, Returns to Buying Winners and Selling Losers, Journal of Finance 48 (1993); R. Donchian, High Finance in Copper, Financial Analysts Journal 16 (1960), for the channels; C. Faith, Way of the Turtle (2007), for the stop in true ranges",
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
            "highest high of the entry bars before, price units",
        ),
        ("lower", "lowest low of the entry bars before, price units"),
        (
            "momentum",
            "return over momentum_bars up to skip bars ago, as a share",
        ),
        ("stop", "the nearer of channel and trailing stop, while in"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "calculation by hand",
        cases: "entry, trailing stop and exit",
        tolerance: "exact",
    }],
    presets: &[],
    exemptions: &[],
};

impl Indicator for MomentumBreakout {
    type Params = MomentumBreakoutParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &["known_bar"];

    fn compute(p: &MomentumBreakoutParams, bars: &Bars) -> Result<Columns, FitError> {
        let (high, low, close) = prices(bars)?;
        let (upper, lower) = (before(high, p.entry, highest), before(low, p.entry, lowest));
        let out_low = before(low, p.exit, lowest);
        let out_high = before(high, p.exit, highest);
        let range = atr(bars, p.atr_period)?;
        let momentum = |t: usize| {
            let late = t.checked_sub(p.skip)?;
            let early = close[late.checked_sub(p.momentum_bars)?];
            (early > 0.0).then(|| close[late] / early - 1.0)
        };
        let momentum: Column = (0..bars.len()).map(momentum).collect();
        let (mut position, mut best) = (0.0, 0.0);
        let (mut signal, mut stops) = (Column::new(), Column::new());
        for t in 0..bars.len() {
            let channel = upper[t].zip(lower[t]).zip(out_low[t].zip(out_high[t]));
            let known = channel.zip(range[t]).zip(momentum[t]);
            let Some(((((up, down), (out_low, out_high)), atr), momentum)) = known else {
                signal.push(None);
                stops.push(None);
                continue;
            };
            let stop_of = |position: f64, best: f64| {
                if position > 0.0 {
                    out_low.max(best - p.stop_atr * atr)
                } else {
                    out_high.min(best + p.stop_atr * atr)
                }
            };
            if position != 0.0 && position * (close[t] - stop_of(position, best)) < 0.0 {
                position = 0.0;
            }
            let new = if close[t] > up && momentum > p.threshold {
                1.0
            } else if close[t] < down && momentum < -p.threshold {
                -1.0
            } else {
                position
            };
            best = if new != position || new == 0.0 {
                close[t]
            } else if new > 0.0 {
                close[t].max(best)
            } else {
                close[t].min(best)
            };
            position = new;
            signal.push(Some(position));
            stops.push((position != 0.0).then(|| stop_of(position, best)));
        }
        let mut columns = said(signal);
        columns.extend([
            ("upper", upper),
            ("lower", lower),
            ("momentum", momentum),
            ("stop", stops),
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
        // Channel and momentum of two: at bar 2 12 > 11 and 12/10 > 1: in, the true range is 1, the stop the higher
        // of 11 (lowest of one before) and 12 - 2. At bar 3, 15: range 3, stop max(12, 15 - 6). At bar 4 12.5
        // is under 15, the lowest of one before: out, and not under 12: no sale.
        let bars = closes(&[10.0, 11.0, 12.0, 15.0, 12.5]);
        let set = r#"{"entry": 2, "exit_bars": 1, "momentum_bars": 2, "skip": 0, "atr_period": 1, "stop_atr": 2}"#;
        let columns = MomentumBreakout::compute(&with(set), &bars).unwrap();
        let column = |name: &str| pick(&columns, name);
        assert_eq!(
            column("signal"),
            [None, None, Some(1.0), Some(1.0), Some(0.0)]
        );
        assert_eq!(column("stop")[2..], [Some(11.0), Some(12.0), None]);
        assert!((column("momentum")[2].unwrap() - 0.2).abs() < 1e-12);
        assert_eq!(column("upper")[2], Some(11.0));
        // More momentum is asked for than there is.
        let set = r#"{"entry": 2, "momentum_bars": 2, "skip": 0, "threshold": 0.5, "atr_period": 1, "exit_bars": 1}"#;
        let columns = MomentumBreakout::compute(&with(set), &bars).unwrap();
        assert_eq!(pick(&columns, "signal")[3], Some(0.0));
    }
}
