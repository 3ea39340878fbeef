//! Minimisation of functions of a few parameters whose gradient nobody has written down: likelihoods and
//! sums of squares of time-series models. Every result says whether it converged. A value that is not a
//! number counts as infinite, so a function may refuse a point by giving NaN.
//!
//! For functions with a known gradient and many parameters there is [`crate::numeric::minimise`].

use crate::numeric::{add_scaled, dot};
use std::collections::VecDeque;

/// When a search stops.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Steps at most.
    pub(crate) steps: usize,
    /// Largest entry of the gradient, each multiplied by the size of its parameter (at least 1) and
    /// divided by the size of the value (at least 1): the relative gradient of Dennis & Schnabel.
    pub(crate) gradient: f64,
    /// Gain of a step, relative to the size of the value (at least 1), that counts as none.
    pub(crate) gain: f64,
}

impl Default for Limits {
    /// What suits a log likelihood computed in double precision.
    fn default() -> Self {
        Self {
            steps: 500,
            gradient: 1e-7,
            gain: 1e-13,
        }
    }
}

/// Where a search stopped.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The point.
    pub(crate) at: Vec<f64>,
    /// The value there; infinite when no finite one was met.
    pub(crate) value: f64,
    /// Steps taken.
    pub(crate) steps: usize,
    /// Whether it stopped because it stood on a minimum, as far as the limits tell.
    pub(crate) converged: bool,
}

impl Found {
    /// The lower of two; that of the first when they are equal.
    pub(crate) fn or_lower(self, other: Self) -> Self {
        if other.value < self.value {
            other
        } else {
            self
        }
    }
}

/// A relative gradient of this size is not told from none where rounding ends a line search.
const ROUNDING: f64 = 1e-4;

fn finite(value: f64) -> f64 {
    if value.is_nan() { f64::INFINITY } else { value }
}

fn relative(gradient: &[f64], x: &[f64], value: f64) -> f64 {
    let size = value.abs().max(1.0);
    let each = gradient.iter().zip(x);
    each.fold(0.0, |m: f64, (g, x)| {
        m.max((g * x.abs().max(1.0) / size).abs())
    })
}

/// Gradient by central differences; where one side has no finite value, by the other side alone.
pub(crate) fn gradient(f: &mut impl FnMut(&[f64]) -> f64, x: &[f64], value: f64) -> Vec<f64> {
    let mut at = x.to_vec();
    (0..x.len())
        .map(|i| {
            let step = f64::EPSILON.cbrt() * x[i].abs().max(1.0);
            let (up, down) = (x[i] + step, x[i] - step);
            at[i] = up;
            let above = finite(f(&at));
            at[i] = down;
            let below = finite(f(&at));
            at[i] = x[i];
            match (above.is_finite(), below.is_finite()) {
                (true, true) => (above - below) / (up - down),
                (true, false) => (above - value) / (up - x[i]),
                (false, true) => (value - below) / (x[i] - down),
                (false, false) => 0.0,
            }
        })
        .collect()
}

/// Second derivatives by central differences, by rows.
pub(crate) fn hessian(f: &mut impl FnMut(&[f64]) -> f64, x: &[f64]) -> Vec<Vec<f64>> {
    let n = x.len();
    let step: Vec<f64> = x
        .iter()
        .map(|x| f64::EPSILON.powf(0.25) * x.abs().max(0.1))
        .collect();
    let mut at = x.to_vec();
    let mut value = |moves: &[(usize, f64)]| {
        for (i, by) in moves {
            at[*i] += by * step[*i];
        }
        let value = f(&at);
        at.copy_from_slice(x);
        value
    };
    let centre = value(&[]);
    let mut h = vec![vec![0.0; n]; n];
    for i in 0..n {
        let sides = value(&[(i, 1.0)]) + value(&[(i, -1.0)]);
        h[i][i] = (sides - 2.0 * centre) / (step[i] * step[i]);
        for j in 0..i {
            let mut corner = |a: f64, b: f64| value(&[(i, a), (j, b)]);
            let same = corner(1.0, 1.0) + corner(-1.0, -1.0);
            let mixed = corner(1.0, -1.0) + corner(-1.0, 1.0);
            let second = (same - mixed) / (4.0 * step[i] * step[j]);
            h[i][j] = second;
            h[j][i] = second;
        }
    }
    h
}

