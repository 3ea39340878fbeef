//! The assistant: it understands what is said and names the action; the services do it.
pub mod parser;
