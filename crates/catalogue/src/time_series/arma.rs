//! Regression with ARIMA errors by exact maximum likelihood, for the ARIMA entries.
//!
//! y = Xb + u, and u, differenced, is a stationary multiplicative seasonal ARMA process. The state is that of
//! Harvey (1989, 3.3): k = max(p, q + 1) entries of which the first is the value itself, so that the
//! covariance of the next state is the last one shifted by a row and a column:
//! P'ᵢⱼ = Pᵢ₊₁,ⱼ₊₁ - P₀,ᵢ₊₁ P₀,ⱼ₊₁/P₀₀ + RᵢRⱼ. The filter starts from the stationary covariance, which follows
//! from the autocovariances the same way. b and the variance are concentrated out: the search is over
//! the ARMA coefficients alone, through partial autocorrelations, which keep it inside the region of
//! stationarity and invertibility (Monahan, 1984).

use super::eigen::root_sizes;
use super::engine::{self, LeastSquares, least_squares, mean_square};
use crate::numeric::{Cholesky, dot};
use crate::optimize::{self, Found, Limits};
use mltrainer_catalogue_core::{FitError, Tracker};
use ndarray::Array2;

/// Orders (p, d, q) and (P, D, Q, s).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Orders {
    pub(crate) p: usize,
    pub(crate) d: usize,
    pub(crate) q: usize,
    pub(crate) sp: usize,
    pub(crate) sd: usize,
    pub(crate) sq: usize,
    pub(crate) s: usize,
}

impl Orders {
    /// Rows lost to differencing.
    pub(crate) fn lost(&self) -> usize {
        self.d + self.sd * self.s
    }

    /// ARMA coefficients to be estimated.
    pub(crate) fn coefficients(&self) -> usize {
        self.p + self.q + self.sp + self.sq
    }

    /// Whether there are terms of both kinds, which can cancel.
    fn mixed(&self) -> bool {
        self.p + self.sp > 0 && self.q + self.sq > 0
    }

    /// Differences as the orders say.
    pub(crate) fn difference(&self, values: &[f64]) -> Vec<f64> {
        let ordinary = engine::differences(values, 1, self.d);
        engine::differences(&ordinary, self.s, self.sd)
    }

    /// Coefficients c of (1-B)^d (1-Bˢ)^D = 1 - c₁B - c₂B² - ...
    fn differencing(&self) -> Vec<f64> {
        let mut product = vec![1.0];
        for _ in 0..self.d {
            product = multiply(&product, &[1.0, -1.0]);
        }
        let mut seasonal = vec![0.0; self.s + 1];
        seasonal[0] = 1.0;
        if let Some(last) = seasonal.last_mut() {
            *last -= 1.0;
        }
        for _ in 0..self.sd {
            product = multiply(&product, &seasonal);
        }
        product[1..].iter().map(|c| -c).collect()
    }

    /// (p,d,q) or (p,d,q)(P,D,Q)s.
    pub(crate) fn label(&self) -> String {
        let own = format!("({},{},{})", self.p, self.d, self.q);
        if self.s < 2 || self.sp + self.sd + self.sq == 0 {
            own
        } else {
            format!("{own}({},{},{})[{}]", self.sp, self.sd, self.sq, self.s)
        }
    }
}

fn multiply(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut product = vec![0.0; a.len() + b.len() - 1];
    for (i, x) in a.iter().enumerate() {
        if *x != 0.0 {
            for (j, y) in b.iter().enumerate() {
                product[i + j] += x * y;
            }
        }
    }
    product
}

/// ARMA coefficients: signs as in y = Σ ar y + e + Σ ma e.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Coefficients {
    pub(crate) ar: Vec<f64>,
    pub(crate) ma: Vec<f64>,
    pub(crate) seasonal_ar: Vec<f64>,
    pub(crate) seasonal_ma: Vec<f64>,
}

impl Coefficients {
    fn flat(&self) -> Vec<f64> {
        [&self.ar, &self.ma, &self.seasonal_ar, &self.seasonal_ma]
            .into_iter()
            .flatten()
            .copied()
            .collect()
    }

    fn from_flat(orders: &Orders, flat: &[f64]) -> Self {
        let (ar, rest) = flat.split_at(orders.p);
        let (ma, rest) = rest.split_at(orders.q);
        let (seasonal_ar, seasonal_ma) = rest.split_at(orders.sp);
        Self {
            ar: ar.to_vec(),
            ma: ma.to_vec(),
            seasonal_ar: seasonal_ar.to_vec(),
            seasonal_ma: seasonal_ma.to_vec(),
        }
    }

    /// From unbounded numbers, each group through its partial autocorrelations.
    fn from_free(orders: &Orders, free: &[f64]) -> Self {
        let mut c = Self::from_flat(orders, free);
        for (group, sign) in [
            (&mut c.ar, 1.0),
            (&mut c.ma, -1.0),
            (&mut c.seasonal_ar, 1.0),
            (&mut c.seasonal_ma, -1.0),
        ] {
            let partial: Vec<f64> = group.iter().map(|x| x / x.hypot(1.0)).collect();
            *group = from_partial(&partial).iter().map(|v| sign * v).collect();
        }
        c
    }

