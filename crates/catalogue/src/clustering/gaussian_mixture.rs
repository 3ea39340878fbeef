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
use crate::numeric::inverse_of_lower;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Clusterer, Design, Entry, FitError, Inputs, Outputs, ParamError, choices, params, run,
    threads,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, Axis};
use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::Value;

/// The handle.
pub struct GaussianMixture;

/// The registration.
pub const ENTRY: Entry = Entry::clustering::<GaussianMixture>();

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
        /// From random shares.
        Random = "random",
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
        /// Where a start comes from.
        init_params: Init = Init::KMeans;
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
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, n_init 10, tol 1e-8",
        cases: "gaussian-mixture-full-2, gaussian-mixture-diag-3",
        tolerance: "log likelihood within 2.5%, adjusted Rand index 0.83 to 0.94",
    }],
    presets: &[],
    exemptions: &[],
};

/// The start that is kept goes on until a step gains less than this share of tol ...
const NEARER: f64 = 1e-5;

/// ... but so many steps at most.
const FURTHER: usize = 1000;

/// A component: share, mean, covariance, its Cholesky factor and ½ ln det.
#[derive(Clone)]
struct Part {
    weight: f64,
    mean: Vec<f64>,
    covariance: Array2<f64>,
    factor: Array2<f64>,
    half_log_det: f64,
}

/// Lower factor of a positive definite matrix; none when it is not.
fn cholesky(a: &Array2<f64>) -> Option<Array2<f64>> {
    let p = a.nrows();
    let mut l = Array2::zeros((p, p));
    for i in 0..p {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| l[[i, k]] * l[[j, k]]).sum();
            let rest = a[[i, j]] - dot;
            if i == j {
                if rest.is_nan() || rest <= 0.0 {
                    return None;
                }
                l[[i, i]] = rest.sqrt();
            } else {
                l[[i, j]] = rest / l[[j, j]];
            }
        }
    }
    Some(l)
}

/// Rows of one piece of a pass.
const PIECE: usize = 512;

/// One start, brought to its end.
struct Mixture {
    parts: Vec<Part>,
    /// Rows x components.
    shares: Array2<f64>,
    log_likelihood: f64,
    n_iter: usize,
    converged: bool,
}

/// The components that fit given shares best.
fn maximise(
    x: &Array2<f64>,
    shares: &Array2<f64>,
    params: &GaussianMixtureParams,
) -> Result<Vec<Part>, FitError> {
    let (n, p) = x.dim();
    let k = shares.ncols();
    // Sums over pieces of the rows, in their order: the number of threads does not matter.
    let pieces = n.div_ceil(PIECE);
    let rows_of = |piece: usize| piece * PIECE..((piece + 1) * PIECE).min(n);
    let sums = threads::map(pieces, |piece| {
        let mut sums = Array2::<f64>::zeros((k, p + 1));
        for i in rows_of(piece) {
            for (mut sum, share) in sums.rows_mut().into_iter().zip(shares.row(i)) {
                sum[p] += share;
                sum.iter_mut()
                    .zip(x.row(i))
                    .for_each(|(s, v)| *s += share * v);
            }
        }
        sums
    });
    let sums = sums
        .iter()
        .fold(Array2::<f64>::zeros((k, p + 1)), |a, b| a + b);
    let mut parts = Vec::with_capacity(k);
    for c in 0..k {
        // The little that keeps an empty component finite is scikit-learn's.
        let size = sums[[c, p]] + 10.0 * f64::EPSILON;
        let mean: Vec<f64> = (0..p).map(|j| sums[[c, j]] / size).collect();
        let full = matches!(params.covariance_type, Covariance::Full | Covariance::Tied);
        let squares = threads::map(pieces, |piece| {
            let mut off = x.slice_axis(Axis(0), rows_of(piece).into()).to_owned();
            let mut weighed = off.clone();
            for ((i, mut off), mut weighed) in
                rows_of(piece).zip(off.rows_mut()).zip(weighed.rows_mut())
            {
                for ((off, weighed), mean) in off.iter_mut().zip(weighed.iter_mut()).zip(&mean) {
                    *off -= mean;
                    *weighed = *off * shares[[i, c]];
                }
            }
            if full {
                return weighed.t().dot(&off);
            }
            let mut diagonal = Array2::<f64>::zeros((p, p));
            for (off, weighed) in off.rows().into_iter().zip(weighed.rows()) {
                for j in 0..p {
                    diagonal[[j, j]] += off[j] * weighed[j];
                }
            }
            diagonal
        });
        let covariance = squares
            .iter()
            .fold(Array2::<f64>::zeros((p, p)), |a, b| a + b)
            / size;
        parts.push(Part {
            weight: size / n as f64,
            mean,
            covariance,
            factor: Array2::zeros((0, 0)),
            half_log_det: 0.0,
        });
    }
    let all: f64 = parts.iter().map(|c| c.weight).sum();
    parts.iter_mut().for_each(|c| c.weight /= all);
    if params.covariance_type == Covariance::Tied {
        let mut sum = Array2::zeros((p, p));
        for part in &parts {
            sum.scaled_add(part.weight, &part.covariance);
        }
        parts.iter_mut().for_each(|c| c.covariance.assign(&sum));
    }
    for part in &mut parts {
        if params.covariance_type == Covariance::Spherical {
            let mean = part.covariance.diag().mean().unwrap_or_default();
            part.covariance.diag_mut().fill(mean);
        }
        part.covariance
            .diag_mut()
            .mapv_inplace(|v| v + params.reg_covar);
        part.factor = cholesky(&part.covariance).ok_or_else(|| {
            FitError::Failed(
                "a covariance has collapsed: lower n_components, raise reg_covar or rescale the columns".into(),
            )
        })?;
        part.half_log_det = part.factor.diag().iter().map(|d| d.ln()).sum();
    }
    Ok(parts)
}

