//! Vendors of data: fetch, look, status; and data sets as files for other programs.

use crate::data::not_looked_at;
use crate::error::{from_collect, from_data, from_refused};
use crate::port::Registered;
use crate::room::{blocking, dataset_entry};
use crate::{ServiceError, Services, VERSION};
use chrono::{Days, NaiveDate};
use mltrainer_compliance::gate::Refused;
use mltrainer_compliance::{Admissible, Admitted, Arrival, Gate};
use mltrainer_data::DataError;
use mltrainer_data::actions::Adjustment;
use mltrainer_data::bars::Bars;
use mltrainer_data::export::{self, Format};
use mltrainer_data::intraday::Intraday;
use mltrainer_data::library::{Library, Provenance, Stored};
use mltrainer_data::nearest::nearest;
use mltrainer_data::series::Series;
use mltrainer_data::shelf::{KnownActions, Shelf};
use mltrainer_data::sources::collect::{self, CollectError, Collected};
use mltrainer_data::sources::stream::MinuteBar;
use mltrainer_data::sources::{
    BarsAsk, CARDS, Call, Card, Cause, SeriesAsk, Source, SourceError, Span, View, fred,
};
use mltrainer_types::DatasetId;
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::data::{Bar, DatasetDetail, DatasetKind, DatasetSummary};
use mltrainer_types::source::{
    FailedSource, FetchOutcome, FetchRequest, SourceFault, SourceProbe, SourceStatus,
};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Years of bars when no first day is named.
const YEARS: Days = Days::new(3653);

/// Request ids that an audit record lists at most.
const LISTED: usize = 20;

/// What is wanted, checked.
enum Want {
    Bars(BarsAsk),
    Series(SeriesAsk),
}

impl Want {
    fn name(&self) -> &str {
        match self {
            Self::Bars(ask) => &ask.symbol,
            Self::Series(ask) => &ask.id,
        }
    }

    /// For the title of a data set.
    fn title(&self) -> String {
        match self {
            Self::Bars(ask) => match ask.span {
                Span::Day => ask.symbol.clone(),
                span => format!("{} by the {}", ask.symbol, span.as_str()),
            },
            Self::Series(ask) => match ask.as_of {
                Some(day) => format!("{} as of {day}", ask.id),
                None => ask.id.clone(),
            },
        }
    }

    /// What a reader of the data set should know.
    fn about(&self) -> &'static str {
        match self {
            Self::Bars(ask) if ask.adjusted => {
                "Prices as adjusted by the vendor, also for splits after the last day."
            }
            Self::Bars(ask) if ask.span == Span::Day => {
                "Prices adjusted for the splits until the last day; not for dividends."
            }
            Self::Bars(_) => "Prices as traded.",
            Self::Series(ask) if ask.as_of.is_some() => "Figures as they stood on that day.",
            Self::Series(_) => {
                "Each figure as it was first published; known from the day on which it came out."
            }
        }
    }

    fn subject(&self) -> String {
        match self {
            Self::Bars(ask) => ask.subject(),
            Self::Series(ask) => ask.subject(),
        }
    }

    /// The data set's id: source and symbol, with what tells it from the plain daily one.
    fn id(&self, source: &str) -> DatasetId {
        let variant = match self {
            Self::Bars(ask) => match (ask.span, ask.adjusted) {
                (Span::Day, false) => String::new(),
                (Span::Day, true) => "@adjusted".to_owned(),
                (span, false) => format!("@{}", span.as_str()),
                (span, true) => format!("@{}-adjusted", span.as_str()),
            },
            Self::Series(ask) => ask.as_of.map_or_else(String::new, |d| format!("@{d}")),
        };
        DatasetId(format!("{source}:{}{variant}", self.name()))
    }
}

/// What came, before the gate, with what is known of it.
struct Arrived<T> {
    content: T,
    rows: u64,
    request: String,
    request_ids: Vec<String>,
    requests: u32,
    notes: Vec<String>,
}

