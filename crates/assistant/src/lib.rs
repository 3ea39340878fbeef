//! The assistant: it understands what is said and names the typed action that was meant.
//!
//! What: [`parser`] reads sentences without key and network; [`llm`] holds the clients of language
//! models with a cost meter and ceilings, [`mask`] hides symbols and dates from them, [`figures`] puts
//! stored values where they name a result, [`quoted`] wraps what is only data, [`papers`] reads papers by
//! rules; [`document`] prints the list of actions, which are declared in `mltrainer_types::assistant`.
//! Not claimed: nothing here acts, or reads a clock or the environment. The services do the actions,
//! check the permission of the user and write the audit record.

mod dates;
pub mod document;
pub mod figures;
pub mod llm;
pub mod mask;
pub mod papers;
pub mod parser;
pub mod quoted;
