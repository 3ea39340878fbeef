//! Kalman filter and smoother of a linear model of one series with constant matrices and an exact diffuse
//! start (Durbin & Koopman, Time Series Analysis by State Space Methods, 2nd ed., chapter 5): for structural
//! models.
//!
//! y(t) = Z a(t) + e(t), a(t+1) = T a(t) + n(t), var e = h, var n diagonal. Entries of the first state are
//! diffuse: nothing is known of them before the first row.

/// The matrices.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    /// Z.
    pub(crate) observe: Vec<f64>,
    /// Entries of T that are not 0: row, column, value.
    pub(crate) transition: Vec<(usize, usize, f64)>,
    /// Diagonal of the variance of n.
    pub(crate) noise: Vec<f64>,
    /// h.
    pub(crate) observation: f64,
}

/// Below this share a diffuse variance is rounding.
const NONE: f64 = 1e-9;

/// What one row leaves behind, for the smoother.
struct Row {
    state: Vec<f64>,
    covariance: Vec<f64>,
    diffuse: Option<Vec<f64>>,
    /// P Z', and its diffuse part.
    gain: Vec<f64>,
    diffuse_gain: Vec<f64>,
    innovation: f64,
    variance: f64,
    /// Diffuse variance of the innovation; 0 from where it is known.
    diffuse_variance: f64,
}

/// What the filter found.
pub(crate) struct Filtered {
    /// Innovations, one a row.
    pub(crate) innovations: Vec<Vec<f64>>,
    /// Their variances.
    pub(crate) variance: Vec<f64>,
    /// Which rows only settle diffuse entries and have no density.
    pub(crate) settling: Vec<bool>,
    /// State after each row has been seen, of the first series.
    pub(crate) filtered: Vec<Vec<f64>>,
    /// Variance of each entry of that.
    pub(crate) filtered_variance: Vec<Vec<f64>>,
    /// State and covariance for the row to come.
    pub(crate) state: Vec<f64>,
    pub(crate) covariance: Vec<f64>,
    rows: Vec<Row>,
}

impl Model {
    fn size(&self) -> usize {
        self.observe.len()
    }

