//! Non-negative matrix factorisation regression.
//!
//! What: least squares on the amounts of a few parts that add up to the columns.
//! Formula: X ≈ W H with W, H ≥ 0 and the least squared error; ŷ = b + W c.
//! Data: columns of at least 0.
//! Cost: fit O(passes · n p k), predict O(rows · passes · p k).
//! Fails when: columns do not add up from parts; another start gives other parts.
//! Source: Lee & Seung, Nature 401 (1999); Cichocki & Phan (2009).
//! Not claimed: the best of all factorisations.

use crate::linear::{LEAST_SHARE, Plane, Problem};
use crate::numeric::{Svd, add_scaled, dot, flat, flat_mut, normal, row_products};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::params::WordOr;
use mltrainer_catalogue_core::run::effective_seed;
use mltrainer_catalogue_core::{
    Card, Domain, Entry, FitError, Inputs, Outputs, ParamError, Prediction, Predictor, Supervised,
    Training, choices, params, run, threads,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
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
        /// From singular vectors, zeros replaced by small random numbers.
        Nndsvdar = "nndsvdar",
    }
}

choices! {
    /// How the parts are found.
    pub enum Solver {
        /// Coordinate descent; for the squared error.
        Cd = "cd",
        /// Multiplicative updates; for every beta_loss.
        Mu = "mu",
    }
}

choices! {
    /// What is minimised, by name.
    pub enum BetaWord {
        /// Half the squared error, beta 2.
        Frobenius = "frobenius",
        /// Generalised Kullback-Leibler divergence, beta 1.
        KullbackLeibler = "kullback-leibler",
        /// Itakura-Saito divergence, beta 0.
        ItakuraSaito = "itakura-saito",
    }
}

