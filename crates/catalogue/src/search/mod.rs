//! Searches over parameters: a common engine with ask and tell, random and grid search, evolution, swarms and
//! surrogate models. The entries show each search on standard test functions.

pub mod bayesian_search;
pub mod differential_evolution;
pub mod genetic_algorithm;
pub mod particle_swarm;

mod engine;
mod functions;
mod gaussian;
mod parzen;
mod polish;

pub use bayesian_search::{BayesianSettings, Surrogate};
pub use differential_evolution::{EvolutionSettings, Strategy, Updating};
pub use engine::{
    Best, Dimension, Method, Search, Searcher, Space, Told, Trial, grid_search, minimise,
    random_search,
};
pub use genetic_algorithm::GeneticSettings;
pub use particle_swarm::{SwarmSettings, Topology};
