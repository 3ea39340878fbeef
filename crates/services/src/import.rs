//! Bringing a file of one's own: look at it, correct what was found, import it.

use crate::data::{not_looked_at, plain_name};
use crate::error::from_data;
use crate::port::Registered;
use crate::room::{blocking, dataset_entry};
use crate::{ServiceError, Services, VERSION};
use mltrainer_compliance::gate::Refused;
use mltrainer_compliance::{Admissible, Admitted, Arrival, Gate, Verified};
use mltrainer_data::DataError;
use mltrainer_data::bars::Bars;
use mltrainer_data::import::{self, Content, Mapping};
use mltrainer_data::intraday::Intraday;
use mltrainer_data::library::{Library, Provenance, Stored};
use mltrainer_types::DatasetId;
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::data::{
    DatasetDetail, DatasetKind, DatasetSummary, FilePreview, ImportOutcome,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Files that were looked at and not imported yet are kept so long as there are no more than this ...
const STAGED: usize = 8;
/// ... and they have no more bytes than this together.
const STAGED_BYTES: usize = 96 << 20;

/// Files that were looked at, the latest last, by the SHA-256 of their bytes. They live in memory and
/// are gone with the process: nothing half-imported is ever on the disk.
#[derive(Default)]
pub(crate) struct Desk(Mutex<VecDeque<(String, String, Arc<Vec<u8>>)>>);

impl Desk {
    fn put(&self, sha256: &str, name: &str, bytes: Arc<Vec<u8>>) {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|(there, ..)| there != sha256);
        files.push_back((sha256.to_owned(), name.to_owned(), bytes));
        let size = |files: &VecDeque<(String, String, Arc<Vec<u8>>)>| -> usize {
            files.iter().map(|(.., bytes)| bytes.len()).sum()
        };
        while files.len() > STAGED || size(&files) > STAGED_BYTES {
            files.pop_front();
        }
    }

    fn get(&self, sha256: &str) -> Option<(String, Arc<Vec<u8>>)> {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = files.iter().find(|(there, ..)| there == sha256);
        found.map(|(_, name, bytes)| (name.clone(), bytes.clone()))
    }
}

/// A file to look at or to import.
#[derive(Debug, Clone)]
pub struct UserFile {
    /// Its name, for the record.
    pub name: String,
    /// Its bytes.
    pub bytes: Arc<Vec<u8>>,
}

/// An import.
#[derive(Debug, Clone)]
pub struct Import {
    /// The file.
    pub file: UserFile,
    /// Symbol under which trials find it.
    pub symbol: String,
    /// Declared origin.
    pub origin: String,
    /// Corrections of what is found in the file.
    pub mapping: Mapping,
}

/// What the gate said, and what is to be kept.
enum Passed {
    Daily(Admitted<Bars>),
    Intraday(Admitted<Intraday>),
}

impl Services {
    /// What is found in a file, for a person to look at and correct; the file is kept for a while, so
    /// that the import need not send it again.
    ///
    /// # Errors
    /// [`ServiceError::BadData`] when there are no columns to show.
    pub async fn look_at_file(
        &self,
        file: UserFile,
        mapping: Mapping,
    ) -> Result<FilePreview, ServiceError> {
        let (name, bytes) = (plain_name(&file.name, "upload.csv"), file.bytes);
        let for_reading = bytes.clone();
        let (staged, layout) = blocking(move || {
            let sha256 = hex::encode(Sha256::digest(&*for_reading));
            let layout = import::look(&for_reading, &mapping).map_err(from_data)?;
            Ok((sha256, layout))
        })
        .await?;
        self.inner.desk.put(&staged, &name, bytes);
        Ok(FilePreview {
            staged,
            name,
            layout,
        })
    }

    /// The file that was looked at under this hash.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] when it is no longer kept.
    pub fn staged_file(&self, sha256: &str) -> Result<UserFile, ServiceError> {
        let found = self.inner.desk.get(sha256);
        let (name, bytes) = found.ok_or_else(|| {
            ServiceError::invalid("file", "the file is no longer kept here; send it again")
        })?;
        Ok(UserFile { name, bytes })
    }

