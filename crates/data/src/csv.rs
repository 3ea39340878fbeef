//! Users' CSV files: bars for a data set, tables for `mltrainer run`.
//!
//! UTF-8 with or without a byte-order mark; comma, semicolon or tab, told from the heading; cells in
//! double quotes with `""` for a quote; lines end with LF, CRLF or CR; blank lines at the end are
//! ignored. Rows are counted from 1 without the heading.
//!
//! Dates: `YYYY-MM-DD`, `YYYY/MM/DD`, `YYYYMMDD`, `DD.MM.YYYY`, and `MM/DD/YYYY` or `DD/MM/YYYY`
//! when some day above 12 tells which; a time of day behind the date is cut off. Numbers: a decimal
//! point; for bars also `$` in front and thousands (`1,234.5`, `1,234,567`) where they cannot be
//! taken for decimals.

use crate::bars::{Bars, UNREADABLE_DATE, symbol};
use crate::error::DataError;
use crate::table::Table;
use chrono::{Datelike, NaiveDate};

/// The cells of a file.
struct Sheet {
    heading: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// Reads a file of daily bars. The heading names, in any case and order, `date` (or `timestamp`,
/// `datetime`, `time`, `day`), `close` (or `c`, `last`, `close/last`, `price`, `adj close`) and, where
/// there are, `open`, `high`, `low` and `volume` (or `o`, `h`, `l`, `v`, `vol`); other columns are left out. A row with a
/// cell that cannot be read stays in, marked, and is set aside by the gate with its reason.
///
/// # Errors
/// [`DataError`]: not text, empty, no date or close in the heading, one column named twice, dates that can be
/// read in two ways, a symbol that cannot be one.
pub fn read_bars(bytes: &[u8], name: &str) -> Result<Bars, DataError> {
    let symbol = symbol(name)?;
    let sheet = sheet(bytes)?;
    let find = |names: &[&str]| find_column(&sheet.heading, names);
    let lacks = |what: &str| DataError::Heading {
        reason: format!(
            "there is no column \"{what}\"; the heading has {}",
            sheet.heading.join(", ")
        ),
    };
    let date = find(DATE)?.or_else(|| unnamed_dates(&sheet));
    let date = date.ok_or_else(|| lacks("date"))?;
    let close = find(CLOSE)?;
    let close = match close {
        Some(at) => at,
        None => find(ADJUSTED)?.ok_or_else(|| lacks("close"))?,
    };
    let whole = |row: &Vec<String>| row.len() == sheet.heading.len();
    let texts: Vec<&str> = sheet
        .rows
        .iter()
        .map(|row| if whole(row) { row[date].as_str() } else { "" })
        .collect();
    let dates = read_dates(&sheet.heading[date], &texts)?;
    let column = |at: usize| -> Vec<f64> {
        sheet
            .rows
            .iter()
            .map(|row| {
                if whole(row) {
                    money(&row[at])
                } else {
                    f64::NAN
                }
            })
            .collect()
    };
    Ok(Bars {
        symbol,
        dates: dates
            .into_iter()
            .map(|d| d.unwrap_or(UNREADABLE_DATE))
            .collect(),
        open: find(OPEN)?.map(column),
        high: find(HIGH)?.map(column),
        low: find(LOW)?.map(column),
        close: column(close),
        volume: find(VOLUME)?.map(column),
    })
}

/// Reads a table: every column but `date` (or `timestamp`, `datetime`) is numeric and complete.
///
/// # Errors
/// [`DataError`]: not text, empty, a column without a name or named twice, no numeric column, a row of the wrong
/// width, and for the first cell that is empty, text, NaN or infinite its column and row.
pub fn read_table(bytes: &[u8]) -> Result<Table, DataError> {
    let sheet = sheet(bytes)?;
    let date = find_column(&sheet.heading, &DATE[..3])?.or_else(|| unnamed_dates(&sheet));
    let mut names: Vec<String> = Vec::new();
    for (at, name) in sheet.heading.iter().enumerate() {
        if Some(at) == date {
            continue;
        }
        if name.is_empty() {
            return Err(DataError::Heading {
                reason: format!("column {} has no name; give it one or take it out", at + 1),
            });
        }
        if names.contains(name) {
            return Err(DataError::Heading {
                reason: format!("two columns are named \"{name}\"; rename one"),
            });
        }
        names.push(name.clone());
    }
    if names.is_empty() {
        return Err(DataError::Heading {
            reason: "there is no numeric column; at least one is needed".to_owned(),
        });
    }
    let mut columns = vec![Vec::with_capacity(sheet.rows.len()); names.len()];
    let mut dates = date.map(|_| Vec::with_capacity(sheet.rows.len()));
    for (at, row) in sheet.rows.iter().enumerate() {
        if row.len() != sheet.heading.len() {
            return Err(DataError::Width {
                row: at + 1,
                found: row.len(),
                expected: sheet.heading.len(),
            });
        }
        let mut next = 0;
        for (k, cell) in row.iter().enumerate() {
            if Some(k) == date {
                if let Some(dates) = &mut dates {
                    dates.push(cell.clone());
                }
                continue;
            }
            let value = number(cell).map_err(|reason| DataError::Cell {
                column: sheet.heading[k].clone(),
                row: at + 1,
                reason,
            })?;
            columns[next].push(value);
            next += 1;
        }
    }
    Ok(Table {
        dates,
        names,
        columns,
    })
}

/// Reads a file of bars for an indicator: a table whose price and volume columns carry the names
/// `open`, `high`, `low`, `close`, `volume`, whatever synonym the file uses. One value a bar comes
/// out of an indicator, so every row must be usable: nothing is set aside.
///
/// # Errors
/// Those of [`read_table`], and [`DataError::Heading`] when there is no close.
pub fn bars_for_run(bytes: &[u8]) -> Result<Table, DataError> {
    let mut table = read_table(bytes)?;
    for (name, synonyms) in [
        ("open", OPEN),
        ("high", HIGH),
        ("low", LOW),
        ("close", CLOSE),
        ("close", ADJUSTED),
        ("volume", VOLUME),
    ] {
        if !table.names.iter().any(|n| n == name)
            && let Some(at) = find_column(&table.names, synonyms)?
        {
            name.clone_into(&mut table.names[at]);
        }
    }
    if table.column("close").is_none() {
        return Err(DataError::Heading {
            reason: format!(
                "there is no column \"close\"; the file has {}",
                table.names.join(", ")
            ),
        });
    }
    Ok(table)
}

// Names of columns as they stand in files; the earlier one wins.
const DATE: &[&str] = &["date", "timestamp", "datetime", "time", "day"];
const OPEN: &[&str] = &["open", "o"];
const HIGH: &[&str] = &["high", "h"];
const LOW: &[&str] = &["low", "l"];
const CLOSE: &[&str] = &["close", "c", "last", "close/last", "price"];
const ADJUSTED: &[&str] = &["adj close", "adjusted close", "adjclose"];
const VOLUME: &[&str] = &["volume", "vol", "v"];

/// The column with the first of these names that occurs.
fn find_column(heading: &[String], names: &[&str]) -> Result<Option<usize>, DataError> {
    let plain = |name: &String| {
        name.to_lowercase()
            .replace(['_', '.', '-'], " ")
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

/// The first column, when it has no name and its first cell is a date (an index written by pandas).
fn unnamed_dates(sheet: &Sheet) -> Option<usize> {
    let first = sheet.rows.first()?.first()?;
    let dated = matches!(date_parts(first), Some(Parts::Known(_)));
    (sheet.heading.first()?.is_empty() && dated).then_some(0)
}

fn number(cell: &str) -> Result<f64, String> {
    if cell.is_empty() {
        return Err("the cell is empty; every row needs a number".to_owned());
    }
    match cell.parse::<f64>() {
        Ok(x) if x.is_finite() => Ok(x),
        Err(_) if matches!(date_parts(cell), Some(Parts::Known(_))) => Err(format!(
            "\"{}\" is a date, not a number; the column of dates must be named \"date\"",
            shown(cell)
        )),
        _ => Err(format!("\"{}\" is not a finite number", shown(cell))),
    }
}

/// A cell in a message: its first 40 characters.
fn shown(cell: &str) -> String {
    cell.chars().take(40).collect()
}

/// A price or volume; NaN when it cannot be read without doubt.
fn money(cell: &str) -> f64 {
    let cell = cell.strip_prefix('$').unwrap_or(cell);
    let (whole, fraction) = match cell.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (cell, None),
    };
    let groups: Vec<&str> = whole.split(',').collect();
    let thousands = groups.len() > 1
        && (groups.len() > 2 || fraction.is_some())
        && (1..=3).contains(&groups[0].len())
        && groups[1..].iter().all(|g| g.len() == 3);
    if thousands {
        number(&cell.replace(',', "")).unwrap_or(f64::NAN)
    } else {
        number(cell).unwrap_or(f64::NAN)
    }
}

enum Parts {
    /// A date that can be read in one way.
    Known(NaiveDate),
    /// Month and day, or day and month, and the year.
    Either(u32, u32, i32),
}

fn date_parts(cell: &str) -> Option<Parts> {
    // Behind the date a time of day may stand.
    let end = cell.find(['T', ' ']).unwrap_or(cell.len());
    let time = cell[end..].trim_start_matches(['T', ' ']);
    let is_time = time.contains(':') && time.starts_with(|c: char| c.is_ascii_digit());
    if !time.is_empty() && !is_time {
        return None;
    }
    let text = &cell[..end];
    let known = |y: &str, m: &str, d: &str| {
        let date = NaiveDate::from_ymd_opt(y.parse().ok()?, m.parse().ok()?, d.parse().ok()?)?;
        (1800..2200)
            .contains(&date.year())
            .then_some(Parts::Known(date))
    };
    if !text
        .chars()
        .all(|c| c.is_ascii_digit() || "-/.".contains(c))
    {
        return None;
    }
    let parts: Vec<&str> = text.split(['-', '/', '.']).collect();
    match parts.as_slice() {
        [all] if all.len() == 8 => known(&all[..4], &all[4..6], &all[6..]),
        [y, m, d] if y.len() == 4 => known(y, m, d),
        [d, m, y] if y.len() == 4 && text.contains('.') => known(y, m, d),
        [a, b, y] if y.len() == 4 => Some(Parts::Either(
            a.parse().ok()?,
            b.parse().ok()?,
            y.parse().ok()?,
        )),
        _ => None,
    }
}

/// The dates of a column; `None` for a cell that is none.
fn read_dates(column: &str, cells: &[&str]) -> Result<Vec<Option<NaiveDate>>, DataError> {
    let parts: Vec<Option<Parts>> = cells.iter().map(|c| date_parts(c)).collect();
    // The first row (from 0) that can only be month/day, and the first that can only be day/month.
    let only = |month_first: bool| {
        parts.iter().position(|p| match p {
            Some(Parts::Either(a, b, _)) => {
                let (month, day) = if month_first { (a, b) } else { (b, a) };
                (1..=12).contains(month) && (13..=31).contains(day)
            }
            _ => false,
        })
    };
    let month_first = match (only(true), only(false)) {
        (Some(m), Some(d)) => {
            return Err(DataError::Cell {
                column: column.to_owned(),
                row: m.max(d) + 1,
                reason: format!(
                    "\"{}\" is month/day and \"{}\" is day/month; write all dates as YYYY-MM-DD",
                    shown(cells[m]),
                    shown(cells[d])
                ),
            });
        }
        (Some(_), None) => true,
        (None, Some(_)) => false,
        (None, None) => match parts
            .iter()
            .position(|p| matches!(p, Some(Parts::Either(..))))
        {
            Some(at) => {
                return Err(DataError::AmbiguousDates {
                    column: column.to_owned(),
                    example: shown(cells[at]),
                });
            }
            None => true,
        },
    };
    let read = |p: &Option<Parts>| match p {
        Some(Parts::Known(date)) => Some(*date),
        Some(Parts::Either(a, b, year)) => {
            let (month, day) = if month_first { (a, b) } else { (b, a) };
            NaiveDate::from_ymd_opt(*year, *month, *day)
                .filter(|d| (1800..2200).contains(&d.year()))
        }
        None => None,
    };
    Ok(parts.iter().map(read).collect())
}

/// Cuts a file into cells.
fn sheet(bytes: &[u8]) -> Result<Sheet, DataError> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|e| DataError::NotText {
        offset: e.valid_up_to(),
    })?;
    if let Some(offset) = text.find('\0') {
        return Err(DataError::NotText { offset });
    }
    let delimiter = delimiter(text);
    let mut rows = records(text, delimiter)?;
    while rows.last().is_some_and(|r| r.iter().all(String::is_empty)) {
        rows.pop();
    }
    if rows.len() < 2 {
        return Err(DataError::Empty);
    }
    let heading = rows.remove(0);
    Ok(Sheet { heading, rows })
}

