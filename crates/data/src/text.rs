//! Text cut into cells, and cells read as numbers and moments. One pass over the bytes; a cell is
//! a slice of the file unless a doubled quote has to be taken out.

use crate::error::DataError;
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime};
use memchr::{memchr, memchr_iter, memchr3};
use std::borrow::Cow;

/// A text file with a heading.
pub(crate) struct Sheet<'a> {
    pub(crate) delimiter: u8,
    pub(crate) heading: Vec<String>,
    body: &'a str,
}

impl<'a> Sheet<'a> {
    /// Finds delimiter and heading; `delimiter` overrides what the heading tells.
    pub(crate) fn new(bytes: &'a [u8], delimiter: Option<u8>) -> Result<Self, DataError> {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|e| DataError::NotText {
            offset: e.valid_up_to(),
        })?;
        if let Some(offset) = memchr(0, bytes) {
            return Err(DataError::NotText { offset });
        }
        let text = text.trim_start_matches(['\r', '\n']);
        let delimiter = delimiter.unwrap_or_else(|| self::delimiter(text));
        let mut rows = Rows::new(text, delimiter);
        let mut cells = Vec::new();
        if !rows.next(&mut cells)? {
            return Err(DataError::Empty);
        }
        let sheet = Self {
            delimiter,
            heading: cells.into_iter().map(Cow::into_owned).collect(),
            body: rows.rest(),
        };
        let mut rows = sheet.rows();
        let mut cells = Vec::new();
        while rows.next(&mut cells)? {
            if !is_blank(&cells) {
                return Ok(sheet);
            }
        }
        Err(DataError::Empty)
    }

    /// The rows below the heading.
    pub(crate) fn rows(&self) -> Rows<'a> {
        Rows {
            row: 1,
            ..Rows::new(self.body, self.delimiter)
        }
    }

    /// The rows below the heading in up to `n` parts of about equal length, in their order: one part
    /// where a quote could hold the end of a line.
    pub(crate) fn parts(&self, n: usize) -> Vec<Rows<'a>> {
        let mut parts = Vec::new();
        let mut rest = self.body;
        if n > 1 && memchr(b'"', rest.as_bytes()).is_none() {
            let share = rest.len() / n + 1;
            while rest.len() > share {
                let Some(line) = memchr(b'\n', &rest.as_bytes()[share..]) else {
                    break;
                };
                let (part, behind) = rest.split_at(share + line + 1);
                parts.push(Rows::new(part, self.delimiter));
                rest = behind;
            }
        }
        if parts.is_empty() {
            return vec![self.rows()];
        }
        parts.push(Rows::new(rest, self.delimiter));
        parts
    }

    /// Bytes below the heading.
    pub(crate) fn len(&self) -> usize {
        self.body.len()
    }
}

/// Whether a row holds nothing: such rows at the end of a file are not rows.
pub(crate) fn is_blank(cells: &[Cow<'_, str>]) -> bool {
    cells.iter().all(|c| c.is_empty())
}

/// The place of the first of delimiter, line feed and carriage return among the first 24 bytes,
/// looked for in eight bytes at a time.
fn near(bytes: &[u8], delimiter: u8) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let signs = [delimiter, b'\n', b'\r'].map(|sign| ONES * u64::from(sign));
    for (at, eight) in bytes.as_chunks::<8>().0.iter().take(3).enumerate() {
        let word = u64::from_le_bytes(*eight);
        // The lowest high bit that is set marks the first byte that is zero, that is, the sign.
        let found = signs.iter().fold(0, |found, sign| {
            let zero = word ^ sign;
            found | (zero.wrapping_sub(ONES) & !zero & HIGH)
        });
        if found != 0 {
            return Some(8 * at + found.trailing_zeros() as usize / 8);
        }
    }
    None
}