    fn moved(&self, a: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; a.len()];
        for (i, j, v) in &self.transition {
            out[*i] += v * a[*j];
        }
        out
    }

    /// T' a.
    fn back(&self, a: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; a.len()];
        for (i, j, v) in &self.transition {
            out[*j] += v * a[*i];
        }
        out
    }

    /// T P T' into `out`; `half` is room for T P.
    fn carried(&self, p: &[f64], half: &mut [f64], out: &mut [f64]) {
        let k = self.size();
        half.fill(0.0);
        out.fill(0.0);
        for (i, j, v) in &self.transition {
            let (to, from) = (&mut half[i * k..(i + 1) * k], &p[j * k..(j + 1) * k]);
            for (to, from) in to.iter_mut().zip(from) {
                *to += v * from;
            }
        }
        for (to, from) in out.chunks_exact_mut(k).zip(half.chunks_exact(k)) {
            for (i, j, v) in &self.transition {
                to[*i] += v * from[*j];
            }
        }
    }

    /// P Z' into `out`.
    fn seen(&self, p: &[f64], out: &mut [f64]) {
        for (out, row) in out.iter_mut().zip(p.chunks_exact(self.size())) {
            *out = row.iter().zip(&self.observe).map(|(p, z)| p * z).sum();
        }
    }

    /// Runs the filter over series of one length; `keep` leaves what the smoother needs, of the first.
    pub(crate) fn filter(&self, series: &[&[f64]], keep: bool) -> Filtered {
        let k = self.size();
        let n = series.first().map_or(0, |s| s.len());
        let mut states = vec![vec![0.0; k]; series.len()];
        let mut moved = vec![0.0; k];
        let (mut p, mut half) = (vec![0.0; k * k], vec![0.0; k * k]);
        let (mut before, mut after) = (vec![0.0; k * k], vec![0.0; k * k]);
        let mut diffuse: Option<Vec<f64>> = Some(
            (0..k * k)
                .map(|at| f64::from(u8::from(at / k == at % k)))
                .collect(),
        );
        let mut out = Filtered {
            innovations: vec![Vec::with_capacity(n); series.len()],
            variance: Vec::with_capacity(n),
            settling: Vec::with_capacity(n),
            filtered: Vec::new(),
            filtered_variance: Vec::new(),
            state: Vec::new(),
            covariance: Vec::new(),
            rows: Vec::new(),
        };
        let (mut gain, mut diffuse_gain) = (vec![0.0; k], vec![0.0; k]);
        let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        let mut variance = 0.0;
        let mut steady = false;
        for t in 0..n {
            if !steady {
                self.seen(&p, &mut gain);
                variance = dot(&gain, &self.observe) + self.observation;
            }
            let diffuse_variance = match &diffuse {
                None => 0.0,
                Some(d) => {
                    self.seen(d, &mut diffuse_gain);
                    dot(&diffuse_gain, &self.observe)
                }
            };
            let settles = diffuse_variance > NONE;
            out.settling.push(settles);
            out.variance.push(variance);
            for ((a, values), v) in states.iter().zip(series).zip(&mut out.innovations) {
                v.push(values[t] - dot(a, &self.observe));
            }
            if keep {
                out.rows.push(Row {
                    state: states[0].clone(),
                    covariance: p.clone(),
                    diffuse: diffuse.clone(),
                    gain: gain.clone(),
                    diffuse_gain: diffuse_gain.clone(),
                    innovation: out.innovations[0][t],
                    variance,
                    diffuse_variance: if settles { diffuse_variance } else { 0.0 },
                });
            }
            // What the row tells.
            let used = if settles {
                (&diffuse_gain, diffuse_variance)
            } else {
                (&gain, variance)
            };
            for (a, v) in states.iter_mut().zip(&out.innovations) {
                let share = v[t] / used.1;
                for (a, g) in a.iter_mut().zip(used.0) {
                    *a += g * share;
                }
            }
            if keep {
                out.filtered.push(states[0].clone());
                let known = |i: usize| {
                    let less = if settles {
                        let d = diffuse_gain[i] / diffuse_variance;
                        2.0 * gain[i] * d - d * d * variance
                    } else {
                        gain[i] * gain[i] / variance
                    };
                    p[i * k + i] - less
                };
                out.filtered_variance.push((0..k).map(known).collect());
            }
            for a in &mut states {
                moved.fill(0.0);
                for (i, j, v) in &self.transition {
                    moved[*i] += v * a[*j];
                }
                a.copy_from_slice(&moved);
            }
            if steady {
                continue;
            }
            // The covariance before this row, to see whether it still changes.
            before.copy_from_slice(&p);
            for i in 0..k {
                for j in 0..k {
                    let less = if settles {
                        (gain[i] * diffuse_gain[j] + diffuse_gain[i] * gain[j]) / diffuse_variance
                            - diffuse_gain[i] * diffuse_gain[j] * variance
                                / (diffuse_variance * diffuse_variance)
                    } else {
                        gain[i] * gain[j] / variance
                    };
                    p[i * k + j] -= less;
                }
            }
            if let (true, Some(d)) = (settles, &mut diffuse) {
                for i in 0..k {
                    for j in 0..k {
                        d[i * k + j] -= diffuse_gain[i] * diffuse_gain[j] / diffuse_variance;
                    }
                }
            }
            // On to the next row.
            self.carried(&p, &mut half, &mut after);
            for (i, q) in self.noise.iter().enumerate() {
                after[i * k + i] += q;
            }
            std::mem::swap(&mut p, &mut after);
            if diffuse.is_none() {
                let size = before.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
                let mut pairs = before.iter().zip(&p);
                steady = pairs.all(|(a, b)| (a - b).abs() <= 1e-13 * size);
                if steady {
                    self.seen(&p, &mut gain);
                    variance = dot(&gain, &self.observe) + self.observation;
                }
            }
            diffuse = diffuse.and_then(|d| {
                let mut next = vec![0.0; k * k];
                self.carried(&d, &mut half, &mut next);
                next.iter().any(|v| v.abs() > NONE).then_some(next)
            });
        }
        out.state = states.swap_remove(0);
        out.covariance = p;
        out
    }

    /// States of the first series given all rows; the filter must have kept its rows.
    pub(crate) fn smooth(&self, filtered: &Filtered) -> Vec<Vec<f64>> {
        let k = self.size();
        let (mut r, mut diffuse_r) = (vec![0.0; k], vec![0.0; k]);
        let mut out = Vec::with_capacity(filtered.rows.len());
        for row in filtered.rows.iter().rev() {
            let (back, diffuse_back) = (self.back(&r), self.back(&diffuse_r));
            if row.diffuse_variance > 0.0 {
                let f = row.diffuse_variance;
                // L0 = T - T M∞ Z/F∞, L1 = -(T M Z/F∞ - T M∞ Z F/F∞²).
                let through = crate::numeric::dot(&back, &row.diffuse_gain) / f;
                let second = crate::numeric::dot(&back, &row.gain) / f
                    - crate::numeric::dot(&back, &row.diffuse_gain) * row.variance / (f * f);
                let diffuse_through = crate::numeric::dot(&diffuse_back, &row.diffuse_gain) / f;
                for i in 0..k {
                    let z = self.observe[i];
                    r[i] = back[i] - z * through;
                    diffuse_r[i] = z * (row.innovation / f) + diffuse_back[i]
                        - z * diffuse_through
                        - z * second;
                }
            } else {
                let through = crate::numeric::dot(&back, &row.gain) / row.variance;
                for i in 0..k {
                    let z = self.observe[i];
                    r[i] = z * (row.innovation / row.variance) + back[i] - z * through;
                    diffuse_r[i] = diffuse_back[i];
                }
            }
            let state = (0..k)
                .map(|i| {
                    let own = crate::numeric::dot(&row.covariance[i * k..(i + 1) * k], &r);
                    let diffuse = row.diffuse.as_ref().map_or(0.0, |d| {
                        crate::numeric::dot(&d[i * k..(i + 1) * k], &diffuse_r)
                    });
                    row.state[i] + own + diffuse
                })
                .collect();
            out.push(state);
        }
        out.reverse();
        out
    }

    /// Forecasts after the last row and their variances.
    pub(crate) fn forecast(&self, filtered: &Filtered, horizon: usize) -> (Vec<f64>, Vec<f64>) {
        let k = self.size();
        let mut a = filtered.state.clone();
        let mut p = filtered.covariance.clone();
        let (mut gain, mut half, mut next) = (vec![0.0; k], vec![0.0; k * k], vec![0.0; k * k]);
        let mut all = (Vec::with_capacity(horizon), Vec::with_capacity(horizon));
        for _ in 0..horizon {
            all.0.push(crate::numeric::dot(&a, &self.observe));
            self.seen(&p, &mut gain);
            let own = crate::numeric::dot(&gain, &self.observe);
            all.1.push(own + self.observation);
            a = self.moved(&a);
            self.carried(&p, &mut half, &mut next);
            p.copy_from_slice(&next);
            for (i, q) in self.noise.iter().enumerate() {
                p[i * k + i] += q;
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;

    #[test]
    fn a_local_level_by_hand() {
        // h = 1, q = 1: after the first row the level is y1 with variance 1; then 2, F = 3, gain 2/3.
        let model = Model {
            observe: vec![1.0],
            transition: vec![(0, 0, 1.0)],
            noise: vec![1.0],
            observation: 1.0,
        };
        let f = model.filter(&[&[4.0, 7.0]], true);
        assert_eq!(f.settling, [true, false]);
        assert_near(&[f.filtered[0][0], f.filtered[1][0]], &[4.0, 6.0], 1e-15);
        assert_near(&f.variance[1..], &[3.0], 1e-15);
        assert_near(&f.filtered_variance[1], &[2.0 / 3.0], 1e-15);
        // Given both, the first level is the mean of 4 (variance 1) and 7 (variance 2).
        let smooth = model.smooth(&f);
        assert_near(&[smooth[0][0], smooth[1][0]], &[5.0, 6.0], 1e-14);
        let (value, variance) = model.forecast(&f, 2);
        assert_near(&value, &[6.0, 6.0], 1e-15);
        assert_near(&variance, &[2.0 / 3.0 + 2.0, 2.0 / 3.0 + 3.0], 1e-15);
    }

    #[test]
    fn a_line_through_two_points() {
        // A local linear trend without noise but h: two rows fix level and slope.
        let model = Model {
            observe: vec![1.0, 0.0],
            transition: vec![(0, 0, 1.0), (0, 1, 1.0), (1, 1, 1.0)],
            noise: vec![0.0, 0.0],
            observation: 1.0,
        };
        // Least squares through 1, 2, 6 at 0, 1, 2: 0.5 + 2.5 t.
        let f = model.filter(&[&[1.0, 2.0, 6.0]], true);
        assert_eq!(f.settling, [true, true, false]);
        assert_near(&f.filtered[1], &[2.0, 1.0], 1e-14);
        assert_near(&f.filtered[2], &[5.5, 2.5], 1e-13);
        let smooth = model.smooth(&f);
        for (t, state) in smooth.iter().enumerate() {
            assert_near(state, &[0.5 + 2.5 * t as f64, 2.5], 1e-13);
        }
        assert_near(&model.forecast(&f, 1).0, &[8.0], 1e-13);
    }
}
