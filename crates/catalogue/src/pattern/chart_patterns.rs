//! Triangles and flags.
//!
//! What: Ascending, descending and symmetrical triangles and flags found by fixed rules from swings
//! that are already known, and the close that leaves them.
//! Formula: Triangle: least-squares lines through the last swing highs and the last swing lows (two
//! to four each, touches in all, of the last max_bars bars; a swing stands out over pivot bars on
//! either side and is known pivot bars later). With h the distance of the lines at the first swing:
//! no swing is farther than fit · h from its line, no close since leaves the lines by more than fit ·
//! h, at least min_bars have passed, and the distance is now between 0.1 h and converge · h. Over the
//! span a line is flat when it moves at most flat · h. Ascending: flat above, rising below;
//! descending: falling above, flat below; symmetrical: falling above, rising below. Flag: a move of
//! at least pole_rise of its start within pole_bars up to its extreme, then flag_min to flag_max bars
//! that retrace at most retrace of it, along a least-squares line of the closes that does not go on
//! with the move by more than flat of it; edges are that line through the outermost high and low.
//! Breakout: a close beyond the edge known the bar before, by buffer · ATR. signal = ±1 in its
//! direction until the target (edge ± h, or ± the pole for a flag) or the stop (the opposite edge of
//! a triangle, the extreme of a flag, at the breakout) is reached, or for hold bars.
//! Data: High, low and close, of one scale: a split makes a false pole.
//! Cost: O(bars · (max_bars + flag_max²)).
//! Fails when: Many windows of noise hold a triangle. The lines move with each new swing until the
//! breakout.
//! Source: T. N. Bulkowski, Encyclopedia of Chart Patterns, 2nd ed. (2005), chapters on triangles and
//! flags; A. W. Lo, H. Mamaysky, J. Wang, Foundations of Technical Analysis, Journal of Finance 55
//! (2000), for mechanical definitions.
//! Not claimed: That prices leave in the direction of the slope, or reach the target.

use crate::signals::{
    Column, Line, Pivot, atr, line, negated, prices, said, swing_highs, swing_lows,
};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct ChartPatterns;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<ChartPatterns>();

params! {
    /// Parameters.
    pub struct ChartPatternsParams {
        /// Bars on either side over which a swing must stand out.
        pivot: usize = 3, within(1.0, 1000.0);
        /// Fewest bars of a triangle.
        min_bars: usize = 15, within(2.0, 10_000.0);
        /// Most bars of a triangle.
        max_bars: usize = 80, within(4.0, 10_000.0);
        /// Fewest swings on both edges of a triangle together.
        touches: usize = 5, within(4.0, 8.0);
        /// Tolerance of the edges as a share of the height.
        fit: f64 = 0.12, within(0.0, 1.0);
        /// A line that moves no more than this share of the height is flat.
        flat: f64 = 0.15, within(0.0, 1.0);
        /// Largest remaining distance of the edges as a share of the height.
        converge: f64 = 0.7, within(0.1, 1.0);
        /// Least move of a pole as a share of its start.
        pole_rise: f64 = 0.12, above(0.0);
        /// Most bars of a pole.
        pole_bars: usize = 12, within(1.0, 1000.0);
        /// Fewest bars of a flag.
        flag_min: usize = 5, within(2.0, 1000.0);
        /// Most bars of a flag.
        flag_max: usize = 18, within(2.0, 1000.0);
        /// Most of the pole that a flag gives back.
        retrace: f64 = 0.5, above_up_to(0.0, 1.0);
        /// Distance of a close beyond the edge, in average true ranges of 14 bars.
        buffer: f64 = 0.1, at_least(0.0);
        /// Bars for which a breakout speaks.
        hold: usize = 20, within(1.0, 10_000.0);
    }
}

