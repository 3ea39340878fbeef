//! The assistant's typed actions, declared once for chat, HTTP, command line and MCP alike, and what
//! a sentence comes to: actions, a question back, or "not understood".
//!
//! What: [`AssistantAction`] is everything the assistant can be asked to do, each variant with its
//! parameters; [`ActionInfo`] is what must be known of one of them before it is used. An action
//! does nothing by itself: a use case of the services does it, with the permissions of the user.
//! Data: ids are `snake_case` and fit the names that MCP and language models allow for tools.
//! Fails when: an unknown id or field, a missing or impossible parameter; one sentence each
//! ([`AssistantAction::from_parts`], [`AssistantAction::problems`]).
//! Not claimed: whether a symbol, model or trial exists is for the use case to say.

use crate::audit::AuditFilter;
use crate::backtest::BacktestRequest;
use crate::portfolio::{HoldingsRequest, OptimiseRequest, RiskRequest, WhatIfRequest};
use crate::run::RunRequest;
use crate::source::FetchRequest;
use crate::trial::{Target, TrialRequest};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// How much trust an action takes, on the scale from 1 to 10; the words are those of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Read or compute something that nobody else sees: 1.
    Look,
    /// Say something that a person may follow: 3.
    Advise,
    /// Start, pause, stop or change something, bring in data: 5.
    AdjustTrial,
    /// Decide which models a trial uses against the program's choice: 7.
    OverrideModel,
    /// Put a methodology before the catalogue as a candidate: 8.
    Teach,
}

impl Permission {
    /// Every level that an action can take.
    pub const ALL: [Self; 5] = [
        Self::Look,
        Self::Advise,
        Self::AdjustTrial,
        Self::OverrideModel,
        Self::Teach,
    ];

    /// The least trust that permits it.
    #[must_use]
    pub const fn required_trust(self) -> u8 {
        match self {
            Self::Look => 1,
            Self::Advise => 3,
            Self::AdjustTrial => 5,
            Self::OverrideModel => 7,
            Self::Teach => 8,
        }
    }

    /// The word used on the wire and in refusals.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Advise => "advise",
            Self::AdjustTrial => "adjust_trial",
            Self::OverrideModel => "override_model",
            Self::Teach => "teach",
        }
    }
}

/// An action without parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct NoParams {}

/// What to say of symbols.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct AnalyseSymbol {
    /// Symbols, at least one.
    pub symbols: Vec<String>,
    /// What to look at: `momentum`, `trend`, `volatility`, `volume`, `mean_reversion`, `regime`, `correlation`,
    /// `seasonality`, `risk`, `patterns`, `drawdown`, `earnings`, `options_activity`; everything when empty.
    pub focus: Vec<String>,
    /// What is forecast; `return` when absent.
    pub target: Option<Target>,
    /// Bars ahead, each 1 to 250; a span such as 7 to 10 is given by its two ends; `[5]` when empty.
    pub horizons: Vec<u32>,
    /// Models; the six of the standard analysis when empty.
    pub models: Vec<String>,
    /// First day.
    pub start: Option<NaiveDate>,
    /// Last day.
    pub end: Option<NaiveDate>,
}

/// A trial to be made, and how many models it may try where none are named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TrialParams {
    /// The trial.
    pub request: TrialRequest,
    /// Number of models, 1 to 50, where none or fewer are named; the program chooses them.
    #[serde(default)]
    pub model_count: Option<u32>,
}

impl Default for TrialParams {
    fn default() -> Self {
        Self {
            request: TrialRequest::for_symbols::<String>([]),
            model_count: None,
        }
    }
}

/// Symbols to be set side by side.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CompareSymbols {
    /// Symbols, at least two.
    pub symbols: Vec<String>,
    /// First day.
    pub start: Option<NaiveDate>,
    /// Last day.
    pub end: Option<NaiveDate>,
}

/// Trials to be set side by side.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CompareTrials {
    /// Ids of trials, at least two.
    pub trials: Vec<String>,
    /// The figure that decides, as the leaderboard names it; all of them when absent.
    pub metric: Option<String>,
}

/// Which trials or back tests to list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ListRuns {
    /// Only trials in this state, as [`crate::trial::TrialState`] writes it.
    pub state: Option<String>,
    /// Only those on one of these symbols.
    pub symbols: Vec<String>,
    /// Only the newest so many, 1 to 1,000.
    pub limit: Option<u32>,
}

/// One trial.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct TrialRef {
    /// Id of the trial.
    pub trial: String,
}

/// A trial to be explained.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ExplainTrial {
    /// Id of the trial.
    pub trial: String,
    /// Models to explain; the best one when empty.
    pub models: Vec<String>,
}

/// A finished trial again with something changed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct WhatIfTrial {
    /// Id of the trial that is changed.
    pub trial: String,
    /// These symbols instead.
    pub symbols: Vec<String>,
    /// These models instead.
    pub models: Vec<String>,
    /// These horizons instead.
    pub horizons: Vec<u32>,
    /// This target instead.
    pub target: Option<Target>,
    /// These costs instead, basis points a side.
    pub cost_bps: Option<f64>,
    /// This first day instead.
    pub start: Option<NaiveDate>,
    /// This last day instead.
    pub end: Option<NaiveDate>,
}

/// One condition of a screen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ScreenRule {
    /// `rsi` (0 to 100), `trend` (slope over `days`, a share), `momentum` (return over `days`, a share),
    /// `price_over_sma` (close over its mean of `days`), `volatility` (annual, a share), `volume_ratio`
    /// (volume over its mean of `days`), `price`.
    pub measure: String,
    /// Bars that the measure looks back over; that of the measure when absent.
    pub days: Option<u32>,
    /// Least value; a rule without bounds is for the ranking.
    pub at_least: Option<f64>,
    /// Largest value.
    pub at_most: Option<f64>,
}

/// A screen over the registered symbols.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ScreenUniverse {
    /// Symbols to choose from; all registered ones when empty.
    pub symbols: Vec<String>,
    /// A ready-made screen: `momentum` (RSI 50 to 80, rising over 20 days, usual volume; ranked by returns of 1, 3 and
    /// 6 months), `low_volatility`, `high_volatility`, `high_volume`, `oversold`, `overbought`, `near_high`, `near_low`.
    pub style: Option<String>,
    /// Conditions, all of which must hold.
    pub rules: Vec<ScreenRule>,
    /// Only the first so many, 1 to 1,000.
    pub top: Option<u32>,
    /// Day of the screen; the last day of the data when absent.
    pub as_of: Option<NaiveDate>,
}

/// A portfolio to be optimised.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct OptimisePortfolio {
    /// Whether it starts from what is held.
    pub holdings: bool,
    /// A ready-made screen that chooses the symbols first, as in `screen_universe`.
    pub selection: Option<String>,
    /// What to optimise.
    pub request: OptimiseRequest,
}

/// A portfolio to be tested on history.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct BacktestPortfolio {
    /// Whether what is held is tested; else give `symbols` or `weights`.
    pub holdings: bool,
    /// Symbols in equal parts.
    pub symbols: Vec<String>,
    /// Weights by symbol; what is missing to 1 is cash.
    pub weights: BTreeMap<String, f64>,
    /// Days between two rebalancings, 0 for never; 21 when absent.
    pub rebalance_days: Option<u32>,
    /// Cost of trading, basis points of the traded value; 10 when absent.
    pub cost_bps: Option<f64>,
    /// Symbol to compare with.
    pub benchmark: Option<String>,
    /// First day.
    pub start: Option<NaiveDate>,
    /// Last day.
    pub end: Option<NaiveDate>,
}

