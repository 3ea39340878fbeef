//! Models made of other models.

pub(crate) mod engine;
pub(crate) mod several;

pub mod bagging;
pub mod classifier_chain;
pub mod multi_output;
pub mod regressor_chain;
pub mod stacking;
pub mod voting;
