//! The assistant: clients of language models with a cost meter and ceilings, masking of symbols and
//! dates, numbers by reference, and quoted material.
//!
//! Nothing here acts, reads a clock or the environment: keys, addresses, seeds and days are handed in.

mod dates;
pub mod figures;
pub mod llm;
pub mod mask;
pub mod quoted;