/// A change of the portfolio or of the market to look at.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct WhatIfPortfolio {
    /// A change of weights.
    pub request: WhatIfRequest,
    /// Holdings kept in part, by symbol: 0.5 sells half, 0 sells all.
    pub scale: BTreeMap<String, f64>,
    /// Return of the market in a shock, -0.2 for a fall of 20 %.
    pub market_shock: Option<f64>,
}

/// One back test.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct BacktestRef {
    /// Id of the back test.
    pub backtest: String,
}

/// A strategy whose parameters are searched on past windows and tested on the next ones.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct OptimiseStrategy {
    /// Symbols, at least one.
    pub symbols: Vec<String>,
    /// Id of a ready-made strategy.
    pub strategy: String,
    /// `grid`, `random`, or a search of the catalogue; `grid` when absent.
    pub search: Option<String>,
    /// The figure to make large; `sharpe_ratio` when absent.
    pub metric: Option<String>,
    /// Test windows, 1 to 50; 5 when absent.
    pub folds: Option<u32>,
    /// Most parameter sets tried in a window, 1 to 100,000.
    pub evaluations: Option<u32>,
    /// Costs, basis points of the traded value.
    pub cost_bps: Option<f64>,
    /// First day.
    pub start: Option<NaiveDate>,
    /// Last day.
    pub end: Option<NaiveDate>,
}

/// A strategy to be worked out from an idea: hypothesis tests, features, signal, sizing, back test, verdict.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct DevelopStrategy {
    /// The idea in the user's words.
    pub idea: String,
    /// What it rests on, as far as it was recognised: `momentum`, `volume`, `volatility`, `regime`, `mean_reversion`,
    /// `breakout`, `pairs`, `seasonality`, `divergence`, `earnings`, `options_activity`, ...
    pub ingredients: Vec<String>,
    /// Symbols; the registered ones when empty.
    pub symbols: Vec<String>,
    /// First day.
    pub start: Option<NaiveDate>,
    /// Last day.
    pub end: Option<NaiveDate>,
}

/// What an alert can watch for.
pub const TRIGGERS: [&str; 8] = [
    "regime",
    "volatility",
    "momentum",
    "correlation",
    "volume",
    "trend",
    "drawdown",
    "move",
];

/// What to watch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CreateAlert {
    /// Whether what is held is watched; else give `symbols`.
    pub holdings: bool,
    /// Symbols.
    pub symbols: Vec<String>,
    /// `regime`, `volatility`, `momentum`, `correlation`, `volume`, `trend`, `drawdown`, `move`; the first four when
    /// nothing at all is said.
    pub triggers: Vec<String>,
    /// Price from which upwards an alert is given.
    pub price_above: Option<f64>,
    /// Price from which downwards an alert is given.
    pub price_below: Option<f64>,
    /// Fall from the peak, a share above 0 and below 1.
    pub drawdown: Option<f64>,
    /// Return of one day, negative for a fall.
    #[serde(rename = "move")]
    pub daily_move: Option<f64>,
    /// Minutes between two looks in market hours, 1 to 1,440; 15 when absent.
    pub every_minutes: Option<u32>,
}

/// Which alerts to list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ListAlerts {
    /// Only those on one of these symbols.
    pub symbols: Vec<String>,
}

/// Which alerts to remove; one of the fields.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RemoveAlert {
    /// Id of the alert.
    pub alert: Option<String>,
    /// All alerts on these symbols.
    pub symbols: Vec<String>,
    /// All alerts on the holdings.
    pub holdings: bool,
    /// All of them.
    pub all: bool,
}

/// Call or put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum OptionRight {
    /// The right to buy.
    Call,
    /// The right to sell.
    Put,
}

/// When an option may be exercised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ExerciseStyle {
    /// On its last day only.
    European,
    /// On any day.
    American,
}

/// An option to be priced, with its Greeks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct PriceOption {
    /// Underlying; or give `spot`.
    pub symbol: Option<String>,
    /// Price of the underlying; its last close when absent.
    pub spot: Option<f64>,
    /// Call or put.
    pub right: Option<OptionRight>,
    /// Price at which the right is exercised; or set `at_the_money`.
    pub strike: Option<f64>,
    /// Whether the strike is the price of the underlying.
    pub at_the_money: bool,
    /// Calendar days to expiry, 1 to 36,500; or give `expiry`.
    pub days: Option<u32>,
    /// Last day of the option.
    pub expiry: Option<NaiveDate>,
    /// Volatility a year, 0.25 for 25 %; that of the last 252 days when absent.
    pub volatility: Option<f64>,
    /// Riskless rate a year, continuously compounded; 0 when absent.
    pub rate: Option<f64>,
    /// Dividend yield a year; 0 when absent.
    pub dividend_yield: Option<f64>,
    /// When it may be exercised; `european` when absent.
    pub style: Option<ExerciseStyle>,
    /// `black_scholes`, `binomial_tree` or `monte_carlo_option`; by the style when absent.
    pub method: Option<String>,
}

/// Which data sets to list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ListDatasets {
    /// `bars`, `closes`, `intraday` or `series`.
    pub kind: Option<String>,
    /// Only those with one of these symbols.
    pub symbols: Vec<String>,
}

/// Prices or a series to be shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ShowData {
    /// Data set by its id or its symbol.
    pub dataset: String,
    /// First day.
    pub start: Option<NaiveDate>,
    /// Last day.
    pub end: Option<NaiveDate>,
}

/// Whose quality to show.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct DataQuality {
    /// Data set by its id or its symbol; all of them when absent.
    pub dataset: Option<String>,
}

/// Which features to list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ListFeatures {
    /// Only this group.
    pub group: Option<String>,
}

/// Which entries of the catalogue to list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ListModels {
    /// Only this family: `linear`, `tree`, `time_series`, `indicator`, ...
    pub family: Option<String>,
    /// Only entries with this task: `regression`, `classification`, `forecasting`, ...
    pub task: Option<String>,
}

/// One entry of the catalogue.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ModelRef {
    /// Id of the entry.
    pub model: String,
}

/// An entry of the catalogue to be run once on a data set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RunModel {
    /// Id of the entry.
    pub model: String,
    /// On what and how; `dataset` may be a symbol.
    pub request: RunRequest,
}

/// Whose way from the sources to show.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ShowLineage {
    /// Id of a trial, back test or data set, or a symbol.
    pub subject: String,
}

/// A file with prices to be brought in through the gate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ImportData {
    /// Name of a file that was uploaded, or its path on the command line.
    pub file: String,
    /// Symbol that it holds.
    pub symbol: String,
    /// Approved origin; `user_provided` when absent.
    pub origin: Option<String>,
}

/// A figure and what is wanted of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct GoalMetric {
    /// Name: `sharpe_ratio`, `max_drawdown` (as a share above 0), `annual_return`, `annual_volatility`, `directional_accuracy`, ...
    pub metric: String,
    /// `maximise` or `minimise`.
    pub aim: Option<String>,
    /// Least value.
    pub at_least: Option<f64>,
    /// Largest value.
    pub at_most: Option<f64>,
}

