//! Signals of other data than bars.

pub mod options_flow;
