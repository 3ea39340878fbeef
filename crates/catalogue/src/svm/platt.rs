//! Probabilities from the decision values of machines: Platt's sigmoid, and the shares of several labels
//! from the probabilities of their pairs.
//!
//! Source: J. C. Platt, Probabilistic outputs for support vector machines (1999); H.-T. Lin, C.-J. Lin,
//! R. C. Weng, A note on Platt's probabilistic outputs, Machine Learning 68 (2007); T.-F. Wu, C.-J. Lin,
//! R. C. Weng, Probability estimates for multi-class classification by pairwise coupling, JMLR 5 (2004).

use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// P(f) = 1/(1 + e^(a f + b)).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sigmoid {
    a: f64,
    b: f64,
}

/// Newton steps at most.
const STEPS: usize = 100;
/// It ends when both slopes are smaller.
const FLAT: f64 = 1e-5;
/// Added to the diagonal of the second derivatives, which may be singular.
const RIDGE: f64 = 1e-12;
/// A step is halved down to this.
const LEAST_STEP: f64 = 1e-10;
/// Share of the promised fall that a step must bring.
const ENOUGH: f64 = 1e-4;

impl Sigmoid {
    /// The most likely one for decision values and whether each row is of the label above 0. The rows of
    /// a side count as (n + 1)/(n + 2) and 1/(n + 2) instead of 1 and 0, so that sides that are apart do not
    /// drive it to a step. Newton's method with halved steps.
    pub(crate) fn fit(values: &[f64], above: &[bool]) -> Self {
        let high = above.iter().filter(|a| **a).count() as f64;
        let low = above.len() as f64 - high;
        let targets: Vec<f64> = above
            .iter()
            .map(|a| {
                if *a {
                    (high + 1.0) / (high + 2.0)
                } else {
                    1.0 / (low + 2.0)
                }
            })
            .collect();
        let pairs = || values.iter().zip(&targets);
        let loss = |s: Self| -> f64 {
            pairs()
                .map(|(f, t)| {
                    let z = s.a * f + s.b;
                    if z >= 0.0 {
                        t * z + (-z).exp().ln_1p()
                    } else {
                        (t - 1.0) * z + z.exp().ln_1p()
                    }
                })
                .sum()
        };
        let mut at = Self {
            a: 0.0,
            b: ((low + 1.0) / (high + 1.0)).ln(),
        };
        let mut now = loss(at);
        for _ in 0..STEPS {
            let (mut slope_a, mut slope_b) = (0.0, 0.0);
            let (mut aa, mut ab, mut bb) = (RIDGE, 0.0, RIDGE);
            for (f, t) in pairs() {
                let p = at.of(*f);
                let curve = p * (1.0 - p);
                aa += f * f * curve;
                ab += f * curve;
                bb += curve;
                slope_a += f * (t - p);
                slope_b += t - p;
            }
            if slope_a.abs() < FLAT && slope_b.abs() < FLAT {
                break;
            }
            let determinant = aa * bb - ab * ab;
            let step_a = -(bb * slope_a - ab * slope_b) / determinant;
            let step_b = -(aa * slope_b - ab * slope_a) / determinant;
            let promised = slope_a * step_a + slope_b * step_b;
            let mut size = 1.0;
            let better = loop {
                let next = Self {
                    a: at.a + size * step_a,
                    b: at.b + size * step_b,
                };
                let then = loss(next);
                if then < now + ENOUGH * size * promised {
                    break Some((next, then));
                }
                size /= 2.0;
                if size < LEAST_STEP {
                    break None;
                }
            };
            let Some((next, then)) = better else { break };
            (at, now) = (next, then);
        }
        at
    }

    /// Probability of the label above 0.
    pub(crate) fn of(self, f: f64) -> f64 {
        let z = self.a * f + self.b;
        if z >= 0.0 {
            (-z).exp() / (1.0 + (-z).exp())
        } else {
            1.0 / (1.0 + z.exp())
        }
    }
}

