//! Drawing charts on the server with plotters. A [`Plot`] says what is to be seen; [`Plot::draw`]
//! gives the picture of a span of days with its frame. Marks carry classes, labels are placed in
//! percent, so one picture serves every width and both themes.

pub mod analytics;
mod backend;
pub mod backtest;
pub mod frontier;
pub mod optimisation;
mod ticks;
pub mod trial;

use crate::drawing::{Column, Drawing, Frame, Key, Note, Panel};
use crate::error::PageError;
use crate::format;
use crate::server::refuse;
use backend::{Ink, Marks};
use chrono::{Datelike, NaiveDate};
use mltrainer_services::Services;
use mltrainer_types::data::{Bar, DatasetKind};
use plotters::chart::ChartBuilder;
use plotters::drawing::IntoDrawingArea;
use plotters::element::{PathElement, Polygon, Rectangle};
use plotters::series::LineSeries;
use plotters::style::Color;
use std::fmt::Write;

/// The style inside every picture that is a file of its own.
pub const STYLE: &str = include_str!("file.css");

/// Units of the picture's own coordinates: finer than any screen's pixels.
const WIDTH: u32 = 4000;
const HEIGHT: u32 = 2000;
/// Above so many days a line is drawn through the lowest and the highest of each bucket.
const FINE: usize = 700;
/// Rows of the columns beside a picture, at most.
const ROWS: usize = 360;
/// Candles are drawn up to so many days; more are a line. Bars of volume likewise.
const CANDLES: usize = 160;
/// Up to so many marks in a picture carry their word; more are signs alone.
const WORDED: usize = 40;
/// Marks in a picture, at most, and notes beside it: of very many the latest.
const MARKS: usize = 400;
/// A level that moves by more than this share from one bar to the next is another level.
const OTHER_LEVEL: f64 = 0.015;

/// What is to be drawn.
#[derive(Debug, Clone, Default)]
pub struct Plot {
    /// Title, also the accessible name.
    pub title: String,
    /// Days, ascending.
    pub dates: Vec<NaiveDate>,
    /// Parts, top to bottom.
    pub panels: Vec<Part>,
    /// What the legend switches; without any, each line is switched by its colour.
    pub keys: Vec<Key>,
    /// What held on spans of days, read out with the values.
    pub notes: Vec<Note>,
    /// Columns that are read out and not drawn, with the part they belong to.
    pub unseen: Vec<(u8, LinePlot)>,
}

/// A part of a plot with its own vertical axis.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// Share of the height, relative to the other parts.
    pub weight: f64,
    /// What the axis shows.
    pub unit: String,
    /// Lines, drawn in this order.
    pub lines: Vec<LinePlot>,
    /// Open, high, low and close a day, in place of the first line when few days are shown.
    pub candles: Vec<Option<[f64; 4]>>,
    /// Whether the line at zero belongs to the picture.
    pub zero: bool,
    /// Whether it shows money that grows by factors: its lines stand on a scale of logarithms when all of
    /// them are above zero and one at least doubles what another shows.
    pub growth: bool,
    /// Spans that are set off: the test windows.
    pub shaded: Vec<(NaiveDate, NaiveDate)>,
    /// Spans in which a state held.
    pub bands: Vec<BandPlot>,
    /// Marks at single days.
    pub marks: Vec<MarkPlot>,
    /// Lines from one day to another.
    pub segments: Vec<SegmentPlot>,
    /// Smallest and largest value of the axis, where they are known beforehand.
    pub range: Option<(f64, f64)>,
    /// Which of the legend's switches hides the candles; 0: that of the first colour.
    pub key: u8,
}

/// A span in which a state held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BandPlot {
    /// First day.
    pub first: NaiveDate,
    /// Last day.
    pub last: NaiveDate,
    /// Colour, 0 to 7.
    pub colour: u8,
    /// Which of the legend's switches hides it.
    pub key: u8,
}

/// A mark at a day, above or below what is drawn there.
#[derive(Debug, Clone, PartialEq)]
pub struct MarkPlot {
    /// Day.
    pub date: NaiveDate,
    /// The value that it stands at.
    pub at: f64,
    /// It points up and stands below.
    pub up: bool,
    /// What it says.
    pub word: String,
    /// Colour, 0 to 7.
    pub colour: u8,
    /// Which of the legend's switches hides it.
    pub key: u8,
}

