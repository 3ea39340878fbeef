//! Linear support vector regression.
//!
//! What: a plane with a tube in which errors cost nothing, for many rows.
//! Formula: min (|w|² + b²)/2 + C Σ sᵢ max(0, |yᵢ - xᵢ·w - b| - epsilon), or the square of the maximum.
//! Data: columns of like scale; a target near 0, since the intercept is penalised too.
//! Cost: fit O(steps · n p min(n, p)), predict O(rows p).
//! Fails when: the target is far from 0: the penalty on the intercept then pulls the plane down.
//! Source: Ho & Lin, JMLR 13 (2012); Ferris & Munson, SIAM J. Optim. 13 (2002).
//! Not claimed: an interval: the tube is not one.

use crate::linear::Plane;
use crate::numeric::{Cholesky, add_scaled, dot, flat, lifted};
use mltrainer_catalogue_core::card::{Evidence, Preset};
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Supervised, Training, choices, params,
};
use mltrainer_types::catalogue::Task;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, Axis};

/// The handle.
pub struct LinearSvr;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<LinearSvr>();

choices! {
    /// What an error beyond the tube costs.
    pub enum Loss {
        /// Its size.
        Insensitive = "epsilon_insensitive",
        /// Its square.
        SquaredInsensitive = "squared_epsilon_insensitive",
    }
}

params! {
    /// Parameters of linear support vector regression.
    pub struct LinearSvrParams {
        /// Errors up to this cost nothing, target units.
        epsilon: f64 = 0.0, at_least(0.0);
        /// It ends when the gap between the value and its lower bound is below this share of the value.
        tol: f64 = 1e-12, inside(0.0, 1.0);
        /// Cost of an error beyond the tube.
        c as "C": f64 = 1.0, above(0.0);
        /// What an error beyond the tube costs.
        loss: Loss = Loss::Insensitive;
        /// Whether an intercept is fitted; it is penalised like a weight.
        fit_intercept: bool = true;
        /// The intercept is penalised as a weight of a column with this value.
        intercept_scaling: f64 = 1.0, above(0.0);
        /// Steps at most; `converged` says whether they were enough.
        max_iter: usize = 1_000, within(1.0, 10_000_000.0);
    }
}

const CARD: Card = Card {
    id: "linear_svr",
    family: "svm",
    title: "Linear support vector regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "A plane with a tube around it in which errors cost nothing, found by an interior point method: for more rows than a kernel can take.",
    formula: "min over w, b of (|w|² + (b/intercept_scaling)²)/2 + C Σᵢ sᵢ max(0, |yᵢ - xᵢ·w - b| - epsilon), or with the square of the maximum; sᵢ the row weights",
    data: "Columns of like scale; a target near 0, or an intercept_scaling that is large: the intercept is penalised too.",
    cost: "fit O(steps · n p · min(n, p)), some tens of steps; predict O(rows · p)",
    fails_when: "The target is far from 0: the penalty on the intercept then pulls the plane down.",
    not_claimed: "An interval: the tube is not one.",
    source: "C.-H. Ho, C.-J. Lin, Large-scale linear support vector regression, JMLR 13 (2012); M. C. Ferris, T. S. Munson, Interior-point methods for massive support vector machines, SIAM J. Optim. 13 (2002)",
    reference: "scikit-learn 1.9.1, LinearSVR (here at the optimum, whatever the order of the rows)",
    outputs: &[
        (
            "coefficients",
            "weights, one a column, target units per column unit",
        ),
        ("intercept", "b, target units; 0 without an intercept"),
        ("objective", "the least value found"),
        ("n_iter", "steps made"),
        ("converged", "whether it ended before max_iter"),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "the optimum by cvxpy 1.9, with the convention of scikit-learn 1.9.1",
            cases: "linear-svr-C-0.5-aapl-small, linear-svr-C-0.05-aapl-small",
            tolerance: "predictions and coefficients 1e-3, objective not above the optimum",
        },
        Evidence {
            against: "scikit-learn 1.9.0, LinearSVR(dual=False, tol=1e-10) and, where it ends, dual=True",
            cases: "a test of this entry: both losses, intercept_scaling 1, 10 and 100",
            tolerance: "weights and objective 1e-6; the objective not above that of fits that do not end",
        },
    ],
    presets: &[
        Preset {
            id: "linear_svr_c_0_1",
            title: "Linear SVR, C 0.1",
            set: &[("C", "0.1")],
        },
        Preset {
            id: "linear_svr_c_1_0",
            title: "Linear SVR, C 1",
            set: &[("C", "1.0")],
        },
    ],
    exemptions: &[],
};

