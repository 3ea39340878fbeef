//! Breakout detection.
//!
//! What: Closes beyond the range of earlier bars, told apart by whether the range had been tight and
//! whether the break holds: a close back inside within a few bars turns the signal around.
//! Formula: upper, lower: highest high and lowest low of the channel bars before. tight when (upper -
//! lower)/ATR is at most tightness · sqrt(channel), the range of a random walk being of that order.
//! Break after confirm closes in a row beyond the edge (that of the first of them) by buffer · ATR;
//! signal ±1 when the range was tight, else ±loose_weight, for hold bars or until the opposite break.
//! Failure: a close back inside the broken edge within fail_bars of the break; signal = ∓fail_weight
//! for the rest of hold. Target: edge ± (upper - lower); stop: the middle of the range.
//! Data: High, low and close.
//! Cost: O(bars · channel).
//! Fails when: Prices move sideways in a range that widens.
//! Source: R. Donchian, High Finance in Copper, Financial Analysts Journal 16 (1960); T. N.
//! Bulkowski, Encyclopedia of Chart Patterns, 3rd ed. (2021), for failure and measured targets.
//! Not claimed: That breaks of tight ranges go on more often.

use crate::signals::{Column, atr, before, flag, highest, lowest, missing, prices, said};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct BreakoutDetection;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<BreakoutDetection>();

params! {
    /// Parameters.
    pub struct BreakoutDetectionParams {
        /// Bars before the present one whose range is left.
        channel: usize = 20, within(1.0, 10_000.0);
        /// True ranges averaged.
        atr_period: usize = 14, within(1.0, 10_000.0);
        /// Distance of a close beyond the edge, in average true ranges.
        buffer: f64 = 0.1, at_least(0.0);
        /// Closes in a row beyond the edge.
        confirm: usize = 1, within(1.0, 100.0);
        /// A range is tight up to this multiple of ATR · sqrt(channel).
        tightness: f64 = 1.0, above(0.0);
        /// Signal of a break out of a range that was not tight.
        loose_weight: f64 = 0.5, within(0.0, 1.0);
        /// Bars within which a close back inside is a failure.
        fail_bars: usize = 3, at_least(0.0);
        /// Signal against a break that failed.
        fail_weight: f64 = 0.5, within(0.0, 1.0);
        /// Bars for which a break speaks.
        hold: usize = 20, within(1.0, 10_000.0);
    }
}

const CARD: Card = Card {
    id: "breakout_detection",
    family: "pattern",
    title: "Breakout detection",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "Closes beyond the range of earlier bars, told apart by whether the range had been tight and whether the break holds: a close back inside within a few bars turns the signal around.",
    formula: "upper, lower: highest high and lowest low of the channel bars before. tight when (upper - lower)/ATR is at most tightness · sqrt(channel), the range of a random walk being of that order. Break after confirm closes in a row beyond the edge (that of the first of them) by buffer · ATR; signal ±1 when the range was tight, else ±loose_weight, for hold bars or until the opposite break. Failure: a close back inside the broken edge within fail_bars of the break; signal = ∓fail_weight for the rest of hold. Target: edge ± (upper - lower); stop: the middle of the range",
    data: "High, low and close.",
    cost: "O(bars · channel)",
    fails_when: "Prices move sideways in a range that widens.",
    not_claimed: "That breaks of tight ranges go on more often.",
    source: "R. Donchian, High Finance in Copper, Financial Analysts Journal 16 (1960); T. N. Bulkowski, Encyclopedia of Chart Patterns, 3rd ed. (2021), for failure and measured targets",
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
        ("lower", "price units"),
        ("width", "upper less lower in average true ranges"),
        ("tight", "1 when the range is tight, else 0"),
        (
            "event",
            "on its bar: 1 or -1 break, 2 or -2 a break downwards or upwards that failed, else 0",
        ),
        ("target", "price units, while there is a break"),
        ("stop", "price units, likewise"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "calculation by hand",
        cases: "a break and a failed one",
        tolerance: "exact",
    }],
    presets: &[],
    exemptions: &[],
};

/// A break after it was confirmed.
#[derive(Debug, Clone, Copy)]
struct Break {
    at: usize,
    direction: f64,
    edge: f64,
    target: f64,
    stop: f64,
    signal: f64,
    failed: bool,
}

impl Indicator for BreakoutDetection {
    type Params = BreakoutDetectionParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &["known_bar", "tight", "event"];