/// Minimises a smooth function, by gradients from central differences, with quasi-Newton steps (Broyden,
/// Fletcher, Goldfarb, Shanno; Nocedal & Wright, Numerical Optimization, 2nd ed., algorithm 6.1) and a line
/// search for the weak Wolfe conditions by bisection (Lewis & Overton, 2013), which walks around points
/// without a finite value.
pub(crate) fn bfgs(mut f: impl FnMut(&[f64]) -> f64, start: &[f64], limits: &Limits) -> Found {
    // Two views of one function: the search asks for values far more often than for gradients.
    search(
        &mut |x: &[f64], slope: Option<f64>| match slope {
            None => (finite(f(x)), Vec::new()),
            Some(value) => (value, gradient(&mut f, x, value)),
        },
        start,
        limits,
        |_, _| false,
    )
}

/// The same, given up (none) where it comes so near to one of the minima `known` that it would end there.
pub(crate) fn bfgs_elsewhere(
    mut f: impl FnMut(&[f64]) -> f64,
    start: &[f64],
    limits: &Limits,
    known: &[Found],
) -> Option<Found> {
    const DEPTH: f64 = 0.02;
    const WIDTH: f64 = 0.1;
    let mut arrived = false;
    let found = search(
        &mut |x: &[f64], slope: Option<f64>| match slope {
            None => (finite(f(x)), Vec::new()),
            Some(value) => (value, gradient(&mut f, x, value)),
        },
        start,
        limits,
        |x, value| {
            arrived = known.iter().filter(|k| k.converged).any(|k| {
                let near = x.iter().zip(&k.at).all(|(a, b)| (a - b).abs() < WIDTH);
                near && (0.0..DEPTH).contains(&(value - k.value))
            });
            arrived
        },
    );
    (!arrived).then_some(found)
}

/// The search behind [`bfgs`]: `f(x, None)` gives the value, `f(x, Some(value))` the
/// gradient at the point that was asked for last; `leave` sees each step and may end it.
fn search(
    f: &mut impl FnMut(&[f64], Option<f64>) -> (f64, Vec<f64>),
    start: &[f64],
    limits: &Limits,
    mut leave: impl FnMut(&[f64], f64) -> bool,
) -> Found {
    let n = start.len();
    let mut x = start.to_vec();
    let mut value = f(&x, None).0;
    let done = |at: Vec<f64>, value, steps, converged| Found {
        at,
        value,
        steps,
        converged,
    };
    if n == 0 || !value.is_finite() {
        return done(x, value, 0, n == 0 && value.is_finite());
    }
    let mut slope = f(&x, Some(value)).1;
    let mut inverse = identity(n);
    let mut fresh = true;
    let mut idle = 0;
    for step in 0..limits.steps {
        let size = relative(&slope, &x, value);
        if size <= limits.gradient {
            return done(x, value, step, true);
        }
        let mut direction: Vec<f64> = inverse.iter().map(|row| -dot(row, &slope)).collect();
        let mut descent = dot(&direction, &slope);
        if descent.is_nan() || descent >= 0.0 {
            inverse = identity(n);
            fresh = true;
            direction = slope.iter().map(|g| -g).collect();
            descent = dot(&direction, &slope);
        }
        if fresh {
            // The first step is one of length at most 1: the scale is not known yet.
            let length = (-descent).sqrt();
            if length > 1.0 {
                direction.iter_mut().for_each(|d| *d /= length);
                descent /= length;
            }
        }
        let (mut low, mut high, mut length) = (0.0, f64::INFINITY, 1.0);
        let mut best: Option<(Vec<f64>, f64, Vec<f64>)> = None;
        for _ in 0..60 {
            let next: Vec<f64> = x
                .iter()
                .zip(&direction)
                .map(|(x, d)| x + length * d)
                .collect();
            let there = f(&next, None).0;
            if there.is_nan() || there > value + 1e-4 * length * descent {
                high = length;
            } else {
                let gradient = f(&next, Some(there)).1;
                let flat = dot(&gradient, &direction) >= 0.9 * descent;
                best = Some((next, there, gradient));
                if flat {
                    break;
                }
                low = length;
            }
            length = if high.is_finite() {
                (low + high) / 2.0
            } else {
                2.0 * length
            };
            if high.is_finite() && best.is_some() && high - low < 1e-3 * high {
                break;
            }
        }
        let Some((next, there, gradient)) = best else {
            if fresh {
                // Not even along the gradient: as low as rounding lets it go.
                return done(x, value, step, size <= ROUNDING);
            }
            inverse = identity(n);
            fresh = true;
            continue;
        };
        let moved: Vec<f64> = next.iter().zip(&x).map(|(a, b)| a - b).collect();
        let change: Vec<f64> = gradient.iter().zip(&slope).map(|(a, b)| a - b).collect();
        let curvature = dot(&moved, &change);
        if curvature > 1e-14 * (dot(&moved, &moved) * dot(&change, &change)).sqrt() {
            if fresh {
                let scale = curvature / dot(&change, &change);
                for (i, row) in inverse.iter_mut().enumerate() {
                    row[i] = scale;
                }
            }
            update(&mut inverse, &moved, &change, curvature);
            fresh = false;
        }
        let gain = (value - there) / value.abs().max(there.abs()).max(1.0);
        (x, value, slope) = (next, there, gradient);
        if leave(&x, value) {
            return done(x, value, step + 1, false);
        }
        idle = if gain <= limits.gain { idle + 1 } else { 0 };
        if idle == 3 {
            let flat = relative(&slope, &x, value) <= ROUNDING;
            return done(x, value, step + 1, flat);
        }
    }
    let flat = relative(&slope, &x, value) <= limits.gradient;
    done(x, value, limits.steps, flat)
}

