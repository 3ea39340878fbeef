//! Problem documents (RFC 9457).

use serde::{Deserialize, Serialize};

/// An error as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// A stable name: `/problems/unknown-model`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same for people.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What, where and what to do, in one sentence.
    pub detail: String,
    /// Field that is wrong, where one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Nearest names, for an unknown one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<String>,
    /// Id of the request, to quote in a report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}
