//! Market regime (HMM).
//!
//! What: Regimes of calm and turmoil from a hidden Markov model of daily returns with normal
//! emissions, fitted anew to the past every few bars, with the probability of each regime given the
//! past only.
//! Formula: r = 100 ln(close/close before) is normal with mean and variance of a hidden state that
//! follows a Markov chain. Every refit bars, once there are min_bars returns, expectation
//! maximisation (Baum-Welch) on all returns up to the bar, started from the last fit; states in the
//! order of variance. Filtered probabilities f(t) ∝ (f(t - 1) A) · density(r(t)), with the present
//! fit; never smoothed ones. With p = f(t) A: m = Σ p μ, v = Σ p (σ² + (μ - m)²); signal =
//! sqrt(periods_per_year) m/sqrt(v)/full_sharpe kept in [-1, 1].
//! Data: Positive closes.
//! Cost: O(bars²/refit · n_states² · iterations of a fit); a fit that starts from the last one takes
//! few.
//! Fails when: Regimes of the past do not come back; means of states are estimated badly, so the sign
//! is weak. The likelihood has several maxima; a fit may stop at a lesser one.
//! Source: J. D. Hamilton, A New Approach to the Economic Analysis of Nonstationary Time Series and
//! the Business Cycle, Econometrica 57 (1989); L. E. Baum, T. Petrie, G. Soules, N. Weiss, Annals of
//! Mathematical Statistics 41 (1970); T. Rydén, T. Teräsvirta, S. Åsbrink, Journal of Applied
//! Econometrics 13 (1998), for daily returns.
//! Not claimed: That there are such states, or that the next return follows their mean.

use crate::signals::{Column, said};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct MarketRegimeHmm;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<MarketRegimeHmm>();

params! {
    /// Parameters.
    pub struct MarketRegimeHmmParams {
        /// Hidden states.
        n_states: usize = 2, within(2.0, 5.0);
        /// Returns before the first fit.
        min_bars: usize = 100, within(10.0, 100_000.0);
        /// Bars from one fit to the next.
        refit: usize = 20, within(1.0, 100_000.0);
        /// Most iterations of a fit.
        max_iter: usize = 100, within(1.0, 10_000.0);
        /// A fit has converged when the log-likelihood of a return grows by less.
        tol: f64 = 1e-6, above(0.0);
        /// Annual ratio of expected return to volatility at which the signal is full.
        full_sharpe: f64 = 2.0, above(0.0);
        /// Bars a year.
        periods_per_year: f64 = 252.0, above(0.0);
    }
}

const CARD: Card = Card {
    id: "market_regime_hmm",
    family: "rule",
    title: "Market regime (HMM)",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "Regimes of calm and turmoil from a hidden Markov model of daily returns with normal emissions, fitted anew to the past every few bars, with the probability of each regime given the past only.",
    formula: "r = 100 ln(close/close before) is normal with mean and variance of a hidden state that follows a Markov chain. Every refit bars, once there are min_bars returns, expectation maximisation (Baum-Welch) on all returns up to the bar, started from the last fit; states in the order of variance. Filtered probabilities f(t) ∝ (f(t - 1) A) · density(r(t)), with the present fit; never smoothed ones. With p = f(t) A: m = Σ p μ, v = Σ p (σ² + (μ - m)²); signal = sqrt(periods_per_year) m/sqrt(v)/full_sharpe kept in [-1, 1]",
    data: "Positive closes.",
    cost: "O(bars²/refit · n_states² · iterations of a fit); a fit that starts from the last one takes few",
    fails_when: "Regimes of the past do not come back; means of states are estimated badly, so the sign is weak. The likelihood has several maxima; a fit may stop at a lesser one.",
    not_claimed: "That there are such states, or that the next return follows their mean.",
    source: "J. D. Hamilton, A New Approach to the Economic Analysis of Nonstationary Time Series and the Business Cycle, Econometrica 57 (1989); L. E. Baum, T. Petrie, G. Soules, N. Weiss, Annals of Mathematical Statistics 41 (1970); T. Rydén, T. Teräsvirta, S. Åsbrink, Journal of Applied Econometrics 13 (1998), for daily returns",
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
        ("state", "the most probable one, 0 the calmest"),
        (
            "probability_calm",
            "filtered probability of the state of least variance",
        ),
        (
            "probability_turbulent",
            "filtered probability of the state of most variance",
        ),
        ("expected_return", "of the next bar, percent"),
        ("expected_volatility", "of the next bar, percent"),
        (
            "converged",
            "1 when the last fit converged within max_iter, else 0",
        ),
        ("refit", "1 on the bar of a fit, else 0"),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "calculation by hand",
            cases: "one filtering step of two states",
            tolerance: "1e-12",
        },
        Evidence {
            against: "hmmlearn 0.3.3, GaussianHMM",
            cases: "log-likelihood, means, variances and transitions of two states on 119 returns of IBM",
            tolerance: "1e-4 relative",
        },
    ],
    presets: &[],
    exemptions: &[],
};

