//! Ridge regression.
//!
//! What: least squares with a penalty on the squared length of the weights.
//! Formula: min over w, b of Σ (yᵢ - xᵢ·w - b)² + alpha |w|².
//! Data: columns of like scale, since the penalty sees their units.
//! Cost: fit O(n p²), predict O(rows p).
//! Fails when: columns have very different units; truth is sparse.
//! Source: Hoerl & Kennard, Technometrics 12 (1970).
//! Not claimed: selection of columns: no weight becomes exactly zero.

use super::engine::{Plane, Problem};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Supervised, Training, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Ridge;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<Ridge>().as_first_choice();

params! {
    /// Parameters of ridge regression.
    pub struct RidgeParams {
        /// Strength of the penalty on the squared weights; 0 is least squares.
        alpha: f64 = 1.0, at_least(0.0);
        /// Whether an intercept is fitted; it is not penalised.
        fit_intercept: bool = true;
        /// Whether weights must be at least 0.
        positive: bool = false;
    }
}

const CARD: Card = Card {
    id: "ridge",
    family: "linear",
    title: "Ridge regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Least squares with a penalty on the squared length of the weights, which keeps the weights of columns that move together from exploding.",
    formula: "min over w, b of Σᵢ (yᵢ - xᵢ·w - b)² + alpha |w|²; w = V diag(s/(s² + alpha)) Uᵀy for the centred X = U diag(s) Vᵀ",
    data: "Columns of like scale: the penalty sees their units, nothing is rescaled inside.",
    cost: "fit O(n p²), predict O(rows · p)",
    fails_when: "Columns have very different units (the penalty then falls on the small ones), or few columns matter and the rest are noise.",
    not_claimed: "Selection of columns: no weight becomes exactly zero.",
    source: "A. E. Hoerl, R. W. Kennard, Ridge regression: biased estimation for nonorthogonal problems, Technometrics 12 (1970) 55-67",
    reference: "scikit-learn 1.9.1, Ridge",
    outputs: &[
        (
            "coefficients",
            "weights, one a column, target units per column unit",
        ),
        ("intercept", "b, target units; 0 without an intercept"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1",
        cases: "ridge-alpha-1-spx-std, ridge-alpha-0.1-spx-reg, ridge-alpha-100-aapl-std, ridge-alpha-0.001-aapl-reg",
        tolerance: "predictions 1e-7, coefficients 1e-6 relative",
    }],
    presets: &[],
    exemptions: &[],
};

impl Supervised for Ridge {
    type Params = RidgeParams;
    type Fitted = Plane;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn fit(params: &RidgeParams, data: &Training, _: u64) -> Result<Plane, FitError> {
        let problem = Problem::new(data, params.fit_intercept)?;
        let weights = if params.positive {
            problem.nonnegative(params.alpha)?
        } else {
            problem.ridge(params.alpha)?.0
        };
        Plane::new(weights, &problem, Outputs::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, table};
    use mltrainer_catalogue_core::Predictor as _;

    #[test]
    fn one_column_by_hand() {
        // Centred x = -1, 0, 1 and y = -1, 0, 1 (+ 3): w = Σxy/(Σx² + alpha) = 2/(2 + 2).
        let data = table(&[&[1.0], &[2.0], &[3.0]], &[2.0, 3.0, 4.0]);
        let params = RidgeParams {
            alpha: 2.0,
            fit_intercept: true,
            positive: false,
        };
        let outputs = Ridge::fit(&params, &data, 0).unwrap().outputs();
        assert_near(
            &[outputs["coefficients"][0].as_f64().unwrap()],
            &[0.5],
            1e-14,
        );
        assert_near(&[outputs["intercept"].as_f64().unwrap()], &[2.0], 1e-14);
    }
}
