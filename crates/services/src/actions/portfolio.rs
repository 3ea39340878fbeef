//! Actions on portfolios: weights, tests on history, what is held, risk, what if. Nothing is traded.

use super::data::{shown, shown_percent};
use super::screen::screened;
use super::{Reply, Stage};
use crate::portfolio::{Joined, cost_share, held};
use crate::{ServiceError, Services};
use chrono::{Days, Months, NaiveDate};
use mltrainer_catalogue::risk::{drawdown, performance};
use mltrainer_types::assistant::{
    BacktestPortfolio, OptimisePortfolio, ScreenUniverse, WhatIfPortfolio,
};
use mltrainer_types::chat::ActionOutcome;
use mltrainer_types::portfolio::{
    Holdings, HoldingsRequest, OptimiseRequest, Optimised, PlanRequest, RiskRequest, TestedPath,
};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Bounds of a position and most positions where symbols were chosen by a screen and nothing else is said.
const LOW: f64 = 0.01;
const HIGH: f64 = 0.05;
const POSITIONS: usize = 20;
/// Calendar days that hold about 252 trading days.
const MODEL_DAYS: u64 = 366;
/// Months that the walk over the past goes back.
const MONTHS: u32 = 36;
/// Days between two rebalancings where none are said.
const REBALANCE: u32 = 21;
/// Cash of the plan where nothing is held.
const CASH: i64 = 100_000;

/// What the walk over the past came to: each month the same screen and the same method on data up to
/// then, held for the month, after costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Walk {
    first: NaiveDate,
    last: NaiveDate,
    months: u32,
    /// Months in cash: fewer than two symbols met the conditions, or no weights meet the constraints.
    in_cash: u32,
    /// Months left out, because too few shares have prices in common.
    skipped: u32,
    cost_bps: f64,
    total_return: f64,
    annual_return: f64,
    volatility: f64,
    sharpe_ratio: f64,
    max_drawdown: f64,
    /// Equal weights of everything that could be chosen from, held over the same months.
    everything_annual_return: f64,
    everything_sharpe_ratio: f64,
}

/// Closes of a month, from the first bar after the day on which it was decided to the first one after the next.
struct Month {
    closes: BTreeMap<String, Vec<f64>>,
}

impl Month {
    fn of(all: &Joined, day: NaiveDate, next: NaiveDate) -> Option<Self> {
        let first = all.days.iter().position(|d| *d > day)?;
        let after = all.days.iter().position(|d| *d > next);
        let last = after.unwrap_or(all.days.len() - 1);
        if last <= first {
            return None;
        }
        let table = all.table.get();
        let names = table.names().iter().enumerate();
        let closes = names.map(|(i, name)| (name.clone(), table.series(i)[first..=last].to_vec()));
        Some(Self {
            closes: closes.collect(),
        })
    }
}

/// What is held from month to month: weights as prices moved them, the rest in cash.
#[derive(Default)]
struct Book {
    weights: BTreeMap<String, f64>,
    returns: Vec<f64>,
}

impl Book {
    /// Goes to these weights, pays for what that trades, and holds them through the month.
    fn hold(&mut self, target: &BTreeMap<String, f64>, month: &Month, cost: f64) {
        let of = |w: &BTreeMap<String, f64>, s: &String| w.get(s).copied().unwrap_or(0.0);
        let all: BTreeSet<&String> = self.weights.keys().chain(target.keys()).collect();
        let traded: f64 = all
            .iter()
            .map(|s| (of(target, s) - of(&self.weights, s)).abs())
            .sum();
        let parts: Vec<(&String, f64, &Vec<f64>)> = target
            .iter()
            .filter_map(|(s, w)| Some((s, *w, month.closes.get(s)?)))
            .collect();
        let cash = 1.0 - parts.iter().map(|(_, w, _)| w).sum::<f64>();
        let bars = month.closes.values().next().map_or(0, Vec::len);
        let value = |t: usize| cash + parts.iter().map(|(_, w, c)| w * c[t] / c[0]).sum::<f64>();
        for t in 1..bars {
            let mut change = value(t) / value(t - 1);
            if t == 1 {
                change *= 1.0 - cost * traded;
            }
            self.returns.push(change - 1.0);
        }
        let end = bars.saturating_sub(1);
        self.weights = parts
            .iter()
            .map(|(s, w, c)| ((*s).clone(), w * c[end] / c[0] / value(end)))
            .collect();
    }
}

