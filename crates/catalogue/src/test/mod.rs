//! Statistical tests: unit roots, autocorrelation, changing variance, cointegration.

pub mod adf;
pub mod breusch_pagan;
pub mod engle_granger;
pub mod johansen;
pub mod kpss;
pub mod ljung_box;

pub(crate) mod engine;
mod johansen_tables;
mod mackinnon;