/// Reads row by row.
pub(crate) struct Rows<'a> {
    text: &'a str,
    at: usize,
    delimiter: u8,
    /// Rows read so far, with the heading where it is read.
    row: usize,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(text: &'a str, delimiter: u8) -> Self {
        Self {
            text,
            at: 0,
            delimiter,
            row: 0,
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// So many rows are left at most: as many as lines end, and one that does not.
    pub(crate) fn most(&self) -> usize {
        let bytes = self.rest().as_bytes();
        let lines = memchr_iter(b'\n', bytes).count();
        let alone = memchr_iter(b'\r', bytes).filter(|at| bytes.get(at + 1) != Some(&b'\n'));
        lines + alone.count() + 1
    }

    /// The cells of the next row; `false` after the last one. Cells without quotes are trimmed.
    ///
    /// # Errors
    /// [`DataError::OpenQuote`].
    pub(crate) fn next(&mut self, cells: &mut Vec<Cow<'a, str>>) -> Result<bool, DataError> {
        cells.clear();
        let bytes = self.text.as_bytes();
        if self.at >= bytes.len() {
            return Ok(false);
        }
        loop {
            let (cell, end) = self.cell()?;
            cells.push(cell);
            match bytes.get(end) {
                Some(b) if *b == self.delimiter => self.at = end + 1,
                Some(b'\r') if bytes.get(end + 1) == Some(&b'\n') => {
                    self.at = end + 2;
                    break;
                }
                other => {
                    self.at = end + usize::from(other.is_some());
                    break;
                }
            }
        }
        self.row += 1;
        Ok(true)
    }

    /// The cell that begins here and the place of the separator behind it.
    fn cell(&self) -> Result<(Cow<'a, str>, usize), DataError> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        // Most cells end within a few bytes, where two looks are quicker than to begin a search.
        let end = match near(bytes, self.delimiter) {
            Some(end) => end,
            None => memchr3(self.delimiter, b'\n', b'\r', bytes).unwrap_or(rest.len()),
        };
        let cell = trimmed(rest.get(..end).unwrap_or_default());
        if !cell.starts_with('"') {
            return Ok((Cow::Borrowed(cell), self.at + end));
        }
        let open = rest.find('"').unwrap_or_default() + 1;
        let mut text = Cow::Borrowed("");
        let mut from = open;
        loop {
            let inside = rest.get(from..).unwrap_or_default();
            let Some(close) = memchr(b'"', inside.as_bytes()) else {
                return Err(DataError::OpenQuote { row: self.row });
            };
            let part = inside.get(..close).unwrap_or_default();
            if text.is_empty() {
                text = Cow::Borrowed(part);
            } else {
                text.to_mut().push_str(part);
            }
            from += close + 1;
            if rest.as_bytes().get(from) != Some(&b'"') {
                break;
            }
            text.to_mut().push('"');
            from += 1;
        }
        let behind = rest.get(from..).unwrap_or_default();
        let end = memchr3(self.delimiter, b'\n', b'\r', behind.as_bytes()).unwrap_or(behind.len());
        let more = behind.get(..end).unwrap_or_default().trim();
        if !more.is_empty() {
            text.to_mut().push_str(more);
        }
        Ok((text, self.at + from + end))
    }
}

/// The separator that occurs most often in the heading, outside quotes; the comma when none does.
fn delimiter(text: &str) -> u8 {
    let mut counts = [(b',', 0_usize), (b';', 0), (b'\t', 0), (b'|', 0)];
    let mut quoted = false;
    for b in text.bytes() {
        match b {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if !quoted => {
                if let Some((_, n)) = counts.iter_mut().find(|(d, _)| *d == b) {
                    *n += 1;
                }
            }
            _ => {}
        }
    }
    let mut best = counts[0];
    for other in &counts[1..] {
        if other.1 > best.1 {
            best = *other;
        }
    }
    best.0
}

/// A cell in a message: its first 40 characters.
pub(crate) fn shown(cell: &str) -> String {
    cell.chars().take(40).collect()
}

/// [`str::trim`], with a quick answer for a cell that plainly has nothing around it.
fn trimmed(cell: &str) -> &str {
    match cell.as_bytes() {
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => cell,
        _ => cell.trim(),
    }
}

/// A finite number with a decimal point and nothing else.
pub(crate) fn plain_number(cell: &str) -> Option<f64> {
    fast_float2::parse(cell)
        .ok()
        .filter(|x: &f64| x.is_finite())
}

/// A price or volume; NaN when it cannot be read without doubt. With a decimal point: also `$` in
/// front and thousands (`1,234.5`, `1,234,567`) where they cannot be taken for decimals; with a
/// decimal comma the same with points, and a unit of money in front or behind.
pub(crate) fn money(cell: &str, comma: bool) -> f64 {
    if !comma && let Some(x) = plain_number(cell) {
        return x;
    }
    let cell = cell.trim_matches(['$', '\u{20ac}', '\u{a3}', ' ', '\u{a0}']);
    let (decimal, thousands) = if comma { (',', '.') } else { ('.', ',') };
    let (whole, fraction) = match cell.split_once(decimal) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (cell, None),
    };
    let mut groups = whole.split(thousands);
    let first = groups.next().unwrap_or_default();
    let (mut count, mut threes) = (1, true);
    for group in groups {
        count += 1;
        threes &= group.len() == 3 && group.bytes().all(|b| b.is_ascii_digit());
    }
    let digits = first.trim_start_matches(['-', '+']);
    // After a proof of decimal commas a point can only part thousands.
    let sure = comma || count > 2 || fraction.is_some();
    let grouped = threes && sure && (1..=3).contains(&digits.len());
    if count > 1 && !grouped {
        return f64::NAN;
    }
    let mut plain = String::with_capacity(cell.len());
    plain.extend(whole.chars().filter(|c| *c != thousands));
    if let Some(fraction) = fraction {
        plain.push('.');
        plain.push_str(fraction);
    }
    plain_number(&plain).unwrap_or(f64::NAN)
}

