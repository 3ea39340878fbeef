//! Models that answer from the nearest training rows.

mod engine;

pub mod knn;