/// Shares of K labels from `r`, where r[i, j] is the probability of label i among rows of i and j: those
/// for which Σ (r[j, i] pᵢ - r[i, j] pⱼ)² is least, near enough.
pub(crate) fn coupled(r: &Array2<f64>) -> Vec<f64> {
    let k = r.nrows();
    let q = Array2::from_shape_fn((k, k), |(t, j)| {
        if t == j {
            (0..k)
                .filter(|j| *j != t)
                .map(|j| r[[j, t]] * r[[j, t]])
                .sum::<f64>()
        } else {
            -r[[j, t]] * r[[t, j]]
        }
    });
    let mut p = vec![1.0 / k as f64; k];
    // The sweeps and the end of LIBSVM.
    let near = 0.005 / k as f64;
    for _ in 0..k.max(100) {
        let mut qp: Vec<f64> = q
            .rows()
            .into_iter()
            .map(|row| row.iter().zip(&p).map(|(q, p)| q * p).sum())
            .collect();
        let mut pqp: f64 = p.iter().zip(&qp).map(|(p, qp)| p * qp).sum();
        if qp.iter().all(|qp| (qp - pqp).abs() < near) {
            break;
        }
        for t in 0..k {
            let gap = (pqp - qp[t]) / q[[t, t]];
            p[t] += gap;
            let scale = 1.0 + gap;
            pqp = (pqp + gap * (gap * q[[t, t]] + 2.0 * qp[t])) / scale / scale;
            for j in 0..k {
                qp[j] = (qp[j] + gap * q[[t, j]]) / scale;
                p[j] /= scale;
            }
        }
    }
    p
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;

    #[test]
    fn the_most_likely_sigmoid() {
        // scipy 1.17, minimize (BFGS, then Nelder-Mead to 1e-15) of the same loss.
        let values = [
            -2.1, -1.4, -0.9, -0.3, 0.2, -0.1, 0.4, 0.8, 1.1, 1.7, 2.4, -0.6,
        ];
        let above = [0, 0, 0, 1, 0, 0, 1, 1, 0, 1, 1, 1].map(|a| a == 1);
        let found = Sigmoid::fit(&values, &above);
        let want = [-0.7154474597344713, 0.06678051292247675];
        assert_near(&[found.a, found.b], &want, 1e-5);
    }

    #[test]
    fn pairs_give_the_shares_of_three_labels() {
        // scikit-learn 1.9.1, SVC(probability=True): probA_, probB_, three rows of the decision_function
        // (ovo), above 0 for the smaller label, and of predict_proba.
        let pairs = [(0, 1), (0, 2), (1, 2)];
        let a = [-2.8752109915772754, -2.3404209591531253, -2.670349481584658];
        let b = [
            0.48886174454418807,
            -0.11395715727709539,
            0.08346556406990749,
        ];
        let decision = [
            [0.7125887473086362, 0.8093278441877941, -0.08962987083858942],
            [0.749765300663833, -0.8150850926506754, -1.1147130248681407],
            [-1.165063278510859, -0.8081692127912334, 0.757828422847314],
        ];
        let want = [
            [0.7464975768527405, 0.13567811783189365, 0.11782430531536575],
            [
                0.13915516802158784,
                0.032436226984751244,
                0.8284086049936609,
            ],
            [
                0.018807277633165444,
                0.8582068697924614,
                0.12298585257437304,
            ],
        ];
        for (decision, want) in decision.iter().zip(want) {
            let mut r = Array2::zeros((3, 3));
            for (at, (i, j)) in pairs.into_iter().enumerate() {
                let smaller = Sigmoid { a: a[at], b: b[at] }.of(decision[at]);
                r[[i, j]] = smaller;
                r[[j, i]] = 1.0 - smaller;
            }
            assert_near(&coupled(&r), &want, 1e-9);
        }
    }
}
