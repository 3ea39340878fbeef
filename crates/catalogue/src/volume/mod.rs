//! Signals of price and volume together.

pub mod obv_divergence;
pub mod volume_breakout;
pub mod volume_price_analysis;
pub mod volume_spike;
pub mod vwap_bands;
