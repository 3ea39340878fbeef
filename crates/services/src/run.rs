//! One way to run anything: on files, or on a registered data set.
//!
//! Files are a user's: they go through the gate with origin `user_provided`, like every upload. A
//! feature column that gives the target away is refused by the rule `no_look_ahead`.

use crate::catalogue::find;
use crate::chain;
use crate::error::{from_data, from_refused};
use crate::model_file;
use crate::port::Clock;
use crate::room::blocking;
use crate::{ServiceError, Services};
use mltrainer_catalogue_core::explain;
use mltrainer_catalogue_core::run::{
    Extras, numbers, run_analysis, run_and_explain, run_clustering, run_forecast, run_indicator,
    run_multi, run_simulation,
};
use mltrainer_catalogue_core::{
    Ask, Bars, Design, Engine, FitError, Fitted, Inputs, MultiTraining, Observations, Registry,
    Resolved, Sequence, SeriesTable, Takes, Training, score,
};
use mltrainer_compliance::{
    Admissible, Arrival, Content, Digest, Gate, Inspection, Verified, policy,
};
use mltrainer_data::bars::Bars as DailyBars;
use mltrainer_data::csv;
use mltrainer_data::nearest::nearest;
use mltrainer_data::table::{Table, Unseen, WithGaps};
use mltrainer_features::target;
use mltrainer_features::{Context, FeatureTable};
use mltrainer_types::catalogue::Task;
use mltrainer_types::data::{DatasetKind, QualityReport};
use mltrainer_types::policy::Refusal;
use mltrainer_types::run::{RunRequest, RunResult};
use mltrainer_types::trial::Target;
use ndarray::Array2;
use serde_json::{Map, Value};

/// Origin of files that come with a run.
const USER: &str = "user_provided";

/// Share of the usable days that a run on a data set keeps for the test, the last ones.
const TEST_SHARE: f64 = 0.2;

/// Correlation from which a column counts as a copy of the target.
const COPY: f64 = 1.0 - 1e-12;

/// Fewer rows can agree by chance.
const COPY_ROWS: usize = 20;

/// Shuffles of a column when no number is given; that of scikit-learn.
const REPEATS: u32 = 5;

/// Share of the training rows that split conformal intervals keep back when none is given.
const CALIBRATION: f64 = 0.25;

/// Blocks of CV+ when no number is given.
const FOLDS: u32 = 10;

/// Seed of a single run without `--set seed=`.
const SEED: u64 = 0;

/// A file that came with a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name, for messages and lineage.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// A run on files: the flags of `mltrainer run`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunFiles {
    /// Rows to learn from.
    pub train: Option<File>,
    /// Rows to predict.
    pub test: Option<File>,
    /// Target columns.
    pub target: Vec<String>,
    /// A table, a series or bars.
    pub data: Option<File>,
    /// Columns to use, in this order; absent: all numeric ones, or the close of a series.
    pub column: Vec<String>,
    /// Values to forecast; 1 when absent.
    pub horizon: Option<u32>,
    /// `regression` or `classification`, where the entry has both.
    pub task: Option<String>,
    /// Parameters.
    pub params: Map<String, Value>,
    /// Explanations and intervals.
    pub more: More,
    /// Column of the training file with a weight a row; it is no feature.
    pub weights: Option<String>,
    /// A saved model, in place of rows to learn from.
    pub model: Option<File>,
}

/// What a supervised run states beside its forecasts, as a caller asks for it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct More {
    /// `permutation` and `shap`, in any number.
    pub explain: Vec<String>,
    /// Shuffles of each column; 5 when absent.
    pub repeats: Option<u32>,
    /// Levels of prediction intervals.
    pub interval: Vec<f64>,
    /// `split` or `cv+`.
    pub interval_method: Option<String>,
    /// Share of the training rows that `split` keeps back; 0.25 when absent.
    pub calibration: Option<f64>,
    /// Blocks of rows of `cv+`; 10 when absent.
    pub folds: Option<u32>,
}

impl More {
    fn of(request: &RunRequest) -> Self {
        Self {
            explain: request.explain.clone(),
            repeats: request.repeats,
            interval: request.interval.clone(),
            interval_method: request.interval_method.clone(),
            calibration: request.calibration,
            folds: request.folds,
        }
    }

    /// Refuses what a run without a target does not have: only searches for outliers by trees have SHAP values.
    fn without_target(&self, resolved: &Resolved) -> Result<(), ServiceError> {
        let refused = |reason: String| Err(ServiceError::invalid("explain", reason));
        let id = resolved.id();
        if *self == Self::default() {
            return Ok(());
        }
        let shap = Self {
            explain: vec!["shap".into()],
            ..Self::default()
        };
        match resolved.entry.explain {
            Some(_) if *self == shap => Ok(()),
            Some(_) => refused(format!(
                "{id} has no target: it explains its scores by shap, and has neither permutation importance nor intervals"
            )),
            None => refused(format!(
                "{id} is not fitted to one target here: explanations and intervals are for models that are"
            )),
        }
    }

    /// Checked words and numbers.
    fn extras(&self) -> Result<Extras, ServiceError> {
        let mut extras = Extras::default();
        for word in self.explain.iter().filter(|w| !w.is_empty()) {
            match word.as_str() {
                "permutation" => {
                    extras.permutation = Some(self.repeats.unwrap_or(REPEATS) as usize);
                }
                "shap" => extras.shap = true,
                _ => {
                    return Err(ServiceError::invalid(
                        "explain",
                        format!("\"{word}\" is not one of permutation, shap"),
                    ));
                }
            }
        }
        if extras.permutation.is_some_and(|r| !(1..=1000).contains(&r)) {
            return Err(ServiceError::invalid(
                "repeats",
                format!(
                    "{} is not in 1 to 1000",
                    extras.permutation.unwrap_or_default()
                ),
            ));
        }
        if self.interval.is_empty() {
            return Ok(extras);
        }
        if let Some(level) = self.interval.iter().find(|l| !(**l > 0.0 && **l < 1.0)) {
            return Err(ServiceError::invalid(
                "interval",
                format!("level {level} is not above 0 and below 1"),
            ));
        }
        let method = match self.interval_method.as_deref().filter(|m| !m.is_empty()) {
            None | Some("split") => {
                let share = self.calibration.unwrap_or(CALIBRATION);
                if !(share > 0.0 && share < 1.0) {
                    return Err(ServiceError::invalid(
                        "calibration",
                        format!("share {share} is not above 0 and below 1"),
                    ));
                }
                explain::Method::Split(share)
            }
            Some("cv+") => explain::Method::CvPlus(self.folds.unwrap_or(FOLDS) as usize),
            Some(other) => {
                return Err(ServiceError::invalid(
                    "interval_method",
                    format!("\"{other}\" is not one of split, cv+"),
                ));
            }
        };
        extras.intervals = Some((self.interval.clone(), method));
        Ok(extras)
    }
}

