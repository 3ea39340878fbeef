//! Charts: what to draw, and the frame that lets the browser lay a crosshair over the drawing.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// A line of a chart: one value a day, `null` where there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Line {
    /// Name in the legend.
    pub name: String,
    /// Values, as long as `TimeSeries::dates`.
    pub values: Vec<Option<f64>>,
}

/// Lines over common days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TimeSeries {
    /// Title, also the accessible name.
    pub title: String,
    /// Unit of the vertical axis.
    pub unit: String,
    /// Days, ascending.
    pub dates: Vec<NaiveDate>,
    /// The lines.
    pub lines: Vec<Line>,
}
