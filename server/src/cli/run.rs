//! `mltrainer run`: one model on files. No database is opened.

use super::out::{Table, figure, json, say};
use super::{Failure, Global};
use crate::clock::SystemClock;
use clap::Args;
use mltrainer_catalogue_core::threads;
use mltrainer_services::model_file;
use mltrainer_services::run::{File, More, RunFiles, run_and_keep};
use mltrainer_types::run::RunResult;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLES: &str = "Examples:
  mltrainer run ridge --train train.csv --test test.csv --target y --set alpha=0.5
  mltrainer run kmeans_3 --data table.csv --set seed=1
  mltrainer run bollinger_bands --data prices.csv --set period=20 --format json
  mltrainer run xgboost --train train.csv --test test.csv --target y --explain permutation,shap --interval 0.9
  mltrainer run lightgbm --train train.csv --test test.csv --target y --save-model m.txt --model-format lightgbm
  mltrainer run lightgbm --load-model m.txt --test new.csv";

/// `mltrainer run`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Run {
    /// Id of a catalogue entry; `mltrainer catalogue` lists them
    #[arg(value_name = "MODEL_ID")]
    model: String,
    /// CSV file of rows to learn from
    #[arg(long, value_name = "FILE")]
    train: Option<PathBuf>,
    /// CSV file of rows to predict
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,
    /// Column to predict (several with commas, where the entry takes several)
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    target: Vec<String>,
    /// CSV file of a table, a series or daily bars
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Columns to use, in this order, with commas
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    column: Vec<String>,
    /// Values to forecast after the last row
    #[arg(long, value_name = "N")]
    horizon: Option<u32>,
    /// regression or classification, where the entry has both
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// Column of the training file (of the data, without a target) with a weight a row; it is then no feature
    #[arg(long, value_name = "COLUMN")]
    weights: Option<String>,
    /// Outputs that explain the forecasts of the test rows: permutation (importance: how much the score falls when a column is shuffled), shap (what each column adds to each forecast; models of trees, and to the depth at which isolation_forest sets a row apart)
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    explain: Vec<String>,
    /// Shuffles of each column for permutation importance [default: 5]
    #[arg(long, value_name = "N")]
    repeats: Option<u32>,
    /// Levels of conformal prediction intervals of the test rows, for example 0.9
    #[arg(long, value_name = "LEVEL", value_delimiter = ',')]
    interval: Vec<f64>,
    /// How rows are kept back for intervals: split (the last ones) or cv+ [default: split]
    #[arg(long, value_name = "METHOD")]
    interval_method: Option<String>,
    /// Share of the training rows that split keeps back [default: 0.25]
    #[arg(long, value_name = "SHARE")]
    calibration: Option<f64>,
    /// Blocks of rows of cv+ [default: 10]
    #[arg(long, value_name = "N")]
    folds: Option<u32>,
    /// Write the fitted model to this file
    #[arg(long, value_name = "FILE")]
    save_model: Option<PathBuf>,
    /// Format of the written file: native, xgboost (its JSON) or lightgbm (its text) [default: native]
    #[arg(long, value_name = "FORMAT", requires = "save_model")]
    model_format: Option<String>,
    /// Predict with the model of this file instead of fitting one: a file of --save-model, XGBoost's JSON or LightGBM's text
    #[arg(long, value_name = "FILE")]
    load_model: Option<PathBuf>,
    /// A parameter, for example alpha=0.5; none, true, false and lists with commas are values
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
}

/// `KEY=VALUE`.
pub(crate) fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.to_owned()))
        }
        _ => Err("a parameter is written KEY=VALUE".to_owned()),
    }
}

/// Parameters by name; a name that stands twice is refused.
pub(crate) fn parameters(set: Vec<(String, String)>) -> Result<Map<String, Value>, String> {
    let mut params = Map::new();
    for (key, value) in set {
        if params.insert(key.clone(), Value::String(value)).is_some() {
            return Err(format!("parameter {key} is set twice"));
        }
    }
    Ok(params)
}

