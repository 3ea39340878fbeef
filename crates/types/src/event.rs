//! Events of a trial, numbered from 1 without holes and stored before they are sent.

use crate::trial::{LeaderboardRow, Progress, TrialState};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrialEvent {
    /// 1, 2, 3 ... within its trial.
    pub seq: i64,
    /// When it was stored.
    pub at: DateTime<Utc>,
    /// What happened.
    #[serde(flatten)]
    pub body: EventBody,
}

/// What happened; the tag is the SSE `event:` field, the content its `data:`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum EventBody {
    /// The trial moved to another state.
    State(StateEvent),
    /// A step ended.
    Step(StepEvent),
    /// The leaderboard changed.
    Leaderboard(LeaderboardEvent),
    /// An agent says something.
    Message(MessageEvent),
}

impl EventBody {
    /// The SSE `event:` field.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::State(_) => "state",
            Self::Step(_) => "step",
            Self::Leaderboard(_) => "leaderboard",
            Self::Message(_) => "message",
        }
    }
}

/// A change of state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StateEvent {
    /// The new state.
    pub state: TrialState,
    /// Why, where there is a reason: the cause of a failure, the rule of a block.
    pub reason: Option<String>,
    /// Steps done and to do.
    pub progress: Progress,
}

/// A finished step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StepEvent {
    /// Place in the plan, from 0.
    pub index: u32,
    /// Entry id.
    pub model: String,
    /// Bars ahead.
    pub horizon: u32,
    /// Fold, from 1.
    pub fold: u32,
    /// Folds in all.
    pub folds: u32,
    /// Root mean squared error on the fold's test rows; `null` for a model without forecast or a failed fit.
    pub rmse: Option<f64>,
    /// Why the step failed, if it did.
    pub error: Option<String>,
    /// Milliseconds the step took.
    pub took_ms: f64,
    /// Steps done and to do.
    pub progress: Progress,
}

/// The leaderboard as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaderboardEvent {
    /// Best first; provisional until every fold is done.
    pub rows: Vec<LeaderboardRow>,
    /// Whether folds are still missing.
    pub provisional: bool,
}

/// How a message is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For information.
    Info,
    /// Something to know when reading the result.
    Warning,
}

/// A line an agent says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MessageEvent {
    /// `DataAgent`, `FeatureAgent`, `ModelAgent`, `EvaluationAgent`.
    pub agent: String,
    /// How it is meant.
    pub level: Level,
    /// What it says.
    pub text: String,
}