/// Shares of the components in each row, and the log likelihood.
fn expect(x: &Array2<f64>, parts: &[Part]) -> (Array2<f64>, f64) {
    let (n, p) = x.dim();
    let constant = 0.5 * p as f64 * std::f64::consts::TAU.ln();
    // z = L⁻¹ (row - mean) of a piece of the rows is one product.
    let inverses: Vec<Array2<f64>> = parts
        .iter()
        .map(|part| inverse_of_lower(part.factor.view()))
        .collect();
    let pieces = threads::map(n.div_ceil(PIECE), |piece| {
        let rows = piece * PIECE..((piece + 1) * PIECE).min(n);
        let x = x.slice_axis(Axis(0), rows.into());
        let mut shares = Array2::<f64>::zeros((x.nrows(), parts.len()));
        for (c, (part, inverse)) in parts.iter().zip(&inverses).enumerate() {
            let mut off = x.to_owned();
            for mut row in off.rows_mut() {
                row.iter_mut().zip(&part.mean).for_each(|(v, m)| *v -= m);
            }
            let own = part.weight.ln() - constant - part.half_log_det;
            for (z, mut out) in off
                .dot(&inverse.t())
                .rows()
                .into_iter()
                .zip(shares.rows_mut())
            {
                out[c] = own - 0.5 * z.iter().map(|z| z * z).sum::<f64>();
            }
        }
        let mut total = 0.0;
        for mut out in shares.rows_mut() {
            let top = out.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum = top + out.iter().map(|v| (v - top).exp()).sum::<f64>().ln();
            total += sum;
            out.mapv_inplace(|v| (v - sum).exp());
        }
        (shares, total)
    });
    let (mut shares, mut total) = (Array2::<f64>::zeros((n, parts.len())), 0.0);
    for (mut to, (piece, sum)) in shares.axis_chunks_iter_mut(Axis(0), PIECE).zip(pieces) {
        to.assign(&piece);
        total += sum;
    }
    (shares, total)
}

impl Clusterer for GaussianMixture {
    type Params = GaussianMixtureParams;
    const CARD: &'static Card = &CARD;

