//! Is one forecast better than another, or is it luck? Diebold-Mariano with small-sample
//! correction, and Holm's correction for having asked several times.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// The outcome of a Diebold-Mariano test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DieboldMariano {
    /// The corrected statistic; below zero when the first forecast has the lower loss.
    pub statistic: f64,
    /// Chance of a statistic at most this low if the first forecast were no better (one-sided).
    pub p_value: f64,
}

/// Tests whether the first forecast has the lower expected loss.
///
/// `difference[t]` is its loss less that of the other on day t, in time order; with several symbols
/// the mean over the symbols of the day. The variance of the mean is that of Newey and West with
/// Bartlett weights up to lag `horizon - 1`, the statistic is corrected after Harvey, Leybourne and
/// Newbold and compared with Student's t on n - 1 degrees of freedom. `None` for fewer than 10 days
/// or two horizons of days, or when the losses do not differ in any varying way.
///
/// Diebold & Mariano, Journal of Business & Economic Statistics 13 (1995) 253-263; Harvey, Leybourne
/// & Newbold, International Journal of Forecasting 13 (1997) 281-291; Newey & West, Econometrica 55
/// (1987) 703-708.
#[must_use]
pub fn diebold_mariano(difference: &[f64], horizon: usize) -> Option<DieboldMariano> {
    let n = difference.len();
    let h = horizon.max(1);
    if n < 10 || n < 2 * h {
        return None;
    }
    let t = n as f64;
    let mean = difference.iter().sum::<f64>() / t;
    let centred: Vec<f64> = difference.iter().map(|d| d - mean).collect();
    let covariance = |lag: usize| -> f64 {
        centred[lag..]
            .iter()
            .zip(&centred)
            .map(|(a, b)| a * b)
            .sum::<f64>()
            / t
    };
    let variance = covariance(0)
        + (1..h)
            .map(|lag| 2.0 * (1.0 - lag as f64 / h as f64) * covariance(lag))
            .sum::<f64>();
    // Rounding alone leaves such a variance when all differences are equal.
    let scale = difference.iter().fold(0.0f64, |m, d| m.max(d.abs()));
    if variance <= (scale * f64::EPSILON * 8.0).powi(2) {
        return None;
    }
    let h = h as f64;
    let small_sample = ((t + 1.0 - 2.0 * h + h * (h - 1.0) / t) / t).sqrt();
    let statistic = mean / (variance / t).sqrt() * small_sample;
    let p_value = StudentsT::new(0.0, 1.0, t - 1.0).ok()?.cdf(statistic);
    (statistic.is_finite() && p_value.is_finite()).then_some(DieboldMariano { statistic, p_value })
}

/// Holm's step-down correction: the p-values such that rejecting those below alpha keeps the chance
/// of any false rejection below alpha, whatever the dependence. In the order given.
///
/// Holm, Scandinavian Journal of Statistics 6 (1979) 65-70.
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&i, &j| p_values[i].total_cmp(&p_values[j]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut running: f64 = 0.0;
    for (rank, &i) in order.iter().enumerate() {
        running = running
            .max((p_values.len() - rank) as f64 * p_values[i])
            .min(1.0);
        adjusted[i] = running;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holm_as_in_r() {
        // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") = 0.03 0.06 0.06 0.02
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (a, b) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((a - b).abs() < 1e-15);
        }
        assert_eq!(holm(&[0.7, 0.8]), vec![1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn last_value_against_mean_on_sunspots() {
        // Wolf's annual sunspot numbers 1950 to 1979. Forecasts: last year's number, and the mean of
        // all years before. Squared errors; statistic and p-value computed independently with numpy
        // 2 and scipy.stats.t.cdf from the formulas of the papers named above.
        let y = [
            83.9, 69.4, 31.5, 13.9, 4.4, 38.0, 141.7, 190.2, 184.8, 159.0, 112.3, 53.9, 37.6, 27.9,
            10.2, 15.1, 47.0, 93.8, 105.9, 105.5, 104.5, 66.6, 68.9, 38.0, 34.5, 15.5, 12.6, 27.5,
            92.5, 155.4f64,
        ];
        let difference: Vec<f64> = (1..y.len())
            .map(|t| {
                let mean = y[..t].iter().sum::<f64>() / t as f64;
                (y[t] - y[t - 1]).powi(2) - (y[t] - mean).powi(2)
            })
            .collect();
        for (horizon, statistic, p_value) in [
            (1, -2.610_148_087_515_270_7, 0.007_185_500_851_013_406),
            (2, -2.122_420_192_848_847, 0.021_390_544_985_196_994),
            (5, -2.121_048_512_503_522, 0.021_452_980_059_077_656),
        ] {
            let found = diebold_mariano(&difference, horizon).unwrap();
            assert!((found.statistic - statistic).abs() < 1e-10, "{found:?}");
            assert!((found.p_value - p_value).abs() < 1e-10, "{found:?}");
        }
        // The other way round the evidence is against the first forecast.
        let reverse: Vec<f64> = difference.iter().map(|d| -d).collect();
        let p = diebold_mariano(&reverse, 1).unwrap().p_value;
        assert!((p - (1.0 - 0.007_185_500_851_013_406)).abs() < 1e-10);
    }

    #[test]
    fn no_difference_is_no_evidence() {
        assert_eq!(diebold_mariano(&[0.0; 50], 1), None);
        assert_eq!(diebold_mariano(&[0.1; 50], 3), None);
        assert_eq!(diebold_mariano(&[0.1; 9], 1), None);
        let wave: Vec<f64> = (0..15).map(|i| f64::from(i).sin()).collect();
        assert_eq!(diebold_mariano(&wave, 8), None);
    }
}
