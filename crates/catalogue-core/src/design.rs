//! What models are fed: checked once at construction, so that a fit starts with mathematics.

use crate::error::FitError;
use crate::stream::{Bar, Field};
use mltrainer_compliance::{Content, Digest};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, Axis};
use std::sync::Arc;

/// A table of finite numbers, rows x columns, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Design {
    x: Arc<Array2<f64>>,
    names: Vec<String>,
}

/// Row after row in memory, as everything that takes a table relies on.
fn kept(x: Array2<f64>) -> Arc<Array2<f64>> {
    Arc::new(if x.is_standard_layout() {
        x
    } else {
        x.as_standard_layout().into_owned()
    })
}

impl Design {
    /// A table from a row-major matrix and one name a column.
    ///
    /// # Errors
    /// [`FitError::Data`] naming the first cell that is NaN or infinite, or the number of names.
    pub fn new(x: Array2<f64>, names: Vec<String>) -> Result<Self, FitError> {
        if names.len() != x.ncols() {
            return Err(FitError::Data(format!(
                "{} names for {} columns",
                names.len(),
                x.ncols()
            )));
        }
        if let Some(((row, col), value)) = x.indexed_iter().find(|(_, v)| !v.is_finite()) {
            return Err(FitError::Data(format!(
                "column \"{}\" row {}: {value} is not a finite number",
                names[col],
                row + 1
            )));
        }
        Ok(Self { x: kept(x), names })
    }

    /// A table in which NaN stands for a missing value, for an entry that takes such.
    ///
    /// # Errors
    /// [`FitError::Data`] naming the first cell that is infinite, or the number of names.
    pub fn with_missing(x: Array2<f64>, names: Vec<String>) -> Result<Self, FitError> {
        let filled = x.mapv(|v| if v.is_nan() { 0.0 } else { v });
        let checked = Self::new(filled, names)?;
        Ok(Self {
            x: kept(x),
            ..checked
        })
    }

    /// The first cell without a value: column and row, counted from 0.
    #[must_use]
    pub fn missing(&self) -> Option<(usize, usize)> {
        // Most tables have none, and most passes over them are this one.
        if self.x.as_slice().is_some_and(|all| !any_nan(all)) {
            return None;
        }
        let at = self.x.indexed_iter().find(|(_, v)| v.is_nan());
        at.map(|((row, col), _)| (col, row))
    }

    /// The matrix, rows x columns.
    #[must_use]
    pub fn x(&self) -> &Array2<f64> {
        &self.x
    }

    /// The matrix, for a fitted model that keeps the rows it has learned from.
    #[must_use]
    pub fn shared(&self) -> Arc<Array2<f64>> {
        Arc::clone(&self.x)
    }

    /// Column names, in order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.x.nrows()
    }

    /// Number of columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.x.ncols()
    }
}

/// Whether one of them is NaN: without leaving early, many at a time.
fn any_nan(values: &[f64]) -> bool {
    let one = |some: &[f64]| some.iter().fold(false, |found, v| found | v.is_nan());
    values.chunks(256).any(one)
}

impl Content for Design {
    fn digest(&self, d: &mut Digest) {
        d.int(self.x.nrows() as i64);
        for name in &self.names {
            d.text(name);
        }
        for &v in self.x.iter() {
            d.float(v);
        }
    }
}

/// Weights that count, one a row.
fn checked_weights(weights: Vec<f64>, rows: usize) -> Result<Vec<f64>, FitError> {
    if weights.len() != rows {
        return Err(FitError::Data(format!(
            "{} weights for {rows} rows: there must be one a row",
            weights.len(),
        )));
    }
    if let Some(row) = weights.iter().position(|w| !w.is_finite() || *w < 0.0) {
        return Err(FitError::Data(format!(
            "weight row {}: {} is not a finite number of at least 0",
            row + 1,
            weights[row]
        )));
    }
    if weights.iter().all(|w| *w == 0.0) {
        return Err(FitError::Data(
            "every row has weight 0: at least one must count".into(),
        ));
    }
    Ok(weights)
}