/// What everything is to serve.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SetGoal {
    /// The goal in the user's words, at most 2,000 characters.
    pub text: String,
    /// Figures, as far as they were recognised.
    pub metrics: Vec<GoalMetric>,
    /// Most positions.
    pub max_positions: Option<u32>,
    /// Smallest weight of a position.
    pub min_weight: Option<f64>,
    /// Largest weight of a position.
    pub max_weight: Option<f64>,
    /// Whether nothing is sold short.
    pub long_only: Option<bool>,
}

/// A word of a coach that the engine may follow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Advise {
    /// Trial that it is about; all later ones when absent.
    pub trial: Option<String>,
    /// The advice, at most 2,000 characters.
    pub text: String,
}

/// A running trial to be changed; one of `params`, `weights` and `stop_early`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct AdjustTrial {
    /// Id of the trial.
    pub trial: String,
    /// Parameters for the steps to come.
    pub params: Map<String, Value>,
    /// Weights of models in the trial's vote.
    pub weights: BTreeMap<String, f64>,
    /// Whether it ends after the step it is in and is judged on what it has.
    pub stop_early: bool,
}

/// Models that a trial must use against the program's choice.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct OverrideModels {
    /// Id of the trial.
    pub trial: String,
    /// Entry ids, at least one.
    pub models: Vec<String>,
}

/// A recipe of features, models and their combination that becomes a candidate of the catalogue. Never code.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct TeachMethodology {
    /// Its name.
    pub name: Option<String>,
    /// The recipe in words, at most 2,000 characters.
    pub text: String,
    /// Feature groups and features.
    pub features: Vec<String>,
    /// Entry ids.
    pub models: Vec<String>,
    /// How they are combined: `stacking` or `voting`.
    pub ensemble: Option<String>,
}

/// An intervention to be taken back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Undo {
    /// Id of the intervention; the last one that can be undone when absent.
    pub intervention: Option<String>,
}

/// What to look for in what was said and done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SearchMemory {
    /// Words.
    pub query: String,
    /// First day.
    pub since: Option<NaiveDate>,
    /// Last day.
    pub until: Option<NaiveDate>,
}

/// For which trial models are proposed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ProposeModels {
    /// Symbols of the trial.
    pub symbols: Vec<String>,
    /// What is to be forecast; the return when absent.
    pub target: Option<Target>,
    /// Bars ahead; 1 when absent.
    pub horizon: Option<u32>,
}

/// A paper to be read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct UploadPaper {
    /// Name of a PDF that was uploaded, or its path on the command line.
    pub file: String,
}

/// What help is wanted with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Help {
    /// Id of an action; an overview when absent.
    pub topic: Option<String>,
}

/// What must be known of an action before it is used; declared once, with the action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionSpec {
    /// Its name on the wire, in MCP and in the audit: `run_trial`.
    pub id: &'static str,
    /// Title for people.
    pub title: &'static str,
    /// What it does, in words.
    pub does: &'static str,
    /// The trust it takes.
    pub permission: Permission,
    /// Whether anything is different afterwards.
    pub changes: bool,
    /// Parameters without which it cannot be done; inner ones with a point.
    pub required: &'static [&'static str],
    /// Sentences that mean it.
    pub examples: &'static [&'static str],
}

macro_rules! actions {
    ($(
        #[doc = $does:literal]
        $variant:ident($params:ty) = $id:literal, $title:literal, $permission:ident, changes: $changes:literal,
        required: [$($required:literal),*], examples: [$($example:literal),+ $(,)?];
    )+) => {
        /// Everything the assistant can be asked to do, with its parameters.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(tag = "action", content = "params")]
        pub enum AssistantAction {
            $(#[doc = $does] #[serde(rename = $id)] $variant(Box<$params>),)+
        }

        /// All actions in the order in which they are listed.
        pub const ACTIONS: &[ActionSpec] = &[
            $(ActionSpec {
                id: $id,
                title: $title,
                does: $does,
                permission: Permission::$permission,
                changes: $changes,
                required: &[$($required),*],
                examples: &[$($example),+],
            },)+
        ];

        impl AssistantAction {
            /// Its id.
            #[must_use]
            pub const fn id(&self) -> &'static str {
                match self { $(Self::$variant(_) => $id,)+ }
            }

            /// An action out of its id and its parameters, as a tool call gives them; `null` for none.
            ///
            /// # Errors
            /// One sentence: the id or a field is unknown, or a value has the wrong type.
            pub fn from_parts(id: &str, params: Value) -> Result<Self, String> {
                let params = if params.is_null() { Value::Object(Map::new()) } else { params };
                match id {
                    $($id => serde_json::from_value(params)
                        .map(|p| Self::$variant(Box::new(p)))
                        .map_err(|e| format!("{id} cannot be read: {e}")),)+
                    _ => Err(format!("there is no action \"{id}\"; the help lists those there are")),
                }
            }

            /// Its parameters as JSON.
            #[must_use]
            pub fn params(&self) -> Value {
                let made = match self { $(Self::$variant(p) => serde_json::to_value(p),)+ };
                made.unwrap_or(Value::Null)
            }
        }

        /// Schema of the parameters and the schemas it refers to.
        #[cfg(feature = "openapi")]
        fn raw_schema(id: &str) -> Option<(Value, Vec<(String, Value)>)> {
            use utoipa::{PartialSchema, ToSchema};
            let mut inner = Vec::new();
            let schema = match id {
                $($id => { <$params as ToSchema>::schemas(&mut inner); <$params as PartialSchema>::schema() })+
                _ => return None,
            };
            let inner = inner
                .into_iter()
                .filter_map(|(name, s)| Some((name, serde_json::to_value(s).ok()?)))
                .collect();
            Some((serde_json::to_value(schema).ok()?, inner))
        }
    };
}

