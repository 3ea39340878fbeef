//! Monte Carlo over trades.
//!
//! What: The equity that the same trades would have made in other orders, or drawn with repetition: a
//! fan of curves, and how deep the drawdowns of such orders go.
//! Formula: equity after trade k = cash · Π (1 + r), r the gain of a trade as a share of the equity
//! before it.
//! Data: One return a trade.
//! Cost: O(runs · trades · log runs).
//! Fails when: Trades depend on each other, or several ran at the same time: the order was no chance.
//! Source: K. J. Davey, Building Winning Algorithmic Trading Systems (2014), chapter 7.
//! Not claimed: That future trades are drawn from the same hat.

use crate::performance::quantile_sorted;
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Shares of curves under each line of the fan.
pub(super) const QUANTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// What came out of all orders.
#[derive(Debug, Clone, PartialEq)]
pub struct Fan {
    /// Lines of the fan, one for each of [`QUANTILES`]: equity after 0, 1, 2 ... trades.
    pub lines: Vec<Vec<f64>>,
    /// Quantiles of the last equity.
    pub last: [f64; 5],
    /// Quantiles of the largest drawdown, at most 0: the first is the deep end.
    pub drawdown: [f64; 5],
    /// Share of runs that end under the cash of the start.
    pub loss: f64,
    /// Share of runs that fall to `ruin` or under at some time.
    pub ruin: f64,
}

/// Draws `runs` orders of trades: with repetition, or each trade once. `ruin`: equity as a share of the
/// cash at which a run counts as ruined. `None` without trades, runs or cash.
#[must_use]
pub fn monte_carlo(
    trades: &[f64],
    cash: f64,
    runs: usize,
    repeat: bool,
    ruin: f64,
    seed: u64,
) -> Option<Fan> {
    if trades.is_empty() || runs == 0 || !(cash.is_finite() && cash > 0.0) {
        return None;
    }
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut steps: Vec<Vec<f64>> = vec![Vec::with_capacity(runs); trades.len() + 1];
    let mut drawdowns = Vec::with_capacity(runs);
    let mut order = trades.to_vec();
    let (mut losses, mut ruined) = (0usize, 0usize);
    for _ in 0..runs {
        if repeat {
            for slot in &mut order {
                *slot = trades[rng.gen_range(0..trades.len())];
            }
        } else {
            order.shuffle(&mut rng);
        }
        let (mut equity, mut peak, mut deepest, mut low) = (cash, cash, 0.0f64, cash);
        steps[0].push(equity);
        for (step, r) in steps[1..].iter_mut().zip(&order) {
            equity *= 1.0 + r;
            peak = peak.max(equity);
            low = low.min(equity);
            deepest = deepest.min(equity / peak - 1.0);
            step.push(equity);
        }
        drawdowns.push(deepest);
        losses += usize::from(equity < cash);
        ruined += usize::from(low <= ruin * cash);
    }
    for step in &mut steps {
        step.sort_by(f64::total_cmp);
    }
    drawdowns.sort_by(f64::total_cmp);
    let of = |sorted: &[f64]| QUANTILES.map(|q| quantile_sorted(sorted, q));
    let lines = QUANTILES
        .iter()
        .map(|q| steps.iter().map(|s| quantile_sorted(s, *q)).collect())
        .collect();
    Some(Fan {
        lines,
        last: of(&steps[trades.len()]),
        drawdown: of(&drawdowns),
        loss: losses as f64 / runs as f64,
        ruin: ruined as f64 / runs as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_orders_end_where_the_first_one_did() {
        let trades = [0.1, -0.05, 0.02, 0.07, -0.1];
        let fan = monte_carlo(&trades, 100.0, 300, false, 0.9, 1).unwrap();
        let end: f64 = 100.0 * trades.iter().map(|r| 1.0 + r).product::<f64>();
        assert!(fan.last.iter().all(|e| (e - end).abs() < 1e-9));
        // Both losses in a row are the deepest fall that any order has.
        assert!((fan.drawdown[0] - (0.95 * 0.9 - 1.0)).abs() < 1e-12);
        assert_eq!((fan.loss, fan.lines.len(), fan.lines[0].len()), (0.0, 5, 6));
        // At 90 % of the start or under: orders that begin with -10 % (24 of 120), with -5 % -10 % (6),
        // and those that begin with these two and 2 % in another order (6), with the error of 300 draws.
        assert!((fan.ruin - 0.3).abs() < 0.08, "{}", fan.ruin);
    }

    #[test]
    fn repetition_by_the_binomial_law() {
        // Two trades, +10 % and -10 %, two draws: 1.21 and 0.81 a quarter each, 0.99 a half.
        let fan = monte_carlo(&[0.1, -0.1], 1.0, 4000, true, 0.0, 2).unwrap();
        assert!((fan.loss - 0.75).abs() < 0.03);
        assert!((fan.last[2] - 0.99).abs() < 1e-12);
        assert!((fan.last[4] - 1.21).abs() < 1e-12 && (fan.last[0] - 0.81).abs() < 1e-12);
        assert_eq!(monte_carlo(&[], 1.0, 10, true, 0.0, 2), None);
    }
}
