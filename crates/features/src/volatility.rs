//! Volatility a day, from closes and from ranges, as natural logarithms: volatility is skewed, its
//! logarithm is nearly normal (Andersen, Bollerslev, Diebold & Labys 2003).

use crate::Feature;
use crate::ops::{c, ln, log_return, mean, window};
use polars::prelude::{Expr, lit};

const LOG_VOLATILITY: &str = "Andersen, Bollerslev, Diebold & Labys, Econometrica 71 (2003) 579-625; Corsi, Journal of Financial Econometrics 7 (2009) 174-196";

const fn feature(
    id: &'static str,
    formula: &'static str,
    parameters: &'static [(&'static str, usize)],
    warm_up: usize,
    needs: &'static [&'static str],
    source: &'static str,
    expr: fn(&[usize]) -> Expr,
) -> Feature {
    Feature {
        id,
        group: "volatility",
        formula,
        parameters,
        warm_up,
        needs,
        source,
        expr,
    }
}

const CLOSE: &[&str] = &["close"];
const RANGE: &[&str] = &["high", "low"];
const OHLC: &[&str] = &["open", "high", "low", "close"];

pub(crate) const FEATURES: &[Feature] = &[
    feature(
        "log_volatility_5",
        "ln sqrt(mean(r[t-4..t]^2)); missing when nothing moved",
        &[("n", 5)],
        5,
        CLOSE,
        LOG_VOLATILITY,
        close_to_close,
    ),
    feature(
        "log_volatility_20",
        "ln sqrt(mean(r[t-19..t]^2)); missing when nothing moved",
        &[("n", 20)],
        20,
        CLOSE,
        LOG_VOLATILITY,
        close_to_close,
    ),
    feature(
        "log_volatility_60",
        "ln sqrt(mean(r[t-59..t]^2)); missing when nothing moved",
        &[("n", 60)],
        60,
        CLOSE,
        LOG_VOLATILITY,
        close_to_close,
    ),
    feature(
        "parkinson_20",
        "ln sqrt(mean(ln(H/L)^2) / (4 ln 2)) over 20 bars",
        &[("n", 20)],
        19,
        RANGE,
        "Parkinson, Journal of Business 53 (1980) 61-65",
        |p| {
            log_root_mean(
                square(ln(c("high") / c("low"))) / lit(4.0 * std::f64::consts::LN_2),
                p[0],
            )
        },
    ),
    feature(
        "garman_klass_20",
        "ln sqrt(mean(ln(H/L)^2 / 2 - (2 ln 2 - 1) ln(C/O)^2)) over 20 bars",
        &[("n", 20)],
        19,
        OHLC,
        "Garman & Klass, Journal of Business 53 (1980) 67-78, eq. 20",
        |p| {
            let body = lit(2.0 * std::f64::consts::LN_2 - 1.0) * square(ln(c("close") / c("open")));
            log_root_mean(square(ln(c("high") / c("low"))) * lit(0.5) - body, p[0])
        },
    ),
    feature(
        "rogers_satchell_20",
        "ln sqrt(mean(ln(H/C) ln(H/O) + ln(L/C) ln(L/O))) over 20 bars",
        &[("n", 20)],
        19,
        OHLC,
        "Rogers & Satchell, Annals of Applied Probability 1 (1991) 504-512",
        |p| {
            let part = |side: &str| ln(c(side) / c("close")) * ln(c(side) / c("open"));
            log_root_mean(part("high") + part("low"), p[0])
        },
    ),
    feature(
        "range_1",
        "ln(H[t] / L[t])",
        &[],
        0,
        RANGE,
        "Alizadeh, Brandt & Diebold, Journal of Finance 57 (2002) 1047-1091",
        |_| ln(c("high") / c("low")),
    ),
];

fn close_to_close(p: &[usize]) -> Expr {
    log_root_mean(square(log_return()), p[0])
}

fn square(e: Expr) -> Expr {
    e.clone() * e
}

/// ln sqrt of the mean; missing when the mean is zero.
fn log_root_mean(e: Expr, n: usize) -> Expr {
    window(mean(e, n), 1, |w| 0.5 * w[0].ln())
}
