//! The efficient frontier: volatility to the right, expected return upwards, with the shares, the points that are
//! named and the portfolio that was chosen. Drawn like the other pictures: marks have classes, places are in percent.

use super::{escape, ticks};
use crate::format;
use mltrainer_types::portfolio::{FrontierPoint, Optimised};
use std::fmt::Write as _;

/// Units of the curve's own coordinates.
const SIZE: f64 = 1000.0;

/// Room above and below what is drawn, a share of its span.
const MARGIN: f64 = 0.06;

/// Percent of the picture that a sign of a name takes in width, and a name in height, on the narrowest screen that
/// shows it.
const SIGN: (f64, f64) = (2.0, 6.0);

/// The smallest and largest of values, with room around them.
fn span(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
        (l.min(v), h.max(v))
    });
    let room = ((high - low) * MARGIN).max(1e-4);
    (low - room, high + room)
}

/// Axes of the picture, in percent of its sides.
#[derive(Debug, Clone, Copy)]
struct Axes {
    x: (f64, f64),
    y: (f64, f64),
}

impl Axes {
    fn at(&self, volatility: f64, expected: f64) -> (f64, f64) {
        let share = |v: f64, (low, high): (f64, f64)| (v - low) / (high - low);
        (
            100.0 * share(volatility, self.x),
            100.0 * (1.0 - share(expected, self.y)),
        )
    }
}

/// Ticks of a side in percent, with as many digits as tell them apart.
fn percents((low, high): (f64, f64)) -> Vec<(f64, String)> {
    let ticks = ticks::values(100.0 * low, 100.0 * high, 6).into_iter();
    ticks.map(|(v, l)| (v / 100.0, format!("{l} %"))).collect()
}

/// Names beside dots, so that none runs into another.
#[derive(Debug, Default)]
struct Names {
    /// Left, top, right, bottom in percent.
    taken: Vec<[f64; 4]>,
}

impl Names {
    /// Side, and shift in pixels, of the name of a dot; none where there is no room.
    fn place(&mut self, name: &str, (x, y): (f64, f64)) -> Option<(&'static str, i32, i32)> {
        let width = name.chars().count() as f64 * SIGN.0;
        // Beside the dot, then below it, then above.
        for dy in [4, 24, -16] {
            let middle = y + f64::from(dy - 4) * 0.35;
            for (side, dx, left) in [("left", 8, x + 2.0), ("right", -8, x - 2.0 - width)] {
                let own = [
                    left,
                    middle - SIGN.1 / 2.0,
                    left + width,
                    middle + SIGN.1 / 2.0,
                ];
                let inside = left >= 0.0 && left + width <= 100.0;
                let free = |t: &[f64; 4]| {
                    own[0] >= t[2] || own[2] <= t[0] || own[1] >= t[3] || own[3] <= t[1]
                };
                if inside && self.taken.iter().all(free) {
                    self.taken.push(own);
                    return Some((side, dx, dy));
                }
            }
        }
        None
    }
}

/// What the picture shows, in one sentence.
#[must_use]
pub fn summary(o: &Optimised) -> Option<String> {
    let points = &o.frontier.as_ref()?.points;
    let (first, last) = (points.first()?, points.last()?);
    let words = |p: &FrontierPoint| {
        format!(
            "{} expected return with {} volatility",
            format::percent(Some(p.expected_return), 1),
            format::percent(Some(p.volatility), 1)
        )
    };
    Some(format!(
        "The efficient frontier goes from {} to {}. The chosen portfolio has {} with {}.",
        words(first),
        words(last),
        format::percent(Some(o.expected_return), 1),
        format::percent(Some(o.volatility), 1)
    ))
}

