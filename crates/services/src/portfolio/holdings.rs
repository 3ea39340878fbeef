//! Transactions, and what is held.

use super::book::{Act, Book, act};
use super::performance::{Closes, Past, float, on_days, splits};
use super::prices::canonical;
use crate::port::{NewTransaction, Recorded};
use crate::trials::key_of;
use crate::{ServiceError, Services};
use chrono::{Days, NaiveDate};
use mltrainer_types::Page;
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::data::{DatasetKind, DatasetSummary};
use mltrainer_types::portfolio::{
    Attribution, Holding, Holdings, HoldingsPerformance, HoldingsRequest, Transaction,
    TransactionRequest,
};
use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive as _;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Transactions on a page of the list.
const PAGE: u32 = 50;

/// How often a transaction is checked anew when others are recorded meanwhile.
const TRIES: usize = 5;

/// Digits after the point of a price out of the data.
const PRICE_DIGITS: u32 = 6;

/// Digits after the point of an amount that is told.
const DIGITS: u32 = 8;

/// A price out of the data, to be counted with.
pub(crate) fn price(close: f64) -> Option<Decimal> {
    Decimal::from_f64(close).map(|p| p.round_dp(PRICE_DIGITS).normalize())
}

/// An amount as it is told.
pub(crate) fn told(x: Decimal) -> Decimal {
    x.round_dp(DIGITS).normalize()
}

/// Symbols with their data sets and closes.
pub(crate) struct Priced {
    pub(crate) sets: BTreeMap<String, DatasetSummary>,
    pub(crate) closes: BTreeMap<String, Closes>,
    pub(crate) as_of: NaiveDate,
}

impl Services {
    /// Records a transaction. The same key with the same request records one only.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] for a field that is missing, out of range or of another kind, for shares sold that
    /// are not held and cash that would fall below 0; [`ServiceError::Conflict`] for a key that came with another
    /// request. Nothing is recorded then.
    pub async fn add_transaction(
        &self,
        actor: &str,
        request: TransactionRequest,
        idempotency_key: Option<&str>,
    ) -> Result<Transaction, ServiceError> {
        let idempotency = idempotency_key
            .map(|key| key_of(key, &request))
            .transpose()?;
        let request = self.canonical(request)?;
        let store = &self.inner.portfolio;
        for _ in 0..TRIES {
            if let Some(key) = &idempotency
                && let Some((body, made)) = store.recorded(&key.key).await?
            {
                return if body == key.body_sha256 {
                    Ok(made)
                } else {
                    Err(key_taken())
                };
            }
            let mut all = store.transactions().await?;
            let after = all.last().map_or(0, |t| t.id);
            let at = self.inner.clock.now();
            let new = transaction(after + 1, at, request.clone());
            all.push(new.clone());
            // A way of counting cost changes no cash and no shares.
            Book::replay(&all, HoldingsRequest::default().basis, None)?;
            let audit = AuditEntry {
                actor: actor.to_owned(),
                action: "portfolio.record".to_owned(),
                subject: format!("portfolio:{}", new.id),
                decision: "allowed".to_owned(),
                rule: None,
                detail: json!(request),
            };
            let outcome = store
                .record(NewTransaction {
                    request: request.clone(),
                    at,
                    after,
                    idempotency: idempotency.clone(),
                    audit,
                })
                .await?;
            match outcome {
                Recorded::Made(t) | Recorded::Repeated(t) => return Ok(t),
                Recorded::KeyTaken => return Err(key_taken()),
                Recorded::Behind => {}
            }
        }
        Err(ServiceError::Unavailable(
            "other transactions are being recorded: try again".to_owned(),
        ))
    }

    /// The request as it is kept: symbols in capitals, a day that there is.
    fn canonical(
        &self,
        mut request: TransactionRequest,
    ) -> Result<TransactionRequest, ServiceError> {
        let act = act(&request)?;
        // A day may have begun elsewhere.
        let latest = self.inner.clock.now().date_naive() + Days::new(1);
        if request.date > latest {
            return Err(ServiceError::invalid(
                "date",
                format!("{} has not come yet", request.date),
            ));
        }
        if NaiveDate::from_ymd_opt(1900, 1, 1).is_some_and(|first| request.date < first) {
            return Err(ServiceError::invalid(
                "date",
                format!("{} is before 1900", request.date),
            ));
        }
        if let Act::Buy { symbol, .. }
        | Act::Sell { symbol, .. }
        | Act::Dividend { symbol, .. }
        | Act::Split { symbol, .. } = act
        {
            request.symbol = Some(symbol);
        }
        request.note = request.note.filter(|n| !n.trim().is_empty());
        Ok(request)
    }

