//! Support vector machines.

pub(crate) mod engine;
pub(crate) mod machine;
pub(crate) mod platt;

pub mod linear_svr;
pub mod nu_svr;
pub mod svc;
pub mod svr;
