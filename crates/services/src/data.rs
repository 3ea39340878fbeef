//! Data sets: list, look, import, quality.

use crate::error::{from_data, from_refused};
use crate::port::Registered;
use crate::room::blocking;
use crate::{ServiceError, Services};
use chrono::NaiveDate;
use mltrainer_compliance::{Gate, policy};
use mltrainer_data::actions::Adjustment;
use mltrainer_data::compare::compare;
use mltrainer_data::intraday::Intraday;
use mltrainer_data::{bundled, calendar};
use mltrainer_types::data::{
    Age, Bar, Comparison, DatasetDetail, DatasetKind, DatasetQuality, DatasetSummary,
    QualityReport, SessionCoverage,
};
use mltrainer_types::policy::Refusal;

/// The origin of files that a person brings, unless he says that he exported them from a vendor.
pub(crate) const USER: &str = "user_provided";

/// A last row older than so many sessions is too old to forecast the next day from.
const ALLOWED_SESSIONS: u64 = 5;

/// What a symbol may look like, for a form's hint.
#[must_use]
pub fn symbol_hint() -> &'static str {
    "1 to 32 letters, digits or . ^ _ - ="
}

impl Services {
    /// All data sets, by id.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn datasets(&self) -> Result<Vec<DatasetSummary>, ServiceError> {
        let all = self.inner.room.all().await?;
        Ok(all.into_iter().map(|r| r.detail.summary).collect())
    }

    /// One data set with its quality and lineage.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] with the nearest ids.
    pub async fn dataset(&self, id: &str) -> Result<DatasetDetail, ServiceError> {
        Ok(self.inner.room.one(id).await?.detail)
    }

    /// The bars of a data set from `start` to `end`, both inclusive. A series comes as closes.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] with the nearest ids; [`ServiceError::Invalid`] when the span ends
    /// before it begins.
    pub async fn bars(
        &self,
        id: &str,
        start: Option<NaiveDate>,
        end: Option<NaiveDate>,
    ) -> Result<Vec<Bar>, ServiceError> {
        check_span(start, end)?;
        let set = self.inner.room.one(id).await?;
        let summary = &set.detail.summary;
        if summary.kind != DatasetKind::Series {
            let bars = self.inner.room.bars(&set).await?;
            return Ok(bars.get().slice(start, end).to_wire());
        }
        let series = self.inner.room.series_of(&set).await?;
        let within = |d: NaiveDate| start.is_none_or(|s| s <= d) && end.is_none_or(|e| d <= e);
        Ok(series
            .iter()
            .flat_map(|s| s.get().dates.iter().zip(&s.get().values))
            .filter(|(date, _)| within(**date))
            .map(|(date, value)| Bar {
                date: *date,
                open: None,
                high: None,
                low: None,
                close: *value,
                volume: None,
            })
            .collect())
    }

    /// The bars of a data set as they stood at the end of a day: later ones are cut off, and a
    /// bundled set is adjusted for the splits known by then, or not at all.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] with the nearest ids; [`ServiceError::Invalid`] for a series and
    /// for a set of which the prices as traded are not known.
    pub async fn bars_as_of(
        &self,
        id: &str,
        day: NaiveDate,
        adjustment: Adjustment,
    ) -> Result<Vec<Bar>, ServiceError> {
        let set = self.inner.room.one(id).await?;
        let summary = &set.detail.summary;
        if summary.kind == DatasetKind::Series {
            return Err(ServiceError::invalid(
                "as_of",
                format!("{id} is a series; only bars can be read as of a day"),
            ));
        }
        if set.path.is_some() {
            if let Some(bars) = self.fetched_as_of(&set, day, adjustment).await? {
                return Ok(bars);
            }
            if adjustment != Adjustment::Splits {
                return Err(ServiceError::invalid(
                    "adjust",
                    format!("{id} is kept as it came; leave adjust out"),
                ));
            }
            let bars = self.inner.room.bars(&set).await?;
            return Ok(bars.get().slice(None, Some(day)).to_wire());
        }
        if adjustment == Adjustment::Total {
            return Err(ServiceError::invalid(
                "adjust",
                format!("the dividends of {id} are not known; there are splits and raw"),
            ));
        }
        let symbol = summary.symbols.first().cloned().unwrap_or_default();
        blocking(move || {
            let arrival = bundled::bars_as_of(&symbol, day, adjustment).map_err(from_data)?;
            let admitted = Gate::admit(arrival).map_err(from_refused)?;
            Ok(admitted.verified.get().to_wire())
        })
        .await
    }

    /// Score, findings, age and agreement with other sources of every data set.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn data_quality(&self) -> Result<Vec<DatasetQuality>, ServiceError> {
        let all = self.inner.room.all().await?;
        let mut qualities = Vec::with_capacity(all.len());
        for set in &all {
            qualities.push(self.quality_among(set, &all).await?);
        }
        Ok(qualities)
    }

    /// Score, findings, age and agreement with other sources of one data set.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] with the nearest ids.
    pub async fn dataset_quality(&self, id: &str) -> Result<DatasetQuality, ServiceError> {
        let set = self.inner.room.one(id).await?;
        let all = self.inner.room.all().await?;
        self.quality_among(&set, &all).await
    }

    async fn quality_among(
        &self,
        set: &Registered,
        all: &[Registered],
    ) -> Result<DatasetQuality, ServiceError> {
        let room = &self.inner.room;
        let summary = &set.detail.summary;
        let mut comparisons = Vec::new();
        for other in all.iter().filter(|other| is_other_source(set, other)) {
            let (here, there) = (room.bars(set).await?, room.bars(other).await?);
            let result = blocking(move || Ok(compare(here.get(), there.get()))).await?;
            // Two sets without a common day have nothing to say of each other.
            if result.compared > 0 {
                comparisons.push(Comparison {
                    id: other.detail.summary.id.clone(),
                    source: other.detail.summary.source.clone(),
                    result,
                });
            }
        }
        let coverage = if summary.kind == DatasetKind::Intraday {
            let bars = room.intraday(set).await?;
            blocking(move || Ok(coverage(bars.get()))).await?
        } else {
            None
        };
        let now = self.inner.clock.now();
        let ended = calendar::sessions(summary.last, now.date_naive());
        let after = |s: &&calendar::Session| s.date > summary.last && s.close <= now;
        Ok(DatasetQuality {
            id: summary.id.clone(),
            checked_at: set.checked_at,
            quality: set.detail.quality.clone(),
            age: Age {
                sessions: ended.iter().filter(after).count() as u64,
                allowed: ALLOWED_SESSIONS,
            },
            comparisons,
            coverage,
        })
    }

    /// The data set that holds a symbol: of the given origin, or wherever it is found, first among
    /// the bundled ones; of several imports the latest.
    pub(crate) fn dataset_of(
        all: &[Registered],
        symbol: &str,
        source: Option<&str>,
    ) -> Result<DatasetSummary, ServiceError> {
        let usable = |r: &&Registered| {
            r.detail.summary.kind != DatasetKind::Series
                && source.is_none_or(|s| r.detail.summary.source == s)
        };
        let holds = |r: &&Registered| {
            let symbols = &r.detail.summary.symbols;
            symbols.iter().any(|s| s.eq_ignore_ascii_case(symbol))
        };
        all.iter()
            .filter(usable)
            .filter(holds)
            .max_by_key(|r| {
                // Days that a source gave come before days made out of hours.
                let summary = &r.detail.summary;
                let daily = summary.kind != DatasetKind::Intraday;
                let origin = summary.source.as_str();
                (
                    daily,
                    origin == policy::BUNDLED,
                    origin != USER,
                    r.checked_at,
                )
            })
            .map(|r| r.detail.summary.clone())
            .ok_or_else(|| {
                let names: Vec<&str> = all
                    .iter()
                    .filter(usable)
                    .flat_map(|r| r.detail.summary.symbols.iter().map(String::as_str))
                    .collect();
                ServiceError::NotFound {
                    what: "symbol",
                    id: symbol.to_owned(),
                    suggestions: mltrainer_data::nearest::nearest(symbol, &names),
                }
            })
    }
}

