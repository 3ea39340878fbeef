//! High tight flag.
//!
//! What: A rise of at least nine tenths in under two months, then a shallow and short correction,
//! then a close above the top.
//! Formula: top = highest high of the last flag_max + 1 bars up to the bar before; pole =
//! high(top)/lowest low of the pole_bars bars up to it - 1; correction = 1 - lowest low since the
//! top/high(top). Flag: pole >= rise, correction <= depth, at least flag_min bars since the top.
//! Breakout: the close of the bar after a flag is above high(top). The signal is flag_weight while
//! there is a flag, 1 from the breakout for pole_bars bars, or until the close is under the lowest
//! low of the flag (the stop), or the high reaches the target: high(top) + half the height of the
//! pole.
//! Data: High, low and close, of one scale: a split inside the window hides or invents a pole.
//! Cost: O(bars · (pole_bars + flag_max)).
//! Fails when: It is rare: large quiet companies have none in decades. A rise like that has news
//! behind it and falls as fast.
//! Source: W. J. O'Neil, How to Make Money in Stocks (1988); T. N. Bulkowski, Encyclopedia of Chart
//! Patterns, 2nd ed. (2005), chapter on high and tight flags: 90 percent in under two months, half
//! the height of the pole as the measured move.
//! Not claimed: That the performance of the source, found over many shares, holds for one.

use crate::signals::{Column, lowest, prices, said, shorter};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct HighTightFlag;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<HighTightFlag>();

params! {
    /// Parameters.
    pub struct HighTightFlagParams {
        /// Most bars of the pole, and of what a breakout says; two months have about 42.
        pole_bars: usize = 42, within(2.0, 10_000.0);
        /// Least rise of the pole as a share.
        rise: f64 = 0.9, above(0.0);
        /// Deepest correction as a share of the top.
        depth: f64 = 0.25, inside(0.0, 1.0);
        /// Fewest bars of the flag; less than flag_max.
        flag_min: usize = 5, within(1.0, 10_000.0);
        /// Most bars of the flag.
        flag_max: usize = 30, within(2.0, 10_000.0);
        /// Signal while there is a flag.
        flag_weight: f64 = 0.25, within(0.0, 1.0);
    }
}

const CARD: Card = Card {
    id: "high_tight_flag",
    family: "pattern",
    title: "High tight flag",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "A rise of at least nine tenths in under two months, then a shallow and short correction, then a close above the top.",
    formula: "top = highest high of the last flag_max + 1 bars up to the bar before; pole = high(top)/lowest low of the pole_bars bars up to it - 1; correction = 1 - lowest low since the top/high(top). Flag: pole >= rise, correction <= depth, at least flag_min bars since the top. Breakout: the close of the bar after a flag is above high(top). The signal is flag_weight while there is a flag, 1 from the breakout for pole_bars bars, or until the close is under the lowest low of the flag (the stop), or the high reaches the target: high(top) + half the height of the pole",
    data: "High, low and close, of one scale: a split inside the window hides or invents a pole.",
    cost: "O(bars · (pole_bars + flag_max))",
    fails_when: "It is rare: large quiet companies have none in decades. A rise like that has news behind it and falls as fast.",
    not_claimed: "That the performance of the source, found over many shares, holds for one.",
    source: "W. J. O'Neil, How to Make Money in Stocks (1988); T. N. Bulkowski, Encyclopedia of Chart Patterns, 2nd ed. (2005), chapter on high and tight flags: 90 percent in under two months, half the height of the pole as the measured move",
    reference: "own rule, stated here",
    outputs: &[
        (
            "signal",
            "0 to 1, one a bar: flag_weight in a flag, 1 after the breakout; null while warming up",
        ),
        (
            "known_bar",
            "bar since which the signal has had its sign, counted from 0; null where it is 0",
        ),
        ("stage", "0 nothing, 1 a pole, 2 a flag, 3 after a breakout"),
        (
            "pole_rise",
            "rise of the pole as a share, 0.9 for 90 percent",
        ),
        ("correction", "fall from the top as a share"),
        (
            "pole_from_bar",
            "bar of the low that the pole starts from, while the stage is not 0",
        ),
        ("top_bar", "bar of the top, likewise"),
        ("top", "price of the top, likewise"),
        (
            "stop",
            "lowest low of the flag, in a flag and after a breakout",
        ),
        ("target", "price units, likewise"),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "calculation by hand",
            cases: "pole, flag, breakout, target",
            tolerance: "exact",
        },
        Evidence {
            against: "charts of the bundled symbols",
            cases: "docs/patterns.md says how many there are and where",
            tolerance: "the stages on the stated dates",
        },
    ],
    presets: &[],
    exemptions: &[],
};

/// Pole and flag as known at a bar.
#[derive(Debug, Clone, Copy)]
struct Shape {
    from: usize,
    top: usize,
    pole: f64,
    correction: f64,
    high: f64,
    floor: f64,
    target: f64,
    bars: usize,
}

