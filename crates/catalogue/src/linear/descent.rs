//! Stochastic gradient descent, one row at a time, as scikit-learn's `_plain_sgd` takes it: what
//! SGD regression, the passive-aggressive learner and the perceptron share.

use crate::numeric::{add_scaled, dot, flat};
use mltrainer_catalogue_core::params::{ParamType, Range};
use mltrainer_catalogue_core::reexport::{ParamKind, Value};
use mltrainer_catalogue_core::{FitError, choices, score};
use ndarray::ArrayView2;
use rand::seq::SliceRandom as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// Steps after which weights are averaged, 0 for never; `true` is from the first step on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Average(pub(crate) usize);

impl ParamType for Average {
    const KIND: ParamKind = ParamKind::Text;

    fn read(value: &Value, range: &Range) -> Result<Self, String> {
        if let Ok(yes) = bool::read(value, range) {
            return Ok(Self(yes.into()));
        }
        usize::read(value, range)
            .map(Self)
            .map_err(|why| format!("{why}, true or false"))
    }

    fn write(&self) -> Value {
        self.0.write()
    }
}

/// What an error costs; p is the score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Loss {
    /// (y - p)²/2.
    Squared,
    /// The same up to the border, linear beyond.
    Huber(f64),
    /// |y - p| beyond the border.
    Insensitive(f64),
    /// Its square.
    SquaredInsensitive(f64),
    /// max(0, -y p), y in -1, 1.
    Perceptron,
}

impl Loss {
    fn value(self, y: f64, p: f64) -> f64 {
        let gap = (y - p).abs();
        match self {
            Self::Squared => 0.5 * gap * gap,
            Self::Huber(c) if gap <= c => 0.5 * gap * gap,
            Self::Huber(c) => c * gap - 0.5 * c * c,
            Self::Insensitive(e) => (gap - e).max(0.0),
            Self::SquaredInsensitive(e) => (gap - e).max(0.0).powi(2),
            Self::Perceptron => (-y * p).max(0.0),
        }
    }

    /// By p.
    fn slope(self, y: f64, p: f64) -> f64 {
        let gap = p - y;
        match self {
            Self::Squared => gap,
            Self::Huber(c) if gap.abs() <= c => gap,
            Self::Huber(c) => c * gap.signum(),
            Self::Insensitive(e) if gap.abs() > e => gap.signum(),
            Self::SquaredInsensitive(e) if gap.abs() > e => 2.0 * (gap - e * gap.signum()),
            Self::Perceptron if y * p <= 0.0 => -y,
            Self::Insensitive(_) | Self::SquaredInsensitive(_) | Self::Perceptron => 0.0,
        }
    }
}

choices! {
    /// A penalty on the weights.
    pub enum Penalty {
        /// |w|²/2.
        L2 = "l2",
        /// A mixture of both.
        ElasticNet = "elasticnet",
        /// |w|₁.
        L1 = "l1",
    }
}

/// How long a step is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Rate {
    /// eta0.
    Constant,
    /// eta0 / t^power.
    InverseScaling(f64),
    /// 1/(alpha (t₀ + t)).
    Optimal,
    /// eta0, divided by 5 whenever passes stop helping.
    Adaptive,
    /// As far as the loss asks, eta0 at most (PA-I).
    Passive,
    /// As far as the loss asks, damped by eta0 (PA-II).
    PassiveSquared,
}

/// All settings of a descent.
#[derive(Debug, Clone)]
pub(crate) struct Descent {
    pub(crate) name: &'static str,
    pub(crate) loss: Loss,
    pub(crate) penalty: Option<Penalty>,
    pub(crate) alpha: f64,
    pub(crate) l1_ratio: f64,
    pub(crate) fit_intercept: bool,
    pub(crate) max_iter: usize,
    pub(crate) tol: Option<f64>,
    pub(crate) shuffle: bool,
    pub(crate) rate: Rate,
    pub(crate) eta0: f64,
    /// Share of rows held out to stop early.
    pub(crate) held_out: Option<f64>,
    pub(crate) n_iter_no_change: usize,
    /// Steps after which weights are averaged; 0 is never.
    pub(crate) average: usize,
    /// Weights of rows with a positive and with another target.
    pub(crate) sides: (f64, f64),
}