/// A cell's proof of its decimal sign: `Some(true)` for a comma, `Some(false)` for a point, `None`
/// when it fits both (`12`, `1,234`, `1.234`) or is no number.
pub(crate) fn decimal_comma(cell: &str) -> Option<bool> {
    let sign = cell.find(['.', ','])?;
    let (whole, fraction) = cell.split_at(sign);
    let thousands = fraction.len() == 4 && (1..=3).contains(&whole.len()) && whole != "0";
    if thousands {
        return None;
    }
    match (
        money(cell, false).is_finite(),
        money(cell, true).is_finite(),
    ) {
        (false, true) => Some(true),
        (true, false) => Some(false),
        _ => None,
    }
}

/// The order of the parts of a date such as 03/04/2004.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrder {
    /// Year, month, day: nothing to decide.
    Ymd,
    /// Month before day.
    Mdy,
    /// Day before month.
    Dmy,
}

/// The day of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Day {
    /// A date that can be read in one way.
    Known(NaiveDate),
    /// Month and day, or day and month, and the year.
    Either(u8, u8, i16),
    /// None.
    Unreadable,
}

/// A cell of a column of dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) day: Day,
    /// The time of day, where there is one, with its offset from UTC in seconds, where it has one.
    pub(crate) time: Option<(NaiveTime, Option<i32>)>,
}

impl Moment {
    pub(crate) const UNREADABLE: Self = Self {
        day: Day::Unreadable,
        time: None,
    };
}

fn known(y: i32, m: u32, d: u32) -> Day {
    match NaiveDate::from_ymd_opt(y, m, d) {
        Some(date) if (1800..2200).contains(&date.year()) => Day::Known(date),
        _ => Day::Unreadable,
    }
}

fn digits(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > 9 {
        return None;
    }
    text.iter().try_fold(0_u32, |n, b| {
        b.is_ascii_digit().then(|| n * 10 + u32::from(b - b'0'))
    })
}

