//! Mean reversion.
//!
//! What: Bets on the return of the close to its mean when it is far away in standard deviations and
//! the series has lately returned fast enough.
//! Formula: x = ln close; z = (x - mean)/σ over the last period bars, divisor period. Half-life from
//! least squares of x(t) - x(t - 1) on x(t - 1) over the last fit_bars bars: -ln 2/ln(1 + b), none
//! unless -1 < b < 0. Buy when z <= -entry_z, sell when z >= entry_z, both only when the half-life is
//! at most max_half_life; out when |z| <= exit_z or z has crossed 0, at the stop |z| >= stop_z, or
//! after max_bars bars; after a stop no entry before |z| <= exit_z. signal = ±1 while in.
//! Data: Positive closes.
//! Cost: O(bars · (period + fit_bars)).
//! Fails when: There is news: the mean moves to the price. A half-life is found in any short stretch
//! of a random walk (the slope is biased below 0).
//! Source: W. F. M. De Bondt, R. Thaler, Does the Stock Market Overreact?, Journal of Finance 40
//! (1985); E. P. Chan, Algorithmic Trading (2013), chapter 2, for half-life and z-score.
//! Not claimed: That prices of shares revert. The reversal of the source is over three to five years,
//! across shares.

use crate::signals::{Column, deviation, mean, rolling, said};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct MeanReversion;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<MeanReversion>();

params! {
    /// Parameters.
    pub struct MeanReversionParams {
        /// Closes whose mean and deviation count.
        period: usize = 20, within(2.0, 10_000.0);
        /// Distance at which a position is taken.
        entry_z: f64 = 1.5, above(0.0);
        /// Distance at which it ends.
        exit_z: f64 = 0.25, at_least(0.0);
        /// Distance at which it is given up.
        stop_z: f64 = 3.5, above(0.0);
        /// Bars of the fit of the half-life.
        fit_bars: usize = 60, within(4.0, 10_000.0);
        /// Longest half-life at which a position is taken.
        max_half_life: f64 = 20.0, above(0.0);
        /// Most bars of a position.
        max_bars: usize = 40, within(1.0, 10_000.0);
    }
}

const CARD: Card = Card {
    id: "mean_reversion",
    family: "rule",
    title: "Mean reversion",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "Bets on the return of the close to its mean when it is far away in standard deviations and the series has lately returned fast enough.",
    formula: "x = ln close; z = (x - mean)/σ over the last period bars, divisor period. Half-life from least squares of x(t) - x(t - 1) on x(t - 1) over the last fit_bars bars: -ln 2/ln(1 + b), none unless -1 < b < 0. Buy when z <= -entry_z, sell when z >= entry_z, both only when the half-life is at most max_half_life; out when |z| <= exit_z or z has crossed 0, at the stop |z| >= stop_z, or after max_bars bars; after a stop no entry before |z| <= exit_z. signal = ±1 while in",
    data: "Positive closes.",
    cost: "O(bars · (period + fit_bars))",
    fails_when: "There is news: the mean moves to the price. A half-life is found in any short stretch of a random walk (the slope is biased below 0).",
    not_claimed: "That prices of shares revert. The reversal of the source is over three to five years, across shares.",
    source: "W. F. M. De Bondt, R. Thaler, Does the Stock Market Overreact?, Journal of Finance 40 (1985); E. P. Chan, Algorithmic Trading (2013), chapter 2, for half-life and z-score",
    reference: "own rule, stated here",
    outputs: &[
        (
            "signal",
            "-1 to 1, one a bar: above 0 for a rise, below 0 for a fall; null while warming up",
        ),
        (
            "known_bar",
            "bar since which the signal has had its sign, counted from 0; null where it is 0",
        ),
        (
            "z",
            "distance from the mean in standard deviations; null without a deviation",
        ),
        (
            "mean",
            "e to the mean of the logarithms, price units: the target",
        ),
        ("upper", "price at entry_z deviations above"),
        ("lower", "price at entry_z deviations below"),
        (
            "stop",
            "price at stop_z deviations on the wrong side, while in",
        ),
        ("half_life", "bars; null when the fit does not revert"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "calculation by hand",
        cases: "z-score, half-life, entry, exit and stop",
        tolerance: "1e-12",
    }],
    presets: &[],
    exemptions: &[],
};

/// Bars in which half of a distance from the mean goes away, of an autoregression of order one.
pub(crate) fn half_life(x: &[f64]) -> Option<f64> {
    let n = x.len().checked_sub(1).filter(|n| *n >= 2)?;
    let (old, change) = (&x[..n], x.windows(2).map(|w| w[1] - w[0]));
    let m = mean(old);
    let (mut xx, mut xy) = (0.0, 0.0);
    for (x, d) in old.iter().zip(change) {
        xx += (x - m) * (x - m);
        xy += (x - m) * d;
    }
    let b = xy / xx;
    (b > -1.0 && b < 0.0).then(|| -std::f64::consts::LN_2 / b.ln_1p())
}

impl Indicator for MeanReversion {
    type Params = MeanReversionParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &["known_bar"];

