//! Orthogonal matching pursuit.
//!
//! What: takes the columns one at a time, each time the one that explains most of what is left.
//! Formula: next = argmax |xⱼ·r|, w = least squares on the columns taken, r = y - Xw.
//! Data: columns of like scale, since inner products see their units.
//! Cost: fit O(n p² + k p²), predict O(rows p).
//! Fails when: columns depend on each other: a wrong first choice is never taken back.
//! Source: Mallat & Zhang (1993); Pati, Rezaiifar & Krishnaprasad (1993).
//! Not claimed: the best subset of that size.

use super::engine::{Plane, Problem};
use crate::numeric::{add_scaled, dot};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Supervised, Training, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct OrthogonalMatchingPursuit;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<OrthogonalMatchingPursuit>();

params! {
    /// Parameters of orthogonal matching pursuit.
    pub struct OmpParams {
        /// Columns taken; none is a tenth of all, at least one, or with tol as many as it needs.
        n_nonzero_coefs: Option<usize> = None, at_least(1.0);
        /// Columns are taken until the sum of squared errors is at most this; overrides n_nonzero_coefs.
        tol: Option<f64> = None, at_least(0.0);
        /// Whether an intercept is fitted.
        fit_intercept: bool = true;
    }
}

const CARD: Card = Card {
    id: "orthogonal_matching_pursuit",
    family: "linear",
    title: "Orthogonal matching pursuit",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Takes columns one at a time, each time the one with the largest inner product with what is not yet explained, and refits least squares on all taken.",
    formula: "j = argmax |xⱼ·r| over the centred columns, w = least squares on the columns taken, r = y - Xw; until n_nonzero_coefs columns are taken or |r|² ≤ tol",
    data: "Columns of like scale: inner products see their units, nothing is rescaled inside.",
    cost: "fit O(n p² + k p²) for k columns taken, predict O(rows · p)",
    fails_when: "Columns depend on each other: an early choice is never taken back.",
    not_claimed: "The best subset of that size.",
    source: "S. G. Mallat, Z. Zhang, Matching pursuits with time-frequency dictionaries, IEEE Trans. Signal Process. 41 (1993); R. Rubinstein, M. Zibulevsky, M. Elad, Efficient implementation of the K-SVD algorithm using batch OMP (2008)",
    reference: "scikit-learn 1.9.1, OrthogonalMatchingPursuit",
    outputs: &[
        (
            "coefficients",
            "weights, one a column, target units per column unit",
        ),
        ("intercept", "b, target units; 0 without an intercept"),
        ("active", "the columns in the order taken, counted from 0"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1",
        cases: "omp-5-spx-std, omp-3-aapl-std",
        tolerance: "predictions and coefficients 1e-6",
    }],
    presets: &[],
    exemptions: &[],
};

impl Supervised for OrthogonalMatchingPursuit {
    type Params = OmpParams;
    type Fitted = Plane;
    const CARD: &'static Card = &CARD;

    fn fit(params: &OmpParams, data: &Training, _: u64) -> Result<Plane, FitError> {
        let problem = Problem::new(data, params.fit_intercept)?;
        let p = data.design().columns();
        let most = match (params.tol, params.n_nonzero_coefs) {
            (Some(_), _) => p,
            (None, Some(k)) if k > p => {
                return Err(FitError::Data(format!(
                    "n_nonzero_coefs {k}: there are {p} columns only"
                )));
            }
            (None, Some(k)) => k,
            (None, None) => (p / 10).max(1),
        };
        let mut taken: Vec<usize> = Vec::new();
        // The part of each column that is at right angles to those taken.
        let mut basis: Vec<Vec<f64>> = Vec::new();
        let mut rest = problem.target().to_vec();
        let mut weights = vec![0.0; p];
        while taken.len() < most {
            let pulls = (0..p).map(|j| dot(problem.column(j), &rest).abs());
            let mut best = (0, 0.0);
            for (j, pull) in pulls.enumerate() {
                // Of columns that pull alike, but for rounding, the first.
                if pull > best.1 * (1.0 + 1e-12) {
                    best = (j, pull);
                }
            }
            let (j, pull) = best;
            if pull == 0.0 || taken.contains(&j) {
                break;
            }
            let mut own = problem.column(j).to_vec();
            let size = dot(&own, &own).sqrt();
            for _ in 0..2 {
                for b in &basis {
                    let share = dot(&own, b);
                    add_scaled(&mut own, -share, b);
                }
            }
            let left = dot(&own, &own).sqrt();
            // It depends on the columns taken, or nothing but rounding is left to explain.
            if left <= 1e-8 * size || pull <= 1e-13 * size * dot(&rest, &rest).sqrt() {
                break;
            }
            own.iter_mut().for_each(|v| *v /= left);
            let share = dot(&own, &rest);
            add_scaled(&mut rest, -share, &own);
            basis.push(own);
            taken.push(j);
            if params.tol.is_some_and(|tol| dot(&rest, &rest) <= tol) {
                break;
            }
        }
        if !taken.is_empty() {
            let (found, _) = problem.part(&taken).ridge(0.0)?;
            for (j, w) in taken.iter().zip(found) {
                weights[*j] = w;
            }
        }
        let extra = Outputs::from_iter([("active".to_owned(), taken.into())]);
        Plane::new(weights, &problem, extra)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, table};
    use mltrainer_catalogue_core::Predictor as _;

    #[test]
    fn the_strongest_column_first() {
        // Orthogonal columns, y = 2a - 3b: b first, then a.
        let rows: [&[f64]; 4] = [&[-1.0, -1.0], &[1.0, -1.0], &[-1.0, 1.0], &[1.0, 1.0]];
        let y = [1.0, 5.0, -5.0, -1.0];
        for (k, want) in [(1, [0.0, -3.0]), (2, [2.0, -3.0])] {
            let params = OmpParams {
                n_nonzero_coefs: Some(k),
                tol: None,
                fit_intercept: true,
            };
            let fitted = OrthogonalMatchingPursuit::fit(&params, &table(&rows, &y), 0).unwrap();
            let outputs = fitted.outputs();
            let weights: Vec<f64> =
                serde_json::from_value(outputs["coefficients"].clone()).unwrap();
            assert_near(&weights, &want, 1e-13);
            assert_eq!(outputs["active"][0], 1);
        }
    }

    #[test]
    fn of_equal_columns_the_first() {
        // scikit-learn 1.9.1, OrthogonalMatchingPursuit(n_nonzero_coefs=1): coef_ and intercept_. The second
        // and the third column are the same.
        let rows: Vec<Vec<f64>> = crate::testing::remainders()
            .into_iter()
            .map(|r| vec![r[1], r[0], r[0]])
            .collect();
        let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let y: Vec<f64> = rows.iter().map(|r| 2.0 * r[1] + r[0]).collect();
        let params = OmpParams {
            n_nonzero_coefs: Some(1),
            tol: None,
            fit_intercept: true,
        };
        let outputs = OrthogonalMatchingPursuit::fit(&params, &table(&rows, &y), 0)
            .unwrap()
            .outputs();
        let weights: Vec<f64> = serde_json::from_value(outputs["coefficients"].clone()).unwrap();
        assert_near(&weights, &[0.0, 2.062_445_414_847_161_4, 0.0], 1e-12);
        assert_near(
            &[outputs["intercept"].as_f64().unwrap()],
            &[10.083_733_624_454_15],
            1e-12,
        );
    }
}
