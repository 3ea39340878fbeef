//! Bar-exact back test of a strategy.
//!
//! What: Runs a strategy over the bars of one symbol: orders at the next open, whole shares,
//! commissions, spread, slippage, stops; equity, trades and the usual figures. The strategy is a
//! crossover of two averages, a reversion by RSI, or any strategy written as data.
//! Formula: sma_crossover buys when the fast mean was below the slow one on the bar before and is
//! above it now, strictly (means that differ by rounding alone are equal), and sells in the
//! opposite case; rsi_reversion buys when flat and RSI <
//! lower and sells when long and RSI > upper. Decisions on the close, from the second bar on which
//! every indicator has a value; fills at the next open; a purchase takes ⌊position_size · equity/
//! (price (1 + commission))⌋ whole shares, as far as the cash goes. equity = cash + shares · close.
//! Within a bar as the engine says: a level that the open has passed fills at the open; stop before
//! target.
//! Data: Open, high, low and close, above 0; volume for a volume limit or impact. Prices as traded:
//! a split in the file is a jump, and is traded as one.
//! Cost: O(bars).
//! Fails when: One bar hides the order of prices that decides; the volume is thin; the parameters
//! were chosen on the same bars.
//! Source: W. Brock, J. Lakonishok, B. LeBaron, Simple Technical Trading Rules and the Stochastic
//! Properties of Stock Returns, Journal of Finance 47 (1992); J. W. Wilder, New Concepts in
//! Technical Trading Systems (1978).
//! Not claimed: That a past gain repeats itself; no correction for the number of strategies tried.

use crate::engine::{
    Asset, Away, Costs, Crossover, EngineError, Guard, Limits, Market, Outcome, Plan, Settings,
    Signals, Slippage, Timing, simulate,
};
use crate::performance;
use crate::strategy::{self, Symbol};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::params::{ParamType, Range};
use mltrainer_catalogue_core::run::numbers;
use mltrainer_catalogue_core::suggest::nearest;
use mltrainer_catalogue_core::{
    Bars, Card, Entry, FitError, Inputs, Outputs, ParamError, Simulation, choices, params,
};
use mltrainer_compliance::Verified;
use mltrainer_types::catalogue::{ParamKind, Task};
use mltrainer_types::finite;
use mltrainer_types::strategy::{StrategyError, StrategySpec};
use serde_json::{Map, Value, json};

/// The handle.
pub struct BackTest;

/// The registration.
pub const ENTRY: Entry = Entry::simulation::<BackTest>()
    // On the suite's 120 bars the RSI does not leave 30 to 70 in both directions.
    .tested_with(&[("lower", "45"), ("upper", "55")]);

/// The strategy: a word, or a strategy written as data.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// Crossover of two simple moving averages.
    SmaCrossover,
    /// Reversion by RSI.
    RsiReversion,
    /// JSON of a strategy.
    Data(Box<StrategySpec>),
}

impl ParamType for Choice {
    const KIND: ParamKind = ParamKind::Text;

    fn choices() -> &'static [&'static str] {
        &["sma_crossover", "rsi_reversion"]
    }

    fn read(value: &Value, _: &Range) -> Result<Self, String> {
        let parsed = match value {
            Value::Object(_) => serde_json::from_value(value.clone()),
            Value::String(text) if text.trim_start().starts_with('{') => serde_json::from_str(text),
            Value::String(text) => {
                return match text.trim() {
                    "sma_crossover" => Ok(Self::SmaCrossover),
                    "rsi_reversion" => Ok(Self::RsiReversion),
                    other => {
                        let near = nearest(other, Self::choices().iter().copied());
                        let near = match near.first() {
                            Some(name) => format!("; did you mean {name}?"),
                            None => String::new(),
                        };
                        Err(format!(
                            "\"{other}\" is neither sma_crossover nor rsi_reversion nor a strategy as JSON{near}"
                        ))
                    }
                };
            }
            other => return Err(format!("{other} is neither a word nor a strategy as JSON")),
        };
        let spec: StrategySpec = parsed.map_err(|e| format!("no strategy: {e}"))?;
        let columns: Vec<&str> = Vec::new();
        let spec = strategy::canonical(&spec, &columns).map_err(|e| e.to_string())?;
        Ok(Self::Data(Box::new(spec)))
    }

    fn write(&self) -> Value {
        match self {
            Self::SmaCrossover => Value::from("sma_crossover"),
            Self::RsiReversion => Value::from("rsi_reversion"),
            Self::Data(spec) => serde_json::to_string(spec)
                .map(Value::from)
                .unwrap_or_default(),
        }
    }
}