actions! {
    /// Says where symbols stand and where they may go: direction with its calibrated confidence, target range, drivers, agreement of the models, risks.
    AnalyseSymbol(AnalyseSymbol) = "analyse_symbol", "Analyse a symbol", AdjustTrial, changes: true,
        required: ["symbols"], examples: ["Analyze momentum for AAPL over next 7-10 days", "What is the outlook for IBM?"];
    /// Makes a trial: models forecast a quantity of symbols, are tested on windows they never saw, beside naive baselines, after costs.
    RunTrial(TrialParams) = "run_trial", "Run a trial", AdjustTrial, changes: true,
        required: ["request.symbols"], examples: ["Train a random forest on AAPL", "Forecast the volatility of the S&P 500 over 5 days with ridge"];
    /// Makes a trial of several models and their combination (stacking under ridge regression) over several horizons.
    TrainEnsemble(TrialParams) = "train_ensemble", "Train an ensemble", AdjustTrial, changes: true,
        required: ["request.symbols"], examples: ["Train ensemble models for TSLA", "Stack ridge, xgboost and a forest on IBM"];
    /// Makes a trial of the named models on the same data and says which is better and how sure that is.
    CompareModels(TrialParams) = "compare_models", "Compare models", AdjustTrial, changes: true,
        required: ["request.models", "request.symbols"], examples: ["Compare ridge with random forest on MSFT"];
    /// Sets symbols side by side: returns, risk, correlation.
    CompareSymbols(CompareSymbols) = "compare_symbols", "Compare symbols", Look, changes: false,
        required: ["symbols"], examples: ["Compare AAPL with MSFT since 2005"];
    /// Sets finished trials side by side.
    CompareTrials(CompareTrials) = "compare_trials", "Compare trials", Look, changes: false,
        required: ["trials"], examples: ["Compare the last trial with t-0190dddd"];
    /// Lists trials, newest first.
    ListTrials(ListRuns) = "list_trials", "List trials", Look, changes: false,
        required: [], examples: ["Show me all running trials", "Which trials have I run on AAPL?"];
    /// Shows a trial: state, progress, leaderboard, verdict.
    ShowTrial(TrialRef) = "show_trial", "Show a trial", Look, changes: false,
        required: ["trial"], examples: ["How is the trial going?", "Show trial t-0190dddd"];
    /// Explains a trial's outcome: drivers, importance of features, why an edge was found or not.
    ExplainTrial(ExplainTrial) = "explain_trial", "Explain a trial", Look, changes: false,
        required: ["trial"], examples: ["Explain the result", "Why did ridge win?"];
    /// Proposes models and parameters for a new trial from finished ones, says why and what such proposals are worth.
    ProposeModels(ProposeModels) = "propose_models", "Propose models", Look, changes: false,
        required: ["symbols"], examples: ["What should I try on AAPL?", "Propose models for MSFT from past trials"];
    /// Holds a running trial; nothing done is lost.
    PauseTrial(TrialRef) = "pause_trial", "Pause a trial", AdjustTrial, changes: true,
        required: ["trial"], examples: ["Pause the trial"];
    /// Lets a paused trial go on.
    ResumeTrial(TrialRef) = "resume_trial", "Resume a trial", AdjustTrial, changes: true,
        required: ["trial"], examples: ["Resume the trial"];
    /// Ends a trial for good.
    CancelTrial(TrialRef) = "cancel_trial", "Cancel a trial", AdjustTrial, changes: true,
        required: ["trial"], examples: ["Cancel the last trial"];
    /// Makes a trial again with something changed and sets both side by side.
    WhatIfTrial(WhatIfTrial) = "what_if_trial", "What if, for a trial", AdjustTrial, changes: true,
        required: ["trial"], examples: ["What if I used lasso instead?", "Rerun the last trial with a random forest"];
    /// Chooses symbols that meet conditions and ranks them.
    ScreenUniverse(ScreenUniverse) = "screen_universe", "Screen the universe", Look, changes: false,
        required: [], examples: ["Screen for momentum stocks", "Find stocks with RSI between 50 and 80"];
    /// Finds weights under constraints, with the frontier and a check on days kept back.
    OptimisePortfolio(OptimisePortfolio) = "optimise_portfolio", "Optimise a portfolio", Look, changes: false,
        required: [], examples: ["Optimize my portfolio for maximum Sharpe using momentum stocks", "Build me a risk parity portfolio of AAPL, KO and XOM"];
    /// Tests a portfolio with its weights on history, after costs.
    BacktestPortfolio(BacktestPortfolio) = "backtest_portfolio", "Back-test a portfolio", AdjustTrial, changes: true,
        required: [], examples: ["Back-test my portfolio since 2000", "Backtest a portfolio of 60% SPX and 40% KO"];
    /// Shows what is held: value, cost, gains, performance against a benchmark.
    ShowPortfolio(HoldingsRequest) = "show_portfolio", "Show the portfolio", Look, changes: false,
        required: [], examples: ["Show my portfolio", "How is my portfolio doing against the S&P 500?"];
    /// Shows the risk of what is held or of given weights: value at risk, shortfall, betas, crises replayed.
    PortfolioRisk(RiskRequest) = "portfolio_risk", "Risk of a portfolio", Look, changes: false,
        required: [], examples: ["How risky is my portfolio?", "Show the 99% VaR of my portfolio over 10 days"];
    /// Shows what a change of weights or a fall of the market would mean; nothing is traded.
    WhatIfPortfolio(WhatIfPortfolio) = "what_if_portfolio", "What if, for a portfolio", Look, changes: false,
        required: [], examples: ["What if I move 10% from AAPL to MSFT?", "What happens to my portfolio if the market falls 20%?"];
    /// Tests a strategy on the bars of symbols, after costs, with a verdict.
    RunBacktest(BacktestRequest) = "run_backtest", "Back-test a strategy", AdjustTrial, changes: true,
        required: ["symbols"], examples: ["Backtest an SMA crossover on AAPL", "Test the RSI reversion strategy on IBM with 0.1 % costs"];
    /// Shows a back test with its trades, figures and findings.
    ShowBacktest(BacktestRef) = "show_backtest", "Show a back test", Look, changes: false,
        required: ["backtest"], examples: ["Show me the last backtest"];
    /// Lists back tests, newest first.
    ListBacktests(ListRuns) = "list_backtests", "List back tests", Look, changes: false,
        required: [], examples: ["List all backtests"];
    /// Searches a strategy's parameters on past windows, tests each choice on the next window and joins these.
    OptimiseStrategy(OptimiseStrategy) = "optimise_strategy", "Walk-forward optimise a strategy", AdjustTrial, changes: true,
        required: ["symbols", "strategy"], examples: ["Walk-forward optimise the SMA crossover on AAPL"];
    /// Works a strategy out from an idea: hypothesis tests, features, signal, sizing, exits, back test with costs, Monte Carlo, regimes, verdict.
    DevelopStrategy(DevelopStrategy) = "develop_strategy", "Develop a strategy", AdjustTrial, changes: true,
        required: ["idea"], examples: ["Develop a strategy based on unusual options activity and earnings momentum"];
    /// Watches the holdings or symbols in market hours and tells of changes.
    CreateAlert(CreateAlert) = "create_alert", "Set an alert", AdjustTrial, changes: true,
        required: [], examples: ["Monitor my portfolio for regime changes and alert me", "Alert me when AAPL falls below 150"];
    /// Lists what is watched.
    ListAlerts(ListAlerts) = "list_alerts", "List alerts", Look, changes: false,
        required: [], examples: ["What alerts do I have?"];
    /// Ends watching.
    RemoveAlert(RemoveAlert) = "remove_alert", "Remove an alert", AdjustTrial, changes: true,
        required: [], examples: ["Remove the last alert", "Stop watching IBM"];
    /// Prices an option and its Greeks.
    PriceOption(PriceOption) = "price_option", "Price an option", Look, changes: false,
        required: ["right"], examples: ["Price a 3-month call on AAPL at 150, vol 25 %"];
    /// Lists the data sets.
    ListDatasets(ListDatasets) = "list_datasets", "List data sets", Look, changes: false,
        required: [], examples: ["What data do you have?"];
    /// Shows prices or a series.
    ShowData(ShowData) = "show_data", "Show data", Look, changes: false,
        required: ["dataset"], examples: ["Show me AAPL prices since 2010"];
    /// Shows the quality checks of the data.
    DataQuality(DataQuality) = "data_quality", "Data quality", Look, changes: false,
        required: [], examples: ["Check the data quality of AAPL"];
    /// Lists the features that models can use.
    ListFeatures(ListFeatures) = "list_features", "List features", Look, changes: false,
        required: [], examples: ["List the volatility features"];
    /// Lists the entries of the catalogue.
    ListModels(ListModels) = "list_models", "List models", Look, changes: false,
        required: [], examples: ["Which linear models are available?"];
    /// Shows an entry of the catalogue: what it is, parameters, outputs, evidence.
    ShowModel(ModelRef) = "show_model", "Show a model", Look, changes: false,
        required: ["model"], examples: ["What is ridge regression?"];
    /// Runs one entry of the catalogue on a data set: an indicator, a test, a pattern, a model.
    RunModel(RunModel) = "run_model", "Run a model once", Look, changes: false,
        required: ["model", "request.dataset"], examples: ["Run an ADF test on MSFT", "Compute the RSI of Apple"];
    /// Shows the way from the sources to a result.
    ShowLineage(ShowLineage) = "show_lineage", "Show lineage", Look, changes: false,
        required: ["subject"], examples: ["Show the lineage of the last trial"];
    /// Lists audit records, newest first.
    ListAudit(AuditFilter) = "list_audit", "Show the audit log", Look, changes: false,
        required: [], examples: ["What was refused this week?"];
    /// Checks the whole audit chain.
    VerifyAudit(NoParams) = "verify_audit", "Verify the audit chain", Look, changes: false,
        required: [], examples: ["Is the audit log intact?"];
    /// Brings in a file with prices through the gate.
    ImportData(ImportData) = "import_data", "Import a file", AdjustTrial, changes: true,
        required: ["file", "symbol"], examples: ["Import prices.csv as TSLA"];
    /// Fetches bars or an economic series from an approved vendor through the gate.
    FetchData(FetchRequest) = "fetch_data", "Fetch data", AdjustTrial, changes: true,
        required: ["source"], examples: ["Fetch TSLA from polygon since 2015"];
    /// Sets the goal that steers the choice of models and the requirements.
    SetGoal(SetGoal) = "set_goal", "Set the goal", AdjustTrial, changes: true,
        required: ["text"], examples: ["My goal is a Sharpe ratio above 1.5 with drawdown under 10 %"];
    /// Shows the goal and how far it is reached.
    ShowGoal(NoParams) = "show_goal", "Show the goal", Look, changes: false,
        required: [], examples: ["How close am I to my goal?"];
    /// Gives the engine advice that it may follow, as a coach.
    Advise(Advise) = "advise", "Advise the engine", Advise, changes: true,
        required: ["text"], examples: ["Coach the engine: prefer simpler models when the sample is short"];
    /// Changes a running trial as a coach: parameters, weights, an early end.
    AdjustTrial(AdjustTrial) = "adjust_trial", "Adjust a running trial", AdjustTrial, changes: true,
        required: ["trial"], examples: ["Change the learning rate of the running trial to 0.05", "Stop the trial early"];
    /// Decides as a coach which models a trial uses against the program's choice.
    OverrideModels(OverrideModels) = "override_models", "Override the choice of models", OverrideModel, changes: true,
        required: ["trial", "models"], examples: ["Override the model choice in the trial with ridge"];
    /// Teaches a methodology as a coach: a recipe that becomes a candidate of the catalogue.
    TeachMethodology(TeachMethodology) = "teach_methodology", "Teach a methodology", Teach, changes: true,
        required: ["text"], examples: ["Teach a methodology: ridge and xgboost on volatility features, stacked"];
    /// Takes an intervention of a coach back.
    Undo(Undo) = "undo", "Undo an intervention", AdjustTrial, changes: true,
        required: [], examples: ["Undo the last intervention"];
    /// Searches what was said and done.
    SearchMemory(SearchMemory) = "search_memory", "Search the memory", Look, changes: false,
        required: ["query"], examples: ["What did I say about momentum last week?"];
    /// Reads a paper into a strategy specification that can be tested.
    UploadPaper(UploadPaper) = "upload_paper", "Upload a paper", AdjustTrial, changes: true,
        required: ["file"], examples: ["Read the paper momentum.pdf"];
    /// Says what can be asked.
    Help(Help) = "help", "Help", Look, changes: false,
        required: [], examples: ["What can you do?"];
}