/// A line from one day to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SegmentPlot {
    /// Day and value at which it begins.
    pub from: (NaiveDate, f64),
    /// Day and value at which it ends.
    pub to: (NaiveDate, f64),
    /// Colour, 0 to 7.
    pub colour: u8,
    /// Which of the legend's switches hides it.
    pub key: u8,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Look {
    /// A line.
    #[default]
    Line,
    /// Filled down to the lower edge; bars when few days are shown.
    Filled,
    /// Filled up or down from zero; bars when few days are shown.
    Area,
    /// Dashed, apart where it jumps.
    Level,
}

/// A line of a part.
#[derive(Debug, Clone, Default)]
pub struct LinePlot {
    /// Name in the legend.
    pub name: String,
    /// Colour, 0 to 7; 0 is the muted one.
    pub colour: u8,
    /// One value a day of the plot.
    pub values: Vec<Option<f64>>,
    /// How it is drawn.
    pub look: Look,
    /// Which of the legend's switches hides it; 0: that of its colour.
    pub key: u8,
}

/// A day as a number, counted from 0001-01-01.
#[must_use]
pub fn day_number(date: NaiveDate) -> i32 {
    date.num_days_from_ce()
}

/// The day of a number.
#[must_use]
pub fn date_of(day: i32) -> Option<NaiveDate> {
    NaiveDate::from_num_days_from_ce_opt(day)
}

/// Why there is no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DrawError {
    /// Nothing to draw in the span.
    #[error("there are no days to draw between {0} and {1}; choose another span")]
    Empty(String, String),
    /// The drawing library refused.
    #[error("the chart could not be drawn")]
    Refused,
}

impl Plot {
    /// Draws the days of a span, all of them when it is open.
    ///
    /// # Errors
    /// When the span holds no day.
    pub fn draw(
        &self,
        from: Option<NaiveDate>,
        to: Option<NaiveDate>,
    ) -> Result<Drawing, DrawError> {
        let start = from.map_or(0, |d| self.dates.partition_point(|x| *x < d));
        let end = to.map_or(self.dates.len(), |d| {
            self.dates.partition_point(|x| *x <= d)
        });
        let text = |d: Option<NaiveDate>, otherwise: &str| {
            d.map_or_else(|| otherwise.to_owned(), format::day)
        };
        let empty = || DrawError::Empty(text(from, "the beginning"), text(to, "the end"));
        let dates = self
            .dates
            .get(start..end)
            .filter(|d| !d.is_empty())
            .ok_or_else(empty)?;
        let (Some(&first), Some(&last), Some(&whole_first), Some(&whole_last)) = (
            dates.first(),
            dates.last(),
            self.dates.first(),
            self.dates.last(),
        ) else {
            return Err(empty());
        };
        let view = View {
            start,
            end,
            days: dates.iter().map(|d| day_number(*d)).collect(),
        };
        let panels = self.frames(&view);
        let mut svg = String::with_capacity(32 * 1024);
        let _ = write!(svg, "<svg class=\"picture\" role=\"img\" aria-label=\"");
        escape(&self.title, &mut svg);
        svg.push_str("\">");
        let _ = write!(
            svg,
            "<svg class=\"marks\" width=\"100%\" height=\"100%\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\">"
        );
        self.marks(&mut svg, &view, &panels)
            .map_err(|_| DrawError::Refused)?;
        svg.push_str("</svg>");
        labels(&mut svg, &panels, first, last);
        self.signs(&mut svg, &panels, first, last);
        svg.push_str("</svg>");

        let stride = dates.len().div_ceil(ROWS).max(1);
        let rows: Vec<usize> = (start..end)
            .rev()
            .step_by(stride)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        let columns = self
            .panels
            .iter()
            .enumerate()
            .flat_map(|(p, part)| {
                let p = u8::try_from(p).unwrap_or(u8::MAX);
                part.lines.iter().map(move |line| (p, line, false))
            })
            .chain(self.unseen.iter().map(|(p, line)| (*p, line, true)))
            .map(|(p, line, unseen)| Column {
                name: line.name.clone(),
                colour: line.colour,
                panel: p,
                key: line.key,
                unseen,
                values: rows
                    .iter()
                    .map(|i| line.values.get(*i).copied().flatten().map(rounded))
                    .collect(),
            })
            .collect();
        let frame = Frame {
            title: self.title.clone(),
            summary: self.summary(&view, first, last),
            first: day_number(first),
            last: day_number(last),
            whole_first: day_number(whole_first),
            whole_last: day_number(whole_last),
            panels,
            days: rows.iter().map(|i| day_number(self.dates[*i])).collect(),
            columns,
            stride: u32::try_from(stride).unwrap_or(u32::MAX),
            keys: self.keys.clone(),
            notes: self.notes_within(day_number(first), day_number(last)),
        };
        Ok(Drawing { svg, frame })
    }

