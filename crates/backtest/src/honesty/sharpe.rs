//! Probabilistic and deflated Sharpe ratio, and the shortest record that proves one.
//!
//! What: The chance that the true Sharpe ratio is above a reference when an estimate, the length
//! of its record, skew and kurtosis are known; and the same above what the best of N useless
//! strategies would show.
//! Formula: PSR(s*) = Φ((s - s*)·√(n - 1)/√(1 - g₃ s + (g₄ - 1)/4 · s²)), s a period, g₄ of the
//! normal law 3. E[max] = √V·((1 - γ) Φ⁻¹(1 - 1/N) + γ Φ⁻¹(1 - 1/(N e))), V the variance of the Sharpe
//! ratios tried, γ Euler's constant. DSR = PSR(E[max]). Shortest record: n = 1 + (1 - g₃ s + (g₄ -
//! 1)/4 · s²)·(Φ⁻¹(p)/(s - s*))².
//! Data: Returns a period, at least 3 that vary.
//! Cost: O(n).
//! Fails when: Returns depend on each other, or not all that was tried is counted.
//! Source: D. H. Bailey, M. López de Prado, The Sharpe Ratio Efficient Frontier, Journal of Risk 15
//! (2012); the same, The Deflated Sharpe Ratio, Journal of Portfolio Management 40 (2014).
//! Not claimed: A probability that the strategy will earn money.

use crate::performance::{deviation, mean, sharpe_per_period, skew_and_kurtosis};
use statrs::distribution::{ContinuousCDF, Normal};

/// Euler's constant.
const EULER: f64 = 0.577_215_664_901_532_9;

/// What the Sharpe ratio of a record rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sharpe {
    /// Sharpe ratio a period.
    pub ratio: f64,
    /// Returns.
    pub n: usize,
    /// Third standardised moment.
    pub skew: f64,
    /// Fourth standardised moment; 3 for the normal law.
    pub kurtosis: f64,
}

impl Sharpe {
    /// Of returns; `None` for fewer than 3 or when they do not vary.
    #[must_use]
    pub fn of(returns: &[f64]) -> Option<Self> {
        let ratio = sharpe_per_period(returns);
        let (skew, kurtosis) = skew_and_kurtosis(returns);
        let known = ratio.is_finite() && skew.is_finite() && kurtosis.is_finite();
        (returns.len() > 2 && known).then_some(Self {
            ratio,
            n: returns.len(),
            skew,
            kurtosis,
        })
    }

    /// Variance of the estimate times n - 1.
    fn spread(&self) -> f64 {
        let s = self.ratio;
        1.0 - self.skew * s + (self.kurtosis - 1.0) / 4.0 * s * s
    }
}

fn standard() -> Option<Normal> {
    Normal::new(0.0, 1.0).ok()
}

/// Chance that the true Sharpe ratio a period is above `reference`; `None` when skew and kurtosis
/// leave no variance.
#[must_use]
pub fn probabilistic(sharpe: &Sharpe, reference: f64) -> Option<f64> {
    let spread = sharpe.spread();
    if spread <= 0.0 || sharpe.n < 2 {
        return None;
    }
    let z = (sharpe.ratio - reference) * (sharpe.n as f64 - 1.0).sqrt() / spread.sqrt();
    Some(standard()?.cdf(z))
}

/// The largest Sharpe ratio a period that `tried` strategies without skill would show on average,
/// when the ratios of what was tried have this variance; 0 for one.
#[must_use]
pub fn expected_maximum(variance: f64, tried: usize) -> f64 {
    let Some(normal) = standard().filter(|_| tried > 1 && variance > 0.0) else {
        return 0.0;
    };
    let n = tried as f64;
    let first = normal.inverse_cdf(1.0 - 1.0 / n);
    let second = normal.inverse_cdf(1.0 - 1.0 / (n * std::f64::consts::E));
    variance.sqrt() * ((1.0 - EULER) * first + EULER * second)
}

/// Deflated Sharpe ratio: chance that the true one is above what luck among `tried` would show.
#[must_use]
pub fn deflated(sharpe: &Sharpe, variance: f64, tried: usize) -> Option<f64> {
    probabilistic(sharpe, expected_maximum(variance, tried))
}

/// Fewest returns for which a Sharpe ratio like this is above `reference` with that probability;
/// `None` when it is not above it at all.
#[must_use]
pub fn minimum_track_record(sharpe: &Sharpe, reference: f64, probability: f64) -> Option<f64> {
    let spread = sharpe.spread();
    if sharpe.ratio <= reference || spread <= 0.0 || !(0.5..1.0).contains(&probability) {
        return None;
    }
    let z = standard()?.inverse_cdf(probability);
    Some(1.0 + spread * (z / (sharpe.ratio - reference)).powi(2))
}

/// Whether a result shows an edge over holding the market.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// Whether the deflated Sharpe ratio of what the market does not explain is at least 0.95.
    pub edge: bool,
    /// That ratio.
    pub deflated: f64,
    /// Sharpe ratio a period of what the market does not explain.
    pub ratio: f64,
    /// What luck among as many would show.
    pub luck: f64,
    /// How the returns move with the market.
    pub beta: f64,
}

