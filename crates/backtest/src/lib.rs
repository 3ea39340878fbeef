//! Metrics, costs, walk-forward splits, forecast tests and bootstrap intervals.
//!
//! Pure functions on slices: no clock, no files, and randomness only through a seed.

pub mod bootstrap;
pub mod compare;
pub mod engine;
pub mod metrics;
pub mod performance;
pub mod splits;
pub mod trading;