params! {
    /// Parameters of non-negative matrix factorisation regression.
    pub struct NmfRegressionParams {
        /// Number of parts; none is the number of columns.
        n_components: Option<usize> = None, within(1.0, 10_000.0);
        /// Where the parts start.
        init: Init = Init::Random;
        /// How the parts are found: cd, or mu, which stops at a zero.
        solver: Solver = Solver::Cd;
        /// What is minimised: frobenius, kullback-leibler, itakura-saito, or the number beta of the divergence; other than frobenius for mu.
        beta_loss: WordOr<BetaWord> = WordOr::Word(BetaWord::Frobenius), within(-10.0, 10.0);
        /// It ends when a pass moves the parts by less than this share of the first pass; with mu when ten passes lower the error by less than this share of the first one.
        tol: f64 = 1e-6, above(0.0);
        /// Passes at most; `converged` says whether they were enough.
        max_iter: usize = 3_000, within(1.0, 1_000_000.0);
        /// Strength of the penalty on W, times the number of columns.
        alpha_w as "alpha_W": f64 = 0.0, at_least(0.0);
        /// Strength of the penalty on H, times the number of rows; none is alpha_W.
        alpha_h as "alpha_H": Option<f64> = None, at_least(0.0);
        /// Share of the absolute penalty; the rest is squared.
        l1_ratio: f64 = 0.0, within(0.0, 1.0);
        /// Whether cd goes through the parts in an order drawn anew for each pass over W and over H.
        shuffle: bool = false;
        /// Seed of the start and of shuffle; none is the seed of the run.
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
    /// Beta of multiplicative updates; none is coordinate descent.
    #[serde(default)]
    beta: Option<f64>,
    /// Multiplicative updates that new rows get, and the amount that all parts start with; models saved
    /// before they were kept have none.
    #[serde(default)]
    updates: Option<(usize, f64)>,
}

const CARD: Card = Card {
    id: "nmf_regression",
    family: "decomposition",
    title: "Non-negative matrix factorisation regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Takes each row as a sum of a few parts in non-negative amounts, finds parts and amounts together, and regresses on the amounts.",
    formula: "min over W, H ≥ 0 of |X - W H|²/2 + penalties alpha_W p (l1_ratio |W|₁ + (1 - l1_ratio)/2 |W|²) and alpha_H n (...) on H, by coordinate descent; with mu the beta divergence of X and W H instead, by W ← W · (((X · (W H)^(β-2)) Hᵀ)/((W H)^(β-1) Hᵀ + penalties))^γ and the same for H; ŷ = b + W c by least squares; new rows: W for H as it is, with mu by as many updates as the training rows take",
    data: "Columns of at least 0, of like scale.",
    cost: "fit O(passes · n p k), predict O(rows · passes · p k)",
    fails_when: "Columns do not add up from parts, or the start leads to a poor optimum: try other seeds.",
    not_claimed: "The best of all factorisations: another seed gives other parts. New rows with kullback-leibler and an absolute penalty are not those of scikit-learn 1.9, whose transform adds that penalty once more in each update.",
    source: "D. D. Lee, H. S. Seung, Learning the parts of objects by non-negative matrix factorization, Nature 401 (1999); A. Cichocki, A.-H. Phan, Fast local algorithms for large scale nonnegative matrix and tensor factorizations (2009); C. Boutsidis, E. Gallopoulos, SVD based initialization (2008); C. Févotte, J. Idier, Algorithms for nonnegative matrix factorization with the β-divergence, Neural Computation 23 (2011)",
    reference: "scikit-learn 1.9.1, NMF (solvers cd and mu, here with init random, tighter tol and more passes by default) and LinearRegression",
    outputs: &[
        ("coefficients", "weights of the amounts, one a part"),
        ("intercept", "b, target units"),
        ("components", "H: one row a part, columns as in the table"),
        (
            "reconstruction_error",
            "|X - W H| of the training rows, or the root of twice the divergence",
        ),
        ("n_iter", "passes made"),
        ("converged", "whether it ended before max_iter"),
    ],
    stochastic: true,
    evidence: &[
        Evidence {
            against: "scikit-learn 1.9.1, init random, 20 seeds",
            cases: "nmf-4-spx-unit, nmf-6-spx-unit",
            tolerance: "error of reconstruction and prediction not above the reference's mean + 3 sd, correlation 0.97",
        },
        Evidence {
            against: "scikit-learn 1.9.0, NMF(init=\"nndsvda\") and LinearRegression",
            cases: "tests of this entry: both solvers, four losses, penalties",
            tolerance: "predictions 1e-5, parts and errors 1e-3",
        },
    ],
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
        let beta = beta(params, x)?;
        let seed = effective_seed(params.seed, seed);
        let (mut w, mut h) = start(x, k, params.init, seed)?;
        let alpha_h = params.alpha_h.unwrap_or(params.alpha_w);
        let shrink = |alpha: f64, by: usize| Shrink {
            l1: alpha * params.l1_ratio * by as f64,
            l2: alpha * (1.0 - params.l1_ratio) * by as f64,
        };
        let (on_w, on_h) = (shrink(params.alpha_w, p), shrink(alpha_h, n));
        let (mut n_iter, mut converged) = (0, false);
        let mu = match params.solver {
            Solver::Cd => None,
            Solver::Mu => Some(Multiplicative::new(beta)),
        };
        if let Some(mu) = mu {
            let mut ends = mu.ends(x, &w, &h, params.tol);
            while n_iter < params.max_iter && !converged {
                n_iter += 1;
                mu.update_w(x, &mut w, &h, on_w);
                mu.update_h(x, &w, &mut h, on_h);
                converged = ends(n_iter, &w, &h);
            }
        } else {
            let (mut first, mut slopes) = (0.0, vec![0.0; k]);
            let mut order: Vec<usize> = (0..k).collect();
            // Apart from the draws of the start.
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
            random.jump();
            while n_iter < params.max_iter && !converged {
                n_iter += 1;
                if params.shuffle {
                    order.shuffle(&mut random);
                }
                let rows = pass(x, &mut w, &h, on_w, &order);
                let mut moved = rows.moved;
                if params.shuffle {
                    order.shuffle(&mut random);
                }
                // H is to the columns what W is to the rows.
                for (mut column, pull) in h.columns_mut().into_iter().zip(rows.pulls.columns()) {
                    let mut own = column.to_vec();
                    let pull = pull.to_vec();
                    moved += pass_row(&mut own, &pull, &rows.gram, on_h, &mut slopes, &order);
                    column.iter_mut().zip(own).for_each(|(to, v)| *to = v);
                }
                if n_iter == 1 {
                    first = moved;
                }
                converged = first == 0.0 || moved / first <= params.tol;
            }
        }
        let error = mu.unwrap_or(Multiplicative::new(2.0)).divergence(x, &w, &h);
        let updates = mu.map(|mu| {
            // How many updates the rows of training take, from a start without knowledge: as in
            // scikit-learn they end when the divergence falls no more, which with penalties is before
            // they are at rest. New rows get as many, whichever others come with them.
            let start = (x.sum() / (n * p * k) as f64).max(0.0).sqrt();
            let mut amounts = Array2::from_elem((n, k), start);
            let mut ends = mu.ends(x, &amounts, &h, params.tol);
            let mut many = 0;
            while many < params.max_iter {
                many += 1;
                mu.update_w(x, &mut amounts, &h, on_w);
                if ends(many, &amounts, &h) {
                    break;
                }
            }
            (many, start)
        });
        let problem = Problem::of(w.view(), data.y(), None, true)?;
        let extra = Outputs::from_iter([
            ("reconstruction_error".to_owned(), error.into()),
            ("n_iter".to_owned(), n_iter.into()),
            ("converged".to_owned(), converged.into()),
        ]);
        Ok(Fitted {
            plane: Plane::new(problem.least_squares(LEAST_SHARE)?.0, &problem, extra)?,
            parts: h,
            shrink: on_w,
            tol: params.tol,
            max_iter: params.max_iter,
            beta: mu.map(|m| m.beta),
            updates,
        })
    }
}