impl Supervised for LinearSvr {
    type Params = LinearSvrParams;
    type Fitted = Plane;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn fit(params: &LinearSvrParams, data: &Training, _: u64) -> Result<Plane, FitError> {
        let p = data.x().ncols();
        let width = p + usize::from(params.fit_intercept);
        let given = data.weights();
        // Rows that cost nothing say nothing.
        let rows: Vec<usize> = (0..data.y().len())
            .filter(|i| given.is_none_or(|w| w[*i] > 0.0))
            .collect();
        let mut x = Array2::from_elem((rows.len(), width), params.intercept_scaling);
        for (mut to, i) in x.rows_mut().into_iter().zip(&rows) {
            to.iter_mut()
                .zip(data.x().row(*i))
                .for_each(|(t, v)| *t = *v);
        }
        if !x.iter().map(|v| v * v).sum::<f64>().is_finite() {
            return Err(FitError::Failed(
                "linear_svr: the columns are too large to be squared: rescale them".into(),
            ));
        }
        let problem = Problem {
            x,
            y: rows.iter().map(|i| data.y()[*i]).collect(),
            cost: rows
                .iter()
                .map(|i| params.c * given.map_or(1.0, |w| w[*i]))
                .collect(),
            epsilon: params.epsilon,
            squared: params.loss == Loss::SquaredInsensitive,
        };
        let found = problem.solve(params.tol, params.max_iter)?;
        let extra = Outputs::from_iter([
            ("objective".to_owned(), found.value.into()),
            ("n_iter".to_owned(), found.n_iter.into()),
            ("converged".to_owned(), found.converged.into()),
        ]);
        let mut w = found.w;
        let intercept = w.get(p).map_or(0.0, |b| b * params.intercept_scaling);
        w.truncate(p);
        Plane::at(w, intercept, extra)
    }
}

/// min |w|²/2 + Σ cost · max(0, |y - x·w| - epsilon), or with the square of the maximum.
struct Problem {
    x: Array2<f64>,
    y: Vec<f64>,
    cost: Vec<f64>,
    epsilon: f64,
    squared: bool,
}

struct Found {
    w: Vec<f64>,
    value: f64,
    n_iter: usize,
    converged: bool,
}

/// A variable of the dual, 0 ≤ v ≤ c, with the multipliers z of 0 ≤ v and u of v ≤ c.
#[derive(Debug, Clone, Copy, Default)]
struct Variable {
    v: f64,
    z: f64,
    u: f64,
}

impl Variable {
    /// Its change and that of its multipliers, when v changes by `dv` and both products go to `aims`.
    fn change(self, dv: f64, room: f64, aims: (f64, f64)) -> Self {
        let z = (aims.0 - self.z * dv) / self.v - self.z;
        let u = if room.is_finite() {
            (aims.1 + self.u * dv) / room - self.u
        } else {
            0.0
        };
        Self { v: dv, z, u }
    }
}

/// Rows whose products are taken at a time.
const BLOCK: usize = 128;

/// Share of the way to the border that a step goes.
const NEARLY: f64 = 0.995;

impl Problem {
    /// The value and |w|²/2.
    fn value(&self, w: &[f64], products: &[f64]) -> (f64, f64) {
        let errors = products.iter().zip(&self.y).zip(&self.cost);
        let errors: f64 = errors
            .map(|((xw, y), cost)| {
                let beyond = ((y - xw).abs() - self.epsilon).max(0.0);
                cost * if self.squared {
                    beyond * beyond
                } else {
                    beyond
                }
            })
            .sum();
        let half = 0.5 * dot(w, w);
        (half + errors, half)
    }

    fn products(&self, w: &[f64]) -> Vec<f64> {
        let rows = self.x.rows().into_iter();
        rows.map(|row| dot(flat(row), w)).collect()
    }

