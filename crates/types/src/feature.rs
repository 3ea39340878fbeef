//! Features as outside programs see them.

use serde::{Deserialize, Serialize};

/// One feature: what it is and when it is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FeatureSpec {
    /// Column name.
    pub id: String,
    /// `price`, `volatility`, `volume`, `technical`, `economic`, `cross_sectional`,
    /// `microstructure`, `regime`, `options`, `calendar`.
    pub group: String,
    /// What it computes.
    pub formula: String,
    /// Rows before the first value.
    pub warm_up: u32,
    /// When a row's value is known, in words.
    pub known_at: String,
    /// Columns it needs: `close`, `high`, `vix`, `rank of log_return_5`, ...
    pub needs: Vec<String>,
    /// Literature.
    pub source: String,
}