/// Beta of the divergence that is minimised.
fn beta(params: &NmfRegressionParams, x: &Array2<f64>) -> Result<f64, FitError> {
    let beta = match params.beta_loss {
        WordOr::Number(beta) => beta,
        WordOr::Word(BetaWord::Frobenius) => 2.0,
        WordOr::Word(BetaWord::KullbackLeibler) => 1.0,
        WordOr::Word(BetaWord::ItakuraSaito) => 0.0,
    };
    let refused = |reason: &str| {
        Err(FitError::Param(ParamError {
            field: "beta_loss".into(),
            reason: reason.into(),
            suggestions: Vec::new(),
        }))
    };
    if !beta.is_finite() {
        return refused("is not a finite number");
    }
    if params.solver == Solver::Cd && beta != 2.0 {
        return refused("the solver cd takes frobenius only: take the solver mu");
    }
    if beta <= 0.0 && x.iter().any(|v| *v == 0.0) {
        return refused(
            "a beta of 0 or less takes no zeros in the columns: add a little, or take a beta above 0",
        );
    }
    Ok(beta)
}

/// Stands for a zero that would be divided by, as in scikit-learn.
const LITTLE: f64 = f32::EPSILON as f64;

/// Rows whose product is held at a time.
const BLOCK: usize = 1_024;
/// Rows whose amounts are found side by side.
const LANES: usize = 8;

/// Multiplicative updates (Févotte & Idier 2011).
#[derive(Clone, Copy)]
struct Multiplicative {
    beta: f64,
    /// The power of a step with which the divergence never rises.
    gamma: f64,
}

impl Multiplicative {
    fn new(beta: f64) -> Self {
        let gamma = if beta < 1.0 {
            1.0 / (2.0 - beta)
        } else if beta > 2.0 {
            1.0 / (beta - 1.0)
        } else {
            1.0
        };
        Self { beta, gamma }
    }

