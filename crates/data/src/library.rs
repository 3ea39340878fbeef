//! Users' data on disk: Parquet files with a manifest beside each, written whole or not at all.
//!
//! A file lies at `bars/ORIGIN/SYMBOL/FIRST_LAST_HASH.parquet`, its manifest at the same place with
//! `.json`; the name holds the head of the content's hash, so different contents never meet. Every
//! file is first written under `tmp`, flushed to the disk and then renamed, the manifest last: what
//! a reader finds is complete.

use crate::bars::Bars;
use crate::error::DataError;
use crate::frame;
use crate::intraday::Intraday;
use crate::series::Series;
use chrono::{DateTime, NaiveDate, Utc};
use mltrainer_compliance::{Arrival, Content, hash_and, redact};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where data came from, as the importer knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// Approved origin.
    pub origin: String,
    /// What was asked for or uploaded; secrets are redacted before it is written.
    pub request: String,
    /// When it arrived.
    pub at: DateTime<Utc>,
}

/// What lies beside every file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Approved origin.
    pub origin: String,
    /// What was asked for or uploaded.
    pub request: String,
    /// When it arrived.
    pub at: DateTime<Utc>,
    /// Symbol.
    pub symbol: String,
    /// First day.
    pub first: NaiveDate,
    /// Last day.
    pub last: NaiveDate,
    /// Number of rows.
    pub rows: u64,
    /// Length of a bar in minutes, where it is less than a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u32>,
    /// SHA-256 of the canonical content, hexadecimal.
    pub content_sha256: String,
    /// SHA-256 of the file's bytes, hexadecimal.
    pub file_sha256: String,
}

/// A stored file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Path below the library's folder, with `/`.
    pub path: String,
    /// What lies beside it.
    pub manifest: Manifest,
}

/// The folder of users' data.
#[derive(Debug, Clone)]
pub struct Library {
    root: PathBuf,
}

/// Names of temporary files differ within a process by this, between processes by their number.
static NEXT_TEMPORARY: AtomicU64 = AtomicU64::new(0);