    /// Unbounded numbers of the nearest coefficients that are stationary and invertible.
    fn to_free(&self) -> Vec<f64> {
        let groups = [
            (&self.ar, 1.0),
            (&self.ma, -1.0),
            (&self.seasonal_ar, 1.0),
            (&self.seasonal_ma, -1.0),
        ];
        let mut free = Vec::new();
        for (group, sign) in groups {
            let mut c: Vec<f64> = group.iter().map(|v| sign * v).collect();
            let partial = loop {
                match to_partial(&c) {
                    Some(partial) if partial.iter().all(|r| r.abs() < 0.99) => break partial,
                    // Nearer to zero until it is stationary.
                    _ => {
                        let mut by = 1.0;
                        for v in &mut c {
                            by *= 0.9;
                            *v *= by;
                        }
                    }
                }
            };
            free.extend(partial.iter().map(|r| r / (1.0 - r * r).sqrt()));
        }
        free
    }

    /// φ of the product of the autoregressive polynomials.
    fn phi(&self, s: usize) -> Vec<f64> {
        let full = multiply(
            &spread(&self.ar, 1, -1.0),
            &spread(&self.seasonal_ar, s, -1.0),
        );
        full[1..].iter().map(|v| -v).collect()
    }

    /// θ of the product of the moving-average polynomials.
    fn theta(&self, s: usize) -> Vec<f64> {
        let full = multiply(
            &spread(&self.ma, 1, 1.0),
            &spread(&self.seasonal_ma, s, 1.0),
        );
        full[1..].to_vec()
    }
}

/// 1 ± c₁Bˢ ± c₂B²ˢ ...
fn spread(c: &[f64], s: usize, sign: f64) -> Vec<f64> {
    let mut full = vec![0.0; c.len() * s + 1];
    full[0] = 1.0;
    for (i, v) in c.iter().enumerate() {
        full[(i + 1) * s] = sign * v;
    }
    full
}

/// Autoregressive coefficients of partial autocorrelations (Durbin & Levinson).
fn from_partial(partial: &[f64]) -> Vec<f64> {
    let mut c: Vec<f64> = Vec::with_capacity(partial.len());
    for r in partial {
        let back: Vec<f64> = c.iter().rev().copied().collect();
        for (a, b) in c.iter_mut().zip(&back) {
            *a -= r * b;
        }
        c.push(*r);
    }
    c
}

/// The way back; none when the coefficients are not stationary.
fn to_partial(c: &[f64]) -> Option<Vec<f64>> {
    let mut c = c.to_vec();
    let mut partial = vec![0.0; c.len()];
    for k in (0..c.len()).rev() {
        let r = c[k];
        if r.is_nan() || r.abs() >= 1.0 {
            return None;
        }
        partial[k] = r;
        let back: Vec<f64> = c[..k].iter().rev().copied().collect();
        c.truncate(k);
        for (a, b) in c.iter_mut().zip(&back) {
            *a = (*a + r * b) / (1.0 - r * r);
        }
    }
    Some(partial)
}

/// A stationary ARMA process with innovations of variance 1, in Harvey's form.
pub(crate) struct Process {
    /// Autoregressive coefficients, k of them.
    phi: Vec<f64>,
    /// 1, then the moving-average coefficients, k in all.
    r: Vec<f64>,
    /// Covariance of the state, k x k by rows, symmetric; upper triangle only.
    start: Vec<f64>,
}

/// What the filter found.
pub(crate) struct Filtered {
    /// Innovations of each series, each divided by the square root of its variance.
    pub(crate) standard: Vec<Vec<f64>>,
    /// Variance of each innovation, in units of that of the process's innovations.
    pub(crate) variance: Vec<f64>,
    /// State of each series after the last row, for the row to come.
    state: Vec<Vec<f64>>,
    /// Its covariance, upper triangle.
    covariance: Vec<f64>,
}

impl Process {
    /// None when the coefficients are not stationary, as far as rounding tells.
    pub(crate) fn new(c: &Coefficients, s: usize) -> Option<Self> {
        let (mut phi, mut r) = (c.phi(s), vec![1.0]);
        r.extend(c.theta(s));
        let k = phi.len().max(r.len());
        let p = phi.len();
        let q = r.len() - 1;
        phi.resize(k, 0.0);
        r.resize(k, 0.0);
        // Weights of the innovations: e[t-j] enters y[t] with psi[j].
        let mut psi = vec![0.0; k];
        for j in 0..k {
            let past: f64 = (1..=j.min(p)).map(|i| phi[i - 1] * psi[j - i]).sum();
            psi[j] = r[j] + past;
        }
        // Autocovariances: g[h] - Σ phi[i] g[|h-i|] = Σ_{j>=h} r[j] psi[j-h], h = 0..=p.
        let right: Vec<f64> = (0..=p)
            .map(|h| (h..=q).map(|j| r[j] * psi[j - h]).sum())
            .collect();
        let mut system = vec![vec![0.0; p + 1]; p + 1];
        for (h, row) in system.iter_mut().enumerate() {
            row[h] += 1.0;
            for i in 1..=p {
                row[h.abs_diff(i)] -= phi[i - 1];
            }
        }
        let gamma = solve(system, right)?;
        if gamma[0].is_nan() || gamma[0] <= 0.0 || gamma[0].is_infinite() {
            return None;
        }
        // Row 0 of the covariance, then the rest along its diagonals, from the end.
        let mut start = vec![0.0; k * k];
        start[0] = gamma[0];
        for j in 1..k {
            let lags = (j..p).map(|m| phi[m] * gamma[m - j + 1]);
            let shocks = (j..=q).map(|m| r[m] * psi[m - j]);
            start[j] = lags.sum::<f64>() + shocks.sum::<f64>();
        }
        for i in (1..k).rev() {
            for j in (i..k).rev() {
                let next = |a: usize, b: usize| {
                    if a < k && b < k {
                        start[a * k + b]
                    } else {
                        0.0
                    }
                };
                let value = phi[i] * phi[j] * start[0]
                    + phi[i] * next(0, j + 1)
                    + phi[j] * next(0, i + 1)
                    + next(i + 1, j + 1)
                    + r[i] * r[j];
                start[i * k + j] = value;
            }
        }
        Some(Self { phi, r, start })
    }

