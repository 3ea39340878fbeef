//! Partial least squares.
//!
//! What: least squares on a few directions of the columns, chosen for their covariance with the target.
//! Formula: per component w = Xᵀy/|Xᵀy|, t = Xw; X and y lose their part along t; ŷ follows t.
//! Data: any table of numbers; columns and target are standardised inside.
//! Cost: fit O(n p² + k p²), predict O(rows p).
//! Fails when: directions of small variance carry the signal.
//! Source: Wold (1975); Höskuldsson, Journal of Chemometrics 2 (1988).
//! Not claimed: that a component has a meaning.

use super::engine::{Plane, Problem};
use crate::numeric::{add_scaled, dot};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Supervised, Training, params, run,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct PartialLeastSquares;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<PartialLeastSquares>();

params! {
    /// Parameters of partial least squares.
    pub struct PlsParams {
        /// Number of components, at most the number of columns and of rows.
        n_components: usize = 2, at_least(1.0);
        /// Whether columns and target are divided by their standard deviations.
        scale: bool = true;
    }
}

const CARD: Card = Card {
    id: "partial_least_squares",
    family: "linear",
    title: "Partial least squares",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Least squares on a few directions of the columns that move most with the target: between principal component regression, which ignores the target, and ordinary least squares.",
    formula: "per component, X and y centred and divided by their standard deviations (ddof 1): w = Xᵀy/|Xᵀy|, t = Xw, p = Xᵀt/tᵀt, q = yᵀt/tᵀt, X ← X - t pᵀ, y ← y - t q; weights = W (PᵀW)⁻¹ q, in the units of the table",
    data: "Any table of numbers; columns and target are standardised inside unless scale is false.",
    cost: "fit O(n p² + k p²) for k components, predict O(rows · p)",
    fails_when: "The signal lies in directions in which the columns hardly vary.",
    not_claimed: "That a component has a meaning of its own.",
    source: "H. Wold, Soft modelling by latent variables (1975); A. Höskuldsson, PLS regression methods, J. Chemometrics 2 (1988) 211-228",
    reference: "scikit-learn 1.9.1, PLSRegression",
    outputs: &[
        (
            "coefficients",
            "weights, one a column, target units per column unit",
        ),
        ("intercept", "b, target units"),
        (
            "x_weights",
            "one row w a component, its largest entry positive",
        ),
        ("x_loadings", "one row p a component"),
        ("y_loadings", "q, one a component"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1",
        cases: "pls-2-spx-reg, pls-5-spx-reg, pls-3-aapl-reg",
        tolerance: "predictions and coefficients 1e-6",
    }],
    presets: &[],
    exemptions: &[],
};

impl Supervised for PartialLeastSquares {
    type Params = PlsParams;
    type Fitted = Plane;
    const CARD: &'static Card = &CARD;