/// Most states.
const MOST: usize = 5;

/// A number for each state; those beyond the number of states are 0.
type States = [f64; MOST];

/// A hidden Markov model with normal emissions.
#[derive(Debug, Clone, PartialEq)]
struct Hmm {
    states: usize,
    start: States,
    step: [States; MOST],
    mean: States,
    variance: States,
}

/// Variances stay above this share of that of all returns.
const FLOOR: f64 = 1e-3;

impl Hmm {
    /// Where a first fit starts: one mean, variances from half to twice that of the data, states that
    /// last for 20 bars.
    fn first(r: &[f64], states: usize) -> Self {
        const STAY: f64 = 0.95;
        let (mean, all) = (
            crate::signals::mean(r),
            crate::signals::deviation(r).powi(2),
        );
        let others = (states - 1) as f64;
        let of = |f: &dyn Fn(usize) -> f64| -> States {
            std::array::from_fn(|i| if i < states { f(i) } else { 0.0 })
        };
        let row = |i: usize| of(&|j| if i == j { STAY } else { (1.0 - STAY) / others });
        Self {
            states,
            start: of(&|_| 1.0 / states as f64),
            step: std::array::from_fn(|i| if i < states { row(i) } else { [0.0; MOST] }),
            mean: of(&|_| mean),
            variance: of(&|i| all * 0.5 * 4_f64.powf(i as f64 / others)),
        }
    }

    /// Probabilities of the states one bar on.
    fn ahead(&self, now: &States) -> States {
        let mut next = [0.0; MOST];
        for (p, row) in now.iter().zip(&self.step) {
            for (to, step) in next.iter_mut().zip(row) {
                *to += p * step;
            }
        }
        next
    }

    /// Probabilities given one more return, and its log-likelihood.
    fn update(&self, before: &States, x: f64) -> (States, f64) {
        let mut logs = [f64::NEG_INFINITY; MOST];
        let normals = self.mean.iter().zip(&self.variance).take(self.states);
        for (log, (m, v)) in logs.iter_mut().zip(normals) {
            *log = -0.5 * ((std::f64::consts::TAU * v).ln() + (x - m) * (x - m) / v);
        }
        let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut now = [0.0; MOST];
        for j in 0..self.states {
            now[j] = before[j] * (logs[j] - top).exp();
        }
        let sum: f64 = now.iter().sum();
        now.iter_mut().for_each(|p| *p /= sum);
        (now, sum.ln() + top)
    }

    /// Filtered probabilities at every return, and the log-likelihood of all.
    fn filter(&self, r: &[f64]) -> (Vec<States>, f64) {
        let (mut all, mut likelihood) = (Vec::with_capacity(r.len()), 0.0);
        let mut before = self.start;
        for x in r {
            let (now, gain) = self.update(&before, *x);
            likelihood += gain;
            before = self.ahead(&now);
            all.push(now);
        }
        (all, likelihood)
    }