    fn cluster(
        params: &GaussianMixtureParams,
        data: &Design,
        seed: u64,
    ) -> Result<Outputs, FitError> {
        let x = data.x().as_standard_layout().into_owned();
        let (n, p) = x.dim();
        let k = params.n_components;
        if k > n {
            return Err(FitError::Param(ParamError {
                field: "n_components".into(),
                reason: format!("{k} components of {n} rows: lower it"),
                suggestions: Vec::new(),
            }));
        }
        let mut random = Xoshiro256PlusPlus::seed_from_u64(run::effective_seed(params.seed, seed));
        let mut best: Option<Mixture> = None;
        let mut likelihoods = Vec::with_capacity(params.n_init);
        for _ in 0..params.n_init {
            let mut shares = Array2::zeros((n, k));
            match params.init_params {
                Init::KMeans => {
                    let starts = kmeans::plus_plus(&x, k, &mut random);
                    let groups = kmeans::lloyd(&x, starts, 300, 0.0);
                    for (i, g) in groups.labels.iter().enumerate() {
                        shares[[i, *g]] = 1.0;
                    }
                }
                Init::Random => {
                    shares.mapv_inplace(|_: f64| random.r#gen::<f64>());
                    for mut row in shares.rows_mut() {
                        let sum = row.sum();
                        row /= sum;
                    }
                }
            }
            let mut parts = maximise(&x, &shares, params)?;
            let mut before = f64::NEG_INFINITY;
            let (mut n_iter, mut converged) = (0, false);
            while n_iter < params.max_iter && !converged {
                n_iter += 1;
                let (found, likelihood) = expect(&x, &parts);
                parts = maximise(&x, &found, params)?;
                let mean = likelihood / n as f64;
                converged = (mean - before).abs() < params.tol;
                before = mean;
            }
            let (shares, log_likelihood) = expect(&x, &parts);
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
                    parts,
                    shares,
                    log_likelihood,
                    n_iter,
                    converged,
                });
            }
        }
        let mut best = best.ok_or_else(|| FitError::Failed("no start was made".into()))?;
        // The start that is kept is brought nearer to its end than the others had to be.
        let mut more = 0;
        while best.converged && more < FURTHER {
            more += 1;
            let parts = maximise(&x, &best.shares, params)?;
            let (shares, likelihood) = expect(&x, &parts);
            let gained = likelihood - best.log_likelihood;
            if gained.is_nan() || gained <= 0.0 {
                break;
            }
            (best.parts, best.shares, best.log_likelihood) = (parts, shares, likelihood);
            best.n_iter += 1;
            if gained / (n as f64) < params.tol * NEARER {
                break;
            }
        }
        let mut all = outputs(&best, params, n, p);
        all.insert("starts".into(), run::numbers(&likelihoods));
        Ok(all)
    }
}

fn outputs(best: &Mixture, params: &GaussianMixtureParams, n: usize, p: usize) -> Outputs {
    let k = best.parts.len();
    let mut order: Vec<usize> = (0..k).collect();
    order.sort_by(|a, b| {
        let pairs = best.parts[*a].mean.iter().zip(&best.parts[*b].mean);
        pairs
            .map(|(a, b)| a.total_cmp(b))
            .find(|o| o.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let mut names = vec![0; k];
    for (name, old) in order.iter().enumerate() {
        names[*old] = name;
    }
    let largest = |row: ndarray::ArrayView1<'_, f64>| {
        let pairs = row.iter().enumerate();
        let best = pairs.reduce(|a, b| if b.1 > a.1 { b } else { a });
        names[best.map_or(0, |(c, _)| c)]
    };
    let labels: Vec<usize> = best.shares.rows().into_iter().map(largest).collect();
    let covariance = match params.covariance_type {
        Covariance::Full => k * p * (p + 1) / 2,
        Covariance::Tied => p * (p + 1) / 2,
        Covariance::Diag => k * p,
        Covariance::Spherical => k,
    };
    let free = (covariance + k * p + k - 1) as f64;
    let ll = best.log_likelihood;
    let parts = || order.iter().map(|c| &best.parts[*c]);
    let means: Value = parts().map(|c| run::numbers(&c.mean)).collect();
    let matrices: Value = parts()
        .map(|c| {
            let rows = c.covariance.rows().into_iter();
            rows.map(|r| run::numbers(&r.to_vec())).collect::<Value>()
        })
        .collect();
    let weights: Vec<f64> = parts().map(|c| c.weight).collect();
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
        let outputs = GaussianMixture::cluster(&params, &rows, 0).unwrap();
        let want = -1.5 * (std::f64::consts::TAU * 8.0 / 3.0).ln() - 1.5;
        assert_near(
            &[outputs["log_likelihood"].as_f64().unwrap()],
            &[want],
            1e-12,
        );
        assert_near(&[outputs["means"][0][0].as_f64().unwrap()], &[2.0], 1e-12);
    }
}
