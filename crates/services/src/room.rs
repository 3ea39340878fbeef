//! The room where data sets are kept: bundled ones are admitted on first need, imported ones are
//! read back through the gate, and a few recently used ones stay in memory.

use crate::error::{from_data, from_refused};
use crate::port::{Clock, DatasetStore, Registered};
use crate::{ServiceError, VERSION};
use async_trait::async_trait;
use mltrainer_compliance::{Gate, Verified, policy};
use mltrainer_data::bars::Bars;
use mltrainer_data::bundled::{self, BundledInfo};
use mltrainer_data::intraday::Intraday;
use mltrainer_data::library::Library;
use mltrainer_data::nearest::nearest;
use mltrainer_data::series::Series;
use mltrainer_features::Context;
use mltrainer_trials::port::{DataPort, TrialError};
use mltrainer_types::DatasetId;
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::data::{DatasetDetail, DatasetKind, DatasetSummary};
use mltrainer_types::trial::DatasetRef;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// Sets of bars kept in memory: half a megabyte each for twenty years of days.
const KEPT: usize = 12;

/// Threads that admit the bundled sets.
const SIDE_BY_SIDE: usize = 4;

/// Recently used bars with the hash they were asked for by, the latest last.
type Recent = VecDeque<(DatasetId, String, Arc<Verified<Bars>>)>;

/// Data sets by id.
pub(crate) struct Room {
    pub(crate) store: Arc<dyn DatasetStore>,
    pub(crate) library: Library,
    clock: Arc<dyn Clock>,
    installed: OnceCell<()>,
    recent: Mutex<Recent>,
}

