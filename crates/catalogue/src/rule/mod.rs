//! Trading rules with their levels: entries, exits, stops, regimes.

pub mod ma_crossover;
pub mod market_regime_hmm;
pub mod mean_reversion;
pub mod momentum_breakout;
pub mod pairs_trading;
pub mod volatility_regime;
