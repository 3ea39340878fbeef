//! Trees and forests.

mod engine;

pub mod decision_tree;
pub mod random_forest;
