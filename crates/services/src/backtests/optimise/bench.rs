//! Everything that the points of an optimisation are tested with: data on common days, the space, the
//! windows; and the judgement of what came out.

use super::super::compute::{carried, words};
use super::super::read::{self, Unread};
use super::super::traded::{closes_suffice, unknown_dividends};
use super::super::{CASH, Loaded, Part, complete, ready};
use crate::port::{DoneWindow, Window};
use crate::{ServiceError, Services};
use chrono::NaiveDate;
use mltrainer_backtest::engine::{Costs, Event, Settings};
use mltrainer_backtest::honesty::Overfitting;
use mltrainer_backtest::performance::of_equity;
use mltrainer_backtest::splits::Fold;
use mltrainer_backtest::strategy::{self, Symbol, catalogue_columns};
use mltrainer_backtest::walk_forward::{
    MOST_CANDIDATES, Search, Span, Tried, candidates, fill, judge, space, stability, stitched,
    test_span, values, windows,
};
use mltrainer_catalogue::search::{Dimension, Method};
use mltrainer_catalogue_core::{Bars as Columns, FitError, Registry};
use mltrainer_compliance::{Digest, Verified};
use mltrainer_data::bars::Bars;
use mltrainer_types::backtest::BacktestRequest;
use mltrainer_types::finite;
use mltrainer_types::optimisation::{
    InSampleChoice, OptimisationRequest, OptimisationResult, OptimisationSpec, OptimisationWindow,
    OverfittingReport, ParameterStability, WindowCurve,
};
use mltrainer_types::strategy::{StrategyError, StrategySpec};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// Method when none is named.
const METHOD: &str = "differential_evolution";
/// Most points of a window.
const MOST_EVALUATIONS: u32 = 10_000;
/// Most windows.
const MOST_FOLDS: u32 = 100;

/// A symbol on the common days.
struct Common {
    name: String,
    bars: Verified<Columns>,
    /// The bars as they were traded, where they are known to be others.
    traded: Option<Verified<Columns>>,
    events: Vec<Event>,
    /// Closes with the dividends that are known.
    held: Vec<f64>,
    /// Columns of features by name.
    features: Vec<(String, Vec<f64>)>,
}

/// Everything that points are tested with.
pub(super) struct Bench {
    pub(super) request: OptimisationRequest,
    /// Points of a window at most.
    pub(super) each: u32,
    registry: Registry,
    /// Ids of all features.
    known: BTreeSet<String>,
    pub(super) how: Search,
    pub(super) folds: Vec<Fold>,
    dates: Vec<NaiveDate>,
    days: Vec<i32>,
    symbols: Vec<Common>,
    /// Price of the benchmark, one a day.
    benchmark: Vec<f64>,
    cash: f64,
    year: f64,
    /// What the data leave out, in a sentence.
    left_out: Option<String>,
}

impl Services {
    /// Everything that is needed to test points, and the specification with every default filled in.
    pub(super) async fn bench(
        &self,
        mut request: OptimisationRequest,
    ) -> Result<(OptimisationSpec, Arc<Bench>), ServiceError> {
        let Planned {
            how,
            each,
            corner,
            strategy,
            params,
        } = planned(&mut request)?;
        let sample = BacktestRequest {
            strategy,
            params,
            ..request.test.clone()
        };
        let (spec, loaded, other, mut features) = self.prepared(&sample).await?;
        // Choices may name other features than the first of them does.
        for (k, dimension) in how.space.dimensions().iter().enumerate() {
            let Dimension::Categorical { choices } = *dimension else {
                continue;
            };
            for choice in 1..choices {
                let mut point = corner.clone();
                point[k] = choice as f64;
                let (strategy, params) = placed(&request, &point)?;
                if let Ok(read) = self.read_strategy(&strategy, &params, spec.symbols.len()) {
                    features.extend(read.features);
                }
            }
        }
        features.sort_unstable();
        features.dedup();
        let year = spec.periods_per_year;
        request.test.periods_per_year = Some(year);
        let cash = *request
            .test
            .cash
            .get_or_insert(spec.strategy.cash.unwrap_or(CASH));
        let symbols: Vec<_> = loaded.iter().map(|l| l.symbol.clone()).collect();
        for one in loaded.iter().filter(|l| l.bars.get().open.is_none()) {
            closes_suffice(&one.symbol.symbol, &spec.strategy)?;
        }
        let unknown: Vec<bool> = loaded.iter().map(|l| l.dividends_unknown).collect();
        let left_out = unknown_dividends(&symbols, &unknown).map(|f| f.sentence);
        let dates = common(&loaded);
        let without_columns = StrategySpec {
            columns: Vec::new(),
            ..spec.strategy.clone()
        };
        let mut all = Vec::with_capacity(loaded.len());
        for one in loaded {
            let part = self.part(&without_columns, one, &features).await?;
            all.push(on_days(part, &dates)?);
        }
        let plan = (request.folds, request.embargo, request.window);
        let folds = windows(
            dates.len(),
            plan.0.unwrap_or(1),
            plan.1.unwrap_or(0),
            plan.2,
        )
        .map_err(|e| ServiceError::invalid("folds", e.to_string()))?;
        let benchmark = match &other {
            Some(o) => {
                let (days, closes) = o.held();
                carried(&dates, days, closes)
            }
            None => {
                let start = folds.first().map_or(0, |f| f.test.start.saturating_sub(1));
                held(&all, start)
            }
        };
        let bench = Bench {
            known: self.features().into_iter().map(|f| f.id).collect(),
            registry: self.inner.registry,
            how: Search {
                periods_per_year: year,
                ..how
            },
            folds,
            days: dates.iter().map(NaiveDate::to_epoch_days).collect(),
            dates,
            symbols: all,
            benchmark,
            cash,
            year,
            left_out,
            each,
            request: request.clone(),
        };
        Ok((OptimisationSpec { symbols, request }, Arc::new(bench)))
    }
}

