//! Data sets: list, look, import, quality.

use crate::error::from_data;
use crate::port::Registered;
use crate::room::{blocking, dataset_entry};
use crate::{ServiceError, Services, VERSION};
use chrono::NaiveDate;
use mltrainer_compliance::gate::Refused;
use mltrainer_compliance::{Admitted, Arrival, Gate};
use mltrainer_data::bars::Bars;
use mltrainer_data::csv;
use mltrainer_data::library::Provenance;
use mltrainer_types::DatasetId;
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::data::{
    Bar, DatasetDetail, DatasetKind, DatasetQuality, DatasetSummary, ImportOutcome, QualityReport,
};
use mltrainer_types::policy::Refusal;
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// The origin of files that a person brings, unless he says that he exported them from a vendor.
const USER: &str = "user_provided";

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

    /// Score and findings of every data set.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn data_quality(&self) -> Result<Vec<DatasetQuality>, ServiceError> {
        let all = self.inner.room.all().await?;
        Ok(all
            .into_iter()
            .map(|r| DatasetQuality {
                id: r.detail.summary.id,
                checked_at: r.checked_at,
                quality: r.detail.quality,
            })
            .collect())
    }

    /// Takes a user's CSV file through the gate. A refusal by the gate is an outcome, with its
    /// findings; every attempt leaves an audit record.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] for a symbol that cannot be one, [`ServiceError::BadData`] when the
    /// file cannot be read as bars, [`ServiceError::Unavailable`] when it cannot be stored.
    pub async fn import_csv(
        &self,
        actor: &str,
        symbol: &str,
        origin: &str,
        file_name: &str,
        bytes: Vec<u8>,
    ) -> Result<ImportOutcome, ServiceError> {
        let symbol = mltrainer_data::bars::symbol(symbol)
            .map_err(|e| ServiceError::invalid("symbol", e.to_string()))?;
        self.inner.room.install().await?;
        let file_sha256 = hex::encode(Sha256::digest(&bytes));
        let name = plain_name(file_name);
        let request = format!("{name}, file SHA-256 {file_sha256}");
        let refused = |subject: &str, rule: Option<&str>, reason: &str| AuditEntry {
            decision: "refused".to_owned(),
            rule: rule.map(str::to_owned),
            ..dataset_entry(
                actor,
                "dataset.import",
                subject,
                json!({ "file": name, "file_sha256": file_sha256, "origin": origin, "reason": reason }),
            )
        };
        let subject = format!("file:{symbol}");

        let (arrival_origin, for_reading) = (origin.to_owned(), symbol.clone());
        let arrival_request = request.clone();
        let gate = blocking(move || {
            let content = csv::read_bars(&bytes, &for_reading).map_err(from_data)?;
            let rows = content.len() as u64;
            let outcome = Gate::admit(Arrival {
                origin: arrival_origin,
                request: arrival_request,
                promised_sha256: None,
                content,
            });
            Ok((outcome, rows))
        })
        .await;
        let (outcome, rows) = match gate {
            Ok(gate) => gate,
            Err(e) => {
                let entry = refused(&subject, None, &e.to_string());
                self.inner.audit.append(vec![entry]).await?;
                return Err(e);
            }
        };
        let admitted = match outcome {
            Ok(admitted) => admitted,
            Err(no) => {
                let Refused { refusal, report } = *no;
                let entry = refused(&subject, Some(&refusal.rule), &refusal.reason);
                self.inner.audit.append(vec![entry]).await?;
                return Ok(ImportOutcome {
                    dataset: None,
                    quality: report.unwrap_or_else(|| not_looked_at(rows)),
                    refusal: Some(refusal),
                });
            }
        };
        self.keep(actor, origin, &name, file_sha256, request, admitted)
            .await
    }

    /// Writes admitted bars to the library, then registers them with their audit record.
    async fn keep(
        &self,
        actor: &str,
        origin: &str,
        name: &str,
        file_sha256: String,
        request: String,
        admitted: Admitted<Bars>,
    ) -> Result<ImportOutcome, ServiceError> {
        let room = &self.inner.room;
        let now = self.inner.clock.now();
        let Admitted { verified, report } = admitted;
        let library = room.library.clone();
        let provenance = Provenance {
            origin: origin.to_owned(),
            request,
            at: now,
        };
        // The Parquet file is whole on the disk before the row that names it exists.
        let (stored, verified) = blocking(move || {
            let stored = library
                .write_bars(verified.get(), &provenance)
                .map_err(from_data)?;
            Ok((stored, verified))
        })
        .await?;
        let sha256 = verified.lineage().sha256().to_owned();
        let manifest = stored.manifest;
        let id = DatasetId(format!("user:{}", sha256.get(..12).unwrap_or(&sha256)));
        let summary = DatasetSummary {
            id: id.clone(),
            kind: if verified.get().open.is_some() {
                DatasetKind::Bars
            } else {
                DatasetKind::Closes
            },
            title: format!("{} from {name}", manifest.symbol),
            symbols: vec![manifest.symbol],
            source: origin.to_owned(),
            first: manifest.first,
            last: manifest.last,
            rows: report.usable,
            sha256,
            quality: report.score,
            quarantined: report.quarantined,
            licence: "as agreed between the user and the vendor".to_owned(),
            origin: format!("the user's file {name}"),
        };
        let entry = dataset_entry(
            actor,
            "dataset.import",
            id.as_str(),
            json!({
                "file": name,
                "file_sha256": file_sha256,
                "sha256": summary.sha256,
                "origin": origin,
                "symbols": summary.symbols,
                "rows": summary.rows,
                "quarantined": summary.quarantined,
            }),
        );
        let set = Registered {
            detail: DatasetDetail {
                summary: summary.clone(),
                quality: report.clone(),
                lineage: verified.lineage().steps().to_vec(),
                notes: format!("Imported from {name}. Rows set aside are not stored."),
            },
            path: Some(stored.path),
            file_sha256,
            checked_at: now,
            checked_by: VERSION.to_owned(),
        };
        room.store.register(vec![set], vec![entry]).await?;
        Ok(ImportOutcome {
            dataset: Some(summary),
            quality: report,
            refusal: None,
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
            .max_by_key(|r| (r.detail.summary.source != USER, r.checked_at))
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
fn plain_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().filter(|c| !c.is_control()).take(120).collect();
    if plain.trim().is_empty() {
        "upload.csv".to_owned()
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
