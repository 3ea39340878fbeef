//! Columns out of Arrow IPC bytes, the file format (Feather 2) or the stream.

use crate::error::DataError;
use crate::import::{Cells, Foreign, MOST_ROWS};
use crate::text::{Day, Moment};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, DataType, TimeUnit};
use chrono::{DateTime, FixedOffset, Offset as _, TimeZone as _, Utc};
use chrono_tz::Tz;
use std::io::Cursor;

fn damaged(_: ArrowError) -> DataError {
    DataError::Format { format: "Arrow" }
}

/// Reads all batches of a file or stream.
pub(crate) fn read(bytes: &[u8]) -> Result<Foreign, DataError> {
    let cursor = Cursor::new(bytes);
    let batches = if bytes.starts_with(b"ARROW1") {
        take(FileReader::try_new(cursor, None).map_err(damaged)?)?
    } else {
        take(StreamReader::try_new(cursor, None).map_err(damaged)?)?
    };
    let Some(first) = batches.first() else {
        return Err(DataError::Empty);
    };
    let fields = first.schema().fields().clone();
    let mut foreign = Foreign {
        names: fields.iter().map(|f| f.name().clone()).collect(),
        columns: Vec::with_capacity(fields.len()),
    };
    for at in 0..fields.len() {
        let parts: Vec<&dyn Array> = batches.iter().map(|b| b.column(at).as_ref()).collect();
        foreign.columns.push(cells(&parts));
    }
    Ok(foreign)
}

/// All batches, as long as they are not too many rows together.
fn take(
    reader: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
) -> Result<Vec<RecordBatch>, DataError> {
    let (mut batches, mut rows) = (Vec::new(), 0);
    for batch in reader {
        let batch = batch.map_err(damaged)?;
        rows += batch.num_rows();
        if rows > MOST_ROWS {
            return Err(DataError::TooLong {
                format: "Arrow",
                most: MOST_ROWS,
            });
        }
        batches.push(batch);
    }
    Ok(batches)
}

fn numbers<T: ArrowPrimitiveType>(parts: &[&dyn Array], of: impl Fn(T::Native) -> f64) -> Cells {
    let values = parts.iter().flat_map(|p| p.as_primitive::<T>().iter());
    Cells::Numbers(values.map(|x| x.map_or(f64::NAN, &of)).collect())
}

fn moments<T: ArrowPrimitiveType<Native = i64>>(
    parts: &[&dyn Array],
    zone: Option<&str>,
    at: impl Fn(i64) -> Option<DateTime<Utc>>,
) -> Cells {
    let values = parts.iter().flat_map(|p| p.as_primitive::<T>().iter());
    let read = |x: Option<i64>| {
        x.and_then(&at)
            .map_or(Moment::UNREADABLE, |t| local(t, zone))
    };
    Cells::Moments(values.map(read).collect())
}

/// A moment as its own zone shows it; without a zone the figures are a local time.
pub(crate) fn local(at: DateTime<Utc>, zone: Option<&str>) -> Moment {
    let Some(zone) = zone else {
        return Moment {
            day: Day::Known(at.date_naive()),
            time: Some((at.time(), None)),
        };
    };
    let shift = zone
        .parse::<Tz>()
        .map(|tz| tz.offset_from_utc_datetime(&at.naive_utc()).fix())
        .or_else(|_| zone.parse::<FixedOffset>());
    shift.map_or(Moment::UNREADABLE, |shift| {
        let there = at.with_timezone(&shift);
        Moment {
            day: Day::Known(there.date_naive()),
            time: Some((there.time(), Some(shift.local_minus_utc()))),
        }
    })
}

fn cells(parts: &[&dyn Array]) -> Cells {
    let Some(first) = parts.first() else {
        return Cells::Numbers(Vec::new());
    };
    let day = |days: Option<i64>| {
        let date = days.and_then(|d| DateTime::from_timestamp(d.checked_mul(86_400)?, 0));
        date.map_or(Moment::UNREADABLE, |d| Moment {
            day: Day::Known(d.date_naive()),
            time: None,
        })
    };
    match first.data_type() {
        DataType::Float64 => numbers::<Float64Type>(parts, |x| x),
        DataType::Float32 => numbers::<Float32Type>(parts, f64::from),
        DataType::Int8 => numbers::<Int8Type>(parts, f64::from),
        DataType::Int16 => numbers::<Int16Type>(parts, f64::from),
        DataType::Int32 => numbers::<Int32Type>(parts, f64::from),
        DataType::Int64 => numbers::<Int64Type>(parts, |x| x as f64),
        DataType::UInt8 => numbers::<UInt8Type>(parts, f64::from),
        DataType::UInt16 => numbers::<UInt16Type>(parts, f64::from),
        DataType::UInt32 => numbers::<UInt32Type>(parts, f64::from),
        DataType::UInt64 => numbers::<UInt64Type>(parts, |x| x as f64),
        DataType::Date32 => {
            let days = parts
                .iter()
                .flat_map(|p| p.as_primitive::<Date32Type>().iter());
            Cells::Moments(days.map(|d| day(d.map(i64::from))).collect())
        }
        DataType::Date64 => {
            let days = parts
                .iter()
                .flat_map(|p| p.as_primitive::<Date64Type>().iter());
            Cells::Moments(
                days.map(|d| day(d.map(|ms| ms.div_euclid(86_400_000))))
                    .collect(),
            )
        }
        DataType::Timestamp(unit, zone) => {
            let zone = zone.as_deref();
            match unit {
                TimeUnit::Second => {
                    moments::<TimestampSecondType>(parts, zone, |t| DateTime::from_timestamp(t, 0))
                }
                TimeUnit::Millisecond => moments::<TimestampMillisecondType>(
                    parts,
                    zone,
                    DateTime::from_timestamp_millis,
                ),
                TimeUnit::Microsecond => moments::<TimestampMicrosecondType>(
                    parts,
                    zone,
                    DateTime::from_timestamp_micros,
                ),
                TimeUnit::Nanosecond => moments::<TimestampNanosecondType>(parts, zone, |t| {
                    Some(DateTime::from_timestamp_nanos(t))
                }),
            }
        }
        DataType::Utf8 => texts(parts.iter().flat_map(|p| p.as_string::<i32>().iter())),
        DataType::LargeUtf8 => texts(parts.iter().flat_map(|p| p.as_string::<i64>().iter())),
        DataType::Utf8View => texts(parts.iter().flat_map(|p| p.as_string_view().iter())),
        other => Cells::Other(other.to_string()),
    }
}

fn texts<'a>(cells: impl Iterator<Item = Option<&'a str>>) -> Cells {
    Cells::Texts(cells.map(|c| c.unwrap_or_default().to_owned()).collect())
}
