//! Non-negative matrix factorisation regression.
//!
//! What: least squares on the amounts of a few parts that add up to the columns.
//! Formula: X ≈ W H with W, H ≥ 0 and the least squared error; ŷ = b + W c.
//! Data: columns of at least 0.
//! Cost: fit O(passes · n p k), predict O(rows · passes · p k).
//! Fails when: columns do not add up from parts; another start gives other parts.
//! Source: Lee & Seung, Nature 401 (1999); Cichocki & Phan (2009).
//! Not claimed: the best of all factorisations.

use crate::linear::{Plane, Problem};
use crate::numeric::{Svd, dot, normal, row_products};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::effective_seed;
use mltrainer_catalogue_core::{
    Card, Domain, Entry, FitError, Inputs, Outputs, Prediction, Predictor, Supervised, Training,
    choices, params, run,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2};
use rand::SeedableRng as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// The handle.
pub struct NmfRegression;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<NmfRegression>();

choices! {
    /// Where the parts start.
    pub enum Init {
        /// Absolute values of normal numbers.
        Random = "random",
        /// From singular vectors, zeros kept.
        Nndsvd = "nndsvd",
        /// From singular vectors, zeros replaced by the mean of the table.
        Nndsvda = "nndsvda",
    }
}

params! {
    /// Parameters of non-negative matrix factorisation regression.
    pub struct NmfRegressionParams {
        /// Number of parts; none is the number of columns.
        n_components: Option<usize> = None, within(1.0, 10_000.0);
        /// Where the parts start.
        init: Init = Init::Random;
        /// It ends when a pass moves the parts by less than this share of the first pass.
        tol: f64 = 1e-6, above(0.0);
        /// Passes at most; `converged` says whether they were enough.
        max_iter: usize = 3_000, within(1.0, 1_000_000.0);
        /// Strength of the penalty on W, times the number of columns.
        alpha_w as "alpha_W": f64 = 0.0, at_least(0.0);
        /// Strength of the penalty on H, times the number of rows; none is alpha_W.
        alpha_h as "alpha_H": Option<f64> = None, at_least(0.0);
        /// Share of the absolute penalty; the rest is squared.
        l1_ratio: f64 = 0.0, within(0.0, 1.0);
        /// Seed of the start; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

/// Penalties of one side: absolute and squared.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Shrink {
    l1: f64,
    l2: f64,
}

/// Fitted state.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    /// Parts x columns.
    parts: Array2<f64>,
    shrink: Shrink,
    tol: f64,
    max_iter: usize,
    plane: Plane,
}

const CARD: Card = Card {
    id: "nmf_regression",
    family: "decomposition",
    title: "Non-negative matrix factorisation regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Takes each row as a sum of a few parts in non-negative amounts, finds parts and amounts together, and regresses on the amounts.",
    formula: "min over W, H ≥ 0 of |X - W H|²/2 + penalties alpha_W p (l1_ratio |W|₁ + (1 - l1_ratio)/2 |W|²) and alpha_H n (...) on H, by coordinate descent; ŷ = b + W c by least squares; new rows: W for H as it is",
    data: "Columns of at least 0, of like scale.",
    cost: "fit O(passes · n p k), predict O(rows · passes · p k)",
    fails_when: "Columns do not add up from parts, or the start leads to a poor optimum: try other seeds.",
    not_claimed: "The best of all factorisations: another seed gives other parts.",
    source: "D. D. Lee, H. S. Seung, Learning the parts of objects by non-negative matrix factorization, Nature 401 (1999); A. Cichocki, A.-H. Phan, Fast local algorithms for large scale nonnegative matrix and tensor factorizations (2009); C. Boutsidis, E. Gallopoulos, SVD based initialization (2008)",
    reference: "scikit-learn 1.9.1, NMF (solver cd, here with init random, tighter tol and more passes by default) and LinearRegression",
    outputs: &[
        ("coefficients", "weights of the amounts, one a part"),
        ("intercept", "b, target units"),
        ("components", "H: one row a part, columns as in the table"),
        (
            "reconstruction_error",
            "|X - W H| of the training rows (Frobenius)",
        ),
        ("n_iter", "passes made"),
        ("converged", "whether it ended before max_iter"),
    ],
    stochastic: true,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, init random, 20 seeds",
        cases: "nmf-4-spx-unit, nmf-6-spx-unit",
        tolerance: "error of reconstruction and prediction not above the reference's mean + 3 sd, correlation 0.97",
    }],
    presets: &[],
    exemptions: &[],
};

