//! What a walk-forward optimisation comes to.
//!
//! What: The stitched curve with its efficiency, the stability of the parameters, the deflated Sharpe
//! ratio by everything that was tried, and the probability of overfitting among what was tried.
//! Formula: efficiency = annual return of the curve / mean annual return of the chosen points in
//! training, a window without one counted as 0; none when that mean is not above 0. Stability of a
//! number: 1 - mean |x(k) - x(k - 1)|/(high - low), by logarithms where these were searched; of a
//! choice: share of windows that keep it. The others as in [`crate::honesty`], the variance of what was
//! tried from the candidates over the stitched bars and from what was tried before.
//! Data: Windows that are done, and returns of the candidates over the bars of all tests.
//! Cost: O(bars · candidates + 12,870 · 16 · candidates).
//! Fails when: More was tried than is counted.
//! Source: R. Pardo, The Evaluation and Optimization of Trading Strategies (2008), chapter 12; and
//! those of [`crate::honesty`].
//! Not claimed: That stable parameters are right ones.

use super::span::curve;
use super::window::{Window, bits};
use crate::honesty::{self, Overfitting, Verdict, probability_of_overfitting};
use crate::performance::{deviation, of_equity, sharpe_per_period};
use mltrainer_catalogue::search::{Dimension, Space};
use mltrainer_types::finite;
use mltrainer_types::trial::Metrics;
use std::collections::BTreeSet;

/// Most points whose returns are compared for the probability of overfitting.
pub const MOST_CANDIDATES: usize = 100;

/// What was tried before on the same symbols.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tried {
    /// How many strategies and models.
    pub number: usize,
    /// Sharpe ratios a bar of them, where known.
    pub ratios: Vec<f64>,
}

/// What it comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Figures of the stitched curve.
    pub metrics: Metrics,
    /// Annual return of the curve over the mean one in training.
    pub efficiency: Option<f64>,
    /// Different points of all windows.
    pub tried_here: usize,
    /// These and what was tried before.
    pub tried: usize,
    /// What is left beside the market, deflated; none when nothing varies.
    pub verdict: Option<Verdict>,
    /// Overfitting among the candidates; none for fewer than two of them or 4 bars.
    pub overfitting: Option<Overfitting>,
}

/// Returns of all tests, one after the other.
#[must_use]
pub fn stitched(windows: &[Window]) -> Vec<f64> {
    let each = windows.iter().flat_map(|w| &w.returns);
    each.copied().collect()
}

/// Different points of all windows, in the order in which they were first tried.
fn points(windows: &[Window]) -> Vec<Vec<f64>> {
    let mut seen = BTreeSet::new();
    let all = windows.iter().flat_map(|w| &w.told);
    all.filter(|t| seen.insert(bits(&t.point)))
        .map(|t| t.point.clone())
        .collect()
}

/// Points that stand for what was tried: the chosen ones, and others evenly among the rest, at most
/// `most`, in the order in which they were first tried.
#[must_use]
pub fn candidates(windows: &[Window], most: usize) -> Vec<Vec<f64>> {
    let all = points(windows);
    if all.len() <= most {
        return all;
    }
    let chosen: BTreeSet<Vec<u64>> = windows
        .iter()
        .filter_map(|w| w.chosen.as_deref().map(bits))
        .collect();
    let (mut kept, rest): (Vec<usize>, Vec<usize>) =
        (0..all.len()).partition(|i| chosen.contains(&bits(&all[*i])));
    kept.truncate(most);
    let room = most - kept.len();
    // Fewer are taken than there are: no place comes twice.
    kept.extend((0..room).map(|i| rest[i * rest.len() / room]));
    kept.sort_unstable();
    kept.into_iter().map(|i| all[i].clone()).collect()
}

/// How little each parameter moves from window to window, at most 1; none with fewer than two
/// windows that follow one another and have parameters.
#[must_use]
pub fn stability(space: &Space, windows: &[Window]) -> Vec<Option<f64>> {
    let pairs: Vec<(&Vec<f64>, &Vec<f64>)> = windows
        .windows(2)
        .filter_map(|w| w[0].chosen.as_ref().zip(w[1].chosen.as_ref()))
        .collect();
    let each = space.dimensions().iter().enumerate();
    each.map(|(k, dimension)| {
        let moves = pairs.iter().map(|(a, b)| moved(dimension, a[k], b[k]));
        finite(1.0 - moves.sum::<f64>() / pairs.len() as f64)
    })
    .collect()
}

/// A change as a share of the range.
fn moved(dimension: &Dimension, a: f64, b: f64) -> f64 {
    let share = |low: f64, high: f64, log: bool| {
        if a == b {
            0.0
        } else if log {
            (a.ln() - b.ln()).abs() / (high / low).ln()
        } else {
            (a - b).abs() / (high - low)
        }
    };
    match *dimension {
        Dimension::Real { low, high, log } => share(low, high, log),
        Dimension::Integer { low, high, log } => share(low as f64, high as f64, log),
        Dimension::Categorical { .. } => f64::from(u8::from(a != b)),
    }
}

