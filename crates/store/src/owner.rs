//! Which process runs a trial, between several processes on one data folder.
//!
//! Each process holds an operating-system lock on a file of its own under `owners/`; the system
//! releases it when the process ends, however it ends. A trial names its owner, and whose lock can
//! be taken is dead. So after `kill -9` the next start goes on at once, and two living processes
//! never run one trial.

use mltrainer_services::port::PortError;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The folder of locks.
pub(crate) struct Registry(PathBuf);

/// The lock under which processes enter and stale files are removed.
pub(crate) struct Exclusive(#[expect(dead_code, reason = "holds the lock until dropped")] File);

/// The lock of this process.
pub(crate) struct Owner {
    pub(crate) name: String,
    path: PathBuf,
    _lock: File,
}

impl Drop for Owner {
    fn drop(&mut self) {
        // A leftover file is harmless: its lock can be taken.
        let _ = fs::remove_file(&self.path);
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

impl Registry {
    /// The registry of a data folder, which is made when absent.
    pub(crate) fn new(folder: &Path) -> Result<Self, PortError> {
        let owners = folder.join("owners");
        fs::create_dir_all(&owners).map_err(|e| fault(folder, &e))?;
        Ok(Self(owners))
    }

    /// Waits until no other process is entering.
    pub(crate) fn exclusive(&self) -> Result<Exclusive, PortError> {
        let file = open(&self.0.join("enter")).map_err(|e| fault(&self.0, &e))?;
        file.lock().map_err(|e| fault(&self.0, &e))?;
        Ok(Exclusive(file))
    }

    /// Enters as the living process `name`, and removes the files of dead ones.
    pub(crate) fn enter(&self, name: &str, _turn: &Exclusive) -> Result<Owner, PortError> {
        if let Ok(files) = fs::read_dir(&self.0) {
            for path in files.flatten().map(|f| f.path()) {
                let ours = path.extension().is_some_and(|e| e == "lock");
                if ours && open(&path).is_ok_and(|f| f.try_lock().is_ok()) {
                    let _ = fs::remove_file(&path);
                }
            }
        }
        let path = self.file(name);
        let lock = open(&path).map_err(|e| fault(&self.0, &e))?;
        lock.lock().map_err(|e| fault(&self.0, &e))?;
        Ok(Owner {
            name: name.to_owned(),
            path,
            _lock: lock,
        })
    }

    /// Whether the process of that name still runs. When in doubt it does: a trial is rather left
    /// alone than run twice.
    pub(crate) fn is_alive(&self, name: &str) -> bool {
        match File::open(self.file(name)) {
            Ok(file) => match file.try_lock() {
                Ok(()) => false,
                Err(TryLockError::WouldBlock | TryLockError::Error(_)) => true,
            },
            Err(e) => e.kind() != ErrorKind::NotFound,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        // A name comes from the database: it must not lead out of the folder.
        let safe: String = name
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
            .collect();
        self.0.join(format!("{safe}.lock"))
    }
}

fn fault(folder: &Path, e: &std::io::Error) -> PortError {
    let folder = folder.display();
    match e.kind() {
        ErrorKind::StorageFull => PortError::Full(format!(
            "the disk of {folder} is full: make room or choose another folder with --data-dir"
        )),
        _ => PortError::Failed(format!(
            "the data folder {folder} cannot be written ({e}): give write permission or choose another with --data-dir"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_alive_as_long_as_it_holds_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::new(folder.path()).unwrap();
        let turn = registry.exclusive().unwrap();
        let owner = registry.enter("a", &turn).unwrap();
        assert!(registry.is_alive("a"));
        assert!(!registry.is_alive("b"));
        drop(owner);
        assert!(!registry.is_alive("a"));
    }

    #[test]
    fn a_leftover_file_counts_as_dead_and_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::new(folder.path()).unwrap();
        let left = folder.path().join("owners/killed.lock");
        fs::write(&left, "").unwrap();
        assert!(!registry.is_alive("killed"));
        let turn = registry.exclusive().unwrap();
        let _owner = registry.enter("next", &turn).unwrap();
        assert!(!left.exists());
        assert!(registry.is_alive("next"));
    }
}
