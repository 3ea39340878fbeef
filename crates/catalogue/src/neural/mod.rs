//! Networks of simple units, trained by gradients.

mod network;

pub mod deep_mlp;
pub mod mlp;
pub mod rbf_network;
