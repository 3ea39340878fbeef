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
//! Time-series models: forecasts of a series from its own past.
pub mod arima;
pub mod exponential_smoothing;
pub mod holt;
pub mod holt_winters;
pub mod prophet;
pub mod sarima;
pub mod theta;
pub mod unobserved_components;
pub mod var;
mod arima_run;
mod arma;
mod dates;
mod eigen;
mod engine;
#[cfg(test)]
mod samples;
mod smoothing;
mod state_space;
