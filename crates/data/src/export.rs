//! Data sets as files for other programs: CSV and Parquet.

use crate::bars::Bars;
use crate::error::DataError;
use crate::frame;
use crate::intraday::Intraday;
use crate::series::Series;
use chrono::{NaiveDate, SecondsFormat};
use std::fmt::Write as _;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated text with a heading; every figure with as many digits as it takes to read
    /// back the same bits.
    Csv,
    /// Parquet.
    Parquet,
}

impl Format {
    /// The format that a file's name ends with.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let end = name.rsplit_once('.')?.1.to_ascii_lowercase();
        match end.as_str() {
            "csv" => Some(Self::Csv),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// Bars as a file: `date` and the columns that are there.
///
/// # Errors
/// [`DataError::Io`] when Parquet cannot be written.
pub fn bars(bars: &Bars, format: Format) -> Result<Vec<u8>, DataError> {
    match format {
        Format::Csv => Ok(csv(&[("date", &bars.dates)], &bars.columns())),
        Format::Parquet => frame::write_bars(bars, "the export"),
    }
}

/// A series as a file: `date`, `known_at` and `value`.
///
/// # Errors
/// [`DataError::Io`] when Parquet cannot be written.
pub fn series(series: &Series, format: Format) -> Result<Vec<u8>, DataError> {
    match format {
        Format::Csv => Ok(csv(
            &[("date", &series.dates), ("known_at", &series.known_at)],
            &[("value", &series.values)],
        )),
        Format::Parquet => frame::write_series(series, "the export"),
    }
}

/// Bars of less than a day as a file: `stamp`, the begin of a bar in UTC (in Parquet as seconds since
/// 1970), and the columns that are there.
///
/// # Errors
/// [`DataError::Io`] when Parquet cannot be written.
pub fn intraday(bars: &Intraday, format: Format) -> Result<Vec<u8>, DataError> {
    if format == Format::Parquet {
        return frame::write_intraday(bars, "the export");
    }
    let columns = bars.columns();
    let mut text = String::from("stamp");
    for (name, _) in &columns {
        text.push(',');
        text.push_str(name);
    }
    text.push('\n');
    for (row, stamp) in bars.stamps.iter().enumerate() {
        text.push_str(&stamp.to_rfc3339_opts(SecondsFormat::Secs, true));
        for (_, column) in &columns {
            // Writing into a text does not fail.
            let _ = write!(text, ",{}", column[row]);
        }
        text.push('\n');
    }
    Ok(text.into_bytes())
}

/// A column of a table, with holes.
#[derive(Debug, Clone, PartialEq)]
pub enum Cells {
    /// Days.
    Days(Vec<Option<NaiveDate>>),
    /// Texts.
    Texts(Vec<Option<String>>),
    /// Figures.
    Figures(Vec<Option<f64>>),
    /// Whole numbers.
    Counts(Vec<Option<u32>>),
}

impl Cells {
    /// Number of cells.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Days(c) => c.len(),
            Self::Texts(c) => c.len(),
            Self::Figures(c) => c.len(),
            Self::Counts(c) => c.len(),
        }
    }

    /// Whether there are no cells.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn write(&self, row: usize, out: &mut String) {
        // Writing into a text does not fail.
        match self {
            Self::Days(c) => {
                if let Some(Some(day)) = c.get(row) {
                    let _ = write!(out, "{day}");
                }
            }
            Self::Texts(c) => {
                if let Some(Some(text)) = c.get(row) {
                    out.push_str(&quoted(text));
                }
            }
            Self::Figures(c) => {
                if let Some(Some(x)) = c.get(row) {
                    let _ = write!(out, "{x}");
                }
            }
            Self::Counts(c) => {
                if let Some(Some(n)) = c.get(row) {
                    let _ = write!(out, "{n}");
                }
            }
        }
    }
}

/// A text as a CSV field. A sign at its head that a spreadsheet takes for a formula gets an apostrophe.
fn quoted(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// A table as a file: named columns of one length; what is not there is an empty field.
///
/// # Errors
/// [`DataError::Io`] when Parquet cannot be written.
pub fn table(columns: &[(&str, Cells)], format: Format) -> Result<Vec<u8>, DataError> {
    if format == Format::Parquet {
        return frame::write_table(columns, "the export");
    }
    let names: Vec<&str> = columns.iter().map(|(n, _)| *n).collect();
    let mut text = names.join(",");
    text.push('\n');
    for row in 0..columns.first().map_or(0, |(_, c)| c.len()) {
        for (at, (_, cells)) in columns.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            cells.write(row, &mut text);
        }
        text.push('\n');
    }
    Ok(text.into_bytes())
}

fn csv(days: &[(&str, &[NaiveDate])], figures: &[(&str, &[f64])]) -> Vec<u8> {
    let names = days.iter().map(|(n, _)| *n);
    let names: Vec<&str> = names.chain(figures.iter().map(|(n, _)| *n)).collect();
    let mut text = names.join(",");
    text.push('\n');
    let rows = days.first().map_or(0, |(_, c)| c.len());
    for row in 0..rows {
        for (at, (_, column)) in days.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            // Writing into a text does not fail.
            let _ = write!(text, "{comma}{}", column[row]);
        }
        for (_, column) in figures {
            let _ = write!(text, ",{}", column[row]);
        }
        text.push('\n');
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bundled, csv as reader};

    #[test]
    fn fields_are_safe_in_a_spreadsheet() {
        for (text, told) in [
            ("AAPL", "AAPL"),
            ("=1+1", "'=1+1"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
        ] {
            assert_eq!(quoted(text), told);
        }
    }

    #[test]
    fn a_table_has_holes_where_nothing_is_known() {
        let day = NaiveDate::from_ymd_opt(2012, 5, 3);
        let columns = [
            ("day", Cells::Days(vec![day, None])),
            ("word", Cells::Texts(vec![None, Some("a,b".to_owned())])),
            ("figure", Cells::Figures(vec![Some(0.1), None])),
            ("count", Cells::Counts(vec![Some(3), None])),
        ];
        let text = table(&columns, Format::Csv).unwrap();
        let told = "day,word,figure,count\n2012-05-03,,0.1,3\n,\"a,b\",,\n";
        assert_eq!(String::from_utf8(text).unwrap(), told);
        // Parquet begins and ends with its four letters.
        let bytes = table(&columns, Format::Parquet).unwrap();
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    }

    #[test]
    fn what_is_written_reads_back_bit_by_bit() {
        let ibm = bundled::bars("IBM").unwrap().content;
        let text = bars(&ibm, Format::Csv).unwrap();
        assert!(text.starts_with(b"date,open,high,low,close,volume\n2000-03-01,"));
        assert_eq!(reader::read_bars(&text, "IBM").unwrap(), ibm);
        let bytes = bars(&ibm, Format::Parquet).unwrap();
        assert_eq!(frame::read_bars(&bytes, "IBM", "x").unwrap(), ibm);
        let vix = bundled::series("VIXCLS").unwrap().content;
        let bytes = series(&vix, Format::Parquet).unwrap();
        assert_eq!(frame::read_series(&bytes, "VIXCLS", "x").unwrap(), vix);
        let text = String::from_utf8(series(&vix, Format::Csv).unwrap()).unwrap();
        assert_eq!(text.lines().count(), vix.len() + 1);
        assert_eq!(Format::of_name("a.b.CSV"), Some(Format::Csv));
        assert_eq!(Format::of_name("a.xlsx"), None);
    }
}
