//! Portfolios: transactions and what is held, weights, plans and risk.
//!
//! Amounts of money, numbers of shares and prices are decimal text on the wire ("329.57"), because they are
//! counted, not measured. Weights, returns and risks are numbers: a weight of 0.25 is a quarter of the value, a
//! return of -0.02 a loss of 2 %.

use crate::data::LineageStep;
use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TransactionKind {
    /// Shares bought for cash.
    Buy,
    /// Shares sold for cash.
    Sell,
    /// Cash brought in.
    Deposit,
    /// Cash taken out.
    Withdrawal,
    /// Cash paid by a share.
    Dividend,
    /// New shares for old ones.
    Split,
    /// Takes an earlier transaction back; both stay on record.
    Reversal,
}

impl TransactionKind {
    /// All of them, in the order of a form.
    pub const ALL: [Self; 7] = [
        Self::Buy,
        Self::Sell,
        Self::Deposit,
        Self::Withdrawal,
        Self::Dividend,
        Self::Split,
        Self::Reversal,
    ];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
            Self::Deposit => "deposit",
            Self::Withdrawal => "withdrawal",
            Self::Dividend => "dividend",
            Self::Split => "split",
            Self::Reversal => "reversal",
        }
    }

    /// The kind of that word, if there is one.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == word)
    }
}

/// A transaction to be recorded: `kind` and `date` always; buy and sell take `symbol`, `shares`, `price` and perhaps
/// `fees`; deposit and withdrawal take `amount`; dividend takes `symbol` and `amount`; split takes `symbol`,
/// `new_shares` and `for_old`; reversal takes `reverses`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TransactionRequest {
    /// What it is.
    pub kind: TransactionKind,
    /// Day on which it took effect.
    pub date: NaiveDate,
    /// Symbol of the share.
    #[serde(default)]
    pub symbol: Option<String>,
    /// Shares bought or sold, above 0, decimal text.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub shares: Option<Decimal>,
    /// Price of one share, above 0, decimal text.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub price: Option<Decimal>,
    /// Commission and taxes of a purchase or sale, decimal text; 0 when absent.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub fees: Option<Decimal>,
    /// Cash of a deposit, withdrawal or dividend, above 0, decimal text.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub amount: Option<Decimal>,
    /// Shares after a split ...
    #[serde(default)]
    pub new_shares: Option<u32>,
    /// ... for so many before.
    #[serde(default)]
    pub for_old: Option<u32>,
    /// Number of the transaction that a reversal takes back.
    #[serde(default)]
    pub reverses: Option<i64>,
    /// A word of one's own, at most 200 signs.
    #[serde(default)]
    pub note: Option<String>,
}

impl TransactionRequest {
    /// One of that kind and day with nothing else filled in.
    #[must_use]
    pub fn new(kind: TransactionKind, date: NaiveDate) -> Self {
        Self {
            kind,
            date,
            symbol: None,
            shares: None,
            price: None,
            fees: None,
            amount: None,
            new_shares: None,
            for_old: None,
            reverses: None,
            note: None,
        }
    }
}

/// A recorded transaction. It is never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Transaction {
    /// Its number, ascending.
    pub id: i64,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// What it is.
    pub kind: TransactionKind,
    /// Day on which it took effect.
    pub date: NaiveDate,
    /// Symbol of the share.
    pub symbol: Option<String>,
    /// Shares bought or sold.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub shares: Option<Decimal>,
    /// Price of one share.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub price: Option<Decimal>,
    /// Commission and taxes.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub fees: Option<Decimal>,
    /// Cash of a deposit, withdrawal or dividend.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub amount: Option<Decimal>,
    /// Shares after a split ...
    pub new_shares: Option<u32>,
    /// ... for so many before.
    pub for_old: Option<u32>,
    /// Number of the transaction that this one takes back.
    pub reverses: Option<i64>,
    /// A word of one's own.
    pub note: Option<String>,
}

/// How the cost of shares sold is found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CostBasis {
    /// The shares bought first are sold first.
    #[default]
    Fifo,
    /// Each share costs the average of those held.
    Average,
}

impl CostBasis {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fifo => "fifo",
            Self::Average => "average",
        }
    }
}

