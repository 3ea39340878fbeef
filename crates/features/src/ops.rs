//! The few operations the expressions are made of. A window is computed from its own rows only, not
//! by adding the newest and taking away the oldest: so a value has the same bits whatever came
//! before the window, and a window of equal values has no residue of rounding.

use polars::prelude::*;
use std::borrow::Cow;

/// The column of that name.
pub(crate) fn c(name: &str) -> Expr {
    col(name)
}

/// The value n rows before; missing in the first n rows.
pub(crate) fn lag(e: Expr, n: usize) -> Expr {
    e.shift(lit(n as i64))
}

/// The natural logarithm; missing where it is not finite.
pub(crate) fn ln(e: Expr) -> Expr {
    window(e, 1, |w| w[0].ln())
}

/// The daily log return; a column of its own, because half of the features start from it.
pub(crate) fn r() -> Expr {
    c("r")
}

/// How that column is made.
pub(crate) fn log_return() -> Expr {
    ln(c("close") / lag(c("close"), 1)).alias("r")
}

/// `f` of the last n values, the newest last; missing while one of them is, or where `f` is not
/// finite.
pub(crate) fn window(e: Expr, n: usize, f: fn(&[f64]) -> f64) -> Expr {
    e.apply(
        move |column| {
            let values = floats(column.f64()?);
            let mut run = 0;
            let out: Float64Chunked = (0..values.len())
                .map(|i| {
                    run = if values[i].is_nan() { 0 } else { run + 1 };
                    (run >= n)
                        .then(|| f(&values[i + 1 - n..=i]))
                        .filter(|x| x.is_finite())
                })
                .collect();
            Ok(out.with_name(column.name().clone()).into_column())
        },
        |_, field| Ok(Field::new(field.name().clone(), DataType::Float64)),
    )
}

/// `f` of the last n pairs of values, the newest last; missing while one of them is, or where `f` is
/// not finite.
pub(crate) fn window2(a: Expr, b: Expr, n: usize, f: fn(&[f64], &[f64]) -> f64) -> Expr {
    a.apply_many(
        move |columns| {
            let (a, b) = (floats(columns[0].f64()?), floats(columns[1].f64()?));
            let mut run = 0;
            let out: Float64Chunked = (0..a.len())
                .map(|i| {
                    let missing = a[i].is_nan() || b[i].is_nan();
                    run = if missing { 0 } else { run + 1 };
                    (run >= n)
                        .then(|| f(&a[i + 1 - n..=i], &b[i + 1 - n..=i]))
                        .filter(|x| x.is_finite())
                })
                .collect();
            Ok(out.with_name(columns[0].name().clone()).into_column())
        },
        &[b],
        |_, fields| Ok(Field::new(fields[0].name().clone(), DataType::Float64)),
    )
}

/// The values of a column, NaN where one is missing; copied only when one is.
fn floats(column: &Float64Chunked) -> Cow<'_, [f64]> {
    match column.cont_slice() {
        Ok(values) => Cow::Borrowed(values),
        Err(_) => Cow::Owned(column.iter().map(|v| v.unwrap_or(f64::NAN)).collect()),
    }
}

/// The mean of the last n values.
pub(crate) fn mean(e: Expr, n: usize) -> Expr {
    window(e, n, mean_of)
}

/// The sum of the last n values.
pub(crate) fn sum(e: Expr, n: usize) -> Expr {
    window(e, n, |w| total(w, |x| x))
}

/// The largest of the last n values.
pub(crate) fn max(e: Expr, n: usize) -> Expr {
    e.rolling_max(fixed(n))
}

/// The smallest of the last n values.
pub(crate) fn min(e: Expr, n: usize) -> Expr {
    e.rolling_min(fixed(n))
}

/// The mean with weights (1 - alpha)^age, over all rows so far; missing until n values are there.
pub(crate) fn ewm(e: Expr, alpha: f64, n: usize) -> Expr {
    e.ewm_mean(EWMOptions {
        alpha,
        adjust: true,
        bias: true,
        min_periods: n,
        ignore_nulls: true,
    })
}

