//! What can go wrong in a use case, each as one sentence for a person: what, where, what to do.

use mltrainer_catalogue_core::{FitError, ParamError};
use mltrainer_compliance::gate::Refused;
use mltrainer_data::error::DataError;
use mltrainer_data::sources::collect::CollectError;
use mltrainer_trials::port::{PortError, TrialError};
use mltrainer_types::policy::Refusal;
use mltrainer_types::problem::Problem;
use thiserror::Error;

/// Why a use case gave nothing.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ServiceError {
    /// Something of that name does not exist.
    #[error("{}", unknown(what, id, suggestions))]
    NotFound {
        /// `model`, `symbol`, `data set`, `trial`, ...
        what: &'static str,
        /// The name that was asked for.
        id: String,
        /// Nearest names.
        suggestions: Vec<String>,
    },
    /// A value that cannot be used.
    #[error("{field}: {detail}")]
    Invalid {
        /// Name of the field, as on the wire.
        field: String,
        /// Value and what is allowed.
        detail: String,
    },
    /// The gate or another protection rule said no.
    #[error("refused by rule {}: {}", .0.rule, .0.reason)]
    Refused(Refusal),
    /// Data that cannot be used: which column, which row, why.
    #[error("{0}")]
    BadData(String),
    /// A source of data gave nothing: which, for what, why.
    #[error("{0}")]
    Source(String),
    /// A source of data gave nothing now, but may later: too many requests, out of order.
    #[error("{0}")]
    SourceLater(String),
    /// The method found no answer on this data.
    #[error("the fit failed: {0}")]
    FitFailed(String),
    /// It contradicts what is there already.
    #[error("{0}")]
    Conflict(String),
    /// It cannot be done now, but later: a locked database, a full disk.
    #[error("{0}")]
    Unavailable(String),
    /// A fault of the program; the text is for the log, never for a client.
    #[error("{0}")]
    Internal(String),
}

fn unknown(what: &str, id: &str, suggestions: &[String]) -> String {
    let near = match suggestions {
        [] => String::new(),
        [one] => format!("; did you mean {one}?"),
        many => format!("; did you mean one of {}?", many.join(", ")),
    };
    format!("unknown {what} \"{id}\"{near}")
}

impl ServiceError {
    /// A value of a field that cannot be used.
    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid {
            field: field.into(),
            detail: detail.into(),
        }
    }

    /// The error as a problem document. The text of an internal fault stays in the log.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let (kind, title, status) = match self {
            Self::NotFound { what, .. } => {
                return Problem {
                    kind: format!("/problems/unknown-{}", what.replace(' ', "-")),
                    title: format!("Unknown {what}"),
                    status: 404,
                    detail: self.to_string(),
                    field: None,
                    suggestions: match self {
                        Self::NotFound { suggestions, .. } => suggestions.clone(),
                        _ => Vec::new(),
                    },
                    request_id: None,
                };
            }
            Self::Invalid { .. } => ("invalid-value", "A value cannot be used", 422),
            Self::Refused(_) => ("refused", "Refused by a protection rule", 422),
            Self::BadData(_) => ("bad-data", "The data cannot be used", 422),
            Self::Source(_) => ("source-refused", "A source gave nothing", 422),
            Self::SourceLater(_) => ("source-failed", "A source is out of order", 502),
            Self::FitFailed(_) => ("fit-failed", "The fit failed", 422),
            Self::Conflict(_) => ("conflict", "Contradicts what is there", 409),
            Self::Unavailable(_) => ("unavailable", "Not possible now", 503),
            Self::Internal(_) => ("internal", "A fault of the program", 500),
        };
        let detail = match self {
            Self::Internal(_) => {
                "the program met a fault of its own; its log says more under the request id".into()
            }
            other => other.to_string(),
        };
        let field = match self {
            Self::Invalid { field, .. } => Some(field.clone()),
            Self::Refused(refusal) => Some(refusal.rule.clone()),
            _ => None,
        };
        Problem {
            kind: format!("/problems/{kind}"),
            title: title.into(),
            status,
            detail,
            field,
            suggestions: Vec::new(),
            request_id: None,
        }
    }
}

impl From<PortError> for ServiceError {
    fn from(e: PortError) -> Self {
        match e {
            PortError::Busy(text) | PortError::Full(text) => Self::Unavailable(text),
            PortError::Conflict(text) => Self::Conflict(text),
            PortError::Failed(text) => Self::Internal(text),
        }
    }
}

impl From<TrialError> for ServiceError {
    fn from(e: TrialError) -> Self {
        match e {
            TrialError::Unknown(id) => Self::NotFound {
                what: "trial",
                id: id.0,
                suggestions: Vec::new(),
            },
            TrialError::Conflict(text) => Self::Conflict(text),
            TrialError::Blocked(refusal) => Self::Refused(refusal),
            TrialError::Data(text) => Self::BadData(text),
            TrialError::Port(e) => e.into(),
            TrialError::Closing => Self::Unavailable(e.to_string()),
        }
    }
}

impl From<FitError> for ServiceError {
    fn from(e: FitError) -> Self {
        match e {
            FitError::Param(e) => e.into(),
            FitError::Data(text) => Self::BadData(text),
            FitError::Failed(text) => Self::FitFailed(text),
        }
    }
}

impl From<ParamError> for ServiceError {
    fn from(e: ParamError) -> Self {
        let near = match e.suggestions.as_slice() {
            [] => String::new(),
            names => format!("; did you mean {}?", names.join(" or ")),
        };
        let reason = if e.reason.contains("did you mean") {
            e.reason
        } else {
            e.reason + &near
        };
        Self::Invalid {
            field: e.field,
            detail: reason,
        }
    }
}

/// A fault of data or of the disk.
pub(crate) fn from_data(e: DataError) -> ServiceError {
    match e {
        DataError::Unknown {
            what: _,
            id,
            suggestions,
        } => ServiceError::NotFound {
            what: "symbol",
            id,
            suggestions,
        },
        DataError::DiskFull { .. } => ServiceError::Unavailable(e.to_string()),
        DataError::Io { .. } => ServiceError::Internal(e.to_string()),
        other => ServiceError::BadData(other.to_string()),
    }
}

/// What a fetch failed of.
pub(crate) fn from_collect(e: CollectError) -> ServiceError {
    match e {
        CollectError::Data(e) => from_data(e),
        CollectError::Source(e) if e.cause.is_outage() => ServiceError::SourceLater(e.to_string()),
        CollectError::Source(e) => ServiceError::Source(e.to_string()),
    }
}

/// A refusal by the gate.
#[expect(clippy::boxed_local, reason = "the shape in which the gate refuses")]
pub(crate) fn from_refused(e: Box<Refused>) -> ServiceError {
    ServiceError::Refused(e.refusal)
}