choices! {
    /// Which sides are traded.
    pub enum Direction {
        /// Purchases only.
        LongOnly = "long_only",
        /// Purchases and short sales: an exit of one side is the entry of the other.
        LongShort = "long_short",
    }
}

choices! {
    /// When market orders fill.
    pub enum Fill {
        /// At the next open.
        NextOpen = "next_open",
        /// At the next close.
        NextClose = "next_close",
        /// At the close of the decision, which nobody could.
        ThisClose = "this_close",
    }
}

params! {
    /// Parameters.
    pub struct BackTestParams {
        /// sma_crossover, rsi_reversion, or a strategy as JSON (see docs/strategies.md).
        strategy: Choice = Choice::SmaCrossover;
        /// Bars of the fast average of sma_crossover.
        fast: usize = 10, within(1.0, 5000.0);
        /// Bars of the slow average of sma_crossover.
        slow: usize = 30, within(1.0, 5000.0);
        /// Changes averaged by the RSI of rsi_reversion.
        period: usize = 14, within(2.0, 5000.0);
        /// RSI under which rsi_reversion buys.
        lower: f64 = 30.0, within(0.0, 100.0);
        /// RSI over which rsi_reversion sells.
        upper: f64 = 70.0, within(0.0, 100.0);
        /// Cash at the start.
        cash: f64 = 10_000.0, within(1e-6, 1e15);
        /// Commission as a share of the traded value, both ways.
        commission: f64 = 0.0, within(0.0, 0.5);
        /// Commission for each share.
        commission_per_share: f64 = 0.0, within(0.0, 1e6);
        /// Commission for each fill.
        commission_per_trade: f64 = 0.0, within(0.0, 1e9);
        /// Distance of ask and bid as a share of the price; a fill pays half of it.
        spread: f64 = 0.0, within(0.0, 0.5);
        /// Further distance from the quote as a share of the price.
        slippage: f64 = 0.0, within(0.0, 0.5);
        /// Distance by the square of an order's share of the bar's volume, times this (0.1 in Zipline); in place of slippage.
        volume_impact: Option<f64> = None, within(0.0, 1e9);
        /// Largest share of a bar's volume that an order may take; the rest waits for the next bar.
        volume_limit: Option<f64> = None, within(0.0, 1.0);
        /// Fee of a year on the value of short positions.
        borrow_rate: f64 = 0.0, within(0.0, 10.0);
        /// Interest of a year on cash that is not the proceeds of short sales.
        cash_rate: f64 = 0.0, within(-1.0, 10.0);
        /// Whether only whole shares trade.
        whole_shares: bool = true;
        /// Share of the equity that a position takes.
        position_size: f64 = 1.0, above_up_to(0.0, 1.0);
        /// Stop loss as a share of the price paid.
        stop_loss: Option<f64> = None, inside(0.0, 1.0);
        /// Profit target as a share of the price paid.
        take_profit: Option<f64> = None, above_up_to(0.0, 100.0);
        /// Trailing stop as a share of the best price since the entry.
        trailing_stop: Option<f64> = None, inside(0.0, 1.0);
        /// Longest holding time in bars.
        max_bars: Option<usize> = None, within(1.0, 100000.0);
        /// Largest loss at the stop loss as a share of the equity; needs stop_loss.
        max_risk: Option<f64> = None, above_up_to(0.0, 0.02);
        /// long_only or long_short.
        direction: Direction = Direction::LongOnly;
        /// When market orders fill.
        fill: Fill = Fill::NextOpen;
        /// Whether a position that is open at the end is closed at the last close.
        finalize: bool = false;
        /// Bars of a year, for figures of a year, interest and fees.
        periods_per_year: f64 = 252.0, within(1.0, 1e6);
    }
}

