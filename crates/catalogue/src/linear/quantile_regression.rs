//! Quantile regression.
//!
//! What: a plane with a given share of the targets below it.
//! Formula: min over w, b of Σ sᵢ ρ(yᵢ - xᵢ·w - b)/Σ sᵢ + alpha |w|₁; ρ(r) = q r above 0, (q - 1) r below.
//! Data: any table of numbers; the penalty sees the units of the columns.
//! Cost: fit O(steps (n p² + p³)), predict O(rows p).
//! Fails when: the quantile is far out for the number of rows.
//! Source: Koenker & Bassett, Econometrica 46 (1978); Portnoy & Koenker, Statistical Science 12 (1997).
//! Not claimed: planes of different quantiles that do not cross.

use super::engine::{Plane, Problem, Standardised};
use crate::numeric::{add_scaled, dot, flat, lifted};
use mltrainer_catalogue_core::card::{Evidence, Preset};
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Supervised, Training, params,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, Axis};

/// The handle.
pub struct QuantileRegression;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<QuantileRegression>();

params! {
    /// Parameters of quantile regression.
    pub struct QuantileParams {
        /// Share of the targets that should lie below the plane.
        quantile: f64 = 0.5, inside(0.0, 1.0);
        /// Strength of the penalty on the absolute weights.
        alpha: f64 = 1.0, at_least(0.0);
        /// Whether an intercept is fitted; it is not penalised.
        fit_intercept: bool = true;
    }
}

const CARD: Card = Card {
    id: "quantile_regression",
    family: "linear",
    title: "Quantile regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "A plane with a given share of the targets below it: 0.5 is the median, 0.1 and 0.9 make an interval. A penalty sets weights to zero.",
    formula: "min over w, b of Σᵢ sᵢ ρ(yᵢ - xᵢ·w - b)/Σ sᵢ + alpha |w|₁, ρ(r) = quantile · r for r ≥ 0, (quantile - 1) · r below, sᵢ the row weights",
    data: "Any table of numbers. With alpha above 0 columns of like scale: the penalty sees their units.",
    cost: "fit O(steps · (n p² + p³)), some 20 steps; predict O(rows · p)",
    fails_when: "The quantile is far out for the number of rows (fewer than a handful lie beyond the plane).",
    not_claimed: "That the planes of different quantiles do not cross.",
    source: "R. Koenker, G. Bassett, Regression quantiles, Econometrica 46 (1978) 33-50; S. Portnoy, R. Koenker, The Gaussian hare and the Laplacian tortoise, Stat. Sci. 12 (1997) 279-300",
    reference: "scikit-learn 1.9.1, QuantileRegressor",
    outputs: &[
        (
            "coefficients",
            "weights, one a column, target units per column unit",
        ),
        ("intercept", "b, target units; 0 without an intercept"),
        ("objective", "the minimum found"),
        ("n_nonzero", "number of weights that are not zero"),
        ("n_iter", "interior point steps taken"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, solver highs",
        cases: "quantile-0.5-0-spx-std, quantile-0.9-0-spx-std, quantile-0.1-0.01-aapl-std",
        tolerance: "predictions 1e-4 + 1e-3 absolute, objective not above the reference's",
    }],
    presets: &[
        Preset {
            id: "quantile_regression_q0_1",
            title: "Quantile regression, quantile 0.1",
            set: &[("quantile", "0.1")],
        },
        Preset {
            id: "quantile_regression_q0_5",
            title: "Quantile regression, quantile 0.5",
            set: &[("quantile", "0.5")],
        },
        Preset {
            id: "quantile_regression_q0_9",
            title: "Quantile regression, quantile 0.9",
            set: &[("quantile", "0.9")],
        },
    ],
    exemptions: &[],
};