    /// A height for a picture whose first two parts take the first number and every further one the
    /// second.
    #[must_use]
    pub fn height(&self, first: u32, each: u32) -> u32 {
        let more = self.panels.len().saturating_sub(2);
        first + each * u32::try_from(more).unwrap_or(0)
    }

    /// The same as a file of its own, with the light colours inside.
    ///
    /// # Errors
    /// When the span holds no day.
    pub fn file(
        &self,
        from: Option<NaiveDate>,
        to: Option<NaiveDate>,
        width: u32,
        height: u32,
    ) -> Result<String, DrawError> {
        let Drawing { svg, frame } = self.draw(from, to)?;
        let mut out = String::with_capacity(svg.len() + 4096);
        let _ = write!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\"><title>"
        );
        escape(&frame.title, &mut out);
        out.push_str("</title><desc>");
        escape(&frame.summary, &mut out);
        out.push_str("</desc><style>");
        out.push_str(STYLE);
        let _ = write!(
            out,
            "</style><rect class=\"paper\" width=\"{width}\" height=\"{height}\"/><text class=\"title\" x=\"12\" y=\"22\">"
        );
        escape(&frame.title, &mut out);
        out.push_str("</text>");
        let mut x = 12;
        let mut seen: Vec<&str> = Vec::new();
        for column in frame.columns.iter().filter(|c| !c.unseen) {
            if seen.contains(&column.name.as_str()) {
                continue;
            }
            seen.push(&column.name);
            let _ = write!(
                out,
                "<path class=\"ln s{}\" d=\"M{x} 37h14\"/><text class=\"key\" x=\"{}\" y=\"41\">",
                column.colour,
                x + 18
            );
            escape(&column.name, &mut out);
            out.push_str("</text>");
            // Seven units a letter is wide enough for the font sizes of the style.
            x += 34 + 7 * i32::try_from(column.name.chars().count()).unwrap_or(0);
        }
        let _ = write!(
            out,
            "<svg x=\"12\" y=\"52\" width=\"{}\" height=\"{}\" overflow=\"visible\">",
            width.saturating_sub(84).max(40),
            height.saturating_sub(80).max(40),
        );
        out.push_str(&svg);
        out.push_str("</svg></svg>");
        Ok(out)
    }

    /// The notes of a span, cut to it.
    fn notes_within(&self, first: i32, last: i32) -> Vec<Note> {
        let inside = |n: &&Note| n.first <= last && first <= n.last;
        let notes: Vec<Note> = self
            .notes
            .iter()
            .filter(inside)
            .map(|n| Note {
                first: n.first.max(first),
                last: n.last.min(last),
                ..n.clone()
            })
            .collect();
        let from = notes.len().saturating_sub(MARKS);
        notes.into_iter().skip(from).collect()
    }

    fn frames(&self, view: &View) -> Vec<Panel> {
        let total: f64 = self.panels.iter().map(|p| p.weight).sum();
        // About the same space between two parts however high the whole is.
        let gap = 0.05_f64.min(0.16 / self.panels.len().max(1) as f64);
        let free = 1.0 - gap * (self.panels.len().saturating_sub(1)) as f64;
        let mut top = 0.0;
        self.panels
            .iter()
            .map(|part| {
                let bottom = (top + free * part.weight / total).min(1.0);
                let (low, high, log) = part.range(view);
                let scale = if log { ", logarithmic scale" } else { "" };
                let panel = Panel {
                    top,
                    bottom,
                    low,
                    high,
                    unit: format!("{}{scale}", part.unit),
                    log,
                };
                top = bottom + gap;
                panel
            })
            .collect()
    }

    fn marks(
        &self,
        out: &mut String,
        view: &View,
        panels: &[Panel],
    ) -> Result<(), Box<dyn std::error::Error>> {
        let root = Marks {
            out,
            size: (WIDTH, HEIGHT),
        }
        .into_drawing_area();
        let (first, last) = view.edges();
        for (part, panel) in self.panels.iter().zip(panels) {
            // Shares of the height are within 0 and 1.
            let y = |share: f64| (share * f64::from(HEIGHT)).round() as u32;
            let area = root
                .clone()
                .shrink((0, y(panel.top)), (WIDTH, y(panel.bottom) - y(panel.top)));
            // The heights of a scale of logarithms are worked out here.
            let (low, high) = if panel.log {
                (0.0, 1.0)
            } else {
                (panel.low, panel.high)
            };
            let at = |v: f64| if panel.log { panel.share(v) } else { v };
            let mut chart = ChartBuilder::on(&area).build_cartesian_2d(first..last, low..high)?;
            for (a, b) in &part.shaded {
                let (a, b) = (
                    f64::from(day_number(*a)).max(first),
                    f64::from(day_number(*b)).min(last),
                );
                if a < b {
                    chart.draw_series([Rectangle::new(
                        [(a, low), (b, high)],
                        Ink::Shade.colour().filled(),
                    )])?;
                }
            }
            for band in &part.bands {
                // A band reaches to the middle between its days and those beside them.
                let (a, b) = (
                    (f64::from(day_number(band.first)) - 0.5).max(first),
                    (f64::from(day_number(band.last)) + 0.5).min(last),
                );
                if a < b {
                    chart.draw_series([Rectangle::new(
                        [(a, low), (b, high)],
                        Ink::Band(band.colour, band.key).colour().filled(),
                    )])?;
                }
            }
            for (v, _) in panel.ticks() {
                chart.draw_series([PathElement::new(
                    vec![(first, at(v)), (last, at(v))],
                    Ink::Grid.colour(),
                )])?;
            }
            if part.zero && panel.low < 0.0 && panel.high > 0.0 {
                chart.draw_series([PathElement::new(
                    vec![(first, 0.0), (last, 0.0)],
                    Ink::Zero.colour(),
                )])?;
            }
            let few = view.days.len() <= CANDLES;
            let half = 0.36 * (last - first) / view.days.len().max(1) as f64;
            let candles = !part.candles.is_empty() && few;
            for line in part.lines.iter().skip(usize::from(candles)) {
                let base = match line.look {
                    Look::Filled => Some(panel.low),
                    Look::Area => Some(0.0_f64.clamp(panel.low, panel.high)),
                    Look::Line | Look::Level => None,
                };
                let ink = Ink::Fill(line.colour, line.key).colour().filled();
                for mut run in view.runs(&line.values, line.look == Look::Level) {
                    for point in &mut run {
                        point.1 = at(point.1);
                    }
                    match base {
                        Some(base) if few => {
                            let there = run.into_iter().filter(|p| p.1 != base);
                            chart.draw_series(there.map(|(x, v)| {
                                Rectangle::new([(x - half, base), (x + half, v)], ink)
                            }))?;
                        }
                        Some(base) => {
                            let mut outline = run.clone();
                            if let (Some(a), Some(b)) = (run.first(), run.last()) {
                                outline.push((b.0, base));
                                outline.push((a.0, base));
                            }
                            chart.draw_series([Polygon::new(outline, ink)])?;
                        }
                        None => {
                            let ink = match line.look {
                                Look::Level => Ink::Level(line.colour, line.key),
                                _ => Ink::Line(line.colour, line.key),
                            };
                            chart.draw_series(LineSeries::new(run, ink.colour()))?;
                        }
                    }
                }
            }
            for segment in &part.segments {
                let at = |(day, v): (NaiveDate, f64)| (f64::from(day_number(day)), v);
                let (a, b) = (at(segment.from), at(segment.to));
                // One that reaches out of the picture is cut at its edge.
                let slope = (b.1 - a.1) / (b.0 - a.0).max(1.0);
                let cut = |p: (f64, f64)| {
                    let x = p.0.clamp(first, last);
                    (x, p.1 + slope * (x - p.0))
                };
                if a.0 < last && b.0 > first {
                    let ink = Ink::Line(segment.colour, segment.key).colour();
                    chart.draw_series([PathElement::new(vec![cut(a), cut(b)], ink)])?;
                }
            }
            if candles {
                for (day, bar) in view.days.iter().zip(&part.candles[view.start..view.end]) {
                    let Some([open, high, low, close]) = bar else {
                        continue;
                    };
                    let x = f64::from(*day);
                    let ink = if close >= open {
                        Ink::Up(part.key)
                    } else {
                        Ink::Down(part.key)
                    };
                    chart.draw_series([PathElement::new(
                        vec![(x, *low), (x, open.min(*close))],
                        ink.colour(),
                    )])?;
                    chart.draw_series([PathElement::new(
                        vec![(x, open.max(*close)), (x, *high)],
                        ink.colour(),
                    )])?;
                    chart.draw_series([Rectangle::new(
                        [(x - half, *open), (x + half, *close)],
                        ink.colour().filled(),
                    )])?;
                }
            }
        }
        Ok(())
    }

    /// The marks of the span: a sign each, and its word where there is room.
    fn signs(&self, svg: &mut String, panels: &[Panel], first: NaiveDate, last: NaiveDate) {
        let width = f64::from(day_number(last).max(day_number(first) + 1) - day_number(first));
        for (part, panel) in self.panels.iter().zip(panels) {
            let inside = |m: &&MarkPlot| (first..=last).contains(&m.date);
            let marks: Vec<&MarkPlot> = part.marks.iter().filter(inside).collect();
            let from = marks.len().saturating_sub(MARKS);
            let marks = marks.get(from..).unwrap_or_default();
            let mut room = Room::default();
            for mark in marks {
                let x = f64::from(day_number(mark.date) - day_number(first)) / width * 100.0;
                let share = panel.share(mark.at);
                let y = panel.bottom - share.clamp(0.0, 1.0) * (panel.bottom - panel.top);
                let (sign, dy) = if mark.up { ("▲", 13) } else { ("▼", -5) };
                let class = format!("mk s{} k{}", mark.colour, mark.key);
                let _ = write!(
                    svg,
                    "<text class=\"{class}\" x=\"{x:.2}%\" y=\"{:.2}%\" dy=\"{dy}\">{sign}</text>",
                    y * 100.0
                );
                let place = (marks.len() <= WORDED).then(|| room.take(x, mark.up, &mark.word));
                if let Some(size) = place.flatten() {
                    let anchor = match x {
                        x if x < 10.0 => " left",
                        x if x > 90.0 => " right",
                        _ => "",
                    };
                    let dy = if mark.up { dy + 13 } else { dy - 12 };
                    let _ = write!(
                        svg,
                        "<text class=\"mw{size}{anchor} k{}\" x=\"{x:.2}%\" y=\"{:.2}%\" dy=\"{dy}\">",
                        mark.key,
                        y * 100.0
                    );
                    escape(&mark.word, svg);
                    svg.push_str("</text>");
                }
            }
        }
    }

    /// What a person who does not see the picture should know of it.
    fn summary(&self, view: &View, first: NaiveDate, last: NaiveDate) -> String {
        let mut text = format!("{} to {}.", format::day(first), format::day(last));
        for line in self.panels.iter().flat_map(|p| &p.lines) {
            let shown = || {
                (view.start..view.end)
                    .filter_map(|i| line.values.get(i).copied().flatten().map(|v| (i, v)))
            };
            let (Some((_, begin)), Some((_, end))) = (shown().next(), shown().next_back()) else {
                continue;
            };
            let low = shown().min_by(|a, b| a.1.total_cmp(&b.1));
            let high = shown().max_by(|a, b| a.1.total_cmp(&b.1));
            if let (Some((i, low)), Some((k, high))) = (low, high) {
                let decimals = format::column_decimals(shown().map(|(_, v)| v));
                let f = |v| format::decimal(v, decimals);
                let _ = write!(
                    text,
                    " {}: from {} to {}, lowest {} on {}, highest {} on {}.",
                    line.name,
                    f(begin),
                    f(end),
                    f(low),
                    format::day(self.dates[i]),
                    f(high),
                    format::day(self.dates[k]),
                );
            }
        }
        text
    }
}

