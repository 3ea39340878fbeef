//! Hidden Markov model.
//!
//! What: a few hidden states (calm, nervous, crisis) with normal returns in each and chances to change.
//! Formula: p(y) = Σ over paths of π_{s1} Π A_{s,s'} N(y_t; μ_s, Σ_s), by Baum and Welch.
//! Data: one or several series, best returns.
//! Cost: O(n k² + n k d²) an iteration for k states and d series.
//! Fails when: states overlap, or there are more of them than the data tells apart.
//! Source: Baum and others (1970); Rabiner, Proc. IEEE 77 (1989); Viterbi (1967).
//! Not claimed: that the states have a meaning, or that tomorrow's is known.

use super::dates;
use crate::clustering::kmeans;
use crate::distributions::LN_2PI;
use crate::numeric::Cholesky;
use mltrainer_catalogue_core::card::{Evidence, Exemption};
use mltrainer_catalogue_core::run::{self, numbers};
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, Takes, choices, params,
};
use mltrainer_types::catalogue::Task;
use mltrainer_types::finite;
use ndarray::Array2;
use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::Value;

/// The handle.
pub struct Hmm;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<Hmm>();

choices! {
    /// Shape of the covariances.
    pub enum Covariance {
        /// Series are independent within a state.
        Diag = "diag",
        /// Any covariance.
        Full = "full",
    }
}

