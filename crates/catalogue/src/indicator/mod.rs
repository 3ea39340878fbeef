//! Indicators of bars, with the numbers and warm-ups of TA-Lib. Each is a state that takes one bar
//! after the other; its columns over a whole history are a fold over that state.

mod engine;

pub mod ad;
pub mod adx;
pub mod aroon;
pub mod atr;
pub mod bollinger_bands;
pub mod cci;
pub mod chaikin_oscillator;
pub mod dema;
pub mod donchian;
pub mod ema;
pub mod kama;
pub mod keltner;
pub mod macd;
pub mod mfi;
pub mod momentum;
pub mod natr;
pub mod obv;
pub mod parabolic_sar;
pub mod roc;
pub mod rsi;
pub mod sma;
pub mod stochastic;
pub mod supertrend;
pub mod tema;
pub mod trix;
pub mod ultimate_oscillator;
pub mod vwap;
pub mod williams_r;
pub mod wma;