/// What can be said of a request without data.
pub(super) struct Planned {
    how: Search,
    pub(super) each: u32,
    /// The lowest values of the parameters.
    corner: Vec<f64>,
    /// The strategy and its parameters with these.
    pub(super) strategy: Value,
    pub(super) params: Map<String, Value>,
}

/// Looks at a request and fills its defaults in.
pub(super) fn planned(request: &mut OptimisationRequest) -> Result<Planned, ServiceError> {
    let (how, each) = search(request)?;
    let corner: Vec<f64> = how.space.dimensions().iter().map(lowest).collect();
    let (strategy, params) = placed(request, &corner)?;
    Ok(Planned {
        how,
        each,
        corner,
        strategy,
        params,
    })
}

/// How windows are searched; fills the request's defaults in.
fn search(request: &mut OptimisationRequest) -> Result<(Search, u32), ServiceError> {
    // A strategy as JSON is looked into: as an object.
    if let Value::String(text) = &request.test.strategy
        && text.trim_start().starts_with('{')
    {
        request.test.strategy = serde_json::from_str(text)
            .map_err(|e| ServiceError::invalid("strategy", e.to_string()))?;
    }
    if request.test.strategy.is_null() {
        request.test.strategy = Value::from(ready::DEFAULT);
    }
    let space = space(&request.search).map_err(|e| of_strategy(&e))?;
    let name = request.method.get_or_insert_with(|| METHOD.to_owned());
    let method = Method::named(name, &request.settings)?;
    let within = |field: &'static str, value: u32, low: u32, high: u32| {
        if (low..=high).contains(&value) {
            return Ok(value);
        }
        Err(ServiceError::invalid(
            field,
            format!("{value} is not in {low} to {high}"),
        ))
    };
    let asked = *request.evaluations.get_or_insert(100);
    let evaluations = within("evaluations", asked, 1, MOST_EVALUATIONS)?;
    let mut each = evaluations;
    if let Method::Grid { levels } = method {
        let points = space.grid_points(levels);
        if let Some(points) = points.and_then(|p| u32::try_from(p).ok()) {
            each = points.min(evaluations);
        }
        if points.is_none_or(|p| p > evaluations as usize) {
            let points = points.map_or("too many".to_owned(), |p| p.to_string());
            return Err(ServiceError::invalid(
                "evaluations",
                format!(
                    "the grid has {points} points, {evaluations} may be tried: give fewer levels or more evaluations"
                ),
            ));
        }
    }
    let asked = *request.min_trades.get_or_insert(1);
    let min_trades = within("min_trades", asked, 0, 1_000_000)?;
    within("folds", *request.folds.get_or_insert(5), 1, MOST_FOLDS)?;
    within("embargo", *request.embargo.get_or_insert(0), 0, 1_000_000)?;
    if let Some(window) = request.window {
        let least = mltrainer_backtest::splits::MIN_TRAIN_DAYS as u32;
        within("window", window, least, 1_000_000)?;
    }
    let how = Search {
        space,
        method,
        evaluations: evaluations as usize,
        seed: *request.test.seed.get_or_insert(1),
        objective: request.objective,
        min_trades: min_trades as usize,
        periods_per_year: 252.0,
    };
    Ok((how, each))
}