impl Room {
    pub(crate) fn new(
        store: Arc<dyn DatasetStore>,
        library: Library,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            store,
            library,
            clock,
            installed: OnceCell::new(),
            recent: Mutex::default(),
        }
    }

    /// Whether the bundled data are installed already.
    pub(crate) fn is_installed(&self) -> bool {
        self.installed.initialized()
    }

    /// Admits and registers the bundled sets that this version of the program has not registered
    /// yet; whoever comes while it runs waits for it.
    pub(crate) async fn install(&self) -> Result<(), ServiceError> {
        self.installed
            .get_or_try_init(|| async {
                let there = self.store.datasets().await?;
                let wanted: Vec<&'static BundledInfo> = bundled::list()
                    .iter()
                    .filter(|info| {
                        !there.iter().any(|r| {
                            r.detail.summary.id == info.dataset_id()
                                && r.file_sha256 == info.sha256
                                && r.checked_by == VERSION
                        })
                    })
                    .collect();
                if wanted.is_empty() {
                    return Ok(());
                }
                let now = self.clock.now();
                // Side by side: the first start of a data folder waits for it.
                let share = wanted.len().div_ceil(SIDE_BY_SIDE);
                let parts = wanted.chunks(share).map(|part| {
                    let part = part.to_vec();
                    blocking(move || {
                        part.into_iter()
                            .map(|info| admit_bundled(info, now))
                            .collect::<Result<Vec<_>, _>>()
                    })
                });
                let admitted = futures::future::try_join_all(parts).await?;
                let (sets, entries) = admitted.into_iter().flatten().unzip();
                self.store.register(sets, entries).await?;
                Ok(())
            })
            .await
            .map(|_| ())
    }

    /// All registered sets, by id.
    pub(crate) async fn all(&self) -> Result<Vec<Registered>, ServiceError> {
        self.install().await?;
        Ok(self.store.datasets().await?)
    }

    /// One set, or the nearest ids.
    pub(crate) async fn one(&self, id: &str) -> Result<Registered, ServiceError> {
        self.install().await?;
        if let Some(found) = self.store.dataset(&id.into()).await? {
            return Ok(found);
        }
        let all = self.store.datasets().await?;
        let ids: Vec<&str> = all.iter().map(|r| r.detail.summary.id.as_str()).collect();
        let mut suggestions: Vec<String> = all
            .iter()
            .filter(|r| {
                r.detail
                    .summary
                    .symbols
                    .iter()
                    .any(|s| s.eq_ignore_ascii_case(id))
            })
            .map(|r| r.detail.summary.id.0.clone())
            .collect();
        if suggestions.is_empty() {
            suggestions = nearest(id, &ids);
        }
        Err(ServiceError::NotFound {
            what: "data set",
            id: id.to_owned(),
            suggestions,
        })
    }

    /// The bars of a registered set, through the gate.
    pub(crate) async fn bars(&self, set: &Registered) -> Result<Arc<Verified<Bars>>, ServiceError> {
        let summary = &set.detail.summary;
        let key = (summary.id.clone(), summary.sha256.clone());
        if let Some(found) = self.recall(&key.0, &key.1) {
            return Ok(found);
        }
        let (library, set) = (self.library.clone(), set.clone());
        let bars = blocking(move || {
            let summary = &set.detail.summary;
            if summary.kind == DatasetKind::Intraday {
                return daily(&read_intraday(&library, &set)?);
            }
            let symbol = summary.symbols.first().map_or("", String::as_str);
            let arrival = match &set.path {
                None => bundled::bars(symbol),
                Some(path) => library.read_bars(path, &summary.sha256),
            }
            .map_err(from_data)?;
            Gate::admit(arrival)
                .map(|a| a.verified)
                .map_err(from_refused)
        })
        .await?;
        let bars = Arc::new(bars);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.push_back((key.0, key.1, bars.clone()));
        if recent.len() > KEPT {
            recent.pop_front();
        }
        Ok(bars)
    }

    /// The bars of less than a day of a registered set, through the gate.
    pub(crate) async fn intraday(
        &self,
        set: &Registered,
    ) -> Result<Verified<Intraday>, ServiceError> {
        let (library, set) = (self.library.clone(), set.clone());
        blocking(move || read_intraday(&library, &set)).await
    }

    fn recall(&self, id: &DatasetId, sha256: &str) -> Option<Arc<Verified<Bars>>> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let at = recent
            .iter()
            .position(|(i, hash, _)| i == id && hash == sha256)?;
        let found = recent.remove(at)?;
        let bars = found.2.clone();
        recent.push_back(found);
        Some(bars)
    }

    /// The series that the features of these groups and ids need, where they are at hand.
    pub(crate) async fn context(
        &self,
        wanted: &[String],
    ) -> Result<Option<Verified<Context>>, ServiceError> {
        let mut series = Vec::new();
        for id in mltrainer_features::series_of(wanted) {
            series.extend(self.series(id).await?);
        }
        Ok(Context::verified(&series))
    }

    /// A series of that name, through the gate: the bundled one, else the one that was fetched last;
    /// `None` when there is none.
    pub(crate) async fn series(&self, id: &str) -> Result<Option<Verified<Series>>, ServiceError> {
        let of_series =
            |i: &&BundledInfo| i.kind == DatasetKind::Series && i.id.eq_ignore_ascii_case(id);
        let Some(info) = bundled::list().iter().find(of_series) else {
            let name = |r: &Registered| {
                let summary = &r.detail.summary;
                summary.kind == DatasetKind::Series
                    && r.path.is_some()
                    && summary.symbols.iter().any(|s| s.eq_ignore_ascii_case(id))
            };
            let all = self.store.datasets().await?;
            let fetched = all.iter().filter(|r| name(r)).max_by_key(|r| r.checked_at);
            return match fetched {
                Some(set) => self.stored_series(set).await.map(Some),
                None => Ok(None),
            };
        };
        blocking(move || {
            let arrival = bundled::series(info.id).map_err(from_data)?;
            Gate::admit(arrival)
                .map(|a| Some(a.verified))
                .map_err(from_refused)
        })
        .await
    }

    /// The series of a registered set, through the gate.
    pub(crate) async fn series_of(
        &self,
        set: &Registered,
    ) -> Result<Option<Verified<Series>>, ServiceError> {
        if set.path.is_some() {
            return self.stored_series(set).await.map(Some);
        }
        let name = set.detail.summary.symbols.first();
        self.series(name.map_or("", String::as_str)).await
    }

    async fn stored_series(&self, set: &Registered) -> Result<Verified<Series>, ServiceError> {
        let (library, set) = (self.library.clone(), set.clone());
        blocking(move || {
            let path = set.path.as_deref().unwrap_or_default();
            let arrival = library
                .read_series(path, &set.detail.summary.sha256)
                .map_err(from_data)?;
            Gate::admit(arrival)
                .map(|a| a.verified)
                .map_err(from_refused)
        })
        .await
    }
}

