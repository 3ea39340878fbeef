//! Files of fitted models: written by a run, read in place of rows to learn from.
//!
//! Our own format is a first line of JSON (what the model is, was fitted to and reached; the SHA-256
//! of the rest) and the entry's saved state. XGBoost's JSON and LightGBM's text are written and read
//! by the entries of these names; such files know no names of columns, so those of the rows to
//! predict are taken in the order of their file.

use crate::error::ServiceError;
use crate::run::{
    Kept, Problem, RunFiles, admit_unseen, chosen, design, in_file, need, supervised,
};
use crate::{VERSION, run::File};
use mltrainer_catalogue_core::run::{Extras, run_fitted};
use mltrainer_catalogue_core::{Engine, Fitted, Registry, Resolved};
use mltrainer_types::catalogue::Task;
use mltrainer_types::data::LineageStep;
use mltrainer_types::run::RunResult;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Version of our own format; a change that old readers would misread raises it.
const FORMAT: u32 = 1;

/// The first line of a file of our own format: the model's card.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    mltrainer_model: u32,
    /// Id that ran, of an entry or a preset.
    model: String,
    params: Map<String, Value>,
    task: Task,
    target: String,
    features: Vec<String>,
    metrics: BTreeMap<String, Option<f64>>,
    /// Where the rows came from.
    data: Vec<LineageStep>,
    fit_ms: f64,
    code_version: String,
    sha256: String,
}

/// The file of a model that a run has fitted: `native` (the default), `xgboost` or `lightgbm`.
///
/// # Errors
/// [`ServiceError::Invalid`] for a format that the entry does not write; [`ServiceError::FitFailed`]
/// when the format cannot hold the model.
pub fn write(
    registry: &Registry,
    result: &RunResult,
    kept: &Kept,
    format: Option<&str>,
) -> Result<Vec<u8>, ServiceError> {
    let resolved = crate::catalogue::find(registry, &result.model)?;
    let state = kept.model.save()?;
    let id = resolved.entry.card.id;
    match (format.filter(|f| !f.is_empty()), resolved.entry.foreign) {
        (None | Some("native"), _) => {
            let head = Head {
                mltrainer_model: FORMAT,
                model: result.model.clone(),
                params: result.params.clone(),
                task: kept.task,
                target: kept.target.clone(),
                features: kept.features.clone(),
                metrics: result.metrics.clone(),
                data: result.lineage.clone(),
                fit_ms: result.timing.fit_ms,
                code_version: VERSION.to_owned(),
                sha256: hex::encode(Sha256::digest(&state)),
            };
            let mut bytes = serde_json::to_vec(&head)
                .map_err(|e| ServiceError::Internal(format!("the head of a model file: {e}")))?;
            bytes.push(b'\n');
            bytes.extend(state);
            Ok(bytes)
        }
        (Some(word), Some(foreign)) if word == id => Ok((foreign.write)(&state)?.into_bytes()),
        (Some(word), foreign) => {
            let known = if foreign.is_some() {
                format!("native, {id}")
            } else {
                "native".to_owned()
            };
            Err(ServiceError::invalid(
                "model_format",
                format!("\"{word}\" is not one of the formats that {id} writes: {known}"),
            ))
        }
    }
}

/// What a file holds.
struct Read {
    model: Box<dyn Fitted>,
    /// Of our own format only.
    head: Option<Head>,
}

