//! Rows unlike the others.

mod threshold;

pub mod isolation_forest;
pub mod local_outlier_factor;
pub mod one_class_svm;
