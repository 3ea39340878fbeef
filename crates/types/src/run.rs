//! One way to run anything: the answer of `mltrainer run` and of `POST /api/v1/models/{id}/run`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a run gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunResult {
    /// Id of the entry that ran.
    pub model: String,
    /// All parameters with the values used.
    pub params: Map<String, Value>,
    /// Named outputs: scalar, array or object.
    pub outputs: Map<String, Value>,
    /// Named figures; `null` where one does not exist.
    pub metrics: BTreeMap<String, Option<f64>>,
    /// How long it took.
    pub timing: Timing,
    /// Where the data came from and what was done to it.
    #[serde(default)]
    pub lineage: Vec<crate::data::LineageStep>,
}

/// Milliseconds spent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Timing {
    /// Fitting, in milliseconds.
    pub fit_ms: f64,
    /// Predicting, in milliseconds.
    pub predict_ms: f64,
}

/// The JSON body of `POST /api/v1/models/{id}/run`: data by data-set id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RunRequest {
    /// Data set to run on, for example `bundled:AAPL`.
    pub dataset: Option<String>,
    /// First day, inclusive.
    pub start: Option<chrono::NaiveDate>,
    /// Last day, inclusive.
    pub end: Option<chrono::NaiveDate>,
    /// For a supervised entry: the target built from the data set's bars (`return`, `direction`, `log_volatility`, `range`, `price`).
    pub target: Option<String>,
    /// Bars ahead; 1 when absent.
    pub horizon: Option<u32>,
    /// Column of a one-series entry.
    pub column: Option<String>,
    /// `regression` or `classification`, where the entry has both.
    pub task: Option<String>,
    /// For a supervised entry: `permutation` and `shap`, in any number; for isolation_forest: `shap`.
    pub explain: Vec<String>,
    /// Shuffles of each column for permutation importance; 5 when absent.
    pub repeats: Option<u32>,
    /// For a regression: levels of prediction intervals, for example 0.9.
    pub interval: Vec<f64>,
    /// `split` (the last training rows are kept back, the default) or `cv+`.
    pub interval_method: Option<String>,
    /// Share of the training rows that `split` keeps back; 0.25 when absent.
    pub calibration: Option<f64>,
    /// Blocks of rows of `cv+`; 10 when absent.
    pub folds: Option<u32>,
    /// Parameters.
    pub params: Map<String, Value>,
}
