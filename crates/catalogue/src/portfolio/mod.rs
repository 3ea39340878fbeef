//! Portfolios: weights of several assets under constraints.
//!
//! The estimates are in `moments`, the constraints in `limits`, the methods in `allocate`; an entry names its
//! parameters and outputs. For callers without an entry: [`weights_from_prices`], [`allocate`], [`frontier`],
//! [`posterior`].

pub mod black_litterman;
pub mod cvar_optimization;
pub mod efficient_frontier;
pub mod equal_weight;
pub mod hierarchical_risk_parity;
pub mod kelly;
pub mod max_diversification;
pub mod max_sharpe;
pub mod mean_variance;
pub mod min_variance;
pub mod risk_parity;

mod allocate;
mod frontier;
mod limits;
mod moments;
mod outputs;
mod positions;
mod programme;
mod quadratic;
mod settings;
mod tree;
mod views;

pub use allocate::{Allocation, Method, Spec, allocate, weights_from_prices};
pub use frontier::{Frontier, frontier};
pub use limits::Limits;
pub use moments::{Covariance, CovarianceSpec, Expected, Moments, ReturnsSpec};
pub use settings::{Amounts, Groups};
pub use tree::Linkage;
pub use views::{Posterior, Views, posterior};