    /// Maximises the likelihood from where it is; whether it converged, or nothing when the numbers left
    /// the finite ones.
    fn fit(&mut self, r: &[f64], max_iter: usize, tol: f64) -> Option<bool> {
        let (n, states) = (r.len(), self.states);
        let floor = FLOOR * crate::signals::deviation(r).powi(2);
        let mut last = f64::NEG_INFINITY;
        for _ in 0..max_iter {
            let (filtered, likelihood) = self.filter(r);
            if !likelihood.is_finite() {
                return None;
            }
            if (likelihood - last) / (n as f64) < tol {
                return Some(true);
            }
            last = likelihood;
            // Smoothed probabilities backwards (Kim, 1994), summed for the new parameters.
            let mut smooth = filtered[n - 1];
            let mut moves = [[0.0; MOST]; MOST];
            let (mut weight, mut sum, mut squares) = ([0.0; MOST], [0.0; MOST], [0.0; MOST]);
            for t in (0..n).rev() {
                if t + 1 < n {
                    let ahead = self.ahead(&filtered[t]);
                    let mut now = [0.0; MOST];
                    for j in 0..states {
                        let share = if ahead[j] > 0.0 {
                            smooth[j] / ahead[j]
                        } else {
                            0.0
                        };
                        for i in 0..states {
                            let joint = filtered[t][i] * self.step[i][j] * share;
                            moves[i][j] += joint;
                            now[i] += joint;
                        }
                    }
                    smooth = now;
                }
                for j in 0..states {
                    weight[j] += smooth[j];
                    sum[j] += smooth[j] * r[t];
                    // Around the old mean, so that large levels do not cancel.
                    squares[j] += smooth[j] * (r[t] - self.mean[j]).powi(2);
                }
            }
            self.start = smooth;
            for j in 0..states {
                // A state that no return is in stays as it is.
                if weight[j] <= 1e-10 {
                    continue;
                }
                let mean = sum[j] / weight[j];
                let shift = mean - self.mean[j];
                self.variance[j] = (squares[j] / weight[j] - shift * shift).max(floor);
                self.mean[j] = mean;
                let out: f64 = moves[j].iter().sum();
                if out > 0.0 {
                    self.step[j] = moves[j].map(|m| m / out);
                }
            }
        }
        Some(false)
    }

    /// The same model with states in the order of variance.
    fn ordered(&self) -> Self {
        let mut order: [usize; MOST] = std::array::from_fn(|i| i);
        order[..self.states].sort_by(|a, b| self.variance[*a].total_cmp(&self.variance[*b]));
        let pick = |v: &States| -> States { order.map(|i| v[i]) };
        Self {
            states: self.states,
            start: pick(&self.start),
            step: order.map(|i| pick(&self.step[i])),
            mean: pick(&self.mean),
            variance: pick(&self.variance),
        }
    }
}

impl Indicator for MarketRegimeHmm {
    type Params = MarketRegimeHmmParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &["known_bar", "state", "converged", "refit"];

