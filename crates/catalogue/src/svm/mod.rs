//! Support vector machines.

mod engine;
mod machine;

pub mod linear_svr;
pub mod nu_svr;
pub mod svc;
pub mod svr;
