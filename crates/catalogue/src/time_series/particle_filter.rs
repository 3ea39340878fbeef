//! Particle filter.
//!
//! What: the level behind a noisy series by many weighted guesses that move, are weighed and drawn again.
//! Formula: bootstrap filter: weights by the density of the observation, resampling when few guesses carry them.
//! Data: one series; missing values are allowed.
//! Cost: O(n N) for N particles, O(n N M) more for M smoothed trajectories.
//! Fails when: observations are far from every guess: a few particles then carry everything.
//! Source: Gordon, Salmond, Smith, IEE Proceedings F 140 (1993).
//! Not claimed: more than an approximation whose error falls with √N.

use super::dates;
use super::state::{self, Given, Observation, State, StateModel, System};
use crate::distributions::LN_2PI;
use crate::numeric::normal;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::{self, numbers};
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, choices, params,
};
use mltrainer_types::catalogue::Task;
use mltrainer_types::finite;
use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::Value;

/// The handle.
pub struct ParticleFilter;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<ParticleFilter>();

choices! {
    /// How particles are drawn again.
    pub enum Resampling {
        /// One uniform number, then equal steps.
        Systematic = "systematic",
        /// One uniform number in each of N equal parts.
        Stratified = "stratified",
        /// Whole shares first, the rest by uniform numbers.
        Residual = "residual",
        /// N independent uniform numbers.
        Multinomial = "multinomial",
    }
}

