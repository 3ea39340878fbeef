//! Linear discriminant analysis.
//!
//! What: normal distributions with one covariance for all labels, which gives linear borders.
//! Formula: P(k | x) ∝ πₖ N(x; meanₖ, S), S the covariance within labels with divisor n.
//! Data: rows that are roughly normal within a label.
//! Cost: fit O(n p² + p³), predict O(rows p labels).
//! Fails when: labels differ in spread rather than in place; columns are many for the rows.
//! Source: Fisher (1936); Friedman, JASA 84 (1989); Ledoit & Wolf (2004).
//! Not claimed: calibrated probabilities when rows are not normal.

use super::covariance::{Auto, centre, covariance, mean};
use crate::labels::{counts, decided_by_logs, labels, priors};
use crate::linear::dot;
use crate::numeric::{self, Svd, lifted};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::params::WordOr;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Labels, Outputs, Prediction, Predictor, Supervised, Training,
    choices, params, run,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

/// The handle.
pub struct Lda;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<Lda>();

choices! {
    /// How the covariance is used.
    pub enum Solver {
        /// Singular values of the rows: directions without spread are left out.
        Svd = "svd",
        /// The covariance itself.
        Lsqr = "lsqr",
        /// The covariance itself; the same borders as lsqr.
        Eigen = "eigen",
    }
}

params! {
    /// Parameters of linear discriminant analysis.
    pub struct LdaParams {
        /// Prior of each label, ascending, joined with commas; none is the share of its rows.
        priors: Option<Vec<f64>> = None, above(0.0);
        /// svd, or the covariance itself (lsqr, eigen), which shrinkage needs and then takes.
        solver: Solver = Solver::Svd;
        /// How far covariances are shrunk towards their mean variance: 0 to 1, auto by Ledoit and Wolf, none not at all.
        shrinkage: Option<WordOr<Auto>> = None, within(0.0, 1.0);
        /// Directions with less spread than this, in standard deviations, are left out by svd.
        tol: f64 = 1e-4, at_least(0.0);
    }
}

/// Fitted state: a linear score a label.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    classes: Vec<i64>,
    priors: Vec<f64>,
    means: Vec<Vec<f64>>,
    weights: Vec<Vec<f64>>,
    intercepts: Vec<f64>,
}

const CARD: Card = Card {
    id: "lda",
    family: "discriminant",
    title: "Linear discriminant analysis",
    tasks: &[Task::Classification],
    inputs: Inputs::Features,
    summary: "Takes the rows of each label as normal around their mean with one covariance for all labels: borders between labels are planes.",
    formula: "P(k | x) ∝ πₖ exp(x·wₖ + bₖ), wₖ = S⁻¹ meanₖ, bₖ = -meanₖ·wₖ/2, S = Σₖ πₖ Cₖ, Cₖ the covariance of a label (divisor n), with shrinkage s: (1 - s) Cₖ + s mean(diag Cₖ) I",
    data: "Whole-number labels, at least two; rows that are roughly normal within a label.",
    cost: "fit O(n p² + p³), predict O(rows · p · labels)",
    fails_when: "Labels differ in spread rather than in place, or columns are many for the rows and nothing is shrunk.",
    not_claimed: "Calibrated probabilities when rows are not normal.",
    source: "R. A. Fisher, The use of multiple measurements in taxonomic problems (1936); J. H. Friedman, Regularized discriminant analysis, JASA 84 (1989); O. Ledoit, M. Wolf, J. Multivariate Anal. 88 (2004)",
    reference: "scikit-learn 1.9.1, LinearDiscriminantAnalysis",
    outputs: &[
        (
            "coefficients",
            "two labels: the weights of the larger one, one a column; more: one row of weights a label",
        ),
        (
            "intercept",
            "two labels: b of the larger one; more: one a label",
        ),
        (
            "decision",
            "score of each test row: for two labels that of the larger one, else by label",
        ),
        ("class_prior", "prior of each label, ascending"),
        ("means", "one row a label, columns as in the table"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1",
        cases: "lda-spx-cls, lda-spx-cls3, lda-shrinkage-aapl-cls",
        tolerance: "probabilities 1e-6, the same labels",
    }],
    presets: &[],
    exemptions: &[],
};