/// The declaration of an action, if there is one of that id.
#[must_use]
pub fn spec(id: &str) -> Option<&'static ActionSpec> {
    ACTIONS.iter().find(|a| a.id == id)
}

/// What an outside program is told of an action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActionInfo {
    /// Its id.
    pub id: String,
    /// Title for people.
    pub title: String,
    /// What it does.
    pub does: String,
    /// The level of trust it takes.
    pub permission: Permission,
    /// The same on the scale from 1 to 10.
    pub required_trust: u8,
    /// Whether anything is different afterwards.
    pub changes: bool,
    /// Sentences that mean it.
    pub examples: Vec<String>,
    /// JSON Schema (2020-12) of its parameters, complete in itself.
    pub schema: Value,
}

/// All actions as outside programs are told of them.
#[cfg(feature = "openapi")]
#[must_use]
pub fn infos() -> Vec<ActionInfo> {
    ACTIONS
        .iter()
        .map(|a| ActionInfo {
            id: a.id.to_owned(),
            title: a.title.to_owned(),
            does: a.does.trim().to_owned(),
            permission: a.permission,
            required_trust: a.permission.required_trust(),
            changes: a.changes,
            examples: a.examples.iter().map(|&e| e.to_owned()).collect(),
            schema: schema(a.id).unwrap_or(Value::Null),
        })
        .collect()
}

/// JSON Schema (2020-12) of an action's parameters, every reference resolved, with the parameters
/// that it cannot do without as `required`.
#[cfg(feature = "openapi")]
#[must_use]
pub fn schema(id: &str) -> Option<Value> {
    let spec = spec(id)?;
    let (mut schema, inner) = raw_schema(id)?;
    // The types are trees: 20 is deeper than any of them.
    resolve(&mut schema, &inner, 20);
    for name in spec.required {
        require(&mut schema, name);
    }
    Some(schema)
}

#[cfg(feature = "openapi")]
fn resolve(value: &mut Value, inner: &[(String, Value)], depth: u32) {
    if depth == 0 {
        return;
    }
    match value {
        Value::Object(map) => {
            if let Some(name) = map
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|r| r.rsplit('/').next())
                && let Some((_, found)) = inner.iter().find(|(n, _)| n == name)
            {
                let mut found = found.clone();
                if let (Some(to), Some(words)) = (found.as_object_mut(), map.get("description")) {
                    // The field's words say more than the type's.
                    to.insert("description".to_owned(), words.clone());
                }
                *value = found;
                resolve(value, inner, depth - 1);
                return;
            }
            for v in map.values_mut() {
                resolve(v, inner, depth);
            }
        }
        Value::Array(all) => {
            for v in all {
                resolve(v, inner, depth);
            }
        }
        _ => {}
    }
}

#[cfg(feature = "openapi")]
fn require(schema: &mut Value, name: &str) {
    let (first, rest) = name
        .split_once('.')
        .map_or((name, None), |(f, r)| (f, Some(r)));
    if let Some(map) = schema.as_object_mut() {
        let list = map
            .entry("required")
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Some(list) = list.as_array_mut()
            && !list.iter().any(|v| v == first)
        {
            list.push(Value::from(first));
        }
    }
    if let (Some(rest), Some(inside)) = (rest, schema.pointer_mut(&format!("/properties/{first}")))
    {
        require(inside, rest);
    }
}

/// Something wrong with an action's parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActionProblem {
    /// The parameter.
    pub slot: String,
    /// Whether it is missing, so that asking for it helps.
    pub missing: bool,
    /// One sentence.
    pub sentence: String,
}

/// Gathers problems, one clear sentence each.
struct Checks(Vec<ActionProblem>);

impl Checks {
    fn missing(&mut self, is: bool, slot: &str, sentence: &str) {
        if is {
            self.0.push(ActionProblem {
                slot: slot.to_owned(),
                missing: true,
                sentence: sentence.to_owned(),
            });
        }
    }

