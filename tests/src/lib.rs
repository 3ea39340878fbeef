//! Drives the built binary from outside: starts servers on free ports with data folders of their
//! own, calls the command line, reads event streams. Used by the black-box tests beside it and by
//! the figures of `benches`.
//!
//! A harness stops whoever uses it when the program cannot be started; its panics are failures of
//! a test and carry what the program said.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a harness of tests: its panics are the failures of the test that uses it"
)]

pub mod cli;
pub mod csv;
pub mod events;
pub mod replay;
pub mod server;
pub mod sqlite;

pub use cli::{Answer, cli, cli_in};
pub use events::{Event, Events};
pub use server::{Launch, Server};

use std::path::PathBuf;

/// A client of the tests. Another crate of the build may ask the HTTP library for TLS without a
/// provider, and then every client needs one, also those that speak plain HTTP.
pub fn http() -> reqwest::ClientBuilder {
    // A second call finds the provider of the first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
}

/// The program as a command, without a language model that this machine happens to be configured with.
pub(crate) fn program(name: impl AsRef<std::ffi::OsStr>) -> std::process::Command {
    let mut command = std::process::Command::new(name);
    for variable in [
        "ANTHROPIC_API_KEY",
        "MLTRAINER_LLM_PROVIDER",
        "MLTRAINER_LLM_URL",
        "MLTRAINER_LLM_MODEL",
    ] {
        command.env_remove(variable);
    }
    command
}

/// The program under test: `MLTRAINER_BIN`, else the `mltrainer` beside the running test.
///
/// # Panics
/// When there is none: it says how to build it.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("MLTRAINER_BIN") {
        return path.into();
    }
    let mut dir = std::env::current_exe().expect("the running test has a path");
    dir.pop();
    if dir.ends_with("deps") {
        dir.pop();
    }
    let path = dir.join(format!("mltrainer{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.exists(),
        "there is no program at {}: build it first with `cargo build -p mltrainer-server`, or run `cargo xtask test`, which does both",
        path.display()
    );
    path
}