/// A file that the user named.
pub(super) fn read(path: &Path) -> Result<File, Failure> {
    let bytes = std::fs::read(path)
        .map_err(|e| Failure::new(3, format!("{} cannot be read: {e}", path.display())))?;
    let name = path.file_name().unwrap_or(path.as_os_str());
    Ok(File {
        name: name.to_string_lossy().into_owned(),
        bytes,
    })
}

impl Run {
    pub(super) fn execute(self, global: &Global) -> Result<ExitCode, Failure> {
        let as_json = global.is_json()?;
        let registry = mltrainer_backtest::registry();
        let file = |path: &Option<PathBuf>| path.as_deref().map(read).transpose();
        let params = parameters(self.set).map_err(|e| Failure::new(2, e))?;
        // An unknown model is told before a missing file.
        let files = if registry.find(&self.model).is_some() {
            (file(&self.train)?, file(&self.test)?, file(&self.data)?)
        } else {
            (None, None, None)
        };
        let known = registry.find(&self.model).is_some();
        let model = self.load_model.as_deref().filter(|_| known);
        let request = RunFiles {
            train: files.0,
            test: files.1,
            data: files.2,
            target: self.target,
            column: self.column,
            horizon: self.horizon,
            task: self.task,
            params,
            weights: self.weights,
            model: model.map(read).transpose()?,
            more: More {
                explain: self.explain,
                repeats: self.repeats,
                interval: self.interval,
                interval_method: self.interval_method,
                calibration: self.calibration,
                folds: self.folds,
            },
        };
        // One model and nothing beside it: it may use every core.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (result, kept) = threads::grant(cores, || {
            run_and_keep(&registry, &SystemClock::new(), &self.model, &request)
        })?;
        if let Some(path) = &self.save_model {
            let kept = kept.ok_or_else(|| {
                Failure::new(
                    2,
                    "--save-model: this run fits no model to one target that could be saved"
                        .to_owned(),
                )
            })?;
            let bytes = model_file::write(&registry, &result, &kept, self.model_format.as_deref())?;
            std::fs::write(path, bytes).map_err(|e| {
                Failure::new(1, format!("{} cannot be written: {e}", path.display()))
            })?;
        }
        if as_json {
            json(&result)?;
        } else {
            say(&table(&result))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The result for people: figures, then outputs, long ones shortened.
fn table(result: &RunResult) -> String {
    let mut text = Table::new(&["", ""]);
    let params: Vec<String> = result
        .params
        .iter()
        .map(|(k, v)| format!("{k}={}", plain(v)))
        .collect();
    text.row([
        "model".into(),
        format!("{} {}", result.model, params.join(" ")),
    ]);
    for (name, value) in &result.metrics {
        text.row([name.clone(), figure(*value)]);
    }
    for (name, value) in &result.outputs {
        text.row([name.clone(), short(value)]);
    }
    text.row([
        "time".into(),
        format!(
            "fit {:.1} ms, predict {:.1} ms",
            result.timing.fit_ms, result.timing.predict_ms
        ),
    ]);
    text.text().trim_start().to_owned()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}

fn short(value: &Value) -> String {
    const SHOWN: usize = 4;
    match value {
        Value::Number(n) => figure(n.as_f64()),
        Value::Array(items) if items.len() > 2 * SHOWN => {
            let part = |items: &[Value]| items.iter().map(short).collect::<Vec<_>>().join(" ");
            // The first values may be those of a warm-up.
            format!(
                "{} ... {} ({} values)",
                part(&items[..SHOWN]),
                part(&items[items.len() - SHOWN..]),
                items.len()
            )
        }
        Value::Array(items) => items.iter().map(short).collect::<Vec<_>>().join(" "),
        Value::Object(map) => {
            let parts: Vec<String> = map
                .iter()
                .map(|(k, v)| format!("{k}: {}", short(v)))
                .collect();
            parts.join("; ")
        }
        Value::Null => "-".to_owned(),
        other => plain(other),
    }
}
