//! Factor models: the capital asset pricing model and several factors.

pub mod capm;
pub mod factor_model;

mod regression;
