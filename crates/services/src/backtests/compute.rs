//! A back test, computed: bars on one line of time, the engine, and everything that is said of the
//! outcome.

use super::read::fault;
use super::traded::{Traded, seen, unknown_dividends};
use crate::ServiceError;
use chrono::NaiveDate;
use mltrainer_backtest::engine::{
    Asset, Costs, EngineError, Event, Fill, Guard, Market, Outcome, Plan, Rebalance, Settings,
    Signals, Trade, Weights, simulate,
};
use mltrainer_backtest::honesty::{
    self, Context, CostPoint, Sharpe, break_even, by_regime, cost_sensitivity,
    minimum_track_record, monte_carlo, probabilistic, trend_regimes, volatility_regimes,
};
use mltrainer_backtest::performance::{self, returns, sharpe_per_period, underwater};
use mltrainer_backtest::strategy::{self, Ready, Symbol};
use mltrainer_compliance::{Content, Digest, Verified};
use mltrainer_data::bars::Bars;
use mltrainer_types::backtest::{
    BacktestFan, BacktestFill, BacktestSpec, BacktestTrade, BacktestVerdict, CostResult, Finding,
    MonthReturn, RegimeRow, Severity,
};
use mltrainer_types::finite;
use mltrainer_types::strategy::RebalanceSpec;
use mltrainer_types::trial::{Interval, Metrics};
use std::collections::{BTreeMap, BTreeSet};

/// Multiples of the costs that are tried.
const FACTORS: [f64; 7] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0];
/// Orders of the trades that are drawn.
const RUNS: u32 = 1000;
/// Points of a line of the fan, at most.
const POINTS: usize = 200;
/// Resamples of an interval.
const RESAMPLES: usize = 500;
/// Share of the cash at which an order of trades counts as ruined.
const RUIN: f64 = 0.5;

/// The bars of a symbol in the span, and the columns that its expressions name beside them.
pub(super) struct Part {
    pub(super) symbol: String,
    pub(super) bars: Verified<Bars>,
    pub(super) traded: Option<Traded>,
    pub(super) dividends_unknown: bool,
    pub(super) columns: Vec<(String, Vec<f64>)>,
}

/// What was tried before on these symbols.
#[derive(Debug, Clone, Default)]
pub(super) struct Before {
    /// Sharpe ratios a bar of the other back tests.
    pub(super) ratios: Vec<Option<f64>>,
    /// Combinations of models and horizons in trials, and points of optimisations.
    pub(super) models: u32,
}

/// Everything that came out.
pub(super) struct Tested {
    pub(super) dates: Vec<NaiveDate>,
    pub(super) outcome: Outcome,
    pub(super) benchmark: Vec<f64>,
    pub(super) verdict: BacktestVerdict,
    pub(super) findings: Vec<Finding>,
    pub(super) metrics: Metrics,
    pub(super) benchmark_metrics: Metrics,
    pub(super) intervals: BTreeMap<String, Interval>,
    pub(super) fan: Option<BacktestFan>,
    pub(super) costs: Vec<CostResult>,
    pub(super) break_even: Option<f64>,
    pub(super) regimes: Vec<RegimeRow>,
    pub(super) window: usize,
    /// Sharpe ratio a bar.
    pub(super) ratio: Option<f64>,
}

impl Content for Tested {
    /// What the data and the specification alone decide: not the count of what was tried.
    fn digest(&self, d: &mut Digest) {
        let o = &self.outcome;
        d.text("backtest").floats(&o.equity).floats(&o.cash);
        d.floats(&self.benchmark).int(o.fills.len() as i64);
        for f in &o.fills {
            d.int(f.bar as i64).int(f.asset as i64);
            d.float(f.units).float(f.price).float(f.commission);
        }
        d.int(o.trades.len() as i64);
        for t in &o.trades {
            d.int(t.entry_bar as i64).float(t.pnl);
        }
    }
}

