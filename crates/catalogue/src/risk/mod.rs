//! Risk: value at risk and expected shortfall, stress tests, measures of performance.

pub mod conditional_value_at_risk;
pub mod performance_metrics;
pub mod stress_test;
pub mod value_at_risk;

pub(crate) mod engine;
mod metrics;
pub(crate) mod quantiles;
mod tail;

pub use metrics::{Benchmarked, Drawdown, Performance, benchmarked, drawdown, performance};
