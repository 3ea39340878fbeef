//! Confidence intervals by the stationary bootstrap: blocks of days of random length, so that what
//! hangs together in time stays together.

use mltrainer_types::trial::Interval;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::collections::BTreeMap;

/// Coverage of the intervals.
pub const LEVEL: f64 = 0.95;
/// Resamples of each interval.
pub const RESAMPLES: usize = 500;
/// Fewest days for which an interval is stated.
pub const MIN_DAYS: usize = 20;

/// Mean block length: the cube root of the number of days, at least the horizon, because targets
/// over h bars overlap for h days.
#[must_use]
pub fn block_length(days: usize, horizon: usize) -> f64 {
    (days as f64).cbrt().max(horizon as f64).max(1.0)
}

/// Intervals of statistics of days: for each resample of the days (places with repetition) the
/// statistics are computed anew; the interval is between their 2.5 % and 97.5 % quantiles (linear
/// between order statistics). A statistic that is not finite on some resample is left out of that
/// resample. Empty for fewer than [`MIN_DAYS`] days.
///
/// Politis & Romano, Journal of the American Statistical Association 89 (1994) 1303-1313.
pub fn intervals<const K: usize>(
    days: usize,
    mean_block: f64,
    seed: u64,
    mut statistics: impl FnMut(&[u32]) -> [f64; K],
) -> [Option<Interval>; K] {
    if days < MIN_DAYS || u32::try_from(days).is_err() {
        return [None; K];
    }
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut sample = vec![0u32; days];
    let mut draws: [Vec<f64>; K] = std::array::from_fn(|_| Vec::with_capacity(RESAMPLES));
    for _ in 0..RESAMPLES {
        resample(&mut rng, mean_block, &mut sample);
        for (column, value) in draws.iter_mut().zip(statistics(&sample)) {
            if value.is_finite() {
                column.push(value);
            }
        }
    }
    draws.map(|mut column| {
        // Quantiles of a handful of finite draws would look surer than they are.
        if column.len() < RESAMPLES * 9 / 10 {
            return None;
        }
        column.sort_by(f64::total_cmp);
        Some(Interval {
            low: quantile(&column, (1.0 - LEVEL) / 2.0),
            high: quantile(&column, 1.0 - (1.0 - LEVEL) / 2.0),
            level: LEVEL,
        })
    })
}

/// Fills `sample` with places: each follows the one before it (the first day follows the last) or,
/// with probability 1 / `mean_block`, jumps anywhere.
pub(crate) fn resample(rng: &mut Xoshiro256PlusPlus, mean_block: f64, sample: &mut [u32]) {
    let n = sample.len() as u32;
    let jump = 1.0 / mean_block;
    let mut place = 0;
    for (i, slot) in sample.iter_mut().enumerate() {
        place = if i == 0 || rng.gen_range(0.0..1.0) < jump {
            rng.gen_range(0..n)
        } else {
            (place + 1) % n
        };
        *slot = place;
    }
}

/// The quantile of ascending values, linear between order statistics (R's type 7, numpy's default).
fn quantile(ascending: &[f64], q: f64) -> f64 {
    let place = q * (ascending.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(ascending.len() - 1);
    ascending[below] + (place - below as f64) * (ascending[above] - ascending[below])
}

/// Sums over the rows of one day, from which the figures of any set of days follow.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct DaySums {
    /// Rows.
    pub rows: f64,
    /// Squared errors.
    pub squared: f64,
    /// Absolute errors.
    pub absolute: f64,
    /// Actual values, less a constant common to all days.
    pub actual: f64,
    /// Squares of the same.
    pub actual_squared: f64,
    /// Rows whose direction was right.
    pub hits: f64,
    /// Rows that had a direction.
    pub directed: f64,
}

