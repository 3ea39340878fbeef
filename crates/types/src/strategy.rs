//! Strategies as data: entries and exits as expressions, sizing, stops, costs. Nothing of it is code
//! that runs; `mltrainer-backtest` reads the expressions and says where one is wrong.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Largest risk of one position as a share of the equity.
pub const MAX_RISK: f64 = 0.02;
/// Most characters of one expression.
pub const MAX_EXPRESSION: usize = 2_000;
/// Most named columns and definitions.
pub const MAX_NAMES: usize = 100;
/// Most symbols of a universe.
pub const MAX_UNIVERSE: usize = 1_000;

/// A strategy. Either `long` and `short` (entries and exits) or `weight` (target weights).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct StrategySpec {
    /// Its name.
    pub name: String,
    /// What it is about, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Data sets it trades; empty: those that a test names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub universe: Vec<String>,
    /// Columns out of the catalogue, by the name that expressions use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnSpec>,
    /// Expressions under a name; each may use the names before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub define: Vec<Definition>,
    /// When to buy, and when to sell what was bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long: Option<SideSpec>,
    /// When to sell short, and when to buy back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short: Option<SideSpec>,
    /// Target share of the equity, an expression: below 0 short, unknown for "as it is".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
    /// When weights are brought back to their targets; when a target changes, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebalance: Option<RebalanceSpec>,
    /// How large a position is; all the equity if absent. For `long` and `short` only.
    #[serde(default)]
    pub sizing: Sizing,
    /// Largest loss at the stop loss as a share of the equity, at most 0.02.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_risk: Option<f64>,
    /// Stop loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_loss: Option<Distance>,
    /// Profit target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profit_target: Option<Distance>,
    /// Trailing stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trailing_stop: Option<Distance>,
    /// Longest holding time in bars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bars: Option<u32>,
    /// What kind of order an entry is.
    #[serde(default)]
    pub entry_order: EntryOrder,
    /// When market orders fill.
    #[serde(default)]
    pub fill: FillAt,
    /// Cash at the start; that of the test if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cash: Option<f64>,
    /// Whether only whole shares trade; as in the test if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_shares: Option<bool>,
    /// Costs; those of the test if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub costs: Option<CostSpec>,
    /// Limits on positions.
    #[serde(default)]
    pub limits: LimitSpec,
}

/// A column out of the catalogue: an output of an indicator, pattern or rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ColumnSpec {
    /// Its name in expressions.
    pub name: String,
    /// Id of the entry.
    pub entry: String,
    /// Parameters of the entry.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// Which of its outputs.
    pub output: String,
}

/// An expression under a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The name.
    pub name: String,
    /// What it stands for.
    pub expression: String,
}

/// Entry and exit of one side; both are conditions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SideSpec {
    /// Opens a position.
    pub enter: String,
    /// Closes it; absent: only stops, targets, time, and the entry of the other side do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<String>,
}

/// How large a position is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Sizing {
    /// A share of the equity.
    Fraction {
        /// The share.
        fraction: f64,
    },
    /// So much currency.
    Amount {
        /// The amount.
        amount: f64,
    },
    /// So that the position would vary by this much a year, by the returns of the last bars.
    VolatilityTarget {
        /// Standard deviation a year that is aimed at, as a share: 0.1 for 10 %.
        annual: f64,
        /// Returns looked at.
        window: u32,
        /// Largest share of the equity.
        cap: f64,
    },
    /// Kelly's share: mean over variance of the last returns, times `fraction`, at most `cap`; no
    /// position when the mean is against the side.
    Kelly {
        /// Returns looked at.
        window: u32,
        /// Part of Kelly's share that is taken: 0.5 is half Kelly.
        fraction: f64,
        /// Largest share of the equity.
        cap: f64,
    },
}

impl Default for Sizing {
    fn default() -> Self {
        Self::Fraction { fraction: 1.0 }
    }
}

/// How far away a protective price is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Distance {
    /// A share of the price paid.
    Share {
        /// The share: 0.05 for 5 %.
        share: f64,
    },
    /// Price units, by an expression on the bar of the decision, such as `2 * atr(14)`.
    Amount {
        /// The expression.
        expression: String,
    },
    /// At a price, by an expression on the bar of the decision, such as `lowest(low, 10)`.
    Price {
        /// The expression.
        expression: String,
    },
}

