//! Principal components of the centred columns and least squares on their scores.

use crate::linear::Problem;
use crate::numeric::{Svd, add_scaled, dot, eigh, normal};
use mltrainer_catalogue_core::{FitError, Training};
use ndarray::Array2;
use rand::SeedableRng as _;
use rand_xoshiro::Xoshiro256PlusPlus;

/// How many components are kept.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    /// All.
    All,
    /// A whole number of them from 1 on; below 1 the share of the variance that they must exceed.
    Number(f64),
    /// The number that Minka's evidence likes best.
    Likeliest,
}

/// How the components are found.
#[derive(Debug, Clone, Copy)]
pub(super) enum Solver {
    /// All singular vectors of the centred columns.
    Full,
    /// Eigenvectors of the covariance.
    Covariance,
    /// Singular vectors within a random subspace (Halko, Martinsson & Tropp, 2011).
    Randomized {
        /// Dimensions of the subspace beyond the components wanted.
        oversamples: usize,
        /// Multiplications by the columns and back that turn it to the largest of them; none is 7
        /// for few components and 4 else.
        power: Option<usize>,
        seed: u64,
    },
}

/// Principal components, largest variance first.
pub(super) struct Components {
    /// One row a component, its largest entry positive.
    pub(super) rows: Vec<Vec<f64>>,
    /// Singular values of the centred columns.
    pub(super) values: Vec<f64>,
    /// Weights of the scores in least squares, one a component.
    pub(super) shares: Vec<f64>,
    /// The same as weights of the columns.
    pub(super) weights: Vec<f64>,
    /// Sum of squares of the centred columns.
    pub(super) total: f64,
    pub(super) problem: Problem,
}

/// Directions and what is known of them, largest singular value first.
struct Found {
    values: Vec<f64>,
    right: Vec<Vec<f64>>,
    /// Unit vectors of the scores, where they come with the directions.
    left: Option<Vec<Vec<f64>>>,
    /// Sum of squares of the centred columns.
    total: f64,
}

fn too_many(count: f64, most: usize, (n, p): (usize, usize)) -> FitError {
    FitError::Data(format!(
        "n_components {count}: {n} rows of {p} columns have at most {most}"
    ))
}

/// A number of components from 1 on.
fn whole(count: f64, most: usize, shape: (usize, usize)) -> Result<usize, FitError> {
    if count.fract() != 0.0 {
        return Err(FitError::Data(format!(
            "n_components {count}: from 1 on it is a number of components and must be whole"
        )));
    }
    if count > most as f64 {
        return Err(too_many(count, most, shape));
    }
    Ok(count as usize)
}

