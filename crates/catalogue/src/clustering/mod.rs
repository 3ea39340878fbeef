//! Groups of rows.

pub mod kmeans;
