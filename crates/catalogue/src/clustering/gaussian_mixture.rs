//! Gaussian mixture.
//!
//! What: rows come from one of k normal distributions, which are found together with who came from
//! which.
//! Formula: max Σ ln Σₖ πₖ N(xᵢ; μₖ, Σₖ) by expectation and maximisation.
//! Data: any table of numbers; scale does not matter with full covariances.
//! Cost: O(n_init · steps · n k p²).
//! Fails when: components are many for the rows: a covariance then collapses.
//! Source: Dempster, Laird, Rubin (1977).
//! Not claimed: the largest of all likelihoods.

use super::kmeans;
use crate::numeric::{Cholesky, dot, flat, inverse_of_lower};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Clusterer, Entry, FitError, Inputs, Observations, Outputs, ParamError, choices, params,
    run, threads,
};
use mltrainer_types::catalogue::Task;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, Axis};
use rand::seq::index;
use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::Value;
use std::borrow::Cow;

/// The handle.
pub struct GaussianMixture;

/// The registration.
// One component is found at once from any start.
pub const ENTRY: Entry = Entry::clustering::<GaussianMixture>().mattering_beside(&[
    &[("n_components", "2")],
    &[("n_components", "2"), ("covariance_type", "spherical")],
]);

choices! {
    /// Which covariances there may be.
    pub enum Covariance {
        /// Any, one a component.
        Full = "full",
        /// Any, one for all.
        Tied = "tied",
        /// One variance a column and component.
        Diag = "diag",
        /// One variance a component.
        Spherical = "spherical",
    }
}

choices! {
    /// Where a start comes from.
    pub enum Init {
        /// From the groups of k-means.
        KMeans = "kmeans",
        /// From the centres that k-means++ draws, with no spread but `reg_covar`.
        PlusPlus = "k-means++",
        /// From random shares.
        Random = "random",
        /// From rows drawn at random, with no spread but `reg_covar`.
        RandomFromData = "random_from_data",
    }
}

params! {
    /// Parameters of a Gaussian mixture.
    pub struct GaussianMixtureParams {
        /// Number of components.
        n_components: usize = 1, within(1.0, 1000.0);
        /// Which covariances there may be.
        covariance_type: Covariance = Covariance::Full;
        /// A start ends when a step raises the mean log likelihood by less; the one that is kept goes on to a hundred-thousandth of it.
        tol: f64 = 1e-3, at_least(0.0);
        /// Added to the variances.
        reg_covar: f64 = 1e-6, at_least(0.0);
        /// Steps of a start at most; `converged` says whether they were enough.
        max_iter: usize = 100, within(1.0, 1_000_000.0);
        /// Starts, of which the most likely is kept.
        n_init: usize = 1, within(1.0, 1000.0);
        /// Where a start comes from: kmeans from its groups, random from random shares, k-means++ and random_from_data from rows, whose spread is reg_covar.
        init_params: Init = Init::KMeans;
        /// Shares of the components to start from, joined with commas, with sum 1; none takes those of init_params.
        weights_init: Option<Vec<f64>> = None, within(0.0, 1.0);
        /// Means to start from, one component after the other, joined with commas; none takes those of init_params.
        means_init: Option<Vec<f64>> = None;
        /// Inverse covariances to start from, joined with commas: full one matrix a component, tied one, each row after row; diag a number a column and component; spherical one a component; none takes the covariances of init_params.
        precisions_init: Option<Vec<f64>> = None;
        /// Seed of the draws; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "gaussian_mixture",
    family: "clustering",
    title: "Gaussian mixture",
    tasks: &[Task::Clustering],
    inputs: Inputs::Table,
    summary: "Rows come from one of k normal distributions. Steps of expectation (who came from which) and maximisation (the distributions) raise the likelihood from several starts; the most likely end is kept.",
    formula: "rᵢₖ ∝ πₖ N(xᵢ; μₖ, Σₖ); πₖ = Σᵢ rᵢₖ/n, μₖ = Σ rᵢₖ xᵢ/Σ rᵢₖ, Σₖ = Σ rᵢₖ (xᵢ-μₖ)(xᵢ-μₖ)ᵀ/Σ rᵢₖ + reg_covar I (or its diagonal, the mean of that, or one for all); aic = 2m - 2ll, bic = m ln n - 2ll, m free numbers. Components are numbered by their means, column by column",
    data: "Any table of numbers.",
    cost: "O(n_init · steps · n k p²)",
    fails_when: "Components are many for the rows (a covariance collapses onto few of them), or one start ends in a poor optimum: raise n_init.",
    not_claimed: "The largest of all likelihoods, or that there are k components.",
    source: "A. P. Dempster, N. M. Laird, D. B. Rubin, Maximum likelihood from incomplete data via the EM algorithm, JRSS B 39 (1977)",
    reference: "scikit-learn 1.9.1, GaussianMixture",
    outputs: &[
        ("labels", "most probable component of each row, from 0"),
        ("log_likelihood", "summed over the rows"),
        ("starts", "log likelihood at which each start ended"),
        ("aic", "Akaike's criterion"),
        ("bic", "the Bayesian criterion"),
        ("weights", "shares of the components"),
        ("means", "k rows of means, columns as in the data"),
        ("covariances", "k matrices by rows; tied repeats the one"),
        ("n_iter", "steps of the start that was kept"),
        ("converged", "whether that start ended before max_iter"),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "scikit-learn 1.9.1, n_init 10, tol 1e-8",
            cases: "gaussian-mixture-full-2, gaussian-mixture-diag-3",
            tolerance: "log likelihood within 2.5%, adjusted Rand index 0.83 to 0.94",
        },
        Evidence {
            against: "scikit-learn 1.9.1, weights_init, means_init, precisions_init",
            cases: "a test of this entry: every covariance_type after three steps",
            tolerance: "log likelihood, weights and means 1e-10",
        },
    ],
    presets: &[],
    exemptions: &[],
};