impl Part {
    /// Lower and upper edge, and whether the scale is one of logarithms.
    fn range(&self, view: &View) -> (f64, f64, bool) {
        if let Some((low, high)) = self.range {
            return (low, high, false);
        }
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let mut see = |v: f64| {
            if v.is_finite() {
                low = low.min(v);
                high = high.max(v);
            }
        };
        for line in &self.lines {
            for v in line.values.iter().take(view.end).skip(view.start).flatten() {
                see(*v);
            }
            if matches!(line.look, Look::Filled | Look::Area) {
                see(0.0);
            }
        }
        if view.days.len() <= CANDLES {
            for bar in self
                .candles
                .iter()
                .take(view.end)
                .skip(view.start)
                .flatten()
            {
                see(bar[1]);
                see(bar[2]);
            }
        }
        if self.zero {
            see(0.0);
        }
        if !low.is_finite() {
            return (0.0, 1.0, false);
        }
        if self.growth && low > 0.0 && high >= 2.0 * low {
            let room = (high / low).powf(0.06);
            return (low / room, high * room, true);
        }
        // Signs and words stand above and below what they mark.
        let share = if self.marks.is_empty() { 0.06 } else { 0.12 };
        let room = if high > low {
            (high - low) * share
        } else {
            high.abs().max(1.0) * 0.05
        };
        let floor = if self.lines.iter().any(|l| l.look == Look::Filled) {
            low
        } else {
            low - room
        };
        (floor, high + room, false)
    }
}