impl<T> Arrived<T> {
    fn new<U>(came: &Collected<U>, content: T, rows: usize) -> Self {
        Self {
            content,
            rows: rows as u64,
            request: came.request(),
            request_ids: came.request_ids.clone(),
            requests: came.requests,
            notes: came.notes.clone(),
        }
    }
}

/// Why one source was not enough.
enum Attempt {
    /// It gave nothing: another may.
    Source(SourceError),
    /// No other source would help.
    Other(ServiceError),
}

impl From<CollectError> for Attempt {
    fn from(e: CollectError) -> Self {
        match e {
            CollectError::Source(e) => Self::Source(e),
            CollectError::Data(e) => Self::Other(from_data(e)),
        }
    }
}

impl From<ServiceError> for Attempt {
    fn from(e: ServiceError) -> Self {
        Self::Other(e)
    }
}

fn card(id: &str) -> Result<&'static Card, ServiceError> {
    CARDS
        .into_iter()
        .find(|c| c.id == id)
        .ok_or_else(|| ServiceError::NotFound {
            what: "source",
            id: id.to_owned(),
            suggestions: {
                let ids = CARDS.map(|c| c.id);
                let near = nearest(id, &ids);
                if near.is_empty() {
                    ids.map(str::to_owned).to_vec()
                } else {
                    near
                }
            },
        })
}

impl Services {
    /// Fetches what is missing of a symbol's bars or of a series, takes all that is stored around
    /// the span through the gate and registers it. A refusal by the gate is an outcome; every
    /// attempt leaves an audit record.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] for an unknown source, [`ServiceError::Invalid`] for a value that
    /// cannot be used, [`ServiceError::Source`] and [`ServiceError::SourceLater`] when no source gave
    /// anything; then nothing is visible that was not before.
    pub async fn fetch(
        &self,
        actor: &str,
        request: FetchRequest,
        call: &Call,
    ) -> Result<FetchOutcome, ServiceError> {
        self.inner.room.install().await?;
        let (sources, want) = self.check_fetch(&request)?;
        let mut failed: Vec<FailedSource> = Vec::new();
        let mut outage = false;
        for source in &sources {
            let error = match self
                .fetch_from(actor, &**source, &want, &failed, call)
                .await
            {
                Ok(outcome) => return Ok(outcome),
                Err(Attempt::Source(e)) => e,
                Err(Attempt::Other(e)) => {
                    self.refused(
                        actor,
                        &want.id(source.card().id),
                        &want,
                        None,
                        &e.to_string(),
                    )
                    .await?;
                    return Err(e);
                }
            };
            outage |= error.cause.is_outage() || error.cause == Cause::Cancelled;
            failed.push(FailedSource {
                source: source.card().id.to_owned(),
                reason: error.to_string(),
            });
            if error.cause == Cause::Cancelled {
                break;
            }
        }
        let reasons: Vec<String> = failed.into_iter().map(|f| f.reason).collect();
        let reason = reasons.join("; ");
        self.refused(actor, &want.id(&request.source), &want, None, &reason)
            .await?;
        Err(if outage {
            ServiceError::SourceLater(reason)
        } else {
            ServiceError::Source(reason)
        })
    }

    /// Records that nothing came in.
    async fn refused(
        &self,
        actor: &str,
        id: &DatasetId,
        want: &Want,
        rule: Option<&str>,
        reason: &str,
    ) -> Result<(), ServiceError> {
        let entry = AuditEntry {
            decision: "refused".to_owned(),
            rule: rule.map(str::to_owned),
            ..dataset_entry(
                actor,
                "dataset.fetch",
                id.as_str(),
                json!({ "asked": want.subject(), "reason": reason }),
            )
        };
        Ok(self.inner.audit.append(vec![entry]).await?)
    }

