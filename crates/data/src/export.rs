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