/// Parameters with bounds that can be met by so many symbols; what was changed is said.
fn bounded(request: &mut OptimiseRequest, symbols: usize, notes: &mut Vec<String>) {
    let share = |p: &Map<String, Value>, n: &str| p.get(n).and_then(Value::as_f64);
    if !request.params.contains_key("max_weight") {
        request.params.insert("max_weight".to_owned(), json!(HIGH));
        let low = LOW.min(1.0 / symbols.max(1) as f64);
        request.params.insert("min_weight".to_owned(), json!(low));
    }
    let high = share(&request.params, "max_weight").unwrap_or(1.0);
    if high * (symbols as f64) < 1.0 {
        let wider = (1.5 / symbols.max(1) as f64).min(1.0);
        notes.push(format!(
            "{symbols} symbols with at most {:.0} % each do not fill a portfolio: the most of a position was raised to {:.1} %",
            high * 100.0,
            wider * 100.0
        ));
        request.params.insert("max_weight".to_owned(), json!(wider));
    }
}

/// Weights in words and a table.
fn weights(reply: &mut Reply, found: &Optimised) {
    let (title, n, start, end) = (
        reply.name("method", &found.title),
        reply.count("positions", found.positions),
        reply.day("first day of the estimates", found.start),
        reply.day("last day of the estimates", found.end),
    );
    let (expected, volatility, sharpe) = (
        reply.percent("expected return a year", found.expected_return),
        reply.percent("volatility a year", found.volatility),
        reply.decimal("Sharpe ratio", found.sharpe_ratio, 2),
    );
    reply.say(&format!("{title} holds {n} positions, estimated from {start} to {end}. The estimates promise {expected} a year with a volatility of {volatility} (Sharpe ratio {sharpe}); such promises are too good, because the weights were made from them."));
    if let Some(check) = &found.out_of_sample {
        let (from, to) = (
            reply.day("first day of the check", check.test_start),
            reply.day("last day of the check", check.test_end),
        );
        let (own, own_sharpe) = (
            reply.percent("annual return out of sample", check.portfolio.annual_return),
            reply.decimal(
                "Sharpe ratio out of sample",
                check.portfolio.sharpe_ratio,
                2,
            ),
        );
        let (plain, plain_sharpe) = (
            reply.percent(
                "annual return of equal weights",
                check.equal_weight.annual_return,
            ),
            reply.decimal(
                "Sharpe ratio of equal weights",
                check.equal_weight.sharpe_ratio,
                2,
            ),
        );
        reply.paragraph(&format!("On days not seen, {from} to {to}, after costs: {own} a year (Sharpe ratio {own_sharpe}); equal weights {plain} ({plain_sharpe})."));
    }
    let rows = found
        .weights
        .iter()
        .filter(|w| w.weight.abs() > 1e-6)
        .map(|w| {
            vec![
                w.symbol.clone(),
                shown_percent(w.weight),
                w.risk_contribution
                    .map_or_else(|| "-".to_owned(), shown_percent),
                w.volatility.map_or_else(|| "-".to_owned(), shown_percent),
            ]
        })
        .collect();
    reply.table(
        "Weights",
        &["Symbol", "Weight", "Share of the risk", "Its volatility"],
        rows,
    );
    for note in &found.notes {
        reply.note(note.clone());
    }
}

