//! Results beside other costs, other parameters and in other regimes.
//!
//! What: The result for multiples of the costs and where it breaks even; a surface over two
//! parameters with what the best point is worth among its neighbours; figures of the bars of each
//! regime.
//! Formula: break-even by a straight line between the last gain and the first loss. Plateau: mean
//! over the points at most `radius` steps away, the best one included. Volatility regime of a bar: the
//! third in which the deviation of the last `window` returns lies among all such deviations up to
//! that bar.
//! Data: As each function says.
//! Cost: One test for each factor or point.
//! Fails when: Neighbours are steps of parameters that mean different things.
//! Source: R. Pardo, The Evaluation and Optimization of Trading Strategies (2008), chapters 9 to 11.
//! Not claimed: That a broad plateau is no luck.

use crate::engine::Outcome;
use crate::performance::{deviation, mean, sharpe_per_period};

/// Result under a multiple of the costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CostPoint {
    /// What costs were multiplied with.
    pub factor: f64,
    /// Total return.
    pub total_return: f64,
    /// Commissions, spreads, slippage and borrow fees, currency.
    pub paid: f64,
}

/// Runs a test under multiples of its costs, in the order given.
///
/// # Errors
/// Those of the test.
pub fn cost_sensitivity<E>(
    factors: &[f64],
    mut test: impl FnMut(f64) -> Result<Outcome, E>,
) -> Result<Vec<CostPoint>, E> {
    factors
        .iter()
        .map(|factor| {
            let outcome = test(*factor)?;
            let f = &outcome.flows;
            let ends = outcome.equity.first().zip(outcome.equity.last());
            Ok(CostPoint {
                factor: *factor,
                total_return: ends.map_or(f64::NAN, |(a, b)| b / a - 1.0),
                paid: f.commission + f.spread + f.slippage + f.borrow,
            })
        })
        .collect()
}

/// The multiple of the costs at which the gain is gone, from points in ascending order of factors;
/// `None` when it never crosses 0 from above.
#[must_use]
pub fn break_even(points: &[CostPoint]) -> Option<f64> {
    points.windows(2).find_map(|w| {
        let (a, b) = (w[0], w[1]);
        (a.total_return > 0.0 && b.total_return <= 0.0).then(|| {
            a.factor + (b.factor - a.factor) * a.total_return / (a.total_return - b.total_return)
        })
    })
}

/// A figure over two parameters: rows x columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Surface {
    /// Values, a row after the other; NaN where there is none.
    values: Vec<f64>,
    columns: usize,
}

impl Surface {
    /// A surface; `None` unless the values fill whole rows.
    #[must_use]
    pub fn new(values: Vec<f64>, columns: usize) -> Option<Self> {
        (columns > 0 && !values.is_empty() && values.len().is_multiple_of(columns))
            .then_some(Self { values, columns })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    /// A value.
    #[must_use]
    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.columns + column]
    }

    /// Row and column of the largest value, the first of equal ones; `None` when all are NaN.
    #[must_use]
    pub fn best(&self) -> Option<(usize, usize)> {
        let known = self.values.iter().enumerate().filter(|(_, v)| !v.is_nan());
        let best = known.fold(None::<(usize, f64)>, |best, (place, v)| match best {
            Some((_, b)) if b >= *v => best,
            _ => Some((place, *v)),
        });
        best.map(|(place, _)| (place / self.columns, place % self.columns))
    }

    /// Mean of the known values at most `radius` steps away in each direction, the point included; NaN
    /// when there are none.
    #[must_use]
    pub fn plateau(&self, row: usize, column: usize, radius: usize) -> f64 {
        let rows = row.saturating_sub(radius)..(row + radius + 1).min(self.rows());
        let near: Vec<f64> = rows
            .flat_map(|r| {
                let from = column.saturating_sub(radius);
                let to = (column + radius + 1).min(self.columns);
                (from..to).map(move |c| self.at(r, c))
            })
            .filter(|v| !v.is_nan())
            .collect();
        mean(&near)
    }

    /// Share of the known values above 0.
    #[must_use]
    pub fn positive(&self) -> f64 {
        let known = self.values.iter().filter(|v| !v.is_nan()).count() as f64;
        self.values.iter().filter(|v| **v > 0.0).count() as f64 / known
    }

    /// The point whose plateau is highest: good among its neighbours, not alone.
    #[must_use]
    pub fn steadiest(&self, radius: usize) -> Option<(usize, usize)> {
        let values = (0..self.values.len())
            .map(|place| {
                let (row, column) = (place / self.columns, place % self.columns);
                if self.values[place].is_nan() {
                    f64::NAN
                } else {
                    self.plateau(row, column, radius)
                }
            })
            .collect();
        Self {
            values,
            columns: self.columns,
        }
        .best()
    }
}

