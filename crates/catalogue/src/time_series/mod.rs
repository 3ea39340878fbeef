//! Time-series models: forecasts of a series from its own past, its changing variance, and states behind it.

pub mod egarch;
pub mod garch;
pub mod gjr_garch;
pub mod hmm;
pub mod kalman_filter;
pub mod particle_filter;
pub mod unscented_kalman_filter;

mod density;
mod state;
mod volatility;
