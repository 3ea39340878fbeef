//! The built binary from outside, over HTTP and on the command line. One module a concern; what
//! they share (starting servers, calling the command line, reading event streams) is the library
//! of this package.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests: a panic is how one fails"
)]

mod analytics;
mod assistant;
mod audit;
mod backtests;
mod bad_input;
mod chat;
mod contract;
mod crash;
mod data;
mod explain;
mod features;
mod learning;
mod optimisations;
mod papers;
mod portfolio;
mod readme;
mod security;
mod sources;
mod sse;
mod trials;

use serde_json::{Value, json};

/// A trial that takes a second or two: two models besides the baselines, three windows.
fn small_trial() -> Value {
    json!({
        "symbols": ["AAPL"],
        "source": "bundled",
        "start": "2010-01-01",
        "end": "2012-12-31",
        "target": "log_volatility",
        "horizons": [5],
        "models": ["ridge", {"model": "random_forest", "params": {"n_estimators": 10, "max_depth": 6}}],
        "validation": {"kind": "walk_forward", "folds": 3, "embargo": 5},
        "seed": 1
    })
}

/// A trial whose steps take long enough to be interrupted in the middle of one.
fn long_trial() -> Value {
    let mut body = small_trial();
    body["start"] = json!("2007-01-01");
    body["models"] = json!([
        "ridge",
        {"model": "random_forest", "params": {"n_estimators": 60}}
    ]);
    body
}