/// What to say of the holdings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct HoldingsRequest {
    /// Day of the valuation; the last close of what is held when absent.
    pub as_of: Option<NaiveDate>,
    /// How the cost of shares sold is found.
    pub basis: CostBasis,
    /// Symbol to compare with.
    pub benchmark: Option<String>,
    /// Sectors by symbol: attribution is by sector (Brinson and others), else by share.
    pub sectors: BTreeMap<String, String>,
    /// Weights of the benchmark by symbol, for attribution by sector; the symbols of `sectors` in equal parts when
    /// empty. They are the weights of every day.
    pub benchmark_weights: BTreeMap<String, f64>,
    /// Approved origin of prices; wherever a symbol is found when absent.
    pub source: Option<String>,
}

/// Shares of one symbol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Holding {
    /// Symbol.
    pub symbol: String,
    /// Shares held.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub shares: Decimal,
    /// What they cost, fees included.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub cost: Decimal,
    /// Cost of one share.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub cost_per_share: Option<Decimal>,
    /// Last known close; null when there are no data of the symbol.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub price: Option<Decimal>,
    /// Day of that close.
    pub price_date: Option<NaiveDate>,
    /// Data set it is from.
    pub dataset: Option<String>,
    /// Shares times price.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub value: Option<Decimal>,
    /// Share of the whole value, cash included.
    pub weight: Option<f64>,
    /// Value less cost.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub unrealised: Option<Decimal>,
    /// Profit of shares sold, after fees.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub realised: Decimal,
    /// Dividends received.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub dividends: Decimal,
}

/// A day of the value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ValueDay {
    /// Day.
    pub date: NaiveDate,
    /// Value at its close, cash included.
    pub value: f64,
    /// 1 grown by the time-weighted returns until then.
    pub growth: f64,
    /// 1 grown by the benchmark's, where there is one.
    pub benchmark: Option<f64>,
}

/// How the portfolio did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HoldingsPerformance {
    /// First day.
    pub start: NaiveDate,
    /// Last day.
    pub end: NaiveDate,
    /// Returns of days.
    pub days: u64,
    /// Time-weighted return of the span: deposits count from the begin of their day, withdrawals until its end.
    pub time_weighted_return: f64,
    /// The same a year; null for less than a year.
    pub annual_return: Option<f64>,
    /// Standard deviation a year.
    pub volatility: Option<f64>,
    /// Largest fall from a peak, negative.
    pub max_drawdown: f64,
    /// The benchmark.
    pub benchmark: Option<BenchmarkReturn>,
    /// Day by day.
    pub path: Vec<ValueDay>,
}

/// The benchmark over the same days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BenchmarkReturn {
    /// Its symbol, or `weights` for one made of weights.
    pub name: String,
    /// Its return of the span.
    pub total_return: f64,
    /// The portfolio's return less that.
    pub excess_return: f64,
    /// Covariance of daily returns over the benchmark's variance.
    pub beta: Option<f64>,
    /// Standard deviation of the daily difference, a year.
    pub tracking_error: Option<f64>,
}

/// Where the return comes from. The effects of days are linked by Cariño's logarithms, so that they add up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Attribution {
    /// What each share added to the return of the portfolio.
    Asset {
        /// By symbol; fees of trades are with their share.
        contributions: BTreeMap<String, f64>,
        /// Their sum: the time-weighted return.
        total: f64,
    },
    /// What weights and what choices within sectors added to the return above the benchmark.
    Sector {
        /// One a sector; cash is one.
        sectors: Vec<SectorEffect>,
        /// Sum of all effects: return above the benchmark.
        total: f64,
    },
}

/// Effects of a sector (Brinson, Hood, Beebower 1986; allocation as Brinson, Fachler 1985).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SectorEffect {
    /// Name.
    pub sector: String,
    /// Mean weight in the portfolio.
    pub weight: f64,
    /// Weight in the benchmark.
    pub benchmark_weight: f64,
    /// (weight - benchmark weight) times (the benchmark's return of the sector - its whole return).
    pub allocation: f64,
    /// Benchmark weight times (return of the sector here - there).
    pub selection: f64,
    /// (weight - benchmark weight) times (return of the sector here - there).
    pub interaction: f64,
}