/// Rows to be grouped, or searched for strange ones: a table without a target, and weights of its rows
/// where they do not all count alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Observations {
    design: Design,
    weights: Option<Vec<f64>>,
}

impl From<Design> for Observations {
    fn from(design: Design) -> Self {
        Self {
            design,
            weights: None,
        }
    }
}

impl Observations {
    /// The same rows with weights: a row of weight 2 counts as if it were there twice.
    ///
    /// # Errors
    /// As [`Training::with_weights`].
    pub fn with_weights(mut self, weights: Vec<f64>) -> Result<Self, FitError> {
        self.weights = Some(checked_weights(weights, self.design.rows())?);
        Ok(self)
    }

    /// The table.
    #[must_use]
    pub fn design(&self) -> &Design {
        &self.design
    }

    /// Its numbers, rows x columns.
    #[must_use]
    pub fn x(&self) -> &Array2<f64> {
        self.design.x()
    }

    /// One weight a row, when they do not all count alike.
    #[must_use]
    pub fn weights(&self) -> Option<&[f64]> {
        self.weights.as_deref()
    }
}

impl Content for Observations {
    fn digest(&self, d: &mut Digest) {
        self.design.digest(d);
        if let Some(weights) = &self.weights {
            d.text("weights").floats(weights);
        }
    }
}

/// Class labels: the distinct labels in ascending order and, for each row, the index of its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// Distinct labels, ascending.
    pub classes: Vec<i64>,
    /// Index into `classes`, one a row.
    pub codes: Vec<usize>,
}

impl Labels {
    /// Labels from whole numbers.
    #[must_use]
    pub fn new(labels: &[i64]) -> Self {
        let mut classes = labels.to_vec();
        classes.sort_unstable();
        classes.dedup();
        let codes = labels
            .iter()
            .map(|l| classes.binary_search(l).unwrap_or_default())
            .collect();
        Self { classes, codes }
    }
}

/// A table with its target: rows of `x` and of the target agree, and every value is finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Training {
    design: Design,
    y: Vec<f64>,
    labels: Option<Labels>,
    weights: Option<Vec<f64>>,
}

impl Training {
    /// A regression problem.
    ///
    /// # Errors
    /// [`FitError::Data`] when lengths differ, there is no row, or a target is not finite.
    pub fn regression(design: Design, y: Vec<f64>) -> Result<Self, FitError> {
        check_target(&design, &y)?;
        Ok(Self {
            design,
            y,
            labels: None,
            weights: None,
        })
    }

    /// A classification problem; the targets must be whole numbers.
    ///
    /// # Errors
    /// As [`Training::regression`], and when a label is not a whole number.
    pub fn classification(design: Design, y: Vec<f64>) -> Result<Self, FitError> {
        check_target(&design, &y)?;
        let mut whole = Vec::with_capacity(y.len());
        for (row, &v) in y.iter().enumerate() {
            if v.fract() != 0.0 || v.abs() > 1e15 {
                return Err(FitError::Data(format!(
                    "target row {}: label {v} is not a whole number",
                    row + 1
                )));
            }
            whole.push(v as i64);
        }
        Ok(Self {
            design,
            y,
            labels: Some(Labels::new(&whole)),
            weights: None,
        })
    }

    /// The same rows with a weight each: a row of weight 2 counts as if it were there twice, one of
    /// weight 0 as if it were not there, but that boosters on histograms, which follow programs that count
    /// rows, count it in a leaf.
    ///
    /// # Errors
    /// [`FitError::Data`] when there is not one weight a row, when one is negative or not finite,
    /// naming its row, or when all are 0.
    pub fn with_weights(mut self, weights: Vec<f64>) -> Result<Self, FitError> {
        self.weights = Some(checked_weights(weights, self.y.len())?);
        Ok(self)
    }