impl Panel {
    /// Its ticks, about as many as its height bears, with their labels.
    fn ticks(&self) -> Vec<(f64, String)> {
        let about = if self.bottom - self.top > 0.3 { 5 } else { 2 };
        if self.log {
            ticks::factors(self.low, self.high, about)
        } else {
            ticks::values(self.low, self.high, about)
        }
    }
}

struct View {
    start: usize,
    end: usize,
    days: Vec<i32>,
}

impl View {
    /// The edges of the picture: half a day beyond the outermost days, so that a single day has a
    /// place too.
    fn edges(&self) -> (f64, f64) {
        let first = self.days.first().copied().unwrap_or(0);
        let last = self.days.last().copied().unwrap_or(0);
        (f64::from(first), f64::from(last.max(first + 1)))
    }

    /// A line as runs without gaps, and apart where a level jumps; thinned to the lowest and the highest
    /// value of each bucket when there are many.
    fn runs(&self, values: &[Option<f64>], jumps: bool) -> Vec<Vec<(f64, f64)>> {
        let mut runs: Vec<Vec<(f64, f64)>> = Vec::new();
        let mut open = false;
        for (day, i) in self.days.iter().zip(self.start..self.end) {
            match values.get(i).copied().flatten().filter(|v| v.is_finite()) {
                Some(v) => {
                    let before = runs.last().and_then(|r| r.last()).map(|p| p.1);
                    let other = |b: f64| jumps && (v - b).abs() > OTHER_LEVEL * b.abs();
                    if !open || before.is_some_and(other) {
                        runs.push(Vec::new());
                        open = true;
                    }
                    if let Some(run) = runs.last_mut() {
                        run.push((f64::from(*day), v));
                    }
                }
                None => open = false,
            }
        }
        let n: usize = runs.iter().map(Vec::len).sum();
        if n <= FINE {
            return runs;
        }
        let bucket = n.div_ceil(FINE / 2);
        runs.into_iter().map(|run| thin(&run, bucket)).collect()
    }
}