/// Columns of an asset on the common line of time.
struct Spread {
    open: Vec<f64>,
    high: Vec<f64>,
    low: Vec<f64>,
    close: Vec<f64>,
    volume: Option<Vec<f64>>,
    events: Vec<Event>,
    /// Closes with the dividends that are known, the last one where it did not trade, the first one before it traded.
    held: Vec<f64>,
}

/// Places of an asset's days among all days.
fn places(days: &[NaiveDate], own: &[NaiveDate]) -> Vec<usize> {
    own.iter()
        .map(|d| days.partition_point(|x| x < d))
        .collect()
}

fn spread<T: Clone>(values: &[T], places: &[usize], n: usize, absent: &T) -> Vec<T> {
    let mut all = vec![absent.clone(); n];
    for (value, place) in values.iter().zip(places) {
        if let Some(slot) = all.get_mut(*place) {
            *slot = value.clone();
        }
    }
    all
}

/// The last value so far; the first one before there is any.
pub(super) fn carried(days: &[NaiveDate], own: &[NaiveDate], values: &[f64]) -> Vec<f64> {
    days.iter()
        .map(|d| {
            let seen = own.partition_point(|x| x <= d);
            let at = seen.saturating_sub(1);
            values.get(at).copied().unwrap_or(f64::NAN)
        })
        .collect()
}

fn of_engine(e: &EngineError) -> ServiceError {
    match e {
        EngineError::Setting { field, what } => ServiceError::invalid(*field, what),
        _ => ServiceError::BadData(e.to_string()),
    }
}

/// A plan on the common line of time: nothing is decided on days without a bar.
fn plan_on(plan: Plan, places: &[usize], n: usize) -> Plan {
    if places.len() == n {
        return plan;
    }
    let truths = |c: Vec<bool>| {
        if c.is_empty() {
            c
        } else {
            spread(&c, places, n, &false)
        }
    };
    let numbers = |c: Vec<f64>| {
        if c.is_empty() {
            c
        } else {
            spread(&c, places, n, &f64::NAN)
        }
    };
    let guard = |g: Guard| match g {
        Guard::Amount(c) => Guard::Amount(numbers(c)),
        Guard::Price(c) => Guard::Price(numbers(c)),
        other => other,
    };
    Plan {
        enter_long: truths(plan.enter_long),
        exit_long: truths(plan.exit_long),
        enter_short: truths(plan.enter_short),
        exit_short: truths(plan.exit_short),
        weight: numbers(plan.weight),
        weight_short: plan.weight_short.map(numbers),
        stop: guard(plan.stop),
        target: guard(plan.target),
        trail: guard(plan.trail),
        entry_limit: plan.entry_limit.map(numbers),
        entry_stop: plan.entry_stop.map(numbers),
        ..plan
    }
}

/// Entries and exits, or target weights, of all assets.
enum Decisions {
    Plans(Signals),
    Weights(Vec<Vec<f64>>, Rebalance),
}

impl Decisions {
    fn run(&self, market: &Market<'_>, settings: &Settings) -> Result<Outcome, EngineError> {
        match self {
            Self::Plans(signals) => simulate(market, settings, &mut signals.clone()),
            Self::Weights(targets, rebalance) => simulate(
                market,
                settings,
                &mut Weights::new(targets.clone(), *rebalance),
            ),
        }
    }
}

