//! Ridge regression.
//!
//! What: least squares with a penalty on the squared length of the weights.
//! Formula: min over w, b of Σ (yᵢ - xᵢ·w - b)² + alpha |w|².
//! Data: columns of like scale, since the penalty sees their units.
//! Cost: fit O(n p²), predict O(rows p).
//! Fails when: columns have very different units; truth is sparse.
//! Source: Hoerl & Kennard, Technometrics 12 (1970).
//! Not claimed: selection of columns: no weight becomes exactly zero.

use super::engine::{Plane, Problem, centred};
use super::iterative::{Averaging, Reached, average_gradients};
use crate::numeric::{Cholesky, dot};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::effective_seed;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, ParamError, Supervised, Training, choices, params,
};
use mltrainer_types::catalogue::Task;
use ndarray::Array2;

/// The handle.
pub struct Ridge;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<Ridge>().as_first_choice();

choices! {
    /// How the weights are found.
    pub enum Solver {
        /// Orthogonal triangles or singular values; with positive as lbfgs.
        Auto = "auto",
        /// Singular values of the centred columns; those that are rounding are left out.
        Svd = "svd",
        /// The normal equations by a Cholesky factor; as svd where they have none.
        Cholesky = "cholesky",
        /// Damped LSQR from 0.
        Lsqr = "lsqr",
        /// Conjugate gradients from 0.
        SparseCg = "sparse_cg",
        /// Stochastic average gradients.
        Sag = "sag",
        /// The same without bias.
        Saga = "saga",
        /// The optimum with weights of at least 0.
        Lbfgs = "lbfgs",
    }
}

params! {
    /// Parameters of ridge regression.
    pub struct RidgeParams {
        /// Strength of the penalty on the squared weights; 0 is least squares.
        alpha: f64 = 1.0, at_least(0.0);
        /// Whether an intercept is fitted; it is not penalised.
        fit_intercept: bool = true;
        /// Whether weights must be at least 0; with the solvers auto and lbfgs.
        positive: bool = false;
        /// How the weights are found; lbfgs with positive only. Without a penalty and with columns that depend on each other, svd, lsqr and sparse_cg give the shortest weights.
        solver: Solver = Solver::Auto;
        /// Where lsqr, sparse_cg, sag and saga end: lsqr by its two tolerances, sparse_cg by the residual of the normal equations relative to their right side, sag and saga by the change of weights in a pass relative to the largest one.
        tol: f64 = 1e-4, at_least(0.0);
        /// Steps of lsqr and sparse_cg or passes of sag and saga at most; none is 2 or 10 times the columns, and 1000 passes.
        max_iter: Option<usize> = None, at_least(1.0);
        /// Seed of the draws of sag and saga; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "ridge",
    family: "linear",
    title: "Ridge regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Least squares with a penalty on the squared length of the weights, which keeps the weights of columns that move together from exploding.",
    formula: "min over w, b of Σᵢ (yᵢ - xᵢ·w - b)² + alpha |w|²; w = V diag(s/(s² + alpha)) Uᵀy for the centred X = U diag(s) Vᵀ",
    data: "Columns of like scale: the penalty sees their units, nothing is rescaled inside.",
    cost: "fit O(n p²), predict O(rows · p)",
    fails_when: "Columns have very different units (the penalty then falls on the small ones), or few columns matter and the rest are noise. The solvers sag and saga need columns of like scale to end soon; lsqr, sparse_cg, sag and saga say in `converged` whether they got there.",
    not_claimed: "Selection of columns: no weight becomes exactly zero. The steps of scikit-learn's lbfgs: its optimum is found exactly. Its draws: sag and saga draw other rows.",
    source: "A. E. Hoerl, R. W. Kennard, Ridge regression: biased estimation for nonorthogonal problems, Technometrics 12 (1970) 55-67; C. C. Paige, M. A. Saunders, LSQR, ACM Trans. Math. Softw. 8 (1982) 43-71; M. Schmidt, N. Le Roux, F. Bach, Minimizing finite sums with the stochastic average gradient, Math. Program. 162 (2017) 83-112; A. Defazio, F. Bach, S. Lacoste-Julien, SAGA (2014)",
    reference: "scikit-learn 1.9.1, Ridge",
    outputs: &[
        (
            "coefficients",
            "weights, one a column, target units per column unit",
        ),
        ("intercept", "b, target units; 0 without an intercept"),
        (
            "n_iter",
            "steps of lsqr and sparse_cg, passes of sag and saga; else 0",
        ),
        (
            "converged",
            "whether such a solver ended before its most steps; else true",
        ),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "scikit-learn 1.9.1",
            cases: "ridge-alpha-1-spx-std, ridge-alpha-0.1-spx-reg, ridge-alpha-100-aapl-std, ridge-alpha-0.001-aapl-reg",
            tolerance: "predictions 1e-7, coefficients 1e-6 relative",
        },
        Evidence {
            against: "scikit-learn 1.9.1, Ridge(solver=...)",
            cases: "tests of this entry: every solver, dependent columns with and without a penalty, few steps, row weights, fewer rows than columns",
            tolerance: "coefficients and intercept 1e-9, the stochastic solvers 1e-7",
        },
    ],
    presets: &[],
    exemptions: &[],
};

