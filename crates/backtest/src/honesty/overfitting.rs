//! Probability of back-test overfitting.
//!
//! What: How often the strategy that was best on one half of the time was worse than the median on
//! the other half, over all ways of taking half of S blocks.
//! Formula: Rows cut into S blocks of equal length (the oldest rest is left out). For each of the
//! C(S, S/2) choices: the best Sharpe ratio inside, its relative rank w = rank/(N + 1) outside, λ =
//! ln(w/(1 - w)). PBO = share of λ <= 0. Also the line of outside on inside ratios of the chosen ones,
//! and the share of choices that lose outside.
//! Data: Returns of N >= 2 strategies on the same bars, as many rows as 2 S at least.
//! Cost: O(rows · N + C(S, S/2) · S · N).
//! Fails when: The strategies are not those that were really tried.
//! Source: D. H. Bailey, J. M. Borwein, M. López de Prado, Q. J. Zhu, The Probability of Backtest
//! Overfitting, Journal of Computational Finance 20 (2017).
//! Not claimed: That a low value makes the best strategy good.

/// What cross-validation over all halves says.
#[derive(Debug, Clone, PartialEq)]
pub struct Overfitting {
    /// Probability of overfitting.
    pub probability: f64,
    /// Logits of the relative ranks outside, one a choice of blocks.
    pub logits: Vec<f64>,
    /// Sharpe ratio a bar of the chosen strategy inside and outside, one a choice.
    pub inside_outside: Vec<(f64, f64)>,
    /// Slope of the line of outside on inside ratios.
    pub slope: f64,
    /// Its intercept.
    pub intercept: f64,
    /// Share of choices whose strategy has a ratio below 0 outside.
    pub loss: f64,
}

/// Most blocks: 12,870 choices.
pub(super) const MAX_BLOCKS: usize = 16;

/// Cross-validates over all halves. `returns`: one column a strategy. `None` when `blocks` is not even
/// and in 2 to [`MAX_BLOCKS`], there are fewer than 2 strategies or `2 · blocks` rows, or columns are of
/// unequal length.
#[must_use]
pub fn probability_of_overfitting(returns: &[Vec<f64>], blocks: usize) -> Option<Overfitting> {
    let rows = returns.first().map_or(0, Vec::len);
    let usable = (2..=MAX_BLOCKS).contains(&blocks) && blocks.is_multiple_of(2);
    if !usable || returns.len() < 2 || rows < 2 * blocks {
        return None;
    }
    if returns.iter().any(|r| r.len() != rows) {
        return None;
    }
    let length = rows / blocks;
    let start = rows - length * blocks;
    // Sums and sums of squares about the column's own mean, which keeps their digits.
    let sums: Vec<Vec<(f64, f64)>> = returns
        .iter()
        .map(|r| {
            let centre = r[start..].iter().sum::<f64>() / (rows - start) as f64;
            let block = |b: usize| {
                let part = &r[start + b * length..start + (b + 1) * length];
                let sum: f64 = part.iter().sum();
                let squares: f64 = part.iter().map(|v| (v - centre).powi(2)).sum();
                (sum, squares)
            };
            (0..blocks).map(block).collect()
        })
        .collect();
    let centres: Vec<f64> = sums
        .iter()
        .map(|s| s.iter().map(|b| b.0).sum::<f64>() / (length * blocks) as f64)
        .collect();
    let n = (length * blocks / 2) as f64;
    let ratio = |column: usize, mask: u32| -> f64 {
        let (mut sum, mut squares) = (0.0, 0.0);
        for (b, (s, q)) in sums[column].iter().enumerate() {
            if mask >> b & 1 == 1 {
                sum += s;
                squares += q;
            }
        }
        let mean = sum / n;
        let variance = (squares - n * (mean - centres[column]).powi(2)) / (n - 1.0);
        if variance > 0.0 {
            mean / variance.sqrt()
        } else {
            0.0
        }
    };
    let all = (1u32 << blocks) - 1;
    let mut logits = Vec::new();
    let mut pairs = Vec::new();
    for mask in (1..=all).filter(|m| m.count_ones() as usize == blocks / 2) {
        let mut best = 0;
        let mut inside = f64::NEG_INFINITY;
        for column in 0..returns.len() {
            let found = ratio(column, mask);
            if found > inside {
                (best, inside) = (column, found);
            }
        }
        let others: Vec<f64> = (0..returns.len()).map(|c| ratio(c, all & !mask)).collect();
        let outside = others[best];
        let below = others.iter().filter(|o| **o < outside).count() as f64;
        let equal = others.iter().filter(|o| **o == outside).count() as f64;
        let w = (below + f64::midpoint(1.0, equal)) / (returns.len() as f64 + 1.0);
        logits.push((w / (1.0 - w)).ln());
        pairs.push((inside, outside));
    }
    let count = logits.len() as f64;
    let share = |hits: usize| hits as f64 / count;
    let (mx, my) = (
        pairs.iter().map(|p| p.0).sum::<f64>() / count,
        pairs.iter().map(|p| p.1).sum::<f64>() / count,
    );
    let xx: f64 = pairs.iter().map(|p| (p.0 - mx).powi(2)).sum();
    let xy: f64 = pairs.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum();
    let slope = if xx > 0.0 { xy / xx } else { 0.0 };
    Some(Overfitting {
        probability: share(logits.iter().filter(|l| **l <= 0.0).count()),
        loss: share(pairs.iter().filter(|p| p.1 < 0.0).count()),
        slope,
        intercept: my - slope * mx,
        logits,
        inside_outside: pairs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_blocks_by_hand() {
        // Two strategies; in each block of two rows the first column earns 1.1, -.9, 1.1, -.9 on average,
        // the second the reverse. Of the 6 choices of 2 blocks: {0,2} takes the first, which is worse
        // outside; {1,3} the second, likewise; the four mixed choices see equal means and take the
        // first, which is equal outside too: ranks 1, 1 and 1.5 of 2.
        let blocks = [1.1, -0.9, 1.1, -0.9];
        let column = |sign: f64| -> Vec<f64> {
            blocks
                .iter()
                .flat_map(|b| [sign * (b - 0.1) - 0.01, sign * (b - 0.1) + 0.01])
                .collect()
        };
        let found = probability_of_overfitting(&[column(1.0), column(-1.0)], 4).unwrap();
        // w = 1/3 twice: λ = ln(1/2); w = 1/2 four times: λ = 0.
        let low = found
            .logits
            .iter()
            .filter(|l| (**l - 0.5f64.ln()).abs() < 1e-12);
        assert_eq!((low.count(), found.logits.len()), (2, 6));
        assert_eq!(found.probability, 1.0);
        assert!(probability_of_overfitting(&[column(1.0)], 4).is_none());
        assert!(probability_of_overfitting(&[column(1.0), column(1.0)], 3).is_none());
        assert!(probability_of_overfitting(&[column(1.0), column(1.0)], 6).is_none());
    }
}