fn tested(reply: &mut Reply, name: &str, path: &TestedPath) {
    let (annual, sharpe, fall) = (
        reply.percent(&format!("annual return of {name}"), path.annual_return),
        reply.decimal(&format!("Sharpe ratio of {name}"), path.sharpe_ratio, 2),
        reply.percent(&format!("largest fall of {name}"), path.max_drawdown),
    );
    reply.say(&format!(
        "{name}: {annual} a year after costs, Sharpe ratio {sharpe}, largest fall {fall}."
    ));
}

impl Services {
    pub(super) async fn act_optimise_portfolio(
        &self,
        p: &OptimisePortfolio,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let mut request = p.request.clone();
        let mut reply = Reply::new(Some("/portfolio".to_owned()));
        let mut notes = Vec::new();
        // The constraints of the goal, where nothing else is said.
        if let Some(goal) = self.goal().await? {
            let g = &goal.goal;
            for (name, value) in [
                ("max_positions", g.max_positions.map(|n| json!(n))),
                ("min_weight", g.min_weight.map(|w| json!(w))),
                ("max_weight", g.max_weight.map(|w| json!(w))),
                ("long_only", g.long_only.map(|b| json!(b))),
            ] {
                if let Some(value) = value
                    && !request.params.contains_key(name)
                {
                    notes.push(format!("From the goal: {name} is {value}."));
                    request.params.insert(name.to_owned(), value);
                }
            }
        }
        let asked = request.params.clone();
        let held = self.holdings(&HoldingsRequest::default()).await?;
        let names: Vec<String> = held.holdings.iter().map(|h| h.symbol.clone()).collect();
        let mut screen = None;
        if let Some(style) = &p.selection {
            let found = self
                .screen(&ScreenUniverse {
                    symbols: request.symbols.clone(),
                    style: Some(style.clone()),
                    top: Some(POSITIONS as u32),
                    as_of: request.end,
                    ..ScreenUniverse::default()
                })
                .await?;
            let mut said = Reply::new(None);
            screened(&mut said, &found);
            stage.tell("Data agent", said.done(&stage.said, &found)?);
            if found.found.len() < 2 {
                return Err(ServiceError::BadData(format!(
                    "{} of {} symbols meet the conditions of the screen on {}: at least 2 are needed for a portfolio; name symbols or another screen",
                    found.found.len(),
                    found.looked_at,
                    found.as_of
                )));
            }
            request.symbols = found.found.iter().map(|f| f.symbol.clone()).collect();
            request.end = Some(found.as_of);
            if request.start.is_none() {
                request.start = found.as_of.checked_sub_days(Days::new(MODEL_DAYS));
            }
            let n = request.symbols.len();
            bounded(&mut request, n, &mut notes);
            screen = Some(found);
        } else if p.holdings && request.symbols.is_empty() {
            if names.len() > 1 {
                request.symbols.clone_from(&names);
            } else {
                notes.push("Fewer than two shares are held: the bundled shares were taken. Record what you hold on the portfolio page.".to_owned());
            }
        }
        let found = self.optimise(&request).await?;
        weights(&mut reply, &found);
        let mut walk = None;
        if let (Some(style), Some(screen)) = (&p.selection, &screen) {
            match self.walk(p, style, (&request, &asked), screen.as_of).await {
                Ok(Some(w)) => {
                    said_walk(&mut reply, &w);
                    let mut said = Reply::new(None);
                    said_walk(&mut said, &w);
                    stage.tell("Evaluation agent", said.done(&stage.said, &w)?);
                    walk = Some(w);
                }
                Ok(None) => reply.note("There is too little history to walk over the past."),
                Err(e) => reply.note(format!("The walk over the past was not possible: {e}.")),
            }
        }
        let plan = self.plan_for(&found, &held, &mut reply).await;
        for note in notes {
            reply.note(note);
        }
        reply.next("How risky is my portfolio?");
        reply.next("What happens to my portfolio if the market falls 20%?");
        let result = json!({ "screen": screen, "optimised": found, "walk": walk, "plan": plan });
        reply.done(&stage.said, &result)
    }

