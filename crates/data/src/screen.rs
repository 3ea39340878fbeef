//! Signs that a series of daily bars was manufactured: things that recorded markets have and
//! generators forget.
//!
//! | sign | what is missing | needs |
//! |---|---|---|
//! | `no_clustering` | days of large moves come in clusters: the mean of the first 60 rank autocorrelations of the day's range, or of the absolute return, is above what independent days give | 1,000 days, with highs and lows 500 |
//! | `gaussian_returns` | fat tails: the excess kurtosis of the returns is above 0 by two standard errors | 1,000 days |
//! | `random_walk` | both of these, where the series is too short for one alone to count | 500 days |
//! | `smooth_path` | a return says little about the next one: their correlation is not above 0.35 | 200 days |
//! | `straight_runs` | prices do not move in straight lines: not over a tenth of the days lie in runs of four or more equal steps | 200 days |
//! | `bodies_only` | prices leave the span of open and close: high and low are not those two on over a quarter of the days | 200 days |
//! | `volume_without_memory` | busy days come in clusters, as for `no_clustering` | 500 days |
//!
//! One sign is noted beside the data set; two of them close the gate. A sign is a statistical
//! verdict about a kind of series, not proof. The thresholds were set on the bundled sets before the
//! test below was written down; `docs/adr/0040-screen-for-manufactured-series.md` has the figures.
//!
//! Source of the facts: Cont, "Empirical properties of asset returns: stylized facts and statistical
//! issues", Quantitative Finance 1 (2001) 223-236; volume: Gallant, Rossi and Tauchen, "Stock prices
//! and volume", Review of Financial Studies 5 (1992) 199-242.

use crate::bars::Bars;

/// Days that `no_clustering` of closes alone and `gaussian_returns` need.
pub const LONG: usize = 1000;
/// Days that `random_walk`, the range and the volume need.
pub const MEDIUM: usize = 500;
/// Days that the signs of a path need.
pub const SHORT: usize = 200;
/// Lags over which memory is looked for.
pub const LAGS: usize = 60;
/// Independent days give less with 95 % probability (one-sided normal quantile).
pub const MEMORY: f64 = 1.645;
/// Excess kurtosis below so many standard errors counts as Gaussian.
pub const TAILS: f64 = 2.0;
/// A larger correlation of neighbouring returns counts as smooth.
pub const SMOOTH: f64 = 0.35;
/// A larger share of days in straight runs counts.
pub const STRAIGHT: f64 = 0.1;
/// A larger share of bars without wicks counts.
pub const BODIES: f64 = 0.25;

/// One sign.
#[derive(Debug, Clone, PartialEq)]
pub struct Sign {
    /// Its name, as in the table above.
    pub name: &'static str,
    /// What was measured, in a sentence.
    pub reason: String,
}