fn identity(n: usize) -> Vec<Vec<f64>> {
    (0..n)
        .map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect())
        .collect()
}

/// The update of the inverse of the second derivatives.
fn update(inverse: &mut [Vec<f64>], moved: &[f64], change: &[f64], curvature: f64) {
    let through: Vec<f64> = inverse.iter().map(|row| dot(row, change)).collect();
    let factor = (1.0 + dot(&through, change) / curvature) / curvature;
    for (i, row) in inverse.iter_mut().enumerate() {
        for (j, h) in row.iter_mut().enumerate() {
            *h += factor * moved[i] * moved[j]
                - (through[i] * moved[j] + moved[i] * through[j]) / curvature;
        }
    }
}

/// Minimises any function by the simplex of Nelder & Mead (1965) with the coefficients of Gao & Han
/// (2012), which suit more than two parameters; `scale` is the size of the first simplex along each
/// parameter. It stops when values differ by less than `limits.gain` and then starts once more from
/// there, so that a simplex which collapsed too early is not taken for a minimum; `limits.gradient` is the
/// relative size of the simplex at which it stops.
pub(crate) fn nelder_mead(
    mut f: impl FnMut(&[f64]) -> f64,
    start: &[f64],
    scale: &[f64],
    limits: &Limits,
) -> Found {
    let first = simplex(&mut f, start, scale, limits, limits.steps);
    if !first.converged || first.at.is_empty() {
        return first;
    }
    let smaller: Vec<f64> = scale.iter().map(|s| s / 4.0).collect();
    let left = limits.steps.saturating_sub(first.steps);
    let mut second = simplex(&mut f, &first.at, &smaller, limits, left);
    let gain = (first.value - second.value) / first.value.abs().max(1.0);
    // Rounds that gain nothing end it; a first end that was far off is not called a minimum.
    second.converged = second.converged || gain.abs() <= limits.gain.sqrt();
    second.steps += first.steps;
    first.or_lower(second)
}