impl Library {
    /// The library in this folder; it is made at the first write.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Removes what an interrupted write left under `tmp`. Call it once at the start, when no other
    /// process writes here.
    ///
    /// # Errors
    /// [`DataError::Io`].
    pub fn sweep(&self) -> Result<(), DataError> {
        match fs::remove_dir_all(self.root.join("tmp")) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed("tmp", "written", &e)),
            _ => Ok(()),
        }
    }

    /// Stores bars with their manifest. Storing the same again replaces the file by an equal one.
    ///
    /// # Errors
    /// [`DataError::Empty`] without a row, [`DataError::BadSymbol`], [`DataError::DiskFull`], [`DataError::Io`]; then nothing is
    /// visible that was not before.
    pub fn write_bars(&self, bars: &Bars, provenance: &Provenance) -> Result<Stored, DataError> {
        let (Some(&first), Some(&last)) = (bars.dates.first(), bars.dates.last()) else {
            return Err(DataError::Empty);
        };
        let symbol = crate::bars::symbol(&bars.symbol)?;
        let content_sha256 = bars.sha256();
        let head = content_sha256.get(..12).unwrap_or_default();
        let path = format!(
            "bars/{}/{symbol}/{first}_{last}_{head}.parquet",
            provenance.origin
        );
        let bytes = frame::write_bars(bars, &path)?;
        let manifest = Manifest {
            origin: provenance.origin.clone(),
            request: redact(&provenance.request),
            at: provenance.at,
            symbol,
            first,
            last,
            rows: bars.len() as u64,
            minutes: None,
            content_sha256,
            file_sha256: hex::encode(Sha256::digest(&bytes)),
        };
        self.write_with(&path, &bytes, &manifest)?;
        Ok(Stored { path, manifest })
    }

    /// Reads stored bars for the gate, after comparing the bytes with the manifest and the content
    /// with `expected_sha256`.
    ///
    /// # Errors
    /// [`DataError::Damaged`] when either differs or the file is torn, [`DataError::Io`] when it cannot be read.
    pub fn read_bars(&self, path: &str, expected_sha256: &str) -> Result<Arrival<Bars>, DataError> {
        let (manifest, bytes) = self.read_with(path)?;
        let bars = frame::read_bars(&bytes, &manifest.symbol, path)?;
        arrival(manifest, path, bars, expected_sha256)
    }

    /// Stores a series with its manifest, at `series/ORIGIN/NAME/FIRST_LAST_HASH.parquet`.
    ///
    /// # Errors
    /// As [`Library::write_bars`].
    pub fn write_series(
        &self,
        series: &Series,
        provenance: &Provenance,
    ) -> Result<Stored, DataError> {
        let (Some(&first), Some(&last)) = (series.dates.first(), series.dates.last()) else {
            return Err(DataError::Empty);
        };
        let symbol = crate::bars::symbol(&series.id)?;
        let content_sha256 = series.sha256();
        let head = content_sha256.get(..12).unwrap_or_default();
        let path = format!(
            "series/{}/{symbol}/{first}_{last}_{head}.parquet",
            provenance.origin
        );
        let bytes = frame::write_series(series, &path)?;
        let manifest = Manifest {
            origin: provenance.origin.clone(),
            request: redact(&provenance.request),
            at: provenance.at,
            symbol,
            first,
            last,
            rows: series.len() as u64,
            minutes: None,
            content_sha256,
            file_sha256: hex::encode(Sha256::digest(&bytes)),
        };
        self.write_with(&path, &bytes, &manifest)?;
        Ok(Stored { path, manifest })
    }

    /// Reads a stored series for the gate, as [`Library::read_bars`] does bars.
    ///
    /// # Errors
    /// As [`Library::read_bars`].
    pub fn read_series(
        &self,
        path: &str,
        expected_sha256: &str,
    ) -> Result<Arrival<Series>, DataError> {
        let (manifest, bytes) = self.read_with(path)?;
        let series = frame::read_series(&bytes, &manifest.symbol, path)?;
        arrival(manifest, path, series, expected_sha256)
    }

    /// Stores bars of less than a day with their manifest, at
    /// `intraday/ORIGIN/SYMBOL/FIRST_LAST_HASH.parquet`; first and last are days in New York.
    ///
    /// # Errors
    /// As [`Library::write_bars`].
    pub fn write_intraday(
        &self,
        bars: &Intraday,
        provenance: &Provenance,
    ) -> Result<Stored, DataError> {
        let (Some(&first), Some(&last)) = (bars.stamps.first(), bars.stamps.last()) else {
            return Err(DataError::Empty);
        };
        let (first, last) = (Intraday::day(first), Intraday::day(last));
        let symbol = crate::bars::symbol(&bars.symbol)?;
        let place = format!("intraday/{}/{symbol}/{first}_{last}", provenance.origin);
        let (content_sha256, bytes) = hash_and(bars, |bars| frame::write_intraday(bars, &place));
        let bytes = bytes?;
        let head = content_sha256.get(..12).unwrap_or_default();
        let path = format!("{place}_{head}.parquet");
        let manifest = Manifest {
            origin: provenance.origin.clone(),
            request: redact(&provenance.request),
            at: provenance.at,
            symbol,
            first,
            last,
            rows: bars.len() as u64,
            minutes: Some(bars.minutes),
            content_sha256,
            file_sha256: hex::encode(Sha256::digest(&bytes)),
        };
        self.write_with(&path, &bytes, &manifest)?;
        Ok(Stored { path, manifest })
    }

    /// Reads stored bars of less than a day for the gate, as [`Library::read_bars`] does daily ones.
    ///
    /// # Errors
    /// As [`Library::read_bars`].
    pub fn read_intraday(
        &self,
        path: &str,
        expected_sha256: &str,
    ) -> Result<Arrival<Intraday>, DataError> {
        let (manifest, bytes) = self.read_with(path)?;
        let minutes = manifest.minutes.unwrap_or(1);
        let bars = frame::read_intraday(&bytes, &manifest.symbol, minutes, path)?;
        arrival(manifest, path, bars, expected_sha256)
    }

    /// Writes a file, and then its manifest beside it.
    pub(crate) fn write_with<M: Serialize>(
        &self,
        path: &str,
        bytes: &[u8],
        manifest: &M,
    ) -> Result<(), DataError> {
        let text = serde_json::to_vec_pretty(manifest).map_err(|e| DataError::Io {
            file: path.to_owned(),
            action: "written",
            reason: e.to_string(),
        })?;
        self.write(path, bytes)?;
        self.write(&manifest_path(path), &text)
    }

    /// Manifest and bytes of a file, after comparing the two.
    fn read_with(&self, path: &str) -> Result<(Manifest, Vec<u8>), DataError> {
        let damaged = |reason: String| DataError::Damaged {
            file: path.to_owned(),
            reason,
        };
        let text = self.read(&manifest_path(path))?;
        let manifest: Manifest = serde_json::from_slice(&text)
            .map_err(|e| damaged(format!("its manifest is not readable ({e})")))?;
        let bytes = self.read(path)?;
        let found = hex::encode(Sha256::digest(&bytes));
        if found != manifest.file_sha256 {
            return Err(damaged(format!(
                "its bytes have SHA-256 {found}, its manifest says {}",
                manifest.file_sha256
            )));
        }
        Ok((manifest, bytes))
    }

    /// The place of a path below the root; one that leads out of it is refused.
    pub(crate) fn place(&self, path: &str) -> Result<PathBuf, DataError> {
        let below = Path::new(path);
        if below
            .components()
            .all(|c| matches!(c, Component::Normal(_)))
        {
            Ok(self.root.join(below))
        } else {
            Err(DataError::Io {
                file: path.to_owned(),
                action: "read",
                reason: "the path leads out of the data folder".to_owned(),
            })
        }
    }

    pub(crate) fn read(&self, path: &str) -> Result<Vec<u8>, DataError> {
        fs::read(self.place(path)?).map_err(|e| failed(path, "read", &e))
    }

    pub(crate) fn write(&self, path: &str, bytes: &[u8]) -> Result<(), DataError> {
        let to = self.place(path)?;
        let number = NEXT_TEMPORARY.fetch_add(1, Ordering::Relaxed);
        let from = self
            .root
            .join("tmp")
            .join(format!("{}-{number}", std::process::id()));
        let written = replace(&from, &to, bytes);
        if written.is_err() {
            // The first error counts; what cannot be removed now is swept at the next start.
            drop(fs::remove_file(&from));
        }
        written.map_err(|e| failed(path, "written", &e))
    }
}

