//! Logistic regression.
//!
//! What: probabilities of labels from a linear score, with a penalty on the weights.
//! Formula: min of C Σ sᵢ loss(yᵢ, xᵢ) + (1 - l1_ratio)/2 |w|² + l1_ratio |w|₁; loss = -ln P(yᵢ | xᵢ).
//! Data: whole-number labels, at least two of them; columns of like scale.
//! Cost: fit O(steps (n d² + d³)) with d = (p + 1) · classes (p + 1 for two), predict O(rows d).
//! Fails when: one label only; labels hardly depend on a linear score.
//! Source: Cox (1958); Lee, Sun, Saunders, SIAM J. Optim. 24 (2014) for the proximal Newton steps.
//! Not claimed: calibrated probabilities with class_weight = balanced.

use super::engine::{Units, dot};
use crate::class_weight::{ClassWeight, row_weights_by_weight};
use crate::numeric::{flat_mut, lifted, sigmoid, softmax, softplus};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, ParamError, Prediction, Predictor, Supervised,
    Training, choices, params, run,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The handle.
pub struct LogisticRegression;

/// The registration.
// intercept_scaling matters beside liblinear only.
pub const ENTRY: Entry = Entry::supervised::<LogisticRegression>().as_first_choice();

choices! {
    /// The method of scikit-learn whose problem is solved.
    pub enum Solver {
        /// Any penalty, the intercept free of it.
        Auto = "auto",
        /// The squared penalty, the intercept free of it.
        Lbfgs = "lbfgs",
        /// The squared or the absolute penalty, on the intercept too; two labels.
        Liblinear = "liblinear",
        /// As lbfgs.
        NewtonCg = "newton-cg",
        /// As lbfgs.
        NewtonCholesky = "newton-cholesky",
        /// As lbfgs.
        Sag = "sag",
        /// As auto.
        Saga = "saga",
    }
}

choices! {
    /// What is added to the loss.
    pub enum Penalty {
        /// Shares of both by `l1_ratio`.
        Auto = "auto",
        /// Squared weights.
        L2 = "l2",
        /// Absolute weights.
        L1 = "l1",
        /// Both, as auto.
        ElasticNet = "elasticnet",
    }
}

params! {
    /// Parameters of logistic regression.
    pub struct LogisticParams {
        /// Inverse strength of the penalty: small values shrink the weights more.
        c as "C": f64 = 1.0, above(0.0);
        /// The penalty: auto and elasticnet by l1_ratio, l2 on squared weights, l1 on absolute ones, none without one, whatever C.
        penalty: Option<Penalty> = Some(Penalty::Auto);
        /// Share of the penalty on absolute weights: 0 is the squared penalty (L2), 1 the absolute one (L1).
        l1_ratio: f64 = 0.0, within(0.0, 1.0);
        /// Whether an intercept is fitted; only liblinear penalises it.
        fit_intercept: bool = true;
        /// Whose problem is solved: liblinear penalises the intercept and takes two labels; all others have the same optimum, which is found by Newton steps whichever is named; lbfgs, newton-cg, newton-cholesky and sag take l1_ratio 0, liblinear 0 or 1.
        solver: Solver = Solver::Auto;
        /// liblinear: the intercept is this times the weight of a column that is everywhere this, so that a large value lets the penalty off it.
        intercept_scaling: f64 = 1.0, above(0.0);
        /// balanced: every label counts the same in total; or a factor a label, written 0:1,1:2.5; none: every row counts the same.
        class_weight: Option<ClassWeight> = None;
        /// Newton steps after which the fit is given up as not converged.
        max_iter: usize = 100, within(1.0, 100_000.0);
        /// The fit ends when no entry of the gradient of the mean objective, in standardised columns, exceeds this.
        tol: f64 = 1e-8, inside(0.0, 1.0);
    }
}

/// Fitted state: one row of weights for two labels (those of the larger one), else one a label.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    classes: Vec<i64>,
    weights: Vec<Vec<f64>>,
    intercepts: Vec<f64>,
    objective: f64,
    n_iter: usize,
}