fn simplex(
    f: &mut impl FnMut(&[f64]) -> f64,
    start: &[f64],
    scale: &[f64],
    limits: &Limits,
    steps: usize,
) -> Found {
    let n = start.len();
    let mut corners: Vec<(f64, Vec<f64>)> = vec![(finite(f(start)), start.to_vec())];
    for (i, s) in scale.iter().enumerate() {
        let mut corner = start.to_vec();
        corner[i] += s;
        let mut value = finite(f(&corner));
        if value.is_infinite() {
            corner[i] = start[i] - s;
            value = finite(f(&corner));
        }
        corners.push((value, corner));
    }
    let size = (n as f64).max(2.0);
    let (expand, contract, shrink) = (
        1.0 + 2.0 / size,
        0.75 - 1.0 / (2.0 * size),
        1.0 - 1.0 / size,
    );
    let sort = |c: &mut Vec<(f64, Vec<f64>)>| c.sort_by(|a, b| a.0.total_cmp(&b.0));
    sort(&mut corners);
    let mut taken = 0;
    let mut converged = n == 0;
    while n > 0 && taken < steps {
        let (best, worst) = (corners[0].0, corners[n].0);
        let near = corners[1..].iter().all(|(_, c)| {
            let gaps = c.iter().zip(&corners[0].1);
            gaps.fold(0.0, |m: f64, (a, b)| {
                m.max((a - b).abs() / b.abs().max(1.0))
            }) <= limits.gradient.max(1e-12).sqrt()
        });
        if best.is_finite() && near && worst - best <= limits.gain * best.abs().max(1.0) {
            converged = true;
            break;
        }
        taken += 1;
        let centre: Vec<f64> = (0..n)
            .map(|k| corners[..n].iter().map(|(_, c)| c[k]).sum::<f64>() / n as f64)
            .collect();
        let last = corners[n].1.clone();
        let along = |by: f64| -> Vec<f64> {
            let pairs = centre.iter().zip(&last);
            pairs.map(|(c, w)| c + by * (c - w)).collect()
        };
        let reflected = along(1.0);
        let value = finite(f(&reflected));
        let next = if value < best {
            let far = along(expand);
            let further = finite(f(&far));
            if further < value {
                Some((further, far))
            } else {
                Some((value, reflected))
            }
        } else if value < corners[n - 1].0 {
            Some((value, reflected))
        } else {
            let (near, limit) = if value < worst {
                (along(contract), value)
            } else {
                (along(-contract), worst)
            };
            let inside = finite(f(&near));
            (inside < limit).then_some((inside, near))
        };
        if let Some(next) = next {
            corners[n] = next;
        } else {
            let home = corners[0].1.clone();
            for (value, corner) in &mut corners[1..] {
                for (c, h) in corner.iter_mut().zip(&home) {
                    *c = h + shrink * (*c - h);
                }
                *value = finite(f(corner));
            }
        }
        sort(&mut corners);
    }
    let (value, at) = corners.swap_remove(0);
    Found {
        converged: converged && value.is_finite(),
        at,
        value,
        steps: taken,
    }
}

/// When [`lbfgs`] stops.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LbfgsLimits {
    /// Steps at most.
    pub(crate) steps: usize,
    /// Evaluations after which no further step is begun.
    pub(crate) evaluations: usize,
    /// Largest entry of the gradient that counts as none.
    pub(crate) gradient: f64,
    /// Gain of a step, relative to the size of the value (at least 1), that counts as none.
    pub(crate) gain: f64,
}

/// Minimises a smooth function (value and gradient) by quasi-Newton steps from the last ten changes of
/// the gradient (Liu & Nocedal, Mathematical Programming 45, 1989), with the line search of Moré &
/// Thuente. Steps, and the rules that end them, are those of L-BFGS-B without bounds (Byrd, Lu, Nocedal &
/// Zhu, SIAM J. Sci. Comput. 16, 1995) as SciPy sets it up, so that one start leads into one valley.
pub(crate) fn lbfgs(
    mut f: impl FnMut(&[f64]) -> (f64, Vec<f64>),
    start: Vec<f64>,
    limits: &LbfgsLimits,
) -> Found {
    const MEMORY: usize = 10;
    /// Evaluations of one line search at most.
    const TRIALS: usize = 20;
    const LONGEST: f64 = 1e10;
    let steepest = |g: &[f64]| g.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
    let mut x = start;
    let (mut value, mut gradient) = f(&x);
    let (mut steps, mut evaluations) = (0, 1);
    let mut pairs: VecDeque<(Vec<f64>, Vec<f64>, f64)> = VecDeque::new();
    let done = |at: Vec<f64>, value, steps, converged| Found {
        at,
        value,
        steps,
        converged,
    };
    if steepest(&gradient) <= limits.gradient {
        return done(x, value, 0, true);
    }
    loop {
        let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let mut shares = Vec::with_capacity(pairs.len());
        for (s, y, rho) in pairs.iter().rev() {
            let share = rho * dot(s, &direction);
            add_scaled(&mut direction, -share, y);
            shares.push(share);
        }
        if let Some((_, y, rho)) = pairs.back() {
            let scale = 1.0 / (rho * dot(y, y));
            direction.iter_mut().for_each(|d| *d *= scale);
        }
        for ((s, y, rho), share) in pairs.iter().zip(shares.iter().rev()) {
            let back = rho * dot(y, &direction);
            add_scaled(&mut direction, share - back, s);
        }
        let before = dot(&gradient, &direction);
        // The first step of all is one of length at most 1: the scale is not known yet.
        let first = if steps == 0 {
            (1.0 / dot(&direction, &direction).sqrt()).min(LONGEST)
        } else {
            1.0
        };
        let mut taken = None;
        if before < 0.0 && first.is_finite() {
            let mut line = LineSearch::new(value, before, first, LONGEST);
            for _ in 0..TRIALS {
                let length = line.step;
                let next: Vec<f64> = x
                    .iter()
                    .zip(&direction)
                    .map(|(x, d)| x + length * d)
                    .collect();
                let (there, slope) = f(&next);
                evaluations += 1;
                let along = dot(&slope, &direction);
                if line.ends(there, along) {
                    taken = Some((next, there, slope, length, along));
                    break;
                }
                if !line.step.is_finite() {
                    break;
                }
            }
        }
        let Some((next, there, slope, length, along)) = taken else {
            if pairs.is_empty() {
                return done(x, value, steps, false);
            }
            // The curvature that is remembered may be off: from here on without it.
            pairs.clear();
            continue;
        };
        let change: Vec<f64> = slope.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        let gain = value - there;
        let size = value.abs().max(there.abs()).max(1.0);
        (x, value, gradient) = (next, there, slope);
        steps += 1;
        if steps >= limits.steps || evaluations > limits.evaluations {
            return done(x, value, steps, false);
        }
        if steepest(&gradient) <= limits.gradient || gain <= limits.gain * size {
            return done(x, value, steps, true);
        }
        let curvature = length * (along - before);
        if curvature > f64::EPSILON * -before * length {
            if pairs.len() == MEMORY {
                pairs.pop_front();
            }
            direction.iter_mut().for_each(|d| *d *= length);
            pairs.push_back((direction, change, 1.0 / curvature));
        }
    }
}

