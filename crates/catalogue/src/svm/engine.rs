//! Sequential minimal optimisation as LIBSVM does it: min aᵀQa/2 + pᵀa with yᵀa fixed and 0 ≤ a ≤ C,
//! two variables at a time, chosen by second order information (Fan, Chen & Lin, JMLR 6, 2005; Chang
//! & Lin, LIBSVM, ACM TIST 2, 2011).

use crate::kernels::{Form, Kernel};
use crate::numeric::{dot, flat};
use ndarray::Array2;

/// Kernel values that are kept: 256 MB.
const KEPT: usize = 1 << 26;

/// A row of the kernel is let go when it was not asked for among as many questions as this times the rows.
const FORGOTTEN: usize = 1;

/// Rows of the kernel matrix that were asked for, those used last when they do not all fit. In single
/// precision, as LIBSVM keeps them: sums over them are in double.
pub(crate) struct Rows<'a> {
    form: Form,
    x: &'a Array2<f64>,
    squares: Vec<f64>,
    rows: Vec<Box<[f32]>>,
    /// The rows that are there, and when each was asked for last, counted in questions.
    there: Vec<usize>,
    asked: Vec<usize>,
    now: usize,
    most: usize,
    diagonal: Vec<f64>,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(form: Form, x: &'a Array2<f64>) -> Self {
        let n = x.nrows();
        let squares: Vec<f64> = (0..n).map(|i| dot(row_of(x, i), row_of(x, i))).collect();
        let mut all = Self {
            form,
            x,
            squares,
            rows: vec![Box::default(); n],
            there: Vec::new(),
            asked: vec![0; n],
            now: 0,
            most: (KEPT / n.max(1)).max(4),
            diagonal: Vec::new(),
        };
        all.diagonal = (0..n).map(|i| all.value(i, i)).collect();
        all
    }

    /// What rounding to single precision leaves of the kernel's values: no step goes below it.
    pub(crate) fn rounding(&self) -> f64 {
        let largest = self.diagonal.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
        4.0 * f64::from(f32::EPSILON) * largest
    }

    /// A row that is there.
    fn row(&self, i: usize) -> &[f32] {
        &self.rows[i]
    }

    fn value(&self, i: usize, j: usize) -> f64 {
        let f = &self.form;
        let (a, b) = (row_of(self.x, i), row_of(self.x, j));
        let product = dot(a, b);
        match f.kernel {
            Kernel::Linear => product,
            Kernel::Rbf => {
                let both = self.squares[i] + self.squares[j];
                let mut d = both - 2.0 * product;
                if d <= 1e-5 * both {
                    d = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
                }
                (-f.gamma * d).exp()
            }
            // The degree is a whole number.
            Kernel::Poly | Kernel::Polynomial => {
                (f.gamma * product + f.coef0).powi(f.degree as i32)
            }
            Kernel::Sigmoid => (f.gamma * product + f.coef0).tanh(),
            Kernel::Cosine => product / (self.squares[i] * self.squares[j]).sqrt(),
            Kernel::Laplacian | Kernel::AdditiveChi2 | Kernel::Chi2 => f.of_gaps(a, b),
        }
    }

    /// The same for a few rows, all of which are there afterwards.
    fn need_all(&mut self, some: &[usize]) {
        // The first round may drop one of them for another, the second brings it back.
        some.iter().chain(some).for_each(|i| self.need(*i));
    }

    /// Computes a row unless it is there. It takes the place of the one that was asked for longest ago,
    /// if that is long ago or there are `most` of them.
    fn need(&mut self, i: usize) {
        self.now += 1;
        self.asked[i] = self.now;
        if !self.rows[i].is_empty() {
            return;
        }
        let mut row = Box::default();
        let oldest = (0..self.there.len()).min_by_key(|k| self.asked[self.there[*k]]);
        if let Some(k) = oldest
            && (self.there.len() >= self.most
                || self.now - self.asked[self.there[k]] > FORGOTTEN * self.x.nrows())
        {
            let old = self.there.swap_remove(k);
            row = std::mem::take(&mut self.rows[old]);
        }
        if row.is_empty() {
            row = vec![0.0; self.x.nrows()].into_boxed_slice();
        }
        for (j, to) in row.iter_mut().enumerate() {
            *to = self.value(i, j) as f32;
        }
        self.rows[i] = row;
        self.there.push(i);
    }
}

