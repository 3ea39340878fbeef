//! Polynomial regression.
//!
//! What: least squares on all products of the columns up to a degree.
//! Formula: ŷ = b + Σ wₘ m(x) over the monomials m of degree 1 to `degree`.
//! Data: few columns of like scale: their number grows as p^degree.
//! Cost: fit O(n m²) for m monomials, predict O(rows m).
//! Fails when: there are more monomials than rows; a test row lies outside the training range.
//! Source: Gergonne (1815); Seber & Lee, Linear Regression Analysis, 2nd ed. (2003), chapter 8.
//! Not claimed: sense outside the range of the training rows.

use super::engine::{Plane, Problem};
use mltrainer_catalogue_core::card::{Evidence, Preset};
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Prediction, Predictor, Supervised, Training, params,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The handle.
pub struct PolynomialRegression;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<PolynomialRegression>();

params! {
    /// Parameters of polynomial regression.
    pub struct PolynomialParams {
        /// Highest degree of a monomial.
        degree: usize = 2, within(1.0, 20.0);
        /// Whether a column may enter a monomial once only: products of different columns, no powers.
        interaction_only: bool = false;
        /// Whether an intercept is fitted.
        fit_intercept: bool = true;
        /// Directions in which the monomials vary by no more than this share of the most are left out.
        tol: f64 = 1e-6, at_least(0.0);
    }
}

/// Fitted state: the monomials, each by the columns that it multiplies, and the plane over them.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    monomials: Vec<Vec<usize>>,
    plane: Plane,
}

const CARD: Card = Card {
    id: "polynomial_regression",
    family: "linear",
    title: "Polynomial regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Least squares on every product of the columns up to a degree, powers and cross terms included.",
    formula: "ŷ = b + Σₘ wₘ Πⱼ xⱼ^mⱼ over all exponents with 1 ≤ Σ mⱼ ≤ degree; w and b with the least sum of squared errors, the shortest w when there are several; directions in which the monomials vary by at most tol times the most are left out",
    data: "Few columns of like scale: p columns make C(p + degree, degree) - 1 monomials, at most 20,000.",
    cost: "fit O(n m²) for m monomials, predict O(rows · m)",
    fails_when: "Monomials are many for the rows (it fits the noise), columns are of unlike scale (of products a million times smaller than others only what moves with these counts, unless tol is lowered), or a row lies outside the range of training: powers explode there.",
    not_claimed: "Sense outside the range of the training rows.",
    source: "J. D. Gergonne, Application de la méthode des moindres quarrés à l'interpolation des suites, Annales de mathématiques 6 (1815); G. A. F. Seber, A. J. Lee, Linear Regression Analysis, 2nd ed. (2003), chapter 8",
    reference: "scikit-learn 1.9.1, PolynomialFeatures(include_bias=False) and LinearRegression",
    outputs: &[
        (
            "coefficients",
            "weights, one a monomial, in the order of `monomials`",
        ),
        ("intercept", "b, target units; 0 without an intercept"),
        (
            "monomials",
            "the columns that each monomial multiplies, counted from 0",
        ),
        ("rank", "number of directions of the monomials that count"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1",
        cases: "polynomial-2-aapl-small, polynomial-3-aapl-small, polynomial-2-spx-std, polynomial-3-aapl-uni",
        tolerance: "predictions 1e-6 (1e-5 where the condition of the design is 1.8e4)",
    }],
    presets: &[
        Preset {
            id: "polynomial_regression_degree_2",
            title: "Polynomial regression, degree 2",
            set: &[("degree", "2")],
        },
        Preset {
            id: "polynomial_regression_degree_3",
            title: "Polynomial regression, degree 3",
            set: &[("degree", "3")],
        },
    ],
    exemptions: &[],
};

/// Beyond this the decomposition takes longer than anybody waits.
const MOST_MONOMIALS: usize = 20_000;
/// Numbers in the table of monomials: 800 MB.
const MOST_CELLS: usize = 100_000_000;