/// A point of a line: how far along it is, the value there, and its derivative.
#[derive(Debug, Clone, Copy)]
struct Along {
    at: f64,
    value: f64,
    slope: f64,
}

impl Along {
    /// The same for the function less `tilt` times the way along the line.
    fn tilted(self, tilt: f64) -> Self {
        Self {
            at: self.at,
            value: self.value - self.at * tilt,
            slope: self.slope - tilt,
        }
    }
}

/// A search along a line for a step with enough of a decrease (1e-3 of what the slope promises) and a
/// slope that is flat enough (0.9 of the first one): Moré & Thuente, Line search algorithms with
/// guaranteed sufficient decrease, ACM Trans. Math. Softw. 20 (1994).
struct LineSearch {
    /// The step to try.
    step: f64,
    start: Along,
    /// The best step so far, and the other end of the interval.
    best: Along,
    other: Along,
    bracketed: bool,
    /// Whether the interval is still one for the tilted function.
    tilted: bool,
    /// Where the next step must lie.
    low: f64,
    high: f64,
    longest: f64,
    /// Lengths of the interval now and before.
    width: f64,
    width_before: f64,
}

impl LineSearch {
    const DECREASE: f64 = 1e-3;
    const FLAT: f64 = 0.9;
    /// Relative length of an interval that is narrowed down no further.
    const NARROW: f64 = 0.1;

    /// From a value and a slope below 0, with the first step to try.
    fn new(value: f64, slope: f64, step: f64, longest: f64) -> Self {
        let start = Along {
            at: 0.0,
            value,
            slope,
        };
        Self {
            step,
            start,
            best: start,
            other: start,
            bracketed: false,
            tilted: true,
            low: 0.0,
            high: step + 4.0 * step,
            longest,
            width: longest,
            width_before: 2.0 * longest,
        }
    }

