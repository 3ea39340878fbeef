//! Plan, steps, events and results of a trial; resume; the worker pool behind a port.
//!
//! [`spec`] turns a request into a complete specification, [`panel`] turns verified data into rows,
//! [`step`] fits one model on one fold, [`evaluate`] turns finished steps into leaderboard, verdict
//! and hash, [`engine`] runs it all and survives being stopped anywhere. [`port`] says what is
//! needed from outside. No concrete model and no database is named here.

pub mod engine;
pub mod evaluate;
pub mod panel;
mod pool;
pub mod port;
pub mod spec;
pub mod step;
mod words;

pub use engine::{Engine, EngineParts};
pub use pool::lower_priority;
pub use port::{
    Clock, DataPort, EventSink, PortError, Predictions, Starts, StateChange, StepRecord,
    TrialError, TrialPort, TrialRecord, TrialResult, TrialWrite, first_event,
};
pub use spec::{SpecError, SymbolData, combinations, spec_key, validate};
