//! Linear support vector regression.
//!
//! What: a plane with a tube in which errors cost nothing, for many rows.
//! Formula: min (|w|² + b²)/2 + C Σ sᵢ max(0, |yᵢ - xᵢ·w - b| - epsilon), or the square of the maximum.
//! Data: columns of like scale; a target near 0, since the intercept is penalised too.
//! Cost: fit O(passes · n p), predict O(rows p).
//! Fails when: the target is far from 0; C is large and columns differ in scale: passes are then many.
//! Source: Ho & Lin, JMLR 13 (2012); Fan et al., LIBLINEAR, JMLR 9 (2008).
//! Not claimed: an interval: the tube is not one.

use crate::linear::Plane;
use crate::numeric::{add_scaled, dot};
use mltrainer_catalogue_core::card::{Evidence, Preset};
use mltrainer_catalogue_core::run::effective_seed;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Supervised, Training, choices, params,
};
use mltrainer_types::catalogue::Task;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_xoshiro::Xoshiro256PlusPlus;

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
        /// It ends when the violations of a pass add up to less than this share of those of the first.
        tol: f64 = 1e-7, inside(0.0, 1.0);
        /// Cost of an error beyond the tube.
        c as "C": f64 = 1.0, above(0.0);
        /// What an error beyond the tube costs.
        loss: Loss = Loss::Insensitive;
        /// Whether an intercept is fitted; it is penalised like a weight.
        fit_intercept: bool = true;
        /// The intercept is penalised as a weight of a column with this value.
        intercept_scaling: f64 = 1.0, above(0.0);
        /// Passes over the rows at most; `converged` says whether they were enough.
        max_iter: usize = 20_000, within(1.0, 10_000_000.0);
        /// Seed of the order of the rows; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "linear_svr",
    family: "svm",
    title: "Linear support vector regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "A plane with a tube around it in which errors cost nothing, found one row at a time in the dual: for more rows than a kernel can take.",
    formula: "min over w, b of (|w|² + (b/intercept_scaling)²)/2 + C Σᵢ sᵢ max(0, |yᵢ - xᵢ·w - b| - epsilon), or with the square of the maximum; sᵢ the row weights",
    data: "Columns of like scale; a target near 0, or an intercept_scaling that is large: the intercept is penalised too.",
    cost: "fit O(passes · n p), predict O(rows · p)",
    fails_when: "The target is far from 0, or C is large and columns differ in scale (`converged` may then be false).",
    not_claimed: "An interval: the tube is not one.",
    source: "C.-H. Ho, C.-J. Lin, Large-scale linear support vector regression, JMLR 13 (2012); R.-E. Fan et al., LIBLINEAR, JMLR 9 (2008)",
    reference: "scikit-learn 1.9.1, LinearSVR (here with a tighter tol and more passes by default)",
    outputs: &[
        (
            "coefficients",
            "weights, one a column, target units per column unit",
        ),
        ("intercept", "b, target units; 0 without an intercept"),
        ("objective", "the least value found"),
        ("n_iter", "passes made"),
        ("converged", "whether it ended before max_iter"),
    ],
    stochastic: true,
    evidence: &[Evidence {
        against: "the optimum by cvxpy 1.9, with the convention of scikit-learn 1.9.1",
        cases: "linear-svr-C-0.5-aapl-small, linear-svr-C-0.05-aapl-small",
        tolerance: "predictions and coefficients 1e-3, objective not above the optimum",
    }],
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

    fn fit(params: &LinearSvrParams, data: &Training, seed: u64) -> Result<Plane, FitError> {
        let (n, p) = data.x().dim();
        let width = p + usize::from(params.fit_intercept);
        let mut flat = Vec::with_capacity(n * width);
        for row in data.x().rows() {
            flat.extend(row);
            if params.fit_intercept {
                flat.push(params.intercept_scaling);
            }
        }
        let row = |i: usize| &flat[i * width..][..width];
        let squares: Vec<f64> = (0..n).map(|i| dot(row(i), row(i))).collect();
        if squares.iter().any(|s| !s.is_finite()) {
            return Err(FitError::Failed(
                "linear_svr: the columns are too large to be squared: rescale them".into(),
            ));
        }
        let cost = |i: usize| params.c * data.weights().map_or(1.0, |w| w[i]);
        let squared = params.loss == Loss::SquaredInsensitive;
        let mut w = vec![0.0; width];
        let mut beta = vec![0.0; n];
        let mut order: Vec<usize> = (0..n).filter(|i| cost(*i) > 0.0).collect();
        let mut random = Xoshiro256PlusPlus::seed_from_u64(effective_seed(params.seed, seed));
        let (mut n_iter, mut converged, mut first) = (0, false, 0.0);
        while n_iter < params.max_iter && !converged {
            n_iter += 1;
            order.shuffle(&mut random);
            let mut violations = 0.0;
            for &i in &order {
                let (damp, bound) = if squared {
                    (0.5 / cost(i), f64::INFINITY)
                } else {
                    (0.0, cost(i))
                };
                let slope = dot(row(i), &w) - data.y()[i] + damp * beta[i];
                let curve = squares[i] + damp;
                let (up, down) = (slope + params.epsilon, slope - params.epsilon);
                violations += if beta[i] == 0.0 {
                    (-up).max(down).max(0.0)
                } else if beta[i] >= bound {
                    up.max(0.0)
                } else if beta[i] <= -bound {
                    (-down).max(0.0)
                } else if beta[i] > 0.0 {
                    up.abs()
                } else {
                    down.abs()
                };
                if curve == 0.0 {
                    continue;
                }
                let step = if up < curve * beta[i] {
                    -up / curve
                } else if down > curve * beta[i] {
                    -down / curve
                } else {
                    -beta[i]
                };
                let next = (beta[i] + step).clamp(-bound, bound);
                if next != beta[i] {
                    add_scaled(&mut w, next - beta[i], row(i));
                    beta[i] = next;
                }
            }
            if n_iter == 1 {
                first = violations;
            }
            converged = violations <= params.tol * first;
        }
        let errors: f64 = (0..n)
            .map(|i| {
                let beyond = ((data.y()[i] - dot(row(i), &w)).abs() - params.epsilon).max(0.0);
                cost(i) * if squared { beyond * beyond } else { beyond }
            })
            .sum();
        let extra = Outputs::from_iter([
            ("objective".to_owned(), (0.5 * dot(&w, &w) + errors).into()),
            ("n_iter".to_owned(), n_iter.into()),
            ("converged".to_owned(), converged.into()),
        ]);
        let intercept = w.get(p).map_or(0.0, |b| b * params.intercept_scaling);
        w.truncate(p);
        Plane::at(w, intercept, extra)
    }
}