/// Reads a date with or without a time of day.
pub(crate) fn moment(cell: &str) -> Moment {
    let bytes = cell.as_bytes();
    // By far the most frequent forms first: a day, and a day with hours, minutes and seconds.
    if let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, clock @ ..] = bytes
        && let (Some(y), Some(m), Some(d)) = (
            digits(&[*y1, *y2, *y3, *y4]),
            digits(&[*m1, *m2]),
            digits(&[*d1, *d2]),
        )
    {
        let day = || known(y.cast_signed(), m, d);
        if clock.is_empty() {
            return Moment {
                day: day(),
                time: None,
            };
        }
        if let [
            b'T' | b' ',
            h1,
            h2,
            b':',
            min1,
            min2,
            b':',
            s1,
            s2,
            zone @ ..,
        ] = clock
            && let (Some(h), Some(min), Some(sec)) = (
                digits(&[*h1, *h2]),
                digits(&[*min1, *min2]),
                digits(&[*s1, *s2]),
            )
            && let Some(time) = NaiveTime::from_hms_opt(h, min, sec)
            && let Some(offset) = match zone {
                b"" => Some(None),
                b"Z" => Some(Some(0)),
                _ => None,
            }
        {
            return Moment {
                day: day(),
                time: Some((time, offset)),
            };
        }
    }
    let end = cell.find(['T', ' ']).unwrap_or(cell.len());
    let (date, behind) = cell.split_at(end);
    let behind = behind.trim_start_matches(['T', ' ']);
    let time = if behind.is_empty() {
        None
    } else {
        match time_of_day(behind) {
            Some(time) => Some(time),
            None => return Moment::UNREADABLE,
        }
    };
    // Seconds or milliseconds since 1970, as some interfaces write them.
    if time.is_none() && matches!(date.len(), 10 | 13) && date.bytes().all(|b| b.is_ascii_digit()) {
        let n: i64 = date.parse().unwrap_or_default();
        let at = if date.len() == 10 {
            DateTime::from_timestamp(n, 0)
        } else {
            DateTime::from_timestamp_millis(n)
        };
        return at.map_or(Moment::UNREADABLE, |at| Moment {
            day: known(at.year(), at.month(), at.day()),
            time: Some((at.time(), Some(0))),
        });
    }
    Moment {
        day: day(date),
        time,
    }
}

fn day(text: &str) -> Day {
    let bytes = text.as_bytes();
    let mut parts = [&bytes[..0]; 3];
    let mut n = 0;
    for part in bytes.split(|b| matches!(b, b'-' | b'/' | b'.')) {
        let Some(place) = parts.get_mut(n) else {
            return Day::Unreadable;
        };
        *place = part;
        n += 1;
    }
    let read = |y: &[u8], m: &[u8], d: &[u8]| match (digits(y), digits(m), digits(d)) {
        (Some(y), Some(m), Some(d)) => known(y.cast_signed(), m, d),
        _ => Day::Unreadable,
    };
    match (n, parts) {
        (1, [all, ..]) if all.len() == 8 => read(&all[..4], &all[4..6], &all[6..]),
        (3, [y, m, d]) if y.len() == 4 => read(y, m, d),
        (3, [d, m, y]) if y.len() == 4 && text.contains('.') => read(y, m, d),
        (3, [a, b, y]) if y.len() == 4 => {
            let small = |part: &[u8]| digits(part).and_then(|n| u8::try_from(n).ok());
            match (small(a), small(b), digits(y)) {
                (Some(a), Some(b), Some(y)) => Day::Either(a, b, i16::try_from(y).unwrap_or(0)),
                _ => Day::Unreadable,
            }
        }
        _ => Day::Unreadable,
    }
}

