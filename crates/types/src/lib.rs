//! Everything that crosses a wire: the shapes that the server, the browser, the command line and
//! outside programs share. Serde only; it builds for WebAssembly and knows no database, no
//! framework and no data-frame library.
//!
//! Sizes are fixed-width integers, times are RFC 3339 UTC, days are `YYYY-MM-DD`, and a number that
//! does not exist is `null` (`Option<f64>`), because JSON has no NaN.

pub mod analytics;
pub mod assistant;
pub mod audit;
pub mod backtest;
pub mod catalogue;
pub mod chart;
pub mod chat;
pub mod coach;
pub mod data;
pub mod event;
pub mod feature;
pub mod health;
pub mod id;
pub mod learning;
pub mod llm;
pub mod optimisation;
pub mod paper;
pub mod policy;
pub mod portfolio;
pub mod problem;
pub mod run;
pub mod source;
pub mod strategy;
pub mod token;
pub mod trial;

pub use id::{AlertId, BacktestId, ConversationId, DatasetId, OptimisationId, PaperId, TrialId};

/// One page of a list and the cursor of the next one.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The items of this page, in the order of the list.
    pub items: Vec<T>,
    /// Cursor of the next page; absent on the last.
    pub next: Option<String>,
}

/// A finite number as itself, NaN and infinities as `None` (JSON's `null`).
#[must_use]
pub fn finite(x: f64) -> Option<f64> {
    x.is_finite().then_some(x)
}