/// What is held and how it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Holdings {
    /// Day of the valuation; null when nothing was recorded.
    pub as_of: Option<NaiveDate>,
    /// How the cost of shares sold is found.
    pub basis: CostBasis,
    /// Transactions on record.
    pub transactions: u64,
    /// Cash.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub cash: Decimal,
    /// Cash and the value of all shares with a price.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub value: Decimal,
    /// What the shares held cost.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub cost: Decimal,
    /// Deposits less withdrawals.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub paid_in: Decimal,
    /// Profit of shares sold, after fees.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub realised: Decimal,
    /// Value less cost of the shares held that have a price.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub unrealised: Decimal,
    /// Dividends received.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub dividends: Decimal,
    /// Fees paid; they are in cost and realised profit.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub fees: Decimal,
    /// Shares by symbol, those no longer held with what they brought.
    pub holdings: Vec<Holding>,
    /// How it did; null when nothing can be valued.
    pub performance: Option<HoldingsPerformance>,
    /// Where the return comes from.
    pub attribution: Option<Attribution>,
    /// Splits and dividends of what was held that the data know and that are not recorded, each as it can be
    /// recorded. Dividends of a symbol appear when its splits are recorded.
    pub due_actions: Vec<TransactionRequest>,
    /// What one must know to read it.
    pub notes: Vec<String>,
}

/// What to optimise. Everything has a default: without a body the bundled shares are taken.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct OptimiseRequest {
    /// Symbols or ids of data sets; the bundled shares of the closes when empty.
    pub symbols: Vec<String>,
    /// Approved origin; wherever a symbol is found when absent.
    pub source: Option<String>,
    /// First day.
    pub start: Option<NaiveDate>,
    /// Last day.
    pub end: Option<NaiveDate>,
    /// An entry of the catalogue's family portfolio; min_variance when absent.
    pub method: Option<String>,
    /// Its parameters: constraints (min_weight, max_weight, max_positions, sectors, sector_caps, max_turnover,
    /// long_only ...), covariance, expected_returns, views, as the entry names them.
    pub params: Map<String, Value>,
    /// Points of the efficient frontier, 0 for none; 20 when absent.
    pub frontier_points: Option<u32>,
    /// Share of the days kept back for the check, the last ones, 0 for no check; 0.3 when absent.
    pub test_share: Option<f64>,
    /// Cost of trading in the check, in basis points of the traded value; 10 when absent.
    pub cost_bps: Option<f64>,
    /// Days after which the check goes back to its weights, 0 for never; 21 when absent.
    pub rebalance_days: Option<u32>,
}

/// A share in an optimised portfolio; figures are annual.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AssetWeight {
    /// Symbol.
    pub symbol: String,
    /// Weight.
    pub weight: f64,
    /// Share of the portfolio's variance.
    pub risk_contribution: Option<f64>,
    /// Expected return.
    pub expected_return: Option<f64>,
    /// Standard deviation.
    pub volatility: Option<f64>,
}

/// A point of the efficient frontier; figures are annual.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FrontierPoint {
    /// Expected return.
    pub expected_return: f64,
    /// Standard deviation.
    pub volatility: f64,
    /// Return above the risk-free rate a unit of volatility.
    pub sharpe_ratio: Option<f64>,
    /// Weights by symbol.
    pub weights: BTreeMap<String, f64>,
}

/// The efficient frontier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FrontierView {
    /// By rising expected return.
    pub points: Vec<FrontierPoint>,
    /// The largest Sharpe ratio; null when nothing earns more than the risk-free rate.
    pub max_sharpe: Option<FrontierPoint>,
    /// The least variance.
    pub min_variance: FrontierPoint,
}

/// How weights did on days that they were not made from, after costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TestedPath {
    /// Return of the span.
    pub total_return: f64,
    /// The same a year.
    pub annual_return: f64,
    /// Standard deviation a year.
    pub volatility: Option<f64>,
    /// Mean over standard deviation, annual, above no risk-free rate.
    pub sharpe_ratio: Option<f64>,
    /// Largest fall from a peak, negative.
    pub max_drawdown: f64,
    /// Traded value over the value, summed, the first purchase included.
    pub turnover: f64,
    /// What trading cost, a share of the value at the begin.
    pub cost: f64,
    /// 1 at the first close of the test, after each day.
    pub growth: Vec<f64>,
}

