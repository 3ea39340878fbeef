//! Models that are linear in the features.

mod descent;
mod engine;
mod glm;
mod gram;
mod iterative;
mod path;

pub(crate) use engine::{LEAST_SHARE, Plane, Problem, dot, reduced};

pub mod ard_regression;
pub mod bayesian_ridge;
pub mod elastic_net;
pub mod gamma_regression;
pub mod huber;
pub mod lars;
pub mod lasso;
pub mod lasso_lars;
pub mod linear_regression;
pub mod logistic_regression;
pub mod orthogonal_matching_pursuit;
pub mod partial_least_squares;
pub mod passive_aggressive_regressor;
pub mod perceptron;
pub mod poisson_regression;
pub mod polynomial_regression;
pub mod quantile_regression;
pub mod ransac;
pub mod ridge;
pub mod sgd_regressor;
pub mod theil_sen;
pub mod tweedie_regression;
