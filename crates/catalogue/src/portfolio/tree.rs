//! Hierarchical risk parity.
//!
//! What: clusters assets by correlation, orders them by the tree, and halves the list again and again.
//! Formula: distance sqrt((1 - ρ)/2); of two halves the first gets 1 - v1/(v1 + v2), v the variance of each
//! half under weights inverse to variances.
//! Data: a covariance with positive variances.
//! Cost: O(n³) for n assets.
//! Fails when: an asset does not move.
//! Source: Lopez de Prado, J. Portfolio Management 42 (2016); order and ties as in scipy and PyPortfolioOpt 1.6, bounds
//! as in skfolio 1.12.
//! Not claimed: the least variance.

use super::moments::Moments;
use mltrainer_catalogue_core::choices;
use ndarray::Array2;

choices! {
    /// The distance between clusters.
    pub enum Linkage {
        /// Of the nearest members.
        Single = "single",
        /// Of the farthest members.
        Complete = "complete",
        /// Mean over all pairs of members.
        Average = "average",
        /// Mean of the distances of the two clusters joined last.
        Weighted = "weighted",
        /// Growth of the variance within clusters.
        Ward = "ward",
    }
}

/// The order of the leaves: of two joined clusters the one created earlier comes first, single assets count as
/// created in their order.
pub(super) fn order(distance: &Array2<f64>, linkage: Linkage) -> Vec<usize> {
    let n = distance.nrows();
    let mut d = distance.clone();
    // Number of each cluster by when it was created, and its leaves; none once it was joined.
    let mut clusters: Vec<Option<(usize, Vec<usize>)>> =
        (0..n).map(|i| Some((i, vec![i]))).collect();
    for join in 0..n.saturating_sub(1) {
        let mut nearest = (f64::INFINITY, 0, 0);
        for i in 0..n {
            for j in i + 1..n {
                if clusters[i].is_some() && clusters[j].is_some() && d[[i, j]] < nearest.0 {
                    nearest = (d[[i, j]], i, j);
                }
            }
        }
        let (between, i, j) = nearest;
        let (Some(a), Some(b)) = (clusters[i].take(), clusters[j].take()) else {
            break;
        };
        let (x, y) = (a.1.len() as f64, b.1.len() as f64);
        for k in 0..n {
            let Some((_, members)) = &clusters[k] else {
                continue;
            };
            let z = members.len() as f64;
            let (p, q) = (d[[i, k]], d[[j, k]]);
            let new = match linkage {
                Linkage::Single => p.min(q),
                Linkage::Complete => p.max(q),
                Linkage::Average => (x * p + y * q) / (x + y),
                Linkage::Weighted => 0.5 * (p + q),
                Linkage::Ward => {
                    let squares = (x + z) * p * p + (y + z) * q * q - z * between * between;
                    (squares / (x + y + z)).max(0.0).sqrt()
                }
            };
            d[[i, k]] = new;
            d[[k, i]] = new;
        }
        let (mut first, second) = if a.0 < b.0 { (a, b) } else { (b, a) };
        first.1.extend(second.1);
        clusters[i] = Some((n + join, first.1));
    }
    let mut left = clusters.into_iter().flatten();
    left.next().map(|(_, leaves)| leaves).unwrap_or_default()
}

/// Correlations; 0 where an asset does not move.
fn distances(m: &Moments) -> Array2<f64> {
    let sd = m.volatilities();
    Array2::from_shape_fn(m.covariance.dim(), |(i, j)| {
        if i == j {
            return 0.0;
        }
        let size = sd[i] * sd[j];
        let rho = if size > 0.0 {
            m.covariance[[i, j]] / size
        } else {
            0.0
        };
        ((1.0 - rho).max(0.0) / 2.0).sqrt()
    })
}

/// Weights within bounds, each of which leaves room for the others.
pub(super) fn hierarchical(
    m: &Moments,
    linkage: Linkage,
    low: &[f64],
    high: &[f64],
) -> Option<Vec<f64>> {
    let kept: Vec<usize> = (0..low.len()).filter(|i| high[*i] > 0.0).collect();
    let all = distances(m);
    let own = Array2::from_shape_fn((kept.len(), kept.len()), |(i, j)| all[[kept[i], kept[j]]]);
    let sorted: Vec<usize> = order(&own, linkage).into_iter().map(|i| kept[i]).collect();
    let variance = |part: &[usize]| {
        let inverse: Vec<f64> = part.iter().map(|i| 1.0 / m.covariance[[*i, *i]]).collect();
        let sum: f64 = inverse.iter().sum();
        let mut v = 0.0;
        for (i, a) in part.iter().zip(&inverse) {
            for (j, b) in part.iter().zip(&inverse) {
                v += a * b * m.covariance[[*i, *j]];
            }
        }
        v / sum / sum
    };
    let mut w = vec![0.0; low.len()];
    kept.iter().for_each(|i| w[*i] = 1.0);
    let mut parts = vec![sorted];
    while let Some(part) = parts.pop() {
        if part.len() < 2 {
            continue;
        }
        let (first, second) = part.split_at(part.len() / 2);
        let (v1, v2) = (variance(first), variance(second));
        let mut share = 1.0 - v1 / (v1 + v2);
        // What a half may take at most and must take at least, as a share of what the two have.
        let has = w[first[0]];
        let sum = |of: &[f64], part: &[usize]| part.iter().map(|i| of[*i]).sum::<f64>() / has;
        share = share.max(sum(low, first)).min(sum(high, first));
        share = 1.0 - (1.0 - share).max(sum(low, second)).min(sum(high, second));
        first.iter().for_each(|i| w[*i] *= share);
        second.iter().for_each(|i| w[*i] *= 1.0 - share);
        parts.push(first.to_vec());
        parts.push(second.to_vec());
    }
    w.iter().all(|v| v.is_finite()).then_some(w)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_come_in_the_order_of_creation() {
        // 1 and 3 join first (0.1), then 0 and 2 (0.2), then both: the first pair was created first.
        let mut d = Array2::from_elem((4, 4), 0.9);
        for (i, j, v) in [(1, 3, 0.1), (0, 2, 0.2)] {
            d[[i, j]] = v;
            d[[j, i]] = v;
        }
        for linkage in [
            Linkage::Single,
            Linkage::Complete,
            Linkage::Average,
            Linkage::Weighted,
            Linkage::Ward,
        ] {
            assert_eq!(order(&d, linkage), [1, 3, 0, 2]);
        }
        // A single asset that joins a pair was created before it.
        d[[0, 2]] = 0.9;
        d[[2, 0]] = 0.9;
        d[[0, 1]] = 0.3;
        d[[1, 0]] = 0.3;
        assert_eq!(order(&d, Linkage::Single), [2, 0, 1, 3]);
        assert_eq!(order(&Array2::zeros((1, 1)), Linkage::Single), [0]);
    }
}
