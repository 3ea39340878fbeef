//! Walk-forward optimisation: parameters of a strategy searched window by window, each step on the
//! disk before anybody hears of it.
//!
//! Symbols are taken on the days that all of them have. What was interrupted goes on after the last
//! points that were kept, with the same result.

use super::compute::{carried, words};
use super::read::{self, Unread};
use super::{Loaded, complete, ready};
use crate::port::{KeptOptimisation, Told, Window};
use crate::room::blocking;
use crate::trials::new_uuid;
use crate::{ServiceError, Services};
use chrono::NaiveDate;
use mltrainer_backtest::engine::{Costs, Settings};
use mltrainer_backtest::performance::of_equity;
use mltrainer_backtest::splits::Fold;
use mltrainer_backtest::strategy::{self, Symbol, catalogue_columns};
use mltrainer_backtest::walk_forward::{
    MOST_CANDIDATES, Search, Span, Step, Tried, candidates, fill, judge, run_window, space,
    stability, stitched, test_span, values, windows,
};
use mltrainer_catalogue::search::{Dimension, Method};
use mltrainer_catalogue_core::{Bars as Columns, FitError, Registry};
use mltrainer_compliance::{Digest, Verified};
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::backtest::BacktestRequest;
use mltrainer_types::optimisation::{
    OptimisationRequest, OptimisationResult, OptimisationSpec, OptimisationView,
    OptimisationWindow, ParameterStability,
};
use mltrainer_types::strategy::{StrategyError, StrategySpec};
use mltrainer_types::trial::TrialState;
use mltrainer_types::{OptimisationId, finite};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Method when none is named.
const METHOD: &str = "differential_evolution";
/// Most points of a window.
const MOST_EVALUATIONS: u32 = 10_000;
/// Most windows.
const MOST_FOLDS: u32 = 100;
/// Longest time between two writes of the points told so far.
const KEEP_EVERY: Duration = Duration::from_millis(500);
/// Optimisations on a list.
const PAGE: u32 = 25;

/// Hears of every step that is kept.
pub type OptimisationListener<'a> = dyn FnMut(&OptimisationView) + Send + 'a;

/// A symbol on the common days.
struct Common {
    name: String,
    bars: Verified<Columns>,
    /// Columns of features by name.
    features: Vec<(String, Vec<f64>)>,
}

/// Everything that points are tested with.
struct Bench {
    request: OptimisationRequest,
    registry: Registry,
    /// Ids of all features.
    known: BTreeSet<String>,
    how: Search,
    folds: Vec<Fold>,
    dates: Vec<NaiveDate>,
    days: Vec<i32>,
    symbols: Vec<Common>,
    /// Price of the benchmark, one a day.
    benchmark: Vec<f64>,
    cash: f64,
    year: f64,
}

impl Services {
    /// Searches the parameters of a strategy on each training window and tests the best ones on the
    /// next; `heard` is told of every step that is kept.
    ///
    /// # Errors
    /// As [`Services::run_backtest`], and [`ServiceError::Invalid`] for a space, method or plan of
    /// windows that cannot be used; then nothing is kept.
    pub async fn optimise_backtest(
        &self,
        actor: &str,
        request: OptimisationRequest,
        heard: &mut OptimisationListener<'_>,
    ) -> Result<OptimisationView, ServiceError> {
        let (spec, bench) = self.bench(request).await?;
        let at = self.inner.clock.now();
        let new = KeptOptimisation {
            id: OptimisationId(format!("o-{}", new_uuid(at))),
            created_at: at,
            state: TrialState::Training,
            reason: None,
            spec_sha256: spec_key(&spec)?,
            spec,
            folds: u32::try_from(bench.folds.len()).unwrap_or(u32::MAX),
            told: Vec::new(),
            windows: Vec::new(),
            result: None,
        };
        let entry = audit(
            actor,
            "backtest.optimise",
            &new.id,
            json!({
                "spec_sha256": new.spec_sha256,
                "datasets": new.spec.symbols.iter().map(|s| &s.dataset).collect::<Vec<_>>(),
                "method": new.spec.request.method,
                "evaluations": new.spec.request.evaluations,
                "seed": new.spec.request.test.seed,
            }),
        );
        self.inner
            .optimisations
            .make_optimisation(&new, entry)
            .await?;
        self.walk(actor, new, bench, heard).await
    }

