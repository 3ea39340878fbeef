//! Walk-forward optimisations: what is searched, how, and what came out.

use crate::OptimisationId;
use crate::backtest::{BacktestRequest, BacktestSymbol};
use crate::event::StateEvent;
use crate::strategy::StrategySpec;
use crate::trial::{Metrics, Progress, TrialState};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Values of a parameter that are searched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SearchRange {
    /// Whole numbers between two, both included.
    Integer {
        /// Smallest.
        low: i64,
        /// Largest.
        high: i64,
        /// Whether their logarithm is searched evenly.
        #[serde(default)]
        log: bool,
    },
    /// Real numbers between two, both included.
    Real {
        /// Smallest.
        low: f64,
        /// Largest.
        high: f64,
        /// Whether their logarithm is searched evenly.
        #[serde(default)]
        log: bool,
    },
    /// One of these numbers or texts, without an order.
    Choice {
        /// The values.
        values: Vec<Value>,
    },
}

impl SearchRange {
    /// A range around a value of a ready-made strategy's parameter, from half to double, within what the
    /// strategy takes; `None` where that holds nothing to search.
    #[must_use]
    pub fn around(p: &crate::backtest::ReadyMadeParam, value: f64) -> Option<Self> {
        let (low, high) = ((value / 2.0).max(p.low), (value * 2.0).min(p.high));
        if value <= 0.0 || low >= high {
            return None;
        }
        Some(if p.whole {
            Self::Integer {
                low: low.ceil() as i64,
                high: high.floor() as i64,
                log: false,
            }
        } else {
            Self::Real {
                low,
                high,
                log: false,
            }
        })
    }

    /// Reads `5..50`, `0.5..2.0`, either with `:log` behind, or `a|b|c`: whole numbers where both ends
    /// are.
    ///
    /// # Errors
    /// One sentence: the text and what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = || {
            format!(
                "\"{text}\" is no range: write whole numbers as 5..50, numbers as 0.5..2.0, either with :log behind, or choices as a|b|c"
            )
        };
        let (plain, log) = match text.strip_suffix(":log") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        if let Some((low, high)) = plain.split_once("..") {
            let (low, high) = (low.trim(), high.trim());
            if let (Ok(low), Ok(high)) = (low.parse::<i64>(), high.parse::<i64>()) {
                return Ok(Self::Integer { low, high, log });
            }
            return match (low.parse::<f64>(), high.parse::<f64>()) {
                (Ok(low), Ok(high)) => Ok(Self::Real { low, high, log }),
                _ => Err(wrong()),
            };
        }
        if log || plain.is_empty() {
            return Err(wrong());
        }
        let value = |text: &str| {
            let text = text.trim();
            let whole = text.parse::<i64>().map(Value::from);
            let number = whole.or_else(|_| text.parse::<f64>().map(Value::from));
            number.unwrap_or_else(|_| Value::from(text))
        };
        Ok(Self::Choice {
            values: plain.split('|').map(value).collect(),
        })
    }
}

impl std::fmt::Display for SearchRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ending = |log: bool| if log { ":log" } else { "" };
        match self {
            Self::Integer { low, high, log } => write!(f, "{low}..{high}{}", ending(*log)),
            // With a point, so that it is read back as what it is.
            Self::Real { low, high, log } => write!(f, "{low:?}..{high:?}{}", ending(*log)),
            Self::Choice { values } => {
                for (i, value) in values.iter().enumerate() {
                    if i > 0 {
                        f.write_str("|")?;
                    }
                    match value {
                        Value::String(text) => f.write_str(text)?,
                        other => write!(f, "{other}")?,
                    }
                }
                Ok(())
            }
        }
    }
}

/// A parameter of a strategy that is searched: of a ready-made one by its name, in a strategy as
/// JSON wherever `{name}` stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SearchParameter {
    /// Its name.
    pub name: String,
    /// Its values.
    pub range: SearchRange,
}

/// What the search makes as large as it can on a training window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Mean over deviation of returns.
    #[default]
    SharpeRatio,
    /// Mean over downside deviation of returns.
    SortinoRatio,
    /// Annual return over the deepest fall.
    CalmarRatio,
    /// Gains over losses of the bars.
    OmegaRatio,
    /// Annual return.
    AnnualReturn,
    /// Gains over losses of the trades.
    ProfitFactor,
}