impl Services {
    /// Runs an entry on a registered data set: an indicator on its bars, a clustering on its
    /// features, a supervised entry on features and a target, the last fifth of the days being the
    /// test; with `column` and without `target`, an entry that forecasts a series on that column. A
    /// method on several series takes several data sets, named with commas between, on the days that
    /// all of them have.
    ///
    /// # Errors
    /// [`ServiceError`]: unknown entry, data set or column with the nearest names, a value that
    /// cannot be used, too few rows, a failed fit.
    pub async fn run(&self, id: &str, request: RunRequest) -> Result<RunResult, ServiceError> {
        let resolved = find(&self.inner.registry, id)?;
        let clock = self.inner.clock.clone();
        let width = match resolved.entry.engine {
            Engine::Analysis { width, .. } => Some(width),
            _ => None,
        };
        let ids: Vec<String> = request
            .dataset
            .iter()
            .flat_map(|d| d.split(','))
            .map(|d| d.trim().to_owned())
            .filter(|d| !d.is_empty())
            .collect();
        if ids.is_empty() && width.is_some_and(|(least, _)| least == 0) {
            let files = RunFiles {
                horizon: request.horizon,
                params: request.params,
                ..RunFiles::default()
            };
            let ms = move || clock.monotonic().as_secs_f64() * 1e3;
            return blocking(move || without_data(&resolved, &files, &ms)).await;
        }
        if ids.is_empty() {
            return Err(ServiceError::invalid(
                "dataset",
                "missing: name a data set, for example bundled:AAPL",
            ));
        }
        if ids.len() > 1 && width.is_none_or(|(_, most)| most < 2) {
            return Err(ServiceError::invalid(
                "dataset",
                format!("{} are named, {id} takes one", ids.len()),
            ));
        }
        crate::data::check_span(request.start, request.end)?;
        let mut sets = Vec::new();
        for dataset in &ids {
            let set = self.inner.room.one(dataset).await?;
            if set.detail.summary.kind == DatasetKind::Series {
                return Err(ServiceError::invalid(
                    "dataset",
                    format!("{dataset} is an economic series; a run needs bars or closes"),
                ));
            }
            sets.push(self.inner.room.bars(&set).await?);
        }
        let context = self.inner.room.context(&groups()).await?;
        blocking(move || match sets.as_slice() {
            [bars] => on_bars(&resolved, bars, context.as_ref(), &request, &*clock),
            several => {
                let parts: Vec<Verified<DailyBars>> =
                    several.iter().map(|b| Verified::clone(b)).collect();
                on_several(&resolved, &parts, &request, &*clock)
            }
        })
        .await
    }

    /// Runs an entry on uploaded files, see [`run_files`].
    ///
    /// # Errors
    /// Those of [`run_files`].
    pub async fn run_files(&self, id: &str, request: RunFiles) -> Result<RunResult, ServiceError> {
        let (registry, clock) = (self.inner.registry, self.inner.clock.clone());
        let id = id.to_owned();
        blocking(move || run_files(&registry, &*clock, &id, &request)).await
    }
}

/// Runs an entry on files; needs no store.
///
/// # Errors
/// [`ServiceError::NotFound`] for an unknown entry or column with the nearest names;
/// [`ServiceError::Invalid`] for missing files and refused parameters; [`ServiceError::BadData`] and
/// [`ServiceError::Refused`] for data that cannot be used; [`ServiceError::FitFailed`].
pub fn run_files(
    registry: &Registry,
    clock: &dyn Clock,
    id: &str,
    request: &RunFiles,
) -> Result<RunResult, ServiceError> {
    run_and_keep(registry, clock, id, request).map(|(result, _)| result)
}

/// As [`run_files`]; the second is the fitted model, where the entry fits one to one target.
///
/// # Errors
/// Those of [`run_files`].
pub fn run_and_keep(
    registry: &Registry,
    clock: &dyn Clock,
    id: &str,
    request: &RunFiles,
) -> Result<(RunResult, Option<Kept>), ServiceError> {
    let resolved = find(registry, id)?;
    // A wrong parameter is told before files are read.
    resolved.params(&request.params)?;
    let ms = || clock.monotonic().as_secs_f64() * 1e3;
    let given = &request.params;
    let more = request.more.extras()?;
    let fits = matches!(resolved.entry.engine, Engine::Supervised { .. })
        && (request.train.is_some()
            || request.model.is_some()
            || resolved.entry.forecast.is_none());
    if !fits {
        request.more.without_target(&resolved)?;
        if request.model.is_some() {
            return Err(ServiceError::invalid(
                "model",
                format!(
                    "{id} is not fitted to one target here: saved models are for models that are"
                ),
            ));
        }
    }
    if let Some(file) = &request.model {
        return model_file::run(&resolved, &ms, file, request, &more).map(|r| (r, None));
    }
    let alone = |result: RunResult| (result, None);
    match resolved.entry.engine {
        Engine::Supervised { .. }
            if request.train.is_none() && resolved.entry.forecast.is_some() =>
        {
            let data = admit(need("data", request.data.as_ref())?, csv::read_table)?;
            let name = one_column(&request.column, data.get())?;
            let series = data.derive("column", name.clone(), |t| {
                Sequence::new(name.clone(), t.column(&name).unwrap_or_default().to_vec())
            })?;
            let horizon = request.horizon.unwrap_or(1) as usize;
            Ok(alone(run_forecast(
                &resolved, given, &series, horizon, &ms,
            )?))
        }
        Engine::Supervised { .. } => {
            let (train, test) = (
                need("train", request.train.as_ref())?,
                need("test", request.test.as_ref())?,
            );
            let [target] = request.target.as_slice() else {
                return Err(ServiceError::invalid(
                    "target",
                    format!(
                        "{} columns are named, {id} takes exactly one; give --target COLUMN",
                        request.target.len()
                    ),
                ));
            };
            let task = task(&resolved, request.task.as_deref())?;
            let gaps = resolved.entry.missing;
            let weights = request.weights.as_deref();
            let admitted = admit_table(train, gaps)?;
            let fit = admitted.derive("target", format!("column {target}"), |t| {
                let problem = Problem {
                    target,
                    task,
                    weights,
                };
                supervised(t, &train.name, &request.column, &problem)
            })?;
            refuse_leak(fit.get(), target)?;
            let unseen = admit_unseen(test, gaps)?;
            refuse_later(admitted.get(), &unseen.get().0)?;
            let tested = unseen.derive("target", format!("column {target}"), |t| {
                // The same columns in the same order, wherever they stand in this file.
                let columns = fit.get().design().names();
                let problem = Problem {
                    target,
                    task,
                    weights: None,
                };
                supervised(&t.0, &test.name, columns, &problem)
            })?;
            let (result, model) =
                run_and_explain(&resolved, given, &fit, &tested, SEED, &ms, &more)?;
            let kept = Kept {
                model,
                task,
                target: target.clone(),
                features: fit.get().design().names().to_vec(),
            };
            Ok((result, Some(kept)))
        }
        Engine::Multi { .. } => {
            let (train, test) = (
                need("train", request.train.as_ref())?,
                need("test", request.test.as_ref())?,
            );
            if request.target.is_empty() {
                return Err(ServiceError::invalid(
                    "target",
                    "missing: give --target COLUMN,COLUMN",
                ));
            }
            let task = task(&resolved, request.task.as_deref())?;
            let names = request.target.join(", ");
            let admitted = admit(train, csv::read_table)?;
            let weights = request.weights.as_deref();
            let fit = admitted.derive("targets", format!("columns {names}"), |t| {
                several(
                    t,
                    &train.name,
                    &request.target,
                    &request.column,
                    task,
                    weights,
                )
            })?;
            for (problem, target) in fit.get().problems().iter().zip(&request.target) {
                refuse_leak(problem, target)?;
            }
            let unseen = admit(test, |bytes| csv::read_table(bytes).map(Unseen))?;
            refuse_later(admitted.get(), &unseen.get().0)?;
            let tested = unseen.derive("targets", format!("columns {names}"), |t| {
                let columns = fit.get().design().names();
                several(&t.0, &test.name, &request.target, columns, task, None)
            })?;
            Ok(alone(run_multi(
                &resolved, given, &fit, &tested, SEED, &ms,
            )?))
        }
        Engine::Clustering { .. } => {
            let file = need("data", request.data.as_ref())?;
            let data = admit(file, csv::read_table)?;
            let mut others = Vec::new();
            let (asked, name) = (&request.column, request.weights.as_deref());
            let weights = weights_of(data.get(), &file.name, name, asked, &mut others)?;
            let columns = chosen(data.get(), asked, &others)?;
            let rows = data.derive("table", columns.join(", "), |t| {
                let rows = Observations::from(design(t, &columns)?);
                Ok::<_, ServiceError>(match weights {
                    Some(weights) => rows.with_weights(weights)?,
                    None => rows,
                })
            })?;
            Ok(alone(run_clustering(
                &resolved, given, &rows, more.shap, SEED, &ms,
            )?))
        }
        Engine::Indicator { .. } | Engine::Simulation { .. } => {
            let file = need("data", request.data.as_ref())?;
            // `--column open` computes the indicator of the opens instead of the closes.
            let close = match request.column.as_slice() {
                [] => None,
                columns => Some(columns),
            };
            let table = match close {
                None => admit(file, csv::bars_for_run)?,
                Some(_) => admit(file, csv::read_table)?,
            };
            let close = match close {
                None => "close".to_owned(),
                Some(columns) => one_column(columns, table.get())?,
            };
            let bars = table.derive("bars", format!("{}, column {close}", file.name), |t| {
                let column = |name: &str| t.column(name).map(<[f64]>::to_vec);
                let bars = Bars {
                    open: column("open"),
                    high: column("high"),
                    low: column("low"),
                    close: column(&close).unwrap_or_default(),
                    volume: column("volume"),
                };
                bars.check().map(|()| bars)
            })?;
            Ok(alone(over_bars(&resolved, given, &bars, &ms)?))
        }
        Engine::Analysis { width, .. } => {
            let file = match &request.data {
                None if width.0 == 0 => return without_data(&resolved, request, &ms).map(alone),
                file => need("data", file.as_ref())?,
            };
            let table = if resolved.entry.card.id == chain::ID {
                let read = |bytes: &[u8]| csv::read_table(&chain::numeric(bytes)?);
                admit(file, read)?
            } else {
                admit(file, csv::read_table)?
            };
            let columns = match (width.0, request.column.is_empty()) {
                (0 | 1, true) => vec![one_column(&[], table.get())?],
                _ => chosen(table.get(), &request.column, &[])?,
            };
            let data = table.derive("series", columns.join(", "), |t| {
                SeriesTable::new(design(t, &columns)?, days(t))
            })?;
            let asked = ask(request.horizon);
            let mut result = run_analysis(&resolved, given, &data, asked, &ms)?;
            if resolved.entry.card.id == chain::ID
                && let Some(days) = result.outputs.get("day")
            {
                let dates = chain::dates(days);
                result.outputs.insert("dates".to_owned(), dates);
            }
            Ok(alone(result))
        }
    }
}

