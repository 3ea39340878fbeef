//! Volatility a day, from closes and from ranges, as natural logarithms: volatility is skewed, its
//! logarithm is nearly normal (Andersen, Bollerslev, Diebold & Labys 2003).

use crate::ops::{abs, c, ewm, lag, ln, log_root_mean, mean, moments, r, square, sum, window};
use crate::{CLOSE_OF_BAR, Feature};
use polars::prelude::{Expr, lit};

const LOG_VOLATILITY: &str = "Andersen, Bollerslev, Diebold & Labys, Econometrica 71 (2003) 579-625; Corsi, Journal of Financial Econometrics 7 (2009) 174-196";

const HIGHER_MOMENTS: &str =
    "Amaya, Christoffersen, Jacobs & Vasquez, Journal of Financial Economics 118 (2015) 135-167";

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
        known_at: CLOSE_OF_BAR,
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
        |p| log_root_mean(rogers_satchell(), p[0]),
    ),
    feature(
        "yang_zhang_20",
        "ln sqrt(v(ln(O/C of the bar before)) + k v(ln(C/O)) + (1-k) Rogers-Satchell) over 20 bars, v with divisor n-1, k = 0.34 / (1.34 + (n+1)/(n-1))",
        &[("n", 20)],
        20,
        OHLC,
        "Yang & Zhang, Journal of Business 73 (2000) 477-491",
        |p| {
            let n = p[0] as f64;
            let k = 0.34 / (1.34 + (n + 1.0) / (n - 1.0));
            let spread = |e: Expr| window(e, p[0], |w| moments(w).1) * lit(n / (n - 1.0));
            let overnight = spread(ln(c("open") / lag(c("close"), 1)));
            let day = spread(ln(c("close") / c("open")));
            let variance = overnight + day * lit(k) + mean(rogers_satchell(), p[0]) * lit(1.0 - k);
            log_root_mean(variance, 1)
        },
    ),
    feature(
        "ewma_volatility",
        "ln sqrt of the exponential mean of r^2 with weight 0.94 a bar; missing when nothing moved",
        &[("n", 20)],
        20,
        CLOSE,
        "J.P. Morgan & Reuters, RiskMetrics Technical Document, 4th ed. (1996)",
        |p| log_root_mean(ewm(square(r()), 0.06, p[0]), 1),
    ),
    feature(
        "downside_share_20",
        "sum of r^2 of falling bars / sum of r^2, over 20 bars; missing when nothing moved",
        &[("n", 20)],
        20,
        CLOSE,
        "Barndorff-Nielsen, Kinnebrock & Shephard, in Volatility and Time Series Econometrics (2010) 117-136",
        |p| {
            window(r(), p[0], |w| {
                let squares = |w: &[f64], keep: fn(f64) -> bool| {
                    w.iter().filter(|x| keep(**x)).map(|x| x * x).sum::<f64>()
                };
                squares(w, |x| x < 0.0) / squares(w, |_| true)
            })
        },
    ),
    feature(
        "jump_share_20",
        "1 - (pi/2) sum |r[i]| |r[i-1]| / sum r[i]^2 over 20 bars; missing when nothing moved",
        &[("n", 20)],
        21,
        CLOSE,
        "Barndorff-Nielsen & Shephard, Journal of Financial Econometrics 2 (2004) 1-37",
        |p| {
            let neighbours = abs(r() * lag(r(), 1));
            lit(1.0)
                - sum(neighbours, p[0]) * lit(std::f64::consts::FRAC_PI_2) / sum(square(r()), p[0])
        },
    ),
    feature(
        "volatility_of_volatility_60",
        "standard deviation (n) of log_volatility_20 over 60 bars",
        &[("n", 60), ("volatility", 20)],
        79,
        CLOSE,
        "Corsi, Mittnik, Pigorsch & Pigorsch, Econometric Reviews 27 (2008) 46-78",
        |p| {
            window(log_root_mean(square(r()), p[1]), p[0], |w| {
                moments(w).1.sqrt()
            })
        },
    ),
    feature(
        "skewness_60",
        "m3 / m2^1.5 of r over 60 bars, central moments with divisor n; missing when nothing moved",
        &[("n", 60)],
        60,
        CLOSE,
        HIGHER_MOMENTS,
        |p| window(r(), p[0], |w| standard_moment(w, 3)),
    ),
    feature(
        "kurtosis_60",
        "ln(m4 / m2^2) of r over 60 bars, central moments with divisor n; missing when nothing moved",
        &[("n", 60)],
        60,
        CLOSE,
        HIGHER_MOMENTS,
        |p| window(r(), p[0], |w| standard_moment(w, 4).ln()),
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
    log_root_mean(square(r()), p[0])
}

fn rogers_satchell() -> Expr {
    let part = |side: &str| ln(c(side) / c("close")) * ln(c(side) / c("open"));
    part("high") + part("low")
}

/// The k-th central moment in units of the standard deviation.
fn standard_moment(w: &[f64], k: i32) -> f64 {
    let (mean, variance) = moments(w);
    let moment = w.iter().map(|x| (x - mean).powi(k)).sum::<f64>() / w.len() as f64;
    moment / variance.powf(f64::from(k) / 2.0)
}