impl Supervised for Ridge {
    type Params = RidgeParams;
    type Fitted = Plane;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn fit(params: &RidgeParams, data: &Training, seed: u64) -> Result<Plane, FitError> {
        let (solver, alpha) = (params.solver, params.alpha);
        let wanted = match (params.positive, solver) {
            (true, Solver::Auto | Solver::Lbfgs) => None,
            (true, _) => Some("weights of at least 0 need the solver auto or lbfgs"),
            (false, Solver::Lbfgs) => Some("lbfgs is for positive weights: set positive"),
            (false, _) => None,
        };
        if let Some(reason) = wanted {
            return Err(FitError::Param(ParamError {
                field: "solver".into(),
                reason: reason.into(),
                suggestions: Vec::new(),
            }));
        }
        let problem = Problem::new(data, params.fit_intercept)?;
        let direct = |weights| Reached {
            weights,
            steps: 0,
            converged: true,
        };
        let reached = match solver {
            _ if params.positive => direct(problem.nonnegative(alpha)?),
            Solver::Auto | Solver::Lbfgs => direct(problem.ridge(alpha)?.0),
            Solver::Svd => direct(by_svd(&problem, alpha)),
            Solver::Cholesky => {
                direct(by_cholesky(&problem, alpha).unwrap_or_else(|| by_svd(&problem, alpha)))
            }
            Solver::Lsqr => problem.lsqr(alpha, params.tol, params.max_iter),
            Solver::SparseCg => problem.conjugate_gradients(alpha, params.tol, params.max_iter),
            Solver::Sag | Solver::Saga => {
                let weights = data.weights();
                let mut x = data.x().clone();
                let mut y = data.y().to_vec();
                if params.fit_intercept {
                    for mut column in x.columns_mut() {
                        let (_, rest) = centred(&column.to_vec(), weights);
                        column.iter_mut().zip(rest).for_each(|(to, v)| *to = v);
                    }
                    y = centred(&y, weights).1;
                }
                let how = Averaging {
                    alpha,
                    tol: params.tol,
                    max_iter: params.max_iter.unwrap_or(1_000),
                    unbiased: solver == Solver::Saga,
                    seed: effective_seed(params.seed, seed),
                };
                average_gradients(&x, &y, weights, &how)
            }
        };
        let extra = Outputs::from_iter([
            ("n_iter".to_owned(), reached.steps.into()),
            ("converged".to_owned(), reached.converged.into()),
        ]);
        Plane::new(reached.weights, &problem, extra)
    }
}

fn by_svd(problem: &Problem, alpha: f64) -> Vec<f64> {
    let columns = (0..problem.a.ncols()).map(|j| problem.column(j).to_vec());
    problem.shortest(columns.collect(), alpha).0
}