/// When weights are brought back to their targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RebalanceSpec {
    /// Every so many bars.
    Bars {
        /// How many.
        every: u32,
    },
    /// On the first bar of a month.
    Month,
    /// When a weight is further than this from its target.
    Threshold {
        /// The distance, a share of the equity.
        drift: f64,
    },
}

/// What kind of order an entry is. Prices are expressions on the bar of the decision.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum EntryOrder {
    /// A market order.
    #[default]
    Market,
    /// A limit order.
    Limit {
        /// Its price.
        limit: String,
        /// Bars for which it stays.
        bars: u32,
    },
    /// A stop order.
    Stop {
        /// Its price.
        stop: String,
        /// Bars for which it stays.
        bars: u32,
    },
    /// A limit order that a stop wakes.
    StopLimit {
        /// The price that wakes it.
        stop: String,
        /// The limit.
        limit: String,
        /// Bars for which it stays.
        bars: u32,
    },
}

/// When market orders fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FillAt {
    /// At the open of the next bar.
    #[default]
    NextOpen,
    /// At the close of the next bar.
    NextClose,
    /// At the close of the decision, which nobody could: results flatter.
    ThisClose,
}

/// Costs; rates and shares as fractions: 0.001 is 0.1 %.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CostSpec {
    /// Commission as a share of the traded value.
    pub rate: f64,
    /// Commission a share.
    pub per_share: f64,
    /// Commission a fill.
    pub per_trade: f64,
    /// Least commission of a fill.
    pub minimum: f64,
    /// Distance of ask and bid as a share of the price.
    pub spread: f64,
    /// Slippage as a share of the price.
    pub slippage: f64,
    /// Slippage by the square of the share of a bar's volume, times this; instead of `slippage`.
    pub volume_impact: Option<f64>,
    /// Largest share of a bar's volume that an order may take.
    pub volume_limit: Option<f64>,
    /// Borrow fee of a year on short positions.
    pub borrow_rate: f64,
    /// Interest of a year on cash.
    pub cash_rate: f64,
    /// Interest of a year on credit.
    pub margin_rate: f64,
}

/// Limits on positions, as shares of the equity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct LimitSpec {
    /// Largest position.
    pub max_weight: Option<f64>,
    /// Largest sum of the absolute values of all positions.
    pub max_gross: f64,
    /// Most positions at a time.
    pub max_positions: Option<u32>,
}

impl Default for LimitSpec {
    fn default() -> Self {
        Self {
            max_weight: None,
            max_gross: 1.0,
            max_positions: None,
        }
    }
}

/// What is wrong with a strategy, and in which field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrategyError {
    /// Path of the field: `long.enter`, `stop_loss.share`.
    pub field: String,
    /// Why it is refused; for an expression with the column.
    pub reason: String,
    /// Nearest names for an unknown one.
    pub suggestions: Vec<String>,
}

impl std::fmt::Display for StrategyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.reason)?;
        if !self.suggestions.is_empty() {
            write!(f, "; did you mean {}?", self.suggestions.join(" or "))?;
        }
        Ok(())
    }
}

impl std::error::Error for StrategyError {}

fn refused(field: impl Into<String>, reason: impl Into<String>) -> StrategyError {
    StrategyError {
        field: field.into(),
        reason: reason.into(),
        suggestions: Vec::new(),
    }
}

/// `[low, high]`, or `(low, high]`.
fn within(
    field: impl Into<String>,
    x: f64,
    open: bool,
    low: f64,
    high: f64,
) -> Result<(), StrategyError> {
    let fits = x.is_finite() && x <= high && if open { x > low } else { x >= low };
    if fits {
        return Ok(());
    }
    let from = if open { "above" } else { "at least" };
    let to = if high.is_finite() {
        format!(" and at most {high}")
    } else {
        String::new()
    };
    Err(refused(
        field,
        format!("{x} is out of range, it must be {from} {low}{to}"),
    ))
}