fn row_of(x: &Array2<f64>, i: usize) -> &[f64] {
    let p = x.ncols();
    &flat(x.view())[i * p..][..p]
}

/// The problem: variables in blocks of as many as there are rows, Q_st = y_s y_t k(row s, row t).
pub(crate) struct Dual {
    /// 1 or -1.
    pub(crate) y: Vec<f64>,
    pub(crate) p: Vec<f64>,
    pub(crate) upper: Vec<f64>,
    /// Where to start; fixes the sum of y a.
    pub(crate) start: Vec<f64>,
    /// Whether the sum of each sign is fixed (nu), not only their difference.
    pub(crate) nu: bool,
}

/// Where it ended.
pub(crate) struct Solution {
    pub(crate) a: Vec<f64>,
    /// Q a + p.
    pub(crate) g: Vec<f64>,
    /// f(x) = Σ y a k - rho.
    pub(crate) rho: f64,
    /// With `nu` half the width of the tube, negative.
    pub(crate) r: f64,
    pub(crate) n_iter: usize,
    pub(crate) converged: bool,
}

/// Stands for a curvature that is not positive.
const TAU: f64 = 1e-12;

pub(crate) fn solve(
    rows: &mut Rows<'_>,
    dual: &Dual,
    tol: f64,
    max_iter: Option<usize>,
) -> Solution {
    let n = rows.x.nrows();
    let l = dual.y.len();
    let (y, upper) = (&dual.y, &dual.upper);
    let mut a = dual.start.clone();
    let mut g = dual.p.clone();
    for s in 0..l {
        if a[s] != 0.0 {
            rows.need(s % n);
            spread(&mut g, y, rows.row(s % n), y[s] * a[s]);
        }
    }
    // Never more than this, as LIBSVM: it would take days.
    let most = max_iter.unwrap_or_else(|| (100 * l).max(10_000_000));
    let (mut n_iter, mut converged) = (0, false);
    while n_iter < most {
        // The steepest variable of each sign that may move up (of y a), and then its partner.
        let mut top = [(f64::NEG_INFINITY, usize::MAX); 2];
        for s in 0..l {
            let may = if y[s] > 0.0 {
                a[s] < upper[s]
            } else {
                a[s] > 0.0
            };
            let side = usize::from(dual.nu && y[s] < 0.0);
            if may && -y[s] * g[s] >= top[side].0 {
                top[side] = (-y[s] * g[s], s);
            }
        }
        let steepest: Vec<usize> = top
            .iter()
            .filter(|(_, s)| *s < l)
            .map(|(_, s)| s % n)
            .collect();
        rows.need_all(&steepest);
        let mut gap = [f64::NEG_INFINITY; 2];
        let (mut best, mut pair) = (f64::INFINITY, None);
        for t in 0..l {
            let may = if y[t] > 0.0 {
                a[t] > 0.0
            } else {
                a[t] < upper[t]
            };
            if !may {
                continue;
            }
            let side = usize::from(dual.nu && y[t] < 0.0);
            gap[side] = gap[side].max(y[t] * g[t]);
            let (steep, s) = top[side];
            if s == usize::MAX {
                continue;
            }
            let difference = steep + y[t] * g[t];
            if difference > 0.0 {
                let curve = rows.diagonal[s % n] + rows.diagonal[t % n]
                    - 2.0 * f64::from(rows.row(s % n)[t % n]);
                let gain = -difference * difference / if curve > 0.0 { curve } else { TAU };
                if gain <= best {
                    (best, pair) = (gain, Some((s, t)));
                }
            }
        }
        let left = (top[0].0 + gap[0]).max(top[1].0 + gap[1]);
        let Some((i, j)) = pair.filter(|_| left >= tol) else {
            converged = true;
            break;
        };
        n_iter += 1;
        let (ki, kj) = (i % n, j % n);
        rows.need_all(&[ki, kj]);
        let curve = rows.diagonal[ki] + rows.diagonal[kj] - 2.0 * f64::from(rows.row(ki)[kj]);
        let curve = if curve > 0.0 { curve } else { TAU };
        let (old_i, old_j) = (a[i], a[j]);
        if y[i] != y[j] {
            let delta = (-g[i] - g[j]) / curve;
            let diff = a[i] - a[j];
            a[i] += delta;
            a[j] += delta;
            if diff > 0.0 {
                if a[j] < 0.0 {
                    (a[j], a[i]) = (0.0, diff);
                }
            } else if a[i] < 0.0 {
                (a[i], a[j]) = (0.0, -diff);
            }
            if diff > upper[i] - upper[j] {
                if a[i] > upper[i] {
                    (a[i], a[j]) = (upper[i], upper[i] - diff);
                }
            } else if a[j] > upper[j] {
                (a[j], a[i]) = (upper[j], upper[j] + diff);
            }
        } else {
            let delta = (g[i] - g[j]) / curve;
            let sum = a[i] + a[j];
            a[i] -= delta;
            a[j] += delta;
            if sum > upper[i] {
                if a[i] > upper[i] {
                    (a[i], a[j]) = (upper[i], sum - upper[i]);
                }
            } else if a[j] < 0.0 {
                (a[j], a[i]) = (0.0, sum);
            }
            if sum > upper[j] {
                if a[j] > upper[j] {
                    (a[j], a[i]) = (upper[j], sum - upper[j]);
                }
            } else if a[i] < 0.0 {
                (a[i], a[j]) = (0.0, sum);
            }
        }
        spread(&mut g, y, rows.row(ki), y[i] * (a[i] - old_i));
        spread(&mut g, y, rows.row(kj), y[j] * (a[j] - old_j));
    }
    let middle = |sign: f64| -> f64 {
        // y g of the free variables; between its bounds when there is none.
        let (mut high, mut low, mut sum, mut free) = (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0.0);
        // A row without weight bounds nothing: LIBSVM does not see it.
        let counts = |s: &usize| upper[*s] > 0.0 && (sign == 0.0 || y[*s] == sign);
        for s in (0..l).filter(counts) {
            let yg = if sign == 0.0 { y[s] * g[s] } else { g[s] };
            let up = if sign == 0.0 { y[s] } else { 1.0 };
            if a[s] >= upper[s] {
                if up < 0.0 {
                    high = high.min(yg)
                } else {
                    low = low.max(yg)
                }
            } else if a[s] <= 0.0 {
                if up > 0.0 {
                    high = high.min(yg)
                } else {
                    low = low.max(yg)
                }
            } else {
                free += 1.0;
                sum += yg;
            }
        }
        if free > 0.0 {
            sum / free
        } else if high.is_finite() && low.is_finite() {
            (high + low) / 2.0
        } else if high.is_finite() {
            high
        } else if low.is_finite() {
            low
        } else {
            0.0
        }
    };
    let (rho, r) = if dual.nu {
        let (plus, minus) = (middle(1.0), middle(-1.0));
        ((plus - minus) / 2.0, (plus + minus) / 2.0)
    } else {
        (middle(0.0), 0.0)
    };
    Solution {
        a,
        g,
        rho,
        r,
        n_iter,
        converged,
    }
}

/// g += y · by · row, for every block of variables.
fn spread(g: &mut [f64], y: &[f64], row: &[f32], by: f64) {
    if by == 0.0 {
        return;
    }
    for (g, y) in g.chunks_mut(row.len()).zip(y.chunks(row.len())) {
        for ((g, y), k) in g.iter_mut().zip(y).zip(row) {
            *g += y * by * f64::from(*k);
        }
    }
}
