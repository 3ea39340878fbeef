//! Support and resistance.
//!
//! What: Price levels at which swings ended several times, the nearest below and above the close, and
//! what the price does there: bounce, rejection, breakout, breakdown.
//! Formula: Swings (highs and lows that stand out over pivot bars on either side, known pivot bars
//! later) of the last lookback bars are joined, in the order of price, to a level as long as each is
//! within tolerance · ATR of the mean of those before; a level needs touches swings. Support and
//! resistance are the nearest levels below and above the close of the bar before. Bounce: low <=
//! support + tolerance · ATR and the close is in the upper half of the bar and above the support, 1.
//! Rejection: the mirror image, -1. Breakout: close > resistance + buffer · ATR, 1; breakdown -1.
//! Each fades to 0 in hold equal steps. Stop: the level less (plus) 1 ATR.
//! Data: High, low and close.
//! Cost: O(bars · swings in lookback).
//! Fails when: With enough swings there is a level everywhere. Levels of unadjusted prices end at a
//! split.
//! Source: C. Osler, Support for Resistance: Technical Analysis and Intraday Exchange Rates, FRBNY
//! Economic Policy Review (2000); R. D. Edwards, J. Magee, Technical Analysis of Stock Trends (1948),
//! chapter 13.
//! Not claimed: That a level holds more often than chance says; the source found some predictive
//! content in levels for exchange rates within a day.

use crate::signals::{Column, Pivot, atr, fading, missing, prices, said, swing_highs, swing_lows};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct SupportResistance;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<SupportResistance>();

params! {
    /// Parameters.
    pub struct SupportResistanceParams {
        /// Bars on either side over which a swing must stand out.
        pivot: usize = 5, within(1.0, 1000.0);
        /// Bars whose swings count.
        lookback: usize = 250, within(2.0, 10_000.0);
        /// Fewest swings of a level.
        touches: usize = 2, within(1.0, 1000.0);
        /// Width of a level in average true ranges.
        tolerance: f64 = 0.75, at_least(0.0);
        /// Distance of a close beyond a level that breaks it, in average true ranges.
        buffer: f64 = 0.25, at_least(0.0);
        /// True ranges averaged.
        atr_period: usize = 14, within(1.0, 10_000.0);
        /// Bars over which an event speaks.
        hold: usize = 5, within(1.0, 10_000.0);
    }
}

const CARD: Card = Card {
    id: "support_resistance",
    family: "pattern",
    title: "Support and resistance",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "Price levels at which swings ended several times, the nearest below and above the close, and what the price does there: bounce, rejection, breakout, breakdown.",
    formula: "Swings (highs and lows that stand out over pivot bars on either side, known pivot bars later) of the last lookback bars are joined, in the order of price, to a level as long as each is within tolerance · ATR of the mean of those before; a level needs touches swings. Support and resistance are the nearest levels below and above the close of the bar before. Bounce: low <= support + tolerance · ATR and the close is in the upper half of the bar and above the support, 1. Rejection: the mirror image, -1. Breakout: close > resistance + buffer · ATR, 1; breakdown -1. Each fades to 0 in hold equal steps. Stop: the level less (plus) 1 ATR",
    data: "High, low and close.",
    cost: "O(bars · swings in lookback)",
    fails_when: "With enough swings there is a level everywhere. Levels of unadjusted prices end at a split.",
    not_claimed: "That a level holds more often than chance says; the source found some predictive content in levels for exchange rates within a day.",
    source: "C. Osler, Support for Resistance: Technical Analysis and Intraday Exchange Rates, FRBNY Economic Policy Review (2000); R. D. Edwards, J. Magee, Technical Analysis of Stock Trends (1948), chapter 13",
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
            "support",
            "nearest level below the close before, price units; null when there is none",
        ),
        (
            "resistance",
            "nearest level above the close before, price units; null when there is none",
        ),
        ("support_touches", "swings of that level"),
        ("resistance_touches", "swings of that level"),
        (
            "event",
            "on its bar: 1 bounce, 2 breakout, -1 rejection, -2 breakdown, else 0",
        ),
        ("stop", "price units, while the event speaks"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "calculation by hand",
        cases: "a level of two swings, bounce and breakdown",
        tolerance: "exact",
    }],
    presets: &[],
    exemptions: &[],
};

/// Levels of swings given by price, each with its number of swings.
fn levels(mut swings: Vec<f64>, width: f64, touches: usize) -> Vec<(f64, usize)> {
    swings.sort_by(f64::total_cmp);
    let mut found: Vec<(f64, usize)> = Vec::new();
    for price in swings {
        match found.last_mut() {
            Some((level, n)) if price - *level <= width => {
                *level = (*level * *n as f64 + price) / (*n + 1) as f64;
                *n += 1;
            }
            _ => found.push((price, 1)),
        }
    }
    found.retain(|(_, n)| *n >= touches);
    found
}