/// Figures of the bars of one regime.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegimeResult {
    /// The regime.
    pub label: u32,
    /// Its bars.
    pub bars: usize,
    /// Mean return a bar.
    pub mean: f64,
    /// Standard deviation of the returns; NaN for one bar.
    pub deviation: f64,
    /// Sharpe ratio a bar; NaN when nothing varies.
    pub sharpe: f64,
    /// Product of the returns of its bars, less 1.
    pub total_return: f64,
}

/// Figures by regime, in ascending order of labels. `labels`: the regime known before each return; bars
/// without one are left out.
#[must_use]
pub fn by_regime(returns: &[f64], labels: &[Option<u32>]) -> Vec<RegimeResult> {
    let mut kinds: Vec<u32> = labels.iter().flatten().copied().collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
        .into_iter()
        .map(|label| {
            let pairs = returns.iter().zip(labels);
            let own: Vec<f64> = pairs
                .filter(|(_, l)| **l == Some(label))
                .map(|(r, _)| *r)
                .collect();
            RegimeResult {
                label,
                bars: own.len(),
                mean: mean(&own),
                deviation: deviation(&own),
                sharpe: sharpe_per_period(&own),
                total_return: own.iter().map(|r| 1.0 + r).product::<f64>() - 1.0,
            }
        })
        .collect()
}

/// The volatility regime of each bar, 0 calm to 2 wild, from closes up to that bar; none in the first
/// `window` bars and until 30 deviations are known. A regime goes with the return of the next bar.
#[must_use]
pub fn volatility_regimes(close: &[f64], window: usize) -> Vec<Option<u32>> {
    let mut seen: Vec<f64> = Vec::new();
    (0..close.len())
        .map(|t| {
            let from = t.checked_sub(window.max(2))?;
            let returns: Vec<f64> = close[from..=t]
                .windows(2)
                .map(|w| w[1] / w[0] - 1.0)
                .collect();
            let now = deviation(&returns);
            let below = seen.partition_point(|v| *v < now);
            seen.insert(below, now);
            (seen.len() >= 30).then(|| (3 * below / seen.len()) as u32)
        })
        .collect()
}

/// Whether each close is above (1) or not above (0) its mean of the last `window`; none before.
#[must_use]
pub fn trend_regimes(close: &[f64], window: usize) -> Vec<Option<u32>> {
    let window = window.max(1);
    (0..close.len())
        .map(|t| {
            let from = (t + 1).checked_sub(window)?;
            Some(u32::from(close[t] > mean(&close[from..=t])))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn break_even_by_hand() {
        let at = |factor, total_return| CostPoint {
            factor,
            total_return,
            paid: 0.0,
        };
        let points = [at(0.0, 0.3), at(1.0, 0.1), at(2.0, -0.1), at(4.0, -0.4)];
        assert!((break_even(&points).unwrap() - 1.5).abs() < 1e-12);
        assert_eq!(break_even(&points[..2]), None);
    }

    #[test]
    fn a_lonely_peak_is_not_the_steadiest_point() {
        let s = Surface::new(
            vec![
                9.0,
                0.0,
                0.0,
                0.0, //
                0.0,
                0.0,
                3.0,
                3.0, //
                f64::NAN,
                0.0,
                3.0,
                4.0,
            ],
            4,
        )
        .unwrap();
        assert_eq!((s.rows(), s.best()), (3, Some((0, 0))));
        assert_eq!(s.steadiest(1), Some((2, 3)));
        assert_eq!(s.plateau(2, 3, 1), 13.0 / 4.0);
        assert_eq!(s.positive(), 5.0 / 11.0);
        assert_eq!(Surface::new(vec![1.0; 5], 2), None);
    }

    #[test]
    fn regimes_by_hand() {
        let labels = [Some(1), None, Some(0), Some(1)];
        let found = by_regime(&[0.1, 9.0, -0.2, 0.3], &labels);
        assert_eq!((found[0].label, found[0].bars, found[1].bars), (0, 1, 2));
        assert!((found[1].mean - 0.2).abs() < 1e-12);
        assert!((found[1].total_return - 0.43).abs() < 1e-12);
        assert_eq!(trend_regimes(&[1.0, 3.0, 1.0], 2), [None, Some(1), Some(0)]);
        // Moves that grow from bar to bar: always the wildest third of what was seen.
        let mut close = vec![100.0];
        for t in 0..80 {
            let sign = if t % 2 == 0 { 1.0 } else { -1.0 };
            close.push(close[t] * (1.0 + sign * 0.0001 * t as f64));
        }
        let found = volatility_regimes(&close, 5);
        assert!(found[..34].iter().all(Option::is_none));
        assert!(found[34..].iter().all(|r| *r == Some(2)));
    }
}
