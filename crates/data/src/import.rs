//! Users' files: which format, which columns, which signs; then bars out of them.
//!
//! CSV (any of `, ; | tab`, decimal point or comma), Parquet and Arrow IPC (file or stream) are told
//! from their first bytes. What is found can be looked at ([`look`]) and corrected with a
//! [`Mapping`], one `key=value` a correction:
//!
//! | key | value |
//! |---|---|
//! | `date`, `time`, `open`, `high`, `low`, `close`, `volume` | name of the column |
//! | `delimiter` | `comma`, `semicolon`, `tab`, `pipe` |
//! | `decimal` | `point`, `comma` |
//! | `dates` | `ymd`, `mdy`, `dmy` |
//! | `zone` | where times of day without an offset were read: `America/New_York` (the default), `UTC`, ... |
//!
//! Rows of one day with different times of day make [`Intraday`] bars; otherwise the time of day is
//! left out and the rows are daily bars. A cell that cannot be read stays in, marked, and is set
//! aside by the gate with its reason.

use crate::arrow;
use crate::bars::{Bars, UNREADABLE_DATE};
use crate::error::DataError;
use crate::frame;
use crate::intraday::{Intraday, UNREADABLE_STAMP};
use crate::text::{
    Day, Moment, Rows, Sheet, days, decimal_comma, is_blank, moment, money, time_of_day,
};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeZone as _, Timelike as _, Utc};
use chrono_tz::Tz;
use mltrainer_types::data::{FileColumn, FileLayout};
use std::borrow::Cow;
use std::collections::BTreeMap;

pub use crate::text::DateOrder;

/// Rows of a Parquet or Arrow file that are read at most: minutes of fifty years.
pub(crate) const MOST_ROWS: usize = 5_000_000;
/// Rows that are looked at to tell decimal sign and columns.
const SAMPLE: usize = 200;
/// Rows that [`look`] shows.
const SHOWN: usize = 5;

/// What a column of a file may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// Day, perhaps with the time of day.
    Date,
    /// Time of day beside a column of days.
    Time,
    /// Opening price.
    Open,
    /// Highest price.
    High,
    /// Lowest price.
    Low,
    /// Closing price.
    Close,
    /// Shares traded.
    Volume,
}

impl Field {
    /// All fields, as in a heading.
    pub const ALL: [Self; 7] = [
        Self::Date,
        Self::Time,
        Self::Open,
        Self::High,
        Self::Low,
        Self::Close,
        Self::Volume,
    ];
    /// Close comes fourth: [`CLOSE`].
    const FIGURES: [Self; 5] = [Self::Open, Self::High, Self::Low, Self::Close, Self::Volume];

    /// Its name in a mapping.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::Time => "time",
            Self::Open => "open",
            Self::High => "high",
            Self::Low => "low",
            Self::Close => "close",
            Self::Volume => "volume",
        }
    }

    /// Names of columns as they stand in files; the earlier one wins.
    pub(crate) const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Date => &["date", "timestamp", "datetime", "time", "day"],
            Self::Time => &["time", "time of day"],
            Self::Open => &["open", "o"],
            Self::High => &["high", "h"],
            Self::Low => &["low", "l"],
            Self::Close => &["close", "c", "last", "close/last", "price"],
            Self::Volume => &["volume", "vol", "v"],
        }
    }
}

/// Names of a close that is adjusted: taken where there is no close as traded.
pub(crate) const ADJUSTED: &[&str] = &["adj close", "adjusted close", "adjclose"];

/// The user's corrections of what was found in a file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mapping {
    columns: BTreeMap<Field, String>,
    delimiter: Option<u8>,
    comma: Option<bool>,
    order: Option<DateOrder>,
    zone: Option<Tz>,
}

impl Mapping {
    /// Reads corrections parted by commas, such as `date=Datum,close=Schluss,decimal=comma`.
    ///
    /// # Errors
    /// [`DataError::Mapping`] naming the part and what may be said.
    pub fn parse(text: &str) -> Result<Self, DataError> {
        let mut mapping = Self::default();
        for part in text.split(',').filter(|p| !p.trim().is_empty()) {
            let Some((key, value)) = part.split_once('=') else {
                return Err(DataError::Mapping {
                    given: part.trim().to_owned(),
                    reason: "say KEY=VALUE, for example close=Schluss".to_owned(),
                });
            };
            mapping.set(key.trim(), value.trim())?;
        }
        Ok(mapping)
    }