/// An indicator or a simulation.
fn over_bars(
    resolved: &Resolved,
    given: &Map<String, Value>,
    bars: &Verified<Bars>,
    ms: &dyn Fn() -> f64,
) -> Result<RunResult, FitError> {
    match resolved.entry.engine {
        Engine::Simulation { .. } => run_simulation(resolved, given, bars, ms),
        _ => run_indicator(resolved, given, bars, ms),
    }
}

/// An entry that computes from parameters alone.
fn without_data(
    resolved: &Resolved,
    request: &RunFiles,
    ms: &dyn Fn() -> f64,
) -> Result<RunResult, ServiceError> {
    let arrival = Arrival {
        origin: USER.to_owned(),
        request: "no data".to_owned(),
        promised_sha256: None,
        content: NoData,
    };
    let admitted = Gate::admit(arrival).map_err(from_refused)?.verified;
    let none = admitted.derive("series", "none", |_| Ok::<_, FitError>(SeriesTable::none()))?;
    Ok(run_analysis(
        resolved,
        &request.params,
        &none,
        ask(request.horizon),
        ms,
    )?)
}

pub(crate) fn ask(horizon: Option<u32>) -> Ask {
    Ask {
        horizon: horizon.unwrap_or(1) as usize,
        seed: SEED,
    }
}

/// Days of the rows, counted from 1970-01-01, where the table has dates that read as such.
fn days(table: &Table) -> Option<Vec<f64>> {
    let dates = table.dates.as_ref()?;
    dates
        .iter()
        .map(|d| {
            let day: chrono::NaiveDate = d.get(..10)?.parse().ok()?;
            let clock = d.get(11..).and_then(|t| t.get(..5)).and_then(|t| {
                let (hour, minute) = t.split_once(':')?;
                Some(hour.parse::<f64>().ok()? / 24.0 + minute.parse::<f64>().ok()? / 1440.0)
            });
            Some(f64::from(day.to_epoch_days()) + clock.unwrap_or_default())
        })
        .collect()
}

/// A model that a run has fitted, and what it was fitted to.
pub struct Kept {
    /// The model.
    pub model: Box<dyn Fitted>,
    /// Regression or classification.
    pub task: Task,
    /// Column of the target.
    pub target: String,
    /// Columns of the features, in order.
    pub features: Vec<String>,
}

/// A table to learn from; `gaps` says whether its figures may be missing.
fn admit_table(file: &File, gaps: bool) -> Result<Verified<Table>, ServiceError> {
    if !gaps {
        return admit(file, csv::read_table);
    }
    let read = |bytes: &[u8]| csv::read_table_with_gaps(bytes).map(WithGaps);
    admit(file, read)?.derive("table", "empty cells are missing values", |t| {
        Ok(t.0.clone())
    })
}

/// Rows to predict.
pub(crate) fn admit_unseen(file: &File, gaps: bool) -> Result<Verified<Unseen>, ServiceError> {
    if !gaps {
        return admit(file, |bytes| csv::read_table(bytes).map(Unseen));
    }
    let read = |bytes: &[u8]| csv::read_table_with_gaps(bytes).map(|t| WithGaps(Unseen(t)));
    admit(file, read)?.derive("table", "empty cells are missing values", |t| {
        Ok(t.0.clone())
    })
}

pub(crate) fn need<'a>(flag: &str, file: Option<&'a File>) -> Result<&'a File, ServiceError> {
    file.ok_or_else(|| ServiceError::invalid(flag, format!("missing: give --{flag} FILE.csv")))
}

