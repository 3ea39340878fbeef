//! What a back test says of itself.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// The result is less than it looks.
    Warning,
    /// The result cannot be relied on.
    Serious,
}

impl Severity {
    /// The word used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Serious => "serious",
        }
    }
}

/// Something that is wrong with a result, or that one must know to read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Name of the rule: `too_few_trades`, `luck`.
    pub rule: String,
    /// How much it weighs.
    pub severity: Severity,
    /// The finding in one sentence.
    pub sentence: String,
    /// The figures behind it, by name.
    pub figures: BTreeMap<String, Option<f64>>,
}