impl StrategySpec {
    /// Checks everything but the expressions, which `mltrainer-backtest` reads.
    ///
    /// # Errors
    /// [`StrategyError`] naming the first field that is refused.
    pub fn validate(&self) -> Result<(), StrategyError> {
        if self.name.trim().is_empty() || self.name.chars().count() > 200 {
            return Err(refused("name", "it must have 1 to 200 characters"));
        }
        if self.note.chars().count() > 10_000 {
            return Err(refused("note", "it has more than 10000 characters"));
        }
        if self.universe.len() > MAX_UNIVERSE {
            return Err(refused(
                "universe",
                format!("{} symbols, at most {MAX_UNIVERSE}", self.universe.len()),
            ));
        }
        let mut seen = BTreeSet::new();
        for (place, id) in self.universe.iter().enumerate() {
            if id.trim().is_empty() || !seen.insert(id) {
                return Err(refused(
                    format!("universe[{place}]"),
                    "it is empty or there twice",
                ));
            }
        }
        self.names()?;
        match (&self.weight, self.long.is_some() || self.short.is_some()) {
            (None, false) => {
                return Err(refused(
                    "long",
                    "missing: a strategy needs long or short with entries, or weight",
                ));
            }
            (Some(_), true) => {
                return Err(refused(
                    "weight",
                    "it cannot stand beside long or short: a strategy has entries or weights",
                ));
            }
            _ => {}
        }
        self.entries_only()?;
        self.sizes()?;
        self.protection()?;
        if let Some(cash) = self.cash {
            within("cash", cash, true, 0.0, f64::INFINITY)?;
        }
        if let Some(costs) = &self.costs {
            costs.validate()?;
        }
        let l = &self.limits;
        if let Some(w) = l.max_weight {
            within("limits.max_weight", w, true, 0.0, 100.0)?;
        }
        within("limits.max_gross", l.max_gross, true, 0.0, 100.0)?;
        if l.max_positions == Some(0) {
            return Err(refused("limits.max_positions", "it must be at least 1"));
        }
        Ok(())
    }

    fn names(&self) -> Result<(), StrategyError> {
        if self.columns.len() > MAX_NAMES || self.define.len() > MAX_NAMES {
            return Err(refused(
                "define",
                format!("at most {MAX_NAMES} columns and as many definitions"),
            ));
        }
        let columns = self.columns.iter().enumerate();
        let columns = columns.map(|(i, c)| (format!("columns[{i}].name"), &c.name));
        let defined = self.define.iter().enumerate();
        let defined = defined.map(|(i, d)| (format!("define[{i}].name"), &d.name));
        let mut seen = BTreeSet::new();
        for (field, name) in columns.chain(defined) {
            let mut chars = name.chars();
            let starts = chars
                .next()
                .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
            let goes_on = chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
            if !starts || !goes_on || name.len() > 64 {
                return Err(refused(
                    field,
                    "a name has 1 to 64 letters, digits, underscores or dots and starts with a letter or underscore",
                ));
            }
            if !seen.insert(name) {
                return Err(refused(field, format!("\"{name}\" is there twice")));
            }
        }
        Ok(())
    }

    /// Fields that go with entries, or with weights only.
    fn entries_only(&self) -> Result<(), StrategyError> {
        if self.weight.is_none() {
            return match self.rebalance {
                Some(_) => Err(refused("rebalance", "it goes with weight only")),
                None => Ok(()),
            };
        }
        let given = [
            ("sizing", self.sizing != Sizing::default()),
            ("max_risk", self.max_risk.is_some()),
            ("stop_loss", self.stop_loss.is_some()),
            ("profit_target", self.profit_target.is_some()),
            ("trailing_stop", self.trailing_stop.is_some()),
            ("max_bars", self.max_bars.is_some()),
            ("entry_order", self.entry_order != EntryOrder::Market),
        ];
        if let Some((field, _)) = given.iter().find(|(_, given)| *given) {
            return Err(refused(*field, "it goes with long and short only"));
        }
        match self.rebalance {
            Some(RebalanceSpec::Bars { every: 0 }) => {
                Err(refused("rebalance.every", "it must be at least 1"))
            }
            Some(RebalanceSpec::Threshold { drift }) => {
                within("rebalance.drift", drift, true, 0.0, 1.0)
            }
            _ => Ok(()),
        }
    }

    fn sizes(&self) -> Result<(), StrategyError> {
        let window = |window: u32| match window {
            2..=10_000 => Ok(()),
            _ => Err(refused(
                "sizing.window",
                format!("{window} is out of range, it must be at least 2 and at most 10000"),
            )),
        };
        match self.sizing {
            Sizing::Fraction { fraction } => within("sizing.fraction", fraction, true, 0.0, 100.0),
            Sizing::Amount { amount } => within("sizing.amount", amount, true, 0.0, f64::INFINITY),
            Sizing::VolatilityTarget {
                annual,
                window: w,
                cap,
            } => {
                within("sizing.annual", annual, true, 0.0, 10.0)?;
                window(w)?;
                within("sizing.cap", cap, true, 0.0, 100.0)
            }
            Sizing::Kelly {
                window: w,
                fraction,
                cap,
            } => {
                window(w)?;
                within("sizing.fraction", fraction, true, 0.0, 1.0)?;
                within("sizing.cap", cap, true, 0.0, 100.0)
            }
        }
    }

