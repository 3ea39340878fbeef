//! Models that answer from the nearest training rows.

pub(crate) mod engine;

pub mod knn;