/// Runs the test. `other`: days and closes of a benchmark that is not holding the symbols.
pub(super) fn test(
    spec: &BacktestSpec,
    parts: &[Part],
    other: Option<(&[NaiveDate], &[f64])>,
    before: &Before,
) -> Result<Tested, ServiceError> {
    let all: BTreeSet<NaiveDate> = parts
        .iter()
        .flat_map(|p| p.bars.get().dates.iter().copied())
        .collect();
    let dates: Vec<NaiveDate> = all.into_iter().collect();
    let n = dates.len();
    let year = spec.periods_per_year;
    let mut columns = Vec::with_capacity(parts.len());
    let (mut plans, mut targets) = (Vec::new(), Vec::new());
    for part in parts {
        let bars = part.bars.get();
        let own = seen(bars, &spec.strategy)?;
        let traded = part.traded.as_ref();
        let market = match traded {
            Some(t) => seen(t.bars.get(), &spec.strategy)?,
            None => own,
        };
        let at = places(&dates, &bars.dates);
        let symbol = Symbol {
            name: &part.symbol,
            bars: own,
            traded: traded.map(|_| market),
            events: &[],
            columns: part.columns.clone(),
        };
        let ready = strategy::ready(&spec.strategy, &symbol, year);
        match ready.map_err(|e| ServiceError::from(super::read::Unread::Fault(fault(e))))? {
            Ready::Entries(plan) => plans.push(plan_on(*plan, &at, n)),
            Ready::Weights(w) => targets.push(spread(&w, &at, n, &f64::NAN)),
        }
        let on = |c: &[f64]| spread(c, &at, n, &f64::NAN);
        columns.push(Spread {
            open: on(market.open),
            high: on(market.high),
            low: on(market.low),
            close: on(market.close),
            volume: market.volume.map(|v| spread(v, &at, n, &0.0)),
            events: traded.map_or_else(Vec::new, |t| {
                let own = t.events(&bars.dates).into_iter();
                own.filter_map(|e| {
                    Some(Event {
                        bar: *at.get(e.bar)?,
                        ..e
                    })
                })
                .collect()
            }),
            held: {
                let held = traded.map_or(bars, |t| t.total.get());
                carried(&dates, &held.dates, &held.close)
            },
        });
    }
    let epoch: Vec<i32> = dates.iter().map(|d| d.to_epoch_days()).collect();
    let assets = parts.iter().zip(&columns).map(|(p, c)| Asset {
        symbol: &p.symbol,
        open: &c.open,
        high: &c.high,
        low: &c.low,
        close: &c.close,
        volume: c.volume.as_deref(),
        events: &c.events,
    });
    let market = Market::new(assets.collect(), Some(&epoch)).map_err(|e| of_engine(&e))?;
    let base = Settings {
        costs: Costs {
            periods_per_year: year,
            ..Costs::default()
        },
        finalize: spec.finalize,
        ..Settings::default()
    };
    let settings = strategy::settings(&spec.strategy, &base);
    let decisions = if targets.is_empty() {
        Decisions::Plans(Signals { plans })
    } else {
        let rebalance = match spec.strategy.rebalance {
            None => Rebalance::Change,
            Some(RebalanceSpec::Bars { every }) => Rebalance::Bars(every as usize),
            Some(RebalanceSpec::Month) => Rebalance::Month,
            Some(RebalanceSpec::Threshold { drift }) => Rebalance::Drift(drift),
        };
        Decisions::Weights(targets, rebalance)
    };
    let outcome = decisions
        .run(&market, &settings)
        .map_err(|e| of_engine(&e))?;
    let benchmark = match other {
        Some((days, closes)) => scaled(&carried(&dates, days, closes), settings.cash),
        None => held(&columns, settings.cash),
    };
    let points = cost_sensitivity(&FACTORS, |factor| {
        let costs = settings.costs.times(factor);
        decisions.run(&market, &Settings { costs, ..settings })
    })
    .map_err(|e| of_engine(&e))?;
    let mut tested = judge(
        spec, dates, &market, &settings, outcome, benchmark, &points, before,
    );
    let unknown: Vec<bool> = parts.iter().map(|p| p.dividends_unknown).collect();
    tested
        .findings
        .extend(unknown_dividends(&spec.symbols, &unknown));
    Ok(tested)
}

/// A price as an equity that begins with the cash.
fn scaled(price: &[f64], cash: f64) -> Vec<f64> {
    let first = price.first().copied().unwrap_or(f64::NAN);
    price.iter().map(|p| cash * p / first).collect()
}

/// Equal parts of the cash in every symbol from its first close on.
fn held(columns: &[Spread], cash: f64) -> Vec<f64> {
    let each = cash / columns.len().max(1) as f64;
    let n = columns.first().map_or(0, |c| c.held.len());
    (0..n)
        .map(|t| {
            let parts = columns.iter().map(|c| each * c.held[t] / c.held[0]);
            parts.sum()
        })
        .collect()
}

