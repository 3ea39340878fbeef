//! Back tests: what is asked, what came out, and what it says of itself.

use crate::data::LineageStep;
use crate::strategy::{CostSpec, StrategySpec};
use crate::trial::{DatasetRef, Interval, Metrics};
use crate::{BacktestId, DatasetId};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// The result is less than it looks.
    Warning,
    /// The result cannot be relied on.
    Serious,
}

impl Severity {
    /// The word used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Serious => "serious",
        }
    }
}

/// Something that is wrong with a result, or that one must know to read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Name of the rule: `too_few_trades`, `luck`.
    pub rule: String,
    /// How much it weighs.
    pub severity: Severity,
    /// The finding in one sentence.
    pub sentence: String,
    /// The figures behind it, by name.
    pub figures: BTreeMap<String, Option<f64>>,
}

/// A back test to be made; only `symbols` is needed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BacktestRequest {
    /// Symbols, or ids of data sets: `AAPL`, `bundled:AAPL`. Empty: the universe of the strategy.
    #[serde(default)]
    pub symbols: Vec<String>,
    /// Approved origin of the data; wherever the symbol is found when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// First day; nothing before it is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<NaiveDate>,
    /// Last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<NaiveDate>,
    /// Id of a ready-made strategy, a strategy as an object, or its JSON text; `sma_crossover` when
    /// absent.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub strategy: Value,
    /// Parameters of a ready-made strategy.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
    /// Cash at the start, where the strategy does not state it; 10,000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cash: Option<f64>,
    /// Whether only whole shares trade, where the strategy does not state it; they do when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_shares: Option<bool>,
    /// Costs, where the strategy does not state them; a commission of five basis points when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub costs: Option<CostSpec>,
    /// Symbol or data set to compare with; holding the symbols in equal parts when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub benchmark: Option<String>,
    /// Whether positions that are open at the end are closed at the last close.
    #[serde(default)]
    pub finalize: bool,
    /// Bars of a year, for figures of a year, interest and fees; 252 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub periods_per_year: Option<f64>,
    /// Seed of the resampling; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// A symbol of a back test and its data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BacktestSymbol {
    /// Symbol.
    pub symbol: String,
    /// Data set.
    pub dataset: DatasetRef,
    /// First bar in the span.
    pub first: NaiveDate,
    /// Last bar in the span.
    pub last: NaiveDate,
    /// Bars in the span.
    pub bars: u32,
    /// Splits and dividends by which it was traded; none where its prices were never others and no
    /// dividend is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actions: Option<BacktestActions>,
}

/// The corporate actions by which a symbol was traded, at the prices of their day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BacktestActions {
    /// Splits after its first bar that the prices of the data set are adjusted for, also those after
    /// the span.
    pub splits: Vec<BacktestSplit>,
    /// Dividends in the span.
    pub dividends: u32,
    /// SHA-256 over the splits and dividends of the span.
    pub sha256: String,
}

/// A split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BacktestSplit {
    /// First day at the new price.
    pub date: NaiveDate,
    /// New shares for an old one.
    pub ratio: f64,
}

/// Everything that decides a back test's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BacktestSpec {
    /// What is traded.
    pub symbols: Vec<BacktestSymbol>,
    /// First day that was asked for.
    pub start: Option<NaiveDate>,
    /// Last day that was asked for.
    pub end: Option<NaiveDate>,
    /// Id of the ready-made strategy, where one was named.
    pub ready_made: Option<String>,
    /// Its parameters, filled in.
    pub params: Map<String, Value>,
    /// The strategy with every default filled in and its expressions in canonical text.
    pub strategy: StrategySpec,
    /// What is compared with, where it is not holding the symbols.
    pub benchmark: Option<BacktestSymbol>,
    /// Whether open positions are closed at the end.
    pub finalize: bool,
    /// Bars of a year.
    pub periods_per_year: f64,
    /// Seed of the resampling.
    pub seed: u64,
}

/// What a back test comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BacktestVerdict {
    /// Whether what is left beside the market is more than luck among all that was tried, and no
    /// finding is serious.
    pub found_edge: bool,
    /// One or two sentences.
    pub text: String,
    /// Different strategies and models ever tried on these symbols, this one included.
    pub tried: u32,
    /// Of these, back tests.
    pub tried_backtests: u32,
    /// Chance that the Sharpe ratio of what the market does not explain is above what luck among all
    /// that was tried would show; 0.95 is asked for.
    pub deflated_sharpe_ratio: Option<f64>,
    /// That Sharpe ratio, a year.
    pub active_sharpe_ratio: Option<f64>,
    /// What luck among all that was tried would show, a year.
    pub luck: Option<f64>,
    /// Chance that the Sharpe ratio of the whole is above 0, nothing else tried.
    pub probabilistic_sharpe_ratio: Option<f64>,
    /// Years of such a record after which a Sharpe ratio above 0 is sure with 95 %.
    pub years_needed: Option<f64>,
}