const CARD: Card = Card {
    id: "backtest",
    family: "backtest",
    title: "Bar-exact back test of a strategy",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "Runs a strategy over the bars of one symbol with orders at the next open, whole shares and costs: equity, trades and the usual figures. Two strategies by name, and any strategy written as data.",
    formula: "sma_crossover: buy when fast mean(t - 1) < slow mean(t - 1) and fast mean(t) > slow mean(t), sell in the opposite case; rsi_reversion: buy when flat and RSI < lower, sell when long and RSI > upper. Decided on the close from the second bar on which every indicator has a value, filled at the next open; a purchase takes ⌊position_size · equity/(price (1 + commission))⌋ shares as far as the cash goes; equity(t) = cash(t) + shares(t) · close(t). A level that the open has passed fills at the open; a stop and a target in one bar are the stop",
    data: "Open, high, low and close above 0, the open and the close within the range; volume for a volume limit or impact. Prices as traded: a split in the file is a jump and is traded as one.",
    cost: "O(bars)",
    fails_when: "One bar hides the order of prices that decides between a stop and a target; orders are large beside the volume; parameters were chosen on the same bars, which makes every figure too good.",
    not_claimed: "That a past gain repeats itself. Nothing corrects for the number of strategies tried.",
    source: "W. Brock, J. Lakonishok, B. LeBaron, Simple Technical Trading Rules and the Stochastic Properties of Stock Returns, Journal of Finance 47 (1992); J. W. Wilder, New Concepts in Technical Trading Systems (1978)",
    reference: "backtesting.py 0.6",
    outputs: &[
        ("n_trades", "positions closed"),
        ("final_equity", "at the last close"),
        ("total_return", "share of the cash at the start"),
        ("annual_return", "geometric, a year"),
        (
            "annual_volatility",
            "standard deviation of daily changes, a year",
        ),
        (
            "sharpe_ratio",
            "a year, without a riskless rate; null when nothing varies",
        ),
        ("sortino_ratio", "the same by the downside alone"),
        ("calmar_ratio", "annual return over the largest drawdown"),
        ("omega_ratio", "sum of gains over sum of losses of the bars"),
        (
            "max_drawdown",
            "largest fall of the closing equity from its peak, at most 0",
        ),
        ("max_drawdown_bars", "longest time under a peak, in bars"),
        ("var_95", "5 % quantile of the changes of a bar"),
        ("cvar_95", "mean of the changes at or under it"),
        ("tail_ratio", "95 % quantile over 5 % quantile, absolute"),
        ("skew", "of the changes"),
        ("kurtosis", "of the changes, in excess of the normal 3"),
        (
            "win_rate",
            "closed trades with a gain after commissions, a share; null without trades",
        ),
        ("profit_factor", "gains over losses of closed trades"),
        ("average_trade", "mean gain of a closed trade, currency"),
        (
            "average_trade_return",
            "mean gain of a closed trade as a share of its value at entry",
        ),
        ("best_trade_return", "largest of these"),
        ("worst_trade_return", "smallest of these"),
        ("average_trade_bars", "mean holding time"),
        ("exposure", "mean share of the equity that is invested"),
        (
            "turnover",
            "value traded a year as a share of the mean equity",
        ),
        ("commission_paid", "currency"),
        ("spread_paid", "currency"),
        ("slippage_paid", "currency"),
        ("borrow_paid", "currency"),
        ("interest_earned", "currency"),
        ("dividends_earned", "currency; 0 for bars without events"),
        ("beta", "against holding the symbol"),
        ("alpha", "against holding the symbol, a year"),
        ("correlation", "with the changes of the symbol"),
        ("tracking_error", "against holding the symbol, a year"),
        ("information_ratio", "against holding the symbol, a year"),
        (
            "benchmark_return",
            "of the symbol from the first close to the last",
        ),
        ("equity", "at the close, one value a bar"),
        ("cash", "at the close, one value a bar"),
        (
            "units",
            "shares held at the close, one value a bar, below 0 for a short position",
        ),
        (
            "drawdown",
            "fall from the highest equity so far, one value a bar",
        ),
        (
            "trades",
            "closed trades: direction, entry_bar, exit_bar, entry_price, exit_price, units, pnl, return, commission, bars, mae, mfe, exit",
        ),
        ("open_trades", "the same of a position that is still open"),
        (
            "fills",
            "every fill: bar, units, quote, price, commission, and a sentence that explains it",
        ),
        ("refused", "orders that did not fill: bar, why"),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "backtesting.py 0.6.6",
            cases: "backtest-sma-crossover-aapl, -spx, -ibm; backtest-rsi-reversion-aapl, -ibm",
            tolerance: "1e-7 relative",
        },
        Evidence {
            against: "an independent re-implementation in tests/it/naive.rs",
            cases: "3,000 random strategies over real bars with costs, short positions, stops, splits and dividends",
            tolerance: "half a cent at every bar",
        },
    ],
    presets: &[],
    exemptions: &[],
};