const CARD: Card = Card {
    id: "logistic_regression",
    family: "linear",
    title: "Logistic regression",
    tasks: &[Task::Classification],
    inputs: Inputs::Features,
    summary: "Probabilities of labels from a linear score with a penalty on the weights: the sigmoid for two labels, softmax with one weight vector a label for more. Fitted to the optimum by Newton steps (proximal ones with an absolute penalty).",
    formula: "min over w, b of C Σᵢ sᵢ · (-ln P(yᵢ | xᵢ)) + (1 - l1_ratio)/2 |w|² + l1_ratio |w|₁; two labels: P(1 | x) = 1/(1 + exp(-(x·w + b))); more: P(k | x) = exp(x·wₖ + bₖ)/Σⱼ exp(x·wⱼ + bⱼ), Σₖ bₖ = 0; solver liblinear: b = intercept_scaling v with v penalised like a weight, all other solvers: this optimum; penalty none: the first term alone",
    data: "Whole-number labels, at least two of them. Columns of like scale: the penalty sees their units, nothing is rescaled inside.",
    cost: "fit O(steps · (n d² + d³)), d = p + 1 for two labels, (p + 1) · labels for more; predict O(rows · d)",
    fails_when: "The training rows have one label only, more than 5,000 weights are asked for, or the labels do not follow a linear score. A fit that does not converge is an error.",
    not_claimed: "The steps of the solver that is named: the optimum is found by Newton steps. Calibrated probabilities when class_weight is balanced.",
    source: "D. R. Cox, The regression analysis of binary sequences, J. R. Stat. Soc. B 20 (1958) 215-242; J. D. Lee, Y. Sun, M. A. Saunders, Proximal Newton-type methods, SIAM J. Optim. 24 (2014)",
    reference: "scikit-learn 1.9.1, LogisticRegression (here with a tighter tol by default)",
    outputs: &[
        (
            "coefficients",
            "two labels: the weights of the larger one, one a column; more: one row of weights a label",
        ),
        (
            "intercept",
            "two labels: b of the larger one; more: one a label",
        ),
        (
            "decision",
            "linear score of each test row: for two labels that of the larger one, else by label",
        ),
        ("objective", "the minimum found"),
        ("n_iter", "Newton steps taken"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, tol 1e-10",
        cases: "logistic-C-1-spx-cls, logistic-C-0.01-spx-cls, logistic-C-1-spx-cls3, logistic-l1-C-0.05-spx-cls",
        tolerance: "probabilities and coefficients 1e-4 (L1: 1e-3, objective not above the reference's by more than 1e-6)",
    }],
    presets: &[],
    exemptions: &[],
};

/// Beyond this many weights the Hessian alone takes 200 MB.
const MOST_WEIGHTS: usize = 5_000;

impl LogisticParams {
    /// Share of the penalty on absolute weights.
    fn absolute(&self) -> f64 {
        match self.penalty {
            None | Some(Penalty::L2) => 0.0,
            Some(Penalty::L1) => 1.0,
            Some(Penalty::Auto | Penalty::ElasticNet) => self.l1_ratio,
        }
    }

    /// Refuses what scikit-learn's solver of that name refuses.
    fn check(&self, labels: usize) -> Result<(), ParamError> {
        let refused = |field: &str, reason: &str| {
            Err(ParamError {
                field: field.into(),
                reason: reason.into(),
                suggestions: Vec::new(),
            })
        };
        let absolute = self.absolute();
        let field = match self.penalty {
            Some(Penalty::L1) => "penalty",
            _ => "l1_ratio",
        };
        match self.solver {
            Solver::Auto | Solver::Saga => Ok(()),
            Solver::Liblinear if self.penalty.is_none() => refused(
                "penalty",
                "the solver liblinear takes none: take another solver, or a large C",
            ),
            Solver::Liblinear if labels > 2 => {
                refused("solver", "liblinear takes two labels: take another solver")
            }
            Solver::Liblinear if absolute > 0.0 && absolute < 1.0 => refused(
                field,
                "the solver liblinear takes an l1_ratio of 0 or 1: take saga",
            ),
            Solver::Liblinear => Ok(()),
            _ if absolute > 0.0 => refused(
                field,
                "of the solvers only auto, saga and (1) liblinear take an absolute penalty",
            ),
            _ => Ok(()),
        }
    }
}