    fn wrong(&mut self, is: bool, slot: &str, sentence: impl FnOnce() -> String) {
        if is {
            self.0.push(ActionProblem {
                slot: slot.to_owned(),
                missing: false,
                sentence: sentence(),
            });
        }
    }

    fn days(&mut self, start: Option<NaiveDate>, end: Option<NaiveDate>) {
        if let (Some(start), Some(end)) = (start, end) {
            self.wrong(start > end, "end", || {
                format!("the last day, {end}, is before the first, {start}")
            });
        }
    }

    fn horizons(&mut self, horizons: &[u32]) {
        for &h in horizons {
            self.wrong(!(1..=250).contains(&h), "horizons", || {
                format!("a horizon of {h} bars is not possible: 1 to 250 bars are")
            });
        }
    }

    fn whole(&mut self, slot: &str, value: Option<u32>, low: u32, high: u32) {
        if let Some(v) = value {
            self.wrong(!(low..=high).contains(&v), slot, || {
                format!("{slot} is {v}: it must lie between {low} and {high}")
            });
        }
    }

    fn number(&mut self, slot: &str, value: Option<f64>, low: f64, high: f64) {
        if let Some(v) = value {
            // Written this way round so that NaN is refused too.
            self.wrong(!(v >= low && v <= high), slot, || {
                format!("{slot} is {v}: it must lie between {low} and {high}")
            });
        }
    }

    fn weights(&mut self, slot: &str, weights: &BTreeMap<String, f64>) {
        let sum: f64 = weights.values().map(|w| w.abs()).sum();
        self.wrong(!sum.is_finite(), slot, || {
            format!("{slot} holds a value that is not a number")
        });
        // A per mille above 1 is rounding in what was said: 33.3 %, 33.3 % and 33.4 %.
        self.wrong(sum.is_finite() && sum > 1.001, slot, || {
            format!(
                "{slot} add up to {:.1} %: they may not exceed 100 %",
                sum * 100.0
            )
        });
    }

    fn text(&mut self, slot: &str, text: &str, ask: &str) {
        self.missing(text.trim().is_empty(), slot, ask);
        self.wrong(text.chars().count() > 2_000, slot, || {
            format!("{slot} is longer than 2,000 characters")
        });
    }

    fn trial(&mut self, p: &TrialParams) {
        self.missing(
            p.request.symbols.is_empty(),
            "symbols",
            "Which symbols should it run on?",
        );
        self.horizons(&p.request.horizons);
        self.days(p.request.start, p.request.end);
        self.number("costs", Some(p.request.costs.bps), 0.0, 1_000.0);
        self.whole("model_count", p.model_count, 1, 50);
    }
}

