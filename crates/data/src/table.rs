//! A user's table for `mltrainer run`: numeric columns in file order.

use mltrainer_compliance::{Content, Digest};

/// Numeric columns of equal length, every figure finite.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// The `date` column as text, where the file has one.
    pub dates: Option<Vec<String>>,
    /// Names of the numeric columns, in file order.
    pub names: Vec<String>,
    /// The columns, in the order of `names`.
    pub columns: Vec<Vec<f64>>,
}

impl Table {
    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    /// The column of that name, if there is one.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&[f64]> {
        let at = self.names.iter().position(|n| n == name)?;
        self.columns.get(at).map(Vec::as_slice)
    }
}

impl Content for Table {
    fn digest(&self, d: &mut Digest) {
        d.text("table");
        match &self.dates {
            Some(dates) => {
                d.int(dates.len() as i64);
                for date in dates {
                    d.text(date);
                }
            }
            None => {
                d.int(-1);
            }
        }
        d.int(self.names.len() as i64);
        for (name, column) in self.names.iter().zip(&self.columns) {
            d.text(name).floats(column);
        }
    }
}

/// A table whose cells may be empty: NaN stands for a figure that is missing. For entries that take such.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WithGaps<T>(pub T);

impl<T: Content> Content for WithGaps<T> {
    fn digest(&self, d: &mut Digest) {
        d.text("with gaps");
        self.0.digest(d);
    }
}

/// Rows to predict on: a [`Table`] of which one row is enough, where a table to learn from needs
/// [`MIN_ROWS`](crate::quality::MIN_ROWS).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Unseen(pub Table);

impl Content for Unseen {
    fn digest(&self, d: &mut Digest) {
        self.0.digest(d);
    }
}