/// A score x·w + b on its way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    weights: Vec<f64>,
    intercept: f64,
    mean_weights: Vec<f64>,
    mean_intercept: f64,
    /// Rows seen, plus 1.
    t: f64,
    /// Whether the means are the answer.
    averaged: bool,
    pub(crate) n_iter: usize,
    pub(crate) converged: bool,
}

impl Line {
    /// At zero, for p columns.
    pub(crate) fn new(p: usize) -> Self {
        Self {
            weights: vec![0.0; p],
            intercept: 0.0,
            mean_weights: vec![0.0; p],
            mean_intercept: 0.0,
            t: 1.0,
            averaged: false,
            n_iter: 0,
            converged: false,
        }
    }

    /// Weights and intercept of the answer.
    pub(crate) fn answer(&self) -> (&[f64], f64) {
        if self.averaged {
            (&self.mean_weights, self.mean_intercept)
        } else {
            (&self.weights, self.intercept)
        }
    }

    /// Scores, one a row.
    pub(crate) fn scores(&self, x: ArrayView2<'_, f64>) -> Vec<f64> {
        let (weights, intercept) = self.answer();
        x.rows()
            .into_iter()
            .map(|row| intercept + super::engine::dot(row, weights))
            .collect()
    }
}

/// Rows to descend on. For a classifier targets are -1 and 1.
pub(crate) struct Rows<'a> {
    pub(crate) x: ArrayView2<'a, f64>,
    pub(crate) y: &'a [f64],
    pub(crate) weights: Option<&'a [f64]>,
    /// Rows held out to stop early; empty when there are none.
    pub(crate) held_out: &'a [usize],
}

/// Rows fetched at a time.
const AHEAD: usize = 32;

/// Beyond this a slope is cut off, so that one row cannot throw the weights to infinity.
const STEEPEST: f64 = 1e12;

impl Descent {
    /// The same, one pass over all rows.
    pub(crate) fn once(self) -> Self {
        Self {
            max_iter: 1,
            tol: None,
            held_out: None,
            ..self
        }
    }

    /// Rows held out to stop early, drawn once for all scores of a model; by label when labels are
    /// given, so that each is there.
    pub(crate) fn hold_out(
        &self,
        n: usize,
        codes: Option<&[usize]>,
        random: &mut Xoshiro256PlusPlus,
    ) -> Result<Vec<usize>, FitError> {
        let Some(share) = self.held_out else {
            return Ok(Vec::new());
        };
        let labels = codes.map_or(1, |c| c.iter().max().map_or(1, |m| m + 1));
        let mut held = Vec::new();
        for k in 0..labels {
            let mut own: Vec<usize> = (0..n)
                .filter(|i| codes.is_none_or(|c| c[*i] == k))
                .collect();
            own.shuffle(random);
            let count = (share * own.len() as f64).ceil() as usize;
            held.extend_from_slice(&own[..count.min(own.len())]);
        }
        held.sort_unstable();
        if held.is_empty() || held.len() >= n {
            return Err(FitError::Data(format!(
                "validation_fraction {share} of {n} rows leaves none to learn from or none to validate: bring more rows or leave early_stopping out"
            )));
        }
        Ok(held)
    }

