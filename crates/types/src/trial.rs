//! Trials: what is asked for, how far it is, what came out.

use crate::TrialId;
use crate::data::LineageStep;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What is forecast, always over the next `horizon` bars h after bar t.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Simple return close[t+h]/close[t] - 1.
    Return,
    /// 1 when that return is above zero, else 0.
    Direction,
    /// Natural logarithm of the root mean square of the h daily log returns after t.
    LogVolatility,
    /// Natural logarithm of (highest high / lowest low) of the bars t+1 to t+h.
    Range,
    /// Close at t+h; models forecast the return, the result is stated as a price.
    Price,
}

impl Target {
    /// Every target.
    pub const ALL: [Self; 5] = [
        Self::Return,
        Self::Direction,
        Self::LogVolatility,
        Self::Range,
        Self::Price,
    ];

    /// The word used on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Return => "return",
            Self::Direction => "direction",
            Self::LogVolatility => "log_volatility",
            Self::Range => "range",
            Self::Price => "price",
        }
    }

    /// Whether a forecast of it can be traded as a position in the symbol.
    #[must_use]
    pub fn is_tradable(self) -> bool {
        matches!(self, Self::Return | Self::Direction | Self::Price)
    }
}

/// How training and test rows are cut in time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Validation {
    /// The last share of the days is the test.
    HoldOut {
        /// Share of the days used for the test, 0.05 to 0.5.
        #[serde(default = "default_test_share")]
        test_share: f64,
        /// Days left out between training and test; at least the horizon is always purged.
        #[serde(default)]
        embargo: u32,
    },
    /// Training windows that grow, or roll when `window` is given, each followed by a test window.
    WalkForward {
        /// Number of test windows, 1 to 50.
        #[serde(default = "default_folds")]
        folds: u32,
        /// Days left out between training and test; at least the horizon is always purged.
        #[serde(default)]
        embargo: u32,
        /// Training days of a rolling window; absent: the window expands from the first day.
        #[serde(default)]
        window: Option<u32>,
    },
}

fn default_test_share() -> f64 {
    0.2
}

fn default_folds() -> u32 {
    5
}

impl Default for Validation {
    fn default() -> Self {
        Self::WalkForward {
            folds: default_folds(),
            embargo: 0,
            window: None,
        }
    }
}

/// Costs of trading on a forecast.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Costs {
    /// Commission and half the spread together, in basis points of the traded value, 0 to 1000.
    pub bps: f64,
}

impl Default for Costs {
    fn default() -> Self {
        // Five basis points a side: a liquid US stock with a discount broker, rounded up.
        Self { bps: 5.0 }
    }
}

/// A model in a trial request: an id, or an id with parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum ModelRequest {
    /// An id with its default parameters.
    Id(String),
    /// An id with some parameters.
    WithParams {
        /// Entry id.
        model: String,
        /// Parameters that differ from the defaults.
        #[serde(default)]
        params: Map<String, Value>,
    },
}

impl ModelRequest {
    /// The entry id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Id(id) | Self::WithParams { model: id, .. } => id,
        }
    }

    /// The parameters given.
    #[must_use]
    pub fn params(&self) -> Map<String, Value> {
        match self {
            Self::Id(_) => Map::new(),
            Self::WithParams { params, .. } => params.clone(),
        }
    }
}

/// What a client asks for; only `symbols` is needed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TrialRequest {
    /// Symbols; their rows are pooled.
    pub symbols: Vec<String>,
    /// Approved origin of the data; absent: wherever the symbol is found.
    #[serde(default)]
    pub source: Option<String>,
    /// First day, inclusive.
    #[serde(default)]
    pub start: Option<NaiveDate>,
    /// Last day, inclusive.
    #[serde(default)]
    pub end: Option<NaiveDate>,
    /// What is forecast; `return` when absent.
    #[serde(default)]
    pub target: Option<Target>,
    /// Bars ahead, each 1 to 250; `[1]` when absent.
    #[serde(default)]
    pub horizons: Vec<u32>,
    /// Feature groups (`price`), their core (`price:core`) and features (`credit_spread`); absent: the core of
    /// price, volatility, volume, technical and economic, for `log_volatility` and `range` that of volatility,
    /// volume and economic.
    #[serde(default)]
    pub features: Vec<String>,
    /// Models; a sensible few when absent. Baselines are always added.
    #[serde(default)]
    pub models: Vec<ModelRequest>,
    /// How rows are cut in time.
    #[serde(default)]
    pub validation: Validation,
    /// Trading costs.
    #[serde(default)]
    pub costs: Costs,
    /// Seed of everything random; 1 when absent.
    #[serde(default)]
    pub seed: Option<u64>,
    /// The goal in the user's words, kept with the trial.
    #[serde(default)]
    pub goal: Option<String>,
}

