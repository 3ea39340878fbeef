//! Parquet bytes to columns and back.

use crate::arrow::local;
use crate::bars::{Bars, UNREADABLE_DATE};
use crate::error::DataError;
use crate::import::{Cells, Foreign, MOST_ROWS};
use crate::intraday::{Intraday, UNREADABLE_STAMP};
use crate::series::Series;
use crate::text::{Day, Moment};
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use polars::prelude::{
    Column, DataFrame, DataType, IntoColumn, NamedFrom, ParallelStrategy, ParquetCompression,
    ParquetReader, ParquetWriter, SerReader, Series as PolarsSeries, TimeUnit,
};
use std::io::Cursor;

/// Number of 1970-01-01, counted from year 1.
const EPOCH: i32 = 719_163;

/// Longer frames are written column beside column; the bytes are the same.
const LONG: usize = 100_000;
/// Rows of a group of a Parquet file.
const GROUP: usize = 1 << 18;

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

/// Bars of less than a day out of Parquet bytes; `file` is named in errors.
pub(crate) fn read_intraday(
    bytes: &[u8],
    symbol: &str,
    minutes: u32,
    file: &str,
) -> Result<Intraday, DataError> {
    let frame = read(bytes, file)?;
    let stamps = frame.column("stamp").map_err(|e| damaged(file, e))?;
    let seconds = stamps.i64().map_err(|e| damaged(file, e))?;
    Ok(Intraday {
        symbol: symbol.to_owned(),
        minutes,
        stamps: seconds
            .iter()
            .map(|s| s.and_then(|s| DateTime::from_timestamp(s, 0)))
            .map(|t| t.unwrap_or(UNREADABLE_STAMP))
            .collect(),
        open: optional(&frame, "open", file)?,
        high: optional(&frame, "high", file)?,
        low: optional(&frame, "low", file)?,
        close: floats(&frame, "close", file)?,
        volume: optional(&frame, "volume", file)?,
    })
}

/// The columns of a user's Parquet file.
pub(crate) fn foreign(bytes: &[u8]) -> Result<Foreign, DataError> {
    let failed = || DataError::Format { format: "Parquet" };
    let mut reader = ParquetReader::new(Cursor::new(bytes));
    if reader.num_rows().map_err(|_| failed())? > MOST_ROWS {
        return Err(DataError::TooLong {
            format: "Parquet",
            most: MOST_ROWS,
        });
    }
    let frame = reader.finish().map_err(|_| failed())?;
    let mut foreign = Foreign {
        names: Vec::new(),
        columns: Vec::new(),
    };
    for column in frame.columns() {
        foreign.names.push(column.name().to_string());
        let cells = cells(column).map_err(|_| failed())?;
        foreign.columns.push(cells);
    }
    Ok(foreign)
}

fn cells(column: &Column) -> Result<Cells, polars::error::PolarsError> {
    let kind = column.dtype();
    Ok(match kind {
        kind if kind.is_primitive_numeric() => {
            let column = column.cast(&DataType::Float64)?;
            Cells::Numbers(
                column
                    .f64()?
                    .iter()
                    .map(|x| x.unwrap_or(f64::NAN))
                    .collect(),
            )
        }
        DataType::Date => {
            let read = |days: Option<i32>| {
                let date =
                    days.and_then(|d| NaiveDate::from_num_days_from_ce_opt(d.checked_add(EPOCH)?));
                date.map_or(Moment::UNREADABLE, |d| Moment {
                    day: Day::Known(d),
                    time: None,
                })
            };
            Cells::Moments(column.date()?.physical().iter().map(read).collect())
        }
        DataType::Datetime(unit, zone) => {
            let at = |t: i64| match unit {
                TimeUnit::Milliseconds => DateTime::from_timestamp_millis(t),
                TimeUnit::Microseconds => DateTime::from_timestamp_micros(t),
                TimeUnit::Nanoseconds => Some(DateTime::from_timestamp_nanos(t)),
            };
            let zone = zone.as_ref().map(ToString::to_string);
            let read = |t: Option<i64>| {
                let t: Option<DateTime<Utc>> = t.and_then(at);
                t.map_or(Moment::UNREADABLE, |t| local(t, zone.as_deref()))
            };
            Cells::Moments(column.datetime()?.physical().iter().map(read).collect())
        }
        DataType::String => Cells::Texts(
            column
                .str()?
                .iter()
                .map(|c| c.unwrap_or_default().to_owned())
                .collect(),
        ),
        other => Cells::Other(other.to_string()),
    })
}

/// Bars as Parquet bytes: the same bars give the same bytes.
pub(crate) fn write_bars(bars: &Bars, file: &str) -> Result<Vec<u8>, DataError> {
    let days: Vec<i32> = bars
        .dates
        .iter()
        .map(|d| d.num_days_from_ce() - EPOCH)
        .collect();
    let days = PolarsSeries::new("date".into(), days)
        .cast(&DataType::Date)
        .map_err(|e| not_written(file, &e))?;
    write(days, bars.columns(), file)
}

/// A series as Parquet bytes: the same series gives the same bytes.
pub(crate) fn write_series(series: &Series, file: &str) -> Result<Vec<u8>, DataError> {
    let days = [("date", &*series.dates), ("known_at", &*series.known_at)];
    write_columns(&days, &[("value", &series.values)], file)
}