fn shape(p: &HighTightFlagParams, high: &[f64], low: &[f64], t: usize) -> Option<Shape> {
    // Before there are as many bars as a pole may have nothing is said.
    (t + 1).checked_sub(p.pole_bars)?;
    let first = t.saturating_sub(p.flag_max);
    let mut top = first;
    for i in first..=t {
        if high[i] > high[top] {
            top = i;
        }
    }
    let begin = top.saturating_sub(p.pole_bars);
    let mut from = begin;
    for i in begin..=top {
        if low[i] < low[from] {
            from = i;
        }
    }
    if low[from] <= 0.0 {
        return None;
    }
    let after = top + 1..t + 1;
    let floor = if after.is_empty() {
        low[t]
    } else {
        lowest(&low[after])
    };
    Some(Shape {
        from,
        top,
        pole: high[top] / low[from] - 1.0,
        correction: if top == t {
            0.0
        } else {
            1.0 - floor / high[top]
        },
        high: high[top],
        floor,
        target: high[top] + (high[top] - low[from]) / 2.0,
        bars: t - top,
    })
}

impl Indicator for HighTightFlag {
    type Params = HighTightFlagParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &["known_bar", "stage", "pole_from_bar", "top_bar"];

    fn compute(p: &HighTightFlagParams, bars: &Bars) -> Result<Columns, FitError> {
        shorter("flag_min", p.flag_min, "flag_max", p.flag_max)?;
        let (high, low, close) = prices(bars)?;
        let mut broken: Option<(usize, Shape)> = None;
        let mut before: Option<Shape> = None;
        let mut signal = Column::new();
        let mut columns: [Column; 8] = Default::default();
        for t in 0..bars.len() {
            let now = shape(p, high, low, t);
            let steep = |s: &Shape| s.pole >= p.rise && s.correction <= p.depth;
            let flagged = |s: &Shape| steep(s) && s.bars >= p.flag_min && s.bars < p.flag_max;
            broken = broken.filter(|(at, s)| {
                t - at < p.pole_bars && close[t] >= s.floor && high[t] < s.target
            });
            if let Some(s) = before.filter(|s| flagged(s) && close[t] > s.high) {
                broken = Some((t, s));
            }
            let (stage, said_now, shown) = match (broken, now) {
                (Some((_, s)), _) => (3.0, 1.0, Some(s)),
                (None, Some(s)) if flagged(&s) => (2.0, p.flag_weight, Some(s)),
                (None, Some(s)) if steep(&s) => (1.0, 0.0, Some(s)),
                _ => (0.0, 0.0, None),
            };
            let [stages, rise, correction, from, top, price, stop, target] = &mut columns;
            let levels = shown.filter(|_| stage > 1.0);
            signal.push(now.map(|_| said_now));
            stages.push(now.map(|_| stage));
            rise.push(now.map(|s| s.pole));
            correction.push(now.map(|s| s.correction));
            from.push(shown.map(|s| s.from as f64));
            top.push(shown.map(|s| s.top as f64));
            price.push(shown.map(|s| s.high));
            stop.push(levels.map(|s| s.floor));
            target.push(levels.map(|s| s.target));
            before = now;
        }
        let [stages, rise, correction, from, top, price, stop, target] = columns;
        let mut columns = said(signal);
        columns.extend([
            ("stage", stages),
            ("pole_rise", rise),
            ("correction", correction),
            ("pole_from_bar", from),
            ("top_bar", top),
            ("top", price),
            ("stop", stop),
            ("target", target),
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
        // From 10 to 20: a rise of 1; then 18 and 17, a correction of 0.15, a flag from two bars on; 21 is above the
        // top: breakout with the stop 17 and the target 20 + 10/2 = 25, reached by 25.
        let bars = closes(&[10.0, 14.0, 20.0, 18.0, 17.0, 21.0, 22.0, 25.0]);
        let set = r#"{"pole_bars": 3, "flag_min": 2, "flag_max": 4}"#;
        let columns = HighTightFlag::compute(&with(set), &bars).unwrap();
        let column = |name: &str| pick(&columns, name);
        assert_eq!(column("stage")[2..7], [1.0, 1.0, 2.0, 3.0, 3.0].map(Some));
        assert_eq!(column("signal")[2..7], [0.0, 0.0, 0.25, 1.0, 1.0].map(Some));
        assert_eq!(column("pole_rise")[4], Some(1.0));
        assert!((column("correction")[4].unwrap() - 0.15).abs() < 1e-12);
        assert_eq!(
            (column("stop")[5], column("target")[5]),
            (Some(17.0), Some(25.0))
        );
        assert_eq!(
            (column("pole_from_bar")[5], column("top_bar")[5]),
            (Some(0.0), Some(2.0))
        );
        assert_ne!(column("stage")[7], Some(3.0));
        // Too deep a correction is no flag.
        let deep = closes(&[10.0, 14.0, 20.0, 18.0, 14.0, 21.0]);
        let columns = HighTightFlag::compute(&with(set), &deep).unwrap();
        assert_eq!(pick(&columns, "signal")[5], Some(0.0));
    }
}
