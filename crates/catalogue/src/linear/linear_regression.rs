//! Ordinary least squares.
//!
//! What: the plane with the least sum of squared errors.
//! Formula: min over w, b of Σ (yᵢ - xᵢ·w - b)².
//! Data: any table of numbers; the scale of a column does not matter.
//! Cost: fit O(n p²), predict O(rows p).
//! Fails when: columns nearly depend on each other, or few rows stand against many columns.
//! Source: Legendre (1805); Gauss (1809); Golub & Van Loan, Matrix Computations (2013), 5.5.
//! Not claimed: standard errors; returns are not independent with equal variance.

use super::engine::{Plane, Problem};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Supervised, Training, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct LinearRegression;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<LinearRegression>().as_first_choice();

params! {
    /// Parameters of least squares.
    pub struct LinearRegressionParams {
        /// Whether an intercept is fitted; without one the plane goes through the origin.
        fit_intercept: bool = true;
        /// Whether weights must be at least 0.
        positive: bool = false;
    }
}

const CARD: Card = Card {
    id: "linear_regression",
    family: "linear",
    title: "Ordinary least squares",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "The plane with the least sum of squared errors. With dependent columns, or more columns than rows, the shortest such plane.",
    formula: "min over w, b of Σᵢ (yᵢ - xᵢ·w - b)²; ŷ = x·w + b",
    data: "Any table of numbers. The scale of a column does not matter; a constant column gets weight 0.",
    cost: "fit O(n p²), predict O(rows · p)",
    fails_when: "Columns nearly depend on each other (weights explode with opposite signs), columns are many for the rows (it fits the noise), or a few extreme rows rule the squares.",
    not_claimed: "Standard errors and p-values: residuals of market data are neither independent nor of equal variance.",
    source: "A.-M. Legendre, Nouvelles méthodes pour la détermination des orbites des comètes (1805); G. H. Golub, C. F. Van Loan, Matrix Computations, 4th ed. (2013), section 5.5",
    reference: "scikit-learn 1.9.1, LinearRegression",
    outputs: &[
        (
            "coefficients",
            "weights, one a column, target units per column unit",
        ),
        ("intercept", "b, target units; 0 without an intercept"),
        ("rank", "number of independent columns"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1",
        cases: "linear-regression-spx-reg, linear-regression-aapl-reg, linear-regression-spx-std",
        tolerance: "predictions 1e-7, coefficients 1e-6 relative",
    }],
    presets: &[],
    exemptions: &[],
};

impl Supervised for LinearRegression {
    type Params = LinearRegressionParams;
    type Fitted = Plane;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn fit(params: &LinearRegressionParams, data: &Training, _: u64) -> Result<Plane, FitError> {
        let problem = Problem::new(data, params.fit_intercept)?;
        let (mut weights, rank) = problem.ridge(0.0)?;
        if params.positive && weights.iter().any(|w| *w < 0.0) {
            weights = problem.nonnegative(0.0)?;
        }
        let extra = Outputs::from_iter([("rank".to_owned(), rank.into())]);
        Plane::new(weights, &problem, extra)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, table};
    use mltrainer_catalogue_core::Predictor as _;

    fn fit(rows: &[&[f64]], y: &[f64], fit_intercept: bool) -> Outputs {
        LinearRegression::fit(
            &LinearRegressionParams {
                fit_intercept,
                positive: false,
            },
            &table(rows, y),
            0,
        )
        .unwrap()
        .outputs()
    }

    fn weights(outputs: &Outputs) -> Vec<f64> {
        serde_json::from_value(outputs["coefficients"].clone()).unwrap()
    }