    /// Takes a user's file of bars through the gate. A refusal by the gate is an outcome, with its
    /// findings; every attempt leaves an audit record.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] for a symbol that cannot be one, [`ServiceError::BadData`] when the
    /// file cannot be read as bars, [`ServiceError::Unavailable`] when it cannot be stored.
    pub async fn import_file(
        &self,
        actor: &str,
        import: Import,
    ) -> Result<ImportOutcome, ServiceError> {
        let Import {
            file,
            symbol,
            origin,
            mapping,
        } = import;
        let symbol = mltrainer_data::bars::symbol(&symbol)
            .map_err(|e| ServiceError::invalid("symbol", e.to_string()))?;
        self.inner.room.install().await?;
        let file_sha256 = hex::encode(Sha256::digest(&*file.bytes));
        let name = plain_name(&file.name, "upload.csv");
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

        let (for_gate, for_reading) = ((origin.clone(), request.clone()), symbol.clone());
        let gate = blocking(move || {
            let content = import::read(&file.bytes, &for_reading, &mapping).map_err(from_data)?;
            let (origin, request) = for_gate;
            Ok(match content {
                Content::Daily(bars) => {
                    let rows = bars.len() as u64;
                    (admit(origin, request, bars).map(Passed::Daily), rows)
                }
                Content::Intraday(bars) => {
                    let rows = bars.len() as u64;
                    (admit(origin, request, bars).map(Passed::Intraday), rows)
                }
            })
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
        let passed = match outcome {
            Ok(passed) => passed,
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
        let kept = Kept {
            actor,
            origin: &origin,
            name: &name,
            file_sha256,
            request,
        };
        match passed {
            Passed::Daily(admitted) => {
                let kind = if admitted.verified.get().open.is_some() {
                    DatasetKind::Bars
                } else {
                    DatasetKind::Closes
                };
                self.keep(kept, kind, admitted, Library::write_bars).await
            }
            Passed::Intraday(admitted) => {
                let write = Library::write_intraday;
                self.keep(kept, DatasetKind::Intraday, admitted, write)
                    .await
            }
        }
    }

    /// Writes what was admitted to the library, then registers it with its audit record.
    async fn keep<T: Send + Sync + 'static>(
        &self,
        kept: Kept<'_>,
        kind: DatasetKind,
        admitted: Admitted<T>,
        write: fn(&Library, &T, &Provenance) -> Result<Stored, DataError>,
    ) -> Result<ImportOutcome, ServiceError> {
        let room = &self.inner.room;
        let now = self.inner.clock.now();
        let Admitted { verified, report } = admitted;
        let Kept {
            actor,
            origin,
            name,
            file_sha256,
            request,
        } = kept;
        let library = room.library.clone();
        let provenance = Provenance {
            origin: origin.to_owned(),
            request,
            at: now,
        };
        // The Parquet file is whole on the disk before the row that names it exists.
        let (stored, verified): (Stored, Verified<T>) = blocking(move || {
            let stored = write(&library, verified.get(), &provenance).map_err(from_data)?;
            Ok((stored, verified))
        })
        .await?;
        let sha256 = verified.lineage().sha256().to_owned();
        let manifest = stored.manifest;
        let id = DatasetId(format!("user:{}", sha256.get(..12).unwrap_or(&sha256)));
        let summary = DatasetSummary {
            id: id.clone(),
            kind,
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
        let every = manifest
            .minutes
            .map_or(String::new(), |m| format!(" A bar covers {m} minutes."));
        let set = Registered {
            detail: DatasetDetail {
                summary: summary.clone(),
                quality: report.clone(),
                lineage: verified.lineage().steps().to_vec(),
                notes: format!("Imported from {name}. Rows set aside are not stored.{every}"),
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
}

/// What is known of a file that passed.
struct Kept<'a> {
    actor: &'a str,
    origin: &'a str,
    name: &'a str,
    file_sha256: String,
    request: String,
}

fn admit<T: Admissible>(
    origin: String,
    request: String,
    content: T,
) -> Result<Admitted<T>, Box<Refused>> {
    Gate::admit(Arrival {
        origin,
        request,
        promised_sha256: None,
        content,
    })
}
