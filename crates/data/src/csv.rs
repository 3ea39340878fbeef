//! Users' CSV files: bars for a data set, tables for `mltrainer run`.
//!
//! UTF-8 with or without a byte-order mark; comma, semicolon, tab or bar, told from the heading;
//! cells in double quotes with `""` for a quote; lines end with LF, CRLF or CR; blank lines at the
//! end are ignored. Rows are counted from 1 without the heading.
//!
//! Dates: `YYYY-MM-DD`, `YYYY/MM/DD`, `YYYYMMDD`, `DD.MM.YYYY`, and `MM/DD/YYYY` or `DD/MM/YYYY`
//! when some day above 12 tells which. Numbers of a table: a decimal point and nothing else; those
//! of bars as [`import`](crate::import) reads them.

use crate::bars::Bars;
use crate::error::DataError;
use crate::import::{self, ADJUSTED, Content, Field, Mapping, find_column};
use crate::table::Table;
use crate::text::{Day, Sheet, is_blank, moment, plain_number, shown};
use std::borrow::Cow;

/// Reads a file of daily bars, of any format that [`import`] knows, as it stands.
///
/// # Errors
/// Those of [`import::read`], and [`DataError::Heading`] for a file with several rows a day.
pub fn read_bars(bytes: &[u8], name: &str) -> Result<Bars, DataError> {
    match import::read(bytes, name, &Mapping::default())? {
        Content::Daily(bars) => Ok(bars),
        Content::Intraday(bars) => Err(DataError::Heading {
            reason: format!(
                "the file holds a bar every {} minutes; daily bars are needed here",
                bars.minutes
            ),
        }),
    }
}

/// Reads a table: every column but `date` (or `timestamp`, `datetime`) is numeric and complete.
///
/// # Errors
/// [`DataError`]: not text, empty, a column without a name or named twice, no numeric column, a row of the wrong
/// width, and for the first cell that is empty, text, NaN or infinite its column and row.
pub fn read_table(bytes: &[u8]) -> Result<Table, DataError> {
    read(bytes, number)
}

/// As [`read_table`], with NaN for a cell that is empty or says `nan`, for entries that take missing
/// values.
///
/// # Errors
/// Those of [`read_table`] but for such cells.
pub fn read_table_with_gaps(bytes: &[u8]) -> Result<Table, DataError> {
    read(bytes, |cell| {
        if cell.is_empty() || cell.eq_ignore_ascii_case("nan") {
            return Ok(f64::NAN);
        }
        number(cell)
    })
}

fn read(bytes: &[u8], number: impl Fn(&str) -> Result<f64, String>) -> Result<Table, DataError> {
    let sheet = Sheet::new(bytes, None)?;
    let heading = &sheet.heading;
    let date = find_column(heading, &Field::Date.names()[..3])?;
    let date = match date {
        None => unnamed_dates(&sheet)?,
        found => found,
    };
    let mut names: Vec<String> = Vec::new();
    for (at, name) in heading.iter().enumerate() {
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
    let mut columns = vec![Vec::new(); names.len()];
    let mut dates = date.map(|_| Vec::new());
    let mut take = |row: usize, cells: &[Cow<'_, str>]| {
        if cells.len() != heading.len() {
            return Err(DataError::Width {
                row,
                found: cells.len(),
                expected: heading.len(),
            });
        }
        let mut columns = columns.iter_mut();
        for (k, cell) in cells.iter().enumerate() {
            if Some(k) == date {
                if let Some(dates) = &mut dates {
                    dates.push(cell.to_string());
                }
            } else if let Some(column) = columns.next() {
                column.push(number(cell).map_err(|reason| DataError::Cell {
                    column: heading[k].clone(),
                    row,
                    reason,
                })?);
            }
        }
        Ok(())
    };
    let (mut rows, mut cells) = (sheet.rows(), Vec::with_capacity(heading.len()));
    let (mut row, mut blank) = (0, None);
    while rows.next(&mut cells)? {
        row += 1;
        if is_blank(&cells) {
            // Blank rows are faults only when something follows them.
            blank.get_or_insert_with(|| (row, cells.clone()));
            continue;
        }
        if let Some((row, cells)) = blank.take() {
            take(row, &cells)?;
        }
        take(row, &cells)?;
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
        ("open", Field::Open.names()),
        ("high", Field::High.names()),
        ("low", Field::Low.names()),
        ("close", Field::Close.names()),
        ("close", ADJUSTED),
        ("volume", Field::Volume.names()),
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

/// The first column, when it has no name and its first cell is a date (an index written by pandas).
fn unnamed_dates(sheet: &Sheet<'_>) -> Result<Option<usize>, DataError> {
    let mut cells = Vec::new();
    sheet.rows().next(&mut cells)?;
    let dated = cells
        .first()
        .is_some_and(|c| matches!(moment(c).day, Day::Known(_)));
    let unnamed = sheet.heading.first().is_some_and(String::is_empty);
    Ok((unnamed && dated).then_some(0))
}

fn number(cell: &str) -> Result<f64, String> {
    if cell.is_empty() {
        return Err("the cell is empty; every row needs a number".to_owned());
    }
    match plain_number(cell) {
        Some(x) => Ok(x),
        None if matches!(moment(cell).day, Day::Known(_)) => Err(format!(
            "\"{}\" is a date, not a number; the column of dates must be named \"date\"",
            shown(cell)
        )),
        None => Err(format!("\"{}\" is not a finite number", shown(cell))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bars::UNREADABLE_DATE;
    use crate::text::{Rows, days, money};
    use chrono::NaiveDate;
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
        let dates = |cells: &[&str]| {
            let moments: Vec<_> = cells.iter().map(|c| moment(c)).collect();
            days("date", &moments, None, |row| cells[row].to_owned())
        };
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
            assert_eq!(money(cell, false), value, "{cell}");
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
            assert!(money(cell, false).is_nan(), "{cell}");
        }
    }

    #[test]
    fn headings_that_do_not_do() {
        let reason = |text: &str| bars(text).unwrap_err().to_string();
        assert_eq!(
            reason("day,open\n2004-01-02,1\n"),
            "heading: there is no column \"close\"; the heading has day, open; say which it is with close=NAME"
        );
        assert_eq!(
            reason("when,close\nnoon,1\n"),
            "heading: there is no column \"date\"; the heading has when, close; say which it is with date=NAME"
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
            Err(DataError::Format { format: "Parquet" })
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
            let (mut rows, mut found) = (Rows::new(&text, b','), Vec::new());
            prop_assert!(rows.next(&mut found).unwrap());
            prop_assert_eq!(found, cells);
            prop_assert!(!rows.next(&mut Vec::new()).unwrap());
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