/// Return of a calendar month, a share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MonthReturn {
    /// Year.
    pub year: i32,
    /// Month, 1 to 12.
    pub month: u32,
    /// Of the strategy.
    pub value: Option<f64>,
    /// Of the benchmark.
    pub benchmark: Option<f64>,
}

/// A position from its opening to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BacktestTrade {
    /// Symbol.
    pub symbol: String,
    /// `long` or `short`.
    pub direction: String,
    /// Day of the first fill.
    pub entry: NaiveDate,
    /// Day of the last fill; absent while open.
    pub exit: Option<NaiveDate>,
    /// Mean price of the entry a share.
    pub entry_price: Option<f64>,
    /// Mean price of the exit a share.
    pub exit_price: Option<f64>,
    /// Shares.
    pub units: Option<f64>,
    /// Gain after commissions, dividends and fees, currency.
    pub pnl: Option<f64>,
    /// The gain as a share of the value at entry.
    pub result: Option<f64>,
    /// Commissions.
    pub commission: Option<f64>,
    /// Bars held; absent while open.
    pub bars: Option<u32>,
    /// Deepest open loss a share of the price, at most 0.
    pub mae: Option<f64>,
    /// Highest open gain, at least 0.
    pub mfe: Option<f64>,
    /// Rule of the exit; absent while open.
    pub exit_rule: Option<String>,
}

/// A fill and why it came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BacktestFill {
    /// Day.
    pub date: NaiveDate,
    /// Symbol.
    pub symbol: String,
    /// Shares, below 0 for a sale.
    pub units: Option<f64>,
    /// Price of the bar at that moment.
    pub quote: Option<f64>,
    /// Price paid or received.
    pub price: Option<f64>,
    /// Commission.
    pub commission: Option<f64>,
    /// One sentence.
    pub explanation: String,
}

/// What the same trades would have made in other orders, drawn with repetition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BacktestFan {
    /// Orders drawn.
    pub runs: u32,
    /// Shares of the curves under each line: 0.05, 0.25, 0.5, 0.75, 0.95.
    pub quantiles: Vec<f64>,
    /// Number of trades after which each point stands.
    pub steps: Vec<u32>,
    /// A line of equity for each quantile.
    pub lines: Vec<Vec<Option<f64>>>,
    /// Quantiles of the equity at the end.
    pub last: Vec<Option<f64>>,
    /// Quantiles of the deepest fall.
    pub drawdown: Vec<Option<f64>>,
    /// Share of the orders that end under the cash at the start.
    pub loss: f64,
    /// Share of the orders that fall to half of it or under.
    pub ruin: f64,
}

/// The result under a multiple of the costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CostResult {
    /// The multiple.
    pub factor: f64,
    /// Return of the whole test.
    pub total_return: Option<f64>,
    /// What was paid, currency.
    pub paid: Option<f64>,
}

/// The result in one kind of market.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RegimeRow {
    /// `calm`, `usual`, `wild`, `falling`, `rising`.
    pub regime: String,
    /// Bars.
    pub bars: u32,
    /// Return over these bars.
    pub total_return: Option<f64>,
    /// Sharpe ratio a year over these bars.
    pub sharpe_ratio: Option<f64>,
}

