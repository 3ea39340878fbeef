//! Back tests: a strategy on registered data, everything that is said of the outcome, and the count of
//! what was ever tried on the same symbols.
//!
//! `ready` holds the ready-made strategies, `read` reads what arrives, `compute` runs the engine,
//! `optimise` searches parameters window by window, `table` writes CSV. What is acknowledged is on the
//! disk, with its audit record in the same transaction.

mod compute;
mod optimise;
mod read;
mod ready;
mod table;
mod traded;

use crate::corporate::Dividends;
use crate::port::{Idempotency, Kept, NewBacktest, Registered};
use crate::room::blocking;
use crate::run::span_words;
use crate::trials::{approved, key_of, new_uuid};
use crate::{ServiceError, Services};
use chrono::NaiveDate;
use compute::{Before, Part, Tested, column_of, falls, months, rolling_sharpe};
use mltrainer_backtest::strategy::{canonical, catalogue_columns};
use mltrainer_catalogue_core::Bars as Columns;
use mltrainer_compliance::Verified;
use mltrainer_data::bars::Bars;
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::backtest::{
    BacktestRequest, BacktestSpec, BacktestSummary, BacktestSymbol, BacktestTrade, BacktestView,
    ReadyMade, StrategyCheck, StrategyCheckRequest,
};
use mltrainer_types::data::{Bar, DatasetKind};
use mltrainer_types::strategy::{CostSpec, StrategySpec};
use mltrainer_types::trial::DatasetRef;
use mltrainer_types::{BacktestId, Page};
use read::{Read, Unread};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use traded::Traded;
use uuid::Uuid;

pub use optimise::OptimisationListener;
pub(crate) use optimise::Searches;

/// Back tests on a page of the list.
const PAGE: u32 = 25;
/// Most symbols of a back test.
const MAX_SYMBOLS: usize = 50;
/// Fewest bars of a symbol in the span.
const MIN_BARS: usize = 20;
/// Cash at the start when nothing states it.
const CASH: f64 = 10_000.0;
/// Commission when nothing states the costs: five basis points a side, as in trials.
const RATE: f64 = 0.0005;

/// A symbol with its bars in the span.
struct Loaded {
    symbol: BacktestSymbol,
    bars: Verified<Bars>,
    /// The prices of their day, where they are known to be others, and splits and dividends.
    traded: Option<Traded>,
    /// Whether it may have paid dividends that are not known.
    dividends_unknown: bool,
}

impl Loaded {
    /// Days and closes of holding it, with the dividends that are known.
    fn held(&self) -> (&[NaiveDate], &[f64]) {
        let bars = self.traded.as_ref().map_or(&self.bars, |t| &t.total).get();
        (&bars.dates, &bars.close)
    }
}

impl Services {
    /// The ready-made strategies.
    #[must_use]
    pub fn ready_made(&self) -> Vec<ReadyMade> {
        ready::list()
    }

    /// Looks at a strategy without running it.
    #[must_use]
    pub fn check_strategy(&self, request: &StrategyCheckRequest) -> StrategyCheck {
        let found = self.read_strategy(&request.strategy, &request.params, 1);
        let fault = match found {
            Ok(read) => {
                return StrategyCheck {
                    valid: true,
                    errors: Vec::new(),
                    strategy: Some(read.spec),
                };
            }
            Err(Unread::Fault(fault)) => fault,
            Err(Unread::Service(e)) => {
                let problem = e.problem();
                mltrainer_types::backtest::StrategyFault {
                    field: problem.field.unwrap_or_default(),
                    reason: problem.detail,
                    line: None,
                    column: None,
                    suggestions: Vec::new(),
                }
            }
        };
        StrategyCheck {
            valid: false,
            errors: vec![fault],
            strategy: None,
        }
    }

    fn read_strategy(
        &self,
        value: &serde_json::Value,
        params: &serde_json::Map<String, serde_json::Value>,
        symbols: usize,
    ) -> Result<Read, Unread> {
        let features: BTreeSet<String> = self.features().into_iter().map(|f| f.id).collect();
        read::read(value, params, symbols, &self.inner.registry, &features)
    }