/// Where words of marks already stand. The width of the screen is not known here: a word that fits a
/// desk only is hidden on a phone by its class.
#[derive(Default)]
struct Room {
    /// Right ends on a desk and on a phone, above and below, in percent of the width.
    ends: [[Option<f64>; 2]; 2],
}

impl Room {
    /// Takes the room of a word centred at a place; says where it fits: everywhere (""), on a desk
    /// only (" minor"), or nowhere.
    fn take(&mut self, x: f64, up: bool, word: &str) -> Option<&'static str> {
        // Percent of the width that a letter takes, on a desk and on a phone.
        const LETTER: [f64; 2] = [0.65, 2.4];
        let letters = word.chars().count() as f64 + 2.0;
        let ends = &mut self.ends[usize::from(up)];
        let mut fits = [false; 2];
        for (screen, end) in ends.iter_mut().enumerate() {
            let half = letters * LETTER[screen] / 2.0;
            let left = match x {
                x if x < 10.0 => x,
                x if x > 90.0 => x - 2.0 * half,
                x => x - half,
            };
            if end.is_none_or(|e| left >= e) && half < 40.0 {
                fits[screen] = true;
                *end = Some(left + 2.0 * half);
            }
        }
        match fits {
            [true, true] => Some(""),
            [true, false] => Some(" minor"),
            _ => None,
        }
    }
}

/// The lowest and the highest point of each bucket, in their order, and both ends.
fn thin(run: &[(f64, f64)], bucket: usize) -> Vec<(f64, f64)> {
    let mut out = Vec::with_capacity(2 * run.len() / bucket.max(1) + 2);
    out.extend(run.first());
    for part in run.chunks(bucket.max(1)) {
        let low = part.iter().min_by(|a, b| a.1.total_cmp(&b.1));
        let high = part.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        if let (Some(low), Some(high)) = (low, high) {
            let (a, b) = if low.0 <= high.0 {
                (low, high)
            } else {
                (high, low)
            };
            out.push(*a);
            if a.0 < b.0 {
                out.push(*b);
            }
        }
    }
    out.extend(run.last());
    out.dedup();
    out
}

fn labels(svg: &mut String, panels: &[Panel], first: NaiveDate, last: NaiveDate) {
    for panel in panels {
        for (v, text) in panel.ticks() {
            let y = panel.bottom - panel.share(v) * (panel.bottom - panel.top);
            let _ = write!(
                svg,
                "<text class=\"yl\" x=\"100%\" y=\"{:.2}%\" dx=\"6\" dy=\"4\">{text}</text>",
                y * 100.0
            );
        }
        let _ = write!(
            svg,
            "<text class=\"ul\" x=\"0\" y=\"{:.2}%\" dx=\"2\" dy=\"12\">",
            panel.top * 100.0
        );
        escape(&panel.unit, svg);
        svg.push_str("</text>");
    }
    let width = f64::from(day_number(last).max(day_number(first) + 1) - day_number(first));
    for (i, (date, text)) in ticks::dates(first, last, 7).into_iter().enumerate() {
        let x = f64::from(day_number(date) - day_number(first)) / width * 100.0;
        let minor = if i % 2 == 1 { " minor" } else { "" };
        let anchor = match x {
            x if x < 4.0 => " left",
            x if x > 96.0 => " right",
            _ => "",
        };
        let _ = write!(
            svg,
            "<text class=\"xl{minor}{anchor}\" x=\"{x:.2}%\" y=\"100%\" dy=\"16\">{text}</text>"
        );
    }
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
}