/// Weights from the first part of the span, and what they did on the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OutOfSample {
    /// First day that weights were made from.
    pub train_start: NaiveDate,
    /// Last day that weights were made from.
    pub train_end: NaiveDate,
    /// Day at whose close the portfolio was bought: the first one after.
    pub test_start: NaiveDate,
    /// Last day.
    pub test_end: NaiveDate,
    /// Cost of trading, basis points.
    pub cost_bps: f64,
    /// Days between two rebalancings, 0 for none.
    pub rebalance_days: u32,
    /// Weights by symbol.
    pub weights: BTreeMap<String, f64>,
    /// The days of `growth`.
    pub dates: Vec<NaiveDate>,
    /// With these weights.
    pub portfolio: TestedPath,
    /// With equal ones.
    pub equal_weight: TestedPath,
    /// Volatility that the estimates promised, annual.
    pub promised_volatility: f64,
    /// Return that the estimates promised, annual.
    pub promised_return: f64,
    /// Sharpe ratio with these weights less that with equal ones, annual.
    pub sharpe_difference: Option<f64>,
    /// Its standard error (Jobson, Korkie 1981; Memmel 2003), annual.
    pub sharpe_difference_error: Option<f64>,
    /// What came of it, in words.
    pub finding: String,
}

/// Weights with everything said about them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Optimised {
    /// Id of the method.
    pub method: String,
    /// Its title.
    pub title: String,
    /// All parameters with the values used.
    pub params: Map<String, Value>,
    /// First day of prices.
    pub start: NaiveDate,
    /// Last day of prices.
    pub end: NaiveDate,
    /// Days that all symbols have.
    pub days: u64,
    /// By weight, largest first.
    pub weights: Vec<AssetWeight>,
    /// Expected return, annual.
    pub expected_return: f64,
    /// Standard deviation, annual.
    pub volatility: f64,
    /// Return above the risk-free rate a unit of volatility.
    pub sharpe_ratio: Option<f64>,
    /// Mean volatility of the shares a unit of volatility.
    pub diversification_ratio: Option<f64>,
    /// As many equal weights.
    pub effective_assets: Option<f64>,
    /// Shares held.
    pub positions: u64,
    /// Sum of weights by sector, where there are sectors.
    pub sector_weights: BTreeMap<String, f64>,
    /// Sum of absolute changes from current_weights, where these are given.
    pub turnover: Option<f64>,
    /// Beta against the market, where one is named.
    pub beta: Option<f64>,
    /// Whether no other choice of positions is better, where their number is limited.
    pub positions_proven: Option<bool>,
    /// The frontier of the same shares, estimates and constraints.
    pub frontier: Option<FrontierView>,
    /// The check on days not seen.
    pub out_of_sample: Option<OutOfSample>,
    /// What one must know to read it.
    pub notes: Vec<String>,
    /// Where the prices come from.
    pub lineage: Vec<LineageStep>,
}

/// A portfolio by weights whose risk is asked for; without weights that of the holdings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RiskRequest {
    /// Weights by symbol; what is missing to 1 is cash. Those of the holdings when empty.
    pub weights: BTreeMap<String, f64>,
    /// Approved origin; wherever a symbol is found when absent.
    pub source: Option<String>,
    /// First day.
    pub start: Option<NaiveDate>,
    /// Last day.
    pub end: Option<NaiveDate>,
    /// Confidence, above 0 and below 1; 0.95 when absent.
    pub confidence: Option<f64>,
    /// Days that the loss is over; 1 when absent.
    pub horizon: Option<u32>,
    /// Symbol of the market for betas; SPX when absent, else the shares in equal parts.
    pub market: Option<String>,
    /// Crises of one's own: name:first day,last day; several joined with a semicolon.
    pub crises: Option<String>,
}