const CARD: Card = Card {
    id: "chart_patterns",
    family: "pattern",
    title: "Triangles and flags",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "Ascending, descending and symmetrical triangles and flags found by fixed rules from swings that are already known, and the close that leaves them.",
    formula: "Triangle: least-squares lines through the last swing highs and the last swing lows (two to four each, touches in all, of the last max_bars bars; a swing stands out over pivot bars on either side and is known pivot bars later). With h the distance of the lines at the first swing: no swing is farther than fit · h from its line, no close since leaves the lines by more than fit · h, at least min_bars have passed, and the distance is now between 0.1 h and converge · h. Over the span a line is flat when it moves at most flat · h. Ascending: flat above, rising below; descending: falling above, flat below; symmetrical: falling above, rising below. Flag: a move of at least pole_rise of its start within pole_bars up to its extreme, then flag_min to flag_max bars that retrace at most retrace of it, along a least-squares line of the closes that does not go on with the move by more than flat of it; edges are that line through the outermost high and low. Breakout: a close beyond the edge known the bar before, by buffer · ATR. signal = ±1 in its direction until the target (edge ± h, or ± the pole for a flag) or the stop (the opposite edge of a triangle, the extreme of a flag, at the breakout) is reached, or for hold bars",
    data: "High, low and close, of one scale: a split makes a false pole.",
    cost: "O(bars · (max_bars + flag_max²))",
    fails_when: "Many windows of noise hold a triangle. The lines move with each new swing until the breakout.",
    not_claimed: "That prices leave in the direction of the slope, or reach the target.",
    source: "T. N. Bulkowski, Encyclopedia of Chart Patterns, 2nd ed. (2005), chapters on triangles and flags; A. W. Lo, H. Mamaysky, J. Wang, Foundations of Technical Analysis, Journal of Finance 55 (2000), for mechanical definitions",
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
            "pattern",
            "the one that is forming or broke out: 1 ascending, 2 descending, 3 symmetrical triangle, 4 flag after a rise, 5 flag after a fall; 0 none",
        ),
        (
            "forming",
            "1 while it forms, 0 after the breakout or without a pattern",
        ),
        (
            "from_bar",
            "bar of its first swing, or of the start of the pole",
        ),
        (
            "upper",
            "upper edge at this bar, price units, while it forms",
        ),
        ("lower", "lower edge at this bar, likewise"),
        ("upper_slope", "change of the upper edge a bar"),
        ("lower_slope", "change of the lower edge a bar"),
        ("breakout", "1 or -1 on the bar of a breakout, else 0"),
        ("target", "price units, after a breakout"),
        ("stop", "price units, after a breakout"),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "calculation by hand",
            cases: "a symmetrical and an ascending triangle, a flag and its mirror image",
            tolerance: "1e-9",
        },
        Evidence {
            against: "charts of the bundled symbols",
            cases: "docs/patterns.md, three dated triangles and three dated flags",
            tolerance: "pattern and breakout on the stated dates",
        },
    ],
    presets: &[],
    exemptions: &[],
};

/// A pattern as known at a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shape {
    kind: u8,
    from: usize,
    upper: Line,
    lower: Line,
    /// What a breakout is measured by.
    height: f64,
    /// Lowest low and highest high of a flag, which bound its stop.
    inside: Option<(f64, f64)>,
}

/// The triangle of the swings known at bar `t`, the one of most swings, then the longest.
fn triangle(
    p: &ChartPatternsParams,
    highs: &[Pivot],
    lows: &[Pivot],
    close: &[f64],
    t: usize,
) -> Option<Shape> {
    let recent = |all: &[Pivot]| -> Vec<(usize, f64)> {
        let known = &all[..all.partition_point(|s| s.known <= t)];
        let from = known.len().saturating_sub(4);
        let late = known[from..].iter().filter(|s| s.at + p.max_bars >= t);
        late.map(|s| (s.at, s.price)).collect()
    };
    let (highs, lows) = (recent(highs), recent(lows));
    let mut best: Option<(usize, Shape)> = None;
    for a in 2..=highs.len() {
        for b in 2..=lows.len() {
            if a + b < p.touches {
                continue;
            }
            let (high, low) = (&highs[highs.len() - a..], &lows[lows.len() - b..]);
            let Some(shape) = triangle_of(p, high, low, close, t) else {
                continue;
            };
            let better = best.is_none_or(|(n, old)| (n, old.from) < (a + b, shape.from));
            if better {
                best = Some((a + b, shape));
            }
        }
    }
    best.map(|(_, shape)| shape)
}