    /// Trades that would reach the weights, for a person to make.
    async fn plan_for(
        &self,
        found: &Optimised,
        held: &Holdings,
        reply: &mut Reply,
    ) -> Option<mltrainer_types::portfolio::Plan> {
        let target: BTreeMap<String, f64> = found
            .weights
            .iter()
            .filter(|w| w.weight > 1e-6)
            .map(|w| (w.symbol.clone(), w.weight))
            .collect();
        if found.weights.iter().any(|w| w.weight < -1e-6) {
            reply.note("There is no plan of trades: some weights are below zero.");
            return None;
        }
        let nothing = held.value.is_zero();
        let plan = self
            .plan(&PlanRequest {
                target,
                cash: nothing.then(|| Decimal::from(CASH)),
                as_of: Some(found.end),
                ..PlanRequest::default()
            })
            .await;
        match plan {
            Ok(plan) => {
                let (n, days) = (
                    reply.count("trades", plan.trades.len()),
                    reply.count("days of the plan", plan.days),
                );
                let whose = if nothing {
                    "for an example of one hundred thousand in cash, since nothing is recorded as held"
                } else {
                    "from what is held"
                };
                reply.paragraph(&format!(
                    "Plan: {n} trades over {days} days {whose}. No order is sent anywhere."
                ));
                let rows = plan
                    .trades
                    .iter()
                    .take(40)
                    .map(|t| {
                        vec![
                            t.day.to_string(),
                            t.side.clone(),
                            t.symbol.clone(),
                            t.shares.to_string(),
                            t.price.to_string(),
                            t.value.to_string(),
                        ]
                    })
                    .collect();
                reply.table(
                    "Plan",
                    &["Day", "Side", "Symbol", "Shares", "Price", "Value"],
                    rows,
                );
                Some(plan)
            }
            Err(e) => {
                reply.note(format!("There is no plan of trades: {e}."));
                None
            }
        }
    }

    /// Each month: screen, weights from the year before, held for the month after costs. Nothing of a month
    /// sees its own days.
    async fn walk(
        &self,
        p: &OptimisePortfolio,
        style: &str,
        (like, asked): (&OptimiseRequest, &Map<String, Value>),
        until: NaiveDate,
    ) -> Result<Option<Walk>, ServiceError> {
        let cost = cost_share(like.cost_bps)?;
        let mut days: Vec<NaiveDate> = Vec::new();
        for back in (1..=MONTHS).rev() {
            days.extend(until.checked_sub_months(Months::new(back)));
        }
        days.push(until);
        let (mut own, mut everything) = (Book::default(), Book::default());
        let (mut months, mut in_cash, mut skipped) = (0, 0, 0);
        for pair in days.windows(2) {
            let (day, next) = (pair[0], pair[1]);
            let screen = self
                .screen(&ScreenUniverse {
                    symbols: p.request.symbols.clone(),
                    style: Some(style.to_owned()),
                    top: Some(POSITIONS as u32),
                    as_of: Some(day),
                    ..ScreenUniverse::default()
                })
                .await?;
            let chosen: Vec<String> = screen.found.iter().map(|f| f.symbol.clone()).collect();
            // What could be chosen from on that day, in equal parts, is the comparison.
            let mut traded = chosen.clone();
            traded.extend(
                screen
                    .left_out
                    .iter()
                    .filter(|o| o.traded)
                    .map(|o| o.symbol.clone()),
            );
            // Some days more, so that the month ends on the bar on which the next one begins.
            let span = (Some(day), next.checked_add_days(Days::new(10)));
            let month = match self.joined(&traded, None, span, 3).await {
                Ok(all) => Month::of(&all, day, next),
                Err(ServiceError::BadData(_) | ServiceError::Invalid { .. }) => None,
                Err(e) => return Err(e),
            };
            let Some(month) = month else {
                skipped += 1;
                continue;
            };
            months += 1;
            let part = 1.0 / traded.len() as f64;
            let equal = traded.iter().map(|s| (s.clone(), part)).collect();
            everything.hold(&equal, &month, cost);
            let mut weights = BTreeMap::new();
            if chosen.len() >= 2 {
                let mut request = OptimiseRequest {
                    symbols: chosen,
                    start: day.checked_sub_days(Days::new(MODEL_DAYS)),
                    end: Some(day),
                    method: like.method.clone(),
                    params: asked.clone(),
                    frontier_points: Some(0),
                    test_share: Some(0.0),
                    ..OptimiseRequest::default()
                };
                let n = request.symbols.len();
                bounded(&mut request, n, &mut Vec::new());
                match self.optimise(&request).await {
                    Ok(found) => {
                        weights.extend(found.weights.into_iter().map(|w| (w.symbol, w.weight)));
                    }
                    // No answer under these constraints: the month is spent in cash.
                    Err(ServiceError::FitFailed(_) | ServiceError::BadData(_)) => {}
                    Err(e) => return Err(e),
                }
            }
            if weights.is_empty() {
                in_cash += 1;
            }
            own.hold(&weights, &month, cost);
        }
        let (returns, all_returns) = (own.returns, everything.returns);
        if months < 6 || returns.len() < 60 {
            return Ok(None);
        }
        let own = performance(&returns, 252.0, 0.0, 0.0);
        let plain = performance(&all_returns, 252.0, 0.0, 0.0);
        Ok(Some(Walk {
            first: days[0],
            last: until,
            months,
            in_cash,
            skipped,
            cost_bps: cost * 1e4,
            total_return: own.total_return,
            annual_return: own.annual_return,
            volatility: own.annual_volatility,
            sharpe_ratio: own.sharpe_ratio,
            max_drawdown: drawdown(&returns).max,
            everything_annual_return: plain.annual_return,
            everything_sharpe_ratio: plain.sharpe_ratio,
        }))
    }