/// `9:30`, `09:30:00`, `09:30:00.123`, each with `AM` or `PM`, `Z`, `UTC` or an offset behind.
pub(crate) fn time_of_day(text: &str) -> Option<(NaiveTime, Option<i32>)> {
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.'))
        .unwrap_or(text.len());
    let (clock, behind) = text.split_at(end);
    let mut parts = clock.split(':');
    let hour: u32 = digits(parts.next()?.as_bytes())?;
    let minute = digits(parts.next()?.as_bytes())?;
    let second = match parts.next() {
        None => 0,
        Some(s) => digits(s.split('.').next()?.as_bytes())?,
    };
    if parts.next().is_some() {
        return None;
    }
    let behind = behind.trim();
    let (hour, behind) = match behind.get(..2).map(str::to_ascii_uppercase).as_deref() {
        Some("AM") if (1..=12).contains(&hour) => (hour % 12, behind.get(2..)?),
        Some("PM") if (1..=12).contains(&hour) => (hour % 12 + 12, behind.get(2..)?),
        _ => (hour, behind),
    };
    let time = NaiveTime::from_hms_opt(hour, minute, second)?;
    let offset = match behind.trim() {
        "" => None,
        "Z" | "UTC" | "GMT" => Some(0),
        signed => {
            let sign = match signed.as_bytes().first()? {
                b'+' => 1,
                b'-' => -1,
                _ => return None,
            };
            let plain = signed.get(1..)?.replace(':', "");
            let (hours, minutes) = match plain.len() {
                2 => (digits(plain.as_bytes())?, 0),
                4 => (
                    digits(plain.get(..2)?.as_bytes())?,
                    digits(plain.get(2..)?.as_bytes())?,
                ),
                _ => return None,
            };
            if hours > 14 || minutes > 59 {
                return None;
            }
            Some(sign * (hours * 3600 + minutes * 60).cast_signed())
        }
    };
    Some((time, offset))
}

/// Decides month/day or day/month for a whole column and reads every day in that one way; `None`
/// for a cell that is no date. `order` decides where the user has said it; `cell` gives the text of
/// a row for messages.
pub(crate) fn days(
    column: &str,
    moments: &[Moment],
    order: Option<DateOrder>,
    cell: impl Fn(usize) -> String,
) -> Result<Vec<Option<NaiveDate>>, DataError> {
    // The first row (from 0) that can only be month/day, the first that can only be day/month, and
    // the first that can be both.
    let (mut month_day, mut day_month, mut either) = (None, None, None);
    for (at, moment) in moments.iter().enumerate() {
        if let Day::Either(a, b, _) = moment.day {
            let (low, high) = ((1..=12), (13..=31));
            if low.contains(&a) && high.contains(&b) {
                month_day = month_day.or(Some(at));
            } else if low.contains(&b) && high.contains(&a) {
                day_month = day_month.or(Some(at));
            }
            either = either.or(Some(at));
        }
    }
    let month_first = match (order, month_day, day_month) {
        (Some(DateOrder::Mdy), ..) => true,
        (Some(DateOrder::Dmy), ..) => false,
        (_, Some(m), Some(d)) => {
            return Err(DataError::Cell {
                column: column.to_owned(),
                row: m.max(d) + 1,
                reason: format!(
                    "\"{}\" is month/day and \"{}\" is day/month; write all dates as YYYY-MM-DD",
                    shown(&cell(m)),
                    shown(&cell(d))
                ),
            });
        }
        (_, Some(_), None) => true,
        (_, None, Some(_)) => false,
        (_, None, None) => match either {
            Some(at) => {
                return Err(DataError::AmbiguousDates {
                    column: column.to_owned(),
                    example: shown(&cell(at)),
                });
            }
            None => true,
        },
    };
    let read = |moment: &Moment| match moment.day {
        Day::Known(date) => Some(date),
        Day::Either(a, b, year) => {
            let (month, day) = if month_first { (a, b) } else { (b, a) };
            match known(i32::from(year), u32::from(month), u32::from(day)) {
                Day::Known(date) => Some(date),
                _ => None,
            }
        }
        Day::Unreadable => None,
    };
    Ok(moments.iter().map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::near;

    /// The quick look finds the sign at every place within its reach, among bytes that are one bit off
    /// from a sign, and leaves those beyond to the search.
    #[test]
    fn the_next_sign_is_found_at_every_place() {
        for delimiter in [b',', b';', b'\t', b'|'] {
            let others = [delimiter ^ 1, b'\n' ^ 1, 0x80 | delimiter, b'7', 0];
            for sign in [delimiter, b'\n', b'\r'] {
                for at in 0..40 {
                    let mut bytes: Vec<u8> = others.into_iter().cycle().take(41).collect();
                    bytes[at] = sign;
                    bytes[at + 1] = delimiter;
                    assert_eq!(near(&bytes, delimiter), (at < 24).then_some(at));
                    let from = at / 8 * 8;
                    assert_eq!(near(&bytes[from..], delimiter), Some(at - from));
                }
            }
        }
    }
}