    /// Passes over the rows from where the line stands.
    pub(crate) fn run(
        &self,
        line: &mut Line,
        rows: &Rows<'_>,
        random: &mut Xoshiro256PlusPlus,
    ) -> Result<(), FitError> {
        let (n, p) = rows.x.dim();
        let x = rows.x.as_standard_layout();
        let flat = flat(x.view());
        let row = |i: usize| &flat[i * p..][..p];
        let mut out = vec![false; if rows.held_out.is_empty() { 0 } else { n }];
        rows.held_out.iter().for_each(|i| out[*i] = true);
        // Four bytes a row: a table of more rows does not fit a memory.
        let mut order: Vec<u32> = (0..n as u32).collect();
        let learned = (n - rows.held_out.len()) as f64;
        let (l1_ratio, penalised) = match self.penalty {
            None => (0.0, false),
            Some(Penalty::L2) => (0.0, true),
            Some(Penalty::L1) => (1.0, true),
            Some(Penalty::ElasticNet) => (self.l1_ratio, true),
        };
        let passive = matches!(self.rate, Rate::Passive | Rate::PassiveSquared);
        let mut eta = self.eta0;
        // Where the optimal rate starts: the first step is as long as a typical weight.
        let typical = (1.0 / self.alpha.sqrt()).sqrt();
        let first = typical / self.loss.slope(1.0, -typical).max(1.0);
        let start = 1.0 / (first * self.alpha);
        // Pull of the absolute penalty so far, and what of it each weight has followed.
        let (mut pulled, mut followed) = (0.0, vec![0.0; p]);
        let mut mean = MeanBySteps::new();
        let (mut least, mut best, mut idle) = (f64::INFINITY, f64::NEG_INFINITY, 0);
        (line.converged, line.n_iter) = (false, 0);
        let mut near: Vec<f64> = Vec::with_capacity(AHEAD * p);
        for _ in 0..self.max_iter {
            line.n_iter += 1;
            let mut objective = 0.0;
            if self.shuffle {
                order.shuffle(random);
            }
            for some in order.chunks(AHEAD) {
                // Rows in random order are far apart: fetched a few at a time, they wait less.
                near.clear();
                let fetched = some.iter().map(|i| *i as usize);
                fetched.for_each(|i| near.extend_from_slice(row(i)));
                for (k, i) in some.iter().map(|i| *i as usize).enumerate() {
                    if out.get(i).is_some_and(|out| *out) {
                        continue;
                    }
                    let (x, y) = (&near[k * p..][..p], rows.y[i]);
                    let score = dot(x, &line.weights) + line.intercept;
                    match self.rate {
                        Rate::Optimal => eta = 1.0 / (self.alpha * (start + line.t - 1.0)),
                        // The usual power, by roots: a fraction of the time.
                        Rate::InverseScaling(0.25) => eta = self.eta0 / line.t.sqrt().sqrt(),
                        Rate::InverseScaling(power) => eta = self.eta0 / line.t.powf(power),
                        _ => {}
                    }
                    let loss = self.loss.value(y, score);
                    objective += loss;
                    if penalised && !passive && rows.held_out.is_empty() && self.tol.is_some() {
                        let absolute: f64 = if l1_ratio > 0.0 {
                            line.weights.iter().map(|w| w.abs()).sum()
                        } else {
                            0.0
                        };
                        let squared = dot(&line.weights, &line.weights);
                        objective +=
                            self.alpha * ((1.0 - l1_ratio) * 0.5 * squared + l1_ratio * absolute);
                    }
                    let mut update = match self.rate {
                        Rate::Passive => {
                            let size = dot(x, x);
                            if size == 0.0 {
                                continue;
                            }
                            self.eta0.min(loss / size)
                        }
                        Rate::PassiveSquared => loss / (dot(x, x) + 0.5 / self.eta0),
                        _ => -eta * self.loss.slope(y, score).clamp(-STEEPEST, STEEPEST),
                    };
                    if passive && y < score {
                        update = -update;
                    }
                    update *= if y > 0.0 { self.sides.0 } else { self.sides.1 };
                    update *= rows.weights.map_or(1.0, |w| w[i]);
                    if matches!(self.penalty, Some(Penalty::L2 | Penalty::ElasticNet)) {
                        let shrink = (1.0 - (1.0 - l1_ratio) * eta * self.alpha).max(0.0);
                        for (w, x) in line.weights.iter_mut().zip(x) {
                            *w = *w * shrink + update * x;
                        }
                        mean.shrink(shrink);
                    } else if update != 0.0 {
                        add_scaled(&mut line.weights, update, x);
                    }
                    if self.fit_intercept {
                        line.intercept += update;
                    }
                    if self.average > 0 && self.average as f64 <= line.t {
                        let share = 1.0 / (line.t - self.average as f64 + 1.0);
                        for (m, w) in line.mean_weights.iter_mut().zip(&line.weights) {
                            *m += share * (w - *m);
                        }
                        line.mean_intercept += share * (line.intercept - line.mean_intercept);
                        mean.step(share);
                    }
                    if l1_ratio > 0.0 {
                        pulled += l1_ratio * eta * self.alpha;
                        let passed_on = mean.share_of_a_pull();
                        let means = line.mean_weights.iter_mut();
                        for ((w, q), m) in line.weights.iter_mut().zip(&mut followed).zip(means) {
                            let before = *w;
                            if before > 0.0 {
                                *w = (before - (pulled + *q)).max(0.0);
                            } else if before < 0.0 {
                                *w = (before + (pulled - *q)).min(0.0);
                            }
                            *q += *w - before;
                            *m += passed_on * (*w - before);
                        }
                    }
                    line.t += 1.0;
                }
            }
            if !line.intercept.is_finite() || line.weights.iter().any(|w| !w.is_finite()) {
                return Err(FitError::Failed(format!(
                    "{}: the weights left the finite numbers in pass {}: rescale the columns or lower eta0",
                    self.name, line.n_iter
                )));
            }
            let tol = self.tol.unwrap_or(f64::NEG_INFINITY);
            let helped = if rows.held_out.is_empty() {
                let mean = objective / learned;
                let helped = mean <= least - tol;
                least = least.min(mean);
                helped || self.tol.is_none()
            } else {
                let reached = self.validate(line, rows, &row);
                let helped = reached >= best + tol;
                best = best.max(reached);
                helped || self.tol.is_none()
            };
            idle = if helped { 0 } else { idle + 1 };
            if idle >= self.n_iter_no_change {
                if self.rate == Rate::Adaptive && eta > 1e-6 {
                    eta /= 5.0;
                    idle = 0;
                } else {
                    line.converged = true;
                    break;
                }
            }
        }
        line.averaged = self.average > 0 && self.average as f64 <= line.t - 1.0;
        Ok(())
    }