    /// Runs the filter over series of one length. The gains do not depend on them.
    pub(crate) fn filter(&self, series: &[&[f64]]) -> Filtered {
        let k = self.phi.len();
        let n = series.first().map_or(0, |s| s.len());
        let mut p = self.start.clone();
        let mut gain = vec![0.0; k];
        let mut state = vec![vec![0.0; k]; series.len()];
        let mut standard = vec![Vec::with_capacity(n); series.len()];
        let mut variance = Vec::with_capacity(n);
        let mut steady = false;
        for t in 0..n {
            let f = if steady { 1.0 } else { p[0] };
            if !steady {
                for i in 0..k {
                    let next = if i + 1 < k { p[i + 1] } else { 0.0 };
                    gain[i] = self.phi[i] + next / f;
                }
            }
            let root = f.sqrt();
            for ((a, values), out) in state.iter_mut().zip(series).zip(&mut standard) {
                let (predicted, v) = (a[0], values[t] - a[0]);
                out.push(v / root);
                for i in 0..k - 1 {
                    a[i] = a[i + 1] + self.phi[i] * predicted + gain[i] * v;
                }
                a[k - 1] = self.phi[k - 1] * predicted + gain[k - 1] * v;
            }
            variance.push(f);
            if steady {
                continue;
            }
            let first: Vec<f64> = p[..k].to_vec();
            let mut near = f - 1.0 < 1e-13;
            for i in 0..k {
                let head = if i + 1 < k { first[i + 1] / f } else { 0.0 };
                for j in i..k {
                    let (down, side) = if j + 1 < k {
                        (p[(i + 1) * k + j + 1], first[j + 1])
                    } else {
                        (0.0, 0.0)
                    };
                    let end = self.r[i] * self.r[j];
                    let rest = down - head * side;
                    near = near && rest.abs() <= 1e-11;
                    p[i * k + j] = rest + end;
                }
            }
            if near {
                // The covariance has reached RRᵀ: from here the gains stay.
                steady = true;
                for i in 0..k {
                    let next = if i + 1 < k { self.r[i + 1] } else { 0.0 };
                    gain[i] = self.phi[i] + next;
                    for j in i..k {
                        p[i * k + j] = self.r[i] * self.r[j];
                    }
                }
            }
        }
        Filtered {
            standard,
            variance,
            state,
            covariance: p,
        }
    }
}

/// Gaussian elimination with pivoting; none when singular.
fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Option<Vec<f64>> {
    let n = b.len();
    for j in 0..n {
        let mut pivot = j;
        for i in j + 1..n {
            if a[i][j].abs() > a[pivot][j].abs() {
                pivot = i;
            }
        }
        if a[pivot][j].abs() < 1e-300 || a[pivot][j].is_nan() {
            return None;
        }
        a.swap(pivot, j);
        b.swap(pivot, j);
        let (head, tail) = a.split_at_mut(j + 1);
        let row = &head[j];
        for (i, other) in tail.iter_mut().enumerate() {
            let factor = other[j] / row[j];
            if factor != 0.0 {
                for (o, r) in other[j..].iter_mut().zip(&row[j..]) {
                    *o -= factor * r;
                }
                b[j + 1 + i] -= factor * b[j];
            }
        }
    }
    for j in (0..n).rev() {
        let later: f64 = (j + 1..n).map(|i| a[j][i] * b[i]).sum();
        b[j] = (b[j] - later) / a[j][j];
    }
    Some(b)
}

/// A fitted model.
pub(crate) struct Fit {
    pub(crate) orders: Orders,
    pub(crate) coefficients: Coefficients,
    /// Coefficients of the columns.
    pub(crate) beta: Vec<f64>,
    pub(crate) sigma2: f64,
    pub(crate) log_likelihood: f64,
    /// Whether the search ended on a maximum.
    pub(crate) converged: bool,
    /// Standardised innovations of the differenced series.
    pub(crate) standard: Vec<f64>,
    /// One-step errors, one a row of the differenced series.
    pub(crate) errors: Vec<f64>,
    state: Vec<f64>,
    covariance: Vec<f64>,
    phi: Vec<f64>,
    theta: Vec<f64>,
    /// Where the searches ended, in unbounded numbers: every top of the likelihood that was met, the highest first.
    tops: Vec<Vec<f64>>,
}

/// What a candidate gives.
struct Likelihood {
    value: f64,
    sigma2: f64,
    least: LeastSquares,
    filtered: Filtered,
}

fn likelihood(c: &Coefficients, s: usize, w: &[f64], x: &[Vec<f64>]) -> Option<Likelihood> {
    let process = Process::new(c, s)?;
    let mut all: Vec<&[f64]> = x.iter().map(Vec::as_slice).collect();
    all.push(w);
    let mut filtered = process.filter(&all);
    let y = filtered.standard.pop()?;
    let least = least_squares(&filtered.standard, &y).ok()?;
    let n = w.len() as f64;
    let sigma2 = mean_square(&least.residuals);
    let half_log_det = 0.5 * filtered.variance.iter().map(|v| v.ln()).sum::<f64>();
    let value = -0.5 * n * ((std::f64::consts::TAU * sigma2).ln() + 1.0) - half_log_det;
    Some(Likelihood {
        value,
        sigma2,
        least,
        filtered,
    })
}