/// The picture; none without a frontier.
#[must_use]
pub fn picture(o: &Optimised) -> Option<String> {
    let frontier = o.frontier.as_ref()?;
    let said = summary(o)?;
    let shares: Vec<(&str, f64, f64)> = o
        .weights
        .iter()
        .filter_map(|w| Some((w.symbol.as_str(), w.volatility?, w.expected_return?)))
        .collect();
    let curve = frontier
        .points
        .iter()
        .map(|p| (p.volatility, p.expected_return));
    let all: Vec<(f64, f64)> = curve
        .clone()
        .chain(shares.iter().map(|s| (s.1, s.2)))
        .chain([(o.volatility, o.expected_return)])
        .collect();
    let axes = Axes {
        x: span(all.iter().map(|p| p.0)),
        y: span(all.iter().map(|p| p.1)),
    };
    let mut svg = String::from("<svg class=\"picture\" role=\"img\" aria-label=\"");
    escape(&said, &mut svg);
    let _ = write!(
        svg,
        "\"><svg class=\"marks\" width=\"100%\" height=\"100%\" viewBox=\"0 0 {SIZE} {SIZE}\" preserveAspectRatio=\"none\">"
    );
    for (v, _) in ticks::values(axes.y.0, axes.y.1, 6) {
        let y = axes.at(0.0, v).1 / 100.0 * SIZE;
        let _ = write!(svg, "<path class=\"grid\" d=\"M0 {y:.1}H{SIZE}\"/>");
    }
    for (v, _) in ticks::values(axes.x.0, axes.x.1, 6) {
        let x = axes.at(v, 0.0).0 / 100.0 * SIZE;
        let _ = write!(svg, "<path class=\"grid\" d=\"M{x:.1} 0V{SIZE}\"/>");
    }
    svg.push_str("<path class=\"ln s1\" d=\"");
    for (i, (v, r)) in curve.enumerate() {
        let (x, y) = axes.at(v, r);
        let letter = if i == 0 { 'M' } else { 'L' };
        let _ = write!(
            svg,
            "{letter}{:.1} {:.1}",
            x / 100.0 * SIZE,
            y / 100.0 * SIZE
        );
    }
    svg.push_str("\"/></svg>");
    for (v, label) in percents(axes.y) {
        let y = axes.at(0.0, v).1;
        let _ = write!(
            svg,
            "<text class=\"yl\" x=\"100%\" y=\"{y:.2}%\" dx=\"6\" dy=\"4\">{label}</text>"
        );
    }
    for (i, (v, label)) in percents(axes.x).into_iter().enumerate() {
        let x = axes.at(v, 0.0).0;
        let minor = if i % 2 == 1 { " minor" } else { "" };
        let _ = write!(
            svg,
            "<text class=\"xl{minor}\" x=\"{x:.2}%\" y=\"100%\" dy=\"16\">{label}</text>"
        );
    }
    let mut names = Names::default();
    let named = [
        ("largest Sharpe ratio", frontier.max_sharpe.as_ref(), 3),
        ("least variance", Some(&frontier.min_variance), 2),
    ];
    let mut marks = vec![("chosen", o.volatility, o.expected_return, 1)];
    for (name, point, colour) in named {
        let Some(p) = point else { continue };
        // The chosen portfolio is often one of the two: one dot then, with both names.
        let same = |v: f64, r: f64| {
            (v - p.volatility).abs() < 1e-6 && (r - p.expected_return).abs() < 1e-6
        };
        match marks.first_mut() {
            Some(chosen) if same(chosen.1, chosen.2) => {
                chosen.0 = match name {
                    "least variance" => "chosen: least variance",
                    _ => "chosen: largest Sharpe ratio",
                };
            }
            _ => marks.push((name, p.volatility, p.expected_return, colour)),
        }
    }
    let mut places = Vec::new();
    for (name, v, r, _) in &marks {
        places.push(names.place(name, axes.at(*v, *r)));
    }
    for (name, v, r) in &shares {
        let (x, y) = axes.at(*v, *r);
        let _ = write!(
            svg,
            "<circle class=\"fl s0\" cx=\"{x:.2}%\" cy=\"{y:.2}%\" r=\"3\"/>"
        );
        // A name that would run into another is left out: the table of shares has them all.
        if let Some((side, dx, dy)) = names.place(name, (x, y)) {
            let _ = write!(
                svg,
                "<text class=\"xl {side} minor\" x=\"{x:.2}%\" y=\"{y:.2}%\" dx=\"{dx}\" dy=\"{dy}\">"
            );
            escape(name, &mut svg);
            svg.push_str("</text>");
        }
    }
    for ((name, v, r, colour), place) in marks.into_iter().zip(places).rev() {
        let (x, y) = axes.at(v, r);
        let _ = write!(
            svg,
            "<circle class=\"fl dot s{colour}\" cx=\"{x:.2}%\" cy=\"{y:.2}%\" r=\"5\"/>"
        );
        if let Some((side, dx, dy)) = place {
            let _ = write!(
                svg,
                "<text class=\"mw {side}\" x=\"{x:.2}%\" y=\"{y:.2}%\" dx=\"{dx}\" dy=\"{dy}\">{name}</text>"
            );
        }
    }
    svg.push_str("<text class=\"ul\" x=\"0\" y=\"0\" dx=\"2\" dy=\"12\">expected return / volatility, a year</text></svg>");
    Some(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_percent() {
        let axes = Axes {
            x: (0.1, 0.3),
            y: (0.0, 0.2),
        };
        let near =
            |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).abs() < 1e-9 && (a.1 - b.1).abs() < 1e-9;
        assert!(near(axes.at(0.1, 0.0), (0.0, 100.0)));
        assert!(near(axes.at(0.3, 0.2), (100.0, 0.0)));
        assert!(near(axes.at(0.15, 0.05), (25.0, 75.0)));
    }

    #[test]
    fn names_do_not_run_into_each_other() {
        let mut names = Names::default();
        assert_eq!(names.place("one", (50.0, 50.0)), Some(("left", 8, 4)));
        // The same dot again: on the other side, then below and above, and then there is no room.
        assert_eq!(names.place("two", (50.0, 50.0)), Some(("right", -8, 4)));
        assert_eq!(names.place("three", (50.0, 50.0)).map(|p| p.2), Some(24));
        for _ in 0..20 {
            names.place("four", (50.0, 50.0));
        }
        assert_eq!(names.place("five", (50.0, 50.0)), None);
        // Nothing is written over the edge.
        assert_eq!(
            names.place("at the edge", (99.0, 10.0)),
            Some(("right", -8, 4))
        );
    }

    #[test]
    fn ticks_can_be_told_apart() {
        let labels: Vec<String> = percents((0.118, 0.142)).into_iter().map(|t| t.1).collect();
        let mut once = labels.clone();
        once.dedup();
        assert_eq!(labels, once);
        assert!(labels.len() > 2);
    }

    #[test]
    fn one_value_has_room_around_it() {
        let (low, high) = span([0.2].into_iter());
        assert!(low < 0.2 && high > 0.2);
    }
}