/// Columns of days, one at least, and of figures, all of one length, as Parquet bytes.
pub(crate) fn write_columns(
    days: &[(&str, &[NaiveDate])],
    figures: &[(&str, &[f64])],
    file: &str,
) -> Result<Vec<u8>, DataError> {
    let mut columns: Vec<Column> = Vec::with_capacity(days.len() + figures.len());
    for (name, column) in days {
        let numbers: Vec<i32> = column
            .iter()
            .map(|d| d.num_days_from_ce() - EPOCH)
            .collect();
        let column = PolarsSeries::new((*name).into(), numbers)
            .cast(&DataType::Date)
            .map_err(|e| not_written(file, &e))?;
        columns.push(column.into_column());
    }
    for (name, column) in figures {
        columns.push(PolarsSeries::new((*name).into(), *column).into_column());
    }
    let rows = days.first().map_or(0, |(_, column)| column.len());
    finish(rows, columns, file)
}

/// Columns with holes, all of one length, as Parquet bytes.
pub(crate) fn write_table(
    table: &[(&str, crate::export::Cells)],
    file: &str,
) -> Result<Vec<u8>, DataError> {
    use crate::export::Cells as C;
    let mut columns: Vec<Column> = Vec::with_capacity(table.len());
    for (name, cells) in table {
        let name = (*name).into();
        let column = match cells {
            C::Days(days) => {
                let numbers: Vec<Option<i32>> = days
                    .iter()
                    .map(|d| d.map(|d| d.num_days_from_ce() - EPOCH))
                    .collect();
                PolarsSeries::new(name, numbers)
                    .cast(&DataType::Date)
                    .map_err(|e| not_written(file, &e))?
            }
            C::Texts(texts) => PolarsSeries::new(name, texts.as_slice()),
            C::Figures(figures) => PolarsSeries::new(name, figures.as_slice()),
            C::Counts(counts) => PolarsSeries::new(name, counts.as_slice()),
        };
        columns.push(column.into_column());
    }
    let rows = table.first().map_or(0, |(_, c)| c.len());
    finish(rows, columns, file)
}

/// Columns of days and of figures.
pub(crate) type Columns = (Vec<Vec<NaiveDate>>, Vec<Vec<f64>>);

/// Columns of days and of figures of these names out of Parquet bytes; `file` is named in errors.
pub(crate) fn read_columns(
    bytes: &[u8],
    days: &[&str],
    figures: &[&str],
    file: &str,
) -> Result<Columns, DataError> {
    let frame = read(bytes, file)?;
    let days = days.iter().map(|name| dates(&frame, name, file));
    let figures = figures.iter().map(|name| floats(&frame, name, file));
    Ok((
        days.collect::<Result<_, _>>()?,
        figures.collect::<Result<_, _>>()?,
    ))
}

/// Bars of less than a day as Parquet bytes; `stamp` is the begin of a bar in seconds since 1970.
pub(crate) fn write_intraday(bars: &Intraday, file: &str) -> Result<Vec<u8>, DataError> {
    let stamps: Vec<i64> = bars.stamps.iter().map(DateTime::timestamp).collect();
    write(
        PolarsSeries::new("stamp".into(), stamps),
        bars.columns(),
        file,
    )
}

fn not_written(file: &str, e: &polars::error::PolarsError) -> DataError {
    DataError::Io {
        file: file.to_owned(),
        action: "written",
        reason: e.to_string(),
    }
}

fn write(
    index: PolarsSeries,
    figures: Vec<(&'static str, &[f64])>,
    file: &str,
) -> Result<Vec<u8>, DataError> {
    let rows = index.len();
    // A copy of one group at a time: a long file twice in memory costs more than to write it.
    let group = |from: usize| {
        let to = rows.min(from + GROUP);
        let mut columns: Vec<Column> = vec![index.slice(from as i64, to - from).into_column()];
        for (name, column) in &figures {
            let part = column.get(from..to).unwrap_or_default();
            columns.push(PolarsSeries::new((*name).into(), part).into_column());
        }
        DataFrame::new(to - from, columns)
    };
    let all = || {
        let mut bytes = Vec::new();
        let first = group(0)?;
        let mut file = writer(&mut bytes, rows).batched(first.schema())?;
        file.write_batch(&first)?;
        for from in (GROUP..rows).step_by(GROUP) {
            file.write_batch(&group(from)?)?;
        }
        file.finish()?;
        Ok(bytes)
    };
    all().map_err(|e| not_written(file, &e))
}

/// Writes Parquet into `bytes`.
fn writer(bytes: &mut Vec<u8>, rows: usize) -> ParquetWriter<&mut Vec<u8>> {
    ParquetWriter::new(bytes)
        .with_compression(ParquetCompression::Zstd(None))
        .set_parallel(rows > LONG)
}

fn finish(rows: usize, columns: Vec<Column>, file: &str) -> Result<Vec<u8>, DataError> {
    let mut frame = DataFrame::new(rows, columns).map_err(|e| not_written(file, &e))?;
    let mut bytes = Vec::new();
    writer(&mut bytes, rows)
        .finish(&mut frame)
        .map_err(|e| not_written(file, &e))?;
    Ok(bytes)
}