    /// Tests a strategy on the bars of registered data sets and keeps the result. The same key with
    /// the same request gives the same back test.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] for an unknown symbol or ready-made strategy with the nearest names,
    /// [`ServiceError::Invalid`] with the field for a value that cannot be used,
    /// [`ServiceError::BadData`] for data that a back test cannot run on, [`ServiceError::Conflict`] for a
    /// key that came with another request; then nothing is kept.
    pub async fn run_backtest(
        &self,
        actor: &str,
        request: BacktestRequest,
        idempotency_key: Option<&str>,
    ) -> Result<BacktestView, ServiceError> {
        let idempotency = idempotency_key.map(|k| key_of(k, &request)).transpose()?;
        if let Some(made) = self.made_before(idempotency.as_ref()).await? {
            return Ok(made);
        }
        let (spec, loaded, other, features) = self.prepared(&request).await?;
        let spec_sha256 = spec_key(&spec)?;
        let names: Vec<String> = spec.symbols.iter().map(|s| s.symbol.clone()).collect();
        let tried = self.inner.backtests.tried_on(&names, &spec_sha256).await?;
        let before = Before {
            ratios: tried.ratios,
            models: tried.models.saturating_add(tried.searched),
        };
        let mut parts = Vec::with_capacity(loaded.len());
        for l in loaded {
            parts.push(self.part(&spec.strategy, l, &features).await?);
        }
        let lasting = spec.clone();
        let tested = blocking(move || run(&lasting, parts, other, &before)).await?;
        let at = self.inner.clock.now();
        let id = BacktestId(format!("b-{}", new_uuid(at)));
        let view = view(id.clone(), at, spec, spec_sha256, &tested);
        let audit = AuditEntry {
            actor: actor.to_owned(),
            action: "backtest.run".to_owned(),
            subject: id.0.clone(),
            decision: "allowed".to_owned(),
            rule: None,
            detail: json!({
                "spec_sha256": view.spec_sha256,
                "result_sha256": view.result_sha256,
                "datasets": view.spec.symbols.iter().map(|s| &s.dataset).collect::<Vec<_>>(),
                "strategy": view.spec.strategy.name,
                "tried": view.verdict.tried,
                "found_edge": view.verdict.found_edge,
                "seed": view.spec.seed,
            }),
        };
        let kept = self
            .inner
            .backtests
            .keep(NewBacktest {
                summary: summary(&view),
                ratio: tested.get().ratio,
                view: view.clone(),
                idempotency,
                audit,
            })
            .await?;
        match kept {
            Kept::Made => Ok(view),
            Kept::Repeated(id) => self.backtest(id.as_str()).await,
            Kept::KeyTaken => Err(key_taken()),
        }
    }

    async fn made_before(
        &self,
        key: Option<&Idempotency>,
    ) -> Result<Option<BacktestView>, ServiceError> {
        let Some(key) = key else { return Ok(None) };
        match self.inner.backtests.of_key(&key.key).await? {
            None => Ok(None),
            Some((body, id)) if body == key.body_sha256 => {
                self.backtest(id.as_str()).await.map(Some)
            }
            Some(_) => Err(key_taken()),
        }
    }