impl Objective {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::SharpeRatio,
        Self::SortinoRatio,
        Self::CalmarRatio,
        Self::OmegaRatio,
        Self::AnnualReturn,
        Self::ProfitFactor,
    ];

    /// The word used on the wire: the name of the figure.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SharpeRatio => "sharpe_ratio",
            Self::SortinoRatio => "sortino_ratio",
            Self::CalmarRatio => "calmar_ratio",
            Self::OmegaRatio => "omega_ratio",
            Self::AnnualReturn => "annual_return",
            Self::ProfitFactor => "profit_factor",
        }
    }
}

/// A walk-forward optimisation to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OptimisationRequest {
    /// Symbols, span, strategy, costs and cash, as of a back test. `params` are those parameters of
    /// a ready-made strategy that are not searched.
    pub test: BacktestRequest,
    /// What is searched, at least one parameter.
    pub search: Vec<SearchParameter>,
    /// `grid`, `random`, or the id of an entry of the catalogue's family search;
    /// `differential_evolution` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Settings of the method.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub settings: Map<String, Value>,
    /// Back tests of a training window; 100 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluations: Option<u32>,
    /// What is made as large as possible; the Sharpe ratio when absent.
    #[serde(default)]
    pub objective: Objective,
    /// Closed trades that a training window must show, for its result to count; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_trades: Option<u32>,
    /// Windows; 5 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<u32>,
    /// Bars left out between training and test; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embargo: Option<u32>,
    /// Bars of a rolling training window; when absent all bars before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<u32>,
}

/// Everything that decides an optimisation's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OptimisationSpec {
    /// What is traded.
    pub symbols: Vec<BacktestSymbol>,
    /// The request with every default filled in; strategies as JSON stand there as objects.
    pub request: OptimisationRequest,
}

/// What a request would do, as far as it can be said without data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OptimisationPlan {
    /// The strategy with the lowest values of the parameters.
    pub strategy: StrategySpec,
    /// Method of the search.
    pub method: String,
    /// Points of a window at most.
    pub evaluations: u32,
    /// Windows.
    pub folds: u32,
}

/// One window: searched, then tested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OptimisationWindow {
    /// First day of training.
    pub train_first: NaiveDate,
    /// Last day of training.
    pub train_last: NaiveDate,
    /// First day of the test.
    pub test_first: NaiveDate,
    /// Last day of the test.
    pub test_last: NaiveDate,
    /// Values of the parameters that were best in training; absent when nothing had a value, and
    /// nothing was traded.
    pub params: Option<Map<String, Value>>,
    /// Objective in training.
    pub in_sample: Option<f64>,
    /// Objective in the test.
    pub out_of_sample: Option<f64>,
    /// Annual return in training.
    pub in_sample_return: Option<f64>,
    /// Annual return in the test.
    pub out_of_sample_return: Option<f64>,
    /// Closed trades in the test.
    pub trades: u32,
    /// Points that the search asked for.
    pub evaluations: u32,
    /// Different points among them.
    pub tried: u32,
}

/// How much a parameter moves from window to window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParameterStability {
    /// Its name.
    pub name: String,
    /// 1 less the mean change from one window to the next as a share of the range that was
    /// searched; of a choice the share of windows that keep it.
    pub stability: Option<f64>,
}

/// The out-of-sample curve of a window.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WindowCurve {
    /// The bar before the test, then those of the test.
    pub dates: Vec<NaiveDate>,
    /// Return of the strategy, one for each bar of the test: one fewer than dates.
    pub returns: Vec<f64>,
    /// Return of the benchmark, likewise.
    pub benchmark_returns: Vec<f64>,
}

/// The stitched curve of an optimisation as far as its windows are done.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OptimisationCurve {
    /// The bar before the first test, then those of the tests.
    pub dates: Vec<NaiveDate>,
    /// Equity out of sample, one a day, from the cash.
    pub equity: Vec<f64>,
    /// The symbols held in equal parts, from the same cash.
    pub benchmark_equity: Vec<f64>,
    /// What was best over the tests themselves, when they are all done.
    pub in_sample_equity: Vec<f64>,
    /// First and last day of each test.
    pub tests: Vec<(NaiveDate, NaiveDate)>,
}

/// What would have been chosen by looking at the tests themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InSampleChoice {
    /// Values of the parameters.
    pub params: Map<String, Value>,
    /// Its equity over the same days as the stitched curve, from the cash.
    pub equity: Vec<f64>,
    /// Its figures.
    pub metrics: Metrics,
}