    /// Goes on with an optimisation whose process died.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`]; [`ServiceError::Conflict`] when it has ended, or another process
    /// goes on with it; [`ServiceError::BadData`] when its data are not those it began with.
    pub async fn resume_optimisation(
        &self,
        actor: &str,
        id: &str,
        heard: &mut OptimisationListener<'_>,
    ) -> Result<OptimisationView, ServiceError> {
        let kept = self.kept(id).await?;
        if kept.state.is_final() {
            return Err(ServiceError::Conflict(format!(
                "optimisation {} has ended, it is {}: nothing is left to go on with",
                kept.id,
                kept.state.as_str()
            )));
        }
        let (spec, bench) = self.bench(kept.spec.request.clone()).await?;
        if spec != kept.spec {
            return Err(ServiceError::BadData(format!(
                "the data of optimisation {} are not those it began with: start a new one",
                kept.id
            )));
        }
        self.walk(actor, kept, bench, heard).await
    }

    /// An optimisation as it stands.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn optimisation(&self, id: &str) -> Result<OptimisationView, ServiceError> {
        Ok(view(&self.kept(id).await?))
    }

    /// The newest optimisations, newest first.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn optimisations(&self) -> Result<Vec<OptimisationView>, ServiceError> {
        let mut all = Vec::new();
        for id in self.inner.optimisations.optimisation_ids(PAGE).await? {
            all.push(self.optimisation(id.as_str()).await?);
        }
        Ok(all)
    }

    async fn kept(&self, id: &str) -> Result<KeptOptimisation, ServiceError> {
        let found = self.inner.optimisations.optimisation(&id.into()).await?;
        found.ok_or_else(|| ServiceError::NotFound {
            what: "optimisation",
            id: id.chars().take(80).collect(),
            suggestions: Vec::new(),
        })
    }

    /// The windows that are not done, then the judgement.
    async fn walk(
        &self,
        actor: &str,
        mut kept: KeptOptimisation,
        bench: Arc<Bench>,
        heard: &mut OptimisationListener<'_>,
    ) -> Result<OptimisationView, ServiceError> {
        heard(&view(&kept));
        let outcome = match self.walk_windows(&mut kept, &bench, heard).await {
            Ok(()) => self.judged(&kept, bench).await,
            Err(e) => Err(e),
        };
        let at = self.inner.clock.now();
        let store = &self.inner.optimisations;
        match outcome {
            Ok(result) => {
                let entry = audit(
                    actor,
                    "backtest.optimised",
                    &kept.id,
                    json!({
                        "result_sha256": result.result_sha256,
                        "tried": result.tried,
                        "found_edge": result.found_edge,
                    }),
                );
                store
                    .end_optimisation(&kept.id, Ok(&result), at, entry)
                    .await?;
                kept.state = TrialState::Finished;
                kept.result = Some(result);
                let view = view(&kept);
                heard(&view);
                Ok(view)
            }
            // What may pass leaves it as it stands, to go on with.
            Err(
                e @ (ServiceError::Unavailable(_)
                | ServiceError::Conflict(_)
                | ServiceError::Internal(_)),
            ) => Err(e),
            Err(e) => {
                let reason = e.to_string();
                let detail = json!({ "reason": reason });
                let entry = audit(actor, "backtest.optimised", &kept.id, detail);
                store
                    .end_optimisation(&kept.id, Err(reason.as_str()), at, entry)
                    .await?;
                Err(e)
            }
        }
    }

    async fn walk_windows(
        &self,
        kept: &mut KeptOptimisation,
        bench: &Arc<Bench>,
        heard: &mut OptimisationListener<'_>,
    ) -> Result<(), ServiceError> {
        let store = &self.inner.optimisations;
        while let Some(fold) = bench.folds.get(kept.windows.len()).cloned() {
            let number = kept.windows.len();
            let place = u32::try_from(number).unwrap_or(u32::MAX);
            let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<Vec<Told>>();
            let (work, clock) = (bench.clone(), self.inner.clock.clone());
            let told = std::mem::take(&mut kept.told);
            let searching = tokio::spawn(blocking(move || {
                let mut last = clock.monotonic();
                let mut seen = |told: &[Told]| {
                    let now = clock.monotonic();
                    if now.saturating_sub(last) < KEEP_EVERY {
                        return true;
                    }
                    last = now;
                    // Nobody listens any more when the points could not be kept.
                    sender.send(told.to_vec()).is_ok()
                };
                let test = |point: &[f64], span: Range<usize>| {
                    work.test(point, span).map_err(|e| of_service(&e))
                };
                run_window(&work.how, number, &fold, &told, &test, &mut seen)
                    .map_err(|e| of_strategy(&e))
            }));
            while let Some(told) = receiver.recv().await {
                if let Err(e) = store.keep_told(&kept.id, place, &told).await {
                    // The search stops at its next point.
                    drop(receiver);
                    return Err(e.into());
                }
                kept.told = told;
                heard(&view(kept));
            }
            let step = searching
                .await
                .map_err(|e| ServiceError::Internal(format!("a search did not end: {e}")))??;
            let Step::Done(window) = step else {
                return Err(ServiceError::Unavailable(
                    "the search was stopped: go on with it later".to_owned(),
                ));
            };
            let shown = bench.shown(&window);
            let mut points = BTreeSet::new();
            let all = kept.windows.iter().map(|(w, _)| w).chain([&*window]);
            for told in all.flat_map(|w| &w.told) {
                points.insert(told.point.iter().map(|x| x.to_bits()).collect::<Vec<_>>());
            }
            let tried = u32::try_from(points.len()).unwrap_or(u32::MAX);
            let both = (*window, shown);
            store.keep_window(&kept.id, place, &both, tried).await?;
            kept.windows.push(both);
            kept.told = Vec::new();
            heard(&view(kept));
        }
        Ok(())
    }

    async fn judged(
        &self,
        kept: &KeptOptimisation,
        bench: Arc<Bench>,
    ) -> Result<OptimisationResult, ServiceError> {
        let symbols = &kept.spec.symbols;
        let names: Vec<String> = symbols.iter().map(|s| s.symbol.clone()).collect();
        let store = &self.inner.backtests;
        let before = store.tried_on(&names, &kept.spec_sha256).await?;
        let others = before
            .models
            .saturating_add(before.searched)
            .saturating_add(u32::try_from(before.ratios.len()).unwrap_or(u32::MAX));
        let before = Tried {
            number: others as usize,
            ratios: before.ratios.into_iter().flatten().collect(),
        };
        let all: Vec<Window> = kept.windows.iter().map(|(w, _)| w.clone()).collect();
        let key = kept.spec_sha256.clone();
        blocking(move || bench.judged(&all, &before, &key)).await
    }

    /// Everything that is needed to test points, and the specification with every default filled in.
    async fn bench(
        &self,
        mut request: OptimisationRequest,
    ) -> Result<(OptimisationSpec, Arc<Bench>), ServiceError> {
        let how = search(&mut request)?;
        let corner: Vec<f64> = how.space.dimensions().iter().map(lowest).collect();
        let (strategy, params) = placed(&request, &corner)?;
        let sample = BacktestRequest {
            strategy,
            params,
            ..request.test.clone()
        };
        let (spec, loaded, other, features) = self.prepared(&sample).await?;
        let year = spec.periods_per_year;
        request.test.periods_per_year = Some(year);
        let symbols: Vec<_> = loaded.iter().map(|l| l.symbol.clone()).collect();
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
                let bars = o.bars.get();
                carried(&dates, &bars.dates, &bars.close)
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
            cash: spec.strategy.cash.unwrap_or(super::CASH),
            year,
            request: request.clone(),
        };
        Ok((OptimisationSpec { symbols, request }, Arc::new(bench)))
    }
}