/// The separator that occurs most often in the heading, outside quotes; the comma when none does.
fn delimiter(text: &str) -> char {
    let mut counts = [(',', 0_usize), (';', 0), ('\t', 0)];
    let mut quoted = false;
    for c in text.trim_start_matches(['\r', '\n']).chars() {
        match c {
            '"' => quoted = !quoted,
            '\n' | '\r' if !quoted => break,
            _ if !quoted => {
                if let Some((_, n)) = counts.iter_mut().find(|(d, _)| *d == c) {
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

/// Records of trimmed cells, the heading first; blank lines before the heading are skipped.
fn records(text: &str, delimiter: char) -> Result<Vec<Vec<String>>, DataError> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row: Vec<String> = Vec::new();
    let mut cell = String::new();
    // A cell in quotes keeps its blanks, others are trimmed.
    let mut was_quoted = false;
    let mut chars = text.trim_start_matches(['\r', '\n']).chars().peekable();
    let take = |cell: &mut String, was_quoted: &mut bool| {
        let done = std::mem::take(cell);
        if std::mem::take(was_quoted) {
            done
        } else {
            done.trim().to_owned()
        }
    };
    while let Some(c) = chars.next() {
        match c {
            '"' if !was_quoted && cell.trim().is_empty() => {
                cell.clear();
                was_quoted = true;
                loop {
                    match chars.next() {
                        Some('"') if chars.peek() == Some(&'"') => {
                            chars.next();
                            cell.push('"');
                        }
                        Some('"') => break,
                        Some(inside) => cell.push(inside),
                        None => return Err(DataError::OpenQuote { row: rows.len() }),
                    }
                }
            }
            c if c == delimiter => row.push(take(&mut cell, &mut was_quoted)),
            '\n' | '\r' => {
                if c == '\r' && chars.peek() == Some(&'\n') {
                    chars.next();
                }
                row.push(take(&mut cell, &mut was_quoted));
                rows.push(std::mem::take(&mut row));
            }
            // Blanks between a closing quote and the separator.
            ' ' if was_quoted => {}
            c => cell.push(c),
        }
    }
    if !row.is_empty() || !cell.trim().is_empty() || was_quoted {
        row.push(take(&mut cell, &mut was_quoted));
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(y: i32, m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(y, m, d).unwrap()
    }

    fn bars(text: &str) -> Result<Bars, DataError> {
        read_bars(text.as_bytes(), "x")
    }

    #[test]
    fn the_layouts_of_the_usual_vendors() {
        // Yahoo: the traded close counts, the adjusted one is left out.
        let yahoo = "Date,Open,High,Low,Close,Adj Close,Volume\n2004-01-02,1,3,0.5,2,1.5,100\n2004-01-05,2,4,1,3,2.5,200\n";
        // Alpha Vantage (newest first is the gate's business), with a byte-order mark and CRLF.
        let alpha = "\u{feff}timestamp,open,high,low,close,volume\r\n2004-01-02,1,3,0.5,2,100\r\n2004-01-05,2,4,1,3,200";
        // Nasdaq: dollars, month/day, other order.
        let nasdaq = "Date,Close/Last,Volume,Open,High,Low\n01/02/2004,$2,100,$1,$3,$0.5\n01/05/2004,$3,200,$2,$4,$1\n01/13/2004,$3,200,$2,$4,$1\n";
        // Semicolons, short names, a time of day.
        let short = "d;o;h;l;c;v\n2004-01-02 00:00:00;1;3;0.5;2;100\n2004-01-05T00:00:00-05:00;2;4;1;3;200\n\n\n".replace("d;o", "Day;o");
        // Tabs and quotes, thousands.
        let quoted = "\"Date\"\t\"Open\"\t\"High\"\t\"Low\"\t\"Price\"\t\"Vol.\"\n20040102\t1\t3\t0.5\t\"2\"\t\"100\"\n20040105\t2\t4\t1\t3\t\"200\"\n";
        // pandas: an index without a name.
        let pandas =
            ",open,high,low,close,volume\n2004-01-02,1,3,0.5,2,100\n2004-01-05,2,4,1,3,200\n";
        for text in [yahoo, alpha, nasdaq, short.as_str(), quoted, pandas] {
            let b = bars(text).unwrap();
            assert_eq!(b.symbol, "X");
            assert_eq!(b.dates[..2], [day(2004, 1, 2), day(2004, 1, 5)], "{text}");
            assert_eq!(b.open.unwrap()[..2], [1.0, 2.0]);
            assert_eq!(b.high.unwrap()[..2], [3.0, 4.0]);
            assert_eq!(b.low.unwrap()[..2], [0.5, 1.0]);
            assert_eq!(b.close[..2], [2.0, 3.0]);
            assert_eq!(b.volume.unwrap()[..2], [100.0, 200.0]);
        }
        let closes = bars("date,adj_close\n2004-01-02,7\n").unwrap();
        assert_eq!((closes.close, closes.open), (vec![7.0], None));
    }

    #[test]
    fn rows_that_cannot_be_read_stay_in_marked() {
        let b = bars("date,close,volume\n2004-01-02,1,5\n,2,5\nnonsense,3,5\n2004-01-05,,5\n2004-01-06,n/a,5\n2004-01-07,6\n2004-01-08,inf,5\n2004-13-40,8,5\n").unwrap();
        let lost = UNREADABLE_DATE;
        assert_eq!(
            b.dates,
            [
                day(2004, 1, 2),
                lost,
                lost,
                day(2004, 1, 5),
                day(2004, 1, 6),
                lost,
                day(2004, 1, 8),
                lost
            ]
        );
        let readable: Vec<bool> = b.close.iter().map(|x| x.is_finite()).collect();
        assert_eq!(
            readable,
            [true, true, true, false, false, false, false, true]
        );
    }

    #[test]
    fn dates_are_read_in_one_way_or_not_at_all() {
        let dates = |cells: &[&str]| read_dates("date", cells);
        assert_eq!(
            dates(&["03/04/2004", "03/25/2004"]),
            Ok(vec![Some(day(2004, 3, 4)), Some(day(2004, 3, 25))])
        );
        assert_eq!(
            dates(&["03/04/2004", "25/03/2004"]),
            Ok(vec![Some(day(2004, 4, 3)), Some(day(2004, 3, 25))])
        );
        assert_eq!(
            dates(&["3-4-2004", "25-3-2004"]),
            Ok(vec![Some(day(2004, 4, 3)), Some(day(2004, 3, 25))])
        );
        assert_eq!(dates(&["03.04.2004"]), Ok(vec![Some(day(2004, 4, 3))]));
        assert_eq!(
            dates(&["2004/3/4", "20040305"]),
            Ok(vec![Some(day(2004, 3, 4)), Some(day(2004, 3, 5))])
        );
        // Neither month nor day: the cell alone is lost and decides nothing.
        assert_eq!(
            dates(&["45/45/2004", "03/25/2004"]),
            Ok(vec![None, Some(day(2004, 3, 25))])
        );
        assert_eq!(
            dates(&["12.5", "17633200", "2004", "2004-02-30", "2004-01-02 noon"]),
            Ok(vec![None; 5])
        );
        assert!(matches!(
            dates(&["03/04/2004", "05/06/2004"]),
            Err(DataError::AmbiguousDates { .. })
        ));
        let Err(DataError::Cell { row, .. }) = dates(&["03/25/2004", "25/03/2004"]) else {
            panic!("both orders in one column");
        };
        assert_eq!(row, 2);
    }

    #[test]
    fn thousands_only_where_they_cannot_be_decimals() {
        for (cell, value) in [
            ("1,234.5", 1234.5),
            ("1,234,567", 1_234_567.0),
            ("$3,000.00", 3000.0),
            ("1e3", 1000.0),
            ("-2", -2.0),
        ] {
            assert_eq!(money(cell), value, "{cell}");
        }
        for cell in [
            "1,234",
            "12,34.5",
            "1,2345.6",
            "",
            "-",
            "null",
            "NaN",
            "1.234.567,8",
            ",123.4",
        ] {
            assert!(money(cell).is_nan(), "{cell}");
        }
    }

    #[test]
    fn headings_that_do_not_do() {
        let reason = |text: &str| bars(text).unwrap_err().to_string();
        assert_eq!(
            reason("day,open\n2004-01-02,1\n"),
            "heading: there is no column \"close\"; the heading has day, open"
        );
        assert_eq!(
            reason("when,close\n2004-01-02,1\n"),
            "heading: there is no column \"date\"; the heading has when, close"
        );
        assert!(reason("date,close,Close\n2004-01-02,1,2\n").contains("both name the close"));
        assert_eq!(bars(""), Err(DataError::Empty));
        assert_eq!(bars("\n\n"), Err(DataError::Empty));
        assert_eq!(bars("date,close\n"), Err(DataError::Empty));
        assert_eq!(bars("date,close\n,\n,\n"), Err(DataError::Empty));
        assert_eq!(
            bars("date,close\n2004-01-02,\"1\n"),
            Err(DataError::OpenQuote { row: 1 })
        );
        assert_eq!(
            read_bars(b"date,close\n\xff\xfe", "X"),
            Err(DataError::NotText { offset: 11 })
        );
        assert!(matches!(
            read_bars(b"PAR1\0\0", "X"),
            Err(DataError::NotText { .. })
        ));
    }

    #[test]
    fn a_table_names_the_bad_cell() {
        let t = read_table(b"date,a,b\n2004-01-02,1,2e-3\nwhenever,-3,4\n").unwrap();
        assert_eq!(t.names, ["a", "b"]);
        assert_eq!(t.columns, [vec![1.0, -3.0], vec![0.002, 4.0]]);
        assert_eq!(
            t.dates,
            Some(vec!["2004-01-02".to_owned(), "whenever".to_owned()])
        );
        assert_eq!(t.column("b"), Some(&[0.002, 4.0][..]));
        let reason = |text: &str| read_table(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(
            reason("a,b\n1,2\n3,\n"),
            "column \"b\" row 2: the cell is empty; every row needs a number"
        );
        for cell in ["x", "NaN", "inf", "1,5", "true"] {
            let text = format!("a;b\n1;2\n{cell};2\n");
            assert_eq!(
                reason(&text),
                format!("column \"a\" row 2: \"{cell}\" is not a finite number")
            );
        }
        assert_eq!(
            reason("a,b\n1,2\n1,2,3\n"),
            "row 2 has 3 cells, the heading has 2; correct the row"
        );
        assert_eq!(
            reason("a,b\n1,2\n\n1,2\n"),
            "row 2 has 1 cells, the heading has 2; correct the row"
        );
        assert!(reason("a,a\n1,2\n").contains("two columns are named \"a\""));
        assert!(reason("a,\n1,2\n").contains("column 2 has no name"));
        assert!(reason("date\n2004-01-02\n").contains("no numeric column"));
        // `time` is a figure in a table, an empty cell in a single column is an empty cell.
        assert_eq!(
            read_table(b"time,event\n5,1\n").unwrap().names,
            ["time", "event"]
        );
        assert_eq!(
            reason("a\n1\n\n2\n"),
            "column \"a\" row 2: the cell is empty; every row needs a number"
        );
    }

    #[test]
    fn bars_for_an_indicator_carry_the_usual_names() {
        let t =
            bars_for_run(b"Date,O,H,L,Adj Close,Vol,extra\n2004-01-02,1,2,0.5,1.5,9,7\n").unwrap();
        assert_eq!(t.names, ["open", "high", "low", "close", "volume", "extra"]);
        assert_eq!(t.column("close"), Some(&[1.5][..]));
        assert!(bars_for_run(b"date,x\n2004-01-02,1\n").is_err());
    }

    proptest! {
        /// What is written in quotes comes back, whatever it holds.
        #[test]
        fn quoted_cells_survive(cells in prop::collection::vec("[ -~\n\r;,\t\"é]{0,12}", 1..5)) {
            let quoted: Vec<String> = cells.iter().map(|c| format!("\"{}\"", c.replace('"', "\"\""))).collect();
            let text = format!("{}\n", quoted.join(","));
            prop_assert_eq!(records(&text, ',').unwrap(), vec![cells]);
        }

        /// Any bytes give an answer or an error, never a panic, and rows of bars stay rows.
        #[test]
        fn any_file_is_answered(text in "(date|close|[0-9]{1,9}|[-/.,;\"\n\r\tT $é]){0,60}") {
            let _ = read_table(text.as_bytes());
            if let Ok(b) = bars(&format!("date,close\n{text}")) {
                prop_assert_eq!(b.dates.len(), b.close.len());
            }
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_table(&bytes);
            let _ = read_bars(&bytes, "X");
        }
    }
}