    /// The same problem on these rows, in this order, with their weights; a label that none of them
    /// has is no label of it.
    ///
    /// # Errors
    /// [`FitError::Data`] without a row, or when all of them have weight 0.
    pub fn rows(&self, rows: &[usize]) -> Result<Self, FitError> {
        let x = self.x().select(Axis(0), rows);
        let design = Design::with_missing(x, self.design.names().to_vec())?;
        self.over(design, rows)
    }

    /// The targets and weights of these rows over a table made of them.
    ///
    /// # Errors
    /// As [`Training::rows`], and when the table has another number of rows.
    pub fn over(&self, design: Design, rows: &[usize]) -> Result<Self, FitError> {
        let y = rows.iter().map(|i| self.y[*i]).collect();
        let part = if self.labels.is_some() {
            Self::classification(design, y)?
        } else {
            Self::regression(design, y)?
        };
        match &self.weights {
            Some(w) => part.with_weights(rows.iter().map(|i| w[*i]).collect()),
            None => Ok(part),
        }
    }

    /// The table.
    #[must_use]
    pub fn design(&self) -> &Design {
        &self.design
    }

    /// The matrix, rows x columns.
    #[must_use]
    pub fn x(&self) -> &Array2<f64> {
        self.design.x()
    }

    /// The target, one a row.
    #[must_use]
    pub fn y(&self) -> &[f64] {
        &self.y
    }

    /// The labels of a classification problem.
    #[must_use]
    pub fn labels(&self) -> Option<&Labels> {
        self.labels.as_ref()
    }

    /// Weights of the rows, where they do not all count the same.
    #[must_use]
    pub fn weights(&self) -> Option<&[f64]> {
        self.weights.as_deref()
    }

    /// Regression or classification.
    #[must_use]
    pub fn task(&self) -> Task {
        if self.labels.is_some() {
            Task::Classification
        } else {
            Task::Regression
        }
    }
}

impl Content for Training {
    fn digest(&self, d: &mut Digest) {
        self.design.digest(d);
        d.floats(&self.y).int(i64::from(self.labels.is_some()));
        if let Some(weights) = &self.weights {
            d.floats(weights);
        }
    }
}

/// A table with several targets, all of one task; rows agree and every value is finite.
#[derive(Debug, Clone, PartialEq)]
pub struct MultiTraining {
    names: Vec<String>,
    problems: Vec<Training>,
}

impl MultiTraining {
    /// Problems over one table, one a target, with the names of the targets.
    ///
    /// # Errors
    /// [`FitError::Data`] without a target, with a name twice, or when a target does not fit the table
    /// or the task.
    pub fn new(
        design: &Design,
        targets: Vec<(String, Vec<f64>)>,
        task: Task,
    ) -> Result<Self, FitError> {
        if targets.is_empty() {
            return Err(FitError::Data("there is no target column".into()));
        }
        let (mut names, mut problems) = (Vec::new(), Vec::new());
        for (name, y) in targets {
            if names.contains(&name) {
                return Err(FitError::Data(format!(
                    "target \"{name}\" is named twice; name each target once"
                )));
            }
            problems.push(if task == Task::Classification {
                Training::classification(design.clone(), y)?
            } else {
                Training::regression(design.clone(), y)?
            });
            names.push(name);
        }
        Ok(Self { names, problems })
    }

    /// The same rows with a weight each, for every target.
    ///
    /// # Errors
    /// Those of [`Training::with_weights`].
    pub fn with_weights(self, weights: &[f64]) -> Result<Self, FitError> {
        let problems: Result<_, _> = self
            .problems
            .into_iter()
            .map(|p| p.with_weights(weights.to_vec()))
            .collect();
        Ok(Self {
            names: self.names,
            problems: problems?,
        })
    }

    /// Names of the targets, in order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// One problem a target, all over the same table.
    #[must_use]
    pub fn problems(&self) -> &[Training] {
        &self.problems
    }

