//! Indicators of bars, with the numbers and warm-ups of TA-Lib.

mod engine;

pub mod atr;
pub mod bollinger_bands;
pub mod ema;
pub mod macd;
pub mod rsi;
pub mod sma;
