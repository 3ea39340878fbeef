//! Coaching: who may steer the engine, what was done, what it changed against the uncoached control, and
//! what the engine asks.

use crate::TrialId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A step of a coach's trust.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrustStep {
    /// When.
    pub at: DateTime<Utc>,
    /// The trust from then on, 1 to 10.
    pub trust: u8,
    /// Why.
    pub reason: String,
    /// The intervention whose effect moved it.
    pub intervention: Option<String>,
}

/// A coach: a person, or a program over MCP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CoachView {
    /// Name, as in the audit chain.
    pub name: String,
    /// Trust now, 1 to 10.
    pub trust: u8,
    /// Its history, oldest first.
    pub history: Vec<TrustStep>,
    /// Interventions so far.
    pub interventions: u32,
}

/// What stands with an intervention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum InterventionState {
    /// Words that changed nothing by themselves.
    Noted,
    /// The control and the coached trial run.
    Running,
    /// The effect is measured.
    Measured,
    /// It cannot be measured: a trial was cancelled or failed.
    Unmeasured,
    /// It was taken back.
    Undone,
}

impl InterventionState {
    /// The word on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Noted => "noted",
            Self::Running => "running",
            Self::Measured => "measured",
            Self::Unmeasured => "unmeasured",
            Self::Undone => "undone",
        }
    }
}

/// What an intervention changed: mean loss of the control's best model less that of the coached one's,
/// over the same days, with a 95 % interval (Newey and West 1987).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Effect {
    /// `squared_error` or `log_loss`.
    pub loss: String,
    /// Mean loss of the control.
    pub control: f64,
    /// Mean loss of the coached trial.
    pub coached: f64,
    /// The first less the second: above 0 the coaching helped.
    pub difference: f64,
    /// Lower end of the interval of the difference.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Forecasts that both made.
    pub rows: u64,
    /// In words.
    pub sentence: String,
}

/// An intervention of a coach.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Intervention {
    /// `i-` and a time-ordered UUID.
    pub id: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub coach: String,
    /// Id of the action: `advise`, `adjust_trial`, `override_models`, `teach_methodology`.
    pub action: String,
    /// Its parameters.
    pub params: Value,
    /// What it does, in words.
    pub words: String,
    /// The trial without it.
    pub control: Option<TrialId>,
    /// The trial with it.
    pub coached: Option<TrialId>,
    /// How it stands.
    pub state: InterventionState,
    /// What it changed.
    pub effect: Option<Effect>,
}

/// A recipe that a coach taught: declarative, never code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Recipe {
    /// Name: small letters, digits and `_`.
    pub name: String,
    /// When it was taught.
    pub at: DateTime<Utc>,
    /// By whom.
    pub coach: String,
    /// In words.
    pub text: String,
    /// Feature groups and features; the target's own when empty.
    pub features: Vec<String>,
    /// Entry ids.
    pub models: Vec<String>,
    /// `stacking` or `voting`; `null` for the models alone.
    pub ensemble: Option<String>,
    /// The intervention that measures it.
    pub intervention: String,
}

/// A question of the engine to its coaches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GuidanceRequest {
    /// Its number.
    pub id: i64,
    /// When it was asked.
    pub at: DateTime<Utc>,
    /// The trial it is about.
    pub trial: TrialId,
    /// `no_edge`, `near_tie` or `drift`.
    pub kind: String,
    /// The question with its evidence, in words.
    pub sentence: String,
    /// The figures behind it.
    pub evidence: Value,
    /// Until when an answer counts; afterwards nothing is changed.
    pub deadline: DateTime<Utc>,
    /// The intervention that answered.
    pub answered_by: Option<String>,
    /// When its time was over without an answer: nothing was changed.
    pub lapsed_at: Option<DateTime<Utc>>,
}

/// The program's own model as a coach that acts without a person, within a budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Unattended {
    /// The name it acts under.
    pub coach: String,
    /// Its trust; below 9 it does not act without a person.
    pub trust: u8,
    /// Interventions that it may make a day (UTC).
    pub per_day: u32,
    /// Those it made today.
    pub today: u32,
}

/// Everything that the coaching page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Coaching {
    /// Coaches by name.
    pub coaches: Vec<CoachView>,
    /// The newest interventions first, at most 100.
    pub interventions: Vec<Intervention>,
    /// The newest questions first, at most 50.
    pub requests: Vec<GuidanceRequest>,
    /// Recipes, newest first.
    pub recipes: Vec<Recipe>,
    /// The rule by which trust moves, in words.
    pub rule: String,
    /// The program's own model, where it was allowed to act without a person.
    pub unattended: Option<Unattended>,
}