/// Value at risk and expected shortfall by one method; returns, so a loss is negative.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TailRisk {
    /// historical, parametric, cornish_fisher or monte_carlo.
    pub method: String,
    /// Return that is undercut with a probability of 1 - confidence.
    pub value_at_risk: Option<f64>,
    /// Mean return beyond it.
    pub conditional_value_at_risk: Option<f64>,
    /// The first in money, where the value is known.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub value_at_risk_amount: Option<Decimal>,
}

/// How past one-day values at risk came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TailCheck {
    /// Days checked.
    pub days: u64,
    /// Days with a larger loss.
    pub exceedances: u64,
    /// As many as there should be.
    pub expected: f64,
    /// Kupiec's test.
    pub kupiec_p_value: Option<f64>,
    /// Basel zone: green, yellow or red.
    pub traffic_light: Option<String>,
}

/// A share in the risk of a portfolio.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AssetRisk {
    /// Symbol.
    pub symbol: String,
    /// Weight.
    pub weight: f64,
    /// Standard deviation a year.
    pub volatility: Option<f64>,
    /// Share of the portfolio's variance.
    pub risk_contribution: Option<f64>,
    /// Against the market.
    pub beta: Option<f64>,
}

/// A crisis replayed with these weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Crisis {
    /// Name.
    pub name: String,
    /// First day.
    pub from: NaiveDate,
    /// Last day.
    pub to: NaiveDate,
    /// Whether the prices cover it.
    pub covered: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Return of the portfolio.
    #[serde(rename = "return")]
    pub total_return: Option<f64>,
    /// Largest fall from a peak, negative.
    pub max_drawdown: Option<f64>,
    /// The worst day.
    pub worst_day: Option<NaiveDate>,
    /// Its return.
    pub worst_day_return: Option<f64>,
    /// Calendar days from the trough to the value before; null when that was not seen.
    pub days_to_recover: Option<f64>,
    /// Mean correlation of pairs in the crisis ...
    pub correlation: Option<f64>,
    /// ... and on all other days.
    pub correlation_outside: Option<f64>,
}

/// What a shock of the market means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Shock {
    /// Return of the market.
    pub market: f64,
    /// Return of the portfolio, by beta.
    pub portfolio: f64,
}

/// The risk of a portfolio with fixed weights over past days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PortfolioRisk {
    /// First day.
    pub start: NaiveDate,
    /// Last day.
    pub end: NaiveDate,
    /// Days that all symbols have.
    pub days: u64,
    /// Value, where it is known from the holdings.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub value: Option<Decimal>,
    /// Confidence of the tail figures.
    pub confidence: f64,
    /// Days that they are over.
    pub horizon: u32,
    /// By symbol, largest weight first.
    pub assets: Vec<AssetRisk>,
    /// What is not in shares.
    pub cash_weight: f64,
    /// Mean daily return times 252.
    pub mean_return: f64,
    /// Standard deviation a year.
    pub volatility: f64,
    /// Largest fall from a peak with daily rebalancing, negative.
    pub max_drawdown: f64,
    /// The market of the betas.
    pub market: String,
    /// Beta.
    pub beta: Option<f64>,
    /// Sum of squared shares of the absolute weights: 1 is one share alone.
    pub concentration: f64,
    /// Value at risk and expected shortfall.
    pub tails: Vec<TailRisk>,
    /// How past historical ones came out.
    pub check: Option<TailCheck>,
    /// Crises by date.
    pub crises: Vec<Crisis>,
    /// Shocks of the market.
    pub shocks: Vec<Shock>,
    /// What one must know to read it.
    pub notes: Vec<String>,
    /// Where the prices come from.
    pub lineage: Vec<LineageStep>,
}

/// A change of weights to look at before it is made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct WhatIfRequest {
    /// Weights now; those of the holdings when empty.
    pub current: BTreeMap<String, f64>,
    /// Weights after; a symbol that is not named keeps none. Give this or `change`.
    pub target: BTreeMap<String, f64>,
    /// Changes of weights; a symbol that is not named keeps its weight, cash takes up the rest.
    pub change: BTreeMap<String, f64>,
    /// Approved origin; wherever a symbol is found when absent.
    pub source: Option<String>,
    /// First day.
    pub start: Option<NaiveDate>,
    /// Last day.
    pub end: Option<NaiveDate>,
    /// Confidence of the tail figures; 0.95 when absent.
    pub confidence: Option<f64>,
    /// Symbol of the market for betas; SPX when absent, else the shares in equal parts.
    pub market: Option<String>,
    /// Cost of trading, in basis points of the traded value; 10 when absent.
    pub cost_bps: Option<f64>,
}

