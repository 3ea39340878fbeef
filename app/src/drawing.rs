//! A finished drawing and its frame: what the browser needs to lay a crosshair over the picture
//! and to ask for a narrower one. The picture fills its frame, so every place in it is a share of
//! width and height, and one picture fits a phone and a desk.

use serde::{Deserialize, Serialize};

/// A chart as drawn by the server: the picture and its frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drawing {
    /// The picture.
    pub svg: String,
    /// What belongs to it.
    pub frame: Frame,
}

/// What the browser knows of a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// Title, also the accessible name.
    pub title: String,
    /// What there is to see, in a sentence with figures.
    pub summary: String,
    /// Day at the left edge, counted from 0001-01-01.
    pub first: i32,
    /// Day at the right edge.
    pub last: i32,
    /// First day there is.
    pub whole_first: i32,
    /// Last day there is.
    pub whole_last: i32,
    /// The parts that lie one above the other.
    pub panels: Vec<Panel>,
    /// Days of the columns, ascending, as counted above.
    pub days: Vec<i32>,
    /// The lines' values on these days.
    pub columns: Vec<Column>,
    /// Every how many days the columns have a row; 1 means every day.
    pub stride: u32,
    /// What the legend switches; without any, each column is switched by its colour.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Key>,
    /// What held on spans of days, read out with the values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}

/// A switch of the legend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Its number, from 1.
    pub key: u8,
    /// What it switches.
    pub name: String,
    /// What belongs to it: colour, kind of mark (`ln`, `ln lv`, `fl`, `bd`), and name.
    pub parts: Vec<(u8, String, String)>,
}

/// What held on a span of days, or on a single day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// First day, as a number.
    pub first: i32,
    /// Last day.
    pub last: i32,
    /// In words.
    pub text: String,
}

/// A part of a drawing with its own vertical axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Panel {
    /// Upper edge as a share of the height.
    pub top: f64,
    /// Lower edge.
    pub bottom: f64,
    /// Value at the lower edge.
    pub low: f64,
    /// Value at the upper edge.
    pub high: f64,
    /// What the axis shows.
    pub unit: String,
    /// Whether equal heights are equal factors: a scale of logarithms.
    #[serde(default)]
    pub log: bool,
}

impl Panel {
    /// Height of a value above the lower edge as a share of the part; not finite for a value that has no
    /// place on a scale of logarithms.
    #[must_use]
    pub fn share(&self, value: f64) -> f64 {
        let at = |v: f64| if self.log { v.ln() } else { v };
        (at(value) - at(self.low)) / (at(self.high) - at(self.low))
    }
}

/// A line's values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Name in the legend.
    pub name: String,
    /// Colour, 0 to 7; 0 is the muted one.
    pub colour: u8,
    /// Place in `Frame::panels`.
    pub panel: u8,
    /// Which of the legend's switches hides it; 0: that of its colour.
    #[serde(default)]
    pub key: u8,
    /// It is read out and not drawn.
    #[serde(default)]
    pub unseen: bool,
    /// One value a day of `Frame::days`.
    pub values: Vec<Option<f64>>,
}