/// The start that is kept goes on until a step gains less than this share of tol ...
const NEARER: f64 = 1e-5;

/// ... but so many steps at most.
const FURTHER: usize = 1000;

/// What is found: shares, means and covariances of the components. Diagonals and the spherical one are
/// one row of variances.
#[derive(Clone)]
struct Parts {
    weights: Vec<f64>,
    /// Components x columns.
    means: Array2<f64>,
    covariances: Vec<Array2<f64>>,
}

/// The same, ready to be evaluated: the density of a component is exp(own - |W (x - mean)|²/2), where
/// W is the inverse of the covariance's Cholesky factor, or a row of inverse deviations.
struct Densities {
    parts: Parts,
    whiteners: Vec<Array2<f64>>,
    own: Vec<f64>,
}

impl Densities {
    /// None when a covariance is not positive definite.
    fn new(parts: Parts, diagonal: bool) -> Option<Self> {
        let p = parts.means.ncols();
        let constant = 0.5 * p as f64 * std::f64::consts::TAU.ln();
        let (mut whiteners, mut own) = (Vec::new(), Vec::new());
        for (weight, covariance) in parts.weights.iter().zip(&parts.covariances) {
            let half_log_det = if diagonal {
                if !covariance.iter().all(|v| *v > 0.0) {
                    return None;
                }
                whiteners.push(covariance.mapv(|v| 1.0 / v.sqrt()));
                0.5 * covariance.iter().map(|v| v.ln()).sum::<f64>()
            } else {
                let factor = Cholesky::new(covariance.clone())?;
                whiteners.push(inverse_of_lower(factor.lower().view()));
                0.5 * factor.log_det()
            };
            own.push(weight.ln() - constant - half_log_det);
        }
        Some(Self {
            parts,
            whiteners,
            own,
        })
    }
}

/// What is given to start from in place of what `init_params` gives.
#[derive(Default)]
struct Given {
    weights: Option<Vec<f64>>,
    means: Option<Array2<f64>>,
    covariances: Option<Vec<Array2<f64>>>,
}

impl Given {
    fn new(params: &GaussianMixtureParams, p: usize) -> Result<Self, ParamError> {
        let k = params.n_components;
        let refused = |field: &str, reason: String| ParamError {
            field: field.into(),
            reason,
            suggestions: Vec::new(),
        };
        let many = |field: &str, got: usize, wanted: usize| {
            if got == wanted {
                return Ok(());
            }
            Err(refused(
                field,
                format!("{got} numbers: {k} components of {p} columns take {wanted}"),
            ))
        };
        let mut given = Self::default();
        if let Some(weights) = &params.weights_init {
            many("weights_init", weights.len(), k)?;
            let sum: f64 = weights.iter().sum();
            if (sum - 1.0).abs() > 1e-6 {
                return Err(refused(
                    "weights_init",
                    format!("their sum is {sum}, not 1"),
                ));
            }
            given.weights = Some(weights.clone());
        }
        if let Some(means) = &params.means_init {
            many("means_init", means.len(), k * p)?;
            given.means = Some(Array2::from_shape_fn((k, p), |(c, j)| means[c * p + j]));
        }
        if let Some(all) = &params.precisions_init {
            let field = "precisions_init";
            let bad = || refused(field, "they are not positive definite".into());
            let (wanted, full) = match params.covariance_type {
                Covariance::Full => (k * p * p, true),
                Covariance::Tied => (p * p, true),
                Covariance::Diag => (k * p, false),
                Covariance::Spherical => (k, false),
            };
            many(field, all.len(), wanted)?;
            if !full && all.iter().any(|v| *v <= 0.0) {
                return Err(bad());
            }
            let of = |c: usize| match params.covariance_type {
                Covariance::Diag => {
                    Ok(Array2::from_shape_fn((1, p), |(_, j)| 1.0 / all[c * p + j]))
                }
                Covariance::Spherical => Ok(Array2::from_elem((1, p), 1.0 / all[c])),
                Covariance::Full | Covariance::Tied => {
                    let from = if params.covariance_type == Covariance::Full {
                        c * p * p
                    } else {
                        0
                    };
                    let at = |i: usize, j: usize| all[from + i * p + j];
                    if (0..p).any(|i| (0..i).any(|j| at(i, j) != at(j, i))) {
                        return Err(refused(field, "a matrix is not symmetric".into()));
                    }
                    let precision = Array2::from_shape_fn((p, p), |(i, j)| at(i, j));
                    Cholesky::new(precision)
                        .map(|f| f.inverse())
                        .ok_or_else(bad)
                }
            };
            given.covariances = Some((0..k).map(of).collect::<Result<_, _>>()?);
        }
        Ok(given)
    }

    /// All that a start needs, if all is given.
    fn whole(&self) -> Option<Parts> {
        Some(Parts {
            weights: self.weights.clone()?,
            means: self.means.clone()?,
            covariances: self.covariances.clone()?,
        })
    }