/// Rows of each label.
pub(super) fn groups(data: &Training, labels: &Labels) -> Vec<Array2<f64>> {
    (0..labels.classes.len())
        .map(|k| {
            let rows: Vec<usize> = (0..labels.codes.len())
                .filter(|i| labels.codes[*i] == k)
                .collect();
            data.x().select(Axis(0), &rows)
        })
        .collect()
}

impl Supervised for Lda {
    type Params = LdaParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;

    fn fit(params: &LdaParams, data: &Training, _: u64) -> Result<Fitted, FitError> {
        let labels = labels(data, CARD.id)?;
        let n = data.y().len() as f64;
        let groups = groups(data, labels);
        let priors = priors("priors", params.priors.as_deref(), &counts(data, labels))?;
        let means: Vec<Vec<f64>> = groups.iter().map(mean).collect();
        let (weights, intercepts) = if params.solver == Solver::Svd && params.shrinkage.is_none() {
            by_directions(&groups, &means, &priors, n, params.tol)?
        } else {
            by_covariance(&groups, &means, &priors, params.shrinkage)?
        };
        Ok(Fitted {
            classes: labels.classes.clone(),
            priors,
            means,
            weights,
            intercepts,
        })
    }
}

type Scores = (Vec<Vec<f64>>, Vec<f64>);

fn by_covariance(
    groups: &[Array2<f64>],
    means: &[Vec<f64>],
    priors: &[f64],
    shrinkage: Option<WordOr<Auto>>,
) -> Result<Scores, FitError> {
    let p = means.first().map_or(0, Vec::len);
    let mut within = Array2::zeros((p, p));
    for (rows, prior) in groups.iter().zip(priors) {
        within.scaled_add(*prior, &covariance(rows, shrinkage));
    }
    let factor = lifted(&within, "linear discriminant analysis")?;
    let mut weights = means.to_vec();
    weights.iter_mut().for_each(|w| factor.solve(w));
    let intercepts = weights
        .iter()
        .zip(means)
        .zip(priors)
        .map(|((w, m), p)| p.ln() - 0.5 * numeric::dot(w, m))
        .collect();
    Ok((weights, intercepts))
}

