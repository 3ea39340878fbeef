//! The charts of a walk-forward optimisation: the stitched out-of-sample curve beside the benchmark and
//! beside what was best with hindsight, with its falls.

use super::{LinePlot, Look, Part, Plot, escape};
use crate::error::PageError;
use crate::format;
use crate::server::refuse;
use mltrainer_services::Services;
use mltrainer_types::optimisation::{OptimisationCurve, OverfittingReport};
use std::fmt::Write as _;

/// Name of the stitched curve.
pub const OUT: &str = "Out of sample";

/// Name of what was best over the tests themselves.
pub const IN: &str = "Best with hindsight (in sample)";

/// Name of the benchmark.
pub const HELD: &str = "Benchmark";

/// The stitched curve of an optimisation; nothing before its first window is done.
///
/// # Errors
/// An unknown optimisation; a store that fails.
pub async fn one(services: &Services, id: &str) -> Result<Option<Plot>, PageError> {
    let curve = services.optimisation_curve(id).await;
    Ok(equity(&curve.map_err(|e| refuse(&e))?))
}

fn line(name: &str, colour: u8, values: &[f64]) -> LinePlot {
    LinePlot {
        name: name.to_owned(),
        colour,
        values: values.iter().map(|v| Some(*v)).collect(),
        ..LinePlot::default()
    }
}

/// Falls from the peak in percent.
fn falls(equity: &[f64]) -> Vec<f64> {
    let mut peak = f64::NEG_INFINITY;
    equity
        .iter()
        .map(|v| {
            peak = peak.max(*v);
            100.0 * (v / peak - 1.0)
        })
        .collect()
}

/// The curve as a picture; every other test is set off.
#[must_use]
pub fn equity(c: &OptimisationCurve) -> Option<Plot> {
    if c.dates.is_empty() {
        return None;
    }
    let mut lines = vec![line(HELD, 0, &c.benchmark_equity)];
    if c.in_sample_equity.len() == c.dates.len() {
        lines.push(line(IN, 4, &c.in_sample_equity));
    }
    lines.push(line(OUT, 1, &c.equity));
    let shaded = c.tests.iter().step_by(2).copied().collect();
    Some(Plot {
        title: "Equity out of sample".to_owned(),
        dates: c.dates.clone(),
        panels: vec![
            Part {
                weight: 3.0,
                unit: "equity at the close, currency".to_owned(),
                growth: true,
                lines,
                shaded,
                ..Part::default()
            },
            Part {
                weight: 1.0,
                unit: "fall from the peak, %".to_owned(),
                lines: vec![
                    line(&format!("{HELD}, fall"), 0, &falls(&c.benchmark_equity)),
                    LinePlot {
                        look: Look::Area,
                        ..line(&format!("{OUT}, fall"), 2, &falls(&c.equity))
                    },
                ],
                zero: true,
                ..Part::default()
            },
        ],
        ..Plot::default()
    })
}

/// What cross-validation says, in words.
#[must_use]
pub fn overfitting_words(o: &OverfittingReport) -> String {
    format!(
        "The days of the tests were cut into two halves in {} ways. In {} of them the best of {} on one half was below the median on the other, and in {} it lost money there.",
        format::count(o.splits.into()),
        format::percent(Some(o.probability), 1),
        format::counted(o.candidates.into(), "strategy", "strategies"),
        format::percent(Some(o.loss), 1),
    )
}

