//! `mltrainer run`: one model on files. No database is opened.

use super::out::{Table, figure, json, say};
use super::{Failure, Global};
use crate::clock::SystemClock;
use clap::Args;
use mltrainer_catalogue_core::threads;
use mltrainer_services::run::{File, RunFiles, run_files};
use mltrainer_types::run::RunResult;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLES: &str = "Examples:
  mltrainer run ridge --train train.csv --test test.csv --target y --set alpha=0.5
  mltrainer run kmeans_3 --data table.csv --set seed=1
  mltrainer run bollinger_bands --data prices.csv --set period=20 --format json";

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
        let registry = mltrainer_catalogue::registry();
        let file = |path: &Option<PathBuf>| path.as_deref().map(read).transpose();
        let params = parameters(self.set).map_err(|e| Failure::new(2, e))?;
        // An unknown model is told before a missing file.
        let files = if registry.find(&self.model).is_some() {
            (file(&self.train)?, file(&self.test)?, file(&self.data)?)
        } else {
            (None, None, None)
        };
        let request = RunFiles {
            train: files.0,
            test: files.1,
            data: files.2,
            target: self.target,
            column: self.column,
            horizon: self.horizon,
            task: self.task,
            params,
        };
        // One model and nothing beside it: it may use every core.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let result = threads::grant(cores, || {
            run_files(&registry, &SystemClock::new(), &self.model, &request)
        })?;
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