impl AssistantAction {
    /// What is declared of it.
    #[must_use]
    pub fn spec(&self) -> Option<&'static ActionSpec> {
        spec(self.id())
    }

    /// What is missing or impossible, in the order in which to ask for it; empty when it can be done.
    #[must_use]
    pub fn problems(&self) -> Vec<ActionProblem> {
        let mut c = Checks(Vec::new());
        match self {
            Self::AnalyseSymbol(p) => {
                c.missing(
                    p.symbols.is_empty(),
                    "symbols",
                    "Which symbol should I analyse?",
                );
                c.horizons(&p.horizons);
                c.days(p.start, p.end);
            }
            Self::RunTrial(p) | Self::TrainEnsemble(p) => c.trial(p),
            Self::CompareModels(p) => {
                c.missing(
                    p.request.models.len() < 2,
                    "models",
                    "Which models should I compare? Two or more are needed.",
                );
                c.trial(p);
            }
            Self::CompareSymbols(p) => {
                c.missing(
                    p.symbols.len() < 2,
                    "symbols",
                    "Which symbols should I compare? Two or more are needed.",
                );
                c.days(p.start, p.end);
            }
            Self::CompareTrials(p) => c.missing(
                p.trials.len() < 2,
                "trials",
                "Which trials should I compare? Two ids are needed.",
            ),
            Self::ListTrials(p) | Self::ListBacktests(p) => {
                c.whole("limit", p.limit, 1, 1_000);
                if let Some(state) = &p.state {
                    c.wrong(
                        crate::trial::TrialState::parse(state).is_none(),
                        "state",
                        || format!("there is no state \"{state}\""),
                    );
                }
            }
            Self::ShowTrial(p)
            | Self::PauseTrial(p)
            | Self::ResumeTrial(p)
            | Self::CancelTrial(p) => {
                c.missing(p.trial.is_empty(), "trial", "Which trial do you mean?");
            }
            Self::ExplainTrial(p) => {
                c.missing(p.trial.is_empty(), "trial", "Which trial do you mean?");
            }
            Self::WhatIfTrial(p) => {
                c.missing(
                    p.trial.is_empty(),
                    "trial",
                    "Which trial should be changed?",
                );
                let nothing = p.symbols.is_empty()
                    && p.models.is_empty()
                    && p.horizons.is_empty()
                    && p.target.is_none()
                    && p.cost_bps.is_none()
                    && p.start.is_none()
                    && p.end.is_none();
                c.missing(
                    nothing,
                    "change",
                    "What should be different: models, symbols, horizons, target, costs or days?",
                );
                c.horizons(&p.horizons);
                c.days(p.start, p.end);
                c.number("cost_bps", p.cost_bps, 0.0, 1_000.0);
            }
            Self::ScreenUniverse(p) => {
                c.missing(
                    p.style.is_none() && p.rules.is_empty(),
                    "rules",
                    "What should the stocks have: momentum, an RSI range, low volatility?",
                );
                c.whole("top", p.top, 1, 1_000);
                for rule in &p.rules {
                    if let (Some(low), Some(high)) = (rule.at_least, rule.at_most) {
                        c.wrong(low > high, "rules", || {
                            format!("{} cannot lie above {low} and below {high}", rule.measure)
                        });
                    }
                }
            }
            Self::OptimisePortfolio(p) => {
                c.days(p.request.start, p.request.end);
                c.number("cost_bps", p.request.cost_bps, 0.0, 1_000.0);
                let share = |name: &str| p.request.params.get(name).and_then(Value::as_f64);
                let (low, high) = (share("min_weight"), share("max_weight"));
                if let (Some(low), Some(high)) = (low, high) {
                    c.wrong(low > high, "max_weight", || {
                        format!("the largest weight, {high}, is below the smallest, {low}")
                    });
                }
                if let (Some(high), count) = (high, p.request.symbols.len())
                    && count > 0
                {
                    c.wrong(high * to_f64(count) < 0.999, "max_weight", || {
                        format!(
                            "{count} symbols with at most {:.1} % each do not fill a portfolio",
                            high * 100.0
                        )
                    });
                }
            }
            Self::BacktestPortfolio(p) => {
                c.missing(
                    !p.holdings && p.symbols.is_empty() && p.weights.is_empty(),
                    "symbols",
                    "Which symbols or weights should the portfolio hold?",
                );
                c.weights("weights", &p.weights);
                c.days(p.start, p.end);
                c.number("cost_bps", p.cost_bps, 0.0, 1_000.0);
            }
            Self::ShowPortfolio(_) | Self::VerifyAudit(_) | Self::ShowGoal(_) => {}
            Self::PortfolioRisk(p) => {
                c.weights("weights", &p.weights);
                c.number("confidence", p.confidence, 0.5, 0.9999);
                c.whole("horizon", p.horizon, 1, 250);
                c.days(p.start, p.end);
            }
            Self::WhatIfPortfolio(p) => {
                let nothing = p.request.target.is_empty()
                    && p.request.change.is_empty()
                    && p.scale.is_empty()
                    && p.market_shock.is_none();
                c.missing(
                    nothing,
                    "change",
                    "What should change: which weights, or by how much should the market move?",
                );
                c.weights("target", &p.request.target);
                c.number("market_shock", p.market_shock, -1.0, 10.0);
            }
            Self::RunBacktest(p) => {
                c.missing(
                    p.symbols.is_empty(),
                    "symbols",
                    "Which symbols should it be tested on?",
                );
                c.days(p.start, p.end);
                c.number("cash", p.cash, f64::MIN_POSITIVE, 1e15);
            }
            Self::ShowBacktest(p) => {
                c.missing(
                    p.backtest.is_empty(),
                    "backtest",
                    "Which back test do you mean?",
                );
            }
            Self::OptimiseStrategy(p) => {
                c.missing(
                    p.symbols.is_empty(),
                    "symbols",
                    "Which symbols should it be optimised on?",
                );
                c.missing(
                    p.strategy.is_empty(),
                    "strategy",
                    "Which strategy should be optimised?",
                );
                c.whole("folds", p.folds, 1, 50);
                c.whole("evaluations", p.evaluations, 1, 100_000);
                c.number("cost_bps", p.cost_bps, 0.0, 1_000.0);
                c.days(p.start, p.end);
            }
            Self::DevelopStrategy(p) => {
                c.text("idea", &p.idea, "What should the strategy be based on?");
                c.days(p.start, p.end);
            }
            Self::CreateAlert(p) => {
                c.missing(
                    !p.holdings && p.symbols.is_empty(),
                    "symbols",
                    "What should I watch: your portfolio or which symbols?",
                );
                for trigger in &p.triggers {
                    c.wrong(!TRIGGERS.contains(&trigger.as_str()), "triggers", || {
                        format!(
                            "nothing is known to watch as \"{trigger}\": choose {}",
                            TRIGGERS.join(", ")
                        )
                    });
                }
                c.number("drawdown", p.drawdown, f64::MIN_POSITIVE, 1.0);
                c.number("price_above", p.price_above, 0.0, 1e15);
                c.number("price_below", p.price_below, 0.0, 1e15);
                c.whole("every_minutes", p.every_minutes, 1, 1_440);
            }
            Self::ListAlerts(_) | Self::ListModels(_) | Self::ListFeatures(_) | Self::Undo(_) => {}
            Self::RemoveAlert(p) => c.missing(
                p.alert.is_none() && p.symbols.is_empty() && !p.holdings && !p.all,
                "alert",
                "Which alert should be removed?",
            ),
            Self::PriceOption(p) => {
                c.missing(
                    p.symbol.is_none() && p.spot.is_none(),
                    "symbol",
                    "On which symbol, or at which price of the underlying?",
                );
                c.missing(p.right.is_none(), "right", "Is it a call or a put?");
                c.missing(
                    p.strike.is_none() && !p.at_the_money,
                    "strike",
                    "At which strike?",
                );
                c.missing(
                    p.days.is_none() && p.expiry.is_none(),
                    "expiry",
                    "When does it expire?",
                );
                c.number("strike", p.strike, f64::MIN_POSITIVE, 1e15);
                c.number("spot", p.spot, f64::MIN_POSITIVE, 1e15);
                c.number("volatility", p.volatility, f64::MIN_POSITIVE, 10.0);
                c.number("rate", p.rate, -1.0, 1.0);
                c.number("dividend_yield", p.dividend_yield, -1.0, 1.0);
                c.whole("days", p.days, 1, 36_500);
            }
            Self::ListDatasets(p) => {
                if let Some(kind) = &p.kind {
                    c.wrong(
                        !["bars", "closes", "intraday", "series"].contains(&kind.as_str()),
                        "kind",
                        || format!("there is no kind \"{kind}\": bars, closes, intraday or series"),
                    );
                }
            }
            Self::ShowData(p) => {
                c.missing(
                    p.dataset.is_empty(),
                    "dataset",
                    "Which symbol or data set should I show?",
                );
                c.days(p.start, p.end);
            }
            Self::DataQuality(p) => {
                c.wrong(p.dataset.as_deref() == Some(""), "dataset", || {
                    "the data set has no name".to_owned()
                });
            }
            Self::ShowModel(p) => {
                c.missing(p.model.is_empty(), "model", "Which model do you mean?");
            }
            Self::RunModel(p) => {
                c.missing(p.model.is_empty(), "model", "Which model should run?");
                c.missing(
                    p.request.dataset.is_none(),
                    "dataset",
                    "On which symbol or data set should it run?",
                );
                c.days(p.request.start, p.request.end);
            }
            Self::ShowLineage(p) => c.missing(
                p.subject.is_empty(),
                "subject",
                "Of which trial, back test or data set?",
            ),
            Self::ListAudit(p) => {
                if let (Some(since), Some(until)) = (p.since, p.until) {
                    c.wrong(since > until, "until", || {
                        format!("the last moment, {until}, is before the first, {since}")
                    });
                }
            }
            Self::ImportData(p) => {
                c.missing(p.file.is_empty(), "file", "Which file should I import?");
                c.missing(
                    p.symbol.is_empty(),
                    "symbol",
                    "Which symbol does the file hold?",
                );
            }
            Self::FetchData(p) => {
                c.missing(
                    p.symbol.is_none() && p.series.is_none(),
                    "symbol",
                    "Which symbol or series should I fetch?",
                );
                c.missing(
                    p.source.is_empty(),
                    "source",
                    "From which source: polygon, fred, alpha_vantage, fmp or yahoo?",
                );
                c.wrong(p.symbol.is_some() && p.series.is_some(), "series", || {
                    "a symbol and a series cannot be fetched in one go".to_owned()
                });
                c.days(p.start, p.end);
            }
            Self::SetGoal(p) => {
                c.text("text", &p.text, "What should the goal be?");
                for m in &p.metrics {
                    if let (Some(low), Some(high)) = (m.at_least, m.at_most) {
                        c.wrong(low > high, "metrics", || {
                            format!("{} cannot lie above {low} and below {high}", m.metric)
                        });
                    }
                }
            }
            Self::Advise(p) => c.text("text", &p.text, "What is your advice?"),
            Self::AdjustTrial(p) => {
                c.missing(
                    p.trial.is_empty(),
                    "trial",
                    "Which trial should be adjusted?",
                );
                c.missing(
                    p.params.is_empty() && p.weights.is_empty() && !p.stop_early,
                    "params",
                    "What should change: a parameter, the weights of models, or should it stop early?",
                );
                c.weights("weights", &p.weights);
            }
            Self::OverrideModels(p) => {
                c.missing(p.trial.is_empty(), "trial", "In which trial?");
                c.missing(
                    p.models.is_empty(),
                    "models",
                    "Which models should it use instead?",
                );
            }
            Self::TeachMethodology(p) => c.text(
                "text",
                &p.text,
                "What is the methodology: which features, which models, how combined?",
            ),
            Self::SearchMemory(p) => {
                c.text("query", &p.query, "What should I search for?");
                c.days(p.since, p.until);
            }
            Self::ProposeModels(p) => {
                c.missing(
                    p.symbols.is_empty(),
                    "symbols",
                    "For which symbols should I propose models?",
                );
                c.whole("horizon", p.horizon, 1, 250);
            }
            Self::UploadPaper(p) => {
                c.missing(p.file.is_empty(), "file", "Which PDF should I read?");
            }
            Self::Help(p) => {
                if let Some(topic) = &p.topic {
                    c.wrong(spec(topic).is_none(), "topic", || {
                        format!("there is no action \"{topic}\"")
                    });
                }
            }
        }
        c.0
    }
}