    pub(super) async fn act_backtest_portfolio(
        &self,
        p: &BacktestPortfolio,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let mut target = p.weights.clone();
        if target.is_empty() && !p.symbols.is_empty() {
            let part = 1.0 / p.symbols.len() as f64;
            target = p.symbols.iter().map(|s| (s.clone(), part)).collect();
        }
        if target.is_empty() {
            let held = self.holdings(&HoldingsRequest::default()).await?;
            let weighed =
                |h: &mltrainer_types::portfolio::Holding| Some((h.symbol.clone(), h.weight?));
            target = held.holdings.iter().filter_map(weighed).collect();
            if target.is_empty() {
                return Err(ServiceError::BadData(
                    "nothing is recorded as held: record transactions on the portfolio page, or say the weights".to_owned(),
                ));
            }
        }
        let cost = cost_share(p.cost_bps)?;
        let every = p.rebalance_days.unwrap_or(REBALANCE) as usize;
        let names: Vec<String> = target.keys().cloned().collect();
        let w: Vec<f64> = target.values().copied().collect();
        let joined = self.joined(&names, None, (p.start, p.end), 30).await?;
        let table = joined.table.get();
        let columns: Vec<Vec<f64>> = (0..names.len()).map(|i| table.series(i)).collect();
        let (path, _) = held(&columns, &w, cost, every);
        let equal = vec![1.0 / w.len() as f64; w.len()];
        let (plain, _) = held(&columns, &equal, cost, every);
        let mut reply = Reply::new(Some("/portfolio".to_owned()));
        let (Some(first), Some(last)) = (joined.days.first(), joined.days.last()) else {
            return Err(ServiceError::BadData(
                "there is no day in common".to_owned(),
            ));
        };
        let (from, to, bps) = (
            reply.day("first day", *first),
            reply.day("last day", *last),
            reply.number_percent("costs a trade", cost),
        );
        reply.say(&format!(
            "From {from} to {to} with costs of {bps} of what is traded."
        ));
        tested(&mut reply, "The portfolio", &path);
        if w.windows(2).any(|p| (p[0] - p[1]).abs() > 1e-9) {
            tested(&mut reply, "Equal weights", &plain);
        }
        let mut other = None;
        if let Some(symbol) = &p.benchmark {
            match self
                .joined(
                    std::slice::from_ref(symbol),
                    None,
                    (Some(*first), Some(*last)),
                    30,
                )
                .await
            {
                Ok(one) => {
                    let (path, _) = held(&[one.table.get().series(0)], &[1.0], 0.0, 0);
                    tested(&mut reply, symbol, &path);
                    other = Some(path);
                }
                Err(e) => reply.note(format!("There is no comparison with {symbol}: {e}.")),
            }
        }
        reply.note("The weights were chosen with today's knowledge: what they did in the past is no forecast.");
        let rows = target
            .iter()
            .map(|(s, w)| vec![s.clone(), shown_percent(*w)])
            .collect();
        reply.table("Weights", &["Symbol", "Weight"], rows);
        let result = json!({
            "weights": target, "first": first, "last": last, "portfolio": path, "equal_weight": plain,
            "benchmark": other, "lineage": joined.table.lineage().steps(),
        });
        reply.done(&stage.said, &result)
    }