    /// Takes the place of what a start has.
    fn over(&self, parts: &mut Parts) {
        if let Some(weights) = &self.weights {
            parts.weights.clone_from(weights);
        }
        if let Some(means) = &self.means {
            parts.means.clone_from(means);
        }
        if let Some(covariances) = &self.covariances {
            parts.covariances.clone_from(covariances);
        }
    }
}

/// One start, brought to its end.
struct Mixture {
    now: Densities,
    log_likelihood: f64,
    /// What the next step makes of it.
    next: Parts,
    n_iter: usize,
    converged: bool,
}

/// Rows that go through together: they and their products stay in the cache.
const BLOCK: usize = 256;
/// Pieces of a pass at most, each with sums of its own.
const PIECES: usize = 16;

/// Sums over rows, by shares and about given centres.
struct Sums {
    sizes: Vec<f64>,
    /// Components x columns.
    first: Array2<f64>,
    /// Of each component columns x columns, of which the lower triangle is summed up, or one row.
    second: Vec<Array2<f64>>,
    log_likelihood: f64,
}

/// Columns that are multiplied at a time where only a lower triangle is wanted or given.
fn strips(p: usize) -> impl Iterator<Item = (usize, usize)> {
    let wide = (p / 4).next_multiple_of(8).max(16);
    (0..p).step_by(wide).map(move |s| (s, (s + wide).min(p)))
}

fn columns(mut a: ArrayView2<'_, f64>, from: usize, to: usize) -> ArrayView2<'_, f64> {
    a.slice_axis_inplace(Axis(1), (from..to).into());
    a
}

/// Room for a block of rows less a centre, and for its products.
struct Room {
    off: Array2<f64>,
    product: Array2<f64>,
}

impl Room {
    fn new(rows: usize, p: usize) -> Self {
        Self {
            off: Array2::zeros((rows, p)),
            product: Array2::zeros((rows, p)),
        }
    }

    /// The logarithms of the components' shares times their densities, rows x components.
    fn logs(
        &mut self,
        x: ArrayView2<'_, f64>,
        d: &Densities,
        diagonal: bool,
        out: &mut Array2<f64>,
    ) {
        let (n, p) = x.dim();
        for (c, (whitener, own)) in d.whiteners.iter().zip(&d.own).enumerate() {
            let center = d.parts.means.row(c);
            let mut off = self.off.slice_axis_mut(Axis(0), (..n).into());
            off.assign(&x);
            let mut product = self.product.slice_axis_mut(Axis(0), (..n).into());
            for mut row in off.rows_mut() {
                row -= &center;
                if diagonal {
                    row *= &whitener.row(0);
                }
            }
            if !diagonal {
                for (from, to) in strips(p) {
                    let rows = whitener.slice_axis(Axis(0), (from..to).into());
                    let mut z = product.slice_axis_mut(Axis(1), (from..to).into());
                    let w = columns(rows, 0, to);
                    general_mat_mul(1.0, &columns(off.view(), 0, to), &w.t(), 0.0, &mut z);
                }
            }
            let z = if diagonal { off } else { product };
            for (z, mut out) in z.rows().into_iter().zip(out.rows_mut()) {
                let z = flat(z);
                out[c] = own - 0.5 * dot(z, z);
            }
        }
    }

    /// Adds rows by their shares to the sums about the centres.
    fn add(
        &mut self,
        x: ArrayView2<'_, f64>,
        shares: &Array2<f64>,
        centers: &Array2<f64>,
        diagonal: bool,
        sums: &mut Sums,
    ) {
        let (n, p) = x.dim();
        for (c, second) in sums.second.iter_mut().enumerate() {
            let center = centers.row(c);
            let mut first = sums.first.row_mut(c);
            let mut off = self.off.slice_axis_mut(Axis(0), (..n).into());
            off.assign(&x);
            for (mut row, share) in off.rows_mut().into_iter().zip(shares.column(c)) {
                let root = share.sqrt();
                row -= &center;
                row *= root;
                first.scaled_add(root, &row);
                sums.sizes[c] += share;
                if diagonal {
                    row.zip_mut_with(&second.row(0), |v, sum| *v = sum + *v * *v);
                    second.row_mut(0).assign(&row);
                }
            }
            if !diagonal {
                for (from, to) in strips(p) {
                    let mut rows = second.slice_axis_mut(Axis(0), (from..to).into());
                    let mut rows = rows.slice_axis_mut(Axis(1), (..to).into());
                    let left = columns(off.view(), from, to);
                    let right = columns(off.view(), 0, to);
                    general_mat_mul(1.0, &left.t(), &right, 1.0, &mut rows);
                }
            }
        }
    }
}

/// The table, and what holds for all of its passes.
struct Rows<'a> {
    x: ArrayView2<'a, f64>,
    params: &'a GaussianMixtureParams,
    /// One variance a column or component.
    diagonal: bool,
    /// Deviations of the columns, which make steps of different columns comparable.
    scales: Vec<f64>,
}