    /// Σ by · row.
    fn sum(&self, by: impl Iterator<Item = f64>) -> Vec<f64> {
        let mut sum = vec![0.0; self.x.ncols()];
        for (row, by) in self.x.rows().into_iter().zip(by) {
            add_scaled(&mut sum, by, flat(row));
        }
        sum
    }

    /// The primal-dual interior point method of Mehrotra on the dual, whose variables are the pulls of each
    /// row up (a) and down (b), w = Σ (a - b) x.
    fn solve(&self, tol: f64, max_iter: usize) -> Result<Found, FitError> {
        let (n, q) = self.x.dim();
        // The square of the error becomes one of the variable, which then has no upper end.
        let top = |i: usize| {
            if self.squared {
                f64::INFINITY
            } else {
                self.cost[i]
            }
        };
        let damp = |i: usize| {
            if self.squared {
                0.5 / self.cost[i]
            } else {
                0.0
            }
        };
        let size = self.y.iter().map(|y| y.abs() + self.epsilon).sum::<f64>() / n.max(1) as f64;
        let size = size.max(f64::MIN_POSITIVE);
        let mut pulls: Vec<[Variable; 2]> = (0..n)
            .map(|i| {
                let v = if self.squared {
                    2.0 * self.cost[i] * size
                } else {
                    0.5 * self.cost[i]
                };
                [1.0, -1.0].map(|sign| {
                    let slope = self.epsilon - sign * self.y[i] + damp(i) * v;
                    Variable {
                        v,
                        z: slope.max(0.0) + size,
                        u: if self.squared {
                            0.0
                        } else {
                            (-slope).max(0.0) + size
                        },
                    }
                })
            })
            .collect();
        let kernel = (q > n).then(|| self.x.dot(&self.x.t()));
        let many = (n * if self.squared { 2 } else { 4 }).max(1) as f64;
        let mut w = vec![0.0; q];
        let mut best = Found {
            value: f64::INFINITY,
            w: w.clone(),
            n_iter: 0,
            converged: n == 0,
        };
        let mut lower = f64::NEG_INFINITY;
        let mut idle = 0;
        while !best.converged && best.n_iter < max_iter && idle < 5 {
            let products = self.products(&w);
            let (value, half) = self.value(&w, &products);
            // What any variables within their limits say of the least value.
            let each = pulls.iter().enumerate().map(|(i, [a, b])| {
                self.y[i] * (a.v - b.v)
                    - self.epsilon * (a.v + b.v)
                    - 0.5 * damp(i) * (a.v * a.v + b.v * b.v)
            });
            let before = best.value - lower;
            lower = lower.max(each.sum::<f64>() - half);
            if value < best.value {
                best.value = value;
                best.w.clone_from(&w);
            }
            let gap = best.value - lower;
            best.converged = gap <= tol * best.value.abs();
            // As near as rounding lets it come.
            idle = if gap < 0.9 * before { 0 } else { idle + 1 };
            if best.converged {
                break;
            }
            best.n_iter += 1;
            let mean = pulls
                .iter()
                .enumerate()
                .flat_map(|(i, both)| both.iter().map(move |p| (i, p)))
                .map(|(i, p)| {
                    p.v * p.z
                        + if self.squared {
                            0.0
                        } else {
                            p.u * (top(i) - p.v)
                        }
                })
                .sum::<f64>()
                / many;
            let curves: Vec<[f64; 2]> = pulls
                .iter()
                .enumerate()
                .map(|(i, both)| both.map(|p| damp(i) + p.z / p.v + p.u / (top(i) - p.v)))
                .collect();
            let weights: Vec<f64> = curves.iter().map(|[a, b]| 1.0 / a + 1.0 / b).collect();
            let system = self.system(&weights, kernel.as_ref())?;
            let step = |aims: &dyn Fn(usize, usize) -> (f64, f64)| {
                let pull = |i: usize, side: usize| {
                    let (p, sign) = (pulls[i][side], if side == 0 { 1.0 } else { -1.0 });
                    let (to_z, to_u) = aims(i, side);
                    let slope = self.epsilon + sign * (products[i] - self.y[i]) + damp(i) * p.v;
                    to_z / p.v - to_u / (top(i) - p.v) - slope
                };
                let right = (0..n).map(|i| pull(i, 0) / curves[i][0] - pull(i, 1) / curves[i][1]);
                let dw = self.newton(&system, &weights, self.sum(right));
                let moved = self.products(&dw);
                let changes: Vec<[Variable; 2]> = (0..n)
                    .map(|i| {
                        [0, 1].map(|side| {
                            let sign = if side == 0 { 1.0 } else { -1.0 };
                            let dv = (pull(i, side) - sign * moved[i]) / curves[i][side];
                            let p = pulls[i][side];
                            p.change(dv, top(i) - p.v, aims(i, side))
                        })
                    })
                    .collect();
                changes
            };
            let length = |changes: &[[Variable; 2]]| {
                let mut most = 1.0 / NEARLY;
                for (i, (both, by)) in pulls.iter().zip(changes).enumerate() {
                    for (p, d) in both.iter().zip(by) {
                        for (at, change) in
                            [(p.v, d.v), (p.z, d.z), (p.u, d.u), (top(i) - p.v, -d.v)]
                        {
                            if change < 0.0 && at + most * change < 0.0 {
                                most = -at / change;
                            }
                        }
                    }
                }
                (NEARLY * most).min(1.0)
            };
            let first = step(&|_, _| (0.0, 0.0));
            let far = length(&first);
            let after = pulls
                .iter()
                .zip(&first)
                .enumerate()
                .flat_map(|(i, (both, by))| both.iter().zip(by).map(move |pair| (i, pair)))
                .map(|(i, (p, d))| {
                    let v = p.v + far * d.v;
                    let upper = if self.squared {
                        0.0
                    } else {
                        (p.u + far * d.u) * (top(i) - v)
                    };
                    v * (p.z + far * d.z) + upper
                })
                .sum::<f64>()
                / many;
            let aim = mean * (after / mean).powi(3).min(1.0);
            let second = step(&|i, side| {
                let d = first[i][side];
                (aim - d.v * d.z, aim + d.v * d.u)
            });
            let far = length(&second);
            for (both, by) in pulls.iter_mut().zip(&second) {
                for (p, d) in both.iter_mut().zip(by) {
                    p.v += far * d.v;
                    p.z += far * d.z;
                    p.u += far * d.u;
                }
            }
            w = self.sum(pulls.iter().map(|[a, b]| a.v - b.v));
            if w.iter().any(|w| !w.is_finite()) {
                break;
            }
        }
        if !best.value.is_finite() {
            return Err(FitError::Failed(
                "linear_svr: the value is not a finite number: rescale the columns".into(),
            ));
        }
        // Rounding may end it before tol does.
        best.converged |= best.value - lower <= 1e-9 * best.value.abs();
        Ok(best)
    }