    /// Takes value and slope at the step; true when that step is the answer, otherwise there is a new one.
    fn ends(&mut self, value: f64, slope: f64) -> bool {
        let now = Along {
            at: self.step,
            value,
            slope,
        };
        let tilt = Self::DECREASE * self.start.slope;
        let enough = self.start.value + now.at * tilt;
        if self.tilted && value <= enough && slope >= 0.0 {
            self.tilted = false;
        }
        let outside = now.at <= self.low || now.at >= self.high;
        let narrow = self.high - self.low <= Self::NARROW * self.high;
        let at_end = now.at == self.longest && value <= enough && slope <= tilt;
        let at_start = now.at == 0.0 && (value > enough || slope >= tilt);
        let good = value <= enough && slope.abs() <= Self::FLAT * -self.start.slope;
        if self.bracketed && (outside || narrow) || at_end || at_start || good {
            return true;
        }
        // A lower value with too little of a decrease: the tilted function tells better where to go.
        let by = if self.tilted && value <= self.best.value && value > enough {
            tilt
        } else {
            0.0
        };
        let (mut best, mut other) = (self.best.tilted(by), self.other.tilted(by));
        self.step = self.narrowed(&mut best, &mut other, now.tilted(by));
        (self.best, self.other) = (best.tilted(-by), other.tilted(-by));
        let length = (self.other.at - self.best.at).abs();
        if self.bracketed {
            if length >= 0.66 * self.width_before {
                self.step = self.best.at + 0.5 * (self.other.at - self.best.at);
            }
            self.width_before = self.width;
            self.width = length;
            self.low = self.best.at.min(self.other.at);
            self.high = self.best.at.max(self.other.at);
        } else {
            self.low = self.step + 1.1 * (self.step - self.best.at);
            self.high = self.step + 4.0 * (self.step - self.best.at);
        }
        self.step = self.step.max(0.0).min(self.longest);
        let outside = self.step <= self.low || self.step >= self.high;
        let narrow = self.high - self.low <= Self::NARROW * self.high;
        if self.bracketed && (outside || narrow) {
            self.step = self.best.at;
        }
        false
    }

    /// The next step by cubics and secants through the points (section 4 of the paper); moves the ends of
    /// the interval.
    fn narrowed(&mut self, best: &mut Along, other: &mut Along, now: Along) -> f64 {
        let (x, y) = (*best, *other);
        let opposite = now.slope * x.slope.signum() < 0.0;
        // Where the derivative of the cubic through two points vanishes, as a share of the way from the
        // first to the second; and the root that tells whether it does.
        let cubic = |from: Along, to: Along, forward: bool, clamp: bool| {
            let theta = 3.0 * (to.value - from.value) / (from.at - to.at) + from.slope + to.slope;
            let scale = theta.abs().max(from.slope.abs()).max(to.slope.abs());
            let under = (theta / scale).powi(2) - from.slope / scale * (to.slope / scale);
            let mut root = scale * if clamp { under.max(0.0) } else { under }.sqrt();
            if !forward {
                root = -root;
            }
            let p = root - from.slope + theta;
            let q = if clamp {
                root + (to.slope - from.slope) + root
            } else {
                root - from.slope + root + to.slope
            };
            (p / q, root)
        };
        let secant = now.at + now.slope / (now.slope - x.slope) * (x.at - now.at);
        let next = if now.value > x.value {
            // Higher: the minimum lies between.
            let way = now.at - x.at;
            let c = x.at + cubic(x, now, now.at >= x.at, false).0 * way;
            let slope = (x.value - now.value) / way + x.slope;
            let q = x.at + x.slope / slope / 2.0 * way;
            self.bracketed = true;
            if (c - x.at).abs() <= (q - x.at).abs() {
                c
            } else {
                c + (q - c) / 2.0
            }
        } else if opposite {
            // Lower, and uphill from here: the minimum lies between.
            let c = now.at + cubic(now, x, now.at <= x.at, false).0 * (x.at - now.at);
            self.bracketed = true;
            if (c - now.at).abs() > (secant - now.at).abs() {
                c
            } else {
                secant
            }
        } else if now.slope.abs() < x.slope.abs() {
            // Lower, and flatter.
            let (r, root) = cubic(now, x, now.at <= x.at, true);
            let c = if r < 0.0 && root != 0.0 {
                now.at + r * (x.at - now.at)
            } else if now.at > x.at {
                self.high
            } else {
                self.low
            };
            let (near, far) = ((c - now.at).abs(), (secant - now.at).abs());
            if self.bracketed {
                let next = if near < far { c } else { secant };
                let most = now.at + 0.66 * (y.at - now.at);
                if now.at > x.at {
                    most.min(next)
                } else {
                    most.max(next)
                }
            } else {
                let next = if near > far { c } else { secant };
                next.max(self.low).min(self.high)
            }
        } else if self.bracketed {
            // Lower, and no flatter.
            now.at + cubic(now, y, now.at <= y.at, false).0 * (y.at - now.at)
        } else if now.at > x.at {
            self.high
        } else {
            self.low
        };
        if now.value > x.value {
            *other = now;
        } else {
            if opposite {
                *other = x;
            }
            *best = now;
        }
        next
    }
}

