//! What bars let one guess of the flow of orders and of what it costs.

mod engine;

pub mod order_flow;
pub mod price_impact;