/// How windows are searched; fills the request's defaults in.
fn search(request: &mut OptimisationRequest) -> Result<Search, ServiceError> {
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
    if let Method::Grid { levels } = method {
        let points = space.grid_points(levels);
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
    Ok(Search {
        space,
        method,
        evaluations: evaluations as usize,
        seed: *request.test.seed.get_or_insert(1),
        objective: request.objective,
        min_trades: min_trades as usize,
        periods_per_year: 252.0,
    })
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

fn of_strategy(e: &StrategyError) -> ServiceError {
    let near = if e.suggestions.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", e.suggestions.join(" or "))
    };
    ServiceError::invalid(e.field.clone(), format!("{}{near}", e.reason))
}

fn of_service(e: &ServiceError) -> StrategyError {
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
fn on_days(part: super::Part, dates: &[NaiveDate]) -> Result<Common, ServiceError> {
    let own = &part.bars.get().dates;
    let places: Vec<usize> = dates
        .iter()
        .filter_map(|day| own.binary_search(day).ok())
        .collect();
    let pick = |column: &[f64]| -> Vec<f64> {
        let each = places.iter().filter_map(|p| column.get(*p));
        each.copied().collect()
    };
    let name = part.symbol.clone();
    let bars = part
        .bars
        .derive("days", "days that all symbols have", |b| {
            for (column, is_there) in [
                ("open", b.open.is_some()),
                ("high", b.high.is_some()),
                ("low", b.low.is_some()),
            ] {
                if !is_there {
                    return Err(ServiceError::BadData(format!(
                        "{name} has no {column}: a back test fills orders within open, high and low; choose a data set that has them"
                    )));
                }
            }
            let some = |c: &Option<Vec<f64>>| c.as_deref().map(&pick);
            let columns = Columns {
                open: some(&b.open),
                high: some(&b.high),
                low: some(&b.low),
                close: pick(&b.close),
                volume: some(&b.volume),
            };
            columns.check()?;
            Ok(columns)
        })?;
    let features = part.columns.iter();
    Ok(Common {
        features: features
            .map(|(name, values)| (name.clone(), pick(values)))
            .collect(),
        name: part.symbol,
        bars,
    })
}

/// Equal parts in every symbol from a bar on; before it the same by its price.
fn held(symbols: &[Common], start: usize) -> Vec<f64> {
    let bars = symbols.first().map_or(0, |s| s.bars.get().close.len());
    let each = 1.0 / symbols.len().max(1) as f64;
    (0..bars)
        .map(|t| {
            let parts = symbols.iter().map(|s| {
                let close = &s.bars.get().close;
                each * close[t] / close[start]
            });
            parts.sum()
        })
        .collect()
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
    fn test(&self, point: &[f64], span: Range<usize>) -> Result<Span, ServiceError> {
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
            let b = s.bars.get();
            symbols.push(Symbol {
                name: &s.name,
                bars: strategy::Bars {
                    open: b.open.as_deref().unwrap_or_default(),
                    high: b.high.as_deref().unwrap_or_default(),
                    low: b.low.as_deref().unwrap_or_default(),
                    close: &b.close,
                    volume: b.volume.as_deref(),
                },
                events: &[],
                columns,
            });
        }
        test_span(&spec, &symbols, Some(&self.days), &base, span)
            .map_err(|e| ServiceError::from(Unread::Fault(read::fault(e))))
    }

    /// A window as it is shown.
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

    fn judged(
        &self,
        all: &[Window],
        before: &Tried,
        spec_sha256: &str,
    ) -> Result<OptimisationResult, ServiceError> {
        let first = all.first().map_or(0, |w| w.test.start);
        let last = all.last().map_or(0, |w| w.test.end);
        let returns = stitched(all);
        // A candidate that is no strategy in this span says nothing.
        let columns: Vec<Vec<f64>> = candidates(all, MOST_CANDIDATES)
            .iter()
            .filter_map(|p| self.test(p, first..last).ok())
            .map(|span| span.returns)
            .collect();
        let start = first.saturating_sub(1);
        let prices = self.benchmark.get(start..last).unwrap_or_default();
        let market: Vec<f64> = prices.windows(2).map(|w| w[1] / w[0] - 1.0).collect();
        let judged = judge(all, &market, &columns, before, self.year);
        let mut equity = vec![self.cash];
        let mut now = self.cash;
        for r in &returns {
            now *= 1.0 + r;
            equity.push(now);
        }
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
            text: words(judged.verdict, false, tried, self.year.sqrt()),
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
            probability_of_overfitting: judged.overfitting.map(|o| o.probability),
            strategy: chosen.map(|p| self.strategy(p)).transpose()?,
            result_sha256: digest.finish(),
        })
    }
}

/// SHA-256 of the specification.
fn spec_key(spec: &OptimisationSpec) -> Result<String, ServiceError> {
    let text = serde_json::to_string(spec)
        .map_err(|e| ServiceError::Internal(format!("a specification was not written: {e}")))?;
    Ok(hex::encode(Sha256::digest(text)))
}

fn audit(actor: &str, action: &str, id: &OptimisationId, detail: Value) -> AuditEntry {
    AuditEntry {
        actor: actor.to_owned(),
        action: action.to_owned(),
        subject: id.0.clone(),
        decision: "allowed".to_owned(),
        rule: None,
        detail,
    }
}

fn view(kept: &KeptOptimisation) -> OptimisationView {
    OptimisationView {
        id: kept.id.clone(),
        created_at: kept.created_at,
        state: kept.state,
        reason: kept.reason.clone(),
        spec: kept.spec.clone(),
        folds: kept.folds,
        windows: kept
            .windows
            .iter()
            .map(|(_, shown)| shown.clone())
            .collect(),
        told: u32::try_from(kept.told.len()).unwrap_or(u32::MAX),
        result: kept.result.clone(),
    }
}