    pub(super) async fn act_show_portfolio(
        &self,
        p: &HoldingsRequest,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let held = self.holdings(p).await?;
        let mut reply = Reply::new(Some("/portfolio".to_owned()));
        if held.transactions == 0 {
            reply.say("Nothing is recorded as held. Record transactions on the portfolio page.");
            return reply.done(&stage.said, &held);
        }
        let (value, cash, gain) = (
            reply.name("value", held.value.to_string()),
            reply.name("cash", held.cash.to_string()),
            reply.name("unrealised profit", held.unrealised.to_string()),
        );
        reply.say(&format!(
            "What is held is worth {value}, {cash} of it cash; the unrealised profit is {gain}."
        ));
        if let Some(performance) = &held.performance {
            let (total, start) = (
                reply.percent("time-weighted return", performance.time_weighted_return),
                reply.day("first day", performance.start),
            );
            reply.say(&format!(
                "The time-weighted return since {start} is {total}."
            ));
            if let Some(b) = &performance.benchmark {
                let (name, excess) = (
                    reply.name("benchmark", &b.name),
                    reply.percent("excess return", b.excess_return),
                );
                reply.say(&format!("Against {name} it is {excess}."));
            }
        }
        let text = |d: Option<Decimal>| d.map_or_else(|| "-".to_owned(), |d| d.to_string());
        let rows = held
            .holdings
            .iter()
            .map(|h| {
                vec![
                    h.symbol.clone(),
                    h.shares.to_string(),
                    text(h.price),
                    text(h.value),
                    h.weight.map_or_else(|| "-".to_owned(), shown_percent),
                    text(h.unrealised),
                ]
            })
            .collect();
        let columns = ["Symbol", "Shares", "Price", "Value", "Weight", "Unrealised"];
        reply.table("Holdings", &columns, rows);
        for note in &held.notes {
            reply.note(note.clone());
        }
        reply.next("How risky is my portfolio?");
        reply.done(&stage.said, &held)
    }