impl Supervised for PolynomialRegression {
    type Params = PolynomialParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn fit(params: &PolynomialParams, data: &Training, _: u64) -> Result<Fitted, FitError> {
        let (n, p) = data.x().dim();
        let monomials = monomials(p, params.degree, params.interaction_only)
            .filter(|m| m.len().saturating_mul(n) <= MOST_CELLS)
            .ok_or_else(|| {
                FitError::Data(format!(
                    "{p} columns to degree {} make too many monomials for {n} rows (at most {MOST_MONOMIALS} monomials and {MOST_CELLS} numbers): lower degree or leave out columns",
                    params.degree
                ))
            })?;
        let design = products(data.x().view(), &monomials);
        if design.iter().any(|v| !v.is_finite()) {
            return Err(FitError::Failed(format!(
                "a product of degree {} is too large for a number: rescale the columns",
                params.degree
            )));
        }
        let problem = Problem::of(
            design.view(),
            data.y(),
            data.weights(),
            params.fit_intercept,
        )?;
        let (weights, rank) = problem.least_squares(params.tol)?;
        let extra = Outputs::from_iter([("rank".to_owned(), rank.into())]);
        Ok(Fitted {
            plane: Plane::new(weights, &problem, extra)?,
            monomials,
        })
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        let mut values = Vec::with_capacity(x.nrows());
        // A thousand rows of monomials at a time.
        for rows in x.axis_chunks_iter(ndarray::Axis(0), 1_000) {
            values.extend(self.plane.values(products(rows, &self.monomials).view()));
        }
        Ok(Prediction::values(values))
    }

    fn outputs(&self) -> Outputs {
        let mut outputs = self.plane.outputs();
        let monomials = self.monomials.iter().map(|m| Value::from(m.as_slice()));
        outputs.insert("monomials".into(), monomials.collect());
        outputs
    }
}

/// Combinations of columns by degree, each in ascending order; `None` when there are too many.
fn monomials(p: usize, degree: usize, interaction_only: bool) -> Option<Vec<Vec<usize>>> {
    let mut all: Vec<Vec<usize>> = Vec::new();
    let mut last: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..degree {
        let mut next = Vec::new();
        for m in &last {
            let from = m.last().map_or(0, |j| j + usize::from(interaction_only));
            for j in from..p {
                if all.len() + next.len() == MOST_MONOMIALS {
                    return None;
                }
                let mut longer = m.clone();
                longer.push(j);
                next.push(longer);
            }
        }
        all.extend_from_slice(&next);
        last = next;
    }
    Some(all)
}

fn products(x: ArrayView2<'_, f64>, monomials: &[Vec<usize>]) -> Array2<f64> {
    let mut out = Array2::zeros((x.nrows(), monomials.len()));
    for (row, mut to) in x.rows().into_iter().zip(out.rows_mut()) {
        for (to, m) in to.iter_mut().zip(monomials) {
            *to = m.iter().map(|j| row[*j]).product();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, table};

    #[test]
    fn a_parabola_is_met() {
        // y = 1 + 2x - 3x² through five points.
        let x = [-2.0, -1.0, 0.0, 1.0, 3.0];
        let rows: Vec<[f64; 1]> = x.iter().map(|x| [*x]).collect();
        let rows: Vec<&[f64]> = rows.iter().map(|r| r.as_slice()).collect();
        let y: Vec<f64> = x.iter().map(|x| 1.0 + 2.0 * x - 3.0 * x * x).collect();
        let params = PolynomialParams {
            degree: 2,
            interaction_only: false,
            fit_intercept: true,
            tol: 1e-6,
        };
        let fitted = PolynomialRegression::fit(&params, &table(&rows, &y), 0).unwrap();
        let weights: Vec<f64> =
            serde_json::from_value(fitted.outputs()["coefficients"].clone()).unwrap();
        assert_near(&weights, &[2.0, -3.0], 1e-12);
    }

    #[test]
    fn monomials_are_counted() {
        // C(3 + 2, 2) - 1 = 9 with powers, 3 + 3 without.
        let all = monomials(3, 2, false).unwrap();
        assert_eq!(all.len(), 9);
        assert_eq!(all[3..6], [vec![0, 0], vec![0, 1], vec![0, 2]]);
        assert_eq!(monomials(3, 2, true).unwrap().len(), 6);
        assert_eq!(monomials(200, 3, false), None);
    }
}