impl Supervised for LogisticRegression {
    type Params = LogisticParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn fit(params: &LogisticParams, data: &Training, _: u64) -> Result<Fitted, FitError> {
        let labels = data.labels().ok_or_else(|| {
            FitError::Data("logistic_regression needs whole-number labels".into())
        })?;
        if labels.classes.len() < 2 {
            return Err(FitError::Data(format!(
                "the training rows have only the label {}: at least two are needed",
                labels.classes.first().copied().unwrap_or_default()
            )));
        }
        let k = labels.classes.len();
        params.check(k)?;
        let scores = if k == 2 { 1 } else { k };
        let p = data.design().columns();
        if scores * (p + 1) > MOST_WEIGHTS {
            return Err(FitError::Data(format!(
                "{p} columns and {k} labels make {} weights: at most {MOST_WEIGHTS} are fitted",
                scores * (p + 1)
            )));
        }

        // Columns are centred and scaled, and the penalties with them, so that steps and tolerance
        // do not depend on units; the optimum is that of the columns as they came.
        let penalised = params.solver == Solver::Liblinear && params.fit_intercept;
        let extended;
        let units = if penalised {
            let mut with_ones =
                Array2::from_elem((data.x().nrows(), p + 1), params.intercept_scaling);
            let mut own = with_ones.slice_axis_mut(Axis(1), (..p).into());
            own.assign(data.x());
            extended = with_ones;
            let names = data.design().names();
            Units::of(&extended, None, false, |j| {
                names
                    .get(j)
                    .map_or_else(|| "intercept".into(), Clone::clone)
            })?
        } else {
            Units::new(data, params.fit_intercept)?
        };
        let width = units.width();

        let mut row_weights = row_weights_by_weight(data, params.class_weight.as_ref())?;
        let total: f64 = row_weights.iter().sum();
        row_weights.iter_mut().for_each(|w| *w /= total);
        let absolute = params.absolute();
        let strength = match params.penalty {
            None => 0.0,
            Some(_) => 1.0 / (params.c * total),
        };
        let per_weight = |power: i32, share: f64| -> Vec<f64> {
            let one: Vec<f64> = (0..width)
                .map(|j| {
                    units
                        .scales
                        .get(j)
                        .map_or(0.0, |s| strength * share / s.powi(power))
                })
                .collect();
            one.repeat(scores)
        };
        let problem = Problem {
            units: &units,
            codes: &labels.codes,
            row_weights,
            scores,
            l2: per_weight(2, 1.0 - absolute),
            l1: per_weight(1, absolute),
        };
        let (theta, value, n_iter) = problem.minimise(params.max_iter, params.tol)?;

        let mut weights = Vec::with_capacity(scores);
        let mut intercepts = Vec::with_capacity(scores);
        for block in theta.chunks(width) {
            let (mut w, mut b) = units.undo(block);
            if penalised {
                b = w.pop().unwrap_or_default() * params.intercept_scaling;
            }
            intercepts.push(b);
            weights.push(w);
        }
        if k > 2 {
            // A common shift of all intercepts changes nothing; they are stated with sum 0.
            let shift = intercepts.iter().sum::<f64>() / k as f64;
            if params.fit_intercept {
                intercepts.iter_mut().for_each(|b| *b -= shift);
            }
        }
        Ok(Fitted {
            classes: labels.classes.clone(),
            weights,
            intercepts,
            objective: value * params.c * total,
            n_iter,
        })
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        let scores = self.weights.len();
        let mut p = Array2::zeros((x.nrows(), self.classes.len()));
        let mut decision = Array2::zeros((x.nrows(), scores));
        for (i, row) in x.rows().into_iter().enumerate() {
            for k in 0..scores {
                decision[[i, k]] = self.intercepts[k] + dot(row, &self.weights[k]);
            }
            let mut out = p.row_mut(i);
            if scores == 1 {
                let one = sigmoid(decision[[i, 0]]);
                (out[0], out[1]) = (1.0 - one, one);
            } else {
                out.assign(&decision.row(i));
                softmax(flat_mut(out.view_mut()));
            }
        }
        Ok(Prediction {
            decision: Some(decision),
            ..Prediction::probabilities(p, self.classes.clone())
        })
    }