/// Where the search starts.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Search<'a> {
    /// From the best of several starts, four searches.
    Thorough,
    /// From the best of several starts, one search: for candidates that are compared.
    Quick,
    /// From where the searches of an earlier fit ended ([`Following::start`]), on a stretch of the series that
    /// shares most of its rows. When that does not end on a maximum, or the start of a thorough search lies
    /// higher, it is thorough. With autoregressive and moving-average terms, which can nearly cancel, the likelihood
    /// has several tops, and which is the highest changes with some rows more: then it is thorough and begins at
    /// the tops of the earlier fit as well, so that it never ends lower than without them.
    From(&'a [f64]),
}

/// Fits by exact maximum likelihood. `columns` are those of X for the rows of `y`, before differencing.
///
/// # Errors
/// [`FitError`] when the differenced series is constant or too short, a column is a combination of others
/// or nothing after differencing, or no candidate has a finite likelihood.
pub(crate) fn fit(
    id: &str,
    orders: Orders,
    y: &[f64],
    columns: &[(String, Vec<f64>)],
    search: Search<'_>,
) -> Result<Fit, FitError> {
    let free = orders.coefficients();
    let need = orders.lost() + free + columns.len() + 2;
    if y.len() < need {
        return Err(FitError::Data(format!(
            "the series has {} rows and {id} of orders {} needs at least {need}: take a longer span or smaller orders",
            y.len(),
            orders.label()
        )));
    }
    let w = orders.difference(y);
    let x: Vec<Vec<f64>> = columns.iter().map(|(_, c)| orders.difference(c)).collect();
    let plain = least_squares(&x, &w).map_err(|at| {
        FitError::Data(format!(
            "column \"{}\" is, after differencing, nothing or a combination of the columns before it: leave it out",
            columns[at].0
        ))
    })?;
    let scale = mean_square(&plain.residuals).sqrt();
    let size = mean_square(&w).sqrt();
    if scale.is_nan() || scale <= 1e-11 * size || scale == 0.0 {
        return Err(FitError::Data(format!(
            "the series follows its columns and differences exactly, orders {}: {id} has nothing to estimate",
            orders.label()
        )));
    }
    if !(1e-150..=1e150).contains(&scale) {
        return Err(FitError::Data(format!(
            "the series moves by {scale:e} on average, too far from 1 for {id}: divide it by that"
        )));
    }
    let s = orders.s.max(1);
    let mut value = |point: &[f64]| {
        let c = Coefficients::from_free(&orders, point);
        likelihood(&c, s, &w, &x).map_or(f64::INFINITY, |l| -l.value)
    };
    let limits = Limits {
        steps: 500,
        gradient: 1e-7,
        gain: 1e-12,
    };
    let (found, tops) = if free == 0 {
        let found = Found {
            at: Vec::new(),
            value: value(&[]),
            steps: 0,
            converged: true,
        };
        (found, Vec::new())
    } else {
        let starts = starts(&orders, &plain.residuals);
        let mut ranked: Vec<(f64, Vec<f64>)> = starts.into_iter().map(|s| (value(&s), s)).collect();
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
        ranked.dedup_by(|a, b| a.1 == b.1);
        // A long seasonal state costs: fewer starts there.
        let searches = match search {
            Search::Quick => 1,
            _ if orders.s > 1 && !orders.mixed() => 2,
            _ if orders.s > 1 => 3,
            _ => 4,
        };
        let least = ranked.first().map_or(f64::INFINITY, |(v, _)| *v);
        let before = match search {
            Search::From(at) => told(at, free),
            _ => Vec::new(),
        };
        // A search that comes near to where another has ended is left: of two ways to one top one is enough.
        let mut ends: Vec<Found> = Vec::new();
        for at in before {
            ends.extend(optimize::bfgs_elsewhere(&mut value, at, &limits, &ends));
        }
        let lowest = ends.iter().min_by(|a, b| a.value.total_cmp(&b.value));
        let warm = !orders.mixed()
            && lowest.is_some_and(|f| f.converged && f.value.is_finite() && f.value <= least);
        if !warm && !orders.mixed() {
            ends.clear();
        }
        ranked.truncate(if warm { 0 } else { searches });
        for (_, at) in &ranked {
            ends.extend(optimize::bfgs_elsewhere(&mut value, at, &limits, &ends));
        }
        ends.sort_by(|a, b| a.value.total_cmp(&b.value));
        let tops = distinct(&ends);
        let mut best = ends.into_iter().next().unwrap_or(Found {
            at: vec![0.0; free],
            value: f64::INFINITY,
            steps: 0,
            converged: false,
        });
        if !best.converged && best.value.is_finite() && search != Search::Quick {
            // At a border of the region the slope fades out; the simplex needs none.
            let again = optimize::nelder_mead(&mut value, &best.at, &vec![0.1; free], &limits);
            let gain = best.value - again.value;
            best = if gain >= 0.0 { again } else { best };
        }
        (best, tops)
    };
    let none = || {
        FitError::Failed(format!(
            "{id} of orders {}: no coefficients with a finite likelihood were found; difference or rescale the series",
            orders.label()
        ))
    };
    let c = Coefficients::from_free(&orders, &found.at);
    let mut best = likelihood(&c, s, &w, &x).ok_or_else(none)?;
    if !best.value.is_finite() {
        return Err(none());
    }
    let standard = best.least.residuals.clone();
    let pairs = standard.iter().zip(&best.filtered.variance);
    let errors = pairs.map(|(e, f)| e * f.sqrt()).collect();
    // The state of the errors u: that of w less those of the columns.
    let mut state = best.filtered.state.pop().unwrap_or_default();
    for (column, b) in best.filtered.state.iter().zip(&best.least.beta) {
        for (a, v) in state.iter_mut().zip(column) {
            *a -= b * v;
        }
    }
    Ok(Fit {
        orders,
        phi: c.phi(s),
        theta: c.theta(s),
        coefficients: c,
        beta: best.least.beta,
        sigma2: best.sigma2,
        log_likelihood: best.value,
        converged: found.converged,
        standard,
        errors,
        state,
        covariance: best.filtered.covariance,
        tops,
    })
}

