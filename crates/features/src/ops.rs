//! The few operations the expressions are made of. A window is computed from its own rows only, not
//! by adding the newest and taking away the oldest: so a value has the same bits whatever came
//! before the window, and a window of equal values has no residue of rounding.

use polars::prelude::*;

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

/// The daily log return.
pub(crate) fn log_return() -> Expr {
    ln(c("close") / lag(c("close"), 1))
}

/// `f` of the last n values, the newest last; missing while one of them is, or where `f` is not
/// finite.
pub(crate) fn window(e: Expr, n: usize, f: fn(&[f64]) -> f64) -> Expr {
    e.apply(
        move |column| {
            let values: Vec<f64> = column
                .f64()?
                .iter()
                .map(|v| v.unwrap_or(f64::NAN))
                .collect();
            let mut run = 0;
            let out: Float64Chunked = values
                .iter()
                .enumerate()
                .map(|(i, v)| {
                    run = if v.is_nan() { 0 } else { run + 1 };
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

/// The mean of the last n values.
pub(crate) fn mean(e: Expr, n: usize) -> Expr {
    window(e, n, mean_of)
}

/// The sum of the last n values.
pub(crate) fn sum(e: Expr, n: usize) -> Expr {
    window(e, n, |w| w.iter().sum())
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

pub(crate) fn mean_of(w: &[f64]) -> f64 {
    w.iter().sum::<f64>() / w.len() as f64
}

fn fixed(n: usize) -> RollingOptionsFixedWindow {
    RollingOptionsFixedWindow {
        window_size: n,
        min_periods: n,
        ..Default::default()
    }
}