    fn outputs(&self) -> Outputs {
        let (coefficients, intercept) = if self.weights.len() == 1 {
            (run::numbers(&self.weights[0]), self.intercepts[0].into())
        } else {
            (
                self.weights.iter().map(|w| run::numbers(w)).collect(),
                run::numbers(&self.intercepts),
            )
        };
        Outputs::from_iter([
            ("coefficients".to_owned(), coefficients),
            ("intercept".to_owned(), intercept),
            ("objective".to_owned(), Value::from(self.objective)),
            ("n_iter".to_owned(), Value::from(self.n_iter)),
        ])
    }
}

/// Mean loss plus penalties over `scores` blocks of `units.width()` weights, the last of a block being
/// the intercept where there is one.
struct Problem<'a> {
    units: &'a Units<'a>,
    codes: &'a [usize],
    row_weights: Vec<f64>,
    scores: usize,
    l2: Vec<f64>,
    l1: Vec<f64>,
}

impl Problem<'_> {
    /// Objective and, rows x scores, the probabilities there.
    fn value(&self, theta: &[f64]) -> (f64, Array2<f64>) {
        let mut p = Array2::zeros((self.codes.len(), self.scores));
        if self.scores == 1 {
            self.units.times(theta, flat_mut(p.view_mut()));
        } else {
            let mut scores = vec![0.0; self.codes.len()];
            let blocks = theta.chunks(self.units.width());
            for (mut column, block) in p.columns_mut().into_iter().zip(blocks) {
                self.units.times(block, &mut scores);
                let pairs = column.iter_mut().zip(&scores);
                pairs.for_each(|(to, v)| *to = *v);
            }
        }
        let mut value = 0.0;
        for (i, mut out) in p.rows_mut().into_iter().enumerate() {
            let code = self.codes[i];
            let loss = if self.scores == 1 {
                let t = out[0];
                out[0] = sigmoid(t);
                // -ln of the probability of the label.
                softplus(if code == 1 { -t } else { t })
            } else {
                let own = out[code];
                softmax(flat_mut(out.view_mut())) - own
            };
            value += self.row_weights[i] * loss;
        }
        (value + self.penalty(theta), p)
    }

    fn penalty(&self, theta: &[f64]) -> f64 {
        let each = theta.iter().zip(&self.l2).zip(&self.l1);
        each.map(|((t, l2), l1)| 0.5 * l2 * t * t + l1 * t.abs())
            .sum()
    }

    /// Gradient of the smooth part.
    fn gradient(&self, theta: &[f64], p: &Array2<f64>) -> Vec<f64> {
        let loss = (0..self.scores).flat_map(|k| {
            let hit = if self.scores == 1 { 1 } else { k };
            let error = move |i: usize| p[[i, k]] - f64::from(u8::from(self.codes[i] == hit));
            self.units.sum(move |i| error(i) * self.row_weights[i])
        });
        let penalty = theta.iter().zip(&self.l2).map(|(t, l2)| t * l2);
        loss.zip(penalty).map(|(a, b)| a + b).collect()
    }

    /// Second derivatives of the smooth part.
    fn hessian(&self, p: &Array2<f64>) -> Array2<f64> {
        let width = self.units.width();
        let d = width * self.scores;
        let mut h = Array2::zeros((d, d));
        for a in 0..self.scores {
            for b in a..self.scores {
                let same = f64::from(u8::from(a == b));
                let block = self
                    .units
                    .gram(|i| self.row_weights[i] * p[[i, a]] * (same - p[[i, b]]));
                for ((i, j), v) in block.indexed_iter() {
                    h[[a * width + i, b * width + j]] = *v;
                    h[[b * width + j, a * width + i]] = *v;
                }
            }
        }
        for (j, l2) in self.l2.iter().enumerate() {
            h[[j, j]] += l2;
        }
        if self.scores > 1 {
            // The common shift of weights without a penalty, intercepts among them, is free: hold it where it
            // is, at 0.
            let free = (0..width).filter(|j| self.l1[*j] == 0.0 && self.l2[*j] == 0.0);
            for j in free {
                for a in 0..self.scores {
                    for b in 0..self.scores {
                        h[[a * width + j, b * width + j]] += 1.0 / self.scores as f64;
                    }
                }
            }
        }
        // Rows that are certain, or columns that depend on each other, leave directions flat.
        for j in 0..d {
            h[[j, j]] += 1e-12 * (1.0 + h[[j, j]]);
        }
        h
    }

    /// How far a point is from optimal: the largest entry of the smallest subgradient.
    fn criterion(&self, theta: &[f64], g: &[f64]) -> f64 {
        let each = theta.iter().zip(g).zip(&self.l1);
        each.map(|((&t, &g), &l1)| {
            if t == 0.0 {
                (g.abs() - l1).max(0.0)
            } else {
                (g + l1 * t.signum()).abs()
            }
        })
        .fold(0.0, f64::max)
    }

    /// Weights, objective and steps.
    fn minimise(&self, max_iter: usize, tol: f64) -> Result<(Vec<f64>, f64, usize), FitError> {
        let mut theta = vec![0.0; self.l2.len()];
        let (mut value, mut p) = self.value(&theta);
        let mut g = self.gradient(&theta, &p);
        let mut left = self.criterion(&theta, &g);
        let mut steps = 0;
        while left > tol {
            if steps == max_iter {
                return Err(FitError::Failed(format!(
                    "logistic regression did not converge in max_iter = {max_iter} steps (gradient {left:.3e}, tol {tol:e}): raise max_iter or tol, or lower C"
                )));
            }
            steps += 1;
            let h = self.hessian(&p);
            let direction = if self.l1.iter().any(|l1| *l1 > 0.0) {
                self.descend(&theta, &g, &h)
            } else {
                newton(&h, &g)?
            };
            // What the step promises to first order; negative unless the point is optimal.
            let moved: Vec<f64> = theta.iter().zip(&direction).map(|(t, d)| t + d).collect();
            let l1 = |t: &[f64]| -> f64 { t.iter().zip(&self.l1).map(|(t, l)| l * t.abs()).sum() };
            let promise = dot(&g, &direction) + l1(&moved) - l1(&theta);
            let mut length = 1.0;
            let taken = loop {
                let next: Vec<f64> = theta
                    .iter()
                    .zip(&direction)
                    .map(|(t, d)| t + length * d)
                    .collect();
                let (at, q) = self.value(&next);
                let slack = 4.0 * f64::EPSILON * value.abs();
                if at <= value + 1e-4 * length * promise + slack {
                    break Some((next, at, q));
                }
                length *= 0.5;
                if length < 1e-12 {
                    break None;
                }
            };
            let Some((next, at, q)) = taken else {
                return Err(FitError::Failed(format!(
                    "logistic regression stopped at gradient {left:.3e} (tol {tol:e}), as near as double precision goes here: raise tol, lower C or rescale the columns"
                )));
            };
            (theta, value, p) = (next, at, q);
            g = self.gradient(&theta, &p);
            left = self.criterion(&theta, &g);
        }
        Ok((theta, value, steps))
    }

    /// The minimum of the quadratic model plus the absolute penalty, by coordinate descent.
    fn descend(&self, theta: &[f64], g: &[f64], h: &Array2<f64>) -> Vec<f64> {
        let d = theta.len();
        let mut step = vec![0.0; d];
        // Gradient of the model at the step so far.
        let mut slope = g.to_vec();
        for _ in 0..10_000 {
            let mut largest: f64 = 0.0;
            for j in 0..d {
                let curve = h[[j, j]];
                let at = theta[j] + step[j];
                let free = at - slope[j] / curve;
                let next = free.signum() * (free.abs() - self.l1[j] / curve).max(0.0);
                let change = next - at;
                if change != 0.0 {
                    step[j] += change;
                    for (s, hj) in slope.iter_mut().zip(h.row(j)) {
                        *s += change * hj;
                    }
                    largest = largest.max(change.abs());
                }
            }
            let size = step.iter().fold(1e-6, |m: f64, s| m.max(s.abs()));
            if largest <= 1e-10 * size {
                break;
            }
        }
        // Exactly onto zero where the model wants zero.
        for (s, t) in step.iter_mut().zip(theta) {
            if (t + *s).abs() <= 1e-14 * t.abs() {
                *s = -t;
            }
        }
        step
    }
}

