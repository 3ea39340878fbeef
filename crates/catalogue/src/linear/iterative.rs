//! Iterative methods for |y - Xw|² + alpha |w|²: conjugate gradients, LSQR, stochastic average gradients.
//!
//! The first two see the table through XᵀX, Xᵀy and |y| only, so that the reduced problem takes them
//! through the same steps as the whole table would.

use super::engine::Problem;
use crate::numeric::{add_scaled, dot, flat};
use ndarray::{Array2, ArrayView1};
use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Where a method stopped.
pub(super) struct Reached {
    pub(super) weights: Vec<f64>,
    pub(super) steps: usize,
    pub(super) converged: bool,
}

fn length(v: &[f64]) -> f64 {
    dot(v, v).sqrt()
}

fn scaled(v: &[f64], by: f64) -> Vec<f64> {
    v.iter().map(|v| by * v).collect()
}

impl Problem {
    /// X w.
    fn along(&self, w: &[f64]) -> Vec<f64> {
        self.a.dot(&ArrayView1::from(w)).to_vec()
    }

    /// Xᵀ u.
    fn across(&self, u: &[f64]) -> Vec<f64> {
        (0..self.a.ncols())
            .map(|j| dot(self.column(j), u))
            .collect()
    }

    /// Conjugate gradients (Hestenes & Stiefel, J. Res. Nat. Bur. Stand. 49, 1952) for
    /// (XᵀX + alpha I) w = Xᵀy, from 0 until the residual is below `tol` times the right side. A table with
    /// more columns than rows takes (X Xᵀ + alpha I) u = y and w = Xᵀu, ten times as many steps as it has
    /// rows at most, whatever `max_iter` says, as scikit-learn does.
    pub(super) fn conjugate_gradients(
        &self,
        alpha: f64,
        tol: f64,
        max_iter: Option<usize>,
    ) -> Reached {
        let wide = self.a.ncols() > self.rows;
        let right = if wide {
            self.target().to_vec()
        } else {
            self.across(self.target())
        };
        let times = |v: &[f64]| {
            let mut product = if wide {
                self.along(&self.across(v))
            } else {
                self.across(&self.along(v))
            };
            add_scaled(&mut product, alpha, v);
            product
        };
        let most = 10 * right.len();
        let most = if wide { most } else { max_iter.unwrap_or(most) };
        let enough = tol * length(&right);
        let mut x = vec![0.0; right.len()];
        let mut rest = right;
        let mut direction = rest.clone();
        let mut square = dot(&rest, &rest);
        let (mut steps, mut converged) = (0, square == 0.0);
        while !converged && steps < most {
            let product = times(&direction);
            let curve = dot(&direction, &product);
            if curve <= 0.0 {
                // Nothing is left to move along.
                break;
            }
            let share = square / curve;
            add_scaled(&mut x, share, &direction);
            add_scaled(&mut rest, -share, &product);
            steps += 1;
            let next = dot(&rest, &rest);
            converged = next.sqrt() < enough || next == 0.0;
            let keep = next / square;
            square = next;
            for (d, r) in direction.iter_mut().zip(&rest) {
                *d = r + keep * *d;
            }
        }
        Reached {
            weights: if wide { self.across(&x) } else { x },
            steps,
            converged,
        }
    }