impl Indicator for SupportResistance {
    type Params = SupportResistanceParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &[
        "known_bar",
        "support_touches",
        "resistance_touches",
        "event",
    ];

    fn compute(params: &SupportResistanceParams, bars: &Bars) -> Result<Columns, FitError> {
        let (high, low, close) = prices(bars)?;
        let range = atr(bars, params.atr_period)?;
        let mut swings: Vec<Pivot> = swing_highs(high, params.pivot);
        swings.extend(swing_lows(low, params.pivot));
        swings.sort_by_key(|p| (p.known, p.at));
        let n = bars.len();
        let [mut support, mut resistance, mut below, mut above]: [Column; 4] = Default::default();
        let (mut events, mut stops): (Vec<f64>, Vec<f64>) = (vec![0.0; n], vec![0.0; n]);
        for t in 0..n {
            // A swing known on this very bar is none of its levels yet.
            let known = swings.partition_point(|p| p.known < t);
            let near = swings[..known]
                .iter()
                .filter(|p| p.at + params.lookback >= t);
            let prices = near.map(|p| p.price).collect();
            let (Some(atr), true) = (range[t], t > 0) else {
                missing([&mut support, &mut resistance, &mut below, &mut above]);
                continue;
            };
            let all = levels(prices, params.tolerance * atr, params.touches);
            let last = close[t - 1];
            let under = all.iter().rev().find(|(level, _)| *level <= last);
            let over = all.iter().find(|(level, _)| *level > last);
            support.push(under.map(|l| l.0));
            resistance.push(over.map(|l| l.0));
            below.push(under.map(|l| l.1 as f64));
            above.push(over.map(|l| l.1 as f64));
            let width = params.tolerance * atr;
            let upper_half = 2.0 * close[t] - high[t] - low[t];
            if let Some((level, _)) = over {
                if close[t] > level + params.buffer * atr {
                    (events[t], stops[t]) = (2.0, level - atr);
                } else if high[t] >= level - width && close[t] < *level && upper_half < 0.0 {
                    (events[t], stops[t]) = (-1.0, level + atr);
                }
            }
            // What happens at the support counts when nothing happened at the resistance.
            if let (Some((level, _)), true) = (under, events[t] == 0.0) {
                if close[t] < level - params.buffer * atr {
                    (events[t], stops[t]) = (-2.0, level + atr);
                } else if low[t] <= level + width && close[t] > *level && upper_half > 0.0 {
                    (events[t], stops[t]) = (1.0, level - atr);
                }
            }
        }
        let directions: Vec<f64> = events.iter().map(|e| e.clamp(-1.0, 1.0)).collect();
        let speaks = fading(&directions, params.hold);
        let mut last = None;
        let stop = (0..n).map(|t| {
            if events[t] != 0.0 {
                last = Some(stops[t]);
            }
            last.filter(|_| speaks[t] != 0.0)
        });
        let stop = stop.collect();
        let known = |t: usize, v: f64| range[t].map(|_| v);
        let mut columns = said((0..n).map(|t| known(t, speaks[t])).collect());
        columns.extend([
            ("support", support),
            ("resistance", resistance),
            ("support_touches", below),
            ("resistance_touches", above),
            ("event", (0..n).map(|t| known(t, events[t])).collect()),
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
    fn levels_by_hand() {
        // 10 and 10.5 join to 10.25; 11.5 is 1.25 away.
        assert_eq!(
            levels(vec![10.5, 11.5, 10.0], 1.0, 1),
            [(10.25, 2), (11.5, 1)]
        );
        assert_eq!(levels(vec![10.5, 11.5, 10.0], 1.0, 2), [(10.25, 2)]);
    }

    #[test]
    fn by_hand() {
        // Swing lows of 10 at bars 1 and 3, known at bars 2 and 4 and used from bar 5: support 10 of two touches.
        // There the low 10 is near it and the close 12 in the upper half: a bounce. Then the close 5: a breakdown.
        let mut bars = closes(&[12.0, 10.0, 13.0, 10.0, 12.0, 12.0, 5.0]);
        bars.low = Some(vec![12.0, 10.0, 13.0, 10.0, 12.0, 10.0, 5.0]);
        let set = r#"{"pivot": 1, "tolerance": 0.1, "atr_period": 1, "hold": 2}"#;
        let columns = SupportResistance::compute(&with(set), &bars).unwrap();
        let column = |name: &str| pick(&columns, name);
        assert_eq!(
            (column("support")[4], column("support")[5]),
            (None, Some(10.0))
        );
        assert_eq!(column("support_touches")[5], Some(2.0));
        assert_eq!(column("event")[4..], [Some(0.0), Some(1.0), Some(-2.0)]);
        assert_eq!(column("signal")[4..], [Some(0.0), Some(1.0), Some(-1.0)]);
        // True range of bar 5: 12 - 10.
        assert_eq!(column("stop")[5], Some(8.0));
    }
}