    /// A back test with all that came out.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn backtest(&self, id: &str) -> Result<BacktestView, ServiceError> {
        let found = self.inner.backtests.backtest(&id.into()).await?;
        found.ok_or_else(|| ServiceError::NotFound {
            what: "backtest",
            id: id.chars().take(80).collect(),
            suggestions: Vec::new(),
        })
    }

    /// Back tests, newest first.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] for a cursor that is none.
    pub async fn backtests(
        &self,
        cursor: Option<&str>,
    ) -> Result<Page<BacktestSummary>, ServiceError> {
        let before = cursor.filter(|c| !c.is_empty());
        if let Some(text) = before
            && text
                .strip_prefix("b-")
                .is_none_or(|id| Uuid::try_parse(id).is_err())
        {
            return Err(ServiceError::invalid(
                "cursor",
                format!("\"{text}\" is not a cursor"),
            ));
        }
        let mut items = self.inner.backtests.backtests(before, PAGE + 1).await?;
        let more = items.len() > PAGE as usize;
        items.truncate(PAGE as usize);
        let next = items.last().filter(|_| more).map(|b| b.id.0.clone());
        Ok(Page { items, next })
    }

    /// The bars that a back test ran on, in the order of its symbols, as they are now.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] when a data set is gone.
    pub async fn backtest_bars(&self, view: &BacktestView) -> Result<Vec<Vec<Bar>>, ServiceError> {
        let mut all = Vec::with_capacity(view.spec.symbols.len());
        for s in &view.spec.symbols {
            let id = s.dataset.id.as_str();
            all.push(self.bars(id, view.spec.start, view.spec.end).await?);
        }
        Ok(all)
    }

    /// A table of a back test as a file: `trades`, `fills` or `equity`, with the ending `.csv` or
    /// `.parquet`.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] for an unknown back test, and for another name with those there are.
    pub async fn backtest_file(&self, id: &str, name: &str) -> Result<Vec<u8>, ServiceError> {
        let view = self.backtest(id).await?;
        let name = name.to_owned();
        blocking(move || table::file(&view, &name)).await
    }

    /// The specification, the bars, those of another benchmark, and the features named.
    async fn prepared(
        &self,
        request: &BacktestRequest,
    ) -> Result<(BacktestSpec, Vec<Loaded>, Option<Loaded>, Vec<String>), ServiceError> {
        let (start, end) = (request.start, request.end);
        crate::data::check_span(start, end)?;
        if let Some(source) = &request.source {
            approved(source)?;
        }
        let periods_per_year = request.periods_per_year.unwrap_or(252.0);
        if !(1.0..=1e6).contains(&periods_per_year) {
            return Err(ServiceError::invalid(
                "periods_per_year",
                format!("{periods_per_year} is not in 1 to 1000000"),
            ));
        }
        let asked = request.symbols.len().max(1);
        let read = self.read_strategy(&request.strategy, &request.params, asked)?;
        let names = if request.symbols.is_empty() {
            &read.spec.universe
        } else {
            &request.symbols
        };
        if names.is_empty() || names.len() > MAX_SYMBOLS {
            let named = match names.len() {
                0 => "no symbol is named".to_owned(),
                n => format!("{n} symbols are named"),
            };
            return Err(ServiceError::invalid(
                "symbols",
                format!("{named}; give 1 to {MAX_SYMBOLS}, for example AAPL"),
            ));
        }
        let all = self.inner.room.all().await?;
        let source = request.source.as_deref();
        let mut loaded: Vec<Loaded> = Vec::with_capacity(names.len());
        for name in names {
            let one = self
                .load(&all, "symbols", name, source, (start, end))
                .await?;
            if loaded.iter().any(|l| l.symbol.symbol == one.symbol.symbol) {
                return Err(ServiceError::invalid(
                    "symbols",
                    format!("{} is named twice", one.symbol.symbol),
                ));
            }
            loaded.push(one);
        }
        let other = match request
            .benchmark
            .as_deref()
            .filter(|b| !b.trim().is_empty())
        {
            None => None,
            Some(name) => Some(
                self.load(&all, "benchmark", name, None, (start, end))
                    .await?,
            ),
        };
        let strategy = complete(read.spec, request, &read.features)?;
        let (id, params) = match read.ready_made {
            Some((id, params)) => (Some(id), params),
            None => (None, serde_json::Map::new()),
        };
        let spec = BacktestSpec {
            symbols: loaded.iter().map(|l| l.symbol.clone()).collect(),
            start,
            end,
            ready_made: id,
            params,
            strategy,
            benchmark: other.as_ref().map(|o| o.symbol.clone()),
            finalize: request.finalize,
            periods_per_year,
            seed: request.seed.unwrap_or(1),
        };
        Ok((spec, loaded, other, read.features))
    }

    /// The bars of a symbol or data set in a span.
    async fn load(
        &self,
        all: &[Registered],
        field: &'static str,
        name: &str,
        source: Option<&str>,
        (start, end): (Option<NaiveDate>, Option<NaiveDate>),
    ) -> Result<Loaded, ServiceError> {
        let name = name.trim();
        let set = if name.contains(':') {
            self.inner.room.one(name).await?
        } else {
            let found = Self::dataset_of(all, name, source)?;
            self.inner.room.one(found.id.as_str()).await?
        };
        let summary = set.detail.summary.clone();
        if summary.kind == DatasetKind::Series {
            return Err(ServiceError::invalid(
                field,
                format!(
                    "{} is an economic series; a back test takes prices",
                    summary.id
                ),
            ));
        }
        let bars = self.inner.room.bars(&set).await?;
        let span = bars.derive("span", span_words(start, end), |b| {
            let cut = b.slice(start, end);
            if cut.len() >= MIN_BARS {
                return Ok(cut);
            }
            Err(ServiceError::BadData(format!(
                "{} has {} bars in the span asked for, at least {MIN_BARS} are needed; its data reaches from {} to {}",
                b.symbol,
                cut.len(),
                summary.first,
                summary.last
            )))
        })?;
        let corporate = self.corporate(&set, &bars).await?;
        let dividends_unknown = corporate.dividends == Dividends::Unknown;
        let traded = Traded::new(corporate, &span)?;
        let dates = &span.get().dates;
        let symbol = BacktestSymbol {
            symbol: summary
                .symbols
                .first()
                .cloned()
                .unwrap_or_else(|| name.to_uppercase()),
            first: dates.first().copied().unwrap_or(summary.first),
            last: dates.last().copied().unwrap_or(summary.last),
            bars: u32::try_from(dates.len()).unwrap_or(u32::MAX),
            dataset: DatasetRef {
                id: summary.id,
                source: summary.source,
                sha256: summary.sha256,
            },
            actions: traded.as_ref().and_then(Traded::told),
        };
        Ok(Loaded {
            symbol,
            bars: span,
            traded,
            dividends_unknown,
        })
    }

    /// A symbol with the columns that the strategy names: of the catalogue, and features.
    async fn part(
        &self,
        strategy: &StrategySpec,
        loaded: Loaded,
        features: &[String],
    ) -> Result<Part, ServiceError> {
        let Loaded {
            symbol,
            bars,
            traded,
            dividends_unknown,
        } = loaded;
        let mut columns = Vec::new();
        if !strategy.columns.is_empty() {
            let plain = bars.derive("bars", "columns of the bars", |b| {
                let columns = Columns {
                    open: b.open.clone(),
                    high: b.high.clone(),
                    low: b.low.clone(),
                    close: b.close.clone(),
                    volume: b.volume.clone(),
                };
                columns.check().map(|()| columns)
            })?;
            let (spec, registry) = (strategy.clone(), self.inner.registry);
            columns = blocking(move || {
                catalogue_columns(&spec, &registry, &plain)
                    .map_err(|e| Unread::Fault(read::fault(e)).into())
            })
            .await?;
        }
        if !features.is_empty() {
            let id = symbol.dataset.id.to_string();
            let rows = self.feature_rows(&[id], features.to_vec()).await?;
            let rows = rows.into_iter().next().ok_or_else(|| {
                ServiceError::BadData(format!("{} has no features", symbol.symbol))
            })?;
            for name in features {
                let Some(at) = rows.names.iter().position(|n| n == name) else {
                    let reason = rows.left_out.iter().find(|(n, _)| n == name);
                    return Err(ServiceError::BadData(format!(
                        "{name} cannot be computed on {}: {}",
                        symbol.symbol,
                        reason.map_or("its columns are not there", |(_, r)| r)
                    )));
                };
                let values = bars.get().dates.iter().map(|d| {
                    let day = d.to_string();
                    let row = rows.rows.binary_search_by(|(r, _)| r.as_str().cmp(&day));
                    let row = row.ok().and_then(|r| rows.rows.get(r));
                    row.and_then(|(_, v)| v.get(at).copied().flatten())
                        .unwrap_or(f64::NAN)
                });
                columns.push((name.clone(), values.collect()));
            }
        }
        Ok(Part {
            symbol: symbol.symbol,
            bars,
            traded,
            dividends_unknown,
            columns,
        })
    }
}

