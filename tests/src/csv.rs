//! Small CSV files made of bundled bars: real prices, cut and arranged.

use mltrainer_types::data::Bar;
use std::fmt::Write as _;

/// An OHLCV file with `date,open,high,low,close,volume`.
///
/// # Panics
/// When a bar lacks one of the five: use a data set of kind `bars`.
#[must_use]
pub fn ohlcv(bars: &[Bar]) -> String {
    let mut out = String::from("date,open,high,low,close,volume\n");
    for b in bars {
        let [open, high, low, volume] =
            [b.open, b.high, b.low, b.volume].map(|x| x.expect("a full bar"));
        let _ = writeln!(out, "{},{open},{high},{low},{},{volume}", b.date, b.close);
    }
    out
}

/// A supervised table of daily returns: `date`, the returns of the `lags` days before, and the
/// return of the day itself as `target`. One row a bar from the bar `lags` + 1 on.
#[must_use]
pub fn lagged_returns(bars: &[Bar], lags: usize) -> Table {
    let returns: Vec<f64> = bars
        .windows(2)
        .map(|w| w[1].close / w[0].close - 1.0)
        .collect();
    let rows = (lags..returns.len())
        .map(|t| {
            let mut row: Vec<f64> = (1..=lags).map(|k| returns[t - k]).collect();
            row.push(returns[t]);
            row
        })
        .collect();
    let dates = bars[lags + 1..]
        .iter()
        .map(|b| b.date.to_string())
        .collect();
    let mut names: Vec<String> = (1..=lags).map(|k| format!("lag_{k}")).collect();
    names.push("target".into());
    Table { dates, names, rows }
}

/// A table of numbers with dates.
#[derive(Debug, Clone)]
pub struct Table {
    /// One a row.
    pub dates: Vec<String>,
    /// One a column, without `date`.
    pub names: Vec<String>,
    /// Rows of numbers.
    pub rows: Vec<Vec<f64>>,
}

impl Table {
    /// Some of its rows.
    #[must_use]
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        Self {
            dates: self.dates[range.clone()].to_vec(),
            names: self.names.clone(),
            rows: self.rows[range].to_vec(),
        }
    }

    /// A column by name.
    ///
    /// # Panics
    /// When there is none of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Vec<f64> {
        let at = self
            .names
            .iter()
            .position(|n| n == name)
            .expect("a column of that name");
        self.rows.iter().map(|r| r[at]).collect()
    }

    /// As CSV text. Numbers are written so that they read back bit by bit.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = format!("date,{}\n", self.names.join(","));
        for (date, row) in self.dates.iter().zip(&self.rows) {
            let cells: Vec<String> = row.iter().map(f64::to_string).collect();
            let _ = writeln!(out, "{date},{}", cells.join(","));
        }
        out
    }
}
