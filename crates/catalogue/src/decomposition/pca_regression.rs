//! Principal component regression.
//!
//! What: least squares on the directions in which the columns vary most.
//! Formula: X - mean = U S Vᵀ; ŷ = mean y + Σ over the first k of uᵢ·y/sᵢ (x - mean)·vᵢ.
//! Data: columns of like scale: variance sees their units.
//! Cost: fit O(n p² + p³), predict O(rows p).
//! Fails when: the signal lies in directions in which the columns hardly vary.
//! Source: Hotelling (1957); Jolliffe, Principal Component Analysis, 2nd ed. (2002), chapter 8.
//! Not claimed: that a component has a meaning.

use super::scores::{Components, Solver, Wanted};
use crate::linear::{LEAST_SHARE, Plane};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::params::WordOr;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Supervised, Training, choices, params, run,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct PcaRegression;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<PcaRegression>()
    .tested_with(&[("svd_solver", "randomized")])
    // Of all components any random columns give the same.
    .mattering_beside(&[&[("svd_solver", "randomized"), ("n_components", "2")]]);

choices! {
    /// A number of components that the data chooses.
    pub enum Mle {
        /// The one with the largest evidence (Minka, 2000).
        Mle = "mle",
    }
}

choices! {
    /// How the components are found.
    pub enum SvdSolver {
        /// As full.
        Auto = "auto",
        /// All singular vectors of the centred columns.
        Full = "full",
        /// Eigenvectors of the covariance: half the digits of small variances are lost.
        CovarianceEigh = "covariance_eigh",
        /// Fewer components than there are directions, found as by full.
        Arpack = "arpack",
        /// Within the image of random columns: near the components where variances fall off fast.
        Randomized = "randomized",
    }
}

choices! {
    /// A number that is set by others.
    pub enum Auto {
        /// 7 below a tenth of the components that there are, else 4.
        Auto = "auto",
    }
}

