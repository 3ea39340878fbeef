//! Ridge regression in the space of a kernel.

#[expect(
    clippy::module_inception,
    reason = "the family has one entry, and both have its name"
)]
pub mod kernel_ridge;
