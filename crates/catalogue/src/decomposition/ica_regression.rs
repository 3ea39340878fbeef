//! Independent component regression.
//!
//! What: least squares on sources that are as independent as a rotation can make them.
//! Formula: sources s = W K (x - mean), K whitening to k components, W the rotation with the least
//! normal sources; ŷ = mean y + least squares on s.
//! Data: columns of like scale that mix sources which are not normal.
//! Cost: fit O(n p² + p³ + steps n k²), predict O(rows p).
//! Fails when: sources are normal: no rotation then stands out.
//! Source: Hyvärinen & Oja, Neural Networks 13 (2000).
//! Not claimed: another prediction than principal components give: least squares does not see a rotation.

use super::scores::{Components, Solver, Wanted};
use crate::linear::Plane;
use crate::numeric::{add_scaled, dot, eigh, normal};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::effective_seed;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Supervised, Training, choices, params, run,
};
use mltrainer_types::catalogue::Task;
use ndarray::Array2;
use rand::SeedableRng as _;
use rand_xoshiro::Xoshiro256PlusPlus;

/// The handle.
pub struct IcaRegression;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<IcaRegression>();

choices! {
    /// Whether sources are found together.
    pub enum Algorithm {
        /// All at once.
        Parallel = "parallel",
        /// One after the other.
        Deflation = "deflation",
    }
}

choices! {
    /// What measures how far a source is from normal.
    pub enum Contrast {
        /// ln cosh u.
        LogCosh = "logcosh",
        /// -exp(-u²/2).
        Exp = "exp",
        /// u⁴/4.
        Cube = "cube",
    }
}

params! {
    /// Parameters of independent component regression.
    pub struct IcaRegressionParams {
        /// Number of sources; none is as many as there are columns or rows.
        n_components: Option<usize> = None, at_least(1.0);
        /// Whether sources are found together.
        algorithm: Algorithm = Algorithm::Parallel;
        /// What measures how far a source is from normal.
        fun: Contrast = Contrast::LogCosh;
        /// Steps at most; `converged` says whether they were enough.
        max_iter: usize = 200, within(1.0, 1_000_000.0);
        /// It ends when no source turns by more than this.
        tol: f64 = 1e-4, above(0.0);
        /// Seed of the first rotation; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "ica_regression",
    family: "decomposition",
    title: "Independent component regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Finds sources that are as independent as possible behind the columns, and regresses on them. The prediction equals that of as many principal components, since least squares does not see a rotation; what it adds are the sources.",
    formula: "K whitens the first k principal components to variance 1; W ← decorrelated E[g(Wz) zᵀ] - diag E[g'(Wz)] W (FastICA); sources s = W K (x - x̄); ŷ = ȳ + least squares on s",
    data: "Columns of like scale: they are centred, not rescaled.",
    cost: "fit O(n p² + p³ + steps · n k²), predict O(rows · p)",
    fails_when: "Sources are normal: no rotation then stands out, and `converged` may be false.",
    not_claimed: "A better prediction than principal component regression.",
    source: "A. Hyvärinen, E. Oja, Independent component analysis: algorithms and applications, Neural Networks 13 (2000) 411-430",
    reference: "scikit-learn 1.9.1, FastICA(whiten=\"unit-variance\") and LinearRegression",
    outputs: &[
        (
            "coefficients",
            "weights, one a column, target units per column unit",
        ),
        ("intercept", "b, target units"),
        (
            "components",
            "W K: one row a source, columns as in the table",
        ),
        ("n_iter", "steps taken, with deflation the most of a source"),
        ("converged", "whether the sources stopped turning"),
    ],
    stochastic: true,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1",
        cases: "ica-4-spx-std, ica-6-aapl-std",
        tolerance: "predictions 1e-6",
    }],
    presets: &[],
    exemptions: &[],
};

impl Supervised for IcaRegression {
    type Params = IcaRegressionParams;
    type Fitted = Plane;
    const CARD: &'static Card = &CARD;