/// Reads a user's file and takes it through the gate.
fn admit<T: mltrainer_compliance::Admissible>(
    file: &File,
    read: impl FnOnce(&[u8]) -> Result<T, mltrainer_data::DataError>,
) -> Result<Verified<T>, ServiceError> {
    let named = |e: ServiceError| match e {
        ServiceError::BadData(text) => ServiceError::BadData(format!("{}: {text}", file.name)),
        ServiceError::Refused(Refusal { rule, reason }) => ServiceError::Refused(Refusal {
            rule,
            reason: format!("{}: {reason}", file.name),
        }),
        other => other,
    };
    let content = read(&file.bytes).map_err(|e| named(from_data(e)))?;
    let arrival = Arrival {
        origin: USER.to_owned(),
        request: file.name.clone(),
        promised_sha256: None,
        content,
    };
    Gate::admit(arrival)
        .map(|a| a.verified)
        .map_err(|e| named(from_refused(e)))
}

/// The columns asked for, or all but the target.
pub(crate) fn chosen(
    table: &Table,
    asked: &[String],
    targets: &[String],
) -> Result<Vec<String>, ServiceError> {
    for name in asked.iter().chain(targets) {
        known_column(table, name)?;
    }
    if !asked.is_empty() {
        return Ok(asked.to_vec());
    }
    let columns: Vec<String> = table
        .names
        .iter()
        .filter(|n| !targets.contains(n))
        .cloned()
        .collect();
    if columns.is_empty() {
        return Err(ServiceError::BadData(
            "there is no feature column besides the target".to_owned(),
        ));
    }
    Ok(columns)
}

pub(crate) fn known_column(table: &Table, name: &str) -> Result<(), ServiceError> {
    if table.column(name).is_some() {
        return Ok(());
    }
    let near = match nearest(name, &table.names).as_slice() {
        [] => format!("it has {}", table.names.join(", ")),
        names => format!("did you mean {}?", names.join(" or ")),
    };
    Err(ServiceError::BadData(format!(
        "there is no column \"{name}\"; {near}"
    )))
}

/// The column of a series: the one asked for, else the close, else the first.
fn one_column(asked: &[String], table: &Table) -> Result<String, ServiceError> {
    match asked {
        [] => Ok(table.column("close").map_or_else(
            || table.names.first().cloned().unwrap_or_default(),
            |_| "close".into(),
        )),
        [name] => known_column(table, name).map(|()| name.clone()),
        many => Err(ServiceError::invalid(
            "column",
            format!("{} columns are named, one series is needed", many.len()),
        )),
    }
}

pub(crate) fn design(table: &Table, columns: &[String]) -> Result<Design, FitError> {
    let rows = table.rows();
    let mut x = Array2::zeros((rows, columns.len()));
    for (mut into, name) in x.columns_mut().into_iter().zip(columns) {
        let from = table.column(name).unwrap_or_default();
        into.iter_mut().zip(from).for_each(|(to, v)| *to = *v);
    }
    // Only the table of an entry that takes missing values has gaps.
    Design::with_missing(x, columns.to_vec())
}

/// What is learned from a table.
pub(crate) struct Problem<'a> {
    pub(crate) target: &'a str,
    pub(crate) task: Task,
    /// Column of weights.
    pub(crate) weights: Option<&'a str>,
}

pub(crate) fn supervised(
    table: &Table,
    file: &str,
    asked: &[String],
    problem: &Problem<'_>,
) -> Result<Training, ServiceError> {
    let mut others = vec![problem.target.to_owned()];
    let weights = weights_of(table, file, problem.weights, asked, &mut others)?;
    let columns = besides(table, file, asked, &others)?;
    let design = design(table, &columns)?;
    let y = table.column(problem.target).unwrap_or_default().to_vec();
    let data = training(design, y, problem.task)?;
    Ok(match weights {
        Some(weights) => data.with_weights(weights)?,
        None => data,
    })
}

/// The column of weights, which is added to those that are no features.
fn weights_of(
    table: &Table,
    file: &str,
    name: Option<&str>,
    asked: &[String],
    others: &mut Vec<String>,
) -> Result<Option<Vec<f64>>, ServiceError> {
    let Some(name) = name else { return Ok(None) };
    known_column(table, name).map_err(|e| in_file(file, e))?;
    if others.iter().chain(asked).any(|c| c == name) {
        return Err(ServiceError::invalid(
            "weights",
            format!(
                "column \"{name}\" is a target or a feature too; weights have a column of their own"
            ),
        ));
    }
    others.push(name.to_owned());
    Ok(table.column(name).map(<[f64]>::to_vec))
}

fn several(
    table: &Table,
    file: &str,
    targets: &[String],
    asked: &[String],
    task: Task,
    weights: Option<&str>,
) -> Result<MultiTraining, ServiceError> {
    let mut others = targets.to_vec();
    let weights = weights_of(table, file, weights, asked, &mut others)?;
    let columns = besides(table, file, asked, &others)?;
    let values = |name: &String| table.column(name).unwrap_or_default().to_vec();
    let named = targets.iter().map(|t| (t.clone(), values(t))).collect();
    let data = MultiTraining::new(&design(table, &columns)?, named, task)?;
    Ok(match weights {
        Some(weights) => data.with_weights(&weights)?,
        None => data,
    })
}

/// The feature columns of a file, named in its errors.
fn besides(
    table: &Table,
    file: &str,
    asked: &[String],
    targets: &[String],
) -> Result<Vec<String>, ServiceError> {
    chosen(table, asked, targets).map_err(|e| in_file(file, e))
}

pub(crate) fn in_file(file: &str, error: ServiceError) -> ServiceError {
    match error {
        ServiceError::BadData(text) => ServiceError::BadData(format!("{file}: {text}")),
        other => other,
    }
}

fn training(design: Design, y: Vec<f64>, task: Task) -> Result<Training, ServiceError> {
    Ok(if task == Task::Classification {
        Training::classification(design, y)?
    } else {
        Training::regression(design, y)?
    })
}

/// The task asked for, or the first of the entry.
fn task(resolved: &Resolved, asked: Option<&str>) -> Result<Task, ServiceError> {
    let tasks = resolved.entry.card.tasks;
    let Some(word) = asked.filter(|w| !w.is_empty()) else {
        return Ok(tasks.first().copied().unwrap_or(Task::Regression));
    };
    Task::parse(word)
        .filter(|t| tasks.contains(t))
        .ok_or_else(|| {
            let words: Vec<&str> = tasks.iter().map(|t| t.as_str()).collect();
            ServiceError::invalid(
                "task",
                format!(
                    "\"{word}\" is not one of {} of {}",
                    words.join(", "),
                    resolved.id()
                ),
            )
        })
}

/// Refuses a feature that is the target itself, or the target times a number plus a number: on
/// rows to come nobody has it.
fn refuse_leak(data: &Training, target: &str) -> Result<(), ServiceError> {
    let y = data.y();
    if y.len() < COPY_ROWS {
        return Ok(());
    }
    for (column, name) in data.x().columns().into_iter().zip(data.design().names()) {
        if correlation(&column.to_vec(), y).is_some_and(|r| r.abs() > COPY) {
            return Err(policy::NO_LOOK_AHEAD
                .refusal(&format!(
                    "column \"{name}\" is the target \"{target}\" itself, up to scale and shift: take it out of the file"
                ))
                .into());
        }
    }
    Ok(())
}