fn key_taken() -> ServiceError {
    ServiceError::Conflict(
        "this Idempotency-Key came before with another request: use a new key for a new back test"
            .to_owned(),
    )
}

/// The strategy with what the request states in place of what it leaves out, checked once more.
fn complete(
    mut spec: StrategySpec,
    request: &BacktestRequest,
    features: &[String],
) -> Result<StrategySpec, ServiceError> {
    let stated = (spec.cash.is_some(), spec.costs.is_some());
    for (field, twice) in [
        ("cash", stated.0 && request.cash.is_some()),
        ("costs", stated.1 && request.costs.is_some()),
        (
            "whole_shares",
            spec.whole_shares.is_some() && request.whole_shares.is_some(),
        ),
    ] {
        if twice {
            return Err(ServiceError::invalid(
                field,
                "the strategy states it too: leave it out in one of the two",
            ));
        }
    }
    spec.cash.get_or_insert(request.cash.unwrap_or(CASH));
    spec.whole_shares
        .get_or_insert(request.whole_shares.unwrap_or(true));
    let costs = || {
        request.costs.clone().unwrap_or(CostSpec {
            rate: RATE,
            ..CostSpec::default()
        })
    };
    spec.costs = spec.costs.or_else(|| Some(costs()));
    let names: Vec<&str> = features.iter().map(String::as_str).collect();
    canonical(&spec, &names).map_err(|e| {
        let fault = read::fault(e);
        // What the request states is no field of the strategy.
        let own = (fault.field == "cash" && !stated.0)
            || (fault.field.starts_with("costs.") && !stated.1);
        if own {
            ServiceError::invalid(fault.field.clone(), read::sentence(&fault))
        } else {
            Unread::Fault(fault).into()
        }
    })
}