/// Minimum of a function of one number within `[low, high]`, by golden sections and parabolas (Brent,
/// Algorithms for Minimization without Derivatives, 1973, chapter 5); the borders are looked at too. For
/// a function with several valleys it finds one of them.
pub(crate) fn within(mut f: impl FnMut(f64) -> f64, low: f64, high: f64) -> Found {
    const GOLDEN: f64 = 0.381_966_011_250_105;
    const STEPS: usize = 200;
    let (mut a, mut b) = (low, high);
    let mut x = a + GOLDEN * (b - a);
    let (mut w, mut v) = (x, x);
    let mut fx = finite(f(x));
    let (mut fw, mut fv) = (fx, fx);
    let (mut d, mut e): (f64, f64) = (0.0, 0.0);
    let mut steps = 0;
    let mut converged = false;
    while steps < STEPS {
        let middle = (a + b) / 2.0;
        let tolerance = 1e-10 * x.abs() + 1e-14;
        if (x - middle).abs() <= 2.0 * tolerance - (b - a) / 2.0 {
            converged = true;
            break;
        }
        let mut golden = true;
        if e.abs() > tolerance {
            let r = (x - w) * (fx - fv);
            let mut q = (x - v) * (fx - fw);
            let mut p = (x - v) * q - (x - w) * r;
            q = 2.0 * (q - r);
            if q > 0.0 {
                p = -p;
            }
            q = q.abs();
            let before = e;
            e = d;
            if p.abs() < (0.5 * q * before).abs() && p > q * (a - x) && p < q * (b - x) {
                d = p / q;
                let u = x + d;
                if u - a < 2.0 * tolerance || b - u < 2.0 * tolerance {
                    d = if x < middle { tolerance } else { -tolerance };
                }
                golden = false;
            }
        }
        if golden {
            e = if x < middle { b - x } else { a - x };
            d = GOLDEN * e;
        }
        let u = if d.abs() >= tolerance {
            x + d
        } else {
            x + tolerance.copysign(d)
        };
        let fu = finite(f(u));
        steps += 1;
        if fu <= fx {
            if u < x {
                b = x
            } else {
                a = x
            }
            (v, fv) = (w, fw);
            (w, fw) = (x, fx);
            (x, fx) = (u, fu);
        } else {
            if u < x {
                a = u
            } else {
                b = u
            }
            if fu <= fw || w == x {
                (v, fv) = (w, fw);
                (w, fw) = (u, fu);
            } else if fu <= fv || v == x || v == w {
                (v, fv) = (u, fu);
            }
        }
    }
    let mut found = Found {
        at: vec![x],
        value: fx,
        steps,
        converged: converged && fx.is_finite(),
    };
    for border in [low, high] {
        let value = finite(f(border));
        if value < found.value {
            found.at = vec![border];
            found.value = value;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;

    /// Rosenbrock's valley, lowest at (1, 1).
    fn valley(x: &[f64]) -> f64 {
        let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
        a * a + 100.0 * b * b
    }

    /// Powell's function, lowest at 0, where its second derivatives are singular.
    fn powell(x: &[f64]) -> f64 {
        (x[0] + 10.0 * x[1]).powi(2)
            + 5.0 * (x[2] - x[3]).powi(2)
            + (x[1] - 2.0 * x[2]).powi(4)
            + 10.0 * (x[0] - x[3]).powi(4)
    }

    #[test]
    fn minima_of_test_functions() {
        let found = bfgs(valley, &[-1.2, 1.0], &Limits::default());
        assert!(found.converged, "{found:?}");
        assert_near(&found.at, &[1.0, 1.0], 1e-5);
        let found = nelder_mead(valley, &[-1.2, 1.0], &[0.5, 0.5], &Limits::default());
        assert!(found.converged);
        assert_near(&found.at, &[1.0, 1.0], 1e-4);
        let limits = Limits {
            steps: 5000,
            ..Limits::default()
        };
        for found in [
            bfgs(powell, &[3.0, -1.0, 0.0, 1.0], &limits),
            nelder_mead(powell, &[3.0, -1.0, 0.0, 1.0], &[1.0; 4], &limits),
        ] {
            assert!(found.converged && found.value < 1e-8, "{found:?}");
        }
    }

    #[test]
    fn too_few_steps_are_not_called_converged() {
        let limits = Limits {
            steps: 3,
            ..Limits::default()
        };
        assert!(!bfgs(valley, &[-1.2, 1.0], &limits).converged);
        assert!(!nelder_mead(valley, &[-1.2, 1.0], &[0.5, 0.5], &limits).converged);
        let nowhere = bfgs(|_| f64::NAN, &[1.0], &Limits::default());
        assert!(!nowhere.converged && nowhere.value.is_infinite());
        assert!(!nelder_mead(|_| f64::NAN, &[1.0], &[1.0], &limits).converged);
        // No minimum at all.
        assert!(!bfgs(|x| -x[0], &[0.0], &limits).converged);
    }

    #[test]
    fn a_function_that_is_not_defined_everywhere() {
        // x - ln x has its minimum at 1 and no value left of 0.
        let f = |x: &[f64]| x[0] - x[0].ln();
        let found = bfgs(f, &[8.0], &Limits::default());
        assert!(found.converged);
        assert_near(&found.at, &[1.0], 1e-6);
        let found = nelder_mead(f, &[8.0], &[-10.0], &Limits::default());
        assert_near(&found.at, &[1.0], 1e-4);
    }

    #[test]
    fn one_number_within_bounds() {
        let found = within(|x| (x - 0.3).powi(2), 0.0, 1.0);
        assert!(found.converged);
        assert_near(&found.at, &[0.3], 1e-8);
        assert_eq!(within(|x| -x, 0.0, 1.0).at, [1.0]);
        assert_eq!(within(|x| x, 0.25, 1.0).at, [0.25]);
    }

    #[test]
    fn derivatives_by_hand() {
        // f = x² y + sin y at (2, 1): gradient (2xy, x² + cos y), second (2y, 2x; 2x, -sin y).
        let mut f = |x: &[f64]| x[0] * x[0] * x[1] + x[1].sin();
        let at = [2.0, 1.0];
        let value = f(&at);
        let slope = gradient(&mut f, &at, value);
        assert_near(&slope, &[4.0, 4.0 + 1.0_f64.cos()], 1e-9);
        let h = hessian(&mut f, &at);
        assert_near(&h[0], &[2.0, 4.0], 1e-5);
        assert_near(&h[1], &[4.0, -(1.0_f64.sin())], 1e-5);
    }

    #[test]
    fn quasi_newton_steps_as_scipy() {
        // SciPy 1.17.1, minimize(method="L-BFGS-B", jac=True, options={"maxiter": steps, "gtol": 1e-8,
        // "ftol": 2.2e-9}) for Rosenbrock's valley in four figures from (-1.2, 1, -0.7, 2): point, value and
        // nit after so many steps at most.
        let valley = |x: &[f64]| {
            let mut slope = vec![0.0; x.len()];
            let mut value = 0.0;
            for i in 0..x.len() - 1 {
                let (a, b) = (1.0 - x[i], x[i + 1] - x[i] * x[i]);
                value += a * a + 100.0 * b * b;
                slope[i] += -2.0 * a - 400.0 * b * x[i];
                slope[i + 1] += 200.0 * b;
            }
            (value, slope)
        };
        let cases: [(usize, [f64; 4], f64, usize); 4] = [
            (
                1,
                [
                    -0.8933908904539897,
                    0.1581048569052036,
                    -0.8129163418272412,
                    1.5705197074077222,
                ],
                201.5087085869623,
                1,
            ),
            (
                7,
                [
                    0.19315930327396696,
                    0.019645537660961745,
                    -0.05415140844952765,
                    -0.05654376765592142,
                ],
                3.4057005917309464,
                7,
            ),
            (
                20,
                [
                    0.7420544669169575,
                    0.5350646007341515,
                    0.2528358248626739,
                    0.051007763125333866,
                ],
                0.9938632526915497,
                20,
            ),
            (
                1000,
                [
                    1.0000000384012382,
                    1.0000000688481063,
                    1.0000001371737768,
                    1.0000002672965604,
                ],
                3.635753606904803e-14,
                40,
            ),
        ];
        for (steps, at, value, taken) in cases {
            let limits = LbfgsLimits {
                steps,
                evaluations: 15_000,
                gradient: 1e-8,
                gain: 2.2e-9,
            };
            let found = lbfgs(valley, vec![-1.2, 1.0, -0.7, 2.0], &limits);
            assert_near(&found.at, &at, 1e-8);
            assert_near(&[found.value], &[value], 1e-8);
            assert_eq!((found.steps, found.converged), (taken, taken < steps));
        }
    }
}