/// The tops that [`Following::start`] told: how many, then the numbers of each. None when it means nothing.
fn told(start: &[f64], free: usize) -> Vec<&[f64]> {
    let Some((count, at)) = start.split_first() else {
        return Vec::new();
    };
    let fits = at.len().is_multiple_of(free) && *count == (at.len() / free) as f64;
    if !fits || at.iter().any(|v| !v.is_finite()) {
        return Vec::new();
    }
    at.chunks_exact(free).collect()
}

/// The largest distance of two places in any number.
fn apart(a: &Found, b: &Found) -> f64 {
    let pairs = a.at.iter().zip(&b.at);
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// Of ends of searches, lowest first, those that are tops of their own: where terms nearly cancel, the likelihood
/// has several, and which is the highest changes with a few rows more.
fn distinct(ends: &[Found]) -> Vec<Vec<f64>> {
    let mut tops: Vec<&Found> = Vec::new();
    for end in ends.iter().filter(|f| f.converged && f.value.is_finite()) {
        let same = |top: &Found| end.value - top.value < 1e-4 && apart(top, end) < 0.05;
        if !tops.iter().any(|top| same(top)) {
            tops.push(end);
        }
    }
    tops.into_iter().take(4).map(|top| top.at.clone()).collect()
}

/// Where the searches start, as unbounded numbers: the regressions of Hannan & Rissanen (1982) on the
/// residuals of a long autoregression, none at all, and some signs.
fn starts(orders: &Orders, u: &[f64]) -> Vec<Vec<f64>> {
    let free = orders.coefficients();
    let mut all = vec![vec![0.0; free]];
    let signs: &[(f64, f64)] = &[(0.6, -0.6), (0.6, 0.3), (-0.5, 0.5), (0.2, -0.3)];
    for (ar, ma) in signs {
        let group = |n: usize, by: f64| (0..n).map(move |i| by * 0.4_f64.powi(i as i32));
        let c: Vec<f64> = group(orders.p, *ar)
            .chain(group(orders.q, *ma))
            .chain(group(orders.sp, *ar))
            .chain(group(orders.sq, *ma))
            .collect();
        all.push(c);
    }
    if let Some(c) = hannan_rissanen(orders, u) {
        all.push(c.to_free());
    }
    if orders.s > 1 && orders.mixed() {
        // A slow level below a season that hardly changes: terms near 1 that nearly cancel at the season.
        let group = |n: usize, by: f64| (0..n).map(move |i| by * 0.4_f64.powi(i as i32));
        let c = group(orders.p, 2.0)
            .chain(group(orders.q, 0.3))
            .chain(group(orders.sp, 1.0))
            .chain(group(orders.sq, 2.0));
        all.push(c.collect());
    }
    all
}

fn hannan_rissanen(orders: &Orders, u: &[f64]) -> Option<Coefficients> {
    let n = u.len();
    let s = orders.s.max(1);
    let ar: Vec<usize> = (1..=orders.p)
        .chain((1..=orders.sp).map(|i| i * s))
        .collect();
    let ma: Vec<usize> = (1..=orders.q)
        .chain((1..=orders.sq).map(|i| i * s))
        .collect();
    let most = ar.iter().chain(&ma).copied().max()?;
    let mut long = 0;
    let mut shocks = vec![0.0; n];
    if !ma.is_empty() {
        // An autoregression long enough to whiten the series.
        long = (most + 2)
            .max((n as f64).ln().powf(1.5).ceil() as usize)
            .min(n / 4);
        let lags: Vec<Vec<f64>> = (1..=long).map(|k| u[long - k..n - k].to_vec()).collect();
        let fit = least_squares(&lags, &u[long..]).ok()?;
        shocks[long..].copy_from_slice(&fit.residuals);
    }
    let from = long + most;
    if n < from + 2 * (ar.len() + ma.len()) + 2 {
        return None;
    }
    let lag = |v: &[f64], k: usize| v[from - k..n - k].to_vec();
    let columns: Vec<Vec<f64>> = ar
        .iter()
        .map(|k| lag(u, *k))
        .chain(ma.iter().map(|k| lag(&shocks, *k)))
        .collect();
    let beta = least_squares(&columns, &u[from..]).ok()?.beta;
    let (own, moving) = beta.split_at(ar.len());
    Some(Coefficients {
        ar: own[..orders.p].to_vec(),
        seasonal_ar: own[orders.p..].to_vec(),
        ma: moving[..orders.q].to_vec(),
        seasonal_ma: moving[orders.q..].to_vec(),
    })
}

impl Fit {
    /// Sizes of the roots of all autoregressive (or moving-average) polynomials, smallest first; those of a
    /// seasonal one as roots in the single step.
    pub(crate) fn roots(&self, moving: bool) -> Vec<f64> {
        let c = &self.coefficients;
        let (own, seasonal, sign) = if moving {
            (&c.ma, &c.seasonal_ma, -1.0)
        } else {
            (&c.ar, &c.seasonal_ar, 1.0)
        };
        let sizes = |c: &[f64]| root_sizes(&c.iter().map(|v| sign * v).collect::<Vec<f64>>());
        let mut all = sizes(own);
        let power = 1.0 / self.orders.s.max(1) as f64;
        all.extend(sizes(seasonal).iter().map(|v| v.powf(power)));
        all.sort_by(f64::total_cmp);
        all
    }

    /// Forecasts of the errors u after the last row, given those known so far (oldest first, at least as
    /// many as differencing loses), and their standard deviations.
    pub(crate) fn forecast(&self, u: &[f64], horizon: usize) -> (Vec<f64>, Vec<f64>) {
        let k = self.state.len();
        let mut phi = self.phi.clone();
        phi.resize(k, 0.0);
        let differencing = self.orders.differencing();
        // Forecasts of the differences: the first entry of the state, moved on.
        let mut state = self.state.clone();
        let mut known = u.to_vec();
        let mut level = Vec::with_capacity(horizon);
        // How far an error of each entry of the state reaches each forecast: rows of Z T^j, integrated.
        let mut reach: Vec<f64> = vec![0.0; k];
        if let Some(first) = reach.first_mut() {
            *first = 1.0;
        }
        let mut reaches: Vec<Vec<f64>> = Vec::with_capacity(horizon);
        // Weights of the shocks to come, of the differenced and of the integrated process.
        let mut psi: Vec<f64> = Vec::with_capacity(horizon);
        let mut whole: Vec<f64> = Vec::with_capacity(horizon);
        let mut std = Vec::with_capacity(horizon);
        let mut shocks = 0.0;
        for h in 0..horizon {
            let w = state[0];
            let past: f64 = differencing
                .iter()
                .enumerate()
                .map(|(i, c)| c * known[known.len() - 1 - i])
                .sum();
            known.push(w + past);
            level.push(w + past);
            let mut integrated = reach.clone();
            for (i, c) in differencing.iter().enumerate().take(h) {
                if *c != 0.0 {
                    for (v, before) in integrated.iter_mut().zip(&reaches[h - 1 - i]) {
                        *v += c * before;
                    }
                }
            }
            let mut variance = 0.0;
            for i in 0..k {
                for j in i..k {
                    let twice = if i == j { 1.0 } else { 2.0 };
                    variance += twice * integrated[i] * integrated[j] * self.covariance[i * k + j];
                }
            }
            // The first row of the covariance holds the first shock; the later ones are added.
            std.push((self.sigma2 * (variance + shocks)).sqrt());
            reaches.push(integrated);
            let moving = if h == 0 {
                1.0
            } else {
                self.theta.get(h - 1).copied().unwrap_or(0.0)
            };
            let own: f64 = (0..h.min(k)).map(|i| phi[i] * psi[h - 1 - i]).sum();
            psi.push(moving + own);
            let summed: f64 = differencing
                .iter()
                .enumerate()
                .take(h)
                .map(|(i, c)| c * whole[h - 1 - i])
                .sum();
            whole.push(psi[h] + summed);
            shocks += whole[h] * whole[h];
            let first = state[0];
            for i in 0..k {
                let next = if i + 1 < k { state[i + 1] } else { 0.0 };
                state[i] = phi[i] * first + next;
            }
            // reach T: entry 0 gathers phi, entry i + 1 takes entry i.
            let gathered = dot(&reach, &phi);
            for i in (1..k).rev() {
                reach[i] = reach[i - 1];
            }
            reach[0] = gathered;
        }
        (level, std)
    }

    /// Standard errors of beta, the ARMA coefficients in order, and the variance: from the sum of products
    /// of the scores of each row (`opg`) or from the second derivatives of the likelihood. None where the
    /// matrix is not positive definite.
    pub(crate) fn standard_errors(
        &self,
        y: &[f64],
        columns: &[(String, Vec<f64>)],
        opg: bool,
    ) -> Option<Vec<f64>> {
        let s = self.orders.s.max(1);
        let w = self.orders.difference(y);
        let x: Vec<Vec<f64>> = columns
            .iter()
            .map(|(_, c)| self.orders.difference(c))
            .collect();
        let k = x.len();
        let mut at = self.beta.clone();
        at.extend(self.coefficients.flat());
        at.push(self.sigma2);
        let free = at.len();
        // Log density of each row at a point in natural parameters.
        let rows = |point: &[f64]| -> Option<Vec<f64>> {
            let c = Coefficients::from_flat(&self.orders, &point[k..free - 1]);
            let sigma2 = point[free - 1];
            let process = Process::new(&c, s)?;
            let mut u = w.clone();
            for (column, b) in x.iter().zip(point) {
                crate::numeric::add_scaled(&mut u, -b, column);
            }
            let f = process.filter(&[&u]);
            let pairs = f.standard[0].iter().zip(&f.variance);
            Some(
                pairs
                    .map(|(e, v)| {
                        -0.5 * ((std::f64::consts::TAU * sigma2 * v).ln() + e * e / sigma2)
                    })
                    .collect(),
            )
        };
        let size = |i: usize| {
            if i < k {
                // A step in units in which the column moves the series by its noise.
                (self.sigma2 / mean_square(&x[i]).max(f64::MIN_POSITIVE)).sqrt()
            } else if i + 1 == free {
                self.sigma2
            } else {
                1.0
            }
        };
        let information = if opg {
            let mut scores: Vec<Vec<f64>> = Vec::with_capacity(free);
            for i in 0..free {
                let step = 1e-6 * size(i);
                let mut moved = at.clone();
                moved[i] = at[i] + step;
                let above = rows(&moved);
                moved[i] = at[i] - step;
                let below = rows(&moved);
                let (above, below, span) = match (above, below) {
                    (Some(a), Some(b)) => (a, b, 2.0 * step),
                    (Some(a), None) => (a, rows(&at)?, step),
                    (None, Some(b)) => (rows(&at)?, b, step),
                    (None, None) => return None,
                };
                scores.push(
                    above
                        .iter()
                        .zip(&below)
                        .map(|(a, b)| (a - b) / span)
                        .collect(),
                );
            }
            Array2::from_shape_fn((free, free), |(i, j)| dot(&scores[i], &scores[j]))
        } else {
            // In units of the sizes above, so that one step suits all.
            let mut f = |z: &[f64]| {
                let point: Vec<f64> = z
                    .iter()
                    .enumerate()
                    .map(|(i, z)| at[i] + z * size(i))
                    .collect();
                rows(&point).map_or(f64::NAN, |r| -r.iter().sum::<f64>())
            };
            let h = optimize::hessian(&mut f, &vec![0.0; free]);
            Array2::from_shape_fn((free, free), |(i, j)| h[i][j] / (size(i) * size(j)))
        };
        if information.iter().any(|v| !v.is_finite()) {
            return None;
        }
        // Unit diagonal first: parameters live on very different scales.
        let roots: Vec<f64> = (0..free).map(|i| information[[i, i]].sqrt()).collect();
        let scaled = Array2::from_shape_fn((free, free), |(i, j)| {
            information[[i, j]] / (roots[i] * roots[j])
        });
        let inverse = Cholesky::new(scaled)?.inverse();
        Some(
            (0..free)
                .map(|i| inverse[[i, i]].sqrt() / roots[i])
                .collect(),
        )
    }
}

/// A fitted model that goes on with its series.
pub(crate) struct Following {
    fit: Fit,
    /// 1 and the moving-average coefficients, as long as the state.
    r: Vec<f64>,
    /// The last errors u that differencing looks back to, oldest first.
    recent: Vec<f64>,
    /// Coefficients of a constant and of the row's number.
    line: (f64, f64),
    /// Rows taken in.
    rows: usize,
}

impl Following {
    /// After the rows of `y`; the columns of the fit are a constant and the row's number, where `line` says so.
    pub(crate) fn new(fit: Fit, y: &[f64], constant: bool, slope: bool) -> Self {
        let mut beta = fit.beta.iter().copied();
        let mut take = |there: bool| {
            if there {
                beta.next().unwrap_or_default()
            } else {
                0.0
            }
        };
        let line = (take(constant), take(slope));
        let keep = fit.orders.lost().min(y.len());
        let recent = (y.len() - keep..y.len())
            .map(|t| y[t] - line.0 - line.1 * (t + 1) as f64)
            .collect();
        let mut r = vec![1.0];
        r.extend(&fit.theta);
        r.resize(fit.state.len(), 0.0);
        Self {
            fit,
            r,
            recent,
            line,
            rows: y.len(),
        }
    }
}

impl Tracker for Following {
    fn update(&mut self, value: f64) {
        self.rows += 1;
        let u = value - self.line.0 - self.line.1 * self.rows as f64;
        let differencing = self.fit.orders.differencing();
        let n = self.recent.len();
        let past = differencing.iter().enumerate();
        let w = u - past.map(|(i, c)| c * self.recent[n - 1 - i]).sum::<f64>();
        if n > 0 {
            self.recent.remove(0);
            self.recent.push(u);
        }
        let k = self.fit.state.len();
        let phi = |i: usize| self.fit.phi.get(i).copied().unwrap_or(0.0);
        let p = &mut self.fit.covariance;
        let f = p[0];
        let first: Vec<f64> = p[..k].to_vec();
        let next = |i: usize| first.get(i + 1).copied().unwrap_or(0.0);
        let a = &mut self.fit.state;
        let (predicted, v) = (a[0], w - a[0]);
        for i in 0..k {
            let moved = if i + 1 < k { a[i + 1] } else { 0.0 };
            a[i] = moved + phi(i) * predicted + (phi(i) + next(i) / f) * v;
        }
        for i in 0..k {
            for j in i..k {
                let down = if j + 1 < k {
                    p[(i + 1) * k + j + 1]
                } else {
                    0.0
                };
                p[i * k + j] = down - next(i) * next(j) / f + self.r[i] * self.r[j];
            }
        }
    }

    fn forecast(&self, steps: usize) -> f64 {
        let k = self.fit.state.len();
        let differencing = self.fit.orders.differencing();
        let mut state = self.fit.state.clone();
        let mut known = self.recent.clone();
        let mut value = f64::NAN;
        for _ in 0..steps {
            let n = known.len();
            let past = differencing.iter().enumerate();
            value = state[0] + past.map(|(i, c)| c * known[n - 1 - i]).sum::<f64>();
            known.push(value);
            let first = state[0];
            for i in 0..k {
                let next = if i + 1 < k { state[i + 1] } else { 0.0 };
                state[i] = self.fit.phi.get(i).copied().unwrap_or(0.0) * first + next;
            }
        }
        value + self.line.0 + self.line.1 * (self.rows + steps) as f64
    }

    fn warnings(&self) -> Vec<String> {
        let unsure = !self.fit.converged;
        unsure
            .then(|| engine::NO_MAXIMUM.to_owned())
            .into_iter()
            .collect()
    }

    fn start(&self) -> Vec<f64> {
        let tops = &self.fit.tops;
        if tops.is_empty() {
            return Vec::new();
        }
        let count = std::iter::once(tops.len() as f64);
        count.chain(tops.iter().flatten().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;

    fn orders(p: usize, q: usize) -> Orders {
        Orders {
            p,
            d: 0,
            q,
            sp: 0,
            sd: 0,
            sq: 0,
            s: 1,
        }
    }

    #[test]
    fn partial_autocorrelations_there_and_back() {
        let c = from_partial(&[0.5, -0.3, 0.2]);
        assert_near(&to_partial(&c).unwrap(), &[0.5, -0.3, 0.2], 1e-14);
        // An autoregression of order 2: phi1 = r1 (1 - r2), phi2 = r2.
        assert_near(&from_partial(&[0.5, -0.3]), &[0.65, -0.3], 1e-15);
        assert!(to_partial(&[1.5]).is_none());
    }

    #[test]
    fn stationary_covariances_by_hand() {
        // AR(1) with 0.5: variance 1/(1 - 0.25).
        let c = Coefficients::from_flat(&orders(1, 0), &[0.5]);
        assert_near(&Process::new(&c, 1).unwrap().start, &[4.0 / 3.0], 1e-15);
        // MA(1) with 0.4: variance 1.16, its covariance with 0.4 e is 0.4, the variance of that 0.16.
        let c = Coefficients::from_flat(&orders(0, 1), &[0.4]);
        let start = Process::new(&c, 1).unwrap().start;
        assert_near(&[start[0], start[1], start[3]], &[1.16, 0.4, 0.16], 1e-15);
    }

    #[test]
    fn the_filter_gives_the_determinant_and_the_quadratic_form() {
        // Exact density of an MA(1) of three values with 0.4: covariance matrix with 1.16 and 0.4.
        let c = Coefficients::from_flat(&orders(0, 1), &[0.4]);
        let y = [1.0, -0.5, 2.0];
        let f = Process::new(&c, 1).unwrap().filter(&[&y]);
        let a = ndarray::array![[1.16, 0.4, 0.0], [0.4, 1.16, 0.4], [0.0, 0.4, 1.16]];
        let factor = Cholesky::new(a).unwrap();
        let mut solved = y.to_vec();
        factor.solve(&mut solved);
        assert_near(
            &[dot(&f.standard[0], &f.standard[0])],
            &[dot(&y, &solved)],
            1e-14,
        );
        let log_det: f64 = f.variance.iter().map(|v| v.ln()).sum();
        assert_near(&[log_det], &[factor.log_det()], 1e-14);
    }

    #[test]
    fn forecasts_of_a_random_walk_with_noise() {
        // ARIMA(0,1,1): the variance h steps ahead is s² (1 + (h-1)(1+θ)²), once the filter is steady.
        let o = Orders {
            d: 1,
            ..orders(0, 1)
        };
        let fit = Fit {
            orders: o,
            coefficients: Coefficients::from_flat(&o, &[-0.5]),
            beta: Vec::new(),
            sigma2: 4.0,
            log_likelihood: 0.0,
            converged: true,
            standard: Vec::new(),
            errors: Vec::new(),
            state: vec![-0.7, 0.0],
            covariance: vec![1.0, -0.5, 0.0, 0.25],
            phi: Vec::new(),
            theta: vec![-0.5],
            tops: Vec::new(),
        };
        let (level, std) = fit.forecast(&[3.0, 10.0], 3);
        assert_near(&level, &[9.3; 3], 1e-14);
        let want = [4.0_f64, 5.0, 6.0].map(f64::sqrt);
        assert_near(&std, &want, 1e-14);
    }

    #[test]
    fn a_warm_fit_is_never_lower() {
        // Closes: terms of both kinds nearly cancel, and the likelihood has several tops.
        let text = include_str!("../../tests/data/closes.csv");
        let cell = |line: &str| line.split(',').nth(1).unwrap().parse::<f64>().unwrap();
        let closes: Vec<f64> = text.lines().skip(1).map(cell).collect();
        for (p, q) in [(2, 1), (1, 1), (2, 0), (0, 2)] {
            let o = Orders {
                d: 1,
                ..orders(p, q)
            };
            let mut start: Option<Vec<f64>> = None;
            for rows in (0..5).map(|k| closes.len() * (k + 5) / 9) {
                let y = &closes[..rows];
                let cold = fit("arima", o, y, &[], Search::Thorough).unwrap();
                let search = start.as_deref().map_or(Search::Thorough, Search::From);
                let warm = fit("arima", o, y, &[], search).unwrap();
                let gain = warm.log_likelihood - cold.log_likelihood;
                assert!(gain > -1e-6, "{} {rows} rows: {gain}", o.label());
                start = Some(Following::new(warm, y, false, false).start());
            }
        }
    }

    #[test]
    fn following_a_series_is_fitting_with_the_coefficients_held() {
        // The Nile's first 60 years, then 40 more one by one: the state is that of one pass over all 100.
        let text = include_str!("../../tests/data/series/nile.csv");
        let y: Vec<f64> = text
            .lines()
            .skip(1)
            .map(|l| l.split(',').nth(1).unwrap().parse().unwrap())
            .collect();
        let o = Orders {
            d: 1,
            ..orders(1, 1)
        };
        let early = fit("arima", o, &y[..60], &[], Search::Thorough).unwrap();
        let c = early.coefficients.clone();
        let mut following = Following::new(early, &y[..60], false, false);
        for v in &y[60..] {
            following.update(*v);
        }
        let process = Process::new(&c, 1).unwrap();
        let w = o.difference(&y);
        let whole = process.filter(&[&w]);
        let next = y[99] + whole.state[0][0];
        assert_near(&[following.forecast(1)], &[next], 1e-10);
        let second = next + c.ar[0] * whole.state[0][0] + whole.state[0][1];
        assert_near(&[following.forecast(2)], &[second], 1e-10);
    }
}