impl Components {
    /// The first `wanted` of them. Scores whose length is at most `least` of the first one's, or rounding, get
    /// no weight.
    pub(super) fn new(
        data: &Training,
        wanted: Wanted,
        solver: Solver,
        least: f64,
    ) -> Result<Self, FitError> {
        let shape = data.x().dim();
        let (n, p) = shape;
        let most = n.min(p);
        let problem = Problem::new(data, true)?;
        let found = match solver {
            Solver::Full => by_svd(&problem),
            Solver::Covariance => by_covariance(&problem)?,
            Solver::Randomized {
                oversamples,
                power,
                seed,
            } => {
                let count = match wanted {
                    Wanted::All => most,
                    Wanted::Number(count) if count >= 1.0 => whole(count, most, shape)?,
                    _ => {
                        return Err(FitError::Data(
                            "n_components: randomized takes a number of components, neither a share nor mle".into(),
                        ));
                    }
                };
                let few = (count as f64) < 0.1 * most as f64;
                let power = power.unwrap_or(if few { 7 } else { 4 });
                by_chance(&problem, count, oversamples, power, seed)
            }
        };
        let count = match wanted {
            Wanted::All => most,
            Wanted::Number(share) if share < 1.0 => {
                let mut sum = 0.0;
                let reached = found.values.iter().position(|s| {
                    sum += s.powi(2);
                    sum > share * found.total
                });
                reached.map_or(most, |k| k + 1)
            }
            Wanted::Number(count) => whole(count, most, shape)?,
            Wanted::Likeliest if n < p => {
                return Err(FitError::Data(format!(
                    "n_components mle takes at least as many rows as columns: {n} rows, {p} columns"
                )));
            }
            Wanted::Likeliest => {
                let by = (n as f64 - 1.0).max(1.0);
                let spectrum: Vec<f64> = found.values.iter().map(|s| s * s / by).collect();
                likeliest(&spectrum, n as f64)
            }
        };
        let largest = found.values.first().copied().unwrap_or_default();
        let cut = largest * least.max(f64::EPSILON * n.max(p) as f64);
        let mut shares = match &found.left {
            Some(left) => left
                .iter()
                .zip(&found.values)
                .take(count)
                .map(|(u, s)| {
                    if *s > cut {
                        dot(u, problem.target()) / s
                    } else {
                        0.0
                    }
                })
                .collect(),
            None => on_scores(&problem, &found.right[..count.min(found.right.len())], cut),
        };
        let (mut rows, mut values) = (Vec::new(), Vec::new());
        let mut weights = vec![0.0; p];
        let each = found.right.iter().zip(&found.values).zip(&mut shares);
        for ((v, s), share) in each {
            add_scaled(&mut weights, *share, v);
            let top = v
                .iter()
                .fold(0.0, |m: f64, v| if v.abs() > m.abs() { *v } else { m });
            let sign = if top < 0.0 { -1.0 } else { 1.0 };
            *share *= sign;
            rows.push(v.iter().map(|v| sign * v).collect());
            values.push(*s);
        }
        Ok(Self {
            rows,
            values,
            shares,
            weights,
            total: found.total,
            problem,
        })
    }
}

fn by_svd(problem: &Problem) -> Found {
    let p = problem.a.ncols();
    let svd = Svd::new((0..p).map(|j| problem.column(j).to_vec()).collect());
    sorted(svd)
}

fn sorted(mut svd: Svd) -> Found {
    let mut order: Vec<usize> = (0..svd.values.len()).collect();
    order.sort_by(|a, b| svd.values[*b].total_cmp(&svd.values[*a]));
    let total = svd.values.iter().map(|s| s * s).sum();
    let pick = |from: &mut Vec<Vec<f64>>| -> Vec<Vec<f64>> {
        let each = order.iter();
        each.map(|k| std::mem::take(&mut from[*k])).collect()
    };
    let (left, right) = (pick(&mut svd.left), pick(&mut svd.right));
    Found {
        values: order.iter().map(|k| svd.values[*k]).collect(),
        right,
        left: Some(left),
        total,
    }
}

fn by_covariance(problem: &Problem) -> Result<Found, FitError> {
    let (values, vectors) = eigh(
        problem.a.t().dot(&problem.a),
        "principal component regression",
    )?;
    let most = problem.rows.min(vectors.nrows());
    let rows = vectors.rows().into_iter().take(most);
    Ok(Found {
        // Rounding may leave a value below 0.
        values: values[..most].iter().map(|e| e.max(0.0).sqrt()).collect(),
        right: rows.map(|r| r.to_vec()).collect(),
        left: None,
        total: values.iter().map(|e| e.max(0.0)).sum(),
    })
}

/// The first singular vectors within the image of random columns. The reduced table has the row
/// space of the whole one, and normal draws look the same from every direction, so that this is what
/// the whole table would give.
fn by_chance(
    problem: &Problem,
    count: usize,
    oversamples: usize,
    power: usize,
    seed: u64,
) -> Found {
    let a = &problem.a;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    // More columns than the table has directions add none.
    let width = (count + oversamples).min(a.nrows().min(a.ncols()).max(count));
    let drawn = Array2::from_shape_simple_fn((a.ncols(), width), || normal(&mut random));
    let mut image = orthonormal(a.dot(&drawn));
    for _ in 0..power {
        let back = orthonormal(a.t().dot(&image));
        image = orthonormal(a.dot(&back));
    }
    let inside = image.t().dot(a);
    let svd = Svd::new(inside.columns().into_iter().map(|c| c.to_vec()).collect());
    let mut found = sorted(svd);
    found.left = None;
    found.right.truncate(count);
    found.values.truncate(count);
    found.total = a.iter().map(|v| v * v).sum();
    found
}

