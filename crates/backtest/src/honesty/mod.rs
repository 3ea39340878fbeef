//! How much of a good result is luck.
//!
//! What: Sharpe ratios with the number of things tried taken off, the probability that the best of
//! many was chosen by chance, splits that leak nothing, intervals of any figure, resampled trades,
//! costs, parameters and regimes looked at one by one, and a list of what is wrong with a result.
//! Each method states its formula in its file.
//! Data: Returns or trades of a test, and how many others were tried on the same data.
//! Cost: stated with each.
//! Fails when: The number of things tried is not told: nothing here can know it.
//! Source: named in each file.
//! Not claimed: That what passes is an edge; what fails has none that the data could show.

mod block;
mod carlo;
mod findings;
mod overfitting;
mod purged;
mod sensitivity;
mod sharpe;

pub use block::{Metric, interval, optimal_block};
pub use carlo::{Fan, monte_carlo};
pub use findings::{Context, findings};
pub use overfitting::{Overfitting, probability_of_overfitting};
pub use purged::{CombinatorialFold, PathPiece, combinatorial, paths};
pub use sensitivity::{
    CostPoint, RegimeResult, Surface, break_even, by_regime, cost_sensitivity, trend_regimes,
    volatility_regimes,
};
pub use sharpe::{
    Sharpe, Verdict, deflated, expected_maximum, minimum_track_record, probabilistic, verdict,
};