/// Judges windows that are done. `market`: returns of the benchmark on the bars of the tests;
/// `columns`: returns of the candidates on these bars.
#[must_use]
pub fn judge(
    windows: &[Window],
    market: &[f64],
    columns: &[Vec<f64>],
    before: &Tried,
    periods_per_year: f64,
) -> Judgement {
    let returns = stitched(windows);
    let metrics = of_equity(&curve(&returns, 1.0), periods_per_year);
    let outside = metrics.get("annual_return").copied().flatten();
    let inside: f64 = windows.iter().filter_map(|w| w.in_sample_return).sum();
    let inside = inside / windows.len() as f64;
    let efficiency = outside.filter(|_| inside > 0.0).map(|o| o / inside);
    let tried_here = points(windows).len();
    let tried = tried_here.saturating_add(before.number);
    let ratios: Vec<f64> = columns
        .iter()
        .map(|c| sharpe_per_period(c))
        .chain(before.ratios.iter().copied())
        .filter(|r| r.is_finite())
        .collect();
    let variance = finite(deviation(&ratios).powi(2));
    let blocks = (returns.len() / 2).min(16) / 2 * 2;
    Judgement {
        efficiency: efficiency.and_then(finite),
        verdict: honesty::verdict(&returns, market, tried.max(1), variance),
        overfitting: probability_of_overfitting(columns, blocks),
        metrics,
        tried_here,
        tried,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_catalogue::search::Told;

    fn window(points: &[&[f64]], chosen: Option<&[f64]>, inside: f64, returns: &[f64]) -> Window {
        let told = points.iter().enumerate().map(|(number, p)| Told {
            number,
            point: p.to_vec(),
            value: Some(0.0),
        });
        Window {
            train: 0..20,
            test: 20..20 + returns.len(),
            told: told.collect(),
            chosen: chosen.map(<[f64]>::to_vec),
            in_sample: None,
            out_of_sample: None,
            in_sample_return: chosen.map(|_| inside),
            out_of_sample_return: None,
            returns: returns.to_vec(),
            trades: 0,
        }
    }

    #[test]
    fn stability_by_hand() {
        // A number of 0 to 10 goes 2, 4, 9: moves 0.2 and 0.5, mean 0.35. A logarithm of 1 to 100 goes
        // 1, 10, 10: moves 1/2 and 0. A choice goes 0, 1, 1: one of two kept.
        let space = Space::new(vec![
            Dimension::Integer {
                low: 0,
                high: 10,
                log: false,
            },
            Dimension::Real {
                low: 1.0,
                high: 100.0,
                log: true,
            },
            Dimension::Categorical { choices: 3 },
        ])
        .unwrap();
        let at = |p: &[f64]| window(&[p], Some(p), 0.1, &[]);
        let all = [
            at(&[2.0, 1.0, 0.0]),
            at(&[4.0, 10.0, 1.0]),
            at(&[9.0, 10.0, 1.0]),
        ];
        for (found, wanted) in stability(&space, &all).iter().zip([0.65, 0.75, 0.5]) {
            assert!((found.unwrap() - wanted).abs() < 1e-12, "{found:?}");
        }
        assert_eq!(stability(&space, &all[..1]), [None; 3]);
    }

    #[test]
    fn efficiency_and_counts_by_hand() {
        // Two windows of two bars, two bars a year: 1.1 · 1.0 · 1.0 · 1.1 = 1.21 over two years, 10 % a
        // year; in training 30 % and 10 %, 20 % on average: a half.
        let all = [
            window(&[&[1.0], &[2.0], &[1.0]], Some(&[1.0]), 0.3, &[0.1, 0.0]),
            window(&[&[2.0], &[3.0]], Some(&[3.0]), 0.1, &[0.0, 0.1]),
        ];
        let before = Tried {
            number: 4,
            ratios: Vec::new(),
        };
        let found = judge(&all, &[0.0, 0.01, 0.0, -0.01], &[], &before, 2.0);
        assert!((found.efficiency.unwrap() - 0.5).abs() < 1e-12);
        // 1, 2 and 3 are the different points; four things were tried before.
        assert_eq!((found.tried_here, found.tried), (3, 7));
        assert!(found.overfitting.is_none());
        // A window that chose nothing counts as 0 % in training: (30 % + 0)/2 = 15 %.
        let idle = [all[0].clone(), window(&[&[2.0]], None, 0.0, &[0.0, 0.0])];
        let found = judge(&idle, &[0.0, 0.01, 0.0, -0.01], &[], &before, 2.0);
        let annual = 1.1f64.sqrt() - 1.0;
        assert!((found.efficiency.unwrap() - annual / 0.15).abs() < 1e-12);
    }

    #[test]
    fn candidates_hold_the_chosen_ones() {
        let points: Vec<Vec<f64>> = (0..10).map(|i| vec![f64::from(i)]).collect();
        let refs: Vec<&[f64]> = points.iter().map(Vec::as_slice).collect();
        let all = [window(&refs, Some(&[7.0]), 0.1, &[])];
        assert_eq!(candidates(&all, 10).len(), 10);
        // 7 and four of the other nine: places 0, 2, 4, 6 of 0 1 2 3 4 5 6 8 9.
        let found: Vec<f64> = candidates(&all, 5).iter().map(|p| p[0]).collect();
        assert_eq!(found, [0.0, 2.0, 4.0, 6.0, 7.0]);
    }
}