/// Refuses training rows that lie after test rows, where both files say when their rows were.
fn refuse_later(train: &Table, test: &Table) -> Result<(), ServiceError> {
    fn days(t: &Table) -> Option<Vec<chrono::NaiveDate>> {
        let dates = t.dates.as_ref()?;
        dates
            .iter()
            .map(|d| d.get(..10).and_then(|d| d.parse().ok()))
            .collect()
    }
    let (Some(train), Some(test)) = (days(train), days(test)) else {
        return Ok(());
    };
    if let (Some(last), Some(first)) = (train.iter().max(), test.iter().min())
        && last > first
    {
        return Err(policy::NO_LOOK_AHEAD
            .refusal(&format!(
                "the training rows reach to {last}, after the first test row of {first}: train on the earlier rows"
            ))
            .into());
    }
    Ok(())
}

/// Pearson's correlation; none when either does not vary.
pub(crate) fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    // Rows where a figure is missing say nothing.
    let pairs = a.iter().zip(b).filter(|(a, b)| !a.is_nan() && !b.is_nan());
    let (a, b): (Vec<f64>, Vec<f64>) = pairs.unzip();
    let centred = |v: &[f64]| -> Vec<f64> {
        let mean = v.iter().sum::<f64>() / v.len() as f64;
        v.iter().map(|x| x - mean).collect()
    };
    let (a, b) = (centred(&a), centred(&b));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let (aa, bb) = (dot(&a, &a), dot(&b, &b));
    (aa > 0.0 && bb > 0.0).then(|| dot(&a, &b) / (aa.sqrt() * bb.sqrt()))
}

/// A run on the bars of a data set.
pub(crate) fn on_bars(
    resolved: &Resolved,
    bars: &Verified<DailyBars>,
    context: Option<&Verified<Context>>,
    request: &RunRequest,
    clock: &dyn Clock,
) -> Result<RunResult, ServiceError> {
    let ms = || clock.monotonic().as_secs_f64() * 1e3;
    let given = &request.params;
    let fits = matches!(resolved.entry.engine, Engine::Supervised { .. })
        && (request.target.is_some() || resolved.entry.forecast.is_none());
    let more = More::of(request);
    if !fits {
        more.without_target(resolved)?;
    }
    let (start, end) = (request.start, request.end);
    let span = bars.derive("span", span_words(start, end), |b| {
        let cut = b.slice(start, end);
        if cut.is_empty() {
            let (first, last) = (b.dates.first(), b.dates.last());
            return Err(ServiceError::BadData(format!(
                "{} has no day {}; it has days from {} to {}",
                b.symbol,
                span_words(start, end),
                first.map(ToString::to_string).unwrap_or_default(),
                last.map(ToString::to_string).unwrap_or_default()
            )));
        }
        Ok(cut)
    })?;
    match resolved.entry.engine {
        Engine::Indicator { .. } | Engine::Simulation { .. } => {
            let columns = span.derive("bars", "columns of the bars", |b| {
                let columns = Bars {
                    open: b.open.clone(),
                    high: b.high.clone(),
                    low: b.low.clone(),
                    close: b.close.clone(),
                    volume: b.volume.clone(),
                };
                columns.check().map(|()| columns)
            })?;
            let mut result = over_bars(resolved, given, &columns, &ms)?;
            let dates: Vec<String> = span.get().dates.iter().map(ToString::to_string).collect();
            result.outputs.insert("dates".into(), Value::from(dates));
            Ok(result)
        }
        Engine::Supervised { .. }
            if request.target.is_none() && resolved.entry.forecast.is_some() =>
        {
            let name = request.column.as_deref().unwrap_or("close");
            let series = span.derive("column", name, |b| {
                Sequence::new(name, bar_column(b, name)?).map_err(ServiceError::from)
            })?;
            let horizon = request.horizon.unwrap_or(1) as usize;
            Ok(run_forecast(resolved, given, &series, horizon, &ms)?)
        }
        Engine::Clustering { .. } => {
            let table = features(&span, context)?;
            let usable = usable_rows(&table.get().columns);
            let design = table.derive("rows", format!("{} complete rows", usable.len()), |t| {
                pick(t, &usable).map(Observations::from)
            })?;
            let dates: Vec<String> = usable
                .iter()
                .map(|r| span.get().dates[*r].to_string())
                .collect();
            let mut result =
                run_clustering(resolved, given, &design, more.extras()?.shap, SEED, &ms)?;
            result.outputs.insert("dates".into(), Value::from(dates));
            Ok(result)
        }
        Engine::Analysis { takes, .. } => {
            let series = span.derive("series", series_words(request), |b| {
                joined(&[b], takes, request)
            })?;
            with_days(resolved, &series, request, &ms)
        }
        Engine::Multi { .. } => Err(ServiceError::invalid(
            "dataset",
            format!(
                "{} takes several targets: run it on files, with train, test and target",
                resolved.id()
            ),
        )),
        Engine::Supervised { .. } => supervised_on_bars(resolved, &span, context, request, &ms),
    }
}

/// A method on the series of several data sets, on the days that all of them have.
fn on_several(
    resolved: &Resolved,
    parts: &[Verified<DailyBars>],
    request: &RunRequest,
    clock: &dyn Clock,
) -> Result<RunResult, ServiceError> {
    let Engine::Analysis { takes, .. } = resolved.entry.engine else {
        return Err(ServiceError::invalid(
            "dataset",
            format!("{} takes one", resolved.id()),
        ));
    };
    let series = Verified::combine(parts, "series", series_words(request), |all| {
        joined(all, takes, request)
    })?;
    let ms = || clock.monotonic().as_secs_f64() * 1e3;
    with_days(resolved, &series, request, &ms)
}

fn series_words(request: &RunRequest) -> String {
    let span = span_words(request.start, request.end);
    format!("{}, {span}", request.column.as_deref().unwrap_or("close"))
}

/// Runs the method and says which day each row is of.
fn with_days(
    resolved: &Resolved,
    series: &Verified<SeriesTable>,
    request: &RunRequest,
    ms: &dyn Fn() -> f64,
) -> Result<RunResult, ServiceError> {
    let (given, ask) = (&request.params, ask(request.horizon));
    let mut result = run_analysis(resolved, given, series, ask, ms)?;
    let days = series.get().days().unwrap_or_default();
    let dates = days.iter().map(|d| {
        let day = chrono::NaiveDate::from_epoch_days(*d as i32);
        day.map(|d| Value::from(d.to_string())).unwrap_or_default()
    });
    result.outputs.insert("dates".into(), dates.collect());
    Ok(result)
}