fn triangle_of(
    p: &ChartPatternsParams,
    highs: &[(usize, f64)],
    lows: &[(usize, f64)],
    close: &[f64],
    t: usize,
) -> Option<Shape> {
    let (upper, lower) = (line(highs)?, line(lows)?);
    let from = highs.first()?.0.min(lows.first()?.0);
    // Swings of one side only before the first of the other would be a trend, not a triangle.
    let both = highs.first()?.0.max(lows.first()?.0);
    let span = t - from;
    if span < p.min_bars || (both - from) * 2 > span {
        return None;
    }
    let height = upper.at(from) - lower.at(from);
    let now = upper.at(t) - lower.at(t);
    if !(height > 0.0 && now >= 0.1 * height && now <= p.converge * height) {
        return None;
    }
    let slack = p.fit * height;
    let far = |points: &[(usize, f64)], l: &Line| {
        points.iter().any(|(x, y)| (y - l.at(*x)).abs() > slack)
    };
    let out = (from..=t).any(|i| close[i] > upper.at(i) + slack || close[i] < lower.at(i) - slack);
    if far(highs, &upper) || far(lows, &lower) || out {
        return None;
    }
    let moved = |l: &Line| l.slope * span as f64 / height;
    let (above, below) = (moved(&upper), moved(&lower));
    let kind = if above.abs() <= p.flat && below > p.flat {
        1
    } else if above < -p.flat && below.abs() <= p.flat {
        2
    } else if above < -p.flat && below > p.flat {
        3
    } else {
        return None;
    };
    Some(Shape {
        kind,
        from,
        upper,
        lower,
        height,
        inside: None,
    })
}

/// The flag after a rise that is known at bar `t`, the longest one.
fn flag(
    p: &ChartPatternsParams,
    high: &[f64],
    low: &[f64],
    close: &[f64],
    t: usize,
) -> Option<Shape> {
    for bars in (p.flag_min..=p.flag_max).rev() {
        let Some(top) = t.checked_sub(bars).filter(|top| *top >= 1) else {
            continue;
        };
        let begin = top.saturating_sub(p.pole_bars);
        let mut from = begin;
        for i in begin..=top {
            if low[i] < low[from] {
                from = i;
            }
        }
        let (base, pole) = (low[from], high[top] - low[from]);
        // The top is the highest of pole and flag, the base comes before it.
        let peak = (begin..=t).all(|i| i == top || high[i] < high[top]);
        if from == top || !peak || !(pole >= p.pole_rise * base.abs() && pole > 0.0) {
            continue;
        }
        let floor = low[top + 1..=t]
            .iter()
            .copied()
            .fold(f64::INFINITY, f64::min);
        let ceiling = high[top + 1..=t]
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
        if high[top] - floor > p.retrace * pole {
            continue;
        }
        let points: Vec<(usize, f64)> = (top + 1..=t).map(|i| (i, close[i])).collect();
        let Some(middle) = line(&points) else {
            continue;
        };
        if middle.slope * bars as f64 > p.flat * pole {
            continue;
        }
        let offset = |v: &[f64], pick: fn(f64, f64) -> f64, start: f64| {
            (top + 1..=t).fold(start, |o, i| pick(o, v[i] - middle.at(i)))
        };
        let edge = |by: f64| Line {
            start: middle.start + by,
            ..middle
        };
        return Some(Shape {
            kind: 4,
            from,
            upper: edge(offset(high, f64::max, f64::NEG_INFINITY)),
            lower: edge(offset(low, f64::min, f64::INFINITY)),
            height: pole,
            inside: Some((floor, ceiling)),
        });
    }
    None
}

/// The flag after a fall: the flag of the mirrored prices.
fn flag_down(
    p: &ChartPatternsParams,
    [high, low, close]: &[Vec<f64>; 3],
    t: usize,
) -> Option<Shape> {
    let mirror = flag(p, high, low, close, t)?;
    let turned = |l: Line| Line {
        slope: -l.slope,
        start: -l.start,
    };
    Some(Shape {
        kind: 5,
        upper: turned(mirror.lower),
        lower: turned(mirror.upper),
        inside: mirror.inside.map(|(floor, ceiling)| (-ceiling, -floor)),
        ..mirror
    })
}

