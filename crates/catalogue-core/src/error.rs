//! Why a parameter is refused or a fit fails, each as one sentence for a person.

use thiserror::Error;

/// A parameter that is refused.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("parameter {field}: {reason}")]
pub struct ParamError {
    /// Name of the parameter.
    pub field: String,
    /// Value and range, in words.
    pub reason: String,
    /// Nearest parameter names, for an unknown one.
    pub suggestions: Vec<String>,
}

/// Why a fit or a prediction gave nothing.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum FitError {
    /// A parameter is refused.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// The data cannot be used: which column, which row, why.
    #[error("{0}")]
    Data(String),
    /// The method found no answer: what happened, what to try.
    #[error("{0}")]
    Failed(String),
}