    /// The factor of 1 + Xᵀ W X or, with more columns than rows, of 1/W + X Xᵀ.
    fn system(&self, weights: &[f64], kernel: Option<&Array2<f64>>) -> Result<Cholesky, FitError> {
        if let Some(kernel) = kernel {
            let mut a = kernel.clone();
            for (d, w) in a.diag_mut().iter_mut().zip(weights) {
                *d += 1.0 / w;
            }
            return lifted(&a, "linear_svr");
        }
        let q = self.x.ncols();
        let mut a = Array2::eye(q);
        let mut room = Array2::zeros((BLOCK, q));
        for (block, w) in self
            .x
            .axis_chunks_iter(Axis(0), BLOCK)
            .zip(weights.chunks(BLOCK))
        {
            let mut scaled = room.slice_axis_mut(Axis(0), (..block.nrows()).into());
            scaled.assign(&block);
            for (mut row, w) in scaled.rows_mut().into_iter().zip(w) {
                row.iter_mut().for_each(|v| *v *= w);
            }
            let block: ArrayView2<'_, f64> = block;
            general_mat_mul(1.0, &scaled.t(), &block, 1.0, &mut a);
        }
        lifted(&a, "linear_svr")
    }

    /// (1 + Xᵀ W X)⁻¹ right.
    fn newton(&self, system: &Cholesky, weights: &[f64], right: Vec<f64>) -> Vec<f64> {
        let mut out = right;
        if self.x.ncols() <= weights.len() {
            system.solve(&mut out);
            return out;
        }
        // Woodbury's identity.
        let mut inner = self.products(&out);
        system.solve(&mut inner);
        add_scaled(&mut out, -1.0, &self.sum(inner.into_iter()));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, table};
    use mltrainer_catalogue_core::{Params as _, Predictor as _};
    use serde_json::json;

