//! An outsider's hand on the database file, by Python's own SQLite: an auditor's tool that knows
//! no more than the contract says, a tamperer, and a program that holds a lock.

use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The one SQLite database of a data folder, found by the first bytes of the file.
///
/// # Panics
/// When there is not exactly one.
#[must_use]
pub fn database(data_dir: &Path) -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir(data_dir)
        .expect("the data folder can be read")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0"))
        })
        .collect();
    assert_eq!(
        found.len(),
        1,
        "the data folder holds one database: {found:?}"
    );
    found.remove(0)
}

const PRELUDE: &str = r#"
import json, sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
def chain():
    "The audit chain is the table with the contract's columns."
    want = {"seq", "at", "actor", "action", "subject", "decision", "rule", "prev_hash", "hash"}
    for (name,) in db.execute("select name from sqlite_master where type = 'table'").fetchall():
        if want <= {row[1] for row in db.execute(f'pragma table_info("{name}")')}:
            return name
    sys.exit("no table with the columns of the audit chain")
def unguard():
    "What a tamperer with the file in hand would do first: put aside whatever refuses."
    db.execute("pragma ignore_check_constraints = 1")
    for (name,) in db.execute("select name from sqlite_master where type = 'trigger'").fetchall():
        db.execute(f'drop trigger "{name}"')
"#;

/// Runs a few lines of Python on the database (`db` is the connection, `chain()` the audit table's
/// name, `unguard()` drops the triggers) and returns what they print, as JSON.
///
/// # Panics
/// When Python is missing or the lines fail.
pub fn python(database: &Path, lines: &str) -> Value {
    let output = Command::new("python3")
        .arg("-c")
        .arg(format!("{PRELUDE}\n{lines}"))
        .arg(database)
        .output()
        .expect("python3 is installed (Debian: apt-get install python3)");
    assert!(
        output.status.success(),
        "python3 failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

/// Another program that holds the write lock until it is dropped.
pub struct Lock(Child);

impl Lock {
    /// Takes the lock; when this returns it is held.
    ///
    /// # Panics
    /// When Python is missing or the lock cannot be had.
    #[must_use]
    pub fn take(database: &Path) -> Self {
        let mut child = Command::new("python3")
            .arg("-c")
            .arg(format!(
                "{PRELUDE}\ndb.execute('begin exclusive')\nprint('held', flush=True)\nsys.stdin.read()"
            ))
            .arg(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is installed (Debian: apt-get install python3)");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("standard output is piped");
        let _ = BufReader::new(stdout).read_line(&mut line);
        assert_eq!(line.trim(), "held", "the lock was not to be had");
        Self(child)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