/// A content for the gate, when it is the one that was recorded.
fn arrival<T: Content>(
    manifest: Manifest,
    path: &str,
    content: T,
    expected_sha256: &str,
) -> Result<Arrival<T>, DataError> {
    let found = content.sha256();
    if found != expected_sha256 {
        return Err(DataError::Damaged {
            file: path.to_owned(),
            reason: format!(
                "its content has SHA-256 {found}, {expected_sha256} was recorded when it was stored"
            ),
        });
    }
    Ok(Arrival {
        origin: manifest.origin,
        request: format!("{} ({path})", manifest.request),
        promised_sha256: Some(expected_sha256.to_owned()),
        content,
    })
}

/// Writes `bytes` under `from`, flushes them to the disk and renames the file to `to`.
fn replace(from: &Path, to: &Path, bytes: &[u8]) -> io::Result<()> {
    for folder in [from.parent(), to.parent()].into_iter().flatten() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(from)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(from, to)?;
    // The name itself must reach the disk too; only Unix lets a folder be flushed.
    if cfg!(unix)
        && let Some(folder) = to.parent()
    {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

pub(crate) fn manifest_path(path: &str) -> String {
    format!("{}.json", path.strip_suffix(".parquet").unwrap_or(path))
}

fn failed(file: &str, action: &'static str, e: &io::Error) -> DataError {
    match e.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DataError::DiskFull {
            file: file.to_owned(),
        },
        kind => DataError::Io {
            file: file.to_owned(),
            action,
            // The kind alone: the system's text may name folders of the machine.
            reason: kind.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundled;
    use mltrainer_compliance::Gate;

    fn provenance() -> Provenance {
        Provenance {
            origin: "user_provided".to_owned(),
            request: "ibm.csv?token=abcdef".to_owned(),
            at: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
        }
    }

    fn ibm() -> Bars {
        bundled::bars("IBM").unwrap().content
    }

    fn files_below(folder: &Path) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(folder) else {
            return Vec::new();
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files.extend(files_below(&path));
            } else {
                files.push(path);
            }
        }
        files.sort();
        files
    }

    #[test]
    fn what_is_stored_comes_back_bit_by_bit_and_passes_the_gate() {
        let folder = tempfile::tempdir().unwrap();
        let library = Library::new(folder.path().join("data"));
        for bars in [ibm(), bundled::bars("KO_ADJ").unwrap().content] {
            let stored = library.write_bars(&bars, &provenance()).unwrap();
            assert!(
                stored
                    .path
                    .starts_with(&format!("bars/user_provided/{}/", bars.symbol))
            );
            assert!(!stored.manifest.request.contains("abcdef"));
            let arrival = library
                .read_bars(&stored.path, &stored.manifest.content_sha256)
                .unwrap();
            assert_eq!(arrival.content, bars);
            let admitted = Gate::admit(arrival).unwrap();
            assert_eq!(admitted.verified.get(), &bars);
        }
        // Two files and two manifests, nothing under tmp; the same again gives the same bytes.
        let files = files_below(folder.path());
        assert_eq!(files.len(), 4);
        let before: Vec<Vec<u8>> = files.iter().map(|f| fs::read(f).unwrap()).collect();
        library.write_bars(&ibm(), &provenance()).unwrap();
        let after: Vec<Vec<u8>> = files.iter().map(|f| fs::read(f).unwrap()).collect();
        assert!(before == after && files_below(folder.path()) == files);
    }

    #[test]
    fn bars_of_an_hour_come_back_too() {
        let folder = tempfile::tempdir().unwrap();
        let library = Library::new(folder.path().to_path_buf());
        let stamps = crate::calendar::sessions(ibm().dates[0], ibm().dates[30])
            .iter()
            .flat_map(|s| (0..7).map(|h| s.open + chrono::TimeDelta::hours(h)))
            .collect::<Vec<_>>();
        let bars = Intraday {
            symbol: "IBM".to_owned(),
            minutes: 60,
            close: (0..stamps.len()).map(|i| ibm().close[i]).collect(),
            stamps,
            ..Intraday::default()
        };
        let stored = library.write_intraday(&bars, &provenance()).unwrap();
        assert_eq!(stored.manifest.minutes, Some(60));
        let hash = &stored.manifest.content_sha256;
        let arrival = library.read_intraday(&stored.path, hash).unwrap();
        assert_eq!(arrival.content, bars);
        assert!(library.read_intraday(&stored.path, "00").is_err());
        assert!(library.read_bars(&stored.path, hash).is_err());
    }

    #[test]
    fn a_torn_or_changed_file_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let library = Library::new(folder.path().to_path_buf());
        let stored = library.write_bars(&ibm(), &provenance()).unwrap();
        let hash = stored.manifest.content_sha256.as_str();
        let place = folder.path().join(&stored.path);
        let bytes = fs::read(&place).unwrap();
        let says = |expected: &str| {
            let error = library.read_bars(&stored.path, hash).unwrap_err();
            assert!(matches!(error, DataError::Damaged { .. }));
            assert!(error.to_string().contains(expected), "{error}");
        };
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            fs::write(&place, &changed).unwrap();
            says("its bytes have SHA-256");
        }
        fs::write(&place, &bytes[..bytes.len() / 2]).unwrap();
        says("its bytes have SHA-256");
        // Somebody changed the file and the manifest together: the content gives it away.
        let mut other = ibm();
        other.close[100] += 0.01;
        let bytes = frame::write_bars(&other, "x").unwrap();
        fs::write(&place, &bytes).unwrap();
        let mut manifest = stored.manifest.clone();
        manifest.file_sha256 = hex::encode(Sha256::digest(&bytes));
        let beside = folder.path().join(manifest_path(&stored.path));
        fs::write(&beside, serde_json::to_vec(&manifest).unwrap()).unwrap();
        says("its content has SHA-256");
        fs::write(&beside, "{").unwrap();
        says("its manifest is not readable");
        fs::remove_file(&beside).unwrap();
        let error = library.read_bars(&stored.path, hash).unwrap_err();
        assert!(error.to_string().contains("cannot be read"), "{error}");
    }

    #[test]
    fn a_write_that_fails_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let library = Library::new(folder.path().to_path_buf());
        // A file stands where the folder of bars should be.
        fs::write(folder.path().join("bars"), "in the way").unwrap();
        let error = library.write_bars(&ibm(), &provenance()).unwrap_err();
        assert!(
            matches!(
                error,
                DataError::Io {
                    action: "written",
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!(files_below(folder.path()), [folder.path().join("bars")]);
        assert_eq!(
            library.write_bars(&Bars::default(), &provenance()),
            Err(DataError::Empty)
        );
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(
            failed("bars/x", "written", &full).to_string(),
            "the disk is full: bars/x was not written and nothing was changed; free some space and try again"
        );
    }

    #[test]
    fn paths_stay_inside_and_leftovers_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        let library = Library::new(folder.path().join("data"));
        for path in ["../secret.parquet", "/etc/passwd", "bars/../../x.parquet"] {
            let error = library.read_bars(path, "").unwrap_err();
            assert!(error.to_string().contains("leads out"), "{error}");
        }
        let mut outside = provenance();
        outside.origin = "../..".to_owned();
        assert!(library.write_bars(&ibm(), &outside).is_err());
        assert!(files_below(folder.path()).is_empty());
        let tmp = folder.path().join("data/tmp");
        fs::create_dir_all(&tmp).unwrap();
        fs::write(tmp.join("1-2"), "half").unwrap();
        library.sweep().unwrap();
        library.sweep().unwrap();
        assert!(files_below(folder.path()).is_empty());
    }
}