    /// LSQR (Paige & Saunders, ACM Trans. Math. Softw. 8, 1982) damped by √alpha, from 0, with `tol` for
    /// both of its tolerances; two steps a column at most unless `max_iter` says otherwise.
    pub(super) fn lsqr(&self, alpha: f64, tol: f64, max_iter: Option<usize>) -> Reached {
        let p = self.a.ncols();
        let most = max_iter.unwrap_or(2 * p);
        let damp = alpha.sqrt();
        let size = length(self.target());
        let mut x = vec![0.0; p];
        let reached = |weights, steps, converged| Reached {
            weights,
            steps,
            converged,
        };
        if size == 0.0 {
            return reached(x, 0, true);
        }
        let mut u = scaled(self.target(), 1.0 / size);
        let mut beta = size;
        let mut v = self.across(&u);
        let mut alfa = length(&v);
        if alfa * beta == 0.0 {
            return reached(x, 0, true);
        }
        v = scaled(&v, 1.0 / alfa);
        let mut w = v.clone();
        let (mut rho_bar, mut phi_bar) = (alfa, beta);
        // Running estimates: norm of the damped table, of its inverse squared, of the damping part of the
        // residual squared, of x squared.
        let (mut table, mut inverse, mut damped, mut xx) = (0.0_f64, 0.0, 0.0, 0.0);
        let (mut z, mut cosine, mut sine) = (0.0, -1.0, 0.0);
        for step in 1..=most {
            let mut next = self.along(&v);
            add_scaled(&mut next, -alfa, &u);
            u = next;
            beta = length(&u);
            if beta > 0.0 {
                u = scaled(&u, 1.0 / beta);
                table = (table * table + alfa * alfa + beta * beta + alpha).sqrt();
                let mut next = self.across(&u);
                add_scaled(&mut next, -beta, &v);
                v = next;
                alfa = length(&v);
                if alfa > 0.0 {
                    v = scaled(&v, 1.0 / alfa);
                }
            }
            // Rotate the damping away, then what lies below the diagonal.
            let full = rho_bar.hypot(damp);
            let psi = damp / full * phi_bar;
            if damp > 0.0 {
                phi_bar *= rho_bar / full;
            }
            let lead = if damp > 0.0 { full } else { rho_bar };
            let rho = lead.hypot(beta);
            let (c, s) = (lead / rho, beta / rho);
            let theta = s * alfa;
            rho_bar = -c * alfa;
            let phi = c * phi_bar;
            phi_bar *= s;
            let tau = s * phi;
            add_scaled(&mut x, phi / rho, &w);
            inverse += dot(&w, &w) / (rho * rho);
            w.iter_mut()
                .zip(&v)
                .for_each(|(w, v)| *w = v - theta / rho * *w);
            // Rotate on the right for the length of x.
            let delta = sine * rho;
            let gamma_bar = -cosine * rho;
            let right = phi - delta * z;
            let x_size = (xx + (right / gamma_bar).powi(2)).sqrt();
            let gamma = gamma_bar.hypot(theta);
            (cosine, sine) = (gamma_bar / gamma, theta / gamma);
            z = right / gamma;
            xx += z * z;
            damped += psi * psi;
            let rest = (phi_bar * phi_bar + damped).sqrt();
            let fits = rest / size;
            let flat = alfa * tau.abs() / (table * rest + f64::EPSILON);
            let condition = 1.0 / (table * inverse.sqrt() + f64::EPSILON);
            let exact = fits / (1.0 + table * x_size / size);
            let rounding = 1.0 + condition <= 1.0 || 1.0 + flat <= 1.0 || 1.0 + exact <= 1.0;
            let good = flat <= tol || fits <= tol + tol * table * x_size / size;
            // Beyond a condition of 1e8 further steps add noise.
            if rounding || good || condition <= 1e-8 {
                return reached(x, step, true);
            }
        }
        reached(x, most, false)
    }
}

/// What [`average_gradients`] is asked for.
pub(super) struct Averaging {
    pub(super) alpha: f64,
    pub(super) tol: f64,
    pub(super) max_iter: usize,
    /// Whether the steps are free of bias (Defazio, Bach & Lacoste-Julien, SAGA, 2014).
    pub(super) unbiased: bool,
    pub(super) seed: u64,
}

/// Stochastic average gradients (Schmidt, Le Roux & Bach, Mathematical Programming 162, 2017) for centred
/// rows x columns, in as many draws a pass as there are rows, until no weight changes by more than `tol`
/// of the largest one in a pass.
pub(super) fn average_gradients(
    x: &Array2<f64>,
    y: &[f64],
    row_weights: Option<&[f64]>,
    how: &Averaging,
) -> Reached {
    let (n, p) = x.dim();
    let x = x.as_standard_layout();
    let flat = flat(x.view());
    let row = |i: usize| &flat[i * p..][..p];
    let alpha = how.alpha / n as f64;
    let longest = (0..n).map(|i| dot(row(i), row(i))).fold(0.0, f64::max);
    let curve = longest + alpha;
    let mut reached = Reached {
        weights: vec![0.0; p],
        steps: 0,
        converged: curve == 0.0,
    };
    let rate = if how.unbiased {
        1.0 / (2.0 * curve + (2.0 * n as f64 * alpha).min(curve))
    } else {
        1.0 / curve
    };
    let mut random = Xoshiro256PlusPlus::seed_from_u64(how.seed);
    let (mut memory, mut seen, mut count) = (vec![0.0; n], vec![false; n], 0.0);
    let mut sum = vec![0.0; p];
    while !reached.converged && reached.steps < how.max_iter {
        reached.steps += 1;
        let before = reached.weights.clone();
        let w = &mut reached.weights;
        for _ in 0..n {
            let i = random.gen_range(0..n);
            if !seen[i] {
                seen[i] = true;
                count += 1.0;
            }
            let own = row(i);
            let slope = (dot(own, w) - y[i]) * row_weights.map_or(1.0, |w| w[i]);
            let change = slope - memory[i];
            memory[i] = slope;
            add_scaled(&mut sum, change, own);
            if how.unbiased {
                add_scaled(w, -change * rate * (1.0 - 1.0 / count), own);
            }
            let (keep, by) = (1.0 - rate * alpha, rate / count);
            for (w, s) in w.iter_mut().zip(&sum) {
                *w = keep * *w - by * s;
            }
        }
        let size = w.iter().fold(0.0, |m: f64, w| m.max(w.abs()));
        let moved = w.iter().zip(&before).map(|(a, b)| (a - b).abs());
        reached.converged = moved.fold(0.0, f64::max) <= how.tol * size;
    }
    reached
}