params! {
    /// Parameters of the hidden Markov model.
    pub struct HmmParams {
        /// Hidden states.
        n_states: usize = 2, within(1.0, 50.0);
        /// Shape of the covariance within a state.
        covariance_type: Covariance = Covariance::Diag;
        /// Starts from different points; the best one counts.
        n_init: usize = 10, within(1.0, 1_000.0);
        /// Most iterations of a start.
        max_iter: usize = 500, within(1.0, 1_000_000.0);
        /// A start has converged when the log likelihood gains less than this.
        tol: f64 = 1e-4, above(0.0);
        /// Least variance within a state, as a share of that of the whole column; keeps a state from settling on one value.
        min_covar: f64 = 1e-4, inside(0.0, 1.0);
        /// Seed of the starts; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "hmm",
    family: "time_series",
    title: "Hidden Markov model",
    tasks: &[Task::Clustering, Task::Forecasting],
    inputs: Inputs::Series,
    summary: "A few hidden states with normal values in each and chances to pass from one to another: market regimes. States are numbered by their variance, the calmest 0.",
    formula: "p(y) = Σ_s π_{s1} N(y_1; μ_{s1}, Σ_{s1}) Π A_{s(t-1),s(t)} N(y_t; μ_{s(t)}, Σ_{s(t)}); maximum likelihood by Baum-Welch from n_init starts (k-means centres, spread afresh), forward and backward passes scaled row by row; path by Viterbi; filtered probabilities from the rows up to t alone, smoothed ones from all",
    data: "One or several series, best returns; each is divided by its standard deviation inside, results are in its units.",
    cost: "O(n k² + n k d²) an iteration for k states and d series, times n_init",
    fails_when: "States overlap strongly, or there are more than the data tells apart: starts then end at different maxima, and a state may settle on a few values (min_covar bounds it).",
    not_claimed: "That states have a meaning. Only the filtered probabilities were known at the time; parameters, path and smoothed ones use all rows.",
    source: "L. E. Baum, T. Petrie, G. Soules, N. Weiss, Annals of Mathematical Statistics 41 (1970); A. J. Viterbi, IEEE Transactions on Information Theory 13 (1967); L. R. Rabiner, Proceedings of the IEEE 77 (1989); J. D. Hamilton, Econometrica 57 (1989)",
    reference: "hmmlearn 0.3.3, GaussianHMM without priors",
    outputs: &[
        ("log_likelihood", "at the best maximum found"),
        ("aic", "Akaike criterion"),
        ("bic", "Bayesian criterion"),
        ("n_params", "free parameters"),
        ("states", "the most probable path, one state a row"),
        ("means", "by state; with several series a row a state"),
        (
            "variances",
            "by state in increasing order; with several series a row a state, ordered by the sum of their shares of the whole variance",
        ),
        ("covariances", "a matrix a state"),
        ("transition_matrix", "row: from, column: to"),
        ("start_probabilities", "of the first row"),
        (
            "stationary_distribution",
            "share of each state in the long run",
        ),
        (
            "expected_durations",
            "rows that a state lasts on average, null when it is never left",
        ),
        (
            "filtered_probabilities",
            "a row each, by state, from the rows up to it: for trading",
        ),
        (
            "smoothed_probabilities",
            "a row each, by state, from all rows",
        ),
        ("forecast_probabilities", "a step each, by state"),
        ("forecast", "mean of the first series, one a step"),
        (
            "forecast_variance",
            "variance of the first series, one a step",
        ),
        ("n_converged", "starts that converged"),
        ("converged", "whether the best start converged"),
        ("iterations", "of the best start"),
        (
            "gaps",
            "where dates leave rows out: after, before, days; null without dates",
        ),
    ],
    stochastic: true,
    evidence: &[Evidence {
        against: "hmmlearn 0.3.3, GaussianHMM (covars_prior 0), best of several starts",
        cases: "S&P 500 returns with 2 and 3 states; returns of 1 and 3 shares, both shapes; scores and paths at given parameters",
        tolerance: "log likelihood at least the reference's less 0.01; likelihood and path at given parameters 1e-9",
    }],
    presets: &[],
    exemptions: &[Exemption {
        rule: "parameters_matter",
        reason: "covariance_type is of several series, and the suite hands an entry as few as it takes, here one; the cases in tests/dependence.rs have both shapes",
    }],
};

/// Parameters of a model, in scaled units.
#[derive(Debug, Clone)]
pub(crate) struct Parameters {
    pub(crate) start: Vec<f64>,
    /// From a row to a column.
    pub(crate) transition: Vec<Vec<f64>>,
    pub(crate) means: Vec<Vec<f64>>,
    /// One a state; off the diagonal 0 with independent series.
    pub(crate) covariances: Vec<Array2<f64>>,
}

/// Densities of every row in every state, each row divided by its largest one; the logarithm of that.
struct Emissions {
    density: Vec<f64>,
    log: Vec<f64>,
    top: Vec<f64>,
}

fn emissions(x: &[Vec<f64>], p: &Parameters) -> Option<Emissions> {
    let (k, d, n) = (p.means.len(), x.len(), x[0].len());
    let mut log = vec![0.0; n * k];
    for s in 0..k {
        if d == 1 {
            let variance = p.covariances[s][[0, 0]];
            let (by, constant) = (-0.5 / variance, -0.5 * (LN_2PI + variance.ln()));
            let mean = p.means[s][0];
            for (t, v) in x[0].iter().enumerate() {
                let e = v - mean;
                log[t * k + s] = constant + by * e * e;
            }
            continue;
        }
        let factor = Cholesky::new(p.covariances[s].clone())?;
        let constant = -0.5 * (d as f64 * LN_2PI + factor.log_det());
        let mut e = vec![0.0; d];
        for t in 0..n {
            for j in 0..d {
                e[j] = x[j][t] - p.means[s][j];
            }
            factor.forward(&mut e);
            log[t * k + s] = constant - 0.5 * e.iter().map(|v| v * v).sum::<f64>();
        }
    }
    let mut density = vec![0.0; n * k];
    let mut top = Vec::with_capacity(n);
    for (row, out) in log.chunks_exact(k).zip(density.chunks_exact_mut(k)) {
        let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for (out, l) in out.iter_mut().zip(row) {
            // Beyond this the double is 0 anyway.
            *out = if *l - most < -700.0 {
                0.0
            } else {
                (*l - most).exp()
            };
        }
        top.push(most);
    }
    Some(Emissions { density, log, top })
}

/// Filtered probabilities (rows x states) with the scale of each row; the log likelihood.
fn forward(e: &Emissions, p: &Parameters, filtered: &mut Vec<f64>, scales: &mut Vec<f64>) -> f64 {
    let k = p.start.len();
    let n = e.top.len();
    filtered.clear();
    filtered.resize(n * k, 0.0);
    scales.clear();
    let flat: Vec<f64> = p.transition.concat();
    let mut sum = 0.0;
    let mut product = 1.0_f64;
    for t in 0..n {
        let (done, rest) = filtered.split_at_mut(t * k);
        let now = &mut rest[..k];
        if t == 0 {
            now.copy_from_slice(&p.start);
        } else {
            let before = &done[(t - 1) * k..];
            for (from, a) in before.iter().zip(flat.chunks_exact(k)) {
                for (now, a) in now.iter_mut().zip(a) {
                    *now += from * a;
                }
            }
        }
        let mut total = 0.0;
        for (now, b) in now.iter_mut().zip(&e.density[t * k..]) {
            *now *= b;
            total += *now;
        }
        let total = total.max(f64::MIN_POSITIVE);
        let by = 1.0 / total;
        now.iter_mut().for_each(|v| *v *= by);
        scales.push(by);
        sum += e.top[t];
        // One logarithm for many rows.
        product *= total;
        if !(1e-200..1e200).contains(&product) {
            sum += product.ln();
            product = 1.0;
        }
    }
    sum + product.ln()
}

/// Sums that the next parameters are made of.
struct Expected {
    /// Smoothed probabilities, rows x states.
    smoothed: Vec<f64>,
    /// Expected passages.
    passages: Vec<f64>,
}

fn backward(e: &Emissions, p: &Parameters, filtered: &[f64], scales: &[f64]) -> Expected {
    let k = p.start.len();
    let n = scales.len();
    let flat: Vec<f64> = p.transition.concat();
    let mut smoothed = vec![0.0; n * k];
    let mut passages = vec![0.0; k * k];
    let mut after = vec![1.0; k];
    let mut weighed = vec![0.0; k];
    smoothed[(n - 1) * k..].copy_from_slice(&filtered[(n - 1) * k..]);
    for t in (0..n - 1).rev() {
        let by = scales[t + 1];
        for ((w, b), a) in weighed
            .iter_mut()
            .zip(&e.density[(t + 1) * k..])
            .zip(&after)
        {
            *w = b * a * by;
        }
        let own = &filtered[t * k..][..k];
        let out = &mut smoothed[t * k..][..k];
        for i in 0..k {
            let (a, counts) = (&flat[i * k..][..k], &mut passages[i * k..][..k]);
            let mut sum = 0.0;
            for ((a, w), count) in a.iter().zip(&weighed).zip(counts) {
                let both = a * w;
                sum += both;
                *count += own[i] * both;
            }
            after[i] = sum;
            out[i] = own[i] * sum;
        }
    }
    Expected { smoothed, passages }
}

/// The next parameters.
fn improved(x: &[Vec<f64>], e: &Expected, full: bool, floor: f64, old: &Parameters) -> Parameters {
    let (k, d) = (old.start.len(), x.len());
    let mut next = old.clone();
    next.start.copy_from_slice(&e.smoothed[..k]);
    let total: f64 = next.start.iter().sum();
    next.start.iter_mut().for_each(|v| *v /= total);
    for s in 0..k {
        let row = &e.passages[s * k..][..k];
        let total: f64 = row.iter().sum();
        // A state that is never left keeps its chances.
        if total > 0.0 {
            next.transition[s] = row.iter().map(|v| v / total).collect();
        }
        let weight = |t: usize| e.smoothed[t * k + s];
        let n = x[0].len();
        let mass: f64 = (0..n).map(weight).sum();
        if mass < 1e-8 {
            continue;
        }
        for (mean, x) in next.means[s].iter_mut().zip(x) {
            *mean = x
                .iter()
                .enumerate()
                .map(|(t, v)| weight(t) * v)
                .sum::<f64>()
                / mass;
        }
        let mean = next.means[s].clone();
        for i in 0..d {
            for j in 0..=i {
                if i != j && !full {
                    continue;
                }
                let (a, b) = (&x[i], &x[j]);
                let mut sum = 0.0;
                for (t, (a, b)) in a.iter().zip(b).enumerate() {
                    sum += weight(t) * (a - mean[i]) * (b - mean[j]);
                }
                let value = sum / mass;
                next.covariances[s][[i, j]] = value;
                next.covariances[s][[j, i]] = value;
            }
        }
        if full && d > 1 {
            // A floor on the diagonal keeps the matrix away from a singular one in every direction.
            let low = (0..d).any(|i| next.covariances[s][[i, i]] < floor);
            let mut less = next.covariances[s].clone();
            less.diag_mut().iter_mut().for_each(|v| *v -= 0.5 * floor);
            let singular = Cholesky::new(less).is_none();
            if low || singular {
                for i in 0..d {
                    next.covariances[s][[i, i]] += floor;
                }
            }
        } else {
            for i in 0..d {
                let v = &mut next.covariances[s][[i, i]];
                *v = v.max(floor);
            }
        }
    }
    next
}

/// The most probable path.
fn viterbi(e: &Emissions, p: &Parameters) -> Vec<usize> {
    let k = p.start.len();
    let n = e.top.len();
    let logs: Vec<f64> = p.transition.iter().flatten().map(|v| v.ln()).collect();
    let mut score: Vec<f64> = (0..k).map(|s| p.start[s].ln() + e.log[s]).collect();
    let mut from = vec![0_usize; n * k];
    for t in 1..n {
        let before = score.clone();
        for s in 0..k {
            let mut best = (f64::NEG_INFINITY, 0);
            for (i, b) in before.iter().enumerate() {
                let v = b + logs[i * k + s];
                if v > best.0 {
                    best = (v, i);
                }
            }
            from[t * k + s] = best.1;
            score[s] = best.0 + e.log[t * k + s];
        }
    }
    let mut at = 0;
    for (s, v) in score.iter().enumerate() {
        if *v > score[at] {
            at = s;
        }
    }
    let mut path = vec![at; n];
    for t in (1..n).rev() {
        at = from[t * k + at];
        path[t - 1] = at;
    }
    path
}

/// Where a start ended.
pub(crate) struct Fit {
    pub(crate) parameters: Parameters,
    pub(crate) log_likelihood: f64,
    pub(crate) iterations: usize,
    pub(crate) converged: bool,
}

/// Baum-Welch from a start: at most so many iterations, until the gain is below `tol`.
pub(crate) fn fitted(
    x: &[Vec<f64>],
    start: Parameters,
    full: bool,
    floor: f64,
    max_iter: usize,
    tol: f64,
) -> Option<Fit> {
    let mut p = start;
    let (mut filtered, mut scales) = (Vec::new(), Vec::new());
    let mut value = f64::NEG_INFINITY;
    for iterations in 0..=max_iter {
        let e = emissions(x, &p)?;
        let now = forward(&e, &p, &mut filtered, &mut scales);
        if !now.is_finite() {
            return None;
        }
        let converged = now - value < tol;
        value = now;
        if converged || iterations == max_iter {
            return Some(Fit {
                parameters: p,
                log_likelihood: value,
                iterations,
                converged,
            });
        }
        let expected = backward(&e, &p, &filtered, &scales);
        p = improved(x, &expected, full, floor, &p);
    }
    None
}

/// A start: centres by k-means, then centres drawn at random; equal chances but for staying.
fn start(x: &[Vec<f64>], k: usize, attempt: usize, random: &mut Xoshiro256PlusPlus) -> Parameters {
    let (n, d) = (x[0].len(), x.len());
    let rows = Array2::from_shape_fn((n, d), |(t, j)| x[j][t]);
    let centres = kmeans::plus_plus(&rows, None, k, random);
    let stay = if attempt == 0 {
        0.9
    } else {
        0.5 + 0.49 * random.r#gen::<f64>()
    };
    let move_on = if k > 1 {
        (1.0 - stay) / (k as f64 - 1.0)
    } else {
        0.0
    };
    let transition = (0..k)
        .map(|i| {
            (0..k)
                .map(|j| {
                    if i == j {
                        if k > 1 { stay } else { 1.0 }
                    } else {
                        move_on
                    }
                })
                .collect()
        })
        .collect();
    // Markets differ in variance more than in mean: every second start has centres near the mean and
    // variances from a tenth to four times the whole.
    let by_variance = attempt.is_multiple_of(2);
    let means = (0..k)
        .map(|s| {
            let centre = |j: usize| {
                let far = centres[[s, j]];
                let mean = x[j].iter().sum::<f64>() / n as f64;
                if by_variance {
                    mean + 0.1 * (far - mean)
                } else {
                    far
                }
            };
            (0..d).map(centre).collect()
        })
        .collect();
    let covariances = (0..k)
        .map(|s| {
            let share = if k > 1 {
                s as f64 / (k as f64 - 1.0)
            } else {
                0.6
            };
            let wide = 0.1 * 40_f64.powf(share);
            let size = if by_variance {
                wide * (0.7 + 0.6 * random.r#gen::<f64>())
            } else {
                0.3 + 0.7 * random.r#gen::<f64>()
            };
            Array2::eye(d) * size
        })
        .collect();
    Parameters {
        start: vec![1.0 / k as f64; k],
        transition,
        means,
        covariances,
    }
}

/// Long-run shares: the limit of the mean of the powers of the matrix, by repeated squaring.
fn stationary(transition: &[Vec<f64>], start: &[f64]) -> Vec<f64> {
    let k = start.len();
    // Half a step of standing still makes the chain aperiodic and keeps the shares.
    let mut m = Array2::from_shape_fn((k, k), |(i, j)| {
        0.5 * transition[i][j] + 0.5 * f64::from(u8::from(i == j))
    });
    for _ in 0..60 {
        m = m.dot(&m);
        for mut row in m.rows_mut() {
            let total = row.sum();
            row /= total;
        }
    }
    (0..k)
        .map(|j| (0..k).map(|i| start[i] * m[[i, j]]).sum())
        .collect()
}

fn by_row(flat: &[f64], k: usize) -> Value {
    flat.chunks_exact(k).map(numbers).collect()
}

impl Analysis for Hmm {
    type Params = HmmParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (1, 100);
    const TAKES: Takes = Takes::Returns;

    fn analyse(params: &HmmParams, data: &SeriesTable, ask: Ask) -> Result<Outputs, FitError> {
        let (n, d, k) = (data.rows(), data.names().len(), params.n_states);
        let full = params.covariance_type == Covariance::Full;
        let per_state = if full { d * (d + 1) / 2 } else { d };
        let count = k * (d + per_state) + k * (k - 1) + (k - 1);
        let least = (2 * k).max(k * (d + 1)) + 2;
        if n < least {
            return Err(FitError::Data(format!(
                "{n} rows are too few for {k} states of {d} series: give at least {least}"
            )));
        }
        let (mut x, mut centres, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
        for (j, name) in data.names().iter().enumerate() {
            let series = data.series(j);
            let largest = series.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            let mean = series.iter().map(|v| v / largest).sum::<f64>() / n as f64;
            let spread = series
                .iter()
                .map(|v| (v / largest - mean) * (v / largest - mean));
            let deviation = (spread.sum::<f64>() / n as f64).sqrt();
            let size = largest * deviation;
            if !(size.is_normal() && deviation > 1e-13 && (size * size).is_normal()) {
                return Err(FitError::Data(format!(
                    "column \"{name}\" does not vary (or its variance is beyond what doubles hold): give returns, in percent"
                )));
            }
            let centre = mean * largest;
            x.push(
                series
                    .iter()
                    .map(|v| (v - centre) / size)
                    .collect::<Vec<f64>>(),
            );
            centres.push(centre);
            sizes.push(size);
        }
        let mut random =
            Xoshiro256PlusPlus::seed_from_u64(run::effective_seed(params.seed, ask.seed));
        let mut best: Option<Fit> = None;
        let mut converged = 0;
        for attempt in 0..params.n_init {
            let from = start(&x, k, attempt, &mut random);
            let Some(fit) = fitted(
                &x,
                from,
                full,
                params.min_covar,
                params.max_iter,
                params.tol,
            ) else {
                continue;
            };
            converged += usize::from(fit.converged);
            if best
                .as_ref()
                .is_none_or(|b| fit.log_likelihood > b.log_likelihood)
            {
                best = Some(fit);
            }
        }
        let Some(fit) = best else {
            return Err(FitError::Failed(
                "no start led to a finite likelihood: take fewer states, covariance_type=diag, or leave out a column that another one determines".into(),
            ));
        };
        // States by variance, in units of the whole.
        let mut p = fit.parameters;
        let mut order: Vec<usize> = (0..k).collect();
        let size = |s: usize| p.covariances[s].diag().sum();
        order.sort_by(|a, b| size(*a).total_cmp(&size(*b)));
        p = Parameters {
            start: order.iter().map(|s| p.start[*s]).collect(),
            transition: order
                .iter()
                .map(|i| order.iter().map(|j| p.transition[*i][*j]).collect())
                .collect(),
            means: order.iter().map(|s| p.means[*s].clone()).collect(),
            covariances: order.iter().map(|s| p.covariances[*s].clone()).collect(),
        };
        let failed = || {
            FitError::Failed(
                "a covariance became singular: take fewer states or covariance_type=diag".into(),
            )
        };
        let e = emissions(&x, &p).ok_or_else(failed)?;
        let (mut filtered, mut scales) = (Vec::new(), Vec::new());
        let scaled = forward(&e, &p, &mut filtered, &mut scales);
        let log_likelihood = scaled - n as f64 * sizes.iter().map(|s| s.ln()).sum::<f64>();
        let smoothed = backward(&e, &p, &filtered, &scales).smoothed;
        let path = viterbi(&e, &p);
        let mut state = filtered[(n - 1) * k..].to_vec();
        let (mut chances, mut ahead, mut spread) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ask.horizon {
            state = (0..k)
                .map(|j| (0..k).map(|i| state[i] * p.transition[i][j]).sum())
                .collect();
            let mean: f64 = (0..k).map(|s| state[s] * p.means[s][0]).sum();
            let square = |s: usize| p.means[s][0] * p.means[s][0] + p.covariances[s][[0, 0]];
            let second: f64 = (0..k).map(|s| state[s] * square(s)).sum();
            chances.push(numbers(&state));
            ahead.push(centres[0] + sizes[0] * mean);
            spread.push(sizes[0] * sizes[0] * (second - mean * mean));
        }
        let one = |rows: Vec<Vec<f64>>| -> Value {
            if d == 1 {
                numbers(&rows.concat())
            } else {
                rows.iter().map(|r| numbers(r)).collect()
            }
        };
        let means = p.means.iter();
        let means = means.map(|m| (0..d).map(|j| centres[j] + sizes[j] * m[j]).collect());
        let in_units = |c: &Array2<f64>, i: usize, j: usize| c[[i, j]] * sizes[i] * sizes[j];
        let covariances = p.covariances.iter();
        let variances = covariances
            .clone()
            .map(|c| (0..d).map(|j| in_units(c, j, j)).collect());
        let matrices = covariances.map(|c| -> Value {
            let row = |i: usize| numbers(&(0..d).map(|j| in_units(c, i, j)).collect::<Vec<f64>>());
            (0..d).map(row).collect()
        });
        let durations: Vec<f64> = (0..k).map(|s| 1.0 / (1.0 - p.transition[s][s])).collect();
        let free = count as f64;
        Ok(Outputs::from_iter([
            ("gaps".into(), dates::gaps(data)),
            ("log_likelihood".into(), Value::from(finite(log_likelihood))),
            (
                "aic".into(),
                Value::from(finite(2.0 * free - 2.0 * log_likelihood)),
            ),
            (
                "bic".into(),
                Value::from(finite(free * (n as f64).ln() - 2.0 * log_likelihood)),
            ),
            ("n_params".into(), Value::from(count)),
            ("states".into(), Value::from(path)),
            ("means".into(), one(means.collect())),
            ("variances".into(), one(variances.collect())),
            ("covariances".into(), matrices.collect()),
            (
                "transition_matrix".into(),
                p.transition.iter().map(|r| numbers(r)).collect(),
            ),
            ("start_probabilities".into(), numbers(&p.start)),
            (
                "stationary_distribution".into(),
                numbers(&stationary(&p.transition, &p.start)),
            ),
            ("expected_durations".into(), numbers(&durations)),
            ("filtered_probabilities".into(), by_row(&filtered, k)),
            ("smoothed_probabilities".into(), by_row(&smoothed, k)),
            ("forecast_probabilities".into(), Value::from(chances)),
            ("forecast".into(), numbers(&ahead)),
            ("forecast_variance".into(), numbers(&spread)),
            ("n_converged".into(), Value::from(converged)),
            ("converged".into(), Value::from(fit.converged)),
            ("iterations".into(), Value::from(fit.iterations)),
        ]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;

    /// Returns in percent of two closes of the tests' data.
    fn returns() -> Vec<Vec<f64>> {
        let text = include_str!("../../tests/data/closes.csv");
        let column = |at: usize| {
            let cell = |line: &str| line.split(',').nth(at).unwrap().parse::<f64>().unwrap();
            let closes: Vec<f64> = text.lines().skip(1).map(cell).collect();
            closes
                .windows(2)
                .map(|w| 100.0 * (w[1] / w[0] - 1.0))
                .collect()
        };
        vec![column(1), column(2)]
    }

    fn given() -> Parameters {
        let square = |a: f64, b: f64, c: f64| ndarray::arr2(&[[a, b], [b, c]]);
        Parameters {
            start: vec![0.6, 0.4],
            transition: vec![vec![0.95, 0.05], vec![0.1, 0.9]],
            means: vec![vec![0.2, 0.1], vec![-0.1, 0.05]],
            covariances: vec![square(1.5, 0.3, 0.6), square(5.0, 0.9, 2.0)],
        }
    }

    /// hmmlearn 0.3.3, GaussianHMM(2, "full") with these parameters on AAPL and CVX: score, predict_proba
    /// (of all rows, and of the rows up to t for the filtered ones), decode.
    #[test]
    fn passes_and_path_are_those_of_hmmlearn() {
        let (x, p) = (returns(), given());
        let e = emissions(&x, &p).unwrap();
        let (mut filtered, mut scales) = (Vec::new(), Vec::new());
        let value = forward(&e, &p, &mut filtered, &mut scales);
        assert_near(&[value], &[-896.880_981_143_403_2], 1e-12);
        let second =
            |of: &[f64], rows: &[usize]| rows.iter().map(|t| of[t * 2 + 1]).collect::<Vec<f64>>();
        let smoothed = backward(&e, &p, &filtered, &scales).smoothed;
        assert_near(
            &second(&smoothed, &[0, 50, 100, 200, 258]),
            &[
                0.109_734_948_957_100_34,
                0.494_824_524_297_964_3,
                0.952_808_198_009_779_2,
                0.891_605_216_733_884_8,
                0.985_294_021_906_084_2,
            ],
            1e-12,
        );
        assert_near(
            &second(&filtered, &[0, 50, 100, 200]),
            &[
                0.175_525_182_547_630_33,
                0.191_143_163_570_177_13,
                0.548_511_263_908_824_3,
                0.332_680_030_866_178_6,
            ],
            1e-12,
        );
        let path = viterbi(&e, &p);
        let changes: Vec<usize> = (1..path.len())
            .filter(|t| path[*t] != path[t - 1])
            .collect();
        assert_eq!(
            (path[0], changes),
            (0, vec![14, 17, 47, 124, 139, 142, 189])
        );
    }

    #[test]
    fn every_step_raises_the_likelihood() {
        let x = returns();
        let mut p = given();
        let (mut filtered, mut scales) = (Vec::new(), Vec::new());
        let mut before = f64::NEG_INFINITY;
        for _ in 0..30 {
            let e = emissions(&x, &p).unwrap();
            let now = forward(&e, &p, &mut filtered, &mut scales);
            assert!(now > before - 1e-9, "{now} after {before}");
            before = now;
            let expected = backward(&e, &p, &filtered, &scales);
            p = improved(&x, &expected, true, 1e-6, &p);
        }
    }

    /// By hand: from state 0 with chance 0.1 and back with 0.3 the long run is 3 to 1.
    #[test]
    fn long_run_shares() {
        let transition = vec![vec![0.9, 0.1], vec![0.3, 0.7]];
        assert_near(&stationary(&transition, &[0.5, 0.5]), &[0.75, 0.25], 1e-12);
        // Two states that take turns, and two that are never left.
        assert_near(
            &stationary(&[vec![0.0, 1.0], vec![1.0, 0.0]], &[1.0, 0.0]),
            &[0.5, 0.5],
            1e-12,
        );
        assert_near(
            &stationary(&[vec![1.0, 0.0], vec![0.0, 1.0]], &[0.2, 0.8]),
            &[0.2, 0.8],
            1e-12,
        );
    }
}
