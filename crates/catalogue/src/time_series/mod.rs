//! Time-series models: forecasts of a series from its own past.

pub mod arima;
pub mod auto_arima;
pub mod ets;
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