/// The signs that bars show. Rows that the checks would set aside must have been left out; dates
/// ascend.
#[must_use]
pub fn signs(bars: &Bars) -> Vec<Sign> {
    let mut signs = Vec::new();
    let returns: Vec<f64> = bars
        .close
        .windows(2)
        // A split that was not adjusted for is one day: it must not hide the others.
        .map(|w| (w[1] / w[0]).ln().clamp(-0.35, 0.35))
        .collect();
    let n = returns.len();
    let Some(moments) = Moments::of(&returns) else {
        return signs;
    };
    let tails = moments.excess_kurtosis / (24.0 / n as f64).sqrt();
    let gaussian = tails < TAILS;
    let range = range(bars);
    let (moves, of) = match &range {
        Some(range) => (memory(range), "ranges"),
        None => {
            let sizes: Vec<f64> = returns.iter().map(|r| (r - moments.mean).abs()).collect();
            (memory(&sizes), "absolute returns")
        }
    };
    let forgetful = moves.is_some_and(|m| m < MEMORY);
    let days = bars.len();
    let long = days >= LONG || (range.is_some() && days >= MEDIUM);
    if long && forgetful {
        signs.push(Sign {
            name: "no_clustering",
            reason: format!(
                "large moves do not come in clusters: the {LAGS} autocorrelations of the {of} sum to {:.1} standard errors, recorded markets have more than {MEMORY}",
                moves.unwrap_or_default()
            ),
        });
    }
    if days >= LONG && gaussian {
        signs.push(Sign {
            name: "gaussian_returns",
            reason: format!(
                "the returns have no fat tails: their excess kurtosis is {:.2}, recorded markets have more than {:.2} over {n} days",
                moments.excess_kurtosis,
                TAILS * (24.0 / n as f64).sqrt()
            ),
        });
    }
    if (MEDIUM..LONG).contains(&days) && !long && forgetful && gaussian {
        signs.push(Sign {
            name: "random_walk",
            reason: format!(
                "large moves do not come in clusters and the returns have no fat tails (excess kurtosis {:.2}), as in a random walk",
                moments.excess_kurtosis
            ),
        });
    }
    if days >= SHORT {
        path_signs(bars, &returns, &moments, &mut signs);
    }
    let volume = bars.volume.as_deref().filter(|v| v.len() >= MEDIUM);
    if let Some(memory) = volume.and_then(memory)
        && memory < MEMORY
    {
        signs.push(Sign {
            name: "volume_without_memory",
            reason: format!(
                "busy days do not come in clusters: the {LAGS} autocorrelations of the volume sum to {memory:.1} standard errors, recorded markets have more than {MEMORY}"
            ),
        });
    }
    signs
}

fn path_signs(bars: &Bars, returns: &[f64], moments: &Moments, signs: &mut Vec<Sign>) {
    let products = returns
        .windows(2)
        .map(|w| (w[0] - moments.mean) * (w[1] - moments.mean));
    let next = products.sum::<f64>() / (moments.variance * returns.len() as f64);
    if next > SMOOTH {
        signs.push(Sign {
            name: "smooth_path",
            reason: format!(
                "a return tells the next one: their correlation is {next:.2}, recorded markets stay below {SMOOTH}; the closes look interpolated or averaged"
            ),
        });
    }
    let straight = straight_share(&bars.close);
    if straight > STRAIGHT {
        signs.push(Sign {
            name: "straight_runs",
            reason: format!(
                "{:.0} % of the days lie in straight runs of four or more equal steps; the closes look interpolated",
                100.0 * straight
            ),
        });
    }
    if let (Some(open), Some(high), Some(low)) = (&bars.open, &bars.high, &bars.low) {
        let bodies = (0..bars.len())
            .filter(|&i| {
                let (top, bottom) = (open[i].max(bars.close[i]), open[i].min(bars.close[i]));
                high[i] == top && low[i] == bottom && top > bottom
            })
            .count();
        let share = bodies as f64 / bars.len() as f64;
        if share > BODIES {
            signs.push(Sign {
                name: "bodies_only",
                reason: format!(
                    "on {:.0} % of the days high and low are open and close: a recorded day goes beyond them",
                    100.0 * share
                ),
            });
        }
    }
}

/// Mean, variance (by n) and excess kurtosis.
struct Moments {
    mean: f64,
    variance: f64,
    excess_kurtosis: f64,
}

impl Moments {
    /// `None` for values that do not vary.
    fn of(values: &[f64]) -> Option<Self> {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let power = |p: i32| values.iter().map(|x| (x - mean).powi(p)).sum::<f64>() / n;
        let variance = power(2);
        (variance > 1e-18).then(|| Self {
            mean,
            variance,
            excess_kurtosis: power(4) / (variance * variance) - 3.0,
        })
    }
}

/// The daily range, log(high / low), where there are highs and lows that differ on most days.
fn range(bars: &Bars) -> Option<Vec<f64>> {
    let (high, low) = (bars.high.as_ref()?, bars.low.as_ref()?);
    let range: Vec<f64> = high.iter().zip(low).map(|(h, l)| (h / l).ln()).collect();
    let real = range.iter().filter(|r| **r > 0.0).count();
    (real * 2 > range.len()).then_some(range)
}