    /// Recorded transactions, newest first.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] for a cursor that is none.
    pub async fn transactions(
        &self,
        cursor: Option<&str>,
    ) -> Result<Page<Transaction>, ServiceError> {
        let before = match cursor.filter(|c| !c.is_empty()) {
            None => None,
            Some(text) => {
                let number = text.parse::<i64>().ok().filter(|n| *n > 0);
                Some(number.ok_or_else(|| {
                    ServiceError::invalid("cursor", format!("\"{text}\" is not a cursor"))
                })?)
            }
        };
        let store = &self.inner.portfolio;
        let mut items = store.newest_transactions(before, PAGE + 1).await?;
        let more = items.len() > PAGE as usize;
        items.truncate(PAGE as usize);
        let next = items.last().filter(|_| more).map(|t| t.id.to_string());
        Ok(Page { items, next })
    }

    /// What is held, what it is worth and how it did.
    ///
    /// # Errors
    /// [`ServiceError`]: an unknown benchmark, weights or sectors that do not fit, a store that fails. A symbol
    /// without data is told in the notes.
    pub async fn holdings(&self, request: &HoldingsRequest) -> Result<Holdings, ServiceError> {
        check_benchmark(request)?;
        let all = self.inner.portfolio.transactions().await?;
        let mut notes = Vec::new();
        if all.is_empty() {
            return Ok(summary(request, None, &Book::default(), Vec::new(), notes));
        }
        let symbols: BTreeSet<String> = all.iter().filter_map(|t| t.symbol.clone()).collect();
        let symbols: Vec<String> = symbols.into_iter().collect();
        let latest = all.iter().map(|t| t.date).max();
        let priced = self
            .priced(
                &symbols,
                request.source.as_deref(),
                request.as_of,
                latest,
                &mut notes,
            )
            .await?;
        let Some(priced) = priced else {
            return Ok(summary(request, None, &Book::default(), Vec::new(), notes));
        };
        let as_of = priced.as_of;
        let book = Book::replay(&all, request.basis, Some(as_of))?;
        notes.extend(oddities(&book, &priced));
        let due = self.due_actions(&book, &priced.sets, as_of).await?;
        let mut view = summary(request, Some(as_of), &book, rows(&book, &priced), notes);
        view.transactions = all.len() as u64;
        view.due_actions = due;
        if let Some(past) = Past::new(&book, &priced.closes, as_of) {
            let (performance, attribution) =
                self.told_of(&past, request, as_of, &mut view.notes).await?;
            view.performance = performance;
            view.attribution = attribution;
        }
        Ok(view)
    }

    /// The closes of symbols until a day; what has no data is noted. None when there is no day to value at.
    pub(crate) async fn priced(
        &self,
        symbols: &[String],
        source: Option<&str>,
        as_of: Option<NaiveDate>,
        latest: Option<NaiveDate>,
        notes: &mut Vec<String>,
    ) -> Result<Option<Priced>, ServiceError> {
        let mut sets = BTreeMap::new();
        for symbol in symbols {
            match self.price_set(symbol, source).await {
                Ok(set) => {
                    sets.insert(symbol.clone(), set);
                }
                Err(ServiceError::NotFound { suggestions, .. }) => {
                    let near = match suggestions.as_slice() {
                        [] => "import or fetch some".to_owned(),
                        names => format!("did you mean {}?", names.join(" or ")),
                    };
                    notes.push(format!(
                        "There are no prices of {symbol}, so it has no value: {near}"
                    ));
                }
                Err(other) => return Err(other),
            }
        }
        let ends = sets.values().map(|s: &DatasetSummary| s.last);
        let Some(as_of) = as_of.or_else(|| ends.chain(latest).max()) else {
            return Ok(None);
        };
        let mut closes = BTreeMap::new();
        for (symbol, set) in &sets {
            closes.insert(symbol.clone(), self.closes_as_of(set, as_of).await?);
        }
        Ok(Some(Priced {
            sets,
            closes,
            as_of,
        }))
    }