    fn protection(&self) -> Result<(), StrategyError> {
        for (field, distance) in [
            ("stop_loss", &self.stop_loss),
            ("profit_target", &self.profit_target),
            ("trailing_stop", &self.trailing_stop),
        ] {
            match distance {
                Some(Distance::Share { share }) => {
                    // A target may lie further than the price itself.
                    let most = if field == "profit_target" { 100.0 } else { 1.0 };
                    within(format!("{field}.share"), *share, true, 0.0, most)?;
                }
                Some(Distance::Price { .. }) if field == "trailing_stop" => {
                    return Err(refused(
                        field,
                        "a trailing stop needs a share or an amount, not a price",
                    ));
                }
                _ => {}
            }
        }
        if let Some(risk) = self.max_risk {
            within("max_risk", risk, true, 0.0, MAX_RISK)?;
            if self.stop_loss.is_none() {
                return Err(refused(
                    "max_risk",
                    "it needs a stop_loss to measure the risk by",
                ));
            }
        }
        if self.max_bars == Some(0) {
            return Err(refused("max_bars", "it must be at least 1"));
        }
        match &self.entry_order {
            EntryOrder::Limit { bars: 0, .. }
            | EntryOrder::Stop { bars: 0, .. }
            | EntryOrder::StopLimit { bars: 0, .. } => {
                Err(refused("entry_order.bars", "it must be at least 1"))
            }
            _ => Ok(()),
        }
    }

    /// Every expression with the path of its field, in order.
    #[must_use]
    pub fn expressions(&self) -> Vec<(String, &str)> {
        let mut all: Vec<(String, &str)> = Vec::new();
        for (i, d) in self.define.iter().enumerate() {
            all.push((format!("define[{i}].expression"), &d.expression));
        }
        for (name, side) in [("long", &self.long), ("short", &self.short)] {
            if let Some(side) = side {
                all.push((format!("{name}.enter"), &side.enter));
                all.extend(
                    side.exit
                        .iter()
                        .map(|e| (format!("{name}.exit"), e.as_str())),
                );
            }
        }
        all.extend(
            self.weight
                .iter()
                .map(|w| ("weight".to_owned(), w.as_str())),
        );
        for (name, distance) in [
            ("stop_loss", &self.stop_loss),
            ("profit_target", &self.profit_target),
            ("trailing_stop", &self.trailing_stop),
        ] {
            if let Some(Distance::Amount { expression } | Distance::Price { expression }) = distance
            {
                all.push((format!("{name}.expression"), expression));
            }
        }
        match &self.entry_order {
            EntryOrder::Market => {}
            EntryOrder::Limit { limit, .. } => all.push(("entry_order.limit".to_owned(), limit)),
            EntryOrder::Stop { stop, .. } => all.push(("entry_order.stop".to_owned(), stop)),
            EntryOrder::StopLimit { stop, limit, .. } => {
                all.push(("entry_order.stop".to_owned(), stop));
                all.push(("entry_order.limit".to_owned(), limit));
            }
        }
        all
    }
}