    /// The sources to ask in turn, and what is wanted.
    fn check_fetch(
        &self,
        request: &FetchRequest,
    ) -> Result<(Vec<Arc<dyn Source>>, Want), ServiceError> {
        let mut sources = Vec::new();
        for id in std::iter::once(&request.source).chain(&request.failover) {
            let card = card(id.trim())?;
            let source = self.inner.sources.get(card.id).ok_or_else(|| {
                ServiceError::Unavailable("this process has no sources of data".to_owned())
            })?;
            sources.push(source);
        }
        let now = self.inner.clock.now();
        let end = request.end.unwrap_or_else(|| now.date_naive());
        let symbol = |field: &str, text: &str| {
            mltrainer_data::bars::symbol(text)
                .map_err(|e| ServiceError::invalid(field, e.to_string()))
        };
        let span = match request.span.as_deref().map(str::trim) {
            None | Some("" | "day") => Span::Day,
            Some("hour") => Span::Hour,
            Some("minute") => Span::Minute,
            Some(other) => {
                return Err(ServiceError::invalid(
                    "span",
                    format!("\"{other}\" is none of day, hour and minute"),
                ));
            }
        };
        let given = |text: &Option<String>| text.clone().filter(|t| !t.trim().is_empty());
        let want = match (given(&request.symbol), given(&request.series)) {
            (Some(_), Some(_)) => {
                return Err(ServiceError::invalid(
                    "series",
                    "name a symbol or a series, not both",
                ));
            }
            (None, None) => {
                return Err(ServiceError::invalid(
                    "symbol",
                    "name the symbol or the series to fetch",
                ));
            }
            (Some(text), None) => {
                if request.as_of.is_some() {
                    return Err(ServiceError::invalid(
                        "as_of",
                        "only an economic series has vintages; bars are not revised",
                    ));
                }
                Want::Bars(BarsAsk {
                    symbol: symbol("symbol", &text)?,
                    start: request
                        .start
                        .unwrap_or_else(|| end.checked_sub_days(YEARS).unwrap_or(end)),
                    end,
                    span,
                    adjusted: request.adjusted,
                })
            }
            (None, Some(text)) => Want::Series(SeriesAsk {
                id: symbol("series", &text)?,
                start: request.start.unwrap_or_else(first_of_series),
                end: request.end.or(request.as_of).unwrap_or(end),
                as_of: request.as_of,
            }),
        };
        crate::data::check_span(request.start, request.end)?;
        Ok((sources, want))
    }

    async fn fetch_from(
        &self,
        actor: &str,
        source: &dyn Source,
        want: &Want,
        failed: &[FailedSource],
        call: &Call,
    ) -> Result<FetchOutcome, Attempt> {
        let shelf = Shelf::new(self.inner.room.library.clone());
        let now = self.inner.clock.now();
        let step = Step {
            actor,
            card: source.card(),
            want,
            failed,
        };
        match want {
            Want::Bars(ask) if ask.span == Span::Day => {
                let came = collect::bars(&shelf, source, ask, now, call).await?;
                let mut arrived = Arrived::new(&came, came.content.clone(), came.content.len());
                if !ask.adjusted {
                    let until = came.content.dates.iter().max().copied();
                    let until = until.unwrap_or(came.span.1);
                    let actions =
                        collect::actions(&shelf, source, &ask.symbol, until, now, call).await?;
                    adjust(&mut arrived, actions, until)?;
                }
                let kind = |_: &Bars| DatasetKind::Bars;
                self.admit(&step, arrived, kind, Library::write_bars).await
            }
            Want::Bars(ask) => {
                let came = collect::intraday(&shelf, source, ask, now, call).await?;
                let arrived = Arrived::new(&came, came.content.clone(), came.content.len());
                let kind = |_: &Intraday| DatasetKind::Intraday;
                self.admit(&step, arrived, kind, Library::write_intraday)
                    .await
            }
            Want::Series(ask) => {
                let came = collect::series(&shelf, source, ask, now, call).await?;
                let series = fred::published(&ask.id, &came.content, ask.as_of);
                if series.is_empty() {
                    return Err(Attempt::Source(SourceError {
                        source_id: source.card().id,
                        subject: want.subject(),
                        cause: Cause::Empty,
                    }));
                }
                let rows = series.len();
                let arrived = Arrived::new(&came, series, rows);
                let kind = |_: &Series| DatasetKind::Series;
                self.admit(&step, arrived, kind, Library::write_series)
                    .await
            }
        }
    }

