//! Table `optimisation_windows`.

use crate::fault::Fault;
use crate::{from_json, to_json};
use mltrainer_services::port::{DoneWindow, Window};
use mltrainer_types::OptimisationId;
use mltrainer_types::optimisation::{OptimisationWindow, WindowCurve};
use serde::de::DeserializeOwned;
use sqlx::{AssertSqlSafe, SqliteConnection};

/// Stores window `number`, counted from 0.
pub(crate) async fn insert(
    conn: &mut SqliteConnection,
    id: &OptimisationId,
    number: u32,
    done: &DoneWindow,
) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO optimisation_windows (optimisation, number, window, shown, curve) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(id.as_str())
    .bind(number)
    .bind(to_json(&done.window)?)
    .bind(to_json(&done.shown)?)
    .bind(to_json(&done.curve)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// One column of all windows, in order.
async fn column<T: DeserializeOwned>(
    conn: &mut SqliteConnection,
    id: &OptimisationId,
    name: &'static str,
) -> Result<Vec<T>, Fault> {
    let texts: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT {name} FROM optimisation_windows WHERE optimisation = ? ORDER BY number"
    )))
    .bind(id.as_str())
    .fetch_all(conn)
    .await?;
    texts.iter().map(|text| from_json(name, text)).collect()
}

/// What goes on with them.
pub(crate) async fn windows(
    conn: &mut SqliteConnection,
    id: &OptimisationId,
) -> Result<Vec<Window>, Fault> {
    column(conn, id, "window").await
}

/// What is shown of them.
pub(crate) async fn shown(
    conn: &mut SqliteConnection,
    id: &OptimisationId,
) -> Result<Vec<OptimisationWindow>, Fault> {
    column(conn, id, "shown").await
}

/// Their parts of the curve.
pub(crate) async fn curves(
    conn: &mut SqliteConnection,
    id: &OptimisationId,
) -> Result<Vec<WindowCurve>, Fault> {
    column(conn, id, "curve").await
}
