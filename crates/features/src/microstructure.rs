//! Microstructure: what trading costs and how deep the market is, estimated from daily bars.

use crate::ops::{abs, c, correlation, covariance, flag, lag, ln, mean, r, square, window2};
use crate::{CLOSE_OF_BAR, Feature};
use polars::prelude::{Expr, NULL, lit, when};

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
        group: "microstructure",
        formula,
        parameters,
        warm_up,
        known_at: CLOSE_OF_BAR,
        needs,
        source,
        expr,
    }
}

pub(crate) const FEATURES: &[Feature] = &[
    feature(
        "corwin_schultz_20",
        "mean over 20 bars of the spread from the ranges of two bars, 2 (e^a - 1) / (1 + e^a), the second range moved by the night's gap beyond it; below zero counts as zero",
        &[("n", 20)],
        20,
        &["high", "low", "close"],
        "Corwin & Schultz, Journal of Finance 67 (2012) 719-760",
        |p| mean(corwin_schultz(), p[0]),
    ),
    feature(
        "abdi_ranaldo_20",
        "mean over 20 bars of sqrt(max(0, 4 (ln C' - m') (ln C' - m))), m = (ln H + ln L) / 2, ' the bar before",
        &[("n", 20)],
        20,
        &["high", "low", "close"],
        "Abdi & Ranaldo, Review of Financial Studies 30 (2017) 4437-4480",
        |p| {
            let middle = (ln(c("high")) + ln(c("low"))) / lit(2.0);
            let close = lag(ln(c("close")), 1);
            let squared = (close.clone() - lag(middle.clone(), 1)) * (close - middle) * lit(4.0);
            mean(root_above_zero(squared), p[0])
        },
    ),
    feature(
        "roll_60",
        "2 sqrt(max(0, -covariance of r[t] and r[t-1])) over 60 pairs, divisor n",
        &[("n", 60)],
        61,
        &["close"],
        "Roll, Journal of Finance 39 (1984) 1127-1139",
        |p| {
            window2(r(), lag(r(), 1), p[0], |now, before| {
                2.0 * (-covariance(now, before)).max(0.0).sqrt()
            })
        },
    ),
    feature(
        "amihud_20",
        "ln(10^6 mean of |r| / (C V)) over 20 bars; missing when nothing was traded on one of them, or nothing moved",
        &[("n", 20)],
        20,
        &["close", "volume"],
        "Amihud, Journal of Financial Markets 5 (2002) 31-56",
        |p| {
            let value = c("close") * c("volume");
            let impact = when(value.clone().gt(lit(0.0)))
                .then(abs(r()) / value)
                .otherwise(lit(NULL));
            ln(mean(impact, p[0]) * lit(1e6))
        },
    ),
    feature(
        "traded_value_20",
        "ln(mean of C V) over 20 bars; missing when nothing was traded",
        &[("n", 20)],
        19,
        &["close", "volume"],
        "Brennan, Chordia & Subrahmanyam, Journal of Financial Economics 49 (1998) 345-373",
        |p| ln(mean(c("close") * c("volume"), p[0])),
    ),
    feature(
        "zero_returns_60",
        "share of bars with r = 0 over 60 bars",
        &[("n", 60)],
        60,
        &["close"],
        "Lesmond, Ogden & Trzcinka, Review of Financial Studies 12 (1999) 1113-1141",
        |p| mean(flag(r().eq(lit(0.0))), p[0]),
    ),
    feature(
        "autocorrelation_60",
        "correlation of r[t] and r[t-1] over 60 pairs; missing when nothing moved",
        &[("n", 60)],
        61,
        &["close"],
        "Lo & MacKinlay, Review of Financial Studies 1 (1988) 41-66",
        |p| window2(r(), lag(r(), 1), p[0], correlation),
    ),
    feature(
        "variance_ratio_60",
        "mean of (5-bar log return)^2 / (5 mean of r^2), over 60 bars; missing when nothing moved",
        &[("bars", 5), ("n", 60)],
        64,
        &["close"],
        "Lo & MacKinlay, Review of Financial Studies 1 (1988) 41-66",
        |p| {
            let long = ln(c("close") / lag(c("close"), p[0]));
            mean(square(long), p[1]) / (mean(square(r()), p[1]) * lit(p[0] as f64))
        },
    ),
];

/// sqrt(x), 0 below zero.
fn root_above_zero(e: Expr) -> Expr {
    crate::ops::window(e, 1, |w| w[0].max(0.0).sqrt())
}

/// The spread of a bar and the one before.
fn corwin_schultz() -> Expr {
    let before = lag(c("close"), 1);
    // The night's move beyond the range is no spread: the range is moved back onto the close.
    let gap = when(c("low").gt(before.clone()))
        .then(c("low") - before.clone())
        .when(c("high").lt(before.clone()))
        .then(c("high") - before.clone())
        .when(before.is_not_null())
        .then(lit(0.0))
        .otherwise(lit(NULL));
    let (high, low) = (c("high") - gap.clone(), c("low") - gap);
    let (high_before, low_before) = (lag(c("high"), 1), lag(c("low"), 1));
    let beta = square(ln(high.clone() / low.clone()))
        + square(ln(high_before.clone() / low_before.clone()));
    let top = crate::ops::larger(high, high_before);
    let bottom = lit(0.0) - crate::ops::larger(lit(0.0) - low, lit(0.0) - low_before);
    let gamma = square(ln(top / bottom));
    window2(beta, gamma, 1, |beta, gamma| {
        let (beta, gamma) = (beta[0], gamma[0]);
        let d = 3.0 - 2.0 * std::f64::consts::SQRT_2;
        let alpha = ((2.0 * beta).sqrt() - beta.sqrt()) / d - (gamma / d).sqrt();
        // 2 (e^a - 1) / (1 + e^a)
        (2.0 * (alpha / 2.0).tanh()).max(0.0)
    })
}
