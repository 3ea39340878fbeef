//! Regression on a few directions or parts of the columns.

mod scores;

pub mod ica_regression;
pub mod nmf_regression;
pub mod pca_regression;
