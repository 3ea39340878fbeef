//! Walk-forward optimisations: what is searched, how, and what came out.

use crate::OptimisationId;
use crate::backtest::{BacktestRequest, BacktestSymbol};
use crate::strategy::StrategySpec;
use crate::trial::{Metrics, TrialState};
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
    /// Where it stands.
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
    /// What it comes to, when all are done.
    pub result: Option<OptimisationResult>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
