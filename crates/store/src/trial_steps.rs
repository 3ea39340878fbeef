//! Table `trial_steps`.

use crate::fault::Fault;
use crate::{count, from_json, to_json};
use mltrainer_services::port::PortError;
use mltrainer_trials::port::{Predictions, Starts, StepRecord};
use mltrainer_types::TrialId;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

/// Adds a finished step; one that is there already is a conflict.
pub(crate) async fn insert(
    conn: &mut SqliteConnection,
    trial: &TrialId,
    step: &StepRecord,
) -> Result<(), Fault> {
    let inserted = sqlx::query(
        "INSERT INTO trial_steps (trial, step, model, model_index, horizon, fold, folds, error, notes, took_ms, predictions, starts)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (trial, step) DO NOTHING",
    )
    .bind(trial.as_str())
    .bind(step.index)
    .bind(&step.model)
    .bind(step.model_index)
    .bind(step.horizon)
    .bind(step.fold)
    .bind(step.folds)
    .bind(&step.error)
    .bind(to_json(&step.notes)?)
    .bind(step.took_ms)
    .bind(step.predictions.encode())
    .bind(step.starts.encode())
    .execute(conn)
    .await?;
    if inserted.rows_affected() == 0 {
        return Err(Fault::Port(PortError::Conflict(format!(
            "step {} of trial {trial} is there already",
            step.index
        ))));
    }
    Ok(())
}

/// Finished steps, by index.
pub(crate) async fn of_trial(
    conn: &mut SqliteConnection,
    trial: &TrialId,
) -> Result<Vec<StepRecord>, Fault> {
    sqlx::query("SELECT * FROM trial_steps WHERE trial = ? ORDER BY step")
        .bind(trial.as_str())
        .fetch_all(conn)
        .await?
        .iter()
        .map(step)
        .collect()
}

fn step(row: &SqliteRow) -> Result<StepRecord, Fault> {
    let number = |name: &str| -> Result<u32, Fault> { count(name, row.try_get(name)?) };
    Ok(StepRecord {
        index: number("step")?,
        model: row.try_get("model")?,
        model_index: number("model_index")?,
        horizon: number("horizon")?,
        fold: number("fold")?,
        folds: number("folds")?,
        error: row.try_get("error")?,
        notes: from_json("notes", row.try_get("notes")?)?,
        took_ms: row.try_get("took_ms")?,
        predictions: Predictions::decode(row.try_get("predictions")?)?,
        starts: Starts::decode(row.try_get("starts")?)?,
    })
}