/// The lowest value of a parameter.
fn lowest(dimension: &Dimension) -> f64 {
    match *dimension {
        Dimension::Real { low, .. } => low,
        Dimension::Integer { low, .. } => low as f64,
        Dimension::Categorical { .. } => 0.0,
    }
}

/// The strategy of a point as a back test takes it, and its parameters.
fn placed(
    request: &OptimisationRequest,
    point: &[f64],
) -> Result<(Value, Map<String, Value>), ServiceError> {
    let found = values(&request.search, point);
    let test = &request.test;
    if test.strategy.is_object() {
        let filled = fill(&test.strategy, &found).map_err(|e| of_strategy(&e))?;
        return Ok((filled, test.params.clone()));
    }
    let mut params = test.params.clone();
    for (name, value) in found {
        if params.insert(name.clone(), value).is_some() {
            return Err(ServiceError::invalid(
                format!("params.{name}"),
                "it is searched too: leave it out in one of the two",
            ));
        }
    }
    Ok((test.strategy.clone(), params))
}

pub(super) fn of_strategy(e: &StrategyError) -> ServiceError {
    let near = if e.suggestions.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", e.suggestions.join(" or "))
    };
    ServiceError::invalid(e.field.clone(), format!("{}{near}", e.reason))
}

pub(super) fn of_service(e: &ServiceError) -> StrategyError {
    let (field, reason) = match e {
        ServiceError::Invalid { field, detail } => (field.clone(), detail.clone()),
        other => ("strategy".to_owned(), other.to_string()),
    };
    StrategyError {
        field,
        reason,
        suggestions: Vec::new(),
    }
}

/// Days that all symbols have.
fn common(loaded: &[Loaded]) -> Vec<NaiveDate> {
    let Some((first, rest)) = loaded.split_first() else {
        return Vec::new();
    };
    let all = first.bars.get().dates.iter().copied();
    all.filter(|day| {
        let mut others = rest.iter();
        others.all(|l| l.bars.get().dates.binary_search(day).is_ok())
    })
    .collect()
}

/// A symbol on these days only.
fn on_days(part: Part, dates: &[NaiveDate]) -> Result<Common, ServiceError> {
    let own = &part.bars.get().dates;
    let places: Vec<usize> = dates
        .iter()
        .filter_map(|day| own.binary_search(day).ok())
        .collect();
    let pick = |column: &[f64]| -> Vec<f64> {
        let each = places.iter().filter_map(|p| column.get(*p));
        each.copied().collect()
    };
    let columns = |bars: &Verified<Bars>| {
        bars.derive("days", "days that all symbols have", |b| {
            let some = |c: &Option<Vec<f64>>| c.as_deref().map(&pick);
            let columns = Columns {
                open: some(&b.open),
                high: some(&b.high),
                low: some(&b.low),
                close: pick(&b.close),
                volume: some(&b.volume),
            };
            columns.check()?;
            Ok::<_, ServiceError>(columns)
        })
    };
    let bars = columns(&part.bars)?;
    let (traded, events, held) = match &part.traded {
        None => (None, Vec::new(), pick(&part.bars.get().close)),
        Some(t) => (
            Some(columns(&t.bars)?),
            t.events(dates),
            pick(&t.total.get().close),
        ),
    };
    let features = part.columns.iter();
    Ok(Common {
        features: features
            .map(|(name, values)| (name.clone(), pick(values)))
            .collect(),
        name: part.symbol,
        bars,
        traded,
        events,
        held,
    })
}

/// Equal parts in every symbol from a bar on; before it the same by its price.
fn held(symbols: &[Common], start: usize) -> Vec<f64> {
    let bars = symbols.first().map_or(0, |s| s.held.len());
    let each = 1.0 / symbols.len().max(1) as f64;
    (0..bars)
        .map(|t| {
            let parts = symbols.iter().map(|s| each * s.held[t] / s.held[start]);
            parts.sum()
        })
        .collect()
}