    /// Sets one correction; an empty value sets nothing.
    ///
    /// # Errors
    /// [`DataError::Mapping`] for an unknown key or value.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), DataError> {
        let wrong = |may: &str| DataError::Mapping {
            given: format!("{key}={value}"),
            reason: format!("may be {may}"),
        };
        if value.is_empty() {
            return Ok(());
        }
        if let Some(field) = Field::ALL.into_iter().find(|f| f.as_str() == key) {
            self.columns.insert(field, value.to_owned());
            return Ok(());
        }
        match key {
            "delimiter" => {
                self.delimiter = Some(match value {
                    "comma" | "," => b',',
                    "semicolon" | ";" => b';',
                    "tab" | "\t" => b'\t',
                    "pipe" | "|" => b'|',
                    _ => return Err(wrong("comma, semicolon, tab or pipe")),
                });
            }
            "decimal" => {
                self.comma = Some(match value {
                    "point" => false,
                    "comma" => true,
                    _ => return Err(wrong("point or comma")),
                });
            }
            "dates" => {
                self.order = Some(match value {
                    "ymd" => DateOrder::Ymd,
                    "mdy" => DateOrder::Mdy,
                    "dmy" => DateOrder::Dmy,
                    _ => return Err(wrong("ymd, mdy or dmy")),
                });
            }
            "zone" => {
                let zone = value.parse();
                let names = "a name of the time zone database such as America/New_York, Europe/Berlin or UTC";
                self.zone = Some(zone.map_err(|_| wrong(names))?);
            }
            _ => {
                return Err(DataError::Mapping {
                    given: key.to_owned(),
                    reason: "there are date, time, open, high, low, close, volume, delimiter, decimal, dates and zone"
                        .to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Whether nothing is corrected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn zone(&self) -> Tz {
        self.zone.unwrap_or(chrono_tz::America::New_York)
    }
}

/// What a file held.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// One row a day.
    Daily(Bars),
    /// Several rows a day.
    Intraday(Intraday),
}

/// A file cut into columns, before anything is chosen.
enum File<'a> {
    Text(Sheet<'a>),
    Columns(&'static str, Foreign),
}

/// The columns of a Parquet or Arrow file, all of one length.
pub(crate) struct Foreign {
    pub(crate) names: Vec<String>,
    pub(crate) columns: Vec<Cells>,
}

/// One column of such a file.
pub(crate) enum Cells {
    /// NaN where there is none.
    Numbers(Vec<f64>),
    Moments(Vec<Moment>),
    Texts(Vec<String>),
    /// A type that holds no bars, by its name.
    Other(String),
}

impl Cells {
    fn text(&self, row: usize) -> String {
        match self {
            Self::Numbers(x) => x.get(row).map_or(String::new(), f64::to_string),
            Self::Texts(x) => x.get(row).cloned().unwrap_or_default(),
            Self::Other(kind) => format!("({kind})"),
            Self::Moments(x) => match x.get(row) {
                Some(Moment {
                    day: Day::Known(d),
                    time: None,
                }) => d.to_string(),
                Some(Moment {
                    day: Day::Known(d),
                    time: Some((t, _)),
                }) => format!("{d} {t}"),
                _ => String::new(),
            },
        }
    }
}

impl<'a> File<'a> {
    fn open(bytes: &'a [u8], mapping: &Mapping) -> Result<Self, DataError> {
        if bytes.starts_with(b"PAR1") {
            return Ok(Self::Columns("Parquet", frame::foreign(bytes)?));
        }
        if bytes.starts_with(b"ARROW1") || bytes.starts_with(&[0xFF; 4]) {
            return Ok(Self::Columns("Arrow", arrow::read(bytes)?));
        }
        Sheet::new(bytes, mapping.delimiter).map(Self::Text)
    }

    fn heading(&self) -> &[String] {
        match self {
            Self::Text(sheet) => &sheet.heading,
            Self::Columns(_, foreign) => &foreign.names,
        }
    }

    /// The first rows as text; rows that lack cells are filled with empty ones.
    fn sample(&self) -> Result<Vec<Vec<String>>, DataError> {
        let width = self.heading().len();
        let mut sample = Vec::new();
        match self {
            Self::Text(sheet) => {
                let (mut rows, mut cells) = (sheet.rows(), Vec::new());
                while sample.len() < SAMPLE && rows.next(&mut cells)? {
                    let mut row: Vec<String> = cells.iter().map(|c| c.to_string()).collect();
                    row.resize(width, String::new());
                    sample.push(row);
                }
            }
            Self::Columns(_, foreign) => {
                let rows = foreign.columns.iter().map(|c| match c {
                    Cells::Numbers(x) => x.len(),
                    Cells::Moments(x) => x.len(),
                    Cells::Texts(x) => x.len(),
                    Cells::Other(_) => 0,
                });
                for row in 0..rows.max().unwrap_or(0).min(SAMPLE) {
                    sample.push(foreign.columns.iter().map(|c| c.text(row)).collect());
                }
            }
        }
        Ok(sample)
    }
}

/// Which column holds what.
struct Chosen {
    date: usize,
    time: Option<usize>,
    /// In the order of [`Field::FIGURES`].
    figures: [Option<usize>; 5],
    comma: bool,
}

impl Chosen {
    fn column(&self, field: Field) -> Option<usize> {
        match field {
            Field::Date => Some(self.date),
            Field::Time => self.time,
            figure => {
                let place = Field::FIGURES.iter().position(|f| *f == figure)?;
                self.figures[place]
            }
        }
    }
}

/// The column with the first of these names that occurs.
///
/// # Errors
/// [`DataError::Heading`] when two columns bear it.
pub(crate) fn find_column(heading: &[String], names: &[&str]) -> Result<Option<usize>, DataError> {
    let plain = |name: &String| {
        name.to_lowercase()
            .replace(['_', '.', '-', '<', '>'], " ")
            .trim()
            .to_owned()
    };
    for wanted in names {
        let mut found = heading
            .iter()
            .enumerate()
            .filter(|(_, name)| plain(name) == *wanted);
        if let Some((at, name)) = found.next() {
            return match found.next() {
                None => Ok(Some(at)),
                Some((_, other)) => Err(DataError::Heading {
                    reason: format!(
                        "\"{name}\" and \"{other}\" both name the {wanted}; take one out"
                    ),
                }),
            };
        }
    }
    Ok(None)
}

/// The only column for which `is` holds in every filled cell of the sample, if there is just one.
fn only_column(
    sample: &[Vec<String>],
    width: usize,
    taken: &[usize],
    is: impl Fn(&str) -> bool,
) -> Option<usize> {
    let holds = |at: &usize| {
        let mut filled = sample
            .iter()
            .map(|row| row[*at].as_str())
            .filter(|c| !c.is_empty())
            .peekable();
        filled.peek().is_some() && filled.all(&is)
    };
    let mut fitting = (0..width).filter(|at| !taken.contains(at)).filter(holds);
    let first = fitting.next()?;
    fitting.next().is_none().then_some(first)
}

/// The column of a field, by the mapping or by its names.
fn find(heading: &[String], mapping: &Mapping, field: Field) -> Result<Option<usize>, DataError> {
    let Some(name) = mapping.columns.get(&field) else {
        return find_column(heading, field.names());
    };
    let place =
        |same: fn(&str, &str) -> bool| heading.iter().position(|h| same(h.trim(), name.trim()));
    place(|a, b| a == b)
        .or_else(|| place(|a, b| a.to_lowercase() == b.to_lowercase()))
        .map(Some)
        .ok_or_else(|| DataError::Mapping {
            given: format!("{}={name}", field.as_str()),
            reason: format!(
                "there is no such column; the heading has {}",
                heading.join(", ")
            ),
        })
}

/// The column of days: named so, or the only one that holds nothing but dates.
fn find_date(
    heading: &[String],
    sample: &[Vec<String>],
    mapping: &Mapping,
) -> Result<Option<usize>, DataError> {
    let is_date = |c: &str| moment(c).day != Day::Unreadable;
    Ok(find(heading, mapping, Field::Date)?
        .or_else(|| only_column(sample, heading.len(), &[], is_date)))
}

fn choose(
    heading: &[String],
    sample: &[Vec<String>],
    mapping: &Mapping,
) -> Result<Chosen, DataError> {
    let find = |field: Field| find(heading, mapping, field);
    let lacks = |what: &str| DataError::Heading {
        reason: format!(
            "there is no column \"{what}\"; the heading has {}; say which it is with {what}=NAME",
            heading.join(", ")
        ),
    };
    let date = find_date(heading, sample, mapping)?.ok_or_else(|| lacks("date"))?;
    // A heading may name the days `date` and the hours `time`; `time` alone is the date.
    // A column of that name that holds no clock is something else, unless the user says so.
    let said = mapping.columns.contains_key(&Field::Time);
    let clock = |at: usize| sample.iter().any(|row| time_of_day(&row[at]).is_some());
    let time = find(Field::Time)?.filter(|at| *at != date && (said || clock(*at)));
    let mut figures = [None; 5];
    for (place, field) in figures.iter_mut().zip(Field::FIGURES) {
        *place = find(field)?;
    }
    if figures[3].is_none() {
        figures[3] = find_column(heading, ADJUSTED)?;
    }
    let mut taken: Vec<usize> = figures.into_iter().flatten().collect();
    taken.push(date);
    taken.extend(time);
    if figures[3].is_none() {
        let numeric = |c: &str| money(c, false).is_finite() || money(c, true).is_finite();
        let only = only_column(sample, heading.len(), &taken, numeric);
        // A file that names an open, a high or a low has lost its close rather than renamed it.
        let named = figures[..3].iter().any(Option::is_some);
        figures[3] = only.filter(|_| !named);
    }
    let close = figures[3].ok_or_else(|| lacks("close"))?;
    for (at, field) in [(Some(close), Field::Close)]
        .into_iter()
        .chain(figures.into_iter().zip(Field::FIGURES))
    {
        if at == Some(date) {
            return Err(DataError::Heading {
                reason: format!(
                    "\"{}\" cannot be the date and the {} at once",
                    heading[date],
                    field.as_str()
                ),
            });
        }
    }
    let proofs = |comma: bool| {
        figures[..4]
            .iter()
            .flatten()
            .flat_map(|at| sample.iter().map(move |row| row[*at].as_str()))
            .any(|c| decimal_comma(c) == Some(comma))
    };
    let comma = mapping
        .comma
        .unwrap_or_else(|| proofs(true) && !proofs(false));
    Ok(Chosen {
        date,
        time,
        figures,
        comma,
    })
}

/// What was found in a file, for a person to look at: format, signs, columns with their first
/// cells, and in `problem` why it cannot be read as it stands.
///
/// # Errors
/// [`DataError`] when there are no columns to show.
pub fn look(bytes: &[u8], mapping: &Mapping) -> Result<FileLayout, DataError> {
    let file = File::open(bytes, mapping)?;
    let (heading, sample) = (file.heading(), file.sample()?);
    let chosen = choose(heading, &sample, mapping);
    // Where the whole cannot be chosen, what can be told alone is shown.
    let alone = |field: Field| match field {
        Field::Date => find_date(heading, &sample, mapping),
        field => find(heading, mapping, field),
    };
    let field_of = |at: usize| {
        let field = Field::ALL.into_iter().find(|field| match &chosen {
            Ok(chosen) => chosen.column(*field) == Some(at),
            Err(_) => alone(*field).ok().flatten() == Some(at),
        });
        field.map(|f| f.as_str().to_owned())
    };
    let columns = heading
        .iter()
        .enumerate()
        .map(|(at, name)| FileColumn {
            name: name.clone(),
            field: field_of(at),
            first: sample
                .iter()
                .take(SHOWN)
                .map(|row| row[at].clone())
                .collect(),
        })
        .collect();
    let (format, delimiter) = match &file {
        File::Text(sheet) => (
            "CSV",
            Some(match sheet.delimiter {
                b';' => "semicolon",
                b'\t' => "tab",
                b'|' => "pipe",
                _ => "comma",
            }),
        ),
        File::Columns(format, _) => (*format, None),
    };
    let read = chosen.as_ref().map_err(Clone::clone).and_then(|chosen| {
        let content = take(&file, chosen, mapping, "FILE")?;
        Ok(content)
    });
    let (rows, intraday) = match &read {
        Ok(Content::Daily(bars)) => (bars.len(), None),
        Ok(Content::Intraday(bars)) => (bars.len(), Some(bars.minutes)),
        Err(_) => (0, None),
    };
    Ok(FileLayout {
        format: format.to_owned(),
        delimiter: delimiter.map(str::to_owned),
        decimal: delimiter
            .and(chosen.as_ref().ok())
            .map(|c| if c.comma { "comma" } else { "point" }.to_owned()),
        zone: intraday.map(|_| mapping.zone().name().to_owned()),
        minutes: intraday,
        rows: rows as u64,
        columns,
        problem: read.err().map(|e| e.to_string()),
    })
}

/// Reads a file of bars in whatever format.
///
/// # Errors
/// [`DataError`]: not readable in its format, no date or close, one column named twice, a mapping
/// that does not fit, dates that can be read in two ways.
pub fn read(bytes: &[u8], symbol: &str, mapping: &Mapping) -> Result<Content, DataError> {
    let symbol = crate::bars::symbol(symbol)?;
    let file = File::open(bytes, mapping)?;
    let chosen = choose(file.heading(), &file.sample()?, mapping)?;
    take(&file, &chosen, mapping, &symbol)
}

fn take(
    file: &File<'_>,
    chosen: &Chosen,
    mapping: &Mapping,
    symbol: &str,
) -> Result<Content, DataError> {
    let (moments, figures) = match file {
        File::Text(sheet) => from_text(sheet, chosen)?,
        File::Columns(_, foreign) => from_columns(foreign, chosen)?,
    };
    let cell = |row: usize| match file {
        File::Text(sheet) => nth_cell(sheet, row, chosen.date),
        File::Columns(_, foreign) => foreign.columns[chosen.date].text(row),
    };
    let column = &file.heading()[chosen.date];
    let days = days(column, &moments, mapping.order, cell)?;
    Ok(assemble(symbol, &days, &moments, figures, mapping.zone()))
}

/// The text of one cell, for a message.
fn nth_cell(sheet: &Sheet<'_>, row: usize, column: usize) -> String {
    let (mut rows, mut cells) = (sheet.rows(), Vec::new());
    for _ in 0..=row {
        if !matches!(rows.next(&mut cells), Ok(true)) {
            return String::new();
        }
    }
    cells.get(column).map_or(String::new(), |c| c.to_string())
}

type Figures = [Option<Vec<f64>>; 5];
/// Place of the close, which every file has.
const CLOSE: usize = 3;

/// Files of text longer than this are read on all cores, at most [`READERS`].
const LONG_TEXT: usize = 4 << 20;
/// So many threads read a long file.
const READERS: usize = 4;

/// Moments and figures of the chosen columns, one pass. A row of the wrong width is unreadable.
fn from_text(sheet: &Sheet<'_>, chosen: &Chosen) -> Result<(Vec<Moment>, Figures), DataError> {
    let readers = if sheet.len() > LONG_TEXT {
        std::thread::available_parallelism().map_or(1, |n| n.get().min(READERS))
    } else {
        1
    };
    in_parts(sheet, chosen, readers)
}

/// [`from_text`] by so many threads.
fn in_parts(
    sheet: &Sheet<'_>,
    chosen: &Chosen,
    readers: usize,
) -> Result<(Vec<Moment>, Figures), DataError> {
    let parts = sheet.parts(readers);
    let most: Vec<usize> = parts.iter().map(Rows::most).collect();
    let mut figures: Figures = chosen
        .figures
        .map(|at| at.map(|_| vec![0.0; most.iter().sum()]));
    // Every part writes where it belongs if the parts before it are as long as they may be.
    let mut rooms: Vec<Room<'_>> = most.iter().map(|_| Room::default()).collect();
    for (place, column) in figures.iter_mut().enumerate() {
        let mut rest = column.as_deref_mut().unwrap_or_default();
        for (room, most) in rooms.iter_mut().zip(&most) {
            let (part, behind) = rest.split_at_mut_checked(*most).unwrap_or_default();
            room[place] = part;
            rest = behind;
        }
    }
    let width = sheet.heading.len();
    let parts: Vec<Part> = std::thread::scope(|scope| {
        let mut work = parts.into_iter().zip(rooms);
        let first = work.next();
        let others: Vec<_> = work
            .map(|(rows, room)| scope.spawn(move || Part::read(rows, width, chosen, room)))
            .collect();
        let first = first.map(|(rows, room)| Part::read(rows, width, chosen, room));
        let joined = others.into_iter().map(|other| match other.join() {
            Ok(part) => part,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        first.into_iter().chain(joined).collect::<Result<_, _>>()
    })?;
    let mut moments = Vec::new();
    // Rows at the end that hold nothing: lost ones if another row follows.
    let (mut from, mut blank) = (0, 0);
    for (mut part, most) in parts.into_iter().zip(most) {
        let rows = part.moments.len();
        if rows > 0 {
            let lost = moments.len() + blank;
            moments.resize(lost, Moment::UNREADABLE);
            for column in figures.iter_mut().flatten() {
                column[lost - blank..lost].fill(f64::NAN);
                if from != lost {
                    column.copy_within(from..from + rows, lost);
                }
            }
            if moments.is_empty() {
                moments = part.moments;
            } else {
                moments.append(&mut part.moments);
            }
            blank = 0;
        }
        blank += part.blank;
        from += most;
    }
    for column in figures.iter_mut().flatten() {
        column.truncate(moments.len());
    }
    Ok((moments, figures))
}

/// Room for the figures of a part, in the order of [`Field::FIGURES`]; none for absent columns.
type Room<'a> = [&'a mut [f64]; 5];

/// What rows that follow each other hold, beside the figures.
struct Part {
    moments: Vec<Moment>,
    /// Rows at the end that hold nothing.
    blank: usize,
}

impl Part {
    fn read(
        mut rows: Rows<'_>,
        width: usize,
        chosen: &Chosen,
        mut room: Room<'_>,
    ) -> Result<Self, DataError> {
        let mut moments = Vec::with_capacity(room[CLOSE].len());
        let mut blank = 0;
        let mut cells = Vec::with_capacity(width);
        while rows.next(&mut cells)? {
            if is_blank(&cells) {
                blank += 1;
                continue;
            }
            // The empty rows so far turn out to be in the middle.
            for _ in 0..std::mem::take(&mut blank) {
                lose(&mut moments, &mut room);
            }
            if cells.len() != width {
                lose(&mut moments, &mut room);
                continue;
            }
            let mut at = moment(&cells[chosen.date]);
            if let Some(time) = chosen.time {
                match time_of_day(&cells[time]) {
                    Some(time) => at.time = Some(time),
                    None => at = Moment::UNREADABLE,
                }
            }
            for (column, at) in room.iter_mut().zip(chosen.figures) {
                if let (Some(figure), Some(at)) = (column.get_mut(moments.len()), at) {
                    *figure = money(&cells[at], chosen.comma);
                }
            }
            moments.push(at);
        }
        Ok(Self { moments, blank })
    }
}

/// An unreadable row.
fn lose(moments: &mut Vec<Moment>, room: &mut Room<'_>) {
    for column in room {
        if let Some(figure) = column.get_mut(moments.len()) {
            *figure = f64::NAN;
        }
    }
    moments.push(Moment::UNREADABLE);
}

fn from_columns(foreign: &Foreign, chosen: &Chosen) -> Result<(Vec<Moment>, Figures), DataError> {
    let unfit = |at: usize, needed: &str| DataError::Heading {
        reason: format!(
            "column \"{}\" holds {}, {needed} are needed",
            foreign.names[at],
            match &foreign.columns[at] {
                Cells::Numbers(_) => "numbers",
                Cells::Moments(_) => "dates",
                Cells::Texts(_) => "text",
                Cells::Other(kind) => kind,
            }
        ),
    };
    let mut moments: Vec<Moment> = match &foreign.columns[chosen.date] {
        Cells::Moments(x) => x.clone(),
        Cells::Texts(x) => x.iter().map(|c| moment(c.trim())).collect(),
        // Seconds or milliseconds since 1970, or YYYYMMDD.
        Cells::Numbers(x) => x
            .iter()
            .map(|n| moment(&Cow::from(format!("{n:.0}"))))
            .collect(),
        Cells::Other(_) => return Err(unfit(chosen.date, "dates")),
    };
    if let Some(time) = chosen.time {
        let Cells::Texts(times) = &foreign.columns[time] else {
            return Err(unfit(time, "times of day as text"));
        };
        for (moment, time) in moments.iter_mut().zip(times) {
            match time_of_day(time.trim()) {
                Some(time) => moment.time = Some(time),
                None => *moment = Moment::UNREADABLE,
            }
        }
    }
    if moments.is_empty() {
        return Err(DataError::Empty);
    }
    let mut figures: Figures = Default::default();
    for (column, at) in figures.iter_mut().zip(chosen.figures) {
        let Some(at) = at else { continue };
        *column = Some(match &foreign.columns[at] {
            Cells::Numbers(x) => x.clone(),
            Cells::Texts(x) => x.iter().map(|c| money(c.trim(), chosen.comma)).collect(),
            _ => return Err(unfit(at, "numbers")),
        });
    }
    Ok((moments, figures))
}

fn assemble(
    symbol: &str,
    days: &[Option<NaiveDate>],
    moments: &[Moment],
    figures: Figures,
    zone: Tz,
) -> Content {
    let [open, high, low, close, volume] = figures;
    let close = close.unwrap_or_default();
    let intraday = (1..days.len()).any(|i| {
        days[i].is_some()
            && days[i] == days[i - 1]
            && moments[i].time.is_some()
            && moments[i - 1].time.is_some()
            && moments[i].time != moments[i - 1].time
    });
    if !intraday {
        return Content::Daily(Bars {
            symbol: symbol.to_owned(),
            dates: days.iter().map(|d| d.unwrap_or(UNREADABLE_DATE)).collect(),
            open,
            high,
            low,
            close,
            volume,
        });
    }
    let mut clock = Clock::new(zone);
    let stamps: Vec<DateTime<Utc>> = days
        .iter()
        .zip(moments)
        .map(|(day, moment)| clock.utc((*day)?, moment.time?))
        .map(|stamp| stamp.unwrap_or(UNREADABLE_STAMP))
        .collect();
    Content::Intraday(Intraday {
        symbol: symbol.to_owned(),
        minutes: crate::intraday::bar_minutes(&stamps),
        stamps,
        open,
        high,
        low,
        close,
        volume,
    })
}

/// Turns local times into UTC; remembers the offset of a day on which clocks do not change.
struct Clock {
    zone: Tz,
    day: Option<(NaiveDate, i64)>,
}

impl Clock {
    fn new(zone: Tz) -> Self {
        Self { zone, day: None }
    }

    /// `None` for a time that the clocks skipped or showed twice.
    fn utc(&mut self, date: NaiveDate, time: (NaiveTime, Option<i32>)) -> Option<DateTime<Utc>> {
        let local = date.and_time(time.0);
        let seconds = match (time.1, self.day) {
            (Some(offset), _) => i64::from(offset),
            (None, Some((day, offset))) if day == date => offset,
            (None, _) => {
                let at = |d: NaiveDate| {
                    let midnight = self.zone.from_local_datetime(&d.and_time(NaiveTime::MIN));
                    midnight
                        .single()
                        .map(|t| (t.naive_local() - t.naive_utc()).num_seconds())
                };
                match (at(date), at(date.checked_add_days(Days::new(1))?)) {
                    (Some(a), Some(b)) if a == b => {
                        self.day = Some((date, a));
                        a
                    }
                    _ => {
                        let t = self.zone.from_local_datetime(&local).single()?;
                        return Some(t.with_timezone(&Utc));
                    }
                }
            }
        };
        // Mostly the same day, which is quicker than to count days.
        let of_day = i64::from(time.0.num_seconds_from_midnight()) - seconds;
        let same_day = u32::try_from(of_day)
            .ok()
            .and_then(|s| NaiveTime::from_num_seconds_from_midnight_opt(s, time.0.nanosecond()));
        Some(match same_day {
            Some(utc) => date.and_time(utc).and_utc(),
            None => (local - chrono::TimeDelta::seconds(seconds)).and_utc(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundled;
    use arrow_array::{
        ArrayRef, Date32Array, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    };
    use arrow_ipc::writer::{FileWriter, StreamWriter};
    use std::sync::Arc;

    fn day(y: i32, m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(y, m, d).unwrap()
    }

    fn daily(bytes: &[u8], mapping: &str) -> Bars {
        match read(bytes, "x", &Mapping::parse(mapping).unwrap()).unwrap() {
            Content::Daily(bars) => bars,
            Content::Intraday(_) => panic!("several rows a day"),
        }
    }

    const GERMAN: &str = "Datum;Eröffnung;Hoch;Tief;Schluss;Umsatz\n02.01.2004;1.010,50;1.030,00;1.000,25;1.020,75;1.234.567\n05.01.2004;1.020,75;1.040,00;1.010,00;1.035,5;9.876\n";

    #[test]
    fn a_german_export_is_read_with_a_mapping() {
        let bars = daily(
            GERMAN.as_bytes(),
            "date=Datum,open=Eröffnung,high=hoch,low=Tief,close=Schluss,volume=Umsatz",
        );
        assert_eq!(bars.dates, [day(2004, 1, 2), day(2004, 1, 5)]);
        assert_eq!(bars.open, Some(vec![1010.5, 1020.75]));
        assert_eq!(bars.close, [1020.75, 1035.5]);
        assert_eq!(bars.volume, Some(vec![1_234_567.0, 9876.0]));
        // The date is told by its cells; the close is not, among five columns of numbers.
        let error = read(GERMAN.as_bytes(), "x", &Mapping::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "heading: there is no column \"close\"; the heading has Datum, Eröffnung, Hoch, Tief, Schluss, Umsatz; say which it is with close=NAME"
        );
    }

    /// A file read in any number of parts is the file read at once: empty rows in the middle and at
    /// the end and rows that are too short included, wherever the borders fall.
    #[test]
    fn parts_of_a_file_are_the_whole() {
        let mut text = "date,close\n".to_owned();
        for d in 1..=28 {
            text.push_str(&format!("2020-01-{d:02},{d}.5\n"));
            match d % 7 {
                2 => text.push_str("\n,\n\n"),
                5 => text.push_str("2020-02-01\n"),
                _ => {}
            }
        }
        text.push_str("\n\n");
        // However lines end: the third way is one part, for want of a line feed.
        for end in ["\n", "\r\n", "\r"] {
            in_any_parts(&text.replace('\n', end));
        }
    }

    fn in_any_parts(text: &str) {
        let file = File::open(text.as_bytes(), &Mapping::default()).unwrap();
        let chosen = choose(file.heading(), &file.sample().unwrap(), &Mapping::default()).unwrap();
        let File::Text(sheet) = &file else {
            panic!("text")
        };
        let (moments, figures) = in_parts(sheet, &chosen, 1).unwrap();
        // 28 days, four times three empty rows, four short ones; the two at the end are none.
        assert_eq!(moments.len(), 28 + 4 * 3 + 4);
        let close = figures[CLOSE].clone().unwrap();
        assert_eq!(close.iter().filter(|c| c.is_finite()).sum::<f64>(), 420.0);
        let bits = |c: &[f64]| c.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        for n in 2..40 {
            let (other, figures) = in_parts(sheet, &chosen, n).unwrap();
            assert_eq!(other, moments, "{n} parts");
            assert_eq!(bits(&figures[CLOSE].clone().unwrap()), bits(&close));
        }
    }

    #[test]
    fn what_was_found_can_be_looked_at() {
        let layout = look(GERMAN.as_bytes(), &Mapping::default()).unwrap();
        assert_eq!(
            (layout.format.as_str(), layout.delimiter.as_deref()),
            ("CSV", Some("semicolon"))
        );
        assert_eq!(layout.columns.len(), 6);
        assert_eq!(layout.columns[0].field.as_deref(), Some("date"));
        assert_eq!(layout.columns[4].first, ["1.020,75", "1.035,5"]);
        assert!(layout.problem.unwrap().contains("close=NAME"));
        let layout = look(GERMAN.as_bytes(), &Mapping::parse("close=Schluss").unwrap()).unwrap();
        assert_eq!((layout.problem, layout.rows), (None, 2));
        assert_eq!(layout.decimal.as_deref(), Some("comma"));
        let fields: Vec<Option<&str>> = layout.columns.iter().map(|c| c.field.as_deref()).collect();
        assert_eq!(
            fields,
            [Some("date"), None, None, None, Some("close"), None]
        );
    }

    #[test]
    fn signs_are_told_or_said() {
        // One column of dates and one of numbers need no names.
        let bars = daily(b"Tag|Kurs\n2004-01-02|5.5\n2004-01-05|6\n", "");
        assert_eq!(bars.close, [5.5, 6.0]);
        // A column of times beside the days.
        let text = b"<DATE>\t<TIME>\t<CLOSE>\n2004.01.02\t09:30\t5\n2004.01.02\t10:30\t6\n";
        let Content::Intraday(bars) = read(text, "x", &Mapping::default()).unwrap() else {
            panic!("daily");
        };
        assert_eq!(bars.minutes, 60);
        // One that holds no clock is left out.
        let text = b"date,time,close\n2004-01-02,1,5\n2004-01-05,2,6\n";
        assert_eq!(daily(text, "").dates.len(), 2);
        assert_eq!(daily(text, "time=time").dates[0], UNREADABLE_DATE);
        // 1,234 alone may be both: with a decimal comma it is said.
        let text = b"date;close\n2004-01-02;1,234\n2004-01-05;2,345\n";
        assert!(daily(text, "").close[0].is_nan());
        assert_eq!(daily(text, "decimal=comma").close, [1.234, 2.345]);
        let text = b"date,close\n03/04/2004,1\n05/06/2004,2\n";
        assert_eq!(daily(text, "dates=dmy").dates[0], day(2004, 4, 3));
        assert_eq!(daily(text, "dates=mdy").dates[0], day(2004, 3, 4));
        // Milliseconds since 1970: 2004-01-02 and 2004-01-05, five in the morning UTC.
        let text = b"t,close\n1073019600000,1\n1073278800000,2\n";
        assert_eq!(daily(text, "").dates, [day(2004, 1, 2), day(2004, 1, 5)]);
    }

    #[test]
    fn a_mapping_that_cannot_be_is_named() {
        let says = |text: &str| Mapping::parse(text).unwrap_err().to_string();
        assert_eq!(
            says("close"),
            "mapping \"close\": say KEY=VALUE, for example close=Schluss"
        );
        assert_eq!(
            says("decimal=dot"),
            "mapping \"decimal=dot\": may be point or comma"
        );
        assert!(says("colour=red").contains("there are date, time, open"));
        assert!(says("zone=Mars").contains("America/New_York"));
        let mapping = Mapping::parse("close=Preis").unwrap();
        assert_eq!(
            read(b"date,price\n2004-01-02,1\n", "x", &mapping)
                .unwrap_err()
                .to_string(),
            "mapping \"close=Preis\": there is no such column; the heading has date, price"
        );
    }

    /// The same bars out of Parquet, both forms of Arrow, and CSV.
    #[test]
    fn every_format_gives_the_same_bars() {
        let bars = bundled::bars("IBM")
            .unwrap()
            .content
            .slice(None, Some(day(2001, 1, 1)));
        let parquet = frame::write_bars(&bars, "x").unwrap();
        let days: Vec<i32> = bars
            .dates
            .iter()
            .map(|d| (*d - day(1970, 1, 1)).num_days() as i32)
            .collect();
        let floats = |c: &[f64]| Arc::new(Float64Array::from(c.to_vec())) as ArrayRef;
        let mut columns = vec![("Date", Arc::new(Date32Array::from(days)) as ArrayRef)];
        columns.extend(bars.columns().into_iter().map(|(n, c)| (n, floats(c))));
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut file = FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        file.write(&batch.slice(0, 100)).unwrap();
        file.write(&batch.slice(100, batch.num_rows() - 100))
            .unwrap();
        let file = file.into_inner().unwrap();
        let mut stream = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        stream.write(&batch).unwrap();
        let stream = stream.into_inner().unwrap();
        let mut csv = "date,open,high,low,close,volume\n".to_owned();
        for i in 0..bars.len() {
            csv.push_str(&bars.dates[i].to_string());
            for (_, column) in bars.columns() {
                csv.push_str(&format!(",{}", column[i]));
            }
            csv.push('\n');
        }
        for bytes in [parquet, file, stream, csv.into_bytes()] {
            let symbol = "IBM".to_owned();
            let read = daily(&bytes, "");
            assert_eq!(Bars { symbol, ..read }, bars);
        }
    }

    /// A moment with a zone is read on the clocks of that zone, text as in CSV.
    #[test]
    fn arrow_moments_and_texts() {
        // 2024-07-02 and 03, 9:30 and 10:30 in New York, which is 13:30 and 14:30 UTC.
        let at = [
            1_719_927_000,
            1_719_930_600,
            1_720_013_400,
            1_720_017_000_i64,
        ];
        let stamps = TimestampMicrosecondArray::from(at.map(|s| s * 1_000_000).to_vec());
        let write = |stamps: ArrayRef, close: ArrayRef| {
            let batch =
                RecordBatch::try_from_iter([("timestamp", stamps), ("close", close)]).unwrap();
            let mut file = FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
            file.write(&batch).unwrap();
            file.into_inner().unwrap()
        };
        let close = Float64Array::from(vec![Some(1.0), None, Some(3.0), Some(4.0)]);
        let stamps = stamps.with_timezone("America/New_York");
        let bytes = write(Arc::new(stamps), Arc::new(close));
        let Content::Intraday(bars) = read(&bytes, "x", &Mapping::default()).unwrap() else {
            panic!("daily");
        };
        assert_eq!(bars.stamps[0].to_rfc3339(), "2024-07-02T13:30:00+00:00");
        assert!(bars.close[1].is_nan());
        let texts = |t: [&str; 2]| Arc::new(StringArray::from(t.to_vec())) as ArrayRef;
        let bytes = write(texts(["2004-01-02", "2004-01-05"]), texts(["1.5", "n/a"]));
        let bars = daily(&bytes, "");
        assert_eq!((bars.dates[1], bars.close[0]), (day(2004, 1, 5), 1.5));
        assert!(bars.close[1].is_nan());
        // Torn files are errors, not panics.
        for cut in [10, bytes.len() / 2, bytes.len() - 3] {
            assert!(matches!(
                read(&bytes[..cut], "x", &Mapping::default()),
                Err(DataError::Format { format: "Arrow" })
            ));
        }
    }
}
