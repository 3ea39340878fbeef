//! Patterns in bars: what a bar and those before it look like, as a signal.

mod candles;

pub mod candlestick_patterns;
