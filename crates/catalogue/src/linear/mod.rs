//! Models that are linear in the features.

mod engine;

pub mod elastic_net;
pub mod lasso;
pub mod linear_regression;
pub mod logistic_regression;
pub mod ridge;
