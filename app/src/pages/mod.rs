//! One file a page: server functions, the page, its private views, its pure functions.

pub mod analytics;
pub mod backtest;
pub mod backtests;
pub mod chat;
pub mod coaching;
pub mod compliance;
pub mod dashboard;
pub mod data;
pub mod dataset;
pub mod drawn;
pub mod learning;
pub mod model;
pub mod models;
pub mod new_backtest;
pub mod new_optimisation;
pub mod new_trial;
pub mod not_found;
pub mod optimisation;
pub mod papers;
pub mod portfolio;
mod sources;
pub mod trial;
pub mod trials;