params! {
    /// Parameters of principal component regression.
    pub struct PcaRegressionParams {
        /// Number of components; below 1 the share of the variance that they must exceed; mle by the evidence of Minka; none is all, or one less for arpack.
        n_components: Option<WordOr<Mle>> = None, above(0.0);
        /// How the components are found: auto and full exactly; arpack and randomized take a number of components only.
        svd_solver: SvdSolver = SvdSolver::Auto;
        /// Whether scores are divided by their standard deviation; the predictions are the same, but that a score a million times smaller than the first does not count without.
        whiten: bool = false;
        /// randomized: random columns beyond the number of components.
        n_oversamples: usize = 10, within(1.0, 10_000.0);
        /// randomized: passes over the table that sharpen the components; auto is 7 below a tenth of the components that there are, else 4.
        iterated_power: WordOr<Auto> = WordOr::Word(Auto::Auto), within(0.0, 1000.0);
        /// Seed of randomized; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "pca_regression",
    family: "decomposition",
    title: "Principal component regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Least squares on the few directions in which the columns vary most, so that columns that move together count once.",
    formula: "X - x̄ = U S Vᵀ, scores zᵢ = (x - x̄)·vᵢ; ŷ = ȳ + Σᵢ (uᵢ·y/sᵢ) zᵢ over the first n_components; with whiten zᵢ √(n - 1)/sᵢ is the score",
    data: "Columns of like scale: they are centred, not rescaled, and variance sees their units.",
    cost: "fit O(n p² + p³), predict O(rows · p)",
    fails_when: "The signal lies in directions in which the columns hardly vary.",
    not_claimed: "That a component has a meaning of its own.",
    source: "H. Hotelling, The relations of the newer multivariate statistical methods to factor analysis (1957); I. T. Jolliffe, Principal Component Analysis, 2nd ed. (2002), chapter 8; T. P. Minka, Automatic choice of dimensionality for PCA, NIPS 13 (2000); N. Halko, P. G. Martinsson, J. A. Tropp, Finding structure with randomness, SIAM Review 53 (2011)",
    reference: "scikit-learn 1.9.1, PCA and LinearRegression",
    outputs: &[
        (
            "coefficients",
            "weights, one a column, target units per column unit",
        ),
        ("intercept", "b, target units"),
        (
            "components",
            "one row a component, its largest entry positive",
        ),
        ("explained_variance", "variance of each score (ddof 1)"),
        (
            "explained_variance_ratio",
            "share of the variance of all columns, one a component",
        ),
        (
            "score_coefficients",
            "weights of the scores, one a component, target units per unit of the score",
        ),
    ],
    stochastic: true,
    evidence: &[
        Evidence {
            against: "scikit-learn 1.9.1",
            cases: "pca-3-spx-std, pca-8-spx-std, pca-5-aapl-std",
            tolerance: "predictions and shares 1e-7, components 1e-6 up to sign",
        },
        Evidence {
            against: "scikit-learn 1.9.1",
            cases: "tests of this entry: every svd_solver, shares, mle, whiten",
            tolerance: "predictions, variances and weights of scores 1e-9",
        },
    ],
    presets: &[],
    exemptions: &[],
};

impl Supervised for PcaRegression {
    type Params = PcaRegressionParams;
    type Fitted = Plane;
    const CARD: &'static Card = &CARD;

    fn fit(params: &PcaRegressionParams, data: &Training, seed: u64) -> Result<Plane, FitError> {
        let most = data.y().len().min(data.design().columns());
        let (wanted, solver) = asked(params, most, seed)?;
        // scikit-learn's LinearRegression leaves out what is below a millionth of the largest; whitened
        // scores are all of a size.
        let share = if params.whiten { 0.0 } else { LEAST_SHARE };
        let found = Components::new(data, wanted, solver, share)?;
        let rows = data.y().len() as f64;
        let squares: Vec<f64> = found.values.iter().map(|s| s * s).collect();
        let over = |by: f64| {
            let all: Vec<f64> = squares
                .iter()
                .map(|s| if by > 0.0 { s / by } else { 0.0 })
                .collect();
            run::numbers(&all)
        };
        let of_scores: Vec<f64> = found
            .shares
            .iter()
            .zip(&found.values)
            .map(|(share, s)| {
                if params.whiten {
                    share * s / (rows - 1.0).max(1.0).sqrt()
                } else {
                    *share
                }
            })
            .collect();
        let extra = Outputs::from_iter([
            ("score_coefficients".to_owned(), run::numbers(&of_scores)),
            (
                "components".to_owned(),
                found.rows.iter().map(|r| run::numbers(r)).collect(),
            ),
            ("explained_variance".to_owned(), over(rows - 1.0)),
            ("explained_variance_ratio".to_owned(), over(found.total)),
        ]);
        Plane::new(found.weights.clone(), &found.problem, extra)
    }
}

/// How many components are asked for, of `most` that there are, and how they are found.
fn asked(
    params: &PcaRegressionParams,
    most: usize,
    seed: u64,
) -> Result<(Wanted, Solver), FitError> {
    let wanted = match params.n_components {
        None => Wanted::All,
        Some(WordOr::Word(Mle::Mle)) => Wanted::Likeliest,
        Some(WordOr::Number(count)) => Wanted::Number(count),
    };
    let solver = match params.svd_solver {
        SvdSolver::Auto | SvdSolver::Full => Solver::Full,
        SvdSolver::CovarianceEigh => Solver::Covariance,
        SvdSolver::Arpack => {
            let count = match wanted {
                Wanted::All => most.saturating_sub(1) as f64,
                Wanted::Number(count) => count,
                Wanted::Likeliest => 0.0,
            };
            if count < 1.0 || count >= most as f64 {
                return Err(FitError::Data(format!(
                    "n_components: arpack takes a number of components from 1 on and below {most}, which is all of them"
                )));
            }
            return Ok((Wanted::Number(count), Solver::Full));
        }
        SvdSolver::Randomized => Solver::Randomized {
            oversamples: params.n_oversamples,
            power: match params.iterated_power {
                WordOr::Word(Auto::Auto) => None,
                WordOr::Number(power) if power.fract() == 0.0 => Some(power as usize),
                WordOr::Number(power) => {
                    return Err(FitError::Data(format!(
                        "iterated_power {power}: it must be whole"
                    )));
                }
            },
            seed: run::effective_seed(params.seed, seed),
        },
    };
    Ok((wanted, solver))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, remainders, table};
    use mltrainer_catalogue_core::{Params as _, Predictor as _};
    use ndarray::Array2;

    fn fit(rows: &[Vec<f64>], y: &[f64], given: &serde_json::Value) -> Result<Plane, FitError> {
        let params = PcaRegressionParams::from_map(given.as_object().unwrap()).unwrap();
        let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        PcaRegression::fit(&params, &table(&rows, y), 0)
    }

    fn numbers(outputs: &Outputs, name: &str) -> Vec<f64> {
        serde_json::from_value(outputs[name].clone()).unwrap()
    }

    #[test]
    fn every_solver_whitened_and_not() {
        // scikit-learn 1.9.1: PCA(n_components, svd_solver=..., whiten=..., random_state=0), then
        // LinearRegression on its scores: explained_variance_, explained_variance_ratio_, coef_ and
        // the predictions of the first two rows. mle keeps 2 of the 4 there.
        let y: Vec<f64> = (0..24)
            .map(|i| f64::from(i * 3 % 7) + f64::from(i) / 4.0)
            .collect();
        for (solver, counts) in [
            ("auto", &["2", "0.9", "mle"][..]),
            ("full", &["2", "0.9", "mle"]),
            ("covariance_eigh", &["2", "0.9", "mle"]),
            ("arpack", &["2"]),
            ("randomized", &["2"]),
        ] {
            for (count, whiten) in counts.iter().flat_map(|c| [(c, false), (c, true)]) {
                let given = serde_json::json!({
                    "n_components": count, "svd_solver": solver, "whiten": whiten
                });
                let fitted = fit(&remainders(), &y, &given).unwrap();
                let outputs = fitted.outputs();
                let near = |name: &str, want: &[f64]| {
                    assert_near(&numbers(&outputs, name), want, 1e-12);
                };
                near(
                    "explained_variance",
                    &[33.537_626_118_922_38, 20.771_910_387_032_445],
                );
                near(
                    "explained_variance_ratio",
                    &[0.599_618_743_343_984_8, 0.371_380_692_210_020_5],
                );
                let want = if whiten {
                    [-0.307_225_549_450_366_5, 1.586_607_649_153_273]
                } else {
                    [-0.053_050_706_280_539_86, 0.348_121_882_675_537_34]
                };
                near("score_coefficients", &want);
                let first = ndarray::array![remainders()[0].clone(), remainders()[1].clone()];
                let first = Array2::from_shape_fn((2, 4), |(i, j)| first[i][j]);
                assert_near(
                    &fitted.predict(first.view()).unwrap().values,
                    &[3.169_048_402_630_721, 4.860_022_678_369_767],
                    1e-12,
                );
            }
        }
    }

    #[test]
    fn random_columns_find_what_falls_off_fast() {
        // scikit-learn 1.9.1, PCA(3, svd_solver="randomized", random_state=1) and LinearRegression:
        // explained_variance_, its ratio and the predictions of the first three rows. svd_solver
        // "full" gives the same to 13 digits.
        let b: Vec<Vec<f64>> = (0..60)
            .map(|i| {
                (0..26)
                    .map(|j| {
                        let j = f64::from(j);
                        (f64::from(i) * (j + 1.0) * 0.7).sin() * 10.0_f64.powf(-0.5 * j)
                    })
                    .collect()
            })
            .collect();
        let y: Vec<f64> = (0..60).map(|i| (0.3 * f64::from(i)).cos()).collect();
        let given = serde_json::json!({"n_components": 3, "svd_solver": "randomized"});
        let fitted = fit(&b, &y, &given).unwrap();
        let outputs = fitted.outputs();
        assert_near(
            &numbers(&outputs, "explained_variance"),
            &[
                0.496_082_485_749_919_6,
                0.050_448_889_072_558_45,
                0.005_090_516_572_455_452,
            ],
            1e-9,
        );
        assert_near(
            &numbers(&outputs, "explained_variance_ratio"),
            &[
                0.898_413_522_080_596,
                0.091_363_765_943_510_48,
                0.009_219_009_044_747_529,
            ],
            1e-9,
        );
        let first = Array2::from_shape_fn((3, 26), |(i, j)| b[i][j]);
        assert_near(
            &fitted.predict(first.view()).unwrap().values,
            &[
                -0.041_582_483_786_934_944,
                0.030_117_799_050_388_173,
                0.034_890_725_487_478_395,
            ],
            1e-9,
        );
        // Of the first 8 columns the evidence of Minka keeps 7: PCA("mle").n_components_.
        let few: Vec<Vec<f64>> = b.iter().map(|r| r[..8].to_vec()).collect();
        let fitted = fit(&few, &y, &serde_json::json!({"n_components": "mle"})).unwrap();
        assert_eq!(numbers(&fitted.outputs(), "score_coefficients").len(), 7);
    }

    #[test]
    fn what_a_solver_does_not_take_is_refused() {
        let y = vec![1.0; 24];
        for (count, solver) in [
            ("0.9", "arpack"),
            ("4", "arpack"),
            ("mle", "arpack"),
            ("0.9", "randomized"),
            ("mle", "randomized"),
            ("5", "covariance_eigh"),
            ("2.5", "full"),
        ] {
            let given = serde_json::json!({"n_components": count, "svd_solver": solver});
            let refused = fit(&remainders(), &y, &given).unwrap_err().to_string();
            assert!(refused.starts_with("n_components"), "{refused}");
        }
    }
}