/// SHA-256 of everything that makes one test another than the other: not names, notes, nor the
/// seed of the resampling, nor whether a strategy was written or named.
fn spec_key(spec: &BacktestSpec) -> Result<String, ServiceError> {
    let bare = BacktestSpec {
        seed: 0,
        ready_made: None,
        params: serde_json::Map::new(),
        benchmark: None,
        strategy: StrategySpec {
            name: String::new(),
            note: String::new(),
            universe: Vec::new(),
            ..spec.strategy.clone()
        },
        ..spec.clone()
    };
    let text = serde_json::to_string(&bare)
        .map_err(|e| ServiceError::Internal(format!("a specification was not written: {e}")))?;
    Ok(hex::encode(Sha256::digest(text)))
}

/// The test as a step of the lineage of its bars.
fn run(
    spec: &BacktestSpec,
    parts: Vec<Part>,
    other: Option<Loaded>,
    before: &Before,
) -> Result<Verified<Tested>, ServiceError> {
    let mut sources: Vec<Verified<Bars>> = parts.iter().map(|p| p.bars.clone()).collect();
    let traded = parts.iter().filter_map(|p| p.traded.as_ref());
    sources.extend(traded.flat_map(|t| [t.bars.clone(), t.total.clone()]));
    sources.extend(other.as_ref().map(|o| o.bars.clone()));
    let detail = format!("{} on {} symbols", spec.strategy.name, parts.len());
    Verified::combine(&sources, "backtest", detail, |_| {
        compute::test(spec, &parts, other.as_ref().map(Loaded::held), before)
    })
}

fn view(
    id: BacktestId,
    created_at: chrono::DateTime<chrono::Utc>,
    spec: BacktestSpec,
    spec_sha256: String,
    tested: &Verified<Tested>,
) -> BacktestView {
    let t = tested.get();
    let o = &t.outcome;
    let year = spec.periods_per_year;
    let names: Vec<String> = spec.symbols.iter().map(|s| s.symbol.clone()).collect();
    let trades = |all: &[mltrainer_backtest::engine::Trade]| -> Vec<BacktestTrade> {
        all.iter()
            .filter_map(|x| compute::trade(x, &names, &t.dates))
            .collect()
    };
    let benchmark_name = match (&spec.benchmark, names.as_slice()) {
        (Some(b), _) => format!("{} held", b.symbol),
        (None, [one]) => format!("{one} held"),
        (None, _) => "all symbols held in equal parts".to_owned(),
    };
    BacktestView {
        id,
        created_at,
        spec_sha256,
        verdict: t.verdict.clone(),
        findings: t.findings.clone(),
        metrics: t.metrics.clone(),
        intervals: t.intervals.clone(),
        benchmark_name,
        benchmark_metrics: t.benchmark_metrics.clone(),
        equity: column_of(&o.equity),
        benchmark_equity: column_of(&t.benchmark),
        drawdown: falls(&o.equity),
        benchmark_drawdown: falls(&t.benchmark),
        exposure: column_of(&o.exposure),
        rolling_window: u32::try_from(t.window).unwrap_or(u32::MAX),
        rolling_sharpe: rolling_sharpe(&o.equity, t.window, year),
        benchmark_rolling_sharpe: rolling_sharpe(&t.benchmark, t.window, year),
        monthly: months(&t.dates, &o.equity, &t.benchmark),
        trades: trades(&o.trades),
        open_trades: trades(&o.open),
        fills: o
            .fills
            .iter()
            .filter_map(|f| compute::fill(f, &names, &t.dates))
            .collect(),
        refused: u32::try_from(o.refused.len()).unwrap_or(u32::MAX),
        fan: t.fan.clone(),
        costs: t.costs.clone(),
        break_even_costs: t.break_even,
        regimes: t.regimes.clone(),
        lineage: tested.lineage().steps().to_vec(),
        result_sha256: tested.lineage().sha256().to_owned(),
        dates: t.dates.clone(),
        spec,
    }
}

fn summary(v: &BacktestView) -> BacktestSummary {
    let figure = |name: &str| v.metrics.get(name).copied().flatten();
    let epoch = NaiveDate::default();
    BacktestSummary {
        id: v.id.clone(),
        name: v.spec.strategy.name.clone(),
        symbols: v.spec.symbols.iter().map(|s| s.symbol.clone()).collect(),
        datasets: v
            .spec
            .symbols
            .iter()
            .map(|s| s.dataset.id.clone())
            .collect(),
        first: v.dates.first().copied().unwrap_or(epoch),
        last: v.dates.last().copied().unwrap_or(epoch),
        trades: u32::try_from(v.trades.len()).unwrap_or(u32::MAX),
        total_return: figure("total_return"),
        benchmark_return: figure("benchmark_return"),
        sharpe_ratio: figure("sharpe_ratio"),
        max_drawdown: figure("max_drawdown"),
        found_edge: v.verdict.found_edge,
        created_at: v.created_at,
    }
}
