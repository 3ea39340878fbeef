//! The gate stands between every source and every use.
//!
//! [`policy`] holds the twelve rules and the thirteen approved origins as constants, [`gate`] alone
//! makes [`Verified`] values, [`lineage`] says where a value came from, [`audit`] is the hash chain,
//! [`action`] what can be asked for and at which trust, [`secrets`] keeps keys out of every text.
//! The crate fetches nothing and stores nothing.

pub mod action;
pub mod audit;
pub mod gate;
pub mod lineage;
pub mod policy;
pub mod secrets;

pub use action::{Action, ActionLevel, permit};
pub use gate::{Admissible, Admitted, Arrival, Gate, Inspection, Verified};
pub use lineage::{Content, Digest, Lineage, hash_and};
pub use secrets::redact;
