//! The signing key of the audit chain: a file beside the database that only its owner may read.
//! It is never in the database, so that who can change the database cannot sign.

use mltrainer_compliance::audit::Signer;
use mltrainer_services::port::PortError;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// The file.
pub(crate) struct KeyFile(PathBuf);

impl KeyFile {
    pub(crate) fn new(folder: &Path) -> Self {
        Self(folder.join("audit.key"))
    }

    /// The signer of the stored key; a new one when there is no file and the chain is empty.
    pub(crate) fn load(&self, is_new: bool) -> Result<Signer, PortError> {
        match fs::read_to_string(&self.0) {
            Ok(text) => self.parse(&text),
            Err(e) if e.kind() == ErrorKind::NotFound && is_new => self.create(),
            Err(e) if e.kind() == ErrorKind::NotFound => Err(PortError::Failed(format!(
                "the audit key {} is missing although records were written with it: restore it from a backup, or start with an empty data folder",
                self.0.display()
            ))),
            Err(e) => Err(self.fault("read", &e)),
        }
    }

    fn parse(&self, text: &str) -> Result<Signer, PortError> {
        let mut key = [0_u8; 32];
        let text = text.trim();
        let digits = text.as_bytes();
        let valid = digits.len() == 64
            && key
                .iter_mut()
                .zip(digits.chunks_exact(2))
                .all(|(byte, pair)| {
                    std::str::from_utf8(pair)
                        .ok()
                        .filter(|p| p.bytes().all(|b| b.is_ascii_hexdigit()))
                        .and_then(|p| u8::from_str_radix(p, 16).ok())
                        .map(|b| *byte = b)
                        .is_some()
                });
        if !valid {
            return Err(PortError::Failed(format!(
                "the audit key {} is not 64 hexadecimal digits: restore it from a backup",
                self.0.display()
            )));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&self.0).map(|m| m.permissions().mode() & 0o077);
            if mode.is_ok_and(|others| others != 0) {
                tracing::warn!(
                    "others may read the audit key {}: chmod 600 it",
                    self.0.display()
                );
            }
        }
        Ok(Signer::from_bytes(&key))
    }

    fn create(&self) -> Result<Signer, PortError> {
        let signer = Signer::generate().map_err(|e| PortError::Failed(e.to_string()))?;
        let text: String = signer
            .to_bytes()
            .iter()
            .map(|b| format!("{b:02x}"))
            .chain(["\n".to_owned()])
            .collect();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        // Written beside and renamed: a crash leaves no half key. Openers take turns (`Registry`).
        let half = self.0.with_extension("key.new");
        let _ = fs::remove_file(&half);
        options
            .open(&half)
            .and_then(|mut f| {
                f.write_all(text.as_bytes())?;
                f.sync_all()
            })
            .and_then(|()| fs::rename(&half, &self.0))
            .map_err(|e| self.fault("written", &e))?;
        Ok(signer)
    }

    fn fault(&self, what: &str, e: &std::io::Error) -> PortError {
        PortError::Failed(format!(
            "the audit key {} cannot be {what}: {e}",
            self.0.display()
        ))
    }
}