impl Supervised for QuantileRegression {
    type Params = QuantileParams;
    type Fitted = Plane;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn fit(params: &QuantileParams, data: &Training, _: u64) -> Result<Plane, FitError> {
        let mut table = Standardised::new(data, params.fit_intercept)?;
        // Of dependent columns the later ones get weight 0: without a penalty any answer will do.
        if params.alpha == 0.0 {
            drop_dependent(&mut table.x, data.design().columns());
        }
        let n = data.y().len();
        let ones = vec![1.0; n];
        let rows = data.weights().unwrap_or(&ones);
        let total: f64 = rows.iter().sum();
        let spread = data.y().iter().fold(0.0, |m: f64, y| m.max(y.abs()));
        let spread = if spread > 0.0 { spread } else { 1.0 };
        let mut losses = Losses {
            x: table.x.clone(),
            y: data.y().iter().map(|y| y / spread).collect(),
            above: rows.iter().map(|w| w * params.quantile / total).collect(),
            below: rows
                .iter()
                .map(|w| w * (1.0 - params.quantile) / total)
                .collect(),
        };
        // |w| is the loss of one more row with target 0, whose slopes are the penalty's.
        if params.alpha > 0.0 {
            let penalties: Vec<f64> = table
                .units
                .scales
                .iter()
                .map(|s| params.alpha / s)
                .collect();
            losses.penalise(&penalties);
        }
        // Rows that do not count, and penalties that underflow, bound nothing.
        losses.drop_weightless();
        let (theta, n_iter) = losses.minimise()?;
        let theta: Vec<f64> = theta.iter().map(|t| t * spread).collect();
        let (weights, intercept) = table.units.undo(&theta);
        let loss: f64 = data
            .x()
            .rows()
            .into_iter()
            .zip(data.y())
            .zip(rows)
            .map(|((x, y), w)| {
                let r = y - intercept - super::engine::dot(x, &weights);
                w * r * (params.quantile - f64::from(u8::from(r < 0.0)))
            })
            .sum();
        let objective = loss / total + params.alpha * weights.iter().map(|w| w.abs()).sum::<f64>();
        let extra = Outputs::from_iter([
            ("objective".to_owned(), objective.into()),
            (
                "n_nonzero".to_owned(),
                weights.iter().filter(|w| **w != 0.0).count().into(),
            ),
            ("n_iter".to_owned(), n_iter.into()),
        ]);
        Plane::at(weights, intercept, extra)
    }
}

/// Sets columns to 0 that depend on earlier ones (modified Gram-Schmidt).
fn drop_dependent(x: &mut Array2<f64>, columns: usize) {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    // The column of ones, if there is one, is the last and must stay.
    let order = (columns..x.ncols()).chain(0..columns);
    for j in order {
        let own = x.column(j).to_vec();
        let size = dot(&own, &own).sqrt();
        let mut rest = own;
        for _ in 0..2 {
            for b in &basis {
                let share = dot(&rest, b);
                add_scaled(&mut rest, -share, b);
            }
        }
        let left = dot(&rest, &rest).sqrt();
        if left <= 1e-10 * size || basis.len() == x.nrows() {
            x.column_mut(j).fill(0.0);
        } else {
            rest.iter_mut().for_each(|v| *v /= left);
            basis.push(rest);
        }
    }
}

/// Rows with piecewise linear losses: `above[i]` per unit that the target is above the plane,
/// `below[i]` per unit below.
struct Losses {
    x: Array2<f64>,
    y: Vec<f64>,
    above: Vec<f64>,
    below: Vec<f64>,
}

impl Losses {
    fn penalise(&mut self, penalties: &[f64]) {
        let (n, width) = self.x.dim();
        let mut x = Array2::zeros((n + penalties.len(), width));
        for (mut to, from) in x.rows_mut().into_iter().zip(self.x.rows()) {
            to.assign(&from);
        }
        for (j, penalty) in penalties.iter().enumerate() {
            x[[n + j, j]] = 1.0;
            self.y.push(0.0);
            self.above.push(*penalty);
            self.below.push(*penalty);
        }
        self.x = x;
    }

    fn drop_weightless(&mut self) {
        let keep: Vec<usize> = (0..self.y.len())
            .filter(|i| self.above[*i] + self.below[*i] > 0.0)
            .collect();
        if keep.len() < self.y.len() {
            let pick = |v: &[f64]| keep.iter().map(|i| v[*i]).collect();
            (self.y, self.above, self.below) =
                (pick(&self.y), pick(&self.above), pick(&self.below));
            self.x = self.x.select(Axis(0), &keep);
        }
    }

