//! Quadratic discriminant analysis.
//!
//! What: a normal distribution with a covariance of its own for each label.
//! Formula: P(k | x) ∝ πₖ N(x; meanₖ, Cₖ); eigenvalues e of Cₖ become (1 - reg_param) e + reg_param.
//! Data: rows that are roughly normal within a label; many rows a label.
//! Cost: fit O(n p² + labels p³), predict O(rows p² labels).
//! Fails when: a label has hardly more rows than there are columns.
//! Source: Friedman, JASA 84 (1989); Hastie, Tibshirani & Friedman (2009), 4.3.
//! Not claimed: calibrated probabilities when rows are not normal.

use super::covariance::{Auto, covariance, mean};
use super::lda::groups;
use crate::labels::{counts, decided_by_logs, labels, priors};
use crate::numeric::{dot, eigh};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::params::WordOr;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Prediction, Predictor, Supervised, Training, choices,
    params, run,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

/// The handle.
pub struct Qda;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<Qda>();

choices! {
    /// How the eigenvalues of a covariance are found, and what may move them.
    pub enum Solver {
        /// From the rows of the label; reg_param moves them.
        Svd = "svd",
        /// From the covariance, which shrinkage may move; reg_param does not.
        Eigen = "eigen",
    }
}

params! {
    /// Parameters of quadratic discriminant analysis.
    pub struct QdaParams {
        /// Prior of each label, ascending, joined with commas; none is the share of its rows.
        priors: Option<Vec<f64>> = None, above(0.0);
        /// svd, which reg_param belongs to, or eigen, which shrinkage needs and then takes.
        solver: Solver = Solver::Svd;
        /// svd: how far each eigenvalue of a covariance is moved towards 1.
        reg_param: f64 = 0.0, within(0.0, 1.0);
        /// eigen: how far covariances are shrunk towards their mean variance instead: 0 to 1, auto by Ledoit and Wolf, none not at all.
        shrinkage: Option<WordOr<Auto>> = None, within(0.0, 1.0);
        /// An eigenvalue not above this is refused: the columns depend on each other within the label.
        tol: f64 = 1e-4, at_least(0.0);
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Group {
    log_prior: f64,
    mean: Vec<f64>,
    /// Eigenvalues, descending.
    spreads: Vec<f64>,
    /// Eigenvectors, one a row, divided by the root of their eigenvalue.
    directions: Vec<Vec<f64>>,
}

/// Fitted state.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    classes: Vec<i64>,
    groups: Vec<Group>,
}

const CARD: Card = Card {
    id: "qda",
    family: "discriminant",
    title: "Quadratic discriminant analysis",
    tasks: &[Task::Classification],
    inputs: Inputs::Features,
    summary: "Takes the rows of each label as normal with a mean and a covariance of their own: borders between labels are curved.",
    formula: "ln P(k | x) = ln πₖ - (Σ ln e + Σ ((x - meanₖ)·v)²/e)/2 + constant, e and v the eigenvalues and vectors of the covariance of label k (divisor n), svd: e → (1 - reg_param) e + reg_param; with shrinkage s of (1 - s) C + s mean(diag C) I instead",
    data: "Whole-number labels, at least two, each with more rows than there are columns; rows that are roughly normal within a label.",
    cost: "fit O(n p² + labels · p³), predict O(rows · p² · labels)",
    fails_when: "A label has hardly more rows than there are columns, or columns depend on each other: raise reg_param or shrinkage.",
    not_claimed: "Calibrated probabilities when rows are not normal.",
    source: "J. H. Friedman, Regularized discriminant analysis, JASA 84 (1989); T. Hastie, R. Tibshirani, J. Friedman, The Elements of Statistical Learning, 2nd ed. (2009), section 4.3",
    reference: "scikit-learn 1.9.1, QuadraticDiscriminantAnalysis",
    outputs: &[
        (
            "decision",
            "log posterior of each test row up to a constant: for two labels the difference, else by label",
        ),
        ("class_prior", "prior of each label, ascending"),
        ("means", "one row a label, columns as in the table"),
        ("spreads", "eigenvalues of each covariance, one row a label"),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "scikit-learn 1.9.1",
            cases: "qda-spx-cls, qda-reg-spx-cls3",
            tolerance: "probabilities 1e-5, the same labels",
        },
        Evidence {
            against: "scikit-learn 1.9.1",
            cases: "a test of this entry: both solvers, reg_param, shrinkage 0.3 and auto",
            tolerance: "probabilities 1e-10, eigenvalues 1e-12",
        },
    ],
    presets: &[],
    exemptions: &[],
};

impl Supervised for Qda {
    type Params = QdaParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;