/// The bars for a strategy; closes alone stand for all four prices.
fn seen(b: &Columns) -> strategy::Bars<'_> {
    strategy::Bars {
        open: b.open.as_deref().unwrap_or(&b.close),
        high: b.high.as_deref().unwrap_or(&b.close),
        low: b.low.as_deref().unwrap_or(&b.close),
        close: &b.close,
        volume: b.volume.as_deref(),
    }
}

fn head(bars: &Columns, end: usize) -> Columns {
    let cut = |c: &[f64]| c.iter().take(end).copied().collect::<Vec<f64>>();
    let some = |c: &Option<Vec<f64>>| c.as_deref().map(cut);
    Columns {
        open: some(&bars.open),
        high: some(&bars.high),
        low: some(&bars.low),
        close: cut(&bars.close),
        volume: some(&bars.volume),
    }
}

impl Bench {
    /// The strategy of a point.
    fn strategy(&self, point: &[f64]) -> Result<StrategySpec, ServiceError> {
        let (strategy, params) = placed(&self.request, point)?;
        let count = self.symbols.len();
        let read = read::read(&strategy, &params, count, &self.registry, &self.known)?;
        complete(read.spec, &self.request.test, &read.features)
    }

    /// What the strategy of a point does in a span; nothing after its end is looked at.
    pub(super) fn test(&self, point: &[f64], span: Range<usize>) -> Result<Span, ServiceError> {
        let spec = self.strategy(point)?;
        let base = Settings {
            costs: Costs {
                periods_per_year: self.year,
                ..Costs::default()
            },
            ..Settings::default()
        };
        let mut symbols = Vec::with_capacity(self.symbols.len());
        for s in &self.symbols {
            let mut columns = s.features.clone();
            if !spec.columns.is_empty() {
                let until = s.bars.derive("span", "bars up to the end of a span", |b| {
                    Ok::<_, FitError>(head(b, span.end))
                })?;
                let found = catalogue_columns(&spec, &self.registry, &until)
                    .map_err(|e| ServiceError::from(Unread::Fault(read::fault(e))))?;
                columns.extend(found);
            }
            if s.bars.get().open.is_none() {
                closes_suffice(&s.name, &spec)?;
            }
            symbols.push(Symbol {
                name: &s.name,
                bars: seen(s.bars.get()),
                traded: s.traded.as_ref().map(|t| seen(t.get())),
                events: &s.events,
                columns,
            });
        }
        test_span(&spec, &symbols, Some(&self.days), &base, span)
            .map_err(|e| ServiceError::from(Unread::Fault(read::fault(e))))
    }

    /// The parameters of a point by name.
    pub(super) fn params(&self, point: &[f64]) -> Map<String, Value> {
        values(&self.request.search, point)
    }

    /// A window with what is shown of it.
    pub(super) fn done(&self, window: Window) -> DoneWindow {
        let start = window.test.start.saturating_sub(1);
        let prices = self
            .benchmark
            .get(start..window.test.end)
            .unwrap_or_default();
        let dates = self.dates.get(start..window.test.end);
        DoneWindow {
            shown: self.shown(&window),
            curve: WindowCurve {
                dates: dates.unwrap_or_default().to_vec(),
                returns: window.returns.clone(),
                benchmark_returns: changes(prices),
            },
            window,
        }
    }

    fn shown(&self, w: &Window) -> OptimisationWindow {
        let day = |t: usize| self.dates.get(t).copied().unwrap_or_default();
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        OptimisationWindow {
            train_first: day(w.train.start),
            train_last: day(w.train.end.saturating_sub(1)),
            test_first: day(w.test.start),
            test_last: day(w.test.end.saturating_sub(1)),
            params: w.chosen.as_ref().map(|p| values(&self.request.search, p)),
            in_sample: w.in_sample,
            out_of_sample: w.out_of_sample,
            in_sample_return: w.in_sample_return,
            out_of_sample_return: w.out_of_sample_return,
            trades: number(w.trades),
            evaluations: number(w.told.len()),
            tried: number(w.tried()),
        }
    }

