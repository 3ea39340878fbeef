//! Networks of simple units, trained by gradients.

mod network;

pub mod mlp;
pub mod rbf_network;
