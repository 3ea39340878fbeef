//! Signals of technical indicators: each states its rule, gives -1 to 1 a bar with the bar since which it
//! says so, and its levels.

pub mod bollinger_breakout;
pub mod cci_ensemble;
pub mod ema_crossover;
pub mod macd_histogram;
pub mod parabolic_sar_signal;
pub mod rsi_divergence;
pub mod stochastic_signal;
pub mod williams_r_signal;