/// By the normal equations, those of the rows where they are fewer; none where rounding leaves them without
/// a factor.
fn by_cholesky(problem: &Problem, alpha: f64) -> Option<Vec<f64>> {
    let p = problem.a.ncols();
    let wide = p > problem.rows;
    let mut gram: Array2<f64> = if wide {
        problem.a.dot(&problem.a.t())
    } else {
        problem.a.t().dot(&problem.a)
    };
    gram.diag_mut().iter_mut().for_each(|v| *v += alpha);
    let factor = Cholesky::new(gram)?;
    let across = |u: &[f64]| -> Vec<f64> { (0..p).map(|j| dot(problem.column(j), u)).collect() };
    let mut w = problem.target().to_vec();
    if !wide {
        w = across(&w);
    }
    factor.solve(&mut w);
    Some(if wide { across(&w) } else { w })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, remainders, table};
    use mltrainer_catalogue_core::{Params as _, Predictor as _};
    use serde_json::json;

    #[test]
    fn one_column_by_hand() {
        // Centred x = -1, 0, 1 and y = -1, 0, 1 (+ 3): w = Σxy/(Σx² + alpha) = 2/(2 + 2).
        let data = table(&[&[1.0], &[2.0], &[3.0]], &[2.0, 3.0, 4.0]);
        let params = RidgeParams {
            alpha: 2.0,
            fit_intercept: true,
            positive: false,
            solver: Solver::Auto,
            tol: 1e-4,
            max_iter: None,
            seed: None,
        };
        let outputs = Ridge::fit(&params, &data, 0).unwrap().outputs();
        assert_near(
            &[outputs["coefficients"][0].as_f64().unwrap()],
            &[0.5],
            1e-14,
        );
        assert_near(&[outputs["intercept"].as_f64().unwrap()], &[2.0], 1e-14);
    }

    /// The table of `remainders`, with a fifth column a - 2b, and a target.
    fn dependent() -> (Vec<Vec<f64>>, Vec<f64>) {
        let mut rows = remainders();
        for row in &mut rows {
            row.push(row[0] - 2.0 * row[1]);
        }
        let each = rows.iter().enumerate();
        let y = each
            .map(|(i, r)| r[0] / 3.0 - r[1] / 5.0 + (i % 5) as f64)
            .collect();
        (rows, y)
    }

    fn found(data: &Training, given: serde_json::Value) -> (Vec<f64>, u64) {
        let params = RidgeParams::from_map(given.as_object().unwrap()).unwrap();
        let o = Ridge::fit(&params, data, 0).unwrap().outputs();
        assert_eq!(
            o["converged"],
            !given["max_iter"].is_number() || given["tol"] == 1e-13
        );
        let mut w: Vec<f64> = serde_json::from_value(o["coefficients"].clone()).unwrap();
        w.push(o["intercept"].as_f64().unwrap());
        (w, o["n_iter"].as_u64().unwrap())
    }

    #[test]
    fn solvers_as_scikit_learn() {
        // scikit-learn 1.9.1, Ridge(solver=..., ...).fit(X, y, sample_weight) on the table of `dependent`:
        // coef_ and intercept_, and n_iter_ of lsqr.
        let (rows, y) = dependent();
        let some: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let weights = (0..24_u32)
            .map(|i| f64::from(i * 7 % 5 + 1) / 2.0)
            .collect();
        let data = table(&some, &y).with_weights(weights).unwrap();
        let short = [
            0.29320160623415736,
            0.08880395441543806,
            0.038391459306216257,
            0.0659340710953744,
            0.11559369740327609,
            0.8687526976701474,
        ];
        let two = [
            0.2917350369397477,
            0.08799528504348222,
            -0.008076601464713314,
            0.0024034467217898597,
            0.11574446685278317,
            1.0877609897147942,
        ];
        let best = [
            0.2930160800679317,
            0.08869899691326569,
            0.0372075586215518,
            0.06467846033296484,
            0.11561808624141894,
            0.8758968611532114,
        ];
        for (given, want, n_iter, within) in [
            (json!({"solver": "svd", "alpha": 0.5}), &best, Some(0), 1e-9),
            (
                json!({"solver": "cholesky", "alpha": 0.5}),
                &best,
                Some(0),
                1e-9,
            ),
            (
                json!({"solver": "lsqr", "alpha": 0.0}),
                &short,
                Some(4),
                1e-9,
            ),
            (
                json!({"solver": "sparse_cg", "alpha": 0.0, "tol": 1e-6}),
                &short,
                None,
                1e-9,
            ),
            (
                json!({"solver": "lsqr", "alpha": 0.5, "tol": 1e-2}),
                &two,
                Some(2),
                1e-9,
            ),
            (
                json!({"solver": "sparse_cg", "alpha": 0.5, "tol": 0.1}),
                &two,
                None,
                1e-9,
            ),
            (
                json!({"solver": "lsqr", "alpha": 0.5, "tol": 1e-8, "max_iter": 2}),
                &two,
                Some(2),
                1e-9,
            ),
            (
                json!({"solver": "sparse_cg", "alpha": 0.5, "tol": 1e-8, "max_iter": 2}),
                &two,
                Some(2),
                1e-9,
            ),
            (
                json!({"solver": "sag", "alpha": 0.5, "tol": 1e-13, "max_iter": 100_000}),
                &best,
                None,
                1e-7,
            ),
            (
                json!({"solver": "saga", "alpha": 0.5, "tol": 1e-13, "max_iter": 100_000}),
                &best,
                None,
                1e-7,
            ),
        ] {
            let (w, steps) = found(&data, given.clone());
            assert_near(&w, want, within);
            if let Some(n_iter) = n_iter {
                assert_eq!(steps, n_iter, "{given}");
            }
        }
        // The first four rows without weights: fewer than columns.
        let data = table(&some[..4], &y[..4]);
        for (given, want) in [
            (
                json!({"solver": "sparse_cg", "alpha": 0.5, "tol": 0.1}),
                [
                    0.45043039272779356,
                    0.15640311156694559,
                    0.06959361993415024,
                    0.02383145952330196,
                    0.13762416959390242,
                    0.06199677300707629,
                ],
            ),
            (
                json!({"solver": "lsqr", "alpha": 0.0, "tol": 1e-10}),
                [
                    0.4448787483174938,
                    0.1555531650413753,
                    0.15193809196866653,
                    0.004217509947145443,
                    0.13377241823474317,
                    0.0,
                ],
            ),
            (
                json!({"solver": "cholesky", "alpha": 0.5}),
                [
                    0.44277336544760854,
                    0.15448690737456072,
                    0.13567422050175626,
                    0.007770994521094396,
                    0.13379955069848715,
                    0.025147720046697852,
                ],
            ),
        ] {
            assert_near(&found(&data, given).0, &want, 1e-9);
        }
    }

    #[test]
    fn solvers_and_signs_must_fit() {
        let data = table(&[&[1.0], &[2.0], &[3.0]], &[2.0, 3.0, 4.0]);
        for given in [
            json!({"solver": "lbfgs"}),
            json!({"solver": "svd", "positive": true}),
        ] {
            let params = RidgeParams::from_map(given.as_object().unwrap()).unwrap();
            let Err(FitError::Param(e)) = Ridge::fit(&params, &data, 0) else {
                panic!("not refused")
            };
            assert_eq!(e.field, "solver");
        }
    }
}