/// Combinatorially symmetric cross-validation among what was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OverfittingReport {
    /// Strategies that were compared.
    pub candidates: u32,
    /// Ways in which the time was cut into two halves.
    pub splits: u32,
    /// Share of the ways in which the best of one half is below the median on the other.
    pub probability: f64,
    /// Share of the ways in which the best of one half loses on the other.
    pub loss: f64,
    /// Slope of the line of Sharpe ratios outside on those inside; below 0 the better looks worse
    /// later.
    pub slope: Option<f64>,
    /// How many ways fall into each tenth of the relative rank outside, worst first: ten numbers.
    pub ranks: Vec<u32>,
}

/// What an optimisation comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OptimisationResult {
    /// Whether what is left beside the market out of sample is more than luck among all that was
    /// tried.
    pub found_edge: bool,
    /// One or two sentences.
    pub text: String,
    /// Days of the stitched curve: the bar before the first test, then those of the tests.
    pub dates: Vec<NaiveDate>,
    /// Equity out of sample, one a day, from the cash.
    pub equity: Vec<f64>,
    /// The symbols held in equal parts, from the same cash.
    pub benchmark_equity: Vec<f64>,
    /// Figures of the stitched curve.
    pub metrics: Metrics,
    /// Figures of the benchmark.
    pub benchmark_metrics: Metrics,
    /// Annual return out of sample over the mean one in sample; absent when that is not above 0.
    pub efficiency: Option<f64>,
    /// How much the parameters move.
    pub stability: Vec<ParameterStability>,
    /// Different strategies and models ever tried on these symbols, those of the search included.
    pub tried: u32,
    /// Of these, points of this search.
    pub tried_here: u32,
    /// Chance that the Sharpe ratio of what the market does not explain is above what luck among
    /// all that was tried would show; 0.95 is asked for.
    pub deflated_sharpe_ratio: Option<f64>,
    /// Probability that the best of what was tried on one half of the time is below the median on
    /// the other half.
    pub probability_of_overfitting: Option<f64>,
    /// The same with its parts.
    pub overfitting: Option<OverfittingReport>,
    /// Of what stands for the points tried, the one with the best objective over the tests
    /// themselves: what a search without walking forward would have shown.
    pub in_sample_choice: Option<InSampleChoice>,
    /// The strategy with the parameters of the last window that has some, to go on with.
    pub strategy: Option<StrategySpec>,
    /// SHA-256 of the specification, the points of the searches and the curve.
    pub result_sha256: String,
}

/// An optimisation as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OptimisationView {
    /// Id.
    pub id: OptimisationId,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When its state last changed.
    pub updated_at: DateTime<Utc>,
    /// Where it stands: `queued`, `training`, `evaluating`, `paused`, `finished`, `cancelled` or
    /// `failed`.
    pub state: TrialState,
    /// Why it failed.
    pub reason: Option<String>,
    /// What is optimised.
    pub spec: OptimisationSpec,
    /// Windows in all.
    pub folds: u32,
    /// Those that are done, in order.
    pub windows: Vec<OptimisationWindow>,
    /// Points told so far in the window after them.
    pub told: u32,
    /// Points of all windows, told and to come.
    pub progress: Progress,
    /// Number of its last event.
    pub last_event: i64,
    /// What it comes to, when all are done.
    pub result: Option<OptimisationResult>,
}

/// An optimisation on a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OptimisationSummary {
    /// Id.
    pub id: OptimisationId,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// Where it stands.
    pub state: TrialState,
    /// Id of the ready-made strategy, or the name of one as JSON.
    pub strategy: String,
    /// What is traded.
    pub symbols: Vec<String>,
    /// Parameters that are searched.
    pub parameters: Vec<String>,
    /// Windows in all.
    pub folds: u32,
    /// Windows that are done.
    pub windows: u32,
    /// Points of all windows, told and to come.
    pub progress: Progress,
    /// The verdict, when it has ended.
    pub found_edge: Option<bool>,
    /// Annual return out of sample.
    pub annual_return: Option<f64>,
    /// Annual return out of sample over that in sample.
    pub efficiency: Option<f64>,
    /// Probability that the search overfits.
    pub probability_of_overfitting: Option<f64>,
}

/// One event of an optimisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OptimisationEvent {
    /// 1, 2, 3 ... within its optimisation.
    pub seq: i64,
    /// When it was stored.
    pub at: DateTime<Utc>,
    /// What happened.
    #[serde(flatten)]
    pub body: OptimisationEventBody,
}

/// What happened; the tag is the SSE `event:` field, the content its `data:`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum OptimisationEventBody {
    /// It moved to another state.
    State(StateEvent),
    /// The search of a window went on.
    Step(SearchStep),
    /// A window is done.
    Window(WindowEvent),
}