    fn row(&self, i: usize) -> &[f64] {
        let width = self.x.ncols();
        &flat(self.x.view())[i * width..][..width]
    }

    fn value(&self, theta: &[f64]) -> f64 {
        (0..self.y.len())
            .map(|i| {
                let r = self.y[i] - dot(self.row(i), theta);
                if r >= 0.0 {
                    self.above[i] * r
                } else {
                    -self.below[i] * r
                }
            })
            .sum()
    }

    /// The minimum and the steps taken: primal-dual interior points with Mehrotra's correction on
    /// the dual (Portnoy & Koenker, 1997), then the vertex next to where they end.
    fn minimise(&self) -> Result<(Vec<f64>, usize), FitError> {
        let (n, d) = self.x.dim();
        // Dual: max y·a over Xᵀa = 0, -below ≤ a ≤ above. With u = above - a in [0, box]:
        // min y·u over Xᵀu = Xᵀabove, whose multipliers are the weights; u = above is feasible
        // inside the box when both losses are above 0. Scaled so that the boxes are of size 1.
        let size = self
            .above
            .iter()
            .chain(&self.below)
            .fold(0.0, |m: f64, v| m.max(*v));
        let bound: Vec<f64> = (0..n)
            .map(|i| (self.above[i] + self.below[i]) / size)
            .collect();
        let mut u: Vec<f64> = (0..n)
            .map(|i| (self.above[i] / size).clamp(1e-3 * bound[i], 0.999 * bound[i]))
            .collect();
        let mut s: Vec<f64> = u.iter().zip(&bound).map(|(u, b)| b - u).collect();
        let target: Vec<f64> = {
            let mut t = vec![0.0; d];
            for i in 0..n {
                add_scaled(&mut t, self.above[i] / size, self.row(i));
            }
            t
        };
        let mut theta = self.weighted(&vec![1.0; n], &self.y)?;
        let slack = |theta: &[f64]| -> Vec<f64> {
            (0..n)
                .map(|i| self.y[i] - dot(self.row(i), theta))
                .collect()
        };
        let gaps = slack(&theta);
        let typical = gaps.iter().map(|g| g.abs()).sum::<f64>() / n as f64;
        let floor = (0.1 * typical).max(1e-6);
        // y = Xθ + z - w with z, w > 0.
        let mut z: Vec<f64> = gaps.iter().map(|g| g.max(0.0) + floor).collect();
        let mut w: Vec<f64> = z.iter().zip(&gaps).map(|(z, g)| z - g).collect();
        let mut best = (theta.clone(), self.value(&theta));
        let mut n_iter = 0;
        while n_iter < 200 {
            let gap = dot(&z, &u) + dot(&w, &s);
            let here = self.value(&theta);
            if here < best.1 {
                best = (theta.clone(), here);
            }
            if gap * size <= 1e-12 * (best.1 + 1e-3 * size) {
                break;
            }
            n_iter += 1;
            let q: Vec<f64> = (0..n).map(|i| 1.0 / (z[i] / u[i] + w[i] / s[i])).collect();
            let factor = self.normal(&q)?;
            let miss: Vec<f64> = {
                // What Xᵀu lacks; rounding only, after the first steps.
                let mut t = target.clone();
                for (i, u) in u.iter().enumerate() {
                    add_scaled(&mut t, -u, self.row(i));
                }
                t
            };
            let direction = |r: &[f64]| -> (Vec<f64>, Vec<f64>) {
                // du = q (X dθ - r), Xᵀ du = miss.
                let mut dtheta = miss.clone();
                for i in 0..n {
                    add_scaled(&mut dtheta, q[i] * r[i], self.row(i));
                }
                factor.solve(&mut dtheta);
                let du = (0..n)
                    .map(|i| q[i] * (dot(self.row(i), &dtheta) - r[i]))
                    .collect();
                (dtheta, du)
            };
            // z - w = y - Xθ holds throughout, so that the affine residual is z - w.
            let r: Vec<f64> = (0..n).map(|i| z[i] - w[i]).collect();
            let (mut dtheta, mut du) = direction(&r);
            let mut dz: Vec<f64> = (0..n).map(|i| -z[i] * (1.0 + du[i] / u[i])).collect();
            let mut dw: Vec<f64> = (0..n).map(|i| -w[i] * (1.0 - du[i] / s[i])).collect();
            let (fp, fd) = lengths(&u, &s, &z, &w, &du, &dz, &dw);
            if fp.min(fd) < 1.0 {
                let after: f64 = (0..n)
                    .map(|i| {
                        (z[i] + fd * dz[i]) * (u[i] + fp * du[i])
                            + (w[i] + fd * dw[i]) * (s[i] - fp * du[i])
                    })
                    .sum();
                let mu = gap * (after / gap).powi(3) / (2 * n) as f64;
                let corrected: Vec<f64> = (0..n)
                    .map(|i| {
                        r[i] - mu * (1.0 / u[i] - 1.0 / s[i])
                            + du[i] * dz[i] / u[i]
                            + du[i] * dw[i] / s[i]
                    })
                    .collect();
                let first = du.clone();
                (dtheta, du) = direction(&corrected);
                for i in 0..n {
                    let (cz, cw) = (first[i] * dz[i], -first[i] * dw[i]);
                    dz[i] = (mu - cz - z[i] * du[i]) / u[i] - z[i];
                    dw[i] = (mu - cw + w[i] * du[i]) / s[i] - w[i];
                }
            }
            let (fp, fd) = lengths(&u, &s, &z, &w, &du, &dz, &dw);
            for i in 0..n {
                u[i] += fp * du[i];
                s[i] -= fp * du[i];
                z[i] += fd * dz[i];
                w[i] += fd * dw[i];
            }
            add_scaled(&mut theta, fd, &dtheta);
            if theta.iter().any(|t| !t.is_finite()) {
                break;
            }
        }
        if let Some(vertex) = self.vertex(&best.0)
            && self.value(&vertex) <= best.1 * (1.0 + 1e-9) + 1e-12 * size
        {
            best.0 = vertex;
        } else if n_iter == 200 {
            return Err(FitError::Failed(
                "quantile regression did not converge in 200 interior point steps: rescale the columns".into(),
            ));
        }
        Ok((best.0, n_iter))
    }