/// The symbol of the company, whatever a set's name says of adjustment.
fn plain_symbol(symbol: &str) -> &str {
    symbol.strip_suffix("_ADJ").unwrap_or(symbol)
}

/// Whether the other set holds prices of the same symbol from elsewhere.
fn is_other_source(set: &Registered, other: &Registered) -> bool {
    let (a, b) = (&set.detail.summary, &other.detail.summary);
    let prices = |s: &DatasetSummary| s.kind != DatasetKind::Series;
    let same = |(x, y): (&String, &String)| plain_symbol(x).eq_ignore_ascii_case(plain_symbol(y));
    let elsewhere = a.source != b.source || a.origin != b.origin;
    a.id != b.id
        && prices(a)
        && prices(b)
        && elsewhere
        && a.symbols.first().zip(b.symbols.first()).is_some_and(same)
}

fn coverage(bars: &Intraday) -> Option<SessionCoverage> {
    let (first, last) = (*bars.stamps.first()?, *bars.stamps.last()?);
    let c = bars.coverage();
    Some(SessionCoverage {
        minutes: bars.minutes,
        first,
        last,
        sessions: c.sessions as u64,
        partial: c.partial.len() as u64,
        missing: c.missing.len() as u64,
        expected: c.expected as u64,
        found: c.found as u64,
        outside: c.outside as u64,
    })
}

/// A span must not end before it begins.
pub(crate) fn check_span(
    start: Option<NaiveDate>,
    end: Option<NaiveDate>,
) -> Result<(), ServiceError> {
    if let (Some(start), Some(end)) = (start, end)
        && end < start
    {
        return Err(ServiceError::invalid(
            "end",
            format!("{end} is before the start, {start}"),
        ));
    }
    Ok(())
}

/// The last part of a client's file name, without control characters: it goes into records.
pub(crate) fn plain_name(name: &str, otherwise: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().filter(|c| !c.is_control()).take(120).collect();
    if plain.trim().is_empty() {
        otherwise.to_owned()
    } else {
        plain
    }
}

/// The report of a file that was refused before its rows were looked at.
pub(crate) fn not_looked_at(rows: u64) -> QualityReport {
    QualityReport {
        score: 0.0,
        rows,
        usable: 0,
        quarantined: 0,
        counts: std::collections::BTreeMap::new(),
        findings: Vec::new(),
    }
}

/// A refusal outcome as an error, for callers that take no outcome.
impl From<Refusal> for ServiceError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
