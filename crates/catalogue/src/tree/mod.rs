//! Trees, forests and boosting.

pub(crate) mod boost;
mod bundles;
mod categories;
#[cfg(test)]
mod category_cases;
pub(crate) mod draws;
pub(crate) mod engine;
pub(crate) mod forest;
mod heap;
pub(crate) mod histogram;
mod lightgbm_text;
mod linear_leaves;
mod log_sum;
mod metrics;
pub(crate) mod objective;
pub(crate) mod shap;
mod sketch;
mod xgboost_json;

pub mod ada_boost;
pub mod catboost;
pub mod decision_tree;
pub mod extra_trees;
pub mod gradient_boosting;
pub mod hist_gradient_boosting;
pub mod lightgbm;
pub mod random_forest;
pub mod xgboost;