impl Rows<'_> {
    /// Does the work on blocks of rows, in pieces that are cut by the number of rows alone.
    fn pieces<T: Send>(
        &self,
        work: impl Fn(std::ops::Range<usize>, &mut dyn Iterator<Item = std::ops::Range<usize>>) -> T
        + Sync,
    ) -> Vec<T> {
        let n = self.x.nrows();
        let rows = n.div_ceil(PIECES).next_multiple_of(BLOCK);
        threads::map(n.div_ceil(rows), |piece| {
            let all = piece * rows..((piece + 1) * rows).min(n);
            let end = all.end;
            let mut blocks = all.clone().step_by(BLOCK);
            let mut blocks = blocks.by_ref().map(|from| from..(from + BLOCK).min(end));
            work(all, &mut blocks)
        })
    }

    fn block(&self, rows: std::ops::Range<usize>) -> ArrayView2<'_, f64> {
        self.x.slice_axis(Axis(0), rows.into())
    }

    /// Sums over all rows; `shares` writes those of a block and gives what it adds to the likelihood.
    fn sums(
        &self,
        k: usize,
        centers: &Array2<f64>,
        shares: &(dyn Fn(&mut Room, std::ops::Range<usize>, &mut Array2<f64>) -> f64 + Sync),
    ) -> Sums {
        let p = self.x.ncols();
        let deep = if self.diagonal { 1 } else { p };
        let none = || Sums {
            sizes: vec![0.0; k],
            first: Array2::zeros((k, p)),
            second: vec![Array2::zeros((deep, p)); k],
            log_likelihood: 0.0,
        };
        let pieces = self.pieces(|all, blocks| {
            let mut sums = none();
            let most = all.len().min(BLOCK);
            let mut room = Room::new(most, p);
            let mut own = Array2::zeros((most, k));
            for rows in blocks {
                if rows.len() < own.nrows() {
                    own = Array2::zeros((rows.len(), k));
                }
                sums.log_likelihood += shares(&mut room, rows.clone(), &mut own);
                room.add(self.block(rows), &own, centers, self.diagonal, &mut sums);
            }
            sums
        });
        let mut pieces = pieces.into_iter();
        let mut all = pieces.next().unwrap_or_else(none);
        for piece in pieces {
            all.first += &piece.first;
            all.log_likelihood += piece.log_likelihood;
            let sizes = all.sizes.iter_mut().zip(&piece.sizes);
            sizes.for_each(|(a, b)| *a += b);
            let second = all.second.iter_mut().zip(&piece.second);
            second.for_each(|(a, b)| *a += b);
        }
        all
    }

    /// The components that fit the shares best, and the likelihood that came with the shares.
    fn maximise(
        &self,
        k: usize,
        centers: &Array2<f64>,
        shares: &(dyn Fn(&mut Room, std::ops::Range<usize>, &mut Array2<f64>) -> f64 + Sync),
    ) -> (Parts, f64) {
        let sums = self.sums(k, centers, shares);
        let log_likelihood = sums.log_likelihood;
        match self.parts(centers, sums, true) {
            Ok(parts) => (parts, log_likelihood),
            // The centres were too far from the means: once more, about these.
            Err(means) => {
                let sums = self.sums(k, &means, shares);
                let parts = self
                    .parts(&means, sums, false)
                    .unwrap_or_else(|means| Parts {
                        weights: vec![f64::NAN; k],
                        covariances: Vec::new(),
                        means,
                    });
                (parts, log_likelihood)
            }
        }
    }

    /// Weights, means and covariances from sums about centres: Σ r (x - m)(x - m)ᵀ is the sum about
    /// the centre less what the mean's distance from it adds. With `careful` the means come back
    /// instead where that difference would lose digits.
    fn parts(
        &self,
        centers: &Array2<f64>,
        sums: Sums,
        careful: bool,
    ) -> Result<Parts, Array2<f64>> {
        let (n, p) = self.x.dim();
        let k = sums.sizes.len();
        let reg = self.params.reg_covar;
        let mut parts = Parts {
            weights: Vec::with_capacity(k),
            means: centers.clone(),
            covariances: sums.second,
        };
        let mut lossy = false;
        for c in 0..k {
            // The little that keeps an empty component finite is scikit-learn's.
            let size = sums.sizes[c] + 10.0 * f64::EPSILON;
            parts.weights.push(size / n as f64);
            let moved = sums.first.row(c).mapv(|v| v / size);
            let mut mean = parts.means.row_mut(c);
            mean += &moved;
            let twice = 2.0 - sums.sizes[c] / size;
            let covariance = &mut parts.covariances[c];
            for (i, mut row) in covariance.rows_mut().into_iter().enumerate() {
                let columns = if self.diagonal { 0..p } else { 0..i + 1 };
                for j in columns {
                    let i = if self.diagonal { j } else { i };
                    let about = row[j] / size;
                    row[j] = about - twice * moved[i] * moved[j];
                    if i == j {
                        lossy |= f64::EPSILON * about > 1e-6 * (row[j].max(0.0) + reg);
                    }
                }
            }
            for i in 0..if self.diagonal { 0 } else { p } {
                for j in 0..i {
                    covariance[[j, i]] = covariance[[i, j]];
                }
            }
        }
        if careful && lossy {
            return Err(parts.means);
        }
        let all: f64 = parts.weights.iter().sum();
        parts.weights.iter_mut().for_each(|w| *w /= all);
        match self.params.covariance_type {
            Covariance::Tied => {
                let mut sum = Array2::zeros((p, p));
                for (weight, covariance) in parts.weights.iter().zip(&parts.covariances) {
                    sum.scaled_add(*weight, covariance);
                }
                parts.covariances.iter_mut().for_each(|c| c.assign(&sum));
            }
            Covariance::Spherical => {
                for covariance in &mut parts.covariances {
                    let mean = covariance.mean().unwrap_or_default();
                    covariance.fill(mean);
                }
            }
            Covariance::Full | Covariance::Diag => {}
        }
        for covariance in &mut parts.covariances {
            if self.diagonal {
                *covariance += reg;
            } else {
                covariance.diag_mut().iter_mut().for_each(|v| *v += reg);
            }
        }
        Ok(parts)
    }

    /// One step of expectation and maximisation, in one pass over the rows: the log likelihood of the
    /// components that are there, and the next ones.
    fn step(&self, d: &Densities) -> (f64, Parts) {
        let k = d.own.len();
        let (parts, likelihood) = self.maximise(k, &d.parts.means, &|room, rows, out| {
            room.logs(self.block(rows), d, self.diagonal, out);
            let mut total = 0.0;
            for mut out in out.rows_mut() {
                let top = out.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                out.mapv_inplace(|v| (v - top).exp());
                let sum = out.sum();
                total += top + sum.ln();
                out /= sum;
            }
            total
        });
        (likelihood, parts)
    }

    /// Ready to be evaluated, or the sentence why not.
    fn densities(&self, parts: Parts) -> Result<Densities, FitError> {
        Densities::new(parts, self.diagonal).ok_or_else(|| {
            FitError::Failed(
                "a covariance has collapsed: lower n_components, raise reg_covar or rescale the columns".into(),
            )
        })
    }

    /// Most probable component of each row, the first of equals.
    fn labels(&self, d: &Densities) -> Vec<usize> {
        let (k, p) = d.parts.means.dim();
        let pieces = self.pieces(|all, blocks| {
            let mut labels = Vec::with_capacity(all.len());
            let most = all.len().min(BLOCK);
            let mut room = Room::new(most, p);
            let mut out = Array2::zeros((most, k));
            for rows in blocks {
                let many = rows.len();
                room.logs(self.block(rows), d, self.diagonal, &mut out);
                for row in out.rows().into_iter().take(many) {
                    let best = row
                        .iter()
                        .enumerate()
                        .reduce(|a, b| if b.1 > a.1 { b } else { a });
                    labels.push(best.map_or(0, |(c, _)| c));
                }
            }
            labels
        });
        pieces.concat()
    }

    /// Where two steps in a row point to: the extrapolation of Varadhan & Roland (2008), scheme S3. None
    /// where it is no further than the second step.
    fn further(&self, from: &Parts, first: &Parts, second: &Parts) -> Option<Parts> {
        let (mut step, mut turn) = (0.0, 0.0);
        let mut count = |a: f64, b: f64, c: f64, scale: f64| {
            let (r, v) = ((b - a) / scale, (c - 2.0 * b + a) / scale);
            step += r * r;
            turn += v * v;
        };
        for c in 0..from.weights.len() {
            count(from.weights[c], first.weights[c], second.weights[c], 1.0);
            for (j, s) in self.scales.iter().enumerate() {
                let at = [c, j];
                count(from.means[at], first.means[at], second.means[at], *s);
            }
            for (i, a) in from.covariances[c].indexed_iter() {
                let own = if self.diagonal { i.1 } else { i.0 };
                let scale = self.scales[own] * self.scales[i.1];
                count(*a, first.covariances[c][i], second.covariances[c][i], scale);
            }
        }
        let by = (step / turn).sqrt();
        if !by.is_finite() || by <= 1.0 {
            return None;
        }
        let at = |a: f64, b: f64, c: f64| a + 2.0 * by * (b - a) + by * by * (c - 2.0 * b + a);
        let array = |a: &Array2<f64>, b: &Array2<f64>, c: &Array2<f64>| {
            let mut out = a.clone();
            ndarray::Zip::from(&mut out)
                .and(b)
                .and(c)
                .for_each(|a, b, c| *a = at(*a, *b, *c));
            out
        };
        let weights: Vec<f64> = (0..from.weights.len())
            .map(|c| at(from.weights[c], first.weights[c], second.weights[c]))
            .collect();
        weights.iter().all(|w| *w > 0.0).then(|| Parts {
            weights,
            means: array(&from.means, &first.means, &second.means),
            covariances: (0..from.covariances.len())
                .map(|c| {
                    array(
                        &from.covariances[c],
                        &first.covariances[c],
                        &second.covariances[c],
                    )
                })
                .collect(),
        })
    }

    /// Brings a start that has converged nearer to its end.
    fn polish(&self, mut best: Mixture) -> Result<Mixture, FitError> {
        let n = self.x.nrows() as f64;
        let mut more = 0;
        while more < FURTHER {
            more += 1;
            let first = self.densities(best.next.clone())?;
            let (likelihood, second) = self.step(&first);
            let gained = likelihood - best.log_likelihood;
            if gained.is_nan() || gained <= 0.0 {
                break;
            }
            let near = gained / n < self.params.tol * NEARER;
            let there = if near {
                None
            } else {
                let there = self.further(&best.now.parts, &first.parts, &second);
                there.and_then(|p| Densities::new(p, self.diagonal))
            };
            best.n_iter += 1;
            (best.now, best.log_likelihood, best.next) = (first, likelihood, second);
            if near {
                break;
            }
            if let Some(there) = there {
                more += 1;
                let (likelihood, next) = self.step(&there);
                // It may be worse than the step from which it started, and then counts for nothing.
                if likelihood.is_finite() && likelihood > best.log_likelihood {
                    best.n_iter += 1;
                    (best.now, best.log_likelihood, best.next) = (there, likelihood, next);
                }
            }
        }
        Ok(best)
    }
}