    /// Whether updates are to end, asked after each: after ten the divergence of X and W H must have fallen
    /// by a share of what it was at first.
    fn ends<'a>(
        self,
        x: &'a Array2<f64>,
        w: &Array2<f64>,
        h: &Array2<f64>,
        tol: f64,
    ) -> impl FnMut(usize, &Array2<f64>, &Array2<f64>) -> bool + use<'a> {
        let begun = self.divergence(x, w, h);
        let mut before = begun;
        move |n_iter, w, h| {
            if n_iter % 10 != 0 {
                return false;
            }
            let error = self.divergence(x, w, h);
            let ends = begun == 0.0 || (before - error) / begun < tol;
            before = error;
            ends
        }
    }

    /// Of rows X and their W H: X (W H)^(β-2) and (W H)^(β-1).
    fn halves(self, x: ArrayView2<'_, f64>, product: Array2<f64>) -> (Array2<f64>, Array2<f64>) {
        let mut upper = product.clone();
        let mut lower = product;
        if self.beta < 2.0 {
            upper.mapv_inplace(|v| if v < LITTLE { LITTLE } else { v });
        }
        if self.beta < 1.0 {
            lower.mapv_inplace(|v| if v < LITTLE { LITTLE } else { v });
        }
        let beta = self.beta;
        upper.zip_mut_with(&x, |v, x| {
            *v = if beta == 1.0 {
                x / *v
            } else if beta == 2.0 {
                *x
            } else {
                x * v.powf(beta - 2.0)
            };
        });
        if beta == 1.0 {
            lower.fill(1.0);
        } else if beta != 2.0 {
            lower.mapv_inplace(|v| v.powf(beta - 1.0));
        }
        (upper, lower)
    }

    /// What a weight is multiplied with.
    fn factor(self, own: f64, upper: f64, lower: f64, shrink: Shrink) -> f64 {
        let lower = lower + shrink.l1 + shrink.l2 * own;
        let factor = upper / if lower == 0.0 { LITTLE } else { lower };
        if self.gamma == 1.0 {
            factor
        } else {
            factor.powf(self.gamma)
        }
    }

    /// Betas near or below 1 leave traces that are not cleared by themselves.
    fn settle(self, v: f64, border: bool) -> f64 {
        let clears = self.beta < 1.0 || (border && self.beta == 1.0);
        if clears && v < f64::EPSILON { 0.0 } else { v }
    }

    fn update_w(self, x: &Array2<f64>, w: &mut Array2<f64>, h: &Array2<f64>, shrink: Shrink) {
        let blocks = x.axis_chunks_iter(Axis(0), BLOCK);
        threads::each(
            blocks.zip(w.axis_chunks_iter_mut(Axis(0), BLOCK)),
            |(x, mut w)| {
                let (upper, lower) = self.halves(x, w.dot(h));
                let (upper, lower) = (upper.dot(&h.t()), lower.dot(&h.t()));
                ndarray::Zip::from(&mut w)
                    .and(&upper)
                    .and(&lower)
                    .for_each(|w, u, l| {
                        *w = self.settle(*w * self.factor(*w, *u, *l, shrink), false);
                    });
            },
        );
    }

    fn update_h(self, x: &Array2<f64>, w: &Array2<f64>, h: &mut Array2<f64>, shrink: Shrink) {
        let (mut above, mut below) = (Array2::zeros(h.dim()), Array2::zeros(h.dim()));
        let blocks = x.axis_chunks_iter(Axis(0), BLOCK);
        for (x, w) in blocks.zip(w.axis_chunks_iter(Axis(0), BLOCK)) {
            let (upper, lower) = self.halves(x, w.dot(h));
            above += &w.t().dot(&upper);
            below += &w.t().dot(&lower);
        }
        ndarray::Zip::from(h)
            .and(&above)
            .and(&below)
            .for_each(|h, u, l| {
                *h = self.settle(*h * self.factor(*h, *u, *l, shrink), true);
            });
    }

    /// The root of twice the divergence of X and W H.
    fn divergence(self, x: &Array2<f64>, w: &Array2<f64>, h: &Array2<f64>) -> f64 {
        let beta = self.beta;
        let mut sum = 0.0;
        let blocks = x.axis_chunks_iter(Axis(0), BLOCK);
        for (x, w) in blocks.zip(w.axis_chunks_iter(Axis(0), BLOCK)) {
            let product = w.dot(h);
            for (x, v) in x.iter().zip(&product) {
                // Zeros of X add what does not need their power.
                let known = *x > LITTLE;
                let safe = v.max(LITTLE);
                sum += if beta == 2.0 {
                    (x - v).powi(2) / 2.0
                } else if beta == 1.0 {
                    v + if known { x * (x / safe).ln() - x } else { 0.0 }
                } else if beta == 0.0 {
                    if known {
                        x / safe - (x / safe).ln() - 1.0
                    } else {
                        -1.0
                    }
                } else {
                    let own = if known {
                        x.powf(beta) - beta * x * safe.powf(beta - 1.0)
                    } else {
                        0.0
                    };
                    (own + v.powf(beta) * (beta - 1.0)) / (beta * (beta - 1.0))
                };
            }
        }
        (2.0 * sum.max(0.0)).sqrt()
    }
}

