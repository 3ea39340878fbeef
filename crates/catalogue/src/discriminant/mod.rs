//! Classifiers from normal distributions of whole rows.

mod covariance;

pub mod lda;
pub mod qda;
