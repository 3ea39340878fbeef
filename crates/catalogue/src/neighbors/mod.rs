//! Models that answer from the nearest training rows.

pub(crate) mod engine;
pub(crate) mod measure;

pub mod knn;