/// In the directions in which rows vary within labels, scaled to unit spread, and of these the ones
/// in which the means differ.
fn by_directions(
    groups: &[Array2<f64>],
    means: &[Vec<f64>],
    priors: &[f64],
    n: f64,
    tol: f64,
) -> Result<Scores, FitError> {
    let p = means.first().map_or(0, Vec::len);
    let mut columns: Vec<Vec<f64>> = vec![Vec::new(); p];
    for rows in groups {
        for (to, from) in columns.iter_mut().zip(centre(rows).columns()) {
            to.extend(from);
        }
    }
    let mut scales = vec![1.0; p];
    for (column, scale) in columns.iter_mut().zip(&mut scales) {
        let spread = (numeric::dot(column, column) / n).sqrt();
        if spread > 0.0 {
            *scale = spread;
        }
        column.iter_mut().for_each(|v| *v /= *scale * n.sqrt());
    }
    if columns.iter().flatten().any(|v| !v.is_finite()) {
        return Err(FitError::Failed(
            "lda: a column is too large to be squared: rescale it".into(),
        ));
    }
    // XᵀX has the same directions as the rows.
    let svd = Svd::new(crate::linear::reduced(columns)?);
    let mut directions: Vec<Vec<f64>> = Vec::new();
    for (v, s) in svd.right.iter().zip(&svd.values) {
        if *s > tol {
            directions.push(v.iter().zip(&scales).map(|(v, d)| v / d / s).collect());
        }
    }
    let mut centre = vec![0.0; p];
    for (m, prior) in means.iter().zip(priors) {
        numeric::add_scaled(&mut centre, *prior, m);
    }
    let shifts: Vec<Vec<f64>> = means
        .iter()
        .map(|m| m.iter().zip(&centre).map(|(a, b)| a - b).collect())
        .collect();
    // Means in these directions, weighted: columns are labels.
    let between = (means.len() as f64 - 1.0).max(1.0);
    let spread: Vec<Vec<f64>> = shifts
        .iter()
        .zip(priors)
        .map(|(m, prior)| {
            let by = (n * prior / between).sqrt();
            directions.iter().map(|d| by * numeric::dot(d, m)).collect()
        })
        .collect();
    let apart = Svd::new(spread);
    let largest = apart.values.iter().copied().fold(0.0, f64::max);
    // Columns of `spread` are labels, so that its left vectors are directions.
    let axes: Vec<Vec<f64>> = apart
        .left
        .iter()
        .zip(&apart.values)
        .filter(|(_, s)| **s > tol * largest)
        .map(|(u, _)| {
            let mut axis = vec![0.0; p];
            for (share, d) in u.iter().zip(&directions) {
                numeric::add_scaled(&mut axis, *share, d);
            }
            axis
        })
        .collect();
    let mut weights = Vec::new();
    let mut intercepts = Vec::new();
    for (shift, prior) in shifts.iter().zip(priors) {
        let along: Vec<f64> = axes.iter().map(|a| numeric::dot(a, shift)).collect();
        let mut w = vec![0.0; p];
        for (a, axis) in along.iter().zip(&axes) {
            numeric::add_scaled(&mut w, *a, axis);
        }
        intercepts
            .push(prior.ln() - 0.5 * numeric::dot(&along, &along) - numeric::dot(&centre, &w));
        weights.push(w);
    }
    Ok((weights, intercepts))
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        let logs = Array2::from_shape_fn((x.nrows(), self.classes.len()), |(i, k)| {
            self.intercepts[k] + dot(x.row(i), &self.weights[k])
        });
        Ok(decided_by_logs(logs, &self.classes))
    }

    fn outputs(&self) -> Outputs {
        let matrix = |rows: &[Vec<f64>]| rows.iter().map(|r| run::numbers(r)).collect();
        let (coefficients, intercept) = match (&self.weights[..], &self.intercepts[..]) {
            ([low, high], [a, b]) => {
                let w: Vec<f64> = high.iter().zip(low).map(|(h, l)| h - l).collect();
                (run::numbers(&w), (b - a).into())
            }
            (weights, intercepts) => (matrix(weights), run::numbers(intercepts)),
        };
        Outputs::from_iter([
            ("coefficients".to_owned(), coefficients),
            ("intercept".to_owned(), intercept),
            ("class_prior".to_owned(), run::numbers(&self.priors)),
            ("means".to_owned(), matrix(&self.means)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, classes};
    use mltrainer_catalogue_core::Params as _;

    #[test]
    fn a_constant_column_says_nothing() {
        // scikit-learn 1.9.1, LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto") on two columns of
        // `remainders` and one of 0.1, whose mean is not exactly 0.1: coef_, intercept_ and the probabilities
        // of the larger label in the first rows.
        let rows: Vec<Vec<f64>> = crate::testing::remainders()
            .into_iter()
            .map(|r| vec![r[0], r[1], 0.1])
            .collect();
        let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let y: Vec<f64> = (0..24).map(|i| f64::from(i % 2)).collect();
        let data = classes(&rows, &y);
        for solver in ["eigen", "lsqr"] {
            let given = serde_json::json!({"solver": solver, "shrinkage": "auto"});
            let params = LdaParams::from_map(given.as_object().unwrap()).unwrap();
            let fitted = Lda::fit(&params, &data, 0).unwrap();
            let outputs = fitted.outputs();
            let weights: Vec<f64> =
                serde_json::from_value(outputs["coefficients"].clone()).unwrap();
            assert_near(
                &weights,
                &[0.015_337_897_120_992_76, 0.055_842_981_294_053_96, 0.0],
                1e-9,
            );
            assert_near(
                &[outputs["intercept"].as_f64().unwrap()],
                &[-0.701_156_006_695_432_8],
                1e-9,
            );
            let p = fitted.predict(data.x().view()).unwrap();
            let high = p.probabilities.unwrap().column(1).to_vec();
            assert_near(
                &high[..3],
                &[
                    0.331_555_976_116_425_2,
                    0.406_444_891_297_824_13,
                    0.493_617_440_715_307_5,
                ],
                1e-9,
            );
        }
    }
}