/// Six significant digits: what a crosshair shows, and half the bytes.
fn rounded(v: f64) -> f64 {
    format!("{v:.5e}").parse().unwrap_or(v)
}

/// Closes, as candles when few days are shown, with the volume below where the source has it.
#[must_use]
pub fn bars(title: &str, unit: &str, bars: &[Bar]) -> Plot {
    let candles: Vec<Option<[f64; 4]>> = bars
        .iter()
        .map(|b| Some([b.open?, b.high?, b.low?, b.close]))
        .collect();
    let has_candles = candles.iter().any(Option::is_some);
    let volumes: Vec<Option<f64>> = bars.iter().map(|b| b.volume).collect();
    let mut panels = vec![Part {
        weight: 4.0,
        unit: unit.to_owned(),
        lines: vec![LinePlot {
            name: "Close".to_owned(),
            colour: 1,
            values: bars.iter().map(|b| Some(b.close)).collect(),
            ..LinePlot::default()
        }],
        candles: if has_candles { candles } else { Vec::new() },
        ..Part::default()
    }];
    if volumes.iter().any(|v| v.is_some_and(|v| v > 0.0)) {
        panels.push(Part {
            weight: 1.0,
            unit: "volume in shares".to_owned(),
            lines: vec![LinePlot {
                name: "Volume".to_owned(),
                colour: 0,
                values: volumes,
                look: Look::Filled,
                ..LinePlot::default()
            }],
            ..Part::default()
        });
    }
    Plot {
        title: title.to_owned(),
        dates: bars.iter().map(|b| b.date).collect(),
        panels,
        ..Plot::default()
    }
}

