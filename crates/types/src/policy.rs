//! The compliance policy as pages show it.

use serde::{Deserialize, Serialize};

/// One of the protection rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RuleView {
    /// Name in audit records and refusals.
    pub id: String,
    /// Title for people.
    pub title: String,
    /// What it demands.
    pub demands: String,
    /// How the program enforces it.
    pub enforced_by: String,
}

/// One approved origin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OriginView {
    /// Name on the wire.
    pub id: String,
    /// Title for people.
    pub title: String,
}

/// A refusal by the gate: always names its rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Refusal {
    /// Id of the rule.
    pub rule: String,
    /// What was refused and why, in one sentence.
    pub reason: String,
}

/// The policy: rules, origins and the hash over both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PolicyView {
    /// The twelve rules.
    pub rules: Vec<RuleView>,
    /// The thirteen approved origins.
    pub origins: Vec<OriginView>,
    /// SHA-256 over the text of both.
    pub sha256: String,
}