#[expect(
    clippy::too_many_arguments,
    reason = "everything that is known is looked at once"
)]
fn judge(
    spec: &BacktestSpec,
    dates: Vec<NaiveDate>,
    market: &Market<'_>,
    settings: &Settings,
    outcome: Outcome,
    benchmark: Vec<f64>,
    points: &[CostPoint],
    before: &Before,
) -> Tested {
    let year = spec.periods_per_year;
    let (own, theirs) = (returns(&outcome.equity), returns(&benchmark));
    let ratio = finite(sharpe_per_period(&own));
    let variance = variance(&before.ratios, ratio);
    let tried_backtests = u32::try_from(before.ratios.len() + 1).unwrap_or(u32::MAX);
    let tried = tried_backtests.saturating_add(before.models);
    let findings = honesty::findings(&Context {
        outcome: &outcome,
        settings,
        market,
        benchmark: Some(&benchmark),
        tried: tried as usize,
        variance,
    });
    let judged = honesty::verdict(&own, &theirs, tried as usize, variance);
    let serious = findings.iter().any(|f| f.severity == Severity::Serious);
    let sharpe = Sharpe::of(&own);
    let root = year.sqrt();
    let verdict = BacktestVerdict {
        found_edge: judged.is_some_and(|v| v.edge) && !serious,
        text: words(judged, serious, tried, root),
        tried,
        tried_backtests,
        deflated_sharpe_ratio: judged.and_then(|v| finite(v.deflated)),
        active_sharpe_ratio: judged.and_then(|v| finite(v.ratio * root)),
        luck: judged.and_then(|v| finite(v.luck * root)),
        probabilistic_sharpe_ratio: sharpe.and_then(|s| probabilistic(&s, 0.0)),
        years_needed: sharpe
            .and_then(|s| minimum_track_record(&s, 0.0, 0.95))
            .map(|n| n / year),
    };
    let window = if own.len() >= 504 { 252 } else { 63 };
    Tested {
        metrics: performance::of_outcome(&outcome, Some(&benchmark), year),
        benchmark_metrics: performance::of_equity(&benchmark, year),
        intervals: intervals(&own, year, spec.seed),
        fan: fan(&outcome, settings.cash, spec.seed),
        costs: points
            .iter()
            .map(|p| CostResult {
                factor: p.factor,
                total_return: finite(p.total_return),
                paid: finite(p.paid),
            })
            .collect(),
        break_even: break_even(points),
        regimes: regimes(&own, &benchmark, year),
        dates,
        verdict,
        findings,
        window,
        ratio,
        outcome,
        benchmark,
    }
}

/// Variance of the Sharpe ratios a bar of all that was tried; none for fewer than two.
fn variance(others: &[Option<f64>], own: Option<f64>) -> Option<f64> {
    let all: Vec<f64> = others.iter().copied().chain([own]).flatten().collect();
    (all.len() > 1)
        .then(|| performance::deviation(&all).powi(2))
        .and_then(finite)
}

pub(super) fn words(v: Option<honesty::Verdict>, serious: bool, tried: u32, root: f64) -> String {
    let Some(v) = v else {
        return "No edge: nothing is left beside the market that could be judged.".to_owned();
    };
    let (ratio, luck) = (v.ratio * root, v.luck * root);
    let among = if tried > 1 {
        format!("the best of {tried} things tried on these symbols would show {luck:.2} by luck")
    } else {
        "it is the first thing tried on these symbols".to_owned()
    };
    let left = format!(
        "what holding the benchmark does not explain has a Sharpe ratio of {ratio:.2} a year; {among} (deflated Sharpe ratio {:.2}, 0.95 is asked for)",
        v.deflated
    );
    match (v.edge, serious) {
        (true, false) => format!("Edge: {left}. It is the past, not a promise."),
        (true, true) => format!("No edge to rely on: {left}, but a finding below is serious."),
        (false, _) => format!("No edge: {left}."),
    }
}