    async fn told_of(
        &self,
        past: &Past,
        request: &HoldingsRequest,
        as_of: NaiveDate,
        notes: &mut Vec<String>,
    ) -> Result<(Option<HoldingsPerformance>, Option<Attribution>), ServiceError> {
        let days = past.dates();
        let source = request.source.as_deref();
        if !request.sectors.is_empty() {
            let each = request.sectors.iter();
            let sectors = each
                .map(|(s, sector)| (canonical(s), sector.clone()))
                .collect();
            let weights = benchmark_weights(request)?;
            let mut returns = BTreeMap::new();
            for symbol in weights.keys() {
                let set = self.price_set(symbol, source).await?;
                let closes = self.closes_as_of(&set, as_of).await?;
                if let Some(note) = late(symbol, &closes, &days) {
                    notes.push(note);
                }
                returns.insert(symbol.clone(), on_days(&closes, &days));
            }
            let whole: Vec<f64> = (0..days.len())
                .map(|i| {
                    let part = |(s, w): (&String, &f64)| {
                        w * returns
                            .get(s)
                            .and_then(|r| r.get(i))
                            .copied()
                            .unwrap_or(0.0)
                    };
                    weights.iter().map(part).sum()
                })
                .collect();
            let performance = past.performance(Some(("weights", &whole)));
            return Ok((performance, past.by_sector(&sectors, &weights, &returns)));
        }
        let benchmark = match &request.benchmark {
            None => None,
            Some(symbol) => {
                let set = self.price_set(symbol, source).await?;
                let closes = self.closes_as_of(&set, as_of).await?;
                let name = set.symbols.first().cloned().unwrap_or_default();
                if let Some(note) = late(&name, &closes, &days) {
                    notes.push(note);
                }
                Some((name, on_days(&closes, &days)))
            }
        };
        let beside = benchmark
            .as_ref()
            .map(|(name, r)| (name.as_str(), r.as_slice()));
        Ok((past.performance(beside), past.by_asset()))
    }
}

/// A benchmark whose closes do not span the days.
fn late(symbol: &str, closes: &Closes, days: &[NaiveDate]) -> Option<String> {
    let (first, last) = (days.first()?, days.last()?);
    match (closes.first(), closes.last()) {
        (Some((from, _)), Some((to, _))) if from <= first && *to + Days::new(7) >= *last => None,
        (Some((from, _)), Some((to, _))) => Some(format!(
            "{symbol} has closes from {from} to {to}; on other days of the span from {first} to {last} its return counts as 0"
        )),
        _ => Some(format!(
            "{symbol} has no close until {last}; its return counts as 0"
        )),
    }
}

fn key_taken() -> ServiceError {
    ServiceError::Conflict(
        "this Idempotency-Key came before with another request: use a new key for a new transaction".to_owned(),
    )
}

/// A transaction out of a request.
fn transaction(id: i64, at: chrono::DateTime<chrono::Utc>, r: TransactionRequest) -> Transaction {
    Transaction {
        id,
        recorded_at: at,
        kind: r.kind,
        date: r.date,
        symbol: r.symbol,
        shares: r.shares,
        price: r.price,
        fees: r.fees,
        amount: r.amount,
        new_shares: r.new_shares,
        for_old: r.for_old,
        reverses: r.reverses,
        note: r.note,
    }
}

fn check_benchmark(r: &HoldingsRequest) -> Result<(), ServiceError> {
    if !r.sectors.is_empty() && r.benchmark.is_some() {
        return Err(ServiceError::invalid(
            "benchmark",
            "with sectors the benchmark is made of benchmark_weights: leave one of them out",
        ));
    }
    if r.sectors.is_empty() && !r.benchmark_weights.is_empty() {
        return Err(ServiceError::invalid(
            "sectors",
            "missing: benchmark_weights are compared by sector",
        ));
    }
    benchmark_weights(r).map(|_| ())
}