/// Columns of the same span at right angles to each other, of length 1 or, where one depends on those
/// before it, 0.
fn orthonormal(columns: Array2<f64>) -> Array2<f64> {
    let mut done: Vec<Vec<f64>> = Vec::new();
    for column in columns.columns() {
        let mut v = column.to_vec();
        let size = dot(&v, &v).sqrt();
        // Twice is enough (Kahan, in Parlett, The Symmetric Eigenvalue Problem, 1980).
        for _ in 0..2 {
            for u in &done {
                let along = dot(u, &v);
                add_scaled(&mut v, -along, u);
            }
        }
        let left = dot(&v, &v).sqrt();
        let by = if left > 1e-14 * size { 1.0 / left } else { 0.0 };
        v.iter_mut().for_each(|x| *x *= by);
        done.push(v);
    }
    Array2::from_shape_fn(columns.dim(), |(i, j)| done[j][i])
}

/// Least squares on the scores of directions that need not be exactly at right angles.
fn on_scores(problem: &Problem, directions: &[Vec<f64>], cut: f64) -> Vec<f64> {
    let scores = directions.iter().map(|v| {
        let mut z = vec![0.0; problem.a.nrows()];
        for (j, by) in v.iter().enumerate() {
            add_scaled(&mut z, *by, problem.column(j));
        }
        z
    });
    let svd = Svd::new(scores.collect());
    let mut shares = vec![0.0; directions.len()];
    for ((u, v), s) in svd.left.iter().zip(&svd.right).zip(&svd.values) {
        if *s > cut {
            add_scaled(&mut shares, dot(u, problem.target()) / s, v);
        }
    }
    shares
}

/// The number of components, one less than there are columns at most, whose evidence is largest
/// (Minka, Automatic choice of dimensionality for PCA, NIPS 2000), for variances in descending order.
fn likeliest(spectrum: &[f64], n: f64) -> usize {
    let mut best = (f64::NEG_INFINITY, 1);
    for rank in 1..spectrum.len() {
        let evidence = evidence(spectrum, rank, n);
        if evidence > best.0 {
            best = (evidence, rank);
        }
    }
    best.1
}

/// Logarithm of Minka's evidence, his equation (77) with the terms that all ranks share left out. No
/// evidence where a kept variance is 0 or equal to another one: the formula does not hold there.
fn evidence(spectrum: &[f64], rank: usize, n: f64) -> f64 {
    const LEAST: f64 = 1e-15;
    let p = spectrum.len() as f64;
    let k = rank as f64;
    let (kept, rest) = spectrum.split_at(rank);
    if kept.iter().any(|e| *e < LEAST) {
        return f64::NEG_INFINITY;
    }
    let pi = std::f64::consts::PI;
    let sphere: f64 = (1..=rank)
        .map(|i| {
            let half = (p - i as f64 + 1.0) / 2.0;
            libm::lgamma(half) - pi.ln() * half
        })
        .sum::<f64>()
        - k * 2.0_f64.ln();
    let large = -0.5 * n * kept.iter().map(|e| e.ln()).sum::<f64>();
    let noise = (rest.iter().sum::<f64>() / (p - k)).max(LEAST);
    let small = -0.5 * n * (p - k) * noise.ln();
    let free = p * k - k * (k + 1.0) / 2.0;
    let volume = (2.0 * pi).ln() * (free + k) / 2.0;
    let mut curvature = 0.0;
    for (i, e) in kept.iter().enumerate() {
        for (j, f) in spectrum.iter().enumerate().skip(i + 1) {
            let held = if j < rank { *f } else { noise };
            let product = (e - f) * (1.0 / held - 1.0 / e);
            if product <= 0.0 {
                return f64::NEG_INFINITY;
            }
            curvature += product.ln() + n.ln();
        }
    }
    sphere + large + small + volume - curvature / 2.0 - k * n.ln() / 2.0
}
