//! Time-series models: forecasts of a series from its own past, its changing variance, and states behind it.

pub mod arima;
pub mod auto_arima;
pub mod egarch;
pub mod ets;
pub mod exponential_smoothing;
pub mod garch;
pub mod gjr_garch;
pub mod hmm;
pub mod holt;
pub mod holt_winters;
pub mod kalman_filter;
pub mod particle_filter;
pub mod prophet;
pub mod sarima;
pub mod theta;
pub mod unobserved_components;
pub mod unscented_kalman_filter;
pub mod var;

mod arima_run;
mod arma;
pub(crate) mod dates;
mod density;
mod eigen;
mod engine;
#[cfg(test)]
mod samples;
mod smoothing;
mod state;
mod state_space;
mod volatility;
