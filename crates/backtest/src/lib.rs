//! The bar-exact engine, strategies as data, metrics, costs, splits, forecast tests and the
//! statistics of honesty.
//!
//! Pure functions on slices: no clock, no files, and randomness only through a seed.

pub mod bootstrap;
pub mod compare;
pub mod engine;
pub mod entry;
pub mod honesty;
pub mod metrics;
pub mod performance;
pub mod splits;
pub mod strategy;
pub mod trading;
pub mod walk_forward;

use mltrainer_catalogue_core::{Entry, Registry};
use std::sync::LazyLock;

/// The catalogue's entries and the back test, in the order of family and id.
static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let mut all = mltrainer_catalogue::registry().entries().to_vec();
    let place = all.partition_point(|e| (e.card.family, e.card.id) < ("backtest", "backtest"));
    all.insert(place, entry::ENTRY);
    all
});

/// Every entry and preset that a user can run: the catalogue and the back test.
#[must_use]
pub fn registry() -> Registry {
    let registry = Registry::new(&ENTRIES);
    match mltrainer_catalogue::registry().check() {
        Some(check) => registry.checked(check),
        None => registry,
    }
}