fn refused(field: &str, reason: String) -> FitError {
    FitError::Param(ParamError {
        field: field.to_owned(),
        reason,
        suggestions: Vec::new(),
    })
}

fn of_strategy(e: StrategyError) -> FitError {
    match e.field.as_str() {
        "bars" => FitError::Data(e.reason),
        _ => refused("strategy", e.to_string()),
    }
}

fn of_engine(e: EngineError) -> FitError {
    match e {
        EngineError::Bar { bar, what, .. } => FitError::Data(format!("bar {bar}: {what}")),
        EngineError::Asset { what, .. } => FitError::Data(what),
        EngineError::Setting { .. } => FitError::Data(e.to_string()),
    }
}

impl BackTestParams {
    fn settings(&self) -> Settings {
        let slippage = match (self.volume_impact, self.slippage) {
            (Some(impact), _) => Slippage::VolumeShare { impact },
            (None, s) if s > 0.0 => Slippage::Share(s),
            _ => Slippage::None,
        };
        Settings {
            cash: self.cash,
            costs: Costs {
                per_share: self.commission_per_share,
                per_trade: self.commission_per_trade,
                rate: self.commission,
                minimum: 0.0,
                spread: self.spread,
                slippage,
                volume_limit: self.volume_limit,
                borrow_rate: self.borrow_rate,
                cash_rate: self.cash_rate,
                margin_rate: 0.0,
                periods_per_year: self.periods_per_year,
            },
            limits: Limits {
                shorts: self.direction == Direction::LongShort,
                ..Limits::default()
            },
            whole_shares: self.whole_shares,
            timing: match self.fill {
                Fill::NextOpen => Timing::NextOpen,
                Fill::NextClose => Timing::NextClose,
                Fill::ThisClose => Timing::ThisClose,
            },
            finalize: self.finalize,
        }
    }

    /// The plan of a strategy that has a name: when to buy and when to sell.
    fn plan(&self, close: &[f64]) -> Result<Plan, FitError> {
        let bars = close.len();
        let (mut buy, mut sell) = (vec![false; bars], vec![false; bars]);
        if self.strategy == Choice::RsiReversion {
            let rsi = strategy::rsi(close, self.period)?;
            // The second bar with a value is the first with one before it.
            for t in 1..bars {
                let second = !rsi[t - 1].is_nan();
                buy[t] = second && rsi[t] < self.lower;
                sell[t] = second && rsi[t] > self.upper;
            }
        } else {
            let fast = strategy::sma(close, self.fast)?;
            let slow = strategy::sma(close, self.slow)?;
            for (t, up) in Crossover::new(&fast, &slow, 1) {
                if up {
                    buy[t] = true;
                } else {
                    sell[t] = true;
                }
            }
        }
        let guard = |share: Option<f64>| match share {
            Some(share) => Guard::Same(Away::Share(share)),
            None => Guard::None,
        };
        let both = self.direction == Direction::LongShort;
        Ok(Plan {
            enter_short: if both { sell.clone() } else { Vec::new() },
            exit_short: if both { buy.clone() } else { Vec::new() },
            // On both sides an exit is the turn to the other side.
            enter_long: buy,
            exit_long: sell,
            weight: vec![self.position_size; bars],
            stop: guard(self.stop_loss),
            target: guard(self.take_profit),
            trail: guard(self.trailing_stop),
            max_bars: self.max_bars,
            max_risk: self.max_risk,
            ..Plan::default()
        })
    }

    fn check(&self) -> Result<(), FitError> {
        if self.max_risk.is_some() && self.stop_loss.is_none() {
            return Err(refused(
                "max_risk",
                "it needs stop_loss to measure the risk by".to_owned(),
            ));
        }
        if self.volume_impact.is_some() && self.slippage != 0.0 {
            return Err(refused(
                "slippage",
                "it cannot stand beside volume_impact: slippage is of one kind".to_owned(),
            ));
        }
        Ok(())
    }
}