/// The sum of the first [`LAGS`] autocorrelations of the ranks in standard errors: about standard
/// normal for independent values (each is -1/n in the mean with variance 1/n). `None` for fewer than
/// eight times as many values as lags, or values that are all equal.
fn memory(values: &[f64]) -> Option<f64> {
    let n = values.len();
    if n < LAGS * 8 {
        return None;
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    // Equal values share the mean of their ranks; ranks are counted from their middle.
    let mut ranks = vec![0.0; n];
    let middle = (n as f64 - 1.0) / 2.0;
    let mut from = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = from as f64 + (tied.len() as f64 - 1.0) / 2.0 - middle;
        for &i in tied {
            ranks[i] = rank;
        }
        from += tied.len();
    }
    let variance: f64 = ranks.iter().map(|r| r * r).sum();
    if variance <= 0.0 {
        return None;
    }
    let sum: f64 = (1..=LAGS)
        .map(|lag| {
            let products = ranks.iter().zip(&ranks[lag..]).map(|(a, b)| a * b);
            products.sum::<f64>() / variance
        })
        .sum();
    Some((sum + LAGS as f64 / n as f64) * (n as f64 / LAGS as f64).sqrt())
}

/// The share of steps that lie in runs of four or more equal ones. Steps are equal when they differ
/// by one tick at most, and count when they are larger than five ticks; a tick is the last decimal
/// place that occurs, to the sixth.
fn straight_share(close: &[f64]) -> f64 {
    let whole = |places: i32| {
        let scale = 10_f64.powi(places);
        close.iter().all(|c| {
            let scaled = c * scale;
            (scaled - scaled.round()).abs() < 1e-6 * scaled.abs().max(1.0)
        })
    };
    let places = (0..6).find(|p| whole(*p)).unwrap_or(6);
    let tick = 10_f64.powi(-places);
    let steps: Vec<f64> = close.windows(2).map(|w| w[1] - w[0]).collect();
    let same = |a: &f64, b: &f64| (a - b).abs() < 1.01 * tick && b.abs() > 5.0 * tick;
    let inside: usize = steps
        .chunk_by(same)
        .map(<[f64]>::len)
        .filter(|run| *run >= 4)
        .sum();
    inside as f64 / steps.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundled;
    use mltrainer_types::data::DatasetKind;
    use rand::{Rng as _, SeedableRng as _};
    use rand_xoshiro::Xoshiro256PlusPlus;

    /// The bundled bars and closes, whole and in pieces of so many days.
    fn real(days: Option<usize>) -> Vec<Bars> {
        let sets = bundled::list()
            .iter()
            .filter(|i| i.kind != DatasetKind::Series)
            .map(|i| bundled::bars(i.id).unwrap().content);
        sets.flat_map(|set| match days {
            None => vec![set],
            Some(days) => (0..set.len() / days)
                .map(|k| set.pick(&(k * days..(k + 1) * days).collect::<Vec<_>>()))
                .collect(),
        })
        .collect()
    }

    /// Closes along these returns, rounded as prices are.
    fn closes(like: &Bars, returns: impl Iterator<Item = f64>) -> Bars {
        let places = if like.close[0] < 5.0 { 1e4 } else { 1e2 };
        let mut level = like.close[0];
        let mut close = vec![level];
        close.extend(returns.map(|r| {
            level *= r.exp();
            (level * places).round() / places
        }));
        Bars {
            dates: like.dates.clone(),
            close,
            ..Bars::default()
        }
    }

    /// Sets with at least one sign and with at least two, of how many.
    fn count(sets: &[Bars]) -> (usize, usize, usize) {
        let signs: Vec<usize> = sets.iter().map(|b| super::signs(b).len()).collect();
        let with = |n: usize| signs.iter().filter(|s| **s >= n).count();
        (with(1), with(2), sets.len())
    }

    /// How many recorded series are wrongly suspected, and how many manufactured ones are found. The
    /// manufactured ones are made here, out of the recorded ones, and nowhere else. Run it with
    /// `--no-capture` for the figures.
    #[test]
    fn recorded_series_pass_and_manufactured_ones_are_found() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        println!("days  kind           suspected  refused  of");
        for days in [None, Some(2000), Some(1000), Some(500), Some(250)] {
            let recorded = real(days);
            let mut made: Vec<(&str, Vec<Bars>)> = vec![
                ("random walk", Vec::new()),
                ("bootstrap", Vec::new()),
                ("weekly lines", Vec::new()),
                ("monthly lines", Vec::new()),
            ];
            for set in &recorded {
                let returns: Vec<f64> = set.close.windows(2).map(|w| (w[1] / w[0]).ln()).collect();
                let moments = Moments::of(&returns).unwrap();
                let n = returns.len();
                // Box and Muller's normal numbers of the same mean and variance.
                let walk: Vec<f64> = (0..n)
                    .map(|_| {
                        let (a, b): (f64, f64) = (1.0 - random.r#gen::<f64>(), random.r#gen());
                        let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
                        moments.mean + moments.variance.sqrt() * normal
                    })
                    .collect();
                made[0].1.push(closes(set, walk.into_iter()));
                let drawn: Vec<f64> = (0..n).map(|_| returns[random.gen_range(0..n)]).collect();
                made[1].1.push(closes(set, drawn.into_iter()));
                for (kind, step) in [(2, 5), (3, 21)] {
                    let last = (set.len() - 1) / step * step;
                    let line = (1..=last).map(|i| {
                        let (a, b) = ((i - 1) / step * step, ((i - 1) / step + 1) * step);
                        let at = |i: usize| {
                            let share = (i - a) as f64 / step as f64;
                            set.close[a] * (1.0 - share) + set.close[b] * share
                        };
                        (at(i) / at(i - 1)).ln()
                    });
                    let mut lines = closes(set, line);
                    lines.dates.truncate(last + 1);
                    made[kind].1.push(lines);
                }
            }
            let all = std::iter::once(("recorded", recorded)).chain(made);
            for (kind, sets) in all {
                let (suspected, refused, of) = count(&sets);
                println!(
                    "{:<5} {kind:<14} {suspected:>9} {refused:>8} {of:>3}",
                    days.map_or("all".to_owned(), |d| d.to_string())
                );
                let share = |n: usize| n as f64 / of as f64;
                // Pieces of 500 and 250 days are too short for most signs: there only the
                // recorded ones and the lines are judged.
                let long = days.is_none_or(|d| d >= 1000);
                match kind {
                    "recorded" => {
                        assert_eq!(refused, 0);
                        assert!(share(suspected) <= 0.03);
                    }
                    "random walk" if long => {
                        assert!(share(suspected) >= 0.9 && share(refused) >= 0.75);
                    }
                    "bootstrap" if long => assert!(share(suspected) >= 0.9),
                    "weekly lines" | "monthly lines" => assert!(share(suspected) >= 0.95),
                    _ => {}
                }
            }
        }
    }

    /// By hand: the ranks of 1, 2, ... n run against themselves.
    #[test]
    fn memory_of_a_ramp_and_of_nothing() {
        let ramp: Vec<f64> = (0..480).map(f64::from).collect();
        // Each autocorrelation of a ramp is near 1 - 3k/n; 60 of them sum to about 60 - 3 * 1830 / 480.
        let expected = (60.0 - 3.0 * 1830.0 / 480.0) * (480.0_f64 / 60.0).sqrt();
        let found = memory(&ramp).unwrap();
        assert!((found / expected - 1.0).abs() < 0.02, "{found} {expected}");
        assert_eq!(memory(&ramp[1..]), None);
        assert_eq!(memory(&[7.0; 500]), None);
    }

    #[test]
    fn straight_runs_are_longer_than_three_steps_and_larger_than_five_ticks() {
        // Three equal steps are no run, four are: 4 of 8 steps.
        let close = [1.0, 2.0, 3.0, 4.0, 4.5, 5.5, 6.5, 7.5, 8.5];
        assert_eq!(straight_share(&close), 0.5);
        // Cents that tick up by one are no line.
        let ticks: Vec<f64> = (0..50).map(|i| 5.0 + f64::from(i) / 100.0).collect();
        assert_eq!(straight_share(&ticks), 0.0);
        assert!(signs(&Bars::default()).is_empty());
    }
}