/// `e` where `sign` is above zero, 0 where it is not, missing where `sign` is missing.
pub(crate) fn where_above_zero(sign: Expr, e: Expr) -> Expr {
    when(sign.clone().gt(lit(0.0)))
        .then(e)
        .when(sign.lt_eq(lit(0.0)))
        .then(lit(0.0))
        .otherwise(lit(NULL))
}

/// The larger of two; missing where one is missing.
pub(crate) fn larger(a: Expr, b: Expr) -> Expr {
    when(a.clone().gt(b.clone()))
        .then(a.clone())
        .when(a.lt_eq(b.clone()))
        .then(b)
        .otherwise(lit(NULL))
}

/// ln sqrt of the mean of the last n values; missing when that mean is zero.
pub(crate) fn log_root_mean(e: Expr, n: usize) -> Expr {
    window(mean(e, n), 1, |w| 0.5 * w[0].ln())
}

/// The size without the sign.
pub(crate) fn abs(e: Expr) -> Expr {
    window(e, 1, |w| w[0].abs())
}

pub(crate) fn square(e: Expr) -> Expr {
    e.clone() * e
}

/// 1 where the condition holds, 0 where it does not, missing where it cannot be told.
pub(crate) fn flag(condition: Expr) -> Expr {
    when(condition.clone())
        .then(lit(1.0))
        .when(condition.not())
        .then(lit(0.0))
        .otherwise(lit(NULL))
}

/// The third (0, 1, 2) of the last n values in which the newest lies, equal values shared out evenly.
pub(crate) fn third(e: Expr, n: usize) -> Expr {
    window(e, n, |w| {
        let last = w[w.len() - 1];
        let below = w.iter().filter(|x| **x < last).count() as f64;
        let equal = w.iter().filter(|x| **x == last).count() as f64;
        let share = (below + 0.5 * equal) / w.len() as f64;
        f64::from(u8::from(share > 1.0 / 3.0)) + f64::from(u8::from(share > 2.0 / 3.0))
    })
}

/// The sum of a window, in four parts side by side: a single chain of additions waits for itself.
fn total(w: &[f64], f: impl Fn(f64) -> f64) -> f64 {
    let mut parts = [0.0; 4];
    let four = w.chunks_exact(4);
    let rest: f64 = four.remainder().iter().map(|x| f(*x)).sum();
    for values in four {
        for (part, x) in parts.iter_mut().zip(values) {
            *part += f(*x);
        }
    }
    (parts[0] + parts[1]) + (parts[2] + parts[3]) + rest
}

pub(crate) fn mean_of(w: &[f64]) -> f64 {
    total(w, |x| x) / w.len() as f64
}

/// Mean and second central moment (divisor n); the moment is zero when rounding alone is left of it.
pub(crate) fn moments(w: &[f64]) -> (f64, f64) {
    let mean = mean_of(w);
    let variance = total(w, |x| (x - mean).powi(2)) / w.len() as f64;
    let rounding = (mean * f64::EPSILON * 8.0).powi(2);
    (mean, if variance <= rounding { 0.0 } else { variance })
}

/// Covariance (divisor n) of two windows.
pub(crate) fn covariance(a: &[f64], b: &[f64]) -> f64 {
    let (x, y) = (mean_of(a), mean_of(b));
    let sum: f64 = a.iter().zip(b).map(|(a, b)| (a - x) * (b - y)).sum();
    sum / a.len() as f64
}

/// Correlation of two windows; not a number when one of them does not vary.
pub(crate) fn correlation(a: &[f64], b: &[f64]) -> f64 {
    covariance(a, b) / (moments(a).1 * moments(b).1).sqrt()
}

fn fixed(n: usize) -> RollingOptionsFixedWindow {
    RollingOptionsFixedWindow {
        window_size: n,
        min_periods: n,
        ..Default::default()
    }
}