fn read(resolved: &Resolved, file: &File) -> Result<Read, ServiceError> {
    let id = resolved.entry.card.id;
    let bad = |why: String| ServiceError::BadData(format!("{}: {why}", file.name));
    let text = std::str::from_utf8(&file.bytes)
        .map_err(|_| bad("it is no text, so no file of a model".to_owned()))?;
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    if first.contains("\"mltrainer_model\"") {
        let head: Head =
            serde_json::from_str(first).map_err(|e| bad(format!("the first line: {e}")))?;
        if head.mltrainer_model != FORMAT {
            return Err(bad(format!(
                "it has format {}, this program reads format {FORMAT}",
                head.mltrainer_model
            )));
        }
        if head.model != resolved.id() {
            return Err(bad(format!(
                "it holds the model {}, not {}",
                head.model,
                resolved.id()
            )));
        }
        if head.sha256 != hex::encode(Sha256::digest(rest)) {
            return Err(bad(
                "it was changed or cut: its content does not have the hash it states".to_owned(),
            ));
        }
        let Engine::Supervised { load, .. } = resolved.entry.engine else {
            return Err(bad(format!("{id} has no files of fitted models")));
        };
        let model = load(rest.as_bytes()).map_err(|e| bad(e.to_string()))?;
        return Ok(Read {
            model,
            head: Some(head),
        });
    }
    let Some(foreign) = resolved.entry.foreign else {
        return Err(bad(format!(
            "it is no file of a model that mltrainer run --save-model wrote, and {id} reads no other"
        )));
    };
    let model = (foreign.read)(text).map_err(|e| {
        bad(format!(
            "it is read as {}, since it is none of our own: {e}",
            foreign.format
        ))
    })?;
    Ok(Read { model, head: None })
}

/// Runs a saved model on rows to predict.
pub(crate) fn run(
    resolved: &Resolved,
    ms: &dyn Fn() -> f64,
    file: &File,
    request: &RunFiles,
    more: &Extras,
) -> Result<RunResult, ServiceError> {
    let refused = |field: &str, why: &str| Err(ServiceError::invalid(field, why));
    if request.train.is_some() {
        return refused("model", "a saved model is not fitted: leave --train out");
    }
    if !request.params.is_empty() {
        return refused("set", "a saved model has its parameters: leave them out");
    }
    if request.weights.is_some() {
        return refused("weights", "a saved model is not fitted: leave weights out");
    }
    if more.intervals.is_some() {
        return refused(
            "interval",
            "intervals are made from the errors of fits: give --train in place of a saved model",
        );
    }
    let test = need("test", request.test.as_ref())?;
    let Read { model, head } = read(resolved, file)?;
    let unseen = admit_unseen(test, resolved.entry.missing)?;
    let table = &unseen.get().0;
    // A target that is not named is that of the file, when the rows have it.
    let target = match (request.target.as_slice(), &head) {
        ([], Some(head)) => Some(head.target.clone()).filter(|t| table.column(t).is_some()),
        ([], None) => None,
        ([one], _) => Some(one.clone()),
        (many, _) => {
            return refused(
                "target",
                &format!("{} columns are named, not one", many.len()),
            );
        }
    };
    let features = match &head {
        Some(head) => head.features.clone(),
        None => {
            let targets: Vec<String> = target.iter().cloned().collect();
            chosen(table, &request.column, &targets).map_err(|e| in_file(&test.name, e))?
        }
    };
    if features.len() != model.columns() {
        return Err(ServiceError::BadData(format!(
            "{}: the model was fitted on {} columns, here are {}: {}",
            test.name,
            model.columns(),
            features.len(),
            features.join(", ")
        )));
    }
    let rows = unseen.derive("table", features.join(", "), |t| {
        chosen(&t.0, &features, &[])
            .map_err(|e| in_file(&test.name, e))
            .and_then(|_| Ok(design(&t.0, &features)?))
    })?;
    let task = match &head {
        Some(head) => head.task,
        // A classifier says which labels it knows.
        None => {
            let first = rows.get().x().slice_axis(ndarray::Axis(0), (..1).into());
            if model.predict(first)?.classes.is_empty() {
                Task::Regression
            } else {
                Task::Classification
            }
        }
    };
    let truth = target
        .map(|target| {
            let problem = Problem {
                target: &target,
                task,
                weights: None,
            };
            supervised(table, &test.name, &features, &problem)
        })
        .transpose()?;
    let mut result = run_fitted(
        resolved,
        model.as_ref(),
        &rows,
        truth.as_ref(),
        task,
        ms,
        more,
    )?;
    if let Some(head) = head {
        result.params = head.params;
    }
    Ok(result)
}