/// What a pass over the rows leaves: how far W was from rest, Wᵀ W and Wᵀ X.
struct Passed {
    moved: f64,
    gram: Array2<f64>,
    pulls: Array2<f64>,
}

/// One pass of coordinate descent over W (rows x parts) for X ≈ W H, a block of rows at a time: memory is
/// read once, and what the blocks give is added up in their order.
fn pass(
    x: &Array2<f64>,
    w: &mut Array2<f64>,
    h: &Array2<f64>,
    shrink: Shrink,
    order: &[usize],
) -> Passed {
    // Rows of W must lie together below.
    if !w.is_standard_layout() {
        *w = w.as_standard_layout().into_owned();
    }
    let (k, p) = h.dim();
    let gram = h.dot(&h.t());
    let empty = || Passed {
        moved: 0.0,
        gram: Array2::zeros((k, k)),
        pulls: Array2::zeros((k, p)),
    };
    let mut parts: Vec<Passed> = (0..x.nrows().div_ceil(BLOCK)).map(|_| empty()).collect();
    let blocks = x
        .axis_chunks_iter(Axis(0), BLOCK)
        .zip(w.axis_chunks_iter_mut(Axis(0), BLOCK));
    // Starting a thread takes as long as a few blocks.
    let few = x.nrows() < 4 * BLOCK;
    let threads = if few { 1 } else { threads::granted() };
    threads::grant(threads, || {
        threads::each(blocks.zip(&mut parts), |((x, mut w), part)| {
            // Of one column the product lies column after column.
            let pulls = x.dot(&h.t());
            let pulls = pulls.as_standard_layout();
            let whole = x.nrows() / LANES * LANES;
            let (mut many, mut few) = w.view_mut().split_at(Axis(0), whole);
            let mut room = vec![[0.0; LANES]; 2 * k];
            let groups = many.axis_chunks_iter_mut(Axis(0), LANES);
            for (mut rows, pulls) in groups.zip(pulls.axis_chunks_iter(Axis(0), LANES)) {
                part.moved += pass_rows(&mut rows, pulls, &gram, shrink, &mut room, order);
            }
            let mut slopes = vec![0.0; k];
            let rows = few.rows_mut().into_iter();
            part.moved += rows
                .zip(pulls.rows().into_iter().skip(whole))
                .map(|(mut row, pull)| {
                    let row = flat_mut(row.view_mut());
                    let pull = flat(pull);
                    pass_row(row, pull, &gram, shrink, &mut slopes, order)
                })
                .sum::<f64>();
            part.gram = w.t().dot(&w);
            part.pulls = w.t().dot(&x);
        });
    });
    parts.into_iter().fold(empty(), |mut all, part| {
        all.moved += part.moved;
        all.gram += &part.gram;
        all.pulls += &part.pulls;
        all
    })
}

/// The amounts of [`LANES`] rows at once, from H x of each and H Hᵀ, each row as if it were alone: parts are
/// taken in this `order`. `room` holds two lists of a number a part and row.
fn pass_rows(
    rows: &mut ArrayViewMut2<'_, f64>,
    pulls: ArrayView2<'_, f64>,
    gram: &Array2<f64>,
    shrink: Shrink,
    room: &mut [[f64; LANES]],
    order: &[usize],
) -> f64 {
    let k = rows.ncols();
    let (own, pull) = room.split_at_mut(k);
    for (lane, (row, from)) in rows.rows().into_iter().zip(pulls.rows()).enumerate() {
        for (t, (v, p)) in row.iter().zip(from).enumerate() {
            own[t][lane] = *v;
            pull[t][lane] = *p;
        }
    }
    // Symmetric: its rows are its columns.
    let flat = gram.as_slice_memory_order().unwrap_or_default();
    let mut violation = [0.0; LANES];
    for &t in order {
        let beside = &flat[t * k..(t + 1) * k];
        let mut slope = [shrink.l1; LANES];
        for (g, v) in beside.iter().zip(own.iter()) {
            for (slope, v) in slope.iter_mut().zip(v) {
                *slope += g * v;
            }
        }
        let curve = beside[t] + shrink.l2;
        let by = if curve > 0.0 { 1.0 / curve } else { 0.0 };
        let lanes = slope.iter().zip(&pull[t]).zip(&mut own[t]);
        for (((slope, pull), v), violation) in lanes.zip(&mut violation) {
            let slope = slope - pull + shrink.l2 * *v;
            let wrong = if *v == 0.0 { slope.min(0.0) } else { slope };
            *violation += wrong.abs();
            *v = (*v - by * slope).max(0.0);
        }
    }
    for (lane, mut row) in rows.rows_mut().into_iter().enumerate() {
        for (to, v) in row.iter_mut().zip(own.iter()) {
            *to = v[lane];
        }
    }
    violation.iter().sum()
}

