//! The composition root: configuration, wiring, routes, command line, workers.
//!
//! [`cli`] reads the command line and the environment, [`wiring`] puts store, engine and use cases
//! together, [`web`] answers over HTTP ([`routes`] one file a resource), `mcp` speaks to other programs' models,
//! [`clock`] reads the time.
//! Nothing below this crate reads the environment or the clock.

mod action;
pub mod cli;
pub mod clock;
mod mask;
mod mcp;
mod outcome;
mod paper_worker;
pub mod routes;
pub mod web;
pub mod wiring;

use std::process::ExitCode;

/// Runs the command line and gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    cli::main()
}