    /// Takes what came through the gate, writes it to the library, and registers it with its audit
    /// record.
    async fn admit<T: Admissible + Send + 'static>(
        &self,
        step: &Step<'_>,
        arrived: Arrived<T>,
        kind: fn(&T) -> DatasetKind,
        write: fn(&Library, &T, &Provenance) -> Result<Stored, DataError>,
    ) -> Result<FetchOutcome, Attempt> {
        let Arrived {
            content,
            rows,
            request,
            request_ids,
            requests,
            mut notes,
        } = arrived;
        let origin = step.card.id;
        for f in step.failed {
            notes.push(format!(
                "{origin} was asked instead of {}: {}",
                f.source, f.reason
            ));
        }
        let room = &self.inner.room;
        let now = self.inner.clock.now();
        let library = room.library.clone();
        // The Parquet file is whole on the disk before the row that names it exists.
        let outcome = blocking(move || {
            let admitted = Gate::admit(Arrival {
                origin: origin.to_owned(),
                request: request.clone(),
                promised_sha256: None,
                content,
            });
            let Admitted { verified, report } = match admitted {
                Ok(admitted) => admitted,
                Err(no) => return Ok(Err(no)),
            };
            let provenance = Provenance {
                origin: origin.to_owned(),
                request,
                at: now,
            };
            let stored = write(&library, verified.get(), &provenance).map_err(from_data)?;
            let kind = kind(verified.get());
            Ok(Ok((stored, kind, verified.lineage().clone(), report)))
        })
        .await?;
        let id = step.want.id(origin);
        let (stored, kind, lineage, report) = match outcome {
            Ok(kept) => kept,
            Err(no) => {
                let Refused { refusal, report } = *no;
                self.refused(
                    step.actor,
                    &id,
                    step.want,
                    Some(&refusal.rule),
                    &refusal.reason,
                )
                .await?;
                return Ok(FetchOutcome {
                    dataset: None,
                    quality: report.unwrap_or_else(|| not_looked_at(rows)),
                    refusal: Some(refusal),
                    asked: step.want.subject(),
                    source: origin.to_owned(),
                    failed: step.failed.to_vec(),
                    requests,
                    notes,
                });
            }
        };
        let manifest = stored.manifest;
        let summary = DatasetSummary {
            id: id.clone(),
            kind,
            title: format!("{} from {}", step.want.title(), step.card.title),
            symbols: vec![manifest.symbol],
            source: origin.to_owned(),
            first: manifest.first,
            last: manifest.last,
            rows: report.usable,
            sha256: lineage.sha256().to_owned(),
            quality: report.score,
            quarantined: report.quarantined,
            licence: "as agreed between the user and the vendor".to_owned(),
            origin: step.card.title.to_owned(),
        };
        let entry = dataset_entry(
            step.actor,
            "dataset.fetch",
            id.as_str(),
            json!({
                "asked": step.want.subject(),
                "origin": origin,
                "requests": requests,
                "request_ids": request_ids.iter().take(LISTED).collect::<Vec<_>>(),
                "failed": step.failed,
                "sha256": summary.sha256,
                "file_sha256": manifest.file_sha256,
                "symbols": summary.symbols,
                "rows": summary.rows,
                "quarantined": summary.quarantined,
            }),
        );
        let mut about = step.want.about().to_owned();
        for note in &notes {
            about.push_str(&format!(" {}{}.", note[..1].to_uppercase(), &note[1..]));
        }
        let set = Registered {
            detail: DatasetDetail {
                summary: summary.clone(),
                quality: report.clone(),
                lineage: lineage.steps().to_vec(),
                notes: about,
            },
            path: Some(stored.path),
            file_sha256: manifest.file_sha256,
            checked_at: now,
            checked_by: VERSION.to_owned(),
        };
        room.store
            .register(vec![set], vec![entry])
            .await
            .map_err(ServiceError::from)?;
        Ok(FetchOutcome {
            dataset: Some(summary),
            quality: report,
            refusal: None,
            asked: step.want.subject(),
            source: origin.to_owned(),
            failed: step.failed.to_vec(),
            requests,
            notes,
        })
    }

    /// How every source does.
    #[must_use]
    pub fn sources(&self) -> Vec<SourceStatus> {
        let all = self.inner.sources.all().iter();
        all.map(|source| {
            let (card, client) = (source.card(), source.client());
            let standing = client.standing();
            SourceStatus {
                id: card.id.to_owned(),
                title: card.title.to_owned(),
                configured: client.configured(),
                key_variable: Some(card.key_variable.to_owned()).filter(|v| !v.is_empty()),
                url: client.address(),
                bars: card.bars.iter().map(|s| s.as_str().to_owned()).collect(),
                series: card.series,
                views: card.views.iter().map(|v| v.as_str().to_owned()).collect(),
                circuit: standing.circuit.as_str().to_owned(),
                failures: standing.failures,
                requests_today: standing.requests_today,
                last_success: standing.last_success,
                last_error: standing
                    .last_error
                    .map(|(at, reason)| SourceFault { at, reason }),
            }
        })
        .collect()
    }

    /// Asks every configured source a small question and says whether it answered in time.
    pub async fn probe_sources(&self, within: Duration) -> Vec<SourceProbe> {
        let probes = self.inner.sources.all().iter().map(|source| async move {
            let (card, client) = (source.card(), source.client());
            let configured = client.configured();
            let (reachable, detail) = if !configured {
                let how = format!("not configured: set {}", card.key_variable);
                (None, how)
            } else {
                match tokio::time::timeout(within, source.probe(&Call::quiet())).await {
                    Ok(Ok(())) => (Some(true), format!("{} answers", client.address())),
                    Ok(Err(e)) => (Some(false), e.to_string()),
                    Err(_) => {
                        let seconds = within.as_secs();
                        let address = client.address();
                        let detail = format!("{address} gave no answer within {seconds} s");
                        (Some(false), detail)
                    }
                }
            };
            SourceProbe {
                id: card.id.to_owned(),
                needs_key: !card.key_variable.is_empty(),
                configured,
                reachable,
                detail,
            }
        });
        futures::future::join_all(probes).await
    }

    /// Something that a source shows and that is not kept: news, options, release dates.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] for an unknown source or view, [`ServiceError::Source`] and
    /// [`ServiceError::SourceLater`] when it gave nothing.
    pub async fn look(
        &self,
        source: &str,
        view: &str,
        symbol: &str,
        call: &Call,
    ) -> Result<serde_json::Value, ServiceError> {
        let card = card(source)?;
        let wanted = View::ALL.into_iter().find(|v| v.as_str() == view);
        let view = wanted.ok_or_else(|| ServiceError::NotFound {
            what: "view",
            id: view.to_owned(),
            suggestions: card.views.iter().map(|v| v.as_str().to_owned()).collect(),
        })?;
        let needless = matches!(view, View::Status | View::Holidays);
        let symbol = match symbol.trim() {
            "" if needless => String::new(),
            text => mltrainer_data::bars::symbol(text)
                .map_err(|e| ServiceError::invalid("symbol", e.to_string()))?,
        };
        let source = self.inner.sources.get(card.id).ok_or_else(|| {
            ServiceError::Unavailable("this process has no sources of data".to_owned())
        })?;
        let page = source
            .look(view, &symbol, call)
            .await
            .map_err(|e| from_collect(e.into()))?;
        Ok(page.content)
    }

    /// Sends minute bars of these symbols as they happen, until the call is cancelled. They are
    /// shown and not kept: what is kept comes from [`Services::fetch`], when the day is over.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] for a symbol that cannot be one, [`ServiceError::Source`] and
    /// [`ServiceError::SourceLater`] when the line cannot be opened.
    pub async fn watch(
        &self,
        symbols: &[String],
        call: &Call,
        to: tokio::sync::mpsc::Sender<MinuteBar>,
    ) -> Result<(), ServiceError> {
        let symbols = symbols
            .iter()
            .map(|text| mltrainer_data::bars::symbol(text))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| ServiceError::invalid("symbols", e.to_string()))?;
        let stream = self.inner.sources.stream().ok_or_else(|| {
            ServiceError::Unavailable("this process has no sources of data".to_owned())
        })?;
        stream
            .minutes(&symbols, call, to)
            .await
            .map_err(|e| from_collect(e.into()))
    }

    /// The bars of a fetched data set as they stood at the end of a day, out of prices as traded and
    /// the corporate actions beside them; `None` when the set was not kept so.
    pub(crate) async fn fetched_as_of(
        &self,
        set: &Registered,
        day: NaiveDate,
        adjustment: Adjustment,
    ) -> Result<Option<Vec<Bar>>, ServiceError> {
        let summary = set.detail.summary.clone();
        let Some(symbol) = summary.symbols.first().cloned() else {
            return Ok(None);
        };
        if summary.id.as_str() != format!("{}:{symbol}", summary.source) {
            return Ok(None);
        }
        let shelf = Shelf::new(self.inner.room.library.clone());
        blocking(move || {
            let span = (summary.first, summary.last);
            let stored =
                collect::stored(&shelf, &summary.source, &symbol, span).map_err(from_data)?;
            let Some((raw, actions)) = stored.filter(|(raw, _)| raw.dates.is_sorted()) else {
                return Ok(None);
            };
            let content = raw.as_of(day, &actions, adjustment).map_err(from_data)?;
            let admitted = Gate::admit(Arrival {
                origin: summary.source,
                request: format!("{} as of {day}", summary.id),
                promised_sha256: None,
                content,
            })
            .map_err(from_refused)?;
            Ok(Some(admitted.verified.get().to_wire()))
        })
        .await
    }

    /// A data set as a file for other programs.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] with the nearest ids; those of reading it.
    pub async fn export(&self, id: &str, format: Format) -> Result<Vec<u8>, ServiceError> {
        let set = self.inner.room.one(id).await?;
        if set.detail.summary.kind == DatasetKind::Series {
            let series = self.inner.room.series_of(&set).await?;
            let series = series.ok_or_else(|| {
                ServiceError::Internal(format!("the series of {id} is not there"))
            })?;
            return blocking(move || export::series(series.get(), format).map_err(from_data)).await;
        }
        if set.detail.summary.kind == DatasetKind::Intraday {
            let bars = self.inner.room.intraday(&set).await?;
            return blocking(move || export::intraday(bars.get(), format).map_err(from_data)).await;
        }
        let bars = self.inner.room.bars(&set).await?;
        blocking(move || export::bars(bars.get(), format).map_err(from_data)).await
    }
}