    fn fit(params: &PlsParams, data: &Training, _: u64) -> Result<Plane, FitError> {
        let (n, p) = data.x().dim();
        let k = params.n_components;
        if k > p.min(n) {
            return Err(FitError::Data(format!(
                "n_components {k}: {n} rows of {p} columns have at most {}",
                p.min(n)
            )));
        }
        let problem = Problem::new(data, true)?;
        let deviation = |v: &[f64]| {
            let s = (dot(v, v) / (n as f64 - 1.0)).sqrt();
            if params.scale && s > 0.0 { s } else { 1.0 }
        };
        let scaled = |v: &[f64], s: f64| v.iter().map(|v| v / s).collect::<Vec<f64>>();
        let scales: Vec<f64> = (0..p).map(|j| deviation(problem.column(j))).collect();
        let mut x: Vec<Vec<f64>> = (0..p)
            .map(|j| scaled(problem.column(j), scales[j]))
            .collect();
        let y_scale = deviation(problem.target());
        let mut y = scaled(problem.target(), y_scale);
        let spread = dot(&y, &y);
        let squares = |x: &[Vec<f64>]| x.iter().map(|c| dot(c, c)).sum::<f64>();
        let begun = squares(&x);

        let mut weights: Vec<Vec<f64>> = Vec::new();
        let mut loadings: Vec<Vec<f64>> = Vec::new();
        let mut shares = Vec::new();
        // Directions in the columns as they came: each is w freed from the earlier ones.
        let mut rotations: Vec<Vec<f64>> = Vec::new();
        for _ in 0..k {
            let mut w: Vec<f64> = x.iter().map(|c| dot(c, &y)).collect();
            let size = dot(&w, &w).sqrt();
            // Nothing is left to explain, or of the columns nothing but rounding that could.
            let done = dot(&y, &y) <= 1e-26 * spread || squares(&x) <= 1e-26 * begun;
            if size == 0.0 || done {
                break;
            }
            w.iter_mut().for_each(|v| *v /= size);
            let largest = w
                .iter()
                .fold(0.0, |m: f64, v| if v.abs() > m.abs() { *v } else { m });
            if largest < 0.0 {
                w.iter_mut().for_each(|v| *v = -*v);
            }
            let mut t = vec![0.0; y.len()];
            for (c, w) in x.iter().zip(&w) {
                add_scaled(&mut t, *w, c);
            }
            let tt = dot(&t, &t);
            if tt == 0.0 {
                break;
            }
            let p_k: Vec<f64> = x.iter().map(|c| dot(c, &t) / tt).collect();
            let q = dot(&y, &t) / tt;
            for (c, p) in x.iter_mut().zip(&p_k) {
                add_scaled(c, -p, &t);
            }
            add_scaled(&mut y, -q, &t);
            let mut r = w.clone();
            for (earlier, p_i) in rotations.iter().zip(&loadings) {
                let share = dot(p_i, &w);
                add_scaled(&mut r, -share, earlier);
            }
            rotations.push(r);
            weights.push(w);
            loadings.push(p_k);
            shares.push(q);
        }
        let mut coefficients = vec![0.0; p];
        for (r, q) in rotations.iter().zip(&shares) {
            add_scaled(&mut coefficients, q * y_scale, r);
        }
        for (c, s) in coefficients.iter_mut().zip(&scales) {
            *c /= s;
        }
        let matrix = |rows: &[Vec<f64>]| rows.iter().map(|r| run::numbers(r)).collect();
        let extra = Outputs::from_iter([
            ("x_weights".to_owned(), matrix(&weights)),
            ("x_loadings".to_owned(), matrix(&loadings)),
            ("y_loadings".to_owned(), run::numbers(&shares)),
        ]);
        Plane::new(coefficients, &problem, extra)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, table};
    use mltrainer_catalogue_core::Predictor as _;

    #[test]
    fn all_components_are_least_squares() {
        let rows: [&[f64]; 5] = [
            &[1.0, 2.0],
            &[2.0, 1.0],
            &[3.0, 5.0],
            &[4.0, 3.0],
            &[7.0, 4.0],
        ];
        let y: Vec<f64> = rows.iter().map(|r| 2.0 * r[0] - r[1] + 3.0).collect();
        let params = PlsParams {
            n_components: 2,
            scale: true,
        };
        let outputs = PartialLeastSquares::fit(&params, &table(&rows, &y), 0)
            .unwrap()
            .outputs();
        let weights: Vec<f64> = serde_json::from_value(outputs["coefficients"].clone()).unwrap();
        assert_near(&weights, &[2.0, -1.0], 1e-12);
        assert_near(&[outputs["intercept"].as_f64().unwrap()], &[3.0], 1e-12);
    }

    #[test]
    fn components_beyond_the_rank_add_nothing() {
        // The third column is the first less the second: two components are all there is, and the third leaves
        // the predictions where least squares has them: scikit-learn 1.9.1, LinearRegression. Its PLSRegression(3)
        // follows rounding there.
        let rows: Vec<Vec<f64>> = crate::testing::remainders()
            .into_iter()
            .map(|r| vec![r[0], r[1], r[0] - r[1]])
            .collect();
        let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let y: Vec<f64> = (0..24).map(|i| f64::from(i * 3 % 7)).collect();
        let data = table(&rows, &y);
        for scale in [true, false] {
            let params = PlsParams {
                n_components: 3,
                scale,
            };
            let fitted = PartialLeastSquares::fit(&params, &data, 0).unwrap();
            let got = fitted.predict(data.x().view()).unwrap().values;
            assert_near(
                &got[..3],
                &[2.9061693447672967, 3.185121971526101, 3.3013071351261343],
                1e-10,
            );
        }
    }
}
