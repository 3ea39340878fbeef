//! Identifiers. Each is an opaque text to its users.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The text of the id.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(s: &str) -> Self {
                Self(s.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(s: String) -> Self {
                Self(s)
            }
        }
    };
}

id!(
    /// A trial: `t-` and a time-ordered UUID, so that ids sort by creation.
    TrialId
);
id!(
    /// A data set: its source and symbol, `bundled:AAPL`, or `user:` and the head of its hash.
    DatasetId
);
id!(
    /// A back test: `b-` and a time-ordered UUID, so that ids sort by creation.
    BacktestId
);
id!(
    /// A walk-forward optimisation: `o-` and a time-ordered UUID, so that ids sort by creation.
    OptimisationId
);
id!(
    /// A conversation: `c-` and a time-ordered UUID, so that ids sort by creation.
    ConversationId
);
id!(
    /// An alert: `w-` and a time-ordered UUID, so that ids sort by creation.
    AlertId
);
id!(
    /// A paper: `p-` and a time-ordered UUID, so that ids sort by creation.
    PaperId
);