    fn compute(p: &MarketRegimeHmmParams, bars: &Bars) -> Result<Columns, FitError> {
        if let Some(t) = bars.close.iter().position(|c| *c <= 0.0) {
            return Err(FitError::Data(format!(
                "close row {}: {} has no logarithm; market_regime_hmm takes positive closes",
                t + 1,
                bars.close[t]
            )));
        }
        let r: Vec<f64> = bars
            .close
            .windows(2)
            .map(|w| 100.0 * (w[1] / w[0]).ln())
            .collect();
        let mut model: Option<(Hmm, bool)> = None;
        let mut now = [0.0; MOST];
        let mut signal: Column = vec![None];
        let mut columns: [Column; 7] = std::array::from_fn(|_| vec![None]);
        for t in 0..r.len() {
            let known = t + 1;
            let due = known >= p.min_bars && (known - p.min_bars).is_multiple_of(p.refit);
            let mut fitted = false;
            // Equal returns have no states.
            if due && crate::signals::deviation(&r[..known]) > 0.0 {
                let mut next = match &model {
                    Some((model, _)) => model.clone(),
                    None => Hmm::first(&r[..known], p.n_states),
                };
                // A fit that leaves the finite numbers leaves the last one in place.
                if let Some(converged) = next.fit(&r[..known], p.max_iter, p.tol) {
                    let next = next.ordered();
                    now = next.filter(&r[..known]).0[known - 1];
                    model = Some((next, converged));
                    fitted = true;
                }
            }
            let Some((hmm, converged)) = &model else {
                signal.push(None);
                columns.iter_mut().for_each(|c| c.push(None));
                continue;
            };
            if !fitted {
                now = hmm.update(&hmm.ahead(&now), r[t]).0;
            }
            let next = hmm.ahead(&now);
            let mean: f64 = next.iter().zip(&hmm.mean).map(|(p, m)| p * m).sum();
            let variance: f64 = (0..hmm.states)
                .map(|j| next[j] * (hmm.variance[j] + (hmm.mean[j] - mean).powi(2)))
                .sum();
            let sharpe = p.periods_per_year.sqrt() * mean / variance.sqrt();
            signal.push(Some((sharpe / p.full_sharpe).clamp(-1.0, 1.0)));
            let mut state = 0;
            for (j, p) in now.iter().enumerate() {
                if *p > now[state] {
                    state = j;
                }
            }
            let values = [
                state as f64,
                now[0],
                now[hmm.states - 1],
                mean,
                variance.sqrt(),
                crate::signals::flag(*converged),
                crate::signals::flag(fitted),
            ];
            for (column, value) in columns.iter_mut().zip(values) {
                column.push(Some(value));
            }
        }
        let [state, calm, turbulent, mean, volatility, converged, refit] = columns;
        let mut columns = said(signal);
        columns.extend([
            ("state", state),
            ("probability_calm", calm),
            ("probability_turbulent", turbulent),
            ("expected_return", mean),
            ("expected_volatility", volatility),
            ("converged", converged),
            ("refit", refit),
        ]);
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::pick;
    use crate::signals::tests::{closes, with};

    fn two() -> Hmm {
        let pair = |a: f64, b: f64| [a, b, 0.0, 0.0, 0.0];
        let none = [0.0; MOST];
        Hmm {
            states: 2,
            start: pair(0.5, 0.5),
            step: [pair(0.9, 0.1), pair(0.2, 0.8), none, none, none],
            mean: none,
            variance: pair(1.0, 4.0),
        }
    }

    #[test]
    fn a_step_of_the_filter_by_hand() {
        // Densities at 2 relative to the larger: e^(-2) and e^(-1/2)/2; from (0.5, 0.5).
        let (now, _) = two().update(&two().start, 2.0);
        let (a, b) = ((-2.0_f64).exp(), (-0.5_f64).exp() / 2.0);
        assert!((now[0] - a / (a + b)).abs() < 1e-12);
        let ahead = two().ahead(&[0.25, 0.75, 0.0, 0.0, 0.0]);
        assert!((ahead[0] - 0.375).abs() < 1e-12 && (ahead[1] - 0.625).abs() < 1e-12);
    }

    #[test]
    fn a_fit_never_lowers_the_likelihood_and_orders_states() {
        let bars = include_str!("../../tests/data/ibm.csv");
        let close: Vec<f64> = bars
            .lines()
            .skip(1)
            .map(|l| l.split(',').nth(4).unwrap().parse().unwrap())
            .collect();
        let r: Vec<f64> = close
            .windows(2)
            .map(|w| 100.0 * (w[1] / w[0]).ln())
            .collect();
        let mut model = Hmm::first(&r, 2);
        let mut last = f64::NEG_INFINITY;
        for _ in 0..30 {
            model.fit(&r, 1, 1e-300).unwrap();
            let now = model.filter(&r).1;
            assert!(now >= last - 1e-9, "{now} < {last}");
            last = now;
        }
        assert_eq!(model.fit(&r, 10_000, 1e-12), Some(true));
        let model = model.ordered();
        assert!(model.variance[0] < model.variance[1]);
        // hmmlearn 0.3.3: GaussianHMM from the same start, tol 1e-11, without priors.
        crate::testing::assert_near(
            &[
                model.filter(&r).1,
                model.mean[0],
                model.mean[1],
                model.variance[0],
                model.variance[1],
            ],
            &[
                -218.504_716_30,
                0.161_582_19,
                0.066_981_93,
                0.547_211,
                3.562_814_21,
            ],
            1e-4,
        );
        crate::testing::assert_near(&model.step[0][..2], &[0.967_635_80, 0.032_364_20], 1e-4);
        crate::testing::assert_near(&model.step[1][..2], &[0.0, 1.0], 1e-4);
    }

    #[test]
    fn equal_closes_say_nothing() {
        let columns =
            MarketRegimeHmm::compute(&with(r#"{"min_bars": 10}"#), &closes(&[5.0; 40])).unwrap();
        assert!(pick(&columns, "signal").iter().all(Option::is_none));
    }
}