params! {
    /// Parameters of the particle filter.
    pub struct ParticleFilterParams {
        /// How the state moves: local_level (random walk), local_linear_trend, or ar1 (returns to mean).
        model: StateModel = StateModel::LocalLevel;
        /// What is observed: the level itself, or e to its power (exp).
        observation: Observation = Observation::Identity;
        /// Variance of the noise in an observation.
        observation_variance: f64 = 1.0, above(0.0);
        /// Variance of a step of the level.
        level_variance: f64 = 1.0, at_least(0.0);
        /// Variance of a step of the trend (local_linear_trend).
        trend_variance: f64 = 0.1, at_least(0.0);
        /// Share of the distance from the mean that is left a row later (ar1).
        phi: f64 = 0.9, within(-1.0, 1.0);
        /// Mean of the level (ar1).
        mean: f64 = 0.0;
        /// Level before the first observation.
        initial_level: f64 = 0.0;
        /// Trend before the first observation (local_linear_trend).
        initial_trend: f64 = 0.0;
        /// Variance of level and trend before the first observation.
        initial_variance: f64 = 1e4, at_least(0.0);
        /// Particles.
        n_particles: usize = 1000, within(2.0, 1_000_000.0);
        /// How particles are drawn again.
        resampling: Resampling = Resampling::Systematic;
        /// Particles are drawn again when the effective number falls below this share of them; 1: after every row.
        resample_threshold: f64 = 0.5, within(0.0, 1.0);
        /// Trajectories drawn backwards for the smoothed level; 0: none.
        n_trajectories: usize = 0, within(0.0, 100_000.0);
        /// Seed of the draws; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "particle_filter",
    family: "time_series",
    title: "Particle filter",
    tasks: &[Task::Forecasting, Task::Signal],
    inputs: Inputs::Series,
    summary: "The level behind a noisy series by many weighted guesses. It needs no straight function and no normal states; here it serves the same models as the unscented filter.",
    formula: "x_i ~ p(x_t | x_i before), w_i ← w_i p(y_t | x_i), log likelihood = Σ ln Σ w_i, effective number 1/Σ w², resampling (systematic, stratified, residual, multinomial) when it is below a share of N; the first observation weighs N(initial, initial_variance); smoothed level: backward simulation",
    data: "One series; a missing value moves the particles and weighs nothing.",
    cost: "O(n N) for N particles; with M smoothed trajectories O(n N M) more",
    fails_when: "Observations are far from every guess (a start with too small or too large a variance): a few particles carry everything, which the effective number shows.",
    not_claimed: "More than an approximation: its error falls with √N. Where the observation is the level, the Kalman filter is exact.",
    source: "N. J. Gordon, D. J. Salmond, A. F. M. Smith, IEE Proceedings F 140 (1993); S. J. Godsill, A. Doucet, M. West, J. American Statistical Association 99 (2004); R. Douc, O. Cappé, E. Moulines, ISPA (2005)",
    reference: "the exact Kalman filter where the observation is the level (statsmodels 0.15.0)",
    outputs: &[
        (
            "filtered_level",
            "weighted mean, known after the row, one a row",
        ),
        (
            "filtered_trend",
            "weighted mean, one a row, null in a model without a trend",
        ),
        (
            "filtered_variance",
            "weighted variance of the level, one a row",
        ),
        ("filtered_lower", "5% quantile of the level, one a row"),
        ("filtered_upper", "95% quantile of the level, one a row"),
        (
            "smoothed_level",
            "mean over the trajectories, one a row, null without",
        ),
        ("effective_sample_size", "1/Σ w² after the row, one a row"),
        (
            "n_resamplings",
            "rows after which particles were drawn again",
        ),
        ("log_likelihood", "estimate for all observations"),
        ("forecast", "of the observation"),
        (
            "gaps",
            "where dates leave rows out: after, before, days; null without dates",
        ),
        ("warnings", "what to know of these estimates, in words"),
    ],
    stochastic: true,
    evidence: &[Evidence {
        against: "the exact Kalman filter (statsmodels 0.15.0)",
        cases: "Nile with a local level; closes with every resampling and model, smoothed level too",
        tolerance: "root mean square a tenth of the filtered standard deviation with 2,000 particles",
    }],
    presets: &[],
    exemptions: &[],
};

/// An effective number of particles below this estimates nothing.
const FEWEST: f64 = 10.0;

/// Places of the particles that are kept, one for each new particle.
fn resample(w: &[f64], how: Resampling, random: &mut Xoshiro256PlusPlus) -> Vec<usize> {
    let n = w.len();
    let mut kept = Vec::with_capacity(n);
    let mut shares = w.to_vec();
    if how == Resampling::Residual {
        for (i, share) in shares.iter_mut().enumerate() {
            let whole = (*share * n as f64).floor();
            *share = *share * n as f64 - whole;
            kept.extend((0..whole as usize).map(|_| i));
        }
        kept.truncate(n);
    }
    let left = n - kept.len();
    let total: f64 = shares.iter().sum();
    let mut marks: Vec<f64> = match how {
        Resampling::Systematic => {
            let u: f64 = random.r#gen();
            (0..left).map(|k| (k as f64 + u) / left as f64).collect()
        }
        Resampling::Stratified => (0..left)
            .map(|k| (k as f64 + random.r#gen::<f64>()) / left as f64)
            .collect(),
        Resampling::Residual | Resampling::Multinomial => {
            (0..left).map(|_| random.r#gen::<f64>()).collect()
        }
    };
    marks.sort_by(f64::total_cmp);
    let (mut at, mut sum) = (0, shares[0]);
    for mark in marks {
        while sum < mark * total && at + 1 < n {
            at += 1;
            sum += shares[at];
        }
        kept.push(at);
    }
    kept
}

/// Quantile of weighted values.
fn quantile(sorted: &[(f64, f64)], share: f64) -> f64 {
    let mut sum = 0.0;
    for (value, weight) in sorted {
        sum += weight;
        if sum >= share {
            return *value;
        }
    }
    sorted.last().map_or(f64::NAN, |last| last.0)
}

/// Draws one place by weights that add up to `total`.
fn draw(weights: &[f64], total: f64, random: &mut Xoshiro256PlusPlus) -> usize {
    let mark = random.r#gen::<f64>() * total;
    let mut sum = 0.0;
    for (i, w) in weights.iter().enumerate() {
        sum += w;
        if sum > mark {
            return i;
        }
    }
    weights.len() - 1
}

impl System {
    fn drawn(&self, x: State, random: &mut Xoshiro256PlusPlus) -> State {
        let mut next = self.moved(x);
        next[0] += self.noise[0].sqrt() * normal(random);
        if self.states == 2 {
            next[1] += self.noise[1].sqrt() * normal(random);
        }
        next
    }

    /// Logarithm of the density of a step, up to a constant; without noise, of a step that is the nearest.
    fn ln_step(&self, from: State, to: State) -> f64 {
        let mean = self.moved(from);
        let part = |k: usize| {
            let d = to[k] - mean[k];
            if self.noise[k] > 0.0 {
                -0.5 * d * d / self.noise[k]
            } else {
                -1e12 * d * d
            }
        };
        part(0) + if self.states == 2 { part(1) } else { 0.0 }
    }
}

impl Analysis for ParticleFilter {
    type Params = ParticleFilterParams;
    const CARD: &'static Card = &CARD;
    const MISSING: bool = true;

    fn analyse(
        params: &ParticleFilterParams,
        data: &SeriesTable,
        ask: Ask,
    ) -> Result<Outputs, FitError> {
        let y = data.series(0);
        let system = System::new(Given {
            model: params.model,
            observation_variance: params.observation_variance,
            level_variance: params.level_variance,
            trend_variance: params.trend_variance,
            phi: params.phi,
            mean: params.mean,
            initial_level: params.initial_level,
            initial_trend: params.initial_trend,
            initial_variance: params.initial_variance,
        });
        let n = params.n_particles;
        let keep = params.n_trajectories > 0;
        if keep && n.saturating_mul(y.len()) > 20_000_000 {
            return Err(FitError::Data(format!(
                "{n} particles over {} rows are too many to keep for smoothing: take fewer particles, or n_trajectories 0",
                y.len()
            )));
        }
        let mut random =
            Xoshiro256PlusPlus::seed_from_u64(run::effective_seed(params.seed, ask.seed));
        let h = params.observation;
        let deviation = params.initial_variance.sqrt();
        let mut particles: Vec<State> = (0..n)
            .map(|_| {
                let mut x = system.start;
                x[0] += deviation * normal(&mut random);
                if system.states == 2 {
                    x[1] += deviation * normal(&mut random);
                }
                x
            })
            .collect();
        let mut w = vec![1.0 / n as f64; n];
        let mut kept: Vec<(Vec<State>, Vec<f64>)> = Vec::new();
        let (mut levels, mut trends, mut variances) = (Vec::new(), Vec::new(), Vec::new());
        let (mut lower, mut upper, mut effective) = (Vec::new(), Vec::new(), Vec::new());
        let (mut log_likelihood, mut resamplings) = (0.0, 0);
        let constant = -0.5 * (LN_2PI + system.observation_variance.ln());
        for (t, value) in y.iter().enumerate() {
            if t > 0 {
                particles
                    .iter_mut()
                    .for_each(|x| *x = system.drawn(*x, &mut random));
            }
            if !value.is_nan() {
                let logs: Vec<f64> = particles
                    .iter()
                    .map(|x| {
                        let d = value - h.of(x[0]);
                        -0.5 * d * d / system.observation_variance
                    })
                    .collect();
                let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                w.iter_mut()
                    .zip(&logs)
                    .for_each(|(w, l)| *w *= (l - top).exp());
                let total: f64 = w.iter().sum();
                if !(total > 0.0 && top.is_finite()) {
                    return Err(FitError::Failed(format!(
                        "row {}: no particle is anywhere near the observation: give an initial level and variances that fit the units of the series, or more particles",
                        t + 1
                    )));
                }
                log_likelihood += constant + top + total.ln();
                w.iter_mut().for_each(|w| *w /= total);
            }
            let mean = |k: usize| particles.iter().zip(&w).map(|(x, w)| w * x[k]).sum::<f64>();
            let level = mean(0);
            levels.push(level);
            trends.push(if system.states == 2 {
                mean(1)
            } else {
                f64::NAN
            });
            let spread = particles.iter().zip(&w);
            variances.push(
                spread
                    .map(|(x, w)| w * (x[0] - level) * (x[0] - level))
                    .sum(),
            );
            let mut sorted: Vec<(f64, f64)> =
                particles.iter().zip(&w).map(|(x, w)| (x[0], *w)).collect();
            sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
            lower.push(quantile(&sorted, 0.05));
            upper.push(quantile(&sorted, 0.95));
            let size = 1.0 / w.iter().map(|w| w * w).sum::<f64>();
            effective.push(size);
            if keep {
                kept.push((particles.clone(), w.clone()));
            }
            if size < params.resample_threshold * n as f64 * (1.0 + 1e-12) && !value.is_nan() {
                let places = resample(&w, params.resampling, &mut random);
                particles = places.iter().map(|i| particles[*i]).collect();
                w.fill(1.0 / n as f64);
                resamplings += 1;
            }
        }
        let last = [levels[y.len() - 1], 0.0];
        state::finite_states(log_likelihood, last)?;
        let mut smoothed = vec![if keep { 0.0 } else { f64::NAN }; y.len()];
        let mut weights = vec![0.0; n];
        for _ in 0..params.n_trajectories {
            let mut next: Option<State> = None;
            for (t, (x, w)) in kept.iter().enumerate().rev() {
                let at = match next {
                    None => draw(w, w.iter().sum(), &mut random),
                    Some(to) => {
                        let mut top = f64::NEG_INFINITY;
                        for ((weight, x), w) in weights.iter_mut().zip(x).zip(w) {
                            *weight = w.ln() + system.ln_step(*x, to);
                            top = top.max(*weight);
                        }
                        weights.iter_mut().for_each(|v| *v = (*v - top).exp());
                        draw(&weights, weights.iter().sum(), &mut random)
                    }
                };
                smoothed[t] += x[at][0] / params.n_trajectories as f64;
                next = Some(x[at]);
            }
        }
        let mut ahead = Vec::new();
        for _ in 0..ask.horizon {
            particles
                .iter_mut()
                .for_each(|x| *x = system.drawn(*x, &mut random));
            let each = particles.iter().zip(&w);
            ahead.push(each.map(|(x, w)| w * h.of(x[0])).sum::<f64>());
        }
        let few = effective.iter().filter(|size| **size < FEWEST).count();
        let mut warnings: Vec<String> = Vec::new();
        if 10 * few > y.len() {
            warnings.push(format!(
                "after {few} of {} rows fewer than {FEWEST} particles carry all weight, so that the estimates are theirs: the start or the variances do not suit the series; give others, or more particles",
                y.len()
            ));
        }
        Ok(Outputs::from_iter([
            ("warnings".into(), Value::from(warnings)),
            ("gaps".into(), dates::gaps(data)),
            ("filtered_level".into(), numbers(&levels)),
            ("filtered_trend".into(), numbers(&trends)),
            ("filtered_variance".into(), numbers(&variances)),
            ("filtered_lower".into(), numbers(&lower)),
            ("filtered_upper".into(), numbers(&upper)),
            ("smoothed_level".into(), numbers(&smoothed)),
            ("effective_sample_size".into(), numbers(&effective)),
            ("n_resamplings".into(), Value::from(resamplings)),
            ("log_likelihood".into(), Value::from(finite(log_likelihood))),
            ("forecast".into(), numbers(&ahead)),
        ]))
    }
}