/// How often the best of one half lands in each tenth of the ranking on the other half, as a picture:
/// tenths below the median in the colour of losses.
#[must_use]
pub fn ranks(o: &OverfittingReport) -> Option<String> {
    const WIDTH: f64 = 1000.0;
    const HEIGHT: f64 = 1000.0;
    let total: u32 = o.ranks.iter().sum();
    let most = o.ranks.iter().copied().max().filter(|m| *m > 0)?;
    let share = |n: u32| f64::from(n) / f64::from(total);
    let top = 1.12 * share(most);
    let each = WIDTH / o.ranks.len() as f64;
    let mut svg = String::from("<svg class=\"picture\" role=\"img\" aria-label=\"");
    escape(&overfitting_words(o), &mut svg);
    let _ = write!(
        svg,
        "\"><svg class=\"marks\" width=\"100%\" height=\"100%\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\">"
    );
    let ticks = super::ticks::values(0.0, 100.0 * top, 4);
    let y = |share: f64| HEIGHT * (1.0 - share / top);
    for (v, _) in &ticks {
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M0 {:.0}h{WIDTH}\"/>",
            y(v / 100.0)
        );
    }
    for (i, n) in o.ranks.iter().enumerate() {
        let colour = if 2 * i < o.ranks.len() { 2 } else { 1 };
        let (x, top) = (each * (i as f64 + 0.08), y(share(*n)));
        let _ = write!(
            svg,
            "<path class=\"fl s{colour}\" d=\"M{x:.1} {HEIGHT}V{top:.1}h{:.1}V{HEIGHT}z\"/>",
            0.84 * each
        );
    }
    let _ = write!(
        svg,
        "<path class=\"zero\" d=\"M{:.0} 0v{HEIGHT}\"/></svg>",
        WIDTH / 2.0
    );
    for (v, text) in ticks {
        let _ = write!(
            svg,
            "<text class=\"yl\" x=\"100%\" y=\"{:.2}%\" dx=\"6\" dy=\"4\">{text} %</text>",
            y(v / 100.0) / HEIGHT * 100.0
        );
    }
    for (x, anchor, text) in [
        (0.0, " left", "worst"),
        (50.0, "", "median"),
        (100.0, " right", "best"),
    ] {
        let _ = write!(
            svg,
            "<text class=\"xl{anchor}\" x=\"{x}%\" y=\"100%\" dy=\"16\">{text}</text>"
        );
    }
    svg.push_str("<text class=\"ul\" x=\"0\" y=\"0%\" dx=\"2\" dy=\"12\">share of the ways, by rank on the other half</text></svg>");
    Some(svg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;

    #[test]
    fn the_ranks_are_bars_that_stand_alone() {
        let o = OverfittingReport {
            candidates: 40,
            splits: 12_870,
            probability: 0.25,
            loss: 0.1,
            slope: Some(-0.2),
            ranks: vec![10, 20, 30, 40, 50, 60, 70, 80, 90, 100],
        };
        let svg = ranks(&o).unwrap();
        assert!(!svg.contains("style=") && !svg.contains("NaN"));
        assert_eq!(svg.matches("<svg").count(), svg.matches("</svg>").count());
        assert_eq!(svg.matches("class=\"fl s2\"").count(), 5);
        assert_eq!(svg.matches("class=\"fl s1\"").count(), 5);
        let words = overfitting_words(&o);
        assert!(
            words.contains("12,870") && words.contains("25.0"),
            "{words}"
        );
        let none = OverfittingReport {
            ranks: vec![0; 10],
            ..o
        };
        assert_eq!(ranks(&none), None);
    }

    #[test]
    fn the_curve_is_drawn_beside_what_it_is_measured_by() {
        let day = |d| NaiveDate::from_ymd_opt(2010, 1, d).unwrap();
        let mut curve = OptimisationCurve {
            dates: vec![day(4), day(5), day(6)],
            equity: vec![100.0, 110.0, 99.0],
            benchmark_equity: vec![100.0, 90.0, 95.0],
            in_sample_equity: Vec::new(),
            tests: vec![(day(5), day(5)), (day(6), day(6))],
        };
        let plot = equity(&curve).unwrap();
        assert_eq!(plot.panels[0].lines.len(), 2);
        assert_eq!(plot.panels[0].shaded, [(day(5), day(5))]);
        // From 110 to 99 is a tenth.
        let fall = plot.panels[1].lines[1].values[2].unwrap();
        assert!((fall + 10.0).abs() < 1e-9, "{fall}");
        curve.in_sample_equity = vec![100.0, 120.0, 130.0];
        let plot = equity(&curve).unwrap();
        let names: Vec<&str> = plot.panels[0]
            .lines
            .iter()
            .map(|l| l.name.as_str())
            .collect();
        assert_eq!(names, [HELD, IN, OUT]);
        assert!(plot.draw(None, None).is_ok());
        assert!(equity(&OptimisationCurve::default()).is_none());
    }
}
