//! Actions on back tests and walk-forward optimisations.

use super::data::{shown, shown_percent};
use super::{Authority, Reply, Stage, job};
use crate::{ServiceError, Services};
use futures::StreamExt as _;
use mltrainer_types::assistant::{BacktestRef, ListRuns, OptimiseStrategy};
use mltrainer_types::backtest::{BacktestRequest, BacktestView};
use mltrainer_types::chat::ActionOutcome;
use mltrainer_types::optimisation::{Objective, OptimisationRequest, SearchParameter, SearchRange};
use mltrainer_types::strategy::CostSpec;
use serde_json::{Value, json};

/// What a search can make large.
const OBJECTIVES: &str =
    "sharpe_ratio, sortino_ratio, calmar_ratio, omega_ratio, annual_return, profit_factor";

/// A back test in words and tables.
pub(super) fn report(reply: &mut Reply, view: &BacktestView) {
    reply.job(job("backtest", view.id.as_str()));
    let metric = |m: &mltrainer_types::trial::Metrics, n: &str| m.get(n).copied().flatten();
    let name = if view.spec.strategy.name.is_empty() {
        "The strategy"
    } else {
        &view.spec.strategy.name
    };
    let symbols: Vec<&str> = view
        .spec
        .symbols
        .iter()
        .map(|s| s.symbol.as_str())
        .collect();
    let (name, symbols) = (
        reply.name("strategy", name),
        reply.name("symbols", symbols.join(", ")),
    );
    let (total, sharpe, fall) = (
        reply.percent("total return", metric(&view.metrics, "total_return")),
        reply.decimal("Sharpe ratio", metric(&view.metrics, "sharpe_ratio"), 2),
        reply.percent("largest fall", metric(&view.metrics, "max_drawdown")),
    );
    let (other, benchmark, trades) = (
        reply.percent(
            "total return of the benchmark",
            metric(&view.benchmark_metrics, "total_return"),
        ),
        reply.name("benchmark", &view.benchmark_name),
        reply.count("trades", view.trades.len()),
    );
    reply.say(&format!("{name} on {symbols}: total return {total} after costs, Sharpe ratio {sharpe}, largest fall {fall}, {trades} closed trades. {benchmark}: {other}."));
    let text = reply.name("verdict", &view.verdict.text);
    reply.paragraph(&format!("Verdict: {text}"));
    if !view.findings.is_empty() {
        let rows = view
            .findings
            .iter()
            .map(|f| vec![f.severity.as_str().to_owned(), f.sentence.clone()])
            .collect();
        reply.table("Findings", &["Weight", "Finding"], rows);
    }
    let rows = view
        .metrics
        .iter()
        .map(|(n, v)| {
            let other = metric(&view.benchmark_metrics, n);
            vec![n.replace('_', " "), shown(*v), shown(other)]
        })
        .collect();
    reply.table("Figures", &["Figure", "Strategy", "Benchmark"], rows);
}

impl Services {
    pub(super) async fn act_run_backtest(
        &self,
        who: &Authority,
        p: &BacktestRequest,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let view = self
            .run_backtest(&who.actor, p.clone(), stage.key.as_deref())
            .await?;
        let mut reply = Reply::new(None);
        report(&mut reply, &view);
        reply.next("Walk-forward optimise the SMA crossover on the same symbol");
        reply.done(&stage.said, &view)
    }

    pub(super) async fn act_show_backtest(
        &self,
        p: &BacktestRef,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let view = self.backtest(&p.backtest).await?;
        let mut reply = Reply::new(None);
        report(&mut reply, &view);
        reply.done(&stage.said, &view)
    }