/// Intervals of `rmse`, `mae`, `r2` and `directional_accuracy` over days in time order.
#[must_use]
pub fn forecast_intervals(
    days: &[DaySums],
    mean_block: f64,
    seed: u64,
) -> BTreeMap<String, Interval> {
    let found = intervals(days.len(), mean_block, seed, |sample| {
        let mut s = DaySums::default();
        for &place in sample {
            let d = &days[place as usize];
            s.rows += d.rows;
            s.squared += d.squared;
            s.absolute += d.absolute;
            s.actual += d.actual;
            s.actual_squared += d.actual_squared;
            s.hits += d.hits;
            s.directed += d.directed;
        }
        let spread = s.actual_squared - s.actual * s.actual / s.rows;
        [
            (s.squared / s.rows).sqrt(),
            s.absolute / s.rows,
            1.0 - s.squared / spread,
            s.hits / s.directed,
        ]
    });
    ["rmse", "mae", "r2", "directional_accuracy"]
        .into_iter()
        .zip(found)
        .filter_map(|(name, interval)| Some((name.to_owned(), interval?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_as_in_numpy() {
        // numpy.quantile([1, 2, 4, 8], [0.025, 0.5, 0.975]) = 1.075, 3, 7.7
        let v = [1.0, 2.0, 4.0, 8.0];
        for (q, expected) in [(0.025, 1.075), (0.5, 3.0), (0.975, 7.7), (1.0, 8.0)] {
            assert!((quantile(&v, q) - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn blocks_have_the_mean_length_asked_for() {
        // Block lengths are geometric with mean 10, less the 1 in 1000 jumps that land on the next
        // day. Over 200 x 1000 draws their mean has a standard error of 0.07: 5 of them are 0.35.
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
        let mut sample = vec![0u32; 1000];
        let mut jumps = 0;
        for _ in 0..200 {
            resample(&mut rng, 10.0, &mut sample);
            jumps += sample
                .windows(2)
                .filter(|w| w[1] != (w[0] + 1) % 1000)
                .count();
            assert!(sample.iter().all(|p| *p < 1000));
        }
        let mean = 200.0 * 999.0 / f64::from(u32::try_from(jumps).unwrap());
        assert!((mean - 10.0).abs() < 0.4, "mean block {mean}");
    }

    #[test]
    fn an_interval_of_a_mean_is_that_of_the_normal_law() {
        // 2,000 independent uniform draws and blocks of length 1: the interval of their mean is
        // mean +- 1.96 s / sqrt(n), to within the error of 500 resamples.
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
        let x: Vec<f64> = (0..2000).map(|_| rng.gen_range(0.0..1.0)).collect();
        let [found] = intervals(x.len(), 1.0, 3, |s| {
            [s.iter().map(|&i| x[i as usize]).sum::<f64>() / x.len() as f64]
        });
        let mean = x.iter().sum::<f64>() / 2000.0;
        let half = 1.96 * (1.0f64 / 12.0 / 2000.0).sqrt();
        let found = found.unwrap();
        assert!((found.low - (mean - half)).abs() < half * 0.25);
        assert!((found.high - (mean + half)).abs() < half * 0.25);
    }

    #[test]
    fn dependent_days_widen_the_interval() {
        // Values that repeat 20 days long: blocks must see that there are 50 facts, not 1,000.
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        let x: Vec<f64> = (0..50)
            .flat_map(|_| [rng.gen_range(0.0..1.0); 20])
            .collect();
        let width = |block: f64| {
            let [i] = intervals(x.len(), block, 3, |s| {
                [s.iter().map(|&i| x[i as usize]).sum::<f64>() / x.len() as f64]
            });
            let i = i.unwrap();
            i.high - i.low
        };
        assert!(width(40.0) > 2.5 * width(1.0));
    }

    #[test]
    fn same_seed_same_interval_and_too_few_days_none() {
        let days: Vec<DaySums> = (0..60)
            .map(|i| DaySums {
                rows: 1.0,
                squared: f64::from(i % 7),
                absolute: f64::from(i % 5),
                actual: f64::from(i % 11),
                actual_squared: f64::from((i % 11) * (i % 11)),
                hits: f64::from(i % 2),
                directed: 1.0,
            })
            .collect();
        let a = forecast_intervals(&days, 4.0, 9);
        assert_eq!(a, forecast_intervals(&days, 4.0, 9));
        assert_ne!(a, forecast_intervals(&days, 4.0, 10));
        assert_eq!(a.len(), 4);
        assert!(forecast_intervals(&days[..19], 4.0, 9).is_empty());
    }
}
