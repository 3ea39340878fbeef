//! Trees, forests and boosting.

pub(crate) mod engine;
pub(crate) mod forest;

pub mod ada_boost;
pub mod decision_tree;
pub mod extra_trees;
pub mod gradient_boosting;
pub mod random_forest;