fn read_intraday(library: &Library, set: &Registered) -> Result<Verified<Intraday>, ServiceError> {
    let path = set.path.as_deref().unwrap_or_default();
    let arrival = library
        .read_intraday(path, &set.detail.summary.sha256)
        .map_err(from_data)?;
    Gate::admit(arrival)
        .map(|a| a.verified)
        .map_err(from_refused)
}

/// Trials and charts take days: those of the sessions that the bars fill.
fn daily(bars: &Verified<Intraday>) -> Result<Verified<Bars>, ServiceError> {
    let detail = format!(
        "sessions out of bars of {} minutes, New York time",
        bars.get().minutes
    );
    bars.derive("daily", detail, |b| Ok(b.daily()))
}

/// Runs heavy work away from the threads that answer requests.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ServiceError> + Send + 'static,
) -> Result<T, ServiceError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(e) => Err(ServiceError::Internal(format!("a task did not end: {e}"))),
    }
}

/// An audit record of a data set.
pub(crate) fn dataset_entry(
    actor: &str,
    action: &str,
    subject: &str,
    detail: serde_json::Value,
) -> AuditEntry {
    AuditEntry {
        actor: actor.to_owned(),
        action: action.to_owned(),
        subject: subject.to_owned(),
        decision: "allowed".to_owned(),
        rule: None,
        detail,
    }
}

fn admit_bundled(
    info: &'static BundledInfo,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(Registered, AuditEntry), ServiceError> {
    let (report, lineage, first, last) = if info.kind == DatasetKind::Series {
        let admitted = Gate::admit(bundled::series(info.id).map_err(from_data)?);
        let a = admitted.map_err(from_refused)?;
        let dates = &a.verified.get().dates;
        let ends = (dates.first().copied(), dates.last().copied());
        (a.report, a.verified.lineage().clone(), ends.0, ends.1)
    } else {
        let admitted = Gate::admit(bundled::bars(info.id).map_err(from_data)?);
        let a = admitted.map_err(from_refused)?;
        let dates = &a.verified.get().dates;
        let ends = (dates.first().copied(), dates.last().copied());
        (a.report, a.verified.lineage().clone(), ends.0, ends.1)
    };
    let id = info.dataset_id();
    let summary = DatasetSummary {
        id: id.clone(),
        kind: info.kind,
        symbols: vec![info.id.to_owned()],
        source: policy::BUNDLED.to_owned(),
        title: info.title.to_owned(),
        first: first.unwrap_or(info.first),
        last: last.unwrap_or(info.last),
        rows: report.usable,
        sha256: lineage.sha256().to_owned(),
        quality: report.score,
        quarantined: report.quarantined,
        licence: info.licence.to_owned(),
        origin: info.original_source.to_owned(),
    };
    let entry = dataset_entry(
        "system",
        "dataset.install",
        id.as_str(),
        serde_json::json!({
            "file": info.file,
            "file_sha256": info.sha256,
            "sha256": summary.sha256,
            "package": format!("{} {}", info.package, info.version),
            "rows": summary.rows,
            "quarantined": summary.quarantined,
            "checked_by": VERSION,
        }),
    );
    let registered = Registered {
        detail: DatasetDetail {
            summary,
            quality: report,
            lineage: lineage.steps().to_vec(),
            notes: info.notes(),
        },
        path: None,
        file_sha256: info.sha256.to_owned(),
        checked_at: now,
        checked_by: VERSION.to_owned(),
    };
    Ok((registered, entry))
}

fn to_trial(e: ServiceError) -> TrialError {
    match e {
        ServiceError::Refused(refusal) => TrialError::Blocked(refusal),
        other => TrialError::Data(other.to_string()),
    }
}

#[async_trait]
impl DataPort for Room {
    async fn bars(&self, dataset: &DatasetRef) -> Result<Verified<Bars>, TrialError> {
        let set = self.one(dataset.id.as_str()).await.map_err(to_trial)?;
        if set.detail.summary.sha256 != dataset.sha256 {
            return Err(TrialError::Data(format!(
                "data set {} has changed since the trial was made (hash {} then, {} now): make a new trial",
                dataset.id, dataset.sha256, set.detail.summary.sha256
            )));
        }
        let bars = Self::bars(self, &set).await.map_err(to_trial)?;
        Ok(Verified::clone(&bars))
    }

    async fn series(&self, id: &str) -> Result<Option<Verified<Series>>, TrialError> {
        Self::series(self, id).await.map_err(to_trial)
    }
}
