//! What is printed: text for people, JSON for programs.

use super::Failure;
use serde::Serialize;
use std::io::Write as _;

/// Prints a text and a line end on standard output.
pub(super) fn say(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(())
}

/// Prints a value as one line of JSON: numbers with as many digits as it takes to read back the
/// same bits, `null` where there is none.
pub(super) fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    let text = serde_json::to_string(value)
        .map_err(|e| Failure::new(1, format!("the result cannot be written as JSON: {e}")))?;
    say(&text)
}

/// A table for people: columns as wide as their widest cell, numbers on the right.
pub(crate) struct Table {
    heading: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(heading: &[&str]) -> Self {
        Self {
            heading: heading.iter().map(|h| (*h).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(crate) fn text(&self) -> String {
        let all = || std::iter::once(&self.heading).chain(&self.rows);
        let width = |c: usize| {
            all()
                .filter_map(|r| r.get(c))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.heading.len()).map(width).collect();
        let number = |text: &str| text == "-" || text.trim_end_matches('%').parse::<f64>().is_ok();
        let right: Vec<bool> = (0..self.heading.len())
            .map(|c| {
                !self.rows.is_empty()
                    && self
                        .rows
                        .iter()
                        .all(|r| r.get(c).is_some_and(|t| number(t)))
            })
            .collect();
        let line = |cells: &Vec<String>| -> String {
            let cells: Vec<String> = cells
                .iter()
                .zip(&widths)
                .zip(&right)
                .map(|((cell, width), right)| {
                    let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
                    if *right {
                        pad + cell
                    } else {
                        cell.clone() + &pad
                    }
                })
                .collect();
            cells.join("  ").trim_end().to_owned()
        };
        all().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// A figure with four significant digits, or `-`.
pub(super) fn figure(x: Option<f64>) -> String {
    match x {
        None => "-".to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(x) => {
            let digits = (3 - x.abs().log10().floor() as i32).clamp(0, 8) as usize;
            format!("{x:.digits$}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_on_the_right() {
        let mut table = Table::new(&["name", "n"]);
        table.row(["a".into(), "1.5".into()]);
        table.row(["bcdef".into(), "12".into()]);
        assert_eq!(table.text(), "name     n\na      1.5\nbcdef   12");
    }

    #[test]
    fn figures_have_four_digits() {
        let shown = [0.0, 1.0, 12.345_678, 0.001_234_56, -1234.5, 1e-12].map(|x| figure(Some(x)));
        assert_eq!(
            shown,
            ["0", "1.000", "12.35", "0.001235", "-1234", "0.00000000"]
        );
        assert_eq!(figure(None), "-");
    }
}
