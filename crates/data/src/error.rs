//! Why data could not be read or stored: what, where, and what to do, in one sentence.

use thiserror::Error;

/// Why data could not be read or stored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DataError {
    /// The file has no text in it, or a heading without rows.
    #[error("the file is empty: a heading and at least one row of data are needed")]
    Empty,
    /// The file is not UTF-8 text.
    #[error("the file is not UTF-8 text (byte {offset}): save it as CSV in UTF-8")]
    NotText {
        /// Position of the first byte that is no text, counted from 0.
        offset: usize,
    },
    /// A quoted cell does not end.
    #[error("row {row}: a quote is opened and never closed; close it or double it inside the cell")]
    OpenQuote {
        /// Row, counted from 1 without the heading; 0 is the heading.
        row: usize,
    },
    /// The heading lacks a column, names one twice or not at all.
    #[error("heading: {reason}")]
    Heading {
        /// What is wrong and what is needed.
        reason: String,
    },
    /// A row has more or fewer cells than the heading.
    #[error("row {row} has {found} cells, the heading has {expected}; correct the row")]
    Width {
        /// Row, counted from 1 without the heading.
        row: usize,
        /// Cells in the row.
        found: usize,
        /// Cells in the heading.
        expected: usize,
    },
    /// A cell is not what its column needs.
    #[error("column \"{column}\" row {row}: {reason}")]
    Cell {
        /// Name of the column.
        column: String,
        /// Row, counted from 1 without the heading.
        row: usize,
        /// What is wrong and what is needed.
        reason: String,
    },
    /// Every date can be read in two ways.
    #[error(
        "column \"{column}\": every date can be read as month/day and as day/month (first: \"{example}\"); write dates as YYYY-MM-DD, or say which it is with dates=mdy or dates=dmy"
    )]
    AmbiguousDates {
        /// Name of the column.
        column: String,
        /// The first date.
        example: String,
    },
    /// What the user said of a file's columns cannot be.
    #[error("mapping \"{given}\": {reason}")]
    Mapping {
        /// The part of the mapping.
        given: String,
        /// What is wrong and what may be said.
        reason: String,
    },
    /// A Parquet or Arrow file that cannot be read. The readers' own words are about the inside of
    /// files and of this program; a person is told what to do.
    #[error(
        "the {format} file cannot be read: it is cut off, damaged, or holds what is not known here; write it again or save it as CSV"
    )]
    Format {
        /// `Parquet` or `Arrow`.
        format: &'static str,
    },
    /// A compressed file that would fill the memory.
    #[error(
        "the {format} file has more than {most} rows; cut it into spans and import them one by one"
    )]
    TooLong {
        /// `Parquet` or `Arrow`.
        format: &'static str,
        /// Rows that are read at most.
        most: usize,
    },
    /// A symbol that cannot be one.
    #[error(
        "\"{symbol}\" is not a symbol: 1 to 32 letters, digits or . ^ _ - = are needed, beginning with a letter, a digit or ^"
    )]
    BadSymbol {
        /// What was given.
        symbol: String,
    },
    /// No data of that name.
    #[error("there is no {what} \"{id}\"{}", hint(suggestions))]
    Unknown {
        /// `symbol` or `series`.
        what: &'static str,
        /// What was asked for.
        id: String,
        /// The nearest names.
        suggestions: Vec<String>,
    },
    /// A split or dividend that cannot be.
    #[error(
        "the corporate action of {symbol} on {date} cannot be: {reason}; correct it in its source"
    )]
    Action {
        /// Symbol.
        symbol: String,
        /// Its day.
        date: chrono::NaiveDate,
        /// What is wrong.
        reason: String,
    },
    /// A stored or bundled file is damaged or was changed.
    #[error("{file} cannot be trusted: {reason}; import or install the data again")]
    Damaged {
        /// The file, relative to its folder.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// No room on the disk.
    #[error(
        "the disk is full: {file} was not written and nothing was changed; free some space and try again"
    )]
    DiskFull {
        /// The file, relative to the library.
        file: String,
    },
    /// The system refused to read or write.
    #[error("{file} cannot be {action}: {reason}")]
    Io {
        /// The file, relative to the library.
        file: String,
        /// `read` or `written`.
        action: &'static str,
        /// The system's words.
        reason: String,
    },
}

fn hint(suggestions: &[String]) -> String {
    if suggestions.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", suggestions.join(" or "))
    }
}