    fn fit(params: &QdaParams, data: &Training, _: u64) -> Result<Fitted, FitError> {
        let labels = labels(data, CARD.id)?;
        let counts = counts(data, labels);
        let mut fitted = Vec::new();
        let priors = priors("priors", params.priors.as_deref(), &counts)?;
        for (k, rows) in groups(data, labels).iter().enumerate() {
            let c = covariance(rows, params.shrinkage);
            let (mut spreads, vectors) = eigh(c, "quadratic discriminant analysis")?;
            if params.solver == Solver::Svd && params.shrinkage.is_none() {
                for e in &mut spreads {
                    *e = (1.0 - params.reg_param) * e.max(0.0) + params.reg_param;
                }
            }
            if rows.nrows() < 2 || spreads.iter().any(|e| *e <= params.tol) {
                return Err(FitError::Failed(format!(
                    "qda: the {} rows of label {} do not vary in every direction of {} columns: raise reg_param or shrinkage, or leave columns out",
                    rows.nrows(),
                    labels.classes[k],
                    rows.ncols()
                )));
            }
            let directions = vectors
                .rows()
                .into_iter()
                .zip(&spreads)
                .map(|(v, e)| v.iter().map(|v| v / e.sqrt()).collect())
                .collect();
            fitted.push(Group {
                log_prior: priors[k].ln(),
                mean: mean(rows),
                spreads,
                directions,
            });
        }
        Ok(Fitted {
            classes: labels.classes.clone(),
            groups: fitted,
        })
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        let mut logs = Array2::zeros((x.nrows(), self.classes.len()));
        for (k, group) in self.groups.iter().enumerate() {
            let volume: f64 = group.spreads.iter().map(|e| e.ln()).sum();
            for (i, row) in x.rows().into_iter().enumerate() {
                let gap: Vec<f64> = row.iter().zip(&group.mean).map(|(a, b)| a - b).collect();
                let along = group.directions.iter().map(|d| dot(d, &gap).powi(2));
                logs[[i, k]] = group.log_prior - 0.5 * (along.sum::<f64>() + volume);
            }
        }
        Ok(decided_by_logs(logs, &self.classes))
    }

    fn outputs(&self) -> Outputs {
        let priors: Vec<f64> = self.groups.iter().map(|g| g.log_prior.exp()).collect();
        let each = |of: fn(&Group) -> &[f64]| {
            let rows = self.groups.iter().map(|g| run::numbers(of(g)));
            rows.collect()
        };
        Outputs::from_iter([
            ("class_prior".to_owned(), run::numbers(&priors)),
            ("means".to_owned(), each(|g| &g.mean)),
            ("spreads".to_owned(), each(|g| &g.spreads)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, classes, remainders};
    use mltrainer_catalogue_core::Params as _;

    #[test]
    fn both_solvers() {
        // scikit-learn 1.9.1, QuadraticDiscriminantAnalysis(**parameters): predict_proba of the
        // larger label for the first three rows, and scalings_ of the smaller one.
        let rows = remainders();
        let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let labels: Vec<f64> = (0..24).map(|i| if i % 5 < 3 { 0.0 } else { 1.0 }).collect();
        let data = classes(&rows, &labels);
        for (given, chances, spreads) in [
            (
                r#"{"reg_param": 0.3}"#,
                [
                    9.278_260_401_931_076e-13,
                    3.603_628_915_420_961e-3,
                    3.318_083_313_608_749e-2,
                ],
                [
                    22.464_922_722_839_447,
                    13.753_012_199_421_324,
                    1.030_710_462_396_122,
                    0.637_965_726_454_216,
                ],
            ),
            (
                r#"{"solver": "eigen", "reg_param": 0.3}"#,
                [
                    1.626_185_605_523_55e-41,
                    5.119_673_995_456_438e-6,
                    2.041_704_085_046_205_4e-6,
                ],
                [
                    31.664_175_318_342_057,
                    19.218_588_856_316_13,
                    1.043_872_089_137_317_7,
                    0.482_808_180_648_879_7,
                ],
            ),
            (
                r#"{"solver": "eigen", "shrinkage": 0.3}"#,
                [
                    0.002_007_594_026_119_097_5,
                    0.059_528_838_411_091_48,
                    0.280_052_205_001_566_8,
                ],
                [
                    26.095_631_056_172_795,
                    17.383_720_532_754_666,
                    4.661_418_795_729_455,
                    4.268_674_059_787_549,
                ],
            ),
            (
                r#"{"solver": "eigen", "shrinkage": "auto"}"#,
                [
                    0.009_911_865_753_458_553,
                    0.139_859_404_164_127_62,
                    0.359_225_049_626_358,
                ],
                [
                    29.626_666_666_666_67,
                    20.973_333_333_333_333,
                    0.928_888_888_888_888_8,
                    0.880_555_555_555_555_6,
                ],
            ),
        ] {
            let map: serde_json::Value = serde_json::from_str(given).unwrap();
            let params = QdaParams::from_map(map.as_object().unwrap()).unwrap();
            let fitted = Qda::fit(&params, &data, 0).unwrap();
            let first = Array2::from_shape_fn((3, 4), |(i, j)| rows[i][j]);
            let p = fitted.predict(first.view()).unwrap().probabilities.unwrap();
            assert_near(&p.column(1).to_vec(), &chances, 1e-10);
            assert_near(&fitted.groups[0].spreads, &spreads, 1e-12);
        }
    }
}
