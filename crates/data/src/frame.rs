//! Parquet bytes to columns and back.

use crate::bars::{Bars, UNREADABLE_DATE};
use crate::error::DataError;
use crate::series::Series;
use chrono::{Datelike, NaiveDate};
use polars::prelude::{
    Column, DataFrame, DataType, IntoColumn, NamedFrom, ParallelStrategy, ParquetCompression,
    ParquetReader, ParquetWriter, SerReader, Series as PolarsSeries,
};
use std::io::Cursor;

/// Number of 1970-01-01, counted from year 1.
const EPOCH: i32 = 719_163;

fn damaged(file: &str, reason: impl ToString) -> DataError {
    DataError::Damaged {
        file: file.to_owned(),
        reason: reason.to_string(),
    }
}

fn read(bytes: &[u8], file: &str) -> Result<DataFrame, DataError> {
    ParquetReader::new(Cursor::new(bytes))
        .read_parallel(ParallelStrategy::None)
        .finish()
        .map_err(|e| damaged(file, format!("it is not readable Parquet ({e})")))
}

fn dates(frame: &DataFrame, name: &str, file: &str) -> Result<Vec<NaiveDate>, DataError> {
    let column = frame.column(name).map_err(|e| damaged(file, e))?;
    let days = column.date().map_err(|e| damaged(file, e))?;
    Ok(days
        .physical()
        .iter()
        .map(|day| {
            day.and_then(|d| NaiveDate::from_num_days_from_ce_opt(d.checked_add(EPOCH)?))
                .unwrap_or(UNREADABLE_DATE)
        })
        .collect())
}

fn floats(frame: &DataFrame, name: &str, file: &str) -> Result<Vec<f64>, DataError> {
    let column = frame.column(name).map_err(|e| damaged(file, e))?;
    let values = column.f64().map_err(|e| damaged(file, e))?;
    Ok(values.iter().map(|x| x.unwrap_or(f64::NAN)).collect())
}

fn optional(frame: &DataFrame, name: &str, file: &str) -> Result<Option<Vec<f64>>, DataError> {
    if frame.column(name).is_ok() {
        floats(frame, name, file).map(Some)
    } else {
        Ok(None)
    }
}

/// Bars out of Parquet bytes; `file` is named in errors.
pub(crate) fn read_bars(bytes: &[u8], symbol: &str, file: &str) -> Result<Bars, DataError> {
    let frame = read(bytes, file)?;
    Ok(Bars {
        symbol: symbol.to_owned(),
        dates: dates(&frame, "date", file)?,
        open: optional(&frame, "open", file)?,
        high: optional(&frame, "high", file)?,
        low: optional(&frame, "low", file)?,
        close: floats(&frame, "close", file)?,
        volume: optional(&frame, "volume", file)?,
    })
}

/// A series out of Parquet bytes; `file` is named in errors.
pub(crate) fn read_series(bytes: &[u8], id: &str, file: &str) -> Result<Series, DataError> {
    let frame = read(bytes, file)?;
    Ok(Series {
        id: id.to_owned(),
        dates: dates(&frame, "date", file)?,
        known_at: dates(&frame, "known_at", file)?,
        values: floats(&frame, "value", file)?,
    })
}

/// Bars as Parquet bytes: the same bars give the same bytes.
pub(crate) fn write_bars(bars: &Bars, file: &str) -> Result<Vec<u8>, DataError> {
    let failed = |e: polars::error::PolarsError| DataError::Io {
        file: file.to_owned(),
        action: "written",
        reason: e.to_string(),
    };
    let days: Vec<i32> = bars
        .dates
        .iter()
        .map(|d| d.num_days_from_ce() - EPOCH)
        .collect();
    let days = PolarsSeries::new("date".into(), days)
        .cast(&DataType::Date)
        .map_err(failed)?;
    let mut columns: Vec<Column> = vec![days.into_column()];
    for (name, column) in bars.columns() {
        columns.push(PolarsSeries::new(name.into(), column).into_column());
    }
    let mut frame = DataFrame::new(bars.len(), columns).map_err(failed)?;
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes)
        .with_compression(ParquetCompression::Zstd(None))
        .set_parallel(false)
        .finish(&mut frame)
        .map_err(failed)?;
    Ok(bytes)
}
