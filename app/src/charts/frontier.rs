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

/// Shares whose names are written, at most: more would run into each other.
const NAMED: usize = 24;

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
    for (v, _) in ticks::values(axes.y.0, axes.y.1, 6) {
        let y = axes.at(0.0, v).1;
        let label = format::percent(Some(v), 0);
        let _ = write!(
            svg,
            "<text class=\"yl\" x=\"100%\" y=\"{y:.2}%\" dx=\"6\" dy=\"4\">{label}</text>"
        );
    }
    for (i, (v, _)) in ticks::values(axes.x.0, axes.x.1, 6).into_iter().enumerate() {
        let x = axes.at(v, 0.0).0;
        let minor = if i % 2 == 1 { " minor" } else { "" };
        let label = format::percent(Some(v), 0);
        let _ = write!(
            svg,
            "<text class=\"xl{minor}\" x=\"{x:.2}%\" y=\"100%\" dy=\"16\">{label}</text>"
        );
    }
    for (name, v, r) in &shares {
        let (x, y) = axes.at(*v, *r);
        let _ = write!(
            svg,
            "<circle class=\"fl s0\" cx=\"{x:.2}%\" cy=\"{y:.2}%\" r=\"3\"/>"
        );
        if shares.len() <= NAMED {
            let side = if x > 80.0 { " right" } else { " left" };
            let dx = if x > 80.0 { -6 } else { 6 };
            let _ = write!(
                svg,
                "<text class=\"xl{side} minor\" x=\"{x:.2}%\" y=\"{y:.2}%\" dx=\"{dx}\" dy=\"4\">"
            );
            escape(name, &mut svg);
            svg.push_str("</text>");
        }
    }
    let named = [
        ("least variance", Some(&frontier.min_variance), 2),
        ("largest Sharpe ratio", frontier.max_sharpe.as_ref(), 3),
    ];
    let mut marks: Vec<(&str, f64, f64, u8)> = named
        .into_iter()
        .filter_map(|(name, p, colour)| p.map(|p| (name, p.volatility, p.expected_return, colour)))
        .collect();
    marks.push(("chosen", o.volatility, o.expected_return, 1));
    for (name, v, r, colour) in marks {
        let (x, y) = axes.at(v, r);
        let side = if x > 70.0 { " right" } else { " left" };
        let (dx, dy) = match (colour, x > 70.0) {
            (1, false) => (8, -6),
            (1, true) => (-8, -6),
            (_, false) => (8, 14),
            (_, true) => (-8, 14),
        };
        let _ = write!(
            svg,
            "<circle class=\"fl dot s{colour}\" cx=\"{x:.2}%\" cy=\"{y:.2}%\" r=\"5\"/><text class=\"mw{side}\" x=\"{x:.2}%\" y=\"{y:.2}%\" dx=\"{dx}\" dy=\"{dy}\">{name}</text>"
        );
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
    fn one_value_has_room_around_it() {
        let (low, high) = span([0.2].into_iter());
        assert!(low < 0.2 && high > 0.2);
    }
}
