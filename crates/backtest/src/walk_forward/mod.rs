//! Walk-forward optimisation of strategies.
//!
//! What: On each training window a search over the parameters of a strategy, scored by back tests on
//! that window only; the best ones tested on the next window, with bars left out between; the tests
//! stitched to one out-of-sample curve, and what that curve is worth after all that was tried.
//! Formula: windows as [`crate::splits::folds`]. Each window starts from the same cash without a
//! position and ends without one; its first decision falls on the close before its first bar, so that
//! the first order fills at its first open; expressions look back over all bars before. Curve: Π(1 +
//! r) over the tests. Efficiency (Pardo): annual return of the curve over the mean annual return of
//! the chosen parameters in training. Stability of a parameter: 1 - mean of |change from window to
//! window|/(range that was searched).
//! Data: Bars of one or more symbols on one line of time.
//! Cost: windows · evaluations back tests, and one for each of at most [`MOST_CANDIDATES`] points.
//! Fails when: Windows hold few trades; the space was chosen after looking at the result; a strategy
//! holds positions for longer than a window, which ends them.
//! Source: R. Pardo, The Evaluation and Optimization of Trading Strategies (2008), chapters 11 and
//! 12; D. H. Bailey, M. López de Prado, The Deflated Sharpe Ratio, Journal of Portfolio Management 40
//! (2014); D. H. Bailey et al., The Probability of Backtest Overfitting, Journal of Computational
//! Finance 20 (2017).
//! Not claimed: That parameters which did well in the test windows go on doing so.

mod judgement;
mod space;
mod span;
mod surface;
mod window;

pub use judgement::{Judgement, MOST_CANDIDATES, Tried, candidates, judge, stability, stitched};
pub use space::{fill, space, values};
pub use span::{Span, test_span};
pub use surface::surface;
pub use window::{Search, Step, Test, Window, run_window, windows};