/// One column a data set, or of one set the columns that are named, on the days that all sets have:
/// the values, or their changes in percent.
fn joined(
    sets: &[&DailyBars],
    takes: Takes,
    request: &RunRequest,
) -> Result<SeriesTable, ServiceError> {
    let inside = |d: &&chrono::NaiveDate| {
        request.start.is_none_or(|s| **d >= s) && request.end.is_none_or(|e| **d <= e)
    };
    let (first, others) = sets.split_first().ok_or_else(|| {
        ServiceError::invalid(
            "dataset",
            "missing: name a data set, for example bundled:AAPL",
        )
    })?;
    let shared = |d: &&chrono::NaiveDate| {
        let has = |set: &&DailyBars| set.dates.binary_search(*d).is_ok();
        inside(d) && others.iter().all(has)
    };
    let dates: Vec<chrono::NaiveDate> = first.dates.iter().filter(shared).copied().collect();
    let asked = request.column.as_deref().unwrap_or("close");
    let mut names = Vec::new();
    let mut columns = Vec::new();
    for set in sets {
        for word in asked.split(',').map(str::trim) {
            let values = bar_column(set, word)?;
            let at = |d: &chrono::NaiveDate| set.dates.binary_search(d).ok();
            let levels: Vec<f64> = dates.iter().filter_map(at).map(|i| values[i]).collect();
            columns.push(match takes {
                Takes::Levels | Takes::Nothing => levels,
                Takes::Returns => {
                    let change = |w: &[f64]| 100.0 * (w[1] / w[0] - 1.0);
                    levels.windows(2).map(change).collect()
                }
            });
            names.push(match (sets.len(), asked.contains(',')) {
                (1, _) => word.to_owned(),
                (_, false) => set.symbol.clone(),
                (_, true) => format!("{}.{word}", set.symbol),
            });
        }
    }
    let rows = columns.first().map_or(0, Vec::len);
    if rows == 0 {
        return Err(ServiceError::BadData(format!(
            "{} {} no day in common {}",
            sets.iter()
                .map(|s| s.symbol.as_str())
                .collect::<Vec<_>>()
                .join(", "),
            if sets.len() == 1 { "has" } else { "have" },
            span_words(request.start, request.end)
        )));
    }
    let days = dates[dates.len() - rows..].iter();
    let days = days.map(|d| f64::from(d.to_epoch_days())).collect();
    let x = Array2::from_shape_fn((rows, columns.len()), |(r, c)| columns[c][r]);
    Ok(SeriesTable::new(Design::new(x, names)?, Some(days))?)
}

/// Closes of data sets under their symbols, on the days from `start` to `end` that all have.
pub(crate) fn joined_closes(
    sets: &[&DailyBars],
    start: Option<chrono::NaiveDate>,
    end: Option<chrono::NaiveDate>,
) -> Result<SeriesTable, ServiceError> {
    let request = RunRequest {
        start,
        end,
        ..RunRequest::default()
    };
    let table = joined(sets, Takes::Levels, &request)?;
    let names = sets.iter().map(|s| s.symbol.clone()).collect();
    let days = table.days().map(<[f64]>::to_vec);
    let design = Design::new(table.design().x().to_owned(), names)?;
    Ok(SeriesTable::new(design, days)?)
}

/// A column of bars by name.
fn bar_column(b: &DailyBars, name: &str) -> Result<Vec<f64>, ServiceError> {
    let column = match name {
        "open" => b.open.clone(),
        "high" => b.high.clone(),
        "low" => b.low.clone(),
        "close" => Some(b.close.clone()),
        "volume" => b.volume.clone(),
        _ => None,
    };
    column.ok_or_else(|| ServiceError::NotFound {
        what: "column",
        id: name.to_owned(),
        suggestions: ["open", "high", "low", "close", "volume"]
            .map(str::to_owned)
            .to_vec(),
    })
}

fn supervised_on_bars(
    resolved: &Resolved,
    span: &Verified<DailyBars>,
    context: Option<&Verified<Context>>,
    request: &RunRequest,
    ms: &dyn Fn() -> f64,
) -> Result<RunResult, ServiceError> {
    let word = request.target.as_deref().unwrap_or("return");
    let Some(target) = Target::ALL.into_iter().find(|t| t.as_str() == word) else {
        let words: Vec<&str> = Target::ALL.iter().map(|t| t.as_str()).collect();
        return Err(ServiceError::invalid(
            "target",
            format!("\"{word}\" is not one of {}", words.join(", ")),
        ));
    };
    // Models learn the return; a price is what comes out of it.
    let learned = match target {
        Target::Price => Target::Return,
        other => other,
    };
    let horizon = request.horizon.unwrap_or(1);
    if !(1..=250).contains(&horizon) {
        return Err(ServiceError::invalid(
            "horizon",
            format!("{horizon} is not in 1 to 250"),
        ));
    }
    let wanted = if target == Target::Direction {
        Task::Classification
    } else {
        Task::Regression
    };
    let tasks = resolved.entry.card.tasks;
    if !tasks.contains(&wanted) && !tasks.contains(&Task::Signal) {
        return Err(ServiceError::invalid(
            "target",
            format!(
                "\"{word}\" is a {} target, {} does not do that",
                wanted.as_str(),
                resolved.id()
            ),
        ));
    }
    if request
        .task
        .as_deref()
        .is_some_and(|t| !t.is_empty() && t != wanted.as_str())
    {
        return Err(ServiceError::invalid(
            "task",
            format!("the target \"{word}\" makes it {}", wanted.as_str()),
        ));
    }
    let table = if resolved.entry.card.inputs == Inputs::LastKnown {
        span.derive("features", format!("{word} as last known"), |b| {
            // The price as last known is the close: a return of nothing.
            let column = match target {
                Target::Price => vec![0.0; b.len()],
                _ => target::last_known(b, target, horizon)
                    .map_err(|e| ServiceError::BadData(e.to_string()))?,
            };
            Ok::<_, ServiceError>(FeatureTable {
                dates: b.dates.clone(),
                names: vec!["last_known".to_owned()],
                columns: vec![column],
                left_out: Vec::new(),
            })
        })?
    } else {
        features(span, context)?
    };
    let y = target::values(span.get(), learned, horizon)
        .map_err(|e| ServiceError::BadData(e.to_string()))?;
    let mut columns = table.get().columns.clone();
    columns.push(y.clone());
    let usable = usable_rows(&columns);
    let test = ((usable.len() as f64) * TEST_SHARE).floor() as usize;
    let cut = usable.len().saturating_sub(test);
    // The last training rows' targets must be known before the first test row.
    let first_test = usable.get(cut).copied().unwrap_or_default();
    let train: Vec<usize> = usable
        .iter()
        .take(cut)
        .copied()
        .filter(|r| r + horizon as usize <= first_test)
        .collect();
    if train.len() < COPY_ROWS || test < 1 {
        return Err(ServiceError::BadData(format!(
            "{} rows have features and a target, {} remain for training; at least {COPY_ROWS} are needed: take a longer span",
            usable.len(),
            train.len()
        )));
    }
    let part = |rows: &[usize], name: &str| {
        table.derive(
            name,
            format!("{} rows, target {word} over {horizon} bars", rows.len()),
            |t| {
                let picked = rows.iter().map(|r| y[*r]).collect();
                training(pick(t, rows)?, picked, wanted)
            },
        )
    };
    let (fit, tested) = (part(&train, "train")?, part(&usable[cut..], "test")?);
    let more = More::of(request).extras()?;
    let (mut result, _) =
        run_and_explain(resolved, &request.params, &fit, &tested, SEED, ms, &more)?;
    let dates: Vec<String> = usable[cut..]
        .iter()
        .map(|r| span.get().dates[*r].to_string())
        .collect();
    result.outputs.insert("dates".into(), Value::from(dates));
    let mut actual = tested.get().y().to_vec();
    if target == Target::Price {
        let close: Vec<f64> = usable[cut..].iter().map(|r| span.get().close[*r]).collect();
        actual = as_prices(&mut result, &close, &actual);
    }
    result.outputs.insert("actual".into(), numbers(&actual));
    Ok(result)
}