    fn normal(&self, q: &[f64]) -> Result<crate::numeric::Cholesky, FitError> {
        let mut scaled = self.x.clone();
        for (mut row, q) in scaled.rows_mut().into_iter().zip(q) {
            row *= *q;
        }
        let mut a = scaled.t().dot(&self.x);
        // A column of zeros has weight 0.
        let largest = a.diag().iter().copied().fold(0.0, f64::max);
        for j in 0..a.nrows() {
            if a[[j, j]] <= 1e-30 * largest {
                a[[j, j]] = largest.max(1.0);
            }
        }
        lifted(&a, "quantile regression")
    }

    /// Weighted least squares.
    fn weighted(&self, q: &[f64], y: &[f64]) -> Result<Vec<f64>, FitError> {
        let mut theta = vec![0.0; self.x.ncols()];
        for i in 0..y.len() {
            add_scaled(&mut theta, q[i] * y[i], self.row(i));
        }
        self.normal(q)?.solve(&mut theta);
        Ok(theta)
    }

    /// The plane that meets as many rows as there are weights, those that are nearest to one: a
    /// linear programme has its optimum at such a point.
    fn vertex(&self, theta: &[f64]) -> Option<Vec<f64>> {
        let d = self.x.ncols();
        let live: Vec<usize> = (0..d)
            .filter(|j| self.x.column(*j).iter().any(|v| *v != 0.0))
            .collect();
        let mut order: Vec<usize> = (0..self.y.len()).collect();
        let gap = |i: usize| (self.y[i] - dot(self.row(i), theta)).abs();
        let gaps: Vec<f64> = (0..self.y.len()).map(gap).collect();
        order.sort_by(|a, b| gaps[*a].total_cmp(&gaps[*b]));
        let (mut basis, mut chosen): (Vec<Vec<f64>>, Vec<usize>) = (Vec::new(), Vec::new());
        for i in order.into_iter().take(20 * d + 100) {
            if chosen.len() == live.len() {
                break;
            }
            let own: Vec<f64> = live.iter().map(|j| self.x[[i, *j]]).collect();
            let size = dot(&own, &own).sqrt();
            let mut rest = own;
            for _ in 0..2 {
                for b in &basis {
                    let share = dot(&rest, b);
                    add_scaled(&mut rest, -share, b);
                }
            }
            let left = dot(&rest, &rest).sqrt();
            if left > 1e-8 * size {
                rest.iter_mut().for_each(|v| *v /= left);
                basis.push(rest);
                chosen.push(i);
            }
        }
        if chosen.len() < live.len() {
            return None;
        }
        let a = self.x.select(Axis(0), &chosen).select(Axis(1), &live);
        let b: Vec<f64> = chosen.iter().map(|i| self.y[*i]).collect();
        let found = Problem::of(a.view(), &b, None, false)
            .ok()?
            .ridge(0.0)
            .ok()?
            .0;
        let mut vertex = vec![0.0; d];
        for (j, w) in live.into_iter().zip(found) {
            vertex[j] = w;
        }
        // Exactly zero where a penalty holds the weight.
        for &i in &chosen {
            let mut entries = self.row(i).iter().enumerate().filter(|(_, v)| **v != 0.0);
            if let (Some((j, _)), None, true) = (entries.next(), entries.next(), self.y[i] == 0.0) {
                vertex[j] = 0.0;
            }
        }
        Some(vertex)
    }
}