    /// The table.
    #[must_use]
    pub fn design(&self) -> &Design {
        self.problems[0].design()
    }

    /// Regression or classification.
    #[must_use]
    pub fn task(&self) -> Task {
        self.problems[0].task()
    }
}

impl Content for MultiTraining {
    fn digest(&self, d: &mut Digest) {
        self.design().digest(d);
        for (name, problem) in self.names.iter().zip(&self.problems) {
            d.text(name).floats(problem.y());
        }
        if let Some(weights) = self.problems.first().and_then(Training::weights) {
            d.floats(weights);
        }
    }
}

fn check_target(design: &Design, y: &[f64]) -> Result<(), FitError> {
    if y.len() != design.rows() {
        return Err(FitError::Data(format!(
            "{} rows of features but {} targets",
            design.rows(),
            y.len()
        )));
    }
    if y.is_empty() {
        return Err(FitError::Data("there is no row to learn from".into()));
    }
    if let Some(row) = y.iter().position(|v| !v.is_finite()) {
        return Err(FitError::Data(format!(
            "target row {}: {} is not a finite number",
            row + 1,
            y[row]
        )));
    }
    Ok(())
}

/// Bars as columns of equal length, finite, oldest first. A column the source does not have is
/// absent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bars {
    /// Open.
    pub open: Option<Vec<f64>>,
    /// High.
    pub high: Option<Vec<f64>>,
    /// Low.
    pub low: Option<Vec<f64>>,
    /// Close.
    pub close: Vec<f64>,
    /// Volume in shares.
    pub volume: Option<Vec<f64>>,
}

impl Content for Bars {
    fn digest(&self, d: &mut Digest) {
        for column in [&self.open, &self.high, &self.low, &self.volume] {
            d.int(i64::from(column.is_some()));
            d.floats(column.as_deref().unwrap_or_default());
        }
        d.floats(&self.close);
    }
}

impl Bars {
    /// Number of bars.
    #[must_use]
    pub fn len(&self) -> usize {
        self.close.len()
    }

    /// Whether there is no bar.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.close.is_empty()
    }

    /// The bar at a position; a number that the source does not have, or that lies beyond the end, is NaN.
    #[must_use]
    pub fn bar(&self, t: usize) -> Bar {
        let of = |column: &[f64]| column.get(t).copied().unwrap_or(f64::NAN);
        let some = |column: &Option<Vec<f64>>| column.as_deref().map_or(f64::NAN, of);
        Bar {
            open: some(&self.open),
            high: some(&self.high),
            low: some(&self.low),
            close: of(&self.close),
            volume: some(&self.volume),
        }
    }

    /// A column by name, or which one is missing.
    ///
    /// # Errors
    /// [`FitError::Data`] when the source does not have it.
    pub fn column<'a>(
        &self,
        name: &str,
        column: &'a Option<Vec<f64>>,
    ) -> Result<&'a [f64], FitError> {
        column
            .as_deref()
            .ok_or_else(|| FitError::Data(format!("the bars have no column \"{name}\"")))
    }

    /// Columns are of one length, not empty and finite.
    ///
    /// # Errors
    /// [`FitError::Data`] naming the first column and row that is not.
    pub fn check(&self) -> Result<(), FitError> {
        self.check_read(&Field::ALL)
    }

    /// Columns are of one length and not empty, and the close and those that are read finite.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_read(&self, reads: &[Field]) -> Result<(), FitError> {
        if self.is_empty() {
            return Err(FitError::Data("there is no bar".into()));
        }
        let columns = [
            (Field::Open, self.open.as_ref()),
            (Field::High, self.high.as_ref()),
            (Field::Low, self.low.as_ref()),
            (Field::Close, Some(&self.close)),
            (Field::Volume, self.volume.as_ref()),
        ];
        for (field, column) in columns {
            let (Some(column), name) = (column, field.name()) else {
                continue;
            };
            if column.len() != self.len() {
                return Err(FitError::Data(format!(
                    "column \"{name}\" has {} rows, close has {}",
                    column.len(),
                    self.len()
                )));
            }
            if field == Field::Close || reads.contains(&field) {
                check_finite(name, column)?;
            }
        }
        Ok(())
    }
}