impl TrialRequest {
    /// A request for these symbols with every default.
    #[must_use]
    pub fn for_symbols<S: Into<String>>(symbols: impl IntoIterator<Item = S>) -> Self {
        Self {
            symbols: symbols.into_iter().map(Into::into).collect(),
            source: None,
            start: None,
            end: None,
            target: None,
            horizons: Vec::new(),
            features: Vec::new(),
            models: Vec::new(),
            validation: Validation::default(),
            costs: Costs::default(),
            seed: None,
            goal: None,
        }
    }
}

/// A model of a trial with all its parameters resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelSpec {
    /// Entry id as asked for (a preset keeps its name).
    pub model: String,
    /// All parameters with their values.
    pub params: Map<String, Value>,
    /// Whether it is a naive baseline: one to beat, not one that was tried.
    #[serde(default)]
    pub baseline: bool,
}

/// A trial specification with every default filled in: with the hashes of the data it determines
/// the result, bit for bit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrialSpec {
    /// Symbols, in the order given.
    pub symbols: Vec<String>,
    /// Data sets, one for each symbol.
    pub datasets: Vec<DatasetRef>,
    /// First day asked for.
    pub start: Option<NaiveDate>,
    /// Last day asked for.
    pub end: Option<NaiveDate>,
    /// What is forecast.
    pub target: Target,
    /// Bars ahead.
    pub horizons: Vec<u32>,
    /// Feature groups, their core, and features, in the order of the list of features.
    pub features: Vec<String>,
    /// Models, baselines included.
    pub models: Vec<ModelSpec>,
    /// How rows are cut in time.
    pub validation: Validation,
    /// Trading costs.
    pub costs: Costs,
    /// Seed of everything random.
    pub seed: u64,
    /// The goal in the user's words.
    pub goal: Option<String>,
}

/// A data set a trial rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatasetRef {
    /// Id.
    pub id: crate::DatasetId,
    /// Approved origin.
    pub source: String,
    /// SHA-256 of its canonical content.
    pub sha256: String,
}

/// Where a trial stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TrialState {
    /// Waits for a worker.
    Queued,
    /// The gate looks at the data sets.
    Checking,
    /// Bars are read.
    Fetching,
    /// Features and targets are computed.
    Engineering,
    /// Steps run.
    Training,
    /// Intervals, tests and the verdict are computed.
    Evaluating,
    /// Done.
    Finished,
    /// Waits for `resume`.
    Paused,
    /// Ended by a person.
    Cancelled,
    /// Ended by the gate.
    Blocked,
    /// Ended by a fault.
    Failed,
}

impl TrialState {
    /// Whether nothing follows.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Finished | Self::Cancelled | Self::Blocked | Self::Failed
        )
    }

    /// The word used on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Checking => "checking",
            Self::Fetching => "fetching",
            Self::Engineering => "engineering",
            Self::Training => "training",
            Self::Evaluating => "evaluating",
            Self::Finished => "finished",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
            Self::Blocked => "blocked",
            Self::Failed => "failed",
        }
    }

    /// The state of that word, if there is one.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::Queued,
            Self::Checking,
            Self::Fetching,
            Self::Engineering,
            Self::Training,
            Self::Evaluating,
            Self::Finished,
            Self::Paused,
            Self::Cancelled,
            Self::Blocked,
            Self::Failed,
        ]
        .into_iter()
        .find(|s| s.as_str() == word)
    }
}

/// Steps done and to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Progress {
    /// Steps done.
    pub done: u32,
    /// Steps in the plan; 0 before it is made.
    pub total: u32,
    /// Estimated seconds left; `null` before the first step is done and after the last.
    pub eta_seconds: Option<f64>,
}

/// Figures by name: `rmse`, `mae`, `mse`, `r2`, `mape`, `directional_accuracy`,
/// `information_coefficient`; for direction also `accuracy`, `auc`, `log_loss`, `brier`.
pub type Metrics = BTreeMap<String, Option<f64>>;

/// A confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Coverage, 0.95.
    pub level: f64,
}