/// How far the primal and the dual may go, at most all the way.
fn lengths(
    u: &[f64],
    s: &[f64],
    z: &[f64],
    w: &[f64],
    du: &[f64],
    dz: &[f64],
    dw: &[f64],
) -> (f64, f64) {
    let (mut primal, mut dual) = (f64::INFINITY, f64::INFINITY);
    for i in 0..u.len() {
        if du[i] < 0.0 {
            primal = primal.min(-u[i] / du[i]);
        } else if du[i] > 0.0 {
            primal = primal.min(s[i] / du[i]);
        }
        if dz[i] < 0.0 {
            dual = dual.min(-z[i] / dz[i]);
        }
        if dw[i] < 0.0 {
            dual = dual.min(-w[i] / dw[i]);
        }
    }
    ((0.9995 * primal).min(1.0), (0.9995 * dual).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, table};
    use mltrainer_catalogue_core::{Params as _, Predictor as _};

    fn fit(x: &[f64], y: &[f64], given: serde_json::Value) -> Outputs {
        let rows: Vec<[f64; 1]> = x.iter().map(|x| [*x]).collect();
        let rows: Vec<&[f64]> = rows.iter().map(|r| r.as_slice()).collect();
        let params = QuantileParams::from_map(given.as_object().unwrap()).unwrap();
        let data = table(&rows, y);
        QuantileRegression::fit(&params, &data, 0)
            .unwrap()
            .outputs()
    }

    #[test]
    fn quantiles_of_numbers() {
        // A constant column: the intercept is the quantile. Of 1..9 the median is 5, and 0.25 lies
        // on the third value (2.25 rows below).
        let y: Vec<f64> = (1..=9).map(f64::from).collect();
        for (quantile, want) in [(0.5, 5.0), (0.25, 3.0), (0.95, 9.0)] {
            let given = serde_json::json!({"quantile": quantile, "alpha": 0});
            let outputs = fit(&[2.0; 9], &y, given);
            assert_near(&[outputs["intercept"].as_f64().unwrap()], &[want], 1e-9);
        }
    }

    #[test]
    fn a_line_through_most_rows_and_a_strong_penalty() {
        let x: Vec<f64> = (0..8).map(f64::from).collect();
        let mut y: Vec<f64> = x.iter().map(|x| 2.0 * x - 3.0).collect();
        y[5] = 100.0;
        let outputs = fit(&x, &y, serde_json::json!({"alpha": 0}));
        let found = [
            outputs["intercept"].as_f64().unwrap(),
            outputs["coefficients"][0].as_f64().unwrap(),
        ];
        assert_near(&found, &[-3.0, 2.0], 1e-9);
        // Mean loss 93.0/2/8.
        assert_near(
            &[outputs["objective"].as_f64().unwrap()],
            &[93.0 / 16.0],
            1e-9,
        );
        let outputs = fit(&x, &y, serde_json::json!({"alpha": 50}));
        assert_eq!(outputs["coefficients"][0], 0.0);
    }
}
