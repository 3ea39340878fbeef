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
use crate::text::{Day, Moment, Sheet, days, decimal_comma, is_blank, moment, money, time_of_day};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeZone as _, Utc};
use chrono_tz::Tz;
use mltrainer_types::data::{FileColumn, FileLayout};
use std::borrow::Cow;
use std::collections::BTreeMap;

pub use crate::text::DateOrder;

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

fn choose(
    heading: &[String],
    sample: &[Vec<String>],
    mapping: &Mapping,
) -> Result<Chosen, DataError> {
    let find = |field: Field| -> Result<Option<usize>, DataError> {
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
    };
    let lacks = |what: &str| DataError::Heading {
        reason: format!(
            "there is no column \"{what}\"; the heading has {}; say which it is with {what}=NAME",
            heading.join(", ")
        ),
    };
    let is_date = |c: &str| moment(c).day != Day::Unreadable;
    let date = match find(Field::Date)? {
        Some(at) => at,
        None => only_column(sample, heading.len(), &[], is_date).ok_or_else(|| lacks("date"))?,
    };
    // A heading may name the days `date` and the hours `time`; `time` alone is the date.
    let time = find(Field::Time)?.filter(|at| *at != date);
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
    let field_of = |at: usize| {
        let chosen = chosen.as_ref().ok()?;
        let figures = chosen.figures.iter().zip(Field::FIGURES);
        let field = if at == chosen.date {
            Some(Field::Date)
        } else if chosen.time == Some(at) {
            Some(Field::Time)
        } else {
            figures
                .into_iter()
                .find(|(f, _)| **f == Some(at))
                .map(|(_, f)| f)
        };
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

/// Moments and figures of the chosen columns, one pass. A row of the wrong width is unreadable.
fn from_text(sheet: &Sheet<'_>, chosen: &Chosen) -> Result<(Vec<Moment>, Figures), DataError> {
    let (width, about) = (sheet.heading.len(), sheet.about());
    let mut moments = Vec::with_capacity(about);
    let mut figures = chosen
        .figures
        .map(|at| at.map(|_| Vec::with_capacity(about)));
    let lost = |moments: &mut Vec<Moment>, figures: &mut Figures| {
        moments.push(Moment::UNREADABLE);
        for column in figures.iter_mut().flatten() {
            column.push(f64::NAN);
        }
    };
    let (mut rows, mut cells) = (sheet.rows(), Vec::with_capacity(width));
    let mut blank = 0_usize;
    while rows.next(&mut cells)? {
        if is_blank(&cells) {
            blank += 1;
            continue;
        }
        for _ in 0..std::mem::take(&mut blank) {
            lost(&mut moments, &mut figures);
        }
        if cells.len() != width {
            lost(&mut moments, &mut figures);
            continue;
        }
        let mut at = moment(&cells[chosen.date]);
        if let Some(time) = chosen.time {
            match time_of_day(&cells[time]) {
                Some(time) => at.time = Some(time),
                None => at = Moment::UNREADABLE,
            }
        }
        moments.push(at);
        for (column, at) in figures.iter_mut().zip(chosen.figures) {
            if let (Some(column), Some(at)) = (column, at) {
                column.push(money(&cells[at], chosen.comma));
            }
        }
    }
    Ok((moments, figures))
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
        Some((local - chrono::TimeDelta::seconds(seconds)).and_utc())
    }
}
