//! Intervals of any figure by the stationary bootstrap, with blocks of a length that the data choose.
//!
//! What: The mean block length at which the stationary bootstrap estimates the variance of a mean
//! best, and percentile intervals of a figure over resampled returns.
//! Formula: b = (2 G²/D)^(1/3) · n^(1/3), D = 2 g(0)², g(0) = Σ λ(k/m) R(k), G = Σ λ(k/m) |k| R(k),
//! R the autocovariances, λ(x) = 1 up to 1/2, then 2 (1 - x); m = twice the lag after which
//! max(5, ⌊log₁₀ n⌋) autocorrelations stay under 2 √(log₁₀ n/n); b at most ⌈min(3 √n, n/3)⌉.
//! Data: Returns in order of time, at least 20.
//! Cost: O(n^1.5); an interval O(resamples · n) and the figure's own cost.
//! Fails when: The figure is an extreme, such as the largest drawdown: a resample breaks the longest
//! runs.
//! Source: D. N. Politis, J. P. Romano, The Stationary Bootstrap, Journal of the American Statistical
//! Association 89 (1994); D. N. Politis, H. White, Automatic Block-Length Selection, Econometric
//! Reviews 23 (2004); A. Patton, D. N. Politis, H. White, Correction, ibid. 28 (2009).
//! Not claimed: Intervals for a world that changes.

use crate::bootstrap::{MIN_DAYS, resample};
use crate::performance::{mean, quantile_sorted};
use mltrainer_types::trial::Interval;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

/// A figure of returns.
pub type Metric<'a> = &'a dyn Fn(&[f64]) -> f64;

/// The mean block length of the stationary bootstrap, not under 1; 1 when nothing varies or for fewer
/// than 8 values.
#[must_use]
pub fn optimal_block(x: &[f64]) -> f64 {
    let n = x.len();
    if n < 8 {
        return 1.0;
    }
    let centre = mean(x);
    let e: Vec<f64> = x.iter().map(|v| v - centre).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    if dot(&e, &e) <= 0.0 {
        return 1.0;
    }
    let length = n as f64;
    let most = (3.0 * length.sqrt()).min(length / 3.0).ceil();
    let calm = 5.max(length.log10() as usize);
    let lags = (length.sqrt().ceil() as usize + calm).min(n - 2);
    let bound = 2.0 * (length.log10() / length).sqrt();
    let mut covariance = Vec::with_capacity(lags + 1);
    let mut correlation = Vec::with_capacity(lags + 1);
    for lag in 0..=lags {
        let product = dot(&e[lag..], &e[..n - lag]);
        // The norms of the overlapping parts, one value shorter than the products, as in arch.
        let norms = dot(&e[lag + 1..], &e[lag + 1..]) * dot(&e[..n - lag - 1], &e[..n - lag - 1]);
        covariance.push(product / length);
        correlation.push(product.abs() / norms.sqrt());
    }
    let quiet = (calm..=lags)
        .find(|lag| correlation[lag - calm..*lag].iter().all(|c| *c < bound))
        .map(|lag| lag - calm);
    let m = quiet.map_or(lags, |lag| 2 * lag.max(1)).min(lags);
    let (mut g, mut long_run) = (0.0, covariance[0]);
    for (k, r) in covariance.iter().enumerate().take(m + 1).skip(1) {
        let x = k as f64 / m as f64;
        let weight = if x <= 0.5 { 1.0 } else { 2.0 * (1.0 - x) };
        g += 2.0 * weight * k as f64 * r;
        long_run += 2.0 * weight * r;
    }
    let block = (2.0 * g * g / (2.0 * long_run * long_run)).cbrt() * length.cbrt();
    if block.is_finite() {
        block.min(most).max(1.0)
    } else {
        1.0
    }
}

/// Percentile interval of a figure at a level, such as 0.95, over `resamples` resamples with mean block
/// length `block` ([`optimal_block`] of the returns when absent). `None` for fewer than
/// [`MIN_DAYS`] returns, a level outside 0 to 1, or when a tenth of the resamples has no finite figure.
#[must_use]
pub fn interval(
    returns: &[f64],
    metric: Metric<'_>,
    level: f64,
    resamples: usize,
    block: Option<f64>,
    seed: u64,
) -> Option<Interval> {
    let usable = returns.len() >= MIN_DAYS && level > 0.0 && level < 1.0 && resamples > 0;
    if !usable || u32::try_from(returns.len()).is_err() {
        return None;
    }
    let block = block.unwrap_or_else(|| optimal_block(returns)).max(1.0);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut places = vec![0u32; returns.len()];
    let mut values = vec![0.0; returns.len()];
    let mut draws = Vec::with_capacity(resamples);
    for _ in 0..resamples {
        resample(&mut rng, block, &mut places);
        for (value, place) in values.iter_mut().zip(&places) {
            *value = returns[*place as usize];
        }
        let figure = metric(&values);
        if figure.is_finite() {
            draws.push(figure);
        }
    }
    if draws.len() * 10 < resamples * 9 {
        return None;
    }
    draws.sort_by(f64::total_cmp);
    Some(Interval {
        low: quantile_sorted(&draws, (1.0 - level) / 2.0),
        high: quantile_sorted(&draws, f64::midpoint(1.0, level)),
        level,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::performance::deviation;

    #[test]
    fn an_interval_of_a_mean_is_that_of_the_normal_law() {
        // A permutation of equally spaced values: no dependence that blocks of 1 could break.
        let x: Vec<f64> = (0..997).map(|i| f64::from(i * 331 % 997) / 997.0).collect();
        let found = interval(&x, &mean, 0.9, 4000, Some(1.0), 3).unwrap();
        let half = 1.6449 * deviation(&x) / 997f64.sqrt();
        assert!((found.high - (mean(&x) + half)).abs() < 0.1 * half);
        assert!((found.low - (mean(&x) - half)).abs() < 0.1 * half);
        assert_eq!(Some(found), interval(&x, &mean, 0.9, 4000, Some(1.0), 3));
        assert!(interval(&x[..19], &mean, 0.9, 100, None, 3).is_none());
    }

    #[test]
    fn lengths_that_mean_nothing_are_one() {
        assert_eq!(optimal_block(&[1.0; 50]), 1.0);
        assert_eq!(optimal_block(&[1.0, 2.0, 3.0]), 1.0);
    }
}
