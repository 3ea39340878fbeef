//! Patterns in bars: what a bar and those before it look like, as a signal.

pub mod breakout_detection;
pub mod chart_patterns;
pub mod high_tight_flag;
pub mod support_resistance;
