//! Groups of rows.

pub mod agglomerative;
pub mod dbscan;
pub mod gaussian_mixture;
pub mod kmeans;
pub mod mean_shift;