    pub(super) async fn act_list_backtests(
        &self,
        p: &ListRuns,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let mut all = self.backtests(None).await?.items;
        all.retain(|b| p.symbols.is_empty() || b.symbols.iter().any(|s| p.symbols.contains(s)));
        all.truncate(p.limit.unwrap_or(25) as usize);
        let mut reply = Reply::new(Some("/backtests".to_owned()));
        let n = reply.count("back tests", all.len());
        reply.say(&format!("{n} back tests, newest first."));
        let percent = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), shown_percent);
        let rows = all
            .iter()
            .map(|b| {
                vec![
                    b.id.0.clone(),
                    b.name.clone(),
                    b.symbols.join(", "),
                    percent(b.total_return),
                    percent(b.benchmark_return),
                    shown(b.sharpe_ratio),
                    if b.found_edge { "edge" } else { "no edge" }.to_owned(),
                ]
            })
            .collect();
        let columns = [
            "Id",
            "Strategy",
            "Symbols",
            "Return",
            "Benchmark",
            "Sharpe ratio",
            "Verdict",
        ];
        reply.table("Back tests", &columns, rows);
        if all.is_empty() {
            reply.next("Backtest an SMA crossover on AAPL");
        }
        reply.done(&stage.said, &all)
    }

    pub(super) async fn act_optimise_strategy(
        &self,
        who: &Authority,
        p: &OptimiseStrategy,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let all = self.ready_made();
        let Some(made) = all.iter().find(|r| r.id == p.strategy) else {
            return Err(ServiceError::NotFound {
                what: "strategy",
                id: p.strategy.clone(),
                suggestions: all.iter().map(|r| r.id.clone()).collect(),
            });
        };
        let objective = match &p.metric {
            None => Objective::default(),
            Some(name) => serde_json::from_value(json!(name)).map_err(|_| {
                ServiceError::invalid(
                    "metric",
                    format!("\"{name}\" cannot be searched for: {OBJECTIVES}"),
                )
            })?,
        };
        // Around the default, from half of it to twice, within the parameter's own bounds.
        let search: Vec<SearchParameter> = made
            .params
            .iter()
            .filter_map(|q| {
                Some(SearchParameter {
                    name: q.name.clone(),
                    range: SearchRange::around(q, q.default)?,
                })
            })
            .collect();
        if search.is_empty() {
            return Err(ServiceError::invalid(
                "strategy",
                format!("{} has no parameter to search", p.strategy),
            ));
        }
        let request = OptimisationRequest {
            test: BacktestRequest {
                symbols: p.symbols.clone(),
                strategy: json!(p.strategy),
                start: p.start,
                end: p.end,
                costs: p.cost_bps.map(|bps| CostSpec {
                    rate: bps / 1e4,
                    ..CostSpec::default()
                }),
                ..BacktestRequest::default()
            },
            search,
            method: p.search.clone(),
            evaluations: p.evaluations,
            folds: p.folds,
            settings: serde_json::Map::new(),
            objective,
            min_trades: None,
            embargo: None,
            window: None,
        };
        let made = self
            .create_optimisation(&who.actor, request, stage.key.as_deref())
            .await?;
        let id = made.id.0.clone();
        let mut told = Reply::new(None);
        told.job(job("optimisation", &id));
        told.say("The walk-forward optimisation was begun.");
        stage.tell("Model agent", told.done(&stage.said, &made)?);
        if stage.wait {
            let mut events = self.follow_optimisation(&id, 0).await?;
            while let Some(Some(event)) = stage.hurry.run_until_cancelled(events.next()).await {
                event?;
            }
        }
        let view = self.optimisation(&id).await?;
        let mut reply = Reply::new(None);
        reply.job(job("optimisation", &id));
        let state = view.state.as_str();
        reply.say(&format!("The walk-forward optimisation is {state}."));
        let whole = json!(view);
        if let Some(verdict) = whole
            .pointer("/result/verdict/text")
            .and_then(Value::as_str)
        {
            let verdict = reply.name("verdict", verdict);
            reply.paragraph(&format!("Verdict: {verdict}"));
        }
        reply.done(&stage.said, &whole)
    }
}
