//! Patterns in bars: what a bar and those before it look like, as a signal.

mod candles;

pub mod breakout_detection;
pub mod candlestick_patterns;
pub mod chart_patterns;
pub mod high_tight_flag;
pub mod support_resistance;
