//! Price: returns, momentum, gaps, distance to highs, lows and averages.

use crate::Feature;
use crate::ops::{c, lag, ln, log_return, max, mean, min};
use polars::prelude::{Expr, lit};

const TEXTBOOK: &str =
    "Campbell, Lo & MacKinlay, The Econometrics of Financial Markets (1997), ch. 1";
const MOMENTUM: &str = "Jegadeesh & Titman, Journal of Finance 48 (1993) 65-91";
const HIGHS: &str = "George & Hwang, Journal of Finance 59 (2004) 2145-2176";
const AVERAGES: &str = "Brock, Lakonishok & LeBaron, Journal of Finance 47 (1992) 1731-1764";

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
        group: "price",
        formula,
        parameters,
        warm_up,
        needs,
        source,
        expr,
    }
}

const CLOSE: &[&str] = &["close"];

pub(crate) const FEATURES: &[Feature] = &[
    feature(
        "log_return_1",
        "ln(C[t] / C[t-1])",
        &[("n", 1)],
        1,
        CLOSE,
        TEXTBOOK,
        returns,
    ),
    feature(
        "log_return_5",
        "ln(C[t] / C[t-5])",
        &[("n", 5)],
        5,
        CLOSE,
        TEXTBOOK,
        returns,
    ),
    feature(
        "log_return_20",
        "ln(C[t] / C[t-20])",
        &[("n", 20)],
        20,
        CLOSE,
        TEXTBOOK,
        returns,
    ),
    feature(
        "log_return_60",
        "ln(C[t] / C[t-60])",
        &[("n", 60)],
        60,
        CLOSE,
        TEXTBOOK,
        returns,
    ),
    feature(
        "log_return_lag_1",
        "r[t-1]",
        &[("lag", 1)],
        2,
        CLOSE,
        TEXTBOOK,
        lagged,
    ),
    feature(
        "log_return_lag_2",
        "r[t-2]",
        &[("lag", 2)],
        3,
        CLOSE,
        TEXTBOOK,
        lagged,
    ),
    feature(
        "log_return_lag_3",
        "r[t-3]",
        &[("lag", 3)],
        4,
        CLOSE,
        TEXTBOOK,
        lagged,
    ),
    feature(
        "momentum_120",
        "C[t] / C[t-120] - 1",
        &[("skip", 0), ("n", 120)],
        120,
        CLOSE,
        MOMENTUM,
        momentum,
    ),
    feature(
        "momentum_252_skip_21",
        "C[t-21] / C[t-252] - 1, the year without its last month",
        &[("skip", 21), ("n", 252)],
        252,
        CLOSE,
        MOMENTUM,
        momentum,
    ),
    feature(
        "gap",
        "ln(O[t] / C[t-1])",
        &[],
        1,
        &["open", "close"],
        TEXTBOOK,
        |_| ln(c("open") / lag(c("close"), 1)),
    ),
    feature(
        "high_distance_20",
        "C[t] / max(H[t-19..t]) - 1",
        &[("n", 20)],
        19,
        &["high", "close"],
        HIGHS,
        high_distance,
    ),
    feature(
        "high_distance_252",
        "C[t] / max(H[t-251..t]) - 1",
        &[("n", 252)],
        251,
        &["high", "close"],
        HIGHS,
        high_distance,
    ),
    feature(
        "low_distance_20",
        "C[t] / min(L[t-19..t]) - 1",
        &[("n", 20)],
        19,
        &["low", "close"],
        HIGHS,
        low_distance,
    ),
    feature(
        "low_distance_252",
        "C[t] / min(L[t-251..t]) - 1",
        &[("n", 252)],
        251,
        &["low", "close"],
        HIGHS,
        low_distance,
    ),
    feature(
        "sma_gap_20",
        "C[t] / mean(C[t-19..t]) - 1",
        &[("n", 20)],
        19,
        CLOSE,
        AVERAGES,
        sma_gap,
    ),
    feature(
        "sma_gap_50",
        "C[t] / mean(C[t-49..t]) - 1",
        &[("n", 50)],
        49,
        CLOSE,
        AVERAGES,
        sma_gap,
    ),
];

fn returns(p: &[usize]) -> Expr {
    ln(c("close") / lag(c("close"), p[0]))
}

fn lagged(p: &[usize]) -> Expr {
    lag(log_return(), p[0])
}

fn momentum(p: &[usize]) -> Expr {
    lag(c("close"), p[0]) / lag(c("close"), p[1]) - lit(1.0)
}

fn high_distance(p: &[usize]) -> Expr {
    c("close") / max(c("high"), p[0]) - lit(1.0)
}

fn low_distance(p: &[usize]) -> Expr {
    c("close") / min(c("low"), p[0]) - lit(1.0)
}

fn sma_gap(p: &[usize]) -> Expr {
    c("close") / mean(c("close"), p[0]) - lit(1.0)
}