fn intervals(own: &[f64], year: f64, seed: u64) -> BTreeMap<String, Interval> {
    let sharpe = |r: &[f64]| sharpe_per_period(r) * year.sqrt();
    let annual = |r: &[f64]| {
        let total: f64 = r.iter().map(|r| 1.0 + r).product();
        total.powf(year / r.len() as f64) - 1.0
    };
    let all: [(&str, honesty::Metric<'_>); 2] =
        [("sharpe_ratio", &sharpe), ("annual_return", &annual)];
    all.into_iter()
        .filter_map(|(name, metric)| {
            let found = honesty::interval(own, metric, 0.95, RESAMPLES, None, seed)?;
            Some((name.to_owned(), found))
        })
        .collect()
}

/// The closed trades in other orders.
fn fan(outcome: &Outcome, cash: f64, seed: u64) -> Option<BacktestFan> {
    let gains: Vec<f64> = outcome
        .trades
        .iter()
        .map(|t| {
            let equity = t.entry_bar.checked_sub(1).map(|b| outcome.equity[b]);
            t.pnl / equity.unwrap_or(cash)
        })
        .collect();
    if gains.iter().any(|g| !g.is_finite()) {
        return None;
    }
    let fan = monte_carlo(&gains, cash, RUNS as usize, true, RUIN, seed)?;
    let stride = gains.len().div_ceil(POINTS).max(1);
    let mut steps: Vec<usize> = (0..=gains.len()).step_by(stride).collect();
    if steps.last() != Some(&gains.len()) {
        steps.push(gains.len());
    }
    let number = |n: &usize| u32::try_from(*n).unwrap_or(u32::MAX);
    Some(BacktestFan {
        runs: RUNS,
        quantiles: vec![0.05, 0.25, 0.5, 0.75, 0.95],
        lines: fan
            .lines
            .iter()
            .map(|l| {
                steps
                    .iter()
                    .map(|s| l.get(*s).copied().and_then(finite))
                    .collect()
            })
            .collect(),
        steps: steps.iter().map(number).collect(),
        last: fan.last.iter().map(|x| finite(*x)).collect(),
        drawdown: fan.drawdown.iter().map(|x| finite(*x)).collect(),
        loss: fan.loss,
        ruin: fan.ruin,
    })
}

/// The result in calm and wild, falling and rising markets, by what was known before each bar.
fn regimes(own: &[f64], benchmark: &[f64], year: f64) -> Vec<RegimeRow> {
    let mut rows = Vec::new();
    let volatility = volatility_regimes(benchmark, 20);
    let trend = trend_regimes(benchmark, 200);
    let kinds: [(&[Option<u32>], &[&str]); 2] = [
        (&volatility, &["calm", "usual", "wild"]),
        (&trend, &["falling", "rising"]),
    ];
    for (labels, names) in kinds {
        let known = labels.get(..own.len()).unwrap_or_default();
        for r in by_regime(own, known) {
            rows.push(RegimeRow {
                regime: names
                    .get(r.label as usize)
                    .copied()
                    .unwrap_or("other")
                    .to_owned(),
                bars: u32::try_from(r.bars).unwrap_or(u32::MAX),
                total_return: finite(r.total_return),
                sharpe_ratio: finite(r.sharpe * year.sqrt()),
            });
        }
    }
    rows
}

/// Sharpe ratio a year over the last `window` returns, one a bar; none before.
pub(super) fn rolling_sharpe(equity: &[f64], window: usize, year: f64) -> Vec<Option<f64>> {
    let r = returns(equity);
    (0..equity.len())
        .map(|t| {
            let from = t.checked_sub(window)?;
            finite(sharpe_per_period(r.get(from..t)?) * year.sqrt())
        })
        .collect()
}

pub(super) fn months(dates: &[NaiveDate], own: &[f64], benchmark: &[f64]) -> Vec<MonthReturn> {
    let days: Vec<i32> = dates.iter().map(|d| d.to_epoch_days()).collect();
    let theirs = performance::monthly(benchmark, &days);
    let own = performance::monthly(own, &days);
    own.into_iter()
        .zip(theirs)
        .map(|((year, month, value), (_, _, other))| MonthReturn {
            year,
            month,
            value: finite(value),
            benchmark: finite(other),
        })
        .collect()
}

pub(super) fn column_of(values: &[f64]) -> Vec<Option<f64>> {
    values.iter().map(|x| finite(*x)).collect()
}

pub(super) fn falls(equity: &[f64]) -> Vec<Option<f64>> {
    column_of(&underwater(equity))
}

pub(super) fn trade(t: &Trade, names: &[String], dates: &[NaiveDate]) -> Option<BacktestTrade> {
    Some(BacktestTrade {
        symbol: names.get(t.asset)?.clone(),
        direction: if t.direction > 0.0 { "long" } else { "short" }.to_owned(),
        entry: *dates.get(t.entry_bar)?,
        exit: t.exit_bar.and_then(|b| dates.get(b).copied()),
        entry_price: finite(t.entry_price),
        exit_price: finite(t.exit_price),
        units: finite(t.units),
        pnl: finite(t.pnl),
        result: finite(t.result),
        commission: finite(t.commission),
        bars: t.bars().and_then(|b| u32::try_from(b).ok()),
        mae: finite(t.mae),
        mfe: finite(t.mfe),
        exit_rule: t.exit_reason.map(|r| r.as_str().to_owned()),
    })
}

pub(super) fn fill(f: &Fill, names: &[String], dates: &[NaiveDate]) -> Option<BacktestFill> {
    let symbol = names.get(f.asset)?;
    Some(BacktestFill {
        date: *dates.get(f.bar)?,
        symbol: symbol.clone(),
        units: finite(f.units),
        quote: finite(f.quote),
        price: finite(f.price),
        commission: finite(f.commission),
        explanation: f.explain(symbol),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2012, 5, d).unwrap()
    }

    #[test]
    fn days_without_a_bar_decide_nothing() {
        let days = [day(1), day(2), day(3), day(4)];
        let own = [day(2), day(4)];
        let at = places(&days, &own);
        assert_eq!(at, [1, 3]);
        let plan = Plan {
            enter_long: vec![true, true],
            weight: vec![0.5, 0.25],
            stop: Guard::Amount(vec![1.0, 2.0]),
            ..Plan::default()
        };
        let found = plan_on(plan, &at, 4);
        assert_eq!(found.enter_long, [false, true, false, true]);
        assert!(found.exit_long.is_empty());
        assert!(found.weight[0].is_nan() && found.weight[1] == 0.5 && found.weight[3] == 0.25);
        assert!(matches!(found.stop, Guard::Amount(c) if c[1] == 1.0 && c[2].is_nan()));
        assert_eq!(
            carried(&days, &own, &[10.0, 12.0]),
            [10.0, 10.0, 10.0, 12.0]
        );
    }

    #[test]
    fn equal_parts_are_held_by_hand() {
        // 50 in each: 50 · 12/10 + 50 · 18/20 = 60 + 45.
        let column = |held: &[f64]| Spread {
            open: Vec::new(),
            high: Vec::new(),
            low: Vec::new(),
            close: Vec::new(),
            volume: None,
            events: Vec::new(),
            held: held.to_vec(),
        };
        let both = [column(&[10.0, 12.0]), column(&[20.0, 18.0])];
        assert_eq!(held(&both, 100.0), [100.0, 105.0]);
    }

    #[test]
    fn a_rolling_ratio_looks_back_only() {
        let equity = [100.0, 102.0, 101.0, 104.0];
        let found = rolling_sharpe(&equity, 2, 1.0);
        assert_eq!(&found[..2], [None, None]);
        // Returns 0.02 and 101/102 - 1 = -0.00980392: mean 0.005098039,
        // deviation 0.021074555.
        assert!(
            (found[2].unwrap() - 0.241_904_951).abs() < 1e-8,
            "{found:?}"
        );
    }
}
