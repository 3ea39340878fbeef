//! Gaussian processes.

#[expect(
    clippy::module_inception,
    reason = "the family has one entry, and both have its name"
)]
pub mod gaussian_process;