impl OptimisationEventBody {
    /// The SSE `event:` field.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::State(_) => "state",
            Self::Step(_) => "step",
            Self::Window(_) => "window",
        }
    }
}

/// How far the search of a window is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SearchStep {
    /// The window, from 1.
    pub window: u32,
    /// Windows in all.
    pub windows: u32,
    /// Points told in this window.
    pub told: u32,
    /// Points of a window at most.
    pub evaluations: u32,
    /// The best objective in training so far.
    pub best: Option<f64>,
    /// Values of the parameters that have it.
    pub params: Option<Map<String, Value>>,
    /// Points of all windows.
    pub progress: Progress,
}

/// A window that is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WindowEvent {
    /// The window, from 1.
    pub number: u32,
    /// Windows in all.
    pub windows: u32,
    /// What came out.
    pub window: OptimisationWindow,
    /// Points of all windows.
    pub progress: Progress,
}

/// What was told of the objective in training, over two parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParameterSurface {
    /// What was made as large as possible.
    pub objective: Objective,
    /// The window, from 1; none when it is the mean of all.
    pub window: Option<u32>,
    /// The parameter to the right.
    pub x: SurfaceAxis,
    /// The parameter upwards; none when only one is searched.
    pub y: Option<SurfaceAxis>,
    /// Cells by `y`, lowest first, then `x`; null where no point was tried.
    pub cells: Vec<Vec<Option<SurfaceCell>>>,
    /// Where the points that windows chose lie.
    pub chosen: Vec<SurfaceChoice>,
}

/// A parameter of a surface, cut into parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SurfaceAxis {
    /// Its name.
    pub name: String,
    /// The values of each part in words, lowest first: `20`, `20 to 35`, `sma`.
    pub parts: Vec<String>,
}

/// What was tried in a part of a surface.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SurfaceCell {
    /// The best objective of a window, on average over the windows that tried something here; none
    /// where nothing counted.
    pub best: Option<f64>,
    /// Mean objective of the points, those that counted.
    pub mean: Option<f64>,
    /// Different points.
    pub points: u32,
}

/// The point that a window chose, on a surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SurfaceChoice {
    /// The window, from 1.
    pub window: u32,
    /// Part of `x`, from 0.
    pub x: u32,
    /// Part of `y`, from 0.
    pub y: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ranges_are_read_as_they_are_written() {
        let integer = |low, high, log| SearchRange::Integer { low, high, log };
        let real = |low, high, log| SearchRange::Real { low, high, log };
        let choice = |values: Vec<Value>| SearchRange::Choice { values };
        for (text, range, again) in [
            ("5..50", integer(5, 50, false), "5..50"),
            (" -3 .. 300:log", integer(-3, 300, true), "-3..300:log"),
            ("0.5..2", real(0.5, 2.0, false), "0.5..2.0"),
            ("1.0..2.0:log", real(1.0, 2.0, true), "1.0..2.0:log"),
            (
                "sma|3| 0.5",
                choice(vec!["sma".into(), 3.into(), 0.5.into()]),
                "sma|3|0.5",
            ),
        ] {
            assert_eq!(SearchRange::parse(text), Ok(range.clone()), "{text}");
            assert_eq!(range.to_string(), again);
            assert_eq!(SearchRange::parse(again), Ok(range));
        }
        for wrong in ["", "a..b", "a:log", "1..x"] {
            assert!(SearchRange::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_small_request_is_read_and_comes_back() {
        let small: OptimisationRequest = serde_json::from_value(json!({
            "test": {"symbols": ["AAPL"]},
            "search": [
                {"name": "fast", "range": {"kind": "integer", "low": 2, "high": 50}},
                {"name": "upper", "range": {"kind": "real", "low": 0.5, "high": 2.0, "log": true}},
                {"name": "kind", "range": {"kind": "choice", "values": ["sma", "ema"]}}
            ]
        }))
        .unwrap();
        assert_eq!(small.objective, Objective::SharpeRatio);
        let range = SearchRange::Integer {
            low: 2,
            high: 50,
            log: false,
        };
        assert_eq!(small.search[0].range, range);
        let text = serde_json::to_string(&small).unwrap();
        assert_eq!(
            serde_json::from_str::<OptimisationRequest>(&text).unwrap(),
            small
        );
        for objective in Objective::ALL {
            assert_eq!(json!(objective), json!(objective.as_str()));
        }
    }
}