/// A count as a number; counts here are small.
fn to_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// A part of the text, in characters from its beginning; `end` is the first one after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TextSpan {
    /// First character.
    pub start: u32,
    /// First character after it.
    pub end: u32,
}

/// A part of the text and what it was taken for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsedText {
    /// `action`, or the kind of what was recognised: `symbol`, `model`, `horizon`, `date`, ...
    pub role: String,
    /// Where it stands.
    pub span: TextSpan,
    /// What it was taken for.
    pub meaning: String,
}

/// An action that a text was understood as.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParsedAction {
    /// The action.
    #[serde(flatten)]
    pub action: AssistantAction,
    /// 0 to 1: how much of the text speaks for it, and how far the next best action is behind.
    pub confidence: f64,
    /// The parts of the text that were used.
    pub used: Vec<UsedText>,
    /// What a reader should know: a mended word, a symbol without data.
    pub notes: Vec<String>,
}

/// What is asked back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Question {
    /// Id of the action that was understood.
    pub action: String,
    /// The parameter that is missing or impossible.
    pub slot: String,
    /// The question, or what is wrong.
    pub question: String,
    /// Answers that would do.
    pub suggestions: Vec<String>,
    /// The parameters understood so far.
    pub params: Value,
    /// The text so far, which an answer completes.
    pub text: String,
    /// As of [`ParsedAction`].
    pub confidence: f64,
    /// The parts of the text that were used.
    pub used: Vec<UsedText>,
}

/// What a text came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Understanding {
    /// Actions, in the order in which they were said.
    Actions {
        /// At least one.
        actions: Vec<ParsedAction>,
    },
    /// Something is missing.
    Question(Question),
    /// Nothing that can be done.
    NotUnderstood {
        /// Why, and what can be asked.
        sentence: String,
        /// Examples of what can be asked.
        suggestions: Vec<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_action_is_declared_once_and_reads_back() {
        let mut ids: Vec<_> = ACTIONS.iter().map(|a| a.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), ACTIONS.len());
        for a in ACTIONS {
            // What MCP and the language models' interfaces allow as the name of a tool.
            assert!(
                a.id.len() <= 64 && a.id.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{}",
                a.id
            );
            assert!(a.changes || a.permission == Permission::Look, "{}", a.id);
            assert!(!a.changes || a.permission > Permission::Look, "{}", a.id);
            assert!(a.does.trim().ends_with('.'), "{}", a.id);
            let params = match a.id {
                "run_trial" | "train_ensemble" | "compare_models" => {
                    json!({"request": {"symbols": []}})
                }
                "fetch_data" => json!({"source": ""}),
                _ => Value::Null,
            };
            let action = AssistantAction::from_parts(a.id, params).unwrap();
            assert_eq!(action.id(), a.id);
            let wire = serde_json::to_value(&action).unwrap();
            assert_eq!(wire["action"], a.id);
            assert_eq!(
                serde_json::from_value::<AssistantAction>(wire).unwrap(),
                action
            );
            let asked: Vec<_> = action.problems();
            for name in a.required {
                let name = name.rsplit('.').next().unwrap();
                assert!(
                    asked.iter().any(|p| p.missing && p.slot == name),
                    "{} does not ask for {name}",
                    a.id
                );
            }
            for p in asked {
                assert!(
                    !p.sentence.is_empty() && !p.sentence.contains('\n'),
                    "{}",
                    a.id
                );
            }
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert!(AssistantAction::from_parts("buy_shares", Value::Null).is_err());
        let told =
            AssistantAction::from_parts("analyse_symbol", json!({"symbol": "AAPL"})).unwrap_err();
        assert!(told.contains("symbol"), "{told}");
        assert!(AssistantAction::from_parts("undo", json!({"intervention": 3})).is_err());
    }

    #[test]
    fn what_is_impossible_is_said() {
        let problems = |id: &str, params: Value| {
            AssistantAction::from_parts(id, params)
                .unwrap()
                .problems()
                .into_iter()
                .filter(|p| !p.missing)
                .map(|p| p.slot)
                .collect::<Vec<_>>()
        };
        for (id, params, slot) in [
            (
                "analyse_symbol",
                json!({"symbols": ["A"], "horizons": [0]}),
                "horizons",
            ),
            (
                "analyse_symbol",
                json!({"symbols": ["A"], "horizons": [251]}),
                "horizons",
            ),
            (
                "show_data",
                json!({"dataset": "A", "start": "2012-01-02", "end": "2012-01-01"}),
                "end",
            ),
            (
                "optimise_portfolio",
                json!({"request": {"params": {"min_weight": 0.2, "max_weight": 0.1}}}),
                "max_weight",
            ),
            (
                "optimise_portfolio",
                json!({"request": {"symbols": ["A", "B"], "params": {"max_weight": 0.4}}}),
                "max_weight",
            ),
            (
                "backtest_portfolio",
                json!({"weights": {"A": 0.6, "B": 0.6}}),
                "weights",
            ),
            ("portfolio_risk", json!({"confidence": 1.0}), "confidence"),
            (
                "price_option",
                json!({"spot": 1.0, "right": "call", "strike": -1.0, "days": 30}),
                "strike",
            ),
            ("list_trials", json!({"state": "asleep"}), "state"),
            (
                "screen_universe",
                json!({"rules": [{"measure": "rsi", "at_least": 80.0, "at_most": 50.0}]}),
                "rules",
            ),
        ] {
            assert_eq!(problems(id, params), [slot], "{id}");
        }
        assert!(
            problems(
                "backtest_portfolio",
                json!({"weights": {"A": 0.333, "B": 0.333, "C": 0.334}})
            )
            .is_empty()
        );
    }

    #[cfg(feature = "openapi")]
    #[test]
    fn schemas_are_complete_in_themselves() {
        for info in infos() {
            let text = info.schema.to_string();
            assert!(!text.contains("$ref"), "{}: {text}", info.id);
            assert_eq!(info.schema["type"], "object", "{}: {text}", info.id);
            // Every parameter that serde takes is in the schema, and no other.
            let id = info.id.as_str();
            let params = match id {
                "run_trial" | "train_ensemble" | "compare_models" => {
                    json!({"request": {"symbols": []}})
                }
                "fetch_data" => json!({"source": ""}),
                _ => Value::Null,
            };
            let written = AssistantAction::from_parts(id, params).unwrap().params();
            let shown = info.schema["properties"].as_object();
            for name in written.as_object().unwrap().keys() {
                assert!(
                    shown.is_some_and(|s| s.contains_key(name)),
                    "{id} does not show {name}"
                );
            }
            for name in info.schema["required"].as_array().into_iter().flatten() {
                assert!(
                    shown.is_some_and(|s| s.contains_key(name.as_str().unwrap())),
                    "{id} requires {name}"
                );
            }
        }
        let trial = schema("run_trial").unwrap();
        assert_eq!(
            trial["properties"]["request"]["required"],
            json!(["symbols"])
        );
        assert_eq!(trial["required"], json!(["request"]));
    }
}