/// A breakout that still speaks.
#[derive(Debug, Clone, Copy)]
struct Broken {
    at: usize,
    direction: f64,
    shape: Shape,
    target: f64,
    stop: f64,
}

impl Indicator for ChartPatterns {
    type Params = ChartPatternsParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] =
        &["known_bar", "pattern", "forming", "from_bar", "breakout"];

    fn compute(p: &ChartPatternsParams, bars: &Bars) -> Result<Columns, FitError> {
        let (high, low, close) = prices(bars)?;
        if p.flag_min > p.flag_max {
            let reason = format!(
                "{} must be at most flag_max, which is {}",
                p.flag_min, p.flag_max
            );
            return Err(crate::signals::refused("flag_min", reason));
        }
        let range = atr(bars, 14)?;
        let (highs, lows) = (swing_highs(high, p.pivot), swing_lows(low, p.pivot));
        let mirror = [low, high, close].map(negated);
        let mut forming: Option<Shape> = None;
        let mut broken: Option<Broken> = None;
        let mut signal = Column::new();
        let mut columns: [Column; 10] = Default::default();
        for t in 0..bars.len() {
            let Some(atr) = range[t] else {
                signal.push(None);
                columns.iter_mut().for_each(|c| c.push(None));
                continue;
            };
            let mut event = 0.0;
            broken = broken.filter(|b| {
                let done = if b.direction > 0.0 {
                    high[t] >= b.target || close[t] < b.stop
                } else {
                    low[t] <= b.target || close[t] > b.stop
                };
                !done && t - b.at < p.hold
            });
            if let Some(shape) = forming {
                let (above, below) = (shape.upper.at(t), shape.lower.at(t));
                if close[t] > above + p.buffer * atr {
                    event = 1.0;
                } else if close[t] < below - p.buffer * atr {
                    event = -1.0;
                }
                if event != 0.0 {
                    let (edge, far) = if event > 0.0 {
                        (above, below)
                    } else {
                        (below, above)
                    };
                    let stop = match shape.inside {
                        Some((floor, _)) if event > 0.0 => floor,
                        Some((_, ceiling)) => ceiling,
                        None => far,
                    };
                    broken = Some(Broken {
                        at: t,
                        direction: event,
                        shape,
                        target: edge + event * shape.height,
                        stop,
                    });
                    forming = None;
                } else if above <= below {
                    // Past the apex.
                    forming = None;
                }
            }
            if event == 0.0 {
                let found = flag(p, high, low, close, t)
                    .or_else(|| flag_down(p, &mirror, t))
                    .or_else(|| triangle(p, &highs, &lows, close, t));
                let lasts = |s: &Shape| s.kind <= 3 && t - s.from <= p.max_bars;
                forming = found.or(forming.filter(lasts));
            }
            let shown = forming.or(broken.map(|b| b.shape));
            let [
                pattern,
                open,
                from,
                upper,
                lower,
                rise,
                fall,
                breakout,
                target,
                stop,
            ] = &mut columns;
            signal.push(Some(broken.map_or(0.0, |b| b.direction)));
            pattern.push(Some(shown.map_or(0.0, |s| f64::from(s.kind))));
            open.push(Some(crate::signals::flag(forming.is_some())));
            from.push(shown.map(|s| s.from as f64));
            upper.push(forming.map(|s| s.upper.at(t)));
            lower.push(forming.map(|s| s.lower.at(t)));
            rise.push(forming.map(|s| s.upper.slope));
            fall.push(forming.map(|s| s.lower.slope));
            breakout.push(Some(event));
            target.push(broken.map(|b| b.target));
            stop.push(broken.map(|b| b.stop));
        }
        let [
            pattern,
            open,
            from,
            upper,
            lower,
            rise,
            fall,
            breakout,
            target,
            stop,
        ] = columns;
        let mut columns = said(signal);
        columns.extend([
            ("pattern", pattern),
            ("forming", open),
            ("from_bar", from),
            ("upper", upper),
            ("lower", lower),
            ("upper_slope", rise),
            ("lower_slope", fall),
            ("breakout", breakout),
            ("target", target),
            ("stop", stop),
        ]);
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::tests::with;

    fn pivot(at: usize, price: f64) -> Pivot {
        Pivot {
            at,
            known: at + 1,
            price,
        }
    }

    #[test]
    fn triangles_by_hand() {
        let p: ChartPatternsParams = with("{}");
        // Highs 20 18 16 at bars 0 10 20, lows 10 12 at 5 15: lines 20 - 0.2 t and 9 + 0.2 t, 11 apart at
        // bar 0 and 1.4 at bar 24: less than 0.7 · 11 and more than 1.1.
        let highs = [pivot(0, 20.0), pivot(10, 18.0), pivot(20, 16.0)];
        let lows = [pivot(5, 10.0), pivot(15, 12.0)];
        let close = vec![14.5; 30];
        let s = triangle(&p, &highs, &lows, &close, 24).unwrap();
        assert_eq!((s.kind, s.from), (3, 0));
        assert!((s.upper.at(24) - 15.2).abs() < 1e-9 && (s.lower.at(24) - 13.8).abs() < 1e-9);
        assert!((s.height - 11.0).abs() < 1e-9);
        // A flat top makes it ascending.
        let flat = [pivot(0, 20.0), pivot(10, 20.0), pivot(20, 20.0)];
        let steep = [pivot(5, 10.0), pivot(15, 15.0)];
        let close = vec![19.0; 30];
        let s = triangle(&p, &flat, &steep, &close, 22).unwrap();
        assert_eq!(s.kind, 1);
        // Four swings are not five, and a close outside is no triangle.
        assert_eq!(triangle(&p, &flat[1..], &steep, &close, 22), None);
        assert_eq!(triangle(&p, &flat, &steep, &[25.0; 30], 22), None);
    }

    #[test]
    fn flags_by_hand() {
        let p: ChartPatternsParams = with(r#"{"flag_min": 3, "pole_bars": 3}"#);
        // From 10 to 16 in three bars; then closes 15 14.5 14 fall by 0.5 a bar, lows 0.5 below, highs 0.5 above.
        let high = [10.5, 12.0, 14.0, 16.0, 15.5, 15.0, 14.5];
        let low = [10.0, 11.0, 13.0, 15.0, 14.5, 14.0, 13.5];
        let close = [10.2, 12.0, 14.0, 15.8, 15.0, 14.5, 14.0];
        let s = flag(&p, &high, &low, &close, 6).unwrap();
        assert_eq!((s.kind, s.from), (4, 0));
        assert!((s.upper.at(7) - 14.0).abs() < 1e-9 && (s.lower.at(7) - 13.0).abs() < 1e-9);
        assert_eq!((s.height, s.inside), (6.0, Some((13.5, 15.5))));
        let turn = |v: &[f64]| v.iter().map(|v| -v).collect::<Vec<f64>>();
        // The mirror of a fall is a rise: prices 50 - x fall from 40 to 34, 15 % of 40.
        let down = |v: &[f64]| v.iter().map(|v| 50.0 - v).collect::<Vec<f64>>();
        let mirror = [turn(&down(&high)), turn(&down(&low)), turn(&down(&close))];
        let mirror = [mirror[0].clone(), mirror[1].clone(), mirror[2].clone()];
        let s = flag_down(&p, &mirror, 6).unwrap();
        assert_eq!(s.kind, 5);
        assert!((s.lower.at(7) - 36.0).abs() < 1e-9 && (s.upper.at(7) - 37.0).abs() < 1e-9);
        assert_eq!(s.inside, Some((34.5, 36.5)));
        // Giving back more than half of the pole is no flag.
        let deep = [10.0, 11.0, 13.0, 15.0, 14.5, 14.0, 12.5];
        assert_eq!(flag(&p, &high, &deep, &close, 6), None);
    }
}