/// Solves H d = -g.
fn newton(h: &Array2<f64>, g: &[f64]) -> Result<Vec<f64>, FitError> {
    let mut d: Vec<f64> = g.iter().map(|g| -g).collect();
    lifted(h, "logistic regression")?.solve(&mut d);
    Ok(d)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, classes, remainders};
    use mltrainer_catalogue_core::Params as _;

    fn fit(rows: &[&[f64]], y: &[f64], given: serde_json::Value) -> Result<Fitted, FitError> {
        let params = LogisticParams::from_map(given.as_object().unwrap()).unwrap();
        LogisticRegression::fit(&params, &classes(rows, y), 0)
    }

    #[test]
    fn without_columns_that_matter_the_shares_come_out() {
        // A constant column: the intercept alone, ln(3/1).
        let rows: [&[f64]; 4] = [&[2.0]; 4];
        let fitted = fit(&rows, &[0.0, 1.0, 1.0, 1.0], serde_json::json!({})).unwrap();
        assert_near(&fitted.intercepts, &[3.0_f64.ln()], 1e-8);
        assert_eq!(fitted.weights, [[0.0]]);
        // Three labels: centred logarithms of the shares 1/4, 1/4, 1/2.
        let fitted = fit(&rows, &[0.0, 1.0, 2.0, 2.0], serde_json::json!({})).unwrap();
        let shift = (2.0 * 0.25_f64.ln() + 0.5_f64.ln()) / 3.0;
        let want = [
            0.25_f64.ln() - shift,
            0.25_f64.ln() - shift,
            0.5_f64.ln() - shift,
        ];
        assert_near(&fitted.intercepts, &want, 1e-8);
        // Balanced: as if the labels were equally many.
        let balanced = serde_json::json!({"class_weight": "balanced"});
        let fitted = fit(&rows, &[0.0, 1.0, 1.0, 1.0], balanced).unwrap();
        assert_near(&fitted.intercepts, &[0.0], 1e-8);
    }

    #[test]
    fn the_optimum_solves_its_equation() {
        // x = -1 and 1 with labels 0 and 1, no intercept: w minimises 2C ln(1 + e^-w) + w²/2,
        // so w = 2C/(1 + e^w).
        let given = serde_json::json!({"C": 2.0, "fit_intercept": false});
        let w = fit(&[&[-1.0], &[1.0]], &[0.0, 1.0], given).unwrap().weights[0][0];
        assert_near(&[w], &[4.0 / (1.0 + w.exp())], 1e-8);
        // L1: 2C/(1 + e^w) = 1, so w = ln 3 for C = 2; for C = 1 the penalty wins and w = 0.
        let l1 = |c: f64| {
            let given = serde_json::json!({"C": c, "l1_ratio": 1, "fit_intercept": false});
            fit(&[&[-1.0], &[1.0]], &[0.0, 1.0], given).unwrap().weights[0][0]
        };
        assert_near(&[l1(2.0)], &[3.0_f64.ln()], 1e-7);
        assert_eq!(l1(1.0), 0.0);
    }

    #[test]
    fn liblinear_penalises_the_intercept_as_scikit_learn() {
        // scikit-learn 1.9.1, LogisticRegression(solver=..., tol=1e-12, max_iter=100000, ...) on the table of
        // `remainders` with weights: coef_ and intercept_.
        let rows = remainders();
        let some: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let y: Vec<f64> = (0..24_u32)
            .map(|i| {
                let score = f64::from(i * i % 17) / 8.0 - f64::from(i * 5 % 11) / 9.0
                    + f64::from(i % 5) / 3.0;
                f64::from(u8::from(score > 1.0))
            })
            .collect();
        let weights = (0..24_u32)
            .map(|i| f64::from(i * 7 % 5 + 1) / 2.0)
            .collect();
        let data = classes(&some, &y).with_weights(weights).unwrap();
        let found = |given: serde_json::Value| {
            let params = LogisticParams::from_map(given.as_object().unwrap()).unwrap();
            let fitted = LogisticRegression::fit(&params, &data, 0)?;
            Ok::<_, FitError>([fitted.weights[0].clone(), fitted.intercepts].concat())
        };
        let liblinear = |more: serde_json::Value| {
            let mut given = more;
            given["solver"] = "liblinear".into();
            found(given).unwrap()
        };
        for (given, want) in [
            (
                serde_json::json!({}),
                [
                    0.9205374527484418,
                    -0.04031714347797914,
                    -0.28294529534677465,
                    -1.4570129968739907,
                    -0.6614557944656214,
                ],
            ),
            (
                serde_json::json!({"C": 0.3, "intercept_scaling": 5.0}),
                [
                    0.7125781674393773,
                    0.08470076063386629,
                    0.006435564617410271,
                    -0.6175007130980565,
                    -3.180611522283864,
                ],
            ),
            (
                serde_json::json!({"l1_ratio": 1.0, "intercept_scaling": 2.0}),
                [
                    0.9758106793591523,
                    0.0,
                    0.0,
                    -1.7403532516671938,
                    -1.2704267903965607,
                ],
            ),
            (
                serde_json::json!({"fit_intercept": false}),
                [
                    0.9272959858247659,
                    -0.07851357967974477,
                    -0.36047041383203304,
                    -1.5262157804236527,
                    0.0,
                ],
            ),
        ] {
            assert_near(&liblinear(given), &want, 1e-5);
        }
        // The same call with solver="newton-cholesky".
        let free = [
            1.216884722299564,
            0.4954098899486543,
            0.32737314862151445,
            -0.7019668317346877,
            -11.290988494378462,
        ];
        for solver in [
            "auto",
            "lbfgs",
            "newton-cg",
            "newton-cholesky",
            "sag",
            "saga",
        ] {
            assert_near(
                &found(serde_json::json!({"solver": solver})).unwrap(),
                &free,
                1e-5,
            );
        }
        for (given, field) in [
            (
                serde_json::json!({"solver": "lbfgs", "l1_ratio": 1.0}),
                "l1_ratio",
            ),
            (
                serde_json::json!({"solver": "sag", "l1_ratio": 0.5}),
                "l1_ratio",
            ),
            (
                serde_json::json!({"solver": "liblinear", "l1_ratio": 0.5}),
                "l1_ratio",
            ),
        ] {
            let Err(FitError::Param(e)) = found(given) else {
                panic!("not refused")
            };
            assert_eq!(e.field, field);
        }
        let three = classes(
            &some,
            &(0..24).map(|i| f64::from(i % 3)).collect::<Vec<f64>>(),
        );
        let params = LogisticParams::from_map(
            serde_json::json!({"solver": "liblinear"})
                .as_object()
                .unwrap(),
        );
        let refused = LogisticRegression::fit(&params.unwrap(), &three, 0).unwrap_err();
        assert!(
            refused.to_string().contains("liblinear takes two labels"),
            "{refused}"
        );
    }

    #[test]
    fn penalties_as_scikit_learn() {
        // scikit-learn 1.9.1, LogisticRegression(penalty=..., tol=1e-12), newton-cholesky or with l1 saga, on
        // the first three columns of `remainders`: coef_ and intercept_.
        let rows = remainders();
        let rows: Vec<&[f64]> = rows.iter().map(|r| &r[..3]).collect();
        type Want = (&'static [[f64; 3]], &'static [f64]);
        let cases: [(u32, serde_json::Value, Want); 4] = [
            (
                2,
                serde_json::Value::Null,
                (
                    &[[
                        0.097_578_035_147_749_1,
                        0.101_447_405_583_915_57,
                        0.075_611_067_423_277_79,
                    ]],
                    &[-2.468_111_646_745_491],
                ),
            ),
            (
                2,
                "l1".into(),
                (
                    &[[0.090_486_253_005_843_59, 0.079_897_006_660_602_45, 0.0]],
                    &[-2.064_759_476_059_889_3],
                ),
            ),
            (
                3,
                serde_json::Value::Null,
                (
                    &[
                        [
                            0.076_574_670_400_244_54,
                            -0.068_238_341_917_551_75,
                            -0.369_609_381_448_661_5,
                        ],
                        [
                            0.030_857_603_512_312_19,
                            0.068_556_093_721_306_1,
                            0.032_848_490_594_687_92,
                        ],
                        [
                            -0.107_432_273_912_556_68,
                            -0.000_317_751_803_754_336_6,
                            0.336_760_890_853_973_65,
                        ],
                    ],
                    &[
                        0.899_143_353_285_797_5,
                        -0.639_297_600_119_584_1,
                        -0.259_845_753_166_213_44,
                    ],
                ),
            ),
            (
                3,
                "l2".into(),
                (
                    &[
                        [
                            0.073_449_625_701_821_54,
                            -0.063_300_472_494_796_87,
                            -0.303_454_297_755_844_04,
                        ],
                        [
                            0.029_429_505_428_510_364,
                            0.067_745_797_735_287_66,
                            0.037_715_368_618_556_115,
                        ],
                        [
                            -0.102_879_131_130_329_51,
                            -0.004_445_325_240_486_779,
                            0.265_738_929_137_288_3,
                        ],
                    ],
                    &[
                        0.770_917_588_887_337_5,
                        -0.639_581_195_522_314_2,
                        -0.131_336_393_365_022_42,
                    ],
                ),
            ),
        ];
        for (labels, penalty, (weights, intercepts)) in cases {
            let y: Vec<f64> = (0..24_u32)
                .map(|i| f64::from((i * 7 % 5) % labels))
                .collect();
            // Beside l1, l2 and none the share does not matter.
            let given = serde_json::json!({"penalty": penalty, "l1_ratio": 0.5});
            let fitted = fit(&rows, &y, given).unwrap();
            assert_near(&fitted.weights.concat(), weights.as_flattened(), 1e-6);
            assert_near(&fitted.intercepts, intercepts, 1e-6);
        }
        let y: Vec<f64> = (0..24_u32).map(|i| f64::from(i % 2)).collect();
        for (given, field) in [
            (
                serde_json::json!({"penalty": null, "solver": "liblinear"}),
                "penalty",
            ),
            (
                serde_json::json!({"penalty": "l1", "solver": "lbfgs"}),
                "penalty",
            ),
            (
                serde_json::json!({"l1_ratio": 1.0, "solver": "lbfgs"}),
                "l1_ratio",
            ),
        ] {
            let refused = fit(&rows, &y, given).unwrap_err().to_string();
            assert!(
                refused.starts_with(&format!("parameter {field}: ")),
                "{refused}"
            );
        }
    }

    #[test]
    fn one_label_is_refused() {
        let refused = fit(&[&[1.0], &[2.0]], &[1.0, 1.0], serde_json::json!({})).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the training rows have only the label 1: at least two are needed"
        );
    }
}