impl Simulation for BackTest {
    type Params = BackTestParams;
    const CARD: &'static Card = &CARD;

    fn simulate(p: &BackTestParams, verified: &Verified<Bars>) -> Result<Outputs, FitError> {
        p.check()?;
        let bars = verified.get();
        let open = bars.column("open", &bars.open)?;
        let high = bars.column("high", &bars.high)?;
        let low = bars.column("low", &bars.low)?;
        let volume = bars.volume.as_deref();
        let settings = p.settings();
        let outcome = if let Choice::Data(spec) = &p.strategy {
            let columns =
                strategy::catalogue_columns(spec, &mltrainer_catalogue::registry(), verified)
                    .map_err(of_strategy)?;
            let symbol = Symbol {
                name: "the symbol",
                bars: strategy::Bars {
                    open,
                    high,
                    low,
                    close: &bars.close,
                    volume,
                },
                traded: None,
                events: &[],
                columns,
            };
            strategy::back_test(spec, &[symbol], None, &settings).map_err(of_strategy)?
        } else {
            let asset = Asset {
                symbol: "the symbol",
                open,
                high,
                low,
                close: &bars.close,
                volume,
                events: &[],
            };
            let market = Market::new(vec![asset], None).map_err(of_engine)?;
            let plans = vec![p.plan(&bars.close)?];
            simulate(&market, &settings, &mut Signals { plans }).map_err(of_engine)?
        };
        Ok(outputs(&outcome, &bars.close, p.periods_per_year))
    }
}

fn outputs(outcome: &Outcome, close: &[f64], periods_per_year: f64) -> Outputs {
    let mut out = Outputs::new();
    let figures = performance::of_outcome(outcome, Some(close), periods_per_year);
    for (name, _) in CARD.outputs {
        let value = figures.get(*name).copied().flatten();
        let value = match (*name, value) {
            ("n_trades" | "max_drawdown_bars", Some(count)) => Value::from(count as u64),
            (_, value) => Value::from(value),
        };
        out.insert((*name).to_owned(), value);
    }
    let last = outcome.equity.last().copied().unwrap_or(f64::NAN);
    let columns = [
        ("final_equity", Value::from(finite(last))),
        ("equity", numbers(&outcome.equity)),
        ("cash", numbers(&outcome.cash)),
        (
            "units",
            outcome
                .units
                .first()
                .map(|u| numbers(u))
                .unwrap_or_default(),
        ),
        (
            "drawdown",
            numbers(&performance::underwater(&outcome.equity)),
        ),
        ("trades", outcome.trades.iter().map(trade).collect()),
        ("open_trades", outcome.open.iter().map(trade).collect()),
        ("fills", fills(outcome)),
        (
            "refused",
            outcome
                .refused
                .iter()
                .map(|r| json!({"bar": r.bar, "why": r.why}))
                .collect(),
        ),
    ];
    for (name, value) in columns {
        out.insert(name.to_owned(), value);
    }
    out
}

fn trade(t: &crate::engine::Trade) -> Value {
    let side = if t.direction > 0.0 { "long" } else { "short" };
    json!({
        "direction": side,
        "entry_bar": t.entry_bar,
        "exit_bar": t.exit_bar,
        "entry_price": finite(t.entry_price),
        "exit_price": finite(t.exit_price),
        "units": finite(t.units),
        "pnl": finite(t.pnl),
        "return": finite(t.result),
        "commission": finite(t.commission),
        "bars": t.bars(),
        "mae": finite(t.mae),
        "mfe": finite(t.mfe),
        "exit": t.exit_reason.map(|r| r.as_str()),
    })
}

fn fills(outcome: &Outcome) -> Value {
    let one = |f: &crate::engine::Fill| {
        let mut row = Map::new();
        row.insert("bar".to_owned(), Value::from(f.bar));
        for (name, x) in [
            ("units", f.units),
            ("quote", f.quote),
            ("price", f.price),
            ("commission", f.commission),
        ] {
            row.insert(name.to_owned(), Value::from(finite(x)));
        }
        row.insert("explanation".to_owned(), Value::from(f.explain("shares")));
        Value::Object(row)
    };
    outcome.fills.iter().map(one).collect()
}
