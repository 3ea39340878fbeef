//! What finished trials teach about the choice of models for the next one.

use crate::TrialId;
use crate::trial::Target;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Traits of the bars before a day, the mean over the symbols.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Traits {
    /// The first day that they do not know.
    pub before: NaiveDate,
    /// Bars of a symbol.
    pub bars: f64,
    /// Standard deviation of the daily log returns, a year.
    pub volatility: f64,
    /// Autocorrelation of the returns, one bar.
    pub autocorrelation: f64,
    /// Autocorrelation of the absolute returns, one bar.
    pub clustering: f64,
    /// Hill's tail index of the largest twentieth of the absolute returns.
    pub tail_index: f64,
    /// Absolute mean over standard deviation of the returns, a year.
    pub signal_to_noise: f64,
    /// Share of the months' volatilities that lie below the last one.
    pub regime: f64,
}

/// What one model did in one finished trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Experience {
    /// The trial.
    pub trial: TrialId,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// Its symbols.
    pub symbols: Vec<String>,
    /// What was forecast.
    pub target: Target,
    /// Bars ahead.
    pub horizon: u32,
    /// Traits of the data before the first forecast.
    pub traits: Traits,
    /// Entry id.
    pub model: String,
    /// All its parameters.
    pub params: Map<String, Value>,
    /// One minus its mean loss over that of the best naive forecast, out of sample: squared errors, or log loss of
    /// directions. Zero is no better than naive.
    pub skill: f64,
    /// Milliseconds that its steps took.
    pub took_ms: f64,
}

/// A model that past trials speak for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProposedModel {
    /// Entry id.
    pub model: String,
    /// Title for people.
    pub title: String,
    /// Parameters to start from: those of its best record, weighted by likeness.
    pub params: Map<String, Value>,
    /// Expected skill: the mean over the records weighted by likeness, drawn to zero where there are few.
    pub skill: f64,
    /// Records behind it.
    pub records: u32,
    /// Likeness of all of them together; one is a record of the same traits.
    pub weight: f64,
    /// The most alike trial.
    pub nearest: TrialId,
    /// Milliseconds that it took on average.
    pub took_ms: f64,
    /// Why, in a sentence.
    pub why: String,
}

/// What past trials propose for a new one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Proposal {
    /// The symbols.
    pub symbols: Vec<String>,
    /// What is to be forecast.
    pub target: Target,
    /// Bars ahead.
    pub horizon: u32,
    /// Traits of their data before the first forecast of a trial with the standard folds.
    pub traits: Traits,
    /// Best first; empty when no finished trial speaks for any.
    pub models: Vec<ProposedModel>,
    /// What it rests on and what it is worth, in words.
    pub sentence: String,
}

/// A mean difference of skills with its 95 % interval over trials.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SkillDifference {
    /// Mean.
    pub mean: f64,
    /// Lower end; absent for fewer than five trials.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// What the proposals would have been worth in the trials that were made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Standing {
    /// Trials and horizons that could be asked: at least two models, and records of earlier trials of other symbols.
    pub asked: u32,
    /// Mean skill of the model that would have been proposed among those of the trial.
    pub proposed: f64,
    /// Mean skill of the program's first choice among them.
    pub default: f64,
    /// Mean skill of a random one of them.
    pub random: f64,
    /// Proposed minus first choice.
    pub over_default: SkillDifference,
    /// Proposed minus random.
    pub over_random: SkillDifference,
}

/// What is known from finished trials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Learning {
    /// Trials that left records.
    pub trials: u32,
    /// Records.
    pub records: u32,
    /// The newest records, at most 100.
    pub newest: Vec<Experience>,
    /// What the proposals would have been worth; absent when no trial could be asked.
    pub standing: Option<Standing>,
    /// The same in words.
    pub sentence: String,
}