/// The chart of a data set: its bars or closes, or the values of a series.
///
/// # Errors
/// An unknown data set; a store that fails.
pub async fn dataset(services: &Services, id: &str) -> Result<Plot, PageError> {
    let detail = services.dataset(id).await.map_err(|e| refuse(&e))?;
    let rows = services
        .bars(id, None, None)
        .await
        .map_err(|e| refuse(&e))?;
    let summary = detail.summary;
    let unit = match summary.kind {
        DatasetKind::Bars | DatasetKind::Closes | DatasetKind::Intraday => "price",
        DatasetKind::Series => "value",
    };
    let mut plot = bars(&summary.title, unit, &rows);
    if summary.kind == DatasetKind::Series
        && let Some(line) = plot.panels.first_mut().and_then(|p| p.lines.first_mut())
    {
        line.name = "Value".to_owned();
    }
    Ok(plot)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(n: u32) -> Plot {
        let first = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap();
        let bars_: Vec<Bar> = (0..n)
            .map(|i| Bar {
                date: first + chrono::Days::new(i.into()),
                open: Some(f64::from(i) + 1.0),
                high: Some(f64::from(i) + 3.0),
                low: Some(f64::from(i)),
                close: f64::from(i) + 2.0,
                volume: Some(1e6),
            })
            .collect();
        bars("AAPL <daily>", "USD", &bars_)
    }

    #[test]
    fn pictures_have_no_inline_style_and_no_colours() {
        let d = plot(1000).draw(None, None).unwrap();
        assert!(
            !d.svg.contains("style="),
            "a strict policy blocks inline style"
        );
        assert!(!d.svg.contains("stroke=") && !d.svg.contains("fill="));
        assert!(d.svg.contains("AAPL &lt;daily&gt;"));
        assert_eq!(
            d.svg.matches("<svg").count(),
            d.svg.matches("</svg>").count()
        );
    }

    #[test]
    fn few_days_are_candles_and_many_a_line() {
        let many = plot(1000).draw(None, None).unwrap();
        assert!(many.svg.contains("ln s1") && !many.svg.contains("class=\"up\""));
        let few = plot(40).draw(None, None).unwrap();
        assert!(few.svg.contains("class=\"up\"") && !few.svg.contains("ln s1"));
        // 40 rising candles of a body and two wicks each.
        assert_eq!(few.svg.matches("class=\"up\"").count(), 120);
    }

    #[test]
    fn a_span_is_drawn_within_the_whole() {
        let p = plot(1000);
        let d = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).unwrap();
        let drawing = p.draw(Some(d(2000, 2, 1)), Some(d(2000, 2, 29))).unwrap();
        assert_eq!(drawing.frame.days.len(), 29);
        assert_eq!(crate::drawing::day_text(drawing.frame.first), "2000-02-01");
        assert_eq!(
            crate::drawing::day_text(drawing.frame.whole_first),
            "2000-01-01"
        );
        assert!(drawing.frame.is_zoomed());
        assert_eq!(
            p.draw(Some(d(2020, 1, 1)), None),
            Err(DrawError::Empty("2020-01-01".into(), "the end".into()))
        );
        assert!(Plot::default().draw(None, None).is_err());
    }

    #[test]
    fn columns_are_thinned_and_end_with_the_last_day() {
        let d = plot(1000).draw(None, None).unwrap();
        assert_eq!(d.frame.stride, 3);
        assert!(d.frame.days.len() <= ROWS);
        assert_eq!(d.frame.days.last(), Some(&d.frame.last));
        assert_eq!(d.frame.columns[0].values.last(), Some(&Some(1001.0)));
        assert_eq!(d.frame.columns.len(), 2, "close and volume");
    }

    #[test]
    fn thinning_keeps_the_extremes() {
        let mut run: Vec<(f64, f64)> = (0..100).map(|i| (f64::from(i), 0.0)).collect();
        run[37].1 = 9.0;
        run[38].1 = -9.0;
        let thinned = thin(&run, 10);
        assert!(thinned.contains(&(37.0, 9.0)) && thinned.contains(&(38.0, -9.0)));
        assert!(thinned.len() < 25);
        assert!(thinned.windows(2).all(|w| w[0].0 < w[1].0));
    }

    #[test]
    fn gaps_break_a_line() {
        let view = View {
            start: 0,
            end: 5,
            days: vec![0, 1, 2, 3, 4],
        };
        let runs = view.runs(
            &[Some(1.0), None, Some(2.0), Some(f64::NAN), Some(3.0)],
            false,
        );
        assert_eq!(
            runs,
            vec![vec![(0.0, 1.0)], vec![(2.0, 2.0)], vec![(4.0, 3.0)]]
        );
    }

    #[test]
    fn money_that_doubles_stands_on_a_scale_of_logarithms() {
        let of = |values: [f64; 3], growth| {
            let start = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap();
            let plot = Plot {
                dates: start.iter_days().take(3).collect(),
                panels: vec![Part {
                    weight: 1.0,
                    growth,
                    lines: vec![LinePlot {
                        values: values.map(Some).to_vec(),
                        ..LinePlot::default()
                    }],
                    ..Part::default()
                }],
                ..Plot::default()
            };
            plot.draw(None, None).unwrap()
        };
        let panel = |values, growth| of(values, growth).frame.panels[0].log;
        assert!(panel([100.0, 200.0, 400.0], true));
        assert!(!panel([100.0, 200.0, 400.0], false), "prices stay even");
        assert!(!panel([100.0, 120.0, 150.0], true), "too little for it");
        assert!(!panel([100.0, 0.0, 400.0], true), "nothing has no place");
        let drawn = of([100.0, 200.0, 400.0], true);
        let y = |v| drawn.frame.y(0, v).unwrap();
        // Each doubling is as high as the other.
        assert!((y(100.0) - y(200.0) - (y(200.0) - y(400.0))).abs() < 1e-12);
    }

    #[test]
    fn a_constant_line_and_a_single_day_have_a_picture() {
        let mut p = plot(1);
        assert!(p.draw(None, None).is_ok());
        p.panels[0].lines[0].values = vec![None];
        p.panels[0].candles.clear();
        assert!(p.draw(None, None).is_ok());
    }

    #[test]
    fn the_summary_says_what_is_to_be_seen() {
        let d = plot(3).draw(None, None).unwrap();
        assert!(
            d.frame.summary.starts_with("2000-01-01 to 2000-01-03. Close: from 2.000 to 4.000, lowest 2.000 on 2000-01-01, highest 4.000 on 2000-01-03."),
            "{}",
            d.frame.summary
        );
    }

    #[test]
    fn a_file_stands_alone() {
        let svg = plot(30).file(None, None, 800, 400).unwrap();
        assert!(svg.starts_with("<svg xmlns="));
        assert!(svg.contains("<title>AAPL &lt;daily&gt;</title>"));
        assert!(svg.contains("<style>"));
    }
}
