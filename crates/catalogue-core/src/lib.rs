//! The core of the catalogue: what an entry is, what it takes and gives, and how all entries are
//! held to the same rules. It knows no concrete model.
//!
//! An author writes a handle, `params!`, a fitted state and one of the typed traits in [`model`];
//! [`entry::Entry`] erases the types, [`registry::Registry`] finds entries and presets by id.

pub mod card;
pub mod design;
pub mod entry;
pub mod error;
pub mod explain;
pub mod markdown;
pub mod model;
pub mod params;
pub mod registry;
pub mod run;
pub mod score;
pub mod stream;
pub mod suggest;
pub mod threads;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use card::{Card, Inputs, Preset};
pub use design::{
    Bars, Design, Labels, MultiTraining, Observations, Sequence, SeriesTable, Training,
};
pub use entry::{Engine, Entry, Fitted, FittedMulti, ForeignFile, ParamMap};
pub use error::{FitError, ParamError};
pub use model::{
    Analysis, Ask, Clusterer, Columns, Contributions, Domain, Explained, ExplainedClusterer,
    Forecaster, Foreign, Incremental, Indicator, Learner, MultiLearner, MultiPredictor, Outputs,
    Prediction, Predictor, Simulation, Supervised, Takes, Track, Tracker,
};
pub use params::Params;
pub use registry::{Registry, Resolved};
pub use stream::{Bar, Feed, Field, State, Stream, Streamed};

/// What the macros name, so that an author's crate needs no import for them.
pub mod reexport {
    pub use mltrainer_types::catalogue::{ParamKind, ParamSpec};
    pub use serde_json::Value;
}