/// States forecasts of returns as prices, with the figures of prices; what came true as prices.
fn as_prices(result: &mut RunResult, close: &[f64], returns: &[f64]) -> Vec<f64> {
    let price =
        |r: &[f64]| -> Vec<f64> { close.iter().zip(r).map(|(c, r)| c * (1.0 + r)).collect() };
    let forecast: Vec<f64> = result
        .outputs
        .get("predictions")
        .and_then(Value::as_array)
        .map(|p| p.iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect())
        .unwrap_or_default();
    for name in ["interval_lower", "interval_upper"] {
        for ends in result.outputs.get_mut(name).into_iter().flat_map(levels) {
            let returns: Option<Vec<f64>> = ends
                .as_array()
                .map(|e| e.iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect());
            *ends = numbers(&price(&returns.unwrap_or_default()));
        }
    }
    let (forecast, actual) = (price(&forecast), price(returns));
    result
        .outputs
        .insert("predictions".into(), numbers(&forecast));
    // A price lies in its interval when the return does; the width is one of returns.
    result
        .metrics
        .retain(|name, _| name.starts_with("interval_coverage"));
    score::regression(&mut result.metrics, "", &actual, &forecast);
    actual
}

/// The arrays of an output that is one, or one a level.
fn levels(output: &mut Value) -> Vec<&mut Value> {
    match output {
        Value::Object(by_level) => by_level.values_mut().collect(),
        one => vec![one],
    }
}

/// What a model fitted on every row whose target is known says of the last row, whose target is not.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(crate) struct Ahead {
    /// Day of the last row.
    pub day: chrono::NaiveDate,
    /// Close of that day.
    pub close: f64,
    /// The forecast: a return, or the logarithm of a volatility, or what the target is.
    pub value: f64,
    /// Training rows.
    pub rows: usize,
}

impl Services {
    /// The forecast from the last day of a data set within a span.
    ///
    /// # Errors
    /// [`ServiceError`]: an unknown entry or data set, too few rows, a failed fit.
    pub(crate) async fn forecast_ahead(
        &self,
        id: &str,
        request: RunRequest,
    ) -> Result<Ahead, ServiceError> {
        let resolved = find(&self.inner.registry, id)?;
        let dataset = request.dataset.clone().unwrap_or_default();
        let set = self.inner.room.one(&dataset).await?;
        let bars = self.inner.room.bars(&set).await?;
        let context = self.inner.room.context(&groups()).await?;
        let word = request.target.clone().unwrap_or_default();
        let target = Target::ALL
            .into_iter()
            .find(|t| t.as_str() == word && *t != Target::Direction && *t != Target::Price)
            .ok_or_else(|| {
                ServiceError::invalid("target", format!("\"{word}\" cannot be forecast ahead"))
            })?;
        let horizon = request.horizon.unwrap_or(1);
        let clock = self.inner.clock.clone();
        blocking(move || {
            let ms = || clock.monotonic().as_secs_f64() * 1e3;
            let span = bars.derive("span", span_words(request.start, request.end), |b| {
                Ok::<_, ServiceError>(b.slice(request.start, request.end))
            })?;
            let table = features(&span, context.as_ref())?;
            let y = target::values(span.get(), target, horizon)
                .map_err(|e| ServiceError::BadData(e.to_string()))?;
            let known = usable_rows(&table.get().columns);
            let train: Vec<usize> = known.iter().copied().filter(|r| y[*r].is_finite()).collect();
            let last = known.last().copied().filter(|_| train.len() >= COPY_ROWS);
            let Some(last) = last else {
                return Err(ServiceError::BadData(format!(
                    "{} rows have features and a target; at least {COPY_ROWS} are needed: take a longer span",
                    train.len()
                )));
            };
            let part = |name: &str, rows: &[usize], values: Vec<f64>| {
                table.derive(name, format!("{} rows", rows.len()), |t| {
                    training(pick(t, rows)?, values, Task::Regression)
                })
            };
            let fit = part("train", &train, train.iter().map(|r| y[*r]).collect())?;
            // The target of the last row is not known: a stand-in, whose score is not read.
            let ask = part("ahead", &[last], vec![0.0])?;
            let (run, _) = run_and_explain(
                &resolved,
                &request.params,
                &fit,
                &ask,
                SEED,
                &ms,
                &More::of(&RunRequest::default()).extras()?,
            )?;
            let value = run.outputs.get("predictions").and_then(|p| p.get(0)?.as_f64());
            let value = value.ok_or_else(|| {
                ServiceError::FitFailed(format!("{} gave no forecast", resolved.id()))
            })?;
            let b = span.get();
            Ok(Ahead {
                day: b.dates[last],
                close: b.close[last],
                value,
                rows: train.len(),
            })
        })
        .await
    }
}

fn features(
    span: &Verified<DailyBars>,
    context: Option<&Verified<Context>>,
) -> Result<Verified<FeatureTable>, ServiceError> {
    let fault = |e: mltrainer_features::FeatureError| ServiceError::BadData(e.to_string());
    let (groups, none) = (groups(), Context::default());
    let detail = format!("groups {}", groups.join(", "));
    match context {
        Some(context) => span.derive_with(context, "features", detail, |b, c| {
            mltrainer_features::compute(b, c, &groups).map_err(fault)
        }),
        None => span.derive("features", detail, |b| {
            mltrainer_features::compute(b, &none, &groups).map_err(fault)
        }),
    }
}

/// The feature groups of a run.
fn groups() -> Vec<String> {
    mltrainer_features::CORE_GROUPS.map(str::to_owned).to_vec()
}

/// Rows at which every column has a value.
fn usable_rows(columns: &[Vec<f64>]) -> Vec<usize> {
    let rows = columns.first().map_or(0, Vec::len);
    (0..rows)
        .filter(|r| columns.iter().all(|c| c[*r].is_finite()))
        .collect()
}

fn pick(table: &FeatureTable, rows: &[usize]) -> Result<Design, FitError> {
    let mut x = Array2::zeros((rows.len(), table.columns.len()));
    for (mut into, from) in x.columns_mut().into_iter().zip(&table.columns) {
        into.iter_mut().zip(rows).for_each(|(to, r)| *to = from[*r]);
    }
    Design::new(x, table.names.clone())
}