/// The same for the amounts of one row, from H x and H Hᵀ; `slopes` is room for a number a part. All slopes
/// are kept up to date, which adds whole rows of H Hᵀ at once, and amounts of 0 add nothing. Parts are taken in
/// this `order`.
fn pass_row(
    row: &mut [f64],
    pull: &[f64],
    gram: &Array2<f64>,
    shrink: Shrink,
    slopes: &mut [f64],
    order: &[usize],
) -> f64 {
    let k = row.len();
    // Symmetric: its rows are its columns.
    let flat = gram.as_slice_memory_order().unwrap_or_default();
    let of = |t: usize| &flat[t * k..(t + 1) * k];
    for (slope, p) in slopes.iter_mut().zip(pull) {
        *slope = -p;
    }
    for (t, v) in row.iter().enumerate() {
        if *v != 0.0 {
            add_scaled(slopes, *v, of(t));
        }
    }
    let mut violation = 0.0;
    for &t in order {
        let slope = slopes[t] + shrink.l1 + shrink.l2 * row[t];
        violation += if row[t] == 0.0 { slope.min(0.0) } else { slope }.abs();
        let curve = of(t)[t] + shrink.l2;
        if curve > 0.0 {
            let next = (row[t] - slope / curve).max(0.0);
            let moved = next - row[t];
            if moved != 0.0 {
                add_scaled(slopes, moved, of(t));
                row[t] = next;
            }
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
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut settle = |v: f64| match init {
        _ if v >= 1e-6 => v,
        Init::Nndsvda => mean,
        Init::Nndsvdar => (mean * normal(&mut random) / 100.0).abs(),
        Init::Nndsvd | Init::Random => 0.0,
    };
    w.mapv_inplace(&mut settle);
    h.mapv_inplace(settle);
    Ok((w, h))
}

impl Fitted {
    /// Answers with amounts found by multiplicative updates.
    fn by_updates(&self, mu: Multiplicative, x: ArrayView2<'_, f64>) -> Vec<f64> {
        let (p, k) = (x.ncols(), self.parts.nrows());
        let each = x.axis_chunks_iter(Axis(0), 1).map(|row| {
            let row = row.to_owned();
            let own = (row.sum() / (p * k) as f64).max(0.0).sqrt();
            let (many, start) = self.updates.unwrap_or((self.max_iter, own));
            let mut amounts = Array2::from_elem((1, k), start);
            for _ in 0..many {
                mu.update_w(&row, &mut amounts, &self.parts, self.shrink);
            }
            self.plane.values(amounts.view())
        });
        each.flatten().collect()
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        if let Some(beta) = self.beta {
            return Ok(Prediction::values(
                self.by_updates(Multiplicative::new(beta), x),
            ));
        }
        let gram = self.parts.dot(&self.parts.t());
        let pulls = row_products(x, self.parts.view());
        let mut amounts = Array2::zeros(pulls.dim());
        let mut slopes = vec![0.0; self.parts.nrows()];
        let order: Vec<usize> = (0..self.parts.nrows()).collect();
        // Each row until it is at rest, whenever that is for the others.
        let rows = amounts.rows_mut().into_iter().zip(pulls.rows());
        for ((mut row, pull), x) in rows.zip(x.rows()) {
            let row = flat_mut(row.view_mut());
            let pull = flat(pull);
            row.fill((x.sum() / (x.len() * row.len()) as f64).max(0.0).sqrt());
            let mut first = 0.0;
            for n in 0..self.max_iter {
                let moved = pass_row(row, pull, &gram, self.shrink, &mut slopes, &order);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, table};
    use mltrainer_catalogue_core::Params as _;
    use serde_json::json;

    #[test]
    fn multiplicative_updates_as_scikit_learn() {
        // scikit-learn 1.9.0, NMF(2, solver="mu", init="nndsvda", tol=1e-9, max_iter=5000, ...): the error of
        // reconstruction, and the first two figures of the first part.
        let flat: Vec<[f64; 5]> = (0..60)
            .map(|i: usize| std::array::from_fn(|j| crate::testing::eighths(i, j)))
            .collect();
        let rows: Vec<&[f64]> = flat.iter().map(|r| &r[..]).collect();
        let y: Vec<f64> = rows.iter().map(|r| r[0] - r[1]).collect();
        for (beta, more, want) in [
            (
                json!("frobenius"),
                json!({}),
                [44.01852283764108, 1.624176596620479, 8.639189698017745],
            ),
            (
                json!("kullback-leibler"),
                json!({}),
                [19.649018134982907, 0.0, 6.297876686817574],
            ),
            (
                json!(1.5),
                json!({}),
                [29.04132365280135, 1.8547828296184872, 8.114406601303372],
            ),
            (
                json!(0.5),
                json!({}),
                [14.13900891221398, 4.308051709052109, 5.839184439048888],
            ),
            (
                json!(3.0),
                json!({}),
                [107.43010983589998, 2.848199686363021, 4.790838601191577],
            ),
            (
                json!("kullback-leibler"),
                json!({"alpha_W": 0.01, "l1_ratio": 0.5}),
                [
                    19.656903460399754,
                    0.00015060865420561906,
                    2.085839892266498,
                ],
            ),
        ] {
            let mut given = json!({"n_components": 2, "solver": "mu", "init": "nndsvda", "tol": 1e-9, "max_iter": 5000});
            given["beta_loss"] = beta;
            for (name, value) in more.as_object().unwrap() {
                given[name] = value.clone();
            }
            let params = NmfRegressionParams::from_map(given.as_object().unwrap()).unwrap();
            let fitted = NmfRegression::fit(&params, &table(&rows, &y), 0).unwrap();
            let o = fitted.outputs();
            let got = [
                o["reconstruction_error"].as_f64().unwrap(),
                fitted.parts[[0, 0]],
                fitted.parts[[0, 1]],
            ];
            assert_near(&got, &want, 1e-3);
        }
    }

    #[test]
    fn penalised_rows_as_scikit_learn() {
        // scikit-learn 1.9.0, NMF(..., init="nndsvda", tol=1e-9, max_iter=5000), transform of the rows it was
        // fitted to, LinearRegression on its fit_transform: the first three predictions. For kullback-leibler
        // with H_sum taken anew in each update: it adds l1 to what it keeps of it, update after update.
        let flat: Vec<[f64; 5]> = (0..60)
            .map(|i: usize| std::array::from_fn(|j| crate::testing::eighths(i, j)))
            .collect();
        let rows: Vec<&[f64]> = flat.iter().map(|r| &r[..]).collect();
        let y: Vec<f64> = rows.iter().map(|r| r[0] - r[1]).collect();
        let data = table(&rows, &y);
        for (given, want) in [
            (
                r#"{"n_components": 2, "solver": "mu", "beta_loss": "kullback-leibler", "alpha_W": 0.01, "l1_ratio": 0.5}"#,
                [-6.12833602495167, -1.8267930279716222, -2.761057596364206],
            ),
            (
                r#"{"n_components": 2, "solver": "mu", "beta_loss": "kullback-leibler", "alpha_W": 0.5, "l1_ratio": 0.5}"#,
                [
                    -2.9218317711460657,
                    -0.06840116617274916,
                    -3.136013105301663,
                ],
            ),
            (
                r#"{"n_components": 2, "solver": "mu", "beta_loss": 1.5, "alpha_W": 0.5, "l1_ratio": 0.5}"#,
                [-4.407224854837863, 0.9181214260934156, -4.85880321995277],
            ),
            (
                r#"{"n_components": 2, "solver": "cd", "alpha_W": 0.05, "alpha_H": 0.0, "l1_ratio": 1.0}"#,
                [-5.688881991994104, 0.18308676774222865, -5.74577138262537],
            ),
            (
                r#"{"n_components": 3, "solver": "cd", "alpha_W": 0.5, "l1_ratio": 0.5}"#,
                [-5.390635918918526, -3.900068609351671, -4.030679652363517],
            ),
        ] {
            let mut given: serde_json::Value = serde_json::from_str(given).unwrap();
            given["init"] = json!("nndsvda");
            given["tol"] = json!(1e-9);
            given["max_iter"] = json!(5000);
            let params = NmfRegressionParams::from_map(given.as_object().unwrap()).unwrap();
            let fitted = NmfRegression::fit(&params, &data, 0).unwrap();
            let said = fitted.predict(data.x().view()).unwrap().values;
            assert_near(&said[..3], &want, 1e-5);
        }
    }

    #[test]
    fn shuffled_parts_end_where_scikit_learn_does() {
        // scikit-learn 1.9.1, NMF(2, init="nndsvda", tol=1e-12, max_iter=20000, shuffle=..., random_state=0):
        // reconstruction_err_ is 44.01851090942726 with and without shuffle.
        let flat: Vec<[f64; 5]> = (0..60)
            .map(|i: usize| std::array::from_fn(|j| crate::testing::eighths(i, j)))
            .collect();
        let rows: Vec<&[f64]> = flat.iter().map(|r| &r[..]).collect();
        let y: Vec<f64> = rows.iter().map(|r| r[0] - r[1]).collect();
        let fit = |shuffle: bool, seed: u64| {
            let given = json!({"n_components": 2, "init": "nndsvda", "tol": 1e-12, "max_iter": 20_000, "shuffle": shuffle});
            let params = NmfRegressionParams::from_map(given.as_object().unwrap()).unwrap();
            NmfRegression::fit(&params, &table(&rows, &y), seed)
                .unwrap()
                .outputs()
        };
        let error = |o: &Outputs| o["reconstruction_error"].as_f64().unwrap();
        for (shuffle, seed) in [(false, 0), (true, 0), (true, 1)] {
            assert_near(&[error(&fit(shuffle, seed))], &[44.01851090942726], 1e-7);
        }
        assert_eq!(fit(true, 1), fit(true, 1));
        assert_ne!(fit(true, 1), fit(true, 2));
    }

    #[test]
    fn rows_that_lie_apart_are_not_skipped() {
        // The same pass whether W lies by rows or by columns.
        let x = Array2::from_shape_fn((6, 3), |(i, j)| ((i * 5 + j * 7) % 11) as f64);
        let h = Array2::from_shape_fn((2, 3), |(i, j)| (1 + i + 2 * j) as f64);
        let none = Shrink { l1: 0.0, l2: 0.0 };
        let mut by_rows = Array2::from_elem((6, 2), 0.5);
        let mut by_columns = Array2::from_elem((2, 6), 0.5).reversed_axes();
        let a = pass(&x, &mut by_rows, &h, none, &[0, 1]);
        let b = pass(&x, &mut by_columns, &h, none, &[0, 1]);
        assert!(a.moved > 0.0);
        assert_eq!(a.moved, b.moved);
        assert_eq!(by_rows, by_columns);
    }

    #[test]
    fn one_column_in_two_parts() {
        // Parts of one column are that column again, so that the amounts tell it: y = 2 x + 1 is met.
        let data = table(&[&[1.0], &[2.0], &[4.0], &[3.0]], &[3.0, 5.0, 9.0, 7.0]);
        let given = json!({"n_components": 2});
        let params = NmfRegressionParams::from_map(given.as_object().unwrap()).unwrap();
        let fitted = NmfRegression::fit(&params, &data, 0).unwrap();
        let o = fitted.outputs();
        assert!(o["reconstruction_error"].as_f64().unwrap() < 1e-4);
    }

    #[test]
    fn a_loss_that_the_solver_does_not_take_is_refused() {
        let given = json!({"beta_loss": "kullback-leibler"});
        let params = NmfRegressionParams::from_map(given.as_object().unwrap()).unwrap();
        let refused = NmfRegression::fit(&params, &table(&[&[1.0], &[2.0]], &[1.0, 2.0]), 0);
        assert_eq!(
            refused.unwrap_err().to_string(),
            "parameter beta_loss: the solver cd takes frobenius only: take the solver mu"
        );
    }
}