    pub(super) async fn act_portfolio_risk(
        &self,
        p: &RiskRequest,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let risk = self.portfolio_risk(p).await?;
        let mut reply = Reply::new(Some("/portfolio".to_owned()));
        let (volatility, fall, confidence) = (
            reply.percent("volatility a year", risk.volatility),
            reply.percent("largest fall", risk.max_drawdown),
            reply.percent("confidence", risk.confidence),
        );
        let (from, to) = (
            reply.day("first day", risk.start),
            reply.day("last day", risk.end),
        );
        reply.say(&format!("With these weights from {from} to {to}: volatility {volatility} a year, largest fall {fall}."));
        if let Some(t) = risk.tails.first() {
            let (method, var, cvar, days) = (
                reply.name("method", &t.method),
                reply.percent("value at risk", t.value_at_risk),
                reply.percent("expected shortfall", t.conditional_value_at_risk),
                reply.count("days", risk.horizon),
            );
            reply.say(&format!("With {confidence} confidence the return over {days} day(s) is above {var} ({method}); beyond it the mean is {cvar}."));
        }
        if let Some(beta) = risk.beta {
            let (beta, market) = (
                reply.decimal("beta", beta, 2),
                reply.name("market", &risk.market),
            );
            reply.say(&format!("Its beta against {market} is {beta}."));
        }
        let rows = risk
            .crises
            .iter()
            .map(|c| {
                vec![
                    c.name.clone(),
                    c.from.to_string(),
                    c.to.to_string(),
                    match c.total_return {
                        Some(r) => shown_percent(r),
                        None => c.reason.clone().unwrap_or_default(),
                    },
                    c.max_drawdown.map_or_else(|| "-".to_owned(), shown_percent),
                ]
            })
            .collect();
        reply.table(
            "Crises replayed",
            &["Crisis", "From", "To", "Return", "Largest fall"],
            rows,
        );
        let rows = risk
            .assets
            .iter()
            .map(|a| {
                vec![
                    a.symbol.clone(),
                    shown_percent(a.weight),
                    a.risk_contribution
                        .map_or_else(|| "-".to_owned(), shown_percent),
                    shown(a.beta),
                ]
            })
            .collect();
        reply.table(
            "By symbol",
            &["Symbol", "Weight", "Share of the risk", "Beta"],
            rows,
        );
        for note in &risk.notes {
            reply.note(note.clone());
        }
        reply.done(&stage.said, &risk)
    }

    pub(super) async fn act_what_if_portfolio(
        &self,
        p: &WhatIfPortfolio,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let mut reply = Reply::new(Some("/portfolio".to_owned()));
        let mut result = serde_json::Map::new();
        if let Some(shock) = p.market_shock {
            let risk = self
                .portfolio_risk(&RiskRequest {
                    weights: p.request.current.clone(),
                    start: p.request.start,
                    end: p.request.end,
                    market: p.request.market.clone(),
                    ..RiskRequest::default()
                })
                .await?;
            let Some(beta) = risk.beta else {
                return Err(ServiceError::BadData(format!(
                    "there is no beta against {}: too few days in common",
                    risk.market
                )));
            };
            let (market, s, b, change) = (
                reply.name("market", &risk.market),
                reply.percent("change of the market", shock),
                reply.decimal("beta", beta, 2),
                reply.percent("change of the portfolio", beta * shock),
            );
            reply.say(&format!("If {market} changed by {s}, the portfolio would change by about {change}, by its beta of {b}. In crises shares fall together more than their betas say."));
            result.insert(
                "shock".to_owned(),
                json!({ "market": shock, "beta": beta, "portfolio": beta * shock }),
            );
        }
        let mut request = p.request.clone();
        if !p.scale.is_empty() {
            let held = if request.current.is_empty() {
                let held = self.holdings(&HoldingsRequest::default()).await?;
                held.holdings
                    .iter()
                    .filter_map(|h| Some((h.symbol.clone(), h.weight?)))
                    .collect()
            } else {
                request.current.clone()
            };
            for (symbol, factor) in &p.scale {
                let Some(weight) = held.get(symbol) else {
                    return Err(ServiceError::NotFound {
                        what: "holding",
                        id: symbol.clone(),
                        suggestions: held.keys().take(5).cloned().collect(),
                    });
                };
                request
                    .change
                    .insert(symbol.clone(), weight * (factor - 1.0));
            }
        }
        if !request.target.is_empty() || !request.change.is_empty() {
            let found = self.what_if(&request).await?;
            let (before, after, turnover) = (
                reply.percent("volatility before", found.before.volatility),
                reply.percent("volatility after", found.after.volatility),
                reply.percent("turnover", found.turnover),
            );
            reply.say(&format!("The volatility would go from {before} to {after} a year; {turnover} of the value would be traded."));
            let pair = |name: &str, a: Option<f64>, b: Option<f64>| {
                let cell = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), shown_percent);
                vec![name.to_owned(), cell(a), cell(b)]
            };
            let (a, b) = (&found.before, &found.after);
            let rows = vec![
                pair(
                    "Mean return a year",
                    Some(a.mean_return),
                    Some(b.mean_return),
                ),
                pair("Volatility a year", Some(a.volatility), Some(b.volatility)),
                pair("Largest fall", Some(a.max_drawdown), Some(b.max_drawdown)),
                pair("Value at risk", a.value_at_risk, b.value_at_risk),
                pair("Worst crisis", a.worst_crisis, b.worst_crisis),
            ];
            reply.table("Before and after", &["Figure", "Before", "After"], rows);
            for note in &found.notes {
                reply.note(note.clone());
            }
            result.insert("what_if".to_owned(), json!(found));
        }
        reply.done(&stage.said, &result)
    }
}

