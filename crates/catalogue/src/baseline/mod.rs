//! Baselines: what a model has to beat.

pub mod buy_and_hold;
pub mod naive_last;
pub mod naive_mean;