    fn compute(p: &MeanReversionParams, bars: &Bars) -> Result<Columns, FitError> {
        if let Some(t) = bars.close.iter().position(|c| *c <= 0.0) {
            return Err(FitError::Data(format!(
                "close row {}: {} has no logarithm; mean_reversion takes positive closes",
                t + 1,
                bars.close[t]
            )));
        }
        let x: Vec<f64> = bars.close.iter().map(|c| c.ln()).collect();
        let middle = rolling(&x, p.period, mean);
        let spread = rolling(&x, p.period, deviation);
        let n = bars.len();
        // Equal closes leave a deviation of rounding only.
        let z: Column = (0..n)
            .map(|t| {
                let s = spread[t].filter(|s| *s > 1e-12)?;
                Some((x[t] - middle[t]?) / s)
            })
            .collect();
        let life: Column = (0..n)
            .map(|t| half_life(&x[(t + 1).checked_sub(p.fit_bars)?..=t]))
            .collect();
        let (mut position, mut from, mut barred) = (0.0, 0, false);
        let (mut signal, mut stop) = (Column::new(), Column::new());
        let level = |t: usize, times: f64| Some((middle[t]? + times * spread[t]?).exp());
        for t in 0..n {
            if t + 1 < p.period.max(p.fit_bars) {
                signal.push(None);
                stop.push(None);
                continue;
            }
            let z = z[t].unwrap_or_default();
            if z.abs() <= p.exit_z {
                barred = false;
            }
            if position != 0.0 {
                let stopped = -position * z >= p.stop_z;
                let home = z.abs() <= p.exit_z || position * z > 0.0;
                if stopped || home || t - from >= p.max_bars {
                    position = 0.0;
                    barred = !home;
                }
            } else if z.abs() >= p.entry_z
                && z.abs() < p.stop_z
                && !barred
                && life[t].is_some_and(|l| l <= p.max_half_life)
            {
                position = if z < 0.0 { 1.0 } else { -1.0 };
                from = t;
            }
            signal.push(Some(position));
            stop.push(if position == 0.0 {
                None
            } else {
                level(t, -position * p.stop_z)
            });
        }
        let band = |times: f64| -> Column { (0..n).map(|t| level(t, times)).collect() };
        let mut columns = said(signal);
        columns.extend([
            ("z", z),
            ("mean", band(0.0)),
            ("upper", band(p.entry_z)),
            ("lower", band(-p.entry_z)),
            ("stop", stop),
            ("half_life", life),
        ]);
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::pick;
    use crate::signals::tests::{closes, with};

    #[test]
    fn a_half_life_by_hand() {
        // 8 4 2 1 halves: each change is -1/2 of the value before.
        let life = half_life(&[8.0, 4.0, 2.0, 1.0]).unwrap();
        assert!((life - 1.0).abs() < 1e-12);
        assert_eq!(half_life(&[1.0, 2.0, 4.0, 8.0]), None);
    }

    #[test]
    fn by_hand() {
        // Logarithms 0 1 0 1 0 1 0 -1: of the last four (0, 1, 0, -1) the mean is 0, the deviation sqrt(1/2),
        // z = -sqrt(2). The changes fit b < 0 with |1 + b| small: fast. Then 0: mean 0: out.
        let x: [f64; 9] = [0.2, 1.0, 0.2, 1.0, 0.2, 1.0, 0.0, -1.0, 0.0];
        let bars = closes(&x.map(f64::exp));
        let set = r#"{"period": 4, "fit_bars": 4, "entry_z": 1.4}"#;
        let columns = MeanReversion::compute(&with(set), &bars).unwrap();
        let column = |name: &str| pick(&columns, name);
        // Bar 7: mean (0.2 + 1 + 0 - 1)/4 = 0.05, squares 0.0225 + 0.9025 + 0.0025 + 1.1025 = 2.03.
        let z = -1.05 / (2.03_f64 / 4.0).sqrt();
        assert!((column("z")[7].unwrap() - z).abs() < 1e-12);
        assert!((column("mean")[7].unwrap() - 0.05_f64.exp()).abs() < 1e-12);
        // Fit over 0.2 1 0 -1: old values 0.2 1 0 of mean 0.4, changes 0.8 -1 -1:
        // b = (-0.2 · 0.8 - 0.6 + 0.4)/(0.04 + 0.36 + 0.16) = -0.36/0.56.
        let life = -std::f64::consts::LN_2 / (1.0 - 0.36 / 0.56_f64).ln();
        assert!((column("half_life")[7].unwrap() - life).abs() < 1e-12);
        assert_eq!(column("signal")[7..], [Some(1.0), Some(0.0)]);
        let stop = (0.05 - 3.5 * (2.03_f64 / 4.0).sqrt()).exp();
        assert!((column("stop")[7].unwrap() - stop).abs() < 1e-12);
        let slow = r#"{"period": 4, "fit_bars": 4, "entry_z": 1.4, "max_half_life": 0.5}"#;
        let columns = MeanReversion::compute(&with(slow), &bars).unwrap();
        assert_eq!(pick(&columns, "signal")[7], Some(0.0));
    }
}