fn said_walk(reply: &mut Reply, w: &Walk) {
    let (from, to, months, cash) = (
        reply.day("first day of the walk", w.first),
        reply.day("last day of the walk", w.last),
        reply.count("months", w.months),
        reply.count("months in cash", w.in_cash),
    );
    let left_out = if w.skipped == 0 {
        String::new()
    } else {
        let n = reply.count("months left out for want of prices", w.skipped);
        format!("; {n} more left out for want of prices")
    };
    let (own, sharpe, fall) = (
        reply.percent("annual return of the walk", w.annual_return),
        reply.decimal("Sharpe ratio of the walk", w.sharpe_ratio, 2),
        reply.percent("largest fall of the walk", w.max_drawdown),
    );
    let (plain, plain_sharpe, bps) = (
        reply.percent(
            "annual return of everything in equal parts",
            w.everything_annual_return,
        ),
        reply.decimal("its Sharpe ratio", w.everything_sharpe_ratio, 2),
        reply.number_percent("costs a trade", w.cost_bps / 1e4),
    );
    reply.paragraph(&format!("Back test, month by month from {from} to {to} ({months} months, {cash} of them in cash{left_out}), each with the screen and the estimates of its day and trades on the next, after costs of {bps}: {own} a year, Sharpe ratio {sharpe}, largest fall {fall}. Everything in equal parts: {plain}, Sharpe ratio {plain_sharpe}."));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_book_pays_for_what_it_trades_and_drifts() {
        let month = |a: [f64; 3], b: [f64; 3]| Month {
            closes: [("A".to_owned(), a.to_vec()), ("B".to_owned(), b.to_vec())].into(),
        };
        let half: BTreeMap<String, f64> = [("A".to_owned(), 0.5), ("B".to_owned(), 0.5)].into();
        let mut book = Book::default();
        book.hold(
            &half,
            &month([100.0, 110.0, 120.0], [50.0, 50.0, 50.0]),
            0.01,
        );
        // All is bought: 1.05 · (1 - 0.01 · 1) - 1; then 1.1 / 1.05 - 1.
        assert!((book.returns[0] - (1.05 * 0.99 - 1.0)).abs() < 1e-12);
        assert!((book.returns[1] - (1.1 / 1.05 - 1.0)).abs() < 1e-12);
        // A is worth 0.6 of 1.1 now; back to one half trades twice 0.6 / 1.1 - 0.5.
        assert!((book.weights["A"] - 0.6 / 1.1).abs() < 1e-12);
        book.hold(&half, &month([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]), 0.01);
        let traded = 2.0 * (0.6 / 1.1 - 0.5);
        assert!((book.returns[2] + 0.01 * traded).abs() < 1e-12);
        // Into cash: half and half is sold.
        book.hold(
            &BTreeMap::new(),
            &month([1.0, 9.0, 1.0], [1.0, 1.0, 1.0]),
            0.01,
        );
        assert!((book.returns[4] + 0.01).abs() < 1e-12 && book.weights.is_empty());
    }
}