/// A back test in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BacktestSummary {
    /// Id.
    pub id: BacktestId,
    /// Name of the strategy.
    pub name: String,
    /// Symbols.
    pub symbols: Vec<String>,
    /// Data sets.
    pub datasets: Vec<DatasetId>,
    /// First bar.
    pub first: NaiveDate,
    /// Last bar.
    pub last: NaiveDate,
    /// Closed trades.
    pub trades: u32,
    /// Return of the whole test, a share.
    pub total_return: Option<f64>,
    /// Return of the benchmark.
    pub benchmark_return: Option<f64>,
    /// Sharpe ratio, a year.
    pub sharpe_ratio: Option<f64>,
    /// Deepest fall, at most 0.
    pub max_drawdown: Option<f64>,
    /// The verdict.
    pub found_edge: bool,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// A back test with all that came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BacktestView {
    /// Id.
    pub id: BacktestId,
    /// When.
    pub created_at: DateTime<Utc>,
    /// What was tested.
    pub spec: BacktestSpec,
    /// SHA-256 of the specification: the same for the same test.
    pub spec_sha256: String,
    /// What it comes to.
    pub verdict: BacktestVerdict,
    /// What is wrong with it, the heaviest first.
    pub findings: Vec<Finding>,
    /// Figures of the strategy.
    pub metrics: Metrics,
    /// 95 % intervals of some figures by the stationary bootstrap.
    pub intervals: BTreeMap<String, Interval>,
    /// What the benchmark is, in words.
    pub benchmark_name: String,
    /// Figures of the benchmark.
    pub benchmark_metrics: Metrics,
    /// Days of the bars.
    pub dates: Vec<NaiveDate>,
    /// Equity at the close, one a bar.
    pub equity: Vec<Option<f64>>,
    /// Equity of the benchmark, one a bar, from the same cash.
    pub benchmark_equity: Vec<Option<f64>>,
    /// Fall from the highest equity so far, one a bar.
    pub drawdown: Vec<Option<f64>>,
    /// The same of the benchmark.
    pub benchmark_drawdown: Vec<Option<f64>>,
    /// Share of the equity that is invested, one a bar.
    pub exposure: Vec<Option<f64>>,
    /// Bars that the rolling Sharpe ratio looks back over.
    pub rolling_window: u32,
    /// Sharpe ratio a year over that many bars, one a bar.
    pub rolling_sharpe: Vec<Option<f64>>,
    /// The same of the benchmark.
    pub benchmark_rolling_sharpe: Vec<Option<f64>>,
    /// Returns by month.
    pub monthly: Vec<MonthReturn>,
    /// Closed trades.
    pub trades: Vec<BacktestTrade>,
    /// Trades that are still open.
    pub open_trades: Vec<BacktestTrade>,
    /// Every fill, explained.
    pub fills: Vec<BacktestFill>,
    /// Orders that did not fill.
    pub refused: u32,
    /// The trades in other orders; absent without trades.
    pub fan: Option<BacktestFan>,
    /// The result under multiples of the costs.
    pub costs: Vec<CostResult>,
    /// The multiple of the costs at which the gain is gone.
    pub break_even_costs: Option<f64>,
    /// The result in kinds of market.
    pub regimes: Vec<RegimeRow>,
    /// Steps from the sources to the result.
    pub lineage: Vec<LineageStep>,
    /// SHA-256 of equity, cash, fills and trades.
    pub result_sha256: String,
}

/// A strategy to be looked at.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct StrategyCheckRequest {
    /// Id of a ready-made strategy, a strategy as an object, or its JSON text.
    pub strategy: Value,
    /// Parameters of a ready-made strategy.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
}

/// Something wrong with a strategy, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StrategyFault {
    /// Path of the field, `long.enter`; empty for the text as a whole.
    pub field: String,
    /// Why it is refused.
    pub reason: String,
    /// Line of the JSON text, counted from 1, where it is a text and the place is known.
    pub line: Option<u32>,
    /// Column in the expression, or in the line of the JSON text, counted from 1.
    pub column: Option<u32>,
    /// Nearest names for an unknown one.
    pub suggestions: Vec<String>,
}

/// What a check of a strategy found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StrategyCheck {
    /// Whether it can be tested.
    pub valid: bool,
    /// What is wrong.
    pub errors: Vec<StrategyFault>,
    /// The strategy with defaults filled in and its expressions in canonical text, when it is valid.
    pub strategy: Option<StrategySpec>,
}

/// A ready-made strategy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReadyMade {
    /// Id.
    pub id: String,
    /// Title.
    pub title: String,
    /// What it does and whose idea it is.
    pub about: String,
    /// Its parameters.
    pub params: Vec<ReadyMadeParam>,
    /// The strategy with these parameters' defaults, for one symbol.
    pub strategy: StrategySpec,
}

/// A parameter of a ready-made strategy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReadyMadeParam {
    /// Name.
    pub name: String,
    /// What it is.
    pub help: String,
    /// Value when it is not given.
    pub default: f64,
    /// Smallest value.
    pub low: f64,
    /// Largest value.
    pub high: f64,
    /// Whether it is a whole number.
    pub whole: bool,
}
