//! Principal component regression.
//!
//! What: least squares on the directions in which the columns vary most.
//! Formula: X - mean = U S Vᵀ; ŷ = mean y + Σ over the first k of uᵢ·y/sᵢ (x - mean)·vᵢ.
//! Data: columns of like scale: variance sees their units.
//! Cost: fit O(n p² + p³), predict O(rows p).
//! Fails when: the signal lies in directions in which the columns hardly vary.
//! Source: Hotelling (1957); Jolliffe, Principal Component Analysis, 2nd ed. (2002), chapter 8.
//! Not claimed: that a component has a meaning.

use super::scores::Components;
use crate::linear::Plane;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Supervised, Training, params, run,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct PcaRegression;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<PcaRegression>();

params! {
    /// Parameters of principal component regression.
    pub struct PcaRegressionParams {
        /// Number of components; below 1 the share of the variance that they must exceed; none is all.
        n_components: Option<f64> = None, above(0.0);
    }
}

const CARD: Card = Card {
    id: "pca_regression",
    family: "decomposition",
    title: "Principal component regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Least squares on the few directions in which the columns vary most, so that columns that move together count once.",
    formula: "X - x̄ = U S Vᵀ, scores zᵢ = (x - x̄)·vᵢ; ŷ = ȳ + Σᵢ (uᵢ·y/sᵢ) zᵢ over the first n_components",
    data: "Columns of like scale: they are centred, not rescaled, and variance sees their units.",
    cost: "fit O(n p² + p³), predict O(rows · p)",
    fails_when: "The signal lies in directions in which the columns hardly vary.",
    not_claimed: "That a component has a meaning of its own.",
    source: "H. Hotelling, The relations of the newer multivariate statistical methods to factor analysis (1957); I. T. Jolliffe, Principal Component Analysis, 2nd ed. (2002), chapter 8",
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
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1",
        cases: "pca-3-spx-std, pca-8-spx-std, pca-5-aapl-std",
        tolerance: "predictions and shares 1e-7, components 1e-6 up to sign",
    }],
    presets: &[],
    exemptions: &[],
};

impl Supervised for PcaRegression {
    type Params = PcaRegressionParams;
    type Fitted = Plane;
    const CARD: &'static Card = &CARD;

    fn fit(params: &PcaRegressionParams, data: &Training, _: u64) -> Result<Plane, FitError> {
        let found = Components::new(data, params.n_components)?;
        let rows = data.y().len() as f64;
        let squares: Vec<f64> = found.values.iter().map(|s| s * s).collect();
        let over = |by: f64| {
            let all: Vec<f64> = squares
                .iter()
                .map(|s| if by > 0.0 { s / by } else { 0.0 })
                .collect();
            run::numbers(&all)
        };
        let extra = Outputs::from_iter([
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