impl Supervised for NmfRegression {
    type Params = NmfRegressionParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const DOMAIN: Domain = Domain::NonNegativeColumns;

    fn fit(params: &NmfRegressionParams, data: &Training, seed: u64) -> Result<Fitted, FitError> {
        let x = data.x();
        let (n, p) = x.dim();
        let k = params.n_components.unwrap_or(p);
        let squares: f64 = x.iter().map(|v| v * v).sum();
        if !squares.is_finite() || squares == 0.0 {
            return Err(FitError::Failed(
                "nmf_regression: the columns are all 0 or too large to be squared: rescale them"
                    .into(),
            ));
        }
        let seed = effective_seed(params.seed, seed);
        let (mut w, mut h) = start(x, k, params.init, seed)?;
        let alpha_h = params.alpha_h.unwrap_or(params.alpha_w);
        let shrink = |alpha: f64, by: usize| Shrink {
            l1: alpha * params.l1_ratio * by as f64,
            l2: alpha * (1.0 - params.l1_ratio) * by as f64,
        };
        let (on_w, on_h) = (shrink(params.alpha_w, p), shrink(alpha_h, n));
        let (mut n_iter, mut converged, mut first) = (0, false, 0.0);
        let transposed = x.t().as_standard_layout().into_owned();
        while n_iter < params.max_iter && !converged {
            n_iter += 1;
            let mut moved = pass(x.view(), &mut w, &h, on_w);
            // H is to the columns what W is to the rows.
            let mut ht = h.t().as_standard_layout().into_owned();
            let wt = w.t().as_standard_layout().into_owned();
            moved += pass(transposed.view(), &mut ht, &wt, on_h);
            h = ht.t().as_standard_layout().into_owned();
            if n_iter == 1 {
                first = moved;
            }
            converged = first == 0.0 || moved / first <= params.tol;
        }
        let error = (x - &w.dot(&h)).iter().map(|v| v * v).sum::<f64>().sqrt();
        let problem = Problem::of(w.view(), data.y(), None, true)?;
        let extra = Outputs::from_iter([
            ("reconstruction_error".to_owned(), error.into()),
            ("n_iter".to_owned(), n_iter.into()),
            ("converged".to_owned(), converged.into()),
        ]);
        Ok(Fitted {
            plane: Plane::new(problem.ridge(0.0)?.0, &problem, extra)?,
            parts: h,
            shrink: on_w,
            tol: params.tol,
            max_iter: params.max_iter,
        })
    }
}

/// One pass of coordinate descent over W (rows x parts) for X ≈ W H; gives how far it was from rest.
fn pass(x: ArrayView2<'_, f64>, w: &mut Array2<f64>, h: &Array2<f64>, shrink: Shrink) -> f64 {
    let gram = h.dot(&h.t());
    let pulls = x.dot(&h.t());
    let rows = w.rows_mut().into_iter().zip(pulls.rows());
    rows.map(|(mut row, pull)| {
        let row = row.as_slice_mut().unwrap_or_default();
        pass_row(row, pull.to_slice().unwrap_or_default(), &gram, shrink)
    })
    .sum()
}

/// The same for the amounts of one row, from H x and H Hᵀ.
fn pass_row(row: &mut [f64], pull: &[f64], gram: &Array2<f64>, shrink: Shrink) -> f64 {
    let mut violation = 0.0;
    for t in 0..row.len() {
        let g = gram.row(t);
        let slope =
            dot(g.to_slice().unwrap_or_default(), row) - pull[t] + shrink.l1 + shrink.l2 * row[t];
        violation += if row[t] == 0.0 { slope.min(0.0) } else { slope }.abs();
        let curve = g[t] + shrink.l2;
        if curve > 0.0 {
            row[t] = (row[t] - slope / curve).max(0.0);
        }
    }
    violation
}