    pub(super) fn judged(
        &self,
        all: &[Window],
        before: &Tried,
        spec_sha256: &str,
    ) -> Result<OptimisationResult, ServiceError> {
        let first = all.first().map_or(0, |w| w.test.start);
        let last = all.last().map_or(0, |w| w.test.end);
        let returns = stitched(all);
        // A candidate that is no strategy in this span says nothing.
        let tested: Vec<(Vec<f64>, Span)> = candidates(all, MOST_CANDIDATES)
            .into_iter()
            .filter_map(|p| self.test(&p, first..last).ok().map(|span| (p, span)))
            .collect();
        let in_sample_choice = self.best_seen(&tested);
        let columns: Vec<Vec<f64>> = tested.into_iter().map(|(_, span)| span.returns).collect();
        let start = first.saturating_sub(1);
        let prices = self.benchmark.get(start..last).unwrap_or_default();
        let market = changes(prices);
        let judged = judge(all, &market, &columns, before, self.year);
        let equity = grown(self.cash, &returns);
        let base = prices.first().copied().unwrap_or(f64::NAN);
        let benchmark_equity: Vec<f64> = prices.iter().map(|p| self.cash * p / base).collect();
        let mut digest = Digest::new();
        digest.text(spec_sha256).floats(&returns);
        for w in all {
            for told in &w.told {
                digest.floats(&told.point);
                digest.float(told.value.unwrap_or(f64::NAN));
            }
            digest.floats(w.chosen.as_deref().unwrap_or_default());
        }
        let names = self.request.search.iter().map(|p| p.name.clone());
        let tried = u32::try_from(judged.tried).unwrap_or(u32::MAX);
        let chosen = all.iter().rev().find_map(|w| w.chosen.as_deref());
        Ok(OptimisationResult {
            found_edge: judged.verdict.is_some_and(|v| v.edge),
            text: {
                let verdict = words(judged.verdict, false, tried, self.year.sqrt());
                match &self.left_out {
                    Some(left_out) => format!("{verdict} {left_out}"),
                    None => verdict,
                }
            },
            dates: self.dates.get(start..last).unwrap_or_default().to_vec(),
            benchmark_metrics: of_equity(&benchmark_equity, self.year),
            equity,
            benchmark_equity,
            metrics: judged.metrics,
            efficiency: judged.efficiency,
            stability: names
                .zip(stability(&self.how.space, all))
                .map(|(name, stability)| ParameterStability { name, stability })
                .collect(),
            tried,
            tried_here: u32::try_from(judged.tried_here).unwrap_or(u32::MAX),
            deflated_sharpe_ratio: judged.verdict.and_then(|v| finite(v.deflated)),
            probability_of_overfitting: judged.overfitting.as_ref().map(|o| o.probability),
            overfitting: judged.overfitting.map(|o| report(&o, columns.len())),
            in_sample_choice,
            strategy: chosen.map(|p| self.strategy(p)).transpose()?,
            result_sha256: digest.finish(),
        })
    }

    /// The tested point with the best objective, seen afterwards.
    fn best_seen(&self, tested: &[(Vec<f64>, Span)]) -> Option<InSampleChoice> {
        let name = self.how.objective.as_str();
        let mut best: Option<(f64, &(Vec<f64>, Span))> = None;
        for one in tested {
            if one.1.trades() < self.how.min_trades {
                continue;
            }
            let Some(value) = one.1.figure(name) else {
                continue;
            };
            if best.is_none_or(|(b, _)| value > b) {
                best = Some((value, one));
            }
        }
        let (_, (point, span)) = best?;
        Some(InSampleChoice {
            params: self.params(point),
            equity: grown(self.cash, &span.returns),
            metrics: span.metrics.clone(),
        })
    }
}

/// Relative changes from value to value.
fn changes(prices: &[f64]) -> Vec<f64> {
    prices.windows(2).map(|w| w[1] / w[0] - 1.0).collect()
}

/// Money that grows by returns, one more than they are.
pub(super) fn grown(cash: f64, returns: &[f64]) -> Vec<f64> {
    let mut equity = vec![cash];
    let mut now = cash;
    for r in returns {
        now *= 1.0 + r;
        equity.push(now);
    }
    equity
}

fn report(o: &Overfitting, candidates: usize) -> OverfittingReport {
    let mut ranks = vec![0_u32; 10];
    for logit in &o.logits {
        // The relative rank that the logit was made of, above 0 and below 1.
        let rank = 1.0 / (1.0 + (-logit).exp());
        ranks[((10.0 * rank) as usize).min(9)] += 1;
    }
    OverfittingReport {
        candidates: u32::try_from(candidates).unwrap_or(u32::MAX),
        splits: u32::try_from(o.logits.len()).unwrap_or(u32::MAX),
        probability: o.probability,
        loss: o.loss,
        slope: finite(o.slope),
        ranks,
    }
}