/// One series of finite numbers, oldest first, with its name; never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequence {
    name: String,
    values: Vec<f64>,
}

impl Sequence {
    /// A series under a name.
    ///
    /// # Errors
    /// [`FitError::Data`] when it is empty, or naming the first row that is not finite.
    pub fn new(name: impl Into<String>, values: Vec<f64>) -> Result<Self, FitError> {
        let name = name.into();
        if values.is_empty() {
            return Err(FitError::Data(format!("column \"{name}\" has no row")));
        }
        check_finite(&name, &values)?;
        Ok(Self { name, values })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The values, oldest first.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }
}

impl Content for Sequence {
    fn digest(&self, d: &mut Digest) {
        d.text(&self.name).floats(&self.values);
    }
}

/// Series of one length, oldest first, with the days of their rows where these are known; no column for
/// a method that takes no data.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesTable {
    design: Design,
    days: Option<Vec<f64>>,
}

impl SeriesTable {
    /// Series with the days of their rows, counted from 1970-01-01; a part of a day is a fraction.
    ///
    /// # Errors
    /// [`FitError::Data`] when there is not one day a row, or naming the first row that is not later
    /// than the one before.
    pub fn new(design: Design, days: Option<Vec<f64>>) -> Result<Self, FitError> {
        if let Some(days) = &days {
            if days.len() != design.rows() {
                return Err(FitError::Data(format!(
                    "{} dates for {} rows: there must be one a row",
                    days.len(),
                    design.rows()
                )));
            }
            if let Some(i) = days.windows(2).position(|w| w[1] <= w[0]) {
                return Err(FitError::Data(format!(
                    "row {}: its date is not later than that of the row before; sort the rows by date, one a date",
                    i + 2
                )));
            }
        }
        Ok(Self { design, days })
    }

    /// No data, for a method that takes none.
    #[must_use]
    pub fn none() -> Self {
        Self {
            design: Design {
                x: Arc::default(),
                names: Vec::new(),
            },
            days: None,
        }
    }

    /// The series as columns of a table.
    #[must_use]
    pub fn design(&self) -> &Design {
        &self.design
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.design.rows()
    }

    /// Names of the series, in order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        self.design.names()
    }

    /// One series by its place, oldest value first; empty when there is none at that place.
    #[must_use]
    pub fn series(&self, at: usize) -> Vec<f64> {
        if at < self.design.columns() {
            self.design.x().column(at).to_vec()
        } else {
            Vec::new()
        }
    }

    /// Days of the rows, counted from 1970-01-01, where known.
    #[must_use]
    pub fn days(&self) -> Option<&[f64]> {
        self.days.as_deref()
    }
}

impl Content for SeriesTable {
    fn digest(&self, d: &mut Digest) {
        self.design.digest(d);
        d.int(i64::from(self.days.is_some()));
        d.floats(self.days.as_deref().unwrap_or_default());
    }
}

fn check_finite(name: &str, column: &[f64]) -> Result<(), FitError> {
    // A finite number times 0 is 0, any other is not a number. Eight sums side by side are vector ones,
    // which a search for the first bad number is not.
    let (eights, rest) = column.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for eight in eights {
        for (sum, v) in sums.iter_mut().zip(eight) {
            *sum += v * 0.0;
        }
    }
    let all = sums.iter().copied().chain(rest.iter().map(|v| v * 0.0));
    if all.sum::<f64>() == 0.0 {
        return Ok(());
    }
    match column.iter().position(|v| !v.is_finite()) {
        Some(row) => Err(FitError::Data(format!(
            "column \"{name}\" row {}: {} is not a finite number",
            row + 1,
            column[row]
        ))),
        None => Ok(()),
    }
}
