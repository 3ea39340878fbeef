//! Weighted votes of signals, with weights that are fixed or learned from the past only.

mod candles;
mod engine;

pub mod pattern_ensemble;
pub mod technical_ensemble;
pub mod volume_ensemble;