/// A day number as text: "2025-01-31". The Gregorian calendar by hand (the algorithm of Howard
/// Hinnant, "chrono-Compatible Low-Level Date Algorithms"), because a calendar library would be the
/// heaviest part of what a browser loads.
#[must_use]
pub fn day_text(day: i32) -> String {
    // Days since 0000-03-01, so that the leap day is the last of its year.
    let z = i64::from(day) + 305;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

impl Frame {
    /// Place of a day as a share of the width.
    #[must_use]
    pub fn x(&self, day: i32) -> f64 {
        let width = f64::from(self.last - self.first).max(1.0);
        f64::from(day - self.first) / width
    }

    /// Place of a value of a panel as a share of the height of the whole picture.
    #[must_use]
    pub fn y(&self, panel: u8, value: f64) -> Option<f64> {
        let p = self.panels.get(usize::from(panel))?;
        let share = p.share(value);
        share
            .is_finite()
            .then(|| p.bottom - share.clamp(0.0, 1.0) * (p.bottom - p.top))
    }

    /// Index into `days` of the row nearest to a place, given as a share of the width.
    #[must_use]
    pub fn nearest(&self, x: f64) -> Option<usize> {
        let day = f64::from(self.first) + x * f64::from(self.last - self.first);
        let after = self.days.partition_point(|d| f64::from(*d) < day);
        let candidates = [after.checked_sub(1), Some(after)];
        candidates
            .into_iter()
            .flatten()
            .filter_map(|i| self.days.get(i).map(|d| (i, (f64::from(*d) - day).abs())))
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(i, _)| i)
    }

    /// The span shown, in days.
    #[must_use]
    pub fn span(&self) -> (f64, f64) {
        (f64::from(self.first), f64::from(self.last))
    }

    /// Everything there is, in days.
    #[must_use]
    pub fn whole(&self) -> (f64, f64) {
        (f64::from(self.whole_first), f64::from(self.whole_last))
    }

    /// A span after zooming by a factor (below 1: nearer) around a place given as a share of its
    /// width, never shorter than ten days and never beyond what there is.
    #[must_use]
    pub fn scaled(&self, span: (f64, f64), factor: f64, around: f64) -> (f64, f64) {
        let around = around.clamp(0.0, 1.0);
        let width = span.1 - span.0;
        let whole = self.whole().1 - self.whole().0;
        let new = (width * factor).max(10.0_f64.min(whole)).min(whole);
        self.fitted(span.0 + around * (width - new), new)
    }

    /// A span after moving by a share of its width (positive: to later days).
    #[must_use]
    pub fn moved(&self, span: (f64, f64), by: f64) -> (f64, f64) {
        let width = span.1 - span.0;
        self.fitted(span.0 + by * width, width)
    }

    fn fitted(&self, start: f64, width: f64) -> (f64, f64) {
        let (low, high) = self.whole();
        let start = start.min(high - width).max(low);
        (start, (start + width).min(high))
    }

    /// A span as whole days; `None` when it is the one that is shown.
    #[must_use]
    pub fn wanted(&self, span: (f64, f64)) -> Option<(i32, i32)> {
        // Day numbers are far below the range of i32: the casts do not cut anything off.
        let days = (span.0.round() as i32, span.1.round() as i32);
        (days != (self.first, self.last)).then_some(days)
    }

    /// Whether a part of the span is shown.
    #[must_use]
    pub fn is_zoomed(&self) -> bool {
        (self.first, self.last) != (self.whole_first, self.whole_last)
    }

    /// Rows of the table under the chart: at most `most`, evenly spread, the last one included.
    #[must_use]
    pub fn table_rows(&self, most: usize) -> Vec<usize> {
        let n = self.days.len();
        let step = n.div_ceil(most.max(1)).max(1);
        let mut rows: Vec<usize> = (0..n).step_by(step).collect();
        if let Some(last) = n.checked_sub(1)
            && rows.last() != Some(&last)
        {
            rows.push(last);
        }
        rows
    }

    /// Decimals that suit a column's values.
    #[must_use]
    pub fn decimals(&self, column: &Column) -> usize {
        crate::format::column_decimals(column.values.iter().flatten().copied())
    }

    /// What the notes say at a row, the days since the row before included.
    #[must_use]
    pub fn notes_at(&self, row: usize) -> Vec<&str> {
        self.notes_between(row.checked_sub(1), row)
    }

    /// What the notes say on the days after one row up to another.
    #[must_use]
    pub fn notes_between(&self, before: Option<usize>, row: usize) -> Vec<&str> {
        let Some(day) = self.days.get(row).copied() else {
            return Vec::new();
        };
        let after = before.and_then(|r| self.days.get(r)).copied();
        let here = |n: &&Note| n.first <= day && n.last > after.unwrap_or(i32::MIN);
        let mut texts: Vec<&str> = Vec::new();
        for note in self.notes.iter().filter(here) {
            if !texts.contains(&note.text.as_str()) {
                texts.push(&note.text);
            }
        }
        texts
    }

    /// What the crosshair reads at a row: day and each line's value.
    #[must_use]
    pub fn reading(&self, row: usize) -> Vec<(u8, String, String)> {
        self.columns
            .iter()
            .map(|c| {
                let value = c.values.get(row).copied().flatten();
                (
                    c.colour,
                    c.name.clone(),
                    crate::format::cell(value, self.decimals(c)),
                )
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: i32, last: i32) -> Frame {
        Frame {
            title: String::new(),
            summary: String::new(),
            first,
            last,
            whole_first: 0,
            whole_last: 1000,
            panels: vec![Panel {
                top: 0.0,
                bottom: 0.5,
                low: 10.0,
                high: 20.0,
                unit: String::new(),
                log: false,
            }],
            days: vec![0, 10, 20, 1000],
            columns: vec![Column {
                name: "close".into(),
                colour: 1,
                panel: 0,
                key: 0,
                unseen: false,
                values: vec![Some(10.0), None, Some(15.0), Some(20.0)],
            }],
            stride: 1,
            keys: vec![],
            notes: vec![],
        }
    }

    #[test]
    fn notes_are_read_at_their_days() {
        let note = |first, last, text: &str| Note {
            first,
            last,
            text: text.to_owned(),
        };
        let d = Frame {
            notes: vec![
                note(0, 15, "calm"),
                note(16, 1000, "turbulent"),
                note(13, 13, "hammer"),
                note(13, 13, "hammer"),
            ],
            ..frame(0, 1000)
        };
        // Rows are the days 0, 10, 20 and 1000.
        for (row, expected) in [
            (0, vec!["calm"]),
            (1, vec!["calm"]),
            (2, vec!["calm", "turbulent", "hammer"]),
            (3, vec!["turbulent"]),
            (4, vec![]),
        ] {
            assert_eq!(d.notes_at(row), expected, "{row}");
        }
    }

    #[test]
    fn day_numbers_are_those_of_chrono() {
        use chrono::{Datelike, NaiveDate};
        let mut date = NaiveDate::from_ymd_opt(1899, 12, 28).unwrap();
        for _ in 0..60_000 {
            assert_eq!(day_text(date.num_days_from_ce()), date.to_string());
            date = date.succ_opt().unwrap();
        }
        assert_eq!(day_text(1), "0001-01-01");
    }

    #[test]
    fn places_are_shares() {
        let d = frame(0, 1000);
        assert_eq!(d.x(250), 0.25);
        assert_eq!(d.y(0, 15.0), Some(0.25));
        assert_eq!(d.y(0, 99.0), Some(0.0), "clamped to the panel");
        assert_eq!(d.y(1, 15.0), None);
        let logs = Panel {
            low: 10.0,
            high: 1000.0,
            log: true,
            ..d.panels[0].clone()
        };
        // Ten to a hundred is as far as a hundred to a thousand.
        assert!((logs.share(100.0) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn the_crosshair_finds_the_nearest_row() {
        let d = frame(0, 1000);
        for (x, expected) in [
            (-1.0, 0),
            (0.0, 0),
            (0.006, 1),
            (0.014, 1),
            (0.4, 2),
            (0.9, 3),
            (2.0, 3),
        ] {
            assert_eq!(d.nearest(x), Some(expected), "{x}");
        }
        assert_eq!(Frame { days: vec![], ..d }.nearest(0.5), None);
    }

    #[test]
    fn zooming_stays_inside() {
        for (from, to, factor, around, expected) in [
            (0, 1000, 0.5, 0.5, Some((250, 750))),
            (0, 1000, 0.5, 0.0, Some((0, 500))),
            (0, 1000, 2.0, 0.5, None),
            (250, 750, 4.0, 0.5, Some((0, 1000))),
            (900, 1000, 2.0, 0.5, Some((800, 1000))),
            (100, 110, 0.1, 0.5, None),
        ] {
            let d = frame(from, to);
            let got = d.wanted(d.scaled(d.span(), factor, around));
            assert_eq!(got, expected, "{from} {to} {factor}");
        }
    }

    #[test]
    fn moving_stays_inside() {
        for (from, to, by, expected) in [
            (0, 500, 0.5, Some((250, 750))),
            (0, 500, -0.5, None),
            (600, 900, 1.0, Some((700, 1000))),
        ] {
            let d = frame(from, to);
            assert_eq!(
                d.wanted(d.moved(d.span(), by)),
                expected,
                "{from} {to} {by}"
            );
        }
    }

    #[test]
    fn tables_are_thinned_and_keep_the_last_row() {
        let d = Frame {
            days: (0..100).collect(),
            ..frame(0, 1000)
        };
        let rows = d.table_rows(30);
        assert_eq!((rows[0], rows[1], rows.len()), (0, 4, 26));
        assert_eq!(rows.last(), Some(&99));
        assert_eq!(frame(0, 10).table_rows(30), vec![0, 1, 2, 3]);
    }

    #[test]
    fn readings_share_their_decimals() {
        let d = frame(0, 1000);
        assert_eq!(d.reading(2), vec![(1, "close".into(), "15.00".into())]);
        assert_eq!(d.reading(1)[0].2, crate::format::NONE);
    }
}