impl CostSpec {
    fn validate(&self) -> Result<(), StrategyError> {
        let share = |field: &str, x: f64| within(format!("costs.{field}"), x, false, 0.0, 0.5);
        share("rate", self.rate)?;
        share("spread", self.spread)?;
        share("slippage", self.slippage)?;
        for (field, x) in [
            ("per_share", self.per_share),
            ("per_trade", self.per_trade),
            ("minimum", self.minimum),
            ("volume_impact", self.volume_impact.unwrap_or_default()),
        ] {
            within(format!("costs.{field}"), x, false, 0.0, 1e9)?;
        }
        if let Some(limit) = self.volume_limit {
            within("costs.volume_limit", limit, true, 0.0, 1.0)?;
        }
        for (field, x) in [
            ("borrow_rate", self.borrow_rate),
            ("margin_rate", self.margin_rate),
        ] {
            within(format!("costs.{field}"), x, false, 0.0, 10.0)?;
        }
        within("costs.cash_rate", self.cash_rate, false, -1.0, 10.0)?;
        if self.volume_impact.is_some() && self.slippage != 0.0 {
            return Err(refused(
                "costs.slippage",
                "it cannot stand beside volume_impact: slippage is of one kind",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spec(more: Value) -> Result<StrategySpec, String> {
        let mut all = json!({"name": "x", "long": {"enter": "close > open"}});
        for (key, value) in more.as_object().unwrap() {
            all[key] = value.clone();
        }
        let spec: StrategySpec = serde_json::from_value(all).map_err(|e| e.to_string())?;
        spec.validate().map_err(|e| e.to_string())?;
        Ok(spec)
    }

    #[test]
    fn small_and_full_forms_come_back_as_they_were() {
        let small = spec(json!({})).unwrap();
        assert_eq!(small.sizing, Sizing::Fraction { fraction: 1.0 });
        let full = spec(json!({
            "note": "n", "universe": ["bundled:AAPL"],
            "columns": [{"name": "st", "entry": "supertrend", "params": {"period": 7}, "output": "direction"}],
            "define": [{"name": "fast", "expression": "sma(close, 10)"}],
            "short": {"enter": "close < open", "exit": "close > open"},
            "sizing": {"kind": "kelly", "window": 250, "fraction": 0.5, "cap": 1.0},
            "max_risk": 0.01,
            "stop_loss": {"kind": "amount", "expression": "2 * atr(14)"},
            "profit_target": {"kind": "share", "share": 0.1},
            "trailing_stop": {"kind": "share", "share": 0.05},
            "max_bars": 20,
            "entry_order": {"kind": "stop_limit", "stop": "high", "limit": "high * 1.01", "bars": 3},
            "fill": "next_close", "cash": 1000.0, "whole_shares": false,
            "costs": {"rate": 0.001}, "limits": {"max_gross": 2.0}
        }))
        .unwrap();
        let text = serde_json::to_string(&full).unwrap();
        assert_eq!(serde_json::from_str::<StrategySpec>(&text).unwrap(), full);
        let fields: Vec<String> = full.expressions().into_iter().map(|(f, _)| f).collect();
        assert_eq!(
            fields,
            [
                "define[0].expression",
                "long.enter",
                "short.enter",
                "short.exit",
                "stop_loss.expression",
                "entry_order.stop",
                "entry_order.limit"
            ]
        );
    }

    #[test]
    fn what_is_refused_is_named() {
        for (more, told) in [
            (
                json!({"max_risk": 0.03, "stop_loss": {"kind": "share", "share": 0.1}}),
                "max_risk: 0.03 is out of range, it must be above 0 and at most 0.02",
            ),
            (
                json!({"max_risk": 0.01}),
                "max_risk: it needs a stop_loss to measure the risk by",
            ),
            (
                json!({"weight": "1"}),
                "weight: it cannot stand beside long or short: a strategy has entries or weights",
            ),
            (
                json!({"long": null}),
                "long: missing: a strategy needs long or short with entries, or weight",
            ),
            (
                json!({"long": null, "weight": "1", "max_bars": 3}),
                "max_bars: it goes with long and short only",
            ),
            (
                json!({"rebalance": {"kind": "month"}}),
                "rebalance: it goes with weight only",
            ),
            (
                json!({"sizing": {"kind": "fraction", "fraction": 0.0}}),
                "sizing.fraction: 0 is out of range, it must be above 0 and at most 100",
            ),
            (
                json!({"costs": {"rate": -0.1}}),
                "costs.rate: -0.1 is out of range, it must be at least 0 and at most 0.5",
            ),
            (
                json!({"trailing_stop": {"kind": "price", "expression": "low"}}),
                "trailing_stop: a trailing stop needs a share or an amount, not a price",
            ),
            (
                json!({"define": [{"name": "1x", "expression": "1"}]}),
                "define[0].name: a name has 1 to 64 letters, digits, underscores or dots and starts with a letter or underscore",
            ),
            (
                json!({"universe": ["a", "a"]}),
                "universe[1]: it is empty or there twice",
            ),
        ] {
            assert_eq!(spec(more).unwrap_err(), told);
        }
        let unknown = spec(json!({"stop": 1})).unwrap_err();
        assert!(unknown.starts_with("unknown field `stop`"), "{unknown}");
    }
}