    #[test]
    fn it_ends_at_the_optimum() {
        // The optimum of epsilon_insensitive by cvxpy 1.9.3 with Clarabel to 1e-12; LinearSVR(dual=True) of
        // scikit-learn 1.9.0 ends there at intercept_scaling 1, and at 200.59998 and 200.6323 after a million
        // passes at 10 and 100. Of the other loss by LinearSVR(dual=False, tol=1e-10).
        let flat: Vec<[f64; 5]> = (0..200)
            .map(|i: usize| std::array::from_fn(|j| crate::testing::eighths(i, j)))
            .collect();
        let rows: Vec<&[f64]> = flat.iter().map(|r| &r[..]).collect();
        let each = rows.iter().enumerate();
        let y: Vec<f64> = each
            .map(|(i, r)| ((i * 31) % 53) as f64 / 16.0 + r[0] * r[1] / 16.0 - r[2] / 4.0)
            .collect();
        for (loss, scaling, want) in [
            (
                "epsilon_insensitive",
                1.0,
                [
                    201.56432744134906,
                    0.4411514461671051,
                    0.3903800592952943,
                    -1.275206427652199,
                ],
            ),
            (
                "epsilon_insensitive",
                10.0,
                [
                    200.5997596844281,
                    0.4468289006070704,
                    0.3931900919599832,
                    -1.4446313108091706,
                ],
            ),
            (
                "epsilon_insensitive",
                100.0,
                [
                    200.58942923428873,
                    0.44682890060709185,
                    0.3931900919600107,
                    -1.4446313108095081,
                ],
            ),
            (
                "squared_epsilon_insensitive",
                1.0,
                [329.9194120058806, 0.38563182, 0.35555562, -0.91628971],
            ),
            (
                "squared_epsilon_insensitive",
                10.0,
                [329.4871307372994, 0.38685697, 0.35655014, -0.9530857],
            ),
            (
                "squared_epsilon_insensitive",
                100.0,
                [329.4826324860497, 0.38686969, 0.35656046, -0.95346897],
            ),
        ] {
            let given = json!({"loss": loss, "intercept_scaling": scaling, "epsilon": 0.1});
            let params = LinearSvrParams::from_map(given.as_object().unwrap()).unwrap();
            let fitted = LinearSvr::fit(&params, &table(&rows, &y), 0).unwrap();
            let o = fitted.outputs();
            assert_eq!(o["converged"], true);
            let number = |v: &serde_json::Value| v.as_f64().unwrap();
            let got = [
                number(&o["objective"]),
                number(&o["coefficients"][0]),
                number(&o["coefficients"][1]),
                number(&o["intercept"]),
            ];
            assert_near(&got, &want, 1e-6);
        }
    }

    #[test]
    fn more_columns_than_rows_are_no_other_problem() {
        // The weights of five columns that stand for one are those of it, shared out: with a column √5 times
        // as large the penalty is the same.
        let y = [1.0, -2.0, 0.5];
        let one: Vec<[f64; 1]> = [2.0, -1.0, 0.25].map(|v: f64| [v * 5_f64.sqrt()]).to_vec();
        let five: Vec<[f64; 5]> = [2.0, -1.0, 0.25].map(|v| [v; 5]).to_vec();
        let given = json!({"fit_intercept": false});
        let params = LinearSvrParams::from_map(given.as_object().unwrap()).unwrap();
        let weights = |rows: Vec<&[f64]>| {
            let fitted = LinearSvr::fit(&params, &table(&rows, &y), 0).unwrap();
            let found = fitted.outputs()["coefficients"].clone();
            let found = found.as_array().unwrap().iter();
            found.map(|v| v.as_f64().unwrap()).collect::<Vec<f64>>()
        };
        let narrow = weights(one.iter().map(|r| &r[..]).collect());
        let wide = weights(five.iter().map(|r| &r[..]).collect());
        assert_near(&wide, &[narrow[0] / 5_f64.sqrt(); 5], 1e-8);
    }
}