/// Judges the returns of the best of `tried` strategies against a market on the same bars. What is
/// judged is return less beta times the market's, so that neither drift nor leverage counts as
/// skill. `variance`: that of the Sharpe ratios a period of all that were tried, where known;
/// otherwise that of a ratio without skill, 1/(n - 1). `None` when nothing varies.
#[must_use]
pub fn verdict(
    returns: &[f64],
    market: &[f64],
    tried: usize,
    variance: Option<f64>,
) -> Option<Verdict> {
    if returns.len() != market.len() || returns.len() < 3 {
        return None;
    }
    let (mr, mb) = (mean(returns), mean(market));
    let spread = deviation(market).powi(2) * (market.len() as f64 - 1.0);
    let pairs = returns.iter().zip(market);
    let products: f64 = pairs.clone().map(|(r, b)| (r - mr) * (b - mb)).sum();
    let beta = if spread > 0.0 { products / spread } else { 0.0 };
    let left: Vec<f64> = pairs.map(|(r, b)| r - beta * b).collect();
    let sharpe = Sharpe::of(&left)?;
    // Fewer or more alike strategies than said have a smaller variance; luck alone has 1/(n - 1).
    let alone = 1.0 / (sharpe.n as f64 - 1.0);
    let variance = variance.map_or(alone, |v| v.max(alone));
    let luck = expected_maximum(variance, tried);
    let deflated = probabilistic(&sharpe, luck)?;
    Some(Verdict {
        edge: deflated >= 0.95,
        deflated,
        ratio: sharpe.ratio,
        luck,
        beta,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() < tolerance, "{a} is not {b}");
    }

    #[test]
    fn the_examples_of_the_papers() {
        // Bailey & López de Prado (2012), section on hedge fund returns: monthly, 24 of them, Sharpe
        // ratio 0.458, skew -2.448, kurtosis 10.164: 0.982 by the normal law, 0.913 with moments.
        let of = |ratio, n, skew, kurtosis| Sharpe {
            ratio,
            n,
            skew,
            kurtosis,
        };
        let normal = probabilistic(&of(0.458, 24, 0.0, 3.0), 0.0).unwrap();
        near(normal, 0.982, 5e-4);
        let true_ones = probabilistic(&of(0.458, 24, -2.448, 10.164), 0.0).unwrap();
        near(true_ones, 0.913, 5e-4);
        // Same paper: a daily record of Sharpe ratio 2 needs 2.73 years to prove more than 1.
        let day = |a: f64| a / 250f64.sqrt();
        let least = minimum_track_record(&of(day(2.0), 0, 0.0, 3.0), day(1.0), 0.95).unwrap();
        near(least / 250.0, 2.73, 5e-3);
        // Bailey & López de Prado (2014), numerical example: 100 trials of variance 1/2 a year, 1250
        // days of 250 a year, Sharpe ratio 2.5, skew -3, kurtosis 10: 0.1132 and 0.9004; with 46
        // trials, or 88 and the normal law, 0.9505.
        near(expected_maximum(0.5 / 250.0, 100), 0.1132, 5e-5);
        let s = of(day(2.5), 1250, -3.0, 10.0);
        near(deflated(&s, 0.5 / 250.0, 100).unwrap(), 0.9004, 5e-5);
        near(deflated(&s, 0.5 / 250.0, 46).unwrap(), 0.9505, 5e-5);
        let normal = of(day(2.5), 1250, 0.0, 3.0);
        near(deflated(&normal, 0.5 / 250.0, 88).unwrap(), 0.9505, 5e-5);
    }

    #[test]
    fn what_cannot_be_said_is_not_said() {
        assert_eq!(Sharpe::of(&[0.01; 30]), None);
        assert_eq!(Sharpe::of(&[0.01, 0.02]), None);
        assert_eq!(expected_maximum(0.1, 1), 0.0);
        let s = Sharpe::of(&[0.01, -0.02, 0.005, 0.001]).unwrap();
        assert_eq!(minimum_track_record(&s, 0.0, 0.95), None);
    }

    #[test]
    fn the_market_itself_is_no_edge() {
        let market: Vec<f64> = (0..500)
            .map(|t| 0.002 + 0.01 * f64::from(t * 37 % 101 - 50) / 50.0)
            .collect();
        let twice: Vec<f64> = market.iter().map(|r| 2.0 * r).collect();
        // Nothing is left but rounding.
        assert!(verdict(&twice, &market, 1, None).is_none_or(|v| !v.edge));
        let more: Vec<f64> = market
            .iter()
            .enumerate()
            .map(|(t, r)| r + 0.002 + 0.001 * f64::from(t as u32 % 3))
            .collect();
        let v = verdict(&more, &market, 100, None).unwrap();
        assert!(v.edge && (v.beta - 1.0).abs() < 0.05, "{v:?}");
    }
}