    fn fit(params: &IcaRegressionParams, data: &Training, seed: u64) -> Result<Plane, FitError> {
        let wanted = params
            .n_components
            .map_or(Wanted::All, |k| Wanted::Number(k as f64));
        let found = Components::new(data, wanted, Solver::Full)?;
        let n = data.y().len() as f64;
        // Directions without variance hold no source.
        let largest = found.values.iter().copied().fold(0.0, f64::max);
        let whiten: Vec<Vec<f64>> = found
            .rows
            .iter()
            .zip(&found.values)
            .filter(|(_, s)| **s > 1e-12 * largest)
            .map(|(v, s)| v.iter().map(|v| v * n.sqrt() / s).collect())
            .collect();
        let k = whiten.len();
        let mut z = Array2::zeros((data.y().len(), k));
        let means = &found.problem.means;
        for (row, mut to) in data.x().rows().into_iter().zip(z.rows_mut()) {
            let gap: Vec<f64> = row.iter().zip(means).map(|(v, m)| v - m).collect();
            for (to, v) in to.iter_mut().zip(&whiten) {
                *to = dot(v, &gap);
            }
        }
        let mut random = Xoshiro256PlusPlus::seed_from_u64(effective_seed(params.seed, seed));
        let start = Array2::from_shape_simple_fn((k, k), || normal(&mut random));
        let (w, n_iter, converged) = match params.algorithm {
            Algorithm::Parallel => together(&z, start, params)?,
            Algorithm::Deflation => one_by_one(&z, start, params),
        };
        let components = w.rows().into_iter().map(|row| {
            let mut source = vec![0.0; means.len()];
            for (share, v) in row.iter().zip(&whiten) {
                add_scaled(&mut source, *share, v);
            }
            run::numbers(&source)
        });
        let extra = Outputs::from_iter([
            ("components".to_owned(), components.collect()),
            ("n_iter".to_owned(), n_iter.into()),
            ("converged".to_owned(), converged.into()),
        ]);
        Plane::new(found.weights.clone(), &found.problem, extra)
    }
}

impl Contrast {
    /// The first derivative and the second.
    fn slopes(self, u: f64) -> (f64, f64) {
        match self {
            Self::LogCosh => {
                let t = u.tanh();
                (t, 1.0 - t * t)
            }
            Self::Exp => {
                let e = (-u * u / 2.0).exp();
                (u * e, (1.0 - u * u) * e)
            }
            Self::Cube => (u * u * u, 3.0 * u * u),
        }
    }
}

type Rotation = (Array2<f64>, usize, bool);

/// (W Wᵀ)^(-1/2) W.
fn decorrelated(w: &Array2<f64>) -> Result<Array2<f64>, FitError> {
    let (values, vectors) = eigh(w.dot(&w.t()), "independent component analysis")?;
    let mut scaled = vectors.clone();
    for (mut v, e) in scaled.rows_mut().into_iter().zip(values) {
        v /= e.max(f64::MIN_POSITIVE).sqrt();
    }
    Ok(vectors.t().dot(&scaled).dot(w))
}

/// E[g(Wz) zᵀ] - diag E[g'(Wz)] W.
fn step(z: &Array2<f64>, w: &Array2<f64>, fun: Contrast) -> Array2<f64> {
    let n = z.nrows() as f64;
    let mut u = z.dot(&w.t());
    let mut curves = vec![0.0; w.nrows()];
    for mut row in u.rows_mut() {
        for (u, c) in row.iter_mut().zip(&mut curves) {
            let (g, d) = fun.slopes(*u);
            *u = g;
            *c += d / n;
        }
    }
    let mut next = u.t().dot(z) / n;
    for ((mut row, old), c) in next.rows_mut().into_iter().zip(w.rows()).zip(curves) {
        row.scaled_add(-c, &old);
    }
    next
}

fn together(
    z: &Array2<f64>,
    start: Array2<f64>,
    params: &IcaRegressionParams,
) -> Result<Rotation, FitError> {
    if start.is_empty() {
        return Ok((start, 0, true));
    }
    let mut w = decorrelated(&start)?;
    for n_iter in 1..=params.max_iter {
        let next = decorrelated(&step(z, &w, params.fun))?;
        let turned = next
            .rows()
            .into_iter()
            .zip(w.rows())
            .map(|(a, b)| (a.dot(&b).abs() - 1.0).abs())
            .fold(0.0, f64::max);
        w = next;
        if turned < params.tol {
            return Ok((w, n_iter, true));
        }
    }
    Ok((w, params.max_iter, false))
}

fn one_by_one(z: &Array2<f64>, start: Array2<f64>, params: &IcaRegressionParams) -> Rotation {
    let k = start.nrows();
    let mut w = Array2::zeros((k, k));
    let (mut most, mut converged) = (0, true);
    for c in 0..k {
        let free = |v: &mut Vec<f64>, w: &Array2<f64>| {
            for other in w.rows().into_iter().take(c) {
                let share: f64 = v.iter().zip(other).map(|(a, b)| a * b).sum();
                for (v, o) in v.iter_mut().zip(other) {
                    *v -= share * o;
                }
            }
            let size = dot(v, v).sqrt().max(f64::MIN_POSITIVE);
            v.iter_mut().for_each(|v| *v /= size);
        };
        let mut own = start.row(c).to_vec();
        free(&mut own, &w);
        let mut done = false;
        for n_iter in 1..=params.max_iter {
            most = most.max(n_iter);
            let one = Array2::from_shape_fn((1, k), |(_, j)| own[j]);
            let mut next = step(z, &one, params.fun).row(0).to_vec();
            free(&mut next, &w);
            let turned = (dot(&next, &own).abs() - 1.0).abs();
            own = next;
            if turned < params.tol {
                done = true;
                break;
            }
        }
        converged &= done;
        for (to, v) in w.row_mut(c).iter_mut().zip(own) {
            *to = v;
        }
    }
    (w, most, converged)
}