/// Weights of the benchmark with sum 1.
fn benchmark_weights(r: &HoldingsRequest) -> Result<BTreeMap<String, f64>, ServiceError> {
    let named = |s: &String| canonical(s);
    if r.benchmark_weights.is_empty() {
        let each = 1.0 / r.sectors.len() as f64;
        return Ok(r.sectors.keys().map(|s| (named(s), each)).collect());
    }
    let wrong = |reason: String| Err(ServiceError::invalid("benchmark_weights", reason));
    for (symbol, w) in &r.benchmark_weights {
        if !w.is_finite() || *w < 0.0 {
            return wrong(format!("{symbol}: {w} is not 0 or above"));
        }
    }
    let sum: f64 = r.benchmark_weights.values().sum();
    if (sum - 1.0).abs() > 1e-6 {
        return wrong(format!("their sum is {sum}, it must be 1"));
    }
    let each = r.benchmark_weights.iter();
    Ok(each.map(|(s, w)| (named(s), w / sum)).collect())
}

/// Each symbol that was ever held.
fn rows(book: &Book, priced: &Priced) -> Vec<Holding> {
    let mut rows: Vec<Holding> = Vec::new();
    for (symbol, position) in &book.positions {
        let (shares, cost) = (position.shares(), position.cost());
        let last = priced.closes.get(symbol).and_then(|c| c.last());
        let close =
            last.map(|(day, close)| (*day, close / splits(book, symbol, *day, priced.as_of)));
        let now = close.and_then(|(_, c)| price(c));
        let value = now.map(|p| told(shares * p));
        rows.push(Holding {
            symbol: symbol.clone(),
            shares: told(shares),
            cost: told(cost),
            cost_per_share: cost.checked_div(shares).map(told),
            price: now,
            price_date: close.map(|(day, _)| day),
            dataset: priced.sets.get(symbol).map(|s| s.id.to_string()),
            value,
            weight: None,
            unrealised: value.map(|v| told(v - cost)),
            realised: told(position.realised),
            dividends: told(position.dividends),
        });
    }
    let whole: Decimal = book.cash + rows.iter().filter_map(|r| r.value).sum::<Decimal>();
    for row in &mut rows {
        row.weight = match row.value {
            Some(v) if whole > Decimal::ZERO => Some(float(v) / float(whole)),
            _ => None,
        };
    }
    rows.sort_by(|a, b| b.value.cmp(&a.value).then_with(|| a.symbol.cmp(&b.symbol)));
    rows
}

fn summary(
    request: &HoldingsRequest,
    as_of: Option<NaiveDate>,
    book: &Book,
    holdings: Vec<Holding>,
    notes: Vec<String>,
) -> Holdings {
    let sum = |of: &dyn Fn(&Holding) -> Option<Decimal>| -> Decimal {
        holdings.iter().filter_map(of).sum()
    };
    Holdings {
        as_of,
        basis: request.basis,
        transactions: 0,
        cash: told(book.cash),
        value: told(book.cash + sum(&|h| h.value)),
        cost: told(sum(&|h| Some(h.cost))),
        paid_in: told(book.paid_in),
        realised: told(sum(&|h| Some(h.realised))),
        unrealised: told(sum(&|h| h.unrealised)),
        dividends: told(sum(&|h| Some(h.dividends))),
        fees: told(book.fees),
        holdings,
        performance: None,
        attribution: None,
        due_actions: Vec::new(),
        notes,
    }
}

/// Prices and dividends that do not go with the data.
fn oddities(book: &Book, priced: &Priced) -> Vec<String> {
    let mut notes = Vec::new();
    for (date, symbol, paid) in &book.trades {
        let Some(list) = priced.closes.get(symbol) else {
            continue;
        };
        let Ok(i) = list.binary_search_by_key(date, |(d, _)| *d) else {
            continue;
        };
        let (Some((_, close)), Some((end, _))) = (list.get(i), list.last()) else {
            continue;
        };
        let then = close * splits(book, symbol, *date, *end);
        let times = float(*paid) / then;
        if !(0.67..=1.5).contains(&times) {
            notes.push(format!(
                "{symbol} was traded at {paid} on {date}, and the close of that day counts as {}: is a split not recorded, or are the prices adjusted for dividends?",
                price(then).unwrap_or_default()
            ));
        }
    }
    for (symbol, position) in &book.positions {
        let adjusted = priced
            .sets
            .get(symbol)
            .filter(|s| s.kind == DatasetKind::Closes);
        if let Some(set) = adjusted
            && position.dividends > Decimal::ZERO
        {
            notes.push(format!(
                "The closes of {} may hold dividends already, and dividends of {symbol} are recorded too: they would count twice",
                set.id
            ));
        }
    }
    notes
}