pub(crate) fn span_words(
    start: Option<chrono::NaiveDate>,
    end: Option<chrono::NaiveDate>,
) -> String {
    match (start, end) {
        (None, None) => "all days".to_owned(),
        (Some(s), None) => format!("from {s}"),
        (None, Some(e)) => format!("up to {e}"),
        (Some(s), Some(e)) => format!("from {s} to {e}"),
    }
}

/// What an entry is given that takes no data.
#[derive(Debug, Clone, Copy)]
struct NoData;

impl Content for NoData {
    fn digest(&self, _: &mut Digest) {}
}

impl Admissible for NoData {
    fn inspect(self) -> Inspection<Self> {
        Inspection {
            usable: self,
            report: QualityReport {
                score: 100.0,
                rows: 0,
                usable: 0,
                quarantined: 0,
                counts: std::collections::BTreeMap::new(),
                findings: Vec::new(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_data::bundled;
    use std::time::Duration;

    struct Still;

    impl Clock for Still {
        fn now(&self) -> chrono::DateTime<chrono::Utc> {
            chrono::DateTime::UNIX_EPOCH
        }
        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }
    }

    /// Apple's daily returns of 2011 and 2012 with those of the day before, as a file.
    fn returns(from: usize, to: usize, more: impl Fn(f64, f64) -> Option<f64>) -> File {
        let bars = bundled::bars("AAPL").unwrap().content;
        let start = bars
            .dates
            .partition_point(|d| d.to_string().as_str() < "2011-01-01");
        let mut text = String::from("date,before,more,target\n");
        for t in start + from..start + to {
            let r = |t: usize| bars.close[t] / bars.close[t - 1] - 1.0;
            let more = more(r(t), r(t - 1)).map_or_else(|| "".into(), |x| x.to_string());
            text.push_str(&format!("{},{},{more},{}\n", bars.dates[t], r(t - 1), r(t)));
        }
        File {
            name: "returns.csv".into(),
            bytes: text.into_bytes(),
        }
    }

    fn run(id: &str, request: &RunFiles) -> Result<RunResult, ServiceError> {
        run_files(&mltrainer_backtest::registry(), &Still, id, request)
    }

    fn supervised(more: impl Fn(f64, f64) -> Option<f64> + Copy) -> RunFiles {
        RunFiles {
            train: Some(returns(0, 300, more)),
            test: Some(returns(300, 400, more)),
            target: vec!["target".into()],
            ..RunFiles::default()
        }
    }

    #[test]
    fn a_column_that_is_the_target_is_refused_whatever_its_scale() {
        let leak = |r: Result<RunResult, ServiceError>| match r {
            Err(ServiceError::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        };
        for more in [
            |y: f64, _: f64| Some(y),
            |y: f64, _: f64| Some(7.0 - 250.0 * y),
        ] {
            let refusal = leak(run("ridge", &supervised(more)));
            assert_eq!(refusal.rule, "no_look_ahead");
            assert!(refusal.reason.contains("\"more\""), "{}", refusal.reason);
        }
        // A close relative is a feature, and so is a constant.
        for more in [
            |y: f64, x: f64| Some(y + 1e-3 * x),
            |_: f64, _: f64| Some(1.0),
        ] {
            run("ridge", &supervised(more)).unwrap();
        }
    }

    #[test]
    fn training_rows_after_test_rows_are_refused() {
        let fine = supervised(|_, x| Some(x * x));
        let swapped = RunFiles {
            train: fine.test.clone(),
            test: fine.train.clone(),
            ..fine.clone()
        };
        assert!(
            matches!(run("ridge", &swapped), Err(ServiceError::Refused(r)) if r.rule == "no_look_ahead")
        );
        run("ridge", &fine).unwrap();
    }

    #[test]
    fn what_is_wrong_is_named() {
        let fine = supervised(|_, x| Some(x * x));
        let text = |request: &RunFiles| run("ridge", request).unwrap_err().to_string();
        let no_test = RunFiles {
            test: None,
            ..fine.clone()
        };
        assert!(text(&no_test).contains("--test"));
        let other = RunFiles {
            target: vec!["targt".into()],
            ..fine.clone()
        };
        assert!(text(&other).contains("targt") && text(&other).contains("target"));
        let empty = supervised(|_, x| (x > 0.0).then_some(x));
        assert!(text(&empty).contains("column \"more\" row"));
        let none = RunFiles {
            target: Vec::new(),
            ..fine.clone()
        };
        assert!(
            matches!(run("ridge", &none), Err(ServiceError::Invalid { field, .. }) if field == "target")
        );
        let params = serde_json::from_str("{\"alpha\": \"-1\"}").unwrap();
        let bad = RunFiles {
            params,
            ..fine.clone()
        };
        assert!(text(&bad).contains("alpha"));
        assert!(
            matches!(run("rigde", &fine), Err(ServiceError::NotFound { suggestions, .. }) if suggestions == ["ridge"])
        );
    }

    #[test]
    fn test_columns_may_stand_in_another_order() {
        let fine = supervised(|_, x| Some(x * x));
        let direct = run("ridge", &fine).unwrap();
        let text = String::from_utf8(fine.test.clone().unwrap().bytes).unwrap();
        let mut moved = String::new();
        for line in text.lines() {
            let c: Vec<&str> = line.split(',').collect();
            moved.push_str(&format!("{},{},{},{}\n", c[3], c[0], c[2], c[1]));
        }
        let test = Some(File {
            name: "t.csv".into(),
            bytes: moved.into_bytes(),
        });
        let other = run("ridge", &RunFiles { test, ..fine }).unwrap();
        assert_eq!(direct.outputs, other.outputs);
        assert_eq!(direct.metrics, other.metrics);
    }

    #[test]
    fn an_option_chain_with_words_and_dates_runs() {
        let mut text = String::from("date,right,strike,expiry,bid,ask,last,volume,open_interest\n");
        for day in ["2014-06-06", "2014-06-09", "2014-06-10"] {
            for strike in [90, 95, 100, 105] {
                text.push_str(&format!("{day},call,{strike},2014-07-19,4,5,,60,100\n"));
                text.push_str(&format!("{day},put,{strike},2014-07-19,4,5,4.5,30,\n"));
            }
        }
        let data = Some(File {
            name: "chain.csv".into(),
            bytes: text.into_bytes(),
        });
        let request = RunFiles {
            data,
            ..RunFiles::default()
        };
        let outputs = run("options_flow", &request).unwrap().outputs;
        assert_eq!(
            outputs["dates"],
            serde_json::json!(["2014-06-06", "2014-06-09", "2014-06-10"])
        );
        // 30 puts for 60 calls; no open interest of puts.
        assert_eq!(outputs["put_call_volume"][0], 0.5);
        assert_eq!(outputs["put_call_open_interest"][0], 0.0);
    }

    #[test]
    fn correlations_by_hand() {
        let r = correlation(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]).unwrap();
        assert!(r > COPY && r < 1.0 + 1e-12);
        assert_eq!(correlation(&[1.0, 1.0], &[2.0, 4.0]), None);
        // cov = (-1)(-1) + 0 + (1)(0) = 1... over sqrt(2 * 2): 0.5
        let r = correlation(&[1.0, 2.0, 3.0], &[1.0, 3.0, 2.0]).unwrap();
        assert!((r - 0.5).abs() < 1e-15);
    }
}