/// Figures of one set of weights, on the same days as the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WhatIfSide {
    /// Weights by symbol.
    pub weights: BTreeMap<String, f64>,
    /// What is not in shares.
    pub cash_weight: f64,
    /// Mean daily return times 252.
    pub mean_return: f64,
    /// Standard deviation a year.
    pub volatility: f64,
    /// The first over the second.
    pub sharpe_ratio: Option<f64>,
    /// Largest fall from a peak, negative.
    pub max_drawdown: f64,
    /// Historical value at risk of a day.
    pub value_at_risk: Option<f64>,
    /// Historical expected shortfall of a day.
    pub conditional_value_at_risk: Option<f64>,
    /// Beta.
    pub beta: Option<f64>,
    /// Sum of squared shares of the absolute weights.
    pub concentration: f64,
    /// Return in the worst crisis that the prices cover.
    pub worst_crisis: Option<f64>,
    /// Its name.
    pub worst_crisis_name: Option<String>,
}

/// Before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WhatIf {
    /// First day.
    pub start: NaiveDate,
    /// Last day.
    pub end: NaiveDate,
    /// Days that all symbols have.
    pub days: u64,
    /// The market of the betas.
    pub market: String,
    /// Confidence of the tail figures.
    pub confidence: f64,
    /// As it is.
    pub before: WhatIfSide,
    /// As it would be.
    pub after: WhatIfSide,
    /// Sum of absolute changes of weights.
    pub turnover: f64,
    /// What trading would cost, a share of the value.
    pub cost: f64,
    /// What one must know to read it.
    pub notes: Vec<String>,
}

/// From what is held to weights, in steps. Nothing is ever sent to a broker.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct PlanRequest {
    /// Weights to reach; what is missing to 1 stays in cash. Not below 0.
    pub target: BTreeMap<String, f64>,
    /// Shares held now by symbol, decimal text; with `cash` in place of the recorded holdings.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, String>))]
    pub current: BTreeMap<String, Decimal>,
    /// Cash now, decimal text.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub cash: Option<Decimal>,
    /// Days over which the trades are spread, 1 to 60; 5 when absent.
    pub days: Option<u32>,
    /// Whether only whole shares are traded; true when absent.
    pub whole_shares: Option<bool>,
    /// Cost of trading, in basis points of the traded value; 10 when absent.
    pub cost_bps: Option<f64>,
    /// Commission of each trade, decimal text; 0 when absent.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub commission: Option<Decimal>,
    /// A weight that is off by less is left alone; 0 when absent.
    pub band: Option<f64>,
    /// Falls of the value at which to look again, each above 0 and below 1, at most 10; 0.05, 0.1 and 0.2 when empty.
    pub alarms: Vec<f64>,
    /// Day of the prices; the last close when absent.
    pub as_of: Option<NaiveDate>,
    /// Approved origin; wherever a symbol is found when absent.
    pub source: Option<String>,
}

/// A trade to make oneself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlannedTrade {
    /// Day of the plan, from 1.
    pub day: u32,
    /// `sell` or `buy`; sales of a day come first, they pay for its purchases.
    pub side: String,
    /// Symbol.
    pub symbol: String,
    /// Shares.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub shares: Decimal,
    /// Price counted with, the last close.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub price: Decimal,
    /// Shares times price.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub value: Decimal,
    /// What it costs.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub cost: Decimal,
}

/// A symbol before and after the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlannedPosition {
    /// Symbol.
    pub symbol: String,
    /// Last close.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub price: Decimal,
    /// Day of that close.
    pub price_date: NaiveDate,
    /// Shares now.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub shares_before: Decimal,
    /// Shares after.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub shares_after: Decimal,
    /// Weight now.
    pub weight_before: f64,
    /// Weight asked for.
    pub weight_target: f64,
    /// Weight after.
    pub weight_after: f64,
    /// Price below which its weight is off by `band` (by 0.05 when that is 0), all else unchanged ...
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub rebalance_below: Option<Decimal>,
    /// ... and above which it is; null where no price leads there.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub rebalance_above: Option<Decimal>,
}

