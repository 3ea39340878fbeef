//! Options: closed form, implied volatility, trees, simulation, price paths.

pub mod binomial_tree;
pub mod black_scholes;
pub mod implied_volatility;
pub mod monte_carlo_option;
pub mod monte_carlo_paths;

mod engine;