/// What belongs to one source's turn.
struct Step<'a> {
    actor: &'a str,
    card: &'static Card,
    want: &'a Want,
    failed: &'a [FailedSource],
}

/// Applies the splits that are known at the end of `until`, and says so in the request.
fn adjust(
    arrived: &mut Arrived<Bars>,
    actions: Collected<KnownActions>,
    until: NaiveDate,
) -> Result<(), ServiceError> {
    arrived.requests += actions.requests;
    arrived.notes.extend(actions.notes);
    let known = actions.content;
    // A split on or before the first day changes none of these prices.
    let first = arrived.content.dates.iter().min().copied();
    let mut splits = known.actions.known(until).splits;
    splits.retain(|s| first.is_some_and(|f| f < s.date));
    if splits.is_empty() {
        return Ok(());
    }
    // Adjusting counts on ascending days, and the gate comes later.
    if !arrived.content.dates.is_sorted() {
        return Err(ServiceError::BadData(
            "the days came out of order, so that splits cannot be applied".to_owned(),
        ));
    }
    let named: Vec<String> = splits
        .iter()
        .map(|s| format!("{} for {} on {}", s.new_shares, s.for_old, s.date))
        .collect();
    arrived.request.push_str(&format!(
        "; adjusted for splits ({}): {}",
        known.request,
        named.join(", ")
    ));
    arrived.content = arrived
        .content
        .as_of(until, &known.actions, Adjustment::Splits)
        .map_err(from_data)?;
    Ok(())
}

/// Where series begin when no first date is named.
fn first_of_series() -> NaiveDate {
    NaiveDate::from_ymd_opt(1776, 7, 4).unwrap_or_default()
}