/// A model's row of the leaderboard, for one horizon, over all test windows together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaderboardRow {
    /// Entry id.
    pub model: String,
    /// Title for people.
    pub title: String,
    /// Parameters.
    pub params: Map<String, Value>,
    /// Bars ahead.
    pub horizon: u32,
    /// Whether it is a naive baseline.
    pub is_baseline: bool,
    /// Out-of-sample figures.
    pub metrics: Metrics,
    /// 95 % block-bootstrap intervals of some of them.
    pub intervals: BTreeMap<String, Interval>,
    /// The same figures of the best naive baseline of this horizon.
    pub baseline: Metrics,
    /// Id of that baseline.
    pub baseline_model: String,
    /// Loss significantly below the baseline's after correction for the number of things tried.
    pub beats_baseline: bool,
    /// One-sided p-value of the Diebold-Mariano test against that baseline, uncorrected.
    pub p_value: Option<f64>,
    /// The same after Holm's correction over the models of the trial.
    pub p_value_adjusted: Option<f64>,
    /// Trading on the forecast after costs: `annual_return`, `sharpe`, `sortino`, `max_drawdown`, `turnover`, `win_rate`, ...; empty when the target is not tradable.
    pub trading: Metrics,
    /// `excellent`, `good`, `acceptable`, `poor`, by the scale of the documentation.
    pub grade: Option<String>,
    /// Test rows behind the figures.
    pub rows: u32,
    /// Folds done.
    pub folds_done: u32,
    /// Why steps of it failed, where some did.
    pub errors: Vec<String>,
}

/// What was found, how sure, and what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Verdict {
    /// Whether any model beats the best baseline after correction.
    pub found_edge: bool,
    /// In words.
    pub text: String,
    /// Model and horizon of the best row that is not a baseline.
    pub best_model: Option<String>,
    /// Model x horizon combinations tried in this trial, baselines not counted.
    pub tried: u32,
    /// The same over every trial ever made on these symbols and this target, this one included.
    pub tried_ever: u32,
    /// Particulars a careful reader wants: rows, spans, costs, failed steps.
    pub notes: Vec<String>,
}

/// From a result back to its sources.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Lineage {
    /// The data sets.
    pub datasets: Vec<DatasetRef>,
    /// Every step from there to the result.
    pub steps: Vec<LineageStep>,
}

/// A trial as the API and the command line show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrialView {
    /// Id.
    pub id: TrialId,
    /// Where it stands.
    pub state: TrialState,
    /// Why it was blocked or failed.
    pub reason: Option<String>,
    /// The specification with every default filled in.
    pub spec: TrialSpec,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its state last changed.
    pub updated_at: DateTime<Utc>,
    /// Steps done and to do.
    pub progress: Progress,
    /// Best first; provisional while it runs.
    pub leaderboard: Vec<LeaderboardRow>,
    /// When it is finished.
    pub verdict: Option<Verdict>,
    /// From the result back to its sources.
    pub lineage: Lineage,
    /// Hash over leaderboard and predictions, when it is finished.
    pub result_sha256: Option<String>,
    /// Number of the last event.
    pub last_event: i64,
}

/// A trial in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrialSummary {
    /// Id.
    pub id: TrialId,
    /// Where it stands.
    pub state: TrialState,
    /// Symbols.
    pub symbols: Vec<String>,
    /// What is forecast.
    pub target: Target,
    /// Bars ahead.
    pub horizons: Vec<u32>,
    /// Number of models.
    pub models: u32,
    /// Steps done and to do.
    pub progress: Progress,
    /// When it is finished: whether an edge was found.
    pub found_edge: Option<bool>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// Out-of-sample forecasts of one model and horizon for one symbol, for charts and export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PredictionSeries {
    /// Entry id.
    pub model: String,
    /// Place of the model in the specification: one entry may stand there twice.
    #[serde(default)]
    pub model_index: u32,
    /// Bars ahead.
    pub horizon: u32,
    /// Symbol.
    pub symbol: String,
    /// Days on which the forecast was made.
    pub dates: Vec<NaiveDate>,
    /// What was forecast.
    pub predicted: Vec<Option<f64>>,
    /// What came true.
    pub actual: Vec<f64>,
    /// Probability of a rise, one a row; empty unless the target is direction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probability: Vec<f64>,
    /// Return of a capital that trades on the forecasts over the bar after each row, after costs;
    /// empty when the target is not tradable.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub net: Vec<f64>,
}

/// The answer to a new trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrialCreated {
    /// Its id.
    pub id: TrialId,
    /// Where it stands.
    pub state: TrialState,
}