impl Clusterer for GaussianMixture {
    type Params = GaussianMixtureParams;
    const CARD: &'static Card = &CARD;

    fn cluster(
        params: &GaussianMixtureParams,
        data: &Observations,
        seed: u64,
    ) -> Result<Outputs, FitError> {
        let x = match data.x() {
            x if x.is_standard_layout() => Cow::Borrowed(x),
            x => Cow::Owned(x.as_standard_layout().into_owned()),
        };
        let (n, p) = x.dim();
        let k = params.n_components;
        if k > n {
            return Err(FitError::Param(ParamError {
                field: "n_components".into(),
                reason: format!("{k} components of {n} rows: lower it"),
                suggestions: Vec::new(),
            }));
        }
        let middle: Vec<f64> = x.columns().into_iter().map(kmeans::mean).collect();
        let variances: Vec<f64> = x.columns().into_iter().map(kmeans::variance).collect();
        let spread = variances.iter().sum::<f64>() / p as f64;
        let rows = Rows {
            x: x.view(),
            params,
            diagonal: matches!(
                params.covariance_type,
                Covariance::Diag | Covariance::Spherical
            ),
            scales: variances
                .iter()
                .map(|v| if *v > 0.0 { v.sqrt() } else { 1.0 })
                .collect(),
        };
        let mut centers = Array2::zeros((k, p));
        for mut center in centers.rows_mut() {
            center.assign(&ndarray::ArrayView1::from(&middle));
        }
        let mut random = Xoshiro256PlusPlus::seed_from_u64(run::effective_seed(params.seed, seed));
        let mut best: Option<Mixture> = None;
        let mut likelihoods = Vec::with_capacity(params.n_init);
        let given = Given::new(params, p)?;
        let whole = given.whole();
        // A start at rows: equal shares, no spread.
        let at_rows = |means: Array2<f64>| {
            let spread = if rows.diagonal {
                Array2::from_elem((1, p), params.reg_covar)
            } else {
                Array2::from_diag_elem(p, params.reg_covar)
            };
            let parts = Parts {
                weights: vec![1.0 / k as f64; k],
                means,
                covariances: vec![spread; k],
            };
            (parts, 0.0)
        };
        // One that is given whole is the same each time.
        let starts = if whole.is_some() { 1 } else { params.n_init };
        for _ in 0..starts {
            let mut parts = match (&whole, params.init_params) {
                (Some(whole), _) => (whole.clone(), 0.0),
                (None, Init::PlusPlus) => at_rows(kmeans::plus_plus(&x, None, k, &mut random)),
                (None, Init::RandomFromData) => {
                    let drawn = index::sample(&mut random, n, k).into_vec();
                    at_rows(x.select(Axis(0), &drawn))
                }
                (None, Init::KMeans) => {
                    let starts = kmeans::plus_plus(&x, None, k, &mut random);
                    // A single start of k-means with scikit-learn's tolerance.
                    let groups = kmeans::lloyd(&x, None, starts, 300, 1e-4 * spread);
                    rows.maximise(k, &centers, &|_, rows, out| {
                        out.fill(0.0);
                        for (mut out, label) in out.rows_mut().into_iter().zip(&groups.labels[rows])
                        {
                            out[*label] = 1.0;
                        }
                        0.0
                    })
                }
                (None, Init::Random) => {
                    let mut shares = Array2::from_shape_simple_fn((n, k), || random.r#gen::<f64>());
                    for mut row in shares.rows_mut() {
                        let sum = row.sum();
                        row /= sum;
                    }
                    rows.maximise(k, &centers, &|_, rows, out| {
                        out.assign(&shares.slice_axis(Axis(0), rows.into()));
                        0.0
                    })
                }
            };
            given.over(&mut parts.0);
            let mut now = rows.densities(parts.0)?;
            let mut before = f64::NEG_INFINITY;
            let (mut n_iter, mut converged) = (0, false);
            while n_iter < params.max_iter && !converged {
                n_iter += 1;
                let (likelihood, next) = rows.step(&now);
                now = rows.densities(next)?;
                let mean = likelihood / n as f64;
                converged = (mean - before).abs() < params.tol;
                before = mean;
            }
            let (log_likelihood, next) = rows.step(&now);
            if !log_likelihood.is_finite() {
                return Err(FitError::Failed(
                    "the likelihood is not finite: rescale the columns".into(),
                ));
            }
            likelihoods.push(log_likelihood);
            if best
                .as_ref()
                .is_none_or(|b| log_likelihood > b.log_likelihood)
            {
                best = Some(Mixture {
                    now,
                    log_likelihood,
                    next,
                    n_iter,
                    converged,
                });
            }
        }
        let mut best = best.ok_or_else(|| FitError::Failed("no start was made".into()))?;
        if best.converged {
            // The start that is kept is brought nearer to its end than the others had to be.
            best = rows.polish(best)?;
        }
        let mut all = outputs(&best, &rows);
        all.insert("starts".into(), run::numbers(&likelihoods));
        Ok(all)
    }
}

fn outputs(best: &Mixture, rows: &Rows<'_>) -> Outputs {
    let (n, p) = rows.x.dim();
    let parts = &best.now.parts;
    let k = parts.weights.len();
    let mut order: Vec<usize> = (0..k).collect();
    order.sort_by(|a, b| {
        let pairs = parts.means.row(*a).into_iter().zip(parts.means.row(*b));
        pairs
            .map(|(a, b)| a.total_cmp(b))
            .find(|o| o.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let mut names = vec![0; k];
    for (name, old) in order.iter().enumerate() {
        names[*old] = name;
    }
    let labels: Vec<usize> = rows
        .labels(&best.now)
        .into_iter()
        .map(|c| names[c])
        .collect();
    let covariance = match rows.params.covariance_type {
        Covariance::Full => k * p * (p + 1) / 2,
        Covariance::Tied => p * (p + 1) / 2,
        Covariance::Diag => k * p,
        Covariance::Spherical => k,
    };
    let free = (covariance + k * p + k - 1) as f64;
    let ll = best.log_likelihood;
    let means: Value = order
        .iter()
        .map(|c| run::numbers(&parts.means.row(*c).to_vec()))
        .collect();
    let matrix = |c: &usize| -> Value {
        let covariance = &parts.covariances[*c];
        let row = |i: usize| {
            if !rows.diagonal {
                return run::numbers(&covariance.row(i).to_vec());
            }
            let mut row = vec![0.0; p];
            row[i] = covariance[[0, i]];
            run::numbers(&row)
        };
        (0..p).map(row).collect()
    };
    let matrices: Value = order.iter().map(matrix).collect();
    let weights: Vec<f64> = order.iter().map(|c| parts.weights[*c]).collect();
    Outputs::from_iter([
        ("labels".to_owned(), labels.into()),
        ("log_likelihood".to_owned(), ll.into()),
        ("aic".to_owned(), (2.0 * free - 2.0 * ll).into()),
        ("bic".to_owned(), (free * (n as f64).ln() - 2.0 * ll).into()),
        ("weights".to_owned(), run::numbers(&weights)),
        ("means".to_owned(), means),
        ("covariances".to_owned(), matrices),
        ("n_iter".to_owned(), best.n_iter.into()),
        ("converged".to_owned(), best.converged.into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, design};
    use mltrainer_catalogue_core::Params as _;
    use serde_json::json;

    #[test]
    fn one_component_is_the_normal_distribution() {
        // Rows 0 2 4: mean 2, variance 8/3 (reg_covar 0); ll = -3/2 ln(2π 8/3) - 3/2.
        let given = json!({"reg_covar": 0});
        let params = GaussianMixtureParams::from_map(given.as_object().unwrap()).unwrap();
        let rows = design(&[&[0.0], &[2.0], &[4.0]]);
        let outputs = GaussianMixture::cluster(&params, &rows.into(), 0).unwrap();
        let want = -1.5 * (std::f64::consts::TAU * 8.0 / 3.0).ln() - 1.5;
        assert_near(
            &[outputs["log_likelihood"].as_f64().unwrap()],
            &[want],
            1e-12,
        );
        assert_near(&[outputs["means"][0][0].as_f64().unwrap()], &[2.0], 1e-12);
    }

    const ROWS: [&[f64]; 19] = [
        &[1.0, 2.0],
        &[1.5, 1.8],
        &[1.1, 2.6],
        &[0.7, 1.4],
        &[1.9, 2.2],
        &[1.3, 1.1],
        &[2.4, 3.0],
        &[2.9, 2.1],
        &[3.1, 3.9],
        &[3.3, 4.6],
        &[2.2, 4.1],
        &[5.0, 5.0],
        &[4.1, 4.3],
        &[5.4, 5.9],
        &[4.8, 3.1],
        &[3.9, 5.2],
        &[4.6, 4.8],
        &[5.3, 3.4],
        &[4.4, 6.3],
    ];

    #[test]
    fn every_kind_of_covariance_as_scikit_learn() {
        // scikit-learn 1.9.0: GaussianMixture(2, covariance_type=..., tol=1e-14, max_iter=100000), the
        // best of four seeds: log likelihood, weight and mean of the first component.
        let first = |o: &Outputs| o["covariances"][0].clone();
        for (kind, want, covariance) in [
            (
                "full",
                [
                    -56.05203020085963,
                    0.6231560032693325,
                    2.1003565658641885,
                    2.787009408159807,
                ],
                None,
            ),
            (
                "tied",
                [
                    -57.96582743756751,
                    0.4830292173923814,
                    1.7072417265041073,
                    2.3050922182428266,
                ],
                Some([
                    [0.5560018436875316, 0.2202883867562736],
                    [0.2202883867562736, 0.8928312974492224],
                ]),
            ),
            (
                "diag",
                [
                    -57.98814505573573,
                    0.40254668961211054,
                    1.5588666359796612,
                    1.9903623748898296,
                ],
                Some([[0.4742024593337016, 0.0], [0.0, 0.30974325523638263]]),
            ),
            (
                "spherical",
                [
                    -58.13726755010163,
                    0.405184574438003,
                    1.5619456483925231,
                    2.0039289394885604,
                ],
                Some([[0.400253076892603, 0.0], [0.0, 0.400253076892603]]),
            ),
        ] {
            let given = json!({"n_components": 2, "covariance_type": kind, "n_init": 20, "tol": 1e-9, "max_iter": 1000});
            let params = GaussianMixtureParams::from_map(given.as_object().unwrap()).unwrap();
            let o = GaussianMixture::cluster(&params, &design(&ROWS).into(), 0).unwrap();
            let number = |v: &Value| v.as_f64().unwrap();
            let got = [
                number(&o["log_likelihood"]),
                number(&o["weights"][0]),
                number(&o["means"][0][0]),
                number(&o["means"][0][1]),
            ];
            assert_near(&got, &want, 1e-5);
            if let Some(covariance) = covariance {
                let got: Vec<f64> = (0..4).map(|i| number(&first(&o)[i / 2][i % 2])).collect();
                assert_near(&got, covariance.as_flattened(), 1e-5);
            }
        }
    }

    #[test]
    fn a_start_that_is_given_goes_as_scikit_learn() {
        // scikit-learn 1.9.1: GaussianMixture(2, covariance_type=..., weights_init=[.3, .7],
        // means_init=[[1, 2], [4, 4]], precisions_init=..., max_iter=3, tol=0): log likelihood, weights_
        // and means_.
        for (kind, precisions, want) in [
            (
                "full",
                "2,0.5,0.5,1,1,0,0,3",
                [
                    -56.736_165_194_981_82,
                    0.372_383_457_403_784_5,
                    0.627_616_542_596_215_6,
                    1.477_211_159_948_587_8,
                    1.953_964_716_499_214,
                    4.062_848_615_166_928,
                    4.442_466_295_384_165,
                ],
            ),
            (
                "tied",
                "2,0.5,0.5,1",
                [
                    -58.236_093_516_450_93,
                    0.434_443_785_259_437_5,
                    0.565_556_214_740_562_4,
                    1.618_405_266_313_305,
                    2.150_744_306_343_945,
                    4.238_117_852_030_97,
                    4.564_377_348_934_506,
                ],
            ),
            (
                "diag",
                "2,1,1,3",
                [
                    -58.002_800_711_093_13,
                    0.392_555_026_995_145,
                    0.607_444_973_004_855,
                    1.534_330_595_402_662,
                    1.970_911_591_198_242_2,
                    4.111_797_648_677_334,
                    4.514_150_816_380_898,
                ],
            ),
            (
                "spherical",
                "2,0.5",
                [
                    -58.291_287_873_929_63,
                    0.321_475_846_636_827_2,
                    0.678_524_153_363_172_7,
                    1.284_603_646_624_404_8,
                    1.862_148_202_040_411,
                    3.960_110_987_634_154_3,
                    4.299_263_024_626_108,
                ],
            ),
        ] {
            let given = json!({
                "n_components": 2, "covariance_type": kind, "max_iter": 3, "tol": 0, "n_init": 5,
                "weights_init": "0.3,0.7", "means_init": "1,2,4,4", "precisions_init": precisions
            });
            let params = GaussianMixtureParams::from_map(given.as_object().unwrap()).unwrap();
            let o = GaussianMixture::cluster(&params, &design(&ROWS).into(), 0).unwrap();
            let list = |v: &Value| -> Vec<f64> { serde_json::from_value(v.clone()).unwrap() };
            let mut got = vec![o["log_likelihood"].as_f64().unwrap()];
            got.extend(list(&o["weights"]));
            got.extend([list(&o["means"][0]), list(&o["means"][1])].concat());
            assert_near(&got, &want, 1e-10);
            assert_eq!(o["starts"].as_array().unwrap().len(), 1);
        }
    }

    #[test]
    fn a_start_that_does_not_fit_is_refused() {
        for (given, field) in [
            (json!({"weights_init": "0.5,0.4"}), "weights_init"),
            (json!({"weights_init": "1"}), "weights_init"),
            (json!({"means_init": "1,2,3"}), "means_init"),
            (json!({"precisions_init": "1,2"}), "precisions_init"),
            (
                json!({"precisions_init": "1,0,0,-1,1,0,0,1"}),
                "precisions_init",
            ),
            (
                json!({"precisions_init": "1,0.1,0,1,1,0,0,1"}),
                "precisions_init",
            ),
            (
                json!({"precisions_init": "1,0", "covariance_type": "spherical"}),
                "precisions_init",
            ),
        ] {
            let mut given = given.as_object().unwrap().clone();
            given.insert("n_components".into(), 2.into());
            let params = GaussianMixtureParams::from_map(&given).unwrap();
            let refused = GaussianMixture::cluster(&params, &design(&ROWS).into(), 0);
            let refused = refused.unwrap_err().to_string();
            assert!(
                refused.starts_with(&format!("parameter {field}: ")),
                "{refused}"
            );
        }
    }

    #[test]
    fn starts_at_rows_find_the_groups() {
        // Two groups far apart: from any rows of both the same end.
        let rows: [&[f64]; 6] = [&[0.0], &[1.0], &[2.0], &[20.0], &[21.0], &[22.0]];
        for init in ["k-means++", "random_from_data", "random", "kmeans"] {
            let given =
                json!({"n_components": 2, "init_params": init, "n_init": 20, "reg_covar": 0.1});
            let params = GaussianMixtureParams::from_map(given.as_object().unwrap()).unwrap();
            let o = GaussianMixture::cluster(&params, &design(&rows).into(), 0).unwrap();
            assert_eq!(o["labels"], json!([0, 0, 0, 1, 1, 1]), "{init}");
        }
    }
}
