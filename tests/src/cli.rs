//! Calls of the command line.

use serde_json::Value;
use std::path::Path;
use std::process::Stdio;

/// What a call printed and how it ended.
#[derive(Debug)]
pub struct Answer {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Answer {
    /// Standard output as JSON.
    ///
    /// # Panics
    /// When the call failed or printed something else.
    #[must_use]
    pub fn json(&self) -> Value {
        assert_eq!(self.code, 0, "the call failed: {}", self.stderr);
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("not JSON ({e}): {}", self.stdout))
    }

    /// Checks the exit code and that standard error is one clear sentence that holds these words.
    ///
    /// # Panics
    /// When it is not so.
    pub fn refused(&self, code: i32, words: &[&str]) {
        assert_eq!(
            self.code, code,
            "exit code; standard error: {}; standard output: {}",
            self.stderr, self.stdout
        );
        for word in words {
            assert!(
                self.stderr.contains(word),
                "`{word}` is missing in: {}",
                self.stderr
            );
        }
        assert!(
            self.stdout.trim().is_empty(),
            "an error prints no result: {}",
            self.stdout
        );
        no_internals(&self.stderr);
    }
}

/// Calls `mltrainer ARGS...` with a data folder of its own.
///
/// # Panics
/// When the program cannot be started.
#[must_use]
pub fn cli(data_dir: &Path, args: &[&str]) -> Answer {
    cli_in(Path::new("."), data_dir, args, &[])
}

/// The same in a working directory and with environment variables.
///
/// # Panics
/// When the program cannot be started.
#[must_use]
pub fn cli_in(dir: &Path, data_dir: &Path, args: &[&str], env: &[(&str, &str)]) -> Answer {
    let output = crate::program(crate::binary())
        .current_dir(dir)
        .arg("--data-dir")
        .arg(data_dir)
        .args(args)
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    Answer {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    }
}

/// Checks that a text for users holds nothing of the inside: source paths, SQL, panics, types.
///
/// # Panics
/// When it does.
pub fn no_internals(text: &str) {
    const INSIDE: [&str; 16] = [
        "panicked at",
        "RUST_BACKTRACE",
        ".rs:",
        "src/",
        "SELECT ",
        "INSERT INTO",
        "UPDATE ",
        "sqlx",
        "SqliteError",
        "SQLITE_",
        "(code: ",
        "polars",
        "PolarsError",
        "called `",
        "Some(",
        "Err(",
    ];
    for word in INSIDE {
        assert!(
            !text.contains(word),
            "internal detail `{word}` reached a user: {text}"
        );
    }
}