/// W (rows x parts) and H (parts x columns) to start from.
fn start(
    x: &Array2<f64>,
    k: usize,
    init: Init,
    seed: u64,
) -> Result<(Array2<f64>, Array2<f64>), FitError> {
    let (n, p) = x.dim();
    let mean = x.sum() / (n * p) as f64;
    if init == Init::Random {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let size = (mean / k as f64).sqrt();
        let mut some =
            |shape| Array2::from_shape_simple_fn(shape, || size * normal(&mut random).abs());
        let h = some((k, p));
        return Ok((some((n, k)), h));
    }
    if k > n.min(p) {
        return Err(FitError::Data(format!(
            "n_components {k}: a start from singular vectors has at most {}; use init random",
            n.min(p)
        )));
    }
    let columns: Vec<Vec<f64>> = x.columns().into_iter().map(|c| c.to_vec()).collect();
    let svd = Svd::new(columns);
    let mut order: Vec<usize> = (0..svd.values.len()).collect();
    order.sort_by(|a, b| svd.values[*b].total_cmp(&svd.values[*a]));
    let (mut w, mut h) = (Array2::zeros((n, k)), Array2::zeros((k, p)));
    let part =
        |v: &[f64], sign: f64| -> Vec<f64> { v.iter().map(|v| (sign * v).max(0.0)).collect() };
    let size = |v: &[f64]| dot(v, v).sqrt();
    for (c, &at) in order.iter().take(k).enumerate() {
        let (u, v, s) = (&svd.left[at], &svd.right[at], svd.values[at]);
        let (u, v, scale) = if c == 0 {
            let all = |v: &[f64]| v.iter().map(|v| v.abs()).collect::<Vec<f64>>();
            (all(u), all(v), s)
        } else {
            // Of the positive and the negative halves the pair that holds more.
            let halves = [1.0, -1.0].map(|sign| (part(u, sign), part(v, sign)));
            let [a, b] = halves;
            let (a_size, b_size) = (size(&a.0) * size(&a.1), size(&b.0) * size(&b.1));
            let ((u, v), both) = if a_size > b_size {
                (a, a_size)
            } else {
                (b, b_size)
            };
            let by = |v: Vec<f64>| {
                let s = size(&v).max(f64::MIN_POSITIVE);
                v.into_iter().map(|v| v / s).collect::<Vec<f64>>()
            };
            (by(u), by(v), s * both)
        };
        for (to, u) in w.column_mut(c).iter_mut().zip(u) {
            *to = scale.sqrt() * u;
        }
        for (to, v) in h.row_mut(c).iter_mut().zip(v) {
            *to = scale.sqrt() * v;
        }
    }
    let fill = if init == Init::Nndsvda { mean } else { 0.0 };
    let settle = |v: f64| if v < 1e-6 { fill } else { v };
    Ok((w.mapv(settle), h.mapv(settle)))
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        let gram = self.parts.dot(&self.parts.t());
        let pulls = row_products(x, self.parts.view());
        let mut amounts = Array2::zeros(pulls.dim());
        // Each row until it is at rest, whenever that is for the others.
        for ((mut row, pull), x) in amounts
            .rows_mut()
            .into_iter()
            .zip(pulls.rows())
            .zip(x.rows())
        {
            let row = row.as_slice_mut().unwrap_or_default();
            let pull = pull.to_slice().unwrap_or_default();
            row.fill((x.sum() / (x.len() * row.len()) as f64).max(0.0).sqrt());
            let mut first = 0.0;
            for n in 0..self.max_iter {
                let moved = pass_row(row, pull, &gram, self.shrink);
                if n == 0 {
                    first = moved;
                }
                if first == 0.0 || moved / first <= self.tol {
                    break;
                }
            }
        }
        Ok(Prediction::values(self.plane.values(amounts.view())))
    }

    fn outputs(&self) -> Outputs {
        let mut outputs = self.plane.outputs();
        let parts = self.parts.rows().into_iter();
        let parts = parts.map(|r| run::numbers(&r.to_vec())).collect();
        outputs.insert("components".into(), parts);
        outputs
    }
}
