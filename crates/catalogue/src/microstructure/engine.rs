//! How much of a bar's volume was bought: three estimates from bars alone.

use crate::signals::{Column, deviation, prices};
use mltrainer_catalogue_core::{Bars, FitError, choices};

choices! {
    /// How the bought share of a bar's volume is estimated.
    pub enum Method {
        /// By the change of the close in standard deviations (Easley, López de Prado & O'Hara, 2012).
        Bulk = "bulk",
        /// By the sign of the change of the close (tick rule).
        Tick = "tick",
        /// By the place of the close between low and high.
        Location = "location",
    }
}

/// The standard normal distribution function.
fn normal(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

/// Bought share of each bar's volume, 0 to 1; nothing while there are too few changes.
///
/// # Errors
/// When a column is absent.
pub(crate) fn buy_shares(
    bars: &Bars,
    method: Method,
    sigma_bars: usize,
) -> Result<Column, FitError> {
    let (high, low, close) = prices(bars)?;
    let n = bars.len();
    let change = |t: usize| close[t] - close[t - 1];
    Ok(match method {
        Method::Bulk => {
            let share = |t: usize| {
                let from = (t + 1).checked_sub(sigma_bars).filter(|from| *from > 0)?;
                let moves: Vec<f64> = (from..=t).map(change).collect();
                let sigma = deviation(&moves);
                // Without any spread the volume is as much bought as sold.
                Some(if sigma > 0.0 {
                    normal(change(t) / sigma)
                } else {
                    0.5
                })
            };
            (0..n).map(share).collect()
        }
        Method::Tick => {
            let mut last = None;
            let share = |t: usize| {
                if t > 0 && change(t) != 0.0 {
                    last = Some(f64::from(u8::from(change(t) > 0.0)));
                }
                last
            };
            (0..n).map(share).collect()
        }
        Method::Location => {
            let share = |t: usize| {
                let wide = high[t] - low[t];
                Some(if wide > 0.0 {
                    (close[t] - low[t]) / wide
                } else {
                    0.5
                })
            };
            (0..n).map(share).collect()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::tests::closes;

    #[test]
    fn shares_by_hand() {
        let bars = closes(&[10.0, 10.0, 12.0]);
        // Changes 0 and 2: deviation 1, Φ(2) = 0.977249868...
        let bulk = buy_shares(&bars, Method::Bulk, 2).unwrap();
        assert_eq!(bulk[..2], [None, None]);
        assert!((bulk[2].unwrap() - 0.977_249_868_051_820_8).abs() < 1e-12);
        let tick = buy_shares(&bars, Method::Tick, 2).unwrap();
        assert_eq!(tick, [None, None, Some(1.0)]);
        let mut wide = bars;
        wide.high = Some(vec![12.0, 10.0, 13.0]);
        wide.low = Some(vec![8.0, 10.0, 12.0]);
        let place = buy_shares(&wide, Method::Location, 2).unwrap();
        assert_eq!(place, [Some(0.5), Some(0.5), Some(0.0)]);
    }
}