    #[test]
    fn a_line_by_hand() {
        // Through (0,0), (1,0), (2,2): slope 1, intercept -1/3.
        let outputs = fit(&[&[0.0], &[1.0], &[2.0]], &[0.0, 0.0, 2.0], true);
        assert_near(&weights(&outputs), &[1.0], 1e-14);
        assert_near(
            &[outputs["intercept"].as_f64().unwrap()],
            &[-1.0 / 3.0],
            1e-14,
        );
        // Through the origin: slope Σxy/Σx² = 4/5.
        let outputs = fit(&[&[0.0], &[1.0], &[2.0]], &[0.0, 0.0, 2.0], false);
        assert_near(&weights(&outputs), &[0.8], 1e-14);
    }

    #[test]
    fn dependent_columns_share_the_weight() {
        // Twice the same column: the shortest answer gives each half of the slope 2.
        let outputs = fit(
            &[&[0.0, 0.0], &[1.0, 1.0], &[2.0, 2.0]],
            &[1.0, 3.0, 5.0],
            true,
        );
        assert_near(&weights(&outputs), &[1.0, 1.0], 1e-13);
        assert_eq!(outputs["rank"], 1);
        // More columns than rows: the rows are met exactly.
        let (rows, y) = ([[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]], [1.0, 2.0]);
        let data = table(&[&rows[0], &rows[1]], &y);
        let params = LinearRegressionParams {
            fit_intercept: true,
            positive: false,
        };
        let fitted = LinearRegression::fit(&params, &data, 0).unwrap();
        assert_near(&fitted.predict(data.x().view()).unwrap().values, &y, 1e-13);
    }

    #[test]
    fn scale_of_a_column_does_not_matter() {
        // y = 3a + 2e9 b exactly, with b of size 1e-9 beside a of size 1e6.
        let a = [1e6, 3e6, 2e6, 5e6];
        let b = [1e-9, 2e-9, 4e-9, 3e-9];
        let rows: Vec<[f64; 2]> = (0..4).map(|i| [a[i], b[i]]).collect();
        let rows: Vec<&[f64]> = rows.iter().map(|r| r.as_slice()).collect();
        let y: Vec<f64> = (0..4).map(|i| 3e-6 * a[i] + 2e9 * b[i]).collect();
        let outputs = fit(&rows, &y, true);
        assert_near(&weights(&outputs), &[3e-6, 2e9], 1e-12);
        assert_eq!(outputs["rank"], 2);
    }

    #[test]
    fn weights_of_at_least_zero_and_weights_of_rows() {
        // Orthogonal columns (-1, 1, -1, 1) and (-1, -1, 1, 1), y = 2a - b: b must stay out.
        let rows: [&[f64]; 4] = [&[-1.0, -1.0], &[1.0, -1.0], &[-1.0, 1.0], &[1.0, 1.0]];
        let y = [-1.0, 3.0, -3.0, 1.0];
        let params = LinearRegressionParams {
            fit_intercept: true,
            positive: true,
        };
        let fitted = LinearRegression::fit(&params, &table(&rows, &y), 0).unwrap();
        assert_near(&weights(&fitted.outputs()), &[2.0, 0.0], 1e-14);
        // A row of weight 2 counts as if it were there twice, one of weight 0 not at all.
        let line: [&[f64]; 4] = [&[0.0], &[1.0], &[3.0], &[9.0]];
        let twice: [&[f64]; 4] = [&[0.0], &[1.0], &[1.0], &[3.0]];
        let weighted = table(&line, &[1.0, 0.0, 2.0, 50.0])
            .with_weights(vec![1.0, 2.0, 1.0, 0.0])
            .unwrap();
        let free = LinearRegressionParams {
            fit_intercept: true,
            positive: false,
        };
        let a = LinearRegression::fit(&free, &weighted, 0)
            .unwrap()
            .outputs();
        let b = fit(&twice, &[1.0, 0.0, 0.0, 2.0], true);
        assert_near(&weights(&a), &weights(&b), 1e-13);
        assert_near(
            &[a["intercept"].as_f64().unwrap()],
            &[b["intercept"].as_f64().unwrap()],
            1e-13,
        );
    }
}