    /// r² on the rows held out, or the share of labels met.
    fn validate<'a>(&self, line: &Line, rows: &Rows<'_>, row: &impl Fn(usize) -> &'a [f64]) -> f64 {
        let y: Vec<f64> = rows.held_out.iter().map(|i| rows.y[*i]).collect();
        let scores = rows.held_out.iter();
        let scores = scores.map(|i| dot(row(*i), &line.weights) + line.intercept);
        let reached = if self.loss == Loss::Perceptron {
            let labels: Vec<f64> = scores.map(|s| if s > 0.0 { 1.0 } else { -1.0 }).collect();
            score::accuracy(&y, &labels)
        } else {
            score::r2(&y, &scores.collect::<Vec<f64>>())
        };
        reached.unwrap_or(f64::NEG_INFINITY)
    }
}

/// How the mean of the weights follows the pull of an absolute penalty. scikit-learn keeps the mean
/// as (a w + rest)/b and moves only `rest` with a step, not with a pull: a pull then acts on the mean
/// as if it had been there at all steps that are averaged.
struct MeanBySteps {
    a: f64,
    b: f64,
    /// What the weights were shrunk by since a and b were set anew.
    scale: f64,
}

impl MeanBySteps {
    fn new() -> Self {
        Self {
            a: 0.0,
            b: 1.0,
            scale: 1.0,
        }
    }

    fn shrink(&mut self, by: f64) {
        self.scale *= by;
        if self.scale < 1e-9 {
            *self = Self::new();
        }
    }

    fn step(&mut self, share: f64) {
        if share < 1.0 {
            self.b /= 1.0 - share;
        }
        self.a += share * self.b * self.scale;
    }

    fn share_of_a_pull(&self) -> f64 {
        self.a / self.b / self.scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_those_of_the_losses() {
        let h = 1e-6;
        for loss in [
            Loss::Squared,
            Loss::Huber(0.4),
            Loss::Insensitive(0.1),
            Loss::SquaredInsensitive(0.1),
            Loss::Perceptron,
        ] {
            for (y, p) in [(1.0, 0.7), (1.0, -2.0), (-1.0, 0.3), (1.0, 1.05)] {
                let numeric = (loss.value(y, p + h) - loss.value(y, p - h)) / (2.0 * h);
                assert!(
                    (loss.slope(y, p) - numeric).abs() < 1e-5,
                    "{loss:?} {y} {p}"
                );
            }
        }
    }
}
