//! The assistant: it understands what is said and names the typed action that was meant.
//!
//! What: [`parser`] reads sentences without key and network; [`document`] prints the list of actions.
//! The actions themselves are declared in `mltrainer_types::assistant`.
//! Not claimed: it does nothing itself. The services, which import this crate, do the actions, check the
//! permission of the user and write the audit record.

pub mod document;
pub mod parser;