/// A fall of the value at which to look again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Alarm {
    /// Fall from the value after the plan.
    pub drawdown: f64,
    /// Value at which it is reached.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub value: Decimal,
}

/// Trades from what is held to weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Plan {
    /// Days over which the trades are spread.
    pub days: u32,
    /// Value now.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub value: Decimal,
    /// Cash now.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub cash_before: Decimal,
    /// Cash after.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub cash_after: Decimal,
    /// Cash after each day; never below 0.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub cash_by_day: Vec<Decimal>,
    /// Traded value.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub traded: Decimal,
    /// What all trades cost.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub cost: Decimal,
    /// By symbol.
    pub positions: Vec<PlannedPosition>,
    /// Trades in the order in which to make them.
    pub trades: Vec<PlannedTrade>,
    /// Falls of the value at which to look again.
    pub alarms: Vec<Alarm>,
    /// What one must know to read it.
    pub notes: Vec<String>,
}

/// Pairs as an address or a flag writes them, `AAPL:0.3,IBM:0.2`, each read by `read`; a name may hold colons itself.
///
/// # Errors
/// A sentence about the pair that cannot be read.
pub fn pairs<T>(
    text: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<BTreeMap<String, T>, String> {
    let mut all = BTreeMap::new();
    for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let pair = part.rsplit_once(':').map(|(n, v)| (n.trim(), v.trim()));
        let found = pair
            .filter(|(n, _)| !n.is_empty())
            .and_then(|(n, v)| Some((n, read(v)?)));
        let Some((name, value)) = found else {
            return Err(format!(
                "\"{part}\" cannot be read: write NAME:VALUE joined with commas, as in AAPL:0.3,IBM:0.2"
            ));
        };
        if all.insert(name.to_owned(), value).is_some() {
            return Err(format!("{name} stands twice: leave one of them out"));
        }
    }
    Ok(all)
}

/// Weights by symbol, as an address or a flag writes them.
///
/// # Errors
/// As [`pairs`].
pub fn weights(text: &str) -> Result<BTreeMap<String, f64>, String> {
    pairs(text, |v| v.parse::<f64>().ok().filter(|x| x.is_finite()))
}

/// Sectors by symbol, likewise: `AAPL:tech,IBM:tech`.
///
/// # Errors
/// As [`pairs`].
pub fn sectors(text: &str) -> Result<BTreeMap<String, String>, String> {
    pairs(text, |v| (!v.is_empty()).then(|| v.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_text_on_the_wire() {
        let read: TransactionRequest = serde_json::from_str(
            r#"{"kind":"buy","date":"2011-01-03","symbol":"AAPL","shares":"10","price":"329.570"}"#,
        )
        .unwrap();
        assert_eq!(read.price, Some(Decimal::new(32957, 2)));
        let text = serde_json::to_value(&read).unwrap();
        assert_eq!(text["price"], "329.570");
        assert_eq!(text["shares"], "10");
        assert!(
            serde_json::from_str::<TransactionRequest>(
                r#"{"kind":"buy","date":"2011-01-03","share":"10"}"#
            )
            .is_err()
        );
    }

    #[test]
    fn pairs_are_read_from_the_right() {
        let read = weights(" AAPL:0.3, user:3f:0.2,").unwrap();
        assert_eq!(
            read,
            BTreeMap::from([("AAPL".into(), 0.3), ("user:3f".into(), 0.2)])
        );
        for bad in ["AAPL", "AAPL:", ":1", "AAPL:x", "AAPL:nan", "A:1,A:2"] {
            assert!(weights(bad).is_err(), "{bad}");
        }
        assert_eq!(sectors("A:tech").unwrap()["A"], "tech");
    }

    #[test]
    fn kinds_read_back() {
        for kind in TransactionKind::ALL {
            assert_eq!(TransactionKind::parse(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        assert_eq!(TransactionKind::parse("short"), None);
    }
}