    fn compute(params: &BreakoutDetectionParams, bars: &Bars) -> Result<Columns, FitError> {
        let (high, low, close) = prices(bars)?;
        let upper = before(high, params.channel, highest);
        let lower = before(low, params.channel, lowest);
        let range = atr(bars, params.atr_period)?;
        let limit = params.tightness * (params.channel as f64).sqrt();
        // Edges of a break under way, its direction and its number of closes.
        let mut tried: Option<((f64, f64), f64, usize)> = None;
        let mut now: Option<Break> = None;
        let [
            mut signal,
            mut width,
            mut tight,
            mut event,
            mut target,
            mut stop,
        ]: [Column; 6] = Default::default();
        for t in 0..bars.len() {
            let (Some(up), Some(down), Some(atr)) = (upper[t], lower[t], range[t]) else {
                missing([
                    &mut signal,
                    &mut width,
                    &mut tight,
                    &mut event,
                    &mut target,
                    &mut stop,
                ]);
                continue;
            };
            let beyond = |(up, down): (f64, f64)| {
                if close[t] > up + params.buffer * atr {
                    1.0
                } else if close[t] < down - params.buffer * atr {
                    -1.0
                } else {
                    0.0
                }
            };
            tried = match tried {
                Some((edges, side, n)) if beyond(edges) == side => Some((edges, side, n + 1)),
                _ if beyond((up, down)) != 0.0 => Some(((up, down), beyond((up, down)), 1)),
                _ => None,
            };
            let wide = if atr > 0.0 { (up - down) / atr } else { 0.0 };
            let mut said_now = 0.0;
            if let Some(b) = now.as_mut() {
                let inside = b.direction * (close[t] - b.edge) < 0.0;
                if !b.failed && inside && t - b.at <= params.fail_bars {
                    b.failed = true;
                    b.signal = -b.direction * params.fail_weight;
                    said_now = -2.0 * b.direction;
                }
            }
            now = now.filter(|b| t - b.at < params.hold);
            if let Some(((up, down), side, n)) = tried
                && n == params.confirm
            {
                let height = up - down;
                let was_tight = atr > 0.0 && height / atr <= limit;
                let edge = if side > 0.0 { up } else { down };
                now = Some(Break {
                    at: t,
                    direction: side,
                    edge,
                    target: edge + side * height,
                    stop: (up + down) / 2.0,
                    signal: side * if was_tight { 1.0 } else { params.loose_weight },
                    failed: false,
                });
                said_now = side;
            }
            signal.push(Some(now.map_or(0.0, |b| b.signal)));
            width.push(Some(wide));
            tight.push(Some(flag(wide <= limit)));
            event.push(Some(said_now));
            target.push(now.filter(|b| !b.failed).map(|b| b.target));
            stop.push(now.filter(|b| !b.failed).map(|b| b.stop));
        }
        let mut columns = said(signal);
        columns.extend([
            ("upper", upper),
            ("lower", lower),
            ("width", width),
            ("tight", tight),
            ("event", event),
            ("target", target),
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
        // Range 10 to 11 before bar 3, true range of bar 3: 3, width 1/3 <= sqrt(2): tight. 13 > 11 + 0.3: a break
        // with the target 12 and the stop 10.5. Then 10.9, back under 11: it failed.
        let bars = closes(&[10.0, 11.0, 10.0, 13.0, 10.9]);
        let set = r#"{"channel": 2, "atr_period": 1, "hold": 3}"#;
        let columns = BreakoutDetection::compute(&with(set), &bars).unwrap();
        let column = |name: &str| pick(&columns, name);
        assert_eq!(column("signal")[3..5], [Some(1.0), Some(-0.5)]);
        assert_eq!(column("event")[3..5], [Some(1.0), Some(-2.0)]);
        assert_eq!(
            (column("target")[3], column("stop")[3]),
            (Some(12.0), Some(10.5))
        );
        assert_eq!(column("target")[4], None);
        // Two closes are needed: the second one is inside again.
        let set = r#"{"channel": 2, "atr_period": 1, "confirm": 2}"#;
        let columns = BreakoutDetection::compute(&with(set), &bars).unwrap();
        assert_eq!(pick(&columns, "signal")[3..5], [Some(0.0), Some(0.0)]);
        let bars = closes(&[10.0, 11.0, 10.0, 13.0, 15.0]);
        let columns = BreakoutDetection::compute(&with(set), &bars).unwrap();
        assert_eq!(pick(&columns, "signal")[3..], [Some(0.0), Some(1.0)]);
        assert_eq!(pick(&columns, "target")[4], Some(12.0));
    }
}
